"""The panels of one page; what holds of every panel is in `test_panels`."""

from dashboards.panels_slo import SLO
from telemetry.panel import Page


def test_all_of_them_stand_on_their_page() -> None:
    assert {Page.SLO} == {one.page for one in SLO}
