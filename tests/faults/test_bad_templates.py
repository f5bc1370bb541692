"""Numbers that point nowhere in a bundle's template are refused when it is read."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from engine.bundle import Bundle  # noqa: E402
from engine.head.template import Template  # noqa: E402
from engine.shared.errors import EngineError  # noqa: E402


@pytest.fixture(scope="module")
def tensors():
    return Bundle.open("starter").tensors("head.template")


def changed(tensors, name, change):
    return tensors | {name: change(tensors[name].clone())}


BAD = {
    "only -1": ("polygons", lambda p: torch.full_like(p, -1)),
    "a vertex beyond the last": ("polygons", lambda p: p.index_fill(0, torch.tensor([5]), 32000)),
    "a negative corner": ("polygons", lambda p: p.index_fill(0, torch.tensor([5]), -7)),
    "one vertex four times": ("polygons", lambda p: p.index_fill(0, torch.tensor([5]), 3)),
    "three columns": ("polygons", lambda p: p[:, :3]),
    "floating-point corners": ("polygons", lambda p: p.float()),
    "no polygon": ("polygons", lambda p: p[:0]),
    "coordinates of other polygons": ("polygon_uv", lambda p: p[:-1]),
    "regions of other vertices": ("regions", lambda p: p[:-1]),
    "regions that are no bytes": ("regions", lambda p: p.float()),
    "modes of other vertices": ("identity_modes_q", lambda p: p[:, :-1]),
    "scales of other modes": ("identity_modes_scale", lambda p: p[:-1]),
    "a lip curve without points": ("lip_upper", lambda p: p[:0]),
    "a flat lip curve": ("lip_lower", lambda p: p[:, :2]),
    "bits of other vertices": ("displacement_moved", lambda p: p[:, :-1]),
    "more bits than displacements": ("displacement_moved", lambda p: torch.full_like(p, 255)),
    "a weight too few": ("displacement_moved", lambda p: p[:-1]),
    "displacements missing": ("displacement", lambda p: p[:-1]),
    "no vertices": ("vertices", lambda p: p[:0]),
}


OPTIONAL = {"lid_rims"}


@pytest.mark.parametrize("name", list(BAD))
def test_a_template_that_does_not_fit_is_refused(tensors, name):
    key, change = BAD[name]
    with pytest.raises(EngineError, match="template does not fit"):
        Template.of(changed(tensors, key, change))


def test_a_template_without_a_tensor_is_refused(tensors):
    for name in tensors.keys() - OPTIONAL:
        with pytest.raises(EngineError, match=name):
            Template.of({key: tensor for key, tensor in tensors.items() if key != name})


def test_the_starters_template_is_whole(tensors):
    assert np.isfinite(Template.of(tensors).uv).all()
