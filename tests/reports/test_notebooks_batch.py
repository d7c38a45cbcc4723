"""The batch, on tiny notebooks that the tests write themselves."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from movierec.errors import InputError
from movierec.lessons.record import record
from movierec.reports import notebooks
from movierec.reports import report as reports
from movierec.reports.kernels import NotebookError
from movierec.reports.notebooks import BatchResult, find_notebooks, run_notebooks
from movierec.reports.pages import html, needs_and_minutes, notebook_page, search_script
from movierec.reports.parameters import declared_parameters, settable

pytestmark = pytest.mark.long

PARAMETERS = """\
data: str = "sample"  # the data set
epochs: int = 2  # passes over the training rows
rate: float = 0.1  # learning rate
chatty: bool = False  # print more
run_dir: str = ""  # folder of the model's run
"""


def write_notebook(path: Path, *cells: str, parameters: str = PARAMETERS) -> None:
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# About {path.stem}"),
            new_markdown_cell("What does *it* answer?\n\nMore."),
            new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            *(new_code_cell(cell) for cell in cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


FIRST = [
    "import json, os, sys\nimport matplotlib.pyplot as plt\nimport ipywidgets\n"
    "from movierec.lessons.record import record",
    "plt.plot([1, 2])\nplt.show()",
    "ipywidgets.IntSlider()",
    "record(values=[data, epochs, rate, chatty], run_dir=run_dir)",
    "from IPython.display import Markdown\n"
    "Markdown('[next](02_second.ipynb), [absent](03_third.ipynb), $x^2$')",
    "os.write(2, b'remark of a C++ library')",
    "progress, threads = os.environ['MOVIEREC_PROGRESS'], int(os.environ['OMP_NUM_THREADS'])",
    "record(python=sys.executable, progress=progress, threads=threads, rmse=0.75, ratings=1234)",
]


@pytest.fixture(scope="module")
def foreign_kernel(tmp_path_factory: pytest.TempPathFactory):
    """A `python3` kernelspec that is found first and starts no Python."""
    folder = tmp_path_factory.mktemp("jupyter")
    spec = folder / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        json.dumps({"argv": ["/no/such/python"], "display_name": "foreign", "language": "python"})
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, foreign_kernel: None) -> BatchResult:
    folder = tmp_path_factory.mktemp("batch")
    write_notebook(folder / "source" / "01_first.ipynb", *FIRST)
    write_notebook(folder / "source" / "02_second.ipynb", "1 + 1", parameters="k: int = 3")
    write_notebook(folder / "source" / "draft.ipynb", "1 / 0")
    given = {"epochs": "7", "rate": 1, "chatty": "true", "k": 4}
    return run_notebooks(folder / "out", given, source_dir=folder / "source")


def metrics(batch: BatchResult) -> dict:
    return json.loads((batch.out_dir / "metrics.json").read_text())


def test_numbered_notebooks_run_in_order_and_others_do_not(batch: BatchResult):
    assert [report.name for report in batch.notebooks] == ["01_first", "02_second"]
    assert list(metrics(batch)["notebooks"]) == ["01_first", "02_second"]
    assert all(report.seconds > 0 for report in batch.notebooks)


def test_parameters_arrive_as_declared(batch: BatchResult):
    recorded = batch.notebooks[0].metrics
    assert recorded["values"] == ["sample", 7, 1.0, True]
    assert recorded["run_dir"] == str(batch.out_dir / "model")
    expected = {"chatty": True, "data": "sample", "epochs": 7, "k": 4, "rate": 1.0}
    assert metrics(batch)["made_from"]["parameters"] == expected


def test_kernel_is_the_running_python_even_if_python3_is_registered_for_another(
    batch: BatchResult,
):
    assert batch.notebooks[0].metrics["python"] == sys.executable
    assert batch.notebooks[0].metrics["progress"] == "lines"
    share = (os.cpu_count() or 1) // notebooks.AT_ONCE
    assert batch.notebooks[0].metrics["threads"] == int(os.environ.get("OMP_NUM_THREADS", share))


def test_figures_are_saved_and_recorded_values_collected(batch: BatchResult):
    assert batch.notebooks[0].figures == ("figures/01_first_1.png",)
    png = (batch.out_dir / "figures" / "01_first_1.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert metrics(batch)["notebooks"]["01_first"]["metrics"]["rmse"] == 0.75
    assert "keras" in metrics(batch)["made_from"]["versions"]


def test_pages_load_nothing_from_elsewhere(batch: BatchResult):
    for page in batch.out_dir.glob("*.html"):
        text = page.read_text()
        assert 'lang="en"' in text
        assert not re.findall(r"<(?:script|link|img|iframe)[^>]*https?://", text)
        assert 'http-equiv="Content-Security-Policy"' in text
        [nonce] = re.findall(r"default-src 'none'; script-src 'nonce-(\w{64})'; ", text)
        scripts = [f'<script nonce="{nonce}">', f'<script nonce="{nonce}" src="search.js">']
        assert re.findall(r"<script[^>]*>", text) == scripts
        assert not re.findall(r"@import|url\([\"']?(?:https?:)?//", text)
        own = re.sub(r"base64,[^\"]+", "", text)
        assert len(own) < 30_000  # without what the notebooks hold: stylesheet and links


def test_pages_are_readable_on_dark_screens_and_in_print(batch: BatchResult):
    for page in (batch.out_dir / "index.html", batch.out_dir / "01_first.html"):
        text = page.read_text()
        assert re.search(r'<meta [^>]*content="light dark"', text)
        for medium in ("(prefers-color-scheme: dark)", "print"):
            assert f"@media {medium} {{\n  :root {{" in text
    assert "@media screen and (prefers-color-scheme: dark) {\n.highlight" in text


def test_pictures_are_in_the_pages_themselves(batch: BatchResult):
    [picture] = re.findall(r'<img alt="[^"]*" src="data:image/png;base64,([^"]+)"/?>', page(batch))
    saved = (batch.out_dir / "figures" / "01_first_1.png").read_bytes()
    assert base64.b64decode(picture) == saved
    assert 'src="figures/01_first_1.png"' in (batch.out_dir / "index.html").read_text()


def page(batch: BatchResult) -> str:
    return (batch.out_dir / "01_first.html").read_text("utf-8")


def test_what_a_cell_says_in_markdown_is_treated_as_its_prose(batch: BatchResult):
    assert '<a href="02_second.html">next</a>, absent, <math' in page(batch)


def test_pages_are_linked_and_titled(batch: BatchResult):
    first = (batch.out_dir / "01_first.html").read_text()
    assert "<title>About 01_first</title>" in first
    assert re.findall(r'<a [^>]*href="([^"#]+)"', first) == [
        *("index.html", "01_first.html", "02_second.html"),  # at the side
        *("02_second.html", "02_second.html"),  # in the text, and at the end
    ]
    assert 'rel="next"' in first
    assert "Interactive part" in first
    index = (batch.out_dir / "index.html").read_text()
    assert "About 02_second" in index
    assert "What does <em>it</em> answer?" in index
    assert "1,234" in index
    for link in re.findall(r'(?:href|src)="([^"]+)"', index):
        assert (batch.out_dir / link).exists()


def test_sections_can_be_searched_for_on_every_page(batch: BatchResult):
    script = (batch.out_dir / "search.js").read_text()
    found = json.loads(script.removeprefix("movierecSections(").removesuffix(");\n"))
    assert [(each["page"], each["heading"]) for each in found][0] == (
        "01_first.html",
        "About 01_first",
    )
    assert {each["page"] for each in found} == {"01_first.html", "02_second.html"}
    assert "What does it answer? More." in found[0]["text"]
    assert "next , absent" in found[0]["text"]  # what a cell said, without its marks


def test_text_without_a_heading_can_be_searched_and_a_remark_in_code_is_none():
    texts = {"01_one": "Before.\n\n# One\n\n```sh\n# a remark\n```\n\n## Two\n\nWords."}
    texts["02_bare"] = "No heading."
    cells = {name: [new_markdown_cell(text)] for name, text in texts.items()}
    script = search_script({name: new_notebook(cells=own) for name, own in cells.items()})
    found = json.loads(script.removeprefix("movierecSections(").removesuffix(");\n"))
    assert [(each["title"], each["heading"], each["text"]) for each in found] == [
        ("One", "One", "Before. One sh a remark"),
        ("One", "Two", "Words."),
        ("02_bare", "02_bare", "No heading."),
    ]


def test_what_the_batch_was_given_and_what_it_was_handed_is_not_on_a_page(batch: BatchResult):
    own = re.sub(r"base64,[^\"]+", "", page(batch))
    assert "Recorded" not in own
    assert str(batch.out_dir) not in own
    assert "injected-parameters" not in own


def test_minutes_come_from_what_there_is_to_read(batch: BatchResult):
    notebook = new_notebook(cells=[new_markdown_cell("# Long\n\n" + 1500 * "word ")])
    notebook.cells.append(new_markdown_cell("**Before you start:** nothing."))
    assert needs_and_minutes(notebook) == ("**Before you start:** nothing.", 10)
    assert "about 1 minute to read" in (batch.out_dir / "index.html").read_text()


def test_pictures_that_are_attached_to_prose_are_in_the_page():
    cell = new_markdown_cell("![a dot](attachment:dot.png)")
    cell["attachments"] = {"dot.png": {"image/png": "AAAA"}}
    shown = notebook_page(new_notebook(cells=[cell]), "01_one", {"01_one": "One"})
    assert '<img alt="a dot" src="data:image/png;base64,AAAA"' in shown


def test_answers_are_hidden_until_they_are_asked_for():
    notebook = new_notebook(
        cells=[new_code_cell("6 * 7", metadata={"jupyter": {"outputs_hidden": True}})]
    )
    notebook.cells[0].outputs = [
        new_output("execute_result", {"text/plain": "42"}, execution_count=1)
    ]
    shown = notebook_page(notebook, "01_one", {"01_one": "One"})
    assert re.search(
        r'<details class="reveal"><summary>Show the answer</summary>.*42.*</details>', shown, re.S
    )


def test_remarks_of_libraries_stay_out_of_the_notebook(batch: BatchResult):
    notebook = nbformat.read(batch.out_dir / "01_first.ipynb", as_version=4)
    assert not [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]


def test_links_between_notebooks_lead_to_pages():
    text = "[a](01_first.ipynb), [b](01_first.ipynb#Part-two), [c](other.ipynb), [d](02_x.ipynb)"
    shown = html(text, {"01_first"})
    links = ["01_first.html", "01_first.html#Part-two", "other.ipynb"]
    assert re.findall('href="([^"]+)"', shown) == links
    assert shown.endswith(", d</p>\n")


def test_equations_are_set_without_a_script():
    shown = html("The loss $(r - 1)^2$ is\n\n$$\n\\frac{1}{n}\n$$", ())
    start = '<p>The loss <math xmlns="http://www.w3.org/1998/Math/MathML" display="in'
    assert shown.startswith(start)
    assert "<msup>" in shown
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>n</mi></mrow></mfrac>" in shown
    assert "$" not in shown


@pytest.mark.parametrize(
    "text", ["`$x$`", "``a ` $x$``", "```\n$x$\n```", "5$ and 6$", "$5 and $6", r"\$x\$", "$x^$"]
)
def test_other_dollar_signs_stay(text: str):
    shown = html(text, ())
    assert "<math" not in shown
    assert shown.count("$") == 2


def test_no_temporary_file_is_left(batch: BatchResult):
    assert not list(batch.out_dir.rglob(".*"))


def test_failure_keeps_the_notebook_and_stops_the_batch(tmp_path: Path, capfd):
    source, out = tmp_path / "source", tmp_path / "out"
    write_notebook(source / "01_fails.ipynb", "'before'", "int('many')", "'after'")
    write_notebook(source / "02_never.ipynb", "1")
    out.mkdir()
    for name in ("index.html", "metrics.json", "02_never.ipynb", "02_never.html", "mine.html"):
        (out / name).write_text("of an earlier batch")

    with pytest.raises(NotebookError, match=r"01_fails stopped in cell 4: ValueError") as caught:
        run_notebooks(out, source_dir=source)

    assert (caught.value.notebook, caught.value.cell) == ("01_fails", 4)
    assert str(out / "01_fails.html") in str(caught.value)
    left = {path.name for path in out.iterdir()}
    assert left == {"01_fails.ipynb", "01_fails.html", "figures", "mine.html"}
    assert "before" in (out / "01_fails.ipynb").read_text()
    assert "many" in (out / "01_fails.html").read_text()
    assert "01_fails" in capfd.readouterr().err


def test_killed_kernel_is_a_failure_too(tmp_path: Path):
    dying = "import os\nos.write(2, b'out of memory')\nos._exit(9)"
    write_notebook(tmp_path / "source" / "01_dies.ipynb", dying)
    with pytest.raises(NotebookError, match="DeadKernelError"):
        run_notebooks(tmp_path / "out", source_dir=tmp_path / "source", progress=False)
    assert (tmp_path / "out" / "01_dies.html").exists()
    assert "out of memory" in (tmp_path / "out" / "01_dies.log").read_text()


RUN = 'run_dir: str = ""  # folder of the run'
MAKER = """
import time
from pathlib import Path
assert not Path(run_dir).exists()
Path(run_dir).mkdir()
(Path(run_dir) / "run.json").write_text("{}")
ends = time.monotonic() + 60
while not (Path(run_dir) / "seen").exists():
    assert time.monotonic() < ends
    time.sleep(0.1)
