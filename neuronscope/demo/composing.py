"""How each kind of document is composed: a cast is drawn, and then sentences about it."""

from __future__ import annotations

import random
from collections.abc import Callable

from neuronscope.demo import sentences, tales, voyages
from neuronscope.demo.casting import PEOPLE, draw
from neuronscope.demo.markup import fill
from neuronscope.demo.programs import NAMES, PROGRAMS
from neuronscope.demo.senses import CUES, NOUN_FRAMES, SENSES, VERB_FRAMES, VERBS
from neuronscope.demo.slots import FRENCH_NAMES, GERMAN_NAMES, POOLS


def story(rng: random.Random) -> str:
    """An opening, one or two arcs and an ending, about the same few people."""
    cast = draw(rng)
    steps = [rng.choice(tales.OPENINGS)]
    for arc in rng.sample(tales.ARCS, rng.choice((1, 1, 2))):
        steps.extend(rng.choice(step) for step in arc)
    steps.append(rng.choice(tales.ENDINGS))
    for _ in range(rng.randint(0, 3)):
        steps.insert(rng.randrange(1, len(steps)), rng.choice(tales.SCENES))
    people = {slot: cast[slot] for slot in PEOPLE}
    told = [_capitalised(fill(step, draw(rng) | people if step in tales.SCENES else cast, rng)) for step in steps]
    breaks = ["\n" if rng.random() < 0.3 else " " for _ in told[1:]] + [""]
    return "".join(sentence + gap for sentence, gap in zip(told, breaks, strict=True))


def facts(rng: random.Random) -> str:
    """A handful of facts: about one country, about several capitals, or about nature."""
    if rng.random() < 0.2:
        return _joined(rng, [_about_nature(rng) for _ in range(rng.randint(2, 5))])
    if rng.random() < 0.4:
        return _joined(rng, [fill(rng.choice(sentences.CAPITALS), draw(rng), rng) for _ in range(rng.randint(2, 6))])
    cast = draw(rng)
    chosen = [*rng.sample(sentences.FACTS_OF_A_COUNTRY, rng.randint(1, 4)), rng.choice(sentences.CAPITALS)]
    rng.shuffle(chosen)
    return _joined(rng, [fill(sentence, cast, rng) for sentence in chosen])


def arithmetic(rng: random.Random) -> str:
    """Sums in figures, or a small problem in words."""
    if rng.random() < 0.4:
        return _word_problem(rng)
    return "\n".join(_sum(rng) for _ in range(rng.randint(3, 8)))


def shopping(rng: random.Random) -> str:
    """A list with a heading: numbered, dashed, or in one sentence."""
    pool = rng.choice(("object", "food", "animal", "place", "vegetable", "colour"))
    items = rng.sample(POOLS[pool], min(rng.randint(3, 6), len(POOLS[pool])))
    cast = draw(rng)
    heading = fill(rng.choice(("{hero} saw", "{friend} wrote this list", "Things to remember", "My list")), cast, rng)
    style = rng.choice(("numbered", "dashed", "sentence", "counted"))
    if style == "sentence":
        return f"{heading}: {', '.join(items[:-1])} and {items[-1]}."
    if style == "numbered":
        return f"{heading}:\n" + "\n".join(f"{i}. {item}" for i, item in enumerate(items, 1))
    if style == "counted":
        return f"{heading}:\n" + "\n".join(f"{item}: {rng.randint(1, 20)}" for item in items)
    return f"{heading}:\n" + "\n".join(f"- {item}" for item in items)


def diary(rng: random.Random) -> str:
    """Entries, letters and lives, with dates and times."""
    return "\n".join(_capitalised(fill(rng.choice(sentences.DIARY), draw(rng), rng)) for _ in range(rng.randint(1, 3)))


def dialogue(rng: random.Random) -> str:
    """Conversations in double quotes."""
    return "\n".join(fill(rng.choice(sentences.DIALOGUE), draw(rng), rng) for _ in range(rng.randint(1, 3)))


def brackets(rng: random.Random) -> str:
    """Sentences with asides in round and square brackets, some nested."""
    return " ".join(fill(rng.choice(sentences.ASIDES), draw(rng), rng) for _ in range(rng.randint(1, 4)))


def python(rng: random.Random) -> str:
    """One to three short programs."""
    return "\n".join(_program(rng) for _ in range(rng.randint(1, 3)))


def french(rng: random.Random) -> str:
    """A few French sentences."""
    return _foreign(rng, sentences.FRENCH, "fr", FRENCH_NAMES)


def german(rng: random.Random) -> str:
    """A few German sentences."""
    return _foreign(rng, sentences.GERMAN, "de", GERMAN_NAMES)


def senses(rng: random.Random) -> str:
    """Sentences with words of two uses, each use where it belongs."""
    chosen = []
    for _ in range(rng.randint(1, 4)):
        word = rng.choice(tuple(SENSES))
        sense = rng.choice(tuple(SENSES[word]))
        sentence = rng.choice(SENSES[word][sense]) if rng.random() < 0.5 else _framed(word, sense, rng)
        chosen.append(_capitalised(fill(sentence, draw(rng), rng)))
    return " ".join(chosen)


