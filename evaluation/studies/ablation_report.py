"""The ablations' report: a table for each test set, one for the smoothing mask, and a plot."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from evaluation.shared.reports import item, paragraph, table

COLUMNS = {
    "bilabial_closure": ("/p b m/ closed", "{:.1%}"),
    "labiodental_contact": ("/f v/ in contact", "{:.1%}"),
    "false_closure": ("open vowels closed", "{:.1%}"),
    "lag_median_frames": ("lag, frames", "{:.0f}"),
    "correlation": ("correlation", "{:.2f}"),
    "correlation_shuffled": ("control", "{:.2f}"),
    "opening_p95_mm": ("opening p95, mm", "{:.1f}"),
    "mouth_jitter_mm": ("second difference, mm", "{:.2f}"),
    "code_step": ("MAE", "{:.4f}"),
    "code_step_rms": ("RMSE", "{:.4f}"),
    "diversity": ("diversity", "{:.3f}"),
}
PLOTTED = ("correlation", "bilabial_closure", "mouth_jitter_mm", "diversity")
SMOOTHING_COLUMNS = {
    "mask": "mask, mean", "masked_rms_mm": "with mask, mm", "unmasked_rms_mm": "mask off, mm",
    "meshes_rms_mm": "meshes, mm", "masked_step_mm": "step with mask, mm", "unmasked_step_mm": "step, mask off, mm",
    "meshes_step_mm": "step of the meshes, mm",
}  # fmt: skip


def report_text(report: dict) -> str:
    """The report as Markdown, which shows ablations.png."""
    lines = ["# Ablations", "", *paragraph(_runs_text(report)), "", *paragraph(_columns_text(report))]
    for test in report["prior"]:
        lines += ["", f"## {test}", "", *_table(report, test)]
    lines += ["", "![Variants compared](ablations.png)", "", "## Reading the rows", ""]
    lines += [line for text in READING for line in item(text)]
    lines += ["", "## Smoothing", "", *paragraph(SMOOTHING), ""]
    lines += _smoothing_table(report["variants"]["full"]["smoothing"])
    return "\n".join(lines) + "\n"


def _runs_text(report: dict) -> str:
    return (
        "The rows of the paper's Tables 2 and 4 at the starter's scale: decoders of the starter's size, trained by "
        "`python -m evaluation.studies.ablations` "
        f"on the frozen speech encoder of the bundle `{report['bundle']}`, equal but for what the row says. "
        f"{report['steps']} steps of {report['batch']} crops of {report['crop']} frames (seed {report['seed']}, "
        f"{report['scenes']} scenes of 12 s) are a small part of the starter's training, "
        "so the figures compare variants and do not measure the starter; one run each, so small differences mean "
        f"nothing. Sampled with {report['sampling_steps']} steps of DPM-Solver++ at guidance {report['guidance']:g}."
    )


def _columns_text(report: dict) -> str:
    takes = next(iter(report["prior"].values()))["diversity"]["takes"]
    return (
        "Columns as in [motion.md](motion.md). MAE and RMSE are the jitter of Table 3, on codes. Diversity is Eq. 20 "
        f"with norms of single frames, over {takes} takes of every recording of a part of the test set; it grows with "
        "the number of takes. The row `prior` is a random performance of the articulation prior, which all were taught."
    )


READING = (
    "Augmentation: the starter's r is U(0.9, 1.15), and each epoch performs the phones of a recording in a new way. "
    "Without augmentation r is 1 and a recording has one performance. Styles still differ between recordings of one "
    "speaker.",
    "Without FiLM: in the paper this row of Table 2 and the row `Input` of Table 4 hold the same figures, so it is "
    "one variant here.",
    "Without diffusion the same decoder gets zeros for the noisy codes and is called once; it has no noise to differ "
    "by.",
    "Scale-shift, squeeze-and-excitation and dot-product attention are sketched in the paper and settled in "
    "`engine/motion/timestep_injection.py`. Dot-product attention with the time step as its only key would let nothing "
    "of codes and audio through, since a softmax over one key is 1; here a frame is a key of its own, too.",
)
SMOOTHING = (
    "Smoothing (Eq. 11 to 15) is geometry behind the codes, so no figure above can show it. Measured on the mean head "
    "for four seconds of the full variant's motion: root mean square deformation of skin regions against rest, and its "
    "mean change from frame to frame (step), with the mask, with the mask off, and of ICT-FaceKit's meshes, which the "
    "head was taught. The expression network was trained with the mask in place; with the mask off one sees its raw "
    "output, not a network that was trained without."
)


def _rows(report: dict, test: str) -> dict[str, dict]:
    rows = {variant["title"]: variant[test] for variant in report["variants"].values()}
    return rows | {"prior": report["prior"][test]}


def _value(row: dict, key: str) -> float:
    return row["diversity"]["per_frame"] if key == "diversity" else row[key]


def _table(report: dict, test: str) -> list[str]:
    header = ["variant", *(title for title, _ in COLUMNS.values())]
    cells = {
        title: [form.format(_value(row, key)) for key, (_, form) in COLUMNS.items()]
        for title, row in _rows(report, test).items()
    }
    return table(header, ([title, *own] for title, own in cells.items()))


def _smoothing_table(regions: dict[str, dict]) -> list[str]:
    rows = ([name, *(f"{row[key]:.2f}" for key in SMOOTHING_COLUMNS)] for name, row in regions.items())
    return table(["skin", *SMOOTHING_COLUMNS.values()], rows)


def plot(path: Path, report: dict) -> None:
    """Bars of the PLOTTED figures for every variant and test set; the prior's are lines."""
    names = [variant["title"] for variant in report["variants"].values()]
    figure, axes = pyplot.subplots(1, len(PLOTTED), figsize=(14, 4.2), sharey=True, layout="constrained")
    height = 0.8 / len(report["prior"])
    for axis, key in zip(axes, PLOTTED, strict=True):
        for number, test in enumerate(report["prior"]):
            rows = _rows(report, test)
            places = [place + height * number for place in range(len(names))]
            bars = axis.barh(places, [_value(rows[name], key) for name in names], height, label=test)
            axis.axvline(_value(rows["prior"], key), color=bars[0].get_facecolor(), linestyle=":", linewidth=1.2)
        axis.set_title(COLUMNS[key][0])
    axes[0].set_yticks([place + 0.4 - height / 2 for place in range(len(names))], names)
    axes[0].invert_yaxis()
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        fontsize=8,
        title="dotted: prior",
        loc="outside lower center",
        ncols=len(report["prior"]),
    )
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
