"""Are two signals about one child? The answers there are, and what is the same as it was typed."""

from dataclasses import dataclass
from enum import StrEnum

from domain.child import Child
from domain.names import given_key, surname_key


class Verdict(StrEnum):
    """What follows: introduce, ask a coordinator, nothing."""

    AUTO = "auto"
    REVIEW = "review"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the score it rests on (in bits), and why: the levels of agreement, and the guards that held.

    What is certainly another child, whatever else agrees, is not weighed: its score is minus infinity.
    """

    verdict: Verdict
    score: float
    reasons: tuple[str, ...]


def identical(one: Child, other: Child) -> bool:
    """Typed as the same child, address aside."""
    return (
        one.born == other.born
        and given_key(one.given) == given_key(other.given)
        and surname_key(one.surname) == surname_key(other.surname)
    )
