// A reporter for node:test: one line of JSON for every test that ended, for the
// Go test that runs the script.
export default async function* reporter(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const error = data.details.error?.cause ?? data.details.error;
    yield JSON.stringify({
      name: data.name,
      passed: type === "test:pass",
      left_out: data.skip !== undefined || data.todo !== undefined,
      error: error?.stack ?? error?.message ?? (error && String(error)),
    }) + "\n";
  }
}
