// What the pages gain by a script: changes appear by themselves, drafts survive a reload, times are the reader's own, and keys.
// Everything works without it.
"use strict";
(() => {
  const desk = document.querySelector(".desk");
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  // Storage can be forbidden; then nothing is remembered.
  const remember = {
    get(store, key) { try { return store.getItem(key); } catch { return null; } },
    set(store, key, value) { try { value ? store.setItem(key, value) : store.removeItem(key); } catch { /* see above */ } },
  };

  const language = document.documentElement.lang;
  const forms = {
    day: new Intl.DateTimeFormat(language, { day: "numeric", month: "short" }),
    year: new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" }),
    clock: new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    exact: new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "long" }),
  };
  function localise(within) {
    const now = new Date();
    for (const time of all("time[data-when]", within)) {
      const at = new Date(time.dateTime);
      const isToday = at.toDateString() === now.toDateString();
      const day = at.getFullYear() === now.getFullYear() ? forms.day.format(at) : forms.year.format(at);
      const clock = forms.clock.format(at);
      if (time.dataset.when === "short") time.textContent = isToday ? clock : day;
      else time.textContent = isToday ? clock : `${day}, ${clock}`;
      time.title = forms.exact.format(at);
    }
  }
  localise(document);

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
  if (!desk) return;

  const thread = find(".thread[data-case]");
  const reference = thread?.dataset.case;
  // After a refusal the browser's address is that of the form; the page's own is this.
  const query = new URLSearchParams(location.search);
  // What was just done is said once, and not again after a reload.
  query.delete("done");
  query.delete("undo");
  query.delete("template");
  const address = (reference ? `/cases/${reference}` : "/") + (query.size ? `?${query}` : "");
  history.replaceState(history.state, "", address + location.hash);
  const write = find("#write");
  const text = find("#text");

  // Drafts.
  const draftKey = `draft-${reference}`;
  if (text) {
    // What the server gives back after a refusal is newer than what is remembered.
    if (!text.value && !find(".notice")) text.value = remember.get(sessionStorage, draftKey) ?? "";
    else if (text.value) remember.set(sessionStorage, draftKey, text.value);
    text.addEventListener("input", () => remember.set(sessionStorage, draftKey, text.value));
    write.addEventListener("submit", () => remember.set(sessionStorage, draftKey, ""));
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) write.requestSubmit();
    });
  }

  // Frequent answers, put where one writes.
  const answers = find("#answers");
  answers?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const choice = find("select", answers);
    if (!choice.value) return;
    try {
      const answer = await fetch(`${answers.getAttribute("action")}?${new URLSearchParams(new FormData(answers))}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      text.setRangeText(find("#text", page).value, text.selectionStart, text.selectionEnd, "end");
      text.dispatchEvent(new Event("input"));
      choice.value = "";
      text.focus();
    } catch {
      answers.submit();
    }
  });

  // Changes.
  const status = find(".live");
  let fetching = null;
  let again = false;
  // Puts what is new of `fresh` into `old`, item by item, so that focus and open details stay where they are.
  function merge(old, fresh, key) {
    const known = new Map(all(":scope > *", old).map((item) => [key(item), item]));
    let previous = null;
    for (const item of all(":scope > *", fresh)) {
      const before = known.get(key(item));
      known.delete(key(item));
      let now = before;
      localise(item);
      if (!before) {
        now = item;
      } else if (before.textContent !== item.textContent || before.innerHTML.length !== item.innerHTML.length) {
        if (before.contains(document.activeElement)) {
          // What has the focus is left, and made new with the next change.
        } else {
          before.replaceWith(item);
          now = item;
        }
      }
      const place = previous ? previous.nextSibling : old.firstChild;
      if (now !== place && !(place && place.nodeType === 3 && place.nextSibling === now)) old.insertBefore(now, place);
      previous = now;
    }
    for (const gone of known.values()) if (!gone.contains(document.activeElement)) gone.remove();
  }
  async function refresh(touchesCase) {
    if (fetching) { again = again || touchesCase || "list"; return; }
    fetching = true;
    try {
      const answer = await fetch(address, { headers: { accept: "text/html" } });
      if (answer.redirected && new URL(answer.url).pathname === "/sign-in") { location.reload(); return; }
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const entries = find("#entries > ul");
      const freshEntries = find("#entries > ul", page);
      if (entries && freshEntries) merge(entries, freshEntries, (item) => find("a", item)?.dataset.case);
      const empty = find("#entries > .empty");
      if (empty && freshEntries?.children.length) empty.remove();
      const log = find("#log");
      const freshLog = find("#log", page);
      if (touchesCase === true && log && freshLog) {
        merge(log, freshLog, (item) => item.id);
        const head = find(".head .title");
        const freshHead = find(".head .title", page);
        if (freshHead && head.innerHTML !== freshHead.innerHTML) head.replaceWith(freshHead);
        // A draft keeps the version that it was begun on, so that sending it shows what has come since.
        const version = find("[name=seen_version]", page);
        if (write && version && !text.value) find("[name=seen_version]").value = version.value;
      }
    } catch {
      // The stream says that the connection is broken; the next change brings it all.
    } finally {
      fetching = null;
      if (again) { const what = again; again = false; refresh(what === true); }
    }
  }
  let position = desk.dataset.position;
  let waiting = null;
  function follow() {
    const stream = new EventSource(`/live?after=${position}`);
    stream.onopen = () => { status.textContent = ""; };
    stream.onmessage = (event) => {
      position = event.lastEventId;
      const mine = JSON.parse(event.data).includes(Number(reference));
      waiting = waiting === null ? mine : waiting || mine;
      // Several changes close to one another are fetched at once.
      setTimeout(() => { if (waiting !== null) { const what = waiting; waiting = null; refresh(what); } }, 150);
    };
    stream.onerror = () => {
      status.textContent = status.dataset.broken;
      if (stream.readyState === EventSource.CLOSED) { stream.close(); setTimeout(follow, 5000); }
    };
    addEventListener("pagehide", () => stream.close(), { once: true });
  }
  follow();
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // Keys.
  const keys = find("#keys");
  const on = find("#keys-on");
  const showKeys = find(".show-keys");
  showKeys.hidden = false;
  showKeys.addEventListener("click", () => keys.showModal());
  on.checked = remember.get(localStorage, "keys") !== "off";
  on.addEventListener("change", () => remember.set(localStorage, "keys", on.checked ? "" : "off"));
  function step(by) {
    const entries = all(".entry");
    const here = entries.indexOf(document.activeElement.closest?.(".entry"));
    const from = here >= 0 ? here : entries.findIndex((entry) => entry.hasAttribute("aria-current")) ;
    const next = from < 0 && by < 0 ? 0 : from + by;
    entries[Math.min(Math.max(next, 0), entries.length - 1)]?.focus();
  }
  function writeAs(mode) {
    const choice = write && find(`[name=as][value=${mode}]`, write);
    if (!choice || choice.disabled) return;
    choice.checked = true;
    text.focus();
  }
  const actions = {
    j: () => step(1),
    k: () => step(-1),
    r: () => writeAs("reply"),
    n: () => writeAs("note"),
    a: () => find("[data-key=a]")?.click(),
    "/": () => find("#q").focus(),
    "?": () => keys.showModal(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || keys.open) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const action = actions[event.key];
    // The list of keys is always there, so that they can be turned on again.
    if (!action || (!on.checked && event.key !== "?")) return;
    event.preventDefault();
    action();
  });
})();
