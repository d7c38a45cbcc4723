"""What the tabs of one visitor's page share."""

from __future__ import annotations

from dataclasses import dataclass, field

from movierec.explorer.gallery import Gallery
from movierec.explorer.search import FilmSearch
from movierec.explorer.tuning import Tuning
from movierec.explorer.visitor import Visitor
from movierec.recommend.recommender import Recommender


@dataclass
class Session:
    """What the tabs of one visitor's page share.

    Attributes:
        recommender: only read; several visitors may share it.
        gallery: where grids of films come from.
        tuning: how lists are chosen.
        search: the film that is looked at.
        visitor: what they have told; another one when they load their profile.
    """

    recommender: Recommender
    gallery: Gallery
    tuning: Tuning
    search: FilmSearch
    visitor: Visitor = field(default_factory=Visitor)
