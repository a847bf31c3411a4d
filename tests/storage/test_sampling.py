"""How common names are is counted from the signals there are, and known in memory only."""

from sqlalchemy import update

from domain.weights import Frequencies
from handlers.sampling import count_names
from handlers.weights import learned
from storage.schema import signal
from tests.storage.archive import Archive, a_child, a_stranger, place


async def test_names_that_many_have_are_common(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        for at in range(30):
            await place(uow, f"S-0000{at:02}", a_stranger(at))
            await place(uow, f"S-1000{at:02}", a_child("Sanne", "Jansen", 1 + at % 28))
    await count_names(archive.storage)
    async with archive.storage.reading() as uow:
        assert uow.often is not None
        rare, common = uow.often.of("given", "sannebd"), uow.often.of("given", "sanne")
    assert common > 10 * rare
    assert rare >= Frequencies(learned().usual, sample=True).of("given", "sannebd") / 2


async def test_a_signal_that_does_not_open_keeps_no_other_from_being_counted(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        for at in range(150):
            await place(uow, f"S-{at:06}", a_child("Sanne", "Jansen", 1 + at % 28))
        await uow._session.run(update(signal).where(signal.c.ref == "S-000007").values(sealed_child=b"damaged"))
    await count_names(archive.storage)
    usual = Frequencies(learned().usual, sample=True)
    assert archive.storage.often is not None
    assert archive.storage.often.of("given", "sanne") > usual.of("given", "sanne")


async def test_without_signals_names_are_as_common_as_usual(archive: Archive) -> None:
    await count_names(archive.storage)
    assert archive.storage.often is not None
    usual = Frequencies(learned().usual, sample=True)
    assert archive.storage.often.of("surname", "jansen") == usual.of("surname", "jansen")
