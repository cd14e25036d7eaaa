"""The command line: verbs, one line for every bad input, nothing written for it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from inferometer import data_directory
from inferometer.__main__ import outcome
from inferometer.data_directory import DataDirectory

TARGET = "http://127.0.0.1:9"
FILES = {
    "key.yaml": "tee:\n  prot: 8100\n",
    "type.yaml": "tee:\n  port: abc\n",
    "twice.yaml": "data: a\ndata: b\n",
    "open.yaml": "serve:\n  bind: 0.0.0.0\n",
    "file": "",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no-data"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", StringIO())
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    before = tree(Path.cwd())
    code = outcome(words)
    out, err = capsys.readouterr()

    assert out == ""
    assert err.count("\n") == 1
    assert tree(Path.cwd()) == before
    return code, err.removeprefix("inferometer: ").rstrip("\n")


UP = ["up", "--target", TARGET, "--data", "d"]


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        pytest.param(
            [*UP, "--config", "key.yaml"],
            2,
            "key.yaml:2: tee.prot: unknown key, nearest is tee.port; "
            "allowed: keys bind, drain_s_max, plugin_socket, port, workers",
            id="a wrong key in the file",
        ),
        pytest.param(
            [*UP, "--config", "type.yaml"],
            2,
            "type.yaml:2: tee.port: found 'abc'; allowed: a port from 1 to 65535",
            id="a wrong type in the file",
        ),
        pytest.param([*UP, "--config", "twice.yaml"], 2, "twice.yaml:2: data: stands twice", id="a key twice"),
        pytest.param(
            [*UP, "--config", "none.yaml"], 2, "none.yaml: cannot be read: No such file or directory", id="no file"
        ),
        pytest.param(
            ["up", "--target", "ftp://h"],
            2,
            "--target: target.url: found 'ftp://h'; allowed: http://HOST:PORT, for example http://127.0.0.1:8000",
            id="a bad URL",
        ),
        pytest.param(
            ["up", "--target", "https://h"],
            2,
            "--target: target.url: found 'https://h', but the tee copies plain bytes and ends no TLS; "
            "allowed: http://HOST:PORT, for example http://127.0.0.1:8000",
            id="TLS",
        ),
        pytest.param(
            [*UP, "--port", "65536"],
            2,
            "--port: tee.port: found '65536'; allowed: a port from 1 to 65535",
            id="a port out of range",
        ),
        pytest.param(
            [*UP, "--workers", "0"],
            2,
            "--workers: tee.workers: found '0'; allowed: a whole number from 1 to 64",
            id="no workers",
        ),
        pytest.param(
            [*UP, "--bind", "0.0.0.0"],
            2,
            "tee.bind: found '0.0.0.0', which other machines reach without authentication or TLS; "
            "allowed: 127.0.0.1, or say --insecure-bind",
            id="an open bind by flag",
        ),
        pytest.param(
            [*UP, "--config", "open.yaml"],
            2,
            "serve.bind: found '0.0.0.0', which other machines reach without authentication or TLS; "
            "allowed: 127.0.0.1, or say --insecure-bind",
            id="an open bind by file",
        ),
        pytest.param(
            [*UP, "--store-url", "h:8123"],
            2,
            "--store-url: store.url: found 'h:8123'; "
            "allowed: http://HOST:PORT or https://HOST:PORT of a ClickHouse server",
            id="a bad store URL",
        ),
        pytest.param(
            ["collect", *UP[1:]],
            2,
            "store.url: collect keeps no store of its own; say --store-url http://HOST:8123",
            id="collect without a store",
        ),
        pytest.param(["up", "--xyz", "1"], 2, "No such option: --xyz", id="a wrong option"),
        pytest.param(["watch"], 2, "No such command 'watch'.", id="a wrong verb"),
        pytest.param(
            ["sql"],
            2,
            "sql: no statement; allowed: one as argument, one on stdin, or a terminal to type at",
            id="no statement",
        ),
        pytest.param(["top", "--json"], 2, "--json: goes with --once", id="live JSON"),
        pytest.param(
            ["report", "--data", "d", "--since", "soon"],
            2,
            "--since: found 'soon'; allowed: a span like 90s, 10m, 2h, 7d, `now`, or a time like 2026-01-31T12:00:00Z",
            id="a span that is none",
        ),
        pytest.param(
            ["config", "check", "key.yaml"],
            2,
            "key.yaml:2: tee.prot: unknown key, nearest is tee.port; "
            "allowed: keys bind, drain_s_max, plugin_socket, port, workers",
            id="config check",
        ),
    ],
)
def test_bad_input_is_one_line(words: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (code, line) == refused(words, capsys)


def test_a_bad_variable_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("INFEROMETER_TEE__PORT", "no")

    assert refused(UP, capsys) == (2, "INFEROMETER_TEE__PORT: tee.port: found 'no'; allowed: a port from 1 to 65535")


def test_a_taken_port_is_one_line(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refused([*UP, "--port", str(taken)], capsys)

    assert code == 5
    assert line == f"tee.port: port {taken} of 127.0.0.1 is taken; free it, choose another, or say --port auto"


@pytest.mark.parametrize("verb", ["up", "collect", "demo"])
@pytest.mark.parametrize("data", ["file", "file/below"])
def test_an_unwritable_data_directory_is_one_line(verb: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"up": ["--target", TARGET], "collect": ["--target", TARGET, "--store-url", TARGET], "demo": []}[verb]
    before = tree(Path.cwd())

    code = outcome([verb, "--data", data, *more])

    last = capsys.readouterr().err.splitlines()[-1]
    assert code == 5
    assert last.endswith("file is a file; choose another with --data")
    assert tree(Path.cwd()) == before


def test_a_second_owner_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = data_directory.own(DataDirectory(root=tmp_path / "d"), started_at="2026-01-31T12:00:00Z")
    pid = json.loads((tmp_path / "d" / "run" / "lock").read_text())["pid"]

    code, line = refused(UP, capsys)

    assert code == 2
    assert line == (
        f"data directory {tmp_path}/d is owned by process {pid} since 2026-01-31T12:00:00Z; "
        "stop that one, or choose another with --data"
    )
    lock.close()


@pytest.mark.parametrize("words", [["report"], ["report", "--output", "json"], ["top", "--once"], ["sql", "SELECT 1"]])
def test_without_a_store_the_line_says_what_to_start(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = refused([*words, "--data", "d"], capsys)

    assert code == 5
    assert line == f"no store runs on {tmp_path}/d; start one: inferometer up --target URL --data {tmp_path}/d"


def test_no_verb_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome([]) == 2
    assert capsys.readouterr().err.startswith("Usage: inferometer")


def test_config_show_hides_secrets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("INFEROMETER_STORE__PASSWORD", "by-value")

    assert outcome(["config", "show"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["store"]["password"] == "****"  # noqa: S105  # it is the mask
    assert "by-value" not in out


def test_config_check_and_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.yaml").write_text("tee: {port: 8101}\n")

    assert outcome(["config", "check", "good.yaml"]) == 0
    assert capsys.readouterr().out == "good.yaml: valid\n"
    assert outcome(["config", "schema"]) == 0
    assert "tee" in json.loads(capsys.readouterr().out)["properties"]


HEAVY = ("fastapi", "locust", "chdb", "httpx", "clickhouse_connect", "pydantic", "rich", "structlog", "uvicorn")


def test_the_version_costs_no_heavy_import() -> None:
    script = (
        "import sys\nfrom inferometer.__main__ import outcome\ncode = outcome(['--version'])\n"
        f"sys.exit(code or [name for name in {HEAVY!r} if name in sys.modules] or 0)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout[0].isdigit()


def test_a_foreign_telemetry_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry" / "__init__.py").touch()
    script = "import inferometer.__main__, sys; sys.path.insert(0, '.'); inferometer.__main__.main(['--version'])"

    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert done.returncode == 1
    assert done.stderr.startswith(f"inferometer: package telemetry is from {tmp_path}, not from ")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    words = f"{sys.executable} -m inferometer config schema | head -c 1"

    done = subprocess.run(["bash", "-o", "pipefail", "-c", words], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")
