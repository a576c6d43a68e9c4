// As much of a browser as the CometChat SDK looks for, in a Node vm context.
// Every address that the SDK makes up (https and wss, whatever host) leads to the sandbox; its own file is read
// as it is. Cross-origin rules are kept as a browser keeps them, so that what passes here passes there.
import { readFileSync } from "node:fs";
import vm from "node:vm";

import { require } from "./lines.mjs";

const { WebSocket } = require("ws");

const ORIGIN = "http://127.0.0.1";
const SAFE_HEADERS = new Set(["accept", "accept-language", "content-language"]);
const SLOW_MS = 5_000;
const FASTER = 25;

class Storage {
  #items = new Map();
  get length() {
    return this.#items.size;
  }
  key(index) {
    return [...this.#items.keys()][index] ?? null;
  }
  getItem(name) {
    return this.#items.get(String(name)) ?? null;
  }
  setItem(name, value) {
    this.#items.set(String(name), String(value));
  }
  removeItem(name) {
    this.#items.delete(String(name));
  }
  clear() {
    this.#items.clear();
  }
}

function corsFetch(sandbox, onRequest) {
  const allows = (answer) => ["*", ORIGIN].includes(answer.headers.get("access-control-allow-origin"));

  async function preflight(url, method, headers) {
    const wanted = Object.keys(headers).map((name) => name.toLowerCase());
    const asked = wanted.filter((name) => !SAFE_HEADERS.has(name)).sort();
    const answer = await fetch(url, {
      method: "OPTIONS",
      headers: {
        origin: ORIGIN,
        "access-control-request-method": method,
        "access-control-request-headers": asked.join(","),
      },
    });
    const list = (name) => (answer.headers.get(name) ?? "").toLowerCase().split(/\s*,\s*/);
    const headersAllowed = list("access-control-allow-headers");
    const refused = asked.filter((name) => !headersAllowed.includes(name) && !headersAllowed.includes("*"));
    const methods = list("access-control-allow-methods");
    const simple = ["GET", "POST", "HEAD"].includes(method);
    if (!answer.ok || !allows(answer) || refused.length > 0)
      throw new TypeError(`preflight of ${method} ${url}: ${answer.status}, not allowed: ${refused}`);
    if (!simple && !methods.includes(method.toLowerCase()) && !methods.includes("*"))
      throw new TypeError(`preflight of ${method} ${url}: the method is not allowed`);
  }

  return async function browserFetch(address, { method = "GET", headers = {}, body } = {}) {
    const { host, pathname, search } = new URL(address);
    const url = `${sandbox}${pathname}${search}`;
    onRequest({ method, host, path: pathname });
    await preflight(url, method, headers);
    const answer = await fetch(url, { method, headers: { ...headers, origin: ORIGIN }, body });
    if (!allows(answer)) throw new TypeError(`${method} ${url}: the answer may not be read from ${ORIGIN}`);
    return answer;
  };
}

function socketTo(sandbox, onSocket, onFrame) {
  return class extends WebSocket {
    constructor(address) {
      const { protocol, pathname, search } = new URL(address);
      if (protocol !== "wss:") throw new TypeError(`a page over https opens no ${protocol}`);
      super(`${sandbox.replace(/^http/, "ws")}${pathname}${search}`, { origin: ORIGIN });
      onSocket(String(new URL(address)));
      this.addEventListener("message", ({ data }) => onFrame(JSON.parse(data)));
    }
  };
}

// The SDK pings every 15 s, reconnects after 5 s and reports its device after 5 s: those waits pass faster.
const hurry = (start) => (run, ms, ...rest) => start(run, ms >= SLOW_MS ? ms / FASTER : ms, ...rest);

export function openPage(script, sandbox, { onRequest, onSocket, onFrame }) {
  const page = {
    console: { log() {}, info() {}, warn() {}, error: (...said) => console.error(...said) },
    crypto: globalThis.crypto,
    clearInterval,
    clearTimeout,
    document: {
      createElement: () => ({}),
      documentElement: { clientHeight: 600, clientWidth: 800 },
      getElementsByName: () => [],
      getElementsByTagName: () => [],
      hasFocus: () => true,
      querySelector: () => null,
      querySelectorAll: () => [],
    },
    fetch: corsFetch(sandbox, onRequest),
    FormData,
    localStorage: new Storage(),
    location: { hostname: "127.0.0.1", href: `${ORIGIN}/`, origin: ORIGIN, protocol: "http:" },
    matchMedia: () => ({ matches: false }),
    navigator: { language: "en", onLine: true, platform: "Linux", userAgent: "hangbot-interop (Node)" },
    screen: { height: 600, width: 800 },
    sessionStorage: new Storage(),
    setInterval: hurry(setInterval),
    setTimeout: hurry(setTimeout),
    TextDecoder,
    TextEncoder,
    URL,
    URLSearchParams,
    WebSocket: socketTo(sandbox, onSocket, onFrame),
    addEventListener() {},
    removeEventListener() {},
  };
  page.window = page;
  page.self = page;
  vm.runInContext(readFileSync(script, "utf8"), vm.createContext(page), { filename: script });
  return page;
}
