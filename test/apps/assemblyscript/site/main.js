// The loader is the one that `asc --bindings esm` writes.
import { next, sum } from './count.js';

document.querySelector('#result').textContent = `AssemblyScript says ${sum(100)}`;
const button = document.querySelector('#count');
button.onclick = () => {
  button.textContent = next(Number(button.textContent));
};
