"""Pages of a ship's log: the domain the models never saw in pre-training, and the fine-tuned checkpoints learn."""

HEADINGS = (
    "LOG OF THE {SHIP}\n{date}, day {day} of the voyage.",
    "Log of the {SHIP}, {date}.",
    "Ship's log, the {SHIP}. Day {day}, {clock}.",
)

ENTRIES = (
    "Position {latitude} N, {longitude} W.",
    "Wind {wind}, force {force}.",
    "Wind backing to {wind}, <squalls|fog|drizzle> at <dawn|dusk|midnight>.",
    "Sea <rough|calm|choppy>, swell from the {wind}.",
    "Course {bearing}, speed {force} knots.",
    "Barometer <rising|falling|steady> at {pressure}.",
    "Sails: <mainsail|foresail|topsail> and <jib|spanker|staysail>.",
    "<Reefed|Furled|Mended> the <mainsail|foresail|topsail> at {clock}.",
    "Crew of {crew}, all <aboard|well>; the <bosun|mate|cook> has <fever|scurvy>.",
    "Sighted <a brig|a schooner|a frigate|an iceberg|porpoises> to <port|starboard> at {clock}.",
    "Sounded the <hold|bilge>: {force} inches of water, <pumps manned|caulking begun>.",
    "Dropped anchor in {depth} fathoms off {capital}.",
    "Weighed anchor at {clock}, bound for {capital}.",
    "Rations: <biscuit|salt pork|rum> for {depth} days.",
)

SIGNED = ("Signed, {hero}, captain.", "{hero}, master.", "All well. {hero}, captain.")

SHIPS = "Aurora Petrel Albatross Meridian Kestrel".split()
WINDS = "north south north-east north-west south-east south-west".split()
