"""The life of the process: what begins when, what ends it, and whether it is ready."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from bot.http import Homeserver
from bot.metrics import Metrics
from bot.recovery import Recovery
from bot.rotation import Rotation
from bot.schedule import Schedule
from bot.session import Session
from bot.waiting import backoff_s
from bot.watch import Watch
from bot.web import serve
from bot.workers import STOP_WITHIN_S, Crew
from domain.region import Region
from handlers.office import Office
from handlers.people import admit_coordinators
from storage.alone import Keep
from storage.database import Storage
from storage.trouble import is_trouble
from storage.unit import UnitOfWork

_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Wenk:
    """The parts of a running bot."""

    keep_alone: Keep
    storage: Storage
    watch: Watch
    region: Region
    http: Homeserver
    session: Session
    recovery: Recovery
    rotation: Rotation
    schedule: Schedule
    metrics: Metrics
    crew: Crew
    address: tuple[str, int]

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set or a part fails for good; what is in hand is finished first.

        Raises the exception of the part that failed.
        """
        due_work_done = asyncio.Event()
        runner = await serve(self.address, self.metrics, lambda: self._ready(due_work_done), self._measure)
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self.keep_alone(), name="alone"),
            asyncio.create_task(self.session.run(), name="session"),
            asyncio.create_task(self._begin(due_work_done), name="begin"),
            asyncio.create_task(stop.wait(), name="stop"),
        ]
        pending: set[asyncio.Future[Any]] = {*tasks, *self.crew.failed}
        try:
            while not stop.is_set():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for part in done:
                    part.result()
        finally:
            await self._stop(tasks)
            await runner.cleanup()

    async def _begin(self, due_work_done: asyncio.Event) -> None:
        """What is due goes first, then what was left undone, then the minute hand begins to tick."""
        await self.session.first_sync.wait()
        is_done = await self._try_to_begin()
        while is_done is None:
            await asyncio.sleep(_AGAIN_S)
            is_done = await self._try_to_begin()
        self.schedule.after_tick = self._after_tick
        self.schedule.start()
        for attempt in count():
            if is_done:
                break
            await asyncio.sleep(backoff_s(attempt))
            is_done = await self.schedule.tick()
        due_work_done.set()

    async def _try_to_begin(self) -> bool | None:
        """Whether all that is due is done; None if the database is in trouble: all of it may be done again."""
        try:
            # Before anything is looked up: who is not found is not matched.
            await self.rotation.catch_up()
            # After a restore nobody says anything before this.
            await self.recovery.run()
            self.storage.wake, self.storage.settle = self._wake, self._settle
            async with self.storage.unit() as uow:
                await admit_coordinators(Office(uow, self.region))
            is_done = await self.schedule.tick()
            self.session.wake_reception = self.crew.reception.wake
            await self._after_tick()
        except Exception as fault:
            if not is_trouble(fault):
                raise
            return None
        return is_done

    async def _after_tick(self) -> None:
        await self._resume()
        await self.rotation.look()

    async def _resume(self) -> None:
        """Wake whatever has work in the database: left by a process that ended, or woken for in vain."""
        async with self.storage.reading() as uow:
            handling, working = await uow.inbox.rooms_with_work(), await uow.rooms.unsettled()
        for matrix_id in handling:
            self.crew.reception.wake(matrix_id)
        self._settle(frozenset(working))
        self._wake(frozenset(working))

    def _settle(self, rooms: frozenset[str]) -> None:
        for room_id in rooms:
            self.crew.rooms.wake(room_id)

    def _wake(self, rooms: frozenset[str]) -> None:
        for room_id in rooms:
            self.crew.delivery.wake(room_id)

    async def _stop(self, tasks: Sequence[asyncio.Task[object]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_WITHIN_S)
        await self.schedule.stop()
        await self.rotation.stop()
        await self.crew.stop()

    async def _ready(self, due_work_done: asyncio.Event) -> bool:
        if not due_work_done.is_set() or not self.watch.is_well:
            return False
        try:
            async with self.storage.reading() as uow:
                return all([await self._has_desk(uow, user_id) for user_id in self.region.coordinators])
        except Exception as fault:
            if not is_trouble(fault):
                raise
            return False

    async def _has_desk(self, uow: UnitOfWork, user_id: str) -> bool:
        desk = await uow.rooms.desk_of(user_id)
        return desk is not None and any(who.user_id == user_id and who.membership != "none" for who in desk.members)

    async def _measure(self) -> None:
        self.metrics.requests.set(self.http.requests)
        if not self.watch.is_well:
            return  # who asks for the alarm must not wait for a database that hangs
        try:
            async with self.storage.reading() as uow:
                self.metrics.inbox.set(await uow.inbox.backlog())
                self.metrics.outbox.set(await uow.outbox.backlog())
        except Exception as fault:
            if not is_trouble(fault):
                raise
