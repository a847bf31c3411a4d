"""The session survives restarts and soft logouts on the same device, and is readable by the bot only."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bot.demo.synapse import LocalSynapse
from bot.http import LoggedOut, MatrixError
from bot.login import Account, SessionFault, log_in, log_others_out, stay_logged_in
from tests.matrix.people import PASSWORD, Town, meet, reads


@pytest.fixture
async def town(synapse: LocalSynapse, tmp_path: Path, new_name: str) -> AsyncIterator[Town]:
    async with Town(synapse, tmp_path, new_name) as town:
        yield town


def test_a_session_is_kept_for_the_bot_only(tmp_path: Path) -> None:
    account, path = Account("@bot:x", "DEVICE", "a-secret-token"), tmp_path / "data" / "session.json"
    account.save(path)
    assert Account.load(path) == account
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["session.json"]
    assert "secret" not in repr(account)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"user_id": 1, "device_id": "D", "access_token": "t"}'])
def test_a_session_that_cannot_be_read_says_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "session.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SessionFault, match="wenk init"):
        Account.load(path)


async def test_a_login_makes_a_new_device_unless_one_is_named(town: Town) -> None:
    user_id = await town.account("bot")
    http = town.server()
    first = await log_in(http, user_id, PASSWORD)
    second = await log_in(http, user_id, PASSWORD)
    assert first.device_id != second.device_id
    assert first.access_token != second.access_token == http.access_token
    again = await log_in(http, user_id, PASSWORD, first.device_id)
    assert again.device_id == first.device_id
    answer = await http.request("GET", "/_matrix/client/v3/devices")
    assert {device["device_id"] for device in answer["devices"]} == {first.device_id, second.device_id}


async def test_all_other_sessions_are_ended_and_ours_is_not(town: Town) -> None:
    user_id = await town.account("bot")
    old, other, http = town.server(), town.server(), town.server()
    await log_in(old, user_id, PASSWORD)
    await log_in(other, user_id, PASSWORD)
    account = await log_in(http, user_id, PASSWORD)
    assert await log_others_out(http, account, PASSWORD) == 2
    assert await log_others_out(http, account, PASSWORD) == 0
    answer = await http.request("GET", "/_matrix/client/v3/devices")
    assert [device["device_id"] for device in answer["devices"]] == [account.device_id]
    for ended in (old, other):
        with pytest.raises(LoggedOut):
            await ended.request("GET", "/_matrix/client/v3/devices")


async def test_a_device_knows_since_when_it_is_there(town: Town, tmp_path: Path) -> None:
    """By the homeserver's clock; a soft logout makes no new device."""
    anna = await town.person("anna")
    room = await meet(anna)
    before = await anna.say(room, "before")
    user_id = await town.account("bot")
    http = town.server()
    account = await log_in(http, user_id, PASSWORD)
    event = await anna.http.request("GET", f"/_matrix/client/v3/rooms/{room}/event/{before}")
    assert abs(account.since_ms - event["origin_server_ts"]) < 30_000
    later = msgspec.structs.replace(account, since_ms=5)
    await stay_logged_in(http, later, tmp_path / "session.json", lambda: PASSWORD)()
    assert Account.load(tmp_path / "session.json").since_ms == 5


async def test_a_wrong_password_is_told(town: Town) -> None:
    with pytest.raises(MatrixError) as refused:
        await log_in(town.server(), await town.account("bot"), "not the password")
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


async def test_logging_in_again_keeps_the_device_and_its_keys(town: Town, tmp_path: Path) -> None:
    """FIELD-NOTES 8, 14: after a soft logout everything goes on as before."""
    anna, bot = await town.person("anna"), await town.person("bot")
    room = await meet(bot, anna)
    await reads(bot, await anna.say(room, "before"))
    token = bot.http.access_token or ""
    device = bot.machine.device
    account = Account(bot.user_id, device.device_id, token)
    await stay_logged_in(bot.http, account, tmp_path / "session.json", lambda: PASSWORD)()
    kept = Account.load(tmp_path / "session.json")
    assert kept.access_token == bot.http.access_token != token
    assert kept.device_id == device.device_id
    identity = await anna.identities.of(bot.user_id, fresh=True)
    assert identity
    assert identity.devices == (device,)
    assert await reads(bot, await anna.say(room, "after")) == "after"
    assert await reads(anna, await bot.say(room, "and back")) == "and back"
