from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.birth import BadBirthDate, BirthDate, NotBorn, TooOld, check_age, parse_birth_date
from domain.calendar import age_on
from tests.unit.strategies import births, days, full_births


@pytest.mark.parametrize(
    "typed",
    [
        "14-03-2015", "14-3-2015", "14/3/2015", "14.03.2015", "14 3 2015", "2015-03-14", "2015/3/14", "20150314",
        "14032015", "14 maart 2015", "14 mrt 2015", "14 mrt. 2015", "14-mrt-2015", "14maart2015", "14 March 2015",
        "March 14, 2015", "march 14th 2015", "14e maart 2015", "2015 maart 14", " 14 \u2013 03 \u2013 2015 ",
        "14\u00a0MAART\u00a02015",
    ],
)  # fmt: skip
def test_a_full_date_in_any_usual_writing(typed: str) -> None:
    assert parse_birth_date(typed) == BirthDate(2015, 3, 14)


@pytest.mark.parametrize("typed", ["03-2015", "3/2015", "2015-03", "maart 2015", "mrt. 2015", "March 2015"])
def test_known_to_the_month(typed: str) -> None:
    assert parse_birth_date(typed) == BirthDate(2015, 3)


def test_known_to_the_year() -> None:
    assert parse_birth_date("2015") == BirthDate(2015)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("31-02-2015", "no_such_day"),
        ("29-02-2015", "no_such_day"),
        ("03/14/2015", "no_such_day"),
        ("2015-13", "no_such_day"),
        ("00-2015", "no_such_day"),
        ("0000", "no_such_day"),
        ("14-03-15", "two_digit_year"),
        ("14 maart '15", "two_digit_year"),
        ("140315", "two_digit_year"),
        ("03-15", "two_digit_year"),
        ("", "unreadable"),
        ("gisteren", "unreadable"),
        ("14 maart", "unreadable"),
        ("14-03-2015 of zo", "unreadable"),
        ("14-03-2015-01", "unreadable"),
        ("14:03:2015", "unreadable"),
        ("٣-3-2015", "unreadable"),
        ("9" * 5000, "unreadable"),
        ("1" * 5000 + "!", "unreadable"),
    ],
)
def test_what_is_no_date_says_why(typed: str, code: str) -> None:
    with pytest.raises(BadBirthDate) as refusal:
        parse_birth_date(typed)
    assert refusal.value.code == code


@given(st.text())
def test_any_text_is_a_birth_date_or_is_refused_without_being_repeated(typed: str) -> None:
    read: BirthDate | str
    try:
        read = parse_birth_date(typed)
    except BadBirthDate as refusal:
        read = str(refusal)
    assert isinstance(read, BirthDate) or read in {"unreadable", "no_such_day", "two_digit_year"}


def test_a_traceback_does_not_repeat_what_was_typed() -> None:
    with pytest.raises(BadBirthDate) as refusal:
        parse_birth_date("31-02-2015")
    assert refusal.value.__suppress_context__


@given(days, st.sampled_from(["-", "/", ".", " ", " - ", ""]))
def test_day_first_and_year_first_mean_the_same(day: date, separator: str) -> None:
    day_first = separator.join([f"{day:%d}", f"{day:%m}", f"{day:%Y}"])
    year_first = separator.join([f"{day:%Y}", f"{day:%m}", f"{day:%d}"])
    assert parse_birth_date(day_first) == parse_birth_date(year_first) == BirthDate(day.year, day.month, day.day)


@given(births)
def test_what_is_written_is_read_again(born: BirthDate) -> None:
    assert BirthDate.from_iso(str(born)) == born
    assert parse_birth_date(str(born)) == born


def test_what_is_stored_is_written_in_one_way() -> None:
    assert [str(BirthDate(2015, 3, 4)), str(BirthDate(2015, 3)), str(BirthDate(2015))] == [
        "2015-03-04",
        "2015-03",
        "2015",
    ]
    for text in ("14-03-2015", "2015-3-4", "2015-03-04-05", ""):
        with pytest.raises(BadBirthDate):
            BirthDate.from_iso(text)


def test_no_day_without_its_month() -> None:
    with pytest.raises(BadBirthDate):
        BirthDate(2015, None, 14)


@pytest.mark.parametrize(
    ("born", "earliest", "latest"),
    [
        (BirthDate(2016, 2, 10), date(2016, 2, 10), date(2016, 2, 10)),
        (BirthDate(2016, 2), date(2016, 2, 1), date(2016, 2, 29)),
        (BirthDate(2016), date(2016, 1, 1), date(2016, 12, 31)),
    ],
)
def test_a_partial_date_spans_its_days(born: BirthDate, earliest: date, latest: date) -> None:
    assert (born.earliest, born.latest) == (earliest, latest)


def test_nothing_of_a_child_in_a_repr() -> None:
    assert "2015" not in repr(BirthDate(2015, 3, 14))


def test_the_index_knows_nobody_of_23() -> None:
    born = BirthDate(2003, 11, 24)
    check_age(born, date(2026, 11, 23))
    with pytest.raises(TooOld) as refusal:
        check_age(born, date(2026, 11, 24))
    assert refusal.value.code == "too_old"
    with pytest.raises(TooOld):
        check_age(BirthDate(2003), date(2026, 1, 1))


def test_the_index_knows_nobody_before_birth() -> None:
    check_age(BirthDate(2026, 11, 23), date(2026, 11, 23))
    check_age(BirthDate(2026, 11), date(2026, 11, 1))
    with pytest.raises(NotBorn) as refusal:
        check_age(BirthDate(2026, 11, 24), date(2026, 11, 23))
    assert refusal.value.code == "not_born"
    with pytest.raises(NotBorn):
        check_age(BirthDate(9999), date(2026, 11, 23))


@given(full_births, days)
def test_accepted_from_birth_to_the_day_before_the_23rd_birthday(born: BirthDate, today: date) -> None:
    try:
        check_age(born, today)
    except NotBorn:
        assert born.latest > today
    except TooOld:
        assert born.adult_on <= today
        assert age_on(born.earliest, today) >= 23
    else:
        assert 0 <= age_on(born.earliest, today) < 23
        assert age_on(born.earliest, born.adult_on - timedelta(days=1)) == 22
