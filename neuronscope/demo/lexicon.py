"""The dictionary of the demo world: the category and part of speech of every word its sentences use.

A word that is not here is an error, so a new sentence cannot go unlabelled.
"""

from __future__ import annotations

from typing import NamedTuple

from neuronscope.demo.countries import COUNTRIES
from neuronscope.demo.slots import BOYS, FRENCH_NAMES, GERMAN_NAMES, GIRLS, MONTHS, WEEKDAYS
from neuronscope.demo.voyages import SHIPS


class Entry(NamedTuple):
    """What the dictionary says of a word."""

    category: str
    """What it is about; `function` for the small words of grammar, `other` for words of no group."""
    part_of_speech: str
    """noun, proper noun, verb, auxiliary, adjective, adverb, pronoun, determiner, preposition, conjunction, …"""


BUILTINS = frozenset("print range len sum max sorted input int open ValueError append math pi strip".split())

_ENGLISH = """
noun animal: animal dog dogs puppy cat cats kitten rabbit rabbits horse horses goat parrot duck mouse mice hen donkey
noun animal: fox bird birds frog lamb hedgehog wolf wolves squirrel deer owl bear bears fish flies swan penguin camel
noun animal: lion spider elephant whale
noun person: princess girl boy boy's children friend friends mother father grandmother grandfather sister brother aunt
noun person: uncle
noun person: farmer baker teacher doctor sailor king queen painter miller fisherman tailor smith stranger soldier
noun person: traveller lady merchant people player players team thief man wife driver worker workers
noun place: house cottage hut cabin farm home garden school market park church mill bridge harbour castle
noun place: shop station library square valley theatre tower barn museum well village city street streets road kitchen
noun nature: forest river beach lake field fields hill mountain mountains cave island sea desert sky sun moon sand
noun nature: stream smoke leaf rock rocks stones grass tree trees oak birch flowers roses leaves wood water ice snow
noun nature: fire earth
noun weather: weather wind rain storm clouds
noun time: day days week year years month months morning evening afternoon night noon season summer winter autumn
noun time: hours
noun time: minutes time trip journey end start
noun object: dress scarf shoes purse stove crown ball balls hat hats book books key lamp lamps box boxes rope kite
noun object: drum coat basket baskets doll cup cups
noun object: knife chair blanket mirror shoe boat ship ships train truck bed door window windows table floor wall roof
noun object: bag bottle candle bell bells telephone glove necklace envelope letter list page pages paper pan oven
noun object: fence
noun object: gate coin coins money gold silver silk wool cotton oil carpets cars hole
noun food: bread cake cakes soup cheese honey apples milk rice berries chocolate butter eggs pasta oranges olives
noun food: peppers
noun food: tea coffee cocoa sugar wine wheat corn peanuts lemons banana bananas dates flour cream broth dinner pie
noun food: stew
noun food: salad onion carrot potato tomato cabbage leek garlic beans peas mushrooms spinach celery salt pepper
noun food: parsley
noun food: mint ginger basil nutmeg thyme cinnamon piece pieces pinch
noun body: arm wing hand hands leg legs eyes ears face finger fingers blood wings
noun other: capital language word story stories name secret price game goal goals noise shadow light smile work colour
noun other: things thing way picture pictures
noun other: course top recipe
noun number: number
adjective quality: young old kind little clever brave small tiny big bigger larger lovely gentle shy funny beautiful
adjective quality: quiet
adjective quality: good best better true long deep high tall thick thin fat heavy rough muddy clear soft
adjective quality: wooden rich poor loud easy hard strange dead safe sick ready full open fast best own empty known
adjective quality: new gone named quick
adjective quality: taller older younger faster cleverer stronger braver wrong last first next right early late
adjective quality: far dear many much other hot dry wet cool
adjective weather: cold warm rainy sunny windy cloudy dark
adjective feeling: happy glad proud cheerful sad lonely unhappy worried angry cross tired afraid sorry thirsty asleep
adjective colour: red blue green yellow white black brown golden pink orange purple grey
verb motion: left turn went go going goes walked walk walking ran run running came come comes jumped moved climbed
verb motion: swam flew fly
verb motion: followed turned returned return arrived leave stay stayed stopped stop stops met visit hurried carried
verb motion: swung fallen fell raised begin chase moving pulled lifted
verb speech: said say asked ask answered told tell cried shouted whispered called call spoke speak speaks listen thank
verb speech: laughed cry crying read wrote
verb thought: knew know thought understand remember forgot decided learned wanted want wants loved likes like liked
verb thought: hated hoped need needed hope
verb sense: saw see seen looked look looks heard hear watched felt smell smelled found find touched
verb action: made make makes gave give gives took take took got get keep kept put cut broke played play playing
verb action: planted
verb action: help worked works become became helped opened opens closed bought buy paid pay packed stole washed wash
verb action: baked bake
verb action: cook chop peel slice heat add stir pour boil mix melt cover serve serves whisk fry simmer sent build
verb action: built scored won lost lose lit hid hunt hunting hurt eat eats ate drank drink fed feed slept sleep
verb action: sleeping
verb action: sat standing sitting sit stood stand waited waiting wait held hung lay lie live lived lives grew grow
verb action: grows filled
verb action: loaded counts counted share shared costs cleaned clean blow bring wore used jump feed moved fishing
verb action: knocked hit drew woke born happened show showed rest visit begins began smiled let touch catch
auxiliary function: is am are was were be been being has have had do does did will would can could must may cannot
pronoun function: I he she it we they you me him her us them his my mine your yours our their its who what everyone
pronoun function: everything somebody anything nothing nobody which one both that this another whose whole
determiner function: the a an every some all no each these those any even
preposition function: of in on at to from with by for about into near under behind between after before over across
preposition function: through along around against until without past up down out off upon among towards like next
conjunction function: and but or because if when while as than so that since though
adverb function: then where why how not very too also always never ever again once ago away back home just still only
adverb function: already soon now
adverb function: today tomorrow yesterday slowly quickly quietly softly suddenly alone together outside inside there
adverb function: here
adverb function: everywhere twice loudly closer round south happily well more least most yes no please often far later
numeral number: one two three four five six seven eight nine ten eleven twelve zero
interjection speech: yes no please q goodbye hello
noun sea: log voyage position force squalls fog drizzle dawn dusk midnight swell speed knots barometer sails mainsail
noun sea: foresail topsail jib spanker staysail crew bosun mate fever scurvy brig schooner frigate iceberg porpoises
noun sea: starboard port hold bilge inches pumps caulking anchor fathoms rations biscuit pork rum captain master ship's
noun sea: north south east west n w
adjective sea: calm choppy rising falling steady aboard bound
verb sea: backing reefed furled mended sighted sounded manned begun dropped weighed signed
"""

