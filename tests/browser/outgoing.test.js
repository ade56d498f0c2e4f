// WhatsApp templates, from a phone whose window is closed to the console and back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axe, launch, sitDown, together } from "./browser.js";
import { HELP_DESK, Installation, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("outgoing");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

let next = 800;

const come = async (role = "agent", options = {}) => (await sitDown(browser, docket.url, options)).signIn(role);

/// A customer at their phone, by WhatsApp.
async function phone(number, options = {}) {
  const customer = await sitDown(browser, docket.phone, options);
  await customer.go(`/?from=${number}&to=${HELP_DESK}&channel=whatsapp`);
  return customer;
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with the script" : "without the script";
  test(`a template goes to a phone whose window is closed ${how}`, async () => {
    const number = `447700900${next++}`;
    const customer = await phone(number, { javaScriptEnabled });
    await customer.page.getByRole("button", { name: "Close the window" }).click();
    await customer.page.getByRole("button", { name: "Open the window" }).waitFor();
    if (javaScriptEnabled) assert.deepEqual(await axe(customer.page), []);
    await customer.page.getByLabel("Message", { exact: true }).fill("When do you come?");
    await customer.page.getByRole("button", { name: "Send", exact: true }).click();
    const [reference] = await until("a case", async () => { const all = await docket.casesOf(number); return all.length && all; });

    await together(`template-${javaScriptEnabled}`, [await come("agent", { javaScriptEnabled })], async (ada) => {
      await ada.open(reference);
      await ada.page.getByText("WhatsApp takes no free text any more").waitFor();
      if (javaScriptEnabled) assert.deepEqual(await axe(ada.page), []);
      await ada.page.locator("#templates summary", { hasText: "appointment_reminder" }).click();
      const form = ada.page.locator("#templates form");
      await form.getByLabel("Parameter {{1}}").fill("Robin");
      await form.getByLabel("Parameter {{2}}").fill("Monday");
      if (javaScriptEnabled) assert.deepEqual(await axe(ada.page), []);
      await form.getByRole("button", { name: "Send template" }).click();
      await ada.log.getByText("Hello Robin, we see you on Monday.").waitFor();
    });
    await until("the template on the phone", async () => (await docket.received(number)).some((text) => text.startsWith("Hello Robin")));
    if (!javaScriptEnabled) await customer.page.reload();
    await customer.page.getByText("Hello Robin, we see you on Monday.").waitFor();
    await customer.page.getByText("Template appointment_reminder").waitFor();
    await customer.leave();
  });
}

test("a customer reacts to an answer, and sends a choice and an order", async () => {
  const number = `447700900${next++}`;
  await docket.text(number, "Hello", { channel: "whatsapp" });
  const [reference] = await until("a case", async () => { const all = await docket.casesOf(number); return all.length && all; });
  await together("kinds", [await come()], async (ada) => {
    await ada.open(reference);
    await ada.reply("We come today");
    const customer = await phone(number);
    await customer.page.getByText("We come today").waitFor();
    await customer.page.getByRole("link", { name: "Answer this" }).last().click();
    await customer.page.getByText("More to send").click();
    await customer.page.getByRole("button", { name: "React", exact: true }).click();
    await ada.log.getByText("👍").waitFor();
    await customer.page.getByLabel("Message", { exact: true }).fill("9 am");
    await customer.page.getByRole("button", { name: "Choice" }).click();
    await ada.log.getByText("9 am").first().waitFor();
    await customer.page.getByRole("button", { name: "Order" }).click();
    await ada.log.getByText("boiler-part-7").first().waitFor();
    assert.deepEqual(await axe(customer.page), []);
    await customer.leave();
  });
});
