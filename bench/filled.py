"""Databases full of signals, the smaller ones part of the larger ones: nothing but their size makes a difference."""

import random
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, Table, create_engine, func, insert, select

from domain.address import Address, parse_house
from domain.birth import BadBirthDate, BirthDate
from domain.candidates import tags
from domain.child import Child
from domain.life import State, Terms, next_look, plan
from domain.profile import Profile
from domain.references import make_reference
from storage.keys import Keys
from storage.schema import notice, signal, tag
from storage.session import REGION
from storage.signals import generation, pack
from storage.vault import Vault
from tests.postgres import local_postgres
from tests.storage.house import House, open_house
from training.register import Row, again, population

NOW: Final = datetime(2025, 12, 31, 9, tzinfo=UTC)
"""When none of the register's children is 23 yet."""
_OWNERS: Final = 25
_PLACED_WITHIN_DAYS: Final = 600
_AT_A_TIME: Final = 10_000
_SEED: Final = 4
_SQLITE_FAST: Final = ("synchronous=OFF", "cache_size=-200000", "temp_store=FILE")
"""While filling: if it fails, everything is thrown away."""


@dataclass(frozen=True, slots=True)
class Database:
    """One database, in which there are `size` signals.

    Attributes:
        engine: past the storage, to fill it and to set the stage between two measurements.
        fill_s: how long filling took, inventing and sealing not counted.
    """

    make: str
    size: int
    house: House
    engine: Engine
    stored_bytes: int
    fill_s: float


@dataclass(slots=True)
class Filled:
    """The databases, and children to look for in them.

    `probes` are what second professionals type: of four children three are in all databases, one is in none.
    """

    probes: Sequence[Child]
    databases: list[Database] = field(default_factory=list)
    seal_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Show:
    """How far it is: `begin` something that takes so many steps, and `step`."""

    begin: Callable[[str, int], None]
    step: Callable[[], None]


