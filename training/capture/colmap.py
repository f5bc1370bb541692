"""What COLMAP writes: dense maps, and cameras of a sparse reconstruction.

Dense stereo itself needs COLMAP built with CUDA and is run by its own commands (`colmap patch_match_stereo`).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from engine.shared.errors import EngineError
from engine.shared.hostile_files import open_regular
from training.capture.cameras import Camera

LARGEST_DENSE = 1 << 29
_HEADER = re.compile(rb"(\d{1,6})&(\d{1,6})&(\d{1,2})&")


def read_dense(path: Path) -> np.ndarray:
    """A dense map (h, w, channels) float32 of COLMAP: `width&height&channels&`, then columns before rows.

    Not by pycolmap, whose reader ends the process at a file that is cut short. Raises EngineError when the file is
    missing or cut short.
    """
    try:
        with open_regular(path, LARGEST_DENSE) as file:
            data = file.read()
    except FileNotFoundError as error:
        raise EngineError(f"{path} is missing; run COLMAP's dense stereo on that frame again.") from error
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read ({error}); run COLMAP's dense stereo on that frame again.") from error
    header = _HEADER.match(data)
    sizes = tuple(int(number) for number in header.groups()) if header else (0, 0, 0)
    content = data[header.end() :] if header else b""
    if not header or len(content) != 4 * sizes[0] * sizes[1] * sizes[2]:
        raise EngineError(f"{path} is cut short or no dense map; run COLMAP's dense stereo on that frame again.")
    return np.frombuffer(content, "<f4").reshape(sizes[2], sizes[1], sizes[0]).transpose(1, 2, 0).copy()


def calibration_difference(sparse: Path, cameras: dict[str, Camera]) -> tuple[float, float]:
    """How far COLMAP's sparse reconstruction of `cam_<serial>.png` and a calibration differ.

    Returns the ratio of their lengths (1 where both are in the same units) and the median angle in degrees between
    their cameras, after the best similarity. Raises EngineError without pycolmap, or for fewer than three common
    cameras.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise EngineError(
            "Reading COLMAP's reconstructions takes the package pycolmap; pip install pycolmap."
        ) from error
    try:
        images = pycolmap.Reconstruction(str(sparse)).images.values()
    except (RuntimeError, ValueError, OSError) as error:
        raise EngineError(f"{sparse} is no reconstruction of COLMAP; name the folder with cameras.bin.") from error
    poses = {Path(image.name).stem.removeprefix("cam_"): image.cam_from_world().matrix() for image in images}
    common = sorted(set(poses) & set(cameras))
    if len(common) < 3:
        raise EngineError(
            f"{sparse} and the calibration share {len(common)} cameras; three are needed to compare them."
        )
    found = np.stack([poses[serial] for serial in common])
    known = np.stack([cameras[serial].world_to_camera[:3] for serial in common])
    return compared_poses(found, known)


def compared_poses(found: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """Ratio of lengths, and median angle in degrees, between world-to-camera poses (C, 3, 4) of two calibrations."""
    centres = [-np.einsum("cji,cj->ci", poses[:, :, :3], poses[:, :, 3]) for poses in (found, known)]
    spreads = [float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean())) for points in centres]
    # The rotation between the two worlds that fits all cameras best.
    product = np.einsum("cji,cjk->ik", found[:, :, :3], known[:, :, :3])
    left, _, right = np.linalg.svd(product)
    between = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    turned = np.einsum("cij,jk,clk->cil", found[:, :, :3], between, known[:, :, :3])
    cosine = (np.trace(turned, axis1=1, axis2=2) - 1) / 2
    return spreads[0] / spreads[1], float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))
