"""Cross-validation on real captured mouths: every recording of FACEGOOD-Audio2Face is left out of a training in turn.

    python -m evaluation.studies.captured --data DATA --cache CACHE --output RUNS --report docs/evaluation

A short run from scratch learns from labelled speech and the other recordings, then performs the recording left out.
Probes say what limits it: ridge regressions of the frozen speech features on the capture of the other recordings, and
on what the articulation prior expects of labelled speech. The capture has no phone labels, so the prior can only be
compared on the speech encoder's features. Writes `captured.md` and `captured.json`. A stopped command continues.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from engine.bundle import Bundle
from engine.devices import choose_device
from engine.motion import diffusion
from engine.motion.codes import expression_basis, weights_from_codes
from engine.motion.denoiser import ExpressionDecoder
from engine.motion.speech import SpeechEncoder, load_speech_encoder
from engine.motion.temperature import Temperature
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from evaluation.motion.metrics import correlation
from evaluation.shared.reports import write_report
from evaluation.studies.captured_report import report_text
from evaluation.studies.short_runs import check_settings, short_run_parser, trained_decoder
from training import motion, motion_examples
from training.data.corpus import Corpus, load_corpus
from training.prior.articulation import expected_mouth
from training.prior.captured_motion import capture_of
from training.run.options import exit_status

STEPS = 300
CLIPS = 300  # clips with phone labels, few enough for the capture to count
TAKES, SAMPLING_STEPS, GUIDANCE = 8, 8, 1.0
PROBE_CLIPS = 150
CONTEXT = (-4, -2, 0, 2, 4)  # frames around each that a probe sees
RIDGE = 10.0
MOVING = 0.01  # standard deviation from which on a captured channel counts as moving
# Left and right are identical in the capture.
CHANNELS = [name for name in ARKIT_NAMES if name.startswith(("jaw", "mouth")) and not name.endswith("Right")]


@dataclass(frozen=True)
class Captured:
    """One recording. features: (N, A) float32. weights: (N, 52) captured. loudness: (N,) in dB."""

    key: str
    features: np.ndarray
    weights: np.ndarray
    loudness: np.ndarray


def captured_recordings(data: Path, corpus: Corpus, encoder: SpeechEncoder) -> list[Captured]:
    """All captured recordings at the code rate."""
    recordings = []
    for clip in corpus.select("facegood"):
        audio, weights = corpus.audio(clip), capture_of(data, clip)
        features = encoder.features(audio).cpu().numpy()
        frames = min(len(features), len(weights))
        starts = (np.arange(frames) * SAMPLE_RATE / CODE_RATE).astype(int)
        power = np.add.reduceat(np.square(audio), starts) * CODE_RATE / SAMPLE_RATE
        loudness = 10 * np.log10(power + 1e-6)
        recordings.append(Captured(clip.key, features[:frames], weights[:frames], loudness))
    return recordings


def in_context(features: np.ndarray) -> np.ndarray:
    """Features (N, A) of each frame beside those of the frames around it and a constant: (N, len(CONTEXT) A + 1)."""
    last = len(features) - 1
    places = [np.clip(np.arange(last + 1) + offset, 0, last) for offset in CONTEXT]
    return np.concatenate([*(features[place] for place in places), np.ones((last + 1, 1), features.dtype)], axis=1)


def ridge(features: list[np.ndarray], weights: list[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Ridge regression of weights (N, 52) on features (N, A) in context: a function from features to weights."""
    x = np.concatenate([in_context(part) for part in features]).astype(np.float64)
    y = np.concatenate(weights).astype(np.float64)
    slopes = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    return lambda part: in_context(part) @ slopes


