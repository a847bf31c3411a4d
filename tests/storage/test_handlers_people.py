"""Admitting, suspending and restoring; limits; languages."""

from pathlib import Path

import pytest

from handlers.desk import welcome_again
from handlers.office import Office
from handlers.people import admit_coordinators
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, House, open_house

EVA = "@eva:localhost"
DETAILS = "De Wilgen; Eva Smit; intern begeleider; e.smit@wilgen.nl; 0512 654321"


async def test_each_admitted_person_has_one_desk_that_begins_with_welcome(house: House) -> None:
    for who in (ANNA, FATIMA, JOOST, LIN):
        assert house.kinds(who)[0] == "welcome"
        assert house.kinds(who).count("welcome") == 1
    assert "coördinator" in house.cards[ANNA][0]["body"]
    assert "`signaal`" not in house.cards[ANNA][0]["body"]
    assert "signaal" in house.cards[FATIMA][0]["body"]
    async with house.storage.unit() as uow:
        await admit_coordinators(Office(uow, house.region))
    assert await house.deliver() == []
    assert (await house.audited()).count("coordinator.admitted") == 1


async def test_a_coordinator_who_is_also_a_professional_has_one_desk_for_both(house: House) -> None:
    added = await house.answer(
        ANNA, f"professional toevoegen {ANNA}; De Wilgen; Anna Bos; intern begeleider; a@b.nl; 0512"
    )
    assert added["code"] == "bad_input"
    added = await house.answer(ANNA, "0512 111111")
    assert (added["kind"], added["user_id"]) == ("professional.added", ANNA)
    await house.place(ANNA)
    assert (await house.answer(ANNA, "organisatie toevoegen Buurtteam"))["kind"] == "organisation.added"
    assert house.kinds(ANNA).count("welcome") == 1
    await house.place(JOOST)
    assert house.kinds(ANNA).count("match.notice") == 1


async def test_organisations_are_there_once(house: House) -> None:
    added = await house.answer(ANNA, "!organisatie toevoegen Basisschool Ons Genoegen")
    assert added["kind"] == "organisation.added"
    assert added["ref"].startswith("O-")
    again = await house.answer(ANNA, "organisation add basisschool  ons genoegen")
    assert (again["code"], again["ref"]) == ("duplicate", added["ref"])
    for bad in ("***", "x" * 121):
        assert (await house.answer(ANNA, f"organisatie toevoegen {bad}"))["field"] == "name"
    ref = added["ref"]
    command = f"professional toevoegen {EVA}; {ref}; Eva Smit; leraar; e@x.nl; 0512 654321"
    assert (await house.answer(ANNA, command))["kind"] == "professional.added"


async def test_a_professional_is_admitted_field_by_field(house: House) -> None:
    asked = await house.answer(ANNA, f"!professional toevoegen {EVA}")
    for field, wrong, right in (
        ("organisation", "?", "de wilgen"),
        ("full_name", "Eva 2", "Eva Smit"),
        ("function", "?", "leraar"),
        ("email", "eva", "eva@wilgen.nl"),
        ("phone", "bel maar", "0512-654321"),
    ):
        assert asked["field"] == field
        refused = await house.answer(ANNA, wrong)
        assert (refused["kind"], refused["field"]) == ("error", field)
        asked = await house.answer(ANNA, right)
    assert (asked["kind"], asked["user_id"]) == ("professional.added", EVA)
    assert house.kinds(EVA) == ["welcome"]
    assert (await house.answer(EVA, SANNE))["kind"] == "signal.proposed"


async def test_an_unknown_organisation_names_the_nearest(house: House) -> None:
    refused = await house.answer(ANNA, f"professional toevoegen {EVA}; {DETAILS.replace('Wilgen;', 'Wilgn;')}")
    assert (refused["code"], refused["field"]) == ("not_found", "organisation")
    assert "De Wilgen" in refused["body"]
    assert (await house.answer(ANNA, "De Wilgen"))["kind"] == "professional.added"


