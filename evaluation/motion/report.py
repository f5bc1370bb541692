"""The report of a bundle's motion: its figures as Markdown."""

from __future__ import annotations

from pathlib import Path

from evaluation.shared.reports import paragraph, table

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


def report_text(figures: dict) -> str:
    """The report as Markdown, which shows the plots."""
    diversity = figures["diversity"]
    lines = [
        "# Motion",
        "",
        *paragraph(_introduction(figures)),
        "",
        *_speech_table(figures),
        "",
        *paragraph(
            f"Diversity (Eq. 20) over {diversity['takes']} seeds, in units of the codes, norms of single frames: "
            f"{diversity['per_frame']:.2f}; norms of whole recordings: {diversity['per_sequence']:.1f}."
        ),
        "",
        "## Closures of the lips, one by one",
        "",
        *_closures(figures["closures"]),
        "",
        "## Silence",
        "",
        *_silence_table(figures["silence"]),
    ]
    if figures.get("voiceless"):
        lines += ["", "## Sounds without a voice", "", *_voiceless_table(figures["voiceless"])]
    for name, (title, first) in COMPARISONS.items():
        if figures.get(name):
            lines += ["", f"## {title}", "", *_comparison(first, figures[name])]
    if figures.get("samplers"):
        lines += ["", "![Figures against steps](motion_steps.png)"]
    lines += ["", "## Plots", "", *_plots(figures["plotted"])]
    return "\n".join(lines) + "\n"


def _introduction(figures: dict) -> str:
    speech = figures["speech"]
    return (
        f"Sampled for {figures['recordings']}, on which nothing was trained. The reference is the articulation prior's "
        "neutral speaker on the labelled phone times; the column `prior` is one random performance of the prior "
        "itself, hence what the motion model was taught. `not refined` is the motion before it is smoothed "
        "([style](../style.md)). "
        f"Sampler: {figures['default_sampler']}, {figures['default_steps']} steps, guidance {figures['guidance']:g}, "
        f"temperature of the mouth {figures['mouth_temperature']:g}, of the lids {figures['lid_temperature']:g}. "
        "Closed means a lip opening under max(1 mm, 10 % of the clip's 95th percentile) within one frame of the "
        "interval, contact a distance of lower lip and upper incisors under 1 mm; both are measured on the mean head "
        f"({speech['bilabials']} bilabials, {speech['labiodentals']} labiodentals, "
        f"{speech['open_vowels']} open vowels)."
    )


def _speech_table(figures: dict) -> list[str]:
    columns = {"sampled": figures["speech"], "not refined": figures["not_refined"], "prior": figures["prior"]}
    rows = ([text, *(_format(key, column) for column in columns.values())] for key, text in ROWS.items())
    return table(["figure", *columns], rows)


def _closures(closures: dict) -> list[str]:
    """Tables of closures by kind and of the widest misses, and a paragraph on the rest."""
    kinds = closures["kinds"] | {"all, by the solid of the surface": closures["surface"]}
    kinds["chance: sounds that close no lips"] = closures["chance"]
    rows = (
        [kind, _percent(row["share"], 1), f"{_percent(row['low'])} to {_percent(row['high'])}", str(row["total"])]
        for kind, row in kinds.items()
    )
    order = sorted(closures["vowels_mm"], key=lambda phone: -closures["vowels_mm"][phone])
    openings = ", ".join(f"{phone} {closures['vowels_mm'][phone]:.1f}" for phone in order)
    misses = (
        [row["recording"], f"/{row['phone'].lower()}/", f"{row['seconds']:.2f}", str(row["milliseconds"]),
         f"/{row['before'].lower()}/", f"{row['decibels']:+.1f}", f"{row['opening_mm']:.1f}"]
        for row in closures["worst"]
    )  # fmt: skip
    return [
        *table(["/p b m/", "closed", "95 % interval", "number"], rows),
        "",
        *paragraph(f"Median of the widest opening within vowels, mm: {openings}."),
        "",
        "The widest misses:",
        "",
        *table(["recording", "phone", "at, s", "ms", "before", "dB", "opening, mm"], misses),
        "",
        *paragraph(
            "Each of them: the sound up to 5 kHz, its phones, the missed one in orange, and the lip opening in mm "
            "(right scale)."
        ),
        "",
        "![The widest misses](motion_misses.png)",
    ]  # fmt: skip


def _silence_table(silence: dict[str, dict]) -> list[str]:
    header = ["recording", "opening p95, mm", "largest, mm", "blinks a minute", "blink, s"]
    keys = ("opening_p95_mm", "opening_max_mm", "blinks_per_minute", "blink_duration_s")
    return table(header, ([name, *(f"{row[key]:.2f}" for key in keys)] for name, row in silence.items()))


def _voiceless_table(voiceless: dict[str, dict]) -> list[str]:
    header = ["sound", "clips", "minutes", "opening p95, mm", "95 % interval", "clips in which the lips move", "95 %"]
    return table(header, ([kind, *_voiceless_cells(row)] for kind, row in voiceless.items()))


def _voiceless_cells(row: dict) -> list[str]:
    low, high = row["opening_p95_interval_mm"]
    least, most = row["moved_interval"]
    return [
        str(row["clips"]), f"{row['seconds'] / 60:.1f}", f"{row['opening_p95_mm']:.2f}", f"{low:.2f} to {high:.2f}",
        f"{100 * row['moved']:.0f} %", f"{100 * least:.0f} to {100 * most:.0f} %",
    ]  # fmt: skip


def _comparison(first: str, rows: dict[str, dict]) -> list[str]:
    """A table with a line for each of several sets of figures."""
    header = [first, *(ROWS[key] for key in COMPARED_ROWS)]
    return table(header, ([name, *(_format(key, row) for key in COMPARED_ROWS)] for name, row in rows.items()))


def _plots(recordings: list[str]) -> list[str]:
    lines = []
    for key in recordings:
        name = Path(key).name
        lines += [f"![{key}](motion_{name}.png)", "", f"![{key}, the head at the dots](frames_{name}.jpg)", ""]
    return lines


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _format(key: str, row: dict) -> str:
    if row[key] is None:
        return "none there"
    if key in SHARES:
        return f"{100 * row[key]:.1f} %"
    return f"{row[key]:.4f}" if key in ("code_step", "code_step_rms") else f"{row[key]:.2f}"
