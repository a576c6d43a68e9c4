// The room socket: one connection at a time, joined each time, given up when nothing comes.
import { Backoff, ROOM, SOCKET, TOKEN, has, over, sleep, tell } from "./common.mjs";
import { connect } from "./websocket.mjs";

const [WELCOME_WITHIN, JOIN_WITHIN, SILENT_AFTER] = [5, 10, 75];
const WELL_AFTER = 60_000;
const TRIES = 4;
const KICKED = 4;

export const room = { isJoined: false };
let current = null;
let number = 0;

export async function beInTheRoom() {
  const backoff = new Backoff();
  for (let tries = 0; ; tries++) {
    const began = Date.now();
    const why = await visit();
    room.isJoined = false;
    if (Date.now() - began > WELL_AFTER) backoff.calm();
    if (why.wasJoined) tries = 0;
    if (has("gives-up") && tries >= TRIES) return;
    const pause = has("hammers") ? 0 : backoff.again();
    tell(`out of the room (${why.text}); again in ${pause.toFixed(1)} s`);
    await sleep(pause);
  }
}

export const leaveTheRoom = () => current?.close();

/** Connect, join and listen; returns how that ended. */
function visit() {
  return new Promise((resolve) => {
    let [text, wasJoined, joinNumber, state, timer] = ["closed", false, 0, null, null];
    const end = (why) => {
      text = why;
      current?.close();
    };
    const expect = (seconds, otherwise) => {
      clearTimeout(timer);
      timer = setTimeout(otherwise, 1000 * seconds);
    };
    const act = (id, action, params = {}) =>
      current?.send(JSON.stringify({ event: "action", params: { ...params, roomUuid: ROOM, action }, messageId: id }));
    const join = () => {
      joinNumber = ++number;
      expect(JOIN_WITHIN, () => end("the join was not answered"));
      act(joinNumber, "joinRoom");
    };

    function joined(answer) {
      if (answer.error) return end(`the join was refused: ${JSON.stringify(answer.error)}`);
      [state, wasJoined, room.isJoined] = [answer.state ?? null, true, true];
      expect(SILENT_AFTER, () => end("no heartbeat"));
      tell("in the room");
    }

    function message(said) {
      if (!has("dies-of-plain-text") && (said === null || typeof said !== "object")) return;
      const patch = "statePatch" in said ? said.statePatch : null;
      if (said.name === "kickedFromRoom" && !has("back-at-once-after-kick"))
        over("a moderator removed the bot from the room", KICKED);
      if (state === null || !Array.isArray(patch)) return;
      for (const step of patch)
        try {
          apply(state, step);
        } catch (error) {
          tell(`a patch does not fit (${error.message}): ${String(said.name)}`);
        }
      if (said.name === "playedSong" && state.nowPlaying) act(++number, "voteOnSong", { songVotes: { like: true } });
    }

    function onText(raw) {
      let frame;
      try {
        frame = JSON.parse(raw);
      } catch {
        return;
      }
      if (typeof frame === "string" && frame.startsWith("primus::ping::")) {
        if (room.isJoined) expect(SILENT_AFTER, () => end("no heartbeat"));
        if (!has("ignores-heartbeats")) current.send(JSON.stringify(frame.replace("ping", "pong")));
      } else if (frame === null || typeof frame !== "object") return;
      else if ("welcome" in frame && !joinNumber) join();
      else if (frame.context === "response" && frame.messageId === joinNumber) joined(frame);
      else if (frame.context === "response" && frame.error) tell(`refused: ${JSON.stringify(frame.error)}`);
      else if (frame.context === "user") message(frame.message);
    }

    function onEnd() {
      clearTimeout(timer);
      [current, room.isJoined] = [null, false];
      resolve({ text, wasJoined });
    }

    const url = `${SOCKET}/primus?token=${TOKEN}`;
    if (has("prints-token")) tell(`connecting to ${url}`);
    connect(url, { onText, onEnd }).then(
      (opened) => {
        current = opened;
        expect(WELCOME_WITHIN, join);
      },
      (error) => {
        if (error.status === 401 || error.status === 403)
          over(`the room refuses the token (${error.status}): check BOT_USER_TOKEN`);
        resolve({ text: error.message, wasJoined });
      },
    );
  });
}

/** Apply one step of a JSON Patch in place. */
function apply(state, { op, path, value }) {
  const way = path.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = way.pop();
  const place = way.reduce((at, part) => {
    if (at === null || typeof at !== "object" || !Object.hasOwn(at, part)) throw new Error(`no ${part}`);
    return at[part];
  }, state);
  if (place === null || typeof place !== "object") throw new Error(`no ${last}`);
  if (Array.isArray(place)) {
    const index = last === "-" ? place.length : Number(last);
    if (!(index >= 0 && index <= place.length)) throw new Error(`no ${last}`);
    place.splice(index, op === "add" ? 0 : 1, ...(op === "remove" ? [] : [value]));
  } else if (op === "remove") delete place[last];
  else Object.defineProperty(place, last, { value, writable: true, enumerable: true, configurable: true });
}
