"""A real homeserver for the tests of bot/, and people with a client of another make; made when first asked for."""

import asyncio
import fcntl
import shutil
import subprocess
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from bot.demo.synapse import LocalSynapse
from tests.js_person import DRIVER, JsPerson
from tests.matrix.proxy import Proxy, standing_before

_numbers = count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def synapse(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalSynapse]:
    """One homeserver with generous limits, shared by all tests: each takes accounts of its own (`new_name`)."""
    async with LocalSynapse(tmp_path_factory.mktemp("synapse"), limits="generous") as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(synapse: LocalSynapse) -> AsyncIterator[Proxy]:
    """What may stand between a module's bot and the homeserver."""
    async with standing_before(synapse.url) as between:
        yield between


@pytest.fixture
def new_name() -> str:
    """A local part that no other test uses; number further ones by hand."""
    return f"user{next(_numbers)}"


@pytest.fixture(scope="session")
def js_client() -> None:
    """The JavaScript client is installed, as locked; skips where Node.js is missing."""
    if shutil.which("node") is None or (npm := shutil.which("npm")) is None:
        pytest.skip("Node.js and npm are not here: the client of another make is not tried")
    home = DRIVER.parent
    wanted, installed = home / "package-lock.json", home / "node_modules" / ".package-lock.json"
    # One after the other: other workers may be at it.
    with (home / "package.json").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime:
            return
        run = subprocess.run(  # noqa: S603 - npm from the PATH
            [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=home,
            check=False,
            capture_output=True,
            text=True,
        )
    if run.returncode != 0:
        pytest.fail(f"npm ci failed; is there a network?\n{run.stderr}")


class JsPersonFactory(Protocol):
    """Register an account of that name and log a JavaScript client in on it."""

    async def __call__(self, localpart: str, *, signed: bool = True) -> JsPerson: ...


@pytest_asyncio.fixture
async def js_person_factory(
    js_client: None,  # noqa: ARG001 - asked for its effect
    synapse: LocalSynapse,
    tmp_path: Path,
) -> AsyncIterator[JsPersonFactory]:
    """Make people with a client of another make; they are gone after the test."""
    people: list[JsPerson] = []

    async def make(localpart: str, *, signed: bool = True) -> JsPerson:
        user_id = await synapse.register(localpart, "secret")
        log = tmp_path / f"{localpart}.log"
        people.append(await JsPerson.start(synapse.url, user_id, "secret", log, signed=signed))
        return people[-1]

    yield make
    await asyncio.gather(*(person.close() for person in people))
