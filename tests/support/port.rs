//! Ports that nothing listens on yet, and that no other process is assigned.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;

/// A port of the loopback interface. As long as this lives, connections to it are refused, and the
/// system assigns it to nobody else. A program that is given the port can still listen on it: the
/// socket sets `SO_REUSEADDR`.
#[derive(Debug)]
pub struct Reserved {
    socket: TcpSocket,
    pub address: SocketAddr,
}

impl Reserved {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    /// Listens at the port from now on.
    pub fn listen(self) -> TcpListener {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _entered = runtime.enter();
        let listener = self.socket.listen(128).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        listener
    }
}
