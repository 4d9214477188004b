// The script's emulator: its addresses and credentials, and helpers for requests.
import assert from "node:assert/strict";

export const ready = JSON.parse(process.env.EMULATOR);
export const base = ready.base_url;

export const basic = (id, secret) => `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
export const portal = basic(ready.confidential_client_id, ready.confidential_client_secret);

// follow opens an authorization URL as the given user, or the user who is signed in,
// or the first user, and returns the redirect.
export async function follow(url, user) {
  url = new URL(url);
  if (user) url.searchParams.set("login_hint", user);
  const response = await fetch(url, { redirect: "manual" });
  const text = await response.text();
  assert.equal(response.status, 302, text);
  return new URL(response.headers.get("location"));
}

// control calls the emulator's own API.
export async function control(method, path, body) {
  const response = await fetch(new URL(`/_authtest/${path}`, base), {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.equal(response.status, 200, `${method} ${path}: ${await response.clone().text()}`);
  return response.json();
}

// json reads a response and checks its status.
export async function json(promise, status = 200) {
  const response = await promise;
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(response.headers.get("content-type"), /^application\/json\b/);
  return JSON.parse(text);
}
