"""Trainings of speech and motion on a tiny data folder: they run, resume where they stopped, and export."""

from __future__ import annotations

import gzip
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from closeness import assert_close
from repository import PARITY

from engine.bundle import Bundle
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder
from engine.motion.speech import SpeechConfig, SpeechEncoder
from engine.shared.errors import EngineError
from training import motion, motion_examples, speech
from training.data.corpus import load_corpus
from training.prior.scenes import SceneMaker
from training.run.loop import Run
from training.speech_examples import ExampleMaker

TINY_SPEECH = SpeechConfig(
    conv_dim=(8,) * 7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
)  # fmt: skip
TINY_MOTION = DenoiserConfig(layers=1, width=16, heads=2, feed_forward=16, audio_dimensions=16)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Sixteen speakers with one short recording each, so that one of them is held out."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "speech" / "so762").mkdir(parents=True)
    generator = np.random.default_rng(0)
    labels = {}
    for number in range(16):
        name = f"so762/{number:03d}.flac"
        soundfile.write(folder / "speech" / name, 0.1 * generator.standard_normal(32000), 16000)
        phones = [["sil", 0.0, 0.3], ["M", 0.3, 0.5], ["AA", 0.5, 1.5], ["sil", 1.5, 2.0]]
        labels[name] = {"corpus": "so762", "spk": f"s{number:03d}", "text": "MA", "qc_ok": True}
        labels[name] |= {"phones": phones, "file": name}
    (folder / "speech" / "labels.json.gz").write_bytes(gzip.compress(json.dumps(labels).encode()))
    return folder


@pytest.mark.slow
def test_speech_training_resumes_and_exports(data, tmp_path, monkeypatch):
    monkeypatch.setattr(speech, "SMALL", TINY_SPEECH)
    monkeypatch.setattr(speech, "BATCH_SECONDS", 6.0)
    steps = []
    for budget in (2, 5):
        run = Run(tmp_path / "run", 1e-3, steps=budget)
        speech.train(run, load_corpus(data, tmp_path / "cache", synthesised=0), torch.device("cpu"))
        steps.append(run.step)
    assert steps == [2, 5]
    bundle = Bundle.open(tmp_path / "run" / "export")
    encoder = SpeechEncoder(SpeechConfig(**bundle.section("speech"))).eval()
    bundle.load_into("speech", encoder)
    assert encoder.features(np.zeros(16000, np.float32)).shape == (24, 16)


def test_motion_training_resumes_and_exports(data, tmp_path, monkeypatch):
    monkeypatch.setattr(motion, "SMALL", TINY_MOTION)
    monkeypatch.setattr(motion_examples, "BATCH", 4)
    corpus = load_corpus(data, tmp_path / "cache", synthesised=0)
    scenes = SceneMaker(corpus, 0).spoken(corpus.select("so762", held_out=False))
    features = torch.randn(len(scenes), 288, 16)
    steps = []
    for budget in (2, 5):
        run = Run(tmp_path / "run", 1e-3, steps=budget)
        motion.train(run, motion_examples.CropMaker(scenes, features, 0), torch.device("cpu"))
        steps.append(run.step)
    assert steps == [2, 5]
    section = Bundle.open(tmp_path / "run" / "export").section("motion")
    assert section["code_scale"] > 0
    assert section["default_steps"] > 0


class PowerCut(Exception):
    """Ends a training in the middle."""


class CutCrops(motion_examples.CropMaker):
    """Crops that end the training before its fourth step."""

    def batch(self, step: int):
        if step == 3:
            raise PowerCut
        return super().batch(step)


