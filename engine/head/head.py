"""The neural head: identity and expression networks behind one signed distance (FaceTalk 3.1, supplement Eq. 11 to 15).

Lengths are model units (1 unit = 0.25 m; +y up, +z out of the face, +x the subject's left); distances are positive
outside the head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, overload

import numpy as np
import torch
from torch import Tensor

from ..shared.errors import EngineError
from .arkit_map import ArkitMap, NoArkitMap
from .distance_table import DistanceTable
from .identities import CodeBook, IdentityModes
from .networks.conditioned_mlp import FoldedLayer
from .networks.expression import ExpressionNetwork
from .networks.forward_identity import ForwardIdentityNetwork
from .networks.identity import IdentityNetwork
from .networks.regions import RegionNetwork
from .networks.smoothing import GaussianMask, SmoothingConfig
from .regions import HeadRegions, IdentityRegions
from .template import Template

Array = np.ndarray | Tensor
Box = tuple[tuple[float, float, float], tuple[float, float, float]]
BOX: Box = ((-0.55, -0.50, -0.95), (0.55, 0.75, 0.40))
Values = TypeVar("Values", np.ndarray, Tensor)
Network = TypeVar("Network", bound=torch.nn.Module)
CACHED_IDENTITIES = 4
# Points per call: a 192-wide hidden layer of 2048 points stays in a core's second-level cache, and the identity
# network spreads its points over 40 slots.
DEFORMATION_CHUNK, DISTANCE_CHUNK, ACCELERATOR_CHUNK = 2048, 16384, 1 << 18


@dataclass
class PreparedIdentity:
    """An identity code (1, L) on the head's device with everything that follows from it alone.

    anchors: (1, n, 3). distance: signed distances (1, P) at canonical points (1, P, 3 + hyper).
    fading: the factor (P,) by which distances at points (P, 3) shrink far from all anchors.
    table: distances around the surface by interpolation, once it has been made.
    """

    code: Tensor
    anchors: Tensor
    distance: Callable[[Tensor], Tensor]
    fading: Callable[[Tensor], Tensor]
    regions: IdentityRegions
    table: DistanceTable | None = None


class PosedField:
    """The signed distance field of one identity and one expression; everything per frame is already folded in."""

    def __init__(self, head: NeuralHead, prepared: PreparedIdentity, folded: list[FoldedLayer]):
        self.head, self.prepared, self.folded = head, prepared, folded

    def deformation(self, points: Tensor) -> Tensor:
        """Unmasked network output (P, 3 + hyper) at points (P, 3): offsets, then hyper coordinates.

        The points are posed ones, or canonical ones for a head that deforms forward.
        """
        size = DEFORMATION_CHUNK if points.device.type == "cpu" else ACCELERATOR_CHUNK
        return torch.cat([self.head.expression.evaluate(chunk[None], self.folded)[0] for chunk in points.split(size)])

    def canonical(self, points: Tensor, mask: Tensor | None = None) -> Tensor:
        """Canonical points (P, 3 + hyper) of posed points (P, 3) (Eq. 15; see `SmoothingConfig` for its two readings).

        Raises EngineError for a head that deforms forward.
        """
        if self.head.deforms_forward:
            raise EngineError(
                "This head deforms forward, so it has no distances at posed points; leave the expression out for "
                "distances at canonical points, or extract its surface."
            )
        moved = self.deformation(points)  # (P, 3 + h)
        mask = self.head.mask_weights(points) if mask is None else mask
        if mask is None:
            return torch.cat([points + moved[:, :3], moved[:, 3:]], 1)
        smoothing = self.head.smoothing
        scaled = mask[:, None] * moved
        hyper = scaled if smoothing is None or smoothing.config.scale_hyper else moved
        return torch.cat([points + scaled[:, :3], hyper[:, 3:]], 1)

    def canonical_distance(self, canonical: Tensor) -> Tensor:
        """Identity network's signed distances (P,) at canonical points (P, 3 + hyper)."""
        size = DISTANCE_CHUNK if canonical.device.type == "cpu" else ACCELERATOR_CHUNK
        return torch.cat([self.prepared.distance(chunk[None])[0] for chunk in canonical.split(size)])

    def tabulated_distance(self, canonical: Tensor) -> Tensor:
        """`canonical_distance` within about 0.01 mm by the identity's table, where it has one."""
        table = self.prepared.table
        return self.canonical_distance(canonical) if table is None else table(canonical, self.canonical_distance)

    def signed_distance(self, points: Tensor, mask: Tensor | None = None) -> Tensor:
        """Signed distances (P,) at posed points (P, 3)."""
        return self.canonical_distance(self.canonical(points, mask))


