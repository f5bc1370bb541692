"""Where hair grows on the starter's head of fixed topology, from scalp.npz (`tools/hair_scalp.py`).

Places of strands are worked out on the mean head at rest and carried to the head that wears them. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("scalp.npz")
MASKS = ("scalp", "receding", "beard", "moustache", "goatee", "brow")
MIDDLE = np.array([0.0, 0.045, 0.03], np.float32)  # of the skull, metres
SHOULDERS = np.array([0.0, 0.075, -0.245], np.float32), np.array([0.19, 0.085, 0.105], np.float32)  # centre, radii


@dataclass(frozen=True)
class Scalp:
    """Metres, Blender's axes, mean head at rest.

    template_vertices: how many vertices the template has; rows: (R,) its vertices that hair needs, the supports first.
    places: (R, 3); triangles: (T, 3) into rows; triples: (T, 3) supports of what grows there; masks: (R, M) 0..1.
    supports: how many of the rows hold strands. lash_roots: (2 eyes, 6 sheets, 19 columns) triangles, with lash_shares
    (..., 3) of their corners and lash_offsets (..., 6, 3) of the lash from its root; sheets 0 to 2 are upper lashes.
    shell: (48, 96) how far skin reaches from MIDDLE.
    """

    template_vertices: int
    rows: np.ndarray
    places: np.ndarray
    triangles: np.ndarray
    triples: np.ndarray
    masks: np.ndarray
    supports: int
    lash_roots: np.ndarray
    lash_shares: np.ndarray
    lash_offsets: np.ndarray
    shell: np.ndarray

    def mask(self, name: str) -> np.ndarray:
        """How densely a kind of hair may grow at the rows, (R,) 0..1."""
        return self.masks[:, MASKS.index(name)]

    def normals(self) -> np.ndarray:
        """Unit normals (T, 3) of the triangles."""
        a, b, c = self.places[self.triangles].swapaxes(0, 1)
        normals = np.cross(b - a, c - a)
        return normals / np.linalg.norm(normals, axis=1, keepdims=True)

    def reach(self, directions: np.ndarray) -> np.ndarray:
        """How far skin reaches from MIDDLE along unit directions (..., 3); (...)."""
        height = (np.arcsin(np.clip(directions[..., 2], -1, 1)) / np.pi + 0.5) * (self.shell.shape[0] - 1)
        turn = np.arctan2(directions[..., 0], directions[..., 1]) / (2 * np.pi) + 0.5
        turn = turn * self.shell.shape[1]
        low, left = np.floor(height).astype(int), np.floor(turn).astype(int)
        up, right = height - low, turn - left
        top = np.minimum(low + 1, self.shell.shape[0] - 1)
        left, after = left % self.shell.shape[1], (left + 1) % self.shell.shape[1]
        lower = self.shell[low, left] * (1 - right) + self.shell[low, after] * right
        upper = self.shell[top, left] * (1 - right) + self.shell[top, after] * right
        return lower * (1 - up) + upper * up


@cache
def scalp() -> Scalp:
    """The scalp of the starter's template."""
    with np.load(FILE, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    rows, supports = arrays["rows"].astype(np.int64), arrays["supports"].astype(np.int64)
    holds = np.isin(rows, supports)
    order = np.argsort(~holds, kind="stable")
    place = np.empty(len(rows), np.int32)  # of a row after the supports came first; these keep their order
    place[order] = np.arange(len(rows))
    return Scalp(
        template_vertices=int(arrays["template_vertices"]),
        rows=rows[order].astype(np.int32),
        places=arrays["places"][order],
        triangles=place[arrays["triangles"].astype(np.int64)],
        triples=arrays["triples"].astype(np.int32),
        masks=arrays["masks"][order].astype(np.float32) / 255.0,
        supports=int(holds.sum()),
        lash_roots=arrays["lash_triangles"].astype(np.int32).reshape(2, 6, 19),
        lash_shares=arrays["lash_shares"].astype(np.float32).reshape(2, 6, 19, 3),
        lash_offsets=arrays["lash_offsets"].astype(np.float32).reshape(2, 6, 19, 6, 3),
        shell=arrays["shell"].astype(np.float32),
    )
