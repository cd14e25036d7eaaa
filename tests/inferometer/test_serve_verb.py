"""Tests of inferometer.serve_verb."""

from pathlib import Path

import pytest
from one_slo import slo_file

from inferometer.config import load
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.serve_verb import serve_config
from slo.budget import BlindPolicy
from slo.rules.rule import Mode, RuleId, Settings

STORE = "store: {url: 'http://127.0.0.1:9', user: me, "


def config_text(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"data: {tmp_path}/d\n{text}")
    return path


def test_a_server_is_read_and_written_as_one_user(tmp_path: Path) -> None:
    slo, key = slo_file(tmp_path), tmp_path / "key"
    key.write_text("secret")
    text = f"slo: {{objectives: [{slo}]}}\n{STORE}password_file: {key}}}\nserve: {{port: 1234}}\n"
    file = config_text(tmp_path, text)
    told = serve_config(load(file, environ={}), insecure_bind=False)

    assert (told.host, told.port, told.objectives) == ("127.0.0.1", 1234, (str(slo),))
    assert (told.reader, told.writer, told.store_url) == ("me", "me", "http://127.0.0.1:9")
    assert {told.reader_password_file, told.writer_password_file} == {str(key)}
    assert told.ledger == str(tmp_path / "d" / "slo" / "ledger.sqlite")


def test_what_replicas_share_and_what_blindness_is_are_handed_on(tmp_path: Path) -> None:
    slo = f"slo: {{objectives: [{slo_file(tmp_path)}]"
    plain = serve_config(load(config_text(tmp_path, f"{slo}}}\n{STORE}}}\n"), environ={}), insecure_bind=False)
    text = f"{slo}, lease: {tmp_path}/lease, blind_policy: count_bad}}\n{STORE}}}\n"
    told = serve_config(load(config_text(tmp_path, text), environ={}), insecure_bind=False)

    assert (plain.lease, plain.blind_policy) == ("", BlindPolicy.EXCLUDE)
    assert (told.lease, told.blind_policy) == (f"{tmp_path}/lease", BlindPolicy.COUNT_BAD)


def test_where_grafana_is_is_handed_on(tmp_path: Path) -> None:
    slo = f"slo: {{objectives: [{slo_file(tmp_path)}]}}\n{STORE}}}\n"
    plain = serve_config(load(config_text(tmp_path, slo), environ={}), insecure_bind=False)
    text = f"{slo}serve: {{grafana_url: 'https://grafana.example/g'}}\n"
    told = serve_config(load(config_text(tmp_path, text), environ={}), insecure_bind=False)

    assert ("", "https://grafana.example/g") == (plain.grafana_url, told.grafana_url)


def test_the_settings_of_built_in_rules_are_handed_on(tmp_path: Path) -> None:
    text = f"slo: {{objectives: [{slo_file(tmp_path)}], rules: {{oom: {{mode: naive}}}}}}\n{STORE}}}\n"
    told = serve_config(load(config_text(tmp_path, text), environ={}), insecure_bind=False)

    assert told.rules == {RuleId.OOM: Settings(mode=Mode.NAIVE)}


def test_somebody_who_is_to_be_told_is_told_of_built_in_rules_alone(tmp_path: Path) -> None:
    text = f"slo: {{channels: {tmp_path}/channels.yaml}}\n{STORE}}}\n"
    told = serve_config(load(config_text(tmp_path, text), environ={}), insecure_bind=False)

    assert (told.objectives, told.channels) == ((), f"{tmp_path}/channels.yaml")


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        pytest.param("slo: {objectives: [a]}\n", UnreachableError, "no store runs", id="no store"),
        pytest.param(
            "slo: {objectives: [a]}\nserve: {bind: 0.0.0.0}\n", ConfigurationError, "serve.bind", id="open to others"
        ),
        pytest.param(
            f"slo: {{objectives: [a]}}\n{STORE}password: x}}\n", ConfigurationError, "store.password_file", id="secret"
        ),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        serve_config(load(config_text(tmp_path, text), environ={}), insecure_bind=False)
