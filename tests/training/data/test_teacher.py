"""Tests of training.teacher: against transformers' own Whisper and by properties."""

import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from engine.shared.errors import EngineError
from training import teacher


def write_ctranslate2(path, encoder: WhisperEncoder) -> None:
    """A model.bin with the weights of a Whisper encoder, as CTranslate2 lays them out."""
    state = {name: value.numpy() for name, value in encoder.state_dict().items()}
    arrays = {"encoder/position_encodings/encodings": state["embed_positions.weight"]}
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            arrays[f"encoder/{conv}/{part}"] = state[f"{conv}.{part}"]
    norms = {"layer_norm": "layer_norm"}
    for index in range(encoder.config.encoder_layers):
        ours, theirs = f"layers.{index}.", f"layer_{index}/"
        norms[f"{theirs}self_attention/layer_norm"] = f"{ours}self_attn_layer_norm"
        norms[f"{theirs}ffn/layer_norm"] = f"{ours}final_layer_norm"
        for part, name in (
            ("self_attention/linear_1", "self_attn.out_proj"),
            ("ffn/linear_0", "fc1"),
            ("ffn/linear_1", "fc2"),
        ):
            for kind in ("weight", "bias"):
                arrays[f"encoder/{theirs}{part}/{kind}"] = state[f"{ours}{name}.{kind}"]
        q, k, v = (state[f"{ours}self_attn.{name}_proj.weight"] for name in "qkv")
        bias = [
            state[f"{ours}self_attn.q_proj.bias"],
            np.zeros(len(k), np.float32),
            state[f"{ours}self_attn.v_proj.bias"],
        ]
        arrays[f"encoder/{theirs}self_attention/linear_0/weight"] = np.concatenate([q, k, v])
        arrays[f"encoder/{theirs}self_attention/linear_0/bias"] = np.concatenate(bias)
    for theirs, ours in norms.items():
        arrays[f"encoder/{theirs}/gamma"] = state[f"{ours}.weight"]
        arrays[f"encoder/{theirs}/beta"] = state[f"{ours}.bias"]
    text = lambda name: struct.pack("<H", len(name) + 1) + name.encode() + b"\0"  # noqa: E731
    with path.open("wb") as file:
        file.write(struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(arrays)))
        for name, array in arrays.items():
            content = array.astype(np.float16).tobytes()
            file.write(text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape))
            file.write(struct.pack("<BI", 4, len(content)) + content)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    """A folder with a small random Whisper, and the encoder that it was written from."""
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=64, encoder_layers=teacher.LAYERS, encoder_attention_heads=1, encoder_ffn_dim=256, num_mel_bins=80
    )
    encoder = WhisperEncoder(config).half().float().eval()
    folder = tmp_path_factory.mktemp("whisper")
    write_ctranslate2(folder / "model.bin", encoder)
    return folder, encoder


def test_a_model_of_ctranslate2_hears_what_its_original_hears(whisper):
    folder, original = whisper
    loaded = teacher.load_teacher(folder)
    mel = torch.randn(1, 80, 3000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = original(mel).last_hidden_state
        features = original.layer_norm(loaded(mel).last_hidden_state)
    assert torch.allclose(features, expected, atol=1e-5)


def test_features_come_twenty_five_times_a_second(whisper):
    audio = np.random.default_rng(0).standard_normal(30 * 16000).astype(np.float32)
    assert teacher.hear(teacher.load_teacher(whisper[0]), audio).shape == (750, 64)


@pytest.mark.parametrize("content", [b"", b"\6\0\0\0", b"\6\0\0\0\x0c\0WhisperSpec\0" + b"\xff" * 8, b"\x89PNG" * 20])
def test_another_file_is_one_sentence(tmp_path, content):
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(EngineError, match="not a Whisper model"):
        teacher.load_teacher(tmp_path)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(EngineError, match="not a Whisper model"):
        teacher.load_teacher(tmp_path)
    with pytest.raises(EngineError, match="no features of a teacher"):
        teacher.Teacher(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 90_000), max_size=30))
def test_every_sample_is_heard_once_and_no_clip_touches_another(lengths):
    size, gap = 48_000, 8_000
    heard = [np.zeros(length, int) for length in lengths]
    for rows in teacher.chunks(lengths, size, gap):
        end = -gap
        for index, first, place, count in rows:
            heard[index][first : first + count] += 1
            assert place >= end + gap
            assert place % teacher.STEP == 0
            end = place + count
        assert end <= size
    assert all((part == 1).all() for part in heard)


def test_principal_components_keep_distances_and_have_unit_mean_square():
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(900, 20, generator=generator) @ torch.randn(20, 160, generator=generator) + 3
    mean, basis = teacher.principal_components(features)
    reduced = (features - mean) @ basis
    assert reduced.square().mean().item() == pytest.approx(1.0, rel=1e-4)
    ratio = torch.cdist(reduced[:50], reduced[50:60]) / torch.cdist(features[:50], features[50:60])
    assert ratio.std() / ratio.mean() < 1e-3  # 20 dimensions lose nothing
