//! A small web service as a component of the `wasi:http` world, for `jco serve`: the host opens the socket, and calls
//! `handle` for each request.
//!
//! Build: cargo build --release --target wasm32-wasip2 && cp target/wasm32-wasip2/release/http_component.wasm app.wasm

use std::env;

use wasi::exports::http::incoming_handler::Guest;
use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::{InputStream, OutputStream, StreamError};

struct Service;

impl Guest for Service {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        match (request.method(), path.as_str()) {
            (Method::Get, "/") => answer(outparam, 200, "text/html; charset=utf-8", &render_page()),
            (Method::Post, "/echo") => echo(request, outparam),
            _ => answer(outparam, 404, "text/plain; charset=utf-8", "nothing here\n"),
        }
    }
}

fn render_page() -> String {
    let url = env::var("EXPOSE_URL").unwrap_or_default();
    format!("<!doctype html><title>Component</title><h1>Hello from a component</h1><p>{url}</p>\n")
}

fn answer(outparam: ResponseOutparam, status: u16, media_type: &str, text: &str) {
    let (body, stream) = begin(outparam, status, media_type);
    // A visitor may leave before the end.
    let _ = write_all(&stream, text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Sends the request's body back, piece by piece.
fn echo(request: IncomingRequest, outparam: ResponseOutparam) {
    let (body, stream) = begin(outparam, 200, "application/octet-stream");
    if let Ok(incoming) = request.consume() {
        if let Ok(input) = incoming.stream() {
            let _ = copy(&input, &stream);
        }
        IncomingBody::finish(incoming);
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn begin(outparam: ResponseOutparam, status: u16, media_type: &str) -> (OutgoingBody, OutputStream) {
    let headers = Fields::new();
    let _ = headers.set("content-type", &[media_type.as_bytes().to_vec()]);
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(status);
    let body = response.body().expect("a response has one body");
    ResponseOutparam::set(outparam, Ok(response));
    let stream = body.write().expect("a body has one stream");
    (body, stream)
}

fn copy(input: &InputStream, output: &OutputStream) -> Result<(), StreamError> {
    loop {
        match input.blocking_read(65_536) {
            Ok(chunk) => write_all(output, &chunk)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// WASI takes at most 4,096 bytes at a time.
fn write_all(output: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    for piece in bytes.chunks(4_096) {
        output.blocking_write_and_flush(piece)?;
    }
    Ok(())
}

wasi::http::proxy::export!(Service);
