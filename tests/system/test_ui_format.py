"""Numbers, names and addresses as the pages write them, by the modules themselves in a browser."""

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from browser import chromium
from playwright.sync_api import Page

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]
STATIC = Path(__file__).parents[2] / "dashboards" / "static"
# spec/ui.md 14, cases 2 and 3, and 4 (formats)
FORMATS = {
    "duration(0.0123)": "12.3 ms",
    "duration(0.9994)": "999 ms",
    "duration(0.9996)": "1.00 s",
    "duration(75.2)": "1 min 15 s",
    "duration(0)": "0 s",
    "duration(null)": "n/a",
    "figure(12345, 'tok/s')": "12.3k tok/s",
    "figure(0, 'requests')": "0",
    "figure(null, 's')": "n/a",
    "figure(2.5, '1/s')": "2.50/s",
    "figure(0.012, 's/token')": "12.0 ms/token",
    "figure(6, 'x')": "6\u00d7",
    "share(0.99899, 0.999)": "99.899 %",
    "share(0.999, 0.999)": "99.9 %",
    "share(0.99949, 0.999)": "99.95 %",
    "share(0.999999)": "99.9999 %",
    "share(1)": "100 %",
    "share(0)": "0 %",
    "lasting(0.25, 2592000, 6)": "30 h at this burn",
    "lasting(0.25, 2592000, 0)": "not burning",
    "lasting(null, 2592000, 6)": "n/a",
    "lasting(-0.1, 2592000, 6)": "spent",
    "span(130)": "2 min 10 s",
}
NAMES = {
    "plain": "plain",
    "a\u202eb": "a\\u202eb",
    "a\u200bb": "a\\u200bb",
    "a\u2066b": "a\\u2066b",
    "a\ufeffb": "a\\ufeffb",
    "a\x00b\x1b[1m": "a\\u0000b\\u001b[1m",
    "tag\U000e0041": "tag\\u{e0041}",
    "x" * 120: "x" * 120,
    "x" * 121: "x" * 119 + "…",
    "<b>": "<b>",
}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        """Say nothing."""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(STATIC.parent)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/static/VENDOR.json")
        page.set_content(
            (STATIC / "index.html").read_text().replace('<script type="module" src="app/main.js">', "<script>")
        )
        yield page
    server.shutdown()
    server.server_close()
    thread.join()


def of(page: Page, module: str, call: str) -> str:
    """Return what a call of a module returns, as text."""
    found: str = page.evaluate(
        f"async () => {{ const m = await import('/static/app/{module}.js'); with (m) {{ return String({call}); }} }}"
    )
    return found


def test_numbers_are_written_for_people(page: Page) -> None:
    assert FORMATS == {call: of(page, "format", call) for call in FORMATS}


def test_names_hide_nothing(page: Page) -> None:
    assert NAMES == {name: of(page, "text", f"name({json.dumps(name)})") for name in NAMES}


@pytest.mark.parametrize("bad", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd"])
def test_only_web_addresses_are_followed(page: Page, bad: str) -> None:
    assert of(page, "text", f"link({json.dumps(bad)})") == "null"
    assert of(page, "text", "link('https://example.org/x')") == "https://example.org/x"


def test_a_shift_and_a_zoom_of_the_range(page: Page) -> None:
    assert of(page, "url", "instant('now-15m', 1000000)") == "999100"
    assert of(page, "url", "instant('2026-01-31T12:00:00Z', 0)") == "1769860800"
    assert of(page, "url", "shift('-1d')") == "86400"
    assert of(page, "url", "JSON.stringify(moved(1e6, {zoom: 2}))") == '{"from":"now-30m","to":"now"}'
    assert of(page, "series", "JSON.stringify(ratio([2, 2, 2, 4], [1, 1, 1, 1]))") == (
        '{"middle":2,"low":2,"high":4,"n":4}'
    )
    assert of(page, "series", "JSON.stringify(ratio([2], [1]))") == "null"


def test_a_switch_of_another_engine_fills_nothing(page: Page) -> None:
    call = "JSON.stringify(Empty({ body: { state: 'ok', from: '' }, definition: { meaning: 'm', unlock: %s } }))"

    assert "--a-switch" not in of(page, "empty", call % '{ sglang: "--a-switch" }')
    assert "--a-switch" in of(page, "empty", call % '{ "*": "--a-switch" }')
