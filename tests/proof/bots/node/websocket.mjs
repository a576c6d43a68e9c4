// A WebSocket client on node:http: text frames, pings, and what the server answered where it refused.
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MOST = 16 * 2 ** 20;
const [CONTINUED, TEXT, CLOSE, PING, PONG] = [0, 1, 8, 9, 10];

/** Open a connection. Rejects with an error that has `status` where an answer came and no socket. */
export function connect(url, { within = 10_000, onText, onEnd }) {
  return new Promise((resolve, reject) => {
    const key = randomBytes(16).toString("base64");
    const at = new URL(url.replace(/^ws/, "http"));
    const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": 13 };
    const request = (at.protocol === "https:" ? https : http).request(at, { headers, agent: false });
    const timer = setTimeout(() => request.destroy(new Error("no answer to the handshake")), within);
    request.on("error", (error) => (clearTimeout(timer), reject(new Error(error.code ?? error.message))));
    request.on("response", (answer) => {
      clearTimeout(timer);
      answer.resume();
      request.destroy();
      reject(Object.assign(new Error(`status ${answer.statusCode}`), { status: answer.statusCode }));
    });
    request.on("upgrade", (answer, socket, head) => {
      clearTimeout(timer);
      const wanted = createHash("sha1").update(key + GUID).digest("base64");
      if (answer.headers["sec-websocket-accept"] !== wanted) {
        socket.destroy();
        return reject(new Error("no WebSocket"));
      }
      const opened = new WebSocketClient(socket, onText, onEnd);
      resolve(opened);
      queueMicrotask(() => opened.take(head)); // once its owner has it
    });
    request.end();
  });
}

class WebSocketClient {
  #socket;
  #waiting = Buffer.alloc(0);
  #parts = [];
  #onText;
  #onEnd;
  #isOver = false;

  constructor(socket, onText, onEnd) {
    this.#socket = socket;
    this.#onText = onText;
    this.#onEnd = onEnd;
    socket.setNoDelay(true);
    socket.on("data", (data) => this.take(data));
    socket.on("error", () => {});
    socket.on("close", () => this.#over());
    socket.on("end", () => this.close());
  }

  send(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  /** End it at once; `onEnd` is called once, whoever ended it. */
  close() {
    this.#write(CLOSE, Buffer.alloc(0));
    this.#socket.end();
    this.#socket.destroySoon();
    this.#over();
  }

  #over() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd();
  }

  #write(kind, content) {
    if (this.#socket.destroyed || !this.#socket.writable) return;
    const mask = randomBytes(4);
    const [size, more] = [content.length, Buffer.alloc(content.length > 65_535 ? 8 : content.length > 125 ? 2 : 0)];
    if (more.length === 8) more.writeBigUInt64BE(BigInt(size));
    if (more.length === 2) more.writeUInt16BE(size);
    const short = more.length === 8 ? 127 : more.length === 2 ? 126 : size;
    const masked = content.map((byte, index) => byte ^ mask[index % 4]);
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | kind, 0x80 | short]), more, mask, masked]));
  }

  take(data) {
    this.#waiting = this.#waiting.length ? Buffer.concat([this.#waiting, data]) : data;
    while (!this.#isOver && this.#one());
  }

  /** Take one whole frame from what waits; returns whether there was one. */
  #one() {
    const waiting = this.#waiting;
    if (waiting.length < 2) return false;
    let [size, from] = [waiting[1] & 0x7f, 2];
    if (size === 126) [size, from] = [waiting.length < 4 ? Infinity : waiting.readUInt16BE(2), 4];
    else if (size === 127) [size, from] = [waiting.length < 10 ? Infinity : Number(waiting.readBigUInt64BE(2)), 10];
    if (size !== Infinity && size > MOST) return this.close(), false;
    if (waiting.length < from + size) return false;
    const content = waiting.subarray(from, from + size);
    this.#waiting = waiting.subarray(from + size);
    this.#frame(waiting[0] & 0x0f, Boolean(waiting[0] & 0x80), content);
    return true;
  }

  #frame(kind, isLast, content) {
    if (kind === PING) this.#write(PONG, content);
    else if (kind === CLOSE) this.close();
    else if (kind === TEXT || kind === CONTINUED) {
      this.#parts.push(content);
      if (isLast) this.#onText(Buffer.concat(this.#parts.splice(0)).toString("utf8"));
    }
  }
}
