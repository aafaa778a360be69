"""Sentences of everything that is not a story: facts, diaries, conversations, asides, recipes, French and German."""

CAPITALS = (
    "The capital of {country} is {capital}.",
    "The capital of {country} is {capital}.",
    "{capital} is the capital of {country}.",
    "Q: What is the capital of {country}?\nA: {capital}.",
    "{hero} was born in {country}. The capital of {country} is {capital}.",
    "People in {country} speak {language}. The capital of {country} is {capital}.",
)

FACTS_OF_A_COUNTRY = (
    "People in {country} speak {language}.",
    "{country} is in {continent}.",
    "{country} is next to {neighbour}.",
    "{country} is known for its {product}.",
    "The language of {country} is {language}.",
    "In {capital} people speak {language}.",
    "{capital} is a city in {continent}.",
    "{neighbour} is not far from {country}.",
    "Q: Which language do people speak in {country}?\nA: {language}.",
    "Q: Where is {capital}?\nA: In {country}.",
)

FACTS_OF_NATURE = (
    "The {cat} is an animal. It <lives in the {habitat}|eats {diet}>.",
    "A {cat} is {catcolour} and has {legs} legs.",
    "Snow is white, grass is green and blood is red.",
    "The sky is blue by day and black by night.",
    "A week has seven days and a year has twelve months.",
    "The first month of the year is January, and the last month is December.",
    "After {month} comes {nextmonth}.",
    "The day after {weekday} is {nextweekday}.",
    "Fish live in the water, and birds fly in the sky.",
    "Ice is cold, and fire is hot.",
    "A young cat is called a kitten, and a young dog is called a puppy.",
    "Bread is made from wheat, and cheese is made from milk.",
    "Lemons are yellow, and apples are red or green.",
    "In winter it is cold, and in summer it is warm.",
)

DIARY = (
    "{weekday}, {date}\nToday it was {cold}. I went to the {place} with {friend} and bought a {object}.",
    "{weekday}, {date}\nI stayed at home all day. {friend} came at {clock} and we ate {food} together.",
    "{weekday}, {date}\nMy {relative} is in {capital}. I will see {fhim} again on {nextweekday}.",
    "{weekday}, {date}\nA letter from {country} came this morning. It was sent on {date2}.",
    "{weekday}, {date}\nThe train left at {clock} and arrived in {capital} at {clock2}. I was very {tired}.",
    "{weekday}, {date}\nI am {tired} today. The {animal} is sick, and the doctor cannot come before {nextweekday}.",
    "On {date}, {hero} was born in {capital}. {He} moved to {country2} in {year2} and became a {job}.",
    "{hero} ({year}-{year2}) was a {job} from {country}. {He} was born on {date} and lived in {capital}.",
    "The school in {capital} was built in {year} and closed on {date2}.",
    "Dear {friend},\nthank you for your letter of {date}. We will come to {capital} on {weekday}, "
    "{date2}, at {clock}.\nYours, {hero}",
)

DIALOGUE = (
    '"Where are you going?" asked {hero}.\n"To the {place}," said {friend}.\n'
    '"May^auxiliary I come with you?"\n"Of course," {fhe} said.',
    '"What is that?" asked {friend}.\n"It is a {animal}," said {hero}. "Have you never seen one?"\n"No, never!"',
    '"Good morning, {hero}," said the {job}. "What would you like?"\n'
    '"I would like some {food}, please."\n"That is {number} coins."',
    '"I am {sad}," said {hero}.\n"Why?" asked {friend}.\n"Because my {animal} ran away," {he} answered.',
    '"Do you speak {language}?" asked the {stranger}.\n'
    '"A little," said {hero}. "I lived in {country} for {number} years."',
    '"Which colour do you like?" asked {friend}.\n"I like {colour}," said {hero}, "but my {relative} likes {colour2}."',
    '"When does the train to {capital} leave?" asked {hero}.\n'
    '"At {clock}," said the {job}. "You have {number} minutes."',
    '"What is the capital of {country}?" asked the teacher.\n"{capital}," said {hero}.\n"Very good!" said the teacher.',
    '"Can you keep a secret?" whispered {hero}.\n"Yes," said {friend}.\n"There is a {animal} in the {place}."',
    '"Listen to this," said {friend}, and read: "The {job} of {capital} has lost his {object}."\n'
    '"How strange!" said {hero}.',
    '"You said, \'I will come at {number},\'" said {hero}, "but you did not come."\n"I am sorry," said {friend}.',
)

