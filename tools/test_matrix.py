"""Runs the tests of the Blender side under every supported version of pip's bpy and writes the README's table.

    .venv/bin/python tools/test_matrix.py [--others]

With --others the version of .venv is left out, which `make test` runs. Each version gets an environment of its own
(.venv-VERSION); the engine runs in .venv, which has torch. A version whose Python is not on this computer is left out,
and the table then stays as it is. Python is looked for as pythonX.Y on PATH, and in PYTHON_X_Y, e.g.
PYTHON_3_13=/path/to/python3.13.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENGINE_PYTHON = ROOT / ".venv" / "bin" / "python"
README = ROOT / "README.md"
START, END = "<!-- tested versions: make test-matrix -->", "<!-- end of tested versions -->"
# Without Python's own end: some versions of bpy crash or hang in it, after all tests have passed.
PYTEST = "import os, sys, pytest; code = pytest.main(sys.argv[1:]); sys.stdout.flush(); os._exit(code)"
# Of the Blender side's rooms these two run without Blender.
BLENDER_FACING = (
    "tests/facetalk_blender",
    "tests/wheels",
    "--ignore=tests/facetalk_blender/engine_access",
    "--ignore=tests/facetalk_blender/retargeting",
)
# bpy, its Python, and what that version stands for.
VERSIONS = (("4.5.15", "3.11", "4.5 LTS"), ("5.0.1", "3.11", "5.0"), ("5.2.3", "3.13", "5.2 LTS"))


def main() -> int:
    """Run every version. Returns 0 when all that ran have passed."""
    rows, failed, left_out = [], [], []
    for bpy_version, python_version, name in VERSIONS:
        base = find_python(python_version)
        if base is None:
            left_out.append(f"{name} (no Python {python_version} here)")
            continue
        python = environment(bpy_version, base)
        if "--others" in sys.argv[1:] and python == ENGINE_PYTHON:
            left_out.append(f"{name} (the version of `make test`)")
            continue
        passed, skipped, broken = run_tests(bpy_version, python)
        print(f"Blender {name}, bpy {bpy_version}: {passed} passed, {skipped} skipped, {broken} failed", flush=True)
        if broken or not passed:
            failed.append(name)
        rows.append(f"| {name} | {bpy_version} | {python_version} | {passed} passed, {broken} failed |")
    if left_out:
        print(f"Left out: {', '.join(left_out)}; the README's table stays as it is.")
    else:
        write_table(rows)
    if failed:
        print(f"error: tests failed under {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def find_python(version: str) -> str | None:
    """An interpreter of this version."""
    # PYENV_VERSION lets pyenv's python3.x start the version that its name says.
    environment = os.environ | {"PYENV_VERSION": version}
    code = "import sys; print(sys.executable); sys.exit('%d.%d' % sys.version_info[:2] != sys.argv[1])"
    for candidate in (os.environ.get(f"PYTHON_{version.replace('.', '_')}", ""), f"python{version}"):
        try:
            run = subprocess.run([candidate, "-c", code, version], env=environment, capture_output=True, text=True)
        except (FileNotFoundError, PermissionError):
            continue
        if run.returncode == 0:
            return run.stdout.strip()
    return None


def environment(bpy_version: str, base: str) -> Path:
    """The Python of an environment with this bpy and the test tools, made when it is not there yet."""
    lines = read_lines("requirements.txt") + read_lines("requirements-development.txt")
    pins = {line.partition("==")[0]: line for line in lines}
    if pins["bpy"] == f"bpy=={bpy_version}":
        return ENGINE_PYTHON
    folder = ROOT / f".venv-{bpy_version}"
    python, mark = folder / "bin" / "python", folder / ".requirements"
    # The tests compare with what the engine hears, which needs SciPy and SoundFile.
    wanted = [f"bpy=={bpy_version}", *(pins[name] for name in ("scipy", "soundfile", "pytest", "hypothesis"))]
    if not mark.is_file() or mark.read_text() != "\n".join(wanted):
        print(f"Making {folder.name}", flush=True)
        subprocess.run([base, "-m", "venv", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        subprocess.run(pip, check=True)
        mark.write_text("\n".join(wanted))
    return python


def read_lines(name: str) -> list[str]:
    """Lines of a requirements file that are requirements."""
    return [line for line in (ROOT / name).read_text("utf-8").splitlines() if line and line[0] not in "#-"]


def run_tests(bpy_version: str, python: Path) -> tuple[int, int, int]:
    """Numbers of tests passed, skipped and failed."""
    report = ROOT / "out" / f"tests-{bpy_version}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    run = [python, "-c", PYTEST, "-p", "no:cacheprovider", f"--junit-xml={report}", *BLENDER_FACING]
    environment = os.environ | {"FACETALK_ENGINE_PYTHON": str(ENGINE_PYTHON)}
    code = subprocess.run(run, cwd=ROOT, env=environment).returncode
    if not report.is_file():
        print(f"error: the tests ended without a report (exit code {code})", file=sys.stderr)
        return 0, 0, 1
    (suite,) = xml.etree.ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314 -- pytest's own
    total, skipped, broken = (
        sum(int(suite.get(name)) for name in names) for names in (["tests"], ["skipped"], ["failures", "errors"])
    )
    return total - skipped - broken, skipped, broken


def write_table(rows: list[str]) -> None:
    """Put the rows between the README's two markers."""
    text = README.read_text("utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    table = ["| Blender | bpy | Python | Blender-facing tests |", "|---|---|---|---|", *rows]
    README.write_text(before + START + "\n" + "\n".join(table) + "\n" + END + after, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
