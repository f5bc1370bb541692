"""A network with redundant units is reproduced by a smaller one."""

import numpy as np
import pytest
import torch

from engine.head.networks.conditioned_mlp import linear_layers
from engine.head.networks.expression import ExpressionConfig, ExpressionNetwork
from engine.head.networks.identity import IdentityConfig, IdentityNetwork
from engine.shared.errors import EngineError
from training.head.narrowing import chosen_units, fitted_layer, kept_layers, narrow_expression, narrow_identity

SIZES = {"anchors": 5, "symmetric_pairs": 1, "global_dimensions": 4, "local_dimensions": 3}
EXPRESSION = {"identity_dimensions": 6, "anchors": 2, "compressed_dimensions": 3, "expression_dimensions": 4}


def test_units_that_repeat_others_are_left_out():
    generator = torch.Generator().manual_seed(0)
    distinct = torch.randn(200, 4, generator=generator)
    mixed = torch.cat([distinct, distinct[:, :2] - distinct[:, 2:]], 1)
    units = chosen_units(mixed, torch.ones(1, 6), 4)
    assert np.linalg.matrix_rank(mixed[:, units].numpy()) == 4
    with pytest.raises(EngineError, match="choose a smaller width"):
        chosen_units(mixed, torch.ones(1, 6), 7)


def test_units_that_nobody_reads_are_left_out():
    activations = torch.randn(100, 5, generator=torch.Generator().manual_seed(1))
    leaving = torch.tensor([[1.0, 1e-3, 1.0, 1e-3, 1.0]])
    assert chosen_units(activations, leaving, 3).tolist() == [0, 2, 4]


def test_an_affine_map_is_found_again():
    generator = torch.Generator().manual_seed(2)
    inputs, weight = torch.randn(300, 6, generator=generator), torch.randn(2, 6, generator=generator)
    found, bias = fitted_layer(inputs, inputs @ weight.T + torch.tensor([3.0, -1.0]))
    np.testing.assert_allclose(found, weight, atol=2e-3)
    np.testing.assert_allclose(bias, [3.0, -1.0], atol=2e-3)


@pytest.mark.parametrize(("large", "small", "kept"), [(6, 6, [0, 1, 2, 3, 4, 5]), (6, 4, [0, 2, 3, 5]), (4, 2, [0, 2])])
def test_layers_that_are_kept(large, small, kept):
    assert kept_layers(large, small) == kept


def doubled(values, axis, share=1.0):
    """Every row of an axis twice, in all with `share` of the weight."""
    return share * values.repeat_interleave(2, axis)


def wide_expression(small):
    """An expression network that computes the same with every unit twice."""
    config = small.config
    wide = ExpressionNetwork(ExpressionConfig(**EXPRESSION, layers=config.layers, width=2 * config.width))
    wide.compressor.load_state_dict(small.compressor.state_dict())
    own, former = (linear_layers(network.deformation.layers) for network in (wide, small))
    width = config.width
    for number, (layer, source) in enumerate(zip(own, former, strict=True)):
        weight = source.weight
        if number:
            weight = torch.cat([doubled(weight[:, :width], 1, 0.5), weight[:, width:]], 1)
        last = number == len(own) - 1
        layer.weight.copy_(weight if last else doubled(weight, 0))
        layer.bias.copy_(source.bias if last else doubled(source.bias, 0))
    film, source = (linear_layers(network.deformation.film) for network in (wide, small))
    film[0].load_state_dict(source[0].state_dict())
    film[1].weight.copy_(doubled(source[1].weight, 0))
    film[1].bias.copy_(doubled(source[1].bias, 0))
    return wide


def test_an_expression_network_of_repeated_units_is_reproduced():
    torch.manual_seed(3)
    with torch.no_grad():
        small = ExpressionNetwork(ExpressionConfig(**EXPRESSION, layers=4, width=6))
        wide = wide_expression(small)
        points, codes = torch.randn(8, 60, 3), (torch.randn(8, 6), torch.randn(8, 2, 3), torch.randn(8, 4))
        np.testing.assert_allclose(wide(points, *codes), small(points, *codes), atol=1e-5)
        narrowed = ExpressionNetwork(ExpressionConfig(**EXPRESSION, layers=4, width=6))
        narrow_expression(narrowed, wide, points, codes)
        np.testing.assert_allclose(narrowed(points, *codes), small(points, *codes), atol=3e-3)
        shallow = ExpressionNetwork(ExpressionConfig(**EXPRESSION, layers=2, width=6))
        narrow_expression(shallow, wide, points, codes)
        left = (shallow(points, *codes) - small(points, *codes)).std() / small(points, *codes).std()
        assert left < 0.5  # a third of the layers' curvature is gone, most of the map is not


def test_an_identity_network_of_repeated_units_is_reproduced():
    torch.manual_seed(4)
    anchors = torch.randn(5, 3)
    small = IdentityNetwork(IdentityConfig(**SIZES, neighbours=3, width=6, layers=3, film_rank=2), anchors)
    wide = IdentityNetwork(IdentityConfig(**SIZES, neighbours=3, width=12, layers=3, film_rank=2))
    narrowed = IdentityNetwork(IdentityConfig(**SIZES, neighbours=3, width=6, layers=3, film_rank=2))
    with torch.no_grad():
        small.film_writer.normal_(std=0.3)
        state = small.state_dict()
        for name, axis, share in (
            ("first_weight", 1, 1.0),
            ("first_bias", 1, 1.0),
            ("hidden_weight", 2, 1.0),
            ("hidden_weight", 3, 0.5),
            ("hidden_bias", 2, 1.0),
            ("last_weight", 1, 0.5),
            ("film_writer", 1, 1.0),
        ):
            state[name] = doubled(state[name], axis, share)
        wide.load_state_dict(state)
        points, codes = torch.randn(6, 400, 3), torch.randn(6, small.config.dimensions)
        wanted = small(points, codes)
        np.testing.assert_allclose(wide(points, codes), wanted, atol=1e-5)
        narrow_identity(narrowed, wide, points, codes)
        np.testing.assert_allclose(narrowed(points, codes), wanted, atol=5e-3)
        nearest = IdentityNetwork(IdentityConfig(**SIZES, neighbours=1, width=6, layers=3, film_rank=2))
        narrow_identity(nearest, wide, points, codes)
        error = (nearest(points, codes) - wanted).std() / wanted.std()
        assert error < 0.8  # networks that had nothing in common must each take the others' part
