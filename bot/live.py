"""A room as the server has it at this moment: asked before anything personal is posted there."""

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
    pinned: tuple[str, ...]

    @property
    def joined(self) -> frozenset[str]:
        return frozenset(who for who, membership in self.members.items() if membership == "join")

    @property
    def present(self) -> frozenset[str]:
        return frozenset(who for who, membership in self.members.items() if membership in {"join", "invite", "knock"})


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
        pinned=tuple(contents.get("m.room.pinned_events", {}).get("pinned", ())),
    )
