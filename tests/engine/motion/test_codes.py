"""Expression takes: the ARKit embedding, retiming, strength and files."""

import json
import zipfile

import numpy as np
import pytest
from closeness import assert_close

from engine import Engine
from engine.motion import codes as codes_module
from engine.motion.codes import (
    ICT_NAMES,
    ExpressionTake,
    codes_from_weights,
    expression_basis,
    ict_weights,
    weights_from_codes,
)
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.errors import EngineError
from engine.shared.weights import TONGUE_NAMES, WEIGHT_NAMES


@pytest.fixture
def take() -> ExpressionTake:
    generator = np.random.default_rng(3)
    weights = generator.uniform(0, 1, (30, len(WEIGHT_NAMES))).astype(np.float32)
    return ExpressionTake(
        codes=codes_from_weights(weights, expression_basis()),
        seed=7,
        weights=weights,
        lip_opening_mm=generator.uniform(0, 30, 30),
        provenance={"bundle": "starter", "steps": 4},
    )


def test_names_are_the_52_of_arkit():
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52
    assert ARKIT_NAMES[0] == "eyeBlinkLeft"
    assert ARKIT_NAMES[-1] == "tongueOut"
    lefts = {name.removesuffix("Left") for name in ARKIT_NAMES if name.endswith("Left")}
    rights = {name.removesuffix("Right") for name in ARKIT_NAMES if name.endswith("Right")}
    assert lefts == rights


def test_ict_names_are_those_of_the_ict_model():
    expected = (
        "browDown_L browDown_R browInnerUp_L browInnerUp_R browOuterUp_L browOuterUp_R cheekPuff_L cheekPuff_R "
        "cheekSquint_L cheekSquint_R eyeBlink_L eyeBlink_R eyeLookDown_L eyeLookDown_R eyeLookIn_L eyeLookIn_R "
        "eyeLookOut_L eyeLookOut_R eyeLookUp_L eyeLookUp_R eyeSquint_L eyeSquint_R eyeWide_L eyeWide_R jawForward "
        "jawLeft jawOpen jawRight mouthClose mouthDimple_L mouthDimple_R mouthFrown_L mouthFrown_R mouthFunnel "
        "mouthLeft mouthLowerDown_L mouthLowerDown_R mouthPress_L mouthPress_R mouthPucker mouthRight mouthRollLower "
        "mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmile_L mouthSmile_R mouthStretch_L mouthStretch_R "
        "mouthUpperUp_L mouthUpperUp_R noseSneer_L noseSneer_R"
    )
    assert ICT_NAMES == tuple(expected.split())


@pytest.mark.parametrize(
    ("arkit_name", "ict_names"),
    [
        ("browInnerUp", {"browInnerUp_L", "browInnerUp_R"}),
        ("cheekPuff", {"cheekPuff_L", "cheekPuff_R"}),
        ("mouthSmileRight", {"mouthSmile_R"}),
        ("jawLeft", {"jawLeft"}),
        ("jawOpen", {"jawOpen"}),
        ("tongueOut", set()),
    ],
)
def test_each_arkit_weight_drives_its_ict_shapes(arkit_name, ict_names):
    weights = np.zeros(52, np.float32)
    weights[ARKIT_NAMES.index(arkit_name)] = 0.5
    driven = ict_weights(weights)
    assert {ICT_NAMES[i] for i in np.flatnonzero(driven)} == ict_names
    assert set(driven[driven > 0]) <= {0.5}


def test_codes_and_weights_convert_both_ways(take):
    basis = expression_basis()
    np.testing.assert_allclose(basis.T.astype(np.float64) @ basis, np.eye(len(WEIGHT_NAMES)), atol=1e-6)
    assert_close(weights_from_codes(take.codes, basis), take.weights)
    # orthonormal columns keep lengths, so noise in a code is noise of the same size in the weights
    np.testing.assert_allclose(np.linalg.norm(take.codes, axis=1), np.linalg.norm(take.weights, axis=1), rtol=1e-5)


def test_weights_of_arkit_alone_are_weights_with_a_tongue_at_rest(take):
    arkit = take.weights[:, : len(ARKIT_NAMES)]
    resting = np.concatenate([arkit, np.zeros((len(arkit), len(TONGUE_NAMES)), np.float32)], 1)
    basis = expression_basis()
    np.testing.assert_allclose(codes_from_weights(arkit, basis), codes_from_weights(resting, basis), atol=1e-6)
    former = basis[:, : len(ARKIT_NAMES)]  # of bundles without a tongue
    np.testing.assert_allclose(codes_from_weights(take.weights, former), codes_from_weights(arkit, basis), atol=1e-6)


def test_a_former_take_is_saved_with_its_own_names(take, tmp_path):
    former = ExpressionTake(take.codes, weights=take.weights[:, : len(ARKIT_NAMES)])
    former.save(tmp_path / "take.npz")
    with np.load(tmp_path / "take.npz", allow_pickle=False) as stored:
        assert tuple(stored["weight_names"]) == ARKIT_NAMES
    assert ExpressionTake.load(tmp_path / "take.npz").weights.shape == former.weights.shape


