"""What a performance is asked for reaches the engine, as a number or frame by frame, if the model knows it."""

import json

import numpy as np
import pytest
from blender_scene import START, bpy
from registered_extension import CheckedLayout, drawn, module

from engine.shared.controls import EYE_CONTROLS

known_controls = ("joy", "anger", "energy", *EYE_CONTROLS)


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


def place(target, location):
    """Move an object, its world matrix too."""
    target.location = location
    bpy.context.view_layer.update()


def test_a_look_at_the_camera_is_a_direction_against_the_head(settings, asked):
    scene, performance = bpy.context.scene, settings.performance
    performance.gaze_target, scene.camera = "CAMERA", None
    assert "no camera" in performance.target_problem()
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    # A head faces -y, and its own left is +x: 30 degrees to its left at a distance, 2 m before it.
    place(scene.camera, (2 * np.tan(np.radians(30)), -2.07, 0.035))
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert asked[-1] == {"gaze_hold": 1.0, "gaze_left": pytest.approx(30, abs=0.1)}
    place(scene.camera, (0, -2.07, 2.035))
    performance.gaze_hold, performance.blink_rate = 0.5, -1
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert asked[-1] == {"gaze_hold": 0.5, "gaze_up": pytest.approx(40, abs=0.1), "blink_rate": -1}
    performance.gaze_target = "FREE"
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert asked[-1] == {"blink_rate": -1}


def test_an_object_that_is_keyed_to_move_is_followed(settings, asked):
    fly = bpy.data.objects.new("Fly", None)
    bpy.context.scene.collection.objects.link(fly)
    settings.performance.gaze_target = "OBJECT"
    assert "Choose the object" in settings.performance.target_problem()
    settings.performance.gaze_object = fly
    for frame, x in ((START, -1.0), (START + 24, 1.0)):
        place(fly, (x, -1.07, 0.035))
        fly.keyframe_insert("location", frame=frame)
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    seconds, left = np.array(asked[-1]["gaze_left"]).T
    np.testing.assert_allclose(np.interp([0, 1], seconds, left), [-45, 45], atol=0.5)
    assert (np.diff(left) > -1e-3).all()


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
    assert controls_of(str(tmp_path)) == ("joy", *EYE_CONTROLS)
    (tmp_path / "config.json").write_text('{"motion": {"controls": ["joy"]}, "head": {"arkit": {}}}')
    assert controls_of(str(tmp_path)) == ("joy",)
    (tmp_path / "config.json").write_text('{"motion": [')
    assert controls_of(str(tmp_path)) == ()


def test_from_voice_sets_emotion_and_energy_and_shows_what_was_heard(settings):
    settings.performance.anger = 0.4
    assert bpy.ops.facetalk.performance_from_voice() == {"FINISHED"}
    found = settings.performance
    assert (found.joy, found.energy, found.anger) == (pytest.approx(0.6), pytest.approx(0.25), 0.0)
    assert found.heard == "Sounds like joy: high."
    assert "Sounds like joy" in " ".join(drawn("talking_head.FACETALK_PT_talking_head"))


def test_from_voice_needs_a_strip(registered):
    assert not bpy.ops.facetalk.performance_from_voice.poll()
    with pytest.raises(RuntimeError, match="load a sound"):
        bpy.ops.facetalk.performance_from_voice()
