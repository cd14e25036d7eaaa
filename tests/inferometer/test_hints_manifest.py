"""Manifests from the command line: of a configured target, of any other, and refusals."""

from pathlib import Path

import pytest
import yaml

from inferometer.__main__ import outcome

TARGETS = """targets:
- name: llama70b-chat
  namespace: prod
  min_replicas: 2
  max_replicas: 12
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "targets.yaml").write_text(TARGETS)
    config = tmp_path / "config.yaml"
    config.write_text(f"hints: {{targets: {tmp_path / 'targets.yaml'}}}\n")
    return str(config)


def test_a_configured_target_has_its_bounds(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == outcome(["hints", "manifest", "llama70b-chat", "--config", file])

    printed = capsys.readouterr().out
    assert (Path(__file__).parents[2] / "deploy" / "hints" / "keda.yaml").read_text() == printed


def test_what_is_said_goes_before_what_is_configured(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--kind", "hpa", "--namespace", "test", "--max", "3", "--workload", "vllm"]
    assert 0 == outcome(["hints", "manifest", "llama70b-chat", "--config", file, *options])

    _, one = yaml.safe_load_all(capsys.readouterr().out)
    assert ("test", 2, 3) == (one["metadata"]["namespace"], one["spec"]["minReplicas"], one["spec"]["maxReplicas"])
    assert "vllm" == one["spec"]["scaleTargetRef"]["name"]


def test_a_target_that_is_not_configured_has_what_is_usual(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == outcome(["hints", "manifest", "chat", "--kind", "flagger", "--url", "http://here:1"])

    assert "https://here:1" == yaml.safe_load(capsys.readouterr().out)["spec"]["provider"]["address"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kind", "magic"], "--kind: found 'magic'; allowed: keda, keda-push, hpa"),
        (["--url", "here"], "url: found 'here'; allowed: http://HOST:PORT"),
        (["--min", "9", "--max", "2"], "replicas: found 9 to 2"),
    ],
)
def test_what_is_wrong_is_exit_2_in_one_line(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == outcome(["hints", "manifest", "chat", *options])

    told = capsys.readouterr()
    assert ("", 1) == (told.out, len(told.err.splitlines()))
    assert said in told.err
