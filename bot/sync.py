"""One long poll after the other: to-device events, gaps filled, everything in order; the caller keeps the token."""

import json
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from bot.crypto import Machine, RoomKey
from bot.http import Homeserver, MatrixError, Unreachable, quote
from bot.timeline import TimelineEvent, read_event
from storage.inbox import StoreMark

__all__ = ["Batch", "MemberChange", "Poll", "RoomNews", "TimelineEvent", "batches", "event_filter", "poll"]

log = logging.getLogger(__name__)

LONG_POLL_MS: Final = 30_000
_ANSWER_WITHIN_S: Final = 60.0  # beyond the long poll
_PAGE: Final = "100"
_NOT_OURS: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_BEGINS: Final = "m.room.create"
_HEARD: Final = ("m.room.encrypted", "m.room.message", "m.reaction", "m.room.member", _BEGINS)


@dataclass(frozen=True, slots=True)
class MemberChange:
    """Somebody was invited, joined, left or was banned; `sender` did it."""

    room_id: str
    user_id: str
    membership: str
    sender: str
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomNews:
    """What happened in one room since the last poll: raw events, oldest first, each once."""

    room_id: str
    events: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One answer to `/sync`, with the gaps filled. To-device events are taken in already."""

    token: str
    rooms: tuple[RoomNews, ...]
    invites: tuple[str, ...]
    devices_changed: frozenset[str]
    room_keys: tuple[RoomKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What to store in one transaction, together with the token.

    Attributes:
        asked: when it was asked for (`time.monotonic`): what the server had by then is in it, or was in one before.
        first: the answer to a poll without a token: all that the account can see, not what is new.
        events: in the server's order within each room.
        invites: rooms to which the account is invited.
        devices_changed: whose devices must be proven anew.
        room_keys: keys that arrived: events that waited for them can be read now.
        mark: of the crypto store, in which everything of this batch is saved.
    """

    token: str
    asked: float
    first: bool
    events: tuple[TimelineEvent, ...]
    invites: tuple[str, ...]
    devices_changed: frozenset[str]
    room_keys: tuple[RoomKey, ...]
    members: tuple[MemberChange, ...]
    mark: StoreMark


def event_filter(kinds: Iterable[str]) -> str:
    """A sync filter for these kinds of room events."""
    nothing: dict[str, Any] = {"types": []}
    return json.dumps(
        {
            "presence": nothing,
            "account_data": nothing,
            "room": {
                "account_data": nothing,
                "ephemeral": nothing,
                "state": {"types": ["m.room.member"]},
                "timeline": {"types": list(kinds), "limit": int(_PAGE)},
            },
        }
    )


async def batches(
    http: Homeserver, machine: Machine, own_user: str, token: str | None, timeout_ms: int = LONG_POLL_MS
) -> AsyncGenerator[Batch, None]:
    """Everything after `token`, batch by batch.

    The next batch is asked for only when the caller has stored this one; that also tells the server that the
    to-device events of this one need not be kept. The first answer comes at once, also when nothing is new.
    """
    heard = event_filter(_HEARD)
    unconfirmed = machine.new_room_keys()  # taken in by a process that ended before its caller knew
    wait_ms = 0
    while True:
        first, asked = token is None, time.monotonic()
        news = await poll(http, machine, token, heard, wait_ms)
        batch = _read(machine, own_user, news, unconfirmed, first=first, asked=asked)
        yield batch
        machine.room_keys_are_stored(batch.room_keys)
        for room_id in _left(own_user, batch):
            machine.forget_room(room_id)
        try:
            await machine.maintain(http)
        except Unreachable as fault:
            # It stays due; what people say is not left lying for that.
            log.warning("the keys could not be seen to: %s", fault)
        token, wait_ms, unconfirmed = news.token, timeout_ms, ()


