"""A frame's file as Pixar's own library reads it: places, polygons, and the look through its palette."""

import numpy as np
import pytest
from repository import import_from_extension

pytest.importorskip("bpy")
Usd, UsdGeom = (pytest.importorskip(f"pxr.{part}") for part in ("Usd", "UsdGeom"))
appearance = import_from_extension("facetalk_blender.look.appearance")
frame_order = import_from_extension("facetalk_blender.outputs.frames.frame_order")
usd_crate = import_from_extension("facetalk_blender.outputs.frames.usd_crate")
usd_frame = import_from_extension("facetalk_blender.outputs.frames.usd_frame")


def random_frame(vertices, quads, seed):
    """A frame of quads and as many triangles, whose look repeats as that of skin does."""
    generator = np.random.default_rng(seed)
    sizes = generator.permutation(np.repeat([3, 4], quads))
    palette = generator.random((7, 16)).astype(np.float16).astype(np.float32)  # as a look's values are
    palette = palette[generator.integers(0, 7, vertices)]
    color, skin, tissue, eye, rest = np.split(palette, [4, 7, 10, 13], axis=1)
    color[:, 3] = 1.0
    values = {
        appearance.COLOR_ATTRIBUTE: color, appearance.SKIN_ATTRIBUTE: skin, appearance.TISSUE_ATTRIBUTE: tissue,
        appearance.EYE_ATTRIBUTE: eye, appearance.REST_ATTRIBUTE: rest,
    }  # fmt: skip
    starts = (np.cumsum(sizes) - sizes).astype(np.int32)
    corners = generator.integers(0, max(vertices, 1), sizes.sum()).astype(np.int32)
    slots = generator.integers(0, len(appearance.SLOTS), len(sizes)).astype(np.int32)
    points = generator.normal(0, 0.1, (vertices, 3)).astype(np.float32)
    return usd_frame.FrameMesh(points, corners, starts, appearance.Look(values, slots))


@pytest.mark.parametrize(("vertices", "quads"), [(0, 0), (4, 0), (4, 1), (511, 200), (512, 200), (3000, 2500)])
def test_openusd_reads_the_frame(tmp_path, vertices, quads):
    frame = random_frame(vertices, quads, seed=vertices)
    path = usd_frame.frame_path(tmp_path, 1)
    usd_frame.write_frame(path, frame)
    stage = Usd.Stage.Open(str(path))
    mesh = UsdGeom.Mesh(stage.GetDefaultPrim())
    ordered = frame_order.in_blocks(frame.vertices, frame.corners, frame.starts)
    order, polygons = ordered.vertices, ordered.polygons
    assert sorted(order) == list(range(vertices))
    points = np.array(mesh.GetPointsAttr().Get()).reshape(-1, 3)
    assert len(points) == vertices
    assert (np.abs(points) < 1e-38).all()
    counts, corners = np.array(mesh.GetFaceVertexCountsAttr().Get()), np.array(mesh.GetFaceVertexIndicesAttr().Get())
    given = polygons_of(frame.corners, np.diff(frame.starts, append=len(frame.corners)))
    assert polygons_of(order[corners.astype(int)], counts) == [given[polygon] for polygon in polygons]
    primvars = UsdGeom.PrimvarsAPI(mesh)
    places = whole_numbers(primvars, "place", vertices) * usd_frame.PLACE_STEP
    np.testing.assert_allclose(places, frame.vertices[order], atol=8e-6)
    for name, values in frame.look.values.items():
        if name == appearance.REST_ATTRIBUTE:
            rest = places + whole_numbers(primvars, "rest", vertices) * usd_frame.REST_STEP
            np.testing.assert_allclose(rest, values[order], atol=3.1e-5)
            continue
        primvar = primvars.GetPrimvar(name)
        assert primvar.GetInterpolation() == "vertex"
        read = np.array(primvar.ComputeFlattened()).reshape(-1, 3)
        step = usd_frame.LOOK_STEPS.get(name, 0.0)
        np.testing.assert_allclose(read, values[order, :3], rtol=0, atol=0.5 * step, err_msg=name)
        if step:
            np.testing.assert_array_equal(read / step, np.round(read / step))
    slots = primvars.GetPrimvar("material_index")
    assert slots.GetInterpolation() == "uniform"
    np.testing.assert_array_equal(slots.Get(), frame.look.slots[polygons])
    check_read_back(usd_frame.read_frame(path), frame, order, polygons)


