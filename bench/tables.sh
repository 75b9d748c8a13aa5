#!/bin/bash
# DynamoDB and SQS of virga, strict and relaxed, beside dynalite, GetCallerIdentity (what the edge can do at most) and the raw
# store, in turns, in one go: what counts is the ratio, not the figure.
#     bench/tables.sh BUILD-FOLDER [compare|growth|fairness …]          default: compare
# compare: each operation at each number of connections. growth: p50 and p99 in small and large tables and queues. fairness:
# what everybody else's requests take while one partition is hammered.
# Environment: ROUNDS (1), SECONDS_EACH (1), CONNECTIONS ("1 8 64"), RECORDS ("10000 1000000"; growth), DYNALITE (a folder
# that has node_modules/dynalite; without it npm fetches dynalite into a temporary folder, and where it cannot, it is left out).
# Everything runs on loopback, in a temporary folder, and is ended by its process id.
set -euo pipefail
build=$(realpath "${1:?the build folder}")
shift
rounds=${ROUNDS:-1}
seconds=${SECONDS_EACH:-1}
read -ra connections <<<"${CONNECTIONS:-1 8 64}"
read -ra records <<<"${RECORDS:-10000 1000000}"
dir=$(mktemp -d)
pids=()
stop_all() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap stop_all EXIT
results=$dir/results # lines of: test connections server value p50 p99 load
: >"$results"
servers=()
port=$((20000 + RANDOM % 10000))

launch() { # name, command…: with $port
	local name=$1
	shift
	port=$((port + 1))
	"${@//PORT/$port}" >"$dir/$name.log" 2>&1 &
	pids+=($!)
	for ((i = 0; i < 300; i++)); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			servers+=("$name")
			eval "at_$name=127.0.0.1:$port"
			return 0
		fi
		sleep 0.1
	done
	tail -5 "$dir/$name.log" >&2
}

virga() { # durability
	launch "$1" "$build/virga" serve --listen "127.0.0.1:PORT" --data "$dir/$1" --durability "$1" --log error
}

at() { local v=at_$1; echo "${!v}"; }

ask() { # server, service, target, body: one request
	"$build/bench_load" -e "$(at "$1")" -n 1 -c 1 json "$2" "$3" "$4" >/dev/null
}

make_table() { # server, table
	ask "$1" dynamodb DynamoDB_20120810.CreateTable '{"TableName":"'"$2"'","BillingMode":"PAY_PER_REQUEST",
		"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"}],
		"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}]}'
	for ((i = 0; i < 100; i++)); do
		"$build/bench_load" -e "$(at "$1")" -n 1 -c 1 ddb-get "$2" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	echo "the table $2 of $1 does not become active" >&2
	exit 1
}

make_queue() { # server, queue: the URL's port decides nothing, but is the server's own
	local more=
	case $2 in *.fifo) more=',"Attributes":{"FifoQueue":"true","DeduplicationScope":"messageGroup","FifoThroughputLimit":"perMessageGroupId"}' ;; esac
	ask "$1" sqs AmazonSQS.CreateQueue '{"QueueName":"'"$2"'"'"$more"'}'
}
url() { echo "http://$(at "$1")/000000000000/$2"; }

field() { sed -n "s/.*\"$1\":\\([0-9.]*\\).*/\\1/p" <<<"$2"; }

measure() { # test, connections (growth: records), server, bench_load arguments…
	local test=$1 c=$2 server=$3 line
	shift 3
	line=$("$build/bench_load" -J -e "$(at "$server")" -c "$c" "$@" 2>/dev/null) || echo "$test $c $server: $(field errors "$line") errors" >>"$dir/failures"
	[ -n "$line" ] || return 0
	echo "$test $c $server $(field rps "$line") $(field p50_us "$line") $(field p99_us "$line") $(field cpu "$line")" >>"$results"
}

tables=(ddb-put ddb-get ddb-update ddb-query ddb-batch-write ddb-transact)
queues=(sqs-send sqs-send-batch sqs-receive-delete sqs-send-fifo sqs-send-batch-fifo sqs-receive-delete-fifo)

