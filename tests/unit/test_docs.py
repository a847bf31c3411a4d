"""What the documents point at is there."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
NAMED: Final = re.compile(r"`(?:(\w+)/)?(\w+)::(test_\w+)`")


def test_each_test_that_guards_a_trap_exists() -> None:
    named = NAMED.findall((ROOT / "docs" / "traps.md").read_text(encoding="utf-8"))
    assert named
    missing = []
    for folder, file, test in named:
        path = ROOT / "tests" / (folder or "matrix") / f"test_{file}.py"
        if not path.exists() or not re.search(
            rf"^(?:async )?def {test}\(", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            missing.append(f"{path.relative_to(ROOT)}::{test}")
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_file_that_is_named_exists(document: Path) -> None:
    named = re.findall(
        r"`((?:bot|handlers|domain|storage|locales|tests|docs|bench|\.ci)/[\w./-]*)`", document.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []
