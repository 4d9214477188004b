// The service calls of @globus/sdk with GLOBUS_SDK_SERVICE_URL_AUTH.
import assert from "node:assert/strict";
import test from "node:test";
import { createRequire } from "node:module";
import * as globus from "@globus/sdk";
import * as pkce from "@globus/sdk/core/authorization/pkce";
import { base, basic, control, follow, json, portal, ready } from "./emulator.mjs";
import { functionsOf, watch } from "./calls.mjs";

const called = new Set();
const auth = watch(globus.auth, "auth", called);
const errors = watch(globus.errors, "errors", called);
const info = watch(globus.info, "info", called);

const alice = ready.users[0];
const bob = ready.users[1];
const redirect = "http://127.0.0.1:45678/callback";
const transferAll = "urn:globus:auth:scope:transfer.api.globus.org:all";
const authScope = (name) => `urn:globus:auth:scope:auth.globus.org:${name}`;
const bearer = (token) => ({ Authorization: `Bearer ${token.access_token}` });

// code logs a user in and returns the request that exchanges the code.
async function code(scope, more = {}) {
  const verifier = pkce.generateCodeVerifier();
  const state = pkce.generateState();
  const { login_hint, ...extra } = more;
  const url = new URL(auth.getAuthorizationEndpoint());
  url.search = new URLSearchParams({
    response_type: "code", client_id: ready.native_client_id, scope, redirect_uri: redirect, state,
    code_challenge: await pkce.generateCodeChallenge(verifier), code_challenge_method: "S256", ...extra,
  });
  const callback = await follow(url, login_hint ?? alice.username);
  assert.equal(callback.origin + callback.pathname, redirect);
  assert.equal(callback.searchParams.get("state"), state);
  return {
    state,
    payload: {
      grant_type: "authorization_code", code: callback.searchParams.get("code"), client_id: ready.native_client_id,
      code_verifier: verifier, redirect_uri: redirect,
    },
  };
}

async function login(scope, more) {
  const { payload } = await code(scope, more);
  return json(auth.oauth2.token.exchange({ payload }));
}

// errorsDocument checks an errors document of the API.
async function errorsDocument(promise, status, expected) {
  const document = await json(promise, status);
  assert.equal(document.errors.length, 1);
  const [error] = document.errors;
  assert.equal(error.status, String(status));
  assert.equal(error.code, expected);
  assert.match(error.id, /^[0-9a-f-]{36}$/);
  for (const field of ["title", "detail"]) assert.ok(error[field].length > 0, field);
  return document;
}

test("the package is the one that is pinned", () => {
  const require = createRequire(import.meta.url);
  assert.equal(require("@globus/sdk/package.json").version, require("./package.json").devDependencies["@globus/sdk"]);
  assert.equal(globus.info.VERSION, "6.2.0");
});

test("endpoints follow the configuration", () => {
  assert.equal(auth.getAuthorizationEndpoint(), `${base}v2/oauth2/authorize`);
  assert.equal(auth.getTokenEndpoint(), `${base}v2/oauth2/token`);
});

test("client information is sent, and a browser may send it", async () => {
  info.addClientInfo({ product: "contract-tests", version: "1" });
  const value = "product=javascript-sdk,version=6.2.0;product=contract-tests,version=1";
  assert.equal(info.getClientInfo(), value);
  assert.deepEqual(info.getClientInfoRequestHeaders(), { "X-Globus-Client-Info": value });
  const preflight = await fetch(auth.getTokenEndpoint(), {
    method: "OPTIONS",
    headers: {
      Origin: "https://portal.example.edu", "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "authorization,content-type,x-globus-client-info",
    },
  });
  assert.ok(preflight.ok, `status ${preflight.status}`);
  assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
  for (const header of ["authorization", "content-type", "x-globus-client-info"]) {
    assert.ok(preflight.headers.get("access-control-allow-headers").toLowerCase().includes(header), header);
  }
  const response = await fetch(`${base}v2/oauth2/userinfo`, { headers: { Origin: "https://portal.example.edu" } });
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
});

