// A bot in Node on the official ttfm-socket: it answers /ping in the chat and likes every song.
//   npm install ttfm-socket@1.0.0 eventemitter3@5 ws@8
//   node --env-file=hang-fm-config.env bot.mjs
import { setTimeout as sleep } from "node:timers/promises";
import ttfm from "ttfm-socket";

const { BOT_USER_TOKEN: token, ROOM_UUID: room, COMETCHAT_APPID: appid = "" } = process.env;
const chat = `${process.env.OPENCHAT_BASE_URL ?? "https://openchat.prod.tt.fm"}/v3.0`;
const gateway = process.env.TTFM_GATEWAY_BASE_URL ?? "https://gateway.prod.tt.fm";
const client = new ttfm.SocketClient(process.env.SOCKET_SERVER_URL ?? "https://socket.prod.tt.fm");

async function call(method, url, headers, data) {
  const body = data && JSON.stringify(data);
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch(url, { method, body, signal, headers: { "content-type": "application/json", ...headers } });
  if (!answer.ok) throw new Error(`${method} ${new URL(url).pathname}: ${answer.status}`);
  return answer.json();
}

// The chat first: who is in the room is expected to listen.
const exchange = `${gateway}/api/user-service/comet-chat/user-token`;
const { cometAuthToken: authtoken } = await call("GET", exchange, { authorization: `Bearer ${token}` });
const ask = (method, path, data) => call(method, `${chat}${path}`, { authtoken, appid }, data);
const own = (await ask("GET", "/me")).data.uid;
await ask("POST", `/groups/${room}/members`, { participants: [own], participantType: "user" });
const newest = (await ask("GET", `/groups/${room}/messages?per_page=1&affix=prepend`)).data.at(-1);
let last = Number(newest?.id ?? 0);

// ttfm-socket reconnects by itself, but does not join again; after a reset it does neither.
const join = () => client.joinRoom(token, { roomUuid: room }).then(() => console.log("in the room"));
client.on("playedSong", () => client.action("voteOnSong", { songVotes: { like: true } }).catch(() => {}));
client.on("reconnect", join);
client.on("roomReset", () => setImmediate(join));
client.on("kickedFromRoom", () => process.exit(1));
await join();

for (;; await sleep(500)) {
  try {
    for (const message of (await ask("GET", `/groups/${room}/messages?per_page=50&affix=append&id=${last}`)).data) {
      last = Number(message.id); // before the answer: a message is answered once or not at all
      if (message.sender === own || message.data?.text !== "/ping") continue;
      const line = { id: crypto.randomUUID(), message: "pong", userUuid: own, userName: "bot", type: "user" };
      const data = { text: "pong", metadata: { chatMessage: line } };
      await ask("POST", "/messages", { receiver: room, receiverType: "group", category: "message", type: "text", data });
    }
  } catch (error) {
    console.log(`chat: ${error.message}`);
  }
}
