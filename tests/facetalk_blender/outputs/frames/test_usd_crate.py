"""The USD files of frames as Pixar's own library reads them: every value to the bit, a sound stage, valid primvars."""

import numpy as np
import pytest
from repository import import_from_extension

Usd, UsdGeom, UsdValidation = (pytest.importorskip(f"pxr.{part}") for part in ("Usd", "UsdGeom", "UsdValidation"))
crate = import_from_extension("facetalk_blender.outputs.frames.usd_crate")
SIZES = {"float[]": (), "point3f[]": (3,), "float3[]": (3,), "color3f[]": (3,)}
# Around the length from which integers are compressed, and around those at which LZ4 counts literals in another byte.
LENGTHS = (0, 1, 2, 14, 15, 16, 17, 255, 269, 270, 271, 525, 4000)


def mesh_of(polygons, vertices, values=None):
    """Attributes of a mesh, from polygons (lists of vertices), vertices (V, 3) and further attributes."""
    return {
        "points": crate.Attribute("point3f[]", np.asarray(vertices, "<f4").reshape(-1, 3)),
        "faceVertexCounts": crate.Attribute("int[]", np.array([len(polygon) for polygon in polygons], "<i4")),
        "faceVertexIndices": crate.Attribute("int[]", np.array([v for polygon in polygons for v in polygon], "<i4")),
        "subdivisionScheme": crate.Attribute("token", "none"),
    } | (values or {})


def random_mesh(seed):
    """Triangles, quads and pentagons among random vertices, with one primvar of every kind; (attributes, vertices)."""
    generator = np.random.default_rng(seed)
    count = int(generator.integers(5, 3000))
    vertices = generator.normal(0, 10.0 ** generator.integers(-3, 4), (count, 3)).astype("<f4")
    sizes = generator.integers(3, 6, generator.integers(1, 2 * count))
    polygons = [generator.choice(count, size, replace=False).tolist() for size in sizes]
    palette = generator.random((int(generator.integers(1, count)), 3)).astype("<f4")
    values = {
        "primvars:shade": crate.Attribute("color3f[]", palette, "vertex"),
        "primvars:shade:indices": crate.Attribute("int[]", generator.integers(0, len(palette), count).astype("<i4")),
        "primvars:rest": crate.Attribute("float3[]", vertices[::-1].copy(), "vertex"),
        "primvars:weight": crate.Attribute("float[]", generator.random(count).astype("<f4"), "vertex"),
        "primvars:slot": crate.Attribute("int[]", generator.integers(0, 9, len(sizes)).astype("<i4"), "uniform"),
    }
    return mesh_of(polygons, vertices, values)


def opened(folder, attributes, name="head"):
    """(stage, mesh) of a file, through OpenUSD. The stage must outlive its mesh."""
    path = folder / "frame.usdc"
    path.write_bytes(crate.mesh_file(name, attributes))
    stage = Usd.Stage.Open(str(path))
    return stage, UsdGeom.Mesh(stage.GetDefaultPrim())


def array_of(attribute):
    value = np.array(attribute.Get())
    return value.reshape(len(value), *SIZES.get(str(attribute.GetTypeName()), ()))


def assert_read_alike(mesh, attributes):
    assert {item.GetName() for item in mesh.GetPrim().GetAuthoredAttributes()} == set(attributes)
    for name, expected in attributes.items():
        found = mesh.GetPrim().GetAttribute(name)
        assert str(found.GetTypeName()) == expected.type_name
        assert (found.GetMetadata("interpolation") or "") == expected.interpolation
        if isinstance(expected.value, str):
            assert found.Get() == expected.value
        else:
            np.testing.assert_array_equal(array_of(found), expected.value, err_msg=name)


@pytest.mark.parametrize("seed", range(12))
def test_every_value_of_a_random_mesh_arrives_to_the_bit(tmp_path, seed):
    attributes = random_mesh(seed)
    _stage, mesh = opened(tmp_path, attributes)
    assert_read_alike(mesh, attributes)


@pytest.mark.parametrize(
    ("polygons", "vertices"),
    [
        ([], []),
        ([], [[1, 2, 3]]),
        ([[0, 1, 2]], np.eye(3)),
        ([[0, 1, 2, 3]], np.eye(4)[:, :3]),
        ([[0, 1, 2], [3, 2, 1, 0]] * 20, np.eye(4)[:, :3]),
    ],
    ids=["nothing", "a point", "a triangle", "a quad", "both"],
)
def test_small_meshes_arrive_too(tmp_path, polygons, vertices):
    attributes = mesh_of(polygons, vertices)
    _stage, mesh = opened(tmp_path, attributes)
    assert_read_alike(mesh, attributes)


