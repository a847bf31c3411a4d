"""`wenk init` and `wenk doctor` on a real homeserver: what is broken is found, and what to do is said."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from bot.admin import AdminFault, limits_are_lifted
from bot.config import load
from bot.crosssigning import ForeignIdentity
from bot.demo.clock import moved
from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse, free_port
from bot.doctor import examine
from bot.http import Homeserver
from bot.init import init
from bot.login import Account, log_in
from bot.store import StoreSealed
from storage.journal import Journal, JournalFault
from storage.keys import Keys, KeysFault

HERE: Final = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def stage(synapse: LocalSynapse, tmp_path: Path) -> AsyncIterator[Stage]:
    """A bot that is ready to run, beside others on the same homeserver."""
    async with Stage(tmp_path / "stage", synapse=synapse) as made:
        await _init(made)
        yield made


Doctor = Callable[[], Awaitable[tuple[int, str]]]


@pytest.fixture
def doctor(stage: Stage, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Exit status of `wenk doctor`, and what it says."""

    async def look() -> tuple[int, str]:
        capsys.readouterr()
        status = await examine(stage.config)
        return status, capsys.readouterr().out

    return look


async def _init(stage: Stage) -> str:
    """What `wenk init` says."""
    said: list[str] = []
    await init(load(stage.config), said.append)
    return "\n".join(said)


async def _wenk(stage: Stage, *command: str, **env: str) -> tuple[int, str]:
    """Exit status and output of a process of its own."""
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bot", *command, "-c", str(stage.config)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        cwd=HERE,
    )
    return run.returncode, run.stdout + run.stderr


def _change(stage: Stage, old: str, new: str) -> None:
    text = stage.config.read_text()
    assert old in text
    stage.config.write_text(text.replace(old, new))


async def _administrator(synapse: LocalSynapse, stage: Stage, *, admin: bool = True) -> None:
    """The config names a token of an administrator of the homeserver."""
    name = f"administrator{stage.suffix}"
    user_id = await synapse.register(name, "secret", admin=admin)
    http = Homeserver(synapse.url)
    account = await log_in(http, user_id, "secret")
    await http.close()
    (stage.directory / "secrets" / "admin-token").write_text(f"{account.access_token}\n")
    _change(stage, "[storage]", 'admin_token_file = "secrets/admin-token"\n[storage]')


def _account(stage: Stage) -> Account:
    return Account.load(stage.directory / "data" / "session.json")


async def test_a_healthy_bot_has_nothing_to_be_done(stage: Stage) -> None:
    status, said = await _wenk(stage, "doctor")
    assert status == 0, said
    assert "✗" not in said
    assert len(said.splitlines()) == 12  # the files, then eleven checks, a line each
    assert "! leaflet: fill in region.contact and region.privacy_officer: by law (AVG 14)" in said
    status, said = await _wenk(stage, "sweep", "--dry-run")
    assert (status, said.splitlines()[0]) == (0, "signals 0")


async def test_a_running_bot_may_be_examined(stage: Stage, doctor: Doctor) -> None:
    await stage.start()
    status, said = await doctor()
    assert status == 0, said
    assert "crypto store: in use by a bot" in said


async def test_without_a_config(stage: Stage, doctor: Doctor) -> None:
    stage.config.unlink()
    status, said = await doctor()
    assert status == 1
    assert "copy config.example.toml" in said


async def test_a_section_in_brackets_is_shown_as_it_is(stage: Stage, doctor: Doctor) -> None:
    _change(stage, "[region]", "[region]\ncontact_days = 0")
    status, said = await doctor()
    assert status == 1
    assert "[region] contact_days must be 1 or more" in said


async def test_before_init(stage: Stage, doctor: Doctor) -> None:
    for made in ("data/session.json", "secrets/keys.json"):
        (stage.directory / made).unlink()
        status, said = await doctor()
        assert status == 1
        assert "`wenk init`" in said


async def test_keys_that_others_may_read(stage: Stage, doctor: Doctor) -> None:
    keys = stage.directory / "secrets" / "keys.json"
    keys.chmod(0o640)
    status, said = await doctor()
    assert status == 1
    assert f"chmod 600 {keys}" in said


async def test_keys_of_another_database(stage: Stage, doctor: Doctor) -> None:
    await stage.start()  # the coordinator is admitted, which the audit log has
    await stage.stop()
    keys = stage.directory / "secrets" / "keys.json"
    kept = keys.rename(keys.with_suffix(".kept"))
    with pytest.raises(KeysFault, match="does not fit the database"):
        await _init(stage)
    assert not keys.exists()  # new ones would only hide what is missing
    Keys.create(keys)
    with pytest.raises(KeysFault, match="does not fit the database"):
        await _init(stage)
    status, said = await doctor()
    assert status == 1
    assert "does not fit the database" in said
    kept.replace(keys)
    assert (await doctor())[0] == 0


