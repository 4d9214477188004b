// The AuthorizationManager of @globus/sdk: login, tokens and errors. It is made for
// browsers and needs an address bar and a storage.
import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";
import * as globus from "@globus/sdk";
import * as pkceModule from "@globus/sdk/core/authorization/pkce";
import { TokenManager } from "@globus/sdk/core/authorization/TokenManager";
import { base, control, follow, json, ready } from "./emulator.mjs";
import { functionsOf, watch, watchObject } from "./calls.mjs";

// Storage keeps its entries as properties, as a browser does: the SDK lists them.
class Storage {
  getItem(key) { return Object.hasOwn(this, key) ? this[key] : null; }
  setItem(key, value) { this[key] = String(value); }
  removeItem(key) { delete this[key]; }
}

globalThis.sessionStorage = new Storage();
globalThis.window = {
  GLOBUS_SDK_SERVICE_URL_AUTH: process.env.GLOBUS_SDK_SERVICE_URL_AUTH, // where a browser configures the SDK
  location: {
    href: "",
    assign(url) { this.href = String(url); },
    replace(url) { this.href = String(url); },
  },
};

const called = new Set();
const authorization = watch(globus.authorization, "authorization", called);
const pkce = watch(pkceModule, "pkce", called);
const Tokens = watch(TokenManager, "TokenManager", called);

const alice = ready.users[0];
const redirect = "http://127.0.0.1:45678/";
const scope = {
  transfer: "urn:globus:auth:scope:transfer.api.globus.org:all",
  groups: "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships",
  identities: "urn:globus:auth:scope:auth.globus.org:view_identities",
  projects: "urn:globus:auth:scope:auth.globus.org:manage_projects",
};

let manager;
let tokens; // of the manager, watched

function create(configuration = {}) {
  manager = watchObject(authorization.create({
    client: ready.native_client_id, redirect, scopes: `${scope.transfer} ${scope.identities}`, storage: new Storage(),
    useRefreshTokens: true, ...configuration,
  }), "authorization.AuthorizationManager", called);
  tokens = watchObject(manager.tokens, "TokenManager", called);
  return manager;
}

// visit does what the browser does at the address that the SDK sent it to.
async function visit(user) {
  const asked = new URL(window.location.href);
  assert.equal(asked.origin + asked.pathname, `${base}v2/oauth2/authorize`);
  window.location.href = (await follow(asked, user)).href;
  return asked.searchParams;
}

async function login() {
  await manager.login();
  const asked = await visit(alice.username);
  return { asked, response: await manager.handleCodeRedirect() };
}

beforeEach(() => create());

test("login, by the address bar", async () => {
  const seen = [];
  manager.events.authenticated.addListener((event) => seen.push(event));
  assert.equal(manager.authenticated, false);
  const { asked, response } = await login();
  assert.equal(asked.get("scope"), `${scope.transfer} ${scope.identities} openid profile email offline_access`);
  assert.equal(asked.get("code_challenge_method"), "S256");
  assert.equal(asked.get("access_type"), null);
  assert.equal(response.resource_server, "auth.globus.org");
  assert.equal(window.location.href, redirect); // code and state are gone
  assert.equal(manager.authenticated, true);
  assert.equal(manager.hasGlobusAuthToken(), true);
  assert.equal(manager.getGlobusAuthToken().access_token, response.access_token);
  assert.equal(manager.storageKeyPrefix, `${ready.native_client_id}:`);
  assert.equal(manager.user.sub, alice.identity_id);
  assert.equal(manager.user.preferred_username, alice.username);
  assert.equal(manager.user.email, alice.username);
  assert.equal(tokens.transfer.scope, scope.transfer);
  assert.deepEqual(seen.map((event) => [event.isAuthenticated, event.token.resource_server]), [[true, "auth.globus.org"]]);
});

