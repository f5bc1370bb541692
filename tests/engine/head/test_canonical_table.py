"""Tabulated functions of canonical space against the functions themselves."""

import pytest
import torch

from engine.bundle import Bundle
from engine.head import canonical_table, load_head
from engine.head.canonical_table import POINTS_A_NODE, SPACING, CanonicalTable
from engine.head.surface.extract import SurfaceExtractor

LOW, HIGH = (-0.1, -0.2, -0.1), (0.1, 0.1, 0.2)


def smooth(points):
    return torch.stack([points.sum(1), torch.sin(9 * points[:, 0]) * points[:, 2]], 1)


def some_points(count=400, reach=1.0):
    low, high = torch.tensor(LOW), torch.tensor(HIGH)
    middle = (low + high) / 2
    return middle + reach * (torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) - 0.5) * (high - low)


def test_a_full_table_is_linear_between_its_nodes(monkeypatch):
    points, asked = some_points(), []
    monkeypatch.setattr(canonical_table, "POINTS_A_NODE", 0.01)
    table = CanonicalTable(lambda p: asked.append(len(p)) or smooth(p), LOW, HIGH)
    first = table(points)
    asked.clear()
    torch.testing.assert_close(table(points), first)
    assert not asked
    torch.testing.assert_close(first[:, 0], smooth(points)[:, 0], atol=1e-6, rtol=0)  # linear, so exact
    curvature = 9 * 9 * 0.2
    assert (first - smooth(points)).abs().max() < curvature * SPACING**2


def test_few_nodes_are_added_at_a_time_and_other_points_are_exact():
    table, points = CanonicalTable(smooth, LOW, HIGH), some_points()
    before = 0
    for _ in range(4):
        values = table(points)
        assert before < table.rows <= before + len(points) // POINTS_A_NODE
        before = table.rows
    exact = (values == smooth(points)).all(1)
    assert 0.5 < exact.float().mean() < 1.0


def test_points_outside_the_box_get_the_function():
    points = some_points(reach=3.0)
    outside = ((points < torch.tensor(LOW)) | (points > torch.tensor(HIGH) + SPACING)).any(1)
    assert outside.any()
    torch.testing.assert_close(CanonicalTable(smooth, LOW, HIGH)(points)[outside], smooth(points)[outside])
    assert CanonicalTable(smooth, LOW, HIGH)(points[:0]).shape == (0, 2)


@pytest.mark.slow
def test_tabulated_regions_are_those_of_the_network(monkeypatch):
    monkeypatch.setattr(canonical_table, "POINTS_A_NODE", 0.01)
    head = load_head(Bundle.open("starter"), torch.device("cpu"))
    points = torch.from_numpy(SurfaceExtractor(head, None, 48).extract().canonical)
    regions = head.prepare_identity(None).regions
    exact, tabulated = regions.network_weights(points), regions.tabulated(points)
    assert (regions._table.row >= 0).any()
    torch.testing.assert_close(tabulated.sum(1), torch.ones(len(points)), atol=1e-3, rtol=0)
    assert (exact.argmax(1) != tabulated.argmax(1)).float().mean() < 0.005
    assert (exact - tabulated).abs().mean() < 0.002
