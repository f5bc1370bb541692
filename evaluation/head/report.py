"""The report of the head's evaluation: its figures as Markdown."""

from __future__ import annotations

from engine.head.surface.extract import SMALL_PIECE_CUBIC_MILLIMETRES
from evaluation.head.poses import POSES, SHOWN_POSES
from evaluation.head.results import SEALED, VISIBLE_GAP
from evaluation.head.surface_groups import GROUPS
from evaluation.shared.reports import paragraph, table

MEAN_GOALS = {"face": 0.12, "lips": 0.18, "eyelids": 0.22, "ears": 0.22}  # mm
NORMAL_GOALS = {"face": 0.975, "lips": 0.93}
LIP_MEASURES = {"engine": "between the lips", "field": "between the solids"}  # by record and title
BRIGHTEST = 1.0  # mm; the error maps show no difference beyond


def report_text(summary: dict) -> str:
    """The report as Markdown, which shows head_errors.png."""
    lines = ["# The starter's head against ICT-FaceKit", "", *_surface_section(summary)]
    lines += ["## Lips, lids and mouth", "", *_opening_section(summary)]
    lines += ["## Fixed topology", "", *paragraph(_template_text(summary["template"])), ""]
    lines += [*_template_table(summary["template"]), ""]
    lines += ["## Where the error is", "", *_place_section(summary)]
    return "\n".join(lines)


def _surface_section(summary: dict) -> list[str]:
    return [
        *paragraph(
            f"{summary['identities']} heads in {summary['poses']} of {POSES} expressions each, none of them used "
            "in training. Distances in mm from points spread evenly over the true visible surface to the nearest "
            "place where the posed field is zero, found along the field's gradient; normals: mean cosine between true "
            "normal and gradient. Written by `make evaluate`."
        ),
        "",
        *_surface_table(summary["surface"]),
        "",
        *paragraph(
            f"{100 * summary['astray']:.2f} % of the points found no zero level of their own. The canonical rows have "
            "the identity network alone, in the pose in which it is trained; the rest of the other rows comes "
            "from the expression network."
        ),
        "",
        *paragraph(_extracted_text(summary["extracted"], summary["resolution"])),
        "",
        *paragraph(_floating_text(summary["floating"])),
        "",
    ]


def _opening_section(summary: dict) -> list[str]:
    lips = summary["lips"]
    lines = [*_lip_table(lips), ""]
    for text in (_lip_text(lips), _lid_text(summary["lids"]), _mouth_text(summary["mouth"])):
        lines += [*paragraph(text), ""]
    return lines


def _place_section(summary: dict) -> list[str]:
    return [
        *_pose_table(summary["by_pose"]),
        "",
        *paragraph(_head_text(summary["by_head"])),
        "",
        "![Distance of the extracted surface from the true one](head_errors.png)",
        "",
        *paragraph(f"First head: {', '.join(SHOWN_POSES)}. Dark 0, bright {BRIGHTEST:g} mm and more."),
        "",
    ]


def _surface_table(surface: dict) -> list[str]:
    def row(title: str, kind: str, key: str, digits: int) -> list[str]:
        return [title, *(f"{surface[kind][name][key]:.{digits}f}" for name in GROUPS)]

    def goals(values: dict[str, float]) -> list[str]:
        return ["goal", *(f"{values[name]:g}" if name in values else "" for name in GROUPS)]

    rows = [
        row("mean", "posed", "mean", 3),
        goals(MEAN_GOALS),
        row("95th percentile", "posed", "p95", 2),
        row("normals", "posed", "normals", 3),
        goals(NORMAL_GOALS),
        row("canonical pose: mean", "canonical", "mean", 3),
        row("canonical pose: 95th percentile", "canonical", "p95", 2),
        row("canonical pose: normals", "canonical", "normals", 3),
    ]
    return table(["", *GROUPS], rows)


def _extracted_text(extracted: dict, resolution: int) -> str:
    parts = (
        f"{name} {values['mean']:.2f} (95th percentile {values['p95']:.2f})"
        for name, values in extracted.items()
        if values
    )
    return (
        f"The mesh of Frame Meshes at {resolution} points a side, from its vertices to the true surface: "
        + ", ".join(parts)
        + "."
    )


def _floating_text(floating: dict) -> str:
    if not floating["pieces"]:
        return f"No solid piece floats beside the head in any of {floating['surfaces']} such meshes."
    return (
        f"The field holds {floating['pieces']} solid pieces beside the head, in {floating['with_pieces']} of "
        f"{floating['surfaces']} such meshes; the largest has {floating['largest']:.1f} mm³. Those under "
        f"{SMALL_PIECE_CUBIC_MILLIMETRES} mm³, and those that the box cuts, below the neck's end, are left out of what "
        "Blender gets."
    )


