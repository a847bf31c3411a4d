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


async def test_daily_work_is_done_once_a_day_and_again_if_it_failed(bot: Bot) -> None:
    """Such as dropping old keys: not only when the process starts, which may be long ago."""
    metrics = Metrics()
    clocks = Clocks(bot.http, bot.storage.clock, metrics)
    schedule = Schedule(clocks, bot.storage, bot.config.region, metrics, timedelta(days=30))
    done = 0

    def work() -> None:
        nonlocal done
        done += 1
        if done == 1:
            raise OSError

    def alarm() -> float | None:
        return metrics.registry.get_sample_value("wenk_alarm", {"code": "due_work"})

    schedule.daily = work
    assert not await schedule.tick()
    assert alarm() == 1
    for _ in range(3):
        assert await schedule.tick()
    assert done == 2
    assert alarm() == 0
