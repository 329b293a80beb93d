// Three things that a page cannot do without a script: come in by an address, say how long ago a moment was, and take changes as they come.
// All HTML that is put in here was made and escaped by our own server; nothing else is asked for anything.
"use strict";

function comeIn() {
  const form = document.getElementById("enter");
  const token = location.hash.slice(1);
  if (!form || !token) return;
  history.replaceState(null, "", location.pathname);
  form.elements.token.value = token;
  form.submit();
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

function ago(then) {
  const seconds = Math.max(0, Math.round((Date.now() - then) / 1000));
  for (const [unit, length] of UNITS) {
    const count = Math.floor(seconds / length);
    if (count) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return seconds < 10 ? "just now" : `${Math.floor(seconds / 10) * 10} s ago`;
}

function wordTimes() {
  for (const time of document.querySelectorAll("time")) {
    const then = new Date(time.dateTime);
    const text = time.className === "exact" ? then.toLocaleString([], {weekday: "short", hour: "2-digit", minute: "2-digit"}) : ago(then);
    if (time.textContent !== text) time.textContent = text;
    time.title = then.toLocaleString();
  }
}

// What has the focus, and what is folded out, stays so.
function put(name, mark, html) {
  const part = document.querySelector(`[data-part="${name}"]`);
  if (!part || part.dataset.mark === mark) return;
  part.dataset.mark = mark;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const scrolled = [...part.querySelectorAll(".wide")].map((one) => one.scrollLeft);
  const unfolded = [...part.querySelectorAll("details[open]")].map((one) => one.id);
  part.innerHTML = html;
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  part.querySelectorAll(".wide").forEach((one, index) => { one.scrollLeft = scrolled[index] ?? 0; });
  if (focused) (document.getElementById(focused) ?? document.getElementById("main")).focus({preventScroll: true});
  const section = part.closest("section");
  if (section) section.hidden = !html.trim();
  wordTimes();
}

let source = null;
let later = 0;

function listen() {
  clearTimeout(later);
  if (source || document.hidden) return;
  source = new EventSource(`/changes?of=${document.body.dataset.of}`);
  source.addEventListener("part", (event) => { const part = JSON.parse(event.data); put(part.name, part.mark, part.html); lost(false); });
  source.onerror = () => {
    lost(true);
    if (source.readyState === EventSource.CLOSED) { unlisten(); later = setTimeout(listen, 10000); }
  };
}

// A page that nobody sees asks for nothing: a browser has few connections for all its windows.
function unlisten() { source?.close(); source = null; }

function lost(is) { const note = document.getElementById("link"); if (note) note.hidden = !is; }

comeIn();
addEventListener("hashchange", comeIn);
wordTimes();
setInterval(wordTimes, 10000);
if (document.body.dataset.of !== undefined) {
  document.addEventListener("visibilitychange", () => document.hidden ? unlisten() : listen());
  addEventListener("pagehide", unlisten);
  addEventListener("pageshow", listen);
}
