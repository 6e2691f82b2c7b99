// The details of the selected span, what matters first: how it ended, why, with which command; ids
// and times last.

const about = document.getElementById("about");

/** Longer texts are truncated until the user asks for all of it. */
const LONGEST = 20000;

function putLong(into, text, pattern) {
  put(into, text, { most: LONGEST, isBlock: true, pattern });
  if (text.length <= LONGEST) return into;
  const all = element("button", "link", "Show all " + number(text.length) + " characters");
  all.type = "button";
  all.addEventListener("click", (event) => {
    event.stopPropagation();
    into.textContent = "";
    put(into, text, { isBlock: true, pattern });
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
      putLong(element("dd"), strings[attributes[at + 1]], valuePattern(attributes[at])),
    );
  }
  return made;
}

/** A button that selects a row of the tree. */
function linkTo(index) {
  const made = put(element("button", "link"), nodes[index].title, { most: 120 });
  made.type = "button";
  made.addEventListener("click", (event) => {
    event.stopPropagation();
    select(index);
    tree.element.focus();
  });
  return made;
}

/** A part that stays folded or unfolded when another span is selected. */
function foldable(name, summary, ...children) {
  const made = element("details", "fold", null, element("summary", "", summary), ...children);
  made.open = state.unfolded.has(name);
  made.addEventListener("toggle", () => (made.open ? state.unfolded.add(name) : state.unfolded.delete(name)));
  return made;
}

/** Shows another span, with its records. */
function showDetails() {
  describe();
  about.scrollTop = 0;
  showRecordsAnew();
  revealMark();
}

function describe() {
  const scrolled = about.scrollTop, index = state.selected, node = nodes[index];
  about.textContent = "";
  if (!node) {
    about.append(element("p", "empty", "Select a span to see its records."));
  } else if (index === UNPLACED) {
    about.append(element("h2", "", node.title));
    about.append(element("p", "quiet", "These records have no span, or one that is not in this report."));
  } else {
    about.append(headingOf(node));
    if (node.isGroup) about.append(memberTable(node));
    else describeSpan(node);
  }
  about.scrollTop = scrolled;
}

function headingOf(node) {
  const { word, name } = looks(node);
  const badge = element("span", "badge" + (node.isRed ? " is-red" : "") + " o-" + name, null, outcomeOf(node), word);
  const heading = element("div", "heading", null, badge, put(element("h2"), node.title, { most: 1000 }));
  const zooms = element("span", "zooms");
  const add = (text, title, act) => {
    const made = element("button", "", text);
    made.type = "button";
    made.title = title;
    made.addEventListener("click", act);
    zooms.append(made);
  };
  if (isZoomable(node)) add("Zoom", "Zoom the time axis to this span (z)", () => zoomToNode(node));
  if (isZoomable(nodes[parentSpan(node.index)])) add("Zoom to parent", "Zoom the time axis to the parent (p)", zoomToParent);
  heading.append(zooms);
  return heading;
}

function describeSpan(span) {
  addReason(span);
  const facts = element("dl", "pairs");
  addFact(facts, "Error type", errorTypeOf(span));
  addFact(facts, "Exit code", attribute(span.attributes, "process.exit.code"));
  addFact(facts, "Exit signal", attribute(span.attributes, "process.exit.signal"));
  addFact(facts, "Command", commandOf(span));
  addFact(facts, "Duration", duration(tookOf(span)));
  addFact(facts, "Service", span.service);
  addFact(facts, "Kind", span.kind);
  const above = parentSpan(span.index);
  if (above >= 0) addFact(facts, "Parent", linkTo(above));
  else if (span.parentId) addFact(facts, "Parent", span.parentId + " (not in this report)");
  about.append(facts);
  addListed("events", "Events", span.events, (event) => eventOf(event, span));
  addListed("links", "Links", span.links, linkOf);
  about.append(foldable("stamps", "Ids and times", stampsOf(span)));
  if (span.attributes.length) {
    about.append(foldable("attributes", "Attributes (" + span.attributes.length / 2 + ")", attributeTable(span.attributes)));
  }
}

