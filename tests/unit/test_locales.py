"""Every text is there in both languages, with the same things filled in; none is there for nothing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po

import bot
import domain.address
import domain.birth
import domain.names
import handlers
from domain.birth import BirthDate
from domain.life import TABLE, Event, State
from domain.notice import must_tell
from handlers.approvals import MATTERS
from handlers.command import Commands
from handlers.guide import CHAPTERS
from handlers.life import text_of
from handlers.reception import commands, in_room
from handlers.why import TOLD
from handlers.words import Line, line, say
from locales import LANGUAGES, catalogue

PACKAGES = [Path(str(package.__file__)).parent for package in (bot, handlers)]


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def sources() -> Iterator[ast.Module]:
    for package in PACKAGES:
        for file in package.rglob("*.py"):
            yield ast.parse(file.read_text())


def called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def calls() -> Iterator[ast.Call]:
    for tree in sources():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def texts_named(node: ast.expr) -> Iterator[str]:
    """The names that an expression can give: `{...}` in them is a wildcard."""
    match node:
        case ast.Constant(value=str(name)):
            yield name
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from texts_named(one)
            yield from texts_named(other)


def names_in_code() -> set[str]:
    """The names of texts in handlers and bot, with `*` where they are put together."""
    found: set[str] = set()
    for call in calls():
        if called(call) in {"line", "Line"} and call.args:
            found |= set(texts_named(call.args[0]))
        elif isinstance(call.func, ast.Name) and called(call) == "error" and len(call.args) == 1:
            found |= {f"error.{code}" for code in texts_named(call.args[0])}
    return found


def names_from_descriptions() -> set[str]:
    """The names that commands, faults and rules put together."""
    parameters = own_parameters()
    names = {f"help.{command.name}" for command in (*commands.all, *in_room.all)}
    names |= {f"{what}.{name}" for what in ("ask", "example") for name in parameters}
    names |= {f"bad.{name}.{code}" for name, codes in refusals().items() for code in codes}
    names |= {f"signal.list.{state}" for state in State if state is not State.ERASED}
    names |= {f"signal.withdrawn.{event}" for event in (Event.DONE, Event.MISTAKE, Event.DECEASED)}
    names |= {f"signal.withdrawn.other.{event}" for event in (Event.MISTAKE, Event.DECEASED)}
    names |= {f"error.renew.{state}" for state in (State.INACTIVE, State.FROZEN)}
    names |= {f"basis.{ground}" for ground in ("jeugdwet", "toestemming")}
    names |= {f"{where}.{kind}" for where in ("address", "remark") for kind in ("none", "secret")}
    born = BirthDate(2010, 6, 15)
    names |= {"tell." + "_".join(must_tell(born, born.earliest.replace(year=2010 + age))) for age in range(23)}
    names |= {f"alarm.{code}" for code in ("changed_identity", "stranger")}
    names |= {f"error.not_{standing}" for standing in ("active", "suspended")}
    names |= {f"professional.{done}{you}" for done in ("suspended", "restored") for you in ("", ".you")}
    names |= {f"review.decided.{heard}{said}" for heard in ("", "by_other.", "before.") for said in ("yes", "no")}
    names |= {f"why.{reason}" for reason in TOLD}
    names |= {"guide", *(f"guide.{part}" for part in (*CHAPTERS, "commands", "room", "coordinator", "asks"))}
    names |= {f"approval.decided.{heard}{said}" for heard in ("", "by_other.", "before.") for said in ("yes", "no")}
    names |= {"approval.decided.before.lapsed", *(f"approval.what.{matter}" for matter in MATTERS)}
    names |= {"welcome.professional", "welcome.coordinator", "audit.head"}
    names |= {f"error.{which}{code}" for which in ("", "correct.") for code in ("too_old", "not_born")}
    return names


def names_from_the_table() -> set[str]:
    """What is said of each thing that happens to a signal."""
    told = {kind for row in TABLE for kind in (text_of(row), row.room, row.shown) if kind is not None}
    # That is only in the answer to who does it, with a text for each reason.
    return told - {"signal.withdrawn"} | {f"alarm.{row.alarm}" for row in TABLE if row.alarm is not None}


def own_parameters() -> set[str]:
    """Those that stand for no other."""
    every = (parameter for command in commands.all for parameter in command.parameters)
    return {parameter.name for parameter in every if parameter.stands_for is None}


def refusals() -> dict[str, set[str]]:
    """For each parameter the codes with which its reader refuses."""
    name = {"empty", "too_long", "not_a_name"}
    return {
        "given": name, "surname": name, "full_name": name,
        "born": {"unreadable", "no_such_day", "two_digit_year"},
        "address": {"no_postcode", "no_number", "unreadable"},
        "ref": {"unreadable"}, "page": {"unreadable"}, "name": {"unreadable"}, "user_id": {"unreadable"},
        "organisation": {"unreadable"}, "function": {"unreadable"}, "email": {"unreadable"}, "phone": {"unreadable"},
        "reason": {"unknown_choice"}, "language": {"unknown_choice"}, "leaflet": {"unknown_choice"},
        "review": {"unreadable"}, "decision": {"unknown_choice"}, "field": {"unknown_choice"},
        "approval": {"unreadable"}, "consent": {"unknown_choice"},
        "told": {
            "unknown_choice", "unreadable", "no_such_day", "two_digit_year", "not_a_day", "future", "long_ago",
        },
    }  # fmt: skip


def test_the_codes_of_the_rules_are_these() -> None:
    for module, fault, parameters in (
        (domain.names, "BadName", ("given", "surname", "full_name")),
        (domain.birth, "BadBirthDate", ("born",)),
        (domain.address, "BadAddress", ("address",)),
    ):
        source = Path(str(module.__file__)).read_text()
        codes = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and called(node) == fault:
                codes |= {
                    leaf.value
                    for leaf in ast.walk(node.args[0])
                    if isinstance(leaf, ast.Constant) and re.fullmatch("[a-z_]+", str(leaf.value))
                }
        for parameter in parameters:
            assert codes == refusals()[parameter], fault


def test_every_parameter_refuses_with_a_text() -> None:
    parameters = own_parameters()
    assert parameters == set(refusals())


@pytest.mark.parametrize("commands", [commands, in_room])
def test_every_command_can_be_said_in_every_language(commands: Commands) -> None:
    spellings = [word for command in commands.all for words in command.words.values() for word in set(words)]
    for command in commands.all:
        assert set(command.words) == set(LANGUAGES)
        for words in command.words.values():
            for word in words:
                found = commands.find(f"! {word.upper()} rest")
                assert found is not None
                assert found[0] is command
                assert found[1] == "rest"
    shared = {word for word in spellings if spellings.count(word) > 1}
    for word in shared:
        assert len([command for command in commands.all if any(word in words for words in command.words.values())]) == 1


@pytest.mark.parametrize(("commands", "sign"), [(commands, ""), (in_room, "!")])
def test_help_shows_how_each_command_is_spelled(commands: Commands, sign: str) -> None:
    for language in LANGUAGES:
        for command in commands.all:
            shown = catalogue(language)[f"help.{command.name}"]
            assert f"`{sign}{command.words[language][0]}" in shown, (language, command.name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_stands_twice_or_empty_or_fuzzy(language: str) -> None:
    path = Path(str(__import__("locales").__file__)).parent / language / "wenk.po"
    with path.open("rb") as file:
        messages = [message for message in read_po(file, locale=language) if message.id]
    written = re.findall(r'^msgid "(.+)"$', path.read_text(), re.MULTILINE)
    assert sorted(written) == sorted({str(message.id) for message in messages})
    # Babel takes a second translation of one text in silence.
    assert len(re.findall("^msgstr", path.read_text(), re.MULTILINE)) == len(written) + 1  # the heading has no name
    assert all(str(message.string).strip() and not message.fuzzy for message in messages)


def test_both_languages_say_the_same_things() -> None:
    dutch, english = (catalogue(language) for language in LANGUAGES)
    assert set(dutch) == set(english)
    for name, text in dutch.items():
        assert fields(text) == fields(english[name]), name
        for mark in ("**", "`"):
            assert text.count(mark) % 2 == 0, name
            assert english[name].count(mark) % 2 == 0, name
            assert (mark in text) == (mark in english[name]), name


def test_every_text_that_is_used_is_there_and_every_text_that_is_there_is_used() -> None:
    used = {name for name in names_in_code() if "*" not in name} | names_from_descriptions()
    assert used | names_from_the_table() == set(catalogue("nl"))


def test_every_name_that_is_put_together_is_one_of_the_described() -> None:
    described = names_from_descriptions()
    for name in names_in_code():
        if "*" in name:
            pattern = re.compile(re.escape(name).replace(r"\*", "[a-z_.]+"))
            assert [one for one in described if pattern.fullmatch(one)], name


def test_what_is_filled_in_is_what_the_text_asks_for() -> None:
    known = catalogue("nl")
    for call in calls():
        if called(call) != "line" or not call.args or any(word.arg is None for word in call.keywords):
            continue
        for name in texts_named(call.args[0]):
            pattern = re.compile(re.escape(name).replace(r"\*", "[a-z_.]+"))
            for text in (text for text in known if pattern.fullmatch(text)):
                if "*" in name and text not in names_from_descriptions():
                    continue
                assert fields(known[text]) <= {word.arg for word in call.keywords}, (name, text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_said(language: str) -> None:
    for name, template in catalogue(language).items():
        said = say(Line(name, dict.fromkeys(fields(template), "<&>{x}")), language)
        assert "**" not in said.plain
        assert "`" not in said.plain
        assert "<&>" not in said.html
        assert re.fullmatch(r"(?:[^<>]|</?(?:strong|code)>|<br>)*", said.html), name


def test_a_text_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        say(line("no.such.text"), "nl")
    with pytest.raises(FileNotFoundError):
        say(line("help"), "fr")
