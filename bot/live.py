"""A room as the server has it at this moment: asked before anything personal is posted there."""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any

from bot.http import Homeserver, quote

MARKER = "nl.wenk.room"
"""The state event that tells our rooms from others; it holds the room's random id and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRoom:
    """`present`: who is joined or invited, the bot left out."""

    creator: str
    marker: str | None
    encrypted: bool
    private: bool
    members: dict[str, str]

    @property
    def joined(self) -> frozenset[str]:
        return frozenset(who for who, membership in self.members.items() if membership == "join")

    @property
    def present(self) -> frozenset[str]:
        return frozenset(who for who, membership in self.members.items() if membership in {"join", "invite", "knock"})


class Lookout:
    """Looks at rooms for those who can say since when a look counts; several may share one."""

    def __init__(self, http: Homeserver, own_user: str) -> None:
        self._http = http
        self._own_user = own_user
        self._looks: dict[str, tuple[float, asyncio.Task[LiveRoom]]] = {}

    def begin(self, matrix_id: str) -> None:
        """Look at it now; whoever asks for it soon need not wait as long."""
        task = asyncio.create_task(look(self._http, matrix_id, self._own_user), name="look")
        task.add_done_callback(_observed)
        self._looks[matrix_id] = time.monotonic(), task

    async def since(self, moment: float, matrix_id: str) -> LiveRoom:
        """The room as it was at or after this moment (`time.monotonic`); raises as `look` does."""
        begun, _task = self._looks.get(matrix_id, (-math.inf, None))
        if begun < moment:
            self.begin(matrix_id)
        _begun, task = self._looks[matrix_id]
        try:
            # Who is cancelled must not take it away from the others.
            return await asyncio.shield(task)
        except BaseException:
            self.forget(matrix_id)
            raise

    def forget(self, matrix_id: str) -> None:
        """Somebody came or went: what was seen of it does not count any more."""
        self._looks.pop(matrix_id, None)


def _observed(task: asyncio.Task[LiveRoom]) -> None:
    """A look for which nobody asked may fail without a word: who asks looks again."""
    if not task.cancelled():
        task.exception()


async def look(http: Homeserver, matrix_id: str, own_user: str) -> LiveRoom:
    """Ask the server for a room's state; raises MatrixError (403: the bot is not in it)."""
    events = await http.request("GET", f"/_matrix/client/v3/rooms/{quote(matrix_id)}/state")
    return read_state(events, own_user)


def read_state(events: Any, own_user: str) -> LiveRoom:  # noqa: ANN401 (JSON from the server)
    """What a room's state events say."""
    creator, members = "", {}
    contents: dict[str, dict[str, Any]] = {}
    for event in events:
        kind, content = event["type"], event.get("content", {})
        if kind == "m.room.member":
            if event["state_key"] != own_user:
                members[event["state_key"]] = content.get("membership", "leave")
        elif event.get("state_key") == "":
            contents[kind] = content
            if kind == "m.room.create":
                creator = event["sender"]
    history = contents.get("m.room.history_visibility", {}).get("history_visibility")
    join_rule = contents.get("m.room.join_rules", {}).get("join_rule")
    return LiveRoom(
        creator=creator,
        marker=contents.get(MARKER, {}).get("id"),
        encrypted=contents.get("m.room.encryption", {}).get("algorithm") == "m.megolm.v1.aes-sha2",
        private=history == "joined" and join_rule == "invite",
        members=members,
    )