@pytest.mark.slow
def test_a_stopped_motion_training_ends_like_an_uninterrupted_one(data, tmp_path, monkeypatch):
    monkeypatch.setattr(motion, "SMALL", TINY_MOTION)
    monkeypatch.setattr(motion_examples, "BATCH", 4)
    monkeypatch.setattr(motion, "RECIPE", replace(motion.RECIPE, save_every=2))
    corpus = load_corpus(data, tmp_path / "cache", synthesised=0)
    scenes = motion_examples.make_scenes(data, corpus, seed=0, clips=8)
    features = torch.randn(len(scenes), 288, 16)
    for name, crops in (
        ("whole", motion_examples.CropMaker),
        ("stopped", CutCrops),
        ("stopped", motion_examples.CropMaker),
    ):
        run = Run(tmp_path / name, 1e-3, steps=5)
        with pytest.raises(PowerCut) if crops is CutCrops else nullcontext():
            motion.train(run, crops(scenes, features, 0), torch.device("cpu"))
    whole, stopped = (Bundle.open(tmp_path / name / "export").tensors("motion") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[key], stopped[key]) for key in whole)


class CutExamples(ExampleMaker):
    """Examples that end the training before its fourth step; the validation's come first and are left alone."""

    def batch(self, step: int, seconds_of_audio: float):
        if step == 3:
            raise PowerCut
        return super().batch(step, seconds_of_audio)


def test_a_stopped_speech_training_ends_like_an_uninterrupted_one(data, tmp_path, monkeypatch):
    monkeypatch.setattr(speech, "SMALL", TINY_SPEECH)  # with dropout and hidden spans
    monkeypatch.setattr(speech, "BATCH_SECONDS", 6.0)
    monkeypatch.setattr(speech, "RECIPE", replace(speech.RECIPE, save_every=2))
    corpus = load_corpus(data, tmp_path / "cache", synthesised=0)
    for name, maker in (("whole", ExampleMaker), ("stopped", CutExamples), ("stopped", ExampleMaker)):
        monkeypatch.setattr(speech, "ExampleMaker", maker)
        with pytest.raises(PowerCut) if maker is CutExamples else nullcontext():
            speech.train(Run(tmp_path / name, 1e-3, steps=5), corpus, torch.device("cpu"))
    states = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "stopped")]
    for part in ("network", "average"):
        assert all(torch.equal(states[0][part][key], states[1][part][key]) for key in states[0][part])


def test_crops_without_augmentation_repeat_one_performance(data, tmp_path, monkeypatch):
    monkeypatch.setattr(motion_examples, "BATCH", 4)
    corpus = load_corpus(data, tmp_path / "cache", synthesised=0)
    scenes = SceneMaker(corpus, 0).spoken(corpus.select("so762", held_out=False))
    seen = {True: [], False: []}
    for augmented in seen:
        crops = motion_examples.CropMaker(scenes, torch.randn(len(scenes), 288, 16), 0, augmented)
        for epoch in range(2):
            crops.batch(epoch * crops.batches_per_epoch)
            seen[augmented].append(np.stack([performance.weights for performance in crops.performances]))
    assert np.array_equal(*seen[False])
    assert not np.array_equal(*seen[True])


def test_motion_training_takes_a_public_speech_encoder(data, tmp_path, monkeypatch):
    monkeypatch.setattr(motion, "SMALL", TINY_MOTION)
    monkeypatch.setattr(motion_examples, "BATCH", 2)
    folder = PARITY / "wav2vec2_faceformer_small"
    options = ["--data", data, "--output", tmp_path / "run", "--speech-encoder", folder, "--synthesised", 0]
    options += ["--minutes", 1e-4, "--device", "cpu"]
    assert motion.main([*map(str, options)]) == 0
    hidden = json.loads((folder / "config.json").read_text())["hidden_size"]
    assert Bundle.open(tmp_path / "run" / "export").section("motion")["audio_dimensions"] == hidden


