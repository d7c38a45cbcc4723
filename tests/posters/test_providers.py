"""TMDB: which of its films is the one that is meant, and what it says of it."""

from __future__ import annotations

import pandas as pd
import pytest
from asking import HTML, MATRIX, MOVIES, redirect, say, shown, tmdb
from film_server import FilmServer, tmdb_film

from movierec.data.titles import title_forms
from movierec.posters.films import NOTHING, Film, ProviderError, best_match


def test_titles_come_in_the_language_that_is_asked_for(server, open_metadata):
    films = open_metadata(tmdb(server, "zh-CN"))

    details = films.look_up(MATRIX)

    assert details.title == "黑客帝国"
    assert details.overview == "黑客帝国。"
    assert open_metadata(tmdb(server, "en-US")).known(1) is None  # languages are kept apart


@pytest.mark.parametrize(
    ("films", "wanted"),
    [
        (MOVIES.assign(tmdb_id=[949, None, None]), "Heat"),
        (MOVIES.assign(tmdb_id=pd.array([404, None, None], dtype="Int64")), "The Matrix"),
    ],
    ids=["number", "number that is gone"],
)
def test_the_number_in_the_data_goes_before_a_search(server, open_metadata, films, wanted):
    assert shown(open_metadata(tmdb(server), films), 1)[0].title == wanted
    assert server.paths()[0].startswith("/3/movie/")


@pytest.mark.parametrize(
    ("title", "year", "answers", "wanted"),
    [
        ("Matrix, The (1999)", 1999, [("The Matrix", "", "1999")], 0),
        ("Matrix, The (1999)", 1999, [("The Matrix", "", "2003")], None),
        ("Matrix, The (1999)", 1999, [("The Matrix", "", "")], None),
        ("Matrix, The (1999)", 1999, [("The Mummy", "", "1999")], None),
        ("Matrix, The (1999)", 1999, [], None),
        ("Heat (1995)", 1995, [("Heat", "", "1996"), ("Heat", "", "1995")], 1),
        ("Heat (1995)", 1995, [("Dead Heat", "", "1995"), ("Heat", "", "1995")], 1),
        (
            "Star Wars: Episode IV - A New Hope (1977)",
            1977,
            [("Star Wars", "Star Wars", "1977")],
            0,
        ),
        (
            "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
            1995,
            [("迷失的城市", "La Cité des enfants perdus", "1995")],
            0,
        ),
        (
            "Seven Samurai (The Magnificent Seven) (Shichinin no samurai) (1954)",
            1954,
            [("Seven Samurai", "七人の侍", "1954")],
            0,
        ),
        (
            "Star Wars: Episode V - The Empire Strikes Back (1980)",
            1980,
            [("Star Wars", "", "1980"), ("The Empire Strikes Back", "", "1980")],
            1,
        ),
        ("Tin Moon (1990)", 1990, [("Tin Mooon", "", "1990")], 0),
        ("Tin Moon (1990)", 1990, [("Tin Mooon", "", "1991")], None),
        ("Tin Moon (1990)", 1990, [("Tin Moon II", "", "1990"), ("Tin Moon 3", "", "1990")], None),
        ("Tin Moon II (1990)", 1990, [("Tin Moon III", "", "1990")], None),
        ("Tin Moon, The (1990)", 1990, [("The Tin Moon & the Sea", "", "1990")], None),
        ("Tin Moon & Sun (1990)", 1990, [("Tin Moon and Sun", "", "1990")], 0),
        ("Tin Moon", None, [("Tin Moons", "", "1990"), ("Tin Moon", "", "1990")], 1),
        ("Tin Moon", None, [("Tin Moon Rising", "", "1990")], None),
        ("Matrix, The (1999)", 1999, [("", "", "1999"), ("!!!", "", "1999")], None),
    ],
)
def test_a_film_is_known_by_its_title_and_its_year(title, year, answers, wanted):
    names = [([first, second], year_text) for first, second, year_text in answers]
    assert best_match(Film(title, year), names) == wanted


def test_no_film_of_the_catalogue_is_taken_for_another(real_1m):
    """One in ten is looked for among all others, as if the provider lacked it alone."""
    spoken: dict[int, list[tuple[list[str], str]]] = {}
    for movie in real_1m.movies.itertuples():
        spoken.setdefault(movie.year, []).append(([title_forms(movie.title)[0]], str(movie.year)))
    taken = 0
    for movie in real_1m.movies.iloc[::10].itertuples():
        itself = ([title_forms(movie.title)[0]], str(movie.year))
        years = range(movie.year - 1, movie.year + 2)
        others = [other for year in years for other in spoken.get(year, []) if other != itself]
        taken += best_match(Film(movie.title, movie.year), others) is not None
    assert taken <= 1  # two of all films are in it twice, under two titles


def test_a_wrong_film_is_none(server, open_metadata):
    server.films = [tmdb_film(604, "The Matrix", 2003)]
    assert open_metadata(tmdb(server)).look_up(MATRIX) == NOTHING
    server.faults["/3/movie/603"] = say(tmdb_film(604, "The Matrix Reloaded", 2003))
    with pytest.raises(ProviderError, match="another film"):
        open_metadata(tmdb(server)).look_up(Film("Matrix, The (1999)", 1999, tmdb_id=603))


def test_a_provider_that_refuses_is_left_alone_for_an_hour(server, open_metadata):
    server.faults["/3/"] = say(HTML, status=403, kind="text/html")
    for _ in range(2):
        with pytest.raises(ProviderError, match="left alone"):
            open_metadata(tmdb(server)).look_up(MATRIX)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "path", ["//evil.example/p1.jpg", "http://[::1", "/../p1.jpg", "p1.jpg", ""]
)
def test_pictures_elsewhere_are_not_fetched(server, open_metadata, path):
    server.films = [tmdb_film(603, "The Matrix", 1999) | {"poster_path": path}]
    details = open_metadata(tmdb(server)).look_up(MATRIX)
    assert details.title == "The Matrix"
    assert details.poster is None
    assert server.paths() == ["/3/search/movie"]


def test_no_other_host_is_reached_through_a_picture(server, open_metadata):
    other = FilmServer()
    server.films = [tmdb_film(603, "The Matrix", 1999)]
    server.faults["/t/p/"] = redirect(f"{other.url}/t/p/w342/poster603.jpg")
    assert open_metadata(tmdb(server)).look_up(MATRIX).poster is None
    other.close()
    assert other.seen == []
