"""The 52 animation weights of ARKit, and in words how codes convert to them. Needs nothing: Blender reads it too."""

# Apple's ARFaceAnchor.BlendShapeLocation, in the groups and the order of its documentation.
ARKIT_NAMES: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight",
    "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft",
    "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip

FIT_COMMAND = "python -m engine fit-arkit BUNDLE"
LEAST_MATCHED = 0.8  # share of the template's face points that find a surface on a head


def conversion_text(information: dict) -> str:
    """How codes and ARKit weights convert, in words, of what `Engine.info` says of a bundle."""
    if information["arkit_weights"] == "exact":
        return "exact both ways"
    if information["arkit_weights"] == "none":
        return f"none; '{FIT_COMMAND}' fits them"
    try:
        return _fit_text(information["arkit_fit"])
    except (KeyError, TypeError, ValueError):
        return f"fitted, but its errors cannot be read; '{FIT_COMMAND}' fits again"


def _fit_text(fit: dict) -> str:
    read, written, matched = fit["to_weights"], fit["to_codes"], fit["registration"]["matched"]
    doubt = f"doubtful, only {_percent(matched)} of the face lies on this head; " if matched < LEAST_MATCHED else ""
    return doubt + (
        f"fitted; of the face's motion {_percent(read['explained'])} is met, {_percent(read['explained_at_best'])} "
        f"could be; off by {_millimetres(read, 'lips')} on the lips, {_millimetres(read, 'face')} on the face, "
        f"{_millimetres(read, 'opening')} in lip opening; back to codes {_millimetres(written, 'lips')} and "
        f"{_millimetres(written, 'face')}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _millimetres(errors: dict[str, float], place: str) -> str:
    return f"{errors[f'{place}_mean_mm']:.1f} mm (95 %: {errors[f'{place}_p95_mm']:.1f})"
