"""From the inbox to the real handlers: whatever goes wrong with one message, it is answered, and the others go on."""

from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from bot.crypto import RoomKey
from bot.delivery import Delivery
from bot.login import Account
from bot.metrics import Metrics
from bot.reception import TRIES, Reception
from bot.session import Session
from handlers.cards import error
from handlers.office import Office, Proof
from handlers.sweep import KEY_PATIENCE_MS
from storage.audit import AuditLog
from storage.clearing import Clearing
from storage.inbox import Said
from storage.keys import Keys
from storage.schema import inbox, outbox, signal
from storage.vault import Vault
from tests.storage.house import ANNA, FATIMA, SANNE, Card, House

ROOM: Final = "!fatima"
PLAIN: Final = {"type": "m.room.message", "sender": FATIMA, "content": {"msgtype": "m.text", "body": "help"}}


class Believing:
    """Trust that a test tells what is proven; or that fails."""

    def __init__(self) -> None:
        self.proof = Proof.PROVEN
        self.fault: Exception | None = None

    async def prove(self, *_of: object) -> Proof:
        if self.fault:
            raise self.fault
        return self.proof


class Agreeing:
    """Clocks that agree."""

    async def still_agree(self) -> bool:
        return True


class FrontDoor:
    """Fatima's desk, and what is done with what she says there."""

    def __init__(self, house: House, other: Vault) -> None:
        self.house = house
        self.trust = Believing()
        self.metrics = Metrics()
        trust: Any = self.trust
        clocks: Any = Agreeing()
        self.reception = Reception(house.storage, trust, clocks, house.region, self.metrics)
        self._other = other
        self._position = 10_000

    async def say(self, body: str, *, kind: str = "text", waits_for: str | None = None, sealed: bool = False) -> str:
        """Something comes in; `sealed`: under another master key. Its event id."""
        self._position += 1
        event_id = f"$word{self._position}"
        said = Said(kind=kind, body=body, raw=PLAIN | {"event_id": event_id} if waits_for else None)
        async with self.house.storage.unit() as uow:
            await uow.inbox.add(self._position, event_id, ROOM, FATIMA, said, waits_for)
            if sealed:
                lost = self._other.seal_mail(b"", f"inbox {event_id}")
                await uow._session.run(update(inbox).where(inbox.c.event_id == event_id).values(sealed=lost))
        return event_id

    async def work(self) -> list[Exception]:
        """All there is to handle; the faults after which something was tried again."""
        faults: list[Exception] = []
        pause: float | None = 0
        while pause is not None:
            try:
                pause = await self.reception.step(ROOM)
            except Exception as fault:  # noqa: BLE001 (as Workers does)
                faults.append(fault)
                assert len(faults) <= TRIES, "it blocks its room"
        await self.house.deliver()
        return faults

    def answer(self, event_id: str) -> Card:
        (answer,) = [card["wenk"] for card in self.house.cards[FATIMA] if card["wenk"].get("re") == event_id]
        machine: Card = answer
        return machine

    def alarms(self, code: str) -> int:
        return sum(card["wenk"].get("code") == code for card in self.house.cards[ANNA])

    def metric(self, code: str) -> float | None:
        return self.metrics.registry.get_sample_value("wenk_alarm", {"code": code})

    async def left(self) -> int:
        async with self.house.storage.reading() as uow:
            return await uow.inbox.backlog()


@pytest.fixture
async def door(house: House, tmp_path: Path) -> FrontDoor:
    async with house.storage.unit() as uow:
        await uow.rooms.created((await uow.rooms.desk(FATIMA)).id, ROOM)
    return FrontDoor(house, Vault(Keys.create(tmp_path / "other-keys.json")))


async def test_what_makes_its_handler_fail_is_answered_and_reported_and_the_next_go_on(door: FrontDoor) -> None:
    reference = await door.house.place(FATIMA)
    async with door.house.storage.unit() as uow:
        await uow._session.run(update(signal).where(signal.c.ref == reference).values(sealed_child=b"broken"))
    listed, helped = await door.say("signalen"), await door.say("help")
    faults = await door.work()
    assert [type(fault).__name__ for fault in faults] == ["Unsealable"] * (TRIES - 1)
    assert (door.answer(listed)["kind"], door.answer(listed)["code"]) == ("error", "unavailable")
    assert door.answer(helped)["kind"] == "help"
    assert {listed, helped} <= set(door.house.redacted)
    assert (door.alarms("handler_failed"), door.metric("handler_failed")) == (1, 1)
    assert await door.left() == 0


@pytest.mark.parametrize("proof", [proof for proof in Proof if proof is not Proof.PROVEN])
async def test_a_fault_while_refusing_is_a_refusal_all_the_same(
    door: FrontDoor, monkeypatch: pytest.MonkeyPatch, proof: Proof
) -> None:
    written = AuditLog.write

    async def write(self: AuditLog, who: str, what: str, *more: Any) -> None:  # noqa: ANN401 (AuditLog's)
        if what.startswith("refused"):
            raise LookupError
        await written(self, who, what, *more)

    monkeypatch.setattr(AuditLog, "write", write)
    door.trust.proof = proof
    refused = await door.say(SANNE)
    assert len(await door.work()) == TRIES - 1
    door.trust.proof = Proof.PROVEN
    confirmed, helped = await door.say("ja"), await door.say("help")
    assert await door.work() == []
    assert door.answer(refused)["code"] == "unavailable"
    assert door.answer(confirmed)["code"] == "unknown_command", "nothing was proposed"
    assert door.answer(helped)["kind"] == "help"
    assert "refused" not in " ".join(await door.house.audited())


