import pytest
from hypothesis import given

from domain.address import Address
from domain.birth import BirthDate
from domain.child import Child
from domain.levels import Born, Given, House, Postcode, Street, Surname, born_level, given_level, levels, surname_level
from domain.names import given_names, surname_parts
from domain.profile import Profile
from tests.unit.strategies import children

HERE = Address("home", "9203ZX", 12)


def profile(given: str = "Sanne", surname: str = "de Vries", address: Address = HERE) -> Profile:
    return Profile.of(Child(given, surname, BirthDate(2015, 3, 14), address))


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("Anne-Marie", ("annemarie",)),
        ("Anne Marie", ("anne", "marie")),
        ("J.P.", ("j", "p")),
        ("Abd el-Rahman Ali", ("abdelrahman", "ali")),
        ("Abdul Rahman", ("abdulrahman",)),
        ("Al", ("al",)),
        ("IJsbrand Zoë", ("ysbrand", "zoe")),
        ("D\u2019Angelo", ("dangelo",)),
    ],
)
def test_given_names_to_compare(typed: str, names: tuple[str, ...]) -> None:
    assert given_names(typed) == names


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("van der Berg", ("berg",)),
        ("Berg, v.d.", ("berg",)),
        ("de Boer-van 't Hof", ("boer", "hof")),
        ("Le", ("le",)),
        ("El Idrissi", ("idrissi",)),
    ],
)
def test_parts_of_a_surname(typed: str, parts: tuple[str, ...]) -> None:
    assert surname_parts(typed) == parts


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("Sanne", "SANNE", Given.SAME),
        ("Sanne Maria", "Sanne", Given.SAME),
        ("Anne-Marie", "Annemarie", Given.SAME),
        ("Sanne Maria", "Sanne Maria Helena", Given.MORE),
        ("Sanne M.", "Sanne Maria", Given.SAME),
        ("Johannes", "Jan", Given.CALL),
        ("Johannes Pieter", "Jan P.", Given.CALL),
        ("Mohamed Amin", "Mohamed Ali", Given.APART),
        ("Johannes Pieter", "Jan Willem", Given.APART),
        ("Aaron Mitch Nout", "Aaron Mitch Jarno", Given.APART),
        ("Anna Maria Sophia", "Anna Sophia", Given.MORE),
        ("Jan", "Hans", Given.SIMILAR),  # two call names of Johannes
        ("Lucas", "Luuk", Given.BEGINS),  # both are given today: not in the table
        ("Anne-Marie", "Anne-Sophie", Given.BEGINS),
        ("Anne-Marie", "Anne", Given.SIMILAR),
        ("Charlotte", "Lotte", Given.SIMILAR),
        ("Tim", "Tom", Given.SIMILAR),
        ("Youssef", "Yousef", Given.TYPO),
        ("Maria Sanne", "Sanne", Given.AMONG),
        ("Maria Johanna", "Anna Maria", Given.AMONG),
        ("S.", "Sanne", Given.INITIAL),
        ("S.", "S.", Given.INITIAL),
        ("I.", "IJsbrand", Given.INITIAL),
        ("IJ.", "IJsbrand", Given.INITIAL),
        ("N.", "Sanne", Given.OTHER),
        ("Sanne", "Noor", Given.OTHER),
        ("", "Noor", Given.UNKNOWN),
    ],
)
def test_given_names(one: str, other: str, level: Given) -> None:
    assert given_level(given_names(one), given_names(other)) is level
    assert given_level(given_names(other), given_names(one)) is level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("van der Berg", "Berg, van der", Surname.SAME),
        ("Jansen-de Boer", "de Boer-Jansen", Surname.SAME),
        ("van den Berg", "Vandenberg", Surname.SAME),
        ("de Vries", "Vries", Surname.CORE),
        ("v.d. Berg", "van der Berg", Surname.CORE),
        ("u.d. Boogaard", "uit den Boogaard", Surname.CORE),
        ("od Beek", "op de Beek", Surname.CORE),
        ("v.h. Hof", "van 't Hof", Surname.CORE),
        ("v't Hof", "van 't Hof", Surname.CORE),
        ("Jansen-de Boer", "de Boer", Surname.PART),
        ("Dijkstra", "Dykstra", Surname.SAME),
        ("Janssen", "Jansen", Surname.TYPO),
        ("Kowalski", "Kowalska", Surname.TYPO),
        ("Jansen", "Dijkstra", Surname.OTHER),
        ("", "Jansen", Surname.UNKNOWN),
    ],
)
def test_surnames(one: str, other: str, level: Surname) -> None:
    assert surname_level(profile(surname=one), profile(surname=other)) is level
    assert surname_level(profile(surname=other), profile(surname=one)) is level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("20150314", "20150314", Born.SAME),
        ("20150304", "20150403", Born.SWAPPED),
        ("20150314", "20150315", Born.TYPO),
        ("20150314", "20150341", Born.TYPO),
        ("20150314", "20150327", Born.MOST),
        ("20150314", "201503", Born.MONTH),
        ("201503", "2015", Born.YEAR),
        ("2015", "2015", Born.YEAR),
        ("20150314", "2016", Born.OTHER),
        ("20150314", "20171102", Born.OTHER),
        ("20150314", "", Born.UNKNOWN),
    ],
)
def test_birth_dates(one: str, other: str, level: Born) -> None:
    assert born_level(one, other) is level
    assert born_level(other, one) is level


@pytest.mark.parametrize(
    ("other", "postcode", "house"),
    [
        (HERE, Postcode.SAME, House.SAME),
        (Address("home", "9203ZX", 12, "2"), Postcode.SAME, House.SUFFIX),
        (Address("home", "9203XZ", 12), Postcode.SWAPPED, House.SAME),
        (Address("home", "9203ZV", 12), Postcode.TYPO, House.SAME),
        (Address("home", "9203AB", 88), Postcode.AREA, House.OTHER),
        (Address("home", "1011AB", 13), Postcode.OTHER, House.TYPO),
        (Address("none"), Postcode.UNKNOWN, House.UNKNOWN),
        (Address("secret"), Postcode.UNKNOWN, House.UNKNOWN),
    ],
)
def test_addresses(other: Address, postcode: Postcode, house: House) -> None:
    agreed = levels(profile(), profile(address=other))
    assert (agreed.postcode, agreed.house, agreed.street) == (postcode, house, Street.UNKNOWN)


def test_names_in_each_others_place() -> None:
    agreed = levels(profile("Sanne", "Dijkstra"), profile("Dijkstra", "Sanne"))
    assert (agreed.given, agreed.surname) == (Given.SWAPPED, Surname.SWAPPED)


@given(children, children)
def test_levels_are_the_same_whichever_comes_first(one: Child, other: Child) -> None:
    assert levels(Profile.of(one), Profile.of(other)) == levels(Profile.of(other), Profile.of(one))


def test_nothing_of_a_child_in_a_repr() -> None:
    assert "sanne" not in repr(profile()).casefold()
