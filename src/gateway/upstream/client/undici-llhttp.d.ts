// Types for undici's build of llhttp as WebAssembly, and for the little of WebAssembly that llhttp.ts uses: the types of
// Node.js leave it to those of browsers.

declare module 'undici/lib/llhttp/llhttp-wasm.js' {
  const wasm: Buffer<ArrayBuffer>;
  export default wasm;
}

declare namespace WebAssembly {
  class Module {
    constructor(wasm: Buffer<ArrayBuffer>);
  }

  class Memory {
    readonly buffer: ArrayBuffer;
  }

  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, (...values: number[]) => number>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
