"""Figures of motion, in speech and in silence, for the report and the studies."""

from __future__ import annotations

from itertools import starmap

import numpy as np

from engine.shared.units import CODE_RATE, SAMPLE_RATE
from evaluation.motion import metrics
from evaluation.motion.conditions import NOISE_SEED
from evaluation.motion.performer import Motion, Performer
from evaluation.motion.recordings import Recording
from training.data.augmentation import Augmenter
from training.prior.articulation import expected_mouth

DIVERSITY_SEEDS = 8
SILENCE_SECONDS, SILENCE_TAKES = 30.0, 4
RESAMPLES = 500
MOVED_MM = 1.0  # lips that open further to a sound without a voice are seen to move


def references_of(performer: Performer, recordings: list[Recording]) -> list[np.ndarray]:
    """Lip openings (N,) of the articulation prior's neutral speaker on each recording's phones."""
    return [performer.from_weights(expected_mouth(r.segments, r.frames)).opening for r in recordings]


def sampled_figures(performer: Performer, recordings: list[Recording], seed: int) -> dict:
    """Figures of the bundle's default motion for recordings."""
    motions = [performer.sample(recording.audio, seed) for recording in recordings]
    return speech_figures(recordings, motions, references_of(performer, recordings))


def speech_figures(recordings: list[Recording], motions: list[Motion], references: list[np.ndarray]) -> dict:
    """Figures over recordings: motion against phone labels and against the references built from them."""
    openings = [motion.opening for motion in motions]
    return (
        contact_figures(recordings, motions)
        | timing_figures(openings, references)
        | opening_figures(recordings, openings)
        | blink_figures(motions)
        | smoothness_figures(motions)
    )


def contact_figures(recordings: list[Recording], motions: list[Motion]) -> dict:
    """Shares of phones in which lips close or touch the teeth, with or without a reason, and their numbers."""
    pairs = [(motion, recording.segments) for recording, motion in zip(recordings, motions, strict=True)]
    none = metrics.Count(0, 0)
    closed = sum((metrics.closures(motion.opening, segments) for motion, segments in pairs), none)
    false = sum((metrics.false_closures(motion.opening, segments) for motion, segments in pairs), none)
    unasked = sum((metrics.unasked_closures(motion.opening, segments) for motion, segments in pairs), none)
    contact = sum((metrics.labiodental_contacts(motion.lip_to_teeth, segments) for motion, segments in pairs), none)
    return {
        "bilabial_closure": closed.share, "bilabials": closed.total,
        "false_closure": false.share, "open_vowels": false.total,
        "unasked_closure": unasked.share, "open_consonants": unasked.total,
        "labiodental_contact": contact.share, "labiodentals": contact.total,
    }  # fmt: skip


def timing_figures(openings: list[np.ndarray], references: list[np.ndarray]) -> dict:
    """How each lip opening (N,) follows its reference (M,), in time and shape, and how it follows another's."""
    pairs = list(zip(openings, references, strict=True))
    lags, peaks = zip(*starmap(metrics.lag, pairs), strict=True)
    others = zip(openings, [*references[1:], references[0]], strict=True)
    return {
        "lag_median_frames": float(np.median(lags)),
        "lag_within_1_frame": float(np.mean(np.abs(lags) <= 1)),
        "correlation_at_lag": float(np.median(peaks)),
        "correlation": float(np.median(list(starmap(metrics.correlation, pairs)))),
        "correlation_shuffled": float(np.median(list(starmap(metrics.correlation, others)))),
    }


def opening_figures(recordings: list[Recording], openings: list[np.ndarray]) -> dict:
    """How far lips open in mm: at all, in emphasised vowels, and in pauses (None where there are none)."""
    pairs = [(opening, recording.segments) for recording, opening in zip(recordings, openings, strict=True)]
    peaks = [peak for opening, segments in pairs for peak in metrics.vowel_peaks(opening, segments)]
    rest = np.concatenate([metrics.pause_openings(opening, segments) for opening, segments in pairs])
    return {
        "opening_p95_mm": float(np.percentile(np.concatenate(openings), 95)),
        "open_vowel_peak_mm": float(np.median(peaks)),
        "pause_opening_median_mm": float(np.median(rest)) if len(rest) else None,
        "pause_opening_p95_mm": float(np.percentile(rest, 95)) if len(rest) else None,
    }


def blink_figures(motions: list[Motion]) -> dict:
    """How often and for how long the eyes blink."""
    durations = [duration for motion in motions for duration in metrics.blinks(motion.weights)]
    seconds = sum(len(motion.weights) for motion in motions) / CODE_RATE
    return {
        "blinks_per_minute": len(durations) / (seconds / 60),
        "blink_duration_s": float(np.median(durations)) if durations else 0.0,
    }


def smoothness_figures(motions: list[Motion]) -> dict:
    """Jitter of the lip opening and of the codes, means over recordings."""
    return {
        "mouth_jitter_mm": float(np.mean([metrics.mouth_jitter(motion.opening) for motion in motions])),
        "code_step": float(np.mean([metrics.code_step(motion.codes) for motion in motions])),
        "code_step_rms": float(np.mean([metrics.code_step_rms(motion.codes) for motion in motions])),
    }


def silence_figures(performer: Performer, seed: int) -> dict:
    """Mouth and blinks without speech."""
    length = int(SILENCE_SECONDS * SAMPLE_RATE)
    noise = Augmenter(SILENCE_SECONDS, seed + NOISE_SEED).noise(length, np.random.default_rng(seed))
    recordings = {"digital silence": np.zeros(length, np.float32), "room noise -60 dB": 0.001 * noise}
    recordings["room noise -30 dB"] = 0.03 * noise
    figures = {}
    for name, audio in recordings.items():
        motions = [performer.sample(audio, seed + take) for take in range(SILENCE_TAKES)]
        opening = np.concatenate([motion.opening for motion in motions])
        figures[name] = {
            "opening_p95_mm": float(np.percentile(opening, 95)),
            "opening_max_mm": float(opening.max()),
        } | blink_figures(motions)
    return figures


def voiceless_figures(performer: Performer, sounds: dict[str, list[np.ndarray]], seed: int) -> dict:
    """How far the lips open to sounds without a voice, by kind, with 95 % intervals over the clips."""
    figures = {}
    for kind, clips in sounds.items():
        openings = [performer.sample(audio, seed).opening for audio in clips]
        moved = sum(bool(np.percentile(opening, 95) > MOVED_MM) for opening in openings)
        figures[kind] = {
            "clips": len(clips),
            "seconds": sum(len(audio) for audio in clips) / SAMPLE_RATE,
            "opening_p95_mm": float(np.percentile(np.concatenate(openings), 95)),
            "opening_p95_interval_mm": _interval_of_p95(openings, seed),
            "moved": moved / len(clips),
            "moved_interval": list(metrics.share_interval(moved, len(clips))),
        }
    return figures


def _interval_of_p95(openings: list[np.ndarray], seed: int) -> list[float]:
    """95 % interval of the 95th percentile over all frames, for clips drawn again with replacement."""
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(openings), size=(RESAMPLES, len(openings)))
    values = [np.percentile(np.concatenate([openings[index] for index in draw]), 95) for draw in draws]
    return [float(value) for value in np.percentile(values, (2.5, 97.5))]


def diversity(performer: Performer, recordings: list[Recording]) -> metrics.Diversity:
    """Eq. 20 over DIVERSITY_SEEDS takes of every recording."""
    features = [performer.features(recording.audio) for recording in recordings]
    return metrics.Diversity.of([[performer.codes(f, seed) for seed in range(DIVERSITY_SEEDS)] for f in features])
