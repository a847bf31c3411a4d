"""New keys as `wenk keys rotate` writes them, what a running bot does with them, and what must be found meanwhile."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import date
from pathlib import Path

from sqlalchemy import select

from bot.metrics import Metrics
from bot.rotation import Rotation
from domain.child import Child
from handlers.matching import tags_of
from handlers.rotation import bring_under_current_keys
from storage.database import Storage
from storage.keys import Keys
from storage.rotation import BATCH
from storage.schema import audit, signal
from tests.storage.archive import OWNER, Archive, a_stranger, place
from tests.storage.house import House

DAY = date(2026, 3, 2)
MANY = BATCH + 5
"""One batch, and some more."""


def children() -> list[Child]:
    return [a_stranger(at) for at in range(MANY)]


def newer(keys: Keys, *, master: bool = True, tag_key: bool = True) -> Keys:
    """The same file with new keys, as `wenk keys rotate` writes it."""
    if master:
        keys = keys.with_new_master(keys.current_master + 1, DAY)
    if tag_key:
        keys = keys.with_new_tag(keys.current_tag + 1)
    keys.save()
    return keys


def keys_file(archive: Archive | House) -> Path:
    return archive.storage.keys.path


def running(stage: Archive | House) -> Rotation:
    """What a running bot has for it."""
    return Rotation(stage.storage, keys_file(stage), Metrics())


def alarm(rotation: Rotation) -> bool:
    return bool(rotation._metrics.registry.get_sample_value("wenk_alarm", {"code": "keys"}))


async def look(rotation: Rotation) -> None:
    """A minute is over; and what that begins comes to its end."""
    await rotation.look()
    if rotation._working is not None:
        await rotation._working


async def found(storage: Storage, those: Sequence[Child]) -> list[list[str]]:
    """For each child the signals that a lookup meets, opened."""
    async with storage.reading() as uow:
        return [[one.ref for one in await uow.signals.found_by(tags_of(child))] for child in those]


async def said_in_audit(storage: Storage) -> list[str]:
    async with storage.reading() as uow:
        rows = await uow._session.all(select(audit.c.what).where(audit.c.who == "wenk").order_by(audit.c.seq))
        await uow.audit.verify()
    return [row.what for row in rows if row.what.startswith("keys.")]


async def place_many(storage: Storage, owner: str = OWNER) -> list[list[str]]:
    async with storage.unit() as uow:
        return [[(await place(uow, f"S-{at:06}", child, owner)).ref] for at, child in enumerate(children())]


async def half(storage: Storage) -> None:
    """The first batch of each part: so much is under the new keys, the rest is not."""
    async with aclosing(bring_under_current_keys(storage)) as batches:
        async for batch in batches:
            assert batch.done
            break
    async with storage.unit() as uow:
        await uow.rotation.rewrap(None)


async def sealed(archive: Archive) -> dict[str, tuple[bytes, bytes, int]]:
    rows = await archive.raw(select(signal.c.ref, signal.c.sealed_child, signal.c.wrapped_key, signal.c.key_version))
    return {row.ref: (row.sealed_child, row.wrapped_key, row.key_version) for row in rows}


async def until_all_is_done(storage: Storage) -> None:
    await storage.take(Keys.load(storage.keys.path))
    async with storage.unit() as uow:
        await uow.rotation.begin()
    async for _batch in bring_under_current_keys(storage):
        pass
    async with storage.unit() as uow:
        assert await uow.rotation.finish()
