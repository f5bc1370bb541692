"""docs/api.md says what the docstrings say."""

from __future__ import annotations

import pytest

from tools import api_page


def test_the_page_is_up_to_date():
    assert api_page.PAGE.read_text("utf-8") == api_page.page(), "run `make api`"


def test_every_public_function_of_a_class_is_listed():
    text = api_page.page()

    assert "### Engine.sample()" in text
    assert "### Engine.head\n" in text  # a property has no brackets
    assert "_refinement" not in text


def test_fields_of_a_dataclass_are_the_arguments_of_its_call():
    text = api_page.page()

    assert "    smooth: float = 0.0,\n" in text.partition("## Style\n")[2].partition("\n)")[0] + "\n"


def test_a_property_shows_its_type():
    assert "duration: float\n" in api_page.page()


def test_arguments_of_a_docstring_become_a_list():
    lines = list(api_page._block("keep, resample: codes of a take\n    and a range.\nstart: seconds."))

    assert lines == ["- `keep`, `resample`: codes of a take and a range.", "- `start`: seconds."]


@pytest.mark.parametrize("text", ["Raises EngineError: see below.", "An orthonormal Q (200, 52): its columns."])
def test_a_sentence_with_a_colon_is_no_list(text):
    assert list(api_page._block(text)) == [text]
