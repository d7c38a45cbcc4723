"""The explorer's questions and their answers; it keeps nothing of who asks.

`answer` is all that a transport needs: in a notebook the widget's messages, on the page HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ValidationError

from movierec.data.tables import AGE_BAND_NAMES, AGE_BANDS
from movierec.data.titles import spoken_title
from movierec.errors import InputError, one_line
from movierec.explorer import questions as q
from movierec.explorer.asking import Asking, asking, interview
from movierec.explorer.filmmap import film_map
from movierec.explorer.people import active_user, rated_films
from movierec.histories import read_history
from movierec.recommend import people
from movierec.recommend.reasons import named_of, parts_of
from movierec.recommend.recommender import Recommender
from movierec.recommend.scorer import LIKING
from movierec.trust import fault_of, read_json

if TYPE_CHECKING:
    from movierec.posters.metadata import Metadata

LIKENESS = 60.0  # a title less like the text than this (0 to 100) is no answer to a search
BEST = 12  # films of a person's history that are told
Form = TypeVar("Form", bound=q.Question)
Rows = npt.NDArray[Any]  # row numbers of films
Listed = TypeVar("Listed", Rows, pd.DataFrame)
CONDITIONS: dict[str, dict[str, Any]] = {  # and what is none
    "genres": {"genres": []},
    "without": {"without": []},
    "years": {"first_year": None, "last_year": None},
}


class Service(NamedTuple):
    """What questions are answered from; only read."""

    rec: Recommender  # whose recommendations they are
    asking: Asking  # what is asked of whom
    films: dict[int, dict[str, Any]]  # each film by its id, as answers have it
    active: int  # the person of the data who is shown first
    map: q.MapOfFilms  # of all films that somebody has rated
    posters: Metadata | None = None  # who is asked for pictures and titles; None: nobody


def service_of(rec: Recommender, posters: Metadata | None = None) -> Service:
    """The service of a recommender; what is computed once is computed now."""
    films = {
        int(film.movie_id): {
            "movie_id": int(film.movie_id),
            "title": spoken_title(film.title),
            "year": None if pd.isna(film.year) else int(film.year),
            "genres": [name for name in film.genres.split("|") if name in rec.features.genres[1:]],
        }
        for film in rec.tables.movies.itertuples()
    }
    service = Service(rec, asking(rec), films, active_user(rec.tables), film_map(rec), posters)
    find(service, q.Find(text="a"))
    for_new_user(service, q.ForNewUser())
    also_liked(service, q.OfFilm(movie_id=next(iter(films))))
    return service


# --- the questions -------------------------------------------------------------------------------


def about(service: Service, asked: q.Question) -> q.About:
    """The data, and what can be asked of it."""
    tables, years = service.rec.tables, service.rec.tables.movies["year"].dropna()
    told = bool(service.rec.features.user_fields)
    return q.About(
        data=tables.name,
        people=len(tables.users),
        films=len(tables.movies),
        ratings=len(tables.ratings),
        stars=service.rec.star_values,
        genres=list(service.rec.features.genres[1:]),
        years=(int(years.min()), int(years.max())) if len(years) else None,
        ages=list(zip(AGE_BANDS, AGE_BAND_NAMES, strict=True)) if told else [],
        jobs=list(tables.occupations) if told else [],
        liking=LIKING,
        posters=service.posters.attribution if service.posters else None,
        language=service.posters.language if service.posters else None,
    )


def for_new_user(service: Service, asked: q.ForNewUser) -> q.ForSomeone:
    """Films for somebody who is not in the data, and what to ask them next."""
    movies, person = service.rec.features.movies, _newcomer(service, asked)
    unknown, shown = (
        movies.encode(np.array(ids, np.int64)) for ids in (asked.unknown, asked.shown)
    )
    stands = interview(service.asking, person.rated, unknown, asked.ask, shown)
    questions = _films(service, movies.decode(stands.ask), adds=stands.adds)
    listed = _for_person(service, asked, person)
    return q.ForSomeone(ask=questions, known=stands.known, **listed)


def for_user(service: Service, asked: q.ForUser) -> q.ForPerson:
    """Films for a person of the data, and their history."""
    user_id = service.active if asked.user_id is None else asked.user_id
    person = service.rec.person(user_id)
    rated = rated_films(service.rec, user_id)
    best = rated.head(BEST)
    return q.ForPerson(
        who=q.Person(**service.rec.describe_people(np.array([person.user_idx])).iloc[0].to_dict()),
        rated=len(rated),
        best=list(map(partial(_given, service), best["movie_id"], best["rating"])),
        **_for_person(service, asked, person, asked.exclude_seen),
    )


def for_group(service: Service, asked: q.ForGroup) -> q.Films:
    """Films for several people."""
    rec = service.rec
    group = [
        rec.person(one) if isinstance(one, int) else _newcomer(service, one) for one in asked.people
    ]
    every = rec.tables.movies["movie_id"].to_numpy()

    def stars(movie_ids: npt.ArrayLike) -> npt.NDArray[np.float32]:  # (people, films)
        return np.stack([rec.predict(person, movie_ids) for person in group])

    def listed(**chosen: Any) -> pd.DataFrame:
        if asked.least:
            among = chosen.get("among", every)
            chosen["among"] = np.intersect1d(every[stars(every).min(axis=0) >= asked.least], among)
        if not len(chosen.get("among", every)):
            return pd.DataFrame({"movie_id": np.zeros(0, np.int64), "predicted": []})
        return rec.for_group(group, how=asked.how, **chosen)

    films, loosen = _list(service, asked, listed)
    if asked.least and not len(films):
        loosen.append("least")
    each = stars(films["movie_id"]).T
    told = _films(service, films["movie_id"], predicted=films["predicted"], each=each)
    return q.Films(films=told, loosen=loosen)


def similar(service: Service, asked: q.OfFilm) -> q.Films:
    """Films like a film, and what each has in common with it."""
    films, loosen = _list(service, asked, partial(service.rec.similar, asked.movie_id))
    times = [_times(service, asked.movie_id, other) for other in films["movie_id"]]
    return q.Films(films=_films(service, films["movie_id"], times=times), loosen=loosen)


def also_liked(service: Service, asked: q.OfFilm) -> q.Films:
    """What the people who like a film also like."""
    films, loosen = _list(service, asked, partial(service.rec.also_liked, asked.movie_id))
    told = _films(service, films["movie_id"], predicted=films["predicted"])
    return q.Films(films=told, loosen=loosen)


def people_who_like(service: Service, asked: q.WhoLikes) -> q.People:
    """The people of the data who like a film most."""
    found = service.rec.people_who_like(asked.movie_id, asked.k).drop(columns="score")
    return q.People(people=[q.Person(**row) for row in found.to_dict("records")])


def explain(service: Service, asked: q.Explain) -> q.Explained:
    """Why a film: what each rated film adds to its stars, and to its being watched."""
    rec, user_id = service.rec, asked.user_id
    person = _newcomer(service, asked) if user_id is None else rec.person(user_id)
    movie_idx = rec.features.movies.encode([asked.movie_id])
    parts = parts_of(rec, rec.model, person, movie_idx)
    ids, adds = rec.features.movies.decode(parts.rated), parts.stars[:, 0]
    share = parts.watching[:, 0] / max(float(np.abs(parts.watching).sum()), 1e-12)
    start, *rest = (float(stars[0]) for stars, _ in parts.rest.values())
    reasons = [
        q.Reason(**dict(_given(service, ids[n], parts.given[n])), adds=adds[n], share=share[n])
        for n in np.argsort(-np.abs(adds), kind="stable")
    ]
    return q.Explained(
        film=_told(service, person, movie_idx)[0],
        given=dict(zip(person.rated, person.stars, strict=True)).get(movie_idx[0]),
        start=start,
        rest=sum(rest),
        reasons=reasons,
    )


def find(service: Service, asked: q.Find) -> q.Films:
    """Films whose titles come nearest to a text."""
    found = service.rec.find(asked.text, asked.k)
    return q.Films(films=_films(service, found.loc[found["score"] >= LIKENESS, "movie_id"]))


def map_of_films(service: Service, asked: q.Question) -> q.MapOfFilms:
    """All rated films in a plane: those that lie near each other are watched by the same people."""
    return service.map


def films(service: Service, asked: q.OfFilms) -> q.Films:
    """Some films by their ids."""
    return q.Films(films=_films(service, asked.movie_ids))


def read_file(service: Service, asked: q.ReadFile) -> q.ReadBack:
    """A profile, or an export of ratings from elsewhere, as far as its films are in the data."""
    rec, content = service.rec, asked.text.encode("utf-8", "replace")
    if content.lstrip().startswith(b"{"):
        return read_profile(rec, content)
    history = read_history(content, rec.tables.movies, rec.star_values)
    unsure = [
        q.Doubtful(
            line=line.number,
            title=one_line(line.title, 200),
            year=line.year,
            stars=min(rec.star_values, key=lambda value: abs(value - line.stars)),
            films=_films(service, meant),
        )
        for line, meant in [*history.doubtful, *((line, []) for line in history.missing)]
    ]
    ratings = _titled(rec, history.ratings)
    return q.ReadBack(kind="history", ratings=ratings, unsure=unsure, skipped=history.skipped)


def read_profile(rec: Recommender, content: bytes) -> q.ReadBack:
    """What somebody told, from the file that they kept.

    Films count only where the id still has the title that it had, so that a file made with other
    data brings in no stranger films.

    Raises:
        InputError: no profile, a damaged one, or one that fits no film of the data.
    """
    again = "Choose a file that was saved here"
    try:
        told = read_json(content, q.Profile)
    except InputError as error:
        raise InputError(f"this file is no profile of movierec ({error}). {again}") from error
    titles = dict(zip(rec.tables.movies["movie_id"], rec.tables.movies["title"], strict=True))
    kept = {one.movie_id: one for one in told.ratings}
    fitting = {film: one for film, one in kept.items() if titles.get(film) == one.title}
    if kept and not fitting:
        raise InputError(
            f"none of the {len(kept)} films of this profile is in the data {rec.tables.name}; it "
            "was saved with other films"
        )
    stars = {film: one.stars for film, one in fitting.items()}
    for value in set(stars.values()) - set(rec.star_values):
        expected = f"expected one of {rec.star_values}"
        raise InputError(f"this profile has a rating of {value:g}; {expected}. {again}")
    facts = told.model_dump(include=set(q.Told.model_fields))
    if not rec.features.user_fields:
        facts |= dict.fromkeys(("gender", "age", "occupation"))
    rec.new_user(stars, facts["gender"], facts["age"], facts["occupation"])  # refuses a job, say
    facts["unknown"] = [
        film for film in dict.fromkeys(told.unknown) if film in titles and film not in stars
    ]
    skipped = len(kept) - len(fitting)
    return q.ReadBack(kind="profile", ratings=[*fitting.values()], skipped=skipped, **facts)


def profile(service: Service, asked: q.Someone) -> q.Profile:
    """What somebody told, as a file that `read-file` takes back."""
    facts = asked.model_dump(include=set(q.Told.model_fields))
    ratings = _titled(service.rec, asked.ratings)
    return q.Profile(data=service.rec.tables.name, ratings=ratings, **facts)


def _titled(rec: Recommender, stars: dict[int, float]) -> list[q.Given]:
    return [q.Given(movie_id=n, title=rec.title(n), stars=value) for n, value in stars.items()]


def posters(service: Service, asked: q.OfFilms) -> q.Posters:
    """What is known of films by now; the others are asked for, and never waited for."""
    if service.posters is None:
        return q.Posters(known=[], waiting=[])
    service.rec.features.movies.encode(asked.movie_ids)  # refuses ids of no film
    told = {film: service.posters.known(film) for film in asked.movie_ids}
    waiting = [film for film, found in told.items() if found is None]
    service.posters.ask(waiting)
    known = [
        q.Known(movie_id=film, title=one.title, overview=one.overview, poster=bool(one.poster))
        for film, one in told.items()
        if one
    ]
    return q.Posters(known=known, waiting=waiting)


def picture(service: Service, movie_id: int) -> bytes | None:
    """A film's poster as a JPEG, where it is known by now."""
    details = service.posters.known(movie_id) if service.posters else None
    return details.poster if details else None


