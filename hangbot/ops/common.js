"use strict";
/** Seconds without a word after which the other side counts as silent. */
const SILENT_S = 5;
const MARKS = { // told apart by their shape, too
  ready: "M4 12.5l5 5L20 6.5",
  starting: "M12 4a8 8 0 1 1-8 8M12 8v4l3 2",
  stopping: "M7 7h10v10H7z",
  ill: "M12 4l9 16H3zM12 10v4M12 17v.5",
  silent: "M5 5l14 14M19 5L5 19",
};
const HUES = { ready: "#2a9d6a", starting: "#4f7fc9", stopping: "#4f7fc9", ill: "#d0463b", silent: "#8b9097" };
const $ = (id) => document.getElementById(id);
let heardAt = 0, heardOn = 0, ahead = 0, pageState = "", refused = "";

/** Make an element: its text, its attributes, and what is in it. */
const el = (tag, text, attributes = {}, ...inner) => {
  const made = document.createElement(tag);
  if (text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...inner);
  return made;
};
const clockTime = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const span = (s) => s < 120 ? `${Math.round(s)} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
const took = (ms) => ms < 1000 ? `${Math.round(ms)} ms` : span(ms / 1000).replace(/^(\d) s/, `${(ms / 1000).toFixed(1)} s`);
const setText = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };

/** Replace what is in a list, unless it is the same; the focus stays with the same button, or goes to the next. */
const fill = (id, key, make) => {
  const list = $(id);
  if (list.dataset.key === key) return;
  const had = document.activeElement, inside = list.contains(had), name = inside ? had.dataset.for : "";
  const place = inside ? [...list.querySelectorAll("button")].indexOf(had) : -1;
  list.dataset.key = key;
  list.replaceChildren(...make());
  if (place < 0) return;
  const buttons = [...list.querySelectorAll("button")];
  (buttons.find((button) => button.dataset.for === name) ?? buttons[Math.min(place, buttons.length - 1)] ?? $(list.getAttribute("aria-labelledby"))).focus();
};

/** Note that something was heard, as true at a time of the other side. */
const heard = (at) => { refused = ""; heardAt = Date.now() / 1000; heardOn = performance.now(); ahead = Date.now() - Date.parse(at); };
/** What to say when nothing has been heard for too long; null: something has. */
const silence = (who, stopped) => heardAt && performance.now() - heardOn <= SILENT_S * 1000 ? null
  : refused ? `Nothing to show: ${refused}` : !heardAt ? `No word from ${who} yet` : stopped ? `${who[0].toUpperCase()}${who.slice(1)} was stopped: its last word was at ${clockTime(heardAt)}` : `No word from ${who} since ${clockTime(heardAt)}`;
/** Show a state at the head of the page, in its title and as its icon. */
const showFace = (state, text, name) => {
  setText("state", text);
  const title = `${{ ready: "✓", starting: "…", stopping: "■", ill: "!", silent: "✕" }[state]} ${state === "ill" ? "not ready" : state} · ${name}`;
  if (document.title !== title) document.title = title;
  setText("live", title); // read aloud when the state changes, not when a figure in its words does
  if (state === pageState) return;
  pageState = document.body.dataset.state = state;
  $("mark").firstElementChild.setAttribute("d", MARKS[state]);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="${HUES[state]}" stroke-width="3"><path d="${MARKS[state]}"/></svg>`;
  $("icon").href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
};

// -- what is asked of the other side

const KEPT = "hangbot-token";
const authorized = () => { const token = sessionStorage.getItem(KEPT); return token ? { Authorization: `Bearer ${token}` } : {}; };
/** Ask the person for the token; false: they gave none. */
const askToken = (wrong) => new Promise((resolve) => {
  $("wrong").textContent = wrong;
  $("token").value = "";
  const end = (given) => { $("give").onsubmit = $("cancel").onclick = $("ask").oncancel = null; $("ask").close(); resolve(given); };
  $("give").onsubmit = (event) => { event.preventDefault(); sessionStorage.setItem(KEPT, $("token").value.trim()); end(true); };
  $("cancel").onclick = () => end(false);
  $("ask").oncancel = (event) => { event.preventDefault(); end(false); };
  $("ask").showModal();
});
/** Read events until the stream ends, or the other side has been silent for too long. */
const follow = async () => {
  const ending = new AbortController();
  const watching = setInterval(() => { if (performance.now() - begun > 3 * SILENT_S * 1000) ending.abort(); }, 1000);
  let begun = performance.now();
  try {
    const answer = await fetch("/events", { headers: authorized(), cache: "no-store", signal: ending.signal });
    if (answer.status === 401) {
      const wrong = sessionStorage.getItem(KEPT) ? "That is not the token." : "";
      sessionStorage.removeItem(KEPT);
      clearInterval(watching);
      if (await askToken(wrong)) return 0;
      refused = "reading needs the token. Load the page again to give it";
      return Infinity;
    }
    if (!answer.ok) { const said = await answer.json(); refused = `${said.error}. ${said.remedy}`; return 5; }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return 1;
      begun = performance.now();
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const [head, data] = event.split("\n");
        take(head.slice("event: ".length), JSON.parse(data.slice("data: ".length)));
      }
    }
  } catch { return 2; } finally { clearInterval(watching); }
};
const run = async () => {
  for (let wait = 0; wait < Infinity;) {
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    wait = await follow();
  }
};
