// People and attention: names, the tab's title, mentions, who writes, theme, time zone, and the next case.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axe, launch, sitDown, together } from "./browser.js";
import { Installation, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("people");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

let next = 700;
async function newCase(text) {
  const number = `447700900${next++}`;
  await docket.text(number, text);
  const [reference] = await until("a case", async () => { const all = await docket.casesOf(number); return all.length && all; });
  return { number, reference };
}
const come = async (role = "agent", options = {}) => (await sitDown(browser, docket.url, options)).signIn(role);

async function calledAs(person, name) {
  await person.go("/account");
  const form = person.page.locator("form[action$='/account/name']");
  await form.getByLabel("Name").fill(name);
  await form.getByRole("button").click();
  await person.page.getByText("Your name was saved.").waitFor();
}

async function prefers(person, choose) {
  await person.go("/account");
  const form = person.page.locator("#preferences");
  await choose(form);
  await form.getByRole("button").click();
  await person.page.getByText("Your preferences were saved.").waitFor();
}

test("the title and the icon say how many cases are unread", async () => together("title", [await come()], async (ada) => {
  await ada.go("/");
  const unread = async () => Number(/^\((\d+)\+?\) /.exec(await ada.page.title())?.[1] ?? 0);
  const before = await unread();
  await newCase("One more that is unread");
  await until("the title counts it", async () => await unread() === before + 1);
  assert.match(await ada.page.locator("link[rel=icon]").getAttribute("href"), /console-unread\.svg$/);
}));

test("a colleague is mentioned by name, and sees it until they look", async () => together("mention", [await come(), await come("owner")], async (ada, grace) => {
  await calledAs(grace, "Grace Hopper");
  const { reference } = await newCase("A question for two");
  await ada.open(reference);
  await ada.write("Note", "Can you look, @Grace Hopper?");
  await ada.message("Can you look, @Grace Hopper?").waitFor();
  const view = grace.page.locator(".views a", { hasText: "Mentions" });
  await grace.go("/?view=mentions");
  assert.equal((await view.locator(".count").textContent()).trim(), "1");
  await grace.entry(reference).click();
  await grace.message("Can you look, @Grace Hopper?").waitFor();
  await grace.go("/?view=mentions");
  await grace.entry(reference).waitFor();
  assert.equal(await view.locator(".count").count(), 0);
}));

test("one sees who else has the case open, and who writes", async () => together("writing", [await come(), await come("owner")], async (ada, otto) => {
  await calledAs(ada, "Ada Lovelace");
  const { reference } = await newCase("Who answers this?");
  await otto.open(reference);
  await ada.open(reference);
  await otto.page.getByText("Ada Lovelace has this case open too.").waitFor();
  await ada.page.locator("#text").pressSequentially("I do");
  await otto.page.getByText("Ada Lovelace is writing.").waitFor();
  await ada.page.locator("#text").fill("");
  await until("it is over", async () => !(await otto.page.getByText("is writing").count()));
}));

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with the script" : "without a script";
  test(`theme and time zone hold in every browser of a person, ${how}`, async () => together(`prefers ${how}`, [await come("auditor", { javaScriptEnabled, colorScheme: "light" })], async (ines) => {
    const background = () => ines.page.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor).catch(() => null);
    await prefers(ines, async (form) => {
      await form.getByLabel("Theme").selectOption("dark");
      await form.getByLabel("Time zone").selectOption("Asia/Kolkata");
    });
    assert.equal(await ines.page.locator("link[rel=stylesheet]").getAttribute("href").then((href) => href.endsWith("console-dark.css")), true);
    if (javaScriptEnabled) {
      const [red] = (await background()).match(/\d+/g).map(Number);
      assert.ok(red < 100, `the background is dark: ${await background()}`);
      assert.deepEqual(await axe(ines.page), []);
    }
    await ines.go("/log");
    await ines.page.getByText(/\d{2}:\d{2}:\d{2} IST/).first().waitFor({ state: "attached" });
    const shown = await ines.page.locator("time[datetime]").first();
    const at = new Date(await shown.getAttribute("datetime"));
    const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: "Asia/Kolkata" }).format(at);
    assert.ok((await shown.textContent()).includes(clock), await shown.textContent());
  }));
}

test("the next case opens after closing, where one wants it", async () => together("next case", [await come()], async (ada) => {
  const first = await newCase("The first to close");
  const second = await newCase("The second to close");
  await prefers(ada, (form) => form.getByLabel("Open the next case after closing one").check());
  await ada.open(second.reference);
  await ada.setStatus("Resolved");
  await ada.page.getByText(`#${second.reference} was closed. This is the next case.`).waitFor();
  assert.equal(ada.reference(), first.reference);
  await ada.page.getByRole("button", { name: "Undo" }).click();
  await until("the closed case is back", () => ada.reference() === second.reference);
}));
