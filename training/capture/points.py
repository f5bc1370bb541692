"""Depth maps to points of the face in the world (the paper's supplement D, "Backprojection").

    python -m training.capture points CAPTURES --output DATA

writes, for every frame at 24 Hz, `DATA/<ID>_<SEQ>/point_clouds/frame_<number>.npz`: `points` (P, 3) float32 metres,
`normals` (P, 3) float16; and at the end `point_clouds/landmarks.npz`: `landmarks` (N, 68, 3), NaN where too few cameras
see one, and `fps`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engine.shared.errors import EngineError
from engine.shared.hostile_files import UNREADABLE, read_npz
from engine.shared.units import CODE_RATE
from training.capture.cameras import Camera, pixel_centres
from training.capture.colmap import calibration_difference, read_dense
from training.capture.layout import (
    DEPTH,
    NECK,
    NORMALS,
    SEGMENTATION,
    Sequence,
    read_cameras,
    read_map,
    save_arrays,
)
from training.paper_dataset import CODES

NEAREST, FARTHEST = 0.0, 1.4  # metres, the paper's mask of valid depth
POINTS = 20_000  # kept of a frame
FEWEST_CAMERAS = 2  # that a landmark must be seen by
# A jaw is about 13 cm wide from ear to ear. Between these, a calibration in metres is plausible.
JAW = (0, 16)
JAW_WIDTH = (0.07, 0.22)
# Between COLMAP's cameras and the calibration: of lengths, and of directions in degrees.
LARGEST_RATIO, LARGEST_ANGLE = 1.05, 2.0
LARGEST_SPREAD = 0.02  # metres, median distance of a camera's landmarks from those of all cameras
CLOUDS, LANDMARKS = "point_clouds", "landmarks.npz"


@dataclass(frozen=True)
class PointOptions:
    """fps: of the capture. units: metres in a unit of its calibration and depth. points: kept of a frame."""

    fps: float = CODE_RATE
    units: float = 1.0
    points: int = POINTS
    seed: int = 0


@dataclass(frozen=True)
class Cloud:
    """Points of one frame: points (P, 3) metres in the world and unit normals (P, 3)."""

    points: np.ndarray
    normals: np.ndarray


def cloud_path(folder: Path, frame: int) -> Path:
    """Where the points of a code frame lie in a dataset's sequence."""
    return folder / CLOUDS / f"frame_{frame:05d}.npz"


def read_cloud(folder: Path, frame: int) -> Cloud:
    """The points of a code frame. Raises EngineError when they are missing or damaged."""
    path = cloud_path(folder, frame)
    points, normals = (read_map(path, name).astype(np.float32) for name in ("points", "normals"))
    if points.ndim != 2 or points.shape[1] != 3 or points.shape != normals.shape or not np.isfinite(points).all():
        raise EngineError(f"{path} holds no points with normals; run python -m training.capture points again.")
    return Cloud(points, normals)


def read_landmarks(folder: Path) -> np.ndarray:
    """3-D landmarks (N, 68, 3) metres of a dataset's sequence. Raises EngineError when its points are not complete."""
    path = folder / CLOUDS / LANDMARKS
    if not path.is_file():
        raise EngineError(f"{folder} has no {CLOUDS}/{LANDMARKS}; run python -m training.capture points first.")
    landmarks = read_map(path, "landmarks")
    if landmarks.ndim != 3 or landmarks.shape[1:] != (68, 3):
        raise EngineError(f"{path} holds no 68 landmarks a frame; run python -m training.capture points again.")
    return landmarks.astype(np.float64)


def make_points(sequence: Sequence, data: Path, options: PointOptions) -> int:
    """Back-project a sequence into a dataset; the number of code frames. What is complete is left alone.

    Raises EngineError for a capture that cannot be used; frames that were written before stay.
    """
    folder = data / sequence.dataset_name
    cameras = {
        serial: _in_metres(camera, options.units)
        for serial, camera in read_cameras(sequence.participant_folder).items()
    }
    chosen = code_frames(sequence.frames(), options.fps)
    if (folder / CLOUDS / LANDMARKS).is_file() and len(read_landmarks(folder)) == len(chosen):
        return len(chosen)
    _check_calibration(sequence, chosen[0], cameras)
    identity = sequence.participant_folder / "identity.npy"
    if identity.is_file():
        (folder / CODES.parent).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(identity, folder / CODES.parent / "identity.npy")
    detected = {serial: _detected(sequence, serial, chosen) for serial in cameras}
    landmarks = np.full((len(chosen), 68, 3), np.nan)
    for number, capture_frame in enumerate(chosen):
        views = [_view(sequence, capture_frame, camera, len(cameras), options) for camera in cameras.values()]
        found = [view.landmarks(*(part[number] for part in detected[view.camera.serial])) for view in views]
        landmarks[number] = agreed(np.stack(found))
        if not number:
            _check_scale(sequence, np.stack(found), landmarks[0])
        cloud = _joined(views, options.points, np.random.default_rng((options.seed, number)))
        save_arrays(cloud_path(folder, number), points=cloud.points, normals=cloud.normals.astype(np.float16))
    save_arrays(folder / CLOUDS / LANDMARKS, landmarks=landmarks.astype(np.float32), fps=np.array(CODE_RATE))
    return len(chosen)


