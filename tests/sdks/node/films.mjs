// Has films made with openai-node, and prints what its user sees as JSON.
//
// Run in the folder that holds node_modules: node films.mjs BASE_URL PICTURE

import { createRequire } from "node:module";
import { join } from "node:path";

const [baseURL, picture] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "here.js"));
const { OpenAI, toFile } = require("openai-v7");
const { VERSION } = require("openai-v7/version");
const { videos } = new OpenAI({ baseURL, apiKey: "x" });
const link = `data:image/png;base64,${picture}`;
const facts = { version: VERSION };

async function raised(call) {
  try {
    await call();
  } catch (error) {
    return { class: error.constructor.name, status: error.status, code: error.code };
  }
  return {};
}

// There is no create_and_poll here: this is what openai-python's does.
async function polled(video) {
  while (["queued", "in_progress"].includes(video.status)) {
    const { data, response } = await videos.retrieve(video.id).withResponse();
    video = data;
    const after = Number(response.headers.get("openai-poll-after-ms") ?? 0);
    if (["queued", "in_progress"].includes(video.status)) await new Promise((go) => setTimeout(go, after));
  }
  return video;
}

const first = await videos.create({ prompt: "A kite", seconds: "8", size: "720x1280" });
facts.created = [first.object, first.status, first.progress, first.seconds, first.size];
facts.not_ready = await raised(() => videos.downloadContent(first.id));
const file = await toFile(Buffer.from(picture, "base64"), "a.png");
const second = await polled(await videos.create({ prompt: "A kite", input_reference: file }));
facts.polled = [second.status, second.progress, second.seconds, second.error];
const third = await polled(await videos.create({ prompt: "A kite", input_reference: { image_url: link } }));
const refused = await polled(await videos.create({ prompt: "refused" }));
facts.refused = [refused.status, refused.error?.code];
facts.retrieved = (await videos.retrieve(second.id)).status;
const listed = [];
for await (const one of videos.list({ limit: 1, order: "asc" })) listed.push(one.id);
facts.listed = listed.join() === [first.id, second.id, third.id, refused.id].join();
const content = Buffer.from(await (await videos.downloadContent(second.id)).arrayBuffer());
facts.content = content.subarray(4, 8).toString();
const part = await videos.downloadContent(second.id, {}, { headers: { Range: "bytes=4-7" } });
facts.part = [part.status, await part.text()];
facts.no_thumbnail = await raised(() => videos.downloadContent(second.id, { variant: "thumbnail" }));
facts.deleted = [];
for (const id of listed) {
  const { deleted, object } = await videos.delete(id);
  facts.deleted.push([deleted, object]);
}
facts.not_there = await raised(() => videos.retrieve(second.id));
facts.remixed = await raised(() => videos.remix(second.id, { prompt: "A kite" }));
process.stdout.write(JSON.stringify(facts));
