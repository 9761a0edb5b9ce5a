"""The texts on which results are recorded."""

# Corpus beside the project's own pages, so that the tokenizers have seen other scripts.
MULTILINGUAL = """Der schnelle braune Fuchs springt über den faulen Hund. Die Straße ist lang.
Mañana será otro día. ¿Qué tal? ¡Muy bien!
C’est déjà l’été, Noël arrive à Zürich.
Быстрая лиса прыгает через ленивую собаку. Привет, мир!
今天天气很好，我们去公园吧。
東京都に住んでいます。日本語のテスト。
안녕하세요 세계.
مرحبا بالعالم
नमस्ते दुनिया
Anna Smith and John Miller live in Paris and work for Acme in London.
The quick brown fox jumps over the lazy dog. What is the name of the cat? It was very good, it was very bad.
""".splitlines()

LONG = ("Anna Smith met John Miller in Paris on the first day of the year, and they talked about the weather. "
        "The city was cold: snow lay on the roofs, and the river — slow, grey — carried ice to the sea. "
        "“Have you read the new book?” asked Anna. John, who works for Acme Inc., had not; he reads little. "
        "Later they took a train to London, where a café near the station serves crêpes until 23:45.")

SINGLE = [
    "The quick brown fox jumps over the lazy dog.",
    "Anna Smith lives in New York, doesn't she?",
    "x",
    "naïve café — déjà vu… ﬁne Ⅷ ½",
    "今天天气很好，東京都に住んでいます。",
    "👍🏽 and 👨‍👩‍👧 at Acme!!",
    "e\u0301te\u0301 a\u030angstro\u0308m",
    "  tabs\tand\nnew lines \r\n at  the end   ",
    "C++/C#: a_b-c (x=1.5e-3) user@example.com https://example.com/a?b=c",
    "Привет, мир! مرحبا بالعالم नमस्ते",
]
EMPTY = ["", "   ", "\u200b"]

PAIRS = [
    ("The fox jumps over the dog.", "An animal is jumping."),
    ("It is cold in Paris.", ""),
    ("", "Nothing was said."),
    ("naïve café", "東京都 — 👍🏽"),
    ("Anna works for Acme, John does not.", "John works for Acme."),
]

QUESTIONS = [
    ("Who lives in New York?", "Anna Smith lives in New York, doesn't she? John Miller lives in Paris."),
    ("Wo?", "Der schnelle braune Fuchs springt über den faulen Hund."),
    ("誰？", "今天天气很好，東京都に住んでいます。"),
    ("What is it?", "👍🏽 and 👨‍👩‍👧 at Acme!!"),
    ("When?", "x"),
    ("Where is it?", "  tabs\tand\nnew lines \r\n at  the end   "),
    ("How much?", "C++/C#: a_b-c (x=1.5e-3) — naïve café, ½ price."),
]

CHOICES = [
    ("It was raining when Anna left the house.", "She took", ["an umbrella", "a train to London", "the fox", "雪"]),
    ("", "The dog is", ["lazy", "a quick brown fox"]),
    ("naïve café 👍🏽", "Really?", ["Yes.", "No!", "…"]),
]

MASKED = [
    "The quick brown {m} jumps over the lazy dog.",
    "{m}",
    "Anna {m} lives in {m}.",
    "café{m}, déjà {m} …",
    "今天天气{m}好。",
    "👍🏽 {m} ",
]

PROMPTS = ["The quick brown fox", "Anna", "It was very good,", "東京", "What is the name of"]

DOCUMENTS = ["Anna Smith lives in New York.", "The quick brown fox jumps over the lazy dog.", "x", "今天天气很好", "Snow lay on the roofs of Paris.", "naïve café 👍🏽"]
