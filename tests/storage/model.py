"""What DOMAIN.md says, small: who may know of whom and since when, what each hears, in which state a signal is.

Written from DOMAIN.md and not from the code. It reckons *by rights*: what is due is as if it were done. Whether it is
done already depends on when somebody last looked; so what time tells people *may* be heard from its day on, and *must*
have been heard once a sweep was there.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.storage.telling import ADDRESSEES, Request, Telling, must_tell

DOUBTFUL = "Terpstra"
Heard = tuple[object, ...]
"""Who heard, the kind of card, and what it said."""


def years_on(day: date, years: int) -> date:
    """Calendar years: 29 February ends on 28 February."""
    leap = (day.month, day.day) == (2, 29) and (day.year + years) % 4
    return date(day.year + years, day.month, 28 if leap else day.day)


@dataclass(frozen=True)
class Child:
    """A child as it is typed; a twin is another child. With a secret address it is never matched automatically."""

    given: str
    surname: str
    born: date
    address: str

    @property
    def typed(self) -> str:
        return f"{self.given}; {self.surname}; {self.born}; {self.address}"

    def is_(self, other: "Child") -> bool:
        return (self.given, self.surname, self.born) == (other.given, other.surname, other.born)

    def surely(self, other: "Child") -> bool:
        return self.is_(other) and "geheim" not in {self.address, other.address} and not self.given.endswith(".")

    @property
    def doubtful(self) -> bool:
        """One of a family in which each may be the other (tests/storage/doubting.py)."""
        return self.surname == DOUBTFUL


@dataclass
class Signal:
    """`ended`: the day on which it was withdrawn as done, or renewed; `renews`: the one whose place it took."""

    ref: str
    owner: str
    child: Child
    placed: date
    ended: date | None = None
    renews: str | None = None
    expired: bool = False
    """Somebody looked after its term had passed."""
    reminded: bool = False
    """A sweep came by, or its owner was restored, in the last month of its term."""
    telling: Telling = field(init=False)

    def __post_init__(self) -> None:
        self.telling = Telling(must_tell(self.child.born, self.placed), self.placed)

    @property
    def until(self) -> date:
        term = years_on(self.placed, 2)
        return min(term, self.ended or term)

    @property
    def remind_on(self) -> date:
        return years_on(self.placed, 2) - timedelta(days=30)

    @property
    def is_worth_renewing(self) -> bool:
        return years_on(self.child.born, 23) > years_on(self.placed, 2)

    @property
    def gone_on(self) -> date:
        return min(years_on(self.placed, 5), years_on(self.child.born, 23))

    def state(self, day: date) -> str:
        if day >= self.gone_on:
            return "erased"
        return "inactive" if day >= self.until else "active"


@dataclass
class Model:
    """`told`: who was told of a signal, as a match or once as an earlier one."""

    coordinator: str
    now: datetime
    standing: dict[str, bool] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    ever: dict[str, Signal] = field(default_factory=dict)
    """Also those that are erased."""
    told: dict[str, set[str]] = field(default_factory=dict)
    paired: set[frozenset[str]] = field(default_factory=set)
    """Of doubtful children, as they are found: which were compared, and of `told` who was told."""
    ended_in_silence: set[str] = field(default_factory=set)
    """Signals that ended while their owners were suspended: who came meanwhile could not meet them, and is shown them
    when their own signal is looked at again, soon."""
    circles: set[frozenset[str]] = field(default_factory=set)
    """All that were ever brought together."""
    must: Counter[Heard] = field(default_factory=Counter)
    may: set[Heard] = field(default_factory=set)
    requests: dict[str, Request] = field(default_factory=dict)
    """To tell a family later, also those that were answered."""
    head_shown_on: date | None = None

    @property
    def day(self) -> date:
        return self.now.astimezone(ZoneInfo("Europe/Amsterdam")).date()

    # What people ask, and what they are to be answered.

    def asked_to_signal(self, owner: str, child: Child) -> str:
        if not self.standing[owner]:
            return "not_allowed"
        if self.day >= years_on(child.born, 23):
            return "too_old"
        if self.day < child.born:
            return "not_born"
        own = (signal for signal in self.of(owner) if signal.child.is_(child))
        return "duplicate" if any(signal.state(self.day) == "active" for signal in own) else "signal.proposed"

    def placed(self, owner: str, child: Child, ref: str) -> None:
        self.signals[ref] = self.ever[ref] = signal = Signal(ref, owner, child, self.day)
        self.told[ref] = set()
        self._match(signal)

    def listed(self, owner: str) -> dict[str, str]:
        states = {signal.ref: signal.state(self.day) for signal in self.of(owner)}
        return {ref: state for ref, state in states.items() if state != "erased"}

    def asked_to_withdraw(self, owner: str, ref: str, reason: str) -> str:
        signal = self.signals.get(ref)
        if not self.standing[owner]:
            return "not_allowed"
        if signal is None or signal.owner != owner or signal.state(self.day) == "erased":
            return "not_found"
        return "not_allowed" if reason == "klaar" and signal.state(self.day) == "inactive" else "signal.withdrawn"

    def withdrawn(self, ref: str, reason: str) -> None:
        signal = self.signals[ref]
        if reason == "klaar":
            signal.ended = self.day
            return
        shown = [other for other in self._compared(signal) if signal.owner in self.told[other.ref]]
        code = {"fout": "mistake_after_disclosure", "overleden": "deceased_after_disclosure"}[reason]
        # What its owner was told of over another signal, of the child that it may be: rather reported than not.
        for other in self._others(signal):
            if other not in shown and signal.owner in self.told[other.ref]:
                self.may.add((self.coordinator, "alarm", code, signal.owner))
                if reason == "fout" and self.standing[other.owner]:
                    self.may.add((other.owner, "match.mistake", signal.owner))
        if shown:
            # Placing, reading and withdrawing would be a search.
            self.must[self.coordinator, "alarm", code, signal.owner] += 1
        for owner in {other.owner for other in shown} if reason == "fout" else ():
            self._hears(owner, "match.mistake", signal.owner)
        # What is wrong leaves nothing behind, nor of a child that died; time may have erased the oldest by now.
        wrong: Signal | None = signal
        while wrong is not None:
            self._forget(wrong)
            wrong = self.signals.get(wrong.renews) if wrong.renews else None

    def asked_to_renew(self, owner: str, ref: str) -> str | None:
        """None: too old or gone already, by whether somebody looked."""
        signal = self.signals.get(ref)
        if not self.standing[owner]:
            return "not_allowed"
        if signal is None or signal.owner != owner:
            return "not_found"
        if self.day >= years_on(signal.child.born, 23):
            return None
        return {"erased": "not_found", "inactive": "not_allowed", "active": "signal.proposed"}[signal.state(self.day)]

    def renewed(self, ref: str, new: str) -> None:
        """Nobody hears anything, and who was told of the old one was told of the new one."""
        old = self.signals[ref]
        old.ended = self.day
        self.signals[new] = self.ever[new] = Signal(new, old.owner, old.child, self.day, renews=ref)
        self.told[new] = set(self.told[ref])

    def asked_to_tell(self, owner: str, ref: str, what: str) -> str:
        signal = self.signals.get(ref)
        if not self.standing[owner]:
            return "not_allowed"
        if signal is None or signal.owner != owner or signal.state(self.day) == "erased":
            return "not_found"
        telling = signal.telling
        if what == "uitstel":
            if not telling.left or signal.state(self.day) != "active":
                return "not_allowed"
            return "notice.postponed" if telling.is_postponed(self.day) else "notice.postponing"
        is_needless = what in {"ouders", "kind"} and not ADDRESSEES[what] <= telling.must
        return "not_allowed" if is_needless else "notice.told"

    def family_told(self, ref: str, what: str) -> None:
        """Who says nothing says that all were told; who had nothing left to tell changes nothing."""
        telling = self.signals[ref].telling
        if fresh := telling.must & ADDRESSEES.get(what, telling.left):
            telling.told |= fresh
            telling.seen = self.day

    def asked_to_postpone(self, ref: str, request: str) -> None:
        self.signals[ref].telling.waiting = True
        if request not in self.requests:
            self.requests[request] = Request(request, ref, self.now)
            self.must[self.coordinator, "approval.opened", request] += 1

    def postponing_decided(self, request: str, answer: str) -> None:
        """The first answer counts, within a day."""
        asked = self.requests[request]
        self._lapse([asked])
        if asked.open and (signal := self._is_to_decide(asked)):
            if answer == "ja":
                signal.telling.postpone(self.day)
            self._hears(signal.owner, {"ja": "notice.postponed", "nee": "notice.refused"}[answer], signal.ref)
        asked.open = False

    def suspended(self, who: str) -> None:
        self._look(self.of(who))
        self.standing[who] = False
        self.must[who, "professional.suspended", who] += 1

    def restored(self, who: str) -> None:
        self._look(self.of(who))
        self.standing[who] = True
        self.must[who, "professional.restored", who] += 1
        for signal in self.of(who):
            if signal.state(self.day) == "active":
                self._match(signal)
        self._remind(self.of(who))

    # What time does.

    def passed(self, to: datetime) -> None:
        self.now = to
        for signal in self.signals.values():
            if self._is_to_be_reminded(signal) and signal.is_worth_renewing:
                self._may_hear(signal, "signal.expiring")
            if self.day >= signal.until and not signal.ended:
                self._may_hear(signal, "signal.expired")
            if self.day >= signal.gone_on:
                self._may_hear(signal, "signal.erased")
            if signal.state(self.day) == "active" and (kind := signal.telling.to_say(self.day)):
                self.may.add((self._is_told(signal, kind), kind, signal.ref))
        for request in self.requests.values():
            if request.is_late(self.now) and request.signal in self.signals:
                self.may.add((self.signals[request.signal].owner, "notice.refused", request.signal))
                self.may.add((self.coordinator, "approval.lapsed", request.ref))

    def swept(self) -> None:
        self._look(list(self.signals.values()))
        self._remind(self.signals.values())
        self._lapse(self.requests.values())
        self._ask_whether_told()
        if self.head_shown_on != self.day:
            self.head_shown_on = self.day
            self.must[self.coordinator, "audit.head"] += 1

    def milestones(self) -> list[date]:
        """The days on which something happens to a signal."""
        days = ((signal.remind_on, signal.until, signal.gone_on) for signal in self.signals.values())
        return sorted({day for of_one in days for day in of_one})

    # What must be so, at any moment.

    def of(self, owner: str) -> list[Signal]:
        return [signal for signal in self.signals.values() if signal.owner == owner]

    def together(self) -> list[list[str]]:
        """Who is in introductions now, those in which somebody waits alone for its end left out."""
        certain = (signal for signal in self.signals.values() if not signal.child.doubtful)
        circles = {tuple(sorted(self._circle(signal))) for signal in self._active(certain)}
        found = [sorted(self.signals[ref].owner for ref in circle) for circle in circles if len(circle) > 1]
        return sorted(found)

    def known_to(self, who: str, ref: str) -> set[str]:
        """With whom somebody is brought together over a signal."""
        signal = self.signals.get(ref)
        if signal is None or not self._active([signal]):
            return set()
        return {self.signals[other].owner for other in self._circle(signal)} - {who}

    def too_much(self, heard: Counter[Heard]) -> Counter[Heard]:
        return heard - self.must - Counter(self.may)

    def missed(self, heard: Counter[Heard]) -> Counter[Heard]:
        return self.must - heard

    def _match(self, new: Signal) -> None:
        if new.child.doubtful:
            return
        others = [other for other in self._others(new) if other.child.surely(new.child)]
        active = self._active(others)
        for signal in [*active, new] if active else ():
            self._hears(signal.owner, "match.notice", signal.ref, frozenset(self.known_to(signal.owner, signal.ref)))
        for other in active:
            self.told[other.ref].add(new.owner)
            self.told[new.ref].add(other.owner)
        if active:
            self.circles.add(frozenset(signal.owner for signal in [*active, new]))
        last: dict[str, Signal] = {}
        for other in sorted(others, key=lambda other: other.until):
            if other.state(self.day) == "inactive":
                last[other.owner] = other
        involved = {other.owner for other in others if other.state(self.day) == "active"}
        earlier = [other for owner, other in last.items() if owner not in involved]
        # Who met them, or was shown them, is no new party.
        fresh = [other for other in earlier if new.owner not in self.told[other.ref]]
        for other in fresh:
            self.told[other.ref].add(new.owner)
        if fresh:
            until = frozenset((other.owner, other.until) for other in fresh)
            self._hears(new.owner, "match.earlier", new.ref, until)

    def _is_to_be_reminded(self, signal: Signal) -> bool:
        return self.day >= signal.remind_on and not signal.reminded and signal.state(self.day) == "active"

    def _remind(self, signals: Iterable[Signal]) -> None:
        for signal in signals:
            if self._is_to_be_reminded(signal) and self.standing[signal.owner]:
                signal.reminded = True
                if signal.is_worth_renewing:
                    self._hears(signal.owner, "signal.expiring", signal.ref)

    def _ask_whether_told(self) -> None:
        """Who is suspended is asked the day after being restored at the earliest, nobody of what has ended."""
        for signal in self.signals.values():
            kind = signal.telling.to_say(self.day)
            if kind is None or signal.state(self.day) != "active":
                continue
            if not self.standing[signal.owner]:
                signal.telling.seen = self.day
                continue
            signal.telling.said(self.day)
            self._hears(self._is_told(signal, kind), kind, signal.ref)

    def _is_told(self, signal: Signal, kind: str) -> str:
        return self.coordinator if kind == "notice.overdue" else signal.owner

    def _lapse(self, requests: Iterable[Request]) -> None:
        """What nobody answered within a day is refused."""
        for request in requests:
            if request.is_late(self.now):
                if signal := self._is_to_decide(request):
                    self._hears(signal.owner, "notice.refused", signal.ref)
                    self._hears(self.coordinator, "approval.lapsed", request.ref)
                request.open = False

    def _is_to_decide(self, request: Request) -> Signal | None:
        """The signal of a request, which waits no more; None if there is nothing to decide: ended, or all were told."""
        signal = self.signals.get(request.signal)
        if signal is None:
            return None
        signal.telling.waiting, signal.telling.seen = False, self.day
        return signal if signal.telling.left and signal.state(self.day) == "active" else None

    def _look(self, signals: Iterable[Signal]) -> None:
        for signal in signals:
            state = signal.state(self.day)
            if state == "erased":
                self._hears(signal.owner, "signal.erased", signal.ref)
                self._forget(signal)
            elif state == "inactive" and not signal.ended and not signal.expired:
                signal.expired = True
                self._hears(signal.owner, "signal.expired", signal.ref)
                if not self.standing[signal.owner] and not signal.child.doubtful:
                    self.ended_in_silence.add(signal.ref)
                    until = frozenset({(signal.owner, signal.until)})
                    self.may |= {(who.owner, "match.earlier", who.ref, until) for who in self.came_meanwhile(signal)}

    def came_meanwhile(self, ended: Signal) -> list[Signal]:
        """Those to whom a signal that ended in silence may be shown."""
        return [other for other in self._active(self._others(ended)) if other.child.surely(ended.child)]

    def _forget(self, signal: Signal) -> None:
        del self.signals[signal.ref], self.told[signal.ref]

    def _others(self, signal: Signal) -> list[Signal]:
        """Those of others on the same child that are not gone by rights."""
        found = (other for other in self.signals.values() if other.child.is_(signal.child))
        return [other for other in found if other.owner != signal.owner and other.state(self.day) != "erased"]

    def _compared(self, signal: Signal) -> list[Signal]:
        if not signal.child.doubtful:
            return [other for other in self._others(signal) if other.child.surely(signal.child)]
        found = [self.signals.get(ref) for pair in self.paired if signal.ref in pair for ref in pair - {signal.ref}]
        return [other for other in found if other is not None and other.state(self.day) != "erased"]

    def _active(self, signals: Iterable[Signal]) -> list[Signal]:
        return [signal for signal in signals if signal.state(self.day) == "active" and self.standing[signal.owner]]

    def _circle(self, signal: Signal) -> list[str]:
        others = (other for other in self._others(signal) if other.child.surely(signal.child))
        return [signal.ref, *(other.ref for other in self._active(others))]

    def _hears(self, who: str, kind: str, *said: object) -> None:
        """Who is suspended hears nothing; coordinators are not."""
        if self.standing.get(who, True):
            self.must[who, kind, *said] += 1
            self.may.discard((who, kind, *said))

    def _may_hear(self, signal: Signal, kind: str) -> None:
        heard = (signal.owner, kind, signal.ref)
        if self.standing[signal.owner] and not self.must[heard]:
            self.may.add(heard)
