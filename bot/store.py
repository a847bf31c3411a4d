"""The file in which a device's keys are: durable, open once, never written after a fault, no old copy of itself."""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from nio.store import SqliteStore
from peewee import (  # type: ignore[import-untyped]  # ships no types
    DataError,
    IntegrityError,
    InterfaceError,
    PeeweeException,
    ProgrammingError,
    SqliteDatabase,
)

from storage.durable import make_directory
from storage.inbox import StoreMark

# `told`: the caller has stored that this key arrived. `olm_owner`: whose the other end of an Olm session is.
# `batch_count`: how many batches this store has seen; see `Store.count_batch`.
_OWN_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS room_key (
        session_id TEXT PRIMARY KEY, room_id TEXT NOT NULL, received_s INTEGER NOT NULL, told INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS seen_message (
        session_id TEXT NOT NULL, message_index INTEGER NOT NULL, event_id TEXT NOT NULL,
        PRIMARY KEY (session_id, message_index)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS olm_owner (
        session_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, ed25519 TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS batch_count (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO batch_count VALUES (1, 0)",
)
_FORGET: Final = (
    "DELETE FROM seen_message WHERE session_id = ?",
    "DELETE FROM megolminboundsessions WHERE session_id = ?",
    "DELETE FROM room_key WHERE session_id = ?",
)
_OF_ROOM: Final = "SELECT room_id, session_id FROM room_key WHERE room_id = ?"
# The last key that a device gave us stays, however old: it may speak with it still, and would not give it again.
_OUTLIVED: Final = """
    SELECT session.room_id, session_id FROM room_key JOIN megolminboundsessions AS session USING (session_id)
    WHERE received_s < ? AND EXISTS (
        SELECT 1 FROM room_key AS later JOIN megolminboundsessions AS newer USING (session_id)
        WHERE newer.room_id = session.room_id AND newer.sender_key = session.sender_key
            AND later.received_s > room_key.received_s
    )
"""


class StoreInUse(Exception):
    """Another process has this crypto store open: two that share ratchets would make each other unreadable."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class StoreSealed(Exception):
    """The crypto store in storage.data_dir does not open with storage.keys_file: put back the keys it was made with."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class StoreFailed(Exception):
    """The crypto store in storage.data_dir cannot be read or written: check disk space and rights, then start again."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class StoreSetBack(Exception):
    """The crypto store in storage.data_dir is an old copy: nobody could read what it encrypts; run `wenk init`."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class _Database(SqliteDatabase):  # type: ignore[misc]  # untyped
    """Once it has failed it fails for good, with StoreFailed.

    nio changes its memory first: after a write that failed, memory knows keys and ratchets that the disk does not. If
    a later write went well, the homeserver would be told that all is kept, and the key would be gone with the process.
    So the process ends; the next one begins with what is on disk, and is given again what was not stored.
    """

    failed = False

    def execute_sql(self, sql: str, params: Any = None, *_deprecated: Any) -> Any:  # noqa: ANN401 (peewee's)
        with self._failing_for_good():
            return super().execute_sql(sql, params)

    def commit(self) -> None:
        with self._failing_for_good():
            super().commit()

    @contextmanager
    def _failing_for_good(self) -> Iterator[None]:
        if self.failed:
            raise StoreFailed
        try:
            yield
        except (DataError, IntegrityError, InterfaceError, ProgrammingError):
            raise  # a value that does not fit: nothing is wrong with the store
        except PeeweeException as fault:
            self.failed = True
            raise StoreFailed from fault


class Store(SqliteStore):
    """nio's store: durable with one sync per commit, open in one process only; with the age and use of room keys."""

    def _create_database(self) -> SqliteDatabase:
        return _Database(
            self.database_path,
            pragmas=[
                ("locking_mode", "exclusive"),  # before WAL: then there is no shared memory file either
                ("journal_mode", "wal"),
                ("synchronous", "full"),
                ("foreign_keys", 1),
                ("secure_delete", 1),
            ],
        )

    def note_key(self, session_id: str, room_id: str, *, told: bool) -> None:
        """A key arrived now."""
        self._execute("INSERT OR IGNORE INTO room_key VALUES (?, ?, ?, ?)", session_id, room_id, int(time.time()), told)

    def untold_keys(self) -> list[tuple[str, str]]:
        """Room id and session id of what arrived and was not confirmed."""
        return list(self._execute("SELECT room_id, session_id FROM room_key WHERE NOT told"))

    def mark_told(self, session_ids: Iterable[str]) -> None:
        with self.database.atomic():
            for session_id in session_ids:
                self._execute("UPDATE room_key SET told = 1 WHERE session_id = ?", session_id)

    def is_repetition(self, session_id: str, message_index: int, event_id: str) -> bool:
        """Whether this message came before as another event; remembered on disk."""
        self._execute("INSERT OR IGNORE INTO seen_message VALUES (?, ?, ?)", session_id, message_index, event_id)
        query = "SELECT event_id FROM seen_message WHERE session_id = ? AND message_index = ?"
        return bool(self._execute(query, session_id, message_index).fetchone()[0] != event_id)

    def note_owner(self, session_id: str, user_id: str, ed25519: str) -> None:
        """This Olm session is with that device."""
        self._execute("INSERT OR REPLACE INTO olm_owner VALUES (?, ?, ?)", session_id, user_id, ed25519)

    def owners(self) -> dict[str, tuple[str, str]]:
        """User and Ed25519 key by Olm session."""
        rows = self._execute("SELECT session_id, user_id, ed25519 FROM olm_owner")
        return {session_id: (user_id, ed25519) for session_id, user_id, ed25519 in rows}

    def forget_room(self, room_id: str) -> None:
        self._forget(_OF_ROOM, room_id)

    def forget_keys(self, before: datetime) -> list[tuple[str, str]]:
        """Drop the keys that arrived before this moment and that their device does not use any more; which these were.

        Room id and session id of each.
        """
        return self._forget(_OUTLIVED, int(before.timestamp()))

    def count_batch(self) -> StoreMark:
        """One batch more went through this store. The database has the count when the batch is stored, a moment later.

        So the store is never behind the database, however the process ends, unless an older copy of it was put back.
        """
        self._execute("UPDATE batch_count SET number = number + 1")
        return self.mark()

    def mark(self) -> StoreMark:
        """How many batches this store has seen."""
        return StoreMark(self.device_id, self._execute("SELECT number FROM batch_count").fetchone()[0])

    def _forget(self, which: str, value: str | int) -> list[tuple[str, str]]:
        with self.database.atomic():
            found = list(self._execute(which, value))
            for _room_id, session_id in found:
                for statement in _FORGET:
                    self._execute(statement, session_id)
        return found

    def _execute(self, statement: str, *values: object) -> Any:  # noqa: ANN401 (peewee's cursor)
        return self.database.execute_sql(statement, values)


def store_file(device_id: str, directory: Path) -> Path:
    """Where a device's keys are kept."""
    return directory / f"crypto-{quote(device_id, safe='')}.db"


def open_store(user_id: str, device_id: str, directory: Path, pickle_key: bytes) -> Store:
    """Open the store of one device, made when missing; raises StoreInUse, StoreFailed."""
    make_directory(directory)
    file = store_file(device_id, directory)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        store = Store(user_id, device_id, str(directory), pickle_key=pickle_key.hex(), database_name=file.name)
        for table in _OWN_TABLES:
            store.database.execute_sql(table)
    except (StoreFailed, PeeweeException, sqlite3.Error) as fault:
        cause = fault.__cause__ or fault
        if "locked" in str(cause):
            raise StoreInUse from None
        raise StoreFailed from cause
    return store


def refuse_set_back(user_id: str, device_id: str, directory: Path, mark: StoreMark | None) -> None:
    """Raises StoreSetBack if the device's store has seen less than the database knows that it had (FIELD-NOTES 15)."""
    if mark is None or mark.device_id != device_id:
        return
    store = open_store(user_id, device_id, directory, b"")
    try:
        if store.mark().batches < mark.batches:
            raise StoreSetBack
    finally:
        store.database.close()
