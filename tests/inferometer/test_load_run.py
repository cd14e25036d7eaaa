"""What needs Locust's processes is in tests/system/test_load_run.py."""

import csv
import json
import resource
import socket
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from load_rows import row
from secure_server import secure_server
from test_load_report import RUN, ending, report

from inferometer import load_files
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.load_key import UNKNOWN
from inferometer.load_run import DESCRIPTORS_SPARE, Carried, carry_out, first_model, reached, reported, show
from inferometer.load_told import SUMMARY_VARIABLE
from loadtest.planner import build
from loadtest.rows import line
from loadtest.target import target
from telemetry.spool import Spool
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd, AwaitToken, Send


def test_a_report_is_printed_in_each_format(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SUMMARY_VARIABLE, raising=False)
    told = report()
    printed: dict[str, str] = {}
    for output in ("json", "csv", "markdown", "table", "junit", "github"):
        show(told, output)
        printed[output] = capsys.readouterr().out

    assert told == json.loads(printed["json"])
    rows = list(csv.DictReader(StringIO(printed["csv"])))
    assert ("ttft", "50.0", "n too small", "") == (
        rows[0]["name"],
        rows[0]["p"],
        rows[0]["standing"],
        rows[0]["value_s"],
    )
    assert "| ttft | ms | n too small |" in printed["markdown"]
    assert "latency from the planned arrival" in printed["table"]
    assert '<testcase classname="load run" name="run" />' in printed["junit"]
    assert "" == printed["github"]  # nothing failed


MODELS = b'HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{"data": [{"id": "one"}]}'


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_target_that_is_not_there_is_noticed_before_anything_is_sent(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(UnreachableError, match="does not answer"):
        reached(f"{scheme}://127.0.0.1:{port}", ())


def test_a_secure_target_is_asked_for_its_models(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure_server(certificate, MODELS) as (port, _):
        url = f"https://127.0.0.1:{port}/v1"
        with pytest.raises(UnreachableError, match="certificate"):
            reached(url, ())
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # what OpenSSL trusts by default

        assert "one" == first_model(reached(url, ()))


def test_the_models_are_asked_for_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k\n")
    with Endpoint([AwaitToken(b"Authorization: Bearer k\r\n\r\n"), Send(MODELS), AwaitEnd()]) as endpoint:
        where = target("http://{}:{}".format(*endpoint.address))

        assert "one" == first_model(where, str(tmp_path / "key"))


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--key-file: .*key: No such file"):
        first_model(target("http://127.0.0.1:1"), str(tmp_path / "key"))


def nothing(line: str) -> None:
    del line


def test_descriptors_are_asked_for_before_anything_is_sent(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > 1_000_000:
        pytest.skip("descriptors without a limit")
    run = msgspec.structs.replace(RUN, in_flight_max=hard - DESCRIPTORS_SPARE + 1, directory=str(tmp_path / "run"))

    with pytest.raises(ConfigurationError, match="--in-flight-max"):
        carry_out(run, build(run.plan), 1, nothing)
    assert [] == list(tmp_path.iterdir())


def test_the_directory_of_another_run_is_not_touched(tmp_path: Path) -> None:
    run = msgspec.structs.replace(RUN, directory=str(tmp_path))

    with pytest.raises(UnreachableError, match="File exists"):
        carry_out(run, build(run.plan), 1, nothing)
    assert [] == list(tmp_path.iterdir())


def test_a_spool_that_refuses_costs_no_report(tmp_path: Path) -> None:
    run = msgspec.structs.replace(RUN, directory=str(tmp_path / "run"))
    load_files.made(tmp_path / "run", run)
    (tmp_path / "run" / "rows-0.jsonl").write_bytes(line(row(0)))
    data = DataDirectory(root=tmp_path)
    data.spool.mkdir()
    owner = Spool(Path(load_files.spooled(data, run.run_id, [row(0)])), node="n")
    carried = Carried(run=run, plan=build(run.plan), ending=ending(), directory=tmp_path / "run")

    with pytest.raises(InferometerError, match=r"; the report is in .*run"):
        reported(carried, data, 0.99, UNKNOWN)
    owner.close()
    assert {"report.json", "receipt.json", "requests.jsonl"} <= {path.name for path in (tmp_path / "run").iterdir()}
    told = json.loads((tmp_path / "run" / "receipt.json").read_text())
    assert (str(owner.directory), 1) == (told["spool"], told["rows"])
