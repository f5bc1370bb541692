"""The figures of the head's evaluation, from what was measured of each head, and their tables in Markdown."""

from __future__ import annotations

import json

import numpy as np

from engine.head.surface.extract import CRUMB_CUBIC_MILLIMETRES
from evaluation.head.error_maps import BRIGHTEST, SHOWN_POSES
from evaluation.head.poses import POSES, is_speech
from evaluation.head.surface_groups import GROUPS

MEAN_GOALS = {"face": 0.12, "lips": 0.18, "eyelids": 0.22, "ears": 0.22}  # mm
LIP_MEASURES = {"engine": "between the lips", "field": "between the solids"}  # by record and title
NORMAL_GOALS = {"face": 0.975, "lips": 0.93}
SEALED = 0.2  # mm; truly closed lips, which must not show a gap
VISIBLE_GAP = 0.5  # mm


class Results:
    """What was measured of all heads, joined.

    Args:
        measured: one dictionary for each head: "canonical_distance", "canonical_cosine" and "canonical_astray"
            (1, N), the same of "posed" (P, N), of the Q poses that are meshed "extracted_distance" and
            "extracted_group" (Q, U), "template_table_to_field" and "template_table_to_truth" (Q, S), and the same of
            "roots"; distances in mm, NaN where nothing is to be seen. "records": JSON, one
            object a pose; "template": JSON, the template's counts and time.
        point_group, template_group: (N,) and (S,) str, which of GROUPS each point and template vertex belongs to.
    """

    def __init__(self, measured: list[dict[str, np.ndarray]], point_group: np.ndarray, template_group: np.ndarray):
        self._measured, self.point_group, self.template_group = measured, point_group, template_group
        self.identities = len(measured)
        self.records = [record for head in measured for record in json.loads(str(head["records"]))]
        self.templates = [json.loads(str(head["template"])) for head in measured]

    def array(self, name: str) -> np.ndarray:
        """A measured array of all heads, float64, heads and poses joined to rows."""
        return np.concatenate([head[name] for head in self._measured if name in head]).astype(np.float64)

    def summary(self) -> dict:
        """All figures by name; distances and openings in mm, shares in 0..1, volumes in mm^3."""
        posed, cosine = self.array("posed_distance"), self.array("posed_cosine")
        by_group = {
            "canonical": self._by_group(self.array("canonical_distance"), self.array("canonical_cosine")),
            "posed": self._by_group(posed, cosine),
        }
        return {
            "identities": self.identities,
            "poses": len(self.records) // self.identities,
            "surface": by_group,
            "astray": float(np.nanmean(self.array("posed_astray"))),
            "extracted": self._extracted(),
            "lips": self._lips(),
            "lids": self._lids(),
            "mouth": self._mouth(),
            "floating": self._floating(),
            "template": self._template(),
            "by_pose": self._by_pose(posed),
            "by_head": self._by_head(posed),
        }

    def _by_group(self, distance: np.ndarray, cosine: np.ndarray) -> dict[str, dict[str, float]]:
        return {
            name: _spread(distance[:, self.point_group == name])
            | {"normals": float(np.nanmean(cosine[:, self.point_group == name]))}
            for name in GROUPS
        }

    def _extracted(self) -> dict[str, dict[str, float]]:
        distance, group = self.array("extracted_distance"), self.array("extracted_group")
        return {name: _spread(distance[group == number]) for number, name in enumerate(GROUPS)}

    def _lips(self) -> dict[str, dict[str, float]]:
        """Errors of the lip opening over speech poses, and the openings found where the lips are truly sealed."""
        speech = [record for record in self.records if is_speech(record["pose"])]
        result = {}
        for name, truth in (("engine", "true_opening"), ("field", "true_solid_opening")):
            true = np.array([record[truth] for record in speech])
            found = np.array([record[f"{name}_opening"] for record in speech])
            sealed = found[true <= SEALED]
            result[name] = _spread(np.abs(found - true)) | {"poses": len(speech), "sealed_poses": len(sealed)}
            if len(sealed):
                result[name] |= {
                    "sealed_largest": float(sealed.max()),
                    "sealed_share": float((sealed <= VISIBLE_GAP).mean()),
                }
        return result

    def _lids(self) -> dict[str, float]:
        """Errors of the lids' opening, and of it over closed eyes alone."""
        true, found = (np.array([record[f"{name}_lids"] for record in self.records]) for name in ("true", "field"))
        blink = np.array([record["pose"] == "blink" for record in self.records])
        result = _spread(np.abs(found - true))
        if blink.any():
            result |= {"blink_true": float(true[blink].mean()), "blink_field": float(found[blink].mean())}
        return result

    def _mouth(self) -> dict[str, float]:
        opened = [record for record in self.records if "solid_in_air" in record]
        return {"poses": len(opened)} | {
            f"{name}_{kind}": float(reduce([record[name] for record in opened]))
            for name in ("solid_in_air", "air_in_solid")
            if opened
            for kind, reduce in (("mean", np.mean), ("largest", np.max))
        }

    def _floating(self) -> dict[str, float]:
        pieces = [record["floating"] for record in self.records if "floating" in record]
        return {
            "surfaces": len(pieces),
            "with_pieces": sum(map(bool, pieces)),
            "pieces": sum(map(len, pieces)),
            "largest": max((volumes[0] for volumes in pieces if volumes), default=0.0),
        }

    def _template(self) -> dict:
        """Errors of the fixed topology from the table and by root finding, distances to the truth over speech poses."""
        rows = [record for record in self.records if "table_flipped" in record]
        speech = np.array([is_speech(record["pose"]) for record in rows])
        result = {name: self.templates[0][name] for name in ("vertices", "polygons", "quads", "lip_triangles")}
        times = [head["milliseconds"] for head in self.templates]
        result |= {"poses": len(rows), "milliseconds": float(np.median(times))}
        for way in ("table", "roots"):
            to_field, to_truth = (self.array(f"template_{way}_{name}") for name in ("to_field", "to_truth"))
            result[way] = {
                "field_all": _spread(to_field),
                "truth_lips_speech": _spread(to_truth[speech][:, self.template_group == "lips"]),
            }
            for name in np.unique(self.template_group):
                own = self.template_group == name
                result[way] |= {f"field_{name}": _spread(to_field[:, own]), f"truth_{name}": _spread(to_truth[:, own])}
            for kind in ("flipped", "torn"):
                damaged = [record[f"{way}_{kind}"] for record in rows]
                result[way][kind] = {"all": sum(damaged), "most": max(damaged)}
        return result

    def _by_pose(self, distance: np.ndarray) -> dict[str, dict[str, float]]:
        """Means over heads for each named pose, and over the random ones of each kind."""
        kinds = [
            record["pose"].rstrip(" 0123456789.")
            if record["pose"].startswith(("speech", "mixture"))
            else record["pose"]
            for record in self.records
        ]
        result = {}
        for kind in dict.fromkeys(kinds):
            rows = [number for number, other in enumerate(kinds) if other == kind]
            records = [self.records[row] for row in rows]
            result[kind] = {
                name: float(np.nanmean(distance[rows][:, self.point_group == name]))
                for name in GROUPS
                if np.isfinite(distance[rows][:, self.point_group == name]).any()
            }
            result[kind] |= {
                name: float(np.mean([record[name] for record in records]))
                for name in ("true_opening", "engine_opening", "true_solid_opening", "field_opening")
            }
        return result

    def _by_head(self, distance: np.ndarray) -> list[dict[str, float]]:
        owner = np.array([record["identity"] for record in self.records])
        return [
            {name: float(np.nanmean(distance[owner == head][:, self.point_group == name])) for name in GROUPS}
            for head in np.unique(owner)
        ]


