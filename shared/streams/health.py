"""What a worker serves over HTTP: /metrics, /healthz (the loop is alive), /readyz (positions claimed)."""

from collections.abc import Callable

from aiohttp import web

from shared.telemetry import METRICS_CONTENT_TYPE, exposition


async def serve_health(
    host: str, port: int, *, not_ready: Callable[[], str | None], refresh: Callable[[], None]
) -> web.AppRunner:
    """Serve until `cleanup` of the returned runner. `not_ready` says why, or None; `refresh` precedes a scrape."""

    async def metrics(_: web.Request) -> web.Response:
        refresh()
        return web.Response(body=exposition(), headers={"content-type": METRICS_CONTENT_TYPE})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = not_ready()
        return web.Response(text=f"{reason or 'ready'}\n", status=503 if reason else 200)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
