"""Days and years as the law counts them: calendar years, and days that begin at midnight in Amsterdam."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def day_of(moment: datetime) -> date:
    """The day that it is in Amsterdam at that moment; ValueError for a moment without a time zone."""
    if moment.utcoffset() is None:
        msg = "a moment without a time zone has no day"
        raise ValueError(msg)
    return moment.astimezone(AMSTERDAM).date()


def midnight(day: date) -> datetime:
    """The moment, in UTC, at which that day begins in Amsterdam."""
    return datetime.combine(day, time.min, AMSTERDAM).astimezone(UTC)


def add_years(day: date, years: int) -> date:
    """The same day so many years on; 29 February becomes 28 February where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def age_on(born: date, day: date) -> int:
    """Age in full years on that day, negative before birth.

    Who was born on 29 February has a birthday on the 28th in other years: the earlier reading, so that nothing is kept
    a day too long.
    """
    years = day.year - born.year
    return years if day >= add_years(born, years) else years - 1
