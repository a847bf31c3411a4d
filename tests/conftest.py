"""What every test may ask for: a database of each make; hypothesis without a stopwatch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import LocalPostgres, local_postgres

# The machine is shared and slow now and then: an example's time says nothing about the rule it tests.
settings.register_profile("wenk", deadline=None)
settings.load_profile("wenk")

# What stages and models assert says what it found, as in a test.
pytest.register_assert_rewrite("tests.matrix", "tests.storage")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[LocalPostgres]:
    """One PostgreSQL for the session, made when the first test asks for it."""
    with local_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of the test's own; the test runs once on each make."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'wenk.db'}"
        return
    server: LocalPostgres = request.getfixturevalue("postgres_server")
    with server.fresh_database() as url:
        yield url