async def test_keys_that_are_old_or_half_replaced(stage: Stage, doctor: Doctor) -> None:
    keys = Keys.load(stage.directory / "secrets" / "keys.json")
    replace(keys, master_made={1: date(2020, 2, 29)}).save()
    status, said = await doctor()
    assert status == 1
    assert "made on 2020-02-29: once a year" in said
    keys.with_new_tag(2).save()
    status, said = await doctor()
    assert status == 1
    assert "under older keys" in said
    keys.save()
    assert (await doctor())[0] == 0


async def test_keys_of_another_crypto_store_and_of_another_identity(stage: Stage) -> None:
    (stage.directory / "data" / "wenk.db").unlink()
    (stage.directory / "secrets" / "keys.json").unlink()
    with pytest.raises(StoreSealed):
        await _init(stage)
    (stage.directory / "data" / "session.json").unlink()
    with pytest.raises(ForeignIdentity):
        await _init(stage)


async def test_an_audit_log_that_was_changed(stage: Stage, doctor: Doctor) -> None:
    await stage.start()
    await stage.stop()
    database = sqlite3.connect(stage.directory / "data" / "wenk.db")
    with database:
        database.execute("INSERT INTO audit SELECT 2, region_id, at, who, what, subject, mac FROM audit WHERE seq = 1")
    database.close()
    status, said = await doctor()
    assert status == 1
    assert "database: the audit log does not fit from row 2 on" in said


async def test_a_review_that_nobody_may_decide(stage: Stage, doctor: Doctor) -> None:
    database = sqlite3.connect(stage.directory / "data" / "wenk.db")
    with database:
        database.execute(
            "INSERT INTO review (region_id, ref, low, high, decision, opened_at, undecidable)"
            " VALUES (1, 'R-7K3QZ9', 1, 2, 'open', 0, 1)"
        )
    database.close()
    status, said = await doctor()
    assert status == 1
    assert "reviews: 1 can be decided by nobody" in said
    assert "R-7K3QZ9" not in said


async def test_a_device_that_is_not_signed(stage: Stage, doctor: Doctor) -> None:
    """As if the server had dropped the signature, which padded key ids once made it do."""
    account = _account(stage)
    path = stage.synapse.directory / "homeserver.db"
    server = sqlite3.connect(path, timeout=30)
    with server:
        gone = server.execute("DELETE FROM e2e_cross_signing_signatures WHERE target_user_id = ?", (account.user_id,))
    server.close()
    assert gone.rowcount
    status, said = await doctor()
    assert status == 1
    assert "own signature: this device is not signed, so clients may not hear the bot: run `wenk init`" in said
    await _init(stage)
    assert (await doctor())[0] == 0


async def test_an_ended_session(stage: Stage, doctor: Doctor) -> None:
    """The device is gone: `init` makes another one, which the kept identity signs."""
    before = _account(stage)
    http = Homeserver(stage.synapse.url, before.access_token)
    await http.request("POST", "/_matrix/client/v3/logout", body={})
    await http.close()
    status, said = await doctor()
    assert status == 1
    assert "`wenk init` makes a new device" in said
    assert (await _wenk(stage, "run"))[0] == 78
    await _init(stage)
    assert _account(stage).device_id != before.device_id
    assert (await doctor())[0] == 0


async def test_a_crypto_store_that_is_lost(stage: Stage, doctor: Doctor) -> None:
    """With other keys on the same device nobody would believe it any more: so it is another device."""
    before = _account(stage)
    for file in (stage.directory / "data").glob("crypto-*"):
        file.unlink()
    await _init(stage)
    assert _account(stage).device_id != before.device_id
    assert (await doctor())[0] == 0


async def test_an_old_copy_of_the_crypto_store(stage: Stage, doctor: Doctor, tmp_path: Path) -> None:
    """FIELD-NOTES 15: it would break the encryption with everybody, so nothing is done with it, not even once."""
    data, before = stage.directory / "data", _account(stage)
    (file,) = data.glob("crypto-*.db")
    await stage.start()
    await stage.stop()
    copy = shutil.copy(file, tmp_path)
    await stage.start()
    await stage.kill()  # a crash is not taken for it
    assert (await doctor())[0] == 0
    await stage.start()
    await stage.stop()

    for leftover in data.glob("crypto-*"):
        leftover.unlink()
    shutil.copy(copy, file)
    status, said = await doctor()
    assert status == 1
    assert "crypto store: The crypto store in storage.data_dir is an old copy" in said
    await stage.launch()
    async with asyncio.timeout(60):
        assert await stage.wait() == 78, "a supervisor does not start it again"
    assert "run `wenk init`" in stage.log_path.read_text().splitlines()[-1]
    assert file.read_bytes() == Path(copy).read_bytes(), "nothing was done with it"

    await _init(stage)
    assert _account(stage).device_id != before.device_id
    assert (await doctor())[0] == 0
    await stage.start()


