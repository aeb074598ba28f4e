//! A manifest's records put in the order of their keys in bounded memory: sorted runs, written out and merged.
//!
//! Only key and leaf hash of a record are sorted, 64 bytes. Not here: where runs are kept, which the caller says, and what
//! is made of the order (`tree.rs`).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    vec,
};

use obelus_core::Digest;

use super::leaf;

/// A record in a manifest: its key and its leaf hash. Ordered by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Key of the source.
    pub key: Digest,
    /// Leaf hash of the record.
    pub leaf: Digest,
}

/// Size of an entry in a run.
const ENTRY_BYTES: usize = 64;

impl Entry {
    /// The entry of a record.
    pub fn new(key: Digest, record: &[u8]) -> Self {
        Self { key, leaf: leaf(&key, record) }
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(self.key.as_bytes())?;
        to.write_all(self.leaf.as_bytes())
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; ENTRY_BYTES];
        from.read_exact(&mut bytes)?;
        let (key, leaf) = bytes.split_at(ENTRY_BYTES / 2);
        let digest = |half: &[u8]| Digest::new(half.try_into().expect("half of 64 bytes"));
        Ok(Self { key: digest(key), leaf: digest(leaf) })
    }
}

/// Why records cannot be put in order.
#[derive(Debug, thiserror::Error)]
pub enum SortError {
    /// A run could not be written or read.
    #[error("a sorted run of manifest entries cannot be kept: {0}; see that the data directory has room and try again")]
    Run(#[from] io::Error),
    /// Two records have one key.
    #[error("two records have the key {0}, so a source is listed twice; a manifest has every source once")]
    Twice(Digest),
}

/// Takes entries in any order and gives them in the order of their keys.
#[derive(Debug)]
pub struct Sorter<R, F> {
    place: F,
    most: usize,
    waiting: Vec<Entry>,
    runs: Vec<(R, usize)>,
    count: u64,
}

impl<R: Read + Write + Seek, F: FnMut() -> io::Result<R>> Sorter<R, F> {
    /// Keeps at most `most` entries in memory. `place` gives an empty place for a run of that many, 64 bytes each.
    pub fn new(most: usize, place: F) -> Self {
        Self { place, most: most.max(1), waiting: vec![], runs: vec![], count: 0 }
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// When a run cannot be written.
    pub fn push(&mut self, entry: Entry) -> Result<(), SortError> {
        if self.waiting.len() == self.most {
            self.write_run()?;
        }
        self.waiting.push(entry);
        self.count += 1;
        Ok(())
    }

    /// Entries taken so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn write_run(&mut self) -> Result<(), SortError> {
        self.waiting.sort_unstable();
        let mut run = BufWriter::with_capacity(1 << 16, (self.place)()?);
        self.waiting.iter().try_for_each(|entry| entry.write(&mut run))?;
        let mut run = run.into_inner().map_err(io::IntoInnerError::into_error)?;
        run.rewind()?;
        self.runs.push((run, self.waiting.len()));
        self.waiting.clear();
        Ok(())
    }

    /// All entries in order.
    ///
    /// # Errors
    /// When a run cannot be read. The iterator gives an error where a key comes twice.
    pub fn finish(mut self) -> Result<Sorted<R>, SortError> {
        self.waiting.sort_unstable();
        let runs = self.runs.into_iter().map(|(run, left)| Run::Kept { run: BufReader::new(run), left });
        let runs: Vec<_> = runs.chain([Run::Waiting(self.waiting.into_iter())]).collect();
        let mut sorted = Sorted { runs, next: BinaryHeap::new(), last: None };
        for run in 0..sorted.runs.len() {
            if let Some(entry) = sorted.runs[run].next()? {
                sorted.next.push(Reverse((entry, run)));
            }
        }
        Ok(sorted)
    }
}

/// A sorted run: one that was written out, or the last one.
#[derive(Debug)]
enum Run<R> {
    Kept { run: BufReader<R>, left: usize },
    Waiting(vec::IntoIter<Entry>),
}

impl<R: Read> Run<R> {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        match self {
            Self::Kept { left: 0, .. } => Ok(None),
            Self::Kept { run, left } => {
                *left -= 1;
                Entry::read(run).map(Some)
            }
            Self::Waiting(entries) => Ok(entries.next()),
        }
    }
}

/// Entries in the order of their keys, every key once.
#[derive(Debug)]
pub struct Sorted<R> {
    runs: Vec<Run<R>>,
    /// The smallest entry of each run that has one left.
    next: BinaryHeap<Reverse<(Entry, usize)>>,
    last: Option<Digest>,
}

impl<R: Read> Sorted<R> {
    fn smallest(&mut self) -> Result<Option<Entry>, SortError> {
        let Some(mut top) = self.next.peek_mut() else { return Ok(None) };
        let Reverse((entry, run)) = *top;
        match self.runs[run].next()? {
            Some(following) => *top = Reverse((following, run)),
            None => drop(PeekMut::pop(top)),
        }
        if self.last.replace(entry.key) == Some(entry.key) {
            return Err(SortError::Twice(entry.key));
        }
        Ok(Some(entry))
    }
}

impl<R: Read> Iterator for Sorted<R> {
    type Item = Result<Entry, SortError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.smallest().transpose()
    }
}

/// Two ordered lists as one.
///
/// The iterator gives an error where a key is in both.
pub fn merged<A, B>(one: A, other: B) -> impl Iterator<Item = Result<Entry, SortError>>
where
    A: Iterator<Item = Result<Entry, SortError>>,
    B: Iterator<Item = Result<Entry, SortError>>,
{
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(Ok(a)), Some(Ok(b))) if a.key == b.key => Some(Err(SortError::Twice(a.key))),
        (Some(Ok(a)), Some(Ok(b))) if b < a => other.next(),
        (None, _) | (_, Some(Err(_))) => other.next(),
        _ => one.next(),
    })
}
