"""Files and folders of SLOs, and what of YAML is refused."""

from pathlib import Path

import pytest

from inferometer.errors import ConfigurationError
from inferometer.slo_files import DEPTH_MAX, FILE_BYTES_MAX, FILES_MAX, VALUES_MAX, documents, files, loaded, written

SERVICE = "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: %s}\nspec: {}\n"


def test_a_folder_is_its_yaml_files_in_order_each_once(tmp_path: Path) -> None:
    for name in ("b/x.yml", "a.yaml", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SERVICE % "s")
    folder, single = tmp_path, tmp_path / "a.yaml"

    assert [single, tmp_path / "b/x.yml"] == files([folder, single])
    with pytest.raises(
        ConfigurationError, match=r"x.yml:3: metadata: found Service 's', which stands at .*a.yaml:1 too"
    ):
        loaded([folder])


@pytest.mark.parametrize("make", [False, True])
def test_a_path_without_a_file(tmp_path: Path, make: bool) -> None:
    path = tmp_path / "none"
    if make:
        path.mkdir()
    with pytest.raises(
        ConfigurationError, match=r"none: found no file; allowed: a file, or a folder with \.yaml files"
    ):
        files([path])


def test_each_value_knows_its_line_and_a_date_stays_a_text() -> None:
    (one, two) = written("a: 2026-01-01 12:00:00\nb:\n- x\n- 1\n---\n\n---\nc: &c {d: true}\ne: *c\n", "f")

    assert isinstance(one.value, dict)
    assert ("2026-01-01 12:00:00", "f:1") == (one.value["a"].value, one.value["a"].where)
    assert isinstance(one.value["b"].value, list)
    assert [("x", "f:3"), (1, "f:4")] == [(part.value, part.where) for part in one.value["b"].value]
    assert isinstance(two.value, dict)
    assert two.value["c"] == two.value["e"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "f:1: not valid YAML"),
        ("a: 1\nb: 2\na: 3\n", "f:3: a: stands twice"),
        ("a: !!python/object:os.system x", "f:1: found tag:yaml.org,2002:python/object:os.system; allowed: texts, "),
        ("a: !!binary aGk=", "f:1: found tag:yaml.org,2002:binary; allowed: texts, numbers, true and false"),
        ("a: &a [*a]", "f:1: nested deeper than 32 levels"),
        ("a: \x07", "f:1: not valid YAML"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        written(text, "f")

    assert str(told.value).startswith(expected)


def test_a_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: b".ljust(FILE_BYTES_MAX))
    assert 1 == len(documents(path))
    path.write_text("a: b".ljust(FILE_BYTES_MAX + 1))
    with pytest.raises(ConfigurationError, match=f"is larger than {FILE_BYTES_MAX} bytes"):
        documents(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        documents(path)


def test_depth_and_values_are_bounded() -> None:
    assert written("[" * (DEPTH_MAX - 1) + "x" + "]" * (DEPTH_MAX - 1), "f")
    with pytest.raises(ConfigurationError, match="nested deeper than 32 levels"):
        written("[" * DEPTH_MAX + "x" + "]" * DEPTH_MAX, "f")
    # Aliases of aliases: a text of 200 bytes that would be ten million values.
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
    )
    with pytest.raises(ConfigurationError, match=f"or more than {VALUES_MAX} values"):
        written(bomb, "f")


def test_files_are_bounded(tmp_path: Path) -> None:
    for at in range(FILES_MAX + 1):
        (tmp_path / f"{at}.yaml").touch()
    with pytest.raises(ConfigurationError, match=f"{FILES_MAX + 1} files; allowed are {FILES_MAX}"):
        files([tmp_path])
    (tmp_path / "0.yaml").unlink()
    assert FILES_MAX == len(files([tmp_path]))
