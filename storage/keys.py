"""The secrets outside the database: one file, mode 0600, written by `wenk init`.

Losing it means losing every signal; so it is never replaced, and `init` refuses to make a new one beside a
database that was written with another.
"""

import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from storage.durable import make_directory, write_durably

KEY_BYTES = 32
_MOST_BYTES = 100_000


class KeysFault(Exception):
    """The keys file is missing, readable by others or damaged."""


class KeysFile(msgspec.Struct, forbid_unknown_fields=True):
    """The file as it stands on disk; every key is 32 bytes in base64.

    `master` and `tag` are versioned so that they can be rotated; `cross_signing` holds the bot's three
    Matrix identity seeds, once they exist.
    """

    version: int
    master: dict[str, str]
    current_master: int
    tag: dict[str, str]
    current_tag: int
    audit: str
    crypto_store: str
    cross_signing: dict[str, str] | None = None


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
            )
        except (msgspec.MsgspecError, ValueError):
            msg = f"{path} is damaged: put it back from its backup"
            raise KeysFault(msg) from None

    @classmethod
    def create(cls, path: Path) -> "Keys":
        """Make new keys and write them durably; raises FileExistsError if there are some."""
        keys = cls.generate(path)
        keys.save(new=True)
        return keys

    @classmethod
    def generate(cls, path: Path) -> "Keys":
        """New keys that will stand in `path`; not saved yet."""
        return cls(
            path=path,
            master={1: secrets.token_bytes(KEY_BYTES)},
            current_master=1,
            tag={1: secrets.token_bytes(KEY_BYTES)},
            current_tag=1,
            audit=secrets.token_bytes(KEY_BYTES),
            crypto_store=secrets.token_bytes(KEY_BYTES),
            cross_signing=None,
        )

    def with_cross_signing(self, seeds: dict[str, str]) -> "Keys":
        """The same keys with the bot's Matrix identity; not saved yet."""
        return replace(self, cross_signing=seeds)

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
        )
        make_directory(self.path.parent)
        write_durably(self.path, msgspec.json.format(msgspec.json.encode(file)), new=new)


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
