"""Sampling at a lower temperature: how much noise is left along the mouth's directions and across them."""

from __future__ import annotations

import pytest
import torch

from engine.bundle import Bundle, merge_section
from engine.motion.codes import expression_basis, weights_from_codes
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder
from engine.motion.diffusion import SAMPLERS, Kept, sample
from engine.motion.sampling_defaults import SamplingDefaults
from engine.motion.temperature import Temperature, load_temperature
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.errors import EngineError

BASIS = expression_basis()


@pytest.fixture(scope="module")
def decoder() -> ExpressionDecoder:
    torch.manual_seed(0)
    return ExpressionDecoder(DenoiserConfig(layers=1, width=16, heads=2, feed_forward=16, audio_dimensions=8)).eval()


@pytest.mark.parametrize(("mouth", "lids"), [(0.0, 1.0), (0.4, 0.8), (1.0, 0.5)])
def test_noise_of_mouth_and_lids_is_scaled_and_no_other(mouth, lids):
    noise = torch.randn(1, 500, 200, generator=torch.Generator().manual_seed(0))
    before = weights_from_codes(noise[0].numpy(), BASIS)
    after = weights_from_codes(Temperature.of_weights(BASIS, mouth, lids).scaled(noise)[0].numpy(), BASIS)
    for name, factor in {"jawOpen": mouth, "eyeBlinkLeft": lids, "browInnerUp": 1.0}.items():
        column = ARKIT_NAMES.index(name)
        assert abs(after[:, column] - factor * before[:, column]).max() < 1e-5


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_without_noise_every_seed_gives_one_take(decoder, sampler):
    features = torch.randn(20, 8)
    everywhere = Temperature(torch.eye(200), torch.zeros(200))
    settings = {"sampler": sampler, "steps": 4, "temperature": everywhere}
    first, second = (sample(decoder, features, seed=seed, **settings) for seed in (1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, sample(decoder, features, seed=1, sampler=sampler, steps=4))


def test_kept_codes_stay_at_a_low_temperature(decoder):
    features, temperature = torch.randn(40, 8), Temperature.of_weights(BASIS, mouth=0.3)
    codes = sample(decoder, features, seed=1, temperature=temperature)
    again = sample(decoder, features, seed=2, temperature=temperature, kept=Kept(codes, 10, 20))
    assert torch.equal(again[:10], codes[:10])
    assert torch.equal(again[20:], codes[20:])
    assert not torch.equal(again[10:20], codes[10:20])


def test_a_bundle_asks_for_it_and_codes_without_weights_have_none(tmp_path):
    def bundle(**defaults: float) -> Bundle:
        section = SamplingDefaults(steps=8, sampler="dpm++", guidance=1.0).section()
        merge_section(tmp_path, "motion", section | defaults, {})
        return Bundle.open(tmp_path)

    assert load_temperature(bundle(), BASIS) is None
    assert set(load_temperature(bundle(default_mouth_temperature=0.5), BASIS).values.tolist()) == {0.5, 1.0}
    assert load_temperature(bundle(default_mouth_temperature=0.5), None) is None
    with pytest.raises(EngineError, match="another bundle"):
        load_temperature(bundle(default_mouth_temperature=-1), BASIS)
