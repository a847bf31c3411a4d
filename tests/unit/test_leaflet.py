"""The leaflet: every language says the same, with the region's own terms, on pages that everybody can read."""

import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import product
from string import Formatter
from typing import Any

import msgspec
import pytest
import typst
from pypdf import PdfReader

from bot.leaflet import CannotSet, compose, make_pdf
from domain.birth import BirthDate
from domain.calendar import add_years
from domain.notice import must_tell
from handlers.leaflet import Cover, Leaflet, Wishes, read_wishes
from locales import LANGUAGES as OF_CARDS
from locales import catalogue
from locales.leaflet import FOLDER, LANGUAGES, TEMPLATE, is_checked, language_called, name_of, texts

COVER = Cover(
    given="Sanne",
    surname="de Vries",
    written_on=date(2026, 3, 5),
    placed_on=date(2026, 3, 2),
    active_until=date(2028, 3, 2),
    erase_on=date(2031, 3, 1),
    professional=("Fatima Bouali", "intern begeleider", "Basisschool De Wilgen", "0512 123456", "fatima@wilgen.nl"),
)
LEAFLET = Leaflet(
    language="nl",
    versions=("parents", "child"),
    region="Smallingerland",
    index="Verwijsindex",
    controller="",
    contact=("Carins", "088 - 50 65 400"),
    privacy_officer=("fg@voorbeeld.nl",),
    basis="jeugdwet",
    active_years=2,
    erase_years=5,
    erase_from="placed",
)


def leaflet(**changes: Any) -> Leaflet:  # noqa: ANN401 (fields of Leaflet)
    return msgspec.structs.replace(LEAFLET, **changes)


def opened(made: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(made))


def printed(made: bytes) -> str:
    """All that is on the pages, in their order, in one line."""
    return " ".join(" ".join(page.extract_text() for page in opened(made).pages).split())


def strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from strings(part)
        case list():
            for part in value:
                yield from strings(part)


def shape(value: object) -> object:
    """The names of texts, and what is filled into each."""
    match value:
        case dict():
            return {name: shape(part) for name, part in value.items()}
        case list():
            return [shape(part) for part in value]
        case str():
            return {name for _, name, _, _ in Formatter().parse(value) if name}
    return value


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_things_filled_in(language: str) -> None:
    dutch, other = dict(texts("nl")), dict(texts(language))
    assert {*dutch.pop("language")} == {*other.pop("language")}
    assert shape(other) == shape(dutch)
    assert all(text.strip() for text in strings(other))


def test_every_file_is_one_of_the_languages() -> None:
    assert {file.stem for file in FOLDER.glob("*.toml")} == set(LANGUAGES)


def test_a_language_is_found_by_all_its_names_and_each_name_is_of_one() -> None:
    for typed, code in {
        "turks": "tr",
        "TR": "tr",
        "turkish": "tr",
        "Türkçe": "tr",
        "العربية": "ar",
        "ua": "uk",
    }.items():
        assert language_called(typed) == code
    names = [name for code in LANGUAGES for name in texts(code)["language"]["typed"]]
    assert len(names) == len(set(names))
    for code in LANGUAGES:
        known = texts(code)["language"]["typed"]
        assert all(name == name.casefold() for name in known)
        assert {code, texts(code)["language"]["own_name"].casefold()} <= set(known)
        assert {name_of(code, shown).casefold() for shown in OF_CARDS} <= set(known)
    assert language_called("klingon") is None


@pytest.mark.parametrize("shown", OF_CARDS)
def test_who_asks_for_a_language_that_is_not_there_sees_which_are(shown: str) -> None:
    choices = catalogue(shown)["example.leaflet"]
    assert all(name_of(code, shown) in choices for code in LANGUAGES)


def test_what_was_asked_for_may_stand_in_any_order() -> None:
    assert read_wishes("turks brief") == read_wishes("Letter; TR") == Wishes("tr", letter=True)
    assert read_wishes("") == Wishes()
    with pytest.raises(ValueError, match="unknown_choice"):
        read_wishes("turks klingon")


