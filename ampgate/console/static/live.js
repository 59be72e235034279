// The live tail: rows are made of text alone, so that no record can be anything else.
"use strict";

const ROWS_MAX = 200;
const tail = document.querySelector("[data-tail]");
const rows = document.getElementById("tail-rows");
const says = document.getElementById("tail-says");
const pause = document.getElementById("pause");
let isPaused = false;
let count = 0;
let missed = 0;
let recent = [];

function cell(row, text, look) {
  const made = document.createElement("td");
  made.textContent = text;
  if (look) made.className = look;
  row.append(made);
  return made;
}

function rowOf(record) {
  const row = document.createElement("tr");
  const time = document.createElement("time");
  time.dateTime = record.time;
  time.dataset.seconds = "";
  cell(row, "", "nowrap").append(time);
  const open = document.createElement("button");
  open.className = "link";
  open.textContent = record.type || record.topic;
  open.setAttribute("aria-expanded", "false");
  open.addEventListener("click", () => toggle(row, open, record));
  cell(row, "").append(open);
  cell(row, record.user, "clip");
  cell(row, record.source, "soft");
  cell(row, record.value, "mono clip");
  return row;
}

// The whole of it below its row; its page knows where it went.
function toggle(row, open, record) {
  const isOpen = open.getAttribute("aria-expanded") === "true";
  open.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) {
    row.nextElementSibling?.remove();
    return;
  }
  if (!isPaused) setPaused(true);
  const more = document.createElement("tr");
  more.className = "opened";
  const all = document.createElement("td");
  all.colSpan = 5;
  const link = document.createElement("a");
  link.href = `/events/${record.place.split("/").map(encodeURIComponent).join("/")}`;
  link.textContent = "Where it is, for each destination";
  const value = document.createElement("pre");
  value.textContent = record.value;
  const where = document.createElement("p");
  where.append(`${record.place}, ${record.bytes.toLocaleString("en")} bytes. `, link);
  all.append(where, value);
  more.append(all);
  row.after(more);
}

function setPaused(paused) {
  isPaused = paused;
  missed = 0;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  says.textContent = paused ? "Paused." : "Following.";
}

function show(message) {
  count += message.count;
  const now = performance.now();
  recent.push([now, message.count]);
  recent = recent.filter(([at]) => now - at < 5000);
  const span = Math.max(1, (now - recent[0][0]) / 1000);
  const rate = recent.reduce((sum, [, part]) => sum + part, 0) / span;
  document.getElementById("tail-rate").textContent = Math.round(rate).toLocaleString("en");
  document.getElementById("tail-count").textContent = count.toLocaleString("en");
  if (isPaused) {
    missed += message.count;
    says.textContent = `Paused: ${missed.toLocaleString("en")} came meanwhile.`;
    return;
  }
  if (message.trouble) {
    says.textContent = `${message.trouble}: waiting…`;
  } else if (message.ready) {
    const left = message.count - message.rows.length;
    says.textContent = left > 0 ? "Following: more come than are shown." : "Following.";
  }
  for (const record of message.rows) rows.prepend(rowOf(record));
  while (rows.rows.length > ROWS_MAX) rows.lastElementChild.remove();
  localize(rows);
}

pause.addEventListener("click", () => setPaused(!isPaused));
document.getElementById("clear").addEventListener("click", () => rows.replaceChildren());

// A browser has six connections to a host, and the console so many places for those who follow: a
// page that nobody has looked at for long gives its own back.
const HIDDEN_MS = 300000;
let source = null;
let leaving = 0;

function open() {
  source = new EventSource(tail.dataset.tail);
  source.addEventListener("records", (event) => show(JSON.parse(event.data)));
  source.addEventListener("failed", (event) => {
    says.textContent = `It has ended: ${event.data}`;
    source.close();
  });
  source.onerror = () => {
    const isOver = source.readyState === EventSource.CLOSED;
    says.textContent = isOver
      ? "The console refuses, or your session has ended: open the page again."
      : "The console does not answer; trying again…";
  };
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  if (!document.hidden && source === null) {
    says.textContent = "Nothing was followed while the page was hidden. Connecting to Kafka…";
    open();
  }
  if (document.hidden && source !== null) {
    leaving = setTimeout(() => {
      source.close();
      source = null;
    }, HIDDEN_MS);
  }
});
open();
