// The page: follows the stream, and passes on what the user does.

import { Graph } from "./graph.js";
import * as f from "./format.js";
import { style, badge } from "./groups.js";
import { el, name, peerRows, groupRows, dropRows, entryRow, messageRow, detail, presenceOf } from "./panels.js";

const $ = (id) => document.getElementById(id);
const maxRows = 400; // of events, and of messages, on the page
const maxKept = 1000;

const app = { state: null, selected: null, group: -1, hex: false, isPaused: false, entries: [], missed: 0, tab: "peers", more: null, isDark: false };

const graph = new Graph($("graph"), { select: (uuid) => app.select(uuid), open: (uuid) => uuid && app.select(uuid, false, true) });

app.select = (uuid, show = false, focus = false) => {
  app.selected = uuid && app.state?.nodes.some((n) => n.uuid === uuid) ? uuid : null;
  app.more = null;
  graph.select(app.selected);
  if (show && app.selected) graph.show(app.selected);
  loadDetail();
  drawPanel();
  const n = node(app.selected);
  $("spoken").textContent = n ? describe(n) : "";
  if (focus && n) $("detail").querySelector("h2")?.focus();
};

app.chooseGroup = (slot) => {
  app.group = app.group === slot ? -1 : slot;
  graph.highlight(app.group);
  drawLegend();
  drawPanel();
};

function node(uuid) {
  return uuid && app.state ? app.state.nodes.find((n) => n.uuid === uuid) : null;
}

function describe(n) {
  const groups = n.groups.map((g) => app.state.groups[g].name).join(", ");
  return (n.name || f.shortId(n.uuid)) + ", " + presenceOf(n.presence) + (groups ? ", in " + groups : "") + (n.rtt ? ", round trip " + f.rtt(n.rtt) : "");
}

async function loadDetail() {
  const uuid = app.selected, n = node(uuid);
  if (!n || n.presence === "hidden") return;
  try {
    const answer = await fetch("peer/" + encodeURIComponent(uuid));
    if (!answer.ok || uuid !== app.selected) return;
    app.more = await answer.json();
    if (app.state.linksCut > 0) graph.select(uuid, (app.more.view?.links || []).map((l) => ({ from: uuid, to: l.uuid, kind: l.kind, rate: l.rate })));
    drawDetail();
  } catch {
    // The stream says whether the monitor is still there.
  }
}

function setState(state) {
  app.state = state;
  if (app.selected && !node(app.selected)) app.select(null);
  const narrow = matchMedia("(max-width: 800px)").matches;
  graph.set(state, narrow ? { top: 84, bottom: 66, side: 40 } : { top: 70, bottom: 92, side: 80 });
  $("self").textContent = state.nodes[0].name;
  document.title = state.totals.peers + (state.totals.oneSided ? " ⚠" : "") + " · zyre monitor";
  drawTotals(state.totals);
  drawLegend();
  drawPanel();
  if (app.selected) loadDetail();
  if ($("search").value) search();
}

function drawTotals(t) {
  const items = [[f.count(t.peers), t.peers === 1 ? "peer" : "peers"], [f.count(t.groups), t.groups === 1 ? "group" : "groups"],
    [f.rate(t.in + t.out), "messages/s"]];
  if (t.sharing) items.push([f.count(t.sharing), "tell whom they see", "minor"]);
  if (t.evasive) items.push([f.count(t.evasive), "evasive or silent", "warn"]);
  if (t.oneSided) items.push(["⚠ " + f.count(t.oneSided), t.oneSided === 1 ? "one-sided link" : "one-sided links", "wrong"]);
  if (t.hidden) items.push([f.count(t.hidden), "seen by others only", "wrong"]);
  if (t.halfOpen) items.push([f.count(t.halfOpen), "half open", "warn"]);
  if (t.dropped) items.push([f.count(t.dropped), "dropped", "minor"]);
  if (t.paused) items.push(["", "the monitor does not keep up", "wrong"]);
  $("totals").replaceChildren(...items.map(([n, what, kind]) => el("li", { class: kind || "" }, el("b", {}, n), " " + what)));
  $("note").textContent = app.state.linksCut ? f.count(app.state.linksCut) + " links between others are in order; choose a node to see its own." : "";
}

