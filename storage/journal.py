"""The journal of erasures: a file outside the database, so that what was erased stays erased after a restore.

A line for each transaction that erases signals, on disk before that transaction commits: their references, nothing of
a child. A backup knows how far the journal was when it was made; whatever the journal names is erased from it again.
Each line carries a hash of all lines before it, so that a torn, changed or missing line is seen.

If the process dies between the line and its commit, the line names signals that are there still: `Storage` says so in
a further line (`kept`) at the next start, before anything is due.
"""

import hashlib
import os
import secrets
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

from storage.durable import make_directory, write_durably

Word = Literal["erased", "kept"]

_BEGINS: Final = "wenk-journal"
_VERSION: Final = "1"
_NO_LINK: Final = "0" * 32
_HEADER_FIELDS: Final = 6
_LINE_FIELDS: Final = 5


class JournalFault(Exception):
    """The journal cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a journal is: the number of its last line, and the hash of all lines up to there."""

    journal: str
    seq: int
    link: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: at that moment (milliseconds) these signals were about to be erased, or turned out to be kept."""

    seq: int
    at_ms: int
    word: Word
    refs: tuple[str, ...]
    link: str


class Journal:
    """One file; append-only but for `compact`. One process writes it: the one that holds the data directory."""

    def __init__(self, path: Path, base: Mark, entries: list[Entry], end: int) -> None:
        self.path = path
        self._base = base
        self._entries = entries
        self._end = end

    @classmethod
    def create(cls, path: Path) -> "Journal":
        """Begin a new one; raises FileExistsError if there is one."""
        make_directory(path.parent)
        base = Mark(secrets.token_hex(16), 0, _NO_LINK)
        header = _header(base)
        write_durably(path, header, new=True)
        return cls(path, base, [], len(header))

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Read the one there is; raises JournalFault. A last line that was torn by a power cut does not count."""
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            msg = f"there is no journal of erasures {path}: put back its newest copy, or see docs/operations.md"
            raise JournalFault(msg) from None
        first, newline, rest = raw.partition(b"\n")
        base = _read_header(first)
        if base is None or not newline:
            raise JournalFault(f"{path} is no journal of erasures, or is damaged: put back its newest copy")
        entries: list[Entry] = []
        end, link = len(first) + 1, base.link
        lines = list(BytesIO(rest))
        for number, line in enumerate(lines):
            entry = _read_line(line, base.seq + len(entries) + 1, link)
            if entry is None:
                if number < len(lines) - 1 or not _is_torn(line):
                    raise JournalFault(f"{path} is damaged in line {number + 2}: put back its newest copy")
                break
            entries.append(entry)
            end, link = end + len(line), entry.link
        return cls(path, base, entries, end)

    @property
    def id(self) -> str:
        return self._base.journal

    @property
    def mark(self) -> Mark:
        """How far it is now."""
        last = self._entries[-1] if self._entries else None
        return Mark(self.id, last.seq, last.link) if last else self._base

    def since(self, mark: Mark) -> tuple[Entry, ...]:
        """All lines after a mark; raises JournalFault if this journal cannot say."""
        if mark.journal != self.id:
            raise JournalFault(f"{self.path} is the journal of another database: put back the right one")
        if mark.seq < self._base.seq:
            msg = f"{self.path} has dropped what was erased then: the backup is older than storage.backup_days"
            raise JournalFault(msg)
        at = mark.seq - self._base.seq
        known = self._base if at == 0 else self._at(at - 1)
        if known is None or known.link != mark.link:
            msg = f"{self.path} is an old copy, without the last erasures that the database knows: put back the newest"
            raise JournalFault(msg)
        return tuple(self._entries[at:])

    def erased(self) -> frozenset[str]:
        """The references whose last word is that they were erased."""
        last = {ref: entry.word for entry in self._entries for ref in entry.refs}
        return frozenset(ref for ref, word in last.items() if word == "erased")

    def append(self, word: Word, refs: tuple[str, ...], at_ms: int) -> Mark:
        """A further line; on disk when this returns. Raises OSError, and then there is no such line."""
        seq = self.mark.seq + 1
        text = f"{seq} {at_ms} {word} {','.join(refs)}"
        entry = Entry(seq, at_ms, word, refs, _link(self.mark.link, text))
        line = f"{text} {entry.link}\n".encode()
        # Never "create": a new file here would be without what the old one knows.
        handle = os.open(self.path, os.O_WRONLY)
        try:
            os.ftruncate(handle, self._end)  # what a power cut or a full disk left of a line
            _write(handle, line, self._end)
            os.fsync(handle)
        finally:
            os.close(handle)
        self._entries.append(entry)
        self._end += len(line)
        return self.mark

    def compact(self, before_ms: int) -> int:
        """Drop the lines from before that moment, the oldest first; how many. The rest stays as it is."""
        dropped = 0
        while dropped < len(self._entries) and self._entries[dropped].at_ms < before_ms:
            dropped += 1
        if dropped:
            last, kept = self._entries[dropped - 1], self._entries[dropped:]
            base = Mark(self.id, last.seq, last.link)
            content = _header(base) + b"".join(_line(entry) for entry in kept)
            write_durably(self.path, content)
            self._base, self._entries, self._end = base, kept, len(content)
        return dropped

    def _at(self, number: int) -> Entry | None:
        return self._entries[number] if number < len(self._entries) else None


def _link(before: str, text: str) -> str:
    return hashlib.sha256(f"{before} {text}".encode()).hexdigest()[:32]


def _header(base: Mark) -> bytes:
    text = f"{_BEGINS} {_VERSION} {base.journal} {base.seq} {base.link}"
    return f"{text} {_link('', text)}\n".encode()


def _read_header(line: bytes) -> Mark | None:
    fields = line.decode("ascii", "replace").split(" ")
    if len(fields) != _HEADER_FIELDS or fields[:2] != [_BEGINS, _VERSION] or not fields[3].isdecimal():
        return None
    base = Mark(fields[2], int(fields[3]), fields[4])
    return base if _header(base) == line + b"\n" else None


def _line(entry: Entry) -> bytes:
    return f"{entry.seq} {entry.at_ms} {entry.word} {','.join(entry.refs)} {entry.link}\n".encode()


def _read_line(line: bytes, seq: int, before: str) -> Entry | None:
    """The line with this number after the line with this link; None if it is not that."""
    fields = line.decode("ascii", "replace").split(" ")
    if len(fields) != _LINE_FIELDS or not fields[1].isdecimal():
        return None
    word: Word = "erased" if fields[2] == "erased" else "kept"
    refs = tuple(fields[3].split(","))
    link = _link(before, f"{seq} {fields[1]} {word} {fields[3]}")
    entry = Entry(seq, int(fields[1]), word, refs, link)
    return entry if _line(entry) == line else None


def _is_torn(line: bytes) -> bool:
    """Whether a power cut may have left this at the end: cut off, or blocks that were never written."""
    return not line.endswith(b"\n") or b"\0" in line


def _write(handle: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(handle, content, at)
        content, at = content[written:], at + written
