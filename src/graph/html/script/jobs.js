// Jobs: several of them, or of traces, can be in one report, each with a time axis of its own.

/** What the jobs are called: traces, if none of them is an execution. */
const JOB_WORD = jobs.every((job) => job.roots.every((root) => !spans[root].execution)) ? "trace" : "job";

/** The end of a job: what is running has run at least until the last record of all. */
function endOfJob(job) {
  return job.outcome === "running" ? run.end : job.end ?? run.end;
}

/** Where the bar of a running span ends. */
function endOfRunning(node) {
  const job = jobs[node.job];
  return Math.max(node.start, job ? endOfJob(job) : run.end);
}

/** The time from which others are counted: the start of the job of a node. */
function baseOf(node) {
  const job = jobs.length > 1 && jobs[state.job ?? node?.job];
  return job && job.start !== null ? job.start : run.start;
}

/** Shows one job, or all of them (`null`). */
function pickJob(job) {
  if (state.job === job) return;
  state.job = job;
  state.zoom = null;
  document.getElementById("whole").hidden = true;
  document.getElementById("job").value = job === null ? "" : String(job);
  reshapeTree();
  introduce();
  drawAxis();
}

/**
 * As many options as a list is good for; those that did not end well come first if there are more.
 */
const MOST_JOBS = 200;

function addJobs() {
  const picker = document.getElementById("job");
  picker.parentElement.hidden = jobs.length < 2;
  if (jobs.length < 2) return;
  const option = (value, text) => {
    const made = element("option", "", text);
    made.value = value;
    picker.append(made);
  };
  document.getElementById("job-word").textContent = JOB_WORD === "job" ? "Job" : "Trace";
  option("", "All " + JOB_WORD + "s");
  const listed = jobs.length <= MOST_JOBS ? jobs : [...jobs].sort((a, b) => (a.outcome === "ok") - (b.outcome === "ok"));
  for (const { index, title, outcome } of listed.slice(0, MOST_JOBS)) option(index, flat(title, 80) + " – " + outcome);
  picker.addEventListener("change", () => {
    pickJob(picker.value === "" ? null : Number(picker.value));
    select(firstOfAll());
  });
}

/** The span that stands for a job: `job.*`, or else the root that took longest. */
function headOf(job) {
  const roots = job.roots.map((root) => spans[root]);
  return roots.find((span) => span.name.startsWith("job.")) ??
    roots.reduce((long, span) => ((tookOf(span) ?? 0) > (tookOf(long) ?? 0) ? span : long), roots[0]);
}

/** Fills the header: what ran, how it ended, and how much there is of it. */
function introduce() {
  const outcome = document.getElementById("job-outcome"), title = document.getElementById("job-title");
  const facts = document.getElementById("job-facts");
  for (const made of [outcome, title, facts]) made.textContent = "";
  const shown = spans.filter((span) => state.job === null || span.job === state.job);
  const add = (text, classes) => facts.append(element("li", classes, text));
  const isSeveral = jobs.length > 1 && state.job === null;
  outcome.hidden = !spans.length;
  if (!spans.length) {
    put(title, document.title, { most: 300, pattern: null });
  } else {
    const job = isSeveral ? worstJob() : jobs[state.job ?? 0], span = headOf(job);
    const badge = { ...span, outcome: job.outcome, isRed: job.fails, containsRed: false, isRecovered: false };
    outcome.append(outcomeOf(badge), job.outcome);
    outcome.className = "badge o-" + looks(badge).name + (job.fails ? " is-red" : "");
    put(title, isSeveral ? document.title : job.title, { most: 300, pattern: null });
    if (!isSeveral) add(duration(jobs.length > 1 ? endOfJob(job) - job.start : run.took), "strong");
    add(clock(isSeveral ? run.start : job.start ?? run.start).slice(0, 19) + " UTC");
    for (const text of isSeveral ? [] : [span.service, span.execution]) {
      if (text) facts.append(put(element("li"), text, { most: 80, pattern: null }));
    }
  }
  add(many(shown.length, "span"));
  addTotals(add);
}

/** The job that the badge of several jobs is about. */
function worstJob() {
  return jobs.find((job) => job.fails) ?? jobs.find((job) => job.outcome === "running") ??
    jobs.find((job) => job.outcome !== "ok") ?? jobs[0];
}

function addTotals(add) {
  const found = failures(), recovered = found.filter((index) => nodes[index].isRecovered).length;
  if (found.length > recovered) add(many(found.length - recovered, "failure"), "is-red");
  if (recovered) add(number(recovered) + " recovered", "is-warn");
  const all = new Float64Array(LEVELS);
  for (let at = 0; at < shape.counts.length; at++) all[at % LEVELS] += shape.counts[at];
  add(many(all.reduce((sum, count) => sum + count, 0), "record"));
  if (all[5] + all[6]) add(many(all[5] + all[6], "error"), "is-red");
  if (all[4]) add(many(all[4], "warning"), "is-warn");
}
