"""Every page in a real browser, over a real store: both themes, a desk and a phone."""

import json
from collections.abc import Iterator
from typing import Literal

import pytest
from browser import DESK, PHONE, Visit, chromium, visited
from playwright.sync_api import Browser
from ui_page import quiet, reached, states, told, until
from ui_rig import Served
from ui_rows import HOSTILE, WILD

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
PAGES = (
    "", "endpoints", "endpoints/chat-eu", "requests", "slos", "slos/chat-good", "alerts", "loadtests",
    "loadtests/run-0712", "compare?a=run-0711&b=run-0712", "hints", "hints/chat-eu", "telemetry",
)  # fmt: skip
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
FINAL = {"ok", "no_traffic", "blind", "locked", "partial", "refused"}
TABLE = """
(id) => [...document.querySelectorAll(`[data-panel="${id}"] tbody tr`)]
  .map((row) => [...row.cells].filter((cell) => 'value' in cell.dataset).map((cell) => JSON.parse(cell.dataset.value)))
"""
SIDEWAYS = """
(() => {
  const box = document.querySelector('[data-panel="fleet.endpoints"] .scroll');
  return box.scrollWidth - box.clientWidth;
})()
"""
SAID = "document.querySelector('[data-panel=\"alert.silence\"] [role=status]').textContent"
HELD = "document.querySelector('[data-panel=\"alerts.silences\"] tbody')?.textContent"
WORDS = """
(id) => [...document.querySelectorAll(`[data-panel="${id}"] tbody tr`)]
  .map((row) => [...row.cells].filter((cell) => 'value' in cell.dataset).map((cell) => cell.textContent))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def seen(visit: Visit, page: str) -> dict[str, str]:
    """Return the states of a page's panels; one that the store was too busy for is asked again."""
    found = states(visit)
    for _ in range(5):
        if "error" in found.values():
            visit.page.wait_for_timeout(4_000)
            found = states(visit)
    assert set(found.values()) <= FINAL, f"{page}: {found}"
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "fleet")
def test_a_page_is_ready_quiet_and_without_barriers(served: Served, browser: Browser, page: str) -> None:
    """In both themes, on a desk and on a phone; loaded once, for a page follows what the reader prefers."""
    with visited(browser, served.pages + page, scheme="dark", is_offline=False) as visit:
        found = seen(visit, page)
        print(f"/{page}: {found}")
        assert visit.page.locator(MARKUP).count() == 0, "names of the store became markup"
        for size in (DESK, PHONE):
            visit.page.set_viewport_size({"width": size[0], "height": size[1]})
            for scheme in SCHEMES:
                visit.page.emulate_media(color_scheme=scheme)
                visit.page.wait_for_timeout(60)
                quiet(visit, served.root)
                if (size == DESK) == (scheme == "dark"):
                    assert visit.barriers() == []


def test_no_page_is_wider_than_a_narrow_screen(served: Served, browser: Browser) -> None:
    with visited(browser, served.pages, size=(320, 640), is_offline=False) as visit:
        for page in ("", "endpoints/chat-eu", "slos/chat-good", "alerts"):
            visit.page.goto(served.pages + page)
            states(visit)
            assert visit.sideways_px() == 0, page


def test_the_list_of_endpoints_fits_a_small_desk(served: Served, browser: Browser) -> None:
    with visited(browser, served.pages, size=(1160, 800), is_offline=False) as visit:
        seen(visit, "fleet")
        for width in (1160, 1100):
            visit.page.set_viewport_size({"width": width, "height": 800})
            assert visit.page.evaluate(SIDEWAYS) == 0, width


def test_an_address_may_hold_dots_and_slashes(served: Served, browser: Browser) -> None:
    with visited(browser, served.pages, is_offline=False) as visit:
        for page in ("endpoints/v1.2", "slos/whole%2Fpart", "requests?from=now-1h&x=kept"):
            visit.page.goto(served.pages + page)
            assert until(visit, "document.querySelector('main h1') !== null"), page
        assert "x=kept" in visit.page.url
        visit.page.get_by_role("button", name="6h", exact=True).click()
        assert "x=kept" in visit.page.url
        assert "from=now-6h" in visit.page.url
        visit.page.go_back()
        assert "from=now-1h" in visit.page.url