def whole_numbers(primvars, name, count):
    """Vectors of whole numbers (V, 3)."""
    columns = [primvars.GetPrimvar(f"facetalk_packed_{name}_{axis}") for axis in "xyz"]
    assert [column.GetInterpolation() for column in columns] == ["vertex"] * 3
    return np.stack([np.array(column.Get()) for column in columns], 1).reshape(count, 3)


def polygons_of(corners, counts):
    """Polygons that begin with their least vertex; quads, with the lesser one on their first diagonal."""
    polygons, corners = [], corners.tolist()
    for count in counts:
        polygon, corners = corners[:count], corners[count:]
        starts = range(0, count, 2 if count == 4 else 1)
        polygons.append(min(polygon[start:] + polygon[:start] for start in starts))
    return polygons


def check_read_back(read, frame, order, polygons):
    np.testing.assert_allclose(read.vertices, frame.vertices[order], atol=8e-6)
    np.testing.assert_array_equal(read.look.slots, frame.look.slots[polygons])
    assert read.look.values.keys() == frame.look.values.keys()
    for name, values in read.look.values.items():
        off = max(3.1e-5, 0.5 * usd_frame.LOOK_STEPS.get(name, 0.0))
        np.testing.assert_allclose(values, frame.look.values[name][order], atol=off, err_msg=name)


def test_frames_of_about_as_many_vertices_share_a_file(tmp_path):
    for number, vertices in enumerate((1100, 1200, 1600), 1):
        usd_frame.write_frame(usd_frame.frame_path(tmp_path, number), random_frame(vertices, 900, seed=number))
    names = ["frame_counts_01024.usdc", "frame_counts_01536.usdc"]
    assert sorted(path.name for path in tmp_path.glob("frame_counts*")) == names
    assert all(usd_frame.is_frame_file(path) for path in tmp_path.iterdir())
    (tmp_path / "other").mkdir()
    usd_frame.copy_frame(usd_frame.frame_path(tmp_path, 3), copied := usd_frame.frame_path(tmp_path / "other", 7))
    mesh = UsdGeom.Mesh((stage := Usd.Stage.Open(str(copied))).GetDefaultPrim())
    assert len(mesh.GetPointsAttr().Get()) == 1600
    assert stage


def test_a_place_that_is_no_number_is_refused(tmp_path):
    frame = random_frame(50, 40, seed=0)
    frame.vertices[7, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        usd_frame.write_frame(usd_frame.frame_path(tmp_path, 1), frame)
    assert not list(tmp_path.iterdir())


def test_a_palette_holds_each_look_once(tmp_path):
    path = usd_frame.frame_path(tmp_path, 1)
    usd_frame.write_frame(path, random_frame(3000, 2500, seed=0))
    stage = Usd.Stage.Open(str(path))
    primvar = UsdGeom.PrimvarsAPI(stage.GetDefaultPrim()).GetPrimvar(appearance.SKIN_ATTRIBUTE)
    assert primvar.IsIndexed()
    assert len(primvar.Get()) == 7


def test_a_cache_of_the_versions_before_is_read(tmp_path):
    """Those held places as they are."""
    frame = random_frame(300, 200, seed=1)
    attributes = {
        "points": usd_crate.Attribute("point3f[]", frame.vertices),
        "faceVertexCounts": usd_crate.Attribute(
            "int[]", np.diff(frame.starts, append=len(frame.corners)).astype("<i4")
        ),
        "faceVertexIndices": usd_crate.Attribute("int[]", frame.corners),
        "primvars:material_index": usd_crate.Attribute("int[]", frame.look.slots, "uniform"),
    }
    rest = frame.look.values[appearance.REST_ATTRIBUTE]
    attributes["primvars:facetalk_rest"] = usd_crate.Attribute("point3h[]", rest.astype("<f2"), "vertex")
    path = usd_frame.frame_path(tmp_path, 1)
    data = bytearray(usd_crate.mesh_file("head", attributes))
    assert tuple(data[8:11]) == (0, 8, 0)
    for version in (8, 7):
        data[9] = version
        path.write_bytes(data)
        read = usd_frame.read_frame(path)
        np.testing.assert_array_equal(read.vertices, frame.vertices)
        np.testing.assert_array_equal(read.look.values[appearance.REST_ATTRIBUTE], rest)
