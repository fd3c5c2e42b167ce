//! A table that grows: results are appended as whole lines to one CSV file. A latent that is there already is not appended again, so work that is
//! done twice, after a crash say, leaves no trace; a line that a crash has torn is put aside before the next one. All lines of a latent follow one on
//! the other: readers know by that what belongs together. Lines may end as Windows ends them.

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

/// What is known of the file's first `length` bytes: signs alone, since the lines themselves may be gigabytes.
#[derive(Debug, Default)]
struct Known {
    /// That of the column names.
    header: Option<u128>,
    /// Those of latents, each of all its lines.
    latents: HashSet<u128>,
    /// That of the latent that the file ends with, as far as it goes.
    last: Option<u128>,
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

    /// Appends a latent, a line for each point, under the name of its input; where that holds the end of a line, it is written as `\n` or `\r`. When this
    /// returns the lines are safe on the disk.
    ///
    /// # Errors
    /// Kind config: the file has other columns. Kind output or transient: it cannot be written. Kind bug: media other than latents.
    pub fn append(&self, media: Media) -> Result<()> {
        let Media::Latent(mut latent) = media else {
            return Err(Error::new(Kind::Bug, format!("a table was given {}", media.kind().with_article())));
        };
        // A line must be one for all who read by lines, this module and `grep` alike.
        latent.source = latent.source.map(|source| source.replace('\n', "\\n").replace('\r', "\\r"));
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
        let torn = self.catch_up(&mut file, known)?;
        if known.length > 0 && known.header != Some(durable::sign(header)) {
            return Err(Error::new(Kind::Config, "the table has other columns than what is to be appended")
                .at(&self.path)
                .mend("name a new file, or move the old one away"));
        }
        let lines: Vec<&[u8]> = rows.split_inclusive(|&byte| byte == b'\n').collect();
        let signs: Vec<u128> =
            lines.iter().scan(None, |before, line| Some(*before.insert(follow(*before, line)))).collect();
        // Of what changed in part all is written: single lines behind those of another input would belong to nothing.
        if signs.last().is_none_or(|whole| known.has(*whole)) {
            return Ok(());
        }
        // What a crash has torn goes on where it was torn.
        let there = signs.iter().position(|sign| torn && known.last == Some(*sign)).map_or(0, |at| at + 1);
        let mut fresh = if known.length == 0 { header.to_vec() } else { Vec::new() };
        fresh.extend(lines[there..].concat());
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
    /// so. Tells whether there was one.
    fn catch_up(&self, file: &mut File, known: &mut Known) -> Result<bool> {
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
            return Ok(false);
        }
        line.push(b'\n');
        let aside = self.path.with_added_extension("cut");
        let kept = durable::open_to_append(&aside);
        kept.and_then(|mut aside| aside.write_all(&line).and_then(|()| aside.sync_data()))
            .map_err(|e| Error::io("write", &aside, e))?;
        tracing::warn!("the last line of {} has no end; it is put into {}", show_path(&self.path), show_path(&aside));
        file.set_len(known.length).map_err(|e| Error::io("write", &self.path, e))?;
        Ok(true)
    }
}

impl Known {
    /// Adds whole lines that follow on what is known.
    fn learn(&mut self, text: &[u8]) {
        for raw in text.split_inclusive(|&byte| byte == b'\n') {
            let unix = raw.strip_suffix(b"\r\n").map(|line| [line, b"\n"].concat());
            let line = unix.as_deref().unwrap_or(raw);
            if self.length == 0 {
                self.header = Some(durable::sign(line));
            } else {
                if begins(line) {
                    self.latents.extend(self.last.take());
                }
                self.last = Some(follow(self.last, line));
            }
            self.length += raw.len() as u64;
        }
    }

    fn has(&self, latent: u128) -> bool {
        self.last == Some(latent) || self.latents.contains(&latent)
    }
}

/// Whether a line is the first of a latent: its third field, `row`, is 0.
fn begins(line: &[u8]) -> bool {
    let mut quoted = false;
    let mut fields = line.split(|&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    fields.nth(2).is_some_and(|row| row.trim_ascii() == b"0")
}

/// The sign of lines, by that of those before the last, if there are any, and the last.
fn follow(before: Option<u128>, line: &[u8]) -> u128 {
    match before {
        None => durable::sign(line),
        Some(before) => durable::sign(&[&before.to_le_bytes()[..], line].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Latent;

    fn latent(value: f32, source: &str) -> Media {
        let values = vec![value, 0.5];
        Media::Latent(Latent { values, size: 2, model: "m".into(), source: Some(source.into()), frame: None })
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

    /// Single lines were left out, and the rest of a tune stood behind another's.
    #[test]
    fn a_latent_of_several_lines_is_there_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let tune = |source: &str, values: &[f32]| Latent {
            values: values.to_vec(),
            size: 1,
            model: "m".into(),
            source: Some(source.into()),
            frame: None,
        };
        let read = || crate::media::latent::read_latents(File::open(&path).unwrap(), &path).unwrap();
        let append = |table: &Table, latents: &[&Latent]| {
            latents.iter().for_each(|latent| table.append(Media::Latent((*latent).clone())).unwrap());
        };
        let (a, b) = (tune("a", &[1.0, 2.0]), tune("b", &[3.0, 4.0, 5.0]));
        // The first bars, the last, a mixture of both, more, and fewer.
        let changed =
            [&[1.0, 6.0][..], &[7.0, 2.0], &[7.0, 6.0], &[1.0, 2.0, 8.0], &[1.0]].map(|values| tune("a", values));
        let table = Table::new(path.clone());
        append(&table, &[&a, &b]);
        append(&table, &changed.iter().collect::<Vec<_>>());
        let mut all = vec![a.clone(), b.clone()];
        all.extend(changed);
        assert_eq!(read(), all);
        for table in [&table, &Table::new(path.clone())] {
            append(table, &all.iter().collect::<Vec<_>>());
            assert_eq!(read(), all, "each once");
        }
        // A crash in the last line of `b`; what is done again first goes on there, behind others it is written anew.
        for (next, wanted) in [([&b, &a], vec![&b, &a]), ([&a, &b], vec![&b, &a, &b])] {
            std::fs::write(&path, "source,model,row,z0\nb,m,0,3\nb,m,1,4\nb,m,2,").unwrap();
            append(&Table::new(path.clone()), &next);
            let found = read();
            assert_eq!(
                found.iter().map(|latent| &latent.source).collect::<Vec<_>>(),
                wanted.iter().map(|latent| &latent.source).collect::<Vec<_>>()
            );
            assert!(found.contains(&a) && found.contains(&b));
        }
    }

    /// Half of it was known from another file of such a name, and left out.
    #[test]
    fn names_with_line_feeds_tear_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let table = Table::new(path.clone());
        for source in ["a\nb", "a\nc", "a\r\nb", "\n", "a\nb", "say \"a\""] {
            table.append(latent(1.0, source)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = [
            "source,model,row,z0,z1",
            "a\\nb,m,0,1,0.5",
            "a\\nc,m,0,1,0.5",
            "a\\r\\nb,m,0,1,0.5",
            "\\n,m,0,1,0.5",
            "\"say \"\"a\"\"\",m,0,1,0.5",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        let found = crate::media::latent::read_latents(File::open(&path).unwrap(), &path).unwrap();
        assert_eq!(found.len(), 5);
    }
}
