"""Invented children, dates and addresses for the property tests."""

from datetime import date

from hypothesis import strategies as st

from domain.address import Address
from domain.birth import BirthDate
from domain.child import Child
from domain.life import Terms

days = st.dates(date(1990, 1, 1), date(2060, 12, 31))
full_births = days.map(lambda day: BirthDate(day.year, day.month, day.day))
births = st.one_of(
    full_births,
    days.map(lambda day: BirthDate(day.year, day.month)),
    days.map(lambda day: BirthDate(day.year)),
)
homes = st.builds(
    Address,
    st.just("home"),
    st.from_regex(r"[1-9][0-9]{3}(?!S[ADS])[A-Z]{2}", fullmatch=True),
    st.integers(1, 99_999),
    st.sampled_from(["", "a", "bis", "2", "2-1", "a2", "huis"]),
)
addresses = st.one_of(homes, st.just(Address("none")), st.just(Address("secret")))
given_names = st.sampled_from(["Sanne", "Noor", "Anne-Marie", "Zoë", "Ömer Faruk", "Jan", "D'Angelo", "Ilse"])
surnames = st.sampled_from(
    [
        "Vries",
        "de Vries",
        "Vries, de",
        "Jansen",
        "Jansen-de Boer",
        "van 't Hof",
        "El Idrissi",
        "Łukasiewicz",
        "Dijkstra",
    ]
)
children = st.builds(Child, given_names, surnames, births, addresses)
terms = st.builds(
    Terms,
    active_years=st.integers(1, 3),
    erase_years=st.integers(1, 6),
    erase_from=st.sampled_from(["placed", "inactive"]),
    remind_days=st.sampled_from([1, 30, 90, 400]),
)
