"""The template: a mesh in canonical space, how it follows identity and ARKit weights, and its two lip curves.

Tensors of the bundle's template file:
    vertices (V, 3) float32, mean head;
    identity_modes_q (M, V, 3) int8 with identity_modes_scale (M,): a mode is q * scale;
    polygons (P, 4) integer, -1 pads triangles; polygon_uv (P, 4, 2); regions (V, K) uint8;
    lip_upper (n, 3), lip_lower (m, 3): curves on the mean head's mid-line, from the front inwards;
    displacement_moved (W + 1, ceil(V / 8)) uint8, bits of the vertices that each of the first W of WEIGHT_NAMES moves
    (the last row: from the canonical pose to the neutral one), and for these in turn displacement (N, 3), per unit of
    weight, of any identity;
    lid_rims (2, R) integer, optional: the vertices around the holes behind the lids of the left and the right eye. With
    them a blink is completed for each head, see `lids`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from ..shared.arkit import ARKIT_NAMES
from ..shared.errors import EngineError
from ..shared.shapes import Shape, check_polygons, match_shapes
from ..shared.weights import WEIGHT_NAMES
from .lids import Lids

LIP_NEIGHBOURS = 3
LARGEST_COUNT = 1 << 22  # of vertices and of polygons
_SHAPES: dict[str, Shape] = {
    "vertices": ("V", 3),
    "polygons": ("P", 4),
    "polygon_uv": ("P", 4, 2),
    "regions": ("V", "K"),
    "lip_upper": ("n", 3),
    "lip_lower": ("m", 3),
    "identity_modes_q": ("M", "V", 3),
    "identity_modes_scale": ("M",),
    "displacement_moved": ("W", "B"),
    "displacement": ("N", 3),
}
_OPTIONAL: dict[str, Shape] = {"lid_rims": (2, "R")}
_TYPES = {
    "identity_modes_q": (torch.int8,),
    "regions": (torch.uint8,),
    "displacement_moved": (torch.uint8,),
    "polygons": (torch.int16, torch.int32, torch.int64),
    "lid_rims": (torch.int16, torch.int32, torch.int64),
}


@dataclass(frozen=True)
class Template:
    """Lengths are model units, of the mean head in canonical space.

    vertices: (V, 3). polygons: (P, 4) int32, -1 in the last column of a triangle. uv: (P, 4, 2).
    regions: (V, K) uint8 soft weights, 0..255, in the order of the region network's names.
    lip_upper, lip_lower: (n, 3) and (m, 3). modes: (M, V, 3) int8, in units of mode_scale (M,).
    moved: (W + 1, V) bool and displacement (N, 3) of these vertices; see above. lid_rims: (2, R) or None.
    """

    vertices: Tensor
    polygons: np.ndarray
    uv: np.ndarray
    regions: np.ndarray
    lip_upper: Tensor
    lip_lower: Tensor
    modes: Tensor
    mode_scale: Tensor
    moved: Tensor
    displacement: Tensor
    lid_rims: np.ndarray | None = None

    @classmethod
    def of(cls, tensors: dict[str, Tensor], device: str | torch.device = "cpu") -> Template:
        """The template of a bundle's tensors. Raises EngineError when they do not fit one another."""
        try:
            _check(tensors)
            moved = np.unpackbits(tensors["displacement_moved"].cpu().numpy(), axis=1, count=len(tensors["vertices"]))
            return cls(
                vertices=tensors["vertices"].float().to(device),
                polygons=tensors["polygons"].cpu().numpy().astype(np.int32),
                uv=tensors["polygon_uv"].cpu().numpy().astype(np.float32),
                regions=tensors["regions"].cpu().numpy(),
                lip_upper=tensors["lip_upper"].float().to(device),
                lip_lower=tensors["lip_lower"].float().to(device),
                modes=tensors["identity_modes_q"].to(device),
                mode_scale=tensors["identity_modes_scale"].float().to(device),
                moved=torch.from_numpy(moved.astype(bool)).to(device),
                displacement=tensors["displacement"].float().to(device),
                lid_rims=tensors["lid_rims"].cpu().numpy().astype(np.int64) if "lid_rims" in tensors else None,
            )
        except KeyError as error:
            raise EngineError(f"This bundle's template lacks {error}; install the bundle again.") from error
        except ValueError as error:
            raise EngineError(f"This bundle's template does not fit ({error}); install the bundle again.") from error

    def canonical(self, coefficients: Tensor | None) -> Tensor:
        """Vertices (V, 3) for coefficients (M,) of the identity modes; None is the mean head."""
        return self.vertices if coefficients is None else self.vertices + self.identity_displacement(coefficients)

    def identity_displacement(self, coefficients: Tensor, rows: slice | np.ndarray = slice(None)) -> Tensor:
        """How far coefficients (M,) move the vertices, or those of some rows (R,): (R, 3)."""
        chosen = rows if isinstance(rows, slice) else torch.from_numpy(rows)
        return torch.tensordot(coefficients * self.mode_scale, self.modes[:, chosen].float(), 1)

    def displacements(self, weights: int = len(ARKIT_NAMES)) -> Tensor:
        """Displacements (V, weights + 1, 3) of the vertices: per unit of the first weights, then to the neutral pose.

        Zero for weights that the template does not know.
        """
        dense = torch.zeros(*self.moved.shape, 3, device=self.vertices.device)
        dense[self.moved] = self.displacement
        known = min(weights, len(dense) - 1)
        unknown = torch.zeros(weights - known, *dense.shape[1:], device=dense.device)
        return torch.cat([dense[:known], unknown, dense[-1:]]).transpose(0, 1)

    def lids(self, ball: np.ndarray) -> tuple[Lids, Lids] | None:
        """The lids of the left and of the right eye; None when the template does not tell where they are.

        ball: (V,) bool, which vertices lie on an eyeball.
        """
        if self.lid_rims is None:
            return None
        mean = self.vertices.cpu().numpy()
        left, right = (
            Lids.around(rim, self.polygons, mean, np.flatnonzero(ball & (side * mean[:, 0] > 0)))
            for rim, side in zip(self.lid_rims, (1, -1), strict=True)
        )
        return left, right

    def lip_curves(self, coefficients: Tensor | None) -> tuple[Tensor, Tensor]:
        """Upper (n, 3) and lower (m, 3) lip curve for coefficients (M,) of the identity modes.

        A curve point moves with the vertices nearest to it.
        """
        if coefficients is None:
            return self.lip_upper, self.lip_lower
        displacement = self.identity_displacement(coefficients)
        upper, lower = (curve + self.interpolated(curve, displacement) for curve in (self.lip_upper, self.lip_lower))
        return upper, lower

    def lip_displacements(self, weights: int = len(ARKIT_NAMES)) -> tuple[Tensor, Tensor]:
        """Displacements (n, weights + 1, 3) and (m, weights + 1, 3) of the two lip curves, as `displacements`."""
        displacements = self.displacements(weights)
        return self.interpolated(self.lip_upper, displacements), self.interpolated(self.lip_lower, displacements)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.vertices.cpu().numpy())

    def interpolated(self, points: Tensor, values: Tensor) -> Tensor:
        """Values (P, ...) at points (P, 3) near the mean head, from those (V, ...) of its nearest vertices."""
        distances, nearest = self._tree.query(points.cpu().numpy(), k=LIP_NEIGHBOURS)
        weights = 1.0 / torch.from_numpy(distances).float().to(points.device).clamp_min(1e-6)  # (P, 3)
        shares = weights / weights.sum(1, keepdim=True)
        return torch.einsum("pk,pk...->p...", shares, values[torch.from_numpy(nearest).to(points.device)])


