"""Telling the family: ticked at the desk, asked about until it is done, and said of to nobody else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.life import Event
from handlers import steps
from handlers.life import happen
from handlers.notice import remind
from handlers.office import Office
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, START, Card, House, open_house

YOUNG = SANNE
"""Eleven on the day of placing: the parents are told."""
BETWEEN = "signaal Sanne; de Vries; 14-03-2012; 9203 ZX 95a"
OLD = "signaal Sanne; de Vries; 14-03-2009; 9203 ZX 95a"
REMINDED = "notice.reminder"
OVERDUE = "notice.overdue"


async def told(house: House, ref: str) -> str | None:
    (listed,) = [one for one in (await house.answer(FATIMA, "signalen"))["signals"] if one["ref"] == ref]
    return str(listed["told"]) if listed["told"] is not None else None


def said(house: House, key: str, kind: str) -> int:
    return list(house.kinds(key)).count(kind)


def newest(house: House, key: str, kind: str) -> Card:
    return next(card for card in reversed(house.cards[key]) if card["wenk"]["kind"] == kind)


async def day(house: House, number: int) -> None:
    """A sweep on that day after placing."""
    await house.until(START + timedelta(days=number))


# Ticking.


@pytest.mark.parametrize(
    ("child", "must"), [(YOUNG, ["parents"]), (BETWEEN, ["parents", "child"]), (OLD, ["child"])], ids=["11", "13", "16"]
)
async def test_everybody_who_must_be_told_is_ticked_today(house: House, child: str, must: list[str]) -> None:
    ref = await house.place(FATIMA, child)
    assert house.last(FATIMA, "signal.placed")["tell"] == must
    assert await told(house, ref) is None
    answer = await house.answer(FATIMA, f"ingelicht {ref}")
    assert (answer["kind"], answer["ref"], answer["told"], answer["tell"]) == ("notice.told", ref, "2026-03-02", [])
    assert await told(house, ref) == "2026-03-02"
    assert "notice.told" in await house.audited()


async def test_one_after_the_other_in_either_order(house: House) -> None:
    ref = await house.place(FATIMA, BETWEEN)
    answer = await house.answer(FATIMA, f"told {ref} 28-02-2026 parents")
    assert (answer["told"], answer["tell"]) == (None, ["child"])
    assert await told(house, ref) is None
    answer = await house.answer(FATIMA, f"!ingelicht {ref.lower()} jongere 25 februari 2026")
    assert (answer["told"], answer["tell"]) == ("2026-02-28", [])
    answer = await house.answer(FATIMA, f"ingelicht {ref} ouders 20-02-2026")
    assert answer["told"] == "2026-02-25"
    assert await told(house, ref) == "2026-02-25"


async def test_only_who_was_left_is_ticked_by_default(house: House) -> None:
    """Saying that it is done does not move the day of who was told before; a day or a name does."""
    ref = await house.place(FATIMA, BETWEEN)
    await house.answer(FATIMA, f"ingelicht {ref} kind 20-02-2026")
    await house.answer(FATIMA, f"ingelicht {ref} 21-02-2026")
    assert await told(house, ref) == "2026-02-21"
    await house.answer(FATIMA, f"ingelicht {ref}")
    assert await told(house, ref) == "2026-02-21"
    await house.answer(FATIMA, f"ingelicht {ref} 22-02-2026")
    assert await told(house, ref) == "2026-02-22"
    await house.answer(FATIMA, f"ingelicht {ref} allemaal")
    assert await told(house, ref) == "2026-03-02"


async def test_who_need_not_be_told_is_not_ticked(house: House) -> None:
    ref = await house.place(FATIMA)
    answer = await house.answer(FATIMA, f"ingelicht {ref} kind")
    assert (answer["kind"], answer["code"]) == ("error", "not_allowed")
    assert "de ouders" in answer["body"]
    assert await told(house, ref) is None
    assert "notice.told" not in await house.audited()
    assert (await house.answer(FATIMA, f"ingelicht {ref} allemaal"))["tell"] == []


@pytest.mark.parametrize("wrong", ["03-03-2026", "01-03-2025", "opa", "31-02-2026", "03-2026"])
async def test_a_day_that_cannot_be_is_asked_again(house: House, wrong: str) -> None:
    ref = await house.place(FATIMA)
    answer = await house.answer(FATIMA, f"ingelicht {ref} {wrong}")
    assert (answer["kind"], answer["code"], answer["field"]) == ("error", "bad_input", "told")
    assert await told(house, ref) is None
    await house.answer(FATIMA, f"ingelicht {ref} {wrong}")
    assert (await house.answer(FATIMA, "ouders 01-03-2026"))["told"] == "2026-03-01"


async def test_only_of_own_signals(house: House) -> None:
    ref = await house.place(FATIMA)
    for what in ("", "kind", "uitstel"):
        answer = await house.answer(JOOST, f"ingelicht {ref} {what}")
        assert (answer["kind"], answer["code"]) == ("error", "not_found")
    assert await told(house, ref) is None


async def test_also_after_it_ended(house: House) -> None:
    ref = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {ref} klaar")
    assert (await house.answer(FATIMA, f"ingelicht {ref}"))["told"] == "2026-03-02"
    await day(house, 3)
    assert said(house, FATIMA, REMINDED) == 0


async def test_placing_says_how_to_tick_it(house: House) -> None:
    ref = await house.place(FATIMA)
    placed = newest(house, FATIMA, "signal.placed")["body"]
    assert f"ingelicht {ref}" in placed
    assert f"folder {ref}" in placed


@pytest.mark.parametrize("is_told", [False, True])
async def test_at_a_match_the_family_comes_first_until_it_was_told(house: House, *, is_told: bool) -> None:
    ref = await house.place(FATIMA, BETWEEN)
    await house.answer(FATIMA, f"ingelicht {ref} {'allemaal' if is_told else 'ouders'}")
    await house.place(JOOST, BETWEEN)
    shown = newest(house, FATIMA, "match.notice")["body"]
    assert ("eerst aan het gezin" in shown) is not is_told
    assert (f"ingelicht {ref}" in shown) is not is_told
    assert "eerst aan het gezin" in newest(house, JOOST, "match.notice")["body"]


# Reminders.


async def test_asked_after_3_and_14_days_and_then_the_coordinators_hear(house: House) -> None:
    ref = await house.place(FATIMA, BETWEEN)
    expected = {0: (0, 0), 2: (0, 0), 3: (1, 0), 4: (1, 0), 13: (1, 0), 14: (2, 0), 15: (2, 1), 16: (2, 1), 400: (2, 1)}
    for number, counts in expected.items():
        for _ in range(2):
            await day(house, number)
            assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == counts, number
    for card in (newest(house, FATIMA, REMINDED), newest(house, ANNA, OVERDUE)):
        assert card["msgtype"] == "m.text"
        assert "re" not in card["wenk"]
        assert ref in card["body"]
        for word in ("Sanne", "Vries", "2012", "9203", "ouders", "kind "):
            assert word not in card["body"]
    # The coordinators must know whom to call.
    assert "Fatima Bouali" in newest(house, ANNA, OVERDUE)["body"]
    assert newest(house, FATIMA, REMINDED)["wenk"]["tell"] == ["parents", "child"]
    assert set(newest(house, ANNA, OVERDUE)["wenk"]) == {"v", "id", "kind", "ref"}
    assert said(house, ANNA, REMINDED) + said(house, JOOST, REMINDED) + said(house, JOOST, OVERDUE) == 0


async def test_a_sweep_that_comes_late_asks_once(house: House) -> None:
    """For both terms; the coordinators hear a day after that, and not before anybody was asked."""
    await house.place(FATIMA)
    await day(house, 30)
    assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == (1, 0)
    await day(house, 31)
    assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == (1, 1)


async def test_a_day_begins_at_midnight_in_amsterdam(house: House) -> None:
    await house.place(FATIMA)
    await house.until(datetime(2026, 3, 4, 22, 59, tzinfo=UTC))
    assert said(house, FATIMA, REMINDED) == 0
    await house.until(datetime(2026, 3, 4, 23, 0, tzinfo=UTC))
    assert said(house, FATIMA, REMINDED) == 1


@pytest.mark.parametrize(("after", "counts"), [(0, (0, 0)), (3, (1, 0)), (14, (2, 0))])
async def test_who_was_told_is_asked_about_no_more(house: House, after: int, counts: tuple[int, int]) -> None:
    ref = await house.place(FATIMA)
    for number in range(after + 1):
        await day(house, number)
    await house.answer(FATIMA, f"ingelicht {ref}")
    for number in (3, 4, 14, 15, 16, 40):
        if number > after:
            await day(house, number)
    assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == counts


async def test_half_told_is_not_told(house: House) -> None:
    ref = await house.place(FATIMA, BETWEEN)
    await house.answer(FATIMA, f"ingelicht {ref} ouders")
    await day(house, 3)
    assert house.last(FATIMA, REMINDED)["tell"] == ["child"]


@pytest.mark.parametrize("how", ["klaar", "fout", "overleden"])
async def test_nobody_is_asked_about_what_ended(house: House, how: str) -> None:
    ref = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {ref} {how}")
    for number in (3, 14, 15):
        await day(house, number)
    assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == (0, 0)


async def test_nobody_is_asked_about_what_should_have_ended(house: House) -> None:
    """Also when the step that ends signals failed."""
    await house.place(FATIMA)
    house.now = START.replace(year=2028)
    async with house.storage.unit() as uow:
        assert await remind(Office(uow, house.region), 50) == 1
    await house.sweep()
    assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == (0, 0)


async def test_one_card_for_all_that_somebody_placed_and_one_for_the_coordinators(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they are more than are done in one unit of work; one by itself is as it was."""
    monkeypatch.setattr(steps, "BATCH", 2)
    of_joost = await house.place(JOOST)
    of_fatima = [await house.place(FATIMA, YOUNG.replace("Sanne", name)) for name in ("Tim", "Eva", "Bo")]
    for number, kind in ((3, REMINDED), (14, REMINDED)):
        before = house.heard(FATIMA), house.heard(JOOST)
        await day(house, number)
        assert (house.heard(FATIMA), house.heard(JOOST)) == (before[0] + 1, before[1] + 1)
        card = newest(house, FATIMA, kind)
        assert (card["msgtype"], card["wenk"]["refs"]) == ("m.text", of_fatima)
        assert "ref" not in card["wenk"]
        assert all(ref in card["body"] for ref in of_fatima)
        assert (house.last(JOOST, kind)["ref"], "refs" in house.last(JOOST, kind)) == (of_joost, False)
    monkeypatch.setattr(steps, "BATCH", 50)
    await day(house, 15)
    assert said(house, ANNA, OVERDUE) == 1
    assert house.last(ANNA, OVERDUE)["refs"] == [of_joost, *of_fatima]
    assert f"Fatima Bouali: {', '.join(of_fatima)}" in newest(house, ANNA, OVERDUE)["body"]


