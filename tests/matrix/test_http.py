"""Requests are repeated when that is safe, at a pace that spares the server, and no longer than the session lives."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from bot.http import HeldBack, Homeserver, LoggedOut, MatrixError, Unreachable, quote
from bot.waiting import LONGEST_OBEYED_S, LONGEST_PAUSE_S

Answer = Callable[[web.Request], web.StreamResponse]
PATH = "/_matrix/client/v3/rooms/%21secret%3Ax/send"
HARD = {"errcode": "M_UNKNOWN_TOKEN", "error": "gone"}
SOFT = {**HARD, "soft_logout": True}


def says(status: int = 200, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    return lambda _request: web.Response(status=status, text=json.dumps(body or {}), headers=headers)


def breaks(request: web.Request) -> web.StreamResponse:
    """The connection ends without an answer."""
    assert request.transport
    request.transport.close()
    return web.Response()


class Scripted:
    """A homeserver that answers as told, in order, and the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [says()]
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.pauses: list[float] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


async def _never(_request: web.Request) -> web.StreamResponse:
    return await asyncio.Future()


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted()
    app = web.Application()
    app.router.add_route("*", "/never", _never)
    app.router.add_route("*", "/{any:.*}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True)  # /never ends with its client
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def http(scripted: Scripted) -> AsyncIterator[Homeserver]:
    client = Homeserver(scripted.url + "/", "token", pause=scripted.pause)
    yield client
    await client.close()


async def test_an_answer_is_returned(scripted: Scripted, http: Homeserver) -> None:
    scripted.answers = [says(body={"event_id": "$1"})]
    path = f"/_matrix/client/v3/rooms/{quote('!a/b:x')}/send"
    assert await http.request("PUT", path, body={"body": "é"}, query={"a": "&="}) == {"event_id": "$1"}
    (request,) = scripted.seen
    assert request.raw_path == "/_matrix/client/v3/rooms/%21a%2Fb%3Ax/send?a=%26%3D"
    assert request.headers["Authorization"] == "Bearer token"
    assert json.loads(scripted.bodies[0]) == {"body": "é"}
    assert (http.requests, http.errors) == (1, 0)


async def test_a_list_is_an_answer_too(scripted: Scripted, http: Homeserver) -> None:
    scripted.answers = [lambda _request: web.Response(text="[]")]
    assert await http.request("GET", PATH) == []


async def test_an_answer_that_nests_deeper_than_a_parser_goes_is_not_asked_for_again(
    scripted: Scripted, http: Homeserver
) -> None:
    """What a stranger published as a key comes with an answer, and takes a further key with each repetition."""
    scripted.answers = [lambda _request: web.Response(text='{"one_time_keys":' * 100_000 + "{}" + "}" * 100_000)]
    assert await http.request("POST", PATH) == {}
    assert len(scripted.seen) == 1


@pytest.mark.parametrize(
    "fault",
    [
        says(500),
        says(502),
        says(408),
        breaks,
        lambda _request: web.Response(text="<html>please log in</html>"),
        lambda _request: web.Response(status=404, text="404 page not found"),
    ],
    ids=["500", "502", "408", "no answer", "no JSON", "a proxy's 404"],
)
async def test_faults_are_waited_out_ever_more_patiently(scripted: Scripted, http: Homeserver, fault: Answer) -> None:
    """FIELD-NOTES 8: nio sends 24 to 1,000 requests a second."""
    scripted.answers = [*[fault] * 9, says(body={"ok": True})]
    assert await http.request("POST", PATH) == {"ok": True}
    assert len(scripted.pauses) == 9
    assert 1 <= scripted.pauses[0] <= 1.5
    assert all(later > earlier for earlier, later in zip(scripted.pauses[:5], scripted.pauses[1:6], strict=True))
    assert max(scripted.pauses) == LONGEST_PAUSE_S
    assert http.errors == 9


async def test_a_server_that_is_not_there_is_waited_for(scripted: Scripted) -> None:
    client = Homeserver("http://127.0.0.1:1", patience_s=10, pause=scripted.pause)
    with pytest.raises(Unreachable):
        await client.request("GET", PATH)
    assert scripted.pauses
    await client.close()


async def test_an_answer_that_does_not_come_is_given_up(http: Homeserver) -> None:
    with pytest.raises(Unreachable):
        await http.request("POST", "/never", timeout_s=0.1, safe=False)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "7"}, {"retry_after_ms": 1}, 7),
        ({"Retry-After": "7.5"}, {}, 7.5),
        ({}, {"retry_after_ms": 2500}, 2.5),
        ({"Retry-After": "tomorrow"}, {"retry_after_ms": 2500}, 2.5),
        ({"Retry-After": "999999"}, {}, LONGEST_OBEYED_S),
        ({}, {"retry_after_ms": 10**400}, LONGEST_OBEYED_S),
    ],
)
async def test_the_server_says_how_long_to_wait(
    scripted: Scripted, http: Homeserver, headers: dict[str, str], body: dict[str, Any], seconds: float
) -> None:
    scripted.answers = [says(429, {"errcode": "M_LIMIT_EXCEEDED", **body}, headers), says()]
    await http.request("GET", PATH)
    assert scripted.pauses == [seconds]