@pytest.mark.parametrize("kind", ["notice", "reaction"])
async def test_what_asks_for_no_answer_gets_none_however_it_fails(
    door: FrontDoor, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Bots speak in notices: who answers them never stops."""

    async def redact(*_args: object) -> None:
        raise LookupError

    with monkeypatch.context() as broken:
        broken.setattr(Clearing, "redact", redact)
        said = await door.say("signalen", kind=kind)
        assert len(await door.work()) == TRIES - 1
    helped = await door.say("help")
    await door.work()
    assert said not in [card["wenk"].get("re") for card in door.house.cards[FATIMA]]
    assert door.answer(helped)["kind"] == "help"
    assert door.alarms("handler_failed") == 1


@pytest.mark.parametrize(
    ("kind", "gives_up"), [(OperationalError, False), (OSError, False), (IntegrityError, True), (KeyError, True)]
)
async def test_a_message_waits_for_a_database_that_is_not_well_and_for_nothing_else(
    door: FrontDoor, monkeypatch: pytest.MonkeyPatch, kind: type[Exception], *, gives_up: bool
) -> None:
    async def redact(*_args: object) -> None:
        raise kind("", {}, Exception()) if issubclass(kind, DBAPIError) else kind

    said = await door.say("help", kind="notice")
    with monkeypatch.context() as broken:
        broken.setattr(Clearing, "redact", redact)
        for _attempt in range(TRIES - 1):
            with pytest.raises(kind):
                await door.reception.step(ROOM)
        if gives_up:
            assert await door.reception.step(ROOM) is None
        else:
            with pytest.raises(kind):
                await door.reception.step(ROOM)
    assert await door.left() == (0 if gives_up else 1)
    await door.work()
    assert (said in door.house.redacted) is not gives_up


async def test_a_fault_in_proving_who_said_it_does_not_block_a_desk(door: FrontDoor) -> None:
    door.trust.fault = KeyError("a server that answers nonsense")
    said = await door.say(SANNE)
    assert len(await door.work()) == TRIES - 1
    assert door.answer(said)["code"] == "unavailable"


async def test_what_does_not_open_is_put_aside_with_an_alarm_and_the_others_go_on(door: FrontDoor) -> None:
    """Sealed under a master key that is gone."""
    first, lost, also, last = (
        await door.say("help"),
        await door.say("", sealed=True),
        await door.say("", sealed=True),
        await door.say("help"),
    )
    assert await door.work() == []
    assert [door.answer(said)["kind"] for said in (first, lost, also, last)] == ["help", "error", "error", "help"]
    assert door.answer(lost)["code"] == "unavailable"
    assert {lost, also} <= set(door.house.redacted)
    assert (door.alarms("unopenable"), door.metric("unopenable")) == (1, 1)
    assert await door.left() == 0


async def test_what_waits_for_its_key_and_does_not_open_keeps_no_key_from_the_others(door: FrontDoor) -> None:
    lost = await door.say("", waits_for="session", sealed=True)
    waiting = await door.say("", waits_for="session")
    nothing: Any = None
    account = Account("@wenk:localhost", "DEVICE", "token")
    session = Session(
        nothing, nothing, nothing, door.house.storage, door.house.region, account, door.metrics
    )  # what takes no part
    rooms: set[str] = set()
    async with door.house.storage.unit() as uow:
        await session._now_readable(uow, (RoomKey(ROOM, "session"),), 20_000, rooms)
    assert rooms == {ROOM}
    await door.work()
    assert door.answer(waiting)["code"] == "unknown_command", "a plain message here, which needs no key to be read"
    assert await door.left() == 1
    # Its sender is asked for it again, as for all whose key does not come.
    await door.house.pass_time(milliseconds=KEY_PATIENCE_MS + 1)
    assert (door.answer(lost)["code"], door.alarms("unopenable")) == ("unavailable", 1)
    assert await door.left() == 0


async def test_a_card_that_does_not_open_keeps_no_other_from_being_sent(door: FrontDoor) -> None:
    async with door.house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        office = Office(uow, door.house.region)
        lost = await office.post(desk.id, error("unavailable"), "nl")
        kept = await office.post(desk.id, error("unavailable"), "nl")
        sealed = door._other.seal_mail(b"", f"outbox {lost}")
        await uow._session.run(update(outbox).where(outbox.c.id == lost).values(sealed=sealed))
    nothing: Any = None
    sending = Delivery(nothing, nothing, nothing, nothing, door.house.storage, door.house.region, door.metrics)
    assert await sending.step(desk.id) == 0
    assert door.metric("undeliverable") == 1
    async with door.house.storage.reading() as uow:
        letter = await uow.outbox.next(desk.id)
    assert letter is not None
    assert letter.id == kept
