// A producer of Kinesis Video in JavaScript. Usage: node video-producer.mjs
// ENDPOINT STREAM FILE; the keys are in the environment. The SDK has no command
// for PutMedia, whose body never ends: as with the SDKs of other languages, a
// producer takes its endpoint and its signer, and sends the request itself. It
// puts a file, reads the acks meanwhile, and ends with an error when one is not
// right.
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { GetDataEndpointCommand, KinesisVideoClient } from '@aws-sdk/client-kinesis-video';

const [endpoint, stream, file] = process.argv.slice(2);
const control = new KinesisVideoClient({ endpoint, region: 'us-east-1', maxAttempts: 1 });

// open sends the head of a PutMedia request, signed by the SDK, and returns it.
async function open(headers) {
  const { DataEndpoint } = await control.send(new GetDataEndpointCommand({ StreamName: stream, APIName: 'PUT_MEDIA' }));
  const url = new URL('/putMedia', DataEndpoint);
  const sign = await control.config.signer();
  const signed = await sign.sign({
    method: 'POST', protocol: url.protocol, hostname: url.hostname, port: Number(url.port), path: url.pathname, query: {},
    headers: { host: url.host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers },
  });
  return request(url, { method: 'POST', headers: { ...signed.headers, 'transfer-encoding': 'chunked', expect: '100-continue' } });
}

const usual = {
  'x-amzn-stream-name': stream,
  'x-amzn-fragment-timecode-type': 'RELATIVE',
  'x-amzn-producer-start-timestamp': (Date.now() / 1000).toFixed(3),
  'x-amzn-fragment-acknowledgment-required': '1',
};

// answered waits for the answer of a request.
const answered = (r) => new Promise((resolve, reject) => r.on('response', resolve).on('error', reject));

async function refused(change, code) {
  const r = await open({ ...usual, ...change });
  r.end();
  const answer = await answered(r);
  answer.resume();
  assert.equal(answer.statusCode >= 400 && answer.headers['x-amzn-errortype'], code);
}

async function produce() {
  const r = await open({ ...usual, 'x-amzn-fragment-timecode-type': 'ABSOLUTE' });
  const sent = new Promise((resolve, reject) => r.once('continue', () => pipeline(createReadStream(file, { highWaterMark: 3001 }), r).then(resolve, reject)));
  const answer = await answered(r);
  assert.equal(answer.statusCode, 200);
  const steps = new Map();
  for await (const line of createInterface({ input: answer })) {
    const ack = JSON.parse(line);
    assert.notEqual(ack.EventType, 'ERROR', line);
    if (ack.FragmentNumber) steps.set(ack.FragmentNumber, [...(steps.get(ack.FragmentNumber) ?? []), ack.EventType]);
  }
  await sent;
  for (const [number, ladder] of steps) {
    assert.match(number, /^\d{47}$/);
    assert.deepEqual(ladder, ['BUFFERING', 'RECEIVED', 'PERSISTED']);
  }
  return steps.size;
}

await refused({ 'x-amzn-stream-name': 'nosuch' }, 'ResourceNotFoundException');
await refused({ 'x-amzn-producer-start-timestamp': 'yesterday' }, 'InvalidArgumentException');
assert.equal(await produce(), 4);
