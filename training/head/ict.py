"""ICT-FaceKit (MIT) in model units: the morphable head that the starter's head networks learn from.

Model units: p = 0.04 cm + (0, -0.06, -0.24), so 1 unit = 0.25 m, +y up, +z out of the face, +x the subject's left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from engine.head.lids import Lids
from engine.motion.codes import ict_from_arkit_matrix
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.errors import EngineError
from engine.shared.units import UNITS_PER_MILLIMETRE
from engine.shared.weights import WEIGHT_NAMES
from training.head.parts import KitMesh, eye_rim, outer_shell, tongue_triangles, tongue_vertices
from training.head.tongue import tongue_displacements

ARCHIVE = Path("head") / "ict_facekit.npz"  # in the data folder
UNITS_PER_CENTIMETRE = 10.0 * UNITS_PER_MILLIMETRE
ORIGIN_SHIFT = np.array([0.0, -0.06, -0.24], np.float32)
ANIMATED_EXPRESSIONS = 53  # the archive appends four shapes that ARKit has no weight for
BLINKS = (WEIGHT_NAMES.index("eyeBlinkLeft"), WEIGHT_NAMES.index("eyeBlinkRight"))
CANONICAL_JAW_OPEN = 0.3  # lips apart, so that they are two sheets of the canonical surface


@dataclass(frozen=True)
class FaceKit(KitMesh):
    """The morphable head.

    Attributes, besides those of the mesh:
        identity: (100, V, 3) float32 displacement per unit of identity coefficient; coefficients are about N(0, 1).
        expression: (57, V, 3) float32 displacement per unit of weight, in the order of WEIGHT_NAMES: ICT-FaceKit's
            shapes, and those of the tongue (`training.head.tongue`). What a head's own blink lacks is not in them: see
            `lid_completions`.
    """

    identity: np.ndarray
    expression: np.ndarray

    @classmethod
    def load(cls, path: str | Path) -> FaceKit:
        """Read the .npz that `python -m training.head convert` writes. Raises EngineError if it is missing."""
        if not Path(path).is_file():
            raise EngineError(f"{path} is missing; make it with python -m training.head convert.")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _ARRAYS}
        ranges = arrays["submesh_ranges"]
        polygon_submesh = np.searchsorted(ranges[:, 3], np.arange(len(arrays["poly"])), side="right")
        shapes = UNITS_PER_CENTIMETRE * arrays["expression"][:ANIMATED_EXPRESSIONS].astype(np.float32)
        expression = np.zeros((len(WEIGHT_NAMES), *shapes.shape[1:]), np.float32)
        expression[: len(ARKIT_NAMES)] = np.tensordot(ict_from_arkit_matrix().T, shapes, 1)
        kit = cls(
            neutral=UNITS_PER_CENTIMETRE * arrays["neutral"].astype(np.float32) + ORIGIN_SHIFT,
            identity=UNITS_PER_CENTIMETRE * arrays["identity"].astype(np.float32),
            expression=expression,
            triangles=arrays["tri"].astype(np.int64),
            triangle_submesh=polygon_submesh[arrays["tri_poly"]],
            polygons=arrays["poly"],
            polygon_submesh=polygon_submesh,
            polygon_uv=arrays["poly_uv"],
            uv=arrays["uv"],
            submesh_names=tuple(str(name) for name in arrays["submesh_names"]),
            submesh_vertices=ranges[:, :2],
            landmarks=arrays["landmarks68"].astype(np.int64),
        )
        tongue = tongue_vertices(kit)
        for name, moved in tongue_displacements(kit.neutral, tongue, tongue_triangles(kit, tongue)).items():
            expression[WEIGHT_NAMES.index(name), tongue] = moved
        return kit

    def head(self, coefficients: np.ndarray) -> np.ndarray:
        """Neutral vertices (V, 3) of identity coefficients (100,)."""
        return self.neutral + np.tensordot(coefficients.astype(np.float32), self.identity, 1)

    @cached_property
    def lids(self) -> tuple[Lids, Lids]:
        """The lids of the left and of the right eye."""
        skin = self.polygons[self.polygon_submesh == self.submesh_names.index("face")]
        left, right = (
            Lids.around(eye_rim(self, side), skin, self.neutral, np.flatnonzero(outer_shell(self, eyeball)))
            for side, eyeball in ((1.0, "eyeball_L"), (-1.0, "eyeball_R"))
        )
        return left, right

    def lid_completions(self, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each eye's blink lacks on a neutral head (V, 3): displacements (L, 3) per unit of weight."""
        left, right = (
            lids.completion(head, self.expression[column]) for lids, column in zip(self.lids, BLINKS, strict=True)
        )
        return left, right

    def posed(
        self, head: np.ndarray, weights: np.ndarray, completions: tuple[np.ndarray, np.ndarray] | None = None
    ) -> np.ndarray:
        """Vertices (V, 3) of a neutral head (V, 3) under weights (57,).

        completions: `lid_completions` of the head, where it is posed many times.
        """
        active = np.flatnonzero(weights)
        posed = head + np.tensordot(weights[active].astype(np.float32), self.expression[active], 1)
        blinks = weights[list(BLINKS)].astype(np.float32)
        if blinks.any():
            completions = completions or self.lid_completions(head)
            for lids, blink, completion in zip(self.lids, blinks, completions, strict=True):
                posed[lids.skin] += blink * completion
        return posed

    def canonical(self, head: np.ndarray) -> np.ndarray:
        """Vertices (V, 3) of a neutral head (V, 3) in the canonical pose, its mouth slightly open."""
        return self.posed(head, canonical_weights())


def canonical_weights() -> np.ndarray:
    """Weights (57,) of the canonical pose."""
    return named_weights({"jawOpen": CANONICAL_JAW_OPEN})


def named_weights(values: dict[str, float]) -> np.ndarray:
    """Weights (57,) float32, zero but for the named ones; a name without its side sets both sides."""
    weights = np.zeros(len(WEIGHT_NAMES), np.float32)
    for name, value in values.items():
        for full in (name,) if name in WEIGHT_NAMES else (f"{name}Left", f"{name}Right"):
            weights[WEIGHT_NAMES.index(full)] = value
    return weights


def random_coefficients(random: np.random.Generator, scales: Sequence[float] = (0.6, 0.8, 1.0)) -> np.ndarray:
    """Identity coefficients (100,) ~ N(0, 1) times one of `scales`, cut at 2.5 as the morphable model advises."""
    return np.clip(random.normal(size=100) * random.choice(scales), -2.5, 2.5).astype(np.float32)


_ARRAYS = (
    "neutral",
    "identity",
    "expression",
    "tri",
    "tri_poly",
    "poly",
    "poly_uv",
    "uv",
    "submesh_names",
    "submesh_ranges",
    "landmarks68",
)
