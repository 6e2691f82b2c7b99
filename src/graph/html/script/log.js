// The records of the list as text: copied, or saved as a file.

/** One line for each record, as in a log file. */
function logText() {
  const lines = listed.rows.map(({ time, level, stream, target, body }) => {
    const where = stream ?? strings[target];
    return [clock(time), levels[level].toUpperCase(), where, strings[body]].filter((part) => part !== "").join(" ");
  });
  return lines.join("\n") + "\n";
}

/** Copies text, and says on the button whether that was possible. */
async function copy(text, button) {
  button.dataset.label ??= button.textContent;
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isCopied = copySelected(text);
  }
  button.textContent = isCopied ? "Copied" : "Not copied";
  setTimeout(() => (button.textContent = button.dataset.label), 1500);
}

/** For pages that may not use the clipboard directly. */
function copySelected(text) {
  const made = element("textarea");
  made.value = text;
  document.body.append(made);
  made.select();
  const isCopied = document.execCommand("copy");
  made.remove();
  return isCopied;
}

function download() {
  const name = nodes[state.selected].title.replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 80);
  const made = element("a");
  made.download = (name || "records") + ".log";
  const address = URL.createObjectURL(new Blob([logText()], { type: "text/plain;charset=utf-8" }));
  made.href = address;
  made.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** Long lines on one line each, or as many as they need. */
function setWrapped(isWrapped) {
  state.isWrapped = isWrapped;
  listed.list.isUneven = isWrapped;
  listed.element.classList.toggle("is-wrapped", isWrapped);
  document.getElementById("wrap").setAttribute("aria-pressed", String(isWrapped));
  const row = listed.row;
  showRecordsAnew();
  if (row >= 0) goToRecord(row);
  else revealMark();
}