"""
READER = """
from pathlib import Path
assert (Path(run_dir) / "run.json").exists()
(Path(run_dir) / "seen").touch()
"""


def test_a_notebook_waits_for_the_run_that_it_reads_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notebooks, "AT_ONCE", 2)
    write_notebook(tmp_path / "source" / "01_maker.ipynb", MAKER, parameters=RUN)
    write_notebook(tmp_path / "source" / "02_reader.ipynb", READER, parameters=RUN)
    done = run_notebooks(tmp_path / "out", source_dir=tmp_path / "source", progress=False)
    assert [report.name for report in done.notebooks] == ["01_maker", "02_reader"]


def test_what_is_under_way_beside_a_failure_comes_to_its_end_and_no_other_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notebooks, "AT_ONCE", 2)
    failed = str(tmp_path / "out" / "01_fails.ipynb")
    slow = f"import os, time\nwhile not os.path.exists({failed!r}):\n    time.sleep(0.1)\n"
    slow += "time.sleep(1)"  # until that is told
    for name, cell in {"01_fails": "1 / 0", "02_slow": slow, "03_never": "1"}.items():
        write_notebook(tmp_path / "source" / f"{name}.ipynb", cell, parameters="k: int = 3")
    with pytest.raises(NotebookError, match="01_fails stopped"):
        run_notebooks(tmp_path / "out", source_dir=tmp_path / "source", progress=False)
    left = {path.name for path in (tmp_path / "out").iterdir()}
    pages = {f"{name}.{form}" for name in ("01_fails", "02_slow") for form in ("ipynb", "html")}
    assert left == pages | {"figures"}


def test_an_interrupted_batch_ends_its_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pid = tmp_path / "pid"
    told = f"import os, time, pathlib\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))"
    write_notebook(tmp_path / "source" / "01_long.ipynb", f"{told}\ntime.sleep(600)")

    def interrupted(_: Any) -> Any:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(notebooks, "as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_notebooks(tmp_path / "out", source_dir=tmp_path / "source", progress=False)
    assert not psutil.pid_exists(int(pid.read_text()))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 3}, r"'epoch'; did you mean epochs\? Known: chatty, data, epochs, rate"),
        ({"zzz": 3}, r"'zzz'\. Known: chatty"),
        ({"epochs": "1e3"}, "epochs was given as '1e3'; expected a whole number"),
        ({"epochs": 2.5}, "epochs was given as 2.5; expected a whole number"),
        ({"epochs": True}, "epochs was given as True; expected a whole number"),
        ({"rate": "quick"}, "rate was given as 'quick'; expected a number"),
        ({"rate": "nan"}, "rate was given as 'nan'; expected a number"),
        ({"chatty": "perhaps"}, "chatty was given as 'perhaps'; expected true or false"),
        ({"data": 5}, "data was given as 5; expected a text"),
        ({"run_dir": "x"}, "run_dir is set by the batch"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_starts(
    tmp_path: Path, given: dict, message: str
):
    write_notebook(tmp_path / "source" / "01_first.ipynb", "1 / 0")
    with pytest.raises(InputError, match=message):
        run_notebooks(tmp_path / "out", given, source_dir=tmp_path / "source")
    assert not (tmp_path / "out").exists()


# ---- what is measured, and what is not run again ----


def test_seconds_and_memory_of_each_notebook_are_recorded(batch: BatchResult):
    told = metrics(batch)["notebooks"]
    assert [entry["peak_memory_bytes"] for entry in told.values()] == [
        report.peak_memory_bytes for report in batch.notebooks
    ]
    first, second = (report.peak_memory_bytes for report in batch.notebooks)
    assert 2**24 < second < first < 2**31  # the first loads matplotlib, the second nothing
    assert f"{first / 2**20:,.0f} MiB at most" in (batch.out_dir / "index.html").read_text()


def test_memory_of_processes_that_a_notebook_starts_counts(tmp_path: Path):
    child = "import time; held = b'x' * 2**28; time.sleep(0.5)"
    held = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    write_notebook(tmp_path / "source" / "01_parent.ipynb", held)
    done = run_notebooks(tmp_path / "out", source_dir=tmp_path / "source", progress=False)
    assert done.notebooks[0].peak_memory_bytes > 2**28


@pytest.fixture(scope="module")
def first_report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a report in `out` of two notebooks in `source` on the data in `data`; a copy.

    The report says where its data is, so it has to be read where it was made.
    """
    folder = tmp_path_factory.mktemp("reported")
    cell = "from movierec.lessons.record import record\nrecord(n=open(path + '/u').read())"
    for name, cells in (("01_one", []), ("02_two", [cell])):
        write_notebook(folder / "source" / f"{name}.ipynb", *cells, parameters='path: str = "."')
    (folder / "data").mkdir()
    (folder / "data" / "u").write_text("1")
    assert not again(folder).fresh
    kept = tmp_path_factory.mktemp("kept") / "reported"
    return folder, shutil.copytree(folder, kept)


