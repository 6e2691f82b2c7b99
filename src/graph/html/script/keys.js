// Keys and buttons.

const button = (id, act) => document.getElementById(id).addEventListener("click", act);

const KEYS = {
  "/": () => document.getElementById("query").select(),
  "n": () => step(true),
  "N": () => step(false),
  "f": () => goToFailure(false),
  "F": () => goToFailure(true),
  "x": () => setOnlyFailures(!state.onlyFailures),
  "o": () => setDescendants(!state.withDescendants),
  "z": toggleZoom,
  "p": zoomToParent,
  "+": () => zoomBy(0.5),
  "-": () => zoomBy(2),
  "r": () => document.getElementById("runner").click(),
  "e": () => setAll(true),
  "c": () => setAll(false),
  "w": () => setWrapped(!state.isWrapped),
  "y": () => document.getElementById("copy").click(),
  "d": () => document.getElementById("download").click(),
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
  } else if (state.zoom) zoomTo(null);
}

/** Updates what is on the page, the selected span included, after the query or a filter changed. */
function onQuery() {
  find(document.getElementById("query").value);
  tree.list.refresh();
  markActive();
  describe();
  showRecordsAnew();
  revealMark();
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
button("only-failures", () => setOnlyFailures(!state.onlyFailures));
button("runner", () => showInternal(!state.withInternal));
button("expand", () => setAll(true));
button("collapse", () => setAll(false));
button("whole", () => zoomTo(null));
button("theme", () => setTheme(!isDark()));
button("help-open", toggleHelp);
button("own", () => setDescendants(false));
button("all", () => setDescendants(true));
button("wrap", () => setWrapped(!state.isWrapped));
button("copy", (event) => copy(logText(), event.currentTarget));
button("download", download);
button("only-hits", () => {
  state.onlyHits = !state.onlyHits;
  showRecordsAnew();
});
document.getElementById("minimum").addEventListener("change", (event) => {
  state.minimum = Number(event.target.value);
  onQuery();
});
document.getElementById("stream").addEventListener("change", (event) => {
  state.stream = event.target.value;
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
