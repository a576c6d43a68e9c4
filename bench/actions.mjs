// Acknowledged actions of npm's ttfm-socket, so many at a time.
//   in   {"url": "http://…", "token": "…", "room": "UUID", "number": 1000, "atOnce": 4}
//   out  [1234.5, 67.8]: actions a second, and the processor time of each in microseconds
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { SocketClient } = createRequire(`${process.cwd()}/`)("ttfm-socket");

async function jump(client, number, atOnce) {
  let left = number;
  async function one() {
    while (left-- > 0) await client.action("playOneTimeAnimation", { animation: "jump" });
  }
  await Promise.all(Array.from({ length: atOnce }, one));
}

async function measure({ url, token, room, number, atOnce }) {
  const client = new SocketClient(url);
  try {
    await client.joinRoom(token, { roomUuid: room });
    await jump(client, Math.ceil(number / 10), atOnce);
    const began = process.hrtime.bigint();
    const before = process.cpuUsage();
    await jump(client, number, atOnce);
    const { user, system } = process.cpuUsage(before);
    return [number / (Number(process.hrtime.bigint() - began) / 1e9), (user + system) / number];
  } finally {
    client.disconnect();
  }
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  process.stdout.write(`${JSON.stringify(await measure(JSON.parse(line)))}\n`);
});
