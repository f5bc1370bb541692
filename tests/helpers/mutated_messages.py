"""Messages of the protocol that say something else than they should, and streams with damaged bytes."""

import copy

import numpy as np

VALUES = (
    None,
    -1,
    0,
    1 << 40,
    1e308,
    float("nan"),
    float("inf"),
    "x",
    "",
    [],
    {},
    [[]],
    True,
    "random:-1",
    "/dev/null",
)
KINDS = ("done", "cancelled", "error", "take", "surface", "template", "positions", "info", "head", "progress", "else")
LIKELY = 0.25  # how often a message is changed


def mutated(message, random, likely=LIKELY, kinds=KINDS):
    """The message, or one with another field, array, kind or number."""
    if random.random() > likely:
        return message
    message = copy.deepcopy(message)
    choice = random.integers(5)
    if choice == 0 and message.fields:
        message.fields[random.choice(list(message.fields))] = VALUES[random.integers(len(VALUES))]
    elif choice == 1 and message.fields:
        del message.fields[random.choice(list(message.fields))]
    elif choice == 2 and message.arrays:
        name = random.choice(list(message.arrays))
        message.arrays[name] = changed_array(message.arrays[name], random)
    elif choice == 3 and message.arrays:
        del message.arrays[random.choice(list(message.arrays))]
    elif kinds:
        message.kind = str(random.choice(kinds))
    return message


def changed_array(array, random):
    """An array of another shape, type or content."""
    choice = random.integers(5)
    if choice == 0:
        return array[: random.integers(len(array) + 1)] if array.ndim else array
    if choice == 1:
        return array.reshape(-1)
    if choice == 2:
        return array.astype(random.choice(["<f4", "<f8", "<i4", "|u1"]))
    if choice == 3:
        return np.full_like(array, np.nan if array.dtype.kind == "f" else 7)
    return np.concatenate([array, array]) if array.ndim else array


def mutated_bytes(data, random):
    """A stream with some bytes changed, cut, repeated or inserted."""
    data = bytearray(data)
    for _ in range(random.integers(1, 4)):
        start = int(random.integers(len(data))) if random.random() < 0.4 else int(random.integers(min(len(data), 300)))
        choice = random.integers(5)
        if choice == 0:
            data[start] = random.integers(256)
        elif choice == 1:
            del data[start:]
        elif choice == 2:
            data[start:start] = random.bytes(random.integers(1, 9))
        elif choice == 3:
            data[start : start + 4] = b"\xff\xff\xff\x7f"
        else:
            del data[start : start + int(random.integers(1, 9))]
        if not data:
            data = bytearray(b"F")
    return bytes(data)
