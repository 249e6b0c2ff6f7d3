"""The ledger worker's composition root: `python -m services.ledger.app` (D6)."""

from pathlib import Path

from services.ledger.worker import PROCESSOR, LedgerWorker
from shared.settings import ServiceSettings
from shared.streams.worker_app import Hosting, main
from shared.topics import LEDGER_TOPICS, LIFECYCLE

MIGRATIONS = Path(__file__).parent / "migrations"


def hosting(settings: ServiceSettings) -> Hosting:
    """What the ledger brings to its worker process."""
    return Hosting(
        name=PROCESSOR,
        topic=LIFECYCLE,
        topics=LEDGER_TOPICS,
        schema=settings.ledger_schema,
        migrations=(MIGRATIONS,),
        worker=lambda pool, log_port: LedgerWorker(settings, pool, log_port),
    )


if __name__ == "__main__":
    main(hosting)
