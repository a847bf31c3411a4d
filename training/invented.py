"""Names and streets for the invented register: well-known ones, and a long tail put together from syllables."""

import random
from collections.abc import Mapping, Sequence
from itertools import accumulate


def _words(text: str) -> list[str]:
    return text.split()


GIVEN = _words(
    """
    Emma Noah Julia Lucas Mila Sem Tess Levi Sophie Finn Zoe Daan Sara Luuk Nora James Yara Milan Eva Noud Lotte Bram
    Anna Liam Fleur Mees Saar Thomas Lisa Tim Fenna Jesse Roos Lars Isa Ruben Noor Thijs Evi Gijs Maud Teun Lieke Sam
    Sanne Stijn Femke Max Iris Jurre Amber Niels Anouk Sven Britt Jasper Merel Koen Floor Joris Esmee Tom Elin Hugo
    Olivia Pieter Johannes Maria Johanna Cornelis Elisabeth Hendrik Catharina Jacobus Wilhelmina Adrianus Margaretha
    Franciscus Petronella Gerardus Theodora Matthijs Sebastiaan Christiaan Alexander Charlotte Isabella Benjamin
    Daniel Michael Josephine Florentina Anne-Marie Anne-Fleur Jan-Willem Rosalie Abel Ties Jens Pim Vera Jip Lize Fien
    Guus Job Mats Boaz Veerle Hanna Puck Willem
    """
)
GIVEN_ELSEWHERE = _words(
    """
    Mohamed Mohammed Ahmed Yusuf Youssef Ali Omar Amir Ibrahim Hamza Bilal Ayoub Adam Fatima Aisha Yasmin Amina Mariam
    Zeynep Elif Emir Kerem Mehmet Mustafa Ayse Defne Azra Hiba Safiya Imane Zakaria Ilias Anas Salma Nour Abdullah
    Abdel-Karim Khadija Soufiane Jakub Zuzanna Oliwia Kacper Szymon Maja Filip Aleksandra Sienna Jayden Shanaya Rayan
    Kidane Semhar Selam Yonas Rohan Anaya Priya Wei Xin Thi Minh Diego Sofia Mateo Valentina Jerrel Gianni Chenayra
    Samir Layla Ranya Nadia Karim
    """
)
SURNAMES = _words(
    """
    de_Jong Jansen de_Vries van_den_Berg van_Dijk Bakker Janssen Visser Smit Meijer de_Boer Mulder de_Groot Bos Vos
    Peters Hendriks van_Leeuwen Dekker Brouwer de_Wit Dijkstra Smits de_Graaf van_der_Meer van_der_Linden Kok Jacobs
    de_Haan Vermeulen van_den_Heuvel van_der_Veen van_den_Broek de_Bruijn de_Bruin van_der_Heijden Schouten van_Beek
    Willems van_Vliet van_de_Ven Hoekstra Maas Verhoeven Koster van_Dam van_der_Wal Prins Blom Huisman Peeters
    de_Jonge Kuipers van_Veen Post Kuiper Veenstra Kramer van_den_Brink Scholten van_Wijk Postma Martens Vink
    de_Ruiter Timmermans Groen Gerritsen Jonker van_Loon Boer van_der_Velde Willemsen Smeets de_Lange de_Vos Bosch
    van_Dongen Schipper de_Koning van_der_Laan Koning van_'t_Hof in_'t_Veld ter_Horst ten_Brink op_den_Camp Zijlstra
    IJzerman d'Hont
    """
)
SURNAMES_ELSEWHERE = _words(
    """
    Yilmaz Kaya Demir Celik Sahin Yildiz Ozturk Aydin Arslan Dogan El_Idrissi Amrani El_Amrani Bouzid Benali Ben_Ali
    Ait_Ali El_Khattabi Haddad Mohamed Ali Ahmed Hassan Hussein Osman Abdi Nguyen Tran Singh Ramdin Mohan Jagessar
    Pinas Martina Wang Chen Nowak Kowalski Kowalska Wisniewski Lewandowski Tesfay Gebremedhin Haile Popescu Ivanova
    Silva da_Silva Garcia Lopez
    """
)
_STEMS = _words(
    """
    Hoek Wester Ooster Noorder Zuider Veld Berk Elzen Linde Water Brug Dam Molen Kerk Toren Steen Zand Klei Heide Bos
    Wolf Haas Reiger Kraan Vink Meeuw Schaap Rogge Haver Gerst Appel Peren Notte Wilgen Esse Oude Nieuwe Groote Kleine
    Hage
    """
)
_MIDDLES = ("", "", "en", "er", "ing", "el", "s", "e")
_ENDS = _words(
    """
    stra sma man veld horst dijk huis bergen laar donk meer kamp hof broek wijk voort berg huizen ma ink aar
    """
)
_STREETS = _words(
    """
    straat laan weg plein hof dreef kade singel pad gracht
    """
)
_FIRSTS = _words(
    """
    Fe Ma Li No Jo Ro Sa Ti El Mi Ja Ka Lo Da Ne Vi Re Be Ha Sti Fre Ge Wi Do Ce Ar Yn Ie Oe Bau
    """
)
_LASTS = _words(
    """
    nna rre lle ske mke tte nne vin rik das mon bert lina sanne rien dine las ke na ra ja bo nus rit lon mar wen fke
    tske jan
    """
)
_STARTS = _words(
    """
    Ab Be Da El Fa Ga Ha Ib Ka Ma Na Ra Sa Ta Wa Ya Za
    """
)
_AND = _words(
    """
    ba da ha la ma na ra sa ya
    """
)
_THEN = _words(
    """
    ri di ni li ki si oui
    """
)
_WITH_PREFIX = 0.08


