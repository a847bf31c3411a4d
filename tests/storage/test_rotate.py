"""`wenk keys rotate` and `destroy` where no bot runs, and what backups are worth afterwards."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import delete, insert

from bot.keys import destroy, rotate
from bot.metrics import Metrics
from bot.rotation import Rotation
from storage.backup import back_up
from storage.database import Storage
from storage.journal import Journal
from storage.keys import KEY_BYTES, Keys, KeysFault
from storage.schema import inbox, signal
from storage.vault import Vault
from tests.storage.archive import OWNER, Archive
from tests.storage.rekeying import (
    MANY,
    children,
    found,
    half,
    look,
    newer,
    place_many,
    said_in_audit,
    until_all_is_done,
)
from tests.storage.test_restore import Elsewhere


@pytest.fixture
async def kept(archive: Archive, tmp_path: Path) -> Elsewhere:
    """The archive with a config, and no bot."""
    return Elsewhere(tmp_path, archive.url)


def console() -> Console:
    return Console(quiet=True)


async def rotated(kept: Elsewhere, *, master: bool = True, tag_key: bool = True) -> Keys:
    (kept.directory / "new").mkdir(exist_ok=True)
    await rotate(kept.config(), console(), master=master, tag=tag_key)
    return Keys.load(kept.keys)


async def test_without_a_bot_rotate_does_it_all_itself(archive: Archive, kept: Elsewhere) -> None:
    expected = await place_many(archive.storage)
    first = Keys.load(kept.keys)
    keys = await rotated(kept)
    assert (sorted(keys.master), keys.current_master) == ([1, 2], 2)
    assert (sorted(keys.tag), keys.current_tag) == ([2], 2), "nothing needs the old one"
    assert keys.agree(first)
    assert 2 in keys.master_made
    archive.vault.use(keys)
    assert await found(archive.storage, children()) == expected
    assert await said_in_audit(archive.storage) == ["keys.rotation.begun", "keys.rotation.finished"]
    assert (await rotated(kept, tag_key=False)).current_master == 3
    last = await rotated(kept, master=False)
    assert (last.current_master, last.current_tag, sorted(last.tag)) == (3, 3, [3])


async def test_rotate_goes_on_with_what_was_begun(archive: Archive, kept: Elsewhere) -> None:
    """Whoever ended it, and wherever: it does not begin anew."""
    await place_many(archive.storage)
    newer(Keys.load(kept.keys))
    assert (await rotated(kept)).current_master == 2, "the file was written, and nothing else"
    archive.vault.use(newer(Keys.load(kept.keys)))
    await half(archive.storage)
    assert (await rotated(kept)).current_master == 3, "half was done"
    archive.vault.use(newer(Keys.load(kept.keys)))
    await until_all_is_done(archive.storage)
    keys = await rotated(kept)
    assert (keys.current_master, sorted(keys.tag)) == (4, [4]), "all but the old tag key"


async def test_after_destroy_an_old_copy_is_unreadable_and_the_database_is_not(
    archive: Archive, kept: Elsewhere
) -> None:
    expected = await place_many(archive.storage)
    async with archive.storage.unit() as uow:
        await uow.rotation.begin()
    await back_up(archive.url, kept.backup, archive.now)
    keys = await rotated(kept)
    await destroy(kept.config(), console(), 1)
    kept_keys = Keys.load(kept.keys)
    assert (sorted(kept_keys.master), sorted(kept_keys.master_made)) == ([2], [2])
    archive.vault.use(kept_keys)
    assert await found(archive.storage, children()) == expected
    assert (await said_in_audit(archive.storage))[-1] == "keys.destroyed"
    kept.url = f"sqlite+aiosqlite:///{kept.directory}/new/restored.db"
    with pytest.raises(KeysFault, match="destroyed"):
        await kept.bring_back()
    # It is that key, and nothing else.
    keys.save()
    Path(kept.url.partition("///")[2]).unlink(missing_ok=True)
    await kept.bring_back()


@pytest.mark.parametrize("same_number", [False, True])
async def test_after_a_restore_of_an_older_backup_all_is_found(
    archive: Archive, kept: Elsewhere, *, same_number: bool
) -> None:
    """Its tags were made with a key that is gone, or is another one: all are made anew before anything is looked up."""
    expected = await place_many(archive.storage)
    await back_up(archive.url, kept.backup, archive.now)
    keys = await rotated(kept)
    keys = replace(keys, tag={1: secrets.token_bytes(KEY_BYTES)}, current_tag=1) if same_number else keys
    keys.save()
    kept.url = f"sqlite+aiosqlite:///{kept.directory}/new/restored.db"
    await kept.bring_back()
    storage = await Storage.open(kept.url, Vault(keys), lambda: archive.now, Journal.open(archive.journal_file))
    rotation = Rotation(storage, kept.keys, Metrics())
    await rotation.catch_up()
    assert await found(storage, children()) == expected
    await look(rotation)
    async with storage.reading() as uow:
        assert await uow.rotation.is_finished()
    await storage.close()


async def test_destroy_refuses_what_is_in_use(archive: Archive, kept: Elsewhere) -> None:
    (kept.directory / "new").mkdir(exist_ok=True)
    config = kept.config()
    await place_many(archive.storage)
    for version, said in ((1, "current"), (7, "there are: 1")):
        with pytest.raises(KeysFault, match=said):
            await destroy(config, console(), version)
    keys = newer(Keys.load(kept.keys))
    with pytest.raises(KeysFault, match=f"^{MANY} rows"):
        await destroy(config, console(), 1)
    # A bot that has not looked at the file yet might still seal under the old one.
    async with archive.storage.unit() as uow:
        await uow.rotation.begin()
        await uow._session.run(delete(signal))
    with pytest.raises(KeysFault, match="not in use"):
        await destroy(config, console(), 1)
    assert Keys.load(kept.keys) == keys
    await rotated(kept)
    # Whatever is sealed under it, also what should have been emptied.
    sealed_before = Vault(archive.keys).seal_mail(b"?", "inbox $old")
    row = {
        "position": 1, "region_id": 1, "event_id": "$old", "matrix_room": "!room", "sender": OWNER, "state": "done",
        "sealed": sealed_before, "received_at": 0,
    }  # fmt: skip
    await archive.raw(insert(inbox).values(row))
    with pytest.raises(KeysFault, match=r"^1 rows"):
        await destroy(config, console(), 1)
    await archive.raw(delete(inbox))
    await destroy(config, console(), 1)
    assert sorted(Keys.load(kept.keys).master) == [2]
