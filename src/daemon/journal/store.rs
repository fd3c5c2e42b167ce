//! The journal's tables in one redb file. Every change is one transaction, durable when it is committed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::record::{Event, Record, now};
use crate::durable;
use crate::error::{Error, Kind, Result};
use crate::pipeline::Key;

const INPUTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("inputs");
const HISTORY: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("history");
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
const PATHS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("paths");

/// Raised when a later version writes what this one cannot read.
const FORMAT: u64 = 1;
/// What is held in memory of the file; the rest is the system's page cache.
const CACHE: usize = 4 << 20;
/// How long history is kept, and how long inputs that are gone are remembered.
pub const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// How many events are read at once, and about how many bytes of them.
const PAGE: usize = 256;
const PAGE_BYTES: usize = 1 << 20;

/// Some events as they are written, each with its time, newest first.
pub type Page = Vec<(u64, Vec<u8>)>;

/// The newest events that somebody wants, newest first, at most `limit`; `page` gives those before a time, as [`Store::page`] does.
///
/// # Errors
/// Those of `page`.
pub fn search(
    limit: usize,
    keep: impl Fn(&Event) -> bool,
    mut page: impl FnMut(u64) -> Result<Page>,
) -> Result<Vec<Event>> {
    let (mut events, mut before) = (Vec::new(), u64::MAX);
    loop {
        let rows = page(before)?;
        let Some((last, _)) = rows.last() else { return Ok(events) };
        before = *last;
        for (_, row) in &rows {
            if let Ok(event) = serde_json::from_slice::<Event>(row)
                && keep(&event)
            {
                events.push(event.tamed());
                if events.len() == limit {
                    return Ok(events);
                }
            }
        }
    }
}

/// An open file. Only one process can have it open.
pub struct Store {
    path: PathBuf,
    database: Option<Database>,
}

/// Changes that become durable together.
pub struct Change<'a> {
    transaction: &'a WriteTransaction,
    path: &'a Path,
}

impl Store {
    /// Opens or makes the file. A file that is damaged beyond repair is put aside, since a service that stands still helps nobody.
    ///
    /// # Errors
    /// Kind transient: another process has it open, or it cannot be read or written. Kind config: a later version wrote it.
    pub fn open(path: &Path) -> Result<Store> {
        let mut store = Store { path: path.to_path_buf(), database: None };
        store.reopen()?;
        let format = store.change(|c| c.number("format", |n| n.max(FORMAT)))?;
        if format > FORMAT {
            let e = Error::new(Kind::Config, "a later version of latentd wrote this journal").at(path);
            return Err(e.mend("run that version, or move the file away (kept originals are done anew then)"));
        }
        Ok(store)
    }