QUESTIONS: dict[str, Callable[[Service, Any], BaseModel]] = {
    function.__name__.replace("_", "-"): function
    for function in (about, for_new_user, for_user, for_group, similar, also_liked, people_who_like)
    + (explain, find, films, read_file, profile, posters)
} | {"map": map_of_films}
FORMS = {name: get_type_hints(function) for name, function in QUESTIONS.items()}


def answer(service: Service, name: str, question: bytes | str | dict[str, Any]) -> BaseModel:
    """The answer to a question.

    Args:
        service: what it is answered from.
        name: one of `QUESTIONS`.
        question: JSON, or what it would hold; its model in `questions` says what may stand in it.

    Raises:
        InputError: an unknown question, or one that cannot be answered, and why.
    """
    if name not in QUESTIONS:
        raise InputError(
            f"got the question {one_line(name, 40)!r}; expected one of {', '.join(QUESTIONS)}"
        )
    return QUESTIONS[name](service, checked(FORMS[name]["asked"], question, f"question {name}"))


def checked(form: type[Form], question: bytes | str | dict[str, Any], called: str) -> Form:
    """What was asked, if it is as a model of `questions` says; an `InputError` if not."""
    try:
        if isinstance(question, dict):
            return form.model_validate(question)
        return form.model_validate_json(question)
    except ValidationError as error:
        raise InputError(f"got a {called} that is none: {fault_of(error)}") from error


