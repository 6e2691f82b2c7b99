// The language of the search: `key=value`, `status:failed`, `service:x`, `level:error`; all else is
// one phrase.

/** A term; its value may be quoted. */
const TERM = /(?:^|(?<=\s))([^\s"=:]+)([=:])(?:"([^"]*)"|(\S+))(?=\s|$)\s*/gu;

/** The numbers of the strings that are keys of attributes, by key in lower case. */
const attributeKeys = new Map();
{
  const known = new Set();
  for (const { attributes } of [...spans, ...records]) {
    for (let at = 0; at < attributes.length; at += 2) known.add(attributes[at]);
  }
  for (const number of known) {
    const key = strings[number].toLowerCase();
    attributeKeys.set(key, [...(attributeKeys.get(key) ?? []), number]);
  }
}

const STATUSES = ["running", "skipped", "ok", "failed", "cancelled", "timed out", "panicked", "dropped", "interrupted", "recovered"];

/**
 * The query in parts, or `null` if it is empty. What means nothing in this report is looked for as
 * text.
 */
function parseQuery(text) {
  const query = { phrase: text, pairs: [], status: [], service: [], level: [] };
  const phrase = text.replace(TERM, (whole, key, sign, quoted, plain) => {
    const value = quoted ?? plain;
    return (sign === "=" ? takePair : takeWord)(query, key.toLowerCase(), value) ? "" : whole;
  });
  if (phrase !== text) query.phrase = phrase.trim();
  return text === "" ? null : query;
}

function takePair(query, key, value) {
  const keys = attributeKeys.get(key);
  if (keys) query.pairs.push({ keys, pattern: patternOf(value) });
  return Boolean(keys);
}

function takeWord(query, key, value) {
  const word = value.toLowerCase().replace(/[_-]/g, " ");
  if (key === "status" && STATUSES.includes(word)) query.status.push(word);
  else if (key === "level" && levels.includes(word.replace("warning", "warn"))) query.level.push(levels.indexOf(word.replace("warning", "warn")));
  else if (key === "service" && spans.some((span) => isService(span, value))) query.service.push(value);
  else return false;
  return true;
}

function isService(span, value) {
  return span.service !== null && span.service.toLowerCase().includes(value.toLowerCase());
}

/** `failed` is every way to fail; the other words are outcomes. */
function isStatus(span, word) {
  if (word === "failed") return span.isRed;
  return word === "recovered" ? span.isRecovered : span.outcome === word;
}

/** Whether a span is one that the words on spans ask for. */
function spanFits(span) {
  const { status, service } = search.query;
  return (!status.length || status.some((word) => isStatus(span, word))) &&
    (!service.length || service.some((value) => isService(span, value)));
}

function hasPairs(attributes) {
  return search.query.pairs.every(({ keys, matches }) => {
    for (let at = 0; at < attributes.length; at += 2) {
      if (matches[attributes[at + 1]] === 1 && keys.includes(attributes[at])) return true;
    }
    return false;
  });
}

/** Ignores case. The same pattern highlights the hits on the page. */
function patternOf(text) {
  return text === "" ? null : new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
}

function isHit(pattern, text) {
  if (!pattern) return true;
  pattern.lastIndex = 0;
  return pattern.test(text);
}

/** The pattern that highlights a value of an attribute. */
function valuePattern(key) {
  return search.query?.pairs.find(({ keys }) => keys.includes(key))?.pattern ?? search.pattern;
}
