"""The import contracts and lint limits can fail: each is broken on purpose in a copy of the tree."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
ROOMS = ("telemetry", "collector", "probes", "slo", "loadtest", "dashboards", "inferometer")

BROKEN_CONTRACTS = [
    pytest.param(
        "telemetry/percentile.py", "import time", "telemetry.percentile -> time", id="a clock in a pure module"
    ),
    pytest.param("collector/frames.py", "import slo", "collector.frames -> slo", id="one middle room imports another"),
    pytest.param("telemetry/sse.py", "import collector", "telemetry.sse -> collector", id="the lowest room looks up"),
    pytest.param(
        "probes/__init__.py",
        "import clickhouse_connect",
        "probes -> clickhouse_connect",
        id="a library far from its home",
    ),
]
BROKEN_LIMITS = [
    pytest.param("import asyncio\nasyncio.create_task(f())\n", "TID251", id="a bare task"),
    pytest.param("import time\nt = time.monotonic()\n", "TID251", id="a clock not handed in"),
    pytest.param("import unittest.mock\n", "TID251", id="a mock"),
    pytest.param("from . import frames\n", "TID252", id="a relative import"),
    pytest.param("x = y  # noqa\n", "PGH004", id="a bare noqa"),
    pytest.param("def f(a, b, c, d, e, g, h): ...\n", "PLR0913", id="seven parameters"),
    pytest.param("def f():\n" + "    g()\n" * 26, "PLR0915", id="twenty-six statements"),
    pytest.param("def f(x):\n" + "".join(f"    if x == {n}: g()\n" for n in range(8)), "C901", id="complexity nine"),
]


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def copy_of_the_tree(to: Path) -> Path:
    for room in ROOMS:
        shutil.copytree(ROOT / room, to / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to)
    return to


@pytest.mark.parametrize(("module", "line", "named"), BROKEN_CONTRACTS)
def test_a_broken_contract_is_named(tmp_path: Path, module: str, line: str, named: str) -> None:
    tree = copy_of_the_tree(tmp_path)
    with (tree / module).open("a") as text:
        text.write(f"\n{line}\n")

    verdict = run(str(BIN / "lint-imports"), "--no-logo", "--no-cache", cwd=tree)

    assert verdict.returncode == 1
    assert named in verdict.stdout


@pytest.mark.parametrize(("text", "code"), BROKEN_LIMITS)
def test_a_broken_limit_is_named(tmp_path: Path, text: str, code: str) -> None:
    module = tmp_path / "broken.py"
    module.write_text(text)

    verdict = run(str(BIN / "ruff"), "check", "--config", str(ROOT / "pyproject.toml"), str(module), cwd=tmp_path)

    assert code in verdict.stdout


def test_a_module_named_like_a_standard_one_is_refused(tmp_path: Path) -> None:
    room = tmp_path / "loadtest"
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "queue.py").touch()

    verdict = run(str(BIN / "ruff"), "check", "--config", str(ROOT / "pyproject.toml"), str(room), cwd=tmp_path)

    assert "A005" in verdict.stdout
