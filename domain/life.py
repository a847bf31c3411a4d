"""The life of a signal: what can happen to it, when, and what follows.

`TABLE` is the one source: what it does not list cannot happen. Terms are calendar years, and days begin at midnight in
Amsterdam. What is wrong, objected to with reason, or about somebody of 23 is erased at once (Jeugdwet 7.1.4.6).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

from domain.birth import BirthDate
from domain.calendar import add_years


class State(StrEnum):
    """Notified and introduced; only visible to newcomers; silent for an objection; gone."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    FROZEN = "frozen"
    ERASED = "erased"


class Event(StrEnum):
    """What happens to a signal: the first three by time, the others because somebody says so."""

    ENDED = "ended"
    """The active term has passed."""
    ARCHIVED_OUT = "archived_out"
    """The term after which it is erased has passed."""
    ADULT = "adult"
    """The 23rd birthday."""
    DONE = "done"
    MISTAKE = "mistake"
    DECEASED = "deceased"
    RENEWED = "renewed"
    """A new signal took its place, and its place in the introductions."""
    FROZEN = "frozen"
    """An objection was made."""
    RESUMED = "resumed"
    """The objection was rejected, and the signal would be active by now."""
    RESUMED_ENDED = "resumed_ended"
    """The objection was rejected, but the signal ended before or meanwhile."""
    UPHELD = "upheld"
    """The objection was upheld."""
    ERASED_ALONG = "erased_along"
    """The signal that renewed it was wrong, was about a child that died, or was objected to with reason."""


class NotPossible(Exception):
    """This cannot happen to a signal in that state."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} cannot happen to a signal that is {state}")
        self.state = state
        self.event = event


@dataclass(frozen=True, slots=True)
class Transition:
    """What follows from an event, and who is told what; who is in no column hears nothing.

    Kinds of cards: `owner` at the desk of its professional (in the answer, if they did it themselves); `room` in the
    introductions in which the signal takes part; `shown` at the desks of those whose contact details its owner was
    shown. `alarm`: what the coordinators are told, if anybody's were.
    """

    state: State
    event: Event
    to: State
    owner: str | None
    room: str | None = None
    shown: str | None = None
    alarm: str | None = None

    @property
    def leaves(self) -> bool:
        """Its owner leaves the introductions of this signal."""
        return self.room == "match.left"

    @property
    def empties(self) -> bool:
        """An introduction with fewer than two left is closed and emptied at once, not after the region's term."""
        return self.to is State.ERASED

    @property
    def takes_along(self) -> bool:
        """What it was renewed from is erased with it: nothing of what is wrong is archived (Jeugdwet 7.1.4.6)."""
        return self.event in {Event.MISTAKE, Event.DECEASED, Event.UPHELD}


_LEFT, _PAUSED, _RESUMED = "match.left", "match.paused", "match.resumed"
# Placing, reading and withdrawing would be a search: so whoever learned of others and withdraws is reported.
_MISTAKE = ("match.mistake", "mistake_after_disclosure")
# Of a death the others hear from people, not from Wenk: the coordinators say who tells them.
_DECEASED = (None, "deceased_after_disclosure")

# Columns, to be read from above to below; docs/life.md is made of it.
# fmt: off
TABLE = (
    Transition(State.ACTIVE,   Event.ENDED,         State.INACTIVE, "signal.expired",   _LEFT),
    Transition(State.ACTIVE,   Event.DONE,          State.INACTIVE, "signal.withdrawn", _LEFT),
    # The new signal takes its place: the others notice nothing.
    Transition(State.ACTIVE,   Event.RENEWED,       State.INACTIVE, "signal.renewed"),
    Transition(State.ACTIVE,   Event.MISTAKE,       State.ERASED,   "signal.withdrawn", _LEFT, *_MISTAKE),
    Transition(State.ACTIVE,   Event.DECEASED,      State.ERASED,   "signal.withdrawn", _LEFT, *_DECEASED),
    Transition(State.ACTIVE,   Event.ADULT,         State.ERASED,   "signal.erased",    _LEFT),
    Transition(State.ACTIVE,   Event.ARCHIVED_OUT,  State.ERASED,   "signal.erased",    _LEFT),
    Transition(State.ACTIVE,   Event.FROZEN,        State.FROZEN,   "signal.frozen",    _PAUSED),

    # It takes part in no introduction any more.
    Transition(State.INACTIVE, Event.MISTAKE,       State.ERASED,   "signal.withdrawn", None, *_MISTAKE),
    Transition(State.INACTIVE, Event.DECEASED,      State.ERASED,   "signal.withdrawn", None, *_DECEASED),
    Transition(State.INACTIVE, Event.ADULT,         State.ERASED,   "signal.erased"),
    Transition(State.INACTIVE, Event.ARCHIVED_OUT,  State.ERASED,   "signal.erased"),
    Transition(State.INACTIVE, Event.ERASED_ALONG,  State.ERASED,   "signal.erased"),
    Transition(State.INACTIVE, Event.FROZEN,        State.FROZEN,   "signal.frozen"),

    # Its dates run on, but nothing is sent before the objection is decided on.
    Transition(State.FROZEN,   Event.RESUMED,       State.ACTIVE,   "signal.resumed",   _RESUMED),
    Transition(State.FROZEN,   Event.RESUMED_ENDED, State.INACTIVE, "signal.expired",   _LEFT),
    Transition(State.FROZEN,   Event.MISTAKE,       State.ERASED,   "signal.withdrawn", _LEFT, *_MISTAKE),
    Transition(State.FROZEN,   Event.DECEASED,      State.ERASED,   "signal.withdrawn", _LEFT, *_DECEASED),
    Transition(State.FROZEN,   Event.UPHELD,        State.ERASED,   "signal.erased",    _LEFT),
    Transition(State.FROZEN,   Event.ERASED_ALONG,  State.ERASED,   "signal.erased",    _LEFT),
    Transition(State.FROZEN,   Event.ADULT,         State.ERASED,   None,               _LEFT),
    Transition(State.FROZEN,   Event.ARCHIVED_OUT,  State.ERASED,   None,               _LEFT),
)
# fmt: on
_FOLLOWS = {(row.state, row.event): row for row in TABLE}


