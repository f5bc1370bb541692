"""Face points of pictures by MediaPipe's Face Landmarker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..shared.arkit import ARKIT_NAMES
from ..shared.errors import Cancelled, EngineError
from .video import Picture

POINTS = 478
MODEL = Path(__file__).with_name("face_landmarker.task")
FACES = 4  # that are told apart
NEAR = 0.8  # widths of a face that it moves at most from one picture to the next


@dataclass(frozen=True)
class FaceTrack:
    """What was seen of a face in F pictures; NaN where it was lost.

    times: (F,) seconds. points: (F, 478, 3) in pixels, x right, y down, z away from the camera in the scale of x.
    scores: (F, 52) of ARKIT_NAMES, 0..1. poses: (F, 4, 4) of the head before the camera, centimetres, y up.
    faces: the most that were seen at once.
    """

    times: np.ndarray
    points: np.ndarray
    scores: np.ndarray
    poses: np.ndarray
    faces: int = 1

    @property
    def seen(self) -> np.ndarray:
        """In which pictures the face was found, (F,) bool."""
        return np.isfinite(self.points).all((1, 2))


def track_face(
    pictures: Iterable[Picture],
    model: str | Path = MODEL,
    *,
    face: int = 0,
    faces: int = FACES,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> FaceTrack:
    """Follow one face through the pictures of a video.

    model: MediaPipe's `face_landmarker.task`. face: 0 for the largest, n for the n-th from the left of the first
    picture that shows so many. faces: that are told apart; asked for a single one, MediaPipe smooths lips and lids in
    time. progress: called with the seconds that are done. cancelled: asked at every picture.

    Raises EngineError when MediaPipe or the model is missing, there are no pictures, or no face in any of them, and
    Cancelled.
    """
    landmarker, image = _landmarker(model, faces)
    times: list[float] = []
    choice, most = _Choice(face), 0
    points, scores, poses = [], [], []
    with landmarker:
        for picture in pictures:
            if cancelled is not None and cancelled():
                raise Cancelled
            # MediaPipe wants whole milliseconds that grow.
            stamp = max(round(1000 * picture.time), (round(1000 * times[-1]) + 1) if times else 0)
            found = landmarker.detect_for_video(image(picture.pixels), stamp)
            times.append(picture.time)
            every = [_points(marks, picture.pixels.shape) for marks in found.face_landmarks]
            chosen, most = choice.of(every), max(most, len(every))
            points.append(np.full((POINTS, 3), np.nan) if chosen is None else every[chosen])
            scores.append(_scores(found, chosen))
            poses.append(_pose(found, chosen))
            if progress is not None:
                progress(picture.time)
    if not times:
        raise EngineError("The video has no pictures; choose another one.")
    track = FaceTrack(np.array(times), np.stack(points), np.stack(scores), np.stack(poses), most)
    if not track.seen.any():
        raise EngineError(_no_face(face, most))
    return track


class _Choice:
    """Which of the faces of a picture is followed: the one that was, else the one that was asked for."""

    def __init__(self, face: int) -> None:
        self.face = face
        self.last: tuple[np.ndarray, float] | None = None

    def of(self, faces: list[np.ndarray]) -> int | None:
        """Place in faces [(478, 3)] of the one to follow; None when it is not there."""
        middles = [points[:, :2].mean(0) for points in faces]
        widths = [float(np.ptp(points[:, 0])) for points in faces]
        place = self._first(middles, widths) if self.last is None else self._again(middles, *self.last)
        if place is not None:
            self.last = middles[place], widths[place]
        return place

    def _first(self, middles: list[np.ndarray], widths: list[float]) -> int | None:
        if not self.face:
            return int(np.argmax(widths)) if widths else None
        from_left = np.argsort([middle[0] for middle in middles])
        return int(from_left[self.face - 1]) if len(middles) >= self.face else None

    @staticmethod
    def _again(middles: list[np.ndarray], middle: np.ndarray, width: float) -> int | None:
        away = [float(np.linalg.norm(other - middle)) for other in middles]
        return int(np.argmin(away)) if away and min(away) < NEAR * width else None


def _no_face(face: int, most: int) -> str:
    if most:
        return f"The video shows {most} face{'s' * (most > 1)} at once, not {face}; choose a smaller number."
    return "No face was found in the video; choose one that shows a face from the front, well lit."


def _landmarker(model: str | Path, faces: int):
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
        num_faces=faces,
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


def _points(marks, shape: tuple[int, ...]) -> np.ndarray:
    scale = np.array([shape[1], shape[0], shape[1]], float)
    return scale * np.array([[point.x, point.y, point.z] for point in marks])


def _scores(found, face: int | None) -> np.ndarray:
    if face is None or len(found.face_blendshapes) <= face:
        return np.full(len(ARKIT_NAMES), np.nan)
    named = {category.category_name: category.score for category in found.face_blendshapes[face]}
    return np.array([named.get(name, 0.0) for name in ARKIT_NAMES])


def _pose(found, face: int | None) -> np.ndarray:
    if face is None or len(found.facial_transformation_matrixes) <= face:
        return np.full((4, 4), np.nan)
    return np.asarray(found.facial_transformation_matrixes[face], float)
