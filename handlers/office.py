"""What handlers work with: the unit of work, the region's choices, and ways to tell people."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto
from typing import Literal

from domain.references import make_reference
from domain.region import Region
from handlers.cards import Card, render
from handlers.words import Line
from storage.people import Person
from storage.unit import UnitOfWork

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Office:
    """One unit of work in one region."""

    uow: UnitOfWork
    region: Region

    async def post(self, room_id: str, card: Card, language: str, *, re: str | None = None, delay_ms: int = 0) -> str:
        """Put a card in a room (our id); its `wenk.id`."""
        lifetime = self.region.card_minutes * _MINUTE_MS if card.personal else None
        return await self.uow.outbox.post(
            room_id, card.kind, render(card, language, re), delay_ms=delay_ms, lifetime_ms=lifetime
        )

    async def tell(self, user_id: str, card: Card) -> str:
        """Put a card on somebody's desk, in their language."""
        person = await self.uow.people.get(user_id)
        desk = await self.uow.rooms.desk_id(user_id)
        return await self.post(desk, card, person.language if person else self.region.language)

    async def tell_coordinators(self, card: Card) -> None:
        for person in await self.uow.people.coordinators():
            await self.tell(person.user_id, card)

    async def alarm(self, code: str, text: Line, **fields: str) -> None:
        """Tell every coordinator that something needs their attention."""
        await self.tell_coordinators(Card(kind="alarm", text=(text,), fields={"code": code, **fields}))

    async def reference(
        self, kind: Literal["S", "M", "R", "C", "A", "O"], taken: Callable[[str], Awaitable[bool]]
    ) -> str:
        """A new random reference that nothing has yet."""
        while True:
            reference = make_reference(kind, secrets.randbelow)
            if not await taken(reference):
                return reference


class Proof(StrEnum):
    """What is known about who said something; only PROVEN is executed."""

    PROVEN = auto()
    UNENCRYPTED = auto()
    UNSIGNED = auto()
    """Encrypted, but not by a device that the sender's pinned identity has signed."""
    CHANGED = auto()
    """The sender shows another identity than the pinned one."""
    OVERHEARD = auto()
    """Somebody is in the room who should not be."""
    STRANGER = auto()
    """Said by somebody in a room that is not theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody said in one of our rooms; `position` is its place in the timeline, wherever it is handled."""

    event_id: str
    position: int
    sender: str
    kind: str
    body: str
    proof: Proof
    reply_to: str | None = None
    replaces: bool = False
    target: str | None = None


@dataclass(slots=True)
class Talk:
    """One message of one person, and its one answer."""

    office: Office
    person: Person
    message: Message
    room_id: str
    values: dict[str, str] = field(default_factory=dict)
    """What was typed for the command's parameters, for a question that comes back to them."""
    dropped_question: bool = False
    answer_id: str | None = field(default=None, init=False)

    @property
    def uow(self) -> UnitOfWork:
        return self.office.uow

    @property
    def region(self) -> Region:
        return self.office.region

    async def answer(self, card: Card) -> str:
        """The one card that answers this message; its id."""
        if self.answer_id is not None:
            msg = "a message is answered once"
            raise RuntimeError(msg)
        if self.dropped_question:
            card = replace(card, text=(*card.text, Line("question.dropped")))
        self.answer_id = await self.office.post(self.room_id, card, self.person.language, re=self.message.event_id)
        return self.answer_id
