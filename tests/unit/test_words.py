from datetime import date
from html import unescape
from html.parser import HTMLParser
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handlers.words
from handlers.cards import TO_ACT_ON, card, error, render
from handlers.words import line, say

TEXTS = {"name": "**Dag {name}**", "two": "`{one}`\n{other}", "amp": "a < b & c", "day": "tot {day}", "list": "{all}"}


@pytest.fixture(autouse=True)
def texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers.words, "catalogue", lambda _language: MappingProxyType(TEXTS))


class Seen(HTMLParser):
    """What a reader of the HTML sees, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_strong_code_and_line_breaks() -> None:
    said = say(line("two", one="1", other="2"), "nl")
    assert (said.plain, said.html) == ("\u20181\u2019\n2", "<code>1</code><br>2")
    assert say(line("name", name="Lin"), "nl").html == "<strong>Dag Lin</strong>"
    assert say(line("amp"), "nl").html == "a &lt; b &amp; c"


@given(name=st.text())
def test_what_is_filled_in_is_never_markup(name: str) -> None:
    said = say(line("name", name=name), "nl")
    assert said.plain == f"Dag {name}"
    seen = Seen()
    seen.feed(said.html)
    seen.close()
    assert set(seen.tags) <= {"strong", "br"}
    assert seen.tags.count("strong") == 1
    assert unescape(said.html.replace("<br>", "\n")) == f"<strong>Dag {name}</strong>"


def test_lines_days_and_lists_within_lines() -> None:
    assert say(line("name", name=line("amp")), "nl").html == "<strong>Dag a &lt; b &amp; c</strong>"
    assert say(line("day", day=date(2026, 3, 2)), "nl").plain == "tot 2 maart 2026"
    assert say(line("day", day=date(2026, 3, 2)), "en").plain == "tot 2 March 2026"
    both = say(line("list", all=(line("amp"), "<x>")), "nl")
    assert (both.plain, both.html) == ("a < b & c\n<x>", "a &lt; b &amp; c<br>&lt;x&gt;")


def test_a_card_as_matrix_content() -> None:
    content = render(card("help", line("amp"), line("name", name="Lin"), ref="S-7K3QZ9"), "nl", "$asked")
    assert content == {
        "msgtype": "m.notice",
        "body": "a < b & c\nDag Lin",
        "format": "org.matrix.custom.html",
        "formatted_body": "a &lt; b &amp; c<br><strong>Dag Lin</strong>",
        "m.mentions": {},
        "wenk": {"kind": "help", "re": "$asked", "ref": "S-7K3QZ9"},
    }
    assert "re" not in render(card("help", line("amp")), "nl")["wenk"]


def test_an_error_has_a_code_and_its_own_text_or_that_of_the_code() -> None:
    assert error("expired").text == (line("error.expired"),)
    assert error("expired", line("amp"), field="born").fields == {"code": "expired", "field": "born"}


def test_what_must_be_acted_on_rings_a_bell() -> None:
    for kind in TO_ACT_ON:
        assert render(card(kind, line("amp")), "nl")["msgtype"] == "m.text"
