"""The bot's session with the homeserver: who it is, kept in a file; renewed on the same device."""

import logging
import secrets
import string
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec

from bot.http import Homeserver, MatrixError
from storage.durable import make_directory, write_durably

log = logging.getLogger(__name__)

_DEVICE_ID_LENGTH: Final = 10


class SessionFault(Exception):
    """The session file is missing or damaged: `wenk init` logs in."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One login of one device.

    Attributes:
        since_ms: the homeserver's clock when the device was made: what was said before cannot be read by it, and what
            the account said before was said by another. 0: not known.
    """

    user_id: str
    device_id: str
    access_token: str
    since_ms: int = 0

    def __repr__(self) -> str:
        return f"Account({self.user_id}, {self.device_id})"

    def save(self, path: Path) -> None:
        """Write it to `path`, mode 0600: complete and on disk, or not at all."""
        make_directory(path.parent)
        write_durably(path, msgspec.json.encode(self))

    @classmethod
    def load(cls, path: Path) -> "Account":
        """Read it; raises SessionFault."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            raise SessionFault from None


async def log_in(
    http: Homeserver, user_id: str, password: str, device_id: str | None = None, display_name: str = "Wenk"
) -> Account:
    """Log in, on a new device unless one is named, and use the new session from now on.

    The device's id is chosen here: so logging in can be repeated after a lost answer without making two devices.

    Raises:
        MatrixError: refused (403: the password is wrong).
    """
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user_id},
        "password": password,
        "device_id": device_id or _new_device_id(),
        "initial_device_display_name": display_name,
    }
    answer = await http.request("POST", "/_matrix/client/v3/login", body=body, authenticated=False)
    now = http.server_time()
    # The header knows whole seconds only.
    since_ms = int(now.replace(microsecond=0).timestamp()) * 1000 if now else 0
    account = Account(answer["user_id"], answer["device_id"], answer["access_token"], since_ms)
    http.access_token = account.access_token
    return account


def stay_logged_in(
    http: Homeserver, account: Account, path: Path, password: Callable[[], str]
) -> Callable[[], Awaitable[None]]:
    """What to do on a soft logout: log in on the same device, which keeps its keys (FIELD-NOTES 8, 14)."""

    async def log_in_again() -> None:
        log.warning("the homeserver asks to log in again")
        again = await log_in(http, account.user_id, password(), account.device_id)
        msgspec.structs.replace(again, since_ms=account.since_ms).save(path)

    return log_in_again


async def with_password(http: Homeserver, path: str, body: Mapping[str, Any], user_id: str, password: str) -> None:
    """POST something for which the server may want the password again; raises MatrixError."""
    try:
        await http.request("POST", path, body=body)
    except MatrixError as refused:
        if refused.status != HTTPStatus.UNAUTHORIZED or "session" not in refused.detail:
            raise
        auth = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user_id},
            "password": password,
            "session": refused.detail["session"],
        }
        await http.request("POST", path, body={**body, "auth": auth})


async def log_others_out(http: Homeserver, account: Account, password: str) -> int:
    """End all other sessions of the account; how many. A bot that still runs with one of them stops."""
    answer = await http.request("GET", "/_matrix/client/v3/devices")
    others = sorted({device["device_id"] for device in answer["devices"]} - {account.device_id})
    if others:
        path = "/_matrix/client/v3/delete_devices"
        await with_password(http, path, {"devices": others}, account.user_id, password)
    return len(others)


def _new_device_id() -> str:
    return "".join(secrets.choice(string.ascii_uppercase) for _ in range(_DEVICE_ID_LENGTH))
