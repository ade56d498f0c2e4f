// What the page does beyond forms and links: answers appear by themselves, and sending does not reload it.
"use strict";

(() => {
  const phone = document.querySelector(".phone");
  const log = phone.querySelector(".log");
  const list = log.querySelector("ol");
  const empty = log.querySelector(".empty");
  const live = phone.querySelector(".live");
  const form = document.getElementById("write");
  const text = form.elements.text;
  const notice = form.querySelector(".notice");
  const quoting = form.querySelector(".quoting");
  const lineName = phone.querySelector(".bar h2").firstChild.textContent.trim();
  const { from, to, channel } = phone.dataset;
  const states = { sending: "Sending…", delivered: "", failed: "Not delivered" };

  // The log is laid out in reverse: its end is where it is not scrolled.
  const isAtEnd = () => Math.abs(log.scrollTop) < 80;
  const toEnd = () => { log.scrollTop = 0; };

  const element = (name, className, words) => {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = words;
    if (words) made.dir = "auto";
    return made;
  };

  const showTime = (time) => {
    const at = new Date(time.dateTime);
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    time.title = at.toLocaleString();
  };

  const showState = (item, state) => {
    item.querySelector(".state").textContent = states[state];
    item.classList.toggle("is-failed", state === "failed");
  };

  const bubble = (item, message) => {
    const box = item.querySelector(".bubble");
    box.querySelector(".who").textContent = message.is_mine ? "You:" : `${lineName}:`;
    if (message.quoted) box.append(element("blockquote", "", message.quoted));
    if (message.kind === "photo") {
      const photo = document.createElement("img");
      photo.src = "/phone.photo.svg";
      photo.alt = "Photo: water runs down a wall beside a boiler";
      photo.width = 240;
      photo.height = 180;
      box.append(photo);
    }
    if (message.kind === "file") {
      const name = { image: "img", audio: "audio", video: "video" }[message.media] ?? "a";
      const file = document.createElement(name);
      if (name === "a") {
        file.href = message.url;
        file.download = message.name;
        file.textContent = message.name;
      } else {
        file.src = message.url;
        if (name === "img") file.alt = message.name;
        else file.controls = true;
        if (name !== "audio") file.width = 240;
      }
      box.append(file);
    }
    if (message.kind === "sticker") {
      const sticker = document.createElement("img");
      sticker.src = "/phone.photo.svg";
      sticker.alt = "Sticker: water runs down a wall beside a boiler";
      sticker.width = 120;
      sticker.height = 90;
      box.append(sticker);
    }
    const fixed = {
      contacts: "Contact: Robin Example",
      order: "Order: boiler-part-7, 9.99 GBP",
      unsupported: "Something that Vonage does not support",
    }[message.kind];
    if (fixed) box.append(element("p", "text", fixed));
    if (message.kind === "reaction" && !message.text) box.append(element("p", "text", "Reaction taken off"));
    if (message.kind === "location") box.append(element("p", "text place", "Royal Observatory, Greenwich, London"));
    if (message.text) box.append(element("p", "text", message.text));
    if (message.kind === "template") box.append(element("p", "kind", `Template ${message.name}`));
  };

  const show = (message) => {
    const known = list.querySelector(`[data-id="${CSS.escape(message.id)}"]`);
    if (known) {
      showState(known, message.state);
      return;
    }
    const follow = isAtEnd() || message.is_mine;
    const item = document.getElementById("message").content.firstElementChild.cloneNode(true);
    item.dataset.id = message.id;
    item.classList.add(message.is_mine ? "mine" : "theirs", "is-new");
    bubble(item, message);
    const time = item.querySelector("time");
    time.dateTime = message.at;
    showTime(time);
    showState(item, message.state);
    if (!message.is_mine && channel === "whatsapp") {
      const reply = element("a", "reply", "Answer this");
      reply.href = `/?${new URLSearchParams({ from, to, channel, quote: message.id })}#write`;
      item.querySelector(".meta").append(reply);
    }
    empty.hidden = true;
    list.append(item);
    if (follow) toEnd();
  };

  // Answers, as they come. The browser reconnects by itself and says which id it saw last.
  if (to) {
    const query = new URLSearchParams({ number: from, line: to, channel, after: phone.dataset.version });
    const events = new EventSource(`/simulator/events?${query}`);
    events.addEventListener("message", (event) => show(JSON.parse(event.data)));
    events.addEventListener("open", () => { live.hidden = true; });
    events.addEventListener("error", () => {
      live.textContent = "Connecting…";
      live.hidden = false;
    });
    // Leaving a page must not look like a broken connection.
    window.addEventListener("pagehide", () => events.close());
    window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  const quote = (id, words) => {
    form.elements.quoted.value = id;
    quoting.querySelector(".words").textContent = words;
    const follow = isAtEnd();
    quoting.hidden = !id;
    if (follow) toEnd();
    text.focus();
  };

  // Tapping an answer quotes it; selecting words in it does not.
  list.addEventListener("click", (event) => {
    const item = event.target.closest(".theirs");
    const isOnReply = event.target.closest(".reply");
    const isOnBubble = event.target.closest(".bubble") && String(getSelection()) === "";
    if (!item || channel !== "whatsapp" || !(isOnReply || isOnBubble)) return;
    event.preventDefault();
    quote(item.dataset.id, item.querySelector(".text")?.textContent ?? "");
  });

  quoting.querySelector(".cancel").addEventListener("click", (event) => {
    event.preventDefault();
    quote("", "");
  });

  const fit = () => {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
  };
  text.addEventListener("input", fit);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit(form.querySelector(".send"));
    }
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const kind = event.submitter?.value ?? "text";
    const takesText = ["text", "photo", "reaction", "reply", "button"].includes(kind);
    const message = { from, to, channel, kind, text: takesText ? text.value : "", quoted: form.elements.quoted.value };
    if (["reaction", "unreact"].includes(kind) && !message.quoted) {
      notice.textContent = "Choose “Answer this” at a message first: a reaction is one to something.";
      return;
    }
    if (kind === "text" && message.text.trim() === "") {
      text.focus();
      return;
    }
    notice.textContent = "";
    if (takesText) text.value = "";
    quote("", "");
    fit();
    try {
      const answer = await fetch("/simulator/inbound", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(message),
      });
      const told = await answer.json();
      notice.textContent = told.notice ?? told.title ?? "";
      if (!answer.ok) throw new Error("not sent");
    } catch {
      // Nothing that was written is lost.
      if (takesText && text.value === "") text.value = message.text;
      notice.textContent ||= "The simulated account does not answer.";
      fit();
    }
  });

  document.querySelectorAll(".log time").forEach(showTime);
})();
