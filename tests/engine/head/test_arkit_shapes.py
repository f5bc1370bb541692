"""The shapes of the head: their weighted sum is the head that the codes make."""

import numpy as np

from engine import Engine, ExpressionTake
from engine.motion.codes import codes_from_weights
from engine.shared.weights import WEIGHT_NAMES


def test_any_expression_is_the_weighted_sum_of_the_shapes():
    engine = Engine.load(device="cpu")
    shapes = engine.arkit_shapes()
    units = np.stack(list(shapes.positions))  # (57, V, 3)
    assert len(units) == len(WEIGHT_NAMES)
    weights = np.random.default_rng(1).uniform(0, 1, (3, len(WEIGHT_NAMES))).astype(np.float32)
    codes = codes_from_weights(weights, engine.head.arkit_map.basis)
    for frame, expected in zip(weights, engine.shape_keys(ExpressionTake(codes)).positions, strict=True):
        mixed = shapes.vertices + np.tensordot(frame, units - shapes.vertices, 1)
        np.testing.assert_allclose(mixed, expected, atol=1e-6)
    moved = np.abs(units - shapes.vertices).max((1, 2))
    still = {name for name, distance in zip(WEIGHT_NAMES, moved, strict=True) if distance < 1e-4}
    assert still == set(WEIGHT_NAMES[engine.head.arkit_map.basis.shape[1] :])
