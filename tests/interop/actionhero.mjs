// A room server on the real stack: npm's actionhero with primus and ws, and rooms of our own. People in them
// vote, leave and come; patches are differences as npm's fast-json-patch computes them, of objects with
// undefined members; the joiner's profiles come late. Redis is its mock: there is one process.
import { require, serve } from "./lines.mjs";

const folder = process.argv[2];
process.env.ACTIONHERO_CONFIG = folder; // empty: its own defaults, but for these
process.env.ACTIONHERO_CONFIG_OVERRIDES = JSON.stringify({
  general: { paths: { action: [], cli: [], log: [], pid: [folder], plugin: [], public: [], task: [] } },
  logger: { loggers: [] },
  routes: {},
  web: { bindIP: "127.0.0.1", port: 0 },
});
const { Action, Process, api, chatRoom, config } = require("actionhero");
const { compare } = require("fast-json-patch");
const RedisMock = require("ioredis-mock");

const PEOPLE = 8;
const rooms = new Map();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const user = (uuid) => ({ uuid, tokenRole: "user", canDj: true, highestRole: undefined });
const profile = (uuid) => ({ userProfile: { uuid, nickname: `nick-${uuid}` }, songVotes: { star: undefined } });
const song = (n) => ({ song: { trackName: `Song ${n}`, genre: n % 2 ? "pop" : undefined }, startTime: Date.now(), endTime: Date.now() + 600_000 });

class Room {
  constructor({ uuid, late, votes }) {
    Object.assign(this, { uuid, late, votes, joins: 0, heard: [], people: 0, songs: 1, work: Promise.resolve(), timers: [] });
    this.state = { allUserData: {}, allUsers: [], djs: [], nowPlaying: song(0), voteCounts: { likes: 0 }, settings: { name: uuid, vibe: undefined } };
    for (let n = 0; n < PEOPLE; n += 1) this.enter(`${uuid}-${this.people++}`);
  }

  enter(uuid) {
    if (this.state.allUsers.some((other) => other.uuid === uuid)) return;
    this.state.allUsers.push(user(uuid));
    this.state.allUserData[uuid] = profile(uuid);
  }

  // One change after the other, and none while somebody joins: what overtakes a join's answer is no patch of it.
  change(name, make) {
    this.work = this.work.then(async () => {
      const before = structuredClone(this.state);
      make();
      await this.tell(name, compare(before, this.state));
    });
  }

  async tell(name, statePatch) {
    if (this.joins) this.heard.push(name);
    await chatRoom.broadcast({}, this.uuid, { name, statePatch });
  }

  others() {
    return this.state.allUsers.filter(({ uuid }) => uuid.startsWith(this.uuid));
  }

  vote() {
    const [{ uuid }] = this.others().sort(() => Math.random() - 0.5);
    const like = !this.state.allUserData[uuid].songVotes.like;
    this.state.allUserData[uuid].songVotes.like = like || undefined;
    this.state.voteCounts.likes += like ? 1 : -1;
  }

  leave() {
    const others = this.others();
    const gone = others[Math.floor(Math.random() * others.length)].uuid; // from the middle: the tail shifts
    this.state.allUsers = this.state.allUsers.filter(({ uuid }) => uuid !== gone);
    delete this.state.allUserData[gone];
  }

  start() {
    const every = (ms, name, make) => this.timers.push(setInterval(() => this.change(name, make), ms));
    if (this.votes) every(1000 / this.votes, "votedOnSong", () => this.vote());
    every(400, "userLeft", () => this.leave());
    this.timers.push(setInterval(() => this.change("userJoined", () => this.enter(`${this.uuid}-${this.people++}`)), 400));
    every(3000, "playedSong", () => Object.assign(this.state, { nowPlaying: song(this.songs++), voteCounts: { likes: 0 } }));
  }

  async stop() {
    this.timers.forEach(clearInterval);
    await this.work;
    await this.tell("theEnd", []);
    return { joins: this.joins, heard: this.heard, state: this.state };
  }
}

class JoinRoom extends Action {
  name = "joinRoom";
  description = "enters a room";
  outputExample = {};
  inputs = { roomUuid: { required: true } };

  async run({ params, connection }) {
    const room = rooms.get(params.roomUuid);
    const [, claims] = connection.rawConnection.query.token.split(".");
    const { sub } = JSON.parse(Buffer.from(claims, "base64url").toString());
    let state;
    await new Promise((joined) => {
      room.work = room.work.then(async () => {
        await sleep(20); // what is on its way through Redis arrives
        room.enter(sub);
        await chatRoom.addMember(connection.id, room.uuid);
        state = structuredClone({ ...room.state, allUserData: {} });
        room.joins += 1;
        joined();
        await sleep(20); // the answer goes out
        setTimeout(() => {
          const statePatch = compare({ allUserData: {} }, { allUserData: room.state.allUserData });
          const message = { name: "updatedUserData", statePatch };
          room.heard.push(message.name);
          connection.rawConnection.write({ context: "user", room: room.uuid, from: "0", message });
        }, room.late);
      });
    });
    return { roomUuid: room.uuid, allowedRooms: [room.uuid], didCreate: false, state, serverTime: Date.now() };
  }
}

serve({
  async open({ rooms: wanted }) {
    for (const name of ["client", "subscriber", "tasks"]) config.redis[name].konstructor = RedisMock;
    const server = new Process();
    await server.initialize();
    api.actions.actions.joinRoom = { 1: new JoinRoom() };
    api.actions.versions.joinRoom = [1];
    api.params.buildPostVariables();
    await server.start();
    for (const each of wanted) {
      await chatRoom.add(each.uuid);
      rooms.set(each.uuid, new Room(each));
    }
    return { url: `http://127.0.0.1:${api.servers.servers.web.server.address().port}` };
  },
  start: () => rooms.forEach((room) => room.start()),
  stop: async () => Object.fromEntries(await Promise.all([...rooms.values()].map(async (room) => [room.uuid, await room.stop()]))),
});
