"""Which module may import which: one direction, and nothing heavy before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import movierec

PACKAGE = Path(movierec.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

# what each module may import in house, wherever the import stands; the roles are design's
ALL = set(MODULES) - {"cli", "__main__"}
DATA = {"errors", "paths"}
MAY_IMPORT = {
    "errors": set(),
    "paths": set(),
    "files": {"errors"},
    "vectors": set(),
    "spectral": {"vectors"},
    "recipes": {"errors"},
    "plots": set(),
    "datasets": DATA | {"simulate"},  # `sample` is a data set too; loaded when it is asked for
    "invented": {"datasets"},
    "simulate": {"datasets", "invented", "files", "errors"},
    "features": {"datasets", "errors"},
    "describe": {"datasets", "features", "splits", "vectors"},
    "splits": {"errors"},
    "titles": {"datasets", "errors"},
    "model": {"features", "recipes"},
    "shapes": {"features", "recipes"},
    "checkpoints": {"files", "errors"},
    "distribution": {"errors"},
    "progress": set(),
    "attributes": {"datasets", "features"},
    "factors": {"recipes", "vectors"},
    "watching": {"recipes", "vectors"},
    "choosing": {"errors", "vectors"},
    "ablation": {"baselines", "best", "evaluation", "recipes", "recommend", "vectors", "watching"},
    "newcomers": {"factors", "vectors"},
    "best": {
        "attributes",
        "factors",
        "features",
        "progress",
        "recipes",
        "runs",
        "vectors",
        "watching",
    },
    "training": {
        "model",
        "recipes",
        "checkpoints",
        "distribution",
        "progress",
        "vectors",
        "errors",
    },
    "networks": ALL - {"pipeline", "evaluation", "widgets", "notebooks", "pages", "predictions"},
    "metrics": {"vectors", "errors"},
    "baselines": {"metrics", "vectors"},
    "evaluation": {"baselines", "metrics", "datasets", "features", "vectors", "errors"},
    "people": {"attributes", "datasets", "features", "vectors", "errors"},
    "resemblance": {"attributes", "features", "vectors", "watching"},
    "reasons": {"newcomers", "people", "vectors", "watching"},
    "recommend": {"choosing", "datasets", "features", "growing", "newcomers", "people", "reasons"}
    | {"resemblance", "titles", "vectors", "watching", "errors"},
    "growing": {"attributes", "datasets", "errors", "features", "newcomers", "recommend"}
    | {"watching"},
    "runs": {"datasets", "features", "files", "newcomers", "recommend", "vectors", "watching"}
    | DATA,
    "pipeline": ALL - {"widgets", "notebooks", "pages", "predictions", "metadata", "doctor"},
    "metadata": DATA | {"providers"},
    "providers": {"metadata", "titles", "errors"},
    "forks": {"nursery", "errors"},  # `nursery` in a fork alone
    "nursery": {"filmmap", "metadata", "plots", "providers", "runs", "forks", "errors"},
    "app": {"notebooks", "forks", "errors"},
    "components": set(),
    "shapewidget": {"cards", "components", "features", "recipes", "shapes"},
    "cards": {"metadata", "titles"},
    "filmmap": {"cards", "datasets", "recommend", "titles"},
    "visitor": {"datasets", "features", "newcomers", "people", "recommend", "vectors", "errors"},
    "widgets": {"cards", "components", "datasets", "features", "filmmap", "metadata", "people"}
    | {"recommend", "titles", "visitor"}
    | DATA,
    "predictions": {"recommend", "features", "files", "errors"},
    "graphs": {"networks", "recommend", "runs"},
    "export": {"datasets", "features", "files", "graphs", "recommend", "runs", "vectors", "errors"},
    "batch": {"choosing", "recommend", "runs", "files", "errors"},
    "pages": {"files"} | DATA,
    "parameters": {"datasets", "errors", "pages", "recipes", "runs"},
    "kernels": {"pages"},
    "freshness": {"datasets"},
    "notebooks": {"files", "freshness", "kernels", "pages", "parameters", "runs"} | DATA,
    "comparison": {"errors", "evaluation", "files", "metrics", "pages", "plots", "runs"},
    "sweep": {"errors", "files", "kernels", "notebooks", "pages", "parameters", "plots"},
    "doctor": {"datasets", "metadata", "runs"} | DATA,
    "cli": ALL,
    "__main__": {"cli"},
}
TENSORFLOW = {"tensorflow", "keras"}
MAY_IMPORT_TENSORFLOW = {"model", "distribution", "training", "networks", "graphs"}


def imports(module: str) -> list[tuple[str, bool]]:
    """Modules that a module imports, each with whether the import stands at the top.

    Imports under `if TYPE_CHECKING` never happen, and are left out.
    """
    tree = ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))
    found = []

    def visit(node: ast.AST, top: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            in_house = node.module == "movierec"
            found.extend((name, top) for name in (names if in_house else [node.module]))
        for child in ast.iter_child_nodes(node):
            visit(child, top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    visit(tree, True)
    return found


def in_house(module: str) -> set[str]:
    names = {name.split(".")[1] for name, _ in imports(module) if name.startswith("movierec.")}
    return names & set(MODULES)  # `from movierec import __version__` is no module


def fresh(code: str) -> str:
    """What some code prints in a Python of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_every_module_has_a_line_in_the_table():
    assert set(MODULES) <= set(MAY_IMPORT)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_its_role_allows(module):
    assert in_house(module) <= MAY_IMPORT[module]


def test_no_two_modules_need_each_other_to_load():
    """Imports at the top form no circle."""
    needs = {
        module: {name.split(".")[1] for name, top in imports(module) if top and "movierec." in name}
        & set(MODULES)
        for module in MODULES
    }
    while needs:
        free = {module for module, needed in needs.items() if not needed & set(needs)}
        assert free, f"a circle among {sorted(needs)}"
        needs = {module: needed for module, needed in needs.items() if module not in free}


@pytest.mark.parametrize("module", ["__init__", *MODULES])
def test_only_the_network_and_what_trains_it_import_tensorflow(module):
    names = {name.split(".")[0] for name, _ in imports(module)}
    assert module in MAY_IMPORT_TENSORFLOW or not names & TENSORFLOW


@pytest.mark.parametrize("module", sorted(set(MODULES) - MAY_IMPORT_TENSORFLOW))
def test_nothing_else_loads_the_network_at_its_top(module):
    top = {name.split(".")[1] for name, top in imports(module) if top and "movierec." in name}
    assert not top & MAY_IMPORT_TENSORFLOW


@pytest.mark.parametrize("module", ["__init__", *MODULES])
def test_no_module_can_unpickle(module):
    names = {name.split(".")[0] for name, _ in imports(module)}
    assert not names & {"pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
    source = (PACKAGE / f"{module}.py").read_text("utf-8")
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
