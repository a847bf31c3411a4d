"""What the documents point at is there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from handlers.life_page import page

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
DOCUMENTS: Final = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
NAMED: Final = re.compile(r"`(?:(\w+)/)?(\w+)::(test_\w+)`")


def _missing_tests(text: str) -> Iterator[str]:
    """The tests that a text names as docs/traps.md does, and that nobody can run."""
    for folder, file, test in NAMED.findall(text):
        path = ROOT / "tests" / (folder or "matrix") / f"test_{file}.py"
        if not path.exists() or not re.search(
            rf"^(?:async )?def {test}\(", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            yield f"{path.relative_to(ROOT)}::{test}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_test_that_is_named_exists(document: Path) -> None:
    assert list(_missing_tests(document.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", ["promises.md", "traps.md"])
def test_each_row_names_its_test_or_says_that_there_is_none(name: str) -> None:
    rows = [line for line in (DOCS / name).read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    promised = [row for row in rows if not row.endswith(("| guarded by |", "| kept by |"))]
    assert len(promised) > 1
    assert [row for row in promised if not NAMED.search(row) and "no test" not in row] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_file_that_is_named_exists(document: Path) -> None:
    named = re.findall(
        r"`((?:bot|handlers|domain|storage|locales|tests|docs|bench|\.ci)/[\w./-]*)`", document.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_page_on_the_life_of_a_signal_is_what_the_code_does() -> None:
    written = (DOCS / "life.md").read_text(encoding="utf-8")
    assert written == page(), "run: make docs"
