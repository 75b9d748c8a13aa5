// The app of cdk_test.py, synthesized twice: `node app.js FOLDER` writes FOLDER/first and FOLDER/second, which is changed.
const cdk = require('aws-cdk-lib');
const { aws_dynamodb: dynamodb, aws_ec2: ec2, aws_iam: iam, aws_s3: s3, aws_sns: sns, aws_sns_subscriptions: subscriptions, aws_sqs: sqs } = cdk;

function synthesize(outdir, changed) {
  const app = new cdk.App({ outdir, analyticsReporting: false });
  const stack = new cdk.Stack(app, 'Shop');
  const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 2, natGateways: 1 });
  const jobs = new sqs.Queue(stack, 'Jobs', { visibilityTimeout: cdk.Duration.seconds(changed ? 45 : 30) });
  const orders = new dynamodb.Table(stack, 'Orders', {
    partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING }, billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
    removalPolicy: cdk.RemovalPolicy.DESTROY,
  });
  const images = new s3.Bucket(stack, 'Images', {
    removalPolicy: cdk.RemovalPolicy.DESTROY, versioned: changed, encryption: s3.BucketEncryption.S3_MANAGED, enforceSSL: true,
  });
  const news = new sns.Topic(stack, 'News');
  news.addSubscription(new subscriptions.SqsSubscription(jobs));
  const role = new iam.Role(stack, 'App', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  orders.grantReadWriteData(role);
  images.grantRead(role);
  new ec2.SecurityGroup(stack, 'Web', { vpc }).addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(80));
  if (changed) new sqs.Queue(stack, 'More');
  new cdk.CfnOutput(stack, 'JobsUrl', { value: jobs.queueUrl });
  new cdk.CfnOutput(stack, 'VpcId', { value: vpc.vpcId });
  new cdk.CfnOutput(stack, 'ImagesName', { value: images.bucketName });
  app.synth();
}

synthesize(`${process.argv[2]}/first`, false);
synthesize(`${process.argv[2]}/second`, true);
