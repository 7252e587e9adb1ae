// Asks for the compressed files by their names, as the loader of a Unity export does. It can decompress none of them.
const [module, data] = await Promise.all([
  WebAssembly.instantiateStreaming(fetch('Build/game.wasm.br')),
  fetch('Build/game.data.gz').then(response => response.text()),
]);
await startGame(module, data);
