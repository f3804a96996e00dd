//! The journal: every step as it happens, appended and never rewritten.
//!
//! A file of records. Each says at which place of the history it stands, so that the record of
//! a step also says what was undone before it, and needs no other record to be understood.
//!
//! Layout, little-endian: header of 32 bytes (magic, version, id, CRC-32), then records of a
//! head of 32 bytes (see `Head`), the step's title, its payload (`codec`).
//!
//! A record goes to the operating system at once, in one call: a killed program loses nothing.
//! It reaches the disk with the next save or `sync`, which is not for the UI thread, so a power
//! failure may cost the steps since then; it cannot damage the earlier ones.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nunatak_domain::edit::Edit;

use super::codec;
use crate::error::IoError;
use crate::hash::sha256_bytes;

const MAGIC: [u8; 8] = *b"NUNATAKJ";
const VERSION: u32 = 1;
const ID_BYTES: usize = 16;
pub(super) const HEADER_BYTES: u64 = 32;
const HEAD_BYTES: usize = 32;

const STEP: u8 = 1;
const POSITION: u8 = 2;

/// An open journal; the session appends to it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    id: String,
    /// Bytes in the file.
    written: u64,
    /// Records that could not be written yet, each with its offset.
    queue: VecDeque<(u64, Vec<u8>)>,
    /// Offset of the next record.
    end: u64,
    /// Where the history stands after the last record.
    position: u64,
}

/// Where a record is, and whether it is in the file by now.
#[derive(Debug)]
#[must_use]
pub struct Appended {
    /// Offset that `History::push` wants.
    pub at: u64,
    /// An error is worth a notice; the record is kept in memory and written with the next one.
    pub written: Result<(), IoError>,
}

/// A step ready to be appended. Made by a job where an edit is large: a million changed tiles
/// take seconds.
#[derive(Clone, Debug)]
pub struct EncodedStep {
    title: String,
    payload: Vec<u8>,
}

/// State of a journal that a save belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalPlace {
    pub path: PathBuf,
    pub id: String,
    /// Bytes.
    pub end: u64,
    /// Steps that are done there.
    pub position: u64,
}

/// Reads steps while the journal grows; for a job.
#[derive(Clone, Debug)]
pub struct JournalReader {
    path: PathBuf,
}

/// A record as the list of steps needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) at: u64,
    pub(super) end: u64,
    pub(super) entry: Entry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A step at this place of the history; what was there and after it is dropped.
    Step { index: u64, title: String },
    /// So many steps are done.
    Position { position: u64 },
}

/// What a file of records holds up to its first damage.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) id: String,
    pub(super) records: Vec<Record>,
    /// End of the last good record.
    pub(super) end: u64,
    /// What is wrong after `end`, and how many bytes.
    pub(super) cut: Option<Cut>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) bytes: u64,
    /// The file ends inside of a record, as a kill or a power failure leaves it.
    pub(super) torn: bool,
    pub(super) reason: &'static str,
}

struct Head {
    kind: u8,
    title_bytes: u8,
    payload_bytes: u64,
    index: u64,
    payload_crc: u32,
}

impl EncodedStep {
    pub fn of(edit: &Edit) -> Self {
        let mut title = edit.title();
        title.truncate(title.floor_char_boundary(usize::from(u8::MAX)));
        Self { title, payload: codec::encode(edit) }
    }

    /// Bytes in the journal.
    pub fn bytes(&self) -> usize {
        HEAD_BYTES + self.title.len() + self.payload.len()
    }
}

