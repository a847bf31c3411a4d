"""Withdrawing a signal, and what it does to an introduction."""

from datetime import timedelta

import pytest

from bot.demo.cast import in_words
from domain.calendar import day_of
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, House

REASONS = (("klaar", "done"), ("done", "done"), ("fout", "mistake"), ("mistake", "mistake"), ("overleden", "deceased"))


async def met(house: House, *people: str) -> dict[str, str]:
    """Their signals on one child, all of them in the introduction."""
    refs = {who: await house.place(who) for who in people}
    for who in people:
        await house.enter(who)
    return refs


async def room_state(house: House) -> str:
    async with house.storage.unit() as uow:
        return (await uow.rooms.of_introduction(1)).state


@pytest.mark.parametrize(("word", "event"), REASONS)
async def test_withdrawing_answers_at_once(house: House, word: str, event: str) -> None:
    ref = await house.place(FATIMA)
    answer = await house.answer(FATIMA, f"intrekken {ref.lower()} {word}")
    assert (answer["kind"], answer["ref"]) == ("signal.withdrawn", ref)
    assert f"signal.{event}" in await house.audited()
    listed = (await house.answer(FATIMA, "signalen"))["signals"]
    assert [one["state"] for one in listed] == (["inactive"] if event == "done" else [])


async def test_reference_and_reason_are_asked_for(house: House) -> None:
    ref = await house.place(FATIMA)
    assert (await house.answer(FATIMA, "intrekken"))["field"] == "ref"
    assert (await house.answer(FATIMA, "geen idee"))["field"] == "ref"
    assert (await house.answer(FATIMA, ref))["field"] == "reason"
    refused = await house.answer(FATIMA, "zomaar")
    assert (refused["code"], refused["field"]) == ("bad_input", "reason")
    assert (await house.answer(FATIMA, "klaar"))["kind"] == "signal.withdrawn"


async def test_somebody_elses_reference_is_not_found(house: House) -> None:
    ref = await house.place(FATIMA)
    theirs = await house.answer(JOOST, f"intrekken {ref} fout")
    nobodys = await house.answer(JOOST, "intrekken S-000000 fout")
    assert (theirs["kind"], theirs["code"]) == ("error", "not_found")
    assert {**theirs, "id": "", "re": ""} == {**nobodys, "id": "", "re": ""}
    assert [one["ref"] for one in (await house.answer(FATIMA, "signalen"))["signals"]] == [ref]


async def test_what_ended_cannot_end_again_but_can_be_erased(house: House) -> None:
    ref = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {ref} klaar")
    assert (await house.answer(FATIMA, f"intrekken {ref} klaar"))["code"] == "not_allowed"
    assert (await house.answer(FATIMA, f"intrekken {ref} fout"))["kind"] == "signal.withdrawn"
    assert (await house.answer(FATIMA, f"intrekken {ref} fout"))["code"] == "not_found"


async def test_done_leaves_the_room_which_closes_after_the_regions_term(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} klaar")
    assert house.last("M1", "match.left")["user_id"] == FATIMA
    assert await house.wanted_in() == {JOOST}
    before = house.heard(JOOST)
    await house.pass_time(days=29)
    assert "match.closed" not in house.kinds("M1")
    await house.pass_time(days=1)
    assert house.kinds("M1").count("match.closed") == 1
    assert house.kinds(JOOST)[before:].count("match.closed") == 1
    assert "match.closed" not in house.kinds(FATIMA)
    assert await house.wanted_in() == set()
    assert await room_state(house) == "closing"
    await house.pass_time(days=60)
    assert house.kinds("M1").count("match.closed") == 1


async def test_the_last_to_leave_does_not_lengthen_the_term(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} klaar")
    await house.pass_time(days=20)
    await house.answer(JOOST, f"intrekken {refs[JOOST]} klaar")
    await house.pass_time(days=10)
    assert house.kinds("M1").count("match.closed") == 1


@pytest.mark.parametrize("reason", ["fout", "overleden"])
async def test_a_mistake_or_a_death_closes_at_once(house: House, reason: str) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} {reason}")
    assert house.last("M1", "match.closed")["user_id"] == FATIMA
    assert "match.closed" not in house.kinds(FATIMA)
    assert house.last(JOOST, "match.closed")["ref"] == house.last(JOOST, "match.notice")["ref"]
    assert await room_state(house) == "closing"
    assert (await house.answer(JOOST, "matches"))["matches"] == []


@pytest.mark.parametrize("reason", ["klaar", "fout", "overleden"])
async def test_two_who_remain_go_on(house: House, reason: str) -> None:
    refs = await met(house, FATIMA, JOOST, LIN)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} {reason}")
    assert house.last("M1", "match.left")["user_id"] == FATIMA
    await house.pass_time(days=100)
    assert "match.closed" not in house.kinds("M1")
    assert await house.wanted_in() == {JOOST, LIN}


async def test_a_mistake_after_a_disclosure_is_reported(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} fout")
    alarm = house.last(ANNA, "alarm")
    assert (alarm["code"], alarm["user_id"]) == ("mistake_after_disclosure", FATIMA)
    told = house.last(JOOST, "match.mistake")
    assert (told["signal"], told["user_id"]) == (refs[JOOST], FATIMA)
    assert house.kinds(JOOST).count("match.mistake") == 1


