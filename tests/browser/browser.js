// The browser, and what agents do in it.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";
import { PASSWORD } from "./installation.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

function executable() {
  const places = [
    process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ];
  const found = places.find((place) => place && existsSync(place));
  if (!found) throw new Error("there is no chromium: install it, or name it in CHROMIUM");
  return found;
}

export const launch = () => chromium.launch({ executablePath: executable(), args: ARGUMENTS });

/// A person at a browser of their own. What the page's scripts and policies complain of is kept in `complaints`.
export async function sitDown(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, timezoneId: "Europe/London", ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|net::ERR/.test(message.text())) complaints.push(message.text());
  });
  return new Person(context, page, url, complaints);
}

export class Person {
  constructor(context, page, url, complaints) {
    Object.assign(this, { context, page, url, complaints });
  }

  async leave() {
    await this.context.close();
    if (this.complaints.length) throw new Error(`the page complained:\n${this.complaints.join("\n")}`);
  }

  async signIn(role = "agent", password = PASSWORD) {
    await this.page.goto(`${this.url}/sign-in`);
    await this.page.getByLabel("Email").fill(`${role}@example.com`);
    await this.page.getByLabel("Password", { exact: true }).fill(password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.waitForURL((address) => address.pathname !== "/sign-in");
    return this;
  }

  go(where) { return this.page.goto(`${this.url}${where}`); }

  get log() { return this.page.getByRole("log"); }

  /// The message or note in the thread that says exactly this.
  message(text) {
    const exactly = new RegExp(`^\\s*${text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\s*$`);
    return this.log.locator("li.message").filter({ has: this.page.locator(".text", { hasText: exactly }) });
  }

  /// Opens what is told of a message to those who ask.
  async about(text) {
    const more = this.message(text).locator("details.more");
    if (!(await more.evaluate((details) => details.open))) await more.locator("summary").click();
  }

  entry(reference) { return this.page.locator(`a.entry[data-case="${reference}"]`); }

  async open(reference) {
    await this.page.goto(`${this.url}/cases/${reference}`);
  }

  /// The reference of the case that the page shows.
  reference() { return Number(/^\/cases\/(\d+)/.exec(new URL(this.page.url()).pathname)?.[1]); }

  async write(as, text) {
    await this.page.getByRole("radio", { name: as }).check();
    await this.page.locator("#text").fill(text);
    await this.page.locator("#write button.main").click();
  }

  async reply(text) {
    await this.write("Reply", text);
    await this.message(text).waitFor();
  }

  async setStatus(value) {
    const form = this.page.locator("form", { has: this.page.locator("#status") });
    await form.locator("#status").selectOption(value);
    // With the script it saves itself.
    const set = form.getByRole("button", { name: "Set" });
    if (await set.isVisible()) await set.click();
  }
}

/// What axe finds wrong with the page as it is.
export async function axe(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.flatMap((violation) => violation.nodes.map((node) => `${violation.id}: ${violation.help}: ${node.target.join(" ")}`));
}

export async function screenshot(page, name) {
  await page.screenshot({ path: path.join("artefacts", `${name}.png`), fullPage: false });
}

/// Has people at browsers of their own do something together, who leave afterwards; of one that failed their screens are kept.
export async function together(name, people, work) {
  try {
    await work(...people);
    for (const person of people) await person.leave();
  } catch (error) {
    for (const [index, person] of people.entries()) {
      await screenshot(person.page, `failed-${name.replaceAll(/\W+/g, "-")}-${index}`).catch(() => {});
      await person.context.close().catch(() => {});
    }
    throw error;
  }
}
