"""Strands of a style: sown on the scalp, grown and combed in steps, clumped, curled and frizzed. NumPy only."""

from __future__ import annotations

import numpy as np

from .scalp import MIDDLE, SHOULDERS, Scalp
from .strands import SCALP, Roots, Strands, ranks_of, sown, tapered, unit
from .styles import STYLES, Style

BUN = np.array([0.0, 0.128, 0.095], np.float32)  # its middle, metres
BUN_RADII = np.array([0.042, 0.036, 0.036], np.float32)
CLUMP_STRANDS = 24  # that follow one of their own
NEAREST_AT_ONCE = 2000


def hair(
    scalp: Scalp, name: str, seed: int, length: float = 1.0, receding: float = 0.0, thickness: float = 1.0
) -> Strands:
    """The strands of a style on the mean head.

    length, thickness: factors on their length and number; receding: 0..1 how far the hairline has gone back.
    """
    style = STYLES[name]
    rng = np.random.default_rng([seed, 1])
    density = scalp.mask("scalp") * (1 - receding) + scalp.mask("receding") * receding
    roots = sown(scalp, density, round(style.count * thickness), rng)
    lengths = _lengths(style, roots, rng) * length
    loose = rng.random(len(lengths)) < style.flyaways
    points = _grown(scalp, style, roots, lengths, rng)
    clumps = _clumps(roots.places, rng)
    points = _curled(style, points, lengths, clumps, rng, loose)
    points = _clumped(style, points, clumps, loose, rng)
    points = _frizzed(style, points, rng, loose)
    if style.comb == "bun":
        points = _into_bun(points, rng)
    points[:, 0] = roots.places
    spread = rng.uniform(0.75, 1.2, len(lengths)) * np.where(loose, 0.7, 1.0)
    # At the hairline hair is finer and shorter.
    edge = np.clip((density[scalp.triangles[roots.triangles]] * roots.shares[:, :, None][..., 0]).sum(1), 0.45, 1.0)
    radii = tapered(style.width, len(lengths), style.points, style.tip, spread * edge)
    # Flyaways are for renders of all strands: few and wide ones would look like wires.
    return Strands(points, radii, roots.triangles, roots.shares, ranks_of(len(lengths), loose), SCALP)


def _ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def _lengths(style: Style, roots: Roots, rng: np.random.Generator) -> np.ndarray:
    """Lengths (S,) by place, blended between the parts of the head."""
    y, z = roots.places[:, 1], roots.places[:, 2]
    on_top = _ramp(z, 0.062, 0.1)
    behind = _ramp(y, 0.07, 0.11)
    length = style.sides * (1 - behind) + style.back * behind
    # The side grows longer towards the top, as it is cut.
    length = length * (1 - on_top) + style.top * on_top
    if style.fringe is not None:
        front = _ramp(-y, -0.03, 0.01) * on_top
        length = length * (1 - front) + style.fringe * front
    if max(style.top, style.sides) < 0.06:  # short hair tapers towards nape and sideburns
        length = length * (0.55 + 0.45 * _ramp(z, -0.05, 0.03))
    return length * (1 + style.varied * rng.uniform(-1, 0.6, len(length)))


def _comb(style: Style, places: np.ndarray, roots: Roots, parting: np.ndarray) -> np.ndarray:
    """Where hair at places (S, 3) is combed to, unit vectors (S, 3). parting: (S,) x where each strand parts."""
    x, y, z = places.T
    root_x = roots.places[:, 0]
    if style.comb == "forward":
        on_top = _ramp(z, 0.05, 0.1)
        side = 0.35 * np.sign(root_x) * (1 - on_top) + 4.0 * (root_x + 0.012) * on_top
        return unit(np.stack([side, -on_top * 1.0 + 0.25 * (1 - on_top), -(1 - on_top)], 1))
    if style.comb == "bun":
        return unit(BUN - places)
    if style.comb == "out":
        return unit(places - MIDDLE + np.array([0, 0, 0.02]))
    away = np.sign(root_x - parting)
    if style.comb == "parted" and style.gravity < 0.3:  # short sides, the top swept over
        on_top = _ramp(roots.places[:, 2], 0.07, 0.1)
        sweep = np.stack([away * 1.0, 0.25 + 3.0 * y, -0.1 - 1.6 * _ramp(np.abs(x), 0.03, 0.07)], 1)
        down = np.stack([0.2 * np.sign(root_x), 0.35 + 0 * x, -1.0 + 0 * x], 1)
        return unit(sweep * on_top[:, None] + down * (1 - on_top[:, None]))
    # Long hair: from the parting to the sides, backwards over the temples, then down.
    falls = _ramp(np.abs(x), 0.03, 0.075)
    back = 0.55 * _ramp(0.05 - y, 0.0, 0.07) + 0.25
    return unit(np.stack([away * (1.1 - falls), back, -0.12 - 1.1 * falls], 1))


