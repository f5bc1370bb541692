"""Depth maps to points: closed forms on a ball, and one sentence for each thing that can be wrong with a capture."""

import json
import re
import shutil

import numpy as np
import pytest
from captured_sphere import RADIUS, ball, turned, write_capture
from PIL import Image

from engine.shared.errors import EngineError
from training.capture.__main__ import main
from training.capture.cameras import Camera, looking_at, pixel_centres
from training.capture.colmap import calibration_difference, compared_poses, read_dense
from training.capture.layout import DEPTH, NORMALS, SEGMENTATION, read_cameras, save_arrays, sequences_of
from training.capture.points import (
    PointOptions,
    back_projected,
    code_frames,
    make_points,
    read_cloud,
    read_landmarks,
)
from training.capture.rendering import rig


@pytest.fixture
def capture(tmp_path):
    return write_capture(tmp_path / "captures")


def test_a_camera_projects_what_it_back_projects():
    camera = looking_at("a", np.array([0.5, 0.2, 1.0]), np.zeros(3), 300.0, (40, 60))
    pixels = pixel_centres(camera.size)
    depth = np.full(pixels.shape[:2], 0.9)
    found, again = camera.project(camera.back_projected(pixels, depth))
    np.testing.assert_allclose(found, pixels, atol=1e-9)
    np.testing.assert_allclose(again, depth)
    np.testing.assert_allclose(camera.project(np.zeros(3))[0], (20, 30))
    assert camera.project(np.array([0.0, 0.1, 0.0]))[0][1] < 30  # up in the world is up in the picture


def test_a_camera_for_smaller_pictures_sees_the_same():
    camera = looking_at("a", np.array([0.1, 0.2, 1.0]), np.zeros(3), 300.0, (40, 60))
    point = np.array([[0.02, -0.03, 0.01]])
    np.testing.assert_allclose(camera.resized((20, 30)).project(point)[0], camera.project(point)[0] / 2)


def test_depth_behind_the_mask_and_unknown_depth_give_no_points():
    camera = Camera("a", np.eye(4), np.array([[10.0, 0, 1], [0, 10.0, 1], [0, 0, 1]]), (2, 2))
    depth = np.array([[0.5, 0.0], [np.nan, 1.5]])
    normals = np.tile([0.0, 0.0, -1.0], (2, 2, 1))
    cloud = back_projected(camera, depth, normals, np.ones((2, 2), bool))
    np.testing.assert_allclose(cloud.points, [[-0.025, -0.025, 0.5]], atol=1e-7)
    np.testing.assert_allclose(cloud.normals, [[0, 0, -1]])


def test_points_lie_on_the_ball_and_normals_point_out_of_it(capture, tmp_path):
    assert make_points(capture, tmp_path / "data", PointOptions()) == 3
    folder = tmp_path / "data" / capture.dataset_name
    cloud = read_cloud(folder, 2)
    assert len(cloud.points) > 1000
    np.testing.assert_allclose(np.linalg.norm(cloud.points, axis=1), RADIUS, atol=3e-4)
    outwards = cloud.points / np.linalg.norm(cloud.points, axis=1, keepdims=True)
    assert (np.einsum("pc,pc->p", cloud.normals, outwards) > 0.999).all()
    landmarks, truth = read_landmarks(folder), ball().world_vertices(0)[ball().face_kit.landmarks]
    known = np.isfinite(landmarks[0]).all(1)
    assert known.sum() > 60
    errors = np.linalg.norm(landmarks[0][known] - truth[known], axis=1)
    assert np.median(errors) < 0.002


def test_what_is_complete_is_left_alone_and_what_is_not_is_made_again(capture, tmp_path):
    make_points(capture, tmp_path, PointOptions())
    folder = tmp_path / capture.dataset_name
    before = (folder / "point_clouds/frame_00001.npz").stat().st_mtime_ns
    make_points(capture, tmp_path, PointOptions())
    assert (folder / "point_clouds/frame_00001.npz").stat().st_mtime_ns == before
    (folder / "point_clouds/landmarks.npz").unlink()
    make_points(capture, tmp_path, PointOptions())
    assert (folder / "point_clouds/frame_00001.npz").stat().st_mtime_ns != before


