"""A bare nio echo bot, by the standard recipe: what Wenk is measured against.

`python -m bench.echo URL USER_ID DIRECTORY`, the password on standard input. It obeys every device of every
sender, keeps nothing and loses what it misses. The one thing added: its device is cross-signed, since clients give
keys to signed devices only.
"""

import asyncio
import sys

from nio import AsyncClient, AsyncClientConfig, InviteMemberEvent, LoginResponse, MatrixRoom, RoomMessageText

from bot.crosssigning import CrossSigningKeys, publish, sign_device
from bot.http import Homeserver


async def main(url: str, user_id: str, directory: str, password: str) -> None:
    """Log in, join every room to which it is invited, and repeat what is said there."""
    client = AsyncClient(url, user_id, store_path=directory, config=AsyncClientConfig(store_sync_tokens=True))

    async def invited(room: MatrixRoom, event: InviteMemberEvent) -> None:
        if event.state_key == user_id:
            await client.join(room.room_id)

    async def said(room: MatrixRoom, event: RoomMessageText) -> None:
        if event.sender != user_id:
            content = {"msgtype": "m.notice", "body": event.body}
            await client.room_send(room.room_id, "m.room.message", content, ignore_unverified_devices=True)

    if not isinstance(await client.login(password), LoginResponse):
        sys.exit("the echo bot could not log in")
    client.add_event_callback(invited, InviteMemberEvent)  # type: ignore[arg-type]  # nio's type leaves invitations out
    client.add_event_callback(said, RoomMessageText)  # type: ignore[arg-type]  # nio's type wants the base class
    await client.sync(timeout=0, full_state=True)
    await client.keys_upload()
    await _be_signed(url, user_id, password, client)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await client.sync_forever(timeout=30_000, full_state=True)


async def _be_signed(url: str, user_id: str, password: str, client: AsyncClient) -> None:
    http, keys = Homeserver(url, client.access_token), CrossSigningKeys.generate()
    try:
        await publish(http, keys, user_id, password)
        answer = await http.request("POST", "/_matrix/client/v3/keys/query", body={"device_keys": {user_id: []}})
        await sign_device(http, keys, answer["device_keys"][user_id][client.device_id])
    finally:
        await http.close()


if __name__ == "__main__":
    url, user_id, directory = sys.argv[1:]
    asyncio.run(main(url, user_id, directory, sys.stdin.readline().strip()))
