"""Who is introduced to whom: one joins only if matched with every active participant."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product


class Pairing(StrEnum):
    """What was decided about two signals: matched for certain, by a coordinator, not at all, or not yet."""

    AUTO = "auto"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    REVIEW = "review"

    @property
    def matched(self) -> bool:
        return self in {Pairing.AUTO, Pairing.CONFIRMED}


Decided = Callable[[int, int], Pairing | None]
"""What was decided about two signals; None: they were never compared, or not found alike."""


def contradicted(signal: int, decided: Mapping[int, Pairing], others: Decided) -> frozenset[tuple[int, int]]:
    """The pairs that were matched for certain and cannot all be one child, the older of each first.

    Of three of which two are known to be two children, the third is not the same as both: `Anna` is the same as `Anna
    Maria` and as `Anna Sophia`, until these are known to be twins, and a coordinator says which she is. `decided`:
    about the signal; what a coordinator decided stands. `others` is asked with the older first.
    """
    refused = [number for number, pairing in decided.items() if pairing is Pairing.REFUSED]
    matched = [number for number, pairing in decided.items() if pairing.matched]
    doubtful: set[tuple[int, int]] = set()
    for apart, same in product(refused, matched):
        between = others(min(apart, same), max(apart, same))
        if between is None or not between.matched:
            continue
        sides = ((signal, decided[same]), (apart, between))
        doubtful |= {(min(one, same), max(one, same)) for one, side in sides if side is Pairing.AUTO}
    return frozenset(doubtful)


@dataclass(frozen=True, slots=True)
class Group:
    """An open introduction and the signals that actively take part in it."""

    introduction: int
    signals: frozenset[int]


@dataclass(frozen=True, slots=True)
class Meeting:
    """Those who join an introduction, or begin one (None); in the order in which they were found."""

    introduction: int | None
    joining: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who meets now, and of which pairs a coordinator has to say first whether they are about one child."""

    meetings: tuple[Meeting, ...]
    undecided: frozenset[tuple[int, int]]


@dataclass(slots=True)
class _Circle:
    introduction: int | None
    signals: set[int]
    joining: list[int]


def plan(new: int, matched: Iterable[int], groups: Sequence[Group], decided: Decided) -> Plan:
    """What follows for a signal that is matched with these active signals, the oldest first.

    `groups`: the open introductions in which any of them takes part, the signal itself included; who is together in one
    already is left as they are. Two meet in an introduction of one of them, if the other is matched with all who take
    part. While that is not decided of somebody, they wait; where it was refused they begin one of their own: both were
    found to be on the same child, and that is what they are told.
    """
    in_order = sorted(groups, key=lambda group: group.introduction)
    circles = [_Circle(group.introduction, set(group.signals), []) for group in in_order]
    apart = sorted(matched)
    while True:
        # Who has to wait for one circle may be welcome in another that somebody begins or joins after them.
        waiting = {other: open_ones for other in apart if (open_ones := _meet(circles, new, other, decided))}
        if len(waiting) == len(apart):
            break
        apart = list(waiting)
    meetings = tuple(Meeting(circle.introduction, tuple(circle.joining)) for circle in circles if circle.joining)
    return Plan(meetings, frozenset().union(*waiting.values()))


def _meet(circles: list[_Circle], new: int, other: int, decided: Decided) -> set[tuple[int, int]]:
    """Bring two together in the first circle where they can meet; the pairs for which they wait, if they cannot yet."""
    if any({new, other} <= circle.signals for circle in circles):
        return set()
    waiting: set[tuple[int, int]] = set()
    for circle, who in _ways(circles, new, other):
        pairings = {member: decided(who, member) for member in circle.signals}
        if all(pairing is not None and pairing.matched for pairing in pairings.values()):
            circle.signals.add(who)
            circle.joining.append(who)
            return set()
        if Pairing.REFUSED not in pairings.values():
            open_ones = (member for member, pairing in pairings.items() if pairing is None or not pairing.matched)
            waiting |= {(min(who, member), max(who, member)) for member in open_ones}
    if not waiting:
        circles.append(_Circle(None, {new, other}, [new, other]))
    return waiting


def _ways(circles: Sequence[_Circle], new: int, other: int) -> Iterator[tuple[_Circle, int]]:
    """The introductions in which two could meet, each with the one of them who would join."""
    yield from ((circle, new) for circle in circles if other in circle.signals)
    yield from ((circle, other) for circle in circles if new in circle.signals)
