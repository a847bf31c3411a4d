"""The real process while its disk is full, and beside another one on the same database."""

import asyncio
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse, free_port
from tests.matrix.play import Play, playing
from tests.postgres import local_postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALARM = 'wenk_alarm{code="database"}'
MOST = 400


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("trouble"), synapse) as running:
        yield running


@contextmanager
def disk_full(play: Play) -> Iterator[None]:
    """The bot's files cannot grow beyond the largest but the write-ahead log: the kernel refuses, as on a full disk.

    The log finds room, and so does the crypto store, which would end the process (test_process.py). A reader keeps the
    write-ahead log from being emptied, which happens every minute and would make room.
    """
    assert play.stage.pid is not None
    others = [file for file in play.stage.directory.glob("data/*") if not file.name.startswith("wenk.db")]
    largest = max(file.stat().st_size for file in (*others, play.stage.log_path))
    soft, hard = resource.prlimit(play.stage.pid, resource.RLIMIT_FSIZE)
    with closing(sqlite3.connect(play.stage.directory / "data" / "wenk.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM inbox").fetchone()
        resource.prlimit(play.stage.pid, resource.RLIMIT_FSIZE, (largest + 65_536, hard))
        try:
            yield
        finally:
            resource.prlimit(play.stage.pid, resource.RLIMIT_FSIZE, (soft, hard))


async def test_with_a_full_disk_nothing_is_answered_and_afterwards_everything_once(play: Play) -> None:
    said: list[str] = []
    with disk_full(play):
        while await play.metric(ALARM) == 0:
            assert len(said) < MOST, "the disk is never full"
            said.append(await play.anna.who.say(play.anna.desk, "help"))
        log = [line for line in play.stage.log_path.read_text().splitlines() if "ERROR bot.watch" in line]
        assert len(log) == 1
        assert "its disk is full" in log[0]
        assert (await play.web("readyz"))[0] == 503
        said.append(await play.anna.who.say(play.anna.desk, "help"))
        known = {card.wenk.get("re") for card in play.anna.heard("help")}
        assert said[-1] not in known
    await _all_answered_and_told(play, said)


async def _all_answered_and_told(play: Play, said: list[str]) -> None:
    """The trouble is over: each is answered once, and the coordinator knows from when to when it was."""
    alarm = await play.anna.hear("alarm", code="database")
    assert alarm.wenk["since"] <= alarm.wenk["until"]
    for event_id in said:
        await play.anna.hear("help", re=event_id)
    await play.drained()
    assert sorted(str(card.wenk["re"]) for card in play.anna.heard("help")) == sorted(said)
    assert len(play.anna.heard("alarm", code="database")) == 1
    assert await play.metric(ALARM) == 0
    assert (await play.web("readyz"))[0] == 200


async def test_postgresql_crashes_under_the_bot_and_comes_back(synapse: LocalSynapse, tmp_path: Path) -> None:
    with local_postgres() as server, server.fresh_database() as url:
        async with playing(tmp_path, synapse, database_url=url) as play:
            said = [await play.anna.who.say(play.anna.desk, "help") for _ in range(20)]
            await play.anna.hear("help", re=said[0])
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            assert await play.metric(ALARM) == 1
            said.append(await play.anna.who.say(play.anna.desk, "help"))
            await asyncio.to_thread(server.start)
            await _all_answered_and_told(play, said)
            assert "ERROR bot.watch: the database: it does not answer" in play.stage.log_path.read_text()
            assert await play.stage.stop() == 0


async def _run(stage: Stage, command: str, *arguments: str) -> int:
    process = await stage.wenk(command, *arguments)
    async with asyncio.timeout(60):
        return await process.wait()


@pytest.mark.parametrize("command", ["run", "init"])
async def test_another_data_directory_does_not_make_a_second_bot_of_the_same_database(
    play: Play, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    stage = play.stage
    text = stage.config.read_text().replace('data_dir = "data"', 'data_dir = "elsewhere"')
    other = stage.config.with_name("other.toml")
    other.write_text(text.replace(stage.web.removeprefix("http://"), f"127.0.0.1:{free_port()}"))
    before = stage.log_path.stat().st_size
    with monkeypatch.context() as patched:
        patched.setattr(stage, "config", other)
        assert await _run(stage, command) == 1
    assert "Another Wenk" in stage.log_path.read_text()[before:]
    assert (await play.anna.ask("help")).wenk["kind"] == "help"


async def test_what_only_looks_works_beside_a_running_bot(play: Play, tmp_path: Path) -> None:
    assert await _run(play.stage, "doctor") == 0
    assert await _run(play.stage, "sweep", "--dry-run") == 0
    assert await _run(play.stage, "backup", str(tmp_path / "wenk.backup")) == 0
