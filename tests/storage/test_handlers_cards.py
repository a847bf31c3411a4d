"""What stands on cards, who is woken by them, and how long they stay."""

import json
import re
from datetime import timedelta
from itertools import chain
from pathlib import Path

from domain.names import LONGEST
from handlers.cards import TO_ACT_ON
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, Card, House, open_house

OF_THE_CHILD = ("Sanne", "Vries", "2015", "14", "maart", "9203", "ZX", "95a")


async def the_story(house: House) -> None:
    """Everything that makes cards: placing, matching, joining, leaving, ending, mistakes, refusals."""
    refs = {}
    await house.answer(FATIMA, f"intrekken {await house.place(FATIMA)} klaar")
    for who in (JOOST, FATIMA):
        refs[who] = await house.place(who)
    for who in (FATIMA, JOOST):
        await house.enter(who)
        await house.answer(who, "signalen")
        await house.answer(who, "matches")
    refs[LIN] = await house.place(LIN)
    await house.enter(LIN)
    await house.answer(LIN, f"intrekken {refs[LIN]} klaar")
    await house.answer(FATIMA, SANNE)
    await house.answer(FATIMA, "help")
    await house.answer(JOOST, f"intrekken {refs[JOOST]} fout")
    await house.place(JOOST)
    await house.until(house.now + timedelta(days=365 * 2 - 10))
    await house.until(house.now + timedelta(days=20))
    await house.place(JOOST)


def all_cards(house: House) -> list[Card]:
    return list(chain.from_iterable(house.cards.values()))


def own_words(card: Card) -> str:
    """What a card says, without references, dates to call by and the details of professionals."""
    body = str(card["body"]) + str(card["formatted_body"]) + str({**card["wenk"], "id": "", "re": ""})
    return re.sub(r"[SMO]-[0-9A-Z]{6}|20\d\d-\d\d-\d\d|\d+ [a-z]+ 20\d\d|0512 123456|[0-9a-f]{64}", "", body)


async def test_cards_that_ring_a_bell_and_cards_in_introductions_hold_nothing_of_the_child(house: House) -> None:
    await the_story(house)
    seen = set()
    for card in all_cards(house):
        kind = card["wenk"]["kind"]
        in_introduction = card["room"].purpose == "introduction"
        if card["msgtype"] == "m.text" or kind.startswith(("match.", "alarm")) or in_introduction:
            seen.add(kind)
            assert not [word for word in OF_THE_CHILD if word in own_words(card)], kind
        if in_introduction:
            assert "S-" not in card["body"] + card["formatted_body"] + str(card["wenk"].get("signal", ""))
    assert seen >= {
        "match.notice", "match.introduction", "match.joined", "match.left", "match.closed", "match.earlier",
        "match.mistake", "match.list", "alarm", "signal.expiring",
    }  # fmt: skip


async def test_only_what_somebody_must_act_on_rings_a_bell(house: House) -> None:
    await the_story(house)
    for card in all_cards(house):
        assert card["msgtype"] == ("m.text" if card["wenk"]["kind"] in TO_ACT_ON else "m.notice")
    assert {
        "match.notice",
        "match.introduction",
        "match.earlier",
        "alarm",
        "review.opened",
        "approval.opened",
        "notice.reminder",
        "notice.refused",
        "notice.overdue",
        "signal.expiring",
        "restored",
    } == TO_ACT_ON


async def test_every_card_has_its_machine_part(house: House) -> None:
    await the_story(house)
    identities = [card["wenk"]["id"] for card in all_cards(house)]
    assert len(set(identities)) == len(identities)
    for card in all_cards(house):
        assert card["wenk"]["v"] == 1
        assert card["format"] == "org.matrix.custom.html"
        assert card["m.mentions"] == {}
        assert "{" not in card["body"]
        assert "`" not in card["body"]
        assert "**" not in card["body"]


