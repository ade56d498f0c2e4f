// What comes by itself: two agents at once, and a connection that breaks.
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { launch, sitDown } from "./browser.js";
import { Installation, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("live");
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});

test("what a customer and a colleague say appears to both without a reload", async () => {
  const number = "447700900300";
  await docket.text(number, "Two of you at once");
  const [reference] = await docket.casesOf(number);
  const ada = await (await sitDown(browser, docket.url)).signIn("agent");
  const otto = await (await sitDown(browser, docket.url)).signIn("owner");
  await ada.open(reference);
  await otto.open(reference);
  for (const person of [ada, otto]) {
    await person.page.evaluate(() => { globalThis.sameDocument = true; });
  }

  await docket.text(number, "Is anybody there?");
  for (const person of [ada, otto]) await person.message("Is anybody there?").waitFor();
  await ada.reply("Yes, we are.");
  await otto.message("Yes, we are.").waitFor();
  await otto.message("Yes, we are.").getByText(/Delivered|Read/).waitFor();
  await docket.text("447700900301", "Somebody else");
  const [other] = await docket.casesOf("447700900301");
  await otto.entry(other).waitFor();

  assert.equal(await otto.page.evaluate(() => globalThis.sameDocument), true);
  await ada.leave();
  await otto.leave();
});

test("two agents answer at once: the slower one is shown the faster one's words, and sends theirs knowingly", async () => {
  const number = "447700900302";
  await docket.text(number, "Who is quicker?");
  const [reference] = await docket.casesOf(number);
  const ada = await (await sitDown(browser, docket.url)).signIn("agent");
  const otto = await (await sitDown(browser, docket.url)).signIn("owner");
  await ada.open(reference);
  await otto.open(reference);
  await otto.page.getByRole("radio", { name: "Reply" }).check();
  await otto.page.locator("#text").fill("I am");
  await docket.text(number, "Nobody?");
  await ada.message("Nobody?").waitFor();
  await ada.reply("I was");
  await otto.message("I was").waitFor();
  const send = otto.page.getByRole("button", { name: "Send anyway" });
  await send.waitFor();
  assert.equal(await otto.page.locator("#text").inputValue(), "I am");
  assert.deepEqual(await docket.received(number), [`I was #${reference}`]);
  await send.click();
  await otto.message("I am").waitFor();
  await ada.leave();
  await otto.leave();
});

test("a broken connection is told, and resumes without a gap", async () => {
  const number = "447700900303";
  await docket.text(number, "Before the cut");
  const [reference] = await docket.casesOf(number);
  const link = await Link.to(docket.url);
  const person = await (await sitDown(browser, link.url)).signIn();
  await person.open(reference);
  await person.message("Before the cut").waitFor();
  await until("the stream", () => link.streams > 0);

  link.cut();
  await person.page.getByText("The connection is broken.").waitFor();
  for (const text of ["While it was cut", "And once more"]) await docket.text(number, text);
  link.mend();

  for (const text of ["While it was cut", "And once more"]) await person.message(text).waitFor({ timeout: 30_000 });
  await until("the notice goes", async () => (await person.page.getByText("The connection is broken.").count()) === 0);
  const texts = await person.log.locator("li.message .text").allTextContents();
  assert.deepEqual(texts, ["Before the cut", "While it was cut", "And once more"]);
  await person.leave();
  await link.close();
});

/// A line between the browser and Docket that can be cut.
class Link {
  static async to(url) {
    const { hostname, port } = new URL(url);
    const link = new Link();
    link.pairs = new Set();
    link.streams = 0;
    link.server = createServer((near) => {
      if (link.isCut) { near.destroy(); return; }
      const far = connect(Number(port), hostname);
      const pair = [near, far];
      link.pairs.add(pair);
      near.on("data", (chunk) => { if (chunk.includes("GET /live")) link.streams += 1; });
      near.pipe(far).pipe(near);
      for (const end of pair) {
        end.on("error", () => {});
        end.on("close", () => { near.destroy(); far.destroy(); link.pairs.delete(pair); });
      }
    });
    await new Promise((resolve) => link.server.listen(0, "127.0.0.1", resolve));
    link.url = `http://127.0.0.1:${link.server.address().port}`;
    return link;
  }

  cut() {
    this.isCut = true;
    for (const pair of this.pairs) for (const end of pair) end.destroy();
  }

  mend() { this.isCut = false; }

  async close() {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
