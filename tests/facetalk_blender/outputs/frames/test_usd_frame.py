"""A frame's file as Pixar's own library reads it: points, polygons, and the look through its palette."""

import numpy as np
import pytest
from repository import import_from_extension

pytest.importorskip("bpy")
Usd, UsdGeom = (pytest.importorskip(f"pxr.{part}") for part in ("Usd", "UsdGeom"))
appearance = import_from_extension("facetalk_blender.look.appearance")
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


@pytest.mark.parametrize(("vertices", "quads"), [(0, 0), (4, 0), (4, 1), (3000, 2500)])
def test_openusd_reads_the_frame(tmp_path, vertices, quads):
    frame = random_frame(vertices, quads, seed=vertices)
    path = usd_frame.frame_path(tmp_path, 1)
    usd_frame.write_frame(path, frame)
    stage = Usd.Stage.Open(str(path))
    mesh = UsdGeom.Mesh(stage.GetDefaultPrim())
    counts = np.diff(frame.starts, append=len(frame.corners))
    np.testing.assert_array_equal(np.array(mesh.GetPointsAttr().Get()).reshape(-1, 3), frame.vertices)
    np.testing.assert_array_equal(mesh.GetFaceVertexIndicesAttr().Get(), frame.corners)
    np.testing.assert_array_equal(mesh.GetFaceVertexCountsAttr().Get(), counts)
    primvars = UsdGeom.PrimvarsAPI(mesh)
    for name, values in frame.look.values.items():
        primvar = primvars.GetPrimvar(name)
        assert primvar.GetInterpolation() == "vertex"
        np.testing.assert_array_equal(np.array(primvar.ComputeFlattened()).reshape(-1, 3), values[:, :3], err_msg=name)
    slots = primvars.GetPrimvar("material_index")
    assert slots.GetInterpolation() == "uniform"
    np.testing.assert_array_equal(slots.Get(), frame.look.slots)


def test_a_palette_holds_each_look_once(tmp_path):
    path = usd_frame.frame_path(tmp_path, 1)
    usd_frame.write_frame(path, random_frame(3000, 2500, seed=0))
    stage = Usd.Stage.Open(str(path))
    primvar = UsdGeom.PrimvarsAPI(stage.GetDefaultPrim()).GetPrimvar(appearance.SKIN_ATTRIBUTE)
    assert primvar.IsIndexed()
    assert len(primvar.Get()) == 7


def test_a_cache_of_the_version_before_is_read(tmp_path):
    frame = random_frame(300, 200, seed=1)
    path = usd_frame.frame_path(tmp_path, 1)
    data = bytearray(usd_frame.content_of(frame))
    assert tuple(data[8:11]) == (0, 8, 0)
    data[9] = 7
    path.write_bytes(data)
    np.testing.assert_array_equal(usd_frame.read_frame(path).vertices, frame.vertices)
