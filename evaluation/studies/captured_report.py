"""The report of the cross-validation on captured mouths."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.shared.reports import paragraph, table

AGREEMENT = ("correlation", "correlation_of_mean", "control", "amplitude")


def report_text(report: dict) -> str:
    """The report as Markdown."""
    rows = report["recordings"]
    lines = ["# Captured mouths, cross-validated", "", *paragraph(_introduction(report)), ""]
    lines += ["## jawOpen", "", *_jaw_table(rows), "", *paragraph(PROBES), ""]
    lines += ["## Channels", "", *paragraph(CHANNELS), "", *_channel_table(rows)]
    return "\n".join(lines) + "\n"


def _introduction(report: dict) -> str:
    return (
        "FACEGOOD-Audio2Face pairs one woman's Mandarin with captured jaw and mouth weights: five lists of words (2_01 "
        "to 2_05) and one recording of sentences (3_15). Each was left out in turn of a training from scratch by "
        "`python -m evaluation.studies.captured`, "
        f"{report['steps']} steps (seed {report['seed']}) on the other five and on {report['clips']} clips with phone "
        f"labels, a small part of the starter's training. {report['takes']} takes "
        "of the recording left out, sampled at the starter's temperature of the mouth: correlation is the mean over "
        "single takes, "
        "`mean of takes` that of their mean. The control correlates the takes with the capture of another recording."
    )


def _jaw_table(recordings: dict[str, dict]) -> list[str]:
    header = ["left out", "one take", "mean of takes", "control", "amplitude"]
    header += ["capture's probe", "prior's probe", "loudness"]
    probes = ("capture_probe", "prior_probe", "loudness")
    rows = []
    for key, row in recordings.items():
        values = [*(row["channels"]["jawOpen"][name] for name in AGREEMENT), *(row[name] for name in probes)]
        rows.append([Path(key).name, *(f"{value:.2f}" for value in values)])
    return table(header, rows)


def _channel_table(recordings: dict[str, dict]) -> list[str]:
    found: dict[str, list[dict]] = {}
    for row in recordings.values():
        for name, figures in row["channels"].items():
            found.setdefault(name, []).append(figures)
    rows = (
        [name, str(len(figures)), *(f"{np.median([entry[key] for entry in figures]):.2f}" for key in AGREEMENT)]
        for name, figures in found.items()
    )
    return table(["channel", "recordings", "one take", "mean of takes", "control", "amplitude"], rows)


PROBES = (
    "The probes are ridge regressions on the frozen speech features of five frames around each: that of the capture "
    "learned from the other five recordings, so it says what the features contain of this face; that of the prior "
    "learned what the articulation prior's neutral speaker does on labelled speech, so it says how the prior agrees "
    "with the capture as far as the encoder recognises the phones. The capture has no phone labels, which the prior "
    "itself would need. Loudness is the correlation of jawOpen with the recording's level in dB."
)
CHANNELS = (
    "Median over the recordings in which the channel moves (standard deviation over 0.01). Amplitude is the standard "
    "deviation of a take over the capture's. Left and right are equal in the capture; `mouthClose` is not captured but "
    "made from the other weights, so that lips that touch are sealed."
)