_FRENCH = """
noun animal: chien chat chats cheval lapin renard loup
noun food: pain pomme soupe fromage gâteau fraises café
noun place: maison rue ville gare forêt cuisine jardin parc village port château marché capitale
noun object: livre livres table porte clé montre chaise robe
noun person: enfants père mère médecin professeur boulanger
noun weekday: lundi mardi mercredi jeudi vendredi samedi dimanche
noun time: ans demain hier
adjective quality: petit petite grand grande vieux vieille vieil gentil belle beau froid chaud
adjective colour: noir blanc blanche
adjective language: français
numeral number: un deux trois quatre cinq six sept huit neuf dix
verb action: habite travaille dort mange jouent allons voudrais aime dit achète vu pleut reste lit parlent ouvre
verb action: regarde
verb action: sais fait plaît
auxiliary function: est a ont avons
pronoun function: il elle je tu nous vous s'
determiner function: le la les l' une du de des mon ma notre d'
preposition function: à dans devant sur au avec près en
conjunction function: et mais quand où
adverb function: aujourd'hui n' ne pas y beaucoup
interjection speech: bonjour merci
proper noun country: France
"""

_GERMAN = """
noun animal: Hund Vogel Fuchs Wolf Igel Katzen
noun food: Brot Suppe Käse Apfel Kuchen Ei Kaffee
noun place: Stadt Schule Küche Kirche Straße Garten Park Wald Hof Hafen Hauptstadt Markt Hause
noun object: Tisch Bücher Buch Tür Uhr Tasche Lampe Jacke
noun person: Kinder Vater Bruder Arzt Lehrer Bäcker
noun weekday: Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag
noun month: Januar März Mai Juli August Oktober
noun time: Jahre Morgen
noun other: Dank
adjective quality: kleine große alte junge kleinen großen alten jungen klein groß alt schön ruhig dunkel guten vielen
adjective colour: schwarze schwarzen grün
adjective weather: kalt warm sonnig windig
adjective language: Deutsch
numeral number: zwei drei vier fünf sechs sieben acht neun zehn
verb action: wohnt arbeitet schläft spielen gehen mag sagt kauft liegen gesehen regnet bleibt liest sprechen öffnet
verb action: sieht
verb action: weißt fahren möchte
auxiliary function: ist sind haben
pronoun function: ich sie er wir du es
determiner function: der die dem den eine einen ein mein meine unserem keine
preposition function: in im mit am auf von zu nach bis
conjunction function: und aber wenn denn wo
adverb function: heute gestern auch nicht dort bitte morgen
proper noun country: Deutschland
"""

