"""Openings of lips and eyelids, measured between shapes whose distance is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from closed_spheres import sphere
from scipy.spatial import cKDTree

from engine.shared.units import MILLIMETRES_PER_UNIT
from evaluation.head.openings import (
    SIGHT,
    LipSheets,
    lid_opening,
    middle_section,
    sight_lines,
    wrong_shares,
)
from evaluation.shared.lip_section import SECTION_STEP, lip_opening

MILLIMETRE = 1 / MILLIMETRES_PER_UNIT


@pytest.mark.parametrize("gap", [0.0, 0.4, 3.0])
def test_lip_opening_is_the_gap_between_two_lips(gap):
    y, z = np.meshgrid(np.arange(-40, 41) * SECTION_STEP, np.arange(-30, 31) * SECTION_STEP, indexing="ij")
    radius = 4.0 * MILLIMETRE
    middle = radius + (gap / 2 if gap else -0.1) * MILLIMETRE  # sealed lips press on each other
    section = np.minimum(np.hypot(y - middle, z), np.hypot(y + middle, z)) - radius
    seeds = np.array([[40 + 12, 30], [40 - 12, 30]])
    assert lip_opening(section, seeds) == pytest.approx(gap, abs=0.15)


def test_middle_of_a_ball_is_a_dense_circle():
    vertices, triangles = sphere((0.01, 0, 0), 0.1)
    points = middle_section(vertices[triangles])
    radius = np.sqrt(0.1**2 - 0.01**2)
    assert np.allclose(np.linalg.norm(points, axis=1), radius, atol=1e-3)
    around = radius * np.stack([np.cos(np.linspace(0, 7, 900)), np.sin(np.linspace(0, 7, 900))], 1)
    assert cKDTree(points).query(around)[0].max() < 1e-3


@pytest.mark.parametrize("gap", [-0.3, 0.4, 3.0])
def test_lips_are_apart_by_the_gap_of_their_sheets_whatever_stands_behind(gap):
    radius = 4.0 * MILLIMETRE
    upper, lower, tooth = (sphere((0.0, y, 0.0), radius) for y in (radius, -radius, 0.0))
    vertices = np.concatenate([upper[0], lower[0], tooth[0]])
    count = len(upper[0])
    triangles = np.concatenate([upper[1], lower[1] + count])
    landmarks = np.zeros(68, int)
    inner = [
        int(np.abs(vertices[part]).sum(1).argmin()) + start
        for part, start in ((slice(0, count), 0), (slice(count, 2 * count), count))
    ]
    landmarks[48:68] = np.repeat(inner, 10)
    landmarks[[62, 66]] = inner
    kit = SimpleNamespace(
        neutral=vertices, canonical=lambda head: head, landmarks=landmarks, submesh=lambda *names: triangles
    )
    posed = vertices.copy()
    posed[:count, 1] += gap * MILLIMETRE
    assert LipSheets(kit).opening(posed) == pytest.approx(max(gap, 0.0), abs=0.06)


def test_lid_opening_is_the_height_over_which_the_eyeball_is_seen():
    vertices, triangles = sphere((0.1, 0.05, 0.0), 15 * MILLIMETRE)
    lines = sight_lines(vertices, triangles, np.array([0.1, 0.05, 15 * MILLIMETRE]))
    x, y, z = np.moveaxis(lines, 2, 0) - np.array([0.1, 0.05, 0.0])[:, None, None]
    front = np.sqrt((15 * MILLIMETRE) ** 2 - y[:, :1] ** 2)
    assert np.allclose(x, 0)
    assert np.allclose(z, front + SIGHT, atol=0.1 * MILLIMETRE)
    assert lid_opening(np.ones(y.shape, bool)) == pytest.approx(22.0, abs=0.3)
    lid = (np.abs(z - 17 * MILLIMETRE) < MILLIMETRE) & (y > 4 * MILLIMETRE)  # thin, with air behind it
    lower_lid = (z < 16 * MILLIMETRE) & (y < -4 * MILLIMETRE)
    assert lid_opening(~lid & ~lower_lid) == pytest.approx(8.0, abs=0.5)


def test_wrong_solid_and_wrong_air_leave_the_surface_out():
    true = np.array([3.0, 3.0, 3.0, 3.0, 0.2, -0.2, -3.0, -3.0]) * MILLIMETRE
    found = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0]) * MILLIMETRE
    assert wrong_shares(true, found) == {"solid_in_air": 0.25, "air_in_solid": 0.5}
