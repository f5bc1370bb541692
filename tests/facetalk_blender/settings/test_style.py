"""Style in Blender: settings reach every output of a take, which itself stays as it was sampled."""

import numpy as np
import pytest
import scripted_shapes
from blender_scene import COUNT, START, bpy
from registered_extension import CheckedLayout, head_of, module

from engine.shared.arkit import ARKIT_NAMES
from engine.shared.style import LARGEST, Style, styled_weights


@pytest.fixture
def requests(monkeypatch):
    """What the engine is asked: (kind, fields)."""
    asked = []
    client = module("facetalk_blender.engine_access.client").EngineClient
    send = client.request

    def request(self, kind, fields, *rest):
        asked.append((kind, fields))
        return send(self, kind, fields, *rest)

    monkeypatch.setattr(client, "request", request)
    return asked


def test_a_new_style_needs_no_sampling_and_leaves_the_take(settings, requests):
    before = settings.take.as_string()
    settings.style.articulation, settings.style.blinks, settings.style.smooth = 1.3, 0.0, 0.08
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    assert [kind for kind, _ in requests] == ["info", "surfaces"]
    assert Style(**requests[1][1]["style"]) == Style(articulation=1.3, blinks=0.0, smooth=0.08)
    assert settings.take.as_string() == before


def test_a_take_remembers_the_style_it_was_first_shown_in(settings):
    settings.style.gaze = 0.5
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    stored = module("facetalk_blender.takes.take").load(settings.take)
    assert stored.settings["style"]["gaze"] == 0.5
    np.testing.assert_array_equal(stored.codes, scripted_shapes.take(2.0)["codes"])


@pytest.mark.slow
def test_curves_follow_the_style(settings):
    settings.style.jaw, settings.output = 0.25, "EXPRESSION_CURVES"
    settings.curves.keys = "DENSE"
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    take = scripted_shapes.take(2.0)
    weights = np.zeros((COUNT, 52), np.float32)
    places = [ARKIT_NAMES.index(name) for name in scripted_shapes.WEIGHT_NAMES]
    weights[:, places] = take["weights"]
    expected = styled_weights(weights, 24.0, Style(jaw=0.25), take["lip_opening_mm"])[:, places[0]]
    keys = head_of(settings.take).data.shape_keys
    shown = []
    for frame in range(START, START + COUNT):
        bpy.context.scene.frame_set(frame)
        shown.append(keys.key_blocks["jawOpen"].value)
    np.testing.assert_allclose(shown, np.clip(expected, 0, 1), atol=1e-5)
    assert 0 < shown[3] < 1  # an open mouth, whose jaw would be beyond one without the style


@pytest.mark.slow
def test_heads_of_another_style_share_no_meshes(settings):
    first = {item.data for item in head_of(settings.take)["facetalk_frames"].objects}
    for name, frame in (("from", START + 20), ("to", START + 25)):
        bpy.context.scene.timeline_markers.new(name, frame=frame).select = True
    settings.style.brows = 1.5
    assert bpy.ops.facetalk.regenerate_range() == {"FINISHED"}
    assert not first & {item.data for item in head_of(settings.take)["facetalk_frames"].objects}


def test_the_panel_shows_every_control_with_its_description(settings):
    layout = CheckedLayout()
    module("panels.talking_head")._draw_style(layout, settings.style)
    assert set(LARGEST) <= set(layout.shown)
    properties = settings.style.bl_rna.properties
    for name, largest in LARGEST.items():
        assert properties[name].description
        assert properties[name].hard_max == pytest.approx(largest)
    assert not settings.style.style().changes
