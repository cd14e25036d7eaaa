"""Pages of load tests in a real browser without a network: they ask for nothing, and no name is markup."""

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import pytest
from browser import DESK, PHONE, Visit, chromium, visited
from load_rig import null_server
from load_runs import kept_run, plan, rows
from playwright.sync_api import Browser, expect

from inferometer import load_again, load_compare, load_gate, load_html
from inferometer.data_directory import DataDirectory
from inferometer.load_kept import kept
from inferometer.load_objectives import limits
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.plan_spec import Objectives

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

HOSTILE = "<img src=x onerror=\"document.title='caught'\">"
HIDDEN = "a\u202eb\u200bc"
LONG = "y" * 10_240
ENDINGS = {EXIT_OK, EXIT_FAILED, EXIT_INCONCLUSIVE}
"""Of a run whose client may have been disturbed; its page must be right in any case."""
CONTROLS = "[...document.querySelectorAll('button, [tabindex]')].filter((one) => one.offsetParent).length"
FOCUSED = "[...document.querySelectorAll('*')].indexOf(document.activeElement)"
PLACES = """() => {
  const chart = document.querySelector("#objectives svg[role=img]");
  const place = (one, name) => Number(one.getAttribute(name));
  const texts = [...chart.querySelectorAll("text.mid.tick")];
  const ticks = texts.map((one) => [parseFloat(one.textContent), place(one, "x")]);
  return [place(chart.querySelector("circle"), "cx"), place(chart.querySelector("line.rule"), "x1"), ticks];
}"""


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a small real run of a model with a hostile name."""
    root = tmp_path_factory.mktemp("runs")
    words = ["--rate", "30", "--count", "60", "--tokens-in", "16", "--tokens-out", "8", "--start-delay", "0.5"]
    words += [
        "--ttft-max",
        "0.5",
        "--goodput",
        "0.8",
        "--model",
        HOSTILE,
        "--runs",
        str(root),
        "--data",
        str(root / "none"),
    ]
    with null_server("ttft_s=0.05", "itl_s=0.01", "share_429=0.1") as server:
        command = [sys.executable, "-m", "inferometer", "load", "run", server.url, "--output", "json", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode in ENDINGS, done.stderr
    return root / json.loads(done.stdout)["run_id"]


def drawn(visit: Visit) -> None:
    expect(visit.page.locator("[data-panel]").first).to_be_visible()


def quiet(visit: Visit) -> None:
    """Hold a page to what each must be: silent, alone, within its policy, and as wide as the screen."""
    assert ([], [], [], 0) == (visit.said, visit.asked, visit.refused(), visit.sideways_px())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1280", "390"])
def test_the_page_of_a_real_run_opens_from_disk_without_a_network(
    run: Path, browser: Browser, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    with visited(browser, (run / "report.html").as_uri(), size=size, scheme=scheme) as visit:
        drawn(visit)
        quiet(visit)
        assert ["verdict", "client", "environment"] == visit.page.eval_on_selector_all(
            "[data-sign]", "all => all.map(one => one.dataset.sign)"
        )
        assert visit.page.evaluate("document.querySelector('.signs').getBoundingClientRect().top < 60")
        assert [] == visit.barriers()
        visit.page.emulate_media(media="print")
        assert 0 == visit.sideways_px()
        print(f"{size[0]} px {scheme}: {(run / 'report.html').stat().st_size} bytes, {visit.page.title()}")


def test_a_hostile_name_is_text(run: Path, browser: Browser) -> None:
    with visited(browser, (run / "report.html").as_uri()) as visit:
        drawn(visit)
        assert visit.page.locator("dd", has_text=HOSTILE).count() == 1
        assert visit.page.locator("img").count() == 0
        assert "caught" not in visit.page.title()
        quiet(visit)


@pytest.mark.parametrize("name", [HOSTILE, HIDDEN, LONG, f"</script>{HOSTILE}"], ids=["tag", "bidi", "10 kB", "script"])
def test_a_name_anywhere_in_a_report_is_text_and_breaks_no_line(tmp_path: Path, browser: Browser, name: str) -> None:
    run = kept(kept_run(tmp_path, "r1", rows(1), spec=plan(objectives=Objectives(ttft_s=1.0))))
    found = {"name": name, "when": "before", "state": "flag", "found": name, "allowed": name}
    share = {"good": 1, "judged": 2, "low": 0.1, "high": 0.9}
    changes: dict[str, Any] = {
        "run_id": name,
        "model": name,
        "target": name,
        "key": {**run.report["key"], "model": name},
        "environment": [found],
        "attainment": {**run.report["attainment"], "by_objective": {name: share}},
        "receipt": {**run.report["receipt"], "rerun": name},
    }
    path = load_html.write_run(tmp_path, {**run.report, **changes}, run.rows(), {name: Objectives(ttft_s=1.0)})

    with visited(browser, path.as_uri(), size=PHONE) as visit:
        drawn(visit)
        quiet(visit)
        assert visit.page.locator("img").count() == 0
        key = visit.page.locator("#key td").first.text_content()
    assert key == (name if name != HIDDEN else "a\\u202eb\\u200bc")


def test_each_chart_has_its_numbers_as_a_table(run: Path, browser: Browser) -> None:
    with visited(browser, (run / "report.html").as_uri(), size=PHONE) as visit:
        drawn(visit)
        told = json.loads(visit.page.locator("#data").text_content() or "")
        panels = [panel for section in told["sections"] for panel in section["panels"] if panel["chart"]]
        for panel in panels:
            place = visit.page.locator(f"#{panel['id']}")
            place.get_by_role("button", name="Table:").click()
            expect(place.locator("svg[role=img]")).to_be_hidden()
            cells = place.locator("tbody tr").evaluate_all(
                "rows => rows.map(row => [...row.cells].map(c => c.textContent))"
            )
            assert panel["table"]["rows"] == cells
        quiet(visit)
        visit.page.get_by_role("button", name="Table:").first.click()
        expect(visit.page.locator("svg[role=img]").first).to_be_visible()
    assert len(panels) >= 12


def test_a_keyboard_reads_every_chart_and_every_figure(run: Path, browser: Browser) -> None:
    with visited(browser, (run / "report.html").as_uri()) as visit:
        drawn(visit)
        stages = visit.page.locator(".stage")
        charts = stages.count()
        for at in range(charts):
            stages.nth(at).focus()
            visit.page.keyboard.press("End")
            visit.page.keyboard.press("ArrowLeft")
            read = visit.page.locator(".chart .read").nth(at).text_content()
            assert ":" in (read or "")
        visit.page.locator("#percentiles .hint").first.focus()
        assert "nearest rank over the rows" in (visit.page.locator("#told").text_content() or "")
        controls = visit.page.evaluate(CONTROLS)
        seen: set[int] = set()
        visit.page.evaluate("document.activeElement.blur()")
        for _ in range(controls):
            visit.page.keyboard.press("Tab")
            seen.add(visit.page.evaluate(FOCUSED))
    print(f"{charts} charts, {controls} controls, {len(seen)} of them reached by Tab")
    assert controls == len(seen)


def test_numbers_are_written_as_python_writes_them(run: Path, browser: Browser) -> None:
    cases = {
        "duration(0.0123)": "12.3 ms",
        "duration(0.9994)": "999 ms",
        "duration(0.9996)": "1.00 s",
        "duration(75.2)": "1 min 15 s",
        "duration(3700)": "1 h 1 min",
        "duration(0)": "0 s",
        "number(12345)": "12.3k",
        "number(2.5e9)": "2.50G",
        "share(0.99899)": "99.9 %",
        "share(0.999999)": "99.9999 %",
        "share(1)": "100 %",
        "tick(0.05, 's', 0.01)": "50 ms",
        "tick(900, 's', 300)": "15 min",
        "tick(0.985, 'ratio', 0.005)": "98.5 %",
        "tick(0.2, 'change', 0.1)": "+20 %",
        "JSON.stringify(ticks(0, 1, 5, false).at)": "[0,0.2,0.4,0.6,0.8,1]",
        "JSON.stringify(ticks(0.001, 1, 4, true).at)": "[0.001,0.01,0.1,1]",
    }
    with visited(browser, (run / "report.html").as_uri()) as visit:
        drawn(visit)
        assert cases == {text: visit.page.evaluate(text) for text in cases}


def test_a_mark_stands_where_its_value_is(tmp_path: Path, browser: Browser) -> None:
    directory = kept_run(tmp_path, "r1", rows(1), spec=plan(objectives=Objectives(ttft_s=1.0)))
    run = kept(directory)
    path = load_html.write_run(directory, run.report, run.rows(), limits(run.spec.plan))
    joint, asked = run.report["attainment"]["joint"], run.report["attainment"]["goodput_ratio"]

    with visited(browser, path.as_uri()) as visit:
        drawn(visit)
        at, rule, ticks = visit.page.evaluate(PLACES)
    (low, x_low), (high, x_high) = ticks[0], ticks[-1]
    for value, x in ((joint, at), (asked, rule)):
        assert x == pytest.approx(x_low + (100 * value - low) / (high - low) * (x_high - x_low), abs=1.0)


def test_pages_of_sweeps_comparisons_and_gates_are_as_quiet(
    tmp_path: Path, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = (
        kept(kept_run(tmp_path, name, rows(at, slower))) for at, (name, slower) in enumerate((("a", 1.0), ("b", 1.5)))
    )
    load_compare.show(before, after, "html")
    load_html.write_gate([before], [after], load_gate.document(load_gate.answer([before], [after], 7)))
    sweep = tmp_path / "runs" / "s"
    sweep.mkdir(parents=True)
    head = (
        "rate_rps,attainment,lo,hi,ttft_p95_s,tpot_p95_s,in_flight,kv_used_p95,gpu_util_ratio,tokens_out_per_s,verdict"
    )
    (sweep / "steps.csv").write_text(
        f"{head}\n4,1,0.99,1,0.2,0.02,3.5,,,500,accept\n8,0.5,0.4,0.6,,,9.5,,,900,reject\n"
    )
    load_again.show(DataDirectory(root=tmp_path), "s", "html")
    paths = [tmp_path / "b" / "compare-a.html", tmp_path / "b" / "gate.html", sweep / "report.html"]

    assert {str(paths[0]), str(paths[2])} <= set(capsys.readouterr().out.splitlines())
    for path in paths:
        for size in (DESK, PHONE):
            with visited(browser, path.as_uri(), size=size, scheme="dark") as visit:
                drawn(visit)
                quiet(visit)
                assert size == DESK or visit.barriers() == []
