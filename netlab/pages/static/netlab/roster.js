// Keeps the table of people fresh: the websocket says that something has changed, the table is fetched anew.
"use strict";

const place = document.getElementById("roster");
const live = document.getElementById("roster-live");
const RECONNECT_MS = [1000, 2000, 5000, 10000];
const REFRESH_MS = 60000; // who went away is noticed by time passing, not by a message
const ENDED_CODES = [4401, 4404, 4410];
let attempt = 0;
let fetching = false;
let again = false;

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(place.dataset.source, { headers: { "X-Requested-With": "fetch" }, redirect: "error" });
    if (answer.ok) put(await answer.text());
  } catch {
    // the socket's own state says that the line is gone
  } finally {
    fetching = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

// Whoever has a menu open or the focus in the table keeps both.
function put(html) {
  const open = [...place.querySelectorAll("details[open]")].map((d) => d.id);
  const focused = place.contains(document.activeElement) ? document.activeElement.closest("details")?.id : null;
  place.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.querySelector("summary")?.focus();
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${place.dataset.socket}`);
  socket.addEventListener("open", () => {
    attempt = 0;
    live.textContent = "live";
    refresh();
  });
  socket.addEventListener("message", refresh);
  socket.addEventListener("close", (event) => {
    if (ENDED_CODES.includes(event.code)) {
      live.textContent = "Not live: sign in again and reload.";
      return;
    }
    live.textContent = "Reconnecting";
    setTimeout(connect, RECONNECT_MS[Math.min(attempt++, RECONNECT_MS.length - 1)] * (0.8 + 0.4 * Math.random()));
  });
}

connect();
setInterval(refresh, REFRESH_MS);
