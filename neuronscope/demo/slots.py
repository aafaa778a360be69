"""What may stand in a sentence's slots: the pools that `{animal}`, `{place}` or `{fradjm}` are drawn from."""

from __future__ import annotations

GIRLS = "Anna Lily Emma Mary Sara Nora Julia Alice Lucy Grace Ella Clara".split()
BOYS = "Tom Ben Jack Peter Max Leo Sam Oliver Henry David Paul Felix".split()
FRENCH_NAMES = "Marie Claire Louise Pierre Jean Luc".split()
GERMAN_NAMES = "Greta Heidi Lena Hans Karl Fritz".split()

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

_POOLS = """
age: young old little clever brave
small: small little tiny old big lovely
kind: kind clever brave gentle shy funny
cold: cold warm rainy sunny windy cloudy
happy: happy glad proud cheerful
sad: sad lonely unhappy worried
angry: angry cross
tired: tired
beautiful: beautiful lovely quiet green
season: summer winter autumn
home: house cottage hut cabin farm
place: garden forest school market park church mill harbour castle shop village
place2: field station library square tower cave barn museum valley theatre
relative: mother father grandmother grandfather sister brother aunt uncle
job: farmer baker teacher doctor sailor king queen painter miller fisherman tailor smith
stranger: stranger soldier traveller lady merchant
waiting: waiting playing sitting standing
animal: dog cat rabbit horse goat parrot duck mouse hen donkey
animal2: fox bird frog lamb hedgehog wolf squirrel deer owl bear
animals: dogs cats horses birds wolves bears
pet: Rex Fluffy Bella Rocky Luna
colour: red blue green yellow white black brown golden
colour2: pink orange purple grey silver
object: ball hat book key lamp box rope kite drum coat basket doll
object2: cup knife chair blanket mirror shoe
objects: balls hats books lamps boxes baskets
food: bread cake soup cheese honey apples milk rice berries chocolate
vegetable: onion carrot potato tomato cabbage leek
vegetable2: garlic beans peas mushrooms spinach celery
spice: salt pepper parsley mint ginger
spice2: basil nutmeg thyme cinnamon
liquid: milk water cream broth
frplacef: maison rue ville gare forêt cuisine
frplacem: jardin parc village port château
franimal: chien chat cheval lapin renard loup
fradjm: petit grand vieux blanc noir gentil
fradjpre: petit grand vieux
fradjf: petite grande vieille belle blanche
frfood: du pain|une pomme|de la soupe|du fromage|un gâteau|des fraises
frjob: médecin professeur boulanger
frthingf: clé montre chaise robe
frday: lundi mardi mercredi jeudi vendredi samedi dimanche
frnumber: deux trois quatre cinq six sept huit neuf dix
deplacef: Stadt Schule Küche Kirche Straße
deplacem: Garten Park Wald Hof Hafen
deanimalm: Hund Vogel Fuchs Wolf Igel
deanimalm2: Hund Vogel Fuchs Wolf Igel
deadj: kleine große alte junge schwarze
deadjacc: kleinen großen alten jungen schwarzen
deadjbare: klein groß alt schön
deadjbare2: ruhig grün dunkel kalt
deadjw: warm kalt sonnig windig
defood: Brot|eine Suppe|Käse|einen Apfel|Kuchen|ein Ei
dejob: Arzt Lehrer Bäcker
dethingf: Uhr Tasche Lampe Jacke
deday: Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag
denumber: zwei drei vier fünf sechs sieben acht neun zehn
demonth: Januar März Mai Juli August Oktober
"""


def _parse(line: str) -> tuple[str, tuple[str, ...]]:
    name, _, values = line.partition(": ")
    return name, tuple(values.split("|") if "|" in values else values.split())


POOLS: dict[str, tuple[str, ...]] = dict(_parse(line) for line in _POOLS.strip().splitlines())

# Each animal's colour, legs, food and home, so that what is said of it is always the same.
CREATURES: tuple[tuple[str, str, str, str, str], ...] = (
    ("fox", "red", "four", "mice", "forest"),
    ("frog", "green", "four", "flies", "lake"),
    ("bear", "brown", "four", "honey", "forest"),
    ("wolf", "grey", "four", "rabbits", "forest"),
    ("duck", "brown", "two", "grass", "lake"),
    ("swan", "white", "two", "grass", "lake"),
    ("penguin", "black", "two", "fish", "sea"),
    ("camel", "brown", "four", "grass", "desert"),
    ("owl", "brown", "two", "mice", "forest"),
    ("lion", "yellow", "four", "deer", "grass"),
    ("spider", "black", "eight", "flies", "garden"),
)

NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
