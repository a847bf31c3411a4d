"""Identities: ours is made once and kept; others' are pinned at first sight and asked for only when they change."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.crosssigning import (
    CrossSigningKeys,
    ForeignIdentity,
    SignatureRefused,
    publish,
    read_identity,
    sign_device,
)
from bot.demo.synapse import LocalSynapse
from bot.http import MatrixError, Unreachable
from bot.identities import ChangedIdentity, Identities
from tests.matrix.people import PASSWORD, Bare, Pins, Town

QUERY = "/_matrix/client/v3/keys/query"


@pytest.fixture
async def town(synapse: LocalSynapse, tmp_path: Path, new_name: str) -> AsyncIterator[Town]:
    async with Town(synapse, tmp_path, new_name) as town:
        yield town


@pytest.fixture
async def bot(town: Town) -> Bare:
    """A device that has published its keys and has no identity yet."""
    bot = await town.bare(await town.account("bot"), "BOT")
    await bot.machine.maintain(bot.http)
    return bot


async def shown(bot: Bare) -> dict[str, Any]:
    """What everybody can see of the bot."""
    answer: dict[str, Any] = await bot.http.request("POST", QUERY, body={"device_keys": {bot.user_id: []}})
    return answer


# Ours


async def test_the_bots_device_is_proven_once_it_is_signed(bot: Bare) -> None:
    keys = CrossSigningKeys.generate()
    assert read_identity(await shown(bot), bot.user_id) is None
    await publish(bot.http, keys, bot.user_id, PASSWORD)
    await sign_device(bot.http, keys, bot.machine.device_keys())
    identity = read_identity(await shown(bot), bot.user_id)
    assert identity
    assert (identity.master, identity.devices) == (keys.master_public, (bot.machine.device,))


async def test_doing_it_again_changes_nothing(bot: Bare) -> None:
    """`wenk init` is safe to run again; nobody is told of a change that was none."""
    keys = CrossSigningKeys.generate()
    for _ in range(2):
        await publish(bot.http, keys, bot.user_id, PASSWORD)
        await sign_device(bot.http, keys, bot.machine.device_keys())
    sent = bot.http.requests
    await publish(bot.http, keys, bot.user_id, "not the password: it is not needed")
    await sign_device(bot.http, keys, bot.machine.device_keys())
    assert bot.http.requests == sent + 2  # it looked, and wrote nothing


async def test_keys_that_are_not_ours_are_never_replaced(bot: Bare) -> None:
    theirs = CrossSigningKeys.generate()
    await publish(bot.http, theirs, bot.user_id, PASSWORD)
    before = await shown(bot)
    with pytest.raises(ForeignIdentity):
        await publish(bot.http, CrossSigningKeys.generate(), bot.user_id, PASSWORD)
    assert await shown(bot) == before


async def test_a_server_that_asks_for_the_password_gets_it() -> None:
    """Synapse does so for a replacement, others for the first keys too."""

    class Asking:
        sent: list[dict[str, Any]] = []  # noqa: RUF012 (one per class, and the class is this test's)

        async def request(self, _method: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
            if path == QUERY:
                return {}
            self.sent.append(body)
            if "auth" not in body:
                raise MatrixError(401, "", {"session": "s1", "flows": [{"stages": ["m.login.password"]}]})
            return {}

    asking: Any = Asking()
    await publish(asking, CrossSigningKeys.generate(), "@bot:x", PASSWORD)
    first, second = asking.sent
    assert second.pop("auth") == {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "@bot:x"},
        "password": PASSWORD,
        "session": "s1",
    }
    assert first == second


async def test_only_our_own_device_is_signed(bot: Bare, town: Town) -> None:
    """The server could show another device under the bot's name: what is signed comes from our own store."""
    keys = CrossSigningKeys.generate()
    await publish(bot.http, keys, bot.user_id, PASSWORD)
    elsewhere = town.machine(bot.user_id, "BOT", "elsewhere")
    with pytest.raises(SignatureRefused):
        await sign_device(bot.http, keys, elsewhere.device_keys())
    identity = read_identity(await shown(bot), bot.user_id)
    assert identity
    assert identity.devices == ()