async def test_admitting_again_changes_the_details(house: House) -> None:
    await house.answer(ANNA, f"professional toevoegen {JOOST}; {DETAILS}")
    assert (await house.answer(ANNA, "ja"))["kind"] == "professional.added"
    assert house.kinds(JOOST).count("welcome") == 1
    await house.place(FATIMA)
    await house.place(JOOST)
    (who,) = house.last(FATIMA, "match.notice")["participants"]
    assert (who["organisation"], who["name"], who["phone"]) == ("De Wilgen", "Eva Smit", "0512 654321")


async def test_admitting_again_does_not_restore(house: House) -> None:
    await house.answer(ANNA, f"professional schorsen {JOOST}")
    await house.answer(ANNA, f"professional toevoegen {JOOST}; {DETAILS}")
    assert (await house.answer(ANNA, "ja"))["kind"] == "professional.added"
    assert (await house.answer(JOOST, SANNE))["code"] == "not_allowed"


async def test_only_coordinators_admit(house: House) -> None:
    for command in (
        "organisatie toevoegen X",
        f"professional toevoegen {EVA}; {DETAILS}",
        f"professional schorsen {JOOST}",
        f"professional herstellen {JOOST}",
        f"professional vertrouwen {JOOST}",
    ):
        refused = await house.answer(FATIMA, command)
        assert (refused["kind"], refused["code"]) == ("error", "not_allowed")
    shown = (await house.answer(FATIMA, "help"))["body"]
    assert "schorsen" not in shown
    assert "schorsen" in (await house.answer(ANNA, "help"))["body"]
    assert "intrekken" not in (await house.answer(ANNA, "help"))["body"]


async def test_who_is_suspended_may_do_nothing_leaves_and_hears_nothing(house: House) -> None:
    for who in (FATIMA, JOOST):
        await house.place(who)
    for who in (FATIMA, JOOST):
        await house.enter(who)
    assert (await house.answer(ANNA, f"professional schorsen {FATIMA}"))["kind"] == "professional.suspended"
    assert house.kinds(FATIMA)[-1] == "professional.suspended"
    assert await house.wanted_in() == {JOOST}
    assert house.last("M1", "match.left")["user_id"] == FATIMA
    heard = house.heard(FATIMA)
    await house.place(LIN)
    assert house.heard(FATIMA) == heard
    assert {who["user_id"] for who in house.last(LIN, "match.notice")["participants"]} == {JOOST}
    assert "match.earlier" not in house.kinds(LIN)
    for command in (SANNE, "signalen", "matches", "intrekken S-7K3QZ9 fout"):
        refused = await house.answer(FATIMA, command)
        assert refused["code"] == "not_allowed"
        assert "geschorst" in refused["body"]
    assert (await house.answer(FATIMA, "help"))["kind"] == "help"


async def test_who_is_restored_is_matched_anew(house: House) -> None:
    await house.place(FATIMA)
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    await house.place(JOOST)
    assert "match.notice" not in house.kinds(JOOST)
    assert (await house.answer(ANNA, f"professional herstellen {FATIMA}"))["kind"] == "professional.restored"
    assert {who["user_id"] for who in house.last(FATIMA, "match.notice")["participants"]} == {JOOST}
    assert {who["user_id"] for who in house.last(JOOST, "match.notice")["participants"]} == {FATIMA}
    assert (await house.answer(FATIMA, "signalen"))["kind"] == "signal.list"


async def test_suspending_and_restoring_need_somebody_to_do_it_to(house: House) -> None:
    for word in ("schorsen", "herstellen", "vertrouwen"):
        assert (await house.answer(ANNA, f"professional {word} @niemand:localhost"))["code"] == "not_found"
    assert (await house.answer(ANNA, f"professional herstellen {FATIMA}"))["code"] == "not_allowed"
    await house.answer(ANNA, f"professional suspend {FATIMA}")
    assert (await house.answer(ANNA, f"professional suspend {FATIMA}"))["code"] == "not_allowed"
    assert (await house.answer(ANNA, f"professional schorsen {ANNA}"))["code"] == "not_found"


