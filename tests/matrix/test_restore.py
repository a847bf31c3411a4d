"""The machine is lost, and Wenk is brought back elsewhere: from a backup, the keys and the journal of erasures."""

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.crosssigning import Identity
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from tests.matrix.play import Admin, Play, Seat, administrator, of_kind, playing, unread

FIRST = "Wyberslina Anouck; Quaestman; 27-03-2015; 8471 QX 95a"
SECOND = "Ydwer; Quaestman; 11-06-2012; 8471 QX 95a"


async def _wenk(play: Play, *command: str) -> int:
    process = await play.stage.wenk(*command)
    async with asyncio.timeout(120):
        return await process.wait()


def _told(play: Play) -> str:
    return play.stage.log_path.read_text()


def _session(play: Play) -> dict[str, Any]:
    session: dict[str, Any] = json.loads((play.stage.directory / "data" / "session.json").read_text())
    return session


def _lose_the_machine(play: Play, safe: Path) -> None:
    """All that is left is what was kept: the keys, and the journal."""
    data, keys = play.stage.directory / "data", play.stage.directory / "secrets" / "keys.json"
    shutil.copy(data / "erased.journal", safe / "erased.journal")
    shutil.rmtree(data)
    keys.unlink()
    data.mkdir()
    shutil.copy(safe / "keys", keys)


async def _signals(seat: Seat) -> list[str]:
    answer = await seat.ask("!signalen")
    assert (answer.wenk["kind"], answer.verified, answer.encrypted) == ("signal.list", True, True)
    return [signal["ref"] for signal in answer.wenk["signals"]]


async def _is_empty(admin: Admin, room_id: str) -> bool:
    """No message of anybody has any content left."""
    messages = [event for event in await admin.events(room_id) if "state_key" not in event]
    return all(not event["content"] for event in messages if event["type"] != "m.room.redaction")


def _nothing_said_before(events: list[dict[str, Any]], gone: set[str], bot: str) -> None:
    """Each of these was redacted before the bot's first message that is still there and came after them."""
    order = [event["event_id"] for event in events]
    redacted = [
        at for at, event in enumerate(events) if event.get("redacts") in gone or event["content"].get("redacts") in gone
    ]
    said = [at for at, event in enumerate(events) if event["type"] == "m.room.encrypted" and event["sender"] == bot]
    new = [at for at in said if at > max(map(order.index, gone))]
    assert len(redacted) == len(gone)
    assert max(redacted) < min(new)


@dataclass
class Disaster:
    """What happened between the backup and the loss of the machine."""

    play: Play
    fatima: Seat
    joost: Seat
    lin: Seat
    noor: Seat
    kept: str
    met: str
    gone: set[str]
    identity: Identity
    device_id: str


async def _until_the_loss(play: Play, backup: Path, keys: Path) -> Disaster:
    fatima = await play.admit("fatima", "De Wilgen")
    joost = await play.admit("joost", "Huisartsen Noord")
    lin = await play.admit("lin", "Halt")
    kept = await fatima.signals(FIRST)
    doomed = await joost.signals(SECOND)
    await play.drained()
    assert await _wenk(play, "backup", str(backup)) == 0
    assert await _wenk(play, "backup", "--keys", str(keys)) == 0

    # What the backup will not know: an erasure, a signal, its introduction, a person, what was said of it.
    assert (await joost.ask(f"!intrekken {doomed} fout")).wenk["kind"] == "signal.withdrawn"
    await lin.signals(FIRST)
    met = await lin.hear("match.introduction")
    await fatima.hear("match.introduction")
    chatter = await fatima.who.say(met.room_id, "Zullen we morgen bellen?")
    await lin.who.wait_for(lambda card: card.event_id == chatter)
    gone = {lin.heard("signal.placed")[0].event_id, (await lin.ask("!signalen")).event_id}
    noor = await play.admit("noor", "Halt")
    await play.drained()
    device_id = _session(play)["device_id"]
    return Disaster(
        play, fatima, joost, lin, noor, kept, met.room_id, gone, await play.identity(), device_id,
    )  # fmt: skip


async def _bring_back(play: Play, backup: Path, safe: Path) -> None:
    """First what an administrator may do wrong."""
    assert await _wenk(play, "restore", str(backup)) == 1, "without the journal"
    assert "no journal of erasures" in _told(play)
    shutil.copy(safe / "erased.journal", play.stage.directory / "data" / "erased.journal")
    assert await _wenk(play, "run") == 1, "before the restore"
    assert await _wenk(play, "restore", str(backup)) == 0, _told(play)
    await play.stage.start()


async def _only_a_new_device(past: Disaster) -> None:
    """Signed with the kept keys; the lost one is logged out."""
    now = await past.play.identity()
    assert now.master == past.identity.master
    assert [device.device_id for device in now.devices] == [_session(past.play)["device_id"]]
    assert _session(past.play)["device_id"] != past.device_id


async def _rooms_are_as_the_database_knows_them(past: Disaster, admin: Admin) -> None:
    """Those made since are emptied, whoever wrote in them, and left; in the others what Wenk said since is gone."""
    for seat, room_id in ((past.fatima, past.met), (past.lin, past.met), (past.noor, past.noor.desk)):
        await seat.who.until(lambda seat=seat, room_id=room_id: room_id not in seat.who.rooms())  # type: ignore[misc]  # mypy infers no lambda default
        assert await _is_empty(admin, room_id)
    await past.lin.who.until(lambda: past.gone <= past.lin.who.redacted)
    _nothing_said_before(await admin.events(past.lin.desk), past.gone, past.play.bot)


async def _everything_goes_on(past: Disaster) -> None:
    """What is missing is placed again, and matched."""
    again = await past.lin.signals(FIRST)
    introduced = await past.fatima.who.wait_for(
        lambda card: of_kind("match.introduction")(card) and card.room_id != past.met
    )
    assert {who["user_id"] for who in introduced.wenk["participants"]} == {past.fatima.user_id, past.lin.user_id}
    assert await _signals(past.lin) == [again]
    assert await _wenk(past.play, "doctor") == 0, _told(past.play)


async def test_the_machine_is_lost_and_wenk_comes_back_elsewhere(synapse: LocalSynapse, tmp_path: Path) -> None:
    safe, backup = tmp_path / "safe", tmp_path / "elsewhere" / "backup"
    for folder in (safe, backup.parent):
        folder.mkdir()
    async with playing(tmp_path, synapse) as play, administrator(synapse) as admin:
        past = await _until_the_loss(play, backup, safe / "keys")
        await play.stage.kill()
        _lose_the_machine(play, safe)
        unread_by_wenk = await past.lin.who.say(past.lin.desk, "!signalen")
        await _bring_back(play, backup, safe)
        seats = (play.anna, past.fatima, past.joost, past.lin)
        for seat in seats:
            card = await seat.hear("restored")
            assert (card.verified, card.content["msgtype"]) == (True, "m.text")
        assert await _signals(past.fatima) == [past.kept]
        assert await _signals(past.joost) == []
        assert await _signals(past.lin) == []
        # What was sent while there was no device that could read it is asked for again, at once.
        asked = await past.lin.who.wait_for(lambda card: card.wenk.get("re") == unread_by_wenk)
        assert asked.wenk["code"] == "unavailable"
        await _only_a_new_device(past)
        await _rooms_are_as_the_database_knows_them(past, admin)
        await play.drained()
        await _everything_goes_on(past)
        assert not unread(seat.who for seat in seats if isinstance(seat.who, Person))
