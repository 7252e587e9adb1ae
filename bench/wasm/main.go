//go:build js && wasm

// The web app of B16: about 8 MB, because it links packages that many apps use. Built by bench/rig/web-app.ts; its page
// waits for `mainRan`.
package main

import (
	"crypto/x509"
	"encoding/json"
	"html/template"
	"strings"
	"syscall/js"
)

type item struct {
	Name string `json:"name"`
}

// A page could call it, so it is linked.
func render(_ js.Value, arguments []js.Value) any {
	var found item
	text := arguments[0].String()
	if json.Unmarshal([]byte(text), &found) != nil {
		_, err := x509.ParseCertificate([]byte(text))
		return err.Error()
	}
	page, out := template.Must(template.New("page").Parse("<p>{{.Name}}</p>")), strings.Builder{}
	_ = page.Execute(&out, found)
	return out.String()
}

func main() {
	js.Global().Set("render", js.FuncOf(render))
	js.Global().Call("mainRan")
	select {}
}
