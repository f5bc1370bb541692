"""What a table compares: bundles that speak, codes that were fitted, and vertex sequences of other methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from engine import Engine, ExpressionTake
from engine.head.networks.smoothing import SmoothingConfig
from engine.head.polygons import triangulated
from engine.motion.codes import interpolated
from engine.shared.errors import EngineError
from engine.shared.hostile_files import UNREADABLE, read_json, read_npy
from engine.shared.units import METRES_PER_UNIT, SAMPLE_RATE, UNITS_PER_MILLIMETRE
from evaluation.tables.crops import Frame

RESOLUTION = 64
LARGEST_SEQUENCE = 4 << 30  # bytes
# Heights of a head or bust in millimetres, by which its unit is told: metres, centimetres or millimetres.
HEAD_MM = (150.0, 900.0)
VOCA_RATE = 60.0
AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class Clip:
    """A recording by its name, and its samples (S,) at 16 kHz."""

    name: str
    samples: np.ndarray


class Method(Protocol):
    """A method by its name. `codes` are None where it has none; frames come at the rate that is asked for."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def codes(self, clip: Clip, seed: int) -> tuple[np.ndarray, float] | None:
        """Codes (N, D) of a clip and their rate in Hz."""

    def frames(self, clip: Clip, seed: int, rate: float) -> Iterator[Frame]:
        """Meshes of a clip."""

    @property
    def mouth(self) -> np.ndarray:
        """The middle of the mouth (3,) in model units."""


class Head:
    """Meshes of codes on the mean head of a bundle: its template where it has one, else marching cubes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def frames(self, codes: np.ndarray, code_rate: float, rate: float) -> Iterator[Frame]:
        """Meshes at `rate` of codes (N, D) at `code_rate`."""
        times = np.arange(int(len(codes) / code_rate * rate)) / rate
        take = ExpressionTake(interpolated(codes, code_rate, times), rate)
        if self.engine.bundle.missing("shape_keys"):
            for surface in self.engine.surfaces(take, resolution=RESOLUTION):
                yield Frame(_model_units(surface.vertices), surface.faces)
            return
        sequence = self.engine.shape_keys(take)
        triangles = triangulated(sequence.polygons)
        for positions in sequence.positions:
            yield Frame(_model_units(positions), triangles)

    @cached_property
    def mouth(self) -> np.ndarray:
        """The middle of the lips of the head at rest: of the template's region, else where the anchors have it."""
        if self.engine.bundle.missing("shape_keys"):
            return np.array(SmoothingConfig().centre)
        sequence = self.engine.shape_keys(ExpressionTake(np.zeros((1, self.engine.head.expression_dimensions))))
        lips = sequence.regions[:, sequence.region_names.index("lips")] > 127
        return _model_units(sequence.vertices)[lips].mean(axis=0)


@dataclass(frozen=True)
class SpeakingBundle:
    """A bundle that makes codes of a recording. Without a head of its own it is shown on `head`."""

    name: str
    engine: Engine
    head: Head

    def codes(self, clip: Clip, seed: int) -> tuple[np.ndarray, float]:
        """Sampled with the bundle's own settings."""
        take = self.engine.sample((clip.samples, SAMPLE_RATE), seed=seed)
        return take.codes, take.rate

    def frames(self, clip: Clip, seed: int, rate: float) -> Iterator[Frame]:
        """Meshes of the sampled codes."""
        return self.head.frames(*self.codes(clip, seed), rate)

    @property
    def mouth(self) -> np.ndarray:
        """Of the head."""
        return self.head.mouth


@dataclass(frozen=True)
class FittedCodes:
    """Codes (N, D) by clip, of a dataset; there is one take of each."""

    name: str
    sequences: dict[str, np.ndarray]
    rate: float
    head: Head

    def codes(self, clip: Clip, seed: int) -> tuple[np.ndarray, float]:
        """The codes of the sequence of that name. Raises EngineError when there is none."""
        if clip.name not in self.sequences:
            raise EngineError(f"{self.name} has no sequence {clip.name}; fit it too, or leave the clip out.")
        return self.sequences[clip.name], self.rate

    def frames(self, clip: Clip, seed: int, rate: float) -> Iterator[Frame]:
        """Meshes of the codes."""
        return self.head.frames(*self.codes(clip, seed), rate)

    @property
    def mouth(self) -> np.ndarray:
        """Of the head."""
        return self.head.mouth


