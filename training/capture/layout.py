"""Multi-view captures on disk, in the layout of the NeRSemble data set as its public code reads it.

    CAPTURES/<ID>/camera_params.json                                     (or calibration/camera_params.json, version 2)
    CAPTURES/<ID>/sequences/<SEQ>/frame_<00000>/images-2x/cam_<serial>.png
    CAPTURES/<ID>/sequences/<SEQ>/frame_<00000>/alpha_map/cam_<serial>.png
    CAPTURES/<ID>/sequences/<SEQ>/frame_<00000>/colmap/depth_maps_geometric/<cameras>/cam_<serial>.npz  ("depth_map")

`camera_params.json` holds `world_2_cam`, {serial: 4 × 4}, and `intrinsics`, 3 × 3, of pictures of 2200 × 3208. What
follows has no public form and is this project's own: `image_size` in `camera_params.json`, where pictures are of
another size; `colmap/normal_maps_geometric`, `facial_segmentation`, `annotations/<SEQ>/landmarks2D/<serial>.npz`,
`sequences/<SEQ>/audio/*.wav`, `identity.npy`, and `truth` of rendered captures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from engine.shared.errors import EngineError
from engine.shared.files import replaced
from engine.shared.hostile_files import UNREADABLE, read_json, read_npz
from training.capture.cameras import Camera, Size

SERIALS = (
    "222200042 222200044 222200046 222200040 222200036 222200048 220700191 222200041 "
    "222200037 222200038 222200047 222200043 222200049 222200039 222200045 221501007"
).split()
FULL_SIZE: Size = (2200, 3208)
PARAMETERS = ("camera_params.json", "calibration/camera_params.json")
IMAGES, ALPHA, SEGMENTATION = "images-2x", "alpha_map", "facial_segmentation"
DEPTH, NORMALS = "depth_maps_geometric", "normal_maps_geometric"
# What a pixel of a facial segmentation shows; 0 is the background. A mask of the face alone may have any other number.
FACE, NECK, EYE, MOUTH = 1, 2, 3, 4
LARGEST_MAP = 1 << 27  # bytes, unpacked


@dataclass(frozen=True)
class Sequence:
    """One sequence of one participant."""

    captures: Path
    participant: str
    name: str

    @property
    def participant_folder(self) -> Path:
        """The participant's folder."""
        return self.captures / self.participant

    @property
    def folder(self) -> Path:
        """The sequence's own folder."""
        return self.participant_folder / "sequences" / self.name

    @property
    def dataset_name(self) -> str:
        """Its folder's name in a dataset of the paper's layout."""
        return f"{self.participant}_{self.name}"

    @property
    def truth(self) -> Path:
        """What a rendered capture knows of itself."""
        return self.participant_folder / "truth" / f"{self.name}.npz"

    def frame(self, number: int) -> Path:
        """The folder of one frame."""
        return self.folder / f"frame_{number:05d}"

    def picture(self, number: int, kind: str, serial: str) -> Path:
        """A picture of one frame and camera; kind: IMAGES, ALPHA or SEGMENTATION."""
        return self.frame(number) / kind / f"cam_{serial}.png"

    def map(self, number: int, kind: str, serial: str, cameras: int) -> Path:
        """An estimated map of one frame and camera; kind: DEPTH or NORMALS."""
        return self.frame(number) / "colmap" / kind / str(cameras) / f"cam_{serial}.npz"

    def landmarks(self, serial: str) -> Path:
        """The 68 landmarks of all frames in one camera's pictures."""
        return self.participant_folder / "annotations" / self.name / "landmarks2D" / f"{serial}.npz"

    def sound(self) -> Path:
        """The recording. Raises EngineError when there is none, or more than one."""
        found = sorted((self.folder / "audio").glob("*.wav"))
        if len(found) != 1:
            raise EngineError(
                f"{self.dataset_name} has {len(found) or 'no'} sounds; put one .wav into {self.folder / 'audio'}."
            )
        return found[0]

    def frames(self) -> list[int]:
        """Numbers of the frames that are there. Raises EngineError when there are none, or some are missing."""
        numbers = sorted(
            int(found[1]) for path in self.folder.glob("frame_*") if (found := _FRAME.fullmatch(path.name))
        )
        if not numbers:
            raise EngineError(f"{self.folder} has no frames; lay them out as frame_00000/{IMAGES}/cam_<serial>.png.")
        missing = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
        if missing:
            raise EngineError(
                f"{self.dataset_name} lacks {len(missing)} frames, the first is frame {missing[0]}; copy them again, "
                "or cut the sequence there."
            )
        return numbers


