"""Which films somebody is asked about, and how well they are known then."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from movierec.explorer.asking import Asking, asking, interview, known_chance
from movierec.models.newcomers import SIZES, Newcomers, left_to_learn, new_user
from movierec.recommend.recommender import Recommender
from movierec.runs import Run

ASKS = 8
POPULAR, OTHERS = 12, 48  # films: the popular ones all say the same of a person
TASTES = 4
NONE = np.zeros(0, np.int32)


@pytest.fixture
def rec(small_best: Run) -> Recommender:
    return small_best.recommender


@pytest.fixture(scope="module")
def gaussian() -> tuple[Asking, npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """A world in which the model of new users is true, and popular films say little.

    Returns:
        What is asked in it, and of 200 further people the films that they know and their tastes.
    """
    rng = np.random.default_rng(4)
    films = POPULAR + OTHERS
    vectors = np.zeros((films + 1, TASTES + 3))
    vectors[1 : POPULAR + 1, 0] = 0.9
    vectors[POPULAR + 1 :, :TASTES] = rng.normal(0, 0.6, (OTHERS, TASTES))
    vectors[1:, TASTES] = 1  # times 3 stars
    chance = np.repeat([0.9, 0.6], [POPULAR, OTHERS])

    def people(n: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        tastes = np.column_stack([rng.normal(0, 0.7, (n, TASTES)), np.full(n, 3.0)])
        return rng.random((n, films)) < chance, tastes

    knows, _ = people(300)
    covariance = np.diag([0.49] * TASTES + [0]).astype(np.float32)
    newcomers = Newcomers(
        center=np.array([0] * TASTES + [3], np.float32),
        history=np.zeros((films + 1, TASTES + 1), np.float32),
        tower=np.zeros((2, TASTES + 1), np.float32),
        covariance=np.tile(covariance, (len(SIZES), 1, 1)),
        noise=np.array([0.09], np.float32),
        mean=np.array([3], np.float32),
        movie_center=np.zeros(TASTES + 1, np.float32),
        movie_tower=np.zeros((1, TASTES + 1), np.float32),
    )
    known = sparse.csr_array(np.pad(knows, ((0, 0), (1, 0))).astype(float))
    is_film = np.arange(films + 1) > 0
    return Asking(newcomers, vectors.astype(np.float32), is_film, known), *people(200)


def answered(world: Asking, rated: list[int], stars: list[float]) -> npt.NDArray[np.floating]:
    rows, given = np.array(rated, np.int32), np.array(stars, np.float32)
    return new_user(world.newcomers, world.films, np.zeros(0, np.float32), rows, given).vector[:-2]


def error_after(
    gaussian: tuple[Asking, npt.NDArray[np.bool_], npt.NDArray[np.float64]], order: str
) -> float:
    """How far the vectors of people are from the truth once they answered, in stars (RMSE)."""
    world, knows, tastes = gaussian
    popular = np.argsort(-world.known.sum(axis=0)[1:], kind="stable") + 1
    squares = []
    for person, (known, taste) in enumerate(zip(knows, tastes, strict=True)):
        rng = np.random.default_rng(person)
        shuffled = rng.permutation(len(known)) + 1
        rated: list[int] = []
        stars: list[float] = []
        unknown: list[int] = []
        for ask in range(ASKS):
            film = {"popular": popular[ask], "random": shuffled[ask]}.get(order)
            if film is None:
                film = interview(world, np.array(rated, np.int32), unknown).ask[0]
            if known[film - 1]:
                rated.append(int(film))
                stars.append(float(world.films[film, :-2] @ taste + rng.normal(0, 0.3)))
            else:
                unknown.append(int(film))
        guess = answered(world, rated, stars)
        squares.append((world.films[1:, :-2] @ (guess - taste)) ** 2)
    return float(np.sqrt(np.mean(squares)))


def test_answers_teach_more_than_answers_about_popular_or_random_films(gaussian):
    asked = error_after(gaussian, "asked")
    assert asked < 0.8 * error_after(gaussian, "popular")
    assert asked < 0.8 * error_after(gaussian, "random")


def test_people_mostly_know_what_they_are_asked_about(gaussian):
    """Of two films that say the same, the better known one is asked about."""
    world, *_ = gaussian
    first = int(interview(world, NONE).ask[0])
    double = world.films.copy()
    rare = int(np.argmin(world.known.sum(axis=0)[1:])) + 1
    double[rare] = double[first]
    asked = interview(world._replace(films=double), NONE, k=10).ask.tolist()
    assert first in asked
    assert rare not in asked[: asked.index(first) + 1]


def test_what_is_left_to_learn_holds_as_many_people_as_it_says(gaussian):
    """Four of five tastes lie within 1.28 deviations of what is predicted after a few answers."""
    world, _, tastes = gaussian
    rated = [1, 20, 30]
    left = left_to_learn(world.newcomers, world.films, np.array(rated, np.int32))
    others = np.arange(2, len(world.films))
    films = world.films[others, : len(left)]
    std = np.sqrt(np.einsum("nd,nd->n", films @ left, films))
    rng = np.random.default_rng(0)
    within = []
    for taste in tastes:
        stars = [float(world.films[film, :-2] @ taste + rng.normal(0, 0.3)) for film in rated]
        off = world.films[others, :-2] @ (answered(world, rated, stars) - taste)
        within.append(np.abs(off) < 1.2816 * std)
    assert np.mean(within) == pytest.approx(0.8, abs=0.03)


def test_what_is_known_grows_by_what_each_answer_adds(gaussian):
    world, *_ = gaussian
    rated: list[int] = []
    for _ in range(6):
        stands = interview(world, np.array(rated, np.int32), k=1)
        rated.append(int(stands.ask[0]))
        after = interview(world, np.array(rated, np.int32)).known
        # the chances of meeting films move a little with each answer
        assert after - stands.known == pytest.approx(stands.adds[0], rel=0.2)
    assert 0.7 < after <= 1
    assert interview(world, NONE).known == 0


def test_nothing_is_asked_that_was_answered_or_is_shown(rec: Recommender):
    world = asking(rec)
    first = interview(world, NONE, k=4).ask
    more = interview(world, first[:1], first[1:2], 4, shown=first[2:]).ask
    assert len(set(more)) == 4
    assert not set(more) & set(first)
    assert world.is_film[more].all()


def test_questions_end_with_the_films(rec: Recommender):
    world, films = asking(rec), rec.features.movies.used
    assert set(interview(world, films[:-3], k=6).ask) == set(films[-3:])
    assert interview(world, films, k=6).ask.size == 0


def test_what_is_not_known_lowers_the_chance_of_what_goes_with_it(rec: Recommender):
    world, film = asking(rec), int(np.argmax(rec.rated_counts))
    share = rec.rated_counts / len(rec.features.users.used)
    np.testing.assert_allclose(known_chance(world, NONE, NONE), share, atol=1e-12)
    known = known_chance(world, np.array([film]), NONE)
    unknown = known_chance(world, NONE, np.array([film]))
    assert unknown[film] < share[film] < known[film]
    # somebody who knows no film that is often rated knows fewer films than others
    often = np.argsort(-rec.rated_counts)[:10]
    assert known_chance(world, NONE, often).sum() < share.sum()
