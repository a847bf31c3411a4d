"""Emptying a room: everything that anybody wrote in it is redacted."""

import hashlib

from bot.http import Homeserver, MatrixError, quote


async def empty(http: Homeserver, matrix_id: str) -> None:
    """Redact every message of a room. May be run again after a crash: the transaction ids are the same each time."""
    room, token = quote(matrix_id), None
    while True:
        query = {"dir": "b", "limit": "100"} | ({"from": token} if token else {})
        page = await http.request("GET", f"/_matrix/client/v3/rooms/{room}/messages", query=query)
        for event in page.get("chunk", []):
            if event["type"] != "m.room.redaction" and "state_key" not in event and event.get("content"):
                await redact(http, matrix_id, event["event_id"])
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
