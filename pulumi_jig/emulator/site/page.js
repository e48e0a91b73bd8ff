// The page asks for everything it shows, again and again, and changes only what changed:
// nothing flickers, nothing jumps, and a selection or the focus stays where it is.
// Text is only ever set as text; no markup is made from what the service says.
"use strict";

const LEAST = 250; // Milliseconds between two looks,
const SHARE = 20; // or this many times as long as a look takes, for a busy service,
const MOST = 4000; // but never longer than somebody would wait.
const PATIENCE = 15000; // A look that takes longer has failed.
const FIRST = 200; // Deployments shown before somebody asks for all.
const KEPT = 200; // Requests shown.
const STATUSES = ["Ready", "Updating", "Scaling", "ScaledToZero", "Failed"];

const at = (id) => document.getElementById(id);
const clock = (iso) => (iso ? iso.slice(11, 19) : "");

// --- Drawing: each function changes an element only where it differs.

function make(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function say(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

function dress(element, className) {
  if (element.className !== className) element.className = className;
}

function put(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

function show(element, whether) {
  if (element.hidden === whether) element.hidden = !whether;
}

// Makes the children of a parent follow a list: one child for each key, kept by it.
function follow(parent, items, keyOf, born, draw) {
  const kept = (parent.kept ??= new Map());
  const wanted = new Set(items.map((item) => String(keyOf(item))));
  for (const [key, child] of kept) {
    if (!wanted.has(key)) {
      child.remove();
      kept.delete(key);
    }
  }
  let place = parent.followed ? parent.followed.nextSibling : parent.firstChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = kept.get(key);
    if (!child) {
      child = born(item);
      kept.set(key, child);
    }
    if (child !== place) parent.insertBefore(child, place);
    else place = place.nextSibling;
    draw(child, item);
  }
}

// Draws rows of plain cells: [text, class], the first of them the row's header.
function rows(body, items, keyOf, cells, className = () => "") {
  follow(
    body,
    items,
    keyOf,
    () => make("tr"),
    (row, item) => {
      const wanted = cells(item);
      while (row.children.length < wanted.length) {
        const first = row.children.length === 0;
        const cell = make(first ? "th" : "td");
        if (first) cell.scope = "row";
        row.append(cell);
      }
      dress(row, className(item));
      wanted.forEach(([text, dressed = ""], index) => {
        const cell = row.children[index];
        say(cell, text);
        dress(cell, dressed);
        put(cell, "title", String(text).length > 8 ? text : null);
      });
    },
  );
}

// --- Deployments

// The deployment that the address names, so that a page can be reloaded and passed on.
function named() {
  if (!location.hash.startsWith("#d=")) return "";
  try {
    return decodeURIComponent(location.hash.slice(3));
  } catch {
    return "";
  }
}

const table = document.querySelector("table.deployments");
table.followed = table.tHead;
let opened = named();
let touched = Boolean(opened);
let all = false;
let chip = "";
let last = null;

function choose(name) {
  touched = true;
  opened = opened === name ? "" : name;
  history.replaceState(null, "", opened ? "#d=" + encodeURIComponent(opened) : location.pathname);
  if (last) drawDeployments(last);
  if (opened) lookNow();
}

function bornDeployment(d) {
  const body = make("tbody");
  const row = make("tr", "row");
  const name = make("th", "c-name");
  name.scope = "row";
  const button = make("button", "open", d.name);
  button.type = "button";
  button.addEventListener("click", () => choose(body.shownName));
  name.append(button);
  const status = make("td", "c-status");
  status.append(make("span"), make("span"));
  const replicas = make("td", "c-replicas");
  const dots = make("span", "dots");
  dots.setAttribute("aria-hidden", "true");
  replicas.append(make("span"), dots);
  row.append(name, status, replicas);
  for (const column of ["gpu", "revision n", "image", "account", "at"]) {
    row.append(make("td", "c-" + column));
  }
  body.append(row);
  return body;
}

function gpus(d) {
  return d.gpu_type === "none" || !d.gpu_count ? "CPU" : `${d.gpu_count} × ${d.gpu_type}`;
}

function remark(d) {
  if (d.deleting) return "being deleted";
  if (d.reason) return d.reason;
  return d.held ? "time stands still" : "";
}

function drawDeployment(body, d) {
  body.shownName = d.name;
  const [name, status, replicas, gpu, revision, image, account, changed] = body.rows[0].cells;
  const button = name.firstChild;
  say(button, d.name);
  put(button, "title", d.name);
  const isOpen = opened === d.name;
  put(button, "aria-expanded", isOpen);
  const [word, why] = status.children;
  say(word, d.status);
  dress(word, "word " + (STATUSES.includes(d.status) ? d.status : ""));
  const more = remark(d);
  say(why, more && " · " + more);
  put(status, "title", more ? `${d.status}: ${more}` : null);
  say(replicas.firstChild, `${d.serving} of ${d.desired}`);
  drawDots(replicas.lastChild, d);
  say(gpu, gpus(d));
  say(revision, d.revision);
  say(image, d.image.slice(d.image.lastIndexOf("/") + 1));
  put(image, "title", d.image);
  say(account, d.account);
  put(account, "title", d.account);
  say(changed, clock(d.updated_at));
  put(changed, "title", d.updated_at);
  if (!isOpen && body.rows.length > 1) body.rows[1].remove();
}

function drawDots(dots, d) {
  const starting = d.replicas - d.serving - d.failed - d.draining;
  const states = [];
  for (const [state, count] of [["serving", d.serving], ["starting", starting], ["failed", d.failed], ["draining", d.draining]]) {
    for (let i = 0; i < count && states.length < 8; i++) states.push(state);
  }
  while (dots.children.length > states.length) dots.lastChild.remove();
  while (dots.children.length < states.length) dots.append(make("i"));
  states.forEach((state, index) => dress(dots.children[index], state));
}

function matches(d, text) {
  if (chip && d.status !== chip) return false;
  return !text || [d.name, d.image, d.account, d.gpu_type].some((s) => s.toLowerCase().includes(text));
}

function drawDeployments(seen) {
  const text = at("find").value.trim().toLowerCase();
  if (!touched && seen.deployments.length === 1) opened = seen.deployments[0].name;
  const matching = seen.deployments.filter((d) => matches(d, text));
  const shown = all ? matching : matching.slice(0, FIRST);
  follow(table, shown, (d) => d.id, bornDeployment, drawDeployment);
  show(table, matching.length > 0);
  show(at("none"), seen.total === 0);
  show(at("unmatched"), seen.total > 0 && matching.length === 0);
  const unlisted = seen.total - seen.deployments.length;
  const hidden = matching.length - shown.length;
  show(at("rest"), hidden > 0 || unlisted > 0);
  say(at("rest").firstElementChild,
    `${shown.length} of ${matching.length + unlisted} shown.` +
    (unlisted ? ` The oldest ${seen.deployments.length} are listed; all are counted.` : ""));
  show(at("rest").lastElementChild, hidden > 0);
}

function drawChips(seen) {
  const others = Object.keys(seen.statuses).filter((s) => !STATUSES.includes(s));
  const counts = { "": seen.total, ...seen.statuses };
  follow(at("chips"), ["", ...STATUSES, ...others], (s) => s, (status) => {
    const button = make("button");
    button.type = "button";
    button.append(status || "All", make("b"));
    button.addEventListener("click", () => {
      chip = chip === status ? "" : status;
      drawChips(last);
      drawDeployments(last);
    });
    return button;
  }, (button, status) => {
    const count = counts[status] ?? 0;
    say(button.lastChild, count);
    dress(button, count ? "" : "zero");
    put(button, "aria-pressed", chip === status);
  });
}

// --- One deployment, closely

function part(cell, title, className, ...heads) {
  cell.append(make("h3", "", title));
  const list = make("table", "list " + className);
  const head = list.createTHead().insertRow();
  for (const [text, className] of heads) {
    const th = make("th", className, text);
    th.scope = "col";
    head.append(th);
  }
  const body = list.createTBody();
  cell.append(list);
  return body;
}

function bornClose(body) {
  const row = make("tr", "close");
  const cell = make("td");
  row.append(cell);
  cell.facts = make("dl", "facts");
  cell.append(cell.facts);
  cell.replicas = part(cell, "Replicas", "replicas", ["Replica", "r-id"], ["Rev.", "r-rev"], ["State", "r-state"], ["Since", "r-at"], ["Last event", ""]);
  cell.idle = make("p", "empty", "No replica is running.");
  cell.append(cell.idle);
  cell.revisions = part(cell, "Revisions, newest first", "revisions", ["No.", "r-no"], ["By", "r-state"], ["Active", "r-on"], ["At", "r-at"], ["Image", ""]);
  cell.append(make("h3", "", "Log, newest first"));
  const box = make("div", "log");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Log");
  const log = make("table", "");
  cell.log = log.createTBody();
  box.append(log);
  cell.append(box);
  body.append(row);
  return cell;
}

function variable(v) {
  return v.secret ? `${v.name} (secret ${v.secret})` : `${v.name} (value hidden)`;
}

function drawClose(seen) {
  const close = seen.close;
  const d = close && seen.deployments.find((one) => one.id === close.id);
  const body = close && table.kept?.get(close.id);
  if (!d || !body || opened !== d.name) return;
  const cell = body.rows.length > 1 ? body.rows[1].firstChild : bornClose(body);
  // As many as are shown: one too many would take its share of the width.
  const columns = [...table.tHead.rows[0].cells].filter((th) => th.offsetWidth > 0).length;
  if (cell.colSpan !== columns) cell.colSpan = columns;
  const short = (id) => (id.startsWith(d.name + "-") ? id.slice(d.name.length + 1) : id);
  const facts = [
    ["id", d.id],
    ["account", d.account],
    ["GPUs each", gpus(d)],
    ...close.settings,
    ["created", close.created_at.slice(0, 19).replace("T", " ") + " UTC"],
    ["description", close.description],
    ["environment", close.environment.map(variable).join(", ")],
  ].filter(([, value]) => value);
  follow(cell.facts, facts, ([label]) => label, ([label]) => {
    const box = make("div");
    box.append(make("dt", "", label), make("dd"));
    return box;
  }, (box, [, value]) => say(box.lastChild, value));
  rows(cell.replicas, close.replicas, (r) => r.id, (r) => [
    [short(r.id), "mono r-id"],
    [r.revision ?? "–", "r-rev"],
    [r.state, "r-state " + r.state],
    [clock(r.since), "r-at"],
    [[r.status, r.reason, r.message, r.preload && "preload " + r.preload].filter(Boolean).join(" · ")],
  ]);
  show(cell.idle, close.replicas.length === 0);
  rows(cell.revisions, close.revisions, (r) => r.event, (r) => [
    [r.number, "r-no"],
    [r.action, "r-state"],
    [r.active && r === close.revisions.find((one) => one.active) ? "yes" : "", "r-on"],
    [clock(r.at), "r-at"],
    [r.image, "mono"],
  ]);
  const times = new Map();
  const lines = close.log.toReversed().map((line) => {
    const text = `${line.at} ${line.replica} ${line.line}`;
    times.set(text, (times.get(text) ?? 0) + 1);
    return { ...line, key: `${text} ${times.get(text)}` };
  }).toReversed();
  rows(cell.log, lines, (l) => l.key, (l) => [[clock(l.at)], [`${short(l.replica)}  ${l.line}`]]);
}

// --- The rest

let requests = [];
let run = "";

function drawRequests(seen) {
  if (seen.run !== run) requests = [];
  run = seen.run;
  const first = seen.requests.first ?? Infinity;
  requests = [...requests, ...seen.requests.entries].filter((r) => r.number >= first).slice(-KEPT);
  rows(at("requests"), [...requests].reverse(), (r) => r.number, (r) => [
    [clock(r.at), "c-time"],
    [r.method, "c-method"],
    [r.path + (r.query.length ? "?" + r.query.join("&") : ""), "c-path"],
    [r.status ?? "dropped", r.status === null || r.status >= 400 ? "n err" : "n"],
    [(r.seconds * 1000).toFixed(1), "n c-ms"],
    [r.account ?? "none", "c-account"],
    [r.fault === null ? "" : "no. " + r.fault, "c-fault"],
  ], (r) => (r.fault === null ? "" : "struck"));
  show(at("requests-none"), requests.length === 0);
}

function strikes(f) {
  const which = f.times === null ? `all from no. ${f.nth} on` : f.times === 1 ? `no. ${f.nth}` : `${f.times} from no. ${f.nth} on`;
  return `${f.method === "*" ? "any" : f.method} ${f.path}: ${which}${f.account ? ", account " + f.account : ""}`;
}

function answers(f) {
  const what = f.drop ? (f.drop === "reset" ? "connection reset" : "connection closed") : f.status ? "status " + f.status : "";
  const wait = f.delay ? `${f.delay} s late` : "";
  return [what, wait, f.acted ? "after acting" : ""].filter(Boolean).join(", ");
}

function drawSides(seen) {
  rows(at("gpus"), seen.gpus, (g) => g.type, (g) => [
    [g.type], [g.held, "n"], [g.serving, "n"], [g.deployments, "n"],
  ]);
  show(at("gpus").parentNode, seen.gpus.length > 0);
  show(at("gpus-none"), seen.gpus.length === 0);
  rows(at("faults"), seen.faults, (f) => f.id, (f) => [
    [f.id, "n"], [strikes(f)], [answers(f)], [f.times === null ? f.struck : `${f.struck} of ${f.times}`, "n"],
  ]);
  show(at("faults").parentNode, seen.faults.length > 0);
  show(at("faults-none"), seen.faults.length === 0);
  rows(at("secrets"), seen.secrets, (s) => s.account + "/" + s.name, (s) => [
    [s.name], [s.account], [s.users, "n"], [s.expires_at ? s.expires_at.slice(0, 16).replace("T", " ") : "never"],
  ]);
  show(at("s-secrets"), seen.secrets.length > 0);
  rows(at("volumes"), seen.volumes, (v) => v.account + "/" + v.name, (v) => [
    [v.name], [v.account], [v.status], [v.versions, "n"], [v.users, "n"],
  ]);
  show(at("s-volumes"), seen.volumes.length > 0);
}

function pace(scale) {
  if (scale === 0) return "instant";
  return scale === 1 ? "real time" : `${+(1 / scale).toPrecision(3)}× as fast`;
}

function drawSums(seen) {
  let serving = 0, desired = 0, failed = 0;
  for (const d of seen.deployments) {
    serving += d.serving;
    desired += d.desired;
    failed += d.failed;
  }
  say(at("sum-deployments"), seen.total);
  say(at("sum-replicas"), `${serving} of ${desired}`);
  dress(at("sum-replicas"), failed && serving < desired ? "bad" : "");
  say(at("sum-gpus"), seen.gpus.reduce((sum, g) => sum + g.held, 0));
  say(at("sum-faults"), seen.faults.length);
  dress(at("sum-faults"), seen.faults.length ? "bad" : "");
  say(at("sum-time"), pace(seen.time_scale));
  const failing = seen.statuses.Failed ?? 0;
  document.title = (failing ? `${failing} failed · ` : "") + `${seen.total} deployments · Emulator`;
}

// For those who listen: what became of what, never more than a sentence at a time.
let before = null;

function tell(seen) {
  const now = new Map(seen.deployments.map((d) => [d.name, d]));
  if (before) {
    const changed = [];
    for (const [name, d] of now) {
      if (before.get(name)?.status !== d.status) changed.push(`${name} is ${d.status}`);
    }
    for (const name of before.keys()) if (!now.has(name)) changed.push(`${name} is gone`);
    if (changed.length > 3) say(at("told"), `${changed.length} deployments changed.`);
    else if (changed.length) say(at("told"), changed.join(", ") + ".");
  }
  before = now;
}

// --- Looking

let paused = false;
let wanted = false; // Somebody opened a deployment, paused or not.
let timer = 0;
let looking = false;
let again = false;

function state(word, text) {
  put(at("state"), "data-state", word);
  say(at("state"), text);
  document.body.classList.toggle("lost", word === "lost");
}

function draw(seen) {
  last = seen;
  drawSums(seen);
  drawChips(seen);
  drawDeployments(seen);
  drawClose(seen);
  drawSides(seen);
  drawRequests(seen);
  tell(seen);
}

function lookNow() {
  clearTimeout(timer);
  wanted = true;
  if (looking) again = true;
  else look();
}

async function look() {
  if (document.hidden || (paused && last && !wanted)) return;
  looking = true;
  wanted = false;
  const once = paused;
  const began = performance.now();
  try {
    const id = last?.deployments.find((d) => d.name === opened)?.id ?? "";
    const newest = requests.length ? requests[requests.length - 1].number : 0;
    // Numbers of another process mean nothing here, so all of its log is asked for.
    const query = new URLSearchParams({ deployment: id, after: newest, run });
    const answer = await fetch("/page.json?" + query, { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(String(answer.status));
    const seen = await answer.json();
    if (!paused || once) {
      draw(seen);
      state(paused ? "paused" : "live", (paused ? "paused at " : "live, ") + clock(seen.now) + " UTC");
    }
    // What was opened by its name alone is known by its id now.
    if (opened && !id && seen.deployments.some((d) => d.name === opened)) again = wanted = true;
  } catch {
    const when = last ? " since " + clock(last.now) + " UTC" : "";
    state("lost", `no answer${when}: is the emulator still running?`);
  }
  looking = false;
  const took = performance.now() - began;
  timer = setTimeout(look, again ? 0 : Math.min(MOST, Math.max(LEAST, SHARE * took)));
  again = false;
}

at("find").addEventListener("input", () => last && drawDeployments(last));
at("rest").lastElementChild.addEventListener("click", () => {
  all = true;
  drawDeployments(last);
});
at("pause").addEventListener("click", () => {
  paused = !paused;
  put(at("pause"), "aria-pressed", paused);
  say(at("pause"), paused ? "Go on" : "Pause");
  if (paused) state("paused", "paused" + (last ? " at " + clock(last.now) + " UTC" : ""));
  else lookNow();
});
window.addEventListener("resize", () => last && drawClose(last));
document.addEventListener("visibilitychange", () => document.hidden || lookNow());
window.addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#d=")) return;
  opened = named();
  touched = true;
  lookNow();
});
say(at("how"), `export TOGETHER_BASE_URL=${location.origin}/v1\nexport TOGETHER_API_KEY=acct:demo:any-key`);
look();
