// An offer to the master of a channel with the JavaScript SDK. Usage: node
// video-alexa.mjs ENDPOINT; the keys are in the environment, and the channel
// «alexa» has a master, which the test is.
import assert from 'node:assert/strict';
import { DescribeSignalingChannelCommand, KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { KinesisVideoSignalingClient, SendAlexaOfferToMasterCommand } from '@aws-sdk/client-kinesis-video-signaling';

const options = { endpoint: process.argv[2], region: 'us-east-1', maxAttempts: 1 };
const { ChannelInfo } = await new KinesisVideoClient(options).send(new DescribeSignalingChannelCommand({ ChannelName: 'alexa' }));
const { Answer } = await new KinesisVideoSignalingClient(options).send(new SendAlexaOfferToMasterCommand({
  ChannelARN: ChannelInfo.ChannelARN, SenderClientId: 'echo', MessagePayload: Buffer.from('offer').toString('base64'),
}));
assert.equal(JSON.parse(Buffer.from(Answer, 'base64')), 'answer');
