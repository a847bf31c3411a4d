"""Our own device's keys on the server: with none of them left there, nobody new could write to us."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

from vodozemac import Curve25519PublicKey

from bot.http import Homeserver, MatrixError, Unreachable
from bot.olm import MEGOLM, OLM, GuardedOlm

log = logging.getLogger(__name__)

ONE_TIME: Final = "signed_curve25519"
_PAUSE_S: Final = 60.0


class _Fallback(Protocol):
    """The part of vodozemac's account that its type stubs leave out."""

    @property
    def fallback_key(self) -> dict[str, Curve25519PublicKey]: ...  # only until it is marked as published

    def generate_fallback_key(self) -> None: ...


class PublishedKeys:
    """Publishes the device once, one-time keys as they are used up, and a fallback key for when they all are."""

    def __init__(self, olm: GuardedOlm) -> None:
        self._olm = olm
        self._count: int | None = None
        self._fallback_used = False
        self._not_before = 0.0

    def device_keys(self) -> dict[str, Any]:
        keys, user_id, device_id = self._olm.account.identity_keys, self._olm.user_id, self._olm.device_id
        value = {
            "algorithms": [OLM, MEGOLM],
            "device_id": device_id,
            "user_id": user_id,
            "keys": {f"{kind}:{device_id}": keys[kind] for kind in ("curve25519", "ed25519")},
        }
        return self._signed(value)

    def note(self, counts: Mapping[str, Any], unused_fallback: Sequence[str] | None) -> None:
        """What a sync said; a kind that it does not name is used up (nio takes that for unknown, FIELD-NOTES 7)."""
        count = counts.get(ONE_TIME, 0)
        self._count = count if isinstance(count, int) else 0
        self._fallback_used = unused_fallback is not None and ONE_TIME not in unused_fallback

    @property
    def is_lacking(self) -> bool:
        """Whether it is time to upload."""
        if time.monotonic() < self._not_before:
            return False
        few = self._count is not None and self._count < self._olm.account.max_one_time_keys // 2
        return few or self._fallback_used or not self._olm.account.shared

    async def upload(self, http: Homeserver) -> None:
        """Publish what the server lacks. Saved first: who uses a key that we do not know any more cannot be read."""
        account = self._olm.account
        first = not account.shared
        fallback = cast("_Fallback", account._account)  # noqa: SLF001 (nio hides it and knows no fallback keys)
        made = len(account.one_time_keys["curve25519"])  # for an upload that did not succeed
        account.generate_one_time_keys(max(0, account.max_one_time_keys - (self._count or 0) - made))
        if (first or self._fallback_used) and not fallback.fallback_key:
            fallback.generate_fallback_key()
        self._olm.save_account()
        body: dict[str, Any] = {
            "one_time_keys": self._public(account.one_time_keys["curve25519"]),
            "fallback_keys": self._public(
                {key_id: key.to_base64() for key_id, key in fallback.fallback_key.items()}, fallback=True
            ),
        }
        if first:
            body["device_keys"] = self.device_keys()
        try:
            answer = await http.request("POST", "/_matrix/client/v3/keys/upload", body=body)
        except Unreachable:
            self._not_before = time.monotonic() + _PAUSE_S
            raise
        except MatrixError as error:
            # So it goes when an old store was put back: what still works goes on; `wenk init` makes a new device.
            log.error("the server refuses our keys (%s): was an old crypto store put back?", error)  # noqa: TRY400
            self._not_before = time.monotonic() + _PAUSE_S
            return
        account.mark_keys_as_published()
        account.shared = True
        self._olm.save_account()
        self.note(answer.get("one_time_key_counts", {}), [ONE_TIME])

    def _public(self, keys: Mapping[str, str], *, fallback: bool = False) -> dict[str, Any]:
        mark = {"fallback": True} if fallback else {}
        return {f"{ONE_TIME}:{key_id}": self._signed({"key": key, **mark}) for key_id, key in keys.items()}

    def _signed(self, value: dict[str, Any]) -> dict[str, Any]:
        signature = self._olm.sign_json(value)
        return {**value, "signatures": {self._olm.user_id: {f"ed25519:{self._olm.device_id}": signature}}}