def test_code_frames_are_the_nearest_of_the_capture():
    assert code_frames(list(range(73)), 73.0) == [round(number * 73 / 24) for number in range(24)]
    assert code_frames([5, 6, 7], 24.0) == [5, 6, 7]


def test_normals_are_turned_with_their_camera(capture, tmp_path):
    camera = turned(rig(1)[0], 30.0).resized((2, 2))
    normals = np.tile(camera.rotation @ [0.0, 0.0, 1.0], (2, 2, 1))
    cloud = back_projected(camera, np.ones((2, 2)), normals, np.ones((2, 2), bool))
    np.testing.assert_allclose(cloud.normals, np.tile([0.0, 0.0, 1.0], (4, 1)), atol=1e-6)


def spoil_calibration(capture, change):
    path = capture.participant_folder / "camera_params.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def in_millimetres(values):
    for pose in values["world_2_cam"].values():
        for row in pose[:3]:
            row[3] *= 1000


def test_a_calibration_in_millimetres_is_told_by_the_head(capture, tmp_path):
    spoil_calibration(capture, in_millimetres)
    with pytest.raises(EngineError, match="units"):
        make_points(capture, tmp_path, PointOptions())


def test_a_capture_in_millimetres_works_when_it_is_said(capture, tmp_path):
    make_points(capture, tmp_path / "metres", PointOptions())
    spoil_calibration(capture, in_millimetres)
    for path in capture.folder.glob("frame_*/colmap/depth_maps_geometric/*/*.npz"):
        save_arrays(path, depth_map=1000 * np.load(path)["depth_map"])
    with pytest.raises(EngineError, match="--units mm"):
        make_points(capture, tmp_path / "wrong", PointOptions())
    make_points(capture, tmp_path / "millimetres", PointOptions(units=0.001))
    found = [read_cloud(tmp_path / name / capture.dataset_name, 0).points for name in ("metres", "millimetres")]
    np.testing.assert_allclose(*found, atol=1e-6)


def remove_depth(capture):
    capture.map(1, DEPTH, "222200042", 4).unlink()


def make_nan(capture):
    path = capture.map(1, DEPTH, "222200042", 4)
    save_arrays(path, depth_map=np.full_like(np.load(path)["depth_map"], np.nan))


def cut_map(capture):
    path = capture.map(1, NORMALS, "222200042", 4)
    path.write_bytes(path.read_bytes()[:100])


def empty_mask(capture):
    path = capture.picture(1, SEGMENTATION, "222200042")
    Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)


def remove_frame(capture):
    capture.frame(1).rename(capture.folder / "frame_00009")


def add_camera(capture):
    spoil_calibration(capture, lambda values: values["world_2_cam"].update(extra=np.eye(4).tolist()))


def shear_camera(capture):
    spoil_calibration(capture, lambda values: values["world_2_cam"]["222200042"][0].__setitem__(0, 3.0))


def remove_calibration(capture):
    (capture.participant_folder / "camera_params.json").unlink()


def shorten_landmarks(capture):
    path = capture.landmarks("222200042")
    save_arrays(path, **{name: values[:2] for name, values in np.load(path).items()})


