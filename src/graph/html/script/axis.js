// The time axis above the tree: its range, its ticks, the bars along it, and the ancestors that
// have scrolled away.

const axis = {
  panel: document.getElementById("left"), ticks: document.getElementById("ticks"), crumbs: document.getElementById("crumbs"),
};

/** The time from the left to the right end of a node's lane. */
function rangeOf(node) {
  return state.zoom ?? wholeRangeOf(node);
}

/** The same without zoom. Each job has an axis of its own. */
function wholeRangeOf(node) {
  const job = jobs.length > 1 && jobs[state.job ?? node?.job];
  return job && job.start !== null ? [job.start, Math.max(endOfJob(job), job.start + 1)] : [run.start, run.end];
}

/** Whether all rows have the same axis. */
function hasOneAxis() {
  return jobs.length < 2 || state.job !== null || state.zoom !== null;
}

function addBar(lane, node) {
  if (node.start === null) return;
  const [from, to] = rangeOf(node);
  const end = node.outcome === "running" ? endOfRunning(node) : Math.max(node.start, node.end ?? node.start);
  if (end < from || node.start > to) {
    lane.append(element("span", "beyond", node.start > to ? "›" : "‹"));
    return;
  }
  const share = (at) => ((Math.min(to, Math.max(from, at)) - from) / (to - from)) * 100;
  const bar = element("span", "bar b-" + (node.isGroup ? "group" : looks(node).name));
  if (node.isRed) bar.classList.add("is-red");
  if (node.isRed && node.containsRed) bar.classList.add("is-inside");
  if (node.containsRed) bar.classList.add("has-red");
  if (node.isRecovered) bar.classList.add("is-recovered");
  const left = share(node.start);
  bar.style.left = "min(" + left + "%, 100% - 3px)";
  bar.style.width = "max(3px, " + (share(end) - left) + "%)";
  lane.append(bar);
}

/** Draws ticks at round times, as far apart as their labels need. */
function drawAxis() {
  const width = axis.ticks.clientWidth;
  axis.ticks.textContent = "";
  axis.panel.style.setProperty("--step", "100%");
  axis.panel.style.setProperty("--first", "0");
  if (!width || !run.took) return;
  if (!hasOneAxis()) {
    axis.ticks.append(element("span", "tick-note", "each " + JOB_WORD + " on its own axis"));
    return;
  }
  const base = baseOf(null), [from, to] = rangeOf(null).map((at) => at - base);
  const least = ((to - from) / width) * 84;
  const power = 10 ** Math.floor(Math.log10(least));
  const sizes = least < 1e10
    ? [1, 2, 5, 10, 20].map((size) => size * power)
    : [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400].map((size) => size * 1e9);
  const size = sizes.find((size) => size >= least) ?? Math.ceil(least / 86400e9) * 86400e9;
  const first = Math.ceil(from / size) * size, pixels = width / (to - from);
  for (let at = first; at <= to; at += size) {
    const left = (at - from) * pixels;
    const made = element("span", left > width - 50 ? "tick at-end" : "tick", tick(at));
    made.style.left = left + "px";
    axis.ticks.append(made);
  }
  axis.panel.style.setProperty("--step", size * pixels + "px");
  axis.panel.style.setProperty("--first", (first - from) * pixels + "px");
}
new ResizeObserver(drawAxis).observe(axis.ticks);

const CRUMBS = 4;

/** Shows the ancestors of the first visible row that have scrolled away. */
function drawCrumbs() {
  const { list, rows } = tree;
  const top = rows[list.count ? list.rowAt(list.scroller.scrollTop * list.scale + list.rowHeight / 2) : 0];
  const above = [];
  if (top !== undefined && top !== UNPLACED && list.scroller.scrollTop > 0) {
    for (let at = shape.parent[top]; at >= 0; at = shape.parent[at]) above.unshift(at);
  }
  const key = above.join();
  if (axis.crumbs.dataset.key === key) return;
  axis.crumbs.dataset.key = key;
  axis.crumbs.textContent = above.length ? "" : "Span";
  if (above.length > CRUMBS) axis.crumbs.append(element("span", "", "…"));
  for (const index of above.slice(-CRUMBS)) {
    const crumb = put(element("button", "crumb"), nodes[index].title, { most: 80 });
    crumb.type = "button";
    crumb.title = "Go to " + flat(nodes[index].title);
    crumb.addEventListener("click", () => {
      select(index);
      tree.element.focus();
    });
    axis.crumbs.append(crumb);
  }
}
tree.list.onDraw = drawCrumbs;
