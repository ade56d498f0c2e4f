// What people do all day, step by step as the user's guide has it; once with the script and once without.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, sitDown } from "./browser.js";
import { Installation, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("procedures");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

// Each test has numbers of its own, so that none depends on another.
let next = 600;
const newNumber = () => `447700900${next++}`;

for (const javaScriptEnabled of [true, false]) {
  const way = javaScriptEnabled ? "with the script" : "without a script";
  const agent = async () => (await sitDown(browser, docket.url, { javaScriptEnabled })).signIn();
  const when = (name, work) => test(`${name}, ${way}`, async () => {
    const person = await agent();
    try {
      await work(person, newNumber());
      await person.leave();
    } catch (error) {
      await person.page.screenshot({ path: `artefacts/failed-${name.replaceAll(/\W+/g, "-")}-${javaScriptEnabled}.png` });
      await person.context.close();
      throw error;
    }
  });

  when("a first message begins a case, and the reply reaches the phone with its reference", async (person, number) => {
    await docket.text(number, "Is the library open on Monday?");
    const [reference] = await until("a case", async () => { const all = await docket.casesOf(number); return all.length && all; });
    await person.go("/");
    await person.entry(reference).click();
    await person.page.getByRole("heading", { level: 1, name: /Is the library open/ }).waitFor();
    await person.message("Is the library open on Monday?").waitFor();

    await person.reply("Yes, from nine to five.");

    const received = await until("an answer", async () => { const all = await docket.received(number); return all.length && all; });
    assert.deepEqual(received, [`Yes, from nine to five. #${reference}`]);
    await docket.text(number, "Thank you!");
    await person.open(reference);
    assert.deepEqual(await docket.casesOf(number), [reference]);
    await person.message("Yes, from nine to five.").locator(".state", { hasText: /Delivered|Sent|Read/ }).waitFor();
  });

  when("a closed case gets no more messages, and closing can be undone", async (person, number) => {
    await docket.text(number, "My bin was not emptied");
    const [reference] = await docket.casesOf(number);
    await person.open(reference);
    await person.setStatus("Resolved");
    await person.page.getByText("The case was closed.").waitFor();
    await person.page.getByRole("button", { name: "Undo" }).first().click();
    await person.page.getByText("The status was set.").waitFor();
    assert.deepEqual(await docket.casesOf(number), [reference]);

    await person.setStatus("Resolved");
    await person.page.getByText("The case was closed.").waitFor();
    await docket.text(number, "And now the lamp is out");

    const [fresh] = await docket.casesOf(number);
    assert.notEqual(fresh, reference);
    await person.open(fresh);
    await person.message("And now the lamp is out").getByText("No case was open").waitFor({ state: "attached" });
    await person.open(reference);
    assert.equal(await person.message("And now the lamp is out").count(), 0);
  });

  when("with several open cases a message goes to all, the phone is told, and a reference chooses one", async (person, number) => {
    await docket.text(number, "Appointment request");
    await docket.text(number, "#0 Question about hours");
    const [first, second] = await docket.casesOf(number);
    await docket.text(number, "Hello?");
    const [told] = await until("the automatic reply", async () => { const all = await docket.received(number); return all.length && all; });
    assert.match(told, new RegExp(`2 open cases \\(#${first}: Appointment request, #${second}: Question about hours\\)`));
    for (const reference of [first, second]) {
      await person.open(reference);
      await person.message("Hello?").getByText(`Also in #${reference === first ? second : first}`).waitFor();
    }
    await docket.text(number, `It is about the hours #${second}`);
    await person.open(second);
    await person.message(`It is about the hours #${second}`).getByText(`Reference #${second}`).waitFor({ state: "attached" });
    await person.open(first);
    assert.equal(await person.message(`It is about the hours #${second}`).count(), 0);
  });

  when("#0 begins a new case", async (person, number) => {
    await docket.text(number, "Where is my parcel?");
    await docket.text(number, "#0 Also, do you sell stamps?");
    const [, fresh] = await docket.casesOf(number);
    await person.open(fresh);
    await person.page.getByRole("heading", { level: 1, name: /Also, do you sell stamps\?/ }).waitFor();
    await person.message("#0 Also, do you sell stamps?").getByText("New case (#0)").waitFor({ state: "attached" });
  });

  when("a message is moved to a case of its own with a comment, and back", async (person, number) => {
    await docket.text(number, "I need an appointment");
    await docket.text(number, "When do you open on Saturday?");
    const [reference] = await docket.casesOf(number);
    await person.open(reference);
    await person.about("When do you open on Saturday?");
    await person.message("When do you open on Saturday?").getByRole("link", { name: "Move this message" }).click();
    await person.page.getByRole("link", { name: "Cancel" }).click();
    await person.about("When do you open on Saturday?");
    await person.message("When do you open on Saturday?").getByRole("link", { name: "Move this message" }).click();
    await person.page.getByLabel("Comment").fill("Another subject");
    await person.page.getByRole("button", { name: "Move the message" }).click();

    await person.page.getByText("The message was moved here.").waitFor();
    const fresh = person.reference();
    assert.notEqual(fresh, reference);
    await person.message("When do you open on Saturday?").getByText(`Moved from #${reference}`).waitFor();
    await person.log.locator(".marker q", { hasText: "Another subject" }).waitFor();
    assert.equal(await person.message("Another subject").count(), 0);
    await person.open(reference);
    assert.equal(await person.message("When do you open on Saturday?").count(), 0);
    await person.log.getByText(`moved a message to #${fresh}`).waitFor();

    await person.open(fresh);
    await person.page.getByRole("button", { name: "Undo the move" }).click();
    await person.page.getByText("The move was undone.").first().waitFor();
    await person.open(reference);
    await person.message("When do you open on Saturday?").waitFor();
    await person.log.getByText(`undid the move of a message to #${fresh}`).waitFor();
    assert.equal(await person.page.locator(`main a[href$="/cases/${fresh}"], aside a[href$="/cases/${fresh}"]`).count(), 0);
  });

  when("notes stay inside, cases are renamed and taken", async (person, number) => {
    await docket.text(number, "Something smells of gas");
    const [reference] = await docket.casesOf(number);
    await person.open(reference);
    await person.write("Note", "Call the engineer");
    await person.page.getByText("The note was added.").waitFor();
    await person.message("Call the engineer").waitFor();
    await person.page.locator("#f-title summary").click();
    await person.page.getByLabel("Title").fill("Gas: urgent");
    await person.page.getByRole("button", { name: "Rename" }).click();
    await person.page.getByRole("heading", { level: 1, name: /Gas: urgent/ }).waitFor();
    await person.page.getByRole("button", { name: "Assign to me" }).first().click();
    await person.log.getByText(/took the case/).waitFor();
    assert.deepEqual(await docket.received(number), []);
  });

  when("an agent begins a case with a number", async (person, number) => {
    await person.page.getByRole("link", { name: "New case" }).click();
    await person.page.getByLabel("From").selectOption({ index: 0 });
    await person.page.getByLabel("To", { exact: true }).fill(number);
    await person.page.locator("textarea[name=text]").fill("Your parcel is here.");
    await person.page.getByRole("button", { name: "Send and create the case" }).click();
    await person.message("Your parcel is here.").waitFor();
    const reference = person.reference();
    await until("the message", async () => (await docket.received(number)).length);
    assert.deepEqual(await docket.received(number), [`Your parcel is here. #${reference}`]);
  });

  when("a reply written while something came is kept, and sent when one has seen it", async (person, number) => {
    await docket.text(number, "Can you come today?");
    const [reference] = await docket.casesOf(number);
    await person.open(reference);
    // The page is as old as it would be with a connection that is away.
    await person.page.route("**/live?*", (route) => route.abort());
    await person.open(reference);
    await docket.text(number, "No, wait: tomorrow");
    await person.write("Reply", "Today at five it is");
    await person.page.getByRole("alert").getByText("New messages arrived").waitFor();
    await person.message("No, wait: tomorrow").waitFor();
    assert.deepEqual(await docket.received(number), []);
    assert.equal(await person.page.locator("#text").inputValue(), "Today at five it is");
    await person.page.locator("#text").fill("Tomorrow at five it is");
    await person.page.getByRole("button", { name: "Send anyway" }).click();
    await person.message("Tomorrow at five it is").waitFor();
    await until("the reply", async () => (await docket.received(number)).length);
    assert.deepEqual(await docket.received(number), [`Tomorrow at five it is #${reference}`]);
  });
}
