//! Requests and answers over one shell.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::TransportError;
use super::channel::Channel;
use super::frame::{Frame, FrameReader};

/// A shell that answers requests.
#[derive(Debug)]
pub(super) struct Wire {
    channel: Channel,
    frames: FrameReader,
    secret: String,
    requests: u64,
    ended: bool,
}

/// An answer frame: index, status and body.
pub(super) type RawAnswer = (usize, i32, Vec<u8>);

/// Where progress of a request goes.
pub(super) type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Most progress that a request tells; what comes after is dropped. A step that waits an hour for
/// another program tells less.
const MAX_PROGRESS: usize = 1000;
/// Longest progress, in characters; the rest is cut off.
const PROGRESS_LENGTH: usize = 500;
/// Words on standard error travel apart from the end of the output.
const LAST_WORDS: Duration = Duration::from_millis(50);

impl Wire {
    pub(super) fn new(channel: Channel) -> Self {
        let secret = uuid::Uuid::now_v7().simple().to_string();
        Self {
            channel,
            frames: FrameReader::default(),
            secret,
            requests: 0,
            ended: false,
        }
    }

    /// Sends a request made for a fresh nonce and reads to its end frame. It has `questions`
    /// answers at most, numbered from 0.
    ///
    /// # Errors
    /// `Lost` when no end frame comes in time: then the outcome is unknown.
    pub(super) async fn request(
        &mut self,
        limit: Duration,
        questions: usize,
        progress: Progress<'_>,
        make: impl FnOnce(&str) -> String,
    ) -> Result<Vec<RawAnswer>, TransportError> {
        self.requests += 1;
        let nonce = format!("{}.{}", self.secret, self.requests);
        let text = make(&nonce);
        self.frames.expect(&nonce);
        let answers = Answers::new(questions, progress);
        let asked = tokio::time::Instant::now();
        let exchanged = tokio::time::timeout(limit, self.exchange(&text, answers)).await;
        let (request, millis) = (self.requests, asked.elapsed().as_millis());
        tracing::debug!(request, bytes = text.len(), questions, millis, "request");
        match exchanged {
            Ok(Ok(Some(answers))) => Ok(answers),
            Ok(Ok(None)) => {
                self.ended = true;
                Err(TransportError::Lost {
                    message: "the connection ended before the answer".to_owned(),
                })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(TransportError::Lost {
                message: format!("no answer within {} s", limit.as_secs()),
            }),
        }
    }

    /// The answers; `None` when the output ended before the end frame.
    async fn exchange(
        &mut self,
        text: &str,
        answers: Answers<'_>,
    ) -> Result<Option<Vec<RawAnswer>>, TransportError> {
        let Self {
            channel, frames, ..
        } = self;
        let Channel { stdin, stdout, .. } = channel;
        // Reading starts before writing ends, or both sides could wait for the other for ever.
        let write = async {
            let result = async {
                stdin.write_all(text.as_bytes()).await?;
                stdin.flush().await
            };
            // A broken pipe also ends the reading side, which says more.
            let _ = result.await;
        };
        let (answers, ()) = tokio::join!(read_answers(stdout, frames, answers), write);
        answers
    }

    /// Whether the shell's output ended: the shell did, or the connection.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What the shell said on standard error.
    pub(super) async fn complaints(&mut self) -> String {
        tokio::time::sleep(LAST_WORDS).await;
        self.channel.stderr.text()
    }

    /// What the shell said last, on standard error or beside its answers.
    pub(super) async fn last_words(&mut self) -> String {
        let complaints = self.complaints().await;
        [complaints, self.frames.beside()]
            .iter()
            .map(|text| super::fault::last_line(text))
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is a function for map_err"
)]
fn garbled(error: super::frame::FrameError) -> TransportError {
    TransportError::Garbled {
        message: error.to_string(),
    }
}

/// The answers to a request so far. Only what was asked is taken, and that once: what a host sends
/// is kept, so it must not choose how much that is.
struct Answers<'a> {
    questions: usize,
    taken: Vec<RawAnswer>,
    seen: BTreeSet<usize>,
    progress: Progress<'a>,
    told: usize,
}

