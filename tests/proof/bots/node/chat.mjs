// The chat: its socket says when there is something, the history what; each answer is in it once.
import { APP_ID, Backoff, CHAT_HOST, GATEWAY, ROOM, TOKEN, has, over, sleep, tell } from "./common.mjs";
import { add, done, keep, outbox } from "./outbox.mjs";
import { connect } from "./websocket.mjs";

const CHAT = `${CHAT_HOST}/v3.0`;
const GROUP = `${CHAT}/groups/${ROOM}`;
const PAGE = 50;
const LOOKS_EVERY = 20_000;
const PINGS_EVERY = 15_000;
const PACE = 0.15;
const NOT_IN = new Set(["ERR_NOT_A_MEMBER", "ERR_GROUP_NOT_JOINED"]);
const NO_ANSWER = new Set([401, 408, 425, 429]);
const HANDLED = 500;

export const chat = { isWell: false, readsOn: true };
let [token, own] = ["", ""];
const handled = new Set();

// -- requests

class Refused extends Error {
  constructor(status, code, after) {
    super(`${status} ${code}`.trim());
    Object.assign(this, { status, code, after });
    this.isFinal = code !== "" && status >= 400 && status < 500 && !NO_ANSWER.has(status);
  }
}

async function once(method, url, headers, body) {
  const signal = AbortSignal.timeout(10_000);
  const given = { accept: "application/json", "content-type": "application/json", ...headers };
  const answer = await fetch(url, { method, headers: given, body: body && JSON.stringify(body), signal });
  const text = await answer.text();
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    if (answer.ok) throw new Error(`${answer.status} with what is no JSON`);
  }
  const code = String(value?.error?.code ?? "");
  const after = Number(answer.headers.get("retry-after")) || 0;
  return { ok: answer.ok, status: answer.status, value, code, after };
}

async function exchange() {
  const url = `${GATEWAY}/api/user-service/comet-chat/user-token`;
  const { status, value } = await once("GET", url, { authorization: `Bearer ${TOKEN}` });
  if (status === 401 || status === 403) over(`the gateway refuses the token (${status}): check BOT_USER_TOKEN`);
  if (status !== 200 || typeof value?.cometAuthToken !== "string" || !value.cometAuthToken)
    throw new Error(`the gateway gave no chat token (${status})`);
  token = value.cometAuthToken;
}

async function exchangeAnew() {
  try {
    await exchange();
  } catch (error) {
    if (has("deaf-after-failed-exchange")) chat.readsOn = false;
    throw error;
  }
}

async function call(method, url, body) {
  const ask = () => once(method, url, { authtoken: token, appid: APP_ID }, body);
  let answer = await ask();
  if (answer.status === 401 && !NOT_IN.has(answer.code)) {
    await exchangeAnew();
    answer = await ask();
  }
  if (!answer.ok && NOT_IN.has(answer.code)) {
    tell("out of the chat group; joining it again");
    await join();
    answer = await ask();
  }
  if (!answer.ok) throw new Refused(answer.status, answer.code, answer.after);
  if (answer.value === null || typeof answer.value !== "object" || !("data" in answer.value))
    throw new Error(`${answer.status} without data`);
  return answer.value.data;
}

const join = () =>
  once("POST", `${GROUP}/members`, { authtoken: token, appid: APP_ID }, { participants: [own], participantType: "user" });

const said = (error) => (error.name === "TimeoutError" ? "no answer in time" : (error.cause?.code ?? error.message));

// -- hearing

export async function hear() {
  const backoff = new Backoff(1, 20);
  while (chat.readsOn) {
    let after = 0;
    try {
      if (!own) await begin();
      await listen(backoff); // it reads the history first of all
    } catch (error) {
      chat.isWell = false;
      after = error.after ?? 0;
      tell(`chat: ${said(error)}`);
      if (own && !has("trusts-push-alone")) await look().catch(() => {});
    }
    await sleep(Math.max(backoff.again(), after));
  }
}

async function begin() {
  if (!token) await exchange();
  own = String((await call("GET", `${CHAT}/me`)).uid);
  try {
    await join();
    if (outbox.last === null) {
      const newest = await call("GET", `${GROUP}/messages?per_page=1&affix=prepend`);
      outbox.last = Math.max(0, ...newest.map((row) => Number(row.id)));
    }
  } catch (error) {
    own = "";
    throw error;
  }
  keep();
  sendWhatWaits();
  tell("in the chat");
}

