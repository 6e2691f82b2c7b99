// A virtual list: only the visible rows are in the document.

class List {
  /**
   * `render(row)` creates a row's element. With `isUneven`, any row may be taller than
   * `rowHeight`.
   */
  constructor(scroller, rowHeight, render) {
    Object.assign(this, { scroller, rowHeight, render, isUneven: false, onDraw: null, count: 0, drawn: new Map(), extra: new Map() });
    this.spacer = scroller.querySelector(".spacer");
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(scroller);
  }

  /** Renders all rows again. */
  fill(count) {
    this.count = count;
    for (const row of this.extra.keys()) if (row >= count) this.extra.delete(row);
    this.refresh();
  }

  refresh() {
    for (const made of this.drawn.values()) made.remove();
    this.drawn.clear();
    this.draw();
  }

  get height() {
    let height = this.count * this.rowHeight;
    for (const more of this.extra.values()) height += more;
    return height;
  }

  /** The visible height, in pixels. */
  get view() {
    return this.scroller.clientHeight;
  }

  /** The top of a row. Few rows are taller than the others. */
  offset(row) {
    let at = row * this.rowHeight;
    for (const [higher, more] of this.extra) if (higher < row) at += more;
    return at;
  }

  rowAt(pixel) {
    let low = 0, high = Math.max(0, this.count - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.offset(middle) <= pixel) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * Browsers limit elements to some ten million pixels: a longer list scrolls faster than its bar.
   */
  get scale() {
    const real = Math.min(this.height, 8e6);
    return real > this.view ? (this.height - this.view) / (real - this.view) : 1;
  }

  draw() {
    this.spacer.style.height = Math.min(this.height, 8e6) + "px";
    const { scale, view } = this;
    const top = this.scroller.scrollTop * scale;
    let first = Math.max(0, this.rowAt(top) - 6), end = Math.min(this.count, this.rowAt(top + view) + 7);
    if (this.isPrinting) [first, end] = [0, Math.min(this.count, 3000)];
    for (const [row, made] of this.drawn) {
      if (row < first || row >= end) {
        made.remove();
        this.drawn.delete(row);
      }
    }
    let isMoved = false;
    for (let row = first; row < end; row++) {
      if (this.drawn.has(row)) continue;
      const made = this.render(row);
      this.drawn.set(row, made);
      this.spacer.append(made);
      isMoved = this.measure(row, made) || isMoved;
    }
    if (isMoved) this.spacer.style.height = Math.min(this.height, 8e6) + "px";
    for (const [row, made] of this.drawn) {
      made.style.top = this.offset(row) - top + this.scroller.scrollTop + "px";
    }
    this.onDraw?.();
  }

  /** Updates how much taller than the others a row is, if it may be taller. */
  measure(row, made) {
    if (!this.isUneven && !this.extra.has(row)) return false;
    const more = Math.max(0, made.offsetHeight - this.rowHeight);
    if ((this.extra.get(row) ?? 0) === more) return false;
    this.extra.set(row, more);
    return true;
  }

  /** Scrolls to a row, as far as is needed. */
  reveal(row) {
    let from = -1;
    // Rows that are drawn for the first time may be taller than thought.
    for (let tries = 0; tries < 8 && from !== this.offset(row); tries++) {
      from = this.offset(row);
      this.scrollTo(row, from);
      this.draw();
      if (!this.isUneven) return;
    }
  }

  scrollTo(row, from) {
    const top = this.scroller.scrollTop * this.scale;
    const to = from + Math.min(this.view, this.rowHeight + (this.extra.get(row) ?? 0));
    const away = Math.max(top - from, to - top - this.view);
    // A row that is far away is centred, so that its context is visible.
    if (away > 4 * this.rowHeight) this.scroller.scrollTop = Math.max(0, (from + to - this.view) / 2) / this.scale;
    else if (from < top) this.scroller.scrollTop = from / this.scale;
    else if (to > top + this.view) this.scroller.scrollTop = (to - this.view) / this.scale;
  }

  /** The number of rows per page. */
  get page() {
    return Math.max(1, Math.floor(this.view / this.rowHeight) - 1);
  }
}

/** The row that a key moves to, or `null`. */
function moved(key, row, list) {
  const to = { ArrowUp: row - 1, ArrowDown: row + 1, Home: 0, End: list.count - 1, PageUp: row - list.page,
    PageDown: row + list.page }[key];
  return to === undefined ? null : Math.min(list.count - 1, Math.max(0, to));
}
