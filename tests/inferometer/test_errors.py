"""Each class of error has the exit code that design.md gives it."""

import pytest

from inferometer.errors import ConfigurationError, InferometerError, UnreachableError


@pytest.mark.parametrize(("error", "expected"), [(InferometerError, 1), (ConfigurationError, 2), (UnreachableError, 5)])
def test_an_error_knows_its_exit_code(error: type[InferometerError], expected: int) -> None:
    assert expected == error("x").exit_code
