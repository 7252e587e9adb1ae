// In place of node:diagnostics_channel: channels that nobody listens to.

const channel = { hasSubscribers: false, publish() {}, subscribe() {}, unsubscribe() {} };
const run = (call, _context, self, ...args) => call.apply(self, args);

exports.channel = () => channel;
exports.hasSubscribers = () => false;
exports.tracingChannel = () => ({
  ...channel,
  ...{ start: channel, end: channel, asyncStart: channel, asyncEnd: channel, error: channel },
  ...{
    traceSync: run,
    tracePromise: run,
    traceCallback: (call, _position, _context, self, ...args) => call.apply(self, args),
  },
});