def remove_frames(capture):
    for frame in capture.frames():
        capture.frame(frame).rename(capture.folder / f"other_{frame}")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove_depth, "is missing; estimate that frame again"),
        (make_nan, "NaN or zero everywhere"),
        (cut_map, "is damaged"),
        (empty_mask, "has no face"),
        (remove_frame, "lacks 7 frames, the first is frame 1"),
        (add_camera, "extra.npz is missing"),
        (shear_camera, "is no rotation"),
        (remove_calibration, "has no calibration"),
        (shorten_landmarks, "has landmarks of 2 frames"),
        (remove_frames, "has no frames"),
    ],
)
def test_what_is_wrong_with_a_capture_is_one_sentence(capture, tmp_path, capsys, spoil, sentence):
    spoil(capture)
    assert main(["points", str(capture.captures), "--output", str(tmp_path / "data")]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert re.search(sentence, printed), printed


def test_unknown_sequences_are_named(capture):
    with pytest.raises(EngineError, match="has no sequence 099_X"):
        sequences_of(capture.captures, ["099_X"])


def test_colmaps_dense_maps_are_read_as_pycolmap_writes_them(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    values = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    pycolmap.DepthMap.from_array(values, 0.0, 1.0).write(tmp_path / "depth.bin")
    np.testing.assert_array_equal(read_dense(tmp_path / "depth.bin")[..., 0], values)
    data = (tmp_path / "depth.bin").read_bytes()
    (tmp_path / "depth.bin").write_bytes(data[:-1])
    with pytest.raises(EngineError, match="cut short"):
        read_dense(tmp_path / "depth.bin")


def test_points_come_from_colmaps_own_workspace_too(capture, tmp_path):
    make_points(capture, tmp_path / "maps", PointOptions())
    for frame in capture.frames():
        for serial in read_cameras(capture.participant_folder):
            for kind, source, name in (("depth_maps", DEPTH, "depth_map"), ("normal_maps", NORMALS, "normal_map")):
                values = np.load(capture.map(frame, source, serial, 4))[name].astype("<f4")
                values = values.reshape(*values.shape[:2], -1)
                path = capture.frame(frame) / "colmap/stereo" / kind / f"cam_{serial}.png.geometric.bin"
                path.parent.mkdir(parents=True, exist_ok=True)
                height, width, channels = values.shape
                header = f"{width}&{height}&{channels}&".encode()
                path.write_bytes(header + values.transpose(2, 0, 1).tobytes())
    make_points(capture, tmp_path / "colmap", PointOptions())
    found = [read_cloud(tmp_path / name / capture.dataset_name, 0).points for name in ("maps", "colmap")]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_calibrations_are_compared_up_to_a_similarity():
    known = np.stack([camera.world_to_camera[:3] for camera in rig(6)])
    world = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    world *= np.sign(np.linalg.det(world))
    found = np.concatenate([known[:, :, :3] @ world, 1000 * known[:, :, 3:]], 2)
    ratio, angle = compared_poses(found, known)
    assert ratio == pytest.approx(1000)
    assert angle < 1e-4
    found[0] = np.stack([turned(camera, 40.0).world_to_camera[:3] for camera in rig(6)])[0]
    assert compared_poses(found[:3], known[:3])[1] > 3


def write_sparse(pycolmap, folder, cameras, scale=1.0):
    """A sparse reconstruction of a rig's pictures, its lengths multiplied."""
    reconstruction = pycolmap.Reconstruction()
    model = pycolmap.Camera(model="PINHOLE", width=64, height=93, params=[200, 200, 32, 46.5], camera_id=1)
    reconstruction.add_camera_with_trivial_rig(model)
    for number, camera in enumerate(cameras.values(), start=1):
        pose = camera.world_to_camera[:3].copy()
        pose[:, 3] *= scale
        image = pycolmap.Image(name=f"cam_{camera.serial}.png", camera_id=1, image_id=number)
        reconstruction.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose))
    folder.mkdir(parents=True)
    reconstruction.write_binary(str(folder))


def test_a_sparse_reconstruction_confirms_the_calibration_or_contradicts_it(capture, tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    cameras = read_cameras(capture.participant_folder)
    sparse = capture.frame(0) / "colmap" / "sparse"
    write_sparse(pycolmap, sparse, cameras)
    assert calibration_difference(sparse, cameras) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-3))
    make_points(capture, tmp_path / "data", PointOptions())
    shutil.rmtree(sparse)
    write_sparse(pycolmap, sparse, cameras, scale=1000.0)
    with pytest.raises(EngineError, match="1e\\+03 times the calibration's"):
        make_points(capture, tmp_path / "other", PointOptions())
