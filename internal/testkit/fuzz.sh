#!/bin/sh
# Runs every fuzz target of the module for a time each: fuzz.sh 30s [PACKAGE…].
# What one finds stays in testdata/fuzz beside it, where go test runs it again.
set -eu
cd "$(dirname "$0")/../.."
time="${1:-10s}"
[ $# -eq 0 ] || shift
for package in $(go list "${@:-./...}"); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
	done
done
