//! A table that grows: results are appended as whole lines to one CSV file. A line that is there already is not appended again, so work that is
//! done twice, after a crash say, leaves no trace; a line that a crash has torn is put aside before the next one. Lines may end as Windows ends them.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use crate::durable;
use crate::error::{Error, Kind, Result, show_path};
use crate::media::Media;
use crate::media::latent::{csv_header, csv_rows};

/// One table, shared by all workers; other programs may append to it too, one at a time.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    known: Mutex<Known>,
}

/// What is known of the file: signs of the lines within its first `length` bytes, since the lines themselves may be gigabytes.
#[derive(Debug, Default)]
struct Known {
    lines: HashSet<u128>,
    length: u64,
}

impl Table {
    /// The table at `path`, which need not be there yet.
    pub fn new(path: PathBuf) -> Table {
        Table { path, known: Mutex::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a latent, a line for each point, under the name of its input. When this returns the lines are safe on the disk.
    ///
    /// # Errors
    /// Kind config: the file has other columns. Kind output or transient: it cannot be written. Kind bug: media other than latents.
    pub fn append(&self, media: Media) -> Result<()> {
        let Media::Latent(latent) = media else {
            return Err(Error::new(Kind::Bug, format!("a table was given {}", media.kind().with_article())));
        };
        let (header, rows) = (csv_header(latent.size)?, csv_rows(&latent)?);
        // A worker that panicked has left the file whole, or torn at its end, which is mended next.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&mut known, &header, &rows)
    }

    fn write(&self, known: &mut Known, header: &[u8], rows: &[u8]) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("write", &self.path, e);
        if let Some(folder) = self.path.parent() {
            durable::make_folder(folder)?;
        }
        let mut file = durable::open_to_append(&self.path).map_err(failed)?;
        // Until the file is closed no other program appends.
        flock(&file, FlockOperation::LockExclusive).map_err(|e| failed(e.into()))?;
        self.catch_up(&mut file, known)?;
        if known.length > 0 && !known.has(header) {
            return Err(Error::new(Kind::Config, "the table has other columns than what is to be appended")
                .at(&self.path)
                .mend("name a new file, or move the old one away"));
        }
        let mut fresh = if known.length == 0 { header.to_vec() } else { Vec::new() };
        let rows = rows.split_inclusive(|&byte| byte == b'\n');
        fresh.extend(rows.filter(|row| !known.has(row)).flatten());
        if fresh.is_empty() {
            return Ok(());
        }
        file.write_all(&fresh).and_then(|()| file.sync_data()).map_err(failed)?;
        if known.length == 0
            && let Some(folder) = self.path.parent()
        {
            durable::sync_after(folder);
        }
        known.learn(&fresh);
        Ok(())
    }

    /// Reads what was appended since, by others too, and puts aside a line that has no end: nobody can tell whether a crash has torn it or an editor left it
    /// so.
    fn catch_up(&self, file: &mut File, known: &mut Known) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("read", &self.path, e);
        let length = file.metadata().map_err(failed)?.len();
        let mut before = *b"\n";
        if (1..=length).contains(&known.length) {
            file.seek(SeekFrom::Start(known.length - 1)).map_err(failed)?;
            file.read_exact(&mut before).map_err(failed)?;
        }
        if length < known.length || before != *b"\n" {
            // Somebody has written the file anew.
            *known = Known::default();
        }
        file.seek(SeekFrom::Start(known.length)).map_err(failed)?;
        let mut news = BufReader::new(&mut *file);
        let mut line = Vec::new();
        while news.read_until(b'\n', &mut line).map_err(failed)? > 0 && line.ends_with(b"\n") {
            known.learn(&line);
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        line.push(b'\n');
        let aside = self.path.with_added_extension("cut");
        let kept = durable::open_to_append(&aside);
        kept.and_then(|mut aside| aside.write_all(&line).and_then(|()| aside.sync_data()))
            .map_err(|e| Error::io("write", &aside, e))?;
        tracing::warn!("the last line of {} has no end; it is put into {}", show_path(&self.path), show_path(&aside));
        file.set_len(known.length).map_err(|e| Error::io("write", &self.path, e))
    }
}

impl Known {
    fn learn(&mut self, text: &[u8]) {
        let unix = |line: &[u8]| match line.strip_suffix(b"\r\n") {
            Some(line) => durable::sign(&[line, b"\n"].concat()),
            None => durable::sign(line),
        };
        self.lines.extend(text.split_inclusive(|&byte| byte == b'\n').map(unix));
        self.length += text.len() as u64;
    }

    fn has(&self, line: &[u8]) -> bool {
        self.lines.contains(&durable::sign(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Latent;

    fn latent(value: f32, source: &str) -> Media {
        Media::Latent(Latent { values: vec![value, 0.5], size: 2, model: "m".into(), source: Some(source.into()) })
    }

    #[test]
    fn lines_are_appended_once_and_torn_ones_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/t.csv");
        let text = || std::fs::read_to_string(&path).unwrap();
        let table = Table::new(path.clone());
        table.append(latent(1.0, "a,b.png")).unwrap();
        table.append(latent(1.0, "a,b.png")).unwrap();
        assert_eq!(text(), "source,model,row,z0,z1\n\"a,b.png\",m,0,1,0.5\n");
        // A crash in the middle of a line, and a program that begins anew.
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"c.png,m,0,7").unwrap();
        let table = Table::new(path.clone());
        table.append(latent(2.0, "c.png")).unwrap();
        table.append(latent(1.0, "a,b.png")).unwrap();
        assert_eq!(text(), "source,model,row,z0,z1\n\"a,b.png\",m,0,1,0.5\nc.png,m,0,2,0.5\n");
        // An editor ends neither the last line nor any other as we do: nothing is lost, nor appended twice.
        let by_hand = "source,model,row,z0,z1\r\n\"a,b.png\",m,0,1,0.5\r\n";
        std::fs::write(&path, format!("{by_hand}mine.png,m,0,3,4")).unwrap();
        table.append(latent(1.0, "a,b.png")).unwrap();
        table.append(latent(2.0, "c.png")).unwrap();
        assert_eq!(text(), format!("{by_hand}c.png,m,0,2,0.5\n"));
        let aside = std::fs::read_to_string(path.with_added_extension("cut")).unwrap();
        assert_eq!(aside, "c.png,m,0,7\nmine.png,m,0,3,4\n");
        std::fs::write(&path, "other\n").unwrap();
        assert_eq!(table.append(latent(1.0, "a")).unwrap_err().kind(), Kind::Config);
    }
}
