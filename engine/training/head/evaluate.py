"""How far the starter's head is from ICT-FaceKit on heads and expressions that it was not trained on."""

from __future__ import annotations

import json
from pathlib import Path

import igl
import numpy as np
from matplotlib import colormaps
from matplotlib.image import imsave
from scipy.ndimage import distance_transform_edt, label, zoom

from ...bundle import Bundle
from ...codes import codes_from_weights
from ...head.head import NeuralHead
from ...head.loading import load_head
from ...head.surface import Surface, extract_surface
from .ground_truth import NECK_PLANE, HeadSolid, HeadTopology
from .ict import UNITS_PER_MILLIMETRE, FaceKit, named_weights, random_coefficients
from .labels import REGION_NAMES, vertex_regions
from .poses import NAMED_POSES, random_weights
from .render import shade
from .sampling import SurfaceSampler

EVALUATION_SEED = 77001  # training draws its heads and poses from other seeds
GROUPS = ("face", "lips", "eyes", "ears", "mouth")
POINTS = 15000
SECTION_STEP = 0.4 * UNITS_PER_MILLIMETRE
SECTION_REFINEMENT = 4  # the section is interpolated to 0.1 mm
ERROR_MAP_RANGE = 1.0  # mm
ERROR_MAP_POSES = ("neutral", "jawOpen 1", "mouthPucker", "mouthSmile", "bilabial", "blink")


class Groups:
    """Which part of the head a drawn surface point belongs to."""

    def __init__(self, sampler: SurfaceSampler):
        kit = sampler.topology.face_kit
        mean = kit.canonical(kit.neutral)[sampler.triangles].mean(1)
        region = np.array(REGION_NAMES)[vertex_regions(kit)[sampler.triangles].mean(1).argmax(1)]
        name = np.full(len(mean), "", dtype="<U8")
        name[np.isin(region, ("skin", "brows")) & (mean[:, 2] > 0.0) & (mean[:, 1] > -0.42)] = "face"
        name[(np.abs(mean[:, 0]) > 0.30) & (mean[:, 1] > -0.15) & (mean[:, 2] < -0.12)] = "ears"
        name[region == "lips"] = "lips"
        name[np.isin(region, ("sclera", "iris", "pupil"))] = "eyes"
        name[np.isin(region, ("teeth", "gums", "tongue", "mouth_cavity"))] = "mouth"
        self.of_row = name


