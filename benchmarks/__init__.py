"""Measurements against peers in the same run; each is `python -m benchmarks.NAME [--quick] --output table|json`."""
