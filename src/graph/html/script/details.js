// The details of the selected span, and its records.

const about = document.getElementById("about");
const listed = { element: document.getElementById("records"), rows: [], row: -1, open: new Set() };
listed.list = new List(listed.element, 26, renderRecord);

/** Longer texts are truncated until the user asks for all of it. */
const LONGEST = 20000;

function putLong(into, text) {
  put(into, text, { most: LONGEST, isBlock: true });
  if (text.length <= LONGEST) return into;
  const all = element("button", "link", "Show all " + number(text.length) + " characters");
  all.type = "button";
  all.addEventListener("click", (event) => {
    event.stopPropagation();
    into.textContent = "";
    put(into, text, { isBlock: true });
    listed.list.refresh();
  });
  into.append(all);
  return into;
}

function addFact(into, name, value) {
  if (value === null || value === "") return;
  const shown = value instanceof Node ? element("dd", "", null, value) : put(element("dd"), value, { most: 2000 });
  into.append(element("dt", "", name), shown);
}

function attributeTable(attributes) {
  const made = element("dl", "attributes");
  for (let at = 0; at < attributes.length; at += 2) {
    made.append(
      put(element("dt"), strings[attributes[at]], { most: 300 }),
      putLong(element("dd"), strings[attributes[at + 1]]),
    );
  }
  return made;
}

function linkTo(index) {
  const made = put(element("button", "link"), spans[index].title, { most: 120 });
  made.type = "button";
  made.addEventListener("click", (event) => {
    event.stopPropagation();
    select(index);
    tree.element.focus();
  });
  return made;
}

function showDetails() {
  about.textContent = "";
  const index = state.selected;
  if (index === null) {
    about.append(element("p", "empty", "Select a span to see its records."));
  } else if (index === UNPLACED) {
    about.append(element("h2", "", "Records outside any span"));
    about.append(element("p", "quiet", "These records have no span, or one that is not in this report."));
  } else {
    describe(spans[index]);
  }
  about.scrollTop = 0;
  listed.open.clear();
  listed.list.extra.clear();
  listed.element.scrollTop = 0;
  showRecords();
}

function describe(span) {
  const { word } = looks(span);
  const badge = element("span", "badge" + (span.isRed ? " is-red" : "") + " o-" + looks(span).name, null, outcomeOf(span), word);
  const heading = element("div", "heading", null, badge, put(element("h2"), span.title, { most: 1000 }));
  if (span.start !== null && tookOf(span)) {
    const zoom = element("button", "zoom", "Zoom");
    zoom.type = "button";
    zoom.title = "Zoom the time axis to this span (z)";
    zoom.addEventListener("click", () => zoomTo(span));
    heading.append(zoom);
  }
  about.append(heading);
  if (span.message !== "") {
    about.append(putLong(element("pre", "message" + (span.isRed ? " is-red" : "")), span.message));
  }
  const facts = element("dl", "pairs");
  addFact(facts, "Duration", duration(tookOf(span)));
  addFact(facts, "Start", span.start === null ? "unknown" : since(span.start) + "   " + clock(span.start));
  addFact(facts, "End", span.end === null ? "none" : since(span.end) + "   " + clock(span.end));
  if (span.title !== span.name) addFact(facts, "Name", span.name);
  // Tool, operation and execution are among the attributes.
  addFact(facts, "Service", span.service);
  const above = shape.parent[span.index];
  if (above >= 0) addFact(facts, "Parent", linkTo(above));
  else if (span.parentId) addFact(facts, "Parent", span.parentId + " (not in this report)");
  addFact(facts, "Span id", span.id);
  addFact(facts, "Trace id", span.trace);
  about.append(facts);
  if (span.attributes.length) {
    const more = element("details", "more-attributes");
    more.open = state.showsAttributes;
    more.addEventListener("toggle", () => (state.showsAttributes = more.open));
    more.append(element("summary", "", "Attributes (" + span.attributes.length / 2 + ")"), attributeTable(span.attributes));
    about.append(more);
  }
}

/** Updates the list of records after the span, the level or the search changed. */
function showRecords() {
  const index = state.selected;
  const isShown = (record) => isIn(record, index, state.withDescendants);
  const all = index === null ? [] : records.filter(isShown);
  const enough = all.filter((record) => record.level >= state.minimum);
  const onlyHits = state.onlyHits && search.pattern;
  listed.rows = onlyHits ? enough.filter(recordHas) : enough;
  listed.row = -1;
  listed.list.fill(listed.rows.length);
  markRecord();
  for (const [id, counts, words] of [["own", shape.counts, "Records of this span only (o)"],
    ["all", shape.below, "Records of this span and its descendants (o)"]]) {
    const made = document.getElementById(id);
    made.querySelector("b").textContent = index === null ? "0" : number(total(counts, index));
    made.title = words + (index === null ? "" : "\n" + eachLevel(counts, index));
  }
  for (const [id, isPressed] of [["own", !state.withDescendants], ["all", state.withDescendants], ["only-hits", state.onlyHits]]) {
    document.getElementById(id).setAttribute("aria-pressed", String(isPressed));
  }
  document.getElementById("only-hits").hidden = !search.pattern;
  sayLeftOut(all.length - listed.rows.length, index);
}

