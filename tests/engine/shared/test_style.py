"""Style: factors and smoothing against closed forms; closed lips stay closed, on numbers and on the starter's head."""

import io
from dataclasses import fields, replace

import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from repository import PARITY, ROOT

from engine import Engine
from engine.__main__ import main
from engine.importing.nphm import import_nphm
from engine.motion.codes import ExpressionTake, codes_from_weights, expression_basis, weights_from_codes
from engine.process import EngineProcess
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.errors import EngineError
from engine.shared.protocol import Message, read_message
from engine.shared.style import CLOSED_MM, OPEN_MM, TUCKED, UNTUCKED, Style, styled_weights

RATE = 24.0
NAMES = [field.name for field in fields(Style)]
FACTORS = NAMES[:-1]
ROLL = ARKIT_NAMES.index("mouthRollLower")
MIRRORED = [
    ARKIT_NAMES.index(name.replace("Left", "*").replace("Right", "Left").replace("*", "Right")) for name in ARKIT_NAMES
]
weights_of_takes = arrays(np.float32, (30, 52), elements=st.floats(-0.125, 1, width=32))
openings = arrays(np.float32, 30, elements=st.floats(0, 20, width=32))
styles = st.builds(
    Style, **dict.fromkeys(FACTORS, st.floats(0, 2, width=32)), smooth=st.sampled_from([0.0, 0.04, 0.1, 0.5])
)


def columns(*prefixes):
    return [index for index, name in enumerate(ARKIT_NAMES) if name.startswith(prefixes)]


def opened(weights, style):
    """Styled weights of a mouth that is wide open in every frame, the lower lip nowhere under the teeth."""
    weights = np.array(weights, np.float32)
    weights[:, ROLL] = np.minimum(weights[:, ROLL], UNTUCKED)
    return styled_weights(weights, RATE, style, np.full(len(weights), 10, np.float32))


@given(weights_of_takes, openings)
def test_factors_of_one_without_smoothing_are_the_identity_bit_for_bit(weights, opening):
    take = ExpressionTake(codes_from_weights(weights, expression_basis()), weights=weights, lip_opening_mm=opening)
    assert take.styled(Style(), expression_basis()) is take
    np.testing.assert_array_equal(styled_weights(weights, RATE, Style(), None).view(np.int32), weights.view(np.int32))


@given(weights_of_takes, openings, styles)
def test_closed_lips_keep_their_weights_whatever_the_style(weights, opening, style):
    styled = styled_weights(weights, RATE, style, opening)
    closed = (opening <= CLOSED_MM) | (weights[:, ROLL] >= TUCKED)
    mouth = columns("mouth", "jaw", "cheek", "nose", "tongue")
    np.testing.assert_array_equal(styled[closed][:, mouth], weights[closed][:, mouth])
    assert np.isfinite(styled).all()
    assert (styled <= np.maximum(weights, 1)).all()


@given(weights_of_takes, openings, styles)
def test_a_mirrored_face_is_styled_as_the_face_and_then_mirrored(weights, opening, style):
    styled = styled_weights(weights, RATE, style, opening)
    np.testing.assert_array_equal(styled_weights(weights[:, MIRRORED], RATE, style, opening), styled[:, MIRRORED])


