"""Sentences of the stories: arcs of a few paragraphs, in the markup that `markup.py` explains.

Every arc is a tuple of steps and every step offers a few ways to say it; one is drawn for each story.
"""

OPENINGS = (
    "Once upon a time there was a {age} {girl} called {hero}. {He} lived in a {small} {home} near the {place}.",
    "{hero} was a {kind} {girl} who lived with {his} {relative} in a {small} {home} by the {place}.",
    "There was once a {girl} named {hero} who loved {his} {animal} more than anything.",
    "One {cold} {season} <morning|evening|afternoon>, {hero} <woke up early|looked out of the "
    "window|heard a noise outside>.",
    "It was a {cold} {weekday} in {month}. {hero} was {waiting} near the {place} with {his} {animal}.",
    "In a {small} village in {country} lived a {girl} called {hero}. Everyone there spoke {language}.",
    "{hero} and {friend} were best friends. Every {weekday} they met at the {place}.",
    "{hero} lived in {capital}, the capital of {country}. {He} was {number} years old.",
    "Long ago, a {age} {job} named {hero} lived alone in a {home} in {country}.",
    "Last {season}, {hero} went on a long trip to {country} with {his} {relative}.",
)

ENDINGS = (
    "In the end, {hero} was {happy} and went home.",
    "From that day on, {hero} and {friend} were always {kind} to each other.",
    "That night {hero} fell asleep with a smile on {his} face.",
    "{hero} never forgot that day.",
    'When {he} got home, {his} {relative} gave {him} {food} and said, "I am so proud of you."',
    "And so they all lived happily for many years.",
    "{He} told {his} {relative} everything, and they laughed until it was dark.",
    "After that, the {animal} came back every {season}.",
    "The sun went down behind the {place}, and everyone was {happy}.",
)

LOST = (
    (
        "One day {his} {colour} {object} was gone.",
        "Then {hero} could not find {his} {colour} {object}.",
        "But on {weekday} {he} lost {his} {colour} {object}.",
    ),
    (
        "{He} looked under the bed, behind the door and in the {place}, but it was not there.",
        "{He} looked everywhere: in the kitchen, in the garden and even in the {place}.",
        "{He} was very {sad} and did not know what to do.",
    ),
    (
        '"Have you seen my {object}?" {he} asked {his} {relative}. "No," said {his} {relative}, "but ask {friend}."',
        '"Do not cry," said {friend}. "I will help you look for the {object}."',
        '{friend} came to help. "Where did you see it last?" {fhe} asked. "At the {place2}," said {hero}.',
    ),
    (
        "They walked to the {place2} together. There, under a tree, they saw a {animal2} with the {object}.",
        "At last {friend} found the {colour} {object} in the {place2}, next to a sleeping {animal2}.",
        "They followed the {animal2} to the {place2}, and there was the {colour} {object}.",
    ),
    (
        '"Thank you!" cried {hero}. "You are a true friend."',
        '"I found it!" shouted {friend}. {hero} jumped up and down because {he} was so {happy}.',
        "{hero} gave the {animal2} some {food}, and the {animal2} gave the {object} back.",
    ),
)

JOURNEY = (
    (
        "One {season} {he} decided to go to {capital2}, because {he} wanted to see the {place2}.",
        "{He} had always wanted to see {country2}, so {he} packed a bag with {food} and a {object}.",
        'A letter came from {friend}, who lived in {capital2}. "Come and visit me," it said.',
    ),
    (
        "{He} took the train from {capital} to {capital2}. The journey took {number} hours.",
        "The road to {country2} was long, and the weather was {cold}.",
        "{He} went by ship, and for {number} days {he} saw nothing but water.",
    ),
    (
        "In {country2} everyone spoke {language2}, and at first {hero} did not understand a word.",
        "When {he} arrived in {capital2}, the streets were full of people who spoke {language2}.",
        "{capital2} was bigger than {capital}. {He} had never seen so many people.",
    ),
    (
        'A {kind} {job} showed {him} the way. "Turn left^adverb at the {place2}," {fhe} said.',
        "{friend} met {him} at the station with a {colour} {object} in {fhis} hand.",
        "{He} ate {food} at the {place2} and watched the {animal2} in the street.",
    ),
    (
        "After {number} days {he} went back to {country} and told everyone about {country2}.",
        '"I like {capital2}," {he} said, "but {capital} is my home."',
        "{He} stayed there until {month} and learned to speak {language2}.",
    ),
)

RESCUE = (
    (
        "On the way to the {place} {he} saw a {small} {animal2} in the water.",
        "Suddenly {he} heard a {animal2} crying in the {place2}.",
        "A {small} {colour} {animal2} had hurt its leg and could not walk.",
    ),
    (
        "The poor {animal2} was {sad} and very cold.",
        "It looked at {hero} with big {colour} eyes.",
        "{hero} was sorry for the {animal2}, but {he} was also a little afraid.",
    ),
    (
        '"We must help it," said {friend}. "Quick, give me your {object}."',
        '"Do not be afraid," {hero} said softly. "I will not hurt you."',
        "{He} ran home to get some {food} and a {object}.",
    ),
    (
        "They carried the {animal2} to the {job}, who knew what to do.",
        "Slowly, the {animal2} came closer and ate the {food} out of {his} hand.",
        "With the {object} they pulled the {animal2} out, and it was safe.",
    ),
    (
        "The {job} looked at the leg and said that it would be better in {number} days.",
        "They gave it a name: {pet}. Soon {pet} could run again.",
        "Now {hero} had a new friend. {He} called it {pet}.",
    ),
)

