"""What is taken away again of what Wenk said and heard: its time is up, or that of what it is about."""

import secrets
from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update

from storage.outbox import LOOKED_UP_LATER, add
from storage.schema import outbox, review
from storage.session import Repository

_ALL = 1_000_000


class Clearing(Repository):
    """Redact, drop and forget. The rows are the outbox's: what is to be redacted is sent like everything else."""

    async def redact(self, room_id: str, event_id: str) -> None:
        """Empty an event; after all that is to be said in that room."""
        await add(self._s, secrets.token_hex(12), room_id, "redaction", target=event_id)

    async def redact_lapsed(self, limit: int) -> int:
        """Have the cards redacted whose time is up, and what was enclosed in them purged; how many."""
        rows = await self._s.all(
            select(outbox.c.id, outbox.c.room_id, outbox.c.event_id, outbox.c.document)
            .where(self._readable_too_long())
            .order_by(outbox.c.redact_at)
            .limit(limit)
        )
        for row in rows:
            await self._s.run(update(outbox).where(outbox.c.id == row.id).values(redact_at=None))
            if row.event_id:
                await self.redact(row.room_id, row.event_id)
            if row.document:
                await add(self._s, secrets.token_hex(12), row.room_id, "purge", target=row.document)
        return len(rows)

    async def drop_unsent(self, limit: int) -> int:
        """Never send what nobody could read within its lifetime; how many. A child's data does not wait for ever."""
        lapsed = select(outbox.c.seq).where(self._unsent_too_long()).limit(limit)
        return await self._s.run(update(outbox).where(outbox.c.seq.in_(lapsed)).values(state="sent", sealed=None))

    async def count_lapsed(self) -> int:
        """How many cards the two above are about."""
        which = or_(self._readable_too_long(), self._unsent_too_long())
        return int(await self._s.value(select(func.count()).where(which)))

    async def drop_personal(self, room_id: str, reviewed: int | None = None) -> None:
        """What a child's data was written into is emptied now, and not sent if it was not yet.

        `reviewed`: only if this signal (by number) is or was under review. Asked here, so that what is said to the
        database does not tell whether it was.
        """
        personal = and_(outbox.c.room_id == room_id, outbox.c.lifetime_ms.is_not(None))
        if reviewed is not None:
            is_reviewed = or_(review.c.low == reviewed, review.c.high == reviewed)
            personal = and_(personal, select(review.c.id).where(is_reviewed).exists())
        unsent = update(outbox).where(personal, outbox.c.state == "pending").values(state="sent", sealed=None)
        await self._s.run(unsent)
        await self._s.run(
            update(outbox).where(personal, outbox.c.redact_at.is_not(None)).values(redact_at=self._s.now_ms)
        )
        await self.redact_lapsed(_ALL)

    async def empty(self, room_id: str) -> None:
        """All that we said in a room until now is emptied, and what was still to be said or pinned is not any more.

        What is on its way at this moment is emptied once it is known where it stands: its time is up already.
        """
        ours = and_(outbox.c.room_id == room_id, outbox.c.action != "redaction")
        unsent = update(outbox).where(ours, outbox.c.state == "pending", outbox.c.event_id.is_(None))
        await self._s.run(unsent.values(state="sent", sealed=None, lifetime_ms=0))
        said = update(outbox).where(ours, outbox.c.event_id.is_not(None))
        await self._s.run(said.values(redact_at=self._s.now_ms))
        await self.redact_lapsed(_ALL)

    async def standing(self, room_id: str) -> Collection[str]:
        """The events of our cards in a room that are there to stay, as far as we know."""
        gone = select(outbox.c.target).where(outbox.c.room_id == room_id, outbox.c.action == "redaction")
        rows = await self._s.all(
            select(outbox.c.event_id).where(
                outbox.c.room_id == room_id, outbox.c.action == "card", outbox.c.event_id.is_not(None),
                outbox.c.redact_at.is_(None), outbox.c.event_id.not_in(gone),
            )
        )  # fmt: skip
        return {row.event_id for row in rows}

    async def forget_before(self, moment_ms: int, limit: int) -> int:
        """Drop what was sent and done with by then, the oldest first; how many. What is looked up later stays."""
        old = select(outbox.c.seq).where(_done_before(moment_ms)).order_by(outbox.c.seq).limit(limit)
        return await self._s.run(delete(outbox).where(outbox.c.seq.in_(old)))

    async def count_before(self, moment_ms: int) -> int:
        """How many there are to forget."""
        return int(await self._s.value(select(func.count()).where(_done_before(moment_ms))))

    def _readable_too_long(self) -> ColumnElement[bool]:
        return outbox.c.redact_at <= self._s.now_ms

    def _unsent_too_long(self) -> ColumnElement[bool]:
        return and_(outbox.c.state == "pending", outbox.c.posted_at + outbox.c.lifetime_ms <= self._s.now_ms)


def _done_before(moment_ms: int) -> ColumnElement[bool]:
    done = outbox.c.redact_at.is_(None) & outbox.c.kind.not_in(LOOKED_UP_LATER)
    return and_(outbox.c.state == "sent", outbox.c.posted_at <= moment_ms, done)
