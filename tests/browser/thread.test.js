// The page of a case: how a thread stands together, what can be done in one click, and the box.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axe, launch, sitDown, together } from "./browser.js";
import { Installation, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("thread");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

// Each test has numbers of its own, so that none depends on another.
let next = 700;
const newNumber = () => `447700900${next++}`;
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

bothWays("what one person says at once has one line about it, below the day", async (ada, hasScript) => {
  const { number, reference } = await newCase(["First", "Second"]);
  await ada.open(reference);
  await ada.message("Second").waitFor();
  const classes = (text) => ada.message(text).getAttribute("class");
  assert.match(await classes("First"), /leads/);
  assert.match(await classes("Second"), /continues/);
  assert.equal(await ada.log.locator(".day").count(), 1);
  assert.equal(await ada.log.locator(".day").innerText(), "Today");
  const meta = (text) => ada.message(text).locator(".meta time").evaluate((time) => time.getBoundingClientRect().height);
  assert.ok(await meta("First") <= 1, "the first of a group says its time to screen readers only");
  assert.ok(await meta("Second") > 5);
  await docket.text(number, "Third");
  // What is new stands apart as long as it is new.
  for (let look = 0; look < 2 && !hasScript; look += 1) await ada.open(reference);
  await ada.message("Third").waitFor();
  assert.match(await classes("Second"), /leads/);
  assert.match(await classes("Third"), /continues/);
  await ada.reply("Fourth");
  assert.doesNotMatch(await classes("Fourth"), /continues/);
  assert.doesNotMatch(await classes("Third"), /leads/);
  assert.equal(await ada.log.locator(".day").count(), 1);
});

bothWays("three changes are folded, two are not", async (ada, hasScript) => {
  const { reference } = await newCase(["Change it"]);
  await ada.open(reference);
  await ada.page.getByRole("button", { name: "Assign to me" }).click();
  await ada.log.getByText("took the case").waitFor();
  assert.equal(await ada.log.locator(".run").count(), 0);
  for (const title of ["Once", "Twice"]) {
    await ada.page.locator("#f-title summary").click();
    await ada.page.getByLabel("Title", { exact: true }).fill(title);
    await ada.page.getByRole("button", { name: "Rename" }).click();
    await ada.page.getByRole("heading", { level: 1, name: title }).waitFor();
  }
  await ada.log.getByText("3 changes").waitFor();
  assert.equal(await ada.log.getByText("took the case").isVisible(), false);
  await ada.log.getByText("3 changes").click();
  await ada.log.getByText("took the case").waitFor();
  if (hasScript) {
    // What comes by itself leaves it open.
    const otto = await come("owner");
    await otto.open(reference);
    await otto.setStatus("In progress");
    await otto.log.getByText("4 changes").waitFor();
    await otto.leave();
    await ada.log.getByText("4 changes").waitFor();
    assert.equal(await ada.log.getByText("took the case").isVisible(), true);
  }
});

bothWays("a message that went to two cases is left in one of them by one click", async (ada) => {
  const { number, reference } = await newCase(["About the roof", "#0 About the door"]);
  const [, other] = await docket.casesOf(number);
  await docket.text(number, "It still leaks");
  await ada.open(other);
  await ada.message("It still leaks").getByText(`Also in #${reference}`).waitFor();
  await ada.message("It still leaks").getByRole("button", { name: `Only in #${reference}` }).click();
  await ada.page.getByText("The message was removed from this case.").waitFor();
  assert.equal(ada.reference(), other);
  assert.equal(await ada.message("It still leaks").count(), 0);
  await ada.open(reference);
  await ada.message("It still leaks").waitFor();
  assert.equal(await ada.page.getByRole("button", { name: /^Only in/ }).count(), 0);
  assert.equal(await ada.message("It still leaks").getByText("Also in").count(), 0);
});

test("addresses and numbers in messages are links that tell nothing of us", async () => together("links", [await come()], async (ada) => {
  const { reference } = await newCase(["See www.example.com/a or write jane@example.com, ring +44 7700 900199 javascript:alert(1)"]);
  await ada.open(reference);
  const links = await ada.log.locator(".text a").evaluateAll((all) => all.map((link) => [link.textContent, link.getAttribute("href"), link.rel]));
  const rel = "noreferrer noopener";
  assert.deepEqual(links, [
    ["www.example.com/a", "https://www.example.com/a", rel],
    ["jane@example.com", "mailto:jane@example.com", rel],
    ["+44 7700 900199", "tel:+447700900199", rel],
  ]);
}));

test("a slash offers saved replies, in replies, notes and new cases", async () => together("slash", [await come()], async (ada) => {
  const { reference } = await newCase(["Any news?"]);
  const { page } = ada;
  const box = page.locator("#text");
  const options = page.locator(".saved [role=option]");
  await ada.open(reference);
  await box.pressSequentially("Hello /");
  await options.first().waitFor();
  const all = await options.count();
  assert.ok(all > 1);
  await box.pressSequentially("looking");
  await until("fewer", async () => (await options.count()) === 1);
  assert.equal(await box.evaluate((text) => document.getElementById(text.getAttribute("aria-activedescendant"))?.getAttribute("aria-selected")), "true");
  await page.locator(".saved p", { hasText: `#${reference}` }).waitFor();
  assert.deepEqual(await axe(page), []);
  await box.press("Enter");
  assert.match(await box.inputValue(), new RegExp(`^Hello .*We are looking into it.*#${reference}`, "s"));
  assert.equal(await options.count(), 0);
  assert.match(await page.locator("#count").innerText(), /SMS/);
  // Escape closes the list and leaves the text.
  await box.fill("");
  await box.pressSequentially("/");
  await options.first().waitFor();
  await box.press("Escape");
  assert.equal(await options.count(), 0);
  assert.equal(await box.inputValue(), "/");
  await page.getByRole("radio", { name: "Note" }).check();
  await box.fill("");
  await box.pressSequentially("/looking");
  await options.first().click();
  assert.match(await box.inputValue(), /We are looking into it/);
  await ada.go("/cases/new");
  const first = page.locator("textarea[name=text]");
  await page.getByLabel("From").selectOption(await page.locator("select[name=line] option", { hasText: "7700 900000 (SMS)" }).getAttribute("value"));
  await first.pressSequentially("/looking");
  await options.first().waitFor();
  await first.press("Tab");
  assert.match(await first.inputValue(), /We are looking into it/);
  assert.doesNotMatch(await first.inputValue(), /\{/);
}));

test("what was shown while I wrote is sent over at once", async () => together("shown", [await come()], async (ada) => {
  const { number, reference } = await newCase(["Tomorrow?"]);
  const send = ada.page.locator("#write button.main");
  await ada.open(reference);
  await ada.page.locator("#text").fill("Yes, tomorrow");
  assert.equal((await send.innerText()).trim(), "Send");
  await docket.text(number, "Or on Friday?");
  await ada.message("Or on Friday?").waitFor();
  await ada.page.getByRole("button", { name: "Send anyway" }).waitFor();
  await send.click();
  await ada.message("Yes, tomorrow").waitFor();
  assert.equal(await ada.page.getByRole("alert").count(), 0);
  await until("the reply", async () => (await docket.received(number)).some((text) => text.startsWith("Yes, tomorrow")));
}));

bothWays("after sending one writes on", async (ada, hasScript) => {
  const { number, reference } = await newCase(["Hello?"]);
  await ada.open(reference);
  await ada.page.locator("#text").fill("Yes?");
  if (hasScript) await ada.page.locator("#text").press("Control+Enter");
  else await ada.page.locator("#write button.main").click();
  await ada.message("Yes?").waitFor();
  await until("the focus", async () => (await ada.page.evaluate(() => document.activeElement?.id)) === "text");
  if (!hasScript) return;
  await ada.page.locator("#done", { hasText: "Your reply is on its way." }).waitFor();
  // It gives way to the answer.
  await docket.text(number, "Good");
  await ada.message("Good").waitFor();
  await ada.page.locator("#done").waitFor({ state: "detached" });
  // Together with closing, by the keyboard.
  await ada.page.locator("#text").fill("Bye");
  await ada.page.locator("#text").press("Control+Shift+Enter");
  await ada.page.getByText("Your reply is on its way, and the case was closed.").waitFor();
  assert.deepEqual(await docket.casesOf(number), []);
});

bothWays("a new case to somebody who has one is begun only if one wants another", async (ada) => {
  const { number, reference } = await newCase(["I am here already"]);
  const fill = async () => {
    await ada.go("/cases/new");
    await ada.page.getByLabel("From").selectOption(await ada.page.locator("select[name=line] option", { hasText: "7700 900000 (SMS)" }).getAttribute("value"));
    await ada.page.getByLabel("To", { exact: true }).fill(`+${number}`);
    await ada.page.locator("textarea[name=text]").fill("We have news");
    await ada.page.getByRole("button", { name: "Send and create the case" }).click();
    await ada.page.getByText("There is 1 open case of").waitFor();
  };
  await fill();
  assert.deepEqual(await docket.casesOf(number), [reference]);
  await ada.page.getByRole("link", { name: `Write in #${reference}` }).click();
  await ada.message("I am here already").waitFor();
  await fill();
  assert.equal(await ada.page.locator("textarea[name=text]").inputValue(), "We have news");
  await ada.page.getByRole("button", { name: "Send and create another case" }).click();
  await ada.message("We have news").waitFor();
  assert.equal((await docket.casesOf(number)).length, 2);
});

test("a field saves itself when one has chosen, and by a button after keys", async () => together("saves", [await come()], async (ada) => {
  const { reference } = await newCase(["Set it"]);
  const { page } = ada;
  await ada.open(reference);
  await page.locator("#status").selectOption("In progress");
  await page.getByText("The status was set.").waitFor();
  await ada.log.getByText("set the status from").waitFor();
  assert.equal(ada.reference(), reference);
  const set = page.getByRole("button", { name: "Set" });
  assert.equal(await set.isVisible(), false);
  await page.locator("#status").focus();
  await page.keyboard.press("Home");
  await set.waitFor();
  assert.equal(await ada.log.getByText("set the status from").count(), 1, "keys alone change nothing");
  await set.click();
  await page.getByText("The status was set.").waitFor();
}));

test("menus close by Escape and by a click elsewhere", async () => together("menus", [await come()], async (ada) => {
  const { reference } = await newCase(["Menus"]);
  const { page } = ada;
  await ada.open(reference);
  const account = page.locator("details.account");
  await account.locator("summary").click();
  assert.equal(await account.evaluate((menu) => menu.open), true);
  await page.keyboard.press("Escape");
  assert.equal(await account.evaluate((menu) => menu.open), false);
  assert.equal(await account.locator("summary").evaluate((summary) => summary === document.activeElement), true);
  await ada.about("Menus");
  await page.locator(".head h1").click();
  assert.equal(await ada.message("Menus").locator("details.more").evaluate((menu) => menu.open), false);
}));

test("eight messages are seen at once, and the box grows with what is written", async () => together("density", [await come("agent", { viewport: { width: 1280, height: 800 } })], async (ada) => {
  const { number, reference } = await newCase(["Message 1"]);
  const { page } = ada;
  await ada.open(reference);
  for (const index of [2, 4, 6, 8]) {
    await ada.reply(`Message ${index}`);
    await docket.text(number, `Message ${index + 1}`);
    await ada.message(`Message ${index + 1}`).waitFor();
  }
  // What came last may still be marked as new, and the page begins there.
  await until("all is read", async () => {
    await ada.open(reference);
    return (await page.locator("#new").count()) === 0;
  });
  const foot = (await page.locator(".foot").boundingBox()).y;
  const top = (await page.locator(".head").boundingBox());
  const seen = await ada.log.locator("li.message").evaluateAll((items, [from, to]) => items.filter((item) => {
    const { top, bottom } = item.getBoundingClientRect();
    return top >= from && bottom <= to;
  }).length, [top.y + top.height, foot]);
  assert.ok(seen >= 8, `${seen} messages are seen`);
  const box = page.locator("#text");
  const height = async () => (await box.boundingBox()).height;
  const one = await height();
  assert.ok(one < 45, `one row takes ${one} px`);
  await box.fill("1\n2\n3\n4");
  const four = await height();
  assert.ok(four > one + 50, `four rows take ${four} px`);
  await box.fill("x\n".repeat(40));
  assert.ok(await height() < one * 6, "it stops at eight rows");
}));

for (const [width, height] of [[375, 780], [320, 640], [740, 360]]) {
  test(`a phone of ${width} by ${height} px shows one pane with targets for fingers`, async () => together(`phone-${width}`, [
    await come("agent", { viewport: { width, height }, hasTouch: true, isMobile: true }),
  ], async (ada) => {
    const { reference } = await newCase(["On the phone", "And a long word: https://www.example.com/a/rather/long/address/that/has/no/space"]);
    const { page } = ada;
    await ada.open(reference);
    await ada.message("On the phone").waitFor();
    assert.equal(await page.locator(".list").isVisible(), false);
    assert.deepEqual(await page.evaluate(() => [document.documentElement.scrollWidth <= innerWidth, document.documentElement.scrollHeight <= innerHeight + 1]), [true, true]);
    const box = page.locator("#text");
    await box.focus();
    assert.ok(await box.evaluate((text) => Number.parseFloat(getComputedStyle(text).fontSize)) >= 16);
    for (const target of [".close-place button", "#write button.main", ".more summary", ".to-list", ".to-details"]) {
      const { height: tall } = await page.locator(target).first().boundingBox();
      assert.ok(tall >= 44, `${target} is ${tall} px high`);
    }
    assert.equal((await page.locator(".close-place button").innerText()).trim(), "Close case");
    await page.screenshot({ path: `artefacts/thread-phone-${width}.png` });
    assert.deepEqual(await axe(page), []);
  }));
}
