// What every page gains by a script: times are the reader's own. The agents' desk has more in desk.js and live.js. Everything works
// without any of it.
"use strict";
(() => {
  // The path that Docket lies below: this file's own address names it.
  const base = new URL(document.currentScript.src).pathname.replace(/\/assets\/[^/]*$/, "");
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  // Storage can be forbidden; then nothing is remembered.
  const remember = {
    get(store, key) { try { return store.getItem(key); } catch { return null; } },
    set(store, key, value) { try { value ? store.setItem(key, value) : store.removeItem(key); } catch { /* see above */ } },
  };

  const language = document.documentElement.lang;
  // The zone that the person or the installation chose, or else the browser's own.
  const timeZone = document.documentElement.dataset.zone || undefined;
  const form = (parts) => new Intl.DateTimeFormat(language, { ...parts, timeZone });
  const forms = {
    day: form({ day: "numeric", month: "short" }),
    year: form({ day: "numeric", month: "short", year: "numeric" }),
    clock: form({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    exact: form({ dateStyle: "long", timeStyle: "long" }),
    weekday: form({ weekday: "long", day: "numeric", month: "long" }),
    weekdayYear: form({ weekday: "long", day: "numeric", month: "long", year: "numeric" }),
  };
  const dayOf = (at) => forms.year.format(at);
  const yearOf = (at) => dayOf(at).slice(-4);
  /// A date as it stands above a day of a thread.
  function day(at, today, yesterday) {
    const now = new Date();
    if (dayOf(at) === dayOf(now)) return today;
    now.setDate(now.getDate() - 1);
    if (dayOf(at) === dayOf(now)) return yesterday;
    return (yearOf(at) === yearOf(new Date()) ? forms.weekday : forms.weekdayYear).format(at);
  }
  function localise(within) {
    const now = new Date();
    for (const time of all("time[data-when]", within)) {
      const at = new Date(time.dateTime);
      const isToday = dayOf(at) === dayOf(now);
      const isThisYear = yearOf(at) === yearOf(now);
      const day = isThisYear ? forms.day.format(at) : dayOf(at);
      const clock = forms.clock.format(at);
      if (time.dataset.when === "time") time.textContent = clock;
      else if (time.dataset.when === "exact") time.textContent = forms.exact.format(at);
      else if (time.dataset.when === "short") time.textContent = isToday ? clock : day;
      else time.textContent = isToday ? clock : `${day}, ${clock}`;
      time.title = forms.exact.format(at);
    }
  }
  localise(document);

  // Menus close by Escape, which gives the focus back, and by a click elsewhere.
  const openMenus = () => all("details.account[open], details[data-menu][open]");
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = openMenus().at(-1);
    if (!menu) return;
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) find("summary", menu).focus();
    event.preventDefault();
  }, true);
  addEventListener("click", (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  });

  // Settings: what the automatic reply becomes, shown as one types, and addresses to copy.
  const preview = find("#preview");
  find("#reply")?.addEventListener("input", (event) => {
    const { count, list, none } = preview.dataset;
    const reply = event.target.value;
    preview.textContent = reply.trim() ? reply.replace(/%s[12]/g, (place) => (place === "%s1" ? count : list)) : none;
  });
  for (const button of navigator.clipboard ? all("[data-copy]") : []) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
      find(".live").textContent = button.closest("[data-copied]").dataset.copied;
      setTimeout(() => { find(".live").textContent = ""; }, 2000);
    });
  }

  // Drafts belong to a person and go when they sign out, in the other tabs of this browser too. A session that ended by itself leaves
  // them: the person signs in again and goes on.
  const { person } = find(".live")?.dataset ?? {};
  function forgetDrafts(whose) {
    try {
      for (const key of Object.keys(sessionStorage)) {
        if (["draft", "mode"].some((kind) => key.startsWith(`${kind}-${whose}-`))) sessionStorage.removeItem(key);
      }
    } catch { /* see above */ }
  }
  for (const form of all("form[action$='/sign-out'], form[action$='/sign-out-everywhere']")) {
    form.addEventListener("submit", () => {
      forgetDrafts(person);
      remember.set(localStorage, "signed-out", `${person} ${Date.now()}`);
    });
  }
  addEventListener("storage", ({ key, newValue }) => {
    if (key === "signed-out" && newValue?.startsWith(`${person} `)) forgetDrafts(person);
  });

  // For the other scripts, which come after this one.
  globalThis.docket = { base, find, all, remember, localise, day, person, dayOf };
})();
