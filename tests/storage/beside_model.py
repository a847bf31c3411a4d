"""Handlers and storage on `Wire`, beside `Model`: what has to be so after each step, and in the end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import select

from storage.schema import disclosure, pair, participation, review, signal, tag
from tests.storage.doubting import Doubts, Review
from tests.storage.model import Heard, Model
from tests.storage.wire import Killed, Machine, Wire

T = TypeVar("T")

UNMODELLED = frozenset({"welcome", "match.closed", "review.opened"})
"""Kinds of cards of which the model knows nothing."""


_OF_A_SIGNAL = frozenset({"signal.expiring", "signal.expired", "signal.erased"})


def heard_as(user_id: str, card: Machine) -> Iterator[Heard]:
    """What an unprompted card says, as the model has it: one thing for each signal that it is about."""
    for ref in card.get("refs", [card.get("ref")]):
        yield _heard(user_id, card, ref)


def _heard(user_id: str, card: Machine, ref: str) -> Heard:
    kind = card["kind"]
    match kind:
        case "match.notice":
            return user_id, kind, card["signal"], frozenset(who["user_id"] for who in card["participants"])
        case "match.earlier":
            until = {(who["user_id"], date.fromisoformat(who["until"])) for who in card["participants"]}
            return user_id, kind, card["signal"], frozenset(until)
        case _ if kind.startswith(("notice.", "approval.")) or kind in _OF_A_SIGNAL:
            return user_id, kind, ref
        case "alarm":
            return user_id, kind, card["code"], card["user_id"]
        case "audit.head":
            return user_id, kind
        case _:
            return user_id, kind, card["user_id"]


class BesideModel(RuleBasedStateMachine):
    """Whoever adds rules sets `wire` and `model` first; a step goes through `ask` or `survive`."""

    wire: Wire
    model: Model
    doubts: Doubts

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.loop = self.stack.enter_context(asyncio.Runner())
        self.held = AsyncExitStack()
        self.asked: list[tuple[str, str | None]] = []
        """What was said, and what the answer has to be."""
        self.swept = False
        self.read = 0
        """So many cards about doubtful children were held against what may be."""

    def teardown(self) -> None:
        try:
            if hasattr(self, "wire"):
                self.wire.sends = True
                self.all_doubts_are_decided()
                self.all_that_was_said_is_right()
        finally:
            self.run(self.held.aclose())
            self.stack.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def survive(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Have it done, however often the process dies; what is due goes first when it comes back."""
        while True:
            try:
                self.run(work())
            except Killed:
                self.run(self.wire.restart())
                self.run(self.wire.sweep())
                self.swept = True
                self.run(self.audit_verifies())
            else:
                return

    def ask(self, who: str, text: str, expected: str | None = None) -> Machine | None:
        """Say something; the one answer, if answers get through."""
        said = self.run(self.wire.says(who, text))
        self.asked.append((said, expected))
        self.survive(self.wire.work)
        if not self.wire.sends:
            return None
        (answer,) = self.wire.answers(said)
        return answer

    def catch_up(self) -> None:
        """If the process died meanwhile, what was due was done when it came back."""
        if self.swept:
            self.swept = False
            self.model.swept()

    def until(self, moment: datetime) -> None:
        self.catch_up()
        self.model.passed(moment)
        self.wire.now = moment

    def sweep(self) -> None:
        stood = len(self.wire.cards)
        self.survive(self.wire.sweep)
        self.swept = True
        self.survive(self.wire.work)
        asked = Counter(room.owner for room, card in self.wire.cards[stood:] if card["kind"] == "notice.reminder")
        # On one card of all families, and on one of those of which a postponement ended.
        assert all(so_many <= 1 + 1 for so_many in asked.values()), asked

    def do_what_is_due(self) -> None:
        """If the process is about to die, what is due is done before what is said then, or after it: not by chance."""
        if self.wire.fuse.left >= 0:
            self.sweep()
            self.catch_up()

    def a_moment_later(self) -> None:
        """Doubts are looked for."""
        self.until(self.model.now + timedelta(seconds=5))
        self.sweep()
        self.the_state_is_right()

    def reviews(self) -> list[Review]:
        """Those of doubtful children, the oldest first."""
        return [each for each in self.run(self._reviews()) if all(map(self.doubts.is_about, each.pair))]

    async def _reviews(self) -> list[Review]:
        async with self.wire.storage._engine.connect() as connection:
            refs = {row.id: row.ref for row in await connection.execute(select(signal.c.id, signal.c.ref))}
            rows = await connection.execute(select(review).order_by(review.c.id))
            return [Review(row.ref, frozenset({refs[row.low], refs[row.high]}), row.decision) for row in rows]

    def decide(self, which: Review, answer: str) -> None:
        expected = self.doubts.asked_to_decide(which)
        if expected == "review.decided":
            self.doubts.decided(which, {"ja": "yes", "nee": "no"}[answer])
        self.ask(self.model.coordinator, f"beoordelen {which.ref} {answer}", expected)
        if expected is None and (left := [each for each in self.reviews() if each.ref == which.ref]):
            self.doubts.decided(which, left[0].said)

    def all_doubts_are_decided(self) -> None:
        """One after the other, most with yes: each may raise others."""
        self.a_moment_later()
        while waiting := [each for each in self.reviews() if each.said == "open"]:
            for number, each in enumerate(waiting):
                self.decide(each, "ja" if number % 3 != 1 else "nee")
            self.a_moment_later()

    # What must be so.

    @invariant()
    def the_state_is_right(self) -> None:
        self.catch_up()
        self.run(self._look())

    @invariant()
    def what_was_heard_is_right(self) -> None:
        if not self.wire.sends:
            return
        heard = Counter(
            heard
            for room, card in self.wire.cards
            if room.owner is not None
            and "re" not in card
            and card["kind"] not in UNMODELLED
            and not self._is_of_a_doubt(card)
            for heard in heard_as(room.owner, card)
        )
        self.nobody_hears_of_each_other_without_a_yes()
        assert not self.model.too_much(heard)
        assert not self.model.missed(heard)

    def _is_of_a_doubt(self, card: Machine) -> bool:
        """Not foretold card by card: that two are brought together over doubtful children, or parted again."""
        if card["kind"] in {"match.notice", "match.earlier"}:
            return self.doubts.is_about(card["signal"])
        return card["kind"] == "match.notsame" or (card["kind"], card.get("code")) == ("alarm", "other_child")

    def nobody_hears_of_each_other_without_a_yes(self) -> None:
        for _room, card in self.wire.cards[self.read :]:
            if card["kind"] in {"match.notice", "match.earlier"} and self.doubts.is_about(card["signal"]):
                assert all(self.doubts.may_know(who["user_id"], card["signal"]) for who in card["participants"]), card
        self.read = len(self.wire.cards)

    async def _look(self) -> None:
        model = self.model
        async with self.wire.storage._engine.connect() as connection:
            rows = (await connection.execute(select(signal.c.id, signal.c.ref, signal.c.state))).all()
            refs = {row.id: row.ref for row in rows}
            told = (await connection.execute(select(disclosure.c.signal_id, disclosure.c.told))).all()
            pairs = (await connection.execute(select(pair.c.low, pair.c.high, pair.c.verdict))).all()
            tags = (await connection.execute(select(tag.c.signal_id))).all()
        by_right = {ref: known.state(model.day) for ref, known in model.signals.items()}
        assert {ref for ref, state in by_right.items() if state != "erased"} <= set(refs.values()) <= set(by_right)
        # Never early; late, where nobody looked since.
        for found in rows:
            assert found.state in {"active", by_right[found.ref]} or by_right[found.ref] == "erased", found.state
        # Of who is erased there is nothing.
        assert {row.signal_id for row in tags} | {row.signal_id for row in told} <= set(refs)
        assert {number for row in pairs for number in (row.low, row.high)} <= set(refs)
        for low, high, verdict in pairs:
            one, other = model.ever[refs[low]], model.ever[refs[high]]
            # A twin, or a name that is not the same, never matches without a coordinator.
            assert verdict != "auto" or one.child.surely(other.child), (one, other)
            said = self.doubts.said.get(frozenset({one.ref, other.ref}))
            assert verdict in {"auto", "review", {"yes": "confirmed", "no": "refused"}.get(said or "")}, (one, other)
        model.paired = {frozenset({refs[row.low], refs[row.high]}) for row in pairs}
        access: dict[str, set[str]] = {ref: set() for ref in refs.values()}
        for row in told:
            access[refs[row.signal_id]].add(row.told)
        for ref in filter(self.doubts.is_about, access):
            fresh = access[ref] - model.told.get(ref, set())
            assert all(self.doubts.may_know(who, ref) for who in fresh), ref
            if ref in model.told:
                model.told[ref] |= fresh
        for ref in access.keys() & model.ended_in_silence & model.signals.keys():
            fresh = access[ref] - model.told[ref]
            assert fresh <= {other.owner for other in model.came_meanwhile(model.signals[ref])}, ref
            model.told[ref] |= fresh
        assert access == {ref: model.told[ref] for ref in access}

    def all_that_was_said_is_right(self) -> None:
        """Each was answered once, as it should be; who is in which room; and the audit log verifies."""
        self.the_state_is_right()
        self.what_was_heard_is_right()
        for said, expected in self.asked:
            (answer,) = self.wire.answers(said)
            assert expected in {None, answer["kind"], answer.get("code")}, answer
        for room, card in self.wire.cards:
            if room.introduction_id is not None and "participants" in card:
                shown = {who["user_id"] for who in card["participants"]}
                assert any(shown <= circle for circle in self.model.circles) or self.doubts.may_meet(shown)
        self.run(self.audit_verifies())
        certain, _doubtful = self.run(self._together())
        assert sorted(map(sorted, certain)) == self.model.together()
        self.nobody_was_left_over()

    def nobody_was_left_over(self) -> None:
        """When all doubts are decided, everybody met whom they should, and nobody else."""
        _certain, doubtful = self.run(self._together())
        assert all(map(self.doubts.may_meet, doubtful))
        assert not self.doubts.left_over(doubtful)

    async def _together(self) -> tuple[list[set[str]], list[set[str]]]:
        """Who is together, in rooms of more than one: over children that are certain, and over doubtful ones."""
        async with self.wire.storage.reading() as uow:
            made = [await uow.rooms.get(room_id) for room_id in await uow.rooms.made()]
        async with self.wire.storage._engine.connect() as connection:
            over = select(participation.c.introduction_id, signal.c.ref).join(signal)
            refs = {row.introduction_id: row.ref for row in await connection.execute(over)}
        found: tuple[list[set[str]], list[set[str]]] = ([], [])
        for room in made:
            if room is not None and room.purpose == "introduction" and len(room.wanted) > 1:
                found[self.doubts.is_about(refs[room.introduction_id])].append(set(room.wanted))
        return found

    async def audit_verifies(self) -> None:
        async with self.wire.storage.reading() as uow:
            await uow.audit.verify()