test("a token for every service", async () => {
  const collection = new URL(ready.dependent.child).pathname.split("/")[2];
  create({
    scopes: [
      scope.transfer, scope.groups, "https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/view_flows",
      "urn:globus:auth:scope:search.api.globus.org:all", "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer",
      "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all", ready.dependent.child,
    ].join(" "),
  });
  await login();
  for (const [name, server] of Object.entries(globus.auth.CONFIG.RESOURCE_SERVERS)) {
    const getter = { TIMERS: "timer" }[name] ?? name.toLowerCase();
    assert.equal(tokens[getter]?.resource_server, server, name);
    assert.equal(tokens.getByResourceServer(server).access_token, tokens[getter].access_token);
  }
  assert.equal(tokens.gcs(collection).scope, ready.dependent.child);
  assert.equal(tokens.getAll().length, 8);
  assert.equal(Tokens.isTokenExpired(tokens.transfer), false);
  assert.equal(Tokens.isTokenExpired(tokens.transfer, 172800 * 1000), true); // its lifetime is 48 hours
  const { transfer } = tokens;
  tokens.remove(transfer);
  assert.equal(tokens.transfer, null);
  tokens.add(transfer);
  assert.equal(tokens.transfer.access_token, transfer.access_token);
});

test("refreshToken and refreshTokens", async () => {
  await login();
  const before = { auth: tokens.auth, transfer: tokens.transfer };
  const fresh = await manager.refreshToken(before.transfer);
  assert.equal(fresh.resource_server, "transfer.api.globus.org");
  assert.notEqual(fresh.access_token, before.transfer.access_token);
  assert.equal(tokens.transfer.access_token, fresh.access_token);
  assert.equal(tokens.auth.access_token, before.auth.access_token);
  const results = await manager.refreshTokens();
  assert.deepEqual(results.map((r) => [r.status, r.value?.resource_server]).sort(), [
    ["fulfilled", "auth.globus.org"], ["fulfilled", "transfer.api.globus.org"],
  ]);
  assert.notEqual(tokens.auth.access_token, before.auth.access_token);
  assert.equal(tokens.transfer.refresh_token, before.transfer.refresh_token); // every response has one
  assert.equal(await manager.refreshToken({ ...before.transfer, refresh_token: "unknown" }), null);
});

test("a rejected token is renewed by the call that it fails", async () => {
  await login();
  const dead = tokens.auth;
  await control("POST", "tokens/expire", { token: dead.access_token });
  const response = await json(globus.auth.identities.get(alice.identity_id, {}, { manager }));
  assert.equal(response.identity.username, alice.username);
  assert.notEqual(tokens.auth.access_token, dead.access_token);
});

test("revoke ends the access tokens, here and there", async () => {
  await login();
  let revoked = 0;
  manager.events.revoke.addListener(() => { revoked += 1; });
  const { access_token } = tokens.auth;
  const headers = { Authorization: `Bearer ${access_token}` };
  await json(globus.auth.oauth2.userinfo({ headers }));
  await manager.revoke();
  await json(globus.auth.oauth2.userinfo({ headers }), 401);
  assert.equal(revoked, 1);
  assert.equal(manager.authenticated, false);
  assert.deepEqual(tokens.getAll(), []);
});

test("reset forgets, and prompt keeps", async () => {
  const { response } = await login();
  await manager.prompt();
  assert.equal(manager.authenticated, true);
  await visit();
  await manager.handleCodeRedirect();
  assert.notEqual(tokens.auth.access_token, response.access_token);
  manager.reset();
  assert.equal(manager.authenticated, false);
  assert.equal(manager.user, null);
  manager.addTokenResponse(response);
  assert.equal(manager.authenticated, true);
  assert.equal(tokens.transfer.scope, scope.transfer);
});

test("includeConsentedScopes brings tokens that were consented to before", async () => {
  await login();
  create({ scopes: "" });
  await manager.login();
  await visit(alice.username);
  await manager.handleCodeRedirect({ shouldReplace: true, includeConsentedScopes: true });
  assert.equal(tokens.transfer.resource_server, "transfer.api.globus.org");
});

