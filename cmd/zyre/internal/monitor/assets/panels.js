// The lists beside the graph. Everything that came from a peer is set as text.

import * as f from "./format.js";
import { style, badge } from "./groups.js";

// el makes an element; children that are no elements become text.
export function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (k === "class") e.className = v;
    else if (k === "on") for (const [name, fn] of Object.entries(v)) e.addEventListener(name, fn);
    else if (v !== undefined && v !== null && v !== false) e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

// name is what a stranger calls itself, so that its direction stays its own.
export function name(text, more = "") {
  return el("bdi", { class: ("name " + more).trim() }, text);
}

const presences = { self: "this monitor", alive: "alive", evasive: "evasive", silent: "silent", hidden: "seen by others only" };
const signs = { self: "◉", alive: "●", evasive: "◐", silent: "○", hidden: "◌" };

export function presenceOf(p) {
  return presences[p] || p;
}

// setText changes a text only if it is another one.
function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// keep brings the children of a list in line with items, and makes each only once.
function keep(list, items, keyOf, make, update) {
  const before = new Map([...list.children].map((e) => [e.dataset.key, e]));
  let at = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let e = before.get(key);
    before.delete(key);
    if (!e) {
      e = make(item);
      e.dataset.key = key;
    }
    update(e, item);
    if (e === at) at = at.nextElementSibling;
    else list.insertBefore(e, at);
  }
  for (const e of before.values()) e.remove();
}

export function peerRows(list, nodes, state, app) {
  keep(list, nodes, (n) => n.uuid, () => {
    const row = el("button", { class: "row peer" },
      el("span", { class: "sign" }), el("span", { class: "badges" }), name(""),
      el("span", { class: "rtt num" }), el("span", { class: "rate num" }), el("span", { class: "addr" }), el("span", { class: "idle num" }));
    const li = el("li", {}, row);
    row.addEventListener("click", () => app.select(li.dataset.key, true));
    return li;
  }, (li, n) => {
    const row = li.firstElementChild;
    row.classList.toggle("chosen", n.uuid === app.selected);
    row.setAttribute("aria-pressed", n.uuid === app.selected);
    const [sign, badges, who, rtt, rate, addr, idle] = row.children;
    setText(sign, signs[n.presence]);
    sign.className = "sign " + n.presence;
    sign.title = presenceOf(n.presence);
    sign.setAttribute("aria-label", presenceOf(n.presence));
    setBadges(badges, n.groups.map((g) => state.groups[g]), app.isDark, 4);
    setText(who, n.name || f.shortId(n.uuid));
    who.classList.toggle("unnamed", !n.name);
    setText(rtt, n.presence === "self" ? "" : f.rtt(n.rtt));
    setText(rate, f.rate(n.in + n.out) + "/s");
    setText(addr, n.address);
    setText(idle, n.presence === "self" ? "" : f.duration(n.idle));
    row.title = n.uuid;
  });
}

function setBadges(e, groups, isDark, most) {
  const key = groups.map((g) => g.slot).join() + isDark;
  if (e.dataset.groups === key) return;
  e.dataset.groups = key;
  e.replaceChildren(...groups.slice(0, most).map((g) => badge(style(g.slot, isDark))));
  e.title = groups.map((g) => g.name).join(", ");
}

export function groupRows(list, groups, state, app) {
  keep(list, groups, (g) => String(g.slot), () => {
    const row = el("button", { class: "row group" }, el("span", { class: "badges" }), name(""), el("span", { class: "num" }), el("span", { class: "leader" }));
    const li = el("li", {}, row);
    row.addEventListener("click", () => app.chooseGroup(Number(li.dataset.key)));
    return li;
  }, (li, g) => {
    const row = li.firstElementChild;
    row.classList.toggle("chosen", g.slot === app.group);
    row.setAttribute("aria-pressed", g.slot === app.group);
    const [sign, who, members, leader] = row.children;
    setBadges(sign, [g], app.isDark, 1);
    setText(who, g.name);
    setText(members, f.count(g.members) + (g.members === 1 ? " member" : " members"));
    const lead = state.nodes.find((n) => n.uuid === g.leader);
    setText(leader, (g.leader ? "♛ " + (lead ? lead.name : f.shortId(g.leader)) : "") + (g.own ? "  · joined" : ""));
  });
}

export function dropRows(list, drops) {
  keep(list, drops, (d) => d.what, () => el("li", { class: "drop" }, el("b", { class: "num" }), el("span", {}), el("span", { class: "why" }), el("time", {})), (li, d) => {
    const [n, what, why, last] = li.children;
    setText(n, f.count(d.count));
    setText(what, d.what);
    setText(why, d.why);
    setText(last, d.last ? "last " + f.clock(d.last) : "");
  });
  if (!drops.length && !list.firstElementChild) list.append(el("li", { class: "empty", "data-key": "" }, "Nothing was dropped."));
}

const entrySigns = {
  ENTER: "→", EXIT: "←", JOIN: "+", LEAVE: "−", EVASIVE: "◐", SILENT: "○", LEADER: "♛", SHOUT: "!", WHISPER: "…",
  "ONE-SIDED": "⚠", LOG: "!", HEALED: "✓", DROPPED: "✗", STOP: "■",
};