@pytest.mark.parametrize(
    ("name", "prefixes"),
    [
        ("jaw", ("jaw", "mouthClose")), ("brows", ("brow",)), ("blinks", ("eyeBlink",)), ("gaze", ("eyeLook",)),
        ("smile", ("mouthSmile", "mouthFrown", "mouthDimple", "cheekSquint")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_a_factor_scales_its_weights_and_nothing_else(name, prefixes, factor):
    weights = np.random.default_rng(0).uniform(0, 1, (20, 52)).astype(np.float32)
    weights[:, ROLL] = 0.1
    weights[:, columns("eyeBlink")] *= 0.25  # a lid that closes further takes the gaze along, see test_lids
    expected = weights.copy()
    expected[:, columns(*prefixes)] = np.minimum(weights[:, columns(*prefixes)] * factor, 1)
    np.testing.assert_allclose(opened(weights, Style(**{name: factor})), expected, atol=1e-6)


def test_articulation_scales_lips_and_jaw_and_the_jaw_besides():
    weights = np.full((5, 52), 0.25, np.float32)
    styled = opened(weights, Style(articulation=1.5, jaw=2.0))
    assert styled[:, columns("mouthFunnel", "mouthPress")] == pytest.approx(0.375)
    assert styled[:, columns("jawOpen")] == pytest.approx(0.75)
    np.testing.assert_array_equal(styled[:, columns("eye", "brow", "mouthSmile")], np.float32(0.25))


def test_lips_between_closed_and_open_change_in_between_and_without_a_step():
    opening = np.linspace(0, OPEN_MM + 1, 400).astype(np.float32)
    weights = np.full((400, 52), 0.4, np.float32)
    weights[:, ROLL] = 0.0
    jaw = styled_weights(weights, RATE, Style(jaw=2.0), opening)[:, ARKIT_NAMES.index("jawOpen")]
    assert jaw[0] == np.float32(0.4)
    assert jaw[-1] == pytest.approx(0.8)
    assert (np.diff(jaw) >= 0).all()
    assert np.diff(jaw).max() < 0.01


@pytest.mark.parametrize("hertz", [0.5, 2.0, 4.0])
def test_smoothing_damps_an_oscillation_as_a_gaussian_does_and_without_delay(hertz):
    times, width = np.arange(480) / RATE, 0.12
    deviation = width / (2 * np.sqrt(2 * np.log(2)))
    wave = np.cos(2 * np.pi * hertz * times)
    weights = np.repeat((0.5 + 0.3 * wave)[:, None], 52, axis=1)
    styled = opened(weights, Style(smooth=width))[:, ARKIT_NAMES.index("jawOpen")]
    damped = 0.5 + 0.3 * np.exp(-2 * (np.pi * hertz * deviation) ** 2) * wave
    inner = slice(24, -24)
    # At 24 Hz the sampled Gaussian is not quite the continuous one.
    np.testing.assert_allclose(styled[inner], damped[inner], atol=2e-3)


def test_smoothing_leaves_blinks_and_gaze_and_what_does_not_move():
    weights = np.random.default_rng(1).uniform(0, 1, (60, 52)).astype(np.float32)
    weights[:, columns("jaw")] = 0.3
    styled = opened(weights, Style(smooth=0.2))
    eyes = columns("eyeBlink", "eyeLook")
    np.testing.assert_array_equal(styled[:, eyes], weights[:, eyes])
    np.testing.assert_allclose(styled[:, columns("jaw")], 0.3, atol=1e-6)


def test_smoothing_reaches_no_further_than_it_says():
    weights = np.zeros((101, 52), np.float32)
    weights[50] = 1.0
    style = Style(smooth=0.25)
    moved = np.flatnonzero(opened(weights, style)[:, ARKIT_NAMES.index("jawOpen")])
    assert moved.min() == 50 - style.reach(RATE)
    assert moved.max() == 50 + style.reach(RATE)


def test_codes_follow_the_weights_and_keep_what_is_no_weight():
    generator = np.random.default_rng(2)
    basis, codes = expression_basis(), generator.normal(0, 0.1, (24, 200)).astype(np.float32)
    weights = weights_from_codes(codes, basis)[:, :52]
    basis = basis[:, :52]
    take = ExpressionTake(codes, weights=weights, lip_opening_mm=np.full(24, 8.0))
    styled = take.styled(Style(articulation=1.4, blinks=0.0), basis)
    assert_close(weights_from_codes(styled.codes, basis), styled.weights)
    assert_close(styled.codes - styled.weights @ basis.T, take.codes - take.weights @ basis.T)
    assert styled.lip_opening_mm is None
    assert styled.provenance["style"]["articulation"] == 1.4
    assert (styled.weights[:, columns("eyeBlink")] == 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-0.1, 2.1, float("nan"), "1", None])
def test_values_out_of_range_are_named(name, value):
    with pytest.raises(EngineError, match=name) as raised:
        Style(**{name: value})
    assert "\n" not in str(raised.value)


def test_takes_that_cannot_be_styled_say_why():
    bare = ExpressionTake(np.zeros((3, 200)))
    with pytest.raises(EngineError, match="ARKit weights"):
        bare.styled(Style(jaw=0.5), expression_basis())
    unmeasured = replace(bare, weights=np.ones((3, 52), np.float32))
    with pytest.raises(EngineError, match="lip opening"):
        unmeasured.styled(Style(jaw=0.5), expression_basis())
    assert (unmeasured.styled(Style(blinks=0.0), expression_basis()).weights[:, columns("eyeBlink")] == 0).all()


@pytest.fixture(scope="module")
def engine():
    return Engine.load("starter", "cpu")


@pytest.fixture(scope="module")
def spoken(engine):
    """A jaw that opens and shuts, lips that seal in between, eyes that blink."""
    times = np.arange(72) / RATE
    weights = np.zeros((72, 52), np.float32)
    sway = 0.5 - 0.5 * np.cos(2 * np.pi * 2.5 * times)
    values = {"jawOpen": 0.1 + 0.3 * sway, "mouthFunnel": 0.15 * sway, "mouthSmileLeft": 0.2, "mouthSmileRight": 0.2}
    values |= {"mouthClose": np.where(sway < 0.1, 0.13, 0.0), "browInnerUp": 0.3 * sway}
    values |= {"eyeBlinkLeft": times % 1 < 0.1, "eyeBlinkRight": times % 1 < 0.1, "eyeLookInLeft": 0.3}
    for name, value in values.items():
        weights[:, ARKIT_NAMES.index(name)] = value
    return engine.take_from_codes(codes_from_weights(weights, expression_basis()), RATE)


@pytest.mark.parametrize(
    "style",
    [Style(articulation=1.5), Style(articulation=0.4), Style(jaw=0.3), Style(smile=2.0), Style(smooth=0.25)],
    ids=str,
)
def test_closed_lips_of_the_starter_stay_closed(engine, spoken, style):
    styled = engine.styled(spoken, style)
    closed = spoken.lip_opening_mm <= CLOSED_MM
    assert closed.sum() >= 5
    assert spoken.lip_opening_mm.max() > 10
    # The network lets smoothed brows move the lips by some hundredths of a millimetre.
    assert (styled.lip_opening_mm - spoken.lip_opening_mm)[closed].max() < 0.1


def test_the_starter_opens_its_mouth_as_articulation_says(engine, spoken):
    peaks = [engine.styled(spoken, Style(articulation=f)).lip_opening_mm.max() for f in (0.5, 1.0, 1.5)]
    assert peaks[0] < 0.65 * peaks[1]
    assert peaks[2] > 1.35 * peaks[1]
    assert engine.styled(spoken, Style()) is spoken


def test_codes_without_arkit_reading_are_refused_in_one_sentence(tmp_path):
    bundle = import_nphm([PARITY / "nphm_backward_small"], tmp_path / "bundle")
    engine = Engine.load(bundle.folder, "cpu")
    take = ExpressionTake(np.zeros((2, engine.head.expression_dimensions)))
    assert engine.styled(take, Style()) is take
    with pytest.raises(EngineError, match="no reading as ARKit weights"):
        engine.styled(take, Style(jaw=0.5))


def test_the_engine_process_shows_codes_in_the_style_of_the_request(engine, spoken):
    output = io.BytesIO()
    fields = {"device": "cpu", "rate": RATE, "style": {"jaw": 0.5, "smooth": 0.1}}
    EngineProcess(output).run(Message("shape_keys", 1, fields, {"codes": spoken.codes}))
    output.seek(0)
    messages = iter(lambda: read_message(output), None)
    shown = [message.arrays["vertices"] for message in messages if message.kind == "positions"]
    expected = engine.shape_keys(engine.styled(spoken, Style(jaw=0.5, smooth=0.1))).positions
    np.testing.assert_array_equal(np.stack(shown), np.stack(list(expected)))


def test_the_command_line_styles_takes(spoken, engine, tmp_path, capsys):
    voice = ROOT / "demo" / "voice.wav"
    common = ["sample", "--audio", str(voice), "--duration", "1", "--steps", "2", "--device", "cpu", "--output"]
    assert main([*common, str(tmp_path / "plain.npz")]) == 0
    chosen = ["--articulation", "1.2", "--jaw", "0.8", "--smooth", "0.1"]
    assert main([*common, str(tmp_path / "styled.npz"), *chosen]) == 0
    plain, styled = (ExpressionTake.load(tmp_path / f"{name}.npz") for name in ("plain", "styled"))
    expected = engine.styled(plain, Style(articulation=1.2, jaw=0.8, smooth=0.1))
    np.testing.assert_array_equal(styled.codes, expected.codes)
    capsys.readouterr()
    assert main([*common, str(tmp_path / "bad.npz"), "--jaw", "5"]) == 2
    keep = ["--keep", str(tmp_path / "styled.npz"), "--range", "0:12", "--jaw", "0.8"]
    assert main([*common, str(tmp_path / "bad.npz"), *keep]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "jaw" in lines[0]
    assert "style already" in lines[1]
    assert not (tmp_path / "bad.npz").exists()
