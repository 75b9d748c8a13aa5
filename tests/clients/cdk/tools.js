// The apps of cdk_tools_test.py, cdk_rollback_test.py and cdk_test.py. `node tools.js FOLDER` writes FOLDER/first, FOLDER/failing (a queue that cannot be
// made), FOLDER/taken (whose bucket is there already), all of which need no bootstrap, and FOLDER/one and FOLDER/two with an asset each.
const fs = require('fs');
const cdk = require('aws-cdk-lib');
const { aws_s3: s3, aws_s3_assets: assets, aws_sqs: sqs } = cdk;
const folder = process.argv[2];

function write(name, stackName, fill, props) {
  const app = new cdk.App({ outdir: `${folder}/${name}`, analyticsReporting: false });
  fill(new cdk.Stack(app, stackName, props));
  app.synth();
}

const bare = () => ({ synthesizer: new cdk.LegacyStackSynthesizer() });
const tools = (failing) => (stack) => {
  const jobs = new sqs.Queue(stack, 'Jobs', { visibilityTimeout: cdk.Duration.seconds(failing ? 60 : 30) });
  if (failing) new sqs.CfnQueue(stack, 'Bad', { queueName: 'not-by-its-name', fifoQueue: true }).addDependency(jobs.node.defaultChild);
  new cdk.CfnOutput(stack, 'JobsUrl', { value: jobs.queueUrl });
};
write('first', 'Tools', tools(false), bare());
write('failing', 'Tools', tools(true), bare());
write('taken', 'Taken', (stack) => new s3.Bucket(stack, 'Images', { bucketName: 'was-here-before', versioned: true }), bare());
for (const text of ['one', 'two']) {
  write(text, 'Assets', (stack) => {
    fs.writeFileSync(`${folder}/asset.txt`, text);
    const asset = new assets.Asset(stack, 'Asset', { path: `${folder}/asset.txt` });
    new sqs.Queue(stack, 'Jobs');
    new cdk.CfnOutput(stack, 'Key', { value: asset.s3ObjectKey });
    new cdk.CfnOutput(stack, 'Bucket', { value: asset.s3BucketName });
  });
}
