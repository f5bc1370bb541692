"""Evaluate a bundle's motion on recordings that nothing was trained or tuned on.

    python -m engine.training.evaluate --data DATA --output docs/evaluation

Speech: the 32 recordings of LJ Speech in the data folder (native US English, phone times from MFA). Silence: digital
silence and room noise. Writes `motion.md`, `motion.json` and plots.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from .. import diffusion
from ..bundle import SECTION_FILES, Bundle
from ..codes import CODE_RATE, expression_basis, weights_from_codes
from ..denoiser import load_expression_decoder
from ..engine import choose_device
from ..head import NeuralHead, load_head
from ..speech import load_speech_encoder
from . import motion_metrics as metrics
from .articulation import expected_mouth, perform
from .augmentation import Augmenter
from .contact import LipToTeeth
from .corpus import SAMPLE_RATE, Clip, Corpus, load_recordings
from .evaluation_report import plot_clip, write_report

COMPARED = [("dpm++", 4), ("dpm++", 8), ("dpm++", 16), ("ddim", 8), ("ddpm", 100)]
COMPARED_CLIPS = 8
PLOTTED = 3
SILENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Motion:
    """codes (N, 200), weights (N, 52), lip opening (N,) in mm, distance of lower lip and upper teeth (N,) in mm."""

    codes: np.ndarray
    weights: np.ndarray
    opening: np.ndarray
    lip_to_teeth: np.ndarray


class Performer:
    """Samples motion from a bundle.

    Lips are measured on its head, or on the starter's where the bundle has speech and motion only.
    """

    def __init__(self, bundle: Bundle, device: str) -> None:
        self.bundle, self.device = bundle, choose_device(device)
        self.encoder = load_speech_encoder(bundle, self.device)
        self.decoder = load_expression_decoder(bundle, self.device)
        section = bundle.section("motion")
        self.sampler, self.steps = section["default_sampler"], section["default_steps"]
        self.guidance = section["default_guidance"]
        self.basis = expression_basis()

    @cached_property
    def head(self) -> NeuralHead:
        """The head that lips are measured on."""
        complete = all((self.bundle.folder / name).is_file() for key, name in SECTION_FILES.items() if "head" in key)
        return load_head(self.bundle if complete else Bundle.open("starter"), self.device)

    @cached_property
    def lip_to_teeth(self) -> LipToTeeth:
        """Where the head's lower lip and upper teeth are."""
        return LipToTeeth(self.head)

    def motion(self, codes: np.ndarray) -> Motion:
        """Weights and lips of codes (N, 200)."""
        weights = weights_from_codes(codes, self.basis)
        return Motion(codes, weights, self.head.lip_opening(codes), self.lip_to_teeth.distance(weights))

    def sample(self, audio: np.ndarray, seed: int, sampler: str | None = None, steps: int | None = None) -> Motion:
        """Motion for 16 kHz samples (S,)."""
        features = self.encoder.features(audio)
        settings = {"sampler": sampler or self.sampler, "steps": steps or self.steps, "guidance": self.guidance}
        return self.motion(diffusion.sample(self.decoder, features, seed=seed, **settings).numpy())

    def from_weights(self, weights: np.ndarray) -> Motion:
        """Motion of given ARKit weights (N, 52)."""
        return self.motion(weights @ self.basis.T)


def speech_figures(corpus: Corpus, clips: list[Clip], motions: list[Motion], references: list[np.ndarray]) -> dict:
    """Figures over clips: sampled motion against phone labels and against the references built from them."""
    closed, false, contact = metrics.Count(0, 0), metrics.Count(0, 0), metrics.Count(0, 0)
    peaks, lags, peak_correlations, correlations, controls, pauses = [], [], [], [], [], []
    for index, (clip, motion, reference) in enumerate(zip(clips, motions, references, strict=True)):
        segments = corpus.segments(clip)
        closed += metrics.closures(motion.opening, segments)
        false += metrics.false_closures(motion.opening, segments)
        contact += metrics.labiodental_contacts(motion.lip_to_teeth, segments)
        peaks += metrics.vowel_peaks(motion.opening, segments)
        frames, correlation = metrics.lag(motion.opening, reference)
        lags.append(frames)
        peak_correlations.append(correlation)
        correlations.append(metrics.correlation(motion.opening, reference))
        controls.append(metrics.correlation(motion.opening, references[(index + 1) % len(references)]))
        pauses.append(metrics.pause_openings(motion.opening, segments))
    opening = np.concatenate([motion.opening for motion in motions])
    durations = [duration for motion in motions for duration in metrics.blinks(motion.weights)]
    rest = np.concatenate(pauses)
    return {
        "bilabial_closure": closed.share, "bilabials": closed.total,
        "false_closure": false.share, "open_vowels": false.total,
        "labiodental_contact": contact.share, "labiodentals": contact.total,
        "lag_median_frames": float(np.median(lags)), "lag_within_1_frame": float(np.mean(np.abs(lags) <= 1)),
        "correlation_at_lag": float(np.median(peak_correlations)), "correlation": float(np.median(correlations)),
        "correlation_shuffled": float(np.median(controls)),
        "opening_p95_mm": float(np.percentile(opening, 95)), "open_vowel_peak_mm": float(np.median(peaks)),
        "pause_opening_median_mm": float(np.median(rest)) if len(rest) else None,
        "pause_opening_p95_mm": float(np.percentile(rest, 95)) if len(rest) else None,
        "blinks_per_minute": len(durations) / (len(opening) / CODE_RATE / 60),
        "blink_duration_s": float(np.median(durations)) if durations else 0.0,
        "mouth_jitter_mm": float(np.mean([metrics.mouth_jitter(motion.opening) for motion in motions])),
        "code_step": float(np.mean([metrics.code_step(motion.codes) for motion in motions])),
    }  # fmt: skip


