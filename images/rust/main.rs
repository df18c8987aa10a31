//! Serves what a Rust program takes from the image around it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::process::Command;

fn answer(line: &mut TcpStream) -> std::io::Result<()> {
    let mut request = [0; 2048];
    let size = line.read(&mut request)?;
    let text = String::from_utf8_lossy(&request[..size]).into_owned();
    let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
    let body = match path.as_str() {
        "/host" => format!("{:?}", ("localhost", 80).to_socket_addrs().map(|found| found.count() > 0)),
        "/shell" => {
            let out = Command::new("sh").args(["-c", "echo $((6 * 7))"]).output();
            out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned())
                .unwrap_or_else(|error| error.to_string())
        }
        "/panic" => {
            let caught = std::panic::catch_unwind(|| path.parse::<u32>().expect("a number"));
            format!("caught: {}", caught.is_err())
        }
        "/thread" => {
            let thread = std::thread::spawn(|| vec![1u64; 1000].iter().sum::<u64>());
            format!("{}", thread.join().unwrap_or(0))
        }
        _ => "ready".to_owned(),
    };
    write!(
        line,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn main() -> std::io::Result<()> {
    let door = TcpListener::bind("0.0.0.0:8080")?;
    for line in door.incoming() {
        if let Err(error) = line.and_then(|mut line| answer(&mut line)) {
            eprintln!("{error}");
        }
    }
    Ok(())
}
