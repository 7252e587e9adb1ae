// Command wasi-runtime stands in for wasmhub's nodejs runtime in tests: it runs one JavaScript program with timers,
// console and node:http on the socket that wasmrun hands over. `nodejs-runtime run /index.js` starts it.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/dop251/goja"
)

//go:embed node.js
var nodeSource string

// A loop runs everything JavaScript does, one job after the other.
type loop struct {
	vm     *goja.Runtime
	jobs   chan func()
	timers map[int64]*timer
	nextID int64
	// keepAlive says that a server listens, so that an idle program does not end.
	keepAlive bool
}

type timer struct {
	due      time.Time
	interval time.Duration
	callback goja.Callable
}

func main() {
	if len(os.Args) != 3 || os.Args[1] != "run" || os.Args[2] == "" {
		fail("usage: nodejs-runtime run FILE")
	}
	l := &loop{vm: goja.New(), jobs: make(chan func(), 64), timers: map[int64]*timer{}}
	l.vm.SetFieldNameMapper(goja.UncapFieldNameMapper())
	l.defineNatives()
	start, err := l.vm.RunScript("node.js", nodeSource)
	l.check(err)
	call, _ := goja.AssertFunction(start)
	_, err = call(goja.Undefined(), l.vm.Get("native"), l.vm.ToValue(os.Args[2]))
	l.check(err)
	l.run()
}

func (l *loop) defineNatives() {
	native := l.vm.NewObject()
	set := func(name string, value any) { _ = native.Set(name, value) }
	set("print", func(text string) { fmt.Fprintln(os.Stdout, text) })
	set("printError", func(text string) { fmt.Fprintln(os.Stderr, text) })
	set("exit", os.Exit)
	set("environment", readEnvironment)
	set("readFile", func(name string) (string, error) {
		bytes, err := os.ReadFile(path.Join("/", name))
		return string(bytes), err
	})
	set("compile", func(name, source string) (goja.Value, error) { return l.vm.RunScript(name, source) })
	set("setTimer", l.setTimer)
	set("clearTimer", func(id int64) { delete(l.timers, id) })
	set("listen", l.listen)
	set("byteLength", func(text string) int { return len(text) })
	set("connectTo", connectTo)
	_ = l.vm.Set("native", native)
}

func readEnvironment() map[string]string {
	found := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		found[name] = value
	}
	return found
}

func (l *loop) setTimer(callback goja.Callable, milliseconds float64, repeat bool) int64 {
	after := time.Duration(max(milliseconds, 1) * float64(time.Millisecond))
	t := &timer{due: time.Now().Add(after), callback: callback}
	if repeat {
		t.interval = after
	}
	l.nextID++
	l.timers[l.nextID] = t
	return l.nextID
}

// run ends when nothing is left that could ever call back.
func (l *loop) run() {
	for l.keepAlive || len(l.timers) > 0 || len(l.jobs) > 0 {
		id, next := l.nextTimer()
		if next == nil {
			(<-l.jobs)()
			continue
		}
		select {
		case job := <-l.jobs:
			job()
		case <-time.After(time.Until(next.due)):
			l.fire(id, next)
		}
	}
}

func (l *loop) nextTimer() (int64, *timer) {
	var id int64
	var next *timer
	for candidate, t := range l.timers {
		if next == nil || t.due.Before(next.due) {
			id, next = candidate, t
		}
	}
	return id, next
}

func (l *loop) fire(id int64, t *timer) {
	if t.interval > 0 {
		t.due = time.Now().Add(t.interval)
	} else {
		delete(l.timers, id)
	}
	_, err := t.callback(goja.Undefined())
	l.check(err)
}

// check ends the program on an uncaught exception, as Node.js does.
func (l *loop) check(err error) {
	if err == nil {
		return
	}
	var thrown *goja.Exception
	if errors.As(err, &thrown) {
		fail("Uncaught " + thrown.String())
	}
	fail(err.Error())
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
