"""`make docs`: writes the guides from the descriptions of the commands. A test says when they are out of date."""

from pathlib import Path

from handlers.guide import FILES, guide
from handlers.reception import commands, in_room

if __name__ == "__main__":
    for language, name in FILES.items():
        (Path(__file__).parent.parent / name).write_text(
            guide(language, (*commands.all, *in_room.all)), encoding="utf-8"
        )
