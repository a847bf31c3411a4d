"""A backup is brought back: what was erased since is erased again; without the right journal and keys it is refused."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.config import Config, load
from bot.restore import bring_back
from storage.backup import BackupFault, back_up
from storage.database import Storage
from storage.journal import Journal, JournalFault
from storage.keys import Keys, KeysFault
from storage.schema import outbox, question, signal
from storage.vault import Vault
from tests.postgres import LocalPostgres
from tests.storage.archive import on_disk
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, House, open_house

TIM = "signaal Tim; Jansen; 02-05-2016; 9203 ZX 12"


class Elsewhere:
    """Another machine, with what was kept: the keys, the journal, a backup."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self.url = url
        self.backup = directory / "kept" / "backup"
        for folder in ("kept", "new"):
            (directory / folder).mkdir(parents=True)

    @property
    def keys(self) -> Path:
        return self.directory / "keys.json"

    @property
    def journal(self) -> Path:
        return self.directory / "erased.journal"

    def config(self) -> Config:
        file = self.directory / "config.toml"
        file.write_text(f"""
[matrix]
homeserver = "http://127.0.0.1:1"
user_id = "@wenk:localhost"
password_file = "password"
[storage]
url = "{self.url}"
data_dir = "new"
keys_file = "keys.json"
journal_file = "erased.journal"
[region]
name = "Smallingerland"
coordinators = ["{ANNA}"]
""")
        return load(file)

    async def bring_back(self) -> int:
        (self.directory / "new").mkdir(exist_ok=True)
        return await bring_back(self.config(), self.backup)

    async def open(self, house: House) -> House:
        """The restored database, with the same people."""
        journal = Journal.open(self.journal)
        storage = await Storage.open(self.url, Vault(Keys.load(self.keys)), lambda: house.now, journal)
        await storage.begin()
        restored = House(storage, house.region)
        restored.now, restored._position = house.now, house._position
        return restored


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Elsewhere]:
    """With an empty database of the same kind as the first, or of the other."""
    with ExitStack() as stack:
        url = f"sqlite+aiosqlite:///{tmp_path}/new/restored.db"
        if request.param == "postgresql":
            server: LocalPostgres = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.fresh_database())
        yield Elsewhere(tmp_path, url)


async def test_what_was_erased_since_is_erased_again_and_the_rest_is_there(
    database_url: str, elsewhere: Elsewhere
) -> None:
    async with open_house(database_url, elsewhere.directory) as house:
        kept = await house.place(FATIMA)
        doomed = await house.place(JOOST)
        other = await house.place(LIN, TIM)
        await house.enter(FATIMA)
        await house.enter(JOOST)
        await back_up(database_url, elsewhere.backup, house.now)
        for ref, who in ((doomed, JOOST), (other, LIN)):
            assert (await house.answer(who, f"intrekken {ref} fout"))["kind"] == "signal.withdrawn"
        lost = await house.place(LIN)

        assert await elsewhere.bring_back() == 2
        restored = await elsewhere.open(house)
        try:
            assert [s["ref"] for s in (await restored.answer(FATIMA, "signalen"))["signals"]] == [kept]
            assert (await restored.answer(JOOST, "signalen"))["signals"] == []
            assert (await restored.answer(LIN, "signalen"))["signals"] == []
            # The introduction that hung on it is closed, as it was.
            assert (await restored.answer(FATIMA, "matches"))["matches"] == []
            assert await restored.wanted_in() == set()
            assert (await restored.audited()).count("signal.erased_again") == 2
            assert "backup.restored" in await restored.audited()
            async with restored.storage.reading() as uow:
                await uow.audit.verify()
                origin = await uow.backups.origin()
                assert origin is not None
                assert origin.loaded
                assert not await uow.signals.exists(lost)
            # What is placed again is matched as ever.
            again = await restored.place(LIN)
            assert restored.last(LIN, "match.notice")["signal"] == again
        finally:
            await restored.storage.close()


