"""Sampling defaults of a bundle: read whole, and refused in one sentence that names what is wrong."""

import json

import pytest

from engine.bundle import Bundle
from engine.motion.sampling_defaults import SamplingDefaults
from engine.shared.errors import EngineError
from engine.shared.options import STARTER

SECTION = SamplingDefaults(steps=8, sampler="ddim", guidance=1.5, smooth=0.06).section()


def bundle(folder, section):
    (folder / "config.json").write_text(json.dumps({"format": 1, "name": "mine", "motion": section}))
    return Bundle.open(folder)


def test_the_starter_says_all_of_them():
    defaults = SamplingDefaults.of(Bundle.open(STARTER))
    section = Bundle.open(STARTER).section("motion")
    assert defaults.section() == {key: value for key, value in section.items() if key.startswith("default_")}


def test_what_is_written_is_read(tmp_path):
    defaults = SamplingDefaults.of(bundle(tmp_path, SECTION))
    assert defaults == SamplingDefaults(steps=8, sampler="ddim", guidance=1.5, smooth=0.06)


def test_temperatures_and_refinement_may_be_left_out(tmp_path):
    needed = {key: SECTION[key] for key in ("default_steps", "default_sampler", "default_guidance")}
    defaults = SamplingDefaults.of(bundle(tmp_path, needed))
    assert defaults == SamplingDefaults(steps=8, sampler="ddim", guidance=1.5)


@pytest.mark.parametrize("key", ["default_steps", "default_sampler", "default_guidance"])
def test_what_is_missing_is_named(tmp_path, key):
    section = {name: value for name, value in SECTION.items() if name != key}
    with pytest.raises(EngineError, match=f"mine lacks {key}; install it again"):
        SamplingDefaults.of(bundle(tmp_path, section))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("default_steps", 0),
        ("default_steps", 1.5),
        ("default_steps", True),
        ("default_steps", "8"),
        ("default_sampler", "euler"),
        ("default_sampler", None),
        ("default_guidance", -1.0),
        ("default_guidance", float("nan")),
        ("default_mouth_temperature", 1.5),
        ("default_lid_temperature", None),
        ("default_smooth", 3.0),
        ("default_seal", [0.1]),
    ],
)
def test_what_is_wrong_is_named(tmp_path, key, value):
    with pytest.raises(EngineError, match=f"motion model's {key} is .*choose another bundle"):
        SamplingDefaults.of(bundle(tmp_path, SECTION | {key: value}))
