// The agents' desk: what is unread, the reply box, several cases at once, who else is there, keys, and being left in peace.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, sitDown, together } from "./browser.js";
import { Installation, until } from "./installation.js";

const AGENT = "agent@example.com";
const OWNER = "owner@example.com";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("desk");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

// Each test has numbers of its own, so that none depends on another.
let next = 500;
const newNumber = () => `447700900${next++}`;

/// A case that the contact began with the first of these, and went on in.
async function newCase(texts, options) {
  const number = newNumber();
  for (const text of texts) await docket.text(number, text, options);
  const [reference] = await until("a case", async () => { const all = await docket.casesOf(number); return all.length && all; });
  return { number, reference };
}

const come = async (role = "agent", options = {}) => (await sitDown(browser, docket.url, options)).signIn(role);
const bothWays = (name, work) => {
  for (const javaScriptEnabled of [true, false]) {
    const called = `${name}, ${javaScriptEnabled ? "with the script" : "without a script"}`;
    test(called, async () => together(called, [await come("agent", { javaScriptEnabled })], (person) => work(person, javaScriptEnabled)));
  }
};

/// What the list says is unread: all of it, and this case.
async function unread(person) {
  const count = person.page.locator(".views a", { hasText: "Unread" }).locator(".count");
  return (await count.count()) ? Number(await count.textContent()) : 0;
}
const isUnread = (person, reference) => person.entry(reference).locator(".new-count").count();
const untilUnread = (person, reference, wanted) =>
  until(`#${reference} is ${wanted ? "" : "not "}unread`, async () => Boolean(await isUnread(person, reference)) === wanted);

test("no rule of the style sheet swallows those after it", async () => together("styles", [await come()], async (ada) => {
  await ada.go("/");
  const swallowed = await ada.page.evaluate(() => [...document.styleSheets[0].cssRules]
    .filter((rule) => rule instanceof CSSMediaRule || rule instanceof CSSSupportsRule)
    .flatMap((rule) => [...rule.cssRules])
    .filter((rule) => rule instanceof CSSGroupingRule && !(rule instanceof CSSStyleRule))
    .map((rule) => rule.conditionText));
  assert.deepEqual(swallowed, []);
}));

bothWays("a case is unread for me until I open it, whatever colleagues do", async (ada, hasScript) => {
  const { number, reference } = await newCase(["Is this read?"]);
  const otto = await come("owner");
  await otto.open(reference);
  await otto.message("Is this read?").waitFor();
  await otto.leave();

  await ada.go("/");
  const before = await unread(ada);
  assert.ok(before > 0);
  await untilUnread(ada, reference, true);
  const weight = () => ada.entry(reference).locator("strong").evaluate((title) => Number(getComputedStyle(title).fontWeight));
  const bold = await weight();
  await ada.entry(reference).click();
  await ada.message("Is this read?").waitFor();
  await untilUnread(ada, reference, false);
  assert.equal(await unread(ada), before - 1);
  assert.ok(await weight() < bold, "what is unread is bolder");

  // A note of mine does not make it unread, another message does.
  await ada.write("Note", "Seen");
  await ada.message("Seen").waitFor();
  await ada.go("/");
  assert.equal(await isUnread(ada, reference), 0);
  await docket.text(number, "And now?");
  if (!hasScript) await ada.go("/");
  await untilUnread(ada, reference, true);
  await ada.go("/?view=unread");
  await ada.entry(reference).waitFor();

  await ada.entry(reference).click();
  await ada.message("And now?").waitFor();
  await ada.page.getByRole("button", { name: "Mark as unread" }).click();
  await ada.page.getByText("The case is marked as unread.").waitFor();
  await untilUnread(ada, reference, true);
  assert.equal(await unread(ada), before);
});

test("what comes while I watch is read", async () => together("watching", [await come()], async (ada) => {
  const { number, reference } = await newCase(["I am looking"]);
  await ada.open(reference);
  await docket.text(number, "Did you see?");
  await ada.message("Did you see?").waitFor();
  await ada.go("/");
  assert.equal(await isUnread(ada, reference), 0);
}));