@pytest.fixture
def reported(first_report: tuple[Path, Path]) -> Path:
    """That folder as it was after the first batch, some seconds old."""
    folder, kept = first_report
    shutil.rmtree(folder)
    return shutil.copytree(kept, folder)


def again(folder: Path, progress: bool = False, **settings: Any) -> BatchResult:
    given = {"path": str(folder / "data")}
    return run_notebooks(
        folder / "out", given, source_dir=folder / "source", progress=progress, **settings
    )


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.mark.parametrize("file", ["search.js", "metrics.json", "index.html"])
def test_a_batch_that_ends_while_it_writes_leaves_no_first_page(reported: Path, monkeypatch, file):
    write = notebooks.write_whole

    def ending(path: Path, content: bytes | str) -> None:
        if path.name == file:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(notebooks, "write_whole", ending)
    with pytest.raises(KeyboardInterrupt):
        again(reported, force=True)
    assert not (reported / "out" / "index.html").exists()
    monkeypatch.undo()
    assert not again(reported).fresh


def test_report_that_is_still_true_is_left_as_it_is(reported: Path):
    before = contents(reported / "out")
    result = again(reported)
    assert result.fresh
    assert contents(reported / "out") == before
    assert [report.metrics for report in result.notebooks] == [{}, {"n": "1"}]
    assert [report.title for report in result.notebooks] == ["About 01_one", "About 02_two"]
    told = json.loads((reported / "out" / "metrics.json").read_text())["notebooks"]
    assert [r.seconds for r in result.notebooks] == [e["seconds"] for e in told.values()]


