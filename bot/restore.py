"""`wenk restore`: a backup into an empty database, with what was erased since erased again; then a new device.

What takes the homeserver's word is left to the first `wenk run`: see bot.recovery.
"""

from pathlib import Path

from bot.app import only_one, session_file
from bot.config import Config
from bot.init import OTHER_KEYS, Say, init
from handlers.office import Office
from handlers.restored import set_back
from storage.audit import BrokenChain
from storage.backup import BackupFault, reading_backup
from storage.database import Storage
from storage.journal import Journal
from storage.keys import Keys, KeysFault
from storage.vault import Unsealable, Vault


async def restore(config: Config, backup: Path, say: Say) -> None:
    """Load the backup, all of it or nothing, and make a new device. Raises what is in the way."""
    async with only_one(config.storage):
        erased = await bring_back(config, backup)
    say(f"database: restored; signals that were erased since the backup, and are erased again: {erased}")
    # Every step of it can be done again: it is what is left to do if the homeserver does not answer now.
    say("now `wenk init` follows; if it fails, run it again by hand, and then `wenk run`")
    await init(config, say)


async def bring_back(config: Config, backup: Path) -> int:
    """Load the backup into an empty database, and erase again what was erased since; how many signals that were."""
    journal = Journal.open(config.storage.journal_file)
    storage = await Storage.open(config.storage.url, Vault(Keys.load(config.storage.keys_file)), journal=journal)
    try:
        erased = await _load(config, storage, journal, backup)
        # What was loaded and erased again must not stay in the write-ahead log.
        await storage.scrub()
    finally:
        await storage.close()
    return erased


async def _load(config: Config, storage: Storage, journal: Journal, backup: Path) -> int:
    """How many signals were erased again."""
    with reading_backup(backup) as source:
        try:
            async with storage.unit() as uow:
                if not await uow.backups.is_empty():
                    raise BackupFault("the database in storage.url is not empty: restore into a new one, and keep that")
                await uow.backups.load(source)
                await uow.audit.verify()
                await uow.signals.check_keys()
                # A key of that number may be another one by now; the first `wenk run` makes them anew.
                await uow.rotation.distrust_tags()
                mark = await uow.journaled.mark()
                if mark is None:
                    raise BackupFault(f"{backup} knows no journal of erasures: nobody knows what was erased since")
                journal.since(mark)
                erased = await set_back(Office(uow, config.region), journal.erased())
                _forget_device(config)
        except BrokenChain as fault:
            if fault.seq == 1:
                raise KeysFault(OTHER_KEYS) from None
            raise BackupFault(f"{backup} was changed: {fault}; take another one") from None
        except Unsealable:
            msg = f"{OTHER_KEYS}; if the master key of that time was destroyed, nobody can read this backup any more"
            raise KeysFault(msg) from None
    return erased


def _forget_device(config: Config) -> None:
    """Its sessions and the database would be of different days: `wenk init` makes a new one (FIELD-NOTES 15)."""
    session_file(config).unlink(missing_ok=True)
    for store in config.storage.data_dir.glob("crypto-*"):
        store.unlink()
