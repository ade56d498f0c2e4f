// Labels and snoozes at the console, with the script and without it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axe, launch, sitDown, together } from "./browser.js";
import { Installation, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("labels");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

let next = 700;

/// A case that the contact began with these words.
async function newCase(text) {
  const number = `447700900${next++}`;
  await docket.text(number, text);
  const [reference] = await until("a case", async () => { const all = await docket.casesOf(number); return all.length && all; });
  return { number, reference };
}

const come = async (role = "agent", options = {}) => (await sitDown(browser, docket.url, options)).signIn(role);

async function createLabel(name, colour) {
  const otto = await come("owner");
  await otto.go("/labels");
  const form = otto.page.locator("form.panel");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Colour").selectOption(colour);
  await form.getByRole("button", { name: "Create the label" }).click();
  await otto.page.getByText("The label was created.").waitFor();
  assert.deepEqual(await axe(otto.page), []);
  await otto.leave();
}

for (const colorScheme of ["light", "dark"]) {
  test(`a case is labelled, and found by its label, ${colorScheme}`, async () => {
    const name = `Urgent ${colorScheme}`;
    await createLabel(name, "red");
    const { reference } = await newCase("My parcel is late");
    await together(`labels-${colorScheme}`, [await come("agent", { colorScheme })], async (ada) => {
      await ada.open(reference);
      await ada.page.locator("#f-labels summary").click();
      await ada.page.locator("#f-labels").getByLabel(name).check();
      await ada.page.locator("#f-labels").getByRole("button", { name: "Set labels" }).click();
      await ada.page.locator("main .label.red", { hasText: name }).waitFor();
      assert.deepEqual(await axe(ada.page), []);
      await ada.go("/");
      await ada.page.locator(".more-filters > summary").click();
      await ada.page.locator(".more-filters select[name=label]").selectOption({ label: name });
      await ada.page.locator(".more-filters button.main").click();
      await ada.page.waitForURL(/label=/);
      assert.equal(await ada.page.locator("a.entry").count(), 1);
      await ada.entry(reference).locator(".label.red").waitFor();
      assert.deepEqual(await axe(ada.page), []);
    });
  });
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "in the browser's time zone" : "in UTC without the script";
  test(`a case is snoozed until tomorrow at nine ${how}`, async () => {
    const { reference } = await newCase("Any news?");
    const options = { javaScriptEnabled, timezoneId: "Asia/Tokyo" };
    await together(`snooze-${javaScriptEnabled}`, [await come("agent", options)], async (ada) => {
      await ada.open(reference);
      await ada.page.locator("#f-snooze summary").click();
      await ada.page.locator("#snooze-until").selectOption("tomorrow");
      await ada.page.locator("#f-snooze").getByRole("button", { name: "Snooze" }).click();
      await ada.page.getByText("The case is snoozed.").waitFor();
      const { snoozed_until: snoozed } = await docket.api(`/cases/${reference}`);
      // Nine in Tokyo is midnight in UTC.
      assert.match(snoozed, javaScriptEnabled ? /T00:00:00Z$/ : /T09:00:00Z$/);
      await ada.go("/");
      assert.equal(await ada.entry(reference).count(), 0);
      await ada.go("/?view=snoozed");
      await ada.entry(reference).waitFor();
      await ada.open(reference);
      await ada.page.getByRole("button", { name: "End the snooze" }).click();
      await ada.page.getByText("The snooze was ended.").waitFor();
      await ada.go("/");
      await ada.entry(reference).waitFor();
    });
  });
}

test("a message brings a snoozed case back to the list that somebody watches", async () => {
  const { number, reference } = await newCase("The lift stands still");
  await together("woken", [await come()], async (ada) => {
    await ada.open(reference);
    await ada.page.locator("#f-snooze summary").click();
    await ada.page.locator("#f-snooze").getByRole("button", { name: "Snooze" }).click();
    await ada.page.getByText("The case is snoozed.").waitFor();
    await ada.go("/");
    assert.equal(await ada.entry(reference).count(), 0);
    await docket.text(number, "Never mind, it moves again");
    await ada.entry(reference).waitFor();
  });
});
