"""The power goes: no ratchet that was used comes back, no key that was confirmed is lost, and `wenk init` can go on."""

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pytest
import vodozemac
from peewee import SqliteDatabase  # type: ignore[import-untyped]  # ships no types
from unpaddedbase64 import decode_base64, encode_base64

from bot.app import only_one
from bot.config import Config, load
from bot.crosssigning import DeviceKeys
from bot.crypto import Machine, NoKey, RoomKey
from bot.init import _keys_and_database
from bot.login import Account
from bot.olm import MEGOLM, OLM
from bot.store import Store
from storage.database import Storage
from storage.journal import Journal
from storage.keys import Keys
from storage.vault import Vault
from tests.power.disk import Disk, anywhere, cuts, unlucky
from tests.power.watch import watched

BOT: Final = "@bot:x"
ROOM: Final = "!room"
KEY: Final = b"k" * 32
MESSAGES: Final = 6


class Other:
    """Somebody else's device, as bare Olm."""

    user_id = "@other:x"

    def __init__(self, account: vodozemac.Account, session: vodozemac.Session | None = None) -> None:
        self._account = account
        self._session = session

    def copy(self) -> Self:
        """As it is now; the original goes on."""
        session = self._session and vodozemac.Session.from_pickle(self._session.pickle(KEY), KEY)
        return type(self)(vodozemac.Account.from_pickle(self._account.pickle(KEY), KEY), session)

    @property
    def device(self) -> DeviceKeys:
        ed25519, curve25519 = self._account.ed25519_key.to_base64(), self._account.curve25519_key.to_base64()
        return DeviceKeys(self.user_id, "OTHER", ed25519, curve25519)

    def one_time_key(self) -> str:
        self._account.generate_one_time_keys(1)
        (key,) = self._account.one_time_keys.values()
        return str(key.to_base64())

    def read(self, content: dict[str, Any]) -> dict[str, Any]:
        """A to-device message of the bot's; raises if its key was used before."""
        own = content["ciphertext"][self.device.curve25519]
        if self._session is None:
            first = vodozemac.PreKeyMessage.from_base64(own["body"])
            key = vodozemac.Curve25519PublicKey.from_base64(content["sender_key"])
            self._session, text = self._account.create_inbound_session(key, first)
        else:
            body = decode_base64(own["body"])
            text = self._session.decrypt(vodozemac.AnyOlmMessage.from_parts(own["type"], body))
        plain: dict[str, Any] = json.loads(text)["content"]
        return plain

    def share(self, bot: DeviceKeys) -> tuple[dict[str, Any], dict[str, Any]]:
        """A to-device event with the key of a new Megolm session, and a message that it opens."""
        assert self._session
        session = vodozemac.GroupSession()
        key = {
            "algorithm": MEGOLM, "room_id": ROOM, "session_id": session.session_id,
            "session_key": session.session_key.to_base64(),
        }  # fmt: skip
        payload = {
            "type": "m.room_key", "sender": self.user_id, "recipient": BOT, "keys": {"ed25519": self.device.ed25519},
            "recipient_keys": {"ed25519": bot.ed25519}, "content": key,
        }  # fmt: skip
        kind, body = self._session.encrypt(json.dumps(payload).encode()).to_parts()
        own = {bot.curve25519: {"type": kind, "body": encode_base64(body)}}
        content = {"algorithm": OLM, "sender_key": self.device.curve25519, "ciphertext": own}
        text = session.encrypt(b'{"type": "m.room.message", "content": {"body": "hallo"}, "room_id": "!room"}')
        said = {"algorithm": MEGOLM, "session_id": session.session_id, "ciphertext": text.to_base64()}
        return {"type": "m.room.encrypted", "sender": self.user_id, "content": content}, {"content": said}


@dataclass(frozen=True)
class Known:
    """What the others had and the bot had said, at a moment: the other device, the messages that it can read."""

    moment: int
    other: Other
    readable: tuple[dict[str, Any], ...]
    untold: frozenset[RoomKey]


def say(machine: Machine, other: Other, number: int) -> dict[str, Any]:
    """A to-device message for the other device, ready to be sent."""
    device = machine._olm.device_store[other.user_id]["OTHER"]
    return machine._olm.olm_message(device, "m.dummy", {"number": number})


