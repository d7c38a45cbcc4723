"""Find a film by what people type: an id, a title in either order of its article, with a slip."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
import pandas as pd
from rapidfuzz import fuzz, process

from movierec.data.tables import YEAR
from movierec.errors import InputError

LONGEST = 200  # characters of a search; comparing takes time in proportion
YEARS_APART = 1  # sites differ by so much in when a film came out: at a festival, or in cinemas
_ARTICLES = "the|a|an|le|la|les|l'|il|el|los|las|das|der|die|ein|eine"
ARTICLE = re.compile(rf"^(.*), ({_ARTICLES})( .*)?$", re.IGNORECASE | re.DOTALL)
_LEADING = re.compile(rf"^({_ARTICLES}) ".replace("'", ""))  # of a plain title, which has no marks


def spoken_title(title: str) -> str:
    """A title as one says it: "Matrix, The (1999)" gives "The Matrix"."""
    return _article_in_front(YEAR.sub("", title).strip()) or title


def _article_in_front(text: str) -> str:
    """Such as `The Matrix` for `Matrix, The`."""
    if not (match := ARTICLE.match(text)):
        return text
    space = "" if match[2].endswith("'") else " "
    return f"{match[2]}{space}{match[1]}{match[3] or ''}"


def plain_title(title: str) -> str:
    """A title as it is compared: spoken, without accents, marks and case."""
    text = _article_in_front(YEAR.sub("", title).strip()).replace("&", " and ")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w\s]", " ", text.casefold()).split())


def title_forms(title: str) -> list[str]:
    """The titles that MovieLens packs into one, as they are spoken; the first is the main one.

    "City of Lost Children, The (Cité des enfants perdus, La) (1995)" has two.
    """
    main, *others = re.split(r"[()]", YEAR.sub("", title))
    forms: dict[str, None] = {}  # in order
    for text in (main, *others):
        text = re.sub(r"^\s*a\.?k\.?a\.?:?\s", "", text, flags=re.IGNORECASE).strip()
        text = _article_in_front(text)
        if text:
            forms[text] = None
    return [*forms] or [title.strip()]


def bare_titles(title: str) -> frozenset[str]:
    """Each of a film's titles as it is compared, without its article."""
    return frozenset(_LEADING.sub("", plain_title(form)) for form in title_forms(title))


# of titles of the data, of which the largest set has a third; what is typed is not kept
plain_of_film = lru_cache(maxsize=2**18)(plain_title)
bare_of_film = lru_cache(maxsize=2**18)(bare_titles)


def find_movies(movies: pd.DataFrame, text: str, k: int = 10) -> pd.DataFrame:
    """The films whose titles come nearest to a text.

    Args:
        movies: the movies table.
        text: a title or part of one, with or without its year, words in any order; what comes
            after `LONGEST` characters does not count.
        k: how many films.

    Returns:
        `movie_id`, `title`, `year`, `genres` and `score` (likeness, 0 to 100), best first; equally
        good ones by likeness of the whole title, then by title.
    """
    text = text[:LONGEST]
    year = YEAR.search(text)
    wanted = plain_title(text)
    titles = [plain_of_film(title) for title in movies["title"].to_numpy(object)]
    whole = process.cdist([wanted], titles, scorer=fuzz.token_sort_ratio)[0]
    part = process.cdist([wanted], titles, scorer=fuzz.partial_ratio)[0]
    words = process.cdist([wanted], titles, scorer=fuzz.token_set_ratio)[0]
    longer = np.array([len(title) >= len(wanted) for title in titles])
    # "empire strikes" is a part of a long title, and all words of "wars star" stand in some
    part = np.maximum(part, np.where(words == 100, 95, 0))
    scores = np.maximum(whole, 0.9 * part * longer)
    scores = scores + 5.0 * np.array([title == wanted for title in titles])  # before its sequels
    if year:
        scores += 5.0 * movies["year"].eq(int(year[1])).fillna(False).to_numpy(float)
    # in NumPy, and before all are sorted by their titles: of whole tables pandas makes slow work
    place = np.flatnonzero(scores >= np.sort(scores)[-k:][0])
    found = movies.iloc[place][["movie_id", "title", "year", "genres"]]
    found = found.assign(score=scores[place], whole=whole[place])
    # "matrix" is a part of "The Matrix" and of its sequels, but nearest to the first as a whole
    found = found.sort_values(["score", "whole", "title"], ascending=[False, False, True]).head(k)
    found = found.drop(columns="whole").reset_index(drop=True)
    return found.assign(score=found["score"].clip(upper=100))


def resolve_movie(movies: pd.DataFrame, text: str) -> int:
    """The id of the one film that a text names: an id, or a title with or without its year.

    Where no film has just this title, one counts that has it but for its article, or packed in.

    Raises:
        InputError: no film has this id or title, or several have; with the nearest ones.
    """
    if text.strip().isdecimal() and int(text) in set(movies["movie_id"]):
        return int(text)
    year = YEAR.search(text)
    wanted = plain_title(text)
    same = movies["title"].map(plain_of_film).eq(wanted)
    if not same.any():
        bare = _LEADING.sub("", wanted)
        same = movies["title"].map(lambda title: bare in bare_of_film(title)).astype(bool)
    if year:
        same &= movies["year"].eq(int(year[1])).fillna(False).astype(bool)
    if same.sum() == 1:
        return int(movies.loc[same, "movie_id"].iloc[0])
    near = movies[same] if same.any() else find_movies(movies, text, k=5)
    listed = "; ".join(f"{row.movie_id} {row.title}" for row in near.itertuples())
    none = f"none of the {len(movies):,} films of this data has the id or title"
    fault = "several films are called" if same.any() else none
    raise InputError(f"{fault} {text!r}; give an id or a full title, perhaps one of: {listed}")
