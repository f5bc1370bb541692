"""Hair as objects: curves that a head wears, and the supports that hold them.

A head wears at most one object of hair: hair, beard, brows and lashes together. It is parented to the head and follows
its skin by a modifier of stock nodes. The head points to it, so whoever appends the head gets the hair too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import bpy
import numpy as np

from ...engine.shared.errors import EngineError
from .. import compat
from ..blender_data.datablocks import resolve
from ..look.appearance import HAIR_WORN_PROPERTY, REST_ATTRIBUTE, SCALP_COLOR_PROPERTY
from . import following, hair_material
from .facial_hair import beard, brows, lashes
from .hairdresser import hair
from .scalp import Scalp, scalp
from .strands import Strands, carried
from .styles import BEARDS, NO_BEARD, STYLES

# Pictures with a side of so many pixels or more show all strands; below, how fast fewer are enough.
ALL_AT_PIXELS, SHARE_POWER, LEAST_SHARE = 1000.0, 3.0, 0.08
COLLECTION = "FaceTalk Hair"
SHARES = 0.3, 1.0  # of the strands that viewports and renders show, where nobody has chosen
HAIR_PROPERTY = "facetalk_hair"  # of a head: the object of its hair
PLACES_PROPERTY = "facetalk_hair_places"  # of a head of free topology: a mesh of the scalp's rows at rest
CUT_PROPERTY = "facetalk_cut"  # of the hair: what it was made of
NO_PLACES = "This head does not know where its hair would grow; generate it again."
OTHER_HEAD = "This head is not of the starter's family, so it is not known where its hair would grow."


# Least and greatest of the numbers of a cut.
CUT_LIMITS: dict[str, tuple[float, float]] = {
    "length": (0.3, 2.0),
    "density": (0.1, 1.5),
    "receding": (0.0, 1.0),
    "brows": (0.0, 2.0),
    "lashes": (0.2, 1.6),
    "melanin": (0.0, 1.0),
    "redness": (0.0, 1.0),
    "grey": (0.0, 1.0),
}


@dataclass(frozen=True)
class Cut:
    """What a head wears.

    style, beard: names of STYLES and BEARDS, or BALD and NO_BEARD; seed: of all that is random.
    length: factor of the hair; density: factor of hair and beard; receding: 0..1 of the hairline. brows,
    lashes: factors of their thickness and length. melanin, redness, grey: 0..1.
    """

    style: str = "short"
    beard: str = NO_BEARD
    seed: int = 0
    length: float = 1.0
    density: float = 1.0
    receding: float = 0.0
    brows: float = 1.0
    lashes: float = 1.0
    melanin: float = 0.8
    redness: float = 0.3
    grey: float = 0.0

    @property
    def colors(self) -> tuple[float, float, float]:
        """Melanin, redness and grey."""
        return self.melanin, self.redness, self.grey


def strands_of(cut: Cut, map_: Scalp) -> list[Strands]:
    """The strands of a cut on the mean head. NumPy only."""
    made = [brows(map_, cut.seed, cut.brows), lashes(map_, cut.seed, cut.lashes)]
    if cut.style in STYLES:
        made.append(hair(map_, cut.style, cut.seed, cut.length, cut.receding, cut.density))
    if cut.beard in BEARDS:
        made += beard(map_, cut.beard, cut.seed, cut.density)
    return made


def worn_by(head: bpy.types.Object) -> bpy.types.Object | None:
    """The hair of a head."""
    found = head.get(HAIR_PROPERTY)
    return found if isinstance(found, bpy.types.Object) and found.type == "CURVES" else None


def problem(head: bpy.types.Object) -> str:
    """Why a head cannot wear hair, in one sentence that names the fix; empty when it can."""
    if _own_places(head) is not None:
        return ""
    if head.type != "MESH" or head.data.attributes.get(REST_ATTRIBUTE) is None:
        return NO_PLACES
    return "" if _is_fixed(head) else OTHER_HEAD


def remember_places(head: bpy.types.Object, template_rest: np.ndarray) -> None:
    """Keep where the template's vertices (V, 3) lie at rest on a head of free topology, metres."""
    if len(template_rest) != scalp().template_vertices or not np.isfinite(template_rest).all():
        return
    mesh = bpy.data.meshes.new(f"{head.name} Places")
    _fill(mesh, template_rest[scalp().rows])
    head[PLACES_PROPERTY] = mesh


def put_on(head: bpy.types.Object, cut: Cut, scene: bpy.types.Scene) -> bpy.types.Object:
    """Give a head hair of a cut, in place of what it wears. Raises EngineError with `problem` when it cannot."""
    if reason := problem(head):
        raise EngineError(reason)
    return _put_on(head, cut, scene, strands_of(cut, scalp()))


