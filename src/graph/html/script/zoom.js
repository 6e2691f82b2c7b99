// Zooming the time axis: by dragging along it or along a bar, to a span, to its parent, and out
// again.

const drag = { element: document.getElementById("drag"), from: null, at: 0, job: -1, isDone: false };

/** Zooms to a range, or without one out to the whole axis. */
function zoomTo(range) {
  if (range && range[1] - range[0] < 1) return;
  state.zoom = range;
  document.getElementById("whole").hidden = !range;
  drawAxis();
  tree.list.refresh();
  markActive();
}

/** With several jobs, a zoomed axis is that of one of them. */
function zoomInJob(job, range) {
  if (jobs.length > 1 && state.job === null) pickJob(job);
  zoomTo(range);
}

function zoomToNode(node) {
  if (!isZoomable(node)) return;
  zoomInJob(node.job, [node.start, node.end ?? endOfRunning(node)]);
  const row = tree.at.get(state.selected);
  if (row !== undefined) tree.list.reveal(row);
}

function isZoomable(node) {
  return Boolean(node) && node.index !== UNPLACED && node.start !== null && (node.outcome === "running" || tookOf(node) > 0);
}

function toggleZoom() {
  if (state.zoom) zoomTo(null);
  else zoomToNode(nodes[state.selected]);
}

/** The parent's range shows a span beside its siblings. */
function zoomToParent() {
  const above = parentSpan(state.selected);
  if (above >= 0) zoomToNode(nodes[above]);
  else zoomTo(null);
}

/** Zooms in around the middle of the selected span, or out around that of the axis. */
function zoomBy(factor) {
  const node = nodes[state.selected], isIn = factor < 1;
  if (!node || (!hasOneAxis() && !isZoomable(node))) return;
  const [from, to] = rangeOf(node), [first, last] = wholeRangeOf(node);
  const middle = isIn && isZoomable(node) ? (node.start + (node.end ?? endOfRunning(node))) / 2 : (from + to) / 2;
  const half = ((to - from) * factor) / 2;
  const range = [Math.max(first, middle - half), Math.min(last, middle + half)];
  zoomInJob(node.job, range[0] <= first && range[1] >= last ? null : range);
}

/** The time at a position of the pointer, in the axis of the row where the drag began. */
function timeAt(x) {
  const box = axis.ticks.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (x - box.left) / box.width));
  const [from, to] = rangeOf({ job: drag.job });
  return from + share * (to - from);
}

function endDrag() {
  drag.from = null;
  drag.element.hidden = true;
}

axis.panel.addEventListener("pointerdown", (event) => {
  const lane = event.target.closest(".lane, #ticks");
  if (!lane || event.button !== 0 || event.pointerType === "touch") return;
  const row = lane.closest(".row");
  const job = row ? nodes[Number(row.dataset.index)].job : -1;
  if (!row && !hasOneAxis()) return;
  Object.assign(drag, { from: event.clientX, at: event.clientX, job });
});
addEventListener("pointermove", (event) => {
  if (drag.from === null) return;
  // The button was released outside of the window.
  if (event.buttons === 0) return endDrag();
  drag.at = event.clientX;
  const isWide = Math.abs(drag.at - drag.from) > 4, box = axis.panel.getBoundingClientRect();
  const ticks = axis.ticks.getBoundingClientRect(), within = (x) => Math.min(ticks.right, Math.max(ticks.left, x));
  const [left, right] = [within(Math.min(drag.from, drag.at)), within(Math.max(drag.from, drag.at))];
  drag.element.hidden = !isWide;
  drag.element.style.left = left - box.left + "px";
  drag.element.style.width = right - left + "px";
  if (isWide) event.preventDefault();
});
addEventListener("pointerup", () => {
  if (drag.from === null) return;
  const range = [timeAt(Math.min(drag.from, drag.at)), timeAt(Math.max(drag.from, drag.at))];
  drag.isDone = Math.abs(drag.at - drag.from) > 4;
  endDrag();
  if (!drag.isDone) return;
  zoomInJob(drag.job, range);
  // The click that follows does not select a row.
  setTimeout(() => (drag.isDone = false));
});
addEventListener("pointercancel", endDrag);
