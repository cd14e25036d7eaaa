"""The plugin's distribution: it brings itself, and nothing else, into vLLM's environment; ours does not bring it."""

import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent.parent
PLUGIN = ROOT / "collector" / "vllm_plugin"


def built(project: Path, to: Path) -> zipfile.Path:
    [wheel] = WheelBuilder(str(project)).build(directory=str(to), versions=["standard"])
    return zipfile.Path(wheel)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    return built(PLUGIN, tmp_path_factory.mktemp("wheel"))


def text(wheel: zipfile.Path, name: str) -> str:
    [info] = [entry for entry in wheel.iterdir() if entry.name.endswith(".dist-info")]
    return (info / name).read_text(encoding="utf-8")


def test_the_wheel_holds_the_package_and_its_metadata_only(wheel: zipfile.Path) -> None:
    files = {path.name for path in (PLUGIN / "inferometer_vllm").iterdir() if path.suffix in {".py", ".typed"}}

    assert {entry.name for entry in wheel.iterdir()} == {"inferometer_vllm", "inferometer_vllm-0.1.0.dist-info"}
    assert {entry.name for entry in (wheel / "inferometer_vllm").iterdir()} == files
    assert "stat_logger.py" in files


def test_it_depends_on_nothing(wheel: zipfile.Path) -> None:
    metadata = Parser().parsestr(text(wheel, "METADATA"))

    assert metadata.get_all("Requires-Dist") is None
    assert (metadata["Name"], metadata["Requires-Python"]) == ("inferometer-vllm", ">=3.10")


def test_vllm_finds_it_by_its_entry_point(wheel: zipfile.Path) -> None:
    assert text(wheel, "entry_points.txt").split() == [
        "[vllm.stat_logger_plugins]", "inferometer", "=", "inferometer_vllm.stat_logger:StatLogger",
    ]  # fmt: skip


def test_it_imports_the_standard_library_and_vllm_only() -> None:
    code = [path.read_text() for path in (PLUGIN / "inferometer_vllm").glob("*.py")]
    imported = {
        line.split()[1].split(".")[0]
        for text in code
        for line in map(str.strip, text.splitlines())
        if line.startswith(("import ", "from "))
    }

    assert imported == {
        "collections", "contextlib", "dataclasses", "errno", "inferometer_vllm", "logging", "os", "socket", "struct",
        "typing", "vllm",
    }  # fmt: skip


def test_our_own_wheel_leaves_it_out(tmp_path: Path) -> None:
    ours = built(ROOT, tmp_path)

    assert "vllm_plugin" not in {entry.name for entry in (ours / "collector").iterdir()}
    assert (ours / "collector" / "plugin_rows.py").exists()
