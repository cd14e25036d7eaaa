"""Pages that follow the clock: one stream while somebody looks, stale when nobody answers, alive again by itself."""

import signal
from collections.abc import Iterator

import pytest
from browser import chromium, visited
from playwright.sync_api import Browser
from ui_page import quiet, states, until
from ui_rig import Served

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
STALE_S = 15.0
STATE = "document.querySelector('[data-panel=\"fleet.ttft\"]')?.dataset.state"
LINK = "document.querySelector('.live')?.dataset.link"
COUNT = """
window.opened = 0;
window.ended = 0;
const Real = window.EventSource;
window.EventSource = class extends Real {
  constructor(...all) { super(...all); window.opened += 1; }
  close() { super.close(); window.ended += 1; }
};
"""
HIDE = """
Object.defineProperty(document, 'hidden', { configurable: true, get: () => %s });
document.dispatchEvent(new Event('visibilitychange'));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_a_hidden_tab_holds_no_stream(served: Served, browser: Browser) -> None:
    with visited(browser, f"{served.pages}?live=0", is_offline=False) as visit:
        visit.page.add_init_script(COUNT)
        visit.page.goto(served.pages)
        assert until(visit, f"{LINK} === 'live'")
        assert 1 == visit.page.evaluate("window.opened - window.ended")
        visit.page.evaluate(HIDE % "true")
        assert until(visit, "window.opened === window.ended", 5)
        visit.page.evaluate(HIDE % "false")
        assert until(visit, f"window.opened - window.ended === 1 && {LINK} === 'live'")


def test_pages_say_that_nobody_answers_and_recover_by_themselves(served: Served, browser: Browser) -> None:
    """Killed, then started again on the same port: stale within 15 s, then well, and never loaded anew."""
    with visited(browser, served.pages, is_offline=False) as visit:
        states(visit)
        assert until(visit, f"{LINK} === 'live' && {STATE} === 'ok'")
        visit.page.evaluate("window.mark = 'the same page'")
        served.end(signal.SIGKILL)
        assert until(visit, f"{STATE} === 'stale' && {LINK} === 'lost'", STALE_S)
        served.start()
        assert until(visit, f"{STATE} === 'ok' && {LINK} === 'live'", 40)
        assert visit.page.evaluate("window.mark") == "the same page"


def test_a_clock_that_is_an_hour_off_changes_no_age(served: Served, browser: Browser) -> None:
    with visited(browser, f"{served.pages}?live=0", is_offline=False) as visit:
        visit.page.add_init_script("const now = Date.now; Date.now = () => now() + 3_600_000;")
        visit.page.goto(served.pages)
        found = states(visit)
        visit.page.wait_for_timeout(1_500)

        assert found["fleet.ttft"] == "ok"
        assert visit.page.locator(".chip.warn").count() == 0


def test_the_page_of_an_endpoint_is_told_by_its_stream(served: Served, browser: Browser) -> None:
    """And at once, though whoever wants little motion sees changes only every five seconds."""
    with visited(browser, f"{served.pages}?live=0", is_offline=False) as visit:
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(request.url.partition("/v1/")[2]))
        visit.page.goto(f"{served.pages}endpoints/chat-eu")
        assert until(visit, f"{LINK} === 'live'")
        found = states(visit)
        visit.page.wait_for_timeout(6_000)

        assert len([name for name in found if name.startswith("ep.")]) > 10
        assert [one for one in asked if one.startswith("panels/ep.")] == []
        assert len([one for one in asked if one.startswith("live")]) == 1


def test_a_quick_click_asks_for_nothing_that_is_not_there(served: Served, browser: Browser) -> None:
    """What the page itself names stays where it is, however deep the address is by then."""
    with visited(browser, f"{served.pages}endpoints/chat-eu", is_offline=False) as visit:
        visit.page.get_by_role("link", name="Its requests").click()
        assert until(visit, "location.pathname.endsWith('/requests')")
        states(visit)
        quiet(visit, served.pages.removesuffix("/ui/"))
