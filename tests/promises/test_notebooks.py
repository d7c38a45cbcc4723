"""movierec's own notebooks, executed by papermill on a small world, start to end."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import unquote

import nbformat
import pytest
from verdict_checks import CHECKS, check

from movierec.explorer.people import active_user
from movierec.reports.notebooks import BatchResult, run_notebooks
from movierec.reports.pages import index_page
from movierec.runs import load_run

pytestmark = pytest.mark.long

NAMES = ["01_data", "02_shapes", "03_training", "04_evaluation"]
NAMES += ["05_both_halves", "06_recommend", "07_solutions"]
FINDINGS = {  # what the findings of a notebook say of what it records, as they write it
    "01_data": {"ratings": "{:,}", "filled": "{:.2%}", "mean_rating": "{:.3f}"},
    "02_shapes": {"parameters": "{:,}", "layers": "{}", "embedding_share": "{:.0%}"},
    "03_training": {"validation_loss": "{:.4f}", "best_epoch": "{}", "parameters": "{:,}"},
    "04_evaluation": {"test_rmse": "{:.4f}", "test_ndcg_at_10": "{:.3f}"},
    "05_both_halves": {"rmse_by_hand": "{:.4f}", "words_change": "{:+.3f}"},
    "06_recommend": {"films_on_lists": "{:,}", "milliseconds_a_list": "{:.2f}"},
    "07_solutions": {"exercises_solved": "{}"},
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> BatchResult:
    """On the sample, whose truth is known."""
    return run_notebooks(tmp_path_factory.mktemp("report"), {"epochs": "2"}, progress=False)


def outputs(report: BatchResult, name: str) -> list:
    notebook = nbformat.read(report.out_dir / f"{name}.ipynb", as_version=4)
    return [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]


def test_all_notebooks_run_in_order(report: BatchResult) -> None:
    assert [notebook.name for notebook in report.notebooks] == NAMES
    assert all(notebook.figures for notebook in report.notebooks)


@pytest.mark.parametrize("name", NAMES)
def test_findings_say_what_metrics_json_holds(report: BatchResult, name: str) -> None:
    metrics = json.loads((report.out_dir / "metrics.json").read_text())
    recorded = metrics["notebooks"][name]["metrics"]
    notebook = nbformat.read(report.out_dir / f"{name}.ipynb", as_version=4)
    start = next(n for n, c in enumerate(notebook.cells) if "## What was found" in c.source)
    said = "".join(
        output.get("data", {}).get("text/markdown", "")
        for cell in notebook.cells[start:]
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    for figure, form in FINDINGS[name].items():
        assert form.format(recorded[figure]) in said, figure


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_on_a_page_is_described(report: BatchResult, name: str) -> None:
    page = (report.out_dir / f"{name}.html").read_text("utf-8")
    pictures = re.findall(r"<img [^>]*>", page[page.index("<body") :])
    assert pictures
    assert [p[:200] for p in pictures if not re.search(r'alt="[^"]{20,}"', p)] == []


@pytest.mark.parametrize("name", NAMES)
def test_contents_and_links_of_a_page_lead_to_places_that_are_there(
    report: BatchResult, name: str
) -> None:
    page = (report.out_dir / f"{name}.html").read_text("utf-8")
    body = page[page.index("<body") :]
    places = {unquote(unescape(place)) for place in re.findall(r'id="([^"]+)"', body)}
    links = {unquote(unescape(link)) for link in re.findall(r'href="#([^"]+)"', body)}
    assert len(links) > 5
    assert links - places == set()
    assert re.findall(r'href="[^"/]+\.ipynb[^"]*"', body) == []  # pages link to pages


@pytest.mark.parametrize("name", NAMES)
def test_executed_notebooks_hold_no_stderr_and_no_control_characters(
    report: BatchResult, name: str
) -> None:
    streams = [output for output in outputs(report, name) if output.output_type == "stream"]
    assert [stream.text for stream in streams if stream.name == "stderr"] == []
    assert not any(re.search(r"[\r\b\x1b]", stream.text) for stream in streams)
    shown = [json.dumps(output) for output in outputs(report, name)]
    assert [text for text in shown if re.search(r"\w+Warning\b", text)] == []


def test_training_shows_one_line_an_epoch(report: BatchResult) -> None:
    printed = "".join(o.text for o in outputs(report, "03_training") if o.output_type == "stream")
    assert re.findall(r"^epoch +(\d+) ", printed, flags=re.MULTILINE) == ["1", "2"]
    page = (report.out_dir / "03_training.html").read_text("utf-8")
    assert re.search(r"<pre>epoch +1 [^<\n]+\nepoch +2 ", page)  # in one block


def test_sentences_say_what_the_numbers_beside_them_say(report: BatchResult) -> None:
    found: set[str] = set()
    for name in NAMES:
        found |= check(nbformat.read(report.out_dir / f"{name}.ipynb", as_version=4))
    assert found == set(CHECKS)


def test_what_was_learned_stands_beside_the_truth(report: BatchResult) -> None:
    said = {
        name: "\n".join(o.get("data", {}).get("text/markdown", "") for o in outputs(report, name))
        for name in ("03_training", "05_both_halves", "06_recommend")
    }
    shares = re.search(
        r"before training (-?\d+)% .+ after (-?\d+)% of the tastes .+ it would be (-?\d+)%",
        said["03_training"],
    )
    _, after, chance = map(int, shares.groups())
    assert after > chance + 20
    assert "of the directions of their vectors" in said["05_both_halves"].lower()
    same, by_chance = re.search(
        r"\*\*(\d+)%\*\*, and of any two films (\d+)%", said["06_recommend"]
    ).groups()
    assert int(same) > 3 * int(by_chance)
    assert "of the stars that they gave besides" in said["06_recommend"]


def test_report_and_run_agree(report: BatchResult) -> None:
    run = load_run(report.out_dir)  # finds the batch's `model`
    metrics = json.loads((report.out_dir / "metrics.json").read_text())
    recorded = {name: entry["metrics"] for name, entry in metrics["notebooks"].items()}
    assert recorded["01_data"]["ratings"] == len(run.tables.ratings)
    assert recorded["02_shapes"]["shapes_agree"] is True
    assert recorded["03_training"]["validation_loss"] == pytest.approx(
        run.history["val_loss"].min()
    )
    assert recorded["04_evaluation"]["test_rmse"] == pytest.approx(run.metrics["test"]["rmse"])
    assert metrics["made_from"]["parameters"]["epochs"] == 2


def test_a_report_names_the_parameters_that_say_something() -> None:
    given = {"data": "sample", "path": "", "batch_size": 0, "learning_rate": 0.0, "epochs": 3}
    page = index_page({}, given | {"seed": 0}, {})
    assert "<p>data = sample, epochs = 3, seed = 0</p>" in page


@pytest.mark.parametrize("name", NAMES)
def test_pages_link_to_files_that_are_there(report: BatchResult, name: str) -> None:
    page = (report.out_dir / f"{name}.html").read_text("utf-8")
    body = page[page.index("<body") :]
    links = re.findall(r'(?:href|src)="(?!data:|#|https?://)([^"#]+)"', body)
    assert "index.html" in links
    missing = [link for link in set(links) if not (report.out_dir / link).exists()]
    assert missing == []


def test_films_come_from_the_run_and_best_beside_it_has_the_same_rows(report: BatchResult) -> None:
    network, best = load_run(report.out_dir / "model"), load_run(report.out_dir / "best")
    assert (best.part == "test").tolist() == (network.part == "test").tolist()
    recorded = report.notebooks[3].metrics
    assert recorded["best_test_rmse"] == pytest.approx(best.metrics["test"]["rmse"])
    listed = network.recommender.for_user(active_user(network.tables), k=1)["title"][0]
    page = unescape((report.out_dir / "06_recommend.html").read_text("utf-8"))
    assert f"begins with <strong>{listed}</strong>" in page
    assert "test RMSE of recipe best" in (report.out_dir / "index.html").read_text("utf-8")


def test_evaluation_shows_what_each_half_of_the_run_is_worth(report: BatchResult) -> None:
    recorded = report.notebooks[3].metrics
    alone = (
        recorded["test_ndcg_at_10_by_stars_alone"],
        recorded["test_ndcg_at_10_by_watching_alone"],
    )
    assert 0 < alone[0] < alone[1]
    assert alone[0] < recorded["test_ndcg_at_10"]
    page = (report.out_dir / "04_evaluation.html").read_text("utf-8")
    assert "fast, by stars alone" in page
