const MOST_ACKS = 60, MOST_LINES = 300, MOST_TROUBLES = 50;
const now = { health: null, stopping: false, room: null, queue: { waiting: 0, held: [] }, deliveries: [], troubles: [] };
let acks = [];

// -- what is shown

const words = () => {
  const row = now.health, silent = silence("the bot", now.stopping);
  if (silent) return ["silent", silent];
  const named = Object.fromEntries(row.parts.map((part) => [part.part, part.sentence]));
  if (now.stopping) return ["stopping", "Stopping: what is on its way goes out"];
  if (row.ready) return ["ready", "Ready"];
  const why = row.red.map((name) => `${name}: ${named[name]}`);
  if (!row.live) why.unshift("its loop stands still");
  const waits = row.waits.length ? [`waits for: ${row.waits.join(", ")}`] : [];
  return why.length ? ["ill", `Not ready: ${[...why, ...waits].join("; ")}`] : ["starting", `Starting: ${waits.join("") || "it begins"}`];
};
const showState = () => {
  const name = now.health?.bot || "The bot";
  setText("name", now.room?.name ? `${name} in ${now.room.name}` : name);
  showFace(...words(), name);
};
const kind = (part) => part.below ? "BELOW" : part.red ? "RED" : part.warns ? "WARN" : "WAIT";
const showHealth = (row) => {
  setText("about", `hangbot ${row.version} · process ${row.pid} · up ${span((Date.parse(row.at) - Date.parse(row.started_at)) / 1000)}`);
  const ill = row.parts.filter((part) => !part.ok), well = row.parts.filter((part) => part.ok);
  const names = new Set(row.parts.map((part) => part.part));
  const roots = ill.filter((part) => !names.has(part.below));
  const ordered = roots.flatMap((root) => [root, ...ill.filter((part) => part.below === root.part)]);
  const rest = ill.filter((part) => !ordered.includes(part));
  fill("ill", JSON.stringify([...ordered, ...rest].map((part) => [part.part, kind(part), part.sentence, part.remedy])), () => [...ordered, ...rest].map((part) =>
    el("li", null, { "data-part": part.part, "data-kind": kind(part) },
      el("p", null, {}, el("span", kind(part), { class: "kind" }), ` ${part.part}`, el("span", null, { class: "soft for" })),
      el("p", part.sentence, { class: "sentence" }), ...(part.below ? [] : [el("p", part.remedy, { class: "remedy" })]))));
  for (const part of ill) $("ill").querySelector(`[data-part="${CSS.escape(part.part)}"] .for`).textContent = ` for ${span(part.for_s)}`;
  fill("well", JSON.stringify(well.map((part) => part.part)), () => well.map((part) => el("li", part.part, { "data-part": part.part, title: `in order since ${clockTime(Date.parse(part.since) / 1000)}` })));
};
const showRoom = (room) => {
  setText("track", room ? room.track || "Nothing plays" : "Not in the room");
  setText("artist", room?.artist ?? "");
  const [likes, dislikes, stars] = room?.votes ?? [0, 0, 0];
  setText("votes", room?.track ? `${likes} like it, ${dislikes} do not, ${stars} starred it · ${room.people} in the room` : room ? `${room.people} in the room` : "");
  fill("djs", JSON.stringify(room?.djs ?? []), () => room?.djs.length ? room.djs.map((dj, place) => el("li", dj, { "data-plays": place ? null : "" })) : [el("li", "nobody")]);
  const { starts_ms: from, ends_ms: to } = room ?? {};
  $("progress").hidden = !room?.track || !from || !to || to <= from;
  if (!$("progress").hidden) $("progress").firstElementChild.style.width = `${Math.max(0, Math.min(100, (Date.now() - ahead - from) / (to - from) * 100))}%`;
};
const TIERS = { 1: "acknowledged at the first attempt", 2: "after a retry, or found when asked", 3: "given up" };
const STATES = { queued: "waits", sending: "sending", delivered: "tier", failed: "failed", uncertain: "uncertain", expired: "expired", dropped: "dropped" };
const badge = (row) => row.state === "delivered" ? row.tier ? `✓ tier ${row.tier}` : "✓ there" : row.state === "uncertain" || row.state === "failed" ? `✕ ${row.state}` : STATES[row.state] ?? row.state;
const showDeliveries = (rows) => fill("deliveries", JSON.stringify(rows), () => rows.length ? rows.map((row) =>
  el("li", null, { "data-state": row.state, "data-tier": row.tier, "data-id": row.id },
    el("span", badge(row), { class: "badge", title: TIERS[row.tier] ?? null }), el("span", row.text || "(no text)"), el("time", clockTime(row.at)),
    el("p", [row.doing, row.ms === null ? "" : `after ${took(row.ms)}`, row.attempts > 1 ? `${row.attempts} attempts` : "", row.id.slice(0, 12)].filter(Boolean).join(" · "), { class: "more" }))) : [el("li", "Nothing was said yet")]);
