"""A box of the map of requests: its rows and what the bad ones share are the store's, not those of the newest page."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from browser import Visit, chromium, visited
from playwright.sync_api import Browser
from ui_page import quiet, states, told, until
from ui_rig import Served

from telemetry.clock import wall_ms

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
TABLE = """
(id) => [...document.querySelectorAll(`[data-panel="${id}"] tbody tr`)]
  .map((row) => [...row.cells].filter((cell) => 'value' in cell.dataset).map((cell) => JSON.parse(cell.dataset.value)))
"""
PAGE = 200
"""Rows that the page shows at a time."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def ids(visit: Visit, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Wait for rows other than those that are known; returns their ids."""
    ready = f"({TABLE})('req.rows').some((row) => row[1] !== {(known or ('',))[0]!r})"
    assert until(visit, ready)
    return tuple(row[1] for row in visit.page.evaluate(f"({TABLE})('req.rows')"))


def asked(served: Served, path: str, **more: object) -> dict[str, Any]:
    return told(served.root, f"/v1/requests{path}?{urlencode(more)}")


def test_a_box_holds_what_the_store_has_in_it(served: Served, browser: Browser) -> None:
    now = wall_ms() // 1000
    box = {"from": now - 2_400, "to": now - 900, "low_s": 0.05, "high_s": 0.5}
    pages = [asked(served, "", **box, limit=PAGE)]
    pages.append(asked(served, "", **box, limit=PAGE, after=pages[0]["after"]))
    facets = [
        [one[name] for name in ("facet", "value", "share_of_bad", "share_of_all", "lift")]
        for one in asked(served, "/facets", **box)["facets"]
    ]
    query = {"t0": box["from"], "t1": box["to"], "low": box["low_s"], "high": box["high_s"]}
    with visited(browser, f"{served.pages}requests?{urlencode(query)}", is_offline=False) as visit:
        states(visit)
        first = ids(visit)
        common = visit.page.evaluate(f"({TABLE})('req.facets')")
        visit.page.get_by_role("button", name="Older").click()
        second = ids(visit, first)
        quiet(visit, served.root)

    assert [tuple(one["id"] for one in page["requests"]) for page in pages] == [first, second]
    assert PAGE == len(first)
    assert facets == common
