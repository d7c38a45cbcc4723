"""What a visitor told: the file that they keep, and the one that they bring."""

from __future__ import annotations

from movierec.errors import InputError
from movierec.explorer import questions as q
from movierec.recommend.recommender import Recommender
from movierec.trust import read_json

LARGEST = 2**20  # bytes of a profile


def read_profile(recommender: Recommender, content: bytes) -> q.ReadBack:
    """What a visitor told, from the file that they kept.

    Films count only where the id still has the title that it had, so that a file made with other
    data brings in no stranger films.

    Returns:
        What was told, of films of the data alone; `skipped` ratings are of others.

    Raises:
        InputError: no profile, a damaged one, or one that fits no film of the data.
    """
    if len(content) > LARGEST:
        raise InputError(
            f"this file has {len(content):,} bytes; expected a profile of at most {LARGEST:,}"
        )
    try:
        told = read_json(content, q.Profile)
    except InputError as error:
        raise InputError(
            f"this file is no profile of movierec ({error}). Choose a file that was saved here"
        ) from error
    movies = recommender.tables.movies
    titles = dict(zip(movies["movie_id"], movies["title"], strict=True))
    kept = {rated.movie_id: rated for rated in told.ratings}
    fitting = [rated for rated in kept.values() if titles.get(rated.movie_id) == rated.title]
    if kept and not fitting:
        raise InputError(
            f"none of the {len(kept)} films of this profile is in the data "
            f"{recommender.tables.name}; it was saved with other films"
        )
    for rated in fitting:
        if rated.stars not in recommender.star_values:
            raise InputError(
                f"this profile has a rating of {rated.stars:g}; expected one of "
                f"{recommender.star_values}. Choose a file that was saved here"
            )
    known = {rated.movie_id for rated in fitting}
    facts = told.model_dump(include=set(q.Told.model_fields))
    if not recommender.features.user_fields:
        facts |= dict.fromkeys(("gender", "age", "occupation"))
    facts["unknown"] = [id_ for id_ in dict.fromkeys(told.unknown) if id_ in titles.keys() - known]
    back = q.ReadBack(kind="profile", ratings=fitting, skipped=len(kept) - len(fitting), **facts)
    stars = {rated.movie_id: rated.stars for rated in fitting}
    recommender.new_user(stars, back.gender, back.age, back.occupation)  # refuses a job, say
    return back
