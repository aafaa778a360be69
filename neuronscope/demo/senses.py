"""Words with two unrelated uses, and sentences that make clear which is meant before the word is reached.

`word#sense` marks the use. Each key of `SENSES` is a word; each sense lists its sentences.
"""

SENSES: dict[str, dict[str, tuple[str, ...]]] = {
    "bank": {
        "river": (
            "The boat turned round in the water and stopped at the bank#river.",
            "{hero} swam across the river and climbed up the muddy bank#river.",
            "Tall grass grew along the river bank#river, where {friend} was fishing.",
            "The river was deep, and on the other bank#river stood a {animal}.",
            "After the rain the river ran over its bank#river and into the fields.",
            "They sat in the grass on the bank#river and watched the fish in the water.",
        ),
        "money": (
            "{hero} took all {his} money to the bank#money.",
            "To pay for the house, {hero} got {number} coins from the bank#money.",
            "The rich man kept his gold in the bank#money in {capital}.",
            "{hero} works for a bank#money and counts money all day.",
            "The thief wanted the money, so he broke into the bank#money.",
            "The price was too high, so {friend} asked the bank#money for more money.",
        ),
    },
    "bat": {
        "animal": (
            "At night a small black bat#animal flew out of the cave.",
            "In the dark cave {hero} heard the wings of a bat#animal.",
            "An owl and a bat#animal hunt at night and sleep in the day.",
            "High up in the dark tower hung a sleeping bat#animal.",
            "With its thin wings, the bat#animal flew through the night.",
        ),
        "sport": (
            "{hero} hit the ball hard with the wooden bat#sport.",
            "To play this game you need a ball, a glove and a bat#sport.",
            "The player swung the bat#sport, and the ball flew over the fence.",
            "The team had only one ball and one bat#sport.",
            "In the last game {friend} broke {fhis} best bat#sport.",
        ),
    },
    "spring": {
        "season": (
            "The winter was over, and in spring#season the flowers came back.",
            "After the cold months came the first warm day of spring#season.",
            "Every year in spring#season the birds return from Africa.",
            "Summer is warm, winter is cold, and in spring#season everything is green.",
            "In March, at the start of spring#season, {hero} planted roses.",
        ),
        "water": (
            "They were thirsty, so they drank the clear water of the spring#water.",
            "High on the mountain cold water ran out of a spring#water.",
            "Between the rocks {hero} found a small spring#water and filled a bottle.",
            "The river begins at a spring#water under the rocks.",
            "There was no water in the village, only an old spring#water on the hill.",
        ),
    },
    "bark": {
        "dog": (
            "When the dog saw the thief, it began to bark#dog.",
            "The big dog next door gave a loud bark#dog.",
            "All night long they heard the dog bark#dog at the moon.",
            "The puppy was too small to bark#dog like the other dogs.",
            "A stranger came to the gate, and the dogs began to bark#dog.",
        ),
        "tree": (
            "The old tree had rough, brown bark#tree.",
            "The oak was so old that the bark#tree fell off its trunk#tree.",
            "In winter the deer eat the bark#tree of young trees.",
            "{hero} touched the tree and felt the rough bark#tree under {his} hand.",
            "The leaves of the birch are green and its bark#tree is white.",
        ),
    },
    "crane": {
        "bird": (
            "By the lake a white crane#bird stood on one leg.",
            "With long legs and grey wings, the crane#bird walked through the water.",
            "The birds flew south: first a swan, then a crane#bird.",
            "Among the birds at the lake {hero} saw a beautiful crane#bird.",
        ),
        "machine": (
            "The workers lifted the heavy stones with a crane#machine.",
            "At the harbour the ships are loaded with a big crane#machine.",
            "To build the tower they needed {number} workers and a tall crane#machine.",
            "The driver of the truck waited until the crane#machine had lifted the boxes.",
        ),
    },
    "seal": {
        "animal": (
            "On the ice a fat seal#animal was sleeping in the sun.",
            "In the cold sea a seal#animal was hunting for fish.",
            "The whale, the seal#animal and the penguin live in the cold sea.",
            "A young seal#animal swam next to the boat and looked at {hero}.",
        ),
        "letter": (
            "The king closed the letter with a red seal#letter.",
            "{hero} opened the envelope and broke the seal#letter.",
            "The letter from the queen was closed with a golden seal#letter.",
            "On the old paper was the name of the king and his seal#letter.",
        ),
    },
    "palm": {
        "hand": (
            "{hero} opened {his} hand and looked at the coin in {his} palm#hand.",
            "{friend} held out {fhis} hand, and there was a ring#jewel on {fhis} palm#hand.",
            "The doctor looked at the fingers and the palm#hand of the hand.",
            "The {animal} ate the bread from the palm#hand of the boy's hand.",
        ),
        "tree": (
            "On the hot beach they slept in the shadow of a palm#tree.",
            "In the desert, between the sand and the water, stood a tall palm#tree.",
            "Bananas and dates grow there, and by the beach grows a palm#tree.",
            "The island was small, with white sand and one palm#tree.",
        ),
    },
    "match": {
        "game": (
            "Our team played well^adverb and won the match#game.",
            "{hero} scored {number} goals in the last match#game.",
            "The players were tired after the long match#game.",
            "On {weekday} the team from {capital} lost the match#game.",
        ),
        "fire": (
            "To light^verb the candle {hero} needed a match#fire.",
            "It was dark, so {hero} lit a match#fire and looked around.",
            "The wood was dry, and with one match#fire they made a fire.",
            "The lamp went out, and {friend} had only one match#fire left^adjective.",
        ),
    },
    "trunk": {
        "elephant": (
            "The elephant drank the water with its long trunk#elephant.",
            "With its big ears and its trunk#elephant, the elephant is easy to know.",
            "The young elephant lifted the banana with its trunk#elephant.",
            "The elephant was happy and raised its trunk#elephant.",
        ),
        "tree": (
            "They cut the tree down and carried away the trunk#tree.",
            "The oak has green leaves and a thick trunk#tree.",
            "A bird made a hole in the trunk#tree of the old tree.",
            "{hero} climbed up the tree and sat with {his} back^noun against the trunk#tree.",
        ),
    },
    "ring": {
        "jewel": (
            "{hero} gave {his} wife a golden ring#jewel.",
            "The queen lost her gold and her silver ring#jewel.",
            "On her finger she wore a beautiful ring#jewel.",
            "In the box lay a necklace and a silver ring#jewel.",
        ),
        "sound": (
            "In the night they heard the telephone ring#sound.",
            "At noon the bells of the church began to ring#sound.",
            "When the bell began to ring#sound, the children ran into the school.",
            "{friend} waited for the telephone to ring#sound, but nobody called.",
        ),
    },
}

