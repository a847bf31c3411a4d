"""What only an administrator of the homeserver may do (Synapse's admin API): lift limits, purge documents."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

from bot.config import Config
from bot.http import Homeserver, LoggedOut, MatrixError, quote

log = logging.getLogger(__name__)

_PATIENCE_S: Final = 10.0
_NO_LIMIT: Final = {"messages_per_second": 0, "burst_count": 0}
"""To Synapse this lifts all limits of the user: on messages, rooms, invitations, redactions."""


class AdminFault(Exception):
    """The admin API cannot be used; the message says what to do."""


async def lift_limits(config: Config, token_file: Path) -> None:
    """Have the homeserver never hold the bot back; may be done again. Raises AdminFault, Unreachable."""
    async with _admin(config, token_file) as http:
        await http.request("POST", _override(config), body=_NO_LIMIT)


async def limits_are_lifted(config: Config, token_file: Path) -> bool:
    """Whether `lift_limits` was done, and still holds. Raises AdminFault, Unreachable."""
    async with _admin(config, token_file) as http:
        answer = await http.request("GET", _override(config))
    return bool(answer.get("messages_per_second") == 0)


async def purge(config: Config, token_file: Path, document: str) -> None:
    """Have the homeserver delete the document at `mxc://SERVER/ID`; one that is gone is fine.

    Where the token is of no use it stays, as ciphertext whose key is gone. Raises Unreachable, at once.
    """
    server, _, media_id = document.removeprefix("mxc://").partition("/")
    path = f"/_synapse/admin/v1/media/{quote(server)}/{quote(media_id)}"
    try:
        async with _admin(config, token_file, patience_s=0) as http:
            await _delete(http, path)
    except AdminFault as fault:
        log.error("a document was not purged: %s", fault)  # noqa: TRY400 (the fault says what to do)


async def _delete(http: Homeserver, path: str) -> None:
    try:
        await http.request("DELETE", path)
    except MatrixError as fault:
        if fault.status != HTTPStatus.NOT_FOUND or fault.errcode != "M_NOT_FOUND":
            raise


def _override(config: Config) -> str:
    return f"/_synapse/admin/v1/users/{quote(config.matrix.user_id)}/override_ratelimit"


@asynccontextmanager
async def _admin(config: Config, token_file: Path, *, patience_s: float = _PATIENCE_S) -> AsyncIterator[Homeserver]:
    """The homeserver as its administrator sees it."""
    http = Homeserver(config.matrix.homeserver, _token(token_file), patience_s=patience_s)
    try:
        yield http
    except LoggedOut:
        msg = "the homeserver does not know the token in matrix.admin_token_file: put a new one there"
        raise AdminFault(msg) from None
    except MatrixError as fault:
        if fault.status == HTTPStatus.FORBIDDEN:
            msg = "the token in matrix.admin_token_file is not an administrator's"
        else:
            msg = f"the admin API does not answer ({fault}): let the bot reach /_synapse/admin at matrix.homeserver"
        raise AdminFault(msg) from None
    finally:
        await http.close()


def _token(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as fault:
        msg = f"matrix.admin_token_file cannot be read ({fault.strerror}): {file}"
        raise AdminFault(msg) from None
