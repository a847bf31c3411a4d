"""A key that comes after its message, or never; the bot's clock is moved meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.clock import LiveClock
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from tests.matrix.play import Play, Seat, playing
from tests.matrix.proxy import Proxy, put_off, standing_before

pytestmark = pytest.mark.asyncio(loop_scope="module")

GIVE_KEY = r"/sendToDevice/m\.room\.encrypted/[^/]+"
LATE = timedelta(minutes=10)
TOO_LATE = LATE + timedelta(minutes=31)


@dataclass(frozen=True, slots=True)
class Scene:
    """Fatima at her desk, with a phone besides whose keys are on their way for long."""

    play: Play
    clock: LiveClock
    proxy: Proxy
    fatima: Seat
    phone: Person

    @asynccontextmanager
    async def key_comes_late(self) -> AsyncIterator[asyncio.Event]:
        """What the phone says within needs a new key, which goes out once this is set."""
        self.phone.machine.forget_room(self.fatima.desk)
        comes = asyncio.Event()
        with self.proxy.rule("PUT", GIVE_KEY, put_off(comes)) as keys:
            yield comes
            await keys.until()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("late")
    clock = LiveClock(folder / "clock")
    async with standing_before(synapse.url) as proxy, playing(folder, synapse, env=clock.env) as play:
        fatima = await play.admit("fatima")
        assert isinstance(fatima.who, Person)
        password = play.stage.passwords["fatima"]
        phone = await Person.enter(proxy.url, fatima.user_id, password, folder / "phone", keys=fatima.who.keys)
        try:
            yield Scene(play, clock, proxy, fatima, phone)
        finally:
            await phone.close()


async def test_what_can_be_read_ten_minutes_later_runs_then_and_its_ja_confirms_nothing(scene: Scene) -> None:
    fatima = scene.fatima
    async with scene.key_comes_late() as comes:
        early = await scene.phone.say(fatima.desk, "ja")
    assert (await fatima.ask("signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a")).wenk["kind"] == "signal.proposed"
    later = await fatima.ask("help")
    assert not [card for card in fatima.who.cards if card.wenk.get("re") == early]
    scene.clock.move(LATE)
    comes.set()
    answer = await fatima.who.wait_for(lambda card: card.wenk.get("re") == early)
    assert answer.wenk["kind"] == "signal.proposed", "it was said before the question: asked again"
    assert fatima.who.cards.index(answer) > fatima.who.cards.index(later)
    assert (await fatima.ask("signalen")).wenk["signals"] == []


async def test_who_is_not_followed_by_a_key_within_half_an_hour_is_asked_to_repeat(scene: Scene) -> None:
    fatima = scene.fatima
    async with scene.key_comes_late() as comes:
        lost = await scene.phone.say(fatima.desk, "signalen")
    await fatima.ask("help")
    scene.clock.move(TOO_LATE)
    async with asyncio.timeout(60):
        while not fatima.heard("error", re=lost):
            await fatima.ask("help")  # what anybody says makes the bot look at its clock
            with suppress(TimeoutError):
                await fatima.hear("error", re=lost, timeout_s=1)
    assert (await fatima.hear("error", re=lost)).wenk["code"] == "unavailable"
    # Its key comes in the end: it was answered.
    comes.set()
    async with scene.key_comes_late() as at_once:
        at_once.set()
        repeated = await scene.phone.say(fatima.desk, "signalen")
    assert (await fatima.hear("signal.list", re=repeated)).wenk["signals"] == []
    await scene.play.drained()
    assert len([card for card in fatima.who.cards if card.wenk.get("re") == lost]) == 1