bothWays("the thread is divided where I left off, until I come again", async (ada, hasScript) => {
  const { number, reference } = await newCase(["One", "Two"]);
  await ada.open(reference);
  await ada.message("Two").waitFor();
  assert.equal(await ada.page.locator("#new").count(), 0);
  await ada.go("/cases/new");
  for (const text of ["Three", "Four"]) await docket.text(number, text);

  await ada.open(reference);
  const divider = ada.log.getByText("New since you looked");
  await divider.waitFor();
  const order = await ada.log.locator("li").evaluateAll((items) =>
    items.map((item) => item.querySelector(".text")?.textContent ?? item.id).filter((name) => ["One", "Two", "new", "Three", "Four"].includes(name)));
  assert.deepEqual(order, ["One", "Two", "new", "Three", "Four"]);
  const marked = await ada.log.locator("li.new .text").allTextContents();
  assert.deepEqual(marked, ["Three", "Four"]);
  if (hasScript) {
    assert.equal(await ada.page.evaluate(() => document.activeElement.id), "new");
    await docket.text(number, "Five");
    await ada.message("Five").waitFor();
    assert.deepEqual(await ada.log.locator("li.new .text").allTextContents(), ["Three", "Four", "Five"]);
  }
  await ada.open(reference);
  await ada.message("Four").waitFor();
  assert.equal(await divider.count(), 0);
});

test("the script counts as the server does", async () => together("counting", [await come()], async (ada) => {
  const sms = await newCase(["How long is it?"]);
  const whatsapp = await newCase(["And how long is this?"], { channel: "whatsapp" });
  const tricky = [
    "", " ", "a", "Well…", "^{}[]~|\\€", "à la carte: Ä Ö Ñ Ü § ¿ è é ù ì ò Ç", "ç is not in it, Ç is", "“quoted” – dashed",
    "a".repeat(155), "a".repeat(156), "a".repeat(160), "a".repeat(161), `${"a".repeat(152)}€`, "a".repeat(153 * 2 + 1), "€".repeat(76) + "a".repeat(154),
    "я".repeat(65), "я".repeat(66), "я".repeat(70), "я".repeat(71), "я".repeat(67 * 2 + 1),
    "😀", "😀".repeat(33), `${"я".repeat(66)}😀`, `${"😀".repeat(33)}a😀`, "👩‍👩‍👧‍👦", "e\u0301", "\u00a0", "two\nlines", "a\tb", "@Δ_ΦΓΛΩΠΨΣΘΞ",
    "{left} of {outside} <b>&amp;</b>", "`", "\u000c", "a".repeat(995), "a".repeat(996), "é".repeat(1200), "😀".repeat(900), "مرحبا",
  ];
  for (const { reference } of [sms, whatsapp]) {
    await ada.open(reference);
    // The form with an old version is refused, with the text and its count.
    const differing = await ada.page.evaluate(async (texts) => {
      const form = document.querySelector("#write");
      const box = form.querySelector("#text");
      const said = (page) => ["counted", "too-long"].map((part) => page.querySelector(`#count .${part}`).textContent);
      const differing = [];
      for (const text of texts) {
        box.value = text;
        box.dispatchEvent(new Event("input"));
        const body = new URLSearchParams(new FormData(form));
        // As browsers send what was written.
        body.set("text", box.value.replaceAll("\n", "\r\n"));
        body.set("seen_version", "0");
        const answer = await fetch(form.action, { method: "POST", body });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (!page.querySelector("#write")) throw new Error(`answered ${answer.status} to ${JSON.stringify(text)}`);
        const [here, there] = [said(document), said(page)];
        if (JSON.stringify(here) !== JSON.stringify(there)) differing.push({ text, here, there });
        if (box.value && !here[0]) differing.push({ text, here: "nothing" });
      }
      return differing;
    }, tricky);
    assert.deepEqual(differing, []);
  }
  assert.deepEqual(await docket.received(sms.number), []);
  const box = ada.page.locator("#text");
  await ada.open(sms.reference);
  await box.fill("Only “this”");
  await ada.page.getByText("“ limits each SMS to 70").waitFor();
  await box.fill("a".repeat(1200));
  await ada.page.getByText("characters too long: at most 1000 can be sent at once").waitFor();
  await ada.page.locator("#write button.main").click();
  assert.equal(await box.evaluate((text) => text.validity.customError), true);
  assert.equal(ada.reference(), sms.reference);
  assert.equal(await box.inputValue(), "a".repeat(1200));
  // A note is not sent, so it is as long as it likes.
  await ada.page.getByRole("radio", { name: "Note" }).check();
  await box.fill("n".repeat(1200));
  await ada.page.locator("#write button.main").click();
  await ada.message("n".repeat(1200)).waitFor();
}));

