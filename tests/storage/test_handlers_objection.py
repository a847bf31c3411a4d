"""An objection: the signal falls silent, its dates run on, and what is decided is done once."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta

import pytest

from domain.calendar import day_of
from domain.life import NotPossible
from handlers.objection import freeze, resume, uphold
from handlers.office import Office
from storage.signals import Signal
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, Card, House
from tests.storage.test_handlers_life import BABY, day, states
from tests.storage.test_handlers_reminding import asked
from tests.storage.test_handlers_renewing import others, told_of

Deed = Callable[[Office, Signal, str], Awaitable[object]]


async def decided(house: House, deed: Deed, ref: str) -> list[Card]:
    """Freeze, resume or uphold, by Anna; the cards that it made."""
    async with house.storage.unit() as uow:
        signal = await uow.signals.by_ref(ref)
        assert signal is not None
        await deed(Office(uow, house.region), signal, ANNA)
    return await house.deliver()


def kinds(cards: list[Card]) -> dict[str, list[str]]:
    """What stands where: by owner of the desk, or `room`."""
    found: dict[str, list[str]] = {}
    for card in cards:
        found.setdefault(card["room"].owner or "room", []).append(card["wenk"]["kind"])
    return found


async def matched(house: House) -> str:
    """Fatima and Joost are in an introduction; Fatima's reference."""
    ref = await house.place(FATIMA, BABY)
    await house.place(JOOST, BABY)
    for who in (FATIMA, JOOST):
        await house.enter(who)
    return ref


async def test_the_others_see_that_it_is_silent_and_not_why(house: House) -> None:
    ref = await matched(house)
    cards = await decided(house, freeze, ref)
    assert kinds(cards) == {"room": ["match.paused"], FATIMA: ["signal.frozen"]}
    paused = house.last("M1", "match.paused")
    assert (paused["ref"], paused["user_id"]) == (house.last(JOOST, "match.notice")["ref"], FATIMA)
    told = next(card for card in cards if card["room"].introduction_id)
    assert "tijdelijk stil" in told["body"]
    assert not [word for word in ("verzet", "S-", "Sanne", "Vries") if word in told["body"] + told["formatted_body"]]
    listed = await house.answer(JOOST, "matches")
    assert "Fatima Bouali doet ook mee, maar is tijdelijk stil" in listed["body"]
    assert others(listed["matches"][0]) == set()
    assert await house.wanted_in() == {FATIMA, JOOST}
    assert await states(house) == ["frozen"]
    with pytest.raises(NotPossible):
        await decided(house, freeze, ref)


async def test_nothing_is_matched_or_sent_to_its_owner_while_it_is_silent(house: House) -> None:
    ref = await matched(house)
    await decided(house, freeze, ref)
    heard = house.heard(FATIMA)
    cards = await house.answer_all(LIN, BABY, "ja")
    assert kinds(cards) == {LIN: ["signal.placed", "match.notice"], JOOST: ["match.notice"]}
    notice = next(card for card in cards if card["wenk"]["kind"] == "match.notice" and card["room"].owner == LIN)
    assert others(notice["wenk"]) == {JOOST}
    assert "Fatima Bouali doet ook mee, maar is tijdelijk stil" in notice["body"]
    assert "Bouali, begeleider" not in notice["body"]
    assert others(house.last(JOOST, "match.notice")) == {LIN}
    cards = await house.enter(LIN)
    shown = next(card for card in cards if card["wenk"]["kind"] == "match.introduction")
    assert others(shown["wenk"]) == {JOOST, LIN}
    assert house.heard(FATIMA) == heard
    # Nor does she read of a newcomer by asking.
    assert others((await house.answer(FATIMA, "matches"))["matches"][0]) == {JOOST}
    assert await told_of(house, ref) == [(JOOST, "match"), (LIN, "silent")]
    assert (await house.answer(FATIMA, f"verlengen {ref}"))["code"] == "not_allowed"


