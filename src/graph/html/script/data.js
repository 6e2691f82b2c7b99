"use strict";
// The data of the report: spans, records, jobs and groups of spans. Nothing here touches the page.

const LEVELS = 7, ERROR = 5;
const { spans, records, strings, levels, outcomes, notes, origin, jobs, groups, failures: failureRows } = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const text = (index) => (index === null ? null : data.strings[index]);
  const spans = data.spans.map((row, index) => {
    const [parent, trace, id, name, title, tool, operation, execution, service, start, end, outcome, flags,
      message, attributes, counted, parentId = null, kind = null, events = null, links = null,
      label = null] = row;
    return {
      index, parent, id, start, end, attributes, counted, parentId, kind, label: text(label),
      trace: data.traces[trace],
      name: text(name), title: title === null ? text(name) : title,
      tool: text(tool), operation: text(operation), execution: text(execution), service: text(service),
      outcome: data.outcomes[outcome],
      // As indexes, for the search.
      texts: [name, message], message: text(message),
      isRed: (flags & 1) !== 0, containsRed: (flags & 2) !== 0, isInternal: (flags & 4) !== 0,
      isError: (flags & 8) !== 0, isCause: (flags & 16) !== 0, isRecovered: (flags & 32) !== 0,
      propagates: (flags & 64) !== 0,
      events: (events ?? []).map(([name, time, attributes]) => ({ name: text(name), time, attributes })),
      links: (links ?? []).map(([trace, id, attributes]) => ({ trace: data.traces[trace], id, attributes })),
      job: -1,
    };
  });
  const streamKey = data.strings.indexOf("log.iostream");
  const streamOf = (attributes) => {
    for (let at = 0; at < attributes.length; at += 2) if (attributes[at] === streamKey) return text(attributes[at + 1]);
    return null;
  };
  const records = data.records.map((row, index) => {
    const [span, time, level, target, event, body, attributes, trace, spanId] = row;
    return { index, span, time, level, target, event, body, attributes, stream: streamOf(attributes),
      trace: trace === null ? null : data.traces[trace], spanId };
  });
  const jobs = data.jobs.map(([title, roots, start, end, outcome, fails], index) => (
    { index, title, roots, start, end, outcome, fails: fails === 1 }));
  for (const job of jobs) for (const root of job.roots) spans[root].job = job.index;
  // A parent is before its children.
  for (const span of spans) if (span.parent >= 0) span.job = spans[span.parent].job;
  return { ...data, spans, records, jobs, origin: BigInt(data.origin) };
})();

/** The row of the records that belong to no span. */
const UNPLACED = spans.length;

/** All that can be a row of the tree, by number: spans, that of records without a span, groups. */
const nodes = [...spans, { index: UNPLACED, title: "Records outside any span", job: -1 }];
for (const [title, kind, members] of groups) nodes.push(groupOf(title, kind, members));

/** A row that stands for siblings which are alike, or for the attempts at the same work. */
function groupOf(title, kind, members) {
  const of = members.map((member) => nodes[member]), last = of.at(-1), isAttempts = kind === "attempts";
  const starts = of.map((node) => node.start).filter((start) => start !== null);
  const isRunning = of.some((node) => node.outcome === "running");
  return {
    index: nodes.length, kind, members, isGroup: true, job: of[0].job,
    title: isAttempts ? title : title + " ×" + members.length,
    start: starts.length ? starts.reduce((a, b) => Math.min(a, b)) : null,
    end: isRunning ? null : of.reduce((end, node) => Math.max(end, node.end ?? node.start ?? 0), 0),
    // As a whole: of attempts, the last one decides.
    isRed: isAttempts && last.isRed, isRecovered: isAttempts && last.isRed && last.isRecovered,
    label: isAttempts ? last.label : null,
    failed: isAttempts ? of.filter((node) => node.isRed) : of.filter(isBad),
    recovered: of.filter((node) => !isBad(node) && (node.isRed || node.containsRed)),
    containsRed: of.some((node) => node.isRed || node.containsRed),
    outcome: isRunning ? "running" : isAttempts ? last.outcome : "ok",
  };
}

/** Whether a node failed in the end, or something in it did that it has not recovered from. */
function isBad(node) {
  if (node.isGroup) return node.kind === "attempts" ? node.isRed : node.failed.length > 0;
  return node.isRed ? !node.isRecovered : node.containsRed && node.outcome !== "ok";
}

/** The value of an attribute; the last one counts. */
function attribute(attributes, key) {
  for (let at = attributes.length - 2; at >= 0; at -= 2) {
    if (strings[attributes[at]] === key) return strings[attributes[at + 1]];
  }
  return null;
}

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

/** The spans by id, for links. */
const spanOf = new Map(spans.map((span) => [span.trace + span.id, span]));
