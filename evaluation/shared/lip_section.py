"""The opening between two lips in a plane section of a solid."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, label, zoom

from engine.shared.units import UNITS_PER_MILLIMETRE

SECTION_STEP = 0.25 * UNITS_PER_MILLIMETRE
SECTION_REFINEMENT = 4  # the section is interpolated to 0.06 mm


def lip_opening(distances: np.ndarray, seeds: np.ndarray) -> float:
    """Smallest distance in mm between the two lips in a section (Y, Z) of signed distances; 0 where they are joined.

    seeds: (2, 2) grid places on the upper and on the lower lip. A lip is the connected solid nearest to its seed.
    """
    solid = zoom(distances, SECTION_REFINEMENT, order=1, grid_mode=False) <= 0
    step = (np.array(solid.shape) - 1) / (np.array(distances.shape) - 1)
    parts, _ = label(solid)
    places = np.argwhere(solid)
    upper, lower = (parts[tuple(places[np.linalg.norm(places - seed * step, axis=1).argmin()])] for seed in seeds)
    if upper == lower:
        return 0.0
    from_lower = distance_transform_edt(parts != lower)
    return float(from_lower[parts == upper].min() - 1) * SECTION_STEP / step[0] / UNITS_PER_MILLIMETRE
