// What goes out of Kinesis Video, with the JavaScript SDK. Usage: node
// video-playback.mjs ENDPOINT; the keys are in the environment. The stream
// sdk-played has four fragments that came a moment ago. It ends with an error
// at the first answer that is not right.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetDataEndpointCommand, KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import {
  GetClipCommand, GetDASHStreamingSessionURLCommand, GetHLSStreamingSessionURLCommand, GetImagesCommand,
  GetMediaForFragmentListCommand, KinesisVideoArchivedMediaClient, ListFragmentsCommand, paginateListFragments,
} from '@aws-sdk/client-kinesis-video-archived-media';
import { GetMediaCommand, KinesisVideoMediaClient } from '@aws-sdk/client-kinesis-video-media';

const options = { endpoint: process.argv[2], region: 'us-east-1', maxAttempts: 1 };
const StreamName = 'sdk-played';
const control = new KinesisVideoClient(options);
const at = async (APIName) => (await control.send(new GetDataEndpointCommand({ StreamName, APIName }))).DataEndpoint;
const archived = new KinesisVideoArchivedMediaClient({ ...options, endpoint: await at('LIST_FRAGMENTS') });
const media = new KinesisVideoMediaClient({ ...options, endpoint: await at('GET_MEDIA') });

async function fails(name, command, by = archived) {
  await assert.rejects(by.send(command), (e) => (assert.equal(e.name, name, e.message), assert.ok(e.message), true));
}

const day = (type, key = 'TimestampRange') => ({
  FragmentSelectorType: type,
  [key]: { StartTimestamp: new Date(Date.now() - 3600e3), EndTimestamp: new Date(Date.now() + 3600e3) },
});

// lists returns the fragments, which both clocks find.
async function lists() {
  const all = [];
  for await (const page of paginateListFragments({ client: archived, pageSize: 3 }, { StreamName, FragmentSelector: day('SERVER_TIMESTAMP') })) {
    all.push(...page.Fragments);
  }
  assert.equal(all.length, 4);
  const times = all.map((f) => f.ProducerTimestamp.getTime());
  const { Fragments, NextToken } = await archived.send(new ListFragmentsCommand({
    StreamName, MaxResults: 1000,
    FragmentSelector: {
      FragmentSelectorType: 'PRODUCER_TIMESTAMP',
      TimestampRange: { StartTimestamp: new Date(Math.min(...times)), EndTimestamp: new Date(Math.max(...times)) },
    },
  }));
  assert.equal(NextToken, undefined);
  assert.deepEqual(Fragments.map((f) => f.FragmentNumber).sort(), all.map((f) => f.FragmentNumber).sort());
  for (const f of all) assert.ok(f.FragmentSizeInBytes > 1000 && f.FragmentLengthInMilliseconds > 500, JSON.stringify(f));
  await fails('InvalidArgumentException', new ListFragmentsCommand({ StreamName, NextToken: 'nonsense' }));
  await fails('ResourceNotFoundException', new ListFragmentsCommand({ StreamName: 'nosuch', FragmentSelector: day('SERVER_TIMESTAMP') }));
  return all.sort((a, b) => (a.FragmentNumber < b.FragmentNumber ? -1 : 1));
}

// until reads an endless answer until a text has come so many times.
async function until(payload, text, times) {
  let all = Buffer.alloc(0);
  for await (const part of payload) {
    all = Buffer.concat([all, part]);
    if (all.toString('latin1').split(text).length > times) break;
  }
  return all.toString('latin1');
}

async function streams(fragments) {
  const answer = await media.send(new GetMediaCommand({ StreamName, StartSelector: { StartSelectorType: 'EARLIEST' } }));
  assert.equal(answer.ContentType, 'video/webm');
  const text = await until(answer.Payload, 'AWS_KINESISVIDEO_CONTINUATION_TOKEN', 4);
  for (const f of fragments) assert.ok(text.includes(f.FragmentNumber), f.FragmentNumber);
  const rest = await media.send(new GetMediaCommand({
    StreamName, StartSelector: { StartSelectorType: 'FRAGMENT_NUMBER', AfterFragmentNumber: fragments[2].FragmentNumber },
  }));
  assert.ok(!(await until(rest.Payload, 'AWS_KINESISVIDEO_CONTINUATION_TOKEN', 1)).includes(fragments[2].FragmentNumber));
  await fails('ResourceNotFoundException', new GetMediaCommand({ StreamName: 'nosuch', StartSelector: { StartSelectorType: 'NOW' } }), media);
  await fails('InvalidArgumentException', new GetMediaCommand({ StreamName, StartSelector: { StartSelectorType: 'SERVER_TIMESTAMP' } }), media);

  const list = await archived.send(new GetMediaForFragmentListCommand({
    StreamName, Fragments: [fragments[3].FragmentNumber, fragments[1].FragmentNumber],
  }));
  const bytes = Buffer.from(await list.Payload.transformToByteArray()).toString('latin1');
  assert.ok(bytes.indexOf(fragments[3].FragmentNumber) < bytes.indexOf(fragments[1].FragmentNumber));
  assert.ok(bytes.includes('AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP'));
  await fails('ResourceNotFoundException', new GetMediaForFragmentListCommand({ StreamName, Fragments: [fragments[0].FragmentNumber.replace(/.$/, (d) => (d === '1' ? '2' : '1'))] }));
}