async def test_rejected_it_is_matched_anew_and_who_came_meanwhile_is_met(house: House) -> None:
    ref = await matched(house)
    await decided(house, freeze, ref)
    await house.place(LIN, BABY)
    await house.pass_time(days=20)
    cards = await decided(house, resume, ref)
    assert kinds(cards) == {
        "room": ["match.resumed"], FATIMA: ["signal.resumed", "match.notice"], LIN: ["match.notice"],
    }  # fmt: skip
    assert others(house.last(FATIMA, "match.notice")) == {JOOST, LIN}
    assert others(house.last(LIN, "match.notice")) == {FATIMA, JOOST}
    by = (day_of(house.now) + timedelta(days=10)).isoformat()
    assert [house.last(who, "match.notice")["call_by"] for who in (FATIMA, LIN)] == [by, by]
    assert others((await house.answer(JOOST, "matches"))["matches"][0]) == {FATIMA, LIN}
    assert await told_of(house, ref) == [(JOOST, "match"), (LIN, "silent"), (LIN, "match")]
    with pytest.raises(NotPossible):
        await decided(house, resume, ref)
    await house.look_closer()
    assert "match.earlier" not in house.kinds(LIN)


async def test_who_was_met_by_nobody_while_silent_is_introduced_when_it_is_rejected(house: House) -> None:
    ref = await house.place(FATIMA, BABY)
    await decided(house, freeze, ref)
    await house.place(JOOST, BABY)
    await house.look_closer()
    for who in (FATIMA, JOOST):
        assert not {"match.notice", "match.earlier"} & set(house.kinds(who))
    await decided(house, resume, ref)
    assert others(house.last(JOOST, "match.notice")) == {FATIMA}
    assert house.kinds(FATIMA).count("match.notice") == 1


async def test_inactive_and_silent_it_is_not_shown_until_it_is_rejected_and_then_once(house: House) -> None:
    ref = await house.place(FATIMA, BABY)
    await house.answer(FATIMA, f"intrekken {ref} klaar")
    assert kinds(await decided(house, freeze, ref)) == {FATIMA: ["signal.frozen"]}
    await house.place(JOOST, BABY)
    await house.look_closer()
    assert "match.earlier" not in house.kinds(JOOST)
    cards = await decided(house, resume, ref)
    assert kinds(cards) == {FATIMA: ["signal.expired"]}
    assert "afgewezen" in cards[0]["body"]
    await house.look_closer()
    assert house.last(JOOST, "match.earlier")["participants"][0]["until"] == "2026-03-02"
    await house.look_closer()
    assert house.kinds(JOOST).count("match.earlier") == 1
    assert await states(house) == ["inactive"]


async def test_upheld_it_is_erased_and_the_others_see_only_that_they_left(house: House) -> None:
    ref = await matched(house)
    await house.place(LIN, BABY)
    await decided(house, freeze, ref)
    cards = await decided(house, uphold, ref)
    assert kinds(cards) == {"room": ["match.left"], FATIMA: ["signal.erased"]}
    assert "toegewezen" in next(card for card in cards if card["room"].owner == FATIMA)["body"]
    assert await states(house) == []
    assert "signal.upheld" in await house.audited()
    assert await house.wanted_in() == {JOOST, LIN}
    assert "alarm" not in house.kinds(ANNA)


async def test_upheld_over_two_the_room_is_emptied_at_once(house: House) -> None:
    ref = await matched(house)
    await decided(house, freeze, ref)
    assert kinds(await decided(house, uphold, ref)) == {
        "room": ["match.closed"], JOOST: ["match.closed"], FATIMA: ["signal.erased"],
    }  # fmt: skip


@pytest.mark.parametrize("deed", [resume, uphold])
async def test_only_what_is_silent_is_decided_on(house: House, deed: Deed) -> None:
    ref = await house.place(FATIMA, BABY)
    with pytest.raises(NotPossible):
        await decided(house, deed, ref)


# --- dates run on


