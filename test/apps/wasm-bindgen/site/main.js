// The loader is the one that wasm-bindgen writes.
import init, { greet, next } from './app.js';

await init();
document.querySelector('#result').textContent = greet('the page');
const button = document.querySelector('#count');
button.onclick = () => {
  button.textContent = next(Number(button.textContent));
};
