"""The homeserver is in trouble, or makes it: nothing is hammered, nothing held up, nobody left waiting."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import quote
from tests.matrix.people import meet
from tests.matrix.play import CLIENT, Play, playing
from tests.matrix.proxy import SEND, Act, Proxy, at_first, hang_up, hold, refuse, standing_before

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE = "/createRoom"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(synapse: LocalSynapse) -> AsyncIterator[Proxy]:
    async with standing_before(synapse.url) as between:
        yield between


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("trouble"), synapse, reached_at=proxy.url) as running:
        yield running


@pytest.mark.parametrize(("name", "trouble"), [("joost", refuse(502)), ("fatima", hang_up)], ids=["502", "no answer"])
async def test_a_room_that_cannot_be_made_is_tried_again_ever_more_patiently(
    play: Play, proxy: Proxy, name: str, trouble: Act
) -> None:
    """createRoom may not be repeated blindly; what looks whether it worked must not become a way to hammer."""
    with proxy.rule("POST", CREATE, at_first(3, trouble)) as creating:
        await play.allow(name)
        await creating.until(4)
        pauses = [later - earlier for earlier, later in zip(creating.seen[:-1], creating.seen[1:], strict=True)]
        assert all(pause >= least for pause, least in zip(pauses, (0.9, 1.9, 3.9), strict=True)), pauses
        seat = await play.sit(name)
        await play.drained()
    assert len(creating.seen) == 4
    assert seat.who.rooms() == (seat.desk,)


async def test_an_invitation_that_cannot_be_declined_holds_nothing_up(play: Play, proxy: Proxy) -> None:
    anna = play.anna.who
    assert isinstance(anna, Person)
    room, go_on = await meet(anna), asyncio.Event()
    with proxy.rule("POST", f"/{quote(room)}/leave", hold(go_on)) as declining:
        await anna.http.request("POST", f"{CLIENT}/{quote(room)}/invite", body={"user_id": play.bot})
        await declining.until()
        assert (await play.anna.ask("help")).wenk["kind"] == "help"
        assert anna.members[room][play.bot] == "invite"
        go_on.set()
        await anna.until(lambda: anna.members[room][play.bot] == "leave")


@pytest.mark.parametrize(("status", "errcode"), [(413, "M_TOO_LARGE"), (400, "M_BAD_JSON")])
async def test_who_waits_for_a_card_that_the_server_will_never_take_gets_another(
    play: Play, proxy: Proxy, status: int, errcode: str
) -> None:
    with proxy.rule("PUT", SEND, at_first(1, refuse(status, errcode))) as sending:
        answer = await play.anna.ask("help")
        assert (answer.wenk["kind"], answer.wenk["code"]) == ("error", "unavailable")
        assert (await play.anna.ask("help")).wenk["kind"] == "help"
        assert len(sending.seen) == 3
    assert await play.metric('wenk_alarm{code="undeliverable"}') == 1
