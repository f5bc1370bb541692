"""The expression decoder against PyTorch's attention, slow references and the properties that the paper claims."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from closeness import assert_close
from torch import nn

from engine.bundle import Bundle, merge_section
from engine.motion import denoiser as denoiser_module
from engine.motion.denoiser import (
    AlignedCrossAttention,
    DenoiserConfig,
    ExpressionDecoder,
    UnmaskedCrossAttention,
    WindowedSelfAttention,
    attention_layout,
    load_expression_decoder,
    sinusoid,
)
from engine.motion.timestep_injection import INJECTIONS
from engine.shared.errors import EngineError

WINDOW = 8
SMALL = DenoiserConfig(
    layers=2, width=32, heads=4, feed_forward=48, window=WINDOW, code_dimensions=10, audio_dimensions=12
)


@pytest.fixture
def decoder() -> ExpressionDecoder:
    torch.manual_seed(0)
    network = ExpressionDecoder(SMALL).eval()
    nn.init.normal_(network.null_condition)
    return network


def _inputs(frames: int, batch: int = 2):
    generator = torch.Generator().manual_seed(frames)
    codes = torch.randn(batch, frames, 10, generator=generator)
    audio = torch.randn(batch, frames, 12, generator=generator)
    return codes, torch.arange(batch) * 400 + 37, audio


def test_default_sizes_are_the_papers():
    shapes = {name: tuple(weight.shape) for name, weight in ExpressionDecoder(DenoiserConfig()).state_dict().items()}
    assert shapes["code_projection.weight"] == (256, 200)
    assert shapes["output.weight"] == (200, 256)
    assert shapes["audio_projection.weight"] == (256, 768)
    assert shapes["null_condition"] == (256,)
    assert shapes["blocks.7.feed_forward.0.weight"] == (1024, 256)
    assert sum("film" in name and name.endswith("weight") for name in shapes) == 8 * 3


def test_time_step_embedding_is_the_supplements():
    embedded = sinusoid(torch.tensor([0, 7, 999]), 16)
    for row, t in zip(embedded, (0, 7, 999), strict=True):
        for i in range(8):
            angle = t / 10000 ** (2 * i / 16)
            assert row[2 * i].item() == pytest.approx(math.sin(angle), abs=1e-4)
            assert row[2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-4)


def _slow_attention(layer: WindowedSelfAttention, x: np.ndarray) -> np.ndarray:
    """Frame by frame and head by head in float64, rotation by complex numbers."""
    weight, bias = (p.detach().double().numpy() for p in (layer.query_key_value.weight, layer.query_key_value.bias))
    frames, width = x.shape
    head_width = width // layer.heads
    q, k, v = (x @ weight.T + bias).reshape(frames, 3, layer.heads, head_width).transpose(1, 2, 0, 3)
    frequencies = 10000.0 ** (-np.arange(0, head_width, 2) / head_width)
    turn = np.exp(1j * np.arange(frames)[:, None] * frequencies)
    q, k = ((z[..., : head_width // 2] + 1j * z[..., head_width // 2 :]) * turn for z in (q, k))
    result = np.zeros((frames, layer.heads, head_width))
    for i in range(frames):
        for head in range(layer.heads):
            seen = slice(max(0, i - layer.window + 1), i + 1)
            if not layer.causal:
                reach = layer.window // 2 if frames > layer.window else frames
                seen = slice(max(0, i - reach), i + reach + 1)
            scores = (q[head, i] * k[head, seen].conj()).real.sum(axis=-1) / math.sqrt(head_width)
            share = np.exp(scores - scores.max())
            result[i, head] = share @ v[head, seen] / share.sum()
    output = layer.output
    return result.reshape(frames, width) @ output.weight.detach().double().numpy().T + output.bias.detach().numpy()


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("frames", [1, 2, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW, 29, 200])
def test_blockwise_attention_is_the_full_masked_attention(frames, causal):
    torch.manual_seed(frames)
    layer = WindowedSelfAttention(32, 4, WINDOW, causal).eval()
    x = torch.randn(3, frames, 32)
    with torch.inference_mode():
        y = layer(x, attention_layout(frames, 8, WINDOW, causal, x.device))
    for sequence, result in zip(x, y, strict=True):
        np.testing.assert_allclose(result, _slow_attention(layer, sequence.double().numpy()), atol=1e-5)


def test_unmasked_cross_attention_is_torchs():
    torch.manual_seed(0)
    width, heads = 32, 4
    reference = nn.MultiheadAttention(width, heads, batch_first=True)
    nn.init.normal_(reference.in_proj_bias)
    nn.init.normal_(reference.out_proj.bias)
    layer = UnmaskedCrossAttention(width, heads)
    weight, bias = reference.in_proj_weight, reference.in_proj_bias
    layer.query.load_state_dict({"weight": weight[:width], "bias": bias[:width]})
    layer.key_value.load_state_dict({"weight": weight[width:], "bias": bias[width:]})
    layer.output.load_state_dict(reference.out_proj.state_dict())
    expressions, audio = torch.randn(2, 7, width), torch.randn(2, 9, width)
    expected, _ = reference(layer.norm(expressions), audio, audio)
    assert_close(layer.attend(expressions, layer(audio)).detach(), expected.detach())


def test_cross_attention_is_torchs_under_the_alignment_mask():
    torch.manual_seed(0)
    width, frames = 32, 7
    reference = nn.MultiheadAttention(width, 4, batch_first=True)
    nn.init.normal_(reference.in_proj_bias)
    nn.init.normal_(reference.out_proj.bias)
    layer = AlignedCrossAttention(width)
    layer.value.load_state_dict(
        {"weight": reference.in_proj_weight[2 * width :], "bias": reference.in_proj_bias[2 * width :]}
    )
    layer.output.load_state_dict(reference.out_proj.state_dict())
    expressions, audio = torch.randn(2, frames, width), torch.randn(2, frames, width)
    blocked = ~torch.eye(frames, dtype=torch.bool)
    expected, _ = reference(expressions, audio, audio, attn_mask=blocked)
    assert_close(layer(audio).detach(), expected.detach())


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("frames", [61, 200, 207])
def test_pieces_of_a_long_clip_are_the_whole(monkeypatch, frames, causal):
    torch.manual_seed(frames)
    decoder = ExpressionDecoder(replace(SMALL, causal=causal)).eval()
    codes, timesteps, audio = _inputs(frames)
    with torch.inference_mode():
        prepared = [
            torch.cat([heard, unheard.expand_as(heard)])
            for heard, unheard in zip(decoder.prepare_audio(audio[:1]), decoder.prepare_audio(None), strict=True)
        ]
        whole = decoder.denoise(codes, timesteps, prepared)
        monkeypatch.setattr(denoiser_module, "WHOLE_FRAMES", 60)
        monkeypatch.setattr(denoiser_module, "PIECE_FRAMES", 30)
        longest = []
        piece = decoder._denoise_piece
        monkeypatch.setattr(decoder, "_denoise_piece", lambda x, *a: longest.append(x.shape[1]) or piece(x, *a))
        torch.testing.assert_close(decoder.denoise(codes, timesteps, prepared), whole, atol=1e-5, rtol=1e-5)
    assert max(longest) < frames or frames < 100
    assert len(longest) > 1


@pytest.mark.parametrize("frames", [5, 40])
@pytest.mark.parametrize("alignment_mask", [True, False])
def test_preparing_the_audio_once_changes_nothing(frames, alignment_mask):
    torch.manual_seed(0)
    decoder = ExpressionDecoder(replace(SMALL, alignment_mask=alignment_mask)).eval()
    codes, timesteps, audio = _inputs(frames)
    prepared = decoder.prepare_audio(audio)
    torch.testing.assert_close(decoder.denoise(codes, timesteps, prepared), decoder(codes, timesteps, audio))
    nothing = decoder(codes, timesteps, audio, torch.tensor([True, True]))
    torch.testing.assert_close(decoder.denoise(codes, timesteps, decoder.prepare_audio(None)), nothing)


def test_only_the_alignment_mask_keeps_other_frames_audio_out():
    torch.manual_seed(0)
    for alignment_mask in (True, False):
        decoder = ExpressionDecoder(replace(SMALL, layers=1, alignment_mask=alignment_mask)).eval()
        codes, timesteps, audio = _inputs(20)
        before = decoder(codes, timesteps, audio)
        audio[:, 12] += 3.0
        changed = (decoder(codes, timesteps, audio) - before).abs().amax(dim=(0, 2)) > 1e-6
        assert changed.tolist() == [not alignment_mask or frame == 12 for frame in range(20)]


def test_null_condition_takes_the_place_of_dropped_audio(decoder):
    codes, timesteps, audio = _inputs(20)
    dropped = decoder(codes, timesteps, audio, torch.tensor([True, False]))
    torch.testing.assert_close(dropped[0], decoder(codes, timesteps, None)[0])
    torch.testing.assert_close(dropped[1], decoder(codes, timesteps, audio)[1])
    assert (dropped[0] - decoder(codes, timesteps, audio)[0]).abs().max() > 1e-3


@pytest.mark.parametrize("timestep_injection", INJECTIONS)
def test_the_future_changes_nothing_before_it(timestep_injection):
    torch.manual_seed(0)
    decoder = ExpressionDecoder(replace(SMALL, timestep_injection=timestep_injection)).eval()
    codes, timesteps, audio = _inputs(40)
    before = decoder(codes, timesteps, audio)
    codes[:, 25:] += 3.0
    audio[:, 25:] -= 2.0
    after = decoder(codes, timesteps, audio)
    torch.testing.assert_close(after[:, :25], before[:, :25])
    assert (after[:, 25] - before[:, 25]).abs().max() > 1e-2


def test_the_past_fades_after_the_windows_of_all_layers(decoder):
    codes, timesteps, audio = _inputs(60)
    before = decoder(codes, timesteps, audio)
    codes[:, 10] += 3.0
    reach = SMALL.layers * (WINDOW - 1)
    after = decoder(codes, timesteps, audio)
    torch.testing.assert_close(after[:, 11 + reach :], before[:, 11 + reach :])
    assert (after[:, 10 + reach] - before[:, 10 + reach]).abs().max() > 0


def test_positions_are_relative():
    torch.manual_seed(1)
    layer = WindowedSelfAttention(32, 4, WINDOW, True).eval()
    x = torch.randn(1, 30, 32)
    later = torch.cat([torch.randn(1, 1000, 32), x], dim=1)
    y = layer(x, attention_layout(30, 8, WINDOW, True, x.device))
    y_later = layer(later, attention_layout(1030, 8, WINDOW, True, x.device))
    torch.testing.assert_close(y[:, WINDOW:], y_later[:, 1000 + WINDOW :], atol=1e-4, rtol=0)


def test_every_sequence_of_a_batch_is_on_its_own(decoder):
    codes, timesteps, audio = _inputs(19, batch=3)
    together = decoder(codes, timesteps, audio)
    for i in range(3):
        alone = decoder(codes[i : i + 1], timesteps[i : i + 1], audio[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", [WINDOW, 3 * WINDOW])
def test_trains_in_bfloat16_after_inference(decoder, frames):
    codes, timesteps, audio = _inputs(frames)
    with torch.inference_mode():
        exact = decoder(codes, timesteps, audio)
    decoder.train()
    with torch.autocast("cpu", torch.bfloat16):
        predicted = decoder(codes, timesteps, audio, torch.tensor([True, False]))
    predicted.float().square().mean().backward()
    assert not [name for name, weight in decoder.named_parameters() if weight.grad is None]
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        rounded = decoder.eval()(codes, timesteps, audio)
    torch.testing.assert_close(rounded.float(), exact, atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": 0},
        {"width": 33},
        {"heads": 3},
        {"width": 10**9},
        {"window": 1.5},
        {"code_scale": 0.0},
        {"code_scale": math.nan},
        {"dropout": 1.0},
        {"timestep_injection": "whisper"},
    ],
)
def test_impossible_sizes_are_refused(changes):
    with pytest.raises(EngineError):
        DenoiserConfig(**asdict(SMALL) | changes)


@pytest.mark.parametrize("changes", [{"timestep_injection": name} for name in INJECTIONS] + [{"alignment_mask": False}])
def test_bundle_round_trip(tmp_path, changes):
    torch.manual_seed(0)
    config = replace(SMALL, **changes)
    decoder = ExpressionDecoder(config).eval()
    merge_section(tmp_path, "motion", asdict(config), decoder.state_dict())
    loaded = load_expression_decoder(Bundle.open(tmp_path))
    assert loaded.config == config
    codes, timesteps, audio = _inputs(20)
    torch.testing.assert_close(loaded(codes, timesteps, audio), decoder(codes, timesteps, audio), atol=0.02, rtol=0)
    merge_section(tmp_path, "motion", {"layers": 2, "wings": 2}, decoder.state_dict())
    with pytest.raises(EngineError, match="motion"):
        load_expression_decoder(Bundle.open(tmp_path))