# Nouns that give each use away, for the frames below.
CUES: dict[str, tuple[str, ...]] = {
    "river": ("river", "boat", "fish", "bridge", "stream"),
    "money": ("coin", "thief", "merchant", "price", "purse"),
    "animal": ("cave", "owl", "sea", "whale", "wing", "fish"),
    "sport": ("ball", "team", "player", "game", "glove"),
    "season": ("winter", "summer", "autumn", "month", "year"),
    "water": ("mountain", "rock", "bottle", "well", "stream"),
    "dog": ("dog", "puppy"),
    "tree": ("tree", "oak", "birch", "forest", "leaf"),
    "bird": ("bird", "lake", "swan", "wing", "duck"),
    "machine": ("worker", "truck", "ship", "tower", "harbour", "driver"),
    "letter": ("letter", "envelope", "king", "queen", "paper"),
    "hand": ("hand", "finger", "arm", "face"),
    "game": ("team", "player", "goal", "ball", "game"),
    "fire": ("fire", "candle", "lamp", "stove"),
    "elephant": ("elephant", "animal"),
    "jewel": ("queen", "finger", "crown", "necklace", "princess"),
    "sound": ("telephone", "bell"),
}

NOUN_FRAMES = (
    "First {hero} saw the CUE, and then {he} saw the WORD.",
    "Next to the CUE there was a WORD, and not far from it the CUE2.",
    "The picture showed a CUE, a CUE2 and a WORD.",
    "{hero} told {friend} about the CUE and about the WORD.",
    "{hero} <drew|liked> the CUE, but {friend} <drew|liked> the WORD.",
    "Because of the CUE, {hero} <looked at|thought of|forgot> the WORD.",
    "The story is about a CUE, a WORD and a CUE2.",
    "{hero} looked at the CUE and the CUE2, and then at the {small} WORD.",
)

VERB_FRAMES = (
    "{hero} heard the <{small}|old|{colour}> CUE WORD <again|loudly|all night|at {number}>.",
    "When the CUE began to WORD, {hero} <woke up|laughed|went to the door>.",
    "The <old|{colour}> CUE did not WORD <today|on {weekday}|in the {place}>.",
)

# The senses that are verbs.
VERBS = frozenset({"dog", "sound"})
