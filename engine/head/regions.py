"""The regions of a head's surface as soft weights: a network's, sharpened at eyes and neck by geometry."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..shared.regions import EYE_REGIONS, NECK
from .arkit_map import ArkitMap, NoArkitMap
from .canonical_table import CanonicalTable
from .identities import IdentityModes
from .networks.regions import RegionNetwork
from .region_geometry import RegionGeometry, region_geometry
from .template import Template

POINTS_AT_ONCE = 16384


@dataclass(frozen=True)
class HeadRegions:
    """What tells the regions of every identity; without a network all is skin.

    Eyes and neck are sharp when there is a template and the network knows eyes and skin. box: corners of the space in
    which weights may be tabulated.
    """

    network: RegionNetwork | None = None
    template: Template | None = None
    modes: IdentityModes = field(default_factory=IdentityModes)
    arkit_map: ArkitMap = field(default_factory=NoArkitMap)
    box: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None

    @property
    def names(self) -> list[str]:
        """Names of the regions in the order of a weight's columns."""
        if self.network is None:
            return ["skin"]
        return [*self.network.config.names, NECK] if self.sharp else self.network.config.names

    @property
    def sharp(self) -> bool:
        """Whether geometry tells eyes and neck."""
        known = set() if self.network is None else set(self.network.config.names)
        return self.template is not None and {"skin", *EYE_REGIONS} <= known

    def of(self, code: Tensor) -> IdentityRegions:
        """The regions of an identity code (1, L)."""
        return IdentityRegions(self, code)


@dataclass(frozen=True)
class IdentityRegions:
    """The regions of one identity code (1, L), at points in canonical space."""

    head: HeadRegions
    code: Tensor

    @cached_property
    def _resting(self) -> RegionGeometry | None:
        head = self.head
        if head.network is None or head.template is None or not head.sharp:
            return None
        return region_geometry(head.network.config.names, head.template, head.modes.coefficients(self.code))

    def geometry(self, expression: np.ndarray | Tensor | None = None) -> RegionGeometry | None:
        """Eyeballs and neck; None when the bundle does not tell them.

        The eyes are turned as an expression code (E,) says: the field's eyeballs themselves never turn.
        """
        basis = self.head.arkit_map.exact_basis
        if self._resting is None or expression is None or basis is None:
            return self._resting
        return self._resting.turned(np.asarray(expression, np.float32) @ basis)

    @cached_property
    def _table(self) -> CanonicalTable | None:
        box = None if self.head.network is None else self.head.box
        return None if box is None else CanonicalTable(self.network_weights, *box, device=self.code.device)

    def network_weights(self, points: Tensor) -> Tensor:
        """The network's soft weights (P, K) at points (P, 3)."""
        network = self.head.network
        if network is None:
            return torch.ones(len(points), 1, device=points.device)
        with torch.no_grad():
            logits = [network(chunk[None], self.code)[0] for chunk in points.split(POINTS_AT_ONCE)]
        return torch.softmax(torch.cat(logits), -1)

    def weights(self, points: Tensor, expression: np.ndarray | Tensor | None = None) -> Tensor:
        """Soft weights (P, K), summing to one, at points (P, 3); an expression code (E,) turns the eyes."""
        return self.refined(points, self.network_weights(points), expression)

    def tabulated(self, points: Tensor) -> Tensor:
        """The network's weights (P, K) at points (P, 3), interpolated from a table that this identity keeps."""
        return self.network_weights(points) if self._table is None else self._table(points)

    def refined(self, points: Tensor, weights: Tensor, expression: np.ndarray | Tensor | None = None) -> Tensor:
        """The network's weights (P, K) at points (P, 3) with sharp neck, and eyes as a code (E,) turns them."""
        geometry = self.geometry(expression)
        if geometry is None:
            return weights
        return torch.from_numpy(geometry.refined(points.cpu().numpy(), weights.cpu().numpy())).to(points.device)

    def of_template(self, template: Template, vertices: np.ndarray) -> np.ndarray:
        """Soft weights (V, K) uint8, 0..255, of the template's vertices (V, 3)."""
        geometry = self.geometry()
        if geometry is None:
            return template.regions
        refined = geometry.refined(vertices, template.regions.astype(np.float32) / 255)
        return np.round(255 * refined).astype(np.uint8)

    def on_eyes(self, regions: np.ndarray) -> np.ndarray:
        """Which rows (V,) of weights (V, K), 0..255, belong to an eyeball."""
        return regions[:, [self.head.names.index(name) for name in EYE_REGIONS]].sum(1) > 127

    def eye_directions(
        self, points: np.ndarray, expression: np.ndarray | Tensor | None = None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Which of the points (P, 3) lie on or close around an eyeball (E,) int32, and where on it (E, 3) float32.

        A direction is a unit vector from the eyeball's centre: right, up and forward of the gaze. None when the bundle
        does not tell its eyes.
        """
        geometry = self.geometry(expression)
        if geometry is None:
            return None
        rows = geometry.near_eyes(points)
        return rows, geometry.directions(points[rows])
