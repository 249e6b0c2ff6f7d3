"""The worker: `python -m services.collections.app`, any number of them."""

from services.collections.service import SERVICE
from shared.streams.subject_service import run

if __name__ == "__main__":
    run(SERVICE)