def test_crops_depend_on_the_seed_and_the_step_alone(data, tmp_path):
    corpus = load_corpus(data, tmp_path / "cache", synthesised=0)
    scenes = SceneMaker(corpus, 0).spoken(corpus.select("so762", held_out=False))
    features = torch.randn(len(scenes), 288, 16)
    first, second = (motion_examples.CropMaker(scenes, features, 3) for _ in range(2))
    first.batch(0)
    for ours, theirs in zip(first.batch(1), second.batch(1), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert (first.batch(1)[1] - first.batch(0)[1]).abs().max() > 0


def test_held_out_speakers_are_never_trained_on(data, tmp_path):
    corpus = load_corpus(data, tmp_path / "cache", synthesised=0)
    training = {clip.speaker for clip in corpus.select("so762", held_out=False)}
    held_out = {clip.speaker for clip in corpus.select("so762", held_out=True)}
    assert held_out == {"s015"}
    assert not training & held_out


def test_wider_kernels_start_as_the_trained_ones_a_little_later():
    torch.manual_seed(0)
    trained = SpeechEncoder(TINY_SPEECH).eval()
    wider = replace(TINY_SPEECH, conv_kernel=(*TINY_SPEECH.conv_kernel[:-1], TINY_SPEECH.conv_kernel[-1] + 3))
    encoder = SpeechEncoder(wider).eval()
    speech.start_from(encoder, trained)
    hidden = torch.randn(1, TINY_SPEECH.conv_dim[-2], 60)
    with torch.no_grad():
        found = encoder.wav2vec2.feature_extractor.conv_layers[-1](hidden)
        known = trained.wav2vec2.feature_extractor.conv_layers[-1](hidden[..., 1:])  # by one tap
    assert found.shape[-1] == 28
    assert_close(found, known[..., :28])
    assert torch.equal(
        encoder.wav2vec2.encoder.layers[0].attention.k_proj.weight,
        trained.wav2vec2.encoder.layers[0].attention.k_proj.weight,
    )


def test_added_channels_of_the_encoder_change_nothing_at_first():
    torch.manual_seed(0)
    trained = SpeechEncoder(TINY_SPEECH).eval()
    encoder = SpeechEncoder(replace(TINY_SPEECH, conv_dim=(*[8] * 5, 16, 24))).eval()
    speech.start_from(encoder, trained)
    waveforms = torch.randn(2, 16000)
    torch.testing.assert_close(encoder(waveforms, 24), trained(waveforms, 24), atol=1e-5, rtol=1e-4)
    copies = encoder.wav2vec2.feature_projection.projection.weight.view(16, 3, 8)
    assert (copies[:, 0] - copies[:, 1]).abs().max() > 1e-3  # so that they part in training
    with pytest.raises(EngineError, match="another bundle"):
        speech.start_from(SpeechEncoder(replace(TINY_SPEECH, conv_dim=(*[8] * 6, 12))), trained)


def test_hidden_spans_have_their_share_and_length():
    torch.manual_seed(0)
    hidden = speech.hide_spans(torch.ones(200, 100, 2))[..., 0] == 0  # (B, N)
    assert abs(hidden.float().mean() - speech.HIDDEN_SHARE) < 0.01
    whole = hidden.unfold(1, speech.HIDDEN_SPAN, 1).all(-1)  # (B, N - 2): spans by their first frame
    covered = whole[:, 2:] | whole[:, 1:-1] | whole[:, :-2]
    assert torch.equal(covered, hidden[:, 2:-2])


def test_film_of_a_small_rank_starts_near_the_trained_one():
    torch.manual_seed(0)
    trained = ExpressionDecoder(replace(TINY_MOTION, width=32)).eval()
    inputs = torch.randn(4, 20, 200), torch.tensor([0, 20, 400, 999]), torch.randn(4, 20, 16)
    errors = []
    for rank in (8, 16, 32):
        decoder = ExpressionDecoder(replace(TINY_MOTION, width=32, film_rank=rank)).eval()
        motion.start_from(decoder, trained)
        with torch.inference_mode():
            errors.append(float((decoder(*inputs) - trained(*inputs)).abs().max()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-5  # the last rank is the whole one
