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


class NotPossible(Exception):
    """This cannot happen to a signal in that state."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} cannot happen to a signal that is {state}")
        self.state = state
        self.event = event


@dataclass(frozen=True, slots=True)
class Transition:
    """What follows from an event.

    `tell`: the kind of the card for the signal's professional. `leaves`: they leave the introductions of this signal.
    `empties`: an introduction with fewer than two left is closed and emptied at once, not after the region's term.
    """

    state: State
    event: Event
    to: State
    tell: str | None
    leaves: bool
    empties: bool


# Columns, to be read from above to below.
# fmt: off
TABLE = (
    Transition(State.ACTIVE,   Event.ENDED,         State.INACTIVE, "signal.expired",   leaves=True,  empties=False),
    Transition(State.ACTIVE,   Event.DONE,          State.INACTIVE, "signal.withdrawn", leaves=True,  empties=False),
    Transition(State.ACTIVE,   Event.RENEWED,       State.INACTIVE, "signal.renewed",   leaves=False, empties=False),
    Transition(State.ACTIVE,   Event.MISTAKE,       State.ERASED,   "signal.withdrawn", leaves=True,  empties=True),
    Transition(State.ACTIVE,   Event.DECEASED,      State.ERASED,   "signal.withdrawn", leaves=True,  empties=True),
    Transition(State.ACTIVE,   Event.ADULT,         State.ERASED,   "signal.erased",    leaves=True,  empties=True),
    Transition(State.ACTIVE,   Event.ARCHIVED_OUT,  State.ERASED,   "signal.erased",    leaves=True,  empties=True),
    Transition(State.ACTIVE,   Event.FROZEN,        State.FROZEN,   "signal.frozen",    leaves=False, empties=False),

    Transition(State.INACTIVE, Event.MISTAKE,       State.ERASED,   "signal.withdrawn", leaves=True,  empties=True),
    Transition(State.INACTIVE, Event.DECEASED,      State.ERASED,   "signal.withdrawn", leaves=True,  empties=True),
    Transition(State.INACTIVE, Event.ADULT,         State.ERASED,   "signal.erased",    leaves=True,  empties=True),
    Transition(State.INACTIVE, Event.ARCHIVED_OUT,  State.ERASED,   "signal.erased",    leaves=True,  empties=True),
    Transition(State.INACTIVE, Event.FROZEN,        State.FROZEN,   "signal.frozen",    leaves=False, empties=False),

    # Its dates run on, but nothing is sent before the objection is decided on.
    Transition(State.FROZEN,   Event.RESUMED,       State.ACTIVE,   "signal.resumed",   leaves=False, empties=False),
    Transition(State.FROZEN,   Event.RESUMED_ENDED, State.INACTIVE, "signal.expired",   leaves=True,  empties=False),
    Transition(State.FROZEN,   Event.MISTAKE,       State.ERASED,   "signal.withdrawn", leaves=True,  empties=True),
    Transition(State.FROZEN,   Event.DECEASED,      State.ERASED,   "signal.withdrawn", leaves=True,  empties=True),
    Transition(State.FROZEN,   Event.UPHELD,        State.ERASED,   "signal.erased",    leaves=True,  empties=True),
    Transition(State.FROZEN,   Event.ADULT,         State.ERASED,   None,               leaves=True,  empties=True),
    Transition(State.FROZEN,   Event.ARCHIVED_OUT,  State.ERASED,   None,               leaves=True,  empties=True),
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
    """The terms of a region, in calendar years; the erase term counts from placing, or from becoming inactive."""

    active_years: int = 2
    erase_years: int = 5
    erase_from: Literal["placed", "inactive"] = "placed"


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """The first day on which a signal is inactive, erased, and the child an adult.

    `adult_on` tells the birthday, and so may `erase_on`: neither is stored or logged. `erase_on` is never the later.
    """

    active_until: date
    erase_on: date
    adult_on: date


def plan(placed: date, born: BirthDate, terms: Terms, ended: date | None = None) -> Plan:
    """The days that lie ahead of a signal; `ended`: the day on which it became inactive, if it did.

    A sweep that ran late does not lengthen anything: what ended after its term, ended with its term.
    """
    term = add_years(placed, terms.active_years)
    active_until = min(ended or term, term)
    counted_from = placed if terms.erase_from == "placed" else active_until
    erase_on = min(add_years(counted_from, terms.erase_years), born.adult_on)
    return Plan(active_until, erase_on, born.adult_on)


def due(state: State, ahead: Plan, today: date) -> Event | None:
    """What time does to the signal today, the gravest first."""
    for event, day in _dates(state, ahead):
        if day <= today:
            return event
    return None


def next_look(state: State, ahead: Plan, today: date) -> date:
    """The day, stored in clear, on which to ask `due` again: never later than what comes due.

    Today if something is due now. The 23rd birthday is not given away: it is looked for from the first of its month,
    every day. ValueError for a signal that is erased.
    """
    if due(state, ahead, today):
        return today
    tomorrow = today + timedelta(days=1)
    first_of_month = max(ahead.adult_on.replace(day=1), tomorrow)
    return min(first_of_month if day == ahead.adult_on else day for _, day in _dates(state, ahead))


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
