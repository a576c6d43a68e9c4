// A room bot in Node on no library: it answers /ping and likes each song. Without a fault (FAULT) it is sound
// in every point that the proof knows.
import http from "node:http";
import { chat, hear } from "./chat.mjs";
import { PORT, has, sleep, tell } from "./common.mjs";
import { outbox } from "./outbox.mjs";
import { beInTheRoom, leaveTheRoom, room } from "./room.mjs";

const DRAINS_WITHIN = 5_000;

async function end() {
  chat.readsOn = false;
  const latest = Date.now() + DRAINS_WITHIN;
  while (outbox.lines.length && chat.isWell && Date.now() < latest) await sleep(0.05);
  leaveTheRoom();
  tell("ended");
  process.exit(0);
}

process.on("SIGTERM", end);
process.on("SIGINT", end);

const page = http.createServer((_, answer) => {
  const isWell = has("health-always-200") || (room.isJoined && chat.isWell);
  answer.writeHead(isWell ? 200 : 503).end();
});
page.listen(PORT, "127.0.0.1");

beInTheRoom();
hear();