const showTroubles = (rows) => {
  fill("troubles", JSON.stringify(rows), () => rows.length ? rows.map((row) => {
    const button = (text, path, kind) => {
      const made = el("button", text, { type: "button", class: kind, "data-for": `${path} ${row.id}`, "aria-label": `${text} ${row.id.slice(0, 12)}` });
      made.addEventListener("click", () => change(path, row.id));
      return made;
    };
    return el("li", null, { "data-state": row.state, "data-id": row.id },
      el("span", badge(row), { class: "badge" }),
      el("div", null, {}, el("p", row.text || "(no text)"), el("p", row.reason, { class: "soft" }), el("p", row.remedy, { class: "soft" }), el("p", row.id, { class: "id" })),
      el("p", null, { class: "buttons" }, button("Retry", "retry", null), button("Drop", "drop", "quiet")));
  }).concat(rows.length < MOST_TROUBLES ? [] : [el("li", "These are the newest; `hangbot outbox list --failed` shows all")]) : [el("li", "Everything that was said has arrived, or is on its way")]);
};
const showQueue = (queue) => {
  const oldest = queue.oldest_at ? `, the oldest for ${span(Math.max(0, (Date.now() - ahead) / 1000 - queue.oldest_at))}` : "";
  const count = queue.waiting === 1 ? "1 message waits or is on its way" : `${queue.waiting} messages wait or are on their way`;
  setText("queue", queue.silent ? "The outbox does not answer at the moment" : queue.waiting ? count + oldest : "Nothing waits");
  const why = (now.health?.parts ?? []).filter((part) => !part.ok && ["sending", "delivery", "outbox"].includes(part.part)).map((part) => ({ id: part.part, why: part.sentence }));
  const held = queue.waiting || queue.silent ? [...why, ...queue.held] : [];
  fill("held", JSON.stringify(held), () => held.map((row) => el("li", null, {}, el("span", row.id.slice(0, 12), { class: "id" }), el("span", row.why))));
};
const showAnswers = () => {
  if (!acks.length) return;
  const sorted = acks.map(([, ms]) => ms).sort((a, b) => a - b), at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
  const retries = acks.filter(([, , attempt]) => attempt > 1).length;
  setText("answers", `The last ${acks.length}: half within ${took(at(.5))}, 95 % within ${took(at(.95))}, the slowest ${took(at(1))}; ${retries || "none"} after a retry`);
  const wide = 480 / MOST_ACKS, top = Math.log10(Math.max(1000, at(1)));
  $("strip").replaceChildren(...acks.map(([, ms, attempt], place) => {
    const high = Math.max(2, Math.log10(Math.max(1, ms)) / top * 68), bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ x: (MOST_ACKS - acks.length + place) * wide + .5, y: 72 - high, width: wide - 1, height: high, rx: 1 })) bar.setAttribute(name, value);
    if (attempt > 1) bar.dataset.retry = "";
    return bar;
  }));
};
const showLog = (lines) => {
  const log = $("log"), follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(...lines.map(([at, level, text]) => el("li", null, { "data-level": level }, el("time", clockTime(at)), text)));
  while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
  if (follows) log.scrollTop = log.scrollHeight;
};
const take = (event, news) => {
  if (event === "whole") { acks = []; for (const id of ["log", "strip"]) $(id).replaceChildren(); setText("answers", "No answer yet"); }
  Object.assign(now, news);
  heard(now.health.at);
  acks = [...acks, ...(news.acks ?? [])].slice(-MOST_ACKS);
  showHealth(now.health); showRoom(now.room); showDeliveries(now.deliveries); showTroubles(now.troubles); showQueue(now.queue);
  if (news.acks) showAnswers();
  if (news.log) showLog(news.log);
  showState();
};

// -- what is asked of the bot

const change = async (path, id) => {
  try {
    for (let wrong = ""; ;) {
      if (!sessionStorage.getItem(KEPT) && !await askToken(wrong)) return;
      const answer = await fetch(`/outbox/${path}`, { method: "POST", headers: { "Content-Type": "application/json", ...authorized() }, body: JSON.stringify({ ids: [id] }) });
      const said = await answer.json();
      if (answer.status === 401) { sessionStorage.removeItem(KEPT); wrong = "That is not the token."; continue; }
      const done = path === "retry" ? "is queued again; whether it arrived is asked first" : "is dropped; `hangbot outbox retry` queues it again";
      $("said").textContent = answer.ok ? `${id.slice(0, 12)} ${done}` : `${said.error}. ${said.remedy ?? ""}`;
      return;
    }
  } catch (error) { $("said").textContent = `Nothing was changed: the bot does not answer (${error.message})`; }
};
setInterval(showState, 1000);
run();
