"""The homeserver that the other tests stand on."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from bot.demo.synapse import LocalSynapse, SynapseFailed

LOGIN = "/_matrix/client/v3/login"

ABANDON = """
import asyncio, os, signal, sys
from pathlib import Path
from bot.demo.synapse import LocalSynapse

async def main():
    server = LocalSynapse(Path(sys.argv[1]))
    await server.start()
    print(server.url, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def log_in(server: LocalSynapse, user: str) -> int:
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": "secret"}
    async with aiohttp.ClientSession() as session, session.post(server.url + LOGIN, json=body) as answer:
        return answer.status


async def test_accounts_log_in_and_a_name_is_given_once(synapse: LocalSynapse, new_name: str) -> None:
    assert await synapse.register(new_name, "secret") == f"@{new_name}:localhost"
    assert await log_in(synapse, new_name) == 200
    with pytest.raises(SynapseFailed, match="M_USER_IN_USE"):
        await synapse.register(new_name, "secret")


async def test_restart_keeps_address_and_data_and_stop_leaves_nothing(tmp_path: Path) -> None:
    server = LocalSynapse(tmp_path)
    await server.start()
    address, first = server.url, server.pid
    await server.register("anna", "secret")
    await server.restart()
    assert (server.url == address, server.pid != first) == (True, True)
    assert await log_in(server, "anna") == 200
    await server.stop()
    assert server.pid is None
    assert not await answers(server.url)


async def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", ABANDON, str(tmp_path), stdout=subprocess.PIPE)
    said, _ = await run.communicate()
    assert run.returncode == -signal.SIGKILL
    async with asyncio.timeout(20):
        while await answers(said.decode().strip()):
            await asyncio.sleep(0.05)


async def answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url + "/health") as answer:
            return answer.ok
    except aiohttp.ClientConnectionError:
        return False
