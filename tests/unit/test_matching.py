from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import assume, given

from domain.address import Address
from domain.birth import BirthDate
from domain.child import Child
from domain.matching import SCHEME, Verdict, compare, identical, tags
from domain.names import fold
from tests.unit.strategies import addresses, births, children, full_births

SANNE = Child("Sanne", "de Vries", BirthDate(2015, 3, 14), Address("home", "9203ZX", 95, "a"))


@pytest.mark.parametrize(
    "known",
    [
        SANNE,
        replace(SANNE, surname="Vries, de"),
        replace(SANNE, given="SANNE", surname="DE VRIÈS"),
        replace(SANNE, address=Address("home", "1011AB", 1)),
        replace(SANNE, address=Address("none")),
    ],
)
def test_certain(known: Child) -> None:
    decision = compare(SANNE, known)
    assert decision.verdict is Verdict.AUTO
    assert decision.reasons == ("born", "given", "surname")


@pytest.mark.parametrize(
    "known",
    [
        replace(SANNE, given="Noor"),  # her twin
        replace(SANNE, given="Sanne Marie"),
        replace(SANNE, surname="Vries"),
        replace(SANNE, surname="de Vries-Jansen"),
        replace(SANNE, born=BirthDate(2015, 3, 15)),
        replace(SANNE, born=BirthDate(2015, 3)),
        replace(SANNE, address=Address("secret")),
    ],
)
def test_not_certain(known: Child) -> None:
    assert compare(SANNE, known).verdict is Verdict.NONE
    assert compare(known, SANNE).verdict is Verdict.NONE


def test_two_partial_dates_are_never_certain() -> None:
    child = replace(SANNE, born=BirthDate(2015, 3))
    assert compare(child, child).verdict is Verdict.NONE


@given(children, children)
def test_it_does_not_matter_who_came_first(one: Child, other: Child) -> None:
    assert compare(one, other) == compare(other, one)


@given(children, full_births, addresses, addresses)
def test_only_a_shielded_child_does_not_match_itself(
    child: Child, born: BirthDate, here: Address, there: Address
) -> None:
    one, other = replace(child, born=born, address=here), replace(child, born=born, address=there)
    shielded = "secret" in {here.kind, there.kind}
    assert compare(one, other).verdict is (Verdict.NONE if shielded else Verdict.AUTO)


@given(children, children)
def test_what_matches_is_found(one: Child, other: Child) -> None:
    if compare(one, other).verdict is not Verdict.NONE or identical(one, other):
        assert set(tags(one)) & set(tags(other))


@given(children, births)
def test_a_tag_is_never_that_of_a_name_alone(child: Child, born: BirthDate) -> None:
    assume(born != child.born)
    assert set(tags(child)).isdisjoint(tags(replace(child, born=born)))


@given(children)
def test_a_tag_says_its_kind(child: Child) -> None:
    for tag in tags(child):
        kind, _, value = tag.partition(":")
        assert len(kind.split("+")) == len(value.split("|")) > 1
        assert value.split("|")[1] == fold(child.given)


def test_who_changes_what_a_tag_says_counts_the_scheme_up() -> None:
    """Stored tags are made anew only then; if they are not, those signals are found by nobody."""
    several = (SANNE, replace(SANNE, given="Zoë-Anne", surname="van 't Øst"), replace(SANNE, born=BirthDate(2015)))
    said = "\n".join(tag for child in several for tag in sorted(tags(child)))
    assert (SCHEME, sha256(said.encode()).hexdigest()[:16]) == (1, "fba6e505368487ce")


def test_a_professional_places_one_signal_on_a_child() -> None:
    assert identical(SANNE, replace(SANNE, surname="Vries, de", address=Address("secret")))
    assert identical(replace(SANNE, born=BirthDate(2015)), replace(SANNE, born=BirthDate(2015)))
    assert not identical(SANNE, replace(SANNE, given="Noor"))


def test_nothing_of_a_child_in_a_repr() -> None:
    assert "Sanne" not in repr(SANNE)
