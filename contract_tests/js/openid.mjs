// openid-client, a certified OpenID Connect client, against the emulator. It is
// configured with the issuer, the client and the introspection endpoint, which the
// service does not announce.
import assert from "node:assert/strict";
import test from "node:test";
import * as openid from "openid-client";
import { base, control, follow, ready } from "./emulator.mjs";

const rotates = process.env.EMULATOR_ARGS.includes("--rotate-refresh-tokens");
const alice = ready.users[0];
const bob = ready.users[1];
const loopback = "http://127.0.0.1:45678/callback";
const transferAll = "urn:globus:auth:scope:transfer.api.globus.org:all";

async function configure(id, authentication) {
  const config = await openid.discovery(new URL(base), id, undefined, authentication, {
    execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks], // http; signatures are checked
  });
  const all = new openid.Configuration(
    { ...config.serverMetadata(), introspection_endpoint: `${base}v2/oauth2/token/introspect` }, id, undefined, authentication);
  openid.allowInsecureRequests(all);
  openid.enableNonRepudiationChecks(all);
  return all;
}

const native = () => configure(ready.native_client_id, openid.None());
const portal = (secret = ready.confidential_client_secret) =>
  configure(ready.confidential_client_id, openid.ClientSecretBasic(secret));

// start signs a user in and returns the redirect, with the values to check.
async function start(config, { user = alice, redirect_uri = loopback, ...more } = {}) {
  const checks = {
    pkceCodeVerifier: openid.randomPKCECodeVerifier(), expectedState: openid.randomState(), expectedNonce: openid.randomNonce(),
  };
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri, scope: "openid profile email", state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: "S256", ...more,
  });
  return { callback: await follow(url, user.username), checks };
}

async function login(config, options) {
  const { callback, checks } = await start(config, options);
  return openid.authorizationCodeGrant(config, callback, checks);
}

// because returns the cause of an error that the library throws.
const because = (pattern) => (caught) => {
  assert.match(String(caught.cause?.message ?? caught.cause?.claim ?? caught.cause?.attribute ?? caught.message), pattern, caught.stack);
  return true;
};

const refused = (error, status) => (caught) => {
  assert.equal(caught.error, error, caught.stack);
  assert.equal(caught.status, status);
  return true;
};

test("discovery", async () => {
  const server = (await native()).serverMetadata();
  assert.equal(new URL(server.issuer).href, base);
  assert.equal(server.authorization_endpoint, `${base}v2/oauth2/authorize`);
  assert.equal(server.token_endpoint, `${base}v2/oauth2/token`);
  assert.equal(server.userinfo_endpoint, `${base}v2/oauth2/userinfo`);
  assert.equal(server.revocation_endpoint, `${base}v2/oauth2/token/revoke`);
  assert.equal(server.jwks_uri, `${base}jwk.json`);
  assert.deepEqual(server.id_token_signing_alg_values_supported, ["RS512"]);
  const announced = await openid.discovery(new URL(base), ready.native_client_id, undefined, openid.None(), {
    execute: [openid.allowInsecureRequests],
  });
  assert.equal(announced.serverMetadata().introspection_endpoint, undefined);
});

test("login of a native client, with a checked ID token", async () => {
  const tokens = await login(await native());
  const claims = tokens.claims();
  assert.equal(claims.sub, alice.identity_id);
  assert.equal(claims.aud, ready.native_client_id);
  assert.equal(new URL(claims.iss).href, base);
  assert.equal(claims.preferred_username, alice.username);
  assert.equal(claims.email, alice.username);
  assert.equal(claims.exp - claims.iat, 172800);
  assert.equal(tokens.expires_in, 172800);
  assert.ok(tokens.expiresIn() > 172700);
  assert.equal(tokens.token_type, "bearer"); // the library lowers it
  assert.equal(tokens.scope, "openid profile email");
  assert.equal(tokens.refresh_token, undefined);
});

test("login of a confidential client", async () => {
  const tokens = await login(await portal(), { user: bob, redirect_uri: ready.confidential_redirect_uri });
  assert.equal(tokens.claims().sub, bob.identity_id);
  assert.equal(tokens.claims().aud, ready.confidential_client_id);
});

test("userinfo is about the subject of the ID token", async () => {
  const config = await native();
  const tokens = await login(config, { user: bob });
  const person = await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  assert.equal(person.preferred_username, bob.username);
  assert.equal(person.email, bob.username);
  await assert.rejects(openid.fetchUserInfo(config, tokens.access_token, alice.identity_id), because(/"sub"/));
  await assert.rejects(openid.fetchUserInfo(config, "unknown", bob.identity_id), (error) => {
    assert.equal(error.status ?? error.cause?.status, 401, error.stack);
    return true;
  });
});

test("a nonce of another login is refused", async () => {
  const config = await native();
  const { callback, checks } = await start(config);
  await assert.rejects(
    openid.authorizationCodeGrant(config, callback, { ...checks, expectedNonce: openid.randomNonce() }), because(/"nonce"/));
});

test("a state of another login is refused", async () => {
  const config = await native();
  const { callback, checks } = await start(config);
  await assert.rejects(
    openid.authorizationCodeGrant(config, callback, { ...checks, expectedState: openid.randomState() }), because(/"state"/));
});

test("a wrong verifier is refused", async () => {
  const config = await native();
  const { callback, checks } = await start(config);
  await assert.rejects(
    openid.authorizationCodeGrant(config, callback, { ...checks, pkceCodeVerifier: openid.randomPKCECodeVerifier() }),
    refused("invalid_grant", 400));
});

