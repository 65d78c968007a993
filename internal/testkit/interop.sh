#!/bin/sh
# Clients that come from PyPI and Maven, against a server of their own:
#
#   interop.sh bin/weir
set -eu
cd "$(dirname "$0")/../.."
weir=$1
for tool in python3 java mvn; do
	command -v $tool >/dev/null || { echo "interop: $tool is missing; on Debian: apt-get install python3-venv default-jdk-headless maven" >&2; exit 1; }
done
dir=$(mktemp -d)
server=""
# shellcheck disable=SC2064 # the directory is known now
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check -r cmd/weir/testdata/interop/requirements.txt
mvn --quiet --batch-mode -f cmd/weir/testdata/interop/java/pom.xml -DbuildDirectory="$dir/java" compile dependency:build-classpath -Dmdep.outputFile="$dir/classpath"

export WEIR_ROOT_ACCESS_KEY=WEIRINTEROPKEY000000 WEIR_ROOT_SECRET_KEY=weirinteropsecretweirinteropsecretweirint
export AWS_ACCESS_KEY_ID=$WEIR_ROOT_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$WEIR_ROOT_SECRET_KEY
address=127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$weir" serve --data-dir "$dir/data" --listen "$address" --rtsp-listen "" --rtsp-rtp-listen "" --rtsp-rtcp-listen "" --webrtc-listen "" --log-level warn &
server=$!
for _ in $(seq 100); do
	curl -fs "http://$address/readyz" >/dev/null && break
	sleep 0.1
done
"$dir/venv/bin/python" cmd/weir/testdata/interop/kinesis.py "http://$address"
"$dir/venv/bin/python" cmd/weir/testdata/interop/video_control.py "http://$address"
java -cp "$dir/java/classes:$(cat "$dir/classpath")" Streams "http://$address"