bothWays("WhatsApp's window is shown", async (ada) => {
  const { reference } = await newCase(["By WhatsApp"], { channel: "whatsapp" });
  await ada.open(reference);
  assert.match(await ada.page.locator("#window").innerText(), /WhatsApp: free replies until .*\d\d:\d\d.*\(23 h 59 min\)$/);
  const sms = await newCase(["By SMS"]);
  await ada.open(sms.reference);
  assert.equal(await ada.page.locator("#window").count(), 0);
  await ada.go("/cases/new");
  await ada.page.getByLabel("From").selectOption(await ada.page.locator("select[name=line] option", { hasText: "WhatsApp" }).getAttribute("value"));
  await ada.page.getByLabel("To", { exact: true }).fill(newNumber());
  await ada.page.locator("textarea[name=text]").fill("Good morning");
  await ada.page.getByRole("button", { name: "Send and create the case" }).click();
  // Nothing is sent that WhatsApp will most likely refuse, but where one insists.
  await ada.page.getByText("WhatsApp takes no free text now").waitFor();
  await ada.page.getByLabel("Send as free text anyway").check();
  await ada.page.getByRole("button", { name: "Send and create the case" }).click();
  await ada.page.getByText("The person has not written by WhatsApp yet").waitFor();
});

test("WhatsApp's window closes on an open page", async () => together("window", [await come()], async (ada) => {
  const { reference } = await newCase(["By WhatsApp"], { channel: "whatsapp" });
  await ada.page.clock.install();
  await ada.open(reference);
  await ada.page.locator("#window").getByText("23 h 59 min").waitFor();
  await ada.page.clock.fastForward("23:30:00");
  await ada.page.locator("#window").getByText(/^(29|30) min$/).waitFor();
  await ada.page.clock.fastForward("00:31:00");
  await ada.page.getByText("More than 24 hours have passed since the person’s last message").waitFor();
  await ada.page.locator("#window-over").waitFor();
  assert.equal(await ada.page.locator("#window").isVisible(), false);
}));

bothWays("templates are put into the reply, filled", async (ada, hasScript) => {
  const { number, reference } = await newCase(["Do you look into it?"]);
  await ada.open(reference);
  const box = ada.page.locator("#text");
  if (hasScript) await box.fill("PS: we are open now.");
  await box.press("Home");
  await ada.page.getByLabel("Saved replies", { exact: true }).selectOption("We are looking into it");
  await ada.page.getByRole("button", { name: "Insert", exact: true }).click();
  const filled = `thank you for writing. We are looking into it and will come back to you under #${reference}.`;
  await until("the template", async () => (await box.inputValue()).includes(filled));
  const text = await box.inputValue();
  assert.doesNotMatch(text, /\{|\}/);
  if (hasScript) {
    assert.match(text, /PS: we are open now\.$/);
    assert.equal(await box.evaluate((here) => here === document.activeElement), true);
    assert.match(await ada.page.locator("#count").innerText(), /\d SMS · \d+ characters left/);
    await ada.page.reload();
    assert.equal(await box.inputValue(), text);
  }
  assert.deepEqual(await docket.received(number), []);
  await ada.page.locator("#write button.main").click();
  await ada.page.getByText("Your reply is on its way.").waitFor();
  const [got] = await until("the reply", async () => { const all = await docket.received(number); return all.length && all; });
  assert.ok(got.includes(filled), got);
  assert.equal(await box.inputValue(), "");
});