/** Open the chat's socket, and read the history whenever it says something; returns when it has ended. */
async function listen(backoff) {
  const deviceId = `bot-${crypto.randomUUID()}`;
  let [isIn, nudged, answered, reading, ended] = [false, false, true, false, () => {}];
  const over = new Promise((resolve) => (ended = resolve));

  async function read(byTimer) {
    if (reading) return;
    reading = true;
    try {
      do {
        nudged = false;
        const found = await look();
        if (byTimer && found && !nudged) {
          tell("chat: its socket is open and says nothing; joining and opening it anew");
          await join();
          socket.close();
        }
      } while (nudged && chat.readsOn);
    } catch (error) {
      chat.isWell = false;
      tell(`chat: ${said(error)}`);
      await sleep(Math.max(1, error.after ?? 0));
      socket.close();
    } finally {
      reading = false;
    }
  }

  function onText(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    answered = true;
    if (frame?.type === "auth") {
      isIn = frame.body?.status === "OK";
      if (!isIn) token = "";
      chat.isWell ||= isIn;
      if (!isIn) socket.close();
      else if (!has("trusts-push-alone")) read(false);
    } else if (frame?.type === "message") {
      if (frame.body?.receiverType === "user" || has("trusts-push-alone")) take(frame.body), keep(), sendWhatWaits();
      nudged = true;
      if (!has("trusts-push-alone")) read(false);
    }
  }

  if (!token) await exchangeAnew();
  const socket = await connect(CHAT_HOST.replace(/^http/, "ws"), { onText, onEnd: ended });
  const auth = { auth: token, deviceId, params: { deviceId, platform: "javascript" } };
  socket.send(JSON.stringify({ appId: APP_ID, deviceId, type: "auth", sender: own, body: auth }));
  const pings = setInterval(() => {
    if (!answered || !isIn) return socket.close();
    answered = false;
    socket.send(JSON.stringify({ action: "ping", ack: "true" }));
  }, PINGS_EVERY);
  const looks = setInterval(() => has("trusts-push-alone") || read(true), LOOKS_EVERY);
  const well = setTimeout(() => backoff.calm(), PINGS_EVERY);
  await over;
  for (const timer of [pings, looks, well]) clearInterval(timer);
}

/** Read the history from the last row on; returns whether there was anything of others. */
async function look() {
  let [rows, found] = [[], false];
  do {
    rows = await call("GET", `${GROUP}/messages?per_page=${PAGE}&affix=append&id=${outbox.last}`);
    if (!Array.isArray(rows)) throw new Error("the history is no list");
    for (const row of rows) found = take(row) || found;
    if (rows.length) keep();
    sendWhatWaits();
  } while (rows.length >= PAGE);
  chat.isWell = true;
  return found;
}

/** Take a row; returns whether another user wrote it, and it is new. */
function take(row) {
  try {
    const id = Number(row.id);
    if (!(id > 0) || handled.has(id)) return false;
    const isDirect = row.receiverType === "user";
    if (!isDirect) {
      if (id <= outbox.last) return false;
      outbox.last = id;
    }
    handled.add(id);
    if (handled.size > HANDLED) handled.delete(handled.values().next().value);
    const sender = row.sender?.uid ?? row.sender;
    if (row.category !== "message" || sender === own || typeof row.data?.text !== "string") return false;
    if (row.data.text.trim() === "/ping") add("pong", isDirect && !has("answers-direct-in-room") ? sender : null);
    return true;
  } catch (error) {
    tell(`chat: a row cannot be read (${error.message}), and is passed over`);
    return false;
  }
}

// -- sending

let sending = null;

function sendWhatWaits() {
  sending ??= sendAll().then(() => {
    sending = null;
    if (outbox.lines.length) sendWhatWaits(); // it came while the last one ended
  });
}

async function sendAll() {
  while (outbox.lines.length) {
    await deliver(outbox.lines[0]);
    await sleep(PACE);
  }
}

async function deliver(line) {
  const backoff = new Backoff(1, 20);
  while (true) {
    let after = 0;
    try {
      if (line.mayBeThere && (await isThere(line.muid))) break;
      line.mayBeThere = true;
      keep();
      await post(line);
      break;
    } catch (error) {
      if (error.isFinal) {
        tell(`refused for good: ${error.message}`);
        break;
      }
      after = error.after ?? 0;
      tell(`not sent yet: ${said(error)}`);
    }
    await sleep(Math.max(backoff.again(), after));
  }
  done(line);
}

async function isThere(muid) {
  try {
    await call("GET", `${CHAT}/user/messages/${muid}`);
    return true;
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}

function post({ muid, text, to }) {
  const chatMessage = { id: muid, message: text, userUuid: own, userName: "bot", type: "user" };
  const receiver = to === null ? { receiver: ROOM, receiverType: "group" } : { receiver: to, receiverType: "user" };
  const message = { ...receiver, category: "message", type: "text", muid, data: { text, metadata: { chatMessage } } };
  return call("POST", `${CHAT}/messages`, message);
}
