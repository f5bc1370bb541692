"""Takes: kept in the file, switched, compared, varied, made into other outputs, sampled again in part."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import scripted_shapes
from blender_scene import COUNT, START, bpy, speaking_strip, write_wav
from registered_extension import drawn, head_of, module, panel_context


def load(text):
    return module("facetalk_blender.takes.take").load(text)


def shown(head, frame):
    """Number of vertices: the scripted surface of frame i has i + 5."""
    bpy.context.scene.frame_set(frame)
    return len(head.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices)


def test_a_take_is_listed_and_outlives_the_file(settings, tmp_path):
    text = settings.take
    assert text["facetalk_strip"] == "tone"
    assert text["facetalk_seed"] == "0"
    assert text["facetalk_date"]
    assert bpy.data.texts[settings.take_position] == text
    name, path = text.name, str(tmp_path / "takes.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    text = bpy.context.scene.facetalk.take
    assert text.name == name
    assert head_of(text)
    np.testing.assert_array_equal(load(text).codes, scripted_shapes.take(2.0)["codes"])


def test_a_new_seed_is_a_take_of_its_own_and_choosing_shows_only_that(settings):
    first = settings.take
    assert bpy.ops.facetalk.vary_take() == {"FINISHED"}
    second = settings.take
    assert second != first
    assert second["facetalk_seed"] == "1"
    assert load(second).seed == 1
    assert head_of(first).hide_render
    assert not head_of(second).hide_render
    settings.take_position = bpy.data.texts.find(first.name)
    assert not head_of(first).hide_viewport
    assert head_of(second).hide_viewport
    assert settings.take == first
    bpy.ops.facetalk.vary_take()
    assert settings.take["facetalk_seed"] == "2"


@pytest.mark.slow
def test_two_takes_stand_side_by_side_until_another_is_chosen(settings):
    first = settings.take
    bpy.ops.facetalk.vary_take()
    head_of(first).delta_location.x = 0.5  # the artist's own
    assert bpy.ops.facetalk.compare_take(name=first.name) == {"FINISHED"}
    heads = head_of(first), head_of(settings.take)
    assert not any(head.hide_viewport or head.hide_render for head in heads)
    bpy.context.view_layer.update()
    assert abs(heads[0].matrix_world.translation.x - heads[1].matrix_world.translation.x) > 0.3
    bpy.ops.facetalk.compare_take(name=first.name)
    settings.take_position = settings.take_position
    assert heads[0].delta_location.x == 0.5
    assert heads[0].hide_render
    assert not heads[1].hide_render


@pytest.mark.slow
def test_another_output_needs_no_sampling(settings, monkeypatch):
    text, head = settings.take, head_of(settings.take)
    asked = []
    client = module("facetalk_blender.engine_access.client").EngineClient
    send = client.request
    monkeypatch.setattr(client, "request", lambda self, kind, *rest: asked.append(kind) or send(self, kind, *rest))
    settings.output = "SHAPE_KEYS"
    place = head.location.copy()
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    assert asked == ["info", "shape_keys"]
    assert settings.take == text
    assert len(bpy.data.texts) == 1
    assert head_of(text).data.shape_keys
    assert head_of(text).location == place


@pytest.mark.slow
def test_a_renamed_take_stays_what_it_was(settings):
    text, head = settings.take, head_of(settings.take)
    text.name = "The good one"
    assert settings.take == text
    assert head_of(text) == head
    assert load(text).seed == 0
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    assert bpy.ops.facetalk.vary_take() == {"FINISHED"}
    assert settings.take != text
    assert head_of(text).hide_render
    assert "The good one" in bpy.data.texts


@pytest.mark.slow
def test_the_preview_range_is_sampled_again(settings):
    first, shot = settings.take, bpy.context.scene
    shot.use_preview_range, shot.frame_preview_start, shot.frame_preview_end = True, START + 4, START + 9
    assert bpy.ops.facetalk.regenerate_range() == {"FINISHED"}
    changed = np.flatnonzero((load(settings.take).codes != load(first).codes).any(1))
    np.testing.assert_array_equal(changed, np.arange(4, 10))
    shot.frame_preview_start, shot.frame_preview_end = 900, 950
    with pytest.raises(RuntimeError, match="move the range over the sound strip"):
        bpy.ops.facetalk.regenerate_range()


def test_deleting_a_take_shows_the_one_that_is_left(settings):
    first = settings.take
    bpy.ops.facetalk.vary_take()
    name = settings.take.name
    assert bpy.ops.facetalk.delete_take() == {"FINISHED"}
    assert name not in bpy.data.texts
    assert settings.take == first
    assert not head_of(first).hide_render
    bpy.ops.facetalk.delete_take()
    assert not bpy.data.texts
    assert not any("facetalk_strip" in item for item in bpy.data.objects)
    assert not bpy.ops.facetalk.make_output.poll()


def test_only_the_range_is_sampled_and_made_again(settings):
    first = settings.take
    meshes = {item["facetalk_frame"]: item.data for item in head_of(first)["facetalk_frames"].objects}
    assert not bpy.ops.facetalk.regenerate_range.poll()
    for name, frame in (("from", START + 20), ("to", START + 25)):
        bpy.context.scene.timeline_markers.new(name, frame=frame).select = True
    assert bpy.ops.facetalk.regenerate_range() == {"FINISHED"}
    second = settings.take
    changed = np.flatnonzero((load(second).codes != load(first).codes).any(1))
    np.testing.assert_array_equal(changed, np.arange(20, 26))
    frames = {item["facetalk_frame"]: item.data for item in head_of(second)["facetalk_frames"].objects}
    new = [frame for frame in frames if frames[frame] != meshes[frame]]
    assert set(range(START + 20, START + 26)) <= set(new)
    assert len(new) < COUNT // 2
    assert second != first
    assert head_of(first).hide_render
    # The kept meshes must outlive the take that they came from.
    settings.take_position = bpy.data.texts.find(first.name)
    bpy.ops.facetalk.delete_take()
    assert shown(head_of(second), START + 40) == 45
    assert shown(head_of(second), START + min(new) - START) == 5  # the first of the new surfaces


def test_the_pose_outside_of_the_range_stays(settings):
    bpy.context.preferences.addons["facetalk_installed"].preferences.bundle = "nods"
    settings.seed = 3
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    first = load(settings.take)
    for name, frame in (("from", START + 20), ("to", START + 25)):
        bpy.context.scene.timeline_markers.new(name, frame=frame).select = True
    assert bpy.ops.facetalk.regenerate_range() == {"FINISHED"}
    second = load(settings.take)
    assert (first.pose == 3).all()
    np.testing.assert_array_equal(np.flatnonzero((second.pose != first.pose).any(1)), np.arange(20, 26))


def test_a_take_says_when_its_sound_has_changed(settings, tmp_path):
    status, text = module("facetalk_blender.takes.status"), settings.take
    digests = module("facetalk_blender.sound.digest").DIGESTS
    strip = bpy.context.scene.sequence_editor.strips_all[0]

    def change():
        digests.of(strip, wait=True)
        return status.change_of_sound(text)

    assert change() == ""
    strip.frame_start += 30
    strip.frame_offset_start = 10
    assert change() == ""  # moved, and less of the same sound
    write_wav(tmp_path / "tone.wav", 2.0, frequency=300.0)
    assert "changed" in change()
    assert "changed" in status.range_problem(text)
    write_wav(tmp_path / "tone.wav", 2.0)
    assert change() == ""
    strips = bpy.context.scene.sequence_editor.strips
    strips.remove(strips[0])
    assert "gone" in status.strip_problem(text)


def test_a_strip_pulled_beyond_its_take_is_told(registered, tmp_path):
    strip = speaking_strip(bpy.context.scene, tmp_path)
    strip.frame_offset_start = strip.frame_offset_end = 12
    settings = bpy.context.scene.facetalk
    settings.strip = strip.name
    bpy.ops.facetalk.generate()
    status = module("facetalk_blender.takes.status")
    assert status.change_of_sound(settings.take) == ""
    strip.frame_offset_start = 4
    assert "does not cover" in status.change_of_sound(settings.take)


def test_the_panel_lists_takes_and_says_why_a_range_is_not_possible(settings):
    shown = drawn("takes.FACETALK_PT_takes")
    said = " ".join(shown)
    assert "FACETALK_UL_takes" in shown
    assert "facetalk.make_output" in said
    assert "preview range" in said
    rows = module("panels.takes").FACETALK_UL_takes.filter_items
    bpy.data.texts.new("Notes")
    flags, _ = rows(SimpleNamespace(filter_name="", bitflag_filter_item=1), panel_context(), bpy.data, "texts")
    assert sum(flags) == 1


def test_selected_strips_speak_one_after_the_other(registered, tmp_path):
    scene = bpy.context.scene
    assert not bpy.ops.facetalk.generate_selected.poll()
    load_sound = module("facetalk_blender.sound.strip").load_sound
    strips = [
        load_sound(scene, write_wav(tmp_path / f"{name}.wav", 1.0), 1, channel) for channel, name in enumerate("ab", 1)
    ]
    for strip in strips:
        strip.select = True
    assert bpy.ops.facetalk.generate_selected() == {"FINISHED"}
    assert {text["facetalk_strip"] for text in bpy.data.texts} == {"a", "b"}
    assert {"FaceTalk a", "FaceTalk b"} <= set(scene.objects.keys())
    strips[1].mute = True
    assert "muted" in module("operators.generate").selected_reason(bpy.context)


def long_take():
    """Ten minutes with 200 codes: 22 MB of text."""
    take, generator = module("facetalk_blender.takes.take"), np.random.default_rng(0)
    weights, codes = generator.random((14400, 52), np.float32), generator.random((14400, 200), np.float32)
    names = [f"w{index}" for index in range(52)]
    return take.content_of(take.Take(codes, 24.0, 0, weights, names, generator.random(14400, np.float32)))


def test_ten_minutes_are_stored_in_short_pieces(settings):
    take, content, seconds = module("facetalk_blender.takes.take"), long_take(), []
    pieces = take.storing(content, 3, bpy.context.scene, "tone", "", (0.0, 600.0))
    text = None
    while text is None:
        begun = time.thread_time()
        try:
            next(pieces)
        except StopIteration as stored:
            text = stored.value
        seconds.append(time.thread_time() - begun)
        assert text is not None or len(take.takes_of(bpy.context.scene)) == 1  # not yet one of them
    assert text.as_string() == content
    assert text in take.takes_of(bpy.context.scene)
    assert np.median(seconds) < 0.005
    assert sorted(seconds)[-2] < 0.01


@pytest.mark.parametrize("lost", [False, True], ids=["given up", "text removed"])
def test_a_take_that_is_not_stored_whole_leaves_no_text(settings, lost):
    take, before = module("facetalk_blender.takes.take"), set(bpy.data.texts.keys())
    pieces = take.storing("0" * (3 * take.LETTERS_AT_ONCE), 3, bpy.context.scene, "tone", "", (0.0, 2.0))
    next(pieces)
    (name,) = set(bpy.data.texts.keys()) - before
    if lost:
        bpy.data.texts.remove(bpy.data.texts[name])
        with pytest.raises(module("facetalk_blender.blender_data.datablocks").DataBlockLost):
            next(pieces)
    else:
        pieces.close()
    assert set(bpy.data.texts.keys()) == before
