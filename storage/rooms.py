"""Rooms as they should be: the reconciler makes the server match this."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, case, insert, or_, select, update

from storage.schema import member, outbox, room
from storage.session import REGION, Repository, Session


@dataclass(frozen=True, slots=True)
class Member:
    """`wanted`: should be in the room. `membership`: none, invite, join or leave, as the server said last."""

    user_id: str
    wanted: bool
    membership: str

    @property
    def to_invite(self) -> bool:
        """Who left of their own accord is not invited again."""
        return self.wanted and self.membership == "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """`id` is random and also the marker in the room; `state` is wanted, open, closing or closed.

    `empty_until` (milliseconds): what was written in it until then is to be emptied, while it stays open.
    """

    id: str
    purpose: str
    owner: str | None
    introduction_id: int | None
    alias: str
    matrix_id: str | None
    state: str
    empty_until: int | None
    members: tuple[Member, ...]

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset(who.user_id for who in self.members if who.wanted)


_ROOM = (
    select(room, member.c.user_id, member.c.wanted, member.c.membership)
    .outerjoin(member, member.c.room_id == room.c.id)
    .order_by(member.c.user_id)
)
_FIND = {
    column: _ROOM.where(room.c[column] == bindparam("value"))
    for column in ("id", "owner", "matrix_id", "introduction_id")
}

_DESKS = select(room.c.owner, room.c.id).where(room.c.owner.in_(bindparam("owners", expanding=True)))


def _opaque() -> str:
    return "wenk-" + secrets.token_hex(16)


class Rooms(Repository):
    """Desks and the rooms of introductions."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._desks: dict[str, str] = {}
        """Our ids of desks, by owner: once there is one it stays the same."""

    async def desk(self, user_id: str) -> Room:
        """The desk of this person: the one there is, or a new one that is wanted from now on."""
        found = await self._find("owner", user_id)
        return found or await self._add("desk", [user_id], owner=user_id)

    async def desk_id(self, user_id: str) -> str:
        """The same, for who only wants to post there; looked up once per unit of work."""
        if user_id not in self._desks:
            self._desks[user_id] = (await self.desk(user_id)).id
        return self._desks[user_id]

    async def look_up_desks(self, owners: Collection[str]) -> None:
        """Ask for all these desks at once; `desk_id` then knows them."""
        rows = await self._s.all(_DESKS, {"owners": list(owners)})
        self._desks.update((row.owner, row.id) for row in rows)

    async def desk_of(self, user_id: str) -> Room | None:
        """The desk of this person, if there is one."""
        return await self._find("owner", user_id)

    async def of_introduction(self, number: int) -> Room:
        found = await self._find("introduction_id", number)
        return found or await self._add("introduction", [], introduction_id=number)

    async def _add(
        self, purpose: str, members: Sequence[str], owner: str | None = None, introduction_id: int | None = None
    ) -> Room:
        identity = _opaque()
        await self._s.run(
            insert(room).values(
                id=identity, region_id=REGION, purpose=purpose, owner=owner, introduction_id=introduction_id,
                alias=identity, matrix_id=None, state="wanted",
            )
        )  # fmt: skip
        for user_id in members:
            await self.want(identity, user_id)
        self._changed(identity)
        created = await self.get(identity)
        assert created is not None  # noqa: S101 (inserted above, in this transaction)
        return created

    async def want(self, identity: str, user_id: str) -> str:
        """This person should be in the room; their membership now.

        Asking anew is a reason to invite again who had left.
        """
        self._changed(identity)
        whose = (member.c.room_id == identity) & (member.c.user_id == user_id)
        known = await self._s.one(select(member.c.wanted, member.c.membership).where(whose))
        if known is None:
            await self._s.run(insert(member).values(room_id=identity, user_id=user_id, wanted=True, membership="none"))
            return "none"
        fresh = "none" if known.membership == "leave" else str(known.membership)
        await self._s.run(update(member).where(whose).values(wanted=True, membership=fresh))
        return fresh

    async def unwant(self, identity: str, user_id: str) -> None:
        """This person should not be in the room any more."""
        self._changed(identity)
        await self._s.run(
            update(member).where(member.c.room_id == identity, member.c.user_id == user_id).values(wanted=False)
        )

    async def saw(self, identity: str, user_id: str, membership: str) -> bool:
        """The server says that this person's membership is so; False if that was known.

        A departure is theirs unless they were not wanted any more: then it was ours.
        """
        whose = (member.c.room_id == identity) & (member.c.user_id == user_id)
        changed = update(member).where(whose, member.c.membership != membership).values(membership=membership)
        row = await self._s.one(changed.returning(member.c.wanted))
        if row is None:
            return False
        self._s.rooms_to_wake.add(identity)
        if not row.wanted:
            self._s.rooms_to_settle.add(identity)
        return True

    async def removed(self, identity: str, user_id: str) -> None:
        """We took this person out. Who is wanted again by now is to be invited; nobody left of their own accord."""
        self._s.rooms_to_wake.add(identity)
        again = case((member.c.wanted, "none"), else_="leave")
        await self._s.run(
            update(member).where(member.c.room_id == identity, member.c.user_id == user_id).values(membership=again)
        )

    async def created(self, identity: str, matrix_id: str) -> None:
        """The room exists on the server and was checked; whoever made it sees to its members."""
        self._s.rooms_to_wake.add(identity)
        # It may have been given up while it was made.
        still = case((room.c.state == "wanted", "open"), else_=room.c.state)
        await self._s.run(update(room).where(room.c.id == identity).values(matrix_id=matrix_id, state=still))

    async def retire_alias(self, identity: str) -> str:
        """The alias stands for a half-built room: take another one."""
        fresh = _opaque()
        self._changed(identity)
        await self._s.run(update(room).where(room.c.id == identity).values(alias=fresh))
        return fresh

    async def close(self, identity: str) -> None:
        """Nobody is wanted any more, and everything in it is to be emptied."""
        self._changed(identity)
        await self._s.run(update(room).where(room.c.id == identity).values(state="closing"))
        await self._s.run(update(member).where(member.c.room_id == identity).values(wanted=False))

    async def empty(self, identity: str) -> None:
        """What was written in the room until now, by whomever, is to be emptied; it stays open.

        What we say from now on stays, so what was to be said is withdrawn first (`Clearing.empty`). In a room that is
        not made yet nothing was written, and one that closes is emptied anyway.
        """
        self._changed(identity)
        which = (room.c.id == identity) & (room.c.state == "open")
        await self._s.run(update(room).where(which).values(empty_until=self._s.now_ms))

    async def emptied(self, identity: str, until: int) -> None:
        """What was written until then is gone; who asked for it again meanwhile waits for that."""
        which = (room.c.id == identity) & (room.c.empty_until == until)
        await self._s.run(update(room).where(which).values(empty_until=None))

    async def closed(self, identity: str) -> None:
        """The room is empty and left."""
        await self._s.run(update(room).where(room.c.id == identity).values(state="closed"))

    async def get(self, identity: str) -> Room | None:
        return await self._find("id", identity)

    async def by_matrix_id(self, matrix_id: str) -> Room | None:
        return await self._find("matrix_id", matrix_id)

    async def owners_of_desks(self) -> Sequence[str]:
        """Who has a desk."""
        rows = await self._s.all(select(room.c.owner).where(room.c.owner.is_not(None)).order_by(room.c.owner))
        return [row.owner for row in rows]

    async def made(self) -> Mapping[str, str]:
        """The Matrix ids of the rooms that exist, as far as we know, by our ids."""
        rows = await self._s.all(
            select(room.c.id, room.c.matrix_id).where(room.c.matrix_id.is_not(None), room.c.state != "closed")
        )
        return {row.id: row.matrix_id for row in rows}

    async def make_anew(self, identity: str) -> int | None:
        """The room is there no more: another one, in which nobody is yet, if it is still wanted.

        The number of the introduction to which it belongs, if it does.
        """
        gone = update(room).where(room.c.id == identity, room.c.state == "open")
        if not await self._s.run(gone.values(state="wanted", matrix_id=None, empty_until=None)):
            return None
        await self.retire_alias(identity)
        await self._s.run(update(member).where(member.c.room_id == identity).values(membership="none"))
        number: int | None = await self._s.value(select(room.c.introduction_id).where(room.c.id == identity))
        return number

    async def with_unsent_for(self, user_id: str) -> Sequence[str]:
        """Our ids of the rooms in which this person is wanted and something waits to be sent."""
        rows = await self._s.all(
            select(outbox.c.room_id)
            .join(member, member.c.room_id == outbox.c.room_id)
            .where(member.c.user_id == user_id, member.c.wanted, outbox.c.state == "pending")
            .distinct()
        )
        return [row.room_id for row in rows]

    async def unsettled(self) -> Sequence[str]:
        """Our ids of the rooms at which there is work: to make, invite to, empty, or post in."""
        strangers = (member.c.wanted & (member.c.membership == "none")) | (
            ~member.c.wanted & member.c.membership.in_(["invite", "join"])
        )
        rows = await self._s.all(
            select(room.c.id).where(
                room.c.state != "closed",
                or_(
                    room.c.state.in_(["wanted", "closing"]),
                    room.c.empty_until.is_not(None),
                    room.c.id.in_(select(member.c.room_id).where(strangers)),
                    room.c.id.in_(select(outbox.c.room_id).where(outbox.c.state == "pending")),
                ),
            )
        )
        return [row.id for row in rows]

    async def _find(self, column: str, value: object) -> Room | None:
        rows = await self._s.all(_FIND[column], {"value": value})
        return _room(rows) if rows else None

    def _changed(self, identity: str) -> None:
        self._s.rooms_to_wake.add(identity)
        self._s.rooms_to_settle.add(identity)


def _room(rows: Sequence[Row[Any]]) -> Room:
    """One row for each member; one without a member for a room that nobody was ever wanted in."""
    row = rows[0]
    return Room(
        id=row.id,
        purpose=row.purpose,
        owner=row.owner,
        introduction_id=row.introduction_id,
        alias=row.alias,
        matrix_id=row.matrix_id,
        state=row.state,
        empty_until=row.empty_until,
        members=tuple(Member(who.user_id, who.wanted, who.membership) for who in rows if who.user_id is not None),
    )