def evaluate_head(face_kit: FaceKit, bundle: str | Path, output: Path, identities: int = 2, random_poses: int = 3,
                  resolution: int = 128) -> dict:
    """Write head.md, head.json and head_errors.png to `output`; returns what head.json holds."""
    topology = HeadTopology(face_kit)
    sampler, head = SurfaceSampler(topology), load_head(Bundle.open(bundle))
    groups, records, pictures = Groups(sampler), [], []
    for number in range(identities):
        random = np.random.default_rng([EVALUATION_SEED, number])
        coefficients = random_coefficients(random)
        neutral = face_kit.head(coefficients)
        throat = HeadSolid(topology, face_kit.canonical(neutral)).throat
        identity = head.identity_basis.cpu().numpy() @ coefficients
        poses = {name: named_weights(values) for name, values in NAMED_POSES.items()}
        poses |= {f"random {1 + index}": random_weights(random) for index in range(random_poses)}
        for name, weights in poses.items():
            code = codes_from_weights(weights, head.expression_basis.cpu().numpy())
            truth = HeadSolid(topology, face_kit.posed(neutral, weights), throat)
            surface = extract_surface(head, identity, code, resolution)
            record = {"identity": number, "pose": name} | _surface_errors(sampler, groups, truth, surface, random)
            records.append(record | _opening_errors(head, truth, identity, code))
            if number == 0 and name in ERROR_MAP_POSES:
                pictures.append(_error_picture(truth, surface))
    report = {"resolution": resolution, "identities": identities, "summary": _summary(records), "records": records}
    output.mkdir(parents=True, exist_ok=True)
    (output / "head.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (output / "head.md").write_text(_table(report), "utf-8")
    imsave(output / "head_errors.png", np.concatenate(pictures, 1))
    return report


def _surface_errors(sampler: SurfaceSampler, groups: Groups, truth: HeadSolid, surface: Surface,
                    random: np.random.Generator) -> dict[str, dict[str, float]]:
    """Distances in mm from the true visible surface to the extracted one, and how well normals agree, per group."""
    rows, barycentric = sampler.draw(random, POINTS)
    points, normals = sampler.place(truth, rows, barycentric)
    visible = ~truth.inside(points + 0.5 * UNITS_PER_MILLIMETRE * normals) & (points[:, 1] > NECK_PLANE + 0.02)
    points, normals, rows = points[visible], normals[visible], rows[visible]
    vertices, faces = surface.vertices.astype(np.float64), surface.faces.astype(np.int64)
    squared, nearest, _ = igl.point_mesh_squared_distance(points, vertices, faces)
    distance = np.sqrt(squared) / UNITS_PER_MILLIMETRE
    corners = vertices[faces[nearest]]
    found = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    agreement = (found * normals).sum(1) / np.maximum(np.linalg.norm(found, axis=1), 1e-20)
    name = groups.of_row[rows]
    result = {}
    for group in GROUPS:
        chosen = name == group
        if chosen.any():
            result[group] = {"mean": float(distance[chosen].mean()), "p95": float(np.percentile(distance[chosen], 95)),
                             "normals": float(agreement[chosen].mean())}
    back = truth.distance(surface.vertices) / UNITS_PER_MILLIMETRE
    front = (surface.canonical[:, 2] > 0.19) & (surface.canonical[:, 1] > -0.42)  # no planes of the solid out there
    result["extracted"] = {"mean": float(back[front].mean()), "p95": float(np.percentile(back[front], 95))}
    return result


def _opening_errors(head: NeuralHead, truth: HeadSolid, identity: np.ndarray, code: np.ndarray) -> dict[str, float]:
    """Mid-sagittal lip opening in mm: of the true solid, of the neural field, and as the engine measures it."""
    landmarks = truth.vertices[truth.topology.face_kit.landmarks]
    low, high = landmarks[57, 1], landmarks[51, 1]
    back, front = landmarks[[62, 66], 2].min() - 0.01, landmarks[[51, 57], 2].max() + 0.01
    y, z = np.arange(low, high, SECTION_STEP), np.arange(back, front, SECTION_STEP)
    grid = np.stack(np.meshgrid([0.0], y, z, indexing="ij"), -1).reshape(-1, 3)
    seeds = (landmarks[[62, 66]][:, 1:] - (low, back)) / SECTION_STEP  # (2, 2) grid places of the inner lips
    shape = (len(y), len(z))
    opening = {"true_opening": _opening(truth.signed_distance(grid).reshape(shape), seeds),
               "field_opening": _opening(head.signed_distance(grid, identity, code).reshape(shape), seeds)}
    engine = head.lip_opening(code[None], identity)
    if engine is not None:
        opening["engine_opening"] = float(engine[0])
    return opening


def _opening(distance: np.ndarray, seeds: np.ndarray) -> float:
    """Smallest distance in mm between the two lips in a section (Y, Z) of signed distances; 0 where they are joined.

    seeds: (2, 2) grid places on the upper and on the lower lip. A lip is the connected solid nearest to its seed.
    """
    solid = zoom(distance, SECTION_REFINEMENT, order=1, grid_mode=False) <= 0
    step = (np.array(solid.shape) - 1) / (np.array(distance.shape) - 1)
    parts, _ = label(solid)
    places = np.argwhere(solid)
    upper, lower = (parts[tuple(places[np.linalg.norm(places - seed * step, axis=1).argmin()])] for seed in seeds)
    if upper == lower:
        return 0.0
    from_lower = distance_transform_edt(parts != lower)
    return float(from_lower[parts == upper].min() - 1) * SECTION_STEP / step[0] / UNITS_PER_MILLIMETRE


def _error_picture(truth: HeadSolid, surface: Surface) -> np.ndarray:
    """Front and oblique view of an extracted surface, coloured by its distance from the true one."""
    distance = truth.distance(surface.vertices) / UNITS_PER_MILLIMETRE
    colours = colormaps["viridis"](np.clip(distance / ERROR_MAP_RANGE, 0, 1))[:, :3]
    return np.concatenate([shade(surface.vertices, surface.faces, colours, towards, pixels=300) for towards in
                           ((0, 0, 1), (0.7, 0, 0.7))], 0)


def _summary(records: list[dict]) -> dict:
    """Means over all poses and heads, and the mean absolute errors of the lip opening."""
    summary = {group: {key: float(np.mean([record[group][key] for record in records if group in record]))
                       for key in records[0]["face"]} for group in GROUPS}
    for name in ("field_opening", "engine_opening"):
        errors = [abs(record[name] - record["true_opening"]) for record in records if name in record]
        if errors:
            summary[f"{name}_error"] = {"mean": float(np.mean(errors)), "largest": float(np.max(errors))}
    return summary


def _table(report: dict) -> str:
    """The report as Markdown."""
    lines = ["# The starter's head against ICT-FaceKit", "",
             f"{report['identities']} heads and {len(report['records']) // report['identities']} poses of each that "
             f"training did not draw; surfaces extracted at {report['resolution']} points a side. Distances in mm from "
             "the true visible surface to the extracted one (mean, 95th percentile over points); normals: mean cosine. "
             "Written by `make evaluate`.", "",
             "| | " + " | ".join(GROUPS) + " |", "|---" * (len(GROUPS) + 1) + "|"]
    summary = report["summary"]
    for key, title, digits in (("mean", "mean", 2), ("p95", "95th percentile", 2), ("normals", "normals", 3)):
        lines.append(f"| {title} | " + " | ".join(f"{summary[group][key]:.{digits}f}" for group in GROUPS) + " |")
    lines += ["", "Lip opening in the mid-sagittal plane, mean absolute error in mm: " + ", ".join(
        f"{title} {summary[key]['mean']:.2f} (largest {summary[key]['largest']:.2f})" for key, title in
        (("field_opening_error", "neural field"), ("engine_opening_error", "the engine's measure"))
        if key in summary) + ".", "",
        "| head | pose | face | lips | eyes | true opening | field | engine |", "|---|---|---|---|---|---|---|---|"]
    for record in report["records"]:
        openings = [f"{record[name]:.1f}" if name in record else "-" for name in
                    ("true_opening", "field_opening", "engine_opening")]
        distances = [f"{record[group]['mean']:.2f}" if group in record else "-" for group in ("face", "lips", "eyes")]
        lines.append(f"| {record['identity'] + 1} | {record['pose']} | " + " | ".join(distances + openings) + " |")
    lines += ["", f"![Distance from the true surface, 0 to {ERROR_MAP_RANGE:.0f} mm](head_errors.png)", "",
              "Colours of the picture: dark 0, bright 1 mm and more, on the first head: "
              + ", ".join(ERROR_MAP_POSES) + ".", ""]
    return "\n".join(lines)
