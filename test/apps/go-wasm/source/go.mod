module expose.test/go-wasm

go 1.24
