// What comes by itself. One page of a browser listens to the server for all of them and passes on what changed; each page that is seen
// then fetches the part that it shows. A page that was hidden for a minute listens no more, and catches up when it is seen again.
"use strict";
(() => {
  const { base, find, all, localise, person, desk } = globalThis.docket;
  if (!desk) return;
  const { reference, address, write, text, scroller, log, divider, toEnd, isAtEnd, keepPlace, showCount, countDown, showChosen, flatten, arrange, followNotice } = desk;
  const status = find(".live");
  const isShown = () => document.visibilityState === "visible";
  /// How long after a change it is fetched, so that others come along.
  const SOON_MS = 100;
  /// How long after one fetch the next one begins at the earliest.
  const PAUSE_MS = 1000;
  /// How long after a failed fetch the next one begins.
  const RETRY_MS = 5000;
  /// How long a hidden page goes on listening.
  const HIDDEN_MS = 60_000;
  /// So many rows are fetched one by one; of more the whole list is.
  const MAX_ROWS = 25;
  /// So many changes are kept for pages that come later.
  const KEPT = 500;

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

  // What the page shows of the case, and how far it has been seen. Only what stood on a visible page counts as seen.
  let version = Number(log?.dataset.version ?? 0);
  let seen = version;
  let readTo = divider ? log.dataset.readTo : null;
  let isBehind = false;
  let hasNews = false;
  // An earlier part of the thread, which is not at its end.
  const isPart = Boolean(find(".later"));
  const sendLabel = find("button.main .for-reply", write ?? document);
  const sendWords = sendLabel?.textContent;
  function showSeen() {
    for (const field of all(".close-place [name=seen], #f-status [name=seen], #write [name=seen_version]")) field.value = seen;
    const close = find(".close-place button");
    if (!hasNews || seen < version) return;
    if (close) {
      close.classList.add("anyway");
      find("span", close).textContent = close.dataset.anyway;
    }
    if (text?.value.trim()) sendLabel.textContent = sendLabel.dataset.anyway;
  }
  text?.addEventListener("input", () => { if (!text.value.trim()) sendLabel.textContent = sendWords; });
  scroller?.addEventListener("scroll", () => {
    if (!isShown() || isPart || !isAtEnd() || seen >= version) return;
    seen = version;
    showSeen();
    // Tells the server.
    changed({ mine: true });
  });

  const place = (item) => item.id?.match(/^i(\d+)-(\d+)$/)?.slice(1).map(Number);
  const isAfter = (one, other) => one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]);
  const items = () => [...log.children].filter(place);
  function putItems(fresh) {
    if ("whole" in fresh.dataset) {
      const whole = log.cloneNode(false);
      whole.append(...fresh.childNodes);
      morph(log, whole);
      return;
    }
    for (const id of fresh.dataset.gone.split(" ").filter(Boolean)) document.getElementById(id)?.remove();
    const first = items()[0];
    let before = null;
    for (const item of [...fresh.children]) {
      const at = place(item);
      if (!at) { before = find("#new") ? null : item; continue; }
      const old = document.getElementById(item.id);
      if (old) { morph(old, item); before = null; continue; }
      const next = items().find((other) => isAfter(place(other), at)) ?? null;
      // What the page does not reach is shown where it is reached.
      if ((isPart && !next) || (first && isAfter(place(first), at))) continue;
      log.insertBefore(document.importNode(item, true), next);
      if (before) log.insertBefore(document.importNode(before, true), document.getElementById(item.id));
      before = null;
    }
  }

  const isAbove = (one, other) => Number(one.dataset.order) - Number(other.dataset.order) || Number(one.id.slice(1)) - Number(other.id.slice(1));
  function putRows(rows) {
    const list = find("#entries ul");
    for (const asked of rows.dataset.asked.split(" ").filter(Boolean)) {
      const fresh = find(`#c${asked}`, rows);
      let old = document.getElementById(`c${asked}`);
      if (!fresh) { old?.remove(); continue; }
      if (asked === reference) find(".entry", fresh).setAttribute("aria-current", "page");
      if (old) morph(old, fresh);
      else old = document.importNode(fresh, true);
      const next = [...list.children].find((row) => row !== old && isAbove(old, row) > 0) ?? null;
      if (!old.isConnected || old.nextElementSibling !== next) list.insertBefore(old, next);
    }
    // What was pushed off the page stands on the next one.
    const most = Number(list.dataset.loaded ?? MAX_ROWS);
    if (find("#entries .paging .older")) while (list.children.length > most) list.lastElementChild.remove();
  }

  // What is to be fetched, and when.
  const nothing = () => ({ rows: new Set(), list: false, mine: false });
  let pending = nothing();
  let timer = null;
  let isFetching = false;
  let fetchedAt = 0;
  let failedAt = 0;
  function changed({ rows = [], list = false, mine = false }) {
    for (const row of rows) pending.rows.add(row);
    pending.list ||= list;
    if (mine && reference) {
      pending.mine = true;
      isBehind ||= !isShown();
    }
    schedule();
  }
  function schedule() {
    if (timer || isFetching || isSignedOut || !isShown() || !(pending.rows.size || pending.list || pending.mine)) return;
    const pause = Math.max(SOON_MS, fetchedAt + PAUSE_MS - Date.now(), failedAt + RETRY_MS - Date.now());
    timer = setTimeout(fetchChanges, pause);
  }
  async function ask(path, more) {
    const params = new URLSearchParams(desk.query);
    params.delete("before");
    for (const [name, value] of Object.entries(more)) params.set(name, value);
    const headers = { accept: "text/html", "docket-live": isSeen() ? "shown" : "hidden" };
    const left = find("#new") ? readTo : isBehind && seen;
    if (left) headers["docket-read-to"] = left;
    const answer = await fetch(`${base}${path}?${params}`, { headers });
    if (answer.redirected && new URL(answer.url).pathname.endsWith("/sign-in")) { say({ type: "signed-out" }); return null; }
    // What the server refuses it refuses again.
    if (answer.status >= 500 || answer.status === 429) throw new Error(`${path} was answered ${answer.status}`);
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    localise(page);
    return page;
  }
  const isSeen = () => isShown() && isAtEnd() && !isPart;
  async function fetchChanges() {
    timer = null;
    if (!isShown()) return;
    const wanted = pending;
    pending = nothing();
    isFetching = true;
    fetchedAt = Date.now();
    try {
      const isWhole = wanted.list || wanted.rows.size > MAX_ROWS;
      if (isWhole) await fetchList({});
      const rows = isWhole ? "" : [...wanted.rows].join(",");
      if (wanted.mine) await fetchCase(rows);
      else if (rows) await fetchList({ rows });
    } catch {
      // The stream says that the connection is broken. What was wanted is wanted still.
      failedAt = Date.now();
      changed(wanted);
    } finally {
      isFetching = false;
      schedule();
    }
  }
  function put(selector, page) {
    const old = find(selector);
    const fresh = find(selector, page);
    if (old && fresh) morph(old, fresh);
  }
  function putList(page) {
    const rows = find("#rows", page);
    put(".views", page);
    if (rows) putRows(rows);
    else put("#entries", page);
    showChosen();
    // A list that was empty, or is now, says so.
    if (rows && Boolean(find("#entries .empty")) === Boolean(find("#entries ul > li"))) pending.list = true;
  }
  async function fetchList(more) {
    const page = await ask("/rows", more);
    if (page) keepFocus(() => putList(page));
  }
  async function fetchCase(rows) {
    const first = items()[0];
    const wasBehind = isBehind;
    const page = await ask(`/cases/${reference}/changes`, { since: version, first: first ? place(first)[0] : 0, rows });
    if (!page) return;
    const fresh = find("#items", page);
    const wasAtEnd = isSeen();
    keepFocus(() => {
      if (rows) putList(page);
      else put(".views", page);
      keepPlace(() => {
        const open = flatten(log);
        flatten(fresh);
        putItems(fresh);
        arrange(log, open);
        if ("whole" in fresh.dataset) putEarlier(page);
      });
      followNotice();
      putAround(page);
      if (text) showCount();
    });
    if (wasBehind && find("#new")) readTo ??= seen;
    version = Number(fresh.dataset.version);
    hasNews ||= "news" in fresh.dataset;
    // It stood on a page that was seen, and is seen still.
    if (wasAtEnd && isShown()) { seen = version; isBehind = false; }
    showSeen();
  }

  function putAround(page) {
    for (const part of [".head .title", ".close-place", "#details", ".write-about", "#count", "#window"]) put(part, page);
    countDown();
  }
  // After a field saved itself: what stands around the thread is as it is now; what was done comes as all changes do.
  desk.refresh = (page) => keepFocus(() => putAround(page));

  // The thread goes on upwards.
  function putEarlier(page) {
    const old = find(".earlier");
    const fresh = find(".earlier", page);
    if (old && fresh) morph(old, fresh);
    else if (old) old.remove();
    else if (fresh) find(".log-inner").prepend(document.importNode(fresh, true));
  }
  let isLoading = false;
  async function loadEarlier() {
    const link = find(".earlier a");
    const first = log && items()[0];
    if (!link || !first || isLoading) return;
    isLoading = true;
    try {
      const page = await ask(`/cases/${reference}/earlier`, { before: place(first)[0] });
      if (!page) return;
      const hadFocus = document.activeElement === link;
      const from = first.getBoundingClientRect().top;
      const fresh = find("#items", page);
      flatten(fresh);
      const open = flatten(log);
      log.prepend(...[...fresh.children].map((item) => document.importNode(item, true)));
      arrange(log, open);
      putEarlier(page);
      if (getComputedStyle(scroller).overflowY === "visible") scrollBy(0, first.getBoundingClientRect().top - from);
      if (hadFocus) (find(".earlier a") ?? scroller).focus({ preventScroll: true });
    } catch {
      location.assign(link.href);
    } finally {
      isLoading = false;
    }
  }
  find(".log-inner")?.addEventListener("click", (event) => {
    if (!event.target.closest(".earlier a") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    loadEarlier();
  });
  scroller?.addEventListener("scroll", () => {
    const link = find(".earlier");
    if (link && !isAtEnd() && link.getBoundingClientRect().bottom > scroller.getBoundingClientRect().top - 200) loadEarlier();
  });

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
    leave();
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
      join();
      changed({ list: true, mine: true });
    } catch {
      // The connection is broken; the next look at the page tries again.
    }
  }
  document.addEventListener("visibilitychange", signedInAgain);
  addEventListener("focus", signedInAgain);

  // One page of a browser leads: it holds a lock, listens to the server, and tells the others. Where a browser has no locks or
  // channels, each page that is seen listens for itself.
  const isShared = Boolean(navigator.locks) && "BroadcastChannel" in globalThis;
  const name = `docket${base}-${person}`;
  const me = `${name}-${Math.random().toString(36).slice(2)}`;
  const channel = isShared ? new BroadcastChannel(name) : null;
  /// The last event of the log that the page heard of; null where it has to catch up.
  let position = Number(find(".desk").dataset.position);
  let stream = null;
  let isHere = false;
  let isLeading = false;
  let resign = null;
  let waiting = null;
  // What the leader knows: the cases of the pages that are here, and what it told lately.
  const tabs = new Map();
  let told = [];
  let toldFrom = Infinity;

  function say(message) {
    channel?.postMessage(message);
    hear(message);
  }
  function hear(message) {
    if (message.to && message.to !== me) return;
    const forLeader = { here: metTab, left: lostTab }[message.type];
    if (forLeader) { if (isLeading) forLeader(message); return; }
    if (!isHere && message.type !== "signed-out") return;
    switch (message.type) {
      case "who": if (!isLeading) announce(); break;
      case "changes": take(message); break;
      case "missed": for (const change of message.told) take(change); break;
      case "lost": catchUp(message.position); break;
      case "presence": if (reference === String(message.case)) find("#presence").textContent = message.sentence; break;
      case "broken": if (!isSignedOut) status.textContent = message.isBroken ? status.dataset.broken : ""; break;
      case "gone": loadAnew(message.position); break;
      case "signed-out": signedOut(); break;
      default:
    }
  }
  function take({ id, changes }) {
    if (position !== null && id <= position) return;
    position = id;
    const { cases, settings } = changes;
    const rows = cases.filter((change) => change.row).map((change) => change.case);
    const mine = cases.some((change) => String(change.case) === reference && change.at > version);
    changed({ rows, list: settings, mine: mine || settings });
  }
  function catchUp(to) {
    position = to;
    changed({ list: true, mine: true });
  }
  // The log was restored from an older backup: what the page shows may not be there. Once for each position, should the server err.
  function loadAnew(at) {
    if (sessionStorage.getItem("docket-gone") === at) return;
    sessionStorage.setItem("docket-gone", at);
    location.reload();
  }
  const announce = () => say({ type: "here", id: me, case: reference, position });

  function metTab(tab) {
    const had = openCases();
    tabs.set(tab.id, tab.case);
    if (openCases() !== had) connectSoon();
    if (tab.id === me) return;
    if (tab.position === null || tab.position < toldFrom) say({ type: "lost", to: tab.id, position });
    else say({ type: "missed", to: tab.id, told: told.filter((change) => change.id > tab.position) });
  }
  function lostTab({ id }) {
    const had = openCases();
    tabs.delete(id);
    if (openCases() !== had) connectSoon();
  }
  const openCases = () => [...new Set([...tabs.values()].filter(Boolean))].sort().join(",");
  // A page that crashed says nothing, but holds its lock no more.
  async function lookAround() {
    if (!isLeading || !isShared) return;
    const { held } = await navigator.locks.query();
    const alive = new Set(held.map((lock) => lock.name));
    for (const id of tabs.keys()) if (id !== me && !alive.has(id)) lostTab({ id });
  }
  setInterval(lookAround, 15_000);

  let connecting = null;
  function connectSoon() {
    clearTimeout(connecting);
    connecting = setTimeout(() => { if (isLeading) connect(); }, 300);
  }
  function connect() {
    stream?.close();
    const from = position === null ? "" : `after=${position}`;
    const cases = openCases();
    const own = new EventSource(`${base}/live?${[from, cases && `case=${cases}`].filter(Boolean).join("&")}`);
    stream = own;
    own.onopen = () => {
      say({ type: "broken", isBroken: false });
      if (position === null) say({ type: "lost", position });
    };
    own.onmessage = (event) => {
      const change = { id: Number(event.lastEventId), changes: JSON.parse(event.data) };
      if (toldFrom === Infinity) toldFrom = position ?? change.id;
      told.push(change);
      if (told.length > KEPT) toldFrom = told.shift().id;
      say({ type: "changes", ...change });
    };
    own.addEventListener("gone", (event) => { own.close(); say({ type: "gone", position: event.data }); });
    own.addEventListener("notice", (event) => globalThis.docket.notify?.(JSON.parse(event.data)));
    own.addEventListener("presence", (event) => say({ type: "presence", ...JSON.parse(event.data) }));
    own.onerror = async () => {
      if (own !== stream || isSignedOut) return;
      if (own.readyState !== EventSource.CLOSED) { say({ type: "broken", isBroken: true }); return; }
      own.close();
      if (account && await sessionEnded()) { say({ type: "signed-out" }); return; }
      if (own !== stream || isSignedOut) return;
      say({ type: "broken", isBroken: true });
      setTimeout(() => { if (own === stream && isLeading && !isSignedOut) connect(); }, RETRY_MS);
    };
  }
  function lead() {
    isLeading = true;
    told = [];
    toldFrom = position ?? Infinity;
    tabs.clear();
    tabs.set(me, reference);
    connect();
    say({ type: "who" });
  }
  function join() {
    if (isHere || isSignedOut) return;
    isHere = true;
    if (!isShared) { lead(); return; }
    waiting = new AbortController();
    const { signal } = waiting;
    const hold = () => new Promise((release) => { signal.addEventListener("abort", release); });
    // The lock of its own says that the page is here; it announces itself when it has it.
    navigator.locks.request(me, { signal }, () => { announce(); return hold(); }).catch(() => {});
    navigator.locks.request(name, { signal }, () => {
      if (signal.aborted) return null;
      lead();
      return new Promise((release) => { resign = release; });
    }).catch(() => {});
  }
  function leave() {
    if (!isHere) return;
    isHere = false;
    waiting?.abort();
    stream?.close();
    stream = null;
    if (isLeading) { isLeading = false; resign?.(); resign = null; }
    else say({ type: "left", id: me });
  }
  if (channel) channel.onmessage = (event) => hear(event.data);

  let leaving = null;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(leaving);
    if (isShown()) {
      join();
      schedule();
      return;
    }
    // Whoever wants to be notified is told in a hidden page.
    if (globalThis.docket.isNotified?.()) return;
    leaving = setTimeout(() => { leave(); position = null; }, isShared ? HIDDEN_MS : 0);
  });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  // A page that was opened behind another waits until it is seen.
  if (isShown()) join();
  else position = null;
})();
