"""How good a run is on its held-out rows, beside what else could be used.

Every method goes the same way: predicted stars and a list of k films for each user, from them a
value of each metric for each user (`Measured`), from these the means, their intervals, and paired
differences of two methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.errors import InputError
from movierec.evaluation import metrics
from movierec.evaluation.metrics import K
from movierec.registry import offer, offered
from movierec.vectors import LIKED, Indices, Rows, top_lists

if TYPE_CHECKING:
    from movierec.runs import Run

BY_STARS = ", by stars alone"  # behind a run's name: its films in the order of predicted stars


class Baseline(NamedTuple):
    """A fitted method: stars, or what films are ordered by, or both; None where it has none."""

    # user and movie rows, (n,) each, to stars, (n,), not clipped
    predict: Callable[[Indices, Indices], npt.NDArray[np.floating]] | None = None
    # user rows, (n,), to what films are ordered by, (n, movie rows)
    scores: Callable[[Indices], npt.NDArray[np.float32]] | None = None


Fit = Callable[[Rows, int, int], Baseline]  # from training rows, user rows and movie rows


@dataclass(frozen=True)
class Measured:
    """What one method did on held-out rows.

    Attributes:
        predicted: (rows,) predicted stars, within the stars of the data, if the method has any.
        users: (listed,) rows of the users with a held-out like, ascending.
        lists: int64 (listed, k) rows of the films shown to them, best first, -1 where there were
            fewer; None where the method has no order of films.
        by_user: a row a user with held-out rows, by `user_idx`: `rows`, sums over them of
            `squared_error` (stars²) and `absolute_error` (stars), then the columns of
            `list_metrics` and `list_traits`, missing for users who are shown no list.
        films: films of the catalogue.
    """

    predicted: npt.NDArray[np.floating] | None
    users: npt.NDArray[np.int32]
    lists: npt.NDArray[np.int64] | None
    by_user: pd.DataFrame
    films: int

    def summary(self, seed: int = 0) -> dict[str, Any]:
        """The metrics of all users together; `seed` is that of the intervals.

        Returns:
            `mse`, `rmse`, `mae` where there are predictions; where there are lists, `ranking` with
            the means of the columns of `list_metrics` and `list_traits`, `shown@k` (how many
            different films the lists hold), `coverage@k` (their share of the catalogue) and
            `users` (how many lists); `intervals` of all but the last three, [low, high] by name.
            What no user has is left out, such as the diversity of lists of one film.
        """
        frame = metrics.intervals(self.by_user, seed).dropna()
        value = frame["value"].to_dict()
        result: dict[str, Any] = {k: value.pop(k) for k in ("mse", "rmse", "mae") if k in value}
        if self.lists is not None:
            k, shown = self.lists.shape[1], len(np.unique(self.lists[self.lists >= 0]))
            counts = {f"shown@{k}": shown, f"coverage@{k}": shown / self.films}
            result["ranking"] = value | counts | {"users": len(self.users)}
        return result | {"intervals": frame[["low", "high"]].T.to_dict("list")}


def known_and_held_out(run: Run, part: str = "test") -> tuple[Rows, Rows]:
    """The rows that a method may learn from, and those of `part` that it is measured on.

    The first are all rows outside `part` and the test; for "train", which says nothing of new rows,
    they are the same. A run without rows of the part is an `InputError`.
    """
    held_out = run.rows(part)
    if not len(held_out.rating):
        raise InputError(
            f"{run.path} has no {part} rows, so it held no rows out to be evaluated on; train it "
            "with --holdout random, or ask `movierec predict` for rows of your own"
        )
    return run.rows(*({"train", "validation"} - {part} if part != "train" else {part})), held_out


def measure(
    runs: Sequence[Run], part: str = "test", k: int = K, baselines: Mapping[str, Fit] | None = None
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Put runs and baselines to the same held-out rows.

    Baselines are fitted on the rows that the runs were given. Lists are made for the users with a
    held-out like, from the films that they did not rate in training.

    Args:
        runs: one, or several that share their data and their held-out rows.
        part: "test"; "validation", which flatters a run, since it has chosen the best state; or
            "train". The last two get no lists: what is watched was learned from both.
        k: length of a list.
        baselines: to be fitted and measured beside the runs, by name; None: those that rooms offer.

    Returns:
        What was measured by method: runs by recipe, or where two have the same by folder, each
        followed by the lists that its stars alone would give (the name and `BY_STARS`), then the
        baselines; and the baselines left out, with the reason.

    Raises:
        InputError: no rows of this part, runs that cannot be compared, k below 1.
    """
    if k != int(k) or k < 1:
        raise InputError(f"got k = {k}; expected a whole number of films, 1 or more")
    train, _ = known_and_held_out(runs[0], part)
    for other in runs[1:]:
        _check_comparable(runs[0], other, part)
    methods, left_out, sizes = {}, {}, runs[0].features.sizes
    for name, run in zip(_names(runs), runs, strict=True):
        scorer = run.recommender.scorer
        methods[name] = Baseline(scorer.stars, scorer.scores)
        methods[name + BY_STARS] = Baseline(scores=partial(scorer.scores, liking=1.0))
    if baselines is None:
        rooms = offered("baselines")
        baselines = {each: fit for room in rooms for each, fit in offer("baselines", room).items()}
    for name, fit in baselines.items():
        try:
            methods[name] = fit(train, sizes.users, sizes.movies)
        except InputError as error:  # it refuses this data
            left_out[name] = str(error)
    return measure_methods(runs[0], methods, part, k), left_out


