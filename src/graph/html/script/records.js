// The list of the selected span's records.

const listed = { element: document.getElementById("records"), rows: [], row: -1, mark: null, open: new Set() };
listed.list = new List(listed.element, 26, renderRecord);

/** Updates the list after the span, a filter or the search changed. */
function showRecords() {
  const index = state.selected, isWhole = withDescendants();
  const all = index === null ? [] : records.filter((record) => isIn(record, index, isWhole));
  const enough = all.filter(isListed);
  const onlyHits = state.onlyHits && search.query;
  listed.rows = onlyHits ? enough.filter(recordHas) : enough;
  listed.row = -1;
  listed.mark = index === null ? null : markOf(index, listed.rows);
  const hasStreams = all.some((record) => record.stream !== null);
  listed.element.classList.toggle("has-streams", hasStreams);
  document.getElementById("stream").hidden = !hasStreams && state.stream === "";
  listed.list.fill(listed.rows.length);
  markRecord();
  for (const [id, counts, words] of [["own", shape.counts, "Records of this span only (o)"],
    ["all", shape.below, "Records of this span and its descendants (o)"]]) {
    const made = document.getElementById(id);
    made.querySelector("b").textContent = index === null ? "0" : number(total(counts, index));
    made.title = words + (index === null ? "" : "\n" + eachLevel(counts, index));
  }
  for (const [id, isPressed] of [["own", !isWhole], ["all", isWhole], ["only-hits", state.onlyHits]]) {
    document.getElementById(id).setAttribute("aria-pressed", String(isPressed));
  }
  document.getElementById("own").disabled = Boolean(nodes[index]?.isGroup);
  document.getElementById("only-hits").hidden = !search.query;
  for (const id of ["copy", "download"]) document.getElementById(id).disabled = !listed.rows.length;
  sayLeftOut(all.length - listed.rows.length, index);
}

/** A group has no records of its own. */
function withDescendants() {
  return state.withDescendants || Boolean(nodes[state.selected]?.isGroup);
}

/** The same with all of them collapsed. */
function showRecordsAnew() {
  listed.open.clear();
  listed.list.extra.clear();
  listed.element.scrollTop = 0;
  showRecords();
}

/** Scrolls to the record that tells why the span failed. */
function revealMark() {
  const row = listed.rows.indexOf(listed.mark);
  if (row >= 0) listed.list.reveal(row);
}

function sayLeftOut(leftOut, index) {
  const known = index === null ? 0 : total(withDescendants() ? shape.below : shape.counts, index);
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
    : withDescendants() || index === UNPLACED ? "Nothing was logged here."
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
  if (record === listed.mark) {
    made.classList.add("is-marked");
    made.setAttribute("aria-current", "true");
  }
  made.dataset.row = row;
  const body = strings[record.body], target = strings[record.target];
  const line = element("div", "line");
  line.append(element("span", "time", since(record.time, spans[record.span])));
  line.append(element("span", "level", level === "unspecified" ? "—" : level));
  line.append(record.stream === null ? put(element("span", "target"), target, { most: 200 }) : element("span", "target stream", record.stream));
  const text = put(element("span", "body"), body, { most: state.isWrapped ? 4000 : 600, isBlock: state.isWrapped });
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
  addFact(facts, "Stream", record.stream);
  addFact(facts, "Target", strings[record.target]);
  addFact(facts, "Event", strings[record.event]);
  if (ownerOf(record) >= 0) addFact(facts, "Span", linkTo(ownerOf(record)));
  addFact(facts, "Span id", record.spanId);
  addFact(facts, "Trace id", record.trace);
  more.append(facts);
  if (record.attributes.length) more.append(attributeTable(record.attributes));
  const link = element("button", "copy-link", "Copy link");
  link.type = "button";
  link.title = "Copy the address of this record in this file";
  link.addEventListener("click", () => copy(addressOf(record), link));
  more.append(link);
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
  keepAddress();
}

/**
 * Shows a record of the selected span, expanded if what was searched is not near the start of the
 * line.
 */
function showRecord(index) {
  const row = listed.rows.findIndex((record) => record.index === index);
  if (row < 0) return false;
  const at = search.pattern ? strings[listed.rows[row].body].search(search.pattern) : -1;
  if (at < 0 || at > 60) toggleRecord(row, true);
  goToRecord(row);
  return true;
}

/** Where the keys begin: at the record that is marked. */
function firstRecord() {
  return Math.max(0, listed.rows.indexOf(listed.mark));
}

function onRecordKey(event) {
  if (!listed.rows.length) return false;
  const row = listed.row < 0 ? firstRecord() : listed.row;
  const to = listed.row < 0 && event.key === "ArrowDown" ? row : moved(event.key, row, listed.list);
  if (to !== null) goToRecord(to);
  else if (event.key === "Enter" || event.key === " ") toggleRecord(row);
  else if (event.key === "ArrowRight") toggleRecord(row, true);
  else if (event.key === "ArrowLeft") toggleRecord(row, false);
  else return false;
  if (to === null) goToRecord(row);
  return true;
}

listed.element.addEventListener("focus", () => {
  if (listed.row < 0 && listed.rows.length && listed.element.matches(":focus-visible")) goToRecord(firstRecord());
});
listed.element.addEventListener("click", (event) => {
  const line = event.target.closest(".line");
  if (!line || String(getSelection())) return;
  const row = Number(line.parentElement.dataset.row);
  toggleRecord(row);
  goToRecord(row);
});
