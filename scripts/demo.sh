#!/usr/bin/env bash
# The three-tier architecture of examples/three-tier as one stack: deploys it, waits until the shop is served, and says
# where it is. Starts virga when none answers.
#
#	scripts/demo.sh [up|down]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export AWS_ENDPOINT_URL=${VIRGA_ENDPOINT:-http://localhost:4566} AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
stack=shop bucket=shop-artifacts-000000000000
log=${XDG_STATE_HOME:-$HOME/.local/state}/virga-demo.log

aws_() { aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; } # Debian's CLI does not read AWS_ENDPOINT_URL
field() { aws_ cloudformation describe-stacks --stack-name $stack --query "Stacks[0].$1" --output text 2>/dev/null; }
answers() { curl -sf -o /dev/null --max-time 5 "$AWS_ENDPOINT_URL/_localstack/health"; }

settle() { # until the stack's operation has ended
	local status
	while status=$(field StackStatus) && [[ $status == *_IN_PROGRESS ]]; do sleep 0.5; done
	echo "${status:-gone}"
}

if [ "${1:-up}" = down ]; then
	aws_ cloudformation describe-stack-resources --stack-name $stack >/dev/null
	pictures=$(field "Outputs[?OutputKey=='PicturesBucket'].OutputValue | [0]")
	[ -z "$pictures" ] || aws_ s3 rm --quiet --recursive "s3://$pictures"
	aws_ cloudformation delete-stack --stack-name $stack
	status=$(settle)
	[ "$status" = gone ] || { echo "the stack is $status"; exit 1; }
	aws_ s3 rb --force "s3://$bucket" >/dev/null
	echo "The shop is gone."
	exit 0
fi

if ! answers; then
	[ "$(id -u)" = 0 ] || echo "virga does not run as root: its machines would be simulated. Start it with sudo: sudo build/virga serve"
	mkdir -p "$(dirname "$log")"
	setsid build/virga serve >"$log" 2>&1 </dev/null &
	virga=$!
	for ((i = 0; i < 100; i++)); do answers && break; sleep 0.1; done
	answers || { echo "virga did not start:"; tail -5 "$log"; exit 1; }
	echo "Started virga (process $virga, output in $log)."
fi

begun=$(date +%s.%N)
package=$(mktemp -d)
trap 'rm -rf "$package"' EXIT
python3 -m zipfile -c "$package/shop.zip" examples/three-tier/app/*.{py,html}
# The name tells what is inside, so that a changed program is a changed stack.
key=shop-$(cat examples/three-tier/app/*.{py,html} | sha256sum | cut -c1-12).zip
aws_ s3 mb "s3://$bucket" >/dev/null 2>&1 || true
aws_ s3 cp --quiet "$package/shop.zip" "s3://$bucket/$key"
what=create
[ -z "$(field StackStatus || true)" ] || what=update
said=$(aws_ cloudformation $what-stack --stack-name $stack --template-body file://examples/three-tier/template.yaml \
	--capabilities CAPABILITY_IAM --parameters ParameterKey=ArtifactBucket,ParameterValue=$bucket \
	"ParameterKey=ArtifactKey,ParameterValue=$key" 2>&1) || [[ $said == *"No updates"* ]] || { echo "$said"; exit 1; }
status=$(settle)
case $status in
CREATE_COMPLETE | UPDATE_COMPLETE) ;;
*)
	echo "The stack is $status:"
	aws_ cloudformation describe-stack-events --stack-name $stack --output text --query \
		"StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" | tail -5
	exit 1
	;;
esac
deployed=$(date +%s.%N)
# From this machine a balancer is reached by its name at virga's own port.
port=${AWS_ENDPOINT_URL##*:}
url=http://$(field "Outputs[?OutputKey=='Balancer'].OutputValue | [0]"):${port%%/*}/
for ((i = 0; i < 600; i++)); do curl -sf -o /dev/null --max-time 5 "${url}api/products" && break; sleep 0.1; done
curl -sf -o /dev/null --max-time 5 "${url}api/products" || { echo "The shop does not answer at $url"; exit 1; }
awk -v a="$begun" -v b="$deployed" -v c="$(date +%s.%N)" \
	'BEGIN { printf "Deployed in %.1f s, served after %.1f s.\n", b - a, c - a }'
cat <<END

The shop: $url

What to try next:
  curl ${url}api/about                  which servers answered, and where the database is
  virga ssh INSTANCE                    a shell on one of them (aws ec2 describe-instances)
  aws rds reboot-db-instance --db-instance-identifier … --force-failover
                                        the standby takes over: the shop goes on
  aws ec2 terminate-instances --instance-ids …
                                        the group replaces it
  make demo-down                        the end
(with AWS_ENDPOINT_URL=$AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID=test, AWS_SECRET_ACCESS_KEY=test)
END
