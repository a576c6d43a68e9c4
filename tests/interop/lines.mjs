// A program of the suite: commands come in as JSON lines, replies and events go out as JSON lines.
//   in   {"n": 1, "do": "join", …}
//   out  {"reply": 1, "value": …} or {"reply": 1, "error": …}; {"event": "userJoined", …}
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// npm's packages are in the working directory; these files are not.
export const require = createRequire(`${process.cwd()}/`);

const LIMIT_MS = 120_000;

export function print(row) {
  process.stdout.write(`${JSON.stringify(row)}\n`);
}

// What was thrown, as it was thrown: ttfm-socket rejects with texts, the CometChat SDK with objects.
function plain(error) {
  if (error === null || typeof error !== "object") return error;
  return { ...error, name: error.name, message: error.message };
}

export function serve(commands) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const { n, do: name, ...given } = JSON.parse(line);
    try {
      print({ reply: n, value: (await commands[name](given)) ?? null });
    } catch (error) {
      print({ reply: n, error: plain(error) });
    }
  });
  lines.on("close", () => process.exit(0));
  // A browser reports what nobody caught and goes on; Node would end.
  process.on("unhandledRejection", (error) => print({ event: "unhandled", error: plain(error) }));
  setTimeout(() => process.exit(3), LIMIT_MS).unref();
  print({ event: "started", node: process.version });
}
