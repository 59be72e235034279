// What all pages do: times in the reader's zone, `/` for the search, and parts that renew themselves.
"use strict";

const two = (number) => String(number).padStart(2, "0");

function shown(at, withSeconds) {
  const now = new Date();
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}${withSeconds ? ":" + two(at.getSeconds()) : ""}`;
  if (at.toDateString() === now.toDateString()) return clock;
  const day = at.toLocaleDateString("en", { day: "numeric", month: "short" });
  return `${day} ${clock}`;
}

function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.textContent = shown(at, "seconds" in time.dataset);
    time.title = time.dateTime;
  }
  for (const tick of root.querySelectorAll("text[data-at]")) {
    tick.textContent = shown(new Date(Number(tick.dataset.at) * 1000), false).split(" ").pop();
  }
}

// A part that changed is replaced; the element in it that has the focus keeps it.
function replace(part, html) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const key = focused && (focused.id || focused.getAttribute("href"));
  const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
  const scrolled = [...part.querySelectorAll(".table[id]")].map((one) => [one.id, one.scrollLeft]);
  part.innerHTML = html;
  localize(part);
  for (const [id, left] of scrolled) document.getElementById(id)?.scrollTo({ left });
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (key) {
    const again = document.getElementById(key) || part.querySelector(`[href="${CSS.escape(key)}"]`);
    again?.focus({ preventScroll: true });
  }
}

// Whether somebody copies from it.
function isSelected(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && selection.containsNode(part, true);
}

// Refused, not only cut: the session has ended, and the page asks to sign in. It is not left while
// something else answers in place of the console.
async function reloadOnceItAnswers() {
  const answer = await fetch("/healthz").catch(() => null);
  if (answer?.ok) location.reload();
  else setTimeout(reloadOnceItAnswers, 3000);
}

// A browser has six connections to a host, for all of its tabs: a hidden one gives its own back.
function follow(part) {
  let source = null;
  let newest = null;
  let isDone = false;
  function show() {
    if (newest === null) return;
    part.classList.toggle("stale", isSelected(part));
    if (isSelected(part)) return;
    replace(part, newest);
    newest = null;
  }
  function open() {
    source = new EventSource(part.dataset.stream);
    source.addEventListener("part", (event) => {
      newest = event.data;
      show();
    });
    source.addEventListener("done", () => {
      isDone = true;
      source.close();
    });
    source.onerror = () => {
      part.classList.add("stale");
      if (source.readyState === EventSource.CLOSED) setTimeout(reloadOnceItAnswers, 3000);
    };
  }
  function change() {
    if (isDone) return;
    if (!document.hidden && source === null) open();
    if (document.hidden && source !== null) {
      source.close();
      source = null;
      part.classList.add("stale");
    }
  }
  document.addEventListener("visibilitychange", change);
  document.addEventListener("selectionchange", show);
  change();
}

document.addEventListener("keydown", (event) => {
  const inText = event.target instanceof Element && event.target.closest("input, textarea, select");
  if (event.key === "/" && !inText && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    const find = document.getElementById("find");
    find?.focus();
    find?.select();
  }
});

// A time that is typed without a zone is in the reader's, as are the times that pages show.
const LOCAL = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?$/;
document.addEventListener("submit", (event) => {
  for (const field of event.target.querySelectorAll("[data-moment]")) {
    const found = LOCAL.exec(field.value.trim());
    if (!found) continue;
    const at = new Date(found[0].replace(" ", "T") + (found[1] ? "" : "T00:00"));
    if (!Number.isNaN(at.getTime())) field.value = at.toISOString();
  }
});

document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
localize(document);
for (const part of document.querySelectorAll("[data-stream]")) follow(part);
