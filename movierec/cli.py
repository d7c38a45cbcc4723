"""The command line: parses, calls, prints. Every command is a thin cover of the Python API.

Results go to the standard output (with `--json`, nothing else does); progress and messages go to
the standard error. Exit status 2 is bad input; 1 is a notebook that failed,
or something that `doctor` found to mend.
"""

from __future__ import annotations

import errno
import json
import logging
import sys
import time
from contextlib import closing
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from movierec import __version__
from movierec.errors import InputError, NotebookError, WorkerLostError
from movierec.recipes import RECIPES, Recipe, resolve_recipe

if TYPE_CHECKING:
    import pandas as pd

    from movierec.parameters import Parameter
    from movierec.recommend import Recommender
    from movierec.runs import Run

STARTED = time.perf_counter()
HOLDOUTS = ("random", "origin", "temporal", "last", "none")  # of splits, which loads pandas
FOLDS = ("u1", "u2", "u3", "u4", "u5")  # of datasets

data_option = click.option(
    "--data", metavar="NAME", default="sample", show_default=True, help="Data set; see `data`."
)
from_option = click.option(
    "--from",
    "path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Folder or zip with the files of the data set.",
)


def run_option(text: str) -> Any:
    """The option `--run DIR`; what DIR is for differs from command to command."""
    path = click.Path(path_type=Path)
    return click.option("--run", "run_dir", metavar="DIR", type=path, help=text)


