//! The way of one job through a pipeline: open, claim, decode, stages, sink, originals. Each step is durable before the next one begins, so
//! that a crash between any two of them loses nothing and repeats nothing.

use std::fs::File;
use std::io::Seek;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use sha2::{Digest, Sha256};

use super::Pipeline;
use super::flight::{Flight, Watched, watched};
use super::ledger::{Claim, Key, Ledger, Verdict};
use super::open::open;
use crate::crew::Crew;
use crate::durable::{self, Publication, Sealed, Stamp};
use crate::error::{Error, Kind, Result};
use crate::media::image::{Depth, Layout, Samples};
use crate::media::{self, Media};
use crate::sink::{Originals, Written};
use crate::stage::Stage;

/// Bytes of a file that are read in a moment; of a larger one it is seen first whether it can be what it should be.
const LITTLE: u64 = 64 << 20;

/// A file to be worked on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// Where it lies.
    pub path: PathBuf,
    /// Its path within its source, mirrored by the sink.
    pub relative: PathBuf,
    /// Its state when it was found ready.
    pub stamp: Stamp,
}

/// Work to be done: one input, or as many as the source groups.
#[derive(Debug)]
pub struct Job {
    /// Whose it is.
    pub pipeline: Arc<Pipeline>,
    /// What it is made of, in this order.
    pub inputs: Vec<Input>,
    /// Who remembers what became of it.
    pub ledger: Arc<dyn Ledger>,
    /// Where the ticket goes home.
    pub home: Sender<Ticket>,
}

