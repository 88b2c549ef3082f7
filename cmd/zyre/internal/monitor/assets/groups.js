// Each group has a colour, a shape and a filling, so that groups can be told apart without
// seeing colours. The colours differ for all common kinds of colour blindness, after Okabe
// and Ito; red is left to what is wrong.

const light = ["#0072b2", "#c77700", "#008a64", "#b0528a", "#2f9bd6", "#a89a00", "#7a4a1e", "#6a4fc0"];
const dark = ["#4ba3e3", "#ffb52e", "#2fc99a", "#e39cc6", "#9fd8fb", "#f0e442", "#c8965f", "#a994ff"];

const sides = { triangle: 3, square: 4, pentagon: 5, hexagon: 6 };
const shapes = ["circle", "square", "triangle", "diamond", "hexagon", "star", "cross", "pentagon"];
const fillings = ["full", "ring", "dot"];

// style returns how the group in a slot looks; a slot below 0 is no group.
export function style(slot, isDark) {
  if (slot < 0) return { color: isDark ? "#8f9bab" : "#7b8794", shape: "circle", filling: "ring" };
  const turn = Math.floor(slot / shapes.length);
  return {
    color: (isDark ? dark : light)[slot % light.length],
    shape: shapes[(slot + turn * 3) % shapes.length],
    filling: fillings[turn % fillings.length],
  };
}

// outline returns the corners of a shape of radius 1 around 0; a circle has none.
const outlines = {};
export function outline(shape) {
  if (!(shape in outlines)) outlines[shape] = makeOutline(shape);
  return outlines[shape];
}

function makeOutline(shape) {
  const at = (angle, r) => [Math.sin(angle) * r, -Math.cos(angle) * r];
  const ring = (n, turn, r) => Array.from({ length: n }, (_, i) => at(turn + (i * 2 * Math.PI) / n, r));
  switch (shape) {
    case "circle":
      return null;
    case "square":
      return ring(4, Math.PI / 4, 1.22);
    case "diamond":
      return ring(4, 0, 1.2);
    case "star":
      return Array.from({ length: 10 }, (_, i) => at((i * Math.PI) / 5, i % 2 ? 0.58 : 1.3));
    case "cross": {
      const a = 0.42, b = 1.12;
      return [[-a, -b], [a, -b], [a, -a], [b, -a], [b, a], [a, a], [a, b], [-a, b], [-a, a], [-b, a], [-b, -a], [-a, -a]];
    }
    default:
      return ring(sides[shape], 0, shape === "triangle" ? 1.3 : 1.12);
  }
}

// trace puts a shape into the path of a canvas.
export function trace(ctx, shape, x, y, r) {
  const corners = outline(shape);
  ctx.beginPath();
  if (!corners) {
    ctx.arc(x, y, r, 0, 2 * Math.PI);
    return;
  }
  corners.forEach(([cx, cy], i) => (i ? ctx.lineTo(x + cx * r, y + cy * r) : ctx.moveTo(x + cx * r, y + cy * r)));
  ctx.closePath();
}

// paint draws the sign of a group on a canvas.
export function paint(ctx, look, x, y, r, paper) {
  trace(ctx, look.shape, x, y, r);
  ctx.fillStyle = look.color;
  ctx.fill();
  if (look.filling === "full") return;
  trace(ctx, look.shape, x, y, r * (look.filling === "ring" ? 0.58 : 0.32));
  ctx.fillStyle = paper;
  ctx.fill();
}

// badge returns the sign of a group as a picture beside text.
export function badge(look, size = 14) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "-1.4 -1.4 2.8 2.8");
  svg.setAttribute("width", size);
  svg.setAttribute("height", size);
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("badge");
  const add = (r, fill) => {
    const corners = outline(look.shape);
    const e = document.createElementNS(ns, corners ? "polygon" : "circle");
    if (corners) e.setAttribute("points", corners.map(([x, y]) => (x * r).toFixed(3) + "," + (y * r).toFixed(3)).join(" "));
    else e.setAttribute("r", r);
    if (fill) e.setAttribute("fill", fill);
    else e.classList.add("hole");
    svg.append(e);
  };
  add(1, look.color);
  if (look.filling !== "full") add(look.filling === "ring" ? 0.58 : 0.32, null);
  return svg;
}
