//! An HTTP receiver on the loopback interface that behaves as a test wants, well or badly.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a receiver does with one request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends these bytes; the connection stays open.
    Send(Vec<u8>),
    /// Sends these bytes and closes the connection.
    SendAndClose(Vec<u8>),
    /// Sends these bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Sends these bytes after the head of the request, without reading its body, and closes the
    /// connection.
    Early(Vec<u8>),
    /// Closes the connection before the body is read, for which the system resets it. The request
    /// is not kept.
    Reset,
    /// Keeps the connection open and sends nothing.
    Silence,
    /// Waits before it reads the body, and then does that.
    Later(Duration, Box<Act>),
}

/// A response with a length, as a well-behaved receiver writes it.
pub fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

pub fn ok() -> Act {
    Act::Send(response(200, &[], b""))
}

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The number of the connection that it came over.
    pub connection: usize,
    /// The number that its act was asked for with.
    pub number: usize,
}

impl Request {
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    /// The value of a header, which is there at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }
}

/// Receives until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What to do with the request of this number. `None` closes its connection.
type Acts = Box<dyn FnMut(usize) -> Option<Act> + Send>;

/// Wraps a connection, as TLS does. It fails where the client is not accepted.
pub type Wrap = Box<dyn Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send>;

pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

struct Shared {
    acts: Mutex<(usize, Acts)>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    is_over: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl Receiver {
    /// Answers every request with 200.
    pub fn start() -> Self {
        Self::acting(|_| ok())
    }

    /// Does with each request what `acts` returns for its number.
    pub fn acting(acts: impl Fn(usize) -> Act + Send + 'static) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap(), move |number| Some(acts(number)))
    }

    /// Does one thing of `script` with each request. After the last it closes connections.
    pub fn scripted(script: impl IntoIterator<Item = Act>) -> Self {
        Self::wrapped(script, Box::new(|stream| Ok(Box::new(stream))))
    }

    /// The same with connections in `wrap`.
    pub fn wrapped(script: impl IntoIterator<Item = Act>, wrap: Wrap) -> Self {
        let mut script: VecDeque<_> = script.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::new(listener, Box::new(move |_| script.pop_front()), wrap)
    }

    pub fn at(listener: TcpListener, acts: impl FnMut(usize) -> Option<Act> + Send + 'static) -> Self {
        Self::new(listener, Box::new(acts), Box::new(|stream| Ok(Box::new(stream))))
    }

    fn new(listener: TcpListener, acts: Acts, wrap: Wrap) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            acts: Mutex::new((0, acts)),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let accepted = shared.clone();
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if accepted.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = accepted.clone();
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                // Longer than any test is silent; no thread outlives its test by more.
                stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                if let Ok(stream) = wrap(stream) {
                    thread::spawn(move || shared.serve(stream, number));
                }
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The requests since the last call, which are kept no longer.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    /// Serves a connection until it ends, with or without an error.
    fn serve(&self, stream: Box<dyn Stream>, connection: usize) -> io::Result<()> {
        // A minimal buffer, so that the body stays unread if the connection is to be reset.
        let mut stream = BufReader::with_capacity(1, stream);
        while let Some(mut request) = head(&mut stream, connection)? {
            let (number, mut act) = self.next_act();
            request.number = number;
            while let Some(Act::Later(pause, then)) = act {
                thread::sleep(pause);
                act = Some(*then);
            }
            match &act {
                Some(Act::Reset) => {
                    // The first byte has arrived; the others have too, or will, and are never read.
                    stream.fill_buf()?;
                    return Ok(());
                }
                Some(Act::Early(_)) => {}
                _ => {
                    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
                    request.body = vec![0; length];
                    if request.header("expect").is_some() {
                        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                    }
                    stream.read_exact(&mut request.body)?;
                }
            }
            self.requests.lock().unwrap().push(request);
            let stream = stream.get_mut();
            match act {
                Some(Act::Send(bytes)) => stream.write_all(&bytes)?,
                Some(Act::SendAndClose(bytes) | Act::Early(bytes)) => {
                    stream.write_all(&bytes)?;
                    return stream.flush();
                }
                Some(Act::Drip(bytes, pause)) => {
                    for byte in bytes {
                        if self.is_over.load(Ordering::SeqCst) {
                            break;
                        }
                        stream.write_all(&[byte])?;
                        stream.flush()?;
                        thread::sleep(pause);
                    }
                }
                Some(Act::Silence) => {
                    while !self.is_over.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(5));
                    }
                }
                Some(Act::Reset | Act::Later(..)) | None => return Ok(()),
            }
            stream.flush()?;
        }
        Ok(())
    }

    fn next_act(&self) -> (usize, Option<Act>) {
        let (next, acts) = &mut *self.acts.lock().unwrap();
        let number = *next;
        *next += 1;
        (number, acts(number))
    }
}

/// A request without its body, or `None` at the end of the connection.
fn head(stream: &mut impl BufRead, connection: usize) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Request { line: line.trim_end().to_owned(), headers, body: Vec::new(), connection, number: 0 }))
}