impl Journal {
    /// A new, empty journal; `id` tells it from others.
    pub(super) fn create(path: &Path) -> Result<Self, IoError> {
        let fail = |error: std::io::Error| IoError::write(path, "journal", error.to_string());
        let mut file = File::options().read(true).write(true).create_new(true).open(path).map_err(fail)?;
        let id = new_id(path);
        file.write_all(&header(&id)).and_then(|()| file.sync_all()).map_err(fail)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            id,
            written: HEADER_BYTES,
            queue: VecDeque::new(),
            end: HEADER_BYTES,
            position: 0,
        })
    }

    /// Goes on after the last good record; what follows it is cut off.
    pub(super) fn append_to(path: &Path, scan: &Scan, position: u64) -> Result<Self, IoError> {
        let fail = |error: std::io::Error| IoError::write(path, "journal", error.to_string());
        let file = File::options().read(true).write(true).open(path).map_err(fail)?;
        if scan.cut.is_some() {
            file.set_len(scan.end).and_then(|()| file.sync_all()).map_err(fail)?;
        }
        let end = scan.end;
        Ok(Self {
            path: path.to_owned(),
            file,
            id: scan.id.clone(),
            written: end,
            queue: VecDeque::new(),
            end,
            position,
        })
    }

    /// Appends a step that stands at `index` of the history: `history.position()` before it is pushed.
    pub fn append_step(&mut self, index: usize, edit: &Edit) -> Appended {
        self.append_encoded(index, &EncodedStep::of(edit))
    }

    /// As `append_step`.
    pub fn append_encoded(&mut self, index: usize, step: &EncodedStep) -> Appended {
        self.position = index as u64 + 1;
        self.append(record(STEP, index as u64, &step.title, &step.payload))
    }

    /// Appends that so many steps are done now, after undo or redo.
    pub fn append_position(&mut self, position: usize) -> Appended {
        self.position = position as u64;
        self.append(record(POSITION, position as u64, "", &[]))
    }

    fn append(&mut self, record: Vec<u8>) -> Appended {
        let at = self.end;
        self.end += record.len() as u64;
        self.queue.push_back((at, record));
        Appended { at, written: self.flush() }
    }

    /// Writes what could not be written so far.
    ///
    /// # Errors
    /// The disk is full or gone; the records stay in memory.
    pub fn flush(&mut self) -> Result<(), IoError> {
        while let Some((_, record)) = self.queue.front() {
            let written = self.file.seek(SeekFrom::Start(self.written)).and_then(|_| self.file.write_all(record));
            if let Err(error) = written {
                // Half a record in the middle would hide those after it; the next try overwrites it anyway.
                if let Err(error) = self.file.set_len(self.written) {
                    log::warn!("cannot take back half a record of {}: {error}", self.path.display());
                }
                return Err(IoError::write(&self.path, "journal", error.to_string()));
            }
            self.written += record.len() as u64;
            self.queue.pop_front();
        }
        Ok(())
    }

    /// Steps and moves that are only in memory.
    pub fn n_unwritten(&self) -> usize {
        self.queue.len()
    }

    /// The state that a snapshot of the project taken now belongs to.
    ///
    /// # Errors
    /// As `flush`.
    pub fn place(&mut self) -> Result<JournalPlace, IoError> {
        self.flush()?;
        Ok(JournalPlace { path: self.path.clone(), id: self.id.clone(), end: self.end, position: self.position })
    }

    /// One step that `Travel::Fetch` asked for.
    ///
    /// # Errors
    /// There is no intact step at this offset.
    pub fn read(&self, at: u64) -> Result<Edit, IoError> {
        if let Some((_, record)) = self.queue.iter().find(|(offset, _)| *offset == at) {
            return read_step(&mut record.as_slice(), &self.path);
        }
        self.reader().read(at)
    }

    /// For a job; does not see what `n_unwritten` counts.
    pub fn reader(&self) -> JournalReader {
        JournalReader { path: self.path.clone() }
    }

    /// Handle whose `sync_all` brings all records to the disk; for a job, as it takes long.
    ///
    /// # Errors
    /// The system gives no second handle.
    pub fn sync_handle(&self) -> Result<File, IoError> {
        self.file.try_clone().map_err(|error| IoError::write(&self.path, "journal", error.to_string()))
    }

    /// Bytes, with those not written yet.
    pub const fn end(&self) -> u64 {
        self.end
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(test)]
    pub(super) const fn swap_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// The whole journal in another file, also what the old disk has no room for.
    pub(super) fn copy_to(&self, path: &Path) -> Result<Self, IoError> {
        let fail = |error: std::io::Error| IoError::write(path, "journal", error.to_string());
        let mut file = File::options().read(true).write(true).create_new(true).open(path).map_err(fail)?;
        let old = File::open(&self.path).map_err(fail)?;
        std::io::copy(&mut old.take(self.written), &mut file).map_err(fail)?;
        for (_, record) in &self.queue {
            file.write_all(record).map_err(fail)?;
        }
        file.sync_all().map_err(fail)?;
        let (id, end, position) = (self.id.clone(), self.end, self.position);
        Ok(Self { path: path.to_owned(), file, id, written: end, queue: VecDeque::new(), end, position })
    }
}

