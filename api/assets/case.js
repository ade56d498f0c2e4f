// The page of a case: how what came by itself stands together, saved replies found by a slash, fields that save when one has chosen,
// and what is said of what was just done. It comes after desk.js. Everything works without it.
"use strict";
(() => {
  const { base, find, all, day, desk } = globalThis.docket;
  const { write, text, log, filled, mode } = desk ?? {};

  // How the items of a thread stand together: thread/arrange.rs said once more, by the reader's own days.
  const TOGETHER_MS = 3 * 60 * 1000;
  const MANY = 3;
  /// Takes apart what stands together, so that items are found side by side; gives which folds were open.
  function flatten(list) {
    for (const separator of all(":scope > .day", list)) separator.remove();
    const open = new Set();
    for (const run of all(":scope > .run", list)) {
      const details = find("details", run);
      if (details.open) open.add(details.id);
      run.replaceWith(...find("ol", run).children);
    }
    return open;
  }
  const timeOf = (item) => new Date(find("time", item.classList.contains("message") ? find(".meta", item) : item).dateTime);
  function newDay(at) {
    const separator = document.createElement("li");
    separator.className = "day";
    const time = document.createElement("time");
    time.dateTime = at.toISOString();
    time.textContent = day(at, log.dataset.today, log.dataset.yesterday);
    separator.append(time);
    return separator;
  }
  function fold(run, open) {
    const item = document.createElement("li");
    item.className = "run";
    const details = document.createElement("details");
    details.id = `run-${run[0].id}`;
    details.open = open.has(details.id) || run.some((marker) => `#${marker.id}` === location.hash);
    const summary = document.createElement("summary");
    summary.textContent = filled(log.dataset.changes, { count: run.length });
    details.append(summary, document.createElement("ol"));
    item.append(details);
    run[0].before(item);
    details.lastChild.append(...run);
  }
  function arrange(list, open = new Set()) {
    let last = null;
    let run = [];
    const closeRun = () => {
      if (run.length >= MANY) fold(run, open);
      run = [];
    };
    for (const item of [...list.children]) {
      if (!/^i\d+-\d+$/.test(item.id)) { closeRun(); last &&= { at: last.at }; continue; }
      const at = timeOf(item);
      if (!last || globalThis.docket.dayOf(last.at) !== globalThis.docket.dayOf(at)) {
        closeRun();
        // What is new begins behind the date.
        const before = item.previousElementSibling?.id === "new" ? item.previousElementSibling : item;
        before.before(newDay(at));
        last = null;
      }
      const isMarker = item.classList.contains("marker");
      if (isMarker) run.push(item);
      else closeRun();
      const { by } = item.dataset;
      const isTogether = Boolean(by && last?.by === by && Math.abs(at - last.at) <= TOGETHER_MS);
      item.classList.toggle("continues", isTogether);
      item.classList.remove("leads");
      if (isTogether) last.item.classList.add("leads");
      last = { item, by, at };
    }
    closeRun();
  }
  if (log) arrange(log, flatten(log));

  // Grows with what is written, where the browser does not do it by itself.
  const MAX_ROWS = 8;
  function grow(box) {
    if (!box || CSS.supports("field-sizing", "content")) return;
    box.rows = 1;
    while (box.rows < MAX_ROWS && box.scrollHeight > box.clientHeight) box.rows += 1;
  }
  text?.addEventListener("input", () => grow(text));
  grow(text);

  // Saved replies: a slash at the beginning or after a space opens the list, what follows narrows it.
  function saveReplies(box, choose) {
    const place = box.closest(".write");
    let known = null;
    let list = null;
    let at = 0;
    const typed = () => /(?:^|\s)\/([^\s/]*)$/.exec(box.value.slice(0, box.selectionStart))?.[1];
    async function read() {
      const answer = await fetch(choose());
      if (!answer.ok) return [];
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      return all("[data-saved] > li", page).map((item) => ({ name: find("b", item).textContent, text: find("span", item).textContent }));
    }
    function close() {
      list?.remove();
      list = null;
      box.removeAttribute("aria-activedescendant");
      box.removeAttribute("aria-controls");
    }
    function show(found) {
      close();
      list = document.createElement("div");
      list.className = "saved";
      const names = document.createElement("ul");
      names.setAttribute("role", "listbox");
      names.id = "saved-replies";
      names.setAttribute("aria-label", box.dataset.saved);
      for (const [index, reply] of found.entries()) {
        const item = document.createElement("li");
        item.id = `saved-${index}`;
        item.setAttribute("role", "option");
        item.textContent = reply.name;
        // The focus stays where one writes.
        item.addEventListener("pointerdown", (event) => event.preventDefault());
        item.addEventListener("click", () => take(found[index]));
        names.append(item);
      }
      const preview = document.createElement("p");
      preview.dir = "auto";
      list.append(names, preview);
      list.found = found;
      if (place) place.append(list);
      else box.closest("label").after(list);
      box.setAttribute("aria-controls", names.id);
      point(0);
    }
    function point(to) {
      const items = all("li", list);
      at = (to + items.length) % items.length;
      for (const [index, item] of items.entries()) item.setAttribute("aria-selected", String(index === at));
      items[at].scrollIntoView({ block: "nearest" });
      box.setAttribute("aria-activedescendant", items[at].id);
      find("p", list).textContent = list.found[at].text;
    }
    function take(reply) {
      const start = box.selectionStart - typed().length - 1;
      box.setRangeText(reply.text, start, box.selectionStart, "end");
      close();
      box.dispatchEvent(new Event("input", { bubbles: true }));
      box.focus();
    }
    box.setAttribute("aria-autocomplete", "list");
    box.addEventListener("input", async () => {
      if (typed() === undefined) { close(); return; }
      let replies;
      try { replies = await (known ??= read()); } catch { known = null; return; }
      const wanted = typed()?.toLowerCase();
      const found = wanted === undefined ? [] : replies.filter((reply) => reply.name.toLowerCase().includes(wanted));
      if (found.length && document.activeElement === box) show(found);
      else close();
    });
    box.addEventListener("keydown", (event) => {
      if (!list || event.ctrlKey || event.metaKey || event.isComposing) return;
      const moves = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in moves) point(at + moves[event.key]);
      else if (event.key === "Enter" || event.key === "Tab") take(list.found[at]);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    box.addEventListener("blur", close);
    box.forget = () => { known = null; close(); };
  }
  if (text && find("#template")) {
    text.dataset.saved = find("label[for=template]").textContent;
    saveReplies(text, () => `${find("#template").dataset.list}?${new URLSearchParams(new FormData(find("#answers")))}`);
  }
  const first = find("textarea[data-saved-replies]");
  if (first) {
    const line = first.form.elements.line;
    first.dataset.saved = first.dataset.savedReplies;
    saveReplies(first, () => `${base}/cases/new/saved-replies?${new URLSearchParams({ line: line.value })}`);
    line.addEventListener("change", () => first.forget());
    first.addEventListener("input", () => grow(first));
  }
  if (!desk) return;

  // Where one was: after something was sent by a keyboard one writes on.
  if (text && ["replied", "noted"].includes(desk.done) && !matchMedia("(pointer: coarse)").matches) text.focus({ preventScroll: true });

  // What was just done is said aloud once, goes by itself, and gives way to what came of it.
  const GOES_AFTER_MS = 10_000;
  let notice = find("#done");
  const isAboutReply = ["replied", "replied-closed", "resent"].includes(desk.done);
  function told(sentence) {
    if (!notice?.isConnected) {
      notice = document.createElement("div");
      notice.className = "notice";
      notice.id = "done";
      notice.setAttribute("role", "status");
      notice.append(document.createElement("span"));
      find(".foot").prepend(notice);
    }
    find("span", notice).textContent = sentence;
  }
  function leave() {
    if (!notice?.isConnected || notice.matches(":hover, :focus-within")) return;
    const leaving = notice;
    leaving.classList.add("leaves");
    leaving.addEventListener("animationend", () => leaving.remove());
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) leaving.remove();
  }
  if (notice) {
    const words = find("span", notice).textContent;
    // A status that was there from the start is not read out.
    find("span", notice).textContent = "";
    setTimeout(() => { if (notice.isConnected) find("span", notice).textContent = words; }, 100);
    // With something to undo it stays until one goes on.
    if (!find("form", notice)) setTimeout(leave, GOES_AFTER_MS);
  }
  /// The notice about a reply follows the reply.
  function followNotice() {
    if (!notice?.isConnected || !isAboutReply) return;
    const said = all(":scope > .message:not(.note)", log).at(-1);
    if (!said) return;
    const failed = find(".state.bad", said);
    if (said.classList.contains("theirs")) { notice.remove(); return; }
    if (!failed) return;
    notice.className = "refusal";
    find("span", notice).textContent = failed.textContent.trim();
  }

  // Fields that save as soon as one has chosen. What is refused is sent once more as a form, which shows why.
  // A key chooses one after another on its way; then the button saves.
  let isByKey = false;
  document.addEventListener("keydown", () => { isByKey = true; }, true);
  document.addEventListener("pointerdown", () => { isByKey = false; }, true);
  document.addEventListener("change", async (event) => {
    const form = event.target.closest("form.saves");
    if (!form) return;
    form.classList.toggle("unsaved", isByKey);
    if (isByKey) return;
    const field = event.target;
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "text/html" } });
    } catch {
      form.classList.add("unsaved");
      return;
    }
    if (!answer.ok || !answer.redirected) { form.requestSubmit(); return; }
    // Where the person wants the next case after closing one, that is another page.
    if (new URL(answer.url).pathname !== `${globalThis.docket.base}/cases/${desk.reference}`) { location.assign(answer.url); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = find("#done", page);
    if (!fresh) { location.assign(answer.url); return; }
    notice?.remove();
    notice = document.importNode(fresh, true);
    const words = find("span", notice).textContent;
    find("span", notice).textContent = "";
    find(".foot").prepend(notice);
    setTimeout(() => { find("span", notice).textContent = words; }, 50);
    if (!find("form", notice)) setTimeout(leave, GOES_AFTER_MS);
    desk.refresh?.(page);
    field.focus({ preventScroll: true });
  });

  Object.assign(desk, { flatten, arrange, followNotice, told, grow });
})();
