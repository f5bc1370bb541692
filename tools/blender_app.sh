#!/bin/sh
# Unpacks Debian sid, with its Blender application, torch, a virtual screen and ImageMagick, into a folder to chroot to.
#
#   tools/blender_app.sh FOLDER     (as root, on Debian; some minutes and 3 GB; nothing to do when it is there)
#
# pip's bpy has no window. This is the nearest whole application that needs neither a screen nor a GPU.
set -eu
folder=$1
[ -x "$folder/usr/bin/blender" ] && exit 0
[ "$(id -u)" = 0 ] || { echo "Run it as root: chroot and debootstrap need it." >&2; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y --no-install-recommends debootstrap; }
mkdir -p "$folder"
debootstrap --variant=minbase sid "$folder"

# Nothing in there may start a service or keep what no program reads.
printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
chmod +x "$folder/usr/sbin/policy-rc.d"
printf 'force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n' \
    >"$folder/etc/dpkg/dpkg.cfg.d/small"
# A mirror that lags behind by more than a week is still good enough.
printf 'Acquire::Check-Valid-Until "false";\nAcquire::Retries "3";\nAPT::Install-Recommends "false";\n' \
    >"$folder/etc/apt/apt.conf.d/99small"

# The modules after blender are those that its extension system imports.
chroot "$folder" apt-get update -qq
DEBIAN_FRONTEND=noninteractive chroot "$folder" apt-get install -y -qq \
    blender python3-numpy python3-cattr python3-requests python3-zstandard python3-jsonschema \
    python3-torch python3-transformers python3-skimage python3-soundfile \
    xvfb imagemagick libgl1-mesa-dri libegl1 libegl-mesa0 libglx-mesa0 libgl1 xfonts-base
chroot "$folder" apt-get clean
chroot "$folder" blender --version
