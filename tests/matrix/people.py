"""People with encrypted clients on the test's homeserver, and rooms for them to meet in."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bot.crosssigning import CrossSigningKeys, publish, sign_device
from bot.crypto import Machine
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import Homeserver
from bot.login import log_in
from bot.sync import Poll, event_filter, poll

PASSWORD: Final = "secret"
ENCRYPTED: Final = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
JOINED_ONLY: Final = {
    "type": "m.room.history_visibility",
    "state_key": "",
    "content": {"history_visibility": "joined"},
}


class Pins(dict[str, str]):
    """Pins in memory."""

    async def get(self, user_id: str) -> str | None:  # type: ignore[override]  # the protocol's, not the dict's
        return super().get(user_id)

    async def pin(self, user_id: str, master: str) -> None:
        self[user_id] = master


class Town:
    """Everybody who appears in one test; they are gone after it."""

    def __init__(self, synapse: LocalSynapse, directory: Path, name: str) -> None:
        self.url = synapse.url
        self._synapse = synapse
        self._directory = directory
        self._name = name
        self._people: list[Person] = []
        self._machines: list[Machine] = []
        self._servers: list[Homeserver] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for person in self._people:
            await person.close()
        for machine in self._machines:
            machine.close()
        for server in self._servers:
            await server.close()

    async def account(self, who: str) -> str:
        return await self._synapse.register(f"{self._name}-{who}", PASSWORD)

    async def person(self, who: str, **options: Any) -> Person:  # noqa: ANN401 (those of Person.enter)
        """Somebody new, on a first device."""
        return await self.device(await self.account(who), **options)

    async def device(self, user_id: str, *, keys: CrossSigningKeys | None = None, **options: Any) -> Person:  # noqa: ANN401
        """A further device of somebody."""
        number = len(self._people)
        directory = self._directory / f"device-{number}"
        person = await Person.enter(self.url, user_id, PASSWORD, directory, keys=keys, **options)
        self._people.append(person)
        return person

    async def bare(self, user_id: str, device_id: str) -> "Bare":
        """A device that is logged in and has published nothing yet."""
        http = self.server()
        await log_in(http, user_id, PASSWORD, device_id)
        return Bare(http, self.machine(user_id, device_id))

    async def signed(self, user_id: str) -> "Bare":
        """A signed device."""
        bare, keys = await self.bare(user_id, "SIGNED"), CrossSigningKeys.generate()
        await bare.machine.maintain(bare.http)
        await publish(bare.http, keys, user_id, PASSWORD)
        await sign_device(bare.http, keys, bare.machine.device_keys())
        return bare

    async def restarted(self, person: Person) -> Machine:
        """The client has ended; its crypto store is opened again."""
        self._people.remove(person)
        await person.close()
        store = person.machine._olm.store
        device = person.machine.device
        key = bytes.fromhex(store.pickle_key)
        self._machines.append(Machine.open(device.user_id, device.device_id, Path(store.store_path), key))
        return self._machines[-1]

    def server(self, access_token: str | None = None) -> Homeserver:
        """A further session with the homeserver."""
        self._servers.append(Homeserver(self.url, access_token))
        return self._servers[-1]

    def machine(self, user_id: str, device_id: str, directory: str = "machine") -> Machine:
        """A crypto store by itself; the same arguments open it again."""
        self._machines.append(Machine.open(user_id, device_id, self._directory / directory, b"k" * 32))
        return self._machines[-1]


async def meet(host: Person, *guests: Person, state: tuple[dict[str, Any], ...] = (ENCRYPTED,)) -> str:
    """A room in which all of them are."""
    body = {
        "preset": "private_chat",
        "initial_state": state,
        "invite": sorted({guest.user_id for guest in guests} - {host.user_id}),
    }
    answer = await host.http.request("POST", "/_matrix/client/v3/createRoom", body=body, safe=False)
    room = str(answer["room_id"])
    for someone in (host, *guests):
        for other in (host, *guests):
            await someone.until(joined(someone, room, other.user_id))
    return room


def joined(someone: Person, room: str, user_id: str) -> Callable[[], bool]:
    """Whether someone has seen that this user is in the room."""
    return lambda: someone.members[room].get(user_id) == "join"


async def invite(host: Person, room: str, guest: Person) -> None:
    """One more guest."""
    path = f"/_matrix/client/v3/rooms/{room}/invite"
    await host.http.request("POST", path, body={"user_id": guest.user_id})
    await host.until(joined(host, room, guest.user_id))


async def reads(person: Person, event_id: str) -> str:
    """The text of this event as it appears on somebody's screen."""
    card = await person.wait_for(lambda card: card.event_id == event_id)
    return card.body


class Bare:
    """A device without a client behind it: it syncs when a test says so."""

    def __init__(self, http: Homeserver, machine: Machine, token: str | None = None) -> None:
        self.http = http
        self.machine = machine
        self.user_id = machine.device.user_id
        self.token = token

    async def sync(self) -> Poll:
        """Take in what is there."""
        news = await poll(self.http, self.machine, self.token, event_filter(()), 0)
        self.token = news.token
        return news
