"""The speech encoder against numbers of the reference implementation, and its long-clip path against the short one."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from closeness import assert_close
from repository import PARITY

from engine.bundle import Bundle
from engine.importing.wav2vec2 import import_speech_encoder
from engine.motion import speech
from engine.motion.speech import SpeechConfig, SpeechEncoder, frame_count, load_speech_encoder, normalise
from engine.shared.errors import Cancelled, EngineError
from training.speech import SMALL as STARTER_SPEECH

FOLDERS = ["wav2vec2_faceformer_small", "wav2vec2_layernorm_small"]
TINY = SpeechConfig(
    conv_dim=(16,) * 7,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=48,
    num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=2,
)


def _tiny_encoder(**changes) -> SpeechEncoder:
    torch.manual_seed(0)
    return SpeechEncoder(SpeechConfig(**asdict(TINY) | changes)).eval()


def _speech_like(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise in syllable-like bursts over a slowly changing level."""
    generator = np.random.default_rng(seed)
    times = np.arange(round(seconds * 16000)) / 16000
    envelope = np.clip(np.sin(2 * np.pi * 3.1 * times), 0, 1) * (1 + 0.7 * np.sin(2 * np.pi * times / 17))
    return (0.1 * envelope * generator.standard_normal(len(times))).astype(np.float32)


@pytest.fixture(params=FOLDERS)
def folder(request) -> Path:
    return PARITY / request.param


@pytest.mark.parametrize("source", ["hugging_face", "faceformer"])
def test_every_stage_matches_the_reference(folder, source):
    if source == "hugging_face":
        encoder = import_speech_encoder(folder)
    else:
        config = SpeechConfig.from_hugging_face(json.loads((folder / "config.json").read_text()))
        encoder = import_speech_encoder(folder / "faceformer_style_state_dict.pt", config)
    reference = np.load(folder / "io.npz", allow_pickle=False)
    waveform = torch.from_numpy(reference["input_values"]).reshape(1, -1)
    assert_close(normalise(torch.from_numpy(reference["waveform_raw"])), waveform[0], 1e-6)
    with torch.inference_mode():
        conv = encoder.wav2vec2.feature_extractor(waveform)
        assert_close(conv[0].T, reference["conv_features"])
        for rate in (24, 25, 30):
            aligned = encoder.align(conv, 3 * rate)
            projected = encoder.wav2vec2.feature_projection(aligned)[0]
            assert_close(aligned[0], reference[f"{rate}fps_interpolated"])
            assert_close(projected[0], reference[f"{rate}fps_projected"])
            features = encoder.features(reference["waveform_raw"], rate)
            assert_close(features, reference[f"{rate}fps_last_hidden_state"])
        whole = encoder.encode(conv.transpose(1, 2))
    assert_close(whole[0], reference["stock_last_hidden_state"])


@pytest.mark.parametrize(("seconds", "frames"), [(1, 24), (2, 48), (3, 72), (10, 240), (1.01, 24), (1.03, 25)])
def test_frame_count_is_the_code_rate_times_the_length(seconds, frames):
    assert frame_count(round(seconds * 16000)) == frames
    assert _tiny_encoder().features(_speech_like(seconds)).shape == (frames, 32)