/** The first of what a span has many of; the button shows the rest. */
function addListed(id, name, items, made) {
  if (!items.length) return;
  const listedItems = foldable(id, name + " (" + number(items.length) + ")", ...items.slice(0, LISTED).map(made));
  if (items.length > LISTED) {
    const all = element("button", "link", number(items.length - LISTED) + " more");
    all.type = "button";
    all.addEventListener("click", () => all.replaceWith(...items.slice(LISTED).map(made)));
    listedItems.append(all);
  }
  about.append(listedItems);
}

/** `_OTHER` is the conventions' word for a type that is unknown. */
function errorTypeOf(span) {
  const exception = span.events.findLast(({ name }) => name === "exception");
  const type = attribute(span.attributes, "error.type") ?? (exception ? attribute(exception.attributes, "exception.type") : null);
  return type === "_OTHER" ? null : type;
}

/**
 * Why a span failed: its message and the last lines that it wrote, or the span that handed its
 * failure on.
 */
function addReason(span) {
  const cause = span.containsRed ? causeIn(span.index) : span.index, isInside = cause !== span.index;
  if (isInside) about.append(element("p", "inside", "Failed inside ", linkTo(cause)));
  // A message that is told at the cause is not repeated.
  const isRepeated = isInside && span.propagates && nodes[cause].message !== "" && span.message.includes(nodes[cause].message);
  if (span.message !== "" && !isRepeated) {
    about.append(putLong(element("pre", "message" + (span.isRed && !isInside ? " is-red" : "")), span.message));
  }
  if (!span.isRed || isInside) return;
  const { lines, name } = tailOf(span);
  if (span.message === "" && !lines.length) addToldBy(span);
  if (!lines.length || lines.every((line) => span.message.includes(line.trim()))) return;
  about.append(element("h3", "quiet", name), putLong(element("pre", "message tail"), lines.join("\n")));
}

/** Of a failure that says nothing itself, what the nearest ancestor that handed it on says. */
function addToldBy(span) {
  let above = parentSpan(span.index);
  while (above >= 0 && nodes[above].propagates && nodes[above].message === "") above = parentSpan(above);
  if (above < 0 || !nodes[above].propagates) return;
  about.append(element("p", "inside", "Told by ", linkTo(above)), putLong(element("pre", "message is-red"), nodes[above].message));
}

function stampsOf(span) {
  const facts = element("dl", "pairs");
  addFact(facts, "Start", span.start === null ? "unknown" : since(span.start, span) + "   " + clock(span.start));
  addFact(facts, "End", span.end === null ? "none" : since(span.end, span) + "   " + clock(span.end));
  if (span.title !== span.name) addFact(facts, "Name", span.name);
  addFact(facts, "Span id", span.id);
  addFact(facts, "Trace id", span.trace);
  return facts;
}

/** An event; of an exception, first what it says, then its stack trace as it is. */
function eventOf({ name, time, attributes }, span) {
  const made = element("div", "event", null, put(element("b"), name, { most: 300 }), " ", element("span", "quiet", since(time, span)));
  const stack = attribute(attributes, "exception.stacktrace"), rest = [];
  for (let at = 0; at < attributes.length; at += 2) {
    if (strings[attributes[at]] !== "exception.stacktrace") rest.push(attributes[at], attributes[at + 1]);
  }
  if (rest.length) made.append(attributeTable(rest));
  if (stack) made.append(putLong(element("pre", "message stack"), stack));
  return made;
}

function linkOf({ trace, id, attributes }) {
  const target = spanOf.get(trace + id);
  const shown = target && (shape.owner[target.index] === target.index || shape.owner[target.index] === OTHER_JOB);
  const unknown = "span " + id + " of trace " + trace + " (not in this report)";
  const made = element("div", "event", null, shown ? linkTo(target.index) : put(element("span"), unknown));
  if (attributes.length) made.append(attributeTable(attributes));
  return made;
}