def putting_on(head_uid: int, cut: Cut, scene_uid: int, shares: tuple[float, float] = SHARES) -> Iterator[None]:
    """The same in pieces, of session_uids; strands are made in a thread. Nothing on a head that cannot wear hair.

    shares: of the strands that viewports and renders show.

    Raises DataBlockLost when head or scene is gone.
    """
    if problem(resolve(bpy.data.objects, head_uid)):
        return
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(strands_of, cut, scalp())
        while not made.done():
            time.sleep(0.001)
            yield
    head, scene = resolve(bpy.data.objects, head_uid), resolve(bpy.data.scenes, scene_uid)
    _put_on(head, cut, scene, made.result())
    set_shares(head, *shares)
    yield


def _put_on(head: bpy.types.Object, cut: Cut, scene: bpy.types.Scene, strands: list[Strands]) -> bpy.types.Object:
    shares = _shares(worn_by(head))
    take_off(head)
    map_, places = scalp(), _places(head)
    fixed = _own_places(head) is None
    # Fixed topology holds strands by the corners of their own triangles, which it can find by their numbers.
    triples = map_.triangles if fixed else map_.triples
    curves = _curves(f"{head.name} Hair", map_, strands, places, triples)
    item = bpy.data.objects.new(f"{head.name} Hair", curves)
    _collection(scene).objects.link(item)
    item.parent = head
    _hide_with(item, head)
    _follow(item, head, _supports(head.name, map_, places if fixed else places[: map_.supports]))
    head[HAIR_PROPERTY], head[HAIR_WORN_PROPERTY] = item, 1.0
    item[CUT_PROPERTY] = asdict(cut)
    recolor(head, cut)
    set_shares(head, *(shares or SHARES))
    head.update_tag()
    return item


def recolor(head: bpy.types.Object, cut: Cut) -> None:
    """Give a head's hair the colour of a cut."""
    item = worn_by(head)
    if item is None:
        return
    names = (hair_material.MELANIN_PROPERTY, hair_material.REDNESS_PROPERTY, hair_material.GREY_PROPERTY)
    for name, value in zip(names, cut.colors, strict=True):
        item[name] = float(value)
    hair_material.hair_material().diffuse_color = (*hair_material.color_of(*cut.colors), 1.0)
    item.color = (*hair_material.color_of(*cut.colors), 1.0)
    item[CUT_PROPERTY] = asdict(cut)
    dimmed = (hair_material.DIMMED * channel for channel in hair_material.color_of(*cut.colors))
    head[SCALP_COLOR_PROPERTY] = [*dimmed, _cover(cut)]
    for changed in (item, head):
        changed.update_tag()


def _cover(cut: Cut) -> float:
    """How far the scalp is painted with the colour of its hair, 0..1; less where the hairline has gone back."""
    cover = STYLES[cut.style].cover if cut.style in STYLES else 0.0
    return float(cover * min(cut.density, 1.0) * (1 - 0.8 * cut.receding))


def cut_of(item: bpy.types.Object) -> Cut:
    """What an object of hair was made of; the default where it does not say."""
    stored = item.get(CUT_PROPERTY)
    known = {} if stored is None else {name: stored[name] for name in asdict(Cut()) if name in stored}
    return Cut(**known)


def share_for(size: tuple[int, int]) -> float:
    """The share of the strands that a picture of so many pixels can show: in a small one, wider ones are as thin."""
    return float(np.clip((min(size) / ALL_AT_PIXELS) ** SHARE_POWER, LEAST_SHARE, 1.0))


def set_shares(head: bpy.types.Object, viewport: float, render: float) -> None:
    """Which shares of the strands viewports and renders show, 0..1."""
    item = worn_by(head)
    modifier = item.modifiers.get(following.NAME) if item else None
    if modifier is None:
        return
    for name, share in ((following.VIEWPORT, viewport), (following.RENDER, render)):
        compat.set_modifier_input(modifier, name, float(share))
    item.update_tag()


def _shares(item: bpy.types.Object | None) -> tuple[float, float] | None:
    modifier = item.modifiers.get(following.NAME) if item else None
    if modifier is None or modifier.node_group is None:
        return None
    return tuple(compat.modifier_input(modifier, name) for name in (following.VIEWPORT, following.RENDER))


def take_off(head: bpy.types.Object) -> None:
    """Remove a head's hair, with what was made for it."""
    item = worn_by(head)
    head.pop(HAIR_PROPERTY, None)
    head.pop(HAIR_WORN_PROPERTY, None)
    head.pop(SCALP_COLOR_PROPERTY, None)
    if item is None or item.library is not None:
        return
    modifier = item.modifiers.get(following.NAME)
    supports = None
    if modifier is not None and modifier.node_group is not None:
        supports = compat.modifier_input(modifier, following.SUPPORTS)
    curves = item.data
    bpy.data.objects.remove(item)
    if curves.users == 0:
        bpy.data.hair_curves.remove(curves)
    if supports is not None and supports.users <= 1:
        mesh = supports.data
        bpy.data.objects.remove(supports)
        if mesh.users == 0:
            bpy.data.meshes.remove(mesh)