def prior_probe(corpus: Corpus, encoder: SpeechEncoder, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """What the articulation prior expects of labelled speech, as a regression on its features."""
    clips = [clip for name in motion_examples.SHARES for clip in corpus.select(name, held_out=False)]
    chosen = np.random.default_rng((seed, 7)).permutation(len(clips))[:PROBE_CLIPS]
    features = [encoder.features(corpus.audio(clips[i])).cpu().numpy() for i in chosen]
    expected = [expected_mouth(corpus.segments(clips[i]), len(f)) for i, f in zip(chosen, features, strict=True)]
    return ridge(features, expected)


def performed(decoder: ExpressionDecoder, recording: Captured, seed: int) -> np.ndarray:
    """TAKES takes of a recording: (TAKES, N, 57) weights."""
    basis = expression_basis()
    sampled = partial(
        diffusion.sample,
        decoder,
        torch.from_numpy(recording.features),
        steps=SAMPLING_STEPS,
        guidance=GUIDANCE,
        temperature=Temperature.of_weights(basis, mouth=motion.DEFAULTS.mouth_temperature),
    )
    return weights_from_codes(np.stack([sampled(seed=seed + take).numpy() for take in range(TAKES)]), basis)


def channel_figures(takes: np.ndarray, capture: np.ndarray, other: np.ndarray) -> dict[str, dict[str, float]]:
    """Per moving channel of a capture (N, 52): how single takes (K, N, 52) and their mean agree with it.

    control: correlation of the takes with another recording's capture (M, 52). amplitude: standard deviation of a take
    over the capture's.
    """
    figures = {}
    for name in CHANNELS:
        column = ARKIT_NAMES.index(name)
        truth = capture[:, column]
        if truth.std() < MOVING:
            continue
        figures[name] = {
            "correlation": float(np.mean([correlation(take[:, column], truth) for take in takes])),
            "correlation_of_mean": correlation(takes[:, :, column].mean(axis=0), truth),
            "control": float(np.mean([correlation(take[:, column], other[:, column]) for take in takes])),
            "amplitude": float(np.mean(takes[:, :, column].std(axis=1)) / truth.std()),
        }
    return figures


def baselines(recordings: list[Captured], index: int, prior: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    """Correlations with the captured jawOpen of one recording of what needs no decoder."""
    left_out, others = recordings[index], recordings[:index] + recordings[index + 1 :]
    jaw = ARKIT_NAMES.index("jawOpen")
    capture = ridge([r.features for r in others], [r.weights for r in others])
    return {
        "loudness": correlation(left_out.loudness, left_out.weights[:, jaw]),
        "capture_probe": correlation(capture(left_out.features)[:, jaw], left_out.weights[:, jaw]),
        "prior_probe": correlation(prior(left_out.features)[:, jaw], left_out.weights[:, jaw]),
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    options = short_run_parser("Leave each captured recording out in turn.", STEPS).parse_args(arguments)
    seed, device = options.seed, choose_device(options.device)
    settings = {"steps": options.steps, "seed": seed, "clips": CLIPS, "bundle": options.bundle}
    check_settings(options.output, settings)
    corpus = load_corpus(options.data, options.cache)
    encoder = load_speech_encoder(Bundle.open(options.bundle), device)
    recordings = captured_recordings(options.data, corpus, encoder)
    prior = prior_probe(corpus, encoder, seed)
    scenes = motion_examples.make_scenes(options.data, corpus, seed, CLIPS)
    features = motion_examples.scene_features(encoder, scenes)
    report = settings | {"bundle": Bundle.open(options.bundle).name}  # not where it lies
    report |= {"takes": TAKES, "scenes": len(scenes), "recordings": {}}
    for index, recording in enumerate(recordings):
        kept = [i for i, scene in enumerate(scenes) if scene.captured_clip != recording.key]
        crops = motion_examples.CropMaker([scenes[i] for i in kept], features[kept], seed)
        decoder = trained_decoder(options.output / Path(recording.key).name, options.steps, crops, device)
        takes = performed(decoder, recording, seed)
        other = recordings[(index + 1) % len(recordings)].weights
        channels = channel_figures(takes, recording.weights, other)
        report["recordings"][recording.key] = baselines(recordings, index, prior) | {"channels": channels}
    write_report(options.report, "captured", report, report_text)


if __name__ == "__main__":
    sys.exit(exit_status(main))
