"""What the database holds of a child cannot be read from it, in whatever way the bytes are looked at."""

from base64 import b64encode
from collections.abc import Iterator

from domain.address import parse_address
from domain.birth import BirthDate
from domain.child import Child
from storage.database import Storage
from storage.inbox import Said
from tests.storage.archive import OWNER, Archive, contents, on_disk, place
from tests.storage.house import FATIMA, JOOST, House

CHILD = Child("Zwaantje", "van der Quwelle", BirthDate(2015, 3, 14), parse_address("9203 ZX 95a"))
TYPED = "signaal Zwaantje; van der Quwelle; 14-03-2015; 9203 ZX 95a"
PERSONAL = (
    "zwaantje", "quwelle", "2015-03-14", "14-03-2015", "20150314", "14 maart 2015", "9203zx", "9203 zx",
)  # fmt: skip


def spellings(text: str) -> Iterator[bytes]:
    """The bytes in which a text could stand somewhere; in base64 at each of its three offsets."""
    for way in (text, text.upper(), text.title()):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            plain = way.encode(encoding)
            yield plain
            yield plain.hex().encode()
            yield plain.hex().upper().encode()
            for offset in range(3):
                # Without the characters at both ends, which also depend on the neighbours.
                encoded = b64encode(bytes(offset) + plain)
                yield encoded[-(-offset * 8 // 6) : (offset + len(plain)) * 8 // 6]


NEEDLES = {text: tuple(spellings(text)) for text in PERSONAL}


def readable(disk: bytes) -> set[str]:
    return {text for text, needles in NEEDLES.items() if any(needle in disk for needle in needles)}


async def everything(storage: Storage) -> bytes:
    """SQLite's files as they are, and on both all rows as any client gets them."""
    tables = await contents(storage)
    values = [value for rows in tables.values() for row in rows for value in row]
    return b"\0".join(
        (on_disk(storage), repr(tables).encode(), *(value for value in values if isinstance(value, bytes)))
    )


def test_the_search_finds_what_is_readable() -> None:
    for text, needles in NEEDLES.items():
        assert min(map(len, needles)) >= 4, text
        for disk in (
            text.encode(), text.upper().encode(), text.encode("utf-16-le"), text.encode().hex().encode(),
            b64encode(b"x" + text.encode() + b"y"), b64encode(b"xyz" + text.encode()),
        ):  # fmt: skip
            assert text in readable(b"before " + disk + b" after"), text


async def test_nothing_of_a_child_is_readable_on_its_way_through(archive: Archive) -> None:
    card = {"body": TYPED, "wenk": {"kind": "signal.proposed", "child": TYPED}}
    async with archive.storage.unit() as uow:
        await uow.inbox.add(1, "$said", "!room", OWNER, Said(kind="text", body=TYPED))
        await uow.inbox.add(2, "$late", "!room", OWNER, Said(kind="undecryptable", raw={"body": TYPED}), "session")
    assert readable(await everything(archive.storage)) == set(), "inbox"
    async with archive.storage.unit() as uow:
        await uow.inbox.readable("$late", 3, Said(kind="text", body=TYPED))
        desk = await uow.rooms.desk(OWNER)
        card_id = await uow.outbox.post(desk.id, "signal.proposed", card, lifetime_ms=1)
        await uow.questions.put(OWNER, "question", card_id, TYPED.encode())
    assert readable(await everything(archive.storage)) == set(), "outbox and question"
    async with archive.storage.unit() as uow:
        signal = await place(uow, "S-000001", CHILD)
        await uow.outbox.sent(card_id, "$card")
        await uow.questions.drop(OWNER, "question")
        await uow.inbox.done("$said")
    assert readable(await everything(archive.storage)) == set(), "signal"
    async with archive.storage.unit() as uow:
        await uow.signals.erase(signal)
        await uow.audit.write(OWNER, "signal.withdrawn", signal.key)
    assert await archive.storage.scrub()
    assert readable(await everything(archive.storage)) == set(), "erased"


async def test_nothing_of_a_child_is_readable_in_a_whole_story(house: House) -> None:
    await house.place(FATIMA, TYPED)
    assert readable(await everything(house.storage)) == set()
    await house.place(JOOST, TYPED)
    assert "match.notice" in house.kinds(JOOST)
    assert readable(await everything(house.storage)) == set()
