"""A doubtful match: nobody hears of it until a coordinator has decided."""

from bot.demo import cast
from bot.demo.actor import Actor
from bot.demo.acts import BOTH, Play, places
from bot.demo.cast import FATIMA, LIN


async def doubtful(play: Play) -> None:
    """Fatima and Lin signal a girl whose name Lin misheard; Anna is asked, and then they are introduced."""
    screen, anna, fatima, lin = play.screen, play.actors["anna"], play.actor(FATIMA), play.actor(LIN)
    screen.chapter("Eén letter verschil", "A doubtful match: nobody hears of it until the coordinator has decided.")
    screen.tell(f"Fatima begeleidt ook {cast.KNOWN}. Lin kent haar ook, maar verstond haar naam verkeerd.")
    seats = ((fatima, cast.KNOWN), (lin, cast.MISHEARD))
    heard = _of_matches(fatima, lin)
    for who, given in seats:
        child = f"{given}; {cast.HER_SURNAME}; {play.her_born:%d-%m-%Y}; {cast.HER_ADDRESS}"
        await who.asks(f"signaal {child}", "signal.proposed", tell=BOTH)
        await places(play, who, _her(who))
    screen.tell("Is dit één kind, of zijn het twee zusjes? Fatima en Lin horen niets. Wenk vraagt het aan Anna.")
    asked = await anna.receives("review.opened")
    ref = asked.wenk["ref"]
    shown = await anna.asks(f"beoordelen {ref}", "review.shown", ref=ref)
    children = [child["given"] for child in shown.wenk["children"]]
    play.checks("Anna ziet allebei de namen", holds=children == [given for _, given in seats])
    play.checks("Anna ziet waarom Wenk het vraagt", holds="given.typo" in shown.wenk["reasons"])
    told = str(dict(shown.content))
    of_whom = {value for who, _ in seats for value in who.contact.values()}
    play.checks("Anna ziet niet van wie de signalen zijn", holds=not any(value in told for value in of_whom))
    play.checks("voor de tweelingzus is niets gevraagd", holds=len(anna.cards("review.opened")) == 1)
    play.checks("Fatima en Lin weten nog van niets", holds=_of_matches(fatima, lin) == heard)
    await anna.asks(f"beoordelen {ref} ja", "review.decided", ref=ref, decision="yes")
    screen.tell("Nu pas horen Fatima en Lin van elkaar, en krijgen ze een gesprek over dit kind. Dit ziet Lin:")
    notice = await lin.receives("match.notice", of=[fatima], signal=play.signals[_her(lin)])
    match = notice.wenk["ref"]
    await fatima.receives("match.notice", of=[lin], shown=False, signal=play.signals[_her(fatima)], ref=match)
    for who in (fatima, lin):
        play.her_room = (await who.receives("match.introduction", of=[fatima, lin], shown=False, ref=match)).room_id
    play.checks("het is een kennismaking voor zich", holds=play.her_room not in {play.room, fatima.desk, lin.desk})


def _her(who: Actor) -> str:
    """Under which name their signal on this girl stands in `Play.signals`."""
    return f"{who.look.name.lower()}-her"


def _of_matches(*people: Actor) -> list[int]:
    return [len(who.cards("match.notice")) for who in people]
