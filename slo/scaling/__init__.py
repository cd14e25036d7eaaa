"""Scaling hints: how many replicas a target needs, why, and what speaks against it."""
