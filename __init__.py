"""FaceTalk for Blender: a sound strip goes in, a talking 3D head comes out."""


def register() -> None:
    from .facetalk_blender import registration

    registration.register()


def unregister() -> None:
    from .facetalk_blender import registration

    registration.unregister()
