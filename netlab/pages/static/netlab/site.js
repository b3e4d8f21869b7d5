// Small comforts of the server-rendered pages; every page works without them. Loaded by base.html.
"use strict";

// The server shows times in this zone; the first page is in UTC and says so.
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (ZONE && !document.cookie.includes(`netlab_zone=${ZONE}`)) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `netlab_zone=${ZONE}; path=/; max-age=31536000; samesite=lax${secure}`;
}

// Copy buttons: shown only where copying works (HTTPS or localhost).
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  if (!source || !navigator.clipboard) continue;
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.value ?? source.href);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}
for (const field of document.querySelectorAll("input[readonly]")) {
  field.addEventListener("focus", () => field.select());
}

// Menus: one open at a time, closed by Escape and by a click elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// What will change by itself is fetched anew for as long as it says so.
function keepFresh(place) {
  setTimeout(async () => {
    const fresh = document.hidden ? null : await fetchPart(place);
    if (fresh && !place.contains(document.activeElement)) {
      place.replaceWith(fresh);
      place = fresh;
    }
    if (place.dataset.refreshS) keepFresh(place);
  }, place.dataset.refreshS * 1000);
}

async function fetchPart(place) {
  try {
    const answer = await fetch(place.dataset.source, { redirect: "error" });
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.getElementById(place.id);
    return part && document.importNode(part, true);
  } catch {
    return null; // the next try is soon
  }
}
for (const place of document.querySelectorAll("[data-refresh-s]")) keepFresh(place);

// A search that answers while one types; without script its button does the same.
const TYPING_MS = 150;
for (const form of document.querySelectorAll("[data-finds]")) {
  let timer = 0;
  for (const button of form.querySelectorAll("[data-without-script]")) button.hidden = true;
  const find = async () => {
    const query = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...query]) if (!value.trim()) query.delete(name);
    const address = query.size ? `${location.pathname}?${query}` : location.pathname;
    const place = document.getElementById(form.dataset.finds);
    place.dataset.source = address;
    const fresh = await fetchPart(place);
    if (!fresh || place.dataset.source !== address) return; // more was typed meanwhile
    history.replaceState(null, "", address);
    place.replaceChildren(...fresh.children);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    find();
  });
}

// Lists whose order matters: two buttons a line; the form sends the lines as they stand.
for (const list of document.querySelectorAll("[data-reorder]")) {
  for (const row of list.children) {
    const name = row.textContent.trim();
    for (const [sign, words, move] of [["↑", "up", moveUp], ["↓", "down", moveDown]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet small";
      button.textContent = sign;
      button.setAttribute("aria-label", `Move ${name} ${words}`);
      button.addEventListener("click", () => {
        move(row);
        button.focus();
      });
      row.append(button);
    }
  }
}
function moveUp(row) {
  row.previousElementSibling?.before(row);
}
function moveDown(row) {
  row.nextElementSibling?.after(row);
}
