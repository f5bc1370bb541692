"""Messages survive the wire; anything else is refused."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.shared.protocol import MAGIC, MAXIMUM_HEADER_BYTES, Message, ProtocolError, read_message, write_message

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
arrays = st.sampled_from(["<f4", "<f8", "<i4", "|u1", ">f4"]).flatmap(
    lambda dtype: hnp.arrays(np.dtype(dtype), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
)


@given(st.text(), st.integers(0, 2**31), st.dictionaries(st.text(), json_values), st.dictionaries(st.text(), arrays))
def test_messages_survive_the_wire(kind, request, fields, arrays):
    stream = io.BytesIO()
    write_message(stream, Message(kind, request, fields, arrays))
    write_message(stream, Message("next", 1))
    stream.seek(0)
    received = read_message(stream)
    assert (received.kind, received.request, received.fields) == (kind, request, fields)
    assert list(received.arrays) == list(arrays)
    for name, array in arrays.items():
        assert received.arrays[name].shape == array.shape
        np.testing.assert_array_equal(received.arrays[name], array)
    assert read_message(stream).kind == "next"
    assert read_message(stream) is None


def test_a_non_contiguous_array_arrives_in_order():
    stream = io.BytesIO()
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    write_message(stream, Message("m", 0, {}, {"a": array}))
    stream.seek(0)
    np.testing.assert_array_equal(read_message(stream).arrays["a"], array)


def framed(header) -> bytes:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return MAGIC + struct.pack("<I", len(data)) + data


VALID = {"kind": "k", "request": 1, "fields": {}, "arrays": []}


@pytest.mark.parametrize(
    "data",
    [
        b"FTK0" + framed(VALID)[4:],
        b"FT",
        MAGIC + struct.pack("<I", MAXIMUM_HEADER_BYTES + 1),
        framed(VALID)[:-1],
        framed(b"{not json"),
        framed([1, 2]),
        framed({"kind": "k"}),
        framed(VALID | {"arrays": [{"name": "a", "dtype": "|O", "shape": [1]}]}),
        framed(VALID | {"arrays": [{"name": "a", "dtype": "<f4", "shape": [-1]}]}),
        framed(VALID | {"arrays": [{"name": "a", "dtype": "<f4", "shape": [True]}]}),
        framed(VALID | {"arrays": [{"name": "a", "dtype": "<f4", "shape": [2**40]}]}),
        framed(VALID | {"arrays": [{"name": "a", "dtype": "<f4", "shape": [3]}]}) + b"\0" * 11,
    ],
)
def test_malformed_bytes_are_refused(data):
    with pytest.raises(ProtocolError):
        read_message(io.BytesIO(data))


def test_objects_are_not_sent():
    with pytest.raises(ProtocolError):
        write_message(io.BytesIO(), Message("m", 0, {}, {"a": np.array(["text"])}))
