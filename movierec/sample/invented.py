"""Invent a catalogue: circles of films that belong together, with years, genres and titles.

Titles are put together from word lists. A film's words tell its mood and its era, so that a network
that reads titles has something to learn.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from movierec.data.tables import GENRES_1M

T = TypeVar("T")

# mood: (genres that have it, adjectives, nouns)
MOODS = {
    "battle": (
        "Action War",
        "Iron Burning Fearless Fallen Savage Final Armed Broken Crimson Thundering",
        "Legion Siege Soldier Cannon Fury Blade Commando Fortress Victory Bullet Regiment Vendetta",
    ),
    "heart": (
        "Romance Musical",
        "Tender Sweet Velvet Moonlit Dancing Secret Faithful Golden Charmed Waltzing",
        "Waltz Kiss Serenade Letter Bride Melody Rose Fiancée Promise Ballroom Honeymoon Orchestra",
    ),
    "laughter": (
        "Comedy",
        "Crazy Clumsy Foolish Lucky Noisy Borrowed Perfect Upside-Down Cheeky Hopeless",
        "Wedding Butler Uncle Holiday Neighbour Prank Landlord Picnic Waiter Café Mishap Birthday",
    ),
    "shadow": (
        "Crime Film-Noir Mystery Thriller Horror",
        "Dark Silent Hidden Poisoned Haunted Crooked Midnight Sinister Nameless Bloody",
        "Alibi Cellar Stranger Witness Whisper Knife Coffin Masquerade Phantom Corpse Heist Asylum",
    ),
    "cosmos": (
        "Sci-Fi Fantasy",
        "Electric Lunar Distant Quantum Eternal Invisible Mechanical Enchanted Starless Orbital",
        "Comet Android Galaxy Portal Dragon Machine Nebula Signal Wizard Planet Paradox Voyager",
    ),
    "home": (
        "Children's Animation",
        "Little Magic Brave Furry Tiny Giggling Snowy Runaway Purple Sleepy",
        "Puppy Kite Bear Teapot Penguin Treehouse Princess Rabbit Toyshop Snowman Pony Lantern",
    ),
    "frontier": (
        "Western Adventure",
        "Dusty Lonesome Wild Forgotten Lawless Northern Painted Restless Sunburnt Uncharted",
        "Canyon Sheriff Mustang Expedition Compass Prairie Saddle Treasure Outlaw Island Trail",
    ),
    "witness": (
        "Drama Documentary",
        "Quiet Ordinary Bitter Winter Honest Unfinished Grey Patient Autumn Weathered",
        "Daughter Harbour Orchard Silence Father Harvest Portrait Farewell Hospital "
        "Homecoming Testimony Schoolteacher",
    ),
}
ERAS = (1919, 1950, 1970, 1988)  # first year of each era
_ERA_WORDS = (
    "Parade Sweetheart Vaudeville Steamboat Gaslight Duchess Charleston",
    "Cadillac Jukebox Beatnik Technicolor Sputnik Drive-In Cha-Cha",
    "Disco Highway Polyester Groovy Roller Cassette Syndicate",
    "Modem Cyber Virtual Espresso Grunge Pager Millennium",
)
_NAMES = (
    "Marta Zoë Henry Lucía André Ingrid Oskar Beatriz Tom Élodie Walter Noor Søren Grace Félix "
    "Hilda Jack Renée Otto Priya Samuel Chloë Victor Agnès Leo Björk Edith Tomás Ruby Jürgen"
)
_VERBS = "Finding Chasing Forgiving Saving Inventing Escaping Teaching Burying Waking Following"
_DEEDS = "Outwit Rescue Marry Forget Repair Bewitch Defend Steal Photograph Betray"
# Names of places and families are put together; they carry no taste, like most proper names.
_PLACE_STARTS = "Ash Bel Cor Dun Elm Fal Glen Har Kil Lind Mar Nor Oak Pen Quill Ros Sand Thorn Val"
_PLACE_ENDS = "bury combe dale field ford gate haven holm mere mont moor port stead ton vale wick"
# the article goes last, as MovieLens has it
_TEMPLATES = (
    "NOUN|ADJ NOUN|ADJ NOUN|ADJ NOUN, The|ADJ NOUN, The|ERA NOUN|ERA NOUN, The|NOUN of PLACE, The|"
    "NOUN of the ADJ NOUN|ADJ ERA, The|NAME and the ADJ NOUN|VERB NAME|VERB the NOUN|NAME PLACE|"
    "NAME's ADJ NOUN|ERA in PLACE|ADJ NOUN of NAME PLACE, The|NOUN, the NOUN and NAME, The|"
    "Château PLACE, Le|How NAME Learned to DEED the ADJ NOUN and DEED the NOUN|"
    "Last ERA in PLACE, The"
)
_NUMERALS = {50: "L", 40: "XL", 10: "X", 9: "IX", 5: "V", 4: "IV", 1: "I"}
# genre: (share of films that start from it, its usual year, the genres that go with it)
_GENRES = {
    "Action": (10, 1991, "Thriller Sci-Fi Adventure Crime War"),
    "Adventure": (5, 1985, "Action Children's Fantasy"),
    "Animation": (3, 1990, "Children's Musical Comedy"),
    "Children's": (5, 1990, "Comedy Animation Fantasy"),
    "Comedy": (26, 1992, "Romance Drama Crime"),
    "Crime": (4, 1990, "Drama Thriller"),
    "Documentary": (3, 1996, "War Musical"),
    "Drama": (30, 1991, "Romance War Thriller"),
    "Fantasy": (2, 1988, "Adventure Children's"),
    "Film-Noir": (2, 1948, "Crime Mystery Thriller"),
    "Horror": (8, 1984, "Thriller Sci-Fi"),
    "Musical": (2, 1957, "Romance Comedy"),
    "Mystery": (2, 1982, "Thriller Crime"),
    "Romance": (7, 1992, "Drama Comedy"),
    "Sci-Fi": (5, 1985, "Action Adventure"),
    "Thriller": (7, 1993, "Crime Mystery Drama"),
    "War": (3, 1972, "Drama Action"),
    "Western": (2, 1960, "Action Comedy Drama"),
}


def draw_circle(rng: np.random.Generator) -> tuple[list[str], str, int]:
    """Draw the genres (the first is the main one), the mood and the usual year of a circle."""
    shares = np.array([share for share, _, _ in _GENRES.values()], dtype=float)
    main = list(_GENRES)[rng.choice(len(_GENRES), p=shares / shares.sum())]
    _, year, companions = _GENRES[main]
    wanted = rng.choice(3, p=(0.4, 0.4, 0.2))
    others = rng.permutation(companions.split())[:wanted].tolist()
    mood = next(name for name, (genres, _, _) in MOODS.items() if main in genres.split())
    return [main, *others], mood, int(year + rng.normal(0, 8))


def draw_films(
    circle: np.ndarray, kinds: list[tuple[list[str], str, int]], rng: np.random.Generator
) -> tuple[list[int], list[list[str]], list[str]]:
    """Write the films: years, genres (alphabetical) and titles without the year, all distinct."""
    years: list[int] = []
    genres: list[list[str]] = []
    stems: list[tuple[str, str]] = []  # ("Silent Harbour", ", The")
    titles: list[str] = []
    latest: dict[tuple[str, str], tuple[int, int]] = {}  # stem: its last part, and when that was
    of_circle: dict[int, list[int]] = {}
    for film, own in enumerate(circle.tolist()):
        (main, *others), mood, usual_year = kinds[own]
        earlier = of_circle.setdefault(own, [])
        if earlier and rng.random() < 0.07:  # a sequel
            first = _pick(earlier, rng)
            stem, own_genres = stems[first], genres[first]
        else:
            # 2000 is the last year: later ones are mirrored, so that many films are recent.
            year = max(1919, 2000 - abs(2000 - round(usual_year + 5 * rng.standard_normal())))
            kept = [name for name in others if rng.random() < 0.75]
            extra = [_pick(GENRES_1M, rng)] if rng.random() < 0.15 else []
            own_genres = sorted({main, *kept, *extra}, key=GENRES_1M.index)
            # A title that is still taken after 20 draws goes on as a series.
            drawn = (_new_title(mood, year, rng) for _ in range(20))
            stem = next((new for new in drawn if new not in latest), None) or _pick(stems, rng)
        part, year_before = latest.get(stem, (0, 0))
        if part:
            year = min(2000, year_before + 1 + int(4 * rng.random()))
        latest[stem] = (part + 1, year)
        years.append(year)
        genres.append(own_genres)
        stems.append(stem)
        titles.append(f"{stem[0]}{' ' + _roman(part + 1) if part else ''}{stem[1]}")
        earlier.append(film)
    return years, genres, titles


def _new_title(mood: str, year: int, rng: np.random.Generator) -> tuple[str, str]:
    """Fill a template: the title, and the article that goes after it, if any."""

    def fill(slot: re.Match[str]) -> str:
        if slot[0] in ("ADJ", "NOUN"):
            own = mood if rng.random() < 0.85 else _pick(list(MOODS), rng)
            return _pick(MOODS[own][1 if slot[0] == "ADJ" else 2].split(), rng)
        if slot[0] == "ERA":
            return _pick(_ERA_WORDS[bisect(ERAS, year) - 1].split(), rng)
        if slot[0] == "PLACE":
            return _pick(_PLACE_STARTS.split(), rng) + _pick(_PLACE_ENDS.split(), rng)
        return _pick({"NAME": _NAMES, "VERB": _VERBS, "DEED": _DEEDS}[slot[0]].split(), rng)

    filled = re.sub("ADJ|NOUN|ERA|PLACE|NAME|VERB|DEED", fill, _pick(_TEMPLATES.split("|"), rng))
    stem, comma, article = filled.rpartition(", ")
    return (stem, f", {article}") if comma else (filled, "")


def _pick(options: Sequence[T], rng: np.random.Generator) -> T:
    """Draw one of the options; many times faster than `rng.choice`."""
    return options[int(rng.random() * len(options))]


def _roman(number: int) -> str:  # below 90
    numeral = ""
    for value, letters in _NUMERALS.items():
        count, number = divmod(number, value)
        numeral += letters * count
    return numeral


def mood_of_words() -> dict[str, int]:
    """Return the words that carry taste, each with the row of its mood, or -1 without one."""
    free = " ".join([*_ERA_WORDS, _NAMES, _VERBS, _DEEDS]).split()
    moods = {
        word: row
        for row, (_, adjectives, nouns) in enumerate(MOODS.values())
        for word in f"{adjectives} {nouns}".split()
    }
    return dict.fromkeys(free, -1) | moods
