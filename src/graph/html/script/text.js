// Adds values to the page as escaped text nodes. All data goes through here.

/** Creates an element with classes, text and children. `text` is never markup. */
function element(tag, classes, text, ...children) {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text !== null && text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

function icon(name) {
  return document.getElementById("icons").content.querySelector(".i-" + name).cloneNode(true);
}

/** Terminal escape sequences, line ends, control characters, direction overrides. */
const CONTROL =
  /\u001b\[[0-?]*[ -/]*[@-~]|[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

function named(character, isBlock) {
  if (character === "\n") return isBlock ? "\n" : " ⏎ ";
  if (character === "\t") return isBlock ? "\t" : " ";
  // As in Rust, and in the text form of the graph.
  return "\\u{" + character.codePointAt(0).toString(16) + "}";
}

/** Shows an escape sequence as a whole. */
function spelled(found, isBlock) {
  return found.startsWith("\u001b") ? named("\u001b") + found.slice(1) : named(found, isBlock);
}

function putPlain(into, text, isBlock) {
  let at = 0;
  for (const { 0: found, index } of text.matchAll(CONTROL)) {
    if (index > at) into.append(text.slice(at, index));
    const shown = spelled(found, isBlock);
    into.append(found === "\n" || found === "\t" ? shown : element("span", "control", shown));
    at = index + found.length;
  }
  if (at < text.length) into.append(text.slice(at));
}

/** Adds text to an element, with the hits of the search highlighted. */
function put(into, text, { most = Infinity, isBlock = false, pattern = search.pattern } = {}) {
  into.classList.add("t");
  const rest = text.length - most;
  if (rest > 0) text = text.slice(0, most);
  let at = 0;
  if (pattern) {
    for (const { 0: found, index } of text.matchAll(pattern)) {
      putPlain(into, text.slice(at, index), isBlock);
      const mark = element("mark");
      putPlain(mark, found, isBlock);
      into.append(mark);
      at = index + found.length;
    }
  }
  putPlain(into, text.slice(at), isBlock);
  if (rest > 0) into.append("…");
  return into;
}

/** The same text without elements, for tooltips. */
function flat(text, most = 400) {
  const cut = text.length > most ? text.slice(0, most) + "…" : text;
  return cut.replace(CONTROL, (found) => spelled(found, true));
}

/** Formats like `format_nanoseconds`: what it rounds to decides the unit. */
function duration(nanos) {
  if (nanos === null || !Number.isFinite(nanos) || nanos <= 0) return "—";
  nanos = Math.round(nanos);
  if (nanos < 1e3) return nanos + " ns";
  if (nanos < 999.95e3) return (nanos / 1e3).toFixed(1) + " µs";
  if (nanos < 999.95e6) return (nanos / 1e6).toFixed(1) + " ms";
  if (nanos < 59.995e9) return (nanos / 1e9).toFixed(2) + " s";
  const seconds = Math.round(nanos / 1e9), minutes = Math.round(nanos / 60e9), hours = Math.round(nanos / 3600e9);
  if (seconds < 3600) return Math.floor(seconds / 60) + "m " + (seconds % 60) + "s";
  if (minutes < 1440) return Math.floor(minutes / 60) + "h " + (minutes % 60) + "m";
  return Math.floor(hours / 24) + "d " + (hours % 24) + "h";
}

/** The duration of a span; `null` if it has no end, or one that is not after its start. */
function tookOf(span) {
  return span.end === null || span.end <= (span.start ?? 0) ? null : span.end - (span.start ?? 0);
}

/**
 * The time since the start of the run or of the node's job, `+1.234 s`, of constant width if
 * possible.
 */
function since(nanos, node = null) {
  if (nanos === null) return "—";
  const after = nanos - baseOf(node), size = Math.abs(after), sign = after < 0 ? "−" : "+";
  if (size < 60e9) return sign + (size / 1e9).toFixed(run.took < 1e8 ? 6 : 3) + " s";
  const milliseconds = Math.floor(size / 1e6);
  const hours = Math.floor(milliseconds / 3600000), minutes = Math.floor(milliseconds / 60000) % 60;
  const rest = ((milliseconds % 60000) / 1000).toFixed(3).padStart(6, "0");
  return sign + (hours ? hours + ":" + String(minutes).padStart(2, "0") : minutes) + ":" + rest;
}

/** The time in UTC, in milliseconds, or in nanoseconds if it has any. */
function clock(nanos) {
  if (nanos === null) return "unknown";
  const at = origin + BigInt(Math.round(nanos));
  const date = new Date(Number(at / 1000000n));
  if (Number.isNaN(date.getTime())) return at + " ns";
  const [day, time] = date.toISOString().slice(0, 19).split("T");
  const rest = String(at % 1000000000n).padStart(9, "0");
  return day + " " + time + "." + rest.replace(/0{6}$/, "") + " UTC";
}

/** The label of a tick. */
function tick(nanos) {
  const short = (value, unit) => String(Number(value.toFixed(3))) + " " + unit;
  if (nanos === 0) return "0";
  if (nanos < 1e3) return short(nanos, "ns");
  if (nanos < 1e6) return short(nanos / 1e3, "µs");
  if (nanos < 1e9) return short(nanos / 1e6, "ms");
  if (nanos < 60e9) return short(nanos / 1e9, "s");
  const seconds = Math.round(nanos / 1e9), minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes + "m" + (seconds % 60 ? " " + (seconds % 60) + "s" : "");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return hours + "h" + (minutes % 60 ? " " + (minutes % 60) + "m" : "");
  return Math.floor(hours / 24) + "d" + (hours % 24 ? " " + (hours % 24) + "h" : "");
}

function number(value) {
  return value.toLocaleString("en");
}

function many(value, one, more = one + "s") {
  return number(value) + " " + (value === 1 ? one : more);
}
