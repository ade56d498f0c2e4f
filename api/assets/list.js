// The list keeps its place when a case is opened, and goes on as one scrolls. Without it there are links from page to page.
"use strict";
(() => {
  const { base, find, all, localise, remember, person, desk } = globalThis.docket;
  const entries = find("#entries");
  if (!entries || !desk) return;
  /// At most so many pages are put below one another again.
  const MAX_PAGES = 12;
  const rows = () => find("ul", entries);
  const list = new URLSearchParams(desk.query);
  list.delete("before");
  const placeKey = `list-${person}-${list}`;
  // On a phone the page scrolls as a whole.
  const scrolls = () => getComputedStyle(entries).overflowY !== "visible";
  const top = () => (scrolls() ? entries.scrollTop : scrollY);
  let pages = 1;
  let isLoading = false;

  async function more() {
    const link = find(".paging .older", entries);
    if (!link || isLoading) return false;
    isLoading = true;
    try {
      const answer = await fetch(link.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return false;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(page);
      for (const row of [...all("#entries ul > li", page)]) {
        const entry = find(".entry", row);
        // A row leads to its case beside the list as it is here.
        if (entry.dataset.case === desk.reference) entry.setAttribute("aria-current", "page");
        entry.href = `${base}/cases/${entry.dataset.case}${list.size ? `?${list}` : ""}${new URL(entry.href).hash}`;
        if (!document.getElementById(row.id)) rows().append(document.importNode(row, true));
      }
      const next = find("#entries .paging .older", page);
      if (next) link.href = next.href;
      else link.remove();
      pages += 1;
      rows().dataset.loaded = rows().children.length;
      return true;
    } catch {
      return false;
    } finally {
      isLoading = false;
    }
  }

  function keep() {
    remember.set(sessionStorage, placeKey, JSON.stringify({ top: top(), pages }));
  }
  async function restore() {
    let kept = {};
    try {
      kept = JSON.parse(remember.get(sessionStorage, placeKey) || "{}");
    } catch {
      // What cannot be read is no place.
    }
    if (kept.top > 0) {
      while (pages < Math.min(kept.pages, MAX_PAGES) && await more());
      if (scrolls()) entries.scrollTop = kept.top;
      else if (!desk.reference) scrollTo(0, kept.top);
    }
    const current = find("[aria-current=page]", entries);
    if (current && scrolls()) {
      const row = current.getBoundingClientRect();
      const pane = entries.getBoundingClientRect();
      if (row.bottom > pane.bottom || row.top < pane.top) current.scrollIntoView({ block: "nearest" });
    }
    entries.dataset.restored = "";
    for (const target of [entries, globalThis]) target.addEventListener("scroll", keep, { passive: true });
    const older = find(".paging .older", entries);
    if (!older || !("IntersectionObserver" in globalThis)) return;
    const seen = new IntersectionObserver(async (changes) => {
      if (!changes.some((change) => change.isIntersecting)) return;
      // While the end is in sight, the list goes on.
      while (await more() && older.isConnected && older.getBoundingClientRect().top < entries.getBoundingClientRect().bottom + 200);
    }, { rootMargin: "200px" });
    seen.observe(older);
  }
  restore();

  // A choice in the filters' panel is applied by its button; the panel closes as a menu does.
  const panel = find(".more-filters");
  document.addEventListener("click", (event) => { if (panel?.open && !panel.contains(event.target)) panel.open = false; });
  panel?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    panel.open = false;
    find("summary", panel).focus();
  });
})();
