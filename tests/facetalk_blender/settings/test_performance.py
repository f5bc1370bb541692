"""What a performance is asked for reaches the engine, as a number or frame by frame, if the model knows it."""

import json

import numpy as np
import pytest
from blender_scene import START, bpy
from registered_extension import CheckedLayout, drawn, module

known_controls = ("joy", "anger", "energy")


@pytest.fixture
def asked(monkeypatch):
    """The controls of every request to the sampler; the scripted model is taken to know some."""
    found = []
    monkeypatch.setattr(module("facetalk_blender.settings.model_bundles"), "controls_of", lambda _: known_controls)
    client = module("facetalk_blender.engine_access.client").EngineClient
    send = client.request

    def request(self, kind, fields, *rest):
        if kind == "sample":
            found.append(fields["controls"])
        return send(self, kind, fields, *rest)

    monkeypatch.setattr(client, "request", request)
    return found


def test_neutral_settings_ask_for_nothing(settings, asked):
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert asked == [{}]


def test_numbers_are_asked_for_where_the_model_knows_them(settings, asked):
    settings.performance.joy, settings.performance.energy, settings.performance.fear = 0.7, -0.5, 1.0
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert asked == [{"joy": pytest.approx(0.7), "energy": pytest.approx(-0.5)}]


def test_keyed_numbers_are_read_frame_by_frame(settings, asked):
    scene, performance = bpy.context.scene, settings.performance
    for frame, value in ((START + 12, 0.0), (START + 36, 1.0)):
        performance.joy = value
        performance.keyframe_insert("joy", frame=frame)
    bag = scene.animation_data.action.layers[0].strips[0].channelbag(scene.animation_data.action_slot)
    for point in bag.fcurves[0].keyframe_points:
        point.interpolation = "LINEAR"
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    seconds, values = np.array(asked[0]["joy"]).T
    rate = scene.render.fps / scene.render.fps_base
    at = np.array([START + 12, START + 18, START + 24, START + 36])
    np.testing.assert_allclose(np.interp((at - START) / rate, seconds, values), [0, 0.25, 0.5, 1], atol=1e-6)
    json.dumps(asked[0])


def test_the_panel_says_why_a_model_cannot_be_asked(registered, monkeypatch):
    bundles = module("facetalk_blender.settings.model_bundles")
    monkeypatch.setattr(bundles, "controls_of", lambda _: ())
    shown = " ".join(drawn("talking_head.FACETALK_PT_talking_head"))
    assert "cannot be asked for emotions" in shown
    monkeypatch.setattr(bundles, "controls_of", lambda _: known_controls)
    layout = CheckedLayout()
    drawn("talking_head.FACETALK_PT_talking_head", layout=layout)
    assert "joy" in layout.shown
    assert "cannot be asked for emotions" not in " ".join(layout.shown)


def test_controls_of_a_bundle_are_read_from_its_files(registered, tmp_path):
    controls_of = module("facetalk_blender.settings.model_bundles").controls_of
    assert controls_of(str(tmp_path)) == ()
    (tmp_path / "config.json").write_text('{"motion": {"controls": ["joy"]}}')
    assert controls_of(str(tmp_path)) == ("joy",)
    (tmp_path / "config.json").write_text('{"motion": [')
    assert controls_of(str(tmp_path)) == ()
