"""The command line by itself."""

import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parents[2]


def _python(*arguments: str) -> str:
    return subprocess.check_output([sys.executable, *arguments], cwd=HERE, text=True)  # noqa: S603 (our own)


def test_whoever_runs_the_bot_needs_nothing_of_the_demo() -> None:
    loaded = (
        "import sys; from bot import cli; print(*(m for m in sys.modules if m.startswith(('bot.demo', 'synapse'))))"
    )
    assert _python("-c", loaded).strip() == ""


def test_help_names_every_command() -> None:
    said = _python("-m", "bot", "--help")
    for command in ("demo", "init", "run", "doctor", "sweep", "backup", "keys", "restore", "evaluate"):
        assert f"    {command} " in said
