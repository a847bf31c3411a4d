"""The real handlers and storage, without Matrix: what people say goes in, the cards that come out are read."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from domain.region import Region
from handlers.office import Message, Office, Proof
from handlers.people import admit_coordinators
from handlers.presence import saw
from handlers.reception import receive
from handlers.sweep import run_due
from storage.database import Storage
from storage.journal import Journal
from storage.keys import Keys
from storage.schema import audit
from storage.vault import Vault

ANNA = "@anna:localhost"
FATIMA = "@fatima:localhost"
JOOST = "@joost:localhost"
LIN = "@lin:localhost"
SANNE = "signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

Card = dict[str, Any]


class House:
    """One region with Anna as its coordinator."""

    def __init__(self, storage: Storage, region: Region) -> None:
        self.storage = storage
        self.region = region
        self.now = START
        self.cards: dict[str, list[Card]] = {}
        self.redacted: list[str] = []
        self.purged: list[str] = []
        self.reactions: list[tuple[str, str]] = []
        self.last_event = ""
        self._position = 0

    async def say(
        self, user_id: str, text: str, *, proof: Proof = Proof.PROVEN, reply_to: str | None = None, kind: str = "text",
        target: str | None = None, before_cards: bool = False,
    ) -> list[Card]:  # fmt: skip
        """Say something at a desk; the cards that it made, at whosever desk, the answer first.

        `before_cards`: it stood in the timeline before the cards of the last answer were there.
        """
        self._position += 10
        position = self._position - 15 if before_cards else self._position
        event_id = self.last_event = f"$said{self._position}"
        async with self.storage.unit() as uow:
            desk = await uow.rooms.desk(user_id)
            message = Message(
                event_id=event_id, position=position, sender=user_id, kind=kind, body=text, proof=proof,
                reply_to=reply_to, target=target,
            )  # fmt: skip
            await receive(Office(uow, self.region), desk, message)
        cards = await self.deliver()
        return sorted(cards, key=lambda card: card["wenk"].get("re") != event_id)

    async def answer(self, user_id: str, text: str, **more: Any) -> Card:  # noqa: ANN401 (those of say)
        """The machine part of the one card that answers."""
        cards = await self.say(user_id, text, **more)
        answers = [card for card in cards if "re" in card["wenk"]]
        assert len(answers) == 1, [card["wenk"] for card in cards]
        machine: Card = answers[0]["wenk"] | {"body": answers[0]["body"]}
        return machine

    async def answer_all(self, user_id: str, *texts: str) -> list[Card]:
        """Say one thing after the other; all cards that the last one made."""
        cards: list[Card] = []
        for text in texts:
            cards = await self.say(user_id, text)
        return cards

    async def deliver(self) -> list[Card]:
        """Take all cards out of the outbox, as if sent and seen in the timeline."""
        out: list[Card] = []
        async with self.storage.unit() as uow:
            rooms = await uow.rooms.unsettled()
            for room_id in rooms:
                room = await uow.rooms.get(room_id)
                assert room is not None
                while letter := await uow.outbox.next(room_id):
                    if letter.event_id is not None:
                        await uow.outbox.withdraw(letter.id)
                        continue
                    if letter.not_before > self.now.timestamp() * 1000:
                        break
                    self._position += 1
                    await uow.outbox.sent(letter.id, f"$out{self._position}", 1)
                    if letter.action == "redaction":
                        self.redacted.append(str(letter.target))
                    elif letter.action == "purge":
                        self.purged.append(str(letter.target))
                    elif letter.action == "reaction":
                        self.reactions.append((str(letter.target), (letter.content or {})["key"]))
                    if letter.action == "card" and letter.content is not None:
                        await uow.outbox.seen(self._position, f"$out{self._position}", letter.id)
                        card = letter.content | {"room": room, "event_id": f"$out{self._position}"}
                        key = room.owner or f"M{room.introduction_id}"
                        self.cards.setdefault(key, []).append(card)
                        out.append(card)
        return out

    async def speak_in(self, user_id: str, text: str, proof: Proof = Proof.PROVEN, introduction: int = 1) -> list[Card]:
        """Say something in the room of an introduction."""
        async with self.storage.unit() as uow:
            room = await uow.rooms.of_introduction(introduction)
        return await self.say_in(room.id, user_id, text, proof)

    async def say_in(self, room_id: str, user_id: str, text: str, proof: Proof = Proof.PROVEN) -> list[Card]:
        """Say something in whichever room (our id)."""
        self._position += 10
        event_id = self.last_event = f"$said{self._position}"
        async with self.storage.unit() as uow:
            room = await uow.rooms.get(room_id)
            assert room is not None
            message = Message(
                event_id=event_id, position=self._position, sender=user_id, kind="text", body=text, proof=proof
            )
            await receive(Office(uow, self.region), room, message)
        return await self.deliver()

    async def wanted_in(self, introduction: int = 1) -> set[str]:
        """Who should be in the room of an introduction."""
        async with self.storage.unit() as uow:
            return set((await uow.rooms.of_introduction(introduction)).wanted)

    async def audited(self) -> list[str]:
        """What the audit log says was done, oldest first."""
        async with self.storage.unit() as uow:
            rows = await uow.audit._s.all(select(audit.c.what).order_by(audit.c.seq))
            return [row.what for row in rows]

    async def enter(self, user_id: str, introduction: int = 1) -> list[Card]:
        """Somebody accepts the invitation to an introduction."""
        async with self.storage.unit() as uow:
            room = await uow.rooms.of_introduction(introduction)
            await saw(Office(uow, self.region), room, user_id, "join")
        return await self.deliver()

    async def admit(self, user_id: str, organisation: str, name: str) -> None:
        await self.say(ANNA, f"organisatie toevoegen {organisation}")
        answer = await self.answer(
            ANNA, f"professional toevoegen {user_id}; {organisation}; {name}; begeleider; mail@example.nl; 0512 123456"
        )
        assert answer["kind"] == "professional.added", answer

    async def place(self, user_id: str, command: str = SANNE) -> str:
        """Place a signal; its reference."""
        proposed = await self.answer(user_id, command)
        assert proposed["kind"] == "signal.proposed", proposed
        placed = await self.answer(user_id, "ja")
        assert placed["kind"] == "signal.placed", placed
        return str(placed["ref"])

    async def pass_time(self, **span: float) -> list[Card]:
        self.now += timedelta(**span)
        return await self.sweep()

    async def until(self, moment: datetime) -> list[Card]:
        self.now = moment
        return await self.sweep()

    async def look_closer(self) -> list[Card]:
        """The moment passes after which doubts are looked for; the cards that it made."""
        return await self.pass_time(seconds=3)

    async def sweep(self) -> list[Card]:
        await run_due(self.storage, self.region)
        return await self.deliver()

    def kinds(self, key: str) -> Sequence[str]:
        return [card["wenk"]["kind"] for card in self.cards.get(key, [])]

    def heard(self, key: str) -> int:
        """How many cards stand at a desk."""
        return len(self.cards.get(key, []))

    def last(self, key: str, kind: str) -> Card:
        machine: Card = next(card["wenk"] for card in reversed(self.cards[key]) if card["wenk"]["kind"] == kind)
        return machine


@asynccontextmanager
async def open_house(url: str, directory: Path, **choices: Any) -> AsyncIterator[House]:  # noqa: ANN401 (fields of Region)
    """A house on a fresh database, three professionals of three organisations admitted."""
    region = Region(**({"name": "Smallingerland", "coordinators": (ANNA,)} | choices))
    keys_file = directory / "keys.json"
    vault = Vault(Keys.load(keys_file) if keys_file.exists() else Keys.create(keys_file))
    house: House
    journal = Journal.create(directory / "erased.journal")
    storage = await Storage.open(url, vault, lambda: house.now, journal)
    house = House(storage, region)
    try:
        async with storage.unit() as uow:
            await uow.journaled.reached(journal.mark)
            await admit_coordinators(Office(uow, region))
        await house.admit(FATIMA, "De Wilgen", "Fatima Bouali")
        await house.admit(JOOST, "Huisartsen Noord", "Joost Dijkstra")
        await house.admit(LIN, "Halt", "Lin Tan")
        yield house
    finally:
        await storage.close()