QUARREL = (
    (
        "{friend} wanted to play with the {object}, but {hero} did not want to share it.",
        "{hero} and {friend} both wanted the last piece of {food}.",
        "One day {friend} broke the {colour} {object} that {hero} loved.",
    ),
    (
        '"It is mine!" said {hero}. "No, it is mine!" said {friend}.',
        '{hero} was very {angry}. "Go away!" {he} shouted.',
        "{friend} was {sad} and ran away to the {place2}.",
    ),
    (
        "{hero} sat alone in the {home}. It was quiet, and {he} was not happy.",
        '{His} {relative} asked, "Why are you so {sad}?" {hero} told the whole story.',
        "That evening {hero} thought about {friend} for a long time.",
    ),
    (
        '{He} went to the {place2} and said, "I am sorry, {friend}. I was wrong."',
        "The next morning {he} took some {food} to {friend} and said that {he} was sorry.",
        '"I am sorry too," said {friend}. "Let us play together."',
    ),
    (
        "They shared the {food} and played with the {object} until the sun went down.",
        "Then they laughed, because it had all been about a {object}.",
        "Even the {animal} was {happy} that they were friends again.",
    ),
)

WORK = (
    (
        "{hero} worked as a {job} in the {place}. Every morning {he} got up at {number}.",
        "The old {job} needed help^noun, so {hero} went to work^verb for {him2}.",
        "{He} wanted to become a {job}, but {his} {relative} said that {he} was too {age}.",
    ),
    (
        "On {weekday} a {stranger} came in and asked for {number} {objects}.",
        "One night the {place} was dark, and a {stranger} knocked at the door.",
        "First {he} had to clean the {place}, and then {he} had to feed the {animal}.",
    ),
    (
        '"How much is that {colour} {object}?" asked the {stranger}. "It costs {number} coins," said {hero}.',
        '"Can you make me a {object}?" the {stranger} asked. "Yes," said {hero}, "but it will take {number} days."',
        "The work was hard, and {his} hands hurt, but {he} did not stop.",
    ),
    (
        "{hero} worked all day and all night, and on {weekday2} the {object} was ready.",
        "The {stranger} looked at the {object} for a long time and did not say a word.",
        "Then {friend} came to help, and together they were twice as fast.",
    ),
    (
        '"This is the best {object} I have ever seen," said the {stranger}, and paid {him} in gold.',
        "Soon everyone in {country} knew the name of {hero} the {job}.",
        "With the money {he} bought a {colour} {object} for {his} {relative}.",
    ),
)

WEATHER = (
    (
        "In the afternoon the sky turned {colour}, and the wind began to blow.",
        "Then it began to rain^verb, and the rain did not stop for {number} days.",
        "In the night the snow fell, and in the morning everything was white.",
    ),
    (
        "The {animal} was afraid and hid under the table.",
        "{hero} closed the windows and made a fire in the {home}.",
        "Nobody could get to the {place}, because the road was under water.",
    ),
    (
        '"We cannot stay here," said {hero}. "Let us go to the {place2}."',
        '"Listen!" said {friend}. "Somebody is out there in the storm."',
        '"Will it ever stop?" asked {friend}. "It always stops," said {hero}.',
    ),
    (
        "They took a {object}, some {food} and the {animal}, and they walked through the storm to the {place2}.",
        "Outside stood a {stranger} with a {small} {animal2}. They were wet and very cold.",
        "They sat by the fire, ate {food} and told each other stories.",
    ),
    (
        "On {weekday} the sun came out again, and the {place} was as {beautiful} as before.",
        "When the storm was over, they found that the old tree had fallen on the {place}.",
        "At last the wind stopped, and a {beautiful} light filled the sky.",
    ),
)

ARCS = (LOST, JOURNEY, RESCUE, QUARREL, WORK, WEATHER)

# Moments between the steps of an arc. Except for the people in it, each draws its own cast.
SCENES = (
    "{hero} <walked|ran|went> <slowly|quickly|quietly|alone> <to|past|through|across> the {small} {place}.",
    "The {age} {job} <opened|closed|watched|cleaned> the {place2} <every day|at night|in the morning|on {weekday}>.",
    "A {small} {colour} {animal2} <sat|slept|waited|hid> <under|behind|near|on> the {home}.",
    "{hero} could <see|hear|smell> the {place2} <from the window|in the dark|behind the trees>.",
    "There was a {object} on the <table|floor|wall|bed>, and <next to|under|behind> it a {colour} {object2}.",
    "{He} <wanted|bought|found|carried> a {colour} {object} and a {colour2} {object2}.",
    "The {animal} <wanted|ate|smelled|stole> the {food}.",
    "It was <early|late>, and the {place} was <empty|quiet|full of people|dark>.",
    "{hero} <thought|knew|hoped> that {friend} was <at home|in {capital}|too {age}|a good {job}>.",
    '"If it is {cold} tomorrow," said {hero}, "we will go to the {place}."',
    "{hero} was <taller|older|younger|faster> than {friend}, but {friend} was <cleverer|stronger|braver>.",
    "A {stranger} came from {country} and spoke only {language}.",
    "There were {number} {objects} <in the {place}|on the table|under the bed>.",
    "{He} wore a {colour} <hat|coat|dress|scarf> and {colour2} shoes.",
    "Nobody knew why the {animal2} was so {sad}.",
    "The {home} had a {colour} door, a {colour2} roof and {number} windows.",
    "While {he} was {waiting} there, the {animal} <ran away|fell asleep|ate the {food}>.",
    "Before {he} went to bed, {he} <fed the {animal}|closed the door|read a book|washed {his} hands>.",
    "{His} {relative} <baked|made|bought> {food} <for dinner|in the kitchen|at the market>.",
    "The <sun|moon|wind|rain> was <behind|over|in> the <clouds|trees|mountains>.",
    "{hero} <liked|hated|loved> {food}, and {friend} <liked|hated|loved> {animals}.",
)
