// What a reader of a failed run wants first: where it failed, and which line says why.

/** Where failures began: what ended its job first, what was recovered from last. */
function failures() {
  // A span that is hidden is shown as its nearest ancestor.
  const shown = failureRows.map((row) => shape.owner[row]).filter((owner) => owner >= 0);
  return [...new Set(shown)];
}

/** The failures that were not recovered from. */
function ownFailures() {
  return failures().filter((index) => !nodes[index].isRecovered);
}

/** What the report opens on: the failure that ended the job, or else the job. */
function firstOfAll() {
  return ownFailures()[0] ?? shape.order[0];
}

/** The nearest ancestor of a node that is a span, or -1. */
function parentSpan(index) {
  let above = shape.parent[index] ?? -1;
  while (above >= 0 && nodes[above].isGroup) above = shape.parent[above];
  return above;
}

/** The first failure in a node, or the node itself. */
function causeIn(index) {
  if (nodes[index].isCause) return index;
  return failures().find((cause) => isWithin(cause, index)) ?? index;
}

/** The record that tells best why a node failed, or `null` if the node did not fail. */
function markOf(index, rows) {
  const node = nodes[index];
  if (!node.isRed && !(node.isGroup && isBad(node))) return null;
  const cause = causeIn(index);
  const inCause = rows.filter((record) => isIn(record, cause, true));
  const isSevere = (record) => record.level >= ERROR;
  return inCause.findLast(isSevere) ?? rows.findLast(isSevere) ??
    lastOf(inCause.filter((record) => record.stream === "stderr")) ?? lastOf(inCause) ?? rows.at(-1) ?? null;
}

const SAYS_ERROR = /\b(error|fatal|panic(ked)?|failed|failure)\b/i;

/** Of the last records, the one that speaks of an error, or else the last one. */
function lastOf(rows) {
  return rows.slice(-TAIL).findLast((record) => SAYS_ERROR.test(strings[record.body])) ?? rows.at(-1);
}

const TAIL = 6;

/**
 * The last lines that a span wrote, from that which speaks of an error on: those of stderr if it
 * wrote any, or of its errors if no stream is known.
 */
function tailOf(span) {
  const own = records.filter((record) => ownerOf(record) === span.index);
  const output = own.filter((record) => record.stream !== null);
  const errors = output.filter((record) => record.stream === "stderr");
  const severe = own.filter((record) => record.level >= ERROR);
  const best = [errors, output, severe].find((rows) => rows.length) ?? own;
  const last = best.slice(-TAIL).flatMap((record) => strings[record.body].trimEnd().split("\n")).slice(-TAIL);
  const lines = last.slice(Math.max(0, last.findIndex((line) => SAYS_ERROR.test(line))));
  const stream = errors.length ? " of stderr" : output.length ? " of the output" : "";
  return { lines, name: (lines.length === 1 ? "Last line" : "Last lines") + stream };
}

/** The command line of a span, as a shell would take it, or `null`. */
function commandOf(span) {
  const line = attribute(span.attributes, "process.command_line");
  if (line) return line;
  const listed = attribute(span.attributes, "process.command_args");
  try {
    const args = JSON.parse(listed);
    if (!Array.isArray(args)) return listed;
    return args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : "'" + String(arg).replaceAll("'", "'\\''") + "'")).join(" ");
  } catch {
    return listed;
  }
}
