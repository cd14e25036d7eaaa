"""Knows which formats of SLOs can be read and written, and turns files into text; refuses to print.

Source: spec/slo.md 1 (import, export).
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import yaml

from inferometer.errors import ConfigurationError
from inferometer.slo_files import documents, files, loaded
from slo import openslo_write, prometheus_rules, pyrra, sloth
from slo.documents import Findings, Written
from slo.errors import ObjectiveError
from slo.imported import Options
from slo.objective import Objective


class Import(StrEnum):
    """Formats that can be read."""

    SLOTH = "sloth"
    PYRRA = "pyrra"


class Export(StrEnum):
    """Formats that can be written."""

    PROMETHEUS = "prometheus"
    SLOTH = "sloth"
    PYRRA = "pyrra"
    OPENSLO = "openslo"


def imported(paths: Sequence[Path], source: Import, options: Options) -> tuple[str, tuple[str, ...]]:
    """Return OpenSLO text made from another system's files, and words of warning.

    Raises:
        ConfigurationError: Something cannot be read, or has no meaning here; with file and line.
    """
    written: list[Written] = [one for path in files(paths) for one in documents(path)]
    findings = Findings()
    read = sloth.documents if source is Import.SLOTH else pyrra.documents
    found = read(written, options, findings)
    try:
        findings.check()
    except ObjectiveError as error:
        raise ConfigurationError(str(error)) from None
    return _text(found), tuple(findings.lints)


def exported(paths: Sequence[Path], target: Export) -> str:
    """Return the objectives of OpenSLO files in another format.

    Raises:
        ConfigurationError: The files are wrong, with file and line, or hold nothing that can be written.
    """
    objectives = loaded(paths).objectives
    if not objectives:
        raise ConfigurationError("no objective of these files is evaluated here, so there is nothing to export")
    try:
        return _exported(objectives, target)
    except ValueError as error:
        raise ConfigurationError(f"{target.value}: {error}") from None


def openslo(objective: Objective) -> str:
    """Return an objective as OpenSLO text that holds all that is said of it."""
    return _text([openslo_write.document(objective)])


def _exported(objectives: Sequence[Objective], target: Export) -> str:
    if target is Export.PROMETHEUS:
        return f"# {prometheus_rules.NOT_EXPRESSIBLE}\n" + _text([prometheus_rules.rules(objectives)])
    if target is Export.SLOTH:
        services = dict.fromkeys(one.service for one in objectives)
        return _text(
            [
                prometheus_rules.sloth(service, [one for one in objectives if one.service == service])
                for service in services
            ]
        )
    write = prometheus_rules.pyrra if target is Export.PYRRA else openslo_write.document
    return _text([write(one) for one in objectives])


def _text(found: Sequence[object]) -> str:
    return yaml.safe_dump_all(found, sort_keys=False, width=1_000, allow_unicode=True)
