// Caddy with providers for the DNS challenge, under the names and with the settings of the modules that
// self-host/caddy/certificate names: those cannot be had from every Go module proxy, and the tests must run everywhere.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() {
	caddycmd.Main()
}
