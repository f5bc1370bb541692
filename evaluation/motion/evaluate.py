"""Evaluate a bundle's motion on recordings that nothing was trained or tuned on.

    python -m evaluation.motion.evaluate --data DATA --output docs/evaluation

Speech: the 32 recordings of LJ Speech in the data folder (native US English, phone times from MFA). Silence: digital
silence and room noise. Writes `motion.md`, `motion.json` and plots.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from engine.bundle import SECTION_FILES, Bundle
from engine.engine import choose_device
from engine.head import NeuralHead, load_head
from engine.motion import diffusion
from engine.motion.codes import expression_basis, weights_from_codes
from engine.motion.denoiser import load_expression_decoder
from engine.motion.refinement import load_refinement
from engine.motion.speech import load_speech_encoder
from engine.motion.temperature import Temperature, load_temperature
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from evaluation.motion import metrics
from evaluation.motion.conditions import CONDITIONS, Condition
from evaluation.motion.contact import LipToTeeth
from evaluation.motion.report import plot_moments, plot_recording, write_report
from training.data.augmentation import Augmenter
from training.data.corpus import Clip, Corpus, load_recordings
from training.data.recorded import FESTVOX_RU
from training.phones import Segment
from training.prior.articulation import expected_mouth, perform

COMPARED = [
    *(("dpm++", steps) for steps in (2, 4, 8, 16, 50)), *(("ddim", steps) for steps in (2, 4, 8, 16, 50)),
    ("ddpm", 50), ("ddpm", 1000),
]  # fmt: skip
COMPARED_RECORDINGS = 8
TEMPERATURES = (0.0, 0.3, 0.5, 0.7, 1.0)
DIVERSITY_SEEDS = 8
PLOTTED = 3
SILENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Recording:
    """key: corpus and utterance. audio: (S,) float32 at 16 kHz. segments: its phones."""

    key: str
    audio: np.ndarray
    segments: list[Segment]

    @property
    def frames(self) -> int:
        """Number of code frames."""
        return round(len(self.audio) / SAMPLE_RATE * CODE_RATE)


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
        self.refinement = load_refinement(bundle, self.basis)
        self.temperature = load_temperature(bundle, self.basis)
        self.mouth_temperature = section.get("default_mouth_temperature", 1.0)
        self.lid_temperature = section.get("default_lid_temperature", 1.0)

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

    def sample(
        self, audio: np.ndarray, seed: int, sampler: str | None = None, steps: int | None = None, refine: bool = True
    ) -> Motion:
        """Motion for 16 kHz samples (S,), refined as the bundle asks for, or as it was sampled."""
        features = self.encoder.features(audio)
        codes = self.codes(features, seed, sampler, steps)
        return self.motion(self.refinement.refined(codes) if refine and self.refinement else codes)

    def codes(self, features: Tensor, seed: int, sampler: str | None = None, steps: int | None = None) -> np.ndarray:
        """Sampled codes (N, 200) for speech features (N, A)."""
        settings = {"sampler": sampler or self.sampler, "steps": steps or self.steps, "guidance": self.guidance}
        settings["temperature"] = self.temperature
        return diffusion.sample(self.decoder, features, seed=seed, **settings).numpy()

    def from_weights(self, weights: np.ndarray) -> Motion:
        """Motion of given ARKit weights (N, 52)."""
        return self.motion(weights @ self.basis.T)


def recordings_of(corpus: Corpus, clips: list[Clip]) -> list[Recording]:
    """Clips with their audio and phones."""
    return [Recording(clip.key, corpus.audio(clip), corpus.segments(clip)) for clip in clips]


def references_of(performer: Performer, recordings: list[Recording]) -> list[np.ndarray]:
    """Lip openings (N,) of the articulation prior's neutral speaker on each recording's phones."""
    return [performer.from_weights(expected_mouth(r.segments, r.frames)).opening for r in recordings]


def speech_figures(recordings: list[Recording], motions: list[Motion], references: list[np.ndarray]) -> dict:
    """Figures over recordings: motion against phone labels and against the references built from them."""
    closed, false, contact, unasked = [metrics.Count(0, 0)] * 4
    peaks, lags, peak_correlations, correlations, controls, pauses = [], [], [], [], [], []
    for index, (recording, motion, reference) in enumerate(zip(recordings, motions, references, strict=True)):
        segments = recording.segments
        closed += metrics.closures(motion.opening, segments)
        false += metrics.false_closures(motion.opening, segments)
        unasked += metrics.unasked_closures(motion.opening, segments)
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
        "unasked_closure": unasked.share, "open_consonants": unasked.total,
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
        "code_step_rms": float(np.mean([metrics.code_step_rms(motion.codes) for motion in motions])),
    }  # fmt: skip


def under_condition(change: Condition, recording: Recording, seed: int) -> Recording:
    """The recording as it sounds under another condition, its phones where they are then."""
    audio, speed = change(recording.audio, np.random.default_rng(seed))
    segments = [replace(s, start=s.start / speed, end=s.end / speed) for s in recording.segments]
    return Recording(recording.key, audio, segments)


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


def diversity(performer: Performer, recordings: list[Recording]) -> metrics.Diversity:
    """Eq. 20 over DIVERSITY_SEEDS takes of every recording."""
    features = [performer.encoder.features(recording.audio) for recording in recordings]
    return metrics.Diversity.of([[performer.codes(f, seed) for seed in range(DIVERSITY_SEEDS)] for f in features])


def sampled_figures(performer: Performer, recordings: list[Recording], seed: int) -> dict:
    """Figures of the bundle's default motion for recordings."""
    motions = [performer.sample(recording.audio, seed) for recording in recordings]
    return speech_figures(recordings, motions, references_of(performer, recordings))


