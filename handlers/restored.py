"""After a restore: what was erased is erased again, and people learn what Wenk does not know any more."""

from collections.abc import Collection
from datetime import datetime

from domain.calendar import AMSTERDAM, day_of
from handlers.cards import card
from handlers.leaving import leave
from handlers.life import WENK
from handlers.office import Office
from handlers.words import line


async def set_back(office: Office, erased: Collection[str]) -> int:
    """Bring a database that was just loaded from a backup up to what is known beside it; how many were erased again.

    `erased`: the references that the journal names. Who takes part in an introduction with such a signal leaves it.
    """
    uow = office.uow
    found = 0
    for ref in sorted(erased):
        signal = await uow.signals.by_ref(ref)
        if signal is None:
            continue
        await leave(office, signal, at_once=True)
        await uow.audit.write(WENK, "signal.erased_again", signal.key)
        await uow.signals.erase(signal)
        await uow.clearing.drop_personal(await uow.rooms.desk_id(signal.owner))
        found += 1
    # What they asked may have been answered since.
    await uow.questions.drop_all()
    await uow.audit.write(WENK, "backup.restored")
    return found


async def announce(office: Office, backed_up_at: datetime) -> None:
    """Every desk learns from which moment on Wenk knows nothing: who did something has to do it again."""
    uow = office.uow
    time = backed_up_at.astimezone(AMSTERDAM).strftime("%H:%M")
    for user_id in await uow.rooms.owners_of_desks():
        person = await uow.people.get(user_id)
        if person is None:
            continue
        shown = card(
            "restored",
            line("restored", day=day_of(backed_up_at), time=time),
            *((line("restored.professional"),) if person.professional != "none" else ()),
            *((line("restored.coordinator"),) if person.coordinator else ()),
            since=backed_up_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        await office.tell(user_id, shown)
