"""Sentences of executed notebooks held to the numbers that stand beside them on the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd
from bs4 import BeautifulSoup

NUMBER = r"([+-]?[\d,]*\.?\d+)"
Tables = dict[str, list[pd.DataFrame]]


def number(text: str) -> float:
    return float(text.replace(",", ""))


def table_of(html: str) -> pd.DataFrame:
    """A table whose rows have one name each, its numbers as numbers."""
    rows = [row.find_all(["th", "td"]) for row in BeautifulSoup(html, "html.parser")("tr")]
    texts = [[cell.get_text().strip() for cell in row] for row in rows]
    head = texts[0][1:]
    body = {row[0]: row[1:] for row in texts[1:] if len(row) == len(head) + 1 and any(row[1:])}
    frame = pd.DataFrame.from_dict(body, orient="index", columns=head)
    numbers = frame.apply(lambda column: pd.to_numeric(column.str.replace(",", ""), "coerce"))
    return numbers.dropna(axis=1, how="all")


def overfitted(said: re.Match[str], tables: Tables) -> None:
    ends = tables["03-18-plot"][0]
    lost, best, loss, behind = said.groups()
    told = re.findall(rf"\*(.+?)\* {NUMBER}", lost)
    values = [number(value) for _, value in told]
    assert values == sorted(values, reverse=True)
    gone = ends["last"] - ends["best"]
    assert all(abs(gone[name] - number(value)) < 0.0015 for name, value in told)
    assert ends["best"][best] == ends["best"].min() == number(loss)
    near = ends.index[ends["best"] - number(loss) < 0.01].drop(best)
    assert {*re.findall(r"\*(.+?)\*", behind)} == {*near}


def jumps(said: re.Match[str], tables: Tables) -> None:
    small, few, large, many, verdict = said.groups()
    assert number(few) < number(many)
    assert (verdict == "bears") == (number(large) > number(small))


def gained(said: re.Match[str], tables: Tables) -> None:
    change = tables["both-gained"][0]["change"].rename(lambda name: name.removeprefix("+ "))
    for part in said[1].split("; "):
        names, does = re.match(r"(.+?) (lower it|\*\*raise|change it)", part).groups()
        for name in names.split(", "):
            way = {"lower it": change[name] < 0, "**raise": change[name] > 0, "change it": True}
            assert way[does], part


def better(said: re.Match[str], tables: Tables) -> None:
    rival, own, _, low, high, verdict = said.groups()
    gaps = tables["04-11-4582de"][0]
    assert number(low) == gaps["low"][rival]
    assert number(high) == gaps["high"][rival]
    if number(low) <= 0 <= number(high):
        assert "no winner" in verdict
    else:
        assert f"`{own if number(high) < 0 else rival}` is better" in verdict


def chance(said: re.Match[str], tables: Tables) -> None:
    limit, highest, verdict = said.groups()
    assert verdict.startswith("more") == (number(highest) > number(limit))


def added(said: re.Match[str], tables: Tables) -> None:
    _, change, low, high, verdict = said.groups()
    assert number(low) <= number(change) <= number(high)
    if number(low) <= 0 <= number(high):
        assert "nothing is seen" in verdict
    else:
        assert ("better by" in verdict) == (number(low) > 0)


def taught(said: re.Match[str], tables: Tables) -> None:
    other, teacher, *told = map(number, said.groups())
    shown = tables["both-distil-said"][0].loc["RMSE (stars)"]
    assert teacher == shown["best"]
    names = "distilled, at its start", "distilled", "distilled, by stars"
    for name, gone, error in zip(names, told[::2], told[1::2], strict=True):
        assert error == shown[name]
        assert abs((other - error) / (other - teacher) - gone / 100) < 0.02


def worth(said: re.Match[str], tables: Tables) -> None:
    does, _, low, high = said.groups()
    own = {"lower": number(high) <= 0, "**raise**": number(low) >= 0}
    assert own.get(does, number(low) <= 0 <= number(high))


def pairs(said: re.Match[str], tables: Tables) -> None:
    most, own, likes = (number(share) for share in said.groups()[1::2][:3])
    assert most >= own
    assert most >= likes
    ndcg = tables["04-06-measure"][0]["ndcg"]
    if verdict := re.search("better too|nevertheless worse", said[0]):
        good = ndcg["factor model"] > ndcg["most often liked"]
        assert (verdict[0] == "better too") == good


def best_lists(said: re.Match[str], tables: Tables) -> None:
    ndcg = tables["04-06-measure"][0]["ndcg"]
    assert ndcg[said[1]] == ndcg.max()
    assert abs(ndcg[said[1]] - number(said[2])) < 0.001


def floor(said: re.Match[str], tables: Tables) -> None:
    reached, deviation, share = map(number, said.groups())
    assert abs(1 - (reached / deviation) ** 2 - share / 100) < 0.01


CHECKS: dict[str, tuple[str, Callable[[re.Match[str], Tables], None]]] = {
    "overfitted": (
        r"From the best epoch to the last the loss rose by: (.+?)\. With the best epoch kept, "
        rf"\*(.+?)\* has the lowest, {NUMBER}\. Within (.+)",
        overfitted,
    ),
    "jumps": (
        rf"on average: {NUMBER}% with {NUMBER} rows, {NUMBER}% with {NUMBER} rows\. "
        r"This (does|bears)",
        jumps,
    ),
    "gained": (r"Step by step: (.+)\.$", gained),
    "better": (
        rf"other methods is `(.+?)`: `(.+?)` minus it is \*\*{NUMBER} stars\*\* "
        rf"\({NUMBER} to {NUMBER}\): (.+)",
        better,
    ),
    "beyond chance": (
        rf"and above {NUMBER} in one case of twenty: {NUMBER} is (more|\*\*no more)",
        chance,
    ),
    "added": (
        rf"From \*(.+?)\* to \*.+?\* NDCG@10 changes by {NUMBER} \({NUMBER} to {NUMBER}\): "
        r"(.+?)\.",
        added,
    ),
    "taught": (
        rf"has {NUMBER}, the teacher `best` {NUMBER}\. By starting .+? has gone {NUMBER}% "
        rf"\({NUMBER}\) of the way, .+? {NUMBER}% \({NUMBER}\), .+? {NUMBER}% \({NUMBER}\)",
        taught,
    ),
    "worth": (
        rf"(lower|\*\*raise\*\*|change) the error.*? {NUMBER} stars \({NUMBER} to {NUMBER}\)",
        worth,
    ),
    "pairs": (
        rf"`(.+?)` has most pairs in the right order, {NUMBER} %; the run, `(.+?)`, has {NUMBER} "
        rf"%, and the (number) of likes {NUMBER} %.*",
        pairs,
    ),
    "best lists": (rf"\*\*The best lists come from `(.+?)`\*\* \(NDCG@10 {NUMBER}\)", best_lists),
    "floor": (
        rf"{NUMBER} on the ratings drawn. Guessing the mean errs by {NUMBER}: of the variance, "
        rf"{NUMBER}%",
        floor,
    ),
}
OF_THE_SAMPLE = {"floor"}  # whose truth is known


def check(notebook: Any) -> set[str]:
    """Hold all sentences of an executed notebook to its numbers; gives which were found."""
    tables: Tables = {}
    said: list[str] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "<table" in data.get("text/html", ""):
                tables.setdefault(cell.id, []).append(table_of(data["text/html"]))
            said.append(data.get("text/markdown", ""))
    found = set()
    for name, (form, held) in CHECKS.items():
        for text in said:
            for match in re.finditer(form, text, flags=re.MULTILINE):
                held(match, tables)
                found.add(name)
    return found
