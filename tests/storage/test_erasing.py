"""Erased is erased: no row that hangs on the signal, and in SQLite's files no byte of what it held."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Table, select

from domain.introducing import Pairing
from storage.schema import disclosure, notice, pair, participation, signal, tag
from tests.storage.archive import OTHER, Archive, a_child, a_stranger, place

PIECE = 12
"""Bytes: so long a piece of a ciphertext does not turn up by chance."""


async def secrets_of(archive: Archive, refs: Iterable[str]) -> list[bytes]:
    """All that the rows of these signals hold of a child: key, ciphertext and tags, in pieces."""
    values: list[bytes] = []
    for row in await archive.raw(select(signal).where(signal.c.ref.in_(list(refs)))):
        values += [row.wrapped_key, row.sealed_child]
        values += [found.tag for found in await archive.raw(select(tag.c.tag).where(tag.c.signal_id == row.id))]
    return [value[at : at + PIECE] for value in values for at in range(0, len(value) - PIECE + 1, 4)]


def present(archive: Archive, pieces: Iterable[bytes]) -> int:
    disk = archive.on_disk()
    return sum(piece in disk for piece in pieces)


async def erase(archive: Archive, refs: Iterable[str]) -> None:
    async with archive.storage.unit() as uow:
        for ref in refs:
            (row,) = await archive.raw(select(signal.c.id).where(signal.c.ref == ref))
            which = await uow.signals.get(row.id)
            assert which is not None
            await uow.signals.erase(which)
        await uow.audit.write("wenk", "signal.erased")


async def test_after_scrubbing_no_byte_of_an_erased_signal_is_left(sqlite_archive: Archive) -> None:
    """Many signals of many sizes come and go, so that SQLite splits, merges and frees pages."""
    numbers = iter(range(1_000))
    gone: list[bytes] = []
    kept: list[str] = []
    for _ in range(4):
        new = [f"S-{next(numbers):06}" for _ in range(25)]
        async with sqlite_archive.storage.unit() as uow:
            for ref in new:
                number = int(ref[2:])
                child = a_stranger(number)
                longer = replace(
                    child, given=child.given * (1 + number % 13), surname=child.surname * (1 + number % 11)
                )
                await place(uow, ref, longer)
        doomed = [ref for ref in kept + new if int(ref[2:]) % 3]
        kept = [ref for ref in kept + new if not int(ref[2:]) % 3]
        gone += await secrets_of(sqlite_archive, doomed)
        await erase(sqlite_archive, doomed)
    assert present(sqlite_archive, gone), "without scrubbing they are in the write-ahead log: else this shows nothing"
    assert await sqlite_archive.storage.scrub()
    assert present(sqlite_archive, gone) == 0
    still_there = await secrets_of(sqlite_archive, kept)
    assert present(sqlite_archive, still_there) == len(still_there)


async def test_scrubbing_says_so_when_a_reader_holds_on(sqlite_archive: Archive) -> None:
    storage = sqlite_archive.storage
    async with storage.unit() as uow:
        await place(uow, "S-000001")
    assert await storage.scrub()
    gone = await secrets_of(sqlite_archive, ["S-000001"])
    async with storage.reading() as reader:
        assert await reader.signals.exists("S-000001")
        await erase(sqlite_archive, ["S-000001"])
        begun = asyncio.get_running_loop().time()
        assert not await storage.scrub()
        assert asyncio.get_running_loop().time() - begun < 2, "nobody can write meanwhile"
        assert present(sqlite_archive, gone)
    assert await storage.scrub()
    assert present(sqlite_archive, gone) == 0


async def test_postgresql_sees_to_that_itself(archive: Archive) -> None:
    assert await archive.storage.scrub()


@pytest.mark.parametrize("table", [tag, notice, pair, disclosure], ids=lambda table: table.name)
async def test_nothing_that_hangs_on_a_signal_outlives_it(archive: Archive, table: Table) -> None:
    async with archive.storage.unit() as uow:
        mine = await place(uow, "S-000001")
        theirs = await place(uow, "S-000002", a_child("Lotte"), OTHER)
        await uow.pairs.decide(mine, theirs, Pairing.AUTO)
        await uow.pairs.disclose(mine, OTHER, "match")
    before = await archive.raw(select(table))
    await erase(archive, ["S-000001"])
    of_others = [row for row in before if mine.id not in row]
    assert of_others != before
    assert await archive.raw(select(table)) == of_others


async def test_who_took_part_is_kept_without_the_signal(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        mine = await place(uow, "S-000001")
        await uow.introductions.join(await uow.introductions.open("M-000001", uow.today), mine.owner, mine.id)
    await erase(archive, ["S-000001"])
    assert [row.signal_id for row in await archive.raw(select(participation.c.signal_id))] == [None]


async def test_an_erased_reference_is_free_again_and_finds_nothing(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await place(uow, "S-000001")
    await erase(archive, ["S-000001"])
    archive.now += timedelta(days=1)
    async with archive.storage.reading() as uow:
        assert not await uow.signals.exists("S-000001")
        assert await uow.signals.of_owner("@owner:localhost") == []
