"""FaceTalk for Blender: a sound strip goes in, a talking 3D head comes out."""


def register() -> None:
    """Blender enables the extension."""
    from .facetalk_blender import registration

    registration.register()


def unregister() -> None:
    """Blender disables the extension."""
    from .facetalk_blender import registration

    registration.unregister()
