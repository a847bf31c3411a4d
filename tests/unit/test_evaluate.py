"""`wenk evaluate` from outside."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from bot.rows import profile
from training import figures, register

HERE: Final = Path(__file__).parents[2]
HEADER = "id,given_names,surname,date_of_birth,street,house_number,postcode,place\n"
REGISTER = f"""{HEADER}r1,Johannes Pieter,van der Berg,2015-03-14,Kerkstraat,12a,9203 ZX,Drachten
r2,Sanne,Dijkstra,20150314,Dorpsstraat,95,9203ZA,Drachten
r3,Noor,Dijkstra,20150314,Dorpsstraat,95,9203ZA,Drachten
r4,Mitchell,Greenwater,20151309,Wallaby Place,7,2119,Cleveland
r5,Fenna,Zijlstra,,Hoofdweg,3,9205AB,
r6,Ilse,Postma,2012-02-30,Hoofdweg,9,9205AB,
"""


def evaluate(where: Path, new: str, *options: str, known: str = REGISTER) -> tuple[dict[tuple[str, str], str], str]:
    (where / "register.csv").write_text(known, encoding="utf-8")
    (where / "new.csv").write_text(new, encoding="utf-8")
    files = [str(where / name) for name in ("register.csv", "new.csv", "out.csv")]
    done = subprocess.run(  # noqa: S603 (our own)
        [sys.executable, "-m", "bot", "evaluate", files[0], files[1], "-o", files[2], *options],
        cwd=HERE, text=True, capture_output=True, check=True,
    )  # fmt: skip
    with (where / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(list(row) == ["new_id", "register_id", "decision", "score"] for row in rows)
    assert all(float(row["score"]) for row in rows)
    return {(row["new_id"], row["register_id"]): row["decision"] for row in rows}, done.stderr


def test_the_same_children_as_others_write_them(tmp_path: Path) -> None:
    new = f"""{HEADER}n1,Jan,"Berg, v.d.",20150314,,12-A,9203ZX,Elsewhere
n2,SANNE,Dijkstra,2015-03-14,Dorpsstr.,95,9203 ZA,
n4,Mitchell,Greenwater,2015-13-09,Wallaby Place,7,2119,
n5,Fenna,Zijlstra,,Hoofdweg,3,9205AB,
n6,Ilse,Postma,20120230,Hoofdweg,9,9205AB,
n7,,,,,,,
"""
    decided, said = evaluate(tmp_path, new)
    # A twin is nobody's match; a date that is missing is no evidence, and what is left is asked about.
    assert decided == {
        ("n1", "r1"): "auto",
        ("n2", "r2"): "auto",
        ("n4", "r4"): "auto",
        ("n5", "r5"): "review",
        ("n6", "r6"): "auto",
    }
    assert "0 rows could not be read" in " ".join(said.split())


def test_without_guards_score_and_threshold_decide(tmp_path: Path) -> None:
    new = HEADER + "n2,Sanne,Dijkstra,20150314,Dorpsstraat,95,9203ZA,\nn5,Fenna,Zijlstra,,Hoofdweg,3,9205AB,\n"
    decided, _ = evaluate(tmp_path, new, "--without-twin-guard")
    assert decided == {("n2", "r2"): "auto", ("n2", "r3"): "auto", ("n5", "r5"): "auto"}


def written(where: Path, row: str, known: str = REGISTER) -> list[str]:
    """What is written of a new row for each place: as in the register, misspelled, another, none."""
    texts = []
    for place in ("Drachten", "Drahcten", "Groningen", ""):
        evaluate(where, f"{HEADER}{row},{place}\n", known=known)
        texts.append((where / "out.csv").read_text(encoding="utf-8"))
    return texts


@pytest.mark.parametrize("home", ["Kerkstraat,12a,9203ZX", "Kerkstraat,12a,"])
def test_the_place_says_nothing_of_a_dutch_address(tmp_path: Path, home: str) -> None:
    texts = written(tmp_path, f"n1,Jan,van der Berg,20150314,{home}")
    assert "n1,r1,auto" in texts[0]
    assert len(set(texts)) == 1


def test_the_place_is_evidence_beside_a_foreign_postcode(tmp_path: Path) -> None:
    known = REGISTER.replace("2119,Cleveland", "2119,Drachten")
    same, misspelled, other, unknown = (
        float(text.splitlines()[1].split(",")[-1])
        for text in written(tmp_path, "n4,Mitchell,Greenwater,20151309,Wallaby Place,7,2119", known)
    )
    assert same >= misspelled > unknown > other


@pytest.mark.parametrize(
    ("typed", "born"),
    [
        ("2015-03-00", "201503"),
        ("20150000", "2015"),
        ("2000-00-00", "2000"),
        ("00000000", ""),
        ("2010-10-10", "20101010"),
        ("2015-13-09", "20151309"),
    ],
)
def test_noughts_stand_for_what_is_not_known_of_a_birth_date(typed: str, born: str) -> None:
    assert profile(("n1", "Sanne", "Dijkstra", typed, "", "95", "9203ZA", "")).born == born


@pytest.mark.parametrize("typed", ["9203 ZA", "9203za", "NL-9203 ZA", "nl 9203za"])
def test_a_dutch_postcode_however_it_is_written(typed: str) -> None:
    row = profile(("n1", "Sanne", "Dijkstra", "", "", "95", typed, ""))
    assert (row.postcode, row.dutch_home) == ("9203za", True)


def test_a_birth_date_known_to_the_month_is_asked_about(tmp_path: Path) -> None:
    known = f"{HEADER}r1,Sanne,Dijkstra,20150310,,95,9203ZA,\n"
    assert evaluate(tmp_path, known.replace("0310", "0300"), known=known)[0] == {("r1", "r1"): "review"}


def test_a_row_that_cannot_be_parsed_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    new = f"""{HEADER}n1,Sanne
,Sanne,Dijkstra,20150314,,95,9203ZA,
n3,Sanne,Dijkstra,14 maart,,95,9203ZA,
"n4,Sanne,Dijkstra,20150314,,95,9203ZA,

n6,Sanne,Dijkstra,20150314,,95,9203ZA,
"""
    decided, said = evaluate(tmp_path, new)
    assert decided == {("n6", "r2"): "auto"}
    for line, reason in (
        (2, "2 cells instead of 8"),
        (3, "no id"),
        (4, "date_of_birth is neither"),
        (5, "quotation marks"),
    ):
        assert f"new.csv, line {line}: {reason}" in said
    assert "Sanne" not in said
    assert "4 rows could not be read" in " ".join(said.split())


@pytest.mark.parametrize("header", ["id,surname\n", "", "id;given_names\n"])
def test_a_file_without_the_columns_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        evaluate(tmp_path, header)
    assert refused.value.returncode == 1
    assert "does not name" in refused.value.stderr


def test_nothing_of_the_input_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(HEADER, encoding="utf-8")
    (tmp_path / "out.csv").symlink_to(tmp_path / "new.csv")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        evaluate(tmp_path, HEADER)
    assert "written over" in refused.value.stderr


def test_an_invented_register_keeps_the_promises(tmp_path: Path) -> None:
    known, new = register.make(6000, 2000, seed=3)
    register.write(tmp_path, known, new)
    texts = [(tmp_path / f"{name}.csv").read_text(encoding="utf-8") for name in ("register", "new")]
    decided, _ = evaluate(tmp_path, texts[1], known=texts[0])
    found = figures.count(tmp_path, decided)
    assert found.false_automatic == 0
    assert found.recall >= 0.85
    assert found.recall_with_review >= 0.99
    assert found.false_reviews < 0.03