def _check(tensors: dict[str, Tensor]) -> None:
    """Raises KeyError or ValueError unless every number of a template's tensors points to something."""
    expected = _SHAPES | {name: shape for name, shape in _OPTIONAL.items() if name in tensors}
    sizes = match_shapes({name: tuple(tensor.shape) for name, tensor in tensors.items()}, expected)
    for name in expected:
        types = _TYPES.get(name, (torch.float32,))
        if tensors[name].dtype not in types:
            raise ValueError(f"{name} has type {tensors[name].dtype}")
    if not LIP_NEIGHBOURS <= sizes["V"] <= LARGEST_COUNT or not 1 <= sizes["P"] <= LARGEST_COUNT:
        raise ValueError(f"it has {sizes['V']} vertices and {sizes['P']} polygons")
    if min(sizes["n"], sizes["m"]) < 2:
        raise ValueError("a lip curve has less than two points")
    if sizes["W"] - 1 not in (len(ARKIT_NAMES), len(WEIGHT_NAMES)):
        raise ValueError(f"it knows {sizes['W'] - 1} weights")
    if "lid_rims" in tensors and not 0 <= int(tensors["lid_rims"].min()) <= int(tensors["lid_rims"].max()) < sizes["V"]:
        raise ValueError("lid_rims point to no vertices")
    polygons = tensors["polygons"].cpu().numpy()
    check_polygons(polygons, sizes["V"])
    corners = np.sort(np.where(polygons < 0, -1, polygons), 1)
    if (np.diff(corners, axis=1) == 0).any():
        raise ValueError("a polygon has a corner twice")
    if sizes["B"] != -(-sizes["V"] // 8):
        raise ValueError("displacement_moved is of another number of vertices")
    bits = np.unpackbits(tensors["displacement_moved"].cpu().numpy(), axis=1, count=sizes["V"])
    if np.count_nonzero(bits) != sizes["N"]:
        raise ValueError("displacement and displacement_moved differ in their counts")