async def test_the_server_names_the_moment_to_come_back(scripted: Scripted, http: Homeserver) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    scripted.answers = [says(503, headers={"Retry-After": moment}), says()]
    await http.request("GET", PATH)
    assert 25 < scripted.pauses[0] <= 30


async def test_without_any_word_a_limit_is_waited_out(scripted: Scripted, http: Homeserver) -> None:
    scripted.answers = [says(429), says()]
    await http.request("GET", PATH)
    assert 1 <= scripted.pauses[0] <= 1.5


@pytest.mark.parametrize("fault", [says(500), breaks], ids=["500", "no answer"])
async def test_what_may_happen_only_once_is_not_repeated(scripted: Scripted, http: Homeserver, fault: Answer) -> None:
    """FIELD-NOTES 4: one createRoom made three rooms."""
    scripted.answers = [fault, says()]
    with pytest.raises(Unreachable):
        await http.request("POST", PATH, body={}, safe=False)
    assert len(scripted.seen) == 1


async def test_what_may_happen_only_once_is_repeated_after_a_limit(scripted: Scripted, http: Homeserver) -> None:
    scripted.answers = [says(429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 5}), says(body={"room_id": "!1"})]
    assert await http.request("POST", PATH, body={}, safe=False) == {"room_id": "!1"}


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize(
    ("headers", "body", "told_s"),
    [({"Retry-After": "7"}, {}, 7), ({}, {"retry_after_ms": 2500}, 2.5), ({}, {}, None)],
    ids=["header", "milliseconds", "no word"],
)
async def test_who_has_no_patience_is_told_when_to_come_back(
    scripted: Scripted, headers: dict[str, str], body: dict[str, Any], told_s: float | None, *, safe: bool
) -> None:
    """So that nobody holds up others meanwhile."""
    http = Homeserver(scripted.url, "token", patience_s=0, pause=scripted.pause)
    scripted.answers = [says(429, body, headers), says(503, body, headers), says()]
    with pytest.raises(HeldBack) as held_back:
        await http.request("POST", PATH, body={}, safe=safe)
    with pytest.raises(Unreachable) as unreachable:
        await http.request("POST", PATH, body={}, safe=safe)
    assert not isinstance(unreachable.value, HeldBack), "it may have been carried out"
    assert (held_back.value.again_in_s, unreachable.value.again_in_s) == (told_s, told_s)
    assert scripted.pauses == []
    await http.close()


@pytest.mark.parametrize("status", [400, 403, 404, 413])
async def test_a_refusal_is_final(scripted: Scripted, http: Homeserver, status: int) -> None:
    scripted.answers = [says(status, {"errcode": "M_FORBIDDEN", "room": "!secret"})]
    with pytest.raises(MatrixError) as refused:
        await http.request("PUT", PATH)
    assert (refused.value.status, refused.value.errcode) == (status, "M_FORBIDDEN")
    assert refused.value.detail["room"] == "!secret"
    assert "secret" not in str(refused.value)
    assert len(scripted.seen) == 1


async def test_the_token_does_not_follow_to_another_place(scripted: Scripted, http: Homeserver) -> None:
    scripted.answers = [says(302, headers={"Location": "/elsewhere"})]
    with pytest.raises(MatrixError):
        await http.request("GET", PATH)
    assert len(scripted.seen) == 1


async def test_a_hard_logout_ends_it(scripted: Scripted, http: Homeserver) -> None:
    scripted.answers = [says(401, HARD)]
    with pytest.raises(LoggedOut):
        await http.request("GET", PATH)
    assert len(scripted.seen) == 1


