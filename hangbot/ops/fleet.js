const now = { health: null, seen: false, workers: [], rooms: {} };
/** The rows of the table, by the rooms' ids: each with what it was made from. */
const rows = new Map();
const ORDER = ["ill", "begins", "well"];

const plural = (count, one, many) => count === 1 ? `1 ${one}` : `${count} ${many}`;
/** A moment: today's by the clock, others with the day. */
const moment = (text) => {
  const at = Date.parse(text), same = new Date(at).toDateString() === new Date().toDateString();
  return same ? clockTime(at / 1000) : new Date(at).toLocaleDateString([], { day: "numeric", month: "short" }) + ", " + clockTime(at / 1000);
};
const since = (text) => text ? [" ", el("time", `since ${moment(text)}`, { datetime: text, class: "since" })] : [];

// -- what is shown

const kind = (row) => !row.owner || (!row.ready && row.why) ? "ill" : row.ready ? "well" : "begins";
const MARK = { well: "✓ ready", begins: "… starts" };
const words = () => {
  const health = now.health, silent = silence("the worker", health?.draining);
  if (silent) return ["silent", silent];
  if (health.red.includes("cluster")) return ["ill", `The NATS servers have not answered worker ${health.worker} for ${span(health.cluster_age_s)}: what stands here was so before`];
  if (!now.seen) return ["starting", "Looking at the fleet"];
  const rooms = Object.values(now.rooms), of = (which) => rooms.filter((row) => kind(row) === which).length;
  const unowned = rooms.filter((row) => !row.owner).length, ill = of("ill") - unowned;
  if (unowned || ill) {
    const why = [unowned ? plural(unowned, "has no owner", "have no owner") : "", ill ? plural(ill, "is not ready", "are not ready") : ""];
    return ["ill", `Of ${plural(rooms.length, "room", "rooms")} ${why.filter(Boolean).join(", ")}`];
  }
  if (health.draining) return ["stopping", `Worker ${health.worker} gives its rooms up: ${plural(health.rooms, "is", "are")} left`];
  if (of("begins")) return ["starting", `Of ${plural(rooms.length, "room", "rooms")} ${plural(of("begins"), "starts", "start")}`];
  return rooms.length ? ["ready", rooms.length === 1 ? "The room has an owner and is ready" : `All ${rooms.length} rooms have an owner and are ready`] : ["starting", "The fleet has no room"];
};
const showState = () => showFace(...words(), "fleet");
const showAbout = (health) => {
  setText("name", `The fleet, as worker ${health.worker} sees it`);
  setText("about", `hangbot ${health.version} · process ${health.pid} · up ${span((Date.parse(health.at) - Date.parse(health.started_at)) / 1000)}`);
};
const makeRow = (id, row) => {
  const which = kind(row), mark = row.owner ? MARK[which] ?? "✕ not ready" : "✕ no owner";
  return el("tr", null, { "data-id": id, "data-kind": which },
    el("th", row.room, { scope: "row" }, ...(row.why ? [el("p", row.why, { class: "why" })] : [])),
    el("td", row.owner ?? "nobody", {}, ...since(row.since)),
    el("td", null, {}, el("span", mark, { class: "mark" })),
    el("td", row.queued ?? "", { class: "number" }));
};
/** Make the rows of the rooms that are named anew, and put all in order: what is not well first. */
const showRooms = (changed) => {
  for (const id of changed) {
    const row = now.rooms[id];
    rows.get(id)?.made.remove();
    if (row) rows.set(id, { row, made: makeRow(id, row), text: `${row.room} ${row.owner ?? ""} ${row.why}`.toLowerCase() });
    else rows.delete(id);
  }
  const wanted = $("find").value.trim().toLowerCase(), illOnly = $("ill-only").checked;
  const sorted = [...rows.values()].sort((one, other) => ORDER.indexOf(kind(one.row)) - ORDER.indexOf(kind(other.row)) || one.row.room.localeCompare(other.row.room));
  const shown = sorted.filter(({ row, text }) => text.includes(wanted) && !(illOnly && kind(row) === "well"));
  const body = $("rooms"), made = shown.map((one) => one.made);
  if (made.length !== body.children.length || made.some((one, place) => one !== body.children[place])) body.replaceChildren(...made);
  setText("count", shown.length === rows.size ? plural(rows.size, "room", "rooms") : `${shown.length} of ${plural(rows.size, "room", "rooms")}`);
  setText("none", shown.length ? "" : rows.size ? illOnly && !wanted ? "Every room has an owner and is ready" : "No room fits" : "No room is known yet");
};
const showWorkers = (workers) => fill("workers", JSON.stringify(workers), () => workers.length ? workers.map((row) =>
  el("tr", null, { "data-id": row.worker, "data-kind": row.draining ? "begins" : "well" },
    el("th", row.worker, { scope: "row" }, ...(row.draining ? [el("p", "■ gives its rooms up", { class: "mark" })] : [])),
    el("td", row.host, {}, el("p", `process ${row.pid} · hangbot ${row.version}`, { class: "soft" }, ...since(row.since))),
    el("td", row.most === null ? row.rooms : `${row.rooms} of ${row.most}`, { class: "number" })))
  : [el("tr", null, {}, el("td", "No worker is known to live", { colspan: 3 }))]);
const take = (event, { rooms = {}, ...news }) => {
  const changed = new Set(Object.keys(rooms));
  if (event === "whole") { for (const id of Object.keys(now.rooms)) changed.add(id); now.rooms = {}; }
  Object.assign(now, news);
  for (const [id, row] of Object.entries(rooms)) if (row) now.rooms[id] = row; else delete now.rooms[id];
  heard(now.health.at);
  showAbout(now.health); showWorkers(now.workers);
  if (changed.size || event === "whole") showRooms(changed);
  showState();
};
for (const id of ["find", "ill-only"]) $(id).addEventListener("input", () => showRooms([]));
setInterval(showState, 1000);
run();
