// What an auditor does: follow a message that was moved, search the log, take it away; and nothing that changes anything.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, screenshot, sitDown, together } from "./browser.js";
import { Installation } from "./installation.js";

/// Somebody of the demonstration, of whose message one was moved to a case of its own.
const BEN = "447700900102";
const MOVED = "Another thing: my key does not fit the front door any more.";
const COMMENT = "The key is a matter of its own, for the locksmith.";

let browser, docket, lift, key;
before(async () => {
  browser = await launch();
  docket = await Installation.start("auditor");
  [lift, key] = await docket.casesOf(BEN);
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

const bothWays = (name, work) => {
  for (const javaScriptEnabled of [true, false]) {
    const called = `${name}, ${javaScriptEnabled ? "with the script" : "without a script"}`;
    test(called, async () => {
      const auditor = await (await sitDown(browser, docket.url, { javaScriptEnabled, acceptDownloads: true })).signIn("auditor");
      await together(called, [auditor], (person) => work(person, javaScriptEnabled));
    });
  }
};

/// The events that the page lists.
const events = (person) => person.page.locator("ol.told").last().locator("> li:not(.day)");
const eventsWith = (person, words) => events(person).filter({ has: person.page.locator(".what", { hasText: words }) });
/// An event with what it holds beside its line.
const unfolded = async (event) => {
  const details = event.locator("details");
  if (!(await details.evaluate((fold) => fold.open))) await details.locator("summary").click();
  return event;
};
/// The thread as it was, and as it is beside it.
const rows = (person) => person.page.locator("#compared ol.beside > li");

bothWays("a moved message is followed to the case it went to, and both are seen as they were before", async (ada) => {
  const { page } = ada;
  await ada.open(lift);
  await page.getByRole("link", { name: "History", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: `History of #${lift}` }).waitFor();
  const moved = eventsWith(ada, `was moved to a new case, #${key}`);
  await moved.locator(".what").getByText(COMMENT).waitFor();
  assert.match(await moved.locator(".by").innerText(), /agent@example\.com/);

  // Just before, the message stood here, and there was no other case.
  await (await unfolded(moved)).getByRole("link", { name: "This case just before" }).click();
  const row = rows(ada).filter({ hasText: MOVED });
  await row.getByText(`It went to #${key}`).waitFor();
  await row.getByText("Not here any more").waitFor();
  await screenshot(page, "history-before");
  await page.goBack();
  await (await unfolded(moved)).getByRole("link", { name: `#${key} just before` }).click();
  await page.getByText(/The case had not begun then; it began at/).waitFor();
  await page.goBack();
  for (const [name, reference] of [["This case the minute before", lift], [`#${key} the minute before`, key]]) {
    const link = (await unfolded(moved)).getByRole("link", { name });
    const then = new URL(await link.getAttribute("href"), docket.url);
    assert.equal(then.pathname, `/cases/${reference}/history`);
    await link.click();
    // The demonstration is younger than a minute when it has told its story.
    await page.getByText(/The case had not begun then; it began at/).waitFor();
    await page.goBack();
  }
  await unfolded(moved);
  const [minute, just] = await Promise.all(["This case the minute before", "This case just before"].map(async (name) =>
    new Date(new URL(await moved.getByRole("link", { name }).getAttribute("href"), docket.url).searchParams.get("as_of"))));
  const at = new Date(await moved.locator("time").first().getAttribute("datetime"));
  assert.equal(at - minute, 60_000);
  assert.ok(at - just >= 0 && at - just < 1_000, `${at - just} ms before`);

  await (await unfolded(moved)).getByRole("link", { name: `#${key} at this moment` }).click();
  await page.getByRole("heading", { level: 1, name: `History of #${key}` }).waitFor();
  await rows(ada).filter({ hasText: MOVED }).first().waitFor();
  // And back the same way.
  await page.getByRole("link", { name: "All events" }).click();
  const there = events(ada).filter({ has: page.locator(`a[href*="/cases/${lift}/history"]`) }).first();
  await (await unfolded(there)).getByRole("link", { name: `#${lift} at this moment` }).click();
  await page.getByRole("heading", { level: 1, name: `History of #${lift}` }).waitFor();
});

bothWays("the slider and the time field show the case as it was", async (ada, hasScript) => {
  const { page } = ada;
  await ada.go(`/cases/${lift}/history`);
  const slider = page.getByRole("slider");
  const last = Number(await slider.getAttribute("max"));
  const show = (field) => page.locator("form", { has: field }).getByRole("button", { name: "Show" });
  assert.ok(last > 3);
  await slider.focus();
  await page.keyboard.press("Home");
  if (hasScript) await page.evaluate(() => { globalThis.sameDocument = true; });
  else await show(slider).click();
  await page.getByRole("heading", { name: `As it was after event 1 of ${last}` }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("at"), "1");
  assert.equal(await page.locator("#events > li[aria-current] .number").textContent(), "1");
  assert.equal(await rows(ada).filter({ hasText: MOVED }).count(), 0);
  await page.getByText(/(was|were) added since/).first().waitFor();
  if (hasScript) {
    for (let step = 2; step <= 3; step += 1) await page.keyboard.press("ArrowRight");
    await page.getByRole("heading", { name: `As it was after event 3 of ${last}` }).waitFor();
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
    assert.equal(await slider.evaluate((input) => input === document.activeElement), true);
    assert.equal(await page.locator("#at-number").innerText(), "3");
  }
  await page.getByRole("link", { name: "Last", exact: true }).click();
  await page.getByRole("heading", { name: `As it was after event ${last} of ${last}` }).waitFor();
  await page.getByText("Nothing has changed since.").waitFor();

  const field = page.getByLabel("At a time (UTC)");
  await field.fill("2001-02-03T04:05:06");
  await show(field).click();
  await page.getByRole("heading", { name: /As it was at 2001-02-03 04:05:06/ }).waitFor();
  await page.getByText(/The case had not begun then/).waitFor();
  await field.fill("2099-01-01T00:00:00");
  await show(field).click();
  await page.getByText(/not come yet/).first().waitFor();
});

bothWays("an event is shown as the log keeps it, and the list is narrowed", async (ada) => {
  const { page } = ada;
  await ada.go(`/cases/${lift}/history`);
  const moved = eventsWith(ada, "was moved to a new case");
  await moved.locator("summary").click();
  const raw = JSON.parse(await moved.locator("pre").innerText());
  assert.ok(JSON.stringify(raw).includes(COMMENT), "the raw event has the comment");
  await moved.getByText("MessageMovedOut").first().waitFor();
  const all = await events(ada).count();
  await page.locator("select[name=kind]").selectOption("Notes");
  await page.locator("form", { has: page.locator("select[name=kind]") }).getByRole("button", { name: "Show" }).click();
  await page.waitForURL((address) => address.searchParams.get("kind") === "notes");
  const notes = await events(ada).count();
  assert.ok(notes > 0 && notes < all, `${notes} of ${all}`);
  await eventsWith(ada, "Third time this month").first().waitFor();
});

bothWays("the log is searched by who, what, case and number", async (ada) => {
  const { page } = ada;
  await ada.go("/");
  await page.getByRole("link", { name: "Log", exact: true }).click();
  const search = async (fields) => {
    await page.getByRole("link", { name: "Show all" }).click();
    const form = page.getByRole("search", { name: "Search the log" });
    for (const [label, value] of Object.entries(fields)) {
      if (label === "What") await form.getByLabel(label).selectOption(value);
      else await form.getByRole("textbox", { name: label }).fill(value);
    }
    await form.getByRole("button", { name: "Search" }).click();
    await page.waitForURL((address) => address.search !== "");
    const words = await events(ada).locator(".what").allInnerTexts();
    assert.ok(words.length > 0, `nothing found for ${JSON.stringify(fields)}`);
    return words;
  };
  const all = await events(ada).count();
  await search({ Who: "agent@example.com" });
  const by = new Set(await events(ada).locator(".by").allInnerTexts());
  assert.deepEqual([...by], ["agent@example.com"]);
  const moves = await search({ What: "Message moved out" });
  assert.equal(moves.length, 1);
  assert.match(moves[0], new RegExp(`#${key}`));
  await search({ Case: `#${key}` });
  assert.ok(await events(ada).count() < all);
  await eventsWith(ada, "moved").first().waitFor();
  const bens = await search({ "Contact’s number": "+44 7700 900102" });
  assert.ok(bens.some((words) => words.includes("The lift in our house")), bens.join("\n"));
  assert.ok(!bens.some((words) => words.includes("boiler")), "and nobody else's");
  await search({ Who: "agent@example.com", Case: String(lift), What: "Message moved out" });
  const form = page.getByRole("search", { name: "Search the log" });
  await form.getByRole("textbox", { name: "Case" }).fill("no case");
  await form.getByRole("button", { name: "Search" }).click();
  await page.getByRole("alert").getByText("Write the number of a case, such as #123.").waitFor();
  await screenshot(page, "log-refused");
});

bothWays("the export is a file of JSON Lines, and is recorded", async (ada) => {
  const { page } = ada;
  await ada.go("/log");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export the log" }).click()]);
  assert.match(download.suggestedFilename(), /\.(jsonl|ndjson)$/);
  const lines = readFileSync(await download.path(), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.ok(lines.length > 20);
  for (const line of lines) assert.equal(line.specversion, "1.0");
  assert.equal(new Set(lines.map((line) => line.id)).size, lines.length);
  assert.ok(lines.some((line) => JSON.stringify(line).includes(COMMENT)));
  await ada.go("/log?type=ExportBegun");
  assert.match(await events(ada).first().locator(".by").innerText(), /auditor@example\.com/);
});

test("no page offers an auditor a form that changes anything", async () => {
  const auditor = await (await sitDown(browser, docket.url, { javaScriptEnabled: false })).signIn("auditor");
  await together("nothing to change", [auditor], async ({ page }) => {
    // What is their own is theirs: sessions, account, and the card of first steps. An export changes nothing.
    const own = /^\/(sign-out|log\/export|cases\/\d+\/bundle|account\/(password|name|preferences|notifications)|first-steps\/close|sign-out-everywhere|sessions\/.*)$/;
    const seen = new Set();
    const waiting = ["/", `/cases/${lift}`, `/cases/${lift}/history?at=2`, "/cases/104", "/log", "/surveys", "/account", "/sessions", "/tokens", "/setup"];
    const offered = [];
    let visited = 0;
    while (waiting.length) {
      const where = waiting.shift();
      const { pathname, searchParams } = new URL(where, docket.url);
      // Moments, searches and days are pages of one kind, and so are cases.
      const kind = [pathname.replaceAll(/\d+|[0-9a-f]{8}-[0-9a-f-]{27}/g, "N"), ...searchParams.keys()].join(" ");
      if (seen.has(kind) || /^\/(api|assets|webhooks)\b/.test(pathname) || /export|csv/.test(where)) continue;
      seen.add(kind);
      const answer = await page.goto(new URL(where, docket.url).href);
      assert.equal(answer.status(), 200, where);
      visited += 1;
      const { forms, links, loose } = await page.evaluate(() => ({
        forms: [...document.querySelectorAll("form")].filter((form) => form.method === "post").map((form) => new URL(form.action).pathname),
        loose: [...document.querySelectorAll("button")].filter((button) => !button.form && button.type === "submit" || button.hasAttribute("formaction")).length,
        links: [...document.links].filter((link) => link.origin === location.origin).map((link) => link.pathname + link.search),
      }));
      offered.push(...forms.filter((action) => !own.test(action)).map((action) => `${where} offers ${action}`));
      assert.equal(loose, 0, `${where} has buttons without a form`);
      waiting.push(...links);
    }
    assert.deepEqual(offered, []);
    assert.ok(visited >= 20, `only ${visited} pages were found`);
    for (const tab of ["/surveys", "/lines", "/vonage", "/users", "/unrouted", "/health", "/reports"]) assert.ok(seen.has(tab), `${tab} was not found`);
  });
});
