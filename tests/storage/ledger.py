"""What the cards say of the signals, and what the database says: the two must agree."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, select

from storage.schema import signal
from tests.storage.wire import Machine, Wire


async def kept(wire: Wire) -> dict[str, str]:
    """The state of every signal, as it is in the database."""
    return {row.ref: row.state for row in await rows(wire, select(signal.c.ref, signal.c.state))}


async def rows(wire: Wire, statement: Select[Any]) -> Sequence[Row[Any]]:
    async with wire.storage._engine.begin() as connection:
        found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
        return found


def told(state: dict[str, str], card: Machine, asked: str) -> None:
    """What the card says, done to what was known: what the state must be."""
    if card["kind"] == "signal.placed":
        state[card["ref"]] = "active"
    elif card["kind"] == "signal.expired" or (card["kind"] == "signal.withdrawn" and asked.endswith("klaar")):
        state[card["ref"]] = "inactive"
    elif card["kind"] in ("signal.erased", "signal.withdrawn"):
        del state[card["ref"]]
