"""It was another child after all: who was introduced wrongly is parted, and what was written is emptied."""

import pytest

from handlers.office import Proof
from storage.rooms import Room
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, House
from tests.storage.test_handlers_leaving import met, room_state


async def room(house: House) -> Room:
    async with house.storage.reading() as uow:
        return await uow.rooms.of_introduction(1)


@pytest.mark.parametrize("word", ["!anderkind", "!notsame", "!AnderKind echt waar"])
async def test_who_has_another_child_leaves_and_is_answered_at_the_desk(house: House, word: str) -> None:
    refs = await met(house, FATIMA, JOOST, LIN)
    match = house.last(FATIMA, "match.notice")["ref"]
    heard = house.heard(JOOST), house.heard(LIN)
    await house.speak_in(FATIMA, word)
    answer = house.last(FATIMA, "match.notsame")
    assert (answer["ref"], answer["signal"], answer["re"]) == (match, refs[FATIMA], house.last_event)
    assert "match.notsame" not in house.kinds("M1")
    assert await house.wanted_in() == {JOOST, LIN}
    assert (house.heard(JOOST), house.heard(LIN)) == heard
    assert "introduction.other_child" in await house.audited()
    assert (await house.answer(FATIMA, "matches"))["matches"] == []


async def test_the_others_go_on_in_an_emptied_room(house: House) -> None:
    await met(house, FATIMA, JOOST, LIN)
    before = [card["event_id"] for card in house.cards["M1"]]
    async with house.storage.unit() as uow:
        await uow.rooms.created((await uow.rooms.of_introduction(1)).id, "!made:localhost")
    await house.speak_in(FATIMA, "!anderkind")
    until = (await room(house)).empty_until
    assert until is not None
    async with house.storage.unit() as uow:
        number = (await uow.rooms.of_introduction(1)).id
        assert number in await uow.rooms.unsettled()
        await uow.rooms.emptied(number, until - 1)
    assert (await room(house)).empty_until == until, "asked for again meanwhile"
    assert set(before) <= set(house.redacted)
    left, introduction = [card["wenk"] for card in house.cards["M1"][len(before) :]]
    assert (left["kind"], left["user_id"]) == ("match.left", FATIMA)
    assert introduction["kind"] == "match.introduction"
    assert {who["user_id"] for who in introduction["participants"]} == {JOOST, LIN}
    assert not {card["event_id"] for card in house.cards["M1"][len(before) :]} & set(house.redacted)
    async with house.storage.unit() as uow:
        await uow.rooms.emptied((await room(house)).id, until)
    assert (await room(house)).empty_until is None
    assert await room_state(house) == "open"


async def test_what_was_still_to_be_said_is_not_said(house: House) -> None:
    """The card waits for those who are on their way; the new one names who remains."""
    for who in (FATIMA, JOOST, LIN):
        await house.place(who)
    await house.enter(FATIMA)
    assert "match.introduction" not in house.kinds("M1"), "it waits"
    await house.enter(JOOST)
    await house.speak_in(FATIMA, "!anderkind")
    await house.pass_time(seconds=10)
    assert house.kinds("M1") == ["match.left", "match.introduction"]
    assert {who["user_id"] for who in house.last("M1", "match.introduction")["participants"]} == {JOOST, LIN}


async def test_what_is_on_its_way_just_then_is_emptied_once_it_stands(house: House) -> None:
    for who in (FATIMA, JOOST, LIN):
        await house.place(who)
    await house.enter(FATIMA)
    async with house.storage.unit() as uow:
        going = await uow.outbox.pending_card((await uow.rooms.of_introduction(1)).id, "match.introduction")
    assert going is not None
    await house.speak_in(FATIMA, "!anderkind")
    async with house.storage.unit() as uow:
        await uow.outbox.sent(going, "$late", 1)
        assert "$late" not in await uow.clearing.standing((await uow.rooms.of_introduction(1)).id)
    await house.pass_time(minutes=1)
    assert "$late" in house.redacted


async def test_fewer_than_two_do_not_go_on(house: House) -> None:
    await met(house, FATIMA, JOOST)
    await house.speak_in(FATIMA, "!anderkind")
    assert await room_state(house) == "closing"
    assert house.last("M1", "match.closed")["user_id"] == FATIMA
    assert house.kinds(JOOST)[-1] == "match.closed"
    assert "ander kind" in house.cards[JOOST][-1]["body"]
    assert "match.closed" not in house.kinds(FATIMA)
    assert await house.wanted_in() == set()