def next_state(state: State, event: Event) -> Transition:
    """What follows from the event; NotPossible if the table does not know it."""
    try:
        return _FOLLOWS[state, event]
    except KeyError:
        raise NotPossible(state, event) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a region, in calendar years; the erase term counts from placing, or from becoming inactive.

    `remind_days`: how long before the end of the active term its professional is asked whether to renew.
    """

    active_years: int = 2
    erase_years: int = 5
    erase_from: Literal["placed", "inactive"] = "placed"
    remind_days: int = 30


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """The first day on which a signal is inactive, erased, and the child an adult; and when to ask whether to renew.

    `adult_on` tells the birthday, and so may `erase_on`: neither is stored or logged. `erase_on` is never the later.
    """

    active_until: date
    erase_on: date
    adult_on: date
    remind_on: date


def plan(placed: date, born: BirthDate, terms: Terms, ended: date | None = None) -> Plan:
    """The days that lie ahead of a signal; `ended`: the day on which it became inactive, if it did.

    A sweep that ran late does not lengthen anything: what ended after its term, ended with its term.
    """
    term = add_years(placed, terms.active_years)
    active_until = min(ended or term, term)
    counted_from = placed if terms.erase_from == "placed" else active_until
    erase_on = min(add_years(counted_from, terms.erase_years), born.adult_on)
    remind_on = max(placed, active_until - timedelta(days=terms.remind_days))
    return Plan(active_until, erase_on, born.adult_on, remind_on)


def due(state: State, ahead: Plan, today: date) -> Event | None:
    """What time does to the signal today, the gravest first."""
    for event, day in _dates(state, ahead):
        if day <= today:
            return event
    return None


def next_look(state: State, ahead: Plan, today: date, *, reminded: bool) -> date:
    """The day, stored in clear, on which to ask `due` and `to_remind` again: never later than what comes due.

    Today if something is due now. The 23rd birthday is not given away: it is looked for from the first of its month,
    every day; and so is a reminder that is late, for whoever could not hear it. ValueError for a signal that is erased.
    """
    if due(state, ahead, today):
        return today
    tomorrow = today + timedelta(days=1)
    first_of_month = max(ahead.adult_on.replace(day=1), tomorrow)
    looks = [first_of_month if day == ahead.adult_on else day for _, day in _dates(state, ahead)]
    if state is State.ACTIVE and not reminded:
        looks.append(max(ahead.remind_on, tomorrow))
    return min(looks)


def to_remind(state: State, ahead: Plan, today: date) -> bool:
    """Whether its professional is to be asked today, or late, whether to renew."""
    return state is State.ACTIVE and due(state, ahead, today) is None and ahead.remind_on <= today


def outlived(ahead: Plan) -> bool:
    """The child is 23 before the active term is over: there is nothing to renew."""
    return ahead.adult_on <= ahead.active_until


def resumption(ahead: Plan, today: date) -> Event:
    """Which of the two it is when a frozen signal resumes."""
    return Event.RESUMED if today < ahead.active_until else Event.RESUMED_ENDED


def _dates(state: State, ahead: Plan) -> Iterator[tuple[Event, date]]:
    """What time can do to a signal in that state, and when; the gravest first."""
    for event, day in (
        (Event.ADULT, ahead.adult_on),
        (Event.ARCHIVED_OUT, ahead.erase_on),
        (Event.ENDED, ahead.active_until),
    ):
        if (state, event) in _FOLLOWS:
            yield event, day
