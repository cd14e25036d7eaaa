"""Pages of load tests, of an endpoint beside its load test, and of hints, over runs whose results are known."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import load_past
import msgspec
import pytest
import ui_rig
import ui_rows
from browser import DESK, PHONE, Visit, chromium, visited
from load_past import PER_S, SEARCH, START_S
from playwright.sync_api import Browser
from query_store import Stored
from ui_page import quiet, states, told, until
from ui_rig import Served

from telemetry.clock import wall_ms
from telemetry.ids import uuid7
from telemetry.record import RequestRecord
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
TARGET = "chat-eu"
OWN_ROWS, MANY = 50, 60
DAYS, PEAK = 14, range(60, 72)
COUNT = "document.querySelectorAll('[data-panel=\"fleet.endpoints\"] tbody tr').length"
REPORT = {
    "throughput": {"tokens_out_per_s": 5_210.0},
    "metrics": load_past.figures(0.45, 0.03),
    "population": {"n": 3_000},
    "roofline": {
        "tokens_out_per_s_max": 8_400.0, "percent": 62.0, "wall": "kv_capacity", "batch": 64, "kv_batch": 64,
        "remedy": "the KV cache is full before the batch: more TP, fp8 KV, shorter context, higher utilisation",
        "mbu": 0.61, "mfu": 0.5, "fitted": ["mbu"],
    },
}  # fmt: skip
PAGES = {
    "loadtests": {"lt.runs", "lt.knee", "lt.fit"},
    "loadtests/before": {"lt.knee", "lt.latency", "lt.roofline", "lt.compare"},
    "compare?a=before&b=after": {"lt.compare", "lt.runs", "lt.latency"},
    f"endpoints/{TARGET}": {"ep.load_point", "ep.outcome_phases", "ep.tokens"},
    f"hints/{TARGET}": {"hint.forecast", "hint.starts", "hint.proposals", "hint.history"},
    "": {"fleet.ttft", "fleet.endpoints"},
}
"""Panels that must be filled."""
DRAWN = """
(id) => {
  const canvas = document.querySelector(`[data-panel="${id}"] canvas`);
  if (!canvas) return 0;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let seen = 0;
  for (let at = 3; at < data.length; at += 4) if (data[at] > 100) seen += 1;
  return seen;
}
"""
TEXT = "(id) => document.querySelector(`[data-panel=\"${id}\"]`)?.textContent ?? ''"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory, free_tcp_port_factory: Callable[[], int]) -> Iterator[Served]:
    """A fleet that ails, a search of its capacity, and two runs of which the second one is slower."""
    folder = tmp_path_factory.mktemp("loads")
    with StoreProcess(folder / "store") as store:
        stored = Stored(records=(), reader=store.store("reader"), writer=store.store("writer"), process=store)
        present = ui_rig.Present(stored.writer, ui_rig.fill(stored.writer), ails=True)
        stored.insert("node/many", many())
        stored.insert_rows("cold_starts", starts())
        for day in range(1, DAYS + 1):
            stored.insert(f"node/day-{day}", a_day(day))
        for table, rows in load_past.search(TARGET).items():
            stored.insert_rows(table, rows)
        report = {"target": TARGET, "report_json": json.dumps(REPORT)}
        load_past.keep(stored, "before", START_S + 600, load_past.values(1), **report)
        other = report | {"seed": 9, "plan_sha256": "p9"}
        load_past.keep(stored, "after", START_S + 1_200, load_past.values(2, 0.36), **other)
        served = Served(store, folder / "serve", free_tcp_port_factory())
        present.start()
        try:
            served.start()
            yield served
        finally:
            served.end()
            present.end()
            stored.writer.close()
            stored.reader.close()


def many() -> list[RequestRecord]:
    """Return a request of each of more endpoints than have a row of their own."""
    now_ms = wall_ms()
    return [
        msgspec.structs.replace(
            sample_request(n, now_ms - 60_000), endpoint=f"many-{n}", record_id=uuid7(now_ms - 60_000, n)
        )
        for n in range(MANY)
    ]


def starts() -> list[dict[str, Any]]:
    """Return three starts, each of which a controller told something of, and one that failed."""
    now_s = wall_ms() / 1000
    whole = {"target": TARGET, "failed": 0, "ready_us": None, "image_us": None, "init_us": None, "stable_us": None}
    found: list[dict[str, Any]] = [{**whole, "at": now_s - 3_600, "replica": "", "failed": 1}]
    for n, (ready_s, image_s) in enumerate(((210, 60), (225, 66), (380, 221))):
        one = {**whole, "at": now_s - 7_200 * (3 - n), "replica": ui_rows.REPLICAS[n]}
        found.append({**one, "ready_us": ready_s * 1_000_000, "init_us": 120_000_000})
        found.append({**one, "image_us": image_s * 1_000_000})
    return [*found, {**found[1], "at": now_s - 21_500, "ready_us": None, "init_us": None, "stable_us": 42_000_000}]


def a_day(ago: int) -> list[RequestRecord]:
    """Return a request of every ten minutes of a day before, and four from 10:00 to 12:00 UTC."""
    midnight_ms = (wall_ms() // 86_400_000 - ago) * 86_400_000
    times_ms = [
        midnight_ms + 600_000 * slot + 1_000 * n for slot in range(144) for n in range(4 if slot in PEAK else 1)
    ]
    return [
        msgspec.structs.replace(sample_request(n, at_ms), endpoint=TARGET, record_id=uuid7(at_ms, n))
        for n, at_ms in enumerate(times_ms)
        if wall_ms() - at_ms < 14 * 86_400_000 - 3_600_000
    ]


def seen(visit: Visit, page: str, served: Served) -> None:
    """Go to a page, and wait until what must be filled is."""
    visit.page.goto(served.pages + page)
    found = states(visit)
    for _ in range(10):
        if all(found.get(panel) in {"ok", "partial", "stale"} for panel in PAGES[page]):
            return
        visit.page.wait_for_timeout(2_000)
        found = states(visit)
    said = visit.page.locator("[data-state=error]").all_text_contents()
    raise AssertionError(f"/{page}: {found} {said}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "fleet")
def test_a_page_is_filled_quiet_and_without_barriers(tested: Served, browser: Browser, page: str) -> None:
    with visited(browser, tested.pages, scheme="dark", is_offline=False) as visit:
        seen(visit, page, tested)
        for size, scheme in ((DESK, "dark"), (PHONE, "light")):
            visit.page.set_viewport_size({"width": size[0], "height": size[1]})
            visit.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            visit.page.wait_for_timeout(60)
            quiet(visit, tested.root)
            assert [] == visit.barriers()


def test_the_last_of_many_endpoints_are_one_row(tested: Served, browser: Browser) -> None:
    with visited(browser, tested.pages, is_offline=False) as visit:
        seen(visit, "", tested)
        rows = visit.page.locator('[data-panel="fleet.endpoints"] tbody tr')
        all_of_them = len(told(tested.root, "/v1/panels/fleet.endpoints.json")["rows"])

        assert OWN_ROWS + 1 == rows.count()
        assert (rows.nth(OWN_ROWS).text_content() or "").startswith(f"{all_of_them - OWN_ROWS} other")
        rows.nth(OWN_ROWS).get_by_role("link").click()
        assert until(visit, f"{COUNT} === {all_of_them}")


def test_the_curve_of_a_search_says_what_to_adopt(tested: Served, browser: Browser) -> None:
    with visited(browser, tested.pages, is_offline=False) as visit:
        seen(visit, "loadtests", tested)
        said = until(visit, f"({TEXT})('lt.knee').includes('recommended') && ({TEXT})('lt.knee')")

        assert f"{SEARCH}: recommended 4.10/s, of which good 4.10/s" in said
        assert visit.page.evaluate(f"({DRAWN})('lt.knee')") > 200


def test_two_runs_are_told_apart_with_what_makes_them_unlike(tested: Served, browser: Browser) -> None:
    with visited(browser, tested.pages, is_offline=False) as visit:
        seen(visit, "compare?a=before&b=after", tested)
        said = until(visit, f"({TEXT})('lt.compare').includes('worse') && ({TEXT})('lt.compare')")
        twin = told(tested.root, "/v1/panels/lt.compare.json?from=now-1d&run=before&run=after")

        assert "plan seeds differ: 7, 9" in said
        names = [one["name"] for one in twin["columns"]]
        assert ["worse", "worse", "worse"] == [row[names.index("verdict")] for row in twin["rows"][:3]]
        assert PER_S * 300 == twin["rows"][0][names.index("n_a")]


def test_an_endpoint_stands_beside_its_load_test(tested: Served, browser: Browser) -> None:
    with visited(browser, tested.pages, is_offline=False) as visit:
        seen(visit, f"endpoints/{TARGET}", tested)
        said = until(visit, f"({TEXT})('ep.load_point').includes('a replica') && ({TEXT})('ep.load_point')")

        assert "tested" in said
        assert visit.page.evaluate(f"({DRAWN})('ep.load_point')") > 200


def test_a_hint_shows_what_its_lead_rests_on_start_by_start(tested: Served, browser: Browser) -> None:
    with visited(browser, tested.pages, is_offline=False) as visit:
        seen(visit, f"hints/{TARGET}", tested)
        rows = visit.page.locator('[data-panel="hint.starts"] tbody tr').all_text_contents()
        hint = told(tested.root, f"/v1/hints/{TARGET}")

    assert rows[0].startswith("P90 of the last 3")
    assert "6 min 20 s" in rows[0]
    assert (380.0, 3) == (hint["forecast"]["lead_s"], hint["cold_start"]["phases"]["ready"]["n"])
    assert "stable of 1" in rows[0]
    assert "never ready: given up" in rows[2]
    assert ui_rows.REPLICAS[2] in rows[3]
    assert "3 min 41 s" in rows[3]


def test_a_suggested_schedule_is_copied_whole(tested: Served, browser: Browser) -> None:
    with visited(browser, tested.pages, is_offline=False) as visit:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        seen(visit, f"hints/{TARGET}", tested)
        first = visit.page.locator('[data-panel="hint.proposals"] tbody tr').first
        said = first.text_content() or ""
        first.get_by_role("button", name="Copy").click()
        copied = visit.page.evaluate("navigator.clipboard.readText()")
        found = told(tested.root, f"/v1/hints/{TARGET}/proposals")

    one = next(one for one in found["proposals"] if one["yaml"] == copied)
    assert one["text"] in said
    assert "10:00-12:00 UTC" in said


def test_what_is_promised_and_what_was_tested_are_lines_of_the_chart(tested: Served, browser: Browser) -> None:
    with visited(browser, tested.pages, is_offline=False) as visit:
        seen(visit, "", tested)

        assert until(visit, f"({TEXT})('fleet.ttft').includes('tested p95')")
        limit = "document.querySelector('[data-panel=\"fleet.ttft\"] .stage').chart.scales.y0.max >= 2"
        assert until(visit, limit), "2 s are promised"