def test_basis_is_frozen():
    np.testing.assert_array_equal(expression_basis(), expression_basis())
    assert not np.allclose(expression_basis(), expression_basis(seed=1))


def test_resampling_passes_through_the_frames_and_holds_the_ends(take):
    times = np.arange(30) / 24.0
    np.testing.assert_allclose(take.resampled(times), take.codes, atol=1e-6)
    np.testing.assert_array_equal(take.resampled([-5.0, 99.0]), take.codes[[0, -1]])


def test_resampling_is_cubic_between_frames():
    times = np.arange(240) / 24.0
    motion = np.cos(2 * np.pi * times)[:, None] * np.ones(3)
    take = ExpressionTake(codes=motion)
    fine = np.linspace(0, times[-1], 2000)
    error = np.abs(take.resampled(fine)[:, 0] - np.cos(2 * np.pi * fine))
    linear = np.abs(np.interp(fine, times, motion[:, 0]) - np.cos(2 * np.pi * fine))
    inside = fine < 9.5  # the last frame does not stand still, so the zero end slope costs accuracy there
    assert error[inside].max() < 0.02 * linear.max()


@pytest.mark.parametrize("rate", [24.0, 25.0, 29.97, 60.0])
def test_resampling_at_the_codes_own_rate_is_the_identity_bit_for_bit(rate):
    codes = np.random.default_rng(0).standard_normal((500, 20)).astype(np.float32)
    frames = np.arange(11, 511)
    resampled = ExpressionTake(codes, rate=rate).resampled((frames - 11) / rate)
    np.testing.assert_array_equal(resampled.view(np.int32), codes.view(np.int32))


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_takes_resample(frames):
    take = ExpressionTake(codes=np.arange(frames * 4.0).reshape(frames, 4))
    result = take.resampled(np.linspace(-1, 1, 9))
    assert result.shape == (9, 4)
    assert np.isfinite(result).all()


def test_strength_scales_codes_and_weights_together(take):
    half = take.scaled(0.5)
    assert_close(weights_from_codes(half.codes, expression_basis()), half.weights)
    np.testing.assert_allclose(half.weights, 0.5 * take.weights)
    assert half.lip_opening_mm is None
    assert half.seed == take.seed


def test_save_and_load_keep_everything(take, tmp_path):
    take.save(tmp_path / "take.npz")
    loaded = ExpressionTake.load(tmp_path / "take.npz")
    for name in ("codes", "weights", "lip_opening_mm"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(take, name))
    assert (loaded.rate, loaded.seed, loaded.provenance) == (24.0, 7, take.provenance)
    assert [path.name for path in tmp_path.iterdir()] == ["take.npz"]


def test_take_without_weights_survives_a_file(tmp_path):
    ExpressionTake(codes=np.zeros((2, 200))).save(tmp_path / "bare.npz")
    loaded = ExpressionTake.load(tmp_path / "bare.npz")
    assert loaded.weights is None
    assert loaded.lip_opening_mm is None


def _write(path, **changes):
    arrays = {"codes": np.zeros((3, 200)), "rate": 24.0, "seed": 0, "provenance": np.array(json.dumps({}))} | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"codes": None},
        {"codes": np.full((3, 200), np.nan)},
        {"codes": np.zeros(200)},
        {"codes": np.zeros((0, 200))},
        {"codes": np.array([["a", "b"]])},
        {"codes": np.array([{}, {}], dtype=object)},
        {"rate": 0.0},
        {"rate": np.nan},
        {"rate": np.zeros(4)},
        {"weights": np.zeros((2, 52))},
        {"provenance": np.array("[1]")},
        {"provenance": np.array("{")},
    ],
)
def test_malformed_takes_are_refused(tmp_path, changes):
    _write(tmp_path / "bad.npz", **changes)
    with pytest.raises(EngineError):
        ExpressionTake.load(tmp_path / "bad.npz")


def test_files_that_are_no_takes_are_refused(tmp_path, take, monkeypatch):
    take.save(tmp_path / "whole.npz")
    data = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.npz").write_text("no take")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "array.npz.npy", np.zeros(3))
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    for name in ("cut.npz", "text.npz", "empty.npz", "array.npz.npy", "other.npz", "missing.npz"):
        with pytest.raises(EngineError):
            ExpressionTake.load(tmp_path / name)
    monkeypatch.setattr(codes_module, "MAXIMUM_TAKE_BYTES", 100)
    with pytest.raises(EngineError, match="too large"):
        ExpressionTake.load(tmp_path / "whole.npz")


def test_a_take_from_weights_keeps_them(take):
    weights = take.weights
    take = Engine.load(device="cpu").take_from_weights(weights, 60.0)
    assert take.rate == 60.0
    np.testing.assert_array_equal(take.weights, weights)
    basis = Engine.load(device="cpu").head.arkit_map.basis
    known = basis.shape[1]
    np.testing.assert_allclose(weights_from_codes(take.codes, basis), weights[:, :known], atol=1e-5)
    assert take.lip_opening_mm.shape == (30,)
