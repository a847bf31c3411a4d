"""What a coordinator reads of why two signals may be on one child."""

import pytest

from domain.address import Address
from domain.birth import BirthDate
from domain.child import Child
from domain.levels import FIELDS
from domain.matcher import GUARDS, Matcher
from domain.profile import Profile
from handlers.weights import learned
from handlers.why import LEFT_OUT, TOLD, explain
from handlers.words import say

MATCHER = Matcher(learned(), 100_000)
BORN = BirthDate(2015, 3, 14)
HERE = Address("home", "9203ZX", 12)
JOHANNES = Child("Johannes", "de Vries", BORN, HERE)


def why(other: Child, language: str = "nl") -> list[str]:
    decision = MATCHER.decide(Profile.of(JOHANNES), Profile.of(other))
    return [say(line, language).plain for line in explain(decision)]


def test_every_reason_has_its_text_or_is_left_out_on_purpose() -> None:
    reasons = {str(level) for field in FIELDS for level in field} | GUARDS
    assert {*map(str, TOLD), *map(str, LEFT_OUT)} == reasons
    assert len(set(TOLD)) == len(TOLD)
    assert not set(TOLD) & LEFT_OUT


def test_what_agrees_comes_first() -> None:
    assert why(Child("Jan", "de Vries", BORN, Address("home", "9203ZX", 12, "a"))) == [
        "Dezelfde geboortedatum.",
        "De ene voornaam is een bekende roepnaam van de andere.",
        "Dezelfde achternaam.",
        "Dezelfde postcode.",
        "Hetzelfde huisnummer, maar een andere toevoeging.",
    ]


def test_what_speaks_against_comes_last_and_what_is_not_known_is_not_told() -> None:
    assert why(Child("J.", "de Vries", BirthDate(2015, 3), Address("secret")), "en") == [
        "The same surname.",
        "Only an initial is known, and it fits.",
        "The year and month of birth are the same; the day is not known.",
        "Note: the given name is not surely the same. It may be a twin, or a brother or sister.",
        "Note: the birth date is not surely the same. It may be another child.",
        "Note: the details of at least one of the two are shielded. I never link those by myself.",
    ]


@pytest.mark.parametrize("language", ["nl", "en"])
def test_swapped_names_are_told_once(language: str) -> None:
    told = why(Child("de Vries", "Johannes", BORN, HERE), language)
    assert len(told) == len(set(told)) == 6  # birth date, names, postcode, number, two guards
