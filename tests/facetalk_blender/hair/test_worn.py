"""Hair on heads in Blender: it follows the skin of any topology, is hidden with its head, and goes with it."""

import numpy as np
import pytest
from blender_scene import bpy
from repository import ROOT, import_from_extension

errors = import_from_extension("engine.shared.errors")
following = import_from_extension("facetalk_blender.hair.following")
scalp = import_from_extension("facetalk_blender.hair.scalp").scalp()
worn = import_from_extension("facetalk_blender.hair.worn")
safetensors = pytest.importorskip("safetensors.numpy")


def moved(places):
    """A smooth motion of space (..., 3), as strong as a face's: the jaw falls, brows rise, all turns a little."""
    x, y, z = np.moveaxis(np.asarray(places, np.float64), -1, 0)
    z = z - 0.012 * np.clip(-z - 0.03, 0, 0.06) / 0.06 + 0.006 * np.exp(-((z - 0.045) ** 2) / 0.0008) * (y < 0)
    angle = 0.2 + 1.2 * z
    turned = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    return np.stack([*turned, z + 0.01], -1)


@pytest.fixture(scope="module")
def template():
    """The starter's template in metres: places (V, 3), triangles and which vertices are of an eye."""
    stored = safetensors.load_file(str(ROOT / "engine/starter/head_template.safetensors"))
    model = stored["vertices"] * 0.25
    polygons = stored["polygons"].astype(int)
    triangles = np.concatenate([polygons[:, :3], polygons[polygons[:, 3] >= 0][:, [0, 2, 3]]])
    regions = stored["regions"].astype(float) / 255
    return np.stack([model[:, 0], -model[:, 2], model[:, 1]], 1), triangles, regions


