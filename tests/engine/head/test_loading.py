"""A head survives the way through a bundle folder."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from engine.bundle import Bundle, merge_section
from engine.head import load_head
from engine.head.networks.expression import ExpressionConfig, ExpressionNetwork
from engine.head.networks.identity import IdentityConfig, IdentityNetwork
from engine.head.networks.regions import RegionConfig, RegionNetwork
from engine.head.topology.lips import has_lip_curves
from engine.shared.errors import EngineError

BOX = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    config = IdentityConfig(anchors=9, symmetric_pairs=1, global_dimensions=4, local_dimensions=2, width=8)
    sizes = {"identity_dimensions": config.dimensions, "compressed_dimensions": 3}
    expression = ExpressionConfig(anchors=9, expression_dimensions=6, width=8, condition_width=5, **sizes)
    regions = RegionConfig(names=["skin", "lips"], octaves=2, width=8, **sizes)
    tensors = IdentityNetwork(config, torch.randn(9, 3)).state_dict() | {"identity_basis": torch.randn(24, 2)}
    merge_section(tmp_path, "head.identity", asdict(config), tensors, {"anchor_mean"})
    for name, section, network in (
        ("head.expression", expression, ExpressionNetwork(expression)),
        ("head.regions", regions, RegionNetwork(regions)),
    ):
        merge_section(tmp_path, name, asdict(section), network.state_dict())
    return tmp_path


def test_the_loaded_head_computes_what_the_files_say(folder):
    head = load_head(Bundle.open(folder))
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3)).astype(np.float32)
    identity, expression = head.modes.random(1, 1.0, 2.0), np.full(6, 0.3, np.float32)
    moved = points + head.deformation(points, identity, expression)
    network = IdentityNetwork(head.identity.config)
    network.load_state_dict(
        {key: value for key, value in Bundle.open(folder).tensors("head.identity").items() if key != "identity_basis"}
    )
    expected = network(torch.from_numpy(moved)[None], torch.from_numpy(identity)[None])[0]
    np.testing.assert_allclose(head.signed_distance(points, identity, expression), expected.detach(), atol=1e-6)
    regions = head.prepare_identity(identity).regions.weights(torch.from_numpy(points)).numpy()
    assert head.regions.names == ["skin", "lips"]
    np.testing.assert_allclose(regions.sum(1), 1.0, atol=1e-5)
    assert not has_lip_curves(head)
    assert head.arkit_map.weights(expression[None]) is None


def test_a_section_with_an_unknown_setting_is_named(folder):
    merge_section(folder, "head.regions", {"colour": 3}, {})
    with pytest.raises(EngineError, match=r"head\.regions"):
        load_head(Bundle.open(folder))
