"""Writes the data files of this folder: sentences from patterns, drawn by a fixed seed. Python's standard library is enough.

What is tested is not in the data for training: other names for entities, other pairs of persons and places for questions, other
combinations of an act and a thing for vectors.
"""
import json
import random

random.seed(7)

FIRST = "Anna Ben Carla David Emma Felix Grace Hugo Ida Jonas Klara Leo Maria Nils Olga Paul Rosa Simon Tessa Victor".split()
CITY = "Paris London Berlin Madrid Rome Vienna Oslo Prague Lisbon Dublin Athens Warsaw Geneva Hamburg Boston Chicago Denver Seattle Toronto Sydney".split()
KIND = ["Bank", "Motors", "Systems", "Foods", "Airlines"]
SYLLABLES = "ba bel cor da den fa gar ha ka kel lo lin ma mor na nel no pa ra ren ri sa sol ta tor va ver vi wa zan".split()


def name():
    """A made-up word. What it stands for can be told from the other words alone."""
    return "".join(random.choice(SYLLABLES) for _ in range(random.randint(2, 3))).capitalize()


NAMES = []
while len(NAMES) < 600:
    if (n := name()) not in NAMES:
        NAMES.append(n)

SENTENCES = [
    "{P} moved from {L} to {L} last year .", "{P} works for {O} in {L} .", "{O} will open an office in {L} .", "Yesterday {P} met {P} at the station .",
    "The new head of {O} is {P} .", "Shares of {O} fell after {P} had left .", "A train from {L} was late .", "{P} , who lives in {L} , sold the house .",
    "Nobody at {O} could say where {P} was .", "It rained in {L} for three days .", "The meeting is moved to Monday .", "{O} and {O} signed a contract in {L} .",
    "Please ask {P} for the key .", "The report was written by {P} of {O} .", "Flights to {L} cost less in May .", "We saw no reason to wait .",
]


def entity(kind, names):
    if kind == "P":
        return random.sample(names, random.randint(1, 2)), "PER"
    if kind == "L":
        return [random.choice(names)], "LOC"
    return [random.choice(names)] + ([random.choice(KIND)] if random.random() < 0.6 else []), "ORG"


def conll(name, count, names):
    with open(name, "w") as f:
        for _ in range(count):
            for word in random.choice(SENTENCES).split():
                if not word.startswith("{"):
                    f.write(word + " O\n")
                    continue
                words, label = entity(word[1], names)
                for i, w in enumerate(words):
                    f.write(f"{w} {'I' if i else 'B'}-{label}\n")
            f.write("\n")


FACTS = [
    ("{p} lives in {l}.", "Where does {p} live?", "l"), ("{p} works as a {j}.", "What is the job of {p}?", "j"),
    ("{p} plays the {i}.", "What does {p} play?", "i"), ("{p} owns a {c} car.", "What colour is the car of {p}?", "c"),
]
JOB = "baker teacher doctor farmer pilot lawyer painter nurse tailor judge".split()
INSTRUMENT = "piano violin flute guitar harp drum trumpet cello".split()
COLOUR = "red blue green black white yellow brown grey".split()


def squad(name, count, places):
    articles = []
    for n in range(count):
        persons = random.sample(FIRST, 2)
        facts = [(p, f) for p in persons for f in random.sample(FACTS, 2)]
        random.shuffle(facts)
        context, asked = "", []
        for p, (text, question, slot) in facts:
            values = {"l": places[p], "j": JOB, "i": INSTRUMENT, "c": COLOUR}
            value = random.choice(values[slot])
            text = text.format(p=p, **{slot: value})
            asked.append((question.format(p=p), value, len(context) + text.rindex(value)))
            context += text + " "
        questions = [{"id": f"{n}-{k}", "question": q, "answers": [{"text": a, "answer_start": s}]} for k, (q, a, s) in enumerate(asked)]
        articles.append({"context": context.strip(), "qas": questions})
    with open(name, "w") as f:
        f.write('{"version": "1.1", "data": [{"title": "Persons", "paragraphs": [\n')
        f.write(",\n".join(json.dumps(a) for a in articles))
        f.write("\n]}]}\n")


ACTS = [
    ("cancel", ["How do I cancel {t}?", "I want to stop {t}.", "Please end {t} for me."]),
    ("pay", ["How can I pay for {t}?", "Which cards do you take for {t}?", "I would like to pay {t} now."]),
    ("late", ["When will {t} arrive?", "I am still waiting for {t}.", "{t} is late."]),
    ("broken", ["{t} does not work.", "Something is wrong with {t}.", "There is a fault in {t}."]),
    ("change", ["Can I change {t}?", "I need to edit {t}.", "Something in {t} has to be different."]),
    ("find", ["Where do I find {t}?", "I cannot see {t}.", "{t} has disappeared."]),
    ("price", ["What does {t} cost?", "Is {t} expensive?", "I need the price of {t}."]),
    ("thank", ["Thank you for {t}.", "I like {t} very much.", "{t} is great."]),
]
THINGS = "my order,the ticket,my account,the invoice,the book,the phone,my password,the parcel,the lesson,the room,my profile,the camera,the lamp,the flight,the menu,the car,the bill,the key,my contract,the table,the film,the chair,my file,the letter".split(",")


def sentence(pattern, thing):
    text = pattern.format(t=thing)
    return text[0].upper() + text[1:]


def pairs(train, test):
    both = [(act, thing) for act in ACTS for thing in THINGS]
    random.shuffle(both)
    for name, part in ((train, both[:128]), (test, both[128:])):
        lines = []
        for (_, patterns), thing in part:
            texts = [sentence(p, thing) for p in random.sample(patterns, 3)]
            for i in range(3 if name == train else 1):
                lines.append(json.dumps({"text": texts[i], "positive": texts[(i + 1) % 3]}))
        random.shuffle(lines)
        with open(name, "w") as f:
            f.write("\n".join(lines) + "\n")


conll("entities.train.conll", 800, NAMES[:500])
conll("entities.test.conll", 200, NAMES[500:])
odd = {p: [c for k, c in enumerate(CITY) if (k + n) % 4] for n, p in enumerate(FIRST)}
rest = {p: [c for k, c in enumerate(CITY) if not (k + n) % 4] for n, p in enumerate(FIRST)}
squad("questions.train.json", 1200, odd)
squad("questions.test.json", 60, rest)
pairs("pairs.train.jsonl", "pairs.test.jsonl")
