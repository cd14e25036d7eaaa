"""Three answers, and how several become one."""

import pytest

from loadtest.verdict import EXIT_CODES, Verdict, overall

PASS, FAIL, OPEN = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([PASS, PASS], PASS),
        ([PASS, FAIL, OPEN], FAIL),
        ([PASS, OPEN], OPEN),
        ([OPEN], OPEN),
        ([FAIL], FAIL),
        ([], OPEN),
    ],
)
def test_one_of_several(verdicts: list[Verdict], expected: Verdict) -> None:
    assert expected is overall(verdicts)


def test_exit_codes_keep_failed_apart_from_cannot_tell() -> None:
    assert {"pass": 0, "fail": 3, "inconclusive": 4} == EXIT_CODES
