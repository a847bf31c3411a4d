from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import AMSTERDAM, add_years, age_on, day_of, midnight
from tests.unit.strategies import days


def test_a_day_begins_at_midnight_in_amsterdam() -> None:
    assert midnight(date(2026, 1, 10)) == datetime(2026, 1, 9, 23, tzinfo=UTC)
    assert midnight(date(2026, 7, 10)) == datetime(2026, 7, 9, 22, tzinfo=UTC)
    assert day_of(datetime(2026, 7, 9, 21, 59, 59, tzinfo=UTC)) == date(2026, 7, 9)
    assert day_of(datetime(2026, 7, 9, 22, tzinfo=UTC)) == date(2026, 7, 10)


def test_a_day_of_daylight_saving_is_shorter_or_longer() -> None:
    assert midnight(date(2026, 3, 30)) - midnight(date(2026, 3, 29)) == timedelta(hours=23)
    assert midnight(date(2026, 10, 26)) - midnight(date(2026, 10, 25)) == timedelta(hours=25)


def test_a_moment_without_a_zone_has_no_day() -> None:
    with pytest.raises(ValueError, match="time zone"):
        day_of(datetime(2026, 1, 1))  # noqa: DTZ001 (that is the point)


@given(days)
def test_midnight_is_the_first_moment_of_its_day(day: date) -> None:
    assert day_of(midnight(day)) == day
    assert day_of(midnight(day) - timedelta(microseconds=1)) == day - timedelta(days=1)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(AMSTERDAM)))  # noqa: DTZ001 (zoned)
def test_a_moment_is_on_its_day_in_any_zone(moment: datetime) -> None:
    assert day_of(moment.astimezone(UTC)) == moment.date()


@pytest.mark.parametrize(
    ("day", "years", "later"),
    [
        (date(2024, 2, 29), 1, date(2025, 2, 28)),
        (date(2024, 2, 29), 2, date(2026, 2, 28)),
        (date(2024, 2, 29), 4, date(2028, 2, 29)),
        (date(2023, 2, 28), 1, date(2024, 2, 28)),
        (date(2026, 11, 23), 5, date(2031, 11, 23)),
    ],
)
def test_years_are_calendar_years(day: date, years: int, later: date) -> None:
    assert add_years(day, years) == later


def test_who_was_born_on_29_february_has_a_birthday_on_the_28th() -> None:
    born = date(2004, 2, 29)
    assert age_on(born, date(2027, 2, 27)) == 22
    assert age_on(born, date(2027, 2, 28)) == 23
    assert age_on(born, date(2028, 2, 28)) == 23
    assert age_on(born, date(2028, 2, 29)) == 24


@given(days, days)
def test_age_is_the_number_of_birthdays(born: date, day: date) -> None:
    age = age_on(born, day)
    assert add_years(born, age) <= day < add_years(born, age + 1)
