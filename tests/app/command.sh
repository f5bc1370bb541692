#!/bin/sh
# `blender --command facetalk` of the installed zip, without a window: a recording, a saved scene, and what is refused.
#
#   command.sh FOLDER     (in the application; FOLDER holds the zip, words.wav and talking.blend of walk.py)
#
# Part of run.sh. HOME gets another profile, in which the zip is installed by command too.
set -eu
cd "$1"
export HOME=$PWD/command-home
mkdir -p "$HOME"
blender --command extension install-file --repo user_default --enable facetalk_blender.zip

# A recording in; video, scene, sheet and report out.
blender --command facetalk --audio words.wav --frames 1:8 --resolution 64 --steps 4 --size 160x160 --samples 4 \
    --output command.mp4 --blend command.blend --contact-sheet command.png --json command.json
python3 - <<'END'
import json, pathlib
report = json.loads(pathlib.Path("command.json").read_text())
assert report["frames"] == 8, report
assert report["resolution"] == 64, report
assert b"ftyp" in pathlib.Path("command.mp4").read_bytes()[:16]
assert pathlib.Path("command.png").read_bytes().startswith(b"\x89PNG")
END

# The panel's settings of a saved file: one take more, and the opened file as it was.
before=$(sha256sum talking.blend)
blender --background talking.blend --command facetalk --scene-settings --blend spoken.blend
[ "$before" = "$(sha256sum talking.blend)" ]
cat >count.py <<'END'
import bpy, sys
bpy.ops.wm.open_mainfile(filepath=sys.argv[-1])
print("takes", sum("facetalk_seed" in text for text in bpy.data.texts))
END
takes() { blender --background --python count.py -- "$1" | sed -n 's/^takes //p'; }
[ "$(takes spoken.blend)" = $(($(takes talking.blend) + 1)) ]

# What cannot be used has its exit code, one line, and leaves nothing.
refused() {
    code=0
    wanted=$1
    shift
    blender --command facetalk "$@" >refused.txt 2>&1 || code=$?
    [ $code = "$wanted" ] && [ "$(grep -c '^Error: ' refused.txt)" = 1 ] && ! grep -q Traceback refused.txt ||
        { cat refused.txt; exit 1; }
}
refused 2 --audio none.wav --blend none.blend
refused 2 --audio words.wav
refused 4 --audio words.wav --blend /proc/none.blend
[ ! -e none.blend ]
touch command.sh.passed
