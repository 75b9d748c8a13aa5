#!/usr/bin/env bash
# S3 through the AWS CLI, as a person uses it: buckets, cp, sync, ls, mv, rm, presign with curl, multipart by itself.
# shellcheck disable=SC2317,SC2154 # functions are called by check; lib.sh sets work and endpoint
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
need aws curl cmp

start_virga
s3() { awsv s3 "$@"; }
quiet() { awsv s3 "$@" --only-show-errors; }
bucket=cli-test-$$
mkdir -p "$work/in/sub/deep" "$work/fetched"

make_files() {
	local i
	for ((i = 0; i < 120; i++)); do
		head -c $((i * 37 % 5000)) /dev/urandom >"$work/in/sub/file $i.bin"
	done
	head -c 100 /dev/urandom >"$work/in/sub/deep/ünï+cödé & more.txt"
	: >"$work/in/empty"
	head -c $((20 * 1024 * 1024 + 7)) /dev/urandom >"$work/big"
}
make_files

make_bucket() { s3 mb "s3://$bucket" && s3 ls | grep -q " $bucket\$"; }
copy_there_and_back() {
	s3 cp "$work/in/sub/file 7.bin" "s3://$bucket/one file" && s3 cp "s3://$bucket/one file" "$work/back" &&
		cmp "$work/back" "$work/in/sub/file 7.bin"
}
copy_from_a_pipe() {
	printf 'from a pipe' | s3 cp - "s3://$bucket/piped" && [ "$(s3 cp "s3://$bucket/piped" -)" = "from a pipe" ]
}
# Past 8 MiB the CLI uploads parts and downloads ranges by itself.
copy_large() {
	s3 cp "$work/big" "s3://$bucket/big" && s3 cp "s3://$bucket/big" "$work/big.back" &&
		cmp "$work/big" "$work/big.back" &&
		like "$(awsv s3api head-object --bucket "$bucket" --key big --query ETag --output text)" '"*-3"'
}
copy_inside() {
	s3 cp "s3://$bucket/big" "s3://$bucket/big2" && s3 cp "s3://$bucket/big2" "$work/big2" && cmp "$work/big" "$work/big2"
}
sync_there_and_back() {
	quiet sync "$work/in" "s3://$bucket/tree" && quiet sync "s3://$bucket/tree" "$work/fetched" &&
		diff -r "$work/in" "$work/fetched"
}
sync_again_does_nothing() { [ -z "$(s3 sync "$work/in" "s3://$bucket/tree")" ]; }
sync_deletes() {
	rm "$work/in/sub/file 3.bin" && s3 sync --delete "$work/in" "s3://$bucket/tree" | grep -q 'delete: .*file 3.bin' &&
		! s3 ls "s3://$bucket/tree/sub/file 3.bin"
}
list_recursively() {
	s3 ls --recursive "s3://$bucket/tree/" >"$work/listing"
	[ "$(wc -l <"$work/listing")" = "$(find "$work/in" -type f | wc -l)" ] &&
		grep -q 'deep/ünï+cödé & more.txt' "$work/listing"
}
list_one_level() { like "$(s3 ls "s3://$bucket/tree/")" "*PRE sub/*empty*"; }
list_by_pages() {
	local got
	got=$(awsv s3api list-objects-v2 --bucket "$bucket" --prefix tree/ --page-size 7 --query 'length(Contents)')
	[ "$got" = "$(find "$work/in" -type f | wc -l)" ]
}
presigned() {
	curl -sS --fail --noproxy '*' "$(s3 presign "s3://$bucket/big" --expires-in 60)" -o "$work/signed" &&
		cmp "$work/big" "$work/signed"
}
presigned_is_over() {
	local url
	url=$(s3 presign "s3://$bucket/big" --expires-in 1)
	sleep 2
	curl -sS --noproxy '*' "$url" | grep -q '<Message>Request has expired</Message>'
}
presigned_has_one_key() {
	local url
	url=$(s3 presign "s3://$bucket/big")
	curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' --range 5-14 "$url" | grep -qx 206
}
move() {
	s3 mv "s3://$bucket/piped" "s3://$bucket/moved" && [ "$(s3 cp "s3://$bucket/moved" -)" = "from a pipe" ] &&
		! s3 ls "s3://$bucket/piped"
}
survive_a_crash() {
	crash_virga
	start_virga
	s3 cp "s3://$bucket/big" "$work/after" && cmp "$work/big" "$work/after" &&
		rm -rf "$work/fetched" && mkdir "$work/fetched" &&
		s3 sync --quiet "s3://$bucket/tree" "$work/fetched" && diff -r "$work/in" "$work/fetched"
}
refuse_to_remove_a_full_bucket() {
	! s3 rb "s3://$bucket" 2>"$work/err" && grep -q BucketNotEmpty "$work/err"
}
remove_all() {
	s3 rm --recursive --quiet "s3://$bucket/tree" && ! s3 ls "s3://$bucket/tree/" && s3 rb --force "s3://$bucket" &&
		! s3 ls "s3://$bucket"
}

for t in make_bucket copy_there_and_back copy_from_a_pipe copy_large copy_inside sync_there_and_back sync_again_does_nothing \
	sync_deletes list_recursively list_one_level list_by_pages presigned presigned_is_over presigned_has_one_key move \
	survive_a_crash refuse_to_remove_a_full_bucket remove_all; do
	check "$t" "$t"
done
finish
