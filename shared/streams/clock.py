"""Wall time behind the port `Clock`: for pacing and metrics only (D3)."""

import asyncio
import time


class SystemClock:
    """The system's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(seconds)