def _lip_table(lips: dict) -> list[str]:
    header = ["lip opening over speech poses, error in mm", "mean", "95th percentile", "largest"]
    header += [f"sealed lips open by at most {VISIBLE_GAP} mm", "widest of these"]
    return table(header, ([title, *_lip_cells(lips[name])] for name, title in LIP_MEASURES.items()))


def _lip_cells(values: dict) -> list[str]:
    cells = [f"{values[key]:.2f}" for key in ("mean", "p95", "largest")]
    if not values["sealed_poses"]:
        return [*cells, "-", "-"]
    return [*cells, f"{100 * values['sealed_share']:.0f} %", f"{values['sealed_largest']:.2f}"]


def _lip_text(lips: dict) -> str:
    counts = " and ".join(
        f"{lips[name]['sealed_poses']} of {lips[name]['poses']} poses {title}" for name, title in LIP_MEASURES.items()
    )
    return (
        f"Sealed are {counts}: those with a true opening of at most {SEALED} mm. Between the lips: "
        "the engine's measure, by roots of the field, against the lips of the true mesh. Between the solids: "
        "sections of the field and of the true solid; a tooth that touches a lip counts as lip there, so a gap of "
        "a tenth of a millimetre changes the opening by several."
    )


def _lid_text(lids: dict) -> str:
    text = (
        f"Height over which an eyeball is seen between its lids, error in mm: mean {lids['mean']:.2f}, "
        f"95th percentile {lids['p95']:.2f}, largest {lids['largest']:.2f}."
    )
    if "blink_true" in lids:
        text += f" A full blink leaves {lids['blink_field']:.1f} mm, ICT-FaceKit's own {lids['blink_true']:.1f} mm."
    return text


def _mouth_text(mouth: dict) -> str:
    if not mouth["poses"]:
        return "The mouth is open in none of the poses."
    share = {name: f"{100 * value:.2f} %" for name, value in mouth.items() if name != "poses"}
    return (
        f"Inside the open mouth ({mouth['poses']} poses), further than 0.5 mm from the true surface: "
        f"{share['solid_in_air_mean']} of the air is solid (most {share['solid_in_air_largest']}), "
        f"{share['air_in_solid_mean']} of the solid is air (most {share['air_in_solid_largest']})."
    )


def _head_text(by_head: list[dict]) -> str:
    means = (", ".join(f"{values[name]:.2f}" for name in ("face", "lips", "eyelids")) for values in by_head)
    return "Mean distance of each head over its poses (face, lips, eyelids): " + "; ".join(means) + "."


def _template_text(template: dict) -> str:
    return (
        f"{template['vertices']:,} vertices, {template['polygons']:,} polygons, "
        f"{100 * template['quads']:.1f} % quads; {template['milliseconds']:.2f} ms a frame. "
        f"Measured in {template['poses']} poses; {template['lip_triangles']:,} triangles around the lips."
    )


def _template_table(template: dict) -> list[str]:
    header = ["", "to the zero level: mean (face, lips)", "to the true vertices, face: mean"]
    header += ["lips in speech: mean, 95th percentile", "flipped around the lips (most in a pose)", "torn"]
    ways = {"table": "Shape Keys", "roots": "root finding"}
    return table(header, ([title, *_template_cells(template[way])] for way, title in ways.items()))


def _template_cells(values: dict) -> list[str]:
    everywhere, face, lips = (values[f"field_{name}"]["mean"] for name in ("all", "face", "lips"))
    speech = values["truth_lips_speech"]
    return [
        f"{everywhere:.3f} ({face:.3f}, {lips:.3f})",
        f"{values['truth_face']['mean']:.3f}",
        f"{speech['mean']:.3f}, {speech['p95']:.2f}",
        *(f"{values[kind]['all']} ({values[kind]['most']})" for kind in ("flipped", "torn")),
    ]


def _pose_table(by_pose: dict) -> list[str]:
    columns = (*GROUPS, "true_opening", "engine_opening", "true_solid_opening", "field_opening")
    titles = (*GROUPS, "between lips: true", "found", "between solids: true", "found")
    cells = {
        pose: [f"{values[name]:.2f}" if name in values else "-" for name in columns] for pose, values in by_pose.items()
    }
    return table(["pose", *titles], ([pose, *own] for pose, own in cells.items()))
