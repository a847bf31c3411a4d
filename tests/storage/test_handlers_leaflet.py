"""The leaflet that a professional asks for: which one it is, for whom, and what it is to hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from domain.life import State
from handlers.cards import Enclosed, card
from handlers.leaflet import Leaflet
from handlers.office import Office
from handlers.words import line
from storage.outbox import ENCLOSE
from storage.schema import outbox
from tests.storage.house import ANNA, FATIMA, JOOST, SANNE, START, House, open_house

BORN = {"parents": "03-03-2014", "parents and child": "03-03-2010", "child": "02-03-2010"}
"""On the day of placing (2 March 2026): almost 12, almost 16, and exactly 16 years old."""


async def asked(house: House, text: str, who: str = FATIMA) -> tuple[dict[str, Any], Leaflet]:
    """The card that answers, and the leaflet that is to go with it."""
    cards = await house.say(who, text)
    (shown,) = [one for one in cards if "re" in one["wenk"]]
    assert shown["wenk"]["kind"] == "leaflet", shown["body"]
    return shown, msgspec.convert(shown[ENCLOSE], Leaflet)


@pytest.mark.parametrize("age", BORN)
async def test_everybody_who_must_be_told_gets_a_version(house: House, age: str) -> None:
    ref = await house.place(FATIMA, f"signaal Sanne; de Vries; {BORN[age]}; 9203 ZX 95a")
    tell = house.last(FATIMA, "signal.placed")["tell"]
    shown, leaflet = await asked(house, f"!folder {ref}")
    assert shown["wenk"]["version"] == list(leaflet.versions) == tell == age.split(" and ")
    # It is the day of placing that counts, also after the next of these birthdays.
    await house.pass_time(days=400)
    assert (await asked(house, f"folder {ref}"))[1].versions == leaflet.versions


async def test_the_answer_is_one_file_that_tells_nothing_of_the_child(house: House) -> None:
    ref = await house.place(FATIMA)
    before = house.heard(FATIMA)
    shown, leaflet = await asked(house, f"!leaflet {ref.lower()}")
    assert house.heard(FATIMA) == before + 1
    assert (shown["msgtype"], shown["filename"]) == ("m.file", "folder.pdf")
    assert shown["wenk"] | {"id": ""} == {
        "v": 1, "id": "", "kind": "leaflet", "re": house.last_event, "ref": ref, "language": "nl",
        "version": ["parents"],
    }  # fmt: skip
    assert not [word for word in ("Sanne", "Vries", "2015", "9203") if word in str(shown)]
    assert ref not in str(msgspec.to_builtins(leaflet))
    assert (await house.audited())[-1] == "leaflet.made"
    await house.pass_time(hours=5)
    assert shown["event_id"] not in house.redacted


async def test_a_letter_names_the_child_and_does_not_stay(house: House) -> None:
    ref = await house.place(FATIMA)
    shown, leaflet = await asked(house, f"folder {ref} turks brief")
    assert (shown["wenk"]["language"], shown["filename"]) == ("tr", "brief.pdf")
    assert "Sanne" not in str({name: part for name, part in shown.items() if name != ENCLOSE})
    cover = leaflet.cover
    assert cover is not None
    assert (cover.given, cover.surname) == ("Sanne", "de Vries")
    days = (cover.written_on, cover.placed_on, cover.active_until, cover.erase_on)
    assert [day.isoformat() for day in days] == ["2026-03-02", "2026-03-02", "2028-03-02", "2031-03-02"]
    assert cover.professional == ("Fatima Bouali", "begeleider", "De Wilgen", "0512 123456", "mail@example.nl")
    assert (await house.audited())[-1] == "leaflet.letter"
    await house.pass_time(minutes=59)
    assert shown["event_id"] not in house.redacted
    await house.pass_time(minutes=1)
    assert shown["event_id"] in house.redacted


async def test_what_waits_to_be_made_is_sealed(house: House) -> None:
    ref = await house.place(FATIMA)
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        letter = card("leaflet", line("leaflet.unchecked"), enclosed=Enclosed(line("file.letter"), {"name": "Sanne"}))
        await Office(uow, house.region).post(desk.id, letter, "nl")
        rows = await uow.outbox._s.all(select(outbox).where(outbox.c.state == "pending"))
    assert len(rows) == 1
    assert b"Sanne" not in b"".join(str(value).encode() for value in rows[0])
    assert ref not in str(rows[0])


async def test_the_language_is_that_of_the_desk_unless_another_is_asked_for(house: House) -> None:
    ref = await house.place(FATIMA)
    for typed, code in (("", "nl"), ("turks", "tr"), ("Arabic", "ar"), ("українська", "uk"), ("fy", "fy")):
        shown, leaflet = await asked(house, f"folder {ref} {typed}")
        assert shown["wenk"]["language"] == leaflet.language == code
        assert ("niet nagekeken door een moedertaalspreker" in shown["body"]) is (code != "nl")
    await house.say(FATIMA, "taal en")
    shown, _leaflet = await asked(house, f"leaflet {ref}")
    assert (shown["wenk"]["language"], shown["filename"]) == ("en", "leaflet.pdf")
    assert "not checked by a native speaker" in shown["body"]
    shown, _leaflet = await asked(house, f"leaflet {ref} dutch")
    assert (shown["wenk"]["language"], "checked" in shown["body"]) == ("nl", False)


async def test_what_is_missing_or_unknown_is_asked_for(house: House) -> None:
    ref = await house.place(FATIMA)
    assert (await house.answer(FATIMA, "!folder"))["field"] == "ref"
    assert (await house.answer(FATIMA, ref))["kind"] == "leaflet"
    refused = await house.answer(FATIMA, f"!folder {ref} klingon")
    assert (refused["code"], refused["field"]) == ("bad_input", "leaflet")
    assert "Oekraïens" in refused["body"]
    answer = await house.answer(FATIMA, "pools")
    assert (answer["kind"], answer["language"]) == ("leaflet", "pl")


async def test_only_of_ones_own_signals(house: House) -> None:
    ref = await house.place(FATIMA)
    theirs, nobodys = await house.answer(JOOST, f"folder {ref}"), await house.answer(JOOST, "folder S-000000")
    assert theirs["code"] == nobodys["code"] == "not_found"
    assert theirs["body"] == nobodys["body"]
    assert (await house.answer(ANNA, f"folder {ref}"))["code"] == "not_allowed"


async def test_also_of_a_signal_that_ended_or_is_frozen_but_not_of_one_that_is_gone(house: House) -> None:
    ended, frozen = await house.place(FATIMA), await house.place(FATIMA, SANNE.replace("Sanne", "Tim"))
    await house.answer(FATIMA, f"intrekken {ended} klaar")
    async with house.storage.unit() as uow:
        signal = await uow.signals.by_ref(frozen)
        assert signal is not None
        await uow.signals.set_state(signal, State.FROZEN, None, signal.active_until)
        await uow.audit.write(ANNA, "signal.frozen", signal.key)
    for ref in (ended, frozen):
        assert (await house.answer(FATIMA, f"folder {ref} brief"))["kind"] == "leaflet"
    # Erased by rights, although no sweep has come by.
    house.now = START.replace(year=2031)
    assert (await house.answer(FATIMA, f"folder {ended}"))["code"] == "not_found"


async def test_it_is_the_regions_leaflet_on_the_ground_on_which_the_signal_was_placed(
    database_url: str, tmp_path: Path
) -> None:
    chosen = {
        "active_years": 1, "erase_years": 3, "erase_from": "inactive", "basis": "toestemming",
        "contact": ("Carins", "088 - 50 65 400"), "privacy_officer": ("fg@voorbeeld.nl",), "controller": "Het college",
        "index_name": "ViF ZiZeO", "leaflet_text": ("De computers staan in Nederland.",),
    }  # fmt: skip
    async with open_house(database_url, tmp_path, **chosen) as house:
        ref = await house.place(FATIMA)
        _shown, leaflet = await asked(house, f"folder {ref} brief")
        expected = {name: value for name, value in chosen.items() if name not in {"index_name", "leaflet_text"}}
        assert {name: getattr(leaflet, name) for name in expected} == expected
        assert (leaflet.index, leaflet.region) == ("ViF ZiZeO", "Smallingerland")
        assert leaflet.own_words == ("De computers staan in Nederland.",)
        assert leaflet.cover is not None
        assert leaflet.cover.erase_on.isoformat() == "2030-03-02"
        house.region = replace(house.region, basis="jeugdwet")
        assert (await asked(house, f"folder {ref}"))[1].basis == "toestemming"


async def test_what_was_enclosed_is_purged_with_its_card(house: House) -> None:
    documents = {}
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        for personal in (True, False):
            shown = card(
                "leaflet", line("leaflet.unchecked"), personal=personal, enclosed=Enclosed(line("file.letter"), {})
            )
            identity = await Office(uow, house.region).post(desk.id, shown, "nl")
            documents[personal] = f"mxc://localhost/{identity}"
            content = {"body": "", "wenk": {"kind": "leaflet"}, "file": {"url": documents[personal]}}
            await uow.outbox.enclosed(identity, content, documents[personal])
    sent = await house.deliver()
    assert [one["file"]["url"] for one in sent] == list(documents.values())
    await house.pass_time(minutes=59)
    assert house.purged == []
    await house.pass_time(minutes=1)
    await house.pass_time(hours=5)
    assert house.purged == [documents[True]]
    assert sent[0]["event_id"] in house.redacted
