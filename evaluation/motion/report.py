"""The evaluation's report: tables in Markdown and plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np

from engine.head import NeuralHead
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from evaluation.motion.moments import moments_of, pictures
from training.phones import BILABIALS, SILENCE

if TYPE_CHECKING:
    from evaluation.motion.evaluate import Motion, Recording

matplotlib.use("Agg")
from matplotlib import pyplot

PLOT_SECONDS = 6.0
ROWS = {
    "bilabial_closure": "/p b m/ that reach closed lips",
    "labiodental_contact": "/f v/ with the lower lip at the upper teeth",
    "false_closure": "open vowels that stay closed (lower is better)",
    "unasked_closure": "consonants without lip contact that close the lips (lower is better)",
    "lag_median_frames": "median lag behind the reference, frames",
    "lag_within_1_frame": "clips with a lag within one frame",
    "correlation": "correlation of the lip opening with the reference",
    "correlation_shuffled": "the same with another clip's reference (control)",
    "opening_p95_mm": "lip opening, 95th percentile, mm",
    "open_vowel_peak_mm": "median peak in emphasised open vowels, mm",
    "pause_opening_median_mm": "lip opening in long pauses, median, mm",
    "pause_opening_p95_mm": "lip opening in long pauses, 95th percentile, mm",
    "blinks_per_minute": "blinks a minute",
    "blink_duration_s": "blink duration at half closure, s",
    "mouth_jitter_mm": "second difference of the lip opening, mm",
    "code_step": "mean change of the codes between frames",
    "code_step_rms": "root mean square change of the codes between frames",
}
SHARES = {"bilabial_closure", "labiodental_contact", "false_closure", "unasked_closure", "lag_within_1_frame"}
COMPARED_ROWS = (
    "bilabial_closure", "labiodental_contact", "false_closure", "unasked_closure", "lag_median_frames", "correlation",
    "opening_p95_mm", "blinks_per_minute", "mouth_jitter_mm", "code_step",
)  # fmt: skip
COMPARISONS = {
    "samplers": ("Samplers and steps (first eight recordings)", "sampler, steps"),
    "others": (
        "Other speakers that no training has seen; guidance and temperature were chosen on speechocean762",
        "recordings",
    ),
    "temperatures": ("Temperature of the mouth, on speechocean762", "temperature"),
    "conditions": ("The same recordings under other conditions", "condition"),
}


def write_report(output: Path, figures: dict, plotted: list[str]) -> None:
    """Write `motion.md` next to `motion.json`."""
    columns = {"sampled": figures["speech"], "not refined": figures["not_refined"], "prior": figures["prior"]}
    speech = figures["speech"]
    lines = [
        "# Motion",
        "",
        f"Sampled for {figures['recordings']}, on which nothing was trained. The reference is the articulation prior's",
        "neutral speaker on the labelled phone times; the column `prior` is one random performance of the prior",
        "itself, hence what the motion model was taught. `not refined` is the motion before it is smoothed",
        "([style](../style.md)).",
        f"Sampler: {figures['default_sampler']}, {figures['default_steps']} steps, guidance {figures['guidance']:g},",
        f"temperature of the mouth {figures['mouth_temperature']:g}, of the lids {figures['lid_temperature']:g}.",
        "Closed means a lip opening under max(1 mm, 10 % of the clip's 95th percentile) within one frame of the",
        "interval, contact a distance of lower lip and upper incisors under 1 mm; both are measured on the mean head"
        f" ({speech['bilabials']} bilabials, {speech['labiodentals']} labiodentals,"
        f" {speech['open_vowels']} open vowels).",
        "",
        "| figure | " + " | ".join(columns) + " |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for key, text in ROWS.items():
        lines.append(f"| {text} | " + " | ".join(_format(key, column) for column in columns.values()) + " |")
    diversity = figures["diversity"]
    lines += ["", f"Diversity (Eq. 20) over {diversity['takes']} seeds, in units of the codes, norms of single frames:"]
    lines += [f"{diversity['per_frame']:.2f}; norms of whole recordings: {diversity['per_sequence']:.1f}.", ""]
    lines += ["## Silence", "", "| recording | opening p95, mm | largest, mm | blinks a minute | blink, s |"]
    lines += ["|---|---|---|---|---|"]
    for name, row in figures["silence"].items():
        values = (row["opening_p95_mm"], row["opening_max_mm"], row["blinks_per_minute"], row["blink_duration_s"])
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    for name, (title, first) in COMPARISONS.items():
        if figures.get(name):
            lines += ["", f"## {title}", "", *_comparison(first, figures[name])]
    if figures.get("samplers"):
        plot_samplers(output, figures["samplers"])
        lines += ["", "![Figures against steps](motion_steps.png)"]
    lines += ["", "## Plots", ""]
    for key in plotted:
        name = Path(key).name
        lines += [f"![{key}](motion_{name}.png)", "", f"![{key}, the head at the dots](frames_{name}.jpg)", ""]
    (output / "motion.md").write_text("\n".join(lines) + "\n", "utf-8")


def _comparison(first: str, rows: dict[str, dict]) -> list[str]:
    """A table with a line for each of several sets of figures."""
    lines = [f"| {first} | " + " | ".join(ROWS[key] for key in COMPARED_ROWS) + " |"]
    lines.append("|---" * (1 + len(COMPARED_ROWS)) + "|")
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(_format(key, row) for key in COMPARED_ROWS) + " |")
    return lines


def _format(key: str, row: dict) -> str:
    if row[key] is None:
        return "none there"
    if key in SHARES:
        return f"{100 * row[key]:.1f} %"
    return f"{row[key]:.4f}" if key in ("code_step", "code_step_rms") else f"{row[key]:.2f}"


def plot_samplers(output: Path, rows: dict[str, dict]) -> None:
    """Some of ROWS against the number of steps, a line for each sampler; rows by "sampler steps"."""
    shown = ("bilabial_closure", "correlation", "mouth_jitter_mm", "blinks_per_minute")
    figure, axes = pyplot.subplots(1, len(shown), figsize=(13, 3), layout="constrained")
    for axis, figure_name in zip(axes, shown, strict=True):
        for sampler in dict.fromkeys(name.split()[0] for name in rows):
            points = sorted(
                (int(name.split()[1]), row[figure_name]) for name, row in rows.items() if name.split()[0] == sampler
            )
            axis.semilogx(*zip(*points, strict=True), "o-", markersize=3, label=sampler)
        axis.set_title(ROWS[figure_name].partition(" (")[0], fontsize=8)
        axis.set_xlabel("steps")
    axes[0].legend(fontsize=8)
    figure.savefig(output / "motion_steps.png", dpi=80)
    pyplot.close(figure)


def plot_recording(output: Path, recording: Recording, motion: Motion, reference: np.ndarray) -> None:
    """Waveform with phones, lip opening against the reference, jaw, and blinks of the first seconds."""
    audio = recording.audio[: int(PLOT_SECONDS * SAMPLE_RATE)]
    frames = plotted_frames(motion)
    times = np.arange(frames) / CODE_RATE
    figure, axes = pyplot.subplots(
        4, 1, figsize=(13, 7), sharex=True, height_ratios=(1.2, 2, 1, 1), layout="constrained"
    )
    moments = moments_of(recording.segments, frames)
    axes[1].plot([m.frame / CODE_RATE for m in moments], [motion.opening[m.frame] for m in moments], "o", markersize=4)
    axes[0].plot(np.arange(len(audio)) / SAMPLE_RATE, audio, linewidth=0.3, color="0.4")
    for segment in recording.segments:
        if segment.phone in BILABIALS:
            for axis in axes[:2]:
                axis.axvspan(segment.start, segment.end, color="tab:orange", alpha=0.25)
        if segment.phone != SILENCE and segment.start < PLOT_SECONDS:
            middle, top = (segment.start + segment.end) / 2, 0.9 * np.abs(audio).max()
            axes[0].text(middle, top, segment.phone, fontsize=6, ha="center")
    axes[1].plot(times, reference[:frames], color="0.6", label="reference")
    axes[1].plot(times, motion.opening[:frames], color="tab:blue", label="sampled")
    axes[1].legend(loc="upper right")
    axes[1].set_ylabel("lip opening, mm")
    axes[2].plot(times, motion.weights[:frames, ARKIT_NAMES.index("jawOpen")])
    axes[2].set_ylabel("jawOpen")
    axes[3].plot(times, motion.weights[:frames, ARKIT_NAMES.index("eyeBlinkLeft")])
    axes[3].set_ylabel("eyeBlinkLeft")
    axes[3].set_xlabel("seconds")
    axes[3].set_xlim(0, times[-1])
    figure.savefig(output / f"motion_{Path(recording.key).name}.png", dpi=80)
    pyplot.close(figure)


def plot_moments(output: Path, recording: Recording, motion: Motion, head: NeuralHead) -> None:
    """The head at some of the phones in the first seconds."""
    moments = moments_of(recording.segments, plotted_frames(motion))
    figure, axes = pyplot.subplots(1, max(len(moments), 1), figsize=(13, 1.8), layout="constrained", squeeze=False)
    for axis, moment, picture in zip(axes[0], moments, pictures(head, motion.codes, moments), strict=False):
        axis.imshow(picture)
        axis.set_title(f"{moment.phone} {moment.frame / CODE_RATE:.2f} s", fontsize=8)
    for axis in axes[0]:
        axis.axis("off")
    figure.savefig(output / f"frames_{Path(recording.key).name}.jpg", dpi=100)
    pyplot.close(figure)


def plotted_frames(motion: Motion) -> int:
    """How many of a motion's frames are plotted."""
    return min(round(PLOT_SECONDS * CODE_RATE), len(motion.opening))
