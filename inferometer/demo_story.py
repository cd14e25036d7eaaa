"""Knows what happens to the simulated fleet of the demo, second by second; refuses to know clocks and addresses.

      0 s  all is well: two replicas, five requests a second
     20 s  one replica becomes six times slower: its queue grows, and of its users those leave who have little patience
     60 s  by now an alert fires and the hint is `scale_up`; the fleet follows it
     75 s  the replica is healed
    150 s  by now the alert is resolved and the hint is `hold`
    225 s  the fleet is made small again, and after 240 s it all begins anew

Counts of objectives are made of half minutes of the wall clock, and hints of quarters of a minute, so a story begins
where its fault falls just behind the edge of one: what is seen of it then depends on no chance. That is also why the
story has no speed but that of the clock: a window of a minute is a minute.

Source: spec/ui.md 1.4; spec/slo.md 8 (30 s); spec/scaling.md 1 (15 s).
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from urllib.parse import quote

ENDPOINT = "demo (simulated)"
TARGET = "demo-simulated"
"""Name of what is scaled."""
OBJECTIVE = "demo-first-token"
REPLICAS, REPLICAS_MAX = 2, 4
STORY_S = 240
"""From one beginning to the next."""
FAULT_S, HEALED_S, SMALL_S = 20, 75, 225
FIRING_BY_S, RESOLVED_BY_S = 60, 150
"""Until when an alert fires, and is resolved."""
SLOWER = 6.0
"""How many times longer the steps of the broken replica are."""
EDGE_S, BEHIND_S = 30, 2
"""A fault begins so long behind a multiple of this, unix seconds: whoever looks at the next one has a little time."""

TTFT_S = 1.0
"""Longest good time to the first token."""
QUEUE_HI = 3
"""Requests that wait per replica from which one is added: three of them are half a second of a healthy one."""

OBJECTIVES = f"""\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {OBJECTIVE}}}
spec:
  description: Of a simulated fleet. Windows are short, so that a story fits into minutes.
  service: demo
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 1h, isRolling: true}}]
  objectives: [{{displayName: first token within {TTFT_S:g} s, target: 0.95}}]
  indicator:
    metadata: {{name: {OBJECTIVE}}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: inferometer, spec: {{expr: "ok and ttft_s <= {TTFT_S:g}"}}}}}}
        total: {{metricSource: {{type: inferometer, spec: {{group_by: [endpoint]}}}}}}
  alertPolicies:
    - kind: AlertPolicy
      metadata: {{name: late-first-tokens}}
      spec:
        keepFiringFor: 0m
        conditions:
          - kind: AlertCondition
            metadata: {{name: burn}}
            spec: {{severity: page, condition: {{kind: burnrate, threshold: 1.5, lookbackWindow: 1m}}}}
"""
"""The objective: more than 7.5 % of a minute's requests late or gone fires, less resolves."""

TARGETS = f"""\
targets:
  - name: {TARGET}
    endpoint: {ENDPOINT}
    variant: simulated
    gpus_per_replica: 4
    min_replicas: {REPLICAS}
    max_replicas: {REPLICAS_MAX}
    ttft_s: {TTFT_S:g}
    queue_depth_hi: {QUEUE_HI}
    slo: {OBJECTIVE}
    usd_per_gpu_hour: 2.0
"""
"""What is scaled."""


class Act(StrEnum):
    """What the story does."""

    HEALTHY = "healthy"
    FAULT = "fault"
    HEALED = "healed"
    SMALL = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the story.

    Attributes:
        at_s: After its beginning.
        act: What is done.
        says: What is told.
        page: Where it is seen, below the pages' own address.
    """

    at_s: int
    act: Act
    says: str
    page: str


def steps() -> tuple[Step, ...]:
    """Return the steps of a story, in order."""
    endpoint = f"ui/endpoints/{quote(ENDPOINT)}"
    return (
        Step(at_s=0, act=Act.HEALTHY, says=f"{REPLICAS} replicas, all is well", page="ui/"),
        Step(
            at_s=FAULT_S,
            act=Act.FAULT,
            says=f"one replica becomes {SLOWER:g} times slower: its queue grows, and users give up",
            page=endpoint,
        ),
        Step(at_s=HEALED_S, act=Act.HEALED, says="the replica is healed", page=endpoint),
        Step(at_s=SMALL_S, act=Act.SMALL, says=f"{REPLICAS} replicas again", page=f"ui/hints/{TARGET}"),
    )


def begins_s(now_unix_s: float) -> int:
    """Return when the next story begins, unix time: its fault falls just behind the edge of a bucket of counts."""
    fault_s = -(-(now_unix_s + FAULT_S - BEHIND_S) // EDGE_S) * EDGE_S + BEHIND_S
    return int(fault_s) - FAULT_S


def victim(random: Random, replicas: list[str]) -> str:
    """Return which replica is broken."""
    return random.choice(sorted(replicas))
