"""Who meets whom: nobody joins who is not matched with all that are there, and nobody waits who need not."""

import random
from collections.abc import Mapping
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.introducing import Decided, Group, Meeting, Pairing, Plan, contradicted, plan

AUTO, CONFIRMED, REFUSED, REVIEW = Pairing.AUTO, Pairing.CONFIRMED, Pairing.REFUSED, Pairing.REVIEW
Pairings = Mapping[frozenset[int], Pairing | None]
ME = 9


def says(pairings: Pairings) -> Decided:
    return lambda one, other: pairings.get(frozenset({one, other}))


def planned(groups: list[Group], others: Mapping[int, Pairing], between: Mapping[tuple[int, int], Pairing]) -> Plan:
    """For `ME`, what was decided about the others and me, and about the others among themselves."""
    pairings = {frozenset({ME, other}): pairing for other, pairing in others.items()}
    pairings |= {frozenset(pair): pairing for pair, pairing in between.items()}
    matched = [other for other, pairing in others.items() if pairing.matched]
    return plan(ME, matched, groups, says(pairings))


@pytest.mark.parametrize(
    ("first", "second", "third", "doubtful"),
    [
        (REFUSED, AUTO, AUTO, {(2, ME), (1, 2)}),
        (REFUSED, CONFIRMED, AUTO, {(1, 2)}),
        (REFUSED, AUTO, CONFIRMED, {(2, ME)}),
        (REFUSED, CONFIRMED, CONFIRMED, set()),
        (REFUSED, AUTO, REFUSED, set()),
        (REFUSED, AUTO, REVIEW, set()),
        (REFUSED, AUTO, None, set()),
        (REFUSED, REVIEW, AUTO, set()),
        (AUTO, AUTO, AUTO, set()),
        (REVIEW, AUTO, AUTO, set()),
    ],
)
def test_of_three_of_which_two_are_two_children_the_third_is_not_both(
    first: Pairing, second: Pairing, third: Pairing | None, doubtful: set[tuple[int, int]]
) -> None:
    """`first` and `second`: between me and 1 and 2; `third`: between these. What a coordinator said is not asked."""
    pairings = {(1, 2): third}
    assert contradicted(ME, {1: first, 2: second}, lambda one, other: pairings[one, other]) == doubtful


@pytest.mark.parametrize("pairing", [AUTO, CONFIRMED])
def test_two_begin_an_introduction(pairing: Pairing) -> None:
    assert planned([], {1: pairing}, {}) == Plan((Meeting(None, (ME, 1)),), frozenset())


@pytest.mark.parametrize("pairing", [AUTO, CONFIRMED])
def test_one_joins_an_introduction_of_all_that_are_matched(pairing: Pairing) -> None:
    group = Group(7, frozenset({1, 2}))
    assert planned([group], {1: AUTO, 2: pairing}, {(1, 2): AUTO}).meetings == (Meeting(7, (ME,)),)


def test_another_joins_mine() -> None:
    group = Group(7, frozenset({1, ME}))
    assert planned([group], {1: AUTO, 2: AUTO}, {(1, 2): CONFIRMED}).meetings == (Meeting(7, (2,)),)


@pytest.mark.parametrize("pairing", [None, REVIEW])
def test_who_is_not_decided_on_is_waited_for_and_named(pairing: Pairing | None) -> None:
    group = Group(7, frozenset({1, 2}))
    others = {1: AUTO} | ({2: pairing} if pairing else {})
    assert planned([group], others, {(1, 2): AUTO}) == Plan((), frozenset({(2, ME)}))


def test_who_is_refused_by_one_meets_the_other_apart() -> None:
    group = Group(7, frozenset({1, 2}))
    assert planned([group], {1: AUTO, 2: REFUSED}, {(1, 2): AUTO}) == Plan((Meeting(None, (ME, 1)),), frozenset())


def test_a_refusal_by_one_leaves_nothing_to_be_asked_of_another() -> None:
    group = Group(7, frozenset({1, 2, 3}))
    follows = planned([group], {1: AUTO, 2: REFUSED}, {(1, 2): AUTO, (1, 3): AUTO, (2, 3): AUTO})
    assert follows == Plan((Meeting(None, (ME, 1)),), frozenset())


def test_several_that_are_matched_make_one_circle() -> None:
    between = dict.fromkeys(combinations((1, 2, 3), 2), AUTO)
    assert planned([], dict.fromkeys((1, 2, 3), AUTO), between).meetings == (Meeting(None, (ME, 1, 2, 3)),)


def test_several_that_are_refused_make_a_circle_each() -> None:
    follows = planned([], {1: AUTO, 2: AUTO}, {(1, 2): REFUSED})
    assert follows == Plan((Meeting(None, (ME, 1)), Meeting(None, (ME, 2))), frozenset())


