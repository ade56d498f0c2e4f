// Times of a snooze in the browser's time zone. Without this they are in UTC.
"use strict";
(() => {
  const MORNING = 9;
  function zone() {
    for (const span of document.querySelectorAll("[data-snooze-zone]")) span.hidden = true;
  }
  function morning(days) {
    const time = new Date();
    time.setDate(time.getDate() + days);
    time.setHours(MORNING, 0, 0, 0);
    return time;
  }
  function chosen(choice) {
    if (choice === "tomorrow") return morning(1);
    if (choice === "week") return morning((8 - new Date().getDay()) % 7 || 7);
    return null;
  }
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const select = form.querySelector?.("[data-snooze]");
    if (!select) return;
    const at = form.querySelector("[name=at]").value;
    const time = at ? new Date(at) : chosen(select.value);
    form.querySelector("[name=exact]")?.remove();
    if (!time || Number.isNaN(time.getTime())) return;
    const exact = document.createElement("input");
    exact.type = "hidden";
    exact.name = "exact";
    exact.value = time.toISOString();
    form.append(exact);
  });
  zone();
  // Parts of the page are put in anew while it is open.
  document.addEventListener("toggle", zone, true);
})();
