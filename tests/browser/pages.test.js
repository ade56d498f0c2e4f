// Every page: what axe finds, what it looks like (screenshots in artefacts/), how heavy it is, and whether it fits narrow and enlarged.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axe, launch, screenshot, sitDown } from "./browser.js";
import { Installation } from "./installation.js";

/// Without images; in bytes, as they go over the wire.
const MAX_PAGE_BYTES = 100 * 1024;
const NUMBER = "447700900400";

let browser, docket, reference, message, survey, line, user;
before(async () => {
  browser = await launch();
  docket = await Installation.start("pages");
  await docket.text(NUMBER, "مرحبا، متى تفتحون يوم السبت؟ (Saturday #0)");
  await docket.text(NUMBER, "", { kind: "photo" });
  await docket.text(NUMBER, "", { kind: "location" });
  await docket.text(NUMBER, "https://example.com/a-very-long-address-without-any-place-to-break-it/and/it/goes/on/and/on/and/on?so=it&does=indeed");
  [reference] = await docket.casesOf(NUMBER);
  const { items } = await docket.api(`/cases/${reference}/thread`);
  message = items.find((item) => item.kind === "message").message_id;
  await docket.text("447700900402", "To a line that is not there", { to: "447700900999" });
  const first = async (path) => (await docket.api(path)).items[0].id;
  survey = await first("/surveys");
  line = await first("/lines");
  user = (await docket.api("/users")).items.find((item) => item.role === "agent").id;
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

/// Each page: its name, who looks at it, and where it is.
const pages = [
  ["inbox", "agent", () => "/"],
  ["inbox-closed", "agent", () => "/?view=closed"],
  ["inbox-search", "agent", () => "/?view=all&q=Saturday"],
  ["inbox-nothing", "agent", () => "/?q=nothingatall"],
  ["case", "agent", () => `/cases/${reference}`],
  ["case-closed", "agent", () => "/cases/104"],
  ["case-auditor", "auditor", () => `/cases/${reference}`],
  ["move", "agent", () => `/cases/${reference}/messages/${message}/move`],
  ["begin", "agent", () => "/cases/new"],
  ["sessions", "agent", () => "/sessions"],
  ["account", "agent", () => "/account"],
  ["tokens-own", "agent", () => "/tokens"],
  ["not-there", "agent", () => "/cases/99999"],
  ["history", "auditor", () => `/cases/${reference}/history`],
  ["history-moved", "auditor", () => "/cases/103/history"],
  ["history-then", "auditor", () => `/cases/${reference}/history?at=2`],
  ["log", "auditor", () => "/log"],
  ["log-of-a-case", "auditor", () => `/log?case=${reference}`],
  ["surveys-auditor", "auditor", () => "/surveys"],
  ["setup", "owner", () => "/setup"],
  ["surveys", "owner", () => "/surveys"],
  ["survey-new", "owner", () => "/surveys/new"],
  ["survey", "owner", () => `/surveys/${survey}`],
  ["lines", "owner", () => "/lines"],
  ["line-new", "owner", () => "/lines/new"],
  ["line", "owner", () => `/lines/${line}`],
  ["vonage", "owner", () => "/vonage"],
  ["users", "owner", () => "/users"],
  ["user-new", "owner", () => "/users/new"],
  ["user", "owner", () => `/users/${user}`],
  ["tokens", "owner", () => "/tokens"],
  ["unrouted", "owner", () => "/unrouted"],
  ["health", "owner", () => "/health"],
  ["reports", "owner", () => "/reports"],
];

const looks = [
  { name: "1280-light", viewport: { width: 1280, height: 860 }, colorScheme: "light" },
  { name: "1280-dark", viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
  { name: "375-light", viewport: { width: 375, height: 780 }, colorScheme: "light" },
  { name: "375-dark", viewport: { width: 375, height: 780 }, colorScheme: "dark" },
];

for (const { name: look, ...options } of looks) {
  test(`axe finds nothing on any page at ${look}`, async () => {
    const found = [];
    const visitor = await sitDown(browser, docket.url, options);
    await visitor.go("/sign-in");
    found.push(...(await axe(visitor.page)).map((line) => `sign-in: ${line}`));
    await screenshot(visitor.page, `sign-in-${look}`);
    await visitor.leave();
    for (const role of ["agent", "auditor", "owner"]) {
      const person = await (await sitDown(browser, docket.url, options)).signIn(role);
      for (const [name, , where] of pages.filter(([, who]) => who === role)) {
        const answer = await person.go(where());
        assert.equal(answer.status(), name === "not-there" ? 404 : 200, name);
        found.push(...(await axe(person.page)).map((line) => `${name}: ${line}`));
        await screenshot(person.page, `${name}-${look}`);
      }
      await person.leave();
    }
    assert.deepEqual(found, []);
  });
}

test("no page is wider than a screen of 320 px, or than one enlarged to 200 %", async () => {
  const wide = [];
  for (const viewport of [{ width: 320, height: 640 }, { width: 640, height: 430 }]) {
    for (const role of ["agent", "auditor", "owner"]) {
      const person = await (await sitDown(browser, docket.url, { viewport })).signIn(role);
      for (const [name, , where] of pages.filter(([, who]) => who === role)) {
        await person.go(where());
        const width = await person.page.evaluate(() => document.documentElement.scrollWidth);
        const far = await person.page.evaluate((most) => [...document.querySelectorAll("body *")].filter((node) => node.getBoundingClientRect().right > most + 1).slice(0, 3).map((node) => node.outerHTML.slice(0, 80)), viewport.width);
        if (width > viewport.width) wide.push(`${name}: ${width} px at ${viewport.width} px, such as ${far.join(" and ")}`);
      }
      await person.leave();
    }
  }
  assert.deepEqual(wide, []);
});

test("a page weighs at most 100 KB, with its style and script", async () => {
  const person = await (await sitDown(browser, docket.url)).signIn("owner");
  for (const [name, , where] of pages) {
    let bytes = 0;
    const others = [];
    const session = await person.context.newCDPSession(person.page);
    await session.send("Network.enable");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    session.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
    session.on("Network.requestWillBeSent", ({ request }) => { if (!request.url.startsWith(docket.url) && !request.url.startsWith("data:")) others.push(request.url); });
    await person.go(where());
    await person.page.waitForLoadState("load");
    assert.ok(bytes > 0 && bytes <= MAX_PAGE_BYTES, `${name} weighs ${bytes} bytes`);
    assert.deepEqual(others, [], `${name} loads from elsewhere`);
    await session.detach();
  }
  await person.leave();
});

test("a day's work is done by keyboard", async () => {
  const number = "447700900401";
  await docket.text(number, "By keyboard alone");
  const [mine] = await docket.casesOf(number);
  const person = await (await sitDown(browser, docket.url)).signIn();
  const { page } = person;
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  await person.go("/");
  await press("/");
  await page.keyboard.type(`#${mine}`);
  await press("Enter");
  await page.waitForURL((address) => address.pathname === `/cases/${mine}`);
  await press("a");
  await person.log.getByText(/took the case/).waitFor();
  await press("r");
  await page.keyboard.type("Answered without a mouse");
  await press("Control+Enter");
  await person.message("Answered without a mouse").waitFor();
  // The box has the focus again when something was sent; keys are letters there.
  const isBack = () => page.waitForFunction(() => document.activeElement?.id === "text" && document.activeElement.value === "");
  await isBack();
  await press("Escape", "n");
  await page.keyboard.type("Noted without a mouse");
  await press("Control+Enter");
  await person.message("Noted without a mouse").waitFor();
  await isBack();
  await press("Escape", "?");
  await page.getByRole("dialog").waitFor();
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await person.leave();
});
