from probes.errors import PageError, PageFault, ProbesError


def test_a_page_error_says_its_kind_and_belongs_to_the_room() -> None:
    error = PageError(PageFault.CUT_OFF)

    assert isinstance(error, ProbesError)
    assert (PageFault.CUT_OFF, "the page of metrics cannot be used: cut_off") == (error.kind, str(error))
