"""What a process of ours is handed."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from telemetry.handed import handed, secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    name: str
    ports: tuple[int, ...] = ()


def test_a_configuration_is_read_and_defaults_hold() -> None:
    assert handed('{"name": "a", "ports": [1, 2]}', Told) == Told(name="a", ports=(1, 2))
    assert handed('{"name": "a"}', Told) == Told(name="a")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "truncated"),
        ("[]", "Expected `object`"),
        ('{"nam": "a", "name": "b"}', "unknown key nam"),
        ("{}", "required field `name`"),
        ('{"name": "a", "ports": ["x"]}', r"\$\.ports\[0\]"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        handed(text, Told)


def test_a_secret_is_its_files_text_without_the_lines_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3 cret\n")

    assert (secret(str(tmp_path / "key")), secret("")) == ("s3 cret", "")
