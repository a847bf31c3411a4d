"""All between people and handlers, as far as it is storage's: timeline, inbox, outbox and rooms, breakable anywhere.

A server that remembers what it was given stands at the other end: one timeline for all rooms, transaction ids that make
a repeated send harmless, and who is in which room. What goes over the wire is handled by the real handlers, in the
units of work in which `bot/` handles it; each of these may be where the process dies.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from domain.region import Region
from handlers.office import Message, Office, Proof
from handlers.people import admit_coordinators
from handlers.presence import saw
from handlers.reception import receive
from handlers.sweep import run_due
from storage.database import Storage
from storage.inbox import Said
from storage.journal import Journal
from storage.keys import Keys
from storage.rooms import Room
from storage.unit import UnitOfWork
from storage.vault import Vault
from tests.storage.house import START

Machine = dict[str, Any]
"""The machine part of a card."""

POINTS: Final = ("before", "during", "after")
"""Where in a unit of work a process can die: nothing was done; all was, and not committed; all was."""


class Killed(BaseException):
    """The process is no more; nobody catches this, as nobody catches SIGKILL."""


@dataclass(slots=True)
class Fuse:
    """Burns with every unit of work and every send; the process dies at the last of them, once."""

    left: int = -1
    point: str = "after"

    def burns(self, point: str) -> None:
        if self.left == 0 and self.point == point:
            self.left = -1
            raise Killed

    def shorten(self) -> None:
        if self.left > 0:
            self.left -= 1


class Fragile(Storage):
    """A storage whose units of work are where processes die."""

    fuse: Fuse

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        self.fuse.shorten()
        self.fuse.burns("before")
        async with super().unit() as uow:
            yield uow
            self.fuse.burns("during")
        self.fuse.burns("after")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing in the server's timeline: said by somebody, sent by the bot (`card` its id), or a membership."""

    id: str
    room: str
    sender: str
    body: str = ""
    card: str | None = None
    membership: str = ""
    reply_to: str | None = None


@dataclass(slots=True)
class Server:
    """What the homeserver remembers."""

    timeline: list[Event] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    """Event ids by transaction id."""
    present: dict[tuple[str, str], str] = field(default_factory=dict)
    """Memberships by Matrix room and person."""

    def add(self, room: str, sender: str, **more: Any) -> Event:  # noqa: ANN401 (fields of Event)
        event = Event(f"$event{len(self.timeline)}", room, sender, **more)
        self.timeline.append(event)
        return event

    def move(self, room: str, user_id: str, membership: str) -> None:
        """Somebody comes, goes, or is invited."""
        if self.present.get((room, user_id)) != membership:
            self.present[room, user_id] = membership
            self.add(room, user_id, membership=membership)

    def members(self, room: str, *memberships: str) -> set[str]:
        return {who for (where, who), how in self.present.items() if where == room and how in memberships}