test("the second use of a code revokes the tokens of the first", async () => {
  const config = await native();
  const { callback, checks } = await start(config);
  const tokens = await openid.authorizationCodeGrant(config, callback, checks);
  await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  await assert.rejects(openid.authorizationCodeGrant(config, callback, checks), refused("invalid_grant", 400));
  await assert.rejects(openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub));
});

test("a code is valid only for its client and redirect URI", async () => {
  const config = await native();
  const first = await start(config);
  await assert.rejects(openid.authorizationCodeGrant(await portal(), first.callback, first.checks), refused("invalid_grant", 400));
  const second = await start(config);
  const elsewhere = new URL(second.callback);
  elsewhere.pathname = "/elsewhere";
  await assert.rejects(openid.authorizationCodeGrant(config, elsewhere, second.checks), refused("invalid_grant", 400));
});

test("an error at the authorization endpoint reaches the client", async () => {
  const config = await native();
  const { callback, checks } = await start(config, { response_type: "id_token" });
  await assert.rejects(openid.authorizationCodeGrant(config, callback, checks), (error) => {
    assert.equal(error.error, "unsupported_response_type");
    return true;
  });
});

test("a native client without a code challenge is refused", async () => {
  const config = await native();
  const url = openid.buildAuthorizationUrl(config, { redirect_uri: loopback, scope: "openid", state: "s" });
  const callback = await follow(url);
  assert.equal(callback.searchParams.get("error"), "invalid_request");
  assert.equal(callback.searchParams.get("state"), "s");
  assert.equal(callback.searchParams.get("code"), null);
});

for (const [name, configured, redirect_uri] of [
  ["native", native, loopback], ["confidential", portal, ready.confidential_redirect_uri],
]) {
  test(`refresh by a ${name} client`, async () => {
    const config = await configured();
    const tokens = await login(config, { redirect_uri, access_type: "offline" });
    const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token);
    assert.notEqual(fresh.access_token, tokens.access_token);
    assert.equal(fresh.scope, tokens.scope);
    await openid.fetchUserInfo(config, fresh.access_token, alice.identity_id);
    if (rotates) {
      assert.notEqual(fresh.refresh_token, tokens.refresh_token);
      await assert.rejects(openid.refreshTokenGrant(config, tokens.refresh_token), refused("invalid_grant", 400));
    } else {
      assert.equal(fresh.refresh_token, tokens.refresh_token);
      await openid.refreshTokenGrant(config, tokens.refresh_token);
    }
    await assert.rejects(openid.refreshTokenGrant(config, "unknown"), refused("invalid_grant", 400));
  });
}

test("client credentials", async () => {
  const config = await portal();
  const tokens = await openid.clientCredentialsGrant(config, { scope: transferAll });
  assert.equal(tokens.resource_server, "transfer.api.globus.org");
  assert.equal(tokens.scope, transferAll);
  assert.equal(tokens.refresh_token, undefined);
  await assert.rejects(openid.clientCredentialsGrant(config, { scope: "urn:no:such:scope" }), refused("invalid_scope", 400));
  await assert.rejects(openid.clientCredentialsGrant(await native(), { scope: transferAll }), refused("unauthorized_client", 400));
});

test("a wrong secret is refused", async () => {
  await assert.rejects(openid.clientCredentialsGrant(await portal("wrong"), { scope: transferAll }), refused("unauthorized", 401));
});

test("a secret in the form is refused: the service announces Basic only", async () => {
  const config = await configure(ready.confidential_client_id, openid.ClientSecretPost(ready.confidential_client_secret));
  assert.deepEqual(config.serverMetadata().token_endpoint_auth_methods_supported, ["client_secret_basic"]);
  await assert.rejects(openid.clientCredentialsGrant(config, { scope: transferAll }), refused("invalid_client", 401));
});

test("introspection", async () => {
  const config = await portal();
  const { access_token } = await login(config, { redirect_uri: ready.confidential_redirect_uri });
  const said = await openid.tokenIntrospection(config, access_token, { include: "identity_set,session_info" });
  assert.equal(said.active, true);
  assert.equal(said.scope, "openid profile email");
  assert.equal(said.client_id, ready.confidential_client_id);
  assert.equal(said.sub, alice.identity_id);
  assert.ok(said.identity_set.includes(alice.identity_id));
  assert.deepEqual(await openid.tokenIntrospection(config, "unknown"), { active: false });
  const { access_token: others } = await login(await native());
  assert.deepEqual(await openid.tokenIntrospection(config, others), { active: false });
  await assert.rejects(openid.tokenIntrospection(await portal("wrong"), access_token), refused("unauthorized", 401));
});

test("revocation", async () => {
  const config = await portal();
  const tokens = await login(config, { redirect_uri: ready.confidential_redirect_uri, access_type: "offline" });
  await openid.tokenRevocation(config, tokens.access_token);
  assert.deepEqual(await openid.tokenIntrospection(config, tokens.access_token), { active: false });
  const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token);
  await openid.tokenRevocation(config, fresh.refresh_token);
  await assert.rejects(openid.refreshTokenGrant(config, fresh.refresh_token), refused("invalid_grant", 400));
  assert.deepEqual(await openid.tokenIntrospection(config, fresh.access_token), { active: false });
});

test("after the keys were rotated, two are published, the new one first, and neither has an ID", async () => {
  const read = async () => (await (await fetch(`${base}jwk.json`)).json()).keys;
  const [old] = await read();
  await control("POST", "keys");
  const keys = await read();
  assert.deepEqual(keys.map((key) => [key.kid, key.alg, key.use]), [[undefined, "RS512", "sig"], [undefined, "RS512", "sig"]]);
  assert.notEqual(keys[0].n, old.n);
  assert.equal(keys[1].n, old.n);
  // This library does not try several keys.
  await assert.rejects(login(await native()), /multiple applicable keys found, a "kid"/);
});
