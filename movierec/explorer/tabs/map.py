"""The map: all films, and where the one that is looked at stands among them."""

from __future__ import annotations

from html import escape

import ipywidgets
import numpy as np

from movierec.data.titles import spoken_title
from movierec.explorer import cards
from movierec.explorer.components import MapView
from movierec.explorer.filmmap import FilmMap, film_map, legend
from movierec.explorer.gallery import count_films
from movierec.explorer.session import Session

NEIGHBOURS = 8  # films like the one that is looked at that are marked at most


class MapTab(ipywidgets.VBox):
    """The map of films.

    Attributes:
        view: the map.
        legend, words: what its colours are; what is marked on it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._map: FilmMap | None = None
        self.view = MapView(session.gallery.act)
        self.legend = ipywidgets.HTML()
        self.words = ipywidgets.HTML()
        super().__init__([session.search, self.view, self.legend, self.words])

    def refresh(self) -> None:
        """Mark the film that is chosen now."""
        session, recommender = self._session, self._session.recommender
        if self._map is None:
            self._map = self._laid_out()
        movie_id = session.search.found.value
        if movie_id is None:
            self.view.marks, self.words.value = "", cards.note(session.search.sorry())
            return
        k = min(session.tuning.k.value, NEIGHBOURS)
        similar = recommender.similar(movie_id, **session.tuning.settings() | {"k": k})
        titles = dict(zip(similar["movie_id"], similar["title"], strict=True))
        title = recommender.title(movie_id)
        own = list(session.visitor.ratings)
        self.view.marks = self._map.marks(
            movie_id, [int(film) for film in similar["movie_id"]], own, titles | {movie_id: title}
        )
        near = ", ".join(spoken_title(name) for name in similar["title"])
        said = f"{spoken_title(title)} (ring), and the films most like it: {near or 'none'}."
        if own:
            said += f" Squares: the {count_films(len(own))} with your stars."
        self.view.description = f"Map of {len(self._map.points):,} films by likeness. {said}"
        self.words.value = (
            f'<p class="mr-html" role="status">{escape(said)} Films near each other are watched by '
            "the same people, as far as two dimensions can show it; point at one for its title, "
            "click on it to look at it.</p>"
        )

    def static(self) -> str:
        """The tab as HTML that needs no kernel."""
        layer = '<g class="mr-marks">'
        svg = self.view.svg.replace(layer, f"{layer}{self.view.marks}")
        return svg + self.legend.value + self.words.value

    def _laid_out(self) -> FilmMap:
        """The map, which is sent to the page when the tab is first opened."""
        recommender, gallery = self._session.recommender, self._session.gallery
        drawn = film_map(recommender)
        self.view.points = np.round(drawn.points).astype(int).tolist()
        self.view.ids = drawn.movie_ids.tolist()
        self.view.titles = [spoken_title(film.title) for film in gallery.films(self.view.ids)]
        self.view.svg = drawn.svg
        self.legend.value = legend(recommender, drawn)
        return drawn
