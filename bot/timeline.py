"""One event of a room, read as far as it can be read."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bot.crypto import Machine, NoKey, Plain, Undecryptable
from bot.store import StoreFailed

log = logging.getLogger(__name__)

Kind = Literal["text", "notice", "other", "plain", "reaction", "undecryptable", "own"]

_SESSION_ID: Final = re.compile(r"[A-Za-z0-9+/=_-]{1,100}")
_MESSAGES: Final[Mapping[object, Kind]] = {"m.text": "text", "m.notice": "notice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """One event, not yet proven to be of whom it says.

    Attributes:
        sent_ms: the homeserver's clock, milliseconds since 1970.
        transaction_id: our own, if this device sent it.
        kind: `text` and `notice` are encrypted; `other` is encrypted and something else; `plain` is an unencrypted
            message; `reaction` is never encrypted; `own` was sent by our account.
        body: what was said, without a quotation; of a reaction its key.
        reply_to: the event that it answers, as its sender encrypted it.
        replaces: an edit of an earlier message.
        target: the event that a reaction is about.
        sender_key: with `ed25519` the keys of the sender's device, to be proven (`Identity.device`).
        wenk_id: of our own card.
        session_id: of an undecryptable event: the key it waits for; None if it can never be read.
        raw: of an undecryptable event.
        content: decrypted, or as it was sent.
    """

    room_id: str
    event_id: str
    sender: str
    sent_ms: int
    kind: Kind
    transaction_id: str | None = None
    body: str = field(default="", repr=False)
    reply_to: str | None = None
    replaces: bool = False
    target: str | None = None
    sender_key: str | None = None
    ed25519: str | None = None
    forwarded: bool = False
    wenk_id: str | None = None
    session_id: str | None = None
    raw: dict[str, Any] | None = field(default=None, repr=False)
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read_event(machine: Machine, own_user: str, room_id: str, raw: Mapping[str, Any]) -> TimelineEvent | None:
    """What a room event says; None for state, redacted events and kinds that mean nothing to us.

    Whatever somebody put into it, this does not raise: one event must never keep the others from being read.

    Raises:
        StoreFailed: the event must be read again, by another process.
    """
    try:
        return _read_event(machine, own_user, room_id, raw)
    except StoreFailed:
        raise
    except Exception as fault:  # noqa: BLE001 (each event is guarded by itself)
        log.warning("a room event could not be read: %s", type(fault).__name__)
        if raw.get("sender") == own_user:
            return None
        return TimelineEvent(
            room_id=room_id,
            event_id=str(raw.get("event_id")),
            sender=str(raw.get("sender")),
            sent_ms=_number(raw.get("origin_server_ts")),
            kind="undecryptable",
            raw={},
        )


def _read_event(machine: Machine, own_user: str, room_id: str, raw: Mapping[str, Any]) -> TimelineEvent | None:
    content, unsigned = _object(raw.get("content")), _object(raw.get("unsigned"))
    if "state_key" in raw or not content:  # redaction leaves nothing of what we read
        return None
    what = _what(machine, room_id, raw, content)
    if what is None:
        return None
    if raw.get("sender") == own_user:
        what["kind"] = "own"
        what["wenk_id"] = _text(_object(what["content"].get("wenk")).get("id"))
        what["raw"] = what["session_id"] = None
    return TimelineEvent(
        room_id=room_id,
        event_id=str(raw.get("event_id")),
        sender=str(raw.get("sender")),
        sent_ms=_number(raw.get("origin_server_ts")),
        transaction_id=_text(unsigned.get("transaction_id")),
        **what,
    )


def _what(machine: Machine, room_id: str, raw: Mapping[str, Any], content: dict[str, Any]) -> dict[str, Any] | None:
    relation = _object(content.get("m.relates_to"))
    match raw.get("type"):
        case "m.reaction":
            key, target = _text(relation.get("key")), _text(relation.get("event_id"))
            if key is None or target is None:
                return None
            return {"kind": "reaction", "body": key, "target": target, "content": content}
        case "m.room.message":
            return {"kind": "plain", "content": content, **_said(content, relation)}
        case "m.room.encrypted":
            return _decrypted(machine, room_id, raw, relation)
    return None


def _decrypted(
    machine: Machine, room_id: str, raw: Mapping[str, Any], outer_relation: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        plain = machine.decrypt(raw, room_id)
    except NoKey as missing:
        session_id = missing.session_id if _SESSION_ID.fullmatch(missing.session_id) else None
        return {"kind": "undecryptable", "raw": _to_keep(raw), "session_id": session_id, "content": {}}
    except Undecryptable:
        return {"kind": "undecryptable", "raw": _to_keep(raw), "session_id": None, "content": {}}
    return {
        "kind": _kind(plain),
        "content": plain.content,
        "sender_key": plain.sender_key,
        "ed25519": plain.ed25519,
        "forwarded": plain.forwarded,
        **_said(plain.content, outer_relation),
    }


def _to_keep(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What it takes to read the event once its key is there; nothing else that a sender may have put into it."""
    content = _object(raw.get("content"))
    outside = {name: _text(raw.get(name)) for name in ("type", "event_id", "sender")}
    inside = {name: _text(content.get(name)) for name in ("algorithm", "ciphertext", "session_id", "sender_key")}
    return outside | {
        "content": inside | {"m.relates_to": {"rel_type": _text(_object(content.get("m.relates_to")).get("rel_type"))}}
    }


def _kind(plain: Plain) -> Kind:
    return _MESSAGES.get(_text(plain.content.get("msgtype")), "other") if plain.type == "m.room.message" else "other"


def _said(content: Mapping[str, Any], outer_relation: Mapping[str, Any]) -> dict[str, Any]:
    """Body and relations. A relation outside the encryption is the server's word: it counts against a message only."""
    relation = _object(content.get("m.relates_to"))
    reply_to = _text(_object(relation.get("m.in_reply_to")).get("event_id"))
    body = _text(content.get("body")) or ""
    return {
        "body": _without_quotation(body) if reply_to else body,
        "reply_to": reply_to,
        "replaces": "m.replace" in (relation.get("rel_type"), outer_relation.get("rel_type"))
        or "m.new_content" in content,
    }


def _without_quotation(body: str) -> str:
    """Older clients repeat what they answer in front, each line behind `> `, and then an empty line."""
    lines = body.split("\n")
    if not lines[0].startswith("> "):
        return body
    while lines and lines[0].startswith(">"):
        del lines[0]
    if lines and not lines[0].strip():
        del lines[0]
    return "\n".join(lines)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    """A string that can be stored: JSON may hold halves of characters, which no encoding has."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
