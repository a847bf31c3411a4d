"""Asking for a second person's agreement: who may give it, and how they hear that they are asked."""

from collections.abc import Sequence

from handlers.cards import card
from handlers.office import Office, Talk
from handlers.words import line
from storage.approvals import Subject
from storage.people import Person


async def approvers(office: Office, asked_by: str) -> Sequence[Person]:
    """The coordinators, but for who asks."""
    return [each for each in await office.uow.people.coordinators() if each.user_id != asked_by]


async def ask(talk: Talk, subject: Subject) -> str | None:
    """Ask those who may agree; the reference. One that is open already is not asked again; None: nobody may agree."""
    uow, asker = talk.uow, talk.person.user_id
    for waiting in await uow.approvals.open_ones():
        if waiting.subject == subject:
            return waiting.ref
    able = await approvers(talk.office, asker)
    if not able:
        return None
    reference = await talk.office.reference("A", uow.approvals.exists)
    await uow.approvals.open(reference, asker, subject)
    for each in able:
        await talk.office.tell(
            each.user_id, card("approval.opened", line("approval.opened", ref=reference), ref=reference)
        )
    return reference