/// What became of a job; the only thing that travels back.
#[derive(Debug)]
pub struct Ticket {
    /// The job's inputs.
    pub inputs: Vec<Input>,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub elapsed: Duration,
    /// How long each stage took, as far as it came.
    pub stages: Vec<(&'static str, Duration)>,
    /// That it is done, but its originals could not be taken away: what the ledger calls it, and why.
    pub unsettled: Option<(Key, Error)>,
}

/// How a job ended.
#[derive(Debug)]
pub enum Outcome {
    /// Its results are safe, here.
    Done(Vec<PathBuf>),
    /// The same contents under the same name were done before, and the results are still here.
    Known(Vec<PathBuf>),
    /// An input was gone, or has changed meanwhile: no result, and no fault of anyone's.
    Vanished,
    /// It failed; the inputs are unchanged.
    Failed {
        /// Why.
        error: Error,
        /// Which of the inputs it is about, if not all of them.
        culprit: Option<usize>,
    },
    /// The daemon is stopping, and it was not begun.
    Dropped,
}

/// An error, and the input that is to blame if it is one.
type Blame = (Error, Option<usize>);

impl Job {
    /// Does the work, on this thread and on idle helpers of the crew, and gives the ticket to send home.
    pub(super) fn run(&self, crew: &Crew, flight: &Arc<Flight>) -> Ticket {
        let begin = Instant::now();
        let mut attempt = Attempt { job: self, flight, stages: Vec::new(), unsettled: None };
        let crew = crew.until(flight.stop());
        let outcome = catch_unwind(AssertUnwindSafe(|| attempt.work(&crew))).unwrap_or_else(|_| {
            let first = self.inputs.first().map(|input| input.relative.clone()).unwrap_or_default();
            let error = Error::new(Kind::Bug, "latentd stumbled over this file").at(&first);
            Err((error.mend("please report it, with the file if you can"), None))
        });
        let outcome = outcome.unwrap_or_else(|(error, culprit)| {
            let unchanged = self.inputs.iter().all(Input::is_unchanged);
            // Of a job that was given up the watchdog has told: what this thread adds late might be noted over a later try that went well.
            let _ = flight.publish();
            if let Some(key) = flight.take_claim() {
                self.ledger.failed(key, &error.to_string());
            }
            match unchanged {
                true => Outcome::Failed { error, culprit },
                // A writer that was slower than it seemed, or a user who thought better of it: not a bad file.
                false => Outcome::Vanished,
            }
        });
        let Attempt { stages, unsettled, .. } = attempt;
        Ticket { inputs: self.inputs.clone(), outcome, elapsed: begin.elapsed(), stages, unsettled }
    }
}

/// One try at a job.
struct Attempt<'a> {
    job: &'a Job,
    flight: &'a Arc<Flight>,
    stages: Vec<(&'static str, Duration)>,
    unsettled: Option<(Key, Error)>,
}

impl Attempt<'_> {
    fn work(&mut self, crew: &Crew) -> Result<Outcome, Blame> {
        let job = self.job;
        let (pipeline, ledger) = (&job.pipeline, &job.ledger);
        let all = |error| (error, None);
        let begin = Instant::now();
        let (claim, files) = self.open()?;
        self.flight.check().map_err(all)?;
        let verdict = ledger.claim(claim.clone()).map_err(all)?;
        if let Verdict::Known(results) = &verdict {
            // What was gathered left no file of its own: only the table knows, and takes no line twice.
            let there = !results.is_empty() && results.iter().all(|result| self.is_there(result));
            // Comparing takes a while as well, and originals may only be taken away by whoever tells what became of the job.
            match there {
                true => self.flight.publish().map_err(all)?,
                false => self.flight.check().map_err(all)?,
            }
            ledger.known(claim.clone(), there).map_err(all)?;
            if there {
                self.dispose(claim.key);
                return Ok(Outcome::Known(results.iter().map(|result| result.target.clone()).collect()));
            }
        }
        // Not before: what the ledger has as done is not to be noted as failed.
        self.flight.claimed(claim.key).map_err(all)?;
        if let Verdict::Deadly(times) = verdict {
            let e = Error::new(Kind::Input, format!("latentd has ended {times} times while it worked on this"));
            return Err((e.mend("please report it, with the file if you can"), None));
        }
        let original = match &files[..] {
            [file] if pipeline.sink.copies() => file.try_clone().ok(),
            _ => None,
        };
        let mut media = Vec::new();
        for (index, (file, input)) in files.into_iter().zip(&job.inputs).enumerate() {
            media.push(self.decode(file, input).map_err(|error| (error, Some(index)))?);
        }
        let came = original.as_ref().filter(|_| keeps_size(&pipeline.stages, &media)).and_then(|_| sign(&media));
        let results = self.process(media, crew).map_err(|error| {
            let culprit = error.part();
            (error, culprit)
        })?;
        // A file that loses by being written again, as JPEG does, stays what it is where no stage changed the picture.
        let mut original = original.filter(|_| came.is_some() && sign(&results) == came);
        let relative: Vec<&Path> = job.inputs.iter().map(|input| input.relative.as_path()).collect();
        let (mut sealed, mut gathered) = (Vec::new(), Vec::new());
        // A line in a table is there for good.
        if pipeline.sink.gathers() {
            self.insist()?;
        }
        let each_its_own = results.len() == relative.len();
        for (index, result) in results.into_iter().enumerate() {
            let mut result = watched(result, self.flight);
            // By which `decode` gives results their names again.
            if let Media::Latent(latent) = &mut result {
                let input = relative.get(if each_its_own { index } else { 0 });
                let source = || input.map(|input| input.to_string_lossy().into_owned());
                latent.source = latent.source.take().or_else(source);
            }
            let written = pipeline.sink.draft(result, original.take(), &relative, &pipeline.name, index + 1);
            // A full disk is no input's fault.
            let blame = |error: Error| {
                let culprit = (each_its_own && error.kind() == Kind::Input).then_some(index);
                (error, culprit)
            };
            match written.map_err(blame)? {
                Written::Sealed(file) => {
                    self.see_that_it_ends(&file).map_err(|error| (error, (job.inputs.len() == 1).then_some(0)))?;
                    sealed.push(file);
                }
                Written::Gathered(table) => gathered.push(table),
            }
        }
        if !pipeline.sink.gathers() {
            self.insist()?;
        }
        let intend = |planned: &[Publication]| ledger.intend(claim.key, planned);
        let results = durable::publish(sealed, pipeline.sink.collision, intend).map_err(all)?;
        let stay = pipeline.sink.originals == Originals::Keep;
        match ledger.done(claim.key, &results, begin.elapsed().as_secs_f64(), stay) {
            Ok(()) => self.dispose(claim.key),
            // The results are there, under names that are noted as intended: the originals have not to wait for the next start to see that.
            Err(e) => self.unsettled = Some((claim.key, e)),
        }
        gathered.extend(results.into_iter().map(|r| r.target));
        Ok(Outcome::Done(gathered))
    }