def test_a_keyboard_reaches_every_control(served: Served, browser: Browser) -> None:
    with visited(browser, served.pages, is_offline=False) as visit:
        for page in ("?live=0", "alerts?live=0"):
            visit.page.goto(served.pages + page)
            states(visit)
            visit.page.wait_for_timeout(300)
            controls, found = reached(visit)
            print(f"/{page}: {controls} controls, {found} reached")

            assert found >= controls > 20, page


def test_a_table_holds_the_numbers_of_its_twin(served: Served, browser: Browser) -> None:
    end = int(told(served.root, "/v1/panels/fleet.bad.json?from=now-5m")["provenance"]["watermark_unix_s"]) // 60 * 60
    times = f"from={end - 3600}&to={end - 300}"
    with visited(browser, served.pages, is_offline=False) as visit:
        for panel in ("fleet.ttft", "fleet.bad", "fleet.saturation", "fleet.endpoints"):
            visit.page.goto(f"{served.pages}?{times}&panel={panel}&view=table")
            states(visit)
            twin = told(served.root, f"/v1/panels/{panel}.json?{times}")
            shown = until(visit, f"({TABLE})('{panel}')")

            assert twin["rows"] == shown
            words = [cell for row in visit.page.evaluate(f"({WORDS})('{panel}')") for cell in row]
            assert not {"null", "undefined", "NaN"} & set(words)
        visit.page.goto(f"{served.pages}?{times}&panel=fleet.ttft&view=sql")
        states(visit)
        assert "SELECT" in (visit.page.locator('[data-panel="fleet.ttft"] pre').text_content() or "")


def test_hostile_names_are_text_on_every_page(served: Served, browser: Browser) -> None:
    shown: set[str] = set()
    with visited(browser, served.pages, is_offline=False) as visit:
        visit.page.goto(f"{served.pages}requests?from=now-2h&endpoint={WILD.replace('<', '%3C').replace('>', '%3E')}")
        seen(visit, "requests")
        cells = until(
            visit, "[...document.querySelectorAll('[data-panel=\"req.rows\"] td')].map((one) => one.textContent)"
        )
        shown |= set(cells)
        for page in (*PAGES, "endpoints/%3Cimg%20src=x%20onerror=alert(1)%3E"):
            chosen = f"{'&' if '?' in page else '?'}model=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E"
            visit.page.goto(f"{served.pages}{page}{chosen}")
            states(visit)
            assert visit.page.locator(MARKUP).count() == 0, page
            quiet(visit, served.root)
    found = [name for name in HOSTILE if name in shown]
    print(f"{len(found)} of {len(HOSTILE)} hostile names literally, the rest with escapes or cut")

    assert len(HOSTILE) == 50
    assert len(found) >= 46
    assert {"a\\u202egpj.exe", "zero\\u200bwidth", "\\u2066isolated\\u2069"} <= shown
    assert f"{('very-long-' * 40)[:119]}…" in shown


def test_a_keyboard_goes_from_the_fleet_to_one_request(served: Served, browser: Browser) -> None:
    """Fleet, worst objective, its alert, an exemplar, a table: without a mouse (spec/ui.md 14, case 16)."""
    with visited(browser, served.pages, is_offline=False) as visit:
        states(visit)
        visit.page.locator(".numbers a").nth(1).focus()
        visit.page.keyboard.press("Enter")
        assert until(visit, "location.pathname.endsWith('/slos/chat-good')")
        visit.page.keyboard.press("g")
        visit.page.keyboard.press("a")
        assert until(visit, "document.querySelector('[data-panel=alerts] tbody a') !== null")
        visit.page.locator("[data-panel=alerts] tbody a", has_text="chat-good").first.focus()
        visit.page.keyboard.press("Enter")
        assert until(visit, f"document.querySelector('{ONE_OF_THEM}') !== null", 60)
        visit.page.locator(ONE_OF_THEM).first.focus()
        visit.page.keyboard.press("Enter")
        assert until(visit, "document.querySelector('[data-panel=\"req.detail\"] .facts') !== null")
        visit.page.locator('[data-panel="req.detail"] summary').focus()
        visit.page.keyboard.press("Enter")
        assert visit.page.locator('[data-panel="req.detail"] tbody').is_visible()
        quiet(visit, served.root)