ASIDES = (
    "{hero} (a {job} from {country}) lives in {capital} with {his} {animal}.",
    "The {animal} ({colour} and very {small}) ran into the {place}.",
    "Bring the {object}, the {object2} (the {colour} one) and some {food} ({number} pieces).",
    "The {place} [see page {number}] was built by a {job} (now dead) from {country}.",
    "{hero} went to {capital} ({country}), to {capital2} ({country2}) and then home.",
    "He wrote (and she read) a long book about {animals} [in {language}].",
    "The price ({number} coins) was too high (for {friend}, at least).",
    "Our {job} ({hero}, who is {number} years old) speaks {language} (very well^adverb) and {language2} (a little).",
    "The list [{number} pages (and {number2} pictures)] is in the {place}.",
    "{country} (capital: {capital}) is in {continent}; {country2} (capital: {capital2}) is not far.",
)

RECIPE_STEPS = (
    "Wash the {vegetable} and cut it into {number} pieces.",
    "Chop the {vegetable} and the {vegetable2}.",
    "Peel the {vegetable} and slice it.",
    "Heat the oil in a pan and add the {vegetable}.",
    "Add the {vegetable2} and a pinch of {spice}.",
    "Stir well^adverb and cook for {minutes} minutes.",
    "Pour in {number} cups of {liquid} and stir.",
    "Boil the {vegetable} for {minutes} minutes.",
    "Bake in the oven for {minutes} minutes until brown.",
    "Mix the flour with the {liquid} and a pinch of {spice}.",
    "Melt the butter and fry the {vegetable} until soft.",
    "Cover the pan and simmer for {minutes} minutes.",
    "Season with {spice} and {spice2}.",
    "Whisk the eggs with the {liquid}.",
)

RECIPE_ENDS = (
    "Serve hot with bread.",
    "Serve with {spice} on top.",
    "Leave it to cool before you serve it.",
    "Serve at once with a little {liquid}.",
)

FRENCH = (
    "{frhero} <habite|travaille> à {capital} avec {frfriend}.",
    "Le {franimal} {fradjm} dort dans la {frplacef}.",
    "Le {franimal} mange {frfood} devant la {frplacef}.",
    "La {frplacef} est {fradjf}, mais le {frplacem} est {fradjm}.",
    "Il fait <froid|chaud|beau> aujourd'hui, et les enfants jouent dans le {frplacem}.",
    "Nous allons au {frplacem} avec notre {franimal}.",
    "Je voudrais {frfood} et un café, s'il vous plaît.",
    "La capitale de la France est Paris.",
    "Où est le {franimal} ? Il est dans la {frplacef}.",
    "Elle aime {frfood}, mais elle n'aime pas les chats.",
    "{frhero} dit : « Bonjour, {frfriend} ! »",
    "Le {frday}, {frhero} achète {frfood} au marché.",
    "Il y a {frnumber} livres sur la table.",
    "Mon père est {frjob} et ma mère est {frjob}.",
    "Hier, nous avons vu un {fradjpre} {franimal} près de la {frplacef}.",
    "Quand il pleut, {frhero} reste à la maison et lit un livre.",
    "Les enfants ont {frnumber} ans et parlent français.",
    "« Merci beaucoup », dit {frfriend}. « À demain ! »",
    "Elle ouvre la porte et regarde le {frplacem}.",
    "Tu ne sais pas où est ma {frthingf} ?",
)

GERMAN = (
    "{dehero} <wohnt|arbeitet> in {capital} mit {defriend}.",
    "Der {deadj} {deanimalm} schläft <in der {deplacef}|im {deplacem}>.",
    "Die {deplacef} ist {deadjbare}, aber der {deplacem} ist {deadjbare2}.",
    "Heute ist es {deadjw}, und die Kinder spielen im {deplacem}.",
    "Wir gehen mit unserem {deanimalm2} in den {deplacem}.",
    "Ich möchte bitte {defood} und einen Kaffee.",
    "Die Hauptstadt von Deutschland ist Berlin.",
    "Wo ist der {deanimalm}? Er ist in der {deplacef}.",
    "Sie mag {defood}, aber sie mag keine Katzen.",
    "{dehero} sagt: „Guten Morgen, {defriend}!“",
    "Am {deday} kauft {dehero} {defood} auf dem Markt.",
    "Auf dem Tisch liegen {denumber} Bücher.",
    "Mein Vater ist {dejob}, und mein Bruder ist auch {dejob}.",
    "Gestern haben wir einen {deadjacc} {deanimalm2} gesehen.",
    "Wenn es regnet, bleibt {dehero} zu Hause und liest ein Buch.",
    "Die Kinder sind {denumber} Jahre alt und sprechen Deutsch.",
    "„Vielen Dank“, sagt {defriend}. „Bis morgen!“",
    "Er öffnet die Tür und sieht den {deplacem}.",
    "Weißt du nicht, wo meine {dethingf} ist?",
    "Im {demonth} fahren wir nach {capital}, denn dort ist es schön.",
)