async def poll(http: Homeserver, machine: Machine, token: str | None, heard: str, timeout_ms: int) -> Poll:
    """One long poll of at most `timeout_ms` with the filter `heard`."""
    query = {"filter": heard, "timeout": str(timeout_ms)} | ({"since": token} if token else {})
    path, timeout_s = "/_matrix/client/v3/sync", timeout_ms / 1000 + _ANSWER_WITHIN_S
    answer = await http.request("GET", path, query=query, timeout_s=timeout_s)
    with machine.saving():
        received = [machine.receive_to_device(event) for event in answer.get("to_device", {}).get("events", ())]
    if "device_one_time_keys_count" in answer:
        machine.note_key_counts(answer["device_one_time_keys_count"], answer.get("device_unused_fallback_key_types"))
    rooms = answer.get("rooms", {})
    devices = answer.get("device_lists", {})
    return Poll(
        token=answer["next_batch"],
        rooms=tuple(
            [
                await _news(http, room_id, room, token, heard)
                for membership in ("join", "leave")
                for room_id, room in rooms.get(membership, {}).items()
            ]
        ),
        invites=tuple(rooms.get("invite", ())),
        # Who left our sight changes devices unseen from now on.
        devices_changed=frozenset([*devices.get("changed", ()), *devices.get("left", ())]),
        room_keys=tuple(key for key in received if key),
    )


async def _news(http: Homeserver, room_id: str, room: Mapping[str, Any], since: str | None, heard: str) -> RoomNews:
    """The events of a room in order: what the timeline left out first."""
    timeline = room.get("timeline", {})
    missed: list[dict[str, Any]] = []
    # A room that was made just now is said to be limited as well; but nothing comes before its first event.
    is_whole = any(event.get("type") == _BEGINS for event in _events(room, "timeline"))
    if timeline.get("limited") and since and timeline.get("prev_batch") and not is_whole:
        missed = await _missed(http, room_id, timeline["prev_batch"], since, heard)
    # State changes in a gap stand in the gap; what else the server tells of the state is older than the timeline.
    known = {event["event_id"]: event for event in (*missed, *_events(room, "state"), *_events(room, "timeline"))}
    return RoomNews(room_id=room_id, events=tuple(known.values()))


async def _missed(http: Homeserver, room_id: str, before: str, since: str, heard: str) -> list[dict[str, Any]]:
    """Everything between two tokens, oldest first (FIELD-NOTES 2: a `limited` timeline leaves it out)."""
    path = f"/_matrix/client/v3/rooms/{quote(room_id)}/messages"
    only = json.dumps(json.loads(heard)["room"]["timeline"])
    found: list[dict[str, Any]] = []
    while True:
        query = {"dir": "b", "from": before, "to": since, "limit": _PAGE, "filter": only}
        try:
            page = await http.request("GET", path, query=query)
        except MatrixError as refused:
            if refused.status not in _NOT_OURS:
                raise
            log.info("a gap in a room that we are not in any more")
            return found[::-1]
        found += page.get("chunk", ())
        if not page.get("chunk") or not page.get("end"):
            if found:
                log.info("filled a gap of %d events", len(found))
            return found[::-1]
        before = page["end"]


def _events(room: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = room.get(part, {}).get("events", [])
    return events


def _read(
    machine: Machine, own_user: str, news: Poll, unconfirmed: tuple[RoomKey, ...], *, first: bool, asked: float
) -> Batch:
    raw = [(room.room_id, event) for room in news.rooms for event in room.events]
    with machine.saving():
        events = [read_event(machine, own_user, room_id, event) for room_id, event in raw]
        mark = machine.count_batch()
    return Batch(
        token=news.token,
        asked=asked,
        first=first,
        events=tuple(event for event in events if event),
        invites=news.invites,
        devices_changed=news.devices_changed,
        room_keys=tuple(dict.fromkeys((*unconfirmed, *news.room_keys))),
        members=tuple(
            MemberChange(
                room_id, event["state_key"], str(event["content"].get("membership")), event["sender"], event["event_id"]
            )
            for room_id, event in raw
            if event.get("type") == "m.room.member" and "state_key" in event
        ),
        mark=mark,
    )


def _left(own_user: str, batch: Batch) -> set[str]:
    """The rooms in which our last word on ourselves is that we are gone."""
    own = {change.room_id: change.membership for change in batch.members if change.user_id == own_user}
    return {room_id for room_id, membership in own.items() if membership in {"leave", "ban"}}