    fn reopen(&mut self) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        durable::make_folder(folder)?;
        let is_new = !self.path.exists();
        let open = || {
            let create = || Database::builder().set_cache_size(CACHE).create(&self.path);
            let panicked = |_| Err(DatabaseError::Storage(redb::StorageError::Corrupted("it cannot be read".into())));
            catch_unwind(AssertUnwindSafe(create)).unwrap_or_else(panicked)
        };
        let database = match open() {
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                let what = "the pipeline is being run by another latentd, which would do every file twice";
                return Err(Error::new(Kind::Transient, what).at(&self.path).mend("stop the other one first"));
            }
            Err(e) if is_damage(&e) => {
                self.put_aside(&e.to_string())?;
                open()
            }
            other => other,
        };
        self.database = Some(database.map_err(|e| trouble(&self.path, e))?);
        if is_new {
            durable::sync_after(folder);
        }
        Ok(())
    }

    /// Makes changes durable, all or none. If the file turns out to be damaged, it is put aside and they are made in a new one.
    ///
    /// # Errors
    /// Kind transient: they could not be written. The next call opens the file anew.
    pub fn change<T>(&mut self, work: impl Fn(&Change) -> Result<T>) -> Result<T> {
        for _ in 0..2 {
            if self.database.is_none() {
                self.reopen()?;
            }
            let Some(database) = &self.database else { break };
            let path = &self.path;
            let attempt = || {
                let transaction = database.begin_write().map_err(|e| trouble(path, e))?;
                let value = work(&Change { transaction: &transaction, path })?;
                transaction.commit().map_err(|e| trouble(path, e))?;
                Ok(value)
            };
            match catch_unwind(AssertUnwindSafe(attempt)) {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(e)) => {
                    // After an I/O error redb answers nothing more until the file is opened anew.
                    self.database = None;
                    return Err(e);
                }
                // Some damage that a crash has left shows only now.
                Err(_) => {
                    self.database = None;
                    self.put_aside("it cannot be read")?;
                }
            }
        }
        Err(Error::new(Kind::Transient, "the journal cannot be written").at(&self.path))
    }

    /// A copy of the file as it is now, for who only reads: whoever writes it is not kept from it, and what a crash has left is mended in the copy.
    ///
    /// # Errors
    /// Kind transient: it cannot be read, or is just being written.
    pub fn copy(path: &Path) -> Result<Store> {
        let unread = |e: &dyn std::fmt::Display| {
            let e = Error::new(Kind::Transient, format!("the journal cannot be read: {e}")).at(path);
            e.mend("try again; if it stays so, `latentd run` mends it or puts it aside")
        };
        let folder = tempfile::tempdir().map_err(|e| unread(&e))?;
        let copy = folder.path().join("journal");
        std::fs::copy(path, &copy).map_err(|e| unread(&e))?;
        // It lives on without its name until it is closed.
        let open = || Database::builder().set_cache_size(CACHE).open(&copy);
        let database = catch_unwind(AssertUnwindSafe(open)).map_err(|_| unread(&"it is damaged"))?;
        Ok(Store { path: path.to_path_buf(), database: Some(database.map_err(|e| unread(&e))?) })
    }

    fn put_aside(&self, why: &str) -> Result<()> {
        tracing::error!("the journal is damaged ({why}); it is put aside, and kept originals are done anew");
        let aside = self.path.with_extension("damaged");
        std::fs::rename(&self.path, &aside).map_err(|e| Error::io("move", &self.path, e))
    }

    /// Whether the file is open; after an error it is opened anew by the next change.
    pub fn is_open(&self) -> bool {
        self.database.is_some()
    }

    /// The newest events since `since` (microseconds since 1970) and before `before`: so few that whoever has something to note is not kept waiting.
    ///
    /// # Errors
    /// Kind transient: the file cannot be read.
    pub fn page(&self, since: u64, before: u64) -> Result<Page> {
        let Some(database) = self.database.as_ref().filter(|_| since < before) else { return Ok(Vec::new()) };
        let read = || -> std::result::Result<Page, redb::Error> {
            let transaction = database.begin_read()?;
            let table = transaction.open_table(HISTORY)?;
            let (mut page, mut bytes) = (Vec::new(), 0);
            for row in table.range(since..before)?.rev() {
                let (time, value) = row?;
                bytes += value.value().len();
                page.push((time.value(), value.value().to_vec()));
                if page.len() == PAGE || bytes > PAGE_BYTES {
                    break;
                }
            }
            Ok(page)
        };
        read().map_err(|e| trouble(&self.path, e))
    }

    /// The folder of the source, if a version wrote the file that noted it.
    pub fn root(&self) -> Option<PathBuf> {
        let table = self.database.as_ref()?.begin_read().ok()?.open_table(PATHS).ok()?;
        let row = table.get("root").ok()??;
        Some(PathBuf::from(OsStr::from_bytes(row.value())))
    }
}

