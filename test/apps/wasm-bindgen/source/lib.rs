//! A page's code in Rust, for wasm-bindgen's `--target web`.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
pub fn greet(name: &str) -> String {
    format!("Rust greets {name}")
}

#[wasm_bindgen]
pub fn next(count: u32) -> u32 {
    count + 1
}