async function read(address, type) {
  const answer = await fetch(address);
  assert.equal(answer.status, 200, `${address} ${await answer.clone().text()}`);
  assert.equal(answer.headers.get('content-type'), type);
  return answer.text();
}

async function sessions() {
  const PlaybackMode = 'ON_DEMAND';
  for (const type of ['SERVER_TIMESTAMP']) {
    const { HLSStreamingSessionURL } = await archived.send(new GetHLSStreamingSessionURLCommand({
      StreamName, PlaybackMode, HLSFragmentSelector: day(type), Expires: 300,
    }));
    const master = await read(HLSStreamingSessionURL, 'application/vnd.apple.mpegurl');
    const playlist = await read(new URL(master.trim().split('\n').at(-1), HLSStreamingSessionURL), 'application/vnd.apple.mpegurl');
    assert.equal(playlist.match(/^getMP4MediaFragment/gm).length, 4, playlist);
    await read(new URL(playlist.match(/^getMP4MediaFragment.*/m)[0], HLSStreamingSessionURL), 'video/mp4');
    const { DASHStreamingSessionURL } = await archived.send(new GetDASHStreamingSessionURLCommand({
      StreamName, PlaybackMode, DASHFragmentSelector: day(type), DisplayFragmentNumber: 'ALWAYS',
    }));
    assert.match(await read(DASHStreamingSessionURL, 'application/dash+xml'), /kvs:fn="\d{47}"/);
  }
  const { HLSStreamingSessionURL } = await archived.send(new GetHLSStreamingSessionURLCommand({ StreamName }));
  assert.match(HLSStreamingSessionURL, /\/hls\/v1\/getHLSMasterPlaylist\.m3u8\?SessionToken=[\w-]+$/);
  assert.equal((await fetch(HLSStreamingSessionURL + 'x')).status, 403);
  await fails('InvalidArgumentException', new GetHLSStreamingSessionURLCommand({ StreamName, PlaybackMode }));
  await fails('InvalidArgumentException', new GetDASHStreamingSessionURLCommand({ StreamName, PlaybackMode: 'LIVE_REPLAY' }));
}

async function clips() {
  const answer = await archived.send(new GetClipCommand({ StreamName, ClipFragmentSelector: day('SERVER_TIMESTAMP') }));
  assert.equal(answer.ContentType, 'video/mp4');
  const dir = mkdtempSync(join(tmpdir(), 'clip-'));
  try {
    const file = join(dir, 'clip.mp4');
    writeFileSync(file, await answer.Payload.transformToByteArray());
    const seen = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-count_frames', '-show_streams', '-of', 'json', file]));
    const video = seen.streams.find((s) => s.codec_type === 'video');
    assert.equal(video.codec_name, 'h264');
    assert.ok(Number(video.nb_read_frames) > 50 && Number(video.duration) > 3, JSON.stringify(video));
    assert.ok(seen.streams.some((s) => s.codec_name === 'aac'));
  } finally {
    rmSync(dir, { recursive: true });
  }
  const StartTimestamp = new Date(1e12), EndTimestamp = new Date(1e12 + 1000);
  await fails('ResourceNotFoundException', new GetClipCommand({
    StreamName, ClipFragmentSelector: { FragmentSelectorType: 'SERVER_TIMESTAMP', TimestampRange: { StartTimestamp, EndTimestamp } },
  }));
  await fails('InvalidArgumentException', new GetImagesCommand({
    StreamName, ImageSelectorType: 'SERVER_TIMESTAMP', StartTimestamp, EndTimestamp, Format: 'JPEG',
  }));
}

const fragments = await lists();
await streams(fragments);
await sessions();
await clips();
process.exit(0); // the answers without an end are left behind
