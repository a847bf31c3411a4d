"""The config file (TOML). An unknown key is an error that names the nearest known one."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from domain.region import Region

T = TypeVar("T")

_HTTP: Final = ("http://", "https://")
_SQLITE: Final = "sqlite+aiosqlite:///"
_DATABASES: Final = (_SQLITE, "postgresql+psycopg://")
_COUNTS: Final = (
    "active_years", "erase_years", "remind_days", "contact_days", "close_days", "postpone_days", "daily_cap",
    "card_minutes",
)  # fmt: skip
_LAW: Final = {"active_years": 2, "erase_years": 5}
"""The most that a region may choose: the leaflet's own terms."""
_LINES: Final = 5
_LONGEST_LINE: Final = 80
_PARAGRAPHS: Final = 3
_LONGEST_PARAGRAPH: Final = 300
"""So much fits in the leaflet."""
_MOST_QUESTIONS: Final = 6
_LAST_PORT: Final = 65535


class ConfigFault(Exception):
    """The config cannot be used; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The homeserver and the bot's account there."""

    homeserver: str
    user_id: str
    password_file: Path
    admin_token_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where things are kept, and for how many days backups are."""

    url: str
    data_dir: Path
    keys_file: Path
    journal_file: Path = Path("data/erased.journal")
    backup_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Where `/livez`, `/readyz` and `/metrics` listen; loopback unless somebody decides otherwise."""

    listen: str = "127.0.0.1:8080"

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything an administrator chooses."""

    matrix: Matrix
    storage: Store
    region: Region
    web: Web


def load(path: Path) -> Config:
    """Read a config file; relative paths are relative to it. Raises ConfigFault."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"there is no config file {path}: copy config.example.toml and change it"
        raise ConfigFault(msg) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        msg = f"{path} is not TOML: {fault}"
        raise ConfigFault(msg) from None
    _refuse_unknown("", table, ("matrix", "storage", "web", "region"))
    here = path.resolve().parent
    config = Config(
        matrix=_section(table, "matrix", Matrix, here),
        storage=_section(table, "storage", Store, here),
        region=_section(table, "region", Region, here),
        web=_section({"web": {}} | table, "web", Web, here),
    )
    _check(config)
    return config


def _refuse_unknown(section: str, found: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for key in found:
        if key not in known:
            where = f"[{section}] " if section else ""
            near = get_close_matches(key, known, n=1, cutoff=0.0)
            msg = f"{where}{key} is not a known key; did you mean {near[0]}?"
            raise ConfigFault(msg)


def _section(table: dict[str, Any], name: str, shape: type[T], here: Path) -> T:
    if not isinstance(table.get(name), dict):
        msg = f"the section [{name}] is missing: see config.example.toml"
        raise ConfigFault(msg)
    # A path that is left out counts from the folder of the file as well.
    paths = {field.name: str(field.default) for field in fields(shape) if isinstance(field.default, Path)}  # type: ignore[arg-type]  # all are dataclasses
    given: dict[str, Any] = paths | table[name]
    _refuse_unknown(name, given, [field.name for field in fields(shape)])  # type: ignore[arg-type]  # all are dataclasses
    for key, value in given.items():
        if key.endswith(("_file", "_dir")) and isinstance(value, str):
            given[key] = here / value
        elif key == "url" and isinstance(value, str):
            given[key] = _absolute_url(value, here)
    try:
        return msgspec.convert(given, shape, dec_hook=_path)
    except msgspec.ValidationError as fault:
        what, _, where = str(fault).partition(" - at `$.")
        msg = f"[{name}] " + (f"{where.rstrip('`')}: {what}" if where else what)
        raise ConfigFault(msg) from None


def _path(_shape: type, value: Any) -> Any:  # noqa: ANN401 (msgspec's hook)
    return value


def _absolute_url(url: str, here: Path) -> str:
    return _SQLITE + str(here / url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else url


def _check(config: Config) -> None:
    """What the types of the keys do not say."""
    matrix, region = config.matrix, config.region
    _demand("[matrix] homeserver must begin with http:// or https://", matrix.homeserver.startswith(_HTTP))
    _demand("[matrix] user_id must be a Matrix id, such as @wenk:example.nl", _is_user_id(matrix.user_id))
    _demand(
        "[storage] url must begin with sqlite+aiosqlite:/// or postgresql+psycopg://",
        config.storage.url.startswith(_DATABASES),
    )
    _demand("[storage] backup_days must be 1 or more", config.storage.backup_days >= 1)
    for name in _COUNTS:
        _demand(f"[region] {name} must be 1 or more", getattr(region, name) >= 1)
    for name, most in _LAW.items():
        _demand(f"[region] {name}: the law allows at most {most}", getattr(region, name) <= most)
    # In the first month there is nothing to ask yet; a reminder at placing would be one of nothing.
    most = 365 * region.active_years - 30
    _demand(
        f"[region] remind_days: at most {most}, with active_years = {region.active_years}", region.remind_days <= most
    )
    _demand(
        "[region] notice_days must be one or more days, from 1 up, each later than the last", _rises(region.notice_days)
    )
    _demand("[region] kindcheck: at most six questions, none of them empty", _can_be_asked(region.kindcheck))
    _demand(
        "[region] coordinators must be one or more Matrix ids, such as @anna:example.nl",
        bool(region.coordinators) and all(map(_is_user_id, region.coordinators)),
    )
    _demand(
        "[region] shielded_coordinator must be one of coordinators",
        not region.shielded_coordinator or region.shielded_coordinator in region.coordinators,
    )
    _demand("[region] coordinators: the bot cannot be one itself", matrix.user_id not in region.coordinators)
    for name in ("contact", "privacy_officer"):
        lines = getattr(region, name)
        _demand(
            f"[region] {name} must be at most {_LINES} lines of 1 to {_LONGEST_LINE} characters",
            len(lines) <= _LINES and all(one.strip() and len(one) <= _LONGEST_LINE for one in lines),
        )
    _demand(
        f"[region] leaflet_text must be at most {_PARAGRAPHS} paragraphs of 1 to {_LONGEST_PARAGRAPH} characters",
        len(region.leaflet_text) <= _PARAGRAPHS
        and all(one.strip() and len(one) <= _LONGEST_PARAGRAPH for one in region.leaflet_text),
    )
    _demand("[web] listen must be host:port, such as 127.0.0.1:8080", _is_address(config.web.listen))


def _demand(what: str, holds: bool) -> None:  # noqa: FBT001 (reads as a sentence)
    if not holds:
        raise ConfigFault(what)


def _rises(days: Sequence[int]) -> bool:
    return bool(days) and all(one < later for one, later in pairwise((0, *days)))


def _can_be_asked(questions: Sequence[str]) -> bool:
    return len(questions) <= _MOST_QUESTIONS and all(map(str.strip, questions))


def _is_user_id(text: str) -> bool:
    localpart, colon, server = text.partition(":")
    return localpart.startswith("@") and len(localpart) > 1 and bool(colon and server) and text.split() == [text]


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT
