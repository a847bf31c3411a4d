"""What a second person has to agree with before it is done: asked, answered once, or lapsed after a day."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Row, func, insert, select, update

from storage.schema import approval
from storage.session import REGION, Repository
from storage.vault import Unsealable

PATIENCE_MS = int(timedelta(days=1).total_seconds() * 1000)
"""How long an approval waits for an answer."""


class Decision(StrEnum):
    """Not answered yet; approved; refused; answered by nobody in time."""

    OPEN = "open"
    YES = "yes"
    NO = "no"
    LAPSED = "lapsed"


class Subject(msgspec.Struct, frozen=True, array_like=True):
    """What is asked (the name of a matter), and about which signal, by its number and its reference."""

    matter: str
    signal: int
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """`subject` is sealed, and gone once it is decided: what was asked about whom is in the audit log.

    It is gone, too, where the row does not open: another master key sealed it.
    """

    id: int
    ref: str
    asked_by: str
    decision: Decision
    lapses_at: int | None
    subject: Subject | None


class Approvals(Repository):
    """Ask, and decide; what was decided stays, so that who comes second hears what the first said."""

    async def open(self, ref: str, asked_by: str, subject: Subject) -> None:
        """Ask from now on, for a day."""
        self._s.effects += 1
        sealed = self._s.vault.seal_mail(msgspec.msgpack.encode(subject), _bound_to(ref))
        await self._s.run(
            insert(approval).values(
                region_id=REGION, ref=ref, asked_by=asked_by, decision=Decision.OPEN, sealed=sealed,
                lapses_at=self._s.now_ms + PATIENCE_MS,
            )
        )  # fmt: skip

    async def get(self, ref: str) -> Approval | None:
        row = await self._s.one(select(approval).where(approval.c.ref == ref, approval.c.region_id == REGION))
        return self._approval(row) if row else None

    async def exists(self, ref: str) -> bool:
        return await self.get(ref) is not None

    async def open_ones(self) -> Sequence[Approval]:
        """All that wait for an answer, the oldest first."""
        which = (approval.c.decision == Decision.OPEN, approval.c.region_id == REGION)
        rows = await self._s.all(select(approval).where(*which).order_by(approval.c.id))
        return [self._approval(row) for row in rows]

    async def decide(self, which: Approval, decision: Decision) -> None:
        self._s.effects += 1
        await self._s.run(
            update(approval).where(approval.c.id == which.id).values(decision=decision, lapses_at=None, sealed=None)
        )

    async def lapsed(self, limit: int) -> Sequence[Approval]:
        """Those that nobody answered in time, and of which nobody was told that yet."""
        due = select(approval).where(approval.c.lapses_at <= self._s.now_ms).order_by(approval.c.lapses_at)
        return [self._approval(row) for row in await self._s.all(due.limit(limit))]

    async def count_lapsed(self) -> int:
        return int(await self._s.value(select(func.count()).where(approval.c.lapses_at <= self._s.now_ms)))

    def _approval(self, row: Row[Any]) -> Approval:
        opened: bytes | None = None
        if row.sealed is not None:
            with suppress(Unsealable):
                opened = self._s.vault.open_mail(row.sealed, _bound_to(row.ref))
        return Approval(
            id=row.id,
            ref=row.ref,
            asked_by=row.asked_by,
            decision=Decision(row.decision),
            lapses_at=row.lapses_at,
            subject=msgspec.msgpack.decode(opened, type=Subject) if opened is not None else None,
        )


def _bound_to(ref: str) -> str:
    return f"approval {ref}"