async def test_a_new_identity_is_trusted_by_a_coordinator(house: House) -> None:
    async with house.storage.unit() as uow:
        await uow.people.pin(FATIMA, "first")
    assert (await house.answer(ANNA, f"professional vertrouwen {FATIMA}"))["kind"] == "professional.trusted"
    async with house.storage.unit() as uow:
        assert await uow.people.pinned(FATIMA) is None
    assert (await house.audited())[-1] == "professional.trusted"


@pytest.mark.parametrize("devices", [0, None], ids=["none", "not known"])
async def test_a_welcome_that_no_device_could_read_is_repeated(house: House, devices: int | None) -> None:
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        await uow.rooms.created(desk.id, "!desk:localhost")
        await welcome_again(Office(uow, house.region), FATIMA)
    assert await house.deliver() == []  # the first one was readable
    async with house.storage.unit() as uow:
        unread = await uow.outbox.post(desk.id, "welcome", {"body": "", "wenk": {"kind": "welcome"}})
        await uow.outbox.sent(unread, "$unread", devices)
        for _ in range(2):
            await welcome_again(Office(uow, house.region), FATIMA)
    assert [card["wenk"]["kind"] for card in await house.deliver()] == ["welcome"]


async def test_a_day_has_a_most(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, daily_cap=2) as house:
        for number in (10, 11):
            await house.place(FATIMA, f"signaal Sanne; de Vries; {number}-03-2015; geen")
        third = "signaal Sanne; de Vries; 12-03-2015; geen"
        refused = await house.answer(FATIMA, third)
        assert (refused["kind"], refused["code"]) == ("error", "rate_limited")
        await house.place(JOOST, third)
        await house.until(house.now.replace(hour=23))  # midnight in Amsterdam
        await house.place(FATIMA, third)


async def test_the_same_child_twice_is_refused_at_once_and_after_ja(house: House) -> None:
    ref = await house.place(FATIMA)
    for again in (SANNE, "signal SANNE; Vries, de; 2015-03-14; geheim"):
        refused = await house.answer(FATIMA, again)
        assert (refused["kind"], refused["code"], refused["ref"]) == ("error", "duplicate", ref)
    assert (await house.answer(JOOST, SANNE))["kind"] == "signal.proposed"


@pytest.mark.parametrize("language", ["nl", "en"])
async def test_a_region_speaks_its_language_and_each_desk_its_own(
    database_url: str, tmp_path: Path, language: str
) -> None:
    async with open_house(database_url, tmp_path, language=language) as house:
        begins = {"nl": "Welkom", "en": "Welcome"}
        assert begins[language] in house.cards[FATIMA][0]["body"]
        assert "What" in (await house.answer(FATIMA, "signal"))["body"] or language == "nl"
        for other, word, asks in (("en", "taal en", "What is"), ("nl", "language dutch", "Wat is")):
            assert (await house.answer(FATIMA, word))["language"] == other
            for command in ("signaal", "signal"):  # English always works, and so does Dutch
                assert asks in (await house.answer(FATIMA, command))["body"]
        assert (await house.answer(FATIMA, "taal fr"))["field"] == "language"
        assert (await house.answer(FATIMA, "engels"))["language"] == "en"
        await house.place(FATIMA)
        await house.place(JOOST)
        assert "involved" in house.cards[FATIMA][-1]["body"]
        assert {"nl": "betrokken", "en": "involved"}[language] in house.cards[JOOST][-1]["body"]


async def test_details_of_somebody_who_takes_part_are_replaced_only_after_ja(house: House) -> None:
    same = "De Wilgen; Fatima Bouali; begeleider; mail@example.nl; 0512 123456"
    assert (await house.answer(ANNA, f"professional toevoegen {FATIMA}; {same}"))["kind"] == "professional.added"
    asked = await house.answer(ANNA, f"professional toevoegen {FATIMA}; {DETAILS}")
    assert asked["kind"] == "professional.known"
    assert "Fatima Bouali" in asked["body"]
    assert "Eva Smit" in asked["body"]
    await house.answer(ANNA, "nee")
    async with house.storage.reading() as uow:
        kept = await uow.people.get(FATIMA)
    assert kept is not None
    assert kept.full_name == "Fatima Bouali"
