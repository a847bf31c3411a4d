"""Nothing that was said is lost, nothing comes twice, whatever happens to the process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web

from bot.crypto import Machine, NoKey
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import Homeserver
from bot.identities import Identities
from bot.login import Account
from bot.metrics import Metrics
from bot.session import Session
from bot.sync import Batch, batches
from domain.region import Region
from tests.matrix.people import ENCRYPTED, Bare, Pins, Town
from tests.matrix.proxy import Forward, refuse, standing_before
from tests.storage.archive import open_archive


@pytest.fixture
async def town(synapse: LocalSynapse, tmp_path: Path, new_name: str) -> AsyncIterator[Town]:
    async with Town(synapse, tmp_path, new_name) as town:
        yield town


@pytest.fixture
async def bot(town: Town) -> Bare:
    """The bot's account, on a signed device that only does what a test lets it do."""
    return await town.signed(await town.account("bot"))


async def take(bot: Bare, token: str | None, count: int, wait_ms: int = 0) -> list[Batch]:
    """So many batches after a token, all but the last stored: there the process ends."""
    stream = batches(bot.http, bot.machine, bot.user_id, token, wait_ms)
    taken = [await anext(stream) for _ in range(count)]
    await stream.aclose()
    return taken


async def next_of(bot: Bare, token: str | None) -> Batch:
    """The first batch after a token, not stored."""
    (batch,) = await take(bot, token, 1)
    return batch


async def desk(bot: Bare, guest: Person) -> str:
    """A room of the bot's with somebody in it."""
    body = {"preset": "private_chat", "initial_state": [ENCRYPTED], "invite": [guest.user_id]}
    room = str((await bot.http.request("POST", "/_matrix/client/v3/createRoom", body=body, safe=False))["room_id"])
    await guest.until(lambda: room in guest.rooms())
    return room


async def start(bot: Bare) -> str:
    """The token of now."""
    return (await next_of(bot, None)).token


async def test_a_batch_that_was_not_stored_comes_again(town: Town, bot: Bare) -> None:
    """FIELD-NOTES 1: nio stores the token first; a handler that fails loses the batch for good."""
    anna = await town.person("anna")
    room = await desk(bot, anna)
    token = await start(bot)
    said = await anna.say(room, "hallo")
    (lost,) = (await next_of(bot, token)).events
    (again,) = (await next_of(bot, token)).events
    assert (lost.event_id, lost.body) == (again.event_id, again.body) == (said, "hallo")


