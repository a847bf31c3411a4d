"""Who is brought together with whom, and who is not."""

from pathlib import Path

import pytest

from handlers.office import Office
from handlers.presence import saw
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, Card, House, open_house

EVA = "@eva:localhost"


def others(card: Card) -> set[str]:
    return {who["user_id"] for who in card["participants"]}


def introduced(house: House) -> bool:
    return any("match.notice" in house.kinds(who) for who in (FATIMA, JOOST, LIN))


@pytest.mark.parametrize(
    "same",
    [
        "signaal SANNE; DE VRIES; 2015-03-14; 1011 AB 1",
        "signaal sanne; Vries, de; 14 maart 2015; geen",
        "signaal Sânne; de-Vries; 14/3/2015; 9203 ZX 95a",
    ],
)
async def test_certain_whatever_the_spelling_and_wherever_the_child_lives(house: House, same: str) -> None:
    await house.place(FATIMA)
    await house.place(JOOST, same)
    assert others(house.last(FATIMA, "match.notice")) == {JOOST}
    assert others(house.last(JOOST, "match.notice")) == {FATIMA}


@pytest.mark.parametrize(
    "same",
    [
        "signaal Sanne Maria; de Vries; 14-03-2015; 9203 ZX 95a",
        "signaal Sanne; Vries; 14-03-2015; 9203 ZX 95a",
        "signaal Sanne; Bakker-de Vries; 14-03-2015; 9203 ZX 95a",
        "signaal Sanne; de Vries; 15-03-2015; 9203 ZX 95a",
        "signaal Sanne; de Vreis; 14-03-2015; 9203 ZX 95-A",
    ],
)
async def test_certain_also_where_one_of_them_was_mistaken(house: House, same: str) -> None:
    await house.place(FATIMA)
    await house.place(JOOST, same)
    assert introduced(house)


@pytest.mark.parametrize(
    "another",
    [
        "signaal Tim; de Vries; 14-03-2015; 9203 ZX 95a",  # a twin
        "signaal Tim; de Vries; 02-05-2017; 9203 ZX 95a",  # a brother
        "signaal Sanne; Jansen; 02-05-2017; 1011 AB 1",  # who has the name in common
    ],
)
async def test_another_child_is_another_child(house: House, another: str) -> None:
    await house.place(FATIMA)
    await house.place(JOOST, another)
    await house.pass_time(seconds=5)
    assert not introduced(house)
    assert "review.opened" not in house.kinds(ANNA)


async def test_secret_keeps_no_address_and_matches_nobody(house: House) -> None:
    secret = "signaal Sanne; de Vries; 14-03-2015; geheim"
    proposed = await house.answer(FATIMA, secret)
    assert "geheim adres" in proposed["body"]
    ref = (await house.answer(FATIMA, "ja"))["ref"]
    async with house.storage.unit() as uow:
        kept = await uow.signals.owned(FATIMA, ref)
        assert kept is not None
        address = kept.child.address
    assert (address.kind, address.postcode, address.number, address.suffix) == ("secret", "", 0, "")
    await house.place(JOOST, secret)
    await house.place(LIN)
    assert not introduced(house)


async def test_a_third_learns_of_all_and_all_learn_of_the_third(house: House) -> None:
    for who in (FATIMA, JOOST, LIN):
        await house.place(who)
    assert others(house.last(LIN, "match.notice")) == {FATIMA, JOOST}
    for known, other in ((FATIMA, "Joost Dijkstra"), (JOOST, "Fatima Bouali")):
        assert LIN in others(house.last(known, "match.notice"))
        newest = house.cards[known][-1]["body"]
        assert "Lin Tan" in newest
        assert other not in newest  # was read before
    assert len({house.last(who, "match.notice")["ref"] for who in (FATIMA, JOOST, LIN)}) == 1
    assert await house.wanted_in() == {FATIMA, JOOST, LIN}


async def test_the_notice_needs_no_room(house: House) -> None:
    await house.place(FATIMA)
    cards = await house.answer_all(JOOST, SANNE, "ja")
    assert [card["wenk"]["kind"] for card in cards if card["room"].owner == FATIMA] == ["match.notice"]


