// Initialises the page.

function showNotes() {
  if (!notes.length) return;
  const box = document.getElementById("notes");
  box.hidden = false;
  box.open = notes.length < 4 && innerWidth > 620;
  box.querySelector("summary").textContent = many(notes.length, "note") + " on this report";
  box.querySelector("ul").append(...notes.map((note) => put(element("li"), note, { most: 2000 })));
}

/**
 * Large groups are collapsed at first, and of a large tree all but the upper levels and the paths
 * to failures.
 */
function collapseAtFirst() {
  const isLarge = spans.length > 400;
  for (const index of shape.order) {
    const isDeep = isLarge && shape.depth[index] >= 1 && hasChildren(index);
    if (isDeep || isFoldedAtFirst(nodes[index])) state.collapsed.add(index);
  }
  if (!isLarge) return;
  for (const index of failures().slice(0, 20)) {
    for (let above = shape.parent[index]; above >= 0; above = shape.parent[above]) {
      if (!nodes[above].isGroup) state.collapsed.delete(above);
    }
  }
}

const minimum = document.getElementById("minimum");
for (const [level, word] of levels.entries()) {
  const option = element("option", "", level === 0 ? "all" : word === "fatal" ? word : word + " and up");
  option.value = level;
  minimum.append(option);
}
reshape(true, null);
find("");
addJobs();
introduce();
showNotes();
setTheme(null);
collapseAtFirst();
sayFailures();
document.getElementById("runner").hidden = !spans.some((span) => span.isInternal);
const isEmpty = spans.length === 0 && shape.unplaced === 0;
document.getElementById("empty").hidden = !isEmpty;
document.body.classList.toggle("is-empty", isEmpty);
layTree();
drawAxis();
sayHits();
if (!followAddress()) {
  if (spans.length) select(firstOfAll());
  else if (shape.unplaced) select(UNPLACED);
  else showDetails();
}
