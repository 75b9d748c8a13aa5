# For tests/clients/*_test.sh: source it, call start_virga, then `check NAME COMMAND…` for each test, then `finish`.
# shellcheck shell=bash
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VIRGA=${VIRGA:-$here/../../build/virga}
work=$(mktemp -d "${TMPDIR:-/tmp}/virga-sh.XXXXXX")
virga_pid=
failures=0
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1} AWS_PAGER="" AWS_MAX_ATTEMPTS=1
trap 'stop_virga; rm -rf "$work"' EXIT

# start_virga [ARGUMENT of virga serve…]: sets endpoint, port, virga_pid. Data is in $work/data unless --ephemeral or
# --data is given, or PERSISTENCE is set; it listens on a free port, unless GATEWAY_LISTEN is set.
start_virga() {
	local where=(--data "$work/data") listen=(--listen 127.0.0.1:"${port:-0}") i
	[ -z "${PERSISTENCE:-}" ] || where=()
	[ -z "${GATEWAY_LISTEN:-}" ] || listen=()
	case " $* " in *" --data "* | *" --ephemeral "*) where=() ;; esac
	: >"$work/out"
	"$VIRGA" serve "${listen[@]}" "${where[@]}" "$@" >"$work/out" 2>>"$work/log" </dev/null &
	virga_pid=$!
	for ((i = 0; i < 1200; i++)); do
		grep -qx 'Ready\.' "$work/out" && break
		kill -0 "$virga_pid" 2>/dev/null || break
		sleep 0.05
	done
	if ! grep -qx 'Ready\.' "$work/out"; then
		echo "not ok start_virga"
		cat "$work/out" "$work/log"
		exit 1
	fi
	port=$(sed -n 's/^Listening on .*:\([0-9]*\).*$/\1/p' "$work/out" | head -1)
	endpoint=http://127.0.0.1:$port
	export VIRGA_ENDPOINT=$endpoint AWS_ENDPOINT_URL=$endpoint
}

# Returns virga's exit code.
stop_virga() {
	[ -n "$virga_pid" ] || return 0
	kill -TERM "$virga_pid" 2>/dev/null
	local code=0
	wait "$virga_pid" || code=$?
	virga_pid=
	return $code
}

crash_virga() {
	kill -KILL "$virga_pid"
	wait "$virga_pid" 2>/dev/null
	virga_pid=
}

# check NAME COMMAND…: passes when the command does. Its output is shown when it does not.
check() {
	local name=$1
	shift
	if "$@" >"$work/check.out" 2>&1; then
		echo "ok $name"
	else
		echo "not ok $name"
		sed 's/^/  /' "$work/check.out" | tail -40
		failures=$((failures + 1))
	fi
}

skip() { echo "skip $1: $2"; }

# skip_all WHY: the whole suite cannot run here.
skip_all() {
	echo "$1"
	exit 77
}

need() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip_all "no $tool"
	done
}

# The AWS CLI of any age: old ones do not read AWS_ENDPOINT_URL.
awsv() { aws --endpoint-url "$endpoint" "$@"; }

# like TEXT PATTERN: the text matches the glob; says what it is when it does not.
like() {
	# shellcheck disable=SC2053 # a pattern on purpose
	[[ $1 == $2 ]] || { printf 'got:  %s\nwant: %s\n' "$1" "$2"; return 1; }
}

finish() {
	stop_virga || { echo "not ok graceful_stop: exit code $?"; failures=$((failures + 1)); }
	[ "$failures" = 0 ] || tail -20 "$work/log"
	exit $((failures > 0))
}
