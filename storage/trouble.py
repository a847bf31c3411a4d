"""When the database is not well: what counts as that, and what to do about it, in words.

Never the fault's own text: it may hold what somebody said.
"""

import errno
import sqlite3
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection

_WORDS: Final = (
    (("SQLITE_BUSY", "SQLITE_LOCKED", "55P03"), "another program keeps it locked: end that (a shell, a copy program)"),
    (("SQLITE_FULL", "SQLITE_IOERR", "53100", "58030"), "its disk is full, or broken: make room, or repair it"),
    (("SQLITE_READONLY", "25006"), "it is read-only: look at its rights and its disk; is this PostgreSQL a standby?"),
    (("SQLITE_CORRUPT", "SQLITE_NOTADB", "XX001", "XX002"), "it is damaged: restore a backup (docs/operations.md)"),
)
"""By how SQLite's names of errors, or PostgreSQL's SQLSTATEs, begin."""
_ELSE: Final = "it does not answer as it should: does it run? If so, check storage.url, its disk and its rights"


def is_trouble(fault: BaseException) -> bool:
    """Whether the database failed, or the disk of the journal; not what was asked of it."""
    if isinstance(fault, IntegrityError | DataError):
        return False
    return isinstance(fault, DBAPIError | NoConnection | sqlite3.Error | OSError)


def explain(fault: BaseException) -> str:
    """What is wrong, and what to do."""
    if isinstance(fault, OSError):
        code = errno.errorcode.get(fault.errno or 0, type(fault).__name__)
        return f"the journal of erasures cannot be written: look at its disk and its rights ({code})"
    cause = fault.orig if isinstance(fault, DBAPIError) and fault.orig else fault
    code = str(getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or type(cause).__name__)
    words = next((words for beginnings, words in _WORDS if code.startswith(beginnings)), _ELSE)
    return f"{words} ({code})"
