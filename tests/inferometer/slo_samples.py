"""SLO files for the tests of the verbs below `slo`."""

CHAT = """apiVersion: openslo/v1
kind: SLO
metadata: {name: chat-good}
spec:
  service: chat
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
  indicatorRef: quick
"""
QUICK = """apiVersion: openslo/v1
kind: SLI
metadata: {name: quick}
spec:
  ratioMetric:
    good: {metricSource: {type: inferometer, spec: {expr: "ttft_s <= 1"}}}
    total: {metricSource: {type: inferometer, spec: {filter: "endpoint == 'chat'"}}}
"""
SLOTH = """version: prometheus/v1
service: shop
slos:
- name: availability
  objective: 99.9
  sli:
    events:
      error_query: sum(rate(http_requests_total{code=~"5.."}[{{.window}}]))
      total_query: sum(rate(http_requests_total[{{.window}}]))
"""
