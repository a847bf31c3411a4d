"""The minute hand: APScheduler only as the ticker; what is due is asked anew at every tick.

Before any due work the process's clock is held against the homeserver's. More than an hour apart, and due work waits with an alarm.
"""

import asyncio
import logging
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from bot.http import Homeserver
from bot.metrics import Metrics
from domain.region import Region
from handlers.office import Office
from handlers.sweep import run_due
from handlers.words import line
from storage.database import Storage

log = logging.getLogger(__name__)

TICK = timedelta(minutes=1)
MOST_APART = timedelta(hours=1)
_JUMP_S = 5.0
_CLOCK_AGAIN_S = 10.0


class EveryMinute(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 ships no types
    """A minute from now, whatever time it was before.

    APScheduler's own interval counts on from the last tick: a clock that jumps years ahead would make it reckon out a million
    missed ones (FIELD-NOTES, APScheduler 3).
    """

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return now + TICK


class Schedule:
    """Ticks, and does what is due."""

    def __init__(self, http: Homeserver, storage: Storage, region: Region, metrics: Metrics) -> None:
        self._http = http
        self._storage = storage
        self._region = region
        self._metrics = metrics
        self._scheduler = AsyncIOScheduler(timezone=ZoneInfo("UTC"))
        self._tick_now = asyncio.Lock()

    async def first_tick(self) -> None:
        """Do what is due before anything else; then begin to tick. Returns once due work could be done."""
        while not await self.tick():
            await asyncio.sleep(_CLOCK_AGAIN_S)
        self._scheduler.add_job(
            self.tick, EveryMinute(), id="tick", coalesce=True, max_instances=1, misfire_grace_time=None
        )
        self._scheduler.start()

    async def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        async with self._tick_now:
            pass

    def nudge(self) -> None:
        """The clock may have jumped back: without this the ticker would wait until it has caught up."""
        job = self._scheduler.get_job("tick")
        if job is not None and job.next_run_time - self._storage.clock() > TICK + timedelta(seconds=_JUMP_S):
            job.modify(next_run_time=self._storage.clock())

    async def tick(self) -> bool:
        """Do what is due, unless the clock is not to be trusted; whether it was done."""
        async with self._tick_now:
            apart = await self._apart()
            if abs(apart) > MOST_APART:
                await self._alarm_clock()
                return False
            self._metrics.raise_alarm("clock", on=False)
            done = await run_due(self._storage, self._region)
            self._metrics.due_done.inc(done)
            self._metrics.raise_alarm("scrub", on=not await self._storage.scrub())
            return True

    async def _apart(self) -> timedelta:
        """The process's clock minus the homeserver's, asked now."""
        await self._http.request("GET", "/_matrix/client/versions", authenticated=False)
        theirs = self._http.server_time()
        apart = self._storage.clock() - theirs if theirs else timedelta.max
        self._metrics.clock_offset.set(apart.total_seconds())
        return apart

    async def _alarm_clock(self) -> None:
        self._metrics.raise_alarm("clock")
        print(
            "wenk: ALARM: the clocks of this machine and of the homeserver differ by more than an hour", file=sys.stderr
        )  # noqa: T201 (an alarm must be seen without any logging set up)
        async with self._storage.unit() as uow:
            if await uow.tasks.claim_today("alarm clock"):
                await Office(uow, self._region).alarm("clock", line("alarm.clock"))
