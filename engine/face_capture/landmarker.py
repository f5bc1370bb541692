"""Face points of pictures by MediaPipe's Face Landmarker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..shared.arkit import ARKIT_NAMES
from ..shared.errors import EngineError
from .video import Picture

POINTS = 478


@dataclass(frozen=True)
class FaceTrack:
    """What was seen of a face in F pictures; NaN where it was lost.

    times: (F,) seconds. points: (F, 478, 3) in pixels, x right, y down, z away from the camera in the scale of x.
    scores: (F, 52) of ARKIT_NAMES, 0..1. poses: (F, 4, 4) of the head before the camera, centimetres, y up.
    """

    times: np.ndarray
    points: np.ndarray
    scores: np.ndarray
    poses: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """In which pictures the face was found, (F,) bool."""
        return np.isfinite(self.points).all((1, 2))


def track_face(pictures: Iterable[Picture], model: str | Path) -> FaceTrack:
    """Follow one face through the pictures of a video.

    model: MediaPipe's `face_landmarker.task`. Raises EngineError when MediaPipe or the model is missing, there are no
    pictures, or no face in any of them.
    """
    landmarker, image = _landmarker(model)
    times: list[float] = []
    points, scores, poses = [], [], []
    with landmarker:
        for picture in pictures:
            # MediaPipe wants whole milliseconds that grow.
            stamp = max(round(1000 * picture.time), (round(1000 * times[-1]) + 1) if times else 0)
            found = landmarker.detect_for_video(image(picture.pixels), stamp)
            times.append(picture.time)
            points.append(_points(found, picture.pixels.shape))
            scores.append(_scores(found))
            poses.append(_pose(found))
    if not times:
        raise EngineError("The video has no pictures; choose another one.")
    track = FaceTrack(np.array(times), np.stack(points), np.stack(scores), np.stack(poses))
    if not track.seen.any():
        raise EngineError("No face was found in the video; choose one that shows a face from the front, well lit.")
    return track


def _landmarker(model: str | Path):
    try:
        import mediapipe
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision
    except ImportError as error:
        raise EngineError("Following a face takes the package mediapipe; pip install mediapipe.") from error
    if not Path(model).is_file():
        raise EngineError(f"There is no file {model}; get MediaPipe's face_landmarker.task and name it.")
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=Path(model).read_bytes()),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    try:
        landmarker = vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"{model} is damaged or no face landmarker; get face_landmarker.task again.") from error

    def image(pixels: np.ndarray):
        return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)

    return landmarker, image


def _points(found, shape: tuple[int, ...]) -> np.ndarray:
    if not found.face_landmarks:
        return np.full((POINTS, 3), np.nan)
    scale = np.array([shape[1], shape[0], shape[1]], float)
    return scale * np.array([[point.x, point.y, point.z] for point in found.face_landmarks[0]])


def _scores(found) -> np.ndarray:
    if not found.face_blendshapes:
        return np.full(len(ARKIT_NAMES), np.nan)
    named = {category.category_name: category.score for category in found.face_blendshapes[0]}
    return np.array([named.get(name, 0.0) for name in ARKIT_NAMES])


def _pose(found) -> np.ndarray:
    if not found.facial_transformation_matrixes:
        return np.full((4, 4), np.nan)
    return np.asarray(found.facial_transformation_matrixes[0], float)
