"""The minute hand: APScheduler only as the ticker; what is due is asked anew at every tick.

Before any due work the process's clock is held against the homeserver's. More than an hour apart, and due work waits
with an alarm.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from bot.clocks import Clocks
from bot.http import LoggedOut
from bot.metrics import Metrics
from bot.workers import STOP_WITHIN_S, describe
from domain.calendar import day_of
from domain.region import Region
from handlers.office import Office
from handlers.sampling import count_names
from handlers.sweep import run_due, run_rematches
from handlers.words import line
from storage.database import Storage

log = logging.getLogger(__name__)

TICK = timedelta(minutes=1)
_SLACK = timedelta(seconds=5)
_SOON = timedelta(seconds=5)
_TICK_ID = "tick"
_REMATCH_ID = "rematch"
_REMATCH = timedelta(seconds=4)
"""How often signals are looked for whose matches changed."""


class Every(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 ships no types
    """So long from now, whatever time it was before.

    APScheduler's own interval counts on from the last tick: a clock that jumps years ahead would make it reckon out a
    million missed ones (FIELD-NOTES, APScheduler 3).
    """

    def __init__(self, span: timedelta) -> None:
        self._span = span

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return now + self._span


class Schedule:
    """Ticks, and does what is due."""

    def __init__(
        self, clocks: Clocks, storage: Storage, region: Region, metrics: Metrics, backups_kept: timedelta
    ) -> None:
        self._clocks = clocks
        self._storage = storage
        self._region = region
        self._metrics = metrics
        self._backups_kept = backups_kept
        self._scheduler = AsyncIOScheduler(timezone=ZoneInfo("UTC"))
        self._ticking = asyncio.Lock()
        self._parts = (
            self._count_names, self._due, self._undecidable, self._once_a_day, self._compact, self._scrub,
        )  # fmt: skip
        self._counted_on: date | None = None
        self.daily: Callable[[], None] = lambda: None
        self.after_tick: Callable[[], Awaitable[None]] | None = None

    def start(self) -> None:
        """Tick every minute from now on."""
        how = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler.add_job(self.tick, Every(TICK), id=_TICK_ID, **how)
        self._scheduler.add_job(self._rematch, Every(_REMATCH), id=_REMATCH_ID, **how)
        self._scheduler.start()

    async def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S), self._ticking:
                pass

    def nudge(self) -> None:
        """The clock may have jumped: after a jump back the ticker would sleep on for as long as that was."""
        now = self._storage.clock()
        for job in self._scheduler.get_jobs() if self._scheduler.running else ():
            if not now - _SLACK < job.next_run_time < now + TICK + _SLACK:
                job.modify(next_run_time=now)

    def at_once(self, after: timedelta = timedelta()) -> None:
        """Tick now, or so much later, and not only when the minute is over."""
        if job := self._scheduler.get_job(_TICK_ID) if self._scheduler.running else None:
            job.modify(next_run_time=self._storage.clock() + after)

    async def tick(self) -> bool:
        """Do what is due, unless the clock is not to be trusted; whether all of it could be done."""
        async with self._ticking:
            try:
                if not await self._clocks.agree():
                    await self._alarm_clock()
                    # Two clocks are seldom set in the same second: do not wait a whole minute for the other one.
                    self.at_once(_SOON)
                    return False
            except LoggedOut:
                # The session hears of it too, and ends the process.
                return False
            except Exception as fault:  # noqa: BLE001 (reported; the next tick tries again)
                self._report(fault)
                return False
            self._metrics.raise_alarm("clock", on=False)
            # Each by itself: one signal that is damaged must not keep what was erased in the log.
            done = [await self._try(part) for part in self._parts]
            if self.after_tick is not None:
                done.append(await self._try(self.after_tick))
            if all(done):
                self._metrics.raise_alarm("due_work", on=False)
            return all(done)

    async def _try(self, part: Callable[[], Awaitable[None]]) -> bool:
        try:
            await part()
        except Exception as fault:  # noqa: BLE001 (reported; the next tick tries again)
            self._report(fault)
            return False
        return True

    def _report(self, fault: Exception) -> None:
        log.error("due work: %s", describe(fault))  # no text: it could hold what it must not
        self._metrics.faults.labels(part="schedule").inc()
        self._metrics.raise_alarm("due_work")

    async def _rematch(self) -> None:
        """What waits for a moment only, and not for the minute to be over."""
        async with self._ticking:
            with suppress(LoggedOut):
                await self._try(self._do_rematches)

    async def _do_rematches(self) -> None:
        if await self._clocks.still_agree():
            self._metrics.due_done.inc(await run_rematches(self._storage, self._region))

    async def _count_names(self) -> None:
        """At the start, before anybody is matched, and every day."""
        today = day_of(self._storage.clock())
        if self._counted_on != today:
            await count_names(self._storage)
            self._counted_on = today

    async def _due(self) -> None:
        self._metrics.due_done.inc(await run_due(self._storage, self._region))

    async def _undecidable(self) -> None:
        """Reviews of which every coordinator who may decide is a party: only an administrator may hear of them."""
        async with self._storage.reading() as uow:
            waiting = await uow.reviews.count_undecidable()
        self._metrics.raise_alarm("undecidable", on=waiting > 0)

    async def _once_a_day(self) -> None:
        async with self._storage.unit() as uow:
            if await uow.tasks.claim_today("beside the database"):
                self.daily()

    async def _compact(self) -> None:
        await self._storage.compact_journal(self._backups_kept)

    async def _scrub(self) -> None:
        self._metrics.raise_alarm("scrub", on=not await self._storage.scrub())

    async def _alarm_clock(self) -> None:
        self._metrics.raise_alarm("clock")
        log.error("the clocks of this machine and of the homeserver differ by more than an hour: due work waits")
        async with self._storage.unit() as uow:
            if await uow.tasks.claim_today("alarm clock"):
                await Office(uow, self._region).alarm("clock", line("alarm.clock"))
