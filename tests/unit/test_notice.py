from datetime import date, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from domain.birth import BirthDate
from domain.calendar import add_years, age_on
from domain.faults import BadInput
from domain.notice import ADDRESSEES, BadDay, Chase, Notice, check_told_on, must_tell
from handlers.notice import Telling, read_telling
from tests.unit.strategies import births, days, full_births

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("born", "told"),
    [
        (BirthDate(2026, 11, 23), ("parents",)),
        (BirthDate(2014, 11, 24), ("parents",)),
        (BirthDate(2014, 11, 23), ("parents", "child")),
        (BirthDate(2010, 11, 24), ("parents", "child")),
        (BirthDate(2010, 11, 23), ("child",)),
        (BirthDate(2014, 11), ("parents", "child")),
        (BirthDate(2014), ("parents", "child")),
        (BirthDate(2010), ("parents", "child")),
        (BirthDate(2009), ("child",)),
        (BirthDate(2015), ("parents",)),
    ],
)
def test_who_is_told(born: BirthDate, told: tuple[str, ...]) -> None:
    assert must_tell(born, TODAY) == told


@given(full_births, days)
def test_the_leaflet(born: BirthDate, on: date) -> None:
    age = age_on(born.earliest, on)
    expected = ("parents",) if age < 12 else ("child",) if age >= 16 else ("parents", "child")
    assert must_tell(born, on) == expected


@given(births, days)
def test_a_partial_date_tells_whoever_any_reading_tells(born: BirthDate, on: date) -> None:
    readings = [BirthDate(day.year, day.month, day.day) for day in (born.earliest, born.latest)]
    told = {who for reading in readings for who in must_tell(reading, on)}
    assert told
    assert told <= set(must_tell(born, on))


@given(births, days, st.integers(0, 365))
def test_on_whichever_of_its_days_a_child_was_born_they_are_told(born: BirthDate, on: date, after: int) -> None:
    day = min(born.earliest + timedelta(days=after), born.latest)
    assert set(must_tell(BirthDate(day.year, day.month, day.day), on)) <= set(must_tell(born, on))


@given(full_births)
@example(BirthDate(2012, 2, 29))
def test_it_changes_on_the_12th_and_the_16th_birthday(born: BirthDate) -> None:
    for age, before, since in ((12, ("parents",), ("parents", "child")), (16, ("parents", "child"), ("child",))):
        birthday = add_years(born.earliest, age)
        assert must_tell(born, birthday - timedelta(days=1)) == before
        assert must_tell(born, birthday) == since


@pytest.mark.parametrize(
    ("age", "before", "told"),
    [
        (0, 0, ("parents",)), (12, -1, ("parents",)), (12, 0, ("parents", "child")), (16, -1, ("parents", "child")),
        (16, 0, ("child",)), (23, -1, ("child",)),
    ],
)  # fmt: skip
@given(placed=days)
def test_the_day_of_placing_is_what_counts(age: int, before: int, told: tuple[str, ...], placed: date) -> None:
    """On the birthday itself, and on the day before."""
    born = add_years(placed - timedelta(days=before), -age)
    assume(age_on(born, placed) == (age if before == 0 else age - 1))
    assert must_tell(BirthDate(born.year, born.month, born.day), placed) == told


@given(births, days)
def test_a_partial_date_tells_nobody_whom_no_reading_tells(born: BirthDate, on: date) -> None:
    reading = born.earliest
    told = set()
    while reading <= born.latest:
        told |= set(must_tell(BirthDate(reading.year, reading.month, reading.day), on))
        reading += timedelta(days=1)
    assert set(must_tell(born, on)) == told


@pytest.mark.parametrize(("day", "code"), [("2026-11-24", "future"), ("2025-02-27", "long_ago")])
def test_on_some_days_nobody_can_have_been_told(day: str, code: str) -> None:
    with pytest.raises(BadDay) as refused:
        check_told_on(date.fromisoformat(day), date(2026, 2, 28), TODAY)
    assert refused.value.code == code


@pytest.mark.parametrize("day", ["2026-11-23", "2026-02-28", "2025-02-28"])
def test_beforehand_is_fine(day: str) -> None:
    check_told_on(date.fromisoformat(day), date(2026, 2, 28), TODAY)


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("ouders", Telling(("parents",))),
        ("Jongere", Telling(("child",))),
        ("kind en ouders", Telling(ADDRESSEES)),
        ("all", Telling(ADDRESSEES)),
        ("14-03-2026", Telling((), date(2026, 3, 14))),
        ("ouders 14 maart 2026", Telling(("parents",), date(2026, 3, 14))),
        ("2026-03-14 child", Telling(("child",), date(2026, 3, 14))),
        ("gisteren", Telling((), 1)),
        ("parents; today", Telling(("parents",), 0)),
        ("Uitstel", Telling(postpone=True)),
    ],
)
def test_who_and_when_in_either_order(text: str, telling: Telling) -> None:
    assert read_telling(text) == telling


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("opa", "unknown_choice"), ("ouders uitstel", "unknown_choice"), ("gisteren 14-03-2026", "unreadable"),
        ("31-02-2026", "no_such_day"), ("14-03", "two_digit_year"), ("03-2026", "not_a_day"),
        ("ouders 2026", "not_a_day"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_asked_again(text: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_telling(text)
    assert refused.value.code == code


terms_of_a_region = st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True).map(sorted)


@given(terms_of_a_region, st.lists(st.integers(0, 30), max_size=12), st.none() | st.integers(0, 60))
def test_each_reminder_is_given_once_never_early_and_never_two_on_a_day(
    terms: list[int], gaps: list[int], postponed: int | None
) -> None:
    """Sweeps at any distance, several on one day among them; the last ones come so late that all is due."""
    notice = Notice(must=("parents",), since=TODAY)
    if postponed is not None:
        notice = notice.postpone(TODAY + timedelta(days=postponed))
    look: date | None = notice.next_look(terms, TODAY)
    on, said = TODAY, list[tuple[Chase, date]]()
    for gap in (*gaps, *[100, 0] * (len(terms) + 3)):
        on += timedelta(days=gap)
        if look is None or on < look:
            assert look is not None or said[-1][0] is Chase.REPORT
            continue
        say, notice = notice.chase(terms, on)
        look = notice.next_look(terms, on)
        if say is not None:
            said.append((say, on))
    assert [say for say, _ in said].count(Chase.REPORT) == 1
    assert said[-1][0] is Chase.REPORT
    assert look is None
    days_of = [day for _, day in said]
    assert len(set(days_of)) == len(days_of)
    begun = TODAY
    if postponed is not None:
        (say, begun), *said = said
        assert say is Chase.POSTPONEMENT_ENDED
        assert begun >= TODAY + timedelta(days=postponed)
    *reminders, (_, reported) = said
    assert 1 <= len(reminders) <= len(terms)
    for passed, (say, day) in enumerate(reminders):
        assert say is Chase.REMIND
        assert day >= begun + timedelta(days=terms[passed])
    assert reported > max(begun + timedelta(days=terms[-1]), reminders[-1][1])


@given(st.integers(0, 60))
def test_a_family_that_was_told_is_not_asked_about(later: int) -> None:
    on = TODAY + timedelta(days=later)
    notice = Notice(must=ADDRESSEES, since=TODAY).tick(("child",), TODAY)
    assert notice.left == ("parents",)
    assert notice.told_on is None
    told = notice.tick(("parents",), TODAY - timedelta(days=2))
    assert told.told_on == TODAY
    assert told.chase((3, 14), on) == (None, told)
    assert told.next_look((3, 14), on) is None