dynalite() {
	local folder=${DYNALITE:-$dir/npm}
	if [ ! -d "$folder/node_modules/dynalite" ]; then
		mkdir -p "$folder"
		timeout 120 npm install --prefix "$folder" --no-audit --no-fund --loglevel=error dynalite >"$dir/npm.log" 2>&1 || {
			echo "npm cannot fetch dynalite: it is left out" >&2
			return 0
		}
	fi
	launch dynalite node "$folder/node_modules/dynalite/cli.js" --host 127.0.0.1 --port PORT --createTableMs 0 --path "$dir/dynalite"
}

compare() {
	virga strict
	virga relaxed
	dynalite
	for s in "${servers[@]}"; do
		make_table "$s" bench
		"$build/bench_load" -e "$(at "$s")" -c 8 -n 400 -k 10000 ddb-batch-write bench >/dev/null || echo "$s: the table is not filled" >&2
		[ "$s" = dynalite ] && continue
		make_queue "$s" sends
		make_queue "$s" sends.fifo
	done
	for ((round = 0; round < rounds; round++)); do
		for c in "${connections[@]}"; do
			for s in "${servers[@]}"; do
				[ "$s" = dynalite ] || measure caller-identity "$c" "$s" -t "$seconds" caller-identity
			done
			for t in "${tables[@]}"; do
				for s in "${servers[@]}"; do
					[ "$s$t" = dynaliteddb-transact ] && continue # it knows no transactions
					measure "$t" "$c" "$s" -t "$seconds" -r -k 10000 "$t" bench
				done
			done
			for s in strict relaxed; do
				for t in "${queues[@]}"; do
					local kind=$t queue=sends
					case $t in *-fifo) queue=sends.fifo ;; esac
					kind=${kind/delete-fifo/delete}
					measure "$t" "$c" "$s" -t "$seconds" "$kind" "$(url "$s" "$queue")"
				done
			done
		done
	done
	echo "load average $(cut -d' ' -f1-3 /proc/loadavg); $(nproc) cores; medians of $rounds rounds of $seconds s; table of 10^4 items, 100 in a partition"
	echo "load: the generator's share of one core; of edge: of GetCallerIdentity with as many connections"
	printf '%-24s %5s %-9s %9s %9s %9s %8s %12s %6s\n' test conns server /s "p50 us" "p99 us" "of edge" "of dynalite" load
	for t in caller-identity "${tables[@]}" "${queues[@]}"; do
		for c in "${connections[@]}"; do
			local other edge
			other=$(median "$t" "$c" dynalite | cut -d' ' -f1)
			for s in "${servers[@]}"; do
				edge=$(median caller-identity "$c" "$s" | cut -d' ' -f1)
				m=$(median "$t" "$c" "$s")
				[ -n "$m" ] || continue
				read -r value p50 p99 cpu <<<"$m"
				awk -v t="$t" -v c="$c" -v s="$s" -v v="$value" -v p50="$p50" -v p99="$p99" -v e="${edge:-0}" -v o="${other:-0}" -v l="$cpu" 'BEGIN {
					printf "%-24s %5s %-9s %9.0f %9.0f %9.0f %8s %12s %6s\n", t, c, s, v, p50, p99,
						(e > 0 ? sprintf("%.2f", v / e) : "-"), (o > 0 ? sprintf("%.1f", v / o) : "-"), l}'
			done
		done
	done
	if [ -x "$build/bench_store" ]; then
		echo "the raw store:"
		"$build/bench_store" -d "$dir" commits reads
	fi
}

median() { awk -v t="$1" -v c="$2" -v s="$3" '$1 == t && $2 == c && $3 == s {print $4, $5, $6, $7}' "$results" | sort -n | awk '{v[NR] = $0} END {if (NR) print v[int((NR + 1) / 2)]}'; }

