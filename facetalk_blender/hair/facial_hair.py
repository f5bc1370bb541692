"""Strands of the face: brows, lashes, beards. NumPy only."""

from __future__ import annotations

import numpy as np

from .scalp import Scalp
from .strands import ALWAYS, BEARD, BROW, LASH, Roots, Strands, ranks_of, roots_at, sown, tapered, unit
from .styles import BEARDS

BROW_STRANDS, BROW_POINTS, BROW_LENGTH, BROW_WIDTH = 1000, 4, 0.0088, 0.00006
BROW_INNER, BROW_OUTER = 0.010, 0.056  # x of the ends, metres
LASH_POINTS, LASH_WIDTH, UPPER_LASHES, LOWER_LASHES = 5, 0.00006, 190, 80  # an eye
LASHES_SHORTER = 0.92  # than ICT-FaceKit's sheets
DOWN = np.array([0.0, 0.0, -1.0])


def brows(scalp: Scalp, seed: int, thickness: float = 1.0) -> Strands:
    """Both brows. thickness: factor on their strands."""
    rng = np.random.default_rng([seed, 2])
    roots = sown(scalp, scalp.mask("brow") ** 0.8, round(BROW_STRANDS * thickness), rng)
    x, z, side = np.abs(roots.places[:, 0]), roots.places[:, 2], np.sign(roots.places[:, 0])
    along = np.clip((x - BROW_INNER) / (BROW_OUTER - BROW_INNER), 0, 1)
    # Up at the inner end, then outwards, down at the tail; upper hairs lean down and lower ones up.
    middle = np.interp(x, np.sort(x), _running_mean(z[np.argsort(x)], 61))
    lean = np.clip((middle - z) / 0.004, -1, 1)
    up = np.interp(along, [0, 0.18, 0.6, 1.0], [1.5, 0.7, 0.05, -0.45]) + 0.45 * lean
    sideways = np.interp(along, [0, 0.15, 1.0], [0.35, 1.0, 1.0])
    comb = np.stack([side * sideways, 0 * x, up], 1) + rng.normal(0, 0.13, (len(x), 3))
    length = BROW_LENGTH * np.interp(along, [0, 0.3, 0.8, 1], [0.8, 1.0, 0.85, 0.55]) * rng.uniform(0.65, 1.1, len(x))
    points = _bent(roots, comb, length, BROW_POINTS, rise=0.42, settle=0.75)
    radii = tapered(BROW_WIDTH, len(x), BROW_POINTS, 0.25, rng.uniform(0.7, 1.15, len(x)))
    return Strands(points, radii, roots.triangles, roots.shares, np.full(len(x), ALWAYS, np.float32), BROW, 0.06)


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(values, width // 2, "edge")
    return np.convolve(padded, np.ones(width) / width, "valid")[: len(values)]


def lashes(scalp: Scalp, seed: int, length: float = 1.0) -> Strands:
    """Upper and lower lashes of both eyes, along the edges of the lids. length: factor."""
    rng = np.random.default_rng([seed, 3])
    triangles, shares, points = [], [], []
    for eye in range(2):
        for sheets, count in ((range(3), UPPER_LASHES), (range(3, 6), LOWER_LASHES)):
            chosen = _lash_row(scalp, eye, np.array(sheets), count, length, rng)
            for made, found in zip((triangles, shares, points), chosen, strict=True):
                made.append(found)
    joined = [np.concatenate(made) for made in (triangles, shares, points)]
    count = len(joined[0])
    radii = tapered(LASH_WIDTH, count, LASH_POINTS, 0.15, rng.uniform(0.8, 1.1, count))
    ranks = np.full(count, ALWAYS, np.float32)
    return Strands(joined[2].astype(np.float32), radii, joined[0], joined[1], ranks, LASH, 0.35)


def _lash_row(
    scalp: Scalp, eye: int, sheets: np.ndarray, count: int, length: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns = scalp.lash_roots.shape[2]
    sheet = sheets[rng.integers(0, len(sheets), count)]
    place = (np.arange(count) + rng.uniform(0.2, 0.8, count)) / count * (columns - 1)
    left = np.minimum(place.astype(int), columns - 2)
    part = (place - left).astype(np.float32)
    nearer = np.where(part < 0.5, left, left + 1)
    triangles, shares = scalp.lash_roots[eye, sheet, nearer], scalp.lash_shares[eye, sheet, nearer]
    offsets = scalp.lash_offsets[eye, sheet]  # (count, columns, rows, 3)
    own = np.arange(count)
    shape = offsets[own, left] * (1 - part)[:, None, None] + offsets[own, left + 1] * part[:, None, None]
    # Lashes meet in small groups.
    group = np.round(place * 2.6) / 2.6
    shape = shape * (length * LASHES_SHORTER * rng.uniform(0.6, 1.08, count))[:, None, None]
    roots = _lash_places(scalp, eye, sheet, left, part)
    clustered = np.interp(group, np.arange(columns), np.arange(columns))
    pulled = _lash_places(scalp, eye, sheet, np.minimum(clustered.astype(int), columns - 2),
                          clustered - np.minimum(clustered.astype(int), columns - 2))  # fmt: skip
    rows = np.linspace(0, 1, shape.shape[1])[None, :, None]
    points = roots[:, None] + shape + (pulled - roots)[:, None] * 0.6 * rows**1.5
    points += rng.normal(0, 0.0003, (count, 1, 3)) * rows
    wanted = np.linspace(0, shape.shape[1] - 1, LASH_POINTS)
    low = np.minimum(wanted.astype(int), shape.shape[1] - 2)
    step = (wanted - low)[None, :, None]
    return triangles, shares, points[:, low] * (1 - step) + points[:, low + 1] * step


def _lash_places(scalp: Scalp, eye: int, sheet: np.ndarray, left: np.ndarray, part: np.ndarray) -> np.ndarray:
    rows = scalp.triangles[scalp.lash_roots[eye]]  # (6, 19, 3)
    places = (scalp.places[rows] * scalp.lash_shares[eye][..., None]).sum(2)  # (6, 19, 3)
    part = part[:, None]
    return places[sheet, left] * (1 - part) + places[sheet, left + 1] * part


def beard(scalp: Scalp, name: str, seed: int, density: float = 1.0) -> list[Strands]:
    """The strands of a beard."""
    style, made = BEARDS[name], []
    for number, (mask, count, size) in enumerate(style.parts):
        rng = np.random.default_rng([seed, 4, number])
        roots = sown(scalp, scalp.mask(mask), round(count * density), rng)
        x, z = roots.places[:, 0], roots.places[:, 2]
        if mask == "moustache":
            comb = np.stack([2.2 * np.tanh(x / 0.006), 0.1 - 6 * np.abs(x), -0.75 - 12 * np.abs(x)], 1)
        else:
            comb = np.stack([2.0 * x, 0.2 - 0.9 * (z < -0.085), -1.0 + 0 * x], 1)
        comb = comb + rng.normal(0, 0.3, comb.shape)
        local = (scalp.mask(mask)[scalp.triangles[roots.triangles]] * roots.shares).sum(1)
        lengths = size * rng.uniform(0.55, 1.1, len(x)) * (0.35 + 0.65 * np.clip(local, 0, 1))
        points = _bent(roots, comb, lengths, style.points, rise=0.55, settle=style.droop)
        points = _wandering(points, style.frizz, rng)
        radii = tapered(style.width, len(x), style.points, 0.4, rng.uniform(0.8, 1.2, len(x)))
        made.append(Strands(points, radii, roots.triangles, roots.shares, ranks_of(len(x)), BEARD, 0.0))
    return made


def _bent(roots: Roots, comb: np.ndarray, lengths: np.ndarray, points: int, rise: float, settle: float) -> np.ndarray:
    """Strands (S, N, 3) that rise from the skin by a share and settle along a direction on it."""
    on_skin = unit(comb - roots.normals * (comb * roots.normals).sum(1, keepdims=True))
    step = (lengths / (points - 1))[:, None]
    place, made = roots.places, [roots.places]
    for number in range(1, points):
        lift = rise * (1 - settle * (number - 1) / max(points - 1, 1))
        place = place + step * unit(on_skin * (1 - lift) + roots.normals * lift)
        made.append(place)
    return np.stack(made, 1).astype(np.float32)


def _wandering(points: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    number = points.shape[1]
    if not size or number < 3:
        return points
    steps = rng.normal(size=points.shape)
    steps[:, 0] = 0
    return (points + size / np.sqrt(number) * 0.6 * np.cumsum(steps, 1)).astype(np.float32)


def lids(scalp: Scalp) -> Roots:
    """Roots of ICT-FaceKit's lash sheets."""
    return roots_at(scalp, scalp.lash_roots.ravel(), scalp.lash_shares.reshape(-1, 3))
