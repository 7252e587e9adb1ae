//! A small web server for `wasmrun exec --tcplisten`. It gets its listening socket as a file descriptor, and sees only
//! the files, environment and arguments that wasmrun gives it.
//!
//! Build: cargo build --release --target wasm32-wasip1 && cp target/wasm32-wasip1/release/exec-hello.wasm .

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;
use std::{env, fs, process};

/// The rest of a larger body is not read, because the program's memory is small.
const MAX_BODY: usize = 1 << 20;

struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

fn main() {
    let Some(fd) = env::var("WASMHUB_LISTEN_FD").ok().and_then(|fd| fd.parse().ok()) else {
        eprintln!("no socket was handed in: start me with wasmrun exec --tcplisten 127.0.0.1:3000");
        process::exit(2);
    };
    // SAFETY: wasmrun opened this descriptor for this program, and nothing else uses it.
    let listener = unsafe { TcpListener::from_raw_fd(fd) };
    println!("exec-hello is listening");
    let mut served = 0;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                served += 1;
                if let Err(error) = serve(stream, served) {
                    eprintln!("a connection was lost: {error}");
                }
            }
            Err(error) => {
                eprintln!("cannot accept: {error}");
                process::exit(1);
            }
        }
    }
}

fn serve(mut stream: TcpStream, served: u32) -> std::io::Result<()> {
    let Some(request) = read_request(&stream)? else { return Ok(()) };
    println!("{} {}", request.method, request.path);
    let route = request.path.split('?').next().unwrap_or("/");
    match (request.method.as_str(), route) {
        ("GET" | "HEAD", "/") => answer(&mut stream, 200, "text/html; charset=utf-8", render_page(served).as_bytes()),
        ("GET", "/environment") => answer(&mut stream, 200, "text/plain; charset=utf-8", list_environment().as_bytes()),
        ("GET", "/files") => answer(&mut stream, 200, "text/plain; charset=utf-8", list_files()?.as_bytes()),
        ("POST", "/greeting") => {
            // This changes only the preview's copy of the folder, not the checkout.
            fs::write("/greeting.txt", &request.body)?;
            answer(&mut stream, 200, "text/plain; charset=utf-8", b"written\n")
        }
        ("POST", "/echo") => answer(&mut stream, 200, "application/octet-stream", &request.body),
        ("POST", "/crash") => process::exit(3),
        _ => answer(&mut stream, 404, "text/plain; charset=utf-8", b"nothing here\n"),
    }
}

/// None if the client closed the connection without a request.
fn read_request(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
    }
    let mut body = vec![0; usize::min(length, MAX_BODY)];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, body }))
}

fn answer(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> std::io::Result<()> {
    let mut bytes = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        if status == 200 { "OK" } else { "Not Found" },
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)
}

fn list_environment() -> String {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut text = format!("arguments: {arguments:?}\n");
    let mut variables: Vec<(String, String)> = env::vars().collect();
    variables.sort();
    for (name, value) in variables {
        text.push_str(&format!("{name}={value}\n"));
    }
    text
}

fn list_files() -> std::io::Result<String> {
    let mut names = fs::read_dir("/")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned() + "\n"))
        .collect::<std::io::Result<Vec<String>>>()?;
    names.sort();
    Ok(names.concat())
}

fn render_page(served: u32) -> String {
    let greeting = fs::read_to_string("/greeting.txt").unwrap_or_else(|_| "Hello!".to_owned());
    include_str!("page.html")
        .replace("{greeting}", &escape(greeting.trim()))
        .replace("{served}", &served.to_string())
        .replace("{primes}", &count_primes(100_000).to_string())
        .replace("{url}", &escape(&env::var("EXPOSE_URL").unwrap_or_else(|_| "this address".to_owned())))
}

fn count_primes(limit: usize) -> usize {
    let mut composite = vec![false; limit + 1];
    (2..=limit)
        .filter(|&number| {
            if !composite[number] {
                (number * number..=limit).step_by(number).for_each(|multiple| composite[multiple] = true);
            }
            !composite[number]
        })
        .count()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
