"""Encryption at rest: AES-256-GCM under per-signal keys, keyed tags for lookup.

A signal's fields are sealed under a key of its own; that key is wrapped by the current master key. The row's
identity is bound in as associated data, so that no ciphertext can be moved to another row. What belongs to no
signal yet (a command on its way in, a card on its way out) is sealed under a key derived from the master key.
"""

import hmac
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage.keys import KEY_BYTES, Keys

_NONCE_BYTES = 12
VERSION_BYTES = 4
"""What is sealed as mail begins with the version of the master key, in so many bytes."""


class Unsealable(Exception):
    """A sealed value does not open: it was changed, moved to another row, or its master key is gone."""


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"wenk " + purpose.encode()).derive(key)


def _seal(key: bytes, plain: bytes, bound_to: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())


def _open(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode())
    except (InvalidTag, ValueError):
        raise Unsealable from None


@dataclass(frozen=True, slots=True)
class SignalKey:
    """The key of one signal: everything about its child hangs on it, and dies with it."""

    ref: str
    _key: bytes = field(repr=False)

    def seal(self, plain: bytes) -> bytes:
        return _seal(self._key, plain, f"signal {self.ref}")

    def open(self, sealed: bytes) -> bytes:
        return _open(self._key, sealed, f"signal {self.ref}")

    def audit_subject(self) -> bytes:
        """What the audit log calls this signal: it cannot be linked once the key is gone."""
        return hmac.digest(_derive(self._key, "audit"), self.ref.encode(), "sha256")


def mail_prefix(version: int) -> bytes:
    """What all that is sealed as mail under this version of the master key begins with."""
    return version.to_bytes(VERSION_BYTES)


def _tags(key: bytes, canonical: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(hmac.digest(key, text.encode(), "sha256")[:16] for text in canonical)


class Vault:
    """Seals and opens what the tables hold; the only place that uses the keys of the data."""

    def __init__(self, keys: Keys) -> None:
        self.use(keys)

    def use(self, keys: Keys) -> None:
        """Work with these keys from now on; see Storage.take, which does so between two units of work."""
        self._keys = keys
        self._mail = {version: _derive(key, "mail") for version, key in keys.master.items()}

    @property
    def keys(self) -> Keys:
        """The keys in use."""
        return self._keys

    @property
    def master_version(self) -> int:
        """The version that new signals are wrapped under."""
        return self._keys.current_master

    @property
    def tag_version(self) -> int:
        """The version that new tags are made under."""
        return self._keys.current_tag

    def new_signal_key(self, ref: str) -> tuple[SignalKey, bytes]:
        """A fresh key for the signal `ref`, and the same key wrapped, to be stored."""
        key = secrets.token_bytes(KEY_BYTES)
        return SignalKey(ref, key), _seal(self._keys.master[self.master_version], key, f"key {ref}")

    def signal_key(self, ref: str, version: int, wrapped: bytes) -> SignalKey:
        """The key of the signal `ref`; raises Unsealable."""
        return SignalKey(ref, self._unwrap(ref, version, wrapped))

    def rewrap(self, ref: str, version: int, wrapped: bytes) -> bytes:
        """The same key of the signal `ref`, wrapped under the current master key; raises Unsealable."""
        key = self._unwrap(ref, version, wrapped)
        return _seal(self._keys.master[self.master_version], key, f"key {ref}")

    def _unwrap(self, ref: str, version: int, wrapped: bytes) -> bytes:
        if version not in self._keys.master:
            raise Unsealable
        return _open(self._keys.master[version], wrapped, f"key {ref}")

    def seal_mail(self, plain: bytes, bound_to: str) -> bytes:
        """Seal something on its way in or out, for the row that `bound_to` names."""
        version = self.master_version
        return mail_prefix(version) + _seal(self._mail[version], plain, bound_to)

    def open_mail(self, sealed: bytes, bound_to: str) -> bytes:
        """The reverse of seal_mail; raises Unsealable."""
        version = int.from_bytes(sealed[:VERSION_BYTES])
        if version not in self._mail:
            raise Unsealable
        return _open(self._mail[version], sealed[VERSION_BYTES:], bound_to)

    def tags(self, canonical: Iterable[str]) -> tuple[bytes, ...]:
        """Keyed tags (16 bytes) of canonical strings, under the second key: to be stored."""
        return _tags(self._keys.tag[self._keys.current_tag], canonical)

    def tags_to_find(self, canonical: Collection[str]) -> tuple[bytes, ...]:
        """The same under every version of the second key: while tags are made anew, either may be stored."""
        return tuple(tag for key in self._keys.tag.values() for tag in _tags(key, canonical))

    def audit_mac(self, entry: bytes) -> bytes:
        """The keyed hash that chains one audit row to the one before."""
        return hmac.digest(self._keys.audit, entry, "sha256")