async def test_one_card_when_all_have_come_and_one_for_each_who_comes_later(house: House) -> None:
    await house.place(FATIMA)
    await house.place(JOOST)
    assert await house.enter(FATIMA) == []  # waits a moment for the other
    assert [card["wenk"]["kind"] for card in await house.enter(JOOST)] == ["match.introduction"]
    assert await house.enter(JOOST) == []  # seen before
    async with house.storage.unit() as uow:
        room = await uow.rooms.of_introduction(1)
        await saw(Office(uow, house.region), room, JOOST, "leave")
    assert await house.enter(JOOST) == []  # out and in again is no news
    await house.place(LIN)
    kinds = [card["wenk"]["kind"] for card in await house.enter(LIN)]
    assert kinds == ["match.joined", "match.introduction"]
    shown = house.last("M1", "match.introduction")
    assert shown["ref"] == house.last(LIN, "match.notice")["ref"]
    assert {frozenset(who) for who in shown["participants"]} == {
        frozenset({"user_id", "name", "organisation", "function", "email", "phone"})
    }


async def test_who_comes_alone_gets_the_card_after_a_moment(house: House) -> None:
    await house.place(FATIMA)
    await house.place(JOOST)
    assert await house.enter(FATIMA) == []
    cards = await house.pass_time(seconds=5)
    assert [card["wenk"]["kind"] for card in cards if card["room"].introduction_id] == ["match.introduction"]


async def test_several_children_have_an_introduction_each(house: House) -> None:
    tim = "signaal Tim; de Vries; 14-03-2015; 9203 ZX 95a"
    for who in (FATIMA, JOOST):
        await house.place(who)
        await house.place(who, tim)
    matches = (await house.answer(FATIMA, "matches"))["matches"]
    assert len({match["ref"] for match in matches}) == 2
    assert len({match["signal"] for match in matches}) == 2
    assert [others(match) for match in matches] == [{JOOST}, {JOOST}]
    assert await house.wanted_in(1) == await house.wanted_in(2) == {FATIMA, JOOST}


async def test_one_professional_is_never_matched_with_themselves(house: House) -> None:
    ref = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {ref} klaar")
    await house.place(FATIMA)
    assert "match.earlier" not in house.kinds(FATIMA)
    assert "match.notice" not in house.kinds(FATIMA)


@pytest.mark.parametrize(("different", "met"), [(True, False), (False, True)])
async def test_a_region_may_demand_two_organisations(
    database_url: str, tmp_path: Path, different: bool, met: bool  # noqa: FBT001 (parameters of the test)
) -> None:  # fmt: skip
    async with open_house(database_url, tmp_path, different_organisations=different) as house:
        await house.answer(ANNA, f"professional toevoegen {EVA}; De Wilgen; Eva Smit; leraar; e@wilgen.nl; 0512 654321")
        await house.place(FATIMA)
        await house.place(EVA)
        assert ("match.notice" in house.kinds(EVA)) is met
        await house.place(JOOST)
        assert others(house.last(JOOST, "match.notice")) >= {FATIMA}


async def test_own_matches_are_listed_to_their_own(house: House) -> None:
    assert (await house.answer(FATIMA, "matches"))["matches"] == []
    ref = await house.place(FATIMA)
    await house.place(JOOST)
    (match,) = (await house.answer(FATIMA, "!matches"))["matches"]
    assert match["signal"] == ref
    assert others(match) == {JOOST}
    assert (await house.answer(LIN, "matches"))["matches"] == []
    assert (await house.audited())[-1] == "match.listed"


async def test_nobody_reads_to_call_by_a_day_that_has_passed(house: House) -> None:
    await house.place(FATIMA)
    await house.place(JOOST)
    for days, said in ((10, "Bel elkaar uiterlijk 12 maart 2026."), (1, "Nog niet gebeld? Bel vandaag.")):
        await house.pass_time(days=days)
        assert said in (await house.answer(FATIMA, "matches"))["body"]


async def test_commands_in_an_introduction_are_sent_to_the_desk(house: House) -> None:
    await house.place(FATIMA)
    await house.place(JOOST)
    await house.enter(FATIMA)
    (answer,) = await house.speak_in(FATIMA, "!signalen")
    assert (answer["wenk"]["code"], answer["wenk"]["re"]) == ("unknown_command", house.last_event)
    assert await house.speak_in(LIN, "!signalen") == []


async def test_the_family_is_to_be_told_first(house: House) -> None:
    await house.place(FATIMA)
    await house.place(JOOST)
    assert "eerst aan het gezin" in house.cards[JOOST][-1]["body"]


async def test_a_twin_who_goes_by_the_name_of_the_other_is_asked_about(house: House) -> None:
    """Beside Olivia and her sister Pim Olivia nobody knows who is meant, not even where the name agrees exactly."""
    await house.place(FATIMA, "signaal Olivia; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.place(FATIMA, "signaal Pim Olivia; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.place(JOOST, "signaal Olivia; de Vries; 14-03-2015; 9203 ZX 95a")
    assert not introduced(house)
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 2
