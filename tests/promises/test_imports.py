"""Which module may import which: one direction, and nothing heavy before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import movierec

PACKAGE = Path(movierec.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
)

# Rooms of the library, from the ground up: packages, and modules that stand by themselves. What
# each may import in house, beside its own modules, wherever the import stands.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "trust": {"errors"},
    "paths": set(),
    "registry": set(),
    "logs": {"errors"},
    "progress": set(),
    "vectors": set(),
    "files": {"errors"},
    "data": {"errors", "files", "logs", "paths", "progress", "registry", "vectors", "trust"},
    "models": {"data", "errors", "files", "logs", "progress", "trust", "vectors"},
    "recommend": {"data", "errors", "models", "vectors"},
    "runs": {"data", "errors", "files", "logs", "models", "paths", "recommend", "vectors", "trust"},
    "evaluation": {"data", "errors", "models", "recommend", "runs", "vectors"},
    "network": {"data", "errors", "logs", "models", "progress", "runs", "vectors"},
    "sample": {"data", "errors", "files"},
    "lessons": {"data", "errors", "evaluation", "explorer", "models", "network", "recommend"}
    | {"paths", "runs", "training", "vectors"},
    "training": {"data", "errors", "evaluation", "files", "lessons", "logs", "models", "network"}
    | {"paths", "progress", "runs", "vectors"},
    "serving": {"data", "errors", "files", "logs", "network", "recommend", "runs", "trust"}
    | {"vectors"},
    "posters": {"data", "errors", "logs", "paths", "trust"},
    "explorer": {"data", "errors", "posters", "models", "recommend", "vectors"},
    "reports": {"data", "errors", "evaluation", "files", "lessons", "logs", "models", "runs"}
    | {"trust"},
    "page": {"errors", "explorer", "lessons", "logs", "posters", "reports", "runs"},
    "doctor": {"data", "errors", "posters", "paths", "runs"},
    "cli": {"data", "doctor", "errors", "evaluation", "files", "logs", "models", "page", "paths"}
    | {"posters", "progress", "registry", "reports", "runs", "sample", "serving", "training"},
    "__main__": {"cli"},
}
# modules whose role allows less than their room's
NARROWER: dict[str, set[str]] = {
    "data.tables": {"errors"},
    "data.splits": {"errors"},
    "data.features": {"data.tables", "errors"},  # the one door between ids and row numbers
    "network.towers": {"data.features", "logs", "models.recipes"},  # knows nothing of training
    "lessons.shapes": {"data.features", "models.recipes"},
    "network.fitting": {"errors", "models.checkpoints", "models.recipes", "network.towers"}
    | {"network.workers", "progress", "vectors"},  # knows nothing of films
    "models.factors": {"models.posterior", "models.ridge", "vectors"},
    "models.posterior": set(),
    "models.ridge": set(),
    "models.watching": {"models.recipes", "vectors"},
    "evaluation.metrics": {"errors", "vectors"},
    "evaluation.baselines": {"evaluation.metrics", "vectors"},
    "explorer.components": set(),
    "explorer.layout": set(),
    "posters.provider": {"data.titles"},
    "posters.client": {"errors", "trust"},
}
TENSORFLOW = {"tensorflow", "keras"}
MAY_IMPORT_TENSORFLOW = {
    "network.towers",
    "network.workers",
    "network.fitting",
    "network.saved",
    "serving.graphs",
}


def path_of(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py")


def imports(module: str) -> list[tuple[str, bool]]:
    """What a module imports, each with whether the import stands at the top.

    Modules of the house come without `movierec.` before them. Imports under `if TYPE_CHECKING`
    never happen, and are left out.
    """
    found = []

    def visit(node: ast.AST, top: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".removeprefix("movierec.")
                outer = node.module.removeprefix("movierec.")
                found.append((inner if inner in MODULES else outer, top))
        for child in ast.iter_child_nodes(node):
            visit(child, top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    visit(ast.parse(path_of(module).read_text("utf-8")), True)
    return [(name.removeprefix("movierec."), top) for name, top in found]


def in_house(module: str, top_only: bool = False) -> set[str]:
    names = {name for name, top in imports(module) if top or not top_only}
    return names & set(MODULES)  # `from movierec import __version__` is no module


def room(module: str) -> str:
    return module.split(".")[0]


def fresh(code: str) -> str:
    """What some code prints in a Python of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_table_has_the_rooms_that_there_are():
    assert set(MAY_IMPORT) == {room(module) for module in MODULES}
    assert set(NARROWER) <= set(MODULES)


