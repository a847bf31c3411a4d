"""The story of the leaflet: two professionals find each other, a third joins, one is done, one wrong, one doubted."""

from dataclasses import dataclass, field

from bot.demo.person import Card
from tests.matrix.play import Play, Seat

GIVEN, SURNAME, POSTCODE = "Wyberslina Anouck", "Quaestman", "8471 QX"
BORN = (2015, 3, 27)
CHILD = f"{GIVEN}; {SURNAME}; 27-03-2015; {POSTCODE} 95a"
SAME_CHILD = f"{GIVEN.lower()}; {SURNAME.upper()}; 27 maart 2015; 8471qx 95 A"
CHATTER = "Zullen we morgenochtend bellen?"
KNOWN, MISHEARD, DOUBTED = "Quirijna", "Quirina", "Zwiggelaar; 09-11-2016; 8472 RT 7"
STILL_SAME = f"{GIVEN}; {SURNAME}; 2015-03-27; 8471QX 95-a"


@dataclass
class Story:
    """What happened, to be looked at from all sides."""

    play: Play
    fatima: Seat
    joost: Seat
    lin: Seat
    room: str = ""
    open_room: str = ""
    match: str = ""
    again: str = ""
    refs: dict[str, str] = field(default_factory=dict)
    chatter: list[str] = field(default_factory=list)

    @property
    def everybody(self) -> tuple[Seat, ...]:
        return (self.play.anna, self.fatima, self.joost, self.lin)


async def admit(play: Play) -> Story:
    """Two organisations, three professionals."""
    return Story(
        play,
        await play.admit("fatima", "De Wilgen", "Fatima Bouali"),
        await play.admit("joost", "Huisartsen Noord", "Joost Dijkstra"),
        await play.admit("lin", "De Wilgen", "Lin Tan"),
    )


def names(card: Card) -> set[str]:
    return {who["name"] for who in card.wenk["participants"]}


async def two_meet(story: Story) -> None:
    """The same child twice: contact details at both desks, and a card in a room of their own that both can read."""
    fatima, joost = story.fatima, story.joost
    story.refs["fatima"] = await fatima.signals(CHILD)
    assert not fatima.heard("match.notice")
    story.refs["joost"] = await joost.signals(SAME_CHILD)
    for reader, other, own in ((fatima, joost, "fatima"), (joost, fatima, "joost")):
        notice = await reader.hear("match.notice")
        assert notice.room_id == reader.desk
        assert notice.wenk["signal"] == story.refs[own]
        (contact,) = notice.wenk["participants"]
        assert set(contact) == {"user_id", "name", "organisation", "function", "email", "phone"}
        assert (contact["user_id"], contact["phone"]) == (other.user_id, "0512 123456")
        assert "re" not in notice.wenk
    cards = [await seat.hear("match.introduction") for seat in (fatima, joost)]
    assert {card.event_id for card in cards} == {cards[0].event_id}
    assert names(cards[0]) == {"Fatima Bouali", "Joost Dijkstra"}
    story.room, story.match = cards[0].room_id, cards[0].wenk["ref"]
    assert story.room not in {fatima.desk, joost.desk}
    story.chatter.append(await fatima.who.say(story.room, CHATTER))
    await joost.who.wait_for(lambda card: card.event_id == story.chatter[0])


async def third_joins(story: Story) -> None:
    """All learn of the newcomer, and the newcomer of all, but not of what was said before."""
    story.refs["lin"] = await story.lin.signals(STILL_SAME)
    notice = await story.lin.hear("match.notice")
    assert names(notice) == {"Fatima Bouali", "Joost Dijkstra"}
    assert notice.wenk["ref"] == story.match
    for seat in (story.fatima, story.joost):
        joined = await seat.hear("match.joined")
        assert (joined.room_id, joined.wenk["user_id"]) == (story.room, story.lin.user_id)
    card = await story.lin.hear("match.introduction")
    assert (card.room_id, len(names(card))) == (story.room, 3)
    story.chatter.append(await story.joost.who.say(story.room, "Welkom, ik bel jullie."))
    await story.lin.who.wait_for(lambda card: card.event_id == story.chatter[1])
    assert story.chatter[0] not in {card.event_id for card in story.lin.who.cards}


