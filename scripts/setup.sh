#!/usr/bin/env bash
# Installs what virga needs from Debian's packages: only what is missing, and says what. Asks for sudo only when it
# is not root and something has to be installed.
#
#	scripts/setup.sh core|test|fuzz ...     install what is missing of these groups
#	scripts/setup.sh --check core           install nothing; say what is missing and fail
#	scripts/setup.sh --node FOLDER          npm ci in FOLDER, when its lock file changed
#	scripts/setup.sh --image VIRGA          build the machine image with that binary, as root, once
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# group package probe: how we know that it is there. `pc:NAME` a pkg-config module, `cmd:NAME` a program, `py:NAME` a
# Python module, `file:PATH`. Probing for the thing rather than the package leaves other installations of it alone.
packages() {
	cat <<-'LIST'
		core gcc cmd:gcc
		core libc6-dev file:/usr/include/stdio.h
		core cmake cmd:cmake
		core ninja-build cmd:ninja
		core pkg-config cmd:pkg-config
		core librocksdb-dev pc:rocksdb
		core libmicrohttpd-dev pc:libmicrohttpd
		core libgnutls28-dev pc:gnutls
		core libssl-dev pc:openssl
		core libexpat1-dev pc:expat
		core libpcre2-dev pc:libpcre2-8
		core libisal-dev pc:libisal
		core libcurl4-openssl-dev pc:libcurl
		core libyajl-dev pc:yajl
		core zlib1g-dev pc:zlib
		core libbz2-dev file:/usr/include/bzlib.h
		core libzstd-dev file:/usr/include/zstd.h
		core libyaml-dev pc:yaml-0.1
		core libarchive-dev file:/usr/include/archive.h
		core libmnl-dev pc:libmnl
		core libxml2-dev pc:libxml-2.0
		core libnftables-dev pc:libnftables
		core tzdata file:/usr/share/zoneinfo/Europe/Berlin
		test mold cmd:mold
		test iproute2 cmd:ip
		test nftables cmd:nft
		test python3 cmd:python3
		test python3-boto3 py:boto3
		test python3-kombu file:/usr/lib/python3/dist-packages/kombu/transport/SQS.py
		test awscli cmd:aws
		test curl cmd:curl
		test openssl cmd:openssl
		test zstd cmd:zstd
		test nodejs cmd:node
		test npm cmd:npm
		test ca-certificates file:/etc/ssl/certs/ca-certificates.crt
		test haproxy cmd:haproxy
		test nginx-light cmd:nginx
		test rclone cmd:rclone
		test s3cmd cmd:s3cmd
		test restic cmd:restic
		test git cmd:git
		test procps cmd:ps
		test mmdebstrap cmd:mmdebstrap
		test postgresql-common file:/usr/share/postgresql-common/supported-versions
		test postgresql-15 file:/usr/lib/postgresql/15/bin/postgres
		test postgresql-client-15 cmd:psql
		test mariadb-server-core cmd:mariadbd
		test mariadb-backup cmd:mariadb-backup
		test mariadb-client cmd:mariadb-binlog
		test python3-pymysql file:/usr/lib/python3/dist-packages/pymysql/__init__.py
		test pgbouncer cmd:pgbouncer
		test redis-server cmd:redis-server
		test redis-tools cmd:redis-cli
		test memcached cmd:memcached
		test e2fsprogs cmd:mke2fs
		test libcairo2 file:/usr/lib/x86_64-linux-gnu/libcairo.so.2
		test fonts-dejavu-core file:/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
		test libarchive13 file:/usr/lib/x86_64-linux-gnu/libarchive.so.13
		fuzz clang cmd:clang
		fuzz libclang-rt-14-dev file:/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a
	LIST
}

have() {
	case $1 in
	pc:*) command -v pkg-config >/dev/null && pkg-config --exists "${1#pc:}" ;;
	cmd:*) PATH="$PATH:/usr/sbin:/sbin" command -v "${1#cmd:}" >/dev/null ;;
	# The PATH's python3 may be another than Debian's: either will do.
	py:*) python3 -c "import ${1#py:}" 2>/dev/null || /usr/bin/python3 -c "import ${1#py:}" 2>/dev/null ;;
	file:*) [ -e "${1#file:}" ] ;;
	esac
}

missing() { # GROUP...: the packages that are not there
	local group package probe wanted=" $* "
	packages | while read -r group package probe; do
		if [[ $wanted == *" $group "* ]] && ! have "$probe"; then echo "$package"; fi
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	elif command -v sudo >/dev/null; then
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	else
		echo "setup: this needs root, and there is no sudo. As root: $*" >&2
		exit 1
	fi
}

install() { # PACKAGE...
	if ! command -v apt-get >/dev/null; then
		echo "setup: there is no apt-get here. Please install what Debian calls: $*" >&2
		exit 1
	fi
	echo "setup: installing by apt: $*"
	# The lists are fetched when there are none, or when the newest is over a day old.
	if [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mtime -1 -print -quit 2>/dev/null)" ]; then
		as_root apt-get -q update
	fi
	# Debian's PostgreSQL would make a cluster of its own and start it; virga runs servers of its own.
	if [[ " $* " == *" postgresql-15 "* ]]; then
		as_root apt-get -q install -y --no-install-recommends postgresql-common </dev/null || true
		local settings=/etc/postgresql-common/createcluster.conf
		[ ! -e $settings ] || as_root sed -i 's/^#\? *create_main_cluster *=.*/create_main_cluster = false/' $settings
	fi
	as_root apt-get -q install -y --no-install-recommends "$@" </dev/null ||
		{ as_root apt-get -q update && as_root apt-get -q install -y --no-install-recommends "$@" </dev/null; }
}

node_modules() { # FOLDER
	local folder=$1 stamp=$1/node_modules/.package-lock.json
	if [ -e "$stamp" ] && [ ! "$folder/package-lock.json" -nt "$stamp" ]; then return; fi
	if ! command -v npm >/dev/null; then
		echo "setup: no npm: the JavaScript clients will be skipped" >&2
		return
	fi
	echo "setup: installing by npm in $folder: $(sed -n '/"dependencies"/,/}/s/^ *"\([^"]*\)": "\(.*\)".*/\1@\2/p' "$folder/package.json" | xargs)"
	if (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null); then
		touch "$stamp"
	else
		echo "setup: npm could not fetch them: what needs them will be skipped" >&2
		rm -rf "$folder/node_modules"
	fi
}

case ${1:-} in
--check)
	shift
	mapfile -t list < <(missing "$@")
	if [ ${#list[@]} -gt 0 ]; then
		echo "virga needs ${list[*]} to build, which this machine lacks. \`make setup\` installs it." >&2
		exit 1
	fi
	;;
--node)
	node_modules "$2"
	;;
--image)
	# Tests of machines are skipped without it; a mirror that is out of reach is no reason to fail.
	if [ "$(id -u)" = 0 ]; then
		"$2" engines install machine-image || echo "setup: no machine image: what needs machines will be skipped" >&2
	fi
	;;
core | test | fuzz)
	mapfile -t list < <(missing "$@")
	if [ ${#list[@]} -gt 0 ]; then
		install "${list[@]}"
		# A package may have come that made no difference to its probe: better to hear it here.
		mapfile -t list < <(missing "$@")
		if [ ${#list[@]} -gt 0 ]; then echo "setup: still missing: ${list[*]}" >&2; fi
	fi
	;;
*)
	sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
