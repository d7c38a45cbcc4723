"""What must hold for all data, on data that hypothesis invents."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fuzz.readers import zipped
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import drawn_model

from movierec.data.datasets import load_dataset
from movierec.data.features import TITLE_LENGTH, Features, split_genres, title_words
from movierec.data.splits import split, validation_split
from movierec.data.tables import MAX_ID, OCCUPATIONS_1M, Tables, validate_tables
from movierec.evaluation.metrics import list_metrics
from movierec.recommend.recommender import Recommender
from movierec.vectors import Rows, top_lists

# letters of every script, separators and quotes among them, but no control characters
LETTERS = st.characters(exclude_categories=["Cc", "Cs"])
# letters whose bytes in latin-1 are never by chance UTF-8
LATIN_1 = st.characters(min_codepoint=0x20, max_codepoint=0x7E, include_characters="éüñÀ")


@st.composite
def worlds(draw: st.DrawFn, letters: st.SearchStrategy[str], step: float = 0.5) -> Tables:
    """Small whole tables: any ids, titles with or without a year, films with or without a genre."""
    words = st.text(letters, min_size=1, max_size=8)
    ids = st.lists(st.integers(0, MAX_ID), min_size=1, max_size=6, unique=True).map(sorted)
    user_ids, movie_ids = draw(ids), draw(ids)
    titles = [
        " ".join(draw(st.lists(words, min_size=1, max_size=20)))
        + draw(st.sampled_from(["", " (1984)", " (2001)"]))
        for _ in movie_ids
    ]
    genre = words.map(lambda name: name.replace("|", "/").replace(":", ";"))
    pairs = st.tuples(st.sampled_from(user_ids), st.sampled_from(movie_ids))
    rated = draw(st.lists(pairs, min_size=1, max_size=12, unique=True))
    stars = st.integers(math.ceil(0.5 / step), int(5 / step)).map(lambda i: i * step)
    n = len(user_ids)
    return Tables(
        pd.DataFrame(
            {
                "user_id": user_ids,
                "gender": draw(st.lists(st.sampled_from("FM"), min_size=n, max_size=n)),
                "age": draw(st.lists(st.integers(0, 130), min_size=n, max_size=n)),
                "occupation": draw(st.lists(st.integers(0, 20), min_size=n, max_size=n)),
                "zip": draw(st.lists(words, min_size=n, max_size=n)),
            }
        ),
        pd.DataFrame(
            {
                "movie_id": movie_ids,
                "title": [title if title.strip() else f"x{title}" for title in titles],
                "genres": ["|".join(draw(st.lists(genre, max_size=4))) for _ in movie_ids],
            }
        ),
        pd.DataFrame(rated, columns=["user_id", "movie_id"]).assign(
            rating=np.array([draw(stars) for _ in rated], dtype=np.float32),
            timestamp=[draw(st.integers(0, 2**40)) for _ in rated],
        ),
        "mine",
        OCCUPATIONS_1M,
    )


def as_dat(world: Tables) -> dict[str, bytes]:
    """The files of the ML-1M form, in latin-1."""
    files = {"users.dat": world.users, "movies.dat": world.movies, "ratings.dat": world.ratings}
    return {
        name: "\n".join(
            "::".join(f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in row)
            for row in frame.itertuples(index=False)
        ).encode("latin-1")
        for name, frame in files.items()
    }


def as_csv(world: Tables) -> dict[str, bytes]:
    """The files of the CSV form, in UTF-8, quoted where they must be."""
    files = {
        "movies.csv": (world.movies, ["movieId", "title", "genres"]),
        "ratings.csv": (world.ratings, ["userId", "movieId", "rating", "timestamp"]),
    }
    written = {}
    for name, (frame, header) in files.items():
        sink = io.StringIO(newline="")
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(frame.itertuples(index=False))
        written[name] = sink.getvalue().encode()
    return written


def read(files: dict[str, bytes], container: str) -> Tables:
    with tempfile.TemporaryDirectory() as folder:
        if container == "zip":
            Path(folder, "set.zip").write_bytes(zipped(files))
            return load_dataset("mine", Path(folder, "set.zip"))
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        return load_dataset("mine", folder)


def assert_same(found: Tables, expected: Tables, *tables: str) -> None:
    for table in tables:
        frame = getattr(found, table).drop(columns="year", errors="ignore")
        pd.testing.assert_frame_equal(frame, getattr(expected, table))


@given(worlds(LATIN_1, step=1.0), st.sampled_from(["folder", "zip"]))
@settings(max_examples=25, deadline=None)
def test_ml1m_files_come_back_as_they_were_written(world, container):
    assert_same(read(as_dat(world), container), world, "users", "movies", "ratings")


@given(
    worlds(LETTERS),
    st.sampled_from(["folder", "zip"]),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n"]),
)
@settings(max_examples=25, deadline=None)
def test_csv_files_come_back_as_they_were_written(world, container, mark, line_end):
    files = {
        name: b"\xef\xbb\xbf" * mark + content.replace(b"\n", line_end)
        for name, content in as_csv(world).items()
    }
    found = read(files, container)
    assert_same(found, world, "movies", "ratings")
    years = world.movies["title"].str.extract(r"\(([0-9]{4})\)\s*$", expand=False)
    assert found.movies["year"].fillna(-1).tolist() == years.fillna("-1").astype(int).tolist()


@given(worlds(LETTERS))
@settings(max_examples=25, deadline=None)
def test_vocabularies_lead_back_to_every_word_genre_and_id(world):
    world = validate_tables(world)
    features = Features.fit(world)
    for kind in ("users", "movies"):
        ids = getattr(world, kind)[f"{kind[:-1]}_id"].to_numpy()
        vocabulary = getattr(features, kind)
        assert np.array_equal(vocabulary.decode(vocabulary.encode(ids)), ids)
    rows = features.movies.encode(world.movies["movie_id"])
    for row, title, genres in zip(rows, world.movies["title"], world.movies["genres"], strict=True):
        words = features.movie_fields["title"][row]
        kinds = features.movie_fields["genres"][row]
        assert [features.words[i] for i in words if i] == title_words(title)[:TITLE_LENGTH]
        assert [features.genres[i] for i in kinds if i] == split_genres(genres)


@given(
    st.lists(st.integers(0, 20), min_size=2, max_size=60),
    st.sampled_from(["random", "temporal", "origin"]),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
)
@settings(max_examples=100, deadline=None)
def test_parts_share_no_row_and_the_test_is_never_older(timestamps, holdout, fraction, seed):
    ratings = pd.DataFrame({"timestamp": np.array(timestamps)})
    expected = int(fraction * len(ratings))
    if holdout == "origin":
        expected = math.ceil(0.2 * len(ratings))
    if not 0 < expected < len(ratings):
        return
    given_rows, test = split(ratings, holdout, fraction, seed)
    train, validation = validation_split(given_rows, fraction, seed)
    assert sorted([*train, *validation, *test]) == list(range(len(ratings)))
    assert len(test) == expected
    assert len(validation) == int(fraction * len(given_rows))
    if holdout == "temporal":
        time = np.array(timestamps)
        assert time[given_rows].max() <= time[test].min()


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(1, 12), st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_ranking_agrees_with_a_plain_second_reckoning(seed, users, films, k):
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(films, dtype=np.float32), (users, 1)), axis=1)
    candidates = rng.random(films) < 0.8
    kind = rng.choice(["seen", "liked", "neither"], (users, films), p=[0.3, 0.3, 0.4])
    kind[(kind == "liked") & ~candidates] = "neither"
    seen, liked = ([a.astype(np.int32) for a in np.nonzero(kind == w)] for w in ("seen", "liked"))
    if not len(liked[0]):
        return
    asked = np.unique(liked[0])
    left_out = lambda user: seen[1][seen[0] == user]  # noqa: E731
    lists, _ = top_lists(lambda block: scores[block], asked, candidates, left_out, k)
    held_out = Rows(*liked, np.full(len(liked[0]), 4, np.float32))
    found = list_metrics(lists, asked, held_out)
    gains, recalls = [], []
    for row, user in enumerate(asked):
        offered = [f for f in range(films) if candidates[f] and kind[user, f] != "seen"]
        films_shown = sorted(offered, key=lambda f: -scores[user, f])[:k]
        wanted = {f for f in range(films) if kind[user, f] == "liked"}
        assert [f for f in lists[row].tolist() if f >= 0] == films_shown
        hits = [f in wanted for f in films_shown]
        gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
        most = min(k, len(wanted))
        gains.append(gain / sum(1 / math.log2(place + 2) for place in range(most)))
        recalls.append(sum(hits) / most)
    assert found[f"ndcg@{k}"].tolist() == pytest.approx(gains)
    assert found[f"recall@{k}"].tolist() == pytest.approx(recalls)


@given(
    worlds(LETTERS),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.3, 5.0]),
    st.integers(0, 3),
    st.sampled_from([1.0, 1e-30, 1e15]),
)
@settings(max_examples=25, deadline=None)
def test_recommended_films_are_new_known_and_in_order(world, k, temperature, seed, scale):
    world = validate_tables(world)
    features = Features.fit(world)
    model = drawn_model(features, seed)
    films = model.films.copy()
    films[:, :-2] *= np.float32(scale)
    recommender = Recommender(world, features, model._replace(films=films))
    user_id, movie_id = (int(world.ratings[c].iloc[0]) for c in ("user_id", "movie_id"))
    mine = world.ratings["user_id"] == user_id
    seen = set(world.ratings.loc[mine, "movie_id"].tolist())
    catalogue = set(world.movies["movie_id"].tolist())
    choice = {"temperature": temperature, "seed": seed}
    for films, left in (
        (recommender.for_user(user_id, k, **choice), catalogue - seen),
        (recommender.similar(movie_id, k, **choice), catalogue - {movie_id}),
        (recommender.also_liked(movie_id, k, **choice), catalogue - {movie_id}),
    ):
        ids = films["movie_id"].tolist()
        assert len(ids) == len(set(ids)) == min(k, len(left))
        assert set(ids) <= left
        assert np.isfinite(films["score"]).all()
        if "predicted" in films:
            assert films["predicted"].between(recommender.lowest, recommender.highest).all()
        assert films["score"].is_monotonic_decreasing
