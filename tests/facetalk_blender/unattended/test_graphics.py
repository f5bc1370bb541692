"""EEVEE where there is a graphics processor, Cycles where there is none."""

import subprocess

import pytest
from repository import import_from_extension

graphics = import_from_extension("facetalk_blender.unattended.graphics")


@pytest.mark.parametrize(
    ("kind", "expected"), [("NVIDIA", True), ("INTEL", True), ("SOFTWARE", False), ("UNKNOWN", False), (None, False)]
)
def test_the_kind_of_device_decides(monkeypatch, kind, expected):
    """None: the process was ended, as Blender does without OpenGL."""
    printed = "Read prefs\n" + (f"{graphics.ANSWER}{kind}\n" if kind else "")
    code = 0 if kind else -6
    monkeypatch.setattr(graphics, "_linux_devices", lambda: ["/dev/dri/renderD128"])
    monkeypatch.setattr(graphics.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], code, printed, ""))
    assert graphics.has_processor() is expected


def test_without_devices_nothing_is_started(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(graphics.sys, "platform", "linux")
    monkeypatch.setattr(graphics, "_linux_devices", list)
    monkeypatch.setattr(graphics.subprocess, "run", refuse)
    assert not graphics.has_processor()


@pytest.mark.slow
def test_the_other_process_is_asked_and_never_ends_this_one(monkeypatch):
    """Whatever this machine has, also no OpenGL at all, the answer is a plain yes or no."""
    monkeypatch.setattr(graphics, "_linux_devices", lambda: ["/dev/dri/renderD128"])
    assert graphics.has_processor() in (True, False)
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent")
    monkeypatch.setenv("LIBGL_ALWAYS_SOFTWARE", "1")
    assert graphics.has_processor() is False
