"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from movierec.errors import InputError

if TYPE_CHECKING:
    from movierec.recommend.recommender import Recommender
    from movierec.runs import Run


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


def out_option(metavar: str, text: str, required: bool = False) -> Any:
    """The option `--out`, with what is written there."""
    path = click.Path(path_type=Path)
    return click.option("--out", metavar=metavar, type=path, required=required, help=text)


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


def chosen(
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


def open_run(path: Path | None) -> Run:
    """The run of `--run`, or the newest one."""
    from movierec.runs import load_run, newest_run

    return load_run(path) if path is not None else newest_run()