impl JournalReader {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// One step.
    ///
    /// # Errors
    /// There is no intact step at this offset.
    pub fn read(&self, at: u64) -> Result<Edit, IoError> {
        let fail = |error: std::io::Error| IoError::read(&self.path, "journal", error.to_string());
        let mut file = BufReader::new(File::open(&self.path).map_err(fail)?);
        file.seek(SeekFrom::Start(at)).map_err(fail)?;
        read_step(&mut file, &self.path)
    }
}

/// Lists the records of a journal. Payloads before `verified` are passed over (a save has seen
/// them whole), those after it are read and checked.
///
/// # Errors
/// The file cannot be read, is no journal, or one of a newer version of the program.
pub(super) fn scan(path: &Path, from: u64, verified: u64) -> Result<Scan, IoError> {
    let fail = |error: std::io::Error| IoError::read(path, "journal", error.to_string());
    let file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut header = [0; HEADER_BYTES as usize];
    if length < HEADER_BYTES {
        return Err(IoError::read(path, "journal", "it is shorter than its header"));
    }
    file.read_exact(&mut header).map_err(fail)?;
    let id = parse_header(&header).map_err(|reason| IoError::read(path, "journal", reason))?;
    let mut at = from.max(HEADER_BYTES);
    file.seek(SeekFrom::Start(at)).map_err(fail)?;
    let mut records = Vec::new();
    let mut cut = None;
    while at < length {
        match next_record(&mut file, at, length, verified).map_err(fail)? {
            Ok(record) => {
                at = record.end;
                records.push(record);
            }
            Err((torn, reason)) => {
                cut = Some(Cut { bytes: length - at, torn, reason });
                break;
            }
        }
    }
    Ok(Scan { id, records, end: at, cut })
}

/// The inner result: a record, or whether it is torn and what is wrong with it.
fn next_record(
    file: &mut BufReader<File>,
    at: u64,
    length: u64,
    verified: u64,
) -> std::io::Result<Result<Record, (bool, &'static str)>> {
    const TORN: (bool, &str) = (true, "the last record is not complete");
    let mut bytes = [0; HEAD_BYTES];
    if length - at < HEAD_BYTES as u64 {
        return Ok(Err(TORN));
    }
    file.read_exact(&mut bytes)?;
    let Ok((head, head_crc)) = parse_head(&bytes) else { return Ok(Err((false, "a record is damaged"))) };
    let Some(end) = (at + HEAD_BYTES as u64 + u64::from(head.title_bytes)).checked_add(head.payload_bytes) else {
        return Ok(Err((false, "a record is damaged")));
    };
    if at + (HEAD_BYTES as u64) + u64::from(head.title_bytes) > length {
        return Ok(Err(TORN));
    }
    let mut title = vec![0; usize::from(head.title_bytes)];
    file.read_exact(&mut title)?;
    if head_checksum(&bytes, &title) != head_crc {
        return Ok(Err((false, "a record is damaged")));
    }
    if end > length {
        return Ok(Err(TORN));
    }
    if end <= verified {
        file.seek_relative(head.payload_bytes.cast_signed())?;
    } else if payload_checksum(file, head.payload_bytes)? != head.payload_crc {
        return Ok(Err((false, "a record is damaged")));
    }
    let entry = match head.kind {
        STEP => Entry::Step { index: head.index, title: String::from_utf8_lossy(&title).into_owned() },
        POSITION => Entry::Position { position: head.index },
        _ => return Ok(Err((false, "a record is of a kind this version does not know"))),
    };
    Ok(Ok(Record { at, end, entry }))
}