function drawLegend() {
  const legend = $("legend"), most = matchMedia("(max-width: 800px)").matches ? 6 : 14;
  const key = JSON.stringify([app.state.groups.slice(0, most).map((g) => [g.slot, g.name, g.members]), app.group, app.isDark]);
  if (legend.dataset.key === key) return;
  legend.dataset.key = key;
  const focused = legend.contains(document.activeElement) ? document.activeElement.dataset.slot : null;
  legend.replaceChildren(...app.state.groups.slice(0, most).map((g) => el("li", {},
    el("button", { "aria-pressed": String(g.slot === app.group), "data-slot": g.slot, on: { click: () => app.chooseGroup(g.slot) } },
      badge(style(g.slot, app.isDark)), name(g.name), el("span", { class: "num" }, f.count(g.members))))));
  if (focused !== null) legend.querySelector('[data-slot="' + CSS.escape(focused) + '"]')?.focus();
}

function drawDetail() {
  const card = $("detail"), n = node(app.selected);
  card.hidden = !n;
  if (n) detail(card, n, app.more && app.more.uuid === n.uuid ? app.more : null, app.state, app);
}

function drawPanel() {
  if (!app.state) return;
  drawDetail();
  const s = app.state;
  if (app.tab === "peers") {
    const words = $("search").value.trim().toLowerCase();
    const shown = s.nodes.filter((n) => (app.group < 0 || n.groups.some((g) => s.groups[g].slot === app.group)) && (!words || matches(n, words)));
    peerRows($("peer-list"), shown, s, app);
  } else if (app.tab === "groups") groupRows($("group-list"), s.groups, s, app);
  else if (app.tab === "drops") dropRows($("drop-list"), s.drops);
}

function matches(n, words) {
  return (n.name + " " + n.uuid + " " + n.address + " " + n.groups.map((g) => app.state.groups[g].name).join(" ")).toLowerCase().includes(words);
}

function search() {
  const words = $("search").value.trim().toLowerCase();
  graph.find(words ? new Set(app.state.nodes.filter((n) => matches(n, words)).map((n) => n.uuid)) : null);
  drawPanel();
}

// The time line.

const isMessage = (e) => e.type === "SHOUT" || e.type === "WHISPER";

function addEntries(entries, missed) {
  app.missed += missed;
  app.entries.push(...entries);
  app.entries.splice(0, Math.max(0, app.entries.length - maxKept));
  offerChoices();
  if (!app.isPaused) drawLogs(entries, missed);
}

function offerChoices() {
  choices($("event-type"), "All events", new Set(app.entries.map((e) => e.type)));
  choices($("message-group"), "All groups, and whispers", new Set(app.entries.filter((e) => e.type === "SHOUT").map((e) => e.group || "")));
}

function choices(select, all, values) {
  const sorted = [...values].sort().slice(0, 200);
  if (select.value) sorted.includes(select.value) || sorted.push(select.value);
  const key = sorted.join("\n");
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  const chosen = select.value;
  select.replaceChildren(el("option", { value: "" }, all), ...sorted.map((v) => el("option", { value: v }, v)));
  select.value = chosen;
}

const isShown = {
  "event-list": (e) => !$("event-type").value || e.type === $("event-type").value,
  "message-list": (e) => isMessage(e) && (!$("message-group").value || (e.type === "SHOUT" && e.group === $("message-group").value)),
};
const rowOf = { "event-list": entryRow, "message-list": messageRow };

function drawLogs(entries, missed) {
  for (const id of ["event-list", "message-list"]) {
    const list = $(id);
    if (missed) list.prepend(el("li", { class: "missed" }, f.count(missed) + " entries were too many to be kept"));
    const rows = entries.filter(isShown[id]).slice(-maxRows).map((e) => rowOf[id](e, app));
    list.prepend(...rows.reverse());
    while (list.childElementCount > maxRows) list.lastElementChild.remove();
  }
}

function redrawLogs() {
  $("event-list").replaceChildren();
  $("message-list").replaceChildren();
  drawLogs(app.entries, 0);
}

// What the user does.