async def test_a_soft_logout_logs_in_once_for_all_that_wait(scripted: Scripted, http: Homeserver) -> None:
    logins = 0

    async def log_in() -> None:
        nonlocal logins
        logins += 1
        await asyncio.sleep(0)
        http.access_token = "new"

    def by_token(request: web.Request) -> web.StreamResponse:
        return (says() if request.headers["Authorization"] == "Bearer new" else says(401, SOFT))(request)

    http.on_soft_logout = log_in
    scripted.answers = [by_token]
    await asyncio.gather(*(http.request("GET", PATH) for _ in range(5)))
    assert logins == 1
    assert scripted.pauses == []


async def test_a_request_that_a_new_login_overtook_is_sent_again(scripted: Scripted, http: Homeserver) -> None:
    """A new login on the device makes the old token unknown: for whoever still used it that is no hard logout."""
    late: list[asyncio.Task[object]] = []
    overtaken = asyncio.Event()

    async def log_in() -> None:
        late.append(asyncio.create_task(http.request("GET", PATH)))
        await overtaken.wait()
        http.access_token = "new"

    def by_token(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer new":
            return says()(request)
        if late:
            overtaken.set()
        return says(401, HARD if late else SOFT)(request)

    http.on_soft_logout = log_in
    scripted.answers = [by_token]
    assert await http.request("GET", PATH) == {}
    assert await late[0] == {}


async def test_a_server_that_keeps_logging_us_out_is_not_hammered(scripted: Scripted) -> None:
    http = Homeserver(scripted.url, "0", patience_s=30, pause=scripted.pause)

    async def log_in() -> None:
        http.access_token = f"{http.access_token}0"

    http.on_soft_logout = log_in
    scripted.answers = [says(401, SOFT)]
    with pytest.raises(Unreachable):
        await http.request("GET", PATH)
    assert len(scripted.seen) < 10
    await http.close()


async def test_when_logging_in_again_is_refused_the_session_is_over(scripted: Scripted, http: Homeserver) -> None:
    """Not: the request was refused. Its caller might drop a card for that."""

    async def log_in() -> None:
        await http.request("POST", "/_matrix/client/v3/login", authenticated=False)

    http.on_soft_logout = log_in
    scripted.answers = [says(401, SOFT), says(403, {"errcode": "M_FORBIDDEN"})]
    with pytest.raises(LoggedOut):
        await http.request("PUT", PATH)
    assert "Authorization" not in scripted.seen[1].headers


async def test_a_soft_logout_without_a_way_to_log_in_is_the_end(scripted: Scripted, http: Homeserver) -> None:
    scripted.answers = [says(401, SOFT)]
    with pytest.raises(LoggedOut):
        await http.request("GET", PATH)


async def test_the_servers_clock_is_read_from_its_answers(scripted: Scripted, http: Homeserver) -> None:
    assert http.server_time() is None
    there = datetime(2031, 3, 14, 12, 0, tzinfo=UTC)
    scripted.answers = [says(headers={"Date": format_datetime(there, usegmt=True)})]
    await http.request("GET", PATH)
    said = http.server_time()
    assert said
    assert timedelta(0) <= said - there < timedelta(seconds=5)
    assert http.server_time_age_s is not None
    assert http.server_time_age_s < 5


async def test_an_unreadable_clock_is_no_clock(scripted: Scripted, http: Homeserver) -> None:
    scripted.answers = [says(headers={"Date": "soon"})]
    await http.request("GET", PATH)
    assert http.server_time() is None
    http._date = "Fri, 31 Dec 9999 23:59:59 GMT", time.monotonic() - 60
    assert http.server_time() is None, "by now it is later than Python can say"


async def test_neither_logs_nor_errors_name_anybody(
    scripted: Scripted, http: Homeserver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scripted.answers = [says(500), breaks, says(429), says()]
    await http.request("POST", PATH, body={"body": "secret"}, query={"from": "secret"})
    scripted.answers = [breaks]
    with pytest.raises(Unreachable) as unreachable:
        await http.request("POST", PATH, safe=False)
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("bot")]
    assert len(logged) == 3
    assert not any("secret" in line or "token" in line for line in (*logged, repr(unreachable.value)))
    assert unreachable.value.__cause__ is None