def told(version: dict[str, Any]) -> str:
    return " ".join(strings(version))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_terms_are_the_regions(language: str) -> None:
    """Whatever a region chooses, each version has its two terms and the 23rd birthday, and no other number."""
    choices_of_a_region = product((1, 2), range(1, 6), ("placed", "inactive"), ("jeugdwet", "toestemming"))
    for active, erase, counted, basis in choices_of_a_region:
        made = compose(
            leaflet(language=language, active_years=active, erase_years=erase, erase_from=counted, basis=basis)
        )
        after = texts(language)["words"]["after"][erase - 1]
        for who, version in zip(LEAFLET.versions, made["versions"], strict=True):
            choices, said = texts(language)[who]["choices"], told(version)
            assert {one for one in ("placed", "inactive") if choices[one].format(after=after) in said} == {counted}
            assert {one for one in ("jeugdwet", "toestemming") if choices[one] in said} == {basis}
            numbers = re.findall(r"\d+", " ".join(version["sections"][-1]["text"]))
            assert sorted(map(int, numbers)) == sorted([active, erase, 23])


def test_the_ages_are_those_of_the_rules() -> None:
    """Who may ask: as the notice has it, but from 12 to 15 together."""
    ages = {}
    for age in range(23):
        born = BirthDate(2000, 5, 17)
        ages[age] = must_tell(born, add_years(born.earliest, age))
    alone, together = (min(age for age in ages if ages[age] == who) for who in (("child",), ("parents", "child")))
    for language in LANGUAGES:
        asks = told(compose(leaflet(language=language))["versions"][0]["yours"][-1])
        numbers = dict.fromkeys(map(int, re.findall(r"\d+", asks)))
        assert list(numbers) == [together, alone - 1, alone], language


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_version_is_a_front_and_a_back(language: str) -> None:
    longest = leaflet(
        language=language, region="Regio Zuid-Kennemerland en IJmond", index="Verwijsindex Fryslân ZiZeO",
        controller="het college van burgemeester en wethouders van de gemeente Súdwest-Fryslân",
        contact=("Een lange naam van de organisatie waar je met vragen terechtkunt", *["Nog een regel"] * 4),
        own_words=("Zo lang als een alinea van de regio mag zijn.   " * 6,) * 3,
    )  # fmt: skip
    for basis in ("jeugdwet", "toestemming"):
        assert len(opened(make_pdf(msgspec.structs.replace(longest, basis=basis))).pages) == 4
    assert len(opened(make_pdf(msgspec.structs.replace(longest, versions=("child",)))).pages) == 2
    assert len(opened(make_pdf(msgspec.structs.replace(longest, cover=COVER))).pages) == 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_everybody_can_have_it_read_to_them(language: str) -> None:
    """Tagged, in its language, titled, PDF/UA-1 by its own word, and with every font inside."""
    made = opened(make_pdf(leaflet(language=language, cover=COVER)))
    root: Any = made.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] == True  # noqa: E712 (pypdf's own kind of true)
    assert root["/StructTreeRoot"]["/K"]
    assert root["/Lang"].split("-")[0] == language
    assert root["/ViewerPreferences"]["/DisplayDocTitle"] == True  # noqa: E712 (as above)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    assert made.metadata is not None
    assert made.metadata.title == texts(language)["parents"]["title"]
    for page in made.pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]  # pypdf: any object
            descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert {"/FontFile2", "/FontFile3"} & set(descriptor)


def kinds(element: Any) -> Iterator[str]:  # noqa: ANN401 (pypdf: any object)
    """What the parts of a tagged page are, as a screen reader hears them."""
    element = element.get_object()
    if isinstance(element, list):
        for part in element:
            yield from kinds(part)
    elif isinstance(element, dict) and "/S" in element:
        yield str(element["/S"])
        yield from kinds(element.get("/K", []))


def test_one_can_go_from_heading_to_heading() -> None:
    tree: Any = opened(make_pdf(leaflet(cover=COVER))).trailer["/Root"]["/StructTreeRoot"]  # type: ignore[index]
    found = Counter(kinds(tree["/K"]))
    # Two letters and two leaflets; each leaflet has a front and a back, and seven sections, one with four rights.
    assert {kind: found[kind] for kind in ("/H1", "/H2", "/H3", "/L", "/LI")} == {
        "/H1": 4, "/H2": 4, "/H3": 14, "/L": 2, "/LI": 8,
    }  # fmt: skip


def test_typst_refuses_what_is_not_accessible() -> None:
    """So what is made is PDF/UA-1: here a title is missing, there a level of headings."""
    for faulty in (b"text", b'#set document(title: "a")\n= A\n=== B'):
        with pytest.raises(typst.TypstError, match="PDF/UA-1"):
            typst.Compiler().compile(faulty, format="pdf", pdf_standards=["ua-1"])