test("oauth2.token.exchange gives a token for every resource server", async () => {
  const { payload, state } = await code(`openid profile email ${transferAll} offline_access`);
  const token = await json(auth.oauth2.token.exchange({ payload }));
  assert.equal(token.resource_server, "auth.globus.org"); // the SDK looks for the ID token here
  assert.equal(token.scope, "openid profile email");
  assert.equal(token.token_type, "Bearer");
  assert.equal(token.expires_in, 172800);
  assert.equal(token.state, state);
  const claims = JSON.parse(Buffer.from(token.id_token.split(".")[1], "base64url"));
  assert.equal(claims.sub, alice.identity_id);
  assert.equal(claims.aud, ready.native_client_id);
  assert.equal(token.other_tokens.length, 1);
  const [transfer] = token.other_tokens;
  assert.equal(transfer.resource_server, "transfer.api.globus.org");
  assert.equal(transfer.scope, transferAll);
  for (const one of [token, transfer]) {
    assert.equal(auth.isToken(one), true);
    assert.equal(auth.isRefreshToken(one), true);
    assert.equal(auth.isGlobusAuthTokenResponse(one), true);
  }
});

test("without offline_access there is no refresh token", async () => {
  const token = await login("openid");
  assert.equal(auth.isToken(token), true);
  assert.equal(auth.isRefreshToken(token), false);
});

test("oauth2.token.token refuses a code that was used, and a wrong verifier", async () => {
  const used = await code("openid");
  await json(auth.oauth2.token.token({ payload: used.payload }));
  assert.deepEqual(await json(auth.oauth2.token.token({ payload: used.payload }), 400), { error: "invalid_grant" });
  const wrong = await code("openid");
  wrong.payload.code_verifier = pkce.generateCodeVerifier();
  const refused = await json(auth.oauth2.token.token({ payload: wrong.payload }), 400);
  assert.equal(refused.error, "invalid_grant");
  assert.equal(auth.isToken(refused), false);
  assert.equal(auth.isRefreshToken(refused), false);
  assert.equal(auth.isGlobusAuthTokenResponse(refused), false);
});

test("include_consented_scopes adds what was consented to before", async () => {
  await login(`openid ${transferAll}`);
  const { payload } = await code("openid");
  const token = await json(auth.oauth2.token.exchange({ payload, query: { include_consented_scopes: true } }));
  assert.deepEqual(token.other_tokens.map((t) => t.resource_server).sort().includes("transfer.api.globus.org"), true);
});

test("oauth2.token.refresh", async () => {
  const token = await login(`openid ${transferAll} offline_access`);
  const [transfer] = token.other_tokens;
  const refresh = (refresh_token) => auth.oauth2.token.refresh({
    payload: { refresh_token, grant_type: "refresh_token", client_id: ready.native_client_id },
  });
  const fresh = await json(refresh(transfer.refresh_token));
  assert.notEqual(fresh.access_token, transfer.access_token);
  assert.equal(fresh.resource_server, "transfer.api.globus.org");
  assert.equal(fresh.scope, transferAll);
  assert.equal(fresh.refresh_token, transfer.refresh_token); // the SDK keeps what comes
  assert.deepEqual(fresh.other_tokens, []);
  assert.equal((await json(refresh("no-such-token"), 400)).error, "invalid_grant");
});

test("oauth2.userinfo", async () => {
  const token = await login(`openid profile email ${authScope("view_identity_set")}`);
  const person = await json(auth.oauth2.userinfo({ headers: bearer(token) }));
  assert.equal(person.sub, alice.identity_id);
  assert.equal(person.preferred_username, alice.username);
  assert.equal(person.name, "Alice Adams");
  assert.equal(person.email, "alice@example.edu");
  assert.equal(person.identity_provider, ready.identity_provider.id);
  assert.equal(person.identity_set.length, 2);
  const little = await json(auth.oauth2.userinfo({ headers: bearer(await login("openid")) }));
  assert.equal(little.sub, alice.identity_id);
  assert.equal("email" in little, false);
  await errorsDocument(auth.oauth2.userinfo(), 401, "UNAUTHORIZED");
});