test("drafts survive a reload, kept apart for reply and note and for each case", async () => together("drafts", [await come()], async (ada) => {
  const { number, reference } = await newCase(["Write to me"]);
  const other = await newCase(["And to me"]);
  const box = ada.page.locator("#text");
  const as = (mode) => ada.page.getByRole("radio", { name: mode });
  await ada.open(reference);
  await box.fill("Half a reply");
  await as("Note").check();
  assert.equal(await box.inputValue(), "");
  await box.fill("Half a note");
  await ada.page.reload();
  assert.equal(await as("Note").isChecked(), true);
  assert.equal(await box.inputValue(), "Half a note");
  await ada.open(other.reference);
  assert.equal(await box.inputValue(), "");
  await ada.open(reference);
  await as("Reply").check();
  assert.equal(await box.inputValue(), "Half a reply");
  await as("Note").check();
  await ada.page.locator("#write button.main").click();
  await ada.message("Half a note").waitFor();
  await until("the reply's draft", async () => (await box.inputValue()) === "Half a reply" && await as("Reply").isChecked());
  assert.deepEqual(await docket.received(number), []);
  await ada.page.locator("#write button.main").click();
  await ada.message("Half a reply").waitFor();
  await ada.page.reload();
  assert.equal(await box.inputValue(), "");
}));

bothWays("several cases are assigned and closed at once, and closing is undone", async (ada, hasScript) => {
  const cases = [];
  for (const text of ["First of several", "Second of several", "Not chosen"]) cases.push(await newCase([text]));
  const [first, second, other] = cases;
  const choose = async () => {
    for (const { reference } of [first, second]) await ada.page.getByLabel(`Select #${reference}`, { exact: true }).check();
    if (hasScript) await ada.page.getByText("2 selected").waitFor();
  };
  const perform = async (what) => {
    await ada.page.getByLabel("What to do with the selected cases").selectOption(what);
    await ada.page.getByRole("button", { name: "Apply" }).click();
  };
  await ada.go("/");
  await choose();
  await perform("Assign to me");
  await ada.page.getByText("2 cases were assigned.").waitFor();
  for (const { reference } of [first, second]) await ada.entry(reference).getByText(AGENT).waitFor();
  await ada.entry(other.reference).getByText("Unassigned").waitFor();

  await choose();
  await perform("Close");
  await ada.page.getByText("2 cases were closed.").waitFor();
  for (const { number } of [first, second]) assert.deepEqual(await docket.casesOf(number), []);
  assert.deepEqual(await docket.casesOf(other.number), [other.reference]);
  assert.equal(await ada.entry(first.reference).count(), 0);
  await ada.page.getByRole("button", { name: "Undo" }).click();
  await ada.page.getByText("2 cases have their earlier answers again.").waitFor();
  for (const { number, reference } of [first, second]) assert.deepEqual(await docket.casesOf(number), [reference]);
  await ada.entry(first.reference).waitFor();
});

