// What people do in the console, one function each; `node pages.cjs NAME` does one in a browser of its own.
//
// CONSOLE is its address, SETUP_CODE lets the first user in, pictures go to SCREENSHOTS. Ends with 1 where anything is not as it is
// to be; what, is on standard error.
"use strict";
const { chromium } = require("playwright-core");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const CONSOLE = process.env.CONSOLE;
const NAME = "ana";
const PASSWORD = "correct horse";
const CALLED = "+12025550142";
const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 800 };
// Longer than a box that does much else takes for anything; nothing here waits for it to be over.
const PATIENCE = 30_000;

let browser;

// A browser's profile: no cookies of others. Whatever asks somebody else than the console, or is broken, is told at the end.
async function person(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: DESK, locale: "en-GB", ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.faults = [];
  page.octets = 0;
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== CONSOLE) page.faults.push(`asks ${request.url()}`);
  });
  page.on("requestfinished", async (request) => {
    const sizes = await request.sizes().catch(() => null);
    if (sizes) page.octets += sizes.responseBodySize;
  });
  page.on("pageerror", (error) => page.faults.push(`script: ${error}`));
  page.on("console", (message) => {
    const said = message.text();
    // A page that is refused is one that the test asked for.
    if (message.type() === "error" && !said.includes("the server responded with a status of 4")) page.faults.push(`console: ${said}`);
  });
  return page;
}

