module github.com/wasmrun/expose-action/bench

go 1.22
