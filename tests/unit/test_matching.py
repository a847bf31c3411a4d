from dataclasses import replace
from hashlib import sha256

from hypothesis import given

from domain.address import Address
from domain.birth import BirthDate
from domain.candidates import SCHEME, tags
from domain.child import Child
from domain.matching import identical
from domain.profile import Profile
from tests.unit.strategies import children

SANNE = Child("Sanne", "de Vries", BirthDate(2015, 3, 14), Address("home", "9203ZX", 95, "a"))


def tags_of(child: Child) -> frozenset[str]:
    return tags(Profile.of(child))


def test_who_changes_what_a_tag_says_counts_the_scheme_up() -> None:
    """Stored tags are made anew only then; if they are not, those signals are found by nobody."""
    several = (
        SANNE,
        replace(SANNE, given="Zoë-Anne Jan", surname="van 't Øst"),
        replace(SANNE, born=BirthDate(2015)),
        replace(SANNE, born=BirthDate(2015, 3), address=Address("secret")),
    )
    said = "\n".join(tag for child in several for tag in sorted(tags_of(child)))
    assert (SCHEME, sha256(said.encode()).hexdigest()[:16]) == (3, "e78ebc05275ada8d")


@given(children, children)
def test_what_was_typed_alike_is_found(one: Child, other: Child) -> None:
    again = replace(other, given=one.given, surname=one.surname, born=one.born)
    assert identical(one, again)
    assert tags_of(one) & tags_of(again)


def test_a_professional_places_one_signal_on_a_child() -> None:
    assert identical(SANNE, replace(SANNE, surname="Vries, de", address=Address("secret")))
    assert identical(replace(SANNE, born=BirthDate(2015)), replace(SANNE, born=BirthDate(2015)))
    assert not identical(SANNE, replace(SANNE, given="Noor"))
