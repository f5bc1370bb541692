"""The report of the cross-validation on captured mouths."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_report(path: Path, report: dict) -> None:
    """Write `captured.md`."""
    rows = report["recordings"]
    lines = [
        "# Captured mouths, cross-validated",
        "",
        "FACEGOOD-Audio2Face pairs one woman's Mandarin with captured jaw and mouth weights: five lists of words (2_01",
        "to 2_05) and one recording of sentences (3_15). Each was left out in turn of a training from scratch by",
        "`python -m evaluation.studies.captured`,"
        f" {report['steps']} steps (seed {report['seed']}) on the other five and on {report['clips']} clips with phone"
        f" labels, a small part of the starter's training. {report['takes']} takes",
        "of the recording left out, sampled at the starter's temperature of the mouth: correlation is the mean over"
        " single takes,",
        "`mean of takes` that of their mean. The control correlates the takes with the capture of another recording.",
        "",
        "## jawOpen",
        "",
        "| left out | one take | mean of takes | control | amplitude | capture's probe | prior's probe | loudness |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key, row in rows.items():
        jaw = row["channels"]["jawOpen"]
        values = [jaw["correlation"], jaw["correlation_of_mean"], jaw["control"], jaw["amplitude"]]
        values += [row["capture_probe"], row["prior_probe"], row["loudness"]]
        lines.append(f"| {Path(key).name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    lines += ["", *PROBES, "", "## Channels", "", *CHANNELS, ""]
    lines += ["| channel | recordings | one take | mean of takes | control | amplitude |", "|---|---|---|---|---|---|"]
    for name in dict.fromkeys(name for row in rows.values() for name in row["channels"]):
        found = [row["channels"][name] for row in rows.values() if name in row["channels"]]
        keys = ("correlation", "correlation_of_mean", "control", "amplitude")
        values = [f"{np.median([entry[key] for entry in found]):.2f}" for key in keys]
        lines.append(f"| {name} | {len(found)} | " + " | ".join(values) + " |")
    path.write_text("\n".join(lines) + "\n", "utf-8")


PROBES = [
    "The probes are ridge regressions on the frozen speech features of five frames around each: that of the capture",
    "learned from the other five recordings, so it says what the features tell about this face; that of the prior",
    "learned what the articulation prior's neutral speaker does on labelled speech, so it says how the prior agrees",
    "with the capture as far as the encoder hears the phones. The capture has no phone labels, which the prior itself",
    "would need. Loudness is the correlation of jawOpen with the recording's level in dB.",
]
CHANNELS = [
    "Median over the recordings in which the channel moves (standard deviation over 0.01). Amplitude is the standard",
    "deviation of a take over the capture's. Left and right are equal in the capture; `mouthClose` is not captured but",
    "made from the other weights, so that lips that touch are sealed.",
]
