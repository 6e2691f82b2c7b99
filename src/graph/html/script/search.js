// Searches spans and records: finds the strings that match, and from these the hits in the order of the tree.

const search = { pattern: null, matches: null, hits: new Float64Array(0), at: -1, own: null, below: null };

/** Ignores case. The same pattern highlights the hits on the page. */
function patternOf(query) {
  return query === "" ? null : new RegExp(query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
}

function hasHit(...indexes) {
  return indexes.some((index) => index !== null && search.matches[index] === 1);
}

/** Attributes are pairs of keys and values; only values are searched, or every record would match `id`. */
function hasHitInValues(attributes) {
  for (let at = 1; at < attributes.length; at += 2) if (search.matches[attributes[at]] === 1) return true;
  return false;
}

function spanHas(span) {
  if (hasHit(...span.texts) || hasHitInValues(span.attributes)) return true;
  return isHit(span.title) || isHit(span.id) || isHit(span.trace);
}

function isHit(text) {
  search.pattern.lastIndex = 0;
  return search.pattern.test(text);
}

function recordHas(record) {
  return hasHit(record.body, record.target, record.event) || hasHitInValues(record.attributes);
}

/** Hits as numbers that sort by row of the tree, a span before its records, these by time. */
const STRIDE = records.length + 1;

function find(query) {
  search.pattern = patternOf(query);
  search.own = new Uint32Array(spans.length + 1);
  search.below = search.own;
  search.hits = new Float64Array(0);
  search.at = -1;
  if (!search.pattern) return;
  search.matches = Uint8Array.from(strings, (text) => (isHit(text) ? 1 : 0));
  const hits = [];
  const add = (index, rest) => {
    hits.push((index === UNPLACED ? shape.order.length : shape.position[index]) * STRIDE + rest);
    search.own[index]++;
  };
  for (const index of shape.order) if (spanHas(spans[index])) add(index, 0);
  for (const record of records) {
    if (record.level < state.minimum || !recordHas(record)) continue;
    const owner = record.span < 0 ? -1 : shape.owner[record.span];
    add(owner < 0 ? UNPLACED : owner, record.index + 1);
  }
  search.hits = Float64Array.from(hits).sort();
  search.below = search.own.slice();
  for (let at = shape.order.length; at--; ) {
    const above = shape.parent[shape.order[at]];
    if (above >= 0) search.below[above] += search.below[shape.order[at]];
  }
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
  document.getElementById("hits").textContent = search.pattern ? at + (count ? many(count, "hit") : "no hits") : "";
  for (const id of ["previous", "next"]) document.getElementById(id).disabled = count === 0;
}
