#!/bin/sh
# Unpacks Debian sid, with its Blender application, torch, a virtual screen and ImageMagick, into a folder to chroot to.
#
#   tools/blender_app.sh FOLDER     (as root, on Debian; some minutes and 3.5 GB; nothing to do when it is there)
#
# pip's bpy has no window. This is the nearest whole application that needs neither a screen nor a GPU. Packages come
# from the mirror that apt is configured for. FOLDER appears once it is complete.
set -eu
folder=$1
[ -x "$folder/usr/bin/blender" ] && exit 0
cannot() {
    echo "Blender's application cannot be unpacked here: $1" >&2
    exit 1
}
[ "$(id -u)" = 0 ] || cannot "run it as root, which chroot needs"
command -v apt-get >/dev/null || cannot "this is no Debian"
part=$folder.part
mkdir -p "$part"
[ "$(df --output=avail -k "$part" | tail -1)" -gt 6000000 ] || cannot "6 GB of disk are needed"
apt-get update -qq || cannot "apt's mirror does not answer"
command -v debootstrap >/dev/null ||
    apt-get install -y -qq --no-install-recommends debootstrap >/dev/null || cannot "debootstrap cannot be installed"
mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' | sed -n 's/ Debian Debian$//p' | head -n 1)
# What an interrupted run has left; its own mounts must not be emptied.
umount "$part/proc" "$part/sys" 2>/dev/null || true
rm -rf --one-file-system "$part"
# shellcheck disable=SC2086
debootstrap --variant=minbase sid "$part" $mirror >"$folder.log" || cannot "debootstrap failed, see $folder.log"

# Nothing in there may start a service or keep what no program reads.
printf '#!/bin/sh\nexit 101\n' >"$part/usr/sbin/policy-rc.d"
chmod +x "$part/usr/sbin/policy-rc.d"
printf 'force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n' \
    >"$part/etc/dpkg/dpkg.cfg.d/small"
# A mirror that lags behind by more than a week is still good enough.
printf 'Acquire::Check-Valid-Until "false";\nAcquire::Retries "3";\nAPT::Install-Recommends "false";\n%s\n' \
    'Dpkg::Use-Pty "false";' >"$part/etc/apt/apt.conf.d/99small"

# The modules after blender are those that its extension system imports.
chroot "$part" apt-get update -qq
DEBIAN_FRONTEND=noninteractive chroot "$part" apt-get install -y -qq \
    blender python3-numpy python3-cattr python3-requests python3-zstandard python3-jsonschema \
    python3-torch python3-transformers python3-skimage python3-soundfile \
    xvfb imagemagick libgl1-mesa-dri libegl1 libegl-mesa0 libglx-mesa0 libgl1 xfonts-base \
    >>"$folder.log" || cannot "the packages cannot be installed, see $folder.log"
chroot "$part" apt-get clean
rm -rf "$part"/var/lib/apt/lists/*
umount "$part/proc" "$part/sys" 2>/dev/null || true
mv "$part" "$folder"
chroot "$folder" blender --version | head -n 1