test("what is counted as chosen is what the list still has", async () => together("chosen", [await come(), await come("owner")], async (ada, otto) => {
  const [first, second] = [await newCase(["Chosen and closed"]), await newCase(["Chosen and kept"])];
  await ada.go("/");
  const bulk = ada.page.getByRole("button", { name: "Apply" });
  for (const { reference } of [first, second]) await ada.page.getByLabel(`Select #${reference}`, { exact: true }).check();
  await ada.page.getByText("2 selected").waitFor();
  await otto.open(first.reference);
  await otto.page.getByRole("button", { name: "Close case" }).click();
  await otto.page.getByText("The case was closed.").waitFor();
  await ada.entry(first.reference).waitFor({ state: "detached" });
  await ada.page.getByText("1 selected").waitFor();
  assert.equal(await ada.page.getByLabel(`Select #${second.reference}`, { exact: true }).isChecked(), true);
  await otto.open(second.reference);
  await otto.page.getByRole("button", { name: "Close case" }).click();
  await ada.entry(second.reference).waitFor({ state: "detached" });
  await bulk.waitFor({ state: "hidden" });
  assert.equal((await ada.page.locator("#chosen").textContent()).trim(), "");
}));

test("on a phone the reply box is small until it is used", async () => together("phone", [await come("agent", { viewport: { width: 375, height: 780 } })], async (ada) => {
  const { number, reference } = await newCase(["By WhatsApp, to a phone"], { channel: "whatsapp" });
  const { page } = ada;
  const height = async () => (await page.locator(".foot").boundingBox()).height;
  const send = page.locator("#write button.main");
  await ada.open(reference);
  assert.ok(await height() < 80, `the reply box takes ${await height()} px of 780`);
  assert.equal(await send.isVisible(), false);
  await page.getByLabel("Text", { exact: true }).focus();
  await send.waitFor();
  await page.locator("#window").waitFor();
  for (const part of await page.locator("#write :is(textarea, button, select):visible").all()) {
    const { x, width } = await part.boundingBox();
    assert.ok(x >= 0 && x + width <= 375, `${await part.evaluate((node) => node.outerHTML.slice(0, 60))} ends at ${x + width} px of 375`);
  }
  // It stays as it is from then on: nothing moves under the finger that taps beside it.
  const open = await height();
  await page.locator(".head h1").click();
  assert.equal(await height(), open);
  await page.getByLabel("Text", { exact: true }).fill("Half a reply");
  await page.reload();
  await send.waitFor();
  await page.getByRole("button", { name: "Send and close" }).click();
  await page.getByText("Your reply is on its way, and the case was closed.").waitFor();
  await until("the reply", async () => (await docket.received(number)).some((text) => text.startsWith("Half a reply")));
  assert.deepEqual(await docket.casesOf(number), []);
  assert.equal(await page.locator("#text").inputValue(), "");
}));

test("keys close, choose and mark, and can be turned off", async () => together("keys", [await come()], async (ada) => {
  const { number, reference } = await newCase(["By key"]);
  const { page } = ada;
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  await ada.go(`/?q=${number}`);
  await press("j", "x");
  await page.getByText("1 selected").waitFor();
  assert.equal(await page.getByLabel(`Select #${reference}`, { exact: true }).isChecked(), true);
  await press("x", "Enter");
  await page.waitForURL((address) => address.pathname === `/cases/${reference}`);
  await press("u");
  await page.getByText("The case is marked as unread.").waitFor();
  await untilUnread(ada, reference, true);
  await ada.open(reference);
  await press("e");
  await page.getByText("The case was closed.").waitFor();
  assert.deepEqual(await docket.casesOf(number), []);
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("The status was set.").waitFor();

  await press("?");
  await page.getByRole("dialog").getByLabel("Use these keys").uncheck();
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.reload();
  await press("e", "u", "a", "r");
  // This one is always on.
  await press("?");
  await page.getByRole("dialog").waitFor();
  assert.equal(await page.getByLabel("Use these keys").isChecked(), false);
  assert.deepEqual(await docket.casesOf(number), [reference]);
  assert.equal(await page.getByText("The case was closed.").count(), 0);
  assert.notEqual(await page.evaluate(() => document.activeElement.id), "text");
  await page.getByLabel("Use these keys").check();
  await press("Escape", "e");
  await page.getByText("The case was closed.").waitFor();
}));

