"""A range of a take sampled again: the rest stays bit for bit, and the new codes fit it."""

import numpy as np
import pytest
import torch

from engine import Engine
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder
from engine.motion.diffusion import (
    JOIN_FRAMES,
    SAMPLERS,
    CosineSchedule,
    Kept,
    ddim,
    ddpm,
    dpm_solver_to_clean,
    keeping,
    sample,
)
from engine.shared.errors import EngineError

SCHEDULE = CosineSchedule()
FRAMES, CORRELATION = 40, 0.95


def smooth_covariance():
    """Of a first-order autoregressive process: neighbours are alike, as in motion."""
    places = torch.arange(FRAMES, dtype=torch.float64)
    return CORRELATION ** (places[:, None] - places[None]).abs()


def gaussian_prediction(covariance):
    """E[x0 | x_t] for x0 ~ N(0, covariance) over the frames of x_t (1, N, D)."""

    def predict(x, t):
        abar = SCHEDULE.alphas_bar[t]
        gain = abar.sqrt() * covariance @ torch.linalg.inv(abar * covariance + (1 - abar) * torch.eye(FRAMES))
        return (gain.double() @ x.double()).to(x.dtype)

    return predict


def run(sampler, predict, x, generator):
    def noise():
        return torch.randn(x.shape, generator=generator, dtype=x.dtype)

    if sampler == "ddpm":
        return ddpm(predict, x, SCHEDULE, 200, noise)
    return ddim(predict, x, SCHEDULE, 100) if sampler == "ddim" else dpm_solver_to_clean(predict, x, SCHEDULE, 30)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_new_frames_have_the_conditional_mean_of_a_gaussian(sampler):
    """Given its surroundings, the middle of an autoregressive process has a mean and a variance in closed form."""
    covariance, count = smooth_covariance(), 400
    generator = torch.Generator().manual_seed(3)
    known = torch.linalg.cholesky(covariance) @ torch.randn(FRAMES, 1, generator=generator, dtype=torch.float64)
    start, end = 15, 25
    kept = Kept(known.expand(-1, count), start, end)
    predict = keeping(gaussian_prediction(covariance), kept, 1.0)
    noise = torch.randn(1, FRAMES, count, generator=generator, dtype=torch.float64)
    new = run(sampler, predict, noise, generator)[0]
    inside = torch.arange(start, end)
    outside = torch.cat([torch.arange(start), torch.arange(end, FRAMES)])
    solve = covariance[inside][:, outside] @ torch.linalg.inv(covariance[outside][:, outside])
    mean = (solve @ known[outside])[:, 0]
    deviation = (covariance[inside][:, inside] - solve @ covariance[outside][:, inside]).diagonal().sqrt()
    middle = slice(JOIN_FRAMES, -JOIN_FRAMES)
    # Replacement is an approximation: the surroundings are known at each step's noise level only.
    assert (new[inside].mean(1) - mean)[middle].abs().max() < 0.5 * deviation.max()
    assert new[inside].std(1)[middle].max() < 1.5 * deviation.max()
    torch.testing.assert_close(new[outside], known[outside].expand(-1, count))


@pytest.mark.parametrize(("start", "end"), [(0, 10), (10, 30), (30, 40), (12, 13), (12, 15), (0, 40)])
def test_the_share_of_new_is_nothing_outside_and_everything_inside(start, end):
    share = Kept(torch.zeros(FRAMES, 3), start, end).share_of_new()[:, 0]
    assert (share[:start] == 0).all()
    assert (share[end:] == 0).all()
    assert (share[start:end] > 0.1).all()
    assert start > 0 or share[0] == 1
    assert end < FRAMES or share[-1] == 1
    if end - start >= 20:
        assert (share[start + JOIN_FRAMES : end - JOIN_FRAMES] == 1).all()
    assert share.diff().abs().max() < 0.8


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_codes_outside_the_range_stay_bit_for_bit(sampler):
    torch.manual_seed(0)
    config = DenoiserConfig(layers=1, width=32, heads=2, code_dimensions=6, audio_dimensions=8)
    decoder = ExpressionDecoder(config).eval()
    features = torch.randn(FRAMES, 8)
    codes = sample(decoder, features, seed=1, steps=4, sampler=sampler)
    again = sample(decoder, features, seed=2, steps=4, sampler=sampler, kept=Kept(codes, 10, 20))
    assert torch.equal(again[:10], codes[:10])
    assert torch.equal(again[20:], codes[20:])
    assert not torch.isclose(again[10:20], codes[10:20]).all(1).any()
    with pytest.raises(EngineError, match="codes of"):
        sample(decoder, features[:30], seed=2, steps=4, sampler=sampler, kept=Kept(codes, 10, 20))
    with pytest.raises(EngineError, match="outside the take"):
        sample(decoder, features, seed=2, steps=4, sampler=sampler, kept=Kept(codes, 20, 50))


@pytest.fixture(scope="module")
def engine():
    return Engine.load("starter", "cpu")


def babble(seconds):
    """Buzzes of changing loudness, enough for the mouth to move."""
    times = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sign(np.sin(2 * np.pi * 140 * times)) * np.sin(2 * np.pi * 2.3 * times) ** 2).astype("f4"), 16000


def jumps(codes):
    """Length of the second difference of every frame: what is seen as a jerk; (N - 2,)."""
    return np.linalg.norm(np.diff(codes, n=2, axis=0), axis=1)


@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_the_starter_joins_new_codes_smoothly(engine, strength):
    take = engine.sample(babble(4.0), seed=1, strength=strength)
    start, end = 30, 60
    again = engine.sample(babble(4.0), seed=2, strength=strength, keep=take.codes, resample=(start, end))
    np.testing.assert_array_equal(again.codes[:start], take.codes[:start])
    np.testing.assert_array_equal(again.codes[end:], take.codes[end:])
    assert np.abs(again.codes[start + 5 : end - 5] - take.codes[start + 5 : end - 5]).max() > 1e-3
    new = jumps(again.codes)
    at_joins = np.concatenate([new[start - 2 : start + JOIN_FRAMES], new[end - JOIN_FRAMES - 2 : end]])
    assert at_joins.max() <= jumps(take.codes).max()


def test_what_does_not_belong_together_is_refused(engine):
    codes = np.zeros((48, 200), "f4")
    for options in ({"keep": codes}, {"resample": (0, 4)}, {"keep": codes, "resample": (0, 4), "strength": 0.0}):
        with pytest.raises(EngineError):
            engine.sample(babble(2.0), **options)
