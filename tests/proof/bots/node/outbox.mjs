// What is still to be sent, and how far the chat was read: on disk before anything leaves.
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const FILE = "bot-state.json";

export const outbox = { last: null, lines: [], ...(existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : {}) };

export function keep() {
  writeFileSync(`${FILE}.new`, JSON.stringify(outbox));
  renameSync(`${FILE}.new`, FILE);
}

/** Take a line that is to be sent; `keep` has to follow. */
export function add(text, to) {
  outbox.lines.push({ muid: randomUUID(), text, to, mayBeThere: false });
}

export function done(line) {
  outbox.lines.splice(outbox.lines.indexOf(line), 1);
  keep();
}