# Strict durability for what is measured would hide the store's growth behind the disk's sync: relaxed.
growth() {
	servers=()
	virga relaxed
	for n in "${records[@]}"; do
		make_table relaxed "t$n"
		make_queue relaxed "q$n"
		"$build/bench_load" -e "$(at relaxed)" -c 16 -n $((n / 25)) -k "$n" ddb-batch-write "t$n" >/dev/null || echo "t$n is not filled" >&2
		"$build/bench_load" -e "$(at relaxed)" -c 16 -n $((n / 10)) sqs-send-batch "$(url relaxed "q$n")" >/dev/null || echo "q$n is not filled" >&2
	done
	# In turns, so that what else the machine does meets all sizes alike.
	for ((round = 0; round < (rounds > 3 ? rounds : 3); round++)); do
		for n in "${records[@]}"; do
			for t in ddb-get ddb-query ddb-put; do measure "$t" "$n" relaxed -c 8 -t "$seconds" -r -k "$n" "$t" "t$n"; done
			for t in sqs-receive-delete sqs-send; do measure "$t" "$n" relaxed -c 8 -t "$seconds" "$t" "$(url relaxed "q$n")"; done
		done
	done
	echo "load average $(cut -d' ' -f1-3 /proc/loadavg); $(nproc) cores; relaxed, 8 connections, medians of rounds of $seconds s"
	printf '%-20s %10s %9s %9s %9s %10s %10s\n' test records /s "p50 us" "p99 us" "p50 grows" "p99 grows"
	for t in ddb-get ddb-query ddb-put sqs-receive-delete sqs-send; do
		local first50='' first99=
		for n in "${records[@]}"; do
			m=$(median "$t" "$n" relaxed)
			[ -n "$m" ] || continue
			read -r value p50 p99 _ <<<"$m"
			first50=${first50:-$p50} first99=${first99:-$p99}
			awk -v t="$t" -v n="$n" -v v="$value" -v p="$p50" -v q="$p99" -v a="$first50" -v b="$first99" 'BEGIN {
				printf "%-20s %10d %9.0f %9.0f %9.0f %10.2f %10.2f\n", t, n, v, p, q, p / a, q / b}'
		done
	done
}

# Half of the connections write one item, the other half read and write the others: what the others get, with and without.
fairness() {
	servers=()
	virga relaxed
	make_table relaxed hot
	"$build/bench_load" -e "$(at relaxed)" -c 8 -n 400 -k 10000 ddb-batch-write hot >/dev/null
	local hammer
	for ((round = 0; round < (rounds > 3 ? rounds : 3); round++)); do
		for t in ddb-get ddb-update; do
			measure "$t" even relaxed -c 8 -t "$seconds" -r -k 10000 "$t" hot
			"$build/bench_load" -J -e "$(at relaxed)" -c 32 -t $((seconds + 1)) -k 1 ddb-update hot >"$dir/hammer" 2>/dev/null &
			hammer=$!
			sleep 0.3
			measure "$t" hot relaxed -c 8 -t "$seconds" -r -k 10000 "$t" hot
			wait "$hammer" || true
			"$build/bench_load" -J -e "$(at relaxed)" -c 32 -t $((seconds + 1)) -r -k 10000 ddb-update hot >"$dir/spread" 2>/dev/null &
			hammer=$!
			sleep 0.3
			measure "$t" busy relaxed -c 8 -t "$seconds" -r -k 10000 "$t" hot
			wait "$hammer" || true
		done
	done
	echo "load average $(cut -d' ' -f1-3 /proc/loadavg); $(nproc) cores; relaxed, 8 connections, medians; hot: beside 32 connections that"
	echo "update one item ($(field rps "$(cat "$dir/hammer")")/s); busy: beside 32 that update all of them ($(field rps "$(cat "$dir/spread")")/s)"
	printf '%-20s %6s %9s %9s %9s\n' test beside /s "p50 us" "p99 us"
	for t in ddb-get ddb-update; do
		for b in even busy hot; do
			m=$(median "$t" "$b" relaxed)
			[ -n "$m" ] || continue
			read -r value p50 p99 _ <<<"$m"
			printf '%-20s %6s %9.0f %9.0f %9.0f\n' "$t" "$b" "$value" "$p50" "$p99"
		done
	done
}

what=("$@")
[ ${#what[@]} -gt 0 ] || what=(compare)
for w in "${what[@]}"; do
	case $w in
	compare | growth | fairness) "$w" ;;
	*) echo "compare, growth or fairness" >&2; exit 2 ;;
	esac
done
[ -f "$dir/failures" ] && { echo "failed:"; cat "$dir/failures"; exit 1; } || true
