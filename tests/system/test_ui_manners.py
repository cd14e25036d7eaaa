"""What a reader does with a page beside looking at it: compare, copy, open elsewhere, click, walk by keyboard."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from browser import DESK, PHONE, Visit, chromium, visited
from playwright.sync_api import Browser
from ui_page import quiet, states, told, until
from ui_rig import GRAFANA, Served

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
SAYS = "[...document.querySelectorAll('[data-panel=\"%s\"] .says')].map((one) => one.textContent).join(' ')"
LEGEND = "[...document.querySelectorAll('[data-panel=\"%s\"] .legend li')].map((one) => one.textContent)"
SILENT = """
[...document.querySelectorAll('figure[data-panel]')]
  .filter((one) => !one.querySelector('.empty') && !/Against|not compared/.test(one.textContent))
  .map((one) => one.dataset.panel)
"""
CHART = "document.querySelector('[data-panel=\"%s\"] .stage').chart"
OVER = """
(() => {
  const u = document.querySelector('[data-panel="%s"] .stage').chart;
  const box = u.over.getBoundingClientRect();
  return [box.left + u.valToPos(%d, 'x'), box.top + box.height / 2, u.valToPos(1, 'x') - u.valToPos(0, 'x')];
})()
"""
IDS = """
[...document.querySelectorAll('[data-panel="req.rows"] tbody tr')].map((row) => JSON.parse(row.cells[1].dataset.value))
"""
BAND = """
(() => {
  const stage = document.querySelector('[data-panel="fleet.bad"] .stage');
  const u = stage.chart;
  const place = u.series.findIndex((one) => one.label === 'gave up');
  const own = u.data[place].map((top, at) => top - (place > 1 ? u.data[place - 1][at] : 0));
  const at = own.indexOf(Math.max(...own));
  stage.scrollIntoView({ block: 'center' });
  const box = u.over.getBoundingClientRect();
  const y = u.valToPos(u.data[place][at] - own[at] / 2, 'y0');
  return [box.left + u.valToPos(u.data[0][at], 'x'), box.top + y, u.data[0][at], own[at]];
})()
"""
FOLLOWS = """
(([first, last]) => [first.cursor.idx, last.cursor.idx, last.data[0].at(-1) === first.data[0].at(-1)])(
  [...document.querySelectorAll('.stage')].filter((one) => one.chart?.cursor.sync.key).map((one) => one.chart)
    .filter((_, at, all) => at === 0 || at === all.length - 1)
)
"""
"""Where the cursors of the first and of the last chart are, and whether both show the same time."""
HAS_FOCUS = "document.activeElement?.matches(%s) && document.activeElement.textContent.includes(%s)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def past(served: Served, length_s: int = 3_600) -> tuple[int, int]:
    """Return a time that holds the incident, and in which nothing changes any more."""
    mark = told(served.root, "/v1/panels/fleet.bad.json?from=now-5m")["provenance"]["watermark_unix_s"]
    end = int(mark) // 60 * 60 - 60
    return end - length_s, end


def column(served: Served, panel: str, name: str, query: str) -> dict[int, float]:
    """Return the values of a column by their time."""
    found = told(served.root, f"/v1/panels/{panel}.json?{query}")
    at = [one["name"] for one in found["columns"]].index(name)
    return {row[0]: row[at] for row in found["rows"] if row[at] is not None}


def panels(served: Served) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in told(served.root, "/v1/panels")["panels"]}


def tab_to(visit: Visit, selector: str, text: str = "", most: int = 300) -> None:
    """Press Tab until what has the focus is what is meant."""
    holds = HAS_FOCUS % (json.dumps(selector), json.dumps(text))
    for _ in range(most):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate(holds):
            return
    raise AssertionError(f"Tab does not reach {selector} {text}")


def test_a_page_is_compared_with_another_endpoint_by_keyboard(served: Served, browser: Browser) -> None:
    """In the address, and Back undoes it."""
    start, end = past(served)
    with visited(browser, f"{served.pages}endpoints/chat-eu?from={start}&to={end}", is_offline=False) as visit:
        states(visit)
        assert until(visit, "document.querySelector('#pick-compare option[value=\"endpoint:chat-us\"]') !== null")
        visit.page.keyboard.press("c")
        assert visit.page.evaluate("document.activeElement.id") == "pick-compare"
        visit.page.keyboard.press("Escape")
        visit.page.locator("#pick-compare").select_option("endpoint:chat-us")
        assert "compare=endpoint:chat-us" in visit.page.url
        assert until(visit, f"{SAYS % 'ep.ttft'}.includes('Against endpoint chat-us')")
        visit.page.go_back()
        assert until(visit, f"!{SAYS % 'ep.ttft'}.includes('Against')")
        assert "compare" not in visit.page.url


def test_what_is_compared_is_drawn_and_told_as_a_ratio(served: Served, browser: Browser) -> None:
    start, end = past(served)
    times = f"from={start}&to={end}"
    mine, others = (column(served, "ep.ttft", "p50", f"{times}&endpoint={one}") for one in ("chat-eu", "chat-us"))
    ratio = sorted(mine[at] / others[at] for at in mine.keys() & others.keys())
    address = f"{served.pages}endpoints/chat-eu?{times}&compare=endpoint:chat-us"
    with visited(browser, address, is_offline=False) as visit:
        states(visit)
        assert until(visit, f"{SAYS % 'ep.ttft'}.includes('Against endpoint chat-us, dotted: p50')")
        said = visit.page.evaluate(SAYS % "ep.ttft")
        legend = visit.page.evaluate(LEGEND % "ep.ttft")
        dotted = visit.page.evaluate(f"{CHART % 'ep.ttft'}.series.filter((one) => String(one.dash) === '3,3').length")
        stats = until(visit, "/vs .*\u00d7/.test(document.querySelector('.stats').textContent)")
        unsaid = visit.page.evaluate(SILENT)
        quiet(visit, served.root)

    found = re.search(r"p50 \u00d7([\d.]+) \(([\d.]+) to ([\d.]+), (\d+) steps\)", said)
    assert found, said
    assert float(found[1]) == pytest.approx(ratio[len(ratio) // 2], abs=0.01)
    assert len(ratio) == int(found[4])
    assert re.search(r"vs .* \u00b7 \u00d7", legend[0])
    assert len([one for one in legend if re.match(r"(ok )?p\d\d", one)]) == dotted, "a dotted line for each line"
    assert stats
    assert unsaid == []


def test_with_shift_a_drag_sets_the_newest_part_beside_an_earlier_one(served: Served, browser: Browser) -> None:
    start, end = past(served)
    first, last = start + 900, start + 1_500
    with visited(browser, f"{served.pages}endpoints/chat-eu?from={start}&to={end}", is_offline=False) as visit:
        states(visit)
        assert until(visit, f"{CHART % 'ep.ttft'} !== undefined")
        visit.page.locator('[data-panel="ep.ttft"] .stage').scroll_into_view_if_needed()
        left, top, px_s = visit.page.evaluate(OVER % ("ep.ttft", first))
        visit.page.mouse.move(left, top)
        visit.page.keyboard.down("Shift")
        visit.page.mouse.down()
        visit.page.mouse.move(left + (last - first) * px_s, top, steps=4)
        visit.page.mouse.up()
        visit.page.keyboard.up("Shift")
        assert until(visit, "location.search.includes('compare=-')")
        asked = parse_qs(urlsplit(visit.page.url).query)
        assert until(visit, f"{SAYS % 'ep.ttft'}.includes('before, dotted')")
        chosen = visit.page.locator("#pick-compare option:checked").text_content()
        visit.page.go_back()
        assert until(visit, "!location.search.includes('compare')")

    slack_s = 2 / px_s + 2
    since = datetime.fromisoformat(asked["from"][0]).timestamp()
    assert asked["to"] == [str(end)]
    assert end - since == pytest.approx(last - first, abs=slack_s), "as long as what was dragged over"
    assert int(asked["compare"][0].strip("-s")) == pytest.approx(end - last, abs=slack_s), "and as far before"
    assert re.fullmatch(r"\d+ min( \d+ s)? before", chosen or "")


def test_what_cannot_be_compared_says_why(served: Served, browser: Browser) -> None:
    with visited(browser, f"{served.pages}?from=now-1h&compare=model:Qwen/Qwen3-32B", is_offline=False) as visit:
        states(visit)
        assert until(visit, f"{SILENT}.length === 0"), visit.page.evaluate(SILENT)
        chips = visit.page.locator('[data-panel="fleet.gpu"] .chips').text_content() or ""
        table = visit.page.locator('[data-panel="fleet.endpoints"] .chips').text_content() or ""

    assert "not compared: it knows no model" in chips
    assert "not compared: a table" in table


def test_a_filter_that_rows_do_not_know_is_named_for_what_it_is(served: Served, browser: Browser) -> None:
    with visited(browser, f"{served.pages}?from=now-1h&model=Qwen/Qwen3-32B", is_offline=False) as visit:
        states(visit)
        gpu = until(visit, "document.querySelector('[data-panel=\"fleet.gpu\"] .chips').textContent")
        demand = visit.page.locator('[data-panel="fleet.demand"] .chips').text_content() or ""

    assert "of every model" in gpu
    assert "partly unknown by model" in demand, "what collectors count is left out, the rest is filtered"


def test_a_panel_leads_to_prometheus_and_to_grafana(served: Served, browser: Browser) -> None:
    start, end = past(served)
    address = f"{served.pages}?from={start}&to={end}&endpoint=chat-eu"
    with visited(browser, address, is_offline=False) as visit:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        states(visit)
        menu = visit.page.locator('[data-panel="fleet.ttft"] details.more')
        menu.locator("summary").click()
        link = menu.get_by_role("link", name="Open in Grafana").get_attribute("href") or ""
        menu.get_by_role("button", name="Copy PromQL").click()
        copied = visit.page.evaluate("navigator.clipboard.readText()")
        assert menu.get_attribute("open") is None
        assert visit.page.locator('[data-panel="fleet.saturation"] details.more').get_by_text("PromQL").count() == 0

    assert link.startswith(f"{GRAFANA}/d/inferometer-fleet?")
    assert {"from": [f"{start}000"], "to": [f"{end}000"], "var-endpoint": ["chat-eu"]} == parse_qs(urlsplit(link).query)
    told_of = panels(served)["fleet.ttft"]["promql"]
    assert copied == told_of.replace('=~"${endpoint}"', '="chat-eu"').replace("${model}", ".*")


def test_prometheus_reads_what_is_copied(served: Served, promtool: str, tmp_path: Path) -> None:
    said = [one["promql"] for one in panels(served).values() if one["promql"]]
    expressions = [line for text in said for line in text.splitlines() if not line.startswith("#")]
    rules = [{"record": f"copied:{at}", "expr": re.sub(r"\$\{\w+\}", ".*", one)} for at, one in enumerate(expressions)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "copied", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", str(file)], check=False, capture_output=True, timeout=60)

    assert len(expressions) > len(said) > 5
    assert checked.returncode == 0, checked.stdout.decode() + checked.stderr.decode()


def test_a_click_on_a_band_opens_the_requests_of_that_group_and_time(served: Served, browser: Browser) -> None:
    start, end = past(served)
    with visited(browser, f"{served.pages}?from={start}&to={end}", is_offline=False) as visit:
        states(visit)
        visit.page.wait_for_timeout(300)
        x, y, at, per_s = visit.page.evaluate(BAND)
        visit.page.mouse.move(x, y)
        visit.page.mouse.click(x, y)
        assert until(visit, "location.pathname.endsWith('/requests')"), (x, y, per_s)
        asked = parse_qs(urlsplit(visit.page.url).query)
        assert until(visit, f"({IDS}).length > 0")
        shown = visit.page.evaluate(IDS)
        named = visit.page.evaluate("document.querySelector('main').textContent")

    query = f"from={at}&to={at + 60}&outcome=client_cancelled"
    expected = [one["id"] for one in told(served.root, f"/v1/requests?{query}&limit=200")["requests"]]
    assert ([str(at)], [str(at + 60)], ["client_cancelled"]) == (asked["t0"], asked["t1"], asked["outcome"])
    assert expected == shown
    assert round(per_s * 60) == len(shown)
    assert "client cancelled that ended" in named


def test_a_keyboard_opens_the_requests_of_a_group_from_the_legend(served: Served, browser: Browser) -> None:
    start, end = past(served)
    with visited(browser, f"{served.pages}?from={start}&to={end}", is_offline=False) as visit:
        states(visit)
        tab_to(visit, '[data-panel="fleet.bad"] .legend a', "broken")
        visit.page.keyboard.press("Enter")
        assert until(visit, "location.pathname.endsWith('/requests')")
        asked = parse_qs(urlsplit(visit.page.url).query)

    assert ["stream_error,stream_truncated,bad_output"] == asked["outcome"]
    assert ([str(start)], [str(end)]) == (asked["t0"], asked["t1"])


def test_a_quantile_below_its_floor_is_marked_and_told_with_its_interval(served: Served, browser: Browser) -> None:
    """A request a second: p95 of a minute is said from 20 on, certain from 130 on, bounded from 72 on."""
    start, end = past(served)
    query = f"from={start}&to={end}&endpoint=chat-us"
    answer = told(served.root, f"/v1/panels/ep.ttft.json?{query}")
    (p95,) = [one for one in answer["provenance"]["uncertain"] if one["column"] == "p95"]
    with visited(browser, f"{served.pages}endpoints/chat-us?from={start}&to={end}", is_offline=False) as visit:
        states(visit)
        legend = until(visit, LEGEND % "ep.ttft")
        visit.page.goto(f"{served.pages}endpoints/chat-us?from={start}&to={end}&panel=ep.ttft&view=table")
        states(visit)
        cells = until(
            visit, "[...document.querySelectorAll('[data-panel=\"ep.ttft\"] td.figure')].map((one) => one.textContent)"
        )

    at = [one["name"] for one in answer["columns"]].index("p95")
    low = p95["low"][-1]
    assert len(p95["rows"]) == len(p95["low"]) == len(p95["high"])
    assert low is not None
    assert low <= answer["rows"][p95["rows"][-1]][at]
    (shown,) = [one for one in legend if one.startswith("p95")]
    assert re.search(r"uncertain, [\d.]+ m?s (or more|to [\d.]+ m?s)", shown), shown
    assert any(re.fullmatch(r"[\d.]+ m?s\? uncertain, .*", one) for one in cells), cells[:12]


def test_a_keyboard_alone_walks_from_the_fleet_to_a_table(served: Served, browser: Browser) -> None:
    """Fleet, worst objective, its alert, an exemplar, its table: nothing but Tab, Enter and letters (case 16)."""
    with visited(browser, served.pages, is_offline=False) as visit:
        states(visit)
        assert until(visit, "document.querySelector('.numbers a[href*=\"slos/chat-good\"]') !== null")
        tab_to(visit, ".numbers a", "chat-good")
        visit.page.keyboard.press("Enter")
        assert until(visit, "location.pathname.endsWith('/slos/chat-good')")
        states(visit)
        visit.page.keyboard.press("g")
        visit.page.keyboard.press("a")
        assert until(visit, "document.querySelector('[data-panel=alerts] tbody a') !== null")
        tab_to(visit, "[data-panel=alerts] tbody a", "chat-good")
        visit.page.keyboard.press("Enter")
        assert until(visit, "/alerts\\/[0-9a-f]{16}$/.test(location.pathname)")
        states(visit)
        assert until(visit, "document.querySelector('main a[href*=\"requests/\"]') !== null", 60)
        tab_to(visit, 'main a[href*="requests/"]')
        visit.page.keyboard.press("Enter")
        assert until(visit, "document.querySelector('[data-panel=\"req.detail\"] .facts') !== null")
        tab_to(visit, '[data-panel="req.detail"] summary')
        visit.page.keyboard.press("Enter")
        assert visit.page.locator('[data-panel="req.detail"] tbody').is_visible()
        quiet(visit, served.root)


def test_what_opens_by_a_hand_is_without_barriers(served: Served, browser: Browser) -> None:
    """A comparison, an open menu, requests of a group: both themes, a desk and a phone."""
    start, end = past(served)
    pages = {
        "compared": f"endpoints/chat-eu?from={start}&to={end}&compare=endpoint:chat-us",
        "a box": f"requests?from={start}&to={end}&t0={end - 600}&t1={end}&outcome=client_cancelled",
    }
    with visited(browser, served.pages, is_offline=False) as visit:
        for name, page in pages.items():
            visit.page.goto(served.pages + page)
            states(visit)
            if name == "compared":
                visit.page.locator("details.more summary").first.click()
            for size in (DESK, PHONE):
                visit.page.set_viewport_size({"width": size[0], "height": size[1]})
                for scheme in SCHEMES:
                    visit.page.emulate_media(color_scheme=scheme)
                    visit.page.wait_for_timeout(60)
                    quiet(visit, served.root)
                    assert visit.barriers() == [], (name, size, scheme)


def test_a_chart_follows_the_others_while_it_is_in_sight(served: Served, browser: Browser) -> None:
    with visited(browser, f"{served.pages}endpoints/chat-eu", is_offline=False) as visit:
        states(visit)
        stages = visit.page.locator(".stage[role=slider] .u-over")
        stages.first.hover()
        assert until(visit, f"{FOLLOWS}[0] > 0")
        assert visit.page.evaluate(FOLLOWS)[1] is None
        stages.last.scroll_into_view_if_needed()
        stages.last.hover()

        assert until(visit, f"{FOLLOWS}[1] > 0")
        assert until(visit, f"{FOLLOWS}[2]"), "it shows what came while it was out of sight"
