import re
from pathlib import Path

import pytest

from collector.catalogue import CATALOGUE, OBSERVER, REQUESTS, Kind, Spec, page
from collector.connection import Counts
from collector.exposition import ObserverMetrics, Vitals

ROOT = Path(__file__).parents[2]


def test_the_page_in_the_repository_is_the_generated_one() -> None:
    # To make it so: inferometer config metrics > docs/metrics.md
    assert page() == (ROOT / "docs" / "metrics.md").read_text()


def test_the_page_names_every_metric() -> None:
    for spec in CATALOGUE.values():
        suffix = "_total" if spec.kind is Kind.COUNTER else ""
        assert f"| `{spec.full_name}{suffix}` |" in page()


def test_what_is_shown_is_what_is_listed() -> None:
    shown = [family.spec.name for family in ObserverMetrics(Counts(), Vitals()).families()]

    assert sorted(shown) == sorted(CATALOGUE)
    assert len(REQUESTS) + len(OBSERVER) == len(CATALOGUE)


@pytest.mark.parametrize("spec", CATALOGUE.values(), ids=lambda spec: spec.name)
def test_a_name_is_one_that_prometheus_advises(spec: Spec) -> None:
    assert re.fullmatch(r"inferometer(_[a-z0-9]+)+", spec.full_name)
    assert not spec.name.endswith(("_total", "_percent", "_ms", "_us"))
    assert spec.meaning.endswith(".")
    assert (spec.scale is not None) == (spec.kind is Kind.HISTOGRAM) == (spec.unit == "seconds" and bool(spec.labels))