# --- parts of answers ----------------------------------------------------------------------------


def _named(service: Service, movie_id: int) -> dict[str, Any]:
    if movie_id not in service.films:
        service.rec.title(movie_id)  # raises, and says what is expected
    return service.films[movie_id]


def _newcomer(service: Service, told: q.Someone) -> people.Person:
    return service.rec.new_user(told.ratings, told.gender, told.age, told.occupation)


def _for_person(
    service: Service, asked: q.Conditions, person: people.Person, exclude_seen: bool = True
) -> dict[str, Any]:
    """The list of a person; as `Recommender.for_user`, whose table takes as long as the choice."""
    rec = service.rec

    def rows(liking: float | None, daring: float, **chosen: Any) -> Rows:
        of_person = person.vector, person.profile, liking, daring, person.user_term
        left_out = person.rated if exclude_seen else person.rated[:0]
        return rec.chosen(rec.scorer.score(*of_person)[1], left_out, **chosen)

    movie_idx, loosen = _list(service, asked, rows)
    return {"films": _told(service, person, movie_idx), "loosen": loosen}


def _list(
    service: Service, asked: q.Conditions, mode: Callable[..., Listed]
) -> tuple[Listed, list[str]]:
    """A list, and if it is empty, which conditions to drop for one that is not."""
    listed = mode(**_chosen(service, asked))
    loosen = [
        name
        for name, none in CONDITIONS.items()
        if not len(listed)
        and any(getattr(asked, field) != free for field, free in none.items())
        and len(mode(**_chosen(service, asked.model_copy(update=none))))
    ]
    return listed, loosen


