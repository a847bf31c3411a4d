"""Encryption at rest: what is sealed opens only where it was put, and only with the keys it was sealed under."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from storage.inbox import Said
from storage.keys import Keys
from storage.schema import inbox, outbox, question, signal
from storage.vault import Unsealable, Vault
from tests.storage.archive import OTHER, OWNER, Archive, a_child, place


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.create(tmp_path / "vault.json")


@pytest.mark.parametrize("columns", [("sealed_child",), ("wrapped_key",), ("wrapped_key", "sealed_child")])
async def test_a_child_cannot_be_moved_to_another_signal(archive: Archive, columns: tuple[str, ...]) -> None:
    """Not even with its key, by somebody who can write to the database."""
    async with archive.storage.unit() as uow:
        await place(uow, "S-000001")
        theirs = await place(uow, "S-000002", a_child("Lotte"), OTHER)
    (row,) = await archive.raw(select(signal).where(signal.c.ref == "S-000001"))
    moved = {column: getattr(row, column) for column in columns}
    await archive.raw(update(signal).where(signal.c.ref == "S-000002").values(moved))
    async with archive.storage.reading() as uow:
        with pytest.raises(Unsealable):
            await uow.signals.get(theirs.id)


async def test_mail_cannot_be_moved_to_another_row(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        for at, event_id in enumerate(("$one", "$two")):
            await uow.inbox.add(at, event_id, "!room", OWNER, Said(kind="text", body=event_id))
            await uow.outbox.post(desk, "help", {"body": event_id, "wenk": {"kind": "help"}})
        for user_id in (OWNER, OTHER):
            await uow.questions.put(user_id, "question", "card", user_id.encode())
    for table, key in ((inbox, inbox.c.position), (outbox, outbox.c.seq), (question, question.c.user_id)):
        rows = await archive.raw(select(key, table.c.sealed).order_by(key))
        await archive.raw(update(table).where(key == rows[0][0]).values(sealed=rows[1].sealed))
    async with archive.storage.reading() as uow:
        received, _more = await uow.inbox.next("!room")
        assert received is not None
        assert received.said is None, "put aside"
        letter = await uow.outbox.next(desk)
        assert letter is not None
        assert letter.content is None, "given up"
        with pytest.raises(Unsealable):
            await uow.questions.get(min(OWNER, OTHER), "question")
        kept = await uow.questions.get(max(OWNER, OTHER), "question")
        assert kept is not None
        assert kept.state == max(OWNER, OTHER).encode()


def test_every_changed_or_missing_byte_is_noticed(keys: Keys) -> None:
    vault = Vault(keys)
    sealed = vault.seal_mail(b"Sanne", "row 1")
    assert vault.open_mail(sealed, "row 1") == b"Sanne"
    for at in range(len(sealed)):
        with pytest.raises(Unsealable):
            vault.open_mail(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], "row 1")
        with pytest.raises(Unsealable):
            vault.open_mail(sealed[:at], "row 1")


def test_the_same_words_are_never_sealed_the_same(keys: Keys) -> None:
    vault = Vault(keys)
    assert len({vault.seal_mail(b"Sanne", "row 1") for _ in range(20)}) == 20
    key, _ = vault.new_signal_key("S-000001")
    assert len({key.seal(b"Sanne") for _ in range(20)}) == 20


def test_a_destroyed_master_key_takes_everything_with_it(keys: Keys) -> None:
    """Rotate, and destroy the old version: what old backups hold under it stays shut."""
    before = Vault(keys)
    signal_key, wrapped = before.new_signal_key("S-000001")
    sealed, mail = signal_key.seal(b"Sanne"), before.seal_mail(b"Sanne", "row 1")
    rotated = replace(keys, master=keys.master | {2: secrets.token_bytes(32)}, current_master=2)
    during = Vault(rotated)
    assert during.master_version == 2
    assert during.signal_key("S-000001", 1, wrapped).open(sealed) == b"Sanne"
    assert during.open_mail(mail, "row 1") == b"Sanne"
    with pytest.raises(Unsealable):
        during.signal_key("S-000001", 2, wrapped)
    after = Vault(replace(rotated, master={2: rotated.master[2]}))
    with pytest.raises(Unsealable):
        after.signal_key("S-000001", 1, wrapped)
    with pytest.raises(Unsealable):
        after.open_mail(mail, "row 1")


def test_a_key_of_one_signal_opens_no_other(keys: Keys) -> None:
    vault = Vault(keys)
    (one, _), (other, _) = vault.new_signal_key("S-000001"), vault.new_signal_key("S-000001")
    with pytest.raises(Unsealable):
        other.open(one.seal(b"Sanne"))


def test_tags_are_keyed_by_a_key_of_their_own(keys: Keys) -> None:
    same, without = Vault(keys).tags(["a", "b"]), Vault(replace(keys, tag={1: bytes(32)})).tags(["a", "b"])
    assert same == Vault(replace(keys, master={1: bytes(32)}, audit=bytes(32))).tags(["a", "b"])
    assert not set(same) & set(without)
    assert same[0] != same[1]


def test_keys_do_not_show_in_a_text(keys: Keys) -> None:
    key, wrapped = Vault(keys).new_signal_key("S-000001")
    hidden = [*keys.master.values(), *keys.tag.values(), keys.audit, keys.crypto_store, key._key, wrapped]
    shown = repr((keys, keys.with_cross_signing({"master": "c2VlZA"}), key, Vault(keys)))
    assert "c2VlZA" not in shown
    for secret in hidden:
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
