"""docs/life.md, made of the table that the code follows: `make docs`."""

from collections.abc import Iterable, Sequence

from domain.life import TABLE, Event, Transition
from handlers.life import text_of
from locales import catalogue

_WHEN = {
    Event.ENDED: "its active term is over",
    Event.DONE: "withdrawn: *done*",
    Event.RENEWED: "renewed: a new signal takes its place",
    Event.MISTAKE: "withdrawn: *mistake*",
    Event.DECEASED: "withdrawn: *deceased*",
    Event.ADULT: "the 23rd birthday",
    Event.ARCHIVED_OUT: "the term after which it is erased is over",
    Event.FROZEN: "an objection is made",
    Event.RESUMED: "the objection is rejected",
    Event.RESUMED_ENDED: "the objection is rejected, and its active term is over",
    Event.UPHELD: "the objection is upheld",
    Event.ERASED_ALONG: "what renewed it is withdrawn as *mistake* or *deceased*, or an objection to that is upheld",
}

_HEAD = """\
# The life of a signal

Made of `domain.life.TABLE`, which the code follows, and of the texts in `locales/en/`. Do not edit it; make it anew:
`make docs`.

What is not in this table cannot happen to a signal, and who is in no column is told nothing. Each row says what
happens, what the signal becomes, and which card goes to

- its **professional**, at the desk (who did it themselves reads it in the answer; who is suspended hears nothing);
- the **room** of each introduction in which the signal takes part. Where an erased signal leaves fewer than two, the
  room is emptied at once (`match.closed`); where another one does, after the region's term (`close_days`);
- those whose contact details its professional **was shown**, at their desks;
- the **coordinators**, as an alarm, if its professional was shown anybody's.

Besides, while it is active: so many days before its term is over (`remind_days`) its professional is asked once whether
to renew it (`signal.expiring`). While it is inactive each new party sees it once, at placing (`match.earlier`), and its
own professional hears nothing of that. While it is frozen nothing is matched, nothing is sent to its professional, and
others see no more than that they are silent (`match.silent`, `match.paused`).
"""


def page() -> str:
    """The whole page."""
    rows = [_row(row) for row in TABLE]
    head = ["it is", "what happens", "it becomes", "professional", "room", "was shown", "coordinators"]
    said = [*dict.fromkeys(name for row in TABLE for name in _texts(row)), "signal.expiring", "match.silent"]
    texts = (f"- `{name}`: {_quoted(name)}" for name in said)
    return "\n".join([_HEAD, *_table([head, *rows]), "", "## What the cards say", "", *texts, ""])


def _row(row: Transition) -> list[str]:
    told = (row.owner, row.room, row.shown, f"alarm.{row.alarm}" if row.alarm else None)
    return [row.state, _WHEN[row.event], row.to, *(f"`{kind}`" if kind else "-" for kind in told)]


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(rows[0])} |"
    yield "|---" * len(rows[0]) + "|"
    for row in rows[1:]:
        yield f"| {' | '.join(row)} |"


def _texts(row: Transition) -> Iterable[str]:
    text = text_of(row)
    # Of a withdrawal the answer says what was done, in a text for each reason.
    yield from (f"{text}.{row.event}" if text == "signal.withdrawn" else text,) if text else ()
    yield from (kind for kind in (row.room, row.shown) if kind)
    if row.alarm:
        yield f"alarm.{row.alarm}"


def _quoted(name: str) -> str:
    return " ".join(catalogue("en")[name].split())
