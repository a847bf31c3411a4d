"""Who was in a room when something was said there: a look counts from the moment at which it began."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from bot.demo.synapse import LocalSynapse
from bot.http import Homeserver, MatrixError, quote
from bot.live import Lookout
from bot.login import log_in
from bot.trust import Trust


class Place:
    """A room of somebody's own, and their lookout."""

    def __init__(self, http: Homeserver, user_id: str, matrix_id: str, guest: str) -> None:
        self.http = http
        self.matrix_id = matrix_id
        self.guest = guest
        self.lookout = Lookout(http, user_id)

    async def invite(self) -> None:
        path = f"/_matrix/client/v3/rooms/{quote(self.matrix_id)}/invite"
        await self.http.request("POST", path, body={"user_id": self.guest})


@pytest.fixture
async def place(synapse: LocalSynapse, new_name: str) -> AsyncIterator[Place]:
    user_id = await synapse.register(new_name, "secret")
    guest = await synapse.register(f"{new_name}-guest", "secret")
    http = Homeserver(synapse.url)
    try:
        http.access_token = (await log_in(http, user_id, "secret")).access_token
        body = {"preset": "private_chat"}
        room = await http.request("POST", "/_matrix/client/v3/createRoom", body=body, safe=False)
        yield Place(http, user_id, str(room["room_id"]), guest)
    finally:
        await http.close()


async def test_a_look_that_began_earlier_does_not_tell_of_now(place: Place) -> None:
    assert (await place.lookout.since(time.monotonic(), place.matrix_id)).present == frozenset()
    await place.invite()
    assert (await place.lookout.since(time.monotonic(), place.matrix_id)).present == {place.guest}


async def test_those_who_ask_for_the_same_moment_share_one_look(place: Place) -> None:
    moment, before = time.monotonic(), place.http.requests
    place.lookout.begin(place.matrix_id)
    await asyncio.gather(*(place.lookout.since(moment, place.matrix_id) for _ in range(5)))
    assert place.http.requests == before + 1


async def test_after_somebody_came_or_went_no_earlier_look_counts(place: Place) -> None:
    moment = time.monotonic()
    await place.lookout.since(moment, place.matrix_id)
    await place.invite()
    place.lookout.forget(place.matrix_id)
    assert (await place.lookout.since(moment, place.matrix_id)).present == {place.guest}


async def test_who_is_cancelled_does_not_take_the_look_from_the_others(place: Place) -> None:
    moment = time.monotonic()
    place.lookout.begin(place.matrix_id)
    first, second = (asyncio.create_task(place.lookout.since(moment, place.matrix_id)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).present == frozenset()


async def test_a_look_that_failed_is_taken_again(place: Place) -> None:
    moment, elsewhere = time.monotonic(), "!nowhere:localhost"
    for expected in (1, 2):
        before = place.http.requests
        with pytest.raises(MatrixError):
            await place.lookout.since(moment, elsewhere)
        assert place.http.requests == before + 1, expected


async def test_the_look_that_proves_began_after_the_word_came_in(place: Place) -> None:
    """Between the look and the word somebody may have come in: it would not show who overheard it."""
    trust = Trust(place.lookout, None)  # type: ignore[arg-type]  # no device is to be proven here
    await place.lookout.since(time.monotonic(), place.matrix_id)
    await place.invite()
    trust.heard([place.matrix_id])
    assert (await trust.look(place.matrix_id)).present == {place.guest}
