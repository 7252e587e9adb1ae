import init from './count.wasm?init';

const { exports } = await init();
document.querySelector('#result').textContent = `Vite says ${exports.sum(100)}`;
const button = document.querySelector('#count');
button.onclick = () => {
  button.textContent = exports.next(Number(button.textContent));
};
