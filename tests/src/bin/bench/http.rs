//! A lean HTTP/1.1 client: bytes made beforehand go out, a status comes back. It has to cost little beside what it measures.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// More than any answer to a webhook has.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// A connection that is kept open from request to request.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(MAX_ANSWER_BYTES),
        })
    }

    /// Sends a whole request, and reads the whole answer; gives its status.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = Answer::parse(&self.buffer)? {
                // There is one request at a time, so nothing can follow its answer.
                if self.buffer.len() >= answer.length {
                    return Ok(answer.status);
                }
            }
            if self.buffer.len() >= MAX_ANSWER_BYTES {
                return Err(Error::new(ErrorKind::InvalidData, "the answer is too long"));
            }
        }
    }
}

/// What is looked at in an answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Headers and body, in bytes.
    length: usize,
}

impl Answer {
    /// `None` while the headers are not complete.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = bytes.windows(END.len()).position(|window| window == END) else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end])
            .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
            .ok_or_else(|| Error::new(ErrorKind::InvalidData, "no status line"))?;
        let body: usize = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse().ok())
            .ok_or_else(|| Error::new(ErrorKind::InvalidData, "no content-length"))?;
        Ok(Some(Self {
            status,
            length: end + END.len() + body,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_body() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nContent-Length: 11\r\n\r\ncome again\n";

        assert_eq!(
            Answer::parse(answer).unwrap(),
            Some(Answer {
                status: 503,
                length: answer.len()
            })
        );
        assert_eq!(Answer::parse(&answer[..60]).unwrap(), None);
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\nserver: none\r\n\r\n").is_err());
        assert!(Answer::parse(b"nonsense\r\n\r\n").is_err());
    }
}
