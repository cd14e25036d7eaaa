"""How problems are told."""

from slo.problem import DETAIL_CHARS_MAX, ERRORS_MAX, STATUSES, Mistake, ProblemCode, problem


def test_every_kind_of_problem_has_a_status() -> None:
    assert STATUSES.keys() == set(ProblemCode)


def test_a_problem_names_its_page_and_fits() -> None:
    mistakes = tuple(Mistake(where=str(n), text="x") for n in range(ERRORS_MAX + 1))
    told = problem(ProblemCode.NOT_FOUND, "a\n  b" + "x" * DETAIL_CHARS_MAX, "/" * 1_000, mistakes)

    assert (told.type, told.title, told.status) == ("/problems/not-found", "not found", 404)
    assert told.detail == ("a b" + "x" * DETAIL_CHARS_MAX)[:DETAIL_CHARS_MAX]
    assert (len(told.instance), len(told.errors)) == (DETAIL_CHARS_MAX, ERRORS_MAX)
