"""The homeserver's HTTP interface: repeats what may be repeated and waits as long as it is told to."""

import asyncio
import itertools
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote as _quote

import aiohttp
from yarl import URL

from bot.waiting import again_in_s, backoff_s

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S: Final = 60.0


class MatrixError(Exception):
    """The homeserver refused a request.

    Attributes:
        status: HTTP status.
        errcode: the Matrix error code, empty if the answer has none.
        detail: the whole answer, which may name people and rooms: never to be logged.
    """

    def __init__(self, status: int, errcode: str, detail: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {errcode}")
        self.status = status
        self.errcode = errcode
        self.detail = detail


class LoggedOut(Exception):
    """The homeserver has ended this session for good: `wenk init` makes a new device."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Unreachable(Exception):
    """No usable answer; whether the request was carried out is unknown.

    Attributes:
        again_in_s: after how many seconds the server wants to be asked again; None if it did not say.
    """

    def __init__(self, what: str, again_in_s: float | None = None) -> None:
        super().__init__(what)
        self.again_in_s = again_in_s


class HeldBack(Unreachable):
    """Too many requests: this one was certainly not carried out."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Any
    again_in_s: float | None

    @property
    def detail(self) -> dict[str, Any]:
        """The body of a refusal; empty if it is not Matrix'."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def is_success(self) -> bool:
        return self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_limited(self) -> bool:
        return self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def is_refusal(self) -> bool:
        """Whether the answer is no, for good: a redirection, which is not followed, or Matrix's own word.

        A 404 without its code is some proxy's, while the homeserver restarts. Who has to show a password first is told
        the ways to do so, without a code.
        """
        if self.status < HTTPStatus.BAD_REQUEST:
            return True
        return self.status < HTTPStatus.INTERNAL_SERVER_ERROR and (bool(self.errcode) or "flows" in self.detail)

    @property
    def errcode(self) -> str:
        errcode = self.detail.get("errcode")
        return errcode if isinstance(errcode, str) else ""


def quote(value: str) -> str:
    """A value as one segment of a path."""
    return _quote(value, safe="")


class Homeserver:
    """One homeserver, seen by one session of one user.

    Attributes:
        access_token: sent with every request once it is set.
        on_soft_logout: logs in again on the same device and sets `access_token`; called once at a time.
        requests: how many requests were sent.
        errors: how many of them got no answer, or a 5xx or 429.
    """

    def __init__(
        self,
        base_url: str,
        access_token: str | None = None,
        *,
        patience_s: float | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Nothing is sent yet.

        Args:
            base_url: such as `http://127.0.0.1:8008`.
            access_token: the session, if there is one already.
            patience_s: for how long a request is repeated before `Unreachable`; None: until it is answered; 0: whoever
                asks sees to it themselves.
            pause: waits for so many seconds.
        """
        self.access_token = access_token
        self.on_soft_logout: Callable[[], Awaitable[None]] | None = None
        self.requests = 0
        self.errors = 0
        self._base_url = base_url.rstrip("/")
        self._patience_s = patience_s
        self._pause = pause
        self._session: aiohttp.ClientSession | None = None
        self._logging_in = asyncio.Lock()
        self._date: tuple[str, float] | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def server_time(self) -> datetime | None:
        """What the server's clock says now: its last `Date` header and the time since; None if there was none."""
        if self._date is None:
            return None
        header, read_at = self._date
        try:
            then = parsedate_to_datetime(header)
            if then.tzinfo is None:
                then = then.replace(tzinfo=UTC)
            return then + timedelta(seconds=time.monotonic() - read_at)
        except (ValueError, OverflowError):
            return None

    @property
    def server_time_age_s(self) -> float | None:
        """How many seconds ago the last `Date` header was read."""
        return None if self._date is None else time.monotonic() - self._date[1]

    async def request(  # noqa: PLR0913 (choices of one request, by name)
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | bytes | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
        patience_s: float | None = None,
        safe: bool = True,
        authenticated: bool = True,
    ) -> Any:  # noqa: ANN401 (an object or a list, as the endpoint has it)
        """Send a request until it is answered, and return the JSON of the answer.

        Args:
            method: HTTP method.
            path: from `/_matrix/` on, its values already quoted by `quote`.
            body: sent as JSON; bytes as they are.
            query: values as they are; quoted here.
            timeout_s: for one attempt.
            patience_s: another patience than the session's.
            safe: it may be carried out twice. If not, it is repeated after a 429 only, which was certainly not
                carried out.
            authenticated: False for logging in, which must not depend on the session it replaces.

        Raises:
            MatrixError: refused.
            LoggedOut: the session is over.
            HeldBack: too many requests, for longer than `patience_s`.
            Unreachable: no usable answer to an unsafe request, or none for `patience_s`.
        """
        if patience_s is None:
            patience_s = self._patience_s
        url = URL(self._base_url + path, encoded=True)
        if query:
            url = url.with_query(query)
        now = asyncio.get_running_loop().time
        started = now()
        for attempt in itertools.count():
            token = self.access_token if authenticated else None
            answer = await self._once(method, url, body, token, timeout_s)
            if answer and answer.is_success:
                return answer.body
            if answer and token and answer.errcode == "M_UNKNOWN_TOKEN":
                await self._log_in_again(token, soft=answer.detail.get("soft_logout") is True)
                if attempt == 0:
                    continue
            elif answer and answer.status not in _TRY_AGAIN and answer.is_refusal:
                raise MatrixError(answer.status, answer.errcode, answer.detail)
            limited, asked_s = (answer.is_limited, answer.again_in_s) if answer else (False, None)
            pause_s = backoff_s(attempt, asked_s)
            impatient = patience_s is not None and now() + pause_s > started + patience_s
            if impatient and limited:
                raise HeldBack(_what(method, path, answer), asked_s)
            if impatient or not (safe or limited):
                raise Unreachable(_what(method, path, answer), asked_s)
            log.warning("%s; trying again in %.0f s", _what(method, path, answer), pause_s)
            await self._pause(pause_s)
        raise AssertionError  # count() does not end

    async def _once(
        self, method: str, url: URL, body: Mapping[str, Any] | bytes | None, token: str | None, timeout_s: float
    ) -> _Answer | None:
        """One attempt; None if there was no answer that can be read."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        is_raw = isinstance(body, bytes)
        if is_raw:
            headers["Content-Type"] = "application/octet-stream"
        self.requests += 1
        try:
            async with self._session.request(
                method,
                url,
                json=None if is_raw else body,
                data=body if is_raw else None,
                headers=headers,
                allow_redirects=False,  # the token is for this server only
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as response:
                raw = await response.read()
                if "Date" in response.headers:
                    self._date = response.headers["Date"], time.monotonic()
                answer = _read(response.status, raw, response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError):
            answer = None
        if answer is None or answer.status in _TRY_AGAIN or not (answer.is_success or answer.is_refusal):
            self.errors += 1
        return answer

    async def _log_in_again(self, stale_token: str, *, soft: bool) -> None:
        async with self._logging_in:
            if self.access_token != stale_token:
                return  # another request has seen to it; since then the old token is unknown for good
            if not soft or self.on_soft_logout is None:
                raise LoggedOut
            try:
                await self.on_soft_logout()
            except MatrixError as error:
                # Whoever sent the request must not take this for its refusal.
                log.error("logging in again was refused: %s", error)  # noqa: TRY400 (our caller gets LoggedOut)
                raise LoggedOut from None


_TRY_AGAIN: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT})


def _read(status: int, raw: bytes, retry_after: str | None) -> _Answer | None:
    """What came back; None for a success that is no JSON, which is some other server's doing."""
    try:
        body = json.loads(raw)
    except RecursionError:
        body = {}  # it nests deeper than any parser goes, and would do so again: there is nothing of use in it
    except ValueError:
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return None
        body = {}
    return _Answer(status, body, again_in_s(retry_after, body))


def backoff_after_s(fault: Exception, attempt: int) -> float:
    """The same, for whoever tries again what ended with this fault."""
    return backoff_s(attempt, fault.again_in_s if isinstance(fault, Unreachable) else None)


def _what(method: str, path: str, answer: _Answer | None) -> str:
    """What went wrong, without any value in the path: they name people and rooms."""
    family = "/".join(path.split("/")[:5])
    return f"{method} {family}: {answer.status if answer else 'no answer'}"