def _grown(scalp: Scalp, style: Style, roots: Roots, lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strands (S, N, 3), step by step: they leave the skin, follow the comb, fall, and stay outside head and neck."""
    count, steps = len(lengths), style.points - 1
    points = np.empty((count, style.points, 3), np.float32)
    points[:, 0] = place = roots.places
    step = (lengths / steps)[:, None]
    layer = style.layer * rng.random(count) ** 0.7
    jitter = style.jitter * rng.normal(size=(count, 3))
    # No straight line: strands next to the parting go to either side.
    parting = style.part + rng.normal(0, 0.0045, count)
    first = _comb(style, place, roots, parting)
    lift = np.full((count, 1), style.lift)
    if style.comb == "parted":
        lift *= 0.3 + 0.7 * np.clip(np.abs(place[:, :1] - style.part) / 0.04, 0, 1)
    direction = unit(roots.normals * lift + first * (1 - lift * 0.8) + jitter * 0.6)
    down = np.array([0, 0, -1.0])
    for number in range(1, style.points):
        walked = number / steps * lengths
        comb = _comb(style, place, roots, parting)
        if style.comb != "out":  # along the head, not away from it
            radial = unit(place - MIDDLE)
            high = 0.85 * _ramp(place[:, 2:], -0.01, 0.06)  # below the ears it hangs freely
            comb = unit(comb - high * radial * np.maximum((comb * radial).sum(1, keepdims=True), 0))
        pull = np.clip(style.gravity * walked / 0.05, 0, 1.6)[:, None]
        turn = np.clip(step / 0.02, 0.1, 0.8)
        if style.comb == "out":
            wanted = roots.normals * 0.8 + comb * 0.6 + down * pull + jitter
        else:
            wanted = comb + down * pull + jitter * 0.5
        direction = unit(direction * (1 - turn) + unit(wanted) * turn)
        moved = place + direction * step
        thick = layer * np.clip(walked / 0.02, 0, 1)
        if style.comb == "parted":  # flat beside the parting: no gap opens there
            thick = thick * (0.15 + 0.85 * np.clip(np.abs(place[:, 0] - style.part) / 0.04, 0, 1))
        outside = _outside(scalp, moved, thick + 0.0007)
        direction = unit(direction + 2.0 * (outside - moved) / np.maximum(step, 1e-6))
        # As long as it was: pushing out must not stretch it.
        place = place + unit(outside - place) * step
        place = _outside(scalp, place, thick + 0.0004)
        points[:, number] = place
    return points


def _outside(scalp: Scalp, places: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Places (S, 3) pushed out of head, neck and shoulders to a distance (S,)."""
    arms = places - MIDDLE
    length = np.maximum(np.linalg.norm(arms, axis=1), 1e-6)
    directions = arms / length[:, None]
    least = scalp.reach(directions) + distance
    pushed = np.maximum(least - length, 0) * (places[:, 2] > -0.125)
    places = places + directions * pushed[:, None]
    centre, radii = SHOULDERS
    inside = (places - centre) / radii
    depth = np.linalg.norm(inside, axis=1)
    factor = np.where(depth < 1, 1 / np.maximum(depth, 0.3), 1.0)
    return centre + (places - centre) * factor[:, None]


def _clumps(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For every strand, the strand (S,) that its clump follows."""
    leaders = rng.permutation(len(places))[: max(len(places) // CLUMP_STRANDS, 1)]
    found = np.empty(len(places), np.int64)
    squares = (places[leaders] ** 2).sum(1)
    for start in range(0, len(places), NEAREST_AT_ONCE):
        part = places[start : start + NEAREST_AT_ONCE]
        found[start : start + len(part)] = leaders[(squares - 2 * part @ places[leaders].T).argmin(1)]
    return found


def _clumped(
    style: Style, points: np.ndarray, clumps: np.ndarray, loose: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    along = np.linspace(0, 1, style.points) ** 0.9
    strength = style.clump * rng.uniform(0.35, 1.0, len(points)) * ~loose
    share = (along[None] * strength[:, None])[..., None].astype(np.float32)
    return points + (points[clumps] - points) * share


def _curled(
    style: Style,
    points: np.ndarray,
    lengths: np.ndarray,
    clumps: np.ndarray,
    rng: np.random.Generator,
    loose: np.ndarray,
) -> np.ndarray:
    """Waves and spirals, alike within a clump."""
    (flat, waves), (radius, turns) = style.wave, style.curl
    if not flat and not radius:
        return points
    along = unit(np.gradient(points, axis=1))
    outwards = unit(points - MIDDLE)
    across = unit(np.cross(along, outwards))
    upright = np.cross(across, along)
    walked = np.linspace(0, 1, style.points)[None] * lengths[:, None]
    phases = rng.uniform(0, 2 * np.pi, len(points))[clumps] + rng.normal(0, 0.35, len(points)) + 2.0 * loose
    rates = rng.uniform(0.85, 1.2, len(points))[clumps]
    begins = np.clip(walked / 0.03, 0, 1) ** 1.3
    if flat:
        angle = 2 * np.pi * waves * walked * rates[:, None] + phases[:, None]
        size = flat * begins * rng.uniform(0.7, 1.3, len(points))[clumps][:, None]
        points = points + (size * np.sin(angle))[..., None] * across
        points = points + (0.5 * size * np.sin(angle + 1.3))[..., None] * upright
    if radius:
        angle = 2 * np.pi * turns * walked * rates[:, None] + phases[:, None]
        size = radius * np.clip(walked / 0.015, 0, 1) * rng.uniform(0.7, 1.3, len(points))[clumps][:, None]
        points = points + (size * np.cos(angle))[..., None] * across + (size * np.sin(angle))[..., None] * upright
    return points.astype(np.float32)


def _frizzed(style: Style, points: np.ndarray, rng: np.random.Generator, loose: np.ndarray) -> np.ndarray:
    """Every strand wanders a little on its own way, flyaways more."""
    if not style.frizz:
        return points
    knots = rng.normal(size=(len(points), 4, 3)).astype(np.float32)
    knots[:, 0] = 0
    at = np.linspace(0, 3, style.points)
    left = np.minimum(at.astype(int), 2)
    part = (at - left)[None, :, None]
    wander = knots[:, left] * (1 - part) + knots[:, left + 1] * part
    size = style.frizz * (0.55 + 3.0 * loose)
    return (points + size[:, None, None] * wander).astype(np.float32)


def _into_bun(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What has arrived at the bun goes around it."""
    count, number = points.shape[:2]
    axis = unit(BUN - MIDDLE)
    first = unit(np.cross(axis, np.array([1.0, 0, 0])))
    second = np.cross(axis, first)
    start, tilt = rng.uniform(0, 2 * np.pi, count), rng.normal(0, 0.5, count)
    turns = rng.uniform(0.5, 1.0, count)
    radius = rng.uniform(0.75, 1.0, count)
    distance = np.linalg.norm(points - BUN, axis=2)
    arrived = np.maximum.accumulate(distance < 0.045, axis=1)
    order = np.cumsum(arrived, 1)
    angle = start[:, None] + turns[:, None] * order * (2 * np.pi / number)
    height = np.sin(tilt)[:, None] * np.ones_like(angle)
    ring = np.cos(tilt)[:, None] * np.cos(angle), np.cos(tilt)[:, None] * np.sin(angle)
    around = ring[0][..., None] * first + ring[1][..., None] * second + height[..., None] * axis
    on_bun = BUN + around * BUN_RADII * radius[:, None, None]
    share = np.clip(order / 2.0, 0, 1)[..., None] * arrived[..., None]
    return (points * (1 - share) + on_bun * share).astype(np.float32)