test("an error at the authorization endpoint is reported", async () => {
  await manager.login({ additionalParams: { response_type: "token" } });
  await visit();
  await assert.rejects(manager.handleCodeRedirect(), /response type 'code'/);
  assert.equal(manager.authenticated, false);
});

test("a state of another login is refused", async () => {
  await manager.login();
  await visit();
  sessionStorage.setItem("pkce_state", "another");
  await assert.rejects(manager.handleCodeRedirect(), /Invalid State/);
});

test("a missing consent leads to a login that asks for it", async () => {
  await login();
  const failure = { code: "ConsentRequired", message: "Consent is missing.", required_scopes: [`${scope.transfer}[*${ready.dependent.child}]`] };
  await manager.handleErrorResponse(failure);
  const asked = await visit();
  // The SDK names offline_access twice, for a storage that a page load ends.
  assert.ok(asked.get("scope").startsWith(`${failure.required_scopes[0]} offline_access`), asked.get("scope"));
  await manager.handleCodeRedirect();
  const again = { ...failure, required_scopes: [scope.groups] };
  await manager.handleConsentRequiredError(again);
  await visit();
  await manager.handleCodeRedirect();
  assert.equal(tokens.groups.scope, scope.groups);
});

test("requirements of the session lead to a login that meets them", async () => {
  create({ scopes: scope.projects });
  await login();
  const change = () => globus.request(
    { service: "AUTH", scope: scope.projects, method: "PUT", path: `/v2/api/projects/${ready.project_id}` },
    { payload: { project: {} } }, { manager });
  await json(change());
  await control("POST", "clock", { advance: "31m" });
  const refused = await json(change(), 403);
  const handle = await manager.handleErrorResponse(refused, { execute: false });
  await handle();
  const asked = await visit();
  assert.equal(asked.get("prompt"), "login");
  assert.equal(asked.get("session_message"), refused.authorization_parameters.session_message);
  await manager.handleCodeRedirect();
  await json(change());
  const all = {
    authorization_parameters: {
      session_message: "Sign in.", session_required_identities: [alice.identity_id], session_required_policies: [ready.policy_id],
      session_required_single_domain: ["example.edu"], session_required_mfa: true, required_scopes: ["openid", scope.transfer],
    },
  };
  await manager.handleAuthorizationRequirementsError(all);
  const every = await visit();
  assert.equal(every.get("session_required_mfa"), "true");
  assert.equal(every.get("scope"), `openid ${scope.transfer}`);
  await manager.handleCodeRedirect();
  assert.equal(manager.user.sub, alice.identity_id);
});

test("an authentication failure signs out", async () => {
  await login();
  await manager.handleErrorResponse({ code: "AuthenticationFailed", message: "Token is not active" });
  assert.equal(manager.authenticated, false);
});

test("PKCE", async () => {
  assert.equal(pkce.isSupported(), true);
  const verifier = pkce.generateCodeVerifier();
  assert.match(verifier, /^[A-Za-z0-9._~-]{43}$/);
  assert.match(await pkce.generateCodeChallenge(verifier), /^[A-Za-z0-9_-]{43}$/);
  assert.match(pkce.generateState(), /^[A-Za-z0-9]{16}$/);
  for (const name of ["getKey", "get", "set", "reset"]) assert.equal(typeof pkce.store[name], "function");
  pkce.store.set("state", "kept");
  assert.equal(sessionStorage.getItem(pkce.store.getKey("state")), "kept");
  assert.equal(pkce.store.get("state"), "kept");
  pkce.store.reset();
  assert.equal(pkce.store.get("state"), null);
});

test("every function was called", () => {
  new authorization.AuthorizationManager({ client: "c", redirect, storage: new Storage() });
  new Tokens({ manager });
  const offered = [["authorization", globus.authorization], ["TokenManager", TokenManager], ["pkce", pkceModule]]
    .flatMap(([name, namespace]) => functionsOf(namespace, name));
  assert.ok(offered.length >= 35, `only ${offered.length} functions were found`);
  assert.deepEqual(offered.filter((name) => !called.has(name)), []);
});
