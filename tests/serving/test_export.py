"""What `export` writes is read without movierec, and gives the run's numbers and lists."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from documents import examples
from worlds import PROJECT

from movierec.errors import InputError
from movierec.serving import export as exporting
from movierec.serving.export import export

pytestmark = pytest.mark.long

# Only Parquet, TensorFlow and ONNX Runtime: an import of movierec would fail.
ELSEWHERE = """
import json, sys
sys.modules["movierec"] = None
import numpy as np
import onnxruntime
import tensorflow as tf

folder, asked, answered = sys.argv[1:]
calls = np.load(asked)
signatures = tf.saved_model.load(f"{folder}/savedmodel").signatures
results = {}
for name in json.load(open(f"{folder}/export.json"))["functions"]:
    given = {key.split("/")[1]: calls[key] for key in calls if key.split("/")[0] == name}
    found = signatures[name](**{key: tf.constant(value) for key, value in given.items()})
    results |= {f"savedmodel/{name}/{key}": value.numpy() for key, value in found.items()}
    graph = onnxruntime.InferenceSession(f"{folder}/onnx/{name}.onnx")
    found = zip((output.name for output in graph.get_outputs()), graph.run(None, given))
    results |= {f"onnx/{name}/{key}": value for key, value in found}
np.savez(answered, **results)
"""
K = 7


class Elsewhere:
    """A run, its export, and what the exported functions answered in a process of their own."""

    def __init__(self, run, folder: Path) -> None:
        self.run, self.rec, self.out = run, run.recommender, folder / "out"
        self.told = export(run, self.out)
        users = run.features.users.used
        self.seen = [self.rec.seen(user_idx)[0] for user_idx in users]
        exclude = np.zeros((len(users), max(map(len, self.seen))), np.int32)
        for row, films in zip(exclude, self.seen, strict=True):
            row[: len(films)] = films
        new = self.rec.new_user({1: 5, 2: 1, 3: 4})
        also = np.zeros((1, 3), np.int32)
        also[0] = new.rated
        calls = {
            "top_k/user_idx": users,
            "top_k/exclude": exclude,
            "top_k/k": np.int32(K),
            "top_k_for_vector/vector": new.vector[None],
            "top_k_for_vector/profile": new.profile[None],
            "top_k_for_vector/exclude": also,
            "top_k_for_vector/k": np.int32(10_000),
        }
        fields = {key: value[users][:, None] for key, value in run.features.user_fields.items()}
        calls |= {f"user_tower/{key}": value for key, value in fields.items()}
        calls["user_tower/uid"] = users[:, None]
        films = run.features.movies.used
        calls |= {
            f"movie_tower/{key}": value[films] for key, value in run.features.movie_fields.items()
        }
        calls["movie_tower/movie_id"] = films[:, None]
        np.savez(folder / "asked.npz", **calls)
        places = [self.out, folder / "asked.npz", folder / "answered.npz"]
        subprocess.run([sys.executable, "-c", ELSEWHERE, *map(str, places)], check=True, cwd=folder)
        self.new, self.answers = new, dict(np.load(folder / "answered.npz"))

    def answer(self, form: str, function: str) -> dict[str, np.ndarray]:
        start = f"{form}/{function}/"
        return {k.removeprefix(start): v for k, v in self.answers.items() if k.startswith(start)}


@pytest.fixture(scope="module")
def elsewhere(small_run, tmp_path_factory) -> Elsewhere:
    return Elsewhere(small_run, tmp_path_factory.mktemp("export"))


def same_lists(found: np.ndarray, expected: np.ndarray, scores: np.ndarray) -> None:
    """The same films in the same order, but for films whose scores are equal up to rounding.

    Args:
        found, expected: (n, k) film rows.
        scores: (n, films) by which both were ordered.
    """
    row = np.arange(len(scores))[:, None]
    at, wanted = scores[row, found], scores[row, expected]
    assert at == pytest.approx(wanted, rel=1e-5)
    # on this world no two scores are that close: rounding explains a few pairs at most
    assert np.mean(found == expected) > 0.995


@pytest.mark.parametrize("form", ["savedmodel", "onnx"])
def test_lists_are_those_of_the_recommender(elsewhere, form):
    rec, users = elsewhere.rec, elsewhere.run.features.users
    answer = elsewhere.answer(form, "top_k")
    expected = rec.for_users(users.ids[users.used], k=K)
    best, _ = rec.top(users.used, K)
    assert (best >= 0).all()  # so that rows of the frame and of the arrays are the same
    same_lists(answer["movie_idx"], best, rec.scorer.scores(users.used))
    assert np.array_equal(
        answer["movie_id"], elsewhere.run.features.movies.decode(answer["movie_idx"])
    )
    assert answer["score"].ravel() == pytest.approx(expected["score"].to_numpy(), rel=1e-5)
    stars = answer["predicted"].ravel()
    assert stars == pytest.approx(expected["predicted"].to_numpy(), rel=1e-5)
    for row, films in zip(answer["movie_idx"], elsewhere.seen, strict=True):
        assert not set(row) & {0, *films}


def test_the_guides_example_gives_the_recommenders_list(elsewhere, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("elsewhere").symlink_to(elsewhere.out)
    [code] = examples(PROJECT / "docs" / "serving.md", "python")
    names: dict[str, np.ndarray] = {}
    exec(code, names)  # noqa: S102
    assert names["movie_ids"][0].tolist() == elsewhere.rec.for_user(1)["movie_id"].tolist()


@pytest.mark.parametrize("form", ["savedmodel", "onnx"])
def test_somebody_new_gets_all_that_is_left_and_then_nothing(elsewhere, form):
    answer = elsewhere.answer(form, "top_k_for_vector")
    expected = elsewhere.rec.for_user(elsewhere.new, k=10_000)
    left, films = len(expected), elsewhere.run.features.movies
    assert len(films.used) - 3 == left
    assert answer["movie_id"].shape == (1, len(films))  # k is at most the number of rows
    assert (answer["movie_id"][0, left:] == -1).all()
    assert (answer["movie_idx"][0, left:] == 0).all()
    assert np.isneginf(answer["score"][0, left:]).all()
    # the order of scores that are equal up to rounding does not count
    assert answer["score"][0, :left] == pytest.approx(expected["score"].to_numpy(), rel=1e-5)
    assert set(answer["movie_id"][0, :left]) == set(expected["movie_id"])
    at = dict(zip(answer["movie_id"][0], answer["predicted"][0], strict=True))
    stars = [at[movie_id] for movie_id in expected["movie_id"]]
    assert stars == pytest.approx(expected["predicted"].to_numpy(), rel=1e-5)
    assert np.isneginf(answer["predicted"][0, left:]).all()


@pytest.mark.parametrize("form", ["savedmodel", "onnx"])
def test_towers_of_a_network_give_its_vectors(elsewhere, form):
    users, movies = elsewhere.run.features.users.used, elsewhere.run.features.movies.used
    found = elsewhere.answer(form, "user_tower")["vector"]
    assert found == pytest.approx(elsewhere.rec.model.users[users, :-2], abs=1e-5)
    found = elsewhere.answer(form, "movie_tower")["vector"]
    assert found == pytest.approx(elsewhere.rec.model.films[movies, :-2], abs=1e-5)


def test_what_has_no_network_has_no_towers(drawn_run):
    from movierec.serving.graphs import Graphs  # here: it loads TensorFlow

    assert set(Graphs(drawn_run).functions) == {"top_k", "top_k_for_vector"}


def test_vectors_in_parquet_give_the_scores(elsewhere):
    films = pq.read_table(elsewhere.out / "movies.parquet").to_pandas()
    people = pq.read_table(elsewhere.out / "users.parquet").to_pandas()
    table = elsewhere.run.tables.movies
    for column in ("movie_id", "title", "genres"):
        assert films[column].tolist() == table[column].tolist()
    rating = np.stack(people["vector"]) @ np.stack(films["vector"]).T
    watch = np.stack(people["profile"]) @ np.stack(films["watched"]).T
    scores = np.maximum(watch, 1e-6) ** 0.6 / (1 + np.exp(-2.1 * (rating - 3.5))) ** 0.4
    assert "** 0.6 * like ** 0.4" in elsewhere.told["score"]
    assert "-2.1 * (rating - 3.5)" in elsewhere.told["score"]
    expected = elsewhere.rec.scorer.scores(people["user_idx"].to_numpy())
    assert scores == pytest.approx(expected[:, films["movie_idx"]], rel=1e-4, abs=1e-6)
    assert all(map(np.array_equal, people["rated"], elsewhere.seen))


def test_folder_says_how_to_use_it(elsewhere):
    told = json.loads((elsewhere.out / "export.json").read_text())
    assert told == json.loads(json.dumps(elsewhere.told))
    assert told["functions"] == ["top_k", "top_k_for_vector", "user_tower", "movie_tower"]
    assert told["recipe"] == elsewhere.run.config["recipe"]


# --- what may not be written ---------------------------------------------------------------------


def test_parquet_alone_needs_no_tensorflow(drawn_run, tmp_path):
    code = (
        "import sys, pathlib\n"
        "sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "import movierec\n"
        "from movierec.serving.export import export\n"
        f"run = movierec.load_run({str(drawn_run.path)!r})\n"
        f"export(run, pathlib.Path({str(tmp_path / 'out')!r}), ('parquet',))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {"export.json", "movies.parquet", "users.parquet"}


def test_folder_that_holds_something_is_refused_and_kept(drawn_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="not empty; name a new folder with --out"):
        export(drawn_run, tmp_path / "out", ("parquet",))
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "thesis.txt"]


def test_export_that_fails_leaves_nothing(drawn_run, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(exporting, "_write_json", full)
    with pytest.raises(OSError, match="the disk is full"):
        export(drawn_run, tmp_path / "out", ("parquet",))
    assert list(tmp_path.iterdir()) == []


def test_empty_folder_can_be_named_from_within(drawn_run, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    export(drawn_run, Path("."), ("parquet",))
    monkeypatch.chdir(tmp_path)
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {"export.json", "movies.parquet", "users.parquet"}


def test_unknown_format_is_named(drawn_run, tmp_path):
    with pytest.raises(InputError, match="'pickle'; expected some of parquet, savedmodel, onnx"):
        export(drawn_run, tmp_path / "out", ("pickle",))


def test_vectors_too_large_for_onnx_are_refused_before_anything(drawn_run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "LARGEST_ONNX", 1000)
    with pytest.raises(InputError, match="choose --format savedmodel or parquet"):
        export(drawn_run, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_onnx_without_its_packages_says_what_to_install(drawn_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # an import of it fails
    with pytest.raises(InputError, match=r"needs tf2onnx, .*movierec\[export\]"):
        export(drawn_run, tmp_path / "out")
