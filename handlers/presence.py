"""Who came into a room, and who left it."""

from handlers.introductions import arrived
from handlers.office import Office
from storage.rooms import Room


async def saw(office: Office, room: Room, user_id: str, membership: str) -> None:
    """The server says that somebody's membership of one of our rooms is so now."""
    if not await office.uow.rooms.saw(room.id, user_id, membership):
        return
    if membership == "join" and room.introduction_id is not None and user_id in room.wanted:
        await arrived(office, room.introduction_id, user_id)
