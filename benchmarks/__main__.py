"""`python -m benchmarks`: every section, or those that are named."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks.measure import (
    Row,
    alternate,
    folder_or_new,
    report,
    run_python,
    run_together,
    turns_within,
)

CONSOLE = Console(width=None if sys.stdout.isatty() else 120)
ORIGIN_MSE = 0.7995  # of the origin notebook on `origin`, after five epochs: documented, not rerun
ORIGIN_SECONDS = 690  # of training that it needed for that, on two cores of the same kind
ORIGIN_STEPS = 22  # of 256 ratings, a second, in the same run
PEER_NAMES = ("Surprise SVD", "Cornac MF 50", "Cornac MF 100")

CURVE_METHODS = ("best", "fast", "distilled", *PEER_NAMES, "LensKit ALS")

TRAINING_COLUMNS = {
    "start": "start",
    "load": "load",
    "prepare": "prepare",
    "compile": "compile",
    "fit": "fit",
    "rmse": "test RMSE",
    "whole": "process",
    "reached": "until the level",
}


@click.group(chain=True, invoke_without_command=True)
@click.option("--data", default="ml-1m", show_default=True, help="Data set of the sections.")
@click.option("--from", "path", default="", help="Its folder or zip.")
@click.option("--repeat", default=3, show_default=True, help="Rounds of each section.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("reports/benchmarks"),
    show_default=True,
    help="Where the JSON files go.",
)
@click.pass_context
def cli(context: click.Context, **settings: Any) -> None:
    """Measure movierec beside its peers, in whole processes that take turns.

    Without a section `training`, `origin`, `steps`, `startup` and `workers` run. Times are seconds:
    the median, and the range of the rounds in brackets.
    """
    context.obj = settings
    if context.invoked_subcommand is None:
        for command in (training, origin, steps, startup, workers):
            context.invoke(command)


def _data(settings: dict[str, Any]) -> list[str]:
    return ["--data", settings["data"], *(["--from", settings["path"]] * bool(settings["path"]))]


def _train(settings: dict[str, Any], *options: str, level: float = 0.0) -> Row:
    """A whole training; `reached` is the seconds until the validation RMSE was at the level."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        command = ("-m", "movierec", "train", *_data(settings), *options, "--json")
        done = run_python(*command, "--run", run)
        history = (run / "history.csv").read_text("utf-8").splitlines()
    names = ("start", "load", "prepare", "compile")
    row = {name: done[f"{name}_seconds"] for name in names if done.get(f"{name}_seconds")}
    before = sum(row.values())
    row |= {"fit": done["seconds"], "rows": done["rows_trained"]}
    row |= {key: done[key] for key in ("rmse", "mae", "mse", "whole", "peak")}
    heading = history[0].split(",")
    for line in history[1:]:
        record = dict(zip(heading, line.split(","), strict=True))
        if record["val_loss"] and float(record["val_loss"]) ** 0.5 <= level:
            trained = float(record["seconds"])
            return row | {"reached": before + trained, "trained": trained}
    return row


@cli.command()
@click.option("--recipe", "recipes", multiple=True, default=("fast",), show_default=True)
@click.option("--level", type=float, help="RMSE to reach; that of Surprise SVD in this run.")
@click.pass_obj
def training(settings: dict[str, Any], recipes: tuple[str, ...], level: float | None) -> None:
    """Time and error on ninety-ten, beside Surprise and Cornac."""

    def peer(name: str) -> Row:
        where = (settings["data"], settings["path"], "random")
        row = run_python("-m", "benchmarks.peers", name, *where)
        return row | {"reached": row["load"] + row["start"] + row["fit"]}

    if level is None:
        with CONSOLE.status("the level: Surprise SVD"):
            level = float(peer("Surprise SVD")["rmse"])
    methods: dict[str, Any] = {name: lambda name=name: peer(name) for name in PEER_NAMES}
    for recipe in recipes:
        methods[recipe] = lambda recipe=recipe: _train(settings, "--recipe", recipe, level=level)
    report(
        "training",
        f"ninety-ten of {settings['data']}; level: RMSE {level:.4f}, on validation rows",
        TRAINING_COLUMNS,
        alternate(settings["repeat"], methods, CONSOLE),
        settings["out"],
        CONSOLE,
        ratio=("Surprise SVD", "reached"),
    )


