"""Two professionals find each other, and the bot is killed on the way; then it is looked whether that left a trace."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from sqlalchemy import text

from bot.config import load
from bot.demo.person import Card, Person
from bot.demo.stage import READY_WITHIN_S, BotFailed
from bot.demo.synapse import LocalSynapse
from storage.engine import create_engine
from tests.matrix.mortal import FOLDER
from tests.matrix.play import Admin, Play, Seat, administrator, playing

_ROOT: Final = Path(__file__).parents[2]
_COUNTED: Final = {
    "signals": "SELECT count(*) FROM signal",
    "pairs": "SELECT count(*) FROM pair",
    "introductions": "SELECT count(*) FROM introduction",
    "rooms": "SELECT count(*) FROM room",
    "audit lines": "SELECT count(*) FROM audit WHERE what LIKE 'signal.%' OR what LIKE 'introduction.%'",
}
_NO_CAP: Final = {"daily_cap": 100_000}
ONE_MEETING: Final = Counter(
    {"signals": 2, "pairs": 1, "introductions": 1, "rooms": 1, "audit lines": 3, "rooms on the server": 1}
)
"""What there is more of once two have found each other."""


class Mortality:
    """Where the bot is to die, and what it did until then: the test's side of `tests.matrix.mortal`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._fuse = folder / "fuse"
        self._steps = folder / "steps"
        self._fuse.touch()
        self._steps.touch()
        self.env = {FOLDER: str(folder), "PYTHONPATH": str(_ROOT)}

    def light(self, *points: str) -> None:
        """Die at each of these points, once; what was done so far is forgotten."""
        self._steps.write_text("before anything\n")
        self._fuse.write_text("\n".join(points))

    def note(self, point: str) -> None:
        """Something that the bot does not see."""
        with self._steps.open("a") as steps:
            steps.write(f"{point}\n")

    def put_out(self) -> list[str]:
        """Live on; the points that did not come."""
        left = self._fuse.read_text().splitlines()
        self._fuse.write_text("")
        return left

    def passed(self) -> list[str]:
        """The points that were passed since it was lit, the last of all at the end."""
        return self._steps.read_text().splitlines()


class Keeper:
    """Starts the bot again whenever it was killed, as a supervisor does; `deaths`: the last point before each."""

    def __init__(self, play: Play, mortality: Mortality) -> None:
        self.deaths: list[str] = []
        self._play = play
        self._mortality = mortality

    async def keep(self) -> None:
        """Until cancelled; raises BotFailed if it ends in any other way than by being killed."""
        stage = self._play.stage
        while True:
            status = await stage.wait()
            if status != -signal.SIGKILL:
                raise BotFailed(f"it ended with {status}:\n{stage.log_path.read_text()[-3000:]}")
            self.deaths.append(self._mortality.passed()[-1])
            self._mortality.note("after its start")
            await stage.launch()

    def kill(self) -> None:
        """From outside, wherever it is just now."""
        if (pid := self._play.stage.pid) is not None:
            with suppress(ProcessLookupError):  # it died a moment ago, and nobody has noticed yet
                os.kill(pid, signal.SIGKILL)

    async def settled(self) -> None:
        """Until it is ready, and has nothing more to do."""
        async with asyncio.timeout(READY_WITHIN_S):
            while not await self._is_settled():
                await asyncio.sleep(0.05)

    async def _is_settled(self) -> bool:
        try:
            status, _text = await self._play.web("readyz")
            waiting = [await self._play.metric(f"wenk_{box}_waiting") for box in ("inbox", "outbox")]
        except aiohttp.ClientError:
            return False
        return status == 200 and not any(waiting)


@asynccontextmanager
async def kept_alive(play: Play, mortality: Mortality) -> AsyncIterator[Keeper]:
    """As long as this lasts, the bot is started again whenever it was killed."""
    keeper = Keeper(play, mortality)
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(keeper.keep())
        yield keeper
        keeping.cancel()


def a_child(number: int) -> str:
    """A child like no other."""
    chosen = random.Random(number)
    given, surname = ("".join(chosen.choices("abdefghiklmnoprstuvw", k=9)).title() for _ in range(2))
    born = f"{chosen.randint(1, 28)}-{chosen.randint(1, 12)}-{chosen.randint(2010, 2022)}"
    return f"{given}; {surname}; {born}; {chosen.randint(8000, 8999)} QX {number}"


@dataclass(frozen=True)
class Outcome:
    """How a meeting went.

    Attributes:
        deaths: the last point that was passed before each.
        passed: all points that were, in order.
        left: those at which it should have died, and which did not come.
        seconds: from `signaal` until both had read the introduction.
        room: of the introduction.
    """

    deaths: list[str]
    passed: list[str]
    left: list[str]
    seconds: float
    room: str


