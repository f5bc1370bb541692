"""The filmed speaker: what the tracker's smoothing does and undoes, whom a training sees, and how his mouth closes."""

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.face_capture.points_of_head import point_model
from engine.head import load_head
from engine.shared.controls import CONTROL_NAMES
from engine.shared.lip_opening import lip_opening_mm
from engine.shared.options import STARTER
from engine.shared.weights import WEIGHT_NAMES
from training.data.corpus import Corpus
from training.data.films import Films, smoothed, unsmoothed
from training.data.utterance import Utterance
from training.phones import segments_from_labels
from training.prior import filmed_motion
from training.prior.filmed_motion import FilmedSentence
from training.prior.scenes import SCENE_FRAMES, SceneMaker

PHONES = [["sil", 0, 0.5], ["AA", 0.5, 1.0], ["B", 1.0, 1.1], ["AA", 1.1, 1.8], ["F", 1.8, 1.95], ["sil", 1.95, 3.0]]


def column(weights, name):
    return weights[:, WEIGHT_NAMES.index(name)]


def test_smoothing_is_taken_back():
    course = np.random.default_rng(0).standard_normal((60, 3, 2))
    slow = smoothed(course)
    assert np.diff(slow, axis=0).std() < 0.8 * np.diff(course, axis=0).std()
    np.testing.assert_allclose(unsmoothed(slow), course, atol=1e-9)


@pytest.fixture(scope="module")
def model():
    return point_model(load_head(Bundle.open(STARTER), "cpu"))


def film_of(model, weights):
    """Films of one sentence: what a camera sees of weights (F, 57), 400 pixels a model unit, as the tracker smooths."""
    places = np.array([point.place for point in model.points])
    seen = places + np.einsum("fw,nwc->fnc", weights, model.displacements)
    pixels = np.stack([200 + 400 * seen[..., 0], 200 - 400 * seen[..., 1], -400 * seen[..., 2]], -1)
    numbers = [point.number for point in model.points]
    scores = weights[:, :52].astype(float)
    return Films(["a"], np.array([0, len(weights)]), numbers, smoothed(pixels), scores, 25.0)


def test_the_jaw_of_a_film_is_found_and_lips_close_where_the_phones_say(model):
    times = np.arange(75) / 25
    weights = np.zeros((75, 57))
    weights[:, WEIGHT_NAMES.index("jawOpen")] = 0.3 * np.clip(np.sin(2 * np.pi * 1.5 * (times - 0.5)), 0, 1)
    utterance = Utterance("grid/a", "grid", "s1", PHONES, np.zeros(48000, np.int16))
    found, (pixels, millimetres) = filmed_motion.fitted_mouth(film_of(model, weights), 0, utterance, model)
    free = np.ones(len(found), bool)
    free[21:28] = free[40:49] = False
    true = np.interp(np.arange(len(found)) / 24, times, weights[:, WEIGHT_NAMES.index("jawOpen")])
    assert np.corrcoef(column(found, "jawOpen")[free], true[free])[0, 1] > 0.95
    assert lip_opening_mm(found)[round(1.05 * 24)] < 0.3
    assert column(found, "mouthRollLower")[round(1.87 * 24)] > 0.25
    assert millimetres < 2
    assert pixels == pytest.approx(1.6 * millimetres, rel=0.01)  # 400 pixels are 250 mm
    names = [name for name, values in zip(WEIGHT_NAMES, found.T, strict=True) if values.any()]
    assert all(name.startswith(("jaw", "mouth", "tongue")) for name in names)


def test_kept_out_sentences_are_spread_over_all():
    films = Films([str(i) for i in range(100)], np.arange(101), [], np.zeros((100, 0, 3)), np.zeros((0, 52)), 25.0)
    kept = films.kept_out()
    assert len(kept) == 38 and kept[0] == 0 and kept[-1] == 99


def test_a_voice_like_his_need_not_be_asked_for_and_another_in_his_way_may():
    weights = np.full((71, 57), 0.1, np.float32)
    samples = (3000 * np.sin(np.arange(48000) / 20)).astype(np.int16)
    sentence = FilmedSentence(
        Utterance("grid/a", "grid", "s1", PHONES, samples), segments_from_labels(PHONES, 3.0), weights
    )
    maker = SceneMaker(Corpus([], np.zeros(0, np.int16)), 0)
    column_of = CONTROL_NAMES.index("filmed")
    for as_usual in (False, True):
        scenes = maker.filmed([sentence] * 9, as_usual)
        assert len(scenes) == 3
        for scene in scenes:
            performance = scene.performance(3)
            assert performance.weights.shape == (SCENE_FRAMES, 57)
            assert (performance.controls[:, column_of] == (0.0 if as_usual else 1.0)).all()
            assert not performance.controls[:, CONTROL_NAMES.index("captured")].any()
        # Four sentences of 71 frames follow each other, each heard when it is seen.
        spoken = [segment.start for segment in scenes[0].segments if segment.phone == "B"]
        np.testing.assert_allclose(spoken, 1.0 + 71 / 24 * np.arange(4), atol=1e-6)