@cli.command()
@click.option("--recipe", "recipes", multiple=True, default=("fast",), show_default=True)
@click.pass_obj
def origin(settings: dict[str, Any], recipes: tuple[str, ...]) -> None:
    """Seconds until the origin's error, on its split, against its documented 690."""
    options = ("--holdout", "origin")
    methods: dict[str, Any] = {
        recipe: lambda recipe=recipe: _train(
            settings, "--recipe", recipe, *options, level=ORIGIN_MSE**0.5
        )
        for recipe in recipes
    }
    rounds = alternate(settings["repeat"], methods, CONSOLE)
    for row in (row for rows in rounds.values() for row in rows if "reached" in row):
        row["sooner"] = ORIGIN_SECONDS / row["trained"]
    columns = TRAINING_COLUMNS | {
        "trained": "of it, training",
        "sooner": f"{ORIGIN_SECONDS} s of training against that",
    }
    title = f"`origin` of {settings['data']}; level: MSE {ORIGIN_MSE}, on validation rows"
    report("origin", title, columns, rounds, settings["out"], CONSOLE)


@cli.command()
@click.pass_obj
def steps(settings: dict[str, Any]) -> None:
    """Steps of 256 ratings a second of the documented training, against the origin's 22."""

    def classic() -> Row:
        row = _train(settings, "--recipe", "classic", "--epochs", "1", "--holdout", "origin")
        rate = row["rows"] / row["fit"]
        return {"ratings": rate, "steps": rate / 256, "sooner": rate / 256 / ORIGIN_STEPS}

    columns = {
        "ratings": "ratings a second",
        "steps": "steps a second",
        "sooner": f"ratio to the origin's {ORIGIN_STEPS}",
    }
    title = "`classic`, batches of 256, one epoch with its validation"
    rounds = alternate(settings["repeat"], {"classic": classic}, CONSOLE)
    report("steps", title, columns, rounds, settings["out"], CONSOLE)


