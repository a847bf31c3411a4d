"""Who was involved before is seen once by each new party, and never again; they themselves hear nothing."""

from collections.abc import Awaitable, Callable

import pytest

from tests.storage.house import ANNA, FATIMA, JOOST, LIN, House
from tests.storage.test_handlers_life import BABY
from tests.storage.test_handlers_renewing import TWIN, others, renewed, told_of

Deed = Callable[[House, str], Awaitable[object]]


def seen(house: House, who: str = JOOST) -> int:
    return house.kinds(who).count("match.earlier")


async def restore(house: House, _ref: str) -> None:
    await house.answer(ANNA, f"professional schorsen {JOOST}")
    await house.answer(ANNA, f"professional herstellen {JOOST}")


async def renew(house: House, ref: str) -> None:
    await renewed(house, ref, JOOST)


async def place_anew(house: House, ref: str) -> None:
    await house.answer(JOOST, f"intrekken {ref} klaar")
    await house.place(JOOST, BABY)


async def decide_a_review(house: House, _ref: str) -> None:
    await house.place(LIN, TWIN)
    await house.look_closer()
    for ref in house.last(ANNA, "review.opened")["refs"]:
        await house.answer(ANNA, f"beoordelen {ref} ja")


DEEDS = [restore, renew, place_anew, decide_a_review]


@pytest.mark.parametrize("deed", DEEDS)
async def test_once_and_never_again(house: House, deed: Deed) -> None:
    first = await house.place(FATIMA, BABY)
    await house.answer(FATIMA, f"intrekken {first} klaar")
    heard = house.heard(FATIMA)
    ref = await house.place(JOOST, BABY)
    assert seen(house) == 1
    await deed(house, ref)
    await house.look_closer()
    assert seen(house) == 1
    assert house.heard(FATIMA) == heard
    assert [told for told, how in await told_of(house, first) if how == "earlier"].count(JOOST) == 1


@pytest.mark.parametrize("deed", DEEDS)
async def test_who_met_is_no_new_party_when_one_of_them_has_ended(house: House, deed: Deed) -> None:
    first = await house.place(FATIMA, BABY)
    ref = await house.place(JOOST, BABY)
    await house.answer(FATIMA, f"intrekken {first} klaar")
    await deed(house, ref)
    await house.look_closer()
    assert seen(house) == 0


@pytest.mark.parametrize("deed", DEEDS)
async def test_who_is_introduced_is_not_shown_as_earlier_too(house: House, deed: Deed) -> None:
    first = await house.place(FATIMA, BABY)
    await house.answer(FATIMA, f"intrekken {first} klaar")
    second = await house.place(FATIMA, BABY)
    ref = await house.place(JOOST, BABY)
    assert others(house.last(JOOST, "match.notice")) == {FATIMA}
    await house.answer(FATIMA, f"intrekken {second} klaar")
    await deed(house, ref)
    await house.look_closer()
    assert seen(house) == 0


async def test_of_several_that_ended_the_last_is_shown(house: House) -> None:
    for _ in range(2):
        await house.answer(FATIMA, f"intrekken {await house.place(FATIMA, BABY)} klaar")
        await house.pass_time(days=10)
    await house.place(JOOST, BABY)
    (who,) = house.last(JOOST, "match.earlier")["participants"]
    assert who["until"] == "2026-03-12"


async def test_inactive_never_matches_inactive_nor_hears_of_it(house: House) -> None:
    for who in (FATIMA, JOOST):
        await house.answer(who, f"intrekken {await house.place(who, BABY)} klaar")
    heard = house.heard(FATIMA), house.heard(JOOST)
    await house.place(LIN, BABY)
    assert others(house.last(LIN, "match.earlier")) == {FATIMA, JOOST}
    assert (house.heard(FATIMA), house.heard(JOOST)) == heard
