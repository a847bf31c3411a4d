"""SIGKILL at every kind of step between a command and the introduction: all is there once. `make soak` does all steps.

The steps are those of `tests.matrix.mortal`. Several kill in one meeting, one after the other, so that the bot also
dies while it takes up what the death before left behind.
"""

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from bot.demo.synapse import LocalSynapse
from tests.matrix.killing import Pair, a_pair

pytestmark = pytest.mark.asyncio(loop_scope="module")

BY_CHANCE: Final = {"GET rooms/messages", "GET versions", "commit handlers.steps.run"}
"""What comes only if a long poll ends while a room is being made, or once a minute."""


def _both_sides(*steps: str) -> tuple[str, ...]:
    return tuple(f"{side} {step}" for step in steps for side in ("before", "after"))


POINTS: Final = {
    "taking in": (
        *_both_sides("GET sync", "keys bot.sync.poll", "keys bot.sync._read", "commit bot.session._take"),
        *_both_sides("keys bot.crypto.room_keys_are_stored"),
        "after commit bot.rooms._saw",
    ),
    "deciding": (*_both_sides("GET rooms/state", "commit bot.reception._handle"), "before commit bot.rooms._saw"),
    "answering": _both_sides("PUT rooms/send/m.room.encrypted", "commit bot.delivery._sent", "PUT rooms/redact"),
    "making the room": _both_sides("POST createRoom", "commit bot.rooms._create", "POST rooms/invite"),
    "introducing": _both_sides(
        "POST keys/query",
        "keys bot.sharing._share_key",
        "PUT sendToDevice/m.room.encrypted",
        "PUT rooms/state/m.room.pinned_events",
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with a_pair(tmp_path_factory.mktemp("killed"), synapse) as both:
        yield both


async def test_no_kind_of_step_is_left_out(pair: Pair) -> None:
    met = await pair.meet()
    assert not met.deaths
    assert set(met.passed) - set(_both_sides(*BY_CHANCE)) == {point for points in POINTS.values() for point in points}


@pytest.mark.parametrize("where", POINTS)
async def test_killed_at_each_of_these_steps_all_is_there_once(pair: Pair, where: str) -> None:
    met = await pair.meet(*POINTS[where])
    assert not met.left, "these did not come"
    assert sorted(met.deaths) == sorted(POINTS[where])
