"""Whatever people do, in whatever order, and whenever the process dies: the rules of DOMAIN.md hold.

The real handlers and storage on `Wire`, beside `Model`. WENK_SOAK=2000 tries so many sequences instead of a few.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, nullcontext
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from storage.schema import disclosure, pair, signal, tag
from tests.postgres import LocalPostgres
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, START
from tests.storage.model import Child, Heard, Model
from tests.storage.wire import POINTS, Killed, Machine, open_wire

T = TypeVar("T")

SOAK: Final = int(os.environ.get("WENK_SOAK", "0"))
EXAMPLES: Final = {"sqlite": 25, "postgresql": 8}
STEPS: Final = 40
PEOPLE: Final = {FATIMA: "De Wilgen", JOOST: "Huisartsen Noord", LIN: "Halt"}
CHILDREN: Final = (
    Child("Sanne", "de Vries", date(2015, 3, 14), "9203 ZX 95a"),
    Child("Sanne", "de Vries", date(2015, 3, 14), "geheim"),
    Child("Isa", "Achterberg", date(2006, 2, 28), "geen"),  # 23 before five years are over
    Child("Tim", "de Vries", date(2015, 3, 14), "9203 ZX 95a"),  # Sanne's twin
    Child("Bo", "Achterberg", date(2003, 6, 20), "geen"),  # 23 soon
    Child("Noa", "Schrikkel", date(2028, 2, 29), "geen"),  # not born yet
)
people = st.sampled_from(sorted(PEOPLE))


def heard_as(user_id: str, card: Machine) -> Heard:
    """An unprompted card, as the model has it."""
    kind = card["kind"]
    match kind:
        case "match.notice":
            return user_id, kind, card["signal"], frozenset(who["user_id"] for who in card["participants"])
        case "match.earlier":
            until = {(who["user_id"], date.fromisoformat(who["until"])) for who in card["participants"]}
            return user_id, kind, card["signal"], frozenset(until)
        case "signal.expired" | "signal.erased":
            return user_id, kind, card["ref"]
        case "alarm":
            return user_id, kind, card["code"], card["user_id"]
        case "audit.head":
            return user_id, kind
        case _:
            return user_id, kind, card["user_id"]


class AnyOrder(RuleBasedStateMachine):
    """Professionals, their coordinator, time, and a process that dies."""

    new_database: Callable[[], AbstractContextManager[str]]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.loop = self.stack.enter_context(asyncio.Runner())
        self.held = AsyncExitStack()
        self.asked: list[tuple[str, str | None]] = []
        """What was said, and what the answer has to be."""
        self.swept = False
        self.away = 0

    @initialize(at_once=st.booleans())
    def begin(self, *, at_once: bool) -> None:
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        url = self.stack.enter_context(self.new_database())
        self.wire = self.run(self.held.enter_async_context(open_wire(url, folder, [ANNA], daily_cap=1_000)))
        self.model = Model(ANNA, START)
        for who in (FATIMA, JOOST, LIN) if at_once else (FATIMA, JOOST):
            self.admit(who)

    def teardown(self) -> None:
        try:
            if hasattr(self, "wire"):
                self.wire.sends = True
                self.sweep()
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

    # What people do.

    @rule(who=st.just(LIN))
    @precondition(lambda self: LIN not in self.model.standing and self.wire.sends)
    def admit(self, who: str) -> None:
        self.ask(ANNA, f"organisatie toevoegen {PEOPLE[who]}")
        details = f"{who}; {PEOPLE[who]}; {who[1:].partition(':')[0]}; begeleider; mail@example.nl; 0512 123456"
        self.ask(ANNA, f"professional toevoegen {details}", "professional.added")
        self.model.standing[who] = True

    @rule(who=people, child=st.sampled_from(CHILDREN))
    @precondition(lambda self: self.wire.sends)
    def signals(self, who: str, child: Child) -> None:
        if who not in self.model.standing:
            return
        expected = self.model.asked_to_signal(who, child)
        self.ask(who, f"signaal {child.typed}", expected)
        if expected != "signal.proposed":
            if expected in {"too_old", "not_born"}:
                self.ask(who, "nee", "cancelled")
            return
        placed = self.ask(who, "ja", "signal.placed")
        assert placed is not None
        self.model.placed(who, child, placed["ref"])
        assert placed["active_until"] == self.model.signals[placed["ref"]].until.isoformat()

    @rule(child=st.sampled_from(CHILDREN[:3]))
    @precondition(lambda self: self.wire.sends)
    def all_signal(self, child: Child) -> None:
        """They meet: without this, long sequences pass in which nobody ever does."""
        for who in sorted(self.model.standing):
            self.signals(who, child)

    @rule(who=people, data=st.data(), reason=st.sampled_from(["klaar", "fout", "overleden"]))
    @precondition(lambda self: self.model.signals)
    def withdraws(self, who: str, data: st.DataObject, reason: str) -> None:
        ref = data.draw(st.sampled_from(list(self.model.signals)), "reference")
        if data.draw(st.integers(0, 4), "whose"):
            who = self.model.signals[ref].owner
        if who in self.model.standing:
            self.withdraw(who, ref, reason)

    @rule(who=people, child=st.sampled_from(CHILDREN[:3]))
    @precondition(lambda self: self.wire.sends)
    def is_done_and_comes_back(self, who: str, child: Child) -> None:
        if who not in self.model.standing:
            return
        for known in self.model.of(who):
            if known.child == child:
                self.withdraw(who, known.ref, "klaar")
        self.signals(who, child)

    def withdraw(self, who: str, ref: str, reason: str) -> None:
        expected = self.model.asked_to_withdraw(who, ref, reason)
        if expected == "signal.withdrawn":
            self.model.withdrawn(ref, reason)
        self.ask(who, f"intrekken {ref} {reason}", expected)

    @rule(who=people)
    @precondition(lambda self: self.wire.sends)
    def lists(self, who: str) -> None:
        if not self.model.standing.get(who):
            return
        answer = self.ask(who, "signalen", "signal.list")
        assert answer is not None
        if answer["pages"] == 1:
            assert {one["ref"]: one["state"] for one in answer["signals"]} == self.model.listed(who)
        answer = self.ask(who, "matches", "match.list")
        assert answer is not None
        for match in answer["matches"]:
            others = {other["user_id"] for other in match["participants"]}
            assert self.model.known_to(who, match["signal"]) <= others
            assert not others or any(others | {who} <= circle for circle in self.model.circles)

    @rule(who=people)
    @precondition(lambda self: any(self.model.standing.values()))
    def is_suspended(self, who: str) -> None:
        if self.model.standing.get(who):
            self.model.suspended(who)
            self.ask(ANNA, f"professional schorsen {who}", "professional.suspended")

    @rule(data=st.data())
    @precondition(lambda self: not all(self.model.standing.values()))
    def is_restored(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from([who for who, active in self.model.standing.items() if not active]), "who")
        self.model.restored(who)
        self.ask(ANNA, f"professional herstellen {who}", "professional.restored")

    @rule(who=people)
    def enters(self, who: str) -> None:
        """Somebody accepts all invitations."""
        server = self.wire.server
        for room in [room for (room, guest), how in server.present.items() if guest == who and how == "invite"]:
            server.move(room, who, "join")
        self.survive(self.wire.work)

    # What time does.

    @rule(days=st.sampled_from([1, 30]))
    def passes(self, days: int) -> None:
        self.until(self.model.now + timedelta(days=days))

    @rule(data=st.data(), eve=st.booleans())
    @precondition(lambda self: self.ahead())
    def passes_to_a_milestone(self, data: st.DataObject, *, eve: bool) -> None:
        day = data.draw(st.sampled_from(self.ahead()), "milestone")
        moment = datetime.combine(day, time(0), ZoneInfo("Europe/Amsterdam"))
        self.until(max(self.model.now, moment - timedelta(minutes=1) if eve else moment))

    def ahead(self) -> list[date]:
        return [day for day in self.model.milestones() if day > self.model.day][:2]

    def until(self, moment: datetime) -> None:
        self.model.passed(moment)
        self.wire.now = moment

    @rule()
    def sweep(self) -> None:
        self.survive(self.wire.sweep)
        self.swept = True
        self.survive(self.wire.work)

    # What goes wrong.

    @rule(left=st.integers(1, 12), point=st.sampled_from(POINTS))
    def is_going_to_die(self, left: int, point: str) -> None:
        self.wire.fuse.left, self.wire.fuse.point = left, point

    @rule(again=st.integers(1, 30))
    def hears_twice(self, again: int) -> None:
        self.survive(partial(self.wire.take_in, again=again))
        self.survive(self.wire.work)

    @rule()
    def server_is_away(self) -> None:
        self.wire.sends, self.away = False, 3

    @invariant()
    def server_comes_back(self) -> None:
        """After a few steps: meanwhile there is not much that anybody can say."""
        self.away -= 1
        if not self.wire.sends and self.away < 0:
            self.wire.sends = True
            self.survive(self.wire.work)

    # What must be so after each step.

    @invariant()
    def the_state_is_right(self) -> None:
        self.catch_up()
        self.run(self._look())

    @invariant()
    def what_was_heard_is_right(self) -> None:
        if not self.wire.sends:
            return
        heard = Counter(
            heard_as(room.owner, card)
            for room, card in self.wire.cards
            if room.owner is not None and "re" not in card and card["kind"] not in {"welcome", "match.closed"}
        )
        assert not self.model.too_much(heard)
        assert not self.model.missed(heard)

    async def _look(self) -> None:
        model = self.model
        async with self.wire.storage._engine.connect() as connection:
            rows = (await connection.execute(select(signal.c.id, signal.c.ref, signal.c.state))).all()
            refs = {row.id: row.ref for row in rows}
            told = (await connection.execute(select(disclosure.c.signal_id, disclosure.c.told))).all()
            pairs = (await connection.execute(select(pair.c.low, pair.c.high))).all()
            tags = (await connection.execute(select(tag.c.signal_id))).all()
        by_right = {ref: known.state(model.day) for ref, known in model.signals.items()}
        assert {ref for ref, state in by_right.items() if state != "erased"} <= set(refs.values()) <= set(by_right)
        # Never early; late, where nobody looked since.
        for found in rows:
            assert found.state in {"active", by_right[found.ref]} or by_right[found.ref] == "erased", found.state
        # Of who is erased there is nothing.
        assert {row.signal_id for row in tags} | {row.signal_id for row in told} <= set(refs)
        assert {number for row in pairs for number in row} <= set(refs)
        access: dict[str, set[str]] = {ref: set() for ref in refs.values()}
        for row in told:
            access[refs[row.signal_id]].add(row.told)
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
                assert any(shown <= circle for circle in self.model.circles)
        self.run(self.audit_verifies())
        assert self.run(self._together()) == self.model.together()

    async def _together(self) -> list[list[str]]:
        async with self.wire.storage.reading() as uow:
            made = [await uow.rooms.get(room_id) for room_id in await uow.rooms.made()]
        rooms = [sorted(room.wanted) for room in made if room is not None and room.purpose == "introduction"]
        return sorted(wanted for wanted in rooms if len(wanted) > 1)

    async def audit_verifies(self) -> None:
        async with self.wire.storage.reading() as uow:
            await uow.audit.verify()


@pytest.mark.timeout(0 if SOAK else 180)
@pytest.mark.parametrize("make", sorted(EXAMPLES))
def test_the_rules_hold_after_any_sequence(make: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    numbers = count(1)

    def fresh_database() -> AbstractContextManager[str]:
        if make == "sqlite":
            return nullcontext(f"sqlite+aiosqlite:///{tmp_path / f'{next(numbers)}.db'}")
        server: LocalPostgres = request.getfixturevalue("postgres_server")
        return server.fresh_database()

    class Here(AnyOrder):
        new_database = staticmethod(fresh_database)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=SOAK or EXAMPLES[make],
            stateful_step_count=STEPS,
            derandomize=not SOAK,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            # A shorter sequence takes minutes to find: that is for whoever looks for the fault.
            phases=[Phase.generate, Phase.shrink] if SOAK else [Phase.generate],
        ),
    )
