"""Emptying a room: everything that anybody wrote in it is redacted."""

import hashlib
from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from typing import Any

from bot.http import Homeserver, MatrixError, quote

_FORGOTTEN_MS = int(timedelta(days=1).total_seconds() * 1000)
"""What we said longer ago may be forgotten (handlers.sweep.MAIL_KEPT_MS); the clocks agree better than that."""


async def empty(http: Homeserver, matrix_id: str) -> None:
    """Redact every message of a room. May be run again after a crash: the transaction ids are the same each time."""
    async for event in _messages(http, matrix_id):
        await redact(http, matrix_id, event["event_id"])


async def empty_before(
    http: Homeserver, matrix_id: str, own_user: str, standing: Collection[str], until_ms: int
) -> None:
    """Redact what others wrote in a room before the first of our cards that stays; all of it if none is there yet.

    The order of the timeline decides, no clock. Our own messages are redacted by whoever knows them (`Clearing.empty`);
    here those that may be forgotten, being much older than `until_ms`. May be run again after a crash, as `empty`.
    """
    doomed: list[str] = []
    async for event in _messages(http, matrix_id):
        if event["event_id"] in standing:
            doomed.clear()
        elif event["sender"] != own_user:
            doomed.append(event["event_id"])
        elif event["origin_server_ts"] < until_ms - _FORGOTTEN_MS:
            await redact(http, matrix_id, event["event_id"])
    for event_id in doomed:
        await redact(http, matrix_id, event_id)


async def _messages(http: Homeserver, matrix_id: str) -> AsyncIterator[dict[str, Any]]:
    """What was written in a room and not redacted, the newest first."""
    room, token = quote(matrix_id), None
    while True:
        query = {"dir": "b", "limit": "100"} | ({"from": token} if token else {})
        page = await http.request("GET", f"/_matrix/client/v3/rooms/{room}/messages", query=query)
        for event in page.get("chunk", []):
            if event["type"] != "m.room.redaction" and "state_key" not in event and event.get("content"):
                yield event
        token = page.get("end")
        if not token or not page.get("chunk"):
            return


async def redact(http: Homeserver, matrix_id: str, event_id: str) -> None:
    """Redact one event; one that is not there (any more) is fine."""
    transaction = hashlib.sha256(event_id.encode()).hexdigest()[:24]
    path = f"/_matrix/client/v3/rooms/{quote(matrix_id)}/redact/{quote(event_id)}/{transaction}"
    try:
        await http.request("PUT", path, body={})
    except MatrixError as fault:
        if fault.status != 404:  # noqa: PLR2004 (HTTP: not found)
            raise
