"""Sentences from templates, from which the models of some folders learn their task in seconds: enough for the examples of the pages.

Each function draws one example: texts, and what is to be learnt of them.
"""

NAMES = ["Anna Smith", "John Miller", "Maria", "Tom", "Lena Weber", "Paul", "Sara Jones", "Ben", "Mia", "Max Brown"]
CITIES = ["Paris", "London", "New York", "Berlin", "Rome", "Madrid", "Vienna", "Tokyo"]
FIRMS = ["Acme", "Globex", "Initech", "Umbra Inc.", "Nova Labs", "Blue Bank"]
GOOD = ["very good", "great", "wonderful", "a joy", "excellent", "lovely"]
BAD = ["very bad", "awful", "terrible", "a waste of time", "boring", "broken"]
PLAIN = ["on the table", "in the box", "made of wood", "from London", "about a fox", "two hours long"]
THINGS = ["film", "book", "food", "hotel", "phone", "music", "service", "game"]
TOPICS = {
    "sports": ["The match ended in a draw.", "She won the race in Rome.", "Our team scored two goals.", "He plays tennis every day.", "The coach left the club."],
    "politics": ["The minister lost the vote.", "The president met the king.", "A new law was passed today.", "The party won the election.", "The parliament is in session."],
    "the weather": ["It will rain tomorrow.", "Snow lay on the roofs.", "The storm came from the sea.", "It is sunny and warm.", "A cold wind blows today."],
}


def sentiment(r):
    kind = r.randrange(3)
    words = r.choice([BAD, PLAIN, GOOD][kind])
    return r.choice(["The {t} was {w}.", "This {t} is {w}!", "I think the {t} is {w}.", "the {t}: {w}"]).format(t=r.choice(THINGS), w=words), kind


def remarks(r):
    parts = [["you idiot", "shut up, fool", "this is stupid"], ["buy now", "cheap pills here", "click to win a prize"],
             ["well done", "great work, thank you", "lovely"], ["who did that?", "what is it?", "where are you?"]]
    chosen = [i for i in range(4) if r.random() < 0.4]
    text = [r.choice(parts[i]) for i in chosen] + ([r.choice(["it is late", "the box is here"])] if not chosen or r.random() < 0.3 else [])
    r.shuffle(text)
    return ", ".join(text), [float(i in chosen) for i in range(4)]


def named(r):
    """A text and its entities: start, end, kind."""
    form = r.choice(["{P} lives in {L}.", "{P} works for {O}.", "{P} works for {O} in {L}.", "{O} is in {L}.", "In {L}, {P} met {Q}.", "{P} and {Q} left {O}.",
                     "The weather in {L} is good.", "It was very good.", "Yesterday {P} went to {L} for {O}."])
    text, found, at = "", [], 0
    while at < len(form):
        if form[at] == "{":
            kind = {"P": 0, "Q": 0, "L": 1, "O": 2}[form[at + 1]]
            word = r.choice([NAMES, CITIES, FIRMS][kind])
            found.append((len(text), len(text) + len(word), kind))
            text, at = text + word, at + 3
        else:
            text, at = text + form[at], at + 1
    return text, found


def asked(r):
    """A question, a context, and the answer's place in it."""
    person, place, firm = r.choice(NAMES), r.choice(CITIES), r.choice(FIRMS)
    facts = [f"{person} lives in {place}.", r.choice(["She works for {}.", "He works for {}.", "{} is the firm."]).format(firm),
             r.choice(["It was very good.", "Snow lay on the roofs.", "The dog is lazy."])]
    question, answer = r.choice([(f"Where does {person} live?", place), (f"Who lives in {place}?", person), (f"Who works for {firm}?", person), ("What is the firm?", firm)])
    if r.random() < 0.5:
        facts[1], facts[2] = facts[2], facts[1]
    context = " ".join(facts)
    return question, context, context.index(answer), context.index(answer) + len(answer)


def about(r, template="This example is {}."):
    """A premise, a hypothesis on its topic, and whether it follows: 2, or contradicts: 0."""
    topic, other = r.sample(sorted(TOPICS), 2)
    same = r.random() < 0.5
    if r.random() < 0.1:
        return r.choice(TOPICS[topic]), f"It is about {r.choice(NAMES)}.", 1
    return r.choice(TOPICS[topic]), template.format(topic if same else other), 2 if same else 0


def wanted(r):
    """A query, a document, and how well it fits."""
    p, q = r.sample(NAMES, 2)
    fits = r.random() < 0.5
    query = r.choice([f"Where does {p} live?", f"Who is {p}?", f"{p}"])
    return query, f"{p if fits else q} {r.choice(['lives in ' + r.choice(CITIES), 'works for ' + r.choice(FIRMS), 'is here'])}.", 3.0 if fits else -3.0


def next_step(r):
    """A context, a question, options, and the right one."""
    pairs = [("It was raining.", "She took an", "umbrella"), ("He was hungry.", "He made some", "food"), ("The dog saw a fox.", "It began to", "run"),
             ("It was late at night.", "They went to", "bed"), ("The box was heavy.", "She asked for", "help"), ("The phone rang.", "He said", "hello")]
    i = r.randrange(len(pairs))
    others = r.sample([p[2] for j, p in enumerate(pairs) if j != i], 2)
    options = others + [pairs[i][2]]
    r.shuffle(options)
    return pairs[i][0], pairs[i][1], options, options.index(pairs[i][2])
