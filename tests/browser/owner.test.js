// What an owner does: set a new installation up until the first message comes in, see to people, tokens and what could not be routed, and look how it goes.
// The tests follow one another, as an owner's first day does: each begins where the one before ended.
import assert from "node:assert/strict";
import { createVerify, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { axe, launch, screenshot, sitDown, together } from "./browser.js";
import { NewInstallation, until } from "./installation.js";

const APPLICATION = "00000000-0000-4000-8000-00000000ab1e";
const SECRET = "an invented signature secret of forty-five characters";
const HELP_DESK = "447700900010";
const CLINIC = "447700900011";
const UNKNOWN_LINE = "447700900012";
const AMIRA = "447700900601";
const CHLOE = "447700900602";
const AGENT_PASSWORD = "a sentence of the agent's";

const { publicKey, privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048, publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await NewInstallation.start("owner");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

const owner = async (options = {}) => (await sitDown(browser, docket.url, options)).signIn("owner");
const asOwner = (name, work) => test(name, async () => together(name, [await owner()], work));
const says = (from, to, text, secret = SECRET) => docket.inbound(secret, { from, to, text, applicationId: APPLICATION });
/// The page as it is at both widths, which axe finds nothing wrong with.
async function look(page, name) {
  const [was] = [page.viewportSize()];
  for (const viewport of [{ width: 375, height: 780 }, { width: 1280, height: 860 }]) {
    await page.setViewportSize(viewport);
    assert.deepEqual(await axe(page), [], `${name} at ${viewport.width}`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= viewport.width, `${name} is wider than ${viewport.width} px`);
    await page.screenshot({ path: `artefacts/owner-${name}-${viewport.width}.png`, fullPage: true });
  }
  await page.setViewportSize(was);
}
// Beside a tab can stand how much waits on its page.
const tab = (page, name) => page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: new RegExp(`^${name}( \\d+\\+?)?$`) }).click();