def test_report_whose_data_changed_is_made_anew(reported: Path, capsys):
    (reported / "data" / "u").write_text("2")
    result = again(reported, progress=True)
    assert not result.fresh
    assert "The report is made anew: the data changed.\n" in capsys.readouterr().err
    assert result.notebooks[1].metrics == {"n": "2"}
    assert again(reported).fresh


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("notebooks", "the notebooks changed"),
        ("code", "the code changed"),
        ("versions", "the versions changed"),
        ("page", "its files are no longer as the batch left them"),
        ("metrics", "the one that is there does not say what it was made from"),
        ("force", "it was asked for"),
    ],
)
def test_report_that_is_no_longer_true_is_made_anew_and_says_why(
    reported: Path, change: str, reason: str, monkeypatch: pytest.MonkeyPatch, capsys
):
    out = reported / "out"
    told = json.loads((out / "metrics.json").read_text())
    monkeypatch.setattr(notebooks, "_run", lambda *_: "made anew")
    assert again(reported).fresh
    if change == "notebooks":
        write_notebook(reported / "source" / "01_one.ipynb", "2", parameters='path: str = "."')
    elif change == "page":
        (out / "01_one.html").write_text("<p>mine")
    elif change == "metrics":
        (out / "metrics.json").write_text(json.dumps(told | {"files": ["01_one.html"]}))
    elif change == "code":
        told["made_from"]["code"] = "of another day"
        (out / "metrics.json").write_text(json.dumps(told))
    elif change == "versions":
        monkeypatch.setattr(reports, "PACKAGES", (*reports.PACKAGES, "papermill"))
    assert again(reported, progress=True, force=change == "force") == "made anew"
    assert capsys.readouterr().err == f"The report is made anew: {reason}.\n"


