"""The audit log: append-only rows, each chained to the one before by a keyed hash.

It says who did what and when; on which signal only through a hash under that signal's own key, so that the link
dies with the signal.
"""

import hmac
from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, func, insert, select

from storage.schema import audit
from storage.session import REGION, Repository, Session
from storage.vault import SignalKey

_GENESIS = bytes(32)
_ROWS_AT_A_TIME = 1_000
_WRITE = insert(audit)
_HEAD = select(audit.c.seq, audit.c.mac).order_by(audit.c.seq.desc()).limit(1)
_COUNT = select(func.count()).where(
    audit.c.who == bindparam("who"), audit.c.what == bindparam("what"), audit.c.at >= bindparam("since")
)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link of the chain: what is posted so that it cannot be rewritten quietly."""

    seq: int
    mac: bytes


class BrokenChain(Exception):
    """The audit log was changed from outside; `seq` is the first row that does not fit."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"the audit log does not fit from row {seq} on")
        self.seq = seq


class AuditLog(Repository):
    """Append and verify; nothing is ever changed or deleted."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._written: Head | None = None  # by this unit of work, and no other writes beside it

    async def write(self, who: str, what: str, on: SignalKey | None = None) -> None:
        """Add a line: `who` is a user id or `wenk`, `what` a fixed word, `on` the signal it concerns."""
        head = await self.head()
        subject = on.audit_subject() if on else b""
        mac = self._mac(head.mac, (head.seq + 1, REGION, self._s.now_ms, who, what, subject))
        self._s.later(
            _WRITE,
            {
                "seq": head.seq + 1,
                "region_id": REGION,
                "at": self._s.now_ms,
                "who": who,
                "what": what,
                "subject": subject,
                "mac": mac,
            },
        )
        self._written = Head(head.seq + 1, mac)
        self._s.audited += 1

    async def head(self) -> Head:
        if self._written is not None:
            return self._written
        row = await self._s.one(_HEAD)
        return Head(row.seq, row.mac) if row else Head(0, _GENESIS)

    async def count(self, who: str, what: str, since_ms: int) -> int:
        """How often somebody did something since then; also what has been undone or erased."""
        return int(await self._s.value(_COUNT, {"who": who, "what": what, "since": since_ms}))

    async def verify(self) -> int:
        """Walk the whole chain; the number of rows. Raises BrokenChain."""
        before, seq = _GENESIS, 0
        everything = select(audit).order_by(audit.c.seq).limit(_ROWS_AT_A_TIME)
        while rows := await self._s.all(everything.where(audit.c.seq > seq) if seq else everything):
            for row in rows:
                seq += 1
                expected = self._mac(before, (row.seq, row.region_id, row.at, row.who, row.what, row.subject))
                if row.seq != seq or not hmac.compare_digest(expected, row.mac):
                    raise BrokenChain(seq)
                before = row.mac
        return seq

    def _mac(self, before: bytes, entry: tuple[int, int, int, str, str, bytes]) -> bytes:
        return self._s.vault.audit_mac(before + msgspec.json.encode(entry))
