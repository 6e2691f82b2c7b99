// The rows of the tree, each with its bar on the time axis.

const tree = { element: document.getElementById("tree"), rows: [], at: new Map() };
const axis = { element: tree.element.querySelector(".axis"), ticks: document.getElementById("ticks") };
tree.list = new List(tree.element, 28, renderSpan, axis.element);

/** How an outcome is shown: icon, word, colour. */
function looks(span) {
  const { outcome, containsRed } = span;
  const inside = { ok: "failures inside", failed: "failed inside" }[outcome] ?? outcome + ", failures inside";
  const name = outcome === "ok" && containsRed ? "inside" : outcome.replace(" ", "-");
  return { word: containsRed ? inside : outcome, name };
}

function outcomeOf(span) {
  const { word, name } = looks(span);
  const made = element("span", "outcome o-" + name, null, icon(name));
  if (span.isRed) made.classList.add("is-red");
  made.title = word;
  return made;
}

function hasChildren(index) {
  return index !== UNPLACED && shape.children[index].length > 0;
}

/** Updates the rows after something was expanded, collapsed or hidden. */
function layTree() {
  tree.rows = [];
  for (let at = 0; at < shape.order.length; at++) {
    const index = shape.order[at];
    tree.rows.push(index);
    if (state.collapsed.has(index)) at = shape.last[index];
  }
  if (shape.unplaced) tree.rows.push(UNPLACED);
  tree.at = new Map(tree.rows.map((index, row) => [index, row]));
  tree.list.fill(tree.rows.length);
  markActive();
}

/** Deeper rows are not indented further, and have the number of their level. */
const DEEPEST = 20;

function renderSpan(row) {
  const index = tree.rows[row];
  const made = element("div", "row");
  made.id = "row-" + index;
  made.setAttribute("role", "treeitem");
  made.setAttribute("aria-selected", String(index === state.selected));
  made.dataset.index = index;
  const name = element("div", "name");
  const took = element("div", "took");
  const lane = element("div", "lane");
  made.append(name, took, lane);
  if (index === UNPLACED) {
    made.setAttribute("aria-level", "1");
    name.append(element("span", "twist"), icon("records"), element("span", "title", "Records outside any span"));
    addCounts(name, index);
    return made;
  }
  const span = spans[index], depth = shape.depth[index], siblings = siblingsOf(index);
  const isOpen = !state.collapsed.has(index);
  made.setAttribute("aria-level", String(depth + 1));
  made.setAttribute("aria-posinset", String(siblings.at.get(index) + 1));
  made.setAttribute("aria-setsize", String(siblings.count));
  name.style.paddingLeft = Math.min(depth, DEEPEST) * 14 + 4 + "px";
  const twist = element("span", "twist");
  if (hasChildren(index)) {
    made.setAttribute("aria-expanded", String(isOpen));
    twist.append(icon("open"));
  }
  name.append(twist);
  if (depth > DEEPEST) name.append(element("span", "deep", "level " + number(depth + 1)));
  const { word } = looks(span);
  name.append(outcomeOf(span), put(element("span", "title"), span.title, { most: 300 }));
  name.title = flat(span.title);
  if (word !== "ok") name.append(element("span", "word" + (span.isRed || span.containsRed ? " is-red" : ""), word));
  addCounts(name, index);
  took.textContent = duration(tookOf(span));
  made.setAttribute("aria-label", [flat(span.title), word, took.textContent].join(", "));
  addBar(lane, span);
  return made;
}

/** Cached, because a span with many children would compute them for each visible child. */
const siblingCache = new WeakMap();
function siblingsOf(index) {
  const above = shape.parent[index];
  const list = above < 0 ? shape.order : shape.children[above];
  if (!siblingCache.has(list)) {
    const own = above < 0 ? list.filter((one) => shape.parent[one] < 0) : list;
    siblingCache.set(list, { at: new Map(own.map((one, at) => [one, at])), count: own.length });
  }
  return siblingCache.get(list);
}

/** Adds the counts of a row; a collapsed one includes its descendants. */
function addCounts(name, index) {
  const isWhole = index !== UNPLACED && state.collapsed.has(index);
  const counts = isWhole ? shape.below : shape.counts;
  const sum = total(counts, index);
  const hits = search.pattern ? (isWhole ? search.below : search.own)[index] : 0;
  if (!sum && !hits) return;
  const made = element("span", "counts");
  const of = (from, to) => total(counts, index, from) - (to < LEVELS ? total(counts, index, to) : 0);
  const add = (count, classes, word) => {
    if (count) made.append(element("span", classes, number(count) + " " + word));
  };
  add(hits, "count c-hit", hits === 1 ? "hit" : "hits");
  add(of(5, 7), "count c-error", "err");
  add(of(4, 5), "count c-warn", "warn");
  add(sum, "count", sum === 1 ? "log" : "logs");
  made.title = eachLevel(counts, index) + (isWhole ? " (with descendants)" : "");
  name.append(made);
}