test("oauth2.token.introspect", async () => {
  const token = await login(ready.dependent_grant.scope);
  const said = await json(auth.oauth2.token.introspect({
    payload: { token: token.access_token, include: "identity_set,session_info" }, headers: { Authorization: portal },
  }));
  assert.equal(said.active, true);
  assert.equal(said.scope, ready.dependent_grant.scope);
  assert.equal(said.sub, alice.identity_id);
  assert.equal(said.username, alice.username);
  assert.equal(said.client_id, ready.native_client_id);
  assert.equal(said.exp - said.iat, 172800);
  assert.ok(said.identity_set.includes(alice.identity_id));
  assert.ok(alice.identity_id in said.session_info.authentications);
  const unknown = { payload: { token: "unknown" }, headers: { Authorization: portal } };
  assert.deepEqual(await json(auth.oauth2.token.introspect(unknown)), { active: false });
  const invalid = { payload: { token: token.access_token }, headers: { Authorization: basic(ready.confidential_client_id, "wrong") } };
  await errorsDocument(auth.oauth2.token.introspect(invalid), 401, "UNAUTHORIZED");
  assert.throws(() => auth.oauth2.token.introspect(), /payload/);
});

test("oauth2.token.revoke", async () => {
  const token = await login("openid");
  const revoke = () => auth.oauth2.token.revoke({ payload: { token: token.access_token, client_id: ready.native_client_id } });
  await json(auth.oauth2.userinfo({ headers: bearer(token) }));
  assert.deepEqual(await json(revoke()), { active: false });
  await errorsDocument(auth.oauth2.userinfo({ headers: bearer(token) }), 401, "UNAUTHORIZED");
  assert.deepEqual(await json(revoke()), { active: false }); // RFC 7009 section 2.2
});

test("oauth2.token.validate, deprecated, still tells whether a token is active", async () => {
  const unknown = await json(auth.oauth2.token.validate({ payload: { token: "t", client_id: ready.native_client_id } }));
  assert.deepEqual(unknown, { active: false });
});

test("identities.get and getAll", async () => {
  const headers = bearer(await login(`openid ${authScope("view_identities")}`));
  const { identity, included } = await json(auth.identities.get(bob.identity_id, { headers, query: { include: "identity_provider" } }));
  assert.deepEqual(
    { id: identity.id, username: identity.username, status: identity.status, type: identity.identity_type, email: identity.email },
    { id: bob.identity_id, username: bob.username, status: "used", type: "login", email: bob.username });
  assert.deepEqual(included.identity_providers.map((p) => p.id), [identity.identity_provider]);
  const byID = await json(auth.identities.getAll({ headers, query: { ids: [alice.identity_id, bob.identity_id] } }));
  assert.deepEqual(byID.identities.map((i) => i.username).sort(), [alice.username, bob.username].sort());
  const byName = await json(auth.identities.getAll({ headers, query: { usernames: [bob.username, "unknown@example.edu"] } }));
  assert.deepEqual(byName.identities.map((i) => i.id), [bob.identity_id]);
  await errorsDocument(auth.identities.get("00000000-0000-4000-8000-00000000dead", { headers }), 404, "NOT_FOUND");
  await errorsDocument(auth.identities.getAll({ headers }), 400, "INVALID_PARAMETERS");
  await errorsDocument(auth.identities.getAll({ query: { ids: [alice.identity_id] } }), 401, "UNAUTHORIZED");
});

test("identities.consents.getAll and the helpers for consents", async () => {
  const { parent, child } = ready.dependent;
  const token = await login(`openid ${authScope("view_identities")} ${parent}[*${child}]`, { login_hint: bob.username });
  const { consents } = await json(auth.identities.consents.getAll(bob.identity_id, { headers: bearer(token) }));
  const root = consents.find((c) => c.scope_name === parent);
  const below = consents.find((c) => c.scope_name === child);
  assert.equal(root.status, "approved");
  assert.equal(root.client, ready.native_client_id);
  assert.deepEqual(root.dependency_path, [root.id]);
  assert.deepEqual(below.dependency_path, [root.id, below.id]);
  assert.equal(below.atomically_revocable, true);
  assert.deepEqual(auth.utils.splitScopeString(`openid ${parent}[*${child}]`), ["openid", `${parent}[*${child}]`]);
  assert.deepEqual(auth.utils.toScopeTree(`${parent}[*${child}]`), [{
    scope: parent, atomically_revocable: false, children: [{ scope: child, atomically_revocable: true, children: [] }],
  }]);
  assert.equal(auth.utils.hasConsentForScope(consents, `${parent}[*${child}]`), true);
  assert.equal(auth.utils.hasConsentForScope(consents, child), false); // consented to below the parent only
});

