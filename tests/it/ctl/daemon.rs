//! A daemon that says what it was told to say, over a real socket, and remembers what it was asked.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// Answers by `METHOD /target`, or `TRY METHOD /target` of what is only tried: each is used once,
/// the last one for good.
#[derive(Clone, Debug, Default)]
pub struct Script(BTreeMap<String, Vec<(u16, String)>>);

impl Script {
    pub fn on(self, request: &str, answer: &impl Serialize) -> Self {
        self.answer(request, 200, serde_json::to_string(answer).unwrap())
    }

    pub fn refuse(self, request: &str, status: u16, code: &str, message: &str, hint: &str) -> Self {
        let error = serde_json::json!({"code": code, "message": message, "hint": hint});
        self.answer(request, status, serde_json::json!({"error": error}).to_string())
    }

    /// A stream of events named `changes` that ends after the last.
    pub fn stream(self, request: &str, events: &[impl Serialize]) -> Self {
        let mut body = String::from(": hello\n\n");
        for event in events {
            let data = serde_json::to_string(event).unwrap();
            body.push_str(&format!("event: changes\ndata: {data}\n\n"));
        }
        self.answer(request, 200, body)
    }

    /// The connection ends without an answer.
    pub fn hang_up(self, request: &str) -> Self {
        self.answer(request, 0, String::new())
    }

    fn answer(mut self, request: &str, status: u16, body: String) -> Self {
        self.0.entry(request.into()).or_default().push((status, body));
        self
    }
}

pub struct Daemon {
    dir: TempDir,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    pub fn start(mut script: Script) -> Self {
        let asked = Arc::default();
        let log: Arc<Mutex<Vec<(String, Value)>>> = Arc::clone(&asked);
        Self::serve(asked, move |stream| {
            let (request, body) = read(&stream);
            let reply = script.0.get_mut(&request).map(|replies| match replies.len() {
                1 => replies[0].clone(),
                _ => replies.remove(0),
            });
            // Whoever only tries gets what the real thing would get first.
            let real = request.strip_prefix("TRY ").and_then(|request| script.0.get(request));
            let reply = reply.or_else(|| real.and_then(|replies| replies.first().cloned()));
            let (status, text) = reply.unwrap_or_else(|| (418, format!("unscripted: {request}")));
            log.lock().unwrap().push((request, body));
            if status != 0 {
                write(stream, status, &text);
            }
        })
    }

    /// Something else that listens: it reads a line, says its own and hangs up.
    pub fn stranger(greeting: &'static str) -> Self {
        Self::serve(Arc::default(), move |mut stream| {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let _ = stream.write_all(greeting.as_bytes());
        })
    }

    fn serve(
        asked: Arc<Mutex<Vec<(String, Value)>>>,
        mut each: impl FnMut(UnixStream) + Send + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("heptad.sock")).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                each(stream);
            }
        });
        Self { dir, asked, stop, thread: Some(thread) }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("heptad.sock")
    }

    /// What was asked for, with the bodies, in order.
    pub fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(self.socket());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(stream: &UnixStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request = first.trim().trim_end_matches(" HTTP/1.1");
    let tried = ["?dry_run=true", "&dry_run=true"].into_iter();
    let tried = tried.filter_map(|end| request.strip_suffix(end)).next();
    let request = tried.map_or(request.to_owned(), |request| format!("TRY {request}"));
    (request, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn write(mut stream: UnixStream, status: u16, body: &str) {
    let head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\n\r\n");
    // The client may have had enough.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
