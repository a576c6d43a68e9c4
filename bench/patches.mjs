// What npm's fast-json-patch needs for a stream of patches, in place: a line in, a line out.
//   in   {"stream": "FILE", "checked": true}    out  {"vote": [1.5, …], …}: microseconds a patch, by kind and batch
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const { applyPatch } = createRequire(`${process.cwd()}/`)("fast-json-patch");

createInterface({ input: process.stdin }).on("line", (line) => {
  const { stream, checked } = JSON.parse(line);
  const { state, batches } = JSON.parse(readFileSync(stream, "utf8"));
  const spent = {};
  for (const [kind, messages] of batches) {
    const patches = messages.map(({ statePatch }) => statePatch);
    const began = process.hrtime.bigint();
    for (const patch of patches) applyPatch(state, patch, checked, true);
    const took = Number(process.hrtime.bigint() - began) / 1000;
    (spent[kind] ??= []).push(took / patches.length);
  }
  process.stdout.write(`${JSON.stringify(spent)}\n`);
});
