"""The command line: parses, calls, prints. Every command is a thin cover of the Python API.

Results go to the standard output (with `--json`, nothing else does); progress and messages go to
the standard error. Exit status 2 is bad input, 1 a notebook that failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from movierec import __version__
from movierec.errors import InputError, NotebookError

if TYPE_CHECKING:
    import pandas as pd

    from movierec.runs import Run

STARTED = time.perf_counter()

app = typer.Typer(
    help="Understand, train and use a deep movie recommender.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
recommend = typer.Typer(help="Recommend films from a run.", no_args_is_help=True)
app.add_typer(recommend, name="recommend")

Data = Annotated[str, typer.Option("--data", metavar="NAME", help="Data set; see `movierec data`.")]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="PATH", help="Folder or zip with the data set's files."),
]
RunDir = Annotated[
    Path | None,
    typer.Option(
        "--run", metavar="DIR", help="Run folder; the newest below reports/ if not given."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Count = Annotated[int, typer.Option("-k", help="How many films.")]
Temperature = Annotated[
    float, typer.Option(help="0: the plain best; above: a draw among the best, 1 is lively.")
]
Seed = Annotated[int | None, typer.Option(help="Makes a draw repeatable.")]
Movie = Annotated[str, typer.Argument(metavar="MOVIE", help="A movie id, or a title.")]


def main() -> None:
    """Run the command line, with bad input told in one message and exit status 2."""
    try:
        app()
    except InputError as error:
        print(f"movierec: {error}", file=sys.stderr)
        sys.exit(2)
    except NotebookError as error:
        print(f"movierec: {error}", file=sys.stderr)
        sys.exit(1)


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("data")
def data_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="sample, ml-1m, ml-100k, ml-latest-small, ml-25m or ml-32m."
        ),
    ],
    path: From = None,
    as_json: Json = False,
) -> None:
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


@app.command("train")
def train_command(
    data: Data = "sample",
    path: From = None,
    recipe: Annotated[str, typer.Option(help="classic or fast.")] = "classic",
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", metavar="DIR", help="Where to write; reports/NAME-RECIPE by default."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training rows.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Ratings a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Adam's step size.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random in the training.")] = 0,
    holdout: Annotated[
        str, typer.Option(help="Test rows: random, origin, temporal or none.")
    ] = "random",
    holdout_fraction: Annotated[float, typer.Option(help="Part of the rows held out.")] = 0.1,
    holdout_seed: Annotated[int, typer.Option(help="Of the random holdout.")] = 0,
    as_json: Json = False,
) -> None:
    """Train a network and write its run folder.

    With --holdout none all rows are trained on, less the validation part that chooses the best
    state.
    """
    from movierec.datasets import load_dataset
    from movierec.pipeline import train

    loading = time.perf_counter()
    tables = load_dataset(data, path)
    loaded = time.perf_counter()
    finished = train(
        tables,
        recipe,
        seed,
        run,
        holdout=holdout,
        holdout_fraction=holdout_fraction,
        holdout_seed=holdout_seed,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
    )
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


@app.command("evaluate")
def evaluate_command(run: RunDir = None, as_json: Json = False) -> None:
    """Measure a run on the rows that it held out, beside simple baselines."""
    from movierec.evaluation import evaluate

    opened = _open(run)
    result = evaluate(opened)
    if as_json:
        print(json.dumps({"run": str(opened.path), **result}, indent=2))
        return
    import pandas as pd

    methods = {f"{opened.config['recipe']} (this run)": result, **result["baselines"]}
    table = pd.DataFrame(
        [
            {
                "method": name,
                **{k: m.get(k) for k in ("mse", "rmse", "mae")},
                **m.get("ranking", {}),
            }
            for name, m in methods.items()
        ]
    ).drop(columns="users", errors="ignore")
    _print_table(table, f"{opened.path}: {result['rows_tested']:,} test rows")


@app.command("predict")
def predict_command(
    pairs: Annotated[
        Path, typer.Argument(metavar="PAIRS.csv", help="CSV file with user_id and movie_id.")
    ],
    run: RunDir = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; the standard output else.")
    ] = None,
) -> None:
    """Add a predicted rating to each line of a CSV file of users and films."""
    from movierec.predictions import predict_file

    text = predict_file(_open(run).recommender, pairs, out)
    if text is not None:
        sys.stdout.write(text)


@recommend.command("for-user")
def for_user_command(
    user_id: Annotated[int, typer.Argument(metavar="USER_ID", help="Whom to recommend to.")],
    run: RunDir = None,
    k: Count = 10,
    temperature: Temperature = 0.0,
    seed: Seed = None,
    include_seen: Annotated[bool, typer.Option(help="Also films that the user has rated.")] = False,
    as_json: Json = False,
) -> None:
    """The films that a user would rate highest."""
    recommender = _open(run).recommender
    films = recommender.for_user(user_id, k, temperature, seed, exclude_seen=not include_seen)
    _print_films(films, f"for user {user_id}", as_json)


@recommend.command("similar")
def similar_command(
    movie: Movie,
    run: RunDir = None,
    k: Count = 10,
    temperature: Temperature = 0.0,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """The films most like a film."""
    recommender = _open(run).recommender
    movie_id = recommender.movie_id(movie)
    films = recommender.similar(movie_id, k, temperature, seed)
    _print_films(films, f"similar to {recommender.title(movie_id)}", as_json)


@recommend.command("also-liked")
def also_liked_command(
    movie: Movie,
    run: RunDir = None,
    k: Count = 10,
    temperature: Temperature = 0.0,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """What the people who like a film also like."""
    recommender = _open(run).recommender
    movie_id = recommender.movie_id(movie)
    films = recommender.also_liked(movie_id, k, temperature, seed)
    _print_films(films, f"liked by people who like {recommender.title(movie_id)}", as_json)


@app.command("notebooks")
def notebooks_command(
    data: Data = "sample",
    path: From = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Report folder; reports/NAME by default."),
    ] = None,
    parameters: Annotated[
        list[tuple[str, str]] | None,
        typer.Option("-p", metavar="NAME VALUE", help="A notebook parameter; may be repeated."),
    ] = None,
) -> None:
    """Run all notebooks through papermill and leave a report as HTML.

    If DIR is a run folder that `movierec train` made, the notebooks report on that run; otherwise
    03_training trains one into DIR/model.
    """
    from movierec.notebooks import run_notebooks
    from movierec.paths import reports_dir

    settings: dict[str, object] = {"data": data, "path": str(path.absolute()) if path else ""}
    settings |= dict(parameters or [])
    result = run_notebooks(run or reports_dir() / data, settings)
    print(f"The report is in {result.out_dir}; begin with {result.index}")


@app.command("app")
def app_command(
    run: RunDir = None,
    port: Annotated[int, typer.Option(help="Port on this machine's loopback address.")] = 8866,
) -> None:
    """Serve the explorer as a page, on this machine only (needs the extra `app`)."""
    from movierec.notebooks import source_folder

    if find_spec("voila") is None:
        raise InputError("the page needs Voilà; install it with `pip install 'movierec[app]'`")
    opened = _open(run)
    command = [sys.executable, "-m", "voila", str(source_folder() / "app.ipynb")]
    command += [f"--port={port}", "--no-browser", "--Voila.ip=127.0.0.1"]
    print(f"The page for {opened.path} will be at http://127.0.0.1:{port}", file=sys.stderr)
    environment = os.environ | {"MOVIEREC_RUN": str(opened.path.absolute())}
    try:
        sys.exit(subprocess.run(command, env=environment).returncode)
    except KeyboardInterrupt:
        sys.exit(130)


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


def _print_films(films: pd.DataFrame, heading: str, as_json: bool) -> None:
    if as_json:
        print(films.to_json(orient="records", indent=2, force_ascii=False))
    else:
        _print_table(films.assign(year=films["year"].astype("string").fillna("")), heading)


def _print_table(frame: pd.DataFrame, heading: str) -> None:
    import pandas as pd
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(heading), title_justify="left")
    for column in frame.columns:
        table.add_column(column, justify="left" if frame[column].dtype == "str" else "right")
    for row in frame.itertuples(index=False):
        cells = ["" if pd.isna(cell) else cell for cell in row]
        table.add_row(*(f"{c:.4f}" if isinstance(c, float) else escape(str(c)) for c in cells))
    Console().print(table)
