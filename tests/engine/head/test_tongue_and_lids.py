"""The starter's template: a tongue that moves and keeps its volume, lids that hide the eye on every head."""

import igl
import numpy as np
import pytest

from engine import Engine
from engine.head.lids import OUTER_RING, Eyeball
from engine.head.polygons import triangulated
from engine.head.template import Template
from engine.head.topology.correspondence import BLINKS, FixedTopologyHead
from engine.motion.codes import codes_from_weights
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.units import UNITS_PER_MILLIMETRE
from engine.shared.weights import TONGUE_NAMES, WEIGHT_NAMES

MILLIMETRE = UNITS_PER_MILLIMETRE
STEP = 0.4 * MILLIMETRE
CANTHUS = 1.0  # mm^2 of the eyeball in the corner at the nose, where ICT-FaceKit has a part of its own


@pytest.fixture(scope="module")
def engine():
    return Engine.load(device="cpu")


def eye_seen(vertices: np.ndarray, triangles: np.ndarray, ball: np.ndarray) -> float:
    """mm^2 of an eyeball, (V,) bool of the vertices (V, 3), that straight rays from the front meet first."""
    low, high = vertices[ball].min(0) - MILLIMETRE, vertices[ball].max(0) + MILLIMETRE
    x, y = np.meshgrid(np.arange(low[0], high[0], STEP), np.arange(low[1], high[1], STEP))
    origins = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], 1)
    tree = igl.AABB()
    tree.init(vertices, triangles)
    hit, _, _ = tree.intersect_ray_first(vertices, triangles, origins, np.repeat([[0.0, 0.0, -1.0]], len(origins), 0))
    on_ball = ball[triangles].all(1)
    return float(on_ball[hit[hit >= 0]].sum()) * (STEP / MILLIMETRE) ** 2


@pytest.mark.parametrize("identity", [None, "random:4", "random:27"])
def test_a_full_blink_hides_the_eye_and_stays_out_of_it(engine, identity):
    head = FixedTopologyHead(engine.head, engine.identity_code(identity))
    template = engine.head.fixed_topology()
    on_eyes = head.prepared.regions.on_eyes(head.regions)
    triangles = triangulated(head.polygons).astype(np.int64)
    weights = np.zeros((3, len(WEIGHT_NAMES)), np.float32)
    weights[:, BLINKS] = np.array([0.5, 0.75, 1.0])[:, None]
    half, most, closed = (
        posed.astype(np.float64) for posed in head.positions(codes_from_weights(weights, engine.head.arkit_map.basis))
    )
    for side, lids in zip((1, -1), template.lids(on_eyes), strict=True):
        ball = on_eyes & (side * closed[:, 0] > 0)
        assert eye_seen(closed, triangles, ball) < CANTHUS
        assert eye_seen(half, triangles, ball) > 20 * CANTHUS
        eye = Eyeball.fitted(closed[lids.ball])
        front = lids.skin[(lids.ring >= OUTER_RING) & (lids.fall > 0.3)]
        for posed in (most, closed):
            assert eye.depth(posed[front]).max() < 0.4 * MILLIMETRE


def test_the_tongues_weights_move_the_tongue_alone_and_keep_its_volume(engine):
    template, names = engine.head.fixed_topology(), engine.head.regions.names
    moves = template.displacements(len(WEIGHT_NAMES)).numpy()
    neutral = template.vertices.numpy() + moves[:, -1]
    tongue = template.regions[:, names.index("tongue")] > 127
    triangles = triangulated(template.polygons)
    faces = triangles[tongue[triangles].all(1)]
    rest = _volume(neutral[faces])
    for name in (*TONGUE_NAMES, "tongueOut"):
        moved = moves[:, WEIGHT_NAMES.index(name)]
        lengths = np.linalg.norm(moved, axis=1) / MILLIMETRE
        assert lengths[~tongue].max() < 0.5, name
        assert 5.0 < lengths.max() < 50.0, name
        for weight in (0.5, 1.0):
            assert _volume((neutral + weight * moved)[faces]) == pytest.approx(rest, rel=0.1), (name, weight)


def test_the_tongue_goes_where_its_names_say(engine):
    template, names = engine.head.fixed_topology(), engine.head.regions.names
    moves = template.displacements(len(WEIGHT_NAMES)).numpy()
    neutral = template.vertices.numpy() + moves[:, -1]
    tongue = template.regions[:, names.index("tongue")] > 127
    tip = tongue & (neutral[:, 2] > neutral[tongue, 2].max() - 4 * MILLIMETRE)
    back = tongue & (np.abs(neutral[:, 2] + 7 * MILLIMETRE) < 4 * MILLIMETRE) & (neutral[:, 1] > -0.2)
    towards = {name: moves[:, WEIGHT_NAMES.index(name)] / MILLIMETRE for name in (*TONGUE_NAMES, "tongueOut")}
    assert towards["tongueUp"][tip, 1].max() > 15
    assert towards["tongueForward"][tip, 2].max() > 10
    assert towards["tongueOut"][tip, 2].max() > 30
    assert towards["tongueBack"][back, 1].max() > 8
    left = tongue & (neutral[:, 0] > 10 * MILLIMETRE) & (neutral[:, 1] > -0.22)
    assert towards["tongueWide"][left, 0].mean() > 0
    assert towards["tongueRoll"][left, 0].mean() < 0


def test_a_former_template_holds_the_tongue_still(engine):
    template = engine.head.fixed_topology()
    former = Template(
        **{name: getattr(template, name) for name in template.__dataclass_fields__}
        | {"lid_rims": None, "moved": template.moved[[*range(len(ARKIT_NAMES)), -1]]}
        | {"displacement": template.displacements()[template.moved[[*range(len(ARKIT_NAMES)), -1]].T]}
    )
    moves = former.displacements(len(WEIGHT_NAMES))
    assert moves.shape[1] == len(WEIGHT_NAMES) + 1
    assert not moves[:, len(ARKIT_NAMES) : -1].any()
    assert former.lids(np.zeros(len(former.vertices), bool)) is None


def _volume(corners: np.ndarray) -> float:
    """Of the cone from the tongue's middle over its triangles (T, 3, 3): closed where they are, and its rim stays."""
    places = corners - np.array([0.0, -0.24, 0.0])
    return float(np.einsum("tc,tc->t", places[:, 0], np.cross(places[:, 1], places[:, 2])).sum() / 6)