def test_only_the_letter_names_the_child_and_the_professional() -> None:
    plain, letter = make_pdf(LEAFLET), make_pdf(leaflet(cover=COVER))
    assert "Vries" not in printed(plain)
    assert "Aan de ouders of verzorgers van Sanne de Vries" in printed(letter)
    assert "Op 2 maart 2026 heb ik een signaal" in printed(letter)
    assert "gewist op 1 maart 2031" in printed(letter)
    assert "fatima@wilgen.nl" in printed(letter)
    metadata = opened(letter).metadata
    assert "Sanne" not in str(metadata)
    assert b"Sanne" not in opened(letter).trailer["/Root"]["/Metadata"].get_data()  # type: ignore[index]  # as above


def test_what_the_law_asks_for_is_there() -> None:
    """AVG 14, in Dutch, in both versions; with what the region did not fill in, the leaflet says whom to ask."""
    for versions in (("parents",), ("child",)):
        said = printed(make_pdf(leaflet(versions=versions)))
        for what in (
            "het college van burgemeester en wethouders van Smallingerland", "088 - 50 65 400", "fg@voorbeeld.nl",
            "Jeugdwet, artikel 7.1.4.1", "AVG, artikel 6", "geboortedatum", "van de professional", "2 jaar actief",
            "5 jaar nadat het is geplaatst", "23", "kopie", "niet klopt", "Autoriteit Persoonsgegevens", "computer",
            "thuis, op papier",
        ):  # fmt: skip
            assert what in said, (versions, what)
        bare = printed(make_pdf(leaflet(versions=versions, contact=(), privacy_officer=())))
        assert "bel Smallingerland" in bare
        assert "Vraag ernaar bij Smallingerland" in bare


@pytest.mark.parametrize("language", ["nl", "en", "ar"])
def test_the_region_may_add_its_own_words(language: str) -> None:
    """As it wrote them, in both versions, and said to be Dutch to whoever has the leaflet read to them."""
    words = "De computers staan in Nederland."
    made = make_pdf(leaflet(language=language, own_words=(words,)))
    assert printed(made).count(words) == 2
    tree: Any = opened(made).trailer["/Root"]["/StructTreeRoot"]  # type: ignore[index]  # as above
    plain = opened(make_pdf(leaflet(language=language)))
    before: Any = plain.trailer["/Root"]["/StructTreeRoot"]  # type: ignore[index]  # as above
    assert Counter(kinds(tree["/K"]))["/H3"] == Counter(kinds(before["/K"]))["/H3"] + 2


def test_a_translation_that_nobody_checked_says_so() -> None:
    for language in LANGUAGES:
        note = compose(leaflet(language=language))["unchecked"]
        assert bool(note) is not is_checked(language)
    assert [code for code in LANGUAGES if is_checked(code)] == ["nl"]


def test_what_people_typed_is_never_markup() -> None:
    """It is printed as it stands, and can neither read a file nor end the text."""
    nasty = '#read("/etc/passwd") *x* _y_ $z$ = Kop \\ ] } " {region} <b> // `c`'
    everywhere = dict.fromkeys(("region", "index", "controller"), nasty) | dict.fromkeys(
        ("contact", "privacy_officer", "own_words"), (nasty,)
    )
    cover = msgspec.structs.replace(COVER, given=nasty, surname=nasty, professional=(nasty,))
    said = printed(make_pdf(leaflet(**everywhere, cover=cover))).replace(" ", "")
    assert said.count(nasty.replace(" ", "")) >= 10
    assert "root:" not in said


def test_nothing_outside_its_folder_can_be_read() -> None:
    for path in ("/etc/passwd", "../__init__.py"):
        with pytest.raises(typst.TypstError):
            typst.Compiler(root=FOLDER).compile(f'#read("{path}")'.encode(), format="pdf")
    assert not re.search(r"read\(|import|include|@preview|image\(", TEMPLATE.read_text())


def test_a_letter_that_cannot_be_printed_is_not_in_the_fault() -> None:
    with pytest.raises(CannotSet) as fault:
        make_pdf(leaflet(cover=msgspec.structs.replace(COVER, given="\u6797")))
    assert "\u6797" not in str(fault.value)
    assert fault.value.__cause__ is None
    assert fault.value.__suppress_context__


def test_names_in_other_scripts_are_printed() -> None:
    for given in ("Łukasz", "Şeyma", "Оксана", "محمد", "ሰላም", "ანა", "Ðặng"):
        make_pdf(leaflet(cover=msgspec.structs.replace(COVER, given=given)))


def test_among_letters_from_right_to_left_a_telephone_number_keeps_its_order() -> None:
    facts = compose(leaflet(language="ar"))["facts"]
    assert facts[1]["lines"][1] == "\u2068088 - 50 65 400\u2069"
    assert compose(leaflet())["facts"][1]["lines"][1] == "088 - 50 65 400"
