"""What the demo leaves on the homeserver and in the database, looked at from outside."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config import load
from storage.database import Storage
from storage.keys import Keys
from storage.vault import Vault

_SENT = """
SELECT type, count(*), sum(EXISTS (SELECT 1 FROM redactions WHERE redacts = events.event_id))
FROM events WHERE type IN ('m.room.encrypted', 'm.room.message') GROUP BY type
"""
_LEFT_IN_ROOM = """
SELECT count(*) FROM events WHERE room_id = ? AND type = 'm.room.encrypted'
AND NOT EXISTS (SELECT 1 FROM redactions WHERE redacts = events.event_id)
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """Messages on the homeserver: encrypted, readable by it, and redacted again."""

    encrypted: int
    readable: int
    redacted: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a search through files came to: which words stood in which file."""

    files: int
    size: int
    hits: tuple[tuple[str, str], ...]


def messages(synapse: Path) -> Sent:
    """Count the messages in the homeserver's database; `synapse` is its directory."""
    counts = {kind: (total, redacted) for kind, total, redacted in _rows(synapse / "homeserver.db", _SENT)}
    nothing = (0, 0)
    encrypted, readable = counts.get("m.room.encrypted", nothing), counts.get("m.room.message", nothing)
    return Sent(encrypted[0], readable[0], encrypted[1] + readable[1])


def left_in_room(synapse: Path, room_id: str) -> int:
    """How many messages in a room have not been redacted."""
    ((count,),) = _rows(synapse / "homeserver.db", _LEFT_IN_ROOM, room_id)
    return int(count)


def rows_per_signal_table(data: Path) -> dict[str, int]:
    """How much the bot's database holds of signals."""
    tables = ("signal", "tag", "pair", "review", "disclosure", "notice")
    return {table: int(next(_rows(data / "wenk.db", f"SELECT count(*) FROM {table}"))[0]) for table in tables}  # noqa: S608 (the names above)


async def audited(config_file: Path) -> int:
    """How many rows the audit log has; raises BrokenChain if any was changed. The bot must not be running."""
    config = load(config_file)
    storage = await Storage.open(config.storage.url, Vault(Keys.load(config.storage.keys_file)))
    try:
        async with storage.reading() as uow:
            return await uow.audit.verify()
    finally:
        await storage.close()


def search(directory: Path, words: Iterable[str]) -> Found:
    """Look for words in every byte under a directory, whatever their case, in UTF-8 and UTF-16."""
    needles = [(word, word.lower().encode(code)) for word in words for code in ("utf-8", "utf-16-le")]
    files, size, hits = 0, 0, set[tuple[str, str]]()
    for path in sorted(directory.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes().lower()
        files, size = files + 1, size + len(content)
        name = str(path.relative_to(directory))
        hits |= {(word, name) for word, needle in needles if needle in content or needle in name.lower().encode()}
    return Found(files, size, tuple(sorted(hits)))


def _rows(database: Path, statement: str, *values: str) -> Iterator[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        yield from connection.execute(statement, values).fetchall()