def test_report_that_was_altered_by_hand_is_made_anew(
    reported: Path, monkeypatch: pytest.MonkeyPatch
):
    file = reported / "out" / "metrics.json"
    told = json.loads(file.read_text())
    monkeypatch.setattr(notebooks, "_run", lambda *_: "made anew")
    entry = told["notebooks"]["01_one"]
    wrong: list[Any] = [None, [], {"01_one": entry}]
    wrong += [told["notebooks"] | {"01_one": {**entry, key: True}} for key in entry]
    wrong += [told["notebooks"] | {"01_one": {**entry, "metrics": {"n": 10**400}}}]
    for notebooks_told in wrong:
        file.write_text(json.dumps(told | {"notebooks": notebooks_told}))
        assert again(reported) == "made anew", notebooks_told


@pytest.mark.parametrize("name", ["figures", "model", "best"])
def test_link_out_of_a_report_is_not_followed(tmp_path: Path, name: str):
    write_notebook(tmp_path / "source" / "01_one.ipynb")
    mine = tmp_path / "mine" / "01_one_1.png"
    for folder in (tmp_path / "out", mine.parent):
        folder.mkdir()
    mine.write_text("mine")
    (tmp_path / "out" / name).symlink_to(mine.parent)
    with pytest.raises(InputError, match=f"{name} is a link that leads out of"):
        run_notebooks(tmp_path / "out", source_dir=tmp_path / "source")
    assert list(mine.parent.iterdir()) == [mine]