async def test_a_crypto_store_that_is_gone(stage: Stage, doctor: Doctor) -> None:
    for file in (stage.directory / "data").glob("crypto-*"):
        file.unlink()
    status, said = await doctor()
    assert status == 1
    assert "crypto store: it is gone: run `wenk init`, which makes a new device" in said
    assert not list((stage.directory / "data").glob("crypto-*")), "looking makes none"


async def test_a_clock_that_is_wrong(stage: Stage) -> None:
    status, said = await _wenk(stage, "doctor", **moved(timedelta(hours=2)))
    assert status == 1
    assert "clock: more than an hour away from the homeserver's: set both by NTP" in said


async def test_a_homeserver_that_is_down(stage: Stage, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.doctor._PATIENCE_S", 0.5)
    _change(stage, stage.synapse.url, f"http://127.0.0.1:{free_port()}")
    status, said = await doctor()
    assert status == 1
    assert "is matrix.homeserver its address?" in said
    assert said.count("✗") == 1  # one thing to do, not five


async def test_a_wrong_password(stage: Stage) -> None:
    (stage.directory / "data" / "session.json").unlink()
    (stage.directory / "secrets" / "password").write_text("wrong")
    status, said = await _wenk(stage, "init")
    assert status == 1
    assert "refuses matrix.user_id with the password in matrix.password_file" in said


async def test_an_administrators_token_lifts_the_limits(synapse: LocalSynapse, stage: Stage, doctor: Doctor) -> None:
    await _administrator(synapse, stage)
    status, said = await doctor()
    assert status == 1
    assert "rate limits: the homeserver holds the bot back: run `wenk init`" in said
    assert "rate limits: lifted for the bot" in await _init(stage)
    status, said = await doctor()
    assert status == 0, said
    assert "rate limits: lifted for the bot" in said


async def test_a_token_that_is_of_no_use(synapse: LocalSynapse, stage: Stage, doctor: Doctor) -> None:
    await _administrator(synapse, stage, admin=False)
    token = stage.directory / "secrets" / "admin-token"
    await _is_refused(stage, doctor, "the token in matrix.admin_token_file is not an administrator's")
    token.write_text("syt_nothing")
    await _is_refused(stage, doctor, "does not know the token in matrix.admin_token_file")
    token.unlink()
    await _is_refused(stage, doctor, "matrix.admin_token_file cannot be read")


async def _is_refused(stage: Stage, doctor: Doctor, why: str) -> None:
    status, said = await doctor()
    assert status == 1
    assert why in said
    with pytest.raises(AdminFault, match=why):
        await _init(stage)


async def _is_held_back(stage: Stage, rooms: int) -> bool:
    """Whether the bot has to wait before it has made so many rooms."""
    http = Homeserver(stage.synapse.url, _account(stage).access_token, pause=_does_not_wait)
    try:
        for _ in range(rooms):
            await http.request("POST", "/_matrix/client/v3/createRoom", body={"preset": "private_chat"}, safe=False)
    except _HeldBack:
        return True
    finally:
        await http.close()
    return False


class _HeldBack(Exception):
    """The homeserver told us to wait."""


async def _does_not_wait(_seconds: float) -> None:
    raise _HeldBack


async def test_what_lifting_the_limits_is_good_for(tmp_path: Path) -> None:
    """On a homeserver with Synapse's own limits: the twelfth room has to wait for a minute, and then it has not."""
    async with Stage(tmp_path / "stage", limits="default") as stage:
        await _administrator(stage.synapse, stage)
        _change(stage, "admin_token_file", "# admin_token_file")
        await _init(stage)
        assert await _is_held_back(stage, 12)
        _change(stage, "# admin_token_file", "admin_token_file")
        await _init(stage)
        config = load(stage.config)
        assert config.matrix.admin_token_file
        assert await limits_are_lifted(config, config.matrix.admin_token_file)
        assert not await _is_held_back(stage, 12)


async def test_a_journal_of_erasures_that_is_gone_or_old(stage: Stage, doctor: Doctor) -> None:
    journal = stage.directory / "data" / "erased.journal"
    begun = journal.read_bytes()
    journal.unlink()
    status, said = await doctor()
    assert status == 1
    assert "no journal of erasures" in said
    status, said = await _wenk(stage, "run")
    assert status == 1
    assert "no journal of erasures" in said

    assert "make one now" in await _init(stage)
    assert (await doctor())[0] == 0
    journal.write_bytes(begun)
    status, said = await doctor()
    assert status == 1
    assert "another database" in said
    with pytest.raises(JournalFault, match="another database"):
        await _init(stage)


async def test_init_does_not_take_the_journal_of_a_lost_database_for_its_own(stage: Stage) -> None:
    """Whoever has lost the database means to restore it."""
    data = stage.directory / "data"
    Journal.open(data / "erased.journal").append("erased", ("S-000001",), 1)
    for file in data.glob("wenk.db*"):
        file.unlink()
    with pytest.raises(JournalFault, match="wenk restore"):
        await _init(stage)
    assert Journal.open(data / "erased.journal").erased() == {"S-000001"}
