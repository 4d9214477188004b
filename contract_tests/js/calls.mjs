// Which functions a module offers, and which of them were called.

const isClass = (value) =>
  typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));

const methods = (prototype) =>
  Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");

// functionsOf lists what can be called in a namespace: "a.b" for a function,
// "a.Class#method" for a method or a getter, "a.Class.method" for a static one.
export function functionsOf(value, path) {
  if (isClass(value)) {
    const statics = Object.getOwnPropertyNames(value).filter((name) => typeof value[name] === "function");
    return [path, ...methods(value.prototype).map((name) => `${path}#${name}`), ...statics.map((name) => `${path}.${name}`)];
  }
  if (typeof value === "function") return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((name) => functionsOf(value[name], `${path}.${name}`));
}

// watch returns a namespace that behaves like the given one and notes every call.
export function watch(value, path, called) {
  const note = (at, run) => (...args) => {
    called.add(at);
    return run(...args);
  };
  if (isClass(value)) {
    return new Proxy(value, {
      construct(target, args) {
        called.add(path);
        return watchObject(new target(...args), path, called);
      },
      get: (target, name) =>
        typeof target[name] === "function" && name !== "prototype"
          ? note(`${path}.${String(name)}`, target[name].bind(target))
          : target[name],
    });
  }
  if (typeof value === "function") return note(path, value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.keys(value).map((name) => [name, watch(value[name], `${path}.${name}`, called)]));
}

// watchObject notes the use of an object's methods and getters. They run on the
// object itself, which may have private fields.
export function watchObject(object, path, called) {
  return new Proxy(object, {
    get(target, name) {
      if (typeof name === "string") called.add(`${path}#${name}`);
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
