// As Go's misc/wasm/wasm_exec.html does it.
const go = new Go();
const { instance } = await WebAssembly.instantiateStreaming(fetch('main.wasm'), go.importObject);
go.run(instance);
