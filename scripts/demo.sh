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
# CloudFormation is asked by curl, which signs as the CLI does, without the second that each start of the CLI takes.
cfn() { # ACTION [NAME=VALUE | NAME@FILE]...
	local action=$1 fields=()
	shift
	for field in "$@"; do fields+=(--data-urlencode "$field"); done
	curl -s --fail-with-body --aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:cloudformation" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
		"$AWS_ENDPOINT_URL/" --data "Action=$action" --data Version=2010-05-15 --data StackName=$stack ${fields[@]+"${fields[@]}"}
}
stack_status() { cfn DescribeStacks | sed -n 's:.*<StackStatus>\([A-Z_]*\)</StackStatus>.*:\1:p'; }
output() { cfn DescribeStacks | sed 's:<member>:\n&:g' | sed -n "s:.*<OutputKey>$1</OutputKey>.*<OutputValue>\([^<]*\)</OutputValue>.*:\1:p;s:.*<OutputValue>\([^<]*\)</OutputValue>.*<OutputKey>$1</OutputKey>.*:\1:p"; }
answers() { curl -sf -o /dev/null --max-time 5 "$AWS_ENDPOINT_URL/_localstack/health"; }

settle() { # until the stack's operation has ended
	local status
	while status=$(stack_status) && [[ $status == *_IN_PROGRESS ]]; do sleep 0.1; done
	echo "${status:-gone}"
}

if [ "${1:-up}" = down ]; then
	[ -n "$(stack_status)" ] || { echo "There is no shop."; exit 1; }
	pictures=$(output PicturesBucket)
	[ -z "$pictures" ] || aws_ s3 rm --quiet --recursive "s3://$pictures"
	cfn DeleteStack >/dev/null
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
what=Create
[ -z "$(stack_status)" ] || what=Update
said=$(cfn ${what}Stack TemplateBody@examples/three-tier/template.yaml Capabilities.member.1=CAPABILITY_IAM \
	Parameters.member.1.ParameterKey=ArtifactBucket Parameters.member.1.ParameterValue=$bucket \
	Parameters.member.2.ParameterKey=ArtifactKey "Parameters.member.2.ParameterValue=$key") ||
	[[ $said == *"No updates"* ]] || { echo "$said"; exit 1; }
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
url=http://$(output Balancer):${port%%/*}/
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
