"""Bundles: written, read back, and refused when damaged or foreign."""

import json

import numpy as np
import pytest
import torch
from repository import ROOT
from safetensors.torch import save_file

from engine import Engine
from engine.bundle import Bundle, merge_section
from engine.shared.controls import EYE_CONTROLS
from engine.shared.errors import EngineError


@pytest.fixture
def folder(tmp_path):
    weights = {"weight": torch.tensor([[0.1, 2.0]]), "n": torch.tensor([7])}
    merge_section(tmp_path / "b", "motion", {"layers": 2}, weights)
    merge_section(tmp_path / "b", "head.identity", {"width": 8}, {"weight": torch.eye(2)})
    return tmp_path / "b"


def test_sections_are_read_back(folder):
    bundle = Bundle.open(folder)
    assert bundle.section("motion") == {"layers": 2}
    assert bundle.section("head.identity") == {"width": 8}
    tensors = bundle.tensors("motion")
    assert tensors["weight"].dtype == torch.float32
    assert tensors["n"].dtype == torch.int64
    torch.testing.assert_close(tensors["weight"], torch.tensor([[0.1, 2.0]]).half().float())
    assert not list(folder.glob("*.part"))


def test_an_unknown_section_is_refused(folder):
    with pytest.raises(EngineError, match="no section 'speech'"):
        Bundle.open(folder).section("speech")


def test_weights_that_do_not_fit_the_network_are_refused(folder):
    with pytest.raises(EngineError, match=r"head_identity.safetensors does not fit"):
        Bundle.open(folder).load_into("head.identity", torch.nn.Linear(3, 3, bias=False))


@pytest.mark.parametrize("damage", ["truncated", "foreign", "pickle", "missing", "nan"])
def test_damaged_weights_are_refused(folder, damage):
    path = folder / "motion.safetensors"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "foreign":
        path.write_text("version https://example.org/large-file\n")
    elif damage == "pickle":
        torch.save({"weight": torch.eye(2)}, path)
    elif damage == "missing":
        path.unlink()
    else:
        save_file({"weight": torch.tensor([float("nan")])}, path)
    with pytest.raises(EngineError, match=r"motion\.safetensors"):
        Bundle.open(folder).tensors("motion")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", json.dumps({"format": 99}), json.dumps({"name": "no format"}), " " * (1 << 21)]
)
def test_a_foreign_configuration_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(EngineError):
        Bundle.open(tmp_path)


def test_a_folder_without_configuration_is_refused(tmp_path):
    with pytest.raises(EngineError, match=r"config\.json is missing"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("value", [True, 3, {}, [[]]])
def test_controls_that_are_no_names_are_shown_as_none_and_refused_when_sampled(tmp_path, value):
    starter = ROOT / "engine" / "starter"
    config = json.loads((starter / "config.json").read_text())
    config["motion"]["controls"] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    for file in starter.glob("*.safetensors"):
        (tmp_path / file.name).symlink_to(file)
    engine = Engine.load(tmp_path)
    assert engine.info()["controls"] == [*EYE_CONTROLS]
    with pytest.raises(EngineError, match=r"describes no motion model|does not fit"):
        engine.sample((np.zeros(16000, np.float32), 16000))
