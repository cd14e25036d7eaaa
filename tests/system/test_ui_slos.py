"""The pages of one objective and of one alert, in a real browser over a fleet that ails."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from browser import DESK, PHONE, Visit, chromium, visited
from playwright.sync_api import Browser
from ui_page import quiet, states, told, until
from ui_rig import Served

from slo.alertmanager_body import rfc3339

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
OBJECTIVE = "slos/chat-good?from=now-30m"
SAYS = "document.querySelector('[data-panel=\"slo.budget\"]').textContent"
SENT = """
async ([method, path, body]) => {
  const headers = { "Content-Type": "application/json" };
  return (await fetch(path, { method, headers, body: JSON.stringify(body) })).json();
}
"""
FILLED = """
(at) => {
  const u = document.querySelector('[data-panel="slo.budget"] .stage').chart;
  const { top, height } = u.bbox;
  const { data } = u.ctx.getImageData(Math.round(u.valToPos(at, "x", true)), top, 1, height);
  return data.filter((value, place) => place % 4 === 3 && value > 0).length / height;
}
"""
"""Share of a column of the chart on which anything is drawn."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def page_of(root: str) -> dict[str, Any]:
    """Return the page of the endpoint that ails."""
    found = [one for one in told(root, "/v1/alerts")["alerts"] if one["severity"] == "page"]
    return next(one for one in found if one["slo"] == "chat-good" and one["labels"]["endpoint"] == "chat-eu")


def ready(visit: Visit, *panels: str) -> None:
    """Wait until panels show what they are about; a store that was too busy is asked again."""
    for panel in panels:
        state = f"document.querySelector('[data-panel=\"{panel}\"]')?.dataset.state"
        assert until(visit, f"['ok', 'partial'].includes({state})", 60), (panel, states(visit))


def test_the_page_of_an_objective_says_how_long_it_lasts_and_whom_it_hits(served: Served, browser: Browser) -> None:
    with visited(browser, served.pages + OBJECTIVE, is_offline=False) as visit:
        ready(visit, "slo.budget", "slo.contributors")
        found = told(served.root, "/v1/panels/slo.budget.json?slo=chat-good")
        left = [row[1] for row in found["rows"] if row[1] is not None]

        assert left[0] > left[-1] == told(served.root, "/v1/slos/chat-good")["remaining"]
        assert visit.page.locator('[data-panel="slo.budget"] canvas').count() == 1
        named = visit.page.locator('[data-panel="slo.contributors"] tbody').text_content() or ""
        assert "endpoint chat-eu" in named
        for size in (DESK, PHONE):
            visit.page.set_viewport_size({"width": size[0], "height": size[1]})
            visit.page.wait_for_timeout(60)
            quiet(visit, served.root)
            assert visit.barriers() == []
        visit.page.goto(f"{served.pages}{OBJECTIVE}&panel=slo.budget&view=table")
        ready(visit, "slo.budget")
        heads = visit.page.locator('[data-panel="slo.budget"] thead').text_content() or ""
        assert "budget left" in heads
        assert "projected" in heads


def test_time_that_was_agreed_to_count_less_is_striped_and_said(served: Served, browser: Browser) -> None:
    began_s = told(served.root, "/v1/slos/chat-good")["as_of"]
    end_s = int(datetime.fromisoformat(began_s).timestamp()) - 900
    body = {
        "selector": [{"name": "slo", "value": "chat-good"}], "start": rfc3339(end_s - 600), "end": rfc3339(end_s),
        "reason": "a new rack", "author": "ann",
    }  # fmt: skip
    with visited(browser, served.pages + OBJECTIVE, is_offline=False) as visit:
        made = visit.page.evaluate(SENT, ["POST", "/v1/adjustments", body])
        try:
            visit.page.goto(served.pages + OBJECTIVE)
            ready(visit, "slo.budget")
            assert until(visit, f"{SAYS}.includes('Striped')", 60)
            said = visit.page.evaluate(SAYS)
            quiet(visit, served.root)
            assert visit.barriers() == []
            striped = [visit.page.evaluate(FILLED, at) for at in (end_s - 300, end_s + 300)]
        finally:
            visit.page.evaluate(SENT, ["DELETE", f"/v1/adjustments/{made['id']}?who=ann&reason=done", {}])

    assert "100 % less" in said
    assert striped[0] > 0.9
    assert striped[1] < 0.5


def test_another_limit_is_tried_with_a_slider(served: Served, browser: Browser) -> None:
    with visited(browser, served.pages + OBJECTIVE, is_offline=False) as visit:
        assert until(visit, "document.querySelector('[data-panel=\"slo.what_if\"] input[type=range]') !== null", 60)
        slider = visit.page.locator('[data-panel="slo.what_if"] input[type=range]')
        slider.focus()
        visit.page.keyboard.press("End")
        assert until(visit, "document.querySelector('[data-panel=\"slo.what_if\"] pre') !== null", 60)
        said = visit.page.locator('[data-panel="slo.what_if"]').text_content() or ""

        assert "What-if: nothing that is stored changes." in said
        assert '-expr: "ok and (ttft_s <= 2)"' in said
        assert '+expr: "ok and (ttft_s <= 8)"' in said
        assert float(slider.input_value()) == 8, "it stays where it was put"


def test_the_page_of_an_alert_shows_what_changed_and_leads_to_a_request(served: Served, browser: Browser) -> None:
    alert = page_of(served.root)
    with visited(browser, f"{served.pages}alerts/{alert['fingerprint']}", is_offline=False) as visit:
        ready(visit, "alert.signal", "alert.context", "alert.exemplars", "alert.delivery")
        assert visit.page.locator('[data-panel="alert.signal"] canvas').count() == 1
        context = visit.page.locator('[data-panel="alert.context"] tbody')
        assert "time to first token, p50" in (context.text_content() or "")
        assert context.locator("strong").count() > 0, "something more than doubled"
        assert "slo.channels" in (visit.page.locator('[data-panel="alert.delivery"]').text_content() or "")
        for size in (DESK, PHONE):
            visit.page.set_viewport_size({"width": size[0], "height": size[1]})
            visit.page.wait_for_timeout(60)
            quiet(visit, served.root)
            assert visit.barriers() == []
        assert visit.page.locator('[data-panel="alert.exemplars"] tbody tr').count() == 4
        visit.page.locator('[data-panel="alert.exemplars"] tbody a').last.click()
        assert until(visit, "document.querySelector('[data-panel=\"req.detail\"] .facts') !== null")


def test_the_list_says_that_there_are_too_few_incidents(served: Served, browser: Browser) -> None:
    with visited(browser, f"{served.pages}slos", is_offline=False) as visit:
        ready(visit, "slo.mttr")
        said = visit.page.locator('[data-panel="slo.mttr"] tbody').text_content() or ""

        assert "insufficient: " in said
        assert "MTTR" in said
