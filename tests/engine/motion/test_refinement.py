"""Refinement: takes of the starter come out smoothed, closed lips stay closed, and kept codes stay as they are."""

import io
import json

import numpy as np
import pytest
import soundfile
import torch
from closeness import assert_close
from repository import ROOT

from engine import Engine
from engine.__main__ import main
from engine.bundle import STARTER, Bundle
from engine.motion.codes import ExpressionTake, codes_from_weights, expression_basis
from engine.motion.diffusion import Kept
from engine.motion.refinement import Refinement, load_refinement
from engine.motion.sampling_defaults import SamplingDefaults
from engine.process import EngineProcess
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.lip_opening import OPENING_MM_PER_WEIGHT, REST_OPENING_MM, lip_opening_mm
from engine.shared.protocol import Message, read_message
from training.phones import Segment
from training.prior.performance import perform

BASIS = expression_basis()
PLAIN = SamplingDefaults(steps=8, sampler="dpm++", guidance=1.0)
SMOOTHING = Refinement(BASIS, 24.0, 0.06)
MOUTH = [index for index, name in enumerate(ARKIT_NAMES) if name.startswith(("mouth", "jaw"))]


@pytest.fixture(scope="module")
def engine():
    return Engine.load(STARTER, "cpu")


def voice(seconds):
    """Buzzes of changing loudness, enough for the mouth to move."""
    times = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sign(np.sin(2 * np.pi * 140 * times)) * np.sin(2 * np.pi * 2.3 * times) ** 2).astype("f4"), 16000


def trembling(seed):
    """Weights (N, 52) of a performance with many bilabials whose open frames tremble, and which are closed."""
    phones = ("AA", "M", "IY", "P", "AE", "B", "OW", "F")
    segments = [Segment(phones[i % 8], 0.15 * i, 0.15 * (i + 1)) for i in range(32)]
    weights = perform(segments, 115, seed, expressive=False).weights
    closed = lip_opening_mm(weights) <= 0
    noise = 0.02 * np.random.default_rng(seed).standard_normal(weights.shape).astype(np.float32)
    return np.where(closed[:, None], weights, weights + noise), closed


