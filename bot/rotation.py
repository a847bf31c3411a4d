"""A running bot takes new keys into use, and brings what is under older ones under them, beside everything else.

`wenk keys` (bot/keys.py) writes the file; who runs the bot writes to the database.
"""

import asyncio
import logging
from pathlib import Path

from bot.metrics import Metrics
from bot.workers import describe
from handlers.rotation import bring_under_current_keys, retag
from storage.database import Storage
from storage.keys import Keys, KeysFault

log = logging.getLogger(__name__)

_ALARM = "keys"
_SAID_EVERY = 10_000


class Rotation:
    """Looks at the keys file and at what is left, once a minute; works in a task of its own."""

    def __init__(self, storage: Storage, keys_file: Path, metrics: Metrics) -> None:
        self._storage = storage
        self._keys_file = keys_file
        self._metrics = metrics
        self._working: asyncio.Task[None] | None = None
        self._file_is_well = True
        self._damaged = 0

    async def catch_up(self) -> None:
        """Make sure that a lookup meets every signal, before there is one.

        After an upgrade that makes other tags, and after a restore of a backup whose tag key is gone: then this takes a
        while, once, and nobody is answered before. A rotation needs none of it: its older tags are looked up as well.
        """
        async with self._storage.reading() as uow:
            if await uow.rotation.are_all_found():
                return
            left = (await uow.rotation.left()).retag
        log.info("tags of %d signals are made anew before anything is answered", left)
        done = 0
        async for batch in bring_under_current_keys(self._storage, (retag,)):
            done += batch.done
            if done % _SAID_EVERY < batch.done:
                log.info("tags of %d of %d signals are made anew", done, left)

    async def look(self) -> None:
        """Take new keys into use, and begin or go on with what they ask for; it goes on by itself."""
        await self._take()
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="rotation") if await self._is_needed() else None
        self._show()

    async def _is_needed(self) -> bool:
        async with self._storage.reading() as uow:
            if await uow.rotation.is_settled():
                self._damaged = 0
                return False
        async with self._storage.unit() as uow:
            return await uow.rotation.begin()

    async def stop(self) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait({self._working})

    async def _take(self) -> None:
        """A file that is damaged, or lacks what is needed, is not taken: we go on with what we have."""
        try:
            keys = Keys.load(self._keys_file)
            if keys != self._storage.keys:
                await self._storage.take(keys)
                log.info("the keys file has changed, and is in use from now on")
        except (KeysFault, OSError) as fault:
            self._file_is_well = False
            # A restart would fail, or not read everything.
            log.error("do not restart before this is mended: %s", fault)  # noqa: TRY400 (what to do, not where)
        else:
            self._file_is_well = True

    async def _work(self) -> None:
        loop, damaged = asyncio.get_running_loop(), 0
        try:
            began = loop.time()
            async for batch in bring_under_current_keys(self._storage):
                damaged += batch.damaged
                # It takes half of the time at most: people wait for their answers meanwhile, nobody for this.
                await asyncio.sleep(loop.time() - began)
                began = loop.time()
            async with self._storage.unit() as uow:
                if await uow.rotation.finish():
                    log.info("everything is under the current keys")
        except Exception as fault:  # noqa: BLE001 (reported; the next tick goes on)
            log.error("rotation: %s", describe(fault))  # noqa: TRY400 (no text: it could hold what it must not)
            self._metrics.faults.labels(part="rotation").inc()
            return
        self._damaged = damaged
        if damaged:
            log.error("%d rows do not open, and stay under older keys", damaged)
        self._show()

    def _show(self) -> None:
        self._metrics.raise_alarm(_ALARM, on=bool(self._damaged) or not self._file_is_well)
