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
from handlers.cards import card
from handlers.dialogue import propose
from handlers.office import Message, Office, Proof, Talk
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
    """Everybody is admitted, and has been asked at their desk whether this is the child."""
    async with storage.unit() as uow:
        await admit_coordinators(Office(uow, REGION))
        works_at = [await uow.people.add_organisation(f"O-{side}", f"Org {side}", f"org {side}") for side in (0, 1)]
        await uow.audit.write(ANNA, "organisation.added")
    for first in range(0, PAIRS, AT_A_TIME):
        async with storage.unit() as uow:
            for pair in range(first, min(first + AT_A_TIME, PAIRS)):
                for side in (0, 1):
                    person = Person(
                        user_id=who(pair, side), coordinator=False, professional="active", language="nl",
                        organisation=works_at[side], full_name="Pim Pot", function="leraar", email="p@example.nl",
                        phone="0512 123456",
                    )  # fmt: skip
                    await uow.people.save_professional(person)
                    await _ask(uow, person, pair, side)
            await uow.audit.write(ANNA, "professional.added")


async def _ask(uow: UnitOfWork, person: Person, pair: int, side: int) -> None:
    """As after `signaal`; the question stands in the desk's timeline."""
    desk = await uow.rooms.desk(person.user_id)
    typed = {
        "given": _letters(pair), "surname": "Achterberg", "born": f"{pair % 28 + 1:02}-{pair % 12 + 1:02}-2016",
        "address": "geen",
    }  # fmt: skip
    talk = Talk(Office(uow, REGION), person, _said(pair, side, 1, "signaal"), desk.id, values=typed)
    await propose(talk, "signal", card("signal.proposed"))
    assert talk.answer_id is not None
    event_id = f"$card{talk.answer_id}"
    await uow.outbox.sent(talk.answer_id, event_id, 1)
    await uow.outbox.seen(talk.message.position + 1, event_id, talk.answer_id)


def _said(pair: int, side: int, turn: int, text: str) -> Message:
    position = (2 * pair + side) * 100 + turn * 10
    return Message(
        event_id=f"${position}", position=position, sender=who(pair, side), kind="text", body=text, proof=Proof.PROVEN
    )


def _letters(number: int) -> str:
    """A given name for each number, and no two that are alike."""
    return "Ka" + "".join(("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu")[int(d)] for d in f"{number:03}")


async def confirms(storage: Storage, pair: int, side: int) -> None:
    """What the bot does with a message, in its one unit of work."""
    async with storage.unit() as uow:
        desk = await uow.rooms.desk(who(pair, side))
        await receive(Office(uow, REGION), desk, _said(pair, side, 2, "ja"))


async def rows(storage: Storage, statement: Select[Any]) -> Sequence[Row[Any]]:
    async with storage.reading() as uow:
        return await uow._session.all(statement)


@pytest.mark.timeout(600)  # half a minute on SQLite, a minute on PostgreSQL, when the machine does nothing else
async def test_a_thousand_pairs_at_the_same_moment_are_introduced_once_each(database_url: str, tmp_path: Path) -> None:
    async with two_storages(database_url, tmp_path) as storages:
        await admit_all(storages[0])
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
