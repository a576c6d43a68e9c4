// ttfm-socket, steered line by line. It keeps the room's state as its README recommends.
import { print, require, serve } from "./lines.mjs";

const { ServerMessageName, SocketClient } = require("ttfm-socket");
const { applyPatch } = require("fast-json-patch");

const client = new SocketClient(process.argv[2]);
let state = null;
let early = [];
let unanswered = 0;

function patch({ name, statePatch }) {
  // ws may hand over the patch before the code that awaits joinRoom has run.
  if (state === null) early.push({ name, statePatch });
  else state = applyPatch(state, statePatch, true, false).newDocument;
}

for (const name of Object.values(ServerMessageName)) {
  client.on(name, (message) => print({ event: name, message }));
}
for (const name of ["connected", "disconnected", "reconnect", "timeout"]) {
  client.on(name, () => print({ event: name }));
}
client.on("statefulMessage", (message) => {
  patch(message);
  print({ event: "statefulMessage", name: message.name });
});
client.on("statelessMessage", ({ name }) => print({ event: "statelessMessage", name }));
client.on("serverMessage", ({ message, ...envelope }) =>
  print({ event: "serverMessage", name: message.name, envelope }),
);
client.on("api", (message) => print({ event: "api", message }));
client.on("error", (error) => print({ event: "error", error: error?.message ?? error }));

serve({
  async join({ token, ...params }) {
    state = null;
    early = [];
    const { state: joined, ...answer } = await client.joinRoom(token, params);
    state = joined;
    const first = Object.keys(joined.allUserData).length;
    for (const message of early.splice(0)) patch(message);
    return { ...answer, allUserDataInAnswer: first };
  },

  async action({ action, params }) {
    unanswered += 1;
    try {
      return await client.action(action, params);
    } finally {
      unanswered -= 1;
    }
  },

  state: () => state,

  // What Primus knows of the link: whether it is open, whether it is being opened again, what it has not sent.
  link: () => ({
    state: client.state,
    open: client.connection.readyState === client.connection.constructor.OPEN,
    reconnecting: client.connection.recovery.reconnecting(),
    unsent: client.connection.buffer.length,
    unanswered,
    serverTimeOffset: client.serverTimeOffset,
  }),

  leave: () => client.disconnect(),
});