class VertexSequences:
    """Vertex sequences as VOCA and FaceFormer write them: CLIP.npy with (N, V, 3) or (N, 3 V) numbers, and a template.

    The folder holds `template.ply` or `.obj` with the triangles, and may hold `sequence.json`: fps (60), up and forward
    ("y", "z"; "-y" means the other way) and mouth, its middle in the file's own units. The unit is told by the height
    of the head; without `mouth` it lies where vertices move most.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        settings = _settings(folder)
        self.rate = float(settings.get("fps", VOCA_RATE))
        self._axes = _axes(settings.get("up", "y"), settings.get("forward", "z"), folder)
        self._mouth = settings.get("mouth")
        self._template, self.triangles = _template(folder)
        self._scale = _scale(self._template @ self._axes.T, folder)

    def codes(self, clip: Clip, seed: int) -> None:
        """None: these have no codes."""
        return None

    def positions(self, clip: Clip) -> np.ndarray:
        """Vertices (N, V, 3) in model units at the sequence's own rate. Raises EngineError for a file that is none."""
        path = self.folder / f"{clip.name}.npy"
        try:
            array = read_npy(path, LARGEST_SEQUENCE)
        except FileNotFoundError as error:
            raise EngineError(f"{self.name} has no {path.name}; make it, or leave the clip out.") from error
        except UNREADABLE as error:
            raise EngineError(f"{path} is not a readable array of numbers; write it with numpy.save.") from error
        vertices = len(self._template)
        if array.dtype.kind != "f" or array.size % (3 * vertices) or not len(array) or not np.isfinite(array).all():
            raise EngineError(f"{path} should hold finite frames of {vertices} vertices, as the template; export it.")
        return (array.reshape(len(array), vertices, 3) @ self._axes.T * self._scale).astype(np.float32)

    def frames(self, clip: Clip, seed: int, rate: float) -> Iterator[Frame]:
        """Meshes, straight between the frames of the file."""
        positions = self.positions(clip)
        for time in np.arange(int(len(positions) / self.rate * rate)) / rate * self.rate:
            first = min(int(time), len(positions) - 1)
            after = min(first + 1, len(positions) - 1)
            share = np.float32(time - first)
            yield Frame((1 - share) * positions[first] + share * positions[after], self.triangles)

    @cached_property
    def mouth(self) -> np.ndarray:
        """As given, else the mean place of what moves, of the first sequence by name."""
        if self._mouth is not None:
            return self._axes @ np.asarray(self._mouth, float) * self._scale
        paths = sorted(self.folder.glob("*.npy"))
        if not paths:
            raise EngineError(f"{self.folder} has no sequences; put CLIP.npy files there.")
        positions = self.positions(Clip(paths[0].stem, np.zeros(0)))
        motion = positions.std(axis=0).sum(axis=1) ** 2  # (V,)
        if not motion.sum() > 0:
            raise EngineError(f"Nothing moves in {paths[0].name}; name the mouth in sequence.json.")
        return (positions.mean(axis=0) * motion[:, None]).sum(axis=0) / motion.sum()


def _model_units(points: np.ndarray) -> np.ndarray:
    """Blender's metres to model units."""
    x, y, z = np.moveaxis(np.asarray(points) / METRES_PER_UNIT, -1, 0)
    return np.stack([x, z, -y], -1)


def _settings(folder: Path) -> dict:
    path = folder / "sequence.json"
    if not path.exists():
        return {}
    try:
        settings = read_json(path)
    except UNREADABLE as error:
        raise EngineError(f'{path} is not valid JSON; write e.g. {{"fps": 30}}.') from error
    if not isinstance(settings, dict) or not settings.keys() <= {"fps", "up", "forward", "mouth"}:
        raise EngineError(f"{path} may hold fps, up, forward and mouth, nothing else.")
    return settings


def _axes(up: str, forward: str, folder: Path) -> np.ndarray:
    """Rows (3, 3): where x, y and z of the model are in the file's axes."""
    rows = []
    for name in (up, forward):
        letter = str(name).removeprefix("-")
        if letter not in AXES:
            raise EngineError(f"up and forward in {folder / 'sequence.json'} must be x, y, z or one of these with a -.")
        rows.append((-1.0 if str(name).startswith("-") else 1.0) * np.eye(3)[AXES[letter]])
    return np.stack([np.cross(rows[0], rows[1]), *rows])


def _scale(template: np.ndarray, folder: Path) -> float:
    """Model units of one unit of the file."""
    height = float(np.ptp(template[:, 1]))
    for millimetres in (1000.0, 10.0, 1.0):
        if HEAD_MM[0] <= millimetres * height <= HEAD_MM[1]:
            return millimetres * UNITS_PER_MILLIMETRE
    raise EngineError(f"The head in {folder} is {height:g} units high, neither metres nor millimetres; scale it.")


def _template(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    import igl

    for name in ("template.ply", "template.obj"):
        path = folder / name
        if path.is_file():
            vertices, triangles = igl.read_triangle_mesh(str(path))
            if not len(triangles) or not np.isfinite(vertices).all():
                raise EngineError(f"{path} is not a readable mesh of triangles; export it again.")
            return np.asarray(vertices), np.asarray(triangles, np.int64)
    raise EngineError(f"{folder} has no template.ply or template.obj; put the mesh of its vertices there.")
