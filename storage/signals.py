"""Signals: sealed children, and the tags that find them."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Row, bindparam, delete, func, insert, or_, select, update

from domain.address import Address
from domain.birth import BirthDate
from domain.candidates import SCHEME
from domain.child import Child
from domain.life import State
from domain.notice import Notice
from storage.schema import notice, signal, tag
from storage.session import REGION, Repository
from storage.telling import pack as pack_notice
from storage.vault import SignalKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One professional's involvement with one child.

    `active_until` is the first day on which it is inactive; `ended_on` is set once it ended; `reminded`: its owner was
    asked whether to renew it; `chain`: the number of the first of the signals that renewed each other, its own if it
    renewed none.
    """

    id: int
    ref: str
    owner: str
    state: State
    basis: str
    placed_on: date
    active_until: date
    ended_on: date | None
    reminded: bool
    chain: int
    child: Child
    key: SignalKey


class _SealedChild(msgspec.Struct, array_like=True):
    given: str
    surname: str
    born: str
    address: tuple[Literal["home", "none", "secret"], str, int, str]


def pack(child: Child) -> bytes:
    """What is sealed of a child."""
    home = child.address
    return msgspec.msgpack.encode(
        _SealedChild(child.given, child.surname, str(child.born), (home.kind, home.postcode, home.number, home.suffix))
    )


def _unpack(packed: bytes) -> Child:
    sealed = msgspec.msgpack.decode(packed, type=_SealedChild)
    return Child(sealed.given, sealed.surname, BirthDate.from_iso(sealed.born), Address(*sealed.address))


_GENERATION: Final = 100_000


def generation(version: int) -> int:
    """By what the tags of a signal were made: the scheme (`domain.candidates`), and the version of the tag key."""
    return SCHEME * _GENERATION + version


def can_be_found(made: int, tag_versions: Container[int]) -> bool:
    """Whether a lookup meets tags of this generation, with these versions of the tag key at hand."""
    scheme, version = divmod(made, _GENERATION)
    return scheme == SCHEME and version in tag_versions


_PLACE = insert(signal).returning(signal.c.id)
_SET_STATE = (
    update(signal)
    .where(signal.c.id == bindparam("which"))
    .values(state=bindparam("to"), ended_on=bindparam("ended"), look_on=bindparam("look"))
)
_NOTICE = insert(notice)
_FOUND_BY = (
    select(signal)
    .where(
        signal.c.id.in_(select(tag.c.signal_id).where(tag.c.tag.in_(bindparam("tags", expanding=True)))),
        signal.c.region_id == REGION,
    )
    .order_by(signal.c.id)
)
_FOUND_BY_OWN = _FOUND_BY.where(signal.c.owner == bindparam("owner"))
_CHAIN = (
    select(signal)
    .where(or_(signal.c.id == bindparam("chain"), signal.c.chain == bindparam("chain")))
    .order_by(signal.c.id)
)
# Each end by an index, whatever it holds: counting a million rows would take longer than matching.
_ENDS = select(
    select(func.min(signal.c.id)).scalar_subquery().label("oldest"),
    select(func.max(signal.c.id)).scalar_subquery().label("newest"),
)


