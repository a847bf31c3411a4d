"""Work for many rooms: what waits, fails or hangs in one of them holds up no other, and nothing is hammered."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from bot.http import HeldBack, Unreachable
from bot.waiting import FIRST_PAUSE_S, LONGEST_PAUSE_S
from bot.workers import Workers
from tests.matrix.hurry import in_no_time

SLOTS = 16
ROOMS = [f"room {number}" for number in range(SLOTS)]
MINUTE = 60.0
HOUR = 60 * MINUTE


class Rooms:
    """Workers for rooms, with a step as told; when each step began."""

    def __init__(self, step: Callable[["Rooms", str], Awaitable[float | None]]) -> None:
        self.began: dict[str, list[float]] = defaultdict(list)
        self.faults = 0
        self.server_is_back = False
        self.workers = Workers("rooms", self._take, side_by_side=SLOTS, on_fault=self._count)
        self._step = step
        self._begun = asyncio.Condition()

    async def _take(self, room: str) -> float | None:
        self.began[room].append(asyncio.get_running_loop().time())
        async with self._begun:
            self._begun.notify_all()
        return await self._step(self, room)

    def _count(self, _name: str) -> None:
        self.faults += 1

    async def wake(self, *rooms: str, times: int = 1) -> None:
        """There is something to do; until so many steps have begun in each."""
        for room in rooms:
            self.workers.wake(room)
        await self.reached(*rooms, times=times)

    async def reached(self, *rooms: str, times: int = 1) -> None:
        """Until so many steps have begun in each."""
        async with self._begun:
            await self._begun.wait_for(lambda: all(len(self.began[room]) >= times for room in rooms))

    def pauses(self, room: str) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.began[room])]


async def _all_is_done(_rooms: Rooms, _room: str) -> None:
    return None


@pytest.mark.parametrize("told_s", [None, 5, 55 * MINUTE])
def test_rooms_that_are_limited_hold_up_no_other_and_come_back_when_told(told_s: float | None) -> None:
    """They waited in their slots, for as long as the server said: sixteen of them stopped all others."""

    async def step(rooms: Rooms, room: str) -> None:
        if room in ROOMS and len(rooms.began[room]) == 1:
            raise HeldBack("429", told_s)

    async def play() -> Rooms:
        rooms = Rooms(step)
        await rooms.wake(*ROOMS)
        await rooms.wake("free")
        # What is said there meanwhile does not make them come back earlier.
        await rooms.wake(*ROOMS, times=2)
        await rooms.workers.stop()
        return rooms

    rooms = in_no_time(play())
    assert rooms.began["free"][0] - rooms.began[ROOMS[0]][0] < 1
    least, most = (told_s, told_s) if told_s else (FIRST_PAUSE_S, 1.5 * FIRST_PAUSE_S)
    assert all(least - 0.1 < pause < most + 0.1 for room in ROOMS for pause in rooms.pauses(room))
    assert all(len(rooms.began[room]) == 2 for room in ROOMS)
    assert rooms.faults == 0, "to be told to wait is no fault"


@pytest.mark.parametrize("fault", [Unreachable("502"), HeldBack("429"), KeyError("a bug")], ids=str)
def test_what_fails_is_tried_again_ever_more_patiently(fault: Exception) -> None:
    async def step(_rooms: Rooms, _room: str) -> None:
        raise fault

    async def play() -> Rooms:
        rooms = Rooms(step)
        await rooms.wake("room")
        await asyncio.sleep(HOUR)
        await rooms.workers.stop()
        return rooms

    rooms = in_no_time(play())
    pauses = rooms.pauses("room")
    assert pauses[0] >= 1
    assert all(later > earlier for earlier, later in pairwise(pauses[:5]))
    assert max(pauses) == pytest.approx(LONGEST_PAUSE_S, abs=0.1)
    assert len(pauses) < HOUR / LONGEST_PAUSE_S + 10


def test_what_hangs_again_and_again_leaves_slots_to_the_others() -> None:
    """As where somebody's own server is away, and each invitation to it hangs."""

    async def step(_rooms: Rooms, room: str) -> None:
        if room in ROOMS:
            await asyncio.sleep(MINUTE)
            raise Unreachable("no answer")

    async def play() -> list[float]:
        rooms, waited = Rooms(step), []
        await rooms.wake(*ROOMS)
        await asyncio.sleep(2 * MINUTE)
        for number in range(20):
            began = asyncio.get_running_loop().time()
            await rooms.wake(f"other {number}")
            waited.append(asyncio.get_running_loop().time() - began)
            await asyncio.sleep(7)
        await rooms.workers.stop()
        return waited

    assert max(in_no_time(play())) < 1


def test_while_the_server_is_silent_nobody_asks_it_and_then_all_go_on_at_once() -> None:
    async def play() -> Rooms:
        rooms = Rooms(_all_is_done)
        rooms.workers.hold()
        for room in ROOMS:
            rooms.workers.wake(room)
        await asyncio.sleep(HOUR)
        assert not rooms.began
        rooms.workers.go_on()
        await rooms.wake(*ROOMS)
        await rooms.workers.stop()
        return rooms

    rooms = in_no_time(play())
    assert [len(rooms.began[room]) for room in ROOMS] == [1] * SLOTS


def test_what_failed_goes_on_at_once_when_the_server_is_back() -> None:
    async def step(rooms: Rooms, _room: str) -> None:
        if not rooms.server_is_back:
            raise Unreachable("502")

    async def play() -> float:
        rooms = Rooms(step)
        await rooms.wake("room", times=8)  # by then the pauses are the longest
        rooms.workers.hold()
        await asyncio.sleep(1)
        rooms.server_is_back = True
        rooms.workers.go_on()
        began = asyncio.get_running_loop().time()
        await rooms.reached("room", times=9)
        await rooms.workers.stop()
        return rooms.began["room"][-1] - began

    assert in_no_time(play()) < 1


@pytest.mark.parametrize("fault", [None, HeldBack("429", HOUR), Unreachable("502")], ids=str)
def test_stopping_waits_for_nobody_who_waits(fault: Exception | None) -> None:
    """For the server to answer, for the moment that it named, or for the next attempt."""

    async def step(_rooms: Rooms, _room: str) -> None:
        if fault:
            raise fault

    async def play() -> float:
        rooms = Rooms(step)
        if fault is None:
            rooms.workers.hold()
            rooms.workers.wake("room")
        else:
            await rooms.wake("room")
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        await rooms.workers.stop()
        return asyncio.get_running_loop().time() - began

    assert in_no_time(play()) < 1