async function picture(page, name) {
  const folder = process.env.SCREENSHOTS;
  fs.mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

async function go(page, way) {
  const answer = await page.goto(CONSOLE + way);
  return answer.status();
}

async function setUp(page) {
  await go(page, "/");
  assert.equal(new URL(page.url()).pathname, "/set-up");
  await page.getByLabel("Set-up code").fill(process.env.SETUP_CODE);
  await page.getByLabel("Name").fill(NAME);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

async function signIn(page, name, password) {
  await go(page, "/sign-in");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

async function addUser(page, name, role, tenant) {
  await go(page, "/users");
  const form = page.locator('form[action="/users/add"]');
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Role").selectOption(role);
  await form.getByLabel("Tenant", { exact: true }).fill(tenant);
  await form.getByLabel("Password").fill(PASSWORD);
  await form.getByRole("button", { name: "Add" }).click();
  await page.getByRole("cell", { name, exact: true }).first().waitFor();
}

// The number of the call that is there, as soon as it is answered.
async function liveCall(page) {
  await go(page, "/calls");
  const row = page.locator("tbody tr").filter({ hasText: CALLED }).filter({ hasText: "talking" });
  await row.waitFor();
  return (await row.locator("td").first().innerText()).trim();
}

async function api(page, method, way, body) {
  const form = await page.evaluate(async () => (await (await fetch("/api/v1/session")).json()).form);
  return page.evaluate(
    async ([method, way, body, form]) => {
      const headers = { "x-postern-form": form };
      if (body !== undefined) headers["content-type"] = "application/json";
      const before = await fetch(way);
      if (method !== "GET" && before.headers.get("etag")) headers["if-match"] = before.headers.get("etag");
      const answer = await fetch(way, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
      return { status: answer.status, text: await answer.text() };
    },
    [method, way, body, form],
  );
}

const steps = {
  async first_start() {
    const page = await person();
    await go(page, "/");
    await picture(page, "set-up");
    await setUp(page);
    await picture(page, "overview");
    const call = await liveCall(page);
    await picture(page, "live");

    // Somebody else watches the ladder while the call runs, and sees how it ends without a hand on the keyboard.
    const colleague = await person({ colorScheme: "dark" });
    await signIn(colleague, NAME, PASSWORD);
    await go(colleague, `/history/${call}`);
    await colleague.getByText("INVITE", { exact: false }).first().waitFor();
    assert.equal(await colleague.locator(".arrow").filter({ hasText: /^BYE/ }).count(), 0);
    await picture(colleague, "ladder-live-dark");

    await page.getByRole("button", { name: `Hang up ${call}` }).click();
    await page.getByText("No calls at the moment.").waitFor();
    await picture(page, "live-empty");
    await colleague.locator(".arrow").filter({ hasText: /^BYE/ }).first().waitFor();
    await picture(colleague, "ladder-dark");

    await go(page, "/history");
    await page.getByRole("searchbox").fill(CALLED);
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("link", { name: call, exact: true }).click();
    const message = page.locator("details").first();
    await message.locator("summary").click();
    await message.getByText("INVITE sip:").waitFor();
    await picture(page, "ladder");
    for (const [way, begins] of [["pcapng", "\n\r\r\n"], ["text", ""]]) {
      const answer = await page.request.get(`${CONSOLE}/api/v1/history/${call}/${way}`);
      assert.equal(answer.status(), 200);
      assert.ok((await answer.body()).toString("latin1").startsWith(begins));
    }

    // A new visitor loads all of a page, style and script, in less than 150 kB.
    const visitor = await person({ viewport: PHONE, locale: "pt-BR" });
    await go(visitor, "/sign-in");
    await picture(visitor, "sign-in-phone-pt");
    assert.ok(visitor.octets > 0 && visitor.octets < 150_000, `${visitor.octets} octets`);
    return [page, colleague, visitor];
  },

  async unconfirmed_commit() {
    const page = await person();
    await setUp(page);
    await go(page, "/configuration");
    const before = await page.getByLabel("Document").inputValue();
    await page.getByLabel("Document").fill(`${before}\n# tried on a Monday\n`);
    await page.getByRole("button", { name: "Check and compare" }).click();
    await page.locator(".added").filter({ hasText: "tried on a Monday" }).waitFor();
    await picture(page, "configuration-compared");
    // The page offers minutes; nobody wants to wait for them here.
    const commit = await api(page, "PUT", "/api/v1/configuration", {
      text: `${before}\n# tried on a Monday\n`, comment: "tried", confirm_within: 5,
    });
    assert.ok(commit.status < 300, commit.text);
    await go(page, "/");
    await page.getByText("This version waits to be confirmed.").waitFor();
    await picture(page, "configuration-waits");
    await page.getByText("This version waits to be confirmed.").waitFor({ state: "detached" });
    await go(page, "/configuration");
    assert.equal(await page.getByLabel("Document").inputValue(), before);

    // What is wrong is told with its place, and stays in the editor.
    await page.getByLabel("Document").fill(before.replace("[media]", "[meedia]"));
    await page.getByRole("button", { name: "Check and compare" }).click();
    await page.getByRole("heading", { name: "Faults" }).waitFor();
    assert.match(await page.getByLabel("Document").inputValue(), /\[meedia\]/);
    await picture(page, "configuration-faults");
    return [page];
  },

  async doctor() {
    const page = await person();
    await setUp(page);
    const examine = async (button) => {
      await go(page, "/doctor");
      await page.getByRole("button", { name: button }).click();
      await page.getByRole("button", { name: "Examine again" }).waitFor();
    };
    const red = page.locator("tr").filter({ has: page.locator("b.bad") });
    await examine("Examine the box");
    await picture(page, "doctor");
    assert.deepEqual(await red.allInnerTexts(), [], "the lab's box is in order");
    assert.ok((await page.getByText("shakes hands by TLS").count()) >= 6, "each tenant's three proxies");
    assert.ok((await page.getByText("answers OPTIONS with 200").count()) >= 6);

    // Contoso shows the certificate of another tenant: Teams would hang up in the handshake.
    const before = JSON.parse((await api(page, "GET", "/api/v1/configuration")).text).text;
    const text = before.replace('fqdn = "sbc1.contoso.example"\nidentity = "contoso"', 'fqdn = "sbc1.contoso.example"\nidentity = "fabrikam"');
    assert.notEqual(text, before);
    const commit = await api(page, "PUT", "/api/v1/configuration", { text, comment: "a mistake" });
    assert.ok(commit.status < 300, commit.text);
    await examine("Examine the box");
    await picture(page, "doctor-wrong-name");
    await page.getByText("is for sbc.fabrikam.example, and Teams expects sbc1.contoso.example").waitFor();
    return [page];
  },

  async certificates() {
    const page = await person();
    await setUp(page);
    const call = await liveCall(page);
    const row = (name) => page.getByRole("row").filter({ has: page.getByRole("cell", { name, exact: true }) });
    const fileOf = (name) => path.join(process.env.PLACE, name);
    const form = (button) => page.locator("form.fields").filter({ has: page.getByRole("button", { name: button, exact: true }) });

    // A key is made here and stays here; an authority is shown the request.
    await go(page, "/certificates");
    const asking = form("Make a request");
    await asking.getByLabel("Name", { exact: true }).fill("northwind");
    await asking.getByLabel("DNS names, one a line").fill("sbc.northwind.example\nsbc2.northwind.example");
    await asking.getByRole("button").click();
    const request = page.getByLabel("Give this to your authority");
    await request.waitFor();
    assert.match(await request.inputValue(), /^-----BEGIN CERTIFICATE REQUEST-----/);
    assert.ok(!(await page.content()).includes("PRIVATE KEY"));
    await picture(page, "certificate-request");

    // What is signed with another key is refused, and the request still waits.
    const answer = form("Install northwind");
    await answer.getByLabel("Or from a file").setInputFiles(fileOf("chain.pem"));
    await answer.getByRole("button", { name: "Install northwind" }).click();
    await page.getByText("the key does not fit the certificate").waitFor();
    await go(page, "/certificates");
    await page.getByRole("button", { name: "Take back northwind" }).click();
    await request.waitFor({ state: "detached" });

    // With its key as PEM, then another name from an archive.
    const bringing = page.locator("form.fields").filter({ has: page.getByLabel(/^Key \(PEM\)/) });
    await bringing.getByLabel("Name", { exact: true }).fill("northwind");
    const files = bringing.getByLabel("Or from a file");
    await files.nth(0).setInputFiles(fileOf("chain.pem"));
    await files.nth(1).setInputFiles(fileOf("key.pem"));
    await bringing.getByRole("button", { name: "Install", exact: true }).click();
    await row("northwind").getByText("sbc.northwind.example").waitFor();
    const unpacking = page.locator("form.fields").filter({ has: page.getByLabel("PKCS#12 file") });
    await unpacking.getByLabel("Name", { exact: true }).fill("unpacked");
    await unpacking.getByLabel("PKCS#12 file").setInputFiles(fileOf("pair.p12"));
    await unpacking.getByLabel("Password").fill("letmein");
    await unpacking.getByRole("button", { name: "Install", exact: true }).click();
    await row("unpacked").getByText("sbc.northwind.example").waitFor();
    await picture(page, "certificates");
    assert.equal(await liveCall(page), call, "the call goes on");
    return [page];
  },

  async tenants() {
    const admin = await person();
    await setUp(admin);
    await addUser(admin, "tom", "tenant_admin", "contoso");
    await addUser(admin, "tia", "tenant_admin", "fabrikam");
    await picture(admin, "users");
    const call = await liveCall(admin);

    const tom = await person();
    await signIn(tom, "tom", PASSWORD);
    assert.equal(await liveCall(tom), call);
    await picture(tom, "overview-tenant");

    const tia = await person();
    await signIn(tia, "tia", PASSWORD);
    const secrets = [CALLED, "contoso"];
    const look = (what, text) => secrets.forEach((secret) => assert.ok(!text.includes(secret), `${what} tells of ${secret}`));
    for (const way of ["/", "/parts/home", "/calls", "/parts/calls", "/history", "/history?text=2025550142", `/history/${call}`,
      `/parts/history/${call}`, "/configuration", "/certificates", "/versions", "/versions/1", "/explain", "/doctor", "/users", "/audit"]) {
      await go(tia, way);
      look(way, await tia.content());
    }
    const document = JSON.parse((await api(tia, "GET", "/api/v1/openapi.json")).text);
    let asked = 0;
    for (const [way, methods] of Object.entries(document.paths)) {
      const filled = way.replaceAll("{call}", call).replaceAll("{version}", "1").replaceAll(/\{[a-z_]+\}/g, "tom");
      for (const method of Object.keys(methods).filter((method) => method !== "get")) {
        if (way === "/api/v1/session" || way === "/api/v1/setup") continue;
        const body = methods[method].requestBody ? {} : undefined;
        const answer = await api(tia, method.toUpperCase(), filled, body);
        assert.ok(answer.status >= 400, `${method} ${filled} does something: ${answer.status}`);
        look(`${method} ${filled}`, answer.text);
      }
      if (!methods.get || way.endsWith("/events")) continue;
      look(filled, (await api(tia, "GET", filled)).text);
      asked += 1;
    }
    assert.ok(asked > 10, `${asked} ways`);
    // The call goes on for those whose it is.
    assert.equal(await liveCall(tom), call);
    return [admin, tom, tia];
  },

  async accessibility() {
    const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
    const found = [];
    const judge = async (page, name) => {
      await page.evaluate(axe);
      const results = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      for (const violation of results.violations) {
        const places = violation.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`).slice(0, 3);
        found.push(`${name}: ${violation.id}: ${violation.help}\n    ${places.join("\n    ")}`);
      }
    };
    const first = await person();
    await go(first, "/set-up");
    await judge(first, "/set-up");
    await setUp(first);
    await addUser(first, "vera", "viewer", "");
    const call = await liveCall(first);
    const pages = [first];
    for (const [name, options] of [
      ["desk, light", {}], ["desk, dark", { colorScheme: "dark" }], ["phone, light, pt", { viewport: PHONE, locale: "pt-BR" }],
      ["phone, dark", { viewport: PHONE, colorScheme: "dark" }],
    ]) {
      const page = await person({ ...options, storageState: await first.context().storageState() });
      for (const way of ["/", "/calls", "/history", `/history/${call}`, "/history?text=nobody", "/configuration", "/certificates", "/versions", "/versions/1",
        "/explain", "/explain?from=probe&to=%2B12025550142&caller=", "/doctor", "/users", "/audit", "/nowhere"]) {
        await go(page, way);
        await judge(page, `${way} (${name})`);
        // Nothing is wider than the glass.
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (excess > 0) found.push(`${way} (${name}): ${excess} pixels too wide`);
        const file = way.replace(/\?.*/, "").replaceAll("/", "-").replace(call, "call").slice(1) || "overview";
        await picture(page, `${name.replaceAll(", ", "-")}-${file}`);
      }
      pages.push(page);
    }
    const stranger = await person({ colorScheme: "dark" });
    await go(stranger, "/sign-in");
    await judge(stranger, "/sign-in");
    assert.deepEqual(found, [], found.join("\n"));
    return [...pages, stranger];
  },
};

async function main() {
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  try {
    const pages = await steps[process.argv[2]]();
    const faults = pages.flatMap((page) => page.faults);
    assert.deepEqual(faults, []);
  } catch (error) {
    const pages = browser.contexts().flatMap((context) => context.pages());
    for (const [index, page] of pages.entries()) await picture(page, `failed-${process.argv[2]}-${index}`).catch(() => {});
    throw error;
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
