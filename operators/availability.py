"""Why a button is disabled: what the operators' polls share."""

from __future__ import annotations

import bpy


def can_run(operator: type[bpy.types.Operator], reason: str) -> bool:
    """What a poll answers: True when there is no reason against it, else the reason is the button's tooltip."""
    if reason:
        operator.poll_message_set(reason)
    return not reason