def test_rooms_stand_on_rooms_below_them_alone():
    below: set[str] = set()
    for name, allowed in MAY_IMPORT.items():
        assert allowed <= below | {"explorer"}, name
        below.add(name)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_its_role_allows(module):
    if module in NARROWER:
        assert in_house(module) <= NARROWER[module]
    assert {room(name) for name in in_house(module)} <= MAY_IMPORT[room(module)] | {room(module)}


def test_no_two_modules_need_each_other_to_load():
    """Imports at the top form no circle."""
    needs = {module: in_house(module, top_only=True) for module in MODULES}
    while needs:
        free = {module for module, needed in needs.items() if not needed & set(needs)}
        assert free, f"a circle among {sorted(needs)}"
        needs = {module: needed for module, needed in needs.items() if module not in free}


@pytest.mark.parametrize("module", MODULES)
def test_only_the_network_and_what_trains_it_import_tensorflow(module):
    names = {name.split(".")[0] for name, _ in imports(module)}
    assert module in MAY_IMPORT_TENSORFLOW or not names & TENSORFLOW


@pytest.mark.parametrize("module", sorted(set(MODULES) - MAY_IMPORT_TENSORFLOW - {"lessons.study"}))
def test_nothing_else_loads_the_network_at_its_top(module):
    assert not in_house(module, top_only=True) & MAY_IMPORT_TENSORFLOW


@pytest.mark.parametrize("module", MODULES)
def test_no_module_can_unpickle(module):
    names = {name.split(".")[0] for name, _ in imports(module)}
    assert not names & {"pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
    source = path_of(module).read_text("utf-8")
    assert "read_pickle" not in source
    assert "allow_pickle=True" not in source


def test_import_movierec_is_light():
    heavy = ("tensorflow", "keras", "pandas", "numpy", "matplotlib", "ipywidgets", "pandera")
    code = (
        "import sys, time\n"
        "began = time.process_time()\n"
        "import movierec\n"
        "spent = time.process_time() - began\n"
        f"print(spent, *(set({heavy}) & set(sys.modules)))"
    )
    spent, *loaded = fresh(code).split()
    assert loaded == []
    assert float(spent) < 0.3  # seconds of the processor, so that a busy machine does not matter


def test_public_names_are_loaded_when_used():
    assert set(movierec.__all__) <= set(dir(movierec))
    for name in movierec.__all__:
        assert getattr(movierec, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        movierec.tarin  # noqa: B018


def test_reading_data_loads_no_tensorflow():
    code = (
        "import sys, movierec\n"
        "movierec.load_dataset('sample')\n"
        "print(*({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    )
    assert fresh(code) == ""


def test_recommending_from_a_run_folder_needs_no_tensorflow(small_run):
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = sys.modules['keras'] = None  # an import of them fails\n"
        "import movierec\n"
        f"run = movierec.load_run({str(small_run.path)!r})\n"
        "rec = run.recommender\n"
        "user, movie = run.tables.ratings[['user_id', 'movie_id']].iloc[0]\n"
        "for films in (rec.for_user(user), rec.similar(movie), rec.also_liked(movie),\n"
        "              rec.for_users([user]), rec.people_who_like(movie)):\n"
        "    assert len(films) >= 10\n"
        "movierec.evaluate(run)\n"
        "print(rec.for_user(user)['movie_id'].tolist())"
    )
    user = small_run.tables.ratings["user_id"].iloc[0]
    assert fresh(code) == str(small_run.recommender.for_user(user)["movie_id"].tolist())
