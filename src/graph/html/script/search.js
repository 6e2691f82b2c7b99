// Searches spans and records: finds the strings that match, and from these the hits in the order of
// the tree.

const search = { query: null, pattern: null, matches: null, hits: new Float64Array(0), at: -1, own: null, below: null };

function hasText(...indexes) {
  return indexes.some((index) => index !== null && search.matches[index] === 1);
}

/** Of attributes only the values are searched, or every record would match `id`. */
function hasTextInValues(attributes) {
  for (let at = 1; at < attributes.length; at += 2) if (search.matches[attributes[at]] === 1) return true;
  return false;
}

function spanHas(span) {
  const { level } = search.query;
  return level.length === 0 && spanFits(span) && hasPairs(span.attributes) && (!search.pattern || spanHasText(span));
}

function spanHasText(span) {
  if (hasText(...span.texts) || hasTextInValues(span.attributes)) return true;
  return [span.title, span.id, span.trace].some((text) => isHit(search.pattern, text)) || eventsHaveText(span);
}

function eventsHaveText(span) {
  return span.events.some(({ name, attributes }) => isHit(search.pattern, name) || hasTextInValues(attributes));
}

/** A query of nothing but words on spans finds spans, and none of their records. */
function recordHas(record) {
  const { level, status, service, pairs } = search.query;
  if (!search.pattern && !pairs.length && !level.length) return false;
  if (level.length && !level.includes(record.level)) return false;
  if ((status.length || service.length) && (record.span < 0 || !spanFits(spans[record.span]))) return false;
  if (search.pattern && !hasText(record.body, record.target, record.event) && !hasTextInValues(record.attributes)) return false;
  return hasPairs(record.attributes);
}

/** Hits as numbers that sort by row of the tree, a span before its records, these by time. */
const STRIDE = records.length + 1;

function find(text) {
  search.query = parseQuery(text);
  search.pattern = search.query && patternOf(search.query.phrase);
  search.own = new Uint32Array(nodes.length);
  search.below = search.own;
  search.hits = new Float64Array(0);
  search.at = -1;
  if (!search.query) return;
  const matching = (pattern) => Uint8Array.from(strings, (text) => (isHit(pattern, text) ? 1 : 0));
  search.matches = search.pattern && matching(search.pattern);
  for (const pair of search.query.pairs) pair.matches = matching(pair.pattern);
  const hits = [];
  const add = (index, rest) => {
    hits.push((index === UNPLACED ? shape.order.length : shape.position[index]) * STRIDE + rest);
    search.own[index]++;
  };
  for (const index of shape.order) if (!nodes[index].isGroup && spanHas(spans[index])) add(index, 0);
  for (const record of records) {
    if (!isListed(record) || !recordHas(record)) continue;
    const owner = ownerOf(record);
    if (owner >= 0) add(owner, record.index + 1);
    else if (owner === NO_OWNER && shape.unplaced) add(UNPLACED, record.index + 1);
  }
  search.hits = Float64Array.from(hits).sort();
  search.below = search.own.slice();
  for (let at = shape.order.length; at--; ) {
    const above = shape.parent[shape.order[at]];
    if (above >= 0) search.below[above] += search.below[shape.order[at]];
  }
}

/** Whether the filters on records show it. */
function isListed(record) {
  return record.level >= state.minimum && (state.stream === "" || record.stream === state.stream);
}

/** The span (or `UNPLACED`) and the record, or `null`, of a hit. */
function hitAt(at) {
  const position = Math.floor(search.hits[at] / STRIDE), rest = search.hits[at] % STRIDE;
  return [position === shape.order.length ? UNPLACED : shape.order[position], rest === 0 ? null : rest - 1];
}

/** Goes to the next or previous hit; at first, to the first one at or after the selected span. */
function step(forward) {
  const count = search.hits.length;
  if (!count) return;
  if (search.at < 0 && state.selected !== null) {
    const from = (state.selected === UNPLACED ? shape.order.length : shape.position[state.selected]) * STRIDE;
    const next = search.hits.findIndex((hit) => hit >= from);
    search.at = forward ? Math.max(0, next) : next <= 0 ? count - 1 : next - 1;
  } else {
    search.at = (search.at + (forward ? 1 : count - 1)) % count;
  }
  const [index, record] = hitAt(search.at);
  select(index);
  if (record !== null) showRecord(record);
  sayHits();
}

function sayHits() {
  const count = search.hits.length;
  const at = search.at < 0 ? "" : number(search.at + 1) + " of ";
  document.getElementById("hits").textContent = search.query ? at + (count ? many(count, "hit") : "no hits") : "";
  for (const id of ["previous", "next"]) document.getElementById(id).disabled = count === 0;
}
