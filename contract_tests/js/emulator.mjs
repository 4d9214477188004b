// What a script knows of the emulator that runs for it, and what a person at a
// browser would do there.
import assert from "node:assert/strict";

export const ready = JSON.parse(process.env.EMULATOR);
export const base = ready.base_url;

export const basic = (id, secret) => `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
export const portal = basic(ready.confidential_client_id, ready.confidential_client_secret);

// follow opens an authorization URL, as whoever is signed in or the first user,
// and returns where the browser is sent.
export async function follow(url, user) {
  url = new URL(url);
  if (user) url.searchParams.set("login_hint", user);
  const answer = await fetch(url, { redirect: "manual" });
  const text = await answer.text();
  assert.equal(answer.status, 302, text);
  return new URL(answer.headers.get("location"));
}

// control calls the emulator's own API.
export async function control(method, path, body) {
  const answer = await fetch(new URL(`/_authtest/${path}`, base), {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.equal(answer.status, 200, `${method} ${path}: ${await answer.clone().text()}`);
  return answer.json();
}

// json reads an answer and wants its status.
export async function json(promise, status = 200) {
  const answer = await promise;
  const text = await answer.text();
  assert.equal(answer.status, status, text);
  assert.match(answer.headers.get("content-type"), /^application\/json\b/);
  return JSON.parse(text);
}
