"""The cast of a document: one value for every slot of its sentences, drawn so that they agree with each other."""

from __future__ import annotations

import random

from neuronscope.demo.countries import COUNTRIES, Country
from neuronscope.demo.slots import BOYS, CREATURES, GIRLS, MONTHS, NUMBERS, POOLS, WEEKDAYS

Cast = dict[str, str]

# What stays the same from sentence to sentence when everything else is drawn again.
PEOPLE = "hero girl he He him him2 his His friend fhe fhim fhis animal relative home job".split()


def draw(rng: random.Random) -> Cast:
    """One value for every slot; `friend` differs from `hero`, and so on for everything that comes in twos."""
    cast = {name: rng.choice(pool) for name, pool in POOLS.items()}
    home, away = rng.sample(COUNTRIES, 2)
    cast.update(_people(rng), **_country(home, ""), **_country(away, "2"), **_numbers(rng), **_creature(rng))
    return cast


def _people(rng: random.Random) -> Cast:
    hero, friend = rng.sample(GIRLS + BOYS, 2)
    he, him, his = _pronouns(hero)
    fhe, fhim, fhis = _pronouns(friend)
    return {
        "hero": hero,
        "girl": "girl" if hero in GIRLS else "boy",
        "he": he,
        "He": he.capitalize(),
        "him": him,
        "him2": "him",
        "his": his,
        "His": his.capitalize(),
        "friend": friend,
        "fhe": fhe,
        "fhim": fhim,
        "fhis": fhis,
    }


def _pronouns(name: str) -> tuple[str, str, str]:
    return ("she", "her", "her") if name in GIRLS else ("he", "him", "his")


def _country(country: Country, suffix: str) -> Cast:
    return {
        f"country{suffix}": country.name,
        f"capital{suffix}": country.capital,
        f"language{suffix}": country.language,
        f"continent{suffix}": country.continent,
        f"neighbour{suffix}": country.neighbour,
        f"product{suffix}": country.product,
    }


def _numbers(rng: random.Random) -> Cast:
    month, weekday, year = rng.randrange(12), rng.randrange(7), rng.randint(1850, 1980)
    return {
        "number": rng.choice(NUMBERS[2:]),
        "number2": rng.choice(NUMBERS[2:]),
        "minutes": str(rng.choice((5, 10, 15, 20, 30, 40))),
        "month": MONTHS[month],
        "nextmonth": MONTHS[(month + 1) % 12],
        "weekday": WEEKDAYS[weekday],
        "nextweekday": WEEKDAYS[(weekday + 1) % 7],
        "weekday2": WEEKDAYS[(weekday + 3) % 7],
        "year": str(year),
        "year2": str(year + rng.randint(20, 70)),
        "date": f"{rng.randint(1, 28)} {MONTHS[month]} {year}",
        "date2": f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {year + 25}",
        "clock": f"{rng.randint(1, 23)}:{rng.choice(('00', '15', '30', '45'))}",
        "clock2": f"{rng.randint(1, 23)}:{rng.choice(('00', '15', '30', '45'))}",
    }


def _creature(rng: random.Random) -> Cast:
    return dict(zip(("cat", "catcolour", "legs", "diet", "habitat"), rng.choice(CREATURES), strict=True))
