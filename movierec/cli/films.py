"""The commands that recommend films."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from movierec.cli import options
from movierec.cli.printing import interruptible, print_facts, print_films, tell
from movierec.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from movierec.recommend.people import Person
    from movierec.recommend.recommender import Recommender
    from movierec.runs import Run

    Films = tuple[pd.DataFrame, str]  # and what they are, in words

CHOICE = (
    options.opened_run,
    options.k_option,
    click.option("--temperature", default=0.0, help="Above 0: a draw of the best; 1 is lively."),
    click.option("--seed", type=int, help="Makes a draw repeatable."),
    click.option("--variety", default=0.0, help="0 to 1: how unlike each other the films are."),
    click.option("--genre", "genres", multiple=True, help="Only films of it; repeatable."),
    click.option("--without", multiple=True, help="No films of this genre; repeatable."),
    click.option("--years", metavar="FROM-TO", help="Only films of these years: 1980-1999."),
    click.option("--least-ratings", type=int, help="Only films with so many ratings."),
    click.option("--most-ratings", type=int, help="Only films with no more ratings."),
    options.json_option,
)
liking_option = click.option("--liking", type=float, help="0 to 1: from watching to stars alone.")
daring_option = click.option("--daring", default=0.0, help="-1 (cautious) to 1 (daring).")
why_option = click.option("--why", is_flag=True, help="Say what speaks for each film.")


def lists_films(answer: Callable[..., Films]) -> Callable[..., None]:
    """A command that prints films of a run, with the options by which they are chosen.

    The answer gets the run's recommender, its own arguments, and as keywords how films are chosen.
    """

    @functools.wraps(answer)
    def command(
        run: Run,
        as_json: bool,
        genres: tuple[str, ...],
        without: tuple[str, ...],
        years: str | None,
        least_ratings: int | None,
        most_ratings: int | None,
        **given: Any,
    ) -> None:
        if years is not None and not re.fullmatch("[0-9]+-[0-9]+", years):
            raise InputError(f"got --years {years!r}; expected two years, such as 1980-1999")
        first, last = map(int, years.split("-")) if years else (None, None)
        conditions = genres, without, (first, last), (least_ratings, most_ratings)
        if conditions != ((), (), (None, None), (None, None)):
            given["among"] = run.recommender.where(*conditions)
        print_films(*answer(run.recommender, **given), as_json)

    for option in reversed(CHOICE):
        command = option(command)
    return command


@click.group()
def recommend() -> None:
    """Recommend films from a run. A MOVIE is an id or a title."""


@recommend.command("for-user")
@click.argument("user_id", type=int)
@click.option("--include-seen", is_flag=True, help="Also films that the user has rated.")
@liking_option
@daring_option
@why_option
@lists_films
def for_user_command(
    recommender: Recommender, user_id: int, include_seen: bool, **choice: Any
) -> Films:
    """The films for a user."""
    person = recommender.person(user_id)
    return _for_one(recommender, person, exclude_seen=not include_seen, **choice)


def _for_one(recommender: Recommender, person: Person, why: bool, **choice: Any) -> Films:
    films = recommender.for_user(person, **choice)
    if why:
        films["why"] = recommender.because_each(person, films["movie_id"])
    return films, f"for {person.name}"


@recommend.command("new-user")
@click.option("--rate", "rates", metavar="MOVIE=STARS", multiple=True, help="A rating; repeatable.")
@options.path_option("--ratings history", "FILE", "Of Letterboxd, IMDb or MovieLens, or a table.")
@click.option("--gender", help="F or M.")
@click.option("--age", type=int, help="In years.")
@click.option("--occupation", type=int, help="Code, as in the data.")
@liking_option
@daring_option
@why_option
@lists_films
def new_user_command(
    recommender: Recommender, rates: tuple[str, ...], history: Path | None, **choice: Any
) -> Films:
    """The films for somebody new, from as much as they tell."""
    told: dict[int, float] = {}
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
        if movie_id in told:
            raise InputError(f"got {recommender.title(movie_id)} twice; rate a film once")
        told[movie_id] = given
    ratings = read_ratings(recommender, history) | told if history else told
    facts = {name: choice.pop(name) for name in ("gender", "age", "occupation")}
    return _for_one(recommender, recommender.new_user(ratings, **facts), **choice)


def read_ratings(recommender: Recommender, path: Path) -> dict[int, float]:
    """The ratings of a file; what is doubtful or missing is told."""
    from movierec.histories import read_history

    history = read_history(path, recommender.tables.movies, recommender.star_values)
    for line, films in history.doubtful:
        near = "; ".join(f"{film} {recommender.title(film)}" for film in films)
        tell(f"line {line.number}, {line.title}, may be {near}: name it with --rate ID=STARS")
    tell(
        f"{path.name}: films found: {len(history.ratings):,}; not in the data: "
        f"{len(history.missing):,}; lines without stars, or that are no films: {history.skipped:,}"
    )
    return history.ratings


@recommend.command("group")
@click.argument("user_ids", metavar="USER_ID...", type=int, nargs=-1, required=True)
@click.option("--how", type=click.Choice(["least misery", "mean"]), default="least misery")
@liking_option
@lists_films
def group_command(recommender: Recommender, user_ids: tuple[int, ...], **choice: Any) -> Films:
    """The films for several users at once.

    With least misery, a film is as good as for the one who likes it least.
    """
    return recommender.for_group(user_ids, **choice), f"for users {', '.join(map(str, user_ids))}"


@recommend.command("similar")
@click.argument("movie")
@lists_films
def similar_command(recommender: Recommender, movie: str, **choice: Any) -> Films:
    """The films most like a film."""
    movie_id = recommender.movie_id(movie)
    return recommender.similar(movie_id, **choice), f"similar to {recommender.title(movie_id)}"


@recommend.command("also-liked")
@click.argument("movie")
@lists_films
def also_liked_command(recommender: Recommender, movie: str, **choice: Any) -> Films:
    """What the people who like a film also like."""
    movie_id = recommender.movie_id(movie)
    films = recommender.also_liked(movie_id, **choice)
    return films, f"liked by people who like {recommender.title(movie_id)}"


@recommend.command("for-users")
@click.argument("users", metavar="USERS.parquet", type=options.PATH)
@options.opened_run
@options.path_option("--out", "DIR", "A new folder, or that of an interrupted job.", required=True)
@options.k_option
@options.workers_option
@options.scheduler_option
@options.json_option
def for_users_command(run: Run, users: Path, out: Path, as_json: bool, **settings: Any) -> None:
    """The films for many users, written to a folder.

    USERS.parquet is a Parquet file, or a folder of them, with a column user_id. The lists are
    written part by part; after an interrupt of any kind, the same command makes the parts that are
    missing. Several workers need the extra `batch`.
    """
    from movierec.progress import counted
    from movierec.serving.batch import recommend_all

    with interruptible(), counted("parts") as on_part:
        facts = recommend_all(run.path, users, out, **settings, on_part=on_part)
    print_facts({"out": str(out)} | facts, as_json)
