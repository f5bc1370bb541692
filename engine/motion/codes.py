"""Expression codes over time, and how they relate to the 52 ARKit weights.

The starter model's 200-d expression code is a fixed linear embedding of the weights (ARKit's 52 and the tongue's five),
z = Q w with orthonormal columns Q, so w = Q^T z exactly. Codes of other bundles have no such reading, and their takes
carry no weights.
Code frame i stands for the time i / rate seconds after the start of the clip.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from ..shared.arkit import ARKIT_NAMES
from ..shared.errors import EngineError
from ..shared.files import replaced
from ..shared.hostile_files import UNREADABLE, TooLarge, parse_json, read_npz
from ..shared.pose import POSE_NAMES, checked_pose
from ..shared.style import NO_WEIGHTS, Style, steadied, styled_weights
from ..shared.units import CODE_RATE
from ..shared.weights import TONGUE_NAMES, WEIGHT_NAMES

CODE_DIMENSIONS = 200
BASIS_SEED = 200
MAXIMUM_TAKE_BYTES = 1 << 28  # unpacked
HIGHEST_RATE = 1000.0  # codes per second

# Weights without a side in ARKit that ICT-FaceKit splits in two.
_SPLIT_IN_ICT = ("browInnerUp", "cheekPuff")


def _ict_names(arkit_name: str) -> tuple[str, ...]:
    """The ICT-FaceKit expressions that one ARKit weight drives; none for the tongue, which ICT does not move."""
    if arkit_name == "tongueOut":
        return ()
    if arkit_name in _SPLIT_IN_ICT:
        return (f"{arkit_name}_L", f"{arkit_name}_R")
    # jawLeft, mouthRight and their like are whole shapes: only names with a mirrored twin of the same motion are sides.
    if arkit_name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return (arkit_name,)
    for side in ("Left", "Right"):
        if arkit_name.endswith(side):
            return (f"{arkit_name.removesuffix(side)}_{side[0]}",)
    return (arkit_name,)


# ICT-FaceKit's 53 expression names in its own (alphabetical) order.
ICT_NAMES: tuple[str, ...] = tuple(sorted(name for arkit_name in ARKIT_NAMES for name in _ict_names(arkit_name)))


def ict_from_arkit_matrix() -> np.ndarray:
    """(53, 52) float32 matrix of zeros and ones: ICT weights = matrix @ ARKit weights."""
    matrix = np.zeros((len(ICT_NAMES), len(ARKIT_NAMES)), np.float32)
    for column, arkit_name in enumerate(ARKIT_NAMES):
        for name in _ict_names(arkit_name):
            matrix[ICT_NAMES.index(name), column] = 1.0
    return matrix


def ict_weights(weights: np.ndarray) -> np.ndarray:
    """ICT-FaceKit's weights (..., 53) from ARKit weights (..., 52); the tongue is dropped."""
    return weights @ ict_from_arkit_matrix().T


def expression_basis(seed: int = BASIS_SEED) -> np.ndarray:
    """The starter's embedding Q (200, 57) float32 of WEIGHT_NAMES, orthonormal columns.

    The same on every platform: numpy's legacy generator has a frozen stream, and positive diagonal entries of R
    make the QR factorisation unique. The tongue's columns come last, so ARKit's 52 are those of earlier bundles.
    """
    random = np.random.RandomState(seed)
    parts = [random.standard_normal((CODE_DIMENSIONS, len(names))) for names in (ARKIT_NAMES, TONGUE_NAMES)]
    gaussian = np.concatenate(parts, axis=1)
    q, r = np.linalg.qr(gaussian)
    return (q * np.sign(np.diag(r))).astype(np.float32)


