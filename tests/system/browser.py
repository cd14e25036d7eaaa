"""A real Chromium for tests of pages: what a page said, asked for and was refused, and what a reader cannot use of it.

The browser is the distribution's; Playwright only drives it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from rig import tool

from benchmarks.chromium import chromium as started

PHONE, DESK = (390, 844), (1280, 900)
"""Sizes of a screen, CSS pixels."""
_VIOLATIONS = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_SERIOUS = {"serious", "critical"}


@dataclass(slots=True)
class Visit:
    """A page in a browser without a network.

    Attributes:
        page: Playwright's page.
        said: Errors and warnings on its console, and errors that nobody caught.
        asked: Addresses that it asked for beside its own.
    """

    page: Page
    said: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])

    def refused(self) -> list[str]:
        """Return what its own policy kept it from."""
        found: list[str] = self.page.evaluate("window.refused")
        return found

    def sideways_px(self) -> int:
        """Return how far it scrolls sideways."""
        found: int = self.page.evaluate(_SIDEWAYS)
        return found

    def barriers(self) -> list[str]:
        """Return what axe-core calls serious or critical: the rule, and the element."""
        told = cast("dict[str, Any]", Axe().run(self.page).response)  # pyright: ignore[reportUnknownMemberType] -- a dict
        return [
            f"{one['id']}: {node['html'][:120]}: {node.get('failureSummary', '')[:200]}"
            for one in told["violations"]
            if one["impact"] in _SERIOUS
            for node in one["nodes"]
        ]


@contextmanager
def chromium() -> Generator[Browser]:
    """Start a browser; the test is skipped where there is none."""
    with started(tool("chromium")) as browser:
        yield browser


@contextmanager
def visited(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESK,
    scheme: Literal["dark", "light"] = "light",
    is_offline: bool = True,
) -> Generator[Visit]:
    """Open a page.

    Args:
        browser: Of `chromium`.
        url: Its address.
        size: Of the screen.
        scheme: What the reader prefers.
        is_offline: Whether the network is off; pages of a server need it.
    """
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        offline=is_offline,
    )
    try:
        context.add_init_script(_VIOLATIONS)
        visit = Visit(context.new_page())
        visit.page.on(
            "console", lambda told: visit.said.append(told.text) if told.type in {"error", "warning"} else None
        )
        visit.page.on("pageerror", lambda error: visit.said.append(str(error)))
        visit.page.on("request", lambda request: visit.asked.append(request.url) if request.url != url else None)
        visit.page.goto(url)
        yield visit
    finally:
        context.close()
