"""The secrets outside the database: one file, mode 0600, written by `wenk init`.

Losing it means losing every signal; so it is never replaced, and `init` refuses to make a new one beside a
database that was written with another. `wenk keys` adds versions of a key to it, and takes old ones away.
"""

import fcntl
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import msgspec

from storage.durable import make_directory, write_durably

KEY_BYTES = 32
_MOST_BYTES = 100_000


class KeysFault(Exception):
    """The keys file is missing, readable by others or damaged."""


class KeysFile(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The file as it stands on disk; every key is 32 bytes in base64.

    `master` and `tag` are versioned so that they can be rotated; `master_made` says on which day, of those versions
    of which it is known. `cross_signing` holds the bot's three Matrix identity seeds, once they exist.
    """

    version: int
    master: dict[str, str]
    current_master: int
    tag: dict[str, str]
    current_tag: int
    audit: str
    crypto_store: str
    cross_signing: dict[str, str] | None = None
    master_made: dict[str, date] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys in memory; never printed."""

    path: Path
    master: dict[int, bytes] = field(repr=False)
    current_master: int
    tag: dict[int, bytes] = field(repr=False)
    current_tag: int
    audit: bytes = field(repr=False)
    crypto_store: bytes = field(repr=False)
    cross_signing: dict[str, str] | None = field(repr=False)
    master_made: dict[int, date] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Keys":
        """Read the keys; raises KeysFault with what to do."""
        try:
            mode = path.stat().st_mode
            raw = path.read_bytes()
        except FileNotFoundError:
            msg = f"there is no keys file {path}: run `wenk init` first, or put the file back from its backup"
            raise KeysFault(msg) from None
        if mode & 0o077:
            msg = f"others may read {path}: run `chmod 600 {path}`"
            raise KeysFault(msg)
        try:
            file = msgspec.json.decode(raw, type=KeysFile)
            return cls(
                path=path,
                master=_versions(file.master, file.current_master),
                current_master=file.current_master,
                tag=_versions(file.tag, file.current_tag),
                current_tag=file.current_tag,
                audit=_key(file.audit),
                crypto_store=_key(file.crypto_store),
                cross_signing=file.cross_signing,
                master_made={int(version): day for version, day in file.master_made.items()},
            )
        except (msgspec.MsgspecError, ValueError):
            msg = f"{path} is damaged: put it back from its backup"
            raise KeysFault(msg) from None

    @classmethod
    def create(cls, path: Path, today: date | None = None) -> "Keys":
        """Make new keys and write them durably; raises FileExistsError if there are some."""
        keys = cls.generate(path, today)
        keys.save(new=True)
        return keys

    @classmethod
    def generate(cls, path: Path, today: date | None = None) -> "Keys":
        """New keys that will stand in `path`; not saved yet. `today` is written beside the master key."""
        return cls(
            path=path,
            master={1: secrets.token_bytes(KEY_BYTES)},
            current_master=1,
            tag={1: secrets.token_bytes(KEY_BYTES)},
            current_tag=1,
            audit=secrets.token_bytes(KEY_BYTES),
            crypto_store=secrets.token_bytes(KEY_BYTES),
            cross_signing=None,
            master_made={1: today} if today else {},
        )

    def with_cross_signing(self, seeds: dict[str, str]) -> "Keys":
        """The same keys with the bot's Matrix identity; not saved yet."""
        return replace(self, cross_signing=seeds)

    def with_new_master(self, version: int, today: date) -> "Keys":
        """The same with a new master key, which is the current one from then on; not saved yet."""
        if version in self.master:
            raise ValueError
        return replace(
            self,
            master=self.master | {version: secrets.token_bytes(KEY_BYTES)},
            current_master=version,
            master_made=self.master_made | {version: today},
        )

    def with_new_tag(self, version: int) -> "Keys":
        """The same with a new tag key, which is the current one from then on; not saved yet."""
        if version in self.tag:
            raise ValueError
        return replace(self, tag=self.tag | {version: secrets.token_bytes(KEY_BYTES)}, current_tag=version)

    def without_master(self, version: int) -> "Keys":
        """The same without an old master key: what it alone opens stays shut for ever; not saved yet."""
        if version == self.current_master:
            raise ValueError
        return replace(
            self,
            master={number: key for number, key in self.master.items() if number != version},
            master_made={number: day for number, day in self.master_made.items() if number != version},
        )

    def without_old_tags(self) -> "Keys":
        """The same with the current tag key only; not saved yet."""
        return replace(self, tag={self.current_tag: self.tag[self.current_tag]})

    def agree(self, other: "Keys") -> bool:
        """Whether these are the same keys but for versions that the one has and the other has not."""
        same_master = all(key == other.master.get(version, key) for version, key in self.master.items())
        same_tag = all(key == other.tag.get(version, key) for version, key in self.tag.items())
        return same_master and same_tag and (self.audit, self.crypto_store) == (other.audit, other.crypto_store)

    def save(self, *, new: bool = False) -> None:
        """Write the file: complete and on disk, or not at all. If it is to be `new`, may raise FileExistsError."""
        file = KeysFile(
            version=1,
            master={str(version): b64encode(key).decode() for version, key in self.master.items()},
            current_master=self.current_master,
            tag={str(version): b64encode(key).decode() for version, key in self.tag.items()},
            current_tag=self.current_tag,
            audit=b64encode(self.audit).decode(),
            crypto_store=b64encode(self.crypto_store).decode(),
            cross_signing=self.cross_signing,
            master_made={str(version): day for version, day in self.master_made.items()},
        )
        make_directory(self.path.parent)
        write_durably(self.path, msgspec.json.format(msgspec.json.encode(file)), new=new)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Be the only one who reads a keys file to write it again, so that no version in it is lost."""
    make_directory(path.parent)
    # Its directory: the file itself is another one after each writing.
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def is_keys_file(path: Path) -> bool:
    """Whether this is a keys file, somebody's copy of one included."""
    if path.stat().st_size > _MOST_BYTES:
        return False
    try:
        msgspec.json.decode(path.read_bytes(), type=KeysFile)
    except (msgspec.MsgspecError, OSError, ValueError):
        return False
    return True


def _key(text: str) -> bytes:
    key = b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError
    return key


def _versions(texts: dict[str, str], current: int) -> dict[int, bytes]:
    keys = {int(version): _key(text) for version, text in texts.items()}
    if current not in keys:
        raise ValueError
    return keys
