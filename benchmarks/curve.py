"""Error against seconds: pass by pass, in a process of its own, and the picture of all.

`python -m benchmarks.curve NAME PATH` prints one JSON object: `points`, each the seconds since the
process began and the RMSE on the test rows of ninety-ten. They are shown as validation rows, on
which `best` chooses nothing; films that nobody rates in training, a few, are left out there. With a
third argument, ROWS.npz, it writes the rows for the peers instead; with a recipe's name, the points
are those of its epochs on validation rows.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import json  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Mapping, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.measure import Row, run_python  # noqa: E402
from movierec.data.attributes import movie_attributes, user_attributes  # noqa: E402
from movierec.data.datasets import load_dataset  # noqa: E402
from movierec.data.features import Features  # noqa: E402
from movierec.data.splits import split  # noqa: E402
from movierec.evaluation.metrics import rating_metrics  # noqa: E402
from movierec.models.best import BEST, Ratings, fit_ratings  # noqa: E402
from movierec.runs import encode_rows  # noqa: E402
from movierec.training import train  # noqa: E402
from movierec.vectors import Rows, pair_scores  # noqa: E402

Points = list[tuple[float, float]]
OURS = ("classic", "fast", "distilled", "best")
ELSEWHERE = ("LensKit ALS", "myFM")  # need an environment of their own


def ninety_ten(data: str, path: str) -> tuple[Features, Rows, Rows]:
    """The encodings, and the training and test rows."""
    tables = load_dataset(data, path or None)
    features = Features.fit(tables)
    rows = encode_rows(tables, features)
    train, test = (rows.take(part) for part in split(tables.ratings))
    return features, train, test


def write_rows(data: str, path: str, out: Path) -> None:
    """What the peers learn from, in a form that needs no movierec to be read."""
    features, train, test = ninety_ten(data, path)
    arrays = {"user": train.user_idx, "movie": train.movie_idx, "rating": train.rating}
    asked = {"user": test.user_idx, "movie": test.movie_idx, "rating": test.rating}
    known = {"user_known": user_attributes(features), "movie_known": movie_attributes(features)}
    held: dict[str, Any] = arrays | {f"test_{key}": array for key, array in asked.items()} | known
    np.savez(out, **held)


def best(data: str, path: str) -> Points:
    """After each pass of the first member, and with one, two and three members averaged."""
    features, train, test = ninety_ten(data, path)
    points: Points = []
    ends: list[float] = []

    def passed(record: Mapping[str, float]) -> None:
        points.append((time.perf_counter() - STARTED, record["val_loss"] ** 0.5))

    def member_ended(done: int, *_: float) -> None:
        if done % BEST.passes == 0:
            ends.append(time.perf_counter() - STARTED)

    fitted = fit_ratings(features, train, test, BEST, 0, on_epoch=passed, on_pass=member_ended)
    for count, end in enumerate(ends[1:], start=2):
        users, movies = Ratings(fitted.members[:count], *fitted[1:]).vectors(features)
        stars = pair_scores(users, movies, test.user_idx, test.movie_idx)
        told = ~np.isnan(stars)
        stars = np.clip(stars[told], train.rating.min(), train.rating.max())
        points.append((end, rating_metrics(test.rating[told], stars)["rmse"]))
    return points


def learning(data: str, path: str, recipe: str) -> Points:
    """After each epoch, or pass of the first member, on a twentieth of the training rows."""
    with tempfile.TemporaryDirectory() as folder:
        run = train(
            load_dataset(data, path or None),
            recipe,
            run_dir=Path(folder, "run"),
            validation_fraction=0.05,
        )
        history = run.history  # read while it is there
    return list(zip(history["seconds"], history["val_loss"] ** 0.5, strict=True))


def measured(
    data: str,
    path: str,
    methods: Sequence[str],
    draws: int,
    peers: Path,
    whole: Callable[[str], Row],
) -> dict[str, list[Row]]:
    """Of each method a row a point: seconds, RMSE, and the peak memory of its process.

    Args:
        data, path: of the ratings.
        methods: names of recipes and of `curve_peers.METHODS`.
        draws: of myFM.
        peers: the interpreter of those that need an environment of their own.
        whole: measures a whole training by a recipe.
    """
    rows: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "rows.npz")
        # in a process of its own: what this one holds would count as its children's peak
        run_python("-m", "benchmarks.curve", data, path, given)
        alone = Path(__file__).with_name("curve_peers.py")
        for method in methods:
            if method in OURS:
                row = whole(method)
                found: dict[str, Any] = {"points": [(row["whole"], row["rmse"])], **row}
                if method == "best":  # the way there, of the factors alone; then the whole run
                    passes = run_python("-m", "benchmarks.curve", data, path)["points"]
                    found["points"] = passes + found["points"]
            else:
                python = str(peers) if method in ELSEWHERE else sys.executable
                found = run_python(alone, method, given, str(draws), python=python)
            rows[method] = [
                {"seconds": seconds, "rmse": rmse, "peak": found["peak"]}
                for seconds, rmse in found["points"]
            ]
    return rows


def numbered(rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """A method for each of its points, as `report` takes them."""
    return {
        f"{method} {number}" if len(points) > 1 else method: [point]
        for method, points in rows.items()
        for number, point in enumerate(points, start=1)
    }


def draw(
    rows: Mapping[str, Sequence[Row]],
    title: str,
    out: Path,
    seconds_of: str = "seconds since the process began",
) -> None:
    """Seconds, in powers of ten, against RMSE; a method of one point is a mark."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, points in rows.items():
        line: dict[str, Any] = {"linewidth": 2.5, "zorder": 3} if name in OURS else {"alpha": 0.8}
        seconds, errors = ([point[key] for point in points] for key in ("seconds", "rmse"))
        axes.plot(seconds, errors, marker="o", markersize=4, label=name, **line)
    axes.set(xscale="log", xlabel=seconds_of, ylabel="RMSE", title=title)
    # the first passes are far above everything else
    ends = [points[-1]["rmse"] for points in rows.values()]
    axes.set_ylim(min(ends) - 0.005, max(ends) + 0.02)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)
    figure.savefig(out, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    if sys.argv[-1].endswith(".npz"):
        write_rows(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    else:
        points = learning(*sys.argv[1:]) if len(sys.argv) > 3 else best(*sys.argv[1:])
        print(json.dumps({"points": points}))
