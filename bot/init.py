"""`wenk init`: keys, database, login, cross-signing, rate limits. Safe to run again: it replaces nothing that works.

If the server has lost the device's keys, or the session was ended, a new device is made and signed with the kept keys.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from bot.admin import lift_limits
from bot.app import only_one, password, session_file
from bot.config import Config, ConfigFault
from bot.crosssigning import CrossSigningKeys, publish, sign_device
from bot.crypto import Machine
from bot.http import Homeserver, LoggedOut, MatrixError
from bot.login import Account, SessionFault, log_in, log_others_out
from bot.store import StoreSetBack, refuse_set_back, store_file
from domain.calendar import day_of
from storage.audit import BrokenChain
from storage.database import Storage, system_clock
from storage.inbox import StoreMark
from storage.journal import Journal, JournalFault
from storage.keys import Keys, KeysFault, changing
from storage.unit import UnitOfWork
from storage.vault import Vault

Say = Callable[[str], None]

OTHER_KEYS: Final = "storage.keys_file does not fit the database: put back the one that the database was written with"


async def init(config: Config, say: Say) -> None:
    """Prepare everything that `wenk run` needs; `say` hears of each step. Raises what is in the way."""
    async with only_one(config.storage):
        with changing(config.storage.keys_file):
            keys, mark = await _keys_and_database(config, say)
        http = Homeserver(config.matrix.homeserver, patience_s=60)
        try:
            await _publish_device(config, keys, mark, http, say)
        finally:
            await http.close()
    token_file = config.matrix.admin_token_file
    if token_file is None:
        say("rate limits: left as they are (no matrix.admin_token_file)")
    else:
        await lift_limits(config, token_file)
        say("rate limits: lifted for the bot")


async def _keys_and_database(config: Config, say: Say) -> tuple[Keys, StoreMark | None]:
    """They belong together: new keys are kept only if nothing was written with others."""
    mark = None
    path = config.storage.keys_file
    found = path.exists()
    keys = Keys.load(path) if found else Keys.generate(path, day_of(system_clock()))
    storage = await Storage.open(config.storage.url, Vault(keys))
    try:
        async with storage.unit() as uow:
            await uow.audit.verify()
            await uow.people.ensure_region(config.region.name)
            await _journal(config, uow, say)
            mark = await uow.inbox.store_mark()
    except BrokenChain as fault:
        if fault.seq == 1:
            raise KeysFault(OTHER_KEYS) from None
        say(f"database: ALARM: {fault}")
    finally:
        await storage.close()
    if keys.cross_signing is None:
        made = CrossSigningKeys.generate()
        parts = {"master": made.master, "self_signing": made.self_signing, "user_signing": made.user_signing}
        keys = keys.with_cross_signing(parts)
        keys.save(new=not found)
    say("keys: there already" if found else f"keys: made, in {path}; back them up apart from the database")
    say("database: up to date")
    return keys, mark


async def _journal(config: Config, uow: UnitOfWork, say: Say) -> None:
    """The journal of erasures belongs to the database: one that knows of other erasures is not taken for its own."""
    path, mark = config.storage.journal_file, await uow.journaled.mark()
    if not path.exists():
        await uow.journaled.reached(Journal.create(path).mark)
        if mark is None:
            say(f"journal of erasures: begun, in {path}; keep it on another disk than the database, or copy it there")
        else:
            say(f"journal of erasures: ALARM: {path} was gone; a new one is begun. No backup made before now can be")
            say("restored any more, for nobody knows what was erased since: make one now, and destroy the others")
        return
    journal = Journal.open(path)
    if mark is not None:
        journal.since(mark)
    elif journal.mark.seq == 0:
        await uow.journaled.reached(journal.mark)
    else:
        msg = f"{path} is the journal of another database: `wenk restore` brings that back; else move the journal away"
        raise JournalFault(msg)
    say("journal of erasures: there already")


async def _publish_device(config: Config, keys: Keys, mark: StoreMark | None, http: Homeserver, say: Say) -> None:
    account = await _session(config, mark, http)
    if account is None:
        account = await _log_in(config, http)
        account.save(session_file(config))
        ended = await log_others_out(http, account, password(config))
        if ended:
            say(f"login: {ended} older sessions of the account are ended")
        say("login: a new device")
    else:
        say("login: there already")
    machine = Machine.open(account.user_id, account.device_id, config.storage.data_dir, keys.crypto_store)
    try:
        await machine.maintain(http)
        signing = CrossSigningKeys(**(keys.cross_signing or {}))
        await publish(http, signing, account.user_id, password(config))
        await sign_device(http, signing, machine.device_keys())
        say("cross-signing: this device is signed")
    finally:
        machine.close()


async def _log_in(config: Config, http: Homeserver) -> Account:
    try:
        return await log_in(http, config.matrix.user_id, password(config))
    except MatrixError as fault:
        if fault.status != HTTPStatus.FORBIDDEN:
            raise
        msg = "the homeserver refuses matrix.user_id with the password in matrix.password_file"
        raise ConfigFault(msg) from None


async def _session(config: Config, mark: StoreMark | None, http: Homeserver) -> Account | None:
    """The login there is, if we still have its keys, as they were last, and the server knows both."""
    directory = config.storage.data_dir
    try:
        account = Account.load(session_file(config))
        if not store_file(account.device_id, directory).exists():
            return None
        refuse_set_back(account.user_id, account.device_id, directory, mark)
    except (SessionFault, StoreSetBack):
        return None
    http.access_token = account.access_token
    try:
        answer = await http.request(
            "POST", "/_matrix/client/v3/keys/query", body={"device_keys": {account.user_id: []}}
        )
    except LoggedOut:
        http.access_token = None
        return None
    devices = answer.get("device_keys", {}).get(account.user_id, {})
    return account if account.device_id in devices else None
