"""Questions: one per desk, for an hour, and after that not even their words."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from storage.questions import Open
from storage.schema import question
from tests.storage.archive import OTHER, OWNER, Archive

HOUR = timedelta(hours=1)


@pytest.fixture
async def asked(archive: Archive) -> Archive:
    async with archive.storage.unit() as uow:
        await uow.questions.put(OWNER, "question", "card 1", b"Sanne")
    return archive


async def current(archive: Archive, user_id: str = OWNER, slot: str = "question") -> Open | None:
    async with archive.storage.reading() as uow:
        return await uow.questions.get(user_id, slot)


async def sealed(archive: Archive) -> list[bool]:
    return [row.sealed is not None for row in await archive.raw(select(question.c.sealed))]


async def test_a_question_survives_a_restart(asked: Archive) -> None:
    again = await asked.open_another()
    async with again.reading() as uow:
        assert await uow.questions.get(OWNER, "question") == Open("card 1", b"Sanne")
    await again.close()
    assert await current(asked, OTHER) is None
    assert await current(asked, slot="family") is None


async def test_a_new_question_takes_the_place_of_the_old(asked: Archive) -> None:
    async with asked.storage.unit() as uow:
        await uow.questions.put(OWNER, "question", "card 2", b"Lotte")
        await uow.questions.put(OWNER, "family", "card 3", b"de Vries")
    assert await current(asked) == Open("card 2", b"Lotte")
    assert await current(asked, slot="family") == Open("card 3", b"de Vries")


@pytest.mark.parametrize(("after", "state"), [(HOUR - timedelta(milliseconds=1), b"Sanne"), (HOUR, None)])
async def test_it_counts_for_an_hour_whether_swept_or_not(
    asked: Archive, after: timedelta, state: bytes | None
) -> None:
    asked.now += after
    assert await current(asked) == Open("card 1", state)
    async with asked.storage.unit() as uow:
        assert await uow.questions.drop(OWNER, "question") is (state is not None)
        assert not await uow.questions.drop(OWNER, "question")
    assert await current(asked) is None
    assert await sealed(asked) == []


async def test_its_words_are_gone_after_the_hour(asked: Archive) -> None:
    asked.now += HOUR - timedelta(milliseconds=1)
    async with asked.storage.unit() as uow:
        assert await uow.questions.lapse() == 0
    assert await sealed(asked) == [True]
    asked.now += timedelta(milliseconds=1)
    async with asked.storage.unit() as uow:
        assert await uow.questions.lapse() == 1
        assert await uow.questions.lapse() == 0
    assert await sealed(asked) == [False]
    assert await current(asked) == Open("card 1", None), "that there was one is still known, to say that it expired"
