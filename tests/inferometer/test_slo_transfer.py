"""SLOs read from and written for other systems."""

from pathlib import Path

import pytest
import yaml
from slo_samples import CHAT, QUICK, SLOTH

from inferometer.errors import ConfigurationError
from inferometer.slo_files import loaded
from inferometer.slo_transfer import Export, Import, exported, imported
from slo.imported import Options
from slo.objective import definition_hash


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    path = tmp_path / "chat.yaml"
    path.write_text(f"{CHAT}---\n{QUICK}")
    return path


def test_what_is_imported_is_what_is_loaded(tmp_path: Path) -> None:
    source, made = tmp_path / "sloth.yaml", tmp_path / "made.yaml"
    source.write_text(SLOTH)
    text, lints = imported([source], Import.SLOTH, Options(endpoint="chat"))
    made.write_text(text)

    assert [("availability", 0.999)] == [(one.name, one.target) for one in loaded([made]).objectives]
    assert any("figures will differ" in lint for lint in lints)
    with pytest.raises(ConfigurationError, match=r"sloth.yaml:1: apiVersion: found nothing, allowed pyrra"):
        imported([source], Import.PYRRA, Options())


def test_openslo_is_written_and_read_back(chat: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    again.write_text(exported([chat], Export.OPENSLO))

    assert [definition_hash(one) for one in loaded([chat]).objectives] == [
        definition_hash(one) for one in loaded([again]).objectives
    ]


@pytest.mark.parametrize("target", list(Export))
def test_every_format_is_yaml_and_names_the_objective(chat: Path, target: Export) -> None:
    text = exported([chat], target)

    assert all("chat-good" in str(one) for one in yaml.safe_load_all(text))
    assert text.startswith("# Low-traffic gates") is (target is Export.PROMETHEUS)


def test_sloth_has_a_file_for_each_service(chat: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(CHAT.replace("chat-good", "b").replace("service: chat", "service: two"))

    assert ["chat", "two"] == [one["service"] for one in yaml.safe_load_all(exported([chat, other], Export.SLOTH))]


def test_nothing_to_export_is_told(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(QUICK)
    with pytest.raises(ConfigurationError, match="there is nothing to export"):
        exported([path], Export.OPENSLO)
