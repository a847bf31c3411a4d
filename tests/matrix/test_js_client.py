"""The client of another make that plays people in the tests: it talks encrypted, and ignores unsigned devices."""

from tests.matrix.conftest import JsPersonFactory


async def test_two_people_talk_encrypted(js_person_factory: JsPersonFactory, new_name: str) -> None:
    anna = await js_person_factory(f"{new_name}-anna")
    bert = await js_person_factory(f"{new_name}-bert")
    room = await anna.create_room(bert.user_id)
    await bert.until(lambda: room in bert.rooms())
    await anna.until(lambda: anna.members[room].get(bert.user_id) == "join")

    asked = await anna.say(room, "Is het goed?")
    question = await bert.wait_for(lambda card: card.event_id == asked)
    assert (question.sender, question.content["body"]) == (anna.user_id, "Is het goed?")
    assert (question.encrypted, question.verified) == (True, True)

    answered = await bert.say(room, "Ja.", reply_to=asked)
    answer = await anna.wait_for(lambda card: card.event_id == answered)
    assert answer.content["m.relates_to"] == {"m.in_reply_to": {"event_id": asked}}

    await bert.react(room, asked, "👍")
    thumb = {"rel_type": "m.annotation", "event_id": asked, "key": "👍"}
    liked = await anna.wait_for(lambda card: card.content.get("m.relates_to") == thumb)
    assert (liked.sender, liked.encrypted, liked.verified) == (bert.user_id, False, False)
    await anna.redact(room, asked)
    await bert.until(lambda: asked in bert.redacted)
    await bert.leave(room)
    await anna.until(lambda: anna.members[room][bert.user_id] == "leave")


async def test_an_unsigned_device_is_neither_heard_nor_spoken_to(
    js_person_factory: JsPersonFactory, new_name: str
) -> None:
    anna = await js_person_factory(f"{new_name}-anna")
    stray = await js_person_factory(f"{new_name}-stray", signed=False)
    room = await anna.create_room(stray.user_id)
    await stray.join(room)
    await anna.until(lambda: anna.members[room].get(stray.user_id) == "join")

    unheard = await stray.say(room, "Hoort iemand mij?")
    await anna.until(lambda: anna.unread.get(unheard) == "UNSIGNED_SENDER_DEVICE")
    withheld = await anna.say(room, "Alleen voor ondertekende apparaten.")
    await stray.until(lambda: stray.unread.get(withheld) == "MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE")
    assert (anna.cards, stray.cards) == ([], [])
