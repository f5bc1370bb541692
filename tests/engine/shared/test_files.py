"""Files that appear whole or not at all."""

import os
import stat

import pytest

from engine.shared.files import replaced


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "take.npz"
    with replaced(path) as part:
        part.write_bytes(b"half")
        assert not path.exists()
        assert part.parent == tmp_path
        part.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_existing_file_stays_when_the_block_raises(tmp_path, error):
    path = tmp_path / "take.npz"
    path.write_bytes(b"before")
    with pytest.raises(error), replaced(path) as part:
        part.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_a_new_file_when_the_block_raises(tmp_path):
    with pytest.raises(ValueError, match="full"), replaced(tmp_path / "take.npz") as part:
        part.write_bytes(b"half")
        raise ValueError("full")
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_the_last_one_wins_and_both_write_whole_files(tmp_path):
    path = tmp_path / "take.npz"
    with replaced(path) as first, replaced(path) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
        assert first != second
    assert path.read_bytes() == b"first"  # its block ended last
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_permissions_are_those_of_the_file_before_or_of_any_new_file(tmp_path):
    old, new, plain = tmp_path / "old", tmp_path / "new", tmp_path / "plain"
    old.write_bytes(b"")
    old.chmod(0o640)
    plain.write_bytes(b"")
    for path in (old, new):
        with replaced(path) as part:
            part.write_bytes(b"written")
    assert mode(old) == 0o640
    assert mode(new) == mode(plain)


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="missing"), replaced(tmp_path / "missing" / "take.npz"):
        pass
