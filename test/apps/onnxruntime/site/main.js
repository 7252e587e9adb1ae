// Runs a model on ONNX Runtime. Its only build is one for threads, which falls back to one without isolation.
const session = await ort.InferenceSession.create('add.onnx');
const tensor = number => new ort.Tensor('float32', [number], [1]);

async function add(a, b) {
  const { sum } = await session.run({ a: tensor(a), b: tensor(b) });
  return sum.data[0];
}

document.querySelector('#result').textContent = `ONNX Runtime says ${await add(40, 2)}`;
const button = document.querySelector('#count');
button.onclick = async () => {
  button.textContent = await add(Number(button.textContent), 1);
};
