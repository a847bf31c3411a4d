"""What was begun with the database is finished, whoever stops waiting for it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from storage.session import finish


class Disk(Exception):
    """The work itself goes wrong."""


async def waiting_for(work: Callable[[], Awaitable[str]], times: int) -> asyncio.Task[str]:
    """A task that waits for this work, and is cancelled so many times meanwhile."""
    task = asyncio.create_task(finish(work()))
    for _ in range(times):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done(), "it is finished first"
    return task


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("times", [1, 3])
async def test_who_is_cancelled_meanwhile_hears_of_it_afterwards_also_where_the_work_failed(
    times: int, *, fails: bool
) -> None:
    """Else a task that is to stop takes the fault for one to be tried again, and goes on."""
    go_on, done = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        done.set()
        if fails:
            raise Disk
        return "done"

    task = await waiting_for(work, times)
    go_on.set()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await task
    assert task.cancelled()
    assert done.is_set()
    assert isinstance(cancelled.value.__cause__, Disk) is fails


async def test_who_is_not_cancelled_hears_what_came_of_it() -> None:
    async def work(*, fails: bool) -> str:
        await asyncio.sleep(0)
        if fails:
            raise Disk
        return "done"

    assert await finish(work(fails=False)) == "done"
    with pytest.raises(Disk):
        await finish(work(fails=True))
