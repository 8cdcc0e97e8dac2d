#!/bin/sh
# Qt under a virtual X server needs system libraries that pip does not bring.
# Installs them where apt and the right to use it are there; otherwise says what is missing.
set -eu
python=${1:-python3}
packages="xvfb xauth libegl1 libgl1 libgl1-mesa-dri libopengl0 libdbus-1-3 libfontconfig1 libglib2.0-0
libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
libxcb-render-util0 libxcb-shape0 libxcb-sync1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1"

[ "$(uname -s)" = Linux ] || exit 0

missing() {
    command -v Xvfb >/dev/null 2>&1 || echo Xvfb
    command -v xauth >/dev/null 2>&1 || echo xauth
    plugin=$("$python" -c 'import PyQt6, pathlib; print(pathlib.Path(PyQt6.__file__).parent / "Qt6/plugins/platforms/libqxcb.so")')
    ldd "$plugin" 2>/dev/null | awk '/not found/ {print $1}'
}

[ -n "$(missing)" ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root="sudo -n"
else as_root=none
fi

if [ "$as_root" != none ] && command -v apt-get >/dev/null 2>&1; then
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y --no-install-recommends $packages
fi

left=$(missing)
[ -z "$left" ] && exit 0
echo "The GUI tests need these and do not find them:" $left >&2
echo "On Debian or Ubuntu: sudo apt-get install -y --no-install-recommends" $packages >&2
exit 1
