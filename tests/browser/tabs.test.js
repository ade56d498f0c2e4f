// Many tabs of one browser, long threads, and what counts as seen.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, sitDown } from "./browser.js";
import { Installation, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("tabs");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

/// Counts the streams that a person's tabs have open.
function streamsOf(person) {
  const open = new Set();
  person.context.on("request", (request) => { if (new URL(request.url()).pathname === "/live") open.add(request); });
  for (const end of ["requestfinished", "requestfailed"]) person.context.on(end, (request) => open.delete(request));
  return open;
}

/// Makes a tab seen or hidden, as its scripts are told.
const show = (page, isShown) => page.evaluate((state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}, isShown ? "visible" : "hidden");

const seenOf = (page) => page.locator(".close-place [name=seen]").inputValue();

test("ten tabs of one browser load, share one stream, and all stay up to date", async () => {
  const number = "447700900310";
  await docket.text(number, "Ten of us look at this");
  const [reference] = await docket.casesOf(number);
  const person = await (await sitDown(browser, docket.url)).signIn();
  const streams = streamsOf(person);
  const tabs = [person.page];
  while (tabs.length < 10) tabs.push(await person.context.newPage());
  for (const [index, tab] of tabs.entries()) await tab.goto(`${docket.url}${index % 2 ? "/" : `/cases/${reference}`}`);
  await until("one stream", () => streams.size === 1);

  await docket.text(number, "And it goes on");
  for (const [index, tab] of tabs.entries()) {
    if (index % 2) await tab.locator(`a.entry[data-case="${reference}"]`).waitFor();
    else await tab.getByRole("log").getByText("And it goes on").waitFor();
  }
  assert.equal(streams.size, 1);

  // The one that listens goes, and another one listens.
  await tabs[0].close();
  await until("another stream", () => streams.size === 1);
  await docket.text(number, "Without the first");
  await tabs[2].getByRole("log").getByText("Without the first").waitFor();
  await tabs[8].getByRole("log").getByText("Without the first").waitFor();
  await person.leave();
});

test("a page fetches what changed and never itself, and many changes at once", async () => {
  const number = "447700900311";
  await docket.text(number, "One");
  const [reference] = await docket.casesOf(number);
  const person = await (await sitDown(browser, docket.url)).signIn();
  const asked = [];
  await person.open(reference);
  await person.message("One").waitFor();
  person.page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  for (let n = 0; n < 20; n += 1) await docket.text(number, `More ${n}`);
  await person.message("More 19").waitFor();
  const fetched = asked.filter((path) => path !== "/live");
  assert.ok(fetched.every((path) => path === `/cases/${reference}/changes` || path === "/rows"), fetched.join(" "));
  assert.ok(fetched.length <= 10, `${fetched.length} fetches for 20 messages`);
  const texts = await person.log.locator("li.message .text").allTextContents();
  assert.deepEqual(texts, ["One", ...Array.from({ length: 20 }, (_, n) => `More ${n}`)]);
  await person.leave();
});

test("a hidden tab fetches nothing, its version stays, and it catches up when it is seen", async () => {
  const number = "447700900312";
  await docket.text(number, "Before");
  const [reference] = await docket.casesOf(number);
  const person = await (await sitDown(browser, docket.url)).signIn();
  await person.page.clock.install();
  await person.open(reference);
  const streams = streamsOf(person);
  const watcher = await person.context.newPage();
  await watcher.goto(`${docket.url}/`);
  const { page } = person;
  await show(page, false);
  const seen = await seenOf(page);
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await docket.text(number, "While nobody looks");
  await watcher.locator(`a.entry[data-case="${reference}"].unread`).waitFor();
  assert.equal(await seenOf(page), seen);
  assert.deepEqual(asked.filter((path) => path !== "/live"), []);

  // A minute later it listens no more; the other one does.
  await page.clock.runFor(61_000);
  await docket.text(number, "And nobody again");
  await until("the other one listens", () => streams.size === 1 && [...streams].every((stream) => stream.frame().page() === watcher));
  assert.equal(await seenOf(page), seen);

  await show(page, true);
  await page.clock.runFor(2_000);
  await person.message("While nobody looks").waitFor();
  await person.message("And nobody again").waitFor();
  await page.getByText("New since you looked").waitFor();
  await until("it is seen", async () => Number(await seenOf(page)) > Number(seen));
  await person.leave();
});

test("closing over what has just come is asked for again; what was shown is sent at once", async () => {
  const number = "447700900313";
  await docket.text(number, "Please help");
  const [reference] = await docket.casesOf(number);
  const person = await (await sitDown(browser, docket.url)).signIn();
  await person.open(reference);
  const { page } = person;
  await page.locator("#text").fill("On our way");
  await docket.text(number, "It is urgent");
  await person.message("It is urgent").waitFor();
  await page.getByRole("button", { name: "Send anyway" }).waitFor();
  await page.getByRole("button", { name: "Close anyway" }).waitFor();

  // The key that closes goes to the button, and does not press it.
  await page.locator("#text").press("Escape");
  await page.keyboard.press("e");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Close anyway");
  assert.deepEqual(await docket.casesOf(number), [reference]);

  await page.getByRole("button", { name: "Send anyway" }).click();
  await person.message("On our way").waitFor();
  await until("it is sent", async () => (await docket.received(number)).includes(`On our way #${reference}`));
  await page.getByRole("button", { name: "Close case" }).click();
  await page.getByText("The case was closed.").waitFor();
  await person.leave();
});

test("the closing of a hidden tab is refused over what came meanwhile", async () => {
  const number = "447700900314";
  await docket.text(number, "A question");
  const [reference] = await docket.casesOf(number);
  const person = await (await sitDown(browser, docket.url)).signIn();
  await person.open(reference);
  const { page } = person;
  await show(page, false);
  await docket.text(number, "And another");
  const other = await person.context.newPage();
  await other.goto(`${docket.url}/`);
  await other.locator(`a.entry[data-case="${reference}"]`).waitFor();
  await page.locator(".close-place button").click();
  await page.getByRole("alert").getByText("New messages arrived, so the case is still open").waitFor();
  assert.deepEqual(await docket.casesOf(number), [reference]);
  await person.leave();
});

test("a long thread goes on upwards, and stays where it is read", async () => {
  const number = "447700900315";
  for (let n = 0; n < 70; n += 1) await docket.text(number, `Line ${n}`);
  const [reference] = await docket.casesOf(number);
  const person = await (await sitDown(browser, docket.url)).signIn();
  await person.open(reference);
  const { page } = person;
  assert.equal(await person.message("Line 69").count(), 1);
  assert.equal(await person.message("Line 5").count(), 0);
  await page.locator(".log-scroll").evaluate((scroller) => { scroller.scrollTop = -scroller.scrollHeight; });
  await person.message("Line 5").waitFor();
  assert.equal(await page.locator(".earlier").count(), 0);

  // What comes meanwhile is not seen before one goes there.
  await person.message("Line 2").scrollIntoViewIfNeeded();
  const seen = await seenOf(page);
  await docket.text(number, "Below");
  await page.getByRole("button", { name: "New messages below" }).waitFor();
  assert.equal(await seenOf(page), seen);
  await page.getByRole("button", { name: "New messages below" }).click();
  await until("it is seen", async () => Number(await seenOf(page)) > Number(seen));
  await person.leave();

  // Without the script too.
  const plain = await sitDown(browser, docket.url, { javaScriptEnabled: false });
  await plain.signIn();
  await plain.open(reference);
  await plain.page.getByRole("link", { name: "Show earlier messages" }).click();
  await plain.message("Line 5").waitFor();
  assert.equal(await plain.message("Line 69").count(), 0);
  await plain.page.getByRole("link", { name: "Show the newest messages" }).click();
  await plain.message("Below").waitFor();
  await plain.leave();
});
