"""Every way to inject the time step against its definition, written out frame by frame."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder
from engine.motion.timestep_injection import INJECTIONS, FiLM, ScaleShift, SqueezeExcitation, TimestepAttention

WIDTH = 32


@pytest.fixture
def features():
    torch.manual_seed(0)
    return torch.randn(2, 5, WIDTH), torch.randn(2, WIDTH)


def _frames(x, time):
    """(place in the result, features of the frame, its time step) for every frame."""
    return [((b, i), x[b, i], time[b]) for b in range(x.shape[0]) for i in range(x.shape[1])]


@pytest.mark.parametrize("rank", [None, 3])
def test_film_is_equation_19(features, rank):
    layer = FiLM(WIDTH, rank)
    result, (*narrow, linear) = layer(*features), layer.to_scale_and_shift[1:]
    weight = linear.weight @ narrow[0].weight if rank else linear.weight
    for place, x, time in _frames(*features):
        scale, shift = (weight @ (time * torch.tanh(functional.softplus(time))) + linear.bias).split(WIDTH)
        torch.testing.assert_close(result[place], x * (1 + scale) + shift)


def test_scale_shift_normalises_each_frame(features):
    layer = ScaleShift(WIDTH)
    result, linear = layer(*features), layer.to_scale_and_shift[1]
    for place, x, time in _frames(*features):
        scale, shift = (linear.weight @ (time * torch.sigmoid(time)) + linear.bias).split(WIDTH)
        normal = (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()
        torch.testing.assert_close(result[place], normal * (1 + scale) + shift)


def test_squeeze_excitation_gates_every_channel(features):
    layer = SqueezeExcitation(WIDTH)
    squeeze, _, excite, _ = layer.gate
    result = layer(*features)
    for place, x, time in _frames(*features):
        narrow = (squeeze.weight @ time + squeeze.bias).clamp(min=0)
        assert len(narrow) == 2
        torch.testing.assert_close(result[place], x * torch.sigmoid(excite.weight @ narrow + excite.bias))


def test_attention_is_torchs_over_the_frame_and_the_time_step(features):
    layer = TimestepAttention(WIDTH)
    result = layer(*features)
    for place, x, time in _frames(*features):
        keys, values = layer.key_value(torch.stack([x, time])).chunk(2, dim=-1)  # (2, W) each
        share = torch.softmax(keys @ layer.query(x) / math.sqrt(WIDTH), dim=0)
        torch.testing.assert_close(result[place], share @ values)


@pytest.mark.parametrize("name", INJECTIONS)
def test_the_time_step_matters_and_every_weight_learns(name):
    torch.manual_seed(0)
    sizes = {"layers": 2, "width": 128, "heads": 4, "feed_forward": 48, "code_dimensions": 10, "audio_dimensions": 12}
    decoder = ExpressionDecoder(DenoiserConfig(**sizes, window=8, timestep_injection=name, dropout=0.0))
    nn.init.normal_(decoder.null_condition)
    codes, audio = torch.randn(2, 9, 10), torch.randn(2, 9, 12)
    early, late = (decoder(codes, torch.full((2,), t), audio, torch.tensor([True, False])) for t in (30, 900))
    assert (early - late).abs().amax(dim=(1, 2)).min() > 1e-3
    late.square().mean().backward()
    assert not [key for key, weight in decoder.named_parameters() if weight.grad is None or not weight.grad.any()]
