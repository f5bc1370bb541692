"""Training of whole performances: what a crop holds, where a continued decoder begins, and what it is taught of."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder
from engine.motion.diffusion import CosineSchedule
from engine.motion.prosody import PROSODY_DIMENSIONS
from engine.shared.controls import CONTROL_NAMES
from training import motion, motion_examples
from training.phones import SILENCE, Segment
from training.prior.head_motion import Beat, Voice
from training.prior.scenes import SCENE_FRAMES, SCENE_SECONDS, Scene

TINY = DenoiserConfig(layers=1, width=16, heads=2, feed_forward=16, audio_dimensions=16, code_scale=0.03)
WHOLE = {"pose_scale": motion_examples.POSE_SCALE, "prosody_dimensions": PROSODY_DIMENSIONS, "controls": CONTROL_NAMES}


@pytest.fixture(scope="module")
def scenes():
    """Three scenes of made-up speech, one with a captured mouth."""
    segments = [
        Segment(SILENCE, 0.0, 0.5),
        Segment("M", 0.5, 0.7),
        Segment("AA", 0.7, 2.0),
        Segment(SILENCE, 2.0, 12.0),
    ]
    audio = np.zeros(int(SCENE_SECONDS * 16000), np.float32)
    capture = np.full((SCENE_FRAMES, 57), 0.1, np.float32)
    made = [Scene(audio, segments, Voice([Beat(1.0, 1.0)])) for _ in range(2)]
    return [*made, Scene(audio, segments, Voice([]), capture, "facegood/1")]


@pytest.fixture
def crops(scenes, monkeypatch):
    monkeypatch.setattr(motion_examples, "BATCH", 6)
    features = torch.randn(3, SCENE_FRAMES, 16)
    return motion_examples.CropMaker(scenes, features, 0, prosody=motion_examples.scene_prosody(scenes))


def test_a_crop_is_a_whole_performance(crops):
    features, codes, emphasis, controls = crops.batch(0)
    assert features.shape == (6, 48, 16 + PROSODY_DIMENSIONS)
    assert codes.shape == (6, 48, 206)
    assert emphasis.shape == (6, 48)
    assert controls.shape == (6, 48, len(CONTROL_NAMES))
    assert codes[..., 200:].std() > 0.2
    assert controls[..., CONTROL_NAMES.index("captured")].max() == 1


def test_performances_of_an_epoch_do_not_depend_on_where_a_training_was_continued(crops, scenes):
    per_epoch = crops.batches_per_epoch
    for epoch in range(5):
        crops.batch(epoch * per_epoch)
    fresh = motion_examples.CropMaker(scenes, crops.features, 0, prosody=crops.prosody)
    fresh.batch(4 * per_epoch)
    for ours, theirs in zip(crops.performances, fresh.performances, strict=True):
        np.testing.assert_array_equal(ours.pose, theirs.pose)


def test_a_decoder_of_codes_goes_on_as_it_was_with_all_that_is_new():
    torch.manual_seed(0)
    trained = ExpressionDecoder(TINY).eval()
    decoder = ExpressionDecoder(replace(TINY, **WHOLE)).eval()
    motion.start_from(decoder, trained)
    codes, times = torch.randn(2, 20, 206), torch.tensor([30, 900])
    features, controls = torch.randn(2, 20, 16 + PROSODY_DIMENSIONS), torch.rand(2, 20, len(CONTROL_NAMES))
    with torch.inference_mode():
        found = decoder(codes, times, features, controls=controls)
        expected = trained(codes[..., :200], times, features[..., :16])
    torch.testing.assert_close(found[..., :200], expected)
    assert not found[..., 200:].any()


def test_a_whole_decoder_starts_as_it_is():
    torch.manual_seed(0)
    trained, decoder = (ExpressionDecoder(replace(TINY, **WHOLE)).eval() for _ in range(2))
    motion.start_from(decoder, trained)
    assert all(torch.equal(weight, trained.state_dict()[name]) for name, weight in decoder.state_dict().items())


def test_a_decoder_that_knows_fewer_speakers_goes_on_as_it_was():
    torch.manual_seed(0)
    fewer = WHOLE | {"controls": CONTROL_NAMES[:-1]}
    trained = ExpressionDecoder(replace(TINY, **fewer)).eval()
    decoder = ExpressionDecoder(replace(TINY, **WHOLE)).eval()
    torch.nn.init.normal_(trained.control_projection.weight)
    motion.start_from(decoder, trained)
    codes, times = torch.randn(2, 20, 206), torch.tensor([30, 900])
    features, controls = torch.randn(2, 20, 16 + PROSODY_DIMENSIONS), torch.rand(2, 20, len(CONTROL_NAMES))
    with torch.inference_mode():
        found = decoder(codes, times, features, controls=controls)
        expected = trained(codes, times, features, controls=controls[..., :-1])
    torch.testing.assert_close(found, expected)


def test_controls_are_taught_in_all_but_pure_noise():
    seen = []

    class Watched(ExpressionDecoder):
        def forward(self, noisy, timesteps, *arguments, **options):
            seen.append(timesteps)
            return super().forward(noisy, timesteps, *arguments, **options)

    decoder = Watched(replace(TINY, **WHOLE))
    codes, features = torch.zeros(500, 1, 206), torch.zeros(500, 1, 16 + PROSODY_DIMENSIONS)
    for controls in (None, torch.zeros(500, 1, len(CONTROL_NAMES))):
        motion.denoised(decoder, CosineSchedule(), features, codes, torch.Generator().manual_seed(0), controls)
    shares = [float((timesteps >= 960).float().mean()) for timesteps in seen]
    assert shares[0] < 0.08
    assert shares[1] == pytest.approx(motion.NOISE_SHARE + 0.04 * (1 - motion.NOISE_SHARE), abs=0.06)
    assert max(int(timesteps.max()) for timesteps in seen) <= 999


def test_a_step_lowers_the_loss_of_a_batch(crops):
    torch.manual_seed(0)
    decoder = ExpressionDecoder(replace(TINY, **WHOLE, dropout=0.0))
    batch, optimiser = crops.batch(0), torch.optim.Adam(decoder.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = motion.diffusion_loss(decoder, CosineSchedule(), batch, torch.Generator().manual_seed(1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