function openTab(tab, focus) {
  app.tab = tab;
  for (const t of document.querySelectorAll("[role=tab]")) {
    const isIt = t.id === "tab-" + tab;
    t.setAttribute("aria-selected", isIt);
    t.tabIndex = isIt ? 0 : -1;
    $(t.getAttribute("aria-controls")).hidden = !isIt;
    if (isIt && focus) t.focus();
  }
  drawPanel();
}

const tabs = [...document.querySelectorAll("[role=tab]")];
for (const [i, t] of tabs.entries()) {
  t.addEventListener("click", () => openTab(t.id.slice(4)));
  t.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (step) openTab(tabs[(i + step + tabs.length) % tabs.length].id.slice(4), true);
    else if (e.key === "ArrowDown") document.querySelector("[role=tabpanel]:not([hidden]) button")?.focus();
    else return;
    e.preventDefault();
  });
}

for (const list of document.querySelectorAll(".rows, #legend")) {
  list.addEventListener("keydown", (e) => {
    const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[e.key];
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    (buttons[at + step] || buttons[at]).focus();
    e.preventDefault();
  });
}

function setTheme(dark) {
  app.isDark = dark;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  graph.setTheme();
  if (app.state) {
    drawLegend();
    drawPanel();
  }
}

function togglePause() {
  app.isPaused = !app.isPaused;
  $("pause").setAttribute("aria-pressed", app.isPaused);
  $("pause").textContent = app.isPaused ? "Go on" : "Pause";
  if (!app.isPaused) redrawLogs();
}

function toggleHex() {
  app.hex = !app.hex;
  $("hex").setAttribute("aria-pressed", app.hex);
  redrawLogs();
}

const toggleTheme = () => setTheme(!app.isDark);
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
prefersDark.addEventListener("change", () => setTheme(prefersDark.matches));
setTheme(prefersDark.matches);

$("theme").addEventListener("click", toggleTheme);
$("help").addEventListener("click", () => $("keys").showModal());
$("pause").addEventListener("click", togglePause);
$("hex").addEventListener("click", toggleHex);
$("search").addEventListener("input", search);
$("event-type").addEventListener("change", redrawLogs);
$("message-group").addEventListener("change", redrawLogs);
$("zoom").addEventListener("click", (e) => {
  const how = e.target.dataset.zoom;
  if (how === "in") graph.zoomBy(1.3);
  else if (how === "out") graph.zoomBy(1 / 1.3);
  else if (how === "fit") graph.fit();
});
$("search").addEventListener("keydown", (e) => {
  if (e.key === "Escape") {
    e.target.value = "";
    search();
    $("graph").focus();
  } else if (e.key === "Enter" && app.state) {
    const words = e.target.value.trim().toLowerCase();
    const first = words && app.state.nodes.find((n) => matches(n, words));
    if (first) app.select(first.uuid, true, true);
  } else return;
  e.stopPropagation();
});

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || $("keys").open || /^(INPUT|SELECT)$/.test(e.target.tagName)) return;
  const number = "12345".indexOf(e.key);
  const keys = {
    "/": () => $("search").focus(), "?": () => $("keys").showModal(), t: toggleTheme, p: togglePause, x: toggleHex, g: () => $("graph").focus(),
    Escape: () => {
      if (app.selected) app.select(null);
      else if (app.group >= 0) app.chooseGroup(app.group);
      $("graph").focus();
    },
  };
  const act = number >= 0 ? () => openTab(tabs[number].id.slice(4), true) : keys[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (!act) return;
  e.preventDefault();
  act();
});

// The stream. The browser opens it again by itself, and says what it has seen.

function say(text, kind) {
  $("connection").textContent = text;
  $("connection").className = kind;
}

const stream = new EventSource("events");
stream.addEventListener("open", () => say("live", "live"));
stream.addEventListener("error", () => say(stream.readyState === EventSource.CLOSED ? "refused: too many viewers? Reload to try again" : "connecting…", "lost"));
stream.addEventListener("state", (e) => setState(JSON.parse(e.data)));
stream.addEventListener("entries", (e) => {
  const news = JSON.parse(e.data);
  addEntries(news.entries || [], news.missed);
});
stream.addEventListener("end", () => {
  stream.close();
  say("the monitor has stopped", "lost");
});

window.monitor = { app, graph }; // for tests, and for the curious
