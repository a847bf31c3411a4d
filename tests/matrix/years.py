"""Years pass for bot and homeserver, in steps; what each person hears of it unasked is all that they may hear.

The clock is moved from outside (libfaketime); the people have clients of another make, whose own clock stands still
unless they look at this one too.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import aiohttp

from bot.demo.clock import LiveClock
from bot.demo.person import Card
from bot.demo.synapse import LocalSynapse
from domain.calendar import AMSTERDAM
from tests.matrix.play import Play, Seat, playing, unread

Heard = tuple[str, str]
"""A kind of card, and what it is about: a reference, or the code of an alarm."""

PLACED: Final = "2028-02-29"
"""A leap day."""
HER: Final = "Femke Jitske; Terpstra; 29-02-2016; 9203 ZX 95a"
KIM: Final = "Kim; van Loon; 2019; 8472 RT 7"
MILA: Final = "Mila; Postma; 11-11-2021; 8401 AB 12"
CHILD, BOTH, PARENTS = ["child"], ["parents", "child"], ["parents"]

_OF_THE_HOUSE: Final = frozenset({"welcome", "audit.head"})
"""What comes by itself and has nothing to do with any signal."""
_PATIENCE_S: Final = 60


class Years:
    """A play in which time passes.

    Attributes:
        seats: who is there, by name: Anna, and who is admitted through `admit`.
    """

    def __init__(self, play: Play, clock: LiveClock) -> None:
        self.play = play
        self.seats: dict[str, Seat] = {"anna": play.anna}
        self._clock = clock
        self._read: dict[str, int] = {}

    async def admit(self, **organisations: str) -> list[Seat]:
        """Somebody more of each of these organisations, by name; at their desks."""
        for name, organisation in organisations.items():
            await self.play.allow(name, organisation)
        seats = await asyncio.gather(*map(self.play.sit, organisations))
        self.seats |= dict(zip(organisations, seats, strict=True))
        return seats

    async def to(self, day: str, at: str = "10:00") -> None:
        """It is then, in Amsterdam. The bot was down meanwhile, and has done what became due."""
        await self.play.stage.stop()
        await self._move(_moment(day, at))
        await self.play.stage.start()

    async def on_to(self, day: str, at: str) -> None:
        """It becomes so late while all are running; by less than an hour, so that no clock seems wrong.

        What is due then is done by the time that `told` has found it.
        """
        moment = _moment(day, at)
        await self._move(moment)
        await _until_it_is(moment, f"{self.play.stage.web}/livez")

    async def at_midnight(self, day: str, **expected: Sequence[Heard]) -> None:
        """A quarter of an hour before that day begins nobody hears anything; a quarter after, they hear this.

        The bot was down until the evening before: it finds that nothing is due yet.
        """
        await self.to(_before(day), "23:45")
        await self.told()
        await self.on_to(day, "00:15")
        await self.told(**expected)

    async def told(self, **expected: Sequence[Heard]) -> None:
        """This is what each of them, by name, heard unasked since this was asked last, and nothing else.

        Waits for what is expected; then each asks something: what was decided before stands before the answer.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while any(len(self._heard(name)) < len(expected.get(name, ())) for name in self.seats):
                    await self._all_ask()  # whatever is said makes the bot look at its clock
        await self._all_ask()
        heard = {name: self._heard(name) for name in self.seats}
        assert heard == {name: sorted(expected.get(name, ())) for name in self.seats}
        self._read = {name: len(seat.who.cards) for name, seat in self.seats.items()}

    def all_could_read_all(self) -> None:
        """However much later it became, and however old the sessions of bot and clients."""
        people = [seat.who for seat in self.seats.values()]
        assert not unread(people)  # type: ignore[arg-type]  # all are JsPersons here
        of_bot = [card for who in people for card in who.cards if card.sender == self.play.bot]
        assert all(card.encrypted and card.verified for card in of_bot)

    async def _all_ask(self) -> None:
        await asyncio.gather(*(seat.ask("help") for seat in self.seats.values()))

    def _heard(self, name: str) -> list[Heard]:
        seat = self.seats[name]
        cards = [card for card in seat.who.cards[self._read.get(name, 0) :] if _is_news(card)]
        # In the room, which is emptied at once, whoever is slow never sees it: who has to know is told at the desk.
        lasting = (card for card in cards if card.wenk["kind"] != "match.closed" or card.room_id == seat.desk)
        return sorted((card.wenk["kind"], _about(card)) for card in lasting)

    async def _move(self, moment: datetime) -> None:
        self._clock.move(moment - datetime.now(UTC))
        await _until_it_is(moment, f"{self.play.stage.synapse.url}/_matrix/client/versions")


def _is_news(card: Card) -> bool:
    return bool(card.wenk) and "re" not in card.wenk and card.wenk["kind"] not in _OF_THE_HOUSE


def _about(card: Card) -> str:
    told: Mapping[str, Any] = card.wenk
    return str(told.get("code") or told.get("signal") or told.get("ref") or " ".join(told["refs"]))


async def _until_it_is(moment: datetime, page: str) -> None:
    """Until who answers there has seen that the clock was moved; by the header `Date`, which has no fractions."""
    async with asyncio.timeout(_PATIENCE_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(page) as answer:
                if parsedate_to_datetime(answer.headers["Date"]) >= moment:
                    return
            await asyncio.sleep(0.05)


def _before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _moment(day: str, at: str) -> datetime:
    """In Amsterdam."""
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(at), AMSTERDAM)


@asynccontextmanager
async def years(folder: Path, begin: str, *, clients_too: bool = False, **region: object) -> AsyncIterator[Years]:
    """A stage on which it is that day from the start. `clients_too`: the people's clients look at its clock as well."""
    clock = LiveClock(folder / "clock")
    clock.move(_moment(begin, "10:00") - datetime.now(UTC))
    async with (
        LocalSynapse(folder / "synapse", limits="generous", env=clock.env) as synapse,
        playing(
            folder, synapse, js=True, js_env=clock.env if clients_too else None, env=clock.env, region=region
        ) as play,
    ):
        yield Years(play, clock)


async def withdraws(seat: Seat, ref: str, why: str) -> tuple[list[str], list[str]]:
    """For whatever reason; what was erased along, and their own other signals on that child that are left."""
    answer = await seat.ask(f"!intrekken {ref} {why}")
    assert (answer.wenk["kind"], answer.wenk["ref"]) == ("signal.withdrawn", ref), answer.body
    return answer.wenk["along"], answer.wenk["others"]


async def ticks(seat: Seat, ref: str, whom: str = "") -> Mapping[str, Any]:
    """The family was told: what is written down of it."""
    answer = await seat.ask(f"!ingelicht {ref} {whom}")
    assert answer.wenk["kind"] == "notice.told", answer.body
    return answer.wenk


async def asks_to_wait(seat: Seat, ref: str, coordinator: Seat) -> str:
    """Telling the family is not safe now; the reference of what a coordinator is asked."""
    asked = await seat.ask(f"!ingelicht {ref} uitstel")
    assert asked.wenk["kind"] == "notice.postponing", asked.body
    return str((await coordinator.hear("approval.opened")).wenk["ref"])


async def listed(seat: Seat) -> dict[str, tuple[str, str | None]]:
    """State of each signal of somebody, and when the family was told."""
    return {each["ref"]: (each["state"], each["told"]) for each in (await seat.ask("signalen")).wenk["signals"]}
