// Rows that stand for several spans: siblings that are alike, and the attempts of one operation.

/** A group of so many members is collapsed at first, and so are attempts. */
const FOLDED_FROM = 10;

function isFoldedAtFirst(node) {
  return Boolean(node.isGroup) && (node.kind === "attempts" || node.members.length >= FOLDED_FROM);
}

/**
 * Whether a row is shown although the group it is in is collapsed: what failed in the end always
 * is.
 */
function staysVisible(index) {
  const group = nodes[shape.parent[index]];
  return isBad(nodes[index]) && (group.kind === "alike" || index === group.members.at(-1));
}

/** The members that are shown, the slowest first. */
function membersOf(group) {
  const shown = shape.children[group.index].map((index) => nodes[index]);
  return shown.sort((a, b) => (tookOf(b) ?? 0) - (tookOf(a) ?? 0) || a.index - b.index);
}

/** `2 failed, slowest prod-eu-25 3.0 s`; of attempts `ok at the 3rd attempt`. */
function groupWords(group) {
  const { kind, members, failed, recovered } = group;
  if (kind === "attempts") return group.outcome + " at the " + ordinal(members.length) + " attempt";
  const running = members.filter((member) => nodes[member].outcome === "running").length;
  const shown = shape.children[group.index].map((index) => nodes[index]), words = [];
  const slowest = shown.reduce((slow, node) => ((tookOf(node) ?? 0) > (tookOf(slow) ?? 0) ? node : slow), shown[0]);
  if (failed.length) words.push(number(failed.length) + " failed");
  if (running) words.push(number(running) + " running");
  if (recovered.length) words.push(number(recovered.length) + " recovered");
  if (slowest && tookOf(slowest)) words.push("slowest " + labelOf(slowest) + " " + duration(tookOf(slowest)));
  return words.join(", ") || "ok";
}

/** What distinguishes a member from the others. */
function labelOf(node) {
  return node.label ?? node.title;
}

function ordinal(value) {
  const last = value % 100 > 10 && value % 100 < 14 ? 0 : value % 10;
  return value + (["th", "st", "nd", "rd"][last] ?? "th");
}

const LISTED = 30;

/** The members with outcome and duration. */
function memberTable(group) {
  const made = element("table", "members");
  const head = element("tr", "", null, ...["Outcome", "Span", "Duration"].map((name) => element("th", "", name)));
  for (const cell of head.children) cell.scope = "col";
  const shown = membersOf(group), body = element("tbody");
  made.append(element("thead", "", null, head), body);
  for (const node of shown.slice(0, LISTED)) {
    const { word } = looks(node), outcome = element("td", isRedRow(node) ? "word is-red" : "", word);
    body.append(element("tr", "", null, outcome, element("td", "", null, linkTo(node.index)), element("td", "took", duration(tookOf(node)))));
  }
  if (shown.length <= LISTED) return made;
  return element("div", "", null, made, element("p", "quiet", number(shown.length - LISTED) + " more"));
}
