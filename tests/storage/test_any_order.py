"""Whatever people do, in whatever order, and whenever the process dies: the rules of DOMAIN.md hold.

The real handlers and storage on `Wire`, beside `Model`. WENK_SOAK=2000 tries so many sequences instead of a few.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from handlers.matching import tags_of
from handlers.rotation import bring_under_current_keys
from tests.postgres import LocalPostgres
from tests.storage.beside_model import BesideModel
from tests.storage.doubting import Doubts
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, START
from tests.storage.model import DOUBTFUL, Child, Model
from tests.storage.wire import POINTS, open_wire

SOAK: Final = int(os.environ.get("WENK_SOAK", "0"))
EXAMPLES: Final = {"sqlite": 15, "postgresql": 5}
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
# One child, or two, or three: nobody knows.
MAYBE_ONE: Final = tuple(Child(given, DOUBTFUL, date(2017, 5, 2), "geen") for given in ("Kim", "Kym", "K."))
people = st.sampled_from(sorted(PEOPLE))
doubtful_deeds = st.lists(
    st.tuples(
        people,
        st.sampled_from(MAYBE_ONE),
        st.sampled_from(["signals", "signals", "klaar", "fout", "renews", "standing", "ja", "ja", "nee", "waits"]),
    ),
    min_size=4,
    max_size=8,
)


class AnyOrder(BesideModel):
    """Professionals, their coordinator, time, and a process that dies."""

    new_database: Callable[[], AbstractContextManager[str]]
    away = 0
    """For how many steps the server still is."""

    @initialize(at_once=st.booleans(), deeds=doubtful_deeds)
    def begin(self, *, at_once: bool, deeds: list[tuple[str, Child, str]]) -> None:
        """With doubts: by chance few sequences would have any."""
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        url = self.stack.enter_context(self.new_database())
        self.wire = self.run(self.held.enter_async_context(open_wire(url, folder, [ANNA], daily_cap=1_000)))
        self.model = Model(ANNA, START)
        self.doubts = Doubts(self.model)
        for who in (FATIMA, JOOST, LIN) if at_once else (FATIMA, JOOST):
            self.admit(who)
        self.much_is_doubted_about_a_child(deeds)
        self.all_doubts_are_decided()
        self.nobody_was_left_over()

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
        self.doubts.placed(placed["ref"])
        assert placed["active_until"] == self.model.signals[placed["ref"]].until.isoformat()

    @rule(
        child=st.sampled_from(CHILDREN[:3]),
        deeds=st.lists(
            st.tuples(
                people, st.sampled_from(["comes back", "fout", "standing", "renews", "renews, fout", "new keys"])
            ),
            min_size=2,
            max_size=5,
        ),
    )
    @precondition(lambda self: self.wire.sends)
    def much_happens_around_a_child(self, child: Child, deeds: list[tuple[str, str]]) -> None:
        """What steps one by one seldom bring together."""
        for who in sorted(self.model.standing):
            self.signals(who, child)
        for who, deed in deeds:
            if deed == "new keys":
                self.keys_are_replaced(1, to_the_end=False)
            elif deed == "comes back":
                self.is_done_and_comes_back(who, child)
            elif deed == "standing" and who in self.model.standing:
                (self.is_suspended if self.model.standing[who] else self.is_restored)(who)
            if "renews" in deed:
                for known in self.model.of(who):
                    self.renew(who, known.ref)
            if "fout" in deed:
                # The newest first: what it was renewed from is gone then.
                for known in reversed(self.model.of(who)):
                    self.withdraw(who, known.ref, "fout")
            self.the_state_is_right()
            self.what_was_heard_is_right()

    @rule(
        child=st.sampled_from(CHILDREN[:3]),
        deeds=st.lists(
            st.tuples(
                people,
                st.sampled_from(
                    [0.5, 1, 3, 3, 11, 14, "", "ouders", "kind", "uitstel", "uitstel", "ja", "nee", "standing"]
                ),
            ),
            min_size=5,
            max_size=9,
        ),
    )
    @precondition(lambda self: self.wire.sends)
    def much_is_told_about_a_child(self, child: Child, deeds: list[tuple[str, str | float]]) -> None:
        """To the family: now or later, in part or not at all, while days pass."""
        for who in sorted(self.model.standing):
            self.signals(who, child)
        for who, deed in deeds:
            if not isinstance(deed, str):
                self.until(self.model.now + timedelta(days=deed))
                self.sweep()
            elif deed == "standing":
                if who in self.model.standing:
                    (self.is_suspended if self.model.standing[who] else self.is_restored)(who)
            elif deed in {"ja", "nee"}:
                for request in list(self.model.requests)[-1:]:
                    self.decide_to_postpone(request, deed)
            else:
                for known in self.model.of(who):
                    if known.child == child and who in self.model.standing:
                        self.tell(who, known.ref, deed)
            self.the_state_is_right()
            self.what_was_heard_is_right()

    @rule(who=people, data=st.data(), what=st.sampled_from(["", "ouders", "kind", "allemaal", "uitstel"]))
    @precondition(lambda self: self.model.signals and self.wire.sends)
    def tells(self, who: str, data: st.DataObject, what: str) -> None:
        ref = data.draw(st.sampled_from(list(self.model.signals)), "reference")
        if data.draw(st.integers(0, 4), "whose"):
            who = self.model.signals[ref].owner
        if who in self.model.standing:
            self.tell(who, ref, what)

    def tell(self, who: str, ref: str, what: str) -> None:
        self.do_what_is_due()
        expected = self.model.asked_to_tell(who, ref, what)
        answer = self.ask(who, f"ingelicht {ref} {what}", expected)
        assert answer is not None
        if expected == "notice.told":
            self.model.family_told(ref, what)
        elif expected == "notice.postponing":
            self.model.asked_to_postpone(ref, answer["approval"])

    @rule(data=st.data(), answer=st.sampled_from(["ja", "nee"]))
    @precondition(lambda self: self.model.requests)
    def decides_to_postpone(self, data: st.DataObject, answer: str) -> None:
        """Early or late, the first or the second time."""
        self.decide_to_postpone(data.draw(st.sampled_from(list(self.model.requests)), "request"), answer)

    def decide_to_postpone(self, request: str, answer: str) -> None:
        self.do_what_is_due()
        self.model.postponing_decided(request, answer)
        self.ask(ANNA, f"akkoord {request} {answer}", "approval.decided")

    @rule(deeds=doubtful_deeds)
    @precondition(lambda self: self.wire.sends)
    def much_is_doubted_about_a_child(self, deeds: list[tuple[str, Child, str]]) -> None:
        for who, child, deed in deeds:
            own = [known for known in self.model.of(who) if known.child == child]
            if who not in self.model.standing:
                continue
            if deed == "signals":
                self.signals(who, child)
            elif deed == "standing":
                (self.is_suspended if self.model.standing[who] else self.is_restored)(who)
            elif deed in {"ja", "nee"}:
                self.a_moment_later()
                for which in self.reviews()[-1:]:
                    self.decide(which, deed)
            elif deed == "waits":
                self.a_moment_later()
            for known in own if deed in {"klaar", "fout", "renews"} else ():
                self.renew(who, known.ref) if deed == "renews" else self.withdraw(who, known.ref, deed)
            self.the_state_is_right()
            self.what_was_heard_is_right()

    @rule(data=st.data(), answer=st.sampled_from(["ja", "nee"]))
    @precondition(lambda self: self.doubts.present)
    def decides(self, data: st.DataObject, answer: str) -> None:
        """Early or late, the first or the second time."""
        if found := self.reviews():
            self.decide(found[data.draw(st.integers(0, len(found) - 1), "review")], answer)

    @rule(who=people, data=st.data(), reason=st.sampled_from(["klaar", "fout", "overleden"]))
    @precondition(lambda self: self.model.signals)
    def withdraws(self, who: str, data: st.DataObject, reason: str) -> None:
        ref = data.draw(st.sampled_from(list(self.model.signals)), "reference")
        if data.draw(st.integers(0, 4), "whose"):
            who = self.model.signals[ref].owner
        if who in self.model.standing:
            self.withdraw(who, ref, reason)

    @rule(who=people, data=st.data())
    @precondition(lambda self: self.model.signals and self.wire.sends)
    def renews(self, who: str, data: st.DataObject) -> None:
        ref = data.draw(st.sampled_from(list(self.model.signals)), "reference")
        if data.draw(st.integers(0, 4), "whose"):
            who = self.model.signals[ref].owner
        if who in self.model.standing:
            self.renew(who, ref)

    def renew(self, who: str, ref: str) -> None:
        expected = self.model.asked_to_renew(who, ref)
        self.ask(who, f"verlengen {ref}", expected)
        if expected == "signal.proposed":
            renewed = self.ask(who, "ja", "signal.renewed")
            assert renewed is not None
            self.model.renewed(ref, renewed["ref"])
            self.doubts.renewed(ref, renewed["ref"])

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
        if self.doubts.is_about(ref):
            # Whom its owner knows of by now, also if the process dies before the withdrawal is read.
            self.sweep()
            self.the_state_is_right()
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
            for one in answer["signals"]:
                assert bool(one["told"]) is not bool(self.model.signals[one["ref"]].telling.left)
        answer = self.ask(who, "matches", "match.list")
        assert answer is not None
        for match in answer["matches"]:
            if self.doubts.is_about(match["signal"]):
                assert all(self.doubts.may_know(each["user_id"], match["signal"]) for each in match["participants"])
                continue
            others = {other["user_id"] for other in match["participants"]}
            assert self.model.known_to(who, match["signal"]) <= others
            assert not others or any(others | {who} <= circle for circle in self.model.circles)

    @rule(who=people)
    @precondition(lambda self: any(self.model.standing.values()))
    def is_suspended(self, who: str) -> None:
        if self.model.standing.get(who):
            self.do_what_is_due()
            self.model.suspended(who)
            self.ask(ANNA, f"professional schorsen {who}", "professional.suspended")

    @rule(who=people)
    @precondition(lambda self: not all(self.model.standing.values()))
    def is_restored(self, who: str) -> None:
        if self.model.standing.get(who) is False:
            self.do_what_is_due()
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

    @rule()
    def sweeps(self) -> None:
        self.sweep()

    @rule(so_many=st.integers(0, 4), to_the_end=st.booleans())
    def keys_are_replaced(self, so_many: int, *, to_the_end: bool) -> None:
        """New keys: for some signals, the rest still under the old ones; or for all, and the old ones are destroyed."""
        self.survive(partial(self._replace_keys, so_many, to_the_end=to_the_end))
        self.survive(self.wire.work)

    async def _replace_keys(self, so_many: int, *, to_the_end: bool) -> None:
        storage = self.wire.storage
        keys = storage.keys
        keys = keys.with_new_master(keys.current_master + 1, self.model.day).with_new_tag(keys.current_tag + 1)
        await storage.take(keys)
        async with storage.unit() as uow:
            await uow.rotation.begin()
            await uow.rotation.retag(tags_of, None, so_many)
            await uow.rotation.rewrap(None, so_many)
        if to_the_end:
            async for _batch in bring_under_current_keys(storage):
                pass
            for version in [version for version in keys.master if version != keys.current_master]:
                keys = keys.without_master(version)
            await storage.take(keys.without_old_tags())

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
