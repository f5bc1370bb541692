"""What a bundle does to its codes after sampling: less jitter; lips that touch and lids that close stay closed.

The codes are changed through their exact reading as ARKit weights; the part of them that is not a weight stays. Bundles
whose codes have no such reading are not refined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..bundle import Bundle
from ..shared.arkit import ARKIT_NAMES
from ..shared.lids import with_lids_in_place
from ..shared.lip_opening import lip_opening_mm
from ..shared.style import Style, smoothed, styled_weights
from ..shared.units import CODE_RATE
from . import blinks
from .codes import codes_from_weights, weights_from_codes
from .diffusion import Kept
from .sampling_defaults import SamplingDefaults

SEALED_MM = 1.0
_LIDS = [ARKIT_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")]
_GAZE = [index for index, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook")]
_CLOSE = ARKIT_NAMES.index("mouthClose")


@dataclass(frozen=True)
class Refinement:
    """basis: (D, W) that embeds ARKit weights in the codes. rate: code frames per second.

    smooth: as in `style.Style`: full width at half maximum, in seconds, of the Gaussian that smooths in time.
    seal: weight that `mouthClose` gets in addition where lips touch, which fades out up to `SEALED_MM` of opening:
        the surface of a neural head is off by tenths of a millimetre, and lips that just touch would show slits.
    lids: how far movements of the lids are decided, 0 to 1 (see `blinks`): whole blinks, or next to none.
    gaze_still: seconds over which a running median stills the gaze: fixations rest, jumps stay jumps.
    pose_smooth: as smooth, of the head's pose.
    """

    basis: np.ndarray
    rate: float
    smooth: float = 0.0
    seal: float = 0.0
    pose_smooth: float = 0.0
    lids: float = 0.0
    gaze_still: float = 0.0

    def refined(self, codes: np.ndarray, kept: Kept | None = None) -> np.ndarray:
        """Sampled codes (N, D), refined: (N, D) float32.

        kept: codes that stay bit for bit; the change fades in as the codes did that were sampled again.
        """
        weights = weights_from_codes(codes, self.basis)
        refined = styled_weights(weights, self.rate, Style(smooth=self.smooth), lip_opening_mm(weights)).copy()
        refined[:, _CLOSE] += self.seal * np.clip(1 - lip_opening_mm(refined) / SEALED_MM, 0, 1)
        if self.gaze_still:
            refined[:, _GAZE] = _running_median(refined[:, _GAZE], round(self.gaze_still * self.rate / 2))
        if self.lids:
            refined[:, _LIDS] = blinks.decided(refined[:, _LIDS], self.rate, self.lids)
        change = codes_from_weights(with_lids_in_place(refined) - weights, self.basis)
        return codes + change if kept is None else codes + kept.share_of_new().numpy() * change

    def smoothed_pose(self, pose: np.ndarray, kept: Kept | None = None) -> np.ndarray:
        """A sampled head pose (N, 6), smoothed in time: (N, 6) float32; what is kept as in `refined`."""
        if not self.pose_smooth or not pose.size:
            return pose
        change = smoothed(pose, self.rate, self.pose_smooth) - pose
        return pose + change if kept is None else pose + kept.share_of_new().numpy() * change


def _running_median(values: np.ndarray, reach: int) -> np.ndarray:
    """Medians of columns (N, C) over `reach` frames before and after: (N, C); the ends go on as they are."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0), axis=-1)


def load_refinement(bundle: Bundle, basis: np.ndarray | None) -> Refinement | None:
    """What a bundle asks for after sampling; None when that is nothing, or when its codes are no ARKit weights.

    basis: that embeds ARKit weights in the codes of its head, None when there is none.
    """
    defaults = SamplingDefaults.of(bundle)
    asked = {name: getattr(defaults, name) for name in ("smooth", "seal", "pose_smooth", "lids", "gaze_still")}
    if basis is None or not any(asked.values()):
        return None
    return Refinement(basis, float(bundle.section("motion").get("code_rate", CODE_RATE)), **asked)
