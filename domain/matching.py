"""Are two signals about one child? What handlers ask, and for now only what is certain is a match.

Live matching stays so until there are reviews: a doubtful match that nobody decides would be lost. Then
`domain.matcher.Matcher.decide` takes the place of `compare`, and `domain.candidates.tags` that of `tags`, for which the
stored ones are made anew.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import compress
from typing import Final

from domain.child import Child
from domain.names import given_key, surname_key


class Verdict(StrEnum):
    """What follows: introduce, ask a coordinator, nothing."""

    AUTO = "auto"
    REVIEW = "review"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the score it rests on, and why: the fields that agree, or a matcher's levels and guards."""

    verdict: Verdict
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What each field adds to the score when it agrees, and the score from which a match is automatic."""

    born: float
    given: float
    surname: float
    auto: float


CERTAIN = Weights(born=1, given=1, surname=1, auto=3)
"""Everything agrees, or there is no match."""


SCHEME: Final = 1
"""Which texts `tags` gives: counts up whenever it gives others for any child, so that the stored ones are made anew."""


def tags(child: Child) -> tuple[str, ...]:
    """The texts by which a signal finds the others on the same child: two that match share at least one.

    Each combines fields, never a name alone, so that counting them tells nothing; the vault keys them before they are
    stored. Each begins with its kind. What `fold` leaves holds no separator of ours.
    """
    given, surname = (" ".join(key) for key in (given_key(child.given), surname_key(child.surname)))
    return (f"born+given+surname:{child.born}|{given}|{surname}",)


def compare(new: Child, known: Child, weights: Weights = CERTAIN) -> Decision:
    """Decide on two children, the same whichever comes first.

    A birth date that is not known to the day is never certain, and a shielded child is never matched automatically.
    """
    reasons = _agreeing(new, known)
    worth = {"born": weights.born, "given": weights.given, "surname": weights.surname}
    score = sum(worth[field] for field in reasons)
    guarded = not (new.born.full and known.born.full) or new.shielded or known.shielded
    verdict = Verdict.AUTO if score >= weights.auto and not guarded else Verdict.NONE
    return Decision(verdict, score, reasons)


def identical(one: Child, other: Child) -> bool:
    """Typed as the same child, address aside: one professional does not place two signals on it."""
    return _agreeing(one, other) == _FIELDS


_FIELDS = ("born", "given", "surname")


def _agreeing(one: Child, other: Child) -> tuple[str, ...]:
    same = (
        one.born == other.born,
        given_key(one.given) == given_key(other.given),
        surname_key(one.surname) == surname_key(other.surname),
    )
    return tuple(compress(_FIELDS, same))