def test_only_the_notebooks_that_are_asked_for_are_run(reported: Path):
    result = again(reported, only=["02_two"])
    assert [report.name for report in result.notebooks] == ["02_two"]
    left = {path.name for path in (reported / "out").iterdir()}
    pages = {"02_two.ipynb", "02_two.html", "index.html", "search.js"}
    assert left == pages | {"figures", "metrics.json"}
    with pytest.raises(InputError, match=r"called 'two'; did you mean 02_two\? Known: 01_one, 02"):
        again(reported, only=["two"])


def test_parameters_of_the_notebooks_are_explained():
    listed = settable({source: declared_parameters(source) for source in find_notebooks()})
    assert {"data", "path", "epochs", "batch_size", "learning_rate", "recipe"} <= set(listed)
    assert not {"run_dir", "best_dir", "reuse"} & set(listed)
    assert listed["epochs"].kind == "int"
    assert listed["epochs"].meaning.startswith("passes over the training rows")
    assert all(parameter.meaning for parameter in listed.values())


def test_folder_of_the_sources_is_refused_as_report(tmp_path: Path):
    write_notebook(tmp_path / "01_first.ipynb")
    with pytest.raises(InputError, match="holds the source notebooks"):
        run_notebooks(tmp_path, source_dir=tmp_path)
    assert (tmp_path / "01_first.ipynb").exists()


def test_folder_without_numbered_notebooks_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no notebook named like"):
        run_notebooks(tmp_path / "out", source_dir=tmp_path)


def test_record_refuses_what_json_cannot_hold():
    with pytest.raises(ValueError, match="not JSON compliant"):
        record(rmse=float("nan"))
