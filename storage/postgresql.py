"""PostgreSQL within limits: a server that hangs, or a process that is gone, holds nobody up for long.

The server ends what takes too long by itself. Where it cannot any more, because it stands still or its machine is
gone, this end hangs up.
"""

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL

T = TypeVar("T")

ANSWER_WITHIN_S = 20.0
"""How long this end waits for an answer: longer than the server may work on it."""
_LINE: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    # A line that is cut is noticed within half a minute, also while nothing is said on it.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_PRESENCE: Final = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
"""The server gives up a client that is gone, and its locks, a little later than the client the server."""
_HASTE: Final = (
    "SET lock_timeout = '10s'; SET statement_timeout = '15s'; SET idle_in_transaction_session_timeout = '60s'"
)


class Connection(psycopg.AsyncConnection[Any]):
    """psycopg's connection, which hangs up on a server that does not answer."""

    answer_within_s: float | None = None

    async def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:  # noqa: ANN401 (psycopg's own)
        """What all of psycopg's methods wait with; raises OperationalError when the server was hung up on."""
        if self.answer_within_s is None:
            return await super().wait(gen, *arguments, **options)
        hanging_up = asyncio.get_running_loop().call_later(self.answer_within_s, self._hang_up)
        try:
            return await super().wait(gen, *arguments, **options)
        finally:
            hanging_up.cancel()

    def _hang_up(self) -> None:
        """Not closed, for it is being waited on: then libpq finds that nobody is there, and says so."""
        with suppress(OSError), socket.socket(fileno=os.dup(self.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)


async def connect(url: URL, *, in_haste: bool) -> Connection:
    """A connection; `in_haste`: no statement takes long, as in a running bot, but not in a migration or a backup."""
    arguments, options = url.get_dialect()().create_connect_args(url)
    connection = await Connection.connect(*arguments, **{**_LINE, **options}, autocommit=True)
    connection.answer_within_s = ANSWER_WITHIN_S
    try:
        await connection.execute(f"{_PRESENCE}; {_HASTE}" if in_haste else _PRESENCE)
        await connection.set_autocommit(False)
    except BaseException:
        await connection.close()
        raise
    if not in_haste:
        connection.answer_within_s = None
    return connection
