"""What the head's smoothing mask (Eq. 11 to 15) does: movement of the skin with the mask and with the mask off.

Smoothing is geometry behind the expression codes, so no figure of codes can show it. The starter's expression network
was trained with the mask in place: the mask off is that network's raw output, not a network trained without it.
"""

from __future__ import annotations

import numpy as np
import torch

from engine.head import NeuralHead
from engine.motion.codes import expression_basis, weights_from_codes
from engine.shared.errors import EngineError
from engine.shared.units import CODE_RATE, MILLIMETRES_PER_UNIT

FRAMES = round(4 * CODE_RATE)
POINTS = 400  # vertices of each region, evenly over its list


def smoothing_figures(head: NeuralHead, codes: np.ndarray) -> dict[str, dict[str, float]]:
    """Movement in mm of skin regions under codes (N, 200), of which the first FRAMES count.

    For each region the root mean square of the deformation and the mean of its change from frame to frame: with the
    mask, with the mask off, and of ICT-FaceKit's own meshes at the same vertices.
    """
    codes = codes[:FRAMES]
    template = head.fixed_topology()
    displacements = template.displacements(expression_basis().shape[1])  # (V, W + 1, 3)
    neutral = template.vertices + displacements[:, -1]
    places = {name: _spread(chosen) for name, chosen in skin_regions(head, neutral.numpy()).items()}
    points = neutral[np.concatenate(list(places.values()))]
    weights_of_mask = head.mask_weights(points)
    if weights_of_mask is None:
        raise EngineError("This head has no smoothing mask to study; use the starter bundle.")
    mask = weights_of_mask[:, None]
    raw = torch.stack([head.pose(None, code).deformation(points)[:, :3] for code in codes])  # (N, P, 3)
    rest = head.pose().deformation(points)[:, :3]
    raw = raw - rest
    weights = torch.from_numpy(weights_from_codes(codes, expression_basis()))
    meshes = torch.einsum("nw,pwc->npc", weights, displacements[np.concatenate(list(places.values())), :-1])
    moves = {"masked": mask * raw, "unmasked": raw, "meshes": meshes}
    figures, first = {}, 0
    for name, chosen in places.items():
        region = slice(first, first + len(chosen))
        first += len(chosen)
        figures[name] = {"mask": float(mask[region].mean())}
        for kind, move in moves.items():
            move = MILLIMETRES_PER_UNIT * move[:, region]
            figures[name][f"{kind}_rms_mm"] = float(move.square().sum(dim=-1).mean().sqrt())
            figures[name][f"{kind}_step_mm"] = float(move.diff(dim=0).norm(dim=-1).mean())
    return figures


def skin_regions(head: NeuralHead, neutral: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers of the skin's vertices by region, for the neutral mean head's vertices (V, 3)."""
    region = head.fixed_topology().regions.argmax(axis=1)
    skin = region == head.regions.names.index("skin")
    _, height, depth = neutral.T
    lips = neutral[region == head.regions.names.index("lips")].mean(axis=0)
    around_mouth = np.linalg.norm(neutral - lips, axis=1) < 0.12
    return {
        "around the mouth": np.flatnonzero(skin & around_mouth),
        "neck": np.flatnonzero(skin & (height < -0.40)),
        "back of the head": np.flatnonzero(skin & (depth < -0.40) & (height > -0.20)),
        "crown": np.flatnonzero(skin & (height > 0.40)),
    }


def _spread(numbers: np.ndarray) -> np.ndarray:
    return numbers[np.linspace(0, len(numbers) - 1, min(POINTS, len(numbers))).astype(int)]
