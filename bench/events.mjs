// What a bot on npm's ttfm-socket needs from a frame's bytes to its app: fast-json-patch keeps the state, in place.
//   in   {"frames": "FILE", "checked": true}
//   out  {"spent": {"vote": [1.5, …], …}, "events": 90}: microseconds of processor time a frame, by kind and batch
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const require = createRequire(`${process.cwd()}/`);
const { applyPatch } = require("fast-json-patch");
const { SocketClient } = require("ttfm-socket");

const HEARD = ["votedOnSong", "userJoined", "userLeft", "playedSong"];

function used() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

// A client whose connection is never opened: frames are given to it where the WebSocket would give them.
function open(state, checked) {
  const client = new SocketClient("http://127.0.0.1:9", { manual: true });
  client.connect("token");
  const app = { client, events: 0 };
  client.on("statefulMessage", ({ statePatch }) => applyPatch(state, statePatch, checked, true));
  for (const name of HEARD) client.on(name, () => (app.events += 1));
  return app;
}

function looking() {
  const times = [];
  for (let at = 0; at < 200; at += 1) {
    const began = used();
    times.push(used() - began);
  }
  return times.reduce((sum, one) => sum + one, 0) / times.length;
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { frames, checked } = JSON.parse(line);
  const { state, batches } = JSON.parse(readFileSync(frames, "utf8"));
  const app = open(state, checked);
  const { connection } = app.client;
  const look = looking();
  const spent = {};
  for (const [kind, texts] of batches) {
    const buffers = texts.map((text) => Buffer.from(text));
    const began = used();
    for (const bytes of buffers) connection.emit("incoming::data", bytes.toString());
    (spent[kind] ??= []).push((used() - began - look) / buffers.length);
  }
  connection.removeAllListeners();
  process.stdout.write(`${JSON.stringify({ spent, events: app.events })}\n`);
});
