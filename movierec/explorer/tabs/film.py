"""A film: what is like it, and who likes it."""

from __future__ import annotations

import ipywidgets

from movierec.explorer import cards
from movierec.explorer.gallery import MORE, FilmCard, capital, with_stars
from movierec.explorer.session import Session
from movierec.explorer.tuning import NOTHING_LEFT

PEOPLE = 8  # who like the film
ALIKE_BY_WATCHING = "What the same people watch and, a little, what shares genres, years or words."
ALIKE_BY_STARS = "Films whose vectors point the same way."
ALSO = "What the people below, and those who know this film, would watch and like."


class FilmTab(ipywidgets.VBox):
    """The film of the search.

    Attributes:
        card: the film.
        similar, also: films like it; what people who like it also like.
        people: these people, as HTML.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.card = session.gallery.grid("The film", look="one")
        self.similar = session.gallery.grid("Films like it")
        self.also = session.gallery.grid("People who like it also like")
        self.people = ipywidgets.HTML()
        super().__init__([session.search, self.card, self.similar, self.also, self.people])

    def refresh(self) -> None:
        """Show the film that is chosen now."""
        session, recommender = self._session, self._session.recommender
        movie_id = session.search.found.value
        if movie_id is None:
            for grid in (self.card, self.similar, self.also):
                grid.show([])
                grid.status = ""
            self.card.status = session.search.sorry()
            self.people.value = ""
            return
        self.card.status = ""
        (film,) = session.gallery.films([movie_id])
        self.card.show([FilmCard(film, given=session.visitor.ratings.get(movie_id), rate=True)])
        settings = session.tuning.settings()
        similar = recommender.similar(movie_id, **settings)
        self.similar.show(
            [
                FilmCard(film, why=self._together(movie_id, film.movie_id), buttons=(MORE,))
                for film in similar.itertuples()
            ]
        )
        also = recommender.also_liked(movie_id, **settings)
        self.also.show(with_stars(also, (MORE,)))
        alike = ALIKE_BY_WATCHING
        for grid, films, said in ((self.similar, similar, alike), (self.also, also, ALSO)):
            grid.status = NOTHING_LEFT if films.empty else said
        people = recommender.people_who_like(movie_id, PEOPLE)
        if "predicted" not in people:
            people = people.rename(columns={"score": "predicted"})
        if "gender" in people:
            people["gender"] = people["gender"].map({"F": "woman", "M": "man"})
        self.people.value = cards.table(people, "People in the data who like it most")

    def static(self) -> str:
        """The tab as HTML that needs no kernel."""
        grids = (self.card, self.similar, self.also)
        return "".join(grid.static() for grid in grids) + self.people.value

    def _together(self, movie_id: int, other_id: int) -> str:
        return capital(cards.together(self._session.recommender.shared(movie_id, other_id)))
