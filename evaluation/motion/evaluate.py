"""All that the report of a bundle's motion holds: its default motion, and it beside others."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from engine.motion.temperature import Temperature
from evaluation.motion.closures import closure_figures
from evaluation.motion.conditions import CONDITIONS, Among, under_condition
from evaluation.motion.figures import diversity, references_of, sampled_figures, silence_figures, speech_figures
from evaluation.motion.performer import Performer
from evaluation.motion.plots import plot_misses, plot_moments, plot_recording
from evaluation.motion.recordings import Recording
from training.prior.performance import perform

COMPARED = [
    *(("dpm++", steps) for steps in (2, 4, 8, 16, 50)), *(("ddim", steps) for steps in (2, 4, 8, 16, 50)),
    ("ddpm", 50), ("ddpm", 1000),
]  # fmt: skip
TEMPERATURES = (0.0, 0.3, 0.5, 0.7, 1.0)
PLOTTED = 3


def evaluate(performer: Performer, recordings: list[Recording], seed: int, output: Path) -> dict:
    """Figures of sampled motion and of the prior, in speech and in silence, with plots of the first recordings."""
    references = references_of(performer, recordings)
    motions = [performer.sample(recording.audio, seed) for recording in recordings]
    not_refined = [performer.sample(recording.audio, seed, refine=False) for recording in recordings]
    prior = [
        performer.from_weights(perform(recording.segments, recording.frames, seed + index, expressive=False).weights)
        for index, recording in enumerate(recordings)
    ]
    for recording, motion, reference in list(zip(recordings, motions, references, strict=True))[:PLOTTED]:
        plot_recording(output, recording, motion, reference)
        plot_moments(output, recording, motion, performer.head)
    defaults, closures = performer.defaults, closure_figures(performer, recordings, motions)
    plot_misses(output, recordings, motions, closures["worst"])
    return {
        "plotted": [recording.key for recording in recordings[:PLOTTED]],
        "default_sampler": defaults.sampler, "default_steps": defaults.steps, "guidance": defaults.guidance,
        "mouth_temperature": defaults.mouth_temperature, "lid_temperature": defaults.lid_temperature,
        "speech": speech_figures(recordings, motions, references),
        "closures": closures,
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
        performer.temperature = Temperature.of_weights(performer.basis, value, performer.defaults.lid_temperature)
        figures[f"{value:g}"] = sampled_figures(performer, recordings, seed)
    performer.temperature = own
    return figures


def compare_conditions(performer: Performer, recordings: list[Recording], voices: list[Recording], seed: int) -> dict:
    """Figures of the same recordings under every one of CONDITIONS, and with other voices behind the speaker."""
    conditions = CONDITIONS | {Among.NAME: Among([voice.audio for voice in voices])}
    return {
        name: sampled_figures(performer, [under_condition(change, r, seed) for r in recordings], seed)
        for name, change in conditions.items()
    }