@cli.command()
@click.pass_obj
def startup(settings: dict[str, Any]) -> None:
    """What a user waits for before anything happens."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        command = ("train", *_data(settings), "--recipe", "fast", "--epochs", "1", "--json")
        with CONSOLE.status("a run to recommend from"):
            run_python("-m", "movierec", *command, "--run", run)
        module = ("-m", "movierec")
        methods = {
            "python alone": lambda: run_python("-c", "pass"),
            "import movierec": lambda: run_python("-c", "import movierec"),
            "movierec --version": lambda: run_python(*module, "--version"),
            "first list of a process": lambda: run_python(
                *module, "recommend", "for-user", "1", "--json", "--run", run
            ),
        }
        rounds = alternate(settings["repeat"], methods, CONSOLE)
    columns = {"whole": "process", "peak": "peak GiB"}
    report("startup", "Start", columns, rounds, settings["out"], CONSOLE)


@cli.command()
@click.option("--recipe", default="fast", show_default=True)
@click.option("--count", default=2, show_default=True, help="Workers on this machine.")
@click.pass_obj
def workers(settings: dict[str, Any], recipe: str, count: int) -> None:
    """Several workers on one machine against one: what their agreement costs."""

    def several() -> Row:
        command = ("train", *_data(settings), "--recipe", recipe, "--epochs", "1", "--json")
        with tempfile.TemporaryDirectory() as folder:
            row = run_together(
                count, lambda index: ("-m", "movierec", *command, "--run", Path(folder, "run"))
            )
        return row | {"fit": row["seconds"]}

    methods = {
        "one worker": lambda: _train(settings, "--recipe", recipe, "--epochs", "1"),
        f"{count} workers": several,
    }
    columns = {"fit": "fit", "whole": "process", "peak": "peak GiB, all", "rmse": "test RMSE"}
    title = f"`{recipe}`, one epoch, on one machine"
    rounds = alternate(settings["repeat"], methods, CONSOLE)
    report("workers", title, columns, rounds, settings["out"], CONSOLE, ratio=("one worker", "fit"))


@cli.command()
@click.option("--method", "methods", multiple=True, default=CURVE_METHODS, show_default=True)
@click.option("--draws", default=512, show_default=True, help="Of myFM's sampling.")
@click.option(
    "--peers",
    type=click.Path(path_type=Path),
    default=Path("build/peers/bin/python"),
    show_default=True,
    help="Python with LensKit and myFM, as `make peers` makes it.",
)
@click.option(
    "--picture", type=click.Path(path_type=Path), default=Path("docs/curve.png"), show_default=True
)
@click.pass_obj
def curve(
    settings: dict[str, Any], methods: tuple[str, ...], draws: int, peers: Path, picture: Path
) -> None:
    """Error on ninety-ten against seconds, start included: a table and a picture, in one round.

    "Surprise SVD++" and "myFM", which take long, are measured where they are named.
    """
    from benchmarks.curve import ELSEWHERE, draw, measured, numbered

    if set(ELSEWHERE) & set(methods) and not peers.exists():  # told before the others take minutes
        raise click.UsageError(f"there is no {peers}, which LensKit and myFM need: make peers")
    with CONSOLE.status("one after the other"):
        rows = measured(
            *(settings["data"], settings["path"], methods, draws, peers),
            lambda recipe: _train(settings, "--recipe", recipe),
        )
    columns = {"seconds": "seconds", "rmse": "test RMSE", "peak": "peak GiB"}
    title = f"RMSE on ninety-ten of {settings['data']} against seconds, start included"
    report("curve", title, columns, numbered(rows), settings["out"], CONSOLE)
    draw(rows, title, picture)


@cli.command()
@click.option(
    "--recipe", "recipes", multiple=True, default=("best", "distilled", "fast", "classic")
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    default=Path("docs/learning.png"),
    show_default=True,
)
@click.pass_obj
def learning(settings: dict[str, Any], recipes: tuple[str, ...], picture: Path) -> None:
    """Validation error of recipes against seconds of training, epoch by epoch: a picture, too."""
    from benchmarks.curve import draw, numbered

    rows: dict[str, list[Row]] = {}
    for recipe in recipes:
        with CONSOLE.status(recipe):
            asked = ("-m", "benchmarks.curve", settings["data"], settings["path"], recipe)
            points = run_python(*asked)["points"]
        rows[recipe] = [{"seconds": seconds, "rmse": rmse} for seconds, rmse in points]
    columns = {"seconds": "seconds", "rmse": "validation RMSE"}
    title = f"Validation RMSE of {settings['data']}, epoch by epoch"
    report("learning", title, columns, numbered(rows), settings["out"], CONSOLE)
    draw(rows, title, picture, "seconds of training")


@cli.command()
@click.option(
    "--millions", "sizes", multiple=True, type=int, default=(1, 2, 4, 8, 16, 32), show_default=True
)
@click.option("--recipe", default="fast", show_default=True)
@click.option(
    "--worlds", type=click.Path(path_type=Path), help="Folder to keep the simulated data in."
)
@click.pass_obj
def scale(
    settings: dict[str, Any], sizes: tuple[int, ...], recipe: str, worlds: Path | None
) -> None:
    """Seconds and memory as simulated ratings, users and films grow; one epoch, or all of best."""
    with folder_or_new(worlds) as folder:
        for size in sizes:
            if not (folder / f"{size}m" / "ratings.csv").exists():
                with CONSOLE.status(f"simulating {size} million ratings"):
                    run_python("-m", "benchmarks.world", str(size), folder / f"{size}m")

        def at(size: int) -> Row:
            one = {"data": f"simulated-{size}m", "path": str(folder / f"{size}m")}
            row = _train(one, "--recipe", recipe, *(["--epochs", "1"] * (recipe != "best")))
            return row | {"each": row["whole"] / size, "fit_each": row["fit"] / size}

        methods: dict[str, Any] = {f"{size} million": lambda size=size: at(size) for size in sizes}
        rounds = alternate(settings["repeat"], methods, CONSOLE)
    columns = {name: TRAINING_COLUMNS[name] for name in ("load", "prepare", "compile", "fit")}
    columns |= {
        "fit_each": "fit a million",
        "whole": "process",
        "each": "process a million",
        "peak": "peak GiB",
        "rmse": "test RMSE",
    }
    title = f"`{recipe}`, simulated ratings in the form of MovieLens-32M"
    report("scale", title, columns, rounds, settings["out"], CONSOLE)


@cli.command()
@click.option("--recipe", "recipes", multiple=True, default=("best",), show_default=True)
@click.option("--seeds", default=5, show_default=True, help="Of ninety-ten, from 0.")
@click.option("--latest/--no-latest", default=True, show_default=True, help="The temporal split.")
@click.option("--ml-100k", "small", default="", help="MovieLens-100K, for its official folds.")
@click.option("--newcomers", is_flag=True, help="New people and films, too: two more trainings.")
@click.pass_obj
def accuracy(
    settings: dict[str, Any],
    recipes: tuple[str, ...],
    seeds: int,
    latest: bool,
    small: str,
    newcomers: bool,
) -> None:
    """Errors and lists on ninety-ten, the temporal split, and ML-100K's official folds."""
    from benchmarks.accuracy import newcomer_errors, on_splits

    data = settings["data"], settings["path"]
    columns = {
        **{"rmse": "RMSE", "rmse_low": "95 % from", "rmse_high": "to", "mae": "MAE"},
        **{"ndcg": "NDCG@10", "ndcg_low": "95 % from", "ndcg_high": "to", "shown": "films shown"},
        **{"by_stars": "by stars alone", "whole": "process", "peak": "peak GiB"},
    }
    rows: dict[str, list[Row]] = {}
    seen: dict[str, list[Row]] = {}  # of a method, a row a seed
    for name, found in on_splits(*data, recipes, seeds, latest, small):
        for method in (*recipes, "factor model", "EASE", "most often liked"):
            rows[f"{name}: {method}"] = [found[method]]
            if name.startswith("ninety-ten"):
                seen.setdefault(method, []).append(found[method])
        # after each split, since all of them take an hour and more
        report("accuracy", "Held-out rows", columns, rows, settings["out"], CONSOLE)
    columns = {key: columns[key] for key in ("rmse", "ndcg", "by_stars", "whole", "peak")}
    if newcomers:
        columns |= {"given_0": "new person", "given_5": "5 given", "new_film": "new film"}
        for recipe in recipes:
            seen.setdefault(recipe, []).append(newcomer_errors(*data, recipe))
    title = f"Recipes on ninety-ten, {seeds} seeds"
    report("recipes", title, columns, seen, settings["out"], CONSOLE)


