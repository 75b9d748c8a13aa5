#!/usr/bin/env bash
# Runs every fuzz target (tests/fuzz/*_fuzz.c) with libFuzzer for MINUTES each, two at a time, from its committed corpus.
# What is new goes to build-fuzz/corpus/NAME, findings to build-fuzz/findings. Fails when there is a finding.
#
#	scripts/fuzz.sh [MINUTES] [WORD...]      only targets whose name holds a WORD
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=${1:-10}
shift || true

cmake --preset fuzz --log-level=WARNING
targets=()
for source in tests/fuzz/*_fuzz.c; do
	name=$(basename "$source" .c)
	if [ $# -eq 0 ]; then targets+=("$name"); fi
	for word in "$@"; do
		case $name in *"$word"*) targets+=("$name") ;; esac
	done
done
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz target has such a name" >&2; exit 2; }
cmake --build --preset fuzz --target "${targets[@]}"

findings=$PWD/build-fuzz/findings
mkdir -p "$findings"
one() {
	local name=$1 corpus=${1%_fuzz}
	# The first folder is where libFuzzer puts what is new.
	local folders=("build-fuzz/corpus/$corpus")
	mkdir -p "${folders[0]}"
	if [ -d "tests/fuzz/corpus/$corpus" ]; then folders+=("tests/fuzz/corpus/$corpus"); fi
	if "build-fuzz/$name" -max_total_time=$((minutes * 60)) -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$findings/$name-" "${folders[@]}" \
		>"build-fuzz/$name.log" 2>&1; then
		echo "ok    $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build-fuzz/$name.log") runs"
	else
		echo "FAIL  $name: see build-fuzz/$name.log and $findings"
		return 1
	fi
}
export -f one
export minutes findings
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'one {}'
