"""What a run's rounds become: medians, ratios within a round, goals met or missed, a document and its pictures."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import report
from bench.drawing import Scale, apart, number, text
from bench.figures import Results, Stat, quotient
from bench.goals import DEEP, Goal, goals, memory_of
from bench.load import SHOWN
from bench.processes import PYTHON, ROOT
from bench.sizes import calls_said, paths_of
from bench.tables import headroom, printed, sections, shown, table
from bench.upstream import CHUNKS

CPU = {"direct": 0.0, "ceiling": 100.0, "gateway": 200.0, "nginx": 25.0, "Portkey": 1000.0}
FACTS = {
    "date": "2026-11-21",
    "commit": "abcdef0",
    "python": "3.11.7",
    "kernel": "Linux 6.1",
    "cores": 2,
    "memory_gib": 24,
    "libraries": {"uvicorn": "0.54.0"},
    "versions": {"nginx": "1.22.1"},
}
QUANTILES = {f"{percent:g}": 1.0 + percent / 100 for percent in SHOWN}


def quantiles(factor: float) -> dict[str, float]:
    return {percent: value * factor for percent, value in QUANTILES.items()}


def measured(experiment: str, case: str, target: str, number: int = 0, **figures: Any) -> dict[str, Any]:
    cpu = CPU.get(target, 100.0) * (1 + number / 10)
    latency = quantiles(1 + cpu / 100)
    base = {"requests": 10, "errors": 0, "wrong": "", "per_second": 1e6 / (cpu or 1), "cpu_us": cpu}
    times = {"first_ms": latency, "last_ms": latency, "gap_ms": latency}
    return {"experiment": experiment, "case": case, "target": target, "round": number, **base, **times, **figures}


def streamed(experiment: str, case: str, target: str, chunk_us: float) -> dict[str, Any]:
    """A round in which a chunk cost that much more than nothing."""
    return measured(experiment, case, target, cpu_us=CPU.get(target, CPU["gateway"]) + CHUNKS * chunk_us)


@pytest.fixture
def content() -> dict[str, Any]:
    """A run with three rounds of calls and one of everything else."""
    cases = ("1", "16", "256")
    rows = [measured("whole", case, name, at) for at in range(3) for case in cases for name in CPU]
    for case in ("1 quick", "16 flat out", "50 paced"):
        rows += [streamed("stream", case, name, chunk_us=cpu / 10) for name, cpu in CPU.items()]
    for case in ("flat out", "paced"):
        rows += [streamed("translated", case, "passed", 10), streamed("translated", case, "translated", 25)]
    rows += [measured("registry", "16", name) for name in ("2 × 1 × 1", "500 × 200 × 5 000")]
    rows += [measured("ledger", "16", name) for name in ("0", "1,000,000")]
    for beside, slower in (("nothing", 1.0), ("1 MB", 2.0), ("20 MB", 100.0)):
        times = {"last_ms": quantiles(slower)}
        rows += [measured("bodies", f"{what} beside {beside}", "gateway", **times) for what in ("calls", "streams")]
    rows += [measured("start", case, "gateway", started_s=0.5) for case in ("first", "warm")]
    rows += [measured("resident", case, "gateway", rss_mb=50.0, started_s=0.0) for case in ("idle", "loaded")]
    rows += [measured("memory", "loaded", "gateway", rss_mb=50.0 + min(at, 4), calls=at * 100) for at in range(40)]
    rows += [measured("pages", f"/admin/{at}", "gateway", p50_ms=9.0, p95_ms=float(at)) for at in range(40, 52)]
    rows += [measured("pages", DEEP, "gateway", p50_ms=6.0, p95_ms=7.0)]
    rows += [measured("pages", "/admin/requests", "gateway", p50_ms=5.0, p95_ms=6.0)]
    rows += [measured("burst", "/admin?range=1h", "gateway", p50_ms=20.0, p95_ms=70.0)]
    rows += [measured("drain", "at once", "ledger", rows_per_second=25_000.0)]
    return {"facts": FACTS, "missing": {"LiteLLM": "needs a network"}, "rows": rows}


@pytest.fixture
def results(content: dict[str, Any]) -> Results:
    return Results(content)


# Figures


def test_a_figure_is_the_middle_of_its_rounds_with_their_spread(results: Results) -> None:
    assert results.stat("whole", "16", "gateway", "cpu_us") == Stat(pytest.approx(220), 200, pytest.approx(240))
    assert results.stat("whole", "16", "nobody", "cpu_us") is None


def test_a_ratio_is_of_two_figures_of_the_same_round(content: dict[str, Any]) -> None:
    for row in content["rows"]:
        if (row["target"], row["case"], row["experiment"]) == ("ceiling", "16", "whole"):
            row["cpu_us"] = 10.0 if row["round"] else 1000.0

    assert Results(content).ratio("whole", "16", "gateway", "ceiling") == Stat(
        pytest.approx(22), pytest.approx(0.2), pytest.approx(24)
    )


def test_a_round_in_which_nothing_was_answered_has_no_figure(content: dict[str, Any]) -> None:
    failed = [row for row in content["rows"] if (row["target"], row["experiment"]) == ("gateway", "whole")]
    for row in failed:
        row.update(requests=0, errors=10, last_ms={})

    found = Results(content)

    assert found.added("whole", "1", "gateway", "last_ms.50") is None
    assert found.errors("whole", "1", "gateway") == 30


def test_what_is_added_is_beyond_the_same_load_sent_directly(results: Results) -> None:
    added = results.added("stream", "1 quick", "ceiling", "first_ms.50")

    ceiling, directly = quantiles(1 + CPU["ceiling"] / 100)["50"], QUANTILES["50"]
    assert added and added.middle == pytest.approx(ceiling - directly)


def test_a_chunk_costs_what_a_stream_costs_beyond_a_call(results: Results) -> None:
    chunk = results.chunk_us("stream", "50 paced", "gateway")

    called = results.stat("whole", "16", "gateway", "cpu_us")
    assert chunk and called
    assert chunk.middle == pytest.approx((CPU["gateway"] + CHUNKS * 20 - called.middle) / CHUNKS)


def test_nothing_is_a_quotient_of_nothing() -> None:
    assert quotient(None, Stat(1, 1, 1)) is None
    assert quotient(Stat(1, 1, 1), Stat(0, 0, 0)) is None
    assert quotient(Stat(1, 1, 1), Stat(2, 2, 2)) == 0.5


# Goals


@pytest.mark.parametrize(
    ("found", "is_least", "met"),
    [(0.5, False, "yes, and the stretch"), (1.5, False, "yes"), (3.0, False, "no"), (None, False, "–")],
)
def test_a_goal_is_met_missed_or_was_not_measured(found: float | None, is_least: bool, met: str) -> None:
    assert Goal("what", "s", 2, found, 1, is_least).met == met


def test_a_goal_of_at_least_so_much_is_met_from_there_on() -> None:
    assert [Goal("what", "", 2, found, is_least=True).met for found in (1.9, 2.0, 2.1)] == ["no", "yes", "yes"]


def test_each_goal_is_read_from_its_experiment(results: Results) -> None:
    met = {(goal.what, goal.unit): (goal.found, goal.met) for goal in goals(results)}

    assert met["CPU per request, 16 connections", "× ceiling"] == (pytest.approx(2), "yes")
    assert met["CPU per request, 16 connections", "× Portkey"] == (pytest.approx(0.2), "yes")
    assert met["requests/s with 256 connections", "× 16"] == (pytest.approx(1), "yes")
    assert met["errors", ""] == (0, "yes")
    assert met["translated chunk, paced", "× passed through"][1] == "yes"
    assert met["p99 of small calls beside 1 MB bodies", "ms more"][1] == "yes"
    assert met["p99 of small calls beside 20 MB bodies", "ms more"][1] == "no"
    assert met["p95 of the slowest admin page, 1 M calls in the ledger", "ms"] == (51, "yes")
    assert met["… of figures, after a burst of calls in the running hour", "ms"] == (70, "no")
    assert met["a page far down the list of requests", "× the first"] == (pytest.approx(1.2), "yes")
    assert met["start to first 200, warm", "s"] == (0.5, "yes")
    assert met["ledger, written behind", "rows/s"] == (25_000, "yes")


def test_a_run_without_an_experiment_says_that_its_goals_were_not_measured() -> None:
    nothing = Results({"facts": FACTS, "missing": {}, "rows": []})

    assert {goal.met for goal in goals(nothing)} == {"–"}
    assert [name for name, found in sections(nothing).items() if found] == ["goals"]


def test_memory_is_flat_where_its_second_half_is(results: Results) -> None:
    assert memory_of(results) == (50.0, 4.0, 0.0)


def test_memory_that_goes_on_growing_is_seen(content: dict[str, Any]) -> None:
    for row in content["rows"]:
        if row["experiment"] == "memory":
            row["rss_mb"] = 50.0 + row["calls"] / 100

    _, grown, second = memory_of(Results(content))

    assert grown and grown > 30
    assert second and second > 10


# Tables


def test_a_table_without_rows_is_empty() -> None:
    assert table(("a", "b"), []) == ""
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_a_spread_is_shown_where_there_is_one() -> None:
    assert (shown(None), shown(Stat(1500, 1500, 1500)), shown(Stat(2, 1, 3), 1)) == ("–", "1,500", "2.0 (1.0–3.0)")


def test_the_slowest_pages_are_named_the_slowest_first(results: Results) -> None:
    found = sections(results)["pages"].splitlines()[2:]

    assert (len(found), found[0]) == (10, "| `/admin/51` | 51 |")
    assert sections(results)["burst"].splitlines()[2:] == ["| `/admin?range=1h` | 70 |"]


def test_ids_in_paths_are_not_told(content: dict[str, Any]) -> None:
    path = f"/admin/requests/req_{'0a' * 13}?key={'1f' * 16}&backend={'ab' * 16}:{'cd' * 16}"
    content["rows"] = [measured("pages", path, "gateway", p95_ms=3.0)]

    shown_path = sections(Results(content))["pages"].splitlines()[2]
    assert shown_path == "| `/admin/requests/{id}?key={id}&backend={id}` | 3 |"


def test_what_another_program_printed_is_read_by_its_heads() -> None:
    told = "words\n| path | long: p50 | p95 |\n| --- | ---: | ---: |\n| /admin | 200 | 1,012.5 |\n\n1 path"

    assert list(paths_of(told)) == [("/admin", 200, 1012.5)]


@pytest.mark.parametrize(("said", "calls"), [("1000000", 10**6), ("300k", 300_000), ("10m", 10**7), ("10M", 10**7)])
def test_a_number_of_calls_is_said_in_thousands_or_millions(said: str, calls: int) -> None:
    assert calls_said(said) == calls


@pytest.mark.parametrize("said", ["", "m", "ten", "1.5m"])
def test_no_other_number_of_calls_is_understood(said: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        calls_said(said)


def test_pages_over_more_calls_may_take_longer(content: dict[str, Any]) -> None:
    for row in content["rows"]:
        row["calls"] = 10**7
    met = {goal.what: goal.met for goal in goals(Results(content))}
    assert met["p95 of the slowest admin page, 10 M calls in the ledger"] == "yes"
    assert met["… of figures, after a burst of calls in the running hour"] == "yes"


def test_a_list_far_down_stands_beside_its_first_page(content: dict[str, Any]) -> None:
    for path, middle in (("/admin/requests?code=2xx", 4.0), ("/admin/requests?before={deep}&code=2xx", 8.0)):
        content["rows"].append(measured("pages", path, "gateway", p50_ms=middle, p95_ms=9.0))
    found = sections(Results(content))["depth"].splitlines()[2:]
    assert found == ["| `/admin/requests` | 5 | 6 |", "| `/admin/requests?code=2xx` | 4 | 8 |"]


def test_the_mock_is_compared_with_what_the_gateway_asks_of_it(content: dict[str, Any]) -> None:
    for row in content["rows"]:
        row["per_second"] = 50_000.0 if row["target"] == "direct" else 4_000.0

    assert headroom(Results(content)).endswith("answered 50,000 times a second: 12.5 × the gateway's.")
    assert headroom(Results({"facts": FACTS, "missing": {}, "rows": []})) == ""


def test_who_could_not_be_had_stands_in_the_table_with_why(content: dict[str, Any]) -> None:
    assert "| LiteLLM: needs a network | – |" in printed(content)


def test_every_row_of_a_table_has_as_many_cells_as_its_head(results: Results) -> None:
    for found in sections(results).values():
        widths = {line.count("|") for line in found.splitlines()}
        assert len(widths) == 1, found


# Pictures


def test_a_logarithmic_scale_puts_tenfold_at_even_steps() -> None:
    scale = Scale(1, 1000, 0, 300, is_log=True)

    assert [scale.at(value) for value in (1, 10, 100, 1000)] == [0, 100, 200, 300]
    assert scale.ticks() == [1, 3, 10, 30, 100, 300, 1000]


def test_what_lies_outside_a_scale_is_drawn_at_its_end() -> None:
    assert (Scale(0, 10, 0, 100).at(-5), Scale(0, 10, 0, 100).at(50)) == (0, 100)


def test_a_plain_scale_has_a_few_round_ticks() -> None:
    assert Scale(0, 103_000, 0, 1).ticks() == [0, 50_000, 100_000]
    assert Scale(0, 71, 0, 1).ticks() == [0, 20, 40, 60]


def test_words_are_moved_apart_and_keep_their_order() -> None:
    assert apart([10, 11, 50, 9], 15) == [24, 39, 54, 9]


def test_words_are_escaped() -> None:
    assert text(1, 2, "a < b & c") == '<text x="1" y="2">a &lt; b &amp; c</text>'
    assert [number(value) for value in (0.1234, 3.0, 12345.6)] == ["0.123", "3", "12,346"]


def test_pictures_are_whole_say_what_they_show_and_follow_the_readers_colours(results: Results) -> None:
    drawn = report.plots(results)

    assert set(drawn) == set(report._PICTURES)
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)
        named = {part.tag.rpartition("}")[2] for part in root}
        assert {"title", "desc", "style"} <= named
        assert "prefers-color-scheme: dark" in svg
        assert "nan" not in svg


# The document


@pytest.fixture
def written(content: dict[str, Any], tmp_path: Path) -> Callable[[], str]:
    def write() -> str:
        kept = tmp_path / "results.json"
        kept.write_text(json.dumps(content), "utf-8")
        command = [PYTHON, "-m", "bench.report", str(kept), "--docs", str(tmp_path)]
        subprocess.run(command, check=True, cwd=ROOT)
        return (tmp_path / "benchmarks.md").read_text("utf-8")

    return write


def test_the_document_has_every_section_and_its_pictures_are_beside_it(
    written: Callable[[], str], tmp_path: Path
) -> None:
    document = written()

    heads = re.findall(r"^## (.+)$", document, re.M)
    assert heads[:4] == ["Calls", "Streams", "Translated streams", "Large registries, long ledgers"]
    assert heads[4:6] == ["Large bodies beside small calls", "Pages over a long ledger"]
    assert heads[6:8] == ["Start and memory", "The ledger"]
    assert heads[-2:] == ["Where the time goes", "Doing it again"]
    pictures = re.findall(r"\((bench-\w+\.svg)\)", document)
    assert sorted(pictures) == sorted(report._PICTURES)
    assert all((tmp_path / picture).is_file() for picture in pictures)


def test_the_document_says_what_it_was_measured_with(written: Callable[[], str]) -> None:
    document = written()

    assert "2026-11-21, commit abcdef0: 2 cores, 24 GiB of memory, Linux 6.1, Python 3.11.7" in document
    assert "nginx 1.22.1" in document
    assert "quick look" not in document


def test_a_quick_look_is_called_one() -> None:
    told = report.made_with(Results({"facts": {**FACTS, "share": 0.1}, "missing": {}, "rows": []}))

    assert told.endswith("A quick look with 0.1 of the requests.")


def test_the_document_tells_what_a_call_cost_before(written: Callable[[], str]) -> None:
    document = written()

    row = re.search(r"^\| 16 connections \| ([\d.]+) \| ([\d.]+) \|$", document, re.M)
    assert row and float(row[1]) > 30
    assert float(row[2]) == 2.0


def test_the_document_of_a_part_of_a_run_leaves_out_the_rest(content: dict[str, Any]) -> None:
    content["rows"] = [row for row in content["rows"] if row["experiment"] == "whole"]

    document = report.document(Results(content), ["bench-cpu.svg"])

    assert "## Calls" in document
    assert "## Streams" not in document
    assert "bench-memory.svg" not in document