_FRAME = re.compile(r"frame_(\d{5,8})")


def sequences_of(captures: Path, chosen: Iterable[str] = ()) -> list[Sequence]:
    """All sequences below a folder, or those of some names (<ID>_<SEQ>). Raises EngineError when there are none."""
    found = [
        Sequence(captures, path.parent.parent.name, path.name)
        for path in sorted(captures.glob("*/sequences/*"))
        if path.is_dir() and path.name != "BACKGROUND"
    ]
    names = {sequence.dataset_name for sequence in found}
    unknown = sorted(set(chosen) - names)
    if unknown:
        raise EngineError(f"{captures} has no sequence {unknown[0]}; it has {', '.join(sorted(names)[:8]) or 'none'}.")
    wanted = [sequence for sequence in found if not chosen or sequence.dataset_name in set(chosen)]
    if not wanted:
        raise EngineError(f"{captures} has no sequences; lay them out as <ID>/sequences/<SEQ>/frame_00000.")
    return wanted


def read_cameras(participant: Path) -> dict[str, Camera]:
    """The calibrated cameras of a participant by serial number, for pictures of full size.

    Raises EngineError when the calibration is missing, damaged, or no calibration.
    """
    path = next((participant / name for name in PARAMETERS if (participant / name).is_file()), None)
    if path is None:
        raise EngineError(f"{participant} has no calibration; put {PARAMETERS[0]} into it.")
    try:
        values = cast(dict, read_json(path))
        width, height = (int(number) for number in values.get("image_size", FULL_SIZE))
        intrinsics = _matrix(values["intrinsics"], 3)
        cameras = {
            str(serial): Camera(str(serial), _matrix(pose, 4), intrinsics, (width, height))
            for serial, pose in values["world_2_cam"].items()
        }
    except UNREADABLE as error:
        raise EngineError(f"{path} is no calibration ({error}); copy it again from the capture.") from error
    for camera in cameras.values():
        if (
            not np.allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-3)
            or np.linalg.det(camera.rotation) < 0
        ):
            raise EngineError(
                f"The pose of camera {camera.serial} in {path} is no rotation; copy the calibration again."
            )
    return cameras


def write_cameras(participant: Path, cameras: Iterable[Camera]) -> None:
    """Write a calibration of cameras that share intrinsics and picture size."""
    cameras = list(cameras)
    values = {
        "world_2_cam": {camera.serial: camera.world_to_camera.tolist() for camera in cameras},
        "intrinsics": cameras[0].intrinsics.tolist(),
        "image_size": list(cameras[0].size),
    }
    participant.mkdir(parents=True, exist_ok=True)
    with replaced(participant / PARAMETERS[0]) as part:
        part.write_text(json.dumps(values, indent=1) + "\n", "utf-8")


def read_map(path: Path, name: str) -> np.ndarray:
    """One map of an .npz file. Raises EngineError when the file is missing, damaged or holds no such map."""
    try:
        found = read_npz(path, LARGEST_MAP)
        return found[name]
    except FileNotFoundError as error:
        raise EngineError(f"{path} is missing; estimate that frame again, or remove it from every camera.") from error
    except UNREADABLE as error:
        raise EngineError(f"{path} is damaged or holds no '{name}'; estimate that frame again.") from error


def save_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write an .npz file, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _matrix(values: object, size: int) -> np.ndarray:
    matrix = np.asarray(values, np.float64)
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        raise ValueError(f"a matrix has shape {matrix.shape}, not {size} × {size} finite numbers")
    return matrix
