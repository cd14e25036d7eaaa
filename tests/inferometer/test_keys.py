"""A section refuses what it does not know, and cannot be changed."""

import pytest
from pydantic import ValidationError

from inferometer.keys import Section


class _Some(Section):
    port: int = 1


def test_a_section_refuses_other_keys_and_changes() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        _Some.model_validate({"prot": 2})
    with pytest.raises(ValidationError, match="frozen"):
        _Some().port = 2
