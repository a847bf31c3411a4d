"""`make docs`: writes what is made of the descriptions that the code follows. Tests say when it is out of date."""

from pathlib import Path

from handlers.guide import FILES, guide
from handlers.life_page import page
from handlers.reception import commands, in_room

if __name__ == "__main__":
    every = (*commands.all, *in_room.all)
    pages = {name: guide(language, every) for language, name in FILES.items()} | {"docs/life.md": page()}
    for name, text in pages.items():
        (Path(__file__).parent.parent / name).write_text(text, encoding="utf-8")
