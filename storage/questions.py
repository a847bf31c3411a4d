"""What a desk waits for. One open question per desk; it survives a restart and vanishes after an hour."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, select, update

from storage.schema import question
from storage.session import Repository

HOUR_MS = 3_600_000
_WHICH = and_(question.c.user_id == bindparam("user_id"), question.c.slot == bindparam("slot"))
_OPEN = select(question.c.card_id, question.c.sealed, question.c.expires_at).where(_WHICH)
_DROP = (
    delete(question)
    .where(_WHICH)
    .returning(and_(question.c.sealed.is_not(None), question.c.expires_at > bindparam("now")))
)


@dataclass(frozen=True, slots=True)
class Open:
    """`card_id` is the card that asks; `state` is the asker's own, as it was put; None once the hour is over."""

    card_id: str
    state: bytes | None


class Questions(Repository):
    """One row per person and slot; a new one takes the place of the old."""

    async def put(self, user_id: str, slot: str, card_id: str, state: bytes) -> None:
        sealed = self._s.vault.seal_mail(state, f"question {slot} {user_id}")
        expires_at = self._s.now_ms + HOUR_MS
        await self._s.put(
            question,
            {"user_id": user_id, "slot": slot, "card_id": card_id, "sealed": sealed, "expires_at": expires_at},
        )

    async def get(self, user_id: str, slot: str) -> Open | None:
        """The open question of a desk, or that there was one."""
        row = await self._s.one(_OPEN, {"user_id": user_id, "slot": slot})
        if row is None:
            return None
        if row.sealed is None or row.expires_at <= self._s.now_ms:
            return Open(row.card_id, None)
        return Open(row.card_id, self._s.vault.open_mail(row.sealed, f"question {slot} {user_id}"))

    async def drop(self, user_id: str, slot: str) -> bool:
        """Forget it; False if there was none, or none that was still open."""
        return bool(await self._s.value(_DROP, {"user_id": user_id, "slot": slot, "now": self._s.now_ms}))

    async def drop_all(self) -> None:
        """Forget what every desk waits for."""
        await self._s.run(delete(question))

    async def lapse(self) -> int:
        """Empty all that are over an hour old; how many."""
        return await self._s.run(update(question).where(self._lapsed()).values(sealed=None))

    async def count_lapsed(self) -> int:
        """How many `lapse` would empty."""
        return int(await self._s.value(select(func.count()).where(self._lapsed())))

    def _lapsed(self) -> ColumnElement[bool]:
        return and_(question.c.expires_at <= self._s.now_ms, question.c.sealed.is_not(None))
