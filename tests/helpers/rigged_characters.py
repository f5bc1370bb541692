"""Characters as people bring them, built by script: a head with lips under a rig like those of well-known sources."""

import bpy
import numpy as np

MOUTH, EYES = 1.62, 1.72  # heights in metres; the pivot of the jaw lies at 1.66, the chin at 1.55
UPPER, LOWER = "upper lip", "lower lip"
EYE_X = 0.032
KEYS = {
    "Ready Player Me": ["mouthOpen", "mouthSmile", "eyesClosed"],
    "Ready Player Me with ARKit": ["jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "eyeBlinkLeft", "viseme_aa"],
    "VRM": [f"Fcl_MTH_{vowel}" for vowel in "AIUEO"] + ["Fcl_EYE_Close", "Fcl_ALL_Joy"],
    "MPFB": [],
    "Rig without known names": [],
}
OPENING = frozenset({"mouthOpen", "jawOpen", "viseme_aa", *(f"Fcl_MTH_{vowel}" for vowel in "AIUEO")})
# Bones: name, parent, head, tail.
_SPINE = [("Hips", None, (0, 0.02, 0.95), (0, 0.02, 1.1)), ("Neck", "Hips", (0, 0.02, 1.45), (0, 0.01, 1.55))]
_HEAD = ("Head", "Neck", (0, 0.01, 1.55), (0, 0.01, 1.8))


def _eyes(left, right, parent, length=(0, -0.03, 0)):
    heads = {left: (EYE_X, -0.06, EYES), right: (-EYE_X, -0.06, EYES)}
    return [(name, parent, at, tuple(np.add(at, length))) for name, at in heads.items()]


BONES = {
    "Ready Player Me": [*_SPINE, _HEAD, *_eyes("LeftEye", "RightEye", "Head", (0, 0, 0.1))],
    "VRM": [
        ("J_Bip_C_Head", None, (0, 0.01, 1.55), (0, 0.01, 1.8)),
        *_eyes("J_Adj_L_FaceEye", "J_Adj_R_FaceEye", "J_Bip_C_Head", (0, 0.05, 0)),
    ],
    "MPFB": [
        ("head", None, (0, 0.01, 1.55), (0, 0.01, 1.8)),
        ("jaw", "head", (0, 0.0, 1.66), (0, -0.09, 1.56)),
        ("special04", "head", (0, 0, 1.6), (0, -0.08, 1.6)),
        ("oris05", "jaw", (0, -0.09, 1.61), (0, -0.1, 1.61)),
        ("tongue00", "jaw", (0, -0.02, 1.61), (0, -0.06, 1.61)),
        *_eyes("eye.L", "eye.R", "head"),
    ],
    "Rig without known names": [
        ("skull", None, (0, 0.01, 1.55), (0, 0.01, 1.8)),
        ("chops", "skull", (0, 0.0, 1.66), (0, -0.09, 1.56)),
        ("face_ui", None, (0.3, 0, 1.6), (0.3, 0, 1.7)),
    ],
}
BONES["Ready Player Me with ARKit"] = BONES["Ready Player Me"]
# Which bones move the chin and the rest of the head.
SKIN = {
    "Ready Player Me": ("Head", "Head"),
    "Ready Player Me with ARKit": ("Head", "Head"),
    "VRM": ("J_Bip_C_Head", "J_Bip_C_Head"),
    "MPFB": ("jaw", "head"),
    "Rig without known names": ("chops", "skull"),
}


def character(kind, collection=None):
    """The head and its armature, in the scene or a collection of it."""
    collection = collection or bpy.context.scene.collection
    armature = _armature(kind, BONES[kind])
    item = head(kind, KEYS[kind], *SKIN[kind], armature)
    for made in (armature, item):
        for place in made.users_collection:
            place.objects.unlink(made)
        collection.objects.link(made)
    if kind == "Rig without known names":
        _add_control(armature)
    return item, armature


def head(name, keys, jaw, skull, armature):
    """A face of a rounded sheet with lips that are apart, in groups of what moves it."""
    rows = []
    for sheet, low, high in ((LOWER, 1.55, MOUTH), (UPPER, MOUTH, 1.8)):
        for z in np.linspace(low, high, 12):
            for x in np.linspace(-0.07, 0.07, 15):
                y = -0.1 * np.sqrt(max(1 - (x / 0.08) ** 2 - ((z - 1.66) / 0.16) ** 2, 0.0))
                rows.append((x, y, z, sheet))
    faces = [
        (at, at + 1, at + 16, at + 15)
        for sheet in range(2)
        for row in range(11)
        for at in range(sheet * 180 + row * 15, sheet * 180 + row * 15 + 14)
    ]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([row[:3] for row in rows], [], faces)
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    for sheet, bone in ((LOWER, jaw), (UPPER, skull)):
        group = item.vertex_groups.get(bone) or item.vertex_groups.new(name=bone)
        group.add([index for index, row in enumerate(rows) if row[3] == sheet], 1.0, "REPLACE")
    for key in ["Basis", *keys] if keys else []:
        block = item.shape_key_add(name=key, from_mix=False)
        block.value = 0.0
        for index, row in enumerate(rows):
            if key in OPENING and row[3] == LOWER:
                block.points[index].co.z -= 0.02
            elif key != "Basis" and key not in OPENING and row[2] > EYES:
                block.points[index].co.y -= 0.002
    item.modifiers.new("Armature", "ARMATURE").object = armature
    item.parent = armature
    return item


def opening(item):
    """How far the lips are apart in the middle, in metres of height, as the viewport shows them."""
    shown = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    count = len(shown.data.vertices)
    points = np.empty((count, 3), np.float32)
    shown.data.attributes["position"].data.foreach_get("vector", points.ravel())
    return float(points[180 + 7, 2] - points[180 - 15 + 7, 2])


def _armature(name, rows):
    armature = bpy.data.objects.new(f"{name} Rig", bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone_name, parent, start, end in rows:
        bone = armature.data.edit_bones.new(bone_name)
        bone.head, bone.tail = start, end
        bone.parent = armature.data.edit_bones.get(parent) if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def _add_control(armature):
    """A slider on the rig, whose driver turns the bone that opens the mouth."""
    holder = armature.pose.bones["face_ui"]
    holder["Jaw Open"] = 0.0
    holder.id_properties_ui("Jaw Open").update(min=0.0, max=10.0, soft_min=0.0, soft_max=10.0)
    bone = armature.pose.bones["chops"]
    bone.rotation_mode = "XYZ"
    driver = bone.driver_add("rotation_euler", 0).driver
    variable = driver.variables.new()
    variable.name = "slider"
    variable.targets[0].id, variable.targets[0].data_path = armature, 'pose.bones["face_ui"]["Jaw Open"]'
    driver.expression = "radians(2.5 * slider)"
