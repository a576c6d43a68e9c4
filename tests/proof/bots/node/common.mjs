// What all parts of the bot share: settings, faults, pauses, and how it ends.
const KNOWN = new Set([
  "answers-direct-in-room",
  "back-at-once-after-kick",
  "deaf-after-failed-exchange",
  "dies-of-plain-text",
  "gives-up",
  "hammers",
  "health-always-200",
  "ignores-heartbeats",
  "prints-token",
  "trusts-push-alone",
]);

const { env } = process;
export const TOKEN = env.BOT_USER_TOKEN ?? "";
export const ROOM = env.ROOM_UUID ?? "";
export const SOCKET = (env.SOCKET_SERVER_URL ?? "https://socket.prod.tt.fm").replace(/^http/, "ws");
export const CHAT_HOST = env.OPENCHAT_BASE_URL ?? "https://openchat.prod.tt.fm";
export const GATEWAY = env.TTFM_GATEWAY_BASE_URL ?? "https://gateway.prod.tt.fm";
export const APP_ID = env.COMETCHAT_APPID ?? "";
export const PORT = Number(env.PORT ?? 0);

const planted = new Set((env.FAULT ?? "").split(",").filter(Boolean));
for (const fault of planted)
  if (!KNOWN.has(fault)) {
    console.error(`FAULT: there is no ${fault}`);
    process.exit(1);
  }

export function has(fault) {
  if (!KNOWN.has(fault)) throw new Error(fault);
  return planted.has(fault);
}

export const tell = (line) => console.log(line);

export const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** End the program: there is nothing that trying again would change. */
export function over(why, code = 1) {
  tell(`ending: ${why}`);
  process.exit(code);
}

/** Pauses that double, up to a minute, the moment within them by chance. */
export class Backoff {
  constructor(first = 1, most = 60) {
    [this.first, this.most, this.pause] = [first, most, first];
  }

  again() {
    const pause = this.pause;
    this.pause = Math.min(2 * pause, this.most);
    return pause / 2 + (Math.random() * pause) / 2;
  }

  calm() {
    this.pause = this.first;
  }
}