impl<'a> Answers<'a> {
    fn new(questions: usize, progress: Progress<'a>) -> Self {
        Self {
            questions,
            taken: Vec::new(),
            seen: BTreeSet::new(),
            progress,
            told: 0,
        }
    }

    /// Takes a frame; whether it was the last.
    fn take(&mut self, frame: Frame) -> Result<bool, TransportError> {
        match frame {
            Frame::Answer {
                index,
                status,
                body,
            } => {
                if index >= self.questions || !self.seen.insert(index) {
                    return Err(TransportError::Garbled {
                        message: "the host answers what was not asked".to_owned(),
                    });
                }
                self.taken.push((index, status, body));
            }
            Frame::Progress(text) if self.told < MAX_PROGRESS => {
                self.told += 1;
                match text.char_indices().nth(PROGRESS_LENGTH) {
                    Some((end, _)) => (self.progress)(&text[..end]),
                    None => (self.progress)(&text),
                }
            }
            Frame::Progress(_) => {}
            Frame::End => return Ok(true),
        }
        Ok(false)
    }
}

async fn read_answers(
    stdout: &mut (dyn tokio::io::AsyncRead + Send + Unpin),
    frames: &mut FrameReader,
    mut answers: Answers<'_>,
) -> Result<Option<Vec<RawAnswer>>, TransportError> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        while let Some(frame) = frames.next().map_err(garbled)? {
            if answers.take(frame)? {
                return Ok(Some(answers.taken));
            }
        }
        match stdout.read(&mut buffer).await {
            Ok(0) => return Ok(None),
            Ok(count) => frames.push(&buffer[..count]),
            Err(error) => {
                return Err(TransportError::Lost {
                    message: format!("the connection broke: {error}"),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    async fn read(
        questions: usize,
        text: &str,
    ) -> (Result<Option<Vec<RawAnswer>>, TransportError>, Vec<String>) {
        let told = Mutex::new(Vec::new());
        let progress = |text: &str| told.lock().unwrap().push(text.to_owned());
        let mut frames = FrameReader::default();
        frames.expect("n.1");
        let mut stream = text.as_bytes();
        let read = read_answers(&mut stream, &mut frames, Answers::new(questions, &progress)).await;
        (read, told.into_inner().unwrap())
    }

    #[tokio::test]
    async fn only_what_was_asked_is_taken_and_that_once() {
        let answers = "n.1 a 1 0 1\nb\nn.1 a 0 3 1\na\nn.1 e 0 0 0\n\n";
        let whole = vec![(1, 0, b"b".to_vec()), (0, 3, b"a".to_vec())];
        assert_eq!(read(2, answers).await.0, Ok(Some(whole)));
        let refused = Err(TransportError::Garbled {
            message: "the host answers what was not asked".to_owned(),
        });
        assert_eq!(read(1, answers).await.0, refused);
        let twice = "n.1 a 0 0 1\na\n".repeat(2);
        assert_eq!(read(2, &twice).await.0, refused);
        assert_eq!(read(2, "n.1 a 0 0 1\na\n").await.0, Ok(None));
    }

    #[tokio::test]
    async fn a_host_cannot_flood_us_with_progress() {
        let long = "é".repeat(PROGRESS_LENGTH + 1);
        let frame = format!("n.1 p 0 0 {}\n{long}\n", long.len());
        let text = format!("{}n.1 e 0 0 0\n\n", frame.repeat(MAX_PROGRESS + 1));
        let (read, told) = read(0, &text).await;
        assert_eq!(read, Ok(Some(Vec::new())));
        assert_eq!(told.len(), MAX_PROGRESS);
        assert!(told.iter().all(|one| one == &long[2..]));
    }
}
