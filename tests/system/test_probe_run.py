"""`inferometer probe run` as a process: a line of JSON for each result, until SIGTERM."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from asking import good

from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, Send

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]


def test_results_are_printed_until_sigterm(tmp_path: Path) -> None:
    with Endpoint([AwaitToken(b"}"), Send(good("a"))]) as endpoint:
        file = tmp_path / "probes.yaml"
        port = endpoint.address[1]
        file.write_text(
            f"- {{kind: completion, target: t, url: 'http://127.0.0.1:{port}', model: m, prompt: p, interval_s: 1}}\n"
        )
        command = [sys.executable, "-m", "inferometer", "probe", "run", str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            rows = [json.loads(process.stdout.readline()) for _ in range(2)]
            process.send_signal(signal.SIGTERM)
            code = process.wait(20)

    assert 0 == code
    assert [("t", "completion", "ok", 1)] * 2 == [
        (row["target"], row["probe"], row["outcome"], row["ok"]) for row in rows
    ]
    assert 500 < rows[1]["ts"] - rows[0]["ts"] < 20_000
