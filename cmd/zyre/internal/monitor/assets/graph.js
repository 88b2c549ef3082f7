// The picture: nodes and links on a canvas, which can be moved, zoomed and walked through
// by keys. All text is drawn, never parsed.

import { Layout } from "./layout.js";
import { style, paint, trace } from "./groups.js";

const kinds = { both: 0, assumed: 1, oneSided: 2 };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Graph {
  constructor(canvas, on) {
    this.canvas = canvas;
    this.ctx = canvas.getContext("2d");
    this.on = on; // select(uuid), hover(uuid), open(uuid)
    this.layout = new Layout();
    this.nodes = [];
    this.links = [];
    this.index = new Map();
    this.widths = new Map(); // of labels
    this.view = { x: 0, y: 0, zoom: 1 };
    this.isFitting = true; // until the user moves the picture
    this.selected = null;
    this.hovered = null;
    this.group = -1; // the slot that is highlighted
    this.found = null; // UUIDs that a search has found
    this.details = []; // links of the chosen node
    this.frames = 0;
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.setTheme();
    requestAnimationFrame((t) => this.frame(t));
  }

  setTheme() {
    const css = getComputedStyle(document.documentElement);
    const get = (name) => css.getPropertyValue(name).trim();
    this.isDark = get("--is-dark") === "1";
    this.colors = { paper: get("--paper"), ink: get("--ink"), dim: get("--dim"), link: get("--link"), wrong: get("--wrong"), mark: get("--mark") };
    this.isDirty = true;
  }

  // set takes a new picture. The first node is the monitor itself.
  set(state, margin) {
    this.margin = margin;
    const slotOf = state.groups.map((g) => g.slot);
    const leaders = new Set(state.groups.map((g) => g.leader).filter(Boolean));
    this.nodes = state.nodes.map((n) => ({
      ...n,
      slots: n.groups.map((g) => slotOf[g]),
      leads: leaders.has(n.uuid),
    }));
    this.index = new Map(this.nodes.map((n, i) => [n.uuid, i]));
    this.links = state.links;
    this.wrong = new Set();
    for (const l of this.links) {
      if (l.kind !== kinds.oneSided) continue;
      this.wrong.add(l.a);
      this.wrong.add(l.b);
    }
    const spread = Math.max(1, Math.sqrt(this.nodes.length / 12));
    const springs = [];
    for (const l of this.links) {
      if (l.a !== 0 && l.b !== 0 && this.nodes.length > 60) continue;
      const far = 1 + Math.log2(1 + l.rtt / 300) * (this.nodes.length > 60 ? 0.12 : 0.22);
      const own = l.a === 0 || l.b === 0;
      springs.push({
        a: this.nodes[l.a].uuid, b: this.nodes[l.b].uuid,
        length: own ? 95 * spread * far : 110 * far, strength: own ? (this.nodes.length > 60 ? 0.05 : 0.09) : 0.012,
      });
    }
    const hidden = this.nodes.filter((n) => n.presence === "hidden");
    for (const h of hidden) springs.push({ a: this.nodes[0].uuid, b: h.uuid, length: 190 * spread, strength: 0.05 });
    this.layout.set(this.nodes.map((n, i) => ({ id: n.uuid, group: n.slots.length ? n.slots[0] : -1, fixed: i === 0 })), springs);
    if (calm.matches || document.hidden || !this.hasSettled) {
      // Nobody wants to watch 200 nodes find their places at first.
      for (let i = 0; i < 300 && !this.layout.isAtRest; i++) this.layout.tick();
      this.hasSettled = true;
      if (this.isFitting) this.fit();
    }
    this.isDirty = true;
  }

  select(uuid, links = []) {
    this.selected = uuid;
    this.details = links;
    this.isDirty = true;
  }

  highlight(slot) {
    this.group = slot;
    this.isDirty = true;
  }

  find(uuids) {
    this.found = uuids;
    this.isDirty = true;
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    this.scale = Math.min(2, devicePixelRatio || 1);
    this.width = width;
    this.height = height;
    this.canvas.width = Math.max(1, Math.round(width * this.scale));
    this.canvas.height = Math.max(1, Math.round(height * this.scale));
    if (this.isFitting) this.fit();
    this.isDirty = true;
  }

  // fit shows all nodes, beside what lies over the picture.
  fit() {
    this.isFitting = true;
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const p of this.layout.list) {
      x0 = Math.min(x0, p.x);
      x1 = Math.max(x1, p.x);
      y0 = Math.min(y0, p.y);
      y1 = Math.max(y1, p.y);
    }
    if (x0 > x1 || !this.width) return;
    const m = this.margin || { top: 50, bottom: 50, side: 50 };
    const w = Math.max(60, this.width - 2 * m.side), h = Math.max(60, this.height - m.top - m.bottom);
    const zoom = Math.min(1.7, w / Math.max(x1 - x0, 1), h / Math.max(y1 - y0, 1));
    this.view = { zoom, x: this.width / 2 - (zoom * (x0 + x1)) / 2, y: m.top + h / 2 - (zoom * (y0 + y1)) / 2 };
    this.isDirty = true;
  }

  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    const zoom = Math.min(6, Math.max(0.08, this.view.zoom * factor));
    const f = zoom / this.view.zoom;
    this.view = { zoom, x: x - (x - this.view.x) * f, y: y - (y - this.view.y) * f };
    this.isFitting = false;
    this.isDirty = true;
  }

  // show moves the picture so that a node can be seen.
  show(uuid) {
    const p = this.layout.points.get(uuid);
    if (!p) return;
    const [x, y] = this.place(p);
    const m = 60;
    const dx = x < m ? m - x : x > this.width - m ? this.width - m - x : 0;
    const dy = y < m ? m - y : y > this.height - m ? this.height - m - y : 0;
    if (dx || dy) {
      this.view.x += dx;
      this.view.y += dy;
      this.isFitting = false;
      this.isDirty = true;
    }
  }

  place(p) {
    return [p.x * this.view.zoom + this.view.x, p.y * this.view.zoom + this.view.y];
  }

  radius(n, i) {
    const size = i === 0 ? 13 : 7 + Math.min(6, Math.log2(1 + n.in + n.out) * 0.9);
    return size * Math.min(1.35, Math.max(i === 0 ? 0.7 : 0.4, Math.sqrt(this.view.zoom)));
  }

  frame(time) {
    requestAnimationFrame((t) => this.frame(t));
    if (document.hidden || !this.width) return;
    if (!this.layout.isAtRest) {
      this.layout.tick();
      if (this.isFitting) this.fit();
      this.isDirty = true;
    }
    const moving = !calm.matches && this.hasTraffic;
    if (!this.isDirty && !(moving && time - (this.drawnAt || 0) > 32)) return;
    this.isDirty = false;
    this.drawnAt = time;
    this.frames++;
    this.draw(time);
  }

  draw(time) {
    const ctx = this.ctx;
    ctx.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    ctx.clearRect(0, 0, this.width, this.height);
    this.places = this.nodes.map((n) => this.place(this.layout.points.get(n.uuid)));
    this.drawLinks(ctx, time);
    this.nodes.forEach((n, i) => this.drawNode(ctx, n, i));
    this.nodes.forEach((n, i) => this.drawSigns(ctx, n, i)); // above all nodes, however close
    this.drawLabels(ctx);
  }

  isFaded(i) {
    const n = this.nodes[i];
    if (this.group >= 0 && !n.slots.includes(this.group)) return true;
    return this.found !== null && !this.found.has(n.uuid);
  }

  drawLinks(ctx, time) {
    this.hasTraffic = false;
    const chosen = this.index.get(this.selected);
    const busy = this.links.length > 120, crowd = this.nodes.length > 60;
    const draw = (l, isDetail) => {
      const [x0, y0] = this.places[l.a], [x1, y1] = this.places[l.b];
      const touches = isDetail || (chosen !== undefined && (l.a === chosen || l.b === chosen));
      const faded = this.isFaded(l.a) || this.isFaded(l.b);
      const isWrong = l.kind === kinds.oneSided;
      let alpha = isWrong ? 0.95 : touches ? (crowd ? 0.3 : 0.75) : l.a === 0 ? (busy ? 0.26 : 0.6) : busy ? 0.09 : 0.3;
      if (faded) alpha *= 0.25;
      ctx.globalAlpha = alpha;
      ctx.strokeStyle = isWrong ? this.colors.wrong : touches ? this.colors.mark : this.colors.link;
      ctx.lineWidth = (isWrong ? 2.2 : touches && !crowd ? 1.5 : 1) + Math.min(5, Math.log2(1 + l.rate) * (busy ? 0.3 : 0.5));
      ctx.setLineDash(isWrong ? [7, 4] : l.kind === kinds.assumed ? [2, 4] : []);
      const bend = isWrong ? 0.1 : 0.05;
      const mx = (x0 + x1) / 2 - (y1 - y0) * bend, my = (y0 + y1) / 2 + (x1 - x0) * bend;
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.quadraticCurveTo(mx, my, x1, y1);
      ctx.stroke();
      ctx.setLineDash([]);
      if (isWrong) this.drawArrow(ctx, mx, my, x1, y1, this.radius(this.nodes[l.b], l.b) + 3);
      if (l.rate >= 0.5 && !calm.matches && !faded && (l.a === 0 || isWrong || (touches && !crowd) || !busy)) this.drawTraffic(ctx, l, x0, y0, mx, my, x1, y1, time);
    };
    for (const l of this.links) if (l.kind !== kinds.oneSided) draw(l, false);
    for (const l of this.details) {
      const a = this.index.get(l.from), b = this.index.get(l.to);
      if (a !== undefined && b !== undefined && a !== 0 && b !== 0) draw({ a, b, kind: l.kind, rate: l.rate }, true);
    }
    for (const l of this.links) if (l.kind === kinds.oneSided) draw(l, false);
    ctx.globalAlpha = 1;
  }

  drawArrow(ctx, mx, my, x, y, gap) {
    const d = Math.hypot(x - mx, y - my) || 1;
    const ux = (x - mx) / d, uy = (y - my) / d;
    const tx = x - ux * gap, ty = y - uy * gap, s = 10;
    ctx.beginPath();
    ctx.moveTo(tx, ty);
    ctx.lineTo(tx - ux * s - uy * s * 0.55, ty - uy * s + ux * s * 0.55);
    ctx.lineTo(tx - ux * s + uy * s * 0.55, ty - uy * s - ux * s * 0.55);
    ctx.closePath();
    ctx.fillStyle = this.colors.wrong;
    ctx.fill();
  }

  // drawTraffic lets dots run along a link, the more of them the more messages pass.
  drawTraffic(ctx, l, x0, y0, mx, my, x1, y1, time) {
    this.hasTraffic = true;
    const n = Math.min(5, 1 + Math.floor(Math.log2(1 + l.rate) / 2));
    ctx.fillStyle = this.colors.mark;
    ctx.globalAlpha = 0.75;
    for (let k = 0; k < n; k++) {
      let t = ((time / 2600 + k / n + (l.a * 7 + l.b * 13) / 50) % 1 + 1) % 1;
      if ((l.a + l.b + k) % 2) t = 1 - t;
      const x = (1 - t) * (1 - t) * x0 + 2 * t * (1 - t) * mx + t * t * x1;
      const y = (1 - t) * (1 - t) * y0 + 2 * t * (1 - t) * my + t * t * y1;
      ctx.fillRect(x - 1.3, y - 1.3, 2.6, 2.6);
    }
  }

  drawNode(ctx, n, i) {
    const [x, y] = this.places[i];
    const r = this.radius(n, i);
    if (x < -40 || y < -40 || x > this.width + 40 || y > this.height + 40) return;
    const look = style(n.slots.length ? n.slots[0] : -1, this.isDark);
    ctx.globalAlpha = this.isFaded(i) ? 0.18 : 1;
    if (n.uuid === this.selected || n.uuid === this.hovered) {
      ctx.beginPath();
      ctx.arc(x, y, r + 7, 0, 2 * Math.PI);
      ctx.strokeStyle = this.colors.mark;
      ctx.lineWidth = n.uuid === this.selected ? 3 : 1.5;
      ctx.stroke();
    }
    if (i === 0) {
      ctx.beginPath();
      ctx.arc(x, y, r + 3.5, 0, 2 * Math.PI);
      ctx.strokeStyle = this.colors.ink;
      ctx.lineWidth = 1.5;
      ctx.stroke();
    }
    const isGone = n.presence === "silent" || n.presence === "hidden";
    if (n.presence === "alive" || n.presence === "self") {
      paint(ctx, look, x, y, r, this.colors.paper);
      trace(ctx, look.shape, x, y, r);
      ctx.strokeStyle = this.colors.paper;
      ctx.lineWidth = 1;
      ctx.stroke();
    } else {
      trace(ctx, look.shape, x, y, r);
      ctx.fillStyle = this.colors.paper;
      ctx.fill();
      ctx.strokeStyle = n.presence === "hidden" ? this.colors.wrong : look.color;
      ctx.lineWidth = 2.2;
      ctx.setLineDash(isGone ? [2, 3] : [5, 3]);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    this.drawMarks(ctx, n, i, x, y, r);
    ctx.globalAlpha = 1;
  }

  // drawMarks draws the other groups of a node, and a sign if it does not answer.
  drawMarks(ctx, n, i, x, y, r) {
    if (this.view.zoom * 12 > 5 || this.nodes.length < 60 || n.uuid === this.selected) {
      n.slots.slice(1, 6).forEach((slot, k) => {
        const angle = 0.5 + k * 0.62, d = r + 6;
        paint(ctx, style(slot, this.isDark), x + Math.cos(angle) * d, y + Math.sin(angle) * d, 3.2, this.colors.paper);
      });
    }
    const sign = n.presence === "silent" || n.presence === "hidden" ? "?" : n.presence === "evasive" ? "…" : "";
    if (sign) {
      ctx.font = "bold " + Math.round(r * 1.4) + "px system-ui, sans-serif";
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillStyle = this.colors.ink;
      ctx.fillText(sign, x, y + 0.5);
    }
  }

  // drawSigns draws a crown above who leads, and a triangle beside what is wrong.
  drawSigns(ctx, n, i) {
    if (!n.leads && !this.wrong.has(i)) return;
    const [x, y] = this.places[i], r = this.radius(n, i);
    ctx.globalAlpha = this.isFaded(i) ? 0.18 : 1;
    if (n.leads) {
      ctx.fillStyle = this.colors.ink;
      ctx.beginPath();
      const w = 6, top = y - r - 11;
      [[-w, 7], [-w, 0], [-w / 2, 3.5], [0, -1], [w / 2, 3.5], [w, 0], [w, 7]].forEach(([dx, dy], k) => (k ? ctx.lineTo(x + dx, top + dy) : ctx.moveTo(x + dx, top + dy)));
      ctx.closePath();
      ctx.strokeStyle = this.colors.paper;
      ctx.lineWidth = 3;
      ctx.stroke();
      ctx.fill();
    }
    if (this.wrong.has(i)) {
      const wx = x - r - 3, wy = y - r - 1;
      ctx.fillStyle = this.colors.wrong;
      ctx.beginPath();
      ctx.moveTo(wx, wy - 7);
      ctx.lineTo(wx + 7, wy + 5);
      ctx.lineTo(wx - 7, wy + 5);
      ctx.closePath();
      ctx.fill();
      ctx.fillStyle = this.colors.paper;
      ctx.fillRect(wx - 0.9, wy - 3, 1.8, 4.2);
      ctx.fillRect(wx - 0.9, wy + 2.1, 1.8, 1.8);
    }
    ctx.globalAlpha = 1;
  }

  // drawLabels names nodes, the more important first, where there is room.
  drawLabels(ctx) {
    ctx.font = "12px system-ui, sans-serif";
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    ctx.lineJoin = "round";
    const weight = (n, i) =>
      (n.uuid === this.selected ? 1000 : 0) + (n.uuid === this.hovered ? 900 : 0) + (i === 0 ? 500 : 0) + (this.wrong.has(i) ? 200 : 0) +
      (n.leads ? 150 : 0) + (n.presence !== "alive" ? 100 : 0) + (this.found && this.found.has(n.uuid) ? 80 : 0) + Math.min(50, n.in + n.out);
    const order = this.nodes.map((n, i) => i).filter((i) => !this.isFaded(i));
    order.sort((a, b) => weight(this.nodes[b], b) - weight(this.nodes[a], a));
    const cell = 24, taken = new Map();
    const boxes = [];
    this.nodes.forEach((n, i) => {
      const [x, y] = this.places[i], r = this.radius(n, i);
      boxes.push({ i, x0: x - r, x1: x + r, y0: y - r, y1: y + r });
    });
    const put = (b) => {
      for (let cx = Math.floor(b.x0 / cell); cx <= Math.floor(b.x1 / cell); cx++) {
        for (let cy = Math.floor(b.y0 / cell); cy <= Math.floor(b.y1 / cell); cy++) {
          const key = cx * 4096 + cy;
          if (!taken.has(key)) taken.set(key, []);
          taken.get(key).push(b);
        }
      }
    };
    const isFree = (b) => {
      for (let cx = Math.floor(b.x0 / cell); cx <= Math.floor(b.x1 / cell); cx++) {
        for (let cy = Math.floor(b.y0 / cell); cy <= Math.floor(b.y1 / cell); cy++) {
          for (const o of taken.get(cx * 4096 + cy) || []) {
            if (o.i !== b.i && o.x0 < b.x1 && b.x0 < o.x1 && o.y0 < b.y1 && b.y0 < o.y1) return false;
          }
        }
      }
      return true;
    };
    boxes.forEach(put);
    for (const i of order) {
      const n = this.nodes[i], [x, y] = this.places[i];
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      const text = this.label(ctx, n.name || n.uuid.slice(0, 6));
      const w = this.widths.get(text), r = this.radius(n, i);
      const isChosen = n.uuid === this.selected || n.uuid === this.hovered;
      for (const at of [y + r + 3, y - r - 16 - (n.leads ? 10 : 0)]) {
        const box = { i, x0: x - w / 2 - 2, x1: x + w / 2 + 2, y0: at, y1: at + 13 };
        if (!isChosen && !isFree(box)) continue;
        put(box);
        ctx.strokeStyle = this.colors.paper;
        ctx.lineWidth = 3.5;
        ctx.strokeText(text, x, at);
        ctx.fillStyle = isChosen || i === 0 ? this.colors.ink : this.colors.dim;
        ctx.fillText(text, x, at);
        break;
      }
    }
  }

  // label shortens a name to what can be drawn, and remembers how wide that is.
  label(ctx, name) {
    let text = name;
    if ([...text].length > 18) text = [...text].slice(0, 17).join("") + "…";
    if (!this.widths.has(text)) {
      if (this.widths.size > 2000) this.widths.clear();
      this.widths.set(text, ctx.measureText(text).width);
    }
    return text;
  }

  nodeAt(x, y) {
    let best = null, bestD = 24;
    this.nodes.forEach((n, i) => {
      if (!this.places) return;
      const [nx, ny] = this.places[i];
      const d = Math.hypot(nx - x, ny - y) - this.radius(n, i);
      if (d < bestD) [best, bestD] = [n.uuid, d];
    });
    return bestD < 12 ? best : null;
  }

  // neighbour returns the nearest node in a direction.
  neighbour(dx, dy) {
    const from = this.layout.points.get(this.selected);
    if (!from) return this.nodes.length ? this.nodes[0].uuid : null;
    let best = null, bestD = Infinity;
    for (const n of this.nodes) {
      if (n.uuid === this.selected || this.isFaded(this.index.get(n.uuid))) continue;
      const p = this.layout.points.get(n.uuid);
      const along = (p.x - from.x) * dx + (p.y - from.y) * dy;
      const across = Math.abs((p.x - from.x) * dy) + Math.abs((p.y - from.y) * dx);
      if (along <= 0 || across > along * 1.8) continue;
      const d = along + across * 1.5;
      if (d < bestD) [best, bestD] = [n.uuid, d];
    }
    return best;
  }

  listen() {
    const c = this.canvas;
    const pointers = new Map();
    let drag = null, moved = 0;
    const at = (e) => {
      const b = c.getBoundingClientRect();
      return [e.clientX - b.left, e.clientY - b.top];
    };
    c.addEventListener("pointerdown", (e) => {
      c.setPointerCapture(e.pointerId);
      pointers.set(e.pointerId, at(e));
      moved = 0;
      drag = pointers.size === 1 ? this.nodeAt(...at(e)) : null;
    });
    c.addEventListener("pointermove", (e) => {
      const [x, y] = at(e);
      const last = pointers.get(e.pointerId);
      if (!last) {
        const over = this.nodeAt(x, y);
        if (over !== this.hovered) {
          this.hovered = over;
          c.style.cursor = over ? "pointer" : "grab";
          this.isDirty = true;
        }
        return;
      }
      moved += Math.hypot(x - last[0], y - last[1]);
      if (pointers.size === 2) {
        const [[, other]] = [...pointers].filter(([id]) => id !== e.pointerId);
        const before = Math.hypot(last[0] - other[0], last[1] - other[1]) || 1;
        this.zoomBy(Math.hypot(x - other[0], y - other[1]) / before, (x + other[0]) / 2, (y + other[1]) / 2);
      } else if (drag && moved > 6) {
        const p = this.layout.points.get(drag);
        if (p) {
          p.held = true;
          p.x = (x - this.view.x) / this.view.zoom;
          p.y = (y - this.view.y) / this.view.zoom;
          this.isFitting = false;
          this.layout.warm(0.25);
        }
      } else if (!drag && moved > 3) {
        this.view.x += x - last[0];
        this.view.y += y - last[1];
        this.isFitting = false;
      }
      pointers.set(e.pointerId, [x, y]);
      this.isDirty = true;
    });
    const end = (e) => {
      pointers.delete(e.pointerId);
      for (const p of this.layout.list) p.held = false;
      if (e.type === "pointerup" && moved <= 6) this.on.select(this.nodeAt(...at(e)));
      drag = null;
    };
    c.addEventListener("pointerup", end);
    c.addEventListener("pointercancel", end);
    c.addEventListener("pointerleave", () => {
      this.hovered = null;
      this.isDirty = true;
    });
    c.addEventListener("wheel", (e) => {
      e.preventDefault();
      this.zoomBy(Math.exp(-e.deltaY * 0.0015), ...at(e));
    }, { passive: false });
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    c.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      if (ways[e.key]) {
        const next = this.neighbour(...ways[e.key]);
        if (next) {
          this.on.select(next);
          this.show(next);
        }
      } else if (e.key === "Enter" || e.key === " ") this.on.open(this.selected);
      else if (e.key === "+" || e.key === "=") this.zoomBy(1.3);
      else if (e.key === "-") this.zoomBy(1 / 1.3);
      else if (e.key === "0") this.fit();
      else return;
      e.preventDefault();
    });
  }
}
