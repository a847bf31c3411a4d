"""The homeserver is in trouble, or makes it: nothing is hammered, nothing held up, nobody left waiting."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import quote
from tests.matrix.people import meet
from tests.matrix.play import CLIENT, Play, playing
from tests.matrix.proxy import SEND, Act, Proxy, at_first, away, hang_up, hold, refuse

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE = "/createRoom"
ABOUT_SOMEBODY = "/(keys/query|keys/claim|invite)"


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


async def test_an_invitation_whose_declining_was_limited_is_declined_all_the_same(play: Play, proxy: Proxy) -> None:
    """The long poll names it once: nobody comes back to it."""
    anna = play.anna.who
    assert isinstance(anna, Person)
    room, limited = await meet(anna), refuse(429, "M_LIMIT_EXCEEDED", {"Retry-After": "1"})
    with proxy.rule("POST", f"/{quote(room)}/leave", at_first(1, limited)):
        await anna.http.request("POST", f"{CLIENT}/{quote(room)}/invite", body={"user_id": play.bot})
        await anna.until(lambda: anna.members[room].get(play.bot) == "leave")


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


@pytest.mark.parametrize(
    ("headers", "body", "least_s"),
    [({"Retry-After": "2"}, {}, 2), ({}, {"retry_after_ms": 1500}, 1.5), ({}, {}, 1)],
    ids=["header", "milliseconds", "no word"],
)
async def test_a_limit_is_waited_out_and_nothing_is_dropped(
    play: Play, proxy: Proxy, headers: dict[str, str], body: dict[str, int], least_s: float
) -> None:
    limited = refuse(429, "M_LIMIT_EXCEEDED", headers, **body)
    with proxy.rule("PUT", SEND, at_first(1, limited)) as sending:
        said = [await play.anna.who.say(play.anna.desk, text) for text in ("help", "koffie", "signalen")]
        for one in said:
            await play.anna.who.wait_for(lambda card, one=one: card.wenk.get("re") == one)  # type: ignore[misc]  # no type of a default
    answered = [card.wenk["re"] for card in play.anna.who.cards if card.wenk.get("re") in said]
    assert answered == said
    assert len(sending.seen) == len(said) + 1
    assert sending.seen[1] - sending.seen[0] >= least_s


async def test_a_room_whose_creation_was_limited_is_made_once_and_then(play: Play, proxy: Proxy) -> None:
    limited = refuse(429, "M_LIMIT_EXCEEDED", {"Retry-After": "2"})
    with proxy.rule("POST", CREATE, at_first(1, limited)) as creating:
        await play.allow("lin")
        await creating.until(2)
        seat = await play.sit("lin")
        await play.drained()
    assert len(creating.seen) == 2
    assert creating.seen[1] - creating.seen[0] >= 2
    assert seat.who.rooms() == (seat.desk,)


@pytest.mark.parametrize(("how", "names"), [("refused", ("mila", "noud")), ("silent", ("sara", "teun"))])
async def test_while_the_server_of_one_is_away_the_others_are_served(
    play: Play, proxy: Proxy, how: str, names: tuple[str, str]
) -> None:
    here, late = await play.admit(names[0], "De Wilgen"), await play.admit(names[1], "Huisartsen Noord")
    child = f"{names[0]}; Visser; 14-03-2015; 9203 ZX 95a"
    first = await here.signals(child)
    back = asyncio.Event()
    inviting = refuse(502) if how == "refused" else hold(back)
    with proxy.rule("POST", ABOUT_SOMEBODY, away(late.user_id, inviting)):
        await late.signals(child)
        notice = await here.hear("match.notice", signal=first)
        introduced = await here.hear("match.introduction", ref=notice.wenk["ref"])
        assert len(introduced.wenk["participants"]) == 2
        assert (await here.ask("help")).wenk["kind"] == "help"
        assert late.who.rooms() == (late.desk,)
    back.set()
    await late.hear("match.introduction", ref=notice.wenk["ref"])
    assert introduced.room_id in late.who.rooms()


async def test_who_cannot_be_asked_about_keeps_no_card_from_the_others(play: Play, proxy: Proxy) -> None:
    """They are together, and the bot has to ask for all keys anew: those of one are not to be had."""
    gone = await play.admit("gone", "De Wilgen")
    stays, third = await play.admit("stays", "Huisartsen Noord"), await play.admit("third", "Halt")
    child = "Noor; Smit; 14-03-2015; 9203 ZX 95a"
    for seat in (gone, stays):
        await seat.signals(child)
    for seat in (gone, stays):
        await seat.hear("match.introduction")
    await play.stage.stop()
    with proxy.rule("POST", ABOUT_SOMEBODY, away(gone.user_id, refuse(502))):
        await play.stage.start()
        await third.signals(child)
        await stays.hear("match.joined", user_id=third.user_id)
        await third.hear("match.introduction")
    assert not gone.heard("match.joined")
    # At their own desk nothing is lost.
    told = await gone.who.wait_for(
        lambda card: (
            card.wenk.get("kind") == "match.notice"
            and any(one["user_id"] == third.user_id for one in card.wenk["participants"])
        ),
        timeout_s=60,
    )
    assert told.room_id == gone.desk


async def test_after_a_soft_logout_the_same_device_goes_on(play: Play, proxy: Proxy) -> None:
    session = play.stage.directory / "data" / "session.json"
    before = json.loads(session.read_text())
    soft = refuse(401, "M_UNKNOWN_TOKEN", soft_logout=True)
    with proxy.rule("GET", "/sync", at_first(1, soft)) as polling:
        await play.anna.ask("help")  # ends the poll that is under way
        await polling.until(2)
        answer = await play.anna.ask("help")
    assert (answer.wenk["kind"], answer.verified) == ("help", True)
    after = json.loads(session.read_text())
    assert after["device_id"] == before["device_id"]
    assert after["access_token"] != before["access_token"]
    (device,) = (await play.identity()).devices
    assert device.device_id == before["device_id"]
