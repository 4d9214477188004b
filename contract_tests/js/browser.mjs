// Drives the pages of the emulator with Chromium: in desktop and phone size, in light
// and dark mode, and without JavaScript.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import axe from "axe-core";
import { chromium } from "playwright-core";

import { base, control, json, ready } from "./emulator.mjs";

const executable = process.env.CHROMIUM;
const screenshots = fileURLToPath(new URL("../../screenshots/", import.meta.url));
const transfer = "urn:globus:auth:scope:transfer.api.globus.org:all";
const dataAccess = "https://auth.globus.org/scopes/c0000000-0000-4000-8000-000000000001/data_access";

const sizes = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const schemes = ["light", "dark"];

let browser, profile, app, elsewhere;

before(async () => {
  profile = await mkdtemp(join(tmpdir(), "browser-"));
  browser = await chromium.launch({
    executablePath: executable,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
      `--log-net-log=${join(profile, "net.json")}`,
    ],
  });
  app = await listen((request, response) => response.end("<!DOCTYPE html><html lang=en><title>App</title><link rel=icon href='data:,'><h1>The program has the response</h1>"));
  // A portal whose callback redirects to another origin.
  elsewhere = await listen((request, response) => {
    response.writeHead(302, { Location: `http://localhost:${app.address().port}/portal?${request.url.split("?")[1]}` });
    response.end();
  });
});

after(async () => {
  await browser?.close();
  for (const server of [app, elsewhere]) server?.closeAllConnections(), server?.close();
  if (profile) await rm(profile, { recursive: true, force: true });
});

async function listen(handler) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  return server;
}

const callback = (server = app) => `http://localhost:${server.address().port}/callback`;

