"""The room that drives: load against an endpoint."""