test("errors: requirements that a new login meets", async () => {
  const token = await login(`openid ${authScope("manage_projects")}`);
  const project = (t) => globus.request( // a change, which administrators sign in for
    { service: "AUTH", scope: undefined, method: "PUT", path: `/v2/api/projects/${ready.project_id}` },
    { headers: bearer(t), payload: { project: {} } });
  assert.equal((await json(project(token))).project.id, ready.project_id);
  await control("POST", "clock", { advance: "31m" });
  const refused = await errorsDocument(project(token), 403, "FORBIDDEN");
  assert.equal(errors.isAuthorizationRequirementsError(refused), true);
  assert.equal(errors.isConsentRequiredError(refused), false);
  assert.equal(errors.isErrorWellFormed(refused), false); // there is neither code nor message
  const parameters = errors.toAuthorizationQueryParams(refused);
  assert.deepEqual(parameters, {
    session_required_policies: refused.authorization_parameters.session_required_policies.join(","),
    session_message: refused.authorization_parameters.session_message,
  });
  assert.match(parameters.session_required_policies, /^[0-9a-f-]{36}$/);
  const cured = await login(`openid ${authScope("manage_projects")}`, { ...parameters, prompt: "login" });
  assert.equal((await json(project(cured))).project.id, ready.project_id);
});

test("errors: missing consent", async () => {
  const token = await login(ready.dependent_grant.scope, { login_hint: bob.username });
  const dependent = () => auth.oauth2.token.token({
    payload: { grant_type: "urn:globus:auth:grant_type:dependent_token", token: token.access_token },
    headers: { Authorization: portal },
  });
  const tokens = await json(dependent());
  assert.deepEqual(Object.fromEntries(tokens.map((t) => [t.resource_server, t.scope])), ready.dependent_grant.expect);
  const scopes = Object.values(ready.dependent_grant.expect);
  await control("POST", "consents/revoke", { user: bob.username, scopes: [scopes[0]] });
  const refused = await errorsDocument(dependent(), 403, "DEPENDENT_CONSENT_REQUIRED");
  assert.deepEqual(refused.errors[0].unapproved_scopes, [scopes[0]]);
  // This older form is Globus Auth's; the SDK's helpers know the newer ones only.
  assert.equal(errors.isConsentRequiredError(refused), false);
  assert.equal(errors.isAuthorizationRequirementsError(refused), false);
  // What a service makes of it, as the SDK knows it.
  const forwarded = { code: "ConsentRequired", message: refused.errors[0].detail, required_scopes: refused.errors[0].unapproved_scopes };
  assert.equal(errors.isErrorWellFormed(forwarded), true);
  assert.equal(errors.isConsentRequiredError(forwarded), true);
});

test("errors: a wrong environment is named", () => {
  const wrong = new errors.EnvironmentConfigurationError("GLOBUS_SDK_ENVIRONMENT", "nowhere");
  assert.match(wrong.message, /GLOBUS_SDK_ENVIRONMENT \(nowhere\)/);
});

test("every function was called", () => {
  const offered = [["auth", globus.auth], ["errors", globus.errors], ["info", globus.info]]
    .flatMap(([name, namespace]) => functionsOf(namespace, name));
  assert.ok(offered.length >= 20, `only ${offered.length} functions were found`);
  assert.deepEqual(offered.filter((name) => !called.has(name)), []);
});

test("every namespace is about Globus Auth and called, or listed", () => {
  const elsewhere = {
    authorization: "sdk_login.mjs calls it",
    logger: "writes log lines; calls nothing",
    request: "what all calls go through; used above",
    webapp: "links to pages of app.globus.org",
    compute: "another service", flows: "another service", gcs: "another service", groups: "another service",
    search: "another service", timers: "another service", transfer: "another service",
  };
  const mine = ["auth", "errors", "info"];
  assert.deepEqual(Object.keys(globus).sort(), [...mine, ...Object.keys(elsewhere)].sort());
});

test("what this version lacks is still lacking", () => {
  const lacking = {
    developers: "added after 6.2.0: projects, policies, clients, credentials and scopes",
    identityProviders: "in no version",
  };
  for (const [name, reason] of Object.entries(lacking)) {
    assert.equal(globus.auth[name], undefined, `auth.${name} (${reason}) is there now: call it`);
  }
  for (const next of [globus.auth.identities, globus.auth.oauth2]) {
    assert.equal(next.next, undefined, "the forms that attach tokens by themselves came after 6.2.0 and are there now: call them");
  }
});
