// What the pages gain by a script: changes appear by themselves, drafts survive a reload, times are the reader's own, and keys.
// Everything works without it.
"use strict";
(() => {
  // The path that Docket lies below: this file's own address names it.
  const base = new URL(document.currentScript.src).pathname.replace(/\/assets\/[^/]*$/, "");
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
  if (!desk) return;

  const thread = find(".thread[data-case]");
  const reference = thread?.dataset.case;
  // After a refusal the browser's address is that of the form; the page's own is this.
  const query = new URLSearchParams(location.search);
  // What was just done is said once, and not again after a reload.
  const done = query.get("done");
  for (const said of ["done", "undo", "did", "count", "refused", "template"]) query.delete(said);
  const address = base + (reference ? `/cases/${reference}` : "/") + (query.size ? `?${query}` : "");
  const write = find("#write");
  const text = find("#text");
  const scroller = find(".log-scroll");
  const log = find("#log");

  // Where the reader left off.
  const divider = find("#new");
  if (divider) {
    divider.scrollIntoView({ block: "start" });
    if (document.activeElement === document.body && !find("[autofocus]")) divider.focus({ preventScroll: true });
  } else if (scroller && !location.hash && getComputedStyle(scroller).overflowY === "visible") {
    // Where there is little height the page scrolls as a whole, and would begin with the oldest.
    log.lastElementChild?.scrollIntoView({ block: "end" });
  }
  history.replaceState(history.state, "", address + (location.hash === "#new" ? "" : location.hash));

  // The reply box: what a text takes is counted as counter.rs does it.
  const counter = find("#count");
  const filled = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const mode = () => find("[name=as]:checked", write)?.value ?? "reply";
  function count(written) {
    const rules = counter.dataset;
    if (!written) return ["", ""];
    const chars = [...(written + rules.appended)];
    const limit = Number(rules.limit);
    const over = chars.length - limit;
    const tooLong = over > 0 ? filled(rules.tooLong, { over, limit }) : "";
    if (rules.channel !== "sms") return [filled(rules.characters, { left: Math.max(-over, 0), limit }), tooLong];
    const width = (c) => {
      if (/[\n\r -Z_a-z]/.test(c) || rules.alphabet.includes(c)) return 1;
      return rules.extension.includes(c) ? 2 : 0;
    };
    const outside = chars.find((c) => width(c) === 0);
    const widths = chars.map(outside === undefined ? width : (c) => c.length);
    const single = outside === undefined ? 160 : 70;
    const part = outside === undefined ? 153 : 67;
    let left = single - widths.reduce((sum, wide) => sum + wide, 0);
    let parts = 1;
    if (left < 0) {
      left = part;
      for (const wide of widths) {
        if (wide > left) { parts += 1; left = part; }
        left -= wide;
      }
    }
    const sentence = filled(parts === 1 ? rules.one : rules.many, { parts, left });
    return [outside === undefined ? sentence : sentence + filled(rules.outside, { outside }), tooLong];
  }
  function showCount() {
    if (!counter) return;
    const [sentence, tooLong] = mode() === "reply" ? count(text.value) : ["", ""];
    find(".counted", counter).textContent = sentence;
    const warning = find(".too-long", counter);
    if (warning.textContent !== tooLong) warning.textContent = tooLong;
    // The browser refuses to send it, and says why.
    text.setCustomValidity(tooLong);
  }

  // Drafts, one for each person, case and mode: a note must never be sent because the mode was changed.
  const draftKey = (as) => `draft-${person}-${reference}-${as}`;
  const modeKey = `mode-${person}-${reference}`;
  if (text) {
    if (done === "replied" || done === "replied-closed") remember.set(sessionStorage, draftKey("reply"), "");
    if (done === "noted") remember.set(sessionStorage, draftKey("note"), "");
    // What the server gives back after a refusal is newer than what is remembered.
    if (text.value) {
      remember.set(sessionStorage, draftKey(mode()), text.value);
    } else {
      const last = find(`[name=as][value=${remember.get(sessionStorage, modeKey) ?? "reply"}]`, write);
      if (last && remember.get(sessionStorage, draftKey(last.value))) last.checked = true;
      text.value = remember.get(sessionStorage, draftKey(mode())) ?? "";
    }
    let was = mode();
    write.addEventListener("change", (event) => {
      if (event.target.name !== "as" || was === mode()) return;
      remember.set(sessionStorage, draftKey(was), text.value);
      was = mode();
      remember.set(sessionStorage, modeKey, was);
      text.value = remember.get(sessionStorage, draftKey(was)) ?? "";
      showCount();
    });
    text.addEventListener("input", () => {
      remember.set(sessionStorage, draftKey(mode()), text.value);
      remember.set(sessionStorage, modeKey, mode());
      showCount();
    });
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) write.requestSubmit();
    });
    showCount();
    // On a phone the box is small until it is used, and from then on it stays as it is, so that nothing moves under a finger.
    write.addEventListener("focusin", () => document.body.classList.add("wrote"), { once: true });
  }

  // WhatsApp's window.
  function countDown() {
    const windowLine = find("#window");
    const ends = windowLine?.dataset.ends;
    if (!ends) return;
    const minutes = Math.floor((new Date(ends) - Date.now()) / 60000);
    const said = find("span", windowLine);
    const words = windowLine.dataset;
    windowLine.classList.toggle("caution", minutes < 0);
    find(".until", windowLine).hidden = minutes < 0;
    if (minutes < 0) {
      said.textContent = words.over;
    } else {
      const form = minutes >= 60 ? words.hours : words.minutes;
      const left = filled(form, { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
      said.textContent = filled(words.open, { left });
    }
  }
  countDown();
  setInterval(countDown, 20000);

  // Changes. `old` becomes what `fresh` is, node by node, so that focus, drafts, open details and what is chosen stay.
  const key = (node) => (node?.nodeType === 1 && node.id && `${node.nodeName} ${node.id}`) || null;
  function morph(old, fresh) {
    if (old.nodeType !== 1) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
    }
    const known = new Map([...old.childNodes].filter(key).map((child) => [key(child), child]));
    const kept = new Set([...fresh.childNodes].map(key).filter((id) => id && known.has(id)));
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const id = key(child);
      let match = id ? known.get(id) : null;
      if (!id) {
        // The next one without a name that is of its kind.
        match = place;
        while (match && (key(match) || match.nodeName !== child.nodeName)) match = match.nextSibling;
      }
      if (!match) {
        old.insertBefore(document.importNode(child, true), place);
        continue;
      }
      // What stands before it and is not waited for has gone.
      while (place && place !== match && !kept.has(key(place)) && !(id && !key(place) && place.nodeType === 1)) {
        const next = place.nextSibling;
        place.remove();
        place = next;
      }
      if (place === match) place = match.nextSibling;
      else old.insertBefore(match, place);
      morph(match, child);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }
  // Moving a node takes the focus from it.
  function keepFocus(change) {
    const focused = document.activeElement;
    change();
    if (focused && focused !== document.body && focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
  }
  // At its end the thread stays at its end; elsewhere what is read stays where it is. The column is reversed: its end is at 0.
  const isAtEnd = () => !scroller || Math.abs(scroller.scrollTop) < 30;
  const toEnd = find("#to-end");
  function keepPlace(change) {
    if (isAtEnd()) {
      change();
      if (scroller) scroller.scrollTop = 0;
      return;
    }
    const top = scroller.getBoundingClientRect().top;
    const anchor = all(":scope > li", log).find((item) => item.getBoundingClientRect().bottom > top);
    const before = anchor?.getBoundingClientRect().top;
    const last = log.lastElementChild?.id;
    change();
    if (anchor?.isConnected) scroller.scrollTop += anchor.getBoundingClientRect().top - before;
    if (log.lastElementChild?.id !== last) toEnd.hidden = false;
  }
  toEnd?.addEventListener("click", () => {
    scroller.scrollTop = 0;
    toEnd.hidden = true;
    scroller.focus({ preventScroll: true });
  });
  scroller?.addEventListener("scroll", () => { if (isAtEnd()) toEnd.hidden = true; });

  // Frequent answers, put where one writes.
  const answers = find("#answers");
  answers?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const choice = answers.elements.template;
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

  const status = find(".live");
  const isShown = () => document.visibilityState === "visible";
  // How far the reader had read: what comes while the page is seen is not marked as new, what comes behind another tab is.
  let readTo = divider ? log?.dataset.readTo : log?.dataset.version;
  let isBehind = false;
  let fetching = null;
  let again = false;
  async function refresh(touchesCase) {
    if (fetching) { again = again === true || touchesCase || "list"; return; }
    fetching = true;
    const shown = isShown();
    try {
      const headers = { accept: "text/html", "docket-live": shown ? "shown" : "hidden" };
      if (readTo && (!shown || find("#new"))) headers["docket-read-to"] = readTo;
      const answer = await fetch(address, { headers });
      if (answer.redirected && new URL(answer.url).pathname.endsWith("/sign-in")) { signedOut(); return; }
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(page);
      const put = (selector) => {
        const old = find(selector);
        const fresh = find(selector, page);
        if (old && fresh) morph(old, fresh);
      };
      keepFocus(() => {
        put(".views");
        put("#entries");
        showChosen();
        if (touchesCase !== true || !log || !find("#log", page)) return;
        isBehind = !shown;
        keepPlace(() => put("#log"));
        if (shown && !find("#new")) readTo = log.dataset.version;
        put(".head .title");
        put(".head .close-place");
        put("#details");
        put(".write-about");
        put("#count");
        countDown();
        if (text) showCount();
        // A draft keeps the version that it was begun on, so that sending it shows what has come since.
        const version = find("[name=seen_version]", page);
        if (write && version && !text.value) find("[name=seen_version]").value = version.value;
      });
    } catch {
      // The stream says that the connection is broken; the next change brings it all.
    } finally {
      fetching = null;
      if (again) { const what = again; again = false; refresh(what === true); }
    }
  }
  document.addEventListener("visibilitychange", () => { if (isShown() && isBehind) refresh(true); });
  // After the session's end the page stays as it is, with what was written, and says so. It goes on when the same person has signed
  // in again in another tab, with the tokens of the new session in its forms.
  const account = find(".menu a[href$='/account']")?.href;
  let isSignedOut = false;
  async function sessionEnded() {
    try {
      return (await fetch(account, { redirect: "manual" })).type === "opaqueredirect";
    } catch {
      return false;
    }
  }
  function signedOut() {
    if (isSignedOut) return;
    isSignedOut = true;
    stream?.close();
    const link = document.createElement("a");
    link.href = `${status.dataset.signInAt}?${new URLSearchParams({ next: address })}`;
    link.target = "_blank";
    link.textContent = status.dataset.signIn;
    status.replaceChildren(`${status.dataset.signedOut} `, link);
  }
  async function signedInAgain() {
    if (!isSignedOut || !isShown() || await sessionEnded()) return;
    try {
      const answer = await fetch(account, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok || find(".live", page)?.dataset.person !== person) { location.reload(); return; }
      const fresh = find("[name=csrf]", page).value;
      for (const field of all("[name=csrf]")) field.value = fresh;
      if (!isSignedOut) return;
      isSignedOut = false;
      status.textContent = "";
      follow();
      refresh(true);
    } catch {
      // The connection is broken; the next look at the page tries again.
    }
  }
  document.addEventListener("visibilitychange", signedInAgain);
  addEventListener("focus", signedInAgain);
  let position = desk.dataset.position;
  let waiting = null;
  let stream = null;
  function follow() {
    stream = new EventSource(`${base}/live?after=${position}${reference ? `&case=${reference}` : ""}`);
    stream.onopen = () => { status.textContent = ""; };
    stream.onmessage = (event) => {
      position = event.lastEventId;
      const mine = JSON.parse(event.data).includes(Number(reference));
      waiting = waiting === null ? mine : waiting || mine;
      // Several changes close to one another are fetched at once.
      setTimeout(() => { if (waiting !== null) { const what = waiting; waiting = null; refresh(what); } }, 150);
    };
    // The log was restored from an older backup: what the page shows may not be there. Once for each position, should the server err.
    stream.addEventListener("gone", (event) => {
      stream.close();
      if (sessionStorage.getItem("docket-gone") === event.data) return;
      sessionStorage.setItem("docket-gone", event.data);
      location.reload();
    });
    stream.addEventListener("presence", (event) => {
      const presence = find("#presence");
      if (presence) presence.textContent = JSON.parse(event.data);
    });
    const own = stream;
    stream.onerror = async () => {
      if (own !== stream || isSignedOut) return;
      if (own.readyState !== EventSource.CLOSED) { status.textContent = status.dataset.broken; return; }
      own.close();
      if (account && await sessionEnded()) { signedOut(); return; }
      if (own !== stream || isSignedOut) return;
      status.textContent = status.dataset.broken;
      setTimeout(() => { if (own === stream && !isSignedOut) follow(); }, 5000);
    };
  }
  addEventListener("pagehide", () => stream?.close());
  follow();
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // Several cases at once.
  const chosen = find("#chosen");
  function showChosen() {
    if (!chosen) return;
    const count = all(".pick input:checked").length;
    chosen.textContent = count ? filled(chosen.dataset.count, { count }) : "";
  }
  find("#entries")?.addEventListener("change", showChosen);
  for (const [id, choice] of [["#choose-all", true], ["#choose-none", false]]) {
    const button = find(id);
    if (!button) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      for (const box of all(".pick input")) box.checked = choice;
      showChosen();
      // The form goes with the last choice, and the focus would go with it.
      if (!choice) find(".entry")?.focus();
    });
  }
  showChosen();

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
    if (!choice.checked) choice.click();
    text.focus();
  }
  const actions = {
    j: () => step(1),
    k: () => step(-1),
    r: () => writeAs("reply"),
    n: () => writeAs("note"),
    a: () => find("[data-key=a]")?.click(),
    e: () => find("[data-key=e]")?.click(),
    u: () => find("[data-key=u]")?.click(),
    x: () => {
      const item = document.activeElement.closest?.("#entries li") ?? find("#entries [aria-current]")?.closest("li");
      item && find(".pick input", item)?.click();
    },
    "/": () => find("#q").focus(),
    "?": () => keys.showModal(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || keys.open) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
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
