// Writes a model that adds two numbers: ONNX is protocol buffers, and this one has 100 bytes (onnx.proto3 of ONNX).
const { writeFileSync } = require('node:fs');

const field = (number, content) => [(number << 3) | 2, content.length, ...content];
const text = (number, value) => field(number, [...Buffer.from(value)]);
const integer = (number, value) => [number << 3, value];

const FLOAT = 1;
/** A tensor of floats with one element. */
const value = name => [
  ...text(1, name),
  ...field(2, field(1, [...integer(1, FLOAT), ...field(2, field(1, integer(1, 1)))])),
];
const node = [...text(1, 'a'), ...text(1, 'b'), ...text(2, 'sum'), ...text(4, 'Add')];
const graph = [
  ...field(1, node),
  ...text(2, 'add'),
  ...field(11, value('a')),
  ...field(11, value('b')),
  ...field(12, value('sum')),
];
const model = [...integer(1, 8), ...field(7, graph), ...field(8, [...text(1, ''), ...integer(2, 13)])];
writeFileSync(process.argv[2], Buffer.from(model));
