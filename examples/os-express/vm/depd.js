// In place of the package depd, which reads V8's stack frames to warn of deprecated functions.

module.exports = () => Object.assign(() => {}, { function: deprecated => deprecated, property: () => {} });