/** `1 error, 12 info`, the most severe first. */
function eachLevel(counts, index) {
  const each = levels.map((word, level) => [counts[index * LEVELS + level], word]).filter(([count]) => count);
  return each.reverse().map(([count, word]) => number(count) + " " + word).join(", ");
}

function addBar(lane, span) {
  if (span.start === null) return;
  const [from, to] = state.zoom ?? [run.start, run.end];
  const isOpen = span.outcome === "running";
  const end = isOpen ? run.end : Math.max(span.start, span.end ?? span.start);
  if (end < from || span.start > to) {
    lane.append(element("span", "beyond", span.start > to ? "›" : "‹"));
    return;
  }
  const share = (at) => ((Math.min(to, Math.max(from, at)) - from) / (to - from)) * 100;
  const bar = element("span", "bar b-" + looks(span).name);
  if (span.isRed && !span.containsRed) bar.classList.add("is-red");
  if (span.isRed && span.containsRed) bar.classList.add("is-red", "is-inside");
  if (span.containsRed) bar.classList.add("has-red");
  const left = share(span.start);
  bar.style.left = "min(" + left + "%, 100% - 3px)";
  bar.style.width = "max(3px, " + (share(end) - left) + "%)";
  lane.append(bar);
}

/** Draws ticks at round times, as far apart as their labels need. */
function drawAxis() {
  const width = axis.ticks.clientWidth;
  if (!width || !run.took) return;
  const [from, to] = (state.zoom ?? [run.start, run.end]).map((at) => at - run.start);
  const least = ((to - from) / width) * 84;
  const power = 10 ** Math.floor(Math.log10(least));
  const sizes = least < 1e10
    ? [1, 2, 5, 10, 20].map((size) => size * power)
    : [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400].map((size) => size * 1e9);
  const size = sizes.find((size) => size >= least) ?? Math.ceil(least / 86400e9) * 86400e9;
  const first = Math.ceil(from / size) * size, pixels = width / (to - from);
  axis.ticks.textContent = "";
  for (let at = first; at <= to; at += size) {
    const left = (at - from) * pixels;
    const made = element("span", left > width - 50 ? "tick at-end" : "tick", tick(at));
    made.style.left = left + "px";
    axis.ticks.append(made);
  }
  tree.element.style.setProperty("--step", size * pixels + "px");
  tree.element.style.setProperty("--first", (first - from) * pixels + "px");
}
new ResizeObserver(drawAxis).observe(axis.ticks);

function markActive() {
  const row = tree.at.get(state.selected);
  for (const [, made] of tree.list.drawn) {
    made.setAttribute("aria-selected", String(Number(made.dataset.index) === state.selected));
  }
  if (row === undefined) tree.element.removeAttribute("aria-activedescendant");
  else tree.element.setAttribute("aria-activedescendant", "row-" + state.selected);
}

function setOpen(index, isOpen) {
  if (!hasChildren(index) || state.collapsed.has(index) !== isOpen) return;
  if (isOpen) state.collapsed.delete(index);
  else state.collapsed.add(index);
  layTree();
}

/** Expands the ancestors of a span. */
function uncover(index) {
  let isChanged = false;
  for (let above = shape.parent[index] ?? -1; above >= 0; above = shape.parent[above]) {
    isChanged = state.collapsed.delete(above) || isChanged;
  }
  if (isChanged) layTree();
}

function onTreeKey(event) {
  const row = tree.at.get(state.selected) ?? 0, index = tree.rows[row];
  if (index === undefined) return false;
  const to = moved(event.key, row, tree.list);
  if (to !== null) {
    select(tree.rows[to]);
  } else if (event.key === "ArrowRight" && hasChildren(index)) {
    if (state.collapsed.has(index)) setOpen(index, true);
    else select(shape.children[index][0]);
  } else if (event.key === "ArrowLeft" && index !== UNPLACED) {
    if (hasChildren(index) && !state.collapsed.has(index)) setOpen(index, false);
    else if (shape.parent[index] >= 0) select(shape.parent[index]);
  } else if (event.key === " ") {
    setOpen(index, state.collapsed.has(index));
  } else if (event.key === "Enter") {
    document.getElementById(listed.rows.length ? "records" : "about").focus();
  } else {
    return event.key.startsWith("Arrow");
  }
  return true;
}

tree.element.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (!row) return;
  const index = Number(row.dataset.index);
  if (event.target.closest(".twist") && hasChildren(index)) setOpen(index, state.collapsed.has(index));
  else select(index);
});
tree.element.addEventListener("dblclick", (event) => {
  const row = event.target.closest(".row");
  if (row && !event.target.closest(".twist")) setOpen(Number(row.dataset.index), state.collapsed.has(Number(row.dataset.index)));
});
