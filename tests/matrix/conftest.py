"""A real homeserver for the tests of bot/: one for the session, made when the first test asks for it."""

from collections.abc import AsyncIterator
from itertools import count

import pytest
import pytest_asyncio

from bot.demo.synapse import LocalSynapse

_numbers = count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def synapse(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalSynapse]:
    """One homeserver with generous limits, shared by all tests: each takes accounts of its own (`new_name`)."""
    async with LocalSynapse(tmp_path_factory.mktemp("synapse"), limits="generous") as server:
        yield server


@pytest.fixture
def new_name() -> str:
    """A local part that no other test uses; number further ones by hand."""
    return f"user{next(_numbers)}"
