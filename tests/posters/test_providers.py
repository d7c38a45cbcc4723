"""TMDB and Douban: which of their films is the one that is meant, and what they say of it."""

from __future__ import annotations

import pandas as pd
import pytest
from asking import HEAT, HTML, MATRIX, MOVIES, douban, redirect, say, shown, tmdb
from film_server import FilmServer, tmdb_film

from movierec.data.titles import title_forms
from movierec.errors import ProviderError
from movierec.posters.douban import Douban, _DoubanFilm
from movierec.posters.provider import Film, best_match


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
    assert open_metadata(tmdb(server)).look_up(MATRIX) is None
    server.faults["/3/movie/603"] = say(tmdb_film(604, "The Matrix Reloaded", 2003))
    with pytest.raises(ProviderError, match="another film"):
        open_metadata(tmdb(server)).look_up(Film("Matrix, The (1999)", 1999, tmdb_id=603))


def suggested(server: FilmServer, **changes: str) -> dict[str, str]:
    film = {
        "episode": "",
        "img": f"{server.url}/view/photo/s_ratio_poster/public/p1.jpg",
        "title": "黑客帝国",
        "url": "https://movie.douban.com/subject/1291843/?suggest=The+Matrix",
        "type": "movie",
        "year": "1999",
        "sub_title": "The Matrix",
        "id": "1291843",
        "imdb": "tt0133093",  # not in an answer: how the server finds it
    }
    return film | changes


@pytest.mark.parametrize("imdb_id", [None, 133093])
def test_douban_gives_chinese_titles_and_posters(server, open_metadata, imdb_id):
    server.suggested = [suggested(server)]
    films = open_metadata(douban(server))

    details = films.look_up(Film("Matrix, The (1999)", 1999, imdb_id=imdb_id))

    assert (details.title, details.overview, details.source) == ("黑客帝国", None, "Douban")
    assert details.poster
    assert films.language == "zh-CN"
    (_, query, _, _), (_, _, headers, _) = server.seen
    assert query == {"q": "tt0133093" if imdb_id else "The Matrix"}
    assert headers["referer"] == f"{server.url}/"  # without it Douban shows no picture


ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data",
    "http://img1.doubanio.com.evil.example/p1.jpg",
    "https://img1.doubanio.com@evil.example/p1.jpg",
    "https://img1xdoubanio.com/p1.jpg",
    "file:///etc/passwd",
    "http://[::1",
    "/etc/passwd",
    "",
]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_douban_pictures_elsewhere_are_not_fetched(server, open_metadata, address):
    server.suggested = [suggested(server, img=address)]
    details = open_metadata(douban(server)).look_up(MATRIX)
    assert details.title == "黑客帝国"
    assert details.poster is None
    assert server.paths() == ["/j/subject_suggest"]


@pytest.mark.parametrize("address", ["https://img9.doubanio.com/view/p1.jpg", *ELSEWHERE])
def test_the_pictures_of_douban_are_on_its_own_hosts(address):
    film = _DoubanFilm(title="黑客帝国", img=address)
    assert Douban()._found(film).poster_url == (None if address in ELSEWHERE else address)


def test_no_other_host_is_reached_through_an_answer(server, open_metadata):
    other = FilmServer()
    address = f"{other.url}/view/photo/p1.jpg"
    server.suggested = [suggested(server, img=address)]
    provider = douban(server)
    assert open_metadata(provider).look_up(MATRIX).poster is None
    server.faults["/view/photo/"] = redirect(address)
    server.suggested = [suggested(server, sub_title="Heat", year="1995")]
    assert open_metadata(provider).look_up(HEAT).poster is None
    other.close()
    assert "/view/photo/s_ratio_poster/public/p1.jpg" in server.paths()
    assert other.seen == []


def test_the_picture_that_douban_has_for_films_without_one_is_none(server, open_metadata):
    address = f"{server.url}/f/movie/pics/movie/movie_default_small.png"
    server.suggested = [suggested(server, img=address)]
    assert open_metadata(douban(server)).look_up(MATRIX).poster is None
    assert server.paths() == ["/j/subject_suggest"]


def test_douban_that_refuses_is_left_alone_for_an_hour(server, open_metadata):
    server.faults["/j/"] = say(HTML, status=403, kind="text/html")
    for _ in range(2):
        with pytest.raises(ProviderError, match="left alone"):
            open_metadata(douban(server)).look_up(MATRIX)
    assert len(server.seen) == 1