// A user with a separate browser, and the events that must not happen in it.
class Person {
  static async at(size, options = {}) {
    const person = new Person();
    person.size = size;
    person.context = await browser.newContext({ viewport: sizes[size], isMobile: size === "phone", ...options });
    person.page = await person.context.newPage();
    person.page.setDefaultTimeout(15_000);
    person.problems = [];
    person.shots = 0;
    person.page.on("pageerror", (error) => person.problems.push(`error: ${error}`));
    person.page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      if (person.status && message.text().includes(`status of ${person.status}`)) return; // the page itself is an error
      person.problems.push(`console: ${message.text()}`);
    });
    person.page.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol !== "data:" && !["127.0.0.1", "localhost"].includes(hostname)) person.problems.push(`request to ${request.url()}`);
    });
    return person;
  }

  async leave() {
    await this.context.close();
    assert.deepEqual(this.problems, []);
  }

  async authorize(scope, more = {}) {
    this.verifier = randomBytes(32).toString("base64url");
    this.query = {
      client_id: ready.native_client_id, redirect_uri: callback(), scope, state: randomBytes(8).toString("hex"),
      response_type: "code", code_challenge: createHash("sha256").update(this.verifier).digest("base64url"),
      code_challenge_method: "S256", ...more,
    };
    await this.page.goto(`${base}v2/oauth2/authorize?${new URLSearchParams(this.query)}`);
  }

  async open(path, status) {
    this.status = status;
    await this.page.goto(new URL(path, base).href);
    this.status = undefined;
  }

  button(name) {
    return this.page.getByRole("button", { name });
  }

  link(name) {
    return this.page.getByRole("link", { name, exact: true });
  }

  async heading(text) {
    assert.equal(await this.page.getByRole("heading", { level: 1 }).innerText(), text);
  }

  // sees looks at the page in light and in dark: a screenshot, accessibility, and
  // that it is not wider than the window. The rules of axe look at every element,
  // so a long page is looked at in one way only.
  async sees(heading, name, long = false) {
    await this.heading(heading);
    const number = String(++this.shots).padStart(2, "0");
    await this.page.evaluate(axe.source);
    for (const scheme of schemes) {
      await this.page.emulateMedia({ colorScheme: scheme });
      await mkdir(join(screenshots, `${this.size}-${scheme}`), { recursive: true });
      await this.page.screenshot({ path: join(screenshots, `${this.size}-${scheme}`, `${this.story}-${number}-${name}.png`), fullPage: !long });
      const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(wide, 0, `${name}: the page is ${wide} pixels wider than the window`);
      if (long && (scheme !== "dark" || this.size !== "desk")) continue;
      const { violations } = await this.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      const serious = violations.filter((found) => ["serious", "critical"].includes(found.impact));
      const described = serious.map((found) => [found.id, found.help, found.nodes.map((node) => node.html)]);
      assert.deepEqual(described, [], `${name}, ${scheme}: accessibility`);
    }
  }

  // callback returns what came back to the program.
  async callback(path = "/callback") {
    await this.page.waitForURL((url) => url.pathname === path);
    const response = new URL(this.page.url()).searchParams;
    assert.equal(response.get("state"), this.query.state);
    return response;
  }

  async exchange(code) {
    return json(fetch(`${base}v2/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "authorization_code", client_id: this.query.client_id, code, code_verifier: this.verifier,
        redirect_uri: this.query.redirect_uri,
      }),
    }));
  }

  async userinfo(token) {
    return json(fetch(`${base}v2/oauth2/userinfo`, { headers: { Authorization: `Bearer ${token}` } }));
  }
}

for (const size of Object.keys(sizes)) {
  test(`a new user signs in, consents and links an identity: ${size}`, async () => {
    const person = await Person.at(size);
    person.story = "new-user";
    const name = `dana-${size}`;
    await person.authorize(`openid profile urn:globus:auth:scope:auth.globus.org:view_identity_set ${ready.dependent_grant.scope} ${transfer}[*${dataAccess}]`, {
      access_type: "offline", prefill_named_grant: "my-tool on laptop",
    });
    await person.sees("Sign in", "sign-in");
    await person.link("Create a user").click();
    await person.sees("Create a user", "create");
    await person.page.getByLabel("Username").fill("alice@example.edu");
    person.status = 422;
    await person.button("Create and sign in").click();
    await person.sees("Create a user", "create-refused");
    person.status = undefined;
    assert.match(await person.page.getByRole("alert").innerText(), /taken/);
    await person.page.getByLabel("Username").fill(`${name}@example.edu`);
    await person.page.getByLabel("Name", { exact: false }).last().fill("Dana Doe");
    await person.page.getByLabel("Email address").fill("dana@example.org");
    await person.button("Create and sign in").click();
    await person.sees("Allow Example command-line tool?", "consent");
    await person.link("Link an identity").click();
    await person.sees("Link an identity", "link");
    await person.link("Create an identity to link").click();
    await person.sees("Create an identity to link", "create-link");
    await person.page.getByLabel("Username").fill(`${name}@globusid.org`);
    await person.button("Create and link").click();
    await person.sees("Allow Example command-line tool?", "consent-linked");
    await person.page.getByRole("checkbox").uncheck();
    assert.equal(await person.page.getByLabel("Label for this access").inputValue(), "my-tool on laptop");
    await person.button("Allow").click();
    const tokens = await person.exchange((await person.callback()).get("code"));
    const info = await person.userinfo(tokens.access_token);
    assert.equal(info.preferred_username, `${name}@example.edu`);
    assert.deepEqual(info.identity_set.map((identity) => identity.username), [`${name}@example.edu`, `${name}@globusid.org`]);
    const { consents } = await json(fetch(`${base}v2/api/identities/${info.sub}/consents`, { headers: { Authorization: `Bearer ${tokens.access_token}` } }));
    assert.ok(consents.some((consent) => consent.scope_name === transfer));
    assert.ok(!consents.some((consent) => consent.scope_name === dataAccess), "what was not ticked was consented to");
    await person.leave();
  });

  test(`denial: ${size}`, async () => {
    const person = await Person.at(size);
    await person.authorize("openid");
    await person.button("bob@example.edu").click();
    await person.button("Deny").click();
    const response = await person.callback();
    assert.equal(response.get("error"), "access_denied");
    assert.equal(response.get("code"), null);
    await person.leave();
  });

  test(`second factor and session requirements: ${size}`, async () => {
    const person = await Person.at(size);
    person.story = "requirements";
    await person.authorize("openid", {
      session_message: "This needs a recent sign-in with your Globus ID.", session_required_identities: "alice@globusid.org",
      session_required_policies: ready.policy_id, session_required_mfa: "True",
    });
    await person.sees("Sign in", "requirements");
    await person.button(/alice@example.edu Example University/).click();
    await person.sees("Confirm your identity", "second-factor");
    await person.button("Confirm the second factor").click();
    await person.sees("Sign in again", "steps");
    await person.button(/alice@globusid.org/).click();
    await person.button("Confirm the second factor").click();
    await person.sees("Allow Example command-line tool?", "consent-message");
    await person.button("Allow").click();
    await person.exchange((await person.callback()).get("code"));
    await person.authorize("openid", { session_required_single_domain: "nowhere.example" });
    await person.sees("Another identity is needed", "unmet");
    await person.authorize("openid", { prompt: "login" });
    await person.heading("Sign in");
    await person.button(/bob@example.edu/).click();
    await person.heading("Allow Example command-line tool?");
    await person.leave();
  });

  test(`the code to copy, and signing out: ${size}`, async () => {
    const person = await Person.at(size);
    person.story = "code";
    await person.authorize("openid", { redirect_uri: `${base}v2/web/auth-code`, prefill_named_grant: "my-tool on laptop" });
    await person.button(/carol@globusid.org/).click();
    await person.button("Allow").click();
    await person.sees("Your authorization code", "code");
    const code = person.page.locator("#authorization-code");
    await code.click();
    const selected = await person.page.evaluate(() => String(getSelection()));
    assert.equal(selected.trim(), await code.innerText(), "a click selects the whole code");
    await person.exchange(selected.trim());
    await person.open(`/v2/web/logout?${new URLSearchParams({ client: ready.confidential_client_id, redirect_uri: new URL("/", ready.confidential_redirect_uri).href, redirect_name: "Example portal" })}`);
    await person.sees("You are signed out", "logout");
    assert.equal(await person.link("Return to Example portal").count(), 1);
    await person.authorize("openid");
    await person.heading("Sign in");
    await person.open("/v2/oauth2/authorize?client_id=unknown", 400);
    await person.sees("Something went wrong", "error");
    await person.leave();
  });

  test(`the buttons of the dashboard: ${size}`, async () => {
    const person = await Person.at(size);
    person.story = "dashboard";
    await person.authorize("openid " + transfer, { access_type: "offline" });
    await person.button(/bob@example.edu/).click();
    await person.button("Allow").click();
    const { access_token: token } = await person.exchange((await person.callback()).get("code"));
    await person.open("/");
    await person.sees("Dashboard", "dashboard");
    assert.ok(!(await person.page.content()).includes(token), "a token is shown whole");
    const said = async (text) => assert.equal(await person.page.getByRole("status").innerText(), text);
    await person.button(`Expire ${token.slice(0, 20)}…`).click();
    await said("The token has expired.");
    assert.equal((await fetch(`${base}v2/oauth2/userinfo`, { headers: { Authorization: `Bearer ${token}` } })).status, 401);
    const consents = await person.button(/^Revoke consent/).count();
    await person.button(/^Revoke consent/).first().click();
    await said("The consent is revoked, and the tokens that depend on it are invalid.");
    assert.ok((await person.button(/^Revoke consent/).count()) < consents);
    const keys = await (await fetch(`${base}jwk.json`)).text();
    await person.button("Rotate keys").click();
    await said("A new key signs from now on.");
    assert.notEqual(await (await fetch(`${base}jwk.json`)).text(), keys);
    const { now } = await control("GET", "clock");
    await person.page.getByLabel("Move it by").fill("90m");
    await person.button("Advance").click();
    await said("The clock was moved.");
    assert.ok(new Date((await control("GET", "clock")).now) - new Date(now) >= 90 * 60 * 1000);
    await person.page.getByText("Inject a fault", { exact: true }).click(); // unfolds the form
    await person.page.getByLabel("Operation").fill("getJWKS");
    await person.page.getByLabel("At most (times)").fill("1");
    await person.button("Inject the fault").click();
    await said("The fault is set.");
    assert.equal((await fetch(`${base}jwk.json`)).status, 503);
    await person.sees("Dashboard", "dashboard-fault");
    await person.button("Clear all faults").click();
    await said("The faults are cleared.");
    assert.deepEqual((await control("GET", "faults")).faults, []);
    await person.open("/_authtest/reference");
    assert.match(await person.page.getByRole("heading", { level: 1 }).innerText(), /^Globus Auth API/);
    await person.leave();
  });
}

test("a login without JavaScript", async () => {
  const person = await Person.at("desk", { javaScriptEnabled: false });
  await person.authorize("openid");
  await person.button(/alice@example.edu Example University/).click();
  await person.button("Allow").click();
  assert.ok((await person.callback()).get("code"));
  await person.leave();
});

test("a client whose callback redirects to another origin", async () => {
  await control("POST", "world", {
    clients: [{ id: "a0000000-0000-4000-8000-0000000000b1", name: "Portal", client_type: "public_webapp_client", redirect_uris: [callback(elsewhere)] }],
  });
  const person = await Person.at("desk");
  await person.authorize("openid", { client_id: "a0000000-0000-4000-8000-0000000000b1", redirect_uri: callback(elsewhere) });
  await person.button(/alice@example.edu Example University/).click();
  await person.button("Allow").click();
  assert.ok((await person.callback("/portal")).get("code"));
  await person.leave();
});

test("the keyboard is enough", async () => {
  const person = await Person.at("desk");
  await person.authorize("openid");
  await person.page.keyboard.press("Tab");
  assert.equal(await person.page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await person.page.getByLabel("Or enter a username").focus();
  await person.page.keyboard.type("bob@example.edu");
  await person.page.keyboard.press("Enter");
  await person.page.getByRole("heading", { name: "Allow" }).waitFor();
  await person.button("Allow").focus();
  const outline = await person.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none", "the focus cannot be seen");
  await person.page.keyboard.press("Enter");
  assert.ok((await person.callback()).get("code"));
  await person.leave();
});

// The last test: it closes the browser to read what it has asked the network for.
// PICTURES writes it to docs/images. Fonts differ between machines, so its bytes are not compared.
test("the picture in the README", async () => {
  const alice = await Person.at("desk", { viewport: { width: 560, height: 400 } });
  await alice.authorize(`openid profile email ${transfer}`, {
    client_id: ready.confidential_client_id, redirect_uri: ready.confidential_redirect_uri, access_type: "offline",
  });
  await alice.button("Alice Adams alice@example.edu").click();
  await alice.heading("Allow Example portal?");
  await mkdir(screenshots, { recursive: true });
  const path = process.env.PICTURES ? fileURLToPath(new URL("../../docs/images/consent.png", import.meta.url)) : join(screenshots, "consent.png");
  await alice.page.screenshot({ path, fullPage: true });
  await alice.leave();
});

test("no request has left the machine", async () => {
  await browser.close();
  const log = await readFile(join(profile, "net.json"), "utf8");
  const { constants, events } = JSON.parse(log);
  const connects = events.filter((event) => event.type === constants.logEventTypes.TCP_CONNECT_ATTEMPT && event.params?.address);
  const addresses = connects.map((event) => event.params.address.replace(/:\d+$/, ""));
  assert.ok(addresses.includes("127.0.0.1"), "the log of the network is empty");
  assert.deepEqual([...new Set(addresses)].filter((address) => !["127.0.0.1", "[::1]"].includes(address)), []);
});
