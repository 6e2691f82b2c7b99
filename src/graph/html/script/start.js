// Initialises the page.

/** A splitter that is moved by dragging or with the arrow keys. */
function splitter(id, set) {
  const handle = document.getElementById(id);
  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    const move = (event) => set(event.clientX);
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", () => handle.removeEventListener("pointermove", move), { once: true });
  });
  handle.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -24, ArrowRight: 24 }[event.key];
    if (by) set(handle.getBoundingClientRect().left + by);
  });
}
splitter("split-name", (x) => {
  const box = tree.element.getBoundingClientRect();
  const share = Math.min(80, Math.max(20, ((x - box.left) / box.width) * 100));
  tree.element.style.setProperty("--name", share + "%");
  drawAxis();
});
splitter("split-main", (x) => {
  const share = Math.min(80, Math.max(25, (x / innerWidth) * 100));
  document.getElementById("main").style.setProperty("--left", share + "%");
  document.getElementById("split-main").setAttribute("aria-valuenow", String(Math.round(share)));
});

/** The job's span, or the longest root. */
function head() {
  const roots = spans.filter((span) => span.parent < 0);
  return roots.find((span) => span.name.startsWith("job.")) ??
    roots.reduce((long, span) => ((tookOf(span) ?? 0) > (tookOf(long) ?? 0) ? span : long), roots[0]);
}

function introduce() {
  const job = head();
  const red = spans.filter((span) => span.isRed), running = spans.some((span) => span.outcome === "running");
  const outcome = document.getElementById("job-outcome");
  if (spans.length) {
    const whole = { ...job, isRed: job.isRed, containsRed: job.containsRed || (red.length > 0 && !job.isRed) };
    const word = job.outcome !== "ok" ? job.outcome : running ? "running" : red.length ? "failures inside" : "ok";
    outcome.append(outcomeOf(whole), word);
    outcome.classList.add("o-" + looks(whole).name);
    if (red.length) outcome.classList.add("is-red");
  } else {
    outcome.hidden = true;
  }
  put(document.getElementById("job-title"), spans.length ? job.title : document.title, { most: 300 });
  const facts = document.getElementById("job-facts");
  const add = (text, classes) => facts.append(element("li", classes, text));
  if (spans.length) {
    add(duration(run.took), "strong");
    add(clock(run.start).slice(0, 19) + " UTC");
    if (job.service) facts.append(put(element("li"), job.service, { most: 80 }));
    if (job.execution) facts.append(put(element("li"), job.execution, { most: 80 }));
  }
  add(many(spans.length, "span"));
  const failed = failures().length;
  if (failed) add(many(failed, "failure"), "is-red");
  const all = new Float64Array(LEVELS);
  for (let at = 0; at < shape.counts.length; at++) all[at % LEVELS] += shape.counts[at];
  add(many(all.reduce((sum, count) => sum + count, 0), "record"));
  if (all[5] + all[6]) add(many(all[5] + all[6], "error"), "is-red");
  if (all[4]) add(many(all[4], "warning"), "is-warn");
}

function showNotes() {
  if (!notes.length) return;
  const box = document.getElementById("notes");
  box.hidden = false;
  box.open = notes.length < 4 && innerWidth > 620;
  box.querySelector("summary").textContent = many(notes.length, "note") + " on this report";
  box.querySelector("ul").append(...notes.map((note) => put(element("li"), note, { most: 2000 })));
}

/** Of a large tree, at first only the upper levels and the paths to its first failures are expanded. */
function collapseAtFirst() {
  if (spans.length <= 400) return;
  state.collapsed = new Set(shape.order.filter((index) => shape.depth[index] >= 1 && hasChildren(index)));
  for (const index of failures().slice(0, 20)) {
    for (let above = shape.parent[index]; above >= 0; above = shape.parent[above]) state.collapsed.delete(above);
  }
}

const minimum = document.getElementById("minimum");
for (const [level, word] of levels.entries()) {
  const option = element("option", "", level === 0 ? "all" : word === "fatal" ? word : word + " and up");
  option.value = level;
  minimum.append(option);
}
reshape(true);
find("");
introduce();
showNotes();
setTheme(null);
collapseAtFirst();
document.getElementById("failure").hidden = failures().length === 0;
document.getElementById("runner").hidden = !spans.some((span) => span.isInternal);
const isEmpty = spans.length === 0 && shape.unplaced === 0;
document.getElementById("empty").hidden = !isEmpty;
document.body.classList.toggle("is-empty", isEmpty);
layTree();
drawAxis();
sayHits();
if (!followAddress()) {
  if (spans.length) select(failures()[0] ?? shape.order[0]);
  else if (shape.unplaced) select(UNPLACED);
  else showDetails();
}