class Wire:
    """One process of the bot on one database, and the server; the process may die and come back."""

    def __init__(self, url: str, vault: Vault, journal_file: Path, region: Region, server: Server) -> None:
        self.url = url
        self.journal_file = journal_file
        self.vault = vault
        self.region = region
        self.server = server
        self.now: datetime = START
        self.fuse = Fuse()
        self.cards: list[tuple[Room, Machine]] = []
        """What stands in the rooms, in the order in which it was sent."""
        self.sends = True
        self.storage: Fragile

    async def start(self) -> None:
        """A process begins; what the last one left is taken up by normal work."""
        journal = Journal.open(self.journal_file) if self.journal_file.exists() else Journal.create(self.journal_file)
        storage = await Fragile.open(self.url, self.vault, lambda: self.now, journal)
        assert isinstance(storage, Fragile)
        self.storage = storage
        self.storage.fuse = self.fuse

    async def restart(self) -> None:
        await self.storage.close()
        await self.start()

    # What people do.

    async def says(self, user_id: str, text: str, room: str | None = None, reply_to: str | None = None) -> str:
        """Somebody says something, at their desk or in another room (our id); its event id."""
        where = room or await self.desk(user_id)
        return self.server.add(f"!{where}", user_id, body=text, reply_to=reply_to).id

    async def desk(self, user_id: str) -> str:
        async with self.storage.reading() as uow:
            desk = await uow.rooms.desk_of(user_id)
        assert desk is not None
        return desk.id

    # What the bot does, one unit of work after the other.

    async def work(self) -> None:
        """Until nothing is left to do; the process may die in the middle."""
        while True:
            done = await self._settle()
            done |= await self.take_in()
            done |= await self._handle_all()
            done |= self.sends and await self._send_all()
            if not done:
                return

    async def sweep(self) -> None:
        await run_due(self.storage, self.region)

    async def take_in(self, *, again: int = 0) -> bool:
        """What is new in the timeline becomes rows; `again`: so many of the older events are delivered once more."""
        async with self.storage.reading() as uow:
            token, _position = await uow.inbox.progress()
        since = int(token or 0)
        fresh = self.server.timeline[max(0, since - again) :]
        if not fresh:
            return False
        async with self.storage.unit() as uow:
            _token, position = await uow.inbox.progress()
            for position, event in enumerate(fresh, position + 1):  # noqa: B020 (counts on)
                await self._store(uow, event, position)
            await uow.inbox.advance(str(len(self.server.timeline)), position)
        return True

    async def _store(self, uow: UnitOfWork, event: Event, position: int) -> None:
        room = await uow.rooms.by_matrix_id(event.room)
        if event.card is not None:
            await uow.outbox.seen(position, event.id, event.card)
        elif event.membership:
            if room is not None:
                await saw(Office(uow, self.region), room, event.sender, event.membership)
        elif room is not None and room.state != "closed":
            said = Said(kind="text", body=event.body, reply_to=event.reply_to)
            await uow.inbox.add(position, event.id, event.room, event.sender, said)

    async def _handle_all(self) -> bool:
        async with self.storage.reading() as uow:
            rooms = await uow.inbox.rooms_with_work()
        for room in rooms:
            while await self.handle(room):
                pass
        return bool(rooms)

    async def handle(self, matrix_room: str) -> bool:
        """The next message of a room, in one unit of work; whether there was one."""
        async with self.storage.reading() as uow:
            received, _more = await uow.inbox.next(matrix_room)
            room = await uow.rooms.by_matrix_id(matrix_room)
        if received is None or received.said is None or room is None:
            return False
        message = Message(
            event_id=received.event_id, position=received.position, sender=received.sender, kind=received.said.kind,
            body=received.said.body, proof=Proof.PROVEN, reply_to=received.said.reply_to,
        )  # fmt: skip
        async with self.storage.unit() as uow:
            await receive(Office(uow, self.region), room, message)
        return True

    async def _settle(self) -> bool:
        """Rooms as they should be."""
        done = False
        for room in await self._rooms():
            matrix_id = f"!{room.id}"
            if room.state == "wanted":
                async with self.storage.unit() as uow:
                    await uow.rooms.created(room.id, matrix_id)
                done = True
            elif room.state == "closing" and not (self.sends and await self._pending(room.id)):
                for guest in self.server.members(matrix_id, "invite", "join"):
                    self.server.present[matrix_id, guest] = "leave"
                async with self.storage.unit() as uow:
                    await uow.outbox.cancel(room.id)
                    await uow.rooms.closed(room.id)
                done = True
            elif room.state == "open":
                done |= await self._members(room, matrix_id)
        return done

    async def _members(self, room: Room, matrix_id: str) -> bool:
        guests = [who.user_id for who in room.members if who.to_invite]
        strangers = sorted(self.server.members(matrix_id, "invite", "join") - room.wanted)
        for user_id in strangers:
            # Taken out by us: not an event that says that they left.
            self.server.present[matrix_id, user_id] = "leave"
            async with self.storage.unit() as uow:
                await uow.rooms.removed(room.id, user_id)
        for user_id in guests:
            self.server.move(matrix_id, user_id, "invite")
            async with self.storage.unit() as uow:
                await saw(Office(uow, self.region), room, user_id, "invite")
            if room.purpose == "desk":
                self.server.move(matrix_id, user_id, "join")
        return bool(guests or strangers)

    async def _rooms(self) -> list[Room]:
        async with self.storage.reading() as uow:
            found = [await uow.rooms.get(room_id) for room_id in await uow.rooms.unsettled()]
        return [room for room in found if room is not None]

    async def _pending(self, room_id: str) -> bool:
        async with self.storage.reading() as uow:
            return await uow.outbox.oldest_pending(room_id) is not None

    async def _send_all(self) -> bool:
        done = False
        for room in await self._rooms():
            while await self._send(room):
                done = True
        return done

    async def _send(self, room: Room) -> bool:
        """The next letter of a room; the process may die when the server has it and we do not know."""
        async with self.storage.reading() as uow:
            letter = await uow.outbox.next(room.id)
        matrix_id = f"!{room.id}"
        if letter is None or letter.not_before > self.now.timestamp() * 1000 or room.matrix_id is None:
            return False
        if letter.action == "card" and room.state == "open" and not self.server.members(matrix_id, "join"):
            return False
        if letter.action == "card" and letter.id not in self.server.sent:
            assert letter.content is not None
            self.server.sent[letter.id] = self.server.add(matrix_id, "@wenk:localhost", card=letter.id).id
            self.cards.append((room, letter.content["wenk"] | {"body": letter.content["body"]}))
        async with self.storage.unit() as uow:
            await uow.outbox.sent(letter.id, self.server.sent.get(letter.id), 1)
        return True

    # What stands in the rooms.

    def answers(self, event_id: str) -> list[Machine]:
        """The cards that answer an event."""
        return [machine for _room, machine in self.cards if machine.get("re") == event_id]

    async def ask(self, user_id: str, text: str) -> Machine:
        """Say something at one's desk; the one card that answers it."""
        said = await self.says(user_id, text)
        await self.work()
        (answer,) = self.answers(said)
        return answer

    async def admit(self, user_id: str, organisation: str, name: str) -> None:
        coordinator = self.region.coordinators[0]
        await self.ask(coordinator, f"organisatie toevoegen {organisation}")
        details = f"{user_id}; {organisation}; {name}; begeleider; {user_id[1:].replace(':', '@')}.nl; 0512 123456"
        answer = await self.ask(coordinator, f"professional toevoegen {details}")
        assert answer["kind"] == "professional.added", answer


@asynccontextmanager
async def open_wire(
    url: str, directory: Path, coordinators: Iterable[str], *, server: Server | None = None, **choices: Any  # noqa: ANN401 (fields of Region)
) -> AsyncIterator[Wire]:  # fmt: skip
    """A wire on an empty database; its coordinators sit at their desks."""
    region = Region(name="Smallingerland", coordinators=tuple(coordinators), **choices)
    journal_file = directory / "erased.journal"
    wire = Wire(url, Vault(Keys.create(directory / "keys.json")), journal_file, region, server or Server())
    await wire.start()
    try:
        async with wire.storage.unit() as uow:
            await uow.journaled.reached(Journal.open(journal_file).mark)
            await admit_coordinators(Office(uow, region))
        await wire.work()
        yield wire
    finally:
        await wire.storage.close()