fn read_step(from: &mut dyn Read, path: &Path) -> Result<Edit, IoError> {
    let fail = |reason: &str| IoError::read(path, "step of the journal", reason);
    let unread = |error: std::io::Error| fail(&error.to_string());
    let mut bytes = [0; HEAD_BYTES];
    from.read_exact(&mut bytes).map_err(unread)?;
    let (head, head_crc) = parse_head(&bytes).map_err(fail)?;
    let mut title = vec![0; usize::from(head.title_bytes)];
    from.read_exact(&mut title).map_err(unread)?;
    if head.kind != STEP || head_checksum(&bytes, &title) != head_crc {
        return Err(fail("there is no intact step at this place"));
    }
    let mut payload = Vec::new();
    from.take(head.payload_bytes).read_to_end(&mut payload).map_err(unread)?;
    if payload.len() as u64 != head.payload_bytes || crc32fast::hash(&payload) != head.payload_crc {
        return Err(fail("its checksum differs"));
    }
    codec::decode(&payload).map_err(fail)
}

fn record(kind: u8, index: u64, title: &str, payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEAD_BYTES + title.len() + payload.len());
    record.extend_from_slice(&[kind, title.len() as u8, 0, 0, 0, 0, 0, 0]);
    record.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    record.extend_from_slice(&index.to_le_bytes());
    record.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&record);
    crc.update(title.as_bytes());
    record.extend_from_slice(&crc.finalize().to_le_bytes());
    record.extend_from_slice(title.as_bytes());
    record.extend_from_slice(payload);
    record
}

/// The head and the checksum it states.
fn parse_head(bytes: &[u8; HEAD_BYTES]) -> Result<(Head, u32), &'static str> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    if bytes[0] == 0 {
        return Err("there is no record at this place");
    }
    let head =
        Head { kind: bytes[0], title_bytes: bytes[1], payload_bytes: word(8), index: word(16), payload_crc: half(24) };
    Ok((head, half(28)))
}

fn head_checksum(bytes: &[u8; HEAD_BYTES], title: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..28]);
    crc.update(title);
    crc.finalize()
}

fn payload_checksum(file: &mut impl Read, bytes: u64) -> std::io::Result<u32> {
    let mut crc = crc32fast::Hasher::new();
    let mut buffer = vec![0; bytes.min(1 << 20) as usize];
    let mut left = bytes;
    while left > 0 {
        let n = left.min(buffer.len() as u64) as usize;
        file.read_exact(&mut buffer[..n])?;
        crc.update(&buffer[..n]);
        left -= n as u64;
    }
    Ok(crc.finalize())
}

fn header(id: &str) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..12 + ID_BYTES].copy_from_slice(&id.as_bytes()[..ID_BYTES]);
    let crc = crc32fast::hash(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn parse_header(header: &[u8; HEADER_BYTES as usize]) -> Result<String, String> {
    let half = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
    if header[..8] != MAGIC {
        return Err("it is no journal of this program".to_owned());
    }
    if half(8) > VERSION {
        return Err("it was written by a newer version of the program".to_owned());
    }
    if crc32fast::hash(&header[..28]) != half(28) {
        return Err("its header is damaged".to_owned());
    }
    Ok(String::from_utf8_lossy(&header[12..12 + ID_BYTES]).into_owned())
}

/// Sixteen characters that no other journal has.
fn new_id(path: &Path) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let mut id = sha256_bytes(format!("{} {now} {}", path.display(), std::process::id()).as_bytes());
    id.truncate(ID_BYTES);
    id
}

/// Puts what is cut off aside, so that somebody may still look at it.
pub(super) fn keep_cut(path: &Path, scan: &Scan) -> std::io::Result<PathBuf> {
    let aside = path.with_file_name(format!("journal-cut-{}.bin", scan.end));
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(scan.end))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    if !fs::exists(&aside)? {
        crate::atomic::write_plain(&aside, &rest)?;
    }
    Ok(aside)
}
