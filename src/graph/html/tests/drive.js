// What tests say to the page, and how it answers. Appended to a report with a hash of its own.
// When the page's own scripts have run, in milliseconds after it was asked for.
const READY = Math.ceil(performance.now());
const wait = () => new Promise((done) => setTimeout(done, 200));
const at = (selector) => document.querySelector(selector);
const texts = (selector) => [...document.querySelectorAll(selector)].map((found) => found.textContent);
const titles = () => texts("#tree .row .title");
const bodies = () => texts("#records .record .body");
const row = (title) => [...document.querySelectorAll("#tree .row")].find((row) => row.querySelector(".title").textContent === title);
const chosen = () => texts('#tree .row[aria-selected="true"] .title').join("|");
// Whether a person sees it without a further step: nothing is over it, and it is in the window.
const isOnScreen = (found) => {
  const box = found.getBoundingClientRect();
  const [x, y] = [box.left + Math.min(20, box.width / 2), box.top + box.height / 2];
  return box.top >= 0 && box.bottom <= innerHeight + 1 && found.contains(document.elementFromPoint(x, y));
};
const change = (selector, value) => {
  at(selector).value = value;
  at(selector).dispatchEvent(new Event("change"));
};
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const type = async (text) => {
  at("#query").value = text;
  at("#query").dispatchEvent(new Event("input"));
  await wait();
};
// A browser without a screen need not draw frames, and tells of scrolling only then.
const scroll = (scroller, share) => {
  scroller.scrollTop = scroller.scrollHeight * share;
  scroller.dispatchEvent(new Event("scroll"));
};
const choose = (value) => change("#minimum", value);
const violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));

function answer(result) {
  const json = JSON.stringify(result).replace(/[^ -~]|[<>&]/g, (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));
  const made = document.createElement("pre");
  made.id = "answer";
  made.textContent = json;
  document.body.replaceChildren(made);
}

(async () => {
  try {
    answer(await scenario());
  } catch (error) {
    answer({ broken: String(error), stack: error.stack });
  }
})();
