"""Are two signals about one child: introduce, ask a coordinator, or nothing.

The score says how likely it is; the guards say what no score may decide. `certain` looks at all that were found.
"""

from collections.abc import Callable, Hashable, Mapping
from math import inf
from typing import TypeVar

from domain.callnames import formal_names
from domain.levels import Born, Given, Levels, Surname, levels
from domain.matching import Decision, Verdict
from domain.profile import Profile
from domain.weights import AUTO_ODDS, REVIEW_ODDS, Frequencies, Scale, Weights, threshold

GUARDS = frozenset({"guard.twin", "guard.born", "guard.surname", "guard.shielded"})
"""Why a match that scores high enough is not automatic."""
_FIRST_NAME = frozenset({Given.MORE, Given.SAME, Given.CALL})
SHARED_NAMES = frozenset(
    """
    md mohamad mohamed mohammad mohammed mouhamed muhamed muhammad muhammed muhammet bibi maria sayed seyed siti syed
    """.split()  # noqa: SIM905 (a list of words, not a column of quotes)
)
"""Folded first names that brothers or sisters may all bear, and are told apart by the next."""
# Of dates that are known to the day, both.
_BIRTHDAY = frozenset({Born.SAME, Born.SWAPPED, Born.TYPO})
_NO_SURNAME = frozenset({Surname.OTHER, Surname.SWAPPED, Surname.UNKNOWN})

Key = TypeVar("Key", bound=Hashable)


class Matcher:
    """Decides on two profiles. `size` is the number of signals that the one compared with was found among."""

    def __init__(
        self, weights: Weights, size: int, frequencies: Frequencies | None = None, *, guarded: bool = True
    ) -> None:
        often = frequencies or Frequencies(weights.usual)
        self._scale, self._abroad = (Scale(shares, often) for shares in (weights.dutch, weights.abroad))
        self._auto = threshold(AUTO_ODDS, size)
        self._review = threshold(REVIEW_ODDS, size)
        self._guarded = guarded

    def decide(self, one: Profile, other: Profile) -> Decision:
        """The same whichever comes first. The reasons are the levels of agreement and the guards that held."""
        agreed = levels(one, other)
        if self._guarded and _another_child(agreed):
            return Decision(Verdict.NONE, -inf, agreed)
        abroad = (one.abroad or other.abroad) and not (one.dutch_home or other.dutch_home)
        score = (self._abroad if abroad else self._scale).weigh(agreed, one, other)
        guards = tuple(_guards(agreed, one, other)) if self._guarded else ()
        verdict = Verdict.NONE
        if score >= self._review:
            verdict = Verdict.AUTO if score >= self._auto and not guards else Verdict.REVIEW
        return Decision(verdict, score, (*agreed, *guards))


def certain(found: Mapping[Key, Decision], are_one: Callable[[Key, Key], bool]) -> frozenset[Key]:
    """Which of those that one child was compared with it surely is; `are_one` says of two of them whether they are one.

    A twin may go by a second name that is the other's first: beside `Pim Olivia` and her sister `Olivia` nobody knows
    which of them `Olivia` is. So who is not the same as each other who may be meant by that name, is not certain.
    Nor is `Anna Sophia` certainly `Anna`, if that is the same as `Anna Maria`.
    """
    apart = {key for key, each in found.items() if each.verdict is Verdict.REVIEW and Given.APART in each.reasons}
    meant = {key for key, each in found.items() if each.verdict is Verdict.AUTO or _by_another_name(each)}
    return frozenset(
        key
        for key in meant
        if found[key].verdict is Verdict.AUTO
        and all(key == other or are_one(key, other) for other in meant)
        and not any(are_one(key, other) for other in apart)
    )


def _by_another_name(decision: Decision) -> bool:
    return decision.verdict is Verdict.REVIEW and Given.AMONG in decision.reasons


def _guards(agreed: Levels, one: Profile, other: Profile) -> list[str]:
    """What stands in the way of an automatic match.

    Household evidence is not evidence of a person: twins have surname, birth date and address in common, so the first
    given name has to agree, and be one that only one child of a family is given. Other surnames may be old and new
    ones, which are never linked automatically.
    """
    held: list[str] = []
    if agreed.given not in _FIRST_NAME or _perhaps_a_brother(one, other):
        held.append("guard.twin")
    if agreed.born not in _BIRTHDAY:
        held.append("guard.born")
    if agreed.surname in _NO_SURNAME:
        held.append("guard.surname")
    if one.shielded or other.shielded:
        held.append("guard.shielded")
    return held


def _perhaps_a_brother(one: Profile, other: Profile) -> bool:
    """Mohamed may be Mohamed Amin, or his twin Mohamed Ali, when only one of the two says so."""
    alone, more = sorted((one.given, other.given), key=len)
    if len(alone) != 1 or len(more) == 1:
        return False
    name = alone[0]
    return not SHARED_NAMES.isdisjoint({name, more[0], *formal_names(name)})


def _another_child(agreed: Levels) -> bool:
    """A twin, brother or sister: known by another name, or by one that is not the same, and born on another day."""
    return agreed.given is Given.OTHER or (agreed.born is Born.OTHER and agreed.given not in _FIRST_NAME)
