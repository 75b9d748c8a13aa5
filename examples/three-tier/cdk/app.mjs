// The shop of ../template.yaml as a CDK app.
//
//     npm install && npx cdk bootstrap && npx cdk deploy
//
// with AWS_ENDPOINT_URL=https://127.0.0.1:4566 (CDK's buckets refuse plain http), AWS_CA_BUNDLE and NODE_EXTRA_CA_CERTS a file
// with what `virga ca` prints, AWS_ACCESS_KEY_ID=test, AWS_SECRET_ACCESS_KEY=test, AWS_REGION=us-east-1.
import { App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as rds from 'aws-cdk-lib/aws-rds'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'
import { fileURLToPath } from 'node:url'

class Shop extends Stack {
  constructor(scope, id, props) {
    super(scope, id, props)
    const subnet = (name, subnetType) => ({ name, subnetType, cidrMask: 24 })
    const vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: 2,
      subnetConfiguration: [
        subnet('public', ec2.SubnetType.PUBLIC),
        subnet('web', ec2.SubnetType.PRIVATE_WITH_EGRESS),
        subnet('application', ec2.SubnetType.PRIVATE_WITH_EGRESS),
        subnet('database', ec2.SubnetType.PRIVATE_ISOLATED),
      ],
      gatewayEndpoints: { s3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    })
    const program = new Asset(this, 'Program', { path: fileURLToPath(new URL('../app', import.meta.url)), exclude: ['__pycache__'] })
    const pictures = new s3.Bucket(this, 'Pictures', {
      encryption: s3.BucketEncryption.S3_MANAGED, blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL, removalPolicy: RemovalPolicy.DESTROY,
    })
    const database = new rds.DatabaseInstance(this, 'Database', {
      vpc, vpcSubnets: { subnetGroupName: 'database' }, multiAz: true, databaseName: 'shop', allocatedStorage: 20,
      engine: rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.VER_15 }),
      instanceType: ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO),
      credentials: rds.Credentials.fromGeneratedSecret('shop', { excludeCharacters: '"@/\\ \'' }),
      removalPolicy: RemovalPolicy.DESTROY, deletionProtection: false, backupRetention: Duration.days(0),
    })
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') })
    program.grantRead(role)
    pictures.grantReadWrite(role, 'pictures/*')
    database.secret.grantRead(role)

    const tier = (name, port, internetFacing, run) => {
      const balancer = new elb.ApplicationLoadBalancer(this, name + 'Balancer', {
        vpc, internetFacing, vpcSubnets: { subnetGroupName: internetFacing ? 'public' : name },
      })
      const userData = ec2.UserData.forLinux()
      userData.addCommands('set -eu', 'mkdir -p /opt/shop && cd /opt/shop', 'M=http://169.254.169.254/latest',
        "T=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' $M/api/token)",
        'get() { curl -sf -H "X-aws-ec2-metadata-token: $T" $M/meta-data/iam/security-credentials/$1; }',
        `value() { sed -n 's/.*"'$1'" *: *"\\([^"]*\\)".*/\\1/p' keys; }`,
        `get "$(get '')" | tr ',' '\\n' > keys`,
        `curl -sf --retry 10 --retry-all-errors --aws-sigv4 aws:amz:${this.region}:s3 --user "$(value AccessKeyId):$(value SecretAccessKey)" ` +
        `-H "x-amz-security-token: $(value Token)" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -o shop.zip ` +
        `https://${program.s3BucketName}.s3.${this.region}.amazonaws.com/${program.s3ObjectKey}`,
        'rm keys && python3 -m zipfile -e shop.zip .', `${run} > /var/log/shop.log 2>&1 &`)
      const group = new autoscaling.AutoScalingGroup(this, name + 'Servers', {
        vpc, vpcSubnets: { subnetGroupName: name }, minCapacity: 2, maxCapacity: 4,
        launchTemplate: new ec2.LaunchTemplate(this, name + 'Template', {
          machineImage: ec2.MachineImage.fromSsmParameter('/aws/service/debian/release/12/latest/amd64'),
          instanceType: new ec2.InstanceType('t3.small'), role, userData, requireImdsv2: true,
          securityGroup: new ec2.SecurityGroup(this, name + 'Group', { vpc }),
        }),
        healthChecks: autoscaling.HealthChecks.withAdditionalChecks({
          gracePeriod: Duration.seconds(60), additionalTypes: [autoscaling.AdditionalHealthCheckType.ELB],
        }),
        updatePolicy: autoscaling.UpdatePolicy.rollingUpdate({ minInstancesInService: 1 }),
      })
      group.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60 })
      balancer.addListener('Http', { port: 80, open: internetFacing }).addTargets('Targets', {
        port, protocol: elb.ApplicationProtocol.HTTP, targets: [group], deregistrationDelay: Duration.seconds(2),
        healthCheck: { path: '/health', interval: Duration.seconds(5), timeout: Duration.seconds(2), healthyThresholdCount: 2, unhealthyThresholdCount: 2 },
      })
      return { balancer, group }
    }
    const application = tier('application', 8080, false,
      `PORT=8080 AWS_REGION=${this.region} BUCKET=${pictures.bucketName} DB_SECRET=${database.secret.secretArn} ` +
      `DB_HOST=${database.dbInstanceEndpointAddress} DB_PORT=${database.dbInstanceEndpointPort} setsid python3 shop.py`)
    const web = tier('web', 80, true, `PORT=80 APPLICATION=http://${application.balancer.loadBalancerDnsName} setsid python3 web.py`)
    application.balancer.connections.allowFrom(web.group, ec2.Port.tcp(80))
    database.connections.allowDefaultPortFrom(application.group)
    new CfnOutput(this, 'Url', { value: `http://${web.balancer.loadBalancerDnsName}/` })
  }
}

new Shop(new App(), 'ShopCdk')
