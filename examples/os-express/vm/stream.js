// `stream` whose classes can be called without `new`, as older packages do (send, behind express.static).
const original = require('node:stream');

const makeCallable = base => {
  function Callable(...args) {
    const made = Reflect.construct(base, args, new.target || base);
    return new.target ? made : void Object.assign(this, made);
  }
  Object.setPrototypeOf(Callable, base);
  Callable.prototype = base.prototype;
  return Callable;
};
const Stream = makeCallable(original.Stream || original);
for (const [name, value] of Object.entries(original)) Stream[name] = value;
for (const name of ['Readable', 'Writable', 'Duplex', 'Transform', 'PassThrough'])
  Stream[name] = makeCallable(original[name]);
Stream.Stream = Stream;
module.exports = Stream;
