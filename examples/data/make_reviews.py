"""Make `hotel_reviews.csv.gz`: reviews of hotels that nobody stayed in, by a grammar and a seed.

    python examples/data/make_reviews.py

A review says what it thinks of two to five things, mostly the one way and sometimes the other,
often in other words than a plain adjective, and may end with a verdict.
"""

import csv
import gzip
import io
from pathlib import Path
from random import Random

# A thing, what is good of it, what is bad.
THINGS = [
    ("the room", "spacious bright spotless quiet airy cosy", "cramped gloomy filthy noisy stuffy"),
    ("the bed", "comfortable soft inviting wide", "lumpy creaky narrow rock-hard"),
    ("the breakfast", "delicious generous fresh tasty plentiful", "stale meagre bland tasteless"),
    ("the staff", "friendly attentive helpful charming cheerful", "rude careless grumpy unhelpful"),
    ("the view", "stunning splendid unforgettable breathtaking", "dreary dull depressing ugly"),
    ("the bathroom", "sparkling modern elegant spotless", "mouldy leaky filthy grubby"),
    ("the pool", "warm clear lovely refreshing", "icy murky crowded grubby"),
    ("the location", "perfect central handy ideal", "remote awkward noisy hopeless"),
    ("the price", "fair reasonable modest", "outrageous steep absurd"),
    ("the restaurant", "excellent cosy delightful superb", "overpriced dreadful mediocre awful"),
    ("the internet", "fast reliable", "patchy useless"),
    ("check-in", "quick smooth painless", "chaotic endless tedious"),
]
GOOD = [
    "{0} was {good}", "{0} was really {good}", "{0} was anything but {bad}", "{0} was never {bad}",
    "I have to praise {0}, {good} as it was", "we found {0} {good}",
]  # fmt: skip
BAD = [
    "{0} was {bad}", "{0} was rather {bad}", "{0} was anything but {good}",
    "{0} was not exactly {good}", "I have to complain about {0}, {bad} as it was",
    "we found {0} {bad}",
]  # fmt: skip
OPENINGS = [
    "We stayed for {n} nights in {month}.", "My {who} and I were here in {month}.",
    "This was our {nth} visit.", "I was here on business for {n} days.",
    "We booked {n} nights for a trip with my {who}.", "",
]  # fmt: skip
PRAISE = ["We will be back.", "I would book it again at once.", "A pleasure from start to finish.",
          "You will not regret it.", "Worth every cent."]  # fmt: skip
BLAME = ["Never again.", "We left a day early.", "I want my money back.", "You will regret it.",
         "Stay somewhere else."]  # fmt: skip
MONTHS = ["January", "March", "April", "May", "June", "July", "August", "September", "October"]
COUNTS = ["two", "three", "four", "five", "six"]
PEOPLE = ["husband", "wife", "sister", "brother", "parents", "daughter", "friends"]


def clause(rng: Random, thing: tuple[str, str, str], *, is_good: bool) -> str:
    """What is thought of one thing."""
    name, good, bad = thing
    form = rng.choice(GOOD if is_good else BAD)
    return form.format(name, good=rng.choice(good.split()), bad=rng.choice(bad.split()))


def sentences(rng: Random, *, is_good: bool) -> list[str]:
    """What is thought of some things; more of them in the one way than in the other."""
    things = rng.sample(THINGS, rng.choice([2, 3, 3, 4, 5]))
    against = rng.randrange((len(things) + 1) // 2) if rng.random() < 0.5 else 0
    said = [(clause(rng, t, is_good=is_good), is_good) for t in things[against:]]
    said += [(clause(rng, t, is_good=not is_good), not is_good) for t in things[:against]]
    rng.shuffle(said)
    made = []
    while said:
        text, first = said.pop()
        if said and rng.random() < 0.6:
            more, second = said.pop()
            text += (" and " if first == second else rng.choice([", but ", ", although "])) + more
        made.append(f"{text[0].upper()}{text[1:]}{rng.choice(['.', '.', '.', '!'])}")
    return made


def review(rng: Random) -> tuple[str, str]:
    """A text, and what it is."""
    is_good = rng.random() < 0.5
    opening = rng.choice(OPENINGS).format(
        n=rng.choice(COUNTS), month=rng.choice(MONTHS),
        nth=rng.choice(["first", "second", "third"]),
        who=rng.choice(PEOPLE),
    )  # fmt: skip
    verdict = rng.choice(PRAISE if is_good else BLAME) if rng.random() < 0.3 else ""
    parts = [opening, *sentences(rng, is_good=is_good), verdict]
    return " ".join(part for part in parts if part), "good" if is_good else "bad"


def main() -> None:
    """Write the file beside this one; each run gives the same bytes."""
    rng = Random(7)  # noqa: S311 - no secret
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["text", "label"])
    for _ in range(3000):
        written, label = review(rng)
        rows.writerow([written, label])
    made = gzip.compress(text.getvalue().encode(), mtime=0)
    Path(__file__).with_name("hotel_reviews.csv.gz").write_bytes(made)


if __name__ == "__main__":
    main()
