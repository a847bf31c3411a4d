"""The guides in docs/ are those that the commands make."""

from pathlib import Path

import pytest

from handlers.guide import FILES, guide
from handlers.reception import commands, in_room

EVERY = (*commands.all, *in_room.all)


@pytest.mark.parametrize("language", sorted(FILES))
def test_the_guide_is_up_to_date(language: str) -> None:
    stands = (Path(__file__).parents[2] / FILES[language]).read_text(encoding="utf-8")
    assert stands == guide(language, EVERY), "run: make docs"


@pytest.mark.parametrize("language", sorted(FILES))
def test_every_command_is_in_it_and_nothing_is_left_to_fill_in(language: str) -> None:
    shown = guide(language, EVERY)
    for command in EVERY:
        assert f"### {command.words[language][0]}\n" in shown
    assert "{" not in shown
