// The control plane of Kinesis Video with the JavaScript SDK. Usage: node
// video-control.mjs ENDPOINT; the keys are in the environment. It ends with an
// error at the first answer that is not right.
import assert from 'node:assert/strict';
import {
  CreateSignalingChannelCommand, CreateStreamCommand, DeleteEdgeConfigurationCommand, DeleteSignalingChannelCommand, DeleteStreamCommand,
  DescribeEdgeConfigurationCommand, DescribeImageGenerationConfigurationCommand, DescribeMappedResourceConfigurationCommand,
  DescribeMediaStorageConfigurationCommand, DescribeNotificationConfigurationCommand, DescribeSignalingChannelCommand,
  DescribeStreamCommand, DescribeStreamStorageConfigurationCommand, GetDataEndpointCommand, GetSignalingChannelEndpointCommand,
  KinesisVideoClient, ListEdgeAgentConfigurationsCommand, ListSignalingChannelsCommand, ListStreamsCommand, ListTagsForResourceCommand,
  ListTagsForStreamCommand, StartEdgeConfigurationUpdateCommand, TagResourceCommand, TagStreamCommand, UntagResourceCommand,
  UntagStreamCommand, UpdateDataRetentionCommand, UpdateImageGenerationConfigurationCommand, UpdateMediaStorageConfigurationCommand,
  UpdateNotificationConfigurationCommand, UpdateSignalingChannelCommand, UpdateStreamCommand, UpdateStreamStorageConfigurationCommand,
  paginateListStreams,
} from '@aws-sdk/client-kinesis-video';
import { GetIceServerConfigCommand, KinesisVideoSignalingClient, SendAlexaOfferToMasterCommand } from '@aws-sdk/client-kinesis-video-signaling';
import {
  JoinStorageSessionAsViewerCommand, JoinStorageSessionCommand, KinesisVideoWebRTCStorageClient,
} from '@aws-sdk/client-kinesis-video-webrtc-storage';

const endpoint = process.argv[2];
const options = { endpoint, region: 'us-east-1', maxAttempts: 1 };
const client = new KinesisVideoClient(options);
const send = (command) => client.send(command);

async function fails(name, command, by = client) {
  await assert.rejects(by.send(command), (e) => (assert.equal(e.name, name, e.message), assert.ok(e.message), assert.ok(e.$metadata.requestId), true));
}