async def test_the_coordinators_hear_that_it_may_be_a_data_breach(house: House) -> None:
    await met(house, FATIMA, JOOST)
    await house.speak_in(FATIMA, "!anderkind")
    alarm = house.last(ANNA, "alarm")
    assert (alarm["code"], alarm["user_id"]) == ("other_child", FATIMA)
    assert alarm["ref"] == house.last(FATIMA, "match.notsame")["ref"]
    assert "72 uur" in next(card["body"] for card in reversed(house.cards[ANNA]) if card["wenk"]["kind"] == "alarm")


async def test_they_never_meet_again_and_nobody_is_asked(house: House) -> None:
    await met(house, FATIMA, JOOST)
    await house.speak_in(FATIMA, "!anderkind")
    for who in (FATIMA, JOOST):
        await house.answer(ANNA, f"professional schorsen {who}")
        await house.answer(ANNA, f"professional herstellen {who}")
    await house.pass_time(days=3)
    assert [house.kinds(who).count("match.notice") for who in (FATIMA, JOOST)] == [1, 1]
    assert "review.opened" not in house.kinds(ANNA)
    async with house.storage.reading() as uow:
        (signal,) = await uow.signals.of_owner(FATIMA)
        assert [str(pairing) for pairing in (await uow.pairs.decided(signal)).values()] == ["refused"]


async def test_who_waited_for_one_of_them_is_taken_up(house: House) -> None:
    """Lin is surely Fatima's and perhaps Joost's, who are together; then they are not any more."""
    await house.place(FATIMA, "signaal Johannes; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.place(JOOST, "signaal Jan; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.place(LIN, "signaal Hans; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.look_closer()
    assert "match.notice" not in house.kinds(LIN)
    await house.speak_in(JOOST, "!anderkind")
    await house.look_closer()
    assert {who["user_id"] for who in house.last(LIN, "match.notice")["participants"]} == {FATIMA}


async def test_who_is_silent_and_was_the_same_as_both_is_asked_about(house: House) -> None:
    """Lin's child was surely that of both, who turn out to have two: which of them hers is, a coordinator says."""
    hers = await house.place(LIN)
    await house.answer(ANNA, f"professional schorsen {LIN}")
    await met(house, FATIMA, JOOST)
    await house.speak_in(FATIMA, "!anderkind")
    assert "review.opened" not in house.kinds(ANNA)
    await house.look_closer()
    waiting = (await house.answer(ANNA, "beoordelen"))["refs"]
    assert len(waiting) == 2
    await house.answer(ANNA, f"professional herstellen {LIN}")
    await house.pass_time(days=1)
    assert "match.notice" not in house.kinds(LIN)
    async with house.storage.reading() as uow:
        signal = await uow.signals.by_ref(hers)
        assert signal is not None
        (fatima,) = await uow.signals.of_owner(FATIMA)
        about = {ref: await uow.reviews.get(ref) for ref in waiting}
    for ref, review in about.items():
        assert review is not None
        assert signal.id in {review.low, review.high}
        await house.answer(ANNA, f"beoordelen {ref} {'nee' if fatima.id in {review.low, review.high} else 'ja'}")
    await house.look_closer()
    assert {who["user_id"] for who in house.last(LIN, "match.notice")["participants"]} == {JOOST}
    assert house.kinds(LIN).count("match.notice") == 1


@pytest.mark.parametrize("proof", [proof for proof in Proof if proof is not Proof.PROVEN])
async def test_what_is_not_proven_parts_nobody(house: House, proof: Proof) -> None:
    await met(house, FATIMA, JOOST)
    (refused,) = await house.speak_in(FATIMA, "!anderkind", proof)
    assert refused["wenk"]["kind"] == "error"
    assert await house.wanted_in() == {FATIMA, JOOST}


async def test_who_left_is_not_heard(house: House) -> None:
    refs = await met(house, FATIMA, JOOST, LIN)
    await house.answer(FATIMA, f"intrekken {refs[FATIMA]} klaar")
    assert await house.speak_in(FATIMA, "!anderkind") == []
    assert await house.wanted_in() == {JOOST, LIN}


async def test_help_in_the_room_shows_what_can_be_said_there(house: House) -> None:
    await met(house, FATIMA, JOOST)
    (shown,) = await house.speak_in(FATIMA, "!help")
    assert (shown["wenk"]["kind"], shown["wenk"]["re"]) == ("help", house.last_event)
    assert "!anderkind" in shown["body"]
    assert "signaal" not in shown["body"]
