"""What people said, from the moment the server gave it until it is answered.

The event id is the key, so that the same event delivered twice is handled once. The body is sealed, and gone as
soon as it was handled; the event id stays.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, func, insert, select, update

from storage.schema import inbox, progress
from storage.session import REGION, Repository
from storage.vault import Unsealable


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came in, as far as it can be read, with what is needed to prove who sent it.

    `kind` is text, notice, other, plain (unencrypted), reaction or undecryptable; `raw` is the encrypted event while
    its key is missing; `sender_key` and `ed25519` are those of the Megolm session, `forwarded` if it came by a third
    party. `stood_at` is its place in the timeline, where its key came late and it is handled after later ones.
    """

    kind: str
    body: str = ""
    reply_to: str | None = None
    replaces: bool = False
    target: str | None = None
    sender_key: str | None = None
    ed25519: str | None = None
    forwarded: bool = False
    raw: dict[str, Any] | None = None
    stood_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One event in the inbox; `position` orders it among all others and among the bot's own cards.

    `said` is None if the row does not open: another master key sealed it, or it was damaged.
    """

    position: int
    event_id: str
    matrix_room: str
    sender: str
    received_at: int
    said: Said | None


@dataclass(frozen=True, slots=True)
class StoreMark:
    """Of a device's crypto store: how many batches it has seen."""

    device_id: str
    batches: int


_PROGRESS = select(progress.c.token, progress.c.position)
_KNOWN = select(inbox.c.position).where(inbox.c.event_id == bindparam("event_id"))
_NEXT_TWO = (
    select(inbox)
    .where(inbox.c.matrix_room == bindparam("matrix_room"), inbox.c.state == "new")
    .order_by(inbox.c.position)
    .limit(2)
)
_DONE = (
    update(inbox)
    .where(inbox.c.event_id == bindparam("which"), inbox.c.state != "done")
    .values(state="done", sealed=None, session_id=None)
)


class Inbox(Repository):
    """Take in, hand out in order, tick off."""

    async def progress(self) -> tuple[str | None, int]:
        """The sync token up to which everything is in, and the last position given out."""
        row = await self._s.one(_PROGRESS)
        return (row.token, row.position) if row else (None, 0)

    async def advance(self, token: str, position: int, mark: StoreMark | None = None) -> None:
        """Everything up to this token is in; part of the transaction that took it in."""
        values: dict[str, Any] = {"id": 1, "token": token, "position": position}
        if mark is not None:
            values |= {"device_id": mark.device_id, "batches": mark.batches}
        await self._s.put(progress, values)

    async def store_mark(self) -> StoreMark | None:
        """How far the crypto store was when the last batch was stored; None: not known."""
        row = await self._s.one(select(progress.c.device_id, progress.c.batches))
        return StoreMark(row.device_id, row.batches) if row and row.device_id is not None else None

    async def add(
        self, position: int, event_id: str, matrix_room: str, sender: str, said: Said,
        session_id: str | None = None, *, in_vain: bool = False,
    ) -> bool:  # fmt: skip
        """Take an event in; False if it was in already. With `session_id` it waits for that key.

        `in_vain`: the key cannot come; as if it had been waited for long enough.
        """
        if await self._s.value(_KNOWN, {"event_id": event_id}) is not None:
            return False
        await self._s.run(
            insert(inbox),
            {
                "position": position,
                "region_id": REGION,
                "event_id": event_id,
                "matrix_room": matrix_room,
                "sender": sender,
                "state": "waiting" if session_id else "new",
                "session_id": session_id,
                "sealed": self._seal(event_id, said),
                "received_at": 0 if in_vain else self._s.now_ms,
            },
        )
        return True

    async def rooms_with_work(self) -> Sequence[str]:
        """The Matrix ids of the rooms in which something is to be handled."""
        rows = await self._s.all(select(inbox.c.matrix_room).where(inbox.c.state == "new").distinct())
        return [row.matrix_room for row in rows]

    async def next(self, matrix_room: str) -> tuple[Received | None, bool]:
        """The oldest event of a room that is to be handled, and whether there are more."""
        rows = await self._s.all(_NEXT_TWO, {"matrix_room": matrix_room})
        return (self._received(rows[0]) if rows else None), len(rows) > 1

    async def waiting_for(self, session_ids: Sequence[str]) -> Sequence[Received]:
        """The events that wait for one of these keys."""
        rows = await self._s.all(
            select(inbox)
            .where(inbox.c.state == "waiting", inbox.c.session_id.in_(session_ids))
            .order_by(inbox.c.position)
        )
        return [self._received(row) for row in rows]

    async def waiting_since(self, moment_ms: int) -> Sequence[Received]:
        """The events whose key has not come since then."""
        rows = await self._s.all(
            select(inbox).where(inbox.c.state == "waiting", inbox.c.received_at <= moment_ms).order_by(inbox.c.position)
        )
        return [self._received(row) for row in rows]

    async def readable(self, event_id: str, position: int, said: Said) -> None:
        """The key came: handle it now, after all that was said meanwhile."""
        await self._s.run(
            update(inbox)
            .where(inbox.c.event_id == event_id, inbox.c.state == "waiting")
            .values(state="new", position=position, session_id=None, sealed=self._seal(event_id, said))
        )

    async def done(self, event_id: str) -> bool:
        """Handled: the body goes, the id stays. False if it was done already."""
        return bool(await self._s.run(_DONE, {"which": event_id}))

    async def backlog(self) -> int:
        """How many events wait to be handled, or for their key."""
        return int(await self._s.value(select(func.count()).where(inbox.c.state != "done")))

    def _seal(self, event_id: str, said: Said) -> bytes:
        return self._s.vault.seal_mail(msgspec.msgpack.encode(said), f"inbox {event_id}")

    def _received(self, row: Row[Any]) -> Received:
        said: Said | None = None
        with suppress(Unsealable, msgspec.MsgspecError):
            said = msgspec.msgpack.decode(self._s.vault.open_mail(row.sealed, f"inbox {row.event_id}"), type=Said)
        return Received(
            position=row.position,
            event_id=row.event_id,
            matrix_room=row.matrix_room,
            sender=row.sender,
            received_at=row.received_at,
            said=said,
        )
