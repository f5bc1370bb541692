"""SyncNet: sizes of the published weights, scores in closed form, user's files read without running anything."""

import numpy as np
import pytest
import torch

from engine.shared.errors import EngineError
from evaluation.tables import syncnet
from evaluation.tables.syncnet import SyncNet, lip_sync, load_syncnet, scores
from evaluation.tables.weight_files import load_weights


def test_the_network_has_the_published_sizes():
    state = SyncNet().state_dict()
    assert state["netcnnaud.0.weight"].shape == (64, 1, 3, 3)
    assert state["netcnnaud.18.weight"].shape == (512, 256, 5, 4)
    assert state["netcnnlip.0.weight"].shape == (96, 3, 5, 7, 7)
    assert state["netcnnlip.18.weight"].shape == (512, 256, 1, 6, 6)
    assert state["netfclip.3.weight"].shape == state["netfcaud.3.weight"].shape == (1024, 512)


@pytest.mark.parametrize("late", [-4, 0, 3])
def test_scores_of_embeddings_that_meet_at_a_known_offset(late):
    embeddings = torch.eye(64)
    scored = scores(embeddings[8 + late : 56 + late], embeddings[8:56])
    assert scored.offset == -late
    # Pairs that meet are 0 apart, others the root of 2, and beyond the ends of the sound there are zeros, 1 away.
    count = 48
    assert scored.distance == pytest.approx(abs(late) / count, abs=1e-4)
    means = sorted((2**0.5 * (count - abs(shift)) + abs(shift)) / count for shift in range(-15, 16) if shift + late)
    assert scored.confidence == pytest.approx(means[14] - abs(late) / count, abs=1e-4)


def test_a_clip_is_scored_whole():
    torch.manual_seed(0)
    network = SyncNet(divisor=32).eval()
    generator = np.random.default_rng(0)
    pictures = generator.random((14, 224, 224), np.float32)
    scored = lip_sync(network, pictures, 0.1 * generator.standard_normal(9600).astype(np.float32))
    assert 0 < scored.distance < 100
    assert scored.confidence >= 0
    with pytest.raises(EngineError, match="too short"):
        lip_sync(network, pictures[:9], np.zeros(9600))


def test_sound_features_are_those_of_16_bit_numbers():
    features = syncnet.sound_features(np.sin(np.arange(16000) / 10))
    assert features.shape == (13, 99)
    assert 20 < float(features[0].mean()) < 30  # the logarithm of a step's energy


def test_weights_are_read_as_tensors_alone(tmp_path):
    torch.manual_seed(1)
    network = SyncNet(divisor=32)
    states = {name: t for name, t in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(states, tmp_path / "old.model")
    loaded = load_weights(tmp_path / "old.model", SyncNet(divisor=32), "it")
    assert torch.equal(loaded.netfcaud[0].weight, network.netfcaud[0].weight)
    assert not loaded.training
    torch.save(network, tmp_path / "whole.model")  # a pickled object
    with pytest.raises(EngineError, match="more than tensors"):
        load_syncnet(tmp_path / "whole.model")
    with pytest.raises(EngineError, match=r"does not fit at netcnnaud.0.weight; it should be syncnet_v2\.model"):
        load_syncnet(tmp_path / "old.model")
    with pytest.raises(EngineError, match=r"place syncnet_v2\.model there"):
        load_syncnet(tmp_path / "none.model")
