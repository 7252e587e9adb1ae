import { createRequire as __WEBPACK_EXTERNAL_createRequire } from "module";
import * as __WEBPACK_EXTERNAL_MODULE_node_module_abdfd1af__ from "node:module";
/******/ var __webpack_modules__ = ({

/***/ 3251:
/***/ (function(module) {

/**
  * This file contains the Bottleneck library (MIT), compiled to ES2017, and without Clustering support.
  * https://github.com/SGrondin/bottleneck
  */
(function (global, factory) {
	 true ? module.exports = factory() :
	0;
}(this, (function () { 'use strict';

	var commonjsGlobal = typeof globalThis !== 'undefined' ? globalThis : typeof window !== 'undefined' ? window : typeof global !== 'undefined' ? global : typeof self !== 'undefined' ? self : {};

	function getCjsExportFromNamespace (n) {
		return n && n['default'] || n;
	}

	var load = function(received, defaults, onto = {}) {
	  var k, ref, v;
	  for (k in defaults) {
	    v = defaults[k];
	    onto[k] = (ref = received[k]) != null ? ref : v;
	  }
	  return onto;
	};

	var overwrite = function(received, defaults, onto = {}) {
	  var k, v;
	  for (k in received) {
	    v = received[k];
	    if (defaults[k] !== void 0) {
	      onto[k] = v;
	    }
	  }
	  return onto;
	};

	var parser = {
		load: load,
		overwrite: overwrite
	};

	var DLList;

	DLList = class DLList {
	  constructor(incr, decr) {
	    this.incr = incr;
	    this.decr = decr;
	    this._first = null;
	    this._last = null;
	    this.length = 0;
	  }

	  push(value) {
	    var node;
	    this.length++;
	    if (typeof this.incr === "function") {
	      this.incr();
	    }
	    node = {
	      value,
	      prev: this._last,
	      next: null
	    };
	    if (this._last != null) {
	      this._last.next = node;
	      this._last = node;
	    } else {
	      this._first = this._last = node;
	    }
	    return void 0;
	  }

	  shift() {
	    var value;
	    if (this._first == null) {
	      return;
	    } else {
	      this.length--;
	      if (typeof this.decr === "function") {
	        this.decr();
	      }
	    }
	    value = this._first.value;
	    if ((this._first = this._first.next) != null) {
	      this._first.prev = null;
	    } else {
	      this._last = null;
	    }
	    return value;
	  }

	  first() {
	    if (this._first != null) {
	      return this._first.value;
	    }
	  }

	  getArray() {
	    var node, ref, results;
	    node = this._first;
	    results = [];
	    while (node != null) {
	      results.push((ref = node, node = node.next, ref.value));
	    }
	    return results;
	  }

	  forEachShift(cb) {
	    var node;
	    node = this.shift();
	    while (node != null) {
	      (cb(node), node = this.shift());
	    }
	    return void 0;
	  }

	  debug() {
	    var node, ref, ref1, ref2, results;
	    node = this._first;
	    results = [];
	    while (node != null) {
	      results.push((ref = node, node = node.next, {
	        value: ref.value,
	        prev: (ref1 = ref.prev) != null ? ref1.value : void 0,
	        next: (ref2 = ref.next) != null ? ref2.value : void 0
	      }));
	    }
	    return results;
	  }

	};

	var DLList_1 = DLList;

	var Events;

	Events = class Events {
	  constructor(instance) {
	    this.instance = instance;
	    this._events = {};
	    if ((this.instance.on != null) || (this.instance.once != null) || (this.instance.removeAllListeners != null)) {
	      throw new Error("An Emitter already exists for this object");
	    }
	    this.instance.on = (name, cb) => {
	      return this._addListener(name, "many", cb);
	    };
	    this.instance.once = (name, cb) => {
	      return this._addListener(name, "once", cb);
	    };
	    this.instance.removeAllListeners = (name = null) => {
	      if (name != null) {
	        return delete this._events[name];
	      } else {
	        return this._events = {};
	      }
	    };
	  }

	  _addListener(name, status, cb) {
	    var base;
	    if ((base = this._events)[name] == null) {
	      base[name] = [];
	    }
	    this._events[name].push({cb, status});
	    return this.instance;
	  }

	  listenerCount(name) {
	    if (this._events[name] != null) {
	      return this._events[name].length;
	    } else {
	      return 0;
	    }
	  }

	  async trigger(name, ...args) {
	    var e, promises;
	    try {
	      if (name !== "debug") {
	        this.trigger("debug", `Event triggered: ${name}`, args);
	      }
	      if (this._events[name] == null) {
	        return;
	      }
	      this._events[name] = this._events[name].filter(function(listener) {
	        return listener.status !== "none";
	      });
	      promises = this._events[name].map(async(listener) => {
	        var e, returned;
	        if (listener.status === "none") {
	          return;
	        }
	        if (listener.status === "once") {
	          listener.status = "none";
	        }
	        try {
	          returned = typeof listener.cb === "function" ? listener.cb(...args) : void 0;
	          if (typeof (returned != null ? returned.then : void 0) === "function") {
	            return (await returned);
	          } else {
	            return returned;
	          }
	        } catch (error) {
	          e = error;
	          {
	            this.trigger("error", e);
	          }
	          return null;
	        }
	      });
	      return ((await Promise.all(promises))).find(function(x) {
	        return x != null;
	      });
	    } catch (error) {
	      e = error;
	      {
	        this.trigger("error", e);
	      }
	      return null;
	    }
	  }

	};

	var Events_1 = Events;

	var DLList$1, Events$1, Queues;

	DLList$1 = DLList_1;

	Events$1 = Events_1;

	Queues = class Queues {
	  constructor(num_priorities) {
	    var i;
	    this.Events = new Events$1(this);
	    this._length = 0;
	    this._lists = (function() {
	      var j, ref, results;
	      results = [];
	      for (i = j = 1, ref = num_priorities; (1 <= ref ? j <= ref : j >= ref); i = 1 <= ref ? ++j : --j) {
	        results.push(new DLList$1((() => {
	          return this.incr();
	        }), (() => {
	          return this.decr();
	        })));
	      }
	      return results;
	    }).call(this);
	  }

	  incr() {
	    if (this._length++ === 0) {
	      return this.Events.trigger("leftzero");
	    }
	  }

	  decr() {
	    if (--this._length === 0) {
	      return this.Events.trigger("zero");
	    }
	  }

	  push(job) {
	    return this._lists[job.options.priority].push(job);
	  }

	  queued(priority) {
	    if (priority != null) {
	      return this._lists[priority].length;
	    } else {
	      return this._length;
	    }
	  }

	  shiftAll(fn) {
	    return this._lists.forEach(function(list) {
	      return list.forEachShift(fn);
	    });
	  }

	  getFirst(arr = this._lists) {
	    var j, len, list;
	    for (j = 0, len = arr.length; j < len; j++) {
	      list = arr[j];
	      if (list.length > 0) {
	        return list;
	      }
	    }
	    return [];
	  }

	  shiftLastFrom(priority) {
	    return this.getFirst(this._lists.slice(priority).reverse()).shift();
	  }

	};

	var Queues_1 = Queues;

	var BottleneckError;

	BottleneckError = class BottleneckError extends Error {};

	var BottleneckError_1 = BottleneckError;

	var BottleneckError$1, DEFAULT_PRIORITY, Job, NUM_PRIORITIES, parser$1;

	NUM_PRIORITIES = 10;

	DEFAULT_PRIORITY = 5;

	parser$1 = parser;

	BottleneckError$1 = BottleneckError_1;

	Job = class Job {
	  constructor(task, args, options, jobDefaults, rejectOnDrop, Events, _states, Promise) {
	    this.task = task;
	    this.args = args;
	    this.rejectOnDrop = rejectOnDrop;
	    this.Events = Events;
	    this._states = _states;
	    this.Promise = Promise;
	    this.options = parser$1.load(options, jobDefaults);
	    this.options.priority = this._sanitizePriority(this.options.priority);
	    if (this.options.id === jobDefaults.id) {
	      this.options.id = `${this.options.id}-${this._randomIndex()}`;
	    }
	    this.promise = new this.Promise((_resolve, _reject) => {
	      this._resolve = _resolve;
	      this._reject = _reject;
	    });
	    this.retryCount = 0;
	  }

	  _sanitizePriority(priority) {
	    var sProperty;
	    sProperty = ~~priority !== priority ? DEFAULT_PRIORITY : priority;
	    if (sProperty < 0) {
	      return 0;
	    } else if (sProperty > NUM_PRIORITIES - 1) {
	      return NUM_PRIORITIES - 1;
	    } else {
	      return sProperty;
	    }
	  }

	  _randomIndex() {
	    return Math.random().toString(36).slice(2);
	  }

	  doDrop({error, message = "This job has been dropped by Bottleneck"} = {}) {
	    if (this._states.remove(this.options.id)) {
	      if (this.rejectOnDrop) {
	        this._reject(error != null ? error : new BottleneckError$1(message));
	      }
	      this.Events.trigger("dropped", {args: this.args, options: this.options, task: this.task, promise: this.promise});
	      return true;
	    } else {
	      return false;
	    }
	  }

	  _assertStatus(expected) {
	    var status;
	    status = this._states.jobStatus(this.options.id);
	    if (!(status === expected || (expected === "DONE" && status === null))) {
	      throw new BottleneckError$1(`Invalid job status ${status}, expected ${expected}. Please open an issue at https://github.com/SGrondin/bottleneck/issues`);
	    }
	  }

	  doReceive() {
	    this._states.start(this.options.id);
	    return this.Events.trigger("received", {args: this.args, options: this.options});
	  }

	  doQueue(reachedHWM, blocked) {
	    this._assertStatus("RECEIVED");
	    this._states.next(this.options.id);
	    return this.Events.trigger("queued", {args: this.args, options: this.options, reachedHWM, blocked});
	  }

	  doRun() {
	    if (this.retryCount === 0) {
	      this._assertStatus("QUEUED");
	      this._states.next(this.options.id);
	    } else {
	      this._assertStatus("EXECUTING");
	    }
	    return this.Events.trigger("scheduled", {args: this.args, options: this.options});
	  }

	  async doExecute(chained, clearGlobalState, run, free) {
	    var error, eventInfo, passed;
	    if (this.retryCount === 0) {
	      this._assertStatus("RUNNING");
	      this._states.next(this.options.id);
	    } else {
	      this._assertStatus("EXECUTING");
	    }
	    eventInfo = {args: this.args, options: this.options, retryCount: this.retryCount};
	    this.Events.trigger("executing", eventInfo);
	    try {
	      passed = (await (chained != null ? chained.schedule(this.options, this.task, ...this.args) : this.task(...this.args)));
	      if (clearGlobalState()) {
	        this.doDone(eventInfo);
	        await free(this.options, eventInfo);
	        this._assertStatus("DONE");
	        return this._resolve(passed);
	      }
	    } catch (error1) {
	      error = error1;
	      return this._onFailure(error, eventInfo, clearGlobalState, run, free);
	    }
	  }

	  doExpire(clearGlobalState, run, free) {
	    var error, eventInfo;
	    if (this._states.jobStatus(this.options.id === "RUNNING")) {
	      this._states.next(this.options.id);
	    }
	    this._assertStatus("EXECUTING");
	    eventInfo = {args: this.args, options: this.options, retryCount: this.retryCount};
	    error = new BottleneckError$1(`This job timed out after ${this.options.expiration} ms.`);
	    return this._onFailure(error, eventInfo, clearGlobalState, run, free);
	  }

	  async _onFailure(error, eventInfo, clearGlobalState, run, free) {
	    var retry, retryAfter;
	    if (clearGlobalState()) {
	      retry = (await this.Events.trigger("failed", error, eventInfo));
	      if (retry != null) {
	        retryAfter = ~~retry;
	        this.Events.trigger("retry", `Retrying ${this.options.id} after ${retryAfter} ms`, eventInfo);
	        this.retryCount++;
	        return run(retryAfter);
	      } else {
	        this.doDone(eventInfo);
	        await free(this.options, eventInfo);
	        this._assertStatus("DONE");
	        return this._reject(error);
	      }
	    }
	  }

	  doDone(eventInfo) {
	    this._assertStatus("EXECUTING");
	    this._states.next(this.options.id);
	    return this.Events.trigger("done", eventInfo);
	  }

	};

	var Job_1 = Job;

	var BottleneckError$2, LocalDatastore, parser$2;

	parser$2 = parser;

	BottleneckError$2 = BottleneckError_1;

	LocalDatastore = class LocalDatastore {
	  constructor(instance, storeOptions, storeInstanceOptions) {
	    this.instance = instance;
	    this.storeOptions = storeOptions;
	    this.clientId = this.instance._randomIndex();
	    parser$2.load(storeInstanceOptions, storeInstanceOptions, this);
	    this._nextRequest = this._lastReservoirRefresh = this._lastReservoirIncrease = Date.now();
	    this._running = 0;
	    this._done = 0;
	    this._unblockTime = 0;
	    this.ready = this.Promise.resolve();
	    this.clients = {};
	    this._startHeartbeat();
	  }

	  _startHeartbeat() {
	    var base;
	    if ((this.heartbeat == null) && (((this.storeOptions.reservoirRefreshInterval != null) && (this.storeOptions.reservoirRefreshAmount != null)) || ((this.storeOptions.reservoirIncreaseInterval != null) && (this.storeOptions.reservoirIncreaseAmount != null)))) {
	      return typeof (base = (this.heartbeat = setInterval(() => {
	        var amount, incr, maximum, now, reservoir;
	        now = Date.now();
	        if ((this.storeOptions.reservoirRefreshInterval != null) && now >= this._lastReservoirRefresh + this.storeOptions.reservoirRefreshInterval) {
	          this._lastReservoirRefresh = now;
	          this.storeOptions.reservoir = this.storeOptions.reservoirRefreshAmount;
	          this.instance._drainAll(this.computeCapacity());
	        }
	        if ((this.storeOptions.reservoirIncreaseInterval != null) && now >= this._lastReservoirIncrease + this.storeOptions.reservoirIncreaseInterval) {
	          ({
	            reservoirIncreaseAmount: amount,
	            reservoirIncreaseMaximum: maximum,
	            reservoir
	          } = this.storeOptions);
	          this._lastReservoirIncrease = now;
	          incr = maximum != null ? Math.min(amount, maximum - reservoir) : amount;
	          if (incr > 0) {
	            this.storeOptions.reservoir += incr;
	            return this.instance._drainAll(this.computeCapacity());
	          }
	        }
	      }, this.heartbeatInterval))).unref === "function" ? base.unref() : void 0;
	    } else {
	      return clearInterval(this.heartbeat);
	    }
	  }

	  async __publish__(message) {
	    await this.yieldLoop();
	    return this.instance.Events.trigger("message", message.toString());
	  }

	  async __disconnect__(flush) {
	    await this.yieldLoop();
	    clearInterval(this.heartbeat);
	    return this.Promise.resolve();
	  }

	  yieldLoop(t = 0) {
	    return new this.Promise(function(resolve, reject) {
	      return setTimeout(resolve, t);
	    });
	  }

	  computePenalty() {
	    var ref;
	    return (ref = this.storeOptions.penalty) != null ? ref : (15 * this.storeOptions.minTime) || 5000;
	  }

	  async __updateSettings__(options) {
	    await this.yieldLoop();
	    parser$2.overwrite(options, options, this.storeOptions);
	    this._startHeartbeat();
	    this.instance._drainAll(this.computeCapacity());
	    return true;
	  }

	  async __running__() {
	    await this.yieldLoop();
	    return this._running;
	  }

	  async __queued__() {
	    await this.yieldLoop();
	    return this.instance.queued();
	  }

	  async __done__() {
	    await this.yieldLoop();
	    return this._done;
	  }

	  async __groupCheck__(time) {
	    await this.yieldLoop();
	    return (this._nextRequest + this.timeout) < time;
	  }

	  computeCapacity() {
	    var maxConcurrent, reservoir;
	    ({maxConcurrent, reservoir} = this.storeOptions);
	    if ((maxConcurrent != null) && (reservoir != null)) {
	      return Math.min(maxConcurrent - this._running, reservoir);
	    } else if (maxConcurrent != null) {
	      return maxConcurrent - this._running;
	    } else if (reservoir != null) {
	      return reservoir;
	    } else {
	      return null;
	    }
	  }

	  conditionsCheck(weight) {
	    var capacity;
	    capacity = this.computeCapacity();
	    return (capacity == null) || weight <= capacity;
	  }

	  async __incrementReservoir__(incr) {
	    var reservoir;
	    await this.yieldLoop();
	    reservoir = this.storeOptions.reservoir += incr;
	    this.instance._drainAll(this.computeCapacity());
	    return reservoir;
	  }

	  async __currentReservoir__() {
	    await this.yieldLoop();
	    return this.storeOptions.reservoir;
	  }

	  isBlocked(now) {
	    return this._unblockTime >= now;
	  }

	  check(weight, now) {
	    return this.conditionsCheck(weight) && (this._nextRequest - now) <= 0;
	  }

	  async __check__(weight) {
	    var now;
	    await this.yieldLoop();
	    now = Date.now();
	    return this.check(weight, now);
	  }

	  async __register__(index, weight, expiration) {
	    var now, wait;
	    await this.yieldLoop();
	    now = Date.now();
	    if (this.conditionsCheck(weight)) {
	      this._running += weight;
	      if (this.storeOptions.reservoir != null) {
	        this.storeOptions.reservoir -= weight;
	      }
	      wait = Math.max(this._nextRequest - now, 0);
	      this._nextRequest = now + wait + this.storeOptions.minTime;
	      return {
	        success: true,
	        wait,
	        reservoir: this.storeOptions.reservoir
	      };
	    } else {
	      return {
	        success: false
	      };
	    }
	  }

	  strategyIsBlock() {
	    return this.storeOptions.strategy === 3;
	  }

	  async __submit__(queueLength, weight) {
	    var blocked, now, reachedHWM;
	    await this.yieldLoop();
	    if ((this.storeOptions.maxConcurrent != null) && weight > this.storeOptions.maxConcurrent) {
	      throw new BottleneckError$2(`Impossible to add a job having a weight of ${weight} to a limiter having a maxConcurrent setting of ${this.storeOptions.maxConcurrent}`);
	    }
	    now = Date.now();
	    reachedHWM = (this.storeOptions.highWater != null) && queueLength === this.storeOptions.highWater && !this.check(weight, now);
	    blocked = this.strategyIsBlock() && (reachedHWM || this.isBlocked(now));
	    if (blocked) {
	      this._unblockTime = now + this.computePenalty();
	      this._nextRequest = this._unblockTime + this.storeOptions.minTime;
	      this.instance._dropAllQueued();
	    }
	    return {
	      reachedHWM,
	      blocked,
	      strategy: this.storeOptions.strategy
	    };
	  }

	  async __free__(index, weight) {
	    await this.yieldLoop();
	    this._running -= weight;
	    this._done += weight;
	    this.instance._drainAll(this.computeCapacity());
	    return {
	      running: this._running
	    };
	  }

	};

	var LocalDatastore_1 = LocalDatastore;

	var BottleneckError$3, States;

	BottleneckError$3 = BottleneckError_1;

	States = class States {
	  constructor(status1) {
	    this.status = status1;
	    this._jobs = {};
	    this.counts = this.status.map(function() {
	      return 0;
	    });
	  }

	  next(id) {
	    var current, next;
	    current = this._jobs[id];
	    next = current + 1;
	    if ((current != null) && next < this.status.length) {
	      this.counts[current]--;
	      this.counts[next]++;
	      return this._jobs[id]++;
	    } else if (current != null) {
	      this.counts[current]--;
	      return delete this._jobs[id];
	    }
	  }

	  start(id) {
	    var initial;
	    initial = 0;
	    this._jobs[id] = initial;
	    return this.counts[initial]++;
	  }

	  remove(id) {
	    var current;
	    current = this._jobs[id];
	    if (current != null) {
	      this.counts[current]--;
	      delete this._jobs[id];
	    }
	    return current != null;
	  }

	  jobStatus(id) {
	    var ref;
	    return (ref = this.status[this._jobs[id]]) != null ? ref : null;
	  }

	  statusJobs(status) {
	    var k, pos, ref, results, v;
	    if (status != null) {
	      pos = this.status.indexOf(status);
	      if (pos < 0) {
	        throw new BottleneckError$3(`status must be one of ${this.status.join(', ')}`);
	      }
	      ref = this._jobs;
	      results = [];
	      for (k in ref) {
	        v = ref[k];
	        if (v === pos) {
	          results.push(k);
	        }
	      }
	      return results;
	    } else {
	      return Object.keys(this._jobs);
	    }
	  }

	  statusCounts() {
	    return this.counts.reduce(((acc, v, i) => {
	      acc[this.status[i]] = v;
	      return acc;
	    }), {});
	  }

	};

	var States_1 = States;

	var DLList$2, Sync;

	DLList$2 = DLList_1;

	Sync = class Sync {
	  constructor(name, Promise) {
	    this.schedule = this.schedule.bind(this);
	    this.name = name;
	    this.Promise = Promise;
	    this._running = 0;
	    this._queue = new DLList$2();
	  }

	  isEmpty() {
	    return this._queue.length === 0;
	  }

	  async _tryToRun() {
	    var args, cb, error, reject, resolve, returned, task;
	    if ((this._running < 1) && this._queue.length > 0) {
	      this._running++;
	      ({task, args, resolve, reject} = this._queue.shift());
	      cb = (await (async function() {
	        try {
	          returned = (await task(...args));
	          return function() {
	            return resolve(returned);
	          };
	        } catch (error1) {
	          error = error1;
	          return function() {
	            return reject(error);
	          };
	        }
	      })());
	      this._running--;
	      this._tryToRun();
	      return cb();
	    }
	  }

	  schedule(task, ...args) {
	    var promise, reject, resolve;
	    resolve = reject = null;
	    promise = new this.Promise(function(_resolve, _reject) {
	      resolve = _resolve;
	      return reject = _reject;
	    });
	    this._queue.push({task, args, resolve, reject});
	    this._tryToRun();
	    return promise;
	  }

	};

	var Sync_1 = Sync;

	var version = "2.19.5";
	var version$1 = {
		version: version
	};

	var version$2 = /*#__PURE__*/Object.freeze({
		version: version,
		default: version$1
	});

	var require$$2 = () => console.log('You must import the full version of Bottleneck in order to use this feature.');

	var require$$3 = () => console.log('You must import the full version of Bottleneck in order to use this feature.');

	var require$$4 = () => console.log('You must import the full version of Bottleneck in order to use this feature.');

	var Events$2, Group, IORedisConnection$1, RedisConnection$1, Scripts$1, parser$3;

	parser$3 = parser;

	Events$2 = Events_1;

	RedisConnection$1 = require$$2;

	IORedisConnection$1 = require$$3;

	Scripts$1 = require$$4;

	Group = (function() {
	  class Group {
	    constructor(limiterOptions = {}) {
	      this.deleteKey = this.deleteKey.bind(this);
	      this.limiterOptions = limiterOptions;
	      parser$3.load(this.limiterOptions, this.defaults, this);
	      this.Events = new Events$2(this);
	      this.instances = {};
	      this.Bottleneck = Bottleneck_1;
	      this._startAutoCleanup();
	      this.sharedConnection = this.connection != null;
	      if (this.connection == null) {
	        if (this.limiterOptions.datastore === "redis") {
	          this.connection = new RedisConnection$1(Object.assign({}, this.limiterOptions, {Events: this.Events}));
	        } else if (this.limiterOptions.datastore === "ioredis") {
	          this.connection = new IORedisConnection$1(Object.assign({}, this.limiterOptions, {Events: this.Events}));
	        }
	      }
	    }

	    key(key = "") {
	      var ref;
	      return (ref = this.instances[key]) != null ? ref : (() => {
	        var limiter;
	        limiter = this.instances[key] = new this.Bottleneck(Object.assign(this.limiterOptions, {
	          id: `${this.id}-${key}`,
	          timeout: this.timeout,
	          connection: this.connection
	        }));
	        this.Events.trigger("created", limiter, key);
	        return limiter;
	      })();
	    }

	    async deleteKey(key = "") {
	      var deleted, instance;
	      instance = this.instances[key];
	      if (this.connection) {
	        deleted = (await this.connection.__runCommand__(['del', ...Scripts$1.allKeys(`${this.id}-${key}`)]));
	      }
	      if (instance != null) {
	        delete this.instances[key];
	        await instance.disconnect();
	      }
	      return (instance != null) || deleted > 0;
	    }

	    limiters() {
	      var k, ref, results, v;
	      ref = this.instances;
	      results = [];
	      for (k in ref) {
	        v = ref[k];
	        results.push({
	          key: k,
	          limiter: v
	        });
	      }
	      return results;
	    }

	    keys() {
	      return Object.keys(this.instances);
	    }

	    async clusterKeys() {
	      var cursor, end, found, i, k, keys, len, next, start;
	      if (this.connection == null) {
	        return this.Promise.resolve(this.keys());
	      }
	      keys = [];
	      cursor = null;
	      start = `b_${this.id}-`.length;
	      end = "_settings".length;
	      while (cursor !== 0) {
	        [next, found] = (await this.connection.__runCommand__(["scan", cursor != null ? cursor : 0, "match", `b_${this.id}-*_settings`, "count", 10000]));
	        cursor = ~~next;
	        for (i = 0, len = found.length; i < len; i++) {
	          k = found[i];
	          keys.push(k.slice(start, -end));
	        }
	      }
	      return keys;
	    }

	    _startAutoCleanup() {
	      var base;
	      clearInterval(this.interval);
	      return typeof (base = (this.interval = setInterval(async() => {
	        var e, k, ref, results, time, v;
	        time = Date.now();
	        ref = this.instances;
	        results = [];
	        for (k in ref) {
	          v = ref[k];
	          try {
	            if ((await v._store.__groupCheck__(time))) {
	              results.push(this.deleteKey(k));
	            } else {
	              results.push(void 0);
	            }
	          } catch (error) {
	            e = error;
	            results.push(v.Events.trigger("error", e));
	          }
	        }
	        return results;
	      }, this.timeout / 2))).unref === "function" ? base.unref() : void 0;
	    }

	    updateSettings(options = {}) {
	      parser$3.overwrite(options, this.defaults, this);
	      parser$3.overwrite(options, options, this.limiterOptions);
	      if (options.timeout != null) {
	        return this._startAutoCleanup();
	      }
	    }

	    disconnect(flush = true) {
	      var ref;
	      if (!this.sharedConnection) {
	        return (ref = this.connection) != null ? ref.disconnect(flush) : void 0;
	      }
	    }

	  }
	  Group.prototype.defaults = {
	    timeout: 1000 * 60 * 5,
	    connection: null,
	    Promise: Promise,
	    id: "group-key"
	  };

	  return Group;

	}).call(commonjsGlobal);

	var Group_1 = Group;

	var Batcher, Events$3, parser$4;

	parser$4 = parser;

	Events$3 = Events_1;

	Batcher = (function() {
	  class Batcher {
	    constructor(options = {}) {
	      this.options = options;
	      parser$4.load(this.options, this.defaults, this);
	      this.Events = new Events$3(this);
	      this._arr = [];
	      this._resetPromise();
	      this._lastFlush = Date.now();
	    }

	    _resetPromise() {
	      return this._promise = new this.Promise((res, rej) => {
	        return this._resolve = res;
	      });
	    }

	    _flush() {
	      clearTimeout(this._timeout);
	      this._lastFlush = Date.now();
	      this._resolve();
	      this.Events.trigger("batch", this._arr);
	      this._arr = [];
	      return this._resetPromise();
	    }

	    add(data) {
	      var ret;
	      this._arr.push(data);
	      ret = this._promise;
	      if (this._arr.length === this.maxSize) {
	        this._flush();
	      } else if ((this.maxTime != null) && this._arr.length === 1) {
	        this._timeout = setTimeout(() => {
	          return this._flush();
	        }, this.maxTime);
	      }
	      return ret;
	    }

	  }
	  Batcher.prototype.defaults = {
	    maxTime: null,
	    maxSize: null,
	    Promise: Promise
	  };

	  return Batcher;

	}).call(commonjsGlobal);

	var Batcher_1 = Batcher;

	var require$$4$1 = () => console.log('You must import the full version of Bottleneck in order to use this feature.');

	var require$$8 = getCjsExportFromNamespace(version$2);

	var Bottleneck, DEFAULT_PRIORITY$1, Events$4, Job$1, LocalDatastore$1, NUM_PRIORITIES$1, Queues$1, RedisDatastore$1, States$1, Sync$1, parser$5,
	  splice = [].splice;

	NUM_PRIORITIES$1 = 10;

	DEFAULT_PRIORITY$1 = 5;

	parser$5 = parser;

	Queues$1 = Queues_1;

	Job$1 = Job_1;

	LocalDatastore$1 = LocalDatastore_1;

	RedisDatastore$1 = require$$4$1;

	Events$4 = Events_1;

	States$1 = States_1;

	Sync$1 = Sync_1;

	Bottleneck = (function() {
	  class Bottleneck {
	    constructor(options = {}, ...invalid) {
	      var storeInstanceOptions, storeOptions;
	      this._addToQueue = this._addToQueue.bind(this);
	      this._validateOptions(options, invalid);
	      parser$5.load(options, this.instanceDefaults, this);
	      this._queues = new Queues$1(NUM_PRIORITIES$1);
	      this._scheduled = {};
	      this._states = new States$1(["RECEIVED", "QUEUED", "RUNNING", "EXECUTING"].concat(this.trackDoneStatus ? ["DONE"] : []));
	      this._limiter = null;
	      this.Events = new Events$4(this);
	      this._submitLock = new Sync$1("submit", this.Promise);
	      this._registerLock = new Sync$1("register", this.Promise);
	      storeOptions = parser$5.load(options, this.storeDefaults, {});
	      this._store = (function() {
	        if (this.datastore === "redis" || this.datastore === "ioredis" || (this.connection != null)) {
	          storeInstanceOptions = parser$5.load(options, this.redisStoreDefaults, {});
	          return new RedisDatastore$1(this, storeOptions, storeInstanceOptions);
	        } else if (this.datastore === "local") {
	          storeInstanceOptions = parser$5.load(options, this.localStoreDefaults, {});
	          return new LocalDatastore$1(this, storeOptions, storeInstanceOptions);
	        } else {
	          throw new Bottleneck.prototype.BottleneckError(`Invalid datastore type: ${this.datastore}`);
	        }
	      }).call(this);
	      this._queues.on("leftzero", () => {
	        var ref;
	        return (ref = this._store.heartbeat) != null ? typeof ref.ref === "function" ? ref.ref() : void 0 : void 0;
	      });
	      this._queues.on("zero", () => {
	        var ref;
	        return (ref = this._store.heartbeat) != null ? typeof ref.unref === "function" ? ref.unref() : void 0 : void 0;
	      });
	    }

	    _validateOptions(options, invalid) {
	      if (!((options != null) && typeof options === "object" && invalid.length === 0)) {
	        throw new Bottleneck.prototype.BottleneckError("Bottleneck v2 takes a single object argument. Refer to https://github.com/SGrondin/bottleneck#upgrading-to-v2 if you're upgrading from Bottleneck v1.");
	      }
	    }

	    ready() {
	      return this._store.ready;
	    }

	    clients() {
	      return this._store.clients;
	    }

	    channel() {
	      return `b_${this.id}`;
	    }

	    channel_client() {
	      return `b_${this.id}_${this._store.clientId}`;
	    }

	    publish(message) {
	      return this._store.__publish__(message);
	    }

	    disconnect(flush = true) {
	      return this._store.__disconnect__(flush);
	    }

	    chain(_limiter) {
	      this._limiter = _limiter;
	      return this;
	    }

	    queued(priority) {
	      return this._queues.queued(priority);
	    }

	    clusterQueued() {
	      return this._store.__queued__();
	    }

	    empty() {
	      return this.queued() === 0 && this._submitLock.isEmpty();
	    }

	    running() {
	      return this._store.__running__();
	    }

	    done() {
	      return this._store.__done__();
	    }

	    jobStatus(id) {
	      return this._states.jobStatus(id);
	    }

	    jobs(status) {
	      return this._states.statusJobs(status);
	    }

	    counts() {
	      return this._states.statusCounts();
	    }

	    _randomIndex() {
	      return Math.random().toString(36).slice(2);
	    }

	    check(weight = 1) {
	      return this._store.__check__(weight);
	    }

	    _clearGlobalState(index) {
	      if (this._scheduled[index] != null) {
	        clearTimeout(this._scheduled[index].expiration);
	        delete this._scheduled[index];
	        return true;
	      } else {
	        return false;
	      }
	    }

	    async _free(index, job, options, eventInfo) {
	      var e, running;
	      try {
	        ({running} = (await this._store.__free__(index, options.weight)));
	        this.Events.trigger("debug", `Freed ${options.id}`, eventInfo);
	        if (running === 0 && this.empty()) {
	          return this.Events.trigger("idle");
	        }
	      } catch (error1) {
	        e = error1;
	        return this.Events.trigger("error", e);
	      }
	    }

	    _run(index, job, wait) {
	      var clearGlobalState, free, run;
	      job.doRun();
	      clearGlobalState = this._clearGlobalState.bind(this, index);
	      run = this._run.bind(this, index, job);
	      free = this._free.bind(this, index, job);
	      return this._scheduled[index] = {
	        timeout: setTimeout(() => {
	          return job.doExecute(this._limiter, clearGlobalState, run, free);
	        }, wait),
	        expiration: job.options.expiration != null ? setTimeout(function() {
	          return job.doExpire(clearGlobalState, run, free);
	        }, wait + job.options.expiration) : void 0,
	        job: job
	      };
	    }

	    _drainOne(capacity) {
	      return this._registerLock.schedule(() => {
	        var args, index, next, options, queue;
	        if (this.queued() === 0) {
	          return this.Promise.resolve(null);
	        }
	        queue = this._queues.getFirst();
	        ({options, args} = next = queue.first());
	        if ((capacity != null) && options.weight > capacity) {
	          return this.Promise.resolve(null);
	        }
	        this.Events.trigger("debug", `Draining ${options.id}`, {args, options});
	        index = this._randomIndex();
	        return this._store.__register__(index, options.weight, options.expiration).then(({success, wait, reservoir}) => {
	          var empty;
	          this.Events.trigger("debug", `Drained ${options.id}`, {success, args, options});
	          if (success) {
	            queue.shift();
	            empty = this.empty();
	            if (empty) {
	              this.Events.trigger("empty");
	            }
	            if (reservoir === 0) {
	              this.Events.trigger("depleted", empty);
	            }
	            this._run(index, next, wait);
	            return this.Promise.resolve(options.weight);
	          } else {
	            return this.Promise.resolve(null);
	          }
	        });
	      });
	    }

	    _drainAll(capacity, total = 0) {
	      return this._drainOne(capacity).then((drained) => {
	        var newCapacity;
	        if (drained != null) {
	          newCapacity = capacity != null ? capacity - drained : capacity;
	          return this._drainAll(newCapacity, total + drained);
	        } else {
	          return this.Promise.resolve(total);
	        }
	      }).catch((e) => {
	        return this.Events.trigger("error", e);
	      });
	    }

	    _dropAllQueued(message) {
	      return this._queues.shiftAll(function(job) {
	        return job.doDrop({message});
	      });
	    }

	    stop(options = {}) {
	      var done, waitForExecuting;
	      options = parser$5.load(options, this.stopDefaults);
	      waitForExecuting = (at) => {
	        var finished;
	        finished = () => {
	          var counts;
	          counts = this._states.counts;
	          return (counts[0] + counts[1] + counts[2] + counts[3]) === at;
	        };
	        return new this.Promise((resolve, reject) => {
	          if (finished()) {
	            return resolve();
	          } else {
	            return this.on("done", () => {
	              if (finished()) {
	                this.removeAllListeners("done");
	                return resolve();
	              }
	            });
	          }
	        });
	      };
	      done = options.dropWaitingJobs ? (this._run = function(index, next) {
	        return next.doDrop({
	          message: options.dropErrorMessage
	        });
	      }, this._drainOne = () => {
	        return this.Promise.resolve(null);
	      }, this._registerLock.schedule(() => {
	        return this._submitLock.schedule(() => {
	          var k, ref, v;
	          ref = this._scheduled;
	          for (k in ref) {
	            v = ref[k];
	            if (this.jobStatus(v.job.options.id) === "RUNNING") {
	              clearTimeout(v.timeout);
	              clearTimeout(v.expiration);
	              v.job.doDrop({
	                message: options.dropErrorMessage
	              });
	            }
	          }
	          this._dropAllQueued(options.dropErrorMessage);
	          return waitForExecuting(0);
	        });
	      })) : this.schedule({
	        priority: NUM_PRIORITIES$1 - 1,
	        weight: 0
	      }, () => {
	        return waitForExecuting(1);
	      });
	      this._receive = function(job) {
	        return job._reject(new Bottleneck.prototype.BottleneckError(options.enqueueErrorMessage));
	      };
	      this.stop = () => {
	        return this.Promise.reject(new Bottleneck.prototype.BottleneckError("stop() has already been called"));
	      };
	      return done;
	    }

	    async _addToQueue(job) {
	      var args, blocked, error, options, reachedHWM, shifted, strategy;
	      ({args, options} = job);
	      try {
	        ({reachedHWM, blocked, strategy} = (await this._store.__submit__(this.queued(), options.weight)));
	      } catch (error1) {
	        error = error1;
	        this.Events.trigger("debug", `Could not queue ${options.id}`, {args, options, error});
	        job.doDrop({error});
	        return false;
	      }
	      if (blocked) {
	        job.doDrop();
	        return true;
	      } else if (reachedHWM) {
	        shifted = strategy === Bottleneck.prototype.strategy.LEAK ? this._queues.shiftLastFrom(options.priority) : strategy === Bottleneck.prototype.strategy.OVERFLOW_PRIORITY ? this._queues.shiftLastFrom(options.priority + 1) : strategy === Bottleneck.prototype.strategy.OVERFLOW ? job : void 0;
	        if (shifted != null) {
	          shifted.doDrop();
	        }
	        if ((shifted == null) || strategy === Bottleneck.prototype.strategy.OVERFLOW) {
	          if (shifted == null) {
	            job.doDrop();
	          }
	          return reachedHWM;
	        }
	      }
	      job.doQueue(reachedHWM, blocked);
	      this._queues.push(job);
	      await this._drainAll();
	      return reachedHWM;
	    }

	    _receive(job) {
	      if (this._states.jobStatus(job.options.id) != null) {
	        job._reject(new Bottleneck.prototype.BottleneckError(`A job with the same id already exists (id=${job.options.id})`));
	        return false;
	      } else {
	        job.doReceive();
	        return this._submitLock.schedule(this._addToQueue, job);
	      }
	    }

	    submit(...args) {
	      var cb, fn, job, options, ref, ref1, task;
	      if (typeof args[0] === "function") {
	        ref = args, [fn, ...args] = ref, [cb] = splice.call(args, -1);
	        options = parser$5.load({}, this.jobDefaults);
	      } else {
	        ref1 = args, [options, fn, ...args] = ref1, [cb] = splice.call(args, -1);
	        options = parser$5.load(options, this.jobDefaults);
	      }
	      task = (...args) => {
	        return new this.Promise(function(resolve, reject) {
	          return fn(...args, function(...args) {
	            return (args[0] != null ? reject : resolve)(args);
	          });
	        });
	      };
	      job = new Job$1(task, args, options, this.jobDefaults, this.rejectOnDrop, this.Events, this._states, this.Promise);
	      job.promise.then(function(args) {
	        return typeof cb === "function" ? cb(...args) : void 0;
	      }).catch(function(args) {
	        if (Array.isArray(args)) {
	          return typeof cb === "function" ? cb(...args) : void 0;
	        } else {
	          return typeof cb === "function" ? cb(args) : void 0;
	        }
	      });
	      return this._receive(job);
	    }

	    schedule(...args) {
	      var job, options, task;
	      if (typeof args[0] === "function") {
	        [task, ...args] = args;
	        options = {};
	      } else {
	        [options, task, ...args] = args;
	      }
	      job = new Job$1(task, args, options, this.jobDefaults, this.rejectOnDrop, this.Events, this._states, this.Promise);
	      this._receive(job);
	      return job.promise;
	    }

	    wrap(fn) {
	      var schedule, wrapped;
	      schedule = this.schedule.bind(this);
	      wrapped = function(...args) {
	        return schedule(fn.bind(this), ...args);
	      };
	      wrapped.withOptions = function(options, ...args) {
	        return schedule(options, fn, ...args);
	      };
	      return wrapped;
	    }

	    async updateSettings(options = {}) {
	      await this._store.__updateSettings__(parser$5.overwrite(options, this.storeDefaults));
	      parser$5.overwrite(options, this.instanceDefaults, this);
	      return this;
	    }

	    currentReservoir() {
	      return this._store.__currentReservoir__();
	    }

	    incrementReservoir(incr = 0) {
	      return this._store.__incrementReservoir__(incr);
	    }

	  }
	  Bottleneck.default = Bottleneck;

	  Bottleneck.Events = Events$4;

	  Bottleneck.version = Bottleneck.prototype.version = require$$8.version;

	  Bottleneck.strategy = Bottleneck.prototype.strategy = {
	    LEAK: 1,
	    OVERFLOW: 2,
	    OVERFLOW_PRIORITY: 4,
	    BLOCK: 3
	  };

	  Bottleneck.BottleneckError = Bottleneck.prototype.BottleneckError = BottleneckError_1;

	  Bottleneck.Group = Bottleneck.prototype.Group = Group_1;

	  Bottleneck.RedisConnection = Bottleneck.prototype.RedisConnection = require$$2;

	  Bottleneck.IORedisConnection = Bottleneck.prototype.IORedisConnection = require$$3;

	  Bottleneck.Batcher = Bottleneck.prototype.Batcher = Batcher_1;

	  Bottleneck.prototype.jobDefaults = {
	    priority: DEFAULT_PRIORITY$1,
	    weight: 1,
	    expiration: null,
	    id: "<no-id>"
	  };

	  Bottleneck.prototype.storeDefaults = {
	    maxConcurrent: null,
	    minTime: 0,
	    highWater: null,
	    strategy: Bottleneck.prototype.strategy.LEAK,
	    penalty: null,
	    reservoir: null,
	    reservoirRefreshInterval: null,
	    reservoirRefreshAmount: null,
	    reservoirIncreaseInterval: null,
	    reservoirIncreaseAmount: null,
	    reservoirIncreaseMaximum: null
	  };

	  Bottleneck.prototype.localStoreDefaults = {
	    Promise: Promise,
	    timeout: null,
	    heartbeatInterval: 250
	  };

	  Bottleneck.prototype.redisStoreDefaults = {
	    Promise: Promise,
	    timeout: null,
	    heartbeatInterval: 5000,
	    clientTimeout: 10000,
	    Redis: null,
	    clientOptions: {},
	    clusterNodes: null,
	    clearDatastore: false,
	    connection: null
	  };

	  Bottleneck.prototype.instanceDefaults = {
	    datastore: "local",
	    connection: null,
	    id: "<no-id>",
	    rejectOnDrop: true,
	    trackDoneStatus: false,
	    Promise: Promise
	  };

	  Bottleneck.prototype.stopDefaults = {
	    enqueueErrorMessage: "This limiter has been stopped and cannot accept new jobs.",
	    dropWaitingJobs: true,
	    dropErrorMessage: "This limiter has been stopped."
	  };

	  return Bottleneck;

	}).call(commonjsGlobal);

	var Bottleneck_1 = Bottleneck;

	var lib = Bottleneck_1;

	return lib;

})));


/***/ }),

/***/ 4589:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:assert");

/***/ }),

/***/ 6698:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:async_hooks");

/***/ }),

/***/ 4573:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:buffer");

/***/ }),

/***/ 7540:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:console");

/***/ }),

/***/ 7598:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:crypto");

/***/ }),

/***/ 3053:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:diagnostics_channel");

/***/ }),

/***/ 610:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:dns");

/***/ }),

/***/ 8474:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:events");

/***/ }),

/***/ 1455:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs/promises");

/***/ }),

/***/ 7067:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http");

/***/ }),

/***/ 2467:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http2");

/***/ }),

/***/ 7030:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:net");

/***/ }),

/***/ 6760:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:path");

/***/ }),

/***/ 643:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:perf_hooks");

/***/ }),

/***/ 1792:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:querystring");

/***/ }),

/***/ 99:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:sqlite");

/***/ }),

/***/ 7075:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream");

/***/ }),

/***/ 7830:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream/web");

/***/ }),

/***/ 7997:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:timers");

/***/ }),

/***/ 1692:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:tls");

/***/ }),

/***/ 3136:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:url");

/***/ }),

/***/ 7975:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:util");

/***/ }),

/***/ 3429:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:util/types");

/***/ }),

/***/ 5919:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:worker_threads");

/***/ }),

/***/ 8522:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:zlib");

/***/ })

/******/ });
/************************************************************************/
/******/ // The module cache
/******/ var __webpack_module_cache__ = {};
/******/ 
/******/ // The require function
/******/ function __nccwpck_require__(moduleId) {
/******/ 	// Check if module is in cache
/******/ 	var cachedModule = __webpack_module_cache__[moduleId];
/******/ 	if (cachedModule !== undefined) {
/******/ 		return cachedModule.exports;
/******/ 	}
/******/ 	// Create a new module (and put it into the cache)
/******/ 	var module = __webpack_module_cache__[moduleId] = {
/******/ 		id: moduleId,
/******/ 		loaded: false,
/******/ 		exports: {}
/******/ 	};
/******/ 
/******/ 	// Execute the module function
/******/ 	var threw = true;
/******/ 	try {
/******/ 		__webpack_modules__[moduleId].call(module.exports, module, module.exports, __nccwpck_require__);
/******/ 		threw = false;
/******/ 	} finally {
/******/ 		if(threw) delete __webpack_module_cache__[moduleId];
/******/ 	}
/******/ 
/******/ 	// Flag the module as loaded
/******/ 	module.loaded = true;
/******/ 
/******/ 	// Return the exports of the module
/******/ 	return module.exports;
/******/ }
/******/ 
/******/ // expose the modules object (__webpack_modules__)
/******/ __nccwpck_require__.m = __webpack_modules__;
/******/ 
/************************************************************************/
/******/ /* webpack/runtime/asset-relocator-loader */
/******/ if (typeof __nccwpck_require__ !== 'undefined') __nccwpck_require__.ab = decodeURIComponent(new URL('.', import.meta.url).pathname).slice(import.meta.url.match(/^file:\/\/\/\w:/) ? 1 : 0, -1) + "/";
/******/ 
/******/ /* webpack/runtime/create fake namespace object */
/******/ (() => {
/******/ 	var getProto = Object.getPrototypeOf ? (obj) => (Object.getPrototypeOf(obj)) : (obj) => (obj.__proto__);
/******/ 	var leafPrototypes;
/******/ 	// create a fake namespace object
/******/ 	// mode & 1: value is a module id, require it
/******/ 	// mode & 2: merge all properties of value into the ns
/******/ 	// mode & 4: return value when already ns object
/******/ 	// mode & 16: return value when it's Promise-like
/******/ 	// mode & 8|1: behave like require
/******/ 	__nccwpck_require__.t = function(value, mode) {
/******/ 		if(mode & 1) value = this(value);
/******/ 		if(mode & 8) return value;
/******/ 		if(typeof value === 'object' && value) {
/******/ 			if((mode & 4) && value.__esModule) return value;
/******/ 			if((mode & 16) && typeof value.then === 'function') return value;
/******/ 		}
/******/ 		var ns = Object.create(null);
/******/ 		__nccwpck_require__.r(ns);
/******/ 		var def = {};
/******/ 		leafPrototypes = leafPrototypes || [null, getProto({}), getProto([]), getProto(getProto)];
/******/ 		for(var current = mode & 2 && value; typeof current == 'object' && !~leafPrototypes.indexOf(current); current = getProto(current)) {
/******/ 			Object.getOwnPropertyNames(current).forEach((key) => (def[key] = () => (value[key])));
/******/ 		}
/******/ 		def['default'] = () => (value);
/******/ 		__nccwpck_require__.d(ns, def);
/******/ 		return ns;
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/define property getters */
/******/ (() => {
/******/ 	// define getter functions for harmony exports
/******/ 	__nccwpck_require__.d = (exports, definition) => {
/******/ 		for(var key in definition) {
/******/ 			if(__nccwpck_require__.o(definition, key) && !__nccwpck_require__.o(exports, key)) {
/******/ 				Object.defineProperty(exports, key, { enumerable: true, get: definition[key] });
/******/ 			}
/******/ 		}
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/ensure chunk */
/******/ (() => {
/******/ 	__nccwpck_require__.f = {};
/******/ 	// This file contains only the entry chunk.
/******/ 	// The chunk loading function for additional chunks
/******/ 	__nccwpck_require__.e = (chunkId) => {
/******/ 		return Promise.all(Object.keys(__nccwpck_require__.f).reduce((promises, key) => {
/******/ 			__nccwpck_require__.f[key](chunkId, promises);
/******/ 			return promises;
/******/ 		}, []));
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/get javascript chunk filename */
/******/ (() => {
/******/ 	// This function allow to reference async chunks
/******/ 	__nccwpck_require__.u = (chunkId) => {
/******/ 		// return url for filenames based on template
/******/ 		return "" + chunkId + ".index.js";
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/hasOwnProperty shorthand */
/******/ (() => {
/******/ 	__nccwpck_require__.o = (obj, prop) => (Object.prototype.hasOwnProperty.call(obj, prop))
/******/ })();
/******/ 
/******/ /* webpack/runtime/make namespace object */
/******/ (() => {
/******/ 	// define __esModule on exports
/******/ 	__nccwpck_require__.r = (exports) => {
/******/ 		if(typeof Symbol !== 'undefined' && Symbol.toStringTag) {
/******/ 			Object.defineProperty(exports, Symbol.toStringTag, { value: 'Module' });
/******/ 		}
/******/ 		Object.defineProperty(exports, '__esModule', { value: true });
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/node module decorator */
/******/ (() => {
/******/ 	__nccwpck_require__.nmd = (module) => {
/******/ 		module.paths = [];
/******/ 		if (!module.children) module.children = [];
/******/ 		return module;
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/import chunk loading */
/******/ (() => {
/******/ 	// no baseURI
/******/ 	
/******/ 	// object to store loaded and loading chunks
/******/ 	// undefined = chunk not loaded, null = chunk preloaded/prefetched
/******/ 	// [resolve, Promise] = chunk loading, 0 = chunk loaded
/******/ 	var installedChunks = {
/******/ 		792: 0
/******/ 	};
/******/ 	
/******/ 	var installChunk = (data) => {
/******/ 		var {ids, modules, runtime} = data;
/******/ 		// add "modules" to the modules object,
/******/ 		// then flag all "ids" as loaded and fire callback
/******/ 		var moduleId, chunkId, i = 0;
/******/ 		for(moduleId in modules) {
/******/ 			if(__nccwpck_require__.o(modules, moduleId)) {
/******/ 				__nccwpck_require__.m[moduleId] = modules[moduleId];
/******/ 			}
/******/ 		}
/******/ 		if(runtime) runtime(__nccwpck_require__);
/******/ 		for(;i < ids.length; i++) {
/******/ 			chunkId = ids[i];
/******/ 			if(__nccwpck_require__.o(installedChunks, chunkId) && installedChunks[chunkId]) {
/******/ 				installedChunks[chunkId][0]();
/******/ 			}
/******/ 			installedChunks[ids[i]] = 0;
/******/ 		}
/******/ 	
/******/ 	}
/******/ 	
/******/ 	__nccwpck_require__.f.j = (chunkId, promises) => {
/******/ 			// import() chunk loading for javascript
/******/ 			var installedChunkData = __nccwpck_require__.o(installedChunks, chunkId) ? installedChunks[chunkId] : undefined;
/******/ 			if(installedChunkData !== 0) { // 0 means "already installed".
/******/ 	
/******/ 				// a Promise means "currently loading".
/******/ 				if(installedChunkData) {
/******/ 					promises.push(installedChunkData[1]);
/******/ 				} else {
/******/ 					if(true) { // all chunks have JS
/******/ 						// setup Promise in chunk cache
/******/ 						var promise = import("./" + __nccwpck_require__.u(chunkId)).then(installChunk, (e) => {
/******/ 							if(installedChunks[chunkId] !== 0) installedChunks[chunkId] = undefined;
/******/ 							throw e;
/******/ 						});
/******/ 						var promise = Promise.race([promise, new Promise((resolve) => (installedChunkData = installedChunks[chunkId] = [resolve]))])
/******/ 						promises.push(installedChunkData[1] = promise);
/******/ 					}
/******/ 				}
/******/ 			}
/******/ 	};
/******/ 	
/******/ 	// no prefetching
/******/ 	
/******/ 	// no preloaded
/******/ 	
/******/ 	// no external install chunk
/******/ 	
/******/ 	// no on chunks loaded
/******/ })();
/******/ 
/************************************************************************/
var __webpack_exports__ = {};

;// CONCATENATED MODULE: external "node:timers/promises"
const promises_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:timers/promises");
;// CONCATENATED MODULE: ./build/js/shared/cancellation.js
// Ends a process that gets a signal while it still prepares a preview: waits, within a time limit, until the work has
// undone itself, and exits. Used by main, and by `expose run` until its preview runs in the foreground.

class Cancellation {
    #controller = new AbortController();
    #signals;
    #onCancel;
    #exitCode;
    #undoMs;
    #work;
    /** Listens from now on. The process exits at most `undoMs` after the signal; a second signal ends it at once. */
    constructor(signals, options) {
        this.#signals = signals;
        this.#exitCode = options.exitCode;
        this.#undoMs = options.undoMs;
        this.#onCancel = options.onCancel ?? (() => { });
        for (const signal of signals)
            process.once(signal, this.#leave);
    }
    /** Aborted when the process gets one of the signals. */
    get signal() {
        return this.#controller.signal;
    }
    /**
     * Runs work that stops and undoes itself when the signal is aborted; the process waits for that before it exits. The
     * promise stays pending then, so that nobody reports the cancelled work as failed.
     */
    async guard(work) {
        const running = work(this.signal);
        this.#work = running;
        try {
            return await running;
        }
        catch (error) {
            if (this.signal.aborted)
                return await new Promise(() => { });
            throw error;
        }
        finally {
            this.#work = undefined;
        }
    }
    /** Stops listening: the caller handles signals from now on. */
    stop() {
        for (const signal of this.#signals)
            process.off(signal, this.#leave);
    }
    #leave = () => {
        this.#onCancel();
        this.#controller.abort();
        const undone = this.#work?.catch(() => { });
        void Promise.race([undone, (0,promises_namespaceObject.setTimeout)(this.#undoMs)]).then(() => process.exit(this.#exitCode));
    };
}

;// CONCATENATED MODULE: external "node:fs"
const external_node_fs_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs");
;// CONCATENATED MODULE: ./build/js/shared/errors.js
// The error classes of all folders. Lower layers throw them with a cause; the programs decide what is fatal.
/** The workflow (or the command line) must change. Carries every problem found, so that all are reported at once. */
class errors_InputError extends Error {
    problems;
    constructor(problems, options) {
        const list = typeof problems === 'string' ? [problems] : problems;
        super(list.join('\n'), options);
        this.name = 'InputError';
        this.problems = list;
    }
}
/** The tunnel could not be opened or kept. `retryable` says whether trying again may help. */
class TunnelError extends Error {
    retryable;
    constructor(message, options) {
        super(message, options);
        this.name = 'TunnelError';
        this.retryable = options.retryable;
    }
}
/** The app did not start, or ended. */
class errors_AppError extends Error {
    /** Exit code of the program; undefined if it did not exit, or not by itself. */
    exitCode;
    /** The last lines it printed, oldest first; at most 20. */
    lastLines;
    /** False if another start would fail in the same way. */
    restartable;
    constructor(message, options = {}) {
        super(message, options);
        this.name = 'AppError';
        this.exitCode = options.exitCode;
        this.lastLines = options.lastLines ?? [];
        this.restartable = options.restartable ?? true;
    }
}
/** The message of anything thrown, followed by the messages of its causes: `a: b: c`. One line per problem. */
function errors_describeError(error) {
    if (!(error instanceof Error))
        return String(error);
    // node:net tries all addresses of a name, and then throws an AggregateError without a message.
    const attempts = error instanceof AggregateError ? error.errors.map(errors_describeError).join(', ') : '';
    const message = error.message || attempts;
    // A time-out as the cause adds nothing to a message that already says what was waited for.
    const cause = error.cause === undefined || (message !== '' && isTimeout(error.cause)) ? '' : errors_describeError(error.cause);
    return cause === '' || message.includes(cause) ? message : `${message}: ${cause}`;
}
/** True for the reason of `AbortSignal.timeout`: a time limit was reached, and nobody cancelled the work. */
function isTimeout(error) {
    return error instanceof Error && error.name === 'TimeoutError';
}
/** True for an error of node:fs, node:net or node:dns with that `code`. */
function errors_hasCode(error, ...codes) {
    return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

;// CONCATENATED MODULE: ./build/js/shared/output.js
// Writes to streams and files that may fail at any moment: a full disk, a closed terminal, a pipe whose reader is gone
// or slow. Used by the programs and by commands/foreground.ts. Nothing here throws, and every 'error' event has a
// listener: otherwise the handler for uncaught errors would run, and try to write again.


/** How much waits for a slow reader. Beyond that, lines are left out, because an app may print without end. */
const MAX_WAITING_BYTES = (/* unused pure expression or super */ null && (1024 * 1024));
const READER_GRACE_MS = 1_000;
/** From now on a failed write to stdout or stderr is not an exception. Called by every process but the page host. */
function tolerateBrokenOutput() {
    for (const stream of [process.stdout, process.stderr])
        stream.on('error', () => { });
}
/**
 * Sets the exit code. The process ends by itself once everything is written, or after a second: if nobody reads a pipe,
 * Node would wait for ever.
 */
function leaveWith(code) {
    process.exitCode = code;
    if (process.stdout.writableLength + process.stderr.writableLength > 0)
        setTimeout(() => process.exit(code), READER_GRACE_MS).unref();
}
/** A stream of lines for a person or a pipe. */
class LineOutput {
    #stream;
    #onLost;
    #onDrain = () => this.#reportSkipped();
    #onError = (error) => {
        if (this.#isLost)
            return;
        this.#isLost = true;
        this.#onLost(describeError(error));
    };
    #skipped = 0;
    #isLost = false;
    /** `onLost` is called once, with the reason, when the stream cannot be written to any more. */
    constructor(stream, onLost = () => { }) {
        this.#stream = stream;
        this.#onLost = onLost;
        stream.on('drain', this.#onDrain).on('error', this.#onError);
    }
    /** Removes the listeners from the stream, which may outlive this. Nothing is to be written afterwards. */
    release() {
        this.#stream.off('drain', this.#onDrain).off('error', this.#onError);
    }
    get isLost() {
        return this.#isLost;
    }
    get isTerminal() {
        return this.#stream.isTTY === true;
    }
    get columns() {
        return this.#stream.columns || 80;
    }
    /** Writes the text as it is, and never leaves it out. */
    write(text) {
        if (!this.#isLost)
            this.#stream.write(text);
    }
    /** Writes a line, or leaves it out if the reader is slow. Once the reader has caught up, a line gives the number. */
    writeLine(line) {
        if (this.#stream.writableLength > MAX_WAITING_BYTES)
            this.#skipped += 1;
        else {
            this.#reportSkipped();
            this.write(`${line}\n`);
        }
    }
    #reportSkipped() {
        if (this.#skipped === 0)
            return;
        const count = this.#skipped;
        this.#skipped = 0;
        this.write(`… ${count} lines left out: they came faster than they were read\n`);
    }
}
/**
 * A log file of limited size, behind a descriptor. What cannot be written is lost and counted; when writing works
 * again, a line says so.
 */
class LogFile {
    #descriptor;
    #maxBytes;
    #onLost;
    #bytes = 0;
    #lost = 0;
    #endsInLine = true;
    /** `onLost` is called each time writing begins to fail. */
    constructor(descriptor, maxBytes, onLost) {
        this.#descriptor = descriptor;
        this.#maxBytes = maxBytes;
        this.#onLost = onLost;
    }
    /** Whether only errors are still written: a noisy app must not fill the runner's disk. */
    get isFull() {
        return this.#bytes > this.#maxBytes;
    }
    writeLine(line, isError) {
        if (this.isFull && !isError)
            return;
        const wasFull = this.isFull;
        if (this.#lost > 0 && this.#append(`(lines missing here: ${this.#lost})\n`))
            this.#lost = 0;
        if (this.#lost > 0 || !this.#append(`${line}\n`))
            this.#lost += 1;
        if (!wasFull && this.isFull)
            this.#append('the log is full; only errors follow\n');
    }
    #append(text) {
        const bytes = Buffer.from(this.#endsInLine ? text : `\n${text}`);
        this.#bytes += bytes.length;
        try {
            const written = writeSync(this.#descriptor, bytes);
            this.#endsInLine = written === bytes.length || bytes[written - 1] === 0x0a;
            if (written < bytes.length)
                throw new Error('no space is left');
            return true;
        }
        catch (error) {
            if (this.#lost === 0)
                this.#onLost(describeError(error));
            return false;
        }
    }
}

;// CONCATENATED MODULE: external "os"
const external_os_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("os");
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/utils.js
// We use any as a valid input type
/* eslint-disable @typescript-eslint/no-explicit-any */
/**
 * Sanitizes an input into a string so it can be passed into issueCommand safely
 * @param input input to sanitize into a string
 */
function utils_toCommandValue(input) {
    if (input === null || input === undefined) {
        return '';
    }
    else if (typeof input === 'string' || input instanceof String) {
        return input;
    }
    return JSON.stringify(input);
}
/**
 *
 * @param annotationProperties
 * @returns The command properties to send with the actual annotation command
 * See IssueCommandProperties: https://github.com/actions/runner/blob/main/src/Runner.Worker/ActionCommandManager.cs#L646
 */
function toCommandProperties(annotationProperties) {
    if (!Object.keys(annotationProperties).length) {
        return {};
    }
    return {
        title: annotationProperties.title,
        file: annotationProperties.file,
        line: annotationProperties.startLine,
        endLine: annotationProperties.endLine,
        col: annotationProperties.startColumn,
        endColumn: annotationProperties.endColumn
    };
}
//# sourceMappingURL=utils.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/command.js


/**
 * Issues a command to the GitHub Actions runner
 *
 * @param command - The command name to issue
 * @param properties - Additional properties for the command (key-value pairs)
 * @param message - The message to include with the command
 * @remarks
 * This function outputs a specially formatted string to stdout that the Actions
 * runner interprets as a command. These commands can control workflow behavior,
 * set outputs, create annotations, mask values, and more.
 *
 * Command Format:
 *   ::name key=value,key=value::message
 *
 * @example
 * ```typescript
 * // Issue a warning annotation
 * issueCommand('warning', {}, 'This is a warning message');
 * // Output: ::warning::This is a warning message
 *
 * // Set an environment variable
 * issueCommand('set-env', { name: 'MY_VAR' }, 'some value');
 * // Output: ::set-env name=MY_VAR::some value
 *
 * // Add a secret mask
 * issueCommand('add-mask', {}, 'secretValue123');
 * // Output: ::add-mask::secretValue123
 * ```
 *
 * @internal
 * This is an internal utility function that powers the public API functions
 * such as setSecret, warning, error, and exportVariable.
 */
function command_issueCommand(command, properties, message) {
    const cmd = new Command(command, properties, message);
    process.stdout.write(cmd.toString() + external_os_namespaceObject.EOL);
}
function command_issue(name, message = '') {
    command_issueCommand(name, {}, message);
}
const CMD_STRING = '::';
class Command {
    constructor(command, properties, message) {
        if (!command) {
            command = 'missing.command';
        }
        this.command = command;
        this.properties = properties;
        this.message = message;
    }
    toString() {
        let cmdStr = CMD_STRING + this.command;
        if (this.properties && Object.keys(this.properties).length > 0) {
            cmdStr += ' ';
            let first = true;
            for (const key in this.properties) {
                if (this.properties.hasOwnProperty(key)) {
                    const val = this.properties[key];
                    if (val) {
                        if (first) {
                            first = false;
                        }
                        else {
                            cmdStr += ',';
                        }
                        cmdStr += `${key}=${escapeProperty(val)}`;
                    }
                }
            }
        }
        cmdStr += `${CMD_STRING}${escapeData(this.message)}`;
        return cmdStr;
    }
}
function escapeData(s) {
    return utils_toCommandValue(s)
        .replace(/%/g, '%25')
        .replace(/\r/g, '%0D')
        .replace(/\n/g, '%0A');
}
function escapeProperty(s) {
    return utils_toCommandValue(s)
        .replace(/%/g, '%25')
        .replace(/\r/g, '%0D')
        .replace(/\n/g, '%0A')
        .replace(/:/g, '%3A')
        .replace(/,/g, '%2C');
}
//# sourceMappingURL=command.js.map
;// CONCATENATED MODULE: external "crypto"
const external_crypto_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("crypto");
;// CONCATENATED MODULE: external "fs"
const external_fs_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("fs");
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/file-command.js
// For internal use, subject to change.
// We use any as a valid input type
/* eslint-disable @typescript-eslint/no-explicit-any */




function file_command_issueFileCommand(command, message) {
    const filePath = process.env[`GITHUB_${command}`];
    if (!filePath) {
        throw new Error(`Unable to find environment variable for file command ${command}`);
    }
    if (!external_fs_namespaceObject.existsSync(filePath)) {
        throw new Error(`Missing file at path: ${filePath}`);
    }
    external_fs_namespaceObject.appendFileSync(filePath, `${utils_toCommandValue(message)}${external_os_namespaceObject.EOL}`, {
        encoding: 'utf8'
    });
}
function file_command_prepareKeyValueMessage(key, value) {
    const delimiter = `ghadelimiter_${external_crypto_namespaceObject.randomUUID()}`;
    const convertedValue = utils_toCommandValue(value);
    // These should realistically never happen, but just in case someone finds a
    // way to exploit uuid generation let's not allow keys or values that contain
    // the delimiter.
    if (key.includes(delimiter)) {
        throw new Error(`Unexpected input: name should not contain the delimiter "${delimiter}"`);
    }
    if (convertedValue.includes(delimiter)) {
        throw new Error(`Unexpected input: value should not contain the delimiter "${delimiter}"`);
    }
    return `${key}<<${delimiter}${external_os_namespaceObject.EOL}${convertedValue}${external_os_namespaceObject.EOL}${delimiter}`;
}
//# sourceMappingURL=file-command.js.map
;// CONCATENATED MODULE: external "path"
const external_path_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("path");
;// CONCATENATED MODULE: external "node:module"
var x = (y) => {
	var x = {}; __nccwpck_require__.d(x, y); return x
} 
var y = (x) => (() => (x))
const external_node_module_namespaceObject = x({  });
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/oidc-utils.js
var __awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};



class oidc_utils_OidcClient {
    static createHttpClient(allowRetry = true, maxRetry = 10) {
        const requestOptions = {
            allowRetries: allowRetry,
            maxRetries: maxRetry
        };
        return new HttpClient('actions/oidc-client', [new BearerCredentialHandler(oidc_utils_OidcClient.getRequestToken())], requestOptions);
    }
    static getRequestToken() {
        const token = process.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
        if (!token) {
            throw new Error('Unable to get ACTIONS_ID_TOKEN_REQUEST_TOKEN env variable');
        }
        return token;
    }
    static getIDTokenUrl() {
        const runtimeUrl = process.env['ACTIONS_ID_TOKEN_REQUEST_URL'];
        if (!runtimeUrl) {
            throw new Error('Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable');
        }
        return runtimeUrl;
    }
    static getCall(id_token_url) {
        return __awaiter(this, void 0, void 0, function* () {
            var _a;
            const httpclient = oidc_utils_OidcClient.createHttpClient();
            const res = yield httpclient
                .getJson(id_token_url)
                .catch(error => {
                throw new Error(`Failed to get ID Token. \n 
        Error Code : ${error.statusCode}\n 
        Error Message: ${error.message}`);
            });
            const id_token = (_a = res.result) === null || _a === void 0 ? void 0 : _a.value;
            if (!id_token) {
                throw new Error('Response json body do not have ID Token field');
            }
            return id_token;
        });
    }
    static getIDToken(audience) {
        return __awaiter(this, void 0, void 0, function* () {
            try {
                // New ID Token is requested from action service
                let id_token_url = oidc_utils_OidcClient.getIDTokenUrl();
                if (audience) {
                    const encodedAudience = encodeURIComponent(audience);
                    id_token_url = `${id_token_url}&audience=${encodedAudience}`;
                }
                debug(`ID token url is ${id_token_url}`);
                const id_token = yield oidc_utils_OidcClient.getCall(id_token_url);
                setSecret(id_token);
                return id_token;
            }
            catch (error) {
                throw new Error(`Error message: ${error.message}`);
            }
        });
    }
}
//# sourceMappingURL=oidc-utils.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/summary.js
var summary_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};


const { access, appendFile, writeFile: summary_writeFile } = external_fs_namespaceObject.promises;
const SUMMARY_ENV_VAR = 'GITHUB_STEP_SUMMARY';
const SUMMARY_DOCS_URL = 'https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions#adding-a-job-summary';
class Summary {
    constructor() {
        this._buffer = '';
    }
    /**
     * Finds the summary file path from the environment, rejects if env var is not found or file does not exist
     * Also checks r/w permissions.
     *
     * @returns step summary file path
     */
    filePath() {
        return summary_awaiter(this, void 0, void 0, function* () {
            if (this._filePath) {
                return this._filePath;
            }
            const pathFromEnv = process.env[SUMMARY_ENV_VAR];
            if (!pathFromEnv) {
                throw new Error(`Unable to find environment variable for $${SUMMARY_ENV_VAR}. Check if your runtime environment supports job summaries.`);
            }
            try {
                yield access(pathFromEnv, external_fs_namespaceObject.constants.R_OK | external_fs_namespaceObject.constants.W_OK);
            }
            catch (_a) {
                throw new Error(`Unable to access summary file: '${pathFromEnv}'. Check if the file has correct read/write permissions.`);
            }
            this._filePath = pathFromEnv;
            return this._filePath;
        });
    }
    /**
     * Wraps content in an HTML tag, adding any HTML attributes
     *
     * @param {string} tag HTML tag to wrap
     * @param {string | null} content content within the tag
     * @param {[attribute: string]: string} attrs key-value list of HTML attributes to add
     *
     * @returns {string} content wrapped in HTML element
     */
    wrap(tag, content, attrs = {}) {
        const htmlAttrs = Object.entries(attrs)
            .map(([key, value]) => ` ${key}="${value}"`)
            .join('');
        if (!content) {
            return `<${tag}${htmlAttrs}>`;
        }
        return `<${tag}${htmlAttrs}>${content}</${tag}>`;
    }
    /**
     * Writes text in the buffer to the summary buffer file and empties buffer. Will append by default.
     *
     * @param {SummaryWriteOptions} [options] (optional) options for write operation
     *
     * @returns {Promise<Summary>} summary instance
     */
    write(options) {
        return summary_awaiter(this, void 0, void 0, function* () {
            const overwrite = !!(options === null || options === void 0 ? void 0 : options.overwrite);
            const filePath = yield this.filePath();
            const writeFunc = overwrite ? summary_writeFile : appendFile;
            yield writeFunc(filePath, this._buffer, { encoding: 'utf8' });
            return this.emptyBuffer();
        });
    }
    /**
     * Clears the summary buffer and wipes the summary file
     *
     * @returns {Summary} summary instance
     */
    clear() {
        return summary_awaiter(this, void 0, void 0, function* () {
            return this.emptyBuffer().write({ overwrite: true });
        });
    }
    /**
     * Returns the current summary buffer as a string
     *
     * @returns {string} string of summary buffer
     */
    stringify() {
        return this._buffer;
    }
    /**
     * If the summary buffer is empty
     *
     * @returns {boolen} true if the buffer is empty
     */
    isEmptyBuffer() {
        return this._buffer.length === 0;
    }
    /**
     * Resets the summary buffer without writing to summary file
     *
     * @returns {Summary} summary instance
     */
    emptyBuffer() {
        this._buffer = '';
        return this;
    }
    /**
     * Adds raw text to the summary buffer
     *
     * @param {string} text content to add
     * @param {boolean} [addEOL=false] (optional) append an EOL to the raw text (default: false)
     *
     * @returns {Summary} summary instance
     */
    addRaw(text, addEOL = false) {
        this._buffer += text;
        return addEOL ? this.addEOL() : this;
    }
    /**
     * Adds the operating system-specific end-of-line marker to the buffer
     *
     * @returns {Summary} summary instance
     */
    addEOL() {
        return this.addRaw(external_os_namespaceObject.EOL);
    }
    /**
     * Adds an HTML codeblock to the summary buffer
     *
     * @param {string} code content to render within fenced code block
     * @param {string} lang (optional) language to syntax highlight code
     *
     * @returns {Summary} summary instance
     */
    addCodeBlock(code, lang) {
        const attrs = Object.assign({}, (lang && { lang }));
        const element = this.wrap('pre', this.wrap('code', code), attrs);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML list to the summary buffer
     *
     * @param {string[]} items list of items to render
     * @param {boolean} [ordered=false] (optional) if the rendered list should be ordered or not (default: false)
     *
     * @returns {Summary} summary instance
     */
    addList(items, ordered = false) {
        const tag = ordered ? 'ol' : 'ul';
        const listItems = items.map(item => this.wrap('li', item)).join('');
        const element = this.wrap(tag, listItems);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML table to the summary buffer
     *
     * @param {SummaryTableCell[]} rows table rows
     *
     * @returns {Summary} summary instance
     */
    addTable(rows) {
        const tableBody = rows
            .map(row => {
            const cells = row
                .map(cell => {
                if (typeof cell === 'string') {
                    return this.wrap('td', cell);
                }
                const { header, data, colspan, rowspan } = cell;
                const tag = header ? 'th' : 'td';
                const attrs = Object.assign(Object.assign({}, (colspan && { colspan })), (rowspan && { rowspan }));
                return this.wrap(tag, data, attrs);
            })
                .join('');
            return this.wrap('tr', cells);
        })
            .join('');
        const element = this.wrap('table', tableBody);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds a collapsable HTML details element to the summary buffer
     *
     * @param {string} label text for the closed state
     * @param {string} content collapsable content
     *
     * @returns {Summary} summary instance
     */
    addDetails(label, content) {
        const element = this.wrap('details', this.wrap('summary', label) + content);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML image tag to the summary buffer
     *
     * @param {string} src path to the image you to embed
     * @param {string} alt text description of the image
     * @param {SummaryImageOptions} options (optional) addition image attributes
     *
     * @returns {Summary} summary instance
     */
    addImage(src, alt, options) {
        const { width, height } = options || {};
        const attrs = Object.assign(Object.assign({}, (width && { width })), (height && { height }));
        const element = this.wrap('img', null, Object.assign({ src, alt }, attrs));
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML section heading element
     *
     * @param {string} text heading text
     * @param {number | string} [level=1] (optional) the heading level, default: 1
     *
     * @returns {Summary} summary instance
     */
    addHeading(text, level) {
        const tag = `h${level}`;
        const allowedTag = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].includes(tag)
            ? tag
            : 'h1';
        const element = this.wrap(allowedTag, text);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML thematic break (<hr>) to the summary buffer
     *
     * @returns {Summary} summary instance
     */
    addSeparator() {
        const element = this.wrap('hr', null);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML line break (<br>) to the summary buffer
     *
     * @returns {Summary} summary instance
     */
    addBreak() {
        const element = this.wrap('br', null);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML blockquote to the summary buffer
     *
     * @param {string} text quote text
     * @param {string} cite (optional) citation url
     *
     * @returns {Summary} summary instance
     */
    addQuote(text, cite) {
        const attrs = Object.assign({}, (cite && { cite }));
        const element = this.wrap('blockquote', text, attrs);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML anchor tag to the summary buffer
     *
     * @param {string} text link text/content
     * @param {string} href hyperlink
     *
     * @returns {Summary} summary instance
     */
    addLink(text, href) {
        const element = this.wrap('a', text, { href });
        return this.addRaw(element).addEOL();
    }
}
const _summary = new Summary();
/**
 * @deprecated use `core.summary`
 */
const markdownSummary = (/* unused pure expression or super */ null && (_summary));
const summary = _summary;
//# sourceMappingURL=summary.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/path-utils.js

/**
 * toPosixPath converts the given path to the posix form. On Windows, \\ will be
 * replaced with /.
 *
 * @param pth. Path to transform.
 * @return string Posix path.
 */
function toPosixPath(pth) {
    return pth.replace(/[\\]/g, '/');
}
/**
 * toWin32Path converts the given path to the win32 form. On Linux, / will be
 * replaced with \\.
 *
 * @param pth. Path to transform.
 * @return string Win32 path.
 */
function toWin32Path(pth) {
    return pth.replace(/[/]/g, '\\');
}
/**
 * toPlatformPath converts the given path to a platform-specific path. It does
 * this by replacing instances of / and \ with the platform-specific path
 * separator.
 *
 * @param pth The path to platformize.
 * @return string The platform-specific path.
 */
function toPlatformPath(pth) {
    return pth.replace(/[/\\]/g, path.sep);
}
//# sourceMappingURL=path-utils.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/platform.js
var platform_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};


const getWindowsInfo = () => platform_awaiter(void 0, void 0, void 0, function* () {
    const { stdout: version } = yield exec.getExecOutput('powershell -command "(Get-CimInstance -ClassName Win32_OperatingSystem).Version"', undefined, {
        silent: true
    });
    const { stdout: name } = yield exec.getExecOutput('powershell -command "(Get-CimInstance -ClassName Win32_OperatingSystem).Caption"', undefined, {
        silent: true
    });
    return {
        name: name.trim(),
        version: version.trim()
    };
});
const getMacOsInfo = () => platform_awaiter(void 0, void 0, void 0, function* () {
    var _a, _b, _c, _d;
    const { stdout } = yield exec.getExecOutput('sw_vers', undefined, {
        silent: true
    });
    const version = (_b = (_a = stdout.match(/ProductVersion:\s*(.+)/)) === null || _a === void 0 ? void 0 : _a[1]) !== null && _b !== void 0 ? _b : '';
    const name = (_d = (_c = stdout.match(/ProductName:\s*(.+)/)) === null || _c === void 0 ? void 0 : _c[1]) !== null && _d !== void 0 ? _d : '';
    return {
        name,
        version
    };
});
const getLinuxInfo = () => platform_awaiter(void 0, void 0, void 0, function* () {
    const { stdout } = yield exec.getExecOutput('lsb_release', ['-i', '-r', '-s'], {
        silent: true
    });
    const [name, version] = stdout.trim().split('\n');
    return {
        name,
        version
    };
});
const platform = external_os_namespaceObject.platform();
const arch = external_os_namespaceObject.arch();
const isWindows = platform === 'win32';
const isMacOS = platform === 'darwin';
const isLinux = platform === 'linux';
function getDetails() {
    return platform_awaiter(this, void 0, void 0, function* () {
        return Object.assign(Object.assign({}, (yield (isWindows
            ? getWindowsInfo()
            : isMacOS
                ? getMacOsInfo()
                : getLinuxInfo()))), { platform,
            arch,
            isWindows,
            isMacOS,
            isLinux });
    });
}
//# sourceMappingURL=platform.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/core.js
var core_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};






/**
 * The code to exit an action
 */
var ExitCode;
(function (ExitCode) {
    /**
     * A code indicating that the action was successful
     */
    ExitCode[ExitCode["Success"] = 0] = "Success";
    /**
     * A code indicating that the action was a failure
     */
    ExitCode[ExitCode["Failure"] = 1] = "Failure";
})(ExitCode || (ExitCode = {}));
//-----------------------------------------------------------------------
// Variables
//-----------------------------------------------------------------------
/**
 * Sets env variable for this action and future actions in the job
 * @param name the name of the variable to set
 * @param val the value of the variable. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function exportVariable(name, val) {
    const convertedVal = toCommandValue(val);
    process.env[name] = convertedVal;
    const filePath = process.env['GITHUB_ENV'] || '';
    if (filePath) {
        return issueFileCommand('ENV', prepareKeyValueMessage(name, val));
    }
    issueCommand('set-env', { name }, convertedVal);
}
/**
 * Registers a secret which will get masked from logs
 *
 * @param secret - Value of the secret to be masked
 * @remarks
 * This function instructs the Actions runner to mask the specified value in any
 * logs produced during the workflow run. Once registered, the secret value will
 * be replaced with asterisks (***) whenever it appears in console output, logs,
 * or error messages.
 *
 * This is useful for protecting sensitive information such as:
 * - API keys
 * - Access tokens
 * - Authentication credentials
 * - URL parameters containing signatures (SAS tokens)
 *
 * Note that masking only affects future logs; any previous appearances of the
 * secret in logs before calling this function will remain unmasked.
 *
 * @example
 * ```typescript
 * // Register an API token as a secret
 * const apiToken = "abc123xyz456";
 * setSecret(apiToken);
 *
 * // Now any logs containing this value will show *** instead
 * console.log(`Using token: ${apiToken}`); // Outputs: "Using token: ***"
 * ```
 */
function core_setSecret(secret) {
    command_issueCommand('add-mask', {}, secret);
}
/**
 * Prepends inputPath to the PATH (for this action and future actions)
 * @param inputPath
 */
function addPath(inputPath) {
    const filePath = process.env['GITHUB_PATH'] || '';
    if (filePath) {
        file_command_issueFileCommand('PATH', inputPath);
    }
    else {
        command_issueCommand('add-path', {}, inputPath);
    }
    process.env['PATH'] = `${inputPath}${external_path_namespaceObject.delimiter}${process.env['PATH']}`;
}
/**
 * Gets the value of an input.
 * Unless trimWhitespace is set to false in InputOptions, the value is also trimmed.
 * Returns an empty string if the value is not defined.
 *
 * @param     name     name of the input to get
 * @param     options  optional. See InputOptions.
 * @returns   string
 */
function getInput(name, options) {
    const val = process.env[`INPUT_${name.replace(/ /g, '_').toUpperCase()}`] || '';
    if (options && options.required && !val) {
        throw new Error(`Input required and not supplied: ${name}`);
    }
    if (options && options.trimWhitespace === false) {
        return val;
    }
    return val.trim();
}
/**
 * Gets the values of an multiline input.  Each value is also trimmed.
 *
 * @param     name     name of the input to get
 * @param     options  optional. See InputOptions.
 * @returns   string[]
 *
 */
function getMultilineInput(name, options) {
    const inputs = getInput(name, options)
        .split('\n')
        .filter(x => x !== '');
    if (options && options.trimWhitespace === false) {
        return inputs;
    }
    return inputs.map(input => input.trim());
}
/**
 * Gets the input value of the boolean type in the YAML 1.2 "core schema" specification.
 * Support boolean input list: `true | True | TRUE | false | False | FALSE` .
 * The return value is also in boolean type.
 * ref: https://yaml.org/spec/1.2/spec.html#id2804923
 *
 * @param     name     name of the input to get
 * @param     options  optional. See InputOptions.
 * @returns   boolean
 */
function getBooleanInput(name, options) {
    const trueValue = ['true', 'True', 'TRUE'];
    const falseValue = ['false', 'False', 'FALSE'];
    const val = getInput(name, options);
    if (trueValue.includes(val))
        return true;
    if (falseValue.includes(val))
        return false;
    throw new TypeError(`Input does not meet YAML 1.2 "Core Schema" specification: ${name}\n` +
        `Support boolean input list: \`true | True | TRUE | false | False | FALSE\``);
}
/**
 * Sets the value of an output.
 *
 * @param     name     name of the output to set
 * @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function setOutput(name, value) {
    const filePath = process.env['GITHUB_OUTPUT'] || '';
    if (filePath) {
        return file_command_issueFileCommand('OUTPUT', file_command_prepareKeyValueMessage(name, value));
    }
    process.stdout.write(external_os_namespaceObject.EOL);
    command_issueCommand('set-output', { name }, utils_toCommandValue(value));
}
/**
 * Enables or disables the echoing of commands into stdout for the rest of the step.
 * Echoing is disabled by default if ACTIONS_STEP_DEBUG is not set.
 *
 */
function setCommandEcho(enabled) {
    issue('echo', enabled ? 'on' : 'off');
}
//-----------------------------------------------------------------------
// Results
//-----------------------------------------------------------------------
/**
 * Sets the action status to failed.
 * When the action exits it will be with an exit code of 1
 * @param message add error issue message
 */
function setFailed(message) {
    process.exitCode = ExitCode.Failure;
    error(message);
}
//-----------------------------------------------------------------------
// Logging Commands
//-----------------------------------------------------------------------
/**
 * Gets whether Actions Step Debug is on or not
 */
function isDebug() {
    return process.env['RUNNER_DEBUG'] === '1';
}
/**
 * Writes debug message to user log
 * @param message debug message
 */
function core_debug(message) {
    command_issueCommand('debug', {}, message);
}
/**
 * Adds an error issue
 * @param message error issue message. Errors will be converted to string via toString()
 * @param properties optional properties to add to the annotation.
 */
function error(message, properties = {}) {
    command_issueCommand('error', toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
 * Adds a warning issue
 * @param message warning issue message. Errors will be converted to string via toString()
 * @param properties optional properties to add to the annotation.
 */
function warning(message, properties = {}) {
    command_issueCommand('warning', toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
 * Adds a notice issue
 * @param message notice issue message. Errors will be converted to string via toString()
 * @param properties optional properties to add to the annotation.
 */
function notice(message, properties = {}) {
    command_issueCommand('notice', toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
 * Writes info to log with console.log.
 * @param message info message
 */
function info(message) {
    process.stdout.write(message + os.EOL);
}
/**
 * Begin an output group.
 *
 * Output until the next `groupEnd` will be foldable in this group
 *
 * @param name The name of the output group
 */
function startGroup(name) {
    command_issue('group', name);
}
/**
 * End an output group.
 */
function endGroup() {
    command_issue('endgroup');
}
/**
 * Wrap an asynchronous function call in a group.
 *
 * Returns the same type as the function itself.
 *
 * @param name The name of the group
 * @param fn The function to wrap in the group
 */
function group(name, fn) {
    return core_awaiter(this, void 0, void 0, function* () {
        startGroup(name);
        let result;
        try {
            result = yield fn();
        }
        finally {
            endGroup();
        }
        return result;
    });
}
//-----------------------------------------------------------------------
// Wrapper action state
//-----------------------------------------------------------------------
/**
 * Saves state for current action, the state can only be retrieved by this action's post job execution.
 *
 * @param     name     name of the state to store
 * @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function saveState(name, value) {
    const filePath = process.env['GITHUB_STATE'] || '';
    if (filePath) {
        return file_command_issueFileCommand('STATE', file_command_prepareKeyValueMessage(name, value));
    }
    command_issueCommand('save-state', { name }, utils_toCommandValue(value));
}
/**
 * Gets the value of an state set by this action's main execution.
 *
 * @param     name     name of the state to get
 * @returns   string
 */
function getState(name) {
    return process.env[`STATE_${name}`] || '';
}
function getIDToken(aud) {
    return core_awaiter(this, void 0, void 0, function* () {
        return yield OidcClient.getIDToken(aud);
    });
}
/**
 * Summary exports
 */

/**
 * @deprecated use core.summary
 */

/**
 * Path exports
 */

/**
 * Platform utilities exports
 */

//# sourceMappingURL=core.js.map
;// CONCATENATED MODULE: external "node:stream/consumers"
const consumers_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream/consumers");
;// CONCATENATED MODULE: ./node_modules/valibot/dist/index.mjs
//#region src/storages/globalConfig/globalConfig.ts
let store$4;
const DEFAULT_CONFIG = {
	lang: void 0,
	message: void 0,
	abortEarly: void 0,
	abortPipeEarly: void 0
};
/**
* Sets the global configuration.
*
* @param config The configuration.
*/
function setGlobalConfig(config$1) {
	store$4 = {
		...store$4,
		...config$1
	};
}
/**
* Returns the global configuration.
*
* @param config The config to merge.
*
* @returns The configuration.
*/
/* @__NO_SIDE_EFFECTS__ */
function getGlobalConfig(config$1) {
	if (!config$1 && !store$4) return DEFAULT_CONFIG;
	return {
		lang: config$1?.lang ?? store$4?.lang,
		message: config$1?.message,
		abortEarly: config$1?.abortEarly ?? store$4?.abortEarly,
		abortPipeEarly: config$1?.abortPipeEarly ?? store$4?.abortPipeEarly
	};
}
/**
* Deletes the global configuration.
*/
function deleteGlobalConfig() {
	store$4 = void 0;
}

//#endregion
//#region src/storages/globalMessage/globalMessage.ts
let store$3;
/**
* Sets a global error message.
*
* @param message The error message.
* @param lang The language of the message.
*/
function setGlobalMessage(message$1, lang) {
	if (!store$3) store$3 = /* @__PURE__ */ new Map();
	store$3.set(lang, message$1);
}
/**
* Returns a global error message.
*
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getGlobalMessage(lang) {
	return store$3?.get(lang);
}
/**
* Deletes a global error message.
*
* @param lang The language of the message.
*/
function deleteGlobalMessage(lang) {
	store$3?.delete(lang);
}

//#endregion
//#region src/storages/schemaMessage/schemaMessage.ts
let store$2;
/**
* Sets a schema error message.
*
* @param message The error message.
* @param lang The language of the message.
*/
function setSchemaMessage(message$1, lang) {
	if (!store$2) store$2 = /* @__PURE__ */ new Map();
	store$2.set(lang, message$1);
}
/**
* Returns a schema error message.
*
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getSchemaMessage(lang) {
	return store$2?.get(lang);
}
/**
* Deletes a schema error message.
*
* @param lang The language of the message.
*/
function deleteSchemaMessage(lang) {
	store$2?.delete(lang);
}

//#endregion
//#region src/storages/specificMessage/specificMessage.ts
let store$1;
/**
* Sets a specific error message.
*
* @param reference The identifier reference.
* @param message The error message.
* @param lang The language of the message.
*/
function setSpecificMessage(reference, message$1, lang) {
	if (!store$1) store$1 = /* @__PURE__ */ new Map();
	if (!store$1.get(reference)) store$1.set(reference, /* @__PURE__ */ new Map());
	store$1.get(reference).set(lang, message$1);
}
/**
* Returns a specific error message.
*
* @param reference The identifier reference.
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getSpecificMessage(reference, lang) {
	return store$1?.get(reference)?.get(lang);
}
/**
* Deletes a specific error message.
*
* @param reference The identifier reference.
* @param lang The language of the message.
*/
function deleteSpecificMessage(reference, lang) {
	store$1?.get(reference)?.delete(lang);
}

//#endregion
//#region src/utils/_stringify/_stringify.ts
/**
* Stringifies an unknown input to a literal or type string.
*
* @param input The unknown input.
*
* @returns A literal or type string.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _stringify(input) {
	const type = typeof input;
	if (type === "string") return `"${input}"`;
	if (type === "number" || type === "bigint" || type === "boolean") return `${input}`;
	if (type === "object" || type === "function") return (input && Object.getPrototypeOf(input)?.constructor?.name) ?? "null";
	return type;
}

//#endregion
//#region src/utils/_addIssue/_addIssue.ts
/**
* Adds an issue to the dataset.
*
* @param context The issue context.
* @param label The issue label.
* @param dataset The input dataset.
* @param config The configuration.
* @param other The optional props.
*
* @internal
*/
function _addIssue(context, label, dataset, config$1, other) {
	const input = other && "input" in other ? other.input : dataset.value;
	const expected = other?.expected ?? context.expects ?? null;
	const received = other?.received ?? /* @__PURE__ */ _stringify(input);
	const issue = {
		kind: context.kind,
		type: context.type,
		input,
		expected,
		received,
		message: `Invalid ${label}: ${expected ? `Expected ${expected} but r` : "R"}eceived ${received}`,
		requirement: context.requirement,
		path: other?.path,
		issues: other?.issues,
		lang: config$1.lang,
		abortEarly: config$1.abortEarly,
		abortPipeEarly: config$1.abortPipeEarly
	};
	const isSchema = context.kind === "schema";
	const message$1 = other?.message ?? context.message ?? /* @__PURE__ */ getSpecificMessage(context.reference, issue.lang) ?? (isSchema ? /* @__PURE__ */ getSchemaMessage(issue.lang) : null) ?? config$1.message ?? /* @__PURE__ */ getGlobalMessage(issue.lang);
	if (message$1 !== void 0) issue.message = typeof message$1 === "function" ? message$1(issue) : message$1;
	if (isSchema) dataset.typed = false;
	if (dataset.issues) dataset.issues.push(issue);
	else dataset.issues = [issue];
}

//#endregion
//#region src/utils/_cloneDataset/_cloneDataset.ts
/**
* Creates a shallow copy of a dataset.
*
* Hint: The `value` is copied by reference, but the `issues` array, its issues
* and their `path` arrays are cloned to avoid reusing mutable dataset state
* across multiple runs. Mutating a returned object or array value can
* therefore affect later cache hits that reuse the same cached output.
*
* @param dataset The output dataset.
*
* @returns The copied output dataset.
*/
/* @__NO_SIDE_EFFECTS__ */
function _cloneDataset(dataset) {
	return {
		typed: dataset.typed,
		value: dataset.value,
		issues: dataset.issues?.map((issue) => ({
			...issue,
			path: issue.path && [...issue.path]
		}))
	};
}

//#endregion
//#region src/utils/_formatCase/_formatCase.ts
/**
* Splits a string into lowercase words and rejoins them with the given
* separator and capitalization rules.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries. Whether the first or subsequent words are
* capitalized is controlled by `capFirst` and `capRest`.
*
* Hint: Implemented in a single pass that emits directly to the result
* string to avoid an intermediate `string[]` allocation. ASCII chars are
* classified via char codes to skip `.toLowerCase()` and `.toUpperCase()`
* method calls in the common case.
*
* Hint: Digits are treated as a separate character class, so `item2Name`
* yields `item2` and `name` rather than `item`, `2` and `name`.
*
* @param input The input string.
* @param separator The string inserted between words.
* @param capFirst Whether to capitalize the first word.
* @param capRest Whether to capitalize subsequent words.
*
* @returns The formatted string.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _formatCase(input, separator, capFirst, capRest) {
	let result = "";
	let firstWord = true;
	let start = 0;
	let prev = 0;
	let prevPrev = 0;
	const flush = (end) => {
		if (end > start) {
			let word = input.slice(start, end).toLowerCase();
			if (firstWord ? capFirst : capRest) {
				const firstCode = word.charCodeAt(0);
				if (firstCode >= 97 && firstCode <= 122) word = String.fromCharCode(firstCode - 32) + word.slice(1);
				else {
					const charLen = firstCode >= 55296 && firstCode <= 56319 ? 2 : 1;
					word = word.slice(0, charLen).toUpperCase() + word.slice(charLen);
				}
			}
			result += firstWord ? word : separator + word;
			firstWord = false;
		}
	};
	for (let index = 0; index < input.length; index++) {
		const code = input.charCodeAt(index);
		let type;
		if (code === 32 || code === 9 || code === 10 || code === 11 || code === 12 || code === 13 || code === 45 || code === 95) {
			flush(index);
			start = index + 1;
			type = 0;
		} else if (code < 128) type = code >= 65 && code <= 90 ? 1 : code >= 97 && code <= 122 ? 2 : 3;
		else {
			const char = input[index];
			const charLower = char.toLowerCase();
			type = charLower === char.toUpperCase() ? 3 : char === charLower ? 2 : 1;
		}
		if (type === 1 && (prev === 2 || prev === 3) && index > start) {
			flush(index);
			start = index;
		} else if (type === 2 && prev === 1 && prevPrev === 1 && index - 1 > start) {
			flush(index - 1);
			start = index - 1;
		}
		prevPrev = prev;
		prev = type;
	}
	flush(input.length);
	return result;
}

//#endregion
//#region src/utils/_getByteCount/_getByteCount.ts
let textEncoder;
/**
* Returns the byte count of the input.
*
* @param input The input to be measured.
*
* @returns The byte count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getByteCount(input) {
	if (!textEncoder) textEncoder = new TextEncoder();
	return textEncoder.encode(input).length;
}

//#endregion
//#region src/utils/_getCodePointCount/_getCodePointCount.ts
/**
* Returns the code point count of the input.
*
* @param input The input to be measured.
*
* @returns The code point count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getCodePointCount(input) {
	let count = input.length;
	const lengthMinus1 = input.length - 1;
	for (let i = 0; i < lengthMinus1;) if (input.codePointAt(i) <= 65535) i++;
	else {
		i += 2;
		count--;
	}
	return count;
}

//#endregion
//#region src/utils/_getGraphemeCount/_getGraphemeCount.ts
let segmenter;
/**
* Returns the grapheme count of the input.
*
* @param input The input to be measured.
*
* @returns The grapheme count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getGraphemeCount(input) {
	if (!segmenter) segmenter = new Intl.Segmenter();
	const segments = segmenter.segment(input);
	let count = 0;
	for (const _ of segments) count++;
	return count;
}

//#endregion
//#region src/utils/_getLastMetadata/_getLastMetadata.ts
/**
* Returns the last top-level value of a given metadata type from a schema
* using a breadth-first search that starts with the last item in the pipeline.
*
* @param schema The schema to search.
* @param type The metadata type.
*
* @returns The value, if any.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getLastMetadata(schema, type) {
	if ("pipe" in schema) {
		const nestedSchemas = [];
		for (let index = schema.pipe.length - 1; index >= 0; index--) {
			const item = schema.pipe[index];
			if (item.kind === "schema" && "pipe" in item) nestedSchemas.push(item);
			else if (item.kind === "metadata" && item.type === type) return item[type];
		}
		for (const nestedSchema of nestedSchemas) {
			const result = /* @__PURE__ */ _getLastMetadata(nestedSchema, type);
			if (result !== void 0) return result;
		}
	}
}

//#endregion
//#region src/utils/_getWordCount/_getWordCount.ts
let store;
/**
* Returns the word count of the input.
*
* @param locales The locales to be used.
* @param input The input to be measured.
*
* @returns The word count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getWordCount(locales, input) {
	if (!store) store = /* @__PURE__ */ new Map();
	const key = String(locales);
	let segmenter$1 = store.get(key);
	if (!segmenter$1) {
		segmenter$1 = new Intl.Segmenter(locales, { granularity: "word" });
		store.set(key, segmenter$1);
	}
	const segments = segmenter$1.segment(input);
	let count = 0;
	for (const segment of segments) if (segment.isWordLike) count++;
	return count;
}

//#endregion
//#region src/utils/_isLuhnAlgo/_isLuhnAlgo.ts
/**
* Non-digit regex.
*/
const NON_DIGIT_REGEX = /\D/gu;
/**
* Checks whether a string with numbers corresponds to the luhn algorithm.
*
* @param input The input to be checked.
*
* @returns Whether input is valid.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isLuhnAlgo(input) {
	const number$1 = input.replace(NON_DIGIT_REGEX, "");
	let length$1 = number$1.length;
	let bit = 1;
	let sum = 0;
	while (length$1) {
		const value$1 = +number$1[--length$1];
		bit ^= 1;
		sum += bit ? [
			0,
			2,
			4,
			6,
			8,
			1,
			3,
			5,
			7,
			9
		][value$1] : value$1;
	}
	return sum % 10 === 0;
}

//#endregion
//#region src/utils/_isSameValueZero/_isSameValueZero.ts
/**
* Compares two values using the SameValueZero algorithm, which treats `NaN`
* as equal to itself unlike `===`.
*
* @param value1 The first value.
* @param value2 The second value.
*
* @returns Whether the values are equal.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isSameValueZero(value1, value2) {
	return value1 === value2 || Number.isNaN(value1) && Number.isNaN(value2);
}

//#endregion
//#region src/utils/_isValidObjectKey/_isValidObjectKey.ts
/**
* Disallows inherited object properties and prevents object prototype
* pollution by disallowing certain keys.
*
* @param object The object to check.
* @param key The key to check.
*
* @returns Whether the key is allowed.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isValidObjectKey(object$1, key) {
	return Object.prototype.hasOwnProperty.call(object$1, key) && key !== "__proto__" && key !== "prototype" && key !== "constructor";
}

//#endregion
//#region src/utils/_isValueMatch/_isValueMatch.ts
/**
* Checks whether a value matches a value action requirement.
*
* @param requirement The value action requirement.
* @param value The value to check.
*
* @returns Whether the value matches the requirement.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isValueMatch(requirement, value$1) {
	return Number.isNaN(requirement) && Number.isNaN(value$1) || requirement <= value$1 && requirement >= value$1;
}

//#endregion
//#region src/utils/_joinExpects/_joinExpects.ts
/**
* Joins multiple `expects` values with the given separator.
*
* @param values The `expects` values.
* @param separator The separator.
*
* @returns The joined `expects` property.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _joinExpects(values$1, separator) {
	const list = [...new Set(values$1)];
	if (list.length > 1) return `(${list.join(` ${separator} `)})`;
	return list[0] ?? "never";
}

//#endregion
//#region src/utils/_standardSchema/_standardSchema.ts
/**
* Eagerly creates and attaches the Standard Schema properties of a schema.
*
* Hint: The contextual `this` type includes the standard properties that are
* attached before the schema is returned.
*
* @param schema The schema to attach standard properties to.
*
* @returns The schema with standard properties attached.
*
* @internal
*/
function _standardSchema(schema) {
	schema["~standard"] = {
		version: 1,
		vendor: "valibot",
		validate: (value$1) => schema["~run"]({ value: value$1 }, /* @__PURE__ */ getGlobalConfig())
	};
	return schema;
}

//#endregion
//#region src/utils/entriesFromList/entriesFromList.ts
/**
* Creates an object entries definition from a list of keys and a schema.
*
* @param list A list of keys.
* @param schema The schema of the keys.
*
* @returns The object entries.
*/
/* @__NO_SIDE_EFFECTS__ */
function entriesFromList(list, schema) {
	const entries$1 = {};
	for (const key of list) entries$1[key] = schema;
	return entries$1;
}

//#endregion
//#region src/utils/entriesFromObjects/entriesFromObjects.ts
/* @__NO_SIDE_EFFECTS__ */
function entriesFromObjects(schemas) {
	const entries$1 = {};
	for (const schema of schemas) Object.assign(entries$1, schema.entries);
	return entries$1;
}

//#endregion
//#region src/utils/getDotPath/getDotPath.ts
/* @__NO_SIDE_EFFECTS__ */
function getDotPath(issue) {
	if (issue.path) {
		let key = "";
		for (const item of issue.path) if (typeof item.key === "string" || typeof item.key === "number") if (key) key += `.${item.key}`;
		else key += item.key;
		else return null;
		return key;
	}
	return null;
}

//#endregion
//#region src/utils/isOfKind/isOfKind.ts
/**
* A generic type guard to check the kind of an object.
*
* @param kind The kind to check for.
* @param object The object to check.
*
* @returns Whether it matches.
*/
/* @__NO_SIDE_EFFECTS__ */
function isOfKind(kind, object$1) {
	return object$1.kind === kind;
}

//#endregion
//#region src/utils/isOfType/isOfType.ts
/**
* A generic type guard to check the type of an object.
*
* @param type The type to check for.
* @param object The object to check.
*
* @returns Whether it matches.
*/
/* @__NO_SIDE_EFFECTS__ */
function isOfType(type, object$1) {
	return object$1.type === type;
}

//#endregion
//#region src/utils/ValiError/ValiError.ts
/**
* A Valibot error with useful information.
*/
var ValiError = class extends Error {
	/**
	* Creates a Valibot error with useful information.
	*
	* @param issues The error issues.
	*/
	constructor(issues) {
		super(issues[0].message);
		this.name = "ValiError";
		this.issues = issues;
	}
};

//#endregion
//#region src/utils/isValiError/isValiError.ts
/**
* A type guard to check if an error is a ValiError.
*
* @param error The error to check.
*
* @returns Whether its a ValiError.
*/
/* @__NO_SIDE_EFFECTS__ */
function isValiError(error) {
	return error instanceof ValiError;
}

//#endregion
//#region src/actions/args/args.ts
/* @__NO_SIDE_EFFECTS__ */
function args(schema) {
	return {
		kind: "transformation",
		type: "args",
		reference: args,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = (...args_) => {
				const argsDataset = this.schema["~run"]({ value: args_ }, config$1);
				if (argsDataset.issues) throw new ValiError(argsDataset.issues);
				return func(...argsDataset.value);
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/args/argsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function argsAsync(schema) {
	return {
		kind: "transformation",
		type: "args",
		reference: argsAsync,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = async (...args$1) => {
				const argsDataset = await schema["~run"]({ value: args$1 }, config$1);
				if (argsDataset.issues) throw new ValiError(argsDataset.issues);
				return func(...argsDataset.value);
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/await/awaitAsync.ts
/**
* Creates an await transformation action.
*
* @returns An await action.
*/
/* @__NO_SIDE_EFFECTS__ */
function awaitAsync() {
	return {
		kind: "transformation",
		type: "await",
		reference: awaitAsync,
		async: true,
		async "~run"(dataset) {
			dataset.value = await dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/regex.ts
/**
* [Base64](https://en.wikipedia.org/wiki/Base64) regex.
*/
const BASE64_REGEX = /^(?:[\da-z+/]{4})*(?:[\da-z+/]{2}==|[\da-z+/]{3}=)?$/iu;
/**
* [BIC](https://en.wikipedia.org/wiki/ISO_9362) regex.
*/
const BIC_REGEX = /^[A-Z]{6}(?!00)[\dA-Z]{2}(?:[\dA-Z]{3})?$/u;
/**
* [Cuid2](https://github.com/paralleldrive/cuid2) regex.
*/
const CUID2_REGEX = /^[a-z][\da-z]*$/u;
/**
* [Decimal](https://en.wikipedia.org/wiki/Decimal) regex.
*/
const DECIMAL_REGEX = /^[+-]?(?:\d*\.)?\d+$/u;
/**
* [Digits](https://en.wikipedia.org/wiki/Numerical_digit) regex.
*/
const DIGITS_REGEX = /^\d+$/u;
/**
* [Domain name](https://en.wikipedia.org/wiki/Domain_name) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
* ASCII-only validation. Internationalized domain names (IDNs) are not
* supported, including Punycode-encoded labels.
*/
const DOMAIN_REGEX = /^(?=.{1,253}$)(?:(?![Xx][Nn]--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$/u;
/**
* [Email address](https://en.wikipedia.org/wiki/Email_address) regex.
*
* Hint: We decided against the `i` flag to avoid matching non-ASCII characters.
*/
const EMAIL_REGEX = /^[\w+-]+(?:\.[\w+-]+)*@[\da-zA-Z]+(?:[.-][\da-zA-Z]+)*\.[a-zA-Z]{2,}$/u;
/**
* Emoji regex from [emoji-regex-xs](https://github.com/slevithan/emoji-regex-xs) v1.0.0 (MIT license).
*
* Hint: We decided against the newer `/^\p{RGI_Emoji}+$/v` regex because it is
* not supported in older runtimes and does not match all emoji.
*/
const EMOJI_REGEX = /^(?:[\u{1F1E6}-\u{1F1FF}]{2}|\u{1F3F4}[\u{E0061}-\u{E007A}]{2}[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{1,3}\u{E007F}|(?:\p{Emoji}\uFE0F\u20E3?|\p{Emoji_Modifier_Base}\p{Emoji_Modifier}?|(?![\p{Emoji_Modifier_Base}\u{1F1E6}-\u{1F1FF}])\p{Emoji_Presentation})(?:\u200D(?:\p{Emoji}\uFE0F\u20E3?|\p{Emoji_Modifier_Base}\p{Emoji_Modifier}?|(?![\p{Emoji_Modifier_Base}\u{1F1E6}-\u{1F1FF}])\p{Emoji_Presentation}))*)+$/u;
/**
* [Hexadecimal](https://en.wikipedia.org/wiki/Hexadecimal) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const HEXADECIMAL_REGEX = /^(?:0[hx])?[\da-fA-F]+$/u;
/**
* [Hex color](https://en.wikipedia.org/wiki/Web_colors#Hex_triplet) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const HEX_COLOR_REGEX = /^#(?:[\da-fA-F]{3,4}|[\da-fA-F]{6}|[\da-fA-F]{8})$/u;
/**
* [IMEI](https://en.wikipedia.org/wiki/International_Mobile_Equipment_Identity) regex.
*/
const IMEI_REGEX = /^\d{15}$|^\d{2}-\d{6}-\d{6}-\d$/u;
/**
* [IPv4](https://en.wikipedia.org/wiki/IPv4) regex.
*/
const IPV4_REGEX = /^(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])(?:\.(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])){3}$/u;
/**
* [IPv6](https://en.wikipedia.org/wiki/IPv6) regex.
*/
const IPV6_REGEX = /^(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,7}:|(?:[\da-f]{1,4}:){1,6}:[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,5}(?::[\da-f]{1,4}){1,2}|(?:[\da-f]{1,4}:){1,4}(?::[\da-f]{1,4}){1,3}|(?:[\da-f]{1,4}:){1,3}(?::[\da-f]{1,4}){1,4}|(?:[\da-f]{1,4}:){1,2}(?::[\da-f]{1,4}){1,5}|[\da-f]{1,4}:(?::[\da-f]{1,4}){1,6}|:(?:(?::[\da-f]{1,4}){1,7}|:)|fe80:(?::[\da-f]{0,4}){0,4}%[\da-z]+|::(?:f{4}(?::0{1,4})?:)?(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d)|(?:[\da-f]{1,4}:){1,4}:(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d))$/iu;
/**
* [IP](https://en.wikipedia.org/wiki/IP_address) regex.
*/
const IP_REGEX = /^(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])(?:\.(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])){3}$|^(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,7}:|(?:[\da-f]{1,4}:){1,6}:[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,5}(?::[\da-f]{1,4}){1,2}|(?:[\da-f]{1,4}:){1,4}(?::[\da-f]{1,4}){1,3}|(?:[\da-f]{1,4}:){1,3}(?::[\da-f]{1,4}){1,4}|(?:[\da-f]{1,4}:){1,2}(?::[\da-f]{1,4}){1,5}|[\da-f]{1,4}:(?::[\da-f]{1,4}){1,6}|:(?:(?::[\da-f]{1,4}){1,7}|:)|fe80:(?::[\da-f]{0,4}){0,4}%[\da-z]+|::(?:f{4}(?::0{1,4})?:)?(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d)|(?:[\da-f]{1,4}:){1,4}:(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d))$/iu;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date regex.
*/
const ISO_DATE_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date-time regex.
*/
const ISO_DATE_TIME_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3]):[0-5]\d$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date-time with seconds regex.
*/
const ISO_DATE_TIME_SECOND_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3])(?::[0-5]\d){2}$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) time regex.
*/
const ISO_TIME_REGEX = /^(?:0\d|1\d|2[0-3]):[0-5]\d$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) time with seconds regex.
*/
const ISO_TIME_SECOND_REGEX = /^(?:0\d|1\d|2[0-3])(?::[0-5]\d){2}$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) timestamp regex. Allows a
* space as a date/time separator and an optional space before the UTC offset.
*/
const ISO_TIMESTAMP_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,9})?(?:Z| ?[+-](?:0\d|1\d|2[0-3])(?::?[0-5]\d)?)$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) week regex.
*/
const ISO_WEEK_REGEX = /^\d{4}-W(?:0[1-9]|[1-4]\d|5[0-3])$/u;
/**
* [JWS compact serialization](https://datatracker.ietf.org/doc/html/rfc7515#section-3.1)
* regex.
*
* Hint: Empty payload and signature segments are allowed because the
* Base64URL-encoded representation of an empty octet sequence is an empty
* string.
*/
const JWS_COMPACT_REGEX = /^(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)\.(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)?\.(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)?$/u;
/**
* [ISRC](https://en.wikipedia.org/wiki/International_Standard_Recording_Code) regex.
*/
const ISRC_REGEX = /^(?:[A-Z]{2}[A-Z\d]{3}\d{7}|[A-Z]{2}-[A-Z\d]{3}-\d{2}-\d{5})$/u;
/**
* [KSUID](https://github.com/segmentio/ksuid) regex.
*/
const KSUID_REGEX = /^[a-zA-Z0-9]{27}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) 48 bit regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC48_REGEX = /^(?:[\da-fA-F]{2}:){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){2}[\da-fA-F]{4}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) 64 bit regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC64_REGEX = /^(?:[\da-fA-F]{2}:){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){3}[\da-fA-F]{4}$|^(?:[\da-fA-F]{4}:){3}[\da-fA-F]{4}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC_REGEX = /^(?:[\da-fA-F]{2}:){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){2}[\da-fA-F]{4}$|^(?:[\da-fA-F]{2}:){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){3}[\da-fA-F]{4}$|^(?:[\da-fA-F]{4}:){3}[\da-fA-F]{4}$/u;
/**
* [Nano ID](https://github.com/ai/nanoid) regex.
*/
const NANO_ID_REGEX = /^[\w-]+$/u;
/**
* [Octal](https://en.wikipedia.org/wiki/Octal) regex.
*/
const OCTAL_REGEX = /^(?:0o)?[0-7]+$/u;
/**
* [RFC 5322 email address](https://datatracker.ietf.org/doc/html/rfc5322#section-3.4.1) regex.
*
* Hint: This regex was taken from the [HTML Living Standard Specification](https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address) and does not perfectly represent RFC 5322.
*/
const RFC_EMAIL_REGEX = /^[a-zA-Z0-9.!#$%&'*+\/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
/**
* [Slug](https://en.wikipedia.org/wiki/Clean_URL#Slug) regex.
*/
const SLUG_REGEX = /^[\da-z]+(?:[-_][\da-z]+)*$/u;
/**
* [ULID](https://github.com/ulid/spec) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
* Hint: The first character is restricted to `[0-7]` because the 48-bit
* timestamp cannot exceed 2^48-1, making the maximum valid ULID
* `7ZZZZZZZZZZZZZZZZZZZZZZZZZ` in Crockford's Base32 encoding.
*/
const ULID_REGEX = /^[0-7][\da-hjkmnp-tv-zA-HJKMNP-TV-Z]{25}$/u;
/**
* [UUID](https://en.wikipedia.org/wiki/Universally_unique_identifier) regex.
*/
const UUID_REGEX = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/iu;

//#endregion
//#region src/actions/base64/base64.ts
/* @__NO_SIDE_EFFECTS__ */
function base64(message$1) {
	return {
		kind: "validation",
		type: "base64",
		reference: base64,
		async: false,
		expects: null,
		requirement: BASE64_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Base64", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/bic/bic.ts
/* @__NO_SIDE_EFFECTS__ */
function bic(message$1) {
	return {
		kind: "validation",
		type: "bic",
		reference: bic,
		async: false,
		expects: null,
		requirement: BIC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "BIC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/brand/brand.ts
/**
* Creates a brand transformation action.
*
* @param name The brand name.
*
* @returns A brand action.
*/
/* @__NO_SIDE_EFFECTS__ */
function brand(name) {
	return {
		kind: "transformation",
		type: "brand",
		reference: brand,
		async: false,
		name,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/bytes/bytes.ts
/* @__NO_SIDE_EFFECTS__ */
function bytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "bytes",
		reference: bytes,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 !== this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/check/check.ts
/* @__NO_SIDE_EFFECTS__ */
function check(requirement, message$1) {
	return {
		kind: "validation",
		type: "check",
		reference: check,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/check/checkAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function checkAsync(requirement, message$1) {
	return {
		kind: "validation",
		type: "check",
		reference: checkAsync,
		async: true,
		expects: null,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.typed && !await this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/checkItems/checkItems.ts
/* @__NO_SIDE_EFFECTS__ */
function checkItems(requirement, message$1) {
	return {
		kind: "validation",
		type: "check_items",
		reference: checkItems,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) for (let index = 0; index < dataset.value.length; index++) {
				const item = dataset.value[index];
				if (!this.requirement(item, index, dataset.value)) _addIssue(this, "item", dataset, config$1, {
					input: item,
					path: [{
						type: "array",
						origin: "value",
						input: dataset.value,
						key: index,
						value: item
					}]
				});
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/checkItems/checkItemsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function checkItemsAsync(requirement, message$1) {
	return {
		kind: "validation",
		type: "check_items",
		reference: checkItemsAsync,
		async: true,
		expects: null,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.typed) {
				const requirementResults = await Promise.all(dataset.value.map(this.requirement));
				for (let index = 0; index < dataset.value.length; index++) if (!requirementResults[index]) {
					const item = dataset.value[index];
					_addIssue(this, "item", dataset, config$1, {
						input: item,
						path: [{
							type: "array",
							origin: "value",
							input: dataset.value,
							key: index,
							value: item
						}]
					});
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/codePoints/codePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function codePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "code_points",
		reference: codePoints,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count !== this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/creditCard/creditCard.ts
/**
* Credit card regex.
*/
const CREDIT_CARD_REGEX = /^(?:\d{13,19}|\d{4}(?: \d{3,6}){2,4}|\d{4}(?:-\d{3,6}){2,4})$/u;
/**
* Sanitize regex.
*/
const SANITIZE_REGEX = /[- ]/gu;
/**
* Provider regex list.
*/
const PROVIDER_REGEX_LIST = (/* unused pure expression or super */ null && ([
	/^3[47]\d{13}$/u,
	/^3(?:0[0-5]|[68]\d)\d{11,13}$/u,
	/^6(?:011|5\d{2})\d{12,15}$/u,
	/^(?:2131|1800|35\d{3})\d{11}$/u,
	/^(?:5[1-5]\d{2}|222\d|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}$/u,
	/^(?:6[27]\d{14,17}|81\d{14,17})$/u,
	/^4\d{12}(?:\d{3,6})?$/u
]));
/* @__NO_SIDE_EFFECTS__ */
function creditCard(message$1) {
	return {
		kind: "validation",
		type: "credit_card",
		reference: creditCard,
		async: false,
		expects: null,
		requirement(input) {
			let sanitized;
			return CREDIT_CARD_REGEX.test(input) && (sanitized = input.replace(SANITIZE_REGEX, "")) && PROVIDER_REGEX_LIST.some((regex$1) => regex$1.test(sanitized)) && /* @__PURE__ */ _isLuhnAlgo(sanitized);
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "credit card", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/cuid2/cuid2.ts
/* @__NO_SIDE_EFFECTS__ */
function cuid2(message$1) {
	return {
		kind: "validation",
		type: "cuid2",
		reference: cuid2,
		async: false,
		expects: null,
		requirement: CUID2_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Cuid2", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/decimal/decimal.ts
/* @__NO_SIDE_EFFECTS__ */
function decimal(message$1) {
	return {
		kind: "validation",
		type: "decimal",
		reference: decimal,
		async: false,
		expects: null,
		requirement: DECIMAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "decimal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/description/description.ts
/**
* Creates a description metadata action.
*
* @param description_ The description text.
*
* @returns A description action.
*/
/* @__NO_SIDE_EFFECTS__ */
function description(description_) {
	return {
		kind: "metadata",
		type: "description",
		reference: description,
		description: description_
	};
}

//#endregion
//#region src/actions/digits/digits.ts
/* @__NO_SIDE_EFFECTS__ */
function digits(message$1) {
	return {
		kind: "validation",
		type: "digits",
		reference: digits,
		async: false,
		expects: null,
		requirement: DIGITS_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "digits", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/domain/domain.ts
/* @__NO_SIDE_EFFECTS__ */
function domain(message$1) {
	return {
		kind: "validation",
		type: "domain",
		reference: domain,
		expects: null,
		async: false,
		requirement: DOMAIN_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "domain", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/email/email.ts
/* @__NO_SIDE_EFFECTS__ */
function email(message$1) {
	return {
		kind: "validation",
		type: "email",
		reference: email,
		expects: null,
		async: false,
		requirement: EMAIL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "email", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/emoji/emoji.ts
/* @__NO_SIDE_EFFECTS__ */
function emoji(message$1) {
	return {
		kind: "validation",
		type: "emoji",
		reference: emoji,
		async: false,
		expects: null,
		requirement: EMOJI_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "emoji", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/empty/empty.ts
/* @__NO_SIDE_EFFECTS__ */
function empty(message$1) {
	return {
		kind: "validation",
		type: "empty",
		reference: empty,
		async: false,
		expects: "0",
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length > 0) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/endsWith/endsWith.ts
/* @__NO_SIDE_EFFECTS__ */
function endsWith(requirement, message$1) {
	return {
		kind: "validation",
		type: "ends_with",
		reference: endsWith,
		async: false,
		expects: `"${requirement}"`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.endsWith(this.requirement)) _addIssue(this, "end", dataset, config$1, { received: `"${dataset.value.slice(-this.requirement.length)}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/entries/entries.ts
/* @__NO_SIDE_EFFECTS__ */
function entries(requirement, message$1) {
	return {
		kind: "validation",
		type: "entries",
		reference: entries,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count !== this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/everyItem/everyItem.ts
/* @__NO_SIDE_EFFECTS__ */
function everyItem(requirement, message$1) {
	return {
		kind: "validation",
		type: "every_item",
		reference: everyItem,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.every(this.requirement)) _addIssue(this, "item", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/examples/examples.ts
/**
* Creates an examples metadata action.
*
* @param examples_ The examples.
*
* @returns An examples action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function examples(examples_) {
	return {
		kind: "metadata",
		type: "examples",
		reference: examples,
		examples: examples_
	};
}

//#endregion
//#region src/actions/excludes/excludes.ts
/* @__NO_SIDE_EFFECTS__ */
function excludes(requirement, message$1) {
	const received = /* @__PURE__ */ _stringify(requirement);
	return {
		kind: "validation",
		type: "excludes",
		reference: excludes,
		async: false,
		expects: `!${received}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.includes(this.requirement)) _addIssue(this, "content", dataset, config$1, { received });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/filterItems/filterItems.ts
/* @__NO_SIDE_EFFECTS__ */
function filterItems(operation) {
	return {
		kind: "transformation",
		type: "filter_items",
		reference: filterItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.filter(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/findItem/findItem.ts
/* @__NO_SIDE_EFFECTS__ */
function findItem(operation) {
	return {
		kind: "transformation",
		type: "find_item",
		reference: findItem,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.find(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/finite/finite.ts
/* @__NO_SIDE_EFFECTS__ */
function finite(message$1) {
	return {
		kind: "validation",
		type: "finite",
		reference: finite,
		async: false,
		expects: null,
		requirement: Number.isFinite,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "finite", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/flavor/flavor.ts
/**
* Creates a flavor transformation action.
*
* @param name The flavor name.
*
* @returns A flavor action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function flavor(name) {
	return {
		kind: "transformation",
		type: "flavor",
		reference: flavor,
		async: false,
		name,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/graphemes/graphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function graphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "graphemes",
		reference: graphemes,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count !== this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/gtValue/gtValue.ts
/* @__NO_SIDE_EFFECTS__ */
function gtValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "gt_value",
		reference: gtValue,
		async: false,
		expects: `>${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value > this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/guard/guard.ts
/* @__NO_SIDE_EFFECTS__ */
function guard(requirement, message$1) {
	return {
		kind: "transformation",
		type: "guard",
		reference: guard,
		async: false,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) {
				_addIssue(this, "input", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hash/hash.ts
/**
* Hash lengths object.
*/
const HASH_LENGTHS = {
	md4: 32,
	md5: 32,
	sha1: 40,
	sha256: 64,
	sha384: 96,
	sha512: 128,
	ripemd128: 32,
	ripemd160: 40,
	tiger128: 32,
	tiger160: 40,
	tiger192: 48,
	crc32: 8,
	crc32b: 8,
	adler32: 8
};
/* @__NO_SIDE_EFFECTS__ */
function hash(types, message$1) {
	return {
		kind: "validation",
		type: "hash",
		reference: hash,
		expects: null,
		async: false,
		requirement: RegExp(types.map((type) => `^[a-fA-F0-9]{${HASH_LENGTHS[type]}}$`).join("|"), "u"),
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hash", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hexadecimal/hexadecimal.ts
/* @__NO_SIDE_EFFECTS__ */
function hexadecimal(message$1) {
	return {
		kind: "validation",
		type: "hexadecimal",
		reference: hexadecimal,
		async: false,
		expects: null,
		requirement: HEXADECIMAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hexadecimal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hexColor/hexColor.ts
/* @__NO_SIDE_EFFECTS__ */
function hexColor(message$1) {
	return {
		kind: "validation",
		type: "hex_color",
		reference: hexColor,
		async: false,
		expects: null,
		requirement: HEX_COLOR_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hex color", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/imei/imei.ts
/* @__NO_SIDE_EFFECTS__ */
function imei(message$1) {
	return {
		kind: "validation",
		type: "imei",
		reference: imei,
		async: false,
		expects: null,
		requirement(input) {
			return IMEI_REGEX.test(input) && /* @__PURE__ */ _isLuhnAlgo(input);
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "IMEI", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/includes/includes.ts
/* @__NO_SIDE_EFFECTS__ */
function includes(requirement, message$1) {
	const expects = /* @__PURE__ */ _stringify(requirement);
	return {
		kind: "validation",
		type: "includes",
		reference: includes,
		async: false,
		expects,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.includes(this.requirement)) _addIssue(this, "content", dataset, config$1, { received: `!${expects}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/integer/integer.ts
/* @__NO_SIDE_EFFECTS__ */
function integer(message$1) {
	return {
		kind: "validation",
		type: "integer",
		reference: integer,
		async: false,
		expects: null,
		requirement: Number.isInteger,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "integer", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ip/ip.ts
/* @__NO_SIDE_EFFECTS__ */
function ip(message$1) {
	return {
		kind: "validation",
		type: "ip",
		reference: ip,
		async: false,
		expects: null,
		requirement: IP_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IP", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ipv4/ipv4.ts
/* @__NO_SIDE_EFFECTS__ */
function ipv4(message$1) {
	return {
		kind: "validation",
		type: "ipv4",
		reference: ipv4,
		async: false,
		expects: null,
		requirement: IPV4_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IPv4", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ipv6/ipv6.ts
/* @__NO_SIDE_EFFECTS__ */
function ipv6(message$1) {
	return {
		kind: "validation",
		type: "ipv6",
		reference: ipv6,
		async: false,
		expects: null,
		requirement: IPV6_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IPv6", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isbn/utils/_isIsbn10.ts
/**
* [Validates an ISBN-10](https://en.wikipedia.org/wiki/ISBN#ISBN-10_check_digits).
*
* @param input The input value.
*
* @returns `true` if the input is a valid ISBN-10, `false` otherwise.
*
* @internal
*/
function _isIsbn10(input) {
	const digits$1 = input.split("").map((c) => c === "X" ? 10 : parseInt(c));
	let sum = 0;
	for (let i = 0; i < 10; i++) sum += digits$1[i] * (10 - i);
	return sum % 11 === 0;
}

//#endregion
//#region src/actions/isbn/utils/_isIsbn13.ts
/**
* [Validates an ISBN-13](https://en.wikipedia.org/wiki/ISBN#ISBN-13_check_digit_calculation).
*
* @param input The input value.
*
* @returns `true` if the input is a valid ISBN-13, `false` otherwise.
*
* @internal
*/
function _isIsbn13(input) {
	const digits$1 = input.split("").map((c) => parseInt(c));
	let sum = 0;
	for (let i = 0; i < 13; i++) sum += digits$1[i] * (i % 2 === 0 ? 1 : 3);
	return sum % 10 === 0;
}

//#endregion
//#region src/actions/isbn/isbn.ts
/**
* ISBN separator regex.
*/
const ISBN_SEPARATOR_REGEX = /[- ]/gu;
/**
* ISBN-10 detection regex.
*/
const ISBN_10_DETECTION_REGEX = /^\d{9}[\dX]$/u;
/**
* ISBN-13 detection regex.
*/
const ISBN_13_DETECTION_REGEX = /^\d{13}$/u;
/* @__NO_SIDE_EFFECTS__ */
function isbn(message$1) {
	return {
		kind: "validation",
		type: "isbn",
		reference: isbn,
		async: false,
		expects: null,
		requirement(input) {
			const replacedInput = input.replace(ISBN_SEPARATOR_REGEX, "");
			if (ISBN_10_DETECTION_REGEX.test(replacedInput)) return _isIsbn10(replacedInput);
			else if (ISBN_13_DETECTION_REGEX.test(replacedInput)) return _isIsbn13(replacedInput);
			return false;
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "ISBN", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isrc/isrc.ts
/* @__NO_SIDE_EFFECTS__ */
function isrc(message$1) {
	return {
		kind: "validation",
		type: "isrc",
		reference: isrc,
		async: false,
		expects: null,
		requirement: ISRC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "ISRC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDate/isoDate.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDate(message$1) {
	return {
		kind: "validation",
		type: "iso_date",
		reference: isoDate,
		async: false,
		expects: null,
		requirement: ISO_DATE_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDateTime/isoDateTime.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDateTime(message$1) {
	return {
		kind: "validation",
		type: "iso_date_time",
		reference: isoDateTime,
		async: false,
		expects: null,
		requirement: ISO_DATE_TIME_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date-time", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDateTimeSecond/isoDateTimeSecond.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDateTimeSecond(message$1) {
	return {
		kind: "validation",
		type: "iso_date_time_second",
		reference: isoDateTimeSecond,
		async: false,
		expects: null,
		requirement: ISO_DATE_TIME_SECOND_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date-time-second", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTime/isoTime.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTime(message$1) {
	return {
		kind: "validation",
		type: "iso_time",
		reference: isoTime,
		async: false,
		expects: null,
		requirement: ISO_TIME_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "time", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTimeSecond/isoTimeSecond.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTimeSecond(message$1) {
	return {
		kind: "validation",
		type: "iso_time_second",
		reference: isoTimeSecond,
		async: false,
		expects: null,
		requirement: ISO_TIME_SECOND_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "time-second", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTimestamp/isoTimestamp.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTimestamp(message$1) {
	return {
		kind: "validation",
		type: "iso_timestamp",
		reference: isoTimestamp,
		async: false,
		expects: null,
		requirement: ISO_TIMESTAMP_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "timestamp", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoWeek/isoWeek.ts
/* @__NO_SIDE_EFFECTS__ */
function isoWeek(message$1) {
	return {
		kind: "validation",
		type: "iso_week",
		reference: isoWeek,
		async: false,
		expects: null,
		requirement: ISO_WEEK_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "week", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/jwsCompact/jwsCompact.ts
/* @__NO_SIDE_EFFECTS__ */
function jwsCompact(message$1) {
	return {
		kind: "validation",
		type: "jws_compact",
		reference: jwsCompact,
		async: false,
		expects: null,
		requirement: JWS_COMPACT_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "JWS compact", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ksuid/ksuid.ts
/* @__NO_SIDE_EFFECTS__ */
function ksuid(message$1) {
	return {
		kind: "validation",
		type: "ksuid",
		reference: ksuid,
		async: false,
		expects: null,
		requirement: KSUID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "KSUID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/length/length.ts
/* @__NO_SIDE_EFFECTS__ */
function dist_length(requirement, message$1) {
	return {
		kind: "validation",
		type: "length",
		reference: dist_length,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length !== this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ltValue/ltValue.ts
/* @__NO_SIDE_EFFECTS__ */
function ltValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "lt_value",
		reference: ltValue,
		async: false,
		expects: `<${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value < this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac/mac.ts
/* @__NO_SIDE_EFFECTS__ */
function mac(message$1) {
	return {
		kind: "validation",
		type: "mac",
		reference: mac,
		async: false,
		expects: null,
		requirement: MAC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac48/mac48.ts
/* @__NO_SIDE_EFFECTS__ */
function mac48(message$1) {
	return {
		kind: "validation",
		type: "mac48",
		reference: mac48,
		async: false,
		expects: null,
		requirement: MAC48_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "48-bit MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac64/mac64.ts
/* @__NO_SIDE_EFFECTS__ */
function mac64(message$1) {
	return {
		kind: "validation",
		type: "mac64",
		reference: mac64,
		async: false,
		expects: null,
		requirement: MAC64_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "64-bit MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mapItems/mapItems.ts
/* @__NO_SIDE_EFFECTS__ */
function mapItems(operation) {
	return {
		kind: "transformation",
		type: "map_items",
		reference: mapItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.map(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxBytes/maxBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function maxBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_bytes",
		reference: maxBytes,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 > this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxCodePoints/maxCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function maxCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_code_points",
		reference: maxCodePoints,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count > this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxEntries/maxEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function maxEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_entries",
		reference: maxEntries,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count > this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxGraphemes/maxGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function maxGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_graphemes",
		reference: maxGraphemes,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count > this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxLength/maxLength.ts
/* @__NO_SIDE_EFFECTS__ */
function maxLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_length",
		reference: maxLength,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length > this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxSize/maxSize.ts
/* @__NO_SIDE_EFFECTS__ */
function maxSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_size",
		reference: maxSize,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size > this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxValue/maxValue.ts
/* @__NO_SIDE_EFFECTS__ */
function maxValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_value",
		reference: maxValue,
		async: false,
		expects: `<=${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value <= this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxWords/maxWords.ts
/* @__NO_SIDE_EFFECTS__ */
function maxWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "max_words",
		reference: maxWords,
		async: false,
		expects: `<=${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count > this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/metadata/metadata.ts
/**
* Creates a custom metadata action.
*
* @param metadata_ The metadata object.
*
* @returns A metadata action.
*/
/* @__NO_SIDE_EFFECTS__ */
function metadata(metadata_) {
	return {
		kind: "metadata",
		type: "metadata",
		reference: metadata,
		metadata: metadata_
	};
}

//#endregion
//#region src/actions/mimeType/mimeType.ts
/* @__NO_SIDE_EFFECTS__ */
function mimeType(requirement, message$1) {
	return {
		kind: "validation",
		type: "mime_type",
		reference: mimeType,
		async: false,
		expects: /* @__PURE__ */ _joinExpects(requirement.map((option) => `"${option}"`), "|"),
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.includes(dataset.value.type)) _addIssue(this, "MIME type", dataset, config$1, { received: `"${dataset.value.type}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minBytes/minBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function minBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_bytes",
		reference: minBytes,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 < this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minCodePoints/minCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function minCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_code_points",
		reference: minCodePoints,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count < this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minEntries/minEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function minEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_entries",
		reference: minEntries,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count < this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minGraphemes/minGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function minGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_graphemes",
		reference: minGraphemes,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count < this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minLength/minLength.ts
/* @__NO_SIDE_EFFECTS__ */
function minLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_length",
		reference: minLength,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length < this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minSize/minSize.ts
/* @__NO_SIDE_EFFECTS__ */
function minSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_size",
		reference: minSize,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size < this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minValue/minValue.ts
/* @__NO_SIDE_EFFECTS__ */
function minValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_value",
		reference: minValue,
		async: false,
		expects: `>=${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value >= this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minWords/minWords.ts
/* @__NO_SIDE_EFFECTS__ */
function minWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "min_words",
		reference: minWords,
		async: false,
		expects: `>=${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count < this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/multipleOf/multipleOf.ts
/* @__NO_SIDE_EFFECTS__ */
function multipleOf(requirement, message$1) {
	return {
		kind: "validation",
		type: "multiple_of",
		reference: multipleOf,
		async: false,
		expects: `%${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value % this.requirement != 0) _addIssue(this, "multiple", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/nanoid/nanoid.ts
/* @__NO_SIDE_EFFECTS__ */
function nanoid(message$1) {
	return {
		kind: "validation",
		type: "nanoid",
		reference: nanoid,
		async: false,
		expects: null,
		requirement: NANO_ID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Nano ID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/nonEmpty/nonEmpty.ts
/* @__NO_SIDE_EFFECTS__ */
function nonEmpty(message$1) {
	return {
		kind: "validation",
		type: "non_empty",
		reference: nonEmpty,
		async: false,
		expects: "!0",
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length === 0) _addIssue(this, "length", dataset, config$1, { received: "0" });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/normalize/normalize.ts
/* @__NO_SIDE_EFFECTS__ */
function normalize(form) {
	return {
		kind: "transformation",
		type: "normalize",
		reference: normalize,
		async: false,
		form,
		"~run"(dataset) {
			dataset.value = dataset.value.normalize(this.form);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notBytes/notBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function notBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_bytes",
		reference: notBytes,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 === this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notCodePoints/notCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function notCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_code_points",
		reference: notCodePoints,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count === this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notEntries/notEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function notEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_entries",
		reference: notEntries,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count === this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notGraphemes/notGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function notGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_graphemes",
		reference: notGraphemes,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count === this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notLength/notLength.ts
/* @__NO_SIDE_EFFECTS__ */
function notLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_length",
		reference: notLength,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length === this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notSize/notSize.ts
/* @__NO_SIDE_EFFECTS__ */
function notSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_size",
		reference: notSize,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size === this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notValue/notValue.ts
/* @__NO_SIDE_EFFECTS__ */
function notValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_value",
		reference: notValue,
		async: false,
		expects: requirement instanceof Date ? `!${requirement.toJSON()}` : `!${/* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && /* @__PURE__ */ _isValueMatch(this.requirement, dataset.value)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notValues/notValues.ts
/* @__NO_SIDE_EFFECTS__ */
function notValues(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_values",
		reference: notValues,
		async: false,
		expects: `!${/* @__PURE__ */ _joinExpects(requirement.map((value$1) => value$1 instanceof Date ? value$1.toJSON() : /* @__PURE__ */ _stringify(value$1)), "|")}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && this.requirement.some((requirement$1) => /* @__PURE__ */ _isValueMatch(requirement$1, dataset.value))) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notWords/notWords.ts
/* @__NO_SIDE_EFFECTS__ */
function notWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "not_words",
		reference: notWords,
		async: false,
		expects: `!${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count === this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/octal/octal.ts
/* @__NO_SIDE_EFFECTS__ */
function octal(message$1) {
	return {
		kind: "validation",
		type: "octal",
		reference: octal,
		async: false,
		expects: null,
		requirement: OCTAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "octal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/parseBoolean/parseBoolean.ts
const TRUTHY = (/* unused pure expression or super */ null && ([
	true,
	1,
	"true",
	"1",
	"yes",
	"y",
	"on",
	"enabled"
]));
const FALSY = (/* unused pure expression or super */ null && ([
	false,
	0,
	"false",
	"0",
	"no",
	"n",
	"off",
	"disabled"
]));
/* @__NO_SIDE_EFFECTS__ */
function parseBoolean(config$1, message$1) {
	const normalize$1 = (v) => typeof v === "string" ? v.toLowerCase() : v;
	const truthyRaw = config$1?.truthy ?? TRUTHY;
	const falsyRaw = config$1?.falsy ?? FALSY;
	const truthy = config$1?.truthy ? config$1.truthy.map(normalize$1) : TRUTHY;
	const falsy = config$1?.falsy ? config$1.falsy.map(normalize$1) : FALSY;
	return {
		kind: "transformation",
		type: "parse_boolean",
		reference: parseBoolean,
		expects: /* @__PURE__ */ _joinExpects([...truthyRaw, ...falsyRaw].map(_stringify), "|"),
		config: config$1,
		message: message$1,
		async: false,
		"~run"(dataset, config$2) {
			const input = normalize$1(dataset.value);
			if (truthy.includes(input)) dataset.value = true;
			else if (falsy.includes(input)) dataset.value = false;
			else {
				_addIssue(this, "boolean", dataset, config$2);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/parseJson/parseJson.ts
/* @__NO_SIDE_EFFECTS__ */
function parseJson(config$1, message$1) {
	return {
		kind: "transformation",
		type: "parse_json",
		reference: parseJson,
		config: config$1,
		message: message$1,
		async: false,
		"~run"(dataset, config$2) {
			try {
				dataset.value = JSON.parse(dataset.value, this.config?.reviver);
			} catch (error) {
				if (error instanceof Error) {
					_addIssue(this, "JSON", dataset, config$2, { received: `"${error.message}"` });
					dataset.typed = false;
				} else throw error;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/partialCheck/utils/_isPartiallyTyped/_isPartiallyTyped.ts
/**
* Checks if a dataset is partially typed.
*
* @param dataset The dataset to check.
* @param paths The paths to check.
*
* @returns Whether it is partially typed.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isPartiallyTyped(dataset, paths) {
	if (dataset.issues) for (const path of paths) for (const issue of dataset.issues) {
		let typed = false;
		const bound = Math.min(path.length, issue.path?.length ?? 0);
		for (let index = 0; index < bound; index++) if (path[index] !== issue.path[index].key && (path[index] !== "$" || issue.path[index].type !== "array")) {
			typed = true;
			break;
		}
		if (!typed) return false;
	}
	return true;
}

//#endregion
//#region src/actions/partialCheck/partialCheck.ts
/* @__NO_SIDE_EFFECTS__ */
function partialCheck(paths, requirement, message$1) {
	return {
		kind: "validation",
		type: "partial_check",
		reference: partialCheck,
		async: false,
		expects: null,
		paths,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if ((dataset.typed || /* @__PURE__ */ _isPartiallyTyped(dataset, paths)) && !this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/partialCheck/partialCheckAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function partialCheckAsync(paths, requirement, message$1) {
	return {
		kind: "validation",
		type: "partial_check",
		reference: partialCheckAsync,
		async: true,
		expects: null,
		paths,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if ((dataset.typed || /* @__PURE__ */ _isPartiallyTyped(dataset, paths)) && !await this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawCheck/rawCheck.ts
/**
* Creates a raw check validation action.
*
* @param action The validation action.
*
* @returns A raw check action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawCheck(action) {
	return {
		kind: "validation",
		type: "raw_check",
		reference: rawCheck,
		async: false,
		expects: null,
		"~run"(dataset, config$1) {
			action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info)
			});
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawCheck/rawCheckAsync.ts
/**
* Creates a raw check validation action.
*
* @param action The validation action.
*
* @returns A raw check action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawCheckAsync(action) {
	return {
		kind: "validation",
		type: "raw_check",
		reference: rawCheckAsync,
		async: true,
		expects: null,
		async "~run"(dataset, config$1) {
			await action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info)
			});
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawTransform/rawTransform.ts
/**
* Creates a raw transformation action.
*
* @param action The transformation action.
*
* @returns A raw transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawTransform(action) {
	return {
		kind: "transformation",
		type: "raw_transform",
		reference: rawTransform,
		async: false,
		"~run"(dataset, config$1) {
			const output = action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info),
				NEVER: null
			});
			if (dataset.issues) dataset.typed = false;
			else dataset.value = output;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawTransform/rawTransformAsync.ts
/**
* Creates a raw transformation action.
*
* @param action The transformation action.
*
* @returns A raw transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawTransformAsync(action) {
	return {
		kind: "transformation",
		type: "raw_transform",
		reference: rawTransformAsync,
		async: true,
		async "~run"(dataset, config$1) {
			const output = await action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info),
				NEVER: null
			});
			if (dataset.issues) dataset.typed = false;
			else dataset.value = output;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/readonly/readonly.ts
/* @__NO_SIDE_EFFECTS__ */
function readonly() {
	return {
		kind: "transformation",
		type: "readonly",
		reference: readonly,
		async: false,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/reduceItems/reduceItems.ts
/* @__NO_SIDE_EFFECTS__ */
function reduceItems(operation, initial) {
	return {
		kind: "transformation",
		type: "reduce_items",
		reference: reduceItems,
		async: false,
		operation,
		initial,
		"~run"(dataset) {
			dataset.value = dataset.value.reduce(this.operation, this.initial);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/regex/regex.ts
/* @__NO_SIDE_EFFECTS__ */
function regex(requirement, message$1) {
	return {
		kind: "validation",
		type: "regex",
		reference: regex,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "format", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/returns/returns.ts
/* @__NO_SIDE_EFFECTS__ */
function returns(schema) {
	return {
		kind: "transformation",
		type: "returns",
		reference: returns,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = (...args_) => {
				const returnsDataset = this.schema["~run"]({ value: func(...args_) }, config$1);
				if (returnsDataset.issues) throw new ValiError(returnsDataset.issues);
				return returnsDataset.value;
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/returns/returnsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function returnsAsync(schema) {
	return {
		kind: "transformation",
		type: "returns",
		reference: returnsAsync,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = async (...args_) => {
				const returnsDataset = await this.schema["~run"]({ value: await func(...args_) }, config$1);
				if (returnsDataset.issues) throw new ValiError(returnsDataset.issues);
				return returnsDataset.value;
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rfcEmail/rfcEmail.ts
/* @__NO_SIDE_EFFECTS__ */
function rfcEmail(message$1) {
	return {
		kind: "validation",
		type: "rfc_email",
		reference: rfcEmail,
		expects: null,
		async: false,
		requirement: RFC_EMAIL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "email", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/safeInteger/safeInteger.ts
/* @__NO_SIDE_EFFECTS__ */
function safeInteger(message$1) {
	return {
		kind: "validation",
		type: "safe_integer",
		reference: safeInteger,
		async: false,
		expects: null,
		requirement: Number.isSafeInteger,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "safe integer", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/size/size.ts
/* @__NO_SIDE_EFFECTS__ */
function size(requirement, message$1) {
	return {
		kind: "validation",
		type: "size",
		reference: size,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size !== this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/slug/slug.ts
/* @__NO_SIDE_EFFECTS__ */
function slug(message$1) {
	return {
		kind: "validation",
		type: "slug",
		reference: slug,
		async: false,
		expects: null,
		requirement: SLUG_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "slug", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/someItem/someItem.ts
/* @__NO_SIDE_EFFECTS__ */
function someItem(requirement, message$1) {
	return {
		kind: "validation",
		type: "some_item",
		reference: someItem,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.some(this.requirement)) _addIssue(this, "item", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/sortItems/sortItems.ts
/* @__NO_SIDE_EFFECTS__ */
function sortItems(operation) {
	return {
		kind: "transformation",
		type: "sort_items",
		reference: sortItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.sort(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/startsWith/startsWith.ts
/* @__NO_SIDE_EFFECTS__ */
function startsWith(requirement, message$1) {
	return {
		kind: "validation",
		type: "starts_with",
		reference: startsWith,
		async: false,
		expects: `"${requirement}"`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.startsWith(this.requirement)) _addIssue(this, "start", dataset, config$1, { received: `"${dataset.value.slice(0, this.requirement.length)}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/stringifyJson/stringifyJson.ts
/* @__NO_SIDE_EFFECTS__ */
function stringifyJson(config$1, message$1) {
	return {
		kind: "transformation",
		type: "stringify_json",
		reference: stringifyJson,
		message: message$1,
		config: config$1,
		async: false,
		"~run"(dataset, config$2) {
			try {
				const output = JSON.stringify(dataset.value, this.config?.replacer, this.config?.space);
				if (output === void 0) {
					_addIssue(this, "JSON", dataset, config$2);
					dataset.typed = false;
				} else dataset.value = output;
			} catch (error) {
				if (error instanceof Error) {
					_addIssue(this, "JSON", dataset, config$2, { received: `"${error.message}"` });
					dataset.typed = false;
				} else throw error;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/title/title.ts
/**
* Creates a title metadata action.
*
* @param title_ The title text.
*
* @returns A title action.
*/
/* @__NO_SIDE_EFFECTS__ */
function title(title_) {
	return {
		kind: "metadata",
		type: "title",
		reference: title,
		title: title_
	};
}

//#endregion
//#region src/actions/toBigint/toBigint.ts
/* @__NO_SIDE_EFFECTS__ */
function toBigint(message$1) {
	return {
		kind: "transformation",
		type: "to_bigint",
		reference: toBigint,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = BigInt(dataset.value);
			} catch {
				_addIssue(this, "bigint", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toBoolean/toBoolean.ts
/**
* Creates a to boolean transformation action.
*
* @returns A to boolean action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toBoolean() {
	return {
		kind: "transformation",
		type: "to_boolean",
		reference: toBoolean,
		async: false,
		"~run"(dataset) {
			dataset.value = Boolean(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toCamelCase/toCamelCase.ts
/**
* Creates a to camel case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parseUrlValue`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2Name`).
*
* @returns A to camel case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toCamelCase() {
	return {
		kind: "transformation",
		type: "to_camel_case",
		reference: toCamelCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "", false, true);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toDate/toDate.ts
/* @__NO_SIDE_EFFECTS__ */
function toDate(message$1) {
	return {
		kind: "transformation",
		type: "to_date",
		reference: toDate,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = new Date(dataset.value);
				if (isNaN(dataset.value)) {
					_addIssue(this, "date", dataset, config$1, { received: "\"Invalid Date\"" });
					dataset.typed = false;
				}
			} catch {
				_addIssue(this, "date", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toKebabCase/toKebabCase.ts
/**
* Creates a to kebab case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parse-url-value`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2-name`).
*
* @returns A to kebab case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toKebabCase() {
	return {
		kind: "transformation",
		type: "to_kebab_case",
		reference: toKebabCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "-", false, false);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toLowerCase/toLowerCase.ts
/**
* Creates a to lower case transformation action.
*
* @returns A to lower case action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toLowerCase() {
	return {
		kind: "transformation",
		type: "to_lower_case",
		reference: toLowerCase,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.toLowerCase();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toMaxValue/toMaxValue.ts
/**
* Creates a to max value transformation action.
*
* @param requirement The maximum value.
*
* @returns A to max value action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toMaxValue(requirement) {
	return {
		kind: "transformation",
		type: "to_max_value",
		reference: toMaxValue,
		async: false,
		requirement,
		"~run"(dataset) {
			dataset.value = dataset.value > this.requirement ? this.requirement : dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toMinValue/toMinValue.ts
/**
* Creates a to min value transformation action.
*
* @param requirement The minimum value.
*
* @returns A to min value action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toMinValue(requirement) {
	return {
		kind: "transformation",
		type: "to_min_value",
		reference: toMinValue,
		async: false,
		requirement,
		"~run"(dataset) {
			dataset.value = dataset.value < this.requirement ? this.requirement : dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toNumber/toNumber.ts
/* @__NO_SIDE_EFFECTS__ */
function toNumber(message$1) {
	return {
		kind: "transformation",
		type: "to_number",
		reference: toNumber,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = Number(dataset.value);
				if (isNaN(dataset.value)) {
					_addIssue(this, "number", dataset, config$1);
					dataset.typed = false;
				}
			} catch {
				_addIssue(this, "number", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toPascalCase/toPascalCase.ts
/**
* Creates a to pascal case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `ParseUrlValue`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `Item2Name`).
*
* @returns A to pascal case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toPascalCase() {
	return {
		kind: "transformation",
		type: "to_pascal_case",
		reference: toPascalCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "", true, true);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toSnakeCase/toSnakeCase.ts
/**
* Creates a to snake case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parse_url_value`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2_name`).
*
* @returns A to snake case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toSnakeCase() {
	return {
		kind: "transformation",
		type: "to_snake_case",
		reference: toSnakeCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "_", false, false);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toString/toString.ts
/* @__NO_SIDE_EFFECTS__ */
function dist_toString(message$1) {
	return {
		kind: "transformation",
		type: "to_string",
		reference: dist_toString,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = String(dataset.value);
			} catch {
				_addIssue(this, "string", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toUpperCase/toUpperCase.ts
/**
* Creates a to upper case transformation action.
*
* @returns A to upper case action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toUpperCase() {
	return {
		kind: "transformation",
		type: "to_upper_case",
		reference: toUpperCase,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.toUpperCase();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/transform/transform.ts
/**
* Creates a custom transformation action.
*
* @param operation The transformation operation.
*
* @returns A transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function transform(operation) {
	return {
		kind: "transformation",
		type: "transform",
		reference: transform,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = this.operation(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/transform/transformAsync.ts
/**
* Creates a custom transformation action.
*
* @param operation The transformation operation.
*
* @returns A transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function transformAsync(operation) {
	return {
		kind: "transformation",
		type: "transform",
		reference: transformAsync,
		async: true,
		operation,
		async "~run"(dataset) {
			dataset.value = await this.operation(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trim/trim.ts
/**
* Creates a trim transformation action.
*
* @returns A trim action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trim() {
	return {
		kind: "transformation",
		type: "trim",
		reference: trim,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trim();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trimEnd/trimEnd.ts
/**
* Creates a trim end transformation action.
*
* @returns A trim end action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trimEnd() {
	return {
		kind: "transformation",
		type: "trim_end",
		reference: trimEnd,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trimEnd();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trimStart/trimStart.ts
/**
* Creates a trim start transformation action.
*
* @returns A trim start action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trimStart() {
	return {
		kind: "transformation",
		type: "trim_start",
		reference: trimStart,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trimStart();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ulid/ulid.ts
/* @__NO_SIDE_EFFECTS__ */
function ulid(message$1) {
	return {
		kind: "validation",
		type: "ulid",
		reference: ulid,
		async: false,
		expects: null,
		requirement: ULID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "ULID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/url/url.ts
/* @__NO_SIDE_EFFECTS__ */
function url(message$1) {
	return {
		kind: "validation",
		type: "url",
		reference: url,
		async: false,
		expects: null,
		requirement(input) {
			try {
				if (URL.canParse) return URL.canParse(input);
				new URL(input);
				return true;
			} catch {
				return false;
			}
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "URL", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/uuid/uuid.ts
/* @__NO_SIDE_EFFECTS__ */
function uuid(message$1) {
	return {
		kind: "validation",
		type: "uuid",
		reference: uuid,
		async: false,
		expects: null,
		requirement: UUID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "UUID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/value/value.ts
/* @__NO_SIDE_EFFECTS__ */
function value(requirement, message$1) {
	return {
		kind: "validation",
		type: "value",
		reference: value,
		async: false,
		expects: requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement),
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !/* @__PURE__ */ _isValueMatch(this.requirement, dataset.value)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/values/values.ts
/* @__NO_SIDE_EFFECTS__ */
function values(requirement, message$1) {
	return {
		kind: "validation",
		type: "values",
		reference: values,
		async: false,
		expects: `${/* @__PURE__ */ _joinExpects(requirement.map((value$1) => value$1 instanceof Date ? value$1.toJSON() : /* @__PURE__ */ _stringify(value$1)), "|")}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.some((requirement$1) => /* @__PURE__ */ _isValueMatch(requirement$1, dataset.value))) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/words/words.ts
/* @__NO_SIDE_EFFECTS__ */
function words(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "words",
		reference: words,
		async: false,
		expects: `${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count !== this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/const.ts
const ABORT_EARLY_CONFIG = { abortEarly: true };

//#endregion
//#region src/methods/assert/assert.ts
/**
* Checks if the input matches the schema. As this is an assertion function, it
* can be used as a type guard.
*
* @param schema The schema to be used.
* @param input The input to be tested.
*/
function assert(schema, input) {
	const issues = schema["~run"]({ value: input }, ABORT_EARLY_CONFIG).issues;
	if (issues) throw new ValiError(issues);
}

//#endregion
//#region src/methods/cache/_LruCache.ts
/**
* Efficient LRU cache using Map iteration order.
*/
var _LruCache = class {
	constructor(config$1) {
		this.refCount = 0;
		this.maxSize = config$1?.maxSize ?? 1e3;
		this.maxAge = config$1?.maxAge ?? Infinity;
		this.hasMaxAge = isFinite(this.maxAge);
	}
	/**
	* Stringifies an unknown input to a cache key component.
	*
	* @param input The unknown input.
	*
	* @returns A cache key component.
	*/
	stringify(input) {
		const type = typeof input;
		if (type === "string") return `"${input}"`;
		if (type === "number" || type === "boolean") return `${input}`;
		if (type === "bigint") return `${input}n`;
		if (type === "object" || type === "function") {
			if (input) {
				this.refIds ?? (this.refIds = /* @__PURE__ */ new WeakMap());
				let id = this.refIds.get(input);
				if (!id) {
					id = ++this.refCount;
					this.refIds.set(input, id);
				}
				return `#${id}`;
			}
			return "null";
		}
		return type;
	}
	/**
	* Creates a cache key from input and config.
	*
	* @param input The input value.
	* @param config The parse configuration.
	*
	* @returns The cache key.
	*/
	key(input, config$1 = {}) {
		return `${this.stringify(input)}|${this.stringify(config$1.lang)}|${this.stringify(config$1.message)}|${this.stringify(config$1.abortEarly)}|${this.stringify(config$1.abortPipeEarly)}`;
	}
	/**
	* Gets a value from the cache by key.
	*
	* @param key The cache key.
	*
	* @returns The cached value.
	*/
	get(key) {
		if (!this.store) return void 0;
		const entry = this.store.get(key);
		if (!entry) return void 0;
		if (this.hasMaxAge && Date.now() - entry[1] > this.maxAge) {
			this.store.delete(key);
			return;
		}
		this.store.delete(key);
		this.store.set(key, entry);
		return entry[0];
	}
	/**
	* Sets a value in the cache by key.
	*
	* @param key The cache key.
	* @param value The cached value.
	*/
	set(key, value$1) {
		this.store ?? (this.store = /* @__PURE__ */ new Map());
		this.store.delete(key);
		const timestamp = this.hasMaxAge ? Date.now() : 0;
		this.store.set(key, [value$1, timestamp]);
		if (this.store.size > this.maxSize) this.store.delete(this.store.keys().next().value);
	}
	/**
	* Clears all entries from the cache.
	*/
	clear() {
		this.store?.clear();
	}
};

//#endregion
//#region src/methods/cache/cache.ts
/* @__NO_SIDE_EFFECTS__ */
function cache(schema, config$1) {
	return _standardSchema({
		...schema,
		cacheConfig: config$1,
		cache: new _LruCache(config$1),
		"~run"(dataset, runConfig) {
			const key = this.cache.key(dataset.value, runConfig);
			let outputDataset = this.cache.get(key);
			if (!outputDataset) this.cache.set(key, outputDataset = schema["~run"](dataset, runConfig));
			return /* @__PURE__ */ _cloneDataset(outputDataset);
		}
	});
}

//#endregion
//#region src/methods/cache/cacheAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function cacheAsync(schema, config$1) {
	let activeRuns;
	return _standardSchema({
		...schema,
		async: true,
		cacheConfig: config$1,
		cache: new _LruCache(config$1),
		async "~run"(dataset, runConfig) {
			const key = this.cache.key(dataset.value, runConfig);
			const cached = this.cache.get(key);
			if (cached) return /* @__PURE__ */ _cloneDataset(cached);
			let promise$1 = activeRuns?.get(key);
			if (!promise$1) {
				activeRuns ?? (activeRuns = /* @__PURE__ */ new Map());
				promise$1 = Promise.resolve(schema["~run"](dataset, runConfig));
				activeRuns.set(key, promise$1);
			}
			try {
				const outputDataset = await promise$1;
				this.cache.set(key, outputDataset);
				return /* @__PURE__ */ _cloneDataset(outputDataset);
			} finally {
				activeRuns?.delete(key);
			}
		}
	});
}

//#endregion
//#region src/methods/config/config.ts
/**
* Changes the local configuration of a schema.
*
* @param schema The schema to configure.
* @param config The parse configuration.
*
* @returns The configured schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function config(schema, config$1) {
	return _standardSchema({
		...schema,
		"~run"(dataset, config_) {
			return schema["~run"](dataset, {
				...config_,
				...config$1
			});
		}
	});
}

//#endregion
//#region src/methods/getFallback/getFallback.ts
/**
* Returns the fallback value of the schema.
*
* @param schema The schema to get it from.
* @param dataset The output dataset if available.
* @param config The config if available.
*
* @returns The fallback value.
*/
/* @__NO_SIDE_EFFECTS__ */
function getFallback(schema, dataset, config$1) {
	return typeof schema.fallback === "function" ? schema.fallback(dataset, config$1) : schema.fallback;
}

//#endregion
//#region src/methods/fallback/fallback.ts
/**
* Returns a fallback value as output if the input does not match the schema.
*
* @param schema The schema to catch.
* @param fallback The fallback value.
*
* @returns The passed schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function fallback(schema, fallback$1) {
	return _standardSchema({
		...schema,
		fallback: fallback$1,
		"~run"(dataset, config$1) {
			const outputDataset = schema["~run"](dataset, config$1);
			return outputDataset.issues ? {
				typed: true,
				value: /* @__PURE__ */ getFallback(this, outputDataset, config$1)
			} : outputDataset;
		}
	});
}

//#endregion
//#region src/methods/fallback/fallbackAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function fallbackAsync(schema, fallback$1) {
	return _standardSchema({
		...schema,
		fallback: fallback$1,
		async: true,
		async "~run"(dataset, config$1) {
			const outputDataset = await schema["~run"](dataset, config$1);
			return outputDataset.issues ? {
				typed: true,
				value: await /* @__PURE__ */ getFallback(this, outputDataset, config$1)
			} : outputDataset;
		}
	});
}

//#endregion
//#region src/methods/flatten/flatten.ts
/* @__NO_SIDE_EFFECTS__ */
function flatten(issues) {
	const flatErrors = {};
	for (const issue of issues) if (issue.path) {
		const dotPath = /* @__PURE__ */ getDotPath(issue);
		if (dotPath) {
			if (!flatErrors.nested) flatErrors.nested = {};
			if (Object.prototype.hasOwnProperty.call(flatErrors.nested, dotPath)) flatErrors.nested[dotPath].push(issue.message);
			else flatErrors.nested[dotPath] = [issue.message];
		} else if (flatErrors.other) flatErrors.other.push(issue.message);
		else flatErrors.other = [issue.message];
	} else if (flatErrors.root) flatErrors.root.push(issue.message);
	else flatErrors.root = [issue.message];
	return flatErrors;
}

//#endregion
//#region src/methods/forward/forward.ts
/**
* Forwards the issues of the passed validation action.
*
* @param action The validation action.
* @param path The path to forward the issues to.
*
* @returns The modified action.
*/
/* @__NO_SIDE_EFFECTS__ */
function forward(action, path) {
	return {
		...action,
		"~run"(dataset, config$1) {
			const prevIssues = dataset.issues && [...dataset.issues];
			dataset = action["~run"](dataset, config$1);
			if (dataset.issues) {
				for (const issue of dataset.issues) if (!prevIssues?.includes(issue)) {
					let pathInput = dataset.value;
					for (const key of path) {
						const pathValue = pathInput[key];
						const pathItem = {
							type: "unknown",
							origin: "value",
							input: pathInput,
							key,
							value: pathValue
						};
						if (issue.path) issue.path.push(pathItem);
						else issue.path = [pathItem];
						if (!pathValue) break;
						pathInput = pathValue;
					}
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/methods/forward/forwardAsync.ts
/**
* Forwards the issues of the passed validation action.
*
* @param action The validation action.
* @param path The path to forward the issues to.
*
* @returns The modified action.
*/
/* @__NO_SIDE_EFFECTS__ */
function forwardAsync(action, path) {
	return {
		...action,
		async: true,
		async "~run"(dataset, config$1) {
			const prevIssues = dataset.issues && [...dataset.issues];
			dataset = await action["~run"](dataset, config$1);
			if (dataset.issues) {
				for (const issue of dataset.issues) if (!prevIssues?.includes(issue)) {
					let pathInput = dataset.value;
					for (const key of path) {
						const pathValue = pathInput[key];
						const pathItem = {
							type: "unknown",
							origin: "value",
							input: pathInput,
							key,
							value: pathValue
						};
						if (issue.path) issue.path.push(pathItem);
						else issue.path = [pathItem];
						if (!pathValue) break;
						pathInput = pathValue;
					}
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/methods/getDefault/getDefault.ts
/**
* Returns the default value of the schema.
*
* @param schema The schema to get it from.
* @param dataset The input dataset if available.
* @param config The config if available.
*
* @returns The default value.
*/
/* @__NO_SIDE_EFFECTS__ */
function getDefault(schema, dataset, config$1) {
	return typeof schema.default === "function" ? schema.default(dataset, config$1) : schema.default;
}

//#endregion
//#region src/methods/getDefaults/getDefaults.ts
/**
* Returns the default values of the schema.
*
* Hint: The difference to `getDefault` is that for object and tuple schemas
* this function recursively returns the default values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The default values.
*/
/* @__NO_SIDE_EFFECTS__ */
function getDefaults(schema) {
	if ("entries" in schema) {
		const object$1 = {};
		for (const key in schema.entries) object$1[key] = /* @__PURE__ */ getDefaults(schema.entries[key]);
		return object$1;
	}
	if ("items" in schema) return schema.items.map(getDefaults);
	return /* @__PURE__ */ getDefault(schema);
}

//#endregion
//#region src/methods/getDefaults/getDefaultsAsync.ts
/**
* Returns the default values of the schema.
*
* Hint: The difference to `getDefault` is that for object and tuple schemas
* this function recursively returns the default values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The default values.
*/
/* @__NO_SIDE_EFFECTS__ */
async function getDefaultsAsync(schema) {
	if ("entries" in schema) return Object.fromEntries(await Promise.all(Object.entries(schema.entries).map(async ([key, value$1]) => [key, await /* @__PURE__ */ getDefaultsAsync(value$1)])));
	if ("items" in schema) return Promise.all(schema.items.map(getDefaultsAsync));
	return /* @__PURE__ */ getDefault(schema);
}

//#endregion
//#region src/methods/getDescription/getDescription.ts
/**
* Returns the description of the schema.
*
* If multiple descriptions are defined, the last one of the highest level is
* returned. If no description is defined, `undefined` is returned.
*
* @param schema The schema to get the description from.
*
* @returns The description, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getDescription(schema) {
	return /* @__PURE__ */ _getLastMetadata(schema, "description");
}

//#endregion
//#region src/methods/getExamples/getExamples.ts
/**
* Returns the examples of a schema.
*
* If multiple examples are defined, it concatenates them using depth-first
* search. If no examples are defined, an empty array is returned.
*
* @param schema The schema to get the examples from.
*
* @returns The examples, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getExamples(schema) {
	const examples$1 = [];
	function depthFirstCollect(schema$1) {
		if ("pipe" in schema$1) {
			for (const item of schema$1.pipe) if (item.kind === "schema" && "pipe" in item) depthFirstCollect(item);
			else if (item.kind === "metadata" && item.type === "examples") for (const example of item.examples) examples$1.push(example);
		}
	}
	depthFirstCollect(schema);
	return examples$1;
}

//#endregion
//#region src/methods/getFallbacks/getFallbacks.ts
/**
* Returns the fallback values of the schema.
*
* Hint: The difference to `getFallback` is that for object and tuple schemas
* this function recursively returns the fallback values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The fallback values.
*/
/* @__NO_SIDE_EFFECTS__ */
function getFallbacks(schema) {
	if ("entries" in schema) {
		const object$1 = {};
		for (const key in schema.entries) object$1[key] = /* @__PURE__ */ getFallbacks(schema.entries[key]);
		return object$1;
	}
	if ("items" in schema) return schema.items.map(getFallbacks);
	return /* @__PURE__ */ getFallback(schema);
}

//#endregion
//#region src/methods/getFallbacks/getFallbacksAsync.ts
/**
* Returns the fallback values of the schema.
*
* Hint: The difference to `getFallback` is that for object and tuple schemas
* this function recursively returns the fallback values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The fallback values.
*/
/* @__NO_SIDE_EFFECTS__ */
async function getFallbacksAsync(schema) {
	if ("entries" in schema) return Object.fromEntries(await Promise.all(Object.entries(schema.entries).map(async ([key, value$1]) => [key, await /* @__PURE__ */ getFallbacksAsync(value$1)])));
	if ("items" in schema) return Promise.all(schema.items.map(getFallbacksAsync));
	return /* @__PURE__ */ getFallback(schema);
}

//#endregion
//#region src/methods/getMetadata/getMetadata.ts
/**
* Returns the metadata of a schema.
*
* If multiple metadata are defined, it shallowly merges them using depth-first
* search. If no metadata is defined, an empty object is returned.
*
* @param schema Schema to get the metadata from.
*
* @returns The metadata, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getMetadata(schema) {
	const result = {};
	function depthFirstMerge(schema$1) {
		if ("pipe" in schema$1) {
			for (const item of schema$1.pipe) if (item.kind === "schema" && "pipe" in item) depthFirstMerge(item);
			else if (item.kind === "metadata" && item.type === "metadata") Object.assign(result, item.metadata);
		}
	}
	depthFirstMerge(schema);
	return result;
}

//#endregion
//#region src/methods/getTitle/getTitle.ts
/**
* Returns the title of the schema.
*
* If multiple titles are defined, the last one of the highest level is
* returned. If no title is defined, `undefined` is returned.
*
* @param schema The schema to get the title from.
*
* @returns The title, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getTitle(schema) {
	return /* @__PURE__ */ _getLastMetadata(schema, "title");
}

//#endregion
//#region src/methods/is/is.ts
/**
* Checks if the input matches the schema. By using a type predicate, this
* function can be used as a type guard.
*
* @param schema The schema to be used.
* @param input The input to be tested.
*
* @returns Whether the input matches the schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function is(schema, input) {
	return !schema["~run"]({ value: input }, ABORT_EARLY_CONFIG).issues;
}

//#endregion
//#region src/schemas/any/any.ts
/**
* Creates an any schema.
*
* Hint: This schema function exists only for completeness and is not
* recommended in practice. Instead, `unknown` should be used to accept
* unknown data.
*
* @returns An any schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function any() {
	return _standardSchema({
		kind: "schema",
		type: "any",
		reference: any,
		expects: "any",
		async: false,
		"~run"(dataset) {
			dataset.typed = true;
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/array/array.ts
/* @__NO_SIDE_EFFECTS__ */
function array(item, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "array",
		reference: array,
		expects: "Array",
		async: false,
		item,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < input.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.item["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/array/arrayAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function arrayAsync(item, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "array",
		reference: arrayAsync,
		expects: "Array",
		async: true,
		item,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(input.map((value$1) => this.item["~run"]({ value: value$1 }, config$1)));
				for (let key = 0; key < itemDatasets.length; key++) {
					const itemDataset = itemDatasets[key];
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: input[key]
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/bigint/bigint.ts
/* @__NO_SIDE_EFFECTS__ */
function bigint(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "bigint",
		reference: bigint,
		expects: "bigint",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "bigint") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/blob/blob.ts
/* @__NO_SIDE_EFFECTS__ */
function blob(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "blob",
		reference: blob,
		expects: "Blob",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Blob) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/boolean/boolean.ts
/* @__NO_SIDE_EFFECTS__ */
function dist_boolean(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "boolean",
		reference: dist_boolean,
		expects: "boolean",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "boolean") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/custom/custom.ts
/* @__NO_SIDE_EFFECTS__ */
function custom(check$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "custom",
		reference: custom,
		expects: "unknown",
		async: false,
		check: check$1,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.check(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/custom/customAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function customAsync(check$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "custom",
		reference: customAsync,
		expects: "unknown",
		async: true,
		check: check$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (await this.check(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/date/date.ts
/* @__NO_SIDE_EFFECTS__ */
function date(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "date",
		reference: date,
		expects: "Date",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Date) if (!isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1, { received: "\"Invalid Date\"" });
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/enum/enum.ts
/* @__NO_SIDE_EFFECTS__ */
function enum_(enum__, message$1) {
	const options = [];
	for (const key in enum__) if (`${+key}` !== key || typeof enum__[key] !== "string" || !Object.is(enum__[enum__[key]], +key)) options.push(enum__[key]);
	return _standardSchema({
		kind: "schema",
		type: "enum",
		reference: enum_,
		expects: /* @__PURE__ */ _joinExpects(options.map(_stringify), "|"),
		async: false,
		enum: enum__,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.includes(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/exactOptional/exactOptional.ts
/* @__NO_SIDE_EFFECTS__ */
function exactOptional(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "exact_optional",
		reference: exactOptional,
		expects: wrapped.expects,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/exactOptional/exactOptionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function exactOptionalAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "exact_optional",
		reference: exactOptionalAsync,
		expects: wrapped.expects,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/file/file.ts
/* @__NO_SIDE_EFFECTS__ */
function file(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "file",
		reference: file,
		expects: "File",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof File) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/function/function.ts
/* @__NO_SIDE_EFFECTS__ */
function function_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "function",
		reference: function_,
		expects: "Function",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "function") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/instance/instance.ts
/* @__NO_SIDE_EFFECTS__ */
function instance(class_, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "instance",
		reference: instance,
		expects: class_.name,
		async: false,
		class: class_,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof this.class) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/intersect/utils/_merge/_merge.ts
/**
* Merges two values into one single output.
*
* @param value1 First value.
* @param value2 Second value.
*
* @returns The merge dataset.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _merge(value1, value2) {
	if (typeof value1 === typeof value2) {
		if (/* @__PURE__ */ _isSameValueZero(value1, value2) || value1 instanceof Date && value2 instanceof Date && /* @__PURE__ */ _isSameValueZero(+value1, +value2)) return { value: value1 };
		if (value1 && value2 && value1.constructor === Object && value2.constructor === Object) {
			const nextValue = {
				...value1,
				...value2
			};
			for (const key in value2) if (Object.prototype.hasOwnProperty.call(value1, key) && Object.prototype.hasOwnProperty.call(value2, key)) {
				const dataset = /* @__PURE__ */ _merge(value1[key], value2[key]);
				if (dataset.issue) return dataset;
				nextValue[key] = dataset.value;
			}
			return { value: nextValue };
		}
		if (Array.isArray(value1) && Array.isArray(value2)) {
			if (value1.length === value2.length) {
				const nextValue = [...value1];
				for (let index = 0; index < value1.length; index++) {
					const dataset = /* @__PURE__ */ _merge(value1[index], value2[index]);
					if (dataset.issue) return dataset;
					nextValue[index] = dataset.value;
				}
				return { value: nextValue };
			}
		}
	}
	return { issue: true };
}

//#endregion
//#region src/schemas/intersect/intersect.ts
/* @__NO_SIDE_EFFECTS__ */
function intersect(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "intersect",
		reference: intersect,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "&"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.length) {
				const input = dataset.value;
				let outputs;
				dataset.typed = true;
				for (const schema of this.options) {
					const optionDataset = schema["~run"]({ value: input }, config$1);
					if (optionDataset.issues) {
						if (dataset.issues) for (const issue of optionDataset.issues) dataset.issues.push(issue);
						else dataset.issues = optionDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!optionDataset.typed) dataset.typed = false;
					if (dataset.typed) if (outputs) outputs.push(optionDataset.value);
					else outputs = [optionDataset.value];
				}
				if (dataset.typed) {
					dataset.value = outputs[0];
					for (let index = 1; index < outputs.length; index++) {
						const mergeDataset = /* @__PURE__ */ _merge(dataset.value, outputs[index]);
						if (mergeDataset.issue) {
							_addIssue(this, "type", dataset, config$1, { received: "unknown" });
							break;
						}
						dataset.value = mergeDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/intersect/intersectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function intersectAsync(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "intersect",
		reference: intersectAsync,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "&"),
		async: true,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (this.options.length) {
				const input = dataset.value;
				let outputs;
				dataset.typed = true;
				const optionDatasets = await Promise.all(this.options.map((schema) => schema["~run"]({ value: input }, config$1)));
				for (const optionDataset of optionDatasets) {
					if (optionDataset.issues) {
						if (dataset.issues) for (const issue of optionDataset.issues) dataset.issues.push(issue);
						else dataset.issues = optionDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!optionDataset.typed) dataset.typed = false;
					if (dataset.typed) if (outputs) outputs.push(optionDataset.value);
					else outputs = [optionDataset.value];
				}
				if (dataset.typed) {
					dataset.value = outputs[0];
					for (let index = 1; index < outputs.length; index++) {
						const mergeDataset = /* @__PURE__ */ _merge(dataset.value, outputs[index]);
						if (mergeDataset.issue) {
							_addIssue(this, "type", dataset, config$1, { received: "unknown" });
							break;
						}
						dataset.value = mergeDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/lazy/lazy.ts
/**
* Creates a lazy schema.
*
* @param getter The schema getter.
*
* @returns A lazy schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function lazy(getter) {
	return _standardSchema({
		kind: "schema",
		type: "lazy",
		reference: lazy,
		expects: "unknown",
		async: false,
		getter,
		"~run"(dataset, config$1) {
			return this.getter(dataset.value)["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/lazy/lazyAsync.ts
/**
* Creates a lazy schema.
*
* @param getter The schema getter.
*
* @returns A lazy schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function lazyAsync(getter) {
	return _standardSchema({
		kind: "schema",
		type: "lazy",
		reference: lazyAsync,
		expects: "unknown",
		async: true,
		getter,
		async "~run"(dataset, config$1) {
			return (await this.getter(dataset.value))["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/literal/literal.ts
/* @__NO_SIDE_EFFECTS__ */
function literal(literal_, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "literal",
		reference: literal,
		expects: /* @__PURE__ */ _stringify(literal_),
		async: false,
		literal: literal_,
		message: message$1,
		"~run"(dataset, config$1) {
			if (/* @__PURE__ */ _isSameValueZero(dataset.value, this.literal)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseObject/looseObject.ts
/* @__NO_SIDE_EFFECTS__ */
function looseObject(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_object",
		reference: looseObject,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) dataset.value[key] = input[key];
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseObject/looseObjectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function looseObjectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_object",
		reference: looseObjectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) dataset.value[key] = input[key];
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseTuple/looseTuple.ts
/* @__NO_SIDE_EFFECTS__ */
function looseTuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_tuple",
		reference: looseTuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) dataset.value.push(input[key]);
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseTuple/looseTupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function looseTupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_tuple",
		reference: looseTupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) dataset.value.push(input[key]);
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/map/map.ts
/* @__NO_SIDE_EFFECTS__ */
function map(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "map",
		reference: map,
		expects: "Map",
		async: false,
		key,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Map) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Map();
				for (const [inputKey, inputValue] of input) {
					const keyDataset = this.key["~run"]({ value: inputKey }, config$1);
					if (keyDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "key",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of keyDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					const valueDataset = this.value["~run"]({ value: inputValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "value",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					dataset.value.set(keyDataset.value, valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/map/mapAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function mapAsync(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "map",
		reference: mapAsync,
		expects: "Map",
		async: true,
		key,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Map) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Map();
				const datasets = await Promise.all([...input].map(([inputKey, inputValue]) => Promise.all([
					inputKey,
					inputValue,
					this.key["~run"]({ value: inputKey }, config$1),
					this.value["~run"]({ value: inputValue }, config$1)
				])));
				for (const [inputKey, inputValue, keyDataset, valueDataset] of datasets) {
					if (keyDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "key",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of keyDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (valueDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "value",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					dataset.value.set(keyDataset.value, valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nan/nan.ts
/* @__NO_SIDE_EFFECTS__ */
function nan(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "nan",
		reference: nan,
		expects: "NaN",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (Number.isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/never/never.ts
/* @__NO_SIDE_EFFECTS__ */
function never(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "never",
		reference: never,
		expects: "never",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			_addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullable/nonNullable.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullable(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullable",
		reference: nonNullable,
		expects: "!null",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value !== null) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullable/nonNullableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullableAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullable",
		reference: nonNullableAsync,
		expects: "!null",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.value !== null) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullish/nonNullish.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullish(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullish",
		reference: nonNullish,
		expects: "(!null & !undefined)",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!(dataset.value === null || dataset.value === void 0)) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null || dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullish/nonNullishAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullishAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullish",
		reference: nonNullishAsync,
		expects: "(!null & !undefined)",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (!(dataset.value === null || dataset.value === void 0)) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null || dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonOptional/nonOptional.ts
/* @__NO_SIDE_EFFECTS__ */
function nonOptional(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_optional",
		reference: nonOptional,
		expects: "!undefined",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value !== void 0) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonOptional/nonOptionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonOptionalAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_optional",
		reference: nonOptionalAsync,
		expects: "!undefined",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.value !== void 0) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/null/null.ts
/* @__NO_SIDE_EFFECTS__ */
function null_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "null",
		reference: null_,
		expects: "null",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === null) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nullable/nullable.ts
/* @__NO_SIDE_EFFECTS__ */
function nullable(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullable",
		reference: nullable,
		expects: `(${wrapped.expects} | null)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === null) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullable/nullableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nullableAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullable",
		reference: nullableAsync,
		expects: `(${wrapped.expects} | null)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === null) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullish/nullish.ts
/* @__NO_SIDE_EFFECTS__ */
function nullish(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullish",
		reference: nullish,
		expects: `(${wrapped.expects} | null | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === null || dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null || dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullish/nullishAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nullishAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullish",
		reference: nullishAsync,
		expects: `(${wrapped.expects} | null | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === null || dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null || dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/number/number.ts
/* @__NO_SIDE_EFFECTS__ */
function number(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "number",
		reference: number,
		expects: "number",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "number" && !isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/object/object.ts
/* @__NO_SIDE_EFFECTS__ */
function object(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object",
		reference: object,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/object/objectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function objectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object",
		reference: objectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/objectWithRest/objectWithRest.ts
/* @__NO_SIDE_EFFECTS__ */
function objectWithRest(entries$1, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object_with_rest",
		reference: objectWithRest,
		expects: "Object",
		async: false,
		entries: entries$1,
		rest,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) {
						const valueDataset = this.rest["~run"]({ value: input[key] }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: input[key]
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/objectWithRest/objectWithRestAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function objectWithRestAsync(entries$1, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object_with_rest",
		reference: objectWithRestAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		rest,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const [normalDatasets, restDatasets] = await Promise.all([Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				})), Promise.all(Object.entries(input).filter(([key]) => /* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)).map(async ([key, value$1]) => [
					key,
					value$1,
					await this.rest["~run"]({ value: value$1 }, config$1)
				]))]);
				for (const [key, value$1, valueSchema, valueDataset] of normalDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) for (const [key, value$1, valueDataset] of restDatasets) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/optional/optional.ts
/* @__NO_SIDE_EFFECTS__ */
function optional(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "optional",
		reference: optional,
		expects: `(${wrapped.expects} | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/optional/optionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function optionalAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "optional",
		reference: optionalAsync,
		expects: `(${wrapped.expects} | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/picklist/picklist.ts
/* @__NO_SIDE_EFFECTS__ */
function picklist(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "picklist",
		reference: picklist,
		expects: /* @__PURE__ */ _joinExpects(options.map(_stringify), "|"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.includes(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/promise/promise.ts
/* @__NO_SIDE_EFFECTS__ */
function promise(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "promise",
		reference: promise,
		expects: "Promise",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Promise) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/record/record.ts
/* @__NO_SIDE_EFFECTS__ */
function record(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "record",
		reference: record,
		expects: "Object",
		async: false,
		key,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const entryKey in input) if (/* @__PURE__ */ _isValidObjectKey(input, entryKey)) {
					const entryValue = input[entryKey];
					const keyDataset = this.key["~run"]({ value: entryKey }, config$1);
					if (keyDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "key",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of keyDataset.issues) {
							issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					const valueDataset = this.value["~run"]({ value: entryValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					if (keyDataset.typed) dataset.value[keyDataset.value] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/record/recordAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function recordAsync(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "record",
		reference: recordAsync,
		expects: "Object",
		async: true,
		key,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const datasets = await Promise.all(Object.entries(input).filter(([key$1]) => /* @__PURE__ */ _isValidObjectKey(input, key$1)).map(([entryKey, entryValue]) => Promise.all([
					entryKey,
					entryValue,
					this.key["~run"]({ value: entryKey }, config$1),
					this.value["~run"]({ value: entryValue }, config$1)
				])));
				for (const [entryKey, entryValue, keyDataset, valueDataset] of datasets) {
					if (keyDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "key",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of keyDataset.issues) {
							issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					if (keyDataset.typed) dataset.value[keyDataset.value] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/set/set.ts
/* @__NO_SIDE_EFFECTS__ */
function set(value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "set",
		reference: set,
		expects: "Set",
		async: false,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Set) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Set();
				for (const inputValue of input) {
					const valueDataset = this.value["~run"]({ value: inputValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "set",
							origin: "value",
							input,
							key: null,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value.add(valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/set/setAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function setAsync(value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "set",
		reference: setAsync,
		expects: "Set",
		async: true,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Set) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Set();
				const valueDatasets = await Promise.all([...input].map(async (inputValue) => [inputValue, await this.value["~run"]({ value: inputValue }, config$1)]));
				for (const [inputValue, valueDataset] of valueDatasets) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "set",
							origin: "value",
							input,
							key: null,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value.add(valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictObject/strictObject.ts
/* @__NO_SIDE_EFFECTS__ */
function strictObject(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_object",
		reference: strictObject,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (!Object.prototype.hasOwnProperty.call(this.entries, key)) {
						_addIssue(this, "key", dataset, config$1, {
							input: key,
							expected: "never",
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictObject/strictObjectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function strictObjectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_object",
		reference: strictObjectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (!Object.prototype.hasOwnProperty.call(this.entries, key)) {
						_addIssue(this, "key", dataset, config$1, {
							input: key,
							expected: "never",
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictTuple/strictTuple.ts
/* @__NO_SIDE_EFFECTS__ */
function strictTuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_tuple",
		reference: strictTuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!(dataset.issues && config$1.abortEarly) && this.items.length < input.length) _addIssue(this, "type", dataset, config$1, {
					input: input[this.items.length],
					expected: "never",
					path: [{
						type: "array",
						origin: "value",
						input,
						key: this.items.length,
						value: input[this.items.length]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictTuple/strictTupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function strictTupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_tuple",
		reference: strictTupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!(dataset.issues && config$1.abortEarly) && this.items.length < input.length) _addIssue(this, "type", dataset, config$1, {
					input: input[this.items.length],
					expected: "never",
					path: [{
						type: "array",
						origin: "value",
						input,
						key: this.items.length,
						value: input[this.items.length]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/string/string.ts
/* @__NO_SIDE_EFFECTS__ */
function string(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "string",
		reference: string,
		expects: "string",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "string") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/symbol/symbol.ts
/* @__NO_SIDE_EFFECTS__ */
function symbol(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "symbol",
		reference: symbol,
		expects: "symbol",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "symbol") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tuple/tuple.ts
/* @__NO_SIDE_EFFECTS__ */
function tuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple",
		reference: tuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tuple/tupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple",
		reference: tupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tupleWithRest/tupleWithRest.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleWithRest(items, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple_with_rest",
		reference: tupleWithRest,
		expects: "Array",
		async: false,
		items,
		rest,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.rest["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tupleWithRest/tupleWithRestAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleWithRestAsync(items, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple_with_rest",
		reference: tupleWithRestAsync,
		expects: "Array",
		async: true,
		items,
		rest,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const [normalDatasets, restDatasets] = await Promise.all([Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				})), Promise.all(input.slice(this.items.length).map(async (value$1, key) => {
					return [
						key + this.items.length,
						value$1,
						await this.rest["~run"]({ value: value$1 }, config$1)
					];
				}))]);
				for (const [key, value$1, itemDataset] of normalDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (const [key, value$1, itemDataset] of restDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/undefined/undefined.ts
/* @__NO_SIDE_EFFECTS__ */
function undefined_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "undefined",
		reference: undefined_,
		expects: "undefined",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/undefinedable/undefinedable.ts
/* @__NO_SIDE_EFFECTS__ */
function undefinedable(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "undefinedable",
		reference: undefinedable,
		expects: `(${wrapped.expects} | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/undefinedable/undefinedableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function undefinedableAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "undefinedable",
		reference: undefinedableAsync,
		expects: `(${wrapped.expects} | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/union/utils/_subIssues/_subIssues.ts
/**
* Returns the sub issues of the provided datasets for the union issue.
*
* @param datasets The datasets.
*
* @returns The sub issues.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _subIssues(datasets) {
	let issues;
	if (datasets) for (const dataset of datasets) if (issues) for (const issue of dataset.issues) issues.push(issue);
	else issues = dataset.issues;
	return issues;
}

//#endregion
//#region src/schemas/union/union.ts
/* @__NO_SIDE_EFFECTS__ */
function union(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "union",
		reference: union,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "|"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			let validDataset;
			let typedDatasets;
			let untypedDatasets;
			for (const schema of this.options) {
				const optionDataset = schema["~run"]({ value: dataset.value }, config$1);
				if (optionDataset.typed) if (optionDataset.issues) if (typedDatasets) typedDatasets.push(optionDataset);
				else typedDatasets = [optionDataset];
				else {
					validDataset = optionDataset;
					break;
				}
				else if (untypedDatasets) untypedDatasets.push(optionDataset);
				else untypedDatasets = [optionDataset];
			}
			if (validDataset) return validDataset;
			if (typedDatasets) {
				if (typedDatasets.length === 1) return typedDatasets[0];
				_addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(typedDatasets) });
				dataset.typed = true;
			} else if (untypedDatasets?.length === 1) return untypedDatasets[0];
			else _addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(untypedDatasets) });
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/union/unionAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function unionAsync(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "union",
		reference: unionAsync,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "|"),
		async: true,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			let validDataset;
			let typedDatasets;
			let untypedDatasets;
			for (const schema of this.options) {
				const optionDataset = await schema["~run"]({ value: dataset.value }, config$1);
				if (optionDataset.typed) if (optionDataset.issues) if (typedDatasets) typedDatasets.push(optionDataset);
				else typedDatasets = [optionDataset];
				else {
					validDataset = optionDataset;
					break;
				}
				else if (untypedDatasets) untypedDatasets.push(optionDataset);
				else untypedDatasets = [optionDataset];
			}
			if (validDataset) return validDataset;
			if (typedDatasets) {
				if (typedDatasets.length === 1) return typedDatasets[0];
				_addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(typedDatasets) });
				dataset.typed = true;
			} else if (untypedDatasets?.length === 1) return untypedDatasets[0];
			else _addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(untypedDatasets) });
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/unknown/unknown.ts
/**
* Creates a unknown schema.
*
* @returns A unknown schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function unknown() {
	return _standardSchema({
		kind: "schema",
		type: "unknown",
		reference: unknown,
		expects: "unknown",
		async: false,
		"~run"(dataset) {
			dataset.typed = true;
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/variant/variant.ts
/* @__NO_SIDE_EFFECTS__ */
function variant(key, options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "variant",
		reference: variant,
		expects: "Object",
		async: false,
		key,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				let outputDataset;
				let maxDiscriminatorPriority = 0;
				let invalidDiscriminatorKey = this.key;
				let expectedDiscriminators = [];
				const parseOptions = (variant$1, allKeys) => {
					for (const schema of variant$1.options) {
						if (schema.type === "variant") parseOptions(schema, new Set(allKeys).add(schema.key));
						else {
							let keysAreValid = true;
							let currentPriority = 0;
							for (const currentKey of allKeys) {
								const discriminatorSchema = schema.entries[currentKey];
								if (currentKey in input ? discriminatorSchema["~run"]({
									typed: false,
									value: input[currentKey]
								}, ABORT_EARLY_CONFIG).issues : discriminatorSchema.type !== "exact_optional" && discriminatorSchema.type !== "optional" && discriminatorSchema.type !== "nullish") {
									keysAreValid = false;
									if (invalidDiscriminatorKey !== currentKey && (maxDiscriminatorPriority < currentPriority || maxDiscriminatorPriority === currentPriority && currentKey in input && !(invalidDiscriminatorKey in input))) {
										maxDiscriminatorPriority = currentPriority;
										invalidDiscriminatorKey = currentKey;
										expectedDiscriminators = [];
									}
									if (invalidDiscriminatorKey === currentKey) expectedDiscriminators.push(schema.entries[currentKey].expects);
									break;
								}
								currentPriority++;
							}
							if (keysAreValid) {
								const optionDataset = schema["~run"]({ value: input }, config$1);
								if (!outputDataset || !outputDataset.typed && optionDataset.typed) outputDataset = optionDataset;
							}
						}
						if (outputDataset && !outputDataset.issues) break;
					}
				};
				parseOptions(this, new Set([this.key]));
				if (outputDataset) return outputDataset;
				_addIssue(this, "type", dataset, config$1, {
					input: input[invalidDiscriminatorKey],
					expected: /* @__PURE__ */ _joinExpects(expectedDiscriminators, "|"),
					path: [{
						type: "object",
						origin: "value",
						input,
						key: invalidDiscriminatorKey,
						value: input[invalidDiscriminatorKey]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/variant/variantAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function variantAsync(key, options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "variant",
		reference: variantAsync,
		expects: "Object",
		async: true,
		key,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				let outputDataset;
				let maxDiscriminatorPriority = 0;
				let invalidDiscriminatorKey = this.key;
				let expectedDiscriminators = [];
				const parseOptions = async (variant$1, allKeys) => {
					for (const schema of variant$1.options) {
						if (schema.type === "variant") await parseOptions(schema, new Set(allKeys).add(schema.key));
						else {
							let keysAreValid = true;
							let currentPriority = 0;
							for (const currentKey of allKeys) {
								const discriminatorSchema = schema.entries[currentKey];
								if (currentKey in input ? (await discriminatorSchema["~run"]({
									typed: false,
									value: input[currentKey]
								}, ABORT_EARLY_CONFIG)).issues : discriminatorSchema.type !== "exact_optional" && discriminatorSchema.type !== "optional" && discriminatorSchema.type !== "nullish") {
									keysAreValid = false;
									if (invalidDiscriminatorKey !== currentKey && (maxDiscriminatorPriority < currentPriority || maxDiscriminatorPriority === currentPriority && currentKey in input && !(invalidDiscriminatorKey in input))) {
										maxDiscriminatorPriority = currentPriority;
										invalidDiscriminatorKey = currentKey;
										expectedDiscriminators = [];
									}
									if (invalidDiscriminatorKey === currentKey) expectedDiscriminators.push(schema.entries[currentKey].expects);
									break;
								}
								currentPriority++;
							}
							if (keysAreValid) {
								const optionDataset = await schema["~run"]({ value: input }, config$1);
								if (!outputDataset || !outputDataset.typed && optionDataset.typed) outputDataset = optionDataset;
							}
						}
						if (outputDataset && !outputDataset.issues) break;
					}
				};
				await parseOptions(this, new Set([this.key]));
				if (outputDataset) return outputDataset;
				_addIssue(this, "type", dataset, config$1, {
					input: input[invalidDiscriminatorKey],
					expected: /* @__PURE__ */ _joinExpects(expectedDiscriminators, "|"),
					path: [{
						type: "object",
						origin: "value",
						input,
						key: invalidDiscriminatorKey,
						value: input[invalidDiscriminatorKey]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/void/void.ts
/* @__NO_SIDE_EFFECTS__ */
function void_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "void",
		reference: void_,
		expects: "void",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/keyof/keyof.ts
/* @__NO_SIDE_EFFECTS__ */
function keyof(schema, message$1) {
	return /* @__PURE__ */ picklist(Object.keys(schema.entries), message$1);
}

//#endregion
//#region src/methods/message/message.ts
/**
* Changes the local message configuration of a schema.
*
* @param schema The schema to configure.
* @param message_ The error message.
*
* @returns The configured schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function message(schema, message_) {
	return _standardSchema({
		...schema,
		"~run"(dataset, config$1) {
			return schema["~run"](dataset, {
				...config$1,
				message: message_
			});
		}
	});
}

//#endregion
//#region src/methods/omit/omit.ts
/**
* Creates a modified copy of an object schema that does not contain the
* selected entries.
*
* @param schema The schema to omit from.
* @param keys The selected entries.
*
* @returns An object schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function omit(schema, keys) {
	const entries$1 = { ...schema.entries };
	for (const key of keys) delete entries$1[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/parse/parse.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parsed input.
*/
function parse(schema, input, config$1) {
	const dataset = schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	if (dataset.issues) throw new ValiError(dataset.issues);
	return dataset.value;
}

//#endregion
//#region src/methods/parse/parseAsync.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parsed input.
*/
async function parseAsync(schema, input, config$1) {
	const dataset = await schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	if (dataset.issues) throw new ValiError(dataset.issues);
	return dataset.value;
}

//#endregion
//#region src/methods/parser/parser.ts
/* @__NO_SIDE_EFFECTS__ */
function parser(schema, config$1) {
	const func = (input) => parse(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/parser/parserAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function parserAsync(schema, config$1) {
	const func = (input) => parseAsync(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/partial/partial.ts
/* @__NO_SIDE_EFFECTS__ */
function partial(schema, keys) {
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ optional(schema.entries[key]) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/partial/partialAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function partialAsync(schema, keys) {
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ optionalAsync(schema.entries[key]) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/pick/pick.ts
/**
* Creates a modified copy of an object schema that contains only the selected
* entries.
*
* @param schema The schema to pick from.
* @param keys The selected entries.
*
* @returns An object schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function pick(schema, keys) {
	const entries$1 = {};
	for (const key of keys) entries$1[key] = schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/pipe/pipe.ts
/* @__NO_SIDE_EFFECTS__ */
function pipe(...pipe$1) {
	return _standardSchema({
		...pipe$1[0],
		pipe: pipe$1,
		"~run"(dataset, config$1) {
			for (const item of pipe$1) if (item.kind !== "metadata") {
				if (dataset.issues && (item.kind === "schema" || item.kind === "transformation")) {
					dataset.typed = false;
					break;
				}
				if (!dataset.issues || !config$1.abortEarly && !config$1.abortPipeEarly) dataset = item["~run"](dataset, config$1);
			}
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/pipe/pipeAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function pipeAsync(...pipe$1) {
	return _standardSchema({
		...pipe$1[0],
		pipe: pipe$1,
		async: true,
		async "~run"(dataset, config$1) {
			for (const item of pipe$1) if (item.kind !== "metadata") {
				if (dataset.issues && (item.kind === "schema" || item.kind === "transformation")) {
					dataset.typed = false;
					break;
				}
				if (!dataset.issues || !config$1.abortEarly && !config$1.abortPipeEarly) dataset = await item["~run"](dataset, config$1);
			}
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/required/required.ts
/* @__NO_SIDE_EFFECTS__ */
function required(schema, arg2, arg3) {
	const keys = Array.isArray(arg2) ? arg2 : void 0;
	const message$1 = Array.isArray(arg2) ? arg3 : arg2;
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ nonOptional(schema.entries[key], message$1) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/required/requiredAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function requiredAsync(schema, arg2, arg3) {
	const keys = Array.isArray(arg2) ? arg2 : void 0;
	const message$1 = Array.isArray(arg2) ? arg3 : arg2;
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ nonOptionalAsync(schema.entries[key], message$1) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/safeParse/safeParse.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parse result.
*/
/* @__NO_SIDE_EFFECTS__ */
function safeParse(schema, input, config$1) {
	const dataset = schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	return {
		typed: dataset.typed,
		success: !dataset.issues,
		output: dataset.value,
		issues: dataset.issues
	};
}

//#endregion
//#region src/methods/safeParse/safeParseAsync.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parse result.
*/
/* @__NO_SIDE_EFFECTS__ */
async function safeParseAsync(schema, input, config$1) {
	const dataset = await schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	return {
		typed: dataset.typed,
		success: !dataset.issues,
		output: dataset.value,
		issues: dataset.issues
	};
}

//#endregion
//#region src/methods/safeParser/safeParser.ts
/* @__NO_SIDE_EFFECTS__ */
function safeParser(schema, config$1) {
	const func = (input) => /* @__PURE__ */ safeParse(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/safeParser/safeParserAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function safeParserAsync(schema, config$1) {
	const func = (input) => /* @__PURE__ */ safeParseAsync(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/summarize/summarize.ts
/**
* Summarize the error messages of issues in a pretty-printable multi-line string.
*
* @param issues The list of issues.
*
* @returns A summary of the issues.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function summarize(issues) {
	let summary = "";
	for (const issue of issues) {
		if (summary) summary += "\n";
		summary += `× ${issue.message}`;
		const dotPath = /* @__PURE__ */ getDotPath(issue);
		if (dotPath) summary += `\n  → at ${dotPath}`;
	}
	return summary;
}

//#endregion
//#region src/methods/unwrap/unwrap.ts
/**
* Unwraps the wrapped schema.
*
* @param schema The schema to be unwrapped.
*
* @returns The unwrapped schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function unwrap(schema) {
	return schema.wrapped;
}

//#endregion

// EXTERNAL MODULE: external "node:http"
var external_node_http_ = __nccwpck_require__(7067);
;// CONCATENATED MODULE: ./build/js/shared/loopback.js
// HTTP requests to programs on this machine. They never go through the job's proxy: for the proxy, 127.0.0.1 is another
// machine. Used by control/client and app/os.

/** With NODE_USE_ENV_PROXY set, Node's `fetch` and its global agent use the job's proxy; this agent does not. */
const DIRECT = new external_node_http_.Agent();
/**
 * Sends a request over a new connection, never through a proxy. Resolves with the response when its head has arrived;
 * the signal also aborts the body.
 */
function requestLoopback(url, { body, ...options }) {
    return new Promise((resolve, reject) => {
        (0,external_node_http_.request)(url, { ...options, agent: DIRECT }, resolve)
            .on('error', reject)
            .end(body);
    });
}

;// CONCATENATED MODULE: ./build/js/shared/state.js
// What is known about one exposure: two facts (tunnel, app) and the phase they add up to.
// exposure.ts is the only writer; control, github and the gateway's pages only read.
/**
 * Why the public address is unverified: no answer (no hairpin NAT), an answer without our proof, or, with `protocol:
 * tcp`, the app was down.
 */
const UNVERIFIED_REASONS = ['silent', 'unproved', 'app away'];
/** The four ways the app can be run; `auto` is resolved before anything starts. */
const APP_MODES = ['os', 'exec', 'web', 'port'];
/** What visitors send: HTTP requests, which the gateway reads, or bytes that reach the app unread. */
const PROTOCOLS = ['http', 'tcp'];
/**
 * Why an exposure ended as planned. A new reason also needs a sentence in github/comment/markdown.ts, and a place in
 * control/api.ts if clients may give it.
 */
const END_REASONS = [
    'job ended',
    'duration over',
    'idle timeout',
    'continue file',
    'stopped',
    'pull request closed',
    'pull request merged',
    'newer commit',
    'label removed',
    'runner gone',
];

;// CONCATENATED MODULE: ./build/js/shared/state-json.js
// The state of an exposure as JSON: what the control API sends, outcome.json holds, and comment, summary and commands
// read. One schema for both ends.


const TUNNEL_STATUSES = [
    'Not started',
    'Connecting',
    'Connected',
    'Reconnecting',
    'Disconnected',
    'Failed',
];
const APP_STATUSES = [
    'starting',
    'running',
    'restarting',
    'stopped',
    'failed',
];
const PhaseSchema = variant('phase', [
    object({ phase: literal('starting') }),
    object({ phase: literal('live'), live_at: string(), expires_at: nullable(string()) }),
    object({
        phase: literal('ended'),
        reason: picklist(END_REASONS),
        live_at: nullable(string()),
        ended_at: string(),
    }),
    object({
        phase: literal('failed'),
        reason: string(),
        last_lines: array(string()),
        live_at: nullable(string()),
        ended_at: string(),
    }),
]);
const state_json_StateMessageSchema = object({
    mode: picklist(APP_MODES),
    status: picklist(TUNNEL_STATUSES),
    /** Null unless the tunnel is Connected or Reconnecting. */
    public_url: nullable(string()),
    preview_url: nullable(string()),
    /** Null without a public inspector, and where a given key or password protects the preview. */
    inspector_url: nullable(string()),
    public_host: nullable(string()),
    public_port: nullable(number()),
    /** Null unless the tunnel is Connected. */
    connected_at: nullable(string()),
    tunnel_reason: nullable(string()),
    verified: nullable(dist_boolean()),
    doubt: nullable(picklist(UNVERIFIED_REASONS)),
    app: object({
        status: picklist(APP_STATUSES),
        port: nullable(number()),
        reason: nullable(string()),
    }),
    restarts: number(),
    reconnects: number(),
    address_changes: number(),
    visits: number(),
    warnings: array(string()),
    exposure: PhaseSchema,
});
function state_json_describeState(state) {
    const { tunnel, app, address } = state;
    const hasAddress = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
    return {
        mode: state.mode,
        status: tunnel.status,
        public_url: hasAddress && address.kind !== 'none' ? address.url : null,
        preview_url: hasAddress ? (state.link ?? null) : null,
        inspector_url: state.inspectorLink ?? null,
        public_host: hasAddress ? tunnel.host : null,
        public_port: hasAddress ? tunnel.port : null,
        connected_at: (tunnel.status === 'Connected' && state.connectedAt?.toISOString()) || null,
        tunnel_reason: ('reason' in tunnel ? tunnel.reason : undefined) ?? null,
        verified: isVerified(address),
        doubt: address.kind === 'unverified' ? address.reason : null,
        app: {
            status: app.status,
            port: app.status === 'running' && app.upstream.kind === 'address' ? app.upstream.port : null,
            reason: 'reason' in app ? app.reason : null,
        },
        restarts: state.restarts,
        reconnects: state.reconnects,
        address_changes: state.addressChanges,
        visits: state.visits,
        warnings: [...state.warnings],
        exposure: describePhase(state.phase),
    };
}
function describePhase(phase) {
    if (phase.kind === 'starting')
        return { phase: 'starting' };
    const live_at = phase.liveAt?.toISOString() ?? null;
    if (phase.kind === 'live')
        return {
            phase: 'live',
            live_at: phase.liveAt.toISOString(),
            expires_at: phase.expiresAt?.toISOString() ?? null,
        };
    const ended_at = phase.endedAt.toISOString();
    if (phase.kind === 'ended')
        return { phase: 'ended', reason: phase.reason, live_at, ended_at };
    return { phase: 'failed', reason: phase.reason, last_lines: [...phase.lastLines], live_at, ended_at };
}
/** Null before the first check. */
function isVerified({ kind }) {
    return kind === 'verified' || (kind === 'unverified' ? false : null);
}

;// CONCATENATED MODULE: ./build/js/control/client.js
// The client of the control API. Used by main, post, stop and the `expose` command.





const ErrorSchema = object({ success: literal(false), error: string() });
/** How long a response may take; ending an exposure drains its visitors for up to 5 s. */
const ANSWER_TIMEOUT_MS = 10_000;
/** The API's refusal; `status` is the HTTP status. */
class ControlError extends Error {
    status;
    constructor(status, message) {
        super(message);
        this.name = 'ControlError';
        this.status = status;
    }
}
/**
 * Calls a route such as `POST /api/stop`, with `sent` as the JSON of its body; resolves with its JSON. Rejects with a
 * ControlError that has the API's own text.
 */
async function client_callControl(address, route, timeoutMs = ANSWER_TIMEOUT_MS, sent) {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
        const response = await send(address, route, signal, { sent });
        const body = await (0,consumers_namespaceObject.json)(response);
        if (isSuccess(response))
            return body;
        throw toError(response, body);
    }
    catch (error) {
        // Node's own error only says that the request was aborted.
        signal.throwIfAborted();
        throw error;
    }
}
function toError({ statusCode = 0 }, body) {
    return new ControlError(statusCode, is(ErrorSchema, body) ? body.error : `the API answered ${statusCode}`);
}
function send(address, route, signal, { sent, accept } = {}) {
    const [method = '', path = ''] = route.split(' ');
    const body = sent && JSON.stringify(sent);
    const headers = {
        Authorization: `Bearer ${address.controlToken}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(accept !== undefined && { Accept: accept }),
    };
    return requestLoopback(`${address.controlUrl}${path}`, { method, headers, signal, body });
}
function isSuccess({ statusCode = 0 }) {
    return statusCode >= 200 && statusCode < 300;
}
/** The current state. */
async function readState(address) {
    return v.parse(StateMessageSchema, await client_callControl(address, 'GET /api/tunnel/status'));
}
const InspectorSchema = object({ public_inspector_url: nullable(string()) });
/** The public inspector's link, with its key, even where it is not published; undefined if there is none. */
async function readInspectorUrl(address) {
    const document = parse(InspectorSchema, await client_callControl(address, 'GET /api/inspector'));
    return document.public_inspector_url ?? undefined;
}
/** Every state from the current one on; ends with the exposure's process, or with the signal. */
async function* followStates(address, signal) {
    try {
        const response = await send(address, 'GET /api/events', signal);
        if (!isSuccess(response))
            return void response.destroy();
        for await (const { type, data } of readEvents(response))
            if (type === 'state')
                yield parse(state_json_StateMessageSchema, JSON.parse(data));
    }
    catch (error) {
        // A stream that breaks off means that its process is gone, which callers check themselves.
        if (!signal.aborted && !isConnectionLost(error))
            throw error;
    }
}
/** Whether the process at the other end is gone. */
function isConnectionLost(error) {
    return errors_hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
}
/**
 * The server-sent events of a route. Rejects with a ControlError if the API refuses, and as the connection does if it
 * breaks off.
 */
async function* openEvents(address, route, signal) {
    const response = await send(address, route, signal, { accept: 'text/event-stream' });
    if (!isSuccess(response))
        throw toError(response, await json(response).catch(() => undefined));
    yield* readEvents(response);
}
/** Server-sent events. The API writes one `event` line and one `data` line for each; a line may have 100 MB. */
async function* readEvents(body) {
    let parts = [];
    // Decoded by the stream: a character may be split over two chunks.
    body.setEncoding('utf8');
    for await (const text of body) {
        const end = `${parts.at(-1)?.at(-1) ?? ''}${text}`;
        parts.push(String(text));
        // Joined once for each event: for each chunk, a long event would take minutes.
        if (!end.includes('\n\n'))
            continue;
        const events = parts.join('').split('\n\n');
        parts = [events.pop() ?? ''];
        for (const event of events) {
            const lines = event.split('\n');
            const read = (field) => lines.find(line => line.startsWith(`${field}: `))?.slice(field.length + 2);
            const data = read('data');
            if (data !== undefined)
                yield { type: read('event') ?? 'message', data };
        }
    }
}

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __nccwpck_require__(7598);
;// CONCATENATED MODULE: ./build/js/github/events.js
// Reads and checks the payloads of `issue_comment` and `workflow_run`, which name a pull request without describing it.
// Used by fork-rules and pull-request.

const IssueEvent = object({
    issue: object({ number: number(), pull_request: optional(object({})) }),
});
const Actor = nullish(object({ login: string() }));
const WorkflowRunEvent = object({
    workflow_run: object({
        event: string(),
        head_sha: string(),
        head_branch: nullish(string()),
        /** null: the repository is gone. */
        head_repository: nullable(object({ full_name: string() })),
        /** Empty for forks. */
        pull_requests: optional(array(object({ number: number() })), []),
        actor: Actor,
        triggering_actor: Actor,
    }),
});
/** What an `issue_comment` event is about; undefined for other events. */
function readIssue({ event }) {
    const result = safeParse(IssueEvent, event);
    return result.success ? result.output.issue : undefined;
}
/** The run that a `workflow_run` event waited for; undefined for other events. */
function readWorkflowRun({ event }) {
    const result = safeParse(WorkflowRunEvent, event);
    return result.success ? result.output.workflow_run : undefined;
}

;// CONCATENATED MODULE: ./build/js/github/pull-request.js
// Finds the pull request that a run belongs to, in the event or otherwise through the API, and whether the repository
// is public. Used by step/report-target, identity.ts and the fork rules.


/** The fields that are read of a pull request; events and the API describe it in the same form. */
const PullRequestSchema = pipe(object({
    number: number(),
    state: optional(picklist(['open', 'closed']), 'open'),
    head: object({ sha: string(), repo: nullable(object({ full_name: string() })) }),
}), transform(({ number, state, head }) => ({
    number,
    state,
    headSha: head.sha,
    headRepository: head.repo?.full_name ?? '',
})));
const PullRequestEvent = object({ pull_request: PullRequestSchema });
/** The pull request in the event's own payload, as it was when the event happened. */
function readEventPullRequest(job) {
    const result = safeParse(PullRequestEvent, job.event);
    return result.success ? result.output.pull_request : undefined;
}
/**
 * The pull request to report to, or undefined if the event has none (`merge_group`, `schedule`, a push to a branch
 * without one). `number` overrides the search. Rejects with a GitHubError.
 */
async function findPullRequest(options) {
    const { job, github, signal } = options;
    const fromEvent = readEventPullRequest(job);
    if (fromEvent && (options.number ?? fromEvent.number) === fromEvent.number)
        return fromEvent;
    const number = options.number ?? readEventNumber(job);
    if (number !== undefined)
        return readPullRequest({ job, github, number, signal });
    const sha = readEventCommit(job);
    return sha === undefined ? undefined : findByCommit({ job, github, sha, signal });
}
/** The pull request as it is now: whether it is still open, and where its head is. */
function readPullRequest(options) {
    const { owner, name: repo } = options.job.repository;
    const parameters = { owner, repo, pull_number: options.number };
    return options.github.request(PullRequestSchema, 'GET /repos/{owner}/{repo}/pulls/{pull_number}', {
        parameters,
        signal: options.signal,
    });
}
/** What the run is about, from the event alone: the number of a pull request, otherwise the branch or tag. */
function readSubject(job) {
    const number = readEventPullRequest(job)?.number ?? readEventNumber(job);
    return number ?? readWorkflowRun(job)?.head_branch ?? job.ref;
}
/** The number in a payload that names a pull request without describing it. */
function readEventNumber(job) {
    const issue = readIssue(job);
    return issue?.pull_request ? issue.number : readWorkflowRun(job)?.pull_requests[0]?.number;
}
/** For events that are about a commit of a branch: that commit, whose pull request is looked up. */
function readEventCommit(job) {
    if (job.eventName === 'push' || job.eventName === 'workflow_dispatch')
        return job.sha;
    return readWorkflowRun(job)?.head_sha;
}
/** The open pull request whose head is `sha`. The API also lists the closed one that a merged commit came from. */
async function findByCommit(options) {
    const { owner, name: repo } = options.job.repository;
    const parameters = { owner, repo, commit_sha: options.sha };
    const route = 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls';
    const all = await options.github.list(PullRequestSchema, route, { parameters, signal: options.signal });
    return all.find(({ state, headSha }) => state === 'open' && headSha === options.sha);
}
const RepositorySchema = object({ private: dist_boolean(), visibility: optional(string()) });
const RepositoryEvent = object({ repository: RepositorySchema });
/** Whether everybody can read the repository. Never rejects: an unknown visibility counts as not public. */
async function readVisibility(job, github, signal) {
    if (is(RepositoryEvent, job.event))
        return toVisibility(job.event.repository);
    const { owner, name: repo } = job.repository;
    try {
        const route = 'GET /repos/{owner}/{repo}';
        const repository = await github.request(RepositorySchema, route, { parameters: { owner, repo }, signal });
        return toVisibility(repository);
    }
    catch {
        return 'not known to be public';
    }
}
/** `internal` repositories of an enterprise are not public either. */
function toVisibility(repository) {
    const isPublic = !repository.private && (repository.visibility ?? 'public') === 'public';
    return isPublic ? 'public' : 'not known to be public';
}

;// CONCATENATED MODULE: ./build/js/github/identity.js
// The identity of a preview, which stays the same from run to run. own-comment.ts finds the preview's comment by it, so
// that several previews of one pull request never edit each other's comments. Used by the step.


/** 128 bits: no two previews of a repository share a key by chance. */
const KEY_DIGITS = 32;
/** Makes the identity from workflow file, job, step, matrix leg and name; the name defaults to `job (value, value)`. */
function identifyPreview(job, name) {
    const workflow = job.workflowRef.split('@')[0] ?? '';
    const leg = isRecord(job.matrix) ? job.matrix : {};
    const shown = name?.trim() || renderJobName(job.jobId, leg);
    const parts = [workflow, job.jobId, job.stepId, sortKeys(leg), shown];
    const key = (0,external_node_crypto_.createHash)('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, KEY_DIGITS);
    return { key, name: shown };
}
/**
 * The text from which the preview's public address is derived: repository, pull request or branch, and the preview's
 * key. Sends no request to GitHub, because a missing answer must not change the address.
 */
function identifyAddress(job, { key }, number) {
    const { owner, name } = job.repository;
    return JSON.stringify([owner, name, number ?? readSubject(job), key]);
}
/** As GitHub shows it in the list of checks: `test (ubuntu, 24)`. */
function renderJobName(jobId, leg) {
    const values = Object.values(leg).map(value => (typeof value === 'string' ? value : JSON.stringify(value)));
    const job = jobId || 'preview';
    return values.length === 0 ? job : `${job} (${values.join(', ')})`;
}
/** Sorts the keys, so that their order does not change the identity. */
function sortKeys(value) {
    if (Array.isArray(value))
        return value.map(sortKeys);
    if (!isRecord(value))
        return value;
    const entries = Object.entries(value).map(([key, inner]) => [key, sortKeys(inner)]);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
function isRecord(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

;// CONCATENATED MODULE: ./node_modules/universal-user-agent/index.js
function getUserAgent() {
  if (typeof navigator === "object" && "userAgent" in navigator) {
    return navigator.userAgent;
  }

  if (typeof process === "object" && process.version !== undefined) {
    return `Node.js/${process.version.substr(1)} (${process.platform}; ${
      process.arch
    })`;
  }

  return "<environment undetectable>";
}

;// CONCATENATED MODULE: ./node_modules/before-after-hook/lib/register.js
// @ts-check

function register(state, name, method, options) {
  if (typeof method !== "function") {
    throw new Error("method for before hook must be a function");
  }

  if (!options) {
    options = {};
  }

  if (Array.isArray(name)) {
    return name.reverse().reduce((callback, name) => {
      return register.bind(null, state, name, callback, options);
    }, method)();
  }

  return Promise.resolve().then(() => {
    if (!state.registry[name]) {
      return method(options);
    }

    return state.registry[name].reduce((method, registered) => {
      return registered.hook.bind(null, method, options);
    }, method)();
  });
}

;// CONCATENATED MODULE: ./node_modules/before-after-hook/lib/add.js
// @ts-check

function addHook(state, kind, name, hook) {
  const orig = hook;
  if (!state.registry[name]) {
    state.registry[name] = [];
  }

  if (kind === "before") {
    hook = (method, options) => {
      return Promise.resolve()
        .then(orig.bind(null, options))
        .then(method.bind(null, options));
    };
  }

  if (kind === "after") {
    hook = (method, options) => {
      let result;
      return Promise.resolve()
        .then(method.bind(null, options))
        .then((result_) => {
          result = result_;
          return orig(result, options);
        })
        .then(() => {
          return result;
        });
    };
  }

  if (kind === "error") {
    hook = (method, options) => {
      return Promise.resolve()
        .then(method.bind(null, options))
        .catch((error) => {
          return orig(error, options);
        });
    };
  }

  state.registry[name].push({
    hook: hook,
    orig: orig,
  });
}

;// CONCATENATED MODULE: ./node_modules/before-after-hook/lib/remove.js
// @ts-check

function removeHook(state, name, method) {
  if (!state.registry[name]) {
    return;
  }

  const index = state.registry[name]
    .map((registered) => {
      return registered.orig;
    })
    .indexOf(method);

  if (index === -1) {
    return;
  }

  state.registry[name].splice(index, 1);
}

;// CONCATENATED MODULE: ./node_modules/before-after-hook/index.js
// @ts-check





// bind with array of arguments: https://stackoverflow.com/a/21792913
const bind = Function.bind;
const bindable = bind.bind(bind);

function bindApi(hook, state, name) {
  const removeHookRef = bindable(removeHook, null).apply(
    null,
    name ? [state, name] : [state]
  );
  hook.api = { remove: removeHookRef };
  hook.remove = removeHookRef;
  ["before", "error", "after", "wrap"].forEach((kind) => {
    const args = name ? [state, kind, name] : [state, kind];
    hook[kind] = hook.api[kind] = bindable(addHook, null).apply(null, args);
  });
}

function Singular() {
  const singularHookName = Symbol("Singular");
  const singularHookState = {
    registry: {},
  };
  const singularHook = register.bind(null, singularHookState, singularHookName);
  bindApi(singularHook, singularHookState, singularHookName);
  return singularHook;
}

function Collection() {
  const state = {
    registry: {},
  };

  const hook = register.bind(null, state);
  bindApi(hook, state);

  return hook;
}

/* harmony default export */ const before_after_hook = ({ Singular, Collection });

;// CONCATENATED MODULE: ./node_modules/@octokit/endpoint/dist-bundle/index.js
// pkg/dist-src/defaults.js


// pkg/dist-src/version.js
var VERSION = "0.0.0-development";

// pkg/dist-src/defaults.js
var userAgent = `octokit-endpoint.js/${VERSION} ${getUserAgent()}`;
var DEFAULTS = {
  method: "GET",
  baseUrl: "https://api.github.com",
  headers: {
    accept: "application/vnd.github.v3+json",
    "user-agent": userAgent
  },
  mediaType: {
    format: ""
  }
};

// pkg/dist-src/util/lowercase-keys.js
function lowercaseKeys(object) {
  if (!object) {
    return {};
  }
  return Object.keys(object).reduce((newObj, key) => {
    newObj[key.toLowerCase()] = object[key];
    return newObj;
  }, {});
}

// pkg/dist-src/util/is-plain-object.js
function isPlainObject(value) {
  if (typeof value !== "object" || value === null) return false;
  if (Object.prototype.toString.call(value) !== "[object Object]") return false;
  const proto = Object.getPrototypeOf(value);
  if (proto === null) return true;
  const Ctor = Object.prototype.hasOwnProperty.call(proto, "constructor") && proto.constructor;
  return typeof Ctor === "function" && Ctor instanceof Ctor && Function.prototype.call(Ctor) === Function.prototype.call(value);
}

// pkg/dist-src/util/merge-deep.js
function mergeDeep(defaults, options) {
  const result = Object.assign({}, defaults);
  Object.keys(options).forEach((key) => {
    if (isPlainObject(options[key])) {
      if (!(key in defaults)) Object.assign(result, { [key]: options[key] });
      else result[key] = mergeDeep(defaults[key], options[key]);
    } else {
      Object.assign(result, { [key]: options[key] });
    }
  });
  return result;
}

// pkg/dist-src/util/remove-undefined-properties.js
function removeUndefinedProperties(obj) {
  for (const key in obj) {
    if (obj[key] === void 0) {
      delete obj[key];
    }
  }
  return obj;
}

// pkg/dist-src/merge.js
function merge(defaults, route, options) {
  if (typeof route === "string") {
    let [method, url] = route.split(" ");
    options = Object.assign(url ? { method, url } : { url: method }, options);
  } else {
    options = Object.assign({}, route);
  }
  options.headers = lowercaseKeys(options.headers);
  removeUndefinedProperties(options);
  removeUndefinedProperties(options.headers);
  const mergedOptions = mergeDeep(defaults || {}, options);
  if (options.url === "/graphql") {
    if (defaults && defaults.mediaType.previews?.length) {
      mergedOptions.mediaType.previews = defaults.mediaType.previews.filter(
        (preview) => !mergedOptions.mediaType.previews.includes(preview)
      ).concat(mergedOptions.mediaType.previews);
    }
    mergedOptions.mediaType.previews = (mergedOptions.mediaType.previews || []).map((preview) => preview.replace(/-preview/, ""));
  }
  return mergedOptions;
}

// pkg/dist-src/util/add-query-parameters.js
function addQueryParameters(url, parameters) {
  const separator = /\?/.test(url) ? "&" : "?";
  const names = Object.keys(parameters);
  if (names.length === 0) {
    return url;
  }
  return url + separator + names.map((name) => {
    if (name === "q") {
      return "q=" + parameters.q.split("+").map(encodeURIComponent).join("+");
    }
    return `${name}=${encodeURIComponent(parameters[name])}`;
  }).join("&");
}

// pkg/dist-src/util/extract-url-variable-names.js
var urlVariableRegex = /\{[^{}}]+\}/g;
function removeNonChars(variableName) {
  return variableName.replace(/(?:^\W+)|(?:(?<!\W)\W+$)/g, "").split(/,/);
}
function extractUrlVariableNames(url) {
  const matches = url.match(urlVariableRegex);
  if (!matches) {
    return [];
  }
  return matches.map(removeNonChars).reduce((a, b) => a.concat(b), []);
}

// pkg/dist-src/util/omit.js
function dist_bundle_omit(object, keysToOmit) {
  const result = { __proto__: null };
  for (const key of Object.keys(object)) {
    if (keysToOmit.indexOf(key) === -1) {
      result[key] = object[key];
    }
  }
  return result;
}

// pkg/dist-src/util/url-template.js
function encodeReserved(str) {
  return str.split(/(%[0-9A-Fa-f]{2})/g).map(function(part) {
    if (!/%[0-9A-Fa-f]/.test(part)) {
      part = encodeURI(part).replace(/%5B/g, "[").replace(/%5D/g, "]");
    }
    return part;
  }).join("");
}
function encodeUnreserved(str) {
  return encodeURIComponent(str).replace(/[!'()*]/g, function(c) {
    return "%" + c.charCodeAt(0).toString(16).toUpperCase();
  });
}
function encodeValue(operator, value, key) {
  value = operator === "+" || operator === "#" ? encodeReserved(value) : encodeUnreserved(value);
  if (key) {
    return encodeUnreserved(key) + "=" + value;
  } else {
    return value;
  }
}
function isDefined(value) {
  return value !== void 0 && value !== null;
}
function isKeyOperator(operator) {
  return operator === ";" || operator === "&" || operator === "?";
}
function getValues(context, operator, key, modifier) {
  var value = context[key], result = [];
  if (isDefined(value) && value !== "") {
    if (typeof value === "string" || typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
      value = value.toString();
      if (modifier && modifier !== "*") {
        value = value.substring(0, parseInt(modifier, 10));
      }
      result.push(
        encodeValue(operator, value, isKeyOperator(operator) ? key : "")
      );
    } else {
      if (modifier === "*") {
        if (Array.isArray(value)) {
          value.filter(isDefined).forEach(function(value2) {
            result.push(
              encodeValue(operator, value2, isKeyOperator(operator) ? key : "")
            );
          });
        } else {
          Object.keys(value).forEach(function(k) {
            if (isDefined(value[k])) {
              result.push(encodeValue(operator, value[k], k));
            }
          });
        }
      } else {
        const tmp = [];
        if (Array.isArray(value)) {
          value.filter(isDefined).forEach(function(value2) {
            tmp.push(encodeValue(operator, value2));
          });
        } else {
          Object.keys(value).forEach(function(k) {
            if (isDefined(value[k])) {
              tmp.push(encodeUnreserved(k));
              tmp.push(encodeValue(operator, value[k].toString()));
            }
          });
        }
        if (isKeyOperator(operator)) {
          result.push(encodeUnreserved(key) + "=" + tmp.join(","));
        } else if (tmp.length !== 0) {
          result.push(tmp.join(","));
        }
      }
    }
  } else {
    if (operator === ";") {
      if (isDefined(value)) {
        result.push(encodeUnreserved(key));
      }
    } else if (value === "" && (operator === "&" || operator === "?")) {
      result.push(encodeUnreserved(key) + "=");
    } else if (value === "") {
      result.push("");
    }
  }
  return result;
}
function parseUrl(template) {
  return {
    expand: expand.bind(null, template)
  };
}
function expand(template, context) {
  var operators = ["+", "#", ".", "/", ";", "?", "&"];
  template = template.replace(
    /\{([^\{\}]+)\}|([^\{\}]+)/g,
    function(_, expression, literal) {
      if (expression) {
        let operator = "";
        const values = [];
        if (operators.indexOf(expression.charAt(0)) !== -1) {
          operator = expression.charAt(0);
          expression = expression.substr(1);
        }
        expression.split(/,/g).forEach(function(variable) {
          var tmp = /([^:\*]*)(?::(\d+)|(\*))?/.exec(variable);
          values.push(getValues(context, operator, tmp[1], tmp[2] || tmp[3]));
        });
        if (operator && operator !== "+") {
          var separator = ",";
          if (operator === "?") {
            separator = "&";
          } else if (operator !== "#") {
            separator = operator;
          }
          return (values.length !== 0 ? operator : "") + values.join(separator);
        } else {
          return values.join(",");
        }
      } else {
        return encodeReserved(literal);
      }
    }
  );
  if (template === "/") {
    return template;
  } else {
    return template.replace(/\/$/, "");
  }
}

// pkg/dist-src/parse.js
function dist_bundle_parse(options) {
  let method = options.method.toUpperCase();
  let url = (options.url || "/").replace(/:([a-z]\w+)/g, "{$1}");
  let headers = Object.assign({}, options.headers);
  let body;
  let parameters = dist_bundle_omit(options, [
    "method",
    "baseUrl",
    "url",
    "headers",
    "request",
    "mediaType"
  ]);
  const urlVariableNames = extractUrlVariableNames(url);
  url = parseUrl(url).expand(parameters);
  if (!/^http/.test(url)) {
    url = options.baseUrl + url;
  }
  const omittedParameters = Object.keys(options).filter((option) => urlVariableNames.includes(option)).concat("baseUrl");
  const remainingParameters = dist_bundle_omit(parameters, omittedParameters);
  const isBinaryRequest = /application\/octet-stream/i.test(headers.accept);
  if (!isBinaryRequest) {
    if (options.mediaType.format) {
      headers.accept = headers.accept.split(/,/).map(
        (format) => format.replace(
          /application\/vnd(\.\w+)(\.v3)?(\.\w+)?(\+json)?$/,
          `application/vnd$1$2.${options.mediaType.format}`
        )
      ).join(",");
    }
    if (url.endsWith("/graphql")) {
      if (options.mediaType.previews?.length) {
        const previewsFromAcceptHeader = headers.accept.match(/(?<![\w-])[\w-]+(?=-preview)/g) || [];
        headers.accept = previewsFromAcceptHeader.concat(options.mediaType.previews).map((preview) => {
          const format = options.mediaType.format ? `.${options.mediaType.format}` : "+json";
          return `application/vnd.github.${preview}-preview${format}`;
        }).join(",");
      }
    }
  }
  if (["GET", "HEAD"].includes(method)) {
    url = addQueryParameters(url, remainingParameters);
  } else {
    if ("data" in remainingParameters) {
      body = remainingParameters.data;
    } else {
      if (Object.keys(remainingParameters).length) {
        body = remainingParameters;
      }
    }
  }
  if (!headers["content-type"] && typeof body !== "undefined") {
    headers["content-type"] = "application/json; charset=utf-8";
  }
  if (["PATCH", "PUT"].includes(method) && typeof body === "undefined") {
    body = "";
  }
  return Object.assign(
    { method, url, headers },
    typeof body !== "undefined" ? { body } : null,
    options.request ? { request: options.request } : null
  );
}

// pkg/dist-src/endpoint-with-defaults.js
function endpointWithDefaults(defaults, route, options) {
  return dist_bundle_parse(merge(defaults, route, options));
}

// pkg/dist-src/with-defaults.js
function withDefaults(oldDefaults, newDefaults) {
  const DEFAULTS2 = merge(oldDefaults, newDefaults);
  const endpoint2 = endpointWithDefaults.bind(null, DEFAULTS2);
  return Object.assign(endpoint2, {
    DEFAULTS: DEFAULTS2,
    defaults: withDefaults.bind(null, DEFAULTS2),
    merge: merge.bind(null, DEFAULTS2),
    parse: dist_bundle_parse
  });
}

// pkg/dist-src/index.js
var endpoint = withDefaults(null, DEFAULTS);


;// CONCATENATED MODULE: ./node_modules/content-type/dist/index.js
/*!
 * content-type
 * Copyright(c) 2015 Douglas Christopher Wilson
 * MIT Licensed
 */
const SP = 32; // " "
const HTAB = 9; // "\t"
const SEMI = 59; // ";"
const EQ = 61; // "="
const DQUOTE = 34; // '"'
const BSLASH = 92; // "\\"
const COMMA = 44; // ","
const LOWER_CASE = 1;
const OWS = 2;
const SEMI_FLAG = 4;
const COMMA_FLAG = 8;
const TOKEN_FLAG = 16;
const NON_ASCII = 0xff00;
const CASE_FLAGS = LOWER_CASE | NON_ASCII;
/**
 * Character flags used to normalize HTTP field values while scanning.
 * Out-of-range reads intentionally coerce to zero in bitwise expressions.
 */
const CHAR_MAP = new Uint8Array(0x100);
CHAR_MAP[HTAB] |= OWS;
CHAR_MAP[SP] |= OWS;
CHAR_MAP[SEMI] |= SEMI_FLAG;
CHAR_MAP[COMMA] |= COMMA_FLAG;
for (let code = 0x80 /* non-ASCII */; code <= 0xff; code++) {
    CHAR_MAP[code] |= LOWER_CASE;
}
for (const char of "!#$%&'*+-.^_`|~") {
    CHAR_MAP[char.charCodeAt(0)] |= TOKEN_FLAG;
}
for (let code = 0x30 /* 0 */; code <= 0x39 /* 9 */; code++) {
    CHAR_MAP[code] |= TOKEN_FLAG;
}
for (let code = 0x41 /* A */; code <= 0x5a /* Z */; code++) {
    CHAR_MAP[code] |= LOWER_CASE | TOKEN_FLAG;
}
for (let code = 0x61 /* a */; code <= 0x7a /* z */; code++) {
    CHAR_MAP[code] |= TOKEN_FLAG;
}
/**
 * Null object perf optimization. Faster than `Object.create(null)` and `{ __proto__: null }`.
 */
const NullObject = /* @__PURE__ */ (() => {
    const C = function () { };
    C.prototype = Object.create(null);
    return C;
})();
/**
 * Validate a type string against RFC 9110.
 */
function isTypeValid(type, start = 0, end = type.length) {
    let hasSlash = false;
    for (let index = start; index < end; index++) {
        const code = type.charCodeAt(index);
        if (code === 47 /* / */) {
            if (hasSlash || index === start || index >= end - 1)
                return false;
            hasSlash = true;
        }
        else if (!isTokenCode(code)) {
            return false;
        }
    }
    return hasSlash;
}
/**
 * Validate a token against RFC 9110.
 */
function isTokenValid(token, start = 0, end = token.length) {
    if (start >= end)
        return false;
    for (let index = start; index < end; index++) {
        if (!isTokenCode(token.charCodeAt(index)))
            return false;
    }
    return true;
}
/**
 * Check whether a character code belongs to the token production in RFC 9110.
 */
function isTokenCode(code) {
    return (CHAR_MAP[code] & TOKEN_FLAG) !== 0;
}
/**
 * Serialize a parameter value.
 */
function parameterValue(str) {
    const len = str.length;
    if (len === 0)
        return '""';
    let index = 0;
    while (index < len && isTokenCode(str.charCodeAt(index)))
        index++;
    if (index === len)
        return str;
    let result = '"';
    let start = 0;
    while (index < len) {
        const code = str.charCodeAt(index);
        if (code !== HTAB && (code < SP || code === 127 || code > 255)) {
            throw new TypeError(`Invalid parameter value: ${str}`);
        }
        if (code === 34 /* " */ || code === 92 /* \\ */) {
            result += `${str.slice(start, index)}\\`;
            start = index;
        }
        index++;
    }
    return `${result}${str.slice(start)}"`;
}
/**
 * Format an object into a `Content-Type` header.
 */
function format(obj) {
    const { type, parameters } = obj;
    if (!type || !isTypeValid(type)) {
        throw new TypeError(`Invalid type: ${type}`);
    }
    let result = type;
    if (parameters) {
        for (const param of Object.keys(parameters)) {
            if (!isTokenValid(param)) {
                throw new TypeError(`Invalid parameter name: ${param}`);
            }
            result += `; ${param}=${parameterValue(parameters[param])}`;
        }
    }
    return result;
}
/**
 * Parse a `Content-Type` header.
 */
function dist_parse(header, options) {
    const stopFlags = SEMI_FLAG | (options?.comma === true ? COMMA_FLAG : 0);
    const len = header.length;
    let valueStart = options?.start ?? 0;
    while ((CHAR_MAP[header.charCodeAt(valueStart)] & OWS) !== 0) {
        valueStart++;
    }
    let index = valueStart;
    let typeFlags = 0;
    let whitespace = -1;
    let stop = options?.parameters === false ? COMMA_FLAG : 0;
    while (index < len) {
        const code = header.charCodeAt(index);
        const flags = CHAR_MAP[code];
        if ((flags & stopFlags) !== 0) {
            stop |= flags & COMMA_FLAG;
            break;
        }
        if ((flags & OWS) !== 0) {
            if (whitespace === -1)
                whitespace = index;
        }
        else {
            whitespace = -1;
        }
        typeFlags |= (code & NON_ASCII) | flags;
        index++;
    }
    const valueEnd = whitespace === -1 ? index : whitespace;
    const value = header.slice(valueStart, valueEnd);
    const type = (typeFlags & CASE_FLAGS) === 0 ? value : value.toLowerCase();
    if (index === len || stop !== 0) {
        return { type, index, parameters: new NullObject() };
    }
    return parseParameters(header, type, index, len, stopFlags);
}
/**
 * Parses the parameters of a `Content-Type` header starting at the given index.
 */
function parseParameters(header, type, index, len, stopFlags) {
    const parameters = new NullObject();
    parameter: while (index < len) {
        index++; // Skip over ;
        while ((CHAR_MAP[header.charCodeAt(index)] & OWS) !== 0) {
            index++;
        }
        const keyStart = index;
        let keyFlags = 0;
        let keyWhitespace = -1;
        while (index < len) {
            const code = header.charCodeAt(index);
            const flags = CHAR_MAP[code];
            if ((flags & stopFlags) !== 0) {
                if ((flags & COMMA_FLAG) !== 0)
                    break parameter;
                continue parameter;
            }
            if (code === EQ) {
                const keyEnd = keyWhitespace === -1 ? index : keyWhitespace;
                const value = header.slice(keyStart, keyEnd);
                const key = (keyFlags & CASE_FLAGS) === 0 ? value : value.toLowerCase();
                index++;
                while ((CHAR_MAP[header.charCodeAt(index)] & OWS) !== 0) {
                    index++;
                }
                if (index < len && header.charCodeAt(index) === DQUOTE) {
                    const quotedStart = ++index;
                    let escaped = false;
                    while (index < len) {
                        const code = header.charCodeAt(index);
                        if (code === DQUOTE) {
                            if (parameters[key] === undefined) {
                                parameters[key] = escaped
                                    ? unescapeQuotedPairs(header, quotedStart, index)
                                    : header.slice(quotedStart, index);
                            }
                            index++;
                            let stop = 0;
                            // Discard characters between quote and delimiter.
                            while (index < len) {
                                const code = header.charCodeAt(index);
                                const flags = CHAR_MAP[code];
                                if ((flags & stopFlags) !== 0) {
                                    stop = flags & COMMA_FLAG;
                                    break;
                                }
                                index++;
                            }
                            if (stop !== 0)
                                break parameter;
                            continue parameter;
                        }
                        if (code === BSLASH && index + 1 < len) {
                            escaped = true;
                            index += 2;
                            continue;
                        }
                        index++;
                    }
                    continue parameter;
                }
                const valueStart = index;
                let stop = 0;
                let valueWhitespace = -1;
                while (index < len) {
                    const code = header.charCodeAt(index);
                    const flags = CHAR_MAP[code];
                    if ((flags & stopFlags) !== 0) {
                        stop = flags & COMMA_FLAG;
                        break;
                    }
                    if ((flags & OWS) !== 0) {
                        if (valueWhitespace === -1)
                            valueWhitespace = index;
                    }
                    else {
                        valueWhitespace = -1;
                    }
                    index++;
                }
                if (parameters[key] === undefined) {
                    const valueEnd = valueWhitespace === -1 ? index : valueWhitespace;
                    parameters[key] = header.slice(valueStart, valueEnd);
                }
                if (stop !== 0)
                    break parameter;
                continue parameter;
            }
            if ((flags & OWS) !== 0) {
                if (keyWhitespace === -1)
                    keyWhitespace = index;
            }
            else {
                keyWhitespace = -1;
            }
            keyFlags |= (code & NON_ASCII) | flags;
            index++;
        }
    }
    return { type, index, parameters };
}
/**
 * Remove backslashes from quoted pairs in a known-terminated quoted string body.
 */
function unescapeQuotedPairs(str, start, end) {
    let result = "";
    for (let index = start; index < end; index++) {
        if (str.charCodeAt(index) === BSLASH) {
            result += str.slice(start, index);
            start = ++index;
        }
    }
    return result + str.slice(start, end);
}
//# sourceMappingURL=index.js.map
;// CONCATENATED MODULE: ./node_modules/json-with-bigint/json-with-bigint.js
const intRegex = /^-?\d+$/;
const noiseValue = /^-?\d+n+$/; // Noise - strings that match the custom format before being converted to it
const originalStringify = JSON.stringify;
const originalParse = JSON.parse;
const customFormat = /^-?\d+n$/;

const bigIntsStringify = /([\[:])?"(-?\d+)n"($|\s*[,\}\]])/g;
const noiseStringify = /([\[:])?("-?\d+n+)n("$|"\s*[,\}\]])/g;

/**
 * @typedef {(this: any, key: string | number | undefined, value: any) => any} Replacer
 * @typedef {(key: string | number | undefined, value: any, context?: { source: string }) => any} Reviver
 */

/**
 * Checks if a value is unstringifiable according to native JSON.stringify rules.
 *
 * @param {any} val The value to check.
 * @returns {boolean} True if the value is undefined, a function, or a symbol.
 */
const isUnstringifiable = (val) =>
  val === undefined || typeof val === "function" || typeof val === "symbol";

/**
 * Checks if a value is a native JSON.rawJSON object (Node.js 22+).
 *
 * @param {any} val The value to check.
 * @returns {boolean} True if the value is a RawJSON instance.
 */
const isRawJSON = (val) =>
  val !== null &&
  typeof val === "object" &&
  val.constructor &&
  val.constructor.name === "RawJSON";

/**
 * Iteratively converts a JS value to a JSON string.
 * Used as a fallback when the native JSON.stringify hits the Maximum Call Stack size.
 * Fully compliant with JSON formatting (space), replacers, and toJSON behaviors.
 *
 * @param {any} rootValue The value to stringify.
 * @param {Replacer | Array<string | number> | null} [replacer] User's custom replacer function.
 * @param {string | number} [spaceParam] Indentation for pretty-printing.
 * @returns {string | undefined} The generated JSON string.
 */
const stringifyIteratively = (rootValue, replacer, spaceParam) => {
  let space = "";

  if (typeof spaceParam === "number") {
    space = " ".repeat(Math.min(10, Math.max(0, Math.floor(spaceParam))));
  } else if (typeof spaceParam === "string") {
    space = spaceParam.slice(0, 10);
  }

  const isFunctionReplacer = typeof replacer === "function";
  const propertyList = Array.isArray(replacer)
    ? new Set(replacer.map(String))
    : null;

  /**
   * Prepares a value for stringification by resolving toJSON, handling BigInts,
   * applying custom replacers, and unwrapping primitive objects.
   *
   * @param {object|Array} parent The parent object or array holding the value.
   * @param {string} key The key associated with the value.
   * @param {any} val The raw value to process.
   * @returns {any} The processed value ready for stringification.
   */
  const prepareVal = (parent, key, val) => {
    const isObject = val !== null && typeof val === "object";
    const hasToJSON = isObject && typeof val.toJSON === "function";

    if (hasToJSON) {
      val = val.toJSON(key);
    }

    const isNoise = typeof val === "string" && noiseValue.test(val);

    if (isNoise) return val + "n";

    const isBigInt = typeof val === "bigint";

    if (isBigInt) {
      const supportsRawJSON = "rawJSON" in JSON;

      if (supportsRawJSON) return JSON.rawJSON(val.toString());

      return val.toString() + "n";
    }

    if (isFunctionReplacer) {
      val = replacer.call(parent, key, val);
    }

    const isPostReplacerObject = val !== null && typeof val === "object";

    if (isPostReplacerObject) {
      const isPrimitiveWrapper =
        val instanceof Number ||
        val instanceof String ||
        val instanceof Boolean;

      if (isPrimitiveWrapper) {
        val = val.valueOf();
      }
    }

    return val;
  };

  const rootProcessed = prepareVal({ "": rootValue }, "", rootValue);

  if (isUnstringifiable(rootProcessed)) {
    return undefined;
  }

  const isRootPrimitive =
    rootProcessed === null || typeof rootProcessed !== "object";
  const isRootNativeRawJSON = isRawJSON(rootProcessed);

  if (isRootPrimitive || isRootNativeRawJSON) {
    return originalStringify(rootProcessed);
  }

  const chunks = [];
  let level = 0;

  const stack = [
    {
      parent: { "": rootProcessed },
      key: "",
      val: rootProcessed,
      isArray: Array.isArray(rootProcessed),
      keys: Array.isArray(rootProcessed) ? null : Object.keys(rootProcessed),
      index: 0,
      first: true,
    },
  ];

  const visited = new WeakSet([rootProcessed]);

  while (stack.length > 0) {
    const node = stack[stack.length - 1];

    if (node.index === 0) {
      chunks.push(node.isArray ? "[" : "{");
      level++;
    }

    let isDone = false;

    if (node.isArray) {
      if (node.index < node.val.length) {
        if (!node.first) chunks.push(",");

        if (space) chunks.push("\n" + space.repeat(level));

        const childRaw = node.val[node.index];
        const childVal = prepareVal(node.val, String(node.index), childRaw);

        if (isUnstringifiable(childVal)) {
          chunks.push("null");
          node.first = false;
          node.index++;
        } else {
          const isComplexObject =
            childVal !== null && typeof childVal === "object";
          const isNativeRaw = isRawJSON(childVal);

          if (isComplexObject && !isNativeRaw) {
            if (visited.has(childVal)) {
              throw new TypeError("Converting circular structure to JSON");
            }

            visited.add(childVal);

            stack.push({
              parent: node.val,
              key: String(node.index),
              val: childVal,
              isArray: Array.isArray(childVal),
              keys: Array.isArray(childVal) ? null : Object.keys(childVal),
              index: 0,
              first: true,
            });

            node.first = false;
            node.index++;
          } else {
            chunks.push(originalStringify(childVal));
            node.first = false;
            node.index++;
          }
        }
      } else {
        isDone = true;
      }
    } else {
      while (node.index < node.keys.length) {
        const k = node.keys[node.index++];

        const isFilteredOutByArray = propertyList && !propertyList.has(k);

        if (isFilteredOutByArray) continue;

        const childRaw = node.val[k];
        const childVal = prepareVal(node.val, k, childRaw);

        if (isUnstringifiable(childVal)) continue;

        if (!node.first) chunks.push(",");

        if (space) {
          chunks.push("\n" + space.repeat(level) + originalStringify(k) + ": ");
        } else {
          chunks.push(originalStringify(k) + ":");
        }

        const isComplexObject =
          childVal !== null && typeof childVal === "object";
        const isNativeRaw = isRawJSON(childVal);

        if (isComplexObject && !isNativeRaw) {
          if (visited.has(childVal)) {
            throw new TypeError("Converting circular structure to JSON");
          }

          visited.add(childVal);

          stack.push({
            parent: node.val,
            key: k,
            val: childVal,
            isArray: Array.isArray(childVal),
            keys: Array.isArray(childVal) ? null : Object.keys(childVal),
            index: 0,
            first: true,
          });

          node.first = false;

          break; // Stop current loop level to process the newly pushed stack node
        } else {
          chunks.push(originalStringify(childVal));
          node.first = false;
        }
      }

      const isNodeFullyProcessed =
        node.index >= node.keys.length && stack[stack.length - 1] === node;

      if (isNodeFullyProcessed) {
        isDone = true;
      }
    }

    if (isDone) {
      level--;

      if (!node.first && space) chunks.push("\n" + space.repeat(level));

      chunks.push(node.isArray ? "]" : "}");
      visited.delete(node.val);
      stack.pop();
    }
  }

  return chunks.join("");
};

/**
 * Converts a JavaScript value to a JSON string.
 *
 * Supports serialization of BigInt values using two strategies:
 * 1. Custom format "123n" → "123" (universal fallback)
 * 2. Native JSON.rawJSON() (Node.js 22+, fastest) when available
 *
 * All other values are serialized exactly like native JSON.stringify().
 *
 * @param {*} value The value to convert to a JSON string.
 * @param {Replacer | Array<string | number> | null} [replacer]
 * A function that alters the behavior of the stringification process,
 * or an array of strings/numbers to indicate properties to exclude.
 * @param {string | number} [space]
 * A string or number to specify indentation or pretty-printing.
 * @returns {string} The JSON string representation.
 */
const JSONStringify = (value, replacer, space) => {
  try {
    const supportsRawJSON = "rawJSON" in JSON;

    if (supportsRawJSON) {
      return originalStringify(
        value,
        (key, val) => {
          if (typeof val === "bigint") return JSON.rawJSON(val.toString());

          const hasFunctionReplacer = typeof replacer === "function";

          if (hasFunctionReplacer) return replacer(key, val);

          const isKeyInArrayReplacer =
            Array.isArray(replacer) && replacer.includes(key);

          if (isKeyInArrayReplacer) return val;

          return val;
        },
        space,
      );
    }

    if (!value) return originalStringify(value, replacer, space);

    const convertedToCustomJSON = originalStringify(
      value,
      (key, val) => {
        const isNoise = typeof val === "string" && noiseValue.test(val);

        if (isNoise) return val.toString() + "n"; // Mark noise values with additional "n" to offset the deletion of one "n" during the processing

        if (typeof val === "bigint") return val.toString() + "n";

        const hasFunctionReplacer = typeof replacer === "function";

        if (hasFunctionReplacer) return replacer(key, val);

        const isKeyInArrayReplacer =
          Array.isArray(replacer) && replacer.includes(key);

        if (isKeyInArrayReplacer) return val;

        return val;
      },
      space,
    );

    const processedJSON = convertedToCustomJSON.replace(
      bigIntsStringify,
      "$1$2$3",
    ); // Delete one "n" off the end of every BigInt value

    const denoisedJSON = processedJSON.replace(noiseStringify, "$1$2$3"); // Remove one "n" off the end of every noisy string

    return denoisedJSON;
  } catch (error) {
    if (error instanceof RangeError) {
      const convertedJSON = stringifyIteratively(value, replacer, space);

      if (convertedJSON === undefined) return undefined;

      const supportsRawJSON = "rawJSON" in JSON;

      if (supportsRawJSON) return convertedJSON;

      const processedJSON = convertedJSON.replace(bigIntsStringify, "$1$2$3");

      return processedJSON.replace(noiseStringify, "$1$2$3");
    }

    throw error;
  }
};

const featureCache = new Map();

/**
 * Detects if the current JSON.parse implementation supports the context.source feature.
 *
 * Uses toString() fingerprinting to cache results and automatically detect runtime
 * replacements of JSON.parse (polyfills, mocks, etc.).
 *
 * @returns {boolean} true if context.source is supported, false otherwise.
 */
const isContextSourceSupported = () => {
  const parseFingerprint = JSON.parse.toString();

  if (featureCache.has(parseFingerprint)) {
    return featureCache.get(parseFingerprint);
  }

  try {
    const result = JSON.parse(
      "1",
      (_, __, context) => !!context?.source && context.source === "1",
    );
    featureCache.set(parseFingerprint, result);

    return result;
  } catch {
    featureCache.set(parseFingerprint, false);

    return false;
  }
};

/**
 * Reviver function that converts custom-format BigInt strings back to BigInt values.
 * Also handles "noise" strings that accidentally match the BigInt format.
 *
 * @param {string | number | undefined} key The object key.
 * @param {*} value The value being parsed.
 * @param {object} [context] Parse context (if supported by JSON.parse).
 * @param {Reviver} [userReviver] User's custom reviver function.
 * @returns {any} The transformed value.
 */
const convertMarkedBigIntsReviver = (key, value, context, userReviver) => {
  const isCustomFormatBigInt =
    typeof value === "string" && customFormat.test(value);

  if (isCustomFormatBigInt) return BigInt(value.slice(0, -1));

  const isNoiseValue = typeof value === "string" && noiseValue.test(value);
  if (isNoiseValue) return value.slice(0, -1);

  const hasUserReviver = typeof userReviver === "function";

  if (!hasUserReviver) return value;

  return userReviver(key, value, context);
};

/**
 * Fast JSON.parse implementation (~2x faster than classic fallback).
 * Uses JSON.parse's context.source feature to detect integers and convert
 * large numbers directly to BigInt without string manipulation.
 *
 * Does not support legacy custom format from v1 of this library.
 *
 * @param {string} text JSON string to parse.
 * @param {Reviver} [reviver] Transform function to apply to each value.
 * @returns {any} Parsed JavaScript value.
 */
const JSONParseV2 = (text, reviver) => {
  return JSON.parse(text, (key, value, context) => {
    const isNumber = typeof value === "number";
    const isOutOfBounds =
      value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER;
    const isBigNumber = isNumber && isOutOfBounds;
    const isInt = context && intRegex.test(context.source);
    const isBigInt = isBigNumber && isInt;

    if (isBigInt) return BigInt(context.source);

    const hasCustomReviver = typeof reviver === "function";

    if (!hasCustomReviver) return value;

    return reviver(key, value, context);
  });
};

const MAX_INT = Number.MAX_SAFE_INTEGER.toString();
const MAX_DIGITS = MAX_INT.length;
const stringsOrLargeNumbers =
  /"(?:[^"\\]|\\.)*"|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/g;
const noiseValueWithQuotes = /^"-?\d+n+"$/; // Noise - strings that match the custom format before being converted to it

/**
 * Iteratively traverses the parsed object bottom-up (post-order),
 * emulating the native JSON.parse reviver behavior.
 * This avoids Call Stack overflows (RangeError) on deeply nested structures.
 *
 * @param {any} parsed The natively parsed JSON object.
 * @param {Reviver} [userReviver] User's custom reviver function.
 * @returns {any} The fully processed object.
 */
const applyReviverIteratively = (parsed, userReviver) => {
  const rootHolder = { "": parsed };
  const stack = [{ parent: rootHolder, key: "", visited: false }];

  while (stack.length > 0) {
    const node = stack[stack.length - 1];

    if (!node.visited) {
      node.visited = true;

      const value = node.parent[node.key];
      const isComplexObject = value !== null && typeof value === "object";

      if (isComplexObject) {
        const keys = Object.keys(value);

        for (let i = keys.length - 1; i >= 0; i--) {
          stack.push({ parent: value, key: keys[i], visited: false });
        }
      }
    } else {
      const { parent, key } = node;
      let value = parent[key];

      if (typeof value === "string") {
        const isCustomFormatBigInt = customFormat.test(value);

        if (isCustomFormatBigInt) {
          value = BigInt(value.slice(0, -1));
        } else {
          const isNoise = noiseValue.test(value);

          if (isNoise) value = value.slice(0, -1);
        }
      }

      const hasUserReviver = typeof userReviver === "function";

      if (hasUserReviver) {
        value = userReviver.call(parent, key, value);
      }

      const isDeleted = value === undefined;

      if (isDeleted) {
        delete parent[key];
      } else {
        parent[key] = value;
      }

      stack.pop();
    }
  }

  return rootHolder[""];
};

/**
 * Pre-processes the JSON string to mark large numbers with an 'n' suffix.
 *
 * @param {string} text The raw JSON string.
 * @returns {string} The serialized string with marked BigInts.
 */
const serializeBigInts = (text) => {
  return text.replace(
    stringsOrLargeNumbers,
    (match, digits, fractional, exponential) => {
      const isString = match[0] === '"';
      const isNoise = isString && noiseValueWithQuotes.test(match);

      if (isNoise) return match.substring(0, match.length - 1) + 'n"'; // Mark noise values with additional "n" to offset the deletion of one "n" during the processing

      const hasFractionalOrExponential = fractional || exponential;

      // With a fixed number of digits, we can correctly use lexicographical comparison to do a numeric comparison
      const isLessThanMaxSafeInt =
        digits &&
        (digits.length < MAX_DIGITS ||
          (digits.length === MAX_DIGITS && digits <= MAX_INT));

      const isStandardValue =
        isString || hasFractionalOrExponential || isLessThanMaxSafeInt;

      if (isStandardValue) return match;

      return '"' + match + 'n"';
    },
  );
};

/**
 * Converts a JSON string into a JavaScript value.
 *
 * Supports parsing of large integers using two strategies:
 * 1. Classic fallback: Marks large numbers with "123n" format, then converts to BigInt
 * 2. Fast path (JSONParseV2): Uses context.source feature (~2x faster) when available
 *
 * All other JSON values are parsed exactly like native JSON.parse().
 *
 * @param {string} text A valid JSON string.
 * @param {Reviver} [reviver]
 * A function that transforms the results. This function is called for each member
 * of the object. If a member contains nested objects, the nested objects are
 * transformed before the parent object is.
 * @returns {any} The parsed JavaScript value.
 * @throws {SyntaxError} If text is not valid JSON.
 */
const JSONParse = (text, reviver) => {
  if (!text) return originalParse(text, reviver);

  try {
    if (isContextSourceSupported()) return JSONParseV2(text, reviver); // Shortcut to a faster (2x) and simpler version

    // Find and mark big numbers with "n"
    const serializedData = serializeBigInts(text);

    return originalParse(serializedData, (key, value, context) =>
      convertMarkedBigIntsReviver(key, value, context, reviver),
    );
  } catch (error) {
    if (error instanceof RangeError) {
      const serializedData = serializeBigInts(text);
      const parsed = originalParse(serializedData);

      return applyReviverIteratively(parsed, reviver);
    }

    throw error;
  }
};



;// CONCATENATED MODULE: ./node_modules/@octokit/request-error/dist-src/index.js
class RequestError extends Error {
  name;
  /**
   * http status code
   */
  status;
  /**
   * Request options that lead to the error.
   */
  request;
  /**
   * Response object if a response was received
   */
  response;
  constructor(message, statusCode, options) {
    super(message, { cause: options.cause });
    this.name = "HttpError";
    this.status = Number.parseInt(statusCode);
    if (Number.isNaN(this.status)) {
      this.status = 0;
    }
    /* v8 ignore else -- @preserve -- Bug with vitest coverage where it sees an else branch that doesn't exist */
    if ("response" in options) {
      this.response = options.response;
    }
    const requestCopy = Object.assign({}, options.request);
    if (options.request.headers.authorization) {
      requestCopy.headers = Object.assign({}, options.request.headers, {
        authorization: options.request.headers.authorization.replace(
          /(?<! ) .*$/,
          " [REDACTED]"
        )
      });
    }
    requestCopy.url = requestCopy.url.replace(/\bclient_secret=\w+/g, "client_secret=[REDACTED]").replace(/\baccess_token=\w+/g, "access_token=[REDACTED]");
    this.request = requestCopy;
  }
}


;// CONCATENATED MODULE: ./node_modules/@octokit/request/dist-bundle/index.js
// pkg/dist-src/index.js


// pkg/dist-src/defaults.js


// pkg/dist-src/version.js
var dist_bundle_VERSION = "10.0.16";

// pkg/dist-src/defaults.js
var defaults_default = {
  headers: {
    "user-agent": `octokit-request.js/${dist_bundle_VERSION} ${getUserAgent()}`
  }
};

// pkg/dist-src/fetch-wrapper.js



// pkg/dist-src/is-plain-object.js
function dist_bundle_isPlainObject(value) {
  if (typeof value !== "object" || value === null) return false;
  if (Object.prototype.toString.call(value) !== "[object Object]") return false;
  const proto = Object.getPrototypeOf(value);
  if (proto === null) return true;
  const Ctor = Object.prototype.hasOwnProperty.call(proto, "constructor") && proto.constructor;
  return typeof Ctor === "function" && Ctor instanceof Ctor && Function.prototype.call(Ctor) === Function.prototype.call(value);
}

// pkg/dist-src/fetch-wrapper.js

var noop = () => "";
async function fetchWrapper(requestOptions) {
  const fetch = requestOptions.request?.fetch || globalThis.fetch;
  if (!fetch) {
    throw new Error(
      "fetch is not set. Please pass a fetch implementation as new Octokit({ request: { fetch }}). Learn more at https://github.com/octokit/octokit.js/#fetch-missing"
    );
  }
  const log = requestOptions.request?.log || console;
  const parseSuccessResponseBody = requestOptions.request?.parseSuccessResponseBody !== false;
  const body = dist_bundle_isPlainObject(requestOptions.body) || Array.isArray(requestOptions.body) ? JSONStringify(requestOptions.body) : requestOptions.body;
  const requestHeaders = Object.fromEntries(
    Object.entries(requestOptions.headers).map(([name, value]) => [
      name,
      String(value)
    ])
  );
  let fetchResponse;
  try {
    fetchResponse = await fetch(requestOptions.url, {
      method: requestOptions.method,
      body,
      redirect: requestOptions.request?.redirect,
      headers: requestHeaders,
      signal: requestOptions.request?.signal,
      // duplex must be set if request.body is ReadableStream or Async Iterables.
      // See https://fetch.spec.whatwg.org/#dom-requestinit-duplex.
      ...requestOptions.body && { duplex: "half" }
    });
  } catch (error) {
    let message = "Unknown Error";
    if (error instanceof Error) {
      if (error.name === "AbortError") {
        error.status = 500;
        throw error;
      }
      message = error.message;
      if (error.name === "TypeError" && "cause" in error) {
        if (error.cause instanceof Error) {
          message = error.cause.message;
        } else if (typeof error.cause === "string") {
          message = error.cause;
        }
      }
    }
    const requestError = new RequestError(message, 500, {
      request: requestOptions
    });
    requestError.cause = error;
    throw requestError;
  }
  const status = fetchResponse.status;
  const url = fetchResponse.url;
  const responseHeaders = {};
  for (const [key, value] of fetchResponse.headers) {
    responseHeaders[key] = value;
  }
  const octokitResponse = {
    url,
    status,
    headers: responseHeaders,
    data: ""
  };
  if ("deprecation" in responseHeaders) {
    const matches = responseHeaders.link && responseHeaders.link.match(/<([^<>]+)>; rel="deprecation"/);
    const deprecationLink = matches && matches.pop();
    log.warn(
      `[@octokit/request] "${requestOptions.method} ${requestOptions.url}" is deprecated. It is scheduled to be removed on ${responseHeaders.sunset}${deprecationLink ? `. See ${deprecationLink}` : ""}`
    );
  }
  if (status === 204 || status === 205) {
    return octokitResponse;
  }
  if (requestOptions.method === "HEAD") {
    if (status < 400) {
      return octokitResponse;
    }
    throw new RequestError(fetchResponse.statusText, status, {
      response: octokitResponse,
      request: requestOptions
    });
  }
  if (status === 304) {
    octokitResponse.data = await getResponseData(fetchResponse);
    throw new RequestError("Not modified", status, {
      response: octokitResponse,
      request: requestOptions
    });
  }
  if (status >= 400) {
    octokitResponse.data = await getResponseData(fetchResponse);
    throw new RequestError(toErrorMessage(octokitResponse.data), status, {
      response: octokitResponse,
      request: requestOptions
    });
  }
  octokitResponse.data = parseSuccessResponseBody ? await getResponseData(fetchResponse) : fetchResponse.body;
  return octokitResponse;
}
async function getResponseData(response) {
  const contentType = response.headers.get("content-type");
  if (!contentType) {
    return response.text().catch(noop);
  }
  const mimetype = dist_parse(contentType);
  if (isJSONResponse(mimetype)) {
    let text = "";
    try {
      text = await response.text();
      return JSONParse(text);
    } catch (err) {
      return text;
    }
  } else if (mimetype.type.startsWith("text/") || // `application/octet-stream` is the canonical "arbitrary binary" type
  // (RFC 2046) and must never be decoded as text, even when the response
  // carries a (misleading) `charset=utf-8` parameter — see #751.
  mimetype.parameters.charset?.toLowerCase() === "utf-8" && mimetype.type !== "application/octet-stream") {
    return response.text().catch(noop);
  } else {
    return response.arrayBuffer().catch(
      /* v8 ignore next -- @preserve */
      () => new ArrayBuffer(0)
    );
  }
}
function isJSONResponse(mimetype) {
  return mimetype.type === "application/json" || mimetype.type === "application/scim+json";
}
function toErrorMessage(data) {
  if (typeof data === "string") {
    return data;
  }
  if (data instanceof ArrayBuffer) {
    return "Unknown error";
  }
  if (typeof data === "object" && data !== null && "message" in data) {
    const objectData = data;
    const suffix = "documentation_url" in objectData ? ` - ${objectData.documentation_url}` : "";
    return Array.isArray(objectData.errors) ? `${objectData.message}: ${objectData.errors.map((v) => JSON.stringify(v)).join(", ")}${suffix}` : `${objectData.message}${suffix}`;
  }
  return `Unknown error: ${JSON.stringify(data)}`;
}

// pkg/dist-src/with-defaults.js
function dist_bundle_withDefaults(oldEndpoint, newDefaults) {
  const endpoint2 = oldEndpoint.defaults(newDefaults);
  const newApi = function(route, parameters) {
    const endpointOptions = endpoint2.merge(route, parameters);
    if (!endpointOptions.request || !endpointOptions.request.hook) {
      return fetchWrapper(endpoint2.parse(endpointOptions));
    }
    const request2 = (route2, parameters2) => {
      return fetchWrapper(
        endpoint2.parse(endpoint2.merge(route2, parameters2))
      );
    };
    Object.assign(request2, {
      endpoint: endpoint2,
      defaults: dist_bundle_withDefaults.bind(null, endpoint2)
    });
    return endpointOptions.request.hook(request2, endpointOptions);
  };
  return Object.assign(newApi, {
    endpoint: endpoint2,
    defaults: dist_bundle_withDefaults.bind(null, endpoint2)
  });
}

// pkg/dist-src/index.js
var request = dist_bundle_withDefaults(endpoint, defaults_default);

/* v8 ignore next -- @preserve */
/* v8 ignore else -- @preserve */

;// CONCATENATED MODULE: ./node_modules/@octokit/graphql/dist-bundle/index.js
// pkg/dist-src/index.js



// pkg/dist-src/version.js
var graphql_dist_bundle_VERSION = "0.0.0-development";

// pkg/dist-src/with-defaults.js


// pkg/dist-src/graphql.js


// pkg/dist-src/error.js
function _buildMessageForResponseErrors(data) {
  return `Request failed due to following response errors:
` + data.errors.map((e) => ` - ${e.message}`).join("\n");
}
var GraphqlResponseError = class extends Error {
  constructor(request2, headers, response) {
    super(_buildMessageForResponseErrors(response));
    this.request = request2;
    this.headers = headers;
    this.response = response;
    this.errors = response.errors;
    this.data = response.data;
    if (Error.captureStackTrace) {
      Error.captureStackTrace(this, this.constructor);
    }
  }
  request;
  headers;
  response;
  name = "GraphqlResponseError";
  errors;
  data;
};

// pkg/dist-src/graphql.js
var NON_VARIABLE_OPTIONS = [
  "method",
  "baseUrl",
  "url",
  "headers",
  "request",
  "query",
  "mediaType",
  "operationName"
];
var FORBIDDEN_VARIABLE_OPTIONS = ["query", "method", "url"];
var GHES_V3_SUFFIX_REGEX = /\/api\/v3\/?$/;
function graphql(request2, query, options) {
  if (options) {
    if (typeof query === "string" && "query" in options) {
      return Promise.reject(
        new Error(`[@octokit/graphql] "query" cannot be used as variable name`)
      );
    }
    for (const key in options) {
      if (!FORBIDDEN_VARIABLE_OPTIONS.includes(key)) continue;
      return Promise.reject(
        new Error(
          `[@octokit/graphql] "${key}" cannot be used as variable name`
        )
      );
    }
  }
  const parsedOptions = typeof query === "string" ? Object.assign({ query }, options) : query;
  const requestOptions = Object.keys(
    parsedOptions
  ).reduce((result, key) => {
    if (NON_VARIABLE_OPTIONS.includes(key)) {
      result[key] = parsedOptions[key];
      return result;
    }
    if (!result.variables) {
      result.variables = {};
    }
    result.variables[key] = parsedOptions[key];
    return result;
  }, {});
  const baseUrl = parsedOptions.baseUrl || request2.endpoint.DEFAULTS.baseUrl;
  if (GHES_V3_SUFFIX_REGEX.test(baseUrl)) {
    requestOptions.url = baseUrl.replace(GHES_V3_SUFFIX_REGEX, "/api/graphql");
  }
  return request2(requestOptions).then((response) => {
    if (response.data.errors) {
      const headers = {};
      for (const key of Object.keys(response.headers)) {
        headers[key] = response.headers[key];
      }
      throw new GraphqlResponseError(
        requestOptions,
        headers,
        response.data
      );
    }
    return response.data.data;
  });
}

// pkg/dist-src/with-defaults.js
function graphql_dist_bundle_withDefaults(request2, newDefaults) {
  const newRequest = request2.defaults(newDefaults);
  const newApi = (query, options) => {
    return graphql(newRequest, query, options);
  };
  return Object.assign(newApi, {
    defaults: graphql_dist_bundle_withDefaults.bind(null, newRequest),
    endpoint: newRequest.endpoint
  });
}

// pkg/dist-src/index.js
var graphql2 = graphql_dist_bundle_withDefaults(request, {
  headers: {
    "user-agent": `octokit-graphql.js/${graphql_dist_bundle_VERSION} ${getUserAgent()}`
  },
  method: "POST",
  url: "/graphql"
});
function withCustomRequest(customRequest) {
  return graphql_dist_bundle_withDefaults(customRequest, {
    method: "POST",
    url: "/graphql"
  });
}

/* v8 ignore if -- @preserve */

;// CONCATENATED MODULE: ./node_modules/@octokit/auth-token/dist-bundle/index.js
// pkg/dist-src/is-jwt.js
var b64url = "(?:[a-zA-Z0-9_-]+)";
var sep = "\\.";
var jwtRE = new RegExp(`^${b64url}${sep}${b64url}${sep}${b64url}$`);
var isJWT = jwtRE.test.bind(jwtRE);

// pkg/dist-src/auth.js
async function auth(token) {
  const isApp = isJWT(token);
  const isInstallation = token.startsWith("v1.") || token.startsWith("ghs_");
  const isUserToServer = token.startsWith("ghu_");
  const tokenType = isApp ? "app" : isInstallation ? "installation" : isUserToServer ? "user-to-server" : "oauth";
  return {
    type: "token",
    token,
    tokenType
  };
}

// pkg/dist-src/with-authorization-prefix.js
function withAuthorizationPrefix(token) {
  if (token.split(/\./).length === 3) {
    return `bearer ${token}`;
  }
  return `token ${token}`;
}

// pkg/dist-src/hook.js
async function hook(token, request, route, parameters) {
  const endpoint = request.endpoint.merge(
    route,
    parameters
  );
  endpoint.headers.authorization = withAuthorizationPrefix(token);
  return request(endpoint);
}

// pkg/dist-src/index.js
var createTokenAuth = function createTokenAuth2(token) {
  if (!token) {
    throw new Error("[@octokit/auth-token] No token passed to createTokenAuth");
  }
  if (typeof token !== "string") {
    throw new Error(
      "[@octokit/auth-token] Token passed to createTokenAuth is not a string"
    );
  }
  token = token.replace(/^(token|bearer) +/i, "");
  return Object.assign(auth.bind(null, token), {
    hook: hook.bind(null, token)
  });
};


;// CONCATENATED MODULE: ./node_modules/@octokit/core/dist-src/version.js
const version_VERSION = "7.0.8";


;// CONCATENATED MODULE: ./node_modules/@octokit/core/dist-src/index.js






const dist_src_noop = () => {
};
const consoleWarn = console.warn.bind(console);
const consoleError = console.error.bind(console);
function createLogger(logger = {}) {
  if (typeof logger.debug !== "function") {
    logger.debug = dist_src_noop;
  }
  if (typeof logger.info !== "function") {
    logger.info = dist_src_noop;
  }
  if (typeof logger.warn !== "function") {
    logger.warn = consoleWarn;
  }
  if (typeof logger.error !== "function") {
    logger.error = consoleError;
  }
  return logger;
}
const userAgentTrail = `octokit-core.js/${version_VERSION} ${getUserAgent()}`;
class Octokit {
  static VERSION = version_VERSION;
  static defaults(defaults) {
    const OctokitWithDefaults = class extends this {
      constructor(...args) {
        const options = args[0] || {};
        if (typeof defaults === "function") {
          super(defaults(options));
          return;
        }
        super(
          Object.assign(
            {},
            defaults,
            options,
            options.userAgent && defaults.userAgent ? {
              userAgent: `${options.userAgent} ${defaults.userAgent}`
            } : null
          )
        );
      }
    };
    return OctokitWithDefaults;
  }
  static plugins = [];
  /**
   * Attach a plugin (or many) to your Octokit instance.
   *
   * @example
   * const API = Octokit.plugin(plugin1, plugin2, plugin3, ...)
   */
  static plugin(...newPlugins) {
    const currentPlugins = this.plugins;
    const NewOctokit = class extends this {
      static plugins = currentPlugins.concat(
        newPlugins.filter((plugin) => !currentPlugins.includes(plugin))
      );
    };
    return NewOctokit;
  }
  constructor(options = {}) {
    const hook = new before_after_hook.Collection();
    const requestDefaults = {
      baseUrl: request.endpoint.DEFAULTS.baseUrl,
      headers: {},
      request: Object.assign({}, options.request, {
        // @ts-ignore internal usage only, no need to type
        hook: hook.bind(null, "request")
      }),
      mediaType: {
        previews: [],
        format: ""
      }
    };
    requestDefaults.headers["user-agent"] = options.userAgent ? `${options.userAgent} ${userAgentTrail}` : userAgentTrail;
    if (options.baseUrl) {
      requestDefaults.baseUrl = options.baseUrl;
    }
    if (options.previews) {
      requestDefaults.mediaType.previews = options.previews;
    }
    if (options.timeZone) {
      requestDefaults.headers["time-zone"] = options.timeZone;
    }
    this.request = request.defaults(requestDefaults);
    this.graphql = withCustomRequest(this.request).defaults(requestDefaults);
    this.log = createLogger(options.log);
    this.hook = hook;
    if (!options.authStrategy) {
      if (!options.auth) {
        this.auth = async () => ({
          type: "unauthenticated"
        });
      } else {
        const auth = createTokenAuth(options.auth);
        hook.wrap("request", auth.hook);
        this.auth = auth;
      }
    } else {
      const { authStrategy, ...otherOptions } = options;
      const auth = authStrategy(
        Object.assign(
          {
            request: this.request,
            log: this.log,
            // we pass the current octokit instance as well as its constructor options
            // to allow for authentication strategies that return a new octokit instance
            // that shares the same internal state as the current one. The original
            // requirement for this was the "event-octokit" authentication strategy
            // of https://github.com/probot/octokit-auth-probot.
            octokit: this,
            octokitOptions: otherOptions
          },
          options.auth
        )
      );
      hook.wrap("request", auth.hook);
      this.auth = auth;
    }
    const classConstructor = this.constructor;
    for (let i = 0; i < classConstructor.plugins.length; ++i) {
      Object.assign(this, classConstructor.plugins[i](this, options));
    }
  }
  // assigned during constructor
  request;
  graphql;
  log;
  hook;
  // TODO: type `octokit.auth` based on passed options.authStrategy
  auth;
}


// EXTERNAL MODULE: ./node_modules/bottleneck/light.js
var light = __nccwpck_require__(3251);
;// CONCATENATED MODULE: ./node_modules/@octokit/plugin-throttling/dist-bundle/index.js
// pkg/dist-src/index.js


// pkg/dist-src/version.js
var plugin_throttling_dist_bundle_VERSION = "0.0.0-development";

// pkg/dist-src/wrap-request.js
var dist_bundle_noop = () => Promise.resolve();
function wrapRequest(state, request, options) {
  return state.retryLimiter.schedule(doRequest, state, request, options);
}
async function doRequest(state, request, options) {
  const { pathname } = new URL(options.url, "http://github.test");
  const isAuth = isAuthRequest(options.method, pathname);
  const isWrite = !isAuth && options.method !== "GET" && options.method !== "HEAD";
  const isSearch = options.method === "GET" && pathname.startsWith("/search/");
  const isGraphQL = pathname.startsWith("/graphql");
  const retryCount = ~~request.retryCount;
  const jobOptions = retryCount > 0 ? { priority: 0, weight: 0 } : {};
  if (state.clustering) {
    jobOptions.expiration = 1e3 * 60;
  }
  if (isWrite || isGraphQL) {
    await state.write.key(state.id).schedule(jobOptions, dist_bundle_noop);
  }
  if (isWrite && state.triggersNotification(pathname)) {
    await state.notifications.key(state.id).schedule(jobOptions, dist_bundle_noop);
  }
  if (isSearch) {
    await state.search.key(state.id).schedule(jobOptions, dist_bundle_noop);
  }
  const req = (isAuth ? state.auth : state.global).key(state.id).schedule(jobOptions, request, options);
  if (isGraphQL) {
    const res = await req;
    if (res.data.errors != null && res.data.errors.some((error) => error.type === "RATE_LIMITED")) {
      const error = Object.assign(new Error("GraphQL Rate Limit Exceeded"), {
        response: res,
        data: res.data
      });
      throw error;
    }
  }
  return req;
}
function isAuthRequest(method, pathname) {
  return method === "PATCH" && // https://docs.github.com/en/rest/apps/apps?apiVersion=2022-11-28#create-a-scoped-access-token
  /^\/applications\/[^/]+\/token\/scoped$/.test(pathname) || method === "POST" && // https://docs.github.com/en/rest/apps/oauth-applications?apiVersion=2022-11-28#reset-a-token
  (/^\/applications\/[^/]+\/token$/.test(pathname) || // https://docs.github.com/en/rest/apps/apps?apiVersion=2022-11-28#create-an-installation-access-token-for-an-app
  /^\/app\/installations\/[^/]+\/access_tokens$/.test(pathname) || // https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
  pathname === "/login/oauth/access_token");
}

// pkg/dist-src/generated/triggers-notification-paths.js
var triggers_notification_paths_default = [
  "/orgs/{org}/invitations",
  "/orgs/{org}/invitations/{invitation_id}",
  "/orgs/{org}/teams/{team_slug}/discussions",
  "/orgs/{org}/teams/{team_slug}/discussions/{discussion_number}/comments",
  "/repos/{owner}/{repo}/collaborators/{username}",
  "/repos/{owner}/{repo}/commits/{commit_sha}/comments",
  "/repos/{owner}/{repo}/issues",
  "/repos/{owner}/{repo}/issues/{issue_number}/comments",
  "/repos/{owner}/{repo}/issues/{issue_number}/sub_issue",
  "/repos/{owner}/{repo}/issues/{issue_number}/sub_issues/priority",
  "/repos/{owner}/{repo}/pulls",
  "/repos/{owner}/{repo}/pulls/{pull_number}/comments",
  "/repos/{owner}/{repo}/pulls/{pull_number}/comments/{comment_id}/replies",
  "/repos/{owner}/{repo}/pulls/{pull_number}/merge",
  "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
  "/repos/{owner}/{repo}/pulls/{pull_number}/reviews",
  "/repos/{owner}/{repo}/releases",
  "/teams/{team_id}/discussions",
  "/teams/{team_id}/discussions/{discussion_number}/comments"
];

// pkg/dist-src/route-matcher.js
function routeMatcher(paths) {
  const regexes = paths.map(
    (path) => path.split("/").map((c) => c.startsWith("{") ? "(?:.+?)" : c).join("/")
  );
  const regex2 = `^(?:${regexes.map((r) => `(?:${r})`).join("|")})[^/]*$`;
  return new RegExp(regex2, "i");
}

// pkg/dist-src/index.js
var dist_bundle_regex = routeMatcher(triggers_notification_paths_default);
var triggersNotification = dist_bundle_regex.test.bind(dist_bundle_regex);
var groups = {};
var createGroups = function(Bottleneck, common) {
  groups.global = new Bottleneck.Group({
    id: "octokit-global",
    maxConcurrent: 10,
    ...common
  });
  groups.auth = new Bottleneck.Group({
    id: "octokit-auth",
    maxConcurrent: 1,
    ...common
  });
  groups.search = new Bottleneck.Group({
    id: "octokit-search",
    maxConcurrent: 1,
    minTime: 2e3,
    ...common
  });
  groups.write = new Bottleneck.Group({
    id: "octokit-write",
    maxConcurrent: 1,
    minTime: 1e3,
    ...common
  });
  groups.notifications = new Bottleneck.Group({
    id: "octokit-notifications",
    maxConcurrent: 1,
    minTime: 3e3,
    ...common
  });
};
function throttling(octokit, octokitOptions) {
  const {
    enabled = true,
    Bottleneck = light,
    id = "no-id",
    timeout = 1e3 * 60 * 2,
    // Redis TTL: 2 minutes
    connection
  } = octokitOptions.throttle || {};
  if (!enabled) {
    return {};
  }
  const common = { timeout };
  if (typeof connection !== "undefined") {
    common.connection = connection;
  }
  const state = Object.assign(
    {
      clustering: connection != null,
      triggersNotification,
      fallbackSecondaryRateRetryAfter: 60,
      retryAfterBaseValue: 1e3,
      id
    },
    octokitOptions.throttle
  );
  if (typeof state.onSecondaryRateLimit !== "function" || typeof state.onRateLimit !== "function") {
    throw new Error(`octokit/plugin-throttling error:
        You must pass the onSecondaryRateLimit and onRateLimit error handlers.
        See https://octokit.github.io/rest.js/#throttling

        const octokit = new Octokit({
          throttle: {
            onSecondaryRateLimit: (retryAfter, options) => {/* ... */},
            onRateLimit: (retryAfter, options) => {/* ... */}
          }
        })
    `);
  }
  let initialized = false;
  const initializeBottleneck = () => {
    if (initialized) {
      return;
    }
    initialized = true;
    if (groups.global == null) {
      createGroups(Bottleneck, common);
    }
    state.global = state.global ?? groups.global;
    state.auth = state.auth ?? groups.auth;
    state.search = state.search ?? groups.search;
    state.write = state.write ?? groups.write;
    state.notifications = state.notifications ?? groups.notifications;
    state.retryLimiter = state.retryLimiter ?? new Bottleneck();
    const events = {};
    const emitter = new Bottleneck.Events(events);
    events.on("secondary-limit", state.onSecondaryRateLimit);
    events.on("rate-limit", state.onRateLimit);
    events.on(
      "error",
      (e) => octokit.log.warn("Error in throttling-plugin limit handler", e)
    );
    state.retryLimiter.on("failed", async function(error, info) {
      const [state2, request, options] = info.args;
      const { pathname } = new URL(options.url, "http://github.test");
      const shouldRetryGraphQL = pathname.startsWith("/graphql") && error.status !== 401;
      if (!(shouldRetryGraphQL || error.status === 403 || error.status === 429)) {
        return;
      }
      const retryCount = ~~request.retryCount;
      request.retryCount = retryCount;
      options.request.retryCount = retryCount;
      const { wantRetry, retryAfter = 0 } = await (async function() {
        if (/\bsecondary rate\b/i.test(error.message)) {
          const retryAfter2 = Number(error.response.headers["retry-after"]) || state2.fallbackSecondaryRateRetryAfter;
          const wantRetry2 = await emitter.trigger(
            "secondary-limit",
            retryAfter2,
            options,
            octokit,
            retryCount
          );
          return { wantRetry: wantRetry2, retryAfter: retryAfter2 };
        }
        if (error.response.headers != null && error.response.headers["x-ratelimit-remaining"] === "0" || (error.response.data?.errors ?? []).some(
          (error2) => error2.type === "RATE_LIMITED"
        )) {
          const rateLimitReset = new Date(
            ~~error.response.headers["x-ratelimit-reset"] * 1e3
          ).getTime();
          const retryAfter2 = Math.max(
            // Add one second so we retry _after_ the reset time
            // https://docs.github.com/en/rest/overview/resources-in-the-rest-api?apiVersion=2022-11-28#exceeding-the-rate-limit
            Math.ceil((rateLimitReset - Date.now()) / 1e3) + 1,
            0
          );
          const wantRetry2 = await emitter.trigger(
            "rate-limit",
            retryAfter2,
            options,
            octokit,
            retryCount
          );
          return { wantRetry: wantRetry2, retryAfter: retryAfter2 };
        }
        return {};
      })();
      if (wantRetry) {
        request.retryCount++;
        return retryAfter * state2.retryAfterBaseValue;
      }
    });
  };
  octokit.hook.wrap("request", (request, options) => {
    initializeBottleneck();
    return wrapRequest(state, request, options);
  });
  return {};
}
throttling.VERSION = plugin_throttling_dist_bundle_VERSION;
throttling.triggersNotification = triggersNotification;


;// CONCATENATED MODULE: ./build/js/shared/abort.js
// Makes any wait abortable. Used by app, exposure, tunnel and github.
/**
 * Settles as the promise does, or rejects with the signal's reason if the signal is aborted first. The work behind the
 * promise is not stopped; if it fails after that, the error is ignored.
 */
function raceSignal(promise, signal) {
    return new Promise((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
        if (signal.aborted)
            onAbort();
    });
}

;// CONCATENATED MODULE: ./build/js/shared/proxy.js
// Requests to GitHub, which go through the job's proxy if one is set. Used by github and app/wasmrun/release;
// supervisor passes the variables on. Requests to this machine never go through it: see loopback.ts.
const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
/** The variables of an environment that name a proxy. */
function selectProxyVariables(environment) {
    const names = VARIABLES.flatMap(name => [name, name.toLowerCase()]);
    return Object.fromEntries(names.flatMap(name => (environment[name] === undefined ? [] : [[name, environment[name]]])));
}
/** A proxy variable is not the address of a proxy. The message leaves out its value, which may contain a password. */
class ProxyError extends Error {
    constructor(variable) {
        super(`${variable} is not the address of a proxy (its value is not shown, it may hold a password): ` +
            'write http://host:port or http://user:password@host:port, special characters as %XX');
        this.name = 'ProxyError';
    }
}
/** The schemes of proxies that undici supports. */
const SCHEMES = new Set(['http:', 'https:', 'socks5:', 'socks:']);
/**
 * A `fetch` that honours the proxy variables; rejects with a ProxyError if one of them cannot be used. Its idle
 * connections keep no process alive, so it need not be closed.
 */
async function createFetch(environment) {
    const isProxied = ['HTTP_PROXY', 'HTTPS_PROXY'].some(name => readVariable(environment, name).value !== '');
    if (!isProxied)
        return fetch;
    const dispatcher = await createDispatcher(environment);
    const { fetch: fetchThrough } = await __nccwpck_require__.e(/* import() */ 752).then(__nccwpck_require__.t.bind(__nccwpck_require__, 6752, 19));
    return (url, options) => fetchThrough(url, { ...options, dispatcher });
}
/** Uses only the given variables; left alone, undici would read the environment. Rejects with a ProxyError. */
async function createDispatcher(environment) {
    const proxies = {
        httpProxy: readProxy(environment, 'HTTP_PROXY'),
        httpsProxy: readProxy(environment, 'HTTPS_PROXY'),
        noProxy: readVariable(environment, 'NO_PROXY').value,
    };
    // Loaded late: it takes 14 MB, and most supervisors have no proxy.
    const { EnvHttpProxyAgent } = await __nccwpck_require__.e(/* import() */ 752).then(__nccwpck_require__.t.bind(__nccwpck_require__, 6752, 19));
    return new EnvHttpProxyAgent(proxies);
}
/** The proxy's URL; '' if there is none. */
function readProxy(environment, name) {
    const { variable, value } = readVariable(environment, name);
    if (value === '')
        return '';
    // Like curl, which takes `proxy:3128` too.
    const url = URL.parse(value.includes('://') ? value : `http://${value}`);
    if (url === null || !isProxy(url))
        throw new ProxyError(variable);
    return url.href;
}
function readVariable(environment, name) {
    const lower = name.toLowerCase();
    const variable = environment[lower] === undefined ? name : lower;
    return { variable, value: environment[variable]?.trim() ?? '' };
}
/** False if there is a path: then the password contains a `/`, and the host is only a part of it. */
function isProxy({ protocol, hostname, pathname, search, hash, username, password }) {
    if (!SCHEMES.has(protocol) || hostname === '' || pathname.length > 1 || search !== '' || hash !== '')
        return false;
    try {
        // undici decodes them later, and its error would not name the variable.
        for (const part of [username, password])
            decodeURIComponent(part);
        return true;
    }
    catch {
        return false;
    }
}

;// CONCATENATED MODULE: ./build/js/shared/sanitise.js
// The one sanitiser for every text that visitors, apps and pull requests can influence. Used wherever such a text is
// printed, logged or put into a message.
/** Longest piece of untrusted text that is shown, in characters. */
const MAX_UNTRUSTED_LENGTH = 200;
// C0 and C1 controls (ANSI sequences begin with one), line and paragraph separators, bidi and zero-width controls.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
/**
 * Makes text harmless for a terminal and for the runner, which reads commands out of log lines: `::name::` at the
 * start of a line, `##[name]` anywhere in it, and a bare CR ends a line too (actions/runner, ActionCommand.cs).
 * The result is one line of at most `maxLength` characters.
 */
function sanitise_sanitise(text, maxLength = MAX_UNTRUSTED_LENGTH) {
    const clean = shorten(text, maxLength)
        .replace(UNSAFE, escapeCharacter)
        .replaceAll('##[', '#\\x23[')
        .replace(/^(\s*:):/u, '$1\\x3a');
    // Cut again: escaping makes text longer.
    return shorten(clean, maxLength);
}
/** Makes text of several lines harmless, line by line, without a limit of length. */
function sanitiseLines(text) {
    return text
        .split('\n')
        .map(line => sanitise_sanitise(line, Number.POSITIVE_INFINITY))
        .join('\n');
}
/**
 * JSON on one line, harmless for a terminal and for the runner, wherever it is printed or saved: the characters that could
 * harm are written as `\\uXXXX`, so that it says the same.
 */
function renderJson(value) {
    const json = JSON.stringify(value);
    const escaped = hasOnlyAscii(json)
        ? json
        : json.replace(UNSAFE, text => Array.from({ length: text.length }, (_, at) => escapeUnit(text, at)).join(''));
    return escaped.replaceAll('##[', '#\\u0023[');
}
/** Without DEL. JSON has no other control, and to search for each costs as much as to render it. */
function hasOnlyAscii(json) {
    return Buffer.byteLength(json) === json.length && !json.includes('\u007f');
}
function escapeUnit(text, at) {
    return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`;
}
function shorten(text, maxLength) {
    if (text.length <= maxLength)
        return text.toWellFormed();
    return `${text.slice(0, Math.max(0, maxLength - 1)).toWellFormed()}…`;
}
function escapeCharacter(character) {
    const code = character.codePointAt(0) ?? 0;
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

;// CONCATENATED MODULE: ./build/js/github/github-error.js
// What goes wrong with a request to GitHub. Thrown by api.ts and rate-limit.ts.
/** GitHub refused, could not be reached, or answered with something unexpected. */
class github_error_GitHubError extends Error {
    /** HTTP status; undefined if there was no answer. */
    status;
    /** Whether a later request may succeed. */
    retryable;
    /** How long GitHub wants no further request; undefined if it did not say. */
    retryAfterMs;
    /** True if GitHub says that the token lacks a permission. There are other reasons for 403. */
    lacksPermission;
    constructor(message, options) {
        super(message, options);
        this.name = 'GitHubError';
        this.status = options.status;
        this.retryable = options.retryable;
        this.retryAfterMs = options.retryAfterMs;
        this.lacksPermission = options.lacksPermission ?? false;
    }
}

;// CONCATENATED MODULE: ./build/js/github/refusal.js
// What GitHub says when it refuses a request, in one line. Used by api.ts and rate-limit.ts.


/** Octokit's error for an answer; without an answer there is no `response`. */
const Answered = object({
    status: number(),
    response: object({
        status: number(),
        headers: optional(record(string(), unknown())),
        data: optional(unknown()),
    }),
});
const Detail = union([
    string(),
    pipe(object({ message: string() }), transform(({ message }) => message)),
    pipe(object({ field: string(), code: string() }), transform(({ field, code }) => `${field} ${code}`)),
]);
const Refusal = object({
    message: string(),
    errors: optional(array(fallback(Detail, '')), []),
});
/** GitHub's own words, without the link to its documentation. Load balancers in front of it answer with HTML pages. */
function quoteRefusal(data) {
    const refusal = safeParse(Refusal, data);
    if (refusal.success) {
        const { message, errors } = refusal.output;
        const details = errors.filter(detail => detail !== '');
        return sanitise_sanitise(details.length === 0 ? message : `${message}: ${details.join(', ')}`);
    }
    if (typeof data !== 'string' || data.trim() === '')
        return 'an answer without words';
    const title = /<title[^>]*>([^<]*)<\/title>/i.exec(data)?.[1]?.trim();
    if (title)
        return `a page with the title "${sanitise_sanitise(title)}"`;
    return /<html|<!doctype/i.test(data) ? 'a page without a title' : sanitise_sanitise(data.trim());
}

;// CONCATENATED MODULE: ./build/js/github/rate-limit.js
// How long GitHub wants no further request, and the wait for it. Used by api.ts.




/** The longest pause that we accept; secondary rate limits ask for a minute. Requests during a longer one fail at once. */
const LONGEST_PAUSE_MS = 60_000;
/** How many more times a request is tried after it met the rate limit. */
const MAX_RATE_LIMIT_RETRIES = 2;
/** GitHub's documentation: without a time, wait for at least one minute. */
const UNTOLD_PAUSE_MS = 60_000;
/**
 * Milliseconds; undefined if the answer is not about a limit. GitHub names the time in `Retry-After` or, if the hour's
 * requests are used up, in `x-ratelimit-reset` ("Rate limits for the REST API"). Enterprise servers call a secondary
 * limit "abuse detection".
 */
function readPauseMs({ status, headers, said }, now = Date.now()) {
    if (status < 400)
        return undefined;
    const asked = readRetryAfter(headers['retry-after'], now);
    if (asked !== undefined)
        return asked;
    if (status !== 403 && status !== 429)
        return undefined;
    const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN) * 1000;
    // A second later, because the time has no fractions.
    if (headers['x-ratelimit-remaining'] === '0' && !Number.isNaN(reset))
        return Math.max(0, reset - now) + 1_000;
    return status === 429 || /rate limit|abuse detection/i.test(said) ? UNTOLD_PAUSE_MS : undefined;
}
/** Seconds, or a date (RFC 9110, 10.2.3). */
function readRetryAfter(value, now) {
    if (typeof value !== 'string')
        return undefined;
    if (/^\d{1,9}$/.test(value))
        return Number(value) * 1000;
    const date = Date.parse(value);
    return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
/** Sends nothing while GitHub wants no request, whichever request it said it to. */
class Pauses {
    #logger;
    /** Milliseconds since 1970. */
    #until = 0;
    /** What GitHub said when it asked for the pause. */
    #said = '';
    constructor(logger) {
        this.#logger = logger;
    }
    /** Tries again after pauses that are not too long. */
    async send(request, signal) {
        for (let triesLeft = MAX_RATE_LIMIT_RETRIES;; triesLeft -= 1) {
            await this.#wait(signal);
            try {
                return await request();
            }
            catch (error) {
                const pauseMs = this.#note(error);
                const isWanted = triesLeft > 0 && pauseMs !== undefined && pauseMs <= LONGEST_PAUSE_MS;
                if (pauseMs !== undefined)
                    this.#report(pauseMs, isWanted);
                if (!isWanted)
                    throw error;
            }
        }
    }
    async #wait(signal) {
        for (let waitMs = this.#until - Date.now(); waitMs > 0; waitMs = this.#until - Date.now()) {
            if (waitMs > LONGEST_PAUSE_MS)
                throw this.#refuse(waitMs);
            await (0,promises_namespaceObject.setTimeout)(waitMs, undefined, signal ? { signal } : {});
        }
    }
    /** How long GitHub wants no request; undefined if it did not say so. */
    #note(error) {
        if (!is(Answered, error))
            return undefined;
        const { headers = {} } = error.response;
        const said = quoteRefusal(error.response.data);
        const pauseMs = readPauseMs({ status: error.status, headers, said });
        if (pauseMs === undefined)
            return undefined;
        this.#until = Math.max(this.#until, Date.now() + pauseMs);
        this.#said = said;
        return pauseMs;
    }
    #report(pauseMs, isTriedAgain) {
        const next = isTriedAgain ? `trying again in ${Math.ceil(pauseMs / 1000)} s` : 'giving up';
        this.#logger.info(`GitHub's rate limit is reached; ${next}`);
    }
    #refuse(waitMs) {
        const until = `${new Date(this.#until).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
        const message = `GitHub wants no request before ${until}: ${this.#said}`;
        return new github_error_GitHubError(message, { retryable: true, retryAfterMs: waitMs });
    }
}

;// CONCATENATED MODULE: ./build/js/github/api.js
// The one connection to GitHub's REST API. A schema checks every answer, every request has a time limit, and the
// connection waits as long as a rate limit requires. Works with Enterprise servers through `apiUrl`. Used by step/ and
// supervisor/.
//
// Built on @octokit/core, not on @actions/github 9.1, which adds 1.08 MB to each of four bundles, with a method for
// every route and a second undici. @actions/github also reads the proxy from the environment when it is imported, so
// that we cannot pass one; it has no SOCKS, ignores HTTP_PROXY for https, and silently uses no proxy if the value is
// wrong.











/** For a single request, from sending it to the last byte of the answer. GitHub itself gives up after 10 s. */
const REQUEST_TIMEOUT_MS = 15_000;
/** For all pages of a list, with pauses. 3,000 comments are 30 pages, which take about half a minute. */
const LIST_TIMEOUT_MS = 180_000;
/** Nobody has 20,000 comments; a server whose pages go round in a circle must not keep us busy. */
const MAX_PAGES = 200;
/** Sends nothing yet. */
function connectGitHub(options) {
    const octokit = createOctokit(options);
    return {
        async request(schema, route, { parameters, signal }) {
            const request = octokit.request(route, { ...parameters, request: signal ? { signal } : {} });
            const response = await awaitAnswer(request, route, signal);
            return api_check(schema, response.data, route);
        },
        async poll(schema, route, { parameters, signal, etag }) {
            const headers = etag === undefined ? {} : { 'if-none-match': etag };
            const request = octokit.request(route, { ...parameters, headers, request: signal ? { signal } : {} });
            // Octokit throws an answer without a body like a refusal.
            const answer = request.catch(error => (is(NotModified, error) ? undefined : Promise.reject(error)));
            const response = await awaitAnswer(answer, route, signal);
            if (response === undefined)
                return 'unchanged';
            return { body: api_check(schema, response.data, route), etag: response.headers.etag };
        },
        async list(schema, route, { parameters, signal }) {
            const limit = AbortSignal.timeout(LIST_TIMEOUT_MS);
            const request = { signal: signal ? AbortSignal.any([signal, limit]) : limit };
            const items = [];
            let next = route;
            let given = { ...parameters, per_page: 100 };
            for (let page = 0; page < MAX_PAGES; page += 1) {
                const { data, headers } = await awaitAnswer(octokit.request(next, { ...given, request }), route, request.signal);
                items.push(...api_check(array(schema), data, route));
                const address = /<([^<>]+)>;\s*rel="next"/.exec(headers.link ?? '')?.[1];
                if (address === undefined)
                    return items;
                next = `GET ${address}`;
                given = {};
            }
            throw new github_error_GitHubError(`GitHub's list has more than ${MAX_PAGES} pages (${route})`, {
                retryable: false,
            });
        },
        async readLogin(signal) {
            const query = 'query { viewer { login } }';
            const answer = await awaitAnswer(octokit.graphql(query, { request: signal ? { signal } : {} }), 'POST /graphql', signal);
            return api_check(Viewer, answer, 'POST /graphql').viewer.login;
        },
    };
}
const Viewer = object({ viewer: object({ login: string() }) });
const ThrottledOctokit = Octokit.plugin(throttling);
function createOctokit(options) {
    const { token, apiUrl, logger, proxy = {} } = options;
    const octokit = new ThrottledOctokit({
        auth: token,
        baseUrl: apiUrl.replace(/\/+$/, ''),
        userAgent: 'expose-action',
        log: { debug: logger.debug, info: logger.debug, warn: logger.debug, error: logger.debug },
        request: { fetch: createFetchInTime(proxy) },
        // Spaces writes out: one queue for each connection, because the limits belong to the token. It does not know all
        // answers that ask for a pause, so it never tries again.
        throttle: { onRateLimit: () => false, onSecondaryRateLimit: () => false, id: crypto.randomUUID() },
    });
    const pauses = new Pauses(logger);
    octokit.hook.wrap('request', (send, request) => pauses.send(async () => send(request), request.request?.signal));
    return octokit;
}
/** The time limit starts when a request is sent, not while it waits in the queue. */
function createFetchInTime(proxy) {
    let opened;
    return async (url, options) => {
        opened ??= createFetch(proxy);
        const send = await opened;
        const limit = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
        const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
        return send(url, { ...options, signal });
    };
}
/** Resolves with the result, or rejects as `GitHub` documents. The signal also ends a pause for a rate limit. */
async function awaitAnswer(work, route, signal) {
    try {
        return await (signal ? raceSignal(work, signal) : work);
    }
    catch (error) {
        if (signal?.aborted)
            throw isTimeout(signal.reason) ? renderTimeout(route, signal.reason) : signal.reason;
        throw explainFailure(error, route);
    }
}
function renderTimeout(route, cause) {
    return new github_error_GitHubError(`GitHub did not answer in time (${route})`, { retryable: false, cause });
}
function explainFailure(error, route) {
    if (error instanceof github_error_GitHubError)
        return error;
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof ProxyError)
        return new github_error_GitHubError(cause.message, { retryable: false, cause });
    // Octokit sets status 500 if no answer came; only an error with a response has a real status.
    if (is(Answered, error))
        return explainRefusal(error, route);
    const problem = isTimeout(cause)
        ? `GitHub did not answer within ${REQUEST_TIMEOUT_MS / 1000} s (${route})`
        : `GitHub could not be reached (${route}): ${sanitise_sanitise(errors_describeError(error))}`;
    return new github_error_GitHubError(problem, { retryable: true, cause: error });
}
/** Octokit's error for an answer without a body. */
const NotModified = object({ status: literal(304) });
/** GitHub's words for a missing permission; those of locked conversations, SAML or allow lists are different. */
const NO_PERMISSION = /resource not accessible|must have .*(access|rights|permission)|insufficient .*(scope|permission)/i;
function explainRefusal({ status, response }, route) {
    const said = quoteRefusal(response.data);
    const retryAfterMs = readPauseMs({ status, headers: response.headers ?? {}, said });
    return new github_error_GitHubError(`GitHub answered ${status} to ${route}: ${said}`, {
        status,
        retryable: status >= 500 || status === 408 || retryAfterMs !== undefined,
        retryAfterMs,
        lacksPermission: status === 403 && NO_PERMISSION.test(said),
    });
}
/** An answer of another form may be cut off, or not be GitHub's: the next one may be right. */
function api_check(schema, data, route) {
    const result = safeParse(schema, data);
    if (result.success)
        return result.output;
    const problem = typeof data === 'string' ? `no JSON: ${quoteRefusal(data)}` : sanitise_sanitise(summarize(result.issues));
    throw new github_error_GitHubError(`GitHub's answer to ${route} is not as documented: ${problem}`, { retryable: true });
}

;// CONCATENATED MODULE: ./build/js/github/wording.js
// Sentences about missing permissions, and about who can open a preview. Used by step/report-target,
// report-queue.ts and pull-request-watch.ts.


const PERMISSIONS = {
    comment: { does: 'comment on the pull request', line: 'pull-requests: write' },
    deployment: { does: 'create a deployment', line: 'deployments: write' },
    'pull request lookup': { does: 'find the pull request', line: 'pull-requests: read' },
    'pull request watch': {
        does: 'see whether the pull request is closed or changed, which would end the preview',
        line: 'pull-requests: read',
    },
};
/** A warning in one line: GitHub's message and, if a permission is missing, the two lines of YAML that give it. */
function wording_describeReportFailure(feature, error) {
    const { does, line } = PERMISSIONS[feature];
    if (!(error instanceof github_error_GitHubError))
        return `could not ${does}: ${errors_describeError(error)}`;
    // Without its cause, which is not sanitised; the message says the same.
    const problem = `could not ${does}: ${error.message}`;
    const advice = `two lines to the job: "permissions:", and indented below it "${line}"`;
    if (error.lacksPermission)
        return `${problem}. The token lacks the permission: add ${advice}`;
    // To a token that may not see something, GitHub says that it does not exist.
    if (error.status === 404)
        return `${problem}. If the token lacks the permission, add ${advice}`;
    return error.status === 401 ? `${problem}. The token is wrong, or not valid any more` : problem;
}
/** What a visitor needs apart from the link; undefined if the link is enough. */
function describeEntry(access) {
    if (access === 'given key')
        return 'It asks for a key: the author of the workflow has it.';
    if (access === 'basic')
        return 'It asks for a user and a password: the author of the workflow has them.';
    return undefined;
}
/** The warning for previews that show more than the repository does; undefined if they do not. */
function describeOpenWarning(access, visibility) {
    if (visibility === 'public')
        return undefined;
    if (access === 'open')
        return 'Anyone with the address can open this preview, and port scans can find it.';
    if (access === 'link')
        return 'Anyone with the link can open this preview.';
    return undefined;
}

;// CONCATENATED MODULE: ./build/js/github/pull-request-watch.js
// Watches a pull request for what ends its preview: it is closed, it gets a newer commit, or it loses the label that
// started the preview. Asks politely: one small request at a time, which does not count against the rate limit while
// nothing has changed (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api). Used by
// supervisor/ends.ts; preview.ts plans what to watch.





/** Fast enough that nobody looks at an old preview for long. GitHub gives a repository's jobs 1,000 requests an hour. */
const POLL_MS = 30_000;
/** The longest pause after failures, unless GitHub asks for more. */
const MAX_PAUSE_MS = (/* unused pure expression or super */ null && (10 * 60_000));
/** After one failure, the next request usually succeeds. */
const FAILURES_BEFORE_WARNING = 3;
/** A label may get another name, so its number decides where it is known. */
const LabelSchema = object({ id: optional(number()), name: string() });
/** What counts as unchanged. */
const ConditionSchema = object({ headSha: string(), isOpen: dist_boolean(), hasLabel: dist_boolean() });
const WatchedPullRequestSchema = object({
    number: number(),
    /** The label whose removal ends the preview. */
    label: optional(LabelSchema),
    /** The pull request when the preview was asked for; absent: as it is at the first look. */
    before: optional(ConditionSchema),
});
const AnswerSchema = object({
    state: picklist(['open', 'closed']),
    merged: optional(dist_boolean(), false),
    head: object({ sha: string() }),
    labels: optional(array(LabelSchema), []),
});
const LabeledEvent = object({ action: literal('labeled'), label: LabelSchema });
/** What to watch, for a job that previews `pullRequest`. */
function planWatch(job, pullRequest) {
    const { number, headSha, state } = pullRequest;
    const labeled = safeParse(LabeledEvent, job.event);
    const label = labeled.success ? labeled.output.label : undefined;
    // Who runs an old run again wants its preview, whatever has happened to the pull request since then.
    if (job.runAttempt > 1)
        return { number, label };
    return { number, label, before: { headSha, isOpen: state === 'open', hasLabel: label !== undefined } };
}
/** Looks at once, and then again and again. Never throws. Returns the function that stops watching. */
function watchPullRequest(options) {
    const stopped = new AbortController();
    void new Watch(options, stopped.signal).follow();
    return () => stopped.abort();
}
class Watch {
    #options;
    #signal;
    #pollMs;
    #before;
    #etag;
    #failures = 0;
    #warned = false;
    constructor(options, signal) {
        this.#options = options;
        this.#signal = signal;
        this.#pollMs = options.pollMs ?? POLL_MS;
        this.#before = options.watched.before;
    }
    async follow() {
        while (!this.#signal.aborted) {
            const pauseMs = await this.#look().catch(error => this.#pauseAfter(error));
            if (pauseMs === 'over')
                return;
            await sleep(pauseMs, undefined, { signal: this.#signal, ref: false }).catch(() => { });
        }
    }
    async #look() {
        const { github, job, watched, logger, onEnd } = this.#options;
        const { owner, name: repo } = job.repository;
        const answer = await github.poll(AnswerSchema, 'GET /repos/{owner}/{repo}/pulls/{pull_number}', {
            parameters: { owner, repo, pull_number: watched.number },
            etag: this.#etag,
            signal: this.#signal,
        });
        this.#failures = 0;
        if (answer === 'unchanged')
            return this.#pollMs;
        this.#etag = answer.etag;
        const end = findEnd(answer.body, this.#before, watched.label);
        if (end !== undefined) {
            logger.info(`pull request #${watched.number}: ${describeChange(end, answer.body, watched.label)}`);
            onEnd(end);
            return 'over';
        }
        this.#before = describeCondition(answer.body, watched.label);
        return this.#pollMs;
    }
    #pauseAfter(error) {
        if (this.#signal.aborted)
            return 0;
        const known = error instanceof GitHubError;
        this.#failures += 1;
        const isFinal = !(known && error.retryable);
        if (isFinal || this.#failures >= FAILURES_BEFORE_WARNING)
            this.#warn(error);
        const backoffMs = Math.min(this.#pollMs * 2 ** this.#failures, MAX_PAUSE_MS);
        return Math.max(backoffMs, (known && error.retryAfterMs) || 0);
    }
    #warn(error) {
        if (this.#warned)
            return;
        this.#warned = true;
        this.#options.logger.warn(describeReportFailure('pull request watch', error));
    }
}
function findEnd(now, before, label) {
    if (before === undefined)
        return undefined;
    if (before.isOpen && now.state === 'closed')
        return now.merged ? 'pull request merged' : 'pull request closed';
    if (before.headSha !== now.head.sha)
        return 'newer commit';
    if (before.hasLabel && !hasLabel(now, label))
        return 'label removed';
    return undefined;
}
function describeCondition(now, label) {
    return { headSha: now.head.sha, isOpen: now.state === 'open', hasLabel: hasLabel(now, label) };
}
function hasLabel({ labels }, label) {
    return labels.some(({ id, name }) => label?.id === undefined || id === undefined ? name === label?.name : id === label.id);
}
function describeChange(end, { head }, label) {
    switch (end) {
        case 'pull request closed':
            return 'it was closed';
        case 'pull request merged':
            return 'it was merged';
        case 'newer commit':
            return `it has a newer commit, ${sanitise(head.sha.slice(0, 7))}`;
        case 'label removed':
            return `the label '${sanitise(label?.name ?? '')}' was removed`;
    }
}

;// CONCATENATED MODULE: ./build/js/shared/duration.js
// Durations as people write them in workflows: `90s`, `45m`, `1h30m`. Used by inputs, log lines and reports.

/**
 * 24 days: the longest duration of any input. Node's timers take 2^31 - 1 ms (24.8 days) and turn longer ones into 1
 * ms; the difference is room for what the code adds to a duration.
 */
const MAX_DURATION_MS = 24 * 24 * 3_600_000;
const UNITS_MS = { h: 3_600_000, m: 60_000, s: 1_000 };
/** Milliseconds of `1h30m`, `45m` or `90s`; `input` names the input in the InputError. */
function parseDuration(text, input) {
    const match = /^(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$/.exec(text.trim().toLowerCase());
    const [hours, minutes, seconds] = (match ?? []).slice(1).map(part => Number(part ?? 0));
    const total = (hours ?? 0) * UNITS_MS.h + (minutes ?? 0) * UNITS_MS.m + (seconds ?? 0) * UNITS_MS.s;
    if (match === null || total === 0)
        throw new errors_InputError(`\`${input}\` is '${text}', which is not a duration: write it like 90s, 45m or 1h30m`);
    if (total > MAX_DURATION_MS)
        throw new errors_InputError(`\`${input}\` is '${text}': no duration is longer than ${MAX_DURATION_MS / UNITS_MS.h}h (24 days)`);
    return total;
}
/** `1h 30m`, `45m`, `12s`: the two largest units, rounded down. */
function formatDuration(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const parts = [
        [Math.floor(seconds / 3600), 'h'],
        [Math.floor((seconds % 3600) / 60), 'm'],
        [seconds % 60, 's'],
    ];
    const first = parts.findIndex(([count]) => count > 0);
    if (first < 0)
        return '0s';
    const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
    return shown.map(([count, unit]) => `${count}${unit}`).join(' ');
}

;// CONCATENATED MODULE: external "node:child_process"
const external_node_child_process_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:child_process");
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __nccwpck_require__(6760);
;// CONCATENATED MODULE: ./build/js/shared/stop-times.js
// How long the parts of an end may take. The post step has promised to be over after 30 s (a cancelled job is killed
// some minutes later), and everything here has to fit into that. Used wherever a preview is ended.
/** At the end, visitors have this long to finish their downloads. */
const DRAIN_MS = 5_000;
/** Time for the app to stop after SIGTERM, unless `stop-timeout` says otherwise. */
const stop_times_DEFAULT_STOP_TIMEOUT_MS = 5_000;
/** The longest `stop-timeout`: `docker compose` gives its containers 10 s by default. */
const MAX_STOP_TIMEOUT_MS = 20_000;
/** SIGKILL takes effect at once, except for a process in an uninterruptible call of the kernel. */
const stop_times_KILL_MS = 1_000;
/** All of post. */
const POST_LIMIT_MS = 30_000;
/** Until an answer of the control API arrives on a busy machine. */
const ANSWER_MS = 1_000;
/** When an answer to `POST /api/stop` is overdue: visitors are drained, the app has stopped or was killed. */
function stop_times_limitStop(stopTimeoutMs) {
    return DRAIN_MS + stopTimeoutMs + stop_times_KILL_MS + ANSWER_MS;
}
/**
 * `wantedMs`, or what is left of post's time if that is less; `keptMs` is kept for what comes later. post begins with
 * its process.
 */
function limitInPost(wantedMs, keptMs) {
    return Math.max(0, Math.min(wantedMs, POST_LIMIT_MS - keptMs - performance.now()));
}

;// CONCATENATED MODULE: ./build/js/shared/processes.js
// Processes by id, safe against recycled ids, and process groups. The only reader of /proc/PID/stat, and the one place
// that ends a group. A pid alone identifies no process: it is trusted only with the start time it was recorded with.






/** The first look comes soon; each later one reads all of /proc, so they become rarer. */
const processes_POLL_MS = 20;
const MAX_POLL_MS = 200;
/** Linux only: undefined elsewhere, and for a process that has ended, a zombie included. */
function readProcessStat(pid) {
    const stat = readText(`/proc/${pid}/stat`);
    // The name may hold spaces and parentheses: fields are counted from its last ')'.
    const end = stat.lastIndexOf(')');
    const [state = 'X', parent, group, ...rest] = stat.slice(end + 2).split(' ');
    const startTime = rest[16];
    if (/^[ZX]/.test(state) || startTime === undefined)
        return undefined;
    return {
        name: stat.slice(stat.indexOf('(') + 1, end),
        parent: Number(parent),
        group: Number(group),
        startTime,
    };
}
function readText(file) {
    try {
        return (0,external_node_fs_namespaceObject.readFileSync)(file, 'latin1');
    }
    catch {
        return ''; // ended, perhaps since it was listed
    }
}
/** When the process began, in a form that is good only for comparison; undefined if there is no such process. */
function readStartTime(pid) {
    if (process.platform === 'linux')
        return readProcessStat(pid)?.startTime;
    const [command, args] = process.platform === 'win32'
        ? ['powershell.exe', ['-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.Ticks`]]
        : ['ps', ['-o', 'lstart=', '-p', String(pid)]];
    try {
        const text = (0,external_node_child_process_namespaceObject.execFileSync)(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
        return text.trim() || undefined;
    }
    catch {
        return undefined;
    }
}
function recordProcess(pid, role) {
    return { pid, startTime: readStartTime(pid) ?? 'unknown', role };
}
/** Whether the recorded process still runs; false if its number now belongs to another one. */
function processes_isAlive(record) {
    return readStartTime(record.pid) === record.startTime;
}
/** Resolves with true when the process of the record has ended, and with false if it still runs after `timeoutMs`. */
function processes_waitForEnd(record, timeoutMs) {
    return waitUntilGone(() => processes_isAlive(record), timeoutMs);
}
/**
 * Ends the process and its group: SIGTERM, then SIGKILL after `graceMs`. A group whose leader is gone is ended too:
 * its number cannot be given to another process while the group has members. Resolves when nothing is left or KILL_MS
 * after SIGKILL, with whether that was needed.
 */
async function processes_endProcess(record, graceMs) {
    const steps = [
        ['SIGTERM', graceMs],
        ['SIGKILL', KILL_MS],
    ];
    let killed = false;
    for (const [signal, waitMs] of steps) {
        if (!processes_isPresent(record))
            break;
        killed = signal === 'SIGKILL';
        signalGroup(record.pid, signal);
        // The process may be a member of another group.
        signalProcess(record.pid, signal);
        await waitUntilGone(() => processes_isPresent(record), waitMs);
    }
    return { killed };
}
/** Whether the process of the record, or a member of its group, still runs. */
function processes_isPresent(record) {
    const startTime = readStartTime(record.pid);
    if (startTime !== undefined)
        return startTime === record.startTime;
    return process.platform === 'linux' && hasMembers(record.pid);
}
/**
 * The group that a child of this process leads; on Windows, which has no groups, the child alone. Once the group was
 * found empty, its number is not used any more: another process may have it by then.
 */
class ProcessGroup {
    #leader;
    #isGone = false;
    constructor(leader) {
        this.#leader = leader;
    }
    /** False if only zombies are left: in a container without an init, no process reaps them. */
    isRunning() {
        return this.#signal(0) && (process.platform !== 'linux' || hasMembers(this.#leader));
    }
    /**
     * SIGTERM, and SIGKILL for what is left after `graceMs`; with 0, SIGKILL at once. Resolves when nothing is left, with
     * the members that had `graceMs` and did not use it.
     */
    async end(graceMs) {
        let killed = [];
        if (graceMs > 0) {
            this.#signal('SIGTERM');
            if (await waitUntilGone(() => this.isRunning(), graceMs))
                return [];
            killed = listMembers(this.#leader);
        }
        this.#signal('SIGKILL');
        await waitUntilGone(() => this.isRunning(), stop_times_KILL_MS);
        return killed;
    }
    #signal(signal) {
        this.#isGone ||= !signalGroup(this.#leader, signal);
        return !this.#isGone;
    }
}
/** False if there is no such group. */
function signalGroup(leader, signal) {
    return signalProcess(process.platform === 'win32' ? leader : -leader, signal);
}
/** False if there is no such process; a negative number is a group. */
function signalProcess(pid, signal) {
    try {
        process.kill(pid, signal);
        return true;
    }
    catch (error) {
        return !errors_hasCode(error, 'ESRCH');
    }
}
/** False if the time limit is reached first. */
async function waitUntilGone(isRunning, limitMs) {
    const end = performance.now() + limitMs;
    for (let pauseMs = processes_POLL_MS; isRunning(); pauseMs = Math.min(pauseMs * 1.2, MAX_POLL_MS)) {
        const leftMs = end - performance.now();
        if (leftMs <= 0)
            return false;
        await (0,promises_namespaceObject.setTimeout)(Math.min(pauseMs, leftMs));
    }
    return true;
}
/** Linux: whether a process group has members that run. */
function hasMembers(group) {
    return listProcesses().some(pid => readProcessStat(pid)?.group === group);
}
function listMembers(group) {
    if (process.platform !== 'linux')
        return [{ pid: group, name: undefined }];
    return listProcesses().flatMap(pid => {
        const stat = readProcessStat(pid);
        if (stat?.group !== group)
            return [];
        // Node.js names its main thread `MainThread`; the command line has the program as people call it.
        const [command = ''] = readText(`/proc/${pid}/cmdline`).split('\0');
        return { pid, name: (0,external_node_path_.basename)(command) || stat.name };
    });
}
/** Linux: the ids of all processes. */
function listProcesses() {
    return (0,external_node_fs_namespaceObject.readdirSync)('/proc')
        .filter(name => /^\d+$/.test(name))
        .map(Number);
}
/**
 * The nearest ancestor of this process with that name. The parent itself would be the wrong one: under a shell or in a
 * container it may end long before the job. Linux only; elsewhere undefined.
 */
function findAncestor(name) {
    for (let pid = process.ppid; pid > 1;) {
        const stat = readProcessStat(pid);
        if (stat?.name === name)
            return { pid, startTime: stat.startTime, role: name };
        pid = stat?.parent ?? 0;
    }
    return undefined;
}

;// CONCATENATED MODULE: ./build/js/shared/public-url.js
// How the public address is written: the templates of `public-url`, IPv6 brackets, and the command to paste for TCP.
// Used wherever an address is parsed, printed or dialled.
/** The bore server's own address, without a proxy in front. */
const PLAIN_PUBLIC_URLS = { http: 'http://{host}:{port}', tcp: 'tcp://{host}:{port}' };
/** The bore server's own address if TLS ends on the runner. */
const TLS_PUBLIC_URL = 'https://{host}:{port}';
/** Whether this is the bore server's own address, without a proxy in front; `endsTls`: TLS ends on the runner. */
function isPlainPublicUrl(template, endsTls) {
    return endsTls ? template === TLS_PUBLIC_URL : Object.values(PLAIN_PUBLIC_URLS).includes(template);
}
/** Fills `{host}` and `{port}`; an IPv6 address gets its brackets (RFC 3986, 3.2.2). */
function renderPublicUrl(template, host, port) {
    return template.replaceAll('{host}', addBrackets(host)).replaceAll('{port}', String(port));
}
/** An IPv6 address as it stands in a URL (RFC 3986, 3.2.2); names and IPv4 addresses as they are. */
function addBrackets(host) {
    return host.includes(':') ? `[${host}]` : host;
}
/** The `hostname` of a URL as sockets and certificates want it: an IPv6 address without its brackets. */
function stripBrackets(hostname) {
    return hostname.replace(/^\[|\]$/g, '');
}
/**
 * The link to an inspector: its key is in the fragment, which browsers send to nobody. `url` is without a trailing
 * slash.
 */
function renderKeyFragment(url, key) {
    return `${url}/#key=${key}`;
}
/** The command to paste for `tcp://host:port`; undefined for an http(s) URL. */
function renderClientLine(url) {
    const parsed = URL.parse(url);
    if (parsed?.protocol !== 'tcp:')
        return undefined;
    return `nc ${stripBrackets(parsed.hostname)} ${parsed.port}`;
}
/** Whether the `hostname` of a URL is a name of the machine itself: secure contexts in browsers, even over http. */
function isLoopbackName(hostname) {
    return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}
/** The client line, indented by two and with a newline; '' for http(s). */
function renderClientRow(url) {
    const line = renderClientLine(url);
    return line === undefined ? '' : `  ${line}\n`;
}

;// CONCATENATED MODULE: ./build/js/supervisor/process-journal.js
// The journal of an exposure's processes: post and the foreground read it to end what a killed supervisor left behind.
// Used by background, supervision, step and commands.



const ProcessRecordSchema = object({
    pid: pipe(number(), integer(), minValue(2)),
    startTime: string(),
    role: string(),
});
/** Appends to the journal (0600). Called in the same tick as the spawn, so that every child is on record if we die. */
function writeJournal(file, record) {
    (0,external_node_fs_namespaceObject.appendFileSync)(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}
/** The journal's records, newest first; skips a last line that was cut off. */
function readJournal(file) {
    let text;
    try {
        text = readFileSync(file, 'utf8');
    }
    catch {
        return [];
    }
    return text
        .split('\n')
        .flatMap(line => {
        try {
            return [v.parse(ProcessRecordSchema, JSON.parse(line))];
        }
        catch {
            return [];
        }
    })
        .reverse();
}
/** Ends every recorded process that still runs, with SIGKILL after `graceMs`, and returns those. */
async function process_journal_reapJournal(file, graceMs) {
    const left = readJournal(file).filter(isPresent);
    return await Promise.all(left.map(async (record) => ({ ...record, ...(await endProcess(record, graceMs)) })));
}

;// CONCATENATED MODULE: ./build/js/supervisor/session-folder.js
// The folder of one exposure on this machine. Main, post, stop and the `expose` command find the exposure through it.
//
//   expose-XXXXXX/   0700, in RUNNER_TEMP or the system's temp folder
//     session.json   how to reach it (0600: it holds the control token)
//     journal        every process it started
//     expose.log     its log
//     outcome.json   its last state, written when it ends; until then blanks, which reserve the space on the disk
//     requests.ndjson  the captured requests (0600)
//     bin/           the `expose` command for later steps
//     app/           whatever the app needs: staged copy, profile of the browser
//     wasmrun/       a wasmrun from the runner's cache service






const PREFIX = 'expose-';
/** How many previews a message names. */
const MAX_NAMED = 10;
/** Enough for any last state: it has up to twenty lines of the app, of 1,000 characters of up to six bytes each. */
const OUTCOME_BYTES = 160 * 1024;
const SessionSchema = object({
    /** What people see; not unique. */
    name: string(),
    pid: number(),
    startTime: string(),
    controlUrl: pipe(string(), regex(/^http:\/\/127\.0\.0\.1:\d{1,5}$/)),
    controlToken: string(),
});
/** The files of a session folder. */
function session_folder_sessionFiles(folder) {
    return {
        session: (0,external_node_path_.join)(folder, 'session.json'),
        journal: (0,external_node_path_.join)(folder, 'journal'),
        log: (0,external_node_path_.join)(folder, 'expose.log'),
        outcome: (0,external_node_path_.join)(folder, 'outcome.json'),
        requests: (0,external_node_path_.join)(folder, 'requests.ndjson'),
        bin: (0,external_node_path_.join)(folder, 'bin'),
        app: (0,external_node_path_.join)(folder, 'app'),
        wasmrun: (0,external_node_path_.join)(folder, 'wasmrun'),
    };
}
/** Makes a folder only this user can enter. */
function createSessionFolder(parent) {
    (0,external_node_fs_namespaceObject.mkdirSync)(parent, { recursive: true });
    const folder = (0,external_node_fs_namespaceObject.mkdtempSync)((0,external_node_path_.join)(parent, PREFIX));
    (0,external_node_fs_namespaceObject.mkdirSync)(session_folder_sessionFiles(folder).app, { mode: 0o700 });
    (0,external_node_fs_namespaceObject.writeFileSync)(session_folder_sessionFiles(folder).outcome, ' '.repeat(OUTCOME_BYTES), { mode: 0o600 });
    return folder;
}
/** Writes and returns the session of a preview whose API listens. Throws if its folder has one already. */
function writeSession({ folder, name, controlToken }, { pid, startTime }, controlUrl) {
    const session = { name, pid, startTime, controlUrl, controlToken };
    (0,external_node_fs_namespaceObject.writeFileSync)(session_folder_sessionFiles(folder).session, JSON.stringify(session), { mode: 0o600, flag: 'wx' });
    return session;
}
/** The session of a folder, or undefined if its supervisor never got ready. */
function session_folder_readSession(folder) {
    return readDocument(session_folder_sessionFiles(folder).session, SessionSchema);
}
/**
 * Saves the last state, for post, and for `expose status` after the end. It replaces the blanks that were written at
 * the start: a full disk has no room for a new file, and without one post would report a killed supervisor.
 */
function writeOutcome(folder, state) {
    const text = Buffer.from(JSON.stringify(describeState(state)).padEnd(OUTCOME_BYTES));
    const file = openSync(session_folder_sessionFiles(folder).outcome, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
        if (writeSync(file, text, 0, text.length, 0) < text.length)
            throw new Error('no space is left');
    }
    finally {
        closeSync(file);
    }
}
function session_folder_readOutcome(folder) {
    return readDocument(session_folder_sessionFiles(folder).outcome, state_json_StateMessageSchema);
}
function readDocument(file, schema) {
    if (!(0,external_node_fs_namespaceObject.existsSync)(file))
        return undefined;
    try {
        return parse(schema, JSON.parse((0,external_node_fs_namespaceObject.readFileSync)(file, 'utf8')));
    }
    catch {
        return undefined; // a document cut off in mid-write is as good as none
    }
}
/**
 * The session a command is meant for: the only one with the wanted name, or the only one at all. Ended ones count only
 * if none runs. Throws an InputError if there is none, and one that lists them if there are several.
 */
function chooseSession(parent, wanted) {
    const all = listSessions(parent);
    const meant = wanted ? all.filter(one => isCalled(one, wanted)) : all;
    const running = meant.filter(isRunning);
    if (wanted && meant.length === 0)
        throw new InputError(`no exposure is called '${wanted}' here; there ${describeList(all.filter(isRunning))}`);
    const candidates = running.length > 0 ? running : meant;
    const [only] = candidates;
    if (only === undefined)
        throw new InputError(`nothing is exposed here (looked for ${join(parent, `${PREFIX}*`)}): start it first`);
    if (candidates.length > 1)
        throw new InputError(`several exposures are here; choose one with \`session\`: there ${describeList(candidates)}`);
    return only;
}
/** False from the end on, even while its process still writes the last comment. */
function isRunning({ folder, session }) {
    return isAlive(session) && session_folder_readOutcome(folder) === undefined;
}
/** Whether `wanted` is its `session` output, the folder's path or name, or the name people see, which is not unique. */
function isCalled({ folder, session }, wanted) {
    return [session_folder_sessionFiles(folder).session, folder, basename(folder), session.name].includes(wanted);
}
/** The sessions whose control API was started, running or ended; a skipped preview leaves none. */
function listSessions(parent) {
    if (!existsSync(parent))
        return [];
    return readdirSync(parent)
        .filter(entry => entry.startsWith(PREFIX) && isPrivate(join(parent, entry)))
        .flatMap(entry => {
        const folder = join(parent, entry);
        const session = session_folder_readSession(folder);
        return session ? [{ folder, session }] : [];
    });
}
/** Whether only this user can have written there: anybody can make a folder of that name in a shared temp folder. */
function isPrivate(folder) {
    if (process.getuid === undefined)
        return true; // Windows: its temp folder is the user's own
    const found = lstatSync(folder, { throwIfNoEntry: false });
    return found?.isDirectory() === true && found.uid === process.getuid() && (found.mode & 0o077) === 0;
}
/** The first ones: killed processes leave their folders, and nobody reads hundreds of names. */
function describeList(all) {
    if (all.length === 0)
        return 'are none that run';
    const names = all.slice(0, MAX_NAMED).map(one => `${basename(one.folder)} (${one.session.name})`);
    const left = all.length - names.length;
    return `are ${names.join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
}
/** Writes the `expose` command for later steps: it runs this bundle with this Node. Returns the folder for PATH. */
function writeCommand(folder, cliScript) {
    const { bin } = session_folder_sessionFiles(folder);
    (0,external_node_fs_namespaceObject.mkdirSync)(bin, { recursive: true, mode: 0o700 });
    const quoted = [process.execPath, cliScript].map(path => `'${path.replaceAll("'", `'\\''`)}'`).join(' ');
    (0,external_node_fs_namespaceObject.writeFileSync)((0,external_node_path_.join)(bin, 'expose'), `#!/bin/sh\nexec ${quoted} "$@"\n`);
    (0,external_node_fs_namespaceObject.chmodSync)((0,external_node_path_.join)(bin, 'expose'), 0o755);
    (0,external_node_fs_namespaceObject.writeFileSync)((0,external_node_path_.join)(bin, 'expose.cmd'), `@"${process.execPath}" "${cliScript}" %*\r\n`);
    return bin;
}

;// CONCATENATED MODULE: ./build/js/supervisor/background.js
// Starts and ends the supervisor, a separate process that outlives the step. Used by main and post.









/** Until it is ready, the supervisor only loads its bundle and opens a loopback port. */
const READY_TIMEOUT_MS = 20_000;
/** After its answer the supervisor only waits for the last comment, which was begun with the end, within 8 s. */
const FINISH_TIMEOUT_MS = 9_000;
const SIGNAL_GRACE_MS = 3_000;
const StoppedSchema = object({ state: state_json_StateMessageSchema });
const ReadySchema = object({ controlUrl: string() });
/**
 * Spawns the supervisor, writes its configuration to its stdin, and resolves when its API listens. `onSpawn` is called
 * in the same tick as the spawn. Rejects if the supervisor exits first; its last output is in the log file.
 */
async function startBackground(options) {
    const { script, config, environment, onSpawn, readyTimeoutMs = READY_TIMEOUT_MS } = options;
    const files = session_folder_sessionFiles(config.folder);
    const log = (0,external_node_fs_namespaceObject.openSync)(files.log, 'a', 0o600);
    const child = (0,external_node_child_process_namespaceObject.spawn)(process.execPath, [script], {
        cwd: config.folder,
        detached: true,
        env: { ...environment },
        stdio: ['pipe', log, log, 'ipc'],
        windowsHide: true,
    });
    (0,external_node_fs_namespaceObject.closeSync)(log);
    const ready = awaitReady(child, readyTimeoutMs).finally(() => {
        // In any case this process must not wait for the supervisor, which may live on until post ends it.
        if (child.connected)
            child.disconnect();
        child.unref();
    });
    if (child.pid === undefined)
        return ready.then(() => Promise.reject(new Error('the supervisor has no pid')));
    child.stdin?.on('error', () => { }); // the exit event reports an early death
    const record = recordProcess(child.pid, 'supervisor');
    try {
        writeJournal(files.journal, record);
        onSpawn(record);
    }
    catch (error) {
        // Post could not find a supervisor without a record, and would not end it.
        child.kill('SIGKILL');
        await ready.catch(() => { });
        throw error;
    }
    child.stdin?.end(JSON.stringify(config));
    const { controlUrl } = await ready;
    return writeSession(config, record, controlUrl);
}
function awaitReady(child, timeoutMs) {
    return new Promise((resolve, reject) => {
        const finish = (report) => {
            clearTimeout(timer);
            child.removeAllListeners();
            child.on('error', () => { });
            report();
        };
        const timer = setTimeout(() => finish(() => reject(new Error(`the supervisor was not ready within ${timeoutMs / 1000} s`))), timeoutMs);
        child.once('error', cause => finish(() => reject(new Error('the supervisor could not be started', { cause }))));
        child.once('exit', (code, signal) => finish(() => reject(new Error(`the supervisor ended before it was ready (${signal ?? `exit code ${code}`})`))));
        child.once('message', message => {
            const parsed = safeParse(ReadySchema, message);
            finish(() => parsed.success
                ? resolve(parsed.output)
                : reject(new Error('the supervisor sent an unexpected message')));
        });
    });
}
/** Ends an exposure and everything it left: through its API, then with signals, then from its journal. */
async function stopBackground(folder, supervisor, { stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS, limit = wantedMs => wantedMs } = {}) {
    const session = readSession(folder);
    let answer;
    if (supervisor && session && isAlive(supervisor)) {
        answer = await callControl(session, 'POST /api/stop?reason=job+ended', limitStop(stopTimeoutMs)).catch(() => undefined);
        if (answer !== undefined)
            await waitForEnd(supervisor, limit(FINISH_TIMEOUT_MS));
    }
    if (supervisor)
        await endProcess(supervisor, limit(SIGNAL_GRACE_MS));
    const reaped = await reapJournal(sessionFiles(folder).journal, limit(stopTimeoutMs));
    const stopped = v.safeParse(StoppedSchema, answer);
    // The file is newer, if it could be written.
    const outcome = readOutcome(folder) ?? (stopped.success ? stopped.output.state : undefined);
    return { reaped, outcome };
}

;// CONCATENATED MODULE: external "node:os"
const external_node_os_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:os");
// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __nccwpck_require__(1455);
// EXTERNAL MODULE: external "node:events"
var external_node_events_ = __nccwpck_require__(8474);
;// CONCATENATED MODULE: ./build/js/shared/lines.js
// Splits text into lines: text that arrives in pieces, for the consoles of programs (app) and the log file (step), and
// lists that people have written (inputs and control).
/** A program that never ends its line must not fill our memory; longer lines are passed on in pieces. */
const MAX_LINE_LENGTH = 16_384;
/** How many lines an error carries: more would not be read. */
const LAST_LINES = 20;
/** Cuts text at line ends, LF or CRLF. */
class LineBuffer {
    #rest = '';
    /** The unfinished last line. */
    get rest() {
        return this.#rest;
    }
    /** Returns the lines that end in `text`, without their line ends, and the pieces of a line that is too long. */
    add(text) {
        const parts = (this.#rest + text).split('\n');
        let rest = parts.pop() ?? '';
        const lines = parts.map(line => (line.endsWith('\r') ? line.slice(0, -1) : line));
        for (; rest.length > MAX_LINE_LENGTH; rest = rest.slice(MAX_LINE_LENGTH))
            lines.push(rest.slice(0, MAX_LINE_LENGTH));
        this.#rest = rest;
        return lines;
    }
    /** Returns the unfinished last line, if there is one; later text begins a new line. */
    end() {
        const rest = this.#rest;
        this.#rest = '';
        return rest === '' ? [] : [rest];
    }
}
/** The last lines of a console, oldest first. */
class LastLines {
    #limit;
    #lines = [];
    constructor(limit = LAST_LINES) {
        this.#limit = limit;
    }
    add(line) {
        this.#lines.push(line);
        if (this.#lines.length > this.#limit)
            this.#lines.shift();
    }
    /** All that are kept, or only the last `count` of them. */
    list(count = this.#limit) {
        return this.#lines.slice(-count);
    }
}
/** The items of a list that a person has written: one per line, or with commas between them. */
function splitItems(text) {
    return text
        .split(/[\n,]/)
        .map(item => item.trim())
        .filter(item => item !== '');
}

;// CONCATENATED MODULE: external "node:string_decoder"
const external_node_string_decoder_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:string_decoder");
;// CONCATENATED MODULE: ./build/js/app/process/lines.js
// A program's console as lines, read no faster than they can be handled. Used by child.ts.


/**
 * How many lines are read from one stream: a burst, then so many per second. A program that prints without pause is
 * slowed down by its pipe, as on a slow terminal; sanitising every line of `yes` would keep visitors waiting instead.
 */
const BURST_LINES = 20_000;
const LINES_PER_SECOND = 5_000;
/** A longer line counts as several. */
const LINE_BYTES = 512;
/** Passes on every line of a stream without its line end (LF or CRLF), and after `end()` the unfinished last one. */
class LineSplitter {
    #stream;
    #decoder = new external_node_string_decoder_namespaceObject.StringDecoder('utf8');
    #onLine;
    #buffer = new LineBuffer();
    #budget = BURST_LINES;
    /** When `#budget` was computed, by performance.now(). */
    #budgetAt = performance.now();
    #pause;
    #isHurried = false;
    constructor(stream, onLine) {
        this.#stream = stream;
        this.#onLine = onLine;
        stream.on('data', (chunk) => {
            const lines = this.#buffer.add(this.#decoder.write(chunk));
            for (const line of lines)
                onLine(line);
            this.#spend(Math.max(lines.length, chunk.length / LINE_BYTES));
        });
        // The pipe may break when the process ends, which is reported elsewhere.
        stream.on('error', () => undefined);
    }
    /** The program has ended: from now on, what it left in the pipe is read without delay. */
    hurry() {
        this.#isHurried = true;
        clearTimeout(this.#pause);
        this.#stream.resume();
    }
    /** The program's output is over: passes on the unfinished line. Bytes that still arrive begin a new line. */
    end() {
        this.hurry();
        for (const line of this.#buffer.add(this.#decoder.end()))
            this.#onLine(line);
        for (const line of this.#buffer.end())
            this.#onLine(line);
        // Later output comes from a process that outlives the program, and may be as noisy.
        this.#isHurried = false;
    }
    #spend(lines) {
        const now = performance.now();
        const earned = ((now - this.#budgetAt) / 1000) * LINES_PER_SECOND;
        this.#budget = Math.min(BURST_LINES, this.#budget + earned) - lines;
        this.#budgetAt = now;
        if (this.#budget >= 0 || this.#isHurried)
            return;
        this.#stream.pause();
        this.#pause = setTimeout(() => this.#stream.resume(), (-this.#budget / LINES_PER_SECOND) * 1000);
    }
}

;// CONCATENATED MODULE: ./build/js/app/process/child.js
// Runs a program in a process group of its own, reads its output line by line, and ends it with all its children. Used
// by every mode that runs a program, and by the installation of wasmrun.










/** How long to wait for the last lines after the program's end: a grandchild may keep the pipes open. */
const child_DRAIN_MS = 50;
/** taskkill ends a program at once, or not at all. */
const TASKKILL_MS = 1_000;
/** Starts a program; resolves when it was spawned. Rejects with an AppError that says what is missing. */
async function startChild(options) {
    const child = (0,external_node_child_process_namespaceObject.spawn)(options.command, options.args, {
        cwd: options.cwd,
        env: { ...options.environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: process.platform !== 'win32',
        windowsHide: true,
    });
    const { pid } = child;
    if (pid === undefined) {
        const [cause] = await (0,external_node_events_.once)(child, 'error');
        throw describeSpawnFailure(options, cause);
    }
    options.onChild({ pid, role: options.role });
    // Also emitted if a signal cannot be delivered. The program's end is reported by `ended`.
    child.on('error', () => undefined);
    return watchChild(child, pid, options);
}
function watchChild(child, pid, { onLine, onKill, stopTimeoutMs = stop_times_DEFAULT_STOP_TIMEOUT_MS }) {
    const lines = new LastLines();
    const keepLine = (line) => {
        lines.add(line);
        onLine(line);
    };
    const splitters = [child.stdout, child.stderr].map(stream => new LineSplitter(stream, keepLine));
    child.once('exit', () => {
        for (const splitter of splitters)
            splitter.hurry();
    });
    const group = new ProcessGroup(pid);
    // If the group is empty now, another process may get its number: the group must notice that at once.
    child.once('exit', () => group.isRunning());
    const end = async (graceMs) => {
        if (process.platform === 'win32')
            return await stopTree(child, pid);
        const killed = await group.end(graceMs);
        if (killed.length > 0)
            onKill?.(killed);
    };
    const ended = child_waitForEnd(child).then(end => {
        for (const splitter of splitters)
            splitter.end();
        return end;
    });
    let stopping;
    return {
        pid,
        ended,
        lastLines: () => lines.list(),
        stop: (graceMs = stopTimeoutMs) => {
            stopping ??= end(graceMs);
            return stopping;
        },
    };
}
/** The program's end, at most DRAIN_MS late. */
async function child_waitForEnd(child) {
    return await new Promise(resolve => {
        child.once('exit', (code, signal) => {
            const timer = setTimeout(() => resolve({ code, signal }), child_DRAIN_MS);
            child.once('close', () => {
                clearTimeout(timer);
                resolve({ code, signal });
            });
        });
    });
}
/** Windows has no process groups and no SIGTERM: `taskkill /T` ends the program with what it started. */
async function stopTree(child, pid) {
    if (child.exitCode !== null || child.signalCode !== null)
        return;
    const exited = (0,external_node_events_.once)(child, 'exit');
    const killer = (0,external_node_child_process_namespaceObject.spawn)('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
    killer.on('error', () => child.kill());
    await Promise.race([exited, (0,promises_namespaceObject.setTimeout)(TASKKILL_MS, undefined, { ref: false })]);
}
const REMEDIES = {
    bash: 'install bash: apt-get install bash, apk add bash, or Git for Windows',
    wasmrun: 'set wasmrun-version, so that it is installed, or install it in an earlier step',
    cargo: 'install Rust (https://rustup.rs)',
    ar: 'install binutils',
};
function describeSpawnFailure(options, cause) {
    const command = sanitise_sanitise(options.command);
    if (!(0,external_node_fs_namespaceObject.existsSync)(options.cwd))
        return new errors_AppError(`${options.role} cannot start: its folder ${sanitise_sanitise(options.cwd)} does not exist; check \`path\``, { cause, restartable: false });
    const remedy = REMEDIES[options.command] ?? 'install it, or put its folder on PATH';
    const message = errors_hasCode(cause, 'ENOENT')
        ? `${options.role} cannot start: the program ${command} was not found; ${remedy}`
        : errors_hasCode(cause, 'EACCES')
            ? `${options.role} cannot start: ${command} may not be executed; make it executable (chmod +x)`
            : `${options.role} cannot start: ${command} could not be run`;
    return new errors_AppError(message, { cause, restartable: false });
}
/** How a program ended, in words: `with exit code 1`, `by signal SIGKILL`. */
function describeEnd(end) {
    return end.signal === null ? `with exit code ${end.code ?? 'unknown'}` : `by signal ${end.signal}`;
}

;// CONCATENATED MODULE: ./build/js/app/process/command.js
// Runs a program to its end, for its output or its effect. Used by the installation of wasmrun.




/**
 * No grace: an aborted command has nothing to finish, and is killed in the same tick. A second Ctrl-C ends this process
 * at once, and would leave behind a command that still had time to end.
 */
const ABORT_GRACE_MS = 0;
/** Resolves with the last 20 lines it printed; rejects with an AppError that quotes the last one, or when aborted. */
async function runCommand(options) {
    const { signal } = options;
    signal.throwIfAborted();
    const role = (0,external_node_path_.basename)(options.command);
    const child = await startChild({
        ...options,
        role,
        onLine: options.onLine ?? (() => undefined),
        onChild: options.onChild ?? (() => undefined),
    });
    const stop = () => void child.stop(ABORT_GRACE_MS);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted)
        stop();
    const end = await child.ended;
    signal.removeEventListener('abort', stop);
    await child.stop();
    signal.throwIfAborted();
    const lastLines = child.lastLines();
    if (end.code === 0)
        return lastLines;
    const last = sanitise_sanitise(lastLines.findLast(line => line.trim() !== '') ?? 'it printed nothing');
    throw new errors_AppError(`${role} ended ${describeEnd(end)} (${last})`, { lastLines });
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/kept.js
// What is kept of an installation of wasmrun between jobs, and what is checked when it comes back. Used by install.ts,
// and by step/installation-cache.ts, which gives it to the runner's cache service and gets it back from there.
//
//   installation.json   the version, and how long the installation took
//   bin/wasmrun         the program
//   runtimes/           what wasmrun downloads on first use, flat: NAME.json and NAME.wasm







const NewInstallationSchema = object({
    version: string(),
    /** Absolute path of the program. */
    program: string(),
    /** Of the program, right after its installation: code that ran later in the job may have changed the file. */
    digest: string(),
    /** Whether it was downloaded or compiled, and the milliseconds that took. */
    way: picklist(['download', 'build']),
    tookMs: number(),
});
const RecordSchema = object({
    version: string(),
    way: picklist(['download', 'build']),
    tookMs: pipe(number(), minValue(0), maxValue(24 * 3_600_000)),
});
const PROGRAM = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
/** The names that wasmrun gives its runtimes and their descriptions. */
const RUNTIME_FILE = /^[A-Za-z0-9][\w.-]*\.(?:json|wasm)$/;
/** The names of the entry for a version: what makes a program unusable on another machine is part of them. */
function kept_nameEntries(version) {
    const program = `expose-wasmrun-${version}-${describeSystem()}-program`.toLowerCase();
    // A service that finds no entry of a name takes one that begins with it: so this name begins with the other one.
    return { program, withRuntimes: `${program}-runtimes` };
}
/**
 * `linux-x64-glibc2.39`, `darwin-arm64-24`, `win32-x64`. A program built on one system runs on the same one, and mostly
 * not on one with an older C library.
 */
function describeSystem() {
    const { platform, arch } = process;
    if (platform === 'linux')
        return `linux-${arch}-${readLibc()}`;
    return platform === 'darwin' ? `darwin-${arch}-${(0,external_node_os_namespaceObject.release)().split('.')[0]}` : `${platform}-${arch}`;
}
function readLibc() {
    const { header } = parse(ReportSchema, process.report.getReport());
    return header.glibcVersionRuntime === undefined ? 'musl' : `glibc${header.glibcVersionRuntime}`;
}
const ReportSchema = object({ header: object({ glibcVersionRuntime: optional(string()) }) });
/** Hex SHA-256 of a file. */
async function digestFile(file) {
    return (0,external_node_crypto_.createHash)('sha256')
        .update(await (0,promises_.readFile)(file))
        .digest('hex');
}
/**
 * Fills the folder with the installation and the given runtimes. Throws an AppError if the program is no longer the one
 * that was installed.
 */
async function kept_packInstallation(folder, { version, program, digest, way, tookMs }, runtimes) {
    const places = describeFolder(folder);
    for (const place of [places.bin, places.runtimes])
        await mkdir(place, { recursive: true });
    await copyFile(program, places.program);
    if ((await digestFile(places.program)) !== digest)
        throw new AppError(`${program} was changed after its installation`);
    const record = { version, way, tookMs };
    await writeFile(places.record, JSON.stringify(record));
    await copyRuntimes(runtimes, places.runtimes);
}
/**
 * The program of a kept installation, and how it was made. Throws an AppError if the folder does not hold what
 * `packInstallation` writes: then something else wrote the entry. Whether the program runs is for the caller to see.
 */
async function openKept(folder, version) {
    const places = describeFolder(folder);
    const record = readRecord(places.record);
    if (record.version !== version)
        throw new errors_AppError(`it is wasmrun ${record.version}`);
    if (!isPlainFolder(places.bin) || !isPlainFile(places.program))
        throw new errors_AppError('it holds no program');
    await (0,promises_.chmod)(places.program, 0o755);
    return { program: places.program, record, runtimes: kept_listRuntimes(places.runtimes) };
}
function describeFolder(folder) {
    const bin = (0,external_node_path_.join)(folder, 'bin');
    return {
        bin,
        program: (0,external_node_path_.join)(bin, PROGRAM),
        record: (0,external_node_path_.join)(folder, 'installation.json'),
        runtimes: (0,external_node_path_.join)(folder, 'runtimes'),
    };
}
function readRecord(file) {
    if (!isPlainFile(file))
        throw new errors_AppError('it is not described');
    try {
        return parse(RecordSchema, JSON.parse((0,external_node_fs_namespaceObject.readFileSync)(file, 'utf8')));
    }
    catch (cause) {
        throw new errors_AppError('its description cannot be read', { cause });
    }
}
/** The runtimes in a folder of wasmrun's; none if there is no folder. */
function kept_listRuntimes(folder) {
    if (!isPlainFolder(folder))
        return [];
    return (0,external_node_fs_namespaceObject.readdirSync)(folder)
        .filter(name => RUNTIME_FILE.test(name))
        .map(name => (0,external_node_path_.join)(folder, name))
        .filter(isPlainFile);
}
/** Adds runtimes to a folder of wasmrun's, and leaves those that are there as they are. */
async function copyRuntimes(files, folder) {
    await (0,promises_.mkdir)(folder, { recursive: true });
    // A description last: wasmrun may start at any time, and looks for it first.
    for (const file of [...files].sort((one, other) => (0,external_node_path_.extname)(other).localeCompare((0,external_node_path_.extname)(one))))
        await (0,promises_.copyFile)(file, (0,external_node_path_.join)(folder, (0,external_node_path_.basename)(file)), external_node_fs_namespaceObject.constants.COPYFILE_EXCL).catch((error) => {
            if (!errors_hasCode(error, 'EEXIST'))
                throw error;
        });
}
// A link could lead anywhere.
function isPlainFile(path) {
    return (0,external_node_fs_namespaceObject.lstatSync)(path, { throwIfNoEntry: false })?.isFile() === true;
}
function isPlainFolder(path) {
    return (0,external_node_fs_namespaceObject.lstatSync)(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/progress.js
// Lines for the log while something takes long, so that nobody thinks it hangs. Used by the installation of wasmrun.
/** Logs what `describe` says every `intervalMs` until the work has ended; nothing if it ends before. */
async function reportProgress({ logger, intervalMs, describe }, work) {
    const timer = setInterval(() => logger.info(describe()), intervalMs);
    try {
        return await work();
    }
    finally {
        clearInterval(timer);
    }
}
/** `6.1 MB`, decimal, as GitHub shows sizes of downloads. */
function formatMegabytes(bytes) {
    return `${(bytes / 1e6).toFixed(1)} MB`;
}
/** Counts the crates that cargo compiles, from the lines it prints. */
class CargoProgress {
    #compiled = 0;
    #crate;
    /** Takes a line of cargo's: `   Compiling serde v1.0.228`. */
    read(line) {
        const crate = /^\s*Compiling (\S+)/.exec(line)?.[1];
        if (crate === undefined)
            return;
        this.#compiled += 1;
        this.#crate = crate;
    }
    /** `it compiles serde, crate 12`. How many there are in all, cargo says to terminals only. */
    describe() {
        return this.#crate === undefined
            ? 'it downloads the sources'
            : `it compiles ${this.#crate}, crate ${this.#compiled}`;
    }
}

// EXTERNAL MODULE: external "node:stream"
var external_node_stream_ = __nccwpck_require__(7075);
;// CONCATENATED MODULE: external "node:stream/promises"
const external_node_stream_promises_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream/promises");
;// CONCATENATED MODULE: ./build/js/app/wasmrun/release.js
// Installs wasmrun from the .deb of its GitHub release: looks it up, downloads, checks and unpacks it, without root.
// Used by install.ts.












/** The API refused the request: a bad token, or the rate limit. A request without the token may succeed. */
class RefusalError extends errors_AppError {
}
/** The rate limit is used up. */
class RateLimitError extends RefusalError {
}
/** What was downloaded is not what was published. No other way is tried then: a person should look at it. */
class DigestError extends errors_AppError {
}
/** The .deb needs glibc, whose loader is at a fixed place; names of the architectures as the release has them. */
const TARGETS = {
    x64: { name: 'x86_64', loader: '/lib64/ld-linux-x86-64.so.2' },
    arm64: { name: 'aarch64', loader: '/lib/ld-linux-aarch64.so.1' },
};
/** The answer of the API is 30 KB. */
const MAX_ANSWER_BYTES = 1 << 20;
/** The .deb of 1.0.0 has a few MB. */
const MAX_DOWNLOAD_BYTES = 128 << 20;
const release_ANSWER_TIMEOUT_MS = 30_000;
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;
/** A download that broke off is tried once more. */
const DOWNLOAD_ATTEMPTS = 2;
/** On a fast line the download is over before. */
const PROGRESS_INTERVAL_MS = 5_000;
const Asset = object({
    name: string(),
    browser_download_url: pipe(string(), url()),
    size: pipe(number(), integer(), maxValue(MAX_DOWNLOAD_BYTES)),
    digest: pipe(string(), regex(/^sha256:[0-9a-f]{64}$/)),
});
/** Assets are checked when one is chosen: those for other systems do not matter. */
const Release = object({ assets: array(looseObject({ name: string() })) });
/** Puts the program of the release at `program`; rejects with an AppError that says why this way failed. */
async function installFromRelease(options) {
    const name = `wasmrun-v${options.version}-${findTarget()}.deb`;
    const dispatcher = await createDispatcher(options.environment);
    try {
        const asset = await findAsset(name, options, dispatcher);
        const file = (0,external_node_path_.join)(options.stage, 'download.deb');
        options.logger.info(`wasmrun ${options.version}: downloading ${name}, ${formatMegabytes(asset.size)}`);
        await downloadAsset(asset, file, options, dispatcher);
        options.logger.info(`wasmrun ${options.version}: unpacking`);
        await unpack(file, options);
    }
    finally {
        await dispatcher.close();
    }
}
/** The name that the release has for this machine's architecture. */
function findTarget() {
    const target = TARGETS[process.arch];
    if (process.platform !== 'linux' || target === undefined)
        throw new errors_AppError(`there is no ready-made wasmrun for ${process.platform} ${process.arch}`);
    if ((0,external_node_fs_namespaceObject.existsSync)(target.loader))
        return target.name;
    throw new errors_AppError('the ready-made wasmrun needs glibc, which this system (musl, as in Alpine) does not have');
}
async function findAsset(name, options, dispatcher) {
    const url = `${options.releasesUrl}/tags/v${options.version}`;
    const answer = await fetchRelease(url, options, dispatcher);
    const release = safeParse(Release, await readJson(answer, url));
    if (!release.success)
        throw new errors_AppError(`${url} did not answer with a release`);
    const listed = release.output.assets.find(asset => asset.name === name);
    if (listed === undefined)
        throw new errors_AppError(`the release v${options.version} has no ${name}`);
    const asset = safeParse(Asset, listed);
    if (asset.success)
        return asset.output;
    throw new errors_AppError(`${name} is published without a usable digest, size or address`);
}
/** Sends the token if it may be sent to `url`. If GitHub refuses it, tries again without: the release is public. */
async function fetchRelease(url, options, dispatcher) {
    const token = selectToken(url, options.gitHub);
    const headers = { accept: 'application/vnd.github+json', 'user-agent': 'expose-action' };
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(release_ANSWER_TIMEOUT_MS)]);
    if (token !== undefined) {
        const authorization = `Bearer ${token}`;
        try {
            return await fetchFrom(url, { headers: { ...headers, authorization }, signal, dispatcher });
        }
        catch (error) {
            if (!(error instanceof RefusalError))
                throw error;
            options.logger.info(`${error.message}; trying again without the token`);
        }
    }
    return await fetchFrom(url, { headers, signal, dispatcher });
}
/** The token if it may be sent to `url`. undici drops it if a redirect leads to another origin (Fetch Standard). */
function selectToken(url, gitHub) {
    if (gitHub === undefined || gitHub.token === '')
        return undefined;
    const origin = URL.parse(url)?.origin;
    return origin !== undefined && URL.parse(gitHub.apiUrl)?.origin === origin ? gitHub.token : undefined;
}
async function fetchFrom(url, options) {
    // Loaded late: most jobs install nothing.
    const { fetch } = await __nccwpck_require__.e(/* import() */ 752).then(__nccwpck_require__.t.bind(__nccwpck_require__, 6752, 19));
    const answer = await fetch(url, options).catch((cause) => {
        throw new errors_AppError(`${url} cannot be reached`, { cause });
    });
    if (answer.ok)
        return answer;
    await answer.body?.cancel();
    throw describeRefusal(url, answer, options.headers?.authorization !== undefined);
}
function describeRefusal(url, { status, headers }, hasToken) {
    if (![401, 403, 429].includes(status))
        return new errors_AppError(`${url} answered ${status}`);
    const end = readLimitEnd(headers);
    if (end !== undefined) {
        const until = `until ${end.toISOString().slice(11, 16)} UTC`;
        return new RateLimitError(hasToken
            ? `GitHub's rate limit for \`github-token\` is used up ${until}`
            : `GitHub's rate limit for requests without a token is used up ${until}; in a job, pass \`github-token\``);
    }
    const hint = status === 401 ? '' : ' (the limit of requests may be used up)';
    return new RefusalError(`${url} answered ${status}${hint}`);
}
/** The end of the rate limit that refused the request; undefined if none did (docs.github.com, "Rate limits"). */
function readLimitEnd(headers) {
    const reset = headers.get('x-ratelimit-remaining') === '0' ? headers.get('x-ratelimit-reset') : null;
    const pause = headers.get('retry-after');
    const end = new Date(reset !== null ? Number(reset) * 1_000 : Date.now() + Number(pause ?? Number.NaN) * 1_000);
    return Number.isNaN(end.getTime()) ? undefined : end;
}
async function readJson(answer, url) {
    try {
        const chunks = [];
        for await (const chunk of limitBytes(answer, MAX_ANSWER_BYTES))
            chunks.push(chunk);
        return JSON.parse(Buffer.concat(chunks).toString('utf8'));
    }
    catch (cause) {
        throw new errors_AppError(`${url} did not answer with JSON`, { cause });
    }
}
async function* limitBytes(answer, limit) {
    let total = 0;
    for await (const chunk of answer.body ?? external_node_stream_.Readable.from([])) {
        total += chunk.length;
        if (total > limit)
            throw new errors_AppError(`more than ${limit} bytes arrived`);
        yield chunk;
    }
}
async function downloadAsset(asset, file, options, dispatcher) {
    for (let attempt = 1;; attempt += 1) {
        try {
            await downloadOnce(asset, file, options, dispatcher);
            return;
        }
        catch (error) {
            options.signal.throwIfAborted();
            if (error instanceof DigestError || attempt === DOWNLOAD_ATTEMPTS)
                throw error;
        }
    }
}
async function downloadOnce(asset, file, { version, logger, progressIntervalMs = PROGRESS_INTERVAL_MS, signal: outer }, dispatcher) {
    const signal = AbortSignal.any([outer, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]);
    const answer = await fetchFrom(asset.browser_download_url, { signal, dispatcher });
    const hash = (0,external_node_crypto_.createHash)('sha256');
    let size = 0;
    const observe = async function* (chunks) {
        for await (const chunk of chunks) {
            hash.update(chunk);
            size += chunk.length;
            yield chunk;
        }
    };
    const describe = () => `wasmrun ${version}: ${formatMegabytes(size)} of ${formatMegabytes(asset.size)} downloaded, ` +
        `${Math.floor((100 * size) / asset.size)} %`;
    const write = () => (0,external_node_stream_promises_namespaceObject.pipeline)(limitBytes(answer, asset.size), observe, (0,external_node_fs_namespaceObject.createWriteStream)(file), { signal });
    try {
        await reportProgress({ logger, intervalMs: progressIntervalMs, describe }, write);
    }
    catch (cause) {
        throw new errors_AppError(`the download of ${asset.name} broke off after ${size} of ${asset.size} bytes`, {
            cause,
        });
    }
    if (size < asset.size)
        throw new errors_AppError(`the download of ${asset.name} ended after ${size} of ${asset.size} bytes`);
    const digest = `sha256:${hash.digest('hex')}`;
    if (digest !== asset.digest)
        throw new DigestError(`${asset.name} is not what was published: its digest is ${digest}, and should be ${asset.digest}. ` +
            'Nothing was installed. Run the job again; if it happens again, report it to the maintainers of wasmrun', { restartable: false });
}
/** Keeps only the program. Debian and Ubuntu have dpkg-deb; more systems have ar and tar. */
async function unpack(file, options) {
    const folder = (0,external_node_path_.join)(options.stage, 'unpacked');
    const { environment, signal, onChild } = options;
    const run = (command, ...args) => runCommand({ command, args, cwd: folder, environment, signal, ...(onChild && { onChild }) });
    await (0,promises_.mkdir)(folder);
    await run('dpkg-deb', '-x', file, folder).catch(async (error) => {
        if (!(error instanceof errors_AppError && errors_hasCode(error.cause, 'ENOENT')))
            throw error;
        await unpackWithAr(file, run);
    });
    try {
        await (0,promises_.copyFile)((0,external_node_path_.join)(folder, 'usr', 'bin', 'wasmrun'), options.program);
        await (0,promises_.chmod)(options.program, 0o755);
    }
    catch (cause) {
        throw new errors_AppError('the .deb holds no usr/bin/wasmrun', { cause });
    }
    await Promise.all([folder, file].map(path => (0,promises_.rm)(path, { recursive: true, force: true })));
}
/** deb(5): an ar archive whose member data.tar, in whatever compression, holds the files. */
async function unpackWithAr(file, run) {
    try {
        const members = await run('ar', 't', file);
        const data = members.find(name => name.startsWith('data.tar')) ?? 'data.tar';
        await run('ar', 'x', file, data);
        await run('tar', '-xf', data);
    }
    catch (cause) {
        throw new errors_AppError(`the .deb cannot be unpacked (that needs dpkg-deb, or ar and tar): ${sanitise_sanitise(errors_describeError(cause))}`, { cause });
    }
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/version.js
// Which versions of wasmrun work. Used by install.ts, and by inputs before anything is started.


/** `1.0.0` or `v1.0.0`, from 1.0.0 on. Throws an InputError. */
function parseWasmrunVersion(text) {
    const version = /^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(text.trim())?.[1];
    const problem = `\`wasmrun-version\` is '${sanitise_sanitise(text)}'`;
    if (version === undefined)
        throw new errors_InputError(`${problem}: write an exact version like 1.0.0, or leave it out`);
    if (isTooOld(version))
        throw new errors_InputError(`${problem}, which is too old: 1.0.0 is the first that works; leave it out`);
    return version;
}
/** Takes a version as the wasmrun on PATH prints it, or as `parseWasmrunVersion` returns it. */
function isTooOld(version) {
    return version.startsWith('0.') || version.startsWith('1.0.0-');
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/install.js
// Finds wasmrun, or installs it: PATH, tool cache, the release's .deb, cargo. Used by supervisor/plan.ts.











/** The version this action was tested with. */
const PINNED_VERSION = '1.0.0';
const MODES_WITHOUT = 'or use `mode: web` or `mode: port`, which need no wasmrun';
/** `wasmrun --version` prints and exits; from a cold disk that may take seconds. */
const VERSION_TIMEOUT_MS = 20_000;
/** cargo takes minutes. */
const CARGO_PROGRESS_INTERVAL_MS = 30_000;
const install_PROGRAM = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
/**
 * The absolute path of a wasmrun that runs. Throws an InputError for an impossible version, and an AppError that says
 * what was tried.
 */
async function findOrInstallWasmrun(options) {
    const version = options.version === undefined ? undefined : parseWasmrunVersion(options.version);
    const found = await findOnPath(options, version);
    if (found !== undefined)
        return found;
    const wanted = version ?? PINNED_VERSION;
    const cached = (0,external_node_path_.join)(options.toolCache, 'wasmrun', wanted, process.arch);
    if ((0,external_node_fs_namespaceObject.existsSync)(`${cached}.complete`) && isExecutable((0,external_node_path_.join)(cached, 'bin', install_PROGRAM))) {
        options.logger.info(`wasmrun ${wanted}: from the tool cache`);
        return (0,external_node_path_.join)(cached, 'bin', install_PROGRAM);
    }
    return (await restoreKept(wanted, options)) ?? (await installInto(cached, wanted, options));
}
/**
 * The program of an installation that an earlier job kept; undefined if there is none that runs. It stays in a folder
 * of this job's: it is never put into the tool cache, which on a runner of your own serves other jobs, too.
 */
async function restoreKept(version, options) {
    const { store, logger, signal } = options;
    const began = performance.now();
    const kept = await store?.restore(version, signal);
    if (store === undefined || kept === undefined)
        return undefined;
    try {
        const { program, record, runtimes } = await openKept(kept.folder, version);
        const found = await readVersion(program, options);
        if (found !== version)
            throw new errors_AppError(`it says that it is version ${found}`);
        if (store.runtimesFolder !== undefined)
            await copyRuntimes(runtimes, store.runtimesFolder);
        const before = `${record.way === 'build' ? 'building' : 'installing'} it took ${describeTime(record.tookMs)}`;
        logger.info(`wasmrun ${version}: from the cache, in ${describeTime(performance.now() - began)} (${before})`);
        return program;
    }
    catch (error) {
        signal.throwIfAborted();
        logger.warn(`wasmrun ${version} from the cache cannot be used (${errors_describeError(error)}), so it is installed; ` +
            `delete the cache entry ${kept.name}: entries are never replaced`);
        return undefined;
    }
}
/** `1.4 s`, `6m 12s`. */
function describeTime(ms) {
    return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : formatDuration(ms);
}
/** Without a wanted version, the first on PATH is used. If that is too old, throws, because the job chose it. */
async function findOnPath(options, wanted) {
    const path = findProgram(install_PROGRAM, options.pathVariable);
    if (path === undefined)
        return undefined;
    const version = await readVersion(path, options).catch((error) => {
        options.signal.throwIfAborted();
        options.logger.warn(`${path} does not run (${errors_describeError(error)}), so wasmrun is installed`);
        return undefined;
    });
    if (version === undefined || (wanted !== undefined && version !== wanted))
        return undefined;
    if (isTooOld(version))
        throw new errors_AppError(`wasmrun ${version} at ${path} is too old, 1.0.0 is the first that works; ` +
            `update it, set wasmrun-version: ${PINNED_VERSION} to have that installed, ${MODES_WITHOUT}`, { restartable: false });
    options.logger.info(`wasmrun ${version}: ${path}`);
    return path;
}
/** The program's path, absolute, as a shell would find it. */
function findProgram(name, pathVariable) {
    const folders = pathVariable.split(external_node_path_.delimiter).filter(folder => (0,external_node_path_.isAbsolute)(folder));
    return folders.map(folder => (0,external_node_path_.join)(folder, name)).find(isExecutable);
}
function isExecutable(path) {
    try {
        (0,external_node_fs_namespaceObject.accessSync)(path, external_node_fs_namespaceObject.constants.X_OK);
        return (0,external_node_fs_namespaceObject.statSync)(path).isFile();
    }
    catch {
        return false;
    }
}
/** The version that `--version` prints among colours and a frame. */
async function readVersion(path, options) {
    const lines = await runCommand({
        command: path,
        args: ['--version'],
        cwd: options.tempFolder,
        environment: options.environment,
        signal: AbortSignal.any([options.signal, AbortSignal.timeout(VERSION_TIMEOUT_MS)]),
    });
    const version = /wasmrun v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)/.exec(lines.join('\n'))?.[1];
    if (version === undefined)
        throw new errors_AppError(`${path} --version names no version`);
    return version;
}
/**
 * Installs into a folder beside the cached one and renames it when it runs: a cache folder is complete or absent.
 * The layout and the `.complete` file are those of @actions/tool-cache. Resolves with the program's path.
 */
async function installInto(cached, version, options) {
    const stage = await createStage(cached, options);
    const began = performance.now();
    try {
        const way = await install(stage, version, options);
        const tookMs = Math.round(performance.now() - began);
        const digest = await digestFile((0,external_node_path_.join)(stage, 'bin', install_PROGRAM));
        const folder = await publishStage(stage, stage.startsWith(cached) ? cached : `${stage}-installed`);
        const program = (0,external_node_path_.join)(folder, 'bin', install_PROGRAM);
        options.store?.noteInstalled({ version, program, digest, way, tookMs });
        return program;
    }
    finally {
        await (0,promises_.rm)(stage, { recursive: true, force: true, maxRetries: 3 });
    }
}
/** A tool cache that cannot be written to (a read-only image) is skipped. */
async function createStage(cached, options) {
    const suffix = `-installing-${(0,external_node_crypto_.randomBytes)(6).toString('hex')}`;
    const stages = [cached + suffix, (0,external_node_path_.join)(options.tempFolder, `wasmrun${suffix}`)];
    const failures = [];
    for (const stage of stages) {
        try {
            options.onFolder?.(stage);
            await (0,promises_.mkdir)((0,external_node_path_.join)(stage, 'bin'), { recursive: true });
            return stage;
        }
        catch (error) {
            failures.push(error);
        }
    }
    const [first] = failures;
    throw new errors_AppError(`wasmrun cannot be installed: neither ${options.toolCache} nor ${options.tempFolder} can be written to`, {
        cause: first,
        restartable: false,
    });
}
/** Another job on this machine may have been faster: then its folder stays, because it may be in use. */
async function publishStage(stage, target) {
    const marker = `${target}.complete`;
    if ((0,external_node_fs_namespaceObject.existsSync)(marker) && (0,external_node_fs_namespaceObject.existsSync)(target))
        return target;
    await (0,promises_.rm)(target, { recursive: true, force: true, maxRetries: 3 });
    await (0,promises_.rename)(stage, target).catch((error) => {
        if (!(0,external_node_fs_namespaceObject.existsSync)(target))
            throw error;
    });
    await (0,promises_.writeFile)(marker, '');
    return target;
}
/** The .deb, then cargo. If both fail, the error gives both reasons. */
async function install(stage, version, options) {
    const program = (0,external_node_path_.join)(stage, 'bin', install_PROGRAM);
    const check = async () => {
        const installed = await readVersion(program, options);
        if (installed !== version)
            throw new errors_AppError(`version ${installed} was installed instead`);
    };
    const failures = [];
    for (const [way, attempt] of WAYS) {
        try {
            await attempt({ ...options, stage, program, version, failure: failures[0] });
            await check();
            options.logger.info(`wasmrun ${version}: installed`);
            return way;
        }
        catch (error) {
            options.signal.throwIfAborted();
            if (error instanceof DigestError)
                throw error;
            failures.push(error);
        }
    }
    throw new errors_AppError(`wasmrun ${version} was not found and could not be installed: ${failures.map(errors_describeError).join('; and ')}. ` +
        `Install it in an earlier step (cargo install wasmrun), ${MODES_WITHOUT}`, { restartable: false });
}
const WAYS = [
    ['download', installFromRelease],
    ['build', installWithCargo],
];
async function installWithCargo(options) {
    const { stage, version, failure, environment, signal, logger } = options;
    const cargo = findProgram(process.platform === 'win32' ? 'cargo.exe' : 'cargo', options.pathVariable);
    if (cargo === undefined)
        throw new errors_AppError('cargo is not on PATH (https://rustup.rs)');
    const notice = `wasmrun ${version} is built with cargo, which takes 5 to 10 minutes (${errors_describeError(failure)})`;
    // A token would save these minutes, and the message says so: a warning is seen.
    if (failure instanceof RateLimitError)
        logger.warn(notice);
    else
        logger.info(notice);
    // Beside the program, not in the system's temp folder, where a killed cargo would leave its files.
    const build = (0,external_node_path_.join)(stage, 'build');
    const progress = new CargoProgress();
    const began = performance.now();
    const describe = () => `wasmrun ${version}: cargo has run for ${formatDuration(performance.now() - began)}, ${progress.describe()}`;
    const run = () => runCommand({
        command: cargo,
        args: ['install', 'wasmrun', '--version', version, '--locked', '--root', stage],
        cwd: stage,
        environment: { ...environment, CARGO_TARGET_DIR: build },
        signal,
        onLine: line => {
            logger.debug(`cargo: ${line}`);
            progress.read(line);
        },
        ...(options.onChild && { onChild: options.onChild }),
    });
    const { progressIntervalMs: intervalMs = CARGO_PROGRESS_INTERVAL_MS } = options;
    await reportProgress({ logger, intervalMs, describe }, run);
    await (0,promises_.rm)(build, { recursive: true, force: true, maxRetries: 3 });
}

;// CONCATENATED MODULE: ./build/js/supervisor/plan.js
// Turns checked inputs into the document that a supervisor is started with. Used by step and by the `expose` command.






/** Compiling wasmrun takes minutes; it does not count towards `startup-timeout`. */
const INSTALL_TIMEOUT_MS = 15 * 60_000;
/** Characters of a list of names: a workflow has a few, a laptop many. */
const MAX_LEFT_OUT = 500;
/** 256 bits. */
const TOKEN_BYTES = 32;
/** 192 bits. */
const INSPECTOR_KEY_BYTES = 24;
/** The bundle or source file of another program, beside the one that runs now. */
function resolveBundle(name) {
    const running = (0,external_node_fs_namespaceObject.realpathSync)(process.argv[1] ?? '');
    return running.endsWith('.ts')
        ? (0,external_node_path_.join)((0,external_node_path_.dirname)(running), `${name}.ts`)
        : (0,external_node_path_.join)((0,external_node_path_.dirname)((0,external_node_path_.dirname)(running)), name, 'index.js');
}
/** The whole document, with a control token of its own. */
function planSupervisor(plan) {
    const { inputs, host, wasmrun, folder, name, identity, access } = plan;
    const { protocol, app, gateway, webhooks, tunnel, tls } = inputs;
    return {
        folder,
        name,
        controlToken: (0,external_node_crypto_.randomBytes)(TOKEN_BYTES).toString('hex'),
        logLevel: inputs.logLevel,
        exposure: {
            protocol,
            spec: describeSpec(inputs, wasmrun),
            env: app.env,
            baseEnvironment: chooseEnvironment(app, host),
            healthPath: app.healthPath,
            hostHeader: app.hostHeader,
            startupTimeoutMs: app.startupTimeoutMs,
            stopTimeoutMs: app.stopTimeoutMs,
            durationMs: inputs.durationMs,
            gateway: { ...gateway, ...webhooks, access },
            tls: tls && { cert: tls.cert, key: tls.key },
            inspector: planInspector(inputs, access),
            tunnel: {
                servers: [...tunnel.servers],
                identity,
                remotePort: tunnel.remotePort,
                publicUrl: tunnel.publicUrl,
                spareConnections: host.spareConnections,
                threadScript: protocol === 'tcp' ? resolveBundle('visitor-thread') : undefined,
            },
        },
        ends: plan.ends,
        github: plan.github,
        report: plan.report,
    };
}
/**
 * The public inspector, with a key of its own. Its link is shown where the preview's own link is enough to get in; with
 * a given key or a password, that is nowhere.
 */
function planInspector({ inspector, tunnel }, access) {
    if (!inspector)
        return undefined;
    return {
        key: (0,external_node_crypto_.randomBytes)(INSPECTOR_KEY_BYTES).toString('base64url'),
        isPublished: access.kind === 'open' || (access.kind === 'link' && access.isGenerated),
        remotePort: tunnel.inspectorPort,
    };
}
/**
 * Finds or installs wasmrun and resolves with its program file; '' if the app needs none. Rejects with an InputError,
 * an AppError, or the reason of the context's signal.
 */
async function locateWasmrun(app, host, logger, context) {
    if (!needsWasmrun(app.mode))
        return '';
    const limit = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
    return findOrInstallWasmrun({
        ...context,
        version: app.wasmrunVersion,
        pathVariable: host.pathVariable,
        // Read only now: without HOME and without an entry in passwd, there is no home folder.
        toolCache: host.toolCache ?? (0,external_node_path_.join)((0,external_node_os_namespaceObject.homedir)(), '.cache', 'expose-action', 'tools'),
        tempFolder: host.tempFolder,
        releasesUrl: host.releasesUrl,
        environment: host.childEnvironments.installation,
        logger,
        signal: AbortSignal.any([context.signal, limit]),
    });
}
function chooseEnvironment({ mode, command }, { childEnvironments, commandEnvironment }) {
    if (needsWasmrun(mode))
        return childEnvironments.wasmrun;
    return command === undefined ? childEnvironments.program : commandEnvironment.passed;
}
/**
 * A line for the log about the variables of the job that the command does not see; undefined if there are none. A
 * command that misses one may fail in any way, and its author looks here.
 */
function describeLeftOut({ command, env }, { commandEnvironment }) {
    const names = commandEnvironment.leftOut.filter(name => !(name in env));
    if (command === undefined || names.length === 0)
        return undefined;
    return `variables of the job that \`command\` does not see, unless you name them in \`env\`: ${sanitise_sanitise(names.join(', '), MAX_LEFT_OUT)}`;
}
function needsWasmrun(mode) {
    return mode === 'os' || mode === 'exec';
}
function describeSpec({ app, gateway }, wasmrun) {
    const { mode, path } = app;
    switch (mode) {
        case 'os':
            return {
                mode,
                path,
                wasmrun,
                vm: app.vm,
                browser: app.browser,
                pageHostScript: resolveBundle('page-host'),
            };
        case 'exec':
            return { mode, path, wasmrun, args: app.args };
        case 'web':
            return {
                mode,
                path,
                spa: app.spa,
                crossOriginIsolation: app.crossOriginIsolation,
                basePath: app.basePath,
                compress: gateway.compress,
            };
        case 'port':
            return { mode, path, port: app.port, service: app.service, command: app.command };
    }
}

;// CONCATENATED MODULE: ./build/js/shared/secrets.js
// Compares secrets in constant time, and hides them in logs and pages. Used by gateway, control, tunnel, exposure,
// supervisor and step.

/** A shorter line of a key reveals nothing, and masking it would blank out half of the log. */
const MIN_HIDDEN_LENGTH = 8;
/** Takes the same time for every guess, of any length. For keys, passwords and MACs. */
function secrets_isSame(given, wanted) {
    return (0,external_node_crypto_.timingSafeEqual)((0,external_node_crypto_.hash)('sha256', given, 'buffer'), (0,external_node_crypto_.hash)('sha256', wanted, 'buffer'));
}
/** A function that replaces each of the texts by `***`, wherever it stands. */
function createMask(hidden) {
    // The longest first: otherwise a secret that begins with another one would leave its end behind.
    const longestFirst = hidden.filter(text => text !== '').sort((a, b) => b.length - a.length);
    return text => longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
}
/**
 * The texts of a PEM key to hide in logs: the whole key, and each of its lines, because the runner masks line by line.
 */
function secrets_listKeyTexts(key) {
    const lines = key.split('\n').map(line => line.trim());
    return [key.trim(), ...lines].filter(text => text.length >= MIN_HIDDEN_LENGTH && !/^-----.*-----$/.test(text));
}

;// CONCATENATED MODULE: ./build/js/shared/log.js
// The logger. Used in every folder; each program decides where the lines go.


const LOG_LEVELS = ['quiet', 'info', 'debug'];
/**
 * A logger that passes finished lines (no line break) to `write`. Every line goes through the sanitiser without its
 * length limit, and each of the `hidden` texts is replaced by `***`.
 */
function log_createLogger(options) {
    const mask = createMask(options.hidden ?? []);
    const logAt = (level) => (message) => {
        if (level === 'debug' && options.level !== 'debug')
            return;
        if (level === 'info' && options.level === 'quiet')
            return;
        if (level !== 'error' && options.isFull?.())
            return;
        for (const line of mask(message).split('\n'))
            options.write(sanitise_sanitise(line, Number.POSITIVE_INFINITY), level);
    };
    return { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') };
}
const silentLogger = { debug() { }, info() { }, warn() { }, error() { } };

;// CONCATENATED MODULE: ./build/js/app/program.js
// The types that all modes share: what to run, what it is started with, and the running program. Used by app.ts and the
// modes; AppSpec is a part of the exposure's configuration, too.

const VM_HOSTS = ['auto', 'node', 'browser'];
const Port = pipe(number(), integer(), minValue(1), maxValue(65_535));
/** What to run: the inputs are checked, and wasmrun is installed. Paths are absolute. */
const AppSpecSchema = variant('mode', [
    object({
        mode: literal('os'),
        path: string(),
        wasmrun: string(),
        vm: picklist(VM_HOSTS),
        /** Chrome or Chromium; absent: the usual places are searched when it is needed. */
        browser: optional(string()),
        /** The bundle (or source) that hosts the page under Node. */
        pageHostScript: string(),
    }),
    object({ mode: literal('exec'), path: string(), wasmrun: string(), args: array(string()) }),
    object({
        mode: literal('web'),
        path: string(),
        spa: dist_boolean(),
        /** True sends COOP and COEP with `require-corp`. */
        crossOriginIsolation: union([dist_boolean(), literal('credentialless')]),
        /** Where visitors see the folder, like /repo/; absent: at /. */
        basePath: optional(string()),
        /** Absent: yes. */
        compress: optional(dist_boolean()),
    }),
    object({
        mode: literal('port'),
        path: string(),
        port: optional(Port),
        /** The machine of the port, if it is another one: a name, or an IP address without brackets. */
        service: optional(string()),
        command: optional(string()),
    }),
]);

;// CONCATENATED MODULE: ./build/js/app/project/project-file.js
// Reads the small files of a project: wasmrun.toml, package.json, .gitignore, and of a build: _redirects, _headers.
// Used by the other files of this folder, and by web/host-files.ts. A pull request may commit anything under these names,
// even a link to a device or to a secret.




/** Far more than a file written by hand has. */
const MAX_BYTES = 1024 * 1024;
/**
 * The text, or undefined if there is no such file. A link, a device or a pipe counts as absent and is never waited for.
 * Throws an InputError with the name for a file over 1 MB, or one that cannot be read.
 */
function readProjectFile(folder, name) {
    const file = openExisting(folder, name);
    if (file === undefined)
        return undefined;
    try {
        const found = (0,external_node_fs_namespaceObject.fstatSync)(file);
        if (!found.isFile())
            return undefined;
        if (found.size > MAX_BYTES)
            throw new errors_InputError(`path: ${name} is over 1 MB; make it smaller`);
        return (0,external_node_fs_namespaceObject.readFileSync)(file, 'utf8');
    }
    finally {
        (0,external_node_fs_namespaceObject.closeSync)(file);
    }
}
function openExisting(folder, name) {
    try {
        // Without O_NONBLOCK, opening a pipe waits for its writer.
        return (0,external_node_fs_namespaceObject.openSync)((0,external_node_path_.join)(folder, name), external_node_fs_namespaceObject.constants.O_RDONLY | external_node_fs_namespaceObject.constants.O_NOFOLLOW | external_node_fs_namespaceObject.constants.O_NONBLOCK);
    }
    catch (cause) {
        // A link is ELOOP, a socket ENXIO (EOPNOTSUPP on macOS).
        if (errors_hasCode(cause, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'EOPNOTSUPP'))
            return undefined;
        throw new errors_InputError(`path: ${name} in ${sanitise_sanitise(folder)} cannot be read; check its permissions`, {
            cause,
        });
    }
}
/** Whether a path from such a file leaves the project. */
function leadsOut(path) {
    return external_node_path_.posix.isAbsolute(path) || external_node_path_.posix.normalize(path).split('/')[0] === '..';
}

;// CONCATENATED MODULE: ./build/js/app/project/entry-file.js
// Which file of a Node.js project is run. Used by mode.ts to recognise a project, and by staging.ts to check that the
// file is copied. wasmrun 1.0.0 recognises a project by fewer names than those under which its page finds the program.
// start-page.ts and web/source-page.ts also use `isFile`.





/** Where wasmrun's page looks for the program, in its order, after wasmrun.toml and package.json. */
const ENTRY_FILES = [
    'index',
    'src/index',
    'main',
    'app',
    'src/main',
    'src/app',
    'server',
    'src/server',
].map(name => `${name}.js`);
/** Those by which wasmrun recognises a Node.js project that has no package.json. */
const DETECTED_FILES = ENTRY_FILES.filter(name => !name.includes('/'));
/** A member of another type counts as absent. */
const EntryName = fallback(optional(string()), undefined);
const PackageSchema = object({ main: EntryName, module: EntryName });
/** The entry files that package.json names, as they are written there; none if it cannot be parsed. */
function readPackage(folder) {
    try {
        const { main, module } = parse(PackageSchema, JSON.parse(readProjectFile(folder, 'package.json') ?? ''));
        return { main: main || undefined, module: module || undefined };
    }
    catch (error) {
        if (error instanceof errors_InputError)
            throw error;
        return { main: undefined, module: undefined };
    }
}
function isFile(path) {
    return statPath(path)?.isFile() ?? false;
}
/** Undefined if nothing is at the path. Throws an InputError if that cannot be found out. */
function statPath(path) {
    try {
        return (0,external_node_fs_namespaceObject.statSync)(path, { throwIfNoEntry: false });
    }
    catch (error) {
        // The last two: `main` of package.json may be any text.
        if (errors_hasCode(error, 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'))
            return undefined;
        throw new errors_InputError(`path: ${sanitise_sanitise(path)} cannot be read; check its permissions`, { cause: error });
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/lfs-pointer.js
// Recognises a pointer of Git LFS, which is in the place of a file if the checkout did not fetch it (git-lfs,
// docs/spec.md). Used for .wasm files, and by `mode: web` for all others.
/** Enough of a file's beginning for `isLfsPointer`. */
const LFS_START_BYTES = 40;
/** `start`: the beginning of the file, as latin1 or UTF-8. The second host is that of versions before 1.0. */
function isLfsPointer(start) {
    return /^version https:\/\/(git-lfs|hawser)\.github\.com\//.test(start);
}

;// CONCATENATED MODULE: ./build/js/app/project/wasm-sections.js
// Reads what a WebAssembly file imports and exports, without compiling it: only the head of each section is read, so
// that a file of any size takes a millisecond. Used by wasm-file.ts. Formats: WebAssembly core 3.0, "Binary Format";
// Component Model, "Binary.md" (its outer sections have the same form).

/** A section reaches beyond the end of the file. */
class CutOffError extends Error {
    /** How many bytes the file should have at least. */
    expected;
    constructor(expected) {
        super(`a section ends at byte ${expected}`);
        this.expected = expected;
    }
}
/** The file uses an encoding that this reader does not know. */
class UnknownEncodingError extends Error {
}
/** Magic number, version and layer. */
const PREAMBLE_BYTES = 8;
/** Id and size of a section: one byte, and a number of at most five. */
const SECTION_HEAD_BYTES = 6;
/** Compilers write a few hundred at most. */
const MAX_SECTIONS = 100_000;
/** Far more than the names of any program. */
const MAX_NAMES_BYTES = 16 * 1024 * 1024;
const MODULE_IDS = { import: 2, memory: 5, export: 7, start: 8 };
/** In the flags of limits. */
const SHARED = 0x02;
const COMPONENT_IDS = { import: 10, export: 11 };
/** Throws a CutOffError or an UnknownEncodingError. */
function readModuleSections(opened) {
    const sections = listSections(opened);
    const bytesOf = (id) => readBodies(opened, sections, id);
    const imports = bytesOf(MODULE_IDS.import).flatMap(parseImports);
    const memories = bytesOf(MODULE_IDS.memory).flatMap(parseMemories);
    return {
        imports: imports.map(({ module, name, isFunction }) => ({ module, name, isFunction })),
        functions: new Set(bytesOf(MODULE_IDS.export).flatMap(parseFunctionExports)),
        hasStart: sections.some(({ id }) => id === MODULE_IDS.start),
        sharesMemory: [...memories, ...imports.map(({ memory }) => memory)].some(flags => (flags & SHARED) !== 0),
    };
}
/**
 * The texts that hold the names of a component's imports and exports (`wasi:http/incoming-handler@0.2.3`), between
 * other bytes. Throws a CutOffError or an UnknownEncodingError.
 */
function readComponentNames(opened) {
    const sections = listSections(opened);
    const textOf = (id) => readBodies(opened, sections, id)
        .map(body => body.toString('latin1'))
        .join('\n');
    return { imports: textOf(COMPONENT_IDS.import), exports: textOf(COMPONENT_IDS.export) };
}
function listSections(opened) {
    const sections = [];
    for (let at = PREAMBLE_BYTES; at < opened.size;) {
        const head = readSectionHead(opened, at);
        const section = { ...head, start: at + head.length };
        at = section.start + section.size;
        if (at > opened.size)
            throw new CutOffError(at);
        sections.push(section);
        if (sections.length > MAX_SECTIONS)
            throw new UnknownEncodingError('too many sections');
    }
    return sections;
}
function readSectionHead(opened, at) {
    const bytes = new Bytes(readAt(opened, at, SECTION_HEAD_BYTES));
    try {
        return { id: bytes.byte(), size: bytes.number(), length: bytes.position };
    }
    catch (error) {
        if (at + SECTION_HEAD_BYTES > opened.size)
            throw new CutOffError(opened.size + 1);
        throw error;
    }
}
function readBodies(opened, sections, id) {
    const wanted = sections.filter(section => section.id === id);
    if (wanted.reduce((sum, { size }) => sum + size, 0) > MAX_NAMES_BYTES)
        throw new UnknownEncodingError('too many names');
    return wanted.map(({ start, size }) => readAt(opened, start, size));
}
function readAt({ file }, position, length) {
    const buffer = Buffer.alloc(length);
    const read = (0,external_node_fs_namespaceObject.readSync)(file, buffer, 0, length, position);
    return buffer.subarray(0, read);
}
/** `memory`: the flags of an imported memory, otherwise 0. */
function parseImports(body) {
    const bytes = new Bytes(body);
    return Array.from(bytes.counts(), () => ({
        module: bytes.name(),
        name: bytes.name(),
        ...readImportType(bytes),
    }));
}
/** The flags of each memory. */
function parseMemories(body) {
    const bytes = new Bytes(body);
    return Array.from(bytes.counts(), () => readLimits(bytes));
}
function readImportType(bytes) {
    const kind = bytes.byte();
    if (kind === 2)
        return { isFunction: false, memory: readLimits(bytes) };
    if (kind === 0)
        bytes.skipNumber();
    else if (kind === 1) {
        skipValueType(bytes);
        readLimits(bytes);
    }
    else if (kind === 3) {
        skipValueType(bytes);
        bytes.byte();
    }
    else if (kind === 4) {
        bytes.byte();
        bytes.skipNumber();
    }
    else
        throw new UnknownEncodingError(`import of kind ${kind}`);
    return { isFunction: kind === 0, memory: 0 };
}
/** One byte, or for a typed reference a byte and its heap type. */
function skipValueType(bytes) {
    const type = bytes.byte();
    if (type === 0x63 || type === 0x64)
        bytes.skipNumber();
}
/** Returns the flags. */
function readLimits(bytes) {
    const flags = bytes.byte();
    bytes.skipNumber();
    if ((flags & 0x01) !== 0)
        bytes.skipNumber();
    // The custom page size of a memory.
    if ((flags & 0x08) !== 0)
        bytes.skipNumber();
    return flags;
}
function parseFunctionExports(body) {
    const bytes = new Bytes(body);
    const names = [];
    for (const _ of bytes.counts()) {
        const name = bytes.name();
        const kind = bytes.byte();
        bytes.skipNumber();
        if (kind === 0)
            names.push(name);
    }
    return names;
}
/** Reads values one after another; throws an UnknownEncodingError where there is none. */
class Bytes {
    #bytes;
    position = 0;
    constructor(bytes) {
        this.#bytes = bytes;
    }
    byte() {
        const byte = this.#bytes[this.position];
        if (byte === undefined)
            throw new UnknownEncodingError('a value is missing');
        this.position += 1;
        return byte;
    }
    /** An unsigned number of at most 32 bits, LEB128. */
    number() {
        let value = 0;
        for (let shift = 0; shift < 35; shift += 7) {
            const byte = this.byte();
            value += (byte & 0x7f) * 2 ** shift;
            if ((byte & 0x80) === 0)
                return value;
        }
        throw new UnknownEncodingError('a number is too long');
    }
    /** Of any size, signed or not. */
    skipNumber() {
        while ((this.byte() & 0x80) !== 0)
            ;
    }
    name() {
        const length = this.number();
        const name = this.#bytes.toString('utf8', this.position, this.position + length);
        this.position += length;
        return name;
    }
    /** Counts up to a number that is read now; a number that is too large ends in an error, not in memory. */
    *counts() {
        const count = this.number();
        for (let index = 0; index < count; index += 1)
            yield index;
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/wasm-file.js
// What a .wasm file really is, from its bytes: people also put pointers, error pages and compressed files there. Used
// by exec-file.ts, and for the files of a built web app.






/** Enough for the magic number of every format, and for the first words of a text. */
const HEAD_BYTES = 1_024;
const MAGIC = '\0asm';
const wasm_file_PREAMBLE_BYTES = 8;
const SHOWN_CHARACTERS = 40;
/** Reads a regular file, or a link to one. Throws an InputError if it cannot be read. */
function readWasmFile(path) {
    const file = wasm_file_open(path);
    try {
        const found = (0,external_node_fs_namespaceObject.fstatSync)(file);
        const head = Buffer.alloc(HEAD_BYTES);
        const length = found.isFile() ? (0,external_node_fs_namespaceObject.readSync)(file, head, 0, HEAD_BYTES, 0) : 0;
        return recognise({ file, size: found.size }, head.subarray(0, length), (0,external_node_path_.basename)(path));
    }
    finally {
        (0,external_node_fs_namespaceObject.closeSync)(file);
    }
}
function wasm_file_open(path) {
    try {
        // Without O_NONBLOCK, opening a pipe waits for its writer.
        return (0,external_node_fs_namespaceObject.openSync)(path, external_node_fs_namespaceObject.constants.O_RDONLY | external_node_fs_namespaceObject.constants.O_NONBLOCK);
    }
    catch (cause) {
        throw new errors_InputError(`path: ${sanitise_sanitise(path)} cannot be read; check its permissions`, { cause });
    }
}
function recognise(opened, head, name) {
    if (head.toString('latin1', 0, MAGIC.length) !== MAGIC)
        return broken(describeOther(head, name));
    if (head.length < wasm_file_PREAMBLE_BYTES)
        return broken(describeCut(opened.size, wasm_file_PREAMBLE_BYTES));
    const [version, layer] = [head.readUInt16LE(4), head.readUInt16LE(6)];
    if (layer > 1 || (layer === 0 && version !== 1))
        return broken(`is WebAssembly of version ${version}${layer > 0 ? `, layer ${layer}` : ''}, which nothing runs; build it with a released compiler (version 1)`);
    try {
        return layer === 1
            ? { kind: 'component', ...readComponentNames(opened) }
            : { kind: 'module', sections: readModuleSections(opened) };
    }
    catch (error) {
        if (error instanceof CutOffError)
            return broken(describeCut(opened.size, error.expected));
        if (!(error instanceof UnknownEncodingError))
            throw error;
        return layer === 1
            ? { kind: 'component', exports: '', imports: '' }
            : { kind: 'module', sections: undefined };
    }
}
const broken = (problem) => ({ kind: 'broken', problem });
function describeCut(size, expected) {
    return `is cut off or damaged: it has ${size} bytes, and its contents need at least ${expected}; was its build, copy or download interrupted?`;
}
/** The first bytes of what people have by mistake under this name, as latin1, and what it is. */
const FORMATS = [
    ['\x1f\x8b', 'is compressed (gzip); unpack it first: `gunzip`'],
    ['\x28\xb5\x2f\xfd', 'is compressed (zstd); unpack it first: `zstd -d`'],
    ['\xfd7zXZ\0', 'is compressed (xz); unpack it first: `xz -d`'],
    ['BZh', 'is compressed (bzip2); unpack it first: `bzip2 -d`'],
    ['PK\x03\x04', 'is a zip archive; unpack it first: `unzip`'],
    ['7z\xbc\xaf\x27\x1c', 'is a 7z archive; unpack it first'],
    ['!<arch>\n', 'is an archive of object files (.a), not linked yet; link it into a program'],
    ['BC\xc0\xde', 'is LLVM bitcode, not linked yet; link it into a program'],
    ['wasmer', 'was compiled by Wasmer for one kind of machine; give the .wasm file that it was made from'],
    // XCOFF and Java's class files are rarer than a program for the Mac.
    ...['\xfe\xed\xfa\xce', '\xfe\xed\xfa\xcf', '\xce\xfa\xed\xfe', '\xcf\xfa\xed\xfe', '\xca\xfe\xba\xbe'].map(start => [start, describeNative('macOS')]),
    ['MZ', describeNative('Windows')],
];
/** Wasmtime's compiled programs are ELF files with this number of an operating system (ELFOSABI_WASMTIME). */
const WASMTIME_ABI = 200;
function describeNative(system) {
    return `is a program for ${system}, not WebAssembly; build it for wasm32-wasip1, or start it with \`command\``;
}
function describeOther(head, name) {
    if (head.length === 0)
        return 'is empty (0 bytes); look at the step that should have written it';
    const start = head.toString('latin1');
    const format = FORMATS.find(([magic]) => start.startsWith(magic));
    if (format !== undefined)
        return format[1];
    if (start.startsWith('\x7fELF'))
        return head[7] === WASMTIME_ABI
            ? 'was compiled by Wasmtime for one kind of machine (.cwasm); give the .wasm file that it was made from'
            : describeNative('Linux');
    const text = wasm_file_readText(head);
    if (text !== undefined)
        return describeText(text, name);
    const bytes = head.subarray(0, 4).toString('hex').replace(/..\B/g, '$& ');
    return `is not WebAssembly, which begins with the bytes 00 61 73 6d: it begins with ${bytes}. Look at the step that wrote it; if it is compressed (brotli), unpack it first`;
}
/** Undefined if the bytes are not text: those have no control characters. The last one may be cut in the middle. */
function wasm_file_readText(head) {
    const text = head.toString('utf8').replace(/\ufffd$/, '');
    return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\ufffd]/.test(text)
        ? undefined
        : text.replace(/^\ufeff/, '');
}
function describeText(text, name) {
    if (isLfsPointer(text))
        return 'is a Git LFS pointer, not the file itself; add `lfs: true` to actions/checkout';
    const trimmed = text.trimStart();
    if (/^(<!doctype html|<html|<head|<body|<\?xml|<!--)/i.test(trimmed))
        return 'is an HTML or XML page, not WebAssembly: a download probably saved an error page; check its address, and let it fail on errors (`curl -f`)';
    // Comments may come first.
    if (/^(;;[^\n]*\n\s*|\(;[\s\S]*?;\)\s*)*\(\s*(module|component|type|func|import|export|memory)\b/.test(trimmed))
        return `is WebAssembly as text; translate it first: \`wat2wasm ${sanitise_sanitise(name.replace(/\.wasm$/, '.wat'))}\``;
    if (trimmed.startsWith('AGFzb'))
        return 'is WebAssembly as base64 text; decode it first: `base64 -d`';
    const shown = sanitise_sanitise(trimmed.split('\n')[0]?.trim() ?? '', SHOWN_CHARACTERS);
    return `is text that begins with '${shown}', not WebAssembly; look at the step that wrote it`;
}

;// CONCATENATED MODULE: ./build/js/app/project/exec-file.js
// Checks that a .wasm file is a program that `mode: exec` can run and that can take connections. Used by mode.ts before
// anything starts. What wasmrun 1.0.0 offers is in its sources: runtime/wasi/mod.rs and runtime/core/native_executor.rs.




const WASI = 'wasi_snapshot_preview1';
/** wasmrun runs the start section, else one of these exports; never two of them. */
const ENTRIES = ['main', '_start'];
/** The version that docs/exec.md and its test use. */
const JCO = '@bytecodealliance/jco@1.35.0';
/** Names in one message: enough to recognise the program. */
const MAX_NAMES = 5;
/** Throws an InputError that says what the file is, and what to do. Returns a warning if the program may not work. */
function checkExecFile(path) {
    const wasm = readWasmFile(path);
    const problem = findProblem(wasm, (0,external_node_path_.basename)(path));
    if (problem !== undefined)
        throw new errors_InputError(`path: ${sanitise_sanitise(path)} ${problem}`);
    const doubt = wasm.kind === 'module' && wasm.sections ? findDoubt(wasm.sections) : undefined;
    return doubt && `${sanitise_sanitise((0,external_node_path_.basename)(path))} ${doubt}`;
}
function findDoubt({ imports, functions, hasStart }) {
    const unused = ENTRIES.find(entry => functions.has(entry));
    if (hasStart && unused !== undefined)
        return (`has a start section, which wasmrun runs instead of \`${unused}\`, so the program may end at once; with ` +
            'AssemblyScript, write it as top-level code and build it with `--exportStart _start`');
    const missing = listForeignImports(imports);
    if (missing.length === 0)
        return undefined;
    return `imports functions that wasmrun does not have, and ends if it calls one of them: ${sanitise_sanitise(missing.join(', '))}`;
}
/** What people have in place of the .wasm file itself: `app.wasm.gz`, `app.wat`, `app.cwasm`. */
const RELATED_NAME = /\.(wat|wast|cwasm|wasm\.[a-z0-9]+)$/i;
/**
 * For a file with another name: throws an InputError if it is WebAssembly, which wasmrun takes only under a name in
 * .wasm, or if it is made from a .wasm file.
 */
function checkOtherName(path, found) {
    if (!found.isFile())
        return;
    const wasm = readWasmFile(path);
    if (wasm.kind !== 'broken')
        throw new errors_InputError(`path: ${sanitise_sanitise(path)} is WebAssembly, but wasmrun takes only names that end in .wasm; rename it`);
    if (RELATED_NAME.test(path))
        throw new errors_InputError(`path: ${sanitise_sanitise(path)} ${wasm.problem}`);
}
/**
 * Only a warning is due: wasmrun looks a function up when it is called. Those of WASI preview 1 are left out, because
 * libraries import more of it than they call.
 */
function listForeignImports(imports) {
    return (imports
        // AssemblyScript calls `env.abort` only to report an error that ends the program anyway.
        .filter(({ module, name }) => module !== WASI && !(module === 'env' && name === 'abort'))
        // wasmrun makes a memory and globals itself (clang's and AssemblyScript's option to import the memory).
        .filter(({ isFunction }) => isFunction)
        .map(({ module, name }) => `${module}.${name}`));
}
function findProblem(wasm, name) {
    switch (wasm.kind) {
        case 'broken':
            return wasm.problem;
        case 'component':
            return describeComponent(wasm, sanitise_sanitise(name));
        case 'module':
            return wasm.sections && findModuleProblem(wasm.sections);
    }
}
function describeComponent(component, name) {
    if (/wasi:http\/(incoming-)?handler\b/.test(component.exports))
        return ('is a WebAssembly component that answers HTTP (wasi:http), and `mode: exec` runs core modules only. ' +
            `Serve it with jco: leave \`mode\` out, set \`path\` to its folder and \`command\` to \`npx --yes ${JCO} serve --port "$PORT" ${name}\``);
    const what = component.exports.includes('wasi:cli/run')
        ? 'is a WebAssembly component with a command (wasi:cli)'
        : 'is a WebAssembly component';
    return `${what}, and \`mode: exec\` runs core modules only; build it for wasm32-wasip1, or start it with \`command\` and a runtime for components`;
}
function findModuleProblem({ imports, functions, hasStart }) {
    const hasEntry = hasStart || ENTRIES.some(entry => functions.has(entry));
    const takesConnections = imports.some(({ module, name }) => module === WASI && name === 'sock_accept');
    if (hasEntry && takesConnections)
        return undefined;
    const builder = findBrowserBuilder(imports);
    if (builder !== undefined)
        return `was built for the browser (${builder}), and \`mode: exec\` has no page; give the folder with its index.html (\`mode: web\`)`;
    if (!hasEntry)
        return describeLibrary(functions);
    if (imports.some(({ module }) => module === 'wasi_unstable'))
        return 'was built for an early form of WASI (wasi_unstable), which wasmrun does not have; build it with a newer compiler, for wasm32-wasip1';
    return ('can take no connections: it does not import `sock_accept` of WASI preview 1, and a program in `mode: exec` gets ' +
        `its listening socket in WASMHUB_LISTEN_FD (see docs/exec.md). It imports ${listModules(imports)}`);
}
function describeLibrary(functions) {
    const exported = functions.size === 0 ? 'nothing' : [...functions].slice(0, MAX_NAMES).join(', ');
    return (`is a library: it has no \`_start\` or \`main\` to run, and exports ${sanitise_sanitise(exported)}; build a program ` +
        '(with a main function, for wasm32-wasip1), or give the folder of the page that loads it (`mode: web`)');
}
function listModules(imports) {
    const modules = [...new Set(imports.map(({ module }) => module))];
    if (modules.length === 0)
        return 'nothing';
    return `from ${sanitise_sanitise(modules.slice(0, MAX_NAMES).join(', '))}`;
}
/** The tool whose JavaScript a module needs, by its imports. */
function findBrowserBuilder(imports) {
    const from = (pattern) => imports.some(({ module }) => pattern.test(module));
    if (from(/^(__wbindgen|wbg$)|_bg\.js$/))
        return 'wasm-bindgen';
    if (from(/^(gojs|go)$/))
        return 'Go with GOOS=js';
    if (from(/^dart2wasm/))
        return 'Dart';
    if (from(/^js_code$|\.uninstantiated\.mjs$/))
        return 'Kotlin';
    const isEmscripten = imports.some(({ module, name }) => (module === 'env' && /^(_?emscripten_|__syscall_|invoke_|_embind_|__cxa_throw$)/.test(name)) ||
        // Emscripten shortens all names in optimised builds.
        (module === 'a' && name.length <= 3));
    return isEmscripten ? 'Emscripten' : undefined;
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/error.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */
function getLineColFromPtr(string, ptr) {
    let lines = string.slice(0, ptr).split(/\r?\n/);
    return [lines.length, lines.pop().length + 1];
}
function makeCodeBlock(string, line, column) {
    let lines = string.split(/\r?\n/);
    let codeblock = '';
    let numberLen = (Math.log10(line + 1) | 0) + 1;
    for (let i = line - 1; i <= line + 1; i++) {
        let l = lines[i - 1];
        if (!l)
            continue;
        codeblock += i.toString().padEnd(numberLen, ' ');
        codeblock += ':  ';
        codeblock += l;
        codeblock += '\n';
        if (i === line) {
            codeblock += ' '.repeat(numberLen + column + 2);
            codeblock += '^\n';
        }
    }
    return codeblock;
}
class TomlError extends Error {
    line;
    column;
    codeblock;
    constructor(message, options) {
        const [line, column] = getLineColFromPtr(options.toml, options.ptr);
        const codeblock = makeCodeBlock(options.toml, line, column);
        super(`Invalid TOML document: ${message}\n\n${codeblock}`, options);
        this.line = line;
        this.column = column;
        this.codeblock = codeblock;
    }
    /** @internal */
    static x(message, ctx, ptr) {
        throw new TomlError(message, { toml: ctx.s, ptr: ptr ?? ctx.p });
    }
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/primitive.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */

/** @internal */
function parseString(ctx) {
    let startPtr = ctx.p;
    let c = ctx.s.charCodeAt(ctx.p++);
    let first = c;
    let isLiteral = c === 0x27; /* ' */
    let isMultiline = c === ctx.s.charCodeAt(ctx.p) && c === ctx.s.charCodeAt(ctx.p + 1);
    if (isMultiline) {
        // Trim initial newline
        if ((c = ctx.s.charCodeAt(ctx.p += 2)) === 0xa /* \n */)
            ctx.p++;
        else if (c === 0xd /* \r */ && ctx.s.charCodeAt(ctx.p + 1) === 0xa /* \n */)
            ctx.p += 2;
    }
    // For the record: it is not worth it to use a fast-path for literal strings using `indexOf`.
    // Doing a char-by-char iteration ends up dispatching less instructions, for the same wall-clock runtime.
    let parsed = '';
    let sliceStart = ctx.p;
    // states:
    //   0 - decoding
    //   1 - decoding escape
    //   2 - whitespace escape (no newline encountered yet, must fail on non-whitespace)
    //   3 - whitespace escape (newline encountered, allowed to transition back to normal decode)
    let state = 0;
    for (; ctx.p < ctx.s.length; ctx.p++) {
        c = ctx.s.charCodeAt(ctx.p);
        // Deal with newlines first, since that simplifies control character checking and handling across all states
        if (isMultiline && (c === 0xa /* \n */ || (c === 0xd /* \r */ && ctx.s.charCodeAt(ctx.p + 1) === 0xa /* \n */))) {
            state = state && 3;
        }
        // Control characters are banned in TOML, so we throw an error if we encounter them
        else if ((c < 0x20 && c !== 0x9 /* \t */) || c === 0x7f) {
            TomlError.x('control characters are not allowed in strings', ctx);
        }
        // The string might terminate while we're parsing through a newline escape.
        // It must have encountered a newline; otherwise, it'll simply fail in another branch.
        else if ((!state || state === 3) && c === first && (!isMultiline || (ctx.s.charCodeAt(ctx.p + 1) === first && ctx.s.charCodeAt(ctx.p + 2) === first))) {
            if (isMultiline) {
                // If the string ends with 4-5 quotes, then the first 1-2 are part of the string
                if (ctx.s.charCodeAt(ctx.p + 3) === first)
                    ctx.p++;
                if (ctx.s.charCodeAt(ctx.p + 3) === first)
                    ctx.p++;
            }
            // If we're in a newline escape still, then there's nothing to add.
            if (!state) {
                // Avoid a useless concat operation if the string can be used as-is.
                let s = ctx.s.slice(sliceStart, ctx.p);
                parsed = parsed ? parsed + s : s;
            }
            ctx.p += isMultiline ? 3 : 1;
            return parsed;
        }
        // Baseline state; keep moving forward unless an escape sequence starts
        else if (!state) {
            if (!isLiteral && c === 0x5c /* \ */) {
                parsed += ctx.s.slice(sliceStart, (sliceStart = ctx.p));
                state = 1;
            }
        }
        else if (state === 1) {
            if (c === 0x78 /* x */ || c === 0x75 /* u */ || c === 0x55 /* U */) { // Unicode escape
                let errPtr = ctx.p++ - 1;
                let value = 0;
                let len = c === 0x78 /* x */ ? 2 : c === 0x75 /* u */ ? 4 : 8;
                for (let j = 0; j < len; j++, ctx.p++) {
                    let hex = ctx.s.charCodeAt(ctx.p);
                    let digit = 
                    /* 0-9 */ hex >= 0x30 && hex <= 0x39 ? hex - 0x30 :
                        /* A-F */ hex >= 0x41 && hex <= 0x46 ? hex - 0x41 + 10 :
                            /* a-f */ hex >= 0x61 && hex <= 0x66 ? hex - 0x61 + 10 : -1;
                    if (digit < 0)
                        TomlError.x('invalid non-hex character in unicode escape', ctx);
                    value = (value << 4) | digit;
                }
                // Because JS does bitwise on signed 32bit integers, all 0xfzzzzzzz values are actually seen as negative
                if (value < 0 || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
                    TomlError.x('invalid unicode escape', ctx, errPtr);
                }
                parsed += String.fromCodePoint(value);
                sliceStart = ctx.p--;
                state = 0;
            }
            // Newline escape sequence. We only need to care about spaces and tabs; newlines are dealt with earlier
            else if (isMultiline && (c === 0x20 || c === 0x9 /* \t */)) {
                state = 2;
            }
            // Basic escape sequence
            else {
                if (c === 0x62 /* b */)
                    parsed += '\b';
                else if (c === 0x74 /* t */)
                    parsed += '\t';
                else if (c === 0x6e /* n */)
                    parsed += '\n';
                else if (c === 0x66 /* f */)
                    parsed += '\f';
                else if (c === 0x72 /* r */)
                    parsed += '\r';
                else if (c === 0x65 /* e */)
                    parsed += '\x1b';
                else if (c === 0x22 /* " */)
                    parsed += '"';
                else if (c === 0x5c /* \ */)
                    parsed += '\\';
                else
                    TomlError.x('unrecognised escape sequence', ctx);
                sliceStart = ctx.p + 1;
                state = 0;
            }
        }
        // Newline escape continuation: keep moving forward until the first non-whitespace char
        else if (c !== 0x20 && c !== 0x9 /* \t */) {
            if (state === 2)
                TomlError.x('invalid escape: only line-ending whitespace may be escaped', ctx, sliceStart);
            // State cannot be zero, or we'd have branched earlier already.
            // If it's a backslash, immediately transition to the escape state so it can be processed.
            state = !isLiteral && c === 0x5c /* \ */ ? 1 : 0;
            sliceStart = ctx.p;
        }
    }
    TomlError.x('unfinished string', ctx, startPtr);
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/date.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */
let DATE_TIME_RE = /^(\d{4}-\d{2}-\d{2})?[Tt ]?(?:(\d{2}):\d{2}(?::\d{2}(?:\.\d+)?)?)?(Z|z|[-+]\d{2}:\d{2})?$/i;
class TomlDate extends Date {
    #hasDate = false;
    #hasTime = false;
    #offset = null;
    constructor(date, fasttype, unsafeDelim) {
        let hasDate = true;
        let hasTime = true;
        let offset = 'Z';
        let c;
        if (typeof date === 'string') {
            if (fasttype)
                prep: {
                    // Date-time
                    if (fasttype < 3) {
                        if (+date.slice(11, 13) > 23) {
                            date = '';
                            break prep;
                        }
                        // Local
                        if (fasttype === 2) {
                            offset = null;
                            date += 'Z';
                        }
                        // Offset; keep track of offset if not Z
                        else if ((c = date.charCodeAt(date.length - 1)) !== 0x5a /* Z */ && c !== 0x7a /* z */) {
                            offset = date.slice(date.length - 6);
                        }
                        if (unsafeDelim)
                            date = date.slice(0, 10) + 'T' + date.slice(11);
                    }
                    // Time
                    else if (fasttype === 4) {
                        date = +date.slice(0, 2) > 23 ? '' : `0000-01-01T${date}Z`;
                    }
                    hasDate = fasttype !== 4;
                    hasTime = fasttype !== 3;
                }
            else {
                let match = date.match(DATE_TIME_RE);
                if (match) {
                    if (!match[1]) {
                        hasDate = false;
                        date = `0000-01-01T${date}`;
                    }
                    hasTime = !!match[2];
                    // Make sure to use T instead of a space. Breaks in case of extreme values otherwise.
                    hasTime && date[10] === ' ' && (date = date.replace(' ', 'T'));
                    // Do not allow rollover hours.
                    if (match[2] && +match[2] > 23) {
                        date = '';
                    }
                    else {
                        offset = match[3] || null;
                        if (!offset && hasTime)
                            date += 'Z';
                    }
                }
                else {
                    date = '';
                }
            }
        }
        super(date);
        if (!isNaN(this.getTime())) {
            this.#hasDate = hasDate;
            this.#hasTime = hasTime;
            this.#offset = offset;
        }
    }
    isDateTime() {
        return this.#hasDate && this.#hasTime;
    }
    isLocal() {
        return !this.#hasDate || !this.#hasTime || !this.#offset;
    }
    isDate() {
        return this.#hasDate && !this.#hasTime;
    }
    isTime() {
        return this.#hasTime && !this.#hasDate;
    }
    isValid() {
        return this.#hasDate || this.#hasTime;
    }
    toISOString() {
        let iso = super.toISOString();
        // Local Date
        if (this.isDate())
            return iso.slice(0, 10);
        // Local Time
        if (this.isTime())
            return iso.slice(11, 23);
        // Local DateTime
        if (this.#offset === null)
            return iso.slice(0, -1);
        // Offset DateTime
        if (this.#offset === 'Z' || this.#offset === 'z')
            return iso;
        // This part is quite annoying: JS strips the original timezone from the ISO string representation
        // Instead of using a "modified" date and "Z", we restore the representation "as authored"
        let offset = (+(this.#offset.slice(1, 3)) * 60) + +(this.#offset.slice(4, 6));
        offset = this.#offset[0] === '-' ? offset : -offset;
        let offsetDate = new Date(this.getTime() - (offset * 60e3));
        return offsetDate.toISOString().slice(0, -1) + this.#offset;
    }
    static wrapAsOffsetDateTime(jsDate, offset = 'Z') {
        let date = new TomlDate(jsDate);
        date.#offset = offset;
        return date;
    }
    static wrapAsLocalDateTime(jsDate) {
        let date = new TomlDate(jsDate);
        date.#offset = null;
        return date;
    }
    static wrapAsLocalDate(jsDate) {
        let date = new TomlDate(jsDate);
        date.#hasTime = false;
        date.#offset = null;
        return date;
    }
    static wrapAsLocalTime(jsDate) {
        let date = new TomlDate(jsDate);
        date.#hasDate = false;
        date.#offset = null;
        return date;
    }
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/extract.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */




function isDigit(char, base = 10) {
    return base === 16
        ? (char > 0x2f && char < 0x3a) || (char > 0x40 && char < 0x47) || (char > 0x60 && char < 0x67)
        : (char > 0x2f && char < 0x30 + base);
}
function isEndOfValue(char, delim) {
    // Whitespace -- we're permissive on `\r` for performance; it'll be dealt with later anyway
    return char === 0x20 || char === 0x9 /* \t */ || char === 0xa /* \n */ || char === 0xd /* \r */ ||
        // Structure end or next value delimiter
        (delim && (char === delim || char === 0x2c /* , */)) ||
        // Comment
        char === 0x23; /* # */
}
/** @internal */
function extractValue(ctx, end) {
    let errPtr = ctx.p;
    let c = ctx.s.charCodeAt(ctx.p);
    // Structs
    if (c === 0x5b /* [ */ || c === 0x7b /* { */) {
        ctx.d-- || TomlError.x('document contains excessively nested structures. aborting.', ctx);
        let value = c === 0x5b /* [ */
            ? parseArray(ctx)
            : parseInlineTable(ctx);
        ctx.d++;
        return value;
    }
    // Strings
    if (c === 0x22 /* " */ || c === 0x27 /* ' */) {
        return parseString(ctx);
    }
    // Booleans
    // We can fast-path because the first character is enough to know the only possible value
    if (c === 0x74 /* t */) { // Only possible valid value is `true`
        if (ctx.s.charCodeAt(++ctx.p) !== 0x72 || ctx.s.charCodeAt(++ctx.p) !== 0x75 || ctx.s.charCodeAt(++ctx.p) !== 0x65)
            TomlError.x('invalid value', ctx, errPtr);
        return ctx.p++, true;
    }
    if (c === 0x66 /* f */) { // Only possible valid value is `false`
        if (ctx.s.charCodeAt(++ctx.p) !== 0x61 || ctx.s.charCodeAt(++ctx.p) !== 0x6c || ctx.s.charCodeAt(++ctx.p) !== 0x73 || ctx.s.charCodeAt(++ctx.p) !== 0x65)
            TomlError.x('invalid value', ctx, errPtr);
        return ctx.p++, false;
    }
    if (c === 0x2b /* + */ || c === 0x2d /* - */) {
        return parseNumber(ctx, ctx.p, ctx.s.charCodeAt(++ctx.p), 0x2c - c, end);
    }
    // Rough heuristic, but `parseDate` falls back to number parsing if it's a false positive.
    // e.g.: `a = 1\n-------------- = 1` would match this heuristic, but gracefully fallback to numbers.
    if (ctx.s.charCodeAt(ctx.p + 4) === 0x2d /* - */ && ctx.s.charCodeAt(ctx.p + 7) === 0x2d /* - */) {
        return parseDate(ctx, c, end);
    }
    // Same logic as above; `parseTime` falls back to number parsing if it's a false positive.
    if (ctx.s.charCodeAt(ctx.p + 2) === 0x3a /* : */) {
        return parseTime(ctx, c, end);
    }
    return parseNumber(ctx, ctx.p, c, 0, end);
}
// State:
// 0: init
// 1: integer
// 2: fractional dot
// 3: fractional
// 4: exponent letter
// 5: exponent
// 6: exponent sign
// 7: exponent with sign
// >9: underscore; see below
//     -> 12: was integer
//     -> 14: was fractional
//     -> 16: was exponent
// states 2-5, 14, 16 are ONLY permitted iif base === 10
function parseNumber(ctx, startPtr, startChr, sign, endChr) {
    let c = startChr;
    let state = 0;
    let hasUnderscores = false;
    // (+/-)inf
    if (c === 0x69 /* i */) {
        if (ctx.s.charCodeAt(++ctx.p) !== 0x6e || ctx.s.charCodeAt(++ctx.p) !== 0x66)
            TomlError.x('invalid value', ctx, startPtr);
        return ctx.p++, (sign || 1) / 0;
    }
    // (+/-)nan
    if (c === 0x6e /* n */) {
        if (ctx.s.charCodeAt(++ctx.p) !== 0x61 || ctx.s.charCodeAt(++ctx.p) !== 0x6e)
            TomlError.x('invalid value', ctx, startPtr);
        return ctx.p++, NaN;
    }
    // Leading zero
    // Only allowed cases: `0<EOV>`, `0.(...)`, `0e(...)`, `0x(...)`, `0b(...)`, `0o(...)`
    // FWIW, `0e(...)` is a stupid case, but it's not banned per-se so we have to parse it
    if (c === 0x30 /* 0 */) {
        if (++ctx.p >= ctx.s.length || isEndOfValue(c = ctx.s.charCodeAt(ctx.p), endChr))
            return ctx.bi === true ? 0n : 0; // note: conveniently deals with `-0`
        if (!sign) {
            if (c === 0x78 /* x */)
                return parseIntegerBaseN(ctx, startPtr, 16, endChr);
            else if (c === 0x62 /* b */)
                return parseIntegerBaseN(ctx, startPtr, 2, endChr);
            else if (c === 0x6f /* o */)
                return parseIntegerBaseN(ctx, startPtr, 8, endChr);
        }
        if (c === 0x2e /* . */)
            state = 2;
        else if (c === 0x65 /* e */ || c === 0x45 /* E */)
            state = 4;
        else
            TomlError.x('illegal leading zero', ctx, startPtr);
    }
    // If the 1st char is not a digit by now, then it's not a valid TOML value at all
    else if (!isDigit(c))
        TomlError.x('invalid value', ctx, startPtr);
    while (++ctx.p < ctx.s.length && (c = ctx.s.charCodeAt(ctx.p), !isEndOfValue(c, endChr))) {
        if (!state)
            state = 1; // Detects single-digit numbers we can use a fast parse path for
        // The way the states are numbered is not random: underscores are always permitted in odd-numbered states and
        // never permitted in even-numbered ones.
        if (c === 0x5f /* _ */) {
            if (!(state & 1))
                TomlError.x('illegal underscore', ctx);
            state += 11; // 11 is a marker that makes the state even and greater than 9; see the numbering + rationale above
            hasUnderscores = true;
        }
        // Transition to fractional part.
        else if (state === 1 && c === 0x2e /* . */)
            state = 2;
        // Transition to exponent part.
        else if ((state === 1 || state === 3) && (c === 0x65 /* e */ || c === 0x45 /* E */))
            state = 4;
        // + and - are permitted in state 4 only (handled before entering the function for state 0)
        else if (state === 4 && (c === 0x2b /* + */ || c === 0x2d /* - */)) {
            state = 6;
        }
        // All special cases have been handled; only digits are allowed here
        else if (!isDigit(c))
            TomlError.x(`illegal character in numeric literal`, ctx);
        // Clear state flags
        else if (state > 9)
            state -= 11;
        else if (!(state & 1))
            state++;
    }
    // Single-char number; we can fast-path these very easily.
    if (!state) {
        let val = (startChr - 0x30 /* 0 */) * (sign || 1);
        return ctx.bi === true ? BigInt(val) : val;
    }
    // Even-numbered states absolutely require a digit next; not even end of value is permitted
    if (!(state & 1))
        TomlError.x('unfinished numeric value', ctx, startPtr);
    let str = ctx.s.slice(startPtr, ctx.p);
    if (hasUnderscores)
        str = str.replaceAll('_', ''); // perf: replaceAll 1.25x faster than replace with a regex
    return state > 1
        ? parseFloat(str)
        : parseInteger(ctx, str, 10, startPtr);
}
function parseIntegerBaseN(ctx, startPtr, base, endChr) {
    let c, underscore = 1;
    while (++ctx.p < ctx.s.length && (c = ctx.s.charCodeAt(ctx.p), !isEndOfValue(c, endChr))) {
        if (c === 0x5f /* _ */) {
            if (underscore & 1)
                TomlError.x('illegal underscore', ctx);
            underscore = 3;
        }
        // We only need to check if the number is a valid digit, nothing else is permitted
        else if (!isDigit(c, base))
            TomlError.x(`illegal character in numeric literal`, ctx);
        // Clear underscore flag
        else if (underscore & 1)
            underscore--;
    }
    // Trailing underscore is not allowed
    if (underscore & 1)
        TomlError.x('unfinished numeric value', ctx);
    let str = ctx.s.slice(startPtr + 2, ctx.p);
    if (underscore)
        str = str.replaceAll('_', ''); // perf: replaceAll 1.25x faster than replace with a regex
    return parseInteger(ctx, str, base, startPtr);
}
function parseInteger(ctx, str, base, startPtr) {
    if (ctx.bi !== true)
        int: {
            let val = parseInt(str, base);
            if (!Number.isSafeInteger(val)) {
                if (ctx.bi)
                    break int;
                TomlError.x('integer value cannot be represented losslessly', ctx, startPtr);
            }
            return val;
        }
    return base === 10 ? BigInt(str) : BigInt((base === 2 ? '0b' : base === 8 ? '0o' : '0x') + str);
}
function parseDate(ctx, c, endChr) {
    let startPtr = ctx.p++, unsafeSeparator;
    if (!isDigit(c) ||
        !isDigit(ctx.s.charCodeAt(ctx.p++)) ||
        !isDigit(ctx.s.charCodeAt(ctx.p++)) ||
        !isDigit(ctx.s.charCodeAt(ctx.p++))) {
        return parseNumber(ctx, ctx.p = startPtr, c, 0, endChr);
    }
    ctx.p += 5;
    if (!isDigit(ctx.s.charCodeAt(ctx.p++)))
        TomlError.x('invalid date-time: date part is malformed', ctx, startPtr);
    if (ctx.p >= ctx.s.length || (((c = ctx.s.charCodeAt(ctx.p)) !== 0x20 || (unsafeSeparator = true, !isDigit(ctx.s.charCodeAt(ctx.p + 1)))) && c !== 0x54 /* T */ && c !== 0x74 /* t */)) {
        let t = ctx.s.slice(startPtr, ctx.p);
        return readDate(ctx, t, 3, false, startPtr);
    }
    if (ctx.s.charCodeAt(ctx.p += 3) !== 0x3a /* : */)
        TomlError.x('invalid date-time: time part is malformed', ctx, startPtr);
    if (ctx.s.charCodeAt(ctx.p += 3) === 0x3a /* : */)
        ctx.p += 3;
    if (ctx.s.charCodeAt(ctx.p) === 0x2e /* . */)
        while (isDigit(ctx.s.charCodeAt(++ctx.p)))
            ;
    if (c = ctx.s.charCodeAt(ctx.p)) {
        if (c === 0x5a /* Z */ || c === 0x7a /* z */) {
            let t = ctx.s.slice(startPtr, ++ctx.p);
            return readDate(ctx, t, 1, unsafeSeparator, startPtr, '[+00:00]');
        }
        if (c === 0x2b /* + */ || c === 0x2d /* - */) {
            // Temporal's ZonedDateTime is weird asf when it comes to dealing with traditional offsets...
            // It's 1.2x faster to allocate a new string to pass to ZDT than use Instant.toZonedDateTimeISO
            let t = ctx.s.slice(startPtr, ctx.p += 6);
            return readDate(ctx, t, 1, unsafeSeparator, startPtr, !ctx.ld && ('[' + ctx.s.slice(ctx.p - 6, ctx.p) + ']'));
        }
    }
    let t = ctx.s.slice(startPtr, ctx.p);
    return readDate(ctx, t, 2, unsafeSeparator, startPtr);
}
function parseTime(ctx, c, endChr) {
    let start = ctx.p;
    if (!isDigit(c) || !isDigit(ctx.s.charCodeAt(++ctx.p))) {
        return parseNumber(ctx, --ctx.p, c, 0, endChr);
    }
    if (ctx.s.charCodeAt(ctx.p += 4) === 0x3a /* : */)
        ctx.p += 3;
    if (ctx.s.charCodeAt(ctx.p) === 0x2e /* . */)
        while (isDigit(ctx.s.charCodeAt(++ctx.p)))
            ;
    let t = ctx.s.slice(start, ctx.p);
    return readDate(ctx, t, 4, false, start);
}
function readDate(ctx, str, type, unsafeDelim, errPtr, temporalSuffix) {
    if (ctx.ld) {
        let date = new TomlDate(str, type, unsafeDelim);
        if (!date.isValid())
            TomlError.x('invalid date', ctx, errPtr);
        return date;
    }
    try {
        if (temporalSuffix)
            str += temporalSuffix;
        switch (type) {
            case 1: return Temporal.ZonedDateTime.from(str);
            case 2: return Temporal.PlainDateTime.from(str);
            case 3: return Temporal.PlainDate.from(str);
            case 4: return Temporal.PlainTime.from(str);
        }
    }
    catch (e) {
        TomlError.x(e instanceof Error ? e.message : '' + e, ctx, errPtr);
    }
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/util.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */

/** @internal */
function skipComment(ctx) {
    for (; ctx.p < ctx.s.length; ctx.p++) {
        let c = ctx.s.charCodeAt(ctx.p);
        if (c === 0xa /* \n */)
            break;
        if (c === 0xd /* \r */ && ctx.s.charCodeAt(ctx.p + 1) === 0xa /* \n */) {
            ctx.p++;
            break;
        }
        if ((c < 0x20 && c !== 0x9 /* \t */) || c === 0x7f) {
            TomlError.x('control characters are not allowed in comments', ctx);
        }
    }
}
/** @internal */
function skipVoid(ctx, banNewLines, banComments) {
    let c;
    while (ctx.p < ctx.s.length) {
        while (ctx.p < ctx.s.length && ((c = ctx.s.charCodeAt(ctx.p)) === 0x20 ||
            c === 0x9 /* \t */ ||
            (!banNewLines &&
                (c === 0xa /* \n */ || (c === 0xd /* \r */ && ctx.s.charCodeAt(ctx.p + 1) === 0xa /* \n */)))))
            ctx.p++;
        if (banComments || c !== 0x23 /* # */)
            break;
        skipComment(ctx);
    }
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/struct.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */




/** @internal */
function parseKey(ctx, end = 0x3d /* = */) {
    // States:
    // 0: before first char
    // 1: parsing bare key
    // 2: after key component
    let startPtr;
    let state = 0;
    let parsed = [];
    let sliceStart;
    let c = ctx.s.charCodeAt(startPtr = ctx.p);
    do {
        // End of key
        if (c === end) {
            if (!state)
                TomlError.x('unexpected end of key', ctx);
            if (state === 1)
                parsed.push(ctx.s.slice(sliceStart, ctx.p));
            return ctx.p++, parsed;
        }
        // Dotted key separator
        else if (c === 0x2e /* . */) {
            if (!state)
                TomlError.x('illegal empty bare key', ctx);
            if (state === 1)
                parsed.push(ctx.s.slice(sliceStart, ctx.p));
            state = 0;
        }
        // Quoted key
        else if (!state && (c === 0x22 /* " */ || c === 0x27 /* ' */)) {
            if (c === ctx.s.charCodeAt(ctx.p + 1) && c === ctx.s.charCodeAt(ctx.p + 2))
                TomlError.x('illegal quoted key: multiline strings are not allowed', ctx);
            parsed.push(parseString(ctx));
            state = 2;
            ctx.p--;
        }
        // Whitespace; no-op in state 0 and 2, end of bare key in state 1
        else if (c === 0x20 || c === 0x9 /* \t */) {
            if (state === 1) {
                parsed.push(ctx.s.slice(sliceStart, ctx.p));
                state = 2;
            }
        }
        // If state is post-key, no character is allowed; otherwise ensure it's a bare-key component
        else if (state === 2 || (c < 0x30 && c !== 0x2d /* - */) || (c > 0x39 && c < 0x41) || (c > 0x5a && c < 0x61 && c !== 0x5f /* _ */) || c > 0x7a) {
            TomlError.x('illegal character in key', ctx);
        }
        // Illegal character
        else if (!state) {
            state = 1;
            sliceStart = ctx.p;
        }
    } while (c = ctx.s.charCodeAt(++ctx.p));
    TomlError.x('incomplete key-value: cannot find end of key', ctx, startPtr);
}
/** @internal */
function parseInlineTable(ctx) {
    let startPtr = ctx.p++;
    let res = Object.create(null);
    let seen = new Set();
    let c;
    while (ctx.p < ctx.s.length) {
        skipVoid(ctx);
        if ((c = ctx.s.charCodeAt(ctx.p)) === 0x7d /* } */) {
            ctx.p++;
            return res;
        }
        let k;
        let t = res;
        let hasOwn = false;
        let errPtr = ctx.p;
        let key = parseKey(ctx);
        for (let i = 0; i < key.length; i++) {
            if (i)
                t = hasOwn ? t[k] : (t[k] = Object.create(null));
            k = key[i];
            if ((hasOwn = Object.hasOwn(t, k)) && (typeof t[k] !== 'object' || seen.has(t[k]))) {
                TomlError.x('trying to redefine an already defined value', ctx, errPtr);
            }
            let unsafe = k === '__proto__';
            if (ctx.uk && (unsafe || k === 'constructor')) {
                t = ctx.uk !== 1 && TomlError.x('document contains an unsafe property', ctx, errPtr);
                break;
            }
            if (!hasOwn && unsafe) {
                Object.defineProperty(t, k, { enumerable: true, configurable: true, writable: true });
            }
        }
        if (hasOwn) {
            TomlError.x('trying to redefine an already defined value', ctx, errPtr);
        }
        skipVoid(ctx, true, true);
        let value = extractValue(ctx, 0x7d /* } */);
        if (t && typeof (t[k] = value) === 'object')
            seen.add(value);
        skipVoid(ctx);
        if ((c = ctx.s.charCodeAt(ctx.p++)) === 0x7d /* } */) {
            return res;
        }
        if (c !== 0x2c /* , */)
            TomlError.x('expected comma or end of structure', ctx, ctx.p - 1);
    }
    TomlError.x('unfinished table', ctx, startPtr);
}
/** @internal */
function parseArray(ctx) {
    let startPtr = ctx.p++;
    let res = [];
    let c;
    while (ctx.p < ctx.s.length) {
        skipVoid(ctx);
        if ((c = ctx.s.charCodeAt(ctx.p)) === 0x5d /* ] */) {
            ctx.p++;
            return res;
        }
        res.push(extractValue(ctx, 0x5d /* ] */));
        skipVoid(ctx);
        if ((c = ctx.s.charCodeAt(ctx.p++)) === 0x5d /* ] */) {
            return res;
        }
        if (c !== 0x2c /* , */)
            TomlError.x('expected comma or end of structure', ctx, ctx.p - 1);
    }
    TomlError.x('unfinished array', ctx, startPtr);
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/parse.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */




function peekTable(ctx, key, table, meta, type) {
    let t = table;
    let m = meta;
    let k;
    let hasOwn = false;
    let state;
    for (let i = 0; i < key.length; i++) {
        if (i) {
            t = hasOwn ? t[k] : (t[k] = Object.create(null));
            m = (state = m[k]).c;
            if (type === 0 /* Type.DOTTED */ && (state.t === 1 /* Type.EXPLICIT */ || state.t === 2 /* Type.ARRAY */)) {
                return null;
            }
            if (state.t === 2 /* Type.ARRAY */) {
                let l = t.length - 1;
                t = t[l];
                m = m[l].c;
            }
        }
        k = key[i];
        if ((hasOwn = Object.hasOwn(t, k)) && m[k]?.t === 0 /* Type.DOTTED */ && m[k]?.d) {
            return null;
        }
        if (!hasOwn) {
            let unsafe = k === '__proto__';
            if (ctx.uk && (unsafe || k === 'constructor'))
                return false;
            if (unsafe) {
                Object.defineProperty(t, k, { enumerable: true, configurable: true, writable: true });
                Object.defineProperty(m, k, { enumerable: true, configurable: true, writable: true });
            }
            m[k] = {
                t: i < key.length - 1 && type === 2 /* Type.ARRAY */
                    ? 3 /* Type.ARRAY_DOTTED */ : type,
                d: false,
                i: 0,
                c: Object.create(null),
            };
        }
    }
    state = m[k];
    if (state.t !== type && !(type === 1 /* Type.EXPLICIT */ && state.t === 3 /* Type.ARRAY_DOTTED */)) {
        // Bad key type!
        return null;
    }
    if (type === 2 /* Type.ARRAY */) {
        if (!state.d) {
            state.d = true;
            t[k] = [];
        }
        t[k].push(t = Object.create(null));
        state.c[state.i++] = (state = { t: 1 /* Type.EXPLICIT */, d: false, i: 0, c: Object.create(null) });
    }
    if (state.d) {
        // Redefining a table!
        return null;
    }
    state.d = true;
    if (type === 1 /* Type.EXPLICIT */) {
        t = hasOwn ? t[k] : (t[k] = Object.create(null));
    }
    else if (type === 0 /* Type.DOTTED */ && hasOwn) {
        return null;
    }
    return [k, t, state.c];
}
function validateTablePeek(ctx, peek, ptr) {
    if (peek === null || ctx.uk === 2)
        TomlError.x(peek === null
            ? 'trying to redefine an already defined table or value'
            : 'document contains an unsafe property', ctx, ptr);
}
function parse_parse(toml, options = {}) {
    let ctx = {
        s: toml,
        p: 0,
        d: options.maxDepth ?? 1000,
        bi: options.integersAsBigInt ?? false,
        ld: options.useLegacyDate ?? true,
        uk: options.unsafeKeyBehaviour === 'throw' ? 2 : options.unsafeKeyBehaviour === 'drop' ? 1 : 0,
    };
    let res = Object.create(null);
    let meta = Object.create(null);
    let tmp;
    let skipping = false;
    let tbl = res;
    let m = meta;
    // BOM is allowed, skip.
    // JS is UTF-16, so we have to check for the UTF-16 BOM instead of the UTF-8 BOM sequence!
    if (toml.charCodeAt(0) === 0xfeff)
        ctx.p++;
    skipVoid(ctx);
    while (ctx.p < toml.length) {
        if (toml.charCodeAt(ctx.p) === 0x5b /* [ */) {
            let isTableArray = toml.charCodeAt(++ctx.p) === 0x5b; /* [ */
            tmp = ctx.p += +isTableArray;
            skipping = false;
            let k = parseKey(ctx, 0x5d /* ] */);
            if (isTableArray) {
                if (toml.charCodeAt(ctx.p) !== 0x5d /* ] */) {
                    TomlError.x('expected end of table array declaration', ctx);
                }
                ctx.p++;
            }
            let p = peekTable(ctx, k, res, meta, isTableArray ? 2 /* Type.ARRAY */ : 1 /* Type.EXPLICIT */);
            if (!p) {
                validateTablePeek(ctx, p, tmp);
                skipping = true;
            }
            else {
                m = p[2];
                tbl = p[1];
            }
        }
        else {
            tmp = ctx.p;
            let k = parseKey(ctx);
            let p = peekTable(ctx, k, tbl, m, 0 /* Type.DOTTED */);
            if (!p && !skipping)
                validateTablePeek(ctx, p, tmp);
            skipVoid(ctx, true, true);
            let v = extractValue(ctx, void 0);
            if (p && !skipping)
                p[1][p[0]] = v;
        }
        skipVoid(ctx, true);
        if (ctx.p < toml.length && (tmp = toml.charCodeAt(ctx.p)) !== 0xa /* \n */ && (tmp !== 0xd /* \r */ || toml.charCodeAt(ctx.p + 1) !== 0xa /* \n */)) {
            TomlError.x('each key-value declaration must be followed by an end-of-line', ctx);
        }
        skipVoid(ctx);
    }
    return res;
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/stringify.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */
let BARE_KEY = /^[a-z0-9-_]+$/i;
let HAS_WELLFORMED = !!(''.isWellFormed);
function extendedTypeOf(obj) {
    let type = typeof obj;
    if (type === 'object') {
        if (Array.isArray(obj))
            return 'array';
        if (typeof obj.getUTCDate === 'function' && obj instanceof Date)
            return 'date';
        if (globalThis.Temporal) {
            if (obj.until) {
                if (obj instanceof Temporal.ZonedDateTime)
                    return 'temporal/tz+uc';
                if (obj instanceof Temporal.PlainDateTime || obj instanceof Temporal.PlainDate)
                    return 'temporal/uc';
                if (obj instanceof Temporal.PlainTime || obj instanceof Temporal.Instant)
                    return 'temporal';
                if (obj instanceof Temporal.PlainYearMonth)
                    return 'temporal/x';
            }
            else if ((obj.toPlainDate && obj instanceof Temporal.PlainMonthDay) ||
                (obj.negated && obj instanceof Temporal.Duration)) {
                return 'temporal/x';
            }
        }
    }
    return type;
}
function isArrayOfTables(obj) {
    for (let i = 0; i < obj.length; i++) {
        if (extendedTypeOf(obj[i]) !== 'object')
            return false;
    }
    return obj.length != 0;
}
function formatWellFormedStringUnchecked(s) {
    return JSON.stringify(s).replaceAll('\x7f', '\\u007f');
}
function formatString(s) {
    return formatWellFormedStringUnchecked(HAS_WELLFORMED ? s.toWellFormed() : s);
}
function formatKey(s) {
    if (BARE_KEY.test(s))
        return s;
    if (HAS_WELLFORMED && !s.isWellFormed())
        throw new RangeError('key contains illegal lone surrogates');
    return formatWellFormedStringUnchecked(s);
}
function stringifyValue(val, type, depth, numberAsFloat, strictTemporal) {
    if (depth === 0) {
        throw new Error('Could not stringify the object: maximum object depth exceeded');
    }
    switch (type) {
        // @ts-expect-error -- intentional fallthrough case
        case 'number':
            if (isNaN(val))
                return 'nan';
            if (val === Infinity)
                return 'inf';
            if (val === -Infinity)
                return '-inf';
            if (Number.isInteger(val) && (numberAsFloat || !Number.isSafeInteger(val)))
                return val.toFixed(1);
        case 'bigint':
        case 'boolean':
        case 'temporal':
            return val.toString();
        case 'string':
            return formatString(val);
        case 'date':
            if (isNaN(val.getTime()))
                throw new TypeError('cannot serialize invalid date');
            return val.toISOString();
        case 'object':
            return stringifyInlineTable(val, depth, numberAsFloat, strictTemporal);
        case 'array':
            return stringifyArray(val, depth, numberAsFloat, strictTemporal);
        // @ts-expect-error -- intentional fallthrough case
        case 'temporal/tz+uc':
            if (strictTemporal) {
                let tz = val.timeZoneId;
                let tzc = tz.charCodeAt(0);
                if (
                // Classic offset
                tzc !== 0x2b /* + */ && tzc !== 0x2d /* - */ &&
                    (
                    // Fast pre-check pass; see below for the actually accepted values
                    (tzc !== 0x55 /* U */ && tzc !== 0x47 /* G */ && tzc !== 0x5a /* Z */ && tzc !== 0x45 /* E */) ||
                        (
                        // UTC and its aliases; Temporal implementations don't all canonicalise unfortunately
                        tz !== 'UTC' && tz !== 'UCT' && tz !== 'Universal' && tz !== 'Zulu' &&
                            // GMT is a TZ but it's for all intents and purposes equivalent to UTC. Safe to downgrade.
                            !tz.startsWith('GMT') && tz !== 'Greenwich' &&
                            // Etc/* are all safe to downgrade to offset (either UTC, GMT, or offset)
                            !tz.startsWith('Etc/')))) {
                    throw new TypeError('Temporal objects with an IANA timezone are not allowed in Temporal strict mode');
                }
            }
        case 'temporal/uc':
            if (strictTemporal && val.calendarId !== 'iso8601')
                throw new TypeError('Temporal objects with a non-default calendar are not allowed in Temporal strict mode');
            return val.toString({
                calendarName: 'never',
                timeZoneName: 'never',
            });
        case 'temporal/x':
            throw new TypeError('Unsupported ' + val[Symbol.toStringTag]);
    }
}
function stringifyInlineTable(obj, depth, numberAsFloat, strictTemporal) {
    let keys = Object.keys(obj);
    if (keys.length === 0)
        return '{}';
    let res = '{ ';
    for (let i = 0; i < keys.length; i++) {
        let k = keys[i];
        if (i)
            res += ', ';
        res += formatKey(k) + ' = ' + stringifyValue(obj[k], extendedTypeOf(obj[k]), depth - 1, numberAsFloat, strictTemporal);
    }
    return res + ' }';
}
function stringifyArray(array, depth, numberAsFloat, strictTemporal) {
    if (array.length === 0)
        return '[]';
    let res = '[ ';
    for (let i = 0; i < array.length; i++) {
        if (i)
            res += ', ';
        if (array[i] === null || array[i] === void 0) {
            throw new TypeError('arrays cannot contain null or undefined values');
        }
        res += stringifyValue(array[i], extendedTypeOf(array[i]), depth - 1, numberAsFloat, strictTemporal);
    }
    return res + ' ]';
}
function stringifyArrayTable(array, key, depth, numberAsFloat, strictTemporal) {
    if (depth === 0) {
        throw new Error('Could not stringify the object: maximum object depth exceeded');
    }
    let res = '';
    for (let i = 0; i < array.length; i++) {
        res += `${res && '\n'}[[${key}]]\n`;
        res += stringifyTable(0, array[i], key, depth, numberAsFloat, strictTemporal);
    }
    return res;
}
function stringifyTable(tableKey, obj, prefix, depth, numberAsFloat, strictTemporal) {
    if (depth === 0) {
        throw new Error('Could not stringify the object: maximum object depth exceeded');
    }
    let preamble = '';
    let tables = '';
    let keys = Object.keys(obj);
    for (let i = 0; i < keys.length; i++) {
        let k = keys[i];
        if (obj[k] !== null && obj[k] !== void 0) {
            let type = extendedTypeOf(obj[k]);
            if (type === 'symbol' || type === 'function') {
                throw new TypeError(`cannot serialize values of type '${type}'`);
            }
            let key = formatKey(k);
            if (type === 'array' && isArrayOfTables(obj[k])) {
                tables += (tables && '\n') + stringifyArrayTable(obj[k], prefix ? `${prefix}.${key}` : key, depth - 1, numberAsFloat, strictTemporal);
            }
            else if (type === 'object') {
                let tblKey = prefix ? `${prefix}.${key}` : key;
                tables += (tables && '\n') + stringifyTable(tblKey, obj[k], tblKey, depth - 1, numberAsFloat, strictTemporal);
            }
            else {
                preamble += key;
                preamble += ' = ';
                preamble += stringifyValue(obj[k], type, depth, numberAsFloat, strictTemporal);
                preamble += '\n';
            }
        }
    }
    if (tableKey && (preamble || !tables)) // Create table only if necessary
        preamble = preamble ? `[${tableKey}]\n${preamble}` : `[${tableKey}]`;
    return preamble && tables
        ? `${preamble}\n${tables}`
        : preamble || tables;
}
function stringify(obj, { maxDepth = 1000, numbersAsFloat = false, strictTemporal = false } = {}) {
    if (extendedTypeOf(obj) !== 'object') {
        throw new TypeError('stringify can only be called with an object');
    }
    let str = stringifyTable(0, obj, '', maxDepth, numbersAsFloat, strictTemporal);
    if (str[str.length - 1] !== '\n')
        return str + '\n';
    return str;
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/index.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */





/** @deprecated use `import * as ... from 'smol-toml'` instead */
/* harmony default export */ const dist = ({ parse: parse_parse, stringify: stringify, TomlDate: TomlDate, TomlError: TomlError });

;// CONCATENATED MODULE: ./build/js/app/project/project-config.js
// Reads a project's wasmrun.toml. Used by mode.ts before anything is started, and by staging.ts for the copy.





const CONFIG_FILE = 'wasmrun.toml';
const Limit = optional(pipe(number(), integer(), minValue(0)));
/** The keys that are read here; wasmrun itself checks all others. */
const ConfigSchema = looseObject({
    os: optional(looseObject({
        entry: optional(pipe(string(), check(entry => !leadsOut(entry), 'it leads out of the project; give a path in it'))),
        limits: optional(looseObject({ max_memory_mb: Limit, max_output_mb: Limit })),
        network: optional(looseObject({
            deny: optional(array(string())),
            bind_ports: optional(string()),
            max_connections: Limit,
            max_bandwidth_mbps: Limit,
        })),
    })),
});
/** The folder's wasmrun.toml; an empty one if there is none. Throws an InputError if it is broken. */
function readProjectConfig(folder) {
    return parseProjectConfig(readProjectFile(folder, CONFIG_FILE) ?? '');
}
/** Throws an InputError that names the line, or each key that is wrong. */
function parseProjectConfig(text) {
    const result = safeParse(ConfigSchema, parseToml(text));
    if (result.success)
        return result.output;
    throw new errors_InputError(result.issues.map(issue => `path: wasmrun.toml: ${getDotPath(issue) ?? 'the file'} is wrong: ${sanitise_sanitise(issue.message)}`));
}
function parseToml(text) {
    try {
        return parse_parse(text);
    }
    catch (cause) {
        const place = cause instanceof TomlError ? ` (line ${cause.line}, column ${cause.column})` : '';
        const reason = sanitise_sanitise(errors_describeError(cause).split('\n')[0] ?? '');
        throw new errors_InputError(`path: wasmrun.toml cannot be read${place}: ${reason}; correct the file`, {
            cause,
        });
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/start-page.js
// The page that a built web app begins with, and where it is if `path` is one folder too high. Used by mode.ts and by
// the files of web.



/** In this order. Builds of apps with only one page (SvelteKit) may write no index.html. */
const START_PAGES = ['index.html', '200.html'];
/** Where frameworks write their build, relative to the project; `*` is the app's name (Angular). */
const BUILT_FOLDERS = [
    'dist',
    'build',
    'out',
    'dist/browser',
    'dist/*/browser',
    'dist/*',
    'dist/client',
    'build/client',
    'build/web',
    'build/dist/js/productionExecutable',
    'browser',
    'client',
    '.output/public',
    'www',
    '_site',
    'site',
    'public',
    'storybook-static',
    '.vitepress/dist',
    'docs/.vitepress/dist',
    'docs/build',
    'docs',
];
/** More than any page with its scripts in one file needs to show what it loads. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Create React App's, Vue CLI's and webpack's source of a page. */
const SOURCE_MARK = /%PUBLIC_URL%|<%/;
/** The name of the start page in `folder`; undefined if there is none. */
function findStartPage(folder) {
    return START_PAGES.find(name => isFile((0,external_node_path_.join)(folder, name)));
}
/** The text of a page or script, without byte order mark; of a very long one, only its start. Throws if it cannot be read. */
function readPageText(path) {
    const file = (0,external_node_fs_namespaceObject.openSync)(path, 'r');
    try {
        const bytes = Buffer.alloc(MAX_PAGE_BYTES);
        return bytes.toString('utf8', 0, (0,external_node_fs_namespaceObject.readSync)(file, bytes, 0, MAX_PAGE_BYTES, 0)).replace(/^\ufeff/, '');
    }
    finally {
        (0,external_node_fs_namespaceObject.closeSync)(file);
    }
}
/** The folder below `project` (`dist`, `dist/app/browser`) that has a built page; undefined if none has. */
function findBuiltFolder(project) {
    return BUILT_FOLDERS.flatMap(folder => start_page_expand(project, folder)).find(folder => {
        const page = findStartPage((0,external_node_path_.join)(project, folder));
        return page !== undefined && !SOURCE_MARK.test(readPageText((0,external_node_path_.join)(project, folder, page)));
    });
}
function start_page_expand(project, folder) {
    const [before, after] = folder.split('*');
    if (before === undefined || after === undefined)
        return [folder];
    try {
        return (0,external_node_fs_namespaceObject.readdirSync)((0,external_node_path_.join)(project, before)).map(name => `${before}${name}${after}`);
    }
    catch {
        return [];
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/mode.js
// Chooses the mode of an app, and checks that its path suits it. Used by inputs before anything starts.









/** Chooses and checks the mode. Throws an InputError that says what was looked for, or which inputs contradict. */
function chooseMode(input) {
    const path = sanitise_sanitise(input.path);
    const found = statPath(input.path);
    if (found === undefined)
        throw new errors_InputError(`path: ${path} does not exist; was it built in an earlier step?`);
    const service = input.port === undefined ? 'command' : 'port';
    if (input.port === undefined && input.command === undefined) {
        const choice = input.mode === 'auto' ? findMode(input.path, found) : checkMode(input.mode, input.path, found);
        checkProjectFiles(choice.mode, input.path);
        const warning = choice.mode === 'exec' ? checkExecFile(input.path) : undefined;
        return { ...choice, ...(warning !== undefined && { warning }) };
    }
    if (input.mode !== 'auto' && input.mode !== 'port')
        throw new errors_InputError(`mode: ${input.mode} contradicts \`${service}\`, which means mode: port; leave one of the two out`);
    if (input.command !== undefined && !found.isDirectory())
        throw new errors_InputError(`path: ${path} is not a folder, and \`command\` runs in it; give a folder`);
    return { mode: 'port', reason: `\`${service}\` is given` };
}
function findMode(path, found) {
    if (found.isFile() && path.endsWith('.wasm'))
        return { mode: 'exec', reason: 'the path is a .wasm file' };
    if (!found.isDirectory()) {
        checkOtherName(path, found);
        throw new errors_InputError(`path: ${sanitise_sanitise(path)} is neither a folder nor a .wasm file; give one of them`);
    }
    const program = mode_findProgram(path);
    if (program !== undefined)
        return { mode: 'os', reason: program };
    const page = findStartPage(path);
    if (page !== undefined)
        return { mode: 'web', reason: `the folder has ${page === 'index.html' ? 'an' : 'a'} ${page}` };
    throw new errors_InputError(`path: nothing to run in ${sanitise_sanitise(path)}. Looked for [os] in wasmrun.toml, \`main\` of package.json and ` +
        `${ENTRY_FILES.join(', ')} (mode: os), and for index.html (mode: web). ` +
        `Give the folder that has one of them, a .wasm file${listWasmFiles(path)}, or \`port\` or \`command\`${suggestBuiltFolder(path)}`);
}
const ANGULAR_PAGE = 'index.csr.html';
/** The rest of a sentence: people often give the project instead of its build. */
function suggestBuiltFolder(project) {
    if (isFile((0,external_node_path_.join)(project, ANGULAR_PAGE)))
        return `; ${ANGULAR_PAGE} is Angular's page without server rendering: copy it to index.html`;
    const folder = findBuiltFolder(project);
    return folder === undefined ? '' : `; ${sanitise_sanitise(folder)} has a built page: is it the \`path\`?`;
}
/** ` (app.wasm)`: a program that was built into the folder. */
function listWasmFiles(folder) {
    const names = (0,external_node_fs_namespaceObject.readdirSync)(folder).filter(name => name.endsWith('.wasm'));
    return names.length === 0 ? '' : ` (${sanitise_sanitise(names.sort().join(', '))})`;
}
/** Why OS mode can run the folder; undefined if it cannot. */
function mode_findProgram(folder) {
    if (readProjectConfig(folder).os !== undefined)
        return 'wasmrun.toml has an [os] table';
    const { main } = readPackage(folder);
    if (main !== undefined && !leadsOut(main) && isFile((0,external_node_path_.join)(folder, main)))
        return `${sanitise_sanitise(main)} is \`main\` of package.json`;
    const hasPackage = readProjectFile(folder, 'package.json') !== undefined;
    const entry = (hasPackage ? ENTRY_FILES : DETECTED_FILES).find(name => isFile((0,external_node_path_.join)(folder, name)));
    if (entry === undefined)
        return undefined;
    // Emscripten writes index.html, index.js and index.wasm: without a package, a script beside a page belongs to the
    // page.
    if (findStartPage(folder) !== undefined && !hasPackage)
        return undefined;
    return `${entry} is a Node.js program`;
}
function checkMode(mode, path, found) {
    const shown = sanitise_sanitise(path);
    const choice = { mode, reason: 'as given' };
    if (mode === 'port')
        throw new errors_InputError('mode: port needs `port`, `command` or both; give one of them');
    if (mode === 'exec') {
        if (found.isFile() && path.endsWith('.wasm'))
            return choice;
        checkOtherName(path, found);
        throw new errors_InputError(`path: mode: exec runs one .wasm file, and ${shown} is not one; give the path of the file`);
    }
    if (!found.isDirectory())
        throw new errors_InputError(`path: mode: ${mode} needs a folder, and ${shown} is not one; give the folder`);
    if (mode === 'web' && findStartPage(path) === undefined)
        throw new errors_InputError(`path: ${shown} has no index.html, which mode: web serves; give the folder of the built app${suggestBuiltFolder(path)}`);
    return choice;
}
/** The start would refuse these files, too, but then the preview has failed; here it is a wrong input. */
function checkProjectFiles(mode, path) {
    if (mode === 'os') {
        readProjectConfig(path);
        for (const name of ['package.json', '.gitignore'])
            readProjectFile(path, name);
    }
    else if (mode === 'exec')
        readProjectFile((0,external_node_path_.dirname)(path), '.gitignore');
}

;// CONCATENATED MODULE: ./build/js/app/web/files.js
// Finds the file of a folder that a URL path names, and refuses those that visitors must not see. Used by the other
// files of this folder, for every request and for the checks before the start.




/** Error codes of a path that leads nowhere. */
const MISSING = (/* unused pure expression or super */ null && (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES', 'EPERM']));
/** A FIFO must not block the open; a link put there after the check must not be followed. Windows has neither flag. */
const OPEN_FLAGS = external_node_fs_namespaceObject.constants.O_RDONLY | (external_node_fs_namespaceObject.constants.O_NONBLOCK ?? 0) | (external_node_fs_namespaceObject.constants.O_NOFOLLOW ?? 0);
/**
 * Looks up a URL path (still percent-encoded, without query) below `root`, a real path. Only regular files whose real
 * path stays in the root are found, and no dotfiles but those in `.well-known` (RFC 8615).
 */
async function findFile(root, urlPath) {
    const segments = decodeSegments(urlPath);
    if (isHidden(segments))
        return { kind: 'refused' };
    for (const spelling of listSpellings(segments)) {
        const found = await findSpelling(root, spelling);
        if (found.kind !== 'missing')
            return found;
    }
    return { kind: 'missing' };
}
async function findSpelling(root, segments) {
    try {
        const real = await realpath(join(root, ...segments));
        if (!isVisibleBelow(root, real))
            return { kind: 'refused' };
        const stats = await stat(real);
        if (stats.isDirectory())
            return { kind: 'folder' };
        return stats.isFile() ? await openFile(real) : { kind: 'refused' };
    }
    catch (error) {
        if (hasCode(error, ...MISSING))
            return { kind: 'missing' };
        throw error;
    }
}
/** Whether `findFile` would find a file there now; for checks before the start. Never throws. */
function hasFile(root, urlPath) {
    const segments = decodeSegments(urlPath);
    return !isHidden(segments) && listSpellings(segments).some(spelling => hasSpelling(root, spelling));
}
function hasSpelling(root, segments) {
    try {
        const real = (0,external_node_fs_namespaceObject.realpathSync)((0,external_node_path_.join)(root, ...segments));
        return isVisibleBelow(root, real) && (0,external_node_fs_namespaceObject.statSync)(real).isFile();
    }
    catch {
        return false;
    }
}
/** Checks a real path again, because of links out of the root or to hidden files, and short names (GIT~1). */
function isVisibleBelow(root, real) {
    const inside = (0,external_node_path_.relative)(root, real);
    return !(0,external_node_path_.isAbsolute)(inside) && areVisible(inside.split(external_node_path_.sep));
}
/** Checks the opened file, because another one may have been at the path a moment ago. */
async function openFile(path) {
    const handle = await open(path, OPEN_FLAGS);
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile())
        return { kind: 'file', handle, stats };
    await handle.close();
    return { kind: 'refused' };
}
function decodeSegments(urlPath) {
    return urlPath
        .split('/')
        .filter(segment => segment !== '')
        .map(decodeSegment);
}
/** Browsers send it as it is written in a link, also beside what they encode themselves: `100% yes` is `100%%20yes`. */
const BARE_PERCENT = /%(?![0-9a-f]{2})/gi;
/** Also used to compare paths: `%C3%A9`, `%c3%a9` and `é` are one name. What is no UTF-8 stays as it is. */
function decodeSegment(segment) {
    try {
        return decodeURIComponent(segment.replace(BARE_PERCENT, '%25'));
    }
    catch {
        return segment;
    }
}
/** Rules for the host (host-files.ts), which may hold passwords; hosts do not send them either. */
const HOST_FILES = ['_headers', '_redirects'];
const SEPARATOR = /[/\\]/;
/** Hidden files stay hidden behind encoded separators. No file has a NUL in its name. */
function isHidden(segments) {
    return (!areVisible(segments.flatMap(segment => segment.split(SEPARATOR))) ||
        (segments.length === 1 && HOST_FILES.includes(segments[0] ?? '')) ||
        segments.some(segment => segment.includes('\0')));
}
/**
 * How the names of a path may be stored: macOS and its archives have decomposed umlauts, where pages have composed
 * ones. None if a name cannot be a file's, like those of routers with an encoded separator.
 */
function listSpellings(segments) {
    const forbidden = process.platform === 'win32' ? /[/\\:]/ : SEPARATOR;
    if (segments.some(segment => forbidden.test(segment)))
        return [];
    const forms = [
        segments.join('/'),
        ...['NFC', 'NFD'].map(form => segments.join('/').normalize(form)),
    ];
    return [...new Set(forms)].map(form => form.split('/'));
}
/** False for `..` too: it begins with a dot. */
function areVisible(segments) {
    return segments.every((segment, index) => !segment.startsWith('.') || (index === 0 && segment === '.well-known'));
}
const CHUNK_BYTES = (/* unused pure expression or super */ null && (64 * 1024));
/**
 * Both ends are included. Throws if the file is shorter: the visitor must see a broken response, not wait for the rest.
 */
async function* readBytes(handle, { start, end }) {
    for (let position = start; position <= end;) {
        const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position + 1));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0)
            throw new Error('the file became shorter while it was sent');
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
    }
}
/**
 * Changes with every write and every replacement of the file, also if a tool sets the time of the last write back.
 * Different for each coding (RFC 9110, 8.8.3.3).
 */
function createETag(stats, coding) {
    const parts = [stats.size, stats.mtimeNs, stats.ctimeNs, stats.ino].map(number => number.toString(36));
    return `"${[...parts, ...(coding === undefined ? [] : [coding])].join('-')}"`;
}

;// CONCATENATED MODULE: ./build/js/app/web/base-path.js
// The path that a web app was built for, like /repo/ on GitHub Pages: found in what its page loads, and taken off the
// paths that visitors ask for. Used by page-check.ts and web.ts.

/** The base path of an app that was built for the root of a host. */
const NO_BASE = '/';
/** Below the base path, the path of the file in the folder, which begins with a slash; otherwise undefined. */
function stripBase(base, path) {
    if (base === NO_BASE)
        return path;
    const expected = base.slice(1, -1).split('/');
    const [, ...segments] = path.split('/');
    if (segments.length <= expected.length)
        return undefined;
    const isBelow = expected.every((segment, index) => decodeSegment(segment) === decodeSegment(segments[index] ?? ''));
    return isBelow ? `/${segments.slice(expected.length).join('/')}` : undefined;
}
/** Whether `path` leads to a file of the folder, if the app is served below `base`. */
function isServed(root, base, path) {
    const below = stripBase(base, path);
    return isThere(root, path) || (below !== undefined && isThere(root, below));
}
/** Compressed only, a file is served, too. */
function isThere(root, path) {
    return ['', '.br', '.gz'].some(ending => hasFile(root, path + ending));
}
/**
 * The base path that makes the most of `paths` lead to files, if not more of them do without one. `documentBase` is the
 * path of `<base href>`. The first of several equally good ones is returned.
 */
function findBasePath(root, paths, documentBase) {
    const votes = new Map();
    const missing = paths.filter(path => !isThere(root, path));
    for (const base of missing.flatMap(path => findBaseOf(root, path) ?? []))
        votes.set(base, (votes.get(base) ?? 0) + 1);
    const [best] = [...votes].sort(([, one], [, other]) => other - one);
    if (best !== undefined && best[1] >= paths.length - missing.length)
        return best[0];
    // A page without files of its own: only its links say where it belongs.
    return paths.every(path => !isThere(root, path)) && !hasFile(root, `${documentBase}index.html`)
        ? documentBase
        : NO_BASE;
}
/** The shortest beginning of `path` without which it is the path of a file. */
function findBaseOf(root, path) {
    const segments = path.split('/').slice(1);
    const length = segments.findIndex((_, index) => index > 0 && isThere(root, `/${segments.slice(index).join('/')}`));
    return length < 0 ? undefined : `/${segments.slice(0, length).join('/')}/`;
}

;// CONCATENATED MODULE: ./build/js/app/web/path-pattern.js
// The path patterns of `_redirects` and `_headers`: `/blog/:year/*`. Used by host-files.ts.

const PLACEHOLDER = /^:([A-Za-z]\w*)$/;
/** Undefined for what is not a path, and for a `*` that is not the last segment: only Cloudflare knows that one. */
function parsePattern(text) {
    const segments = splitPath(text);
    const isOpen = segments.at(-1) === '*';
    const fixed = isOpen ? segments.slice(0, -1) : segments;
    if (!text.startsWith('/') || fixed.some(segment => segment.includes('*')))
        return undefined;
    return { match: path => matchSegments(fixed, isOpen, splitPath(path)) };
}
function matchSegments(pattern, isOpen, segments) {
    if (segments.length < pattern.length || (segments.length > pattern.length && !isOpen))
        return undefined;
    const found = {};
    for (const [index, expected] of pattern.entries()) {
        const segment = segments[index] ?? '';
        const name = PLACEHOLDER.exec(expected)?.[1];
        if (name !== undefined)
            found[name] = segment;
        else if (decodeSegment(expected) !== decodeSegment(segment))
            return undefined;
    }
    return isOpen ? { ...found, splat: segments.slice(pattern.length).join('/') } : found;
}
function splitPath(path) {
    return path.split('/').filter(segment => segment !== '');
}
/** Puts the values of the placeholders into a path or an address. */
function fillIn(text, values) {
    return text.replace(/:([A-Za-z]\w*)/g, (written, name) => Object.hasOwn(values, name) ? (values[name] ?? written) : written);
}

;// CONCATENATED MODULE: ./build/js/app/web/host-files.js
// `_redirects` and `_headers` of a build: the files that Netlify, Cloudflare Pages, GitLab Pages and others share. Used
// by web.ts, and by page-check.ts and inputs/web.ts before the start. Syntax: https://docs.netlify.com/manage/routing/redirects/overview/,
// https://developers.cloudflare.com/pages/configuration/headers/.





/** They belong to hosts that do more than send files, or to their command lines. */
const OTHER_FILES = [
    'vercel.json',
    'netlify.toml',
    'staticwebapp.config.json',
    'firebase.json',
    'serve.json',
    '_worker.js',
    '.htaccess',
    'web.config',
];
const REDIRECTS = [301, 302, 303, 307, 308];
const REWRITES = [200, 404];
/** Not permanent, because the next commit has the same address. */
const DEFAULT_STATUS = 302;
/**
 * Fields that `_headers` does not decide: those of the bytes and the connection, caches (they would show an old commit
 * under the same address), and what holds for the whole host, on which other previews are too. Netlify's Basic-Auth is
 * no field of answers at all.
 */
const OWN_FIELDS = new Set([
    ...['content-type', 'content-length', 'content-encoding', 'content-range', 'transfer-encoding', 'trailer'],
    ...['connection', 'keep-alive', 'upgrade', 'te', 'date', 'etag', 'last-modified', 'accept-ranges', 'vary'],
    ...['cache-control', 'cdn-cache-control', 'netlify-cdn-cache-control', 'expires', 'pragma', 'location'],
    ...['strict-transport-security', 'alt-svc', 'clear-site-data', 'set-cookie', 'basic-auth'],
]);
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):\s*([\t\x20-\x7e]*)$/;
/** Reads both files of the folder. One that cannot be read is `ignored`: the app may work without it. */
function readHostRules(root) {
    const ignored = [];
    const redirects = readLines(root, '_redirects', ignored).flatMap(line => parseRedirect(line) ?? note(ignored, line));
    const [forced, usual] = [redirects.filter(rule => rule.isForced), redirects.filter(rule => !rule.isForced)];
    const headers = parseHeaders(readLines(root, '_headers', ignored), ignored);
    return {
        redirect: (path, isForced) => findRedirection(isForced ? forced : usual, path),
        listFields: path => headers.filter(({ pattern }) => pattern.match(path)).flatMap(({ fields }) => fields),
        ignored: [...ignored, ...OTHER_FILES.filter(name => (0,external_node_fs_namespaceObject.existsSync)((0,external_node_path_.join)(root, name)))],
    };
}
function readLines(root, file, ignored) {
    return host_files_readText(root, file, ignored)
        .split(/\r?\n/)
        .map((text, index) => ({ file, number: index + 1, text: text.replace(/(^|\s)#.*$/, '').trimEnd() }))
        .filter(({ text }) => text !== '');
}
function host_files_readText(root, file, ignored) {
    try {
        return readProjectFile(root, file) ?? '';
    }
    catch (error) {
        if (!(error instanceof errors_InputError))
            throw error;
        ignored.push(error.message.replace(/^path: /, ''));
        return '';
    }
}
function note(ignored, { file, number, text }) {
    ignored.push(`${file}, line ${number}: ${text.trim()}`);
    return [];
}
/** Undefined for a rule that cannot be kept: for other hosts, for countries or roles, with query parameters, a proxy. */
function parseRedirect({ text }) {
    const [from = '', to = '', code = String(DEFAULT_STATUS), ...conditions] = text.trim().split(/\s+/);
    const pattern = parsePattern(from);
    const [, digits = '', force = ''] = /^(\d{3})(!?)$/.exec(code) ?? [];
    const status = Number(digits);
    const isLocal = to.startsWith('/');
    // A placeholder in the host would let visitors choose where a link of the preview leads.
    const isAddress = /^https?:\/\/[^/:?#@\\]+(:\d+)?([/?#]|$)/i.test(to);
    const isKept = isLocal
        ? [...REDIRECTS, ...REWRITES].includes(status)
        : isAddress && REDIRECTS.includes(status);
    if (pattern === undefined || !isKept || conditions.length > 0)
        return undefined;
    return { pattern, to, status, isForced: force !== '' };
}
function findRedirection(rules, path) {
    for (const { pattern, to, status } of rules) {
        const values = pattern.match(path);
        if (values === undefined)
            continue;
        const target = fillIn(to, values);
        if (REWRITES.includes(status))
            return { kind: 'rewrite', path: target.replace(/[?#].*$/s, ''), status };
        return { kind: 'redirect', location: stayHere(target), status };
    }
    return undefined;
}
/** `//x` and `/\x` would be another host. */
function stayHere(target) {
    return target.replace(/^[/\\]+/, '/');
}
function parseHeaders(lines, ignored) {
    const rules = [];
    let open;
    for (const line of lines) {
        if (!/^\s/.test(line.text)) {
            const pattern = parsePattern(line.text);
            open = pattern && { pattern, fields: [] };
            if (open === undefined)
                note(ignored, line);
            else
                rules.push(open);
            continue;
        }
        const [, name = '', value = ''] = FIELD.exec(line.text.trim()) ?? [];
        if (name === '' || OWN_FIELDS.has(name.toLowerCase()) || open === undefined)
            note(ignored, line);
        else
            open.fields.push([name, value]);
    }
    return rules;
}

;// CONCATENATED MODULE: ./node_modules/htmlparser2/node_modules/entities/dist/decode-codepoint.js
// Adapted from https://github.com/mathiasbynens/he/blob/36afe179392226cf1b6ccdb16ebbb7a5a844d93a/src/he.js#L106-L134
/**
 * C1 Unicode control character reference replacements (code points 128–159).
 * Index i gives the replacement for code point 128+i; 0 means "no replacement".
 */
const c1 = [
    8364, 0, 8218, 402, 8222, 8230, 8224, 8225, 710, 8240, 352, 8249, 338, 0,
    381, 0, 0, 8216, 8217, 8220, 8221, 8226, 8211, 8212, 732, 8482, 353, 8250,
    339, 0, 382, 376,
];
/**
 * True for NUL, UTF-16 surrogates, and values past U+10FFFF.
 * @param codePoint Unicode code point to check.
 */
function isInvalidCodePoint(codePoint) {
    return (codePoint === 0 ||
        (codePoint >= 0xd8_00 && codePoint <= 0xdf_ff) ||
        codePoint > 0x10_ff_ff);
}
/**
 * Replace the given code point with U+FFFD if it is NUL (0), a surrogate, or
 * outside the valid Unicode range. Code points in the C1 controls range
 * (128–159) are remapped to their Windows-1252 equivalents, following the
 * HTML spec. All other code points are returned unchanged.
 * @param codePoint Unicode code point to convert.
 */
function replaceCodePoint(codePoint) {
    if (isInvalidCodePoint(codePoint)) {
        return 0xff_fd;
    }
    if (codePoint >= 128 && codePoint <= 159) {
        return c1[codePoint - 128] || codePoint;
    }
    return codePoint;
}
/**
 * XML numeric character references are the referenced Unicode code point.
 * Invalid values still become U+FFFD; the HTML Windows-1252 C1 remap is not
 * applied.
 * @see https://www.w3.org/TR/xml/#NT-CharRef
 * @param codePoint Unicode code point to convert.
 */
function decode_codepoint_replaceCodePointXML(codePoint) {
    return isInvalidCodePoint(codePoint) ? 0xff_fd : codePoint;
}
/**
 * Convert the code point of a decoded numeric entity to a string, replacing
 * invalid values.
 *
 * Fast path for plain BMP code points: [1..0x7F] and [0xA0..0xD7FF] pass
 * `replaceCodePoint` unchanged (no NUL, C1 remap, surrogate, or out-of-range
 * handling) and fit a single charCode. 0xd760 = 0xD800 (the first surrogate)
 * - 0xA0.
 * @param codePoint Unicode code point to convert.
 */
function decode_codepoint_codePointToString(codePoint) {
    return (codePoint - 1) >>> 0 < 0x7f || (codePoint - 0xa0) >>> 0 < 0xd7_60
        ? String.fromCharCode(codePoint)
        : String.fromCodePoint(replaceCodePoint(codePoint));
}
//# sourceMappingURL=decode-codepoint.js.map
;// CONCATENATED MODULE: ./node_modules/htmlparser2/node_modules/entities/dist/generated/decode-data-xml.js
// Generated using scripts/write-decode-map.ts
/** Packed XML decode trie data. */
const xmlDecodeTree = /* #__PURE__ */ new Uint16Array([
    512, 26_465, 29_036, 7, 0, 2, 4, 116, 24_638, 116, 24_636, 8693, 29_807,
    24_610, 621, 1, 0, 0, 3, 112, 24_614, 111, 115, 24_615,
]);
//# sourceMappingURL=decode-data-xml.js.map
;// CONCATENATED MODULE: ./node_modules/htmlparser2/node_modules/entities/dist/internal/bin-trie-flags.js
/**
 * Bit flags & masks for the binary trie encoding used for entity decoding.
 *
 * The trie is a flat `Uint16Array`. Every node starts with one header word:
 *
 *   15..14 VALUE_LENGTH   Number of words the value occupies, +1.
 *                         0 = no value; 1 = value inline in bits 12..0;
 *                         2/3 = value in the 1/2 words after the header.
 *   13     FLAG13         If VALUE_LENGTH > 0: semicolon required ("strict"
 *                         entity; `;` is never stored as a branch).
 *                         If VALUE_LENGTH == 0: this node is a compact run.
 *   12..7  BRANCH_LENGTH  Number of branches (or run length for runs).
 *   6..0   JUMP_TABLE     Jump-table offset / single-branch char / first
 *                         run char (see below).
 *
 * Branch data follows the header and any value words. Its shape is selected
 * by (JUMP_TABLE, BRANCH_LENGTH) in the header:
 *
 *   Single branch  JUMP_TABLE = the only child's char, BRANCH_LENGTH = 0.
 *                  No branch words; the child node follows immediately.
 *   Jump table     JUMP_TABLE = first covered char (> 0), BRANCH_LENGTH =
 *                  table length. One word per covered char: 0 = no branch,
 *                  otherwise the child's offset from the END of the table,
 *                  +1 (so 0 stays the no-branch sentinel).
 *   Dictionary     JUMP_TABLE = 0, BRANCH_LENGTH = number of branches.
 *                  ceil(n/2) words of sorted keys packed two per word
 *                  (low byte first), then n pointer words storing the
 *                  child's offset from the END of the branch data.
 *   Compact run    VALUE_LENGTH = 0, FLAG13 set. BRANCH_LENGTH = run
 *                  length (3..63), JUMP_TABLE = first char; remaining run
 *                  chars packed two per word after the header. The target
 *                  node follows the packed words immediately.
 *
 * Pointers are end-relative (rather than relative to the pointer's own
 * position) because that makes the common "child encoded right after the
 * branch data" case a small constant, which compresses far better. Offsets
 * to already-encoded (shared) nodes wrap via uint16 modulo arithmetic; the
 * decoder masks navigation results with `& 0xff_ff` to match.
 */
var bin_trie_flags_BinTrieFlags;
(function (BinTrieFlags) {
    BinTrieFlags[BinTrieFlags["VALUE_LENGTH"] = 49152] = "VALUE_LENGTH";
    BinTrieFlags[BinTrieFlags["FLAG13"] = 8192] = "FLAG13";
    BinTrieFlags[BinTrieFlags["BRANCH_LENGTH"] = 8064] = "BRANCH_LENGTH";
    BinTrieFlags[BinTrieFlags["JUMP_TABLE"] = 127] = "JUMP_TABLE";
    /** Bits 12..0: the inline value of a VALUE_LENGTH = 1 header word. */
    BinTrieFlags[BinTrieFlags["VALUE_MASK"] = 8191] = "VALUE_MASK";
})(bin_trie_flags_BinTrieFlags || (bin_trie_flags_BinTrieFlags = {}));
//# sourceMappingURL=bin-trie-flags.js.map
;// CONCATENATED MODULE: ./node_modules/htmlparser2/node_modules/entities/dist/decode.js




var CharCodes;
(function (CharCodes) {
    CharCodes[CharCodes["AMP"] = 38] = "AMP";
    CharCodes[CharCodes["NUM"] = 35] = "NUM";
    CharCodes[CharCodes["SEMI"] = 59] = "SEMI";
    CharCodes[CharCodes["EQUALS"] = 61] = "EQUALS";
    CharCodes[CharCodes["ZERO"] = 48] = "ZERO";
    CharCodes[CharCodes["NINE"] = 57] = "NINE";
    CharCodes[CharCodes["LOWER_A"] = 97] = "LOWER_A";
    CharCodes[CharCodes["LOWER_X"] = 120] = "LOWER_X";
})(CharCodes || (CharCodes = {}));
/** Bit that needs to be set to convert an upper case ASCII character to lower case */
const TO_LOWER_BIT = 0b10_0000;
/*
 * `parseNumericEntity` packs its two results into one 32-bit integer:
 * `(consumed << CONSUMED_SHIFT) | codePoint`. The 21-bit code point field
 * fits any valid Unicode value (max 0x10FFFF, clamped before packing); the
 * consumed count excludes `&` and gets the remaining 11 bits. Extract it
 * with `>>>` so the topmost bit isn't treated as a sign.
 *
 * Plain consts rather than a `const enum`: with `isolatedModules`, enum
 * member reads compile to runtime property loads.
 */
const CONSUMED_SHIFT = 21;
const CODE_POINT_MASK = 0x1f_ff_ff;
/**
 * Reserved consumed field for counts of at least 2047 characters after `&`.
 * The true count is in `longNumericConsumed`.
 */
const CONSUMED_OVERFLOW = 0x7_ff;
/**
 * Side channel for numeric entities of at least 2048 characters including
 * `&`. Set by `parseNumericEntity` when its consumed count reaches the
 * reserved value `CONSUMED_OVERFLOW`; callers read the true count from here.
 * A module-level slot avoids a tuple allocation on the hot path.
 */
let longNumericConsumed = 0;
/**
 * Extract the consumed count from a `parseNumericEntity` packed result,
 * recovering the true length from `longNumericConsumed` when the packed
 * field contains the sentinel. Read it before the next `parseNumericEntity`
 * call, which may overwrite the side channel. This helper owns that protocol.
 * @param packed Packed result of `parseNumericEntity`.
 */
function unpackConsumed(packed) {
    const consumed = packed >>> CONSUMED_SHIFT;
    return consumed === CONSUMED_OVERFLOW ? longNumericConsumed : consumed;
}
/**
 * Unsigned subtraction trick: (code - lo) >>> 0 wraps negatives to large
 * values, so a single `<=` covers the entire [lo..hi] range check.
 * @param code Code point to check.
 */
function isNumber(code) {
    return (code - CharCodes.ZERO) >>> 0 <= 9;
}
function isHexadecimalCharacter(code) {
    return ((code | TO_LOWER_BIT) - CharCodes.LOWER_A) >>> 0 <= 5; // F - a
}
function isAlpha(code) {
    return ((code | TO_LOWER_BIT) - CharCodes.LOWER_A) >>> 0 <= 25; // Z - a
}
/**
 * Checks if the given character is a valid end character for an entity in an attribute.
 *
 * Attribute values that aren't terminated properly aren't parsed, and shouldn't lead to a parser error.
 * See the example in https://html.spec.whatwg.org/multipage/parsing.html#named-character-reference-state
 * @param code Code point to check.
 */
function isEntityInAttributeInvalidEnd(code) {
    return code === CharCodes.EQUALS || isAlpha(code) || isNumber(code);
}
var EntityDecoderState;
(function (EntityDecoderState) {
    EntityDecoderState[EntityDecoderState["EntityStart"] = 0] = "EntityStart";
    EntityDecoderState[EntityDecoderState["NumericStart"] = 1] = "NumericStart";
    EntityDecoderState[EntityDecoderState["NumericDecimal"] = 2] = "NumericDecimal";
    EntityDecoderState[EntityDecoderState["NumericHex"] = 3] = "NumericHex";
    EntityDecoderState[EntityDecoderState["NamedEntity"] = 4] = "NamedEntity";
})(EntityDecoderState || (EntityDecoderState = {}));
/**
 * Decoding mode for named entities.
 */
var DecodingMode;
(function (DecodingMode) {
    /** Entities in text nodes that can end with any character. */
    DecodingMode[DecodingMode["Legacy"] = 0] = "Legacy";
    /** Only allow entities terminated with a semicolon. */
    DecodingMode[DecodingMode["Strict"] = 1] = "Strict";
    /** Entities in attributes have limitations on ending characters. */
    DecodingMode[DecodingMode["Attribute"] = 2] = "Attribute";
})(DecodingMode || (DecodingMode = {}));
/**
 * Token decoder with support of writing partial entities.
 */
class EntityDecoder {
    decodeTree;
    emitCodePoint;
    errors;
    /** The current state of the decoder. */
    state = EntityDecoderState.EntityStart;
    /** Characters that were consumed while parsing an entity. */
    consumed = 1;
    /**
     * The result of the entity.
     *
     * For named entities: the trie index of the best legacy match so far
     * (0 = none). For numeric entities: the accumulated code point.
     */
    result = 0;
    /** The current index in the decode tree. */
    treeIndex = 0;
    /**
     * Characters consumed since the last recorded legacy match, plus one.
     * Invariant at the top of the `stateNamedEntity` loop: `excess` equals
     * the number of unrecorded consumed characters + 1.
     */
    // biome-ignore lint/correctness/noUnusedPrivateClassMembers: False positive (read via destructuring)
    excess = 1;
    /** The mode in which the decoder is operating. */
    decodeMode = DecodingMode.Strict;
    /** The number of characters that have been consumed in the current run. */
    // biome-ignore lint/correctness/noUnusedPrivateClassMembers: False positive
    runConsumed = 0;
    constructor(
    /** The predefined HTML or XML decode tree. */
    decodeTree, 
    /**
     * The function that is called when a codepoint is decoded.
     *
     * For named entities that decode to multiple code points, this will
     * be called multiple times, with the second codepoint, and the same
     * `consumed` value.
     * @param codepoint The decoded codepoint.
     * @param consumed The number of characters consumed by the decoder.
     */
    emitCodePoint, 
    /** An object that is used to produce errors. */
    errors) {
        this.decodeTree = decodeTree;
        this.emitCodePoint = emitCodePoint;
        this.errors = errors;
    }
    /**
     * Resets the instance to make it reusable.
     * @param decodeMode Entity decoding mode to use.
     */
    startEntity(decodeMode) {
        this.decodeMode = decodeMode;
        this.state = EntityDecoderState.EntityStart;
        this.result = 0;
        this.treeIndex = 0;
        this.excess = 1;
        this.consumed = 1;
        this.runConsumed = 0;
    }
    /**
     * Write an entity to the decoder. This can be called multiple times with partial entities.
     * If the entity is incomplete, the decoder will return -1.
     *
     * Mirrors the non-streaming `decodeWithTrie`, but with the ability to stop decoding if the
     * entity is incomplete, and resume when the next string is written.
     * @param input The string containing the entity (or a continuation of the entity).
     * @param offset The offset at which the entity begins. Should be 0 if this is not the first call.
     * @returns The number of characters that were consumed, or -1 if the entity is incomplete.
     */
    write(input, offset) {
        switch (this.state) {
            case EntityDecoderState.EntityStart: {
                if (input.charCodeAt(offset) === CharCodes.NUM) {
                    this.state = EntityDecoderState.NumericStart;
                    this.consumed += 1;
                    return this.stateNumericStart(input, offset + 1);
                }
                this.state = EntityDecoderState.NamedEntity;
                return this.stateNamedEntity(input, offset);
            }
            case EntityDecoderState.NumericStart: {
                return this.stateNumericStart(input, offset);
            }
            case EntityDecoderState.NumericDecimal: {
                return this.stateNumericDecimal(input, offset);
            }
            case EntityDecoderState.NumericHex: {
                return this.stateNumericHex(input, offset);
            }
            default: {
                // NamedEntity — the only remaining state.
                return this.stateNamedEntity(input, offset);
            }
        }
    }
    /**
     * Switches between the numeric decimal and hexadecimal states.
     *
     * Equivalent to the `Numeric character reference state` in the HTML spec.
     * @param input The string containing the entity (or a continuation of the entity).
     * @param offset The current offset.
     * @returns The number of characters that were consumed, or -1 if the entity is incomplete.
     */
    // eslint-disable-next-line unicorn/consistent-class-member-order
    stateNumericStart(input, offset) {
        if (offset >= input.length) {
            return -1;
        }
        if ((input.charCodeAt(offset) | TO_LOWER_BIT) === CharCodes.LOWER_X) {
            this.state = EntityDecoderState.NumericHex;
            this.consumed += 1;
            return this.stateNumericHex(input, offset + 1);
        }
        this.state = EntityDecoderState.NumericDecimal;
        return this.stateNumericDecimal(input, offset);
    }
    /**
     * Parses a hexadecimal numeric entity.
     *
     * Equivalent to the `Hexademical character reference state` in the HTML
     * spec. Digit parsing matches the hex loop in `parseNumericEntity`.
     * The accumulated value is preserved for numeric validation callbacks.
     * @param input The string containing the entity (or a continuation of the entity).
     * @param offset The current offset.
     * @returns The number of characters that were consumed, or -1 if the entity is incomplete.
     */
    stateNumericHex(input, offset) {
        const inputLength = input.length;
        // Local accumulators; flushed before any exit (see stateNamedEntity).
        let { result } = this;
        let { consumed } = this;
        while (offset < inputLength) {
            const char = input.charCodeAt(offset);
            if (isNumber(char) || isHexadecimalCharacter(char)) {
                // Convert hex digit to value (0-15); 'a'/'A' -> 10.
                const digit = char <= CharCodes.NINE
                    ? char - CharCodes.ZERO
                    : (char | TO_LOWER_BIT) - CharCodes.LOWER_A + 10;
                result = result * 16 + digit;
                consumed += 1;
                offset += 1;
            }
            else {
                this.result = result;
                this.consumed = consumed;
                return this.emitNumericEntity(char, 3);
            }
        }
        this.result = result;
        this.consumed = consumed;
        return -1; // Incomplete entity
    }
    /**
     * Parses a decimal numeric entity.
     *
     * Equivalent to the `Decimal character reference state` in the HTML
     * spec. Digit parsing matches the decimal loop in `parseNumericEntity`.
     * The accumulated value is preserved for numeric validation callbacks.
     * @param input The string containing the entity (or a continuation of the entity).
     * @param offset The current offset.
     * @returns The number of characters that were consumed, or -1 if the entity is incomplete.
     */
    stateNumericDecimal(input, offset) {
        const inputLength = input.length;
        // Local accumulators; flushed before any exit (see stateNamedEntity).
        let { result } = this;
        let { consumed } = this;
        while (offset < inputLength) {
            const digit = input.charCodeAt(offset) - CharCodes.ZERO;
            if (digit >>> 0 > 9) {
                this.result = result;
                this.consumed = consumed;
                return this.emitNumericEntity(digit + CharCodes.ZERO, 2);
            }
            result = result * 10 + digit;
            consumed += 1;
            offset += 1;
        }
        this.result = result;
        this.consumed = consumed;
        return -1; // Incomplete entity
    }
    /**
     * Validate and emit a numeric entity.
     *
     * Implements the logic from the `Hexademical character reference start
     * state` and `Numeric character reference end state` in the HTML spec.
     * @param lastCp The last code point of the entity. Used to see if the
     *               entity was terminated with a semicolon.
     * @param expectedLength The minimum number of characters that should be
     *                       consumed. Used to validate that at least one digit
     *                       was consumed.
     * @returns The number of characters that were consumed.
     */
    emitNumericEntity(lastCp, expectedLength) {
        // Ensure we consumed at least one digit.
        if (this.consumed <= expectedLength) {
            this.errors?.absenceOfDigitsInNumericCharacterReference(this.consumed);
            return 0;
        }
        // Figure out if this is a legit end of the entity
        if (lastCp === CharCodes.SEMI) {
            this.consumed += 1;
        }
        else if (this.decodeMode === DecodingMode.Strict) {
            return 0;
        }
        this.emitCodePoint((this.decodeTree === xmlDecodeTree
            ? decode_codepoint_replaceCodePointXML
            : replaceCodePoint)(this.result), this.consumed);
        if (this.errors) {
            if (lastCp !== CharCodes.SEMI) {
                this.errors.missingSemicolonAfterCharacterReference();
            }
            this.errors.validateNumericCharacterReference(this.result);
        }
        return this.consumed;
    }
    /**
     * Flush locally-tracked walk state back to the fields, then emit the
     * recorded legacy match or reject (cold path — at most once per
     * entity). Called after failed navigation (leaf node, branch miss, or
     * compact-run mismatch). In attribute mode, reject if no legacy was
     * recorded at the current node, if we descended past it, or if the
     * pending input character is an invalid attribute terminator.
     * @param consumed Locally-tracked consumed count.
     * @param excess Locally-tracked excess count.
     * @param char Pending input character (may be the mismatching char).
     * @param valueLength Value length at the current trie node.
     */
    flushAndEmitLegacyOrReject(consumed, excess, char, valueLength) {
        this.consumed = consumed;
        this.excess = excess;
        return this.result === 0 ||
            (this.decodeMode === DecodingMode.Attribute &&
                (valueLength === 0 ||
                    excess > 1 ||
                    isEntityInAttributeInvalidEnd(char)))
            ? 0
            : this.emitNotTerminatedNamedEntity();
    }
    /**
     * Parses a named entity.
     *
     * Equivalent to the `Named character reference state` in the HTML spec.
     * @param input The string containing the entity (or a continuation of the entity).
     * @param offset The current offset.
     * @returns The number of characters that were consumed, or -1 if the entity is incomplete.
     */
    stateNamedEntity(input, offset) {
        const { decodeTree } = this;
        const inputLength = input.length;
        const isStrict = this.decodeMode === DecodingMode.Strict;
        /*
         * Local copies of the resumable walk state avoid per-character
         * field writes. They are flushed back to the fields
         * on every exit (chunk end, and before any emit helper that reads
         * them). `this.result` is only written at the (rare) record points,
         * so it stays a direct field write.
         *
         * Legacy-match recording happens in two idempotent places: at the
         * loop top when sitting on a value node, and in the chunk-end
         * epilogue (so `end()` sees matches that land exactly on a chunk
         * boundary). Recording applies `consumed += excess - 1; excess = 1`,
         * which is a no-op when repeated — the loop-top invariant is
         * `excess` = unrecorded consumed characters + 1.
         */
        let { treeIndex } = this;
        let { excess } = this;
        let { consumed } = this;
        let current = decodeTree[treeIndex];
        while (offset < inputLength) {
            /*
             * Descend through value-less jump-table nodes (including the
             * single-branch encoding) inline, mirroring `decodeWithTrie`:
             * this avoids a `determineBranch` call per level for the
             * dominant node shape — including the root on the first write.
             */
            while ((current &
                (bin_trie_flags_BinTrieFlags.VALUE_LENGTH | bin_trie_flags_BinTrieFlags.FLAG13)) ===
                0 &&
                (current & bin_trie_flags_BinTrieFlags.JUMP_TABLE) !== 0) {
                const char = input.charCodeAt(offset);
                const jumpOffset = current & bin_trie_flags_BinTrieFlags.JUMP_TABLE;
                const branchCount = (current & bin_trie_flags_BinTrieFlags.BRANCH_LENGTH) >> 7;
                if (branchCount === 0) {
                    // Single branch encoded inline in the jump offset bits.
                    if (char !== jumpOffset) {
                        return this.flushAndEmitLegacyOrReject(consumed, excess, char, 0);
                    }
                    treeIndex += 1;
                }
                else {
                    const slot = char - jumpOffset;
                    if (slot >>> 0 >= branchCount) {
                        return this.flushAndEmitLegacyOrReject(consumed, excess, char, 0);
                    }
                    const stored = decodeTree[treeIndex + 1 + slot];
                    if (stored === 0) {
                        return this.flushAndEmitLegacyOrReject(consumed, excess, char, 0);
                    }
                    // End-relative: branch data ends at treeIndex+1+branchCount.
                    treeIndex = (treeIndex + branchCount + stored) & 0xff_ff;
                }
                current = decodeTree[treeIndex];
                offset += 1;
                excess += 1;
                /*
                 * `charCodeAt` past the end returns NaN, which would alias
                 * to slot 0 after `>>> 0` — bail out explicitly.
                 */
                // eslint-disable-next-line unicorn/no-break-in-nested-loop
                if (offset >= inputLength)
                    break;
            }
            if (offset >= inputLength)
                break;
            // Handle compact runs (resumable across chunks).
            if ((current &
                (bin_trie_flags_BinTrieFlags.VALUE_LENGTH | bin_trie_flags_BinTrieFlags.FLAG13)) ===
                bin_trie_flags_BinTrieFlags.FLAG13) {
                const runLength = (current & bin_trie_flags_BinTrieFlags.BRANCH_LENGTH) >> 7; /* 3..63 */
                let { runConsumed } = this;
                // If we are starting a run, check the first char.
                if (runConsumed === 0) {
                    const char = input.charCodeAt(offset);
                    if (char !== (current & bin_trie_flags_BinTrieFlags.JUMP_TABLE)) {
                        return this.flushAndEmitLegacyOrReject(consumed, excess, char, 0);
                    }
                    offset += 1;
                    excess += 1;
                    runConsumed = 1;
                }
                // Check remaining characters in the run (packed two per uint16 word).
                while (runConsumed < runLength) {
                    if (offset >= inputLength) {
                        this.treeIndex = treeIndex;
                        this.excess = excess;
                        this.consumed = consumed;
                        this.runConsumed = runConsumed;
                        return -1;
                    }
                    const charIndexInPacked = runConsumed - 1;
                    const packedWord = decodeTree[treeIndex + 1 + (charIndexInPacked >> 1)];
                    const expectedChar = (packedWord >> ((charIndexInPacked & 1) << 3)) & 0xff;
                    const char = input.charCodeAt(offset);
                    if (char !== expectedChar) {
                        this.runConsumed = 0;
                        return this.flushAndEmitLegacyOrReject(consumed, excess, char, 0);
                    }
                    offset += 1;
                    excess += 1;
                    runConsumed += 1;
                }
                this.runConsumed = 0;
                treeIndex += 1 + (runLength >> 1);
                current = decodeTree[treeIndex];
                // Loop top handles the landed-on node (record/emit/branch).
                continue;
            }
            // Header plus out-of-line value words; 0 means no value.
            const valueLength = current >>> 14;
            const char = input.charCodeAt(offset);
            if (valueLength !== 0) {
                // Record a legacy match (FLAG13 clear = semicolon optional).
                if (!isStrict && (current & bin_trie_flags_BinTrieFlags.FLAG13) === 0) {
                    this.result = treeIndex;
                    consumed += excess - 1;
                    excess = 1;
                }
                /*
                 * Implicit semicolon handling: emit immediately. Covers both
                 * strict (FLAG13 set) and legacy entities — neither stores
                 * an explicit `;` branch in the trie.
                 */
                if (char === CharCodes.SEMI) {
                    return this.emitNamedEntityData(treeIndex, valueLength, consumed + excess);
                }
                /*
                 * `valueLength === 1` packs the codepoint into the header
                 * word's low 13 bits, where branch metadata also lives. Skip
                 * the branch lookup on leaves so those value bits aren't
                 * reinterpreted as branch offsets.
                 */
                if (valueLength === 1) {
                    return this.flushAndEmitLegacyOrReject(consumed, excess, char, valueLength);
                }
            }
            // Value-bearing or dictionary node: dispatch through determineBranch.
            const next = determineBranch(decodeTree, current, treeIndex + (valueLength || 1), char);
            if (next < 0) {
                return this.flushAndEmitLegacyOrReject(consumed, excess, char, valueLength);
            }
            treeIndex = next;
            current = decodeTree[treeIndex];
            offset += 1;
            excess += 1;
        }
        /*
         * Chunk exhausted. Record a legacy match we may be sitting on, so a
         * subsequent `end()` emits it, then persist the walk state.
         */
        if (!isStrict &&
            current >>> 14 !== 0 &&
            (current & bin_trie_flags_BinTrieFlags.FLAG13) === 0) {
            this.result = treeIndex;
            consumed += excess - 1;
            excess = 1;
        }
        this.treeIndex = treeIndex;
        this.excess = excess;
        this.consumed = consumed;
        return -1;
    }
    /**
     * Emit a named entity that was not terminated with a semicolon.
     * @returns The number of characters consumed.
     */
    emitNotTerminatedNamedEntity() {
        const { result, decodeTree } = this;
        const valueLength = decodeTree[result] >>> 14;
        this.emitNamedEntityData(result, valueLength, this.consumed);
        this.errors?.missingSemicolonAfterCharacterReference();
        return this.consumed;
    }
    /**
     * Emit a named entity.
     * @param result The index of the entity in the decode tree.
     * @param valueLength Encoded value length (header plus any value words).
     * @param consumed The number of characters consumed.
     * @returns The number of characters consumed.
     */
    emitNamedEntityData(result, valueLength, consumed) {
        const { decodeTree } = this;
        this.emitCodePoint(valueLength === 1
            ? decodeTree[result] & bin_trie_flags_BinTrieFlags.VALUE_MASK
            : decodeTree[result + 1], consumed);
        if (valueLength === 3) {
            // Emit the second UTF-16 code unit.
            this.emitCodePoint(decodeTree[result + 2], consumed);
        }
        return consumed;
    }
    /**
     * Signal to the parser that the end of the input was reached.
     *
     * Remaining data will be emitted and relevant errors will be produced.
     * @returns The number of characters consumed.
     */
    end() {
        switch (this.state) {
            case EntityDecoderState.NamedEntity: {
                // Emit a named entity if we have one.
                return this.result !== 0 &&
                    (this.decodeMode !== DecodingMode.Attribute ||
                        this.result === this.treeIndex)
                    ? this.emitNotTerminatedNamedEntity()
                    : 0;
            }
            // Otherwise, emit a numeric entity if we have one.
            case EntityDecoderState.NumericDecimal: {
                return this.emitNumericEntity(0, 2);
            }
            case EntityDecoderState.NumericHex: {
                return this.emitNumericEntity(0, 3);
            }
            case EntityDecoderState.NumericStart: {
                this.errors?.absenceOfDigitsInNumericCharacterReference(this.consumed);
                return 0;
            }
            default: {
                // EntityStart or unknown — return 0.
                return 0;
            }
        }
    }
}
/**
 * Determines the branch of the current node that is taken given the current
 * character. This function is used to traverse the trie.
 *
 * See `BinTrieFlags` for the branch-data layouts handled here.
 * @param decodeTree The trie.
 * @param current The current node's header word.
 * @param nodeIndex Index of the node's first branch-data word (the header
 *   plus any value words have been skipped by the caller).
 * @param char The current character.
 * @returns The index of the next node, or -1 if no branch is taken.
 */
function determineBranch(decodeTree, current, nodeIndex, char) {
    const branchCount = (current & bin_trie_flags_BinTrieFlags.BRANCH_LENGTH) >> 7;
    const jumpOffset = current & bin_trie_flags_BinTrieFlags.JUMP_TABLE;
    // Case 1: Single branch or jump table (jumpOffset encodes the first/only char code).
    if (jumpOffset) {
        if (branchCount === 0) {
            // Single branch encoded inline in the jump offset bits.
            return char === jumpOffset ? nodeIndex : -1;
        }
        /*
         * Jump table: branchCount consecutive slots starting at jumpOffset.
         * Unsigned comparison handles both < 0 and >= branchCount in one check.
         */
        const slot = char - jumpOffset;
        if (slot >>> 0 >= branchCount)
            return -1;
        const stored = decodeTree[nodeIndex + slot];
        /*
         * 0 = empty slot (no branch); otherwise the child's offset from the
         * end of the branch array, +1 (end-relative pointers compress
         * better). `& 0xff_ff` mirrors the encoder's uint16 wrap for
         * backreferences to already-encoded nodes.
         */
        return stored === 0
            ? -1
            : (nodeIndex + branchCount + stored - 1) & 0xff_ff;
    }
    /*
     * Case 2: Packed dictionary. Linear scan — over 90% of dict nodes have
     * <= 4 branches in the HTML trie, where the constant-factor savings
     * dominate over binary search's asymptotic edge.
     */
    if (branchCount === 0)
        return -1;
    const packedKeySlots = (branchCount + 1) >> 1;
    const branchEnd = nodeIndex + packedKeySlots + branchCount;
    for (let index = 0; index < branchCount; index++) {
        const packed = decodeTree[nodeIndex + (index >> 1)];
        const key = (packed >> ((index & 1) << 3)) & 0xff;
        if (key === char) {
            const pointerIndex = nodeIndex + packedKeySlots + index;
            // Pointers are relative to the end of the branch data.
            return (branchEnd + decodeTree[pointerIndex]) & 0xff_ff;
        }
        // Keys are sorted; if we've passed `char`, no match is possible.
        if (key > char)
            return -1;
    }
    return -1;
}
/**
 * Read the decoded value from a trie node.
 * @param decodeTree The trie.
 * @param nodeIndex The index of the node.
 * @param valueLength The length of the value (1, 2, or 3).
 * @returns The decoded string.
 */
function readTrieValue(decodeTree, nodeIndex, valueLength) {
    if (valueLength === 1) {
        return String.fromCharCode(decodeTree[nodeIndex] & BinTrieFlags.VALUE_MASK);
    }
    if (valueLength === 2) {
        return String.fromCharCode(decodeTree[nodeIndex + 1]);
    }
    return String.fromCharCode(decodeTree[nodeIndex + 1], decodeTree[nodeIndex + 2]);
}
/**
 * Parse a numeric entity (`&#DDD;` or `&#xHHH;`).
 *
 * Encodes the result as `(consumed << CONSUMED_SHIFT) | codepoint` (see
 * the packing comment at the top of the file; overlong entities spill
 * their length into `longNumericConsumed`). Returns 0 when no digits were
 * found.
 *
 * This is the sync counterpart of the streaming
 * `EntityDecoder#stateNumericDecimal` / `#stateNumericHex`. Digit parsing
 * matches those methods; only this packed result needs a value clamp.
 * @param input       The input string.
 * @param numberStart Index of the `#` character.
 * @param inputLength Cached `input.length`.
 */
function parseNumericEntity(input, numberStart, inputLength) {
    let offset = numberStart + 1; // Skip "#"
    let cp = 0;
    let digitStart = offset;
    /*
     * Separate decimal and hexadecimal loops: each multiplies by a constant
     * and runs a single digit test, instead of a per-character base check.
     */
    if (offset < inputLength &&
        (input.charCodeAt(offset) | TO_LOWER_BIT) === CharCodes.LOWER_X) {
        offset += 1;
        digitStart = offset;
        while (offset < inputLength) {
            const char = input.charCodeAt(offset);
            if (isNumber(char)) {
                cp = cp * 16 + (char - CharCodes.ZERO);
            }
            else if (isHexadecimalCharacter(char)) {
                cp = cp * 16 + ((char | TO_LOWER_BIT) - CharCodes.LOWER_A + 10);
            }
            else {
                break;
            }
            offset += 1;
        }
    }
    else {
        while (offset < inputLength) {
            const digit = input.charCodeAt(offset) - CharCodes.ZERO;
            if (digit >>> 0 > 9)
                break;
            cp = cp * 10 + digit;
            offset += 1;
        }
    }
    if (offset === digitStart)
        return 0;
    // Include the semicolon in consumed when present.
    if (offset < inputLength && input.charCodeAt(offset) === CharCodes.SEMI) {
        offset += 1;
    }
    /*
     * Clamp out-of-range values to 0x110000 so they fit the 21-bit field
     * and decode to U+FFFD. Lengths at or above CONSUMED_OVERFLOW use the
     * side channel described with the packing constants.
     */
    if (cp > 0x10_ff_ff)
        cp = 0x11_00_00;
    let consumed = offset - numberStart;
    if (consumed >= CONSUMED_OVERFLOW) {
        // eslint-disable-next-line unicorn/no-top-level-assignment-in-function -- deliberate side channel, see `longNumericConsumed`
        longNumericConsumed = consumed;
        consumed = CONSUMED_OVERFLOW;
    }
    return (consumed << CONSUMED_SHIFT) | cp;
}
/**
 * Decode all entities in `input` using the HTML trie.
 *
 * Hard-wired to `htmlDecodeTree`: the inline root navigation below assumes
 * the HTML root's jump-table shape, so this must not be generalized to
 * other tries (the XML trie's dictionary root would silently match no
 * entities — `decodeXML` has its own hand-coded fast path instead).
 * @param input      The string to decode.
 * @param isStrict Only match semicolon-terminated entities.
 * @param isAttribute Whether to apply attribute-specific parsing rules (disallowing certain non-semicolon terminators).
 * @returns The decoded string.
 */
function decodeWithTrie(input, isStrict, isAttribute) {
    const decodeTree = htmlDecodeTree;
    // Fast path: no entities at all — return input without any allocation.
    let offset = input.indexOf("&");
    if (offset < 0)
        return input;
    const inputLength = input.length;
    /*
     * `chunkStart` marks the start of the next pending slice. Rejected
     * entities don't advance it, so consecutive rejections are stitched
     * into a single `slice` once a real match (or end of input) is hit.
     */
    let chunkStart = 0;
    let result = "";
    /*
     * Root navigation fields, hoisted out of the per-entity loop. The HTML
     * root is a multi-branch jump-table covering [A-Za-z]; see the inline
     * first-iteration comment below.
     */
    const root = decodeTree[0];
    const rootJumpOffset = root & BinTrieFlags.JUMP_TABLE;
    const rootBranchCount = (root & BinTrieFlags.BRANCH_LENGTH) >> 7;
    do {
        const entityStart = offset + 1;
        // Quick check: entity names must start with [A-Za-z], numeric with #.
        const firstChar = input.charCodeAt(entityStart);
        let consumed;
        let value;
        if (firstChar === CharCodes.NUM) {
            const packed = parseNumericEntity(input, entityStart, inputLength);
            consumed = unpackConsumed(packed);
            // In strict mode, require semicolon termination.
            if (isStrict &&
                consumed > 0 &&
                input.charCodeAt(entityStart + consumed - 1) !== CharCodes.SEMI) {
                consumed = 0;
            }
            value =
                consumed === 0
                    ? ""
                    : codePointToString(packed & CODE_POINT_MASK);
        }
        else if (isAlpha(firstChar)) {
            consumed = 0;
            value = "";
            /*
             * The generator guarantees a jump-table root. Consume the first
             * character directly, then walk from its child.
             */
            const rootSlotIndex = firstChar - rootJumpOffset;
            let nodeIndex;
            if (rootSlotIndex >>> 0 < rootBranchCount) {
                const stored = decodeTree[1 + rootSlotIndex];
                nodeIndex =
                    stored === 0 ? -1 : (rootBranchCount + stored) & 0xff_ff;
            }
            else {
                nodeIndex = -1;
            }
            /*
             * Best legacy (no-semicolon) match so far, as trie coordinates.
             * Deferring `readTrieValue` to the end avoids allocating a
             * string for matches that longer matches supersede.
             */
            let bestNodeIndex = 0;
            let bestValueLength = 0;
            let current = nodeIndex < 0 ? 0 : decodeTree[nodeIndex];
            let index = entityStart + 1;
            /*
             * Walk the trie from the root child. The `trie` label lets the
             * inner descent and compact-run loops abandon the entity (and
             * fall through to the legacy/reject handling) directly.
             */
            trie: while (index < inputLength) {
                /*
                 * Inline value-less jump tables and single branches. A miss
                 * falls through to the recorded legacy match or rejection.
                 */
                while (
                // Value-less, non-run node with a nonzero jump offset.
                (current &
                    (BinTrieFlags.VALUE_LENGTH | BinTrieFlags.FLAG13)) ===
                    0 &&
                    (current & BinTrieFlags.JUMP_TABLE) !== 0) {
                    const jumpOffset = current & BinTrieFlags.JUMP_TABLE;
                    const branchCount = (current & BinTrieFlags.BRANCH_LENGTH) >> 7;
                    if (branchCount === 0) {
                        // Single branch encoded inline in the jump offset bits.
                        if (input.charCodeAt(index) !== jumpOffset)
                            break trie;
                        nodeIndex += 1;
                    }
                    else {
                        const slot = input.charCodeAt(index) - jumpOffset;
                        if (slot >>> 0 >= branchCount)
                            break trie;
                        const stored = decodeTree[nodeIndex + 1 + slot];
                        if (stored === 0)
                            break trie;
                        // End-relative: branch data ends at nodeIndex+1+branchCount.
                        nodeIndex =
                            (nodeIndex + branchCount + stored) & 0xff_ff;
                    }
                    current = decodeTree[nodeIndex];
                    index += 1;
                    /*
                     * `charCodeAt` past the end returns NaN, which would
                     * alias to slot 0 after `>>> 0` — bail out explicitly.
                     */
                    if (index >= inputLength)
                        break trie;
                }
                // FLAG13 without a value marks a compact run.
                if ((current &
                    (BinTrieFlags.VALUE_LENGTH | BinTrieFlags.FLAG13)) ===
                    BinTrieFlags.FLAG13) {
                    const runLength = (current & BinTrieFlags.BRANCH_LENGTH) >> 7;
                    // Check first char (stored in JUMP_TABLE bits).
                    if (input.charCodeAt(index) !==
                        (current & BinTrieFlags.JUMP_TABLE)) {
                        // eslint-disable-next-line unicorn/no-break-in-nested-loop
                        break;
                    }
                    index += 1;
                    // Check remaining characters (packed two per uint16 word).
                    const remaining = runLength - 1;
                    let wordIndex = nodeIndex + 1;
                    let charIndexInPacked = 0;
                    /*
                     * Process pairs: read one packed word, compare low byte then high byte.
                     * No explicit bounds check needed — charCodeAt returns NaN for OOB,
                     * which never equals an integer, so the mismatch break fires naturally.
                     */
                    for (; charIndexInPacked + 1 < remaining; charIndexInPacked += 2) {
                        const packed = decodeTree[wordIndex];
                        if (input.charCodeAt(index) !== (packed & 0xff))
                            break trie;
                        index += 1;
                        if (input.charCodeAt(index) !== ((packed >> 8) & 0xff))
                            break trie;
                        index += 1;
                        wordIndex += 1;
                    }
                    // Handle odd trailing char.
                    if (charIndexInPacked < remaining) {
                        if (input.charCodeAt(index) !==
                            (decodeTree[wordIndex] & 0xff))
                            // eslint-disable-next-line unicorn/no-break-in-nested-loop
                            break;
                        index += 1;
                    }
                    nodeIndex += 1 + (runLength >> 1);
                    current = decodeTree[nodeIndex];
                    // eslint-disable-next-line unicorn/no-break-in-nested-loop
                    continue;
                }
                // Header plus out-of-line value words; 0 means no value.
                const valueLength = current >>> 14;
                const char = input.charCodeAt(index);
                /*
                 * Check current node for a value before navigating.
                 * This handles both: (a) values reached via compact runs on the
                 * previous iteration, and (b) values at regular branch targets.
                 */
                if (valueLength !== 0) {
                    // If char is `;`, emit immediately.
                    if (char === CharCodes.SEMI) {
                        consumed = index - entityStart + 1;
                        // Inline leaves carry the value in the low 13 bits.
                        value =
                            valueLength === 1
                                ? String.fromCharCode(current & BinTrieFlags.VALUE_MASK)
                                : readTrieValue(decodeTree, nodeIndex, valueLength);
                        // eslint-disable-next-line unicorn/no-break-in-nested-loop
                        break;
                    }
                    // Record non-terminated (legacy) match (FLAG13 clear = semicolon optional).
                    if (!isStrict && (current & BinTrieFlags.FLAG13) === 0) {
                        consumed = index - entityStart;
                        bestNodeIndex = nodeIndex;
                        bestValueLength = valueLength;
                    }
                    /*
                     * A valueLength of 1 means the value is packed inline in the header
                     * word — these are always leaf nodes with no branches, so we can
                     * stop walking the trie.
                     */
                    // eslint-disable-next-line unicorn/no-break-in-nested-loop
                    if (valueLength === 1)
                        break;
                }
                // Navigate to the next node (valueLength || 1: skip past value words, minimum 1 for header).
                const next = determineBranch(decodeTree, current, nodeIndex + (valueLength || 1), char);
                // eslint-disable-next-line unicorn/no-break-in-nested-loop
                if (next < 0)
                    break;
                nodeIndex = next;
                current = decodeTree[nodeIndex];
                index += 1;
            }
            /*
             * Post-loop: if the semicolon path didn't set value,
             * check for a final legacy match. The last navigation may
             * have landed on a legacy node whose value hasn't been
             * recorded yet (loop exited before the top-of-loop check
             * could run).
             */
            if (value === "") {
                const finalVL = current >>> 14;
                if (finalVL !== 0 &&
                    !isStrict &&
                    (current & BinTrieFlags.FLAG13) === 0) {
                    consumed = index - entityStart;
                    bestNodeIndex = nodeIndex;
                    bestValueLength = finalVL;
                }
                if (consumed > 0) {
                    value = readTrieValue(decodeTree, bestNodeIndex, bestValueLength);
                }
            }
        }
        else {
            consumed = 0;
            value = "";
        }
        /*
         * The attribute end-char rule (HTML spec §13.2.5.73) only applies to
         * unterminated *named* references.  Semicolon-terminated entities and
         * numeric entities are always accepted, matching EntityDecoder behavior.
         *
         * When `attribute` is false (the common case), short-circuit skips all
         * the unterminated-named checks entirely.
         */
        if (consumed === 0 ||
            (isAttribute &&
                firstChar !== CharCodes.NUM &&
                input.charCodeAt(entityStart + consumed - 1) !==
                    CharCodes.SEMI &&
                entityStart + consumed < inputLength &&
                isEntityInAttributeInvalidEnd(input.charCodeAt(entityStart + consumed)))) {
            // Rejected: leave `&` in the pending chunk, scan past it.
            offset = entityStart;
        }
        else {
            if (chunkStart < offset) {
                result += input.slice(chunkStart, offset);
            }
            result += value;
            offset = chunkStart = entityStart + consumed;
        }
        /*
         * Adjacent entities (`&x;&y;`) are common in entity-dense input;
         * checking the single character at `offset` first skips the
         * `indexOf` call (and its per-call overhead) for that case.
         */
        if (input.charCodeAt(offset) !== CharCodes.AMP) {
            offset = input.indexOf("&", offset);
        }
    } while (offset >= 0);
    return result + input.slice(chunkStart);
}
/**
 * Decodes an HTML string.
 * @param htmlString The string to decode.
 * @param mode The decoding mode.
 * @returns The decoded string.
 */
function decodeHTML(htmlString, mode = DecodingMode.Legacy) {
    return decodeWithTrie(htmlString, mode === DecodingMode.Strict, mode === DecodingMode.Attribute);
}
/**
 * Decodes an HTML string in an attribute.
 * @param htmlAttribute The string to decode.
 * @returns The decoded string.
 */
function decodeHTMLAttribute(htmlAttribute) {
    return decodeWithTrie(htmlAttribute, false, true);
}
/**
 * Decodes an HTML string, requiring all entities to be terminated by a semicolon.
 * @param htmlString The string to decode.
 * @returns The decoded string.
 */
function decodeHTMLStrict(htmlString) {
    return decodeWithTrie(htmlString, true, false);
}
/**
 * Decodes an XML string, requiring all entities to be terminated by a semicolon.
 *
 * Uses a hand-coded fast path for the 5 XML named entities (amp, lt, gt,
 * quot, apos) plus numeric entities, bypassing the trie entirely.
 * @param xmlString The string to decode.
 * @returns The decoded string.
 */
function decodeXML(xmlString) {
    let offset = xmlString.indexOf("&");
    if (offset < 0)
        return xmlString;
    let lastIndex = 0;
    let result = "";
    do {
        const start = offset + 1;
        let consumed = 0;
        let value = "";
        const c1 = xmlString.charCodeAt(start);
        if (c1 === CharCodes.NUM) {
            const packed = parseNumericEntity(xmlString, start, xmlString.length);
            consumed = unpackConsumed(packed);
            // XML is always strict — require semicolon.
            if (consumed === 0 ||
                xmlString.charCodeAt(start + consumed - 1) !== CharCodes.SEMI) {
                consumed = 0;
            }
            else {
                const codePoint = packed & CODE_POINT_MASK;
                // Nonzero BMP values below the surrogate range need no replacement.
                value =
                    (codePoint - 1) >>> 0 < 0xd7_ff
                        ? String.fromCharCode(codePoint)
                        : String.fromCodePoint(replaceCodePointXML(codePoint));
            }
        }
        else {
            /* eslint-disable unicorn/no-break-in-nested-loop -- Keep XML name dispatch inline with the decode loop. */
            switch (c1) {
                // &lt; / &gt;
                case 0x6c:
                case 0x67: {
                    if (xmlString.charCodeAt(start + 1) === 0x74 &&
                        xmlString.charCodeAt(start + 2) === CharCodes.SEMI) {
                        consumed = 3;
                        value = c1 === 0x6c ? "<" : ">";
                    }
                    break;
                }
                // &amp; / &apos;
                case 0x61: {
                    const c2 = xmlString.charCodeAt(start + 1);
                    if (c2 === 0x6d &&
                        xmlString.charCodeAt(start + 2) === 0x70 &&
                        xmlString.charCodeAt(start + 3) === CharCodes.SEMI) {
                        consumed = 4;
                        value = "&";
                    }
                    else if (c2 === 0x70 &&
                        xmlString.charCodeAt(start + 2) === 0x6f &&
                        xmlString.charCodeAt(start + 3) === 0x73 &&
                        xmlString.charCodeAt(start + 4) === CharCodes.SEMI) {
                        consumed = 5;
                        value = "'";
                    }
                    break;
                }
                // &quot;
                case 0x71: {
                    if (xmlString.charCodeAt(start + 1) === 0x75 &&
                        xmlString.charCodeAt(start + 2) === 0x6f &&
                        xmlString.charCodeAt(start + 3) === 0x74 &&
                        xmlString.charCodeAt(start + 4) === CharCodes.SEMI) {
                        consumed = 5;
                        value = '"';
                    }
                    break;
                }
            }
            /* eslint-enable unicorn/no-break-in-nested-loop */
        }
        if (consumed > 0) {
            if (lastIndex < offset)
                result += xmlString.slice(lastIndex, offset);
            result += value;
            offset = lastIndex = start + consumed;
        }
        else {
            offset = start;
        }
        /*
         * Adjacent entities (`&x;&y;`) are common in entity-dense input;
         * checking the single character at `lastIndex` first skips the
         * `indexOf` call (and its per-call overhead) for that case.
         */
        offset =
            xmlString.charCodeAt(offset) === CharCodes.AMP
                ? offset
                : xmlString.indexOf("&", offset);
    } while (offset >= 0);
    return result + xmlString.slice(lastIndex);
}

// Re-export for use by eg. htmlparser2


//# sourceMappingURL=decode.js.map
;// CONCATENATED MODULE: ./node_modules/htmlparser2/node_modules/entities/dist/internal/decode-shared.js
/*
 * Inverse of the encoder's SAFE alphabet (0x21..0x7E minus 0x22, 0x24, 0x5C),
 * precomputed once at module load. Entries for excluded chars stay 0 but
 * are never read.
 */
const BASE91_INVERSE = /* #__PURE__ */ (() => {
    const table = new Uint8Array(127);
    let code = 0;
    for (let char = 0x21; char <= 0x7e; char++) {
        if (char !== 0x22 && char !== 0x24 && char !== 0x5c) {
            table[char] = code++;
        }
    }
    return table;
})();
/**
 * Decode a dictionary-encoded trie string back into its Uint16Array.
 *
 * Stream layout (consumed in this order):
 *   1. dict1 atoms — `dict1AtomCount` uint16 values, delta+RLE encoded.
 *   2. dict2 atoms — `atomCount - dict1AtomCount` values, delta+RLE.
 *   3. dict2 ngrams — `ngramCount - (dictSize - dict1AtomCount)` entries,
 *      each a pair of slot codes that resolve to earlier slots.
 *   4. dict1 ngrams — `dictSize - dict1AtomCount` entries, same shape.
 *   5. data — slot codes, each expanding to one or more uint16 values.
 *
 * Codes use a 91-char base (printable ASCII minus `"`, `$`, `\`):
 *   - char1 < dictSize  → 1-char code, slot = char1
 *   - char1 ≥ dictSize  → 2-char code, slot = dictSize + (char1 - dictSize)*91 + char2
 *
 * Slot index → token kind:
 *   [0, A)                  dict1 atoms     (1-char codes)
 *   [A, dictSize)           dict1 ngrams    (1-char codes)
 *   [dictSize, dictSize+D)  dict2 atoms     (2-char codes)
 *   [dictSize+D, end)       dict2 ngrams    (2-char codes)
 *
 * Both atom dicts decode before any ngram, and dict2 ngrams decode before
 * dict1 ngrams. So every ngram entry references slots whose contents are
 * already filled — no forward references to handle.
 *
 * This runs on library import. Flat typed arrays store each slot as either
 * a plain value (`single`, covering every atom) or a range in a shared
 * `pool` (ngrams).
 * @param input Packed trie string.
 * @param resultLength Expected number of uint16 values in the output.
 * @param atomCount Total number of distinct uint16 values in the trie.
 * @param dict1AtomCount Atoms in the 1-char range (`A` above).
 * @param ngramCount Total number of ngram entries (dict1 + dict2).
 * @param dictSize Number of 1-char code slots; the rest of `BASE - dictSize`
 *   first-byte values are 2-char codes.
 */
function decodeTrieDict(input, resultLength, atomCount, dict1AtomCount, ngramCount, dictSize) {
    const base = 91;
    const inputLength = input.length;
    // For 2-char codes, slot = char1 * base - twoCharBias + char2.
    const twoCharBias = dictSize * (base - 1);
    let pos = 0;
    /** Read one slot code at `pos` and return its slot index, advancing pos. */
    const readSlotCode = () => {
        const c1 = BASE91_INVERSE[input.charCodeAt(pos++)];
        return c1 < dictSize
            ? c1
            : c1 * base - twoCharBias + BASE91_INVERSE[input.charCodeAt(pos++)];
    };
    const dict2AtomCount = atomCount - dict1AtomCount;
    const slotCount = atomCount + ngramCount;
    /*
     * Per-slot contents: atoms (always a single value) live directly in
     * `single`; ngram slots hold -1 there and expand to
     * `pool[start[slot] .. start[slot] + length[slot])`.
     */
    const single = new Int32Array(slotCount);
    single.fill(-1, dict1AtomCount, dictSize);
    single.fill(-1, dictSize + dict2AtomCount, slotCount);
    const start = new Int32Array(slotCount);
    const length = new Int32Array(slotCount);
    /**
     * Decode `count` ascending uint16 values from a delta+RLE stream into
     * `single[off..off+count)`.
     *
     *   code < 89   → delta = code
     *   code == 89  → run-length: next char encodes runLength-2; emit `runLength` consecutive +1 values
     *   code == 90, next < 90  → escape: delta = 89 + next * BASE + after-next
     *   code == 90, next == 90 → double-escape: extra char for very large deltas
     * @param count
     * @param off
     */
    function decodeDelta(count, off) {
        let previous = 0;
        let slot = off;
        const end = off + count;
        while (slot < end) {
            const code = BASE91_INVERSE[input.charCodeAt(pos++)];
            if (code < 89) {
                previous += code;
                single[slot++] = previous;
            }
            else if (code === 89) {
                let runLength = BASE91_INVERSE[input.charCodeAt(pos++)] + 2;
                while (runLength--)
                    single[slot++] = ++previous;
            }
            else {
                const next = BASE91_INVERSE[input.charCodeAt(pos++)];
                previous +=
                    89 +
                        // eslint-disable-next-line unicorn/prefer-minimal-ternary -- branches read a different number of side-effecting input bytes
                        (next < 90
                            ? next * base + BASE91_INVERSE[input.charCodeAt(pos++)]
                            : BASE91_INVERSE[input.charCodeAt(pos++)] * 8281 +
                                BASE91_INVERSE[input.charCodeAt(pos++)] * base +
                                BASE91_INVERSE[input.charCodeAt(pos++)]);
                single[slot++] = previous;
            }
        }
    }
    // Streams 1 & 2: atoms decoded into their slot ranges.
    decodeDelta(dict1AtomCount, 0);
    decodeDelta(dict2AtomCount, dictSize);
    /*
     * Streams 3 & 4 are read in two passes: first collect every ngram's two
     * references and derive its expanded length (each ref resolves to an earlier
     * slot, so lengths are already known), which sizes the shared pool.
     * Pool ranges are handed out in decode order, so the second pass fills
     * the pool contiguously with a single write cursor.
     */
    const references = new Int32Array(ngramCount * 2);
    let poolSize = 0;
    let ngramIndex = 0;
    /**
     * Read `count` ngram entries (each = 2 slot-code references) for the slots
     * starting at `startSlot`, recording references and assigning pool ranges.
     * @param count
     * @param startSlot
     */
    function readNgramReferences(count, startSlot) {
        for (let index = 0; index < count; index++) {
            const slot = startSlot + index;
            const a = readSlotCode();
            const b = readSlotCode();
            references[ngramIndex * 2] = a;
            references[ngramIndex * 2 + 1] = b;
            ngramIndex += 1;
            start[slot] = poolSize;
            const entryLength = (single[a] < 0 ? length[a] : 1) +
                (single[b] < 0 ? length[b] : 1);
            length[slot] = entryLength;
            poolSize += entryLength;
        }
    }
    readNgramReferences(ngramCount - dictSize + dict1AtomCount, dictSize + dict2AtomCount);
    readNgramReferences(dictSize - dict1AtomCount, dict1AtomCount);
    // Second pass: concatenate each ngram's two halves into the pool.
    const pool = new Uint16Array(poolSize);
    let write = 0;
    for (let index = 0; index < ngramIndex; index++) {
        for (let half = 0; half < 2; half++) {
            const source = references[index * 2 + half];
            const value = single[source];
            if (value < 0) {
                let read = start[source];
                const readEnd = read + length[source];
                while (read < readEnd)
                    pool[write++] = pool[read++];
            }
            else {
                pool[write++] = value;
            }
        }
    }
    // Stream 5: data. Each code expands to its slot's stored values.
    const out = new Uint16Array(resultLength);
    let outIndex = 0;
    while (pos < inputLength) {
        let slot = BASE91_INVERSE[input.charCodeAt(pos++)];
        if (slot >= dictSize) {
            slot =
                slot * base -
                    twoCharBias +
                    BASE91_INVERSE[input.charCodeAt(pos++)];
        }
        const value = single[slot];
        if (value < 0) {
            let read = start[slot];
            const readEnd = read + length[slot];
            while (read < readEnd)
                out[outIndex++] = pool[read++];
        }
        else {
            out[outIndex++] = value;
        }
    }
    return out;
}
//# sourceMappingURL=decode-shared.js.map
;// CONCATENATED MODULE: ./node_modules/htmlparser2/node_modules/entities/dist/generated/decode-data-html.js
// Generated using scripts/write-decode-map.ts

/** Packed HTML decode trie data. */
const decode_data_html_htmlDecodeTree = /* #__PURE__ */ decodeTrieDict("!}.&u%}'&}*'~!6*)%&,~!J~!J~%L~y<~!R,~~%Lu~~#GD~~#|)1#%}^%}2%+#.##%##%}&%##%'#%##&%#%#'%#&#%#&#'#%%#&#%##%#)%''%&%#%#'%#%%#%%}%%%#%#&(23#%%#&-%0%('1#(##%#'##+%'*.:1}#%#6-+(%'%%#%%%}#L'2351&('%}&/N'(0(/*-%(%%}#'+&T%7.2}#&%&#%#36/5##%&%%#&#%%#))2%%##%&&'0~!#*+&'%1~!%).'3q?&%'1~!.##%6(~!+%%%(Gw'rT~!E#<nA%#jZ~!H%(~!42##~!*31&~!G%U~#)5~#`3~!J~!Z~%]~%Y~%C~!q~!u~#kz~%#~!6'~!D~!U~!?~#T~!c%~!G#'~%7|~!G~!J~!G&~#pb~(Df}#%}*&}#%##%##%##&#-}&'#'&%#.++}%mI,#,@&(}*%}*'%&##&#%##%}&0}#.},U},%}+%}&%}#%##&}B%(}(%}+%)})%##%#&}&%##%&}<%}>%#%&}*%}(%}9%}/%})%}*%}*%}?&}&%}3%}&*#%})%#%#)}#&#-#+*%E%%'%'#%}#*V##&##I}#&&##%&%#&&Qf%%))w/0+&%#(#.%-''''++++7}>%4'',##1,#%#&%##&#'##&#*#9)%&%}#*}%,#+P(%A&%#'&##wSD',9E00#y#@}(+}&%&>~!#~!X}#*}(&&}(&}(,%}%&#+&}#&}I%#%}%)#(},'%#*}4%%#%}(''}#/##(##),%-##%%)#&}(.}&%#&}%%}*&#%},&&}&%}#%*'#%})%}D&}&%}-&}6&#&}-,%}#%})-(~+`~,=?~I9'9%~!,#%})%})%}@%}?%}(~!?~#<~#pP~#BG~#=1#%K+~#?#~%;)~#A~#mF1~#A'~'X%'~#lR~#N~'N~#r~#m#-~#i'?%#'%~#B%##%,%#~#_%#0%~#]732~,w~2+#:&#%&'0%&>%}#>##F+)#%&&#(+_}4&}-%}(&}@&}O7Fdf0@+/v4}&WU##&/0#&'('B#%}.%}'+#%}#%%&#&%#%##+#&#)#6#'#.},%}c%},%#%##%&#&%#&~#>'*-.%##%##%}#%%}%'~#)D1}#%*&~#_%%'(~#S2%'.}#~#=##*'*-%}&'%'##&&~'E%.#&~#M4}%%##&'%#~#O1##%&#'+~#<B%##%%'%+~#;#@%}#&%#&&%#(~#H1}'%'##&&~#?A}&'~#D#%32}'&&&&~#[}'(#%}'~#;C})&}%%#%~#=&%,3}%'(#%%~#^'#&&)#%'~#Y%-~#d-%'~#^%%&#&&&}#~#b~2t*&'~&(~&@~0%~e~3}%*''0})&}+~!9##-}#%-hD*)1fC#%/&/fB#40~!+#)*4~!+~!K'&:~!/*7~!.#~!H~!L':~%x&~!H#~!*~%1~!I#~!+A~#p'~!F~~#-#~,,(~.Z~!V~%;'B'mq-W~!N~%I%#&&#&}#%},%%}'%}+X#%}#&}(%}'%}<%}#%}%%'}'%}:~![)9@~%>~#UA%-%##&~!C%~!-.9:~!1~!-^2/:a~!y,D*J#-5)/4~%23,~#G~!L1~!0X3`~!2+~!!0-~&E~!W~!o,>Y&]~%cZx_&~#O*9#A#'#+I'%#)~!0B*-5A+-((F&*M#)(-7-5+'-3a5Vi~!Y~!?+[)%3),ERHm~!+:D,VG.+)?fB%%*(%)'(#&80%1'8`K8?`+'Z#&O&'H5#*9)A%%5&3))0%39+.*7#()&&*=4@**L)<'_&*+..;(#*+)./&0#3)%')-8(4ixD(&.}%,('aI:,)%,k2231T)I'#/-W7,/'Q#.'Y24+h')37</31&83##&0#),H(?'&?/1##%#&&#%''-%&&&#(&''&#.-'%#%%(,')*'&#&#'##%(%(#%('#&##%%%%('%#%#%%#%#&%##h>w+v<ayvyvcg.uuhKr}g/v|g>u9i[~>g5uI~=RvdwEg;v/g;uk!!TTSx]@RT!U!#!@VBRUU!'UTe-d0c`e&gSdicedFcrdTaqb.kYcAohdYd@a3e+d}dMdtd.aJ#bqcK`dle/e.e'dwdPdodddjbEb}ogd^ofdpduc6j?l%d{drdqc)d7bacOdQ%T#Y)X.sR[yH>6Vyv3[xwLu>vo'!*.[yBacahoj>6Rew3[xqdZa#!a&#^(X-[yG>6Vyu3[xvg3sEr|g.u/Ri9db0T#^(Xa)!-[y;>6Vylg4wKs{JwNZt3@3r=c4Z([xlg;wKt!cpq's@v7A'*a(a+!-a#[y<3Dt?3Dt'>6Vym3[xmg9rxsNJwLZt4~?r?db1T#`-!(Xa,!0[yS>6Vz%NuQs.g4wKtnJwNZtS@3r>c4Z([y%g;wKtrdga8!a(!#&T*Y-Xa#!a0<or[yc3Dtq>6Vz43[y3JwNZtf@3s!Ju}!%Dti:pm3c_%X#tjB5pkd6q!r]u?voC'*-a.a2!0a&a+[yI3DtI3Ds~3DtH>6Vyw3[xx;:s#~<5pKJwNZtE@3r~d`a)!a2T#a.(!+U.X1[yT3Dt`3Dtv>6Vz&3[y&g9rxwzcxstPu.<rAJwLZtT~?r@dZa%!a.&^*Za(/Reu[ya>6Vz23[y1g3sEr}wkg{NuQRg{ci(U#5@b`~,cg#U(2WnH5wugcRh7dX#T(Y,a'Ta!!a,[yZ<]mj>6Vz,3[y+Pv#5ReZKu+=,%!H}7ABwkaS?Rh:BcW(X#<]mrj:ubv/ARekdg%!(!a.*Ta(Y.X1!#sP>Rl*Dt6[y>>6Vyo3Wf*jOvuumvuRgRJuq*!:9<B@bX~3jVv&v@s@5Re[d/rQt{uAvo&a&a*)a2!,0Wf!3Dt0=Bs'>6Re}3[xy~<5s%JwJZt1~Gs)c;&!#2sJkNuXvzq7rxu,Re8dka4!a8(aEZ+a@Y.X1Xa)[yd=Bs(3DtP>6Vz53[y4cX#X&Re:avRe9~<5s&JwJZtQ~Gs*i^rzvdRg+Jv{%!2sbB@bX}kdga,!Za?&^*T1/!a'Dt+[y6>6Vyf3Wf%g/u;s4hGu6?Rh-JvZ,!c%#&RoX54Rivj7uyvf8RgTKvZB%*!2sGh<vu5Rgq<=C::9bb~#dZ#T&Ta6Y.X*Dt>[y93Wf)coZ(T,6VyifluvRgC@95@B@bX~/hFu34cC#T,k/unq8w8Q5RkUklwQuzunq8w8Q5Rk8d/rJu?v8w9)-&!a0a;a&aIWejg3sEr/h1s<DtDJvyZqY5aws3Jvy!&Wei~Hr1:au5@Bag>23E~5c:Z&bX};kKv?w&unuVu5Rjc;>bs)#~@:Rh.=ay<a]C;b`}Vd6s/t{uAvoaxa()!a,a7%-a#a2Dt,[yF2Wo[>6Vyt3[xuNuPRi&NuPwpi#RoWh?vf8Ri%Jv]!%Ri:KvxD!.'2WeAjZu`q9rxu,Re7woeAg-unLq(qA_/*2Wg_g3u5q^9:4E}/jTrxrzv=Wkkd~0UX#^^Xa-a1a5T&a=U1a'*aEa]!a*aPaA-adok[y54Rn>;:p3~Dp5g9rpsFNvZqjg3uJp4~<5p0Pw;5qlJwNZt*@3p1Pw:5p/Ou!5p2JvG'!6Vye=<qnJvh_[xhg3v,Rh3kOwOw-sDuev/Re^dha[a%!%!a+#Ta7)-5TaCaO!aka!a)sf[yb2>Rl!9ARiq5E}Qg=ucRkBE|oJrJ_@Wk~@Wk{JrJ_@Wk|@WkyJrJ_@Wk}@WkzJvO_[y2g-vMRmiKuYC!)&>Ri;>Ri<@3RkNc](X#@9Rk=g5vuRmhKvDB!+'=]meg3u4Rmgd)#Y'Vz3CARmfd`a+!%T'!+#Ta1Ta6TaM-sTDt9[yA9sYd'%Y#s[[xpj:ueunaXRgEjRq,v-vuqdd2'`#6Rev<32@5>:2<E}5xIo9a*X#Y(;5RePJvD_g>vyRgNj8w)v8<wggs:RgXiZt|vjx,hSq3ah!-(~@:Ro/Ou!5RhWj^v(pyw8unRhUdx-UY#^Ua.a3a70!)%UX1TaDa)'omRiRRhE[y:3Dsz=Br,>6Vyj3[xkg6ruwjcqsrPw;5r*Ku]D'Zt-@3r(~?r.i[vwv]dU1a--U#`a4(g/vsRhPOu!5RhLj:rmu9Wo!~@:wdh@g/vsRiTjXuvvNr}:RhBj^v(pyw8unRn]dz1UYa'a+^Y(!aETZalaRY.Ta?a4[yDJw1!#qLsW>6Vyrfzq-pLflpwRe|Js>%!Dt@3Dt&Jvy_[xs~HrnjMuwpsw'RecKu+D#'!t<~Grl~?rjg5u-x,gwp{ah!-(~@:Rg~Ou!5Rh'jXuvvNr}:Rh#cW#X/c;&!#2sLi[v7u7RgpJv)(!iLrxu,Re6j7v@s@5Se[e7d`aW!Za(a`T.a#!a3!&aDa-!9)Dt_=6s+3[x~~DR|h~DS6avhGun5RkZj3w)v-]mkKunB!&*]kb97R|i<ARk<c:Z(6Vy}Juh'!wziMRoS:F|vkLuauJv5vtvQRh1d='T+Y#VyO~DR|jcF#T'7R|g97R|kJv3'!ay<Rj,Jvh&!:ReXcsa6*a+#a#_aIRf9aLRf?c,Z&Rf5Rf7c.Z&Rf;Rf>cQ#%T'p-Rf8Rf=ct#%'(*!,p,Rf4p+Rf6Rf:Rf<d~'Ua%U*^UYa(!a,-!#a4YaTalaEX0a8a<Weo3Dt/3Dsx=Br93Wen~Dr;~<5p<JwNZt2@3p=Pw:5p;Ou!5r3c7&!#:p>3Ds}KvGB)_6Vyk2sM=<r7x'eovA(!hFu1ARf}cV#X&@r5j6rvwQa^Rf3c=Za'wkghJv__g;unRggA53B9=b^}%j6uduo5Jq;!(hIv%2Re`Ou4ARe_e%a#^^^Xa&!a*a2!&a6YaP!*ad!#a:aE/5Rn?[y@>6Vyp;:pE~DrY~<5pBJwNZt8@3pCh=rt3rWPw:5pAJup_[xoNuPpF9c!#'45pD5ARn)d8#X'X*3@rU72s]h>v<<sSjJpqvewOJq/(!hNw'5ReBk0s2u3w/w'5ReE5@Jq.!a+JQ!&WeU23d(#Y&RjG5]jBk!u7w&u0udARjEe#+^^^Ub#!a2/a`Z(agT1!a-a;|@TaG!aS[yV=Re~fow'RguNuPRe?bz#'>RoUWeL>:Cbb|?JwPZtVg6ruRmzJvD'!6Vz(g/vmRh~Jvy_[y(g9voRgyx*cy(#2>Ri2B9b]~9kIw9u7rluJu3Rg]dI#a%UY'@=p%CAx.gQZ&RhwwygtRm{x5g_Z'+ABqR9Woa=Bp&dV#^*Xa'!&@o{g4v]Rk;Jv{!%Rk[wkkiA5RkiwwfUB=x,fUuqC&*!>RfTg8v0RfV~ARfSd;rJsAuAv9wR'ae+/aO!a@aza/a#[yQ@Wg!2Wemg3sEr0JvB_g>uvReWg2v+Re=KupB_+[y!2AbY~-~Hr2AJwD!(h<~El>h<~El?Kun@+_:9b`}Kg-v/Ri3g;vtwyk_9]k_d=&T#*U.6qh@Ab`|K9:H|CJv[!&3Dtex'fDwC%!Rf[9WlMd[(^X,!a%Z06Vz!@WgBg=v~Rgvg,QRe@awd,#Y+jTv|Q~EfWj]uNr|~FRfXdy#Y&^Ua%!aO.!(a)Ua;=!a@aKap!a-,a!Ta]a[rSa]p?[y82sK=Bq~;:p:~<5p8Pw:5p7d'#Y'Wf(;RnRi[u4w&RgJJvG'!6Vyh=<r#ijuuv/sIKuYD'ZtG@3p9~Gr&d2#`(g<vtRgFj`u5w&rqpxRf2CJuY!+:wfnTOu!5Rg}jNs1ucv&RfwJvA!&3@q|BDcC#T,k/unq8w8Q5RkTklwQuzunq8w8Q5Rk9dga#!a'!a=#a0!:+Tb*b@aO.a4!aba8aFJv^}?!VyR~Dr<g;u%Rn.~<5p[x'e`wNZtR@3p]Pw:5pZhNvjBp.woe_g5u-r4JwF!%DtO3:ooc7&!#:p^3DtpLuGw(!+%)Dtk6Vz#2sd=<r8d'#Y([y#<x3gJt`w@!)%}MRiowzikRij=]ilxAf3,U(#B2Rf#g0v-Rm[ck{`U#]giKv3>)!&6Ri154s,KuGB_%@r68r:dJ|t`#X(9<E|u2@H|rx3gJu?w'!+'1Nu7Reg4=H~+9<wxgY95Rm]xLggZ-`(X}U2:Ri4h<uOawRmsJv__5@bb{jbV~3dka#a'a]!,#a+U=a>b6a3b%!/aKa/)!arwve^VyJ;:pR~DpTg3uJpS~<5pOPw;5qmPw:5pNOu!5pQJvG'!6Vyx=<qoJvA!{~Jup!%@qk7Rn/KvyD!}''[xz;>wkh'?Rh,x8gyt`w5D!&),(SgyccRgztJ@3pPB5p#d'(Y#<]mmifubw&RgoJvE&!82s^JvF&!8Rf,ADb]~;x=h'rNu]vK!,%'*0RnORh)4Rh*AqQg-vaRnNg;wHwkh'ba~4cE#Ta*x3gctyw@'!+%RnFRnD<4Rn@hFvK5RnCxWg[#`&a0Ua()`1Rm75Rg[c]%X#qi8Rg^NvdRj>BwzgZauwji7Rm6A4wgg]d1#&(*,.0a#Rm;Rm<Rm=Rm>Rm?Rm@RmARmBe%#^^^Xaea?aC/b+(,!a+a#!a/!>a&Ta<aKbD!2wphBRnk[yPw}hE|.=Br-3Dtm>6Vy~g6urRf.x,hPrNav!%'RnqRo%Ro#Nu;q[Pw;5r+JwNZtM@3r)d'#Y'Weh;xChL#`&RnmRnoKu}>%(!Rne~Bs-;2wjcussJv+'!aYSO}6@B<5?ba~8LrNvj!.%*ROwungw~ng~:9;Ri^>wtnig;wHRnixDh@|(UZ.x1h@|)!#:2<H|*xHn]#-UX'3Ro)z=iT}6ARns=Bwsn_wpnaRncw]aR(#UXa&Ua*a/=]iPd'#Y&Ro'WnXf{QRm2hNvj]nZd`'T~&1`{|`#9b]{}c:'!#Wl{>@=be}]?cl{{U#:5Abb}Jds#^YaF!a*b4a#a3aPa>&Tb!bH!*a_!Eau?/a&RjY<]gj>6Vz*;:pe~DrZg,QRj1JwNZtX@wihspcJvZ&!VyX9WmOJu|!|N2WmHJvh&!]ht~Bpbcn&T(!#RmQ<s7Nu;padH#X'`+WmJ@>RmKCARhnKup=!)&Wf+:RhqNuPpf9c!#'45pd5AwghpARn(Ls@w!%,)!RmP@Wfe<E|IJva!&WmNg8vsRmLd`*.`#Y'Xa!axRn*]hrA8Rhug5s@rXg8u!RmMd8#X'X*3@rV72smdI*#UY&RmICARho~GsgxVgd)Ta'U-Y&Xa!T#RnEWnA@Wffg1uDRi0hFvK5RnBxGnG&#`%owp)@wsf+bX}Ze-*1!a*^^^Ua|!#a.aq&Ya2!a>.a6!a:aO`aJDtL[y`@Wg#>6Vz12@wzoYRoZNuPRi!NuPRhzg=ucRi,@=b`{Yg=ucRi-ACJvB!&Sh[ebSh]ebi`wUuFRm4Jw2_[y0JvB!.<Ju(!&SoG}6Shd}6<Ju(!&SoH}6She}6Kur@._g5vHRieJvx!{L2G{Kx6gd'T#?Rh82Wi5cZ#X(g1w)Rm5dW-Y(Ta#!a)!#aYa=wnfE=su2>>bU{0j9udv:<svj8uQv-7RgHdE%#^'sq9sp=>Bb_{TJv`!&g/r|snj6v(us5d,#Y(56H}[978H}]Jw5!&g1rushJvB!+j;v{u5?zDhd}6}bj;v{u5?zDhe}6}ce*#`(^^^a[aea!=!a6a*aoXb1a.!aAbL!b>,b'aL!aV@Wf|2Wlg3[y/JwNZt^@3piPw:5pgJunZou3@rsJva&!Vy_g<v~Rm#JvG'!6Vz0=<r{Ju{%!:pj@WfsiXuJu3Rm:JvZ&!WfA~Bph@c4Z&Dtwax5rubx(#:awRk1@d,#Y&RfjRfid1#,Y(@Wfp2Wlrg5s@ryKu[@!,'=]ig9wlk?Rk>g5u-rqJvy'!@9RkQcH(T#=>Ri~@<wkj(Wj(KuZB*!&<7rw@9RkRcH(T#=>Ri}@<wkj)Wj)dg(Ta2Xa9X#`-!a*CARhg@@=I}d9x;c~#X%so=<sj>2@@=aybb}XjWv0Q~EfEj3vLv;<d,#Y(56H}`978H}_dgaPaFa'a/!#a3Y0a_a;a|!1(a7-[yE3[xt;:pJNvZrrg3uJrvJwNZt=@3pIh=rt3rxPw:5pGOu!5rpJvG'!6Vys=<rz@c4Z&Dt(ax5rtJvZ!&~BpH@wsfNg-vaRlNci*U#=<wei<F}a5@Jq.!a*JQ!%@qZ23d(#Y&RjH5]jCk!u7w&u0udARjFd/prq=tyvpaEa(a:.!a1aZ(@@=I}:9wpd%=<sX55w_h}@@=I{t=ay<aU@@=I}T=ay<2@@=I})?C9:9au@9Cb]}DP~=x-fAZ(2Wl1=ay<aU@@=I}>5@d##Y+jTv|vV~EfFj]uNpn~FRfGdgaK!Z2&!a8a-Tb({E!acTbM*!a(DtY[yYd'%Y#sl[y*hHvh>Re5x2c{Z}.j4uCvcawRiMd+#X+_x&d!},<5RkX;2Hzw@x,gavfB-!{CcF&T#Roe;RodwWbBg5urRgaKvHC*_6Vz+<4opieuew&Rmq@d]&Y)X,T#X0Rh}<BqP=4qS9:ReMg/ujReNJw0!/<Jui%!bd{kawwnemRelAxUa?a3#*.&UX(Ya+a/RhvRnQ<o}9Wmtd-#Y&RgSRmw9;Rmxay=Rmyg-vaRmuxEhSrNu,v-voC!%(aR.a(a7+1Ro1>Ro5CE{A9b]{@;5x#eO{:g;urRi+KrNA!%(Ro3>Ro79;Ri_Ku@>{;&!x%gX|{KunA_+g5QRj/g3u5Rj#g>uERj%wio/xRhS&!,!#^1U}wba{8>>@=be}qC@:D5ba{7Ku+A&!}x?ba}t>>@=be}se(aA^^^Uat!b0#{pa+awUazbGa#aLb9bgaWac'a5TbS=Br!d1#`%scp_Jvl!#rT>Re0JvX&!VyN=H{Fcm#U&:pY=ReaJv2&!]h0=]nUJvG'!6Vy|=<r%JrM_=]h2@Wlud'#)U'Wf'b]{i=]h/Jvh!&~BpWg=v]RnMx+ny#'Nu;pVwjnu=]nwxJnx,T#`&Reqwjnt=]nvieu9vrRjLLuYwP(#+!th@wih5pX~Gr'g5v/Rh4KunA'!-CARnP@wwiN:Rm_9x'cvw>!|l=<saKvAA!0&3@q}>w^e1bp#&Re2Re3BDx7gH#T|f5H|eKuZ>!%(:qNAH{]Jv6!+3B2B9=b^{X<5<B92:E{ZLvhwA(a;a%!igQuyRmad+#Y}m@3Rh5d8#X'X*:AqUAHzmaxwbh<aXRnVcF}RT#Nw&cj#U(BWnug/vsRntdka)(a3+.Zb7aYYan1!bVa@Xa}[y^@b[{G=H{+hFu73Rj&Pv#5ReQcK%T#sig1v{Rj'Ku+D#'!t]~Grm~?rkKuMB!01d5#`'Vy.ta3Dtu~Hroc8#'{^45s85AwZbP&!#Rn!wghxWn#KvEA!)&2RlA2RlBx:h|#(T,=]j09Wobz>x]z/@awRoTd+#Y(az]hFhCrm4d,#Y+jTv|Q~EfMj]uNr|~FRfOdCa!Xa9_X#@<plJvf!%b`{(9;Rgwc;.!#2x7cw#T|UDb]|T5Ju={(!=@E{&Jv)&!Ab`{'awJvf!~*>>@=be{#KuY>!+&4Ezyi[ugv&RjIdea+T)#UXa&T-T&a!Rh9auRmW=]kLg5vuRn+g3u4Rn-Ow6ARn,hHus5xNk?#UX(U~)/g8v0RkD~AwkkF?Ri.OuNBwkkA?Ri/d|a2`a*^UYa.!aBTZaTa'Xa;!(!2!-a#b2[yC>6Vyq3[xr2Wi?g1rusVh%s?DtF~<5rbJs;%!DtBfswKtCj[uvuSsEu3RgVx3o:u+wN'*Zt;@3rd~Grh~?rfg8w)Lq)qE&-a%!>bI|`jWv0vV~EfCjTv|vV~Ef@j]uNpn~FRfBcK#T']gWNu7x,k7q4ai(0!hHv8<RhmkMu9vrsBuev/RhlCJvB!,g<v{wchh~@:Rhji[vrv{wchi~@:RhkdS&a5UY#Ta!RgPwwiI5BwciI~@:Rh`x'iJvj'!5]iJPu8Bwch]~@:Rhach)U#h3rp]gLh@t|Ax,hTq3ah!-(~@:Ro0Ou!5RhXj^v(pyw8unRhVd|)`,^UYas!a?/a2Z'a^Ta{Tb7Ta(a#!a,Wf&9sZ3DtAadamov=Bqt3[xig8vsRm~>waiL2b`{QJv*_Ouv2qgj<v]v2BqfdR'X*X#Y-@3qr~Gqv~?p6hHv-]glPup5Lq+q?_%*b_{qF{n9b^{rOu4ARhpKvCD!+&~Bqp:5Dbb}nwoiKl&unuTuBv]v+ueunaXRf0=Jvh!0nKufu8v1w&w7q%w&uHrz:Rgnj5w,uxDJq/(!hNw'5ReCk0s2u3w/w'5ReFd>Za&!*UaA=<wkgsRnSJv^!%Refifw3vyRgOKu_B'!,<]gkiiu:w&Rh<=C@a^<B57@2F{[<B5@aW:=3away9A5aW=<B=C@a^<B57@2F{Ie-#`(^^^bCara.b8aza6!/bZ,!adTbnTbOb+aFaS!aAT9@Wf~2Wli3Dtl2@d,#Y&RfnRfmJwJZtN~GqyJva&!VyMg<v~Rm%iXuJu3Rm9Jv[_=]ih9wlkDRkCd1#`(@Wg>2Wls3cH#T(@<Rj*=>Ri|b~'#23s9h<~El.d'#Y&Dtxi^rzvdRl#d*#U%(o|B2s`hJwSaxRmDKv4B&!1:Rmdd5#`'Vx}to~Hq{x'f1v3(!BA5ba|bJv_&!Wfug1v]ReIdO+U/Y#&G}-8wze=Rh{g1v]ReHg/uQRf/by#)ibQwERl/cH#T(@<Rj+=>Ri{cNu+vlax-!(#a0qa9<Rii2;;bU{H;x<i=&X#Rk`<4wwi=C9H~8xAI(Y#<azRi@45wXI<B9;5bb~7dL(X#Xa(+!aL6Vy{g5QqOau:5au2@ay547EzbxOcU(UX-T#Ta#:Cbb|A?wjh/b_|SOw6ARgtihr}u7Rhy<d1#T)X1@@=I|~=ay<2@@=aybb}Sj3vLv;<d,#Y(56H}A978H}@dGpvs@uAu`vcw9*!aFa+ai%(b!aXa8.a?a[ozWey=sU2@G}Nch&U#Rf_WexKu+D#'!t:~Gr`~?r^j]uNr|~FRg*j^psurwJt|RmcKv)@&!)7Rkv~Br[@wxfO:Rl3co#U'6Rezj_q#vIuavjRltwzeyh@vr5JqD0!>aY?C9:9au@9Cb]}9cl#U*5;5<H||jbuus1ucv&Rfvg1v~d/pppzqFr^a--a~!aMat1(hFv;Wiz@@=Izoj5uuv-7Rix~Cw`fk2WlVcZ#X,k)u3vWs@u2]ktg;wEx'fBq(_2Wg/jTv|vV~EfoJv]!15x'hzqG!(P~EfU~CRl_j6v(us5x4i-#T(2WmZ?C2F|d>Kq<aj1!*jTqIsBv=Wl`~Cw`fi2WlWj`v0u*~>RlR=c>Z,k#u3vWs@u2]kr<c1Z+jTqIsBv=Wla~Cw`fm2WlXdmb3!a{(arZa`bkTa%TbQTa-a9+c'!aM!/[yL=Bqug.w'RifhFvyDRj.g>vgwyk^9]k^Jv3_@WfbAARkhJw2_[x|JvB_wkoIRoKwkoJRoLd'(Y#<]gm=<9<H|yd'%_X#skDtb3awwqkgNulRkgdB#^',9:p'hJwSaxRmEBwVb8@4=H|qLu+w50&!)@3qs~?pU>Awwn;;Rn=c:Z'ARn<=<qwKvC@!/&~BqqJv6!&]eVb^z^xRge'/a%+^`#Sge}6<4Rn3=]n0Pw2>Rn8Jw0!&>Rn:>Rn6cY#a7+!a&=<wkaNw~h3z_c5Z{=wjh#=]nLKv^D!&)Vyz=bW|swYb<WetcG#T(2wxa@qVx@gD#Y&b^|V5JwG&!5bb|pg/w&RgD@x=kHs=uAvn!a%%/'+RmSRh694Ro`g-vaRmRhHv-]mlxCcS#`&ba~.5cD#Ta)P~=d,#Y(56H{>978H{Dd_#{2^Y%_+qbbb{6g3sERhsbU{?dfa.,`a(Xa<!aiX#(55RiG54RiHcI#T'WiU3RiVNvdwtfcRlKNvdd,#Y&RlHRlExQgf.1*^T'X#Sgf}6Wn4=]hfPrk>Rn7Jw0!&>Rn5>Rn9Lunw?&a2!,5<oq@@wqfdRlJj5Q~=d,#Y(~ARfcOuN]fdDKw;ay(}i!547E}j?cI#T(@5bV}iCbV}hdv(^^Tb?a40,b##Tbo!a*bR!a<b|a/!aKai!aU[yK=]o^g:v>ReGJwPZtK<7Rh+h<~El,Pv#5ReR@awwxjCg,ulRjDJv6&!]j!z?aQeeg>w=Sh<eeJw;!&axEzOg,Qosc!#*:wkeJ]eJ>x'h-u(!%Ro.w~h.zPdNZ(X,Ya![x{;9ReY;wkgxRiF:x?ap#Y&RmUg<s2Rkod]+UY0TZ'!a&A9sw<=bczLNvuw{gqzNhJwSaxRmCKuLay!#&s_Rf-55b^{uJvZa!!c%#(55Ri654wmiu5RiuawLu,vp!+}^%b_}Y9;wkgxba}o>A9:=b^}zKuh=a''!3awRk3c*'!#aHRk6c+Z&Rk5Rk4Jv)&!awRjSawd9*`#0?C2@EzMj8u<uJ5RmbjQrquJu3x,k>uq@_+=ayb^|W~ARkEOuN]k@7dhzV^X/X&a-#zRzSb`zXcJzTT#2WkVKvDBzW!%FzY9;5bbzWjQrquJu3Jw3%!b`zU=ayb^zQd:#X(T-a!6Vyywxh}=b]{Jg=u1RiAdGp~qHtzv!w(wA+a+a;<!aJaYai'anasb(=azRmV:Cbb{MLq2vb!%')RjuRjrRjtRjqx3jnqCw3!%')Rk(Rk+Rk&Rk)Lq2vb!%')Rj{RjxRjzRjwLq2vb!%')RjsRjpRjfRjex3jcqCw3!%')Rk'Rk*RjkRjl9<CbbzfOu4ARhxLq2vb!%')RjyRjvRjhRjgx=joq*uKvb!%')+-Rk.Rk%Rj~Rk-Rk#Rj}x=jdq*uKvb!%')+-Rk,Rk!Rj|RjmRjjRjidAq&qKs@uAv8Aa.'*-a@a&0!aM@a5[y73Dsy3Ds|3Dt):wxgI2sHJwJZt.~Gqxwsf0ikrzt}Rl0Jvy_[xj~HqzKv_A|D!&WfP8axRoVcf,U#k(v]v+ueunaXRf1Ju}'!g8u#Ri=jQw!sCunLprq>!,')~<5qeGzq9F{W=c##%s5au:5aU3CBE|;d4#X(D!a&6Vygx(b;#(=]ed?C2F{N<capoq2r[a&!aPa9,'Pw;5s:@@=I|,55w_h|@@=IzcP~=x'fCqB_2Wl2>aU@@=I|1OuNBc1Z+jTqIsBv=Wlc~Cw`fl2WlZ~AcTa%!Z+jTqIsBv=Wlb~Cw`fh2WlYk+uNqJsBv=WlSg,u3dca3#UXaMYa)TaB-=cM|7T#<bI}l5@B932:aV2G{BOuNBJq:|M!5Ezt=<B=C@a^<B57@2F{v>cB{/T#=ay<bI{3Jv6!a.6BKq0ah&+!5E}HP~Ef{978BaU@@=Iza<7d#.Y#978BaU@@=IzH~AJq0!(@@=IzG978BaU@@=IzFe,aU*Y&^^^bvJb,b:bFad!a,c2Ta>aL.bo6!a#CbTa'T#Re{2Wlh2@G{yg6t~Ro_NvdRfticuRQRllJv3&!x&c|zs@Jw3!%RflwpfkRlpKuL;%(!Re<@G|C2GzdhIvuBwgjAg-u0RjAKQB%!(GzZ@G|5NuuRl7d='T+Y#Vy[g<v~Rm!==G|>JvA!)@wma=]m1ifuaw&RmnLs@vT'!|/+[y,g:v>ReTJw1!#qX=x!eC{bLu+wT&)ZtZauq_~Graci&U#F|89:r_Lupvq!.)&2RlG8RfaC=x!eF{_h?rpWlmd&'!#X|&]k::xJey#`'T|+<E|&2@H|%dE#(^,g;u.RiEg6vjRiC9xCkA{O|zY#g=ucRmXKs0@!&*@G|m@awRknJuh!,3d(}gY}eJvj!%Rm):Jw3!%Rm+Rm-Ls0w(&!a(a#@b[|6cZ#X'7RkxWgAOu4ARn'dH'U#Y*Vz-Wm'CARm}d]*#a%^a*T'aK!a<9bV{PC=p*Jw4!&SgxcbB5r]idw(wBRmF7xFkt#&`(Rm/Rm8E|!JuY_9:Rl5=wrgr2:bbxd@xXfB(a*#T+!.X0X1Ta/a'T&RlDRfL>RlyARl9b[z[>RfZ:RlL:RfRwlg/ARl;9;RlxKv,A/!%7s69<74=BA5ba{-8Bde#`a<XaKYa1,a'P~=wxfB2bZ}}?C972@@=I}r8@55B9;5bb}G978B2@@=aybb}3j3vLv;<Jw3&!>Rfk=ayb^}4~Ad1#`*@@=aybb{w2@>==<bbz]dx+UY#^UaF!a9!bB'Ya1.!ajXa#%olRhD[y=3Dt#Ov5BrHKuMB%!(Rf^Wep~HrJwkiQjKr|~FRg)Ku+D#'!t5~GrF~?rDdV)UY,Z/_7RkuG{<~BrBg,rlsO:235B@bX}|d?a1!#`(6Vyn5@d##Y+jTv|vV~EfIj]uNpn~FRfH7Lq2vb1!a9-978BaU@@=Iz9978BbU}#~AJq0!(@@=Iz8978BaU@@=Iz7~AJQ|}!978BbU}!JvkaK!AdUa21-U#`a+(g/vsRn~Ou!5RPj:rmu9WhOjXuvvNr}:RhAj^v(pyw8unRn[kPr}p|u7vwv]RiSBd;pppzq@qHQa?(b.!a.a`@.|xa(hFv;Wiyj5uuv-7Riw~Cw`fg2WlU978BbU|wOuNBJqG!(P~EfD~CRlQcZ#X,k)u3vWs@u2]ksg;wEx'f@q1_2Wg.j]uNpn~FRfqJv]!15x'h{qG!(@@=IzK~CRl^j6v(us5x4i,#T(2WmY?C2F{1>Kq<aj1!*jTqIsBv=Wld~Cw`fj2Wl[j`v0u*~>RlT=c>Z,k#u3vWs@u2]kq<c1Z+jTqIsBv=Wle~Cw`fn2Wl]dn1#c(a(b^a2!b/bAT(bj!aDa7bu,a_a{c0!2T0g:v>ReD2@G{42@G{5~DpM~<5rc=Bx6i>{RT#RnI@zCx]y]z:2Jv[!zr5Awyk]9]k]dD(Y+X#6Vz.g=wKtgwhaCwgmTWj2Lu,w%_+/[y-B;b^xeg3u3Rj-2@bX{*KrJ<!+'@Wg(g?QRlC@Jv`!%b[zIwsfII}8JQ_@w|kW|=Jv(%!AqcOuNBJvEzh!bYzjLs@wP#(0!oy@>RkdJwMZtc3Dtd@BcG#T'9bWxg2@2Fznd*#Y+;2x'c}w<zizixNgwa#Z'U+!/!a'!a+w~g~z6wcn{Rn}wcnzRn|5Rh%=]nJg5vuRmvNvdRlvcprJu}w*az*a#!%.a.'Bot9qT]kj@Wg'ay2Gzv@Jv`!%b[zEwsfHI}1;ck#Ux`<Cbbx_Lu+w!a&0*!wko*wwo,So,}6Juqxf!E}PigQuyRm`d3(`#8>Rn%:A5B;bZ~%KvhCa!a2!x>k7#Uxb@b{#xaRk7Jw0!)>wwhlShl}6>wwhmShm}6CJvB!.x'hhvj{!!5Bwkhhbaz}x'hivjz~!5Bwkhibaz|xEhTrNu,v-vpD!a%&/)a3a.,%Ro2t[CE{)@3re9b]{%wjo09:rgc:Z&Ro6=<riifuaw&RmoKrNA!%(Ro4>Ro89;Ri`dSaL'UYzxZb)7Rka3xRhT&!,!#^1U}vbaz{>>@=be}yC@:D5bazzKu+A&!}{?ba}y>>@=be}wxBh[t`u~vJvr!%a!a()a,a0a4RoC=]o;Ju(!%RoGRhdwjh`=]oAg>w#Ro?g5vuRo=NvdRl|Ku]C.!&;RoEJvB!%RoORoMBx'h[v+_?w~h`}~5?w~hd~!xKh]oiptu-utv.vp!#%&a30a@a'a+(a/aOp(o~p!RoDJu(!%RoHRhewjha=]oBNvdRl}g>w#Ro@g5vuRo>c[#X']o<CauRoRAd-#Y':RkpauRoQKu]C.!&;RoFJvB!%RoNRoPBx'h]v+_?w~ha}t5?w~he}ue!/UbhYacXaW^Tc&a;b:a-c/#b&aja1(!cL+!bKbt!bmcRc9aIc?8[yW3Dtt94Rg`Jv}!&SiRMzBhEebShEMNuPRe>x7gL#TzuwjirRipc<Z&>on;>z=h-MSh.Mwqczx'a7vj&!>Re4@=ResJt__NuPRi*NuPRi)j]uNr|~FRfzKrJ>_+@Wfy@Wf]2WocKrJ<!+'@Wg%g/QRl@@Jv`!&awRl<wsfFIzgLu(w*!.*&ShBMwvhIRhI9;RhNx1hK'!#Sn]Mx1hK~0!#:2<H~7cNu+w7D*'1ZtW>Rn1~?rOc:Z&Rn2=<rQ<7wjh&=BSnLMc]#X(6Vz)w[b=a!U#9wzgMc3#&(RgMRitRis<x,gKt`ax!&+SioM=BSilMc3#&(RgKRinRimKurB,!&SiQMzBhDebShDM6BJQ!(P~Efx978B2@@=I}WLrJw!!,a*&@G}O@9wkibRid@@x'fKwC!&SlDMSfLMjUv~Q~EfKKv3@a+!(hFv-]mpx/hYZ(C5RiWz<o/MwkhY?So/M@x,gbvfB*&!SgEM:SoeeehFu3:Rgbda(,^TZa)X/7Sg[eb:2RgI~BrMC@wgkc:wwkcRerx3h(uUvK!&*,SnOM4Sh*MArRg;wHRh(x=h;rJvPwI!a4',a'0@Wg&=BSh/Mg>w=Rh=g3w*wwgGRgGcW(X#;Sg}M2Gzk@Jv`!&awRl=wsfGIz`dKZ*T'Y-:RhR7RhQg5u-p`j6v(us5d,#Y+~Awkia?RicOuNBwkibba}Ld6p~tyu_vbAa'a+!a/'a3aEa8a!>Sh,ebJv{!&Sh@ebSaReb9;SgwebNuPRi(NvdRl)NuPRi'hHu^<Rm^Jvv_@Wl(g;u1Si/ebKu'B&!*Sh?eb@Wl'z@aPeb95Si.ebcpputyvjB)!,&a+0a%ShAMWeK@G}C@WfJ9;RhMwvhH9w{ia}ix,hJvRA1(!zAn[MRhHx1hJ~*!#hFv(BSn[MBJQ!(@@=I~'978B2@@=I}2db.Ua<'X}+T#a0XaG2G}E;wkg|wuh!Rh!x,hZu,@)!&So0MVy)C5RiXACJvB!&5RiY5RiZg8w)cG}*T#2@bU}=KsA>(!a.3wkhZba~(x,h^u(A!&(SoCMRhb5Bz=h[eb?w~hb~6x,h_u(A!&(SoDMRhc5Bz=h]eb?w~hc~6e)aA1T#T,^^^c-bMb&blcPaP(a/!0!bA=b5c@a(!bfbrc#2afwmhARnjwchORnp2Wlf3DtsNvdRl-2@wpa<]m0bx(#:awRk2@Jw3!%RfhwpfgRlnKQB%!(G{V@G|'NuuRl6d='T+Y#VyUg<v~Rl~==G|<Jv+'!aYShC}6@B<5?ba~8@Jw3'!g2QRljhLrpWlOd+#Y'g.w'rIg>w*wgj@g-u0Rj@Lu+wT&)ZtUauq]~GrGci&U#F|39:rELrNvj!.%*RhCwunfw~nf~:9;Ri]>wtnhg;wHRnhx3hDs@v~!/+'@Wfr@9RkSNu&Rlo=@<5GzoKs0@_+@Wl+@awRkmJuh!-3d(}pY#qWJvj!%Rm(:Jw3!%Rm,Rm*de&!1U-U#`)Re;@G|.@9Ri82@wjfvRlq=@<5GzpLvOvr!).&2RlF8Rf`C=x!eE{.Jw3_g2QRlkhLrpWlPde(!#U{s,UXa*Ta'[y'g:v>ReS;x0PZ&RnlRnn~HrKJw1}f!=x!eB|2w]aP(#Xa&a*Ta.Ua2a7=]iOd'#Y&Ro&WnWg;u.RiDg6vjRiBNvdRlzhNvj]nYJuW_2Wm3x)kFze{9d])!a.!,Y01!#&aC!a3RndC=ox~BrC@2b^{pg,rlse7x'ksuq!%Rm.E{xidw(wBRmGx9o+)X#wwo-So-}69:Rl4@xSf@a#XZ'X)X,Ta(/ARl8b[xc>RfY:RlI:RfQwlg.ARl:9;Rlwdn'#^XafaQa1X1TaHTa)@b[{zcZ#X'7RkwWg@Ou4ARn&x)kG#{,g7u/RkGdH'U#Y*Vz'Wm&CARm|bx#(A]gUbUzJj9Q~=d,#Y(56H}l978H{U7d,0#U*2>ABb_xZ978BbU{e~AJQ{g!978BbU{hxMh?ad{oUYZ.x1h?{l!#:2<H{mx3n[t{vl!,&a%3Ro(z=iS}6ARnr=Bwsn^wvn`Rnbd`*T}B0!#^X'BG{c9b]{a>>@=be}F?JvS!&BG{d7BG}(Bde#`a1X,Ya@!a'P~=wxf@2bZ}I56B2@@=aybb}08@55B9;5bb}<j3vLv;<Jw3&!>Rfg=ayb^}&OuNBKuLA!)a!P~=x#fD{f2@>==<bbzl?C972@@=Ix^d6rSu,v7w*C(0a)a6#B+a%!sQ[y?3Dt%3[xn~<5rLOu!5p@Ku+D#'!t7~GrP~?rNKvlaya7'!h+v-5qMg=t|cd,U#5AAaa5Abb{S@52B5@a[@52B5Gx[iXueu;d<#`a(!/549C;ag>23ExY5@Dah89b^~689Jv)!~2b[~1Lv'w(%*!a#bX|aPrmawRe]keu7uhv-q6rxu,q`xTo]/a5aU!bNaDXbi!b-!ao!b<bwA!#5@B932:aV2G|:d-)Y#hJrL>RhG<7@C5<H|_=Cau:5aj5@B932:bJ|ng>vIbs)#?C2F|9jPv0w.vISh-MKvUaz(.!9ABbb|[5;5<H|Eg>unwfh;9:4E|YjQsBt|vjx'hYq3!(?C2F|J:2<BaY?C2F|GOu!5x,g|p{ah!-(?C2F|c9:4E|OjXuvvNr}:Rh&i[w*t|cd+U#jJvsu)vsSn~Mkfrmu9p}u7vwv]So!McW#Xa!ax5@A5aY:5;5<H|>kJv~vYrquJu3x4ib#T)2@SmZM?C2F|Bj:rmu9@xPhI(a*a#U#`a3-5Abb|L~@:RhK9:4E|0@52B5G|#C::aY?C2F|-:2<BaY?C2F|.5Jvk!a)javYrquJu3x4ia#T)2@SmYM?C2F|HAxPhH(!a#U#`a*-5Abb|4~@:RhJ9:4E|R@52B5G|F:2<BaY?C2F|Sc^#Xa2j=Qq5CJvB!-g<v{z;hhM?C2F|Zi[vrv{z;hiM?C2F|XKsA>!a)-g<v{z;h[eb?C2F|]i[vrv{z;h]eb?C2F|^iZu.vix,hZq3ah!.(?C2F|QOu!5ShXM:2<BaY?C2F|P", 13_494, 2713, 49, 25, 61);
//# sourceMappingURL=decode-data-html.js.map
;// CONCATENATED MODULE: ./node_modules/htmlparser2/dist/Tokenizer.js

var Tokenizer_CharCodes;
(function (CharCodes) {
    CharCodes[CharCodes["Tab"] = 9] = "Tab";
    CharCodes[CharCodes["NewLine"] = 10] = "NewLine";
    CharCodes[CharCodes["FormFeed"] = 12] = "FormFeed";
    CharCodes[CharCodes["CarriageReturn"] = 13] = "CarriageReturn";
    CharCodes[CharCodes["Space"] = 32] = "Space";
    CharCodes[CharCodes["ExclamationMark"] = 33] = "ExclamationMark";
    CharCodes[CharCodes["Number"] = 35] = "Number";
    CharCodes[CharCodes["Amp"] = 38] = "Amp";
    CharCodes[CharCodes["SingleQuote"] = 39] = "SingleQuote";
    CharCodes[CharCodes["DoubleQuote"] = 34] = "DoubleQuote";
    CharCodes[CharCodes["Dash"] = 45] = "Dash";
    CharCodes[CharCodes["Slash"] = 47] = "Slash";
    CharCodes[CharCodes["Zero"] = 48] = "Zero";
    CharCodes[CharCodes["Nine"] = 57] = "Nine";
    CharCodes[CharCodes["Semi"] = 59] = "Semi";
    CharCodes[CharCodes["Lt"] = 60] = "Lt";
    CharCodes[CharCodes["Eq"] = 61] = "Eq";
    CharCodes[CharCodes["Gt"] = 62] = "Gt";
    CharCodes[CharCodes["Questionmark"] = 63] = "Questionmark";
    CharCodes[CharCodes["UpperA"] = 65] = "UpperA";
    CharCodes[CharCodes["LowerA"] = 97] = "LowerA";
    CharCodes[CharCodes["UpperF"] = 70] = "UpperF";
    CharCodes[CharCodes["LowerF"] = 102] = "LowerF";
    CharCodes[CharCodes["UpperZ"] = 90] = "UpperZ";
    CharCodes[CharCodes["LowerZ"] = 122] = "LowerZ";
    CharCodes[CharCodes["LowerX"] = 120] = "LowerX";
    CharCodes[CharCodes["OpeningSquareBracket"] = 91] = "OpeningSquareBracket";
})(Tokenizer_CharCodes || (Tokenizer_CharCodes = {}));
/** All the states the tokenizer can be in. */
var State;
(function (State) {
    State[State["Text"] = 1] = "Text";
    State[State["BeforeTagName"] = 2] = "BeforeTagName";
    State[State["InTagName"] = 3] = "InTagName";
    State[State["InSelfClosingTag"] = 4] = "InSelfClosingTag";
    State[State["BeforeClosingTagName"] = 5] = "BeforeClosingTagName";
    State[State["InClosingTagName"] = 6] = "InClosingTagName";
    State[State["AfterClosingTagName"] = 7] = "AfterClosingTagName";
    // Attributes
    State[State["BeforeAttributeName"] = 8] = "BeforeAttributeName";
    State[State["InAttributeName"] = 9] = "InAttributeName";
    State[State["AfterAttributeName"] = 10] = "AfterAttributeName";
    State[State["BeforeAttributeValue"] = 11] = "BeforeAttributeValue";
    State[State["InAttributeValueDq"] = 12] = "InAttributeValueDq";
    State[State["InAttributeValueSq"] = 13] = "InAttributeValueSq";
    State[State["InAttributeValueNq"] = 14] = "InAttributeValueNq";
    // Declarations
    State[State["BeforeDeclaration"] = 15] = "BeforeDeclaration";
    State[State["InDeclaration"] = 16] = "InDeclaration";
    // Processing instructions
    State[State["InProcessingInstruction"] = 17] = "InProcessingInstruction";
    // Comments & CDATA
    State[State["BeforeComment"] = 18] = "BeforeComment";
    State[State["CDATASequence"] = 19] = "CDATASequence";
    State[State["DeclarationSequence"] = 20] = "DeclarationSequence";
    State[State["InSpecialComment"] = 21] = "InSpecialComment";
    State[State["InCommentLike"] = 22] = "InCommentLike";
    // Special tags
    State[State["SpecialStartSequence"] = 23] = "SpecialStartSequence";
    State[State["InSpecialTag"] = 24] = "InSpecialTag";
    State[State["InPlainText"] = 25] = "InPlainText";
    State[State["InEntity"] = 26] = "InEntity";
})(State || (State = {}));
function isWhitespace(c) {
    return (c === Tokenizer_CharCodes.Space ||
        c === Tokenizer_CharCodes.NewLine ||
        c === Tokenizer_CharCodes.Tab ||
        c === Tokenizer_CharCodes.FormFeed ||
        c === Tokenizer_CharCodes.CarriageReturn);
}
function isEndOfTagSection(c) {
    return c === Tokenizer_CharCodes.Slash || c === Tokenizer_CharCodes.Gt || isWhitespace(c);
}
function isASCIIAlpha(c) {
    return ((c >= Tokenizer_CharCodes.LowerA && c <= Tokenizer_CharCodes.LowerZ) ||
        (c >= Tokenizer_CharCodes.UpperA && c <= Tokenizer_CharCodes.UpperZ));
}
/**
 * Quote style used for parsed attributes.
 */
var QuoteType;
(function (QuoteType) {
    QuoteType[QuoteType["NoValue"] = 0] = "NoValue";
    QuoteType[QuoteType["Unquoted"] = 1] = "Unquoted";
    QuoteType[QuoteType["Single"] = 2] = "Single";
    QuoteType[QuoteType["Double"] = 3] = "Double";
})(QuoteType || (QuoteType = {}));
/**
 * Sequences used to match longer strings.
 *
 * We don't have `Script`, `Style`, or `Title` here. Instead, we re-use the *End
 * sequences with an increased offset.
 */
const Sequences = {
    Empty: new Uint8Array(0),
    Cdata: new Uint8Array([0x43, 0x44, 0x41, 0x54, 0x41, 0x5b]), // CDATA[
    CdataEnd: new Uint8Array([0x5d, 0x5d, 0x3e]), // ]]>
    CommentEnd: new Uint8Array([0x2d, 0x2d, 0x21, 0x3e]), // `--!>`
    Doctype: new Uint8Array([0x64, 0x6f, 0x63, 0x74, 0x79, 0x70, 0x65]), // `doctype`
    IframeEnd: new Uint8Array([0x3c, 0x2f, 0x69, 0x66, 0x72, 0x61, 0x6d, 0x65]), // `</iframe`
    NoembedEnd: new Uint8Array([
        0x3c, 0x2f, 0x6e, 0x6f, 0x65, 0x6d, 0x62, 0x65, 0x64,
    ]), // `</noembed`
    NoframesEnd: new Uint8Array([
        0x3c, 0x2f, 0x6e, 0x6f, 0x66, 0x72, 0x61, 0x6d, 0x65, 0x73,
    ]), // `</noframes`
    Plaintext: new Uint8Array([
        0x3c, 0x2f, 0x70, 0x6c, 0x61, 0x69, 0x6e, 0x74, 0x65, 0x78, 0x74,
    ]), // `</plaintext`
    ScriptEnd: new Uint8Array([0x3c, 0x2f, 0x73, 0x63, 0x72, 0x69, 0x70, 0x74]), // `</script`
    StyleEnd: new Uint8Array([0x3c, 0x2f, 0x73, 0x74, 0x79, 0x6c, 0x65]), // `</style`
    TitleEnd: new Uint8Array([0x3c, 0x2f, 0x74, 0x69, 0x74, 0x6c, 0x65]), // `</title`
    TextareaEnd: new Uint8Array([
        0x3c, 0x2f, 0x74, 0x65, 0x78, 0x74, 0x61, 0x72, 0x65, 0x61,
    ]), // `</textarea`
    XmpEnd: new Uint8Array([0x3c, 0x2f, 0x78, 0x6d, 0x70]), // `</xmp`
};
/**
 * Maps the first lowercase character of an HTML tag name to the sequence
 * used for special-tag detection.  All sequences share a common layout
 * where index 2 is the first tag-name character, so matching always
 * continues from offset 3.
 */
const specialStartSequences = new Map([
    [Sequences.IframeEnd[2], Sequences.IframeEnd],
    [Sequences.NoembedEnd[2], Sequences.NoembedEnd],
    [Sequences.Plaintext[2], Sequences.Plaintext],
    [Sequences.ScriptEnd[2], Sequences.ScriptEnd],
    [Sequences.TitleEnd[2], Sequences.TitleEnd],
    [Sequences.XmpEnd[2], Sequences.XmpEnd],
]);
/**
 * Tokenizer implementation used by `Parser`.
 */
class Tokenizer {
    cbs;
    /** The current state the tokenizer is in. */
    state = State.Text;
    /** The read buffer. */
    buffer = "";
    /** The beginning of the section that is currently being read. */
    sectionStart = 0;
    /** The index within the buffer that we are currently looking at. */
    index = 0;
    /** The start of the last entity. */
    entityStart = 0;
    /** Some behavior, eg. when decoding entities, is done while we are in another state. This keeps track of the other state type. */
    baseState = State.Text;
    /** For special parsing behavior inside of script and style tags. */
    isSpecial = false;
    /** Indicates whether the tokenizer has been paused. */
    running = true;
    /** The offset of the current buffer. */
    offset = 0;
    xmlMode;
    decodeEntities;
    recognizeSelfClosing;
    entityDecoder;
    constructor({ xmlMode = false, decodeEntities = true, recognizeSelfClosing = xmlMode, }, cbs) {
        this.cbs = cbs;
        this.xmlMode = xmlMode;
        this.decodeEntities = decodeEntities;
        this.recognizeSelfClosing = recognizeSelfClosing;
        this.entityDecoder = new EntityDecoder(xmlMode ? xmlDecodeTree : decode_data_html_htmlDecodeTree, (cp, consumed) => this.emitCodePoint(cp, consumed));
    }
    reset() {
        this.state = State.Text;
        this.buffer = "";
        this.sectionStart = 0;
        this.index = 0;
        this.baseState = State.Text;
        this.isSpecial = false;
        this.currentSequence = Sequences.Empty;
        this.sequenceIndex = 0;
        this.running = true;
        this.offset = 0;
    }
    write(chunk) {
        this.offset += this.buffer.length;
        this.buffer = chunk;
        this.parse();
    }
    end() {
        if (this.running)
            this.finish();
    }
    pause() {
        this.running = false;
    }
    resume() {
        this.running = true;
        if (this.index < this.buffer.length + this.offset) {
            this.parse();
        }
    }
    stateText(c) {
        if (c === Tokenizer_CharCodes.Lt ||
            (!this.decodeEntities && this.fastForwardTo(Tokenizer_CharCodes.Lt))) {
            if (this.index > this.sectionStart) {
                this.cbs.ontext(this.sectionStart, this.index);
            }
            this.state = State.BeforeTagName;
            this.sectionStart = this.index;
        }
        else if (this.decodeEntities && c === Tokenizer_CharCodes.Amp) {
            this.startEntity();
        }
    }
    currentSequence = Sequences.Empty;
    sequenceIndex = 0;
    enterTagBody() {
        if (this.currentSequence === Sequences.Plaintext) {
            this.currentSequence = Sequences.Empty;
            this.state = State.InPlainText;
        }
        else if (this.isSpecial) {
            this.state = State.InSpecialTag;
            this.sequenceIndex = 0;
        }
        else {
            this.state = State.Text;
        }
    }
    /**
     * Match the opening tag name against an HTML text-only tag sequence.
     *
     * Some tags share an initial prefix (`script`/`style`, `title`/`textarea`,
     * `noembed`/`noframes`), so we may switch to an alternate sequence at the
     * first distinguishing byte.  On a successful full match we fall back to
     * the normal tag-name state; a later `>` will enter raw-text, RCDATA, or
     * plaintext mode based on `currentSequence` / `isSpecial`.
     * @param c Current character code point.
     */
    stateSpecialStartSequence(c) {
        const lower = c | 0x20;
        // Still matching — check for an alternate sequence at branch points.
        if (this.sequenceIndex < this.currentSequence.length) {
            if (lower === this.currentSequence[this.sequenceIndex]) {
                this.sequenceIndex++;
                return;
            }
            if (this.sequenceIndex === 3) {
                if (this.currentSequence === Sequences.ScriptEnd &&
                    lower === Sequences.StyleEnd[3]) {
                    this.currentSequence = Sequences.StyleEnd;
                    this.sequenceIndex = 4;
                    return;
                }
                if (this.currentSequence === Sequences.TitleEnd &&
                    lower === Sequences.TextareaEnd[3]) {
                    this.currentSequence = Sequences.TextareaEnd;
                    this.sequenceIndex = 4;
                    return;
                }
            }
            else if (this.sequenceIndex === 4 &&
                this.currentSequence === Sequences.NoembedEnd &&
                lower === Sequences.NoframesEnd[4]) {
                this.currentSequence = Sequences.NoframesEnd;
                this.sequenceIndex = 5;
                return;
            }
        }
        else if (isEndOfTagSection(c)) {
            // Full match on a valid tag boundary — keep the sequence.
            this.sequenceIndex = 0;
            this.state = State.InTagName;
            this.stateInTagName(c);
            return;
        }
        // No match — abandon special-tag detection.
        this.isSpecial = false;
        this.currentSequence = Sequences.Empty;
        this.sequenceIndex = 0;
        this.state = State.InTagName;
        this.stateInTagName(c);
    }
    stateCDATASequence(c) {
        if (c === Sequences.Cdata[this.sequenceIndex]) {
            if (++this.sequenceIndex === Sequences.Cdata.length) {
                this.state = State.InCommentLike;
                this.currentSequence = Sequences.CdataEnd;
                this.sequenceIndex = 0;
                this.sectionStart = this.index + 1;
            }
        }
        else {
            this.sequenceIndex = 0;
            if (this.xmlMode) {
                this.state = State.InDeclaration;
                this.stateInDeclaration(c); // Reconsume the character
            }
            else {
                this.state = State.InSpecialComment;
                this.stateInSpecialComment(c); // Reconsume the character
            }
        }
    }
    /**
     * When we wait for one specific character, we can speed things up
     * by skipping through the buffer until we find it.
     * @param c Current character code point.
     * @returns Whether the character was found.
     */
    fastForwardTo(c) {
        while (++this.index < this.buffer.length + this.offset) {
            if (this.buffer.charCodeAt(this.index - this.offset) === c) {
                return true;
            }
        }
        /*
         * We increment the index at the end of the `parse` loop,
         * so set it to `buffer.length - 1` here.
         *
         * TODO: Refactor `parse` to increment index before calling states.
         */
        this.index = this.buffer.length + this.offset - 1;
        return false;
    }
    /**
     * Emit a comment token and return to the text state.
     * @param offset Number of characters in the end sequence that have already been matched.
     */
    emitComment(offset) {
        this.cbs.oncomment(this.sectionStart, this.index, offset);
        this.sequenceIndex = 0;
        this.sectionStart = this.index + 1;
        this.state = State.Text;
    }
    /**
     * Comments and CDATA end with `-->` and `]]>`.
     *
     * Their common qualities are:
     * - Their end sequences have a distinct character they start with.
     * - That character is then repeated, so we have to check multiple repeats.
     * - All characters but the start character of the sequence can be skipped.
     * @param c Current character code point.
     */
    stateInCommentLike(c) {
        if (!this.xmlMode &&
            this.currentSequence === Sequences.CommentEnd &&
            this.sequenceIndex <= 1 &&
            /*
             * We're still at the very start of the comment: the only
             * characters consumed since `<!--` are the dashes that
             * advanced sequenceIndex (0 for `<!-->`, 1 for `<!--->`).
             */
            this.index === this.sectionStart + this.sequenceIndex &&
            c === Tokenizer_CharCodes.Gt) {
            // Abruptly closed empty HTML comment.
            this.emitComment(this.sequenceIndex);
        }
        else if (this.currentSequence === Sequences.CommentEnd &&
            this.sequenceIndex === 2 &&
            c === Tokenizer_CharCodes.Gt) {
            // `!` is optional here, so the same sequence also accepts `-->`.
            this.emitComment(2);
        }
        else if (this.currentSequence === Sequences.CommentEnd &&
            this.sequenceIndex === this.currentSequence.length - 1 &&
            c !== Tokenizer_CharCodes.Gt) {
            this.sequenceIndex = Number(c === Tokenizer_CharCodes.Dash);
        }
        else if (c === this.currentSequence[this.sequenceIndex]) {
            if (++this.sequenceIndex === this.currentSequence.length) {
                if (this.currentSequence === Sequences.CdataEnd) {
                    this.cbs.oncdata(this.sectionStart, this.index, 2);
                }
                else {
                    this.cbs.oncomment(this.sectionStart, this.index, 3);
                }
                this.sequenceIndex = 0;
                this.sectionStart = this.index + 1;
                this.state = State.Text;
            }
        }
        else if (this.sequenceIndex === 0) {
            // Fast-forward to the first character of the sequence
            if (this.fastForwardTo(this.currentSequence[0])) {
                this.sequenceIndex = 1;
            }
        }
        else if (c !== this.currentSequence[this.sequenceIndex - 1]) {
            // Allow long sequences, eg. --->, ]]]>
            this.sequenceIndex = 0;
        }
    }
    /**
     * HTML only allows ASCII alpha characters (a-z and A-Z) at the beginning of a tag name.
     *
     * XML allows a lot more characters here (@see https://www.w3.org/TR/REC-xml/#NT-NameStartChar).
     * We allow anything that wouldn't end the tag.
     * @param c Current character code point.
     */
    isTagStartChar(c) {
        return this.xmlMode ? !isEndOfTagSection(c) : isASCIIAlpha(c);
    }
    /**
     * Scan raw-text / RCDATA content for the matching end tag.
     *
     * For RCDATA tags (`<title>`, `<textarea>`) entities are decoded inline.
     * For raw-text tags (`<script>`, `<style>`, etc.) we fast-forward to `<`.
     * @param c Current character code point.
     */
    stateInSpecialTag(c) {
        if (this.sequenceIndex === this.currentSequence.length) {
            if (isEndOfTagSection(c)) {
                const endOfText = this.index - this.currentSequence.length;
                if (this.sectionStart < endOfText) {
                    // Spoof the index so that reported locations match up.
                    const actualIndex = this.index;
                    this.index = endOfText;
                    this.cbs.ontext(this.sectionStart, endOfText);
                    this.index = actualIndex;
                }
                this.isSpecial = false;
                this.sectionStart = endOfText + 2; // Skip over the `</`
                this.stateInClosingTagName(c);
                return; // We are done; skip the rest of the function.
            }
            this.sequenceIndex = 0;
        }
        if ((c | 0x20) === this.currentSequence[this.sequenceIndex]) {
            this.sequenceIndex += 1;
        }
        else if (this.sequenceIndex === 0) {
            if (this.currentSequence === Sequences.TitleEnd ||
                this.currentSequence === Sequences.TextareaEnd) {
                // RCDATA tags have to parse entities while still looking for their end tag.
                if (this.decodeEntities && c === Tokenizer_CharCodes.Amp) {
                    this.startEntity();
                }
            }
            else if (this.fastForwardTo(Tokenizer_CharCodes.Lt)) {
                // Outside of RCDATA tags, we can fast-forward.
                this.sequenceIndex = 1;
            }
        }
        else {
            // If we see a `<`, set the sequence index to 1; useful for eg. `<</script>`.
            this.sequenceIndex = Number(c === Tokenizer_CharCodes.Lt);
        }
    }
    stateBeforeTagName(c) {
        if (c === Tokenizer_CharCodes.ExclamationMark) {
            this.state = State.BeforeDeclaration;
            this.sectionStart = this.index + 1;
        }
        else if (c === Tokenizer_CharCodes.Questionmark) {
            if (this.xmlMode) {
                this.state = State.InProcessingInstruction;
                this.sequenceIndex = 0;
                this.sectionStart = this.index + 1;
            }
            else {
                this.state = State.InSpecialComment;
                this.sectionStart = this.index;
            }
        }
        else if (this.isTagStartChar(c)) {
            this.sectionStart = this.index;
            const special = this.xmlMode || this.cbs.isInForeignContext?.()
                ? undefined
                : specialStartSequences.get(c | 0x20);
            if (special === undefined) {
                this.state = State.InTagName;
            }
            else {
                this.isSpecial = true;
                this.currentSequence = special;
                this.sequenceIndex = 3;
                this.state = State.SpecialStartSequence;
            }
        }
        else if (c === Tokenizer_CharCodes.Slash) {
            this.state = State.BeforeClosingTagName;
        }
        else {
            this.state = State.Text;
            this.stateText(c);
        }
    }
    stateInTagName(c) {
        if (isEndOfTagSection(c)) {
            this.cbs.onopentagname(this.sectionStart, this.index);
            this.sectionStart = -1;
            this.state = State.BeforeAttributeName;
            this.stateBeforeAttributeName(c);
        }
    }
    stateBeforeClosingTagName(c) {
        if (isWhitespace(c)) {
            if (this.xmlMode) {
                // Ignore
            }
            else {
                this.state = State.InSpecialComment;
                this.sectionStart = this.index;
            }
        }
        else if (c === Tokenizer_CharCodes.Gt) {
            this.state = State.Text;
            if (!this.xmlMode) {
                this.sectionStart = this.index + 1;
            }
        }
        else {
            this.state = this.isTagStartChar(c)
                ? State.InClosingTagName
                : State.InSpecialComment;
            this.sectionStart = this.index;
        }
    }
    stateInClosingTagName(c) {
        if (isEndOfTagSection(c)) {
            this.cbs.onclosetag(this.sectionStart, this.index);
            this.sectionStart = -1;
            this.state = State.AfterClosingTagName;
            this.stateAfterClosingTagName(c);
        }
    }
    stateAfterClosingTagName(c) {
        // Skip everything until ">"
        if (c === Tokenizer_CharCodes.Gt || this.fastForwardTo(Tokenizer_CharCodes.Gt)) {
            this.state = State.Text;
            this.sectionStart = this.index + 1;
        }
    }
    stateBeforeAttributeName(c) {
        if (c === Tokenizer_CharCodes.Gt) {
            this.cbs.onopentagend(this.index);
            this.enterTagBody();
            this.sectionStart = this.index + 1;
        }
        else if (c === Tokenizer_CharCodes.Slash) {
            this.state = State.InSelfClosingTag;
        }
        else if (!isWhitespace(c)) {
            this.state = State.InAttributeName;
            this.sectionStart = this.index;
        }
    }
    /**
     * Handle `/` before `>` in an opening tag.
     *
     * In HTML mode, text-only tags ignore the self-closing flag and still enter
     * their raw-text/RCDATA/plaintext state unless self-closing tags are being
     * recognized. In XML mode, or for ordinary tags, the tokenizer returns to
     * regular text parsing after emitting the self-closing callback.
     * @param c Current character code point.
     */
    stateInSelfClosingTag(c) {
        if (c === Tokenizer_CharCodes.Gt) {
            this.cbs.onselfclosingtag(this.index);
            this.sectionStart = this.index + 1;
            if (!this.recognizeSelfClosing) {
                this.enterTagBody();
                return;
            }
            this.state = State.Text;
            this.isSpecial = false; // Reset special state, in case of self-closing special tags
            this.currentSequence = Sequences.Empty;
        }
        else if (!isWhitespace(c)) {
            this.state = State.BeforeAttributeName;
            this.stateBeforeAttributeName(c);
        }
    }
    stateInAttributeName(c) {
        if (c === Tokenizer_CharCodes.Eq || isEndOfTagSection(c)) {
            this.cbs.onattribname(this.sectionStart, this.index);
            this.sectionStart = this.index;
            this.state = State.AfterAttributeName;
            this.stateAfterAttributeName(c);
        }
    }
    stateAfterAttributeName(c) {
        if (c === Tokenizer_CharCodes.Eq) {
            this.state = State.BeforeAttributeValue;
        }
        else if (c === Tokenizer_CharCodes.Slash || c === Tokenizer_CharCodes.Gt) {
            this.cbs.onattribend(QuoteType.NoValue, this.sectionStart);
            this.sectionStart = -1;
            this.state = State.BeforeAttributeName;
            this.stateBeforeAttributeName(c);
        }
        else if (!isWhitespace(c)) {
            this.cbs.onattribend(QuoteType.NoValue, this.sectionStart);
            this.state = State.InAttributeName;
            this.sectionStart = this.index;
        }
    }
    stateBeforeAttributeValue(c) {
        if (c === Tokenizer_CharCodes.DoubleQuote) {
            this.state = State.InAttributeValueDq;
            this.sectionStart = this.index + 1;
        }
        else if (c === Tokenizer_CharCodes.SingleQuote) {
            this.state = State.InAttributeValueSq;
            this.sectionStart = this.index + 1;
        }
        else if (!isWhitespace(c)) {
            this.sectionStart = this.index;
            this.state = State.InAttributeValueNq;
            this.stateInAttributeValueNoQuotes(c); // Reconsume token
        }
    }
    handleInAttributeValue(c, quote) {
        if (c === quote ||
            (!this.decodeEntities && this.fastForwardTo(quote))) {
            this.cbs.onattribdata(this.sectionStart, this.index);
            this.sectionStart = -1;
            this.cbs.onattribend(quote === Tokenizer_CharCodes.DoubleQuote
                ? QuoteType.Double
                : QuoteType.Single, this.index + 1);
            this.state = State.BeforeAttributeName;
        }
        else if (this.decodeEntities && c === Tokenizer_CharCodes.Amp) {
            this.startEntity();
        }
    }
    stateInAttributeValueDoubleQuotes(c) {
        this.handleInAttributeValue(c, Tokenizer_CharCodes.DoubleQuote);
    }
    stateInAttributeValueSingleQuotes(c) {
        this.handleInAttributeValue(c, Tokenizer_CharCodes.SingleQuote);
    }
    stateInAttributeValueNoQuotes(c) {
        if (isWhitespace(c) || c === Tokenizer_CharCodes.Gt) {
            this.cbs.onattribdata(this.sectionStart, this.index);
            this.sectionStart = -1;
            this.cbs.onattribend(QuoteType.Unquoted, this.index);
            this.state = State.BeforeAttributeName;
            this.stateBeforeAttributeName(c);
        }
        else if (this.decodeEntities && c === Tokenizer_CharCodes.Amp) {
            this.startEntity();
        }
    }
    /**
     * Distinguish between CDATA, declarations, HTML comments, and HTML bogus
     * comments after `<!`.
     *
     * In HTML mode, only real comments and doctypes stay on declaration paths;
     * everything else becomes a bogus comment terminated by the next `>`.
     * @param c Current character code point.
     */
    stateBeforeDeclaration(c) {
        if (c === Tokenizer_CharCodes.OpeningSquareBracket) {
            this.state = State.CDATASequence;
            this.sequenceIndex = 0;
        }
        else if (this.xmlMode) {
            this.state =
                c === Tokenizer_CharCodes.Dash
                    ? State.BeforeComment
                    : State.InDeclaration;
        }
        else if ((c | 0x20) === Sequences.Doctype[0]) {
            this.state = State.DeclarationSequence;
            this.currentSequence = Sequences.Doctype;
            this.sequenceIndex = 1;
        }
        else if (c === Tokenizer_CharCodes.Gt) {
            this.cbs.oncomment(this.sectionStart, this.index, 0);
            this.state = State.Text;
            this.sectionStart = this.index + 1;
        }
        else if (c === Tokenizer_CharCodes.Dash) {
            this.state = State.BeforeComment;
        }
        else {
            this.state = State.InSpecialComment;
        }
    }
    /**
     * Continue matching `doctype` after `<!d`.
     *
     * A full `doctype` match stays on the declaration path; any other name falls
     * back to an HTML bogus comment, which matches browser behavior for
     * non-doctype `<!...>` constructs.
     * @param c Current character code point.
     */
    stateDeclarationSequence(c) {
        if (this.sequenceIndex === this.currentSequence.length) {
            this.state = State.InDeclaration;
            this.stateInDeclaration(c);
        }
        else if ((c | 0x20) === this.currentSequence[this.sequenceIndex]) {
            this.sequenceIndex += 1;
        }
        else if (c === Tokenizer_CharCodes.Gt) {
            this.cbs.oncomment(this.sectionStart, this.index, 0);
            this.state = State.Text;
            this.sectionStart = this.index + 1;
        }
        else {
            this.state = State.InSpecialComment;
        }
    }
    stateInDeclaration(c) {
        if (c === Tokenizer_CharCodes.Gt || this.fastForwardTo(Tokenizer_CharCodes.Gt)) {
            this.cbs.ondeclaration(this.sectionStart, this.index);
            this.state = State.Text;
            this.sectionStart = this.index + 1;
        }
    }
    /**
     * XML processing instructions (`<?...?>`).
     *
     * In HTML mode `<?` is routed to `InSpecialComment` instead, so this
     * state is only reachable in XML mode.
     * @param c Current character code point.
     */
    stateInProcessingInstruction(c) {
        if (c === Tokenizer_CharCodes.Questionmark) {
            // Remember that we just consumed `?`, so the next `>` closes the PI.
            this.sequenceIndex = 1;
        }
        else if (c === Tokenizer_CharCodes.Gt && this.sequenceIndex === 1) {
            this.cbs.onprocessinginstruction(this.sectionStart, this.index - 1);
            this.sequenceIndex = 0;
            this.state = State.Text;
            this.sectionStart = this.index + 1;
        }
        else {
            // Keep scanning for the next `?`, which can start a closing `?>`.
            this.sequenceIndex = Number(this.fastForwardTo(Tokenizer_CharCodes.Questionmark));
        }
    }
    stateBeforeComment(c) {
        if (c === Tokenizer_CharCodes.Dash) {
            this.state = State.InCommentLike;
            this.currentSequence = Sequences.CommentEnd;
            this.sequenceIndex = 0;
            this.sectionStart = this.index + 1;
        }
        else if (this.xmlMode) {
            this.state = State.InDeclaration;
        }
        else if (c === Tokenizer_CharCodes.Gt) {
            this.cbs.oncomment(this.sectionStart, this.index, 0);
            this.state = State.Text;
            this.sectionStart = this.index + 1;
        }
        else {
            this.state = State.InSpecialComment;
        }
    }
    stateInSpecialComment(c) {
        if (c === Tokenizer_CharCodes.Gt || this.fastForwardTo(Tokenizer_CharCodes.Gt)) {
            this.cbs.oncomment(this.sectionStart, this.index, 0);
            this.state = State.Text;
            this.sectionStart = this.index + 1;
        }
    }
    startEntity() {
        this.baseState = this.state;
        this.state = State.InEntity;
        this.entityStart = this.index;
        this.entityDecoder.startEntity(this.xmlMode
            ? DecodingMode.Strict
            : this.baseState === State.Text ||
                this.baseState === State.InSpecialTag
                ? DecodingMode.Legacy
                : DecodingMode.Attribute);
    }
    stateInEntity() {
        const indexInBuffer = this.index - this.offset;
        const length = this.entityDecoder.write(this.buffer, indexInBuffer);
        // If `length` is positive, we are done with the entity.
        if (length >= 0) {
            this.state = this.baseState;
            if (length === 0) {
                this.index -= 1;
            }
        }
        else {
            if (indexInBuffer < this.buffer.length &&
                this.buffer.charCodeAt(indexInBuffer) === Tokenizer_CharCodes.Amp) {
                this.state = this.baseState;
                this.index -= 1;
                return;
            }
            // Mark buffer as consumed.
            this.index = this.offset + this.buffer.length - 1;
        }
    }
    /**
     * Remove data that has already been consumed from the buffer.
     */
    cleanup() {
        // If we are inside of text or attributes, emit what we already have.
        if (this.running && this.sectionStart !== this.index) {
            if (this.state === State.Text ||
                this.state === State.InPlainText ||
                (this.state === State.InSpecialTag && this.sequenceIndex === 0)) {
                this.cbs.ontext(this.sectionStart, this.index);
                this.sectionStart = this.index;
            }
            else if (this.state === State.InAttributeValueDq ||
                this.state === State.InAttributeValueSq ||
                this.state === State.InAttributeValueNq) {
                this.cbs.onattribdata(this.sectionStart, this.index);
                this.sectionStart = this.index;
            }
        }
    }
    shouldContinue() {
        return this.index < this.buffer.length + this.offset && this.running;
    }
    /**
     * Iterates through the buffer, calling the function corresponding to the current state.
     *
     * States that are more likely to be hit are higher up, as a performance improvement.
     */
    parse() {
        while (this.shouldContinue()) {
            const c = this.buffer.charCodeAt(this.index - this.offset);
            switch (this.state) {
                case State.Text: {
                    this.stateText(c);
                    break;
                }
                case State.InPlainText: {
                    // Skip to end of buffer; cleanup() emits the text.
                    this.index = this.buffer.length + this.offset - 1;
                    break;
                }
                case State.SpecialStartSequence: {
                    this.stateSpecialStartSequence(c);
                    break;
                }
                case State.InSpecialTag: {
                    this.stateInSpecialTag(c);
                    break;
                }
                case State.CDATASequence: {
                    this.stateCDATASequence(c);
                    break;
                }
                case State.DeclarationSequence: {
                    this.stateDeclarationSequence(c);
                    break;
                }
                case State.InAttributeValueDq: {
                    this.stateInAttributeValueDoubleQuotes(c);
                    break;
                }
                case State.InAttributeName: {
                    this.stateInAttributeName(c);
                    break;
                }
                case State.InCommentLike: {
                    this.stateInCommentLike(c);
                    break;
                }
                case State.InSpecialComment: {
                    this.stateInSpecialComment(c);
                    break;
                }
                case State.BeforeAttributeName: {
                    this.stateBeforeAttributeName(c);
                    break;
                }
                case State.InTagName: {
                    this.stateInTagName(c);
                    break;
                }
                case State.InClosingTagName: {
                    this.stateInClosingTagName(c);
                    break;
                }
                case State.BeforeTagName: {
                    this.stateBeforeTagName(c);
                    break;
                }
                case State.AfterAttributeName: {
                    this.stateAfterAttributeName(c);
                    break;
                }
                case State.InAttributeValueSq: {
                    this.stateInAttributeValueSingleQuotes(c);
                    break;
                }
                case State.BeforeAttributeValue: {
                    this.stateBeforeAttributeValue(c);
                    break;
                }
                case State.BeforeClosingTagName: {
                    this.stateBeforeClosingTagName(c);
                    break;
                }
                case State.AfterClosingTagName: {
                    this.stateAfterClosingTagName(c);
                    break;
                }
                case State.InAttributeValueNq: {
                    this.stateInAttributeValueNoQuotes(c);
                    break;
                }
                case State.InSelfClosingTag: {
                    this.stateInSelfClosingTag(c);
                    break;
                }
                case State.InDeclaration: {
                    this.stateInDeclaration(c);
                    break;
                }
                case State.BeforeDeclaration: {
                    this.stateBeforeDeclaration(c);
                    break;
                }
                case State.BeforeComment: {
                    this.stateBeforeComment(c);
                    break;
                }
                case State.InProcessingInstruction: {
                    this.stateInProcessingInstruction(c);
                    break;
                }
                case State.InEntity: {
                    this.stateInEntity();
                    break;
                }
            }
            this.index++;
        }
        this.cleanup();
    }
    finish() {
        if (this.state === State.InEntity) {
            this.entityDecoder.end();
            this.state = this.baseState;
        }
        this.handleTrailingData();
        this.cbs.onend();
    }
    handleTrailingCommentLikeData(endIndex) {
        if (this.state !== State.InCommentLike) {
            return false;
        }
        if (this.currentSequence === Sequences.CdataEnd) {
            if (this.xmlMode) {
                if (this.sectionStart < endIndex) {
                    this.cbs.oncdata(this.sectionStart, endIndex, 0);
                }
            }
            else {
                /* In HTML mode, unclosed CDATA is a bogus comment. */
                const cdataStart = this.sectionStart - Sequences.Cdata.length - 1;
                this.cbs.oncomment(cdataStart, endIndex, 0);
            }
        }
        else {
            const offset = this.xmlMode
                ? 0
                : Math.min(this.sequenceIndex, Sequences.CommentEnd.length - 1);
            this.cbs.oncomment(this.sectionStart, endIndex, offset);
        }
        return true;
    }
    handleTrailingMarkupDeclaration(endIndex) {
        if (this.xmlMode) {
            switch (this.state) {
                case State.InSpecialComment:
                case State.BeforeComment:
                case State.CDATASequence:
                case State.DeclarationSequence:
                case State.InDeclaration: {
                    this.cbs.ontext(this.sectionStart, endIndex);
                    return true;
                }
                default: {
                    return false;
                }
            }
        }
        switch (this.state) {
            case State.BeforeDeclaration:
            case State.InSpecialComment:
            case State.BeforeComment:
            case State.CDATASequence: {
                this.cbs.oncomment(this.sectionStart, endIndex, 0);
                return true;
            }
            case State.DeclarationSequence: {
                if (this.sequenceIndex !== Sequences.Doctype.length) {
                    this.cbs.oncomment(this.sectionStart, endIndex, 0);
                }
                return true;
            }
            case State.InDeclaration: {
                return true;
            }
            default: {
                return false;
            }
        }
    }
    /** Handle any trailing data. */
    handleTrailingData() {
        const endIndex = this.buffer.length + this.offset;
        if (this.handleTrailingCommentLikeData(endIndex) ||
            this.handleTrailingMarkupDeclaration(endIndex)) {
            return;
        }
        // If there is no remaining data, we are done.
        if (this.sectionStart >= endIndex) {
            return;
        }
        switch (this.state) {
            case State.InTagName:
            case State.BeforeAttributeName:
            case State.BeforeAttributeValue:
            case State.AfterAttributeName:
            case State.InAttributeName:
            case State.InAttributeValueSq:
            case State.InAttributeValueDq:
            case State.InAttributeValueNq:
            case State.InClosingTagName: {
                /*
                 * If we are currently in an opening or closing tag, us not calling the
                 * respective callback signals that the tag should be ignored.
                 */
                break;
            }
            default: {
                this.cbs.ontext(this.sectionStart, endIndex);
            }
        }
    }
    emitCodePoint(cp, consumed) {
        if (this.baseState !== State.Text &&
            this.baseState !== State.InSpecialTag) {
            if (this.sectionStart < this.entityStart) {
                this.cbs.onattribdata(this.sectionStart, this.entityStart);
            }
            this.sectionStart = this.entityStart + consumed;
            this.index = this.sectionStart - 1;
            this.cbs.onattribentity(cp);
        }
        else {
            if (this.sectionStart < this.entityStart) {
                this.cbs.ontext(this.sectionStart, this.entityStart);
            }
            this.sectionStart = this.entityStart + consumed;
            this.index = this.sectionStart - 1;
            this.cbs.ontextentity(cp, this.sectionStart);
        }
    }
}
//# sourceMappingURL=Tokenizer.js.map
;// CONCATENATED MODULE: ./node_modules/htmlparser2/dist/Parser.js
const { fromCodePoint } = String;

const formTags = new Set([
    "input",
    "option",
    "optgroup",
    "select",
    "button",
    "datalist",
    "textarea",
]);
const pTag = new Set(["p"]);
const headingTags = new Set(["h1", "h2", "h3", "h4", "h5", "h6", "p"]);
const tableSectionTags = new Set(["thead", "tbody"]);
const ddtTags = new Set(["dd", "dt"]);
const rtpTags = new Set(["rt", "rp"]);
const openImpliesClose = new Map([
    ["tr", new Set(["tr", "th", "td"])],
    ["th", new Set(["th"])],
    ["td", new Set(["thead", "th", "td"])],
    ["body", new Set(["head", "link", "script"])],
    ["a", new Set(["a"])],
    ["li", new Set(["li"])],
    ["p", pTag],
    ["h1", headingTags],
    ["h2", headingTags],
    ["h3", headingTags],
    ["h4", headingTags],
    ["h5", headingTags],
    ["h6", headingTags],
    ["select", formTags],
    ["input", formTags],
    ["output", formTags],
    ["button", formTags],
    ["datalist", formTags],
    ["textarea", formTags],
    ["option", new Set(["option"])],
    ["optgroup", new Set(["optgroup", "option"])],
    ["dd", ddtTags],
    ["dt", ddtTags],
    ["address", pTag],
    ["article", pTag],
    ["aside", pTag],
    ["blockquote", pTag],
    ["details", pTag],
    ["div", pTag],
    ["dl", pTag],
    ["fieldset", pTag],
    ["figcaption", pTag],
    ["figure", pTag],
    ["footer", pTag],
    ["form", pTag],
    ["header", pTag],
    ["hr", pTag],
    ["main", pTag],
    ["nav", pTag],
    ["ol", pTag],
    ["pre", pTag],
    ["section", pTag],
    ["table", pTag],
    ["ul", pTag],
    ["rt", rtpTags],
    ["rp", rtpTags],
    ["tbody", tableSectionTags],
    ["tfoot", tableSectionTags],
]);
const DOCUMENT_TYPE = "doctype";
const voidElements = new Set([
    "area",
    "base",
    "basefont",
    "br",
    "col",
    "command",
    "embed",
    "frame",
    "hr",
    "img",
    "input",
    "isindex",
    "keygen",
    "link",
    "meta",
    "param",
    "source",
    "track",
    "wbr",
]);
const foreignContextElements = new Set(["math", "svg"]);
/**
 * Elements that can be used to integrate HTML content within foreign namespaces (e.g., SVG or MathML).
 *
 * Entries must use the SVG-adjusted casing (e.g. "foreignObject" not
 * "foreignobject") since they are compared against adjusted tag names.
 */
const htmlIntegrationElements = new Set([
    "mi",
    "mo",
    "mn",
    "ms",
    "mtext",
    "annotation-xml",
    "foreignObject",
    "desc",
    "title",
]);
const svgTagNameAdjustments = new Map([
    ["altglyph", "altGlyph"],
    ["altglyphdef", "altGlyphDef"],
    ["altglyphitem", "altGlyphItem"],
    ["animatecolor", "animateColor"],
    ["animatemotion", "animateMotion"],
    ["animatetransform", "animateTransform"],
    ["clippath", "clipPath"],
    ["feblend", "feBlend"],
    ["fecolormatrix", "feColorMatrix"],
    ["fecomponenttransfer", "feComponentTransfer"],
    ["fecomposite", "feComposite"],
    ["feconvolvematrix", "feConvolveMatrix"],
    ["fediffuselighting", "feDiffuseLighting"],
    ["fedisplacementmap", "feDisplacementMap"],
    ["fedistantlight", "feDistantLight"],
    ["fedropshadow", "feDropShadow"],
    ["feflood", "feFlood"],
    ["fefunca", "feFuncA"],
    ["fefuncb", "feFuncB"],
    ["fefuncg", "feFuncG"],
    ["fefuncr", "feFuncR"],
    ["fegaussianblur", "feGaussianBlur"],
    ["feimage", "feImage"],
    ["femerge", "feMerge"],
    ["femergenode", "feMergeNode"],
    ["femorphology", "feMorphology"],
    ["feoffset", "feOffset"],
    ["fepointlight", "fePointLight"],
    ["fespecularlighting", "feSpecularLighting"],
    ["fespotlight", "feSpotLight"],
    ["fetile", "feTile"],
    ["feturbulence", "feTurbulence"],
    ["foreignobject", "foreignObject"],
    ["glyphref", "glyphRef"],
    ["lineargradient", "linearGradient"],
    ["radialgradient", "radialGradient"],
    ["textpath", "textPath"],
]);
var ForeignContext;
(function (ForeignContext) {
    ForeignContext[ForeignContext["None"] = 0] = "None";
    ForeignContext[ForeignContext["Svg"] = 1] = "Svg";
    ForeignContext[ForeignContext["MathML"] = 2] = "MathML";
})(ForeignContext || (ForeignContext = {}));
const reNameEnd = /\s|\//;
/**
 * Incremental parser implementation.
 */
class Parser {
    options;
    /** The start index of the last event. */
    startIndex = 0;
    /** The end index of the last event. */
    endIndex = 0;
    /**
     * Store the start index of the current open tag,
     * so we can update the start index for attributes.
     */
    openTagStart = 0;
    tagname = "";
    attribname = "";
    attribvalue = "";
    attribs = null;
    stack = [];
    foreignContext;
    cbs;
    lowerCaseTagNames;
    lowerCaseAttributeNames;
    recognizeSelfClosing;
    /** We are parsing HTML. Inverse of the `xmlMode` option. */
    htmlMode;
    tokenizer;
    buffers = [];
    bufferOffset = 0;
    /** The index of the last written buffer. Used when resuming after a `pause()`. */
    writeIndex = 0;
    /** Indicates whether the parser has finished running / `.end` has been called. */
    ended = false;
    constructor(cbs, options = {}) {
        this.options = options;
        this.cbs = cbs ?? {};
        this.htmlMode = !this.options.xmlMode;
        this.lowerCaseTagNames = options.lowerCaseTags ?? this.htmlMode;
        this.lowerCaseAttributeNames =
            options.lowerCaseAttributeNames ?? this.htmlMode;
        this.recognizeSelfClosing =
            options.recognizeSelfClosing ?? !this.htmlMode;
        this.tokenizer = new (options.Tokenizer ?? Tokenizer)(this.options, this);
        this.foreignContext = [ForeignContext.None];
        this.cbs.onparserinit?.(this);
    }
    // Tokenizer event handlers
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    ontext(start, endIndex) {
        const data = this.getSlice(start, endIndex);
        this.endIndex = endIndex - 1;
        this.cbs.ontext?.(data);
        this.startIndex = endIndex;
    }
    /**
     * @param cp Current Unicode code point.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    ontextentity(cp, endIndex) {
        this.endIndex = endIndex - 1;
        this.cbs.ontext?.(fromCodePoint(cp));
        this.startIndex = endIndex;
    }
    /** @internal */
    isInForeignContext() {
        return this.foreignContext[0] !== ForeignContext.None;
    }
    /**
     * Checks if the current tag is a void element. Override this if you want
     * to specify your own additional void elements.
     * @param name Name of the pseudo selector.
     */
    isVoidElement(name) {
        return this.htmlMode && voidElements.has(name);
    }
    /**
     * Read a tag name from the buffer.
     *
     * When `lowerCaseTagNames` is enabled (the default in HTML mode), the name
     * is lowercased and may be adjusted for SVG casing or the `image` → `img`
     * alias.
     * @param start Start index of the tag name in the buffer.
     * @param endIndex End index of the tag name in the buffer.
     */
    readTagName(start, endIndex) {
        const name = this.lowerCaseTagNames
            ? this.getSlice(start, endIndex).toLowerCase()
            : this.getSlice(start, endIndex);
        if (!(this.lowerCaseTagNames && this.htmlMode)) {
            return name;
        }
        if (this.foreignContext[0] === ForeignContext.Svg) {
            return svgTagNameAdjustments.get(name) ?? name;
        }
        /*
         * Closing tags for SVG elements inside HTML integration points
         * (e.g. </foreignObject> while inside its own content) need case
         * adjustment so the name matches what was pushed to the stack.
         * `foreignContext.length > 1` means a foreign ancestor exists —
         * the base [None] entry plus at least one pushed context.
         */
        if (this.foreignContext.length > 1) {
            const adjusted = svgTagNameAdjustments.get(name);
            if (adjusted !== undefined && this.stack.includes(adjusted)) {
                return adjusted;
            }
        }
        if (!this.isInForeignContext()) {
            return name === "image" ? "img" : name;
        }
        return name;
    }
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    onopentagname(start, endIndex) {
        this.endIndex = endIndex;
        this.emitOpenTag(this.readTagName(start, endIndex));
    }
    emitOpenTag(name) {
        this.openTagStart = this.startIndex;
        this.tagname = name;
        /*
         * The spec ignores a second <form> when one is already open.
         * Setting tagname to "" suppresses all downstream effects: attribs
         * stays null so endOpenTag is a no-op, and closeCurrentTag can't
         * match "" on the stack.
         */
        if (this.htmlMode && name === "form" && this.stack.includes("form")) {
            this.tagname = "";
            return;
        }
        const impliesClose = this.htmlMode && openImpliesClose.get(name);
        if (impliesClose) {
            while (this.stack.length > 0 && impliesClose.has(this.stack[0])) {
                this.popElement(true);
            }
        }
        if (!this.isVoidElement(name)) {
            this.stack.unshift(name);
            if (this.htmlMode) {
                if (name === "svg") {
                    this.foreignContext.unshift(ForeignContext.Svg);
                }
                else if (name === "math") {
                    this.foreignContext.unshift(ForeignContext.MathML);
                }
                else if (htmlIntegrationElements.has(name)) {
                    this.foreignContext.unshift(ForeignContext.None);
                }
            }
        }
        this.cbs.onopentagname?.(name);
        if (this.cbs.onopentag)
            this.attribs = {};
    }
    endOpenTag(isImplied) {
        this.startIndex = this.openTagStart;
        if (this.attribs) {
            this.cbs.onopentag?.(this.tagname, this.attribs, isImplied);
            this.attribs = null;
        }
        if (this.cbs.onclosetag && this.isVoidElement(this.tagname)) {
            this.cbs.onclosetag(this.tagname, true);
        }
        this.tagname = "";
    }
    /**
     * @param endIndex End index for the current parser event.
     * @internal
     */
    onopentagend(endIndex) {
        this.endIndex = endIndex;
        this.endOpenTag(false);
        // Set `startIndex` for next node
        this.startIndex = endIndex + 1;
    }
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    onclosetag(start, endIndex) {
        this.endIndex = endIndex;
        const name = this.readTagName(start, endIndex);
        if (!this.isVoidElement(name)) {
            const pos = this.stack.indexOf(name);
            if (pos !== -1) {
                for (let index = 0; index < pos; index++) {
                    this.popElement(true);
                }
                this.popElement(false);
            }
            else if (this.htmlMode && name === "p") {
                // Implicit open before close
                this.emitOpenTag("p");
                this.closeCurrentTag(true);
            }
        }
        else if (this.htmlMode && name === "br") {
            // We can't use `emitOpenTag` for implicit open, as `br` would be implicitly closed.
            this.cbs.onopentagname?.("br");
            this.cbs.onopentag?.("br", {}, true);
            this.cbs.onclosetag?.("br", false);
        }
        // Set `startIndex` for next node
        this.startIndex = endIndex + 1;
    }
    /**
     * @param endIndex End index for the current parser event.
     * @internal
     */
    onselfclosingtag(endIndex) {
        this.endIndex = endIndex;
        if (this.recognizeSelfClosing || this.isInForeignContext()) {
            this.closeCurrentTag(false);
            // Set `startIndex` for next node
            this.startIndex = endIndex + 1;
        }
        else {
            // Ignore the fact that the tag is self-closing.
            this.onopentagend(endIndex);
        }
    }
    /**
     * Pop the top element off the stack, emit a close event, and maintain
     * the foreign context stack.
     * @param implied Whether this close is implied (not from an explicit end tag).
     */
    popElement(implied) {
        // biome-ignore lint/style/noNonNullAssertion: The element is guaranteed to exist.
        const element = this.stack.shift();
        if (this.htmlMode &&
            (foreignContextElements.has(element) ||
                htmlIntegrationElements.has(element))) {
            this.foreignContext.shift();
        }
        this.cbs.onclosetag?.(element, implied);
    }
    closeCurrentTag(isOpenImplied) {
        const name = this.tagname;
        this.endOpenTag(isOpenImplied);
        // Self-closing tags will be on the top of the stack
        if (this.stack[0] === name) {
            this.popElement(!isOpenImplied);
        }
    }
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    onattribname(start, endIndex) {
        this.startIndex = start;
        const name = this.getSlice(start, endIndex);
        this.attribname = this.lowerCaseAttributeNames
            ? name.toLowerCase()
            : name;
    }
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    onattribdata(start, endIndex) {
        this.attribvalue += this.getSlice(start, endIndex);
    }
    /**
     * @param cp Current Unicode code point.
     * @internal
     */
    onattribentity(cp) {
        this.attribvalue += fromCodePoint(cp);
    }
    /**
     * @param quote Quote type used for the current attribute.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    onattribend(quote, endIndex) {
        this.endIndex = endIndex;
        this.cbs.onattribute?.(this.attribname, this.attribvalue, quote === QuoteType.Double
            ? '"'
            : quote === QuoteType.Single
                ? "'"
                : quote === QuoteType.NoValue
                    ? undefined
                    : null);
        if (this.attribs && !Object.hasOwn(this.attribs, this.attribname)) {
            this.attribs[this.attribname] = this.attribvalue;
        }
        this.attribvalue = "";
    }
    getInstructionName(value) {
        const index = value.search(reNameEnd);
        let name = index < 0 ? value : value.substr(0, index);
        if (this.lowerCaseTagNames) {
            name = name.toLowerCase();
        }
        return name;
    }
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    ondeclaration(start, endIndex) {
        this.endIndex = endIndex;
        const value = this.getSlice(start, endIndex);
        if (this.cbs.onprocessinginstruction) {
            /*
             * In HTML mode, ondeclaration is only reached for DOCTYPE
             * (the tokenizer routes everything else to bogus comments).
             */
            const name = this.htmlMode
                ? this.lowerCaseTagNames
                    ? DOCUMENT_TYPE
                    : value.slice(0, DOCUMENT_TYPE.length)
                : this.getInstructionName(value);
            this.cbs.onprocessinginstruction(`!${name}`, `!${value}`);
        }
        // Set `startIndex` for next node
        this.startIndex = endIndex + 1;
    }
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @internal
     */
    onprocessinginstruction(start, endIndex) {
        this.endIndex = endIndex;
        const value = this.getSlice(start, endIndex);
        if (this.cbs.onprocessinginstruction) {
            const name = this.getInstructionName(value);
            this.cbs.onprocessinginstruction(`?${name}`, `?${value}`);
        }
        // Set `startIndex` for next node
        this.startIndex = endIndex + 1;
    }
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @param offset Offset applied when computing parser indices.
     * @internal
     */
    oncomment(start, endIndex, offset) {
        this.endIndex = endIndex;
        this.cbs.oncomment?.(this.getSlice(start, endIndex - offset));
        this.cbs.oncommentend?.();
        // Set `startIndex` for next node
        this.startIndex = endIndex + 1;
    }
    /**
     * @param start Start index for the current parser event.
     * @param endIndex End index for the current parser event.
     * @param offset Offset applied when computing parser indices.
     * @internal
     */
    oncdata(start, endIndex, offset) {
        this.endIndex = endIndex;
        const value = this.getSlice(start, endIndex - offset);
        if (!this.htmlMode || this.options.recognizeCDATA) {
            this.cbs.oncdatastart?.();
            this.cbs.ontext?.(value);
            this.cbs.oncdataend?.();
        }
        else if (this.isInForeignContext()) {
            this.cbs.ontext?.(value);
        }
        else {
            this.cbs.oncomment?.(`[CDATA[${value}]]`);
            this.cbs.oncommentend?.();
        }
        // Set `startIndex` for next node
        this.startIndex = endIndex + 1;
    }
    /** @internal */
    onend() {
        if (this.cbs.onclosetag) {
            // Set the end index for all remaining tags
            this.endIndex = this.startIndex;
            for (let index = 0; index < this.stack.length; index++) {
                this.cbs.onclosetag(this.stack[index], true);
            }
        }
        this.cbs.onend?.();
    }
    /**
     * Resets the parser to a blank state, ready to parse a new HTML document
     */
    reset() {
        this.cbs.onreset?.();
        this.tokenizer.reset();
        this.tagname = "";
        this.attribname = "";
        this.attribvalue = "";
        this.attribs = null;
        this.stack.length = 0;
        this.startIndex = 0;
        this.endIndex = 0;
        this.cbs.onparserinit?.(this);
        this.buffers.length = 0;
        this.foreignContext.length = 0;
        this.foreignContext.unshift(ForeignContext.None);
        this.bufferOffset = 0;
        this.writeIndex = 0;
        this.ended = false;
    }
    /**
     * Resets the parser, then parses a complete document and
     * pushes it to the handler.
     * @param data Document to parse.
     */
    parseComplete(data) {
        this.reset();
        this.end(data);
    }
    getSlice(start, end) {
        if (start === end) {
            return "";
        }
        while (start - this.bufferOffset >= this.buffers[0].length) {
            this.shiftBuffer();
        }
        let slice = this.buffers[0].slice(start - this.bufferOffset, end - this.bufferOffset);
        while (end - this.bufferOffset > this.buffers[0].length) {
            this.shiftBuffer();
            slice += this.buffers[0].slice(0, end - this.bufferOffset);
        }
        return slice;
    }
    shiftBuffer() {
        this.bufferOffset += this.buffers[0].length;
        this.writeIndex--;
        this.buffers.shift();
    }
    /**
     * Parses a chunk of data and calls the corresponding callbacks.
     * @param chunk Chunk to parse.
     */
    write(chunk) {
        if (this.ended) {
            this.cbs.onerror?.(new Error(".write() after done!"));
            return;
        }
        this.buffers.push(chunk);
        if (this.tokenizer.running) {
            this.tokenizer.write(chunk);
            this.writeIndex++;
        }
    }
    /**
     * Parses the end of the buffer and clears the stack, calls onend.
     * @param chunk Optional final chunk to parse.
     */
    end(chunk) {
        if (this.ended) {
            this.cbs.onerror?.(new Error(".end() after done!"));
            return;
        }
        if (chunk)
            this.write(chunk);
        this.ended = true;
        this.tokenizer.end();
    }
    /**
     * Pauses parsing. The parser won't emit events until `resume` is called.
     */
    pause() {
        this.tokenizer.pause();
    }
    /**
     * Resumes parsing after `pause` was called.
     */
    resume() {
        this.tokenizer.resume();
        while (this.tokenizer.running &&
            this.writeIndex < this.buffers.length) {
            this.tokenizer.write(this.buffers[this.writeIndex++]);
        }
        if (this.ended)
            this.tokenizer.end();
    }
}
//# sourceMappingURL=Parser.js.map
;// CONCATENATED MODULE: ./build/js/shared/upgrade-policy.js
// A directive of Content-Security-Policy that a preview over plain http must not have. Used by gateway/upstream/headers.ts
// and by `mode: web`.
/**
 * Removes `upgrade-insecure-requests` from policies (W3C Upgrade Insecure Requests, 3.1), which helmet sets by default.
 * Browsers would load everything of the preview with https, which it does not have.
 */
function dropUpgrade(policies) {
    return policies.replace(/(^|[;,])(?:\s*upgrade-insecure-requests(?:\s[^;,]*)?(?:;|(?=,)|$))+/gi, '$1');
}

;// CONCATENATED MODULE: ./build/js/app/web/page.js
// What a page loads, and whether it shows anything, read from its HTML. Used by page-check.ts
// and source-page.ts.


/** Modules, and the JavaScript types of the MIME Sniffing Standard, 4.6: browsers run the old ones, too. */
const SCRIPT_TYPES = /^(|module|(text|application)\/(x-)?(java|ecma)script|text\/(javascript1\.[0-5]|jscript|livescript))$/i;
/** `rel` of links whose files a page can do without. */
const OPTIONAL_LINKS = ['preload', 'prefetch', 'icon', 'apple-touch-icon', 'manifest'];
/** Browsers with scripts ignore what is in these. */
const INERT_ELEMENTS = ['noscript', 'template'];
/** Text in these is not shown either. */
const HIDDEN_ELEMENTS = [...INERT_ELEMENTS, 'title', 'script', 'style'];
const SHOWN_ELEMENTS = [
    'img',
    'picture',
    'svg',
    'canvas',
    'video',
    'audio',
    'iframe',
    'frame',
    'object',
    'embed',
    'input',
    'button',
    'select',
    'textarea',
    'hr',
    'table',
];
/** Never throws: as in a browser, any text is a page. */
function readPage(html) {
    const references = [];
    const page = {
        base: undefined,
        inline: 'none',
        hasImportMap: false,
        wantsHttps: false,
        hasContent: false,
        textLength: 0,
        isTrunkSource: false,
    };
    const open = [];
    const isIn = (elements) => open.some(name => elements.includes(name));
    const parser = new Parser({
        onopentag(name, attributes) {
            if (!isIn(INERT_ELEMENTS)) {
                page.isTrunkSource ||= 'data-trunk' in attributes;
                page.hasContent ||=
                    SHOWN_ELEMENTS.includes(name) || /^refresh$/i.test(attributes['http-equiv'] ?? '');
                page.hasImportMap ||= name === 'script' && /^importmap$/i.test(attributes.type?.trim() ?? '');
                page.wantsHttps ||= name === 'meta' && hasUpgrade(attributes);
                if (name === 'base')
                    page.base ??= attributes.href;
                if (name === 'script')
                    page.inline = strongest(page.inline, addScript(attributes, references));
                if (name === 'link')
                    addLink(attributes, references);
            }
            if (HIDDEN_ELEMENTS.includes(name))
                open.push(name);
        },
        onclosetag(name) {
            const last = open.lastIndexOf(name);
            if (last >= 0)
                open.splice(last, 1);
        },
        ontext(text) {
            if (isIn(HIDDEN_ELEMENTS))
                return;
            page.textLength += text.trim().length;
            page.hasContent ||= page.textLength > 0;
        },
    });
    parser.end(html);
    return { ...page, references };
}
function hasUpgrade({ 'http-equiv': field = '', content = '' }) {
    return /^content-security-policy$/i.test(field.trim()) && dropUpgrade(content) !== content;
}
function strongest(one, other) {
    return one === 'module' || other === 'none' ? one : other;
}
/** Returns how a script without a file runs; `none` for one with a file, or for data. */
function addScript(attributes, references) {
    const { src, type = '' } = attributes;
    if (!SCRIPT_TYPES.test(type.trim()))
        return 'none';
    const kind = /^module$/i.test(type.trim()) ? 'module' : 'script';
    if (src === undefined)
        return kind;
    // It loads nothing, and what is in it is not run (HTML Standard, "prepare the script element").
    if (src.trim() === '')
        return 'none';
    // Browsers with modules do not load what is there for those without.
    if (!('nomodule' in attributes))
        references.push({ kind, url: src });
    return 'none';
}
function addLink({ rel = '', href }, references) {
    const relations = rel.toLowerCase().split(/\s+/);
    const has = (...names) => names.some(name => relations.includes(name));
    if (href === undefined || href.trim() === '')
        return;
    if (has('modulepreload'))
        references.push({ kind: 'import', url: href });
    else if (has('stylesheet') && !has('alternate'))
        references.push({ kind: 'style', url: href });
    else if (has(...OPTIONAL_LINKS))
        references.push({ kind: 'other', url: href });
}

;// CONCATENATED MODULE: ./build/js/app/web/source-page.js
// Recognises the page of an app's source, which shows nothing before it is built. Used by page-check.ts.




/** What no browser runs. */
const SOURCE_ENDING = /\.([cm]?tsx?|jsx|vue|svelte|astro|coffee|elm|rs)$/i;
/** Of Create React App and Vite, webpack and Vue CLI, Jinja and Jekyll, JavaScript. */
const TEMPLATE_MARK = /%[A-Z_][A-Z\d_]{2,}%|<%|\{[{%]|\$\{/;
/** Jekyll's. */
const FRONT_MATTER = /^---\r?\n/;
/** Why the page is a source, as the end of a sentence that begins with its name; undefined if it is not. */
function findSourceMark(page, { references, text, runs }) {
    if (page.isTrunkSource)
        return 'has data-trunk attributes, which Trunk replaces when it builds the app';
    const script = references.find(({ kind, url }) => (kind === 'script' || kind === 'module') && SOURCE_ENDING.test(url.replace(/[?#].*$/s, '')));
    if (script !== undefined)
        return `loads ${script.url}, which no browser can run`;
    const template = (runs ? [] : [page.base ?? '', ...references.map(({ url }) => url)]).find(isTemplate);
    if (template !== undefined)
        return `refers to ${template}, which a build replaces`;
    return FRONT_MATTER.test(text) ? 'begins with front matter, which a build removes' : undefined;
}
/** In `/%E4%BD%A0ABC%E5%A5%BD.png`, `%A0ABC%` is no mark: its percent signs encode characters. */
function isTemplate(url) {
    return TEMPLATE_MARK.test(decodeSegment(url) === url ? url : url.replace(/%[\da-f]{2}/gi, ''));
}
/**
 * What a module begins with, piece by piece: space, comments, directives, static imports. What comes later is not looked
 * at, because it may be a text, such as an example of code.
 */
const HEAD = /\s+|;|\/\/.*|\/\*[\s\S]*?\*\/|(['"])use \w+\1|import\b[^'"`;()]*(['"])(?<specifier>[^'"\n]+)\2(?<type>\s*(?:with|assert)\b\s*\{[^}]*\})?/gy;
const ADDRESS = /^(?:\.{0,2}\/|[a-z][a-z\d+.-]*:)/i;
const ASSET = /\.(?:css|scss|sass|less|styl|svg|png|jpe?g|gif|webp|vue|svelte|[cm]?tsx?|jsx)(?:\?.*)?$|\?(?:init|url|raw|inline|worker)\b/i;
/**
 * Why the modules at these paths cannot run before a build: one imports a package by name, or a stylesheet. Only looked
 * for beside a package.json, which builds leave behind. `scripts`: the paths of the classic scripts that are there.
 */
function findSourceImport(root, page, { modules, scripts }) {
    const read = (path) => readScript(root, path);
    if (page.hasImportMap || !isFile((0,external_node_path_.join)(root, 'package.json')))
        return undefined;
    // JSPM writes a script that adds the import map.
    if (scripts.some(path => read(path).includes('importmap')))
        return undefined;
    for (const path of modules) {
        const unknown = listImports(read(path)).find(specifier => !ADDRESS.test(specifier) || ASSET.test(specifier));
        if (unknown !== undefined)
            return `loads ${path}, which imports '${unknown}', and only a build can resolve that`;
    }
    return undefined;
}
/** The start of a script, which may have many megabytes; empty if it cannot be read. */
function readScript(root, path) {
    try {
        return readPageText((0,external_node_path_.join)(root, decodeSegment(path)));
    }
    catch {
        return '';
    }
}
/** The imports that a module begins with. One with a type (`with { type: 'css' }`) is for browsers that know it. */
function listImports(text) {
    return [...text.matchAll(HEAD)].flatMap(({ groups }) => groups?.specifier === undefined || groups.type !== undefined ? [] : [groups.specifier]);
}

;// CONCATENATED MODULE: ./build/js/app/web/page-check.js
// Looks at the page of a built web app before anything starts: for which base path it was built, and whether it can
// only end as a blank page. Used by inputs/app.ts and inputs/web.ts.










/** An address that no page has: what is on other hosts differs from it. */
const PAGE_URL = 'http://page.invalid/';
const PAGE_ORIGIN = new URL(PAGE_URL).origin;
/** Bazel, Nix and some packagers write such links. */
const LEADS_OUT = 'is hidden, or a link that leads out of the folder, and only what is in it is served: copy the files (`cp -rL`)';
/** Characters: more than a page says while its app is loaded. */
const MUCH_TEXT = 500;
/** Names in one message. */
const SHOWN_FILES = 3;
/**
 * `wanted` is the base path, or `auto`. Throws an InputError if the page is the source of an app, or if none of its
 * scripts is there.
 */
function checkPage(folder, wanted) {
    const root = (0,external_node_fs_namespaceObject.realpathSync)(folder);
    const name = findStartPage(root);
    if (name === undefined)
        return { basePath: wanted === 'auto' ? NO_BASE : wanted, warnings: [] };
    if (!hasFile(root, `/${name}`))
        throw new errors_InputError(`path: ${name} in ${sanitise_sanitise(root)} ${LEADS_OUT}`);
    const text = readPageText((0,external_node_path_.join)(root, name));
    const page = readPage(text);
    const documentBase = URL.parse(page.base ?? '', PAGE_URL) ?? new URL(PAGE_URL);
    const start = { root, name, page, references: listLocal(page, documentBase) };
    const listThere = (kind) => start.references
        .filter(reference => reference.kind === kind && hasFile(root, reference.path))
        .map(({ path }) => path);
    const [modules, scripts] = [listThere('module'), listThere('script')];
    const runs = modules.length + scripts.length > 0;
    const mark = findSourceMark(page, { references: start.references, text, runs }) ??
        findSourceImport(root, page, { modules, scripts });
    if (mark !== undefined)
        throw new errors_InputError(`path: ${name} ${sanitise_sanitise(mark)}: ${describeSource(root)}`);
    const found = findBase(start, documentBase);
    const basePath = wanted === 'auto' ? found : wanted;
    const rules = readHostRules(root);
    const missing = start.references.filter(({ kind, path }) => kind !== 'other' && !isServed(root, basePath, path) && !isRedirected(root, basePath, rules, path));
    if (missing.length === 0)
        return { basePath, warnings: text !== '' && isEmpty(page) ? [describeEmpty(name)] : [] };
    const message = `${describeMissing(start, missing, basePath)}. ${describeRemedy(start, missing, { found, basePath })}`;
    if (isDead(start, missing))
        throw new errors_InputError(`path: ${message}`);
    return { basePath, warnings: [message] };
}
/**
 * The name of the start page, if its policy makes browsers load the files of the folder with https; otherwise
 * undefined. It stays blank where the preview has none.
 */
function findHttpsPage(folder) {
    const root = (0,external_node_fs_namespaceObject.realpathSync)(folder);
    const name = findStartPage(root);
    if (name === undefined || !hasFile(root, `/${name}`))
        return undefined;
    const page = readPage(readPageText((0,external_node_path_.join)(root, name)));
    return page.wantsHttps && listLocal(page, new URL(PAGE_URL)).length > 0 ? name : undefined;
}
/** What is loaded from other hosts, from `data:` and the like is not a matter of the folder. */
function listLocal(page, documentBase) {
    return page.references.flatMap(reference => {
        const url = URL.parse(reference.url, documentBase.href);
        return url?.origin === PAGE_ORIGIN ? [{ ...reference, path: url.pathname }] : [];
    });
}
function findBase({ root, references }, documentBase) {
    if (documentBase.origin !== PAGE_ORIGIN)
        return NO_BASE;
    const folder = documentBase.pathname.replace(/[^/]*$/, '');
    const paths = listNeeded(references)
        // A relative link is right, or wrong, below every base path.
        .filter(({ url }) => folder !== NO_BASE || /^\s*[/\\]/.test(url))
        .map(({ path }) => path);
    return findBasePath(root, paths, folder);
}
/** What the page needs most: its scripts, otherwise its styles. A wrong link to an icon says nothing about the app. */
function listNeeded(references) {
    const choices = [
        references.filter(isScript),
        references.filter(({ kind }) => kind === 'style'),
        references,
    ];
    return choices.find(({ length }) => length > 0) ?? [];
}
function isScript({ kind }) {
    return kind === 'module' || kind === 'script' || kind === 'import';
}
/** Whether a rule of `_redirects` leads to a file, or to another host. A page in place of a script does not help. */
function isRedirected(root, basePath, rules, path) {
    const local = stripBase(basePath, path) ?? path;
    const rule = rules.redirect(local, true) ?? rules.redirect(local, false);
    if (rule === undefined)
        return false;
    const target = rule.kind === 'rewrite' ? rule.path : rule.location.replace(/[?#].*$/s, '');
    return !target.startsWith('/') || (!target.endsWith('.html') && isServed(root, basePath, target));
}
/**
 * No script of the folder is there, and nothing else can be the app. Beside a missing module, only another module can:
 * in the page, or on another host. Beside a classic script, which may be only a `/config.js`, any text or script can.
 */
function isDead({ page, references }, missing) {
    const scripts = missing.filter(isScript);
    if (scripts.length === 0 || scripts.length < references.filter(isScript).length)
        return false;
    if (page.textLength >= MUCH_TEXT)
        return false;
    if (scripts.some(({ kind }) => kind === 'import'))
        return true;
    const elsewhere = page.references
        .filter(isScript)
        .filter(one => !references.some(({ url }) => url === one.url));
    if (page.inline === 'module' || elsewhere.some(({ kind }) => kind === 'module'))
        return false;
    if (scripts.some(({ kind }) => kind === 'module'))
        return true;
    return !page.hasContent && page.inline === 'none' && elsewhere.length === 0;
}
function isEmpty({ hasContent, inline, references }) {
    return (!hasContent && inline === 'none' && !references.some(({ kind }) => kind === 'script' || kind === 'module'));
}
function describeEmpty(name) {
    return `${name} has neither text nor a script, so visitors see a blank page: was the app built?`;
}
function describeSource(root) {
    const built = findBuiltFolder(root);
    const what = 'this is the source of an app, not its build';
    return built === undefined
        ? `${what}; build it in an earlier step, and give \`path\` the folder of the build (often dist)`
        : `${what}; give \`path\` the folder of the build: ${sanitise_sanitise(built)} has a page`;
}
function describeMissing({ root, name }, missing, basePath) {
    const paths = [...new Set(missing.map(({ path }) => path))];
    const more = paths.length > SHOWN_FILES ? ` and ${paths.length - SHOWN_FILES} more` : '';
    const shown = `${paths
        .slice(0, SHOWN_FILES)
        .map(path => sanitise_sanitise(path))
        .join(', ')}${more}`;
    const below = basePath === NO_BASE ? '' : `, served below ${sanitise_sanitise(basePath)}`;
    return `${name} loads ${shown}, missing from ${sanitise_sanitise(root)}${below}`;
}
function describeRemedy({ root }, missing, { found, basePath }) {
    if (found !== NO_BASE && found !== basePath)
        return `It fits the base path ${sanitise_sanitise(found)}: leave \`base-path\` out, or give that`;
    if (missing.some(({ path }) => (0,external_node_fs_namespaceObject.existsSync)((0,external_node_path_.join)(root, decodeSegment(path)))))
        return `One of them ${LEADS_OUT}`;
    const built = findBuiltFolder(root);
    if (built !== undefined)
        return `${sanitise_sanitise(built)} has a page, too: perhaps \`path\` must be that folder`;
    return 'Check the build and `path`; if a server adds a path in front of these files, give it as `base-path`';
}

;// CONCATENATED MODULE: ./build/js/shared/host-rule.js
// Under which name the app is addressed: the two rules behind the input `host-header`. Used by inputs/, app/ (which
// chooses a rule at each start) and gateway/ (which follows it).
/**
 * - `rewrite`: the app sees itself as localhost (a service on another machine: under its name there). `Host` says so, and
 *   in `Origin` and `Referer` the preview's own address.
 * - `preserve`: the app sees the public address, as the visitor sent it.
 */
const HOST_RULES = ['rewrite', 'preserve'];
/** The values of the input: a rule, or `auto` to ask the app. */
const HOST_HEADERS = ['auto', ...HOST_RULES];

;// CONCATENATED MODULE: ./build/js/inputs/env.js
// The `env` input: what the app gets in addition to the allow-list of app/environment.ts. Used by inputs/app.ts.

/**
 * Reads the `env` input: `KEY=VALUE` lines, a bare `KEY` copies the job's value; empty lines and `#` lines are skipped.
 * Throws an InputError with every problem. Problems name line and key, never a value: those are often secrets.
 */
function parseEnv(text, job) {
    const env = new Map();
    const problems = [];
    for (const [index, line] of text.split(/\r?\n/).entries()) {
        if (line.trim() === '' || line.trimStart().startsWith('#'))
            continue;
        const at = line.indexOf('=');
        const key = (at < 0 ? line : line.slice(0, at)).trim();
        const value = at < 0 ? job[key] : line.slice(at + 1);
        const problem = env_findProblem(key, value, env);
        if (problem !== undefined)
            problems.push(`env, line ${index + 1}: ${problem}`);
        else if (value !== undefined)
            env.set(key, value);
    }
    if (problems.length > 0)
        throw new errors_InputError(problems);
    return Object.fromEntries(env);
}
function env_findProblem(key, value, env) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
        return 'expected KEY=VALUE, the key of letters, digits and _; a value cannot span lines';
    if (key === 'EXPOSE_URL')
        return 'EXPOSE_URL is set by this action; leave the line out';
    if (env.has(key))
        return `${key} was given before; keep one of the two`;
    if (value === undefined)
        return `the job has no variable ${key} to copy; write ${key}=VALUE, or set it in the job`;
    if (value.includes('\0'))
        return `the value of ${key} contains a NUL character, which no program can be given`;
    return undefined;
}

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __nccwpck_require__(7030);
;// CONCATENATED MODULE: external "node:dns/promises"
const external_node_dns_promises_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:dns/promises");
;// CONCATENATED MODULE: ./build/js/app/port/service-address.js
// The address of a service on another machine, such as a service container of the job: `port: redis:6379`. Used by
// port.ts, and by the inputs before anything starts.




/**
 * Addresses at which no service of a job listens, and at which clouds hand the credentials of the machine to everybody
 * who asks (169.254.169.254, fd00:ec2::254, 168.63.129.16, 100.100.100.200). A link in a pull request must not lead
 * there, even if a name in the workflow does. The rest is never the address of one machine.
 */
const NEVER_EXPOSED = new external_node_net_.BlockList();
NEVER_EXPOSED.addSubnet('169.254.0.0', 16);
NEVER_EXPOSED.addSubnet('fe80::', 10, 'ipv6');
NEVER_EXPOSED.addAddress('168.63.129.16');
NEVER_EXPOSED.addAddress('100.100.100.200');
NEVER_EXPOSED.addAddress('fd00:ec2::254', 'ipv6');
NEVER_EXPOSED.addSubnet('0.0.0.0', 8);
NEVER_EXPOSED.addAddress('::', 'ipv6');
NEVER_EXPOSED.addSubnet('224.0.0.0', 3);
NEVER_EXPOSED.addSubnet('ff00::', 8, 'ipv6');
/** False for a name, and for the addresses above, also when written as IPv6 (`::ffff:169.254.169.254`). */
function isNeverExposed(address) {
    const version = (0,external_node_net_.isIP)(address);
    return version !== 0 && NEVER_EXPOSED.check(address, version === 4 ? 'ipv4' : 'ipv6');
}
/** Why it is refused, after the address. */
const NEVER_EXPOSED_REASON = 'which is never exposed: it belongs to the machine or the network itself, and clouds give out credentials there';
/**
 * All addresses of the host, in the system's order. Rejects with the resolver's error, or with an AppError if one of
 * them is never exposed: an attempt to connect could end at any of them.
 */
async function resolveService(host) {
    const addresses = (await lookup(host, { all: true })).map(({ address }) => address);
    const refused = addresses.find(isNeverExposed);
    if (refused === undefined)
        return addresses;
    const where = refused === host ? host : `${sanitise(host)} is ${refused},`;
    throw new AppError(`\`port\`: ${where} ${NEVER_EXPOSED_REASON}`, { restartable: false });
}

;// CONCATENATED MODULE: ./build/js/inputs/port.js
// The `port` input: a port of this machine, or `host:port` of another one. Used by inputs/app.ts.





/** `8080`, `redis:6379` or `[fd12::5]:8080`; undefined for an empty text. Throws an InputError. */
function parsePortInput(text, command) {
    if (text === '')
        return undefined;
    if (/^\d+$/.test(text))
        return { port: parsePort(text, text), service: undefined };
    const [, host = '', digits = ''] = /^(\[[^\]]*\]|[^:/@?#[\]\s]+):(\d+)$/.exec(text) ?? [];
    // The parser of URLs knows names in other scripts, and the many forms of an IP address.
    const name = URL.parse(`http://${host}`)?.hostname ?? '';
    if (name === '')
        throw refuse(text, describeForm(text));
    const port = parsePort(digits, text);
    const service = stripBrackets(name);
    if (service === 'localhost')
        return { port, service: undefined };
    const mistake = describeOwnPort(host, service, port);
    if (mistake !== undefined)
        throw refuse(text, mistake);
    if (isNeverExposed(service))
        throw refuse(text, `it leads to ${service}, ${NEVER_EXPOSED_REASON}`);
    if (command !== undefined)
        throw refuse(text, `\`command\` starts the app on this machine; write only the number, ${port}`);
    return { port, service };
}
function parsePort(digits, text) {
    const port = Number(digits);
    if (port >= 1 && port <= 65_535)
        return port;
    throw refuse(text, 'write a whole number from 1 to 65535');
}
/** Forms of a port of this machine that other programs take: of Docker (`8080:80`), and of servers (`0.0.0.0:80`). */
function describeOwnPort(host, service, port) {
    if (/^\d{1,5}$/.test(host))
        return `write only the port on this machine, ${host}`;
    if (service === '0.0.0.0' || service === '::' || service === '*')
        return `${service} is only an address to listen on; write only the number, ${port}`;
    return undefined;
}
function describeForm(text) {
    if (text.includes('//'))
        return 'write it without http:// and without a path, like redis:6379';
    if ((0,external_node_net_.isIPv6)(text))
        return 'write an IPv6 address in brackets, and a port, like [fd12::5]:8080';
    if (/^[\w.-]*[a-z][\w.-]*$/i.test(text))
        return `add the port of the service, like ${text}:8080`;
    return 'write a whole number from 1 to 65535, or host:port for a service on another machine';
}
function refuse(text, remedy) {
    return new errors_InputError(`\`port\` is '${sanitise_sanitise(text)}': ${remedy}`);
}

;// CONCATENATED MODULE: ./build/js/inputs/values.js
// Parses single input values. Each parser names the input and the value in its InputError. Used by the files of this
// folder and by commands/server.ts.

const DEFAULT_HEALTH_PATH = '/';
const DEFAULT_STARTUP_TIMEOUT = '120s';
const DEFAULT_STOP_TIMEOUT = '5s';
/**
 * A template such as `https://{port}.preview.example.com`, with a scheme of the protocol and nothing after the port.
 */
function parsePublicUrl(template, protocol) {
    const sample = template.replaceAll('{host}', 'host.example').replaceAll('{port}', '12345');
    const url = URL.canParse(sample) ? new URL(sample) : undefined;
    const problem = url === undefined ? PUBLIC_URLS[protocol].problem : values_findProblem(url, sample, protocol);
    if (problem === undefined)
        return template.replace(/\/$/, '');
    throw new errors_InputError(`\`public-url\` is '${template}', which ${problem}: write it like ${PUBLIC_URLS[protocol].example}`);
}
const PUBLIC_URLS = {
    http: {
        scheme: /^https?:$/,
        problem: 'is not an http or https address',
        example: 'https://{port}.preview.example.com',
    },
    tcp: {
        scheme: /^tcp:$/,
        problem: 'is not a tcp address, which `protocol: tcp` needs',
        example: 'tcp://preview.example.com:{port}',
    },
};
function values_findProblem(url, sample, protocol) {
    if (!PUBLIC_URLS[protocol].scheme.test(url.protocol))
        return PUBLIC_URLS[protocol].problem;
    if (/[{}]/.test(sample))
        return 'has a placeholder other than {host} and {port}';
    const rest = `${url.pathname}${url.search}${url.hash}`;
    if ((rest !== '/' && rest !== '') || url.username !== '')
        return 'has more than a host and a port';
    return protocol === 'tcp' && url.port === '' ? 'has no port' : undefined;
}
function parseWholeNumber(text, input, min, max) {
    if (text === undefined)
        return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max)
        return value;
    throw new errors_InputError(`\`${input}\` is '${text}': write a whole number from ${min} to ${max}`);
}
function values_parseBoolean(text, input, fallback) {
    const word = text.toLowerCase();
    if (word === '')
        return fallback;
    if (word === 'true' || word === 'false')
        return word === 'true';
    throw new errors_InputError(`\`${input}\` is '${text}': write true or false`);
}
function parseChoice(text, input, choices) {
    const found = choices.find(choice => choice === text.toLowerCase());
    if (found !== undefined)
        return found;
    throw new errors_InputError(`\`${input}\` is '${text}': write one of ${choices.join(', ')}`);
}
function parseHealthPath(text) {
    if (/^\/[^\s#]*$/.test(text) && !text.startsWith('//'))
        return text;
    throw new errors_InputError(`\`health-path\` is '${text}': write a path that begins with one /`);
}
/** What no path of a folder holds: an empty or dotted segment, an encoded separator, a bare percent sign. */
const BROKEN_PATH = /\/\/|\/(\.|%2e){1,2}\/|%(2f|5c|00)|%(?![\da-f]{2})/i;
/**
 * The base path of a web app, percent-encoded and with a slash at both ends; `auto` as it is. People write it with and
 * without the last slash (Vite's `base`, `homepage` of Create React App).
 */
function parseBasePath(text) {
    if (text.toLowerCase() === 'auto')
        return 'auto';
    const path = text.endsWith('/') ? text : `${text}/`;
    if (/^\/[^\s?#\\]*$/.test(path) && !BROKEN_PATH.test(path))
        return new URL(path, 'http://host.example').pathname;
    throw new errors_InputError(`\`base-path\` is '${text}': write auto, or a path that begins with one /, like /repo/`);
}
const BYTES = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
/** Bytes of `500KB`, `25MB` or `2GB`; as with most servers, 1 KB is 1,024 bytes. */
function parseBytes(text, input) {
    const [, count, unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?) ?([kmg]?i?b?)$/.exec(text.toLowerCase()) ?? [];
    const factor = Object.entries(BYTES).find(([name]) => name === unit.replace('i', '') || name === `${unit}b`);
    const bytes = Math.floor(Number(count) * (factor?.[1] ?? 0));
    if (bytes > 0 && Number.isSafeInteger(bytes))
        return bytes;
    throw new errors_InputError(`\`${input}\` is '${text}', which is not a size: write it like 500KB, 25MB or 2GB`);
}

;// CONCATENATED MODULE: ./build/js/inputs/app.js
// The inputs about the app: what is run, how, and when it counts as up. Used by inputs.ts.















const ISOLATIONS = ['true', 'false', 'credentialless'];
const MODES = ['auto', ...APP_MODES];
/** Relative paths are resolved against `base`. Notes every problem in `problems`; throws if there is one. */
function parseAppInputs(read, context) {
    const { environment, base, protocol, problems } = context;
    const text = (name) => read(name).trim();
    const path = (0,external_node_path_.resolve)(base, text('path') || '.');
    const command = text('command') || undefined;
    const port = problems.check(() => parsePortInput(text('port'), command));
    const wanted = problems.check(() => parseChoice(text('mode') || 'auto', 'mode', MODES));
    // A port that was refused implies `mode: port`, too: nothing is missing in the folder then.
    const givenPort = text('port') === '' ? undefined : (port.known?.port ?? 0);
    const chosen = problems.check(() => chooseMode({ mode: wanted.value, path, port: givenPort, command }));
    const env = problems.check(() => parseEnv(read('env'), environment));
    problems.check(() => checkEnvUse(text('env'), chosen.value.mode));
    const version = problems.check(() => parseVersion(text('wasmrun-version')));
    const vm = problems.check(() => parseChoice(text('vm') || 'auto', 'vm', VM_HOSTS));
    const spa = problems.check(() => values_parseBoolean(text('spa'), 'spa', false));
    const isolation = problems.check(() => parseIsolation(text('cross-origin-isolation')));
    const basePath = problems.check(() => parseBasePath(text('base-path') || 'auto'));
    const healthPath = problems.check(() => parseHealthPath(text('health-path') || DEFAULT_HEALTH_PATH));
    const hostHeader = problems.check(() => parseChoice(text('host-header') || 'auto', 'host-header', HOST_HEADERS));
    const startupTimeoutMs = problems.check(() => parseDuration(text('startup-timeout') || DEFAULT_STARTUP_TIMEOUT, 'startup-timeout'));
    const stopTimeoutMs = problems.check(() => parseStopTimeout(text('stop-timeout') || DEFAULT_STOP_TIMEOUT));
    if (protocol === 'tcp') {
        problems.check(() => checkTcpMode(wanted.value, chosen.known));
        problems.check(() => checkTcpHealthPath(healthPath.value));
        problems.check(() => checkTcpHostHeader(hostHeader.known));
        problems.check(() => checkTcpPages({ spa: spa.known, isolation: isolation.known, basePath: basePath.known }));
    }
    const page = problems.check(() => chosen.value.mode === 'web' ? checkPage(path, basePath.value) : { basePath: NO_BASE, warnings: [] });
    return {
        path,
        mode: chosen.value.mode,
        modeReason: describeMode(chosen.value, page.value.basePath),
        warnings: [...(chosen.value.warning === undefined ? [] : [chosen.value.warning]), ...page.value.warnings],
        port: port.value?.port,
        service: port.value?.service,
        command,
        args: parseArgs(read('args')),
        env: env.value,
        wasmrunVersion: version.value,
        vm: vm.value,
        browser: text('browser') || undefined,
        spa: spa.value,
        crossOriginIsolation: isolation.value,
        basePath: page.value.basePath,
        healthPath: protocol === 'tcp' ? undefined : healthPath.value,
        hostHeader: protocol === 'tcp' ? undefined : hostHeader.value,
        startupTimeoutMs: startupTimeoutMs.value,
        stopTimeoutMs: stopTimeoutMs.value,
    };
}
function describeMode({ reason }, basePath) {
    return basePath === NO_BASE ? reason : `${reason}; served below the base path ${sanitise_sanitise(basePath)}`;
}
function parseIsolation(text) {
    const choice = parseChoice(text || 'false', 'cross-origin-isolation', ISOLATIONS);
    return choice === 'credentialless' ? choice : choice === 'true';
}
function parseStopTimeout(text) {
    const ms = parseDuration(text, 'stop-timeout');
    if (ms <= MAX_STOP_TIMEOUT_MS)
        return ms;
    throw new errors_InputError(`\`stop-timeout\` is '${text}': write at most ${MAX_STOP_TIMEOUT_MS / 1_000}s; the post step, which ends the app, has 30 s for everything`);
}
/** One argument per line. */
function parseArgs(text) {
    return text
        .split('\n')
        .map(line => line.trim())
        .filter(line => line !== '');
}
function parseVersion(text) {
    return text === '' ? undefined : parseWasmrunVersion(text);
}
function checkEnvUse(env, mode) {
    if (env !== '' && mode === 'os')
        throw new errors_InputError('`env` cannot be used with `mode: os`: the page gives programs a fixed environment; write the values into a file of the project instead');
}
/** The gateway serves the files of a web app, and with `protocol: tcp` there is no gateway. */
function checkTcpMode(wanted, chosen) {
    if (wanted === 'web')
        throw new errors_InputError('`protocol` is tcp, and `mode: web` has no port of its own to pass bytes to: use protocol: http, or a command that serves the folder');
    if (chosen?.mode === 'web')
        throw new errors_InputError('`protocol` is tcp, and what was found at `path` is a web app, which has no port of its own to pass bytes to: give the `port` of your service, or a `command` that opens one');
}
function checkTcpHealthPath(healthPath) {
    if (healthPath !== DEFAULT_HEALTH_PATH)
        throw new errors_InputError('`health-path` cannot be used with `protocol: tcp`: the app is up when its port accepts; leave it out');
}
function checkTcpHostHeader(hostHeader) {
    if (hostHeader !== undefined && hostHeader !== 'auto')
        throw new errors_InputError('`host-header` cannot be used with `protocol: tcp`: bytes reach the app unread; leave it out');
}
function checkTcpPages({ spa, isolation, basePath, }) {
    const problems = [];
    if (spa)
        problems.push('`spa` cannot be used with `protocol: tcp`: no page is served for the app; leave it out');
    if (isolation)
        problems.push('`cross-origin-isolation` cannot be used with `protocol: tcp`: there are no headers to send; leave it out');
    if (basePath !== undefined && basePath !== 'auto')
        problems.push('`base-path` cannot be used with `protocol: tcp`: no page is served for the app; leave it out');
    if (problems.length > 0)
        throw new errors_InputError(problems);
}

;// CONCATENATED MODULE: ./build/js/shared/path-patterns.js
// Patterns of request paths, such as `/webhooks/**`: of paths that need no key, that need a signature, and whose requests
// are recorded. Used by gateway/, and by inputs/ to check the patterns.
//
// The app may read a path differently: decode it, even twice, treat `\` as `/`, or drop what follows a `;`. So a path
// is public only if every such reading of it matches. A path with dot segments is never public. A request is recorded if
// any reading matches: that opens nothing.

/** No app encodes its paths more often than this; a path that is encoded more often is not public. */
const MAX_DECODINGS = 4;
/**
 * Longer paths are not public. A pattern with several stars is matched by backtracking, whose time is a power of the
 * path's length. A visitor without a key could block the gateway for seconds with one long path. The number of stars is
 * limited for the same reason.
 */
const MAX_LENGTH = 1_024;
const MAX_STARS_IN_NAME = 1;
const MAX_FOLDER_STARS = 2;
/** `**` any number of folders, `*` any part of a name, `?` one character. Case-sensitive. */
const OPTIONS = {
    dot: true, // `/.well-known/x` is a path like any other
    nonegate: true,
    noextglob: true,
    nobracket: true,
    strictSlashes: true,
};
/** Why the pattern is not valid, as the end of "`public-paths` has 'x', which …"; undefined if it is valid. */
function findPatternProblem(pattern) {
    if (!pattern.startsWith('/'))
        return 'does not begin with /';
    if (/\?[^/?]*=/.test(pattern))
        return 'has a query: write the path before the ? alone';
    if (/[\s\\;%#]|\/\/|\/\.{1,2}(?:\/|$)/.test(pattern))
        return 'is not a plain path';
    if (pattern.split('/').some(name => name !== '**' && name.split('*').length - 1 > MAX_STARS_IN_NAME))
        return 'has more than one * in a name';
    if (pattern.split('/').filter(name => name === '**').length > MAX_FOLDER_STARS)
        return 'has more than two **';
    // With `|` picomatch would make two patterns of one.
    if (/[()[\]{}!|]/.test(pattern))
        return 'has more than the signs *, ** and ?';
    return undefined;
}
/** Returns a function: does a request's path (target without query) match one of the patterns in every reading? */
function compilePatterns(patterns) {
    if (patterns.length === 0)
        return () => false;
    const matches = picomatch([...patterns], OPTIONS);
    return path => {
        if (path.length > MAX_LENGTH)
            return false;
        const { readings, isDoubtful } = listReadings(path);
        return !isDoubtful && readings.every(reading => matches(reading));
    };
}
/** Returns a function: does a spelling, one of `listSpellings`, match one of the patterns? */
function compileSpelling(patterns) {
    const compiled = patterns.map(pattern => splitNames(pattern.toLowerCase()).map(compileName));
    return names => compiled.some(pattern => matchNames(pattern, names));
}
/** A path is rarely encoded twice; if it is still encoded after so many rounds, somebody is trying something. */
const MAX_LOOSE_DECODINGS = 8;
/** Of all readings of a path together: twice what a head may hold. More would take long to match. */
const MAX_READ_LENGTH = (/* unused pure expression or super */ null && (32 * 1024));
/**
 * Every way in which an app could read a request's path (target without query), as lists of names. For paths that need a
 * signature, doubt must count against the request: another spelling of the path must not lead around the check. So letter
 * case, a slash at the end and the format that some frameworks take from the end of a path (`.json`) make no difference.
 *
 * Undefined if there are too many ways, or if it has dot segments: apps resolve them before or after they decode, and with
 * or without empty names. No client sends such a path.
 */
function path_patterns_listSpellings(path) {
    const texts = [path.toLowerCase()];
    for (let round = 0;; round += 1) {
        const decoded = decodeLeniently(texts.at(-1) ?? '').toLowerCase();
        if (decoded === texts.at(-1))
            break;
        if (round === MAX_LOOSE_DECODINGS)
            return undefined;
        texts.push(decoded);
    }
    const readings = new Set(texts
        .flatMap(text => [text, cutEnd(text)])
        .flatMap(text => [text, text.replaceAll(/;[^/\\]*/g, '')])
        .flatMap(text => [text, mergeSlashes(text)]));
    if ([...readings].reduce((length, text) => length + text.length, 0) > MAX_READ_LENGTH)
        return undefined;
    const spellings = [...readings].map(splitNames);
    if (spellings.some(names => names.includes('.') || names.includes('..')))
        return undefined;
    return spellings.flatMap(names => [names, ...dropFormat(names)]);
}
/** Without what comes after a decoded end: `$` of many regular expressions matches before a line break, too. */
function cutEnd(text) {
    return (text.split(/[?#\n\r\0]/, 1)[0] ?? '').trimEnd();
}
/** Decodes what can be decoded, and leaves the rest: some servers do. */
function decodeLeniently(text) {
    return text.replaceAll(/(?:%[\da-f]{2})+/gi, run => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}
function splitNames(path) {
    return path.split('/').filter(name => name !== '');
}
/** The same without a format at its end; nothing if it has none. */
function dropFormat(names) {
    const last = names.at(-1) ?? '';
    const short = last.replace(/(?<=.)\.\w+$/, '');
    return short === last ? [] : [names.with(-1, short)];
}
function compileName(pattern) {
    if (pattern === '**')
        return undefined;
    if (!/[*?]/.test(pattern))
        return name => name === pattern;
    const source = pattern
        .replaceAll(/[.+^$|]/g, '\\$&')
        .replaceAll('?', '.')
        .replace('*', '.*');
    const wanted = new RegExp(`^${source}$`, 's');
    return name => wanted.test(name);
}
/** If a name does not match, the last `**` takes one more: no path takes more than its length times the pattern's. */
function matchNames(pattern, names) {
    let [next, from, taken] = [0, -1, 0];
    for (let index = 0; index < names.length;) {
        const wanted = pattern[next];
        if (next < pattern.length && wanted === undefined) {
            next += 1;
            [from, taken] = [next, index];
        }
        else if (wanted?.(names[index] ?? '')) {
            next += 1;
            index += 1;
        }
        else if (from >= 0) {
            next = from;
            taken += 1;
            index = taken;
        }
        else
            return false;
    }
    return pattern.slice(next).every(one => one === undefined);
}
/** Returns a function: does a request's path match one of the patterns in any reading? */
function compileLoosePatterns(patterns) {
    if (patterns.length === 0)
        return () => false;
    const matches = picomatch([...patterns], OPTIONS);
    return path => path.length <= MAX_LENGTH && listReadings(path).readings.some(reading => matches(reading));
}
/** Whether some path may match both patterns. */
function canOverlap(one, other) {
    return overlapNames(one.split('/'), other.split('/'));
}
/** The same for lists of names, where `**` stands for any number of them. */
function overlapNames(one, other) {
    const [[first, ...rest], [second, ...others]] = [one, other];
    if (first === '**')
        return overlapNames(rest, other) || (second !== undefined && overlapNames(one, others));
    if (second === '**')
        return overlapNames(other, one);
    if (first === undefined || second === undefined)
        return first === second;
    return overlapSigns(first, second) && overlapNames(rest, others);
}
/** The same within a name, where `*` stands for any number of characters. */
function overlapSigns(one, other) {
    if (one.startsWith('*'))
        return overlapSigns(one.slice(1), other) || (other !== '' && overlapSigns(one, other.slice(1)));
    if (other.startsWith('*'))
        return overlapSigns(other, one);
    if (one === '' || other === '')
        return one === other;
    return ((one[0] === '?' || other[0] === '?' || one[0] === other[0]) && overlapSigns(one.slice(1), other.slice(1)));
}
/** Ways to read the path; doubtful if readers are too likely to disagree in yet other ways. */
function listReadings(path) {
    const readings = [path];
    for (let decoded = path, round = 0;; round += 1) {
        const variants = [decoded, decoded.replaceAll(/;[^/\\]*/g, '')].map(mergeSlashes);
        if (variants.some(hasDotSegment))
            return { readings, isDoubtful: true };
        readings.push(...variants);
        const next = decode(decoded);
        if (next === decoded)
            return { readings, isDoubtful: false };
        if (next === undefined || round === MAX_DECODINGS)
            return { readings, isDoubtful: true };
        decoded = next;
    }
}
function decode(text) {
    try {
        const decoded = decodeURIComponent(text);
        return decoded.includes('\0') ? undefined : decoded;
    }
    catch {
        return undefined;
    }
}
function mergeSlashes(path) {
    return path.replaceAll(/[/\\]+/g, '/');
}
/** Apps resolve dot segments differently if empty folders or parameters are near; no webhook needs dot segments. */
function hasDotSegment(path) {
    return /\/\.{1,2}(?:\/|$)/.test(path);
}

;// CONCATENATED MODULE: ./build/js/inputs/gateway.js
// The inputs about access and limits: who may open the preview, which paths need no key, how large a body may be. Used
// by inputs; supervisor/access.ts resolves `auto` when it is known whether the repository is public.




const ACCESS_WORDS = ['auto', 'open', 'link', 'basic'];
const DEFAULT_MAX_BODY = '25MB';
/** Shorter keys can be guessed; 16 characters of base64 are 96 bits, of hex 64. */
const MIN_KEY_LENGTH = 16;
/** Notes every problem in `problems`; throws if there is one. */
function parseGatewayInputs(read, protocol, problems) {
    const text = (name) => read(name).trim();
    const access = problems.check(() => parseAccess(text('access'), text('access-key'), text('basic-auth')));
    const publicPaths = problems.check(() => parsePatterns(read('public-paths'), 'public-paths'));
    const maxBodyBytes = problems.check(() => parseBytes(text('max-body') || DEFAULT_MAX_BODY, 'max-body'));
    const compress = problems.check(() => values_parseBoolean(text('compress'), 'compress', true));
    if (protocol === 'tcp') {
        problems.check(() => checkTcpAccess(access.value));
        problems.check(() => checkTcpUse('public-paths', text('public-paths'), '', 'there are no paths'));
        problems.check(() => checkTcpUse('max-body', text('max-body'), DEFAULT_MAX_BODY, 'there are no requests with a body'));
    }
    return {
        access: access.value,
        publicPaths: publicPaths.value,
        maxBodyBytes: maxBodyBytes.value,
        compress: compress.value,
    };
}
/** With `access: auto`, a key means link and a password means basic. No message shows either of them. */
function parseAccess(accessText, key, basicAuth) {
    const word = parseChoice(accessText || 'auto', 'access', ACCESS_WORDS);
    if (key !== '' && basicAuth !== '')
        throw new errors_InputError('`access-key` and `basic-auth` are both given: leave one of the two out');
    const meant = word !== 'auto' ? word : key !== '' ? 'link' : basicAuth !== '' ? 'basic' : 'auto';
    if (key !== '' && meant !== 'link')
        throw refuseUnused('access-key', meant, 'link');
    if (basicAuth !== '' && meant !== 'basic')
        throw refuseUnused('basic-auth', meant, 'basic');
    switch (meant) {
        case 'link':
            return { kind: 'link', key: key === '' ? undefined : gateway_parseKey(key) };
        case 'basic':
            return { kind: 'basic', ...parseBasicAuth(basicAuth) };
        default:
            return { kind: meant };
    }
}
function refuseUnused(input, meant, wanted) {
    return new errors_InputError(`\`${input}\` is given, and \`access\` is ${meant}, which does not use it: write access: ${wanted}, or leave it out`);
}
function gateway_parseKey(key) {
    if (key.length < MIN_KEY_LENGTH)
        throw new errors_InputError(`\`access-key\` has ${key.length} characters, and could be guessed: use ${MIN_KEY_LENGTH} or more, for instance those of \`openssl rand -hex 32\``);
    if (/^[\x21-\x7e]{1,512}$/.test(key))
        return key;
    throw new errors_InputError('`access-key` has spaces, line breaks or special characters, or is longer than 512 characters: use letters and digits, for instance those of `openssl rand -hex 32`');
}
function parseBasicAuth(text) {
    if (text === '')
        throw new errors_InputError('`access` is basic, and `basic-auth` is empty: is the secret it comes from set? Write user:password');
    const colon = text.indexOf(':');
    const [user, password] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
    if (user !== '' && password !== '' && !/\p{Cc}/u.test(text))
        return { user, password };
    throw new errors_InputError('`basic-auth` is not written like user:password, on one line');
}
/** The path patterns of an input: one per line, or separated by commas. */
function parsePatterns(text, input) {
    const patterns = splitItems(text);
    const problems = patterns.flatMap(pattern => {
        const problem = findPatternProblem(pattern);
        return problem === undefined
            ? []
            : [`\`${input}\` has '${pattern}', which ${problem}: write patterns like /webhooks/**`];
    });
    if (problems.length > 0)
        throw new errors_InputError(problems);
    return patterns;
}
/** The gateway asks for keys and passwords, and with `protocol: tcp` there is no gateway. */
function checkTcpAccess({ kind }) {
    if (kind === 'link' || kind === 'basic')
        throw new errors_InputError(`\`access\` is ${kind}, and \`protocol\` is tcp, which has no gateway to ask for it: write access: open, and let the app have a password of its own`);
}
/** Throws if an input that needs a gateway is given with `protocol: tcp`. */
function checkTcpUse(input, text, fallback, why) {
    if (text !== '' && text !== fallback)
        throw new errors_InputError(`\`${input}\` cannot be used with \`protocol: tcp\`: ${why}; leave it out`);
}

;// CONCATENATED MODULE: ./build/js/inputs/https-zones.js
// Warns of a plain http link under a top-level domain where browsers open only https (HSTS preload list): a click there
// shows an error page of the browser, although everything here works. Used by inputs.ts.

/**
 * The top-level domains of the HSTS preload list with `include_subdomains`: Chromium's
 * net/http/transport_security_state_static.json, which Firefox and Safari use too. As of November 2026: every
 * top-level domain of the Public Suffix List, opened over http in Chromium 156.
 */
const HTTPS_ONLY = new Set(`amazon android app audible azure bank bing boo channel chrome dad day dev eat esq fire fly foo fujitsu gle gmail
  google hangout hotmail imdb ing insurance kindle meet meme microsoft mov new nexus office page phd play prime prof
  rsvp search silk skype windows xbox xn--cckwcxetd xn--jlq480n2rg youtube zappos zip`.split(/\s+/));
/** Stands for the port until it is known. */
const SAMPLE_PORT = 12_345;
/** One warning for each server whose link browsers would refuse. */
function listHttpsWarnings({ servers, publicUrl }) {
    const hosts = servers.flatMap(({ address }) => findHttpsOnlyHost(publicUrl, address.host) ?? []);
    return [...new Set(hosts)].map(host => {
        const zone = host.slice(host.lastIndexOf('.'));
        return `browsers open names under ${zone} only with https, so the link to ${host.replace(`${SAMPLE_PORT}`, '{port}')} will show an error: set \`tls-cert\`, or put a proxy with https in front and set \`public-url\` to https://…`;
    });
}
function findHttpsOnlyHost(publicUrl, server) {
    const url = URL.parse(renderPublicUrl(publicUrl, server, SAMPLE_PORT));
    if (url?.protocol !== 'http:')
        return undefined;
    // A name may end with the dot of the root.
    const host = url.hostname.replace(/\.$/, '');
    return HTTPS_ONLY.has(host.slice(host.lastIndexOf('.') + 1)) ? host : undefined;
}

;// CONCATENATED MODULE: ./build/js/inputs/inspector.js
// The `inspector` input: whether the inspector also gets a public port of its own. Used by inputs.


/** The public inspector needs a second port on the bore server, and an address that leads there. */
function parseInspector(text, { protocol, tunnel }) {
    const isWanted = values_parseBoolean(text, 'inspector', false);
    if (!isWanted)
        return false;
    if (protocol === 'tcp')
        throw new errors_InputError('`inspector` cannot be used with `protocol: tcp`: there are no requests to show; leave it out');
    // Their own problem is reported.
    if (tunnel === undefined)
        return false;
    const { publicUrl, inspectorPort: port } = tunnel;
    if (!publicUrl.includes('{port}'))
        throw new errors_InputError(`\`inspector\` is true, and \`public-url\` is '${publicUrl}', which leads to one port only, but the inspector has a port of its own: write a template with {port}, like https://{port}.preview.example.com, or leave \`inspector\` out`);
    if (port.kind === 'auto' && port.min === port.max)
        throw new errors_InputError(`\`inspector\` is true, and \`port-range\` has one port only, ${port.min}, which the preview takes: give it two or more, or leave \`inspector\` out`);
    return true;
}

;// CONCATENATED MODULE: ./build/js/inputs/lifetime.js
// Parses the inputs that say how long a preview stays up: `hold`, `duration` and `idle-timeout`. Used by inputs.ts.


const DEFAULT_HOLD_MS = 30 * 60_000;
/** The job's token expires after a day; from then on the comment cannot be edited. */
const LONG_DURATION_MS = 24 * 60 * 60_000;
/** `inForeground`: the caller itself waits for the end, as a step with `hold` does. */
function parseLifetime(read, inForeground) {
    const idleText = read('idle-timeout').trim();
    const idleTimeoutMs = idleText === '' ? undefined : parseDuration(idleText, 'idle-timeout');
    const life = parseHold(read('hold').trim(), read('duration').trim());
    if (idleTimeoutMs !== undefined && !life.hold && !inForeground)
        throw new errors_InputError(`\`idle-timeout\` is '${idleText}', but without \`hold\` later steps use the preview, and it ends with the job: set \`hold\` as well, or remove \`idle-timeout\``);
    return { ...life, idleTimeoutMs };
}
/** `hold` is false, true or a duration, which a `duration` must not contradict. */
function parseHold(holdText, durationText) {
    const duration = durationText === '' ? undefined : parseDuration(durationText, 'duration');
    const word = holdText.toLowerCase();
    if (word === '' || word === 'false')
        return { hold: false, durationMs: duration };
    if (word === 'true')
        return { hold: true, durationMs: duration ?? DEFAULT_HOLD_MS };
    const hold = parseDuration(holdText, 'hold');
    if (duration !== undefined && duration !== hold)
        throw new errors_InputError(`\`hold\` is '${holdText}' and \`duration\` is '${durationText}': give only one of them`);
    return { hold: true, durationMs: hold };
}
function listLifetimeWarnings({ durationMs, idleTimeoutMs }) {
    if (durationMs === undefined)
        return [];
    return [
        ...(durationMs > LONG_DURATION_MS
            ? [
                "the duration is above 24 hours: the job's token will have expired by then, so the comment cannot be updated",
            ]
            : []),
        ...(idleTimeoutMs !== undefined && idleTimeoutMs >= durationMs
            ? [
                `\`idle-timeout\` has no effect: the preview ends after ${formatDuration(durationMs)} in any case; set a longer \`hold\` or a shorter \`idle-timeout\``,
            ]
            : []),
    ];
}

;// CONCATENATED MODULE: ./build/js/inputs/problems.js
// Collects what is wrong with the inputs, so that one run shows all of it. Used by inputs and its parts. Every parser
// throws an InputError for a wrong value; `check` notes it and goes on.

class Problems {
    #found = [];
    /** Notes an InputError; errors of any other kind pass through. */
    check(parse) {
        try {
            const value = parse();
            return { value, known: value };
        }
        catch (error) {
            if (error instanceof errors_InputError)
                this.#found.push(...error.problems);
            else if (!(error instanceof RefusedError))
                throw error;
            return REFUSED;
        }
    }
    /** Throws one InputError with everything that was noted. */
    throwIfAny() {
        if (this.#found.length > 0)
            throw new errors_InputError(this.#found);
    }
}
/** Thrown when the value of a refused input is read; its problem is noted already. */
class RefusedError extends Error {
}
const REFUSED = {
    get value() {
        throw new RefusedError('this input was refused');
    },
    known: undefined,
};

// EXTERNAL MODULE: external "node:tls"
var external_node_tls_ = __nccwpck_require__(1692);
;// CONCATENATED MODULE: ./build/js/inputs/tls.js
// The inputs for TLS that ends on the runner: certificate and key, checked before anything is started. Messages reveal
// nothing of the key except what kind of text it is. Used by inputs.






/** Certificates are usually renewed weeks before they expire: so close to the end, a renewal was missed. */
const NEAR_END_MS = 3 * 24 * 60 * 60_000;
/** How many names of a certificate a message lists. */
const tls_MAX_NAMES = 10;
/** Any port will do: certificates contain none. */
const tls_SAMPLE_PORT = 12_345;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** Undefined if neither input is given. Notes every problem in `problems`; throws if there is one. */
function parseTlsInputs(read, context) {
    const { protocol, tunnel, problems } = context;
    const [cert, key] = [read('tls-cert').trim(), read('tls-key').trim()];
    if (cert === '' && key === '')
        return undefined;
    if (protocol === 'tcp')
        throw new errors_InputError('`tls-cert` cannot be used with `protocol: tcp`: the bytes go to the app as they are, so let the app speak TLS; leave it out');
    const chain = problems.check(() => parseChain(cert));
    const privateKey = problems.check(() => tls_parseKey(key));
    const leaf = problems.check(() => findLeaf(chain.value, privateKey.known));
    problems.check(() => checkPair(chain.value, privateKey.value, key));
    problems.check(() => checkDates(leaf.value, new Date()));
    const publicUrl = problems.check(() => chooseTemplate(tunnel.value.publicUrl));
    problems.check(() => checkNames(leaf.value, tunnel.value, publicUrl.value));
    return {
        cert: renderChain(chain.value),
        key,
        publicUrl: publicUrl.value,
        expiresAt: new Date(leaf.value.validTo),
    };
}
/** The certificate that matches the key, otherwise the first: the chain may be out of order. */
function findLeaf(chain, key) {
    const leaf = chain.find(one => key && one.checkPrivateKey(key)) ?? chain[0];
    if (leaf === undefined)
        throw new errors_InputError('`tls-cert` holds no certificate: give the text of the file (fullchain.pem)');
    return leaf;
}
/** What is allowed but unwise. */
function listTlsWarnings({ expiresAt }, durationMs) {
    const leftMs = expiresAt.getTime() - Date.now();
    if (durationMs !== undefined && leftMs < durationMs)
        return [
            `the certificate of \`tls-cert\` ends at ${expiresAt.toISOString()}, before the preview does: browsers will refuse the link from then on; renew it`,
        ];
    if (leftMs >= NEAR_END_MS)
        return [];
    return [`the certificate of \`tls-cert\` ends soon, at ${expiresAt.toISOString()}: renew it`];
}
function parseChain(text) {
    if (text === '')
        throw new errors_InputError('`tls-key` is given without `tls-cert`: is the secret it comes from set? Give both, or leave both out');
    if (text.includes('PRIVATE KEY'))
        throw new errors_InputError('`tls-cert` holds a private key: it belongs in `tls-key` alone; give the text of the certificate (fullchain.pem)');
    const blocks = text.match(CERTIFICATE);
    if (blocks === null)
        throw new errors_InputError(`\`tls-cert\` is not a PEM certificate, but ${tls_describeText(text)}: give the text of the file (fullchain.pem), from -----BEGIN CERTIFICATE----- on`);
    return blocks.map((block, index) => parseCertificate(block, index));
}
function parseCertificate(block, index) {
    try {
        return new external_node_crypto_.X509Certificate(block);
    }
    catch (cause) {
        throw new errors_InputError(`certificate ${index + 1} of \`tls-cert\` cannot be read (${errors_describeError(cause)}): give the text of the file as it is, line breaks included`, { cause });
    }
}
function tls_parseKey(text) {
    if (text === '')
        throw new errors_InputError('`tls-cert` is given without `tls-key`: is the secret it comes from set? Give both, or leave both out');
    if (/ENCRYPTED/.test(text))
        throw new errors_InputError('`tls-key` is protected by a passphrase: give the key without one (openssl pkey -in key.pem), as a secret of the repository');
    if (!/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/.test(text))
        throw new errors_InputError(`\`tls-key\` is not a PEM private key, but ${tls_describeText(text)}: give the text of the file (privkey.pem), from -----BEGIN PRIVATE KEY----- on`);
    try {
        return (0,external_node_crypto_.createPrivateKey)(text);
    }
    catch {
        // OpenSSL's message does not help here, and as a cause it might reveal a part of the key.
        throw new errors_InputError(`\`tls-key\` cannot be read as a private key (it is ${tls_describeText(text)}): give the text of the file as it is, line breaks included`);
    }
}
/** What kind of text it is, without its content. */
function tls_describeText(text) {
    const size = `a text of ${text.length} characters in ${text.split('\n').length} lines`;
    if (text.includes('\\n'))
        return `${size}, in which line breaks are written as \\n`;
    const kind = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
    if (kind !== undefined)
        return `${size}, which says it is a ${kind}`;
    return /^\S*[/\\]\S*$/.test(text) && text.length < 256 ? `${size}, a file name perhaps` : size;
}
function checkPair(chain, key, keyText) {
    const position = chain.findIndex(certificate => certificate.checkPrivateKey(key));
    if (position > 0)
        throw new errors_InputError(`\`tls-key\` belongs to certificate ${position + 1} of \`tls-cert\`: put that one first, then the intermediates`);
    if (position === -1)
        throw new errors_InputError(`\`tls-key\` is not the key of the certificate in \`tls-cert\` (${describeNames(chain[0])}): give the two files of one renewal`);
    try {
        (0,external_node_tls_.createSecureContext)({ cert: renderChain(chain), key: keyText, minVersion: 'TLSv1.2' });
    }
    catch (cause) {
        throw new errors_InputError(`\`tls-cert\` and \`tls-key\` cannot be used for TLS (${sanitise_sanitise(errors_describeError(cause))}): make new ones, with a usual key (P-256, or RSA of 2048 bits)`);
    }
}
function checkDates(leaf, now) {
    const [from, to] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
    if (now < from)
        throw new errors_InputError(`the certificate of \`tls-cert\` is not valid before ${from.toISOString()}, and it is ${now.toISOString()}: wait, or set the clock of the machine`);
    if (now >= to)
        throw new errors_InputError(`the certificate of \`tls-cert\` expired at ${to.toISOString()}, and it is ${now.toISOString()}: renew it, and update the secret`);
}
function chooseTemplate(publicUrl) {
    if (publicUrl === PLAIN_PUBLIC_URLS.http)
        return TLS_PUBLIC_URL;
    if (publicUrl.startsWith('https:'))
        return publicUrl;
    throw new errors_InputError(`\`public-url\` is '${publicUrl}', and with \`tls-cert\` visitors speak https: write https://, or leave it out`);
}
/** Checks the certificate's names against the public host of every server. */
function checkNames(leaf, { servers }, publicUrl) {
    const hosts = servers.map(({ address }) => new URL(renderPublicUrl(publicUrl, address.host, tls_SAMPLE_PORT)).hostname);
    const missing = [...new Set(hosts)].filter(host => !isFor(leaf, host));
    if (missing.length > 0)
        throw new errors_InputError(missing.map(host => `the certificate of \`tls-cert\` is not for ${sanitise_sanitise(host)}, which visitors use, but ${describeNames(leaf)}: get one for that name, or change \`public-url\``));
}
function isFor(leaf, host) {
    const bare = stripBrackets(host);
    if ((0,external_node_net_.isIP)(bare) !== 0)
        return leaf.checkIP(bare) !== undefined;
    // Browsers look at the list of names alone, not at the subject.
    return leaf.checkHost(bare, { subject: 'never' }) !== undefined;
}
function describeNames(leaf) {
    const names = (leaf?.subjectAltName ?? '')
        .split(', ')
        .map(name => name.replace(/^(?:DNS|IP Address):/, ''));
    const [first = ''] = names;
    if (first === '')
        return 'for no name at all';
    const rest = names.length > tls_MAX_NAMES ? ` and ${names.length - tls_MAX_NAMES} more` : '';
    return `for ${sanitise_sanitise(names.slice(0, tls_MAX_NAMES).join(', '))}${rest}`;
}
function renderChain(chain) {
    return chain.map(String).join('');
}

// EXTERNAL MODULE: external "node:url"
var external_node_url_ = __nccwpck_require__(3136);
;// CONCATENATED MODULE: ./build/js/tunnel/wire/protocol.js
// The wire protocol of bore 0.5 and 0.6 (ekzhang/bore, src/shared.rs): messages and frames. No I/O; used by our client
// and our bore server.

/** The control port of every real bore server, which cannot be configured. */
const DEFAULT_CONTROL_PORT = 7835;
/** Longest JSON of a frame, in bytes, the NUL not counted (bore's MAX_FRAME_LENGTH). */
const MAX_FRAME_LENGTH = 256;
/** The real server drops a client that sends nothing for this long (bore's NETWORK_TIMEOUT). */
const NETWORK_TIMEOUT_MS = 3_000;
/** The real server sends a heartbeat at least this often. */
const HEARTBEAT_INTERVAL_MS = 500;
/** The real server keeps a visitor waiting for `Accept` this long. */
const PENDING_VISITOR_MS = 10_000;
/** The texts of the server's `Error` frames, the only way to distinguish them (bore, src/server.rs). */
const ERROR_TEXT = {
    invalidSecret: 'invalid secret',
    secretRequired: 'server requires secret, but no secret was provided',
    portOutOfRange: 'client port number not in allowed range',
    portForbidden: 'permission denied',
    portTaken: 'port already in use',
    bindFailed: 'failed to bind to port',
    noPortFree: 'failed to find an available port',
};
const port = pipe(number(), integer(), minValue(0), maxValue(65_535));
const id = pipe(string(), uuid());
const clientMessage = union([
    /** The first frame on every connection to a server with a secret, in answer to its `Challenge`: see challenge.ts. */
    strictObject({ Authenticate: string() }),
    /** The request of a control connection: opens this public port, or any if it is 0. */
    strictObject({ Hello: port }),
    /** The request of a data connection: takes the visitor of this id. The visitor's bytes follow in both directions. */
    strictObject({ Accept: id }),
]);
const serverMessage = union([
    /** At least every 500 ms on the control connection, so that a dead link is noticed. */
    literal('Heartbeat'),
    /** On the control connection when a visitor comes: the server waits 10 s for an `Accept` of this id. */
    strictObject({ Connection: id }),
    /** The first frame on every connection if the server has a secret; otherwise there is none. */
    strictObject({ Challenge: id }),
    /** Answers `Hello`: the public port that was opened. */
    strictObject({ Hello: port }),
    /**
     * The answer to an `Authenticate` or `Hello` that is refused; then the server hangs up. A wrong `Accept` gets none.
     */
    strictObject({ Error: string() }),
]);
/** A message as text, as it is sent. All of it is ASCII, except the text of an `Error`. */
function renderFrame(message) {
    return `${JSON.stringify(message)}\0`;
}
/** A message in bytes. */
function encodeFrame(message) {
    return Buffer.from(renderFrame(message));
}
const PLAIN_ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
/** In bytes. Shorter frames are not parsed: in a flood of NULs, each would cost an error of JSON.parse, 8 µs. */
const SHORTEST_MESSAGE = '{"Hello":0}'.length;
/** The message in a frame, or undefined if no bore server sends it. */
function decodeServerMessage(frame) {
    if (frame.length < SHORTEST_MESSAGE)
        return undefined;
    return decodePlain(frame.toString('latin1')) ?? protocol_decode(serverMessage, frame);
}
/** Decodes the two messages that come for every visitor, as the Rust server writes them: far faster than the schema. */
function decodePlain(text) {
    const isChallenge = text.startsWith('{"Challenge":"');
    if (!(isChallenge || text.startsWith('{"Connection":"')) || !text.endsWith('"}'))
        return undefined;
    const id = text.slice(isChallenge ? 14 : 15, -2);
    if (!PLAIN_ID.test(id))
        return undefined;
    return isChallenge ? { Challenge: id } : { Connection: id };
}
/** The message in a frame, or undefined if no bore client sends it. */
function decodeClientMessage(frame) {
    if (frame.length < SHORTEST_MESSAGE)
        return undefined;
    return protocol_decode(clientMessage, frame);
}
function protocol_decode(schema, frame) {
    try {
        const result = v.safeParse(schema, JSON.parse(frame.toString('utf8')));
        return result.success ? result.output : undefined;
    }
    catch {
        return undefined; // not JSON
    }
}
/** Cuts a byte stream into frames. Once `next` has returned undefined, it holds less than a frame. */
class FrameDecoder {
    #rest = Buffer.alloc(0);
    push(chunk) {
        this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    }
    /** The next frame without its NUL, or undefined if more bytes are needed. Throws FrameTooLong. */
    next() {
        const end = this.#rest.subarray(0, MAX_FRAME_LENGTH + 1).indexOf(0);
        if (end === -1) {
            if (this.#rest.length <= MAX_FRAME_LENGTH)
                return undefined;
            throw new FrameTooLong(this.takeRest());
        }
        const frame = this.#rest.subarray(0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return frame;
    }
    /** Removes and returns the bytes after the last frame. */
    takeRest() {
        const rest = this.#rest;
        this.#rest = Buffer.alloc(0);
        return rest;
    }
}
/** More bytes without a NUL than any message has; `bytes` are the first of them. */
class FrameTooLong extends Error {
    bytes;
    constructor(bytes) {
        super(`a frame is longer than ${MAX_FRAME_LENGTH} bytes`);
        this.name = 'FrameTooLong';
        this.bytes = Buffer.from(bytes.subarray(0, MAX_FRAME_LENGTH));
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/address.js
// The address of a bore server: parsed from the `server` input (inputs/tunnel.ts), rendered in messages.





/** `host`, `host:port`, `[::1]` or `[::1]:port`; white space around it is ignored. Throws InputError. */
function parseServerAddress(text) {
    const trimmed = text.trim();
    if (trimmed === '')
        throw new errors_InputError('`server` is empty; give the host of a bore server');
    const parts = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>[^:]*))?$/su.exec(trimmed)?.groups;
    if (parts === undefined)
        throw refuseAddress(trimmed, address_describeForm(trimmed));
    return { host: parseHost(parts.v6, parts.name ?? '', trimmed), port: address_parsePort(parts.port, trimmed) };
}
/** `host:port`, with brackets if the host is an IPv6 address. */
function renderAddress({ host, port }) {
    return (0,external_node_net_.isIPv6)(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
function parseHost(v6, name, text) {
    if (v6 !== undefined) {
        if ((0,external_node_net_.isIPv6)(v6))
            return v6;
        throw refuseAddress(text, 'the part in brackets must be an IPv6 address');
    }
    // Names in other scripts are converted to their form in the DNS. A final dot only marks the name as complete: without
    // it, a host has one form to compare.
    const host = (0,external_node_url_.domainToASCII)(name).replace(/\.$/u, '');
    if (/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/u.test(host) && host.length <= 253)
        return host;
    throw refuseAddress(text, address_describeForm(text));
}
function address_parsePort(text, whole) {
    if (text === undefined)
        return DEFAULT_CONTROL_PORT;
    const port = /^[0-9]{1,5}$/u.test(text) ? Number(text) : 0;
    if (port >= 1 && port <= 65_535)
        return port;
    throw refuseAddress(whole, whole.includes('//') ? address_describeForm(whole) : 'the port must be a whole number from 1 to 65535');
}
function address_describeForm(text) {
    if (text.includes('//'))
        return 'write the host alone, without http:// or a path';
    if ((0,external_node_net_.isIPv6)(text))
        return `write an IPv6 address in brackets, [${text}]`;
    return 'write host or host:port';
}
function refuseAddress(text, remedy) {
    // The whole sentence is made safe: an IPv6 address may begin with `::`, as the runner's commands do at the start of a
    // line.
    return new errors_InputError(`${sanitise_sanitise(`\`server\` '${text}`)}' is not an address: ${remedy}`);
}

;// CONCATENATED MODULE: ./build/js/inputs/tunnel.js
// The inputs about the tunnel: servers, secrets, public port and address. Used by inputs.





/** Ports below 1024 need special rights at the server, and bore's own default begins here. */
const DEFAULT_PORT_RANGE = '1024-65535';
/** Notes every problem in `problems`; throws if there is one. */
function parseTunnelInputs(read, protocol, problems) {
    const text = (name) => read(name).trim();
    const entries = splitServers(read('server'));
    const addresses = problems.check(() => parseServers(entries));
    const secrets = problems.check(() => parseSecrets(read('secret'), entries.length));
    const range = problems.check(() => parsePortRange(text('port-range') || DEFAULT_PORT_RANGE));
    const port = problems.check(() => parseRemotePort(text('remote-port')));
    const remotePort = problems.check(() => combinePorts(port.value, range.value));
    const publicUrl = problems.check(() => parseTemplate(text('public-url'), protocol));
    const servers = addresses.value.map((address, index) => ({
        address,
        secret: secrets.value[index] ?? secrets.value[0],
    }));
    const inspectorPort = remotePort.value.kind === 'fixed' ? { kind: 'auto', ...range.value } : remotePort.value;
    return { servers, remotePort: remotePort.value, inspectorPort, publicUrl: publicUrl.value };
}
/**
 * Split at commas and line ends; a comma may stand before a line end. An empty entry is kept, because it means a
 * variable that is not set.
 */
function splitServers(text) {
    if (text.trim() === '')
        return [];
    return takeFinalLineEnd(text)
        .split(/,?[ \t]*\r?\n|,/)
        .map(entry => entry.trim());
}
/** YAML ends a block with one line end; further ones are empty entries. */
function takeFinalLineEnd(text) {
    return text.replace(/\r?\n$/, '');
}
/** Throws with one problem for each entry that is wrong. */
function parseServers(entries) {
    if (entries.length === 0)
        throw new errors_InputError('`server` is empty: is the variable it comes from set? Write host or host:port, or leave the input out to use bore.pub');
    const problems = new Problems();
    const addresses = entries.map((entry, index) => problems.check(() => parseServer(entry, index)));
    problems.check(() => checkDuplicates(addresses.flatMap(({ known }) => known ?? [])));
    problems.throwIfAny();
    return addresses.map(({ value }) => value);
}
function checkDuplicates(addresses) {
    const names = addresses.map(renderAddress);
    const doubled = new Set(names.filter((name, index) => names.indexOf(name) !== index));
    if (doubled.size > 0)
        throw new errors_InputError([...doubled].map(name => `\`server\` names ${name} more than once: name each server once`));
}
function parseServer(entry, index) {
    if (entry !== '')
        return parseServerAddress(entry);
    throw new errors_InputError(`entry ${index + 1} of \`server\` is empty: is the variable it comes from set? Write one host or host:port in each line, or between commas`);
}
/** The lines of the `secret` input, each trimmed; none if it was not given. A line may be blank. */
function splitSecrets(text) {
    if (text.trim() === '')
        return [];
    return takeFinalLineEnd(text)
        .split('\n')
        .map(line => line.trim());
}
/** One for all servers, one for each, or none. No message shows any of them. */
function parseSecrets(text, servers) {
    const entries = splitSecrets(text);
    // With one server there is no order to keep: blank lines mean nothing.
    const lines = servers === 1 ? entries.filter(line => line !== '') : entries;
    const blank = lines.indexOf('');
    if (blank !== -1)
        throw new errors_InputError(`entry ${blank + 1} of \`secret\` is empty: is the variable it comes from set? Write one line for all servers, or one line for each, in the order of \`server\``);
    if (lines.length > 1 && servers > 0 && lines.length !== servers)
        throw new errors_InputError(`\`secret\` has ${lines.length} lines, and \`server\` names ${servers === 1 ? 'one server' : `${servers} servers`}: write one line for all, or one line for each, in the same order`);
    return lines;
}
function parseRemotePort(text) {
    const word = text.toLowerCase();
    if (word === '' || word === 'auto')
        return { kind: 'auto' };
    if (word === 'random')
        return { kind: 'random' };
    if (/^\d+$/.test(text))
        return { kind: 'fixed', port: parseWholeNumber(text, 'remote-port', 1, 65_535) ?? 0 };
    throw new errors_InputError(`\`remote-port\` is '${text}': write auto, random, or a whole number from 1 to 65535`);
}
/** Throws if `remote-port` contradicts the range; the default range fits every port. */
function combinePorts(port, range) {
    if (port.kind === 'auto')
        return { ...port, ...range };
    const shown = `${range.min}-${range.max}`;
    if (shown === DEFAULT_PORT_RANGE)
        return port;
    if (port.kind === 'random')
        throw new errors_InputError(`\`remote-port\` is random, so the server picks the port, and \`port-range\`, ${shown}, has no effect: leave one of the two out`);
    if (port.port < range.min || port.port > range.max)
        throw new errors_InputError(`\`remote-port\` is ${port.port}, which is outside \`port-range\`, ${shown}: leave one of the two out`);
    return port;
}
/** Accepts a hyphen, and what people paste: a dash, or the colon that firewalls use. */
function parsePortRange(text) {
    const [, low, high] = /^(\d{1,5})\s*[-–:]\s*(\d{1,5})$/.exec(text) ?? [];
    const [min, max] = [Number(low), Number(high)];
    const problem = low === undefined
        ? 'is not a range'
        : min < 1 || max > 65_535
            ? 'has ports outside 1 to 65535'
            : min > max
                ? 'begins above its end'
                : undefined;
    if (problem === undefined)
        return { min, max };
    throw new errors_InputError(`\`port-range\` is '${text}', which ${problem}: write it like 20000-29999`);
}
/** The default means the bore server's own address, in the form of the protocol. */
function parseTemplate(text, protocol) {
    const isDefault = text === '' || text === PLAIN_PUBLIC_URLS.http;
    return isDefault ? PLAIN_PUBLIC_URLS[protocol] : parsePublicUrl(text, protocol);
}

;// CONCATENATED MODULE: ./build/js/app/web/folder-check.js
// Looks through the folder of a web app for files that browsers cannot use as they are. Used by inputs/web.ts.





/** A look must not take long; what is beyond is not checked. */
const MAX_ENTRIES = 10_000;
const MAX_WASM_FILES = 50;
/** Sizes of Git LFS pointers: three short lines (git-lfs, docs/spec.md). */
const POINTER_BYTES = { min: 100, max: 200 };
const MAX_POINTERS = 100;
/** Paths are relative to `root`. Never throws: what cannot be read is left to the visitors' requests. */
function checkFolder(root) {
    const files = listFiles(root);
    const known = new Set(files);
    const wasm = files.filter(file => file.endsWith('.wasm')).slice(0, MAX_WASM_FILES);
    const modules = wasm.map(file => ({ file, ...inspectWasm((0,external_node_path_.join)(root, file)) }));
    const broken = modules.find(({ problem }) => problem !== undefined);
    const pointers = files
        .filter(file => !file.endsWith('.wasm'))
        .filter(file => isPointer((0,external_node_path_.join)(root, file)))
        .slice(0, MAX_POINTERS);
    return {
        warnings: [
            ...(broken === undefined ? [] : [`${sanitise_sanitise(broken.file)} ${broken.problem}`]),
            ...(pointers.length === 0
                ? []
                : [
                    `not the files themselves, but pointers of Git LFS: ${nameFiles(pointers)}; add \`lfs: true\` to actions/checkout`,
                ]),
        ],
        threads: modules.find(({ sharesMemory }) => sharesMemory)?.file,
        brotli: files.filter(file => file.endsWith('.br') && !known.has(file.slice(0, -'.br'.length))),
    };
}
/** `Build/a.wasm.br and 2 more` */
function nameFiles([first = '', ...rest]) {
    return `${sanitise_sanitise(first)}${rest.length === 0 ? '' : ` and ${rest.length} more`}`;
}
/** Hidden folders are not served, and packages are not part of a build. */
function listFiles(root) {
    const files = [];
    const folders = [''];
    for (let folder = folders.shift(); folder !== undefined; folder = folders.shift())
        for (const entry of listEntries((0,external_node_path_.join)(root, folder))) {
            const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
            if (files.length + folders.length > MAX_ENTRIES)
                return files;
            if (entry.name.startsWith('.') || entry.name === 'node_modules')
                continue;
            if (entry.isDirectory())
                folders.push(path);
            else if (entry.isFile())
                files.push(path);
        }
    return files;
}
function listEntries(folder) {
    try {
        return (0,external_node_fs_namespaceObject.readdirSync)(folder, { withFileTypes: true });
    }
    catch {
        return [];
    }
}
function inspectWasm(path) {
    try {
        const found = readWasmFile(path);
        if (found.kind === 'broken')
            return { problem: found.problem, sharesMemory: false };
        return { sharesMemory: found.kind === 'module' && (found.sections?.sharesMemory ?? false) };
    }
    catch {
        return { sharesMemory: false };
    }
}
function isPointer(path) {
    try {
        const { size } = (0,external_node_fs_namespaceObject.statSync)(path);
        return size >= POINTER_BYTES.min && size <= POINTER_BYTES.max && isLfsPointer(readHead(path));
    }
    catch {
        return false;
    }
}
function readHead(path) {
    const file = (0,external_node_fs_namespaceObject.openSync)(path, 'r');
    try {
        const head = Buffer.alloc(LFS_START_BYTES);
        return head.toString('latin1', 0, (0,external_node_fs_namespaceObject.readSync)(file, head, 0, head.length, 0));
    }
    finally {
        (0,external_node_fs_namespaceObject.closeSync)(file);
    }
}

;// CONCATENATED MODULE: ./build/js/inputs/web.js
// What may not work of a web app that is served as the inputs say. Used by inputs.ts.





const NEEDS_HTTPS = 'use `tls-cert`, or `public-url` with a proxy that has TLS';
/** Warnings; none for other modes than web. */
function listWebWarnings({ mode, path, crossOriginIsolation }, tunnel) {
    if (mode !== 'web')
        return [];
    const isSecure = tunnel.servers.every(({ address }) => isSecureContext(tunnel.publicUrl, address.host));
    const isWanted = crossOriginIsolation !== false;
    const { warnings, threads, brotli } = checkFolder(path);
    return [
        ...warnings,
        ...(isSecure ? [] : warnOfHttpsPage(path)),
        ...(isWanted && !isSecure ? [ISOLATION_WITHOUT_HTTPS] : []),
        ...(threads !== undefined && !isWanted
            ? warnOfThreads(threads, { isSecure, isIsolated: isIsolatedByFile(path) })
            : []),
        ...(brotli.length > 0 && !isSecure ? [describeBrotli(brotli)] : []),
    ];
}
/** As browsers see the address (W3C Secure Contexts, 3.1): with https, or on the machine itself. */
function isSecureContext(publicUrl, host) {
    const url = URL.parse(renderPublicUrl(publicUrl, host, SAMPLE_PORT));
    return url !== null && (url.protocol === 'https:' || isLoopbackName(url.hostname));
}
function warnOfHttpsPage(folder) {
    const page = findHttpsPage(folder);
    if (page === undefined)
        return [];
    return [
        `${page} has a policy with \`upgrade-insecure-requests\`, so browsers load its files with https, which this preview does not have: remove that, or ${NEEDS_HTTPS}`,
    ];
}
/** Browsers isolate a page only in a secure context (HTML Standard, cross-origin isolation). */
const ISOLATION_WITHOUT_HTTPS = `\`cross-origin-isolation\` has no effect over http, so there is no SharedArrayBuffer: ${NEEDS_HTTPS}`;
function warnOfThreads(file, { isSecure, isIsolated }) {
    const missing = [
        ...(isIsolated ? [] : ['set `cross-origin-isolation: true`']),
        ...(isSecure ? [] : [NEEDS_HTTPS]),
    ];
    if (missing.length === 0)
        return [];
    return [
        `${nameFiles([file])} uses threads, which browsers allow only on isolated pages over https; otherwise it uses one thread, or does not start: ${missing.join(', and ')}`,
    ];
}
function describeBrotli(files) {
    return `compressed with brotli: ${nameFiles(files)}. Browsers accept that only over https; over http the files are sent decompressed, which takes longer: ${NEEDS_HTTPS}`;
}
/** `_headers` may isolate the page, too. */
function isIsolatedByFile(folder) {
    const names = readHostRules(folder)
        .listFields('/')
        .map(([name]) => name.toLowerCase());
    return names.includes('cross-origin-embedder-policy') && names.includes('cross-origin-opener-policy');
}

;// CONCATENATED MODULE: ./build/js/gateway/raw-headers.js
// Header fields as Node and undici give them: names and values in turn, as on the wire. Used by every file of the
// gateway that reads, changes or writes a whole head. Pure.
/** Calls `onField` for each field, in order. */
function raw_headers_forEachField(raw, onField) {
    for (let index = 0; index + 1 < raw.length; index += 2)
        onField(raw[index] ?? '', raw[index + 1] ?? '');
}
/** How many fields have this lower-case name. */
function countFields(raw, wanted) {
    let count = 0;
    raw_headers_forEachField(raw, name => {
        if (name.toLowerCase() === wanted)
            count += 1;
    });
    return count;
}
/** Changes the value of each field of this lower-case name; a field whose value becomes empty is removed. */
function rewriteFields(raw, wanted, rewrite) {
    for (let index = raw.length - 2; index >= 0; index -= 2) {
        if (raw[index]?.toLowerCase() !== wanted)
            continue;
        const value = rewrite(raw[index + 1] ?? '');
        if (value === '')
            raw.splice(index, 2);
        else
            raw[index + 1] = value;
    }
}
/** undici gives fields as buffers, and nothing if there are no fields. */
function decodeFields(raw) {
    if (!Array.isArray(raw))
        return [];
    return raw.map(part => (Buffer.isBuffer(part) ? part.toString('latin1') : String(part)));
}

;// CONCATENATED MODULE: ./build/js/shared/http-message.js
// The types of a request and its response: what Node's classes for HTTP/1.1 and the gateway's classes for HTTP/2 have
// in common. Used by gateway/, control/ and app/web/.
/** The methods that change nothing (RFC 9110, 9.2.1), apart from TRACE, which the gateway refuses. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** A request target without its query. */
function http_message_cutQuery(target) {
    const query = target.indexOf('?');
    return query === -1 ? target : target.slice(0, query);
}

;// CONCATENATED MODULE: ./build/js/gateway/visit.js
// One visit: a request, what is known about it, and the means to answer it. Built by the servers of downstream/, used
// by every pass.

/** The request target exactly as received. Do not parse it against a base URL: `//host` would choose another host. */
function visit_readTarget(request) {
    return request.url ?? '';
}
/** The target without its query, because that may contain the key. Sanitise the path before it is logged. */
function readPath(request) {
    return cutQuery(visit_readTarget(request));
}
/** The length of the target and of all fields, in characters. */
function measureHead({ rawHeaders, url = '' }) {
    return rawHeaders.reduce((length, text) => length + text.length, url.length);
}
/** Whether the request announces a body (RFC 9112, 6.3). */
function hasBody(request) {
    return (request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0);
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/whole-request.js
// A request with its whole body, as signatures cover it and as it can be sent again, and how its fields are read. Used
// by every file of webhooks/; a CapturedRequest is one too.


/** The request of a visit; its body is empty unless a pass has read it. */
function readRequest({ request, body }) {
    return {
        method: request.method ?? '',
        target: readTarget(request),
        rawHeaders: request.rawHeaders,
        body: body ?? Buffer.alloc(0),
    };
}
/** The values of each field with this lower-case name. */
function listValues(raw, wanted) {
    const values = [];
    raw_headers_forEachField(raw, (name, value) => {
        if (name.toLowerCase() === wanted)
            values.push(value.trim());
    });
    return values;
}
/** The value of the field with this lower-case name; undefined if there is none, or more than one. */
function whole_request_readValue(raw, wanted) {
    const [value, another] = listValues(raw, wanted);
    return another === undefined ? value : undefined;
}
/** The body's JSON if it is an object; undefined if it is anything else. */
function parseObject(body) {
    try {
        const value = JSON.parse(body.toString('utf8'));
        return isObject(value) ? value : undefined;
    }
    catch {
        return undefined;
    }
}
function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/handshakes.js
// Handshakes: requests with which a provider asks whether the address exists, before it sends deliveries. Only the app
// can answer them, mostly by sending a part of them back within seconds. Used by verify/, which lets the unsigned ones
// through if a rule names them; by the queue, which never keeps one for later; and by the recorder, which names them.


/** A body of a handshake has a few hundred bytes; a longer one is not parsed. */
const MAX_BODY_BYTES = 16 * 1024;
const WORDS = ['"challenge"', 'endpoint.url_validation'];
/**
 * The unsigned ones, which a rule lets through with `handshake=`. Each is exact about method and query, has no body, and
 * none has a cookie, a password or another method: so it carries no authority but that of a stranger.
 */
const UNSIGNED = {
    /** Microsoft Graph, Bot Framework: the token comes back as plain text. */
    graph: ({ method }, query) => method === 'POST' && hasOne(query, 'validationToken'),
    /** Meta: Facebook, Instagram, WhatsApp, Messenger; also Strava. */
    meta: ({ method }, query) => method === 'GET' &&
        query.get('hub.mode') === 'subscribe' &&
        ['hub.mode', 'hub.challenge', 'hub.verify_token'].every(name => hasOne(query, name)),
    /** WebSub hubs, such as YouTube's (W3C WebSub, 5.3). */
    websub: ({ method }, query) => method === 'GET' &&
        ['subscribe', 'unsubscribe'].includes(query.get('hub.mode') ?? '') &&
        ['hub.mode', 'hub.topic', 'hub.challenge'].every(name => hasOne(query, name)),
    dropbox: ({ method }, query) => method === 'GET' && hasOne(query, 'challenge'),
    /** Trello, Mandrill: is there anything at all? */
    head: ({ method }) => method === 'HEAD',
    /** Mailchimp, SurveyMonkey: the same with GET. */
    get: ({ method }) => method === 'GET',
};
/** Credentials, and fields that make some frameworks take another method (as `_method` in a query does). */
const NOT_IN_HANDSHAKES = new Set([
    'authorization',
    'cookie',
    'x-http-method',
    'x-http-method-override',
    'x-method-override',
]);
/** The signed ones: they pass by their signature, and only need to be known as what they are. */
const SIGNED = {
    slack: ({ method, body }) => {
        const message = method === 'POST' ? parseSmall(body) : undefined;
        return message?.type === 'url_verification' && typeof message.challenge === 'string';
    },
    zoom: ({ method, body }) => method === 'POST' && parseSmall(body)?.event === 'endpoint.url_validation',
    twitch: ({ method, rawHeaders }) => method === 'POST' &&
        whole_request_readValue(rawHeaders, 'twitch-eventsub-message-type') === 'webhook_callback_verification',
};
/** Those of providers for which `verify` has no rule: only the queue needs to know them. */
const OTHER = {
    /** The secret has to come back in the same field. */
    asana: ({ rawHeaders }) => whole_request_readValue(rawHeaders, 'x-hook-secret') !== undefined,
    /** Azure Event Grid. */
    eventgrid: ({ rawHeaders }) => whole_request_readValue(rawHeaders, 'aeg-event-type') === 'SubscriptionValidation',
    /** monday.com: the same object has to come back. */
    monday: ({ method, body }) => {
        const { challenge, ...rest } = (method === 'POST' && parseSmall(body)) || {};
        return typeof challenge === 'string' && Object.keys(rest).length === 0;
    },
};
/** The words of `handshake=`. */
const UNSIGNED_HANDSHAKES = Object.keys(UNSIGNED).filter(isUnsigned);
const SIGNED_HANDSHAKES = Object.keys(SIGNED).filter(word => isSigned(word));
const OTHER_HANDSHAKES = Object.keys(OTHER).filter(word => isOther(word));
/** A plain GET or HEAD is one only where a rule says so; `wait` does not count them anyway. */
const ONLY_WITH_RULE = new Set(['head', 'get']);
function isUnsigned(word) {
    return Object.hasOwn(UNSIGNED, word);
}
function isSigned(word) {
    return Object.hasOwn(SIGNED, word);
}
function isOther(word) {
    return Object.hasOwn(OTHER, word);
}
/** Which handshake the request looks like, on any path and without any rule; undefined if it looks like none. */
function findHandshake(request) {
    const known = UNSIGNED_HANDSHAKES.filter(word => !ONLY_WITH_RULE.has(word));
    return (findUnsignedHandshake(request, known) ??
        findSignedHandshake(request) ??
        OTHER_HANDSHAKES.find(word => OTHER[word](request)));
}
/** Which of these unsigned handshakes it is. `body` must have been read, unless none is announced. */
function findUnsignedHandshake(request, allowed) {
    if (allowed.length === 0 || request.body.length > 0 || hasForeignField(request.rawHeaders))
        return undefined;
    const query = readQuery(request.target);
    if (query.has('_method'))
        return undefined;
    return allowed.find(word => UNSIGNED[word](request, query));
}
/** Which handshake a rightly signed request is. */
function findSignedHandshake(request) {
    return SIGNED_HANDSHAKES.find(word => SIGNED[word](request));
}
function hasOne(query, name) {
    const values = query.getAll(name);
    return values.length === 1 && values[0] !== '';
}
function hasForeignField(raw) {
    let found = false;
    forEachField(raw, name => {
        found ||= NOT_IN_HANDSHAKES.has(name.toLowerCase().replaceAll('_', '-'));
    });
    return found;
}
function readQuery(target) {
    const start = target.indexOf('?');
    return new URLSearchParams(start === -1 ? '' : target.slice(start + 1));
}
/** Only what has a word of a handshake: to parse each body would slow down the recorder. */
function parseSmall(body) {
    const mayBe = body.length <= MAX_BODY_BYTES && WORDS.some(word => body.includes(word));
    return mayBe ? parseObject(body) : undefined;
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/signer.js
// What the verifier needs of one provider with one secret, and what the providers have in common. Implemented by
// body-hmac.ts, timestamped.ts and url-hmac.ts.



const signer_RIGHT = { kind: 'right' };
const signer_MISMATCH = { kind: 'mismatch' };
/** The tolerance of Stripe, Slack and Standard Webhooks. */
const TOLERANCE_S = 5 * 60;
function signer_sign(algorithm, key, parts, encoding) {
    const hmac = (0,external_node_crypto_.createHmac)(algorithm, key);
    for (const part of parts)
        hmac.update(part);
    return hmac.digest(encoding);
}
/**
 * Each of the fields must be there once. Libraries read a repeated one in different ways (the first, the last, both
 * joined), so the app could check another signature than we did.
 */
function signer_findFieldProblem(raw, names) {
    for (const name of names) {
        const values = listValues(raw, name.toLowerCase());
        if (values.length > 1)
            return { kind: 'malformed', reason: `it has ${name} more than once` };
        if (!values[0])
            return { kind: 'missing', header: name };
    }
    return undefined;
}
/** Seconds since 1970 at the start of the text, as the SDKs read them; undefined if there are none. */
function parseTimestamp(text) {
    const seconds = Number.parseInt(text ?? '', 10);
    return Number.isSafeInteger(seconds) ? seconds : undefined;
}
/**
 * To be called only with a right signature: otherwise the timestamp means nothing. `mayBeAhead`: whether a time in the
 * future is accepted, which only whoever has the secret can write.
 */
function checkAge(timestamp, nowS, mayBeAhead) {
    const ageS = nowS - timestamp;
    if (ageS <= TOLERANCE_S && (mayBeAhead || ageS >= -TOLERANCE_S))
        return signer_RIGHT;
    const distance = formatDuration(Math.abs(ageS) * 1000);
    const where = ageS > 0 ? `${distance} old` : `${distance} in the future`;
    return {
        kind: 'stale',
        reason: `its signature is right, but its timestamp is ${where}, and the limit is 5m: it was sent again without a new signature, or a clock is wrong`,
    };
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/body-hmac.js
// Providers that sign nothing but the body: GitHub, Shopify, and every other one by `hmac-sha256` and `hmac-sha1`.



const OLD_GITHUB = 'it has only the old X-Hub-Signature, which is made with SHA-1: X-Hub-Signature-256 is required, which GitHub sends with it';
/** docs.github.com, "Validating webhook deliveries": `sha256=` and lower-case hex. */
function signGitHub(secret) {
    const render = (body) => `sha256=${signer_sign('sha256', secret, [body], 'hex')}`;
    return {
        headers: ['x-hub-signature-256'],
        check: ({ rawHeaders, body }) => {
            const problem = signer_findFieldProblem(rawHeaders, ['X-Hub-Signature-256']);
            if (problem?.kind === 'missing' && whole_request_readValue(rawHeaders, 'x-hub-signature') !== undefined)
                return { kind: 'malformed', reason: OLD_GITHUB };
            if (problem !== undefined)
                return problem;
            return secrets_isSame(whole_request_readValue(rawHeaders, 'x-hub-signature-256') ?? '', render(body)) ? signer_RIGHT : signer_MISMATCH;
        },
        sign: ({ body }) => [['X-Hub-Signature-256', render(body)]],
        // Two hooks get the same event with the same delivery id, if each belongs to another App (github/docs #32822).
        findDeliveryId: ({ rawHeaders }) => {
            const delivery = whole_request_readValue(rawHeaders, 'x-github-delivery');
            return delivery && `${delivery} ${whole_request_readValue(rawHeaders, 'x-github-hook-id') ?? ''}`;
        },
    };
}
/** The second name is that of Shopify's newer events. */
const SHOPIFY_HEADERS = ['X-Shopify-Hmac-Sha256', 'Shopify-Hmac-Sha256'];
/** shopify.dev, "Verify webhook deliveries": base64. */
function signShopify(secret) {
    const render = (body) => signer_sign('sha256', secret, [body], 'base64');
    return {
        headers: SHOPIFY_HEADERS.map(name => name.toLowerCase()),
        check: ({ rawHeaders, body }) => {
            const problems = SHOPIFY_HEADERS.map(name => signer_findFieldProblem(rawHeaders, [name]));
            const problem = problems.find(one => one?.kind === 'malformed');
            if (problem !== undefined)
                return problem;
            const given = SHOPIFY_HEADERS.flatMap(name => whole_request_readValue(rawHeaders, name.toLowerCase()) || []);
            if (given.length === 0)
                return { kind: 'missing', header: SHOPIFY_HEADERS[0] };
            return given.every(one => secrets_isSame(one, render(body))) ? signer_RIGHT : signer_MISMATCH;
        },
        sign: ({ rawHeaders, body }) => [
            [
                SHOPIFY_HEADERS.find(name => whole_request_readValue(rawHeaders, name.toLowerCase())) ?? SHOPIFY_HEADERS[0],
                render(body),
            ],
        ],
        // Several subscriptions of one topic share the event's id.
        findDeliveryId: ({ rawHeaders }) => ['x-shopify-webhook-id', 'shopify-webhook-id', 'x-shopify-event-id'].reduce((found, name) => found ?? whole_request_readValue(rawHeaders, name), undefined),
    };
}
/** Any provider that puts the HMAC of the body into a header of its own. */
function body_hmac_signBody(secret, algorithm, { header, encoding, prefix, separator }) {
    const name = header.toLowerCase();
    const normalise = encoding === 'hex' ? normaliseHex : normaliseBase64;
    const render = (body) => sign(algorithm, secret, [body], encoding);
    return {
        headers: [name],
        check: ({ rawHeaders, body }) => {
            const problem = findFieldProblem(rawHeaders, [header]);
            if (problem !== undefined)
                return problem;
            const value = readValue(rawHeaders, name) ?? '';
            const parts = separator === '' ? [value] : value.split(separator).map(part => part.trim());
            const signatures = parts.filter(part => part.startsWith(prefix));
            if (signatures.length === 0)
                return {
                    kind: 'malformed',
                    reason: `its ${header} has no signature that begins with the prefix of the rule`,
                };
            const wanted = normalise(render(body));
            return signatures.some(one => isSame(normalise(one.slice(prefix.length)), wanted)) ? RIGHT : MISMATCH;
        },
        sign: ({ body }) => [[header, `${prefix}${render(body)}`]],
        findDeliveryId: () => undefined,
    };
}
/** Providers write hex in either case. */
function normaliseHex(text) {
    return text.toLowerCase();
}
/** With or without padding, in either alphabet (RFC 4648, 4 and 5). */
function normaliseBase64(text) {
    return text
        .replaceAll('-', '+')
        .replaceAll('_', '/')
        .replace(/={1,2}$/, '');
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/timestamped.js
// Providers that sign the time with the body: Stripe, Slack, and all that follow Standard Webhooks.



/**
 * docs.stripe.com/webhooks/signature: `t=TIME,v1=HEX,v1=HEX,v0=HEX`. There are several v1 while a secret is rolled; v0
 * is for test events, and never enough. As stripe-node, this accepts a time in the future.
 */
function signStripe(secret) {
    const render = (timestamp, body) => signer_sign('sha256', secret, [`${timestamp}.`, body], 'hex');
    return {
        headers: ['stripe-signature'],
        check: ({ rawHeaders, body }, nowS) => {
            const problem = signer_findFieldProblem(rawHeaders, ['Stripe-Signature']);
            if (problem !== undefined)
                return problem;
            const { timestamp, signatures } = parseStripe(whole_request_readValue(rawHeaders, 'stripe-signature') ?? '');
            if (timestamp === undefined)
                return { kind: 'malformed', reason: 'its Stripe-Signature has no time (t=…)' };
            if (signatures.length === 0)
                return { kind: 'malformed', reason: 'its Stripe-Signature has no signature of version v1' };
            const wanted = render(timestamp, body);
            return signatures.some(one => secrets_isSame(one, wanted)) ? checkAge(timestamp, nowS, true) : signer_MISMATCH;
        },
        sign: ({ body }, nowS) => [['Stripe-Signature', `t=${nowS},v1=${render(nowS, body)}`]],
        findDeliveryId: ({ body }) => timestamped_readText(body, 'id'),
    };
}
/** A part that is malformed is skipped (stripe-go, pull request 413); the last time counts, as in stripe-node. */
function parseStripe(value) {
    const pairs = value.split(',').map(part => part.split('='));
    const last = pairs.findLast(([name]) => name === 't');
    return {
        timestamp: parseTimestamp(last?.[1]),
        signatures: pairs.flatMap(([name, signature]) => (name === 'v1' && signature ? [signature] : [])),
    };
}
const SLACK_TIME = 'X-Slack-Request-Timestamp';
const SLACK_SIGNATURE = 'X-Slack-Signature';
/** docs.slack.dev, "Verifying requests from Slack": `v0=` and the HMAC of `v0:TIME:BODY` in hex. */
function signSlack(secret) {
    const render = (timestamp, body) => signer_sign('sha256', secret, [`v0:${timestamp}:`, body], 'hex');
    return {
        headers: [SLACK_SIGNATURE.toLowerCase()],
        check: ({ rawHeaders, body }, nowS) => {
            const problem = signer_findFieldProblem(rawHeaders, [SLACK_SIGNATURE, SLACK_TIME]);
            if (problem !== undefined)
                return problem;
            const time = whole_request_readValue(rawHeaders, SLACK_TIME.toLowerCase()) ?? '';
            const [version, given = ''] = (whole_request_readValue(rawHeaders, SLACK_SIGNATURE.toLowerCase()) ?? '').split('=');
            if (!/^\d{1,15}$/.test(time))
                return { kind: 'malformed', reason: `its ${SLACK_TIME} is not a number of seconds` };
            if (version !== 'v0')
                return { kind: 'malformed', reason: `its ${SLACK_SIGNATURE} is not of version v0` };
            return secrets_isSame(given, render(time, body)) ? checkAge(Number(time), nowS, false) : signer_MISMATCH;
        },
        sign: ({ body }, nowS) => [
            [SLACK_TIME, `${nowS}`],
            [SLACK_SIGNATURE, `v0=${render(`${nowS}`, body)}`],
        ],
        findDeliveryId: ({ body }) => timestamped_readText(body, 'event_id'),
    };
}
/** Both families of names; Svix, who began it, still sends the second. */
const FAMILIES = ['webhook', 'svix'];
/**
 * standardwebhooks.com: the HMAC of `ID.TIME.BODY` in base64, as `v1,SIGNATURE`, several with spaces between them. Other
 * versions are skipped; v1a is made with a key pair.
 */
function signStandardWebhooks(secret) {
    const key = Buffer.from(stripPrefix(secret), 'base64');
    const render = (id, timestamp, body) => signer_sign('sha256', key, [`${id}.${timestamp}.`, body], 'base64');
    return {
        headers: FAMILIES.map(family => `${family}-signature`),
        check: ({ rawHeaders, body }, nowS) => {
            const family = findFamily(rawHeaders);
            const names = ['signature', 'id', 'timestamp'].map(part => `${family}-${part}`);
            const problem = signer_findFieldProblem(rawHeaders, names);
            if (problem !== undefined)
                return problem;
            const { id, timestamp: time, signature } = readMessage(rawHeaders, family);
            const timestamp = parseTimestamp(time);
            if (timestamp === undefined)
                return { kind: 'malformed', reason: `its ${family}-timestamp is not a number of seconds` };
            const signatures = signature.split(' ').flatMap(part => {
                const [version, given] = part.split(',');
                return version === 'v1' && given ? [given] : [];
            });
            if (signatures.length === 0)
                return { kind: 'malformed', reason: `its ${family}-signature has no signature of version v1` };
            const wanted = render(id, timestamp, body);
            return signatures.some(one => secrets_isSame(one, wanted)) ? checkAge(timestamp, nowS, false) : signer_MISMATCH;
        },
        sign: ({ rawHeaders, body }, nowS) => {
            const family = findFamily(rawHeaders);
            const id = readMessage(rawHeaders, family).id || `msg_${nowS}`;
            return [
                [`${family}-id`, id],
                [`${family}-timestamp`, `${nowS}`],
                [`${family}-signature`, `v1,${render(id, nowS, body)}`],
            ];
        },
        findDeliveryId: ({ rawHeaders }) => readMessage(rawHeaders, findFamily(rawHeaders)).id || undefined,
    };
}
/** The base64 of a secret, which is written with `whsec_` before it, by Supabase even with `v1,whsec_`. */
function stripPrefix(secret) {
    return secret.replace(/^(?:v1,)?whsec_/, '');
}
/** `svix` if only its names are there. */
function findFamily(raw) {
    const isThere = (family) => whole_request_readValue(raw, `${family}-signature`) !== undefined;
    return !isThere('webhook') && isThere('svix') ? 'svix' : 'webhook';
}
function readMessage(raw, family) {
    const read = (part) => whole_request_readValue(raw, `${family}-${part}`) ?? '';
    return { id: read('id'), timestamp: read('timestamp'), signature: read('signature') };
}
function timestamped_readText(body, name) {
    const value = parseObject(body)?.[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
}

// EXTERNAL MODULE: external "node:querystring"
var external_node_querystring_ = __nccwpck_require__(1792);
;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/url-hmac.js
// Providers that sign the URL that they call, together with the body: Twilio and Square. They know the preview by its
// public URL, which the gateway does not see in the request: it tries the few forms that the URL can have.





const SQUARE_HEADER = 'X-Square-HmacSha256-Signature';
/** developer.squareup.com, "Validate the notification": the HMAC of URL and body, in base64. */
function signSquare(secret) {
    const render = (url, body) => signer_sign('sha256', secret, [url, body], 'base64');
    return {
        headers: [SQUARE_HEADER.toLowerCase()],
        check: ({ rawHeaders, body, origins, target }) => {
            const problem = signer_findFieldProblem(rawHeaders, [SQUARE_HEADER]);
            if (problem !== undefined)
                return problem;
            const given = whole_request_readValue(rawHeaders, SQUARE_HEADER.toLowerCase()) ?? '';
            const urls = unique(origins.map(origin => `${origin}${target}`).flatMap(url => [url, addPort(url)]));
            return urls.some(url => secrets_isSame(given, render(url, body))) ? signer_RIGHT : signer_MISMATCH;
        },
        sign: ({ body, origins, target }) => [[SQUARE_HEADER, render(`${origins[0] ?? ''}${target}`, body)]],
        findDeliveryId: ({ body }) => {
            const id = parseObject(body)?.event_id;
            return typeof id === 'string' && id !== '' ? id : undefined;
        },
    };
}
const TWILIO_HEADER = 'X-Twilio-Signature';
/** Only with a shared key in place of the auth token; names the algorithm. */
const TWILIO_SETTINGS = 'x-twilio-webhooks-signature-settings';
/**
 * twilio.com/docs/usage/security, "Validating requests": the HMAC of the URL and the sorted fields of the form, in
 * base64. A body that is not a form is covered by its hash in the URL (`bodySHA256`); without it, it is not covered, and
 * refused.
 */
function signTwilio(secret) {
    return {
        headers: [TWILIO_HEADER.toLowerCase()],
        check: request => {
            const { rawHeaders, origins, target } = request;
            const problem = signer_findFieldProblem(rawHeaders, [TWILIO_HEADER]);
            if (problem !== undefined)
                return problem;
            const algorithm = findAlgorithm(whole_request_readValue(rawHeaders, TWILIO_SETTINGS) ?? '');
            if (algorithm === undefined)
                return { kind: 'malformed', reason: 'it is signed with an algorithm that is not known here' };
            const content = readContent(request);
            if (typeof content !== 'string')
                return content;
            const given = whole_request_readValue(rawHeaders, TWILIO_HEADER.toLowerCase()) ?? '';
            const urls = unique(origins.flatMap(origin => listTwilioUrls(`${origin}${target}`)));
            const isRight = urls.some(url => secrets_isSame(given, signer_sign(algorithm, secret, [url, content], 'base64')));
            return isRight ? signer_RIGHT : signer_MISMATCH;
        },
        sign: request => {
            const algorithm = findAlgorithm(whole_request_readValue(request.rawHeaders, TWILIO_SETTINGS) ?? '') ?? 'sha1';
            const content = readContent(request);
            const url = `${request.origins[0] ?? ''}${request.target}`;
            const parts = [url, typeof content === 'string' ? content : ''];
            return [[TWILIO_HEADER, signer_sign(algorithm, secret, parts, 'base64')]];
        },
        findDeliveryId: ({ rawHeaders }) => whole_request_readValue(rawHeaders, 'i-twilio-idempotency-token'),
    };
}
function findAlgorithm(settings) {
    const parts = settings.split(',').map(part => part.split('=').map(text => text.trim()));
    const [, name = ''] = parts.find(([key, value]) => key === 'algorithm' && value) ?? [];
    switch (name.toUpperCase()) {
        case '':
        case 'HMAC_SHA1':
            return 'sha1';
        case 'HMAC_SHA256':
            return 'sha256';
        default:
            return undefined;
    }
}
/** What is signed behind the URL; a verdict if the body is not what the URL says, or is not covered. */
function readContent({ rawHeaders, target, body }) {
    if (target.includes('bodySHA256')) {
        const query = target.includes('?') ? target.slice(target.indexOf('?') + 1) : '';
        const wanted = parseForm(query).get('bodySHA256') ?? '';
        return secrets_isSame((0,external_node_crypto_.hash)('sha256', body, 'hex'), wanted)
            ? ''
            : { kind: 'malformed', reason: 'its body is not the one whose SHA-256 is in its URL (bodySHA256)' };
    }
    if (body.length === 0)
        return '';
    const type = whole_request_readValue(rawHeaders, 'content-type') ?? '';
    if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type))
        return {
            kind: 'malformed',
            reason: 'its body is not a form, and its URL has no bodySHA256: the signature would not cover the body',
        };
    return renderForm(parseForm(body.toString('utf8')));
}
/** URLSearchParams drops a question mark at the start of its text; here it belongs to the first name. */
function parseForm(text) {
    return new URLSearchParams(`?${text}`);
}
/**
 * Each name with its values, sorted; a value that is there twice counts once, as in Twilio's own library. Strangers send
 * forms of a hundred thousand names: to look for the values of each would block the gateway for minutes.
 */
function renderForm(form) {
    const fields = new Map();
    for (const [name, value] of form)
        fields.set(name, (fields.get(name) ?? new Set()).add(value));
    return [...fields.keys()]
        .sort()
        .flatMap(name => [...(fields.get(name) ?? [])].sort().map(value => `${name}${value}`))
        .join('');
}
/**
 * The URLs that Twilio's own library tries (twilio-node 6, `validateRequest`): as received, and as `URL` and the old
 * `querystring` write it, each with and without its port.
 */
function listTwilioUrls(url) {
    const normalised = URL.parse(url)?.href ?? url;
    const normalisedTwice = [removePort(normalised), addPort(normalised)];
    return [removePort(url), addPort(url), ...normalisedTwice, ...normalisedTwice.map(rewriteQuery)];
}
const AUTHORITY = /^(https?):\/\/(\[[^\]]*\]|[^/?#:]*)(:\d+)?/i;
function removePort(url) {
    return url.replace(AUTHORITY, '$1://$2');
}
function addPort(url) {
    return url.replace(AUTHORITY, (_, scheme, host, port) => `${scheme}://${host}${port ?? (scheme.toLowerCase() === 'https' ? ':443' : ':80')}`);
}
function rewriteQuery(url) {
    const start = url.indexOf('?');
    if (start === -1 || start === url.length - 1)
        return url;
    return `${url.slice(0, start)}?${(0,external_node_querystring_.stringify)((0,external_node_querystring_.parse)(url.slice(start + 1)))}`;
}
function unique(texts) {
    return [...new Set(texts)];
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/providers.js
// The table of providers: how each one signs, and what a rule for it must know. Used by verifier.ts and parse-rules.ts.



const PROVIDERS = {
    github: { title: 'GitHub', open: signGitHub },
    stripe: {
        title: 'Stripe',
        open: signStripe,
        findSecretProblem: secret => /^(?:sk|rk|pk)_/.test(secret)
            ? "is an API key: take the endpoint's signing secret, which begins with whsec_"
            : undefined,
        // 'URLs in livemode must begin with "https://"', its API says; test mode takes http.
        httpsOnly: 'webhooks of live mode',
    },
    slack: {
        title: 'Slack',
        open: signSlack,
        findSecretProblem: secret => /^xox[a-z]-|^xapp-/.test(secret)
            ? "is a token: take the app's Signing Secret, under Basic Information"
            : undefined,
        httpsOnly: 'webhooks',
    },
    'standard-webhooks': {
        title: 'Standard Webhooks',
        open: signStandardWebhooks,
        findSecretProblem: findBase64Problem,
    },
    shopify: { title: 'Shopify', open: signShopify, httpsOnly: 'webhooks' },
    twilio: { title: 'Twilio', open: signTwilio },
    square: { title: 'Square', open: signSquare, httpsOnly: 'webhooks' },
};
function openSigner(rule) {
    switch (rule.provider) {
        case 'hmac-sha256':
            return signBody(rule.secret, 'sha256', rule);
        case 'hmac-sha1':
            return signBody(rule.secret, 'sha1', rule);
        default:
            return PROVIDERS[rule.provider].open(rule.secret);
    }
}
function findBase64Problem(secret) {
    if (/^wh[ps]k_/.test(secret))
        return 'is a key of a key pair (v1a), which is not supported: take the one that begins with whsec_';
    const encoded = stripPrefix(secret);
    // The library of Standard Webhooks takes a missing padding, and nothing else that is not base64.
    const isBase64 = /^[A-Za-z\d+/]{2,}={0,2}$/.test(encoded) && encoded.replace(/=+$/, '').length % 4 !== 1;
    return isBase64 ? undefined : 'is not base64, with or without whsec_ before it';
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/rule.js
// What one line of `verify` says. Made by parse-rules.ts; part of the configuration of an exposure.
const NAMED_PROVIDERS = [
    'github',
    'stripe',
    'slack',
    'standard-webhooks',
    'shopify',
    'twilio',
    'square',
];
const HMAC_PROVIDERS = ['hmac-sha256', 'hmac-sha1'];
const ENCODINGS = ['hex', 'base64'];

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/parse-rules.js
// Turns the text of `verify` into rules. Used by inputs/webhooks.ts, and by exposure/signature-check.ts for a rule that is
// given to the control API or the command line. No message contains a secret, nor a word that may be a part of one.





const parse_rules_OPTIONS = ['header', 'encoding', 'prefix', 'separator', 'handshake'];
const EXAMPLE = 'write PROVIDER PATH SECRET, like github /webhooks/github SECRET';
/** One rule a line; empty lines and those that begin with # are skipped. Throws an InputError with every problem. */
function parseRules(text) {
    const problems = [];
    const rules = [];
    const seen = new Map();
    for (const line of splitLines(text)) {
        const fail = (problem) => problems.push(`\`verify\`, line ${line.number}${problem}`);
        try {
            const rule = parseRule(line);
            const key = JSON.stringify([rule.provider, rule.path, rule.secret]);
            const before = seen.get(key);
            if (before !== undefined)
                fail(` (${rule.provider} ${rule.path}): it is the same rule as line ${before}`);
            else
                rules.push(rule);
            seen.set(key, line.number);
        }
        catch (error) {
            if (!(error instanceof RuleError))
                throw error;
            fail(error.message);
        }
    }
    if (problems.length > 0)
        throw new errors_InputError(problems);
    return rules;
}
/**
 * The texts of all lines that are secrets, or may be parts of one that is written wrongly: to be masked before anything
 * is printed. Never throws.
 */
function listRuleSecrets(text) {
    return splitLines(text).flatMap(({ provider, path, secret, options }) => [
        ...(isPlainWord(provider) ? [] : [provider]),
        ...(path.startsWith('/') && secret !== '' ? [] : [path]),
        secret,
        ...options.filter(option => !isOption(option)),
    ]);
}
/** The rule, for any path. Throws an InputError. */
function makeRule({ provider, secret, options }) {
    const words = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    try {
        return parseRule({ number: 0, provider, path: '/**', secret: secret.trim(), options: words });
    }
    catch (error) {
        if (error instanceof RuleError)
            throw new InputError(`the rule${error.message}`);
        throw error;
    }
}
class RuleError extends Error {
}
function splitLines(text) {
    return text.split('\n').flatMap((line, index) => {
        const words = splitWords(line);
        const [provider = '', path = '', third = ''] = words;
        if (provider === '' || provider.startsWith('#'))
            return [];
        // An expression without a value leaves no word, and the first option takes its place.
        const isMissing = !line.includes('"') && isOption(third);
        const secret = isMissing ? '' : third;
        return [{ number: index + 1, provider, path, secret, options: words.slice(isMissing ? 2 : 3) }];
    });
}
/** A word, or one in double quotes with `\"` and `\\` in it; the value of an option may be quoted too. */
const WORD = /((?:header|encoding|prefix|separator|handshake)=)?"((?:[^"\\]|\\.)*)"(?=\s|$)|(\S+)/g;
function splitWords(line) {
    return [...line.matchAll(WORD)].map(([, name = '', quoted, plain]) => quoted === undefined ? (plain ?? '') : `${name}${quoted.replaceAll(/\\(.)/g, '$1')}`);
}
function isOption(word) {
    return parse_rules_OPTIONS.some(name => word.startsWith(`${name}=`));
}
/** A word that nobody uses as a secret, so that a message may show it. */
function isPlainWord(word) {
    return /^(?:[a-z][a-z-]{0,19}|hmac-sha\d+)$/i.test(word);
}
/** Throws a RuleError, whose message goes behind "`verify`, line N". */
function parseRule({ provider, path, secret, options: words }) {
    const word = provider.toLowerCase();
    const named = NAMED_PROVIDERS.find(name => name === word);
    const hmac = HMAC_PROVIDERS.find(name => name === word);
    const known = named ?? hmac;
    if (known === undefined)
        throw new RuleError(describeUnknown(word));
    if (!path.startsWith('/'))
        throw new RuleError(` (${known}): there is no path that begins with / behind it: ${EXAMPLE}`);
    if (secret === '')
        throw new RuleError(` (${known}): the secret is empty: is the secret that it comes from set? If the provider shows it only after a first request succeeded, list the path in \`public-paths\` until then (docs/verify.md)`);
    const fail = (problem) => new RuleError(` (${known} ${path}): ${problem}`);
    const problem = findPatternProblem(path);
    if (problem !== undefined)
        throw fail(`the path ${problem}: write a pattern like /webhooks/github`);
    if (/^".*[^"]$|^"$/.test(secret))
        throw fail('the quotation mark before the secret is not closed');
    const options = parseOptions(words, fail);
    const handshakes = parseHandshakes(options.handshake, fail);
    if (hmac !== undefined)
        return { provider: hmac, path, secret, handshakes, ...parseFormat(hmac, options, fail) };
    if (named === undefined)
        throw new RuleError(describeUnknown(word));
    const superfluous = parse_rules_OPTIONS.find(name => name !== 'handshake' && options[name] !== undefined);
    if (superfluous !== undefined)
        throw fail(`\`${superfluous}\` is only for ${HMAC_PROVIDERS.join(' and ')}: leave it out`);
    const wrong = PROVIDERS[named].findSecretProblem?.(secret);
    if (wrong !== undefined)
        throw fail(`the secret ${wrong}`);
    return { provider: named, path, secret, handshakes };
}
function parseOptions(words, fail) {
    const options = {};
    for (const word of words) {
        const name = parse_rules_OPTIONS.find(one => word.startsWith(`${one}=`));
        if (name === undefined)
            throw fail(describeUnknownOption(word));
        if (options[name] !== undefined)
            throw fail(`\`${name}\` is given twice`);
        options[name] = word.slice(name.length + 1);
    }
    return options;
}
/** The word may be a part of the secret, so only what was probably meant is shown. */
function describeUnknownOption(word) {
    const meant = word.includes('=') ? findNearest(word.slice(0, word.indexOf('=')), parse_rules_OPTIONS) : undefined;
    return meant === undefined
        ? `there is something behind the secret that is not an option (${parse_rules_OPTIONS.map(name => `${name}=…`).join(', ')}): put a secret with spaces in double quotes`
        : `there is an option that is not known: did you mean ${meant}=…?`;
}
function parseHandshakes(text, fail) {
    if (text === undefined)
        return [];
    const words = text.split(',').map(word => word.trim().toLowerCase());
    const handshakes = words.filter(isUnsigned);
    if (handshakes.length < words.length)
        throw fail(`\`handshake\` is '${text}': write ${UNSIGNED_HANDSHAKES.join(', ')}, or several with commas between them`);
    return [...new Set(handshakes)];
}
function parseFormat(provider, options, fail) {
    const { header = '', encoding: encodingText = 'hex', prefix = '', separator = '' } = options;
    if (header === '')
        throw fail(`it does not say which header has the signature: write ${provider} PATH SECRET header=X-Signature encoding=hex`);
    // RFC 9110, 5.6.2.
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(header))
        throw fail('`header` is not the name of a header');
    const encoding = ENCODINGS.find(one => one === encodingText.toLowerCase());
    if (encoding === undefined)
        throw fail(`\`encoding\` is '${encodingText}': write ${ENCODINGS.join(' or ')}`);
    return { header, encoding, prefix, separator };
}
/** What people write who know a provider by another name → the rule for it. */
const OTHER_NAMES = {
    svix: 'standard-webhooks PATH SECRET',
    gitea: 'hmac-sha256 PATH SECRET header=X-Gitea-Signature',
    meta: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
    facebook: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
    whatsapp: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
    linear: 'hmac-sha256 PATH SECRET header=Linear-Signature',
    dropbox: 'hmac-sha256 PATH SECRET header=X-Dropbox-Signature handshake=dropbox',
};
function describeUnknown(word) {
    const shown = isPlainWord(word) ? `: '${word}' is not a provider` : ': it does not begin with a provider';
    const other = Object.hasOwn(OTHER_NAMES, word) ? OTHER_NAMES[word] : findNearest(word, NAMED_PROVIDERS);
    if (other !== undefined)
        return `${shown}: did you mean ${other}?`;
    return `${shown}: write one of ${NAMED_PROVIDERS.join(', ')}, or for any other ${HMAC_PROVIDERS.join(' or ')}`;
}
/** The one that needs fewest changes, if these are few. */
function findNearest(word, names) {
    const ranked = names
        .map(name => ({ name, changes: countChanges(word.toLowerCase().slice(0, 30), name) }))
        .sort((a, b) => a.changes - b.changes);
    return ranked.find(({ name, changes }) => changes <= Math.max(1, Math.floor(name.length / 3)))?.name;
}
/** Letters to insert, remove or replace (Levenshtein distance). */
function countChanges(from, to) {
    let row = [...Array(to.length + 1).keys()];
    for (const [index, letter] of [...from].entries()) {
        const next = [index + 1];
        for (const [column, wanted] of [...to].entries())
            next.push(Math.min((next[column] ?? 0) + 1, (row[column + 1] ?? 0) + 1, (row[column] ?? 0) + (letter === wanted ? 0 : 1)));
        row = next;
    }
    return row.at(-1) ?? 0;
}

;// CONCATENATED MODULE: ./build/js/inputs/webhooks.js
// The inputs about webhooks: which requests are recorded, whether they are kept while the app is away, what people see of
// them, and which must be signed. Used by inputs.







// For step/, which masks them before the inputs are parsed.

const DEFAULT_CAPTURE = 'auto';
/**
 * Notes every problem in `problems`; throws if there is one. `publicPaths` is undefined if they could not be read: then
 * their own problem is reported.
 */
function parseWebhookInputs(read, { protocol, publicPaths, problems }) {
    const verify = problems.check(() => parseRules(read('verify')));
    const exempt = [...(publicPaths ?? []), ...(verify.known ?? []).map(({ path }) => path)];
    const capture = problems.check(() => parseCapture(read('capture'), exempt));
    const queue = problems.check(() => values_parseBoolean(read('queue').trim(), 'queue', true));
    const redact = problems.check(() => values_parseBoolean(read('redact').trim(), 'redact', true));
    if (protocol === 'tcp')
        checkUnused(read, problems);
    return { capture: capture.value, queue: queue.value, redact: redact.value, verify: verify.value };
}
/** With `protocol: tcp` there are no requests. `capture: none` says the same, and is allowed. */
function checkUnused(read, problems) {
    const check = (input, fallback, why) => {
        const given = read(input).trim();
        const isNone = input === 'capture' && given.toLowerCase() === 'none';
        if (!isNone)
            problems.check(() => checkTcpUse(input, given, fallback, why));
    };
    check('capture', DEFAULT_CAPTURE, 'there are no requests to record');
    check('queue', 'true', 'there are no requests to keep');
    check('verify', '', 'there are no requests to check');
    check('redact', 'true', 'there are no requests to show');
}
/** `auto`: the paths that need no key, or, without any, every request that may change something. */
function parseCapture(text, exempt) {
    const word = text.trim().toLowerCase();
    if (word === 'none')
        return { kind: 'none' };
    if (word !== '' && word !== DEFAULT_CAPTURE)
        return { kind: 'paths', patterns: parsePatterns(text, 'capture') };
    return exempt.length > 0 ? { kind: 'paths', patterns: [...new Set(exempt)] } : { kind: 'unsafe methods' };
}
/** Shorter secrets are easily guessed, and masking one blanks out the same letters elsewhere in the log. */
const MIN_SECRET_LENGTH = 8;
/** One warning for each provider that needs https while the link has none, and for each secret that is too short. */
function listVerifyWarnings(rules, tunnel) {
    const { servers, publicUrl } = tunnel;
    const isPlain = servers.some(({ address }) => renderPublicUrl(publicUrl, address.host, SAMPLE_PORT).startsWith('http:'));
    const used = NAMED_PROVIDERS.filter(name => rules.some(({ provider }) => provider === name));
    const demanding = used
        .map(name => PROVIDERS[name])
        .filter(({ httpsOnly }) => isPlain && httpsOnly !== undefined);
    const short = rules.filter(({ secret }) => secret.length < MIN_SECRET_LENGTH);
    return [
        ...demanding.map(({ title, httpsOnly }) => `${title} sends ${httpsOnly} to https addresses only, and the link has plain http: set \`tls-cert\`, or put a proxy with https in front and set \`public-url\` to https://…`),
        ...short.map(({ provider, path }) => `the secret of \`verify\` for ${provider} ${path} is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed`),
    ];
}

;// CONCATENATED MODULE: ./build/js/inputs/inputs.js
// Turns the text of the inputs into checked values. All problems are reported together, and an empty string means "not
// given". The action's inputs and the command line's flags pass through the same checks.














/** Shorter secrets are easily guessed, and the runner does not mask them reliably. */
const inputs_MIN_SECRET_LENGTH = 8;
/** Every input that `action.yml` declares, with its default; a test compares the two. */
const INPUT_DEFAULTS = {
    path: '.',
    mode: 'auto',
    port: '',
    command: '',
    args: '',
    env: '',
    'wasmrun-version': '',
    cache: 'true',
    vm: 'auto',
    browser: '',
    spa: 'false',
    'base-path': 'auto',
    'cross-origin-isolation': 'false',
    protocol: 'http',
    'health-path': DEFAULT_HEALTH_PATH,
    'host-header': 'auto',
    'startup-timeout': DEFAULT_STARTUP_TIMEOUT,
    'stop-timeout': DEFAULT_STOP_TIMEOUT,
    server: 'bore.pub',
    secret: '',
    'remote-port': 'auto',
    'port-range': DEFAULT_PORT_RANGE,
    'public-url': PLAIN_PUBLIC_URLS.http,
    'tls-cert': '',
    'tls-key': '',
    access: 'auto',
    'access-key': '',
    'basic-auth': '',
    'public-paths': '',
    capture: 'auto',
    queue: 'true',
    redact: 'true',
    verify: '',
    inspector: 'false',
    'max-body': DEFAULT_MAX_BODY,
    compress: 'true',
    hold: 'false',
    duration: '',
    'idle-timeout': '',
    'github-token': '',
    comment: 'true',
    name: '',
    'pr-number': '',
    'allow-untrusted-head': 'false',
    'fail-on-error': 'true',
    'log-level': 'info',
};
/**
 * Checks every input; throws one InputError with all problems. Relative paths are resolved against `base`.
 * `inForeground`: the caller waits for the end of the preview by itself, without `hold`.
 */
function parseInputs(read, environment, base, { inForeground = false } = {}) {
    const problems = new Problems();
    const text = (name) => read(name).trim();
    const boolean = (name, fallback) => problems.check(() => values_parseBoolean(text(name), name, fallback));
    const wanted = problems.check(() => parseChoice(text('protocol') || 'http', 'protocol', PROTOCOLS));
    const protocol = wanted.known ?? 'http';
    const app = problems.check(() => parseAppInputs(read, { environment, base, protocol, problems }));
    const tunnel = problems.check(() => parseTunnelInputs(read, protocol, problems));
    const gateway = problems.check(() => parseGatewayInputs(read, protocol, problems));
    const webhooks = problems.check(() => parseWebhookInputs(read, { protocol, publicPaths: gateway.known?.publicPaths, problems }));
    const tls = problems.check(() => parseTlsInputs(read, { protocol, tunnel, problems }));
    const inspector = problems.check(() => parseInspector(text('inspector'), { protocol, tunnel: tunnel.known }));
    const lifetime = problems.check(() => parseLifetime(read, inForeground));
    const prNumber = problems.check(() => parseWholeNumber(text('pr-number') || undefined, 'pr-number', 1, 2 ** 31));
    const comment = boolean('comment', true);
    const cache = boolean('cache', true);
    const failOnError = boolean('fail-on-error', true);
    // The fork rules have read this input before; only here is a wrong word reported.
    boolean('allow-untrusted-head', false);
    const logLevel = problems.check(() => parseChoice(text('log-level') || 'info', 'log-level', LOG_LEVELS));
    problems.throwIfAny();
    const publicTunnel = tls.value ? { ...tunnel.value, publicUrl: tls.value.publicUrl } : tunnel.value;
    return {
        protocol,
        app: app.value,
        tunnel: publicTunnel,
        tls: tls.value,
        gateway: gateway.value,
        webhooks: webhooks.value,
        inspector: inspector.value,
        ...lifetime.value,
        prNumber: prNumber.value,
        comment: comment.value,
        cache: cache.value,
        failOnError: failOnError.value,
        name: text('name') || undefined,
        logLevel: logLevel.value,
        warnings: [
            ...app.value.warnings,
            ...listWebWarnings(app.value, publicTunnel),
            ...listWarnings(tunnel.value, gateway.value),
            ...listLifetimeWarnings(lifetime.value),
            ...listHttpsWarnings(publicTunnel),
            ...listVerifyWarnings(webhooks.value.verify, publicTunnel),
            ...(tls.value ? listTlsWarnings(tls.value, lifetime.value.durationMs) : []),
        ],
    };
}
function listWarnings(tunnel, { access }) {
    const { servers, publicUrl } = tunnel;
    const secrets = servers.flatMap(({ secret }) => secret ?? []);
    const shown = [publicUrl, ...servers.map(({ address }) => address.host)].join(' ');
    return [
        ...(secrets.some(secret => secret.length < inputs_MIN_SECRET_LENGTH)
            ? [
                `the secret is shorter than ${inputs_MIN_SECRET_LENGTH} characters: it is easily guessed, and the runner masks it wherever the same characters occur`,
            ]
            : []),
        ...(access.kind === 'basic' && access.password.length < inputs_MIN_SECRET_LENGTH
            ? [
                `the password of \`basic-auth\` is shorter than ${inputs_MIN_SECRET_LENGTH} characters: it is easily guessed`,
            ]
            : []),
        ...(secrets.some(secret => shown.includes(secret))
            ? [
                "the secret occurs in the server's address: the runner will mask the link, and drop outputs that hold it",
            ]
            : []),
        ...(servers.length > 1 && !publicUrl.includes('{host}')
            ? [
                `\`public-url\` has no {host}, so the address stays the same when another server takes over: put the proxy in front of all of them, or write it like ${publicUrl.startsWith('tcp:') ? 'tcp://{host}:{port}' : 'https://{port}.{host}'}`,
            ]
            : []),
    ];
}

;// CONCATENATED MODULE: ./build/js/step/job-limit.js
// Lets a preview end before GitHub ends its job: a job that reaches its limit is cancelled, and the step shows that
// instead of a proper end. Used by action-inputs.

/**
 * "Each job in a workflow can run for up to 6 hours" on GitHub's own runners
 * (https://docs.github.com/actions/reference/limits). A lower `timeout-minutes` is not known to the steps of a job.
 */
const HOSTED_LIMIT_MS = 6 * 3_600_000;
/** For what the job does after the preview. */
const AFTER_PREVIEW_MS = 5 * 60_000;
/** If the job is nearly over, somebody may still see the link. */
const MIN_DURATION_MS = 60_000;
/** With a shorter duration and a warning, if the preview would outlive its job. */
function limitToJob(inputs, { isHosted, jobStartedAt }, now) {
    const { durationMs, hold, app } = inputs;
    if (!isHosted || durationMs === undefined)
        return inputs;
    const passedMs = Math.max(0, now.getTime() - (jobStartedAt ?? now).getTime());
    // The duration counts from "live", which may come as late as the time limit for the start.
    const leftMs = HOSTED_LIMIT_MS - passedMs - app.startupTimeoutMs - AFTER_PREVIEW_MS;
    const limitedMs = Math.max(leftMs, MIN_DURATION_MS);
    if (durationMs <= limitedMs)
        return inputs;
    const warning = `\`${hold ? 'hold' : 'duration'}\` is ${formatDuration(durationMs)}, but GitHub ends a job on its own runners after ${formatDuration(HOSTED_LIMIT_MS)}: the preview ends after ${formatDuration(limitedMs)}, so that the job can end by itself`;
    return { ...inputs, durationMs: limitedMs, warnings: [...inputs.warnings, warning] };
}

;// CONCATENATED MODULE: ./build/js/step/action-inputs.js
// Reads the inputs of the action, and masks the secrets among them at once. Used by preview.






/** Reads and checks all inputs of the step. Throws an InputError. */
function readActionInputs(machine) {
    const { variables, workspace, isDebug } = machine;
    // One by one: the runner masks only the exact texts that it gets, and each of these could be printed alone.
    for (const secret of [
        ...splitSecrets(readUntrimmed('secret')),
        ...readCredentials(),
        ...readKeyTexts(),
        ...listRuleSecrets(readUntrimmed('verify')),
    ])
        if (secret !== '')
            core_setSecret(secret);
    const source = name => (LISTS.has(name) ? readUntrimmed(name) : getInput(name));
    const inputs = limitToJob(parseInputs(source, variables, workspace), machine, new Date());
    return isDebug ? { ...inputs, logLevel: 'debug' } : inputs;
}
/** The visitors' key and password, in each form in which they could be printed. */
function readCredentials() {
    const basicAuth = getInput('basic-auth');
    const password = basicAuth.slice(basicAuth.indexOf(':') + 1);
    return [getInput('access-key'), basicAuth, password, Buffer.from(basicAuth).toString('base64')];
}
/** The private key, even if it is in the input for the certificate by mistake. */
function readKeyTexts() {
    const cert = getInput('tls-cert');
    const misplaced = cert.includes('PRIVATE KEY') ? cert : '';
    return secrets_listKeyTexts(`${getInput('tls-key')}\n${misplaced}`);
}
/** These lists are read untrimmed, because an empty first or last line means an unset variable. */
const LISTS = new Set(['server', 'secret']);
function readUntrimmed(name) {
    return getInput(name, { trimWhitespace: false });
}

;// CONCATENATED MODULE: ./build/js/shared/folders.js
// Removes folders that a process or a mount may still hold. Used by exposure, app, step and commands.




/**
 * Open files on Windows and `.nfs` files on NFS keep a folder from being removed, mostly for a moment. Retried here and
 * not by Node's `maxRetries`, which waits again at every level of the tree: with a mount in it that took a minute.
 */
const ATTEMPTS = 3;
const RETRY_DELAY_MS = 200;
/**
 * Removes the folder and its contents, if it exists. If that fails, resolves with a warning that says why; never
 * rejects.
 */
async function folders_removeFolder(folder) {
    for (let attempt = 1;; attempt += 1) {
        try {
            await (0,promises_.rm)(folder, { recursive: true, force: true });
            return undefined;
        }
        catch (error) {
            if (attempt === ATTEMPTS)
                return `${sanitise_sanitise(folder)} could not be removed: ${sanitise_sanitise(errors_describeError(error))}`;
            await (0,promises_namespaceObject.setTimeout)(RETRY_DELAY_MS);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/step/cache-service.js
// Calls the runner's cache service through the program src/cache.ts, within a time limit. Used by
// installation-cache.ts.






const cache_service_KEPT_FOLDER = 'kept';
/** The service's address and the job's token for it, as the runner names them; the library reads them. */
const SERVICE = /^(ACTIONS_(CACHE_URL|RESULTS_URL|CACHE_SERVICE_V2|CACHE_MODE|RUNTIME_TOKEN)|GITHUB_SERVER_URL)$/;
/**
 * For GNU tar, which the library tells to obey absolute names: with these, nothing is unpacked outside of the folder,
 * and as root the files become ours. Other tars do not read the variable.
 */
const SAFE_UNPACKING = '--exclude=/* --exclude=?:* --exclude=.. --no-same-owner';
/** The job's variables that the program needs, added to those that any program sees. */
function selectCacheEnvironment(job, common) {
    const service = Object.entries(job).flatMap(([name, value]) => SERVICE.test(name) && value !== undefined ? [[name, value]] : []);
    return { ...common, ...Object.fromEntries(service) };
}
/** Rejects with the signal's reason when aborted; every other failure is an answer. */
async function cache_service_callCacheService(call) {
    const { verb, folder, signal, logger } = call;
    if (!call.environment.ACTIONS_CACHE_URL && !call.environment.ACTIONS_RESULTS_URL)
        return { kind: 'absent' };
    const limit = AbortSignal.timeout(call.limitMs);
    const archive = (0,external_node_path_.join)(folder, 'archive');
    const report = new LibraryReport();
    try {
        await (0,promises_.mkdir)(archive, { recursive: true });
        await runCommand({
            command: process.execPath,
            args: [call.script, verb, cache_service_KEPT_FOLDER, ...call.names],
            cwd: folder,
            environment: {
                ...call.environment,
                // The library takes paths in the archive from the workspace, and puts the archive into the temp folder.
                GITHUB_WORKSPACE: folder,
                RUNNER_TEMP: archive,
                ...(verb === 'restore' && { TAR_OPTIONS: SAFE_UNPACKING }),
            },
            signal: AbortSignal.any([signal, limit]),
            onLine: line => {
                report.read(line);
                // The address of the archive gives access to it.
                if (!line.startsWith('::add-mask::'))
                    logger.debug(`cache: ${hideQueries(line)}`);
            },
            ...(call.onChild && { onChild: call.onChild }),
        });
        return report.conclude(call.names);
    }
    catch (error) {
        signal.throwIfAborted();
        const reason = limit.aborted ? `no answer within ${call.limitMs / 1_000} s` : errors_describeError(error);
        return { kind: 'failed', reason: [reason, report.problem].filter(text => text !== undefined).join(': ') };
    }
    finally {
        // What cannot be removed goes with the folder around it.
        await folders_removeFolder(archive);
    }
}
const cache_service_AnswerSchema = variant('cache', [
    object({ cache: literal('absent') }),
    object({ cache: literal('nothing') }),
    object({ cache: literal('restored'), name: string() }),
    object({ cache: literal('saved') }),
]);
/** Reads what the program prints: its answer, and before it what the library prints for the job's log. */
class LibraryReport {
    #answer;
    /** The last problem that the library reported: it throws none. */
    problem;
    read(line) {
        // As a command of the runner (toolkit, `issueCommand`), or as plain text.
        const [, command, plain] = /^::(?:warning|error)[^:]*::(.*)|^(?:Failed to save: |Attempt \d+ of \d+ failed with error: )(.*)/.exec(line) ?? [];
        const problem = command === undefined ? plain : decodeCommand(command);
        if (problem !== undefined)
            this.problem = hideQueries(problem.replace(/^Failed to (restore|save): /, ''));
        if (line.startsWith('{'))
            this.#answer = parseAnswer(line) ?? this.#answer;
    }
    conclude(wanted) {
        const answer = this.#answer;
        switch (answer?.cache) {
            case 'absent':
            case 'saved':
                return { kind: answer.cache };
            case 'restored':
                // A service takes an entry whose name begins like the wanted one if there is none of that name.
                return wanted.includes(answer.name)
                    ? { kind: 'restored', name: answer.name }
                    : { kind: 'failed', reason: `it holds ${answer.name} instead` };
            default:
                return this.problem === undefined ? { kind: 'missing' } : { kind: 'failed', reason: this.problem };
        }
    }
}
function parseAnswer(line) {
    try {
        return parse(cache_service_AnswerSchema, JSON.parse(line));
    }
    catch {
        return undefined;
    }
}
function decodeCommand(text) {
    return text.replaceAll('%0A', ' ').replaceAll('%0D', '').replaceAll('%25', '%');
}
function hideQueries(text) {
    return text.replaceAll(/(https?:\/\/[^\s?]+)\?\S+/g, '$1');
}

;// CONCATENATED MODULE: ./build/js/step/installation-cache.js
// Keeps an installed wasmrun in the runner's cache service between jobs: main takes what an earlier job left, post
// leaves what this job installed. Used by preview and teardown. No failure here fails the job.







/** An entry has some MB. A slow service costs this at most, and installing takes seconds to minutes. */
const RESTORE_LIMIT_MS = 15_000;
/** The store for main. */
function openInstallationStore(options) {
    const { mode, folder, machine, logger, limitMs = RESTORE_LIMIT_MS } = options;
    return {
        runtimesFolder: findRuntimes(mode, machine),
        noteInstalled: options.noteInstalled,
        async restore(version, signal) {
            const { program, withRuntimes } = kept_nameEntries(version);
            const names = mode === 'os' ? [withRuntimes, program] : [program, withRuntimes];
            await (0,promises_.mkdir)(folder, { recursive: true, mode: 0o700 });
            const call = createCall(options, { verb: 'restore', names, folder, limitMs, signal });
            const answer = await cache_service_callCacheService(call);
            if (answer.kind === 'restored')
                return { folder: (0,external_node_path_.join)(folder, cache_service_KEPT_FOLDER), name: answer.name };
            if (answer.kind === 'missing')
                logger.info(`wasmrun ${version}: not in the cache yet`);
            if (answer.kind === 'failed')
                logger.info(`wasmrun ${version}: the cache cannot be used (${answer.reason}), so it is installed`);
            return undefined;
        },
    };
}
/** Saves what main has installed; for post. Resolves when it is saved, when that failed, or after `limitMs`. */
async function keepInstallation(options) {
    const { mode, installation, machine, logger } = options;
    const began = performance.now();
    let folder;
    try {
        folder = await mkdtemp(join(machine.tempFolder, 'wasmrun-to-keep-'));
        const runtimes = findRuntimes(mode, machine);
        const files = runtimes === undefined ? [] : listRuntimes(runtimes);
        await packInstallation(join(folder, KEPT_FOLDER), installation, files);
        const { program, withRuntimes } = nameEntries(installation.version);
        const name = files.length > 0 ? withRuntimes : program;
        const call = { verb: 'save', names: [name], folder, limitMs: options.limitMs, signal: NEVER };
        const answer = await callCacheService(createCall(options, call));
        if (answer.kind === 'saved')
            logger.info(`wasmrun ${installation.version}: kept in the cache for later jobs as ${name}, in ${describeSeconds(began)}`);
        else if (answer.kind !== 'absent')
            logger.info(`wasmrun ${installation.version}: not kept in the cache (${answer.kind === 'failed' ? answer.reason : 'it gave no reason'})`);
    }
    catch (error) {
        logger.info(`wasmrun ${installation.version}: not kept in the cache (${describeError(error)})`);
    }
    finally {
        const left = folder === undefined ? undefined : await removeFolder(folder);
        if (left !== undefined)
            logger.warn(left);
    }
}
/** Post is not cancelled: it has its time limit. */
const NEVER = new AbortController().signal;
function createCall({ machine, script, logger, onChild }, call) {
    const environment = selectCacheEnvironment(machine.variables, machine.childEnvironments.program);
    return { ...call, script, environment, logger, ...(onChild && { onChild }) };
}
/**
 * wasmrun's own folder for what it downloads on first use, in OS mode; undefined on runners of your own. There the home
 * folder outlives the job and serves other repositories, and what is in this repository's cache must not get there.
 */
function findRuntimes(mode, { variables }) {
    if (mode !== 'os' || variables.RUNNER_ENVIRONMENT === 'self-hosted')
        return undefined;
    const home = process.platform === 'win32' ? (0,external_node_os_namespaceObject.homedir)() : (variables.HOME ?? (0,external_node_os_namespaceObject.homedir)());
    return (0,external_node_path_.join)(home, '.wasmrun', 'runtimes');
}
function describeSeconds(began) {
    return `${((performance.now() - began) / 1_000).toFixed(1)} s`;
}

;// CONCATENATED MODULE: ./build/js/step/job-environment.js
// The only reader of the job's environment. Also reads the inputs that are needed before all others: those of the fork
// rules, and those of the `stop` and `wait` actions. These need nothing else, so this file imports little; machine.ts
// has the rest. Secrets are masked when they are read.





/** The inputs of the fork rules. Masks the token. */
function readForkRuleInputs() {
    const token = getInput('github-token');
    if (token)
        core_setSecret(token);
    return {
        path: (0,external_node_path_.resolve)(readWorkspace(), getInput('path') || '.'),
        token,
        allowUntrustedHead: getInput('allow-untrusted-head').toLowerCase() === 'true',
    };
}
/** Which session the `stop` action must end; undefined means the only one. */
function readStopInputs() {
    return { session: core.getInput('session') || undefined };
}
function readWaitInputs() {
    const read = (name) => core.getInput(name) || undefined;
    return {
        session: read('session'),
        path: read('path'),
        method: read('method'),
        count: read('count'),
        timeout: read('timeout'),
        since: read('since'),
        match: core.getMultilineInput('match'),
    };
}
/** The job as the runner describes it, for the fork rules and the comment. Throws if the payload cannot be read. */
function readJob() {
    return describeJob(process.env, getInput('matrix'));
}
/** The whole environment, for machine.ts. */
function readVariables() {
    return process.env;
}
/** Where the session folders of this job are. */
function readTempFolder() {
    return process.env.RUNNER_TEMP || (0,external_node_os_namespaceObject.tmpdir)();
}
/** Where the job's checkout is; relative paths in inputs start here. */
function readWorkspace() {
    return process.env.GITHUB_WORKSPACE || process.cwd();
}
/** `matrix` is the leg's values as JSON. Throws if the event's payload cannot be read. */
function describeJob(environment, matrix) {
    const [owner = '', name = ''] = (environment.GITHUB_REPOSITORY ?? '').split('/');
    return {
        eventName: environment.GITHUB_EVENT_NAME ?? '',
        event: readEvent(environment.GITHUB_EVENT_PATH),
        repository: { owner, name },
        sha: environment.GITHUB_SHA ?? '',
        ref: environment.GITHUB_REF ?? '',
        runId: environment.GITHUB_RUN_ID ?? '',
        runAttempt: Number(environment.GITHUB_RUN_ATTEMPT ?? 1) || 1,
        serverUrl: environment.GITHUB_SERVER_URL || 'https://github.com',
        apiUrl: environment.GITHUB_API_URL || 'https://api.github.com',
        workflowRef: environment.GITHUB_WORKFLOW_REF || environment.GITHUB_WORKFLOW || '',
        jobId: environment.GITHUB_JOB ?? '',
        stepId: environment.GITHUB_ACTION ?? '',
        matrix: parseMatrix(matrix),
        actor: environment.GITHUB_ACTOR ?? '',
    };
}
function readEvent(file) {
    if (!file)
        return {};
    try {
        return JSON.parse((0,external_node_fs_namespaceObject.readFileSync)(file, 'utf8'));
    }
    catch (error) {
        throw new Error(`the event's payload ${file} cannot be read: ${errors_describeError(error)}`, { cause: error });
    }
}
function parseMatrix(text) {
    try {
        return JSON.parse(text || 'null');
    }
    catch {
        return text;
    }
}

;// CONCATENATED MODULE: ./build/js/step/log-tail.js
// Reads the supervisor's log file: main follows it while it grows, and post reads its last lines. Used by log.ts.


const log_tail_POLL_MS = 200;
const log_tail_CHUNK_BYTES = 64 * 1024;
/** Calls `onLine` with every whole line of the file from byte `from` on, as the file grows. */
function followLog(file, onLine, from = 0) {
    const reader = new LineReader(file, from);
    const readAll = () => {
        for (const line of reader.read())
            onLine(line);
    };
    const timer = setInterval(readAll, log_tail_POLL_MS);
    return {
        stop: () => {
            clearInterval(timer);
            readAll();
            return reader.passedOn;
        },
    };
}
/** The last `count` lines of a file from byte `from` on, and how many came before them. */
function log_tail_readTail(file, count, from = 0) {
    const lines = [...new LineReader(file, from).read()];
    return { lines: lines.slice(-count), skipped: Math.max(0, lines.length - count) };
}
class LineReader {
    #file;
    #decoder = new TextDecoder();
    #buffer = new LineBuffer();
    #position;
    constructor(file, position) {
        this.#file = file;
        this.#position = position;
    }
    get passedOn() {
        return this.#position - Buffer.byteLength(this.#buffer.rest);
    }
    *read() {
        for (let chunk = this.#readChunk(); chunk.length > 0; chunk = this.#readChunk())
            yield* this.#buffer.add(this.#decoder.decode(chunk, { stream: true }));
    }
    #readChunk() {
        let handle;
        try {
            handle = (0,external_node_fs_namespaceObject.openSync)(this.#file, 'r');
        }
        catch {
            return new Uint8Array(); // not written yet, or removed at the end
        }
        const buffer = Buffer.alloc(log_tail_CHUNK_BYTES);
        try {
            const bytes = (0,external_node_fs_namespaceObject.readSync)(handle, buffer, 0, buffer.length, this.#position);
            this.#position += bytes;
            return buffer.subarray(0, bytes);
        }
        catch {
            return new Uint8Array(); // the disk cannot be read; this is only a copy of the log, so it may lack lines
        }
        finally {
            (0,external_node_fs_namespaceObject.closeSync)(handle);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/step/print.js
// All output of main, post, stop and wait goes through this file, which sanitises it: names, paths and messages contain
// untrusted text, and the runner executes commands that it finds in the log. Nothing else in step/ and these
// programs prints.



const print_print = {
    debug: (text) => core_debug(sanitiseLines(text)),
    /** A plain line; also for use while the runner's command parser is off. */
    info: (text) => void process.stdout.write(`${sanitiseLines(text)}\n`),
    /** An annotation, like `warning` and `error`. */
    notice: (text) => notice(sanitiseLines(text)),
    warning: (text) => warning(sanitiseLines(text)),
    error: (text) => error(sanitiseLines(text)),
    /** An error that makes the step red. */
    failure: (text) => setFailed(sanitiseLines(text)),
    /** Lines in a folded group; the runner obeys no command in them. */
    group: (title, lines) => {
        startGroup(sanitiseLines(title));
        const resume = suspendCommands();
        for (const line of lines)
            print_print.info(line);
        resume();
        endGroup();
    },
};
/** From now on the runner obeys no command in the output, until the returned function is called. */
function suspendCommands() {
    const token = (0,external_node_crypto_.randomBytes)(16).toString('hex');
    process.stdout.write(`::stop-commands::${token}\n`);
    return () => process.stdout.write(`::${token}::\n`);
}

;// CONCATENATED MODULE: ./build/js/step/log.js
// The step's log: a logger for main and post, and copies of the supervisor's log. The runner's command parser is off
// while such a copy is printed. Used by preview, report-target and teardown.




/** A logger that prints to the step's log; warnings and errors become annotations. */
function createStepLogger(level) {
    return log_createLogger({
        level,
        write: (line, kind) => {
            if (kind === 'warn')
                print_print.warning(line);
            else if (kind === 'error')
                print_print.error(line);
            else
                print_print.info(line);
        },
    });
}
/**
 * Copies the file's lines to the step's log as the file grows. Until `stop`, the runner obeys no command, not even
 * ours. `stop` returns how many bytes of the file were shown.
 */
function relayLog(file) {
    const resume = suspendCommands();
    // The supervisor's logger sanitises its lines, but a crash of the supervisor prints unsanitised text.
    const tail = followLog(file, print_print.info);
    return {
        stop: () => {
            const shown = tail.stop();
            resume();
            return shown;
        },
    };
}
/** Prints the last lines of the file, from byte `from` on, as one group. */
function printTail(file, title, count, from = 0) {
    const { lines, skipped } = readTail(file, count, from);
    if (lines.length === 0)
        return;
    print.group(title, skipped > 0 ? [`… ${renderCount(skipped, 'earlier line')}`, ...lines] : lines);
}

;// CONCATENATED MODULE: ./build/js/app/environment.js
// Which of the job's environment variables a program may see: allow-lists. Used by supervisor/host.ts, and by
// command-environment.ts, which adds to them.
/** Needed to run at all, to speak the user's language, and to be cleaned up by the runner (RUNNER_TRACKING_ID). */
const SYSTEM = 'PATH HOME USER SHELL LANG TZ TMPDIR TERM CI RUNNER_TRACKING_ID';
/** Without these nothing reaches the network behind a company proxy; tools read both spellings. */
const NETWORK = 'HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy ' +
    'SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO';
/** Windows programs do not start without their system folders; names are case-insensitive there. */
const WINDOWS = 'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP OS USERNAME USERPROFILE USERDOMAIN HOMEDRIVE HOMEPATH ' +
    'APPDATA LOCALAPPDATA ALLUSERSPROFILE PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 ' +
    'COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) COMMONPROGRAMW6432 NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE';
/** Where Rust is installed. Not all of CARGO_*: CARGO_REGISTRY_TOKEN is one of them. */
const RUST = 'CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN CARGO_HTTP_CAINFO CARGO_HTTP_PROXY';
const ALLOWED = new Set(`${SYSTEM} ${NETWORK}`.split(' '));
const ALLOWED_ON_WINDOWS = new Set(`${SYSTEM} ${NETWORK} ${WINDOWS}`.toUpperCase().split(' '));
const ALLOWED_FOR_INSTALLATION = new Set(RUST.split(' '));
/** The variables that any program may see: for the supervisor, and for the app in `mode: web`. */
function selectEnvironment(job, platform = process.platform) {
    return environment_pick(job, name => isAllowed(name, platform));
}
/** These variables and `WASMRUN_*`, without the secret of wasmrun's own tunnel: for `mode: os` and `exec`. */
function selectWasmrunEnvironment(job, platform = process.platform) {
    return environment_pick(job, name => isAllowed(name, platform) || (name.startsWith('WASMRUN_') && name !== 'WASMRUN_TUNNEL_SECRET'));
}
/** The variables that any program may see, and those of Rust: for the installation of wasmrun. */
function selectInstallEnvironment(job, platform = process.platform) {
    return environment_pick(job, name => isAllowed(name, platform) || ALLOWED_FOR_INSTALLATION.has(name));
}
function isAllowed(name, platform) {
    if (platform === 'win32')
        return ALLOWED_ON_WINDOWS.has(name.toUpperCase()) || /^LC_/i.test(name);
    return ALLOWED.has(name) || name.startsWith('LC_');
}
function environment_pick(job, keep) {
    const picked = {};
    for (const [name, value] of Object.entries(job))
        if (value !== undefined && keep(name))
            picked[name] = value;
    return picked;
}

;// CONCATENATED MODULE: ./build/js/app/command-environment.js
// Which of the job's environment variables a `command` sees: what tells it where the tools of the job are and how they
// are set, as in any other step, and nothing that is or points at a credential. Used by supervisor/host.ts.
//
// Not simply everything that a `run:` step gets: the command's answers are public, and error pages and debug routes of
// many frameworks show their whole environment. So it is still a list of what passes, but one of kinds, not of names:
// the settings of known tools, and the folders of any tool. `env` passes the rest, by name.



/** What describes the machine; RUNNER_TOOL_CACHE is where setup-actions put their tools. */
const OF_THE_RUNNER = /^RUNNER_/;
/**
 * Of the run, not of its tools: the token, the files through which a step gives the runner orders, and the folder with
 * the files of all steps.
 */
const OF_THE_RUN = /^(GITHUB_|RUNNER_TEMP$)/;
/** Settings of compilers, package managers and runtimes, by the first word of their name. */
const TOOLS = new Set(('ANDROID BUN CARGO CGO CMAKE COMPOSE CONAN CONDA COREPACK CPLUS DENO DOTNET DYLD ELECTRON ERL ERLANG FLUTTER ' +
    'GEM GO GRADLE HEX JAVA JDK JRE KOTLIN LD LIBRARY MAMBA MAVEN MESON MIX NEXT NIX NODE NPM NUGET NUXT NVM OPAM ' +
    'PERL PERL5 PHP PIP PIPX PIXI PKG PLAYWRIGHT PNPM POETRY PUB PUPPETEER PYENV PYTHON R RACK RAILS RBENV RUBY ' +
    'RUBYLIB RUBYOPT RUST RUSTC RUSTUP SDKMAN STACK SWIFT TESTCONTAINERS TURBO UV VCPKG VIRTUAL VITE VOLTA XDG YARN ZIG').split(' '));
const TOOL_NAMES = new Set(('AR CC CFLAGS CLASSPATH CONTAINER_HOST CPATH CPP CPPFLAGS CXX CXXFLAGS DEBIAN_FRONTEND DISPLAY DJANGO_SETTINGS_MODULE ' +
    'DOCKER_BUILDKIT DOCKER_CONTEXT DOCKER_DEFAULT_PLATFORM DOCKER_HOST FLASK_APP FLASK_ENV FORCE_COLOR BUNDLE_GEMFILE ' +
    'IMAGEOS IMAGEVERSION LDFLAGS MAKEFLAGS MANPATH NM NO_COLOR RANLIB RUSTFLAGS').split(' '));
/** A tool's folder, or a list of folders: `LLVM_ROOT`, `NVM_DIR`, `JAVA_HOME_17_X64`. */
const FOLDER_WORDS = /(^|_)(HOME|ROOT|DIR|DIRS|PATH|PATHS|PREFIX|BIN|LIB|SDK|LOCATION|INSTALL|INSTALLATION)(_|$)/;
/** The name of a credential: a word of it, or a part that is part of no other word. */
const CREDENTIAL_WORDS = /(^|_)(AUTH|CERT|CERTIFICATE|COOKIE|CRED|CREDS|DSN|IDENTITY|JWT|KEY|KEYCHAIN|KEYRING|KEYS|KEYSTORE|LOGIN|OAUTH|PASS|PASSFILE|PAT|PWD|SALT|SAS|SESSION|SIGNING|SSH|WEBHOOK)(_|$)/;
const CREDENTIAL_PARTS = /TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE|ACCESS_?KEY|ASKPASS|XAUTHORITY|AUTHTOKEN|_AUTH$/;
/** Where tools keep credentials, and the variables of clouds, which point at theirs. */
const CREDENTIAL_PLACES = /^(ACTIONS|ALIYUN|ARM|AWS|AZURE|BORE|CLOUDSDK|DOCKER_CONFIG|EXPOSE|GCLOUD|GCP|GIT_CONFIG|GNUPGHOME|GOOGLE|GPG|HELM|INPUT|KUBE|NETRC|NPM_CONFIG_(GLOBAL|USER)CONFIG|OCI|PGSERVICEFILE|PIP_CONFIG_FILE|STATE|VAULT|WASMRUN_TUNNEL)/;
/** `https://user:password@host`, and the beginnings of well-known tokens and keys. */
const CREDENTIAL_VALUES = /\/\/[^/@\s]*:[^/@\s]+@|\b(gh[a-z]_|github_pat_|glpat-|npm_[A-Za-z0-9]{30}|sk_(live|test)_|xox[a-z]-|AKIA|eyJ[A-Za-z0-9])|-----BEGIN /;
/** What the runner gives every step, and what bash sets by itself: nobody misses these. */
const NOT_WORTH_A_WORD = /^((ACTIONS|GITHUB|INPUT|STATE)_.*|RUNNER_TEMP|_|OLDPWD|PWD|SHLVL|BASH.*|COLUMNS|LINES)$/;
function selectCommandEnvironment(job, platform = process.platform) {
    const passed = selectEnvironment(job, platform);
    const leftOut = [];
    for (const [name, value] of Object.entries(job)) {
        if (value === undefined || name in passed)
            continue;
        const key = name.toUpperCase();
        if (isForCommand(key, value, platform))
            passed[name] = value;
        else if (!NOT_WORTH_A_WORD.test(key))
            leftOut.push(name);
    }
    return { passed, leftOut: leftOut.sort() };
}
function isForCommand(name, value, platform) {
    if (isCredential(name, value) || OF_THE_RUN.test(name))
        return false;
    const [word = ''] = name.split('_');
    return (OF_THE_RUNNER.test(name) ||
        TOOL_NAMES.has(name) ||
        TOOLS.has(word) ||
        // setup-python's pythonLocation; GOROOT, GOPATH and GOFLAGS.
        /^(PYTHON|GO(ROOT|PATH|FLAGS|PROXY|BIN|CACHE|MODCACHE|TOOLCHAIN|OS|ARCH|ENV|NOPROXY|NOSUMDB|SUMDB|EXPERIMENT))/.test(name) ||
        isFolder(name, value, platform));
}
function isCredential(name, value) {
    return (CREDENTIAL_PLACES.test(name) ||
        CREDENTIAL_WORDS.test(name) ||
        CREDENTIAL_PARTS.test(name) ||
        CREDENTIAL_VALUES.test(value));
}
/** An absolute path, or a list of them: by the variable's name, or because the first one is there. */
function isFolder(name, value, platform) {
    const { isAbsolute, delimiter } = platform === 'win32' ? external_node_path_.win32 : external_node_path_.posix;
    const entries = value.split(delimiter).filter(entry => entry !== '');
    const [first] = entries;
    if (first === undefined || !entries.every(entry => isAbsolute(entry)))
        return false;
    return FOLDER_WORDS.test(name) || (0,external_node_fs_namespaceObject.existsSync)(first);
}

;// CONCATENATED MODULE: ./build/js/supervisor/host.js
// The machine that a preview runs on, read from its environment once: by step/machine.ts in a job, by
// commands/shell.ts in a shell. All other code gets this object, not the environment.



const RELEASES_URL = 'https://api.github.com/repos/anistark/wasmrun/releases';
/** Reads everything of the environment that a preview needs. */
function readHost(environment, tempFolder) {
    return {
        tempFolder,
        pathVariable: environment.PATH ?? '',
        toolCache: environment.RUNNER_TOOL_CACHE || undefined,
        releasesUrl: environment.EXPOSE_WASMRUN_RELEASES_URL || RELEASES_URL,
        spareConnections: !/^(off|false|0)$/i.test(environment.EXPOSE_WARM_CONNECTIONS?.trim() ?? ''),
        proxy: selectProxyVariables(environment),
        childEnvironments: {
            program: selectEnvironment(environment),
            wasmrun: selectWasmrunEnvironment(environment),
            installation: selectInstallEnvironment(environment),
        },
        commandEnvironment: selectCommandEnvironment(environment),
    };
}

;// CONCATENATED MODULE: ./build/js/step/machine.js
// The machine and the job's folders, as the runner describes them. Used by preview and teardown.




/** Reads it from the job's environment. */
function readMachine() {
    const [variables, workspace] = [readVariables(), readWorkspace()];
    return {
        ...readHost(variables, readTempFolder()),
        workspace,
        continueFile: (0,external_node_path_.join)(workspace, 'continue'),
        isHosted: variables.RUNNER_ENVIRONMENT === 'github-hosted',
        jobStartedAt: readJobStart(variables.GITHUB_EVENT_PATH),
        isDebug: variables.RUNNER_DEBUG === '1',
        variables,
    };
}
/** The runner writes the event's payload when the job starts, and never again. */
function readJobStart(eventFile) {
    return eventFile ? (0,external_node_fs_namespaceObject.statSync)(eventFile, { throwIfNoEntry: false })?.mtime : undefined;
}

;// CONCATENATED MODULE: ./build/js/github/checkout.js
// The commit that is checked out in a folder, read from git's own files. It does not run git, which could run programs
// that the checkout configures. Used by the fork rules.


const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
/** The commit checked out at `path` (a folder or a file), or undefined if that is unknown. */
function readCheckedOutCommit(path) {
    try {
        const folder = findGitFolder((0,external_node_fs_namespaceObject.realpathSync)(path));
        return folder === undefined ? undefined : resolveHead(folder);
    }
    catch {
        return undefined;
    }
}
/**
 * The nearest `.git` in this folder or above. In worktrees and submodules it is a file that contains the folder's path.
 */
function findGitFolder(path) {
    const candidate = (0,external_node_path_.join)(path, '.git');
    const found = (0,external_node_fs_namespaceObject.statSync)(candidate, { throwIfNoEntry: false });
    if (found?.isDirectory())
        return candidate;
    if (found?.isFile())
        return (0,external_node_path_.resolve)(path, checkout_readText(candidate).replace(/^gitdir: /, ''));
    const parent = (0,external_node_path_.dirname)(path);
    return parent === path ? undefined : findGitFolder(parent);
}
/**
 * HEAD is a commit, or names a branch whose commit is in a file of its own or in `packed-refs` (gitrepository-layout).
 */
function resolveHead(folder) {
    const head = checkout_readText((0,external_node_path_.join)(folder, 'HEAD'));
    if (COMMIT.test(head))
        return head;
    const branch = /^ref: (refs\/\S+)$/.exec(head)?.[1];
    if (branch === undefined)
        return undefined;
    const common = readOptional((0,external_node_path_.join)(folder, 'commondir'));
    const shared = common === undefined ? folder : (0,external_node_path_.resolve)(folder, common);
    const loose = readOptional((0,external_node_path_.join)(shared, branch));
    if (loose !== undefined)
        return COMMIT.test(loose) ? loose : undefined;
    const packed = readOptional((0,external_node_path_.join)(shared, 'packed-refs')) ?? '';
    const line = packed.split('\n').find(entry => entry.endsWith(` ${branch}`));
    const commit = line?.split(' ')[0] ?? '';
    return COMMIT.test(commit) ? commit : undefined;
}
function checkout_readText(file) {
    return (0,external_node_fs_namespaceObject.readFileSync)(file, 'utf8').trim();
}
function readOptional(file) {
    return (0,external_node_fs_namespaceObject.statSync)(file, { throwIfNoEntry: false })?.isFile() ? checkout_readText(file) : undefined;
}

;// CONCATENATED MODULE: ./build/js/github/fork-rules.js
// The fork rules decide whether the code on the runner may run in a job that has secrets. The step checks them before
// it reads its other inputs, because a fork's job has no `vars` and no secrets, so its inputs look wrong. docs/forks.md
// explains the rules to users; GitHub Security Lab describes the attack in "Preventing pwn requests".






const FORKS_PAGE = 'https://github.com/wasmrun/expose-action/blob/main/docs/forks.md';
/** For a pull request from a fork, jobs of these events have a read-only token and no secrets. */
const PULL_REQUEST_EVENTS = ['pull_request', 'pull_request_review', 'pull_request_review_comment'];
/**
 * If Dependabot is the actor, jobs of these events get Dependabot's own secrets and a read-only token (GitHub docs).
 */
const DEPENDABOT_EVENTS = [...PULL_REQUEST_EVENTS, 'push', 'create', 'deployment', 'deployment_status'];
/**
 * Jobs of these events have secrets and a write token, whoever caused the event, and are often about untrusted code.
 */
const PRIVILEGED_EVENTS = ['pull_request_target', 'workflow_run', 'issue_comment', 'repository_dispatch'];
/** These events are about a commit of the repository itself, so workflows have no reason to check out a fork. */
const OWN_COMMIT_EVENTS = ['push', 'schedule', 'merge_group'];
/**
 * People with write access cause these, mostly for the run's own commit; what the job built may be outside any
 * checkout.
 */
const CHECKOUT_OPTIONAL_EVENTS = ['workflow_dispatch', 'release'];
const DEPENDABOT = 'dependabot[bot]';
/**
 * If GitHub gives no answer in time, the code is untrusted. Rejects only if the signal is aborted for another reason.
 */
async function checkForkRules(options) {
    const { job, allowUntrustedHead } = options;
    const withheld = findWithheld(job);
    if (withheld !== undefined) {
        const reason = `${withheld}, so its job gets a read-only token and no secrets`;
        if (allowUntrustedHead)
            return { kind: 'allowed untrusted', reason: `${reason}: there will be no comment` };
        return { kind: 'skip', reason: `no preview: ${reason}. See ${FORKS_PAGE}` };
    }
    if ([...PULL_REQUEST_EVENTS, ...OWN_COMMIT_EVENTS].includes(job.eventName))
        return { kind: 'trusted' };
    const reason = await findUntrustedReason(options);
    if (reason === undefined)
        return { kind: 'trusted' };
    if (allowUntrustedHead)
        return { kind: 'allowed untrusted', reason };
    return { kind: 'refuse', reason: renderRefusal(job, reason) };
}
/** Why GitHub withholds secrets from this job; undefined if it does not. */
function findWithheld(job) {
    if (DEPENDABOT_EVENTS.includes(job.eventName) && job.actor === DEPENDABOT) {
        return 'this run was started by Dependabot';
    }
    if (!PULL_REQUEST_EVENTS.includes(job.eventName))
        return undefined;
    const head = readEventPullRequest(job);
    if (head === undefined)
        return "this run's event does not say where the pull request comes from";
    return isOwn(job, head.headRepository) ? undefined : renderOrigin(head.headRepository);
}
/** Why the code at `path` is untrusted; undefined if it is the repository's own. */
async function findUntrustedReason(options) {
    const { job, path } = options;
    if (!PRIVILEGED_EVENTS.includes(job.eventName))
        return findUnexpectedCommit(job, path);
    if (job.eventName === 'repository_dispatch')
        return 'this run was started by repository_dispatch, and it is unknown whose code it is about';
    try {
        const head = job.eventName === 'workflow_run' ? readRunHead(job) : await fork_rules_readHead(options);
        if (typeof head === 'string')
            return head;
        if (!isOwn(job, head.repository))
            return renderOrigin(head.repository);
        const commit = readCheckedOutCommit(path);
        if (commit !== undefined && head.commits.includes(commit))
            return undefined;
        const expected = head.commits.map(sha => sanitise_sanitise(sha)).join(' or ');
        return `${renderFound(path, commit)}, but the head ${expected} was expected`;
    }
    catch (error) {
        if (error instanceof github_error_GitHubError)
            return `the origin of the code could not be determined: ${errors_describeError(error)}`;
        throw error;
    }
}
/** A slash command may have passed a pull request's number to this run, which then checked out a fork. */
function findUnexpectedCommit(job, path) {
    const commit = readCheckedOutCommit(path);
    if (commit === job.sha)
        return undefined;
    if (commit === undefined && CHECKOUT_OPTIONAL_EVENTS.includes(job.eventName))
        return undefined;
    return `${renderFound(path, commit)}, but this run's own commit ${sanitise_sanitise(job.sha)} was expected`;
}
/** The head of the pull request a privileged event is about, or why it is unknown. */
async function fork_rules_readHead({ job, github, signal }) {
    const fromEvent = readEventPullRequest(job);
    const issue = readIssue(job);
    if (!fromEvent && !issue)
        return 'the event does not say which pull request it is about';
    // A comment on a plain issue is about the default branch.
    if (!fromEvent && !issue?.pull_request)
        return { repository: ownName(job), commits: [job.sha] };
    const number = fromEvent?.number ?? issue?.number ?? 0;
    const now = await readPullRequest({ job, github, number, signal });
    return { repository: now.headRepository, commits: listHeads(now, fromEvent) };
}
/**
 * The head now, and the head at the time of the event, because within one repository a push in between is not an
 * attack.
 */
function listHeads(now, then) {
    const own = then !== undefined && then.headRepository === now.headRepository;
    return own ? [...new Set([then.headSha, now.headSha])] : [now.headSha];
}
/** The head of the run that a `workflow_run` event waited for, or why it is unknown. */
function readRunHead(job) {
    const run = readWorkflowRun(job);
    if (run === undefined)
        return 'the event does not say which run it is about';
    // Such a run was privileged itself, and may have built any code.
    if (PRIVILEGED_EVENTS.includes(run.event)) {
        return `the run before this one was started by ${run.event}, and it is unknown whose code it built`;
    }
    // The branch is the repository's own, but it contains a new release of a dependency, so GitHub withholds secrets.
    if ([job.actor, run.actor?.login, run.triggering_actor?.login].includes(DEPENDABOT)) {
        return 'the run before this one was started by Dependabot';
    }
    return { repository: run.head_repository?.full_name ?? '', commits: [run.head_sha] };
}
/** GitHub compares owners and names case-insensitively. */
function isOwn(job, repository) {
    return repository.toLowerCase() === ownName(job).toLowerCase();
}
function ownName({ repository }) {
    return `${repository.owner}/${repository.name}`;
}
function renderFound(path, commit) {
    const found = commit === undefined ? 'no commit was found' : `commit ${commit} is checked out`;
    return `${found} at ${sanitise_sanitise(path)}`;
}
function renderOrigin(repository) {
    return repository === ''
        ? 'this pull request comes from a repository that is gone'
        : `this pull request comes from the fork ${sanitise_sanitise(repository)}`;
}
function renderRefusal(job, reason) {
    return (`refused: ${reason}. A ${job.eventName} job has secrets and a token that can write, so code that nobody ` +
        `has approved must not run in it. A safe way to preview forks: ${FORKS_PAGE}`);
}

;// CONCATENATED MODULE: ./build/js/supervisor/access.js
// Decides what the `access` input means in this repository or on this machine. Used by step and commands before they
// plan an exposure.


/** 192 bits. */
const GENERATED_KEY_BYTES = 24;
/**
 * Resolves `auto`: `open` if everybody can read the repository anyway, otherwise a link with a key. Throws an
 * InputError if raw bytes would be open to everybody without the workflow saying so.
 */
function resolveAccess(requested, protocol, isPublic) {
    switch (requested.kind) {
        case 'open':
            return { access: requested, reason: 'open to everybody, as `access` says' };
        case 'basic':
            return { access: requested, reason: 'a user and a password' };
        case 'link':
            return requested.key === undefined
                ? generateLink()
                : {
                    access: { kind: 'link', key: requested.key, isGenerated: false },
                    reason: 'the key that was given',
                };
        case 'auto': {
            if (isPublic)
                return { access: { kind: 'open' }, reason: 'open to everybody, because the repository is public' };
            if (protocol === 'tcp')
                throw new errors_InputError('`protocol` is tcp, so anybody who finds the port can connect, and the repository is not known to be public: write access: open if you want that');
            return generateLink();
        }
    }
}
function generateLink() {
    const key = (0,external_node_crypto_.randomBytes)(GENERATED_KEY_BYTES).toString('base64url');
    return {
        access: { kind: 'link', key, isGenerated: true },
        reason: 'a key of this run, which is part of the link',
    };
}

;// CONCATENATED MODULE: ./build/js/step/report-target.js
// Decides whether there is a preview (the fork rules), which pull request gets its comment, and who can open it
// (`access`). Used by preview, before anything is started.










/** How long GitHub may take to answer; after that the step continues without it. */
const API_TIMEOUT_MS = 30_000;
/** Connects to GitHub with the step's token, through the job's proxy. Sends no request yet. */
function connectForStep(job, { token }, { proxy }) {
    return connectGitHub({
        token,
        apiUrl: job.apiUrl,
        logger: createStepLogger('info'),
        proxy,
    });
}
/** Applies the fork rules. False: no preview, but the step is green. Throws an InputError if they refuse the code. */
async function applyForkRules(options) {
    const { job, github, guard } = options;
    const verdict = await checkForkRules({
        job,
        github,
        path: guard.path,
        allowUntrustedHead: guard.allowUntrustedHead,
        signal: AbortSignal.timeout(API_TIMEOUT_MS),
    });
    switch (verdict.kind) {
        case 'trusted':
            return true;
        case 'allowed untrusted':
            print_print.warning(`\`allow-untrusted-head\` is set: ${verdict.reason}`);
            return true;
        case 'skip':
            print_print.notice(verdict.reason);
            setOutput('status', 'Skipped');
            return false;
        case 'refuse':
            throw new errors_InputError(verdict.reason);
    }
}
/**
 * Finds the pull request that gets the comment, and resolves who can open the preview. If GitHub does not answer, there
 * is only a warning. Throws an InputError if the workflow must set `access`.
 */
async function findReportTarget(options) {
    const { job, github, guard, inputs } = options;
    const signal = AbortSignal.timeout(API_TIMEOUT_MS);
    const identity = identifyPreview(job, inputs.name);
    const isNeeded = inputs.comment || inputs.hold;
    const pullRequest = isNeeded ? await findPullRequestToReport(job, github, inputs, signal) : undefined;
    const visibility = await readVisibility(job, github, signal);
    const { access, reason } = resolveAccess(inputs.gateway.access, inputs.protocol, visibility === 'public');
    createStepLogger(inputs.logLevel).info(`access ${access.kind}: ${reason}`);
    const shown = nameAccess(access);
    const [entry, openWarning] = [describeEntry(shown), describeOpenWarning(shown, visibility)];
    const sharedWarning = visibility !== 'public' && inputs.tunnel.servers.some(({ address }) => address.host === 'bore.pub')
        ? 'bore.pub is a public server: its operator can read what visitors send; use a server of your own'
        : undefined;
    const warnings = [...inputs.warnings, ...(sharedWarning === undefined ? [] : [sharedWarning])];
    for (const warning of [...warnings, ...(openWarning === undefined ? [] : [openWarning])])
        print_print.warning(warning);
    const preview = {
        commit: pullRequest?.headSha ?? job.sha,
        warnings,
        showConsole: Object.keys(inputs.app.env).length === 0,
        entry,
        openWarning,
    };
    const comment = inputs.comment && pullRequest && guard.token ? { pullRequest: pullRequest.number } : undefined;
    return { access, report: { identity, preview, comment }, pullRequest };
}
/** The access as wording.ts names it. */
function nameAccess(access) {
    return access.kind === 'link' && !access.isGenerated ? 'given key' : access.kind;
}
async function findPullRequestToReport(job, github, inputs, signal) {
    try {
        return await findPullRequest({ job, github, signal, number: inputs.prNumber });
    }
    catch (error) {
        if (!(error instanceof github_error_GitHubError))
            throw error;
        const problem = wording_describeReportFailure('pull request lookup', error);
        if (inputs.comment)
            print_print.warning(problem);
        else
            print_print.info(problem);
        return undefined;
    }
}

;// CONCATENATED MODULE: ./build/js/exposure/config.js
// The configuration of one exposure: the app, who may open it, and the servers. Part of the supervisor's document
// (supervisor/config.ts), and checked with it.








const config_Port = pipe(number(), integer(), minValue(1), maxValue(65_535));
const Milliseconds = pipe(number(), minValue(0), maxValue(MAX_DURATION_MS));
const RemotePort = variant('kind', [
    object({ kind: literal('fixed'), port: config_Port }),
    object({ kind: literal('random') }),
    object({ kind: literal('auto'), min: config_Port, max: config_Port }),
]);
const Environment = record(string(), string());
const CommonRule = {
    path: string(),
    secret: string(),
    handshakes: array(picklist(UNSIGNED_HANDSHAKES)),
};
const SignatureRuleSchema = union([
    object({ provider: picklist(NAMED_PROVIDERS), ...CommonRule }),
    object({
        provider: picklist(HMAC_PROVIDERS),
        ...CommonRule,
        header: string(),
        encoding: picklist(ENCODINGS),
        prefix: string(),
        separator: string(),
    }),
]);
const ExposureConfigSchema = object({
    /** `tcp`: visitors' bytes reach the app unread. */
    protocol: picklist(PROTOCOLS),
    spec: AppSpecSchema,
    env: Environment,
    baseEnvironment: Environment,
    /** Absent if an accepting port is enough. */
    healthPath: optional(string()),
    /** Absent: `auto`. Unused with `protocol: tcp`. */
    hostHeader: optional(picklist(HOST_HEADERS)),
    startupTimeoutMs: Milliseconds,
    /** Absent: DEFAULT_STOP_TIMEOUT_MS. */
    stopTimeoutMs: optional(Milliseconds),
    /** From "live" on; absent: until it is stopped. */
    durationMs: optional(Milliseconds),
    /** For the gateway; unused with `protocol: tcp`. */
    gateway: object({
        access: variant('kind', [
            object({ kind: literal('open') }),
            object({
                kind: literal('link'),
                key: string(),
                /** A generated key is as public as the link that contains it; a given key is never shown. */
                isGenerated: dist_boolean(),
            }),
            object({ kind: literal('basic'), user: string(), password: string() }),
        ]),
        publicPaths: array(string()),
        maxBodyBytes: pipe(number(), minValue(1)),
        compress: dist_boolean(),
        /** The paths on which only signed requests reach the app; absent: none. */
        verify: optional(array(SignatureRuleSchema)),
        /** Which requests are recorded; absent: none. */
        capture: optional(variant('kind', [
            object({ kind: literal('paths'), patterns: array(string()) }),
            object({ kind: literal('unsafe methods') }),
            object({ kind: literal('none') }),
        ])),
        /** Whether these are kept while the app is away; absent: no. */
        queue: optional(dist_boolean()),
        /** Whether pages and files show them without credentials and signatures; absent: yes. */
        redact: optional(dist_boolean()),
    }),
    /** PEM; absent: plain HTTP. */
    tls: optional(object({ cert: string(), key: string() })),
    tunnel: object({
        servers: pipe(array(object({
            address: object({ host: string(), port: config_Port }),
            secret: optional(string()),
        })), minLength(1)),
        /** Identifies the preview in every run. */
        identity: string(),
        remotePort: RemotePort,
        /** Template with `{host}` and `{port}`. */
        publicUrl: string(),
        /** Whether connections to a far server may be opened ahead of visitors; absent: yes. */
        spareConnections: optional(dist_boolean()),
        /** The program of a second thread for raw visitors; absent: one thread for all. */
        threadScript: optional(string()),
    }),
    /** The public inspector; absent: none. */
    inspector: optional(object({
        key: string(),
        /** Whether its link is as public as the preview's: then it is shown in comment, summary and log. */
        isPublished: dist_boolean(),
        remotePort: RemotePort,
    })),
});
/** A shorter value is a word or a number, and could not be kept secret anyway. */
const MIN_MASKED_LENGTH = 8;
/**
 * The texts to hide in pages that strangers may open: also the values of `env`, because nobody knows here which of them
 * come from secrets.
 */
function listPageSecrets(config) {
    const values = Object.values(config.env).flatMap(value => value.split('\n').map(line => line.trim()));
    return [...listSecrets(config), ...values.filter(value => value.length >= MIN_MASKED_LENGTH)];
}
/** The texts to hide in logs. A generated key is not one: it is part of the link. */
function listSecrets({ tunnel, gateway, tls, inspector }) {
    const { access } = gateway;
    return [
        ...tunnel.servers.flatMap(({ secret }) => secret ?? []),
        ...(access.kind === 'link' && !access.isGenerated ? [access.key] : []),
        ...(access.kind === 'basic' ? [access.password] : []),
        ...(gateway.verify ?? []).map(({ secret }) => secret),
        ...(inspector === undefined || inspector.isPublished ? [] : [inspector.key]),
        ...listKeyTexts(tls?.key ?? ''),
    ];
}

;// CONCATENATED MODULE: ./build/js/supervisor/config.js
// The one document a supervisor gets on its standard input: everything it needs, checked again on arrival.
// It is never in a file, an argument or the environment, because it contains the bore secret and the GitHub token.





/** What comment, deployment and summary show apart from the state. */
const PreviewSchema = object({
    commit: string(),
    /** What visitors need apart from the link; absent if the link is enough. */
    entry: optional(string()),
    openWarning: optional(string()),
    warnings: array(string()),
    /**
     * Whether comment and summary may show the app's own lines. Not if the app was given values through `env`: the runner
     * masks secrets in logs only.
     */
    showConsole: dist_boolean(),
});
const JobSchema = object({
    eventName: string(),
    event: unknown(),
    repository: object({ owner: string(), name: string() }),
    sha: string(),
    ref: string(),
    runId: string(),
    runAttempt: number(),
    serverUrl: string(),
    apiUrl: string(),
    workflowRef: string(),
    jobId: string(),
    stepId: string(),
    matrix: unknown(),
    actor: string(),
});
/** Where the preview is reported, and as what. post needs the same if the supervisor dies. */
const config_ReportSchema = object({
    identity: object({ key: string(), name: string() }),
    preview: PreviewSchema,
    /** Absent without a pull request, or with `comment: false`. */
    comment: optional(object({ pullRequest: number() })),
});
/** What ends the preview from outside; nothing does if all are absent. */
const EndsSchema = object({
    /** The preview ends when nobody has used it for so long. */
    idleTimeoutMs: optional(pipe(number(), minValue(1), maxValue(MAX_DURATION_MS))),
    /** The preview ends when this file appears; set only if the step holds. */
    continueFile: optional(string()),
    /** The preview ends with what happens to it; only with `github`. */
    pullRequest: optional(WatchedPullRequestSchema),
    /** The runner's worker: the job is over when it is gone. */
    runner: optional(object({ pid: number(), startTime: string() })),
});
const SupervisorConfigSchema = object({
    /** The session folder. */
    folder: string(),
    name: string(),
    controlToken: string(),
    logLevel: picklist(LOG_LEVELS),
    exposure: ExposureConfigSchema,
    ends: optional(EndsSchema),
    /** Access to GitHub, for the reports and the ends; absent outside of a job, or without a token. */
    github: optional(object({ job: JobSchema, token: string() })),
    /** What is reported to GitHub; absent without `github`. */
    report: optional(config_ReportSchema),
});

;// CONCATENATED MODULE: ./build/js/step/state.js
// What main saves for post in the step's state. It contains no secret; post reads the token from the inputs again.






const KEY = 'exposure';
const SHOWN_KEY = 'shown';
const StepStateSchema = object({
    folder: string(),
    hold: dist_boolean(),
    /** Absent until the supervisor was spawned. */
    supervisor: optional(object({ pid: number(), startTime: string(), role: string() })),
    /** The folder that wasmrun is installed into; gone when the installation has ended. */
    installFolder: optional(string()),
    /** The wasmrun that main installed and post keeps in the runner's cache service; absent if there is nothing to keep. */
    installation: optional(NewInstallationSchema),
    mode: picklist(APP_MODES),
    /** Absent: info. */
    logLevel: optional(picklist(LOG_LEVELS)),
    /** How long the app may take to stop. */
    stopTimeoutMs: number(),
    report: config_ReportSchema,
    /** Whether the recorded requests outlive the job's steps; absent: no. */
    keepsRequests: optional(dist_boolean()),
});
/** May be called several times: the last state counts. */
function saveStepState(state) {
    saveState(KEY, JSON.stringify(state));
}
/** Saves how much of the preview's log main has shown, in bytes. post continues from there. */
function saveShownLog(bytes) {
    saveState(SHOWN_KEY, bytes);
}
/** Reads what `saveShownLog` saved; 0 if main was killed before that. */
function readShownLog() {
    return Number(core.getState(SHOWN_KEY)) || 0;
}
/** What main saved, or undefined if it did not get that far. */
function readStepState() {
    const text = core.getState(KEY);
    return text === '' ? undefined : v.parse(StepStateSchema, JSON.parse(text));
}

;// CONCATENATED MODULE: ./build/js/shared/count.js
// Counts as people read them. Used by comment, summary and commands.
/** `1 visit`, `2 visits`. */
function count_renderCount(count, noun) {
    return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

;// CONCATENATED MODULE: ./build/js/github/comment/escaping.js
// Renders untrusted text in Markdown, always as code with a fence that the text cannot close. Used by markdown.ts for
// every value that it shows.

/**
 * Text as inline code. CommonMark 6.1: a code span ends only at a run of as many backticks as it began with, and one
 * space on both sides is dropped. GitHub makes no links and no mentions inside a code span.
 */
function renderCode(text, maxLength) {
    const line = sanitise_sanitise(text, maxLength);
    if (line.trim() === '')
        return '(empty)';
    const fence = '`'.repeat(longestRun(line) + 1);
    const pad = /^[ `]|[ `]$/.test(line) ? ' ' : '';
    return `${fence}${pad}${line}${pad}${fence}`;
}
/** Lines as one code block. CommonMark 4.5: only a fence of at least the same length closes it. */
function renderCodeBlock(lines) {
    const clean = lines.map(line => sanitise_sanitise(line));
    const fence = '`'.repeat(Math.max(3, ...clean.map(line => longestRun(line) + 1)));
    return [`${fence}text`, ...clean, fence].join('\n');
}
/** Longer than any sentence, so that `renderCode` cuts nothing: `renderSentence` has already limited the text. */
const MAX_CODE_LENGTH = 2_000;
/** Plain words, short numbers, and the punctuation around them: nothing of this is Markdown, a link or a mention. */
const escaping_WORD = /^[("']*[A-Za-z]+(?:['’][A-Za-z]+|-[A-Za-z]+)*[)"']*[.,:;!?]?[)"']*$|^\d{1,4}[,;%]?$|^[–—.,:;]$/;
/** One of our own sentences. Names and values in it, and text in backticks, become inline code. */
function renderSentence(text, maxLength = 500) {
    const pieces = sanitise_sanitise(text, maxLength).split('`');
    return pieces
        .map(piece => piece.trim())
        .map((piece, index) => index % 2 === 0 || piece === '' ? renderWords(piece) : renderCode(piece, maxLength))
        .filter(piece => piece !== '')
        .join(' ')
        .replaceAll(/` ([.,:;])(?= |$)/g, '`$1');
}
/** Neighbours that are not plain words share one code span. */
function renderWords(text) {
    const runs = [];
    for (const word of text.split(' ').filter(word => word !== '')) {
        const plain = escaping_WORD.test(word);
        const last = runs.at(-1);
        if (last?.plain === plain)
            last.words.push(word);
        else
            runs.push({ plain, words: [word] });
    }
    return runs
        .map(({ plain, words }) => (plain ? words.join(' ') : renderCode(words.join(' '), MAX_CODE_LENGTH)))
        .join(' ');
}
/** A link with trusted Markdown as its text. An address that is not http(s) is shown as inline code. */
function renderLink(markdown, address) {
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol))
        return renderCode(address);
    // The URL parser has already encoded `<`, `>`, spaces and controls everywhere except in the fragment.
    const target = url.href.replace(/[\\<>`\s]/g, encodeURIComponent).replaceAll('&', '&amp;');
    return `[${markdown}](<${target}>)`;
}
/** In UTC, because readers are in many time zones; without seconds. */
function renderTime(time) {
    return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
function longestRun(text) {
    return Math.max(0, ...(text.match(/`+/g) ?? []).map(run => run.length));
}

;// CONCATENATED MODULE: ./build/js/github/comment/markdown.js
// Renders the comment and the step summary as Markdown. Pure: the same view gives the same text. The text always names
// the end of the preview, because a runner that dies cannot correct it. Used by comment-writer.ts and step/summary.ts.




/** GitHub refuses longer comments. The limits of the parts are much lower, so that their sum stays below this one. */
const MAX_COMMENT_LENGTH = 65_536;
/** How many of the app's last lines are shown; more are in the log. */
const MAX_LAST_LINES = 20;
/** How many warnings are shown; all are in the log. */
const MAX_WARNINGS = 10;
/** The whole comment. The marker comes first: a quoted comment has it further down, and does not count as ours. */
function renderComment(view, marker) {
    return `${marker}\n${renderPreview(view)}\n`;
}
/** The step summary: the comment's text, and the figures if there are any. */
function renderSummary(view, figures) {
    if (figures === undefined)
        return `${renderPreview(view)}\n`;
    const { visits, restarts, reconnects, addressChanges, durationMs } = figures;
    const parts = [
        `live for ${formatDuration(Math.round(durationMs / 1000) * 1000)}`,
        count_renderCount(visits, 'visit'),
        count_renderCount(restarts, 'app restart'),
        count_renderCount(reconnects, 'tunnel reconnect'),
        ...(addressChanges > 0 ? [`${count_renderCount(addressChanges, 'change')} of address`] : []),
    ];
    return `${renderPreview(view)}\n\n${parts.join(' · ')}\n`;
}
function renderPreview(view) {
    const { preview, state } = view;
    const paragraphs = [
        `### ${renderTitle(preview.name, state)}`,
        ...renderState(preview, state),
        ...renderCautions(preview, state),
        renderFooter(view),
    ];
    return paragraphs.join('\n\n');
}
const TITLES = {
    starting: ['🟡', 'is starting'],
    live: ['🟢', 'is live'],
    reconnecting: ['🟠', 'is away for a moment'],
    ended: ['⚪', 'has ended'],
    failed: ['🔴', 'failed'],
};
function renderTitle(name, state) {
    const [sign, words] = TITLES[state.kind];
    return `${sign} Preview ${renderCode(name, 100)} ${words}`;
}
function renderState(preview, state) {
    switch (state.kind) {
        case 'starting':
            return [`The link will appear here. ${renderEnd(preview, state.endsAt)}`];
        case 'live':
            return renderLive(preview, state);
        case 'reconnecting':
            return [
                `${OUTAGES[state.outage]} since ${renderTime(state.since)}. ${OUTLOOKS[state.outage]}`,
                `${renderEnd(preview, state.endsAt)}${state.url === undefined ? '' : ` Its address: ${markdown_renderAddress(state.url)}.`}`,
            ];
        case 'ended':
            return [
                `${ENDINGS[state.reason]} at ${renderTime(state.endedAt)}.${renderOldAddress(state.url)}`,
                ...renderAgain(state.reason),
            ];
        case 'failed':
            return renderFailed(state);
    }
}
function renderLive(preview, state) {
    const host = markdown_renderAddress(state.url);
    const isWeb = /^https?:/i.test(state.url);
    const address = isWeb
        ? `**${renderLink('Open the preview', state.url)}** at ${host}`
        : `Connect to **${host}**, for instance with`;
    const line = renderClientLine(state.url);
    const lines = [address, ...(line === undefined ? [] : [renderCodeBlock([line])])];
    if (state.inspectorUrl !== undefined)
        lines.push(`${renderLink('Open the inspector', state.inspectorUrl)} to see its requests and console as they come.`);
    lines.push(renderEnd(preview, state.endsAt));
    if (preview.entry !== undefined)
        lines.push(renderSentence(preview.entry));
    if (state.unverifiedReason !== undefined)
        lines.push(UNVERIFIED[state.unverifiedReason]);
    return lines;
}
const UNVERIFIED = {
    silent: 'The runner could not reach this address itself, so it is not verified from here.',
    unproved: 'The runner could not tell whether this address leads to the preview: **another program may have it**, so it is not verified from here.',
    'app away': 'The app was away when this address was checked, so it is not verified from here.',
};
const OUTAGES = {
    tunnel: 'The tunnel has been down',
    'tunnel closed': 'The tunnel has been closed by the workflow',
    app: 'The app has been down',
};
const OUTLOOKS = {
    tunnel: 'It is being opened again, and this comment will show when it is open.',
    'tunnel closed': 'This comment will show when it is open again.',
    app: 'It is being started again, and this comment will show when it answers.',
};
/** Each is followed by "at" and the time. */
const ENDINGS = {
    'job ended': 'It ended with its job',
    'duration over': 'Its time was over',
    'idle timeout': 'Nobody used it any more, so it ended',
    'continue file': 'The workflow continued',
    stopped: 'It was stopped',
    'pull request closed': 'The pull request was closed, so it ended',
    'pull request merged': 'The pull request was merged, so it ended',
    'newer commit': 'A newer commit was pushed, so it ended',
    'label removed': 'Its label was removed, so it ended',
    'runner gone': 'The runner went away',
};
/** How to get a new preview; after a pull request is closed, nobody wants one. */
function renderAgain(reason) {
    if (reason === 'pull request closed' || reason === 'pull request merged')
        return [];
    if (reason === 'label removed')
        return ['Add the label again to get a new one.'];
    return ['Push a commit or run the workflow again to get a new one.'];
}
function renderFailed(state) {
    const paragraphs = [renderCode(state.reason, 1_000)];
    const lines = state.lastLines.slice(-MAX_LAST_LINES);
    if (lines.length > 0) {
        paragraphs.push('<details><summary>Last lines of the app</summary>', renderCodeBlock(lines), '</details>');
    }
    paragraphs.push(`It failed at ${renderTime(state.endedAt)}.${renderOldAddress(state.url)}`);
    return paragraphs;
}
/** The end. It is shown from the first write on, because a runner that dies cannot add it later. */
function renderEnd(preview, endsAt) {
    if (endsAt === undefined) {
        return `The preview ends with its ${renderLink('job', preview.runUrl)} and may be gone after that.`;
    }
    return `The preview runs until **${renderTime(endsAt)}** at the latest and may be gone after that.`;
}
/** The last address, not as a link, because another program may get the port later. */
function renderOldAddress(url) {
    return url === undefined
        ? ''
        : ` Its address was ${markdown_renderAddress(url)}, which may be somebody else's by now.`;
}
/** The address as text, without path and query, because they may contain the key. */
function markdown_renderAddress(url) {
    const parsed = URL.parse(url);
    return renderCode(parsed === null || parsed.host === '' ? url : `${parsed.protocol}//${parsed.host}`);
}
/** Warnings about what visitors can reach; none once the preview is over. */
function renderCautions({ openWarning, warnings }, state) {
    if (state.kind === 'ended' || state.kind === 'failed')
        return [];
    const cautions = openWarning === undefined ? [...warnings] : [openWarning, ...warnings];
    if (cautions.length === 0)
        return [];
    const shown = cautions.slice(0, MAX_WARNINGS).map(caution => renderSentence(caution));
    return [`> [!WARNING]\n${shown.map(caution => `> ${caution}`).join('\n>\n')}`];
}
function renderFooter({ preview, updatedAt }) {
    const commit = renderLink(renderCode(preview.commit.slice(0, 7)), preview.commitUrl);
    const run = renderLink('workflow run', preview.runUrl);
    return `<sub>${commit} · ${preview.mode} mode · ${run} · updated ${renderTime(updatedAt)}</sub>`;
}

;// CONCATENATED MODULE: ./build/js/github/job.js
// The job as the runner describes it. step/job-environment.ts reads it from the environment and passes it to this
// folder, which never reads the environment itself.
/** The page of this attempt of the run, with its logs. */
function renderRunUrl(job) {
    return `${renderRepositoryUrl(job)}/actions/runs/${job.runId}/attempts/${job.runAttempt}`;
}
/** The page of a commit. */
function renderCommitUrl(job, sha) {
    return `${renderRepositoryUrl(job)}/commit/${sha}`;
}
function renderRepositoryUrl({ serverUrl, repository }) {
    return `${serverUrl}/${repository.owner}/${repository.name}`;
}

;// CONCATENATED MODULE: ./build/js/github/comment/view.js
// What the comment and the summary show: turns the states of the tunnel, the app and the exposure into one state of the
// preview. Used by the supervisor's reports, by markdown.ts, and by the step for its summary and the last comment.

/** Shorter outages are not written: most are over before anybody could read about them. */
const OUTAGE_SHOWN_AFTER_MS = 15_000;
function viewOf(state, context) {
    const { exposure } = state;
    const lastUrl = context.lastUrl ?? state.public_url ?? undefined;
    const url = lastUrl === undefined ? {} : { url: lastUrl };
    switch (exposure.phase) {
        case 'starting':
            return { kind: 'starting', ...endOf(context.endsAt) };
        case 'live':
            return viewLive(state, exposure.expires_at, context);
        case 'ended':
            return { kind: 'ended', ...url, reason: exposure.reason, endedAt: new Date(exposure.ended_at) };
        case 'failed': {
            const { reason, ended_at, last_lines } = exposure;
            const lastLines = context.hideConsole ? [] : last_lines;
            return { kind: 'failed', ...url, reason, lastLines, endedAt: new Date(ended_at) };
        }
    }
}
function viewLive(state, expiresAt, context) {
    const { now, outageSince: since, lastUrl, lastLink } = context;
    const endsAt = endOf(expiresAt === null ? undefined : new Date(expiresAt));
    const outage = readOutage(state);
    const url = state.public_url ?? lastUrl;
    const isShown = since !== undefined && now.getTime() - since.getTime() >= OUTAGE_SHOWN_AFTER_MS;
    if (outage !== undefined && since !== undefined && (isShown || url === undefined))
        return { kind: 'reconnecting', ...(url === undefined ? {} : { url }), outage, since, ...endsAt };
    if (url === undefined)
        return { kind: 'starting', ...endsAt };
    const unverified = state.doubt === null ? {} : { unverifiedReason: state.doubt };
    const inspector = state.inspector_url === null ? {} : { inspectorUrl: state.inspector_url };
    return { kind: 'live', url: state.preview_url ?? lastLink ?? url, ...inspector, ...unverified, ...endsAt };
}
/** The tunnel comes first: without it, visitors cannot reach the app, whatever its state is. */
function readOutage({ status, app }) {
    if (status === 'Disconnected')
        return 'tunnel closed';
    if (status !== 'Connected')
        return 'tunnel';
    return app.status === 'running' ? undefined : 'app';
}
function endOf(endsAt) {
    return endsAt === undefined ? {} : { endsAt };
}
/** The facts that do not change during the preview. */
function describePreview(job, facts) {
    const { name, mode, commit, entry, openWarning, warnings } = facts;
    const [commitUrl, runUrl] = [renderCommitUrl(job, commit), renderRunUrl(job)];
    return { name, mode, commit, commitUrl, runUrl, entry, openWarning, warnings };
}

;// CONCATENATED MODULE: ./build/js/step/summary.js
// The job summary of the step. main writes it after its wait, and post writes it again with the final figures.




/** Adds the preview as it is now to the summary. Never rejects, because a runner may not support summaries. */
async function writeSummary(job, step, state) {
    const updatedAt = new Date();
    const facts = describePreview(job, {
        ...step.report.preview,
        name: step.report.identity.name,
        mode: step.mode,
    });
    const view = {
        preview: { ...facts, warnings: [...facts.warnings, ...state.warnings] },
        state: viewOf(state, { now: updatedAt, hideConsole: !step.report.preview.showConsole }),
        updatedAt,
    };
    // Figures are shown at the end only.
    const isOver = state.exposure.phase === 'ended' || state.exposure.phase === 'failed';
    const figures = { ...state, addressChanges: state.address_changes, durationMs: measureLife(state) };
    const text = renderSummary(view, isOver ? figures : undefined);
    await summary
        .addRaw(text, true)
        .write()
        .catch(error => print_print.debug(`no summary: ${error}`));
}
/** How long the exposure has been live, in milliseconds; 0 if it never was. */
function measureLife({ exposure }) {
    if (exposure.phase === 'starting' || exposure.live_at === null)
        return 0;
    const end = exposure.phase === 'live' ? Date.now() : Date.parse(exposure.ended_at);
    return end - Date.parse(exposure.live_at);
}

;// CONCATENATED MODULE: ./build/js/step/preview.js
// What the main step does: checks the fork rules, reads the inputs, starts the supervisor, waits until the preview is
// live, writes the outputs, and in a hold waits for the end. Used by main.























/** How often a hold repeats the link in the log: annotations are shown only after the step. */
const REMIND_MS = 60_000;
/**
 * How long main waits for the end after the preview's time is over, and the app's time to stop: the supervisor should
 * have ended it.
 */
const END_GRACE_MS = 10_000;
/** The sockets of a process that is killed close a moment before it counts as ended. */
const DEATH_TIMEOUT_MS = 1_000;
/** The preview could not start, or failed in a hold. The message says why, so that no stack trace is needed. */
class PreviewError extends Error {
    name = 'PreviewError';
}
/** Runs the step. Throws the error that makes the step red. */
async function runPreview(cancellation) {
    const job = readJob();
    const guard = readForkRuleInputs();
    const runner = readMachine();
    const github = connectForStep(job, guard, runner);
    if (!(await applyForkRules({ job, github, guard })))
        return;
    const inputs = readActionInputs(runner);
    try {
        const target = await findReportTarget({ job, github, guard, inputs });
        await expose(job, inputs, await startSupervisor({ job, guard, inputs, target, runner, cancellation }));
    }
    catch (error) {
        if (inputs.failOnError || error instanceof errors_InputError || cancellation.signal.aborted)
            throw error;
        print_print.warning(`no preview: ${errors_describeError(error)}`);
        setOutput('status', 'Failed');
    }
}
/**
 * The one place that decides how an error is shown. The stack trace of an unexpected error is in the debug log only.
 */
function reportFailure(error) {
    const known = error instanceof errors_InputError || error instanceof PreviewError;
    print_print.failure(errors_describeError(error));
    if (!(error instanceof errors_InputError))
        setOutput('status', 'Failed');
    if (error instanceof Error && error.stack && !known)
        print_print.debug(error.stack);
}
async function startSupervisor(options) {
    const { job, guard, inputs, target, runner, cancellation } = options;
    const logger = createStepLogger(inputs.logLevel);
    logger.info(`mode ${inputs.app.mode}: ${inputs.app.modeReason}`);
    const leftOut = describeLeftOut(inputs.app, runner);
    if (leftOut !== undefined)
        logger.info(leftOut);
    const { access, report } = target;
    const folder = createSessionFolder(runner.tempFolder);
    let state = {
        folder,
        hold: inputs.hold,
        mode: inputs.app.mode,
        logLevel: inputs.logLevel,
        stopTimeoutMs: inputs.app.stopTimeoutMs,
        report,
        // Paths were named, by `capture`, `public-paths` or `verify`: somebody wants these requests.
        keepsRequests: inputs.webhooks.capture.kind === 'paths',
    };
    const save = (more) => {
        state = { ...state, ...more };
        saveStepState(state);
    };
    // Save before anything is started: if main is killed, post must know what to end.
    save({});
    const onChild = child => recordChild(folder, child, logger);
    const store = inputs.cache
        ? openInstallationStore({
            mode: inputs.app.mode,
            folder: session_folder_sessionFiles(folder).wasmrun,
            machine: runner,
            script: resolveBundle('cache'),
            logger,
            onChild,
            // Code from outside may have run before this step: it must not be able to leave anything for other jobs.
            noteInstalled: installation => guard.allowUntrustedHead || save({ installation }),
        })
        : undefined;
    const wasmrun = await cancellation.guard(signal => locateWasmrun(inputs.app, runner, logger, {
        signal,
        onChild,
        onFolder: installFolder => save({ installFolder }),
        gitHub: { token: guard.token, apiUrl: job.apiUrl },
        store,
    }));
    const config = planSupervisor({
        inputs,
        host: runner,
        wasmrun,
        folder,
        name: report.identity.name,
        identity: identifyAddress(job, report.identity, inputs.prNumber),
        access,
        ends: {
            continueFile: inputs.hold ? runner.continueFile : undefined,
            idleTimeoutMs: inputs.idleTimeoutMs,
            pullRequest: inputs.hold && target.pullRequest ? planWatch(job, target.pullRequest) : undefined,
            runner: findAncestor('Runner.Worker'),
        },
        github: guard.token ? { job, token: guard.token } : undefined,
        report: guard.token ? report : undefined,
    });
    core_setSecret(config.controlToken);
    const { inspector } = config.exposure;
    if (inspector?.isPublished === false)
        core_setSecret(inspector.key);
    try {
        const session = await startBackground({
            script: resolveBundle('supervisor'),
            config,
            environment: runner.childEnvironments.program,
            onSpawn: supervisor => save({ supervisor }),
        });
        const key = access.kind === 'link' && access.isGenerated ? access.key : '';
        return { session, folder, state, key };
    }
    catch (error) {
        recordShownLog(relayLog(session_folder_sessionFiles(folder).log).stop());
        throw error;
    }
}
/** A failure is only a warning: without a record, the process stays behind only if main is killed while it runs. */
function recordChild(folder, { pid, role }, logger) {
    try {
        writeJournal(session_folder_sessionFiles(folder).journal, recordProcess(pid, role));
    }
    catch (error) {
        logger.warn(`${role} could not be recorded: ${errors_describeError(error)}`);
    }
}
/** Follows the exposure until it is live, writes the outputs, and in a hold follows it to its end. */
async function expose(job, inputs, started) {
    const { session, folder } = started;
    const relay = relayLog(session_folder_sessionFiles(folder).log);
    const over = new AbortController();
    const states = followStates(session, over.signal);
    let last;
    try {
        last = await awaitState(states, ({ exposure }) => exposure.phase !== 'starting');
        if (last?.exposure.phase === 'live') {
            const inspectorUrl = inputs.inspector
                ? await readInspectorUrl(session).catch(() => undefined)
                : undefined;
            publish(last, started, { hold: inputs.hold, inspectorUrl });
            const endGraceMs = END_GRACE_MS + inputs.app.stopTimeoutMs;
            if (inputs.hold)
                last = await hold(states, last, { over, endGraceMs });
        }
    }
    finally {
        recordShownLog(relay.stop());
        over.abort();
    }
    const state = last ?? session_folder_readOutcome(folder);
    if (state)
        await writeSummary(job, started.state, state);
    if (inputs.hold)
        for (const warning of state?.warnings ?? [])
            print_print.warning(warning);
    await conclude(state, session);
}
async function awaitState(states, isWanted) {
    for (let next = await states.next(); !next.done; next = await states.next())
        if (isWanted(next.value))
            return next.value;
    return undefined;
}
/** Writes the outputs and prints the link. Outputs are files, so the runner's command parser may be off. */
function publish(state, started, { hold, inspectorUrl }) {
    try {
        writeOutputs(state, started, inspectorUrl);
    }
    catch (error) {
        // Without outputs, later steps would have no address. In a hold, no later step runs before the end: a warning is
        // enough.
        if (!hold)
            throw new Error('the outputs could not be written', { cause: error });
        print_print.info(`warning: the outputs could not be written: ${errors_describeError(error)}`);
    }
    const url = state.preview_url ?? '';
    const inspector = state.inspector_url === null ? '' : `  Inspector: ${state.inspector_url}\n`;
    print_print.info(`\n  Preview: ${url}\n${renderClientRow(url)}${inspector}`);
}
function writeOutputs(state, { session, folder, key }, inspectorUrl) {
    const expiresAt = state.exposure.phase === 'live' ? state.exposure.expires_at : null;
    const outputs = {
        url: state.public_url,
        'preview-url': state.preview_url,
        'inspector-url': inspectorUrl,
        host: state.public_host,
        port: state.public_port,
        status: state.status,
        'expires-at': expiresAt,
        'app-port': state.app.port,
        mode: state.mode,
        key,
        'control-url': session.controlUrl,
        'control-token': session.controlToken,
        session: session_folder_sessionFiles(folder).session,
        'requests-file': (0,external_node_fs_namespaceObject.existsSync)(session_folder_sessionFiles(folder).requests) ? session_folder_sessionFiles(folder).requests : '',
        'log-file': session_folder_sessionFiles(folder).log,
    };
    for (const [name, value] of Object.entries(outputs))
        setOutput(name, value ?? '');
    addPath(writeCommand(folder, resolveBundle('cli')));
}
/** Saves how much of the log main has shown. If this fails, post only shows these lines again. */
function recordShownLog(bytes) {
    try {
        saveShownLog(bytes);
    }
    catch (error) {
        print_print.debug(`the length of the log could not be saved: ${errors_describeError(error)}`);
    }
}
/** Waits for the end and repeats the link; stops waiting when the end is overdue. */
async function hold(states, live, { over, endGraceMs }) {
    const endsAt = live.exposure.phase === 'live' ? live.exposure.expires_at : null;
    let url = live.preview_url;
    const reminder = setInterval(() => print_print.info(`Preview: ${url}${describeRest(endsAt)}`), REMIND_MS);
    const leftMs = endsAt === null ? undefined : Math.min(Date.parse(endsAt) - Date.now(), MAX_DURATION_MS);
    const untilEnd = leftMs === undefined ? undefined : leftMs + endGraceMs;
    const deadline = untilEnd === undefined ? undefined : setTimeout(() => over.abort(), untilEnd);
    try {
        return await awaitState(states, ({ exposure, preview_url }) => {
            url = preview_url ?? url; // the supervisor itself logs a change of the address
            return exposure.phase === 'ended' || exposure.phase === 'failed';
        });
    }
    finally {
        clearInterval(reminder);
        clearTimeout(deadline);
    }
}
function describeRest(endsAt) {
    return endsAt === null ? '' : ` (${formatDuration(Date.parse(endsAt) - Date.now())} left)`;
}
async function conclude(state, session) {
    const phase = state?.exposure;
    if (state === undefined || phase === undefined || phase.phase === 'starting')
        throw new PreviewError((await processes_waitForEnd(session, DEATH_TIMEOUT_MS))
            ? 'the supervisor died; the log above may show why'
            : 'the preview did not end in time');
    if (phase.phase === 'failed') {
        throw new PreviewError(renderFailure(phase.reason, phase.last_lines));
    }
    if (phase.phase === 'live')
        print_print.notice(`Preview: ${state.preview_url}`);
    else
        print_print.info(`the preview has ended: ${phase.reason}`);
}
function renderFailure(reason, lastLines) {
    if (lastLines.length === 0)
        return reason;
    return `${reason}\nthe last lines of the app:\n${lastLines.map(line => `  ${sanitise_sanitise(line)}`).join('\n')}`;
}

;// CONCATENATED MODULE: ./build/js/main.js
// Entry of the step. The runner cancels with SIGINT and kills ten seconds later, so main leaves at once and lets post
// take the preview down.




tolerateBrokenOutput();
const cancellation = new Cancellation(['SIGINT', 'SIGTERM'], {
    exitCode: 1,
    // Post undoes what takes longer.
    undoMs: 900,
    // Not an annotation: while main repeats the preview's log, the runner shows commands as text.
    onCancel: () => print_print.info('cancelled; the post step takes the preview down'),
});
void runPreview(cancellation).catch(error => {
    if (!cancellation.signal.aborted)
        reportFailure(error);
});

