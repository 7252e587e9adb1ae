// Writes what a Unity export has in its Build folder: each file compressed, under the name of its coding.
const { mkdirSync, writeFileSync } = require('node:fs');
const { brotliCompressSync, gzipSync } = require('node:zlib');

/** Runs in the page; `next` is the module's function. */
function framework() {
  globalThis.startGame = async (module, data) => {
    const { next } = module.instance.exports;
    document.querySelector('#result').textContent = `${data} ${next(41)}`;
    const button = document.querySelector('#count');
    button.onclick = () => {
      button.textContent = next(Number(button.textContent));
    };
  };
}

/** `next(n)` is n + 1. */
const MODULE =
  '0061736d01000000' +
  '01060160017f017f' +
  '03020100' +
  '0708' + '01046e6578740000' +
  '0a09' + '010700200041016a0b';

mkdirSync('site/Build', { recursive: true });
writeFileSync('site/Build/game.framework.js.gz', gzipSync(`(${framework})();`));
writeFileSync('site/Build/game.data.gz', gzipSync('The game says'));
writeFileSync('site/Build/game.wasm.br', brotliCompressSync(Buffer.from(MODULE, 'hex')));
