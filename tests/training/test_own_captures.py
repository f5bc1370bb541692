"""A person's own captures: what is read, learnt of and kept out, and that a run ends in a bundle that speaks."""

import csv

import numpy as np
import pytest
import soundfile

from engine import Engine
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.controls import CONTROL_NAMES
from engine.shared.errors import EngineError
from engine.shared.lip_opening import lip_opening_mm
from training import motion, own_captures
from training.own_captures import captures_of, own_scenes, read_live_link

SECONDS, RATE = 50, 60
JAW = ARKIT_NAMES.index("jawOpen")


def jaw_of(times):
    return 0.2 + 0.2 * np.sin(2 * np.pi * 0.7 * times)


def write_pair(folder, name="talk", seconds=SECONDS):
    """A CSV as the app writes it, from a moment before midnight, and a buzz as loud as the jaw is open."""
    times = np.arange(seconds * RATE) / RATE
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Timecode", "BlendshapeCount", *(name[0].upper() + name[1:] for name in ARKIT_NAMES)])
        for frame, jaw in enumerate(jaw_of(times)):
            clock = 10 * 3600 + 59 * 60 + 40 + frame // RATE
            code = f"{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}:{frame % RATE:02}.512"
            row = np.zeros(len(ARKIT_NAMES))
            row[JAW] = jaw
            writer.writerow([code, 61, *(f"{value:.5f}" for value in row)])
    sound_times = np.arange(seconds * 16000) / 16000
    buzz = np.sign(np.sin(2 * np.pi * 120 * sound_times)) * jaw_of(sound_times)
    soundfile.write(folder / f"{name}.wav", 0.2 * buzz, 16000)


def test_a_csv_of_live_link_face_is_read_at_the_code_rate(tmp_path):
    write_pair(tmp_path, seconds=40)
    weights = read_live_link(tmp_path / "talk.csv")
    assert weights.shape[1] == 57
    assert len(weights) == pytest.approx(40 * 24, abs=1)
    np.testing.assert_allclose(weights[:, JAW], jaw_of(np.arange(len(weights)) / 24), atol=0.005)


def test_scenes_hold_what_is_not_kept_out_and_need_not_be_asked_for(tmp_path):
    write_pair(tmp_path)
    captures = captures_of(tmp_path)
    kept_out = captures[0].part(0.8, 1.0)
    assert len(kept_out.weights) == pytest.approx(240, abs=1)
    assert len(kept_out.samples) == pytest.approx(160_000, rel=0.01)
    scenes = [scene for scene in own_scenes(captures, 0) if scene.capture is not None]
    learnt = np.concatenate([scene.capture for scene in scenes])
    np.testing.assert_allclose(learnt[:958], captures[0].weights[:958], atol=1e-6)
    assert np.ptp(learnt[962:, JAW]) < 1e-6  # held, to fill the last scene
    performance = scenes[0].performance(1)
    assert not performance.controls[:, CONTROL_NAMES.index("captured")].any()
    assert np.corrcoef(performance.weights[:, JAW], scenes[0].capture[:, JAW])[0, 1] > 0.8


def test_lips_that_the_capture_brings_together_are_sealed(tmp_path):
    write_pair(tmp_path)
    (capture,) = captures_of(tmp_path)
    shut = capture.weights[:, JAW] < 0.005
    assert shut.any()
    assert lip_opening_mm(capture.weights[shut]).max() < 0.1


def test_what_cannot_be_used_is_one_sentence(tmp_path):
    with pytest.raises(EngineError, match="There is no folder"):
        captures_of(tmp_path / "absent")
    with pytest.raises(EngineError, match="no sound with a CSV"):
        captures_of(tmp_path)
    write_pair(tmp_path, seconds=5)
    with pytest.raises(EngineError, match="leaves 4 s to learn from"):
        captures_of(tmp_path)
    (tmp_path / "talk.csv").write_text("a,b\n1,2\n")
    with pytest.raises(EngineError, match=r"talk\.csv is no CSV of Live Link Face"):
        captures_of(tmp_path)


def test_without_data_or_captures_it_says_what_to_give(tmp_path, capsys):
    assert motion.main(["--output", str(tmp_path / "run")]) == 2
    assert "--captures" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_tells_what_it_changed_and_ends_in_a_bundle_that_speaks(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "captures"
    folder.mkdir()
    write_pair(folder)
    monkeypatch.setattr(own_captures, "SILENT_SHARE", 0.3)
    run = tmp_path / "run"
    assert motion.main(["--captures", str(folder), "--output", str(run), "--steps", "2", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "lip opening, correlation with what was kept out" in printed
    assert "before" in printed
    engine = Engine.load(run / "bundle", "cpu")
    take = engine.sample((np.zeros(16000, np.float32), 16000))
    assert take.pose is not None
    assert take.provenance["refined"]
    assert not np.array_equal(take.codes, Engine.load("starter", "cpu").sample((np.zeros(16000, "f4"), 16000)).codes)
