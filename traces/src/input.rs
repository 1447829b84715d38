//! Opens a file, plain or compressed, as a stream of text.

use crate::error::Problem;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A stream of text, already unpacked.
pub(crate) type Input = Box<dyn BufRead + Send>;

/// How a file is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// By the first bytes: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1.
    fn of_content(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// By the end of the name, if that promises anything.
    fn of_name(path: &Path) -> Option<(Self, &'static str)> {
        match path.extension()?.to_str()? {
            "gz" => Some((Self::Gzip, "gz")),
            "zst" => Some((Self::Zstd, "zst")),
            _ => None,
        }
    }
}

/// Opens `path`. The content says how it is packed; a name that promises otherwise is an error.
pub(crate) fn open(path: &Path) -> Result<Input, Problem> {
    let mut file = BufReader::new(File::open(path)?);
    let packing = Packing::of_content(file.fill_buf()?);
    if let Some((promised, extension)) = Packing::of_name(path)
        && promised != packing
    {
        return Err(Problem::NotCompressed { extension });
    }
    Ok(match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        Packing::Zstd => Box::new(BufReader::new(zstd::Decoder::with_buffer(file)?)),
    })
}
