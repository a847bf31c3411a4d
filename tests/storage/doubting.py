"""Children that may be one, in the model: what coordinators said of them, and who may know of whom then.

Who waits for whom depends on the order of things, so what happens is held against what may be and, in the end, must be;
it is not foretold card by card as it is where nothing is doubtful.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations

from tests.storage.model import Model, Signal

Pair = frozenset[str]


@dataclass(frozen=True)
class Review:
    """`said`: open, yes or no."""

    ref: str
    pair: Pair
    said: str


@dataclass
class Doubts:
    """`said`: what was answered about two signals, by their references."""

    model: Model
    said: dict[Pair, str] = field(default_factory=dict)

    @property
    def present(self) -> list[Signal]:
        return [signal for signal in self.model.signals.values() if signal.child.doubtful]

    def is_about(self, ref: str) -> bool:
        return ref in self.model.ever and self.model.ever[ref].child.doubtful

    def are_one(self, one: str, other: str) -> bool:
        """Certain, or answered with yes; never after a no."""
        ever = self.model.ever
        said = self.said.get(frozenset({one, other}))
        return said == "yes" if said else ever[one].child.surely(ever[other].child)

    def may_know(self, who: str, ref: str) -> bool:
        """Whether somebody has a signal, or had one, that is on the same child as this one."""
        theirs = (signal.ref for signal in self.model.ever.values() if signal.owner == who and signal.child.doubtful)
        return any(self.are_one(each, ref) for each in theirs)

    def may_meet(self, people: Iterable[str]) -> bool:
        ever = [signal for signal in self.model.ever.values() if signal.child.doubtful]
        return all(
            any(signal.owner == one and self.may_know(other, signal.ref) for signal in ever)
            for one, other in combinations(people, 2)
        )

    def asked_to_decide(self, review: Review) -> str | None:
        """None: two that have ended matter only if somebody was told of the other over these two and no others."""
        day, ever, told = self.model.day, self.model.ever, self.model.told
        states = {ever[ref].state(day) for ref in review.pair}
        if "erased" in states:
            return "not_found"
        if review.said == "open" and states == {"inactive"}:
            one, other = (ever[ref] for ref in review.pair)
            have_met = one.owner in told[other.ref] or other.owner in told[one.ref]
            return None if have_met else "not_found"
        return "review.decided"

    def decided(self, review: Review, answer: str) -> None:
        """The first answer counts."""
        if review.said == "open":
            self.said[review.pair] = answer

    def placed(self, new: str) -> None:
        """A no holds when the same professional signals the same child anew, as long as the ended signal is kept."""
        signal = self.model.signals[new]
        before = [
            each.ref
            for each in self.present
            if (each.owner, each.child) == (signal.owner, signal.child) and each is not signal
        ]
        for pair, said in list(self.said.items()):
            if said == "no" and before[-1:] and before[-1] in pair:
                self.said[pair - {before[-1]} | {new}] = said

    def renewed(self, old: str, new: str) -> None:
        for pair, said in list(self.said.items()):
            if old in pair:
                self.said[pair - {old} | {new}] = said

    def left_over(self, rooms: list[set[str]]) -> list[Pair]:
        """When all reviews are answered: those who should have been asked about, met, or been shown, and were not."""
        model = self.model
        active = [one for one in self.present if one.state(model.day) == "active" and model.standing[one.owner]]
        missed = []
        for one in active:
            for other in self.present:
                pair = frozenset({one.ref, other.ref})
                if other.owner == one.owner:
                    continue
                if other in active:
                    asked = pair in self.said or one.child.surely(other.child)
                    met = any({one.owner, other.owner} <= room for room in rooms)
                    if not asked or (self.are_one(*pair) and not met):
                        missed.append(pair)
                elif other.state(model.day) == "inactive" and self.are_one(*pair):
                    known = (each for each in self.model.ever if self.model.ever[each].owner == other.owner)
                    if not any(one.owner in model.told.get(each, ()) for each in known) and not self._is_involved(
                        other
                    ):
                        missed.append(pair)
        return missed

    def _is_involved(self, ended: Signal) -> bool:
        """Who is involved still, with another signal, is no one of before."""
        mine = [each for each in self.present if each.owner == ended.owner and each is not ended]
        return any(each.state(self.model.day) == "active" for each in mine)
