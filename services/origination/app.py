"""The worker: `python -m services.origination.app`, any number of them."""

from services.origination.service import SERVICE
from shared.streams.subject_service import run

if __name__ == "__main__":
    run(SERVICE)
