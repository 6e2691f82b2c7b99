// Keys, buttons and the address of the page.

const state = {
  selected: null, collapsed: new Set(), zoom: null, withInternal: true, minimum: 0, withDescendants: true,
  onlyHits: false, showsAttributes: true,
};
const button = (id, act) => document.getElementById(id).addEventListener("click", act);

function select(index) {
  if (index !== UNPLACED) uncover(index);
  if (state.selected !== index) {
    state.selected = index;
    document.body.classList.add("has-selected");
    showDetails();
    keepAddress();
  }
  const row = tree.at.get(index);
  if (row !== undefined) tree.list.reveal(row);
  markActive();
}

// Delayed, because browsers refuse frequent changes of the address.
let addressTimer = 0;
function keepAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    const span = spans[state.selected];
    const isAlone = span && spans.filter((other) => other.id === span.id).length === 1;
    const hash = span ? "#span=" + span.id + (isAlone ? "" : "&trace=" + span.trace) : "#records";
    try {
      history.replaceState(null, "", hash);
    } catch {
      // The page works without an address.
    }
  }, 150);
}

/** Selects what the address refers to; returns whether it exists. */
function followAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.has("records") && shape.unplaced) return select(UNPLACED), true;
  const isWanted = (span) => span.id === wanted.get("span") && (!wanted.has("trace") || span.trace === wanted.get("trace"));
  const found = spans.find(isWanted);
  if (!found) return false;
  if (found.isInternal && !state.withInternal) showInternal(true);
  select(found.index);
  return true;
}

function drawAll() {
  find(document.getElementById("query").value);
  layTree();
  showDetails();
  sayHits();
}

function showInternal(isShown) {
  state.withInternal = isShown;
  document.getElementById("runner").setAttribute("aria-pressed", String(isShown));
  reshape(isShown);
  if (state.selected !== null && state.selected !== UNPLACED && shape.owner[state.selected] !== state.selected) {
    state.selected = shape.owner[state.selected] < 0 ? null : shape.owner[state.selected];
  }
  if (state.selected === UNPLACED && !shape.unplaced) state.selected = null;
  drawAll();
}

function goToFailure(isNext) {
  const found = failures();
  if (!found.length) return;
  const at = isNext ? found.indexOf(state.selected) + 1 : 0;
  select(found[at % found.length]);
  tree.element.focus();
}

function setAll(isOpen) {
  state.collapsed = new Set(isOpen ? [] : shape.order.filter(hasChildren));
  if (!isOpen && state.selected !== null && state.selected !== UNPLACED) {
    let top = state.selected;
    while (shape.parent[top] >= 0) top = shape.parent[top];
    select(top);
  }
  layTree();
  if (tree.at.has(state.selected)) tree.list.reveal(tree.at.get(state.selected));
}

function toggleZoom() {
  const span = spans[state.selected];
  zoomTo(!state.zoom && span && span.start !== null && tookOf(span) ? span : null);
}

/** Zooms the time axis to a span, or without one to the whole run. */
function zoomTo(span) {
  state.zoom = span ? [span.start, span.end] : null;
  document.getElementById("whole").hidden = !state.zoom;
  drawAxis();
  tree.list.refresh();
  markActive();
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(isChosenDark) {
  if (isChosenDark !== null) document.documentElement.dataset.theme = isChosenDark ? "dark" : "light";
  document.getElementById("theme").textContent = isDark() ? "Light" : "Dark";
}

function setDescendants(isWith) {
  state.withDescendants = isWith;
  showRecordsAnew();
}

function showRecordsAnew() {
  listed.open.clear();
  listed.list.extra.clear();
  showRecords();
}

function toggleHelp() {
  const help = document.getElementById("help");
  if (help.open) help.close();
  else help.showModal();
}

const KEYS = {
  "/": () => document.getElementById("query").select(),
  "n": () => step(true),
  "N": () => step(false),
  "f": () => goToFailure(false),
  "F": () => goToFailure(true),
  "o": () => setDescendants(!state.withDescendants),
  "z": toggleZoom,
  "r": () => document.getElementById("runner").click(),
  "e": () => setAll(true),
  "c": () => setAll(false),
  "t": () => setTheme(!isDark()),
  "?": toggleHelp,
};

function onEscape(focused) {
  const query = document.getElementById("query");
  if (focused === query && query.value === "") tree.element.focus();
  else if (focused === listed.element || focused === about || listed.element.contains(focused)) tree.element.focus();
  else if (query.value !== "") {
    query.value = "";
    onQuery();
    tree.element.focus();
  } else if (state.zoom) toggleZoom();
}

function onQuery() {
  find(document.getElementById("query").value);
  tree.list.refresh();
  markActive();
  listed.list.refresh();
  showRecordsAnew();
  sayHits();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) {
    if (event.key === "?" && document.getElementById("help").open) document.getElementById("help").close();
    return;
  }
  const focused = document.activeElement;
  if (event.key === "Escape") {
    onEscape(focused);
    event.preventDefault();
    return;
  }
  if (focused.id === "query") {
    if (event.key === "Enter") {
      flushQuery();
      step(!event.shiftKey);
      event.preventDefault();
    }
    return;
  }
  if (focused.tagName === "SELECT") return;
  let isDone = false;
  if (focused === tree.element) isDone = onTreeKey(event);
  else if (focused === listed.element) isDone = onRecordKey(event);
  else if (focused === document.body && event.key.startsWith("Arrow")) {
    tree.element.focus();
    isDone = onTreeKey(event);
  }
  if (!isDone && Object.hasOwn(KEYS, event.key)) {
    KEYS[event.key]();
    isDone = true;
  }
  if (isDone) event.preventDefault();
});

let queryTimer = 0;
function flushQuery() {
  if (!queryTimer) return;
  clearTimeout(queryTimer);
  queryTimer = 0;
  onQuery();
}
document.getElementById("query").addEventListener("input", () => {
  clearTimeout(queryTimer);
  queryTimer = setTimeout(flushQuery, 120);
});
button("next", () => step(true));
button("previous", () => step(false));
button("failure", () => goToFailure(false));
button("runner", () => showInternal(!state.withInternal));
button("expand", () => setAll(true));
button("collapse", () => setAll(false));
button("whole", toggleZoom);
button("theme", () => setTheme(!isDark()));
button("help-open", toggleHelp);
button("own", () => setDescendants(false));
button("all", () => setDescendants(true));
button("only-hits", () => {
  state.onlyHits = !state.onlyHits;
  showRecordsAnew();
});
document.getElementById("minimum").addEventListener("change", (event) => {
  state.minimum = Number(event.target.value);
  onQuery();
});
addEventListener("hashchange", followAddress);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(null));
addEventListener("beforeprint", () => setPrinting(true));
addEventListener("afterprint", () => setPrinting(false));
function setPrinting(isPrinting) {
  for (const list of [tree.list, listed.list]) {
    list.isPrinting = isPrinting;
    list.refresh();
  }
}