def recipe(rng: random.Random) -> str:
    """A dish, what it needs, and the steps."""
    cast = draw(rng)
    dish = rng.choice(("soup", "stew", "pie", "salad", "cake"))
    needs = f"{rng.randint(1, 6)} {cast['vegetable']}, {cast['vegetable2']}, {cast['spice']}"
    steps = [*rng.sample(sentences.RECIPE_STEPS, rng.randint(3, 6)), rng.choice(sentences.RECIPE_ENDS)]
    told = "\n".join(f"{i}. {fill(step, cast, rng)}" for i, step in enumerate(steps, 1))
    return f"Recipe: {cast['vegetable']} {dish}\nServes {rng.randint(2, 8)}\nYou need: {needs}\n{told}"


def log(rng: random.Random) -> str:
    """A page of a ship's log."""
    cast = draw(rng) | {
        "SHIP": rng.choice(voyages.SHIPS),
        "wind": rng.choice(voyages.WINDS),
        "day": str(rng.randint(2, 90)),
        "latitude": str(rng.randint(10, 60)),
        "longitude": str(rng.randint(10, 60)),
        "force": str(rng.randint(2, 9)),
        "bearing": str(rng.randrange(10, 360, 10)),
        "pressure": str(rng.randint(985, 1035)),
        "crew": str(rng.randint(12, 40)),
        "depth": str(rng.randint(5, 30)),
    }
    chosen = rng.sample(voyages.ENTRIES, rng.randint(3, 7))
    told = [rng.choice(voyages.HEADINGS), *chosen, rng.choice(voyages.SIGNED)]
    return rng.choice((" ", "\n")).join(fill(sentence, cast, rng) for sentence in told)


COMPOSERS: dict[str, Callable[[random.Random], str]] = {
    "story": story,
    "facts": facts,
    "arithmetic": arithmetic,
    "list": shopping,
    "diary": diary,
    "dialogue": dialogue,
    "brackets": brackets,
    "python": python,
    "french": french,
    "german": german,
    "senses": senses,
    "recipe": recipe,
    "log": log,
}


def _about_nature(rng: random.Random) -> str:
    return fill(rng.choice(sentences.FACTS_OF_NATURE), draw(rng), rng)


def _joined(rng: random.Random, told: list[str]) -> str:
    return rng.choice((" ", "\n")).join(told)


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _framed(word: str, sense: str, rng: random.Random) -> str:
    """A general sentence in which two cues say which use of the word is meant."""
    frames = VERB_FRAMES if sense in VERBS else NOUN_FRAMES
    cue, cue2 = rng.sample(CUES[sense], 2)
    return rng.choice(frames).replace("CUE2", cue2).replace("CUE", cue).replace("WORD", f"{word}#{sense}")


def _sum(rng: random.Random) -> str:
    a, b = rng.randint(0, 12), rng.randint(0, 12)
    sign = rng.choice("++-*")
    if sign == "-":
        return f"{a + b} - {b} = {a}"
    return f"{a} {sign} {b} = {a + b if sign == '+' else a * b}"


def _word_problem(rng: random.Random) -> str:
    cast = draw(rng)
    a, b = rng.randint(1, 10), rng.randint(1, 10)
    told = "{hero} has {a} {objects}. {friend} gives {him} {b} more. Now {hero} has {sum} {objects}, because {a} + {b} "
    told += "= {sum}."
    if rng.random() < 0.5:
        told = "{hero} had {sum} {objects} and gave {b} to {friend}. Now {he} has {a} {objects}, because {sum} - {b} "
        told += "= {a}."
    return fill(told, cast | {"a": str(a), "b": str(b), "sum": str(a + b)}, rng)


def _program(rng: random.Random) -> str:
    names = {name: rng.choice(values.split()) for name, values in NAMES.items()}
    words = {"+": "plus", "-": "minus", "*": "times"}
    numbers = {name: str(rng.randint(0, 12)) for name in ("n", "n2", "m", "k")} | {"m2": str(rng.randint(13, 30))}
    colours = {"colour": rng.choice(POOLS["colour"]), "colour2": rng.choice(POOLS["colour2"])}
    return rng.choice(PROGRAMS).format(**names, **numbers, **colours, opword=words[names["op"]])


def _foreign(rng: random.Random, pool: tuple[str, ...], prefix: str, names: list[str]) -> str:
    hero, friend = rng.sample(names, 2)
    cast = draw(rng) | {
        f"{prefix}hero": hero,
        f"{prefix}friend": friend,
        "capital": "Paris" if prefix == "fr" else "Berlin",
    }
    return " ".join(fill(sentence, cast, rng) for sentence in rng.sample(pool, rng.randint(2, 6)))
