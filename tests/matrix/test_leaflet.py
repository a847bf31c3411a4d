"""The leaflet as its reader has it: downloaded, decrypted, opened; once, wherever the bot dies; gone in its time."""

import io
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from pypdf import PdfReader

from bot.demo.document import Printed, decrypt, download
from bot.demo.person import Card, Person
from bot.demo.synapse import LocalSynapse
from tests.matrix.killing import Mortality, kept_alive
from tests.matrix.play import Play, Seat, administrator, playing
from tests.matrix.proxy import Proxy, at_first, lose_the_answer, refuse

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHILD: Final = "Sanne; Dijkhuizen; 14-03-2013; 9203 ZX 95a"
REGION: Final = {"active_years": 1, "erase_years": 4, "contact": ["Carins", "088 - 50 65 400"]}
POINTS: Final = [
    f"{side} {step}"
    for step in ("POST upload", "commit bot.enclosing.enclose", "PUT rooms/send/m.room.encrypted")
    for side in ("before", "after")
]
"""Where the bot dies between the command and the file, one time after the other."""


@pytest.fixture(scope="module")
def mortality(tmp_path_factory: pytest.TempPathFactory) -> Mortality:
    return Mortality(tmp_path_factory.mktemp("mortality"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(
    synapse: LocalSynapse, proxy: Proxy, mortality: Mortality, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Play]:
    """A bot that can be killed and hindered, with the token of an administrator."""
    folder = tmp_path_factory.mktemp("leaflet")
    mortal: dict[str, Any] = {"program": "tests.matrix.mortal", "env": mortality.env, "reached_at": proxy.url}
    async with (
        playing(folder, synapse, region=REGION, **mortal) as running,
        administrator(synapse) as admin,
    ):
        stage = running.stage
        await stage.stop()
        _token(running).write_text(admin.http.access_token or "")
        config = stage.config.read_text()
        stage.config.write_text(config.replace("[storage]", 'admin_token_file = "secrets/admin-token"\n[storage]'))
        await stage.start()
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fatima(play: Play) -> Seat:
    return await play.admit("fatima", full_name="Fatima Bouali")


def _token(play: Play) -> Path:
    return play.stage.directory / "secrets" / "admin-token"


async def _download(fatima: Seat, file: Mapping[str, Any]) -> tuple[int, bytes]:
    assert isinstance(fatima.who, Person)
    return await download(fatima.who, file)


async def _opened(fatima: Seat, card: Card) -> bytes:
    """As a client does it: the PDF."""
    content = card.content
    assert content["msgtype"] == "m.file"
    file = content["file"]
    assert (file["v"], file["key"]["alg"], file["key"]["ext"], file["key"]["kty"]) == ("v2", "A256CTR", True, "oct")
    status, ciphertext = await _download(fatima, file)
    assert status == 200
    assert not ciphertext.startswith(b"%PDF")
    made = decrypt(file, ciphertext)
    assert made.startswith(b"%PDF")
    assert content["info"] == {"mimetype": "application/pdf", "size": len(made)}
    return made


async def test_it_is_there_once_wherever_the_bot_is_killed(play: Play, fatima: Seat, mortality: Mortality) -> None:
    ref = await fatima.signals(CHILD)
    await play.drained()
    mortality.light(*POINTS)
    async with kept_alive(play, mortality) as keeper:
        card = await fatima.ask(f"!folder {ref}", timeout_s=60)
        await keeper.settled()
        assert mortality.put_out() == []
    assert keeper.deaths == POINTS
    await fatima.ask("help")  # whatever was said twice stands before the answer to this
    assert len([one for one in fatima.who.cards if one.wenk.get("re") == card.wenk["re"]]) == 1
    assert dict(card.wenk) | {"id": "", "re": ""} == {
        "v": 1, "id": "", "re": "", "kind": "leaflet", "ref": ref, "language": "nl", "version": ["parents", "child"],
    }  # fmt: skip
    made = await _opened(fatima, card)
    root: Any = PdfReader(io.BytesIO(made)).trailer["/Root"]
    assert {"/StructTreeRoot", "/MarkInfo", "/Lang"} <= set(root)
    said = Printed.of(made).text
    assert said.count("1 jaar actief") == said.count("4 jaar nadat het is geplaatst") == 2
    assert "088 - 50 65 400" in said
    assert "Dijkhuizen" not in said + str(dict(card.content))


async def test_a_letter_is_redacted_and_its_document_purged(play: Play, fatima: Seat) -> None:
    ref = await fatima.signals(CHILD.replace("Sanne", "Tim"))
    plain, letter = await fatima.ask(f"folder {ref} en"), await fatima.ask(f"folder {ref} en brief")
    said = Printed.of(await _opened(fatima, letter)).text
    assert "To the parents or guardians of Tim Dijkhuizen" in said
    assert "Fatima Bouali" in said
    assert letter.content["filename"] == "brief.pdf"
    # Erased, so that what names the child goes at once and not after its hour.
    await fatima.ask(f"intrekken {ref} fout")
    await fatima.who.until(lambda: letter.event_id in fatima.who.redacted)
    await play.drained()
    assert (await _download(fatima, letter.content["file"]))[0] == 404
    assert (await _download(fatima, plain.content["file"]))[0] == 200
    assert plain.event_id not in fatima.who.redacted
    log = play.stage.log_path.read_text()
    assert "Dijkhuizen" not in log
    assert "purged" not in log


async def test_a_name_that_cannot_be_printed_is_answered_and_holds_nothing_up(play: Play, fatima: Seat) -> None:
    ref = await fatima.signals("\u6797; Tan; 14-03-2016; geen")
    refused = await fatima.ask(f"folder {ref} brief")
    assert (refused.wenk["kind"], refused.wenk["code"]) == ("error", "unavailable")
    assert "zonder" in refused.body
    assert (await fatima.ask(f"folder {ref}")).wenk["kind"] == "leaflet"
    assert "\u6797" not in play.stage.log_path.read_text()


async def test_an_upload_whose_answer_is_lost_is_repeated_and_one_that_is_refused_is_answered(
    proxy: Proxy, fatima: Seat
) -> None:
    ref = await fatima.signals(CHILD.replace("Sanne", "Bo"))
    with proxy.rule("POST", "/upload", at_first(1, lose_the_answer)) as upload:
        await _opened(fatima, await fatima.ask(f"folder {ref}"))
        assert len(upload.seen) == 2
    with proxy.rule("POST", "/upload", refuse(413, "M_TOO_LARGE")):
        refused = await fatima.ask(f"folder {ref}")
    assert (refused.wenk["kind"], refused.wenk["code"]) == ("error", "unavailable")


async def test_without_a_token_that_works_the_document_stays_and_nothing_is_held_up(play: Play, fatima: Seat) -> None:
    assert isinstance(fatima.who, Person)
    _token(play).write_text(fatima.who.http.access_token or "")  # not an administrator's
    ref = await fatima.signals(CHILD.replace("Sanne", "Pim"))
    letter = await fatima.ask(f"folder {ref} brief")
    await fatima.ask(f"intrekken {ref} fout")
    await play.drained()
    assert letter.event_id in fatima.who.redacted
    assert (await _download(fatima, letter.content["file"]))[0] == 200
    assert "a document was not purged: the token in matrix.admin_token_file" in play.stage.log_path.read_text()


@pytest.mark.usefixtures("js_client")
async def test_a_client_of_another_make_gets_the_same_file(play: Play, fatima: Seat) -> None:
    await play.allow("joost")
    joost = await play.client("joost", js=True)
    welcome = await joost.wait_for(lambda card: card.wenk.get("kind") == "welcome")
    seat = Seat(joost, welcome.room_id)
    ref = await seat.signals("Jan; Postma; 14-03-2009; geen")
    card = await seat.ask(f"folder {ref} ar")
    assert (card.encrypted, card.verified, card.wenk["version"]) == (True, True, ["child"])
    assert Printed.of(await _opened(fatima, card)).language == "ar"
