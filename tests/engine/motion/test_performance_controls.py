"""Decoders with a head pose, prosody and controls: what they are asked for, and what stays of a take."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from engine import Engine
from engine.bundle import Bundle, merge_section
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder, load_expression_decoder
from engine.motion.diffusion import Kept, sample
from engine.motion.prosody import PROSODY_DIMENSIONS
from engine.motion.sampling_defaults import SamplingDefaults
from engine.shared.controls import CONTROL_NAMES, EMOTIONS, TRAITS, check_controls, control_rows, drawn_traits
from engine.shared.errors import EngineError

POSE_SCALE = (0.8, 0.8, 0.8, 1.0, 1.0, 1.0)
SMALL = DenoiserConfig(
    layers=1, width=32, heads=2, feed_forward=16, code_dimensions=200, audio_dimensions=256, code_scale=0.03,
    pose_scale=POSE_SCALE, prosody_dimensions=PROSODY_DIMENSIONS, controls=CONTROL_NAMES,
)  # fmt: skip
DEFAULTS = SamplingDefaults(steps=2, sampler="dpm++", guidance=1.5, mouth_temperature=0.3, smooth=0.06, pose_smooth=0.1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The starter with an untrained small decoder that has everything."""
    folder = tmp_path_factory.mktemp("bundle") / "performer"
    starter = Bundle.open("starter")
    for name in ("speech", "head.identity", "head.expression", "head.template", "head.regions"):
        merge_section(folder, name, starter.section(name), starter.tensors(name))
    config = starter.config["head"]
    torch.manual_seed(0)
    decoder = ExpressionDecoder(SMALL)
    merge_section(folder, "motion", asdict(SMALL) | DEFAULTS.section(), decoder.state_dict())
    made = Engine.load(folder, "cpu")
    for key in ("smoothing", "box"):
        made.bundle.config["head"][key] = config[key]
    return made


def voice(seconds=1.5):
    times = np.arange(int(16000 * seconds)) / 16000
    return (0.2 * np.sign(np.sin(2 * np.pi * 140 * times)) * np.sin(2 * np.pi * 2.3 * times) ** 2).astype("f4"), 16000


def test_a_take_has_a_pose_and_another_emotion_is_another_take(engine):
    plain = engine.sample(voice(), seed=3)
    assert plain.pose.shape == (36, 6)
    assert plain.codes.shape == (36, 200)
    angry = engine.sample(voice(), seed=3, controls={"anger": 1.0})
    assert not np.allclose(angry.codes, plain.codes)
    assert angry.provenance["controls"] == {"anger": 1.0}
    rising = engine.sample(voice(), seed=3, controls={"anger": np.linspace(0, 1, 36)})
    assert not np.allclose(rising.codes, angry.codes)
    stronger = engine.sample(voice(), seed=3, controls={"anger": 1.0}, control_guidance=2.0)
    assert not np.allclose(stronger.codes, angry.codes)
    np.testing.assert_array_equal(engine.sample(voice(), seed=3, controls={"anger": 1.0}).pose, angry.pose)


def test_a_range_sampled_again_keeps_pose_and_codes_bit_for_bit(engine):
    first = engine.sample(voice(), seed=1)
    kept = {"keep": first.codes, "resample": (10, 20)}
    again = engine.sample(voice(), seed=2, **kept, keep_pose=first.pose)
    for before, after in ((first.codes, again.codes), (first.pose, again.pose)):
        np.testing.assert_array_equal(after[:10], before[:10])
        np.testing.assert_array_equal(after[20:], before[20:])
        assert not np.isclose(after[12:18], before[12:18]).all()
    assert engine.sample(voice(), seed=2, **kept).pose is None