def test_a_raised_gaze_does_not_hold_closing_lids_open():
    weights = np.zeros((9, len(ARKIT_NAMES)), np.float32)
    blink, up = (ARKIT_NAMES.index(name) for name in ("eyeBlinkLeft", "eyeLookUpLeft"))
    weights[:, up] = 0.3
    weights[3:6, blink] = 1.0
    refined = SMOOTHING.refined(codes_from_weights(weights, BASIS)) @ BASIS
    np.testing.assert_allclose(refined[:, blink], weights[:, blink], atol=1e-5)
    np.testing.assert_allclose(refined[:, up], np.where(weights[:, blink] > 0, 0.0, 0.3), atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_open_lips_move_more_smoothly_and_closed_ones_keep_their_weights(seed):
    weights, closed = trembling(seed)
    refined = SMOOTHING.refined(codes_from_weights(weights, BASIS)) @ BASIS
    assert 20 < closed.sum() < 90
    np.testing.assert_allclose(refined[closed][:, MOUTH], weights[closed][:, MOUTH], atol=1e-5)
    jerks = [np.abs(np.diff(lip_opening_mm(values)[~closed], 2)).mean() for values in (weights, refined)]
    assert jerks[1] < 0.9 * jerks[0]


def test_lips_that_touch_are_pressed_on_each_other_and_open_ones_are_left_alone():
    opening = np.array([0.0, 0.25, 0.5, 1.0, 5.0])
    weights = np.zeros((5, BASIS.shape[1]), np.float32)
    weights[:, ARKIT_NAMES.index("jawOpen")] = (opening - REST_OPENING_MM) / OPENING_MM_PER_WEIGHT["jawOpen"]
    change = Refinement(BASIS, 24.0, seal=0.02).refined(codes_from_weights(weights, BASIS)) @ BASIS - weights
    expected = np.zeros_like(change)
    expected[:, ARKIT_NAMES.index("mouthClose")] = 0.02 * np.array([1.0, 0.75, 0.5, 0.0, 0.0])
    np.testing.assert_allclose(change, expected, atol=1e-5)


def test_what_is_no_weight_stays():
    weights, _ = trembling(0)
    outside = np.random.default_rng(5).standard_normal((len(weights), 200)).astype("f4")
    outside -= outside @ BASIS @ BASIS.T
    codes = codes_from_weights(weights, BASIS) + outside
    refined = SMOOTHING.refined(codes)
    np.testing.assert_allclose(refined - refined @ BASIS @ BASIS.T, outside, atol=1e-5)


def test_codes_to_keep_stay_bit_for_bit_and_the_change_fades_in():
    codes = codes_from_weights(trembling(1)[0], BASIS)
    kept = Kept(torch.from_numpy(codes), 40, 70)
    refined, whole = SMOOTHING.refined(codes, kept), SMOOTHING.refined(codes)
    np.testing.assert_array_equal(refined[:40], codes[:40])
    np.testing.assert_array_equal(refined[70:], codes[70:])
    np.testing.assert_allclose(refined[45:65], whole[45:65], atol=1e-6)
    shares = np.linalg.norm(refined - codes, axis=1)[40:44] / np.linalg.norm(whole - codes, axis=1)[40:44]
    assert (np.diff(shares) > 0).all()
    assert 0 < shares[0] < 0.2


def test_a_part_of_a_long_take_is_refined_as_it_is_alone():
    codes = np.tile(codes_from_weights(trembling(2)[0], BASIS), (20, 1))
    alone, within = SMOOTHING.refined(codes[500:800])[10:-10], SMOOTHING.refined(codes)[510:790]
    assert_close(alone, within, 1e-6)  # products of other shapes, each of 52 or 200 terms


@pytest.mark.slow
def test_the_starter_refines_its_takes_and_can_be_told_not_to(engine):
    spoken = ROOT / "demo" / "voice.wav"
    raw = engine.sample(spoken, seed=1, refine=False)
    take, again = (engine.sample(spoken, seed=1) for _ in range(2))
    np.testing.assert_array_equal(take.codes, again.codes)
    assert take.provenance["refined"]
    assert "refined" not in raw.provenance
    np.testing.assert_array_equal(
        take.codes, load_refinement(engine.bundle, engine.head.arkit_map.exact_basis).refined(raw.codes)
    )
    assert np.abs(np.diff(take.lip_opening_mm, 2)).mean() < np.abs(np.diff(raw.lip_opening_mm, 2)).mean()


@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_a_range_sampled_again_is_refined_and_the_rest_kept(engine, strength):
    take = engine.sample(voice(3.0), seed=1, strength=strength)
    options = {"seed": 2, "strength": strength, "keep": take.codes, "resample": (20, 50)}
    raw, new = engine.sample(voice(3.0), refine=False, **options), engine.sample(voice(3.0), **options)
    outside = np.r_[0:20, 50 : len(take.codes)]
    np.testing.assert_array_equal(new.codes[outside], take.codes[outside])
    assert np.abs(new.codes[26:44] - raw.codes[26:44]).max() > 1e-3


def test_bundles_without_arkit_weights_or_without_the_wish_are_not_refined(tmp_path):
    assert load_refinement(Bundle.open(STARTER), None) is None
    (tmp_path / "config.json").write_text(json.dumps({"format": 1, "motion": {"code_rate": 24.0, **PLAIN.section()}}))
    assert load_refinement(Bundle.open(tmp_path), BASIS) is None


@pytest.mark.parametrize("refine", [True, False])
def test_the_command_line_and_the_engine_process_pass_the_wish_on(tmp_path, refine):
    sound, path = tmp_path / "voice.wav", tmp_path / "take.npz"
    soundfile.write(sound, *voice(1.0))
    common = ["sample", "--audio", str(sound), "--output", str(path), "--steps", "2", "--device", "cpu"]
    assert main(common if refine else [*common, "--no-refine"]) == 0
    take = ExpressionTake.load(path)
    assert take.provenance.get("refined", False) == refine

    output = io.BytesIO()
    fields = {"device": "cpu", "audio": str(sound), "steps": 2, "refine": refine}
    EngineProcess(output).run(Message("sample", 1, fields, {}))
    output.seek(0)
    (answer,) = (message for message in iter(lambda: read_message(output), None) if message.kind == "take")
    assert_close(answer.arrays["codes"], take.codes)  # the process may compute on another number of threads


def test_lids_that_close_far_close_and_others_stay():
    basis = expression_basis()
    weights = np.zeros((60, basis.shape[1]), np.float32)
    lids = [ARKIT_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    for start, height in ((6, 0.7), (26, 0.3), (46, 1.05)):
        weights[start : start + 3, lids] = height * np.array([[0.6], [1.0], [0.5]])
    refined = Refinement(basis, 24.0, lids=1.0).refined(codes_from_weights(weights, basis))
    found = (refined @ basis)[:, lids]
    assert_close(found[[7, 47]], np.ones((2, 2)), 1e-5)
    assert found[27].max() < 0.1
    assert_close(found[12:24], weights[12:24][:, lids], 1e-5)


def test_the_heads_pose_is_smoothed_and_kept_where_it_is_kept():
    pose = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    refinement = Refinement(expression_basis(), 24.0, pose_smooth=0.15)
    smooth = refinement.smoothed_pose(pose)
    assert np.abs(np.diff(smooth, n=2, axis=0)).mean() < 0.3 * np.abs(np.diff(pose, n=2, axis=0)).mean()
    kept = refinement.smoothed_pose(pose, Kept(torch.zeros(40, 200), 10, 30))
    np.testing.assert_array_equal(kept[:10], pose[:10])
    np.testing.assert_array_equal(kept[30:], pose[30:])
    assert_close(kept[16:24], smooth[16:24], 1e-5)


def test_the_gaze_rests_between_jumps_that_stay_as_quick():
    basis = expression_basis()
    look = np.where(np.arange(60) < 30, 0.1, 0.4).astype(np.float32)
    trembling = look + np.random.default_rng(2).normal(0, 0.02, 60).astype(np.float32)
    weights = np.zeros((60, basis.shape[1]), np.float32)
    weights[:, ARKIT_NAMES.index("eyeLookOutLeft")] = trembling
    refined = Refinement(basis, 24.0, gaze_still=0.21).refined(codes_from_weights(weights, basis))
    found = (refined @ basis)[:, ARKIT_NAMES.index("eyeLookOutLeft")]
    assert np.abs(np.diff(found))[:28].mean() < 0.4 * np.abs(np.diff(trembling))[:28].mean()
    assert np.diff(found).argmax() == 29
    assert np.diff(found).max() > 0.2
