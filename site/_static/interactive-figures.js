// Brings the interactive figures of a page to life without a kernel: a small model for each, its state in the address.
// window.ee559Figures holds the figures' modules; `ee559 site` writes a script for each from the package's source.

class PageModel {
  constructor(name, state, data, accepts) {
    this.name = name;
    this.defaults = { ...state };
    this.values = { ...state, ...data };
    this.listeners = {};
    const address = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries(state)) {
      const written = address.get(`${name}.${key}`);
      if (written === null) continue;
      const read = typeof value === "string" ? written : readAs(value, written);
      if (accepts(key, read)) this.values[key] = read;
    }
  }

  get(key) {
    return this.values[key];
  }

  set(key, value) {
    if (this.values[key] === value) return;
    this.values[key] = value;
    for (const listener of [...(this.listeners[`change:${key}`] ?? [])]) listener();
  }

  save_changes() {
    const address = new URL(location.href);
    for (const [key, value] of Object.entries(this.defaults)) {
      const changed = JSON.stringify(value) !== JSON.stringify(this.values[key]);
      const written = typeof this.values[key] === "string" ? this.values[key] : JSON.stringify(this.values[key]);
      if (changed) address.searchParams.set(`${this.name}.${key}`, written);
      else address.searchParams.delete(`${this.name}.${key}`);
    }
    try {
      history.replaceState(null, "", address);
    } catch {
      // Browsers limit how often a page may write its address; the next change writes it.
    }
  }

  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }

  off(event, listener) {
    this.listeners[event] = (this.listeners[event] ?? []).filter((other) => other !== listener);
  }
}

// A value from the address, if it is of the same kind as the default; else the default.
function readAs(value, written) {
  try {
    const read = JSON.parse(written);
    return typeof read === typeof value && Array.isArray(read) === Array.isArray(value) ? read : value;
  } catch {
    return value;
  }
}

for (const place of document.querySelectorAll(".interactive-figure")) {
  const figure = window.ee559Figures?.[place.dataset.figure];
  if (figure === undefined) continue;
  const { state, values } = place.dataset;
  const model = new PageModel(place.dataset.figure, JSON.parse(state), JSON.parse(values), figure.compute.accepts);
  const stage = document.createElement("div");
  place.append(stage);
  figure.render({ model, el: stage });
  place.classList.add("live");
  place.model = model; // for tests, and for the curious
}
