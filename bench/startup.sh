#!/bin/bash
# Cold start to the first answer (from just before fork to the first 200) and resident memory one second later, over 20 runs.
#     bench/startup.sh BUILD-FOLDER [RUNS]
# Each run has a data folder of its own; the last line is for a folder that is already there.
set -euo pipefail
build=${1:?the build folder}
runs=${2:-20}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
port=$((20000 + RANDOM % 10000))

summary() { # title, file of "ms rss" lines
	sort -n "$2" | awk -v title="$1" '{ms[NR] = $1; sum += $2} END {
		printf "%-28s median %.1f ms, best %.1f ms, worst %.1f ms, resident %.1f MiB (%d runs)\n",
			title, ms[int((NR + 1) / 2)], ms[1], ms[NR], sum / NR / 1024, NR}'
}

start() { # data folder
	"$build/bench_first" "$port" /_localstack/health -- "$build/virga" serve --listen "127.0.0.1:$port" --data "$1" --log off
}

for ((i = 0; i < runs; i++)); do
	start "$dir/fresh-$i" >>"$dir/fresh"
	start "$dir/fresh-0" >>"$dir/again"
done
summary "fresh data folder" "$dir/fresh"
summary "existing data folder" "$dir/again"
