#!/bin/sh
# Makes .venv with everything the demo and the tests need. Quick when nothing has changed.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
mark=$venv/.requirements

# Blender's own libraries; the last three draw Workbench and EEVEE without a display. flite is the demo's voice.
packages="libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libice6 libxext6 libgl1 libxxf86vm1 libgomp1
libegl1 libegl-mesa0 libgl1-mesa-dri"
python=${PYTHON:-python3}
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    missing=
    for package in $packages; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        echo "Installing system libraries:$missing"
        as_root=
        [ "$(id -u)" = 0 ] || as_root=sudo
        $as_root apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
    fi
fi

# The tests of codecs write their sounds with it, and are skipped without it.
if ! command -v ffmpeg >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing ffmpeg, which the tests of codecs need"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ffmpeg; } \
        >/dev/null 2>&1 || echo "There is no ffmpeg to install: the tests of codecs will be skipped."
fi

requirements="requirements.txt requirements-research.txt requirements-development.txt"
# shellcheck disable=SC2086
if ! cat $requirements | cmp -s - "$mark"; then
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
        echo "error: Blender's module needs Python 3.11; name one with PYTHON=/path/to/python3.11" >&2
        exit 2
    }
    echo "Installing Python packages into $venv (a few minutes, once)"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements-development.txt
    # shellcheck disable=SC2086
    cat $requirements >"$mark"
fi