async def test_a_mistake_after_seeing_who_was_involved_before_is_reported_too(house: House) -> None:
    first = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {first} klaar")
    second = await house.place(JOOST)
    await house.answer(JOOST, f"intrekken {second} fout")
    assert house.last(ANNA, "alarm")["code"] == "mistake_after_disclosure"
    assert house.last(FATIMA, "match.mistake")["user_id"] == JOOST


async def test_a_death_after_a_disclosure_is_reported_to_the_coordinators_only(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} overleden")
    alarm = house.last(ANNA, "alarm")
    assert (alarm["code"], alarm["user_id"]) == ("deceased_after_disclosure", FATIMA)
    assert "match.mistake" not in house.kinds(JOOST)


async def test_who_is_done_is_not_reported(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} klaar")
    assert "alarm" not in house.kinds(ANNA)
    assert "match.mistake" not in house.kinds(JOOST)


async def test_a_mistake_that_learned_nothing_is_not_reported(house: House) -> None:
    ref = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {ref} fout")
    assert "alarm" not in house.kinds(ANNA)


async def test_who_comes_back_joins_the_room_that_is_still_open(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} klaar")
    await house.place(FATIMA)
    assert house.last(FATIMA, "match.notice")["ref"] == house.last(JOOST, "match.notice")["ref"]
    assert await house.wanted_in() == {FATIMA, JOOST}
    # She never was out of it: nobody had seen to that yet, and nobody is to wait for an invitation.
    assert not any("uitnodiging" in house.cards[who][-1]["body"] for who in (FATIMA, JOOST))
    await house.pass_time(days=100)
    assert "match.closed" not in house.kinds("M1")


async def test_who_comes_later_has_the_whole_term_to_call_and_who_is_there_needs_no_invitation(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(JOOST, f"intrekken {refs[JOOST]} klaar")
    await house.pass_time(days=29)
    await house.place(LIN)
    by = day_of(house.now) + timedelta(days=10)
    assert [house.last(who, "match.notice")["call_by"] for who in (FATIMA, LIN)] == [by.isoformat()] * 2
    for who, invited in ((FATIMA, False), (LIN, True)):
        notice = next(card["body"] for card in reversed(house.cards[who]) if card["wenk"]["kind"] == "match.notice")
        assert ("uitnodiging" in notice) is invited
    await house.enter(LIN)
    assert in_words(by) in house.cards["M1"][-1]["body"]


async def test_after_it_closed_the_next_one_begins_a_new_introduction(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} klaar")
    await house.until(house.now + timedelta(days=31))
    await house.place(LIN)
    assert house.last(LIN, "match.notice")["ref"] != house.last(FATIMA, "match.notice")["ref"]
    assert {who["user_id"] for who in house.last(LIN, "match.notice")["participants"]} == {JOOST}


async def test_inactive_is_seen_once_by_each_new_party_and_its_owner_hears_nothing(house: House) -> None:
    first = await house.place(FATIMA)
    await house.pass_time(days=10)
    await house.answer(FATIMA, f"intrekken {first} klaar")
    heard, ended = house.heard(FATIMA), day_of(house.now)
    await house.pass_time(days=5)
    cards = await house.answer_all(JOOST, SANNE, "ja")
    assert [card["wenk"]["kind"] for card in cards] == ["signal.placed", "match.earlier"]
    earlier = house.last(JOOST, "match.earlier")
    assert earlier["signal"] == cards[0]["wenk"]["ref"]
    assert "re" not in earlier
    (who,) = earlier["participants"]
    assert (who["user_id"], who["until"], who["phone"]) == (FATIMA, ended.isoformat(), "0512 123456")
    await house.answer(JOOST, f"intrekken {cards[0]['wenk']['ref']} klaar")
    await house.place(JOOST)
    assert house.kinds(JOOST).count("match.earlier") == 1
    await house.place(LIN)
    assert house.kinds(LIN).count("match.earlier") == 1
    assert house.heard(FATIMA) == heard
    assert await house.wanted_in() == {JOOST, LIN}
    assert (await house.answer(FATIMA, "matches"))["matches"] == []


async def test_inactive_never_matches_inactive(house: House) -> None:
    first = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {first} klaar")
    second = await house.place(JOOST)
    await house.answer(JOOST, f"intrekken {second} klaar")
    heard = house.heard(FATIMA), house.heard(JOOST)
    await house.pass_time(days=365)
    assert (house.heard(FATIMA), house.heard(JOOST)) == heard
    earlier = (await house.answer_all(LIN, SANNE, "ja"))[1]["wenk"]
    assert {who["user_id"] for who in earlier["participants"]} == {FATIMA, JOOST}


async def test_erased_is_seen_by_nobody(house: House) -> None:
    first = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {first} fout")
    await house.place(JOOST)
    assert "match.earlier" not in house.kinds(JOOST)
    assert "match.notice" not in house.kinds(JOOST)


@pytest.mark.parametrize("reason", ["fout", "overleden"])
async def test_what_is_erased_is_not_remembered_for_a_brother_or_sister(house: House, reason: str) -> None:
    ref = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {ref} {reason}")
    assert (await house.answer(FATIMA, "nog een Tim; 14-03-2017"))["code"] == "expired"
    async with house.storage.reading() as uow:
        assert await uow.questions.get(FATIMA, "family") is None
