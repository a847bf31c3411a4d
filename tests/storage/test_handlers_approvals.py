"""Postponing for the child's safety: a second coordinator decides, the first answer counts, and a day is enough."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from storage.schema import approval as approval_table
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, START, House, open_house

BERT = "@bert:localhost"
REMINDED = "notice.reminder"
BETWEEN = "signaal Sanne; de Vries; 14-03-2012; 9203 ZX 95a"


@pytest.fixture
async def both(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """A house with two coordinators."""
    async with open_house(database_url, tmp_path, coordinators=(ANNA, BERT)) as house:
        yield house


async def asked(house: House, who: str = FATIMA) -> tuple[str, str]:
    """Somebody asks to postpone: the signal and the approval."""
    ref = await house.place(who, BETWEEN)
    answer = await house.answer(who, f"ingelicht {ref} uitstel")
    assert (answer["kind"], answer["ref"]) == ("notice.postponing", ref)
    return ref, str(answer["approval"])


def said(house: House, key: str, kind: str) -> int:
    return list(house.kinds(key)).count(kind)


async def on_day(house: House, number: int) -> None:
    await house.until(START + timedelta(days=number))


async def test_the_coordinators_are_asked_with_the_number_only(both: House) -> None:
    ref, approval = await asked(both)
    for who in (ANNA, BERT):
        card = both.cards[who][-1]
        assert (card["wenk"]["kind"], card["wenk"]["ref"], card["msgtype"]) == ("approval.opened", approval, "m.text")
        assert set(card["wenk"]) == {"v", "id", "kind", "ref"}
        for word in (ref, "Fatima", "Sanne", "Wilgen", "veilig"):
            assert word not in card["body"]


async def test_akkoord_lists_who_asks_what_and_never_the_child(both: House) -> None:
    ref, approval = await asked(both)
    (shown,) = await both.say(BERT, "akkoord")
    (waiting,) = shown["wenk"]["approvals"]
    assert waiting == {"ref": approval, "matter": "postpone", "signal": ref, "user_id": FATIMA}
    for word in (approval, ref, "Fatima Bouali", "De Wilgen", "veilig"):
        assert word in shown["body"]
    for word in ("Sanne", "Vries", "2012", "9203"):
        assert word not in shown["body"]
    assert (await both.audited())[-1] == "approval.listed"
    await both.pass_time(minutes=61)
    assert shown["event_id"] in both.redacted


async def test_approved_there_is_silence_and_then_it_is_asked_anew(both: House) -> None:
    ref, approval = await asked(both)
    answer = await both.answer(ANNA, f"akkoord {approval.lower()}")
    assert (answer["kind"], answer["ref"], answer["decision"]) == ("approval.decided", approval, "yes")
    heard = both.last(FATIMA, "notice.postponed")
    assert (heard["ref"], heard["until"]) == (ref, "2026-03-16")
    assert {"notice.postponing", "postpone.yes"} <= set(await both.audited())
    for number, reminded, overdue in (
        (3, 0, 0),
        (13, 0, 0),
        (14, 1, 0),
        (17, 2, 0),
        (28, 3, 0),
        (29, 3, 1),
        (99, 3, 1),
    ):
        await on_day(both, number)
        await on_day(both, number)
        assert (said(both, FATIMA, REMINDED), said(both, ANNA, "notice.overdue")) == (reminded, overdue), number
        if number == 14:
            assert "uitstel" in both.cards[FATIMA][-1]["body"]


async def test_it_may_be_asked_again_when_it_is_over(both: House) -> None:
    ref, first = await asked(both)
    await both.answer(ANNA, f"akkoord {first}")
    assert (await both.answer(FATIMA, f"ingelicht {ref} uitstel"))["kind"] == "notice.postponed"
    await on_day(both, 14)
    second = (await both.answer(FATIMA, f"ingelicht {ref} uitstel"))["approval"]
    assert second != first
    await both.answer(BERT, f"akkoord {second}")
    assert both.last(FATIMA, "notice.postponed")["until"] == "2026-03-30"


async def test_refused_the_reminders_go_on(both: House) -> None:
    ref, approval = await asked(both)
    answer = await both.answer(ANNA, f"approve {approval} no")
    assert answer["decision"] == "no"
    assert both.cards[FATIMA][-1]["msgtype"] == "m.text"
    assert both.last(FATIMA, "notice.refused")["ref"] == ref
    await on_day(both, 3)
    assert said(both, FATIMA, REMINDED) == 1


async def test_the_first_answer_counts_and_the_others_are_told(both: House) -> None:
    _ref, approval = await asked(both)
    await both.answer(ANNA, f"akkoord {approval} nee")
    told = both.last(BERT, "approval.decided")
    assert (told["ref"], told["decision"], "re" in told) == (approval, "no", False)
    answer = await both.answer(BERT, f"akkoord {approval}")
    assert (answer["kind"], answer["decision"]) == ("approval.decided", "no")
    assert said(both, FATIMA, "notice.refused") == 1
    assert said(both, FATIMA, "notice.postponed") == 0
    assert (await both.answer(BERT, "akkoord"))["approvals"] == []


@pytest.mark.parametrize("swept", [True, False])
async def test_after_a_day_it_lapses_also_when_the_sweep_is_late(both: House, *, swept: bool) -> None:
    ref, approval = await asked(both)
    await both.pass_time(hours=23, minutes=59)
    assert said(both, FATIMA, "notice.refused") == 0
    both.now += timedelta(minutes=1)
    if swept:
        await both.sweep()
    answer = await both.answer(ANNA, f"akkoord {approval}")
    assert (answer["kind"], answer["decision"]) == ("approval.decided", "lapsed")
    await both.sweep()
    assert both.last(FATIMA, "notice.refused")["ref"] == ref
    assert said(both, FATIMA, "notice.refused") == 1
    for who in (ANNA, BERT):
        assert said(both, who, "approval.lapsed") == 1
    await on_day(both, 3)
    assert said(both, FATIMA, REMINDED) == 1


@pytest.mark.parametrize("swept", [True, False])
async def test_who_asks_again_after_the_day_gets_a_new_number(both: House, *, swept: bool) -> None:
    ref, first = await asked(both)
    both.now += timedelta(days=1)
    if swept:
        await both.sweep()
    answer = await both.answer(FATIMA, f"ingelicht {ref} uitstel")
    assert answer["kind"] == "notice.postponing"
    assert answer["approval"] != first
    await both.sweep()
    assert (said(both, FATIMA, "notice.refused"), said(both, ANNA, "approval.lapsed")) == (1, 1)
    assert (await both.answer(ANNA, f"akkoord {answer['approval']}"))["decision"] == "yes"
    assert both.last(FATIMA, "notice.postponed")["ref"] == ref


async def test_what_nobody_can_read_any_more_lapses_and_holds_up_nothing(both: House) -> None:
    """Its row was sealed under a master key that is gone."""
    ref, approval = await asked(both)
    async with both.storage.unit() as uow:
        await uow._session.run(update(approval_table).values(sealed=b"\0\0\0\7another key"))
    assert (await both.answer(BERT, "akkoord"))["approvals"] == []
    answer = await both.answer(FATIMA, f"ingelicht {ref} uitstel")
    assert answer["approval"] != approval
    await both.pass_time(days=1)
    assert said(both, FATIMA, "notice.refused") == 1
    assert (await both.answer(ANNA, f"akkoord {approval}"))["decision"] == "lapsed"


async def test_nothing_is_postponed_of_a_signal_that_ended(both: House) -> None:
    ref, approval = await asked(both)
    await both.say(FATIMA, f"intrekken {ref} klaar")
    answer = await both.answer(FATIMA, f"ingelicht {ref} uitstel")
    assert (answer["kind"], answer["code"]) == ("error", "not_allowed")
    assert both.cards[FATIMA][-1]["body"].startswith(f"Signaal {ref} is gestopt.")
    assert (await both.answer(ANNA, "akkoord"))["approvals"] == []
    assert (await both.answer(BERT, f"akkoord {approval}"))["decision"] == "lapsed"
    assert (said(both, FATIMA, "notice.postponed"), said(both, FATIMA, "notice.refused")) == (0, 0)


async def test_nobody_is_reminded_while_it_waits(both: House) -> None:
    ref = await both.place(FATIMA, BETWEEN)
    await on_day(both, 2)
    await both.answer(FATIMA, f"ingelicht {ref} uitstel")
    await both.pass_time(hours=23)
    assert said(both, FATIMA, REMINDED) == 0
    await both.pass_time(hours=1)
    assert (said(both, FATIMA, REMINDED), said(both, FATIMA, "notice.refused")) == (0, 1)
    await both.pass_time(hours=24)
    assert said(both, FATIMA, REMINDED) == 1


@pytest.mark.parametrize("doing", ["ingelicht {} ouders", "wijzig {}; voornaam; Sanna"])
async def test_nor_if_its_professional_does_something_else_meanwhile(both: House, doing: str) -> None:
    ref = await both.place(FATIMA, BETWEEN)
    await on_day(both, 2)
    assert (await both.answer(FATIMA, f"ingelicht {ref} uitstel"))["kind"] == "notice.postponing"
    assert (await both.answer(FATIMA, doing.format(ref)))["kind"] != "error"
    await both.pass_time(hours=23)
    assert said(both, FATIMA, REMINDED) == 0
    await both.pass_time(hours=1)  # nobody answered
    assert both.last(FATIMA, "notice.refused")["ref"] == ref


async def test_what_was_asked_is_not_asked_twice(both: House) -> None:
    ref, approval = await asked(both)
    assert (await both.answer(FATIMA, f"told {ref} postpone"))["approval"] == approval
    assert said(both, ANNA, "approval.opened") == 1


async def test_nobody_approves_what_they_asked(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, coordinators=(ANNA, FATIMA)) as house:
        ref, approval = await asked(house)
        assert said(house, FATIMA, "approval.opened") == 0
        assert (await house.answer(FATIMA, "akkoord"))["approvals"] == []
        assert (await house.answer(FATIMA, f"akkoord {approval}"))["code"] == "not_allowed"
        assert said(house, FATIMA, "notice.postponed") == 0
        await house.answer(ANNA, f"akkoord {approval}")
        assert house.last(FATIMA, "notice.postponed")["ref"] == ref
        assert said(house, FATIMA, "approval.decided") == 0


async def test_without_another_coordinator_nothing_is_postponed(house: House) -> None:
    await house.admit(ANNA, "Leerplicht", "Anna de Boer")
    ref = await house.place(ANNA, BETWEEN)
    assert (await house.answer(ANNA, f"ingelicht {ref} uitstel"))["code"] == "not_allowed"


async def test_only_coordinators_approve_and_only_what_there_is(both: House) -> None:
    _ref, approval = await asked(both)
    assert (await both.answer(JOOST, f"akkoord {approval}"))["code"] == "not_allowed"
    assert (await both.answer(ANNA, "akkoord A-000000"))["code"] == "not_found"
    for wrong in ("R-000000", f"{approval} misschien"):
        assert (await both.answer(ANNA, f"akkoord {wrong}"))["code"] == "bad_input"
    assert said(both, FATIMA, "notice.postponed") + said(both, FATIMA, "notice.refused") == 0


@pytest.mark.parametrize("how", ["ingelicht {} allemaal", "intrekken {} fout"])
async def test_what_needs_no_answer_any_more_is_not_asked_for(both: House, how: str) -> None:
    ref, approval = await asked(both)
    await both.answer(FATIMA, how.format(ref))
    assert (await both.answer(ANNA, "akkoord"))["approvals"] == []
    assert (await both.answer(ANNA, f"akkoord {approval}"))["decision"] == "lapsed"
    await both.pass_time(days=2)
    assert said(both, FATIMA, "notice.refused") + said(both, FATIMA, "notice.postponed") == 0


async def test_a_family_that_was_told_needs_no_postponing(both: House) -> None:
    ref = await both.place(FATIMA, BETWEEN)
    await both.answer(FATIMA, f"ingelicht {ref}")
    assert (await both.answer(FATIMA, f"ingelicht {ref} uitstel"))["code"] == "not_allowed"
    assert said(both, ANNA, "approval.opened") == 0


async def test_telling_after_all_ends_the_postponement(both: House) -> None:
    ref, approval = await asked(both)
    await both.answer(ANNA, f"akkoord {approval}")
    assert (await both.answer(FATIMA, f"ingelicht {ref}"))["told"] == "2026-03-02"
    await on_day(both, 14)
    assert said(both, FATIMA, REMINDED) == 0


async def test_at_a_match_it_is_not_said_to_tell_first_what_may_wait(both: House) -> None:
    ref, approval = await asked(both)
    await both.answer(ANNA, f"akkoord {approval}")
    await both.place(JOOST, BETWEEN)
    shown = next(card for card in reversed(both.cards[FATIMA]) if card["wenk"]["kind"] == "match.notice")
    assert "eerst aan het gezin" not in shown["body"]
    assert "mag wachten" in shown["body"]
    assert ref in shown["body"]


async def test_who_is_suspended_hears_nothing_of_it(both: House) -> None:
    _ref, approval = await asked(both)
    await both.answer(ANNA, f"professional schorsen {FATIMA}")
    await both.answer(ANNA, f"akkoord {approval}")
    assert said(both, FATIMA, "notice.postponed") == 0
    assert LIN not in both.cards or said(both, LIN, "approval.decided") == 0
