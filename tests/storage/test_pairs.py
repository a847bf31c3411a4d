"""A thousand pairs of professionals signal the same child at the same moment: each pair is introduced, once.

The two of a pair work through a storage each, as in two processes: what keeps them apart is the database's own lock.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Row, Select, select

from domain.region import Region
from handlers.office import Message, Office, Proof
from handlers.people import admit_coordinators
from handlers.reception import receive
from storage.database import Storage
from storage.journal import Journal
from storage.keys import Keys
from storage.people import Person
from storage.schema import introduction, outbox, participation, room
from storage.unit import UnitOfWork
from storage.vault import Vault
from tests.storage.house import ANNA, START

PAIRS: Final = 1_000
AT_A_TIME: Final = 100
REGION: Final = Region(name="Smallingerland", coordinators=(ANNA,))


def who(pair: int, side: int) -> str:
    return f"@p{pair}.{side}:localhost"


@asynccontextmanager
async def two_storages(url: str, directory: Path) -> AsyncIterator[tuple[Storage, Storage]]:
    vault, journal = Vault(Keys.create(directory / "keys.json")), Journal.create(directory / "erased.journal")
    one, two = [await Storage.open(url, vault, lambda: START, journal) for _ in range(2)]
    try:
        yield one, two
    finally:
        await one.close()
        await two.close()


async def admit_all(storage: Storage) -> None:
    async with storage.unit() as uow:
        await admit_coordinators(Office(uow, REGION))
        works_at = [await uow.people.add_organisation(f"O-{side}", f"Org {side}", f"org {side}") for side in (0, 1)]
        for pair in range(PAIRS):
            for side in (0, 1):
                await uow.people.save_professional(
                    Person(
                        user_id=who(pair, side), coordinator=False, professional="active", language="nl",
                        organisation=works_at[side], full_name="Pim Pot", function="leraar", email="p@example.nl",
                        phone="0512 123456",
                    )
                )  # fmt: skip
        await uow.audit.write(ANNA, "professional.added")


async def hears(uow: UnitOfWork, pair: int, side: int, turn: int, text: str) -> None:
    """Somebody says something at their desk, and it is handled."""
    user_id = who(pair, side)
    position = (2 * pair + side) * 100 + turn * 10
    message = Message(
        event_id=f"${position}", position=position, sender=user_id, kind="text", body=text, proof=Proof.PROVEN
    )
    await receive(Office(uow, REGION), await uow.rooms.desk(user_id), message)


async def propose_all(storage: Storage) -> None:
    """Each of a pair is asked whether this is the child; the question stands in their desk's timeline."""
    for first in range(0, PAIRS, AT_A_TIME):
        async with storage.unit() as uow:
            for pair in range(first, min(first + AT_A_TIME, PAIRS)):
                for side in (0, 1):
                    child = f"{_letters(pair)}; Achterberg; {pair % 28 + 1:02}-{pair % 12 + 1:02}-2016; geen"
                    await hears(uow, pair, side, 1, f"signaal {child}")
                    desk = await uow.rooms.desk(who(pair, side))
                    letter = await uow.outbox.next(desk.id)
                    assert letter is not None
                    await uow.outbox.sent(letter.id, f"$card{letter.id}", 1)
                    await uow.outbox.seen((2 * pair + side) * 100 + 15, f"$card{letter.id}", letter.id)


def _letters(number: int) -> str:
    """A given name for each number, and no two that are alike."""
    return "Ka" + "".join(("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu")[int(d)] for d in f"{number:03}")


async def confirms(storage: Storage, pair: int, side: int) -> None:
    async with storage.unit() as uow:
        await hears(uow, pair, side, 2, "ja")


async def rows(storage: Storage, statement: Select[Any]) -> Sequence[Row[Any]]:
    async with storage.reading() as uow:
        return await uow._session.all(statement)


@pytest.mark.timeout(600)  # half a minute on SQLite, a minute on PostgreSQL, when the machine does nothing else
async def test_a_thousand_pairs_at_the_same_moment_are_introduced_once_each(database_url: str, tmp_path: Path) -> None:
    async with two_storages(database_url, tmp_path) as storages:
        await admit_all(storages[0])
        await propose_all(storages[0])
        for pair in range(PAIRS):
            await asyncio.gather(*(confirms(storages[(pair + side) % 2], pair, side) for side in (0, 1)))

        taking_part = await rows(storages[0], select(participation.c.introduction_id, participation.c.user_id))
        groups: dict[int, set[str]] = {}
        for row in taking_part:
            groups.setdefault(row.introduction_id, set()).add(row.user_id)
        assert len(taking_part) == 2 * PAIRS
        assert sorted(map(sorted, groups.values())) == sorted(
            sorted(who(pair, side) for side in (0, 1)) for pair in range(PAIRS)
        )
        assert len(await rows(storages[0], select(introduction.c.id))) == PAIRS
        everyone = {who(pair, side) for pair in range(PAIRS) for side in (0, 1)}
        for kind in ("signal.placed", "match.notice"):
            told = await rows(
                storages[0],
                select(room.c.owner).join(outbox, outbox.c.room_id == room.c.id).where(outbox.c.kind == kind),
            )
            assert Counter(row.owner for row in told) == dict.fromkeys(everyone, 1), kind
        async with storages[0].reading() as uow:
            await uow.audit.verify()
