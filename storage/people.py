"""Organisations, the people who work there, and the identities they showed first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from storage.schema import organisation, person, pin, region
from storage.session import REGION, Repository, Session


@dataclass(frozen=True, slots=True)
class Organisation:
    """Where professionals work; `ref` is its O- reference."""

    id: int
    ref: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone with a desk: a coordinator, a professional, or both.

    `professional` is `none`, `active` or `suspended`; the contact details are empty for `none`.
    """

    user_id: str
    coordinator: bool
    professional: str
    language: str
    organisation: Organisation | None
    full_name: str
    function: str
    email: str
    phone: str


_ORGANISATION = (organisation.c.id, organisation.c.ref, organisation.c.name)
_PERSON = select(
    person,
    organisation.c.ref.label("organisation_ref"),
    organisation.c.name.label("organisation_name"),
).outerjoin(organisation, organisation.c.id == person.c.organisation_id)
_BY_ID = _PERSON.where(person.c.user_id == bindparam("user_id"))
_BY_IDS = _PERSON.where(person.c.user_id.in_(bindparam("user_ids", expanding=True)))


def _person(row: Row[Any]) -> Person:
    return Person(
        user_id=row.user_id,
        coordinator=row.coordinator,
        professional=row.professional,
        language=row.language,
        organisation=Organisation(row.organisation_id, row.organisation_ref, row.organisation_name)
        if row.organisation_id is not None
        else None,
        full_name=row.full_name,
        function=row.function,
        email=row.email,
        phone=row.phone,
    )


class People(Repository):
    """Who is admitted, and as what; read once per unit of work."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._known: dict[str, Person | None] = {}

    async def ensure_region(self, name: str) -> None:
        """The region of this process exists and has this name."""
        await self._s.put(region, {"id": REGION, "name": name})

    async def get(self, user_id: str) -> Person | None:
        if user_id not in self._known:
            row = await self._s.one(_BY_ID, {"user_id": user_id})
            self._known[user_id] = _person(row) if row else None
        return self._known[user_id]

    async def look_up(self, user_ids: Collection[str]) -> None:
        """Ask for all these people at once; `get` then knows them."""
        rows = await self._s.all(_BY_IDS, {"user_ids": list(user_ids)})
        self._known.update((row.user_id, _person(row)) for row in rows)

    async def coordinators(self) -> Sequence[Person]:
        rows = await self._s.all(_PERSON.where(person.c.coordinator).order_by(person.c.user_id))
        return [_person(row) for row in rows]

    async def add_coordinator(self, user_id: str, language: str) -> None:
        """Make somebody a coordinator; a professional stays one."""
        self._changes(user_id)
        if await self._s.run(update(person).where(person.c.user_id == user_id).values(coordinator=True)):
            return
        await self._s.run(
            insert(person).values(
                user_id=user_id, region_id=REGION, coordinator=True, professional="none", organisation_id=None,
                full_name="", function="", email="", phone="", language=language,
            )
        )  # fmt: skip

    async def save_professional(self, who: Person) -> None:
        """Admit somebody as a professional, or change the details of one."""
        self._changes(who.user_id)
        values: dict[str, Any] = {
            "professional": who.professional,
            "organisation_id": who.organisation.id if who.organisation else None,
            "full_name": who.full_name,
            "function": who.function,
            "email": who.email,
            "phone": who.phone,
        }
        if await self._s.run(update(person).where(person.c.user_id == who.user_id).values(values)):
            return
        await self._s.run(
            insert(person).values(
                values | {"user_id": who.user_id, "region_id": REGION, "coordinator": False, "language": who.language}
            )
        )

    async def set_standing(self, user_id: str, professional: str) -> None:
        """`active` or `suspended`."""
        self._changes(user_id)
        await self._s.run(update(person).where(person.c.user_id == user_id).values(professional=professional))

    async def set_language(self, user_id: str, language: str) -> None:
        self._known.pop(user_id, None)
        await self._s.run(update(person).where(person.c.user_id == user_id).values(language=language))

    def _changes(self, user_id: str) -> None:
        self._known.pop(user_id, None)
        self._s.effects += 1

    async def add_organisation(self, ref: str, name: str, folded: str) -> Organisation:
        self._s.effects += 1
        number: int = await self._s.value(
            insert(organisation)
            .values(region_id=REGION, ref=ref, name=name, folded=folded)
            .returning(organisation.c.id)
        )
        return Organisation(number, ref, name)

    async def organisation(self, *, ref: str | None = None, folded: str | None = None) -> Organisation | None:
        """By reference or by folded name."""
        found = organisation.c.ref == ref if ref is not None else organisation.c.folded == folded
        row = await self._s.one(select(*_ORGANISATION).where(organisation.c.region_id == REGION, found))
        return Organisation(row.id, row.ref, row.name) if row else None

    async def organisations(self) -> Sequence[Organisation]:
        rows = await self._s.all(
            select(*_ORGANISATION).where(organisation.c.region_id == REGION).order_by(organisation.c.folded)
        )
        return [Organisation(row.id, row.ref, row.name) for row in rows]

    async def pinned(self, user_id: str) -> str | None:
        """The master key (unpadded base64) that this user showed first."""
        master_key: str | None = await self._s.value(select(pin.c.master_key).where(pin.c.user_id == user_id))
        return master_key

    async def pin(self, user_id: str, master_key: str) -> None:
        """Remember a master key for good; the first one stays until a coordinator trusts a new one."""
        await self._s.run(insert(pin).values(user_id=user_id, master_key=master_key, pinned_at=self._s.now_ms))

    async def unpin(self, user_id: str) -> None:
        """A coordinator trusts this user anew: the next key seen is pinned."""
        self._s.effects += 1
        await self._s.run(pin.delete().where(pin.c.user_id == user_id))