async def test_whose_postponement_ended_reads_that_apart_from_what_was_never_postponed(house: House) -> None:
    first, second, third = [await house.place(FATIMA, YOUNG.replace("Sanne", name)) for name in ("Tim", "Eva", "Bo")]
    for ref in (first, second):
        approval = (await house.answer(FATIMA, f"ingelicht {ref} uitstel"))["approval"]
        await house.answer(ANNA, f"akkoord {approval}")
    await day(house, 14)
    assert said(house, FATIMA, REMINDED) == 2
    assert house.last(FATIMA, REMINDED) != (postponed := house.cards[FATIMA][-2]["wenk"])
    assert {tuple(card.get("refs", [card.get("ref")])) for card in (postponed, house.last(FATIMA, REMINDED))} == {
        (first, second), (third,),
    }  # fmt: skip


async def test_who_is_suspended_is_asked_once_restored(house: House) -> None:
    await house.place(FATIMA)
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    for number in (3, 14, 15):
        await day(house, number)
    assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == (0, 0)
    await house.answer(ANNA, f"professional herstellen {FATIMA}")
    await day(house, 16)
    assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == (1, 0)


async def test_nothing_is_said_while_it_is_frozen(house: House) -> None:
    ref = await house.place(FATIMA)
    for event, number, counts in ((Event.FROZEN, 3, (0, 0)), (Event.RESUMED, 4, (1, 0))):
        async with house.storage.unit() as uow:
            signal = await uow.signals.by_ref(ref)
            assert signal is not None
            # An objection has no command yet, nor a text: as if its owner had made it.
            await happen(Office(uow, house.region), signal, event, by=FATIMA)
        await day(house, number)
        assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == counts
    assert (await house.answer(FATIMA, f"ingelicht {ref}"))["tell"] == []


