"""The agent in an instance ships its system log, and a file of its own, to CloudWatch Logs: as the instance's role, through the VPC's
endpoint, over a reboot. Needs root; starts one machine."""
import json
import os
import time
import unittest

from botocore.exceptions import ClientError

from virga import Virga, wait_until

NEEDS_BOTO3 = (1, 40)
CONFIG = {"logs": {"force_flush_interval": 1, "logs_collected": {"files": {"collect_list": [
    {"file_path": "/var/log/syslog", "log_group_name": "system", "log_stream_name": "{instance_id}", "retention_in_days": 7},
    {"file_path": "/var/log/app/*.log", "log_group_name": "app", "log_stream_name": "{hostname}"}]}}}}
USER_DATA = """#!/bin/sh
mkdir -p /var/log/app
echo 'the first line' > /var/log/app/web.log
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c ssm:AmazonCloudWatch-web
echo "the agent was started"
"""


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Agent(unittest.TestCase):
    def test_agent(self):
        v = Virga().start()
        self.addCleanup(v.close)
        ec2, iam, logs, ssm = (v.client(s) for s in ("ec2", "iam", "logs", "ssm"))
        ssm.put_parameter(Name="AmazonCloudWatch-web", Type="String", Value=json.dumps(CONFIG))
        iam.create_role(RoleName="agent", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}))
        iam.put_role_policy(RoleName="agent", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:PutRetentionPolicy",
                                          "ssm:GetParameter"], "Resource": "*"}}))
        iam.create_instance_profile(InstanceProfileName="agent")
        iam.add_role_to_instance_profile(InstanceProfileName="agent", RoleName="agent")
        subnet = ec2.describe_subnets()["Subnets"][0]
        for service in ("logs", "ssm"):
            ec2.create_vpc_endpoint(VpcId=subnet["VpcId"], VpcEndpointType="Interface", ServiceName=f"com.amazonaws.us-east-1.{service}",
                                    SubnetIds=[subnet["SubnetId"]], PrivateDnsEnabled=True)
        image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        i = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet["SubnetId"], UserData=USER_DATA,
                              IamInstanceProfile={"Name": "agent"})["Instances"][0]["InstanceId"]
        described = lambda: ec2.describe_instances(InstanceIds=[i])["Reservations"][0]["Instances"][0]
        self.assertTrue(wait_until(lambda: described()["State"]["Name"] == "running", 240, 0.2))
        if "StateReason" in described():
            self.skipTest(described()["StateReason"]["Message"])

        def messages(group):
            try:
                return [e["message"] for e in logs.filter_log_events(logGroupName=group)["events"]]
            except ClientError:
                return []

        def arrives(group, text):
            end = time.monotonic() + 120
            while not any(text in m for m in messages(group)):
                self.assertLess(time.monotonic(), end, (group, text, messages(group), ec2.get_console_output(InstanceId=i, Latest=True)))
                time.sleep(0.5)
        arrives("app", "the first line")
        arrives("system", f"machine {i}, boot 1")
        arrives("system", "the agent was started")
        self.assertEqual([s["logStreamName"] for s in logs.describe_log_streams(logGroupName="system")["logStreams"]], [i])
        self.assertEqual(logs.describe_log_groups(logGroupNamePrefix="system")["logGroups"][0]["retentionInDays"], 7)
        ec2.reboot_instances(InstanceIds=[i])
        arrives("system", f"machine {i}, boot 2")
        self.assertEqual(sum("the first line" in m for m in messages("app")), 1)  # once, over a reboot
        ec2.terminate_instances(InstanceIds=[i])
        self.assertTrue(wait_until(lambda: described()["State"]["Name"] == "terminated", 60, 0.2))


if __name__ == "__main__":
    unittest.main()
