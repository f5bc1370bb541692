"""Ablations and cross-validation on a tiny data folder: equal runs that go on, and figures whose answer is known."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from closeness import assert_close

from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.errors import EngineError
from engine.shared.weights import WEIGHT_NAMES
from evaluation.studies import ablations, captured, short_runs
from training import motion, motion_examples
from training.data.corpus import load_corpus

SECONDS = {"so762": 2.0, "lj32": 2.0, "facegood": 26.0}
COUNTS = {"so762": 16, "lj32": 2, "facegood": 2}
PHONES = [["sil", 0.0, 0.3], ["M", 0.3, 0.5], ["AA", 0.5, 1.1], ["F", 1.1, 1.3], ["AA", 1.3, 1.6], ["sil", 1.6, 2.0]]
JAW = ARKIT_NAMES.index("jawOpen")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Labelled recordings of sixteen speakers, of whom one is held out, two of LJ Speech and two with capture."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    labels = {}
    for corpus, count in COUNTS.items():
        (folder / "speech" / corpus).mkdir(parents=True)
        for number in range(count):
            key = f"{corpus}/{number:03d}"
            soundfile.write(
                folder / "speech" / f"{key}.flac", 0.1 * generator.standard_normal(int(SECONDS[corpus] * 16000)), 16000
            )
            labels[key] = {"corpus": corpus, "spk": f"s{number:03d}", "text": "MAFA", "qc_ok": True}
            labels[key] |= {"file": f"{key}.flac", "phones": None if corpus == "facegood" else PHONES}
    for number in range(COUNTS["facegood"]):
        frames = int(SECONDS["facegood"] * 30)
        jaw = 0.2 + 0.2 * np.sin(np.arange(frames) / (3 + number))
        np.savez(
            folder / "speech" / "facegood" / f"{number:03d}.npz", fps=30, arkit=jaw[:, None], arkit_names=["jawOpen"],
            extra=np.zeros((frames, 2)), extra_names=["mouth_oh_c", "mouth_oo_c"],
        )  # fmt: skip
    (folder / "speech" / "labels.json.gz").write_bytes(gzip.compress(json.dumps(labels).encode()))
    load_corpus(folder, folder / "cache", synthesised=0)
    return folder


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(motion, "SMALL", DenoiserConfig(layers=1, width=16, heads=2, feed_forward=16, causal=False))
    monkeypatch.setattr(motion_examples, "BATCH", 2)
    for module in (ablations, captured):
        monkeypatch.setattr(module, "CLIPS", 12)
        monkeypatch.setattr(module, "SAMPLING_STEPS", 2)
    monkeypatch.setattr(ablations, "DIVERSITY_SEEDS", 2)
    monkeypatch.setattr(captured, "TAKES", 2)


def _options(data: Path, tmp_path: Path, *more: object) -> list[str]:
    options = ["--data", data, "--cache", data / "cache", "--output", tmp_path / "runs", "--report", tmp_path]
    return [str(option) for option in (*options, "--steps", 2, "--device", "cpu", *more)]


@pytest.mark.slow
def test_every_variant_is_trained_alike_and_reported(data, tmp_path, tiny, monkeypatch):
    ablations.main(_options(data, tmp_path))
    report = json.loads((tmp_path / "ablations.json").read_text())
    assert list(report["variants"]) == list(ablations.VARIANTS)
    for name, row in report["variants"].items():
        states = torch.load(tmp_path / "runs" / name / "checkpoint.pt", weights_only=True)
        assert states["step"] == 2
        spread = row["LJ Speech"]["diversity"]["per_frame"]
        assert spread == 0 if name == "no-diffusion" else spread > 0
    text = (tmp_path / "ablations.md").read_text()
    assert all(variant.title in text for variant in ablations.VARIANTS.values())
    assert (tmp_path / "ablations.png").stat().st_size > 0

    def not_again(*_):
        raise AssertionError("a finished variant was evaluated again")

    monkeypatch.setattr(ablations, "variant_figures", not_again)
    ablations.main(_options(data, tmp_path))
    assert json.loads((tmp_path / "ablations.json").read_text()) == report
    with pytest.raises(EngineError, match="choose another --output"):
        ablations.main(_options(data, tmp_path, "--seed", 1))


def test_without_diffusion_the_codes_are_hidden_in_training_and_no_seed_matters():
    schedule = ablations.DirectRegression()
    clean = torch.ones(3, 4, 5)
    assert schedule.steps == 1
    assert not schedule.add_noise(clean, clean, torch.zeros(3, dtype=torch.long)).any()
    torch.manual_seed(0)
    sizes = DenoiserConfig(layers=1, width=16, heads=2, feed_forward=16, code_scale=2.0, audio_dimensions=6)
    decoder, features = ExpressionDecoder(sizes).eval(), torch.randn(7, 6)
    direct = ablations.VARIANTS["no-diffusion"]
    codes = direct.codes(decoder, features, seed=1)
    expected = 2.0 * decoder(torch.zeros(1, 7, 200), torch.tensor([0]), features[None])[0].detach().numpy()
    assert_close(codes, expected)
    assert np.array_equal(codes, direct.codes(decoder, features, seed=2))
    full = ablations.VARIANTS["full"]
    assert not np.array_equal(full.codes(decoder, features, 1), full.codes(decoder, features, 2))


def test_the_neck_is_still_under_the_mask_and_moves_without_it():
    from engine.bundle import Bundle
    from engine.head import load_head
    from engine.motion.codes import expression_basis

    weights = np.zeros((3, len(WEIGHT_NAMES)), np.float32)
    weights[1, JAW] = 0.5
    figures = ablations.smoothing_figures(load_head(Bundle.open("starter"), "cpu"), weights @ expression_basis().T)
    neck, mouth = figures["neck"], figures["around the mouth"]
    assert neck["unmasked_rms_mm"] > 1.5 * neck["masked_rms_mm"]
    assert mouth["masked_rms_mm"] == pytest.approx(mouth["unmasked_rms_mm"], rel=0.1)
    assert mouth["masked_rms_mm"] == pytest.approx(mouth["meshes_rms_mm"], rel=0.25)


@pytest.mark.slow
def test_the_recording_left_out_is_in_none_of_its_trainings_scenes(data, tmp_path, tiny, monkeypatch):
    seen = {}

    def watched(folder, steps, crops, *rest):
        seen[folder.name] = {scene.captured_clip for scene in crops.scenes}
        return short_runs.trained_decoder(folder, steps, crops, *rest)

    monkeypatch.setattr(captured, "trained_decoder", watched)
    captured.main(_options(data, tmp_path))
    assert seen == {"000": {"", "facegood/001"}, "001": {"", "facegood/000"}}
    report = json.loads((tmp_path / "captured.json").read_text())
    for row in report["recordings"].values():
        assert set(row["channels"]) >= {"jawOpen"}
        assert "mouthPucker" not in row["channels"]
    assert "| jawOpen | 2 |" in (tmp_path / "captured.md").read_text()


def test_channel_figures_of_known_takes():
    generator = np.random.default_rng(0)
    capture, noise = generator.uniform(0, 1, (400, 52)), generator.uniform(0, 1, (400, 52))
    capture[:, ARKIT_NAMES.index("mouthPucker")] = 0.3
    takes = np.stack([0.5 * capture, 0.5 * (1 - capture)])
    jaw = captured.channel_figures(takes, capture, noise)["jawOpen"]
    assert jaw["correlation"] == pytest.approx(0, abs=1e-6)
    assert jaw["amplitude"] == pytest.approx(0.5)
    assert abs(jaw["control"]) < 0.2
    figures = captured.channel_figures(takes[:1], capture, noise)
    assert figures["jawOpen"]["correlation"] == figures["jawOpen"]["correlation_of_mean"] == pytest.approx(1)
    assert "mouthPucker" not in figures
    assert "eyeBlinkLeft" not in figures
    assert "mouthSmileRight" not in figures


def test_a_probe_recovers_a_linear_map_of_frames_in_context():
    generator = np.random.default_rng(0)
    slopes = generator.standard_normal((len(captured.CONTEXT) * 6 + 1, 52))
    parts = [generator.standard_normal((length, 6)) for length in (900, 700, 50)]
    weights = [captured.in_context(part) @ slopes for part in parts]
    probe = captured.ridge(parts[:2], weights[:2])
    assert np.corrcoef(probe(parts[2])[:, JAW], weights[2][:, JAW])[0, 1] > 0.999
    row = captured.in_context(parts[2])[10].reshape(-1)
    np.testing.assert_array_equal(row[:-1].reshape(5, 6), parts[2][[6, 8, 10, 12, 14]])


def test_runs_of_other_settings_are_refused(tmp_path):
    short_runs.check_settings(tmp_path / "runs", {"steps": 3})
    short_runs.check_settings(tmp_path / "runs", {"steps": 3})
    with pytest.raises(EngineError, match="other settings"):
        short_runs.check_settings(tmp_path / "runs", {"steps": 4})
