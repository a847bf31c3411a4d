"""What the minute hand does beside the database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.clocks import Clocks
from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse
from bot.metrics import Metrics
from bot.schedule import Schedule
from tests.matrix.reconciling import Bot, prepared


@pytest.fixture
async def bot(synapse: LocalSynapse, tmp_path: Path) -> AsyncIterator[Bot]:
    async with Stage(tmp_path / "stage", synapse=synapse) as stage, prepared(stage) as bot:
        yield bot


class Alone:
    """A minute hand of its own, on the bot's database."""

    def __init__(self, bot: Bot) -> None:
        self.metrics = Metrics()
        clocks = Clocks(bot.http, bot.storage.clock, self.metrics)
        self.schedule = Schedule(clocks, bot.storage, bot.config.region, self.metrics, timedelta(days=30))

    def alarm(self, code: str) -> bool:
        return bool(self.metrics.registry.get_sample_value("wenk_alarm", {"code": code}))


async def test_daily_work_is_done_once_a_day_and_again_if_it_failed(bot: Bot) -> None:
    """Such as dropping old keys: not only when the process starts, which may be long ago."""
    alone = Alone(bot)
    schedule = alone.schedule
    done = 0

    def work() -> None:
        nonlocal done
        done += 1
        if done == 1:
            raise OSError

    schedule.daily = work
    assert not await schedule.tick()
    assert alone.alarm("due_work")
    for _ in range(3):
        assert await schedule.tick()
    assert done == 2
    assert not alone.alarm("due_work")


async def test_what_fails_at_a_tick_keeps_nothing_else_from_being_done(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal that is damaged, at every tick: what others erased stayed in the log, and nobody was woken."""
    alone, log = Alone(bot), bot.stage.directory / "data" / "wenk.db-wal"
    done: list[str] = []

    async def damaged(*_of: object) -> int:
        raise LookupError

    async def resume() -> None:
        done.append("resumed")

    alone.schedule.daily = lambda: done.append("daily")
    alone.schedule.after_tick = resume
    with monkeypatch.context() as broken:
        broken.setattr("bot.schedule.run_due", damaged)
        assert not await alone.schedule.tick()
    assert done == ["daily", "resumed"]
    assert log.stat().st_size == 0
    assert alone.alarm("due_work")
    assert await alone.schedule.tick()
    assert not alone.alarm("due_work")
