// Where nodes are: springs along the links, nodes that push each other off, and a pull
// towards the sector of a node's group. Nothing here touches the page.

export class Layout {
  constructor() {
    this.points = new Map(); // by UUID
    this.list = [];
    this.springs = [];
    this.sectors = new Map(); // by group
    this.heat = 0; // 1 is lively, 0 is at rest
  }

  // set takes the nodes ({id, group, fixed}) and the springs ({a, b, length, strength}).
  // Nodes that stay keep their places.
  set(nodes, springs) {
    const before = this.points;
    let changed = nodes.length !== before.size;
    this.points = new Map();
    const isFirst = before.size === 0;
    this.list = nodes.map((n, i) => {
      let p = before.get(n.id);
      if (!p) {
        changed = true;
        p = this.birthplace(n, i, before);
      }
      if (p.group !== n.group) changed = true;
      p.group = n.group;
      p.fixed = n.fixed;
      this.points.set(n.id, p);
      return p;
    });
    this.setSectors();
    if (isFirst) this.spreadOut();
    this.springs = springs.map((s) => ({ a: this.points.get(s.a), b: this.points.get(s.b), length: s.length, strength: s.strength }));
    if (springs.length !== this.springCount) changed = true;
    this.springCount = springs.length;
    if (changed) this.warm(isFirst ? 1 : 0.5);
  }

  // spreadOut puts all nodes into the sectors of their groups.
  spreadOut() {
    this.list.forEach((p, i) => {
      const s = this.sectors.get(p.group);
      if (!s || p.fixed) return;
      const angle = s.middle + ((i * 0.618) % 1 - 0.5) * 0.6, r = 60 + 22 * Math.sqrt(i);
      p.x = Math.cos(angle) * r;
      p.y = Math.sin(angle) * r;
    });
  }

  // birthplace puts a new node near its group, or on a spiral around the middle.
  birthplace(n, i, before) {
    const angle = i * 2.39996, r = 26 * Math.sqrt(i + 0.5);
    let x = Math.cos(angle) * r, y = Math.sin(angle) * r;
    if (before.size && n.group >= 0) {
      for (const p of before.values()) {
        if (p.group === n.group) {
          x = p.x + 20 * Math.cos(angle);
          y = p.y + 20 * Math.sin(angle);
          break;
        }
      }
    }
    return { x, y, vx: 0, vy: 0, group: n.group, fixed: n.fixed };
  }

  warm(heat) {
    this.heat = Math.max(this.heat, heat);
  }

  get isAtRest() {
    return this.heat < 0.012;
  }

  // tick moves all nodes by one step.
  tick() {
    if (this.isAtRest) return;
    const heat = this.heat;
    this.heat *= 0.985;
    this.push(heat);
    for (const s of this.springs) this.pull(s, heat);
    this.gather(heat);
    for (const p of this.list) {
      if (p.held) continue;
      if (p.fixed) {
        p.x = p.y = p.vx = p.vy = 0;
        continue;
      }
      p.vx *= 0.6;
      p.vy *= 0.6;
      const v = Math.hypot(p.vx, p.vy), most = 40;
      const f = v > most ? most / v : 1;
      p.x += p.vx * f;
      p.y += p.vy * f;
    }
  }

  push(heat) {
    const list = this.list, n = list.length;
    const reach = 420, near = 34;
    for (let i = 0; i < n; i++) {
      const a = list[i];
      for (let j = i + 1; j < n; j++) {
        const b = list[j];
        let dx = b.x - a.x, dy = b.y - a.y;
        let d2 = dx * dx + dy * dy;
        if (d2 > reach * reach) continue;
        if (d2 < 0.01) {
          dx = (i % 7) - 3 + 0.1;
          dy = (j % 5) - 2 + 0.1;
          d2 = dx * dx + dy * dy;
        }
        const d = Math.sqrt(d2);
        let f = (heat * 900) / (d2 + 60);
        if (d < near) f += (near - d) * 0.35;
        const fx = (dx / d) * f, fy = (dy / d) * f;
        a.vx -= fx;
        a.vy -= fy;
        b.vx += fx;
        b.vy += fy;
      }
    }
  }

  pull(s, heat) {
    const dx = s.b.x - s.a.x, dy = s.b.y - s.a.y;
    const d = Math.hypot(dx, dy) || 1;
    const f = ((d - s.length) / d) * s.strength * heat;
    s.a.vx += dx * f;
    s.a.vy += dy * f;
    s.b.vx -= dx * f;
    s.b.vy -= dy * f;
  }

  // gather pulls each node towards the sector of its group. Sectors lie around the middle,
  // and are as wide as their groups are large.
  gather(heat) {
    for (const p of this.list) {
      const s = this.sectors.get(p.group);
      if (s && !p.fixed) {
        const d = Math.max(60, Math.hypot(p.x, p.y));
        p.vx += (s.x * d - p.x) * s.strength * heat;
        p.vy += (s.y * d - p.y) * s.strength * heat;
      }
      p.vx -= p.x * 0.004 * heat;
      p.vy -= p.y * 0.004 * heat;
    }
  }

  setSectors() {
    const sizes = new Map();
    for (const p of this.list) if (!p.fixed) sizes.set(p.group, (sizes.get(p.group) || 0) + 1);
    this.sectors = new Map();
    if (sizes.size < 2) return;
    const all = this.list.length - 1;
    let angle = -Math.PI / 2;
    for (const group of [...sizes.keys()].sort((a, b) => a - b)) {
      const share = sizes.get(group) / all;
      const middle = angle + Math.PI * share;
      angle += 2 * Math.PI * share;
      this.sectors.set(group, { x: Math.cos(middle), y: Math.sin(middle), middle, strength: (all > 60 ? 0.06 : 0.16) * (1 - share) });
    }
  }
}
