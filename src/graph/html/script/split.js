// The two splitters, moved by dragging or with the arrow keys.

/**
 * `set(x)` moves the splitter as near to a position as it may, and returns where that is in
 * percent.
 */
function splitter(id, set) {
  const handle = document.getElementById(id);
  const moveTo = (x) => handle.setAttribute("aria-valuenow", String(Math.round(set(x))));
  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    const move = (event) => moveTo(event.clientX);
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", () => handle.removeEventListener("pointermove", move), { once: true });
  });
  handle.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -24, ArrowRight: 24 }[event.key];
    if (!by) return;
    moveTo(handle.getBoundingClientRect().left + by);
    event.preventDefault();
    event.stopPropagation();
  });
}
splitter("split-name", (x) => {
  const columns = axis.ticks.parentElement, left = columns.getBoundingClientRect().left;
  const share = Math.min(80, Math.max(20, ((x - left) / columns.clientWidth) * 100));
  axis.panel.style.setProperty("--name", share + "%");
  drawAxis();
  return share;
});
splitter("split-main", (x) => {
  const share = Math.min(80, Math.max(25, (x / innerWidth) * 100));
  document.getElementById("main").style.setProperty("--left", share + "%");
  return share;
});
