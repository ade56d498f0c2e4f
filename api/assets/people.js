// Attention: the tab's title and icon say how much is unread, the desktop tells what the person chose to be told of, and colleagues
// see who writes. Everything works without it.
"use strict";
(() => {
  const { base, find } = globalThis.docket;
  const status = find(".live");
  /// How often colleagues are told that somebody goes on writing. The server forgets it after twice as long.
  const WRITING_MS = 4000;

  // The number stands beside the view of unread cases, which live.js keeps up to date.
  const views = () => find(".views");
  const icon = find("link[rel=icon]");
  const calm = icon?.getAttribute("href");
  const title = () => document.title.replace(/^\(\d+\+?\) /, "");
  function showUnread() {
    const link = find("a[href*='view=unread']", views() ?? document);
    const unread = link?.textContent.match(/\d+\+?/)?.[0] ?? "";
    const wanted = unread ? `(${unread}) ${title()}` : title();
    if (document.title !== wanted) document.title = wanted;
    const shown = unread ? calm.replace(/console\.svg$/, "console-unread.svg") : calm;
    if (icon && icon.getAttribute("href") !== shown) icon.setAttribute("href", shown);
  }
  if (views()) {
    showUnread();
    new MutationObserver(showUnread).observe(views().parentElement, { childList: true, characterData: true, subtree: true });
  }

  // Notifications: chosen under Account, and allowed in each browser.
  const canNotify = "Notification" in globalThis;
  globalThis.docket.isNotified = () => Boolean(status && "notifies" in status.dataset && canNotify && Notification.permission === "granted");
  function beep() {
    const Context = globalThis.AudioContext;
    if (!Context) return;
    const audio = new Context();
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    volume.gain.value = 0.05;
    tone.frequency.value = 660;
    tone.connect(volume).connect(audio.destination);
    tone.start();
    tone.stop(audio.currentTime + 0.15);
    tone.onended = () => audio.close();
  }
  globalThis.docket.notify = ({ case: reference, sentence, sound }) => {
    if (!globalThis.docket.isNotified()) return;
    const isRead = document.visibilityState === "visible" && document.hasFocus() && find(".thread[data-case]")?.dataset.case === String(reference);
    if (isRead) return;
    const notice = new Notification(sentence, { tag: `docket-${reference}`, icon: `${base}/assets/console.svg`, silent: !sound });
    notice.onclick = () => { focus(); location.assign(`${base}/cases/${reference}#new`); };
    if (sound) beep();
  };
  const here = find("#notify-here");
  if (here && canNotify) {
    const show = () => {
      const { permission } = Notification;
      if (permission === "default") return;
      here.textContent = permission === "granted" ? here.dataset.allowed : here.dataset.denied;
    };
    here.hidden = false;
    find("button", here).addEventListener("click", async () => { await Notification.requestPermission(); show(); });
    show();
  }

  // Whoever else has the case open sees that one writes.
  const write = find("#write");
  const reference = find(".thread[data-case]")?.dataset.case;
  let saidAt = 0;
  find("#text")?.addEventListener("input", ({ target }) => {
    if (!reference || !target.value.trim() || Date.now() - saidAt < WRITING_MS) return;
    saidAt = Date.now();
    const body = new URLSearchParams({ csrf: find("[name=csrf]", write).value });
    fetch(`${base}/cases/${reference}/writing`, { method: "POST", body, redirect: "manual" }).catch(() => { /* It is said again. */ });
  });
})();
