// What a module registers: attributes of several kinds, and what parameters(), state_dict() and .to() see of them.

// Each way to keep something in a module: the line of code, and the names that it registers, by kind.
const WAYS = {
  attribute: { code: "self.fc = nn.Linear(3, 2)", parameters: ["fc.weight", "fc.bias"], buffers: [] },
  list: { code: "self.layers = [nn.Linear(3, 2)]", parameters: [], buffers: [] },
  dict: { code: 'self.branches = {"left": nn.Linear(3, 2)}', parameters: [], buffers: [] },
  module_list: { code: "self.blocks = nn.ModuleList([nn.Linear(3, 2)])", parameters: ["blocks.0.weight", "blocks.0.bias"], buffers: [] },
  module_dict: { code: 'self.heads = nn.ModuleDict({"left": nn.Linear(3, 2)})', parameters: ["heads.left.weight", "heads.left.bias"], buffers: [] },
  add_module: { code: 'self.add_module("named", nn.Linear(3, 2))', parameters: ["named.weight", "named.bias"], buffers: [] },
  parameter: { code: "self.scale = nn.Parameter(torch.ones(4))", parameters: ["scale"], buffers: [] },
  tensor: { code: "self.shift = torch.zeros(4, requires_grad=True)", parameters: [], buffers: [] },
  buffer: { code: 'self.register_buffer("mean", torch.zeros(4))', parameters: [], buffers: ["mean"] },
};

// What the module with these ways sees, in torch's order: own parameters, own buffers, then the children in turn.
function registered(ways) {
  const chosen = Object.keys(WAYS).filter((way) => ways.includes(way));
  const own = chosen.includes("parameter") ? WAYS.parameter.parameters : [];
  const children = chosen.filter((way) => way !== "parameter").flatMap((way) => WAYS[way].parameters);
  const buffers = chosen.flatMap((way) => WAYS[way].buffers);
  return { parameters: [...own, ...children], state_dict: [...own, ...buffers, ...children] };
}

const LIMITS = { ways: (ways) => ways.every((way) => way in WAYS) };
const compute = { registered, accepts: (key, value) => within(LIMITS, key, value) };

function render({ model, el }) {
  const { root, says } = begin(el, "What a module registers");
  const code = element("pre", { class: "scroll", tabindex: 0, "aria-label": "the module's code" });
  const holder = element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "what each part is seen by" });
  const boxes = Object.entries(WAYS).map(([way, { code: line }]) => {
    const input = element("input", { type: "checkbox", name: way });
    input.addEventListener("input", () => {
      const others = model.get("ways").filter((other) => other !== way);
      put(model, "ways", input.checked ? [...others, way] : others);
    });
    const show = () => (input.checked = model.get("ways").includes(way));
    model.on("change:ways", show);
    show();
    return element("label", { class: "inline" }, input, element("code", {}, line));
  });

  const draw = () => {
    const ways = Object.keys(WAYS).filter((way) => model.get("ways").includes(way));
    const { parameters, state_dict: states } = registered(ways);
    code.textContent = ["class Mine(nn.Module):", "    def __init__(self):", "        super().__init__()", ...ways.map((way) => `        ${WAYS[way].code}`)].join("\n");
    const rows = ways.map((way) => {
      const { parameters: own, buffers } = WAYS[way];
      const sees = [own.length > 0, own.length + buffers.length > 0, own.length + buffers.length > 0];
      const cells = sees.map((yes) => element("td", { style: `font-weight: 600; color: ${yes ? "inherit" : "var(--pst-color-danger, #c0392b)"}` }, yes ? "✓ yes" : "✗ no"));
      return element("tr", {}, element("th", { scope: "row" }, element("code", {}, WAYS[way].code)), ...cells);
    });
    const head = ["kept as", "parameters()", "state_dict()", ".to(device)"].map((text) => element("th", { scope: "col" }, text));
    holder.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
    const forgotten = ways.filter((way) => WAYS[way].parameters.length + WAYS[way].buffers.length === 0);
    says.textContent = `parameters() gives ${parameters.length ? parameters.join(", ") : "nothing"}. state_dict() has ${states.length ? states.join(", ") : "nothing"}. ${
      forgotten.length ? `${forgotten.length} of ${ways.length} lines are forgotten: no optimiser, no file and no device will hear of them.` : "Nothing is forgotten."
    }`;
  };

  root.append(element("div", { class: "controls", role: "group", "aria-label": "lines of the module" }, ...boxes), code, holder, says);
  return follow(model, ["ways"], draw);
}

export default { render };