impl Change<'_> {
    /// What is noted under a key.
    ///
    /// # Errors
    /// Kind transient: the file cannot be read.
    pub fn get(&self, key: &Key) -> Result<Option<Record>> {
        let table = self.transaction.open_table(INPUTS).map_err(|e| trouble(self.path, e))?;
        let row = table.get(key.as_slice()).map_err(|e| trouble(self.path, e))?;
        // A row that cannot be read is no record: its input is done once more.
        Ok(row.and_then(|row| serde_json::from_slice(row.value()).ok()))
    }

    /// Notes a record under a key.
    ///
    /// # Errors
    /// Kind transient: the file cannot be written.
    pub fn put(&self, key: &Key, record: &Record) -> Result<()> {
        let mut table = self.transaction.open_table(INPUTS).map_err(|e| trouble(self.path, e))?;
        table.insert(key.as_slice(), json(record)?.as_slice()).map_err(|e| trouble(self.path, e))?;
        Ok(())
    }

    /// All keys and records.
    ///
    /// # Errors
    /// Kind transient: the file cannot be read.
    pub fn all(&self) -> Result<Vec<(Key, Record)>> {
        let table = self.transaction.open_table(INPUTS).map_err(|e| trouble(self.path, e))?;
        let mut all = Vec::new();
        for row in table.iter().map_err(|e| trouble(self.path, e))? {
            let (key, value) = row.map_err(|e| trouble(self.path, e))?;
            if let (Ok(key), Ok(record)) = (Key::try_from(key.value()), serde_json::from_slice(value.value())) {
                all.push((key, record));
            }
        }
        Ok(all)
    }

    /// Forgets some inputs.
    ///
    /// # Errors
    /// Kind transient: the file cannot be written.
    pub fn forget(&self, keys: &[Key]) -> Result<()> {
        let mut table = self.transaction.open_table(INPUTS).map_err(|e| trouble(self.path, e))?;
        for key in keys {
            table.remove(key.as_slice()).map_err(|e| trouble(self.path, e))?;
        }
        Ok(())
    }

    /// Adds an event to the history.
    ///
    /// # Errors
    /// Kind transient: the file cannot be written.
    pub fn event(&self, event: &Event) -> Result<()> {
        let mut table = self.transaction.open_table(HISTORY).map_err(|e| trouble(self.path, e))?;
        let last = table.last().map_err(|e| trouble(self.path, e))?.map(|(time, _)| time.value());
        // Two in one microsecond, or a clock that was set back: order counts for more.
        let time = last.map_or(event.time, |last| event.time.max(last + 1));
        table.insert(time, json(event)?.as_slice()).map_err(|e| trouble(self.path, e))?;
        Ok(())
    }

    /// Forgets events older than 90 days; of records, [`Change::forget`] does.
    ///
    /// # Errors
    /// Kind transient: the file cannot be written.
    pub fn forget_old_events(&self) -> Result<()> {
        let mut table = self.transaction.open_table(HISTORY).map_err(|e| trouble(self.path, e))?;
        table.retain_in(..ago(KEPT), |_, _| false).map_err(|e| trouble(self.path, e))
    }

    /// Notes the folder of the source.
    ///
    /// # Errors
    /// Kind transient: the file cannot be written.
    pub fn root(&self, root: &Path) -> Result<()> {
        let mut table = self.transaction.open_table(PATHS).map_err(|e| trouble(self.path, e))?;
        table.insert("root", root.as_os_str().as_bytes()).map_err(|e| trouble(self.path, e))?;
        Ok(())
    }

    /// Replaces a number (0 at first) and gives the new one.
    ///
    /// # Errors
    /// Kind transient: the file cannot be written.
    pub fn number(&self, name: &str, next: impl FnOnce(u64) -> u64) -> Result<u64> {
        let mut table = self.transaction.open_table(NUMBERS).map_err(|e| trouble(self.path, e))?;
        let number = next(table.get(name).map_err(|e| trouble(self.path, e))?.map_or(0, |n| n.value()));
        table.insert(name, number).map_err(|e| trouble(self.path, e))?;
        Ok(number)
    }
}

/// Whether the contents of the file are at fault, rather than the system that would not read it.
fn is_damage(e: &DatabaseError) -> bool {
    match e {
        DatabaseError::Storage(redb::StorageError::Io(e)) => e.raw_os_error().is_none(),
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::UpgradeRequired(_) => false,
        _ => true,
    }
}

/// The time this long ago, in microseconds since 1970.
pub fn ago(time: Duration) -> u64 {
    now().saturating_sub(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::new(Kind::Bug, "a record cannot be written").because(e))
}

/// Whatever the journal cannot do is nobody's fault among the inputs, and may pass.
fn trouble(path: &Path, e: impl Into<redb::Error>) -> Error {
    let e = Error::new(Kind::Transient, "the journal cannot be written").at(path).because(e.into());
    e.mend("see that there is room on the disk and that the user who runs latentd may write there")
}