    /// Refuses a result that would be the next input: a sink above a watched folder mirrors a folder of that name into it.
    fn see_that_it_ends(&self, result: &Sealed) -> Result<()> {
        let target = result.target();
        if !self.job.ledger.remembers() || !self.job.pipeline.source.accepts(target) {
            return Ok(());
        }
        let e = Error::new(Kind::Input, "its result would lie in the folder that is watched, and be taken as an input")
            .at(target);
        Err(e.mend("give the folder in which it came another name, or have the sink beside the source"))
    }

    /// Whether a result is still what it was when it got its name.
    fn is_there(&self, result: &Publication) -> bool {
        self.flight.check().is_ok() && durable::digest_of(&result.target).is_ok_and(|digest| digest == result.digest)
    }

    /// From here on the results are wanted whatever comes. Work takes a while: what changed meanwhile is done anew as what it is now, and
    /// these results are not wanted.
    fn insist(&self) -> Result<(), Blame> {
        let inputs = &self.job.inputs;
        if let Some(index) = inputs.iter().position(|input| !input.is_unchanged()) {
            let e = Error::new(Kind::NoInput, "it changed while it was worked on").at(&inputs[index].path);
            return Err((e, Some(index)));
        }
        self.flight.publish().map_err(|error| (error, None))
    }

    /// Opens all inputs; from here to the decoder it is the same descriptors, whatever becomes of the names.
    fn open(&self) -> Result<(Claim, Vec<File>), Blame> {
        let job = self.job;
        let mut key = Sha256::new();
        let mut add = |bytes: &[u8]| {
            key.update((bytes.len() as u64).to_le_bytes());
            key.update(bytes);
        };
        add(job.pipeline.fingerprint.results.as_bytes());
        let (mut files, mut inputs) = (Vec::new(), Vec::new());
        for (index, input) in job.inputs.iter().enumerate() {
            let blame = |error| (error, Some(index));
            let io = |e| blame(Error::io("read", &input.path, e));
            let mut file = open(&input.path, &input.relative).map_err(blame)?;
            if Stamp::from(&file.metadata().map_err(io)?) != input.stamp {
                return Err(blame(Error::new(Kind::NoInput, "it changed before it was read").at(&input.path)));
            }
            add(input.relative.as_os_str().as_encoded_bytes());
            // What is too large will be refused, as is what is no such file at all, and shall not cost a reading before that.
            if job.ledger.remembers() && input.stamp.length <= job.pipeline.source.limits.max_bytes {
                if input.stamp.length > LITTLE {
                    media::glance(job.pipeline.takes, &mut file, &input.relative).map_err(blame)?;
                    file.rewind().map_err(io)?;
                }
                add(&durable::digest(&mut Watched(&mut file, self.flight)).map_err(io)?);
                file.rewind().map_err(io)?;
            }
            files.push(file);
            inputs.push((input.relative.clone(), input.stamp));
        }
        Ok((Claim { key: key.finalize().into(), inputs, fingerprint: job.pipeline.fingerprint.results.clone() }, files))
    }

    fn decode(&self, file: File, input: &Input) -> Result<Media> {
        let pipeline = &self.job.pipeline;
        let media = media::read(pipeline.takes, file, &input.relative, &pipeline.source.limits)?;
        Ok(watched(media, self.flight))
    }