def evaluate(performer: Performer, recordings: list[Recording], seed: int, output: Path) -> dict:
    """Figures of sampled motion and of the prior, in speech and in silence, with plots of the first recordings."""
    references = references_of(performer, recordings)
    motions = [performer.sample(recording.audio, seed) for recording in recordings]
    not_refined = [performer.sample(recording.audio, seed, refine=False) for recording in recordings]
    prior = [
        performer.from_weights(perform(recording.segments, recording.frames, seed + index))
        for index, recording in enumerate(recordings)
    ]
    for recording, motion, reference in list(zip(recordings, motions, references, strict=True))[:PLOTTED]:
        plot_recording(output, recording, motion, reference)
        plot_moments(output, recording, motion, performer.head)
    return {
        "default_sampler": performer.sampler, "default_steps": performer.steps, "guidance": performer.guidance,
        "mouth_temperature": performer.mouth_temperature, "lid_temperature": performer.lid_temperature,
        "speech": speech_figures(recordings, motions, references),
        "not_refined": speech_figures(recordings, not_refined, references),
        "prior": speech_figures(recordings, prior, references),
        "silence": silence_figures(performer, seed), "diversity": asdict(diversity(performer, recordings)),
    }  # fmt: skip


def compare_samplers(performer: Performer, recordings: list[Recording], seed: int) -> dict:
    """Figures of every sampler and number of steps of COMPARED."""
    references, figures = references_of(performer, recordings), {}
    for sampler, steps in COMPARED:
        motions = [performer.sample(recording.audio, seed, sampler, steps) for recording in recordings]
        figures[f"{sampler} {steps}"] = speech_figures(recordings, motions, references)
    return figures


def compare_temperatures(performer: Performer, recordings: list[Recording], seed: int) -> dict:
    """Figures of the same recordings at every one of TEMPERATURES; the performer's own is put back."""
    own, figures = performer.temperature, {}
    for value in TEMPERATURES:
        performer.temperature = Temperature.of_weights(performer.basis, value, performer.lid_temperature)
        figures[f"{value:g}"] = sampled_figures(performer, recordings, seed)
    performer.temperature = own
    return figures


def compare_conditions(performer: Performer, recordings: list[Recording], seed: int) -> dict:
    """Figures of the same recordings under every one of CONDITIONS."""
    return {
        name: sampled_figures(performer, [under_condition(change, r, seed) for r in recordings], seed)
        for name, change in CONDITIONS.items()
    }


def held_out_speech(data: Path) -> dict[str, list[Recording]]:
    """Recordings by corpus that no training has seen, besides LJ Speech; the Russian ones where they are installed."""
    english = load_recordings(data, "so762")
    result = {"speechocean762": recordings_of(english, english.select("so762", held_out=True))}
    if FESTVOX_RU.is_dir():
        russian = load_recordings(data, "festvox-ru")
        result["festvox-ru"] = recordings_of(russian, russian.select("festvox-ru", held_out=True))
    return result


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
    performer, seed = Performer(Bundle.open(arguments.bundle), arguments.device), arguments.seed
    others = held_out_speech(arguments.data)
    if arguments.held_out:
        recordings = others["speechocean762"]
        figures = evaluate(performer, recordings, seed, arguments.output)
        figures["recordings"] = f"{len(recordings)} recordings of speechocean762's held-out speakers"
    else:
        corpus = load_recordings(arguments.data, "lj32")
        recordings = recordings_of(corpus, corpus.clips)
        figures = evaluate(performer, recordings, seed, arguments.output)
        figures["recordings"] = f"{len(recordings)} recordings of LJ Speech (one native speaker of US English)"
        figures["samplers"] = compare_samplers(performer, recordings[:COMPARED_RECORDINGS], seed)
        figures["others"] = {name: sampled_figures(performer, held_out, seed) for name, held_out in others.items()}
        figures["temperatures"] = compare_temperatures(performer, others["speechocean762"], seed)
        figures["conditions"] = compare_conditions(performer, recordings, seed)
    (arguments.output / "motion.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    write_report(arguments.output, figures, [recording.key for recording in recordings[:PLOTTED]])


if __name__ == "__main__":
    main()