@cli.command()
@click.option("--recipe", default="best", show_default=True)
@click.pass_obj
def newcomers(settings: dict[str, Any], recipe: str) -> None:
    """People and films that the training has never seen (the protocol's third part)."""
    from benchmarks.accuracy import new_films, new_users
    from movierec.data.datasets import load_dataset

    tables = load_dataset(settings["data"], settings["path"] or None)
    rows = {name: [row] for name, row in new_users(tables, recipe)}
    columns = {"rmse": "RMSE", "ndcg": "NDCG@10", "milliseconds": "milliseconds a person"}
    report("new-users", "New users", columns, rows, settings["out"], CONSOLE)
    found = {name: [row] for name, row in new_films(tables, recipe).items()}
    columns = {"rmse": "RMSE", "mae": "MAE", "listed": "share of lists"}
    report("new-films", "New films", columns, found, settings["out"], CONSOLE)


@cli.command()
@click.pass_obj
def similar(settings: dict[str, Any]) -> None:
    """Similar films by the series that they find, beside the full weights of EASE."""
    from benchmarks.similar import compared, series
    from movierec import train
    from movierec.data.datasets import load_dataset
    from movierec.models.best import BestRecipe

    tables = load_dataset(settings["data"], settings["path"] or None)
    quick = BestRecipe("quick", members=1, passes=1)  # films are as similar after any training
    with tempfile.TemporaryDirectory() as folder:
        run = train(tables, quick, run_dir=Path(folder, "run"), holdout="none")
        rows = compared(run.recommender)
    groups = series(tables.movies.set_index("movie_id")["title"])
    title = f"Other films of {len(groups)} series ({sum(map(len, groups.values()))} films)"
    columns = {"found": "among the ten nearest"}
    report("similar", title, columns, rows, settings["out"], CONSOLE)


@cli.command()
@click.option("--recipe", default="best", show_default=True)
@click.pass_obj
def explorer(settings: dict[str, Any], recipe: str) -> None:
    """What answers to the explorer's offers are worth, and how long its actions take."""
    from benchmarks.accuracy import taught_all
    from benchmarks.explorer import actions, asked
    from movierec.data.datasets import load_dataset

    tables = load_dataset(settings["data"], settings["path"] or None)
    columns = {"known": "known", "rmse": "RMSE", "ndcg": "NDCG@10"}
    rows = {name: [row] for name, row in asked(tables, recipe)}
    report("offers", "New users asked about films", columns, rows, settings["out"], CONSOLE)
    columns, rec = {"milliseconds": "milliseconds"}, taught_all(tables, recipe)
    title = f"Actions of the explorer, {settings['data']}"
    report("actions", title, columns, actions(rec), settings["out"], CONSOLE)