async def test_a_key_that_was_not_stored_is_told_again(town: Town, bot: Bare) -> None:
    """The key is taken in once; whoever waits for it must hear of it even if a crash came between."""
    anna = await town.person("anna")
    room = await desk(bot, anna)
    token = await start(bot)
    await anna.say(room, "hallo")
    (key,) = (await next_of(bot, token)).room_keys
    device_id = bot.machine.device.device_id
    bot.machine.close()
    bot.machine = town.machine(bot.user_id, device_id)

    assert [batch.room_keys for batch in await take(bot, token, 2)] == [(key,), ()]
    assert (await next_of(bot, token)).room_keys == ()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timelines of 10 events instead of 100: a gap needs fewer messages."""
    monkeypatch.setattr("bot.sync._PAGE", "10")


@pytest.mark.usefixtures("small_pages")
async def test_a_gap_is_filled(town: Town, bot: Bare) -> None:
    """FIELD-NOTES 2: of 200 messages at once the stock bot saw the last ten."""
    anna, bert = await town.person("anna"), await town.person("bert")
    room, other = await desk(bot, anna), await desk(bot, bert)
    token = await start(bot)
    said = [await anna.say(room, str(number)) for number in range(35)]
    beside = await bert.say(other, "beside")
    batch = await next_of(bot, token)
    assert [event.event_id for event in batch.events if event.room_id == room] == said
    assert [event.body for event in batch.events if event.room_id == room] == [str(number) for number in range(35)]
    assert [event.event_id for event in batch.events if event.room_id == other] == [beside]


async def test_a_room_that_was_made_just_now_has_no_gap(town: Town, bot: Bare) -> None:
    """The server calls its timeline limited all the same: asking what came before its beginning would be in vain."""
    anna = await town.person("anna")
    token = await start(bot)
    room = await desk(bot, anna)
    said = await anna.say(room, "hallo")
    before = bot.http.requests
    batch = await next_of(bot, token)
    assert bot.http.requests == before + 1, "one poll, and nothing besides"
    assert [event.event_id for event in batch.events] == [said]


@pytest.mark.usefixtures("small_pages")
async def test_a_gap_in_a_room_that_was_made_just_now_is_filled(town: Town, bot: Bare) -> None:
    anna = await town.person("anna")
    token = await start(bot)
    room = await desk(bot, anna)
    said = [await anna.say(room, str(number)) for number in range(15)]
    assert [event.event_id for event in (await next_of(bot, token)).events] == said


@pytest.mark.usefixtures("small_pages")
async def test_who_joined_in_a_gap_is_heard_of(town: Town, bot: Bare) -> None:
    anna, bert = await town.person("anna"), await town.person("bert")
    room = await desk(bot, anna)
    token = await start(bot)
    await bot.http.request("POST", f"/_matrix/client/v3/rooms/{room}/invite", body={"user_id": bert.user_id})
    await bert.until(lambda: room in bert.rooms())
    await bert.leave(room)
    for number in range(15):
        await anna.say(room, str(number))
    batch = await next_of(bot, token)
    changes = [(one.membership, one.sender) for one in batch.members if one.user_id == bert.user_id]
    assert changes == [("invite", bot.user_id), ("join", bert.user_id), ("leave", bert.user_id)]


async def test_the_first_answer_comes_at_once(bot: Bare) -> None:
    """`/readyz` waits for it."""
    first = await next_of(bot, None)
    assert first.first
    sent = bot.http.requests
    async with asyncio.timeout(20):
        (again,) = await take(bot, first.token, 1, wait_ms=30_000)
    assert not again.first
    assert again.events == ()
    assert bot.http.requests == sent + 1


async def test_invitations_and_members_are_told(town: Town, bot: Bare) -> None:
    anna = await town.person("anna")
    token = await start(bot)
    body = {"preset": "private_chat", "invite": [bot.user_id]}
    answer = await anna.http.request("POST", "/_matrix/client/v3/createRoom", body=body, safe=False)
    batch = await next_of(bot, token)
    assert batch.invites == (answer["room_id"],)

    room = await desk(bot, anna)
    batch = await next_of(bot, batch.token)
    own = [one.membership for one in batch.members if (one.room_id, one.user_id) == (room, anna.user_id)]
    assert own == ["invite", "join"]


async def test_changed_devices_are_told(town: Town, bot: Bare) -> None:
    anna = await town.person("anna")
    room = await desk(bot, anna)
    token = await start(bot)
    batch = await next_of(bot, token)
    assert anna.user_id not in batch.devices_changed
    await town.device(anna.user_id, keys=anna.keys)
    batch = await next_of(bot, batch.token)
    assert anna.user_id in batch.devices_changed
    await anna.leave(room)
    assert anna.user_id in (await next_of(bot, batch.token)).devices_changed


async def test_when_we_are_out_of_a_room_its_keys_go(town: Town, bot: Bare) -> None:
    anna = await town.person("anna")
    room = await desk(bot, anna)
    token = await start(bot)
    event_id = await anna.say(room, "hallo")
    batch = await next_of(bot, token)
    assert [event.body for event in batch.events] == ["hallo"]
    raw = await bot.http.request("GET", f"/_matrix/client/v3/rooms/{room}/event/{event_id}")
    assert bot.machine.decrypt(raw, room).content["body"] == "hallo"
    await bot.http.request("POST", f"/_matrix/client/v3/rooms/{room}/leave", body={})
    await take(bot, batch.token, 2)
    with pytest.raises(NoKey):
        bot.machine.decrypt(raw, room)
    bot.machine.close()
    again = town.machine(bot.user_id, bot.machine.device.device_id)
    with pytest.raises(NoKey):
        again.decrypt(raw, room)


async def test_a_key_that_comes_late_is_told(town: Town, bot: Bare) -> None:
    """The event waits, as it was; once the key is here it can be read."""
    anna = await town.person("anna")
    room = await desk(bot, anna)
    token = await start(bot)
    content = await anna.machine.encrypt(anna.http, room, (), "m.room.message", {"msgtype": "m.text", "body": "early"})
    path = f"/_matrix/client/v3/rooms/{room}/send/m.room.encrypted/1"
    await anna.http.request("PUT", path, body=content)
    batch = await next_of(bot, token)
    (event,) = batch.events
    assert (event.kind, event.session_id, event.body) == ("undecryptable", content["session_id"], "")
    assert event.raw
    assert event.raw["content"]["ciphertext"] == content["ciphertext"]
    assert batch.room_keys == ()


TROUBLES: Final = (
    (refuse(503), "silent"),
    (refuse(429, headers={"Retry-After": "3600"}), "answers"),
    (refuse(502), "silent"),
    (refuse(403, "M_FORBIDDEN"), "answers"),
    (refuse(500), "silent"),
    (refuse(200), "answers"),
)


async def test_only_silence_holds_the_others_up(tmp_path: Path) -> None:
    """Where the long poll alone is limited, or answered with nonsense, what is to be sent is sent."""
    heard = asyncio.Queue[str]()
    acts = iter(TROUBLES)

    async def act(request: web.Request, forward: Forward) -> web.StreamResponse:
        return await next(acts)[0](request, forward)

    machine = Machine.open("@wenk:localhost", "DEVICE", tmp_path, bytes(32))
    async with (
        standing_before("http://127.0.0.1:1") as proxy,
        open_archive(f"sqlite+aiosqlite:///{tmp_path}/wenk.db", tmp_path) as archive,
    ):
        http = Homeserver(proxy.url, "token", patience_s=0)
        account = Account("@wenk:localhost", "DEVICE", "token")
        region = Region(name="Smallingerland", coordinators=())
        identities = Identities(http, machine, Pins())
        session = Session(http, machine, identities, archive.storage, region, account, Metrics())
        session.server_is_silent = lambda: heard.put_nowait("silent")
        session.server_answers = lambda: heard.put_nowait("answers")
        with proxy.rule("GET", "/sync", act):
            listening = asyncio.create_task(session.run())
            for _act, expected in TROUBLES:
                assert await asyncio.wait_for(heard.get(), 10) == expected
                session.again()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        await http.close()
    machine.close()
