"""Fixtures of the system tests."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig import Engine, tool, vllm_engine
from ui_rig import Served, world

# Files whose tests mostly wait and hold for any load of the machine: `make system` runs them beside each other. All
# others have the machine to themselves: they start vLLM, or a load test whose client is to be fit. Of those files a
# single test may carry the mark `beside`.
BESIDE = frozenset(
    {
        "test_alertmanager",
        "test_arrivals",
        "test_asking",
        "test_built_in_rules",
        "test_clock_step",
        "test_counting",
        "test_demo",
        "test_detection",
        "test_drifted_store",
        "test_engine",
        "test_flows_up",
        "test_gate",
        "test_grafana_rules",
        "test_hint_faces",
        "test_hints_chaos",
        "test_kill",
        "test_live_serve",
        "test_load_failures",
        "test_load_guard",
        "test_load_html",
        "test_load_long",
        "test_load_report",
        "test_notify_kill",
        "test_outcomes",
        "test_probe_run",
        "test_prometheus",
        "test_rebuild",
        "test_report_scale",
        "test_slo_adjustments",
        "test_slo_api",
        "test_slo_backtest_live",
        "test_slo_engine",
        "test_slo_expressions",
        "test_slo_policy",
        "test_slo_prometheus",
        "test_slo_rules",
        "test_slo_trials",
        "test_slo_up",
        "test_spool_crash",
        "test_stalled_engine",
        "test_store_backup",
        "test_store_backup_live",
        "test_store_faults",
        "test_store_full_disk",
        "test_store_late",
        "test_store_listen",
        "test_store_poison",
        "test_store_rebuild",
        "test_store_server",
        "test_store_views",
        "test_ui_format",
        "test_ui_live",
        "test_ui_loads",
        "test_ui_manners",
        "test_ui_pages",
        "test_ui_requests",
        "test_ui_slos",
    }
)

# The longest of them begin first, for whichever begins last decides when all are done.
FIRST = (
    "test_demo",
    "test_ui_pages",
    "test_store_rebuild",
    "test_kill",
    "test_load_guard",
    "test_store_faults",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "beside: a system test that may run beside others")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in BESIDE:
            item.add_marker("beside")
    place = {name: at for at, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with vllm_engine(tmp_path_factory.mktemp("vllm") / "log") as engine:
        yield engine


@pytest.fixture(scope="session")
def promtool() -> str:
    return tool("promtool")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, free_tcp_port_factory: Callable[[], int]) -> Iterator[Served]:
    """Pages over a fleet that ails, for all tests that look at them."""
    with world(tmp_path_factory.mktemp("ui"), free_tcp_port_factory()) as running:
        yield running


@pytest.fixture(scope="session")
def shifted_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that a process is started with to have its wall clock set: `shifted_clock.c`."""
    library = tmp_path_factory.mktemp("clock") / "shifted_clock.so"
    source = Path(__file__).parent / "shifted_clock.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(source), "-ldl"], check=True)
    return library
