// A person's text outlives their session, and is theirs alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, sitDown } from "./browser.js";
import { Installation, PASSWORD, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("signed-out");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

async function caseOf(number, said) {
  await docket.text(number, said);
  const [reference] = await docket.casesOf(number);
  return reference;
}

/// Ends the session that the page has, as a colleague's "sign out everywhere" or an expiry does.
async function endSession(person) {
  const other = await (await sitDown(browser, docket.url)).signIn("agent");
  await other.go("/sessions");
  await other.page.locator("form[action$='/sign-out-everywhere'] button").click();
  await other.page.waitForURL(/\/sign-in/);
  await other.leave();
  assert.equal((await person.page.request.get(`${docket.url}/account`, { maxRedirects: 0 })).status(), 303);
}

const fill = async (person, text) => {
  await person.page.getByRole("radio", { name: "Reply" }).check();
  await person.page.locator("#text").fill(text);
};
const written = (person) => person.page.locator("#text").inputValue();

test("an open page says that one was signed out, keeps the text, and goes on after signing in in another tab", async () => {
  const reference = await caseOf("447700900310", "Are you there?");
  const ada = await (await sitDown(browser, docket.url)).signIn("agent");
  await ada.open(reference);
  await fill(ada, "A long answer");
  await endSession(ada);
  const link = ada.page.locator(".live a");
  await link.waitFor({ timeout: 60_000 });
  assert.match(await ada.page.locator(".live").innerText(), /You were signed out/);
  assert.equal(await written(ada), "A long answer");

  const [tab] = await Promise.all([ada.context.waitForEvent("page"), link.click()]);
  await tab.getByLabel("Email").fill("agent@example.com");
  await tab.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await tab.getByRole("button", { name: "Sign in" }).click();
  await tab.waitForURL(new RegExp(`/cases/${reference}`));
  await tab.close();
  await ada.page.bringToFront();
  await ada.page.evaluate(() => dispatchEvent(new Event("focus")));
  await until("the page to go on", async () => (await ada.page.locator(".live").innerText()) === "");
  assert.equal(await written(ada), "A long answer");
  await ada.page.locator("#write button.main").click();
  await ada.message("A long answer").waitFor();
  // The stream is led to the sign-in page, which is how the script learns of it.
  ada.complaints = ada.complaints.filter((complaint) => !complaint.includes("EventSource's response"));
  await ada.leave();
});

for (const javaScriptEnabled of [true, false]) {
  test(`a reply that is sent after the session's end is in its box again, with script: ${javaScriptEnabled}`, async () => {
    const reference = await caseOf(javaScriptEnabled ? "447700900311" : "447700900312", "Hello?");
    const ada = await (await sitDown(browser, docket.url, { javaScriptEnabled })).signIn("agent");
    await ada.open(reference);
    await fill(ada, "Not lost & <found>");
    await endSession(ada);
    await ada.page.locator("#write button.main").click();
    await ada.page.getByRole("alert").getByText("your text is back").waitFor();
    await ada.page.getByLabel("Email").fill("agent@example.com");
    await ada.page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await ada.page.getByRole("button", { name: "Sign in" }).click();
    await ada.page.getByRole("alert").getByText("Here is your text again").waitFor();
    assert.equal(await written(ada), "Not lost & <found>");
    assert.equal(await ada.message("Not lost & <found>").count(), 0);
    await ada.page.locator("#write button.main").click();
    await ada.message("Not lost & <found>").waitFor();
    await ada.leave();
  });
}

test("the next person in a tab finds no draft, and signing out forgets one's own", async () => {
  const reference = await caseOf("447700900313", "For whom?");
  const ada = await (await sitDown(browser, docket.url)).signIn("agent");
  await ada.open(reference);
  await fill(ada, "Between us");
  // The session ends by itself, and a colleague signs in in the same tab.
  await ada.context.clearCookies({ name: /session/ });
  await ada.signIn("owner");
  await ada.open(reference);
  assert.equal(await written(ada), "");
  await ada.context.clearCookies({ name: /session/ });
  await ada.signIn("agent");
  await ada.open(reference);
  assert.equal(await written(ada), "Between us", "one's own draft waits");

  await ada.page.locator("details.account summary").click();
  await ada.page.getByRole("button", { name: "Sign out", exact: true }).click();
  await ada.page.waitForURL(/\/sign-in/);
  await ada.signIn("agent");
  await ada.open(reference);
  assert.equal(await written(ada), "");
  await ada.leave();
});