async def test_no_card_outside_a_childs_own_desk_or_beyond_its_hour_names_the_child(house: House) -> None:
    await house.place(FATIMA)
    await house.answer(FATIMA, "signalen")
    personal = [card["event_id"] for card in house.cards[FATIMA] if "Sanne" in card["body"] and "Vries" in card["body"]]
    kinds = {card["wenk"]["kind"] for card in house.cards[FATIMA] if card["event_id"] in personal}
    assert kinds == {"signal.proposed", "signal.list"}
    await house.pass_time(minutes=59)
    assert not set(personal) & set(house.redacted)
    await house.pass_time(minutes=1)
    assert set(personal) <= set(house.redacted)
    assert house.kinds(FATIMA).count("signal.placed") == 1
    before = len(house.redacted)
    await house.pass_time(hours=5)
    assert len(house.redacted) == before


async def test_a_region_chooses_how_long_its_cards_stay(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, card_minutes=5) as house:
        await house.answer(FATIMA, SANNE)
        card = house.cards[FATIMA][-1]["event_id"]
        await house.pass_time(minutes=4)
        assert card not in house.redacted
        await house.pass_time(minutes=1)
        assert card in house.redacted


async def test_names_are_never_markup(house: House) -> None:
    name = "O'Brien"
    organisation = "<b>Zorg</b> & {phone} **Co** `x`"
    await house.answer(ANNA, f"organisatie toevoegen {organisation}")
    added = await house.answer(
        ANNA, f"professional toevoegen {JOOST}; {organisation}; {name}; <i>arts</i>; j@zorg.nl; 0512 123456"
    )
    assert added["kind"] == "professional.known"
    assert (await house.answer(ANNA, "ja"))["kind"] == "professional.added"
    await house.place(FATIMA)
    await house.place(JOOST)
    card = house.cards[FATIMA][-1]
    assert organisation in card["body"]
    assert "<i>arts</i>" in card["body"]
    assert "<i>" not in card["formatted_body"]
    assert "&lt;b&gt;Zorg&lt;/b&gt; &amp; {phone} **Co** `x`" in card["formatted_body"]
    assert "O&#x27;Brien" in card["formatted_body"]


async def test_the_head_of_the_audit_log_is_posted_once_a_day(house: House) -> None:
    await house.sweep()
    await house.sweep()
    assert house.kinds(ANNA).count("audit.head") == 1
    shown = house.last(ANNA, "audit.head")
    async with house.storage.unit() as uow:
        head = await uow.audit.head()
    assert (shown["seq"], shown["mac"]) == (head.seq, head.mac.hex())
    await house.pass_time(days=1)
    assert house.kinds(ANNA).count("audit.head") == 2
    assert "audit.head" not in house.kinds(FATIMA)


async def test_a_long_list_comes_in_pages_that_fit(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, daily_cap=100) as house:
        # The longest there can be, in a script of which JSON, as nio writes it, takes six bytes a letter.
        longest = "\u05d0" * LONGEST
        for number in range(32):
            born = f"{number % 28 + 1:02}-{number // 28 + 1:02}-2015"
            await house.place(FATIMA, f"signaal {longest}; {longest}; {born}; geen")
        first = await house.answer(FATIMA, "signalen")
        assert (len(first["signals"]), first["page"], first["pages"]) == (15, 1, 3)
        shown = {name: part for name, part in house.cards[FATIMA][-1].items() if name not in {"room", "event_id"}}
        assert len(json.dumps(shown)) * 4 / 3 < 60_000, "encrypted and in base64 it must fit in an event of 64 KiB"
        second = await house.answer(FATIMA, "signalen 2")
        assert len((await house.answer(FATIMA, "signalen 3"))["signals"]) == 2
        assert not {one["ref"] for one in first["signals"]} & {one["ref"] for one in second["signals"]}
        assert (await house.answer(FATIMA, "signalen 99"))["page"] == 3
        for wrong in ("0", "-1", "twee", "9" * 5000):
            assert (await house.answer(FATIMA, f"signalen {wrong}"))["field"] == "page"