@pytest.mark.parametrize("seed", range(3))
def test_the_mesh_is_sound_and_its_bounds_are_those_of_its_points(tmp_path, seed):
    attributes = random_mesh(seed)
    _stage, mesh = opened(tmp_path, attributes)
    counts, corners = mesh.GetFaceVertexCountsAttr().Get(), mesh.GetFaceVertexIndicesAttr().Get()
    points = attributes["points"].value
    assert UsdGeom.Mesh.ValidateTopology(corners, counts, len(points)) == (True, "")
    box = UsdGeom.BBoxCache(Usd.TimeCode.Default(), ["default"]).ComputeWorldBound(mesh.GetPrim()).ComputeAlignedRange()
    np.testing.assert_array_equal([box.GetMin(), box.GetMax()], [points.min(0), points.max(0)])


def test_the_stage_is_in_metres_with_z_up_and_no_validator_complains(tmp_path):
    stage, mesh = opened(tmp_path, random_mesh(0), name="skull")
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Z", 1.0)
    assert [str(prim.GetPath()) for prim in stage.Traverse()] == ["/skull"]
    assert mesh.GetPrim().GetTypeName() == "Mesh"
    assert mesh.GetSubdivisionSchemeAttr().Get() == "none"
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    errors = UsdValidation.ValidationContext(validators).Validate(stage)
    assert [error.GetMessage() for error in errors] == []


@pytest.mark.parametrize("seed", range(3))
def test_indexed_primvars_unfold_to_one_value_a_vertex(tmp_path, seed):
    attributes = random_mesh(seed)
    _stage, mesh = opened(tmp_path, attributes)
    shade = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("shade")
    palette, indices = attributes["primvars:shade"].value, attributes["primvars:shade:indices"].value
    assert shade.IsIndexed()
    assert shade.GetInterpolation() == "vertex"
    np.testing.assert_array_equal(np.array(shade.ComputeFlattened()), palette[indices])
    slot = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("slot")
    assert not slot.IsIndexed()
    assert slot.GetInterpolation() == "uniform"


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("bits", [0, 3, 8, 16, 31, 32])
def test_integers_of_every_size_arrive(tmp_path, length, bits):
    """Compression stores their differences in 0, 1, 2 or 4 bytes; those of 32-bit integers wrap around."""
    generator = np.random.default_rng(1000 * bits + length)
    values = generator.integers(-(2**bits) // 2, max(2**bits // 2, 1), length).astype("<i4")
    attributes = mesh_of([], [], {"numbers": crate.Attribute("int[]", values)})
    _stage, mesh = opened(tmp_path, attributes)
    assert_read_alike(mesh, attributes)


def test_the_extremes_of_integers_and_floats_arrive(tmp_path):
    integers = np.array([2**31 - 1, -(2**31), 0, -1, 1] * 5, "<i4")
    floats = np.array([0.0, -0.0, 1e-45, -3.4e38, np.inf, -np.inf, np.pi] * 5, "<f4")
    attributes = mesh_of([], [], {"i": crate.Attribute("int[]", integers), "f": crate.Attribute("float[]", floats)})
    _stage, mesh = opened(tmp_path, attributes)
    assert_read_alike(mesh, attributes)
    np.testing.assert_array_equal(np.signbit(array_of(mesh.GetPrim().GetAttribute("f"))), np.signbit(floats))


def test_a_large_mesh_and_many_attributes_arrive(tmp_path):
    """More tokens, fields and literals than one byte of a length counts."""
    vertices = np.random.default_rng(0).normal(size=(200_000, 3)).astype("<f4")
    corners = np.random.default_rng(1).integers(0, len(vertices), (300_000, 3))
    many = {f"primvars:extra_{i}": crate.Attribute("float[]", np.arange(i, dtype="<f4"), "vertex") for i in range(300)}
    attributes = {
        "points": crate.Attribute("point3f[]", vertices),
        "faceVertexCounts": crate.Attribute("int[]", np.full(len(corners), 3, "<i4")),
        "faceVertexIndices": crate.Attribute("int[]", corners.ravel().astype("<i4")),
    } | many
    _stage, mesh = opened(tmp_path, attributes)
    assert_read_alike(mesh, attributes)


def test_an_array_that_two_attributes_share_arrives_in_both(tmp_path):
    indices = np.arange(40, dtype="<i4")
    shared = {name: crate.Attribute("int[]", indices) for name in ("primvars:a:indices", "primvars:b:indices")}
    attributes = mesh_of([], [], shared)
    _stage, mesh = opened(tmp_path, attributes)
    assert_read_alike(mesh, attributes)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_read_back_is_what_openusd_reads(tmp_path, seed):
    attributes = random_mesh(seed)
    _stage, mesh = opened(tmp_path, attributes)
    assert_read_alike(mesh, crate.read_mesh_file((tmp_path / "frame.usdc").read_bytes()))
