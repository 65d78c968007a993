#!/bin/sh
# Sees to the programs of the system that building and testing need. With apt
# and the right to use it, it installs what is missing; elsewhere it says what
# to install, and fails.
#
#   setup.sh build   what `make build` wants: Go, and Node for the console
#   setup.sh test    all that `make test` starts
set -eu
cd "$(dirname "$0")/../.."
packages="" missing=""

# need COMMAND PACKAGE: a command that succeeds only where the package is there
need() {
	if ! sh -c "$1" >/dev/null 2>&1; then
		packages="$packages $2"
		missing="$missing
  $2   (wanted: $1)"
	fi
}

if ! command -v go >/dev/null; then
	echo "setup: Go is missing; install Go $(sed -n 's/^go //p' go.mod) or later from https://go.dev/dl" >&2
	exit 1
fi

if [ "${1:-test}" = test ]; then
	if ! command -v node >/dev/null || ! command -v npm >/dev/null || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
		echo "setup: the tests need Node 20 or later with npm; install it from https://nodejs.org or your distribution" >&2
		exit 1
	fi
	need "command -v gcc && echo '#include <stdlib.h>' | gcc -E -" "gcc libc6-dev"
	need "command -v pkg-config" pkg-config
	need "pkg-config --exists libavcodec" libavcodec-dev
	need "pkg-config --exists libavutil" libavutil-dev
	need "pkg-config --exists libswresample" libswresample-dev
	need "pkg-config --exists libswscale" libswscale-dev
	need "command -v ffmpeg && command -v ffprobe" ffmpeg
	need "command -v gst-launch-1.0" gstreamer1.0-tools
	need "gst-inspect-1.0 rtspclientsink" gstreamer1.0-rtsp
	need "gst-inspect-1.0 videotestsrc" gstreamer1.0-plugins-base
	need "gst-inspect-1.0 rtph264pay" gstreamer1.0-plugins-good
	need "gst-inspect-1.0 h264parse" gstreamer1.0-plugins-bad
	need "gst-inspect-1.0 x264enc" gstreamer1.0-plugins-ugly
	need "gst-inspect-1.0 nicesrc" gstreamer1.0-nice
	need "/usr/bin/python3 -c 'import gi; gi.require_version(\"GstWebRTC\", \"1.0\")'" "python3-gi gir1.2-gst-plugins-bad-1.0"
	need "command -v chromium" chromium
	need "command -v mkvinfo && command -v mkvmerge" mkvtoolnix
	need "command -v mediainfo" mediainfo
	need "command -v aws" awscli
fi
[ -n "$packages" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
	as_root="sudo"
fi
if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! command -v sudo >/dev/null; }; then
	echo "setup: please install these (names are those of Debian), then try again:$missing" >&2
	exit 1
fi
echo "setup: installing$packages"
$as_root apt-get update -q
# shellcheck disable=SC2086 # one word a package
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -q -y --no-install-recommends $packages
