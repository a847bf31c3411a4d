"""The server has a card and the bot does not know: it is not said twice, also if the server forgot how it got it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from bot.app import session_file
from bot.audience import Audience
from bot.crypto import Machine
from bot.delivery import Delivery
from bot.demo.clock import LiveClock
from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse
from bot.enclosing import Enclosing, keep
from bot.http import Homeserver, Unreachable, quote
from bot.identities import Identities
from bot.live import Lookout
from bot.login import Account
from bot.metrics import Metrics
from bot.session import Session
from storage.keys import Keys
from storage.rooms import Room
from storage.schema import outbox
from tests.matrix.people import Pins
from tests.matrix.play import administrator, playing
from tests.matrix.proxy import SEND, Proxy, at_first, lose_the_answer, never_answer, refuse, standing_before
from tests.matrix.reconciling import Bot, prepared

A_DAY = timedelta(hours=25)


async def _has_forgotten(synapse: LocalSynapse) -> None:
    """Synapse drops the transaction ids of yesterday every five minutes of its clock, those in memory before them."""
    async with asyncio.timeout(60):
        while True:
            with sqlite3.connect(f"file:{synapse.directory}/homeserver.db?mode=ro", uri=True, timeout=30) as server:
                (left,) = server.execute("SELECT count(*) FROM event_txn_id_device_id").fetchone()
            server.close()
            if not left:
                return
            await asyncio.sleep(0.2)


async def test_down_for_25_hours_in_the_middle_of_a_delivery(tmp_path: Path) -> None:
    """Killed between the server's having the card and the bot's knowing it; by then its transaction id is forgotten."""
    clock = LiveClock(tmp_path / "clock")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        synapse = await enter(LocalSynapse(tmp_path / "synapse", limits="generous", env=clock.env))
        proxy = await enter(standing_before(synapse.url))
        play = await enter(playing(tmp_path, synapse, env=clock.env, reached_at=proxy.url))
        admin = await enter(administrator(synapse))
        await play.drained()  # nothing else is on its way to her desk
        with proxy.rule("PUT", SEND, never_answer):
            answer = await play.anna.ask("help")
            await play.stage.kill()

        clock.move(A_DAY)
        await _has_forgotten(synapse)
        await play.stage.start()
        await play.anna.ask("taal nl")  # comes after whatever was left of yesterday
        await play.drained()
        assert [card.event_id for card in play.anna.heard("help")] == [answer.event_id]
        said = [event for event in await admin.events(play.anna.desk) if event["sender"] == play.bot]
        assert len([event for event in said if event["type"] == "m.room.encrypted"]) == len(
            [card for card in play.anna.who.cards if card.sender == play.bot and card.encrypted]
        )


class Sender:
    """The bot's delivery and its long poll, each moved by the test."""

    def __init__(self, bot: Bot, proxy: Proxy, machine: Machine) -> None:
        account = Account.load(session_file(bot.config))
        # Gives up at the first fault: each step is one attempt.
        self.http = Homeserver(proxy.url, account.access_token, patience_s=0)
        self._bot = bot
        identities, lookout = Identities(self.http, machine, Pins()), Lookout(self.http, bot.user_id)
        region, metrics = bot.config.region, Metrics()
        self.session = Session(self.http, machine, identities, bot.storage, region, account, metrics)
        audience = Audience(lookout, identities, bot.storage, region, metrics)
        enclosing = Enclosing(self.http, bot.storage, keep)
        self.delivery = Delivery(self.http, machine, audience, enclosing, bot.storage, region, metrics)
        self.delivery.heard_until = lambda: self.session.heard_until

    async def post(self, room: Room, kind: str = "help") -> str:
        content = {"msgtype": "m.notice", "body": kind, "wenk": {"kind": kind}}
        async with self._bot.storage.unit() as uow:
            return await uow.outbox.post(room.id, kind, content)

    async def hear(self) -> None:
        """One long poll, stored."""
        listening = asyncio.create_task(self.session.run())
        async with asyncio.timeout(30):
            await self.session.first_sync.wait()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        self.session.first_sync.clear()

    async def step(self, room: Room) -> float | None:
        return await self.delivery.step(room.id)

    async def until_said(self, room: Room) -> None:
        """Until nothing is left to be said in a room."""
        while await self.step(room) is not None:
            pass


@pytest.fixture
async def proxy(synapse: LocalSynapse) -> AsyncIterator[Proxy]:
    async with standing_before(synapse.url) as between:
        yield between


@pytest.fixture
async def bot(synapse: LocalSynapse, tmp_path: Path) -> AsyncIterator[Bot]:
    async with Stage(tmp_path / "stage", synapse=synapse) as stage, prepared(stage) as bot:
        yield bot


