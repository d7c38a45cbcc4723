"""The commands that recommend films or predict ratings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from movierec.cli.options import (
    choice_options,
    chosen,
    json_option,
    k_option,
    liking_option,
    movie_argument,
    open_run,
    opened_run,
    out_option,
    why_option,
)
from movierec.cli.printing import print_facts, print_films
from movierec.errors import InputError


@click.group()
def recommend() -> None:
    """Recommend films from a run. A MOVIE is an id or a title."""


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
    recommender = open_run(run_dir).recommender
    settings = chosen(recommender, **choice)
    films = recommender.for_user(user_id, exclude_seen=not include_seen, liking=liking, **settings)
    if why:
        films["why"] = [recommender.because(user_id, movie) for movie in films["movie_id"]]
    print_films(films, f"for user {user_id}", as_json)


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
    """The films for somebody new, from as much as they tell."""
    recommender = open_run(run_dir).recommender
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
    films = recommender.for_user(person, liking=liking, **chosen(recommender, **choice))
    if why:
        films["why"] = [recommender.because(person, movie) for movie in films["movie_id"]]
    print_films(films, "for you", as_json)


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
    recommender = open_run(run_dir).recommender
    settings = chosen(recommender, **choice)
    if settings.pop("temperature") or settings.pop("seed") is not None:
        raise InputError("a group gets its best films; leave out --temperature and --seed")
    films = recommender.for_group(user_ids, how=how, liking=liking, **settings)
    print_films(films, f"for users {', '.join(map(str, user_ids))}", as_json)


@recommend.command("for-users")
@click.argument("users", metavar="USERS.parquet", type=click.Path(path_type=Path))
@opened_run
@out_option(
    "DIR", "Where to write; a new folder, or that of the same job, interrupted.", required=True
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
    """The films for many users, written to a folder.

    USERS.parquet is a Parquet file, or a folder of them, with a column user_id. The lists are
    written part by part; after an interrupt of any kind, the same command makes the parts that are
    missing. Several workers need the extra `batch`.
    """
    from movierec.progress import counted
    from movierec.serving.batch import recommend_all

    try:
        with counted("parts") as on_part:
            facts = recommend_all(
                open_run(run_dir).path, users, out, k, workers, scheduler, on_part=on_part
            )
    except KeyboardInterrupt:
        print("\nmovierec: stopped; the same command goes on with what is missing", file=sys.stderr)
        sys.exit(130)
    print_facts({"out": str(out)} | facts, as_json)


@recommend.command("similar")
@movie_argument
@opened_run
@choice_options
@json_option
def similar_command(movie: str, run_dir: Path | None, as_json: bool, **choice: Any) -> None:
    """The films most like a film."""
    recommender = open_run(run_dir).recommender
    movie_id = recommender.movie_id(movie)
    films = recommender.similar(movie_id, **chosen(recommender, **choice))
    print_films(films, f"similar to {recommender.title(movie_id)}", as_json)


@recommend.command("also-liked")
@movie_argument
@opened_run
@choice_options
@json_option
def also_liked_command(movie: str, run_dir: Path | None, as_json: bool, **choice: Any) -> None:
    """What the people who like a film also like."""
    recommender = open_run(run_dir).recommender
    movie_id = recommender.movie_id(movie)
    films = recommender.also_liked(movie_id, **chosen(recommender, **choice))
    print_films(films, f"liked by people who like {recommender.title(movie_id)}", as_json)


@click.command("predict")
@click.argument("pairs", metavar="PAIRS.csv", type=click.Path(path_type=Path))
@opened_run
@out_option("FILE", "Where to write, in place of the standard output.")
@json_option
def predict_command(pairs: Path, run_dir: Path | None, out: Path | None, as_json: bool) -> None:
    """Add a predicted rating to each user and film of a CSV file."""
    from movierec.files import write_whole
    from movierec.serving.predictions import as_csv, predict_file

    header, *rows = predict_file(open_run(run_dir).recommender, pairs)
    if as_json:
        records = [dict(zip(header, row, strict=True)) for row in rows]
        text = json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    else:
        text = as_csv(header, *rows)
    if out is None:
        sys.stdout.write(text)
    else:
        write_whole(out, text)
