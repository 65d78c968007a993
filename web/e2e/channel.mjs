// Opens pages that are clients of one signalling channel. What a client must
// ask of the service first, the JavaScript SDK asks.
import { createRequire } from "node:module";
import https from "node:https";

const sdk = createRequire(new URL("../../cmd/weir/testdata/sdk/package.json", import.meta.url));

/** The services of a server, whose certificate is its own. */
function services({ endpoint, credentials }) {
  const { KinesisVideoClient, GetSignalingChannelEndpointCommand } = sdk(
    "@aws-sdk/client-kinesis-video",
  );
  const { KinesisVideoSignalingClient, GetIceServerConfigCommand } = sdk(
    "@aws-sdk/client-kinesis-video-signaling",
  );
  const {
    KinesisVideoWebRTCStorageClient,
    JoinStorageSessionCommand,
    JoinStorageSessionAsViewerCommand,
  } = sdk("@aws-sdk/client-kinesis-video-webrtc-storage");
  const options = (endpoint) => ({
    endpoint,
    region: "us-east-1",
    credentials,
    maxAttempts: 1,
    requestHandler: { httpsAgent: new https.Agent({ rejectUnauthorized: false }) },
  });
  const control = new KinesisVideoClient(options(endpoint));
  return {
    async endpoints(ChannelARN, Role, Protocols) {
      const { ResourceEndpointList } = await control.send(
        new GetSignalingChannelEndpointCommand({
          ChannelARN,
          SingleMasterChannelEndpointConfiguration: { Role, Protocols },
        }),
      );
      return Object.fromEntries(ResourceEndpointList.map((e) => [e.Protocol, e.ResourceEndpoint]));
    },
    async iceServers(endpoint, ChannelARN, ClientId) {
      const client = new KinesisVideoSignalingClient(options(endpoint));
      const { IceServerList } = await client.send(
        new GetIceServerConfigCommand({ ChannelARN, ClientId }),
      );
      return IceServerList.map((s) => ({
        urls: s.Uris,
        username: s.Username,
        credential: s.Password,
      }));
    },
    async join(endpoint, channelArn, clientId) {
      const client = new KinesisVideoWebRTCStorageClient(options(endpoint));
      await client.send(
        clientId
          ? new JoinStorageSessionAsViewerCommand({ channelArn, clientId })
          : new JoinStorageSessionCommand({ channelArn }),
      );
    },
  };
}

/** Opens one client in a page and waits until its channel is open. */
async function open(context, service, { page: address, channelARN, credentials, client }) {
  const page = await context.newPage();
  const log = [];
  page.on("console", (message) => log.push(message.text()));
  page.on("pageerror", (error) => log.push(String(error)));
  await page.goto(address);
  const protocols = client.storage ? ["WSS", "HTTPS", "WEBRTC"] : ["WSS", "HTTPS"];
  const at = await service.endpoints(channelARN, client.role, protocols);
  const iceServers = await service.iceServers(at.HTTPS, channelARN, client.clientId ?? "MASTER");
  await page.evaluate((options) => globalThis.join(options), {
    ...client,
    channelARN,
    channelEndpoint: at.WSS,
    credentials,
    iceServers,
  });
  if (client.storage) await service.join(at.WEBRTC, channelARN, client.clientId);
  return { page, log };
}

/** Clients that join one after the other, until the last have what is wanted. */
export async function channel(ready, args) {
  const context = await ready
    .browser()
    .newContext({ ignoreHTTPSErrors: true, permissions: ["camera", "microphone"] });
  const service = services(args);
  const clients = [];
  let timedOut = false;
  for (const client of args.clients) {
    const opened = await open(context, service, { ...args, client });
    clients.push(opened);
    const wanted = client.wanted ?? {};
    await waitFor(opened.page, wanted, args.patience).catch(() => (timedOut = true));
  }
  if (args.linger) await new Promise((done) => setTimeout(done, args.linger * 1000));
  const seen = [];
  for (const { page, log } of clients) {
    seen.push({ ...(await page.evaluate(() => globalThis.seen())), log: log.slice(-20) });
  }
  await context.close();
  return { timedOut, clients: seen };
}

async function waitFor(page, wanted, patience) {
  const end = Date.now() + (patience ?? 40) * 1000;
  for (;;) {
    const seen = await page.evaluate(() => globalThis.seen());
    const there = Object.entries(wanted).every(
      ([k, v]) => (Array.isArray(seen[k]) ? seen[k].length : seen[k]) >= v,
    );
    if (there) return;
    if (Date.now() > end) throw new Error("timed out");
    await new Promise((done) => setTimeout(done, 100));
  }
}