class NeuralHead:
    """The field of a head that identity and expression codes drive, and what its bundle knows besides.

    Args:
        identity, expression: the two networks; with a ForwardIdentityNetwork, expressions deform canonical points.
        smoothing: parameters of the Gaussian mask, or None for no mask.
        box: least and greatest corner of the box that holds the surface; the family's own when not given.
        device: a torch device.
        modes: the modes of identity codes, and measured controls in them.
        arkit_map: how expression codes and ARKit weights convert.
        template: the fixed topology, or None.
        regions: a network that tells regions, which only the starter has.
        identity_codes, expression_codes: code books of the training subjects and scans.
    """

    def __init__(
        self,
        identity: IdentityNetwork | ForwardIdentityNetwork,
        expression: ExpressionNetwork,
        smoothing: SmoothingConfig | None = None,
        box: Box = BOX,
        device: str | torch.device = "cpu",
        *,
        modes: IdentityModes | None = None,
        arkit_map: ArkitMap | None = None,
        template: Template | None = None,
        regions: RegionNetwork | None = None,
        identity_codes: Tensor | None = None,
        expression_codes: Tensor | None = None,
    ):
        self.device, self.box = torch.device(device), box
        self.identity, self.expression = _frozen(identity, self.device), _frozen(expression, self.device)
        self.smoothing = None if smoothing is None else GaussianMask.over_box(smoothing, *map(torch.tensor, box))
        self.modes, self.arkit_map = modes or IdentityModes(), arkit_map or NoArkitMap()
        self.template = template
        region_network = None if regions is None else _frozen(regions, self.device)
        self.regions = HeadRegions(region_network, template, self.modes, self.arkit_map, box)
        self.identity_codes = CodeBook("identity", identity_codes)
        self.expression_codes = CodeBook("expression", expression_codes)
        self._prepared: dict[bytes, PreparedIdentity] = {}

    @property
    def deforms_forward(self) -> bool:
        """Whether expressions move canonical points to posed ones (released NPHM) instead of the other way round."""
        return isinstance(self.identity, ForwardIdentityNetwork)

    @property
    def identity_dimensions(self) -> int:
        """Length of an identity code."""
        return self.identity.config.dimensions

    @property
    def expression_dimensions(self) -> int:
        """Length of an expression code."""
        return self.expression.config.expression_dimensions

    def fixed_topology(self) -> Template:
        """The template. Raises EngineError when the bundle has none."""
        if self.template is None:
            raise EngineError(
                "This model bundle has no fixed topology; use the Frame Meshes output or the starter bundle."
            )
        return self.template

    def prepare_identity(self, identity: Array | None = None) -> PreparedIdentity:
        """The identity code (L,), None for the mean head, with its tables; the last few are kept.

        Raises EngineError when the code's length does not fit.
        """
        code = self._code(identity, self.identity_dimensions, "identity")
        key = code.cpu().numpy().tobytes()
        if key not in self._prepared:
            with torch.no_grad():
                prepared = self._prepare(code)
            if len(self._prepared) >= CACHED_IDENTITIES:
                self._prepared.pop(next(iter(self._prepared)))
            self._prepared[key] = prepared
        return self._prepared[key]

    def _prepare(self, code: Tensor) -> PreparedIdentity:
        network, regions = self.identity, self.regions.of(code)
        if isinstance(network, ForwardIdentityNetwork):
            state = network.prepare(code)
            distance, fading = partial(network.evaluate, state=state), partial(network.fading, state=state)
            return PreparedIdentity(code, state.anchors, distance, fading, regions)
        blended = network.prepare(code)
        return PreparedIdentity(code, blended.anchors, partial(network.evaluate, state=blended), _unfading, regions)

    def pose(self, identity: Array | None = None, expression: Array | None = None) -> PosedField:
        """The field of an identity code (L,) and an expression code (E,); None stands for zeros."""
        prepared = self.prepare_identity(identity)
        code = self._code(expression, self.expression_dimensions, "expression")
        with torch.no_grad():
            folded = self.expression.fold(prepared.code, prepared.anchors, code)
        return PosedField(self, prepared, folded)

    def mask_weights(self, points: Tensor) -> Tensor | None:
        """The smoothing mask (P,) at points (P, 3), or None when the head has none."""
        return None if self.smoothing is None else self.smoothing(points)

    def signed_distance(
        self,
        points: Values,
        identity: Array | None = None,
        expression: Array | None = None,
        mask: Array | None = None,
    ) -> Values:
        """Signed distances (...) in model units at posed points (..., 3); the input's kind comes back.

        A head that deforms forward has distances at canonical points only: expression must be None for it.

        mask gives a smoothing weight per point (...); None uses the head's own mask. A tensor of points that requires
        a gradient gets a differentiable result. Raises EngineError when a code's length does not fit.
        """
        flat, weights = self._points(points), None if mask is None else self._points(mask, 0)
        with torch.set_grad_enabled(flat.requires_grad):
            posed = self.pose(identity, expression)
            canonical_wanted = self.deforms_forward and expression is None
            values = posed.canonical_distance(flat) if canonical_wanted else posed.signed_distance(flat, weights)
        return _like(values.view(points.shape[:-1]), points)

    def deformation(self, points: Values, identity: Array | None = None, expression: Array | None = None) -> Values:
        """Unmasked deformation (..., 3 + hyper) at points (..., 3): offsets, then hyper coordinates.

        The points are posed ones, or canonical ones for a head that deforms forward.
        """
        flat = self._points(points)
        with torch.set_grad_enabled(flat.requires_grad):
            values = self.pose(identity, expression).deformation(flat)
        return _like(values.view(*points.shape[:-1], -1), points)

    def anchors(self, identity: Array | None = None) -> np.ndarray:
        """Anchors (n, 3) of an identity code (L,)."""
        return self.prepare_identity(identity).anchors[0].cpu().numpy()

    def _points(self, points: Array, trailing: int = 3) -> Tensor:
        tensor = torch.as_tensor(points, dtype=torch.float32, device=self.device)
        return tensor.reshape(-1, trailing) if trailing else tensor.reshape(-1)

    def _code(self, code: Array | None, length: int, kind: str) -> Tensor:
        if code is None:
            return torch.zeros(1, length, device=self.device)
        tensor = torch.as_tensor(code, dtype=torch.float32, device=self.device)
        if tensor.shape != (length,):
            raise EngineError(
                f"The {kind} code has shape {tuple(tensor.shape)}, but this head needs ({length},); "
                "use a code that was made for this model bundle."
            )
        return tensor[None]


def _unfading(points: Tensor) -> Tensor:
    return points.new_ones(len(points))


def _frozen(network: Network, device: torch.device) -> Network:
    return network.to(device).eval().requires_grad_(False)


@overload
def _like(values: Tensor, given: np.ndarray) -> np.ndarray: ...


@overload
def _like(values: Tensor, given: Tensor) -> Tensor: ...


def _like(values: Tensor, given: Array) -> Array:
    return values if isinstance(given, Tensor) else values.cpu().numpy()