async def test_what_ended_while_silent_is_inactive_since_then(house: House) -> None:
    ref = await house.place(FATIMA, BABY)
    await house.until(day(2027, 1, 1))
    await house.place(JOOST, BABY)
    await decided(house, freeze, ref)
    heard = house.heard(FATIMA)
    await house.until(day(2028, 3, 10))
    assert house.heard(FATIMA) == heard
    assert await states(house) == ["frozen"]
    cards = await decided(house, resume, ref)
    assert kinds(cards)[FATIMA] == ["signal.expired"]
    async with house.storage.reading() as uow:
        signal = await uow.signals.by_ref(ref)
        assert signal is not None
        assert signal.ended_on == signal.active_until == date(2028, 3, 2)
    assert await house.wanted_in() == {JOOST}
    # Joost met her: he is no new party.
    await house.look_closer()
    assert "match.earlier" not in house.kinds(JOOST)


@pytest.mark.parametrize(
    ("child", "passed"),
    [(BABY, day(2031, 3, 2)), ("signaal Sanne; de Vries; 20-06-2003; geen", day(2026, 6, 20))],
    ids=["erase date", "23rd birthday"],
)
@pytest.mark.parametrize("deed", [resume, uphold])
@pytest.mark.parametrize("late", [False, True])
async def test_what_is_to_be_gone_goes_while_silent_and_nothing_is_sent(
    house: House, child: str, passed: datetime, deed: Deed, *, late: bool
) -> None:
    ref = await house.place(FATIMA, child)
    await decided(house, freeze, ref)
    heard = house.heard(FATIMA)
    house.now = passed
    if late:
        await decided(house, deed, ref)
    else:
        await house.sweep()
    assert house.heard(FATIMA) == heard
    assert await states(house) == []


async def test_the_reminder_waits_until_it_is_rejected(house: House) -> None:
    ref = await house.place(FATIMA, BABY)
    await house.until(day(2028, 1, 20))
    await decided(house, freeze, ref)
    for number in (1, 10):
        await house.until(day(2028, 2, number))
        assert asked(house) == 0
    await decided(house, resume, ref)
    assert asked(house) == 1
    await house.sweep()
    assert asked(house) == 1


async def test_the_suspended_hear_nothing_of_an_objection(house: House) -> None:
    ref = await house.place(FATIMA, BABY)
    await house.place(JOOST, BABY)
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    heard = house.heard(FATIMA)
    await decided(house, freeze, ref)
    await decided(house, resume, ref)
    assert house.heard(FATIMA) == heard
    assert await house.wanted_in() == {JOOST}


async def test_what_closes_meanwhile_is_not_said_at_a_silent_desk(house: House) -> None:
    ref = await matched(house)
    of_joost = house.last(JOOST, "match.notice")["signal"]
    await decided(house, freeze, ref)
    heard = house.heard(FATIMA)
    await house.answer(JOOST, f"intrekken {of_joost} fout")
    assert "match.closed" in house.kinds("M1")
    assert "match.closed" not in house.kinds(FATIMA)[heard:]


async def test_a_mistake_of_somebody_else_is_not_told_to_who_is_silent(house: House) -> None:
    ref = await matched(house)
    of_joost = house.last(JOOST, "match.notice")["signal"]
    await decided(house, freeze, ref)
    await house.answer(JOOST, f"intrekken {of_joost} fout")
    assert house.last(ANNA, "alarm")["code"] == "mistake_after_disclosure"
    assert "match.mistake" not in house.kinds(FATIMA)


async def test_placing_beside_who_is_silent_and_withdrawing_would_be_a_search_too(house: House) -> None:
    ref = await matched(house)
    await decided(house, freeze, ref)
    placed = await house.place(LIN, BABY)
    await house.answer(JOOST, f"intrekken {house.last(JOOST, 'match.notice')['signal']} overleden")
    await house.answer(LIN, f"intrekken {placed} fout")
    assert house.last(ANNA, "alarm")["user_id"] == LIN