def test_a_range_sampled_again_keeps_eyes_that_look_aside_bit_for_bit(engine):
    asked = {"controls": {"gaze_hold": 1.0, "gaze_left": 30.0, "blink_rate": 0.5}}
    first, free = engine.sample(voice(), seed=1, **asked), engine.sample(voice(), seed=1)
    assert (first.pose[:, 1] - free.pose[:, 1]).min() > 5  # the head helps
    again = engine.sample(voice(), seed=2, keep=first.codes, keep_pose=first.pose, resample=(10, 20), **asked)
    for before, after in ((first.codes, again.codes), (first.pose, again.pose)):
        np.testing.assert_array_equal(after[:10], before[:10])
        np.testing.assert_array_equal(after[20:], before[20:])
    # The head turns once, not once more where it was sampled again: it joins what is kept.
    assert np.abs(np.diff(again.pose[:, 1])).max() < 3 * np.abs(np.diff(first.pose[:, 1])).max() + 1
    assert again.provenance["controls"] == asked["controls"]


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        ({"bliss": 1.0}, "no control"),
        ({"joy": 1.5}, "0 to 1"),
        ({"joy": np.nan}, "0 to 1"),
        ({"joy": np.zeros(7)}, "each of the 36"),
        ({"joy": "much"}, "neither a number"),
    ],
)
def test_controls_that_make_no_sense_are_refused(engine, controls, words):
    with pytest.raises(EngineError, match=words):
        engine.sample(voice(), controls=controls)


def test_a_model_without_controls_says_so():
    with pytest.raises(EngineError, match="cannot be asked for joy"):
        check_controls({"joy": 1.0}, 4, 24.0, ())


def test_traits_follow_from_the_seed_alone():
    assert drawn_traits(5) == drawn_traits(5)
    assert drawn_traits(5) != drawn_traits(6)
    assert set(drawn_traits(5)) == set(TRAITS)
    rows = control_rows(CONTROL_NAMES, {"joy": np.linspace(0, 1, 4), "energy": 0.5}, 4)
    assert rows.shape == (4, len(CONTROL_NAMES))
    assert rows[-1, CONTROL_NAMES.index("joy")] == 1
    assert (rows[:, CONTROL_NAMES.index("energy")] == 0.5).all()
    assert not rows[:, CONTROL_NAMES.index(EMOTIONS[1])].any()


def test_guidance_of_the_controls_extrapolates_from_their_null_condition():
    torch.manual_seed(1)
    config = replace(SMALL, code_dimensions=6, audio_dimensions=8, prosody_dimensions=0)
    decoder = ExpressionDecoder(config).eval()
    features, controls = torch.randn(9, 8), torch.randn(9, len(CONTROL_NAMES))
    # One step is the prediction itself, so takes are linear in the guidance.
    options = {"seed": 1, "steps": 1, "sampler": "ddim", "controls": controls}
    takes = [sample(decoder, features, control_guidance=w, **options) for w in (0.0, 1.0, 2.0)]
    torch.testing.assert_close(takes[2] - takes[1], takes[1] - takes[0], rtol=1e-3, atol=1e-4)
    without = sample(decoder, features, seed=1, steps=1, sampler="ddim")
    torch.testing.assert_close(takes[0], without, rtol=1e-3, atol=1e-4)
    assert takes[0].shape == (9, 12)


def test_kept_rows_of_another_width_are_refused():
    decoder = ExpressionDecoder(replace(SMALL, prosody_dimensions=0)).eval()
    with pytest.raises(EngineError, match="codes of"):
        sample(decoder, torch.randn(9, 256), seed=1, steps=1, kept=Kept(torch.zeros(9, 200), 2, 5))


@pytest.mark.parametrize(
    "changes",
    [
        {"pose_scale": (1.0,)},
        {"pose_scale": (1.0,) * 5 + (0.0,)},
        {"prosody_dimensions": PROSODY_DIMENSIONS + 1},
        {"controls": ("joy", "joy")},
        {"controls": ("bliss",)},
    ],
)
def test_a_decoder_of_another_kind_is_refused(changes):
    with pytest.raises(EngineError):
        replace(SMALL, **changes)


def test_the_starters_decoder_needs_none_of_it():
    config = load_expression_decoder(Bundle.open("starter")).config
    assert config.columns == 200 + len(config.pose_scale)
