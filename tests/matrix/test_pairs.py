"""Ten pairs of professionals confirm a signal on the same child at the same moment: each pair has one room."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from bot.demo.synapse import LocalSynapse
from tests.matrix.play import Play, Seat, playing

pytestmark = pytest.mark.asyncio(loop_scope="module")

GIVEN: Final = ("Ada", "Bo", "Cem", "Dewi", "Ezra", "Finn", "Guus", "Hana", "Ilse", "Jip")
"""The children: a pair of professionals for each."""
PAIRS: Final = len(GIVEN)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("pairs"), synapse) as running:
        yield running


async def _proposed(play: Play, name: str, given: str) -> Seat:
    seat = await play.sit(name)
    proposed = await seat.ask(f"!signaal {given}; Achterberg; 14-03-2015; 9203 ZX 95a", timeout_s=90)
    assert proposed.wenk["kind"] == "signal.proposed", proposed.body
    return seat


async def _met(seat: Seat) -> tuple[str, str]:
    """Accept every invitation; reference and room of the introduction."""
    notice = await seat.hear("match.notice", timeout_s=90)
    shown = await seat.hear("match.introduction", timeout_s=90, ref=notice.wenk["ref"])
    return str(notice.wenk["ref"]), shown.room_id


async def test_ten_pairs_at_the_same_moment_have_one_room_each(play: Play) -> None:
    names = [(f"{given}links".lower(), f"{given}rechts".lower()) for given in GIVEN]
    for one, two in names:
        await play.allow(one, "De Wilgen")
        await play.allow(two, "Halt")
    seats = await asyncio.gather(
        *(_proposed(play, name, given) for given, pair in zip(GIVEN, names, strict=True) for name in pair)
    )
    answers = await asyncio.gather(*(seat.ask("ja", timeout_s=90) for seat in seats))
    assert {answer.wenk["kind"] for answer in answers} == {"signal.placed"}
    met = await asyncio.gather(*map(_met, seats))
    await play.drained()
    assert [met[2 * pair] == met[2 * pair + 1] for pair in range(PAIRS)] == [True] * PAIRS
    assert len(set(met)) == PAIRS
    for seat, (ref, room) in zip(seats, met, strict=True):
        assert set(seat.who.rooms()) == {seat.desk, room}
        for kind in ("signal.placed", "match.notice", "match.introduction"):
            assert len(seat.heard(kind)) == 1, (kind, ref)
