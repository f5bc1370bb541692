"""The identity code's scales and shifts of hidden layers, against the slot's network written out for one point."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from engine.head.networks.identity import IdentityConfig, IdentityNetwork
from training.head.networks import start_identity_from

CONFIG = IdentityConfig(
    anchors=5,
    symmetric_pairs=2,
    global_dimensions=6,
    local_dimensions=4,
    width=16,
    neighbours=3,
    film_rank=3,
    negligible=0.0,
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = IdentityNetwork(CONFIG, 0.3 * torch.randn(CONFIG.anchors, 3))
    torch.nn.init.normal_(network.film_writer, std=0.3)
    return network


@torch.no_grad()
def slot_value(network, slot, point, code):
    """One slot's network at a point (3,) for an identity code (L,)."""
    member = int(network.member_of_slot[slot])
    split = CONFIG.global_dimensions
    own = code[split:].view(CONFIG.slots, CONFIG.local_dimensions)[slot]
    coded = torch.cat([code[:split], own])
    anchors = torch.cat([network.anchor_positions(code[None])[0], torch.zeros(1, 3)])
    local = (point - anchors[slot]) * network.mirror[slot]
    hidden = functional.silu(network.first_weight[member] @ torch.cat([coded, local]) + network.first_bias[member])
    film = network.film_writer[member] @ (network.film_reader[member] @ coded)
    for layer, (scale, shift) in enumerate(film.view(CONFIG.layers - 1, 2, CONFIG.width)):
        plain = network.hidden_weight[layer, member] @ hidden + network.hidden_bias[layer, member]
        hidden = functional.silu((1 + scale) * plain + shift)
    return network.last_weight[member] @ hidden + network.last_bias[member]


def test_one_identity_and_several_agree_with_the_networks_written_out(network):
    generator = torch.Generator().manual_seed(1)
    points, codes = torch.randn(2, 7, 3, generator=generator), torch.randn(2, CONFIG.dimensions, generator=generator)
    together = network(points, codes).detach()
    with torch.no_grad():
        apart = torch.cat([network(points[i : i + 1], codes[i : i + 1]) for i in range(2)])
    anchors = network.anchor_positions(codes).detach()
    slots, weights = network.blend(points, anchors)
    for identity in range(2):
        for number, point in enumerate(points[identity]):
            values = torch.stack(
                [slot_value(network, int(slot), point, codes[identity]) for slot in slots[identity, number]]
            )
            expected = float((weights[identity, number] * values).sum())
            assert float(together[identity, number]) == pytest.approx(expected, abs=2e-5)
            assert float(apart[identity, number]) == pytest.approx(expected, abs=2e-5)


def test_fresh_film_changes_nothing(network):
    torch.manual_seed(0)
    fresh = IdentityNetwork(CONFIG, network.anchor_mean)
    plain = IdentityNetwork(IdentityConfig(**{**vars(CONFIG), "film_rank": 0}), network.anchor_mean)
    shared = {name: value for name, value in fresh.state_dict().items() if not name.startswith("film")}
    plain.load_state_dict(shared)
    points, codes = torch.randn(1, 9, 3), torch.randn(1, CONFIG.dimensions)
    assert torch.equal(fresh(points, codes), plain(points, codes))


def test_a_network_with_more_ranks_starts_as_the_same_function(network):
    torch.manual_seed(3)
    larger = IdentityNetwork(replace(CONFIG, film_rank=7), torch.zeros(CONFIG.anchors, 3))
    points, codes = torch.randn(2, 7, 3), torch.randn(2, CONFIG.dimensions)
    start_identity_from(larger, network)
    with torch.no_grad():
        assert torch.allclose(larger(points, codes), network(points, codes), atol=1e-5)
    network(points, codes).sum().backward()
    larger(points, codes).sum().backward()
    assert float(larger.film_writer.grad[..., CONFIG.film_rank :].abs().max()) > 0  # the new ranks can learn


def test_no_slot_needs_to_have_points(network):
    far = torch.tensor([[[50.0, 0.0, 0.0]], [[0.0, 50.0, 0.0]]])  # few slots are near
    codes = torch.randn(2, CONFIG.dimensions, generator=torch.Generator().manual_seed(2))
    together = network(far, codes)
    assert together.shape == (2, 1)
    assert torch.isfinite(together).all()
