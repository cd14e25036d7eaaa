"""Whose rows are a target's own."""

import pytest
from scaling_rig import SETTINGS

from slo.hints_target import Hinted


@pytest.mark.parametrize(
    ("model", "row", "owned"),
    [
        pytest.param("", ("chat", "any"), True, id="every model of the endpoint"),
        pytest.param("llama", ("chat", "llama"), True, id="its model"),
        pytest.param("llama", ("chat", ""), True, id="a row that names no model"),
        pytest.param("llama", ("chat", "qwen"), False, id="another model"),
        pytest.param("", ("code", "llama"), False, id="another endpoint"),
    ],
)
def test_rows_of_its_endpoint_and_model_are_its_own(model: str, row: tuple[str, str], owned: bool) -> None:
    assert owned == Hinted(settings=SETTINGS, endpoint="chat", model=model).owns(*row)