async def test_nothing_of_what_is_erased_again_can_be_read(tmp_path: Path) -> None:
    """SQLite: in no byte of the database, its log and its free pages."""
    new = Elsewhere(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/new/restored.db")
    url = f"sqlite+aiosqlite:///{tmp_path / 'wenk.db'}"
    async with open_house(url, tmp_path) as house:
        refs = [await house.place(FATIMA, f"signaal Tim{'a' * n}; Jansen; 02-05-2016; 9203 ZX 12") for n in range(12)]
        async with house.storage.reading() as uow:
            rows = await uow.signals._s.all(select(signal.c.sealed_child, signal.c.wrapped_key))
        secrets = [value[at : at + 12] for row in rows for value in row for at in range(0, len(value) - 11, 4)]
        await back_up(url, new.backup, house.now)
        assert all(secret in new.backup.read_bytes() for secret in secrets), "else this shows nothing"
        for ref in refs:
            await house.say(FATIMA, f"intrekken {ref} fout")
        assert await new.bring_back() == 12
        restored = await new.open(house)
        disk = on_disk(restored.storage)
        assert disk
        assert [secret for secret in secrets if secret in disk] == []
        await restored.storage.close()


async def test_a_question_of_that_day_is_not_answered_today_and_what_was_seen_is_not_sent_again(
    database_url: str, elsewhere: Elsewhere
) -> None:
    async with open_house(database_url, elsewhere.directory) as house:
        assert (await house.answer(FATIMA, TIM))["kind"] == "signal.proposed"
        async with house.storage.unit() as uow:
            desk = await uow.rooms.desk(FATIMA)
            content = {"body": "…", "wenk": {"kind": "help"}}
            seen = await uow.outbox.post(desk.id, "help", content, lifetime_ms=60_000)
            unseen = await uow.outbox.post(desk.id, "help", content)
            await uow.outbox.seen(900, "$stands-there", seen)
        await back_up(database_url, elsewhere.backup, house.now)
        await elsewhere.bring_back()
        restored = await elsewhere.open(house)
        try:
            async with restored.storage.reading() as uow:
                assert await uow.questions._s.all(select(question)) == []
                rows = await uow.outbox._s.all(select(outbox).where(outbox.c.id.in_([seen, unseen])))
            stands = {row.id: (row.event_id, row.redact_at is not None) for row in rows}
            assert stands == {seen: ("$stands-there", True), unseen: (None, False)}
            assert (await restored.answer(FATIMA, "ja"))["code"] == "unknown_command"
        finally:
            await restored.storage.close()


async def test_who_was_killed_before_the_erasure_was_committed_gets_it_after_the_restore(
    database_url: str, elsewhere: Elsewhere
) -> None:
    """The machine is lost at that moment: in doubt, erased is erased."""
    async with open_house(database_url, elsewhere.directory) as house:
        ref = await house.place(FATIMA)
        await back_up(database_url, elsewhere.backup, house.now)
        Journal.open(elsewhere.journal).append("erased", (ref,), 1)
        assert await elsewhere.bring_back() == 1


async def test_what_was_kept_after_all_is_not_erased(database_url: str, elsewhere: Elsewhere) -> None:
    async with open_house(database_url, elsewhere.directory) as house:
        ref = await house.place(FATIMA)
        await back_up(database_url, elsewhere.backup, house.now)
        journal = Journal.open(elsewhere.journal)
        journal.append("erased", (ref,), 1)
        journal.append("kept", (ref,), 2)
        assert await elsewhere.bring_back() == 0


def _gone(new: Elsewhere) -> None:
    new.journal.unlink()


def _of_another_database(new: Elsewhere) -> None:
    new.journal.unlink()
    Journal.create(new.journal).append("erased", ("S-000001",), 1)


def _older_than_the_backup(new: Elsewhere) -> None:
    first, *_rest = new.journal.read_bytes().splitlines(keepends=True)
    new.journal.write_bytes(first)


def _damaged(new: Elsewhere) -> None:
    new.journal.write_bytes(new.journal.read_bytes().replace(b"erased", b"kept", 1))


def _of_months_later(new: Elsewhere) -> None:
    Journal.open(new.journal).compact(1 << 50)


def _no_keys(new: Elsewhere) -> None:
    new.keys.unlink()


def _other_keys(new: Elsewhere) -> None:
    new.keys.unlink()
    Keys.create(new.keys)


def _another_master_key(new: Elsewhere) -> None:
    keys, other = Keys.load(new.keys), Keys.generate(new.keys)
    keys.master.update(other.master)
    keys.save()


def _no_backup(new: Elsewhere) -> None:
    new.backup.write_bytes(new.backup.read_bytes()[:5_000])


@pytest.mark.parametrize(
    ("damage", "fault", "what"),
    [
        (_gone, JournalFault, "no journal of erasures"),
        (_of_another_database, JournalFault, "another database"),
        (_older_than_the_backup, JournalFault, "old copy"),
        (_damaged, JournalFault, "damaged"),
        (_of_months_later, JournalFault, "backup_days"),
        (_no_keys, KeysFault, "no keys file"),
        (_other_keys, KeysFault, "does not fit"),
        (_another_master_key, KeysFault, "does not fit"),
        (_no_backup, BackupFault, "no backup of Wenk"),
    ],
    ids=lambda value: value.__name__ if callable(value) and not isinstance(value, type) else "",
)
async def test_it_refuses_and_leaves_nothing(
    elsewhere: Elsewhere, damage: Callable[[Elsewhere], None], fault: type[Exception], what: str
) -> None:
    url = f"sqlite+aiosqlite:///{elsewhere.directory / 'wenk.db'}"
    async with open_house(url, elsewhere.directory) as house:
        refs = [await house.place(who) for who in (FATIMA, JOOST, LIN)]
        await house.say(LIN, f"intrekken {refs[2]} fout")
        await back_up(url, elsewhere.backup, house.now)
        await house.say(JOOST, f"intrekken {refs[1]} fout")
        saved = {file: file.read_bytes() for file in (elsewhere.journal, elsewhere.keys, elsewhere.backup)}
        damage(elsewhere)
        with pytest.raises(fault, match=what):
            await elsewhere.bring_back()
        # With the right things it works: nothing was left in the way.
        for file, content in saved.items():
            file.write_bytes(content)
            file.chmod(0o600)
        assert await elsewhere.bring_back() == 1


async def test_a_database_with_anything_in_it_is_not_overwritten(database_url: str, elsewhere: Elsewhere) -> None:
    async with open_house(database_url, elsewhere.directory) as house:
        await house.place(FATIMA)
        await back_up(database_url, elsewhere.backup, house.now)
        await elsewhere.bring_back()
        with pytest.raises(BackupFault, match="not empty"):
            await elsewhere.bring_back()
        restored = await elsewhere.open(house)
        assert len((await restored.answer(FATIMA, "signalen"))["signals"]) == 1
        await restored.storage.close()


async def test_a_backup_whose_audit_log_was_changed_is_refused(tmp_path: Path) -> None:
    new = Elsewhere(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/new/restored.db")
    url = f"sqlite+aiosqlite:///{tmp_path / 'wenk.db'}"
    async with open_house(url, tmp_path) as house:
        await house.place(FATIMA)
        await back_up(url, new.backup, house.now)
    with closing(sqlite3.connect(new.backup)) as rows:
        rows.execute("DELETE FROM audit WHERE seq = 3")
        rows.commit()
    with pytest.raises(BackupFault, match="was changed"):
        await new.bring_back()
