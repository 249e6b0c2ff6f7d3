"""One share of a replay: `python -m lendlog.replay_process PARTITION,… BATCH`. Prints a count per batch taken in.

It has the environment of a service process, with the replay role's database URL and the scratch schema's name.
"""

import asyncio
import sys
from collections.abc import Sequence

from services.ledger.replay import replay_ledger
from services.ledger.worker import topics_of
from shared import telemetry
from shared.database import open_pool
from shared.settings import ServiceSettings


async def main(partitions: Sequence[int], batch: int) -> None:
    """Replay these partitions, one after the other."""
    settings = ServiceSettings()
    pool = await open_pool(settings.database_url.get_secret_value(), settings.ledger_schema, size=2)
    try:
        for partition in partitions:
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
    asyncio.run(main([int(number) for number in sys.argv[1].split(",")], int(sys.argv[2])))
