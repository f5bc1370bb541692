"""What is measured of one head: a bundle's head against ICT-FaceKit's, in many expressions."""

from __future__ import annotations

import json
from functools import partial

import numpy as np

from engine.head.head import NeuralHead
from engine.head.surface.extract import SurfaceExtractor
from engine.head.topology.correspondence import FixedTopologyHead
from engine.head.topology.lips import lip_opening as engine_lip_opening
from engine.motion.codes import codes_from_weights
from engine.shared.options import RESOLUTION
from engine.shared.units import UNITS_PER_MILLIMETRE
from evaluation.head.fixed_topology import TemplateTruth, counts, milliseconds_per_frame, template_errors
from evaluation.head.meshes import distances_to_truth, floating_pieces
from evaluation.head.openings import (
    Eyeballs,
    LipSheets,
    lid_opening,
    lip_section,
    mouth_points,
    wrong_shares,
)
from evaluation.head.poses import EVALUATION_SEED, POSES, evaluation_poses
from evaluation.head.surface_groups import GROUPS, GroupPoints, group_of_triangles
from evaluation.head.zero_level import Field, nearest_feet
from evaluation.shared.lip_section import lip_opening
from training.head.ground_truth import HeadSolid, HeadTopology
from training.head.ict import FaceKit, random_coefficients
from training.head.sampling import SurfaceSampler

EXTRACTED_VERTICES, MOUTH_POINTS = 3000, 2000
OPEN_MOUTH = 3.0  # mm; teeth are not seen through a smaller opening
MESHES_EVERY = 3  # extracted surfaces and the fixed topology take a third of the poses, other ones on each head


