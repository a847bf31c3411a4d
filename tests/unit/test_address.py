import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address import Address, BadAddress, parse_address
from tests.unit.strategies import addresses, homes

HOME = Address("home", "9203ZX", 95, "a")


@pytest.mark.parametrize(
    "typed",
    [
        "9203 ZX 95a", "9203zx, 95 a", "9203ZX 95-A", "9203zx95a", "95a 9203 ZX", "95 A, 9203zx", "9203 ZX 095/a",
        "9203\u00a0ZX\u00a095\u00a0a",
    ],
)  # fmt: skip
def test_one_home_however_it_is_written(typed: str) -> None:
    assert parse_address(typed) == HOME


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("9203zx 12 bis", "9203 ZX 12bis"),
        ("9203zx 12", "9203 ZX 12"),
        ("9203zx 12-2", "9203 ZX 12-2"),
        ("9203zx 12 2", "9203 ZX 12-2"),
        ("9203zx 12-2-1", "9203 ZX 12-2-1"),
        ("9203zx 12\u20132", "9203 ZX 12-2"),
        ("9203zx 12\u2011a", "9203 ZX 12a"),
        ("9203zx 12 a 2", "9203 ZX 12a2"),
        ("1234 ab 5678 cd", "1234 AB 5678cd"),
        ("GEEN", "none"),
        ("none", "none"),
        (" geheim ", "secret"),
        ("Secret", "secret"),
    ],
)
def test_written_in_one_way(typed: str, written: str) -> None:
    assert str(parse_address(typed)) == written


def test_a_suffix_in_figures_is_another_home() -> None:
    assert len({parse_address(f"9203 ZX {house}") for house in ("12", "12-2", "122", "12-21", "12-2-1", "12a")}) == 6


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "no_postcode"),
        ("95a", "no_postcode"),
        ("0203 ZX 95", "no_postcode"),
        ("9203 SS 95", "no_postcode"),
        ("19203 ZX 95", "no_postcode"),
        ("9203 ZX", "no_number"),
        ("9203 ZX 0", "no_number"),
        ("9203 ZX Drachten", "no_number"),
        ("9203 ZX 123456", "unreadable"),
        ("95a 9203 ZX 3", "unreadable"),
        ("Dorpsstraat 95, 9203 ZX", "unreadable"),
        ("9203 ZX 95 bel eerst even", "unreadable"),
        ("9203 ZX 95 @", "unreadable"),
        ("9203 ZX " + "1" * 5000, "unreadable"),
    ],
)
def test_what_is_no_address_says_why(typed: str, code: str) -> None:
    with pytest.raises(BadAddress) as refusal:
        parse_address(typed)
    assert refusal.value.code == code


@given(st.text(st.sampled_from("0123456789 ZXzxa-/.,sd@é\u00a0"), max_size=20))
def test_any_text_is_an_address_or_is_refused_without_being_repeated(typed: str) -> None:
    read: Address | str
    try:
        read = parse_address(typed)
    except BadAddress as refusal:
        read = str(refusal)
    assert read in {"no_postcode", "no_number", "unreadable"} or parse_address(str(read)) == read


@given(addresses)
def test_what_is_written_is_read_again(address: Address) -> None:
    assert parse_address(str(address)) == address


@given(homes)
def test_the_number_may_come_first(home: Address) -> None:
    postcode, house = str(home)[:7], str(home)[8:]
    # Four figures and two letters are a postcode wherever they stand.
    if not (home.number > 999 and len(home.suffix) == 2 and home.suffix.isalpha()):
        assert parse_address(f"{house}, {postcode}") == home


@pytest.mark.parametrize(
    ("postcode", "number", "suffix"),
    [
        ("9203zx", 95, ""),
        ("9203 ZX", 95, ""),
        ("", 95, ""),
        ("9203ZX", 0, ""),
        ("9203ZX", 95, "A"),
        ("9203ZX", 95, "-a"),
        ("9203ZX", 95, "belvooraf"),
    ],
)
def test_no_home_in_another_spelling(postcode: str, number: int, suffix: str) -> None:
    with pytest.raises(BadAddress):
        Address("home", postcode, number, suffix)


def test_a_shielded_child_has_no_address() -> None:
    with pytest.raises(BadAddress):
        Address("secret", "9203ZX", 95)


def test_nothing_of_a_child_in_a_repr() -> None:
    assert "9203" not in repr(HOME)
