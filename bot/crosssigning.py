"""Cross-signing: the bot's own identity, and the proof which devices are really a user's.

A user's master key signs a self-signing key, and that signs the devices. A device that is not signed may have been
made up by the server: it gets no keys and its messages are not obeyed.
"""

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeGuard

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bot.http import Homeserver
from bot.login import with_password

_KEY_BYTES: Final = 32
_KINDS: Final = ("master", "self_signing", "user_signing")


class ForeignIdentity(Exception):
    """The account has cross-signing keys that are not ours: put the keys file back, or reset them knowingly."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class SignatureRefused(Exception):
    """The homeserver did not take the signature of our own device."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True, slots=True)
class CrossSigningKeys:
    """The three private keys: Ed25519 seeds in unpadded base64. Kept with the other secrets, never replaced."""

    master: str = field(repr=False)
    self_signing: str = field(repr=False)
    user_signing: str = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        return cls(*(_unpadded(secrets.token_bytes(_KEY_BYTES)) for _ in _KINDS))

    @property
    def master_public(self) -> str:
        """What others pin."""
        return _public(self.master)


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """The public keys of one device, unpadded base64."""

    user_id: str
    device_id: str
    ed25519: str
    curve25519: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A user's master key and the devices that it vouches for."""

    user_id: str
    master: str
    devices: tuple[DeviceKeys, ...]

    def device(self, sender_key: str | None, ed25519: str | None) -> DeviceKeys | None:
        """The signed device that owns both keys of a decrypted message.

        Both, because a user can claim another's Curve25519 key for a device of their own.
        """
        return next((one for one in self.devices if (one.curve25519, one.ed25519) == (sender_key, ed25519)), None)