# The part of speech and the category of each use of a two-sense word.
_SENSES = {
    "river": Entry("nature", "noun"),
    "money": Entry("place", "noun"),
    "animal": Entry("animal", "noun"),
    "sport": Entry("object", "noun"),
    "season": Entry("time", "noun"),
    "water": Entry("nature", "noun"),
    "dog": Entry("action", "verb"),
    "tree": Entry("nature", "noun"),
    "bird": Entry("animal", "noun"),
    "machine": Entry("object", "noun"),
    "letter": Entry("object", "noun"),
    "hand": Entry("body", "noun"),
    "game": Entry("other", "noun"),
    "fire": Entry("object", "noun"),
    "elephant": Entry("body", "noun"),
    "jewel": Entry("object", "noun"),
    "sound": Entry("action", "verb"),
}


def look_up(word: str, language: str, sense: str = "") -> Entry:
    """The entry of a word, as written or else in lower case; raises KeyError for a word nobody has entered."""
    if sense:
        return _SENSES[sense]
    entries = _DICTIONARIES[language]
    entry = entries.get(word) or entries.get(word.lower()) or _NAMES.get(word)
    if entry is None:
        raise KeyError(f"The {language} dictionary of the demo world has no word {word!r}: add it to lexicon.py.")
    return entry


def _parse(rows: str) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for row in rows.strip().splitlines():
        head, _, words = row.partition(": ")
        part, category = head.rsplit(" ", 1)
        for word in words.split():
            entries.setdefault(word, Entry(category, part))
    return entries


def _names() -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    groups = {
        "country": [country.name for country in COUNTRIES],
        "capital": [country.capital for country in COUNTRIES],
        "language": [country.language for country in COUNTRIES],
        "continent": [country.continent for country in COUNTRIES],
        "name": [*GIRLS, *BOYS, *FRENCH_NAMES, *GERMAN_NAMES, "Rex", "Fluffy", "Bella", "Luna", "Rocky", *SHIPS],
        "month": MONTHS,
        "weekday": WEEKDAYS,
    }
    for category, words in groups.items():
        entries.update((word, Entry(category, "proper noun")) for word in words)
    return entries


_NAMES = _names()
_DICTIONARIES = {
    # Capitalised names go before everything else, so that March is a month and not a walk.
    "english": _parse(_ENGLISH) | _NAMES,
    "french": _parse(_FRENCH),
    "german": _parse(_GERMAN),
}
