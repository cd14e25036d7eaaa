"""Knows how Sloth writes SLOs over Prometheus, and what they mean here; refuses to know PromQL itself.

Source: Sloth, `prometheus/v1` (pkg/prometheus/api/v1: version, service, labels, slos); sloth#332: its 30 d value is the
unweighted mean of ratios over 5 m; spec/slo.md 1.
"""

from collections.abc import Sequence

from slo.documents import Findings, Section, Written
from slo.imported import DIFFERS, Options, Promise, kept, meaning, of_errors
from slo.openslo_write import Document

VERSION = "prometheus/v1"
PERIOD = "30d"
"""Sloth's default period."""
MEAN = "Sloth's value over 30 d is the unweighted mean of ratios over 5 m (sloth#332); ours weighs each request alike"


def documents(files: Sequence[Written], options: Options, findings: Findings) -> list[Document]:
    """Return the SLOs of Sloth files as OpenSLO documents; mistakes and words of warning go to `findings`."""
    found = [one for file in files for one in _file(Section(file, "", findings), options)]
    findings.lints += [DIFFERS, MEAN]
    return found


def _file(section: Section, options: Options) -> list[Document]:
    if section.text("version", required=True, allowed=VERSION) != VERSION:
        section.wrong("version", VERSION)
        return []
    service = section.text("service", required=True)
    labels = _labels(section)
    found = [_slo(one, service, labels, options) for one in section.sections("slos", required=True)]
    section.raw("slo_plugins")
    section.end()
    return [one for one in found if one is not None]


def _slo(section: Section, service: str, labels: dict[str, str], options: Options) -> Document | None:
    percent = section.number("objective", "a number of percent, at least 0 and below 100", required=True)
    if percent is not None and not 0 <= percent < 100:  # noqa: PLR2004 -- percent
        section.wrong("objective", "a number of percent, at least 0 and below 100")
    promise = Promise(
        name=section.text("name", required=True),
        service=service,
        target=float(f"{percent or 0.0!r}e-2"),
        duration=PERIOD,
        description=section.text("description"),
        labels=labels | _labels(section),
    )
    if "alerting" in section:
        section.lint("alerting", "left out: the catalogue of burn windows alerts, and `alertPolicies` can be added")
    section.raw("alerting")
    section.raw("plugins")
    sli = section.section("sli")
    section.end()
    if sli is None:
        section.wrong("sli", "a mapping with events")
        return None
    return _sli(sli, promise, options)


def _sli(sli: Section, promise: Promise, options: Options) -> Document | None:
    events = sli.section("events")
    if events is None:
        sli.wrong("raw" if "raw" in sli else "events", "events: a ratio says nothing of how many requests there were")
        return None
    queries = tuple(events.text(key, required=True) for key in ("error_query", "total_query"))
    errors, total = (
        meaning(events, key, query, options) if query else None
        for key, query in zip(("error_query", "total_query"), queries, strict=True)
    )
    events.end()
    sli.end()
    if errors is None or total is None:
        return kept(promise, "bad", (queries[0], queries[1])) if options.keep_promql else None
    return of_errors(promise, errors, total, options)


def _labels(section: Section) -> dict[str, str]:
    inner = section.section("labels")
    return {name: str(value.value) for name, value in inner.items()} if inner else {}
