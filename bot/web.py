"""`/livez`, `/readyz` and `/metrics`, on loopback by default; nothing about anybody."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.metrics import Metrics


async def serve(
    address: tuple[str, int],
    metrics: Metrics,
    ready: Callable[[], Awaitable[bool]],
    measure: Callable[[], Awaitable[None]],
) -> web.AppRunner:
    """Start listening; the caller cleans the runner up."""

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(text="ready\n") if await ready() else web.Response(text="not yet\n", status=503)

    async def show_metrics(_request: web.Request) -> web.Response:
        await measure()
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show_metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, *address).start()
    return runner
