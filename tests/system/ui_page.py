"""What tests of the pages ask of one: that it is ready, quiet, and says the numbers of its twins."""

import json
from typing import Any

from browser import Visit

from inferometer import ask
from inferometer.address import Address
from telemetry.clock import monotonic_ns

READY_S = 20.0
_BUSY = "status of 503"
"""What a browser itself says of a store that is too busy; the panel asks again."""
_STATES = "[...document.querySelectorAll('[data-panel]')].map((one) => [one.dataset.panel, one.dataset.state])"
_CONTROLS = """
[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.tabIndex >= 0)
  .length
"""
_FOCUSED = """
(() => {
  window.seen ??= new Set();
  const one = document.activeElement;
  if (one && one !== document.body && one.id !== "main") window.seen.add(one);
  return window.seen.size;
})()
"""


def until(visit: Visit, holds: str, seconds: float = READY_S) -> Any:  # noqa: ANN401 -- what the page says
    """Wait until an expression is true on the page, and return it.

    The page's own policy forbids `eval`, and so Playwright's `wait_for_function` with a text.
    """
    end_ns = monotonic_ns() + round(seconds * 1e9)
    while not (found := visit.page.evaluate(holds)) and monotonic_ns() < end_ns:
        visit.page.wait_for_timeout(50)
    return found


def states(visit: Visit) -> dict[str, str]:
    """Wait until no panel loads, and return the state of each."""
    until(visit, f"{_STATES}.length > 0 && {_STATES}.every(([, state]) => state !== 'loading')")
    return dict(visit.page.evaluate(_STATES))


def reached(visit: Visit) -> tuple[int, int]:
    """Press Tab through the page; returns how many controls there are, and how many of them were reached."""
    controls = int(visit.page.evaluate(_CONTROLS))
    visit.page.evaluate("document.activeElement?.blur(); window.seen = new Set();")
    seen = 0
    for _ in range(controls + 5):
        visit.page.keyboard.press("Tab")
        seen = int(visit.page.evaluate(_FOCUSED))
    return controls, seen


def quiet(visit: Visit, root: str) -> None:
    """Hold a page to what each must be: silent, alone, within its policy, as wide as the screen."""
    said = [one for one in visit.said if _BUSY not in one]
    strangers = [one for one in visit.asked if not one.startswith((f"{root}/", "data:"))]

    found = (said, strangers, visit.refused(), visit.sideways_px())
    assert ([], [], [], 0) == found, found


def told(root: str, path: str) -> dict[str, Any]:
    """Return what the API says."""
    port = int(root.rpartition(":")[2])
    found: dict[str, Any] = json.loads(ask.get(Address(host="127.0.0.1", port=port), path, wait_s=20).body)
    return found
