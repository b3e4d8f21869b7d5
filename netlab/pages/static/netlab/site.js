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
