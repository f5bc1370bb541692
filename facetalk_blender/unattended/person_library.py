"""The persons as assets: `blender --command facetalk persons --output persons.blend`.

Every person becomes a collection with a head of fixed topology, a shape key for every weight (ARKit's 52 and the
tongue's), hair and bust, marked as an asset with its picture. What is written needs no extension.
"""

from __future__ import annotations

import argparse
import uuid
from pathlib import Path

import bpy
import numpy as np

from ...engine.shared.errors import EngineError
from ...engine.shared.files import replaced
from ...engine.shared.identity_text import join_identity
from ...engine.shared.options import DEVICE, STARTER
from ...engine.shared.protocol import FINAL_KINDS, Message
from ...engine.shared.weights import WEIGHT_NAMES
from ..blender_data.datablocks import run_to_end
from ..blender_data.mesh_building import fill_mesh
from ..engine_access.programs import typed_program
from ..generation.conversation import UNUSABLE, Conversation, failure
from ..generation.session import session
from ..hair import worn
from ..look import appearance, bust, face_detail, material, skin_traits
from ..outputs.template_head import NEUTRAL, ready_to_write
from ..person.persons import Person, persons, picture
from . import output_files
from .outcome import ENGINE_FAILED, BatchError, say

WORD = "persons"
CATALOGUE, CATALOGUE_FILE = "FaceTalk/Persons", "blender_assets.cats.txt"
CATALOGUE_ID = uuid.UUID("5c0f0f0e-52a2-4f6d-9d0c-6b1c6a3ba7f1")  # the same in every library, so that they join
CATALOGUE_HEAD = "# Asset Catalog Definition file of Blender.\n\nVERSION 1\n\n"
AUTHOR = "FaceTalk for Blender"
GRID = 2.0**19  # places a metre: what lies on them is 2 micrometres off at most, and packs to less


def run(words: list[str]) -> None:
    """Write the library. words: what follows `persons`. Raises BatchError, EngineError or OSError."""
    options = _parse(words)
    with output_files.Outputs() as outputs:
        part = outputs.beside(options.output) / options.output.name
        _write(options, part)
        outputs.add(part, options.output)
        outputs.place()
    list_catalogue(_catalogue_folder(options.output))
    say(f"Wrote {options.output}")


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"facetalk {WORD}", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--output", type=Path, required=True, help="asset library to write (.blend), best in a folder of assets")
    add("--person", action="append", choices=persons(), help="one of them, repeated for several (default: all)")
    add("--device", default=DEVICE, help="what the model computes on: auto, cpu or cuda (default: %(default)s)")
    add("--engine-python", type=typed_program, default="", help="interpreter that can import torch")
    options = parser.parse_args(words)
    options.output = options.output.resolve()
    output_files.check_path(options.output, ".blend", "--output")
    return options


def _write(options: argparse.Namespace, path: Path) -> None:
    names = list(dict.fromkeys(options.person or persons()))
    engine = Conversation(session.client(options.engine_python), STARTER, options.device)
    bpy.ops.wm.read_homefile(use_empty=True)  # the whole file is written: a part of one would have no pictures
    for number, name in enumerate(names, 1):
        say(f"{name} ({number} of {len(names)})")
        person = persons()[name]
        template, shapes = _shapes(engine, join_identity(person.identity, person.controls))
        _collection(name, person, template, shapes)
    session.stop_engine()
    output_files.save_file(path, options.output)


def _shapes(engine: Conversation, identity: str) -> tuple[Message, dict[str, np.ndarray]]:
    """The template of an identity, and the positions (3 V,) of every weight at one. Raises EngineError, BatchError."""
    engine.ask("arkit_shapes", {"identity": identity})
    template, shapes = None, {}
    while (message := _answer(engine)).kind not in FINAL_KINDS:
        if message.kind == "template":
            template = message
        elif message.kind == "positions":
            shapes[WEIGHT_NAMES[message.fields["index"]]] = message.arrays["vertices"].ravel()
    if message.kind == "error" or template is None:
        raise EngineError(failure(message))
    return template, shapes


def _answer(engine: Conversation) -> Message:
    while (message := engine.poll(0.2)) is None:
        if not engine.alive:
            raise BatchError("The engine ended; check it with Check Engine in the preferences.", ENGINE_FAILED)
    return message