def measure_methods(
    run: Run, methods: Mapping[str, Baseline], part: str = "test", k: int = K
) -> dict[str, Measured]:
    """Put any methods, fitted on `known_and_held_out(run, part)[0]`, to a run's held-out rows.

    Returns:
        What was measured by method, without those that have nothing to show on these rows.
    """
    train, held_out = known_and_held_out(run, part)
    rec, genres = run.recommender, run.features.movie_fields["genres"]
    listed = np.unique(held_out.user_idx[held_out.rating >= LIKED])
    with_lists = len(listed) > 0 and part == "test"
    if with_lists:
        _ = rec.ratings  # all at once, since one by one they would take longer
    index, count = np.unique(held_out.user_idx, return_counts=True)
    rows = pd.DataFrame({"rows": count}, pd.Index(index, name="user_idx"))

    def measured(method: Baseline) -> Measured:
        by_user, predicted, lists = rows.copy(), None, None
        if method.predict is not None:
            stars = method.predict(held_out.user_idx, held_out.movie_idx)
            predicted = rec.scorer.clipped(stars)
            error = pd.Series(predicted.astype(np.float64) - held_out.rating)
            by_user["squared_error"] = (error**2).groupby(held_out.user_idx).sum()
            by_user["absolute_error"] = error.abs().groupby(held_out.user_idx).sum()
        if method.scores is not None and with_lists:
            seen = partial(rec.seen, learned_only=True)
            lists, _ = top_lists(method.scores, listed, rec.is_film, lambda who: seen(who)[0], k)
            by_user = by_user.join(metrics.list_metrics(lists, listed, held_out))
            by_user = by_user.join(metrics.list_traits(lists, listed, train, genres))
        return Measured(predicted, listed, lists, by_user, int(rec.is_film.sum()))

    # what is only known by its lists has nothing to show where there are none
    return {n: measured(m) for n, m in methods.items() if m.predict is not None or with_lists}