async def one_is_done(story: Story) -> None:
    """Who withdraws leaves; the two others stay."""
    done = await story.joost.ask(f"!intrekken {story.refs['joost']} klaar")
    assert (done.wenk["kind"], done.wenk["ref"]) == ("signal.withdrawn", story.refs["joost"])
    for seat in (story.fatima, story.lin):
        left = await seat.hear("match.left")
        assert (left.room_id, left.wenk["user_id"]) == (story.room, story.joost.user_id)
    await story.joost.who.until(lambda: story.room not in story.joost.who.rooms())


async def one_was_wrong(story: Story) -> None:
    """A mistake: the room is closed, and everything in it emptied, whoever wrote it."""
    mistake = await story.lin.ask(f"!withdraw {story.refs['lin']} mistake")
    assert mistake.wenk["kind"] == "signal.withdrawn"
    closed = await story.fatima.hear("match.closed")
    assert closed.wenk["ref"] == story.match
    for seat in (story.fatima, story.lin):
        await seat.who.until(lambda seat=seat: story.room not in seat.who.rooms())  # type: ignore[misc]  # mypy infers no lambda default
    alarm = await story.play.anna.hear("alarm", code="mistake_after_disclosure")
    assert alarm.wenk["user_id"] == story.lin.user_id


async def two_meet_again(story: Story) -> None:
    """Whose signal became inactive may place it anew: a new introduction, in a new room."""
    story.refs["joost"] = await story.joost.signals(STILL_SAME)
    notice = await story.joost.hear("match.notice", signal=story.refs["joost"])
    story.again = notice.wenk["ref"]
    assert story.again != story.match
    cards = [await seat.hear("match.introduction", ref=story.again) for seat in (story.fatima, story.joost)]
    story.open_room = cards[0].room_id
    story.chatter.append(await story.fatima.who.say(story.open_room, CHATTER))
    await story.joost.who.wait_for(lambda card: card.event_id == story.chatter[-1])


async def one_is_doubted(story: Story) -> None:
    """A name misheard: nobody hears of it until the coordinator, who does not see whose signals it is, has decided."""
    anna, fatima, lin = story.play.anna, story.fatima, story.lin
    own = {}
    for seat, given in ((fatima, KNOWN), (lin, MISHEARD)):
        own[seat.user_id] = await seat.signals(f"{given}; {DOUBTED}")
    review = (await anna.hear("review.opened")).wenk["ref"]
    shown = await anna.ask(f"!beoordelen {review}")
    assert (shown.wenk["kind"], shown.wenk["ref"]) == ("review.shown", review)
    assert [child["given"] for child in shown.wenk["children"]] == [KNOWN, MISHEARD]
    assert not [who for who in ("Fatima", "Lin Tan", *own) if who in str(dict(shown.content))]
    assert not [seat for seat in (fatima, lin) if seat.heard("match.notice", signal=own[seat.user_id])]
    decided = await anna.ask(f"!review {review} yes")
    assert (decided.wenk["kind"], decided.wenk["decision"]) == ("review.decided", "yes")
    for seat in (fatima, lin):
        notice = await seat.hear("match.notice", signal=own[seat.user_id])
        card = await seat.hear("match.introduction", ref=notice.wenk["ref"])
        assert names(card) == {"Fatima Bouali", "Lin Tan"}
        assert card.room_id not in {story.room, story.open_room, seat.desk}


async def play_all(play: Play) -> Story:
    """From the first to the last scene."""
    story = await admit(play)
    await two_meet(story)
    await third_joins(story)
    await one_is_done(story)
    await one_was_wrong(story)
    await two_meet_again(story)
    await one_is_doubted(story)
    return story
