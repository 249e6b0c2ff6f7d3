"""One share of a replay: `python -m lendlog.replay_process SERVICE PARTITION,… BATCH`. Prints a count per batch.

It has the environment of a service process, with the replay role's database URL; the scratch schema lies beside the
live one.
"""

import asyncio
import sys
from collections.abc import Sequence

from lendlog.services import of_borrowers, schemas_of
from services.ledger.replay import replay_ledger
from services.ledger.worker import topics_of
from shared import telemetry
from shared.database import open_pool
from shared.settings import ServiceSettings


async def main(service: str, partitions: Sequence[int], batch: int) -> None:
    """Replay these partitions, one after the other."""
    settings = ServiceSettings()
    scratch = schemas_of(service, settings).scratch
    pool = await open_pool(settings.database_url.get_secret_value(), scratch, size=2)
    try:
        for partition in partitions:
            if service != "ledger":
                await of_borrowers(service).replay(partition, settings, pool, batch=batch, progress=_say)
                continue
            await replay_ledger(
                partition,
                bootstrap=settings.kafka_bootstrap,
                topics=topics_of(settings),
                pool=pool,
                batch=batch,
                closing_chunk=settings.closing_chunk,
                progress=_say,
            )
    finally:
        await pool.close()


def _say(records: int) -> None:
    sys.stdout.write(f"{records}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    telemetry.configure_logging("replay", "warning")
    asyncio.run(main(sys.argv[1], [int(number) for number in sys.argv[2].split(",")], int(sys.argv[3])))
