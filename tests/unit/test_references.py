import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.references import CROCKFORD, Kind, make_reference, parse_reference

kinds: st.SearchStrategy[Kind] = st.sampled_from(get_args(Kind))


def test_crockford_leaves_out_what_is_misread() -> None:
    assert len(set(CROCKFORD)) == 32
    assert not set("ILOU") & set(CROCKFORD)


def test_a_reference_is_as_random_as_what_it_is_given() -> None:
    figures = iter([7, 3, 20, 23, 31, 9])
    assert make_reference("S", lambda below: next(figures) % below) == "S-73MQZ9"


@pytest.mark.parametrize("typed", ["S-1K0QZ9", "s-1k0qz9", " S1K0QZ9 ", "s ikoqz9", "S-LKOQZ9", "S\u20131k0QZ9"])
def test_a_reference_is_read_as_people_type_it(typed: str) -> None:
    assert parse_reference(typed, "S") == "S-1K0QZ9"


@pytest.mark.parametrize(
    "typed",
    ["", "S", "S-", "M-1K0QZ9", "S-1K0QZ", "S-1K0QZ99", "S-1K0QU9", "S--1K0QZ9", "S-1K0QZ9 done", "S-1\u212a0QZ9"],
)
def test_anything_else_is_none(typed: str) -> None:
    assert parse_reference(typed, "S") is None


@given(kinds, st.randoms(), st.booleans(), st.sampled_from(["-", "", " ", "\u2011"]))
def test_what_is_made_is_read_again(kind: Kind, source: random.Random, lower: bool, dash: str) -> None:  # noqa: FBT001
    reference = make_reference(kind, source.randrange)
    typed = reference.replace("-", dash)
    assert parse_reference(typed.lower() if lower else typed, kind) == reference


@given(st.text(), kinds)
def test_any_text_is_a_reference_or_none(typed: str, kind: Kind) -> None:
    reference = parse_reference(typed, kind)
    assert reference is None or parse_reference(reference, kind) == reference
