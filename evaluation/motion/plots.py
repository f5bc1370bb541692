"""Plots of a bundle's motion: the course of a recording, the head at moments of it, figures against steps."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from scipy.signal import spectrogram

from engine.head import NeuralHead
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from evaluation.motion.moments import moments_of, pictures
from evaluation.motion.performer import Motion
from evaluation.motion.recordings import Recording
from evaluation.motion.report import ROWS
from training.phones import BILABIALS, SILENCE

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

PLOT_SECONDS = 6.0
MISS_SECONDS = 0.4  # before and after a missed closure
HIGHEST_HERTZ = 5000.0  # what tells /p b m/ from other consonants lies below
COMPARED_FIGURES = ("bilabial_closure", "correlation", "mouth_jitter_mm", "blinks_per_minute")


def plot_samplers(output: Path, rows: dict[str, dict]) -> None:
    """motion_steps.png: COMPARED_FIGURES against the number of steps, a line for each sampler.

    rows: figures by "sampler steps".
    """
    figure, axes = pyplot.subplots(1, len(COMPARED_FIGURES), figsize=(13, 3), layout="constrained")
    for axis, name in zip(axes, COMPARED_FIGURES, strict=True):
        for sampler, by_steps in _by_sampler(rows).items():
            values = [by_steps[steps][name] for steps in sorted(by_steps)]
            axis.semilogx(sorted(by_steps), values, "o-", markersize=3, label=sampler)
        axis.set_title(ROWS[name].partition(" (")[0], fontsize=8)
        axis.set_xlabel("steps")
    axes[0].legend(fontsize=8)
    figure.savefig(output / "motion_steps.png", dpi=80)
    pyplot.close(figure)


def _by_sampler(rows: dict[str, dict]) -> dict[str, dict[int, dict]]:
    nested: dict[str, dict[int, dict]] = {}
    for name, row in rows.items():
        sampler, steps = name.split()
        nested.setdefault(sampler, {})[int(steps)] = row
    return nested


def plot_recording(output: Path, recording: Recording, motion: Motion, reference: np.ndarray) -> None:
    """motion_NAME.png: waveform with phones, lip opening against the reference, jaw and blinks of the first seconds."""
    frames = plotted_frames(motion)
    times = np.arange(frames) / CODE_RATE
    figure, (voice, lips, jaw, lids) = pyplot.subplots(
        4, 1, figsize=(13, 7), sharex=True, height_ratios=(1.2, 2, 1, 1), layout="constrained"
    )
    _draw_voice(voice, recording)
    _draw_lips(lips, recording, motion.opening[:frames], reference[:frames])
    for axis, name in ((jaw, "jawOpen"), (lids, "eyeBlinkLeft")):
        axis.plot(times, motion.weights[:frames, ARKIT_NAMES.index(name)])
        axis.set_ylabel(name)
    lids.set_xlabel("seconds")
    lids.set_xlim(0, times[-1])
    figure.savefig(output / f"motion_{Path(recording.key).name}.png", dpi=80)
    pyplot.close(figure)


def _draw_voice(axis: Axes, recording: Recording) -> None:
    audio = recording.audio[: int(PLOT_SECONDS * SAMPLE_RATE)]
    axis.plot(np.arange(len(audio)) / SAMPLE_RATE, audio, linewidth=0.3, color="0.4")
    _shade_bilabials(axis, recording)
    for segment in recording.segments:
        if segment.phone != SILENCE and segment.start < PLOT_SECONDS:
            middle, top = (segment.start + segment.end) / 2, 0.9 * np.abs(audio).max()
            axis.text(middle, top, segment.phone, fontsize=6, ha="center")


def _draw_lips(axis: Axes, recording: Recording, opening: np.ndarray, reference: np.ndarray) -> None:
    """The opening (N,) against its reference (M,), with dots at the moments that are shown."""
    moments = moments_of(recording.segments, len(opening))
    axis.plot([m.frame / CODE_RATE for m in moments], [opening[m.frame] for m in moments], "o", markersize=4)
    _shade_bilabials(axis, recording)
    axis.plot(np.arange(len(reference)) / CODE_RATE, reference, color="0.6", label="reference")
    axis.plot(np.arange(len(opening)) / CODE_RATE, opening, color="tab:blue", label="sampled")
    axis.legend(loc="upper right")
    axis.set_ylabel("lip opening, mm")


def _shade_bilabials(axis: Axes, recording: Recording) -> None:
    for segment in recording.segments:
        if segment.phone in BILABIALS:
            axis.axvspan(segment.start, segment.end, color="tab:orange", alpha=0.25)


def plot_moments(output: Path, recording: Recording, motion: Motion, head: NeuralHead) -> None:
    """frames_NAME.jpg: the head at some of the phones in the first seconds."""
    moments = moments_of(recording.segments, plotted_frames(motion))
    figure, axes = pyplot.subplots(1, max(len(moments), 1), figsize=(13, 1.8), layout="constrained", squeeze=False)
    for axis, moment, picture in zip(axes[0], moments, pictures(head, motion.codes, moments), strict=False):
        axis.imshow(picture)
        axis.set_title(f"{moment.phone} {moment.frame / CODE_RATE:.2f} s", fontsize=8)
    for axis in axes[0]:
        axis.axis("off")
    figure.savefig(output / f"frames_{Path(recording.key).name}.jpg", dpi=100)
    pyplot.close(figure)


def plot_misses(output: Path, recordings: list[Recording], motions: list[Motion], misses: list[dict]) -> None:
    """motion_misses.png: what is heard around each missed closure, and how far the lips are open.

    misses: the `worst` of `closures.closure_figures`.
    """
    spoken = {recording.key: (recording, motion) for recording, motion in zip(recordings, motions, strict=True)}
    columns = max((len(misses) + 1) // 2, 1)
    figure, axes = pyplot.subplots(2, columns, figsize=(13, 5), layout="constrained", squeeze=False)
    for axis, miss in zip(axes.flat, misses, strict=False):
        recording, motion = spoken[miss["recording"]]
        _draw_miss(axis, recording, motion, miss)
    for axis in axes.flat[len(misses) :]:
        axis.axis("off")
    figure.savefig(output / "motion_misses.png", dpi=80)
    pyplot.close(figure)


def _draw_miss(axis: Axes, recording: Recording, motion: Motion, miss: dict) -> None:
    """Spectrogram with phones and, on an axis of its own, the lip opening around one missed closure."""
    middle = miss["seconds"] + miss["milliseconds"] / 2000
    first, last = middle - MISS_SECONDS, middle + MISS_SECONDS
    frequencies, times, power = spectrogram(recording.audio, SAMPLE_RATE, nperseg=256, noverlap=192)
    shown, low = (times >= first) & (times <= last), frequencies <= HIGHEST_HERTZ
    decibels = 10 * np.log10(power[np.ix_(low, shown)] + 1e-12)
    axis.pcolormesh(times[shown], frequencies[low] / 1000, decibels, cmap="Greys", vmin=decibels.max() - 60)
    for segment in recording.segments:
        if first < (segment.start + segment.end) / 2 < last and segment.phone != SILENCE:
            axis.text((segment.start + segment.end) / 2, 4.6, segment.phone, fontsize=7, ha="center")
    axis.axvspan(miss["seconds"], miss["seconds"] + miss["milliseconds"] / 1000, color="tab:orange", alpha=0.3)
    axis.set_title(f"{Path(recording.key).name} {miss['seconds']:.2f} s", fontsize=8)
    lips = axis.twinx()
    lips.plot(np.arange(len(motion.opening)) / CODE_RATE, motion.opening, color="tab:blue")
    lips.set_ylim(-2, 30)
    lips.tick_params(labelsize=6)
    axis.tick_params(labelsize=6)
    axis.set_xlim(first, last)


def plotted_frames(motion: Motion) -> int:
    """How many of a motion's frames are plotted."""
    return min(round(PLOT_SECONDS * CODE_RATE), len(motion.opening))