def _spread(values: np.ndarray) -> dict[str, float]:
    """Mean, 95th percentile and largest of an array without its NaN."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return {}
    return {"mean": float(values.mean()), "p95": float(np.percentile(values, 95)), "largest": float(values.max())}


def report_text(summary: dict, resolution: int) -> str:
    """The report as Markdown, which shows head_errors.png."""
    lines = [
        "# The starter's head against ICT-FaceKit",
        "",
        f"{summary['identities']} heads in {summary['poses']} of {POSES} expressions each, none of them drawn by the "
        "training. Distances in mm from points spread evenly over the true visible surface to the nearest place where "
        "the posed field is zero, found along the field's gradient; normals: mean cosine between true normal and "
        "gradient. Written by `make evaluate`.",
        "",
        *_surface_table(summary["surface"]),
        "",
        f"{100 * summary['astray']:.2f} % of the points found no zero level of their own. The canonical rows have the "
        "identity network alone, in the pose in which it is trained; what the other rows have more is the "
        "expression network's.",
        "",
        _extracted_text(summary["extracted"], resolution),
        "",
        _floating_text(summary["floating"]),
        "",
        "## Lips, lids and mouth",
        "",
        *_lip_table(summary["lips"]),
        "",
        _lid_text(summary["lids"]),
        "",
        _mouth_text(summary["mouth"]),
        "",
        "## Fixed topology",
        "",
        *_template_lines(summary["template"]),
        "",
        "## Where the error is",
        "",
        *_pose_table(summary["by_pose"]),
        "",
        _head_text(summary["by_head"]),
        "",
        "![Distance of the extracted surface from the true one](head_errors.png)",
        "",
        f"First head: {', '.join(SHOWN_POSES)}. Dark 0, bright {BRIGHTEST:g} mm and more.",
        "",
    ]
    return "\n".join(lines)


def _surface_table(surface: dict) -> list[str]:
    def row(title: str, kind: str, key: str, digits: int) -> str:
        values = surface[kind]
        return f"| {title} | " + " | ".join(f"{values[name][key]:.{digits}f}" for name in GROUPS) + " |"

    def goals(values: dict[str, float]) -> str:
        return "| goal | " + " | ".join(f"{values[name]:g}" if name in values else "" for name in GROUPS) + " |"

    return [
        "| | " + " | ".join(GROUPS) + " |",
        "|---" * (len(GROUPS) + 1) + "|",
        row("mean", "posed", "mean", 3),
        goals(MEAN_GOALS),
        row("95th percentile", "posed", "p95", 2),
        row("normals", "posed", "normals", 3),
        goals(NORMAL_GOALS),
        row("canonical pose: mean", "canonical", "mean", 3),
        row("canonical pose: 95th percentile", "canonical", "p95", 2),
        row("canonical pose: normals", "canonical", "normals", 3),
    ]


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
        f"{CRUMB_CUBIC_MILLIMETRES} mm³, and those that the box cuts, below the neck's end, are left out of what "
        "Blender gets."
    )


def _lip_table(lips: dict) -> list[str]:
    lines = [
        "| lip opening over speech poses, error in mm | mean | 95th percentile | largest | "
        f"sealed lips open by at most {VISIBLE_GAP} mm | widest of these |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in LIP_MEASURES.items():
        values, sealed = lips[name], "- | -"
        if values["sealed_poses"]:
            sealed = f"{100 * values['sealed_share']:.0f} % | {values['sealed_largest']:.2f}"
        lines.append(f"| {title} | {values['mean']:.2f} | {values['p95']:.2f} | {values['largest']:.2f} | {sealed} |")
    counts = " and ".join(
        f"{lips[name]['sealed_poses']} of {lips[name]['poses']} poses {title}" for name, title in LIP_MEASURES.items()
    )
    return [
        *lines,
        "",
        f"Sealed are {counts}: those with a true opening of at most {SEALED} mm. Between the lips: "
        "the engine's measure, by roots of the field, against the lips of the true mesh. Between the solids: "
        "sections of the field and of the true solid; a tooth that touches a lip counts as lip there, so a gap of "
        "a tenth of a millimetre changes the opening by several.",
    ]


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


def _template_lines(template: dict) -> list[str]:
    lines = [
        f"{template['vertices']:,} vertices, {template['polygons']:,} polygons, "
        f"{100 * template['quads']:.1f} % quads; {template['milliseconds']:.2f} ms a frame. "
        f"Measured in {template['poses']} poses; {template['lip_triangles']:,} triangles around the lips.",
        "",
        "| | to the zero level: mean (face, lips) | to the true vertices, face: mean | lips in speech: mean, 95th "
        "percentile | flipped around the lips (most in a pose) | torn |",
        "|---|---|---|---|---|---|",
    ]
    for way, title in (("table", "Shape Keys"), ("roots", "root finding")):
        values = template[way]
        lips = values["truth_lips_speech"]
        lines.append(
            f"| {title} | {values['field_all']['mean']:.3f} ({values['field_face']['mean']:.3f}, "
            f"{values['field_lips']['mean']:.3f}) | {values['truth_face']['mean']:.3f} | {lips['mean']:.3f}, "
            f"{lips['p95']:.2f} | {values['flipped']['all']} ({values['flipped']['most']}) | "
            f"{values['torn']['all']} ({values['torn']['most']}) |"
        )
    return lines


def _pose_table(by_pose: dict) -> list[str]:
    columns = (*GROUPS, "true_opening", "engine_opening", "true_solid_opening", "field_opening")
    titles = (*GROUPS, "between lips: true", "found", "between solids: true", "found")
    lines = ["| pose | " + " | ".join(titles) + " |", "|---" * (len(columns) + 1) + "|"]
    for pose, values in by_pose.items():
        cells = [f"{values[name]:.2f}" if name in values else "-" for name in columns]
        lines.append(f"| {pose} | " + " | ".join(cells) + " |")
    return lines