async function until(what, ready) {
  for (let i = 0; i < 500; i++) {
    if (await ready()) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(what);
}

const StreamName = 'sdk-camera';
const info = async () => (await send(new DescribeStreamCommand({ StreamName }))).StreamInfo;
const active = () => until('the stream does not become active', async () => (await info()).Status === 'ACTIVE');
const CurrentVersion = async () => (await info()).Version;

async function streams() {
  const { StreamARN } = await send(new CreateStreamCommand({
    StreamName, DataRetentionInHours: 2, MediaType: 'video/h264', DeviceName: 'door', KmsKeyId: 'alias/mine', Tags: { site: 'north' },
    StreamStorageConfiguration: { DefaultStorageTier: 'HOT' },
  }));
  await active();
  const s = await info();
  assert.match(StreamARN, /^arn:aws:kinesisvideo:us-east-1:000000000000:stream\/sdk-camera\/\d{13}$/);
  assert.equal(StreamARN.split('/')[2], String(s.CreationTime.getTime()));
  assert.deepEqual([s.MediaType, s.DeviceName, s.KmsKeyId, s.DataRetentionInHours], ['video/h264', 'door', 'alias/mine', 2]);
  await fails('ResourceInUseException', new CreateStreamCommand({ StreamName }));
  await fails('ResourceNotFoundException', new DescribeStreamCommand({ StreamName: 'nosuch' }));
  await fails('InvalidArgumentException', new DescribeStreamCommand({}));
  await fails('ValidationException', new DescribeStreamCommand({ StreamName: 'no such' }));

  await send(new UpdateStreamCommand({ StreamARN, CurrentVersion: s.Version, MediaType: 'video/h265' }));
  await active();
  assert.equal((await info()).MediaType, 'video/h265');
  await fails('VersionMismatchException', new UpdateStreamCommand({ StreamName, CurrentVersion: s.Version, DeviceName: 'gate' }));

  const retention = async (Operation, DataRetentionChangeInHours) => {
    await send(new UpdateDataRetentionCommand({ StreamName, CurrentVersion: await CurrentVersion(), Operation, DataRetentionChangeInHours }));
    await active();
    return (await info()).DataRetentionInHours;
  };
  assert.equal(await retention('INCREASE_DATA_RETENTION', 10), 12);
  assert.equal(await retention('DECREASE_DATA_RETENTION', 11), 1);

  await send(new UpdateStreamStorageConfigurationCommand({
    StreamName, CurrentVersion: await CurrentVersion(), StreamStorageConfiguration: { DefaultStorageTier: 'WARM' },
  }));
  await active();
  const tier = await send(new DescribeStreamStorageConfigurationCommand({ StreamARN }));
  assert.equal(tier.StreamStorageConfiguration.DefaultStorageTier, 'WARM');

  await send(new TagStreamCommand({ StreamName, Tags: { site: 'south', floor: '2' } }));
  await send(new UntagStreamCommand({ StreamARN, TagKeyList: ['floor'] }));
  assert.deepEqual((await send(new ListTagsForStreamCommand({ StreamName }))).Tags, { site: 'south' });

  const { DataEndpoint } = await send(new GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' }));
  assert.equal(DataEndpoint, endpoint);
  return StreamARN;
}

async function lists() {
  for (const n of ['sdk-list-1', 'sdk-list-2', 'sdk-list-3']) await send(new CreateStreamCommand({ StreamName: n }));
  const names = [];
  const StreamNameCondition = { ComparisonOperator: 'BEGINS_WITH', ComparisonValue: 'sdk-list' };
  for await (const page of paginateListStreams({ client, pageSize: 2 }, { StreamNameCondition })) {
    assert.ok(page.StreamInfoList.length <= 2);
    names.push(...page.StreamInfoList.map((s) => s.StreamName));
  }
  assert.deepEqual(names, ['sdk-list-1', 'sdk-list-2', 'sdk-list-3']);
  await fails('InvalidArgumentException', new ListStreamsCommand({ NextToken: 'abcd' }));
}

async function configurations(StreamARN) {
  const Uri = 'https://hooks.example/fragments';
  await send(new UpdateNotificationConfigurationCommand({ StreamName, NotificationConfiguration: { Status: 'ENABLED', DestinationConfig: { Uri } } }));
  const got = await send(new DescribeNotificationConfigurationCommand({ StreamARN }));
  assert.deepEqual(got.NotificationConfiguration, { Status: 'ENABLED', DestinationConfig: { Uri } });
  await send(new UpdateNotificationConfigurationCommand({ StreamName }));
  assert.equal((await send(new DescribeNotificationConfigurationCommand({ StreamARN }))).NotificationConfiguration, undefined);

  const ImageGenerationConfiguration = {
    Status: 'ENABLED', ImageSelectorType: 'PRODUCER_TIMESTAMP', DestinationConfig: { Uri: 's3://images/x', DestinationRegion: 'us-east-1' },
    SamplingInterval: 3000, Format: 'JPEG', FormatConfig: { JPEGQuality: '80' }, WidthPixels: 320,
  };
  await send(new UpdateImageGenerationConfigurationCommand({ StreamName, ImageGenerationConfiguration }));
  assert.deepEqual((await send(new DescribeImageGenerationConfigurationCommand({ StreamName }))).ImageGenerationConfiguration, ImageGenerationConfiguration);
  await fails('NoDataRetentionException', new UpdateImageGenerationConfigurationCommand({ StreamName: 'sdk-list-1', ImageGenerationConfiguration }));

  const HubDeviceArn = 'arn:aws:iot:us-east-1:000000000000:thing/hub';
  const EdgeConfig = {
    HubDeviceArn,
    RecorderConfig: { MediaSourceConfig: { MediaUriSecretArn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:camera', MediaUriType: 'RTSP_URI' } },
    UploaderConfig: { ScheduleConfig: { ScheduleExpression: '0 0 9-17 ? * MON-FRI', DurationInSeconds: 3600 } },
  };
  await fails('StreamEdgeConfigurationNotFoundException', new DescribeEdgeConfigurationCommand({ StreamName }));
  assert.equal((await send(new StartEdgeConfigurationUpdateCommand({ StreamName, EdgeConfig }))).SyncStatus, 'SYNCING');
  const edge = await send(new DescribeEdgeConfigurationCommand({ StreamName }));
  assert.equal(edge.SyncStatus, 'SYNC_FAILED');
  assert.deepEqual(edge.EdgeConfig, EdgeConfig);
  assert.equal((await send(new ListEdgeAgentConfigurationsCommand({ HubDeviceArn }))).EdgeConfigs[0].StreamARN, StreamARN);
  await send(new DeleteEdgeConfigurationCommand({ StreamName }));
}

async function channels(StreamARN) {
  const { ChannelARN } = await send(new CreateSignalingChannelCommand({
    ChannelName: 'bell', SingleMasterConfiguration: { MessageTtlSeconds: 30 }, Tags: [{ Key: 'site', Value: 'north' }],
  }));
  const channel = async () => (await send(new DescribeSignalingChannelCommand({ ChannelARN }))).ChannelInfo;
  const ready = () => until('the channel does not become active', async () => (await channel()).ChannelStatus === 'ACTIVE');
  await ready();
  await send(new UpdateSignalingChannelCommand({
    ChannelARN, CurrentVersion: (await channel()).Version, SingleMasterConfiguration: { MessageTtlSeconds: 90 },
  }));
  await ready();
  assert.equal((await channel()).SingleMasterConfiguration.MessageTtlSeconds, 90);
  assert.equal((await send(new ListSignalingChannelsCommand({}))).ChannelInfoList.length, 1);
  await send(new TagResourceCommand({ ResourceARN: ChannelARN, Tags: [{ Key: 'floor', Value: '2' }] }));
  await send(new UntagResourceCommand({ ResourceARN: ChannelARN, TagKeyList: ['site'] }));
  assert.deepEqual((await send(new ListTagsForResourceCommand({ ResourceARN: ChannelARN }))).Tags, { floor: '2' });

  const endpoints = (Protocols) => new GetSignalingChannelEndpointCommand({
    ChannelARN, SingleMasterChannelEndpointConfiguration: { Protocols, Role: 'MASTER' },
  });
  await fails('InvalidArgumentException', endpoints(['WEBRTC']));
  await send(new UpdateMediaStorageConfigurationCommand({ ChannelARN, MediaStorageConfiguration: { StreamARN, Status: 'ENABLED' } }));
  assert.equal((await send(new DescribeMediaStorageConfigurationCommand({ ChannelARN }))).MediaStorageConfiguration.StreamARN, StreamARN);
  const mapped = await send(new DescribeMappedResourceConfigurationCommand({ StreamName }));
  assert.equal(mapped.MappedResourceConfigurationList[0].ARN, ChannelARN);
  const addresses = (await send(endpoints(['WSS', 'HTTPS', 'WEBRTC']))).ResourceEndpointList;
  assert.deepEqual(addresses.map((e) => e.Protocol), ['WSS', 'HTTPS', 'WEBRTC']);
  assert.equal(new URL(addresses[0].ResourceEndpoint).host, new URL(endpoint).host);
  await peers(ChannelARN);
  await send(new UpdateMediaStorageConfigurationCommand({ ChannelARN, MediaStorageConfiguration: { Status: 'DISABLED' } }));
  await fails('InvalidArgumentException', new JoinStorageSessionCommand({ channelArn: ChannelARN }), new KinesisVideoWebRTCStorageClient(options));
  await fails('VersionMismatchException', new DeleteSignalingChannelCommand({ ChannelARN, CurrentVersion: 'other' }));
  await send(new DeleteSignalingChannelCommand({ ChannelARN, CurrentVersion: (await channel()).Version }));
  await until('the channel stays', async () => channel().then(() => false, (e) => e.name === 'ResourceNotFoundException'));
}

// peers asks for what WebRTC peers ask; the channel stores its media.
async function peers(ChannelARN) {
  const signaling = new KinesisVideoSignalingClient(options);
  const ice = async (input) => (await signaling.send(new GetIceServerConfigCommand({ ChannelARN, ...input }))).IceServerList;
  const [server] = await ice({ ClientId: 'me', Service: 'TURN' });
  assert.equal(server.Ttl, 300);
  assert.ok(server.Uris.some((u) => u.startsWith('stun:')) && server.Uris.some((u) => u.endsWith('transport=tcp')), server.Uris);
  for (const text of [server.Username, server.Password]) assert.match(text, /^[a-zA-Z0-9_.-]{1,256}$/);
  assert.notEqual((await ice({ Username: 'other' }))[0].Password, server.Password);
  await fails('InvalidClientException', new GetIceServerConfigCommand({ ChannelARN, ClientId: 'AWS_me' }), signaling);
  await fails('ResourceNotFoundException', new GetIceServerConfigCommand({ ChannelARN: ChannelARN + '0' }), signaling);
  await fails('InvalidArgumentException', new SendAlexaOfferToMasterCommand({ ChannelARN, SenderClientId: 'a', MessagePayload: 'e30=' }), signaling);
  const storage = new KinesisVideoWebRTCStorageClient(options);
  await storage.send(new JoinStorageSessionCommand({ channelArn: ChannelARN }));
  await storage.send(new JoinStorageSessionCommand({ channelArn: ChannelARN }));
  await fails('ResourceNotFoundException', new JoinStorageSessionCommand({ channelArn: ChannelARN + '0' }), storage);
  await storage.send(new JoinStorageSessionAsViewerCommand({ channelArn: ChannelARN, clientId: 'me' }));
  await fails('InvalidArgumentException', new JoinStorageSessionAsViewerCommand({ channelArn: ChannelARN, clientId: 'AWS_me' }), storage);
}

async function removal(StreamARN) {
  await fails('VersionMismatchException', new DeleteStreamCommand({ StreamARN, CurrentVersion: 'other' }));
  await send(new DeleteStreamCommand({ StreamARN, CurrentVersion: await CurrentVersion() }));
  await until('the stream stays', async () => info().then(() => false, (e) => e.name === 'ResourceNotFoundException'));
}

const StreamARN = await streams();
await lists();
await configurations(StreamARN);
await channels(StreamARN);
await removal(StreamARN);
