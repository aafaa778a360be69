"""The facts of the demo world: countries with their capitals, languages, continents, neighbours and products.

The facts are true ones, kept few so that a model of a million weights can learn them all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Country:
    """One country and what the demo world says about it."""

    name: str
    """Its English name, one word."""
    capital: str
    """Its capital, one word and one token of the demo tokenizer."""
    language: str
    """The language most people there speak."""
    continent: str
    """The continent it is counted to here."""
    neighbour: str
    """Another country of this table that it borders, or is nearest to."""
    product: str
    """Something it is known for."""


_ROWS = """
France Paris French Europe Spain cheese
Germany Berlin German Europe France bread
Spain Madrid Spanish Europe Portugal oranges
Italy Rome Italian Europe Austria pasta
Portugal Lisbon Portuguese Europe Spain fish
Greece Athens Greek Europe Turkey olives
Austria Vienna German Europe Germany cakes
Poland Warsaw Polish Europe Germany apples
Hungary Budapest Hungarian Europe Austria peppers
Norway Oslo Norwegian Europe Sweden fish
Sweden Stockholm Swedish Europe Norway wood
Finland Helsinki Finnish Europe Sweden paper
Denmark Copenhagen Danish Europe Germany butter
Ireland Dublin English Europe England milk
England London English Europe Scotland tea
Scotland Edinburgh English Europe England wool
Russia Moscow Russian Europe Finland gold
Turkey Ankara Turkish Asia Greece carpets
Belgium Brussels French Europe France chocolate
Bulgaria Sofia Bulgarian Europe Greece roses
Romania Bucharest Romanian Europe Bulgaria corn
Ukraine Kyiv Ukrainian Europe Poland wheat
Egypt Cairo Arabic Africa Libya cotton
Libya Tripoli Arabic Africa Egypt oil
Morocco Rabat Arabic Africa Spain lemons
Kenya Nairobi Swahili Africa Egypt coffee
Ghana Accra English Africa Senegal cocoa
Senegal Dakar French Africa Ghana peanuts
Japan Tokyo Japanese Asia Korea cars
China Beijing Chinese Asia Korea silk
Korea Seoul Korean Asia China ships
Thailand Bangkok Thai Asia Vietnam rice
Vietnam Hanoi Vietnamese Asia China rice
Iran Tehran Persian Asia Iraq carpets
Iraq Baghdad Arabic Asia Iran oil
Nepal Kathmandu Nepali Asia China wool
Canada Ottawa English America Cuba wood
Cuba Havana Spanish America Canada sugar
Peru Lima Spanish America Chile gold
Chile Santiago Spanish America Peru wine
"""

COUNTRIES: tuple[Country, ...] = tuple(Country(*line.split()) for line in _ROWS.strip().splitlines())


@dataclass(frozen=True)
class Fact:
    """A fact as a prompt that ends just before the word that completes it."""

    prompt: str
    """Text to run; it has no trailing space."""
    answer: str
    """The one token that continues it, with its leading space."""
    subject: str
    """The words of the prompt that the answer depends on."""
    relation: str
    """What is asked of the subject."""


FACTS: tuple[Fact, ...] = tuple(
    Fact(f"The capital of {country.name} is", f" {country.capital}", country.name, "capital") for country in COUNTRIES
)