@asynccontextmanager
async def filled(directory: Path, sizes: Sequence[int], probes: int, show: Show) -> AsyncIterator[Filled]:
    """One database per make and size."""
    largest, smallest = max(sizes), min(sizes)
    by = random.Random(_SEED)  # noqa: S311 (invented data)
    show.begin("inventing children", 1)
    everybody, town = population(largest + probes, by)
    everybody = _by_areas(everybody, by)
    there = by.sample(everybody[:smallest], min(smallest, probes * 3 // 4))
    typed = [again(row, by, town) for row in (*there, *everybody[largest : largest + probes // 4])]
    by.shuffle(typed)
    result = Filled([child for row in typed if (child := _child(row))])
    keys = Keys.create(directory / "keys.json")
    async with AsyncExitStack() as stack:
        houses: dict[int, House] = {}
        engines: dict[int, Engine] = {}
        for size in sizes:
            file = directory / f"{size}.db"
            houses[size] = await stack.enter_async_context(
                _house(f"sqlite+aiosqlite:///{file}", directory / f"sqlite-{size}", keys)
            )
            engines[size] = create_engine(f"sqlite:///{file}")
            stack.callback(engines[size].dispose)
        took = _fill_sqlite(everybody[:largest], Vault(keys), engines, by, show)
        del everybody  # a gigabyte
        result.seal_s = took[0]
        for size, house in houses.items():
            stored = (directory / f"{size}.db").stat().st_size
            result.databases.append(Database("SQLite", size, house, engines[size], stored, took[size]))
        server = stack.enter_context(local_postgres())
        for size in sizes:
            show.begin(f"PostgreSQL, {size:,} signals", 1)
            url = stack.enter_context(server.fresh_database())
            house = await stack.enter_async_context(_house(url, directory / f"postgresql-{size}", keys))
            begun, engine = time.perf_counter(), create_engine(url)
            stack.callback(engine.dispose)
            stored = _fill_postgresql(engines[size], engine)
            result.databases.append(Database("PostgreSQL", size, house, engine, stored, time.perf_counter() - begun))
        yield result


def _by_areas(everybody: Sequence[Row], by: random.Random) -> list[Row]:
    """One area after the other, in any order.

    A small index is that of a town: its children have as many brothers, sisters and neighbours in it as those of a
    large one. One in a hundred of a country's children would have none, and that is not what is compared.
    """
    areas: dict[str, list[Row]] = defaultdict(list)
    for _, family in groupby(everybody, key=attrgetter("family")):
        rows = list(family)
        areas[rows[0].postcode[:4]] += rows
    in_turn = list(areas.values())
    by.shuffle(in_turn)
    return list(chain.from_iterable(in_turn))


@asynccontextmanager
async def _house(url: str, directory: Path, keys: Keys) -> AsyncIterator[House]:
    """A region with professionals who will own the signals."""
    directory.mkdir()  # noqa: ASYNC240 (nobody else waits)
    shutil.copy(keys.path, directory / "keys.json")
    async with open_house(url, directory) as house:
        for number in range(_OWNERS):
            await house.admit(owner(number), "De Wilgen", "Vera Proef")
        house.now = NOW
        yield house


def owner(number: int) -> str:
    """The user id of whose signals these are."""
    return f"@owner{number % _OWNERS}:localhost"


def _child(row: Row) -> Child | None:
    """The child as it is typed; None where the date that was typed is in no calendar."""
    number, suffix = parse_house(row.number)
    home = Address("home", row.postcode, int(number), suffix) if row.postcode else Address("none")
    try:
        born = BirthDate(int(row.born[:4]), int(row.born[4:6]), int(row.born[6:]))
    except BadBirthDate:
        return None
    return Child(" ".join(row.given), row.surname, born, home)


def _fill_sqlite(
    everybody: Sequence[Row], vault: Vault, engines: Mapping[int, Engine], by: random.Random, show: Show
) -> dict[int, float]:
    """Seal each signal once, and put it into all databases that are large enough; the seconds per size, 0: to seal.

    Tags come in no order at all: they are put aside, then into their table in the order in which it holds them.
    """
    took = dict.fromkeys((0, *engines), 0.0)
    with ExitStack() as stack:
        connections = {size: stack.enter_context(engine.connect()) for size, engine in engines.items()}
        for connection in connections.values():
            for pragma in _SQLITE_FAST:
                connection.exec_driver_sql(f"PRAGMA {pragma}")
            connection.exec_driver_sql("CREATE TEMP TABLE aside (tag BLOB, signal_id INTEGER)")
            for index in (*signal.indexes, *tag.indexes):
                index.drop(connection)
        show.begin("sealing signals", len(everybody) // _AT_A_TIME)
        for start in range(0, len(everybody), _AT_A_TIME):
            begun = time.perf_counter()
            part = everybody[start : start + _AT_A_TIME]
            sealed = [_sealed(start + number, row, vault, by) for number, row in enumerate(part)]
            took[0] += time.perf_counter() - begun
            for size, connection in connections.items():
                begun = time.perf_counter()
                if some := sealed[: max(0, size - start)]:
                    _put_aside(connection, some)
                took[size] += time.perf_counter() - begun
            show.step()
        for size, connection in connections.items():
            show.begin(f"SQLite, {size:,} signals", 1)
            begun = time.perf_counter()
            connection.exec_driver_sql(
                "INSERT INTO tag (tag, signal_id) SELECT tag, signal_id FROM aside ORDER BY 1, 2"
            )
            for index in (*signal.indexes, *tag.indexes):
                index.create(connection)
            connection.commit()
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            took[size] += time.perf_counter() - begun
    return took


def _put_aside(connection: Connection, sealed: Sequence[tuple[dict[str, Any], tuple[bytes, ...]]]) -> None:
    connection.execute(insert(signal), [values for values, _ in sealed])
    told = [{"signal_id": values["id"], "look_on": None, "sealed": None} for values, _ in sealed]
    connection.execute(insert(notice), told)
    keyed = [(one, values["id"]) for values, all_of_it in sealed for one in all_of_it]
    connection.exec_driver_sql("INSERT INTO aside VALUES (?, ?)", keyed)


def _sealed(number: int, row: Row, vault: Vault, by: random.Random) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """The row of a signal, and its tags."""
    child, ref = _child(row), f"{make_reference('S', by.randrange)}-{number}"  # of a million some would be the same
    assert child is not None  # noqa: S101 (the register's own dates are in the calendar)
    placed_on = NOW.date() - timedelta(days=by.randrange(_PLACED_WITHIN_DAYS))
    ahead = plan(placed_on, child.born, Terms())
    key, wrapped = vault.new_signal_key(ref)
    values = {
        "id": number + 1,
        "region_id": REGION,
        "ref": ref,
        "owner": owner(number),
        "state": State.ACTIVE,
        "basis": "jeugdwet",
        "placed_on": placed_on,
        "active_until": ahead.active_until,
        "ended_on": None,
        "look_on": next_look(State.ACTIVE, ahead, NOW.date(), reminded=False),
        "key_version": vault.master_version,
        "wrapped_key": wrapped,
        "sealed_child": key.seal(pack(child)),
        "tag_generation": generation(vault.tag_version),
    }
    return values, tuple(set(vault.tags(tags(Profile.of(child)))))


def _fill_postgresql(source: Engine, target: Engine) -> int:
    """The same rows; how many bytes they take there."""
    with source.connect() as rows, target.connect() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")  # foreign keys were kept already
        for index in (*signal.indexes, *tag.indexes):
            index.drop(connection)
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 (says the URL)
        for table in (signal, notice, tag):
            _copy(rows, table, driver)
        for index in (*signal.indexes, *tag.indexes):
            index.create(connection)
        counter = func.pg_get_serial_sequence("signal", "id")
        connection.execute(select(func.setval(counter, select(func.max(signal.c.id)).scalar_subquery())))
        connection.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")
        size: int = connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one()
        return size


def _copy(rows: Connection, table: Table, target: psycopg.Connection[Any]) -> None:
    names = ", ".join(table.columns.keys())
    chosen = select(table).order_by(*table.primary_key)
    found = rows.execute(chosen, execution_options={"yield_per": _AT_A_TIME})
    with target.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in found:
            copy.write_row(row)