async def _nobody(_keeper: Keeper) -> None:
    """Kills nobody."""


@dataclass
class Pair:
    """Two professionals who find each other again and again, each time over another child."""

    play: Play
    admin: Admin
    mortality: Mortality
    fatima: Seat
    joost: Seat
    met: int = 0

    @property
    def seats(self) -> tuple[Seat, Seat]:
        return self.fatima, self.joost

    async def meet(self, *points: str, killer: Callable[[Keeper], Coroutine[Any, Any, None]] = _nobody) -> Outcome:
        """Between the second one's `signaal` and both having read the introduction the bot dies, and is started again.

        All is there once: both signals, the introduction, its room, its card and notices, and an answer to everything
        that was said.
        """
        self.met += 1
        child, before = a_child(self.met), await self._counts()
        earlier = {seat.user_id: len(seat.said) for seat in self.seats}
        refs = [await self.fatima.signals(child)]
        assert isinstance(self.joost.who, Person)
        self.joost.who.machine._sharing.forget_room(self.joost.desk)  # so that he sends a new key first
        self.mortality.light(*points)
        begun = time.monotonic()
        async with kept_alive(self.play, self.mortality) as keeper:
            killing = asyncio.create_task(killer(keeper))
            refs.append(await self.joost.signals(child))
            notices = [await seat.hear("match.notice", signal=ref) for seat, ref in zip(self.seats, refs, strict=True)]
            match = notices[0].wenk["ref"]
            cards = [await seat.hear("match.introduction", ref=match) for seat in self.seats]
            seconds = time.monotonic() - begun
            await killing
            await keeper.settled()
            passed, left = self.mortality.passed()[1:], self.mortality.put_out()
            await keeper.settled()
        # Whatever was said twice stands before the answer to this.
        await asyncio.gather(*(seat.ask("help") for seat in self.seats))
        for seat in self.seats:
            _once_at_the_desk(seat, seat.said[earlier[seat.user_id] :], match)
        await self._one_introduction(*cards)
        _is("more than before", await self._counts() - before, ONE_MEETING)
        return Outcome(keeper.deaths, passed, left, seconds, cards[0].room_id)

    async def _one_introduction(self, card: Card, same: Card) -> None:
        """One card for both, which stays in sight; nothing else was said there."""
        _is("the introduction that both read", card.event_id, same.event_id)
        users = {who["user_id"] for who in card.wenk["participants"]}
        _is("participants", users, {seat.user_id for seat in self.seats})
        events = await self.admin.events(card.room_id)
        encrypted = [event["event_id"] for event in events if event["type"] == "m.room.encrypted"]
        _is("said in the introduction", encrypted, [card.event_id])
        pinned = [event["content"]["pinned"] for event in events if event["type"] == "m.room.pinned_events"]
        _is("pinned", pinned[-1:], [[card.event_id]])

    async def _counts(self) -> Counter[str]:
        """What there is in the database, and in how many rooms the bot is on the server."""
        engine = create_engine(load(self.play.stage.config).storage.url)
        async with engine.connect() as reader:
            counts = {what: await reader.scalar(text(query)) for what, query in _COUNTED.items()}
        await engine.dispose()
        return Counter(counts | {"rooms on the server": len(await self.admin.joined(self.play.bot))})


def _once_at_the_desk(seat: Seat, said: Sequence[str], match: str) -> None:
    """What was said is answered once and gone, but for the last of it, and of the match there is one card."""
    answers = Counter(card.wenk["re"] for card in seat.who.cards if card.wenk.get("re") in said)
    _is("answers", answers, Counter(said))
    _is("said and still there", set(said[:-1]) - seat.who.redacted, set())
    for kind in ("match.notice", "match.introduction"):
        _is(kind, len(seat.heard(kind, ref=match)), 1)
    twice = [one for one, times in Counter(card.wenk.get("id") for card in seat.who.cards).items() if one and times > 1]
    _is("cards that came twice", twice, [])


def _is(what: str, got: object, wanted: object) -> None:
    """Also outside pytest it is said what is wrong."""
    assert got == wanted, f"{what}: {got}, not {wanted}"


@asynccontextmanager
async def a_pair(folder: Path, synapse: LocalSynapse | None, **options: Any) -> AsyncIterator[Pair]:  # noqa: ANN401 (Stage's)
    """Two professionals at their desks, and a bot that can be killed; `options` are Stage's."""
    mortality = Mortality(folder / "mortality")
    async with (
        playing(folder, synapse, region=_NO_CAP, program="tests.matrix.mortal", env=mortality.env, **options) as play,
        administrator(play.stage.synapse) as admin,
    ):
        fatima = await play.admit("fatima", "De Wilgen")
        joost = await play.admit("joost", "Huisartsen Noord")
        await play.drained()
        yield Pair(play, admin, mortality, fatima, joost)
