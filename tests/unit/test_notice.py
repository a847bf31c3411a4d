from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.birth import BirthDate
from domain.calendar import add_years, age_on
from domain.notice import must_tell
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
