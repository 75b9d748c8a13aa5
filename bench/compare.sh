#!/bin/bash
# virga against nginx (static bytes), and against other emulators where they are installed, in turns, in one go: what counts
# is the ratio, not the figure.
#     bench/compare.sh BUILD-FOLDER
# ROUNDS (3), SECONDS_EACH (2) and CONNECTIONS (32) can be set in the environment. Everything runs on loopback, in a
# temporary folder, and is ended by its process id. s3rver and moto_server take part when they are in PATH.
set -euo pipefail
build=$(realpath "${1:?the build folder}")
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-2}
connections=${CONNECTIONS:-32}
dir=$(mktemp -d)
pids=()
stop_all() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap stop_all EXIT
next_port=$((20000 + RANDOM % 10000))
load() { "$build/bench_load" -J "$@" 2>/dev/null || true; }

wait_for_port() {
	for ((i = 0; i < 300; i++)); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
		sleep 0.1
	done
	echo "nothing listens on port $1" >&2
	return 1
}

launch() { # name, command…: runs it with $port, remembers $port as port_NAME
	local name=$1
	shift
	"$@" >"$dir/$name.log" 2>&1 &
	pids+=($!)
	wait_for_port "$port" || { tail -5 "$dir/$name.log" >&2; return 1; }
	eval "port_$name=$port"
	servers+=("$name")
}

servers=()
mkdir -p "$dir/www" "$dir/nginx" "$dir/s3rver"
head -c 300 /dev/urandom >"$dir/www/300"
head -c 1024 /dev/urandom >"$dir/www/1k"
head -c 1048576 /dev/urandom >"$dir/www/1m"

for durability in strict relaxed; do
	[ -x "$build/virga" ] || break
	port=$((next_port++))
	launch "virga_$durability" "$build/virga" serve --listen "127.0.0.1:$port" --data "$dir/$durability" \
		--durability "$durability" --log error || true
done

nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
if [ -n "$nginx" ]; then
	port=$((next_port++))
	cat >"$dir/nginx.conf" <<-EOF
		daemon off;
		worker_processes $(nproc);
		pid $dir/nginx.pid;
		error_log $dir/nginx.err;
		events { worker_connections 4096; }
		http {
			access_log off;
			sendfile on;
			tcp_nopush on;
			keepalive_requests 1000000000;
			open_file_cache max=100 inactive=60s;
			client_body_temp_path $dir/nginx/body;
			proxy_temp_path $dir/nginx/proxy;
			fastcgi_temp_path $dir/nginx/fastcgi;
			uwsgi_temp_path $dir/nginx/uwsgi;
			scgi_temp_path $dir/nginx/scgi;
			server { listen 127.0.0.1:$port; root $dir/www; }
		}
	EOF
	# Its workers must be able to read the temporary folder.
	chmod 755 "$dir" "$dir/www"
	launch nginx "$nginx" -c "$dir/nginx.conf" -p "$dir/nginx"
fi
if command -v s3rver >/dev/null; then
	port=$((next_port++))
	launch s3rver s3rver --silent -d "$dir/s3rver" -a 127.0.0.1 -p "$port" || true
fi
if command -v moto_server >/dev/null; then
	port=$((next_port++))
	launch moto moto_server -H 127.0.0.1 -p "$port" || true
fi

results="$dir/results" # lines of: test server value
: >"$results"
field() { sed -n "s/.*\"$1\":\\([0-9.]*\\).*/\\1/p"; }

measure() { # test, server, field, bench_load arguments…
	local test=$1 server=$2 what=$3 line
	shift 3
	line=$(load "$@")
	errors=$(field errors <<<"$line")
	[ -n "$line" ] && [ "$errors" = 0 ] || { echo "$test $server failed" >>"$dir/failures"; return 0; }
	echo "$test $server $(field "$what" <<<"$line") $(field p99_us <<<"$line") $(field cpu <<<"$line")" >>"$results"
}

for ((round = 0; round < rounds; round++)); do
	for s in "${servers[@]}"; do
		p=port_$s
		at="127.0.0.1:${!p}"
		common=(-t "$seconds" -c "$connections")
		if [ "$s" = nginx ]; then
			measure tiny-answer nginx rps "${common[@]}" get "http://$at/300"
			measure get-1k nginx rps "${common[@]}" get "http://$at/1k"
			measure get-1m nginx mb_s "${common[@]}" get "http://$at/1m"
			continue
		fi
		[ "$s" = s3rver ] || measure tiny-answer "$s" rps -e "$at" "${common[@]}" caller-identity
		keys=()
		[ "$s" = s3rver ] && keys=(-A S3RVER -S S3RVER)
		measure get-1k "$s" rps -e "$at" "${keys[@]}" "${common[@]}" -k 100 s3-get 1k
		measure get-1m "$s" mb_s -e "$at" "${keys[@]}" "${common[@]}" -k 20 s3-get 1m
		measure put-1k "$s" rps -e "$at" "${keys[@]}" "${common[@]}" s3-put 1k
		measure put-1m "$s" mb_s -e "$at" "${keys[@]}" -t "$seconds" -c 4 -k 20 s3-put 1m
		case $s in
		virga_*) measure put-1g "$s" mb_s -e "$at" -u -n 1 -c 1 -k 1 s3-put 1g ;;
		esac
	done
done

echo "medians of $rounds rounds; $connections connections; the last column is the load generator's share of one core"
printf '%-12s %-14s %12s %12s %10s %6s\n' test server value "of nginx" "p99 ms" load
for t in tiny-answer get-1k get-1m put-1k put-1m put-1g; do
	median() { awk -v t="$t" -v s="$1" '$1 == t && $2 == s {print $3, $4, $5}' "$results" | sort -n | awk '{v[NR] = $0} END {if (NR) print v[int((NR + 1) / 2)]}'; }
	base=$(median nginx | cut -d' ' -f1)
	for s in "${servers[@]}"; do
		m=$(median "$s")
		[ -n "$m" ] || continue
		read -r value p99 cpu <<<"$m"
		awk -v t="$t" -v s="$s" -v v="$value" -v b="${base:-0}" -v p="$p99" -v c="$cpu" 'BEGIN {
			unit = (t ~ /-1[mg]$/) ? "MB/s" : "/s"
			ratio = (b > 0) ? sprintf("%.3f", v / b) : "-"
			printf "%-12s %-14s %7.0f %-4s %12s %10.2f %6s\n", t, s, v, unit, ratio, p / 1000, c}'
	done
done
[ -f "$dir/failures" ] && { echo "failed:"; sort "$dir/failures" | uniq -c; } || true