def _chosen(service: Service, asked: q.Conditions) -> dict[str, Any]:
    """Arguments of the recommender's modes."""
    chosen = asked.model_dump(include={"k", "variety", "temperature", "seed", "liking", "daring"})
    years = asked.first_year, asked.last_year
    if asked.genres or asked.without or asked.deny or years != (None, None):
        chosen["among"] = service.rec.where(asked.genres, asked.without, years, deny=asked.deny)
    return chosen


def _films(service: Service, movie_id: Any, **more: Any) -> list[q.Film]:
    """Films in words; each of `more` has an entry a film."""
    return [
        q.Film(**_named(service, int(film)), **dict(zip(more, entries, strict=True)))
        for film, *entries in zip(movie_id, *more.values(), strict=True)
    ]


def _given(service: Service, movie_id: int, stars: float) -> q.Given:
    title = _named(service, int(movie_id))["title"]
    return q.Given(movie_id=int(movie_id), title=title, stars=float(stars))


def _told(service: Service, person: people.Person, movie_idx: Rows) -> list[q.Film]:
    """Films with the stars predicted for somebody, how sure these are, and why.

    Why: the rated films that speak most for each, and the one most against it.
    """
    rec, movies = service.rec, service.rec.features.movies
    stars, std = rec.predict(person, movies.decode(movie_idx), return_std=True)
    parts, named = named_of(rec, rec.model, person, movie_idx)
    ids = movies.decode(parts.rated)

    def given(rows: Rows) -> list[q.Given]:
        return [_given(service, ids[row], parts.given[row]) for row in rows]

    told = {"predicted": stars, "std": std, "chance": rec.scorer.chance(stars, std)}
    why = [
        q.Why(speaks=given(most), though=next(iter(given(least)), None)) for most, least in named
    ]
    return _films(service, movies.decode(movie_idx), **told, why=why)


def _times(service: Service, movie_id: int, other_id: int) -> float | None:
    """How much more often two films are rated by the same people than by chance."""
    rec = service.rec
    first, second = map(rec.raters, map(int, rec.features.movies.encode([movie_id, other_id])))
    both = len(np.intersect1d(first, second, assume_unique=True))
    usual = len(first) * len(second) / len(rec.features.users.used)
    return round(both / usual, 1) if both > 1 else None