# Theirs


@pytest.fixture
def pins() -> Pins:
    return Pins()


@pytest.fixture
def identities(bot: Bare, pins: Pins) -> Identities:
    return Identities(bot.http, bot.machine, pins)


async def test_an_identity_is_pinned_and_asked_for_once(
    town: Town, bot: Bare, identities: Identities, pins: Pins
) -> None:
    anna = await town.person("anna")
    identity = await identities.of(anna.user_id)
    assert identity
    assert identity.devices == (anna.machine.device,)
    assert pins == {anna.user_id: anna.keys.master_public}
    sent = bot.http.requests
    assert await identities.of(anna.user_id) == identity
    assert bot.http.requests == sent
    await identities.of(anna.user_id, fresh=True)
    assert bot.http.requests == sent + 1
    identities.changed([anna.user_id])
    await identities.of(anna.user_id)
    assert bot.http.requests == sent + 2


async def test_after_a_change_they_are_asked_for_before_anybody_needs_them(
    town: Town, bot: Bare, identities: Identities
) -> None:
    anna, stranger = await town.person("anna"), await town.person("stranger")
    await identities.of(anna.user_id)
    sent = bot.http.requests
    identities.changed([anna.user_id, stranger.user_id])
    await asyncio.gather(*identities._early)
    assert bot.http.requests == sent + 1, "not for somebody with whom we had nothing to do"
    assert await identities.of(anna.user_id)
    assert bot.http.requests == sent + 1


async def test_many_who_ask_at_once_ask_the_server_once(town: Town, bot: Bare, identities: Identities) -> None:
    anna = await town.person("anna")
    sent = bot.http.requests
    await asyncio.gather(*(identities.of(anna.user_id) for _ in range(20)))
    assert bot.http.requests == sent + 1


async def test_somebody_without_an_identity_is_nobody_yet(town: Town, identities: Identities, pins: Pins) -> None:
    newcomer = await town.person("new", signed=False)
    assert await identities.of(newcomer.user_id) is None
    assert pins == {}


async def test_another_master_key_is_an_alarm_not_an_identity(
    town: Town, bot: Bare, identities: Identities, pins: Pins
) -> None:
    anna = await town.person("anna")
    await identities.of(anna.user_id)
    pins[anna.user_id] = CrossSigningKeys.generate().master_public
    with pytest.raises(ChangedIdentity) as changed:
        await identities.of(anna.user_id, fresh=True)
    assert changed.value.user_id == anna.user_id
    assert anna.user_id not in str(changed.value)
    with pytest.raises(ChangedIdentity):
        await identities.of(anna.user_id)  # no older answer serves meanwhile
    sent = bot.http.requests
    await bot.machine.encrypt(bot.http, "!room", [anna.machine.device], "m.room.message", {})
    assert bot.http.requests == sent  # and no key goes to the devices that were proven before


async def test_an_answer_that_was_overtaken_is_not_kept(town: Town, bot: Bare, pins: Pins) -> None:
    """The devices change while we ask: the answer may be from before."""
    anna = await town.person("anna")

    class Slow:
        async def request(self, method: str, path: str, *, body: dict[str, Any]) -> Any:  # noqa: ANN401
            answer = await bot.http.request(method, path, body=body)
            overtaken.changed([anna.user_id])
            return answer

    slow: Any = Slow()
    overtaken = Identities(slow, bot.machine, pins)
    await overtaken.of(anna.user_id)
    sent = bot.http.requests
    await overtaken.of(anna.user_id)
    assert bot.http.requests == sent + 1


async def test_a_server_that_cannot_be_asked_is_not_taken_for_a_no(bot: Bare, pins: Pins) -> None:
    class Cut:
        async def request(self, *_what: object, **_more: object) -> dict[str, Any]:
            return {"failures": {"elsewhere.example": {}}, "device_keys": {}}

    cut: Any = Cut()
    with pytest.raises(Unreachable):
        await Identities(cut, bot.machine, pins).of("@anna:elsewhere.example")
