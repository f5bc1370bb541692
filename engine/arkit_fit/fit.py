"""Fits, measures and stores a bundle's map between its expression codes and ARKit weights.

The starter's face is registered to the bundle's mean head at rest; its points are followed through the head's own
deformation under many codes; a linear model of that motion is projected on the 52 shapes for the reading, and inverted
with the codes' own spread as a prior for the writing. A fifth of the codes is kept out and measured on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from ..bundle import Bundle, merge_section
from ..devices import choose_device
from ..head import load_head
from ..head.arkit_map import FittedArkitMap
from ..head.surface.extract import SurfaceExtractor
from ..head.surface.forward_surface import ForwardSurfaceExtractor
from ..shared.errors import EngineError
from ..shared.options import DEVICE, STARTER
from ..shared.units import MILLIMETRES_PER_UNIT
from .followed_face import FollowedFace
from .linear import Components, NonNegativeWeights, codes_per_weight, linear_motion
from .samples import known_codes, random_codes
from .surface_registration import RegisteredFace, register_face
from .template_face import TemplateFace
from .tracking import PointTracker, require_finite

RESOLUTION = 128  # coarser grids melt closed lips together
KEPT_OUT = 5  # one code in so many
LEAST_MOTION_MM = 0.05
WRITING_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # mm^2, tried on a few codes
TRIED_CODES = 16


def fit_arkit(
    folder: str | Path,
    codes: Iterable[str | Path] = (),
    *,
    device: str = DEVICE,
    progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
) -> Bundle:
    """Add the map to a bundle folder; an earlier one is exchanged.

    codes: files of `samples.known_codes`; without any and without a code book, random ones are drawn.
    progress: called with a stage's name and 0..1.

    Raises EngineError when the bundle's codes convert exactly already, or its head cannot be fitted; then nothing is
    written.
    """
    bundle = Bundle.open(folder)
    bundle.require("surfaces")
    progress("Loading the head", 0.0)
    head = load_head(bundle, choose_device(device))
    if head.arkit_map.exact_basis is not None:
        raise EngineError(f"The codes of {bundle.name} and ARKit weights convert exactly; there is nothing to fit.")
    known = known_codes(head, codes)
    face = TemplateFace.of(load_head(Bundle.open(STARTER)))
    progress("Extracting its surface at rest", 0.02)
    extractor = ForwardSurfaceExtractor if head.deforms_forward else SurfaceExtractor
    surface = extractor(head, None, RESOLUTION).extract(None)
    require_finite(torch.from_numpy(surface.vertices))
    progress("Bringing the face onto it", 0.2)
    registered = register_face(face, surface.vertices, surface.faces)
    tracker = PointTracker(head, registered.points[face.tracked])
    progress("Choosing codes", 0.25)
    chosen, words = known or random_codes(tracker, face.lips[face.tracked])
    progress("Following its points", 0.3)
    points, lost = tracker.posed(chosen)
    progress("Fitting", 0.8)
    followed = FollowedFace.of(face, registered, tracker, lost)
    fitted, errors = _fitted(followed, chosen, followed.moved(points))
    progress("Writing", 0.98)
    section = {"codes": words, "fitted_to": len(chosen), **fitted.settings()}
    section |= {"registration": _registration(registered, followed)} | errors
    tensors = fitted.tensors()
    merge_section(bundle.folder, "head.arkit", section, tensors, full_precision=tensors)
    progress("Done", 1.0)
    return Bundle.open(folder)


def _fitted(face: FollowedFace, codes: np.ndarray, moved: np.ndarray) -> tuple[FittedArkitMap, dict]:
    """The map fitted to all but the last of the codes (N, E) and motions (N, P, 3) mm, and its errors on these."""
    if not np.sqrt(np.square(moved).sum(-1).mean()) > LEAST_MOTION_MM:
        raise EngineError("This head's expression codes do not move its face; there is nothing to fit.")
    used = len(codes) - len(codes) // KEPT_OUT
    components = Components.of(codes[:used])
    motion = linear_motion(codes[:used] @ components.reading, moved[:used].reshape(used, -1))  # (K, 3 P)
    mixture = NonNegativeWeights(face.shapes)
    resting = face.shapes @ face.resting  # (3 P,)
    weights = mixture.of(moved.reshape(len(moved), -1) + resting)  # (N, 52)
    per_code = components.reading @ motion  # (E, 3 P)
    curves = np.r_[face.upper, face.lower]
    fitted = FittedArkitMap(
        basis=_basis(face, components, motion, weights[:used]),
        reading=per_code @ mixture.projection,
        rest=resting @ mixture.projection,
        factor=mixture.factor,
        lip_canonical=face.canonical[curves],
        lip_rest=torch.from_numpy(face.rest[curves]),
        lip_motion=torch.from_numpy(per_code.reshape(len(per_code), -1, 3)[:, curves] / MILLIMETRES_PER_UNIT).float(),
        upper_points=len(face.upper),
        allowance_mm=face.allowance_mm,
    )
    to_weights = face.errors(face.shaped(fitted.weights(codes[used:])), moved[used:])
    to_weights["explained_at_best"] = face.errors(face.shaped(weights[used:]), moved[used:])["explained"]
    to_codes = face.errors(face.moved_by((weights[used:] - face.resting) @ fitted.basis.T), face.shaped(weights[used:]))
    return fitted, {"to_weights": to_weights, "to_codes": to_codes}


def _basis(face: FollowedFace, components: Components, motion: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Change of code per unit of weight (E, 52): of several priors the one whose codes move the head best.

    motion: (K, 3 P) mm per component. weights: (N, 52) that codes had.
    """
    tried = weights[np.linspace(0, len(weights) - 1, TRIED_CODES).round().astype(int)]
    per_weight = [codes_per_weight(motion, face.shapes, penalty) for penalty in WRITING_PENALTIES]
    bases = [(components.spread.T @ components_of_weight).astype(np.float32) for components_of_weight in per_weight]
    wanted = face.shaped(tried)
    misses = [np.square(face.moved_by((tried - face.resting) @ basis.T) - wanted).sum() for basis in bases]
    return bases[int(np.argmin(misses))]


def _registration(registered: RegisteredFace, followed: FollowedFace) -> dict[str, float]:
    matched = registered.distance[registered.matched]
    distance = matched if len(matched) else registered.distance
    return {
        "mean_mm": round(float(distance.mean()), 3),
        "p95_mm": round(float(np.percentile(distance, 95)), 3),
        "matched": round(float(registered.matched.mean()), 3),
        "followed": round(float(followed.kept.mean()), 3),
        "jaw_at_rest": round(registered.jaw, 3),
    }
