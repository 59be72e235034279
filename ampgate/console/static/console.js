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
  part.innerHTML = html;
  localize(part);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (key) {
    const again = document.getElementById(key) || part.querySelector(`[href="${CSS.escape(key)}"]`);
    again?.focus({ preventScroll: true });
  }
}

function follow(part) {
  const source = new EventSource(part.dataset.stream);
  source.addEventListener("part", (event) => {
    if (document.getSelection()?.isCollapsed === false) return; // Somebody copies from it.
    part.classList.remove("stale");
    replace(part, event.data);
  });
  source.addEventListener("done", () => source.close());
  source.onerror = () => {
    part.classList.add("stale");
    // Refused, not only cut: the session has ended, and the page asks to sign in.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  };
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

document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
localize(document);
for (const part of document.querySelectorAll("[data-stream]")) follow(part);
