#!/usr/bin/env bash
# The virga command and virga's own pages: started, asked, moved in time, reset, stopped, as a person would.
# shellcheck disable=SC2317,SC2015,SC2016,SC1010 # functions are called by check; conditions are meant as they stand
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
need curl
unset XDG_DATA_HOME

v() { "$VIRGA" "$@"; }
page() { curl -sS --max-time 30 "$@"; }
code() { curl -sS --max-time 30 -o /dev/null -w '%{http_code}' "$@"; }
exits() { # CODE COMMAND…
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" = "$want" ] || { echo "exit code $got, not $want"; return 1; }
}
has() { # TEXT PART
	[[ $1 == *"$2"* ]] || { printf '«%s» is not in:\n%s\n' "$2" "$1"; return 1; }
}
lacks() { ! has "$@" >/dev/null || { printf '«%s» is in:\n%s\n' "$2" "$1"; return 1; }; }

# ── without a running virga ──────────────────────────────────────────────────────────────────────────────────────
help_names_every_command() {
	local c
	for c in serve status stop reset ops clock ca env version help; do
		has "$(v help)" "  $c " && has "$(v help "$c")" "virga $c" && has "$(cat "$here/../../docs/virga.1")" ".B" &&
			grep -Eq "^\.BR? $c( |$)" "$here/../../docs/virga.1" || { echo "$c is not told of"; return 1; }
	done
}
man_page_names_every_option() {
	local o
	for o in $(for c in serve status reset env; do v help "$c"; done | sed -n 's/^  --\([a-z]*\).*/\1/p' | sort -u); do
		grep -q -- "--$o" "$here/../../docs/virga.1" || { echo "--$o is not in the man page"; return 1; }
	done
}
check help_names_every_command help_names_every_command
check man_page_names_every_option man_page_names_every_option
check version like "$(v version)" "virga [0-9]*.[0-9]*.[0-9]*"
check dashes_version like "$(v --version)" "virga *"
check command_help_by_option has "$(v serve --help)" "--listen"
check no_such_command exits 2 v dance
check no_such_option exits 2 v status --colour
check option_without_value exits 2 v serve --listen
check switch_with_value exits 2 v serve --strict=yes
check word_too_many exits 2 v ops s3 sqs
check contradiction exits 2 v serve --ephemeral --data "$work/x"
check bad_durability exits 2 v serve --durability maybe
check bad_log_level exits 2 v serve --log loud
check bad_region exits 2 v serve --region 'us east'
nobody_answers() {
	local said
	said=$(VIRGA_ENDPOINT=http://127.0.0.1:1 v status 2>&1)
	[ $? = 1 ] && has "$said" "no virga answers at http://127.0.0.1:1"
}
check nobody_answers nobody_answers
check output_to_a_full_disk exits 1 bash -c '"$0" ops >/dev/full' "$VIRGA"

ops_counts() {
	has "$(v ops)" "Amazon Simple Storage Service" && has "$(v ops s3)" "PutObject" &&
		has "$(v ops sts)" "done     GetCallerIdentity" && exits 1 v ops nosuch
}
check ops_counts ops_counts
# Every line of the totals is the number of that service's lines.
ops_add_up() {
	local name done total lines sum=0
	while read -r name done _ total _; do
		if [ "$name" = all ]; then
			[ "$sum" = "$total" ] || { echo "all says $total, the services are $sum"; return 1; }
			continue
		fi
		sum=$((sum + total))
		case $name in s3 | sts | sqs | acm) ;; *) continue ;; esac
		lines=$(v ops "$name")
		[ "$(grep -Ec '^(done|missing) ' <<<"$lines")" = "$total" ] && [ "$(grep -c '^done ' <<<"$lines")" = "$done" ] ||
			{ echo "$name: $done of $total?"; return 1; }
	done < <(v ops)
	[ "$sum" -gt 4000 ]
}
check ops_add_up ops_add_up

# ── start, and what it tells ─────────────────────────────────────────────────────────────────────────────────────
mkdir -p "$work/hooks"
cat >"$work/hooks/10-env.sh" <<-'HOOK'
	#!/bin/sh
	env | grep -E '^(AWS_|VIRGA_ENDPOINT)' | sort > "$(dirname "$0")/env.txt"
	curl -sS "$VIRGA_ENDPOINT/_localstack/health" > "$(dirname "$0")/health.json"