def test_level_and_offset_of_the_recording_do_not_matter():
    encoder, samples = _tiny_encoder(), _speech_like(2)
    expected = encoder.features(samples)
    torch.testing.assert_close(encoder.features(0.3 * samples + 0.1), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("seconds", [2, 40])
def test_silence_gives_finite_features(norm, seconds):
    features = _tiny_encoder(feat_extract_norm=norm).features(np.zeros(seconds * 16000, np.float32))
    assert features.shape == (24 * seconds, 32)
    assert torch.isfinite(features).all()


def test_too_short_audio_is_refused():
    with pytest.raises(EngineError, match="longer"):
        _tiny_encoder().features(np.zeros(300, np.float32))


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_long_audio_gives_the_extractor_features_of_the_whole_clip(norm, monkeypatch):
    monkeypatch.setattr(speech, "CHUNK_FRAMES", 37)
    encoder = _tiny_encoder(feat_extract_norm=norm)
    waveform = normalise(torch.from_numpy(_speech_like(7.3)))[None]
    with torch.inference_mode():
        torch.testing.assert_close(
            encoder._conv_features_in_chunks(waveform), encoder.wav2vec2.feature_extractor(waveform), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("waveform_padding", [(0, 0), (720, 53)])
def test_windows_of_long_audio_agree_with_the_whole_clip(waveform_padding):
    encoder, samples = _tiny_encoder(waveform_padding=waveform_padding), _speech_like(75)
    windowed = encoder.features(samples)
    with torch.inference_mode():
        whole = encoder(normalise(torch.from_numpy(samples))[None], frame_count(len(samples)))[0]
    assert windowed.shape == whole.shape == (1800, 32)
    # attention of random weights averages over everything it sees, so a window differs a little; seams must not show
    step = (windowed[1:] - windowed[:-1] - whole[1:] + whole[:-1]).abs().amax(dim=1)
    assert step.max() < 0.05 * whole.std()
    assert (windowed - whole).abs().max() < 0.3 * whole.std()


def test_windows_of_a_pointwise_encoder_are_exact():
    encoder = _tiny_encoder()
    encoder.encode = lambda aligned: aligned.repeat(1, 1, 2)
    for frames in (721, 1296, 1297, 5000):
        aligned = torch.randn(1, frames, 16)
        torch.testing.assert_close(encoder._encode_in_windows(aligned), aligned.repeat(1, 1, 2))


@pytest.mark.parametrize("seconds", [1, 3.3, 8])
def test_every_code_frame_of_the_starter_hears_its_own_time(seconds):
    torch.manual_seed(0)
    encoder, count = SpeechEncoder(STARTER_SPEECH).eval(), round(24 * seconds)
    silence = torch.zeros(1, round(16000 * seconds))
    for frame in (2, count // 2, count - 3):
        click = silence.clone()
        click[0, round(16000 * frame / 24)] = 100.0
        with torch.inference_mode():
            change = (encoder.convolve(click, count) - encoder.convolve(silence, count))[0].square().sum(dim=-1)  # (N,)
        assert abs(float(change @ torch.arange(count, dtype=torch.float32) / change.sum()) - frame) < 0.6


def test_gradients_reach_every_weight():
    encoder = _tiny_encoder().train()
    encoder(torch.randn(2, 16000), 24).square().mean().backward()
    assert not [name for name, weight in encoder.named_parameters() if weight.grad is None]


def test_config_survives_json():
    assert SpeechConfig(**json.loads(json.dumps(asdict(TINY)))) == TINY


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": 0},
        {"hidden_size": 10**9},
        {"num_attention_heads": 5},
        {"conv_dim": [16]},
        {"conv_kernel": ["a"] * 7},
        {"feat_extract_norm": "none"},
        {"waveform_padding": [-1, 0]},
        {"waveform_padding": [0]},
        {"hidden_act": "os.system"},
    ],
)
def test_impossible_sizes_are_refused(changes):
    with pytest.raises(EngineError):
        SpeechConfig(**asdict(TINY) | changes)


def test_unreadable_weights_are_refused(tmp_path, folder):
    (tmp_path / "text.pt").write_text("no weights")
    torch.save([torch.zeros(3)], tmp_path / "list.pt")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pt")
    config = json.loads((folder / "config.json").read_text())
    for name in ("text.pt", "list.pt", "other.pt", "missing.pt"):
        with pytest.raises(EngineError):
            import_speech_encoder(tmp_path / name, SpeechConfig.from_hugging_face(config))
    with pytest.raises(EngineError, match=r"config\.json"):
        import_speech_encoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(EngineError, match="does not fit"):
        import_speech_encoder(tmp_path)


class _Payload:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_checkpoints_never_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": _Payload()}, tmp_path / "hostile.pt")
    with pytest.raises(EngineError):
        import_speech_encoder(tmp_path / "hostile.pt", TINY)
    assert not (tmp_path / "executed").exists()


def test_long_clips_tell_their_progress_and_can_be_stopped(monkeypatch):
    monkeypatch.setattr(speech, "CHUNK_FRAMES", 100)
    encoder = load_speech_encoder(Bundle.open("starter"))
    samples = np.random.default_rng(0).standard_normal(45 * 16000).astype(np.float32)
    shares = []
    told = encoder.features(samples, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] == 1.0
    assert torch.equal(told, encoder.features(samples))

    def stop(share):
        raise Cancelled

    with pytest.raises(Cancelled):
        encoder.features(samples, progress=stop)
