// How numbers, times and payloads are written. Nothing here touches the page.

export function rtt(us) {
  if (!us) return "–";
  if (us < 1000) return us + " µs";
  if (us < 100000) return (us / 1000).toFixed(us < 10000 ? 1 : 0) + " ms";
  return (us / 1e6).toFixed(2) + " s";
}

export function rate(perSecond) {
  if (!perSecond) return "0";
  if (perSecond < 9.95) return perSecond.toFixed(1);
  if (perSecond < 9995) return Math.round(perSecond).toLocaleString("en");
  return (perSecond / 1000).toFixed(perSecond < 99500 ? 1 : 0) + "k";
}

export function count(n) {
  return (n || 0).toLocaleString("en");
}

export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 100) return s + " s";
  const m = Math.floor(s / 60);
  if (m < 100) return m + " min";
  const h = Math.floor(m / 60);
  if (h < 48) return h + " h " + (m % 60) + " min";
  return Math.floor(h / 24) + " d " + (h % 24) + " h";
}

export function clock(time) {
  const t = new Date(time);
  return t.toLocaleTimeString("en-GB", { hour12: false }) + "." + String(t.getMilliseconds()).padStart(3, "0");
}

export function bytes(n) {
  if (n < 10000) return count(n) + " B";
  if (n < 1e7) return (n / 1024).toFixed(n < 1e5 ? 1 : 0) + " KiB";
  return (n / 1024 / 1024).toFixed(1) + " MiB";
}

export function shortId(uuid) {
  return uuid.slice(0, 6);
}

// payload writes the beginning of a message, which comes in base64, as text or as hex.
// Control characters, and those that turn the direction of text, are shown as escapes.
export function payload(base64, hex) {
  const raw = Uint8Array.from(atob(base64 || ""), (c) => c.charCodeAt(0));
  if (hex) return Array.from(raw, (b) => b.toString(16).padStart(2, "0")).join(" ");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch {
    text = Array.from(raw, (b) => (b < 128 ? String.fromCharCode(b) : "\ufffd")).join("");
  }
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => {
    const code = c.codePointAt(0);
    return code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u{" + code.toString(16) + "}";
  });
}