def forget(head: bpy.types.Object) -> list[bpy.types.Mesh]:
    """Remove the hair of a head that will go; the meshes that nothing needs once it is gone."""
    take_off(head)
    places = head.get(PLACES_PROPERTY)
    head.pop(PLACES_PROPERTY, None)
    return [places] if isinstance(places, bpy.types.Mesh) else []


def _hide_with(item: bpy.types.Object, head: bpy.types.Object) -> None:
    """Let drivers hide hair with its head."""
    for path in ("hide_viewport", "hide_render"):
        setattr(item, path, getattr(head, path))
        driver = item.driver_add(path).driver
        driver.type = "AVERAGE"
        variable = driver.variables.new()
        variable.targets[0].id, variable.targets[0].data_path = head, path


def _is_fixed(head: bpy.types.Object) -> bool:
    return len(head.data.vertices) == scalp().template_vertices


def _own_places(head: bpy.types.Object) -> np.ndarray | None:
    mesh = head.get(PLACES_PROPERTY)
    if not isinstance(mesh, bpy.types.Mesh) or len(mesh.vertices) != len(scalp().rows):
        return None
    return _read(mesh.attributes["position"], len(mesh.vertices))


def _places(head: bpy.types.Object) -> np.ndarray:
    """Where the scalp's rows (R, 3) lie at rest on a head."""
    own = _own_places(head)
    if own is not None:
        return own
    mesh = head.data
    return _read(mesh.attributes[REST_ATTRIBUTE], len(mesh.vertices))[scalp().rows]


def _read(attribute: bpy.types.Attribute, count: int) -> np.ndarray:
    places = np.empty(3 * count, np.float32)
    attribute.data.foreach_get("vector", places)
    return places.reshape(-1, 3)


def _fill(mesh: bpy.types.Mesh, places: np.ndarray) -> None:
    mesh.vertices.add(len(places))
    mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(places, np.float32).ravel())


def _supports(name: str, map_: Scalp, places: np.ndarray) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(f"{name} Hair Supports")
    _fill(mesh, places)
    numbers = mesh.attributes.new(following.VERTEX_ATTRIBUTE, "INT", "POINT")
    numbers.data.foreach_set("value", map_.rows[: len(places)])
    return bpy.data.objects.new(mesh.name, mesh)


def _curves(name: str, map_: Scalp, made: list[Strands], places: np.ndarray, holding: np.ndarray) -> bpy.types.Curves:
    curves = bpy.data.hair_curves.new(name)
    sizes = [part.points.shape[1] for part in made for _ in range(len(part.points))]
    curves.add_curves(sizes)
    points = [carried(map_, part, places) for part in made]
    flat = np.concatenate([array.reshape(-1, 3) for array in points]).astype(np.float32)
    curves.attributes["position"].data.foreach_set("vector", flat.ravel())
    radii = np.concatenate([part.radii.ravel() for part in made]).astype(np.float32)
    _new(curves, "radius", "FLOAT", "POINT", radii)
    triples = np.concatenate([holding[part.triangles] for part in made])
    for number, attribute in enumerate(following.SUPPORT_ATTRIBUTES):
        _new(curves, attribute, "INT", "CURVE", np.ascontiguousarray(triples[:, number], np.int32))
    roots = np.concatenate([array[:, 0] for array in points]).astype(np.float32)
    curves.attributes.new(following.ROOT_ATTRIBUTE, "FLOAT_VECTOR", "CURVE").data.foreach_set("vector", roots.ravel())
    _new(curves, following.RANK_ATTRIBUTE, "FLOAT", "CURVE", np.concatenate([part.ranks for part in made]))
    tones = np.concatenate([np.full(len(part.points), part.tone, np.float32) for part in made])
    _new(curves, hair_material.TONE_ATTRIBUTE, "FLOAT", "CURVE", tones)
    curves.materials.append(hair_material.hair_material())
    return curves


def _new(curves: bpy.types.Curves, name: str, kind: str, domain: str, values: np.ndarray) -> None:
    attribute = curves.attributes.get(name) or curves.attributes.new(name, kind, domain)
    attribute.data.foreach_set("value", values)


def _follow(item: bpy.types.Object, head: bpy.types.Object, supports: bpy.types.Object) -> None:
    modifier = item.modifiers.new(following.NAME, "NODES")
    modifier.node_group = following.following_tree()
    values = {following.HEAD: head, following.SUPPORTS: supports, following.FIXED: _own_places(head) is None}
    for name, value in values.items():
        compat.set_modifier_input(modifier, name, value)


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The scene's collection of hair."""
    found = next((item for item in scene.collection.children_recursive if item.name.startswith(COLLECTION)), None)
    if found is None:
        found = bpy.data.collections.new(COLLECTION)
        scene.collection.children.link(found)
    return found