def canonical(value: Mapping[str, Any]) -> bytes:
    """Matrix' canonical JSON of what is signed: without `signatures` and `unsigned`. ValueError if there is none."""
    signed = {key: part for key, part in value.items() if key not in {"signatures", "unsigned"}}
    text = json.dumps(signed, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def is_signed(value: Mapping[str, Any], user_id: str, key_id: str, public: str) -> bool:
    """Whether `value` carries a valid signature by this Ed25519 key; False for anything malformed."""
    try:
        signature = b64decode(_padded(value["signatures"][user_id][f"ed25519:{key_id}"]), validate=True)
        Ed25519PublicKey.from_public_bytes(_key_bytes(public)).verify(signature, canonical(value))
    except (InvalidSignature, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return False
    return True


async def publish(http: Homeserver, keys: CrossSigningKeys, user_id: str, password: str) -> None:
    """Make these the account's cross-signing keys; nothing happens if they are so already.

    Raises:
        ForeignIdentity: others are there.
    """
    wanted = _public_parts(keys, user_id)
    answer = await _query(http, user_id)
    there = {kind: _keys_of(_part(answer, f"{kind}_keys", user_id)) for kind in _KINDS}
    if any(there[kind] not in (None, _keys_of(wanted[kind])) for kind in _KINDS):
        raise ForeignIdentity
    if None not in there.values():
        return
    path = "/_matrix/client/v3/keys/device_signing/upload"
    await with_password(http, path, {f"{kind}_key": part for kind, part in wanted.items()}, user_id, password)


async def sign_device(http: Homeserver, keys: CrossSigningKeys, device_keys: Mapping[str, Any]) -> None:
    """Vouch for our own device; nothing happens if that was done before.

    Args:
        http: logged in on that device.
        keys: published before.
        device_keys: as our own crypto store signed them (`Machine.device_keys`), never as the server shows them:
            it could show another device under our name.

    Raises:
        SignatureRefused: the server did not take it.
    """
    user_id, device_id = device_keys["user_id"], device_keys["device_id"]
    key_id = _public(keys.self_signing)
    shown = _part(await _query(http, user_id), "device_keys", user_id).get(device_id)
    if (
        isinstance(shown, dict)
        and is_signed(shown, user_id, key_id, key_id)
        and canonical(shown) == canonical(device_keys)
    ):
        return
    signed = _signed(dict(device_keys), user_id, keys.self_signing)
    body = {user_id: {device_id: signed}}
    answer = await http.request("POST", "/_matrix/client/v3/keys/signatures/upload", body=body)
    if answer.get("failures"):
        raise SignatureRefused


def read_identity(answer: Mapping[str, Any], user_id: str) -> Identity | None:
    """What a raw `keys/query` answer proves about a user.

    None if there is no master key; without a self-signing key that it signed, no device counts. Never raises,
    whatever the answer holds.
    """
    master = _cross_key(_part(answer, "master_keys", user_id), user_id, "master")
    if master is None:
        return None
    part = _part(answer, "self_signing_keys", user_id)
    self_signing = _cross_key(part, user_id, "self_signing")
    if self_signing is None or not is_signed(part, user_id, master, master):
        return Identity(user_id, master, ())
    shown = _part(answer, "device_keys", user_id)
    devices = (_device(value, user_id, device_id, self_signing) for device_id, value in shown.items())
    return Identity(user_id, master, tuple(device for device in devices if device))


def _device(value: Any, user_id: str, device_id: Any, self_signing: str) -> DeviceKeys | None:  # noqa: ANN401
    """The device, if it is well-formed, signed by itself and by the self-signing key."""
    if not isinstance(value, dict) or not isinstance(device_id, str) or not isinstance(value.get("keys"), dict):
        return None
    if value.get("user_id") != user_id or value.get("device_id") != device_id:
        return None
    ed25519, curve25519 = (value["keys"].get(f"{kind}:{device_id}") for kind in ("ed25519", "curve25519"))
    if not _is_key(ed25519) or not _is_key(curve25519):
        return None
    if not is_signed(value, user_id, device_id, ed25519) or not is_signed(value, user_id, self_signing, self_signing):
        return None
    return DeviceKeys(user_id, device_id, ed25519, curve25519)


def _cross_key(part: Mapping[str, Any], user_id: str, usage: str) -> str | None:
    """The public key of a cross-signing object, if it is this user's, for this usage, and well-formed."""
    usages = part.get("usage")
    if part.get("user_id") != user_id or not isinstance(usages, list) or usage not in usages:
        return None
    keys = part.get("keys")
    if not isinstance(keys, dict) or len(keys) != 1:
        return None
    (key_id, public), *_ = keys.items()
    return public if _is_key(public) and key_id == f"ed25519:{public}" else None


def _public_parts(keys: CrossSigningKeys, user_id: str) -> dict[str, dict[str, Any]]:
    """What is published of each key; the master key signs the other two."""
    parts = {}
    for kind in _KINDS:
        public = _public(getattr(keys, kind))
        part = {"user_id": user_id, "usage": [kind], "keys": {f"ed25519:{public}": public}}
        parts[kind] = part if kind == "master" else _signed(part, user_id, keys.master)
    return parts


def _signed(value: dict[str, Any], user_id: str, seed: str) -> dict[str, Any]:
    """A copy with one more signature; its key id is the public key, unpadded: servers drop padded ones silently."""
    signature = _unpadded(_private(seed).sign(canonical(value)))
    signatures = {**value.get("signatures", {}).get(user_id, {}), f"ed25519:{_public(seed)}": signature}
    return {**value, "signatures": {user_id: signatures}}


async def _query(http: Homeserver, user_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {"device_keys": {user_id: []}}
    answer: dict[str, Any] = await http.request("POST", "/_matrix/client/v3/keys/query", body=body)
    return answer


def _part(answer: Mapping[str, Any], name: str, user_id: str) -> dict[str, Any]:
    users = answer.get(name)
    part = users.get(user_id) if isinstance(users, dict) else None
    return part if isinstance(part, dict) else {}


def _keys_of(part: Mapping[str, Any]) -> dict[str, Any] | None:
    keys = part.get("keys")
    return keys if isinstance(keys, dict) else None


def _private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_key_bytes(seed))


def _public(seed: str) -> str:
    return _unpadded(_private(seed).public_key().public_bytes_raw())


def _is_key(value: Any) -> TypeGuard[str]:  # noqa: ANN401 (anything may stand in an answer)
    """Whether this is a key in the one spelling that counts: pins and key ids are compared as text."""
    try:
        return isinstance(value, str) and _unpadded(_key_bytes(value)) == value
    except ValueError:
        return False


def _key_bytes(value: str) -> bytes:
    raw = b64decode(_padded(value), validate=True)
    if len(raw) != _KEY_BYTES:
        raise ValueError
    return raw


def _unpadded(raw: bytes) -> str:
    return b64encode(raw).decode().rstrip("=")


def _padded(value: str) -> str:
    return value + "=" * (-len(value) % 4)
