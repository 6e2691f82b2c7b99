//! A receiver on the loopback interface that does as it is told, however bad that is.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

/// What becomes of one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// These bytes; the connection stays open.
    Say(Vec<u8>),
    /// These bytes, and the connection is closed.
    SayAndClose(Vec<u8>),
    /// These bytes, one each time that so much time has passed.
    Drip(Vec<u8>, Duration),
    /// These bytes after the head of the request, whose body nobody reads; the connection is closed.
    Early(Vec<u8>),
    /// The connection is reset: it is closed before the request was read.
    Reset,
}

/// An answer with a length, as a well-behaved receiver writes it.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        answer += &format!("{name}: {value}\r\n");
    }
    [answer.as_bytes(), b"\r\n", body].concat()
}

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The number of the connection that it came over.
    pub(crate) connection: usize,
}

impl Received {
    /// The value of a header, which is there at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    script: Mutex<VecDeque<Act>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    is_over: AtomicBool,
}

/// Wraps a connection, as TLS does. It fails where the client is not welcome.
pub(crate) type Wrap = Box<dyn Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send>;

pub(crate) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

impl Server {
    pub(crate) fn start(script: impl IntoIterator<Item = Act>) -> Self {
        Self::wrapped(script, Box::new(|stream| Ok(Box::new(stream))))
    }

    pub(crate) fn wrapped(script: impl IntoIterator<Item = Act>, wrap: Wrap) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let theirs = shared.clone();
        let accepting = thread::spawn(move || {
            // No case makes as many connections.
            for stream in listener.incoming().take(100) {
                let Ok(stream) = stream else { return };
                if theirs.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = theirs.clone();
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                // No case is silent for so long, so that no thread outlives its test by more.
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                if shared.next_is_reset() {
                    // Closed with a byte that nobody read, and that is what the system resets for.
                    let _ = stream.peek(&mut [0]);
                    continue;
                }
                match wrap(stream) {
                    Ok(stream) => drop(thread::spawn(move || shared.serve(stream, number))),
                    Err(_) => continue,
                }
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/logs", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn next_is_reset(&self) -> bool {
        let mut script = self.script.lock().unwrap();
        let is_reset = matches!(script.front(), Some(Act::Reset));
        if is_reset {
            script.pop_front();
        }
        is_reset
    }

    fn serve(&self, stream: Box<dyn Stream>, connection: usize) {
        let mut stream = BufReader::new(stream);
        // No case has as many requests on a connection.
        for _ in 0..100 {
            let Ok(Some(mut request)) = head(&mut stream, connection) else { return };
            if let Some(Act::Early(_)) = self.script.lock().unwrap().front() {
                self.received.lock().unwrap().push(request);
            } else {
                let len = request.header("content-length").map_or(0, |len| len.parse().unwrap());
                request.body = vec![0; len];
                if request.header("expect").is_some() && stream.get_mut().write_all(CONTINUE).is_err() {
                    return;
                }
                if stream.read_exact(&mut request.body).is_err() {
                    return;
                }
                self.received.lock().unwrap().push(request);
            }
            let Some(act) = self.script.lock().unwrap().pop_front() else { return };
            if self.act(stream.get_mut(), act).is_err() {
                return;
            }
        }
    }

    /// The error says that the connection is over.
    fn act(&self, stream: &mut dyn Stream, act: Act) -> io::Result<()> {
        match act {
            Act::Say(bytes) => stream.write_all(&bytes)?,
            Act::SayAndClose(bytes) | Act::Early(bytes) => {
                stream.write_all(&bytes)?;
                return Err(io::ErrorKind::Other.into());
            }
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    if self.is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    stream.write_all(&[byte])?;
                    stream.flush()?;
                    thread::sleep(pause);
                }
            }
            Act::Reset => unreachable!("a reset is for the beginning of a connection"),
        }
        stream.flush()
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request without its body, or `None` where there are no more.
fn head(stream: &mut BufReader<Box<dyn Stream>>, connection: usize) -> io::Result<Option<Received>> {
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
    Ok(Some(Received { line: line.trim_end().to_owned(), headers, body: Vec::new(), connection }))
}
