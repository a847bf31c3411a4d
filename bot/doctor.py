"""`wenk doctor`: looks at everything that must hold, and says what to do about what does not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bot.admin import AdminFault, limits_are_lifted
from bot.app import only_one, session_file
from bot.clocks import MOST_APART
from bot.config import Config, ConfigFault, load
from bot.crosssigning import Identity, read_identity
from bot.http import Homeserver, LoggedOut, MatrixError, Unreachable
from bot.init import OTHER_KEYS
from bot.login import Account, SessionFault
from bot.store import StoreFailed, StoreSetBack, refuse_set_back, store_file
from domain.calendar import add_years, day_of
from storage.alone import AlreadyRunning
from storage.audit import BrokenChain
from storage.database import Storage
from storage.engine import DatabaseFault
from storage.journal import Journal, JournalFault
from storage.keys import Keys, KeysFault
from storage.unit import UnitOfWork
from storage.vault import Vault

_FEW_KEYS = 10
_PATIENCE_S = 10.0


class Problem(Exception):
    """Something does not hold; the message says what to do."""


class Advice(Exception):
    """Nothing is broken, and something is still to be done; the message says what."""


FOUND = (Problem, AdminFault, DatabaseFault, JournalFault, LoggedOut, MatrixError, StoreFailed, StoreSetBack)
"""Their texts say what to do."""


@dataclass(frozen=True, slots=True)
class _Patient:
    config: Config
    http: Homeserver
    account: Account


async def examine(path: Path) -> int:
    """Print a line for each check; the exit status: 1 if something is to be done."""
    try:
        config = load(path)
        Keys.load(config.storage.keys_file)
        account = Account.load(session_file(config))
    except (ConfigFault, KeysFault, SessionFault) as fault:
        _show("✗", "red", str(fault))
        return 1
    _show("✓", "green", "config, keys and login are there")
    http = Homeserver(config.matrix.homeserver, account.access_token, patience_s=_PATIENCE_S)
    try:
        problems = await _examine(_Patient(config, http, account))
    finally:
        await http.close()
    return 1 if problems else 0


async def _examine(patient: _Patient) -> int:
    """How many things do not hold."""
    problems = 0
    for name, check in CHECKS:
        try:
            _show("✓", "green", f"{name}: {await check(patient)}")
        except Advice as advice:
            _show("!", "yellow", f"{name}: {advice}")
        except Unreachable as fault:
            what_to_do = "does it run, and is matrix.homeserver its address? The rest was not looked at"
            _show("✗", "red", f"{name}: {fault}; {what_to_do}")
            return problems + 1
        except FOUND as fault:
            _show("✗", "red", f"{name}: {fault}")
            problems += 1
    return problems


def _show(mark: str, colour: str, text: str) -> None:
    """One line, however long, and nothing in it read as markup: a section of the config stands in brackets."""
    Console(soft_wrap=True, highlight=False).print(Text(mark, colour), Text(text))


async def _leaflet(patient: _Patient) -> str:
    region = patient.config.region
    lacking = [name for name in ("contact", "privacy_officer") if not getattr(region, name)]
    if lacking:
        named = " and ".join(f"region.{name}" for name in lacking)
        raise Advice(f"fill in {named}: by law (AVG 14) the family is told; until then the leaflet says whom to ask")
    return "says who is responsible, and how to reach the region and its data protection officer"


async def _database(patient: _Patient) -> str:
    try:
        async with _reading(patient) as uow:
            rows = await uow.audit.verify()
    except BrokenChain as fault:
        if fault.seq == 1:
            raise Problem(OTHER_KEYS) from None
        msg = f"{fault}: it was changed from outside; compare it with the heads that the coordinators were sent"
        raise Problem(msg) from None
    return f"up to date; the audit log is whole ({rows} lines)"


async def _keys(patient: _Patient) -> str:
    keys = Keys.load(patient.config.storage.keys_file)
    async with _reading(patient) as uow:
        finished, left = await uow.rotation.is_finished(), await uow.rotation.left()
    if left.all or finished is False or len(keys.tag) > 1:
        msg = (
            f"{left.all} rows are under older keys or tags: a running bot goes on; `wenk keys rotate` waits and ends it"
        )
        raise Problem(msg)
    made = keys.master_made.get(keys.current_master)
    if made is not None and day_of(datetime.now(UTC)) >= add_years(made, 1):
        raise Problem(f"the master key was made on {made}: once a year, run `wenk keys rotate`")
    older = sorted(version for version in keys.master if version != keys.current_master)
    kept = f"; older ones are kept for older backups: {', '.join(map(str, older))}" if older else ""
    return f"everything is under master key {keys.current_master}{kept}"


async def _reviews(patient: _Patient) -> str:
    async with _reading(patient) as uow:
        waiting = await uow.reviews.count_undecidable()
    if waiting:
        raise Problem(
            f"{waiting} can be decided by nobody, for each coordinator who might is a party (or a signal is damaged): "
            "name somebody else in region.coordinators, and as region.shielded_coordinator if there is one in it "
            "already, then start the bot anew. Tell no coordinator of it: none of them may know that there is a review "
            "about their own signal"
        )
    return "there is somebody who may decide each"


async def _crypto_store(patient: _Patient) -> str:
    account, directory = patient.account, patient.config.storage.data_dir
    if not store_file(account.device_id, directory).exists():
        raise Problem("it is gone: run `wenk init`, which makes a new device")
    async with _reading(patient) as uow:
        mark = await uow.inbox.store_mark()
    try:
        async with only_one(patient.config.storage):
            refuse_set_back(account.user_id, account.device_id, directory, mark)
    except AlreadyRunning:
        return "in use by a bot that looked at it when it started"
    return "not behind the database"


@asynccontextmanager
async def _reading(patient: _Patient) -> AsyncIterator[UnitOfWork]:
    vault = Vault(Keys.load(patient.config.storage.keys_file))
    storage = await Storage.open(patient.config.storage.url, vault)
    try:
        async with storage.reading() as uow:
            yield uow
    finally:
        await storage.close()


async def _journal(patient: _Patient) -> str:
    # The database first: a running bot writes the journal first.
    async with _reading(patient) as uow:
        mark = await uow.journaled.mark()
    if mark is None:
        raise Problem("the database knows none: run `wenk init`, which begins one")
    Journal.open(patient.config.storage.journal_file).since(mark)
    return "there, and not behind the database"


async def _homeserver(patient: _Patient) -> str:
    answer = await patient.http.request("GET", "/_matrix/client/v3/account/whoami")
    if answer.get("user_id") != patient.config.matrix.user_id:
        raise Problem("it knows us by another name: check matrix.user_id, then run `wenk init`")
    return "answers, and knows us"


async def _clock(patient: _Patient) -> str:
    await patient.http.request("GET", "/_matrix/client/versions", authenticated=False)
    theirs = patient.http.server_time()
    if theirs is None or abs(datetime.now(UTC) - theirs) > MOST_APART:
        raise Problem("more than an hour away from the homeserver's: set both by NTP; until then nothing due is done")
    return "agrees with the homeserver's"


async def _own_identity(patient: _Patient) -> str:
    user_id, device_id = patient.account.user_id, patient.account.device_id
    answer = await patient.http.request("POST", "/_matrix/client/v3/keys/query", body={"device_keys": {user_id: []}})
    identity: Identity | None = read_identity(answer, user_id)
    if identity is None or device_id not in {device.device_id for device in identity.devices}:
        raise Problem("this device is not signed, so clients may not hear the bot: run `wenk init`")
    return "this device is signed"


async def _one_time_keys(patient: _Patient) -> str:
    answer = await patient.http.request("POST", "/_matrix/client/v3/keys/upload", body={})
    count = int(answer.get("one_time_key_counts", {}).get("signed_curve25519", 0))
    if count < _FEW_KEYS:
        raise Problem(f"only {count} left on the server: a running bot adds more; start `wenk run`, then look again")
    return f"{count} on the server"


async def _rate_limits(patient: _Patient) -> str:
    token_file = patient.config.matrix.admin_token_file
    if token_file is None:
        return "not looked at (no matrix.admin_token_file); Synapse's own hold a bot back, see README.md"
    if not await limits_are_lifted(patient.config, token_file):
        raise Problem("the homeserver holds the bot back: run `wenk init`, which lifts its limits")
    return "lifted for the bot"


CHECKS: tuple[tuple[str, Callable[[_Patient], Awaitable[str]]], ...] = (
    ("leaflet", _leaflet),
    ("database", _database),
    ("keys", _keys),
    ("reviews", _reviews),
    ("journal of erasures", _journal),
    ("crypto store", _crypto_store),
    ("homeserver", _homeserver),
    ("clock", _clock),
    ("own signature", _own_identity),
    ("one-time keys", _one_time_keys),
    ("rate limits", _rate_limits),
)
