"""SLO files for tests of what is made of them."""

from pathlib import Path


def slo_file(folder: Path, *, name: str = "chat-good", target: float = 0.99, type_: str = "inferometer") -> Path:
    """Write a file with one objective and return it."""
    path = folder / f"{name}.yaml"
    path.write_text(
        f"""\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: chat
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 30d, isRolling: true}}]
  objectives: [{{displayName: good, target: {target}}}]
  indicator:
    metadata: {{name: {name}-sli}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: {type_}, spec: {{expr: "ok and ttft_s <= 2"}}}}}}
        total: {{metricSource: {{type: {type_}, spec: {{group_by: [endpoint]}}}}}}
"""
    )
    return path
