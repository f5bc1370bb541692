"""ICT-FaceKit's OBJ files to the one archive that training reads.

The meshes come from https://github.com/ICT-VGL/ICT-FaceKit (MIT), folder FaceXModel: `generic_neutral_mesh.obj`,
`identity000.obj` to `identity099.obj` and one OBJ per expression. All share one topology; shapes are stored as
displacements from the neutral mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.motion.codes import ICT_NAMES
from engine.shared.errors import EngineError

NEUTRAL = "generic_neutral_mesh.obj"
# Vertex start and end, polygon start and end of each submesh, in the order of the OBJ files.
SUBMESHES = {
    "face": (0, 9409, 0, 9230), "head_neck": (9409, 11248, 9230, 11144), "mouth_socket": (11248, 13294, 11144, 13226),
    "eye_socket_L": (13294, 13678, 13226, 13630), "eye_socket_R": (13678, 14062, 13630, 14034),
    "gums_tongue": (14062, 17039, 14034, 17006), "teeth": (17039, 21451, 17006, 21496),
    "eyeball_L": (21451, 23021, 21496, 23094), "eyeball_R": (23021, 24591, 23094, 24692),
    "lacrimal_L": (24591, 24795, 24692, 24855), "lacrimal_R": (24795, 24999, 24855, 25018),
    "eyeblend_L": (24999, 25023, 25018, 25033), "eyeblend_R": (25023, 25047, 25033, 25048),
    "eyeocc_L": (25047, 25199, 25048, 25176), "eyeocc_R": (25199, 25351, 25176, 25304),
    "lash_L": (25351, 26035, 25304, 25844), "lash_R": (26035, 26719, 25844, 26384),
}  # fmt: skip
# The 68 landmarks in Multi-PIE order, as ICT-FaceKit's vertex_indices.json lists them.
LANDMARKS = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443,
    268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360,
    1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841,
    5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)  # fmt: skip


@dataclass(frozen=True)
class ObjMesh:
    """vertices (V, 3) float32, uv (U, 2) float32, polygons and polygon_uv (P, 4) int32 with -1 padding triangles."""

    vertices: np.ndarray
    uv: np.ndarray
    polygons: np.ndarray
    polygon_uv: np.ndarray


def read_obj(path: Path) -> ObjMesh:
    """Read the v, vt and f lines of a Wavefront OBJ of triangles and quads.

    Raises EngineError when the file is missing or a line cannot be read.
    """
    vertices, uv, polygons, polygon_uv = [], [], [], []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                kind, *values = line.split() or [""]
                if kind == "v":
                    vertices.append([float(value) for value in values[:3]])
                elif kind == "vt":
                    uv.append([float(value) for value in values[:2]])
                elif kind == "f":
                    corners = [[int(number or 0) - 1 for number in (*value.split("/"), "0")[:2]] for value in values]
                    padded = [*corners, [-1, -1]][:4]
                    polygons.append([corner[0] for corner in padded])
                    polygon_uv.append([corner[1] for corner in padded])
    except FileNotFoundError as error:
        raise EngineError(f"{path} is missing; name ICT-FaceKit's FaceXModel folder.") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise EngineError(f"{path} is not an OBJ mesh of triangles and quads; get ICT-FaceKit again.") from error
    return ObjMesh(
        np.array(vertices, np.float32),
        np.array(uv, np.float32).reshape(-1, 2),
        np.array(polygons, np.int32),
        np.array(polygon_uv, np.int32),
    )


def triangulated(polygons: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (T, 3) of polygons (P, 4), and the polygon (T,) of each; quads are cut along the shorter diagonal."""
    quads = polygons[:, 3] >= 0
    owner = np.repeat(np.arange(len(polygons)), 1 + quads)
    second = np.r_[False, owner[1:] == owner[:-1]]
    corners = vertices[polygons]  # (P, 4, 3)
    diagonals = np.linalg.norm(corners[:, :2] - corners[:, 2:], axis=2)  # (P, 2)
    across = (quads & (diagonals[:, 1] < diagonals[:, 0]))[owner]
    straight = np.where(second[:, None], polygons[owner][:, [0, 2, 3]], polygons[owner][:, :3])
    turned = np.where(second[:, None], polygons[owner][:, 1:], polygons[owner][:, [0, 1, 3]])
    return np.where(across[:, None], turned, straight).astype(np.int32), owner.astype(np.int32)


def convert(folder: Path, output: Path, identities: int = 100) -> None:
    """Write the archive that `FaceKit.load` reads. Raises EngineError when a file is missing or does not fit."""
    neutral = read_obj(folder / NEUTRAL)
    triangles, owner = triangulated(neutral.polygons, neutral.vertices)

    def displacements(names: list[str]) -> np.ndarray:
        shapes = np.zeros((len(names), *neutral.vertices.shape), np.float16)
        for shape, name in zip(shapes, names, strict=True):
            mesh = read_obj(folder / f"{name}.obj")
            if mesh.vertices.shape != neutral.vertices.shape:
                raise EngineError(f"{name}.obj has other vertices than {NEUTRAL}; get ICT-FaceKit again.")
            shape[:] = mesh.vertices - neutral.vertices
        return shapes

    output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        output,
        neutral=neutral.vertices,
        identity=displacements([f"identity{n:03d}" for n in range(identities)]),
        expression=displacements(list(ICT_NAMES)),
        tri=triangles,
        tri_poly=owner,
        poly=neutral.polygons,
        poly_uv=neutral.polygon_uv,
        uv=neutral.uv,
        submesh_names=np.array(list(SUBMESHES)),
        submesh_ranges=np.array(list(SUBMESHES.values()), np.int32),
        landmarks68=np.array(LANDMARKS, np.int32),
    )