@cli.command()
@click.option("--recipe", "recipes", multiple=True, default=("fast", "best"), show_default=True)
@click.pass_obj
def lists(settings: dict[str, Any], recipes: tuple[str, ...]) -> None:
    """Lists of ten films beside implicit's, from the same vectors, and from a large catalogue."""
    columns = {"one": "ms a list", "all": "all users, s", "same": "same films"}
    with tempfile.TemporaryDirectory() as folder:
        for recipe in recipes:
            run = Path(folder, recipe)
            command = ("train", *_data(settings), "--recipe", recipe, "--json")
            with CONSOLE.status(f"a run of {recipe}"):
                run_python("-m", "movierec", *command, "--run", run)
            rounds = turns_within(settings["repeat"], CONSOLE, "benchmarks.lists", "run", run)
            title = f"Lists of {settings['data']}, vectors of `{recipe}`"
            report(f"lists-{recipe}", title, columns, rounds, settings["out"], CONSOLE)
    sizes = ((2_000, 87_000), (200_000, 87_000), (2_000, 500_000))
    rounds = {
        f"{users:,} users, {films:,} films": turns_within(
            1, CONSOLE, "benchmarks.lists", "wide", str(users), str(films)
        )["movierec"]
        for users, films in sizes
    }
    columns = {"one": "ms a list", "all": "all users, s", "peak": "peak GiB"}
    report("lists-wide", "Lists from random vectors", columns, rounds, settings["out"], CONSOLE)


run_option = click.option(
    "--run",
    "run_dir",
    type=click.Path(path_type=Path),
    required=True,
    help="Run folder that the page shows.",
)


@cli.command()
@run_option
@click.pass_obj
def page(settings: dict[str, Any], run_dir: Path) -> None:
    """The page in a browser: opening, and each action."""
    from benchmarks.page import actions, openings

    repeat, out = settings["repeat"], settings["out"]
    rows = {"a fresh browser": openings(run_dir, 1 + max(repeat, 4))}
    columns = {"first films": "first films", "requests": "requests", "kB": "kB"}
    report("page-opening", f"Opening the page, {run_dir}", columns, rows, out, CONSOLE)
    columns = {"milliseconds": "ms until its answer is seen"}
    found = actions(run_dir)
    report("page-actions", f"Actions on the page, {run_dir}", columns, found, out, CONSOLE)


@cli.command()
@run_option
@click.option("--visitors", default=20, show_default=True, help="How many at once.")
@click.option("--minutes", default=10.0, show_default=True, help="For how long.")
@click.option("--pause", default=5.0, show_default=True, help="Seconds between actions, mean.")
@click.pass_obj
def soak(
    settings: dict[str, Any], run_dir: Path, visitors: int, minutes: float, pause: float
) -> None:
    """Visitors who act at random for a while: time of actions, memory, errors."""
    from benchmarks import soak as soaking

    account = soaking.soak(run_dir, visitors, minutes, pause, CONSOLE.print)
    columns = {"actions": "actions", "median": "median, s", "p95": "95 % within, s"}
    columns |= {"star": "of stars", "cpu": "server's ms an action", "own": "visitors' ms"}
    columns |= {"first": "MiB at first", "last": "at last", "wrong": "errors"}
    title = f"{visitors} visitors for {minutes:g} minutes, {run_dir}"
    if account.stars:
        rows = {"the page": [account.row()]}
        report("soak", title, columns, rows, settings["out"], CONSOLE)
    CONSOLE.print("each process, s:", ", ".join(f"{each:.1f}" for each in account.server))
    if account.wrong:
        raise click.ClickException("\n".join(account.wrong[:5]))


@cli.command()
@run_option
@click.option("--folder", type=click.Path(path_type=Path), default=Path("docs"), show_default=True)
def pictures(run_dir: Path, folder: Path) -> None:
    """README's pictures of the page, anew; of a run of the sample."""
    from benchmarks.page import pictures as take

    for path in take(run_dir, folder):
        CONSOLE.print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    cli(prog_name="python -m benchmarks")
