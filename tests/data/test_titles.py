"""Films are found by what people type; an unclear text answers with the nearest ones."""

from __future__ import annotations

import pandas as pd
import pytest

from movierec.data.titles import (
    LONGEST,
    find_movies,
    plain_title,
    resolve_movie,
    spoken_title,
    title_forms,
)
from movierec.errors import InputError

TITLES = {
    3: "Silent Harbour, The (1984)",
    4: "Silent Harbour, The (2005)",
    5: "Silent Harbour II: The Return (1986)",
    7: "Café Noir (2001)",
    9: "Été, L' (1961)",
    12: "1999 (1950)",
    20: "12 (1977)",
    30: "Tin Moon",
    40: "Long Ago (Il était une fois) (1980)",
    1950: "Glass Tower (1990)",
}


@pytest.fixture
def movies() -> pd.DataFrame:
    table = pd.DataFrame({"movie_id": TITLES.keys(), "title": TITLES.values(), "genres": "Drama"})
    year = table["title"].str.extract(r"\((\d{4})\)", expand=False)
    return table.assign(year=pd.to_numeric(year).astype("Int64"))


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("Silent Harbour, The (1984)", "the silent harbour"),
        ("The Silent Harbour", "the silent harbour"),
        ("CAFÉ noir", "cafe noir"),
        ("Moon, The (Lune, La) (1950)", "the moon lune la"),
        ("Star-Field: Part 2", "star field part 2"),
        ("Fish & Chips", "fish and chips"),
        ("(1960)", ""),
    ],
)
def test_titles_are_compared_without_accents_case_year_and_order_of_article(title, plain):
    assert plain_title(title) == plain


@pytest.mark.parametrize(
    ("title", "spoken"),
    [
        ("Matrix, The (1999)", "The Matrix"),
        ("Été, L' (1961)", "L'Été"),
        ("Lune, La, Again (1950)", "Lune, La, Again"),
        ("Wild Bunch, The Return (1969)", "The Wild Bunch Return"),
        ("Seven (Se7en) (1995)", "Seven (Se7en)"),
        ("(1960)", "(1960)"),
    ],
)
def test_titles_are_spoken_with_the_article_in_front_and_without_the_year(title, spoken):
    assert spoken_title(title) == spoken


@pytest.mark.parametrize(
    ("text", "movie_id"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("Café Noir (2001)", 7),
        ("cafe noir", 7),
        ("The Silent Harbour (2005)", 4),
        ("silent harbour, the (1984)", 3),
        ("L' Ete", 9),
        ("ete", 9),  # without the article, where no other film has that title
        ("long ago", 40),  # one of the titles that stand in one
        ("il etait une fois", 40),
        ("tin moon", 30),
        ("12", 12),  # an id before a title
        ("1999", 12),  # not an id, so a title
        ("1950", 1950),
    ],
)
def test_id_or_title_names_one_film(movies, text, movie_id):
    assert resolve_movie(movies, text) == movie_id


def test_just_this_title_goes_before_one_with_an_article():
    titles = ["Return (1999)", "Return, The (2001)"]
    films = pd.DataFrame({"movie_id": [1, 2], "title": titles, "year": [1999, 2001]})
    assert resolve_movie(films, "return") == 1
    assert resolve_movie(films, "the return") == 2


def test_ambiguous_title_lists_the_films_of_that_name(movies):
    with pytest.raises(InputError, match="several films are called 'the silent harbour'") as caught:
        resolve_movie(movies, "the silent harbour")
    message = str(caught.value)
    assert "3 Silent Harbour, The (1984)" in message
    assert "4 Silent Harbour, The (2005)" in message
    assert "Return" not in message


@pytest.mark.parametrize("text", ["silnt harbor", "Silent Harbour (1999)", "harbour"])
def test_misspelt_title_answers_with_the_nearest(movies, text):
    with pytest.raises(InputError, match="films of this data has the id or title") as caught:
        resolve_movie(movies, text)
    assert repr(text) in str(caught.value)
    assert "3 Silent Harbour, The (1984)" in str(caught.value)


@pytest.mark.parametrize("text", ["99999", "²", "-3", "", "沉默的港口"])  # noqa: RUF001
def test_text_that_names_nothing_is_refused(movies, text):
    with pytest.raises(InputError, match="films of this data has the id or title"):
        resolve_movie(movies, text)


def test_find_puts_the_very_title_before_its_sequels(movies):
    found = find_movies(movies, "silent harbour")
    assert found["movie_id"].tolist()[:3] == [3, 4, 5]
    assert found.columns.tolist() == ["movie_id", "title", "year", "genres", "score"]
    assert found["score"].is_monotonic_decreasing
    assert found["score"].between(0, 100).all()


def test_find_prefers_the_year_that_was_typed(movies):
    assert find_movies(movies, "silent harbour (2005)", k=1)["movie_id"].tolist() == [4]


@pytest.mark.parametrize(
    ("text", "movie_id"),
    [("glas towr", 1950), ("noir", 7), ("the return", 5), ("ete", 9), ("return harbour", 5)],
)
def test_find_forgives_slips_and_parts(movies, text, movie_id):
    assert find_movies(movies, text, k=1)["movie_id"].tolist() == [movie_id]


def test_find_knows_the_beginning_of_a_word_within_a_long_title(movies):
    long = "Star Wars: Episode V - The Empire Strikes Back (1980)"
    movies = movies.assign(title=[long, "Empire Records (1995)", *movies["title"][2:]])
    assert find_movies(movies, "empire strik", k=1)["title"].tolist() == [long]


def test_find_gives_k_films_and_no_more_than_there_are(movies):
    assert len(find_movies(movies, "moon", k=3)) == 3
    assert len(find_movies(movies, "moon", k=100)) == len(TITLES)


@pytest.mark.parametrize(
    ("title", "forms"),
    [
        ("Matrix, The (1999)", ["The Matrix"]),
        ("Seven (Se7en) (1995)", ["Seven", "Se7en"]),
        (
            "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
            ["The City of Lost Children", "La Cité des enfants perdus"],
        ),
        ("Fight Club (a.k.a. The Club) (1999)", ["Fight Club", "The Club"]),
        ("Été, L' (1961)", ["L'Été"]),
        ("Tin Moon", ["Tin Moon"]),
        ("(1960)", ["(1960)"]),
    ],
)
def test_titles_in_one_are_taken_apart(title, forms):
    assert title_forms(title) == forms


def test_what_is_too_long_for_a_title_is_cut(movies):
    text = "silent harbour" + " and more" * 100
    pd.testing.assert_frame_equal(find_movies(movies, text), find_movies(movies, text[:LONGEST]))