opened_run = run_option("Run folder; the newest below reports/ if not given.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
movie_argument = click.argument("movie")
k_option = click.option("-k", type=int, default=10, show_default=True, help="How many films.")
temperature_option = click.option(
    "--temperature",
    type=float,
    default=0.0,
    show_default=True,
    help="0: the plain best; above: a draw among the best, 1 is lively.",
)
seed_option = click.option("--seed", type=int, help="Makes a draw repeatable.")


def choice_options(command: Any) -> Any:
    """The options by which films are chosen, the same for every command that lists films."""
    options = [
        k_option,
        temperature_option,
        seed_option,
        click.option(
            "--variety",
            type=float,
            default=0.0,
            show_default=True,
            help="0 to 1: how much it counts against a film that it resembles those before it.",
        ),
        click.option("--genre", "genres", multiple=True, help="Only films of it; repeatable."),
        click.option("--without", multiple=True, help="No films of this genre; repeatable."),
        click.option("--years", metavar="FROM-TO", help="Only films of these years: 1980-1999."),
        click.option("--least-ratings", type=int, help="Only films with so many ratings."),
        click.option("--most-ratings", type=int, help="Only films with no more ratings."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


liking_option = click.option(
    "--liking",
    type=float,
    help="0 to 1: how much liking a film counts beside watching it; 1: order by predicted stars.",
)
why_option = click.option("--why", is_flag=True, help="Say what speaks for each film.")


def main() -> None:
    """Run the command line, with bad input told in one message and exit status 2."""
    try:
        cli()
    except InputError as error:
        print(f"movierec: {_shown(str(error))}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise  # no fault of a path that was given
        print(
            f"movierec: {error}; check that the folder exists and may be written, and that its "
            "disk has space",
            file=sys.stderr,
        )
        sys.exit(2)
    except (NotebookError, WorkerLostError) as error:
        print(f"movierec: {error}", file=sys.stderr)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="movierec")
def cli() -> None:
    """Understand, train and use a deep movie recommender."""


@cli.group()
def recommend() -> None:
    """Recommend films from a run. A MOVIE is an id or a title."""


@cli.command("data")
@click.argument("name")
@from_option
@json_option
def data_command(name: str, path: Path | None, as_json: bool) -> None:
    """Fetch a data set if it is not there, check it, and say what it holds.

    Without --from, it is looked for in data/ and otherwise downloaded to it. `sample` is made by
    simulation and written to data/sample in the form of MovieLens-1M.
    """
    from movierec.datasets import find_archive, load_dataset
    from movierec.paths import data_dir
    from movierec.simulate import write_ml1m

    tables = load_dataset(name, path)
    if name == "sample" and path is None:
        place = data_dir() / "sample"
        write_ml1m(tables, place)
    else:
        found = path or find_archive(name)
        assert found is not None  # it was just read from there
        place = found
    ratings = tables.ratings
    facts = {
        "name": tables.name,
        "path": str(place),
        "users": len(tables.users),
        "movies": len(tables.movies),
        "movies_rated": int(ratings["movie_id"].nunique()),
        "ratings": len(ratings),
        "mean_rating": round(float(ratings["rating"].mean()), 4),
        "lowest_rating": float(ratings["rating"].min()),
        "highest_rating": float(ratings["rating"].max()),
        "demographics": tables.has_demographics,
    }
    _print_facts(facts, as_json)


@cli.command("train")
@data_option
@from_option
@click.option("--recipe", type=click.Choice(list(RECIPES)), default="classic", show_default=True)
@run_option("Where to write; reports/NAME-RECIPE if not given.")
@click.option("--epochs", type=int, help="Passes over the training rows.")
@click.option("--batch-size", type=int, help="Ratings a step.")
@click.option("--learning-rate", type=float, help="Adam's step size.")
@click.option("--seed", default=0, show_default=True, help="Of everything random in the training.")
@click.option(
    "--holdout",
    type=click.Choice([*HOLDOUTS, *FOLDS]),
    default="random",
    show_default=True,
    help="Which rows are held out for the test: random; origin, the source notebook's fifth; "
    "temporal, the latest; last, each user's latest; none; or u1 to u5, ML-100K's official folds.",
)
@click.option(
    "--holdout-fraction",
    default=0.1,
    show_default=True,
    help="Part of the rows held out, if random or temporal.",
)
@click.option("--holdout-seed", default=0, show_default=True, help="Of the random holdout.")
@click.option(
    "--patience", type=int, help="Stop after so many epochs without a better validation loss."
)
@click.option(
    "--tensorboard",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for TensorBoard logs, each run in a folder of its name.",
)
@click.option(
    "--start-from",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="An earlier run, whose network the training starts at.",
)
@click.option("--resume", is_flag=True, help="Continue an interrupted training of these settings.")
@json_option
def train_command(
    data: str, path: Path | None, run_dir: Path | None, as_json: bool, **settings: Any
) -> None:
    """Train a network and write its run folder.

    With --holdout none all rows are trained on, less the validation part that chooses the best
    state. While it trains, DIR.partial holds a checkpoint: after an interrupt of any kind, the same
    command with --resume ends with the numbers of a training that was never interrupted. With
    TF_CONFIG in the environment, several workers train together; see movierec/distribution.py.
    """
    changes = ("epochs", "batch_size", "learning_rate", "patience")
    resolve_recipe(settings["recipe"], *(settings[name] for name in changes))  # TensorFlow is slow

    from movierec.datasets import load_dataset, official_fold
    from movierec.pipeline import train

    loading = time.perf_counter()
    tables = load_dataset(data, path)
    if settings["holdout"] in FOLDS:
        settings["holdout"] = official_fold(tables, path, settings["holdout"])
    loaded = time.perf_counter()
    try:
        finished = train(tables, run_dir=run_dir, **settings)
    except KeyboardInterrupt:
        resumed = isinstance(RECIPES[settings["recipe"]], Recipe)
        how = "continue with the same command and --resume" if resumed else "nothing was changed"
        print(f"\nmovierec: stopped; {how}", file=sys.stderr)
        sys.exit(130)
    seconds = finished.seconds
    rows = finished.info["rows"]
    nothing = {"mse": None, "rmse": None, "mae": None}
    facts = {
        "run": str(finished.path),
        **(finished.metrics["test"] or nothing),
        "validation_mse": (finished.metrics["validation"] or nothing)["mse"],
        "best_epoch": finished.best_epoch,
        "seconds": round(seconds["train"], 3),
        "start_seconds": round(loading - STARTED, 3),
        "load_seconds": round(loaded - loading, 3),
        "prepare_seconds": round(seconds["prepare"], 3),
        "compile_seconds": round(seconds["compile"], 3),
        "finish_seconds": round(seconds["finish"], 3),
        "rows_trained": rows["train"],
        "rows_validated": rows["validation"],
        "rows_tested": rows["test"],
    }
    _print_facts(facts, as_json)


@cli.command("evaluate")
@click.option(
    "--run",
    "run_dirs",
    metavar="DIR",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Run folder; the newest below reports/ if not given. Several are compared.",
)
@k_option
@click.option("--seed", default=0, show_default=True, help="Of the intervals.")
@json_option
def evaluate_command(run_dirs: tuple[Path, ...], k: int, seed: int, as_json: bool) -> None:
    """Measure runs on the rows that they held out, beside what else could be used.

    Several runs must share their data and their held-out rows; each is compared with the first.
    Intervals hold the true value in 95 of 100 cases; they come from drawing users.
    """
    from movierec.evaluation import compare, comparison_table, evaluate

    opened = [_open(path) for path in run_dirs or [None]]
    if as_json and len(opened) == 1:
        result = {"run": str(opened[0].path), **evaluate(opened[0], k=k, seed=seed)}
    else:
        result = compare(opened, k=k, seed=seed)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    runs = {run["method"]: run for run in result["runs"]}
    first, *others = runs
    import pandas as pd

    table = comparison_table(runs | result["baselines"])
    lists = ("ndcg", "ndcg 95 %", "recall", "map", "mrr", "shown", "novelty", "diversity")
    table = table.rename(columns=lambda name: name.replace(f"@{k}", ""))
    table = table[[c for c in ("method", "rmse", "rmse 95 %", "mae", *lists) if c in table]]
    tested = f"{runs[first]['rows_tested']:,} test rows, lists of {k} films"
    _print_table(table, f"{', '.join(str(run.path) for run in opened)}: {tested}", narrow=True)
    for name in others:
        table = pd.DataFrame(runs[name]["difference"]).T
        table = table.rename_axis("metric").reset_index().astype({"metric": "str"})
        _print_table(table, f"{name} minus {first}, on the same users: 95 % interval, p-value")
    for name, reason in result["left_out"].items():
        print(f"{name} was left out: it {reason}.")


@cli.command("predict")
@click.argument("pairs", metavar="PAIRS.csv", type=click.Path(path_type=Path))
@opened_run
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where to write, in place of the standard output.",
)
@json_option
def predict_command(pairs: Path, run_dir: Path | None, out: Path | None, as_json: bool) -> None:
    """Add a predicted rating to each line of a CSV file of users and films."""
    from movierec.files import write_whole
    from movierec.predictions import as_csv, predict_file

    header, *rows = predict_file(_open(run_dir).recommender, pairs)
    if as_json:
        records = [dict(zip(header, row, strict=True)) for row in rows]
        text = json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    else:
        text = as_csv(header, *rows)
    if out is None:
        sys.stdout.write(text)
    else:
        write_whole(out, text)


@recommend.command("for-user")
@click.argument("user_id", type=int)
@opened_run
@choice_options
@liking_option
@click.option("--include-seen", is_flag=True, help="Also films that the user has rated.")
@why_option
@json_option
def for_user_command(
    user_id: int,
    run_dir: Path | None,
    liking: float | None,
    include_seen: bool,
    why: bool,
    as_json: bool,
    **choice: Any,
) -> None:
    """The films for a user."""
    recommender = _open(run_dir).recommender
    settings = _choice(recommender, **choice)
    films = recommender.for_user(user_id, exclude_seen=not include_seen, liking=liking, **settings)
    if why:
        films["why"] = [recommender.because(user_id, movie) for movie in films["movie_id"]]
    _print_films(films, f"for user {user_id}", as_json)


@recommend.command("new-user")
@click.option(
    "--rate",
    "rates",
    metavar="MOVIE=STARS",
    multiple=True,
    help="A film, by id or title, and its stars; repeatable.",
)
@click.option("--gender", help="F or M.")
@click.option("--age", type=int, help="In years.")
@click.option("--occupation", type=int, help="Code, as in the data.")
@opened_run
@choice_options
@liking_option
@why_option
@json_option
def new_user_command(
    rates: tuple[str, ...],
    gender: str | None,
    age: int | None,
    occupation: int | None,
    run_dir: Path | None,
    liking: float | None,
    why: bool,
    as_json: bool,
    **choice: Any,
) -> None:
    """The films for somebody who is not in the data, from as much as they tell."""
    recommender = _open(run_dir).recommender
    ratings = {}
    for rate in rates:
        movie, _, stars = rate.rpartition("=")
        try:
            given = float(stars)
        except ValueError:
            movie = ""
        if not movie:
            raise InputError(
                f"got --rate {rate!r}; expected a film and its stars, such as --rate 260=5 or "
                '--rate "Toy Story (1995)=4"'
            )
        movie_id = recommender.movie_id(movie)
        if movie_id in ratings:
            raise InputError(f"got {recommender.title(movie_id)} twice; rate a film once")
        ratings[movie_id] = given
    person = recommender.new_user(ratings, gender, age, occupation)
    films = recommender.for_user(person, liking=liking, **_choice(recommender, **choice))
    if why:
        films["why"] = [recommender.because(person, movie) for movie in films["movie_id"]]
    _print_films(films, "for you", as_json)


@recommend.command("group")
@click.argument("user_ids", metavar="USER_ID...", type=int, nargs=-1, required=True)
@click.option(
    "--how",
    type=click.Choice(["least misery", "mean"]),
    default="least misery",
    show_default=True,
    help="A film is as good as for the one who likes it least, or as for all on average.",
)
@opened_run
@choice_options
@liking_option
@json_option
def group_command(
    user_ids: tuple[int, ...],
    how: str,
    run_dir: Path | None,
    liking: float | None,
    as_json: bool,
    **choice: Any,
) -> None:
    """The films for several users at once."""
    recommender = _open(run_dir).recommender
    settings = _choice(recommender, **choice)
    if settings.pop("temperature") or settings.pop("seed") is not None:
        raise InputError("a group gets its best films; leave out --temperature and --seed")
    films = recommender.for_group(user_ids, how=how, liking=liking, **settings)
    _print_films(films, f"for users {', '.join(map(str, user_ids))}", as_json)


@recommend.command("for-users")
@click.argument("users", metavar="USERS.parquet", type=click.Path(path_type=Path))
@opened_run
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    required=True,
    help="Where to write; a new folder, or that of the same job, interrupted.",
)
@k_option
@click.option("--workers", default=1, show_default=True, help="Processes on this machine.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask cluster, in place of --workers.")
@json_option
def for_users_command(
    users: Path,
    run_dir: Path | None,
    out: Path,
    k: int,
    workers: int,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """The films for many users: a file or folder of user_id, to a folder of lists.

    The lists are written part by part; after an interrupt of any kind, the same command makes the
    parts that are missing. Several workers need the extra `batch`.
    """
    from movierec.batch import recommend_all
    from movierec.progress import counted

    try:
        with counted("parts") as on_part:
            facts = recommend_all(
                _open(run_dir).path, users, out, k, workers, scheduler, on_part=on_part
            )
    except KeyboardInterrupt:
        print("\nmovierec: stopped; the same command goes on with what is missing", file=sys.stderr)
        sys.exit(130)
    _print_facts({"out": str(out)} | facts, as_json)


@recommend.command("similar")
@movie_argument
@opened_run
@choice_options
@json_option
def similar_command(movie: str, run_dir: Path | None, as_json: bool, **choice: Any) -> None:
    """The films most like a film."""
    recommender = _open(run_dir).recommender
    movie_id = recommender.movie_id(movie)
    films = recommender.similar(movie_id, **_choice(recommender, **choice))
    _print_films(films, f"similar to {recommender.title(movie_id)}", as_json)


@recommend.command("also-liked")
@movie_argument
@opened_run
@choice_options
@json_option
def also_liked_command(movie: str, run_dir: Path | None, as_json: bool, **choice: Any) -> None:
    """What the people who like a film also like."""
    recommender = _open(run_dir).recommender
    movie_id = recommender.movie_id(movie)
    films = recommender.also_liked(movie_id, **_choice(recommender, **choice))
    _print_films(films, f"liked by people who like {recommender.title(movie_id)}", as_json)


@cli.command("notebooks")
@data_option
@from_option
@run_option("Report folder; reports/NAME if not given.")
@click.option(
    "-p",
    "parameters",
    metavar="NAME VALUE",
    type=(str, str),
    multiple=True,
    help="A notebook parameter; may be repeated. --parameters lists them.",
)
@click.option("--only", metavar="NOTEBOOK", multiple=True, help="Such as 03_training; repeatable.")
@click.option("--force", is_flag=True, help="Run them even if the report is there and still true.")
@click.option("--parameters", "listed", is_flag=True, help="List the parameters, and do no more.")
@click.option(
    "--grid",
    metavar="NAME=V1,V2",
    multiple=True,
    help="Run the training notebook for each value; repeated, for each combination.",
)
@click.option(
    "--jobs", type=int, help="Combinations at once; as cores and memory allow by default."
)
@json_option
def notebooks_command(
    data: str,
    path: Path | None,
    run_dir: Path | None,
    parameters: tuple[tuple[str, str], ...],
    only: tuple[str, ...],
    force: bool,
    listed: bool,
    grid: tuple[str, ...],
    jobs: int | None,
    as_json: bool,
) -> None:
    """Run all notebooks through papermill and leave a report as HTML.

    If DIR is a run folder that `movierec train` made, the notebooks report on that run; otherwise
    03_training trains one into DIR/model. Where DIR holds the very report that would come out (the
    same notebooks, parameters, data, code and versions), nothing is run.

    With --grid, 03_training alone is run for each combination of values, and DIR holds a table and
    a picture of all. The same command goes on with what is missing.
    """
    from movierec.notebooks import parameters_of, run_notebooks
    from movierec.paths import reports_dir

    if listed:
        _print_parameters(parameters_of(), as_json)
        return
    settings: dict[str, object] = {"data": data, "path": str(path.absolute()) if path else ""}
    settings |= dict(parameters)
    if grid:
        if len(only) > 1:
            raise InputError("got --grid with several --only; one notebook is swept over")
        _sweep(
            run_dir or reports_dir() / f"{data}-sweep", grid, settings, only, jobs, force, as_json
        )
        return
    if jobs is not None:
        raise InputError("got --jobs without --grid; the notebooks of a report run in order")
    result = run_notebooks(run_dir or reports_dir() / data, settings, only=only, force=force)
    if result.fresh:
        print("Nothing has changed since this report was made; --force runs it.", file=sys.stderr)
    if as_json:
        facts = {"report": str(result.out_dir), "index": str(result.index)}
        _print_facts(facts | {n.name: n.metrics for n in result.notebooks}, as_json)
    else:
        print(f"The report is in {result.out_dir}; begin with {result.index}")


def _sweep(
    out_dir: Path,
    grid: tuple[str, ...],
    settings: dict[str, object],
    only: tuple[str, ...],
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> None:
    from movierec.sweep import NOTEBOOK, parsed_grid, sweep

    values = parsed_grid(grid)
    notebook = only[0] if only else NOTEBOOK
    try:
        result = sweep(out_dir, values, settings, notebook=notebook, jobs=jobs, force=force)
    except KeyboardInterrupt:
        print("\nmovierec: stopped; the same command goes on with what is missing", file=sys.stderr)
        sys.exit(130)
    if as_json:
        print((result.out_dir / "metrics.json").read_text("utf-8"), end="")
    else:
        print(f"The sweep is in {result.out_dir}; open {result.index}")
    if failed := [one.name for one in result.combinations if one.failure]:
        print(f"movierec: {len(failed)} failed: {'; '.join(failed)}", file=sys.stderr)
        sys.exit(1)


@cli.command("compare")
@click.argument("first", metavar="FIRST", type=click.Path(path_type=Path))
@click.argument("second", metavar="SECOND", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="PAGE.html",
    type=click.Path(path_type=Path),
    help="Where to write; reports/FIRST-SECOND.html if not given.",
)
@click.option("--seed", default=0, show_default=True, help="Of the intervals.")
@json_option
def compare_command(first: Path, second: Path, out: Path | None, seed: int, as_json: bool) -> None:
    """Compare two run folders or two reports of the notebooks, on one page of HTML.

    What was set differently, what the notebooks recorded and took, and, where both held out the
    same rows, the differences of errors and lists with intervals: SECOND less FIRST.
    """
    from movierec.comparison import compare_folders
    from movierec.paths import reports_dir

    name = "-".join(folder.resolve().name for folder in (first, second))
    page = out or reports_dir() / f"{name}.html"
    result = compare_folders(first, second, page, seed)
    if as_json:
        print(json.dumps(result | {"page": str(page)}, indent=2))
    else:
        print(f"The comparison is in {page}")


@cli.command("export")
@opened_run
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    required=True,
    help="Where to write; a new folder.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(["all", "parquet", "savedmodel", "onnx"]),
    multiple=True,
    default=("all",),
    show_default=True,
    help="May be repeated.",
)
@json_option
def export_command(
    run_dir: Path | None, out: Path, formats: tuple[str, ...], as_json: bool
) -> None:
    """Write a run for use without movierec: vectors as Parquet, functions as SavedModel and ONNX.

    The functions are the towers of a network, and the best films of a user or a vector, with films
    to leave out and k given at each call. export.json in DIR tells their inputs and outputs. ONNX
    needs the extra `export`.
    """
    from movierec.export import FORMATS, export

    told = export(_open(run_dir), out, FORMATS if "all" in formats else formats)
    facts = {
        "out": str(out),
        "formats": ", ".join(told["formats"]),
        "functions": ", ".join(told.get("functions", {})) or None,
    }
    _print_facts(facts, as_json)


@cli.command("app")
@opened_run
@click.option("--ip", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8866, show_default=True, help="Port to listen on; 0: a free one.")
@click.option(
    "--host",
    "hosts",
    metavar="NAME",
    multiple=True,
    help="A name under which the page may be asked for, such as a proxy's; repeatable.",
)
@click.option(
    "--visitors",
    "visitors_at_once",
    default=20,
    show_default=True,
    help="How many have a place at a time; further ones are asked to wait.",
)
@click.option("--pool", default=2, show_default=True, help="Places kept ready for who comes next.")
@click.option(
    "--idle",
    "idle_minutes",
    default=30.0,
    show_default=True,
    help="Minutes after which a visitor who does nothing loses the place.",
)
def app_command(run_dir: Path | None, ip: str, **settings: Any) -> None:
    """Serve the explorer as a page (needs the extra `app`).

    On this machine only, unless --ip says otherwise: the page asks nobody who they are.
    """
    if find_spec("voila") is None:
        raise InputError("the page needs Voilà; install it with `pip install 'movierec[app]'`")
    from movierec import metadata
    from movierec.app import is_loopback, serve

    opened = _open(run_dir)
    if (posters := metadata.settings()) is not None:  # what is wrong there is told here
        name, language = posters.provider, posters.language
        print(f"movierec: posters and titles are asked of {name}, in {language}", file=sys.stderr)
    if not is_loopback(ip):
        print(
            f"movierec: everybody who can reach {ip} can use the page, and what they send can be "
            "read on the way; README.md tells how to put a proxy with a login before it",
            file=sys.stderr,
        )
    serve(opened.path, ip=ip, **settings)


@cli.command("metadata")
@opened_run
@click.option("--provider", type=click.Choice(["tmdb", "douban"]), help="TMDB if it has a key.")
@click.option("--language", metavar="CODE", help="Of the titles: en-US, zh-CN; Douban's is zh-CN.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the films with the most ratings.")
@json_option
def metadata_command(
    run_dir: Path | None,
    provider: str | None,
    language: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Fetch posters and titles of a run's films, so that its page has them from the start.

    TMDB needs a key, in TMDB_TOKEN or TMDB_API_KEY. What is there already and not too old is not
    asked for again; after an interrupt, the same command goes on. Answers are kept in
    data/metadata.
    """
    from movierec.metadata import configured, log
    from movierec.progress import counted

    log.addHandler(logging.StreamHandler())  # of each film that fails, why
    run = _open(run_dir)
    movies = run.tables.movies
    # without a word from the environment it is TMDB, or a message that it needs a key
    films = configured(movies, provider, language) or configured(movies, "tmdb", language)
    assert films is not None
    ratings = run.tables.ratings["movie_id"].value_counts()
    order = movies["movie_id"].map(ratings).fillna(0).sort_values(ascending=False, kind="stable")
    with closing(films), counted("films") as on_film:
        counts = films.prefetch(movies.loc[order.index[:limit]], on_film)
    provider = films.provider.label
    facts = {"provider": provider, "language": films.language} | counts
    _print_facts(facts | {"kept_in": str(films.folder)}, as_json)


@cli.command("doctor")
@json_option
def doctor_command(as_json: bool) -> None:
    """Say what is installed and found on this machine, and what is missing and how to mend it.

    Ends with exit status 1 where something stands in the way.
    """
    from movierec.doctor import examine

    found = examine()
    if as_json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _print_findings(asdict(found))
    sys.exit(1 if found.problems else 0)


def _print_findings(found: dict[str, Any]) -> None:
    problems = found.pop("problems")
    found["packages"] = {k: v or "not installed" for k, v in found["packages"].items()}
    found["extras"] = {k: "installed" if v else "not installed" for k, v in found["extras"].items()}
    for name, value in found.items():
        heading = name.replace("_", " ")
        if isinstance(value, dict):
            lines = [f"{key} {entry}" for key, entry in value.items()]
        else:
            lines = value if isinstance(value, list) else [value]
        for line in lines or ["none"]:
            print(f"{heading:<12} {'none' if line is None else line}")
            heading = ""
    for problem in problems:
        print(f"\nto mend: {problem}")
    if not problems:
        print("\nNothing stands in the way.")


def _choice(
    recommender: Recommender,
    genres: tuple[str, ...],
    without: tuple[str, ...],
    years: str | None,
    least_ratings: int | None,
    most_ratings: int | None,
    **settings: Any,
) -> dict[str, Any]:
    """Arguments of the recommender's modes from `choice_options`."""
    span: tuple[int | None, int | None] = (None, None)
    if years is not None:
        first, _, last = years.partition("-")
        if not (first.isdigit() and last.isdigit()):
            raise InputError(f"got --years {years!r}; expected two years, such as 1980-1999")
        span = int(first), int(last)
    ratings = (least_ratings, most_ratings)
    if genres or without or years is not None or ratings != (None, None):
        settings["among"] = recommender.where(genres, without, span, ratings)
    return settings


def _open(path: Path | None) -> Run:
    from movierec.runs import load_run, newest_run

    return load_run(path) if path is not None else newest_run()


def _print_facts(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for name, value in facts.items():
        shown = f"{value:,.4g}" if isinstance(value, float) else value
        shown = f"{value:,}" if type(value) is int else shown
        print(f"{name.replace('_', ' '):<16} {'none' if value is None else shown}")


def _print_parameters(parameters: dict[str, Parameter], as_json: bool) -> None:
    if as_json:
        told = {name: parameter._asdict() for name, parameter in parameters.items()}
        print(json.dumps(told, indent=2))
        return
    for name, (kind, default, meaning) in parameters.items():
        print(f"{name + ': ' + kind:<20} {meaning} [{default!r}]")


def _print_films(films: pd.DataFrame, heading: str, as_json: bool) -> None:
    if as_json:
        print(films.to_json(orient="records", indent=2, force_ascii=False))
        return
    if "why" in films:  # which needs the room
        films = films.drop(columns=["genres", "score"])
    _print_table(films.assign(year=films["year"].astype("string").fillna("")), heading)


def _print_table(frame: pd.DataFrame, heading: str, narrow: bool = False) -> None:
    """Print a table, with lines between its columns unless it has to be narrow."""
    import pandas as pd
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    style: Any = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0)} if narrow else {}
    table = Table(title=escape(_shown(heading)), title_justify="left", **style)
    for column in frame.columns:
        table.add_column(column, justify="left" if frame[column].dtype == "str" else "right")
    for row in frame.itertuples(index=False):
        cells = ["" if pd.isna(cell) else cell for cell in row]
        table.add_row(*(escape(_cell(cell)) for cell in cells))
    # a pipe has no width; a terminal keeps its own
    Console(width=None if sys.stdout.isatty() or not narrow else 120).print(table)


def _shown(text: str) -> str:
    """A text without characters that a terminal would obey in place of showing them."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.4f}"
    return _shown(str(value))
