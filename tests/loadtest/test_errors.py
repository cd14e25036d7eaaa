"""Errors of the room: one root, and the line of a trace that is at fault."""

from loadtest.errors import LoadError, PlanError, PlanMismatchError, TraceError


def test_all_have_one_root() -> None:
    assert all(issubclass(one, LoadError) for one in (PlanError, PlanMismatchError, TraceError))


def test_a_trace_error_names_its_line() -> None:
    assert ("line 7: no number", 7) == (str(TraceError("no number", 7)), TraceError("no number", 7).line)
    assert ("empty", None) == (str(TraceError("empty")), TraceError("empty").line)
