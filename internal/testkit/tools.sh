#!/bin/sh
# Builds the S3 servers that tests run as separate processes, into .tools/bin of
# the project. MinIO takes about five minutes, once. MinIO is AGPL: it is only
# ever started, never linked.
set -eu
cd "$(dirname "$0")/../.."
root=$(pwd)
mkdir -p .tools/bin

# build NAME PACKAGE VERSION
build() {
	stamp="$root/.tools/$1-$3"
	if [ -x "$root/.tools/bin/$1" ] && [ -e "$stamp" ]; then
		return
	fi
	echo "building $1 $3"
	(cd / && GOFLAGS=-mod=mod GOBIN="$root/.tools/bin" CGO_ENABLED=0 go install -trimpath "$2@$3")
	touch "$stamp"
}

build versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0
build minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c
