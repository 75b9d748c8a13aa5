#!/usr/bin/env bash
# Backups of a real folder by tools from Debian (rclone, s3cmd, restic, git-annex) into virga and back, byte for byte.
# shellcheck disable=SC2317,SC2154 # functions are called by check; lib.sh sets work and endpoint
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

start_virga
export HOME=$work/home
mkdir -p "$HOME" "$work/back"
have() { command -v "$1" >/dev/null; }

# The repository's own documents and models: names, sizes and content as they come; and what is awkward.
folder=$work/folder
mkdir -p "$folder/leer raum/tief"
cp -r "$here/../../docs" "$here/../../models/README.md" "$here/../../models/s3.model" "$folder/"
: >"$folder/nothing"
head -c 9000000 /dev/urandom >"$folder/leer raum/big"
printf 'x' >"$folder/leer raum/tief/ünï+cödé & 100%.txt"
same() { diff -r "$folder" "$1"; }

with_rclone() {
	local remote=":s3,provider=Other,env_auth=true,region=us-east-1,force_path_style=true,acl=bucket-owner-full-control,bucket_acl=private,endpoint='$endpoint':"
	rclone mkdir "${remote}by-rclone" && rclone copy "$folder" "${remote}by-rclone/in" --s3-upload-cutoff 5M --s3-chunk-size 5M &&
		rclone check "$folder" "${remote}by-rclone/in" && rclone copy "${remote}by-rclone/in" "$work/back/rclone" &&
		same "$work/back/rclone" && rclone purge "${remote}by-rclone"
}

with_s3cmd() {
	cat >"$HOME/.s3cfg" <<-END
		[default]
		access_key = test
		secret_key = test
		host_base = 127.0.0.1:$port
		host_bucket = 127.0.0.1:$port
		use_https = False
		bucket_location = us-east-1
		multipart_chunk_size_mb = 5
	END
	s3cmd mb s3://by-s3cmd && s3cmd sync --no-progress "$folder/" s3://by-s3cmd/in/ && mkdir "$work/back/s3cmd" &&
		s3cmd sync --no-progress s3://by-s3cmd/in/ "$work/back/s3cmd/" && same "$work/back/s3cmd" &&
		s3cmd rb --recursive --force s3://by-s3cmd
}

with_restic() {
	export RESTIC_REPOSITORY=s3:$endpoint/by-restic RESTIC_PASSWORD=secret
	restic init && restic backup "$folder" && printf 'more' >"$folder/more" && restic backup "$folder" &&
		restic check --read-data && restic restore latest --target "$work/back/restic" &&
		same "$work/back/restic$folder" && restic forget --keep-last 1 --prune
}

with_git_annex() {
	cd "$work" && git init -q annex && cd annex && git config user.name virga && git config user.email virga@localhost && git config annex.security.allowed-ip-addresses all &&
		git annex init here && cp -r "$folder/." . && git annex add . && git commit -qm all &&
		git annex initremote virga type=S3 encryption=none protocol=http host=127.0.0.1 port="$port" bucket=by-annex \
			requeststyle=path && git annex copy --to virga . && git annex drop . &&
		git annex get --from virga . && git annex fsck --fast && mkdir "$work/back/annex" &&
		git -c core.symlinks=true ls-files -z | while IFS= read -r -d '' f; do
			mkdir -p "$work/back/annex/$(dirname "$f")" && cp -L "$f" "$work/back/annex/$f" || exit 1
		done && same "$work/back/annex"
}

for tool in rclone s3cmd restic git-annex; do
	if have "$tool"; then
		check "a folder with $tool" "with_${tool/-/_}"
	else
		skip "$tool" "not installed"
	fi
done
finish
