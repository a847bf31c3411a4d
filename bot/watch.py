"""Whether the database is well: an alarm as soon as it is not, and a card for the coordinators once it is again."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import datetime

from bot.metrics import Metrics
from bot.workers import describe
from domain.calendar import AMSTERDAM
from domain.region import Region
from handlers.office import Office
from handlers.words import line
from storage.database import Storage
from storage.trouble import explain, is_trouble

log = logging.getLogger(__name__)

_CODE = "database"
_AGAIN_S = 1.0
_LONGEST_S = 3600.0
"""A database that is ill again and again is called well, and a card is written, at most once in so long."""


class Watch:
    """Hears of every unit of work that failed because of the database; the alarm is up until one has succeeded.

    That one is its own, and writes the card.
    """

    def __init__(self, storage: Storage, region: Region, metrics: Metrics) -> None:
        self._storage = storage
        self._region = region
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None
        self._last_fault: datetime | None = None
        self._well_since = -math.inf
        self._patience_s = _AGAIN_S
        self.on_recovery: Callable[[], None] = lambda: None
        metrics.raise_alarm(_CODE, on=False)
        storage.on_trouble = self.failed

    @property
    def is_well(self) -> bool:
        return self._task is None

    def failed(self, fault: Exception) -> None:
        """A unit of work failed."""
        self._last_fault = self._storage.clock()
        if self._task is None:
            self._metrics.raise_alarm(_CODE)
            log.error(
                "the database: %s. Nothing is acknowledged until it is well; what people say waits", explain(fault)
            )
            self._task = asyncio.create_task(self._until_well(self._last_fault), name="watch")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _until_well(self, since: datetime) -> None:
        is_relapse = time.monotonic() - self._well_since < _LONGEST_S
        self._patience_s = min(self._patience_s * 2, _LONGEST_S) if is_relapse else _AGAIN_S
        pause, is_well = self._patience_s, False
        while not is_well:
            await asyncio.sleep(pause)
            pause, is_well = _AGAIN_S, await self._wrote_card(since)
        self._well_since = time.monotonic()
        self._task = None
        self._metrics.raise_alarm(_CODE, on=False)
        log.warning("the database is well again")
        self.on_recovery()

    async def _wrote_card(self, since: datetime) -> bool:
        until = self._last_fault or since
        text = line("alarm.database", since=_clock(since), until=_clock(until))
        try:
            async with self._storage.unit() as uow:
                await Office(uow, self._region).alarm(_CODE, text, since=_stamp(since), until=_stamp(until))
        except Exception as fault:  # noqa: BLE001 (whatever it is: the alarm stays, and it is tried again)
            if not is_trouble(fault):
                log.error("the card after trouble: %s", describe(fault))  # noqa: TRY400 (no text: it could hold what it must not)
            return False
        return True


def _clock(moment: datetime) -> str:
    return moment.astimezone(AMSTERDAM).strftime("%H:%M")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
