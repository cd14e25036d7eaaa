"""Values by key, with the place where they stand, from YAML, environment and flags."""

import pytest

from inferometer.config_sources import Found, from_environment, from_flags, from_yaml
from inferometer.errors import ConfigurationError


def test_yaml_values_know_their_lines() -> None:
    found = from_yaml("data: /d\ntee:\n  port: 8100\n  bind: ::1\n\ntarget:\n  models: [a, b]\n", "f.yaml")

    assert found == {
        ("data",): Found(value="/d", where="f.yaml:1"),
        ("tee", "port"): Found(value=8100, where="f.yaml:3"),
        ("tee", "bind"): Found(value="::1", where="f.yaml:4"),
        ("target", "models"): Found(value=["a", "b"], where="f.yaml:7"),
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n", "{}"])
def test_an_empty_file_holds_nothing(text: str) -> None:
    assert from_yaml(text, "f.yaml") == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a: [", "f.yaml:1: not valid YAML", id="an open list"),
        pytest.param("tee:\n\tport: 1", "f.yaml:2: not valid YAML", id="a tab"),
        pytest.param("a: \x00", "f.yaml:1: not valid YAML", id="a control character"),
        pytest.param("- a", "f.yaml:1: found no mapping", id="a list"),
        pytest.param("tee:\n  port: 1\n  port: 2", "f.yaml:3: tee.port: stands twice", id="a key that stands twice"),
        pytest.param("tee: !!python/name:os.system x", "f.yaml:1: not valid YAML", id="a tag that would run code"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, line: str) -> None:
    with pytest.raises(ConfigurationError, match=line):
        from_yaml(text, "f.yaml")


def test_variables_of_ours_become_keys() -> None:
    found = from_environment({"INFEROMETER_TEE__PORT": "1", "INFEROMETER_CONFIG": "f", "PATH": "/bin"})

    assert found == {("tee", "port"): Found(value="1", where="INFEROMETER_TEE__PORT", text=True)}


def test_only_flags_that_were_typed_count() -> None:
    found = from_flags({"tee.port": ("--port", "1"), "data": ("--data", None)})

    assert found == {("tee", "port"): Found(value="1", where="--port", text=True)}