HOOK
printf '#!/bin/sh\nexit 4\n' >"$work/hooks/20-fails.sh"
chmod +x "$work/hooks"/*.sh
export VIRGA_INIT_DIR=$work/hooks
start_virga --region eu-west-1 --log debug
unset VIRGA_INIT_DIR

promised="virga * data in $work/data/|Listening on $endpoint|Ready.|"
check stdout_is_only_what_is_promised like "$(tr '\n' '|' <"$work/out")" "$promised"
check status_text has "$(v status)" "data     $work/data/"
check status_json has "$(v status --json)" '"region": "eu-west-1"'
check status_by_option has "$(VIRGA_ENDPOINT=http://127.0.0.1:1 v status --endpoint "$endpoint/")" "answers at $endpoint"
check data_folder_is_private like "$(stat -c %a "$work/data")" 700
second_virga() {
	local said
	said=$(v serve --listen 127.0.0.1:0 --data "$work/data" 2>&1)
	[ $? = 1 ] && has "$said" virga
}
check second_virga_on_the_same_data second_virga
second_port() {
	local said
	said=$(timeout 20 "$VIRGA" serve --listen "127.0.0.1:$port" --data "$work/other" 2>&1)
	[ $? = 1 ] && has "$said" "cannot listen on 127.0.0.1:$port"
}
check second_virga_on_the_same_port second_port

hooks_ran() {
	local i said
	for ((i = 0; i < 100; i++)); do
		said=$(page "$endpoint/_localstack/init/ready")
		[[ $said == '{"completed": true'* ]] && break
		sleep 0.1
	done
	has "$said" '{"stage": "READY", "name": "10-env.sh", "state": "SUCCESSFUL"}' &&
		has "$said" '{"stage": "READY", "name": "20-fails.sh", "state": "ERROR"}' &&
		has "$(page "$endpoint/_localstack/init")" '"READY": true' &&
		has "$(cat "$work/hooks/env.txt")" "AWS_ENDPOINT_URL=$endpoint" &&
		has "$(cat "$work/hooks/env.txt")" "AWS_DEFAULT_REGION=eu-west-1" &&
		has "$(cat "$work/hooks/health.json")" '"edition": "virga"'
}
check init_hooks hooks_ran

check health has "$(page "$endpoint/_localstack/health")" '"sts": "running"'
check health_by_head like "$(code -I "$endpoint/_localstack/health")" 200
check info has "$(page "$endpoint/_localstack/info")" '"version": "'
check page_with_slash like "$(code "$endpoint/_virga/status/")" 200
check no_such_page like "$(code "$endpoint/_virga/nothing")" 404
check wrong_method like "$(code -X DELETE "$endpoint/_virga/status")" 405
check ops_page has "$(page "$endpoint/_virga/ops?service=sts")" '"GetCallerIdentity": true'
check ops_page_of_no_service like "$(code "$endpoint/_virga/ops?service=no%20such")" 404

if command -v aws >/dev/null; then
	check caller_identity has "$(awsv sts get-caller-identity 2>&1)" "arn:aws:iam::000000000000:root"
	by_account() { has "$(eval "$(v env --account 123456789012)" && awsv sts get-caller-identity 2>&1)" 123456789012; }
	check env_of_an_account by_account
	unbuilt() {
		local said
		said=$(awsv route53domains list-domains 2>&1)
		has "$said" NotImplemented && has "$said" ListDomains
	}
	check unbuilt_operation_says_so unbuilt
else
	skip caller_identity "no aws"
fi
metrics() {
	local text
	text=$(page "$endpoint/_virga/metrics")
	has "$text" "# TYPE virga_calls_total counter" && has "$text" "virga_store_commits_total"
}
check metrics metrics

env_exports() {
	local text
	text=$(v env)
	has "$text" "export AWS_ENDPOINT_URL='$endpoint'" && has "$text" "export AWS_ACCESS_KEY_ID='test'" &&
		has "$text" "export AWS_DEFAULT_REGION='eu-west-1'" && has "$text" "$work/data/ca.pem" && bash -nc "$text"
}
check env_exports env_exports
check env_account_has_12_digits exits 2 v env --account 12
if command -v openssl >/dev/null; then
	https() {
		v ca >"$work/ca.pem" && openssl x509 -in "$work/ca.pem" -noout -checkend 86400 &&
			like "$(code --cacert "$work/ca.pem" "https://localhost:$port/_virga/status")" 200 &&
			has "$(AWS_CA_BUNDLE=$work/ca.pem v status --endpoint "https://localhost:$port")" "answers at https://"
	}
	check ca_and_https https
fi

# ── who may change things ────────────────────────────────────────────────────────────────────────────────────────
check change_by_get_is_refused like "$(code "$endpoint/_virga/reset")" 405
check foreign_page_may_not_change like "$(code -X POST -H 'Origin: https://evil.example' "$endpoint/_virga/reset")" 403
check foreign_page_may_not_read like "$(code -H 'Origin: https://evil.example' "$endpoint/_virga/status")" 403
check foreign_form_may_not_change like "$(code -X POST -H 'Sec-Fetch-Site: cross-site' "$endpoint/_virga/clock?advance=1d")" 403
check null_origin_may_not_change like "$(code -X POST -H 'Origin: null' "$endpoint/_virga/reset")" 403
check lookalike_may_not_change like "$(code -X POST -H 'Origin: http://localhost.evil.example' "$endpoint/_virga/reset")" 403
check own_page_may like "$(code -X POST -H "Origin: http://localhost:$port" "$endpoint/_virga/clock?reset=1")" 200

# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────
day() { date -u -d "$1" +%Y-%m-%d; }
check clock_tells like "$(v clock)" "$(date -u +%Y-%m)-*T*Z"
check clock_advances like "$(v clock advance 30d)" "$(day '+30 days')T*"
check clock_is_told like "$(v clock)" "$(day '+30 days')T*"
check status_says_moved has "$(v status)" "(moved)"
check clock_is_set like "$(v clock set 2031-05-06T07:08:09Z)" "2031-05-06T07:08:*"
check bad_duration exits 1 v clock advance soon
check bad_time exits 1 v clock set tomorrow
check bad_verb exits 2 v clock turn 3d

# ── over a crash and a restart ───────────────────────────────────────────────────────────────────────────────────
crash_virga
start_virga
check time_stays_over_a_crash like "$(v clock)" "2031-05-06T*"
check clock_goes_back like "$(v clock reset)" "$(date -u +%Y-%m)-*"
check reset has "$(v reset)" "empty"
check reset_of_a_service has "$(v reset --service sts)" "sts is empty"
check reset_of_no_service exits 1 v reset --service nothing
stop_ends_it() {
	v stop && ! kill -0 "$virga_pid" 2>/dev/null
	local ended=$?
	wait "$virga_pid" || { echo "exit code $?"; ended=1; }
	virga_pid=
	return "$ended"
}
check stop stop_ends_it

# ── variables of LocalStack's users ──────────────────────────────────────────────────────────────────────────────
port=
DEBUG=1 SERVICES=sts,sqs:4576 LOCALSTACK_HOST=cloud.test:4566 AWS_DEFAULT_REGION=ap-south-1 start_virga
check services_left_out has "$(page "$endpoint/_localstack/health")" '"s3": "disabled"'
check services_wanted has "$(page "$endpoint/_localstack/health")" '"sts": "running"'
if command -v aws >/dev/null; then
	check service_left_out_says_so has "$(awsv s3api list-buckets 2>&1)" "Service 's3' is not enabled"
fi
check localstack_host has "$(v status --json)" '"public_host": "cloud.test:4566"'
check default_region has "$(v status --json)" '"region": "ap-south-1"'
check stops stop_virga

port=
mkdir -p "$work/tmp"
TMPDIR=$work/tmp start_virga --ephemeral --strict
check ephemeral_has_a_folder has "$(v status)" "data     $work/tmp/virga-ephemeral-"
if command -v aws >/dev/null; then
	refused() {
		local said
		said=$(awsv sts get-caller-identity 2>&1)
		has "$said" InvalidClientTokenId
	}
	check strict_refuses_unknown_keys refused
	root_key() { has "$(eval "$(v env)" && awsv sts get-caller-identity 2>&1)" "arn:aws:iam::000000000000:root"; }
	check strict_takes_the_root_key root_key
fi
check strict_env_has_no_test_key lacks "$(v env)" "='test'"
crash_virga
check a_kill_leaves_the_folder [ -n "$(ls "$work/tmp")" ]
TMPDIR=$work/tmp start_virga --ephemeral
check the_next_start_sweeps_it like "$(find "$work/tmp" -mindepth 1 -maxdepth 1 | wc -l)" 1
check stops_again stop_virga
check ephemeral_leaves_nothing [ -z "$(ls "$work/tmp")" ]

second=$((20000 + RANDOM % 10000))
TMPDIR=$work/tmp PERSISTENCE=0 LOCALSTACK_DEBUG=1 GATEWAY_LISTEN=127.0.0.1:0,127.0.0.2:$second start_virga --log json
check persistence_0_is_ephemeral has "$(v status)" "data     $work/tmp/virga-ephemeral-"
second_address() {
	has "$(cat "$work/out")" "Listening on http://127.0.0.2:$second" &&
		has "$(v status --endpoint "http://127.0.0.2:$second")" "answers at http://127.0.0.2"
}
check gateway_listen_takes_several second_address
log_is_json() {
	curl -sS -o /dev/null "$endpoint/_virga/nothing"
	tail -1 "$work/log" | python3 -c 'import json, sys; d = json.loads(sys.stdin.read()); assert d["event"] == "refused", d'
}
if command -v python3 >/dev/null; then check log_is_json log_is_json; fi
kill -INT "$virga_pid"
check ctrl_c_stops_it stop_virga

# ── data folders that cannot be used ─────────────────────────────────────────────────────────────────────────────
port=
start_virga --data "$work/a folder/of its own"
check a_folder_with_spaces has "$(v status)" "$work/a folder/of its own/"
stop_virga
newer() {
	local said
	echo 999 >"$work/a folder/of its own/FORMAT"
	said=$(timeout 20 "$VIRGA" serve --listen 127.0.0.1:0 --data "$work/a folder/of its own" 2>&1)
	[ $? = 1 ] && has "$said" "format 999"
}
check a_newer_format_is_refused newer
a_file() {
	local said
	: >"$work/file"
	said=$(timeout 20 "$VIRGA" serve --listen 127.0.0.1:0 --data "$work/file" 2>&1)
	[ $? = 1 ] && has "$said" "$work/file"
}
check a_file_is_no_folder a_file
check bad_addresses exits 1 timeout 20 "$VIRGA" serve --listen nowhere --data "$work/nowhere"
finish