def head_of(places, triangles, skin, ball):
    """A head at rest with what the writers of outputs store, moved."""
    mesh = bpy.data.meshes.new("head")
    mesh.from_pydata(moved(places).tolist(), [], triangles.tolist())
    zero = np.zeros(len(places))
    for name, values in (
        ("facetalk_rest", places),
        ("facetalk_skin", np.stack([skin, zero, zero], 1)),
        ("facetalk_tissue", np.stack([ball, zero, zero], 1)),
    ):
        mesh.attributes.new(name, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", values.astype(np.float32).ravel())
    head = bpy.data.objects.new("head", mesh)
    bpy.context.scene.collection.objects.link(head)
    return head


@pytest.fixture
def fixed(scene, template):
    """A head of fixed topology."""
    places, triangles, regions = template
    return head_of(places, triangles, regions[:, [0, 1, 9]].sum(1), regions[:, 2:5].sum(1))


@pytest.fixture
def free(scene, template):
    """The same head with other vertices: triangles cut until their sides are short, in another order, none shared."""
    places, triangles, regions = template
    corners = np.concatenate([places, regions], 1)[triangles]  # (T, 3, ...)
    small = []
    while len(corners):
        sides = np.linalg.norm((corners - np.roll(corners, 1, 1))[..., :3], axis=2).max(1)
        small.append(corners[sides < 0.004])
        a, b, c = corners[sides >= 0.004].swapaxes(0, 1)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        parts = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        corners = np.concatenate([np.stack(part, 1) for part in parts])
    corners = np.random.default_rng(0).permutation(np.concatenate(small))
    finer, values = np.arange(3 * len(corners)).reshape(-1, 3), corners.reshape(3 * len(corners), -1)
    regions = values[:, 3:]
    head = head_of(values[:, :3], finer, regions[:, [0, 1, 9]].sum(1), regions[:, 2:5].sum(1))
    worn.remember_places(head, template[0].astype(np.float32))
    return head


def shown(item):
    """Points (S, N, 3) at every strand's root and next to it, and the roots at rest, as evaluated."""
    curves = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(3 * len(curves.points), np.float32)
    curves.attributes["position"].data.foreach_get("vector", points)
    roots = np.empty(3 * len(curves.curves), np.float32)
    curves.attributes[following.ROOT_ATTRIBUTE].data.foreach_get("vector", roots)
    first = np.array([curve.first_point_index for curve in curves.curves])
    return points.reshape(-1, 3)[first], roots.reshape(-1, 3)


@pytest.mark.parametrize("topology", ["fixed", "free"])
def test_roots_follow_the_skin(topology, request):
    head = request.getfixturevalue(topology)
    item = worn.put_on(head, worn.Cut(style="crew", beard="full", seed=1), bpy.context.scene)
    places, rest = shown(item)
    distance = np.linalg.norm(places - moved(rest), axis=1) * 1000
    # What is moved bends the skin between supports, and lashes grow between those of the sheets.
    assert np.percentile(distance, 95) < (0.05 if topology == "fixed" else 0.2)
    assert np.percentile(distance, 50) < 0.05


def test_strands_turn_with_the_skin(fixed):
    item = worn.put_on(fixed, worn.Cut(style="afro", seed=1), bpy.context.scene)
    curves = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    made = item.data
    count = 200
    turned = []
    for data in (made, curves):
        firsts = [curve.first_point_index for curve in data.curves]
        places = data.attributes["position"].data
        turned.append(np.array([np.array(places[f + 3].vector) - np.array(places[f].vector) for f in firsts[-count:]]))
    before, after = turned
    if made is not curves:
        assert np.allclose(np.linalg.norm(before[:1], axis=1), np.linalg.norm(after[:1], axis=1), atol=0.02)
    assert np.median(np.abs(after - before)) > 0.0005


def test_it_follows_scaled_and_mirrored_heads(fixed):
    item = worn.put_on(fixed, worn.Cut(style="buzz", seed=1), bpy.context.scene)
    fixed.scale, fixed.location = (-2.0, 2.0, 2.0), (1.0, 2.0, 3.0)
    bpy.context.view_layer.update()
    places, rest = shown(item)
    world = places @ np.array(item.matrix_world)[:3, :3].T + np.array(item.matrix_world)[:3, 3]
    expected = moved(rest) * (-2.0, 2.0, 2.0) + (1.0, 2.0, 3.0)
    assert np.percentile(np.linalg.norm(world - expected, axis=1), 99) < 0.0002


def test_viewports_show_the_share_that_is_asked_for(fixed):
    item = worn.put_on(fixed, worn.Cut(style="buzz", seed=1), bpy.context.scene)
    whole = len(item.data.curves)
    always = sum(1 for value in item.data.attributes[following.RANK_ATTRIBUTE].data if value.value == 0)
    for share in (0.25, 1.0):
        worn.set_shares(fixed, share, 1.0)
        number = len(shown(item)[1])
        assert number == pytest.approx(always + share * (whole - always), abs=3)


def test_a_picture_gets_as_many_strands_as_it_can_show():
    shares = [worn.share_for(size) for size in ((16, 16), (480, 480), (1280, 720), (1080, 1920), (4096, 4096))]
    assert shares == sorted(shares)
    assert shares[0] > 0.05
    assert shares[1] < 0.25
    assert shares[-2:] == [1.0, 1.0]


def test_the_scalp_has_the_colour_of_its_hair(fixed):
    scene, material = bpy.context.scene, import_from_extension("facetalk_blender.hair.hair_material")
    worn.put_on(fixed, worn.Cut(style="long_straight", melanin=0.9, redness=0.2), scene)
    dark = list(fixed["facetalk_scalp_color"])
    assert dark[:3] == pytest.approx([material.DIMMED * value for value in material.color_of(0.9, 0.2)])
    worn.recolor(fixed, worn.Cut(style="long_straight", melanin=0.2))
    fair = list(fixed["facetalk_scalp_color"])
    assert min(np.array(fair[:3]) / dark[:3]) > 2
    assert fair[3] == dark[3] > 0.5
    covers = []
    for cut in (worn.Cut(style="shaved"), worn.Cut(style="crew", receding=1.0), worn.Cut(style="bald")):
        worn.put_on(fixed, cut, scene)
        covers.append(fixed["facetalk_scalp_color"][3])
    assert covers[0] < 0.5
    assert covers[1] < 0.3
    assert covers[2] == 0.0
    for style in ("crew", "short"):  # at a film's share a rim light shows whatever skin is left between strands
        worn.put_on(fixed, worn.Cut(style=style), scene)
        assert fixed["facetalk_scalp_color"][3] == 1.0
    worn.take_off(fixed)
    assert "facetalk_scalp_color" not in fixed


def test_a_new_head_shows_the_shares_that_were_chosen_before(fixed):
    scene = bpy.context.scene
    for _ in worn.putting_on(fixed.session_uid, worn.Cut(style="buzz"), scene.session_uid, (0.5, 0.2)):
        pass
    modifier = worn.worn_by(fixed).modifiers[following.NAME]
    compat = import_from_extension("facetalk_blender.compat")
    shown = [compat.modifier_input(modifier, name) for name in (following.VIEWPORT, following.RENDER)]
    assert shown == pytest.approx([0.5, 0.2])


def test_hair_is_hidden_with_its_head_and_goes_with_it(fixed):
    item = worn.put_on(fixed, worn.Cut(style="bob", seed=1), bpy.context.scene)
    assert worn.worn_by(fixed) == item
    fixed.hide_viewport = fixed.hide_render = True
    bpy.context.view_layer.update()
    assert item.hide_render
    again = worn.put_on(fixed, worn.Cut(style="crew", seed=1), bpy.context.scene)
    assert [other for other in bpy.data.objects if other.type == "CURVES"] == [again]
    assert worn.cut_of(again).style == "crew"
    worn.take_off(fixed)
    assert not bpy.data.hair_curves
    assert [item.name for item in bpy.data.objects] == ["head"]
    assert worn.HAIR_WORN_PROPERTY not in fixed


def test_an_appended_head_brings_its_hair_and_plays_without_the_extension(fixed, tmp_path):
    worn.put_on(fixed, worn.Cut(style="crew", seed=1), bpy.context.scene)
    path = str(tmp_path / "head.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, compress=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path) as (_there, wanted):
        wanted.objects = ["head"]
    (head,) = wanted.objects
    scene = bpy.context.scene
    item = head[worn.HAIR_PROPERTY]
    for found in (head, item):
        scene.collection.objects.link(found)
    places, rest = shown(item)
    assert np.percentile(np.linalg.norm(places - moved(rest), axis=1), 99) < 0.0001
    stock = {"GeometryNode", "ShaderNode", "FunctionNode", "NodeGroup", "NodeReroute"}
    kinds = {node.bl_idname for node in item.modifiers[0].node_group.nodes}
    assert all(any(kind.startswith(prefix) for prefix in stock) for kind in kinds)


def test_a_linked_head_and_its_hair_follow(fixed, tmp_path):
    item = worn.put_on(fixed, worn.Cut(style="buzz", seed=1), bpy.context.scene)
    both = bpy.data.collections.new("Both")
    for found in (fixed, item):
        both.objects.link(found)
    bpy.context.scene.collection.children.link(both)
    path = str(tmp_path / "head.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_there, wanted):
        wanted.collections = ["Both"]
    (linked,) = wanted.collections
    bpy.context.scene.collection.children.link(linked)
    head = next(found for found in linked.objects if found.type == "MESH")
    places, rest = shown(head[worn.HAIR_PROPERTY])
    assert np.percentile(np.linalg.norm(places - moved(rest), axis=1), 99) < 0.0001
    worn.take_off(head)  # what is linked cannot be taken away
    assert [found.type for found in linked.objects if found.type == "CURVES"] == ["CURVES"]


def test_the_scale_of_the_scene_changes_nothing(fixed):
    scene = bpy.context.scene
    usual, _ = shown(worn.put_on(fixed, worn.Cut(style="buzz", seed=1), scene))
    scene.unit_settings.scale_length = 0.01
    assert np.allclose(shown(worn.put_on(fixed, worn.Cut(style="buzz", seed=1), scene))[0], usual, atol=1e-6)


@pytest.mark.parametrize("missing", ["facetalk_tissue", "facetalk_skin"])
def test_a_head_without_regions_or_eyes_keeps_its_hair(free, missing):
    free.data.attributes.remove(free.data.attributes[missing])
    item = worn.put_on(free, worn.Cut(style="crew", seed=1), bpy.context.scene)
    places, rest = shown(item)
    assert np.isfinite(places).all()
    distance = np.linalg.norm(places - moved(rest), axis=1)
    if missing == "facetalk_tissue":  # eyeballs count as skin: near enough
        assert np.percentile(distance, 95) < 0.0005
    else:  # no skin to be held by: hair stays where it grew
        assert np.abs(places - rest).max() < 1e-5


def test_other_heads_are_refused_with_a_reason(scene):
    mesh = bpy.data.meshes.new("stranger")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    stranger = bpy.data.objects.new("stranger", mesh)
    scene.collection.objects.link(stranger)
    assert worn.problem(stranger) == worn.NO_PLACES
    mesh.attributes.new("facetalk_rest", "FLOAT_VECTOR", "POINT")
    assert worn.problem(stranger) == worn.OTHER_HEAD
    with pytest.raises(errors.EngineError):
        worn.put_on(stranger, worn.Cut(), scene)
    worn.remember_places(stranger, np.zeros((7, 3), np.float32))
    assert worn.PLACES_PROPERTY not in stranger
