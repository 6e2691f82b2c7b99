//! zstd: frames one after the other, decompressed block by block.

pub(super) mod messages;

use std::error::Error;
use std::io::{self, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::input::Input;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The largest window of a frame, which is in memory while the frame is read. It is the limit of the
/// command `zstd` without options.
const MAX_WINDOW: u64 = 128 << 20;

/// A block that says that it is the last one and is empty, and a checksum.
const END_OF_FRAME: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

/// Whether a frame of zstd starts here, perhaps one that is to be skipped.
pub(super) fn is_frame(ahead: &[u8]) -> bool {
    ahead.starts_with(&MAGIC) || matches!(ahead, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Decompresses all frames of its source.
///
/// If one is damaged or truncated, what was decoded of it can be read before the error.
pub(super) struct Frames<'a> {
    source: Input<'a>,
    decoder: FrameDecoder,
    is_over: bool,
    failure: Option<io::Error>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(source: Input<'a>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self { source, decoder, is_over: false, failure: None }
    }

    /// Starts the next frame, or decodes a block of this one.
    fn advance(&mut self) -> io::Result<()> {
        if !self.decoder.is_finished() {
            let decoded = self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1));
            return decoded.map(|_| ()).map_err(|error| self.failure_of(&error));
        }
        let checksum = self.decoder.get_checksum_from_data();
        if checksum.is_some() && checksum != self.decoder.get_calculated_checksum() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum of a zstd frame is wrong"));
        }
        if self.source.window().is_empty() {
            self.is_over = true;
            return self.source.failure().map_or(Ok(()), Err);
        }
        match self.decoder.reset(&mut self.source) {
            Ok(()) => Ok(()),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => match self.source.take_pieces(u64::from(length), |_| {}) {
                true => Ok(()),
                false => Err(self.source.failure().unwrap_or_else(truncated)),
            },
            Err(error) => Err(self.failure_of(&error)),
        }
    }

    /// Why the source cannot be decoded: it failed, it ended, or it is damaged.
    fn failure_of(&mut self, error: &FrameDecoderError) -> io::Error {
        match self.source.failure() {
            Some(failure) => failure,
            None if is_of_reading(error) => truncated(),
            None => io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a zstd frame cannot be decompressed: {error}"),
            ),
        }
    }
}

impl Read for Frames<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.decoder.read(out)? {
                0 if self.is_over => return self.failure.take().map_or(Ok(0), Err),
                0 => {
                    if let Err(failure) = self.advance() {
                        self.failure = Some(failure);
                        self.is_over = true;
                        // Until the end of a frame the decoder keeps a window of it back.
                        _ = self.decoder.decode_blocks(&END_OF_FRAME[..], BlockDecodingStrategy::All);
                    }
                }
                bytes => return Ok(bytes),
            }
        }
    }
}

/// Whether an error is that of reading a source.
fn is_of_reading(error: &(dyn Error + 'static)) -> bool {
    error.is::<io::Error>() || error.source().is_some_and(is_of_reading)
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a zstd frame is truncated")
}