function sayLeftOut(leftOut, index) {
  const known = index === null ? 0 : total(state.withDescendants ? shape.below : shape.counts, index);
  const unkept = index === null ? 0 : known - (listed.rows.length + leftOut);
  const said = [];
  if (leftOut) said.push(number(leftOut) + " hidden by the filter");
  if (unkept > 0) said.push(number(unkept) + " counted, not stored");
  document.getElementById("left-out").textContent = said.join(", ");
  const empty = document.getElementById("no-records");
  empty.hidden = listed.rows.length > 0 || index === null;
  listed.element.hidden = !empty.hidden;
  empty.textContent = leftOut ? "The filter hides every record here."
    : unkept > 0 ? "Records were counted here, but not stored."
    : state.withDescendants || index === UNPLACED ? "Nothing was logged here."
    : "Nothing was logged in this span itself.";
}

function renderRecord(row) {
  const record = listed.rows[row], isOpen = listed.open.has(record.index), level = levels[record.level];
  const made = element("div", "record l-" + level);
  made.id = "record-" + record.index;
  made.setAttribute("role", "treeitem");
  made.setAttribute("aria-level", "1");
  made.setAttribute("aria-setsize", String(listed.rows.length));
  made.setAttribute("aria-posinset", String(row + 1));
  made.setAttribute("aria-expanded", String(isOpen));
  made.setAttribute("aria-selected", String(row === listed.row));
  made.dataset.row = row;
  const body = strings[record.body], target = strings[record.target];
  const line = element("div", "line");
  line.append(element("span", "time", since(record.time)), element("span", "level", level === "unspecified" ? "—" : level));
  line.append(put(element("span", "target"), target, { most: 200 }));
  const text = put(element("span", "body"), body, { most: 600 });
  if (body === "") text.append(element("i", "quiet", strings[record.event] || "no message"));
  line.append(text);
  line.title = flat(target);
  made.append(line);
  if (isOpen) made.append(moreOf(record, body));
  return made;
}

function moreOf(record, body) {
  const more = element("div", "more");
  more.append(putLong(element("pre"), body));
  const facts = element("dl", "pairs");
  addFact(facts, "Time", clock(record.time));
  addFact(facts, "Target", strings[record.target]);
  addFact(facts, "Event", strings[record.event]);
  if (record.span >= 0 && shape.owner[record.span] >= 0) addFact(facts, "Span", linkTo(shape.owner[record.span]));
  addFact(facts, "Span id", record.spanId);
  addFact(facts, "Trace id", record.trace);
  more.append(facts);
  if (record.attributes.length) more.append(attributeTable(record.attributes));
  return more;
}

function toggleRecord(row, isOpen = !listed.open.has(listed.rows[row].index)) {
  const { index } = listed.rows[row];
  if (isOpen === listed.open.has(index)) return;
  if (isOpen) {
    listed.open.add(index);
    listed.list.extra.set(row, 0);
  } else {
    listed.open.delete(index);
    listed.list.extra.delete(row);
  }
  listed.list.refresh();
}

function markRecord() {
  for (const [row, made] of listed.list.drawn) made.setAttribute("aria-selected", String(row === listed.row));
  const record = listed.rows[listed.row];
  if (record) listed.element.setAttribute("aria-activedescendant", "record-" + record.index);
  else listed.element.removeAttribute("aria-activedescendant");
}

function goToRecord(row) {
  listed.row = row;
  listed.list.reveal(row);
  markRecord();
}

/** Shows a record of the selected span, expanded if its hit is not near the start of the line. */
function showRecord(index) {
  const row = listed.rows.findIndex((record) => record.index === index);
  if (row < 0) return;
  const { body } = listed.rows[row];
  const at = strings[body].search(search.pattern);
  if (at < 0 || at > 60) toggleRecord(row, true);
  goToRecord(row);
}

function onRecordKey(event) {
  if (!listed.rows.length) return false;
  const row = Math.max(0, listed.row), to = listed.row < 0 && event.key === "ArrowDown" ? 0 : moved(event.key, row, listed.list);
  if (to !== null) goToRecord(to);
  else if (event.key === "Enter" || event.key === " ") toggleRecord(row);
  else if (event.key === "ArrowRight") toggleRecord(row, true);
  else if (event.key === "ArrowLeft") toggleRecord(row, false);
  else return false;
  if (to === null) goToRecord(row);
  return true;
}

listed.element.addEventListener("focus", () => {
  if (listed.row < 0 && listed.rows.length && listed.element.matches(":focus-visible")) goToRecord(0);
});
listed.element.addEventListener("click", (event) => {
  const line = event.target.closest(".line");
  if (!line || String(getSelection())) return;
  const row = Number(line.parentElement.dataset.row);
  toggleRecord(row);
  goToRecord(row);
});
