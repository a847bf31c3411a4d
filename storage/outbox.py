"""What Wenk has to say, from the commit that decided it until the server has it.

The row's id is the Matrix transaction id and, in a card, its `wenk.id`. The content is sealed, and erased once sent.
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, and_, bindparam, func, insert, or_, select, update

from storage.schema import outbox
from storage.session import REGION, Repository, Session
from storage.vault import Unsealable

TAKEN_AWAY = frozenset({"redaction", "purge"})
"""What is done after all that is to be said in a room."""
ENCLOSE = "enclose"
"""In the content of a card: what the document is to hold that goes with it. Never sent: see `Outbox.enclosed`."""
LOOKED_UP_LATER = frozenset({"welcome", "match.introduction"})
"""Kinds of which the latest is asked for, however old: see `Outbox.latest`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A card to send (`content`); or a redaction, a reaction (`content["key"]`), a pin or a purge of `target`.

    The content is None of what has none, and where the row does not open: another master key sealed it. With an
    `event_id` it stands in the timeline already (`Outbox.seen`).
    """

    id: str
    room_id: str
    action: str
    kind: str
    target: str | None
    content: dict[str, Any] | None
    not_before: int
    event_id: str | None


_ADD = insert(outbox)
_NEXT = (
    select(outbox)
    .where(outbox.c.state == "pending", outbox.c.room_id == bindparam("room_id"))
    .order_by(outbox.c.action.in_(TAKEN_AWAY), outbox.c.not_before > bindparam("now"), outbox.c.seq)
    .limit(1)
)
_NEXT_BUT_CARDS = _NEXT.where(outbox.c.action != "card")
_SENT = (
    update(outbox)
    .where(outbox.c.id == bindparam("which"))
    .values(
        state="sent", sealed=None, event_id=bindparam("event"), devices=bindparam("readers"),
        redact_at=outbox.c.lifetime_ms + bindparam("now"),
    )
)  # fmt: skip
_PLACE = select(outbox.c.position, outbox.c.event_id).where(outbox.c.id == bindparam("id"))


async def add(  # noqa: PLR0913 (one row, its columns)
    session: Session, identity: str, room_id: str, action: str, kind: str = "", *, target: str | None = None,
    sealed: bytes | None = None, delay_ms: int = 0, lifetime_ms: int | None = None,
) -> None:  # fmt: skip
    """One more thing to do in a room, after all that was to be done there before."""
    session.rooms_to_wake.add(room_id)
    session.later(
        _ADD,
        {
            "region_id": REGION,
            "id": identity,
            "room_id": room_id,
            "action": action,
            "kind": kind,
            "target": target,
            "sealed": sealed,
            "state": "pending",
            "posted_at": session.now_ms,
            "not_before": session.now_ms + delay_ms if delay_ms else 0,
            "lifetime_ms": lifetime_ms,
        },
    )


class Outbox(Repository):
    """Post, hand out in order, tick off; what is taken away again is `storage.clearing`'s."""

    async def post(
        self, room_id: str, kind: str, content: dict[str, Any], *, delay_ms: int = 0, lifetime_ms: int | None = None
    ) -> str:
        """Post a card; its id, which is written into it.

        With `lifetime_ms` it is redacted so long after it was sent.
        """
        identity = secrets.token_hex(12)
        content = content | {"wenk": {"v": 1, "id": identity} | content["wenk"]}
        sealed = self._seal(identity, content)
        await add(self._s, identity, room_id, "card", kind, sealed=sealed, delay_ms=delay_ms, lifetime_ms=lifetime_ms)
        return identity

    async def react(self, room_id: str, event_id: str, key: str) -> None:
        """A reaction is cleartext: also who cannot read the cards sees it."""
        identity = secrets.token_hex(12)
        await add(self._s, identity, room_id, "reaction", target=event_id, sealed=self._seal(identity, {"key": key}))

    async def pin(self, room_id: str, event_id: str) -> None:
        """Keep an event in sight, in the place of what was pinned before."""
        await add(self._s, secrets.token_hex(12), room_id, "pin", target=event_id)

    async def enclosed(self, identity: str, content: dict[str, Any], document: str) -> None:
        """The document of a card is made, and is on the server as `document`: from now on it is a card like others."""
        await self._s.run(
            update(outbox)
            .where(outbox.c.id == identity, outbox.c.state == "pending")
            .values(sealed=self._seal(identity, content), document=document)
        )

    async def next(self, room_id: str, *, cards: bool = True) -> Letter | None:
        """What is to be sent next in a room, even if it is not time yet: answers first, redactions after them.

        Without `cards`: of what can be sent while nobody is there who could read one.
        """
        which = _NEXT if cards else _NEXT_BUT_CARDS
        row = await self._s.one(which, {"room_id": room_id, "now": self._s.now_ms})
        return self._letter(row) if row else None

    async def next_redaction(self) -> tuple[str, str, str] | None:
        """Its id, our id of the room, and the event: the next that is to be emptied, whatever else is to be said."""
        row = await self._s.one(
            select(outbox.c.id, outbox.c.room_id, outbox.c.target)
            .where(outbox.c.state == "pending", outbox.c.action == "redaction")
            .order_by(outbox.c.seq)
            .limit(1)
        )
        return (row.id, row.room_id, row.target) if row else None

    async def sent(self, identity: str, event_id: str | None, devices: int | None = None) -> None:
        """The server has it (`event_id` None: it was not to be had any more); the content goes."""
        values = {"which": identity, "event": event_id, "readers": devices, "now": self._s.now_ms}
        await self._s.run(_SENT, values)

    async def seen(self, position: int, event_id: str, identity: str | None) -> bool:
        """One of our own events came by in the timeline: that is where it stands. False if it is not known at all.

        So it was sent, whatever was written down of it (a crash came between, or the answer was lost): it must not be
        sent again, also when the server has forgotten its transaction id. It stays to be ticked off by who sends, who
        knows what follows from it. Its lifetime counts from when it was posted, unless `sent` says when it was sent.
        """
        which = (
            or_(outbox.c.event_id == event_id, outbox.c.id == identity) if identity else outbox.c.event_id == event_id
        )
        found = await self._s.run(
            update(outbox)
            .where(which, outbox.c.position.is_(None))
            .values(
                position=position, event_id=event_id,
                redact_at=func.coalesce(outbox.c.redact_at, outbox.c.posted_at + outbox.c.lifetime_ms),
            )
        )  # fmt: skip
        return bool(found) or await self._knows(event_id)

    async def _knows(self, event_id: str) -> bool:
        return await self._s.value(select(outbox.c.seq).where(outbox.c.event_id == event_id).limit(1)) is not None

    async def place(self, identity: str) -> tuple[int | None, str | None]:
        """Where a card stands in the timeline, and its event id; None while that is not known."""
        row = await self._s.one(_PLACE, {"id": identity})
        return (row.position, row.event_id) if row else (None, None)

    async def card_at(self, event_id: str) -> str | None:
        """The id of our own card that this event is, if it is one."""
        card = select(outbox.c.id).where(outbox.c.event_id == event_id, outbox.c.action == "card")
        identity: str | None = await self._s.value(card)
        return identity

    async def latest(self, room_id: str, kind: str) -> tuple[str | None, int | None] | None:
        """Of the last card of a kind that was sent in a room: event id, and how many devices could read it."""
        row = await self._s.one(
            select(outbox.c.event_id, outbox.c.devices)
            .where(outbox.c.room_id == room_id, outbox.c.kind == kind, outbox.c.event_id.is_not(None))
            .order_by(outbox.c.seq.desc())
            .limit(1)
        )
        return (row.event_id, row.devices) if row else None

    async def pending_card(self, room_id: str, kind: str) -> str | None:
        """The id of a card of this kind that has not gone out yet."""
        identity: str | None = await self._s.value(
            select(outbox.c.id)
            .where(outbox.c.room_id == room_id, outbox.c.kind == kind, outbox.c.state == "pending")
            .limit(1)
        )
        return identity

    async def oldest_pending(self, room_id: str) -> int | None:
        """When what is still to be said in a room was posted, milliseconds; None: nothing is."""
        waiting = select(func.min(outbox.c.posted_at)).where(outbox.c.room_id == room_id, outbox.c.state == "pending")
        oldest: int | None = await self._s.value(waiting)
        return oldest

    async def withdraw(self, identity: str) -> None:
        """Do not send this any more, or not again; what is on its way already cannot be stopped."""
        await self._s.run(
            update(outbox).where(outbox.c.id == identity, outbox.c.state == "pending").values(state="sent", sealed=None)
        )

    async def cancel(self, room_id: str) -> None:
        """The room is gone or going: what was still to be done in it is not done any more."""
        await self._s.run(
            update(outbox)
            .where(and_(outbox.c.room_id == room_id, outbox.c.state == "pending"))
            .values(state="sent", sealed=None)
        )

    async def backlog(self) -> int:
        """How many letters have not gone out."""
        return int(await self._s.value(select(func.count()).where(outbox.c.state == "pending")))

    def _seal(self, identity: str, content: dict[str, Any]) -> bytes:
        return self._s.vault.seal_mail(msgspec.msgpack.encode(content), f"outbox {identity}")

    def _letter(self, row: Row[Any]) -> Letter:
        content: dict[str, Any] | None = None
        if row.sealed is not None:
            with suppress(Unsealable, msgspec.MsgspecError):
                content = msgspec.msgpack.decode(
                    self._s.vault.open_mail(row.sealed, f"outbox {row.id}"), type=dict[str, Any]
                )
        return Letter(
            id=row.id,
            room_id=row.room_id,
            action=row.action,
            kind=row.kind,
            target=row.target,
            content=content,
            not_before=row.not_before,
            event_id=row.event_id,
        )