def test_a_silence_is_made_from_the_page(served: Served, browser: Browser) -> None:
    with visited(browser, f"{served.pages}alerts", is_offline=False) as visit:
        states(visit)
        visit.page.locator("[data-panel=alerts] tbody a", has_text="chat-good").first.click()
        form = visit.page.locator('[data-panel="alert.silence"] form')
        form.get_by_label("Who").fill("ann")
        form.get_by_label("Why silence it").fill("new engine comes")
        form.get_by_role("button", name="Silence exactly this alert").click()
        assert until(
            visit,
            f"{SAID}.startsWith('Silenced')",
        )
        visit.page.goto(f"{served.pages}alerts")
        assert until(
            visit,
            f"{HELD}?.includes('new engine comes')",
        )
        visit.page.get_by_role("button", name="End the silence").first.click()
        assert until(visit, "!document.querySelector('[data-panel=\"alerts.silences\"] tbody')")
    assert json.dumps(told(served.root, "/v1/silences")).count("new engine comes") == 1


def test_a_hint_is_frozen_from_the_page(served: Served, browser: Browser) -> None:
    """What was typed stays when the page asks for the hint again."""
    with visited(browser, f"{served.pages}hints/chat-eu", is_offline=False) as visit:
        assert until(visit, f"{DESK_OF_HINT} !== null", 60)
        form = visit.page.locator('[data-panel="hint.desk"] form')
        form.get_by_label("Who").fill("ann")
        form.get_by_label("Why freeze").fill("a rollout")
        with visit.page.expect_response(lambda answer: answer.url.endswith("/v1/hints/chat-eu")) as again:
            pass
        again.value.finished()
        visit.page.wait_for_timeout(300)
        assert (form.get_by_label("Who").input_value(), form.get_by_label("Why freeze").input_value()) == (
            "ann",
            "a rollout",
        )
        form.get_by_role("button", name="Freeze at").click()
        assert until(visit, f"{DESK_OF_HINT}.textContent.includes('Frozen.')")
        form.get_by_role("button", name="End the freeze").click(timeout=40_000)
        assert until(visit, f"{DESK_OF_HINT}.textContent.includes('No longer frozen')")


def test_a_line_stands_where_its_value_is(served: Served, browser: Browser) -> None:
    """The canvas itself: pixels of the line's colour, and its height at a known time within 2 px."""
    end = int(told(served.root, "/v1/panels/fleet.bad.json?from=now-5m")["provenance"]["watermark_unix_s"]) // 60 * 60
    with visited(browser, f"{served.pages}?from={end - 3600}&to={end - 900}", scheme="dark", is_offline=False) as visit:
        states(visit)
        visit.page.wait_for_timeout(300)
        amount, off_px = visit.page.evaluate(PIXELS)

    assert amount >= 200
    assert off_px <= 2


ONE_OF_THEM = '[data-panel="alert.exemplars"] tbody a'
DESK_OF_HINT = "document.querySelector('[data-panel=\"hint.desk\"] form')"
MARKUP = "main img, main script, main svg, main iframe"
PIXELS = """
(() => {
  const u = document.querySelector('[data-panel="fleet.ttft"] .stage').chart;
  const box = u.bbox;
  const ctx = u.ctx;
  const near = (d, at) => Math.abs(d[at] - 0x56) + Math.abs(d[at + 1] - 0xb4) + Math.abs(d[at + 2] - 0xe9) < 60;
  const all = ctx.getImageData(box.left, box.top, box.width, box.height).data;
  let amount = 0;
  for (let at = 0; at < all.length; at += 4) amount += near(all, at);
  const values = u.data[1];
  const at = values.indexOf(Math.max(...values));
  const x = Math.round(u.valToPos(u.data[0][at], 'x', true));
  const y = u.valToPos(values[at], 'y0', true);
  const column = ctx.getImageData(x, box.top, 1, box.height).data;
  let off = 1e9;
  for (let row = 0; row < box.height; row += 1) {
    if (near(column, 4 * row)) off = Math.min(off, Math.abs(box.top + row - y));
  }
  return [amount, off];
})()
"""
