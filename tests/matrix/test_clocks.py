"""The clocks of bot and homeserver are moved by years from outside, and time does what it should."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bot.demo.clock import LiveClock, moved
from bot.demo.synapse import LocalSynapse
from domain.calendar import add_years, day_of
from tests.matrix.play import Play, Seat, playing

CHILD: Final = "Sanne; de Vries; 14-03-2020; 9203 ZX 95a"
TWIN: Final = "Tim; de Vries; 14-03-2020; 9203 ZX 95a"
DAY: Final = timedelta(days=1)


@asynccontextmanager
async def one_clock(folder: Path) -> AsyncIterator[tuple[Play, LiveClock]]:
    """Bot and homeserver look at the same clock."""
    clock = LiveClock(folder / "clock")
    async with (
        LocalSynapse(folder / "synapse", limits="generous", env=clock.env) as synapse,
        playing(folder, synapse, env=clock.env) as play,
    ):
        yield play, clock


def in_years(number: int) -> timedelta:
    """From now until a moment of the day on which so many calendar years have passed."""
    today = day_of(datetime.now(UTC))
    return add_years(today, number) - today


async def test_signals_end_are_seen_once_more_and_are_erased(tmp_path: Path) -> None:
    async with one_clock(tmp_path) as (play, clock):
        fatima = await play.admit("fatima", "De Wilgen", "Fatima Bouali")
        joost = await play.admit("joost", "Huisartsen Noord", "Joost Dijkstra")
        first = await fatima.signals(CHILD)
        until = (await fatima.hear("signal.placed")).wenk["active_until"]
        assert until == add_years(day_of(datetime.now(UTC)), 2).isoformat()

        # While both run. What anybody says makes the bot look at its clock; else it does within the minute.
        clock.move(in_years(2) + DAY)
        async with asyncio.timeout(60):
            while not fatima.heard("signal.expired"):
                await fatima.ask("help")
                with suppress(TimeoutError):
                    await fatima.hear("signal.expired", timeout_s=1)
        expired = await fatima.hear("signal.expired", ref=first)
        assert "re" not in expired.wenk
        (listed,) = (await fatima.ask("signalen")).wenk["signals"]
        assert (listed["ref"], listed["state"], listed["active_until"]) == (first, "inactive", until)

        # Who comes later is told once who was involved; the owner hears nothing, and nobody is introduced.
        second = await joost.signals(CHILD)
        earlier = await joost.hear("match.earlier", signal=second)
        (contact,) = earlier.wenk["participants"]
        assert (contact["user_id"], contact["until"]) == (fatima.user_id, until)
        assert "re" not in earlier.wenk
        assert not joost.heard("match.notice")
        assert not fatima.heard("match.notice")

        # Erased five years after placing, also if the bot did not run on that day.
        await play.stage.stop()
        clock.move(in_years(5) + DAY)
        await play.stage.start()
        await fatima.hear("signal.erased", ref=first)
        await joost.hear("signal.expired", ref=second)
        assert (await fatima.ask("signalen")).wenk["signals"] == []
        assert len(fatima.heard("signal.expired")) == len(fatima.heard("signal.erased")) == 1
        assert len(joost.heard("match.earlier")) == 1


async def state_of(ref: str, seat: Seat) -> str:
    listed = (await seat.ask("signalen")).wenk["signals"]
    return next(str(one["state"]) for one in listed if one["ref"] == ref)


async def test_a_clock_that_jumps_lets_nothing_be_done_until_it_is_right(synapse: LocalSynapse, tmp_path: Path) -> None:
    clock = LiveClock(tmp_path / "clock")
    async with playing(tmp_path, synapse, env=clock.env) as play:
        fatima = await play.admit("fatima")
        first = await fatima.signals(CHILD)
        for times, wrong in enumerate((in_years(10), -DAY), start=1):
            clock.move(wrong)
            async with asyncio.timeout(60):
                while (await fatima.ask("help")).wenk["kind"] != "error":
                    pass
            for said in (f"!intrekken {first} fout", f"!signaal {TWIN}", "ja"):
                assert (await fatima.ask(said)).wenk["code"] == "unavailable"
            await play.anna.who.until(lambda n=times: len(play.anna.heard("alarm", code="clock")) == n)  # type: ignore[misc]
            assert await play.metric('wenk_alarm{code="clock"}') == 1
            assert not fatima.heard("signal.expired") + fatima.heard("signal.erased")

            # Right again: the minute hand goes on by itself, and nothing was done meanwhile.
            clock.move(timedelta())
            async with asyncio.timeout(60):
                while (await fatima.ask("help")).wenk["kind"] == "error":
                    pass
                while await play.metric('wenk_alarm{code="clock"}'):
                    await fatima.ask("help")
            assert await state_of(first, fatima) == "active"
        assert len((await fatima.ask("signalen")).wenk["signals"]) == 1
        await fatima.signals(TWIN)


async def test_a_clock_that_is_wrong_lets_nothing_be_due(synapse: LocalSynapse, tmp_path: Path) -> None:
    async with playing(tmp_path, synapse) as play:
        fatima = await play.admit("fatima")
        await fatima.signals(CHILD)
        await play.stage.stop()
        play.stage.env |= moved(in_years(6))
        await play.stage.launch()
        alarm = await play.anna.hear("alarm", code="clock")
        assert "re" not in alarm.wenk
        assert await play.metric('wenk_alarm{code="clock"}') == 1
        assert (await play.web("livez"))[0] == 200
        assert (await play.web("readyz"))[0] == 503
        assert (await fatima.ask("signalen")).wenk["code"] == "unavailable"
        assert not fatima.heard("signal.expired") + fatima.heard("signal.erased")

        # Set right again: all goes on, and nothing was lost.
        await play.stage.stop()
        play.stage.env = {}
        await play.stage.start()
        assert await play.metric('wenk_alarm{code="clock"}') == 0
        (listed,) = (await fatima.ask("signalen")).wenk["signals"]
        assert listed["state"] == "active"
