"""Who plays, and about which children: all of it invented."""

from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Final

from babel.dates import format_date

from bot.demo.screen import Look

ANNA: Final = Look("Anna", "magenta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A professional, as a coordinator admits them; `login` is the local part of the user id."""

    login: str
    look: Look
    organisation: str
    full_name: str
    function: str
    email: str
    phone: str

    def contact(self, user_id: str) -> dict[str, str]:
        """The machine part of a card that gives the contact details."""
        return {
            "user_id": user_id,
            "name": self.full_name,
            "organisation": self.organisation,
            "function": self.function,
            "email": self.email,
            "phone": self.phone,
        }


SCHOOL: Final = "Basisschool De Wilgen"
PRACTICE: Final = "Huisartsen Noord"
HALT: Final = "Halt"
YOUTH_HEALTH: Final = "Jeugdgezondheidszorg"

FATIMA: Final = Role(
    login="fatima", look=Look("Fatima", "green"), organisation=SCHOOL, full_name="Fatima Bouali",
    function="intern begeleider", email="f.bouali@dewilgen.example", phone="0512 00 12 34",
)  # fmt: skip
JOOST: Final = Role(
    login="joost", look=Look("Joost", "cyan"), organisation=PRACTICE, full_name="Joost Dijkstra",
    function="huisarts", email="dijkstra@huisartsennoord.example", phone="0512 00 56 78",
)  # fmt: skip
LIN: Final = Role(
    login="lin", look=Look("Lin", "yellow"), organisation=HALT, full_name="Lin Tan",
    function="Halt-medewerker", email="l.tan@halt.example", phone="06 00 00 12 12",
)  # fmt: skip
NOOR: Final = Role(
    login="noor", look=Look("Noor", "bright_blue"), organisation=YOUTH_HEALTH, full_name="Noor El Amrani",
    function="jeugdarts", email="n.elamrani@jgz.example", phone="088 00 34 34",
)  # fmt: skip
GUESTS: Final = tuple(
    Role(
        login=login,
        look=Look(login.title(), "blue"),
        organisation=organisation,
        full_name=full_name,
        function=function,
        email=f"{login}@gast.example",
        phone="06 00 00 00 0" + number,
    )
    for number, login, full_name, function, organisation in (
        ("1", "kim", "Kim de Gast", "leerkracht", SCHOOL),
        ("2", "robin", "Robin de Gast", "praktijkondersteuner", PRACTICE),
        ("3", "sam", "Sam de Gast", "Halt-medewerker", HALT),
    )
)
"""For whoever tries it themselves: nobody of the demo has logged in as them."""

SURNAME: Final = "van der Veen"
GIVEN: Final = "Madelief"
TWIN: Final = "Rozemarijn"
ADDRESS: Final = "9203 ZX 95a"
KNOWN: Final = "Anneloes"
MISHEARD: Final = "Annelies"
HER_SURNAME: Final = "Hoekstra"
HER_ADDRESS: Final = "9204 KL 12"


def birthday(today: date, month: int = 8, day: int = 14) -> date:
    """Of somebody who is 12 to 15 now and in two years, whenever this is played: parents and child must be told."""
    return date(today.year - 13, month, day)


def in_words(day: date) -> str:
    """`14 augustus 2013`."""
    return str(format_date(day, "d MMMM y", locale="nl"))


def traces(*births: date) -> tuple[str, ...]:
    """What of these children could be found somewhere, however it was written; each too long to appear by chance."""
    written = [(born.isoformat(), f"{born:%d-%m-%Y}", f"{born:%d/%m/%Y}", in_words(born)) for born in births]
    return (
        GIVEN, TWIN, SURNAME, "Veen, van der", "9203 ZX", "9203ZX95",
        KNOWN, MISHEARD, HER_SURNAME, "9204 KL", "9204KL12", *chain.from_iterable(written),
    )  # fmt: skip
