"""Who is introduced to whom: one joins only if matched with every active participant."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Pairing(StrEnum):
    """What was decided about two signals: matched for certain, by a coordinator, not at all, or not yet."""

    AUTO = "auto"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    REVIEW = "review"

    @property
    def matched(self) -> bool:
        return self in {Pairing.AUTO, Pairing.CONFIRMED}


@dataclass(frozen=True, slots=True)
class Group:
    """An open introduction and the signals that actively take part in it."""

    introduction: int
    signals: frozenset[int]


@dataclass(frozen=True, slots=True)
class Join:
    """The new signal joins this introduction."""

    introduction: int


@dataclass(frozen=True, slots=True)
class Begin:
    """A new introduction begins between the new signal and these, oldest first."""

    signals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody is told until these signals, too, are found to be on the same child as the new one."""

    undecided: frozenset[int]


def plan(
    matched: Iterable[int], groups: Sequence[Group], are_matched: Callable[[int, int], bool]
) -> Join | Begin | Wait | None:
    """What follows for a new signal that is matched with these active signals; None: nothing.

    `groups` are the open introductions in which any of them takes part; `are_matched` tells of two older signals
    whether they are matched with each other.
    """
    known = frozenset(matched)
    if not known:
        return None
    for group in groups:
        if group.signals <= known:
            return Join(group.introduction)
    if groups:
        return Wait(frozenset().union(*(group.signals for group in groups)) - known)
    circle: list[int] = []
    for candidate in sorted(known):
        if all(are_matched(candidate, other) for other in circle):
            circle.append(candidate)
    return Begin(tuple(circle))
