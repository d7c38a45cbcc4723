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

# The core: what `pip install movierec` alone can do. Rooms from the ground up, packages and modules
# that stand by themselves, and what each may import in house beside its own modules, wherever the
# import stands.
CORE: dict[str, set[str]] = {
    "errors": set(),
    "paths": set(),
    "registry": set(),
    "progress": set(),
    "vectors": set(),
    "files": {"errors"},
    "trust": {"errors"},
    "stored": {"errors"},
    "logs": {"errors"},
    "spread": {"errors", "registry"},
    "data": {"errors", "files", "logs", "paths", "progress", "registry", "trust"},
    "models": {"data", "errors", "files", "logs", "progress", "registry", "spread"}
    | {"trust", "vectors"},
    "recommend": {"data", "errors", "models", "vectors"},
    "runs": {"data", "errors", "files", "logs", "models", "paths", "recommend", "stored", "trust"}
    | {"vectors"},
    "evaluation": {"data", "errors", "registry", "runs", "vectors"},
    "training": {"data", "errors", "evaluation", "files", "logs", "models", "paths", "progress"}
    | {"registry", "runs", "spread", "vectors"},
}
# The rooms in front of it: each may import from the core, and from these rooms.
IN_FRONT: dict[str, set[str]] = {
    "network": set(),
    "baselines": set(),
    "sample": set(),
    "grouplens": set(),
    "histories": set(),
    "cluster": set(),
    "posters": set(),
    "serving": {"cluster", "network"},  # a network's towers as graphs
    "explorer": {"histories", "posters"},
    "lessons": {"network", "sample"},
    "reports": {"lessons"},
    "page": {"explorer", "posters"},
    "doctor": {"posters"},
    "cli": {"cluster", "doctor", "grouplens", "histories", "page", "posters", "reports", "serving"},
    "__main__": {"cli"},
}
MAY_IMPORT = CORE | {name: rooms | set(CORE) for name, rooms in IN_FRONT.items()}
# modules whose role allows less than their room's
NARROWER: dict[str, set[str]] = {
    "data.tables": {"errors"},
    "data.splits": {"errors"},
    "data.features": {"data.tables", "errors"},  # the one door between ids and row numbers
    "network.towers": {"data.features", "logs", "network.settings"},  # knows nothing of training
    "lessons.shapes": {"data.features", "network.settings"},
    "network.fitting": {"errors", "models.checkpoints", "network.settings", "network.towers"}
    | {"network.workers", "progress", "vectors"},  # knows nothing of films
    "models.factors": {"models.posterior", "models.ridge", "spread", "vectors"},
    "models.posterior": {"spread", "vectors"},
    "models.ridge": {"spread", "vectors"},
    "models.watching": {"models.implicit", "models.neighbours", "spread", "vectors"},
    "models.implicit": {"models.posterior", "spread", "vectors"},  # rows in blocks as there
    "models.neighbours": {"spread", "vectors"},
    "models.newcomers": {"models.factors", "models.nearby", "models.ridge", "vectors"},
    "models.nearby": {"models.watching", "spread", "vectors"},
    "models.certainty": {"models.newcomers", "vectors"},
    "recommend.scorer": {"errors", "models.model", "vectors"},  # row numbers only
    "recommend.catalogue": {"data.features", "data.tables", "data.titles", "errors"},
    "recommend.choosing": {"errors", "vectors"},
    "evaluation.metrics": {"errors", "vectors"},
    "baselines": {"errors", "evaluation.evaluate", "vectors"},
    "explorer.questions": set(),
    "posters.films": {"data.titles"},
    "posters.harmless": {"posters.films"},
}
TENSORFLOW = {"tensorflow", "keras"}
MAY_IMPORT_TENSORFLOW = {
    "network.towers",
    "network.workers",
    "network.fitting",
    "network.network",
    "serving.graphs",
    "lessons.study",  # whose short trainings share one traced step
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


@pytest.mark.parametrize("rooms", [CORE, IN_FRONT], ids=["core", "in front of it"])
def test_rooms_stand_on_rooms_below_them_alone(rooms):
    """So no room is in a circle, hidden imports included, and the core names nothing before it."""
    below: set[str] = set()
    for name, allowed in rooms.items():
        assert allowed <= below, name
        below.add(name)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_its_role_allows(module):
    if module in NARROWER:
        assert in_house(module) <= NARROWER[module]
    assert {room(name) for name in in_house(module)} <= MAY_IMPORT[room(module)] | {room(module)}


def test_no_two_modules_need_each_other():
    """Imports form no circle, wherever they stand."""
    needs = {module: in_house(module) for module in MODULES}
    while needs:
        free = {module for module, needed in needs.items() if not needed & set(needs)}
        assert free, f"a circle among {sorted(needs)}"
        needs = {module: needed for module, needed in needs.items() if module not in free}


@pytest.mark.parametrize("module", MODULES)
def test_only_the_network_and_what_trains_it_import_tensorflow(module):
    names = {name.split(".")[0] for name, _ in imports(module)}
    assert module in MAY_IMPORT_TENSORFLOW or not names & TENSORFLOW


@pytest.mark.parametrize("module", sorted(set(MODULES) - MAY_IMPORT_TENSORFLOW))
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


def test_the_core_works_where_nothing_of_the_rooms_before_it_is_installed(small_own, tmp_path):
    """What `bare.py` shows of the wheel in an empty environment, here in seconds."""
    code = (
        "import sys\n"
        "for package in ('tensorflow', 'keras', 'matplotlib', 'IPython', 'ipywidgets', 'PIL'):\n"
        "    sys.modules[package] = None  # an import of it fails\n"
        "import movierec\n"
        "from movierec.models.best import BestRecipe\n"
        f"tables = movierec.load_run({str(small_own.path)!r}).tables\n"
        "recipe = BestRecipe('tiny', factors=3, passes=2, members=1)\n"
        f"run = movierec.train(tables, recipe, run_dir={str(tmp_path / 'run')!r})\n"
        "rec = movierec.load_run(run.path).recommender\n"
        "user, movie = run.tables.ratings[['user_id', 'movie_id']].iloc[0]\n"
        "for films in (rec.for_user(user), rec.similar(movie), rec.also_liked(movie),\n"
        "              rec.for_users([user]), rec.people_who_like(movie)):\n"
        "    assert len(films) >= 10\n"
        "assert len(rec.explain(user, movie)) > 1\n"
        "assert movierec.evaluate(run)['rmse'] > 0\n"
        "print(len(movierec.load_dataset('sample').movies) > 0)"
    )
    assert fresh(code).splitlines()[-1] == "True"