test("two people see that both have a case open, until one goes", async () => together("presence", [await come(), await come("owner")], async (ada, otto) => {
  const { reference } = await newCase(["Who is here?"]);
  await ada.open(reference);
  await ada.message("Who is here?").waitFor();
  assert.equal(await ada.page.locator("#presence").textContent(), "");
  await otto.open(reference);
  await ada.page.getByText(`${OWNER} has this case open too.`).waitFor();
  await otto.page.getByText(`${AGENT} has this case open too.`).waitFor();
  await otto.go("/");
  await until("the other has gone", async () => (await ada.page.locator("#presence").textContent()) === "");
}));

test("what comes while I write disturbs neither text nor focus nor place", async () => together("peace", [await come()], async (ada) => {
  const texts = Array.from({ length: 30 }, (_, index) => `Message ${index + 1} of a long story that is told in many pieces`);
  const { number, reference } = await newCase(texts);
  const { page } = ada;
  const box = page.locator("#text");
  const below = page.getByRole("button", { name: "New messages below" });
  await ada.open(reference);
  const read = ada.message(texts[3]);
  await read.evaluate((item) => item.scrollIntoView({ block: "start" }));
  await box.fill("What I think of it");
  await box.evaluate((text) => text.setSelectionRange(5, 11, "backward"));
  await page.getByLabel("Select #" + reference, { exact: true }).check();
  await box.focus({ preventScroll: true });
  const where = async () => ({
    top: Math.round((await read.boundingBox()).y),
    text: await box.inputValue(),
    selection: await box.evaluate((text) => [text.selectionStart, text.selectionEnd, text.selectionDirection]),
    focused: await page.evaluate(() => document.activeElement.id),
    chosen: await page.getByLabel("Select #" + reference, { exact: true }).isChecked(),
  });
  const before = await where();
  assert.deepEqual([before.text, before.selection, before.focused, before.chosen], ["What I think of it", [5, 11, "backward"], "text", true]);
  assert.equal(await below.isVisible(), false);

  await docket.text(number, "And they lived happily ever after");
  await newCase(["Somebody else meanwhile"]);
  await ada.message("And they lived happily ever after").waitFor({ state: "attached" });
  await below.waitFor();
  const after = await where();
  assert.ok(Math.abs(after.top - before.top) <= 1, `what is read went from ${before.top} to ${after.top}`);
  assert.deepEqual({ ...after, top: 0 }, { ...before, top: 0 });
  await page.screenshot({ path: "artefacts/desk-new-below.png" });

  await below.click();
  await until("the end is in view", async () => {
    const end = await ada.message("And they lived happily ever after").boundingBox();
    const foot = await page.locator(".foot").boundingBox();
    return end && end.y > 0 && end.y + end.height <= foot.y + 1;
  });
  await below.waitFor({ state: "hidden" });
  // At the end one stays at the end.
  await docket.text(number, "The end");
  await ada.message("The end").waitFor();
  assert.equal(await below.isVisible(), false);
  const end = await ada.message("The end").boundingBox();
  const foot = await page.locator(".foot").boundingBox();
  assert.ok(end.y + end.height <= foot.y + 1, "the newest message is in view");
  assert.equal(await box.inputValue(), "What I think of it");
}));

test("the header stays when the page opens where I left off, however long the list is", async () => together("header", [await come()], async (ada) => {
  const { number, reference } = await newCase(["Before"]);
  for (let more = 0; more < 8; more += 1) await newCase(["One more for the list"]);
  await ada.open(reference);
  await ada.message("Before").waitFor();
  await ada.go("/cases/new");
  await docket.text(number, "After");
  await ada.open(reference);
  await ada.log.getByText("New since you looked").waitFor();
  assert.equal(await ada.page.evaluate(() => document.activeElement.id), "new");
  const { list, room } = await ada.page.locator("#entries").evaluate((entries) => ({ list: entries.scrollHeight, room: entries.clientHeight }));
  assert.ok(list > room + 300, "the list is longer than the screen");
  assert.deepEqual(await ada.page.evaluate(() => [scrollY, document.documentElement.scrollHeight - innerHeight]), [0, 0]);
}));
