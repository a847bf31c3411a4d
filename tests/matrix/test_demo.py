"""`wenk demo` as anybody would run it: a process of its own, looked at from outside."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.demo.person import Person
from bot.demo.synapse import SERVER_NAME

REPOSITORY = Path(__file__).parents[2]
SHOWN = (
    "1. Wie mag meedoen?",
    "De geboortedatum klopt niet",
    "Wenk · balie van Fatima",
    "bladzijden in het Nederlands",
    "Je bent niet de enige.",
    "Zal ik je morgen om vier uur bellen?",
    "Lin Tan is erbij gekomen.",
    "Joost Dijkstra doet niet meer mee.",
    "Wil jij dit beoordelen?",
    "De voornaam verschilt een of twee letters",
    ": hetzelfde kind.",
    "is gestopt: de tijd is om.",
    "betrokken tot",
    "is gewist: de bewaartijd is om.",
    "0 leesbaar",
    "Dat was het:",
)

# As a bot that forgets to say that the child must be told as well.
BROKEN = """
import domain.notice
domain.notice.must_tell = lambda born, on: ("parents",)
"""


class Demo:
    """A running `wenk demo`, with what it printed so far."""

    def __init__(self, process: asyncio.subprocess.Process, temporary: Path) -> None:
        self.process = process
        self.temporary = temporary
        self.printed = ""

    async def prints(self, pattern: str) -> re.Match[str]:
        """Wait until it has printed this."""
        assert self.process.stdout
        while not (found := re.search(pattern, self.printed)):
            chunk = await self.process.stdout.read(4096)
            assert chunk, self.printed
            self.printed += chunk.decode(errors="ignore")
        return found

    async def ends(self) -> int:
        """Its exit status, once everything has been printed."""
        assert self.process.stdout
        self.printed += (await self.process.stdout.read()).decode()
        return await self.process.wait()

    def is_gone(self) -> bool:
        """Neither a file nor a process is left: all of them were started in or with its directory."""
        return not list(self.temporary.iterdir()) and not processes_of(self.temporary)


def processes_of(directory: Path) -> list[str]:
    """Processes that work in a directory or were given it, by their command lines."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(directory) in line or (process / "cwd").readlink().is_relative_to(directory):
                found.append(line)
        except OSError:
            continue  # it has just ended, or is not ours to look at
    return found


@asynccontextmanager
async def demo(tmp_path: Path, *arguments: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Demo]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", *arguments, cwd=REPOSITORY, start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary), "COLUMNS": "80", **(env or {})},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Demo(process, temporary)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


@pytest.mark.timeout(400)  # half a minute when nothing else runs
async def test_the_whole_story_is_shown_and_nothing_is_left_behind(tmp_path: Path) -> None:
    async with demo(tmp_path) as shown:
        status = await shown.ends()
        assert status == 0, shown.printed
        places = [shown.printed.find(text) for text in SHOWN]
        assert -1 not in places, [text for text in SHOWN if text not in shown.printed]
        assert max(map(len, shown.printed.splitlines())) <= 80
        assert "\x1b" not in shown.printed  # a log has no colours
        assert shown.is_gone()


async def test_kept_it_can_be_played_with_and_stops_when_asked(tmp_path: Path) -> None:
    async with demo(tmp_path, "--keep") as shown:
        url = (await shown.prints(r"Homeserver: (http://127\.0\.0\.1:\d+)"))[1]
        password = (await shown.prints(rf"@kim:{SERVER_NAME}\s+│ (\S+)"))[1]
        await shown.prints("Stoppen")
        assert processes_of(shown.temporary)
        kim = await Person.enter(url, f"@kim:{SERVER_NAME}", password, tmp_path)
        welcome = await kim.wait_for(lambda card: card.wenk.get("kind") == "welcome")
        await kim.say(welcome.room_id, "signalen")
        await kim.wait_for(lambda card: card.wenk.get("kind") == "signal.list")
        await kim.close()
        shown.process.terminate()
        assert await shown.ends() == 0, shown.printed
        assert shown.is_gone()


@pytest.mark.parametrize("when", ["Een homeserver starten", "wenk init", "Wie mag meedoen"])
async def test_ctrl_c_at_any_time_leaves_nothing_behind(tmp_path: Path, when: str) -> None:
    async with demo(tmp_path) as shown:
        await shown.prints(when)
        shown.process.send_signal(signal.SIGINT)
        assert await shown.ends() == 128 + signal.SIGINT, shown.printed
        assert "Gestopt en opgeruimd." in shown.printed
        assert shown.is_gone()


async def test_a_bot_that_does_not_do_what_it_should_makes_the_demo_fail(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    async with demo(tmp_path, env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}) as shown:
        assert await shown.ends() == 1
        assert "De demo is mislukt" in shown.printed
        assert "'tell': ['parents']" in re.sub(r"[\s│]+", " ", shown.printed)
        assert "De laatste regels van het logboek" in shown.printed
        assert shown.is_gone()
