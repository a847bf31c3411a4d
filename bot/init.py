"""`wenk init`: keys, database, login, cross-signing. Safe to run again: it adds what is missing and replaces nothing.

If the server has lost the device's keys, or the session was ended, a new device is made and signed with the kept keys.
"""

from collections.abc import Callable

from bot.app import only_one, password, session_file
from bot.config import Config
from bot.crosssigning import CrossSigningKeys, publish, sign_device
from bot.crypto import Machine
from bot.http import Homeserver, LoggedOut
from bot.login import Account, SessionFault, log_in
from storage.database import Storage
from storage.keys import Keys
from storage.vault import Vault

Say = Callable[[str], None]


async def init(config: Config, say: Say) -> None:
    """Prepare everything that `wenk run` needs; `say` hears of each step. Raises what is in the way."""
    with only_one(config.storage.data_dir):
        keys = _keys(config, say)
        storage = await Storage.open(config.storage.url, Vault(keys))
        await storage.close()
        say("database: up to date")
        http = Homeserver(config.matrix.homeserver, patience_s=60)
        try:
            await _publish_device(config, keys, http, say)
        finally:
            await http.close()


def _keys(config: Config, say: Say) -> Keys:
    if config.storage.keys_file.exists():
        say("keys: there already")
        keys = Keys.load(config.storage.keys_file)
    else:
        keys = Keys.create(config.storage.keys_file)
        say(f"keys: made, in {config.storage.keys_file}; back them up apart from the database")
    if keys.cross_signing is None:
        made = CrossSigningKeys.generate()
        parts = {"master": made.master, "self_signing": made.self_signing, "user_signing": made.user_signing}
        keys = keys.with_cross_signing(parts)
        keys.save()
    return keys


async def _publish_device(config: Config, keys: Keys, http: Homeserver, say: Say) -> None:
    account = await _session(config, http)
    if account is None:
        account = await log_in(http, config.matrix.user_id, password(config))
        account.save(session_file(config))
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


async def _session(config: Config, http: Homeserver) -> Account | None:
    """The login there is, if the server still knows it and its keys."""
    try:
        account = Account.load(session_file(config))
    except SessionFault:
        return None
    http.access_token = account.access_token
    try:
        answer = await http.request("POST", "/_matrix/client/v3/keys/query", body={"device_keys": {account.user_id: []}})
    except LoggedOut:
        http.access_token = None
        return None
    devices = answer.get("device_keys", {}).get(account.user_id, {})
    return account if account.device_id in devices else None
