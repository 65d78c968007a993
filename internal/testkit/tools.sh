#!/bin/sh
# Builds the programs that checks and tests run as separate processes, into
# .tools/bin of the project, each once a version: all of them, or those named.
# MinIO takes about five minutes. It is AGPL: it is only ever started, never
# linked.
set -eu
cd "$(dirname "$0")/../.."
root=$(pwd)
wanted="${*:-staticcheck versitygw minio}"
mkdir -p .tools/bin

# build NAME PACKAGE VERSION
build() {
	case " $wanted " in *" $1 "*) ;; *) return 0 ;; esac
	stamp="$root/.tools/$1-$3"
	if [ -x "$root/.tools/bin/$1" ] && [ -e "$stamp" ]; then
		return 0
	fi
	echo "building $1 $3"
	(cd / && GOFLAGS=-mod=mod GOBIN="$root/.tools/bin" CGO_ENABLED=0 go install -trimpath "$2@$3")
	touch "$stamp"
}

build staticcheck honnef.co/go/tools/cmd/staticcheck v0.8.2
build versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0
build minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c
