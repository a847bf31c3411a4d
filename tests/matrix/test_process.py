"""The life of the process: it stops when told, says why when it cannot go on, and is alone."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bot.demo.synapse import LocalSynapse
from bot.http import quote
from tests.matrix.play import Admin, Play, administrator, playing

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("process"), synapse) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(synapse: LocalSynapse) -> AsyncIterator[Admin]:
    async with administrator(synapse) as everything:
        yield everything


def _kept(play: Play) -> tuple[bytes, Any]:
    """The keys, and the session."""
    folder = play.stage.directory
    return (folder / "secrets" / "keys.json").read_bytes(), json.loads((folder / "data" / "session.json").read_text())


async def _finished(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(60):
        return await process.wait()


async def test_sigterm_finishes_what_is_in_hand(play: Play) -> None:
    said = [await play.anna.who.say(play.anna.desk, "help") for _ in range(20)]
    await play.anna.hear("help", re=said[0])
    assert await play.stage.stop() == 0
    assert "Traceback" not in play.stage.log_path.read_text()
    await play.stage.start()
    for one in said:
        await play.anna.hear("help", re=one)
    assert [card.wenk["re"] for card in play.anna.heard("help")] == said


async def test_a_second_process_refuses_to_start(play: Play) -> None:
    assert await _finished(await play.stage.wenk("run")) == 1
    assert "Another Wenk" in play.stage.log_path.read_text()
    assert (await play.anna.ask("help")).wenk["kind"] == "help"


async def test_a_disk_that_is_full_while_keys_come_in_ends_it_and_nothing_is_lost(play: Play) -> None:
    """A process that went on would know in memory what the next one does not; the batch is asked for again by that."""
    folder = play.stage.directory / "data"
    (log,) = folder.glob("crypto-*.db-wal")
    limit = play.stage.log_path.stat().st_size + 8192
    while log.stat().st_size <= limit:
        await play.anna.ask("help")
    pid = play.stage.pid
    assert pid
    # No file of this process grows beyond this: that is how it meets the full disk, while it still can say so.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    said = await play.anna.who.say(play.anna.desk, "taal nl")
    async with asyncio.timeout(60):
        assert await play.stage.wait() == 1
    assert "crypto store" in play.stage.log_path.read_text().splitlines()[-1]
    await play.stage.start()
    await play.anna.hear("language", re=said)
    assert len([card for card in play.anna.who.cards if card.wenk.get("re") == said]) == 1


async def test_init_again_changes_nothing(play: Play) -> None:
    await play.stage.stop()
    before = _kept(play), await play.identity()
    await play.stage.init()
    assert (_kept(play), await play.identity()) == before
    await play.stage.start()
    assert (await play.anna.ask("help")).verified


async def test_who_is_logged_out_says_so_and_init_makes_a_new_device_with_the_kept_keys(
    play: Play, admin: Admin
) -> None:
    (keys, session), identity = _kept(play), await play.identity()
    devices = f"/_synapse/admin/v2/users/{quote(play.bot)}/devices"
    said = [await play.anna.who.say(play.anna.desk, "help") for _ in range(10)]
    await play.anna.hear("help", re=said[0])
    await admin.http.request("DELETE", f"{devices}/{quote(session['device_id'])}")
    said.append(await play.anna.who.say(play.anna.desk, "help"))
    async with asyncio.timeout(60):
        assert await play.stage.wait() == 78
    assert "wenk init" in play.stage.log_path.read_text().splitlines()[-1]

    await play.stage.init()
    kept, renewed = _kept(play)
    assert kept == keys
    assert renewed["device_id"] != session["device_id"]
    now = await play.identity()
    assert now.master == identity.master
    assert [device.device_id for device in now.devices] == [renewed["device_id"]]
    await play.stage.start()
    answer = await play.anna.ask("help")
    assert (answer.wenk["kind"], answer.verified) == ("help", True)
    # What was in hand is finished; what the new device cannot read is asked for again. Each is answered once.
    await play.drained()
    answers = [card.wenk for card in play.anna.who.cards if card.wenk.get("re") in said]
    assert sorted(card["re"] for card in answers) == sorted(said)
    codes = {card["re"]: card.get("code", "help") for card in answers}
    assert set(codes.values()) <= {"help", "unavailable"}
    assert codes[said[-1]] == "unavailable"
