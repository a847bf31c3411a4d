"""`wenk keys` beside a running bot: who runs the bot writes to the database, whoever waits sees how far it is."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
import pytest_asyncio

from bot.demo.synapse import LocalSynapse
from tests.matrix.play import Play, playing

pytestmark = pytest.mark.asyncio(loop_scope="module")

SANNE = "signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    directory = tmp_path_factory.mktemp("rotation")
    async with playing(directory, synapse, program="tests.matrix.hasty") as running:
        yield running


async def _keys(play: Play, *what: str) -> str:
    """`wenk keys ...`; what it said, among what the bot said meanwhile."""
    before = play.stage.log_path.stat().st_size
    process = await play.stage.wenk("keys", what[0], *what[1:])
    async with asyncio.timeout(60):
        status = await process.wait()
    said = play.stage.log_path.read_text()[before:]
    assert status == 0, said
    return said


def _file(play: Play) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((play.stage.directory / "secrets" / "keys.json").read_text())
    return kept


async def test_new_keys_are_in_use_without_a_restart_and_all_are_found_also_after_an_upgrade(play: Play) -> None:
    fatima, joost, lin = [
        await play.admit(name, place)
        for name, place in (("fatima", "De Wilgen"), ("joost", "Huisartsen Noord"), ("lin", "Halt"))
    ]
    await fatima.ask(SANNE)
    await fatima.ask("ja")
    said = await _keys(play, "rotate")
    assert "back that file up now" in said
    assert "finished" in said
    assert (sorted(_file(play)["master"]), sorted(_file(play)["tag"])) == (["1", "2"], ["2"])
    await _keys(play, "destroy", "1")
    assert sorted(_file(play)["master"]) == ["2"]
    await joost.ask(SANNE)
    await joost.ask("ja")
    await fatima.hear("match.notice")
    await joost.hear("match.notice")

    # As the migration to a Wenk that makes other tags leaves them, while somebody's answer waits at the homeserver.
    await lin.ask(SANNE)
    await play.stage.kill()
    await lin.who.say(lin.desk, "ja")
    with closing(sqlite3.connect(play.stage.directory / "data" / "wenk.db")) as database, database:
        database.execute("UPDATE tag SET tag = randomblob(16)")
        database.execute("UPDATE signal SET tag_generation = 0")
    await play.stage.start()
    assert "tags of 2 signals are made anew" in play.stage.log_path.read_text()
    await lin.hear("match.notice")
