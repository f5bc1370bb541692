"""The person: hair, beard, brows and lashes of this scene's heads, persons of the table, and drawn ones."""

from __future__ import annotations

from dataclasses import asdict

import bpy
import bpy.utils.previews

from ..hair import worn
from ..hair.styles import BALD, BEARDS, NO_BEARD, STYLES
from ..hair.worn import Cut
from ..outputs import result
from ..person.persons import LARGEST_SEED, Person, persons, picture

OWN = "OWN"  # no person of the table
NO_HEAD = "These act on the next head; generate one to see them."
_previews: bpy.utils.previews.ImagePreviewCollection | None = None
_items: list[tuple[str, str, str, int, int]] = []  # Blender keeps no reference to what an enumeration lists


def heads(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The heads of the chosen take."""
    text = scene.facetalk.chosen_take()
    return [] if text is None else result.results_of_take(scene, text)


def cannot_wear(scene: bpy.types.Scene) -> str:
    """Why none of the chosen take's heads can wear hair, or that there is none; empty where one can."""
    reasons = [worn.problem(head) for head in heads(scene)]
    return "" if "" in reasons else next(iter(reasons), NO_HEAD)


def dress(scene: bpy.types.Scene) -> None:
    """Give the chosen take's heads the hair of the settings, or none."""
    wish = scene.facetalk_person.wish()
    for head in heads(scene):
        if wish is None:
            worn.take_off(head)
        elif not worn.problem(head):
            worn.put_on(head, wish, scene)
            _show_shares(head, scene.facetalk_person)


def apply(scene: bpy.types.Scene, person: Person) -> None:
    """Set head, colours, skin and hair of the next head to a person's; hair and colours act on this one at once."""
    settings, facetalk, head = scene.facetalk_person, scene.facetalk, scene.facetalk_head
    base, _, number = person.identity.partition(":")
    facetalk.head = base.upper()
    if number:
        facetalk.head_seed = int(number)
    head.set_controls(person.controls)
    for name, value in person.traits.items():
        if hasattr(head, name):
            setattr(head, name, value)
    head.skin_color, head.eye_color = person.skin, person.eyes
    settings.set_cut(person.cut)
    dress(scene)


def person_items(_self, _context: bpy.types.Context | None) -> list[tuple[str, str, str, int, int]]:
    """The persons of the table, with their pictures."""
    if not _items:
        _items.append((OWN, "Own", "As it is set below", "USER", 0))
        for number, (name, person) in enumerate(persons().items(), 1):
            _items.append((name, name, person.description, _icon(name), number))
    return _items


def _icon(name: str) -> int | str:
    path = picture(name)
    if _previews is None or not path.is_file():
        return "USER"
    return (_previews.get(name) or _previews.load(name, str(path), "IMAGE")).icon_id


def register() -> None:
    """Room for the pictures."""
    global _previews
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    """Forget the pictures."""
    global _previews
    _items.clear()
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews = None


def _choose_person(settings: FaceTalkPerson, _context: bpy.types.Context) -> None:
    if settings.person != OWN:
        apply(settings.id_data, persons()[settings.person])


def _cut_again(settings: FaceTalkPerson, _context: bpy.types.Context) -> None:
    if not settings.get("many", False):
        dress(settings.id_data)


def _recolor(settings: FaceTalkPerson, _context: bpy.types.Context) -> None:
    wish = settings.wish()
    if settings.get("many", False) or wish is None:
        return
    for head in heads(settings.id_data):
        worn.recolor(head, wish)


def _show_counts(settings: FaceTalkPerson, _context: bpy.types.Context) -> None:
    for head in heads(settings.id_data):
        _show_shares(head, settings)


def _show_shares(head: bpy.types.Object, settings: FaceTalkPerson) -> None:
    worn.set_shares(head, *settings.shares())


def _named(names: dict | tuple, first: tuple[str, str]) -> list[tuple[str, str, str]]:
    return [(*first, ""), *((name, name.replace("_", " ").title(), "") for name in names)]


def _number(name: str, description: str, update=_cut_again):
    """A number of the cut, with its default and limits."""
    default, (least, most) = getattr(Cut(), name.lower()), worn.CUT_LIMITS[name.lower()]
    return bpy.props.FloatProperty(
        name=name, description=description, default=default, min=least, max=most, step=5, update=update
    )


class FaceTalkPerson(bpy.types.PropertyGroup):
    """Hair of the heads of this scene."""

    person: bpy.props.EnumProperty(
        name="Person",
        description="Head, skin, eyes and hair that fit each other; all of them can be changed afterwards",
        items=person_items,
        update=_choose_person,
    )
    use_hair: bpy.props.BoolProperty(
        name="Hair", description="Brows, lashes and hair of curves; else the material paints brows", default=True,
        update=_cut_again,
    )  # fmt: skip
    style: bpy.props.EnumProperty(
        name="Style", description="How the hair is cut", items=_named(STYLES, (BALD, "Bald")), default=Cut().style,
        update=_cut_again,
    )  # fmt: skip
    beard: bpy.props.EnumProperty(
        name="Beard", description="How the beard is cut", items=_named(BEARDS, (NO_BEARD, "None")), default=NO_BEARD,
        update=_cut_again,
    )  # fmt: skip
    seed: bpy.props.IntProperty(
        name="Seed", description="Another number grows other strands", min=0, max=LARGEST_SEED, update=_cut_again
    )
    length: _number("Length", "Of the style's own")
    density: _number("Density", "How many strands grow, of the style's own")
    receding: _number("Receding", "How far the hairline has gone back")
    brows: _number("Brows", "How thick the brows are")
    lashes: _number("Lashes", "How long the lashes are")
    melanin: _number("Melanin", "How dark: 0.1 is blond, 0.5 light brown, 0.9 black", update=_recolor)
    redness: _number("Redness", "How red", update=_recolor)
    grey: _number("Grey", "Share of the strands that have lost their colour", update=_recolor)
    viewport: bpy.props.IntProperty(
        name="Viewport", description="Share of the strands that viewports show", subtype="PERCENTAGE", min=1, max=100,
        default=round(100 * worn.SHARES[0]), update=_show_counts,
    )  # fmt: skip
    render: bpy.props.IntProperty(
        name="Render", description="Share of the strands that render: 50 for previews. Fewer strands are wider",
        subtype="PERCENTAGE", min=1, max=100, default=round(100 * worn.SHARES[1]), update=_show_counts,
    )  # fmt: skip

    def wish(self) -> Cut | None:
        """The hair that is asked for; None for a head without any."""
        if not self.use_hair:
            return None
        return Cut(**{name: getattr(self, name) for name in asdict(Cut())})

    def shares(self) -> tuple[float, float]:
        """Shares of the strands that viewports and renders show, 0..1."""
        return self.viewport / 100.0, self.render / 100.0

    def set_cut(self, cut: Cut) -> None:
        """Take all of a cut at once; heads are not changed."""
        self["many"] = True
        for name, value in asdict(cut).items():
            setattr(self, name, value)
        self.use_hair = True
        self["many"] = False


CLASSES = (FaceTalkPerson,)
