"""Workflows from the header of a client to rows in the store, through `up` as it is configured."""

import sys
from pathlib import Path

import httpx
import pytest
from rig import answers, free_port, process, product, wait_until

from telemetry.ids import flow_id
from telemetry.testing.engine_bodies import MODEL

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
STEP_8_MS = ("--alpha-s", "0.008", "--hidden-s", "0.008")


def asked(url: str, headers: dict[str, str]) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    assert httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=20).status_code == 200


def test_the_header_of_a_workflow_becomes_its_keyed_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("shared by all tees\n")
    monkeypatch.setenv("INFEROMETER_TARGET__WORKFLOW_HEADER", "X-Workflow-Id")
    monkeypatch.setenv("INFEROMETER_TARGET__WORKFLOW_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("INFEROMETER_TARGET__CLASS_HEADER", "X-Workload-Class")
    port = free_port()
    engine = (sys.executable, "-m", "loadtest.fleet.server", *STEP_8_MS, "--port", str(port))
    with process(*engine, log=tmp_path / "engine.log"), product(f"http://127.0.0.1:{port}", tmp_path / "d") as up:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), "engine")
        url = f"http://127.0.0.1:{up.port}"
        for name in ("order 1", "order 2"):
            for retries in (0, 1):
                named = {"x-workflow-id": name, "x-workload-class": "workflow", "x-stainless-retry-count": str(retries)}
                asked(url, named)
        asked(url, {})
        wait_until(lambda: up.count() == 5, "rows")
        rows = up.rows("SELECT flow_id, workload_class, groupArray(attempt) AS tries FROM requests GROUP BY ALL")

    of = {row["flow_id"] and int(row["flow_id"]): (row["workload_class"], sorted(row["tries"])) for row in rows}
    first, second = (flow_id(b"shared by all tees", name) for name in (b"order 1", b"order 2"))
    assert of == {first: ("workflow", [1, 2]), second: ("workflow", [1, 2]), None: ("", [1])}
