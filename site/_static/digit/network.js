/** The trained Net in the browser: ONNX Runtime's WebAssembly, one thread, every file from this site. */

const RUNTIME = "../onnxruntime-web/";
const address = (path) => new URL(path, import.meta.url).href;

/**
 * Load the runtime and the weights.
 * @returns {Promise<Network>} the network, ready to run
 * @throws {Error} whose message says what failed and what to do
 */
export async function loadNetwork() {
  if (typeof WebAssembly === "undefined") {
    throw new Error(
      "The network needs WebAssembly, and this browser has none or has it switched off. " +
        "Use a current Firefox, Chrome, Edge or Safari, without lockdown mode.",
    );
  }
  const [record, content] = await Promise.all([
    fetched("../net.json").then((answer) => answer.json()),
    fetched("../net.onnx").then((answer) => answer.arrayBuffer()),
  ]);
  try {
    const ort = await import(`${RUNTIME}ort.wasm.bundle.min.mjs`);
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = { wasm: address(`${RUNTIME}ort-wasm-simd-threaded.wasm`) };
    const session = await ort.InferenceSession.create(new Uint8Array(content), { executionProviders: ["wasm"] });
    return new Network(ort, session, record, content);
  } catch (error) {
    throw new Error(
      `WebAssembly could not start the network: ${error.message} Reload the page. If this stays, the server must ` +
        "send the folder _static/onnxruntime-web, and its content security policy must allow 'wasm-unsafe-eval'.",
    );
  }
}

async function fetched(path) {
  const answer = await fetch(address(path)).catch((error) => ({ ok: false, status: error.message }));
  if (!answer.ok) {
    throw new Error(`Expected the file ${address(path)}, got: ${answer.status}. Check the connection and reload.`);
  }
  return answer;
}

class Network {
  #ort;
  #session;
  #record;
  /** Parameters by name, such as "conv1.weight": Float32Array views of the ONNX file's own bytes. */
  parameters = {};

  constructor(ort, session, record, content) {
    this.#ort = ort;
    this.#session = session;
    this.#record = record;
    for (const [name, { shape, offset }] of Object.entries(record.parameters)) {
      const nb = shape.reduce((product, size) => product * size, 1);
      this.parameters[name] = new Float32Array(content.slice(offset, offset + 4 * nb));
    }
  }

  /**
   * Run one image.
   * @param {Uint8Array} pixels 784 values in 0..255, rows from the top, ink light as in MNIST
   * @returns {Promise<Object<string, Float32Array>>} "input" normalised, and each layer's activation by its name
   */
  async forward(pixels) {
    const { mean, std } = this.#record;
    const input = Float32Array.from(pixels, (pixel) => (pixel - mean) / std);
    const outputs = await this.#session.run({ input: new this.#ort.Tensor("float32", input, [1, 1, 28, 28]) });
    return { input, ...Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data])) };
  }
}
