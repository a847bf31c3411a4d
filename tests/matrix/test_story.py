"""The story with clients of another make, in the mode that ignores unsigned devices."""

from pathlib import Path

from bot.demo.synapse import LocalSynapse
from tests.matrix.play import administrator, playing, unread
from tests.matrix.story import play_all


async def test_strangers_to_our_code_play_the_whole_story(
    js_client: None,  # noqa: ARG001 - asked for its effect
    synapse: LocalSynapse,
    tmp_path: Path,
) -> None:
    async with playing(tmp_path, synapse, js=True) as play, administrator(synapse) as admin:
        story = await play_all(play)
        await play.drained()

        people = [seat.who for seat in story.everybody]
        assert not unread(people)  # type: ignore[arg-type]  # all are JsPersons here
        for who in people:
            of_bot = [card for card in who.cards if card.sender == play.bot]
            assert of_bot
            assert all(card.encrypted and card.verified for card in of_bot)
            answered = [card.wenk["re"] for card in of_bot if "re" in card.wenk]
            assert len(answered) == len(set(answered))
        for room in (seat.desk for seat in story.everybody):
            said = [event for event in await admin.events(room) if "state_key" not in event]
            kinds = {event["type"] for event in said if event["sender"] == play.bot}
            assert kinds <= {"m.room.encrypted", "m.room.redaction"}
