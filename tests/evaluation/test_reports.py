"""Reports say what their figures hold, the committed ones too."""

import json

import pytest

from evaluation.__main__ import FOLDER, REPORTS
from evaluation.shared.reports import WIDTH, item, paragraph, table, text_of, write_report


@pytest.mark.parametrize("name", REPORTS)
def test_a_committed_report_is_what_its_figures_give(name):
    assert (FOLDER / f"{name}.md").read_text("utf-8") == text_of(FOLDER / f"{name}.json", REPORTS[name])


def test_every_committed_report_has_a_text():
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(REPORTS)


def test_a_table_is_markdown():
    assert table(["", "a"], [["one", "1"], ["none", ""]]) == ["| | a |", "|---|---|", "| one | 1 |", "| none | |"]


def test_a_paragraph_breaks_between_words_and_not_in_a_command():
    command = "`python -m evaluation.motion`"
    lines = paragraph("far-off " * 14 + command + " end")
    assert lines == ["far-off " * 13 + "far-off", f"{command} end"]
    assert len(lines[0]) <= WIDTH < len(f"{lines[0]} {command}")


def test_a_point_of_a_list_is_indented():
    lines = item("word " * 40)
    assert [line[:3] for line in lines] == ["- w", "  w"]
    assert max(map(len, lines)) <= WIDTH


def test_a_report_is_made_of_the_figures_as_the_file_holds_them(tmp_path):
    def text(figures: dict) -> str:
        return f"{sorted(figures)}\n"

    write_report(tmp_path / "new", "numbers", {2: "two", "1": "one"}, text)
    assert json.loads((tmp_path / "new" / "numbers.json").read_text()) == {"2": "two", "1": "one"}
    assert (tmp_path / "new" / "numbers.md").read_text() == "['1', '2']\n"
