"""What visitors' processes have loaded when they are forked; see `forks`.

Importing this module loads the run that the environment variable MOVIEREC_RUN names: the standard
library's forkserver can only be told modules to import. The explorer is among them: loading
it takes a second, most of it for jsonschema, and makes no widget, which would belong to no kernel.
"""

from __future__ import annotations

import gc
import os
import sys

import ipykernel.ipkernel
import ipykernel.kernelapp  # noqa: F401
import ipywidgets  # noqa: F401
import pyarrow

import movierec.explorer.explorer
import movierec.lessons.plots  # noqa: F401
from movierec import logs
from movierec.errors import InputError
from movierec.explorer.filmmap import film_map
from movierec.posters.settings import settings
from movierec.runs import load_once

sys.modules["debugpy"] = None  # type: ignore[assignment]  # a page's kernels need no debugger
pyarrow.set_cpu_count(1)  # a fork has none of its parent's threads

# what goes wrong with posters is told where the server was started, not on the page
logs.show("warning")


def _problem() -> str | None:
    """Load the run, and use each of its parts once; what is wrong with it, if anything."""
    try:
        recommender = load_once(os.environ["MOVIEREC_RUN"]).recommender
        row = recommender.tables.ratings[["user_id", "movie_id"]].iloc[0]
        user_id, movie_id = row.tolist()
        recommender.for_user(user_id, 1)  # nothing, where they have rated every film
        recommender.because(user_id, movie_id)
        recommender.also_liked(movie_id)
        recommender.similar(movie_id)
        recommender.find(recommender.title(movie_id))
        recommender.raters(0)
        film_map(recommender)
        if settings() is not None:
            import movierec.posters.douban
            import movierec.posters.tmdb  # noqa: F401
    except InputError as error:
        return str(error)
    return None


PROBLEM = _problem()
gc.collect()
gc.freeze()  # the collector would write to every object, and so copy the memory that is shared
