"""How the configuration comes together, and the one line in which a bad one is refused."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from inferometer.config import FILE_BYTES_MAX, SECRET_BYTES_MAX, SHOWN_CHARACTERS_MAX, check, load, secret, shown
from inferometer.config_schema import Retention
from inferometer.config_sources import from_yaml
from inferometer.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(
            "tee:\n  prot: 1",
            "f:2: tee.prot: unknown key, nearest is tee.port; "
            "allowed: keys bind, drain_s_max, plugin_socket, port, workers",
            id="a misspelt key",
        ),
        pytest.param(
            "port: 1",
            "f:1: port: unknown key, nearest is tee.port; "
            "allowed: data, hints, load, probe, serve, slo, spool, store, target, tee",
            id="a key without its section",
        ),
        pytest.param(
            "zzz:\n  qqq: 1",
            "f:2: zzz.qqq: unknown key; allowed: data, hints, load, probe, serve, slo, spool, store, target, tee",
            id="a key that resembles none",
        ),
        pytest.param(
            "tee:\n  port: abc", "f:2: tee.port: found 'abc'; allowed: a port from 1 to 65535", id="a wrong type"
        ),
        pytest.param("tee: {port: 0}", "f:1: tee.port: found 0; allowed: a port from 1 to 65535", id="below the bound"),
        pytest.param(
            "tee: {port: 65536}", "f:1: tee.port: found 65536; allowed: a port from 1 to 65535", id="above the bound"
        ),
        pytest.param(
            "tee: {port: yes}",
            "f:1: tee.port: found True; allowed: a port from 1 to 65535",
            id="YAML's yes is no number",
        ),
        pytest.param(
            "tee: 5",
            "f:1: tee: found 5; allowed: keys bind, drain_s_max, plugin_socket, port, workers",
            id="a value for a section",
        ),
        pytest.param(
            "data: {a: b}", "f:1: data: found a mapping; allowed: the path of a file", id="a section for a value"
        ),
        pytest.param(
            "target: {models: a}",
            "f:1: target.models: found 'a'; allowed: a list of at most 256 model names",
            id="a text for a list",
        ),
        pytest.param(
            "target: {url: 'ftp://h'}",
            "f:1: target.url: found 'ftp://h'; allowed: http://HOST:PORT, for example http://127.0.0.1:8000",
            id="a bad URL",
        ),
        pytest.param(
            "store: {url: h}",
            "f:1: store.url: found 'h'; allowed: http://HOST:PORT or https://HOST:PORT of a ClickHouse server",
            id="a bad store URL",
        ),
        pytest.param(
            "serve: {grafana_url: 'javascript:alert(1)'}",
            "f:1: serve.grafana_url: found 'javascript:alert(1)'; "
            "allowed: http://HOST or https://HOST, with a path but no query",
            id="a bad web address",
        ),
        pytest.param(
            "store: {password: 5}",
            "f:1: store.password: found ****; allowed: a text; "
            "better the path of a file in the key of the same name plus _file",
            id="a wrong secret is not repeated",
        ),
        pytest.param(
            "store: {retention: {requests: 13}}",
            "f:1: store.retention.requests: found 13; allowed: days from 14 to 36500, or 0 for ever",
            id="too short a retention",
        ),
        pytest.param(
            "store: {retention: {r_1m: 90, request: 30}}",
            "f:1: store.retention.request: unknown key, nearest is store.retention.requests; allowed: keys "
            + ", ".join(sorted(Retention.model_fields)),
            id="a retention of no table",
        ),
        pytest.param(
            "tee: {workers: 0, port: x}",
            "f:1: tee.port: found 'x'; allowed: a port from 1 to 65535 (1 more wrong)",
            id="two wrong values",
        ),
    ],
)
def test_a_bad_value_is_refused_with_place_key_found_and_allowed(text: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check(from_yaml(text, "f"))

    assert line == str(refused.value)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ConfigurationError) as refused:
        check(from_yaml(f"tee: {{port: {'x' * 500}}}", "f"))

    assert f"found '{'x' * (SHOWN_CHARACTERS_MAX - 1)}...;" in str(refused.value)


@pytest.mark.parametrize("text", ["tee:", "tee: {}", "tee:\n  # nothing\ntarget: {}"])
def test_an_empty_section_leaves_the_defaults(text: str) -> None:
    assert check(from_yaml(text, "f")).tee.port == 8100


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("tee: {port: 1, workers: 2}\nserve: {port: 3}\ntarget: {region: r}\n")
    environ = {"INFEROMETER_TEE__PORT": "11", "INFEROMETER_SERVE__PORT": "13", "INFEROMETER_TARGET__MODELS": "a, b"}

    config = load(file, flags={"tee.port": ("--port", "21"), "data": ("--data", None)}, environ=environ)

    assert (config.tee.port, config.serve.port, config.tee.workers, config.store.port) == (21, 13, 2, 8300)
    assert (config.target.models, config.target.region) == (("a", "b"), "r")


@pytest.mark.parametrize(
    ("probe", "ttl_s", "allowed"),
    [
        pytest.param("0", 60, "30", id="never"),
        pytest.param("30.1", 60, "30", id="once in the life of a hint"),
        pytest.param("16", 31, "15.5", id="of a short one"),
        pytest.param("30", 60, "", id="twice"),
        pytest.param("50", 120, "", id="twice of a long one"),
    ],
)
def test_where_hints_are_asked_for_engines_are_looked_at_twice_in_the_life_of_one(
    tmp_path: Path, probe: str, ttl_s: int, allowed: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"hints: {{targets: t.yaml, ttl_s: {ttl_s}}}\nprobe:\n  engine_interval_s: {probe}\n")
    if not allowed:
        assert float(probe) == load(file, environ={}).probe.engine_interval_s
        return
    with pytest.raises(
        ConfigurationError, match=rf"c\.yaml:3: probe\.engine_interval_s: found {probe}; .* at most {allowed}, half"
    ):
        load(file, environ={})


def test_without_hints_engines_may_be_looked_at_never(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("probe: {engine_interval_s: 0}\n")

    assert 0 == load(file, environ={}).probe.engine_interval_s


def test_a_bad_variable_or_flag_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^INFEROMETER_TEE__PROT: tee\.prot: unknown key"):
        load(environ={"INFEROMETER_TEE__PROT": "1"})
    with pytest.raises(ConfigurationError, match=r"^--port: tee\.port: found 'x'"):
        load(environ={}, flags={"tee.port": ("--port", "x")})


def test_the_file_is_the_named_one_or_the_usual_one(tmp_path: Path) -> None:
    usual = tmp_path / "inferometer" / "config.yaml"
    usual.parent.mkdir()
    usual.write_text("data: usual")
    named = tmp_path / "named.yaml"
    named.write_text("data: named")
    home = {"XDG_CONFIG_HOME": str(tmp_path)}

    assert load(environ=home).data == "usual"
    assert load(environ=home | {"INFEROMETER_CONFIG": str(named)}).data == "named"
    assert load(environ={"HOME": str(tmp_path)}).data is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "cannot be read: No such file", id="missing"),
        pytest.param(b"\xff\xfe", "is not UTF-8", id="not UTF-8"),
        pytest.param(b"#" * (FILE_BYTES_MAX + 1), "is larger than", id="one byte too large"),
    ],
)
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "c.yaml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=words):
        load(file, environ={})


def test_a_file_of_just_the_most_bytes_is_read(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"#" * FILE_BYTES_MAX)

    assert load(file, environ={}).data is None


def test_secrets_come_by_value_or_by_file_and_are_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    config = check(from_yaml("store: {password: by-value}", "f"))

    assert secret(config.store.password, None, "store.password") == "by-value"
    assert secret(SecretStr("x"), str(file), "store.password") == "from-file"
    assert secret(None, None, "store.password") == ""
    assert shown(config)["store"]["password"] == "****"  # noqa: S105  # it is the mask
    assert "by-value" not in repr(config)


@pytest.mark.parametrize("size", [SECRET_BYTES_MAX + 1, None])
def test_a_secret_file_that_cannot_be_is_named(tmp_path: Path, size: int | None) -> None:
    file = tmp_path / "key"
    if size:
        file.write_text("k" * size)

    with pytest.raises(ConfigurationError, match=r"^store\.password_file: .*key"):
        secret(None, str(file), "store.password")
