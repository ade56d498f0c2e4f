// The inbox: its rows, its place, its filters and its search.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axe, launch, sitDown, together } from "./browser.js";
import { Installation, until } from "./installation.js";

let browser, docket;
before(async () => {
  browser = await launch();
  docket = await Installation.start("inbox");
  for (let n = 0; n < 60; n += 1) await docket.text(`4477009004${String(n).padStart(2, "0")}`, `Invented question ${n}`);
});
after(async () => {
  await browser?.close();
  await docket?.stop();
});
const come = async (options) => (await sitDown(browser, docket.url, options)).signIn("agent");
const count = (person) => person.page.locator("a.entry").count();

test("nine rows are seen at once, and each is 64 px high", async () => {
  await together("rows", [await come({ viewport: { width: 1280, height: 800 } })], async (ada) => {
    await ada.go("/");
    const heights = await ada.page.locator("#entries li").evaluateAll((rows) => rows.map((row) => Math.round(row.getBoundingClientRect().height)));
    assert.ok(heights.every((height) => height >= 64 && height <= 66), heights.join());
    const seen = await ada.page.locator("#entries li").evaluateAll((rows) => {
      const pane = document.querySelector("#entries").getBoundingClientRect();
      return rows.filter((row) => row.getBoundingClientRect().bottom <= pane.bottom).length;
    });
    assert.ok(seen >= 9, `${seen} rows`);
    assert.deepEqual(await axe(ada.page), []);
    await ada.page.locator(".more-filters summary").click();
    assert.deepEqual(await axe(ada.page), []);
  });
});

test("the list goes on as one scrolls, and keeps its place when a case is opened", async () => {
  await together("place", [await come()], async (ada) => {
    await ada.go("/");
    assert.equal(await count(ada), 25);
    await until("the second page is there", async () => {
      await ada.page.locator("#entries").evaluate((list) => { list.scrollTop = list.scrollHeight; });
      return await count(ada) > 40;
    });
    const row = ada.page.locator("a.entry").nth(36);
    await row.scrollIntoViewIfNeeded();
    const reference = Number(await row.getAttribute("data-case"));
    const top = await ada.page.locator("#entries").evaluate((list) => list.scrollTop);
    await row.click();
    await ada.page.waitForURL((address) => address.pathname === `/cases/${reference}`);
    await ada.page.locator("#entries[data-restored]").waitFor();
    const now = await ada.page.locator("#entries").evaluate((list) => list.scrollTop);
    assert.ok(Math.abs(now - top) < 70, `${top} became ${now}`);
    await ada.entry(reference).waitFor();
    assert.equal(await ada.entry(reference).getAttribute("aria-current"), "page");
  });
});

test("filters, views and a search are addresses, with the script and without", async () => {
  for (const javaScriptEnabled of [true, false]) {
    await together(`filters-${javaScriptEnabled}`, [await come({ javaScriptEnabled })], async (ada) => {
      const { page } = ada;
      await ada.go("/");
      await page.locator(".more-filters summary").click();
      await page.locator("select[name=channel]").selectOption("whatsapp");
      await page.locator("select[name=sort]").selectOption("waiting");
      await page.getByRole("button", { name: "Apply" }).first().click();
      await page.waitForURL((address) => address.searchParams.get("channel") === "whatsapp" && address.searchParams.get("sort") === "waiting");
      assert.equal(await page.locator("a.entry svg.on use[href='#sms']").count(), 0);
      await page.locator("#q").fill("question 17");
      await page.locator("#q").press("Enter");
      await page.getByText("No results for").waitFor();
      await ada.go("/?view=closed&q=question%2017");
      await page.getByText("Nothing in Closed").waitFor();
      await page.getByRole("link", { name: "1 in Open" }).click();
      await page.locator("mark", { hasText: "17" }).first().waitFor();
      await ada.go("/?q=question%2017");
      await page.locator("mark", { hasText: "17" }).first().waitFor();
      const reference = await page.locator("a.entry").first().getAttribute("data-case");
      await page.locator("#q").fill(`#${reference}`);
      await page.locator("#q").press("Enter");
      await page.waitForURL((address) => address.pathname === `/cases/${reference}`);
    });
  }
});

test("a view is saved, found again and removed, with the script and without", async () => {
  for (const javaScriptEnabled of [true, false]) {
    await together(`saved-${javaScriptEnabled}`, [await come({ javaScriptEnabled })], async (ada) => {
      const { page } = ada;
      const name = `Unassigned by SMS, ${javaScriptEnabled}`;
      await ada.go("/?view=unassigned&channel=sms");
      await page.getByText("Save this view").click();
      await page.getByLabel("Name of the view").fill("x".repeat(41));
      await page.getByRole("button", { name: "Save", exact: true }).click();
      await page.getByRole("alert").waitFor();
      assert.equal(await page.getByLabel("Name of the view").inputValue(), "x".repeat(41), "what was typed stays");
      if (javaScriptEnabled) assert.deepEqual(await axe(page), []);
      await page.getByLabel("Name of the view").fill(name);
      await page.getByRole("button", { name: "Save", exact: true }).click();
      await page.getByRole("link", { name, exact: true }).waitFor();
      await ada.go("/");
      await page.getByRole("link", { name, exact: true }).click();
      await page.waitForURL((address) => address.searchParams.get("channel") === "sms" && address.searchParams.get("view") === "unassigned");
      assert.equal(await page.getByRole("link", { name, exact: true }).getAttribute("aria-current"), "true");
      await page.getByRole("button", { name: `Remove the view: ${name}` }).click();
      await page.waitForURL((address) => address.pathname === "/" && !address.search);
      assert.equal(await page.getByRole("link", { name, exact: true }).count(), 0);
    });
  }
});

test("the card of first steps leads to the phone, fits a phone, and goes when it is closed", async () => {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 375, height: 740 }]) {
    await together(`steps-${viewport.width}`, [await come({ viewport })], async (ada) => {
      const { page } = ada;
      await ada.go("/");
      const card = page.locator(".first-steps").filter({ visible: true });
      assert.equal(await card.count(), 1);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      const [box, list] = await Promise.all([card.boundingBox(), page.locator("#entries").boundingBox()]);
      const apart = box.y + box.height <= list.y || list.x + list.width <= box.x;
      assert.ok(apart, "the card lies over the list");
      assert.deepEqual(await axe(page), []);
      const phone = await card.getByRole("link", { name: "the phone" }).getAttribute("href");
      await card.getByRole("button", { name: "Close" }).click();
      await page.waitForURL((address) => address.pathname === "/");
      await until("the card is gone", async () => (await page.locator(".first-steps").count()) === 0);
      await page.goto(phone);
      assert.equal(new URL(await page.getByRole("link", { name: "Open Docket’s console" }).getAttribute("href")).origin, new URL(docket.url).origin);
    });
  }
});

test("a phone shows the list without scrolling sideways", async () => {
  await together("phone", [await come({ viewport: { width: 375, height: 740 } })], async (ada) => {
    for (const where of ["/", "/?view=waiting", "/?view=closed", "/?q=question"]) {
      await ada.go(where);
      const wide = await ada.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${where} is ${wide} px too wide`);
    }
    assert.deepEqual(await axe(ada.page), []);
  });
});