def silence_figures(performer: Performer, seed: int) -> dict:
    """Mouth and blinks where nobody speaks."""
    length = int(SILENCE_SECONDS * SAMPLE_RATE)
    noise = Augmenter(SILENCE_SECONDS, seed + 4000).noise(length, np.random.default_rng(seed))
    recordings = {"digital silence": np.zeros(length, np.float32), "room noise -60 dB": 0.001 * noise}
    recordings["room noise -30 dB"] = 0.03 * noise
    figures = {}
    for name, audio in recordings.items():
        motions = [performer.sample(audio, seed + take) for take in range(4)]
        opening = np.concatenate([motion.opening for motion in motions])
        durations = [duration for motion in motions for duration in metrics.blinks(motion.weights)]
        figures[name] = {
            "opening_p95_mm": float(np.percentile(opening, 95)), "opening_max_mm": float(opening.max()),
            "blinks_per_minute": len(durations) / (len(opening) / CODE_RATE / 60),
            "blink_duration_s": float(np.median(durations)) if durations else 0.0,
        }  # fmt: skip
    return figures


def diversity(performer: Performer, corpus: Corpus, clip: Clip, seeds: int = 4) -> float:
    """Root mean square difference between takes of one clip, relative to the root mean square of the codes."""
    codes = [performer.sample(corpus.audio(clip), seed).codes for seed in range(seeds)]
    pairs = [a - b for i, a in enumerate(codes) for b in codes[i + 1 :]]
    return float(np.sqrt(np.mean(np.square(pairs))) / np.sqrt(np.mean(np.square(codes))))


def evaluate(performer: Performer, corpus: Corpus, seed: int, output: Path, compared: list[tuple[str, int]]) -> dict:
    """All figures and plots; `compared` are the samplers and steps to put side by side."""
    clips = corpus.clips
    frames = [round(clip.duration * CODE_RATE) for clip in clips]
    expected = [expected_mouth(corpus.segments(clip), count) for clip, count in zip(clips, frames, strict=True)]
    references = [performer.from_weights(weights).opening for weights in expected]
    motions = [performer.sample(corpus.audio(clip), seed) for clip in clips]
    prior = [
        performer.from_weights(perform(corpus.segments(clip), count, seed + index))
        for index, (clip, count) in enumerate(zip(clips, frames, strict=True))
    ]
    figures = {"default_sampler": performer.sampler, "default_steps": performer.steps}
    figures["guidance"] = performer.guidance
    figures["speech"] = speech_figures(corpus, clips, motions, references)
    figures["prior"] = speech_figures(corpus, clips, prior, references)
    figures["silence"] = silence_figures(performer, seed)
    figures["diversity"] = diversity(performer, corpus, clips[0])
    figures["samplers"] = {}
    few = clips[:COMPARED_CLIPS]
    for sampler, steps in compared:
        sampled = [performer.sample(corpus.audio(clip), seed, sampler, steps) for clip in few]
        figures["samplers"][f"{sampler} {steps}"] = speech_figures(corpus, few, sampled, references[:COMPARED_CLIPS])
    for index in range(PLOTTED):
        plot_clip(output, corpus, clips[index], motions[index], references[index])
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Evaluate a bundle's motion on held-out recordings.")
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for the report")
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--held-out", action="store_true", help="tune on speechocean762's held-out speakers instead")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    performer = Performer(Bundle.open(arguments.bundle), arguments.device)
    corpus = load_recordings(arguments.data, "so762" if arguments.held_out else "lj32")
    if arguments.held_out:
        corpus = Corpus(corpus.select("so762", held_out=True), corpus.samples)
    figures = evaluate(performer, corpus, arguments.seed, arguments.output, [] if arguments.held_out else COMPARED)
    figures["recordings"] = (
        "88 recordings of speechocean762's held-out speakers"
        if arguments.held_out
        else "the 32 recordings of LJ Speech (3.7 minutes, one native speaker of US English, phone times from MFA)"
    )
    (arguments.output / "motion.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    write_report(arguments.output, figures, [clip.key for clip in corpus.clips[:PLOTTED]])


if __name__ == "__main__":
    main()