def code_frames(frames: list[int], fps: float) -> list[int]:
    """The capture's frames that are nearest to the times of the codes, 24 a second."""
    count = int((len(frames) - 1) / fps * CODE_RATE) + 1
    return [frames[min(round(number / CODE_RATE * fps), len(frames) - 1)] for number in range(count)]


def agreed(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (68, 3) that most of the cameras' own (C, 68, 3) agree on; NaN where fewer than two know one."""
    known = np.isfinite(landmarks).all(2).sum(0)
    result = np.full(landmarks.shape[1:], np.nan)
    enough = known >= FEWEST_CAMERAS
    result[enough] = np.nanmedian(landmarks[:, enough], 0)
    return result


@dataclass(frozen=True)
class DepthView:
    """What one camera estimated of one frame: depth (h, w) metres, NaN where unknown; normals (h, w, 3) in its axes."""

    camera: Camera
    depth: np.ndarray
    normals: np.ndarray
    face: np.ndarray

    def cloud(self) -> Cloud:
        """Points of the face with valid depth, in the world."""
        return back_projected(self.camera, self.depth, self.normals, self.face)

    def landmarks(self, pixels: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Landmarks (68, 3) in the world, from the depth at their pixels (68, 2); NaN where hidden or without depth."""
        column, row = np.floor(pixels).astype(int).T
        height, width = self.depth.shape
        inside = visible & (column >= 0) & (row >= 0) & (column < width) & (row < height)
        result = np.full((len(pixels), 3), np.nan)
        depth = self.depth[row[inside], column[inside]]
        depth = np.where((depth > NEAREST) & (depth < FARTHEST), depth, np.nan)
        result[inside] = self.camera.back_projected(pixels[inside], depth)
        return result


def back_projected(camera: Camera, depth: np.ndarray, normals: np.ndarray, face: np.ndarray) -> Cloud:
    """Points of the world for depth (h, w) and normals (h, w, 3) in the camera's axes, where the mask (h, w) is set.

    Only depths between 0 and 1.4 m count. Unknown depth may be 0 or NaN.
    """
    with np.errstate(invalid="ignore"):
        valid = face & (depth > NEAREST) & (depth < FARTHEST) & np.isfinite(normals).all(2)
    points = camera.back_projected(pixel_centres(camera.size)[valid], depth[valid].astype(np.float64))
    return Cloud(points.astype(np.float32), (normals[valid].astype(np.float64) @ camera.rotation).astype(np.float32))


def _check_calibration(sequence: Sequence, frame: int, cameras: dict[str, Camera]) -> None:
    """Raises EngineError when COLMAP's sparse reconstruction of a frame, where there is one, contradicts them."""
    sparse = sequence.frame(frame) / "colmap" / "sparse"
    if not sparse.is_dir():
        return
    ratio, angle = calibration_difference(sparse, cameras)
    if not 1 / LARGEST_RATIO < ratio < LARGEST_RATIO or angle > LARGEST_ANGLE:
        raise EngineError(
            f"In {sparse} lengths are {ratio:.3g} times the calibration's and cameras differ by {angle:.1f} degrees; "
            "run COLMAP with the poses of this calibration."
        )


def _in_metres(camera: Camera, units: float) -> Camera:
    pose = camera.world_to_camera.copy()
    pose[:3, 3] *= units
    return Camera(camera.serial, pose, camera.intrinsics, camera.size)


def _view(sequence: Sequence, frame: int, camera: Camera, cameras: int, options: PointOptions) -> DepthView:
    depth, normals = _maps(sequence, frame, camera.serial, cameras)
    where = f"of camera {camera.serial} in frame {frame} of {sequence.dataset_name}"
    if depth.ndim != 2 or normals.shape != (*depth.shape, 3):
        raise EngineError(f"Depth and normals {where} differ in size; estimate both again.")
    if not (np.nan_to_num(depth) > 0).any():
        raise EngineError(f"The depth {where} is NaN or zero everywhere; estimate that frame again.")
    face = _face(sequence.picture(frame, SEGMENTATION, camera.serial), depth.shape, where)
    camera = camera.resized((depth.shape[1], depth.shape[0]))
    return DepthView(camera, options.units * depth.astype(np.float64), normals.astype(np.float32), face)


def _maps(sequence: Sequence, frame: int, serial: str, cameras: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth (h, w) and normals (h, w, 3): NeRSemble's maps, or those of COLMAP's own dense workspace."""
    stereo = sequence.frame(frame) / "colmap" / "stereo"
    if stereo.is_dir():
        depth, normals = (
            read_dense(stereo / kind / f"cam_{serial}.png.geometric.bin") for kind in ("depth_maps", "normal_maps")
        )
        return depth[..., 0], normals
    if not sequence.frame(frame).joinpath("colmap").is_dir():
        raise EngineError(
            f"Frame {frame} of {sequence.dataset_name} has no depth; run COLMAP's dense stereo in it (on a GPU with "
            "CUDA) or put depth maps beside it (docs/research.md)."
        )
    return tuple(  # type: ignore[return-value]
        read_map(sequence.map(frame, kind, serial, cameras), name)
        for kind, name in ((DEPTH, "depth_map"), (NORMALS, "normal_map"))
    )


def _face(path: Path, shape: tuple[int, ...], where: str) -> np.ndarray:
    """The mask (h, w) of the face in a segmentation, brought to the size of the depth."""
    try:
        with Image.open(path) as image:
            labels = np.asarray(image.convert("L").resize((shape[1], shape[0]), Image.Resampling.NEAREST))
    except FileNotFoundError as error:
        raise EngineError(f"The segmentation {where} is missing; segment that picture too.") from error
    except UNREADABLE as error:
        raise EngineError(f"The segmentation {where} is damaged; segment that picture again.") from error
    face = (labels > 0) & (labels != NECK)
    if not face.any():
        raise EngineError(f"The segmentation {where} has no face; segment that picture again, or leave its camera out.")
    return face


def _detected(sequence: Sequence, serial: str, frames: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """2-D landmarks (N, 68, 2) in pixels of the depth maps and whether they are visible (N, 68), at the code frames."""
    path = sequence.landmarks(serial)
    try:
        found = read_npz(path)
        pixels, visible = found["landmarks"].astype(np.float64), found["visible"].astype(bool)
    except FileNotFoundError as error:
        raise EngineError(f"{path} is missing; detect the 68 landmarks in every camera's pictures.") from error
    except UNREADABLE as error:
        raise EngineError(f"{path} holds no landmarks; detect them again.") from error
    wanted = len(sequence.frames())
    if pixels.shape != (wanted, 68, 2) or visible.shape != (wanted, 68):
        raise EngineError(
            f"Camera {serial} has landmarks of {len(pixels)} frames, but {sequence.dataset_name} has {wanted}; detect "
            "them again."
        )
    rows = np.array(frames) - sequence.frames()[0]
    visible &= np.isfinite(pixels).all(2)
    return pixels[rows], visible[rows]


def _joined(views: list[DepthView], count: int, generator: np.random.Generator) -> Cloud:
    clouds = [view.cloud() for view in views]
    points, normals = (np.concatenate([getattr(cloud, name) for cloud in clouds]) for name in ("points", "normals"))
    if len(points) > count:
        kept = generator.choice(len(points), count, replace=False)
        points, normals = points[kept], normals[kept]
    return Cloud(points, normals)


def _check_scale(sequence: Sequence, cameras: np.ndarray, landmarks: np.ndarray) -> None:
    """Raises EngineError when a head of this calibration would be too small or too large, or its cameras disagree."""
    spread = np.nanmedian(np.linalg.norm(cameras - landmarks, axis=2)) if np.isfinite(landmarks).any() else np.nan
    if not np.isfinite(spread):
        raise EngineError(
            f"No landmark of {sequence.dataset_name} has a depth between {NEAREST:g} and {FARTHEST:g} m; if "
            "calibration and depth are in millimetres, add --units mm."
        )
    width = float(np.linalg.norm(landmarks[JAW[0]] - landmarks[JAW[1]]))
    if not np.isfinite(width):
        width = float(np.nanmax(landmarks, 0)[0] - np.nanmin(landmarks, 0)[0])
    if not JAW_WIDTH[0] < width < JAW_WIDTH[1]:
        raise EngineError(
            f"The face of {sequence.dataset_name} would be {width:.3g} m wide; calibration or depth are in other units "
            "than said: choose --units m or mm."
        )
    if spread > LARGEST_SPREAD:
        raise EngineError(
            f"The cameras of {sequence.dataset_name} see the landmarks {1000 * spread:.0f} mm apart; calibration and "
            "depth are in different units, or the calibration is of another recording."
        )