@pytest.fixture
async def sender(bot: Bot, proxy: Proxy) -> AsyncIterator[Sender]:
    account, keys = Account.load(session_file(bot.config)), Keys.load(bot.config.storage.keys_file)
    machine = Machine.open(account.user_id, account.device_id, bot.config.storage.data_dir, keys.crypto_store)
    made = Sender(bot, proxy, machine)
    yield made
    await made.http.close()
    machine.close()


async def test_after_an_hour_without_an_answer_the_timeline_has_the_word(
    bot: Bot, proxy: Proxy, sender: Sender
) -> None:
    """The bot runs on while the network is away: when that is back, it listens before it repeats anything."""
    desk, anna = await bot.desk_with_anna()
    await sender.hear()
    await sender.until_said(desk)
    sent, unsent = await sender.post(desk), await sender.post(desk)
    with proxy.rule("PUT", SEND, lose_the_answer) as first, pytest.raises(Unreachable):
        await sender.step(desk)
    bot.late = A_DAY
    with proxy.rule("PUT", SEND, refuse(502)) as later:
        for _ in range(3):
            assert await sender.step(desk)
        assert first.seen
        assert not later.seen
        await sender.hear()
        assert await sender.step(desk) == 0, "the one that stands there"
        with pytest.raises(Unreachable):
            await sender.step(desk)
        assert len(later.seen) == 1
    await sender.hear()
    await sender.until_said(desk)
    await anna.wait_for(lambda card: card.wenk.get("id") == unsent)
    assert [card.wenk["id"] for card in anna.cards if card.wenk.get("kind") == "help"] == [sent, unsent]


async def test_within_the_hour_it_is_repeated_at_once(bot: Bot, proxy: Proxy, sender: Sender) -> None:
    """The server knows the transaction id: nobody waits for a long poll."""
    desk, anna = await bot.desk_with_anna()
    await sender.hear()
    await sender.until_said(desk)
    card_id = await sender.post(desk)
    with proxy.rule("PUT", SEND, lose_the_answer), pytest.raises(Unreachable):
        await sender.step(desk)
    bot.late = timedelta(minutes=59)
    await sender.until_said(desk)
    after = await sender.post(desk)
    await sender.until_said(desk)
    await anna.wait_for(lambda card: card.wenk.get("id") == after)
    assert [card.wenk["id"] for card in anna.cards if card.wenk.get("kind") == "help"] == [card_id, after]


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer lost"])
async def test_the_card_of_an_introduction_is_kept_in_sight(
    bot: Bot, proxy: Proxy, sender: Sender, *, lost: bool
) -> None:
    """Also where the long poll knows earlier than the sender that it stands there."""
    desk, anna = await bot.desk_with_anna()
    await sender.hear()
    await sender.until_said(desk)
    card_id = await sender.post(desk, "match.introduction")
    if lost:
        with proxy.rule("PUT", SEND, lose_the_answer), pytest.raises(Unreachable):
            await sender.step(desk)
        await sender.hear()
    with proxy.rule("PUT", SEND, at_first(0, lose_the_answer)) as sending:
        await sender.until_said(desk)
    assert len(sending.seen) == (not lost), "it is not sent again"
    card = await anna.wait_for(lambda card: card.wenk.get("id") == card_id)
    state = f"/_matrix/client/v3/rooms/{quote(desk.matrix_id or '')}/state/m.room.pinned_events"
    assert await bot.http.request("GET", state) == {"pinned": [card.event_id]}


async def test_what_we_said_and_the_database_does_not_know_is_emptied(bot: Bot, sender: Sender) -> None:
    """A snapshot of the whole machine was put back: nobody else would take it away when its time is up."""
    desk, anna = await bot.desk_with_anna()
    await sender.hear()
    await sender.until_said(desk)
    card_id, kept_id = await sender.post(desk), await sender.post(desk)
    await sender.until_said(desk)
    async with bot.storage.unit() as uow:
        await uow._session.run(delete(outbox).where(outbox.c.id == card_id))
    await sender.hear()
    await sender.until_said(desk)
    card = await anna.wait_for(lambda card: card.wenk.get("id") == card_id)
    kept = await anna.wait_for(lambda card: card.wenk.get("id") == kept_id)
    event = f"/_matrix/client/v3/rooms/{quote(desk.matrix_id or '')}/event/"
    assert not (await bot.http.request("GET", event + quote(card.event_id)))["content"]
    assert (await bot.http.request("GET", event + quote(kept.event_id)))["content"]
