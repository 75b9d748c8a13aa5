#!/bin/bash
# The edge alone, for docs/decisions/0003: per memory limit of a connection, tiny requests per second, seconds for a 1 GiB
# upload, resident memory with 1,000 connections that have been used; nginx in the same run.
#     bench/edge.sh BUILD-FOLDER [BYTES…]
set -euo pipefail
build=$(realpath "${1:?the build folder}")
shift
sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(16384 32768 65536 131072 262144 1048576)
dir=$(mktemp -d)
pid=
nginx_pid=
stop() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	[ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap stop EXIT
port=$((20000 + RANDOM % 10000))
field() { sed -n "s/.*\"$1\":\\([0-9.]*\\).*/\\1/p"; }
rss() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }

nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
if [ -n "$nginx" ]; then
	cat >"$dir/nginx.conf" <<-EOF
		daemon off;
		worker_processes $(nproc);
		pid $dir/nginx.pid;
		error_log $dir/nginx.err;
		events { worker_connections 4096; }
		http {
			access_log off;
			keepalive_requests 1000000000;
			open_file_cache max=100 inactive=60s;
			client_body_temp_path $dir/body;
			proxy_temp_path $dir/proxy;
			fastcgi_temp_path $dir/fastcgi;
			uwsgi_temp_path $dir/uwsgi;
			scgi_temp_path $dir/scgi;
			server { listen 127.0.0.1:$((port + 1)); root $dir/www; }
		}
	EOF
	mkdir "$dir/www"
	chmod 755 "$dir" "$dir/www"
	head -c 200 /dev/urandom >"$dir/www/200"
	"$nginx" -c "$dir/nginx.conf" -p "$dir" &
	nginx_pid=$!
	sleep 0.3
fi

printf '%10s %12s %12s %14s %16s\n' bytes "tiny /s" "async /s" "1 GiB PUT s" "1000 conns MiB"
for m in "${sizes[@]}"; do
	out=("$m")
	for mode in "" -a; do
		# shellcheck disable=SC2086
		"$build/bench_edge_echo" -l "127.0.0.1:$port" -m "$m" $mode >/dev/null &
		pid=$!
		sleep 0.2
		out+=("$("$build/bench_load" -J -c 32 -t 2 get "http://127.0.0.1:$port/" | field rps)")
		if [ -z "$mode" ]; then
			put=$(for i in 1 2 3; do "$build/bench_load" -J -u -e "127.0.0.1:$port" -n 1 -c 1 s3-put 1g | field seconds; done | sort -n | sed -n 2p)
			before=$(rss "$pid")
			"$build/bench_load" -J -c 1000 -t 2 get "http://127.0.0.1:$port/" >/dev/null &
			load=$!
			sleep 1.5
			memory=$((($(rss "$pid") - before) / 1024))
			wait "$load"
		fi
		kill "$pid"
		wait "$pid" || true
		pid=
	done
	printf '%10s %12s %12s %14s %16s\n' "${out[@]}" "$put" "$memory"
done
if [ -n "$nginx_pid" ]; then
	printf '%10s %12s\n' nginx "$("$build/bench_load" -J -c 32 -t 2 get "http://127.0.0.1:$((port + 1))/200" | field rps)"
fi
