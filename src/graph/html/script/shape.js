// The tree as it is shown: without what is hidden, and with groups between parents and members.

/**
 * By number of the node. `owner` of a span: the node at which its records are shown, or one of
 * these.
 */
const NO_OWNER = -1, OTHER_JOB = -2;
const shape = {
  order: [], children: [], counts: new Float64Array(0), below: new Float64Array(0), unplaced: 0,
  owner: new Int32Array(nodes.length), parent: new Int32Array(nodes.length), position: new Int32Array(nodes.length),
  last: new Int32Array(nodes.length), depth: new Int32Array(nodes.length),
};

/**
 * Children of hidden spans move up to the nearest ancestor that is shown, and so do their records.
 */
function reshape(withInternal, job) {
  const { owner, parent } = shape, roots = [];
  const isShown = (span) => (withInternal || !span.isInternal) && (job === null || span.job === job);
  const groupOf = shownGroups(isShown);
  shape.children = nodes.map(() => []);
  parent.fill(-1);
  for (const span of spans) {
    const { index } = span, above = span.parent < 0 ? NO_OWNER : owner[span.parent];
    owner[index] = job !== null && span.job !== job ? OTHER_JOB : isShown(span) ? index : above;
    parent[index] = above;
    if (owner[index] !== index) continue;
    // With its first member, a group is put between the members and their parent.
    let at = index, isNew = true;
    for (let group = groupOf.get(at); isNew && group !== undefined; group = groupOf.get(at)) {
      isNew = shape.children[group].length === 0;
      shape.children[group].push(at);
      parent[at] = group;
      at = group;
    }
    if (!isNew) continue;
    parent[at] = above;
    (above < 0 ? roots : shape.children[above]).push(at);
  }
  const byStart = (a, b) => (nodes[a].start ?? -1) - (nodes[b].start ?? -1) || a - b;
  for (const siblings of [roots, ...shape.children]) siblings.sort(byStart);
  order(roots);
  count(job);
}

/**
 * The group of each node that is in one. A group of which only one member is shown is not needed.
 */
function shownGroups(isShown) {
  const groupOf = new Map(), standIn = new Map();
  for (const { index, members } of nodes.slice(UNPLACED + 1)) {
    const shown = members.map((member) => (member < UNPLACED ? (isShown(spans[member]) ? member : null) : standIn.get(member)));
    const found = shown.filter((member) => member !== null);
    standIn.set(index, found.length > 1 ? index : found[0] ?? null);
    if (found.length > 1) for (const member of found) groupOf.set(member, index);
  }
  return groupOf;
}

/** Each node before its children. */
function order(roots) {
  const { parent, position, last, depth } = shape;
  shape.order = [];
  const open = roots.reverse();
  while (open.length) {
    const index = open.pop();
    position[index] = last[index] = shape.order.length;
    depth[index] = parent[index] < 0 ? 0 : depth[parent[index]] + 1;
    shape.order.push(index);
    for (let child = shape.children[index].length; child--; ) open.push(shape.children[index][child]);
  }
  for (let at = shape.order.length; at--; ) {
    const index = shape.order[at], above = parent[index];
    if (above >= 0) last[above] = Math.max(last[above], last[index]);
  }
}

/** How many records of each level: a node's own, and including those of its descendants. */
function count(job) {
  shape.counts = new Float64Array(nodes.length * LEVELS);
  const place = (span) => (span < 0 || shape.owner[span] === NO_OWNER ? UNPLACED : shape.owner[span]);
  const add = (span, level, more) => {
    const at = place(span);
    if (at >= 0) shape.counts[at * LEVELS + level] += more;
  };
  for (const record of records) add(record.span, record.level, 1);
  for (const span of spans) {
    // Records that were counted but not stored.
    if (span.counted) span.counted.forEach((more, level) => add(span.index, level, more));
  }
  shape.below = shape.counts.slice();
  for (let at = shape.order.length; at--; ) {
    const index = shape.order[at], above = shape.parent[index];
    if (above < 0) continue;
    for (let level = 0; level < LEVELS; level++) {
      shape.below[above * LEVELS + level] += shape.below[index * LEVELS + level];
    }
  }
  shape.unplaced = job === null ? total(shape.counts, UNPLACED) : 0;
}

function total(counts, index, least = 0) {
  let sum = 0;
  for (let level = least; level < LEVELS; level++) sum += counts[index * LEVELS + level];
  return sum;
}

/** The node at which a record is shown. */
function ownerOf(record) {
  return record.span < 0 ? NO_OWNER : shape.owner[record.span];
}

/** Whether a record belongs to a row. */
function isIn(record, index, withDescendants) {
  const owner = ownerOf(record);
  if (index === UNPLACED) return owner === NO_OWNER;
  if (owner < 0) return false;
  if (!withDescendants) return owner === index;
  return isWithin(owner, index);
}

/** Whether a node is another one or a descendant of it. */
function isWithin(index, ancestor) {
  const at = shape.position[index];
  return at >= shape.position[ancestor] && at <= shape.last[ancestor];
}

function hasChildren(index) {
  return index !== UNPLACED && shape.children[index].length > 0;
}
