"""Cards: what Wenk says, for people and, in their `wenk` part, for machines."""

from dataclasses import dataclass, field
from typing import Any

from handlers.words import Line, Text, say
from storage.outbox import ENCLOSE

TO_ACT_ON = frozenset(
    {
        "match.notice", "match.introduction", "match.earlier", "signal.expiring", "notice.reminder", "notice.refused",
        "notice.overdue", "review.opened", "approval.opened", "alarm", "restored",
    }
)  # fmt: skip
"""Clients show no notification for `m.notice`: these kinds somebody must act on are `m.text`."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A document that goes with a card: under which name, and what `bot/` is to make."""

    name: Line
    order: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One message. `fields` go into its machine part; `personal`: it holds a child's data and does not stay."""

    kind: str
    text: tuple[Line, ...]
    fields: dict[str, Any] = field(default_factory=dict)
    personal: bool = False
    enclosed: Enclosed | None = None


def card(kind: str, /, *text: Line, personal: bool = False, enclosed: Enclosed | None = None, **fields: object) -> Card:
    """A card of a kind with its lines, one below the other, and the fields of its machine part."""
    return Card(kind=kind, text=text, fields=dict(fields), personal=personal, enclosed=enclosed)


def error(code: str, /, *text: Line, **fields: object) -> Card:
    """What went wrong, and what to do: the answer to something that changed nothing."""
    return Card(kind="error", text=text or (Line(f"error.{code}"),), fields={"code": code, **fields})


def render(shown: Card, language: str, re: str | None = None) -> dict[str, Any]:
    """The Matrix content of a card, without its id. `re`: the event that it answers.

    With something enclosed it is the file's message, still without the file: see `storage.outbox.ENCLOSE`.
    """
    parts: list[Text] = [say(part, language) for part in shown.text]
    content = {
        "msgtype": "m.text" if shown.kind in TO_ACT_ON else "m.notice",
        "body": "\n".join(part.plain for part in parts),
        "format": "org.matrix.custom.html",
        "formatted_body": "<br>".join(part.html for part in parts),
        "m.mentions": {},
        "wenk": {"kind": shown.kind} | ({"re": re} if re else {}) | shown.fields,
    }
    if shown.enclosed is None:
        return content
    name = say(shown.enclosed.name, language).plain
    return content | {"msgtype": "m.file", "filename": name, ENCLOSE: shown.enclosed.order}