def _collection(name: str, person: Person, template: Message, shapes: dict[str, np.ndarray]) -> None:
    collection = bpy.data.collections.new(name)
    try:
        head = _head(name, person, template, shapes)
    except UNUSABLE as error:
        raise BatchError(f"The engine sent no usable head ({error}); start again.", ENGINE_FAILED) from error
    scene = bpy.context.scene
    collection.objects.link(head)
    hair = worn.put_on(head, person.cut, scene)
    for other in hair.users_collection:
        other.objects.unlink(hair)
    collection.objects.link(hair)
    _forget_empty(worn.COLLECTION)
    shirt = bust.bust(list(bust.bust_rows(template.arrays["vertices"])))
    shirt.name, shirt.parent = f"{name} Shirt", head
    bust.move_with(shirt, head)
    collection.objects.link(shirt)
    _mark(collection, name, person)


def _forget_empty(name: str) -> None:
    """Remove a collection in which nothing is left."""
    found = bpy.data.collections.get(name)
    if found is not None and not found.all_objects:
        bpy.data.collections.remove(found)


def _head(name: str, person: Person, template: Message, shapes: dict[str, np.ndarray]) -> bpy.types.Object:
    """A dressed head with its shape keys; linked nowhere."""
    colors = person.skin, person.eyes
    _, corner_uv, look, members = ready_to_write(template.fields, template.arrays, colors)
    mesh = bpy.data.meshes.new(name)
    fill_mesh(mesh, _on_grid(template.arrays["vertices"]), template.arrays["polygons"])
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", corner_uv)
    run_to_end(material.material_pieces())
    material.dress_mesh(mesh, look)
    head = bpy.data.objects.new(name, mesh)
    appearance.set_colors(head, *colors)
    for group, weight, vertices in members:
        (head.vertex_groups.get(group) or head.vertex_groups.new(name=group)).add(vertices, weight, "REPLACE")
    head.shape_key_add(name=NEUTRAL, from_mix=False)
    for weight, positions in shapes.items():
        block = head.shape_key_add(name=weight, from_mix=False)
        block.points.foreach_set("co", _on_grid(positions))
        block.value = 0.0
    face_detail.add(head)
    skin_traits.set_traits(head, skin_traits.SkinTraits(**person.traits))
    return head


def _on_grid(positions: np.ndarray) -> np.ndarray:
    return (np.round(positions * GRID) / GRID).astype(np.float32)


def _mark(collection: bpy.types.Collection, name: str, person: Person) -> None:
    """Make a collection an asset with its picture."""
    collection.asset_mark()
    facts = collection.asset_data
    facts.author, facts.catalog_id = AUTHOR, str(CATALOGUE_ID)
    facts.description = f"{person.description}. Shape keys of ARKit's 52 names and five for the tongue"
    for tag in ("FaceTalk", "person", person.sex, person.origin, person.cut.style.replace("_", " ")):
        facts.tags.new(tag, skip_if_exists=True)
    image = bpy.data.images.load(str(picture(name)))
    preview = collection.preview_ensure()
    preview.image_size = image.size
    values = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(values)
    preview.image_pixels_float.foreach_set(values)
    bpy.data.images.remove(image)


def _catalogue_folder(library: Path) -> Path:
    """Where Blender looks for the catalogues of a library file: the asset library's folder; else that of the file."""
    known = (Path(bpy.path.abspath(item.path)) for item in bpy.context.preferences.filepaths.asset_libraries)
    roots = [folder.resolve() for folder in known]
    own = [folder for folder in library.parents if folder in roots or (folder / CATALOGUE_FILE).is_file()]
    return own[0] if own else library.parent


def list_catalogue(folder: Path) -> None:
    """Add the catalogue of persons to those of a folder; what stands there stays. Raises OSError."""
    path = folder / CATALOGUE_FILE
    stands = path.read_text("utf-8") if path.is_file() else CATALOGUE_HEAD
    if str(CATALOGUE_ID) in stands:
        return
    line = f"{CATALOGUE_ID}:{CATALOGUE}:{CATALOGUE.replace('/', '-')}\n"
    with replaced(path) as part:
        part.write_text(stands + ("" if stands.endswith("\n") else "\n") + line, "utf-8")
