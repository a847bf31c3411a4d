"""What time does to signals: on the day, not before it, once, and late what was missed."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from domain.calendar import midnight
from handlers.sweep import count_due
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, START, House, open_house

BABY = "signaal Sanne; de Vries; 01-03-2026; geen"
MOMENT = timedelta(minutes=1)


def day(year: int, month: int, number: int) -> datetime:
    """The moment at which that day begins in Amsterdam."""
    return midnight(datetime(year, month, number, tzinfo=UTC).date())


async def states(house: House, who: str = FATIMA) -> list[str]:
    return [one["state"] for one in (await house.answer(who, "signalen"))["signals"]]


async def test_two_years_and_five_years(house: House) -> None:
    ref = await house.place(FATIMA, BABY)
    await house.until(day(2028, 3, 2) - MOMENT)
    assert await states(house) == ["active"]
    await house.until(day(2028, 3, 2))
    assert await states(house) == ["inactive"]
    assert house.last(FATIMA, "signal.expired")["ref"] == ref
    assert "re" not in house.last(FATIMA, "signal.expired")
    await house.until(day(2031, 3, 2) - MOMENT)
    assert await states(house) == ["inactive"]
    await house.until(day(2031, 3, 2))
    assert await states(house) == []
    assert house.last(FATIMA, "signal.erased")["ref"] == ref
    for kind in ("signal.expired", "signal.erased"):
        assert house.kinds(FATIMA).count(kind) == 1
    assert [what for what in await house.audited() if what.startswith("signal.") and what != "signal.listed"] == [
        "signal.placed",
        "signal.reminded",
        "signal.ended",
        "signal.archived_out",
    ]


async def test_a_leap_day_counts_in_calendar_years(house: House) -> None:
    await house.until(datetime(2028, 2, 29, 9, tzinfo=UTC))
    await house.answer(FATIMA, BABY)
    assert (await house.answer(FATIMA, "ja"))["active_until"] == "2030-02-28"
    await house.until(day(2030, 2, 28) - MOMENT)
    assert await states(house) == ["active"]
    await house.until(day(2030, 2, 28))
    assert await states(house) == ["inactive"]


async def test_the_day_of_placing_is_amsterdams(house: House) -> None:
    await house.until(datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    await house.answer(FATIMA, BABY)
    assert (await house.answer(FATIMA, "ja"))["active_until"] == "2028-03-03"


async def test_the_23rd_birthday_erases_whatever_the_term(house: House) -> None:
    await house.place(FATIMA, "signaal Sanne; de Vries; 20-06-2003; geen")
    await house.place(JOOST, "signaal Sanne; de Vries; 20-06-2003; geen")
    await house.until(day(2026, 6, 20) - MOMENT)
    assert await states(house) == ["active"]
    await house.until(day(2026, 6, 20))
    assert await states(house) == []
    assert house.last(FATIMA, "signal.erased")
    assert "match.closed" in house.kinds("M1")


async def test_the_database_does_not_say_when_the_birthday_is(house: House) -> None:
    await house.place(FATIMA, "signaal Sanne; de Vries; 20-06-2003; geen")
    async with house.storage.unit() as uow:
        assert await uow.signals.to_look_at(day(2026, 5, 31).date(), 10) == []
        assert len(await uow.signals.to_look_at(day(2026, 6, 2).date(), 10)) == 1
    await house.until(day(2026, 6, 10))
    assert await states(house) == ["active"]


async def test_a_late_sweep_does_late_what_it_should_have_done_and_never_twice(house: House) -> None:
    for who in (FATIMA, JOOST):
        await house.place(who, BABY)
    await house.until(day(2028, 9, 1))
    assert await states(house) == ["inactive"]
    for _ in range(3):
        await house.pass_time(minutes=1)
    assert house.kinds(FATIMA).count("signal.expired") == 1
    assert house.kinds("M1").count("match.left") == 2
    await house.pass_time(days=31)
    assert house.kinds("M1").count("match.closed") == 1
    await house.place(LIN, BABY)
    assert {who["until"] for who in house.last(LIN, "match.earlier")["participants"]} == {"2028-03-02"}
    # Late to end is not late to be erased: both terms count from the day of placing.
    await house.until(day(2031, 3, 2))
    assert await states(house) == []


async def test_years_late_it_goes_at_once_without_passing_through_inactive(house: House) -> None:
    await house.place(FATIMA, BABY)
    await house.until(day(2040, 1, 1))
    assert await states(house) == []
    kinds = house.kinds(FATIMA)
    assert (kinds.count("signal.expired"), kinds.count("signal.erased")) == (0, 1)


async def test_what_was_missed_is_done_for_all_of_them(house: House) -> None:
    for number in range(1, 28):
        for month in (1, 2):
            await house.place(FATIMA, f"signaal Sanne; de Vries; {number:02}-{month:02}-2016; geen")
            if number == 25 and month == 2:
                break
        else:
            continue
        break
    async with house.storage.unit() as uow:
        many = len(await uow.signals.of_owner(FATIMA))
    assert many == 50
    await house.until(day(2028, 3, 2))
    assert house.kinds(FATIMA).count("signal.expired") == many


async def test_a_region_may_count_from_the_day_it_became_inactive(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, erase_from="inactive") as house:
        await house.place(FATIMA, BABY)
        ref = await house.place(JOOST, BABY)
        await house.until(day(2027, 3, 2))
        await house.answer(JOOST, f"intrekken {ref} klaar")
        await house.until(day(2032, 3, 2) - MOMENT)
        assert await states(house, JOOST) == ["inactive"]
        await house.until(day(2032, 3, 2))
        assert await states(house, JOOST) == []
        await house.until(day(2033, 3, 2) - MOMENT)
        assert await states(house) == ["inactive"]
        await house.until(day(2033, 3, 2))
        assert await states(house) == []


async def test_a_region_chooses_its_terms(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, active_years=1, erase_years=3) as house:
        await house.answer(FATIMA, BABY)
        assert (await house.answer(FATIMA, "ja"))["active_until"] == "2027-03-02"
        await house.until(day(2029, 3, 2))
        assert await states(house) == []


async def test_who_ended_leaves_the_room_and_newcomers_see_them_once(house: House) -> None:
    await house.place(FATIMA, BABY)
    await house.until(START + timedelta(days=100))
    await house.place(JOOST, BABY)
    await house.until(day(2028, 3, 2))
    assert await house.wanted_in() == {JOOST}
    assert house.last("M1", "match.left")["user_id"] == FATIMA
    await house.place(LIN, BABY)
    (earlier,) = house.last(LIN, "match.earlier")["participants"]
    assert (earlier["user_id"], earlier["until"]) == (FATIMA, "2028-03-02")
    assert {who["user_id"] for who in house.last(LIN, "match.notice")["participants"]} == {JOOST}


async def test_what_ended_may_be_placed_anew(house: House) -> None:
    first = await house.place(FATIMA)
    await house.until(day(2028, 3, 2))
    assert await house.place(FATIMA) != first
    assert await states(house) == ["inactive", "active"]


async def test_who_places_before_a_late_sweep_learns_nothing_of_what_should_be_gone(house: House) -> None:
    await house.place(FATIMA, BABY)
    house.now = day(2028, 3, 2)
    await house.place(JOOST, BABY)
    assert "match.notice" not in house.kinds(JOOST)
    assert "match.notice" not in house.kinds(FATIMA)
    assert house.last(JOOST, "match.earlier")["participants"][0]["until"] == "2028-03-02"
    house.now = day(2031, 3, 2)
    await house.place(LIN, BABY)
    told = house.last(LIN, "match.earlier")["participants"]
    assert [who["user_id"] for who in told] == [JOOST]


@pytest.mark.parametrize(
    "monday", [datetime(2028, 3, 27, tzinfo=UTC), datetime(2028, 10, 30, tzinfo=UTC)], ids=["23 hours", "25 hours"]
)
async def test_days_begin_at_midnight_in_amsterdam_also_when_the_clocks_change(house: House, monday: datetime) -> None:
    """The Sunday before is shorter or longer by an hour: what ends on the Monday ends neither early nor twice."""
    begins = midnight(monday.date())
    assert begins - midnight(monday.date() - timedelta(days=1)) in {timedelta(hours=23), timedelta(hours=25)}
    house.now = midnight(date(2026, monday.month, monday.day)) + timedelta(hours=12)
    await house.place(FATIMA, BABY)
    for moment, state, heard in (
        (begins - timedelta(hours=1), "active", 0),
        (begins - MOMENT, "active", 0),
        (begins, "inactive", 1),
        (begins + timedelta(hours=1), "inactive", 1),
        (begins + timedelta(hours=25), "inactive", 1),
    ):
        await house.until(moment)
        assert await states(house) == [state]
        assert house.kinds(FATIMA).count("signal.expired") == heard


async def test_a_clock_that_goes_back_a_day_does_nothing_twice(house: House) -> None:
    for who in (FATIMA, JOOST):
        await house.place(who, BABY)
    for moment, kind, left in (
        (day(2028, 3, 2), "signal.expired", ["inactive"]),
        (day(2031, 3, 2), "signal.erased", []),
    ):
        for back in (0, 1, 0):
            await house.until(moment - timedelta(days=back))
            assert await states(house) == left
            assert house.kinds(FATIMA).count(kind) == house.kinds(JOOST).count(kind) == 1
    assert house.kinds("M1").count("match.left") == 2


async def test_a_late_sweep_keeps_nobody_from_being_introduced(house: House) -> None:
    await house.place(FATIMA, BABY)
    await house.until(START + timedelta(days=100))
    await house.place(JOOST, BABY)
    house.now = day(2028, 3, 2)
    # By rights Joost is alone in the room by now: Lin does not wait for what Fatima's signal would decide.
    await house.place(LIN, BABY)
    assert {who["user_id"] for who in house.last(LIN, "match.notice")["participants"]} == {JOOST}
    assert [who["user_id"] for who in house.last(LIN, "match.earlier")["participants"]] == [FATIMA]
    assert await house.wanted_in() == {JOOST, LIN}
    await house.sweep()
    assert house.kinds(FATIMA).count("signal.expired") == 1


async def test_what_ended_may_be_placed_anew_and_is_shown_as_ended_before_a_late_sweep(house: House) -> None:
    await house.place(FATIMA, BABY)
    house.now = day(2028, 3, 2)
    await house.place(FATIMA, BABY)
    assert await states(house) == ["inactive", "active"]
    house.now = day(2031, 3, 2)
    assert await states(house) == ["inactive"]


async def test_what_should_be_gone_cannot_be_withdrawn_before_a_late_sweep(house: House) -> None:
    ref = await house.place(FATIMA, BABY)
    house.now = day(2028, 3, 2)
    assert (await house.answer(FATIMA, f"intrekken {ref} klaar"))["code"] == "not_allowed"
    house.now = day(2031, 3, 2)
    assert (await house.answer(FATIMA, f"intrekken {ref} fout"))["code"] == "not_found"


async def test_who_is_restored_before_a_late_sweep_is_not_introduced_over_what_ended(house: House) -> None:
    await house.place(FATIMA, BABY)
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    await house.until(START + timedelta(days=100))
    await house.place(JOOST, BABY)
    house.now = day(2028, 3, 2)
    await house.answer(ANNA, f"professional herstellen {FATIMA}")
    for who in (FATIMA, JOOST):
        assert "match.notice" not in house.kinds(who)
    # It came due while she heard nothing.
    await house.sweep()
    assert "signal.expired" not in house.kinds(FATIMA)


async def test_who_is_suspended_before_a_late_sweep_hears_what_was_due_before(house: House) -> None:
    await house.place(FATIMA, BABY)
    house.now = day(2028, 3, 2)
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    await house.sweep()
    assert house.kinds(FATIMA).count("signal.expired") == 1


async def test_the_suspended_hear_nothing_of_what_ends(house: House) -> None:
    await house.place(FATIMA, BABY)
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    heard = house.heard(FATIMA)
    await house.until(day(2031, 3, 2))
    assert house.heard(FATIMA) == heard


async def test_what_is_due_can_be_counted_without_doing_it(house: House) -> None:
    await house.place(FATIMA, BABY)
    await house.answer(FATIMA, SANNE)
    house.now = day(2028, 3, 2)
    for _ in range(2):
        due = await count_due(house.storage)
        assert (due["signals"], due["questions"], due["audit_head"]) == (1, 1 + 1, 1)
        assert due["cards"] >= 2
    await house.sweep()
    assert set((await count_due(house.storage)).values()) == {0}


async def test_counting_what_is_due_waits_for_no_writer_and_holds_none(house: House) -> None:
    await house.place(FATIMA, BABY)
    house.now = day(2028, 3, 2)
    async with asyncio.timeout(5), house.storage.unit():
        assert (await count_due(house.storage))["signals"] == 1