async def test_a_region_has_its_own_terms(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, notice_days=(1,)) as house:
        await house.place(FATIMA)
        for number, counts in ((1, (1, 0)), (2, (1, 1)), (3, (1, 1)), (14, (1, 1))):
            await day(house, number)
            assert (said(house, FATIMA, REMINDED), said(house, ANNA, OVERDUE)) == counts


async def test_what_is_due_is_counted_and_costs_what_is_due(house: House) -> None:
    await house.place(FATIMA)
    await house.place(JOOST, "signaal Tim; Bakker; 02-05-2017; geen")
    ref = (await house.answer(FATIMA, "signalen"))["signals"][0]["ref"]
    await house.answer(FATIMA, f"ingelicht {ref}")
    house.now = START + timedelta(days=3)
    async with house.storage.reading() as uow:
        assert await uow.notices.count_to_look_at(uow.today) == 1


# The questions of the kindcheck.


async def test_the_kindcheck_asks_and_keeps_nothing(house: House) -> None:
    before = await house.audited()
    (shown,) = await house.say(LIN, "kindcheck")
    assert (shown["wenk"]["kind"], shown["msgtype"]) == ("kindcheck", "m.notice")
    assert 1 <= shown["body"].count("•") <= 6
    assert "0800-2000" in shown["body"]
    assert "bewaar ze niet" in shown["body"]
    assert await house.audited() == before
    answer = await house.answer(LIN, "Ja, er wonen twee kinderen")
    assert (answer["kind"], answer["code"]) == ("error", "unknown_command")
    assert (await house.answer(ANNA, "kindcheck"))["code"] == "not_allowed"


async def test_a_region_has_its_own_questions(database_url: str, tmp_path: Path) -> None:
    own = ("Wonen er kinderen bij je?", "Is <iemand> {bang}?")
    async with open_house(database_url, tmp_path, kindcheck=own) as house:
        (shown,) = await house.say(LIN, "kindcheck")
        assert [text for text in shown["body"].splitlines() if text.startswith("•")] == [f"• {text}" for text in own]
        assert "&lt;iemand&gt;" in shown["formatted_body"]
