"""Who is introduced, who is asked about, who is a stranger."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import callnames
from domain.address import Address, parse_address
from domain.birth import BirthDate
from domain.callname_table import CALLED, PERHAPS
from domain.candidates import tags
from domain.child import Child
from domain.levels import Born, Given
from domain.matcher import GUARDS, Matcher
from domain.matching import Verdict
from domain.names import fold
from domain.profile import Profile
from domain.weights import Frequencies, threshold
from handlers.weights import learned
from tests.unit.strategies import children, full_births, homes
from training import register
from training.invented import GIVEN, GIVEN_ELSEWHERE

SANNE = Child("Sanne", "Dijkstra", BirthDate(2015, 3, 14), Address("home", "9203ZX", 95, "a"))
MATCHER = Matcher(learned(), 100_000)
UNGUARDED = Matcher(learned(), 100_000, guarded=False)


def verdict(one: Child, other: Child, matcher: Matcher = MATCHER) -> Verdict:
    decision = matcher.decide(Profile.of(one), Profile.of(other))
    assert decision == matcher.decide(Profile.of(other), Profile.of(one))
    return decision.verdict


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"given": "Sanne Maria"},
        {"surname": "DIJKSTRA"},
        {"surname": "Dykstra"},
        {"surname": "Dijkstra-de Boer"},
        {"surname": "Dijksta"},
        {"born": BirthDate(2015, 3, 15)},
        {"address": Address("home", "9203ZX", 95)},
        {"address": Address("home", "9203ZA", 95, "a")},
    ],
)
def test_one_child_is_matched(change: dict[str, Any]) -> None:
    assert verdict(SANNE, replace(SANNE, **change)) is Verdict.AUTO


def test_a_known_call_name_is_enough() -> None:
    assert verdict(replace(SANNE, given="Johannes"), replace(SANNE, given="Jan")) is Verdict.AUTO


@pytest.mark.parametrize(
    ("formal", "short"), [("Hendrik", "Henk"), ("Catharina", "Trijn"), ("Maria", "Marieke"), ("Małgorzata", "Gosia")]
)
def test_call_names_that_everybody_knows(formal: str, short: str) -> None:
    assert verdict(replace(SANNE, given=formal), replace(SANNE, given=short)) is Verdict.AUTO


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ({"given": "Sannne"}, "guard.twin"),
        ({"given": "S."}, "guard.twin"),
        ({"given": "Sophie"}, "guard.twin"),  # begins with the same letter: may be a call name
        ({"given": "Maria Sanne"}, "guard.twin"),
        ({"born": BirthDate(2015, 3)}, "guard.born"),
        ({"born": BirthDate(2015)}, "guard.born"),
        ({"born": BirthDate(2017, 11, 2)}, "guard.born"),
        ({"surname": "Bakker"}, "guard.surname"),
        ({"address": Address("secret")}, "guard.shielded"),
    ],
)
def test_a_coordinator_is_asked(change: dict[str, Any], guard: str) -> None:
    other = replace(SANNE, **change)
    decision = MATCHER.decide(Profile.of(SANNE), Profile.of(other))
    assert decision.verdict is Verdict.REVIEW
    assert guard in decision.reasons


def test_two_partial_dates_are_never_certain() -> None:
    child = replace(SANNE, born=BirthDate(2015, 3))
    assert verdict(child, child) is Verdict.REVIEW


def test_a_twin_is_a_stranger_and_without_guards_would_not_be() -> None:
    twin = replace(SANNE, given="Noor")
    assert verdict(SANNE, twin) is Verdict.NONE
    assert verdict(SANNE, twin, UNGUARDED) is Verdict.AUTO


def test_brothers_and_sisters_are_strangers() -> None:
    assert verdict(SANNE, replace(SANNE, given="Noor", born=BirthDate(2017, 11, 2))) is Verdict.NONE
    assert verdict(SANNE, replace(SANNE, given="Sanna", born=BirthDate(2017, 11, 2))) is Verdict.NONE


def test_a_thousand_pairs_of_twins_without_one_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "TWINS", 1)
    everybody, _ = register.population(2000, random.Random(2))
    for one, other in zip(everybody[::2], everybody[1::2], strict=True):
        assert (one.twin, one.family, one.born) == (other.child, other.family, other.born)
        twins = [_child(row.given, one.surname, one.born, one.postcode) for row in (one, other)]
        assert verdict(twins[0], twins[1]) is not Verdict.AUTO
        assert verdict(twins[0], twins[1], UNGUARDED) is not Verdict.NONE


TWINS = [
    ("Mohamed", "Mohamed Amin"), ("Mohamed Ali", "Mohamed Amin"), ("Muhammed", "Muhammed Emin"), ("Mo", "Mohammed Ali"),
    ("Maria", "Maria Johanna"), ("Anna", "Annelies"), ("Anna", "Johanna"), ("Anne-Marie", "Anne-Sophie"), ("J.", "Jan"),
    ("Jan", "Hans"), ("J. P.", "Jan Pieter"), ("Emma Julia", "Julia"), ("Tim", "Tom"), ("Noor", "Noortje"),
    ("Thijs", "Matthijs"), ("Sara", "Sarah"), ("Daan", "Luuk"), ("Yasmin", "Yasmina"), ("Lisa", "Liza"),
]  # fmt: skip


def test_a_thousand_twins_known_by_names_that_are_alike_without_one_match() -> None:
    by = random.Random(4)
    homes, surnames = ["9203ZX", "9203AB", "1011CD"], ["de Vries", "El Khattabi", "Jansen-de Boer", "Zijlstra", "Osman"]
    for trial in range(1000):
        name, its = TWINS[trial % len(TWINS)]
        born = f"{by.randint(2004, 2025)}{by.randint(1, 12):02}{by.randint(1, 28):02}"
        surname, home = by.choice(surnames), by.choice(homes)
        one, other = (_child((given,), surname, born, home) for given in (name, its))
        assert verdict(one, other) is not Verdict.AUTO, (name, its)
        assert verdict(one, other, UNGUARDED) is not Verdict.NONE, (name, its)


def test_a_name_that_brothers_share_is_certain_when_the_next_agrees_too() -> None:
    alone, amin = replace(SANNE, given="Mohamed"), replace(SANNE, given="Mohamed Amin")
    assert verdict(alone, amin) is Verdict.REVIEW
    assert verdict(amin, amin) is Verdict.AUTO
    assert verdict(alone, alone) is Verdict.AUTO
    assert verdict(replace(SANNE, given="Jan"), replace(SANNE, given="Jan Pieter")) is Verdict.AUTO


def test_no_two_usual_names_of_today_are_taken_for_one_child() -> None:
    names = [*GIVEN[: GIVEN.index("Johannes")], *GIVEN_ELSEWHERE]
    for one in names:
        for other in names:
            if fold(one) != fold(other):
                assert verdict(replace(SANNE, given=one), replace(SANNE, given=other)) is not Verdict.AUTO, (one, other)


@given(children, st.sampled_from(["Sanne", "Noor", "Jan", "Ömer Faruk", "Anne-Marie"]), full_births, homes)
def test_only_the_same_first_name_is_automatic(child: Child, name: str, born: BirthDate, home: Address) -> None:
    one, other = replace(child, born=born, address=home), replace(child, given=name, born=born, address=home)
    decision = MATCHER.decide(Profile.of(one), Profile.of(other))
    if decision.verdict is Verdict.AUTO:
        assert fold(child.given).split()[0] == fold(name).split()[0]
        assert not GUARDS & set(decision.reasons)


@given(children, children)
def test_a_guard_never_lets_an_automatic_match_through(one: Child, other: Child) -> None:
    decision = MATCHER.decide(Profile.of(one), Profile.of(other))
    if decision.verdict is Verdict.AUTO:
        assert one.born.full
        assert other.born.full
        assert not (one.shielded)
        assert not (other.shielded)
        assert not GUARDS & set(decision.reasons)
    if decision.verdict is not Verdict.NONE:
        assert decision.score <= UNGUARDED.decide(Profile.of(one), Profile.of(other)).score


def test_decisions_explain_themselves_without_saying_whose() -> None:
    decision = MATCHER.decide(
        Profile.of(replace(SANNE, given="Johannes")), Profile.of(replace(SANNE, given="Jan", address=Address("none")))
    )
    assert decision.reasons == (
        Born.SAME, Given.CALL, "surname.same", "postcode.unknown", "house.unknown", "street.unknown",
        "place.unknown",
    )  # fmt: skip


def test_a_misspelled_name_is_not_worth_more_than_the_name_however_common_it_is() -> None:
    jansen = replace(SANNE, surname="Jansen")
    often = Frequencies(learned().usual)
    for _ in range(1000):
        often.count(Profile.of(jansen))
    matcher = Matcher(learned(), 100_000, often)
    same, misspelled = (
        matcher.decide(Profile.of(jansen), Profile.of(replace(jansen, surname=surname))).score
        for surname in ("Jansen", "Janssen")
    )
    assert misspelled <= same


def test_the_first_of_january_counts_for_less() -> None:
    def score(born: BirthDate) -> float:
        child = Profile.of(replace(SANNE, born=born))
        return MATCHER.decide(child, child).score

    assert score(BirthDate(2015, 1, 1)) < score(BirthDate(2015, 1, 2)) - 3


def test_a_sample_counts_whoever_is_in_it() -> None:
    often = []
    for sample in (False, True):
        counted = Frequencies(learned().usual, sample=sample)
        counted.count(Profile.of(SANNE))
        often.append(counted.of("surname", "dykstra"))
    assert often[1] > often[0]  # of the whole register, the one counted is one of the two compared


@given(st.permutations(["de Boer", "van der Wal", "Jansen"]))
def test_the_order_of_the_parts_of_a_surname_says_nothing(parts: list[str]) -> None:
    first = Profile.of(replace(SANNE, surname="de Boer-van der Wal-Jansen"))
    other = Profile.of(replace(SANNE, surname="-".join(parts)))
    assert MATCHER.decide(first, other) == MATCHER.decide(first, first)
    assert tags(first) == tags(other)


def test_one_home_and_two() -> None:
    def agreed(*houses: str) -> set[str]:
        one, other = (Profile.of(replace(SANNE, address=parse_address(f"9203 ZX {house}"))) for house in houses)
        return {reason for reason in MATCHER.decide(one, other).reasons if reason.startswith("house.")}

    for one in ("12a", "12-A", "12 A"):
        for other in ("12a", "12-A", "12 A"):
            assert agreed(one, other) == {"house.same"}
    assert agreed("12", "12-2") == {"house.suffix"}


def test_what_is_common_counts_for_less() -> None:
    frequencies = Frequencies(learned().usual)
    for number in range(500):
        given = "Emma" if number < 25 else "Sanne" if number == 25 else "Noor"
        frequencies.count(Profile.of(replace(SANNE, given=given, born=BirthDate(2015, 3, 1 + number % 28))))
    counted = Matcher(learned(), 500, frequencies)

    def score(given: str) -> float:
        child = Profile.of(replace(SANNE, given=given))
        return counted.decide(child, child).score

    assert score("Noor") < score("Emma") < score("Sanne")


def test_the_threshold_follows_from_the_size_and_the_odds() -> None:
    assert threshold(9999, 5000) == pytest.approx(25.575, abs=0.001)
    small, large = (Matcher(learned(), size) for size in (1000, 100_000_000))
    moved = replace(SANNE, address=Address("home", "1011AB", 1))
    assert verdict(SANNE, moved, small) is Verdict.AUTO
    assert verdict(SANNE, moved, large) is Verdict.REVIEW


@given(children, children)
def test_what_matches_is_found(one: Child, other: Child) -> None:
    if verdict(one, other) is Verdict.AUTO:
        assert tags(Profile.of(one)) & tags(Profile.of(other))


@given(children)
def test_no_tag_is_that_of_a_name_alone(child: Child) -> None:
    profile = Profile.of(child)
    names = {
        *profile.given,
        *profile.surname,
        *(name for given in profile.given for name in callnames.formal_names(given)),
    }
    for tag in tags(profile):
        kind, *values = tag.split(":")
        assert len(values) >= len(kind.split("+")) > 1
        assert set(values) - names - {name[0] for name in names}  # something beside names and initials


@given(children)
def test_a_signal_has_at_most_nine_kinds_of_tag(child: Child) -> None:
    kinds = {tag.partition(":")[0] for tag in tags(Profile.of(child))}
    assert kinds <= {
        "born+surname", "born+given", "born+initials", "born+area", "swapped+surname", "year+names", "postcode+surname",
        "postcode+number+initial", "area+surname+initial",
    }  # fmt: skip


def test_a_child_of_which_only_names_are_known_has_no_tag() -> None:
    bare = Profile(given=("sanne",), surname=("dijkstra",), whole_surname="dijkstra", born="", postcode="", number="",
                   suffix="")  # fmt: skip
    assert tags(bare) == frozenset()


@pytest.mark.parametrize(
    "change",
    [
        {"given": "Sannne", "address": Address("home", "1011AB", 1)},
        {"surname": "Bakker", "address": Address("home", "1011AB", 1)},
        {"born": BirthDate(2015, 4, 14)},
        {"born": BirthDate(2015)},
        {"given": "S.", "surname": "Dykstra", "address": Address("none")},
        {"given": "Dijkstra", "surname": "Sanne"},
        {"address": Address("secret")},
    ],
)
def test_changed_as_people_change_it_it_is_found(change: dict[str, Any]) -> None:
    other = replace(SANNE, **change)
    assert tags(Profile.of(SANNE)) & tags(Profile.of(other))


def test_day_and_month_swapped_is_found() -> None:
    one = replace(SANNE, born=BirthDate(2015, 3, 4))
    other = replace(SANNE, given="Noor", born=BirthDate(2015, 4, 3), address=Address("none"))
    assert tags(Profile.of(one)) & tags(Profile.of(other))


def test_call_names_are_names_and_of_others() -> None:
    for names in (CALLED, PERHAPS):
        for name, called in callnames.table(names):
            assert called
            assert all(short != name and " " not in short for short in called)


def test_what_may_be_another_childs_name_lets_no_guard_pass() -> None:
    for name, perhaps in callnames.table(PERHAPS):
        for short in perhaps:
            assert not callnames.is_call_name(name, short)
            assert verdict(replace(SANNE, given=name), replace(SANNE, given=short)) is Verdict.REVIEW


def _child(given: tuple[str, ...], surname: str, born: str, postcode: str) -> Child:
    day = BirthDate(int(born[:4]), int(born[4:6]), int(born[6:]))
    return Child(" ".join(given), surname, day, Address("home", postcode, 1))
