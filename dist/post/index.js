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
/** What was thrown, as an Error: JavaScript can throw anything. */
function toError(thrown) {
    return thrown instanceof Error ? thrown : new Error(errors_describeError(thrown));
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

;// CONCATENATED MODULE: external "node:fs"
const external_node_fs_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs");
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

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __nccwpck_require__(7598);
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
    if (!fs.existsSync(filePath)) {
        throw new Error(`Missing file at path: ${filePath}`);
    }
    fs.appendFileSync(filePath, `${toCommandValue(message)}${os.EOL}`, {
        encoding: 'utf8'
    });
}
function file_command_prepareKeyValueMessage(key, value) {
    const delimiter = `ghadelimiter_${crypto.randomUUID()}`;
    const convertedValue = toCommandValue(value);
    // These should realistically never happen, but just in case someone finds a
    // way to exploit uuid generation let's not allow keys or values that contain
    // the delimiter.
    if (key.includes(delimiter)) {
        throw new Error(`Unexpected input: name should not contain the delimiter "${delimiter}"`);
    }
    if (convertedValue.includes(delimiter)) {
        throw new Error(`Unexpected input: value should not contain the delimiter "${delimiter}"`);
    }
    return `${key}<<${delimiter}${os.EOL}${convertedValue}${os.EOL}${delimiter}`;
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
        issueFileCommand('PATH', inputPath);
    }
    else {
        issueCommand('add-path', {}, inputPath);
    }
    process.env['PATH'] = `${inputPath}${path.delimiter}${process.env['PATH']}`;
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
        return issueFileCommand('OUTPUT', prepareKeyValueMessage(name, value));
    }
    process.stdout.write(os.EOL);
    issueCommand('set-output', { name }, toCommandValue(value));
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
        return issueFileCommand('STATE', prepareKeyValueMessage(name, value));
    }
    issueCommand('save-state', { name }, toCommandValue(value));
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

;// CONCATENATED MODULE: ./build/js/step/print.js
// All output of main, post, stop and wait goes through this file, which sanitises it: names, paths and messages contain
// untrusted text, and the runner executes commands that it finds in the log. Nothing else in step/ and these
// programs prints.



const print = {
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
        const end = openGroup(title);
        const resume = suspendCommands();
        for (const line of lines)
            print.info(line);
        resume();
        end();
    },
};
/** Begins a folded group, which ends when the returned function is called. The runner does not nest groups. */
function openGroup(title) {
    startGroup(sanitiseLines(title));
    return endGroup;
}
/** From now on the runner obeys no command in the output, until the returned function is called. */
function suspendCommands() {
    const token = (0,external_node_crypto_.randomBytes)(16).toString('hex');
    process.stdout.write(`::stop-commands::${token}\n`);
    return () => process.stdout.write(`::${token}::\n`);
}

// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __nccwpck_require__(6760);
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
        throw new InputError(`\`${input}\` is '${text}', which is not a duration: write it like 90s, 45m or 1h30m`);
    if (total > MAX_DURATION_MS)
        throw new InputError(`\`${input}\` is '${text}': no duration is longer than ${MAX_DURATION_MS / UNITS_MS.h}h (24 days)`);
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

// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __nccwpck_require__(1455);
;// CONCATENATED MODULE: external "node:timers/promises"
const external_node_timers_promises_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:timers/promises");
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
async function removeFolder(folder) {
    for (let attempt = 1;; attempt += 1) {
        try {
            await (0,promises_.rm)(folder, { recursive: true, force: true });
            return undefined;
        }
        catch (error) {
            if (attempt === ATTEMPTS)
                return `${sanitise_sanitise(folder)} could not be removed: ${sanitise_sanitise(errors_describeError(error))}`;
            await (0,external_node_timers_promises_namespaceObject.setTimeout)(RETRY_DELAY_MS);
        }
    }
}