class HeadEvaluation:
    """Measures one head of a bundle at a time."""

    def __init__(self, face_kit: FaceKit, head: NeuralHead):
        self.head, self.face_kit = head, face_kit
        self.topology = HeadTopology(face_kit)
        sampler = SurfaceSampler(self.topology)
        self.points = GroupPoints(sampler, EVALUATION_SEED)
        self.template = TemplateTruth(sampler, head.fixed_topology(), EVALUATION_SEED)
        self._group_of_triangle = np.array([GROUPS.index(name) if name else -1 for name in group_of_triangles(sampler)])
        self._eyeballs, self._lips = Eyeballs(face_kit), LipSheets(face_kit)

    def code(self, weights: np.ndarray) -> np.ndarray:
        """The expression code (E,) of weights (57,)."""
        return codes_from_weights(weights, self.head.arkit_map.basis)

    def identity(self, number: int) -> tuple[np.ndarray, np.ndarray, HeadSolid]:
        """One unseen head: its identity code (L,), neutral vertices (V, 3) and canonical solid."""
        coefficients = random_coefficients(np.random.default_rng([EVALUATION_SEED, number]))
        neutral = self.face_kit.head(coefficients)
        canonical = HeadSolid(self.topology, self.face_kit.canonical(neutral))
        return self.head.modes.code(coefficients), neutral, canonical

    def measure(self, number: int, poses: int = POSES) -> dict[str, np.ndarray]:
        """Everything measured on one head in `poses` expressions: the arrays of `results.Results`."""
        identity, neutral, canonical = self.identity(number)
        arrays: dict[str, list] = {}
        self._add(arrays, "canonical", self._surface_errors(canonical, self.head.pose(identity).canonical_distance))
        extractor = SurfaceExtractor(self.head, identity, RESOLUTION)
        template = FixedTopologyHead(self.head, identity)
        records = []
        for place, (pose, weights) in enumerate(evaluation_poses(number, poses).items()):
            code, random = self.code(weights), np.random.default_rng([EVALUATION_SEED, number, 2, place])
            truth = HeadSolid(self.topology, self.face_kit.posed(neutral, weights), canonical.throat)
            field = self.head.pose(identity, code).signed_distance
            self._add(arrays, "posed", self._surface_errors(truth, field))
            record = {"identity": number, "pose": pose} | self._openings(truth, identity, code)
            if record["true_opening"] > OPEN_MOUTH:
                record |= self._mouth(truth, identity, code, random)
            if (number + place) % MESHES_EVERY == 0:
                surface = extractor.extract(code, keep_small_pieces=True)
                record["floating"] = floating_pieces(surface.vertices, surface.faces)
                self._add(arrays, "extracted", self._extracted_errors(surface.vertices, truth, random))
                record |= self._template_errors(arrays, template, code, truth, field)
            records.append(record)
        about = counts(template) | {
            "lip_triangles": len(self.template.lip_triangles),
            "milliseconds": milliseconds_per_frame(template, code[None]),
        }
        return {name: np.stack(values) for name, values in arrays.items()} | {
            "records": np.array(json.dumps(records)),
            "template": np.array(json.dumps(about)),
        }

    @staticmethod
    def _add(arrays: dict[str, list], prefix: str, values: dict[str, np.ndarray]) -> None:
        for name, array in values.items():
            arrays.setdefault(f"{prefix}_{name}", []).append(array.astype(np.float16))

    def _surface_errors(self, truth: HeadSolid, field: Field) -> dict[str, np.ndarray]:
        """Distances (N,) in mm from the true points to the zero level and cosines of normals; NaN where not seen."""
        true = self.points.on(truth)
        feet = nearest_feet(field, true.positions)
        cosine = (feet.normals * true.normals).sum(1)
        errors = {"distance": feet.distance / UNITS_PER_MILLIMETRE, "cosine": cosine, "astray": ~feet.converged}
        return {name: np.where(true.visible, values, np.nan) for name, values in errors.items()}

    def _extracted_errors(
        self, vertices: np.ndarray, truth: HeadSolid, random: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Distances in mm of random vertices to the true surface, and in which of GROUPS each ends (-1: none)."""
        chosen = vertices[random.integers(0, len(vertices), EXTRACTED_VERTICES)]
        distances, triangles = distances_to_truth(chosen, truth)
        group = self._group_of_triangle[triangles]
        padding = EXTRACTED_VERTICES - len(distances)  # those on the neck plane
        return {
            "distance": np.pad(distances / UNITS_PER_MILLIMETRE, (0, padding), constant_values=np.nan),
            "group": np.pad(group, (0, padding), constant_values=-1),
        }

    def _openings(self, truth: HeadSolid, identity: np.ndarray, code: np.ndarray) -> dict:
        """Openings in mm: between lips, truly and as the engine measures it; between the solids in the mid-plane, teeth
        included, truly and of the field; of both lids (2,) alike.
        """
        section, shape, seeds = lip_section(truth.vertices[self.face_kit.landmarks])
        lines = self._eyeballs.sight_lines(truth.vertices)  # per eye (P, K, 3)
        distances = partial(self.head.signed_distance, identity=identity, expression=code)
        return {
            "true_opening": self._lips.opening(truth.vertices),
            "true_solid_opening": lip_opening(truth.signed_distance(section).reshape(shape), seeds),
            "field_opening": lip_opening(distances(section).reshape(shape), seeds),
            "engine_opening": float(engine_lip_opening(self.head, code[None], identity)[0]),
            "true_lids": [lid_opening(~truth.inside(eye.reshape(-1, 3)).reshape(eye.shape[:2])) for eye in lines],
            "field_lids": [lid_opening(distances(eye) > 0) for eye in lines],
        }

    def _mouth(self, truth: HeadSolid, identity: np.ndarray, code: np.ndarray, random: np.random.Generator) -> dict:
        points = mouth_points(truth.vertices[self.face_kit.landmarks], random, MOUTH_POINTS)
        return wrong_shares(truth.signed_distance(points), self.head.signed_distance(points, identity, code))

    def _template_errors(
        self, arrays: dict[str, list], template: FixedTopologyHead, code: np.ndarray, truth: HeadSolid, field: Field
    ) -> dict:
        """Adds distances to `arrays`; returns the numbers of damaged triangles by the table and by root finding."""
        true, damaged = self.template.on(truth), dict[str, int]()
        for way, found in (("table", next(template.positions(code[None]))), ("roots", template.on_surface(code)[0])):
            errors = template_errors(found, true, self.template, field)
            self._add(arrays, f"template_{way}", {name: errors[name] for name in ("to_field", "to_truth")})
            damaged |= {f"{way}_{name}": errors[name] for name in ("flipped", "torn")}
        return damaged
