//! Frames: how answers come back over a stream that anybody on the host may print to.
//!
//! A frame is one header line and a body of exactly the stated length:
//!
//! ```text
//! NONCE KIND INDEX STATUS LENGTH\n
//! <LENGTH bytes>\n
//! ```
//!
//! KIND is `a` (answer), `p` (progress) or `e` (end). What stands between frames (login banners, a
//! `.bashrc` that prints) is skipped; what stands inside one makes the length wrong and is an error.
//! The nonce is fresh for each request, so that nothing printed earlier can be taken for a frame.

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// The answer to a question.
    Answer {
        /// Which question.
        index: usize,
        /// The exit status.
        status: i32,
        /// What was printed.
        body: Vec<u8>,
    },
    /// Something to tell meanwhile.
    Progress(String),
    /// Nothing more comes.
    End,
}

/// A stream that is no sequence of frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// Something else was printed inside a frame.
    #[error("the host's answer is garbled: something printed into it")]
    Garbled,
    /// A body, or all of them together, are larger than anything we ask for.
    #[error("the host's answer is too long ({0} bytes)")]
    TooLong(usize),
    /// The noise between frames never ends.
    #[error("the host prints without end")]
    Noise,
}

/// Longest body: a file of 1 MiB in base64 fits many times.
const MAX_BODY: usize = 64 << 20;
/// Most that one request is answered with, headers included: a host that repeats itself ends here.
const MAX_TOTAL: usize = 96 << 20;
/// How much of the noise is kept: what a shell that ended at once had to say.
const KEPT_NOISE: usize = 2048;
/// The buffer of a connection at rest; a large answer must not be kept for the whole run.
const AT_REST: usize = 64 << 10;
/// Most noise that is skipped.
const MAX_NOISE: usize = 4 << 20;

/// Finds frames in what arrives.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    nonce: String,
    buffer: Vec<u8>,
    noise: usize,
    skipped: Vec<u8>,
    taken: usize,
}

impl FrameReader {
    /// Waits for frames of a new request.
    pub(super) fn expect(&mut self, nonce: &str) {
        nonce.clone_into(&mut self.nonce);
        self.noise = 0;
        self.taken = 0;
        self.buffer.shrink_to(AT_REST);
    }

    /// The end of what was printed beside frames.
    pub(super) fn beside(&self) -> String {
        let mut text = self.skipped.clone();
        text.extend_from_slice(&self.buffer);
        let from = text.len().saturating_sub(KEPT_NOISE);
        String::from_utf8_lossy(&text[from..]).into_owned()
    }

    /// Takes in what arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, when it is whole.
    ///
    /// # Errors
    /// When the stream cannot be trusted any more.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let Some(header) = self.header(end)? else {
                self.skip(end + 1)?;
                continue;
            };
            let body = end + 1..end + 1 + header.length;
            if self.buffer.len() <= body.end {
                return Ok(None);
            }
            if self.buffer[body.end] != b'\n' {
                return Err(FrameError::Garbled);
            }
            let content = self.buffer[body.clone()].to_vec();
            self.buffer.drain(..=body.end);
            self.taken += body.end + 1;
            return Ok(Some(header.into_frame(content)));
        }
        if self.buffer.len() > MAX_NOISE {
            Err(FrameError::Noise)
        } else {
            Ok(None)
        }
    }

    fn skip(&mut self, bytes: usize) -> Result<(), FrameError> {
        self.skipped.extend(self.buffer.drain(..bytes));
        let surplus = self.skipped.len().saturating_sub(KEPT_NOISE);
        self.skipped.drain(..surplus);
        self.noise += bytes;
        if self.noise > MAX_NOISE {
            Err(FrameError::Noise)
        } else {
            Ok(())
        }
    }

    fn header(&self, end: usize) -> Result<Option<Header>, FrameError> {
        // Noise without a line break at its end may stand before the nonce on the same line.
        let line = String::from_utf8_lossy(&self.buffer[..end]);
        if self.nonce.is_empty() {
            return Ok(None);
        }
        let Some(start) = line.find(&self.nonce) else {
            return Ok(None);
        };
        let mut words = line[start + self.nonce.len()..].split(' ').skip(1);
        let kind = words.next();
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
        let (Some(index), Some(status), Some(length)) = (number(), number(), number()) else {
            return Err(FrameError::Garbled);
        };
        let kind = match kind {
            Some("a") => Kind::Answer,
            Some("p") => Kind::Progress,
            Some("e") => Kind::End,
            Some(_) | None => return Err(FrameError::Garbled),
        };
        let length = usize::try_from(length).map_err(|_| FrameError::Garbled)?;
        let total = self.taken.saturating_add(length);
        if length > MAX_BODY || total > MAX_TOTAL {
            return Err(FrameError::TooLong(total));
        }
        let index = usize::try_from(index).map_err(|_| FrameError::Garbled)?;
        let status = i32::try_from(status).map_err(|_| FrameError::Garbled)?;
        Ok(Some(Header {
            kind,
            index,
            status,
            length,
        }))
    }
}

