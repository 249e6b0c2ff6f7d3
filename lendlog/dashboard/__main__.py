"""Writes the dashboard into the repository."""

from lendlog.dashboard import DASHBOARD, text

if __name__ == "__main__":
    DASHBOARD.write_text(text())
