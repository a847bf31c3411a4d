"""The chain master key -> self-signing key -> device holds, or the device does not count."""

import base64
import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crosssigning import CrossSigningKeys, DeviceKeys, Identity, _public, _public_parts, _signed, read_identity

ANNA = "@anna:example.org"


def device_of(user_id: str, device_id: str) -> tuple[dict[str, Any], DeviceKeys]:
    """A device's keys as published, signed by itself."""
    own = CrossSigningKeys.generate().master
    keys = DeviceKeys(user_id, device_id, _public(own), _public(CrossSigningKeys.generate().master))
    value = {
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": ["m.megolm.v1.aes-sha2"],
        "keys": {f"ed25519:{device_id}": keys.ed25519, f"curve25519:{device_id}": keys.curve25519},
    }
    signed = _signed(value, user_id, own)
    signatures = signed["signatures"][user_id]
    signatures[f"ed25519:{device_id}"] = signatures.pop(f"ed25519:{keys.ed25519}")
    return signed, keys


def answer_of(keys: CrossSigningKeys, *devices: dict[str, Any], user_id: str = ANNA) -> dict[str, Any]:
    """What `keys/query` says of somebody with these devices, all signed."""
    parts = _public_parts(keys, user_id)
    return {
        "master_keys": {user_id: parts["master"]},
        "self_signing_keys": {user_id: parts["self_signing"]},
        "device_keys": {user_id: {one["device_id"]: _signed(one, user_id, keys.self_signing) for one in devices}},
    }


# The same each time: the names of tests are made from it.
KEYS = CrossSigningKeys(*(base64.b64encode(bytes([seed] * 32)).decode().rstrip("=") for seed in (1, 2, 3)))
PHONE, PHONE_KEYS = device_of(ANNA, "PHONE")
ANSWER = answer_of(KEYS, PHONE)


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths to everything that stands in an answer."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    yield path


def holder(answer: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path[:-1]:
        answer = answer[key]
    return answer


PATHS = [path for path in leaves(ANSWER) if path]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_signed_device_counts() -> None:
    assert read_identity(ANSWER, ANNA) == Identity(ANNA, KEYS.master_public, (PHONE_KEYS,))


def test_an_unsigned_device_does_not_count_beside_a_signed_one() -> None:
    stray, _ = device_of(ANNA, "STRAY")
    answer = copy.deepcopy(ANSWER)
    answer["device_keys"][ANNA]["STRAY"] = stray
    identity = read_identity(answer, ANNA)
    assert identity
    assert identity.devices == (PHONE_KEYS,)


@given(path=st.sampled_from(PATHS), other=anything)
def test_whatever_is_changed_no_other_device_comes_to_count(path: tuple[str, ...], other: object) -> None:
    """Exactly what was signed counts or nothing: no change of an answer makes another device or another key count."""
    answer = copy.deepcopy(ANSWER)
    holder(answer, path)[path[-1]] = other
    identity = read_identity(answer, ANNA)
    if identity is not None:
        assert set(identity.devices) <= {PHONE_KEYS}
        assert identity.master == KEYS.master_public


@pytest.mark.parametrize("path", PATHS, ids="/".join)
def test_with_any_part_missing_no_device_counts(path: tuple[str, ...]) -> None:
    answer = copy.deepcopy(ANSWER)
    del holder(answer, path)[path[-1]]
    identity = read_identity(answer, ANNA)
    assert identity is None or identity.devices == ()


@given(answer=st.dictionaries(st.sampled_from(["master_keys", "self_signing_keys", "device_keys"]), anything))
def test_nonsense_is_no_identity(answer: dict[str, Any]) -> None:
    assert read_identity(answer, ANNA) is None


def test_a_device_signed_by_somebody_else_does_not_count() -> None:
    mallory = CrossSigningKeys.generate()
    forged = answer_of(mallory, PHONE)
    answer = {**ANSWER, "device_keys": forged["device_keys"]}
    assert read_identity(answer, ANNA) == Identity(ANNA, KEYS.master_public, ())
    answer = {**forged, "master_keys": ANSWER["master_keys"]}
    assert read_identity(answer, ANNA) == Identity(ANNA, KEYS.master_public, ())


def test_somebody_elses_identity_does_not_count() -> None:
    bert = "@bert:example.org"
    device, _ = device_of(bert, "PHONE")
    berts = answer_of(CrossSigningKeys.generate(), device, user_id=bert)
    relabelled = {name: {ANNA: part[bert]} for name, part in berts.items()}
    assert read_identity(relabelled, ANNA) is None


def test_only_the_unpadded_spelling_of_a_key_counts() -> None:
    """Servers drop padded key ids silently; and the pin is compared as text."""
    answer = copy.deepcopy(ANSWER)
    padded = KEYS.master_public + "="
    answer["master_keys"][ANNA]["keys"] = {f"ed25519:{padded}": padded}
    assert read_identity(answer, ANNA) is None


def test_a_message_is_of_a_device_only_with_both_of_its_keys() -> None:
    """A user can claim another's Curve25519 key for a device of their own, but not the Ed25519 key with it."""
    identity = Identity(ANNA, KEYS.master_public, (PHONE_KEYS,))
    assert identity.device(PHONE_KEYS.curve25519, PHONE_KEYS.ed25519) == PHONE_KEYS
    assert identity.device(PHONE_KEYS.curve25519, KEYS.master_public) is None
    assert identity.device(KEYS.master_public, PHONE_KEYS.ed25519) is None
    assert identity.device(None, None) is None


def test_private_keys_are_not_shown() -> None:
    assert KEYS.master not in repr(KEYS)
    assert KEYS.self_signing not in repr(KEYS)
