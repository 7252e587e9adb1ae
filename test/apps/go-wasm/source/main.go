// A page's code in Go, loaded by Go's own wasm_exec.js.
package main

import (
	"fmt"
	"strconv"
	"syscall/js"
)

func main() {
	document := js.Global().Get("document")
	result := document.Call("querySelector", "#result")
	button := document.Call("querySelector", "#count")
	button.Call("addEventListener", "click", js.FuncOf(func(js.Value, []js.Value) any {
		count, _ := strconv.Atoi(button.Get("textContent").String())
		button.Set("textContent", count+1)
		return nil
	}))
	sum := 0
	for number := 1; number <= 100; number++ {
		sum += number
	}
	result.Set("textContent", fmt.Sprintf("Go says %d", sum))
	select {}
}
