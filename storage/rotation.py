"""What is still under older keys, and bringing it under the current ones, a batch in each unit of work.

Of a signal only its key is wrapped anew: its child is neither opened nor sealed for that. Its tags are made anew from
the opened child. What does not open is passed over, counted, and stays under its old keys.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Row, Table, and_, bindparam, delete, func, or_, select, true, update

from domain.child import Child
from storage.audit import AuditLog
from storage.keys import Keys
from storage.schema import approval, inbox, outbox, question, rotation, signal, tag
from storage.session import Repository, Session
from storage.signals import Signals, can_be_found, generation
from storage.vault import VERSION_BYTES, Unsealable, mail_prefix

BATCH: Final = 20
"""So many signals: nobody waits long for the unit of work that retags them."""
Texts = Callable[[Child], Collection[str]]
"""By which texts a child is found."""

# What holds mail, the name that its sealing is bound to, and where to look: it is emptied once it is done with.
_MAIL: Final = (
    (inbox, inbox.c.event_id, inbox.c.state.in_(("new", "waiting"))),
    (outbox, outbox.c.id, outbox.c.state == "pending"),
    (question, question.c.slot + " " + question.c.user_id, question.c.sealed.is_not(None)),
    (approval, approval.c.ref, approval.c.sealed.is_not(None)),
)


@dataclass(frozen=True, slots=True)
class Batch:
    """So much was brought under the current keys, so much does not open; go on `after` this, or None: that was all."""

    done: int
    damaged: int
    after: tuple[int, Any] | None


_THE_END: Final = Batch(0, 0, None)


@dataclass(frozen=True, slots=True)
class Left:
    """How much is still under older keys: keys of signals, tags of signals, and what is on its way in or out."""

    rewrap: int
    retag: int
    reseal: int

    @property
    def all(self) -> int:
        return self.rewrap + self.retag + self.reseal


class Rotation(Repository):
    """Look what is left, do a batch of it, and write down that it began and ended."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._signals = Signals(session)

    # What is left.

    @property
    def _generation(self) -> int:
        return generation(self._s.vault.tag_version)

    async def left(self) -> Left:
        """Counted by the indexes; as long as that takes, it is what is left that takes it."""
        return Left(
            await self._count_others(signal.c.key_version, self._s.vault.master_version),
            await self._count_others(signal.c.tag_generation, self._generation),
            await self._mail_left(),
        )

    async def _count_others(self, column: Column[int], current: int) -> int:
        return int(await self._s.value(select(func.count()).where(or_(column < current, column > current))))

    async def _mail_left(self) -> int:
        current = mail_prefix(self._s.vault.master_version)
        left = 0
        for table, _name, waits in _MAIL:
            old = func.substr(table.c.sealed, 1, VERSION_BYTES) != current
            left += await self._s.value(select(func.count()).where(waits, old))
        return left

    async def _values(self, column: Column[int]) -> Sequence[int]:
        """The few different values of a column, one step through its index for each."""
        values: list[int] = []
        least = await self._s.value(select(func.min(column)))
        while least is not None:
            values.append(least)
            least = await self._s.value(select(func.min(column)).where(column > least))
        return values

    async def are_all_found(self) -> bool:
        """Whether a lookup meets all signals: else matches would be missed."""
        versions = self._s.vault.keys.tag
        return all(can_be_found(made, versions) for made in await self._values(signal.c.tag_generation))

    async def lacks(self, keys: Keys) -> bool:
        """Whether these keys lack one that something needs for which there is one now."""
        for made in await self._values(signal.c.tag_generation):
            if can_be_found(made, self._s.vault.keys.tag) and not can_be_found(made, keys.tag):
                return True
        gone = [version for version in self._s.vault.keys.master if version not in keys.master]
        return any([await self._wrapped_under(version) or await self._waiting_under(version) for version in gone])

    async def under(self, version: int) -> int:
        """How many rows are wrapped or sealed under a version of the master key, those that do not open included.

        All mail is looked at, whatever its state: of this nobody may be wrong.
        """
        sealed = [await self._sealed_under(version, table, true()) for table, _name, _waits in _MAIL]
        return await self._wrapped_under(version) + sum(sealed)

    async def _wrapped_under(self, version: int) -> int:
        return int(await self._s.value(select(func.count()).where(signal.c.key_version == version)))

    async def _waiting_under(self, version: int) -> int:
        return sum([await self._sealed_under(version, table, waits) for table, _name, waits in _MAIL])

    async def _sealed_under(self, version: int, table: Table, where: ColumnElement[bool]) -> int:
        theirs = func.substr(table.c.sealed, 1, VERSION_BYTES) == mail_prefix(version)
        return int(await self._s.value(select(func.count()).select_from(table).where(where, theirs)))

    # A batch of it.

    async def rewrap(self, after: tuple[int, Any] | None, limit: int = BATCH) -> Batch:
        """Keys of signals that are wrapped under another version of the master key."""
        vault = self._s.vault
        rows = await self._others(signal.c.key_version, vault.master_version, after, limit)
        anew = []
        for row in rows:
            try:
                wrapped = vault.rewrap(row.ref, row.key_version, row.wrapped_key)
            except Unsealable:
                continue
            anew.append({"which": row.id, "version": vault.master_version, "wrapped": wrapped})
        if anew:
            await self._s.run(_REWRAPPED, anew)
        return _batch(rows, len(anew), [(row.key_version, row.id) for row in rows])

    async def retag(self, texts: Texts, after: tuple[int, Any] | None, limit: int = BATCH) -> Batch:
        """Tags of signals that were made under another tag key, or by another scheme."""
        rows = await self._others(signal.c.tag_generation, self._generation, after, limit)
        anew = {}
        for row in rows:
            try:
                anew[row.id] = texts(self._signals.opened(row).child)
            except Exception:  # noqa: BLE001, S112 (counted: one child, whatever is wrong with it, keeps no other back)
                continue
        if anew:
            await self._s.run(delete(tag).where(tag.c.signal_id.in_(anew)))
            await self._signals.add_tags(anew)
            made_now = update(signal).where(signal.c.id.in_(anew)).values(tag_generation=self._generation)
            await self._s.run(made_now)
        return _batch(rows, len(anew), [(row.tag_generation, row.id) for row in rows])

    async def reseal(self, after: tuple[int, Any] | None, limit: int = BATCH) -> Batch:
        """What is on its way in or out: little, but a card may wait for months for somebody to read it."""
        vault = self._s.vault
        current = mail_prefix(vault.master_version)
        first, last = after or (0, "")
        for place, (table, name, waits) in enumerate(_MAIL):
            if place < first:
                continue
            old = and_(waits, func.substr(table.c.sealed, 1, VERSION_BYTES) != current)
            rows = await self._s.all(
                select(name.label("name"), table.c.sealed)
                .where(old, name > (last if place == first else ""))
                .order_by(name)
                .limit(limit)
            )
            done = 0
            for row in rows:
                bound_to = f"{table.name} {row.name}"
                try:
                    plain = vault.open_mail(row.sealed, bound_to)
                except Unsealable:
                    continue
                anew = vault.seal_mail(plain, bound_to)
                await self._s.run(update(table).where(name == row.name).values(sealed=anew))
                done += 1
            if rows:
                return _batch(rows, done, [(place, row.name) for row in rows])
        return _THE_END

    async def distrust_tags(self) -> None:
        """Have all tags made anew, whatever they were made by."""
        await self._s.run(update(signal).values(tag_generation=0))
        await self._s.run(update(rotation).values(finished=False))

    async def _others(
        self, column: Column[int], current: int, after: tuple[int, Any] | None, limit: int
    ) -> Sequence[Row[Any]]:
        """The next signals whose column says something else, in the order of its index."""
        if after is not None and (rows := await self._some(column, *after, limit)):
            return rows
        beyond = -1 if after is None else after[0]
        for value in await self._values(column):
            if value > beyond and value != current and (rows := await self._some(column, value, 0, limit)):
                return rows
        return []

    async def _some(self, column: Column[int], value: int, beyond: int, limit: int) -> Sequence[Row[Any]]:
        those = select(signal).where(column == value, signal.c.id > beyond).order_by(signal.c.id).limit(limit)
        return await self._s.all(those)

    # That it began and ended.

    async def _row(self) -> Row[Any] | None:
        return await self._s.one(select(rotation))

    def _asks_for(self, row: Row[Any]) -> bool:
        """Whether the database is to be brought under just these keys."""
        return (row.key_version, row.tag_generation) == (self._s.vault.master_version, self._generation)

    async def is_finished(self) -> bool | None:
        """Whether everything is under the current keys, and who writes to this database works with these.

        None: no bot has looked yet.
        """
        row = await self._row()
        return None if row is None else bool(row.finished) and self._asks_for(row)

    async def is_settled(self) -> bool:
        """Whether everything is under the current keys, and `begin` would have nothing to write down."""
        row = await self._row()
        return row is not None and bool(row.finished) and self._asks_for(row) and row.masters == self._masters

    @property
    def _masters(self) -> str:
        return " ".join(map(str, sorted(self._s.vault.keys.master)))

    async def begin(self) -> bool:
        """Write down what everything is to be brought under, if that is new; whether something is to be done."""
        row = await self._row()
        written = AuditLog(self._s)
        for version in map(int, row.masters.split() if row else ()):
            if version not in self._s.vault.keys.master:
                await written.write("wenk", "keys.destroyed")
        finished = bool(row.finished) if row and self._asks_for(row) else await self._is_first_start(row)
        if not finished and (row is None or not self._asks_for(row)):
            await written.write("wenk", "keys.rotation.begun")
        values = {
            "id": 1, "key_version": self._s.vault.master_version, "tag_generation": self._generation,
            "masters": self._masters, "finished": finished,
        }  # fmt: skip
        if row is None or tuple(values.values()) != tuple(row):
            await self._s.put(rotation, values)
        return not finished

    async def _is_first_start(self, row: Row[Any] | None) -> bool:
        return row is None and (await self.left()).all == 0

    async def finish(self) -> bool:
        """Write down that nothing is left under older keys; False if something is."""
        if (await self.left()).all:
            return False
        found = await self._s.run(update(rotation).where(rotation.c.finished.is_(False)).values(finished=True))
        if found:
            await AuditLog(self._s).write("wenk", "keys.rotation.finished")
        return True


_REWRAPPED = (
    update(signal)
    .where(signal.c.id == bindparam("which"))
    .values(key_version=bindparam("version"), wrapped_key=bindparam("wrapped"))
)


def _batch(rows: Sequence[Row[Any]], done: int, places: Sequence[tuple[int, Any]]) -> Batch:
    return Batch(done, len(rows) - done, places[-1]) if rows else _THE_END