def conversation(disk: Disk, directory: Path) -> list[Known]:
    """The bot says something, and is given a key, again and again."""
    history: list[Known] = []
    other, readable, untold = Other(vodozemac.Account()), list[dict[str, Any]](), set[RoomKey]()

    def note() -> None:
        history.append(Known(disk.now, other.copy(), tuple(readable), frozenset(untold)))

    with closing(Machine.open(BOT, "DEVICE", directory, KEY)) as machine:
        machine.note_devices(other.user_id, [other.device])
        with machine.saving():
            machine._olm.begin_session(other.one_time_key(), other.device)
        for number in range(MESSAGES):
            sent = say(machine, other, number)
            assert other.read(sent) == {"number": number}
            note()
            event, said = other.share(machine.device)
            note()
            key = machine.receive_to_device(event)
            assert key
            readable.append(said)
            untold.add(key)
            note()
            if number % 2:
                confirmed = tuple(untold)
                untold.clear()
                note()
                machine.room_keys_are_stored(confirmed)
    return history


def check(known: Known, directory: Path) -> None:
    """Started again, the bot goes on from where the others saw it last, or from later."""
    other = known.other.copy()
    with closing(Machine.open(BOT, "DEVICE", directory, KEY)) as machine:
        for event in known.readable:
            assert machine.decrypt(event, ROOM).content == {"body": "hallo"}
        assert known.untold <= set(machine.new_room_keys())
        assert other.read(say(machine, other, 99)) == {"number": 99}
        event, _said = other.share(machine.device)
        assert machine.receive_to_device(event)


async def test_no_ratchet_comes_back_and_no_key_is_lost(tmp_path: Path) -> None:
    root = tmp_path / "with-power"
    root.mkdir()
    with watched(root) as disk:
        history = conversation(disk, root / "data")
    for moment in cuts(disk, anywhere(disk, history[0].moment), tmp_path / "cut"):
        check([known for known in history if known.moment <= moment][-1], tmp_path / "cut" / "data")


@pytest.mark.parametrize("how", ["off", "normal"])
def test_a_store_that_does_not_sync_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Else the test above shows nothing."""
    create = Store._create_database

    def careless(store: Store) -> SqliteDatabase:
        database = create(store)
        database._pragmas.append(("synchronous", how))
        return database

    root = tmp_path / "with-power"
    root.mkdir()
    with monkeypatch.context() as patch, watched(root) as disk:
        patch.setattr(Store, "_create_database", careless)
        history = conversation(disk, root / "data")
    noticed = 0
    for known in history:
        for _moment in cuts(disk, [(known.moment, unlucky)], tmp_path / "cut"):
            try:
                check(known, tmp_path / "cut" / "data")
            except (AssertionError, KeyError, NoKey, TypeError, vodozemac.OlmDecryptionException):
                noticed += 1
    assert noticed > MESSAGES


CONFIG: Final = """
[matrix]
homeserver = "http://127.0.0.1:8008"
user_id = "@wenk:localhost"
password_file = "secrets/password"
[storage]
url = "sqlite+aiosqlite:///data/wenk.db"
data_dir = "data"
keys_file = "secrets/keys.json"
[region]
name = "Smallingerland"
coordinators = ["@anna:localhost"]
"""


def configured(directory: Path) -> Config:
    (directory / "config.toml").write_text(CONFIG)
    return load(directory / "config.toml")


async def first_half_of_init(config: Config) -> Keys:
    """What `wenk init` does before it speaks to the homeserver."""
    said: list[str] = []
    async with only_one(config.storage):
        keys, _mark = await _keys_and_database(config, said.append)
    assert not any("ALARM" in line for line in said)
    return keys


async def test_init_goes_on_wherever_the_power_went_and_what_it_made_is_there(tmp_path: Path) -> None:
    root = tmp_path / "with-power"
    root.mkdir()
    account = Account(BOT, "DEVICE", "token")
    with watched(root) as disk:
        config = configured(root)
        keys = await first_half_of_init(config)
        made = disk.now
        account.save(config.storage.data_dir / "session.json")
    for moment in cuts(disk, anywhere(disk, times=60), tmp_path / "cut"):
        config = configured(tmp_path / "cut")
        again = await first_half_of_init(config)
        if moment >= made:
            assert again.master == keys.master
            assert again.cross_signing == keys.cross_signing
        if moment == disk.now:
            assert Account.load(config.storage.data_dir / "session.json") == account
        journal = Journal.open(config.storage.journal_file)
        storage = await Storage.open(config.storage.url, Vault(again), journal=journal)
        await storage.begin()
        await storage.close()