def test_several_that_are_not_decided_on_wait_for_the_oldest() -> None:
    assert planned([], {1: AUTO, 2: AUTO}, {}) == Plan((Meeting(None, (ME, 1)),), frozenset({(1, 2)}))


def test_who_could_meet_in_a_circle_that_is_begun_later_does() -> None:
    follows = planned([], dict.fromkeys((1, 2, 3), AUTO), {(1, 3): REFUSED, (2, 3): AUTO})
    assert follows == Plan((Meeting(None, (ME, 1)), Meeting(None, (ME, 3, 2))), frozenset())


def test_who_is_together_is_left_alone() -> None:
    group = Group(7, frozenset({1, ME}))
    assert planned([group], {1: AUTO}, {}) == Plan((), frozenset())


@st.composite
def situations(draw: st.DrawFn) -> tuple[int, list[int], list[Group], Pairings]:
    """A signal, those that it is matched with, open introductions of theirs, and what was decided about whom."""
    signals = draw(st.lists(st.integers(1, 20), min_size=2, max_size=7, unique=True))
    decisions = st.sampled_from([AUTO, AUTO, CONFIRMED, REFUSED, REVIEW, None])
    pairings: dict[frozenset[int], Pairing | None] = {
        frozenset(pair): draw(decisions) for pair in combinations(signals, 2)
    }
    decided = says(pairings)
    new = draw(st.sampled_from(signals))
    matched = [other for other in signals if other != new and _matched(decided, new, other)]
    groups = []
    for number in range(draw(st.integers(0, 3))):
        together: set[int] = set()
        for signal in draw(st.permutations(signals)):
            if all(_matched(decided, signal, each) for each in together) and draw(st.booleans()):
                together.add(signal)
        if together & {new, *matched}:
            groups.append(Group(number, frozenset(together)))
    return new, matched, groups, pairings


def _matched(decided: Decided, one: int, other: int) -> bool:
    pairing = decided(one, other)
    return pairing is not None and pairing.matched


def after(groups: list[Group], follows: Plan) -> list[Group]:
    """The introductions that there are, once this is done."""
    joined = {meeting.introduction: meeting.joining for meeting in follows.meetings if meeting.introduction is not None}
    begun = [meeting.joining for meeting in follows.meetings if meeting.introduction is None]
    grown = [Group(each.introduction, each.signals.union(joined.get(each.introduction, ()))) for each in groups]
    return grown + [Group(100 + number, frozenset(joining)) for number, joining in enumerate(begun)]


@given(situations())
def test_all_that_are_together_are_matched(situation: tuple[int, list[int], list[Group], Pairings]) -> None:
    new, matched, groups, pairings = situation
    for group in after(groups, plan(new, matched, groups, says(pairings))):
        for one, other in combinations(group.signals, 2):
            assert _matched(says(pairings), one, other)


@given(situations())
def test_each_meets_or_waits_for_what_is_named(situation: tuple[int, list[int], list[Group], Pairings]) -> None:
    new, matched, groups, pairings = situation
    follows = plan(new, matched, groups, says(pairings))
    circles = [group.signals for group in after(groups, follows)]
    for other in matched:
        waits = any({one, two} & {new, other} for one, two in follows.undecided)
        assert waits or any({new, other} <= circle for circle in circles)
    for one, two in follows.undecided:
        assert one < two
        assert pairings[frozenset({one, two})] in {REVIEW, None}


@given(situations())
def test_who_is_together_does_not_meet_again(situation: tuple[int, list[int], list[Group], Pairings]) -> None:
    new, matched, groups, pairings = situation
    together = {other for group in groups if new in group.signals for other in group.signals - {new}}
    for meeting in plan(new, matched, groups, says(pairings)).meetings:
        assert together.isdisjoint(meeting.joining)


@given(situations())
def test_planned_again_nothing_new_follows(situation: tuple[int, list[int], list[Group], Pairings]) -> None:
    new, matched, groups, pairings = situation
    follows = plan(new, matched, groups, says(pairings))
    assert plan(new, matched, after(groups, follows), says(pairings)) == Plan((), follows.undecided)


@given(situations(), st.randoms())
def test_in_which_order_they_were_found_says_nothing(
    situation: tuple[int, list[int], list[Group], Pairings], chance: random.Random
) -> None:
    new, matched, groups, pairings = situation
    follows = plan(new, matched, groups, says(pairings))
    others, circles = chance.sample(matched, len(matched)), chance.sample(groups, len(groups))
    assert plan(new, others, circles, says(pairings)) == follows
