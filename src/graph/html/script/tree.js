// The rows of the tree.

const tree = { element: document.getElementById("tree"), rows: [], at: new Map() };
tree.list = new List(tree.element, 28, renderSpan);

/** How an outcome is shown: icon, word, colour. */
function looks(node) {
  const { outcome, isRecovered, containsRed } = node;
  const isInside = containsRed && (node.isGroup ? isBad(node) && outcome === "ok" : node.propagates || outcome !== "failed");
  const name = outcome === "ok" && isInside ? "inside" : outcome.replace(" ", "-");
  if (node.isGroup) return { word: groupWords(node), name };
  const inside = outcome === "ok" || outcome === "failed" ? "failed inside" : outcome + ", failed inside";
  const word = isInside ? inside : outcome;
  return { word: isRecovered ? word + ", recovered" : word, name };
}

function outcomeOf(node) {
  const { word, name } = looks(node);
  const made = element("span", "outcome o-" + name + (node.isRecovered ? " is-recovered" : ""), null, icon(name));
  made.title = word;
  return made;
}

/** Whether something failed, and was not recovered from. */
function isRedRow(node) {
  return node.isRed ? !node.isRecovered : Boolean(node.containsRed) && node.outcome !== "ok";
}

/** Updates the rows after something was expanded, collapsed, filtered or hidden. */
function layTree() {
  tree.rows = [];
  for (let at = 0; at < shape.order.length; at++) {
    const index = shape.order[at], above = shape.parent[index], node = nodes[index];
    const isFolded = above >= 0 && nodes[above].isGroup && state.collapsed.has(above) && !staysVisible(index);
    if (isFolded || (state.onlyFailures && !node.isRed && !node.containsRed)) {
      at = shape.last[index];
      continue;
    }
    tree.rows.push(index);
    // A collapsed group still shows the members that failed.
    if (state.collapsed.has(index) && !node.isGroup) at = shape.last[index];
  }
  if (shape.unplaced && !state.onlyFailures) tree.rows.push(UNPLACED);
  tree.at = new Map(tree.rows.map((index, row) => [index, row]));
  tree.list.fill(tree.rows.length);
  markActive();
}

/** Deeper rows are not indented further, and have the number of their level. */
const DEEPEST = 20;

function renderSpan(row) {
  const index = tree.rows[row], node = nodes[index];
  const made = element("div", "row");
  made.id = "row-" + index;
  made.setAttribute("role", "treeitem");
  made.setAttribute("aria-selected", String(index === state.selected));
  made.dataset.index = index;
  const name = element("div", "name"), took = element("div", "took"), lane = element("div", "lane");
  made.append(name, took, lane);
  if (index === UNPLACED) {
    made.setAttribute("aria-level", "1");
    name.append(element("span", "twist"), icon("records"), element("span", "title", node.title));
    addCounts(name, index);
    return made;
  }
  const depth = shape.depth[index], siblings = siblingsOf(index);
  made.setAttribute("aria-level", String(depth + 1));
  made.setAttribute("aria-posinset", String(siblings.at.get(index) + 1));
  made.setAttribute("aria-setsize", String(siblings.count));
  name.style.paddingLeft = Math.min(depth, DEEPEST) * 14 + 4 + "px";
  const twist = element("span", "twist");
  if (hasChildren(index)) {
    made.setAttribute("aria-expanded", String(!state.collapsed.has(index)));
    twist.append(icon("open"));
  }
  name.append(twist);
  if (depth > DEEPEST) name.append(element("span", "deep", "level " + number(depth + 1)));
  const { word } = looks(node);
  name.append(outcomeOf(node), titleOf(node));
  name.title = flat(node.title) + (node.isGroup ? "\n" + word : "");
  if (word !== "ok") name.append(element("span", "word" + (isRedRow(node) ? " is-red" : ""), word));
  addCounts(name, index);
  took.textContent = duration(tookOf(node));
  addBar(lane, node);
  return made;
}

/** The label tells a span apart from others, so it is cut last. */
const LABELLED = /^(.{1,200})( \([^()]{1,98}\))$/s;

function titleOf(node) {
  const [, main, label] = LABELLED.exec(node.title) ?? [];
  if (!label) return put(element("span", "title"), node.title, { most: 300 });
  return element("span", "title is-labelled", null, put(element("span", "main"), main), put(element("span", "label"), label));
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
  const errors = total(counts, index, ERROR), warnings = total(counts, index, ERROR - 1) - errors;
  const others = total(counts, index) - errors - warnings;
  const hits = search.query ? (isWhole ? search.below : search.own)[index] : 0;
  if (!errors && !warnings && !others && !hits) return;
  const made = element("span", "counts");
  const add = (count, classes, text) => {
    if (count) made.append(element("span", classes, text));
  };
  add(hits, "count c-hit", many(hits, "hit"));
  add(errors, "count c-error", many(errors, "error"));
  add(warnings, "count c-warn", many(warnings, "warning"));
  // Hits, and the words of a group, matter more.
  if (!hits && !nodes[index].isGroup) add(others, "count", errors || warnings ? number(others) + " other" : many(others, "record"));
  made.title = eachLevel(counts, index) + (isWhole ? " (with descendants)" : "");
  name.append(made);
}

/** `1 error, 12 info`, the most severe first. */
function eachLevel(counts, index) {
  const each = levels.map((word, level) => [counts[index * LEVELS + level], word]).filter(([count]) => count);
  return each.reverse().map(([count, word]) => number(count) + " " + word).join(", ");
}

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

/** Expands the ancestors of a node that hide it. */
function uncover(index) {
  let isChanged = false;
  for (let at = index, above = shape.parent[at]; above >= 0; at = above, above = shape.parent[at]) {
    if (nodes[above].isGroup && staysVisible(at)) continue;
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
    else select(shape.children[index].find((child) => tree.at.has(child)) ?? index);
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
  if (!row || drag.isDone) return;
  const index = Number(row.dataset.index);
  if (event.target.closest(".twist") && hasChildren(index)) setOpen(index, state.collapsed.has(index));
  else select(index);
});
tree.element.addEventListener("dblclick", (event) => {
  const row = event.target.closest(".row");
  if (row && !event.target.closest(".twist")) setOpen(Number(row.dataset.index), state.collapsed.has(Number(row.dataset.index)));
});
