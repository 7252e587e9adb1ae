//! A web server for `wasmrun exec`: the standard library's TCP, on the socket that WASMHUB_LISTEN_FD names.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;

const FORM: &str =
    "<h1>first words</h1><form method=post action=/said><input name=word><button>Say</button></form>";

fn main() {
    let listener = std::env::var("WASMHUB_LISTEN_FD").expect("WASMHUB_LISTEN_FD is set");
    // SAFETY: wasmrun opened this descriptor for this program, and nothing else uses it.
    let listener = unsafe { TcpListener::from_raw_fd(listener.parse().expect("it is a number")) };
    while let Ok((connection, _)) = listener.accept() {
        if let Err(error) = serve(connection) {
            eprintln!("a connection was lost: {error}");
        }
    }
}

fn serve(mut connection: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(&connection);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && reader.read_until(b'\n', &mut head)? > 0 {}
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let content = match String::from_utf8_lossy(&body).strip_prefix("word=") {
        Some(word) => format!("<p id=said>{word}</p>"),
        None => FORM.to_owned(),
    };
    let page = format!("<!doctype html><title>Rust</title><link rel=icon href='data:,'>{content}");
    let length = page.len();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    )
}
