// The slider of a case's history: the case as it was appears as one moves it. Without this it is a form with a button.
"use strict";
(() => {
  const form = document.querySelector("#slider");
  const slider = form?.querySelector("[type=range]");
  if (!slider || slider.max === slider.min) return;
  const number = document.querySelector("#at-number");
  const parts = ["#compared", "#steps"];
  let waiting = 0;
  let asked = null;
  async function show() {
    const address = `${form.getAttribute("action")}?at=${slider.value}`;
    // Whoever moves on is not interested in the moments between.
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(address, { headers: { accept: "text/html" }, signal: asked.signal });
      if (!answer.ok || answer.redirected) { location.assign(address); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts) {
        const fresh = page.querySelector(part);
        if (fresh) document.querySelector(part).replaceChildren(...fresh.childNodes);
      }
      for (const item of document.querySelectorAll("#events > li:not(.day)")) {
        if (item.querySelector(".number").textContent === slider.value) item.setAttribute("aria-current", "true");
        else item.removeAttribute("aria-current");
      }
      history.replaceState(history.state, "", address);
    } catch (error) {
      if (error.name !== "AbortError") location.assign(address);
    }
  }
  slider.addEventListener("input", () => {
    number.textContent = slider.value;
    clearTimeout(waiting);
    waiting = setTimeout(show, 120);
  });
})();