def evaluate(run: Run, part: str = "test", k: int = K, seed: int = 0) -> dict[str, Any]:
    """Measure a run on its held-out rows, with baselines fitted on the rows that it was given.

    `part`, `k` and what is raised are as in `measure`; `seed` is that of the intervals.

    Returns:
        `mse`, `rmse`, `mae`, `ranking` (absent where no held-out film was liked) and `intervals`,
        see `Measured.summary`; `by_stars`, the same of the lists that the stars alone would give,
        which shows what each half is worth; `certainty`, see `metrics.certainty_metrics` (absent
        where there are fewer than four rows); `baselines` by name, each with the same as far as it
        has them; `left_out`, baselines that could not be fitted, with the reason; `rows_trained`,
        `rows_tested`; `seconds` of the training, and of its other steps.
    """
    compared = compare([run], part, k, seed)
    [own] = compared.pop("runs")
    del own["run"], own["method"]
    return own | compared


def compare(runs: Sequence[Run], part: str = "test", k: int = K, seed: int = 0) -> dict[str, Any]:
    """Measure several runs on the same held-out rows, beside the baselines.

    Arguments and errors are those of `evaluate`.

    Returns:
        `runs`, a list with what `evaluate` says of each run, its folder as `run`, its name as
        `method` and, from the second one on, its `difference` to the first, see
        `metrics.difference`; `baselines` and `left_out` as in `evaluate`.
    """
    measured, left_out = measure(runs, part, k)
    first, *_ = names = _names(runs)
    summaries = {name: found.summary(seed) for name, found in measured.items()}
    results: list[dict[str, Any]] = []
    for name, run in zip(names, runs, strict=True):
        result = {"run": str(run.path), "method": name, **summaries.pop(name)}
        if stars_alone := summaries.pop(name + BY_STARS, None):
            result["by_stars"] = stars_alone
        rows, scorer = run.rows(part), run.recommender.scorer
        if len(rows.rating) >= 4:
            stars, term = scorer.stars(*rows[:2]), scorer.model.certainty.users[rows.user_idx]
            std = scorer.std(stars, rows.movie_idx, term)
            sure = stars, std, scorer.chance(stars, std)
            result["certainty"] = metrics.certainty_metrics(rows.rating, *sure)
        if name != first:
            gap = metrics.difference(measured[name].by_user, measured[first].by_user, seed)
            result["difference"] = gap.dropna().to_dict("index")
        result |= {"rows_trained": run.info["rows"]["train"], "rows_tested": len(rows.rating)}
        result |= {f"{step}_seconds": t for step, t in run.seconds.items() if step != "train"}
        results.append(result | {"seconds": run.seconds["train"]})
    return {"runs": results, "baselines": summaries, "left_out": left_out}


def comparison_table(summaries: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Methods side by side, from each one's `Measured.summary`.

    Returns:
        A row a method: `method`, the metrics that any of them has, and after the RMSE and the NDCG
        their interval as a text, such as `rmse 95 %`.
    """
    rows: list[dict[str, Any]] = []
    for name, summary in summaries.items():
        rows.append({"method": name})
        for metric, value in {**summary, **summary.get("ranking", {})}.items():
            if isinstance(value, int | float):
                rows[-1][metric] = value
            if metric == "rmse" or metric.startswith("ndcg"):
                rows[-1][f"{metric} 95 %"] = "{:.3f}–{:.3f}".format(*summary["intervals"][metric])
    return pd.DataFrame(rows)


def _names(runs: Sequence[Run]) -> list[str]:
    """What to call runs: the shortest that tells them apart."""
    called = [
        (run.config["recipe"], run.path.resolve().name, str(run.path), f"{run.path} ({number})")
        for number, run in enumerate(runs, 1)
    ]
    return next(list(names) for names in zip(*called, strict=True) if len({*names}) == len(runs))


def _check_comparable(first: Run, other: Run, part: str) -> None:
    ids = ((run.features.movies.ids, run.features.users.ids) for run in (first, other))
    if all(map(np.array_equal, *ids)):
        rows = (known_and_held_out(run, part) for run in (first, other))
        if all(all(map(np.array_equal, a, b)) for a, b in zip(*rows, strict=True)):
            return
    raise InputError(
        f"{first.path} and {other.path} have different data or different {part} rows; expected "
        "runs of the same data and the same --holdout, which alone can be compared"
    )
