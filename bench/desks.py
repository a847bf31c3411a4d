"""(d) What 200 desks cost: memory, and time until ready."""

import asyncio
import time
from collections.abc import Callable, Sequence

from bench.cast import Cast, is_kind
from bench.figures import Figure, Sample
from bot.demo.person import Person

DESKS = 200
STARTS = 3
_AT_ONCE = 4
_IDLE_S = 3.0
_PATIENCE_S = 120.0


async def fill(cast: Cast, there: int, step: Callable[[], None]) -> None:
    """Make it `DESKS` professionals, each with a signed device, each of whom has read their welcome."""
    names = [f"pro{number}" for number in range(there, DESKS)]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def move_in(name: str) -> None:
        async with slots:
            stage = cast.stage
            person = await Person.enter(
                stage.synapse.url, stage.user_id(name), stage.passwords[name], stage.directory / name
            )
            try:
                await person.wait_for(is_kind("welcome"), _PATIENCE_S)
            finally:
                # The account and its device stay; two hundred clients that listen would be measured with the bot.
                await person.close()
            step()

    async with asyncio.TaskGroup() as group:
        for name in names:
            await cast.stage.register(name)
            await cast.admit([name])
            group.create_task(move_in(name))
    await cast.settled()


async def measure(cast: Cast, desks: int) -> Sequence[Figure]:
    """Start the bot anew, several times, and leave it idle."""
    ready, memory = [], []
    for _ in range(STARTS):
        await cast.stage.stop()
        begun = time.perf_counter()
        await cast.stage.start()
        ready.append(time.perf_counter() - begun)
        await cast.settled()
        await asyncio.sleep(_IDLE_S)
        memory.append(await _resident_mb(cast.stage.pid or 0))
    return [
        Figure(what=f"(d) ready with {desks} desks", wenk=Sample(tuple(ready), "s")),
        Figure(
            what=f"(d) memory with {desks} desks, idle",
            wenk=Sample(tuple(memory), "MB"),
            bare=Sample((await _resident_mb(cast.echo_pid),), "MB"),
            note="bare: the echo bot as it is now",
        ),
    ]


async def _resident_mb(pid: int) -> float:
    process = await asyncio.create_subprocess_exec("ps", "-o", "rss=", "-p", str(pid), stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return int(out) / 1024
