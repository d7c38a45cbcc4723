"""Ratings from elsewhere: which films a file means, and what a file that is none is told."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from movierec import histories
from movierec.errors import InputError
from movierec.histories import LARGEST, MOST_LINES, read_history

STARS = [1.0, 2.0, 3.0, 4.0, 5.0]
MOVIES = pd.DataFrame(
    [
        (1, "Toy Story (1995)", 1995),
        (2, "Matrix, The (1999)", 1999),
        (3, "Sabrina (1954)", 1954),
        (4, "Sabrina (1995)", 1995),
        (5, "City of Lost Children, The (Cité des enfants perdus, La) (1995)", 1995),
        (6, "Star Wars: Episode IV - A New Hope (1977)", 1977),
        (7, "Heat (1995)", 1995),
        (8, "Nameless", None),
    ],
    columns=["movie_id", "title", "year"],
).astype({"year": "Int64"})


def read(text: str | bytes, stars: list[float] = STARS):
    return read_history(text.encode() if isinstance(text, str) else text, MOVIES, stars)


LETTERBOXD = """Date,Name,Year,Letterboxd URI,Rating
2024-01-02,The Matrix,1999,https://boxd.it/a,4.5
2024-01-03,Sabrina,1954,https://boxd.it/b,2
2024-01-04,"City of Lost Children, The",1995,https://boxd.it/c,5
2024-01-05,Watched Without Stars,1990,https://boxd.it/d,
"""
IMDB = """Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Year
tt1,9,2024-01-02,The Matrix,The Matrix,https://x,Movie,8.7,1999
tt2,3,2024-01-02,Toy Story,Toy Story,https://x,Movie,8.3,1995
tt3,10,2024-01-02,Heat,Heat,https://x,TV Series,8.3,1995
"""
MOVIELENS = """movie_id,imdb_id,tmdb_id,rating,average_rating,title
9999,1,1,4.0,3.9,"Matrix, The (1999)"
8888,2,2,0.5,3.2,Sabrina (1995)
7777,3,3,3.0,3.1,"City of Lost Children, The (Cité des enfants perdus, La) (1995)"
"""


def test_an_export_of_letterboxd_is_read():
    history = read(LETTERBOXD)
    assert history.ratings == {2: 5.0, 3: 2.0, 5: 5.0}
    assert history.skipped == 1
    assert not history.doubtful
    assert not history.missing


def test_an_export_of_imdb_counts_in_tenths_and_its_series_are_no_films():
    history = read(IMDB)
    assert history.ratings == {2: 5.0, 1: 2.0}
    assert history.skipped == 1


def test_an_export_of_movielens_goes_by_titles_and_not_by_its_ids():
    assert read(MOVIELENS).ratings == {2: 4.0, 4: 1.0, 5: 3.0}
    halves = read(MOVIELENS, [0.5 * n for n in range(1, 11)])
    assert halves.ratings == {2: 4.0, 4: 0.5, 5: 3.0}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_plain_table_is_read_in_any_order_with_any_separator(separator: str):
    lines = [["Stars", "Film"], ["3,5" if separator == ";" else "3.5", "toy story (1995)"]]
    assert read("\ufeff" + "\r\n".join(map(separator.join, lines))).ratings == {1: 4.0}


def test_a_year_beside_the_data_s_is_the_same_film_and_one_far_off_is_asked_about():
    near, far = read("title,year,stars\nHeat,1996,4"), read("title,year,stars\nHeat,1972,4")
    assert near.ratings == {7: 4.0}
    assert far.ratings == {}
    ((line, films),) = far.doubtful
    assert (line.number, line.title, line.year, films) == (2, "Heat", 1972, [7])


def test_a_title_of_two_films_without_a_year_is_asked_about():
    ((_, films),) = read("title,stars\nSabrina,4").doubtful
    assert films == [3, 4]


def test_a_slip_in_a_title_is_asked_about_and_another_film_is_missing():
    history = read("title,year,stars\nThe Matrxi,1999,4\nQuite Another Film,1999,3")
    assert [films for _, films in history.doubtful] == [[2]]
    assert [line.title for line in history.missing] == ["Quite Another Film"]


def test_the_beginning_of_a_long_title_is_asked_about():
    ((_, films),) = read("title,year,stars\nThe City,1995,4").doubtful
    assert films == [5]


def test_no_title_is_compared_twice_and_only_so_many_with_all_films(monkeypatch):
    compared: list[str] = []
    monkeypatch.setattr(histories, "_alike", lambda title, *_: compared.append(title) or [])
    lines = [f"Film of nobody {n % 1_000},5" for n in range(2_000)]
    assert len(read("\n".join(["title,stars", *lines])).missing) == 2_000
    assert len(compared) == len(set(compared)) == histories.MOST_COMPARED


@pytest.mark.parametrize("title", [", the x" * 18_000 + "\ny", "(1".join(map(str, range(20_000)))])
def test_a_title_without_end_takes_no_time(title: str):
    began = time.process_time()
    history = read("title,stars\n" + f'"{title}",4\n' * 10)
    assert [len(line.title) for line in history.missing] == [200] * 10
    assert time.process_time() - began < 2  # whole, each line took minutes, or seconds


def test_of_columns_only_the_first_are_looked_at():
    assert read("title,stars" + ",more" * 300_000 + "\nHeat,5").ratings == {7: 5.0}


def test_of_a_film_that_stands_twice_the_last_rating_counts():
    assert read("title,year,stars\nHeat,1995,1\nHeat,1995,5").ratings == {7: 5.0}


@pytest.mark.parametrize("stars", ["05", "5.", "10", "010.0", "5,0"])
def test_stars_may_be_written_in_many_ways(stars):
    assert read(f'title,year,stars\nHeat,1995,"{stars}"').ratings == {7: 5.0}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "no column for title and stars; got nothing"),
        (b"PK\x03\x04\xff\xfe", "no text in UTF-8"),
        (b"title,stars\nHe\0at,4", "no text"),
        (b"a,b\n1,2", "no column for title and stars; got a, b"),
        (b"userId,movieId,rating,timestamp\n1,1,5,9", "of many people"),
        (b"title,year,stars\nHeat,1995,loved", r"line 2 gives 'Heat' the stars 'loved'"),
        (b"title,year,stars\nHeat,1995,nan", "line 2"),
        (b"title,year,stars\nHeat,1995,-3", "line 2"),
        (b"title,year,stars\nHeat,1995,400", "line 2"),
        (b"title,year,stars\n", "names no film"),
        (b"title,year,stars\n" + b"Heat,1995,4\n" * (MOST_LINES + 1), "more than 10,000 lines"),
        (b"title,stars\n" + b"\n" * 2_000_000, "more than 10,000 lines"),
        (b'title,stars\n"' + b"a" * 140_000, "line"),
        (b'title,stars\nHeat,4\n"Alien,5\nUp,3\n', "line 4 is no line of a table"),
        (b" " * (LARGEST + 1), "at most"),
        (b"\x1b[31m,\x1b[0m\n1,2", r"got \\x1b\[31m"),
    ],
)
def test_a_file_that_is_no_history_is_told_what_is_wrong(content: bytes, fault: str):
    with pytest.raises(InputError, match=fault) as caught:
        read(content)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_history(tmp_path / "ratings.csv", MOVIES, STARS)
