"""Work that goes on side by side for different keys, and in order for each.

What is to be done stands in the database; a worker only has to be woken, and may be woken for nothing.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.http import HeldBack, backoff_after_s

log = logging.getLogger(__name__)

STOP_WITHIN_S = 10.0
"""How long steps in hand may take once the process is to stop."""

Step = Callable[[str], Awaitable[float | None]]
"""Does one thing for a key; gives the seconds until the next (0: at once), or None: nothing left until woken."""


class Workers:
    """One task per key that has work, at most `side_by_side` steps at a time.

    A step that raises is tried again, after 1, 2, 4 ... 60 seconds or when woken; `on_fault` hears of it. What fails
    again and again has a few slots of its own: however much of that there is, all else goes on. What the server holds
    back comes back when it was told to and not before, and has no slot meanwhile. An exception of a class in `fatal`
    ends the whole: it is what `failed` raises.
    """

    def __init__(
        self,
        name: str,
        step: Step,
        *,
        side_by_side: int = 16,
        fatal: tuple[type[Exception], ...] = (),
        on_fault: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._name = name
        self._step = step
        self._slots = asyncio.Semaphore(side_by_side)
        self._slots_in_trouble = asyncio.Semaphore(max(1, side_by_side // 4))
        self._fatal = fatal
        self._on_fault = on_fault
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._stop = asyncio.Event()
        self._going_on = asyncio.Event()
        self._going_on.set()
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_end = -math.inf
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def quiet_s(self) -> float:
        """How many seconds ago the last step ended; 0 while there is one in hand, or its turn to come."""
        return 0.0 if self._in_hand else time.monotonic() - self._last_end

    async def idle(self) -> None:
        """Wait until no step is in hand."""
        await asyncio.sleep(0)  # who was woken just now begins
        await self._idle.wait()

    def wake(self, key: str) -> None:
        """There may be something to do for this key."""
        if self._stop.is_set():
            return
        if key in self._tasks:
            self._woken[key].set()
        else:
            self._woken[key] = asyncio.Event()
            self._tasks[key] = asyncio.create_task(self._serve(key), name=f"{self._name}")

    def hold(self) -> None:
        """Begin no steps for now: the server does not answer, and one who asks it again is enough."""
        self._going_on.clear()

    def go_on(self) -> None:
        """Begin again, with all that waited for that."""
        if not self._going_on.is_set():
            self._going_on.set()
            for woken in self._woken.values():
                woken.set()

    async def stop(self) -> None:
        """Finish the steps in hand, begin no others; what waits for a silent server stays in the database."""
        self._stop.set()
        self._going_on.set()
        for woken in self._woken.values():
            woken.set()
        tasks = list(self._tasks.values())
        if tasks:
            _done, stuck = await asyncio.wait(tasks, timeout=STOP_WITHIN_S)
            for task in stuck:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not self.failed.done():
            self.failed.cancel()

    async def _serve(self, key: str) -> None:
        woken = self._woken[key]
        faults, slots = 0, self._slots
        try:
            while True:
                await self._going_on.wait()
                if self._stop.is_set():
                    return
                woken.clear()
                waits_for = woken
                try:
                    pause = await self._take_step(key, slots)
                    faults, slots = 0, self._slots
                except self._fatal as fault:
                    if not self.failed.done():
                        self.failed.set_exception(fault)
                    return
                except Exception as fault:  # noqa: BLE001 (whatever it is: reported, kept, tried again)
                    pause = backoff_after_s(fault, faults)
                    faults += 1
                    if isinstance(fault, HeldBack):
                        waits_for = self._stop
                    else:
                        slots = self._slots_in_trouble
                        self._on_fault(self._name)
                    log.warning("%s: %s, again in %.0f s", self._name, describe(fault), pause)
                if pause is None and not woken.is_set():
                    return
                if pause:
                    await until_woken(waits_for, pause)
        finally:
            del self._tasks[key]
            del self._woken[key]

    async def _take_step(self, key: str, slots: asyncio.Semaphore) -> float | None:
        self._in_hand += 1
        self._idle.clear()
        try:
            async with slots:
                return await self._step(key)
        finally:
            self._in_hand -= 1
            self._last_end = time.monotonic()
            if not self._in_hand:
                self._idle.set()


@dataclass(frozen=True, slots=True)
class Crew:
    """All workers of the process: for what came in, for what is to be sent, and for rooms as they should be."""

    reception: Workers
    delivery: Workers
    rooms: Workers

    @property
    def failed(self) -> set[asyncio.Future[None]]:
        """Each raises what ended its workers for good."""
        return {self.reception.failed, self.delivery.failed, self.rooms.failed}

    @property
    def quiet_s(self) -> float:
        """How long nobody has waited for an answer, nor for a room."""
        return min(self.reception.quiet_s, self.rooms.quiet_s)

    def hold(self) -> None:
        """See `Workers.hold`."""
        for workers in (self.reception, self.delivery, self.rooms):
            workers.hold()

    def go_on(self) -> None:
        for workers in (self.reception, self.delivery, self.rooms):
            workers.go_on()

    async def idle(self) -> None:
        """Wait until what came in was handled, what followed from it is said, and the rooms for it are made."""
        for workers in (self.reception, self.delivery, self.rooms):
            await workers.idle()

    async def stop(self) -> None:
        """One after the other: who handles makes work for the others."""
        for workers in (self.reception, self.rooms, self.delivery):
            await workers.stop()


async def until_woken(event: asyncio.Event, seconds: float) -> None:
    """Until it is set, and no longer than that."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def describe(fault: BaseException) -> str:
    """A fault for the log: what and where, never the text, which might hold what somebody said."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(fault).__name__}{where}"