class Signals(Repository):
    """Place, find, change and erase signals."""

    async def add(  # noqa: PLR0913 (one row, its columns)
        self, *, ref: str, owner: str, basis: str, child: Child, active_until: date, look_on: date,
        tags: Collection[str], remind_on: date, chain: int | None = None,
    ) -> Signal:  # fmt: skip
        """Place a signal today; `tags` are the canonical strings by which it is to be found.

        `remind_on`: when to ask whether the family was told. `chain`: that of the signal that it renews.
        """
        self._s.effects += 1
        key, wrapped = self._s.vault.new_signal_key(ref)
        number: int = await self._s.value(
            _PLACE,
            {
                "region_id": REGION,
                "ref": ref,
                "owner": owner,
                "state": State.ACTIVE,
                "basis": basis,
                "placed_on": self._s.today,
                "active_until": active_until,
                "ended_on": None,
                "look_on": look_on,
                "reminded": False,
                "key_version": self._s.vault.master_version,
                "wrapped_key": wrapped,
                "sealed_child": key.seal(pack(child)),
                "tag_generation": generation(self._s.vault.tag_version),
                "chain": chain,
            },
        )
        await self.add_tags({number: tags})
        untold = pack_notice(Notice(must=(), since=self._s.today))
        await self._s.run(_NOTICE, {"signal_id": number, "look_on": remind_on, "sealed": key.seal(untold)})
        return Signal(
            id=number, ref=ref, owner=owner, state=State.ACTIVE, basis=basis, placed_on=self._s.today,
            active_until=active_until, ended_on=None, reminded=False, chain=chain or number,
            child=child, key=key,
        )  # fmt: skip

    async def add_tags(self, texts: Mapping[int, Collection[str]]) -> None:
        """Store the tags by which these signals (by number) are found; they have none yet."""
        vault = self._s.vault
        keyed = [
            {"tag": each, "signal_id": number} for number, those in texts.items() for each in set(vault.tags(those))
        ]
        # A child whose date is not fully known may have no tag at all.
        if keyed:
            await self._s.run(insert(tag), keyed)

    async def correct(self, which: Signal, child: Child, look_on: date, tags: Collection[str]) -> Signal:
        """It is about this child; found by these tags and by none that it had."""
        self._s.effects += 1
        made = generation(self._s.vault.tag_version)
        changed = {"sealed_child": which.key.seal(pack(child)), "look_on": look_on, "tag_generation": made}
        await self._s.run(update(signal).where(signal.c.id == which.id).values(changed))
        await self._s.run(delete(tag).where(tag.c.signal_id == which.id))
        await self.add_tags({which.id: tags})
        return replace(which, child=child)

    async def get(self, number: int) -> Signal | None:
        row = await self._s.one(select(signal).where(signal.c.id == number))
        return self.opened(row) if row else None

    async def owned(self, owner: str, ref: str) -> Signal | None:
        """The signal `ref` if it is the owner's; somebody else's does not exist for them."""
        row = await self._s.one(select(signal).where(signal.c.ref == ref, signal.c.owner == owner))
        return self.opened(row) if row else None

    async def of_owner(self, owner: str) -> Sequence[Signal]:
        rows = await self._s.all(select(signal).where(signal.c.owner == owner).order_by(signal.c.id))
        return [self.opened(row) for row in rows]

    async def found_by(self, tags: Collection[str], owner: str | None = None) -> Sequence[Signal]:
        """All signals that share a tag: the candidates, in one statement; or only those of one owner."""
        if not tags:
            return []
        found = {"tags": self._s.vault.tags_to_find(tags)}
        rows = await (
            self._s.all(_FOUND_BY, found) if owner is None else self._s.all(_FOUND_BY_OWN, found | {"owner": owner})
        )
        return [self.opened(row) for row in rows]

    async def numbers(self) -> range:
        """Within which the numbers of all signals are; some in between were erased."""
        row = await self._s.one(_ENDS)
        return range(row.oldest, row.newest + 1) if row is not None and row.newest is not None else range(0)

    async def size(self) -> int:
        """About how many signals there are, never too few: those erased between the oldest and the newest count too."""
        return len(await self.numbers())

    async def some(self, numbers: Iterable[int]) -> Sequence[Signal]:
        """The signals with these numbers, oldest first."""
        wanted = list(numbers)
        if not wanted:
            return []
        rows = await self._s.all(select(signal).where(signal.c.id.in_(wanted)).order_by(signal.c.id))
        return [self.opened(row) for row in rows]

    async def chain_of(self, which: Signal) -> Sequence[Signal]:
        """The signals that renewed each other, oldest first, itself among them; those that are erased are not."""
        return [self.opened(row) for row in await self._s.all(_CHAIN, {"chain": which.chain})]

    async def by_ref(self, ref: str) -> Signal | None:
        """The signal `ref`, whoever's it is: not for people's questions (see `owned`)."""
        row = await self._s.one(select(signal).where(signal.c.ref == ref))
        return self.opened(row) if row else None

    async def exists(self, ref: str) -> bool:
        return await self._s.value(select(signal.c.id).where(signal.c.ref == ref)) is not None

    async def check_keys(self) -> None:
        """Open one signal of each version of the master key; raises Unsealable if these are not the keys."""
        first = select(func.min(signal.c.id)).group_by(signal.c.key_version)
        for row in await self._s.all(select(signal).where(signal.c.id.in_(first))):
            self.opened(row)

    async def set_state(self, which: Signal, state: State, ended_on: date | None, look_on: date) -> Signal:
        self._s.effects += 1
        self._s.later(_SET_STATE, {"which": which.id, "to": state, "ended": ended_on, "look": look_on})
        return replace(which, state=state, ended_on=ended_on)

    async def remind(self, which: Signal, look_on: date) -> None:
        """Its owner has been asked whether to renew it: never again."""
        self._s.effects += 1
        await self._s.run(update(signal).where(signal.c.id == which.id).values(reminded=True, look_on=look_on))

    async def look_again(self, which: Signal, on: date) -> None:
        """Nothing was due yet: look again on that day."""
        await self._s.run(update(signal).where(signal.c.id == which.id).values(look_on=on))

    async def erase(self, which: Signal) -> None:
        """The child, the tags, the notices, the pairs, the access log and the key: gone."""
        self._s.effects += 1
        self._s.erased.append(which.ref)
        await self._s.run(delete(signal).where(signal.c.id == which.id))

    async def numbers_to_look_at(self, day: date) -> Sequence[int]:
        """The same by number, unopened: also those that cannot be opened."""
        rows = await self._s.all(select(signal.c.id).where(signal.c.look_on <= day).order_by(signal.c.look_on))
        return [row.id for row in rows]

    async def to_look_at(self, day: date, limit: int) -> Sequence[Signal]:
        """The signals to look at on that day, oldest first."""
        rows = await self._s.all(
            select(signal).where(signal.c.look_on <= day).order_by(signal.c.look_on, signal.c.id).limit(limit)
        )
        return [self.opened(row) for row in rows]

    def opened(self, row: Row[Any]) -> Signal:
        """The signal that a row of the table holds; raises Unsealable."""
        key = self._s.vault.signal_key(row.ref, row.key_version, row.wrapped_key)
        return Signal(
            id=row.id,
            ref=row.ref,
            owner=row.owner,
            state=State(row.state),
            basis=row.basis,
            placed_on=row.placed_on,
            active_until=row.active_until,
            ended_on=row.ended_on,
            reminded=row.reminded,
            chain=row.chain or row.id,
            child=_unpack(key.open(row.sealed_child)),
            key=key,
        )
