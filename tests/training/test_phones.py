"""One phone inventory for every corpus."""

from __future__ import annotations

import pytest

from engine.shared.errors import EngineError
from training.phones import BILABIALS, PHONE_INDEX, PHONES, SILENCE, is_stressed, to_phone


@pytest.mark.parametrize(
    ("label", "phone"),
    [("AA1", "AA"), ("IY", "IY"), ("ax", "AH"), ("pau", SILENCE), ("sp", SILENCE), ("", SILENCE), ("sil", SILENCE),
     ("hh", "HH"), ("ER0", "ER"), ("spn", "AH"), ("axr", "ER")],
)  # fmt: skip
def test_labels_map_to_the_nearest_phone(label, phone):
    assert to_phone(label) == phone


@pytest.mark.parametrize("label", ["no such phone", "ʁ", "AAA"])
def test_unknown_labels_are_errors_and_no_neutral_vowels(label):
    with pytest.raises(EngineError, match="not in the inventory"):
        to_phone(label)


def test_every_phone_maps_to_itself_in_any_case():
    for symbol in PHONES:
        assert to_phone(symbol) == to_phone(symbol.lower()) == symbol


def test_classes_are_numbered_from_zero():
    assert sorted(PHONE_INDEX.values()) == list(range(len(PHONES)))
    assert PHONE_INDEX[SILENCE] == 0


def test_features_are_in_range_and_glides_exist():
    for phone in PHONES.values():
        assert all(0 <= value <= 1 for value in (phone.opening, phone.rounding, phone.spreading))
        assert phone.glide is None or phone.glide in PHONES
    assert BILABIALS == {"B", "P", "M"}


def test_stress():
    assert is_stressed("AA1") is True
    assert is_stressed("AH0") is False
    assert is_stressed("AA") is None
