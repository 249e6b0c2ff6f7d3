"""The worker: `python -m services.monitoring.app`, any number of them."""

from services.monitoring.service import SERVICE
from shared.streams.subject_service import run

if __name__ == "__main__":
    run(SERVICE)