;// CONCATENATED MODULE: external "node:child_process"
const external_node_child_process_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:child_process");
;// CONCATENATED MODULE: ./build/js/shared/stop-times.js
// How long the parts of an end may take. The post step has promised to be over after 30 s (a cancelled job is killed
// some minutes later), and everything here has to fit into that. Used wherever a preview is ended.
/** At the end, visitors have this long to finish their downloads. */
const DRAIN_MS = 5_000;
/** Time for the app to stop after SIGTERM, unless `stop-timeout` says otherwise. */
const DEFAULT_STOP_TIMEOUT_MS = 5_000;
/** The longest `stop-timeout`: `docker compose` gives its containers 10 s by default. */
const MAX_STOP_TIMEOUT_MS = 20_000;
/** SIGKILL takes effect at once, except for a process in an uninterruptible call of the kernel. */
const KILL_MS = 1_000;
/** All of post. */
const POST_LIMIT_MS = 30_000;
/** Until an answer of the control API arrives on a busy machine. */
const ANSWER_MS = 1_000;
/** When an answer to `POST /api/stop` is overdue: visitors are drained, the app has stopped or was killed. */
function limitStop(stopTimeoutMs) {
    return DRAIN_MS + stopTimeoutMs + KILL_MS + ANSWER_MS;
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
const POLL_MS = 20;
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
function processes_recordProcess(pid, role) {
    return { pid, startTime: readStartTime(pid) ?? 'unknown', role };
}
/** Whether the recorded process still runs; false if its number now belongs to another one. */
function processes_isAlive(record) {
    return readStartTime(record.pid) === record.startTime;
}
/** Resolves with true when the process of the record has ended, and with false if it still runs after `timeoutMs`. */
function waitForEnd(record, timeoutMs) {
    return waitUntilGone(() => processes_isAlive(record), timeoutMs);
}
/**
 * Ends the process and its group: SIGTERM, then SIGKILL after `graceMs`. A group whose leader is gone is ended too:
 * its number cannot be given to another process while the group has members. Resolves when nothing is left or KILL_MS
 * after SIGKILL, with whether that was needed.
 */
async function endProcess(record, graceMs) {
    const steps = [
        ['SIGTERM', graceMs],
        ['SIGKILL', KILL_MS],
    ];
    let killed = false;
    for (const [signal, waitMs] of steps) {
        if (!isPresent(record))
            break;
        killed = signal === 'SIGKILL';
        signalGroup(record.pid, signal);
        // The process may be a member of another group.
        signalProcess(record.pid, signal);
        await waitUntilGone(() => isPresent(record), waitMs);
    }
    return { killed };
}
/** Whether the process of the record, or a member of its group, still runs. */
function isPresent(record) {
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
        await waitUntilGone(() => this.isRunning(), KILL_MS);
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
    for (let pauseMs = POLL_MS; isRunning(); pauseMs = Math.min(pauseMs * 1.2, MAX_POLL_MS)) {
        const leftMs = end - performance.now();
        if (leftMs <= 0)
            return false;
        await (0,external_node_timers_promises_namespaceObject.setTimeout)(Math.min(pauseMs, leftMs));
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
function dist_hash(types, message$1) {
	return {
		kind: "validation",
		type: "hash",
		reference: dist_hash,
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

;// CONCATENATED MODULE: external "node:stream/consumers"
const consumers_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream/consumers");
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
async function callControl(address, route, timeoutMs = ANSWER_TIMEOUT_MS, sent) {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
        const response = await send(address, route, signal, { sent });
        const body = await (0,consumers_namespaceObject.json)(response);
        if (isSuccess(response))
            return body;
        throw client_toError(response, body);
    }
    catch (error) {
        // Node's own error only says that the request was aborted.
        signal.throwIfAborted();
        throw error;
    }
}
function client_toError({ statusCode = 0 }, body) {
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
    return v.parse(StateMessageSchema, await callControl(address, 'GET /api/tunnel/status'));
}
const InspectorSchema = object({ public_inspector_url: nullable(string()) });
/** The public inspector's link, with its key, even where it is not published; undefined if there is none. */
async function readInspectorUrl(address) {
    const document = v.parse(InspectorSchema, await callControl(address, 'GET /api/inspector'));
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
                yield v.parse(StateMessageSchema, JSON.parse(data));
    }
    catch (error) {
        // A stream that breaks off means that its process is gone, which callers check themselves.
        if (!signal.aborted && !isConnectionLost(error))
            throw error;
    }
}
/** Whether the process at the other end is gone. */
function isConnectionLost(error) {
    return hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
}
/**
 * The server-sent events of a route. Rejects with a ControlError if the API refuses, and as the connection does if it
 * breaks off.
 */
async function* openEvents(address, route, signal) {
    const response = await send(address, route, signal, { accept: 'text/event-stream' });
    if (!isSuccess(response))
        throw client_toError(response, await json(response).catch(() => undefined));
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

;// CONCATENATED MODULE: ./build/js/shared/history.js
// What happened to an exposure over its life, for the summary: exposure/history.ts records it, outcome.json holds it, and
// github/summary/ shows it. Its size is bounded, whatever happens.

/** Part of the preview that can be away by itself. */
const PARTS = ['tunnel', 'app'];
/** Times are ISO 8601. Paths are without their query, and secrets in them are masked; both are strangers' text. */
const HistorySchema = object({
    /** The last public URL; null if there was none. */
    address: nullable(string()),
    /** Visits from `from` on, in steps of `minutes`; the last step may be shorter. */
    visits: object({ from: string(), minutes: number(), counts: array(number()) }),
    /** Of requests; from a histogram, exact to 5 %. Null without requests. */
    times: nullable(object({ count: number(), median_ms: number(), p95_ms: number() })),
    /** One for each method and path, the slowest first. Durations are up to the end of the answer. */
    slowest: array(object({ method: string(), path: string(), status: number(), duration_ms: number() })),
    /** While live; the first ones. `until` is null if it lasted to the end. */
    outages: array(object({
        part: picklist(PARTS),
        from: string(),
        until: nullable(string()),
        reason: nullable(string()),
    })),
    /** Of all outages, also those that are not listed. */
    away: object({
        tunnel: object({ count: number(), ms: number() }),
        app: object({ count: number(), ms: number() }),
    }),
    /** New public URLs after the first one; the last ones. */
    moves: array(object({ at: string(), url: string() })),
    /** The recorded requests. `status` is null if the sender left before the answer. */
    webhooks: object({
        count: number(),
        refused: number(),
        /** Kept while the app was away. */
        queued: number(),
        dropped: number(),
        replayed: number(),
        /** The first paths; `count` above has all. */
        paths: array(object({
            method: string(),
            path: string(),
            status: nullable(number()),
            isRefused: dist_boolean(),
            count: number(),
        })),
    }),
});

;// CONCATENATED MODULE: ./build/js/supervisor/session-folder.js
// The folder of one exposure on this machine. Main, post, stop and the `expose` command find the exposure through it.
//
//   expose-XXXXXX/   0700, in RUNNER_TEMP or the system's temp folder
//     session.json   how to reach it (0600: it holds the control token)
//     journal        every process it started
//     expose.log     its log
//     outcome.json   its last state and history, written when it ends; until then blanks, which reserve the space
//     latest.json    the same while it lives, half a minute old at most, for the case that it is killed
//     requests.ndjson  the captured requests (0600)
//     bin/           the `expose` command for later steps
//     app/           whatever the app needs: staged copy, profile of the browser
//     wasmrun/       a wasmrun from the runner's cache service





const PREFIX = 'expose-';
/** How many previews a message names. */
const MAX_NAMED = 10;
/**
 * Enough for any last state: it has up to twenty lines of the app, of 1,000 characters of up to six bytes each, and a
 * history with about a hundred texts of 200 such characters.
 */
const session_folder_OUTCOME_BYTES = (/* unused pure expression or super */ null && (320 * 1024));
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
        latest: (0,external_node_path_.join)(folder, 'latest.json'),
        requests: (0,external_node_path_.join)(folder, 'requests.ndjson'),
        bin: (0,external_node_path_.join)(folder, 'bin'),
        app: (0,external_node_path_.join)(folder, 'app'),
        wasmrun: (0,external_node_path_.join)(folder, 'wasmrun'),
    };
}
/** Makes a folder only this user can enter. */
function createSessionFolder(parent) {
    mkdirSync(parent, { recursive: true });
    const folder = mkdtempSync(join(parent, PREFIX));
    mkdirSync(session_folder_sessionFiles(folder).app, { mode: 0o700 });
    writeFileSync(session_folder_sessionFiles(folder).outcome, ' '.repeat(session_folder_OUTCOME_BYTES), { mode: 0o600 });
    return folder;
}
/** Writes and returns the session of a preview whose API listens. Throws if its folder has one already. */
function session_folder_writeSession({ folder, name, controlToken }, { pid, startTime }, controlUrl) {
    const session = { name, pid, startTime, controlUrl, controlToken };
    writeFileSync(session_folder_sessionFiles(folder).session, JSON.stringify(session), { mode: 0o600, flag: 'wx' });
    return session;
}
/** The session of a folder, or undefined if its supervisor never got ready. */
function readSession(folder) {
    return readDocument(session_folder_sessionFiles(folder).session, SessionSchema);
}
/** A file of the folder as JSON; undefined if it is missing, or not whole. */
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
    return isAlive(session) && readDocument(session_folder_sessionFiles(folder).outcome, v.object({})) === undefined;
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
        const session = readSession(folder);
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
    mkdirSync(bin, { recursive: true, mode: 0o700 });
    const quoted = [process.execPath, cliScript].map(path => `'${path.replaceAll("'", `'\\''`)}'`).join(' ');
    writeFileSync(join(bin, 'expose'), `#!/bin/sh\nexec ${quoted} "$@"\n`);
    chmodSync(join(bin, 'expose'), 0o755);
    writeFileSync(join(bin, 'expose.cmd'), `@"${process.execPath}" "${cliScript}" %*\r\n`);
    return bin;
}

;// CONCATENATED MODULE: ./build/js/supervisor/outcome.js
// The last state of an exposure, and what happened up to it, in files of its session folder: the supervisor writes them,
// and the step and the `expose` command read them.





const OutcomeSchema = object({ ...state_json_StateMessageSchema.entries, history: optional(HistorySchema) });
/**
 * Saves the last state, for post, and for `expose status` after the end. It replaces the blanks that were written at
 * the start: a full disk has no room for a new file, and without one post would report a killed supervisor.
 */
function writeOutcome(folder, state, history) {
    const text = Buffer.from(describeOutcome(state, history).padEnd(OUTCOME_BYTES));
    const file = openSync(sessionFiles(folder).outcome, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
        if (writeSync(file, text, 0, text.length, 0) < text.length)
            throw new Error('no space is left');
    }
    finally {
        closeSync(file);
    }
}
function readOutcome(folder) {
    return readDocument(session_folder_sessionFiles(folder).outcome, OutcomeSchema);
}
/** Saves what is known now, in one step: a process may be killed at any moment. */
function writeLatest(folder, state, history) {
    const { latest } = sessionFiles(folder);
    writeFileSync(`${latest}.new`, describeOutcome(state, history), { mode: 0o600 });
    renameSync(`${latest}.new`, latest);
}
/** What `writeLatest` saved last. */
function readLatest(folder) {
    return readDocument(session_folder_sessionFiles(folder).latest, OutcomeSchema);
}
function describeOutcome(state, history) {
    return JSON.stringify({ ...describeState(state), ...(history && { history }) });
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
function process_journal_writeJournal(file, record) {
    appendFileSync(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}
/** The journal's records, newest first; skips a last line that was cut off. */
function readJournal(file) {
    let text;
    try {
        text = (0,external_node_fs_namespaceObject.readFileSync)(file, 'utf8');
    }
    catch {
        return [];
    }
    return text
        .split('\n')
        .flatMap(line => {
        try {
            return [parse(ProcessRecordSchema, JSON.parse(line))];
        }
        catch {
            return [];
        }
    })
        .reverse();
}
/** Ends every recorded process that still runs, with SIGKILL after `graceMs`, and returns those. */
async function reapJournal(file, graceMs) {
    const left = readJournal(file).filter(isPresent);
    return await Promise.all(left.map(async (record) => ({ ...record, ...(await endProcess(record, graceMs)) })));
}

;// CONCATENATED MODULE: ./build/js/supervisor/background.js
// Starts and ends the supervisor, a separate process that outlives the step. Used by main and post.










/** Until it is ready, the supervisor only loads its bundle and opens a loopback port. */
const READY_TIMEOUT_MS = 20_000;
/** After its answer the supervisor only waits for the last comment, which was begun with the end, within 8 s. */
const FINISH_TIMEOUT_MS = 9_000;
const SIGNAL_GRACE_MS = 3_000;
/**
 * For glibc's memory allocator; other systems ignore them. By default it would keep the memory that many visitors at a time
 * needed, in several heaps (bench B9): Node.js reads from each connection into a new block of 64 KB.
 */
const ALLOCATOR_SETTINGS = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: `${128 * 1024}` };
const StoppedSchema = object({ state: state_json_StateMessageSchema });
const ReadySchema = object({ controlUrl: string() });
/**
 * Spawns the supervisor, writes its configuration to its stdin, and resolves when its API listens. `onSpawn` is called
 * in the same tick as the spawn. Rejects if the supervisor exits first; its last output is in the log file.
 */
async function startBackground(options) {
    const { script, config, environment, onSpawn, readyTimeoutMs = READY_TIMEOUT_MS } = options;
    const files = sessionFiles(config.folder);
    const log = openSync(files.log, 'a', 0o600);
    const child = spawn(process.execPath, [script], {
        cwd: config.folder,
        detached: true,
        env: { ...ALLOCATOR_SETTINGS, ...environment },
        stdio: ['pipe', log, log, 'ipc'],
        windowsHide: true,
    });
    closeSync(log);
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
            const parsed = v.safeParse(ReadySchema, message);
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
    if (supervisor && session && processes_isAlive(supervisor)) {
        answer = await callControl(session, 'POST /api/stop?reason=job+ended', limitStop(stopTimeoutMs)).catch(() => undefined);
        if (answer !== undefined)
            await waitForEnd(supervisor, limit(FINISH_TIMEOUT_MS));
    }
    if (supervisor)
        await endProcess(supervisor, limit(SIGNAL_GRACE_MS));
    const reaped = await reapJournal(session_folder_sessionFiles(folder).journal, limit(stopTimeoutMs));
    const stopped = safeParse(StoppedSchema, answer);
    // The file is newer, if it could be written.
    const outcome = readOutcome(folder) ?? (stopped.success ? stopped.output.state : undefined);
    return { reaped, outcome };
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
/** A title comes early. The search for it takes time with the square of the length. */
const MAX_PAGE_LENGTH = 4_096;
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
    const begin = data.slice(0, MAX_PAGE_LENGTH);
    const title = /<title[^>]*>([^<]*)<\/title>/i.exec(begin)?.[1]?.trim();
    if (title)
        return `a page with the title "${sanitise_sanitise(title)}"`;
    return /<html|<!doctype/i.test(begin) ? 'a page without a title' : sanitise_sanitise(begin.trim());
}

;// CONCATENATED MODULE: ./build/js/github/rate-limit.js
// How long GitHub wants no further request, and the wait for it. Used by api.ts.




/** The longest pause that we accept; secondary rate limits ask for a minute. Requests during a longer one fail at once. */
const LONGEST_PAUSE_MS = 60_000;
/** How many more times a request is tried after it met the rate limit. */
const MAX_RATE_LIMIT_RETRIES = 2;
/** GitHub's documentation: without a time, wait for at least one minute. */
const UNTOLD_PAUSE_MS = 60_000;
/** GitHub's longest limit is an hour. A timer of more than 24.8 days would fire at once. */
const LONGEST_ASKED_MS = 24 * 3_600_000;
/**
 * Milliseconds, a day at most; undefined if the answer is not about a limit. GitHub names the time in `Retry-After` or, if the hour's
 * requests are used up, in `x-ratelimit-reset` ("Rate limits for the REST API"). Enterprise servers call a secondary
 * limit "abuse detection".
 */
function readPauseMs(refusal, now = Date.now()) {
    const askedMs = readAskedMs(refusal, now);
    return askedMs === undefined ? undefined : Math.min(askedMs, LONGEST_ASKED_MS);
}
function readAskedMs({ status, headers, said }, now) {
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
            await (0,external_node_timers_promises_namespaceObject.setTimeout)(waitMs, undefined, signal ? { signal } : {});
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
    const { apiUrl } = options;
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
                const address = readNextPage(headers.link, apiUrl);
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
/**
 * The address of a list's next page (RFC 8288), always at the API itself: the token goes with the request, and must reach
 * no other server, whatever the answer says.
 */
function readNextPage(link, apiUrl) {
    const target = /<([^<>]+)>;\s*rel="next"/.exec(link ?? '')?.[1];
    const next = target === undefined ? null : URL.parse(target, apiUrl);
    return next === null ? undefined : new URL(apiUrl).origin + next.pathname + next.search;
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
    if (!isUntrustedCertificate(error))
        return new github_error_GitHubError(problem, { retryable: true, cause: error });
    const remedy = 'set NODE_EXTRA_CA_CERTS to a file with the certificate of its authority';
    return new github_error_GitHubError(`${problem}; ${remedy}`, { retryable: false, cause: error });
}
/** Whether Node.js does not know the authority of the server's certificate (Node.js docs, "X509 certificate error codes"). */
function isUntrustedCertificate(error) {
    if (!(error instanceof Error))
        return false;
    return errors_hasCode(error, ...UNKNOWN_AUTHORITY) || isUntrustedCertificate(error.cause);
}
const UNKNOWN_AUTHORITY = [
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];
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
    const problem = typeof data === 'string'
        ? `no JSON: ${quoteRefusal(data)}`
        : sanitise_sanitise(summarize(result.issues).replaceAll('\n  ', ' ').replaceAll('\n', ' '));
    throw new github_error_GitHubError(`GitHub's answer to ${route} is not as documented: ${problem}`, { retryable: true });
}

;// CONCATENATED MODULE: ./build/js/supervisor/github.js
// The supervisor's one connection to GitHub, for the reports and for what ends the preview: the limits belong to the
// token. Used by supervision, and by the post step.

/** Sends nothing yet. `proxy`: the job's variables that name a proxy. */
function openGitHub({ job, token }, proxy, logger) {
    return { job, connection: connectGitHub({ token, apiUrl: job.apiUrl, logger, proxy }) };
}

;// CONCATENATED MODULE: external "node:os"
const external_node_os_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:os");
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
function watchChild(child, pid, { onLine, onKill, stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS }) {
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
    await Promise.race([exited, (0,external_node_timers_promises_namespaceObject.setTimeout)(TASKKILL_MS, undefined, { ref: false })]);
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
async function command_runCommand(options) {
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
/** The program's file name. */
const kept_PROGRAM = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
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
async function kept_digestFile(file) {
    return (0,external_node_crypto_.createHash)('sha256')
        .update(await (0,promises_.readFile)(file))
        .digest('hex');
}
/**
 * Fills the folder with the installation and the given runtimes. Throws an AppError if the program is no longer the one
 * that was installed.
 */
async function packInstallation(folder, { version, program, digest, way, tookMs }, runtimes) {
    const places = describeFolder(folder);
    for (const place of [places.bin, places.runtimes])
        await (0,promises_.mkdir)(place, { recursive: true });
    await (0,promises_.copyFile)(program, places.program);
    if ((await kept_digestFile(places.program)) !== digest)
        throw new errors_AppError(`${program} was changed after its installation`);
    const record = { version, way, tookMs };
    await (0,promises_.writeFile)(places.record, JSON.stringify(record));
    await kept_copyRuntimes(runtimes, places.runtimes);
}
/**
 * The program of a kept installation, and how it was made. Throws an AppError if the folder does not hold what
 * `packInstallation` writes: then something else wrote the entry. Whether the program runs is for the caller to see.
 */
async function kept_openKept(folder, version) {
    const places = describeFolder(folder);
    const record = readRecord(places.record);
    if (record.version !== version)
        throw new AppError(`it is wasmrun ${record.version}`);
    if (!isPlainFolder(places.bin) || !isPlainFile(places.program))
        throw new AppError('it holds no program');
    await chmod(places.program, 0o755);
    return { program: places.program, record, runtimes: listRuntimes(places.runtimes) };
}
function describeFolder(folder) {
    const bin = (0,external_node_path_.join)(folder, 'bin');
    return {
        bin,
        program: (0,external_node_path_.join)(bin, kept_PROGRAM),
        record: (0,external_node_path_.join)(folder, 'installation.json'),
        runtimes: (0,external_node_path_.join)(folder, 'runtimes'),
    };
}
function readRecord(file) {
    if (!isPlainFile(file))
        throw new AppError('it is not described');
    try {
        return v.parse(RecordSchema, JSON.parse(readFileSync(file, 'utf8')));
    }
    catch (cause) {
        throw new AppError('its description cannot be read', { cause });
    }
}
/** The runtimes in a folder of wasmrun's; none if there is no folder. */
function listRuntimes(folder) {
    if (!isPlainFolder(folder))
        return [];
    return (0,external_node_fs_namespaceObject.readdirSync)(folder)
        .filter(name => RUNTIME_FILE.test(name))
        .map(name => (0,external_node_path_.join)(folder, name))
        .filter(isPlainFile);
}
/** Adds runtimes to a folder of wasmrun's, and leaves those that are there as they are. */
async function kept_copyRuntimes(files, folder) {
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
// What the log says of an installation: how far it is, so that nobody thinks it hangs, and how long it took. Used by the
// installation of wasmrun.

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
/** `1.4 s`, `6m 12s`. */
function progress_formatTime(ms) {
    return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : formatDuration(ms);
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
class release_DigestError extends errors_AppError {
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
            if (error instanceof release_DigestError || attempt === DOWNLOAD_ATTEMPTS)
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
        throw new release_DigestError(`${asset.name} is not what was published: its digest is ${digest}, and should be ${asset.digest}. ` +
            'Nothing was installed. Run the job again; if it happens again, report it to the maintainers of wasmrun', { restartable: false });
}
/** Keeps only the program. Debian and Ubuntu have dpkg-deb; more systems have ar and tar. */
async function unpack(file, options) {
    const folder = (0,external_node_path_.join)(options.stage, 'unpacked');
    const { environment, signal, onChild } = options;
    const run = (command, ...args) => command_runCommand({ command, args, cwd: folder, environment, signal, ...(onChild && { onChild }) });
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
function version_parseWasmrunVersion(text) {
    const version = /^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(text.trim())?.[1];
    const problem = `\`wasmrun-version\` is '${sanitise(text)}'`;
    if (version === undefined)
        throw new InputError(`${problem}: write an exact version like 1.0.0, or leave it out`);
    if (version_isTooOld(version))
        throw new InputError(`${problem}, which is too old: 1.0.0 is the first that works; leave it out`);
    return version;
}
/** Takes a version as the wasmrun on PATH prints it, or as `parseWasmrunVersion` returns it. */
function version_isTooOld(version) {
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
/**
 * The absolute path of a wasmrun that runs. Throws an InputError for an impossible version, and an AppError that says
 * what was tried.
 */
async function install_findOrInstallWasmrun(options) {
    const version = options.version === undefined ? undefined : parseWasmrunVersion(options.version);
    const found = await findOnPath(options, version);
    if (found !== undefined)
        return found;
    const wanted = version ?? PINNED_VERSION;
    const cached = join(options.toolCache, 'wasmrun', wanted, process.arch);
    if (existsSync(`${cached}.complete`) && isExecutable(join(cached, 'bin', PROGRAM))) {
        options.logger.info(`wasmrun ${wanted}: from the tool cache`);
        return join(cached, 'bin', PROGRAM);
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
            throw new AppError(`it says that it is version ${found}`);
        if (store.runtimesFolder !== undefined)
            await copyRuntimes(runtimes, store.runtimesFolder);
        const before = `${record.way === 'build' ? 'building' : 'installing'} it took ${formatTime(record.tookMs)}`;
        logger.info(`wasmrun ${version}: from the cache, in ${formatTime(performance.now() - began)} (${before})`);
        return program;
    }
    catch (error) {
        signal.throwIfAborted();
        logger.warn(`wasmrun ${version} from the cache cannot be used (${describeError(error)}), so it is installed; ` +
            `delete the cache entry ${kept.name}: entries are never replaced`);
        return undefined;
    }
}
/** Without a wanted version, the first on PATH is used. If that is too old, throws, because the job chose it. */
async function findOnPath(options, wanted) {
    const path = findProgram(PROGRAM, options.pathVariable);
    if (path === undefined)
        return undefined;
    const version = await readVersion(path, options).catch((error) => {
        options.signal.throwIfAborted();
        options.logger.warn(`${path} does not run (${describeError(error)}), so wasmrun is installed`);
        return undefined;
    });
    if (version === undefined || (wanted !== undefined && version !== wanted))
        return undefined;
    if (isTooOld(version))
        throw new AppError(`wasmrun ${version} at ${path} is too old, 1.0.0 is the first that works; ` +
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
        throw new AppError(`${path} --version names no version`);
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
        options.logger.info(`wasmrun ${version}: installed, in ${formatTime(tookMs)}`);
        const digest = await digestFile(join(stage, 'bin', PROGRAM));
        const folder = await publishStage(stage, stage.startsWith(cached) ? cached : `${stage}-installed`);
        const program = join(folder, 'bin', PROGRAM);
        options.store?.noteInstalled({ version, program, digest, way, tookMs });
        return program;
    }
    finally {
        await rm(stage, { recursive: true, force: true, maxRetries: 3 });
    }
}
/** A tool cache that cannot be written to (a read-only image) is skipped. */
async function createStage(cached, options) {
    const suffix = `-installing-${randomBytes(6).toString('hex')}`;
    const stages = [cached + suffix, join(options.tempFolder, `wasmrun${suffix}`)];
    const failures = [];
    for (const stage of stages) {
        try {
            options.onFolder?.(stage);
            await mkdir(join(stage, 'bin'), { recursive: true });
            return stage;
        }
        catch (error) {
            failures.push(error);
        }
    }
    const [first] = failures;
    throw new AppError(`wasmrun cannot be installed: neither ${options.toolCache} nor ${options.tempFolder} can be written to`, {
        cause: first,
        restartable: false,
    });
}
/** Another job on this machine may have been faster: then its folder stays, because it may be in use. */
async function publishStage(stage, target) {
    const marker = `${target}.complete`;
    if (existsSync(marker) && existsSync(target))
        return target;
    await rm(target, { recursive: true, force: true, maxRetries: 3 });
    await rename(stage, target).catch((error) => {
        if (!existsSync(target))
            throw error;
    });
    await writeFile(marker, '');
    return target;
}
/** The .deb, then cargo. If both fail, the error gives both reasons. */
async function install(stage, version, options) {
    const program = join(stage, 'bin', PROGRAM);
    const check = async () => {
        const installed = await readVersion(program, options);
        if (installed !== version)
            throw new AppError(`version ${installed} was installed instead`);
    };
    const failures = [];
    for (const [way, attempt] of WAYS) {
        try {
            await attempt({ ...options, stage, program, version, failure: failures[0] });
            await check();
            return way;
        }
        catch (error) {
            options.signal.throwIfAborted();
            if (error instanceof DigestError)
                throw error;
            failures.push(error);
        }
    }
    throw new AppError(`wasmrun ${version} was not found and could not be installed: ${failures.map(describeError).join('; and ')}. ` +
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
    const run = () => command_runCommand({
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
const INSTALL_TIMEOUT_MS = (/* unused pure expression or super */ null && (15 * 60_000));
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
        controlToken: randomBytes(TOKEN_BYTES).toString('hex'),
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
            gateway: { ...gateway, ...webhooks, access, trustedProxy: inputs.trustedProxy },
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
        key: randomBytes(INSPECTOR_KEY_BYTES).toString('base64url'),
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
        toolCache: host.toolCache ?? join(homedir(), '.cache', 'expose-action', 'tools'),
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
    return `variables of the job that \`command\` does not see, unless you name them in \`env\`: ${sanitise(names.join(', '), MAX_LEFT_OUT)}`;
}
/** Whether wasmrun is looked for, and installed, in this mode. */
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

;// CONCATENATED MODULE: ./build/js/shared/count.js
// Counts as people read them. Used by comment, summary and commands.
/** `1 visit`, `2 visits`. */
function renderCount(count, noun) {
    return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

;// CONCATENATED MODULE: ./build/js/github/events.js
// Reads and checks the payloads of `issue_comment` and `workflow_run`, which name a pull request without describing it.
// Used by fork-rules and pull-request.

const IssueEvent = object({
    issue: object({ number: number(), pull_request: optional(object({})) }),
});
const Actor = nullish(object({ login: string() }));
const Id = optional(number());
/** A pull request as a run lists it: without the names of the repositories. */
const ListedPullRequest = object({
    number: number(),
    head: optional(object({ sha: string() })),
    base: optional(object({ repo: object({ id: Id }) })),
});
const WorkflowRunEvent = object({
    workflow_run: object({
        event: string(),
        head_sha: string(),
        head_branch: nullish(string()),
        /** null: the repository is gone. */
        head_repository: nullable(object({ full_name: string(), id: Id })),
        /** Empty for forks (actions/runner 3444). May list pull requests of another repository, or with a newer head. */
        pull_requests: nullish(array(ListedPullRequest), []),
        actor: Actor,
        triggering_actor: Actor,
    }),
    repository: optional(object({ id: Id })),
});
/** What an `issue_comment` event is about; undefined for other events. */
function events_readIssue({ event }) {
    const result = v.safeParse(IssueEvent, event);
    return result.success ? result.output.issue : undefined;
}
/** The run that a `workflow_run` event waited for; undefined for other events. */
function events_readWorkflowRun({ event }) {
    const result = v.safeParse(WorkflowRunEvent, event);
    if (!result.success)
        return undefined;
    const { workflow_run, repository } = result.output;
    const { pull_requests, ...run } = workflow_run;
    const pullRequests = pull_requests
        .filter(({ head, base }) => head?.sha === run.head_sha && compareIds(base?.repo.id, repository?.id) !== false)
        .map(({ number }) => number)
        .sort((a, b) => a - b);
    return { ...run, pullRequests, isOwnHead: compareIds(run.head_repository?.id, repository?.id) };
}
/** Whether two repositories are the same one; undefined if an id is missing. A repository keeps its id when renamed. */
function compareIds(a, b) {
    return a === undefined || b === undefined ? undefined : a === b;
}

;// CONCATENATED MODULE: ./build/js/github/pull-request.js
// Finds the pull request that a run belongs to, in the event or otherwise through the API, and whether the repository
// is public. Used by step/report-target, identity.ts and the fork rules.



const Repository = object({ full_name: string(), id: optional(number()) });
/** The fields that are read of a pull request; events and the API describe it in the same form. */
const PullRequestSchema = pipe(object({
    number: number(),
    state: optional(picklist(['open', 'closed']), 'open'),
    head: object({ sha: string(), ref: optional(string()), repo: nullable(Repository) }),
    base: optional(object({ repo: optional(Repository) })),
}), transform(({ number, state, head, base }) => ({
    number,
    state,
    headSha: head.sha,
    headBranch: head.ref,
    headRepository: head.repo?.full_name ?? '',
    isOwnHead: head.repo === null ? false : compareIds(head.repo.id, base?.repo?.id),
})));
const PullRequestEvent = object({ pull_request: PullRequestSchema });
/** The pull request in the event's own payload, as it was when the event happened. */
function readEventPullRequest(job) {
    const result = v.safeParse(PullRequestEvent, job.event);
    return result.success ? result.output.pull_request : undefined;
}
/** Whether the head lives in the job's own repository: by its ids, which a new name does not change, or by its name. */
function isOwnHead(job, head) {
    // GitHub compares owners and names case-insensitively.
    const { owner, name } = job.repository;
    return head.isOwnHead ?? isSameName(head.headRepository, `${owner}/${name}`);
}
function isSameName(a, b) {
    return a.toLowerCase() === b.toLowerCase();
}
/** Events of runs whose commit is a branch's own. That of a schedule may be the head of a pull request by chance. */
const BRANCH_EVENTS = (/* unused pure expression or super */ null && ([
    'push',
    'workflow_dispatch',
    'pull_request',
    'pull_request_target',
    'pull_request_review',
    'pull_request_review_comment',
]));
/**
 * The pull request to report to, or undefined if the event has none (`merge_group`, `schedule`, a tag, a push to a
 * branch without one). It may be closed. `number` overrides the search. Rejects with a GitHubError.
 */
async function findPullRequest(options) {
    const { job, github, signal } = options;
    const fromEvent = readEventPullRequest(job);
    if (fromEvent && (options.number ?? fromEvent.number) === fromEvent.number)
        return fromEvent;
    const number = options.number ?? readEventNumber(job);
    if (number !== undefined)
        return readPullRequest({ job, github, number, signal });
    const head = readHead(job);
    return head && findByHead(head, options);
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
/**
 * What the run is about, from the event alone: the number of a pull request, otherwise the branch or tag. A branch of
 * another repository comes with its owner, because two forks may use the same name.
 */
function pull_request_readSubject(job) {
    const number = readEventPullRequest(job)?.number ?? readEventNumber(job);
    if (number !== undefined)
        return number;
    const run = readWorkflowRun(job);
    if (!run?.head_branch)
        return job.ref;
    const headRepository = run.head_repository?.full_name ?? '';
    const isOwn = isOwnHead(job, { headRepository, isOwnHead: run.isOwnHead });
    return isOwn ? run.head_branch : `${headRepository.split('/')[0]}:${run.head_branch}`;
}
/** The commit that the preview shows: the pull request's head, otherwise the commit the run is about. */
function readCommit(job, pullRequest) {
    const head = pullRequest ?? readEventPullRequest(job);
    return head?.headSha ?? readWorkflowRun(job)?.head_sha ?? job.sha;
}
/** The number in a payload that names a pull request without describing it. */
function readEventNumber(job) {
    const issue = readIssue(job);
    if (issue?.pull_request)
        return issue.number;
    const run = readWorkflowRun(job);
    return run && BRANCH_EVENTS.includes(run.event) ? run.pullRequests[0] : undefined;
}
/** The head whose pull request is looked up. */
function readHead(job) {
    if (job.eventName === 'push' || job.eventName === 'workflow_dispatch') {
        // Other runners than GitHub's may not know the commit.
        if (job.ref.startsWith('refs/tags/') || job.sha === '')
            return undefined;
        const branch = /^refs\/heads\/(.+)/.exec(job.ref)?.[1];
        const { owner, name } = job.repository;
        return { sha: job.sha, branch, repository: `${owner}/${name}`, isOwn: true };
    }
    const run = readWorkflowRun(job);
    if (run === undefined || !BRANCH_EVENTS.includes(run.event))
        return undefined;
    const headRepository = run.head_repository?.full_name ?? '';
    return {
        sha: run.head_sha,
        branch: run.head_branch ?? undefined,
        repository: headRepository,
        isOwn: isOwnHead(job, { headRepository, isOwnHead: run.isOwnHead }),
    };
}
/**
 * The open pull request of that branch with that commit as its head. If there are several, for other base branches, it
 * is the oldest, so that a new one does not move the report.
 */
async function findByHead(head, options) {
    const isWanted = (pull) => pull.state === 'open' &&
        pull.headSha === head.sha &&
        (pull.headBranch === undefined || head.branch === undefined || pull.headBranch === head.branch) &&
        (head.isOwn ? isOwnHead(options.job, pull) : isSameName(pull.headRepository, head.repository));
    for (const list of [listByCommit, listByBranch]) {
        const found = (await list(head, options)).filter(isWanted).sort((a, b) => a.number - b.number);
        if (found[0] !== undefined)
            return found[0];
    }
    return undefined;
}
/**
 * Of a commit that is in the default branch already, GitHub lists only the pull request that brought it there, and of a
 * fork's commit often none.
 */
async function listByCommit({ sha }, { job, github, signal }) {
    const { owner, name: repo } = job.repository;
    const parameters = { owner, repo, commit_sha: sha };
    const route = 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls';
    try {
        return await github.list(PullRequestSchema, route, { parameters, signal });
    }
    catch (error) {
        // The commit is not in this repository: that of a fork, or one whose branch is gone.
        if (error instanceof GitHubError && error.status === 422)
            return [];
        throw error;
    }
}
/** Finds those of forks, too. GitHub ignores a `head` that it does not understand, and lists everything. */
async function listByBranch({ branch, repository }, { job, github, signal }) {
    const [headOwner] = repository.split('/');
    if (!branch || !headOwner)
        return [];
    const { owner, name: repo } = job.repository;
    const parameters = { owner, repo, state: 'open', head: `${headOwner}:${branch}` };
    return github.list(PullRequestSchema, 'GET /repos/{owner}/{repo}/pulls', { parameters, signal });
}
const RepositorySchema = object({ private: dist_boolean(), visibility: optional(string()) });
const RepositoryEvent = object({ repository: RepositorySchema });
/** Whether everybody can read the repository. Never rejects: an unknown visibility counts as not public. */
async function readVisibility(job, github, signal) {
    if (v.is(RepositoryEvent, job.event))
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
/** 64 bits: a repository has few workflows. */
const WORKFLOW_DIGITS = 16;
/** Makes the identity from workflow file, job, step, matrix leg and name; the name defaults to `job (value, value)`. */
function identifyPreview(job, name) {
    const workflow = readWorkflowFile(job);
    const leg = isRecord(job.matrix) ? job.matrix : {};
    const shown = name?.trim() || renderJobName(job.jobId, leg);
    const parts = [workflow, job.jobId, job.stepId, sortKeys(leg), shown];
    return { key: identity_hash(JSON.stringify(parts), KEY_DIGITS), name: shown };
}
/** Hex digits that stand for the workflow file that was started; for a called workflow, that is its caller. */
function identifyWorkflow(job) {
    return identity_hash(readWorkflowFile(job), WORKFLOW_DIGITS);
}
/**
 * The text from which the preview's public address is derived: repository, pull request or branch, and the preview's
 * key. Sends no request to GitHub, because a missing answer must not change the address.
 */
function identifyAddress(job, { key }, number) {
    const { owner, name } = job.repository;
    return JSON.stringify([owner, name, number ?? readSubject(job), key]);
}
/** Whether a job may have more previews like this one: the name or the matrix tells them apart. */
function isOneOfSeveral(job, name) {
    return Boolean(name?.trim()) || (isRecord(job.matrix) && Object.keys(job.matrix).length > 0);
}
/** Without the branch. */
function readWorkflowFile(job) {
    return job.workflowRef.split('@')[0] ?? '';
}
function identity_hash(text, digits) {
    return (0,external_node_crypto_.createHash)('sha256').update(text).digest('hex').slice(0, digits);
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
/** The warning about a number that GitHub does not know, or does not show to this token. */
function describeUnknownNumber(number, { repository }, error) {
    return (`there is no comment: \`pr-number\` is ${number}, but ${repository.owner}/${repository.name} has no pull request with ` +
        `that number, or the token may not read it: ${error.message}`);
}
/** How visitors get access. `given key`: the workflow's own key, which is never shown. */
const ACCESSES = ['open', 'link', 'given key', 'basic'];
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

;// CONCATENATED MODULE: ./build/js/github/report-queue.js
// Decides when a report on GitHub is written: one view at a time, always the newest. A failure is one warning and never
// affects the preview. Used by comment and deployment.




/** Short failures of GitHub end in seconds. After a longer one, only the next change of state is written. */
const RETRY_DELAYS_MS = [1_000, 4_000];
/**
 * A preview that keeps changing its state must not use up what GitHub allows: all writes with one token may be 80 a
 * minute and 500 an hour. So this many are made at once, and then one in each interval: at most 22 in the first hour,
 * and 12 in every other. The end is written in any case.
 */
const WRITES_AT_ONCE = 10;
const WRITE_INTERVAL_MS = 5 * 60_000;
class ReportQueue {
    #options;
    #newest;
    #writing;
    #warned = false;
    /** True once nothing more can be written, for instance because the permission is missing. */
    #closed = false;
    #pace = new Pace(WRITES_AT_ONCE, WRITE_INTERVAL_MS);
    /** Ends the wait for the next write, because the view that came is the last one. */
    #hurry = new AbortController();
    /** Until then GitHub wants no request; milliseconds since 1970. */
    #pausedUntil = 0;
    constructor(options) {
        this.#options = options;
    }
    /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
    update(view) {
        this.#newest = view;
        if (isLast(view))
            this.#hurry.abort();
        this.#writing ??= this.#writeAll();
        return this.#writing;
    }
    /** Resolves when nothing is left to write. */
    async flush() {
        this.#hurry.abort();
        await this.#writing;
    }
    async #writeAll() {
        // Wait, so that two changes in one turn of the event loop become one write.
        await Promise.resolve();
        for (;;) {
            await this.#awaitTurn();
            const view = this.#take();
            if (view === undefined)
                break;
            await this.#write(view).catch(error => this.#giveUp(error));
        }
        // In the same turn as the last #take, so that no update can come in between.
        this.#writing = undefined;
    }
    /** A pause that GitHub asked for holds also for the last view; ours does not. */
    async #awaitTurn() {
        if (this.#newest === undefined || this.#closed)
            return;
        await this.#sleep(this.#pausedUntil - Date.now(), this.#options.signal);
        if (!this.#hurry.signal.aborted)
            await this.#sleep(this.#pace.waitMs(), this.#hurry.signal);
    }
    /** Ends early, without an error, when a signal is aborted. */
    async #sleep(delayMs, end) {
        const { signal } = this.#options;
        const signals = [signal, end].filter(one => one !== undefined);
        if (delayMs > 0)
            await (0,external_node_timers_promises_namespaceObject.setTimeout)(delayMs, undefined, { signal: AbortSignal.any(signals) }).catch(() => { });
    }
    #take() {
        const view = this.#closed || this.#options.signal?.aborted ? undefined : this.#newest;
        this.#newest = undefined;
        return view;
    }
    async #write(view) {
        const { feature, write, logger, signal } = this.#options;
        let newest = view;
        let failure;
        for (const delayMs of [...RETRY_DELAYS_MS, undefined]) {
            try {
                const result = await write(newest);
                if (result === 'written')
                    this.#pace.spend();
                this.#closed = result === 'closed';
                return;
            }
            catch (error) {
                // What GitHub said tells more than that there is no time left to try again.
                if (failure && signal?.aborted)
                    throw failure;
                const retryable = error instanceof github_error_GitHubError && error.retryable;
                // After a pause that GitHub asks for (#giveUp), there will be a newer view.
                if (!retryable || delayMs === undefined || error.retryAfterMs)
                    throw error;
                failure = error;
                logger.debug(`the ${feature} will be written again in ${delayMs} ms: ${errors_describeError(error)}`);
                await (0,external_node_timers_promises_namespaceObject.setTimeout)(delayMs, undefined, signal ? { signal } : {}).catch(() => Promise.reject(error));
                newest = this.#take() ?? newest;
            }
        }
    }
    #giveUp(error) {
        const { feature, logger, signal } = this.#options;
        const known = error instanceof github_error_GitHubError;
        if (signal?.aborted && !known)
            return;
        // 422 refuses this text: that of the next view may be accepted, above all the end.
        this.#closed = !(known && (error.retryable || error.status === 422));
        if (known)
            this.#pausedUntil = Date.now() + (error.retryAfterMs ?? 0);
        if (this.#warned)
            return;
        this.#warned = true;
        logger.warn(wording_describeReportFailure(feature, error));
    }
}
/** How often a view may be written: a full bucket of writes, and one more in each interval. */
class Pace {
    #atOnce;
    #intervalMs;
    #left;
    #countedAt = Date.now();
    constructor(atOnce, intervalMs) {
        this.#atOnce = atOnce;
        this.#intervalMs = intervalMs;
        this.#left = atOnce;
    }
    /** 0 if a view may be written now. */
    waitMs() {
        this.#refill();
        return this.#left >= 1 ? 0 : (1 - this.#left) * this.#intervalMs;
    }
    spend() {
        this.#refill();
        this.#left -= 1;
    }
    #refill() {
        const now = Date.now();
        this.#left = Math.min(this.#atOnce, this.#left + (now - this.#countedAt) / this.#intervalMs);
        this.#countedAt = now;
    }
}
/** No view follows it. */
function isLast({ state }) {
    return state.kind === 'ended' || state.kind === 'failed';
}

;// CONCATENATED MODULE: ./build/js/shared/public-url.js
// How the public address is written: the templates of `public-url`, IPv6 brackets, and the command to paste for TCP.
// Used wherever an address is parsed, printed or dialled.
/** The bore server's own address, without a proxy in front. */
const PLAIN_PUBLIC_URLS = { http: 'http://{host}:{port}', tcp: 'tcp://{host}:{port}' };
/** The bore server's own address if TLS ends on the runner. */
const TLS_PUBLIC_URL = 'https://{host}:{port}';
/** Stands for the port while there is none: only the form of the address matters. */
const SAMPLE_PORT = 12_345;
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

;// CONCATENATED MODULE: ./build/js/shared/utc.js
// Times as people read them in logs, comments and summaries.
/** `2026-05-04 10:32 UTC`: in UTC, because readers are in many time zones; without seconds. */
function utc_renderTime(time) {
    return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

;// CONCATENATED MODULE: ./build/js/github/escaping.js
// Renders untrusted text in Markdown, always as code with a fence that the text cannot close. Used by comment and
// summary for every value that they show.

/**
 * Text as inline code. CommonMark 6.1: a code span ends only at a run of as many backticks as it began with, and one
 * space on both sides is dropped. GitHub makes no links and no mentions inside a code span.
 */
function escaping_renderCode(text, maxLength) {
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
const WORD = /^[("']*[A-Za-z]+(?:['’][A-Za-z]+|-[A-Za-z]+)*[)"']*[.,:;!?]?[)"']*$|^\d{1,4}[,;%]?$|^[–—.,:;]$/;
/** One of our own sentences. Names and values in it, and text in backticks, become inline code. */
function renderSentence(text, maxLength = 500) {
    const pieces = sanitise_sanitise(text, maxLength).split('`');
    return pieces
        .map(piece => piece.trim())
        .map((piece, index) => index % 2 === 0 || piece === '' ? renderWords(piece) : escaping_renderCode(piece, maxLength))
        .filter(piece => piece !== '')
        .join(' ')
        .replaceAll(/` ([.,:;])(?= |$)/g, '`$1');
}
/** Neighbours that are not plain words share one code span. */
function renderWords(text) {
    const runs = [];
    for (const word of text.split(' ').filter(word => word !== '')) {
        const plain = WORD.test(word);
        const last = runs.at(-1);
        if (last?.plain === plain)
            last.words.push(word);
        else
            runs.push({ plain, words: [word] });
    }
    return runs
        .map(({ plain, words }) => (plain ? words.join(' ') : escaping_renderCode(words.join(' '), MAX_CODE_LENGTH)))
        .join(' ');
}
/** A link with trusted Markdown as its text. An address that is not http(s) is shown as inline code. */
function escaping_renderLink(markdown, address) {
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol))
        return escaping_renderCode(address);
    // The URL parser has already encoded `<`, `>`, spaces and controls everywhere except in the fragment.
    const target = url.href.replace(/[\\<>`\s]/g, encodeURIComponent).replaceAll('&', '&amp;');
    return `[${markdown}](<${target}>)`;
}
function longestRun(text) {
    return Math.max(0, ...(text.match(/`+/g) ?? []).map(run => run.length));
}

;// CONCATENATED MODULE: ./node_modules/uqr/dist/index.mjs
var QrCodeDataType = /* @__PURE__ */ ((QrCodeDataType2) => {
  QrCodeDataType2[QrCodeDataType2["Border"] = -1] = "Border";
  QrCodeDataType2[QrCodeDataType2["Data"] = 0] = "Data";
  QrCodeDataType2[QrCodeDataType2["Function"] = 1] = "Function";
  QrCodeDataType2[QrCodeDataType2["Position"] = 2] = "Position";
  QrCodeDataType2[QrCodeDataType2["Timing"] = 3] = "Timing";
  QrCodeDataType2[QrCodeDataType2["Alignment"] = 4] = "Alignment";
  return QrCodeDataType2;
})(QrCodeDataType || {});

const LOW = [0, 1];
const MEDIUM = [1, 0];
const QUARTILE = [2, 3];
const HIGH = [3, 2];
const EccMap = {
  L: LOW,
  M: MEDIUM,
  Q: QUARTILE,
  H: HIGH
};
const NUMERIC_REGEX = /^\d*$/;
const ALPHANUMERIC_REGEX = /^[A-Z0-9 $%*+./:-]*$/;
const ALPHANUMERIC_CHARSET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const MIN_VERSION = 1;
const MAX_VERSION = 40;
const PENALTY_N1 = 3;
const PENALTY_N2 = 3;
const PENALTY_N3 = 40;
const PENALTY_N4 = 10;
const ECC_CODEWORDS_PER_BLOCK = [
  // Version: (note that index 0 is for padding, and is set to an illegal value)
  // 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40    Error correction level
  [-1, 7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  // Low
  [-1, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  // Medium
  [-1, 13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  // Quartile
  [-1, 17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30]
  // High
];
const NUM_ERROR_CORRECTION_BLOCKS = [
  // Version: (note that index 0 is for padding, and is set to an illegal value)
  // 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40    Error correction level
  [-1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
  // Low
  [-1, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49],
  // Medium
  [-1, 1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68],
  // Quartile
  [-1, 1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81]
  // High
];
class QrCode {
  /* -- Constructor (low level) and fields -- */
  // Creates a new QR Code with the given version number,
  // error correction level, data codeword bytes, and mask number.
  // This is a low-level API that most users should not use directly.
  // A mid-level API is the encodeSegments() function.
  constructor(version, ecc, dataCodewords, msk) {
    this.version = version;
    this.ecc = ecc;
    if (version < MIN_VERSION || version > MAX_VERSION)
      throw new RangeError("Version value out of range");
    if (msk < -1 || msk > 7)
      throw new RangeError("Mask value out of range");
    this.size = version * 4 + 17;
    const row = Array.from({ length: this.size }).fill(false);
    for (let i = 0; i < this.size; i++) {
      this.modules.push(row.slice());
      this.types.push(row.map(() => 0));
    }
    this.drawFunctionPatterns();
    const allCodewords = this.addEccAndInterleave(dataCodewords);
    this.drawCodewords(allCodewords);
    if (msk === -1) {
      let minPenalty = 1e9;
      for (let i = 0; i < 8; i++) {
        this.applyMask(i);
        this.drawFormatBits(i);
        const penalty = this.getPenaltyScore();
        if (penalty < minPenalty) {
          msk = i;
          minPenalty = penalty;
        }
        this.applyMask(i);
      }
    }
    this.mask = msk;
    this.applyMask(msk);
    this.drawFormatBits(msk);
  }
  /* -- Fields -- */
  // The width and height of this QR Code, measured in modules, between
  // 21 and 177 (inclusive). This is equal to version * 4 + 17.
  size;
  // The index of the mask pattern used in this QR Code, which is between 0 and 7 (inclusive).
  // Even if a QR Code is created with automatic masking requested (mask = -1),
  // the resulting object still has a mask value between 0 and 7.
  mask;
  // The modules of this QR Code (false = light, true = dark).
  // Immutable after constructor finishes. Accessed through getModule().
  modules = [];
  types = [];
  /* -- Accessor methods -- */
  // Returns the color of the module (pixel) at the given coordinates, which is false
  // for light or true for dark. The top left corner has the coordinates (x=0, y=0).
  // If the given coordinates are out of bounds, then false (light) is returned.
  getModule(x, y) {
    return x >= 0 && x < this.size && y >= 0 && y < this.size && this.modules[y][x];
  }
  /* -- Private helper methods for constructor: Drawing function modules -- */
  // Reads this object's version field, and draws and marks all function modules.
  drawFunctionPatterns() {
    for (let i = 0; i < this.size; i++) {
      this.setFunctionModule(6, i, i % 2 === 0, QrCodeDataType.Timing);
      this.setFunctionModule(i, 6, i % 2 === 0, QrCodeDataType.Timing);
    }
    this.drawFinderPattern(3, 3);
    this.drawFinderPattern(this.size - 4, 3);
    this.drawFinderPattern(3, this.size - 4);
    const alignPatPos = this.getAlignmentPatternPositions();
    const numAlign = alignPatPos.length;
    for (let i = 0; i < numAlign; i++) {
      for (let j = 0; j < numAlign; j++) {
        if (!(i === 0 && j === 0 || i === 0 && j === numAlign - 1 || i === numAlign - 1 && j === 0))
          this.drawAlignmentPattern(alignPatPos[i], alignPatPos[j]);
      }
    }
    this.drawFormatBits(0);
    this.drawVersion();
  }
  // Draws two copies of the format bits (with its own error correction code)
  // based on the given mask and this object's error correction level field.
  drawFormatBits(mask) {
    const data = this.ecc[1] << 3 | mask;
    let rem = data;
    for (let i = 0; i < 10; i++)
      rem = rem << 1 ^ (rem >>> 9) * 1335;
    const bits = (data << 10 | rem) ^ 21522;
    for (let i = 0; i <= 5; i++)
      this.setFunctionModule(8, i, getBit(bits, i));
    this.setFunctionModule(8, 7, getBit(bits, 6));
    this.setFunctionModule(8, 8, getBit(bits, 7));
    this.setFunctionModule(7, 8, getBit(bits, 8));
    for (let i = 9; i < 15; i++)
      this.setFunctionModule(14 - i, 8, getBit(bits, i));
    for (let i = 0; i < 8; i++)
      this.setFunctionModule(this.size - 1 - i, 8, getBit(bits, i));
    for (let i = 8; i < 15; i++)
      this.setFunctionModule(8, this.size - 15 + i, getBit(bits, i));
    this.setFunctionModule(8, this.size - 8, true);
  }
  // Draws two copies of the version bits (with its own error correction code),
  // based on this object's version field, iff 7 <= version <= 40.
  drawVersion() {
    if (this.version < 7)
      return;
    let rem = this.version;
    for (let i = 0; i < 12; i++)
      rem = rem << 1 ^ (rem >>> 11) * 7973;
    const bits = this.version << 12 | rem;
    for (let i = 0; i < 18; i++) {
      const color = getBit(bits, i);
      const a = this.size - 11 + i % 3;
      const b = Math.floor(i / 3);
      this.setFunctionModule(a, b, color);
      this.setFunctionModule(b, a, color);
    }
  }
  // Draws a 9*9 finder pattern including the border separator,
  // with the center module at (x, y). Modules can be out of bounds.
  drawFinderPattern(x, y) {
    for (let dy = -4; dy <= 4; dy++) {
      for (let dx = -4; dx <= 4; dx++) {
        const dist = Math.max(Math.abs(dx), Math.abs(dy));
        const xx = x + dx;
        const yy = y + dy;
        if (xx >= 0 && xx < this.size && yy >= 0 && yy < this.size)
          this.setFunctionModule(xx, yy, dist !== 2 && dist !== 4, QrCodeDataType.Position);
      }
    }
  }
  // Draws a 5*5 alignment pattern, with the center module
  // at (x, y). All modules must be in bounds.
  drawAlignmentPattern(x, y) {
    for (let dy = -2; dy <= 2; dy++) {
      for (let dx = -2; dx <= 2; dx++) {
        this.setFunctionModule(
          x + dx,
          y + dy,
          Math.max(Math.abs(dx), Math.abs(dy)) !== 1,
          QrCodeDataType.Alignment
        );
      }
    }
  }
  // Sets the color of a module and marks it as a function module.
  // Only used by the constructor. Coordinates must be in bounds.
  setFunctionModule(x, y, isDark, type = QrCodeDataType.Function) {
    this.modules[y][x] = isDark;
    this.types[y][x] = type;
  }
  /* -- Private helper methods for constructor: Codewords and masking -- */
  // Returns a new byte string representing the given data with the appropriate error correction
  // codewords appended to it, based on this object's version and error correction level.
  addEccAndInterleave(data) {
    const ver = this.version;
    const ecl = this.ecc;
    if (data.length !== getNumDataCodewords(ver, ecl))
      throw new RangeError("Invalid argument");
    const numBlocks = NUM_ERROR_CORRECTION_BLOCKS[ecl[0]][ver];
    const blockEccLen = ECC_CODEWORDS_PER_BLOCK[ecl[0]][ver];
    const rawCodewords = Math.floor(getNumRawDataModules(ver) / 8);
    const numShortBlocks = numBlocks - rawCodewords % numBlocks;
    const shortBlockLen = Math.floor(rawCodewords / numBlocks);
    const blocks = [];
    const rsDiv = reedSolomonComputeDivisor(blockEccLen);
    for (let i = 0, k = 0; i < numBlocks; i++) {
      const dat = data.slice(k, k + shortBlockLen - blockEccLen + (i < numShortBlocks ? 0 : 1));
      k += dat.length;
      const ecc = reedSolomonComputeRemainder(dat, rsDiv);
      if (i < numShortBlocks)
        dat.push(0);
      blocks.push(dat.concat(ecc));
    }
    const result = [];
    for (let i = 0; i < blocks[0].length; i++) {
      blocks.forEach((block, j) => {
        if (i !== shortBlockLen - blockEccLen || j >= numShortBlocks)
          result.push(block[i]);
      });
    }
    return result;
  }
  // Draws the given sequence of 8-bit codewords (data and error correction) onto the entire
  // data area of this QR Code. Function modules need to be marked off before this is called.
  drawCodewords(data) {
    if (data.length !== Math.floor(getNumRawDataModules(this.version) / 8))
      throw new RangeError("Invalid argument");
    let i = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6)
        right = 5;
      for (let vert = 0; vert < this.size; vert++) {
        for (let j = 0; j < 2; j++) {
          const x = right - j;
          const upward = (right + 1 & 2) === 0;
          const y = upward ? this.size - 1 - vert : vert;
          if (!this.types[y][x] && i < data.length * 8) {
            this.modules[y][x] = getBit(data[i >>> 3], 7 - (i & 7));
            i++;
          }
        }
      }
    }
  }
  // XORs the codeword modules in this QR Code with the given mask pattern.
  // The function modules must be marked and the codeword bits must be drawn
  // before masking. Due to the arithmetic of XOR, calling applyMask() with
  // the same mask value a second time will undo the mask. A final well-formed
  // QR Code needs exactly one (not zero, two, etc.) mask applied.
  applyMask(mask) {
    if (mask < 0 || mask > 7)
      throw new RangeError("Mask value out of range");
    for (let y = 0; y < this.size; y++) {
      for (let x = 0; x < this.size; x++) {
        let invert;
        switch (mask) {
          case 0:
            invert = (x + y) % 2 === 0;
            break;
          case 1:
            invert = y % 2 === 0;
            break;
          case 2:
            invert = x % 3 === 0;
            break;
          case 3:
            invert = (x + y) % 3 === 0;
            break;
          case 4:
            invert = (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0;
            break;
          case 5:
            invert = x * y % 2 + x * y % 3 === 0;
            break;
          case 6:
            invert = (x * y % 2 + x * y % 3) % 2 === 0;
            break;
          case 7:
            invert = ((x + y) % 2 + x * y % 3) % 2 === 0;
            break;
          default:
            throw new Error("Unreachable");
        }
        if (!this.types[y][x] && invert)
          this.modules[y][x] = !this.modules[y][x];
      }
    }
  }
  // Calculates and returns the penalty score based on state of this QR Code's current modules.
  // This is used by the automatic mask choice algorithm to find the mask pattern that yields the lowest score.
  getPenaltyScore() {
    let result = 0;
    for (let y = 0; y < this.size; y++) {
      let runColor = false;
      let runX = 0;
      const runHistory = [0, 0, 0, 0, 0, 0, 0];
      for (let x = 0; x < this.size; x++) {
        if (this.modules[y][x] === runColor) {
          runX++;
          if (runX === 5)
            result += PENALTY_N1;
          else if (runX > 5)
            result++;
        } else {
          this.finderPenaltyAddHistory(runX, runHistory);
          if (!runColor)
            result += this.finderPenaltyCountPatterns(runHistory) * PENALTY_N3;
          runColor = this.modules[y][x];
          runX = 1;
        }
      }
      result += this.finderPenaltyTerminateAndCount(runColor, runX, runHistory) * PENALTY_N3;
    }
    for (let x = 0; x < this.size; x++) {
      let runColor = false;
      let runY = 0;
      const runHistory = [0, 0, 0, 0, 0, 0, 0];
      for (let y = 0; y < this.size; y++) {
        if (this.modules[y][x] === runColor) {
          runY++;
          if (runY === 5)
            result += PENALTY_N1;
          else if (runY > 5)
            result++;
        } else {
          this.finderPenaltyAddHistory(runY, runHistory);
          if (!runColor)
            result += this.finderPenaltyCountPatterns(runHistory) * PENALTY_N3;
          runColor = this.modules[y][x];
          runY = 1;
        }
      }
      result += this.finderPenaltyTerminateAndCount(runColor, runY, runHistory) * PENALTY_N3;
    }
    for (let y = 0; y < this.size - 1; y++) {
      for (let x = 0; x < this.size - 1; x++) {
        const color = this.modules[y][x];
        if (color === this.modules[y][x + 1] && color === this.modules[y + 1][x] && color === this.modules[y + 1][x + 1]) {
          result += PENALTY_N2;
        }
      }
    }
    let dark = 0;
    for (const row of this.modules)
      dark = row.reduce((sum, color) => sum + (color ? 1 : 0), dark);
    const total = this.size * this.size;
    const k = Math.ceil(Math.abs(dark * 20 - total * 10) / total) - 1;
    result += k * PENALTY_N4;
    return result;
  }
  /* -- Private helper functions -- */
  // Returns an ascending list of positions of alignment patterns for this version number.
  // Each position is in the range [0,177), and are used on both the x and y axes.
  // This could be implemented as lookup table of 40 variable-length lists of integers.
  getAlignmentPatternPositions() {
    if (this.version === 1) {
      return [];
    } else {
      const numAlign = Math.floor(this.version / 7) + 2;
      const step = this.version === 32 ? 26 : Math.ceil((this.version * 4 + 4) / (numAlign * 2 - 2)) * 2;
      const result = [6];
      for (let pos = this.size - 7; result.length < numAlign; pos -= step)
        result.splice(1, 0, pos);
      return result;
    }
  }
  // Can only be called immediately after a light run is added, and
  // returns either 0, 1, or 2. A helper function for getPenaltyScore().
  finderPenaltyCountPatterns(runHistory) {
    const n = runHistory[1];
    const core = n > 0 && runHistory[2] === n && runHistory[3] === n * 3 && runHistory[4] === n && runHistory[5] === n;
    return (core && runHistory[0] >= n * 4 && runHistory[6] >= n ? 1 : 0) + (core && runHistory[6] >= n * 4 && runHistory[0] >= n ? 1 : 0);
  }
  // Must be called at the end of a line (row or column) of modules. A helper function for getPenaltyScore().
  finderPenaltyTerminateAndCount(currentRunColor, currentRunLength, runHistory) {
    if (currentRunColor) {
      this.finderPenaltyAddHistory(currentRunLength, runHistory);
      currentRunLength = 0;
    }
    currentRunLength += this.size;
    this.finderPenaltyAddHistory(currentRunLength, runHistory);
    return this.finderPenaltyCountPatterns(runHistory);
  }
  // Pushes the given value to the front and drops the last value. A helper function for getPenaltyScore().
  finderPenaltyAddHistory(currentRunLength, runHistory) {
    if (runHistory[0] === 0)
      currentRunLength += this.size;
    runHistory.pop();
    runHistory.unshift(currentRunLength);
  }
}
function appendBits(val, len, bb) {
  if (len < 0 || len > 31 || val >>> len !== 0)
    throw new RangeError("Value out of range");
  for (let i = len - 1; i >= 0; i--)
    bb.push(val >>> i & 1);
}
function getBit(x, i) {
  return (x >>> i & 1) !== 0;
}
class QrSegment {
  // Creates a new QR Code segment with the given attributes and data.
  // The character count (numChars) must agree with the mode and the bit buffer length,
  // but the constraint isn't checked. The given bit buffer is cloned and stored.
  constructor(mode, numChars, bitData) {
    this.mode = mode;
    this.numChars = numChars;
    this.bitData = bitData;
    if (numChars < 0)
      throw new RangeError("Invalid argument");
    this.bitData = bitData.slice();
  }
  /* -- Methods -- */
  // Returns a new copy of the data bits of this segment.
  getData() {
    return this.bitData.slice();
  }
}
const MODE_NUMERIC = [1, 10, 12, 14];
const MODE_ALPHANUMERIC = [2, 9, 11, 13];
const MODE_BYTE = [4, 8, 16, 16];
function numCharCountBits(mode, ver) {
  return mode[Math.floor((ver + 7) / 17) + 1];
}
function makeBytes(data) {
  const bb = [];
  for (const b of data)
    appendBits(b, 8, bb);
  return new QrSegment(MODE_BYTE, data.length, bb);
}
function makeNumeric(digits) {
  if (!isNumeric(digits))
    throw new RangeError("String contains non-numeric characters");
  const bb = [];
  for (let i = 0; i < digits.length; ) {
    const n = Math.min(digits.length - i, 3);
    appendBits(Number.parseInt(digits.substring(i, i + n), 10), n * 3 + 1, bb);
    i += n;
  }
  return new QrSegment(MODE_NUMERIC, digits.length, bb);
}
function makeAlphanumeric(text) {
  if (!isAlphanumeric(text))
    throw new RangeError("String contains unencodable characters in alphanumeric mode");
  const bb = [];
  let i;
  for (i = 0; i + 2 <= text.length; i += 2) {
    let temp = ALPHANUMERIC_CHARSET.indexOf(text.charAt(i)) * 45;
    temp += ALPHANUMERIC_CHARSET.indexOf(text.charAt(i + 1));
    appendBits(temp, 11, bb);
  }
  if (i < text.length)
    appendBits(ALPHANUMERIC_CHARSET.indexOf(text.charAt(i)), 6, bb);
  return new QrSegment(MODE_ALPHANUMERIC, text.length, bb);
}
function makeSegments(text) {
  if (text === "")
    return [];
  else if (isNumeric(text))
    return [makeNumeric(text)];
  else if (isAlphanumeric(text))
    return [makeAlphanumeric(text)];
  else
    return [makeBytes(toUtf8ByteArray(text))];
}
function isNumeric(text) {
  return NUMERIC_REGEX.test(text);
}
function isAlphanumeric(text) {
  return ALPHANUMERIC_REGEX.test(text);
}
function getTotalBits(segs, version) {
  let result = 0;
  for (const seg of segs) {
    const ccbits = numCharCountBits(seg.mode, version);
    if (seg.numChars >= 1 << ccbits)
      return Number.POSITIVE_INFINITY;
    result += 4 + ccbits + seg.bitData.length;
  }
  return result;
}
function toUtf8ByteArray(str) {
  str = encodeURI(str);
  const result = [];
  for (let i = 0; i < str.length; i++) {
    if (str.charAt(i) !== "%") {
      result.push(str.charCodeAt(i));
    } else {
      result.push(Number.parseInt(str.substring(i + 1, i + 3), 16));
      i += 2;
    }
  }
  return result;
}
function getNumRawDataModules(ver) {
  if (ver < MIN_VERSION || ver > MAX_VERSION)
    throw new RangeError("Version number out of range");
  let result = (16 * ver + 128) * ver + 64;
  if (ver >= 2) {
    const numAlign = Math.floor(ver / 7) + 2;
    result -= (25 * numAlign - 10) * numAlign - 55;
    if (ver >= 7)
      result -= 36;
  }
  return result;
}
function getNumDataCodewords(ver, ecl) {
  return Math.floor(getNumRawDataModules(ver) / 8) - ECC_CODEWORDS_PER_BLOCK[ecl[0]][ver] * NUM_ERROR_CORRECTION_BLOCKS[ecl[0]][ver];
}
function reedSolomonComputeDivisor(degree) {
  if (degree < 1 || degree > 255)
    throw new RangeError("Degree out of range");
  const result = [];
  for (let i = 0; i < degree - 1; i++)
    result.push(0);
  result.push(1);
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < result.length; j++) {
      result[j] = reedSolomonMultiply(result[j], root);
      if (j + 1 < result.length)
        result[j] ^= result[j + 1];
    }
    root = reedSolomonMultiply(root, 2);
  }
  return result;
}
function reedSolomonComputeRemainder(data, divisor) {
  const result = divisor.map((_) => 0);
  for (const b of data) {
    const factor = b ^ result.shift();
    result.push(0);
    divisor.forEach((coef, i) => result[i] ^= reedSolomonMultiply(coef, factor));
  }
  return result;
}
function reedSolomonMultiply(x, y) {
  if (x >>> 8 !== 0 || y >>> 8 !== 0)
    throw new RangeError("Byte out of range");
  let z = 0;
  for (let i = 7; i >= 0; i--) {
    z = z << 1 ^ (z >>> 7) * 285;
    z ^= (y >>> i & 1) * x;
  }
  return z;
}
function encodeSegments(segs, ecl, minVersion = 1, maxVersion = 40, mask = -1, boostEcl = true) {
  if (!(MIN_VERSION <= minVersion && minVersion <= maxVersion && maxVersion <= MAX_VERSION) || mask < -1 || mask > 7) {
    throw new RangeError("Invalid value");
  }
  let version;
  let dataUsedBits;
  for (version = minVersion; ; version++) {
    const dataCapacityBits2 = getNumDataCodewords(version, ecl) * 8;
    const usedBits = getTotalBits(segs, version);
    if (usedBits <= dataCapacityBits2) {
      dataUsedBits = usedBits;
      break;
    }
    if (version >= maxVersion)
      throw new RangeError("Data too long");
  }
  for (const newEcl of [MEDIUM, QUARTILE, HIGH]) {
    if (boostEcl && dataUsedBits <= getNumDataCodewords(version, newEcl) * 8)
      ecl = newEcl;
  }
  const bb = [];
  for (const seg of segs) {
    appendBits(seg.mode[0], 4, bb);
    appendBits(seg.numChars, numCharCountBits(seg.mode, version), bb);
    for (const b of seg.getData())
      bb.push(b);
  }
  const dataCapacityBits = getNumDataCodewords(version, ecl) * 8;
  appendBits(0, Math.min(4, dataCapacityBits - bb.length), bb);
  appendBits(0, (8 - bb.length % 8) % 8, bb);
  for (let padByte = 236; bb.length < dataCapacityBits; padByte ^= 236 ^ 17)
    appendBits(padByte, 8, bb);
  const dataCodewords = Array.from({ length: Math.ceil(bb.length / 8) }, () => 0);
  bb.forEach((b, i) => dataCodewords[i >>> 3] |= b << 7 - (i & 7));
  return new QrCode(version, ecl, dataCodewords, mask);
}

function encode(data, options) {
  const {
    ecc = "L",
    boostEcc = false,
    minVersion = 1,
    maxVersion = 40,
    maskPattern = -1,
    border = 1
  } = options || {};
  const segment = typeof data === "string" ? makeSegments(data) : Array.isArray(data) ? [makeBytes(data)] : void 0;
  if (!segment)
    throw new Error(`uqr only supports encoding string and binary data, but got: ${typeof data}`);
  const qr = encodeSegments(
    segment,
    EccMap[ecc],
    minVersion,
    maxVersion,
    maskPattern,
    boostEcc
  );
  const result = addBorder({
    version: qr.version,
    maskPattern: qr.mask,
    size: qr.size,
    data: qr.modules,
    types: qr.types
  }, border);
  if (options?.invert)
    result.data = result.data.map((row) => row.map((mod) => !mod));
  options?.onEncoded?.(result);
  return result;
}
function addBorder(input, border = 1) {
  if (!border)
    return input;
  const { size } = input;
  const newSize = size + border * 2;
  input.size = newSize;
  input.data.forEach((row) => {
    for (let i = 0; i < border; i++) {
      row.unshift(false);
      row.push(false);
    }
  });
  for (let i = 0; i < border; i++) {
    input.data.unshift(Array.from({ length: newSize }, (_) => false));
    input.data.push(Array.from({ length: newSize }, (_) => false));
  }
  const b = QrCodeDataType.Border;
  input.types.forEach((row) => {
    for (let i = 0; i < border; i++) {
      row.unshift(b);
      row.push(b);
    }
  });
  for (let i = 0; i < border; i++) {
    input.types.unshift(Array.from({ length: newSize }, (_) => b));
    input.types.push(Array.from({ length: newSize }, (_) => b));
  }
  return input;
}
function getDataAt(data, x, y, defaults = false) {
  if (x < 0 || y < 0 || x >= data.length || y >= data.length)
    return defaults;
  return data[y][x];
}

function renderUnicode(data, options = {}) {
  const {
    whiteChar = "\u2588",
    blackChar = "\u2591"
  } = options;
  const result = encode(data, options);
  return result.data.map((row) => {
    return row.map((mod) => mod ? blackChar : whiteChar).join("");
  }).join("\n");
}
function renderANSI(data, options = {}) {
  return renderUnicode(data, {
    ...options,
    blackChar: "\x1B[40m\u3000\x1B[0m",
    whiteChar: "\x1B[47m\u3000\x1B[0m"
  });
}
function renderUnicodeCompact(data, options = {}) {
  const palette = {
    WHITE_ALL: "\u2588",
    WHITE_BLACK: "\u2580",
    BLACK_WHITE: "\u2584",
    BLACK_ALL: " "
  };
  const result = encode(data, options);
  const WHITE = false;
  const BLACK = true;
  const at = (x, y) => getDataAt(result.data, x, y, true);
  const lines = [];
  let line = "";
  for (let row = 0; row < result.size; row += 2) {
    for (let col = 0; col < result.size; col++) {
      if (at(col, row) === WHITE && at(col, row + 1) === WHITE)
        line += palette.WHITE_ALL;
      else if (at(col, row) === WHITE && at(col, row + 1) === BLACK)
        line += palette.WHITE_BLACK;
      else if (at(col, row) === BLACK && at(col, row + 1) === WHITE)
        line += palette.BLACK_WHITE;
      else
        line += palette.BLACK_ALL;
    }
    lines.push(line);
    line = "";
  }
  return lines.join("\n");
}

function escapeAttr(value) {
  return value.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
function renderSVG(data, options = {}) {
  const result = encode(data, options);
  const {
    pixelSize = 10,
    whiteColor = "white",
    blackColor = "black"
  } = options;
  const height = result.size * pixelSize;
  const width = result.size * pixelSize;
  let svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">`;
  const paths = [];
  for (let row = 0; row < result.size; row++) {
    for (let col = 0; col < result.size; col++) {
      const x = col * pixelSize;
      const y = row * pixelSize;
      if (result.data[row][col])
        paths.push(`M${x},${y}h${pixelSize}v${pixelSize}h-${pixelSize}z`);
    }
  }
  svg += `<rect fill="${escapeAttr(whiteColor)}" width="${width}" height="${height}"/>`;
  svg += `<path fill="${escapeAttr(blackColor)}" d="${paths.join("")}"/>`;
  svg += "</svg>";
  return svg;
}



;// CONCATENATED MODULE: ./build/js/github/comment/qr.js
// Draws a link as a QR code made of text, so that no picture has to be fetched from anywhere. Used by markdown.ts.
//
// The element is `<kbd>`, because GitHub sets its lines closer (10 px for letters of 11 px) than the letters are high.
// In a code block there are gaps between the lines, and readers fail. A module is two letters wide, which makes it
// nearly square: half blocks would be smaller, but where lines overlap, they grow to a different size than the rest.
// In a dark theme the code is light on dark. The readers of phones accept both.

/** Modules of a side; a link of 270 characters has 57. A longer one would be too fine to be read from a screen. */
const MAX_SIZE = 57;
/** ISO/IEC 18004 wants four modules around the code; with the frame of the element, readers need two. */
const BORDER = 2;
/** Two letters for each module. The spaces are of the kind that nobody joins or trims. */
const [DARK, LIGHT] = ['██', '\u00a0\u00a0'];
/** A block of HTML, which scrolls where it is too wide; undefined if the link is too long. Shows no text of the link. */
function renderQrCode(link) {
    // A byte needs eight bits, and a code of the largest size holds 271 of them.
    if (Buffer.byteLength(link) > 271)
        return undefined;
    const { data, size } = encode(link, { ecc: 'L', border: BORDER });
    if (size > MAX_SIZE + 2 * BORDER)
        return undefined;
    const rows = data.map(row => row.map(isDark => (isDark ? DARK : LIGHT)).join(''));
    return `<pre><kbd>${rows.join('\n')}</kbd></pre>`;
}

;// CONCATENATED MODULE: ./build/js/github/comment/markdown.js
// Renders the comment as Markdown. Pure: the same view gives the same text. The text always names the end of the
// preview, because a runner that dies cannot correct it. Used by comment-writer.ts; ../summary/ shares some words.




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
/**
 * A code span of a heading, whose fence may be longer than one backtick. With limits of length, above those of a name:
 * otherwise a comment that somebody has edited could take seconds to read.
 */
const NAME = /^### \S{1,9} Preview ((`{1,110})[^\n]{0,120}?[^`\n]\2(?!`)|\(empty\))/m;
const ADDRESS = /`((?:https?|tcp):\/\/[\w.[\]:-]+)`/;
const FOOTER = /^(\[`.*) · updated [\d: -]+ UTC$/m;
/**
 * What is shown instead of a comment whose run is over and which nobody corrected. Takes name, address and footer from
 * the old text, which our own user wrote.
 */
function renderStale(body, marker, now) {
    const name = NAME.exec(body)?.[1];
    const footer = FOOTER.exec(body)?.[1];
    const paragraphs = [
        `### ⚪ Preview ${name === undefined ? '' : `${name} `}has ended`,
        `Its run is over and could not say so itself.${renderOldAddress(ADDRESS.exec(body)?.[1])}`,
        NEW_RUN,
        `${footer === undefined ? '' : `${footer} · `}updated ${utc_renderTime(now)}`,
    ];
    return `${marker}\n${paragraphs.join('\n\n')}\n`;
}
function renderPreview(view) {
    const { preview, state } = view;
    const paragraphs = [
        `### ${renderTitle(preview.name, state)}`,
        ...renderState(preview, state),
        ...renderScan(state),
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
    return `${sign} Preview ${escaping_renderCode(name, 100)} ${words}`;
}
function renderState(preview, state) {
    switch (state.kind) {
        case 'starting':
            return [`The link will appear here. ${renderEnd(preview, state.endsAt)}`];
        case 'live':
            return renderLive(preview, state);
        case 'reconnecting':
            return [
                `${OUTAGES[state.outage]} since ${utc_renderTime(state.since)}. ${OUTLOOKS[state.outage]}`,
                `${renderEnd(preview, state.endsAt)}${state.url === undefined ? '' : ` Its address: ${markdown_renderAddress(state.url)}.`}`,
            ];
        case 'ended':
            return [
                `${ENDINGS[state.reason]} at ${utc_renderTime(state.endedAt)}.${renderOldAddress(state.url)}`,
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
        ? `**${escaping_renderLink('Open the preview', state.url)}** at ${host}`
        : `Connect to **${host}**, for instance with`;
    const line = renderClientLine(state.url);
    const lines = [address, ...(line === undefined ? [] : [renderCodeBlock([line])])];
    if (state.inspectorUrl !== undefined)
        lines.push(`${escaping_renderLink('Open the inspector', state.inspectorUrl)} to see its requests and console as they come.`);
    lines.push(renderEnd(preview, state.endsAt));
    if (preview.entry !== undefined)
        lines.push(renderSentence(preview.entry));
    if (state.unverifiedReason !== undefined)
        lines.push(UNVERIFIED[state.unverifiedReason]);
    return lines;
}
/** The link as a QR code, for a phone that looks at the screen. */
function renderScan(state) {
    const isWeb = state.kind === 'live' && /^https?:/i.test(state.url);
    const code = isWeb ? renderQrCode(state.url) : undefined;
    return code === undefined ? [] : ['<details><summary>Open on a phone</summary>', code, '</details>'];
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
const NEW_RUN = 'Push a commit or run the workflow again to get a new one.';
/** How to get a new preview; after a pull request is closed, nobody wants one. */
function renderAgain(reason) {
    if (reason === 'pull request closed' || reason === 'pull request merged')
        return [];
    if (reason === 'label removed')
        return ['Add the label again to get a new one.'];
    return [NEW_RUN];
}
function renderFailed(state) {
    const paragraphs = [escaping_renderCode(state.reason, 1_000)];
    const lines = state.lastLines.slice(-MAX_LAST_LINES);
    if (lines.length > 0) {
        paragraphs.push('<details><summary>Last lines of the app</summary>', renderCodeBlock(lines), '</details>');
    }
    paragraphs.push(`It failed at ${utc_renderTime(state.endedAt)}.${renderOldAddress(state.url)}`);
    return paragraphs;
}
/** The end. It is shown from the first write on, because a runner that dies cannot add it later. */
function renderEnd(preview, endsAt) {
    if (endsAt === undefined) {
        return `The preview ends with its ${escaping_renderLink('job', preview.runUrl)} and may be gone after that.`;
    }
    return `The preview runs until **${utc_renderTime(endsAt)}** at the latest and may be gone after that.`;
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
    return escaping_renderCode(parsed === null || parsed.host === '' ? url : `${parsed.protocol}//${parsed.host}`);
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
    const commit = escaping_renderLink(escaping_renderCode(preview.commit.slice(0, 7)), preview.commitUrl);
    const run = escaping_renderLink('workflow run', preview.runUrl);
    // Not in `<sub>`, whose lines GitHub sets over one another where the text is wider than a phone.
    return `${commit} · ${preview.mode} mode · ${run} · updated ${utc_renderTime(updatedAt)}`;
}

;// CONCATENATED MODULE: ./build/js/github/run.js
// Runs of workflows: which of two is newer, and whether one is over. Comment and deployment ask this about the run that
// wrote them last.


/** No job lasts longer, not even on a self-hosted runner (GitHub's documented limit). */
const LONGEST_JOB_MS = 5 * 24 * 3_600_000;
const RunSchema = object({ run_attempt: optional(number(), 1), status: nullish(string(), null) });
/** Negative if `a` is the older run, positive if it is the newer one, 0 if both are the same attempt. */
function compareRuns(a, b) {
    const [idA, idB] = [BigInt(a.runId), BigInt(b.runId)];
    if (idA !== idB)
        return idA < idB ? -1 : 1;
    return a.runAttempt - b.runAttempt;
}
/** Asks GitHub. Rejects with a GitHubError for every other refusal, or with the reason of the signal. */
async function readRunState(options) {
    const { github, repository, run, signal } = options;
    const parameters = { owner: repository.owner, repo: repository.name, run_id: run.runId };
    try {
        const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}';
        const now = await github.request(RunSchema, route, { parameters, signal });
        if (now.run_attempt < run.runAttempt)
            return 'unknown';
        return now.run_attempt > run.runAttempt || now.status === 'completed' ? 'over' : 'alive';
    }
    catch (error) {
        if (!(error instanceof github_error_GitHubError))
            throw error;
        if (error.status === 404)
            return 'unknown';
        if (error.status === 403)
            return 'hidden';
        throw error;
    }
}

;// CONCATENATED MODULE: ./build/js/github/comment/marker.js
// The hidden first line of our comment: which preview it shows, which run wrote it last, and in which state. Runs read
// it to decide who writes the comment, so it says everything that this decision needs. Used by own-comment.ts,
// stale-comments.ts and comment-writer.ts.

/** The values are only words, hex and decimal digits, so that none can close the HTML comment early. */
const MARKER = /^<!-- expose-action((?: [a-z]+=[0-9a-z]+)+) -->/;
/** Every value of a field has this form. The limits are those of the numbers that GitHub and we make. */
const FIELDS = {
    preview: /^[0-9a-f]{1,64}$/,
    run: /^\d{1,20}$/,
    attempt: /^\d{1,6}$/,
    instance: /^[0-9a-f]{1,32}$/,
    workflow: /^[0-9a-f]{1,64}$/,
    slot: /^[1-9]\d{0,2}$/,
    state: /^(?:starting|live|reconnecting|ended|failed)$/,
    until: /^\d{1,11}$/,
};
/** Without a slot, it is the first one. */
function renderMarker(marker) {
    const { key, runId, runAttempt, instance, workflow, slot, state, until } = marker;
    const fields = {
        preview: key,
        run: runId,
        attempt: runAttempt,
        instance,
        workflow,
        slot: slot === 1 ? undefined : slot,
        state,
        until: until && Math.ceil(until.getTime() / 1000),
    };
    const shown = Object.entries(fields).flatMap(([name, value]) => value === undefined ? [] : [`${name}=${value}`]);
    return `<!-- expose-action ${shown.join(' ')} -->`;
}
/**
 * The marker that opens a comment's body; a marker further down is a quote and does not count. Fields that a later
 * version may add are skipped.
 */
function readMarker(body) {
    const text = MARKER.exec(body)?.[1];
    if (text === undefined)
        return undefined;
    const fields = new Map(text.trim().split(' ').map(readField));
    for (const [name, value] of fields)
        if (FIELDS[name]?.test(value) === false)
            return undefined;
    const [key, runId, attempt] = [fields.get('preview'), fields.get('run'), fields.get('attempt')];
    if (key === undefined || runId === undefined || attempt === undefined)
        return undefined;
    const until = fields.get('until');
    return {
        key,
        runId,
        runAttempt: Number(attempt),
        instance: fields.get('instance'),
        workflow: fields.get('workflow'),
        slot: Number(fields.get('slot') ?? 1),
        state: STATES.find(state => state === fields.get('state')),
        until: until === undefined ? undefined : new Date(Number(until) * 1000),
    };
}
const STATES = ['starting', 'live', 'reconnecting', 'ended', 'failed'];
function readField(field) {
    const at = field.indexOf('=');
    return [field.slice(0, at), field.slice(at + 1)];
}
/** Whether both markers were written by the same step. Without instances, two steps of one run cannot be told apart. */
function isSameWriter(a, b) {
    const isKnown = a.instance !== undefined && b.instance !== undefined;
    return compareRuns(a, b) === 0 && (!isKnown || a.instance === b.instance);
}
/** Whether the preview has ended or failed. Not known of earlier versions' comments, which count as alive. */
function isOver(marker) {
    return marker.state === 'ended' || marker.state === 'failed';
}

;// CONCATENATED MODULE: ./build/js/github/comment/own-comment.js
// Our one comment on a pull request: finds it by its marker and its author, decides whether this run may write it, and
// writes it. Used by comment-writer.ts, which decides when to write.
//
// Who writes: among previews that are alive the newest run, otherwise the run that ended last. Each run decides this for
// itself, from the marker that the comment has at that moment; so it reads the comment before each edit, because GitHub
// has no edit on the condition that nothing has changed. Two runs can still write in the same second: the writer looks
// again a few seconds after it took a comment over.


class OwnComment {
    #options;
    /** The comment that this process writes, or has yielded, once it is known. */
    #id;
    #slot = 1;
    #isRunKnown;
    #seen = { comments: [], next: 1 };
    constructor(options) {
        this.#options = options;
    }
    /** Our comment, or the one that shows another run's preview; undefined before the first write. */
    get id() {
        return this.#id;
    }
    /** What the last search saw of the thread, as one page. */
    get seen() {
        return this.#seen;
    }
    /**
     * Creates or edits the comment; writes nothing if it reads the same already. `render` gets the marker that must open
     * the body. Can be repeated after a failure: it finds a comment that the failed attempt created. Rejects with a
     * GitHubError.
     */
    async write(standing, render) {
        const place = (await this.#placeKnown(standing)) ?? (await this.#search(standing));
        switch (place.kind) {
            case 'new':
                return this.#create(standing, render);
            case 'lost':
                this.#id = place.to.id;
                return { kind: 'yielded', to: place.to.marker };
            case 'comment':
                return this.#edit(place, render(this.#markerOf(standing)));
        }
    }
    async #edit({ comment, spare }, body) {
        const { thread } = this.#options;
        await this.#removeAll(spare);
        const slot = this.#slot;
        this.#id = comment.id;
        if (isSameText(comment.body, body))
            return { kind: 'unchanged', slot };
        await thread.edit(comment.id, body);
        return { kind: (await this.#isOwn(comment.marker)) ? 'written' : 'taken', slot };
    }
    /** The comment that was written before; undefined if it is gone, or if another step of this run has taken it. */
    async #placeKnown(standing) {
        if (this.#id === undefined)
            return undefined;
        const comment = await this.#options.thread.read(this.#id);
        this.#id = undefined;
        if (comment === undefined)
            return undefined;
        const read = readMarker(comment.body);
        // Somebody who edited the comment may have removed the marker: the comment is still ours.
        const marker = read?.key === this.#options.writer.key ? read : this.#markerOf(standing);
        if (await this.#isSibling(marker))
            return undefined;
        return this.#contest([{ ...comment, marker }], standing);
    }
    /**
     * Ends at the page that decides. Most threads have our comment on their first page, because the first run of a pull
     * request creates it.
     */
    async #search(standing) {
        this.#seen = { comments: [], next: 1 };
        for await (const { comments, next } of this.#options.thread.readOwn()) {
            this.#seen = { comments: [...this.#seen.comments, ...comments], next };
            const found = this.#seen.comments.filter(({ marker }) => marker.key === this.#options.writer.key);
            const place = await this.#chooseSlot(found, standing);
            if (place.kind !== 'new')
                return place;
        }
        return { kind: 'new' };
    }
    /** The slot that this step has already, otherwise the first one that no other step of this run has. */
    async #chooseSlot(found, standing) {
        const siblings = await this.#filter(found, marker => this.#isSibling(marker));
        const [own] = await this.#filter(found, marker => this.#isOwn(marker));
        const rest = found.filter(comment => !siblings.includes(comment));
        if (own !== undefined) {
            this.#slot = own.marker.slot + siblings.filter(other => isAhead(other, own)).length;
        }
        else {
            this.#slot = 1;
            while (siblings.some(({ marker }) => marker.slot === this.#slot))
                this.#slot += 1;
        }
        const slot = own?.marker.slot ?? this.#slot;
        return this.#contest(rest.filter(({ marker }) => marker.slot === slot), standing);
    }
    /** This run against every comment of its slot. There are several only if two runs created theirs at once. */
    async #contest(candidates, standing) {
        let own;
        for (const candidate of candidates) {
            if (await this.#isOwn(candidate.marker))
                own ??= candidate;
            else if (!(await this.#winsAgainst(candidate, standing)))
                return { kind: 'lost', to: candidate };
        }
        const comment = own ?? candidates[0];
        if (comment === undefined)
            return { kind: 'new' };
        return { kind: 'comment', comment, spare: candidates.filter(({ id }) => id !== comment.id) };
    }
    /** Asks GitHub about the other run only if the answer decides. */
    async #winsAgainst(other, standing) {
        const { writer, thread } = this.#options;
        const isNewer = compareRuns(writer, other.marker) > 0;
        const hasEnded = isOver(standing);
        if (isOver(other.marker))
            return isNewer || !hasEnded;
        if (isNewer !== hasEnded)
            return isNewer;
        return thread.isGone(other, writer);
    }
    async #create(standing, render) {
        const { thread, writer, logger } = this.#options;
        const { comment, beside } = await thread.create(render(this.#markerOf(standing)));
        const created = { ...comment, marker: this.#markerOf(standing) };
        const rivals = beside.filter(({ id, marker }) => id !== created.id && marker.key === writer.key);
        const siblings = await this.#filter(rivals, marker => this.#isSibling(marker));
        const ahead = siblings.filter(other => isAhead(other, created)).length;
        if (ahead > 0) {
            this.#slot += ahead;
            await thread.edit(created.id, render(this.#markerOf(standing)));
        }
        const others = rivals.filter(rival => rival.marker.slot === this.#slot && !siblings.includes(rival));
        const place = await this.#contest([created, ...others], standing);
        if (place.kind === 'lost') {
            logger.debug(`removing comment ${created.id}: comment ${place.to.id} shows the preview of a newer run`);
            await thread.remove(created.id);
            this.#id = place.to.id;
            return { kind: 'yielded', to: place.to.marker };
        }
        await this.#removeAll(others);
        this.#id = created.id;
        return { kind: 'written', slot: this.#slot };
    }
    async #removeAll(comments) {
        for (const { id } of comments) {
            this.#options.logger.debug(`removing comment ${id}: another comment shows the same preview`);
            await this.#options.thread.remove(id);
        }
    }
    async #isOwn(marker) {
        const { writer } = this.#options;
        if (isSameWriter(marker, writer))
            return true;
        return compareRuns(marker, writer) === 0 && !(await this.#runIsKnown());
    }
    /** Whether another step of this run wrote it: a preview of its own, which cannot be told apart in any other way. */
    async #isSibling(marker) {
        const { writer } = this.#options;
        return compareRuns(marker, writer) === 0 && !(await this.#isOwn(marker));
    }
    /** Not on a laptop: act gives each of its runs the same id. */
    async #runIsKnown() {
        const { thread, writer } = this.#options;
        this.#isRunKnown ??= (await thread.readRun(writer)) !== 'unknown';
        return this.#isRunKnown;
    }
    async #filter(comments, check) {
        const checked = await Promise.all(comments.map(({ marker }) => check(marker)));
        return comments.filter((_, index) => checked[index]);
    }
    #markerOf({ state, until }) {
        return { ...this.#options.writer, slot: this.#slot, state, until };
    }
}
/** Of two steps of one run that chose the same slot, the one whose comment is older keeps it. */
function isAhead(other, own) {
    return other.marker.slot >= own.marker.slot && other.id < own.id;
}
/** GitHub may change line ends, and white space at the end. */
function isSameText(a, b) {
    const normalise = (text) => text.replaceAll('\r\n', '\n').trimEnd();
    return normalise(a) === normalise(b);
}

;// CONCATENATED MODULE: ./build/js/github/comment/stale-comments.js
// Comments of runs that were killed: they still say that their preview is alive. The next run of the same workflow marks
// them as ended, also those of jobs, matrix legs and names that no longer exist. Used by comment-writer.ts.



/** A run is polite: it marks this many, and leaves the rest to the next run. */
const MAX_EDITS = 5;
/** Comments that are looked at more closely; most of them ask GitHub about one run. */
const MAX_CHECKS = 10;
/**
 * Resolves with the number of comments that were marked. `keep`: the comment of this run. `seen`: what is known of the
 * thread already. Rejects as `Thread` does.
 */
async function endStaleComments(options) {
    const { thread, writer, keep, seen } = options;
    let [edits, checks] = [0, 0];
    for await (const { comments } of readAll(thread, seen)) {
        for (const comment of comments.filter(({ id, marker }) => id !== keep && isSuspect(marker, writer))) {
            if (edits === MAX_EDITS || checks === MAX_CHECKS)
                return edits;
            checks += 1;
            if ((await thread.isGone(comment, writer)) && (await end(thread, comment)))
                edits += 1;
        }
    }
    return edits;
}
async function* readAll(thread, seen) {
    yield seen;
    if (seen.next !== undefined)
        yield* thread.readOwn({ from: seen.next });
}
/** A comment of this workflow that says it is alive, and that is not from this attempt of this run. */
function isSuspect(marker, writer) {
    const isOurs = marker.workflow !== undefined && marker.workflow === writer.workflow;
    return isOurs && !isOver(marker) && compareRuns(marker, writer) !== 0;
}
/** False if somebody else wrote the comment meanwhile. */
async function end(thread, { id, marker }) {
    const comment = await thread.read(id);
    const now = comment && readMarker(comment.body);
    if (comment === undefined || now === undefined || renderMarker(now) !== renderMarker(marker))
        return false;
    await thread.edit(id, renderStale(comment.body, renderMarker({ ...marker, state: 'ended' }), new Date()));
    return true;
}

;// CONCATENATED MODULE: ./build/js/github/comment/thread.js
// The comments of one pull request, through the API. Says which of them our own user wrote, and whether the run that a
// comment belongs to is over. Used by own-comment.ts and stale-comments.ts.




const CommentSchema = object({
    id: number(),
    body: nullish(string(), ''),
    /** null: the author deleted the account. */
    user: nullish(object({ login: string() }), null),
    created_at: optional(string(), ''),
    updated_at: optional(string(), ''),
});
/** The login of a job's own token, for servers that do not return the token's user. */
const JOB_TOKEN_LOGIN = 'github-actions[bot]';
const ONE = '/repos/{owner}/{repo}/issues/comments/{comment_id}';
const ALL = '/repos/{owner}/{repo}/issues/{issue_number}/comments';
/** The most that GitHub returns at once. */
const PAGE_SIZE = 100;
/** 6,000 comments. GitHub closes a conversation at 2,500. */
const thread_MAX_PAGES = 60;
/** Comments that were written this long before another one count as written at the same time. */
const AT_ONCE_MS = 60_000;
/** The clocks of two runners differ, and a comment may be written a moment late. */
const CLOCK_MARGIN_MS = 60_000;
/** All methods reject with a GitHubError, or with the reason of the signal. */
class Thread {
    #options;
    #login;
    /** True once GitHub refused to show a run: the token lacks `actions: read`. */
    #runsAreHidden = false;
    /** The comment that was read last, and the tag of that answer. */
    #known;
    constructor(options) {
        this.#options = options;
    }
    /** The same thread for requests that another signal ends. */
    endedBy(signal) {
        const thread = new Thread({ ...this.#options, signal });
        thread.#login = this.#login;
        return thread;
    }
    /**
     * Our own user's comments with a marker, page by page in the order of their ids. `since`: only those that were written
     * after that time (ISO 8601).
     */
    async *readOwn(options = {}) {
        const { from = 1, since } = options;
        for (let page = from;; page += 1) {
            const parameters = { issue_number: this.#options.pullRequest, per_page: PAGE_SIZE, page };
            const comments = await this.#request(array(CommentSchema), `GET ${ALL}`, {
                ...parameters,
                ...(since !== undefined && { since }),
            });
            // Only the few comments of interest are kept: a page may have 6 MB of text.
            const isLast = comments.length < PAGE_SIZE || page === thread_MAX_PAGES;
            yield { comments: await this.#keepOwn(comments), next: isLast ? undefined : page + 1 };
            if (isLast)
                return;
        }
    }
    /** The comment as it is now; undefined if somebody deleted it. Costs nothing if it has not changed since the last read. */
    read(id) {
        return orUndefined(this.#poll(id));
    }
    async #poll(id) {
        const { github, signal } = this.#options;
        const known = this.#known?.comment.id === id ? this.#known : undefined;
        const options = { parameters: { ...this.#repository(), comment_id: id }, signal, etag: known?.etag };
        const polled = await github.poll(CommentSchema, `GET ${ONE}`, options);
        if (polled === 'unchanged' && known !== undefined)
            return known.comment;
        if (polled === 'unchanged')
            return this.#request(CommentSchema, `GET ${ONE}`, { comment_id: id });
        this.#known = { comment: polled.body, etag: polled.etag };
        return polled.body;
    }
    /**
     * Creates a comment, and looks which others of ours were written at the same time; all others, if the search before
     * looked for the wrong author.
     */
    async create(body) {
        const parameters = { issue_number: this.#options.pullRequest, body };
        const comment = await this.#request(CommentSchema, `POST ${ALL}`, parameters);
        const author = comment.user?.login ?? this.#login;
        const isSurprise = this.#login !== undefined && this.#login !== author;
        this.#login = author;
        const at = Date.parse(comment.created_at);
        const since = isSurprise || Number.isNaN(at) ? undefined : new Date(at - AT_ONCE_MS).toISOString();
        const beside = [];
        for await (const { comments } of this.readOwn({ since }))
            beside.push(...comments);
        return { comment, beside };
    }
    async edit(id, body) {
        await this.#request(CommentSchema, `PATCH ${ONE}`, { comment_id: id, body });
    }
    async remove(id) {
        await orUndefined(this.#request(unknown(), `DELETE ${ONE}`, { comment_id: id }));
    }
    /**
     * Whether the preview of a comment that says it is alive cannot be: its end has passed, a later attempt of its run
     * began, or GitHub says that the run is over or never was. A token without `actions: read` cannot ask; the comment's
     * own end then decides, at the latest five days after the last edit.
     */
    async isGone({ marker, updated_at }, self) {
        const now = Date.now();
        if (marker.until !== undefined && now > marker.until.getTime() + CLOCK_MARGIN_MS)
            return true;
        if (now > Date.parse(updated_at) + LONGEST_JOB_MS)
            return true;
        // Attempts of a run follow one another, and steps of one attempt are alive as long as this one.
        if (marker.runId === self.runId && marker.runAttempt <= self.runAttempt)
            return compareRuns(marker, self) < 0;
        const state = await this.readRun(marker);
        return state === 'over' || state === 'unknown';
    }
    /** Does not ask again once GitHub has refused. */
    async readRun(run) {
        if (this.#runsAreHidden)
            return 'hidden';
        const state = await readRunState({ ...this.#options, run });
        this.#runsAreHidden = state === 'hidden';
        return state;
    }
    /** The marker is not enough, because anyone who can comment can copy it. */
    async #keepOwn(comments) {
        const marked = comments.flatMap(comment => {
            const marker = readMarker(comment.body);
            return marker === undefined ? [] : [{ ...comment, marker }];
        });
        if (marked.length === 0)
            return [];
        const login = await this.#readLogin();
        return marked.filter(({ user }) => user?.login === login);
    }
    async #readLogin() {
        const { github, signal } = this.#options;
        this.#login ??= await github.readLogin(signal).catch(error => {
            if (error instanceof github_error_GitHubError)
                return JOB_TOKEN_LOGIN;
            throw error;
        });
        return this.#login;
    }
    #request(schema, route, parameters) {
        const { github, signal } = this.#options;
        return github.request(schema, route, { parameters: { ...this.#repository(), ...parameters }, signal });
    }
    #repository() {
        const { owner, name: repo } = this.#options.repository;
        return { owner, repo };
    }
}
function orUndefined(request) {
    return request.catch(error => {
        if (isStatus(error, 404))
            return undefined;
        throw error;
    });
}
function isStatus(error, status) {
    return error instanceof github_error_GitHubError && error.status === status;
}

;// CONCATENATED MODULE: ./build/js/github/comment/comment-writer.js
// Writes the sticky comment: one comment per preview, which is edited and never repeated. Used by the supervisor and by
// post.









/**
 * After a comment was taken over: when to look whether another run wrote it in the same moment. The first is for the
 * usual case, the second is longer than any request of the other run can take.
 */
const TAKEN_CHECKS_MS = [3_000, 20_000];
/**
 * While the preview is alive: another run may have taken the comment, and its preview may end before ours. A look at a
 * comment that has not changed does not count against the rate limit.
 */
const LATER_CHECK_MS = 120_000;
class CommentWriter {
    #thread;
    #comment;
    #writer;
    #options;
    #queue;
    #flushing = new AbortController();
    #newest;
    #check;
    /** How long to wait before each of the looks that are still to come. */
    #checks = [];
    #owner;
    #isTwin = false;
    #tidying;
    /** Nothing is written before the first `update`. */
    constructor(options) {
        const { github, job, target, logger, signal } = options;
        const { repository, runId, runAttempt } = job;
        const { pullRequest, identity, instance } = target;
        this.#options = options;
        this.#writer = { key: identity.key, runId, runAttempt, instance, workflow: identifyWorkflow(job) };
        this.#thread = new Thread({ github, repository, pullRequest, signal });
        this.#comment = new OwnComment({ thread: this.#thread, writer: this.#writer, logger });
        this.#queue = new ReportQueue({ feature: 'comment', write: view => this.#write(view), logger, signal });
    }
    /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
    update(view) {
        this.#newest = view;
        return this.#queue.update(view);
    }
    /** Resolves when nothing is left to write. */
    async flush() {
        clearTimeout(this.#check);
        this.#flushing.abort();
        await this.#queue.flush();
    }
    async #write(view) {
        clearTimeout(this.#check);
        const standing = describeStanding(view.state);
        const written = await this.#comment.write(standing, marker => this.#render(view, marker));
        if (written.kind === 'yielded')
            return this.#yield(standing, written.to);
        this.#owner = undefined;
        if (written.slot > 1)
            this.#warnOfTwin(written.slot);
        if (isOver(standing))
            return 'written';
        if (written.kind === 'taken')
            this.#checks = [...(this.#options.checkMs?.taken ?? TAKEN_CHECKS_MS)];
        this.#checkIn(this.#checks[0] ?? this.#laterMs);
        this.#tidying ??= this.#tidy();
        return written.kind === 'unchanged' ? 'unchanged' : 'written';
    }
    #yield(standing, owner) {
        if (this.#owner?.runId !== owner.runId)
            this.#options.logger.info(`the comment shows the preview of run ${owner.runId} now, which is newer or alive`);
        this.#owner = owner;
        if (isOver(standing))
            return 'closed';
        this.#checkIn(this.#laterMs);
        return 'unchanged';
    }
    get #laterMs() {
        return this.#options.checkMs?.yielded ?? LATER_CHECK_MS;
    }
    /** Looks whether the comment is still, or should be, ours. */
    #checkIn(delayMs) {
        if (this.#flushing.signal.aborted)
            return;
        this.#check = setTimeout(() => {
            this.#checks.shift();
            if (this.#newest)
                void this.#queue.update(this.#newest);
        }, delayMs).unref();
    }
    #render(view, marker) {
        const { slot } = marker;
        const name = slot === 1 ? view.preview.name : `${view.preview.name} (${slot})`;
        return renderComment({ ...view, preview: { ...view.preview, name } }, renderMarker(marker));
    }
    #warnOfTwin(slot) {
        if (this.#isTwin)
            return;
        this.#isTwin = true;
        this.#options.warn(`this run has ${slot} previews of the same name, perhaps from a workflow that it calls ${slot === 2 ? 'twice' : `${slot} times`}: this one has a comment of its own, but which comment and which address it gets may change from run to run; set \`name\` to a different text in each of them`);
    }
    /** Once, after the first write of a preview that is alive. The end of the preview does not wait for it. */
    async #tidy() {
        const { logger, signal } = this.#options;
        const signals = signal ? [signal, this.#flushing.signal] : [this.#flushing.signal];
        const thread = this.#thread.endedBy(AbortSignal.any(signals));
        const { id, seen } = this.#comment;
        try {
            const count = await endStaleComments({ thread, writer: this.#writer, keep: id, seen });
            if (count > 0)
                logger.info(`marked ${renderCount(count, 'comment')} of runs that are over as ended`);
        }
        catch (error) {
            logger.debug(`older comments were not checked: ${errors_describeError(error)}`);
        }
    }
}
function describeStanding(state) {
    return { state: state.kind, until: 'endsAt' in state ? state.endsAt : undefined };
}

;// CONCATENATED MODULE: ./build/js/github/deployment/own-deployment.js
// Our one deployment: creates it, finds it again, gives it a status, and ends those that killed runs of the same preview
// left active. Used by deployment-writer.ts, which decides what the status says.





/** What we write into a deployment, to find it again. Only who can push can create one, so it need not be proved. */
const PayloadSchema = object({
    preview: string(),
    run: pipe(string(), digits()),
    attempt: number(),
    id: string(),
    /** The latest time the preview can live, if that is known (ISO 8601). */
    ends: optional(string()),
});
/** GitHub returns the payload as it was sent, or as JSON text. */
const DeploymentSchema = object({
    id: number(),
    payload: optional(unknown()),
    created_at: optional(string(), ''),
});
/** The answer 202: GitHub has merged the base branch into the head instead, which we forbid. */
const CreatedSchema = union([DeploymentSchema, object({ message: string() })]);
const StatusSchema = object({ state: string() });
const StatusesSchema = array(StatusSchema);
const own_deployment_ALL = '/repos/{owner}/{repo}/deployments';
const STATUSES = `${own_deployment_ALL}/{deployment_id}/statuses`;
/** How many deployments of an environment are read, the newest first: ours is among them. */
const LIST_LENGTH = 50;
/** How many earlier deployments are looked at. Each run does so, so that there are rarely more to end. */
const MAX_EARLIER = 5;
/** Less than the time for the last status of a preview (reporting.ts). */
const TIDY_TIMEOUT_MS = 5_000;
/** Other states mean that the deployment is not, or no longer, in use. */
const ACTIVE_STATES = ['success', 'in_progress', 'queued', 'pending', 'waiting'];
class OwnDeployment {
    #options;
    /** GitHub's id, once it is known. */
    #deployment;
    #earlier = [];
    constructor(options) {
        this.#options = options;
    }
    /**
     * Gives the deployment a status, and creates it first if there is none and `endsAt` is given. Can be repeated after a
     * failure: it finds a deployment that the failed attempt created. Rejects with a GitHubError.
     */
    async write(status, creation) {
        this.#deployment ??= await this.#find();
        if (this.#deployment !== undefined && (await this.#addStatus(this.#deployment, status)))
            return;
        this.#deployment = undefined;
        if (creation === undefined)
            return;
        this.#deployment = await this.#create(creation.endsAt);
        await this.#sendStatus(this.#deployment, status);
    }
    /**
     * Ends earlier deployments of this preview whose runs are over: they were killed. Never rejects, and gives up after a
     * moment: the next status of our own deployment waits for it.
     */
    async endEarlier(status) {
        const earlier = this.#earlier.slice(0, MAX_EARLIER);
        this.#earlier = [];
        const limit = AbortSignal.timeout(TIDY_TIMEOUT_MS);
        const { signal } = this.#options;
        const tidy = new OwnDeployment({
            ...this.#options,
            signal: signal ? AbortSignal.any([signal, limit]) : limit,
        });
        try {
            for (const known of earlier)
                if ((await tidy.#isActive(known)) && (await tidy.#isOver(known)))
                    await tidy.#addStatus(known.deployment, status);
        }
        catch (error) {
            this.#options.logger.debug(`earlier deployments were not ended: ${errors_describeError(error)}`);
        }
    }
    /** GitHub's id of our deployment; undefined if there is none. Notes those of earlier runs. */
    async #find() {
        const { target } = this.#options;
        const parameters = { environment: target.environment, per_page: LIST_LENGTH };
        const all = await this.#request(array(DeploymentSchema), `GET ${own_deployment_ALL}`, parameters);
        const known = all
            .flatMap(item => readKnown(item))
            .filter(({ payload }) => payload.preview === target.preview);
        this.#earlier = known.filter(one => compareRuns(one, target) !== 0);
        return known.find(({ payload }) => payload.id === target.id)?.deployment;
    }
    async #create(endsAt) {
        const { environment, sha, preview, id, runId, runAttempt } = this.#options.target;
        const ends = endsAt === undefined ? {} : { ends: endsAt.toISOString() };
        const created = await this.#request(CreatedSchema, `POST ${own_deployment_ALL}`, {
            ref: sha,
            environment,
            description: 'A preview from the runner, for as long as its job allows',
            payload: { preview, run: runId, attempt: runAttempt, id, ...ends },
            transient_environment: true,
            production_environment: false,
            // GitHub would merge the base branch into the head first, and refuse if some check has not passed yet, as that of
            // this job.
            auto_merge: false,
            required_contexts: [],
        });
        if ('id' in created)
            return created.id;
        throw new github_error_GitHubError(`GitHub created no deployment: ${sanitise_sanitise(created.message)}`, { retryable: false });
    }
    /** False if the deployment is gone. */
    async #addStatus(deployment, status) {
        try {
            await this.#sendStatus(deployment, status);
            return true;
        }
        catch (error) {
            if (error instanceof github_error_GitHubError && error.status === 404)
                return false;
            throw error;
        }
    }
    async #sendStatus(deployment, status) {
        const { state, description, environmentUrl, logUrl } = status;
        await this.#request(StatusSchema, `POST ${STATUSES}`, {
            deployment_id: deployment,
            state,
            description,
            log_url: logUrl,
            ...(environmentUrl === undefined ? {} : { environment_url: environmentUrl }),
            // Otherwise a success ends the earlier deployments of the environment, also those of other tools.
            auto_inactive: false,
        });
    }
    async #isActive({ deployment }) {
        const parameters = { deployment_id: deployment, per_page: 1 };
        const [newest] = await this.#request(StatusesSchema, `GET ${STATUSES}`, parameters);
        return newest === undefined || ACTIVE_STATES.includes(newest.state);
    }
    /** Whether the run's attempt has ended. A run that may still be alive keeps its deployment. */
    async #isOver(known) {
        const { target } = this.#options;
        // A run is repeated only after it has ended.
        if (known.runId === target.runId)
            return known.runAttempt < target.runAttempt;
        const state = await readRunState({ ...this.#options, run: known }).catch(error => {
            if (error instanceof github_error_GitHubError)
                return 'hidden';
            throw error;
        });
        if (state === 'over' || state === 'alive')
            return state === 'over';
        if (compareRuns(known, target) > 0)
            return false;
        // Somebody has deleted an unknown run, which is possible only after its end.
        return state === 'unknown' || isPast(known);
    }
    #request = (schema, route, parameters) => {
        const { github, repository, signal } = this.#options;
        const { owner, name: repo } = repository;
        return github.request(schema, route, { parameters: { owner, repo, ...parameters }, signal });
    };
}
function isPast({ payload, createdAt }) {
    const ends = Date.parse(payload.ends ?? '');
    const latest = Number.isNaN(ends) ? Date.parse(createdAt) + LONGEST_JOB_MS : ends;
    return latest < Date.now();
}
function readKnown({ id, payload, created_at }) {
    const read = safeParse(PayloadSchema, parsePayload(payload));
    if (!read.success)
        return [];
    const { run, attempt } = read.output;
    return [{ deployment: id, createdAt: created_at, payload: read.output, runId: run, runAttempt: attempt }];
}
function parsePayload(payload) {
    if (typeof payload !== 'string')
        return payload;
    try {
        return JSON.parse(payload);
    }
    catch {
        return undefined;
    }
}

;// CONCATENATED MODULE: ./build/js/github/deployment/deployment-writer.js
// Shows the preview as a GitHub deployment, which the page of the pull request then links to: turns views into statuses,
// and names the environment. Used by the supervisor's reports, by post, and by step/report-target.





/** GitHub refuses longer ones. */
const MAX_DESCRIPTION_LENGTH = 140;
/** GitHub refuses longer names of environments. */
const MAX_ENVIRONMENT_LENGTH = 255;
class DeploymentWriter {
    #deployment;
    #isOrphan;
    #queue;
    /** The last status that was written. */
    #last = '';
    /** Nothing is written before the first `update`. */
    constructor({ github, job, target, logger, isOrphan = false, signal }) {
        this.#deployment = new OwnDeployment({ github, repository: job.repository, target, logger, signal });
        this.#isOrphan = isOrphan;
        this.#queue = new ReportQueue({
            feature: 'deployment',
            write: view => this.#write(view),
            logger,
            signal,
        });
    }
    /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
    update(view) {
        return this.#queue.update(view);
    }
    /** Resolves when nothing is left to write. */
    flush() {
        return this.#queue.flush();
    }
    async #write(view) {
        const described = describeStatus(view);
        const status = this.#isOrphan ? { ...described, state: 'inactive' } : described;
        const text = JSON.stringify(status);
        if (text === this.#last)
            return 'unchanged';
        const isOver = this.#isOrphan || view.state.kind === 'ended';
        await this.#deployment.write(status, isOver ? undefined : { endsAt: readEnd(view.state) });
        this.#last = text;
        if (!isOver)
            await this.#deployment.endEarlier(describeReplaced(view));
        return 'written';
    }
}
/** The status that shows a view. A deployment of a preview that is away for long counts as in progress again. */
function describeStatus({ preview, state }) {
    const logUrl = preview.runUrl;
    const describe = (text) => sanitise_sanitise(text, MAX_DESCRIPTION_LENGTH);
    switch (state.kind) {
        case 'starting':
            return { state: 'in_progress', description: describe(`Starting. ${deployment_writer_renderEnd(state.endsAt)}`), logUrl };
        case 'live':
            return {
                state: 'success',
                description: describe(deployment_writer_renderLive(preview, state)),
                ...linkTo(state.url),
                logUrl,
            };
        case 'reconnecting':
            return {
                state: 'in_progress',
                description: describe(`${OUTAGES[state.outage]} since ${utc_renderTime(state.since)}.`),
                logUrl,
            };
        case 'ended':
            return {
                state: 'inactive',
                description: describe(`${ENDINGS[state.reason]} at ${utc_renderTime(state.endedAt)}.`),
                logUrl,
            };
        case 'failed':
            return { state: 'failure', description: describe(`It failed: ${state.reason}`), logUrl };
    }
}
/** GitHub refuses addresses of other schemes than http and https. */
function linkTo(url) {
    return /^https?:/i.test(url) ? { environmentUrl: url } : {};
}
function deployment_writer_renderLive({ entry }, { url, endsAt }) {
    const address = linkTo(url).environmentUrl === undefined ? `Live at ${url}.` : 'Live.';
    return [address, deployment_writer_renderEnd(endsAt), ...(entry === undefined ? [] : [entry])].join(' ');
}
function deployment_writer_renderEnd(endsAt) {
    return endsAt === undefined ? 'It ends with its job.' : `It ends at ${utc_renderTime(endsAt)} at the latest.`;
}
function readEnd(state) {
    return 'endsAt' in state ? state.endsAt : undefined;
}
function describeReplaced({ preview, updatedAt }) {
    const description = `Its run had ended when a newer one began, at ${utc_renderTime(updatedAt)}.`;
    return { state: 'inactive', description, logUrl: preview.runUrl };
}
/**
 * `preview/pr-7`, or `preview/main` without a pull request, and below it the preview's name if several may exist.
 * Letters and digits of all scripts stay, and `.`, `_`, `-` and `/`; everything else becomes `-`.
 */
function nameEnvironment(subject, name) {
    const about = typeof subject === 'number' ? `pr-${subject}` : renderRef(subject);
    const parts = ['preview', about, ...(name === undefined ? [] : [clean(name).replaceAll('/', '-')])];
    const whole = parts.filter(part => part !== '').join('/');
    return [...whole].slice(0, MAX_ENVIRONMENT_LENGTH).join('');
}
/** The name of a branch or tag. Each entry of a merge queue has a branch of its own, which soon is gone. */
function renderRef(ref) {
    const name = ref.replace(/^refs\/(?:heads|tags|pull)\//, '');
    return name.startsWith('gh-readonly-queue/') ? 'merge-queue' : clean(name);
}
function clean(text) {
    return text.replaceAll(/[^\p{L}\p{N}._/-]+/gu, '-').replaceAll(/^[-/]+|[-/]+$/g, '');
}

;// CONCATENATED MODULE: ./build/js/supervisor/reporting.js
// Keeps the reports on GitHub in step with the exposure: turns its states into views, and shows an outage only when it
// lasts. Used by supervision; post uses the same reporters when the supervisor is dead.




/**
 * The last write must not hold up the post step, which has 30 s in all: it begins with the end, while the app stops.
 */
const reporting_FINISH_TIMEOUT_MS = 8_000;
/** Everything that shows the preview on GitHub. Nothing is written before the first update. */
function openReporters(options) {
    const { report, warn, signal, isOrphan } = options;
    const { job, connection: github } = options.github;
    const logger = report.expectsRefusal ? { ...options.logger, warn: options.logger.info } : options.logger;
    const { identity, comment, deployment } = report;
    const { runId, runAttempt } = job;
    const reporters = [];
    if (comment) {
        const target = { ...comment, identity };
        reporters.push(new CommentWriter({ github, job, target, logger, warn, signal }));
    }
    if (deployment) {
        const target = { ...deployment, preview: identity.key, runId, runAttempt };
        reporters.push(new DeploymentWriter({ github, job, target, logger, isOrphan, signal }));
    }
    return reporters;
}
/** Reports every change that people care about; does nothing if there is nothing to report to. */
function startReporting(options) {
    const { config, exposure, github, logger } = options;
    const { report } = config;
    if (github === undefined || report === undefined)
        return { announceEnd: () => { }, finish: async () => { } };
    const overdue = new AbortController();
    const reporters = openReporters({
        github,
        report,
        logger,
        warn: message => exposure.warn(message),
        signal: overdue.signal,
    });
    const { identity, preview: constant } = report;
    const facts = describePreview(github.job, {
        ...constant,
        name: identity.name,
        mode: exposure.state.mode,
    });
    const history = new History(config.exposure, constant);
    let timer;
    let last = '';
    const write = (current) => {
        const now = new Date();
        const message = describeState(current);
        const state = viewOf(message, history.observe(message, now));
        const preview = { ...facts, warnings: [...facts.warnings, ...message.warnings] };
        const key = JSON.stringify([state, preview.warnings]);
        if (key !== last)
            for (const reporter of reporters)
                void reporter.update({ preview, state, updatedAt: now });
        last = key;
        clearTimeout(timer);
        const { outageSince } = history;
        if (outageSince === undefined || state.kind === 'reconnecting')
            return;
        const untilShown = OUTAGE_SHOWN_AFTER_MS - (now.getTime() - outageSince.getTime()) + 1;
        timer = setTimeout(() => write(exposure.state), untilShown);
    };
    let limit;
    exposure.subscribe(current => {
        // While it ends, the exposure still counts as live.
        if (limit === undefined || reporting_isOver(current))
            write(current);
    });
    write(exposure.state);
    return {
        announceEnd: last => {
            limit ??= setTimeout(() => overdue.abort(new DOMException('the end may not take longer', 'TimeoutError')), reporting_FINISH_TIMEOUT_MS);
            write(last);
        },
        finish: async () => {
            clearTimeout(timer);
            await Promise.all(reporters.map(reporter => reporter.flush()));
            clearTimeout(limit);
        },
    };
}
function reporting_isOver({ phase }) {
    return phase.kind === 'ended' || phase.kind === 'failed';
}
/** What a view needs to know about earlier states. */
class History {
    outageSince;
    #lastUrl;
    #lastLink;
    #endsAt;
    #hideConsole;
    constructor(exposure, preview) {
        this.#hideConsole = !preview.showConsole;
        if (exposure.durationMs !== undefined)
            this.#endsAt = new Date(Date.now() + exposure.startupTimeoutMs + exposure.durationMs);
    }
    /** Records the state, and returns what a view of it needs to know about earlier ones. */
    observe(state, now) {
        const isUp = state.status === 'Connected' && state.app.status === 'running';
        this.outageSince = isUp || state.exposure.phase !== 'live' ? undefined : (this.outageSince ?? now);
        this.#lastUrl = state.public_url ?? this.#lastUrl;
        this.#lastLink = state.preview_url ?? this.#lastLink;
        return {
            now,
            lastUrl: this.#lastUrl,
            lastLink: this.#lastLink,
            endsAt: this.#endsAt,
            outageSince: this.outageSince,
            hideConsole: this.#hideConsole,
        };
    }
}

;// CONCATENATED MODULE: ./build/js/step/cache-service.js
// Calls the runner's cache service through the program src/cache.ts, within a time limit. Used by
// installation-cache.ts.






const cache_service_KEPT_FOLDER = 'kept';
/** The service's address and the job's token for it, as the runner names them; the library reads them. */
const SERVICE = /^(ACTIONS_(CACHE_URL|RESULTS_URL|CACHE_SERVICE_V2|CACHE_MODE|RUNTIME_TOKEN)|GITHUB_SERVER_URL)$/;
/**
 * For GNU tar, which the library tells to obey absolute names, and which then follows links that it has unpacked: with
 * these, nothing is unpacked outside of the folder, each link leads to its own folder, and as root the files become ours.
 * Other tars do not read the variable.
 */
const SAFE_UNPACKING = '--exclude=/* --exclude=?:* --exclude=.. --transform=s,.*,.,Rhs --no-same-owner';
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
        await command_runCommand({
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
        const reason = limit.aborted
            ? `no answer within ${Math.round(call.limitMs / 1_000)} s`
            : errors_describeError(error);
        return { kind: 'failed', reason: [reason, report.problem].filter(text => text !== undefined).join(': ') };
    }
    finally {
        // What cannot be removed goes with the folder around it.
        await removeFolder(archive);
    }
}
const AnswerSchema = variant('cache', [
    object({ cache: literal('absent') }),
    object({ cache: literal('nothing') }),
    object({ cache: literal('restored'), name: string() }),
    object({ cache: literal('saved') }),
]);
/** A problem that the library reports: as a command of the runner (@actions/core, `issueCommand`), or as plain text. */
const PROBLEM = /^::(?:warning|error)[^:]*::(.*)|^(?:Failed to save: |Cache \w+ skipped: |Attempt \d+ of \d+ failed with error: )(.*)/;
/** Reads what the program prints: its answer, and before it what the library prints for the job's log. */
class LibraryReport {
    #answer;
    /** The last problem that the library reported: it throws none. */
    problem;
    read(line) {
        const [, command, plain] = PROBLEM.exec(line) ?? [];
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
        return parse(AnswerSchema, JSON.parse(line));
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
            const { program, withRuntimes } = nameEntries(version);
            const names = mode === 'os' ? [withRuntimes, program] : [program, withRuntimes];
            const call = createCall(options, { verb: 'restore', names, folder, limitMs, signal });
            const answer = await callCacheService(call);
            if (answer.kind === 'restored')
                return { folder: join(folder, KEPT_FOLDER), name: answer.name };
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
        folder = await (0,promises_.mkdtemp)((0,external_node_path_.join)(machine.tempFolder, 'wasmrun-to-keep-'));
        const runtimes = findRuntimes(mode, machine);
        const files = runtimes === undefined ? [] : listRuntimes(runtimes);
        await packInstallation((0,external_node_path_.join)(folder, cache_service_KEPT_FOLDER), installation, files);
        const { program, withRuntimes } = kept_nameEntries(installation.version);
        const name = files.length > 0 ? withRuntimes : program;
        const call = { verb: 'save', names: [name], folder, limitMs: options.limitMs, signal: NEVER };
        const answer = await cache_service_callCacheService(createCall(options, call));
        if (answer.kind === 'saved')
            logger.info(`wasmrun ${installation.version}: kept in the cache for later jobs as ${name}, in ${progress_formatTime(performance.now() - began)}`);
        else if (answer.kind !== 'absent')
            logger.info(`wasmrun ${installation.version}: not kept in the cache (${answer.kind === 'failed' ? answer.reason : 'it gave no reason'})`);
    }
    catch (error) {
        logger.info(`wasmrun ${installation.version}: not kept in the cache (${errors_describeError(error)})`);
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

;// CONCATENATED MODULE: ./build/js/shared/secrets.js
// Compares secrets in constant time, and hides them in logs and pages. Used by gateway, control, tunnel, exposure,
// supervisor and step.

/** A shorter line of a key reveals nothing, and masking it would blank out half of the log. */
const MIN_HIDDEN_LENGTH = 8;
/** Takes the same time for every guess, of any length. For keys, passwords and MACs. */
function isSame(given, wanted) {
    return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', wanted, 'buffer'));
}
/** The lengths of texts that `createComparison` keeps apart: a shorter one takes as long as one of this length. */
const COMPARED_BLOCK_BYTES = 256;
/**
 * A function that compares texts with one secret, as `isSame` does, but without a hash for each of them: the gateway
 * compares the credential of every request. Takes the same time for every text that is no longer than the secret, rounded
 * up to whole blocks.
 */
function createComparison(wanted) {
    const blocks = 1 + Math.floor(Buffer.byteLength(wanted) / COMPARED_BLOCK_BYTES);
    const expected = Buffer.alloc(blocks * COMPARED_BLOCK_BYTES);
    expected.write(wanted);
    const compared = Buffer.alloc(expected.length);
    return given => {
        compared.fill(0).write(given);
        // The length distinguishes a text that is cut, or ends with NUL bytes.
        return timingSafeEqual(compared, expected) && given.length === wanted.length;
    };
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

;// CONCATENATED MODULE: ./build/js/shared/log-line.js
// One line of the log file of a preview: `2026-05-04T10:02:11Z warning: text`, in UTC. The supervisor writes them, and the
// step shows them.
const PREFIXES = { debug: 'debug: ', info: '', warn: 'warning: ', error: 'error: ' };
/** How a line begins that the app has printed. */
const CONSOLE_PREFIX = 'app | ';
function renderLogLine(text, level, at) {
    return `${at.toISOString().slice(0, 19)}Z ${PREFIXES[level]}${text}`;
}
/** Undefined for a line that no logger wrote, such as one of a crash. */
function parseLogLine(line) {
    const [, time, prefix, text] = /^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)Z (debug: |warning: |error: |)(.*)$/.exec(line) ?? [];
    if (time === undefined || text === undefined)
        return undefined;
    const level = prefix === 'debug: ' ? 'debug' : prefix === 'warning: ' ? 'warn' : prefix === '' ? 'info' : 'error';
    return { level, text, isConsole: level === 'info' && text.startsWith(CONSOLE_PREFIX), time };
}
/** The line as it stands in the file, without the date. */
function cutDate(line) {
    return line.replace(/^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)Z /, '$1 ');
}

;// CONCATENATED MODULE: ./build/js/step/log-tail.js
// Reads the supervisor's log file: main follows it while it grows, and post reads the rest. Used by log.ts.


const log_tail_POLL_MS = 200;
const CHUNK_BYTES = 64 * 1024;
/** Calls `onLine` with every whole line of the file from byte `from` on, as the file grows. */
function followLog(file, onLine, from = 0) {
    const reader = new LineReader(file, from);
    const readAll = () => {
        for (const line of reader.read())
            onLine(line);
    };
    const timer = setInterval(readAll, log_tail_POLL_MS);
    return {
        readOn: readAll,
        stop: () => {
            clearInterval(timer);
            readAll();
            return reader.passedOn;
        },
    };
}
/** Every whole line of the file from byte `from` on; none if the file does not exist. */
function readLines(file, from = 0) {
    return [...new LineReader(file, from).read()];
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
        const buffer = Buffer.alloc(CHUNK_BYTES);
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

;// CONCATENATED MODULE: ./build/js/step/log.js
// The step's log. What people must see stands outside of groups: the link, warnings, errors, and in a hold what happens
// to the preview. The details are in folded groups: the start, and what the app prints. Used by main's part of the step,
// report-target and teardown.







/** The group of everything up to the link. */
const START_SECTION = 'Start of the preview';
/** More of the app's console is in the output `log-file`. */
const CONSOLE_LINES = 200;
/** The whole log is the output `log-file`; this much of it is worth a group in post's log. */
const REST_LINES = 200;
/** Of the ten that GitHub shows for a step; the others are for what post itself has to say. More are in the group. */
const REST_ANNOTATIONS = 6;
/** A logger that prints to the step's log; warnings and errors become annotations. */
function createStepLogger(level = 'info') {
    return log_createLogger({
        level,
        write: (line, kind) => {
            if (isProblem(kind))
                annotate(line, kind);
            else
                print.info(line);
        },
    });
}
/**
 * main's log: until `endStart` all details go into groups, and afterwards the app's console is left out, but at
 * `log-level: debug`. While the app's own lines are printed, the runner obeys no command, not even ours.
 */
class StepLog {
    level;
    /** For main's own lines. */
    logger;
    #title = START_SECTION;
    #shownTitles = new Set();
    #endGroup;
    #resume;
    #isStarting = true;
    #tail;
    #annotated = new Set();
    #console = new LastLines(CONSOLE_LINES);
    #consoleLines = 0;
    constructor(level) {
        this.level = level;
        this.logger = log_createLogger({ level, write: (line, kind) => this.#write(line, kind) });
    }
    /** The next lines of the start belong to a group with this title. */
    beginSection(title) {
        this.#close();
        this.#title = title;
    }
    /** Shows the lines of the supervisor's log file as the file grows. */
    follow(file) {
        this.#tail = followLog(file, line => this.#relay(line));
    }
    /** The start is over: from now on lines stand outside of groups. */
    endStart() {
        this.#tail?.readOn();
        this.#close();
        this.#isStarting = false;
    }
    /** A line that is shown at every level, outside of groups. */
    tell(text) {
        this.#close();
        print.info(text);
    }
    /** An annotation outside of groups; none if the text was one already. */
    warn(text) {
        const line = sanitiseLines(text);
        if (!this.#annotated.has(line))
            this.#annotate(line, 'warn');
    }
    /**
     * Stops following, ends the group, and shows what the app has printed last, if that was left out. Returns how many bytes
     * of the file were read. May be called twice.
     */
    stop() {
        const tail = this.#tail;
        this.#tail = undefined;
        const read = tail?.stop() ?? 0;
        this.#close();
        this.#isStarting = false;
        const lines = this.#console.list();
        const skipped = this.#consoleLines - lines.length;
        if (tail !== undefined && lines.length > 0)
            print.group('Console of the app', withSkipped(lines, skipped));
        return read;
    }
    /**
     * For post: shows what the file has from byte `from` on, where main has stopped. Warnings and errors that nobody has
     * shown become annotations; the last of the other lines are one group. From 0 on, there are no annotations: main was killed,
     * or cancelled, and had shown nobody knows how much.
     */
    showRest(file, from) {
        this.endStart();
        const rest = readLines(file, from);
        const all = readLines(file);
        const shownByMain = all.slice(0, all.length - rest.length).flatMap(readProblem);
        for (const { text } of shownByMain)
            this.#annotated.add(text);
        const problems = new Map();
        const details = [];
        for (const line of rest) {
            const [problem] = readProblem(line);
            const isShown = problem && (problems.has(problem.text) || this.#annotated.has(problem.text));
            if (from > 0 && problem && !isShown && problems.size < REST_ANNOTATIONS)
                problems.set(problem.text, problem.level);
            else
                details.push(cutDate(line));
        }
        const lines = details.slice(-REST_LINES);
        const title = from === 0 ? 'Log of the preview' : 'Log of the preview, continued';
        if (lines.length > 0)
            print.group(title, withSkipped(lines, details.length - lines.length));
        for (const [text, level] of problems)
            this.#annotate(text, level);
    }
    #relay(line) {
        const parsed = parseLogLine(line);
        // Only a crash of the supervisor prints lines that no logger has sanitised.
        if (parsed === undefined)
            this.#detail(line, true);
        else if (!parsed.isConsole)
            this.#write(parsed.text, parsed.level);
        else if (this.#isStarting || this.level === 'debug')
            this.#detail(parsed.text, true);
        else
            this.#keep(`${parsed.time} ${parsed.text.slice(CONSOLE_PREFIX.length)}`);
    }
    #keep(line) {
        this.#console.add(line);
        this.#consoleLines += 1;
    }
    #write(line, level) {
        if (isProblem(level))
            this.#annotate(line, level);
        else
            this.#detail(level === 'debug' ? `debug: ${line}` : line, false);
    }
    /** A repeated text is only a line: each annotation costs one of the ten that GitHub shows for a step. */
    #annotate(line, level) {
        if (this.#annotated.has(line)) {
            this.#detail(`${level === 'warn' ? 'warning' : 'error'}: ${line}`, false);
            return;
        }
        this.#annotated.add(line);
        this.#close();
        annotate(line, level);
    }
    #detail(line, isForeign) {
        if (this.#isStarting)
            this.#endGroup ??= this.#openGroup();
        if (isForeign)
            this.#resume ??= suspendCommands();
        print.info(line);
    }
    #openGroup() {
        const isContinued = this.#shownTitles.has(this.#title);
        this.#shownTitles.add(this.#title);
        return openGroup(isContinued ? `${this.#title}, continued` : this.#title);
    }
    /** The runner obeys commands again, and the next line stands outside of a group. */
    #close() {
        this.#resume?.();
        this.#resume = undefined;
        this.#endGroup?.();
        this.#endGroup = undefined;
    }
}
function isProblem(level) {
    return level === 'warn' || level === 'error';
}
/** The warning or error that a line of the file is; empty for other lines. */
function readProblem(line) {
    const { level, text } = parseLogLine(line) ?? {};
    return text !== undefined && level !== undefined && isProblem(level) ? [{ text, level }] : [];
}
function annotate(line, level) {
    if (level === 'warn')
        print.warning(line);
    else
        print.error(line);
}
function withSkipped(lines, skipped) {
    return skipped > 0 ? [`… ${renderCount(skipped, 'earlier line')}`, ...lines] : lines;
}

;// CONCATENATED MODULE: ./build/js/app/environment.js
// Which of the job's environment variables a program may see: allow-lists. Used by supervisor/host.ts, and by
// command-environment.ts, which adds to them.

/** Needed to run at all, to speak the user's language, and to be cleaned up by the runner (RUNNER_TRACKING_ID). */
const SYSTEM = 'PATH HOME USER SHELL LANG TZ TMPDIR TERM CI RUNNER_TRACKING_ID';
/** Without these nothing reaches the network behind a company proxy; tools read both spellings. */
const NETWORK = 'HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy ' +
    'SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS NODE_USE_SYSTEM_CA CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO';
/** Windows programs do not start without their system folders; names are case-insensitive there. */
const WINDOWS = 'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP OS USERNAME USERPROFILE USERDOMAIN HOMEDRIVE HOMEPATH ' +
    'APPDATA LOCALAPPDATA ALLUSERSPROFILE PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 ' +
    'COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) COMMONPROGRAMW6432 NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE';
/** Where Rust is installed. Not all of CARGO_*: CARGO_REGISTRY_TOKEN is one of them. */
const RUST = 'CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN CARGO_HTTP_CAINFO CARGO_HTTP_PROXY';
/** Each names a file with the certificates of a company's own authority. */
const CERTIFICATE_FILES = [
    'SSL_CERT_FILE',
    'NODE_EXTRA_CA_CERTS',
    'CURL_CA_BUNDLE',
    'REQUESTS_CA_BUNDLE',
    'GIT_SSL_CAINFO',
    'CARGO_HTTP_CAINFO',
];
const ALLOWED = new Set(`${SYSTEM} ${NETWORK}`.split(' '));
const ALLOWED_ON_WINDOWS = new Set(`${SYSTEM} ${NETWORK} ${WINDOWS}`.toUpperCase().split(' '));
const ALLOWED_FOR_INSTALLATION = new Set(RUST.split(' '));
/**
 * The environment with absolute paths of certificates, because the programs start in other folders than the step. A
 * program that does not find the file trusts fewer servers than the step does.
 */
function anchorCertificates(job, folder) {
    const anchored = CERTIFICATE_FILES.flatMap(name => {
        const file = job[name];
        return file ? [[name, (0,external_node_path_.resolve)(folder, file)]] : [];
    });
    return { ...job, ...Object.fromEntries(anchored) };
}
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
function readHost(variables, tempFolder) {
    const environment = anchorCertificates(variables, process.cwd());
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

;// CONCATENATED MODULE: ./build/js/gateway/raw-headers.js
// Header fields as Node gives them: names and values in turn, as on the wire. Used by every file of the
// gateway that reads, changes or writes a whole head. Pure.
/** Calls `onField` for each field, in order. */
function raw_headers_forEachField(raw, onField) {
    for (let index = 0; index + 1 < raw.length; index += 2)
        onField(raw[index] ?? '', raw[index + 1] ?? '');
}
/** Letters, digits and hyphens, as most names have. */
const PLAIN_NAME = /^[a-z\d-]*$/;
/**
 * The name as CGI-style servers read it, which know letters, digits and one other character (RFC 3875, 4.1.18): they cannot
 * distinguish `X_Forwarded_For`, and some not even `X.Forwarded.For`, from `X-Forwarded-For`. `key` is in lower case.
 */
function foldName(key) {
    return PLAIN_NAME.test(key) ? key : key.replaceAll(/[^a-z\d]/g, '-');
}
/** `wanted` is in lower case. The length is compared first, because few names have it. */
function isName(name, wanted) {
    return name?.length === wanted.length && name.toLowerCase() === wanted;
}
/** How many fields have this lower-case name. */
function countFields(raw, wanted) {
    let count = 0;
    raw_headers_forEachField(raw, name => {
        if (isName(name, wanted))
            count += 1;
    });
    return count;
}
/** Changes the value of each field of this lower-case name; a field whose value becomes empty is removed. */
function rewriteFields(raw, wanted, rewrite) {
    for (let index = raw.length - 2; index >= 0; index -= 2) {
        if (!isName(raw[index], wanted))
            continue;
        const value = rewrite(raw[index + 1] ?? '');
        if (value === '')
            raw.splice(index, 2);
        else
            raw[index + 1] = value;
    }
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
/** Method and path, and the visitor's address if it is known, fit for a log. */
function describeVisit({ request, visitorAddress }) {
    const what = sanitise(`${request.method} ${readPath(request)}`);
    return visitorAddress === undefined ? what : `${what} from ${visitorAddress}`;
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/whole-request.js
// A request with its whole body, as signatures cover it and as it can be sent again, and how its fields are read. Used
// by every file of webhooks/; a CapturedRequest is one too.


/** The request of a visit; its body is empty unless a pass has read it. */
function readRequest({ request, body, visitorAddress }) {
    return {
        method: request.method ?? '',
        target: readTarget(request),
        rawHeaders: request.rawHeaders,
        body: body ?? Buffer.alloc(0),
        visitorAddress,
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
function readValue(raw, wanted) {
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
        readValue(rawHeaders, 'twitch-eventsub-message-type') === 'webhook_callback_verification',
};
/** Those of providers for which `verify` has no rule: only the queue needs to know them. */
const OTHER = {
    /** The secret has to come back in the same field. */
    asana: ({ rawHeaders }) => readValue(rawHeaders, 'x-hook-secret') !== undefined,
    /** Azure Event Grid. */
    eventgrid: ({ rawHeaders }) => readValue(rawHeaders, 'aeg-event-type') === 'SubscriptionValidation',
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
        /** Whether the visitor's address in the `X-Forwarded-For` of the proxy in front is believed; absent: no. */
        trustedProxy: optional(dist_boolean()),
        /** Whether captured requests are kept while the app is away; absent: no. */
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

;// CONCATENATED MODULE: ./build/js/github/pull-request-watch.js
// Watches a pull request for what ends its preview: it is closed, it gets a newer commit, or it loses the label that
// started the preview. Asks politely: one small request at a time, which does not count against the rate limit while
// nothing has changed (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api). Used by
// supervisor/ends.ts; preview.ts plans what to watch.





/** Fast enough that nobody looks at an old preview for long. GitHub gives a repository's jobs 1,000 requests an hour. */
const pull_request_watch_POLL_MS = 30_000;
/** The longest pause after failures, unless GitHub asks for more. */
const MAX_PAUSE_MS = (/* unused pure expression or super */ null && (10 * 60_000));
/** After one failure, the next request usually succeeds. */
const FAILURES_BEFORE_WARNING = 3;
/** A label may get another name, so its number decides where it is known. */
const LabelSchema = object({ id: optional(number()), name: string() });
/** What counts as unchanged. */
const ConditionSchema = object({ heads: array(string()), isOpen: dist_boolean(), hasLabel: dist_boolean() });
const WatchedPullRequestSchema = object({
    number: number(),
    /** The label whose removal ends the preview. */
    label: optional(LabelSchema),
    /** The pull request when the preview was asked for; absent: as it is at the first look. */
    before: optional(ConditionSchema),
});
const pull_request_watch_AnswerSchema = object({
    state: picklist(['open', 'closed']),
    merged: optional(dist_boolean(), false),
    head: object({ sha: string() }),
    labels: optional(array(LabelSchema), []),
});
const LabeledEvent = object({ action: literal('labeled'), label: LabelSchema });
/**
 * What to watch, for a job that previews `pullRequest`. `checkedOut`: the commit that is previewed, if it is known. A step
 * before may have pushed it, so that it is newer than the event, and still not too old.
 */
function planWatch(job, pullRequest, checkedOut) {
    const { number, headSha, state } = pullRequest;
    const labeled = v.safeParse(LabeledEvent, job.event);
    const label = labeled.success ? labeled.output.label : undefined;
    // Who runs an old run again wants its preview, whatever has happened to the pull request since then.
    if (job.runAttempt > 1)
        return { number, label };
    const heads = [headSha, ...(checkedOut === undefined ? [] : [checkedOut])];
    return { number, label, before: { heads, isOpen: state === 'open', hasLabel: label !== undefined } };
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
        this.#pollMs = options.pollMs ?? pull_request_watch_POLL_MS;
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
        const answer = await github.poll(pull_request_watch_AnswerSchema, 'GET /repos/{owner}/{repo}/pulls/{pull_number}', {
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
        const backoffMs = Math.min(this.#pollMs * 2 ** (this.#failures - 1), MAX_PAUSE_MS);
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
    if (!before.heads.includes(now.head.sha))
        return 'newer commit';
    if (before.hasLabel && !hasLabel(now, label))
        return 'label removed';
    return undefined;
}
function describeCondition(now, label) {
    return { heads: [now.head.sha], isOpen: now.state === 'open', hasLabel: hasLabel(now, label) };
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
    /** Absent without a pull request, or with `comment: false`. `instance`: hex digits that no other step has. */
    comment: optional(object({ pullRequest: number(), instance: string() })),
    /** Absent without `deployment: true`. `id`: tells this preview's deployment from all others. */
    deployment: optional(object({ environment: string(), sha: string(), id: string() })),
    /** Whether the token is likely to be read-only, as in a fork's job, so that a refusal needs no warning. */
    expectsRefusal: optional(dist_boolean()),
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
    /** How much post says; absent: info. */
    logLevel: optional(picklist(LOG_LEVELS)),
    /** How long the app may take to stop. */
    stopTimeoutMs: number(),
    report: config_ReportSchema,
    /** For the summary. */
    exposedAs: optional(object({
        protocol: picklist(PROTOCOLS),
        access: picklist(ACCESSES),
        servers: array(string()),
    })),
    /** Whether the recorded requests outlive the job's steps; absent: no. */
    keepsRequests: optional(dist_boolean()),
});
/** May be called several times: the last state counts. */
function saveStepState(state) {
    core.saveState(KEY, JSON.stringify(state));
}
const ShownSchema = object({ log: number(), warnings: number(), end: dist_boolean() });
function saveShown(shown) {
    core.saveState(SHOWN_KEY, JSON.stringify(shown));
}
/** Reads what `saveShown` saved; nothing if main was killed before that. */
function readShown() {
    const text = getState(SHOWN_KEY);
    if (text === '')
        return { log: 0, warnings: 0, end: false };
    return parse(ShownSchema, JSON.parse(text));
}
/** What main saved, or undefined if it did not get that far. */
function readStepState() {
    const text = getState(KEY);
    return text === '' ? undefined : parse(StepStateSchema, JSON.parse(text));
}

;// CONCATENATED MODULE: ./build/js/github/summary/charts.js
// The summary's charts as Mermaid's text: numbers, times and our own words, no text from outside. GitHub renders
// Mermaid 11, allows 50,000 characters a chart, and shows times in the reader's zone: so times are texts in UTC, which
// Mermaid takes for local ones at both ends.
/** Each bar has a label below it, and more would overlap. */
const MAX_BARS = 36;
/** Of the bars' height: with less, Mermaid writes fractions of a visit beside the axis. */
const MIN_HEIGHT = 10;
/** Room above the highest bar, as a share of it: Mermaid cuts off a label at the very top. */
const HEADROOM = 0.1;
/** A bar of less than this share of the chart has no room for a word. */
const MIN_WORD_SHARE = 0.08;
/** An outage is drawn at least this wide, as a share of the whole chart: otherwise nobody would see it. */
const MIN_SHARE = 1 / 200;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Below the availability: so many have room on a phone, too. */
const MAX_LABELS = 3;
const LONGEST_TICK = ['12hour', 12 * HOUR_MS];
/** Steps between two labels, from short to long. */
const TICKS = [
    ...[1, 2, 5, 10, 15, 30].map((n) => [`${n}second`, n * 1_000]),
    ...[1, 2, 5, 10, 15, 30].map((n) => [`${n}minute`, n * MINUTE_MS]),
    ...[1, 2, 3, 6].map((n) => [`${n}hour`, n * HOUR_MS]),
    LONGEST_TICK,
];
const NAMES = { tunnel: 'Tunnel', app: 'App' };
/** When tunnel and app were up, from `from` to `until`. */
function renderAvailability(outages, { from, until }) {
    const span = { from: floorSecond(from), until: Math.max(floorSecond(until), floorSecond(from) + 1_000) };
    return [
        '```mermaid',
        '---',
        'displayMode: compact',
        'config:',
        '  gantt:',
        '    barHeight: 24',
        '---',
        'gantt',
        '  accTitle: When the preview could be used',
        '  dateFormat YYYY-MM-DD HH:mm:ss',
        // Otherwise a red line marks the time of the reader, who may take it for an outage.
        '  todayMarker off',
        ...renderAxis(span.until - span.from),
        ...renderPart('tunnel', outages, span),
        ...renderPart('app', outages, span),
        '```',
    ].join('\n');
}
/** Left to itself, Mermaid writes up to 17 labels, which run into each other. */
function renderAxis(ms) {
    if (ms > 3 * DAY_MS)
        return ['  axisFormat %m-%d', `  tickInterval ${ms <= 14 * DAY_MS ? '1day' : '1week'}`];
    const [step] = TICKS.find(([, length]) => ms <= length * MAX_LABELS) ?? LONGEST_TICK;
    const format = ms > DAY_MS ? '%m-%d %H:%M' : step.endsWith('second') ? '%H:%M:%S' : '%H:%M';
    return [`  axisFormat ${format}`, `  tickInterval ${step}`];
}
function renderPart(part, all, span) {
    const outages = all.filter(outage => outage.part === part);
    const lines = [`  section ${NAMES[part]}`];
    let at = span.from;
    const add = (state, until) => {
        if (until <= at)
            return;
        const tag = state === 'up' ? 'done' : 'crit';
        const word = until - at < (span.until - span.from) * MIN_WORD_SHARE ? '·' : state;
        lines.push(`  ${word} :${tag}, ${charts_renderTime(at)}, ${charts_renderTime(until)}`);
        at = until;
    };
    for (const { from, until } of outages) {
        const begin = Math.min(floorSecond(new Date(from)), span.until - minimum(span));
        const end = until === null ? span.until : floorSecond(new Date(until));
        add('up', begin);
        add('away', Math.min(span.until, Math.max(end, begin + minimum(span))));
    }
    add('up', span.until);
    return lines;
}
function minimum({ from, until }) {
    return Math.max(1_000, Math.ceil(((until - from) * MIN_SHARE) / 1_000) * 1_000);
}
function floorSecond(time) {
    return Math.floor(time.getTime() / 1_000) * 1_000;
}
function charts_renderTime(time) {
    return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}
/** A title for people, and the chart of the visits. */
function renderVisits({ minutes, counts }, noun) {
    const merged = Math.max(1, Math.ceil(counts.length / MAX_BARS));
    const bars = Array.from({ length: Math.max(1, Math.ceil(counts.length / merged)) }, (_, at) => counts.slice(at * merged, (at + 1) * merged).reduce((sum, count) => sum + count, 0));
    const step = minutes * merged;
    const hours = (step * bars.length) / 60;
    const inHours = hours > 5;
    const labels = bars.map((_, at) => inHours ? ((at * step) / 60).toFixed(hours > 48 ? 0 : 1) : String(at * step));
    const height = Math.ceil(Math.max(MIN_HEIGHT, ...bars) * (1 + HEADROOM));
    const title = step === 1 ? `${capitalise(noun)} per minute` : `${capitalise(noun)} in each ${describeStep(step)}`;
    const chart = [
        '```mermaid',
        '---',
        'config:',
        '  xyChart:',
        '    width: 900',
        '    height: 260',
        '    xAxis:',
        '      labelFontSize: 12',
        '  themeVariables:',
        '    xyChart:',
        // Visible on white and on black.
        '      plotColorPalette: "#2f81f7"',
        '---',
        'xychart-beta',
        '  accTitle: Visits over time',
        `  x-axis "${inHours ? 'hours' : 'minutes'} since the start" [${labels.map(label => `"${label}"`).join(', ')}]`,
        `  y-axis "${noun}" 0 --> ${height}`,
        `  bar [${bars.join(', ')}]`,
        '```',
    ].join('\n');
    return { title, chart };
}
/** `8 minutes`, `2 hours` */
function describeStep(minutes) {
    return minutes % 60 === 0 ? `${minutes / 60} hours` : `${minutes} minutes`;
}
function capitalise(word) {
    return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

;// CONCATENATED MODULE: ./build/js/github/summary/summary.js
// Renders the step's summary as Markdown: while a preview goes on beside later steps its link, and at the end what
// happened. Pure. Paths, reasons and names are strangers' text: they are shown as code only. Used by step/summary.ts.






/** Of everything that is listed, how much is shown. */
const MAX_ROWS = 10;
const summary_MAX_WARNINGS = 10;
/** The median of fewer answers says nothing. */
const MIN_TIMES = 5;
const MAX_CONSOLE_LINES = 20;
/** The summary of a preview that goes on beside later steps. GitHub shows it when the step ends; it cannot be changed later. */
function summary_renderLiveSummary({ preview, state, updatedAt }) {
    if (state.kind !== 'live')
        return '';
    const isWeb = /^https?:/i.test(state.url);
    const link = isWeb ? renderLink('Open it', state.url) : `Its address: ${renderAddress(state.url)}`;
    const end = state.endsAt === undefined ? 'until its job ends' : `until ${renderTime(state.endsAt)} at the latest`;
    const inspector = state.inspectorUrl === undefined ? [] : [renderLink('Open the inspector', state.inspectorUrl)];
    return [
        `### 🟢 Preview ${renderCode(preview.name, 100)} went live at ${renderTime(updatedAt)}`,
        `**${link}**, ${end}. When the job is over, the link is dead, and a report of the preview follows below.`,
        ...inspector,
        '',
    ].join('\n\n');
}
/** The summary of a preview that is over. */
function renderFinalSummary(facts) {
    const { view, state, history, exposedAs } = facts;
    const life = readLife(state);
    const paragraphs = [
        renderHeading(view),
        ...summary_renderEnd(view),
        renderOverview(facts, life),
        ...renderCharts(state, history, exposedAs, life),
        ...renderSlowest(history),
        ...renderWebhooks(history),
        ...renderOutages(history),
        ...renderWarnings(view),
    ];
    return `${paragraphs.join('\n\n')}\n\n`;
}
/** Undefined if it was never live. */
function readLife({ exposure }) {
    if (exposure.phase === 'starting' || exposure.live_at === null)
        return undefined;
    const until = exposure.phase === 'live' ? new Date() : new Date(exposure.ended_at);
    return { from: new Date(exposure.live_at), until };
}
function renderHeading({ preview, state }) {
    const [sign, words] = state.kind === 'failed' ? ['🔴', 'failed'] : ['⚪', 'has ended'];
    return `### ${sign} Preview ${escaping_renderCode(preview.name, 100)} ${words}`;
}
function summary_renderEnd({ state }) {
    if (state.kind === 'ended')
        return [`${ENDINGS[state.reason]} at ${utc_renderTime(state.endedAt)}.`];
    if (state.kind !== 'failed')
        return [];
    const paragraphs = [escaping_renderCode(state.reason, 1_000), `It failed at ${utc_renderTime(state.endedAt)}.`];
    const lines = state.lastLines.slice(-MAX_CONSOLE_LINES);
    if (lines.length === 0)
        return paragraphs;
    return [
        ...paragraphs,
        '<details><summary>Last lines of the app</summary>',
        renderCodeBlock(lines),
        '</details>',
    ];
}
function renderOverview({ view, state, history, exposedAs }, life) {
    const { preview } = view;
    const commit = escaping_renderLink(escaping_renderCode(preview.commit.slice(0, 7)), preview.commitUrl);
    const address = history?.address ?? state.public_url;
    // A table needs a head, and an empty one is an empty row.
    const head = ['Exposed', [`${preview.mode} mode`, ...describeExposure(exposedAs)].join(' · ')];
    const rows = [['Commit', `${commit} · ${escaping_renderLink('workflow run', preview.runUrl)}`]];
    if (address !== null)
        rows.push(['Address', `${markdown_renderAddress(address)}, which may be somebody else's by now`]);
    if (life !== undefined) {
        rows.push([
            'Live',
            `${formatDuration(roundSecond(life))}, from ${utc_renderTime(life.from)} to ${utc_renderTime(life.until)}`,
        ]);
        rows.push(['Visits', describeVisits(state, history)]);
        rows.push(['Interruptions', describeInterruptions(state, history)]);
    }
    return renderTable(head, rows);
}
function describeExposure(exposedAs) {
    if (exposedAs === undefined)
        return [];
    const { protocol, access, servers } = exposedAs;
    return [protocol, `over ${escaping_renderCode(servers.join(', '))}`, ACCESS[access]];
}
const ACCESS = {
    open: 'open to everybody',
    link: 'open with the key in its link',
    'given key': "open with the workflow's key",
    basic: 'open with user and password',
};
function describeVisits({ visits }, history) {
    const times = history?.times;
    if (!times || times.count < MIN_TIMES)
        return String(visits);
    return `${visits}; half of the answers within ${renderMs(times.median_ms)}, 95 % within ${renderMs(times.p95_ms)}`;
}
function describeInterruptions(state, history) {
    const { reconnects, restarts, address_changes: moves } = state;
    const away = history?.away;
    if (reconnects + restarts + moves + (away?.tunnel.count ?? 0) + (away?.app.count ?? 0) === 0)
        return 'none';
    const parts = [
        countAway(reconnects, 'tunnel reconnect', away?.tunnel),
        countAway(restarts, 'app restart', away?.app),
        ...(moves > 0 ? [`${renderCount(moves, 'change')} of address`] : []),
    ];
    return parts.join(' · ');
}
function countAway(count, noun, away) {
    const text = renderCount(count, noun);
    return away === undefined || away.count === 0 ? text : `${text}, away for ${renderMs(away.ms)} in all`;
}
function renderCharts({ visits }, history, exposedAs, life) {
    if (history === undefined || life === undefined)
        return [];
    const charts = ['#### Availability (UTC)', renderAvailability(history.outages, life)];
    if (visits === 0)
        return charts;
    const noun = exposedAs?.protocol === 'tcp' ? 'connections' : 'requests';
    const { title, chart } = renderVisits(history.visits, noun);
    return [...charts, `#### ${title}`, chart];
}
function renderSlowest(history) {
    if (history === undefined || history.slowest.length === 0)
        return [];
    const rows = history.slowest
        .slice(0, MAX_ROWS)
        .map(({ method, path, status, duration_ms }) => [
        escaping_renderCode(`${method} ${path}`),
        String(status),
        renderMs(duration_ms),
    ]);
    return ['#### Slowest requests', renderTable(['Request', 'Status', 'Time'], rows)];
}
function renderWebhooks(history) {
    if (history === undefined || (history.webhooks.count === 0 && history.webhooks.replayed === 0))
        return [];
    const { count, refused, queued, dropped, replayed, paths } = history.webhooks;
    const counts = [
        `${renderCount(count, 'request')} recorded`,
        ...(refused > 0 ? [`${refused} refused`] : []),
        ...(queued > 0 ? [`${queued} kept while the app was away`] : []),
        ...(dropped > 0 ? [`${dropped} dropped`] : []),
        ...(replayed > 0 ? [`${replayed} sent again`] : []),
    ];
    const rows = paths
        .slice(0, MAX_ROWS)
        .map(({ method, path, status, isRefused, count }) => [
        escaping_renderCode(`${method} ${path}`),
        `${status ?? 'none'}${isRefused ? ', refused' : ''}`,
        String(count),
    ]);
    const shown = paths.slice(0, MAX_ROWS).reduce((sum, one) => sum + one.count, 0);
    return [
        '#### Recorded requests (webhooks)',
        `${counts.join(' · ')}.`,
        ...(rows.length > 0 ? [renderTable(['Request', 'Answer', 'Count'], rows)] : []),
        ...(shown < count ? [`${count - shown} more are not listed.`] : []),
    ];
}
const summary_PARTS = { tunnel: 'tunnel', app: 'app' };
function renderOutages(history) {
    if (history === undefined || (history.outages.length === 0 && history.moves.length === 0))
        return [];
    const rows = history.outages.slice(0, MAX_ROWS).map(({ part, from, until, reason }) => {
        const ms = until === null ? undefined : Date.parse(until) - Date.parse(from);
        return [
            renderMoment(from),
            ms === undefined ? 'to the end' : renderMs(ms),
            summary_PARTS[part],
            reason === null ? '' : escaping_renderCode(reason),
        ];
    });
    const all = history.away.tunnel.count + history.away.app.count;
    const moves = history.moves.map(({ at, url }) => `- ${renderMoment(at)}: ${markdown_renderAddress(url)}`);
    return [
        ...(rows.length > 0
            ? ['#### Interruptions', renderTable(['Since (UTC)', 'For', 'What', 'Why'], rows)]
            : []),
        ...(all > rows.length ? [`${all - rows.length} more are not listed.`] : []),
        ...(moves.length > 0 ? ['#### New addresses (UTC)', moves.join('\n')] : []),
    ];
}
function renderWarnings({ preview }) {
    if (preview.warnings.length === 0)
        return [];
    const shown = preview.warnings.slice(0, summary_MAX_WARNINGS).map(warning => renderSentence(warning));
    return [`> [!WARNING]\n${shown.map(warning => `> ${warning}`).join('\n>\n')}`];
}
/**
 * A bar would end its cell, also inside code (GFM, 4.10), and `\\|` is read differently behind a backslash: so it is
 * written as in a URL.
 */
function renderTable(head, rows) {
    const line = (cells) => `| ${cells.map(cell => cell.replaceAll('|', '%7C')).join(' | ')} |`;
    return [line(head), line(head.map(() => ':--')), ...rows.map(line)].join('\n');
}
/** `05-04 10:02:11` */
function renderMoment(time) {
    return time.slice(5, 19).replace('T', ' ');
}
/** `8 ms`, `1.3 s`, `2m 5s` */
function renderMs(ms) {
    if (ms < 1_000)
        return `${Math.round(ms)} ms`;
    return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : formatDuration(ms);
}
function roundSecond({ from, until }) {
    return Math.round((until.getTime() - from.getTime()) / 1_000) * 1_000;
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
    return `${serverUrl.replace(/\/+$/, '')}/${repository.owner}/${repository.name}`;
}

;// CONCATENATED MODULE: ./build/js/github/view.js
// What comment, deployment and summary show: turns the states of the tunnel, the app and the exposure into one state of
// the preview. Used by all three, by the supervisor's reports, and by the step for its summary and the last report.

/** Shorter outages are not written: most are over before anybody could read about them. */
const view_OUTAGE_SHOWN_AFTER_MS = 15_000;
function view_viewOf(state, context) {
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
    const isShown = since !== undefined && now.getTime() - since.getTime() >= view_OUTAGE_SHOWN_AFTER_MS;
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
function view_describePreview(job, facts) {
    const { name, mode, commit, entry, openWarning, warnings } = facts;
    const [commitUrl, runUrl] = [renderCommitUrl(job, commit), renderRunUrl(job)];
    return { name, mode, commit, commitUrl, runUrl, entry, openWarning, warnings };
}

;// CONCATENATED MODULE: ./build/js/step/summary.js
// The summary of the step, which GitHub shows when main or post has ended, one below the other, for good. So the end is
// written once: by main after a hold, or if the preview failed to start, and by post otherwise. Beside later steps, main
// writes the link.




/** Never rejects, because a runner may not support summaries. */
async function writeLiveSummary(job, step, state) {
    await write(renderLiveSummary(describeView(job, step, state)));
}
/** Never rejects. */
async function writeFinalSummary(job, step, outcome) {
    const view = describeView(job, step, outcome);
    const { history } = outcome;
    await write(renderFinalSummary({ view, state: outcome, history, exposedAs: step.exposedAs }));
}
async function write(text) {
    await summary
        .addRaw(text, true)
        .write()
        .catch(error => print.debug(`no summary: ${error}`));
}
/** The preview as reports show it. */
function describeView(job, step, state) {
    const { preview, identity } = step.report;
    const updatedAt = new Date();
    const facts = view_describePreview(job, { ...preview, name: identity.name, mode: step.mode });
    return {
        preview: { ...facts, warnings: [...facts.warnings, ...state.warnings] },
        state: view_viewOf(state, { now: updatedAt, hideConsole: !preview.showConsole }),
        updatedAt,
    };
}
/** How long the exposure has been live, in milliseconds; 0 if it never was. */
function measureLife({ exposure }) {
    if (exposure.phase === 'starting' || exposure.live_at === null)
        return 0;
    const end = exposure.phase === 'live' ? Date.now() : Date.parse(exposure.ended_at);
    return end - Date.parse(exposure.live_at);
}

;// CONCATENATED MODULE: ./build/js/step/teardown.js
// What the post step does: ends the supervisor and all that it started, makes sure that GitHub shows the end,
// writes the summary, and removes the session folder. Used by post.



















/** If a preview was live for less than this, reviewers can hardly have seen it. */
const SHORT_LIFE_MS = 60_000;
const REPORT_TIMEOUT_MS = 8_000;
/** Kept of post's time when the processes are ended: for a last SIGKILL, a short comment, and what follows it. */
const AFTER_PROCESSES_MS = 3_000;
/** For the summary, and for removing the folder. */
const AFTER_REPORT_MS = 500;
/** For keeping what was installed: an entry of the cache has some MB. */
const SAVE_LIMIT_MS = 20_000;
/** With less, an attempt is of no use. */
const MIN_SAVE_MS = 2_000;
/** For removing the copy that is saved. */
const AFTER_SAVE_MS = 500;
/** Ends what main started. Does nothing if main started nothing. */
async function tearDown() {
    const step = readStepState();
    if (step === undefined)
        return;
    if (!(0,external_node_fs_namespaceObject.existsSync)(step.folder) && !(step.supervisor && processes_isAlive(step.supervisor)))
        return print.info('the preview was already taken down');
    if (step.supervisor === undefined)
        return undoStart(step);
    const { reaped, outcome } = await stopBackground(step.folder, step.supervisor, limitStops(step));
    tellReaped(reaped, step);
    const state = outcome ?? describeDeath(step);
    const log = new StepLog(step.logLevel ?? 'info');
    const shown = readShown();
    log.showRest(session_folder_sessionFiles(step.folder).log, shown.log);
    if (outcome === undefined)
        await reportDeath(step, state, log.logger);
    if (!shown.end)
        await writeFinalSummary(readJob(), step, state);
    // If the preview failed before it was live, main has printed the reason.
    if (outcome?.exposure.phase !== 'failed' || outcome.exposure.live_at !== null)
        explainEnd(step, state);
    if (!step.hold && state.address_changes > 0)
        warnOfAddressChanges(state.address_changes);
    for (const warning of state.warnings.slice(shown.warnings))
        log.warn(warning);
    await removeSession(step);
}
/**
 * Keeps a wasmrun that main installed for later jobs. Now, not earlier: nobody waits for the preview any more, wasmrun
 * has downloaded its runtimes, and post also runs in a job that was cancelled. Never rejects.
 */
async function keepInstalled() {
    const { installation, mode, logLevel = 'info' } = readStepState() ?? {};
    if (installation === undefined || mode === undefined)
        return;
    const logger = createStepLogger(logLevel);
    const limitMs = limitInPost(SAVE_LIMIT_MS, AFTER_SAVE_MS);
    if (limitMs < MIN_SAVE_MS)
        return logger.info(`wasmrun ${installation.version}: not kept in the cache (no time is left in post)`);
    const [machine, script] = [readMachine(), resolveBundle('cache')];
    await keepInstallation({ installation, mode, machine, script, logger, limitMs });
}
/** The recorded requests may stay, for whatever uploads them after this step. The runner empties its temp folder. */
async function removeSession({ folder, logLevel, keepsRequests = false }) {
    const { requests } = session_folder_sessionFiles(folder);
    const isKept = keepsRequests && ((0,external_node_fs_namespaceObject.statSync)(requests, { throwIfNoEntry: false })?.size ?? 0) > 0;
    const doomed = isKept
        ? (0,external_node_fs_namespaceObject.readdirSync)(folder)
            .map(name => (0,external_node_path_.join)(folder, name))
            .filter(path => path !== requests)
        : [folder];
    await removeAll(doomed);
    if (isKept)
        createStepLogger(logLevel).info(`the recorded requests stay in ${requests}`);
}
/**
 * main was cancelled, or failed, before it started the supervisor: all that can be left is an installation of wasmrun.
 */
async function undoStart(step) {
    const { folder, installFolder } = step;
    const { reaped } = await stopBackground(folder, undefined, limitStops(step));
    tellReaped(reaped, step);
    await removeAll([...(installFolder === undefined ? [] : [installFolder]), folder]);
}
/** Warns of what is left. */
async function removeAll(paths) {
    for (const path of paths) {
        const left = await removeFolder(path);
        if (left !== undefined)
            print.warning(left);
    }
}
function limitStops({ stopTimeoutMs }) {
    return { stopTimeoutMs, limit: wantedMs => limitInPost(wantedMs, AFTER_PROCESSES_MS) };
}
function tellReaped(reaped, { stopTimeoutMs, logLevel }) {
    const logger = createStepLogger(logLevel);
    if (reaped.length === 0)
        return;
    const list = (some) => some.map(({ role, pid }) => `${role} (${pid})`).join(', ');
    logger.info(`ended processes that were left behind: ${list(reaped)}`);
    const killed = reaped.filter(one => one.killed);
    if (killed.length > 0)
        logger.info(`killed, because it did not stop within ${formatDuration(stopTimeoutMs)}, the \`stop-timeout\`: ${list(killed)}`);
}
/** Not called after a hold, because no later step runs during it. */
function warnOfAddressChanges(changes) {
    print.warning(`the public address changed ${changes === 1 ? 'once' : `${changes} times`} while the preview was up: steps that used \`url\` after the change had the old address; they should call \`expose url\` instead`);
}
/** The last state of an exposure whose supervisor was killed: what it had saved, if it got that far. */
function describeDeath(step) {
    const latest = readLatest(step.folder) ?? { ...UNKNOWN, mode: step.mode };
    const { exposure } = latest;
    return {
        ...latest,
        status: 'Failed',
        preview_url: null,
        inspector_url: null,
        connected_at: null,
        tunnel_reason: 'killed',
        app: { status: 'stopped', port: null, reason: null },
        exposure: {
            phase: 'failed',
            reason: 'the process that kept the preview alive was killed',
            last_lines: [],
            live_at: exposure.phase === 'starting' ? null : exposure.live_at,
            ended_at: new Date().toISOString(),
        },
    };
}
const UNKNOWN = {
    status: 'Failed',
    public_url: null,
    preview_url: null,
    public_host: null,
    public_port: null,
    connected_at: null,
    inspector_url: null,
    tunnel_reason: null,
    verified: null,
    doubt: null,
    app: { status: 'stopped', port: null, reason: null },
    restarts: 0,
    reconnects: 0,
    address_changes: 0,
    visits: 0,
    warnings: [],
    exposure: { phase: 'starting' },
};
/** Reports the end of a preview whose supervisor died, so that nothing on GitHub leads a reader to a dead address. */
async function reportDeath(step, state, logger) {
    const job = readJob();
    const { token } = readForkRuleInputs();
    if (token === '')
        return;
    const reporters = openReporters({
        github: openGitHub({ job, token }, readMachine().proxy, logger),
        report: step.report,
        logger,
        warn: logger.warn,
        isOrphan: true,
        signal: AbortSignal.timeout(limitInPost(REPORT_TIMEOUT_MS, AFTER_REPORT_MS)),
    });
    const view = describeView(job, step, state);
    await Promise.all(reporters.map(reporter => reporter.update(view)));
}
/** Reports a failure or an early end of a background preview, because main had ended before. */
function explainEnd(step, state) {
    const { exposure } = state;
    if (step.hold)
        return;
    if (exposure.phase === 'failed')
        print.warning(`the preview failed: ${exposure.reason}`);
    if (exposure.phase !== 'ended')
        return;
    createStepLogger(step.logLevel).info(`the preview has ended: ${exposure.reason}`);
    if (step.report.comment !== undefined && measureLife(state) < SHORT_LIFE_MS)
        print.notice('the preview lived for less than a minute, because it ends with its job: `hold: 30m` keeps the step, and the link, alive for reviewers');
}

;// CONCATENATED MODULE: ./build/js/post.js
// Entry of the post step: takes the preview down, however main ended, and keeps what main installed. Never fails the
// job.




tolerateBrokenOutput();
void tearDown()
    .catch(error => print.warning(`parts of the preview may still be running: ${errors_describeError(error)}`))
    .then(keepInstalled);