enum Kind {
    Answer,
    Progress,
    End,
}

struct Header {
    kind: Kind,
    index: usize,
    status: i32,
    length: usize,
}

impl Header {
    fn into_frame(self, body: Vec<u8>) -> Frame {
        match self.kind {
            Kind::Answer => Frame::Answer {
                index: self.index,
                status: self.status,
                body,
            },
            Kind::Progress => Frame::Progress(String::from_utf8_lossy(&body).into_owned()),
            Kind::End => Frame::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reader() -> FrameReader {
        let mut reader = FrameReader::default();
        reader.expect("n.1");
        reader
    }

    #[test]
    fn noise_before_and_between_frames_is_skipped() {
        let mut reader = reader();
        reader.push(b"welcome\nlast loginn.1 a 0 0 2\nok\nmore noise\nn.1 e 0 0 0\n\n");
        let answer = Frame::Answer {
            index: 0,
            status: 0,
            body: b"ok".to_vec(),
        };
        assert_eq!(reader.next().unwrap(), Some(answer));
        assert_eq!(reader.next().unwrap(), Some(Frame::End));
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn noise_inside_a_frame_is_an_error() {
        let mut reader = reader();
        reader.push(b"n.1 a 0 0 4\nnoisedata\n");
        assert_eq!(reader.next(), Err(FrameError::Garbled));
    }

    #[test]
    fn a_frame_of_an_earlier_request_is_noise() {
        let mut reader = reader();
        reader.push(b"n.0 a 0 0 2\nok\n");
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn a_host_that_repeats_itself_is_cut_off() {
        let mut frame = format!("n.1 a 0 0 {}\n", 8 << 20).into_bytes();
        frame.resize(frame.len() + (8 << 20), b'x');
        frame.push(b'\n');
        let mut reader = reader();
        let taken = (0..20).take_while(|_| {
            reader.push(&frame);
            matches!(reader.next(), Ok(Some(_)))
        });
        assert_eq!(taken.count(), 11);
        assert!(matches!(reader.next(), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn the_end_of_what_stands_beside_frames_is_kept() {
        let mut reader = reader();
        reader.push(&vec![b'\n'; 10_000]);
        reader.push(b"This account is\nnot available.");
        assert_eq!(reader.next().unwrap(), None);
        assert!(
            reader
                .beside()
                .ends_with("\nThis account is\nnot available.")
        );
        assert!(reader.beside().len() <= KEPT_NOISE);
    }

    proptest! {
        #[test]
        fn any_stream_is_read_without_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..12)) {
            let mut reader = reader();
            for chunk in chunks {
                reader.push(&chunk);
                while let Ok(Some(_)) = reader.next() {}
            }
        }

        #[test]
        fn any_stream_with_headers_is_read_without_panic(text in "(n\\.1 [ape] -?[0-9]{1,20} -?[0-9]{1,12} [0-9]{1,9}\n|[a-z\n]{0,9}){0,8}") {
            let mut reader = reader();
            reader.push(text.as_bytes());
            while let Ok(Some(_)) = reader.next() {}
        }

        #[test]
        fn what_is_framed_comes_back(body in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200, status in 0i32..256) {
            let mut bytes = format!("n.1 a 7 {status} {}\n", body.len()).into_bytes();
            bytes.extend(&body);
            bytes.push(b'\n');
            let mut reader = reader();
            let cut = cut.min(bytes.len());
            reader.push(&bytes[..cut]);
            let early = reader.next().unwrap();
            reader.push(&bytes[cut..]);
            let frame = early.map_or_else(|| reader.next().unwrap(), Some);
            prop_assert_eq!(frame, Some(Frame::Answer { index: 7, status, body }));
        }
    }
}