class _Drawn:
    """Draws from a list of which the first are the commonest, and for some part from its long tail."""

    def __init__(self, known: Sequence[str], tail: float, flat: int) -> None:
        self._known = known
        self._heavy = list(accumulate(1 / (rank + flat) for rank in range(len(known))))
        self._tail = tail

    def one(self, by: random.Random, long_tail: Sequence[Sequence[str]]) -> str:
        if by.random() < self._tail:
            return "".join(by.choice(part) for part in long_tail).capitalize()
        return by.choices(self._known, cum_weights=self._heavy)[0].replace("_", " ")


# So that the commonest given name is borne by 0.8% and the commonest surname by 0.6%, as in the Netherlands, and that
# the 85 commonest surnames are those of one in eight.
_GIVEN, _GIVEN_ELSEWHERE = _Drawn(GIVEN, 0.6, 30), _Drawn(GIVEN_ELSEWHERE, 0.5, 8)
_SURNAME, _SURNAME_ELSEWHERE = _Drawn(SURNAMES, 0.88, 8), _Drawn(SURNAMES_ELSEWHERE, 0.7, 8)
CALLED: Mapping[str, Sequence[str]] = {
    "adrianus": ("Ad", "Arie", "Janus", "Adrie"),
    "alexander": ("Alex", "Lex", "Sander", "Xander"),
    "amina": ("Mina",),
    "benjamin": ("Ben", "Benja", "Benny"),
    "catharina": ("Cato", "Trijn", "Katja", "Rina", "Toos", "Karin"),
    "charlotte": ("Lotte", "Lot", "Charlie"),
    "christiaan": ("Chris", "Christ"),
    "cornelis": ("Cor", "Kees", "Nelis", "Cees"),
    "daniel": ("Daan", "Dani", "Danny"),
    "elisabeth": ("Els", "Lisa", "Betty", "Liesbeth", "Elly", "Bep"),
    "fatima": ("Faati", "Fatma"),
    "florentina": ("Tina", "Flo", "Florien"),
    "franciscus": ("Frans", "Frank", "Cis", "Sjef"),
    "gerardus": ("Gerard", "Gert", "Ger", "Gerrit"),
    "hendrik": ("Henk", "Hein", "Rik", "Henny"),
    "ibrahim": ("Ibo", "Brahim"),
    "isabella": ("Isa", "Bella", "Bel"),
    "jacobus": ("Jaap", "Koos", "Sjaak", "Co"),
    "johanna": ("Jo", "Hanna", "Annie", "Janny", "Joke"),
    "johannes": ("Jan", "Hans", "Johan", "Joop", "Jo"),
    "josephine": ("Fien", "Jos", "Josie"),
    "julia": ("Juul", "Jules"),
    "margaretha": ("Greet", "Marga", "Gretha", "Margriet"),
    "maria": ("Ria", "Mieke", "Marie", "Mia", "Riet"),
    "matthijs": ("Thijs", "Mat", "Matt"),
    "michael": ("Mick", "Maikel", "Mike"),
    "mohamed": ("Mo", "Moha"),
    "mohammed": ("Mo", "Moh"),
    "olivia": ("Liv", "Livia"),
    "petronella": ("Nel", "Petra", "Nelly", "Ella"),
    "pieter": ("Piet", "Pier", "Peter"),
    "rosalie": ("Roos", "Rosa", "Lie"),
    "samuel": ("Sam", "Sammie"),
    "sebastiaan": ("Bas", "Sebas", "Seb"),
    "sophie": ("Soof", "Fie"),
    "theodora": ("Dora", "Thea", "Door"),
    "thomas": ("Tom", "Thom", "Tommie"),
    "wilhelmina": ("Willy", "Mina", "Mien", "Wil", "Helma"),
    "youssef": ("Joes", "Yous"),
    "yusuf": ("Joes", "Yus"),
}
"""What some are called, folded; written apart from `domain.callname_table`, of which it knows some only."""


def given_name(by: random.Random, *, elsewhere: bool) -> str:
    """One given name."""
    return (_GIVEN_ELSEWHERE if elsewhere else _GIVEN).one(by, (_FIRSTS, _LASTS))


def surname(by: random.Random, *, elsewhere: bool) -> str:
    """A surname, with its prefix."""
    if elsewhere:
        return _SURNAME_ELSEWHERE.one(by, (_STARTS, _AND, _THEN))
    name = _SURNAME.one(by, (_STEMS, _MIDDLES, _ENDS))
    prefixed = " " not in name and by.random() < _WITH_PREFIX
    return f"{by.choice(('van ', 'de ', 'van der '))}{name}" if prefixed else name


def street(by: random.Random) -> str:
    """The name of a street."""
    return by.choice(_STEMS) + by.choice(_MIDDLES) + by.choice(_STREETS)
