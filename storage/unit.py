"""The unit of work: one transaction, seen as the repositories that take part in it."""

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.weights import Frequencies
from storage.approvals import Approvals
from storage.audit import AuditLog
from storage.clearing import Clearing
from storage.inbox import Inbox
from storage.introductions import Introductions
from storage.journaled import Journaled
from storage.notices import Notices
from storage.origin import Backups
from storage.outbox import Outbox
from storage.pairs import Pairs
from storage.people import People
from storage.questions import Questions
from storage.rematches import Rematches
from storage.renewals import Renewals
from storage.reviews import Reviews
from storage.rooms import Rooms
from storage.rotation import Rotation
from storage.session import Session
from storage.signals import Signals
from storage.tasks import Tasks
from storage.vault import Vault


class Unaudited(Exception):
    """Something about a person was about to change without a line in the audit log."""


class UnitOfWork:
    """Read and change state through the repositories; `Storage.unit` commits it.

    `now` is the one moment of the whole unit (aware, UTC); `today` is its day in Amsterdam. `often`: how common names
    are among the signals, if that was counted.
    """

    def __init__(
        self, connection: AsyncConnection, vault: Vault, now: datetime, often: Frequencies | None = None
    ) -> None:
        self.often = often
        self._session = session = Session(connection, vault, now)
        self.approvals = Approvals(session)
        self.audit = AuditLog(session)
        self.backups = Backups(session)
        self.clearing = Clearing(session)
        self.inbox = Inbox(session)
        self.introductions = Introductions(session)
        self.journaled = Journaled(session)
        self.notices = Notices(session)
        self.outbox = Outbox(session)
        self.pairs = Pairs(session)
        self.people = People(session)
        self.questions = Questions(session)
        self.rematches = Rematches(session)
        self.renewals = Renewals(session)
        self.reviews = Reviews(session)
        self.rooms = Rooms(session)
        self.rotation = Rotation(session)
        self.signals = Signals(session)
        self.tasks = Tasks(session)

    @property
    def now(self) -> datetime:
        return self._session.now

    @property
    def today(self) -> date:
        return self._session.today

    @property
    def rooms_to_wake(self) -> set[str]:
        """Our ids of the rooms for which there is something new to do once this is committed."""
        return self._session.rooms_to_wake

    @property
    def rooms_to_settle(self) -> set[str]:
        """Those of them that are to be made, filled or emptied, not only posted in."""
        return self._session.rooms_to_settle

    @property
    def erased(self) -> tuple[str, ...]:
        """The references of the signals that this unit erases."""
        return tuple(self._session.erased)

    async def flush(self) -> None:
        """Everything that was changed is in the transaction, which may be committed."""
        await self._session.flush()

    def check(self) -> None:
        """No audit row, no effect: raises Unaudited if something changed and nobody wrote it down."""
        if self._session.effects and not self._session.audited:
            raise Unaudited
