"""The commands from data to a trained and measured run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from movierec.cli import STARTED, options
from movierec.cli.printing import interruptible, print_facts, print_json, print_table
from movierec.errors import printable
from movierec.registry import offered

HOLDOUTS = ("random", "origin", "temporal", "last", "none")  # of splits, which loads pandas
FOLDS = ("u1", "u2", "u3", "u4", "u5")  # of grouplens


@click.command("data")
@click.argument("name")
@options.from_option
@options.json_option
def data_command(name: str, path: Path | None, as_json: bool) -> None:
    """Fetch and check a data set, and say what it holds.

    With --from PATH it may be your own tables. Without --from, it is looked for in data/ and
    otherwise downloaded to it. `sample` is made by simulation, and needs no file.
    """
    from movierec.data.datasets import find_archive, load_dataset

    tables = load_dataset(name, path)
    place = path or find_archive(name)
    stars = tables.ratings["rating"]
    facts = {
        "name": tables.name,
        "path": str(place) if place else None,
        "users": len(tables.users),
        "movies": len(tables.movies),
        "movies_rated": int(tables.ratings["movie_id"].nunique()),
        "ratings": len(stars),
        "mean_rating": round(float(stars.mean()), 4),
        "lowest_rating": float(stars.min()),
        "highest_rating": float(stars.max()),
        "demographics": tables.has_demographics,
    }
    print_facts(facts, as_json)


@click.command("train")
@options.data_option
@options.from_option
@click.option("--recipe", type=click.Choice(offered("recipes")), default="best")
@options.path_option("--run run_dir", "DIR", "Replaced if there; reports/NAME-RECIPE if not given.")
@click.option("--epochs", type=int, help="Passes over the training rows.")
@click.option("--batch-size", type=int, help="Ratings a step.")
@click.option("--learning-rate", type=float, help="Adam's step size.")
@click.option("--seed", default=0, help="Of everything random in the training.")
@click.option(
    "--holdout",
    type=click.Choice([*HOLDOUTS, *FOLDS]),
    default="random",
    help="Which rows are held out for the test: random; origin, the source notebook's fifth; "
    "temporal, the latest; last, each user's latest; none; or u1 to u5, ML-100K's official folds.",
)
@click.option("--holdout-fraction", default=0.1, help="Part held out, if random or temporal.")
@click.option("--holdout-seed", default=0, help="Of the random holdout.")
@click.option("--patience", type=int, help="Epochs without a better validation loss to stop after.")
@options.path_option("--tensorboard", "DIR", "For TensorBoard logs, a folder in it for each run.")
@options.path_option("--start-from", "DIR", "An earlier run, at whose network to start.")
@click.option("--resume", is_flag=True, help="Continue an interrupted training of these settings.")
@options.workers_option
@options.scheduler_option
@options.json_option
def train_command(
    data: str, path: Path | None, run_dir: Path | None, as_json: bool, **settings: Any
) -> None:
    """Train by a recipe and write the run folder.

    With --holdout none all rows are trained on, less the validation part that chooses the best
    state. While it trains, DIR.partial holds a checkpoint: after an interrupt of any kind, the same
    command with --resume ends with the numbers of a training that was never interrupted.
    --workers and --scheduler spread recipe best over processes, and need the extra `batch`. With
    TF_CONFIG in the environment, several workers train a network together; see
    movierec/network/workers.py.
    """
    # before NumPy is loaded: a training has threads of its own, and those of BLAS would fight them
    os.environ |= dict.fromkeys(options.BLAS_THREADS, "1")
    from movierec.cluster import check_workers
    from movierec.data.datasets import load_dataset
    from movierec.grouplens import official_fold
    from movierec.models.recipe import resolve_recipe
    from movierec.training import train

    own = "tensorboard", "epochs", "batch_size", "learning_rate", "patience", "resume", "start_from"
    cluster = settings["workers"], settings["scheduler"]
    recipe = resolve_recipe(  # before anything that takes time
        settings["recipe"], cluster=cluster != (1, None), **{k: settings[k] for k in own}
    )
    check_workers(*cluster)

    loading = time.perf_counter()
    tables = load_dataset(data, path)
    if settings["holdout"] in FOLDS:
        settings["holdout"] = official_fold(tables, path, settings["holdout"])
    loaded = time.perf_counter()
    how = "continue with the same command and --resume"
    with interruptible(how if "resume" in recipe.supports else "nothing was changed"):
        finished = train(tables, run_dir=run_dir, **settings)
    took = dict(finished.seconds)
    seconds = {"seconds": took.pop("train"), "start_seconds": loading - STARTED}
    seconds |= {"load_seconds": loaded - loading} | {f"{k}_seconds": took[k] for k in took}
    rows, nothing = finished.info["rows"], {"mse": None, "rmse": None, "mae": None}
    facts = {
        "run": str(finished.path),
        **(finished.metrics["test"] or nothing),
        "validation_mse": (finished.metrics["validation"] or nothing)["mse"],
        "best_epoch": finished.best_epoch,
        **{name: round(value, 3) for name, value in seconds.items()},
        "rows_trained": rows["train"],
        "rows_validated": rows["validation"],
        "rows_tested": rows["test"],
    }
    print_facts(facts, as_json)


@click.command("evaluate")
@options.path_option("--run", "DIR", f"{options.RUN_TEXT} Several are compared.", multiple=True)
@options.k_option
@options.json_option
def evaluate_command(run: tuple[Path, ...], k: int, as_json: bool) -> None:
    """Measure runs on their held-out rows, beside other methods.

    Several runs must share their data and their held-out rows; each is compared with the first.
    Intervals hold the true value in 95 of 100 cases; they come from drawing users.
    """
    from movierec.evaluation.evaluate import BY_STARS, compare, comparison_table

    opened = [options.open_run(path) for path in run or [None]]
    result = compare(opened, k=k)
    if as_json:
        print_json(result if len(opened) > 1 else result.pop("runs")[0] | result)
        return
    runs = {found["method"]: found for found in result["runs"]}
    first, *others = runs
    import pandas as pd

    measured = {}
    for name, found in runs.items():
        measured[name] = found
        if "by_stars" in found:  # not where no held-out film was liked
            measured[name + BY_STARS] = found["by_stars"]
    table = comparison_table(measured | result["baselines"])
    lists = ("ndcg", "ndcg 95 %", "recall", "map", "mrr", "shown", "novelty", "diversity")
    table = table.rename(columns=lambda name: name.replace(f"@{k}", ""))
    table = table[[c for c in ("method", "rmse", "rmse 95 %", "mae", *lists) if c in table]]
    tested = f"{runs[first]['rows_tested']:,} test rows, lists of {k} films"
    print_table(table, f"{', '.join(str(each.path) for each in opened)}: {tested}", narrow=True)
    for name in others:
        table = pd.DataFrame(runs[name]["difference"]).T
        table = table.rename_axis("metric").reset_index().astype({"metric": "str"})
        print_table(table, f"{name} minus {first}, on the same users: 95 % interval, p-value")
    for name, found in runs.items():
        if sure := found.get("certainty"):
            print(
                f"{printable(name)}: {sure['coverage']:.1%} of the ratings are in their 80 % "
                f"interval.\n  RMSE {sure['surest']:.3f} in the surest quarter, "
                f"{sure['least_sure']:.3f} in the least sure; chances of 4 stars are off by "
                f"{sure['chance_error']:.1%}."
            )
    for name, reason in result["left_out"].items():
        print(f"{printable(name)} was left out: it {reason}.")