asOwner("an owner of a new installation is led through the set-up", async ({ page, url }) => {
  assert.equal(new URL(page.url()).pathname, "/setup");
  assert.equal(await says(AMIRA, HELP_DESK, "Too early"), 503);
  await page.getByRole("heading", { level: 2, name: "The first survey" }).waitFor();
  await page.getByRole("list", { name: "Steps" }).getByRole("link", { name: "Vonage" }).click();
  await look(page, "setup-vonage");
  await page.getByLabel("Application id").fill(APPLICATION);
  await page.getByLabel("Signature secret").fill(SECRET);
  const upload = (text) => page.getByLabel("Private key as a file").setInputFiles({ name: "private.key", mimeType: "application/octet-stream", buffer: Buffer.from(text) });
  await upload("this is no key");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").getByText(/no private key/).waitFor();
  assert.equal(await page.getByLabel("Application id").inputValue(), APPLICATION);
  await look(page, "setup-vonage-refused");
  await page.getByLabel("Signature secret").fill(SECRET);
  await upload(privateKey);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Vonage's settings were saved. They are in use from now on.").waitFor();
  assert.ok(!(await page.content()).includes(SECRET), "the secret is not shown again");

  await page.getByRole("list", { name: "Steps" }).getByRole("link", { name: "Vonage" }).click();
  assert.equal(await page.getByLabel("Inbound URL", { exact: true }).inputValue(), `${url}/webhooks/vonage/inbound`);
  await page.getByRole("button", { name: "Test the credentials" }).click();
  await page.getByText("Vonage accepts the credentials").waitFor();
  const [{ token, body }] = docket.vonage.calls;
  const [head, claims, signature] = token.split(".");
  assert.ok(createVerify("RSA-SHA256").update(`${head}.${claims}`).verify(publicKey, signature, "base64url"), "the token is signed with the key");
  assert.equal(JSON.parse(Buffer.from(claims, "base64url")).application_id, APPLICATION);
  assert.ok(!body.to);
  await page.getByRole("link", { name: "Go on" }).click();

  // What was left out stays so until it is asked for.
  await page.getByText("Skipped for now").waitFor();
  await page.locator(".notice").getByRole("link", { name: "The first survey" }).click();
  await page.getByRole("heading", { level: 2, name: "The first survey" }).waitFor();
  await look(page, "setup-survey");
  await page.getByLabel("Name", { exact: true }).fill("Help desk");
  await page.getByRole("button", { name: "Create the survey" }).click();
  await page.getByRole("heading", { level: 2, name: "The first line" }).waitFor();

  const preview = page.locator("#preview");
  assert.match(await preview.innerText(), /^You have 2 open cases \(#\d+: Appointment request, #\d+: Question about hours\)\./);
  const reply = page.getByLabel("Automatic reply");
  await reply.fill("You have %s1 of these: %s2. %s3 & <b>%s</b>");
  const typed = await preview.innerText();
  assert.match(typed, /^You have 2 of these: #\d+: Appointment request, #\d+: Question about hours\. %s3 & <b>%s<\/b>$/);
  await page.getByRole("button", { name: "Preview" }).click();
  await page.waitForLoadState("load");
  assert.equal(await preview.innerText(), typed, "the server previews as the script does");
  await reply.fill(" ");
  assert.equal(await preview.innerText(), "Nothing is sent.");
  await reply.fill("You have %s1 open cases (%s2). Write # and its number.");
  await look(page, "setup-line");
  await page.getByLabel("Number", { exact: true }).fill("12");
  await page.getByRole("button", { name: "Add the line" }).click();
  await page.getByRole("alert").getByText(/number has 2 digits/).waitFor();
  assert.equal(await reply.inputValue(), "You have %s1 open cases (%s2). Write # and its number.");
  await page.getByLabel("Number", { exact: true }).fill("+44 7700 900010");
  await page.getByRole("button", { name: "Add the line" }).click();
  await page.getByText("All is set up.").waitFor();
  await look(page, "setup-done");
  await page.getByRole("link", { name: "To the inbox" }).first().click();
  await page.getByText("No open cases.").waitFor();
});

asOwner("a webhook signed with the secret makes a case in the open inbox, and the reply is handed to Vonage", async (person) => {
  const { page } = person;
  assert.equal(new URL(page.url()).pathname, "/", "the set-up is over");
  assert.equal(await says(AMIRA, HELP_DESK, "Not from Vonage", "another secret"), 401);
  assert.equal(await says(AMIRA, HELP_DESK, "Is somebody there?"), 200);
  await page.getByText("Is somebody there?").first().click();
  await person.message("Is somebody there?").waitFor();
  assert.equal(await page.getByText("Not from Vonage").count(), 0);
  await person.reply("Yes, we are.");
  const sent = await until("the call", () => docket.vonage.calls.find(({ body }) => body.to === AMIRA));
  assert.equal(sent.body.text, `Yes, we are. #${person.reference()}`);
  assert.equal(sent.body.from, HELP_DESK);
});

asOwner("a survey and a line are added later, with a template", async ({ page }) => {
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("link", { name: "New survey" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Clinic");
  await page.getByRole("button", { name: "Create the survey" }).click();
  await page.getByText("The survey was created.").waitFor();
  await page.locator("summary", { hasText: "Add a template" }).click();
  const form = page.locator("details[open] form");
  await form.getByLabel("Name").fill("Hours");
  await form.getByLabel("Text").fill("We are open from 9 to 5, {name}.");
  await form.getByRole("button").first().click();
  await page.getByText("The templates were saved.").waitFor();
  await look(page, "survey");
  await tab(page, "Lines");
  await page.getByRole("link", { name: "New line" }).click();
  await page.getByLabel("Number", { exact: true }).fill(`+${CLINIC}`);
  await page.locator("select[name=survey]").selectOption("Clinic");
  await page.getByRole("button", { name: "Add the line" }).click();
  await page.getByText("The line was added.").waitFor();
  await tab(page, "Lines");
  await look(page, "lines");
  assert.equal(await says(CHLOE, CLINIC, "Results of Chloe, please"), 200);
});

test("an agent who is kept to one survey does not see the cases of another", async () => {
  let chloes;
  await together("users", [await owner()], async (person) => {
    const { page } = person;
    await page.getByRole("link", { name: "Settings" }).click();
    await tab(page, "Users");
    await page.getByRole("link", { name: "Add a user" }).click();
    await page.getByLabel("Email").fill("agent@example.com");
    await page.getByLabel("Agent: works on cases").check();
    await page.getByLabel("Only those of these surveys:").check();
    await page.getByLabel("Help desk").check();
    await page.getByLabel("Password").fill(AGENT_PASSWORD);
    await look(page, "user-new");
    await page.getByRole("button", { name: "Add a user" }).click();
    await page.getByText("The user was added.").waitFor();
    await look(page, "users");
    await person.go("/");
    await page.getByText("Is somebody there?").first().waitFor();
    chloes = Number(await page.locator("a.entry", { hasText: "Results of Chloe" }).getAttribute("data-case"));
  });
  const agent = await (await sitDown(browser, docket.url)).signIn("agent", AGENT_PASSWORD);
  await together("kept-to-one", [agent], async (person) => {
    const { page } = person;
    assert.equal(new URL(page.url()).pathname, "/");
    await page.getByText("Is somebody there?").first().waitFor();
    await person.go("/?view=all&q=Chloe");
    await page.getByText("No results for").waitFor();
    const references = await page.locator("a.entry").count();
    assert.equal(references, 0);
    assert.equal(await page.locator(".more-filters select[name=survey]").count(), 0, "there is one to choose");
    await person.go("/?view=all");
    const [mine] = await page.locator("a.entry").evaluateAll((entries) => entries.map((entry) => Number(entry.dataset.case)));
    const statuses = await Promise.all([mine, chloes].map(async (reference) => (await page.request.get(`${docket.url}/cases/${reference}`)).status()));
    assert.deepEqual(statuses, [200, 404]);
    assert.equal((await page.request.get(`${docket.url}/users`)).status(), 403);
  });
});

asOwner("an owner's new password for somebody is shown once, and signs them out", async ({ page }) => {
  const agent = await (await sitDown(browser, docket.url)).signIn("agent", AGENT_PASSWORD);
  await page.getByRole("link", { name: "Settings" }).click();
  await tab(page, "Users");
  await page.getByRole("link", { name: "Change: agent@example.com" }).click();
  await look(page, "user");
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByRole("heading", { level: 1, name: "agent@example.com has a new password" }).waitFor();
  const password = await page.locator(".secret").innerText();
  await look(page, "password");
  await agent.go("/");
  assert.equal(new URL(agent.page.url()).pathname, "/sign-in");
  await agent.signIn("agent", password);
  await agent.page.getByText("Is somebody there?").first().waitFor();
  await agent.leave();
});

asOwner("a token is shown once, works, and ends", async ({ page }) => {
  await page.getByRole("link", { name: "Settings" }).click();
  await tab(page, "Tokens");
  await page.getByLabel("What it is for").fill("A ticket system");
  await page.getByRole("button", { name: "Make the token" }).click();
  await page.getByRole("heading", { level: 1, name: "The token “A ticket system” was made" }).waitFor();
  const token = await page.locator(".secret").innerText();
  const ask = async () => (await fetch(`${docket.url}/api/v1/cases`, { headers: { authorization: `Bearer ${token}` } })).status;
  assert.equal(await ask(), 200);
  await look(page, "token");
  await page.getByRole("link", { name: "Back to the tokens" }).click();
  await look(page, "tokens");
  assert.ok(!(await page.content()).includes(token), "it is not shown again");
  await page.getByRole("button", { name: "End: A ticket system" }).click();
  await page.getByText("The token was ended.").waitFor();
  assert.equal(await ask(), 401);
});

asOwner("a text to an unknown line waits, and is routed once the line is there", async (person) => {
  const { page } = person;
  for (const text of ["To nobody's line", "Hello, hello?"]) assert.equal(await says(AMIRA, UNKNOWN_LINE, text), 200);
  await page.getByRole("link", { name: "Settings" }).click();
  await tab(page, "Unrouted");
  await page.getByText(`Messages to +${UNKNOWN_LINE}`).waitFor();
  await look(page, "unrouted");
  await page.getByRole("button", { name: /^Route all of these again/ }).click();
  await page.getByText("Nothing was routed. 2 could not be, because the cause is still there.").waitFor();
  await tab(page, "Lines");
  await page.getByRole("link", { name: "New line" }).click();
  await page.getByLabel("Number", { exact: true }).fill(UNKNOWN_LINE);
  await page.locator("select[name=survey]").selectOption("Clinic");
  await page.getByRole("button", { name: "Add the line" }).click();
  await page.getByText("The line was added.").waitFor();
  await tab(page, "Unrouted");
  await page.getByRole("button", { name: /^Route again/ }).last().click();
  await page.getByRole("link", { name: /^Open case #\d+$/ }).waitFor();
  await look(page, "unrouted-one");
  await page.getByRole("button", { name: /^Route all of these again/ }).click();
  await page.getByText("1 was routed.").waitFor();
  await page.getByText("Nothing waits here.").waitFor();
  await person.go("/?q=nobody");
  await page.locator("a.entry").first().click();
  for (const text of ["To nobody's line", "Hello, hello?"]) await person.message(text).waitFor();
});

asOwner("reports count what happened, and are downloaded", async ({ page }) => {
  await page.getByRole("link", { name: "Settings" }).click();
  await tab(page, "Reports");
  await look(page, "reports");
  await page.getByText("As a table: Messages a day").click();
  const totals = page.getByRole("table", { name: "Messages a day" }).locator("tfoot td");
  // Received, sent, begun, closed.
  const all = (await totals.allInnerTexts()).map(Number);
  assert.equal(all[0], 4);
  assert.ok(all[1] >= 1);
  assert.equal(all[3], 0);
  const download = async (name) => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name }).click()]);
    assert.match(file.suggestedFilename(), /^docket-.*\.csv$/);
    return readFileSync(await file.path(), "utf8").trimEnd().split(/\r?\n/);
  };
  const days = await download(/^Download as CSV\s*: Messages a day/);
  const today = new Date().toISOString().slice(0, 10);
  assert.match(days[0], /^\ufeff?"?day \(UTC\)/);
  assert.equal(days.find((line) => line.includes(today)).split(",").slice(-4).join(), all.join());
  const responses = await download(/^Download as CSV\s*: Time to the first answer/);
  assert.ok(responses.some((line) => line.includes("Help desk")), responses.join("\n"));

  await page.locator("select[name=survey]").selectOption("Help desk");
  await page.getByRole("button", { name: "Show" }).click();
  await page.waitForURL((address) => Boolean(address.searchParams.get("survey")));
  await page.getByText("As a table: Messages a day").click();
  assert.equal((await totals.allInnerTexts())[0], "1");
});

asOwner("the health page says what needs a look", async ({ page }) => {
  await page.getByRole("link", { name: "Settings" }).click();
  await tab(page, "Health");
  // A stranger's webhook among good ones is counted, and calls for nobody.
  await page.getByText("All is well.").waitFor();
  await page.getByRole("row").filter({ hasText: "Wrong signature, refused" }).waitFor();
  await page.getByText("All 3 lines send.").waitFor();
  await look(page, "health");
});
