"""The Gaussian smoothing mask (FaceTalk, supplement Eq. 11 to 15): expressions move the face, not neck and scalp."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class SmoothingConfig:
    """Centre and standard deviations (model units) of the Gaussian.

    The paper gives symbols only; the defaults keep the face anchors and hold neck and scalp anchors still.
    scale_hyper: whether hyper coordinates are scaled as offsets are. Eq. 15 leaves that open; only then is the head
    neutral where the mask is zero.
    """

    centre: tuple[float, float, float] = (0.0, -0.20, 0.18)
    sigma: tuple[float, float, float] = (0.50, 0.50, 0.13)
    scale_hyper: bool = True


class GaussianMask:
    """Weights in [0, 1], normalised by the Gaussian's least and greatest value.

    The factor of Eq. 11 cancels in the normalisation of Eq. 13 and 14, so it is left out.
    """

    def __init__(self, config: SmoothingConfig, least: float, greatest: float):
        self.config, self.least, self.greatest = config, least, greatest

    @classmethod
    def over_box(cls, config: SmoothingConfig, minimum: Tensor, maximum: Tensor) -> GaussianMask:
        """Normalise over a box, in closed form: greatest at the box point nearest to the centre, least at a corner."""
        minimum, maximum = torch.as_tensor(minimum).double(), torch.as_tensor(maximum).double()
        centre = torch.tensor(config.centre, dtype=torch.float64)
        nearest = centre.clamp(minimum, maximum)
        furthest = torch.where((centre - minimum).abs() > (centre - maximum).abs(), minimum, maximum)
        return cls(config, float(gaussian(furthest, config)), float(gaussian(nearest, config)))

    @classmethod
    def over_points(cls, config: SmoothingConfig, points: Tensor) -> GaussianMask:
        """Normalise over given points (P, 3), as the paper does over the points of its grid."""
        values = gaussian(points.double(), config)
        return cls(config, float(values.min()), float(values.max()))

    def __call__(self, points: Tensor) -> Tensor:
        """Weights (...) at points (..., 3) (Eq. 13, 14); points beyond the normalised range are clamped to 0 and 1."""
        return ((gaussian(points, self.config) - self.least) / (self.greatest - self.least)).clamp(0.0, 1.0)


def gaussian(points: Tensor, config: SmoothingConfig) -> Tensor:
    """The axis-aligned Gaussian at points (..., 3) without its constant factor (Eq. 11, 12)."""
    centre, sigma = (points.new_tensor(values) for values in (config.centre, config.sigma))
    return torch.exp(-0.5 * ((points - centre) / sigma).square().sum(-1))