def codes_from_weights(weights: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Expression codes z = Q w: (..., W) weights in 0..1 and basis (D, W) to (..., D) float32.

    Weights are the first of WEIGHT_NAMES: ARKit's 52, or these and the tongue's. Where one side has fewer, the others
    count as zero.
    """
    weights, basis = np.asarray(weights, np.float32), np.asarray(basis, np.float32)
    known = min(weights.shape[-1], basis.shape[1])
    return weights[..., :known] @ basis[:, :known].T


def weights_from_codes(codes: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Weights w = Q^T z: (..., D) codes and basis (D, W) to (..., W) float32, not clipped to 0..1."""
    return np.asarray(codes, np.float32) @ np.asarray(basis, np.float32)


@dataclass(frozen=True)
class ExpressionTake:
    """One sampled performance. Everything that lands in a scene is derived from it.

    codes: (N, D) float32 expression codes, D = 200 in the paper.
    rate: code frames per second.
    seed: the noise the take was sampled from.
    weights: (N, W) float32 of the first W of WEIGHT_NAMES (52 or all), or None when the codes have no such reading.
    lip_opening_mm: (N,) float32 distance between the lips, or None when it was not measured.
    pose: (N, 6) float32 head pose (see `engine.shared.pose`), or None when the model gives none.
    provenance: JSON values that say how the take was made (bundle, sampler, steps, guidance, audio).
    """

    codes: np.ndarray
    rate: float = CODE_RATE
    seed: int = 0
    weights: np.ndarray | None = None
    lip_opening_mm: np.ndarray | None = None
    pose: np.ndarray | None = None
    provenance: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", _checked("codes", self.codes, 2))
        if not len(self.codes) or not 0 < self.rate <= HIGHEST_RATE:
            raise EngineError("A take needs at least one code frame and a positive frame rate; generate it again.")
        for name, dimensions in (("weights", 2), ("lip_opening_mm", 1)):
            values = getattr(self, name)
            if values is not None:
                values = _checked(name, values, dimensions)
                if len(values) != len(self.codes):
                    raise EngineError(f"The take has {len(self.codes)} code frames but {len(values)} {name}.")
                object.__setattr__(self, name, values)
        if self.pose is not None:
            object.__setattr__(self, "pose", checked_pose(self.pose, len(self.codes)))

    @property
    def duration(self) -> float:
        """Seconds of speech that the take covers."""
        return len(self.codes) / self.rate

    def scaled(self, strength: float) -> ExpressionTake:
        """The take with its codes, hence its weights, multiplied by `strength` (1 = unchanged, 0 = the rest pose).

        The head's pose stays. The lip opening is not a linear function of the codes and is left out; measure it with
        the head.
        """
        weights = None if self.weights is None else self.weights * np.float32(strength)
        return replace(self, codes=self.codes * np.float32(strength), weights=weights, lip_opening_mm=None)

    def styled(self, style: Style, basis: np.ndarray) -> ExpressionTake:
        """The take in a style, without sampling again; the same take when the style changes nothing.

        basis: (D, W) that embeds the weights in the codes, of the head that the take is for; the part of the codes
            that is not a weight stays. The lip opening is left out; measure it with the head, as `Engine.styled` does.

        Raises EngineError when the take has no weights, or no lip opening where the style changes the lips.
        """
        if not style.changes:
            return self
        styled = replace(self, provenance=self.provenance | {"style": asdict(style)})
        if self.weights is None and style.changes_weights:
            raise EngineError(NO_WEIGHTS)
        weights = self.weights
        if weights is not None and style.changes_weights:
            weights = styled_weights(weights, self.rate, style, self.lip_opening_mm)
            styled = replace(styled, lip_opening_mm=None)
        if self.pose is not None:
            styled = replace(styled, pose=self.pose * np.float32(style.head_motion))
            weights = None if weights is None else steadied(weights, self.pose, self.rate, style.head_motion)
        if weights is None or weights is self.weights:
            return styled
        return replace(styled, codes=self.codes + codes_from_weights(weights - self.weights, basis), weights=weights)

    def resampled(self, times_seconds: np.ndarray) -> np.ndarray:
        """Codes (F, D) float32 at any times (F,) in seconds from the start of the clip.

        Cubic interpolation; before the first and after the last code frame the end value holds.
        """
        return interpolated(self.codes, self.rate, times_seconds)

    def save(self, path: str | Path) -> None:
        """Write the take as .npz: the fields by their names; weight_names (W,) and pose_names (6,) name columns.

        An existing file is replaced only once the new one is complete.
        """
        arrays = {"codes": self.codes, "rate": np.array(self.rate, np.float64), "seed": np.array(self.seed, np.int64)}
        arrays["provenance"] = np.array(json.dumps(self.provenance))
        for name in ("weights", "lip_opening_mm", "pose"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        if self.weights is not None:
            arrays["weight_names"] = np.array(WEIGHT_NAMES[: self.weights.shape[1]])
        if self.pose is not None:
            arrays["pose_names"] = np.array(POSE_NAMES)
        with replaced(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> ExpressionTake:
        """Read a take written by `save`, or any .npz with codes and rate.

        Raises EngineError when the file is missing, damaged or no take.
        """
        try:
            arrays = read_npz(path, MAXIMUM_TAKE_BYTES)
            provenance = parse_json(str(arrays.get("provenance", "{}")))
            if not isinstance(provenance, dict):
                raise ValueError("provenance is not a JSON object")
            return cls(
                codes=arrays["codes"],
                rate=float(arrays["rate"]),
                seed=int(arrays.get("seed", 0)),
                weights=arrays.get("weights"),
                lip_opening_mm=arrays.get("lip_opening_mm"),
                pose=arrays.get("pose"),
                provenance=provenance,
            )
        except FileNotFoundError as error:
            raise EngineError(f"There is no take at {path}; choose an existing .npz file.") from error
        except TooLarge as error:
            raise EngineError(f"{path} is too large to be a take; choose another file.") from error
        except UNREADABLE as error:
            raise EngineError(f"{path} is not a readable take; choose a .npz file that FaceTalk saved.") from error


def interpolated(values: np.ndarray, rate: float, times_seconds: np.ndarray) -> np.ndarray:
    """Cubic interpolation of frames (N, D) taken at i / rate seconds, to times (F,): (F, D) float32.

    The spline ends with zero slope and the end values hold outside, so motion neither jumps nor overshoots there.
    """
    times = np.clip(np.asarray(times_seconds, np.float64), 0.0, (len(values) - 1) / rate)
    if len(values) == 1:
        return np.repeat(np.asarray(values, np.float32), len(times), axis=0)
    spline = CubicSpline(np.arange(len(values)) / rate, values, axis=0, bc_type="clamped")
    return spline(times).astype(np.float32)


def _checked(name: str, values: np.ndarray, dimensions: int) -> np.ndarray:
    """`values` as a contiguous float32 array. Raises EngineError for a wrong shape, NaN or infinity."""
    array = np.asarray(values)
    if array.ndim != dimensions or array.dtype.kind not in "fiu":
        raise EngineError(f"The take's {name} are not numbers in {dimensions} dimensions; generate the take again.")
    if not np.isfinite(array).all():
        raise EngineError(f"The take's {name} hold NaN or infinity; generate the take again.")
    return np.ascontiguousarray(array, np.float32)
