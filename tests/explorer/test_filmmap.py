"""The map of films: every rated film, near what it resembles, in a picture that scales."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from movierec.explorer.filmmap import HEIGHT, WIDTH, FilmMap, film_map, legend
from movierec.recommend.recommender import Recommender
from movierec.runs import Run, load_run


@pytest.fixture(scope="module")
def rec(small_best: Run) -> Recommender:
    return small_best.recommender


@pytest.fixture(scope="module")
def plane(rec: Recommender) -> FilmMap:
    return film_map(rec)


def test_it_has_every_rated_film_within_the_picture(rec: Recommender, plane: FilmMap):
    assert set(plane.movie_ids) == set(rec.tables.ratings["movie_id"])
    assert (plane.points >= 0).all()
    assert (plane.points <= [WIDTH, HEIGHT]).all()
    assert plane.svg.count("h0") == len(plane.points)


def test_films_that_resemble_each_other_lie_nearer_than_others(rec: Recommender, plane: FilmMap):
    place = {int(film): point for film, point in zip(plane.movie_ids, plane.points, strict=True)}
    near = [
        np.linalg.norm(place[film] - place[int(other)])
        for film in place
        for other in rec.similar(film, 3, among=plane.movie_ids)["movie_id"]
    ]
    apart = np.linalg.norm(plane.points[:, None] - plane.points[None], axis=2)
    assert np.mean(near) < 0.6 * apart[apart > 0].mean()


def small_best_again(rec: Recommender) -> Recommender:
    parts = (rec.user_vectors, rec.movie_vectors, rec.newcomers, rec.watching)
    return Recommender(rec.tables, rec.features, *parts)


def test_it_is_the_same_each_time(rec: Recommender, plane: FilmMap):
    assert film_map(rec) is plane  # laid out once
    again = film_map(small_best_again(rec))
    assert again.svg == plane.svg
    np.testing.assert_array_equal(again.points, plane.points)


def test_marks_stand_where_the_films_are(plane: FilmMap):
    here, near, own = (int(film) for film in plane.movie_ids[[3, 5, 8]])
    marks = plane.marks(here, [near], [own], {here: "A & B (1990)", near: "Sea, The (1991)"})
    x, y = plane.points[3]
    assert f'<circle cx="{x:.0f}" cy="{y:.0f}" r="11"' in marks
    x, y = plane.points[8]
    assert f'<rect x="{x - 6:.0f}" y="{y - 6:.0f}"' in marks
    assert re.findall(r"<text[^>]*>([^<]*)</text>", marks) == ["A &amp; B", "The Sea"]


def test_titles_do_not_lie_on_each_other(plane: FilmMap):
    films = [int(film) for film in plane.movie_ids[:12]]
    marks = plane.marks(films[0], films[1:], (), dict.fromkeys(films, "A long title"))
    boxes = [
        (float(x), float(y)) for x, y in re.findall(r'<text x="(-?[\d.]+)" y="(-?[\d.]+)"', marks)
    ]
    assert len(boxes) == 12
    for n, (x, y) in enumerate(boxes):
        for other_x, other_y in boxes[:n]:
            assert abs(x - other_x) > 60 or abs(y - other_y) > 14


def test_a_film_that_nobody_rated_is_no_mark_and_no_fault(plane: FilmMap):
    assert plane.marks(10**9, [10**9], [10**9], {10**9: "Nowhere"}) == ""
    assert plane.marks() == ""


def test_a_film_with_its_first_rating_is_on_the_map_from_then_on(small_best: Run):
    rec = load_run(small_best.path).recommender  # its own: it changes
    assert film_map(rec) is film_map(rec)
    new = int(rec.tables.movies["movie_id"].max()) + 1
    rec.add_movies(pd.DataFrame({"movie_id": [new], "title": ["New (2001)"], "genres": ["Drama"]}))
    assert new not in film_map(rec).movie_ids
    user = int(rec.tables.users["user_id"].iloc[0])
    rec.add_ratings(pd.DataFrame({"user_id": [user], "movie_id": [new], "rating": [4.0]}))
    assert new in film_map(rec).movie_ids


def test_the_legend_names_the_colours(rec: Recommender, plane: FilmMap):
    listed = re.findall(r"</i>([^<]+)</li>", unescape(legend(rec, plane)))
    assert listed == [*plane.genres, "other"]
    for colour in re.findall(r"background: ([^\"]+)\"", legend(rec, plane))[:3]:
        assert colour in plane.svg
