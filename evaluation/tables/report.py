"""The tables as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.shared.reports import paragraph, table
from evaluation.tables import inception, syncnet
from evaluation.tables.intervals import Estimate

# Columns as the paper has them, with the digits that a value is written with.
TABLES = {
    "Table 1: against other methods": ("LSE-D", "LSE-C", "FID", "KID"),
    "Tables 2 and 4: ablations": ("LSE-D", "Diversity", "Diversity, whole clip", "FID", "KID"),
    "Table 3: smoothness of codes": ("MAE", "RMSE", "LSE-D"),
}
DIGITS = {"LSE-D": 3, "LSE-C": 3, "FID": 2, "KID": 4, "MAE": 5, "RMSE": 5}
SUBSTITUTES = (
    "Figures of other kinds need none of these files: lip-opening timing, closures and blinks on labelled recordings "
    "(python -m evaluation.motion), errors of fitted surfaces against the truth of synthetic captures "
    "(docs/research.md). They are no LSE-D, FID or KID."
)


def report_text(figures: dict) -> str:
    """Markdown of figures as JSON holds them."""
    lines = ["# Tables of the paper", ""]
    lines += paragraph(
        f"{figures['clips']} clips; {figures['takes']} takes of each for the diversity. Values are means over clips, "
        "with 95 % intervals from clips drawn again; FID's is from their deviation, KID's from its random subsets."
    )
    for title, columns in TABLES.items():
        rows = [_row(method, columns) for method in figures["methods"]]
        lines += ["", f"## {title}", "", *table(["method", "n", *columns], [row for row in rows if any(row[2:])])]
    lines += ["", *notes(figures["syncnet"], figures["inception"], figures["reference"])]
    return "\n".join(lines) + "\n"


def notes(with_syncnet: bool, with_inception: bool, reference: str | None) -> list[str]:
    """What is missing and how to have it."""
    said = [] if with_syncnet else paragraph(syncnet.WHERE)
    said += [] if with_inception else paragraph(inception.WHERE)
    if with_inception and reference is None:
        said += paragraph("FID and KID compare with a method that counts as real: name it with --reference.")
    return said + ([] if with_syncnet and with_inception else paragraph(SUBSTITUTES))


def plot_autocorrelation(path: Path, curves: dict[str, Sequence[float]]) -> None:
    """Fig. 9: autocorrelation by lag of each method's codes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot(np.arange(len(curve)), curve, marker="o", label=name)
    axes.set(xlabel="lag in code frames", ylabel="autocorrelation of codes")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def _row(method: dict, columns: Sequence[str]) -> list[str]:
    estimates = {name: _estimate(value) for name, value in method["estimates"].items() if name in columns}
    count = max((estimate.n for estimate in estimates.values()), default=0)
    cells = [estimates[name].text(DIGITS.get(name, 4)) if name in estimates else "" for name in columns]
    return [method["name"], str(count), *cells]


def _estimate(value: dict) -> Estimate:
    interval = value["interval"]
    return Estimate(value["value"], tuple(interval) if interval else None, value["n"])
