// The app of cdk_whole_test.py: what an ordinary application has, in one stack. `node whole.js FOLDER` writes FOLDER/first and
// FOLDER/second, which is changed.
const cdk = require('aws-cdk-lib');
const { aws_autoscaling: autoscaling, aws_dynamodb: dynamodb, aws_ec2: ec2, aws_elasticloadbalancingv2: elb, aws_rds: rds, aws_s3: s3, aws_sqs: sqs } = cdk;

function synthesize(outdir, changed) {
  const app = new cdk.App({ outdir, analyticsReporting: false });
  const stack = new cdk.Stack(app, 'Whole', {
    synthesizer: new cdk.LegacyStackSynthesizer(), tags: { stage: changed ? 'two' : 'one' },
  });
  const vpc = new ec2.Vpc(stack, 'Vpc', {
    maxAzs: 2, natGateways: 0,
    subnetConfiguration: [
      { name: 'public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24 }, { name: 'data', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
    ],
  });
  const news = new cdk.aws_sns.Topic(stack, 'News');
  news.addSubscription(new cdk.aws_sns_subscriptions.SqsSubscription(new sqs.Queue(stack, 'Letters')));
  const data = { vpc, vpcSubnets: { subnetGroupName: 'data' }, removalPolicy: cdk.RemovalPolicy.DESTROY, deletionProtection: false };
  const jobs = new sqs.Queue(stack, 'Jobs', { visibilityTimeout: cdk.Duration.seconds(changed ? 45 : 30) });
  const orders = new dynamodb.Table(stack, 'Orders', {
    partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING }, billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
    removalPolicy: cdk.RemovalPolicy.DESTROY, timeToLiveAttribute: changed ? 'until' : undefined,
  });
  const images = new s3.Bucket(stack, 'Images', { removalPolicy: cdk.RemovalPolicy.DESTROY, encryption: s3.BucketEncryption.S3_MANAGED, enforceSSL: true, versioned: changed });
  const database = new rds.DatabaseInstance(stack, 'Database', {
    ...data, databaseName: 'shop', allocatedStorage: changed ? 30 : 20, engine: rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.VER_15 }),
    instanceType: ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO), backupRetention: cdk.Duration.days(0),
    credentials: rds.Credentials.fromGeneratedSecret('shop'),
  });
  const medium = { instanceType: ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MEDIUM) };
  const cluster = new rds.DatabaseCluster(stack, 'Cluster', {
    ...data, defaultDatabaseName: 'shop', engine: rds.DatabaseClusterEngine.auroraPostgres({ version: rds.AuroraPostgresEngineVersion.of('15.4', '15') }),
    writer: rds.ClusterInstance.provisioned('Writer', medium),
    readers: changed ? [rds.ClusterInstance.provisioned('Reader', medium)] : [],
    credentials: rds.Credentials.fromGeneratedSecret('shop'),
    parameters: { work_mem: changed ? '16384' : '8192' },
  });
  const role = new cdk.aws_iam.Role(stack, 'Role', { assumedBy: new cdk.aws_iam.ServicePrincipal('ec2.amazonaws.com') });
  orders.grantReadWriteData(role);
  images.grantRead(role);
  const balancer = new elb.ApplicationLoadBalancer(stack, 'Balancer', { vpc, internetFacing: true });
  const group = new autoscaling.AutoScalingGroup(stack, 'Servers', {
    vpc, vpcSubnets: { subnetGroupName: 'public' }, minCapacity: 1, maxCapacity: changed ? 3 : 2,
    launchTemplate: new ec2.LaunchTemplate(stack, 'Template', {
      machineImage: ec2.MachineImage.fromSsmParameter('/aws/service/debian/release/12/latest/amd64'), instanceType: new ec2.InstanceType('t3.small'),
      securityGroup: new ec2.SecurityGroup(stack, 'Server', { vpc }), requireImdsv2: true,
      role,
    }),
  });
  group.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: changed ? 50 : 60 });
  balancer.addListener('Http', { port: 80 }).addTargets('Targets', { port: 80, targets: [group], deregistrationDelay: cdk.Duration.seconds(1) });
  database.connections.allowDefaultPortFrom(group);
  cluster.connections.allowDefaultPortFrom(group);
  const outputs = {
    JobsUrl: jobs.queueUrl, OrdersName: orders.tableName, ImagesName: images.bucketName, DatabaseName: database.instanceIdentifier,
    ClusterName: cluster.clusterIdentifier, Writer: cluster.clusterEndpoint.hostname, GroupName: group.autoScalingGroupName, Name: balancer.loadBalancerDnsName,
  };
  for (const [name, value] of Object.entries(outputs)) new cdk.CfnOutput(stack, name, { value });
  app.synth();
}

synthesize(`${process.argv[2]}/first`, false);
synthesize(`${process.argv[2]}/second`, true);
