"use strict";
// The data of the report, and what is derived from it. Nothing here touches the page.

const LEVELS = 7;
const { spans, records, strings, levels, outcomes, notes, origin } = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const text = (index) => (index === null ? null : data.strings[index]);
  const spans = data.spans.map((row, index) => {
    const [parent, trace, id, name, title, tool, operation, execution, service, start, end, outcome, flags,
      message, attributes, counted, parentId] = row;
    return {
      index, parent, id, start, end, attributes, counted, parentId,
      trace: data.traces[trace],
      name: text(name), title: title === null ? text(name) : title,
      tool: text(tool), operation: text(operation), execution: text(execution), service: text(service),
      outcome: data.outcomes[outcome],
      // As indexes, for the search.
      texts: [name, message], message: text(message),
      isRed: (flags & 1) !== 0, containsRed: (flags & 2) !== 0, isInternal: (flags & 4) !== 0,
      isError: (flags & 8) !== 0,
    };
  });
  const records = data.records.map((row, index) => {
    const [span, time, level, target, event, body, attributes, trace, spanId] = row;
    return { index, span, time, level, target, event, body, attributes,
      trace: trace === null ? null : data.traces[trace], spanId };
  });
  return { ...data, spans, records, origin: BigInt(data.origin) };
})();

/** The row of the records that belong to no span. */
const UNPLACED = spans.length;

/** From the first start to the last end, in nanoseconds after the origin. */
const run = (() => {
  let first = Infinity, last = -Infinity;
  let isRunning = false;
  for (const span of spans) {
    if (span.start !== null) first = Math.min(first, span.start);
    if (span.start !== null) last = Math.max(last, span.start, span.end ?? 0);
    isRunning ||= span.outcome === "running";
  }
  // What is running has run at least until the last record.
  if (isRunning) for (const record of records) last = Math.max(last, record.time ?? 0);
  if (first === Infinity) {
    for (const { time } of records) if (time !== null) first = Math.min(first, time);
    first = first === Infinity ? 0 : first;
  }
  return { start: first, end: Math.max(last, first + 1), took: Math.max(0, last - first) };
})();

/** The tree as it is shown: without the runner's own spans, if those are hidden. */
const shape = {
  order: [], owner: new Int32Array(spans.length), parent: new Int32Array(spans.length), children: [],
  position: new Int32Array(spans.length), last: new Int32Array(spans.length), depth: new Int32Array(spans.length),
  counts: new Float64Array(0), below: new Float64Array(0), unplaced: 0,
};

/** Children of hidden spans move up to the nearest ancestor that is shown, and so do their records. */
function reshape(withInternal) {
  const { owner, parent, position, last, depth } = shape;
  const roots = [];
  shape.children = spans.map(() => []);
  for (const span of spans) {
    const above = span.parent < 0 ? -1 : owner[span.parent];
    const isShown = withInternal || !span.isInternal;
    owner[span.index] = isShown ? span.index : above;
    parent[span.index] = above;
    if (isShown) (above < 0 ? roots : shape.children[above]).push(span.index);
  }
  const byStart = (a, b) => (spans[a].start ?? -1) - (spans[b].start ?? -1) || a - b;
  for (const siblings of [roots, ...shape.children]) siblings.sort(byStart);
  shape.order = [];
  const open = roots.reverse();
  while (open.length) {
    const index = open.pop();
    position[index] = last[index] = shape.order.length;
    depth[index] = parent[index] < 0 ? 0 : depth[parent[index]] + 1;
    shape.order.push(index);
    for (let child = shape.children[index].length; child--; ) open.push(shape.children[index][child]);
  }
  count();
  for (let at = shape.order.length; at--; ) {
    const index = shape.order[at], above = parent[index];
    if (above < 0) continue;
    last[above] = Math.max(last[above], last[index]);
    for (let level = 0; level < LEVELS; level++) {
      shape.below[above * LEVELS + level] += shape.below[index * LEVELS + level];
    }
  }
}

/** How many records of each level: a span's own, and including those of its descendants. */
function count() {
  shape.counts = new Float64Array((spans.length + 1) * LEVELS);
  const place = (span) => (span < 0 || shape.owner[span] < 0 ? UNPLACED : shape.owner[span]);
  for (const record of records) shape.counts[place(record.span) * LEVELS + record.level]++;
  for (const span of spans) {
    // Records that were counted but not stored.
    if (span.counted) span.counted.forEach((more, level) => (shape.counts[place(span.index) * LEVELS + level] += more));
  }
  shape.below = shape.counts.slice();
  shape.unplaced = total(shape.counts, UNPLACED);
}

function total(counts, index, least = 0) {
  let sum = 0;
  for (let level = least; level < LEVELS; level++) sum += counts[index * LEVELS + level];
  return sum;
}

/** Whether a record belongs to a row. */
function isIn(record, index, withDescendants) {
  const owner = record.span < 0 ? -1 : shape.owner[record.span];
  if (index === UNPLACED) return owner < 0;
  if (owner < 0) return false;
  if (!withDescendants) return owner === index;
  const at = shape.position[owner];
  return at >= shape.position[index] && at <= shape.last[index];
}

/**
 * The origins of failures: failed spans without a failed descendant, by start. Those that made all their
 * ancestors fail come before those that an ancestor recovered from.
 */
function failures() {
  const shown = shape.order.filter((index) => spans[index].isRed);
  const origins = shown.filter((index) => !spans[index].containsRed);
  const spread = new Set();
  for (const index of shown) if (shape.parent[index] < 0 || spread.has(shape.parent[index])) spread.add(index);
  const byStart = (a, b) => spread.has(b) - spread.has(a) || (spans[a].start ?? 0) - (spans[b].start ?? 0) || a - b;
  return (origins.length ? origins : shown).sort(byStart);
}
