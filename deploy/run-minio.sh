#!/bin/sh
# Runs Weir with a MinIO server of its own as the store, both on loopback, and
# stops both together. Everything lies in ./weir-minio; its keys are made once.
#
#   deploy/run-minio.sh WEIR MINIO [flag of weir serve…]
#
# MINIO_PORT is where MinIO listens, 9000 unless set.
set -eu
weir=$1 minio=$2
shift 2
dir=weir-minio
endpoint="127.0.0.1:${MINIO_PORT:-9000}"

umask 077
mkdir -p "$dir/objects"
if [ ! -e "$dir/keys" ]; then
	random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
	printf 'WEIR_STORE_ACCESS_KEY=weir%s\nWEIR_STORE_SECRET_KEY=%s\n' "$(random 8)" "$(random 20)" >"$dir/keys"
fi
. "./$dir/keys"
export WEIR_STORE_ACCESS_KEY WEIR_STORE_SECRET_KEY

# Ctrl-C is for this script alone, which stops the two in their order.
alone=""
if command -v setsid >/dev/null; then
	alone=setsid
fi

MINIO_ROOT_USER=$WEIR_STORE_ACCESS_KEY MINIO_ROOT_PASSWORD=$WEIR_STORE_SECRET_KEY MINIO_BROWSER=off MINIO_UPDATE=off \
	$alone "$minio" server --quiet --address "$endpoint" "$dir/objects" >"$dir/minio.log" 2>&1 &
minio_pid=$!
weir_pid=""

# Both end before this does, Weir first, so that it can still seal and upload.
finish() {
	trap '' INT TERM
	[ -z "$weir_pid" ] || { kill "$weir_pid" 2>/dev/null && wait "$weir_pid"; } || true
	kill "$minio_pid" 2>/dev/null && wait "$minio_pid" || true
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tries=0
until curl -fs -o /dev/null "http://$endpoint/minio/health/ready"; do
	tries=$((tries + 1))
	if ! kill -0 "$minio_pid" 2>/dev/null || [ $tries -gt 150 ]; then
		echo "run-minio: MinIO does not start; if port ${endpoint##*:} is taken, set MINIO_PORT. It said:" >&2
		tail -n 20 "$dir/minio.log" >&2
		exit 1
	fi
	sleep 0.2
done
echo "MinIO listens at http://$endpoint (keys: $dir/keys)"

$alone "$weir" serve --data-dir "$dir/weir" --store "s3://weir?endpoint=http://$endpoint" "$@" &
weir_pid=$!
status=0
wait "$weir_pid" || status=$?
weir_pid=""
exit $status
