// What is selected and shown, and the address of the page.

const state = {
  selected: null, collapsed: new Set(), zoom: null, job: null, withInternal: true, onlyFailures: false, minimum: 0, stream: "",
  withDescendants: true, onlyHits: false, isWrapped: false, unfolded: new Set(["events", "links", "attributes"]),
};

/** Selects a row of the tree, and shows it whatever hides it. */
function select(index) {
  if (index !== UNPLACED) {
    if (shape.owner[index] === OTHER_JOB) pickJob(null);
    uncover(index);
  }
  if (state.onlyFailures && !tree.at.has(index)) setOnlyFailures(false);
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

/** The part of the address that leads to a span, and to one of its records. */
function hashOf(index, record) {
  const span = spans[index];
  if (!span) return index === UNPLACED ? "#records" : "";
  const isAlone = spans.filter((other) => other.id === span.id).length === 1;
  return "#span=" + span.id + (isAlone ? "" : "&trace=" + span.trace) + (record ? "&record=" + record.index : "");
}

function addressOf(record) {
  return location.href.split("#")[0] + hashOf(state.selected, record);
}

// Delayed, because browsers refuse frequent changes of the address.
let addressTimer = 0;
function keepAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    try {
      history.replaceState(null, "", hashOf(state.selected, listed.rows[listed.row]) || location.pathname);
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
  const record = records[wanted.get("record") ?? -1];
  if (record && isIn(record, found.index, true)) {
    showAllRecords();
    showRecord(record.index);
  }
  return true;
}

/** Without the filters that could hide a record. */
function showAllRecords() {
  Object.assign(state, { minimum: 0, stream: "", withDescendants: true, onlyHits: false });
  document.getElementById("minimum").value = "0";
  document.getElementById("stream").value = "";
  showRecordsAnew();
}

/** Updates the tree after other spans are shown. */
function reshapeTree() {
  reshape(state.withInternal, state.job);
  if (state.selected !== null && !isShown(state.selected)) {
    const owner = shape.owner[state.selected] ?? -1;
    state.selected = state.selected < UNPLACED && owner >= 0 ? owner : null;
  }
  find(document.getElementById("query").value);
  layTree();
  if (state.selected === null) select(firstOfAll() ?? null);
  showDetails();
  if (tree.at.has(state.selected)) tree.list.reveal(tree.at.get(state.selected));
  sayFailures();
  sayHits();
}

function isShown(index) {
  if (index === UNPLACED) return shape.unplaced > 0;
  return nodes[index].isGroup ? hasChildren(index) : shape.owner[index] === index;
}

function showInternal(isShown) {
  state.withInternal = isShown;
  document.getElementById("runner").setAttribute("aria-pressed", String(isShown));
  reshapeTree();
}

function setOnlyFailures(isOnly) {
  state.onlyFailures = isOnly;
  document.getElementById("only-failures").setAttribute("aria-pressed", String(isOnly));
  layTree();
  if (isOnly && !tree.at.has(state.selected)) select(failures()[0] ?? tree.rows[0]);
  else if (tree.at.has(state.selected)) tree.list.reveal(tree.at.get(state.selected));
}

function goToFailure(isNext) {
  const found = failures();
  if (!found.length) return;
  const at = isNext ? found.indexOf(state.selected) + 1 : 0;
  select(found[at % found.length]);
  revealMark();
  tree.element.focus();
}

/**
 * Shows how many failures there are; those that were recovered from count only if there are no
 * others.
 */
function sayFailures() {
  const all = failures().length, button = document.getElementById("failure");
  button.hidden = document.getElementById("only-failures").hidden = all === 0;
  button.querySelector("b").textContent = number(ownFailures().length || all);
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

function setDescendants(isWith) {
  state.withDescendants = isWith;
  showRecordsAnew();
  revealMark();
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(isChosenDark) {
  if (isChosenDark !== null) document.documentElement.dataset.theme = isChosenDark ? "dark" : "light";
  document.getElementById("theme").textContent = isDark() ? "Light" : "Dark";
}

function toggleHelp() {
  const help = document.getElementById("help");
  if (help.open) help.close();
  else help.showModal();
}
