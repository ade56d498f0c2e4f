// The agents' desk: drafts survive a reload, texts are counted as one types, several cases are chosen, and keys. What comes by itself is
// in live.js. Everything works without it.
"use strict";
(() => {
  const { base, find, all, remember, person } = globalThis.docket;
  if (!find(".desk")) return;

  const thread = find(".thread[data-case]");
  const reference = thread?.dataset.case;
  // After a refusal the browser's address is that of the form; the page's own is this.
  const query = new URLSearchParams(location.search);
  // What was just done is said once, and not again after a reload.
  const done = query.get("done");
  for (const said of ["done", "undo", "closed", "did", "count", "refused", "template"]) query.delete(said);
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
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      const close = event.shiftKey && mode() === "reply" ? find("[name=then]", write) : null;
      write.requestSubmit(close ?? find("button.main", write));
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
    const words = windowLine.dataset;
    windowLine.hidden = minutes < 0;
    find("#window-over").hidden = minutes >= 0;
    const form = minutes >= 60 ? words.hours : words.minutes;
    find(".left", windowLine).textContent = filled(form, { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  }
  countDown();
  setInterval(countDown, 20000);

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
    const anchor = all(":scope > li[id]", log).find((item) => item.getBoundingClientRect().bottom > top);
    const before = anchor?.getBoundingClientRect().top;
    const newest = () => all("li[id^=i]", log).at(-1)?.id;
    const last = newest();
    change();
    if (anchor?.isConnected) scroller.scrollTop += anchor.getBoundingClientRect().top - before;
    if (newest() !== last) toEnd.hidden = false;
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
      text.dispatchEvent(new Event("input", { bubbles: true }));
      choice.value = "";
      text.focus();
    } catch {
      answers.submit();
    }
  });

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
    e: () => {
      const button = find("[data-key=e]");
      // What has just come is not closed by a key that was meant for what was there before.
      if (button?.classList.contains("anyway") && document.activeElement !== button) button.focus();
      else button?.click();
    },
    u: () => find("[data-key=u]")?.click(),
    x: () => {
      const item = document.activeElement.closest?.("#entries li") ?? find("#entries [aria-current]")?.closest("li");
      item && find(".pick input", item)?.click();
    },
    c: () => find(".bar .new-case")?.click(),
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

  globalThis.docket.desk = { reference, address, query, done, mode, write, text, scroller, log, divider, toEnd, isAtEnd, keepPlace, showCount, countDown, showChosen, filled };
})();
