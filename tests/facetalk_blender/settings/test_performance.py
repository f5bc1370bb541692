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


def empty(name, **settings):
    """A new object in the scene."""
    made = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(made)
    for key, value in settings.items():
        setattr(made, key, value)
    return made


def swinging(item):
    """Keys that turn an object about z from -45 to 45 degrees within a second."""
    for frame, angle in ((START, -45), (START + 24, 45)):
        item.rotation_euler.z = np.radians(angle)
        item.keyframe_insert("rotation_euler", frame=frame)
    for curve in module("facetalk_blender.outputs.curve_action").curves_of(
        item.animation_data.action, item.animation_data.action_slot
    ):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


def moved_by_parent(arm, target):
    target.parent = arm


def moved_by_constraint(arm, target):
    child = empty("Child", location=target.location, parent=arm)
    target.constraints.new("COPY_LOCATION").target = child


def moved_by_driver(arm, target):
    for axis, function in enumerate(("sin(a)", "-0.07 - cos(a)")):
        driver = target.driver_add("location", axis).driver
        variable = driver.variables.new()
        variable.name, variable.type = "a", "TRANSFORMS"
        variable.targets[0].id, variable.targets[0].transform_type = arm, "ROT_Z"
        driver.expression = function


@pytest.mark.parametrize("how", [moved_by_parent, moved_by_constraint, moved_by_driver])
@pytest.mark.parametrize("kind", ["CAMERA", "OBJECT"])
def test_a_target_is_followed_whatever_moves_it(settings, asked, how, kind):
    scene, performance = bpy.context.scene, settings.performance
    arm = empty("Arm", location=(0, -0.07, 0.035))
    swinging(arm)
    target = empty("Fly", location=(0, -1, 0) if how is not moved_by_driver else (0, -1.07, 0.035))
    how(arm, target)
    if kind == "CAMERA":
        scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        scene.collection.objects.link(scene.camera)
        scene.camera.constraints.new("COPY_LOCATION").target = target
    else:
        performance.gaze_object = target
    performance.gaze_target = kind
    scene.frame_set(START + 7)
    before = len(bpy.data.scenes), len(bpy.data.objects), scene.frame_current
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    seconds, left = np.array(asked[-1]["gaze_left"]).T
    np.testing.assert_allclose(np.interp([0, 0.25, 0.5, 1], seconds, left), [-45, -22.5, 0, 45], atol=1.0)
    assert len(bpy.data.scenes) == before[0] and scene.frame_current == before[2]
    assert not [item for item in bpy.data.objects if "Gaze" in item.name]


def test_a_head_that_turns_away_looks_to_its_other_side(settings, asked):
    performance = settings.performance
    performance.gaze_target, performance.gaze_object = "OBJECT", empty("Fly", location=(0, -2, 0.035))
    head = next(item for item in bpy.context.scene.objects if "facetalk_strip" in item and item.type == "MESH")
    swinging(head)
    bpy.context.view_layer.update()
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    seconds, left = np.array(asked[-1]["gaze_left"]).T
    assert np.interp(0, seconds, left) > 30 and np.interp(1, seconds, left) < -30


def test_cameras_that_markers_bind_are_looked_at_in_turn(settings, asked):
    scene = bpy.context.scene
    for frame, x in ((START, -1.0), (START + 12, 1.0)):
        camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        scene.collection.objects.link(camera)
        place(camera, (x, -1.07, 0.035))
        scene.timeline_markers.new("Cut", frame=frame).camera = camera
    settings.performance.gaze_target = "CAMERA"
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    seconds, left = np.array(asked[-1]["gaze_left"]).T
    np.testing.assert_allclose(np.interp([0, 0.25, 0.75, 1], seconds, left), [-45, -45, 45, 45], atol=0.5)


def test_following_a_target_leaves_blender_its_time(settings):
    """A target with a heavy mesh: no mesh is evaluated, so that some milliseconds follow it for many frames."""
    gaze = module("facetalk_blender.generation.gaze_target")
    scene = bpy.context.scene
    arm = empty("Arm")
    swinging(arm)
    heavy = bpy.data.objects.new("Heavy", bpy.data.meshes.new("Heavy"))
    heavy.data.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [], [(0, 1, 2, 3)])
    heavy.modifiers.new("Subdivision", "SUBSURF").levels = 8
    scene.collection.objects.link(heavy)
    heavy.parent = arm
    found, pieces = {}, 0
    for _ in gaze.following(gaze.chosen(scene, [(0.0, heavy)]), START, START + 2400, 24.0, found):
        pieces += 1
    assert len(found["gaze_left"]) == 1201
    # Each of some 3 ms: a frame costs hundredths of one, and would cost seconds with its mesh.
    assert pieces < 60


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


def keys_of(name):
    """Frames and values of a control's keys."""
    data = bpy.context.scene.animation_data
    curves = module("facetalk_blender.outputs.curve_action").curves_of(data.action, data.action_slot)
    curve = next(curve for curve in curves if curve.data_path.endswith(f".{name}"))
    return np.array([point.co[:] for point in curve.keyframe_points])


def test_from_voice_keys_emotion_and_energy_over_the_strip_and_shows_what_was_heard(settings):
    scene, performance = bpy.context.scene, settings.performance
    performance.anger = 0.4
    assert bpy.ops.facetalk.performance_from_voice() == {"FINISHED"}
    assert performance.anger == 0.0
    assert performance.heard.splitlines() == [
        "Sounds like joy: high.", "0:00 joy 0.5, energy +0.2", "0:01 neutral, energy -0.5"
    ]  # fmt: skip
    assert "0:01 neutral" in " ".join(drawn("talking_head.FACETALK_PT_talking_head"))
    # The scripted engine hears joy from 0 to 0.75 s and a listless neutral voice from 1 to 1.75 s.
    rate = scene.render.fps / scene.render.fps_base
    for frame, joy, energy in ((START + 0.4 * rate, 0.5, 0.25), (START + 1.4 * rate, 0.0, -0.5)):
        scene.frame_set(round(frame))
        assert (performance.joy, performance.energy) == (pytest.approx(joy), pytest.approx(energy))
    data = scene.animation_data
    curves = module("facetalk_blender.outputs.curve_action").curves_of(data.action, data.action_slot)
    assert {curve.data_path.split(".")[-1] for curve in curves} == {"joy", "energy"}


def test_from_voice_replaces_its_keys_and_leaves_those_elsewhere(settings):
    performance = settings.performance
    performance.joy = 0.9
    for frame in (START - 40, START + 10, START + 500):
        performance.keyframe_insert("joy", frame=frame)
    for _ in range(2):
        assert bpy.ops.facetalk.performance_from_voice() == {"FINISHED"}
        frames, values = keys_of("joy").T
        assert START + 10 not in frames and {START - 40, START + 500} <= set(frames)
        np.testing.assert_allclose(values, [0.9, 0.5, 0.5, 0, 0, 0.9], atol=1e-6)


def test_a_voice_of_one_phrase_sets_numbers_and_keys_only_what_is_keyed(settings):
    performance, scene = settings.performance, bpy.context.scene
    performance.take_over({"sadness": 0.7, "energy": -0.2}, [(START, START + 40, {"sadness": 0.7, "energy": -0.2})])
    assert scene.animation_data is None or scene.animation_data.action is None
    assert performance.sadness == pytest.approx(0.7)


def test_from_voice_needs_a_strip(registered):
    assert not bpy.ops.facetalk.performance_from_voice.poll()
    with pytest.raises(RuntimeError, match="load a sound"):
        bpy.ops.facetalk.performance_from_voice()
