"""Tables of signed distances against the functions they are made of, and the work that makes them ahead."""

import time

import numpy as np
import pytest
import torch

from engine.bundle import Bundle
from engine.head import load_head
from engine.head.distance_table import GREATEST_ERROR, REACH, SPACING, DistanceTable, table_key, tabulated
from engine.head.surface.extract import SurfaceExtractor
from engine.head.table_work import SEEN_SURFACES, TableWork

LOW, HIGH, RADIUS = (-0.1, -0.12, -0.1), (0.12, 0.1, 0.1), 0.07


def ball(points):
    return points.norm(dim=1) - RADIUS


def slit(points):
    """A ball with a slit in it: a crease, where distances cannot be interpolated."""
    return torch.maximum(ball(points), 0.004 - points[:, 1].abs())


def on_ball(count=4000):
    points = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    return RADIUS * points / points.norm(dim=1, keepdim=True)


def beside(points, reach):
    shift = torch.rand(len(points), 1, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return points * (1 + shift * reach / RADIUS)


def made(function):
    *_, table = tabulated(function, on_ball(), LOW, HIGH)
    return table


def unasked(points):
    raise AssertionError(f"{len(points)} points were asked for")


def test_distances_around_a_smooth_surface_need_no_function_and_are_close():
    table, points = made(ball), beside(on_ball(), 0.9 * REACH)
    error = (table(points, unasked) - ball(points)).abs()
    assert error.max() < 0.005 * SPACING  # 5 micrometres, where linear interpolation is off by 15


def test_beside_a_crease_and_far_away_the_function_counts():
    table, points = made(slit), torch.cat([beside(on_ball(), REACH), 3 * on_ball(), 0.5 * on_ball()])
    asked = []
    values = table(points, lambda at: asked.append(len(at)) or slit(at))
    assert 0.5 * len(points) < sum(asked) < 0.9 * len(points)
    error = (values - slit(points)).abs()
    assert error.quantile(0.999) < GREATEST_ERROR
    assert error.max() < 5 * GREATEST_ERROR


def test_a_stored_table_is_the_same_and_damaged_or_foreign_files_are_none(tmp_path):
    table, path, points = made(slit), tmp_path / "folder" / "table.npz", beside(on_ball(), REACH)
    table.save(path, "key")
    again = DistanceTable.load(path, "key", LOW, HIGH)
    assert torch.equal(again.usable, table.usable)
    assert (again(points, slit) - table(points, slit)).abs().max() < 0.01 * SPACING
    assert DistanceTable.load(path, "other", LOW, HIGH) is None
    content = path.read_bytes()
    for damaged in (b"", content[:-200], content[:100] + bytes(300) + content[400:]):
        path.write_bytes(damaged)
        assert DistanceTable.load(path, "key", LOW, HIGH) is None
    assert DistanceTable.load(tmp_path / "none.npz", "key", LOW, HIGH) is None


def test_keys_tell_weights_codes_and_boxes_apart():
    weights, code, box = {"a": torch.ones(2)}, torch.zeros(1, 4), (LOW, HIGH)
    keys = {
        table_key(weights, code, box),
        table_key({"a": torch.zeros(2)}, code, box),
        table_key(weights, code + 1, box),
        table_key(weights, code, (LOW, LOW)),
    }
    assert len(keys) == 4
    assert table_key({"a": torch.ones(2)}, torch.zeros(1, 4), (LOW, HIGH)) in keys


@pytest.fixture(scope="module")
def head():
    return load_head(Bundle.open("starter"), torch.device("cpu"))


@pytest.mark.slow
def test_a_head_seen_for_a_while_gets_a_table_that_another_process_finds(head, tmp_path):
    extractor = SurfaceExtractor(head, None, 32, tolerance=0.01)
    extractor.extract()
    points = extractor.band.canonical_points()
    work = TableWork(head, tmp_path)
    work.look_up(None)
    work.saw(None, SEEN_SURFACES - 1, points)
    assert not work.step()
    work.saw(None, 1, points)
    assert head.prepare_identity(None).table is None
    pieces = 1
    while work.step():
        pieces += 1
    assert pieces > 1
    table = head.prepare_identity(None).table
    head._prepared.clear()
    reader = TableWork(head, tmp_path)
    reader.look_up(None)
    while reader.reading:
        time.sleep(0.05)
    found = head.prepare_identity(None).table
    assert torch.equal(found.usable, table.usable)
    posed = head.pose()
    known = points[: 8 * 1024]
    error = (posed.tabulated_distance(known) - posed.canonical_distance(known)).abs()[
        posed.canonical_distance(known).abs() < 0.5 * REACH
    ]
    assert error.quantile(0.99) < GREATEST_ERROR
    assert np.isfinite(error.numpy()).all()
    assert not TableWork(head, tmp_path).step()
