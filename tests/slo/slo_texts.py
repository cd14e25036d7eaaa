"""SLO files as texts, and what is read from them."""

from inferometer.slo_files import written
from slo.documents import Findings, Section, Written
from slo.openslo import Loaded, load


def documents(*texts: str) -> list[Written]:
    """Return the documents of texts, each a file of its own: `f0.yaml`, `f1.yaml`."""
    return [one for at, text in enumerate(texts) for one in written(text, f"f{at}.yaml")]


def loaded(*texts: str) -> Loaded:
    return load(documents(*texts))


def section(text: str) -> Section:
    """Return a text as a mapping whose findings are kept."""
    return Section(documents(text)[0], "", Findings())


def told(found: Section) -> list[str]:
    """Return the mistakes of a section, one line each."""
    return [str(error) for error in found.findings.errors]


SLI = """{metadata: {name: i}, spec: {ratioMetric: {good: {metricSource: {type: inferometer, spec: {expr: "ok"}}}, \
total: {metricSource: {type: inferometer, spec: {eligible: default}}}}}}"""
POLICY = """[{metadata: {name: p}, spec: {conditions: [{metadata: {name: c}, spec: {severity: sev1, condition: {\
threshold: 2, lookbackWindow: 1h}}}, {metadata: {name: d}, spec: {severity: x, condition: {kind: outage, \
lookbackWindow: 5m}}}]}}]"""


def threshold_sli(keys: str) -> str:
    """Return an indicator that is a number."""
    source = f"{{type: inferometer, spec: {{{keys}}}}}"
    return f"{{metadata: {{name: x}}, spec: {{thresholdMetric: {{metricSource: {source}}}}}}}"


def slo(
    name: str = "chat", *, target: str = "target: 0.99", window: str = "duration: 30d, isRolling: true", **keys: str
) -> str:
    """Return an SLO over our own metric source."""
    spec = {
        "service": "s",
        "timeWindow": f"[{{{window}}}]",
        "budgetingMethod": "Occurrences",
        "objectives": f"[{{{target}}}]",
        "indicator": SLI,
        **keys,
    }
    lines = "".join(f"  {key}: {value}\n" for key, value in spec.items() if value)
    return f"apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: {name}}}\nspec:\n{lines}"