    fn process(&mut self, media: Vec<Media>, crew: &Crew) -> Result<Vec<Media>> {
        let (flight, stages) = (self.flight, &mut self.stages);
        self.job.pipeline.process_watched(media, crew, &mut |name, time| {
            stages.push((name, time));
            flight.check()
        })
    }

    /// Sees to the originals. One that cannot be moved or deleted stays, and that undoes nothing.
    fn dispose(&mut self, key: Key) {
        let sink = &self.job.pipeline.sink;
        if sink.originals == Originals::Keep {
            return;
        }
        for input in self.job.inputs.iter().filter(|input| input.is_unchanged()) {
            if let Err(e) = sink.dispose(&input.path, &input.relative, input.stamp) {
                self.unsettled = Some((key, e));
                return;
            }
        }
        self.job.ledger.settled(key);
    }
}

/// Whether stages leave a picture as large as it is: those that do not have changed it, and nothing need be read to know that.
fn keeps_size(stages: &[Box<dyn Stage>], media: &[Media]) -> bool {
    let size = media.first().map_or((0, 0), Media::size);
    stages.iter().fold(size, |(width, height), stage| stage.size(width, height)) == size
}

/// What a picture that is alone is known by: its size, channels and depth, and all of its samples.
fn sign(media: &[Media]) -> Option<(usize, usize, Layout, Depth, u128)> {
    let [Media::Image(image)] = media else { return None };
    let samples = match &image.samples {
        Samples::U8(samples) => durable::sign(samples),
        Samples::U16(samples) => durable::sign(bytemuck::cast_slice(samples)),
    };
    Some((image.width, image.height, image.layout, image.depth, samples))
}

impl Input {
    /// Whether the file is still the one that was found.
    pub fn is_unchanged(&self) -> bool {
        Stamp::of(&self.path).is_ok_and(|now| now == self.stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaKind;
    use crate::pipeline::stub::Notes;
    use crate::sink::FolderSink;
    use crate::source::FolderSource;

    /// A job without inputs whose originals are deleted.
    fn job(root: &Path, ledger: Arc<dyn Ledger>) -> Job {
        let mut sink = FolderSink::new(&root.join("out"), MediaKind::Image);
        sink.originals = Originals::Delete;
        let pipeline = Arc::new(Pipeline::new("test", FolderSource::everything(root), Vec::new(), sink));
        let (home, _) = crossbeam::channel::unbounded();
        Job { pipeline, inputs: Vec::new(), ledger, home }
    }

    /// While large results were compared the watchdog sent the ticket, and then the original was deleted all the same.
    #[test]
    fn an_original_stays_whose_job_is_given_up_while_known_results_are_compared() {
        for in_time in [true, false] {
            let root = tempfile::tempdir().unwrap();
            let [path, target] = ["a.png", "result.png"].map(|name| root.path().join(name));
            std::fs::write(&path, "a picture").unwrap();
            std::fs::write(&target, "a smaller one").unwrap();
            let digest = durable::digest_of(&target).unwrap();
            let flight = Arc::new(Flight::default());
            let watched = Arc::clone(&flight);
            let notes = Notes::answering(move || {
                assert!(in_time || watched.give_up());
                Verdict::Known(vec![Publication { draft: PathBuf::new(), target: target.clone(), digest }])
            });
            let mut job = job(root.path(), notes.clone());
            let stamp = Stamp::of(&path).unwrap();
            job.inputs.push(Input { path: path.clone(), relative: "a.png".into(), stamp });
            let ticket = job.run(&Crew::alone(), &flight);
            assert_eq!(matches!(ticket.outcome, Outcome::Known(_)), in_time, "{ticket:?}");
            assert!(!flight.give_up(), "it is over, or was given up before");
            assert_eq!(path.exists(), !in_time);
            // Nor is what is done noted as failed.
            let told: &[&str] = if in_time { &["claim", "known true", "settled"] } else { &["claim"] };
            assert_eq!(notes.told(), told);
        }
    }
}
