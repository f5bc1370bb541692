"""Controls on command lines, in tables over time, and as the sampler gets them."""

from argparse import ArgumentParser

import numpy as np
import pytest

from engine.shared.control_options import add_control_options, controls_of, read_controls
from engine.shared.controls import CONTROL_NAMES, check_controls
from engine.shared.errors import EngineError


def asked(*words):
    parser = ArgumentParser()
    add_control_options(parser)
    return controls_of(parser.parse_args(words))


def test_emotions_and_energy_are_read_from_words():
    assert asked() == {}
    assert asked("--emotion", "joy=0.7") == {"joy": 0.7}
    found = asked("--emotion", "anger=0.5,disgust=0.25", "--emotion", "fear=1", "--energy", "-0.5")
    assert found == {"anger": 0.5, "disgust": 0.25, "fear": 1.0, "energy": -0.5}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--emotion", "joy"], "write e.g. joy=0.7"),
        (["--emotion", "bliss=1"], "no emotion"),
        (["--emotion", "joy=2"], "0 to 1"),
        (["--emotion", "joy=nan"], "0 to 1"),
        (["--energy", "3"], "-1 to 1"),
        (["--controls", "/nowhere/controls.csv"], "Cannot read controls"),
    ],
)
def test_words_that_make_no_sense_are_refused(words, message):
    with pytest.raises(EngineError, match=message):
        asked(*words)


def test_a_table_over_time_is_linear_between_its_rows(tmp_path):
    table = tmp_path / "controls.csv"
    table.write_text("seconds,joy,energy\n0,0,0\n1,1,0.5\n2,1,-0.5\n")
    controls = asked("--controls", str(table), "--emotion", "anger=0.2")
    assert controls["anger"] == 0.2
    rows = check_controls(controls, 61, 24.0, CONTROL_NAMES)
    np.testing.assert_allclose(rows["joy"][[0, 12, 24, 36, 60]], [0, 0.5, 1, 1, 1])
    np.testing.assert_allclose(rows["energy"][[12, 36, 60]], [0.25, 0, -0.5])


@pytest.mark.parametrize(
    "text",
    ["", "joy\n1\n", "seconds\n1\n", "seconds,joy\n0,a\n", "seconds,joy\n0\n", "seconds,bliss\n0,1\n", "seconds,joy\n"],
)
def test_tables_that_are_none_are_refused(tmp_path, text):
    (tmp_path / "controls.csv").write_text(text)
    with pytest.raises(EngineError):
        read_controls(str(tmp_path / "controls.csv"))


def test_a_curve_whose_times_fall_is_refused():
    with pytest.raises(EngineError, match="do not rise"):
        check_controls({"joy": np.array([[1.0, 0.5], [0.0, 0.5]])}, 4, 24.0, CONTROL_NAMES)
