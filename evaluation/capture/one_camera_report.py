"""The report on one camera, from its figures."""

from __future__ import annotations

import numpy as np

from evaluation.shared.reports import paragraph, table


def report_text(figures: dict) -> str:
    """The report as Markdown."""
    heads, film = figures["heads"], figures["film"]
    lines = ["# One camera", ""]
    lines += paragraph(
        "What [MediaPipe's face landmarker](../research.md#one-camera) sees, and what the fit makes of it. "
        "Made by `python -m evaluation.capture.one_camera --data DATA --output docs/evaluation`."
    )
    lines += ["", "## Rendered heads", ""]
    lines += paragraph(
        f"{len(heads)} heads of ICT-FaceKit, {figures['frames']} pictures of 288 × 360 pixels: the "
        "starter's takes of the demo's sentence with joy, surprise and anger that come and go and some more blinks, on "
        "a head that moves as a seated speaker's. Correlation with the truth, mean (lowest) of the heads."
    )
    rows = [
        [channel, *(_spread([head[name].get(channel) for head in heads]) for name in ("scores", "fit"))]
        for channel in heads[0]["fit"]
    ]
    lines += ["", *table(["", "the tracker's scores as weights", "the fit"], rows), ""]
    errors = {name: float(np.mean([head["errors"][name] for head in heads])) for name in heads[0]["errors"]}
    lines += paragraph(
        f"Mean error of the lip opening: {errors['opening of scores']:.2f} mm by the scores, "
        f"{errors['opening of fit']:.2f} mm by the fit, whose points lie {errors['points']:.2f} mm from the tracked "
        f"ones (median). Pitch, yaw and roll are off by {errors['pitch']:.1f}, {errors['yaw']:.1f} and "
        f"{errors['roll']:.1f} degrees (root mean square)."
    )
    lines += ["", "## A filmed speaker", ""]
    any_film = film["fit"]
    lines += paragraph(
        f"{any_film['sentences']} sentences of GRID's speaker s1 (360 × 288 pixels, 25 Hz), whose points were tracked "
        f"in MediaPipe's video mode, which smooths them. Lips of the surface during {any_film['bilabials']} /p b m/ "
        f"and {any_film['consonants']} consonants that need no contact; closed: 1 mm or less. The starter has heard "
        "this speaker."
    )
    keys = (
        ("nearest lips at /p b m/, median, mm", "median", "{:.2f}"), ("90 %", "p90", "{:.2f}"),
        ("/p b m/ closed", "closed", "{:.0%}"), ("other consonants closed", "needless", "{:.0%}"),
        ("pucker and funnel on /w/, median", "rounding", "{:.2f}"), ("change of a weight a frame", "change", "{:.4f}"),
    )  # fmt: skip
    rows = [[text, *(form.format(each[key]) for each in film.values())] for text, key, form in keys]
    lines += ["", *table(["", *film], rows)]
    return "\n".join(lines) + "\n"


def _spread(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f} ({min(known):.2f})" if known else ""