// entryRow is one line of the time line.
export function entryRow(e, app) {
  const who = e.peer ? el("button", { class: "who", on: { click: () => app.select(e.peer, true) } }, name(e.name || f.shortId(e.peer))) : null;
  const bits = [];
  if (e.group) bits.push(name(e.group, "in"));
  if (e.reason) bits.push(el("span", { class: "reason" }, name(e.reason)));
  if (e.address && e.type === "ENTER") bits.push(el("span", { class: "reason" }, e.address));
  if (e.bytes !== undefined || e.frames) bits.push(el("span", { class: "reason" }, f.bytes(e.bytes || 0) + (e.frames > 1 ? ", " + e.frames + " frames" : "")));
  if (e.count) bits.push(el("span", { class: "num" }, "× " + f.count(e.count)));
  return el("li", { class: "entry t-" + e.type.toLowerCase() },
    el("time", {}, f.clock(e.time)), el("span", { class: "type" }, el("i", { "aria-hidden": "true" }, entrySigns[e.type] || "·"), e.type), who, ...bits);
}

// messageRow is a shout or whisper with the beginning of what it says.
export function messageRow(e, app) {
  const text = f.payload(e.payload, app.hex);
  const li = entryRow(e, app);
  li.append(el("pre", { dir: "auto" }, text === "" ? "(empty)" : text, e.cut ? " …" : ""));
  return li;
}

// detail shows all that is known of a node.
export function detail(card, n, more, state, app) {
  const place = card.scrollTop;
  const focused = card.contains(document.activeElement) && document.activeElement.dataset.focus;
  const facts = [
    ["State", signs[n.presence] + " " + presenceOf(n.presence)],
    ["UUID", n.uuid],
    ["Address", n.address || "–"],
  ];
  if (n.presence !== "self" && n.presence !== "hidden") {
    facts.push(["Round trip", f.rtt(n.rtt)], ["Last heard", f.duration(n.idle) + " ago"], ["Here since", f.clock(n.since)]);
    facts.push(["Messages", "← " + f.count(n.received) + " (" + f.rate(n.in) + "/s)   → " + f.count(n.sent) + " (" + f.rate(n.out) + "/s)"]);
    if (n.waiting) facts.push(["Waiting", f.count(n.waiting) + " messages: it takes no more at present"]);
  }
  if (more && more.publicKey) facts.push(["Key", more.publicKey]);
  const close = el("button", { class: "close", "aria-label": "Close details", "data-focus": "close", on: { click: () => app.select(null) } }, "×");
  const parts = [el("h2", { tabindex: "-1", "data-focus": "title" }, name(n.name || f.shortId(n.uuid))), close,
    el("dl", {}, ...facts.flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]))];
  if (n.groups.length) {
    parts.push(el("h3", {}, "Groups"), el("ul", { class: "chips" }, ...n.groups.map((i) => {
      const g = state.groups[i];
      return el("li", {}, el("button", { "data-focus": "g" + g.slot, on: { click: () => app.chooseGroup(g.slot) } }, badge(style(g.slot, app.isDark)), name(g.name), g.leader === n.uuid ? " ♛" : ""));
    })));
    if (n.groupCount > n.groups.length) parts.push(el("p", {}, "and " + f.count(n.groupCount - n.groups.length) + " more"));
  }
  if (more) parts.push(...moreDetail(n, more, state, app));
  card.replaceChildren(...parts);
  card.scrollTop = place;
  if (focused) card.querySelector('[data-focus="' + CSS.escape(focused) + '"]')?.focus();
}

function moreDetail(n, more, state, app) {
  const parts = [];
  if (more.history && more.history.length > 1) parts.push(el("h3", {}, "Messages a second, last minute"), sparkline(more.history));
  if (more.headers && more.headers.length) {
    parts.push(el("h3", {}, "Headers"), el("dl", { class: "headers" }, ...more.headers.flatMap((h) => [el("dt", {}, name(h.name)), el("dd", {}, name(h.value))])));
  }
  const v = more.view;
  if (!v) {
    if (n.presence === "alive" && !n.sharing) parts.push(el("p", { class: "hint" }, "It does not tell whom it sees (SetShareView)."));
    return parts;
  }
  parts.push(el("h3", {}, "It sees " + f.count(v.peers) + (v.peers === 1 ? " peer" : " peers")));
  const counts = [["half open", v.halfOpen], ["received", v.received], ["sent by its application", v.sent], ["gaps", v.gaps], ["pauses", v.pauses], ["waits", v.waits], ["unsent", v.unsent]];
  parts.push(el("p", { class: "hint" }, counts.filter(([, c], i) => c || i === 1).map(([k, c]) => f.count(c) + " " + k).join(", ") + "; told " + f.duration(v.age) + " ago"));
  parts.push(el("ul", { class: "sees" }, ...v.links.slice(0, 300).map((l) => el("li", { class: l.kind === 2 ? "wrong" : "" },
    el("button", { "data-focus": l.uuid, on: { click: () => app.select(l.uuid, true) } },
      el("span", {}, l.kind === 2 ? "⚠ " : "", name(l.name || f.shortId(l.uuid))),
      el("span", { class: "num" }, l.kind === 2 ? "does not see it" : f.rtt(l.rtt)), el("span", { class: "num" }, f.rate(l.rate) + "/s"))))));
  return parts;
}

function sparkline(values) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  const most = Math.max(1, ...values);
  svg.setAttribute("viewBox", "0 0 240 40");
  svg.setAttribute("class", "spark");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "at most " + f.rate(most) + " a second");
  const line = document.createElementNS(ns, "polyline");
  const step = 240 / Math.max(1, values.length - 1);
  line.setAttribute("points", values.map((v, i) => (i * step).toFixed(1) + "," + (38 - (v / most) * 34).toFixed(1)).join(" "));
  svg.append(line);
  return svg;
}
