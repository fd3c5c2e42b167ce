//! What the inputs' results are called: which are there already, and which inputs share a name, so that each gets the same one whenever it is its turn.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use super::super::apart::{is_sized, pieces};
use crate::durable::{Collision, Stamp, names};
use crate::pipeline::{Input, Pipeline};

/// What one job works on.
pub type Inputs = Vec<Input>;

/// Where result `index` of a job, from 1, would go if nothing else had its name.
pub fn expected(pipeline: &Pipeline, inputs: &[Input], index: usize) -> PathBuf {
    pipeline.sink.expected(&relative(inputs), &pipeline.name, index)
}

/// The same for the first result, whether other inputs have a better right to it or not.
fn named(pipeline: &Pipeline, inputs: &[Input]) -> PathBuf {
    pipeline.sink.named(&relative(inputs), &pipeline.name)
}

fn relative(inputs: &[Input]) -> Vec<&Path> {
    inputs.iter().map(|input| input.relative.as_path()).collect()
}

fn paths(inputs: &[Input]) -> Vec<PathBuf> {
    inputs.iter().map(|input| input.path.clone()).collect()
}

/// Why names do not tell which inputs results are of, if they do not.
pub fn names_tell_nothing(pipeline: &Pipeline) -> Option<&'static str> {
    let sink = &pipeline.sink;
    if sink.gathers() {
        Some("a table does not tell which inputs it holds, but takes no line twice")
    } else if !sink.name.tells_inputs() {
        Some("the pipeline's names do not tell which inputs results are of")
    } else if is_sized(&sink.named(&[Path::new("a")], "")) {
        Some("names with a size in them are known only when the results are there")
    } else {
        None
    }
}

/// Whether results whose name is taken get another, by which it can be told whose they are.
fn are_numbered(pipeline: &Pipeline) -> bool {
    pipeline.sink.collision == Collision::Rename && names_tell_nothing(pipeline).is_none()
}

/// Puts jobs whose results share a name into an order that no run changes: first the input that has the name itself, then by path. The others stay where
/// they are.
pub fn order(pipeline: &Pipeline, groups: &mut [Inputs]) {
    let mut places: HashMap<PathBuf, Vec<usize>> = HashMap::new();
    for (at, inputs) in groups.iter().enumerate() {
        places.entry(named(pipeline, inputs)).or_default().push(at);
    }
    for (name, places) in places.into_iter().filter(|(_, places)| places.len() > 1) {
        let mut sharing: Vec<Inputs> = places.iter().map(|at| std::mem::take(&mut groups[*at])).collect();
        sharing.sort_by_cached_key(|inputs| {
            let has_it = inputs.len() == 1 && inputs[0].relative.file_name() == name.file_name();
            (!has_it, paths(inputs))
        });
        for (at, inputs) in places.into_iter().zip(sharing) {
            groups[at] = inputs;
        }
    }
}

/// Takes out the jobs whose results are there, in their order, and tells of them. A result is that of one job only, and of none whose inputs were changed
/// since.
pub fn pass_over(pipeline: &Pipeline, groups: &mut Vec<Inputs>) {
    if let Some(why) = names_tell_nothing(pipeline) {
        tracing::warn!("`--skip-existing` passes over nothing: {why}");
        return;
    }
    let count = pieces(pipeline);
    let wanted: Vec<Vec<PathBuf>> =
        groups.iter().map(|inputs| (1..=count).map(|index| expected(pipeline, inputs, index)).collect()).collect();
    let mut sharing: HashMap<&Path, usize> = HashMap::new();
    wanted.iter().for_each(|results| *sharing.entry(results[0].as_path()).or_default() += 1);
    let exact: HashSet<&Path> = wanted.iter().flatten().map(PathBuf::as_path).collect();
    let mut taken: HashSet<PathBuf> = HashSet::new();
    let (mut older, mut there) = (0, vec![false; groups.len()]);
    for ((inputs, results), there) in groups.iter().zip(&wanted).zip(&mut there) {
        let is_shared = sharing.get(results[0].as_path()).is_some_and(|count| *count > 1);
        let (mut own, mut is_older) = (Vec::new(), false);
        for result in results {
            let numbers = if pipeline.sink.collision == Collision::Rename { usize::MAX } else { 1 };
            // As far as names are given without a gap.
            let given = names(result).take(numbers).map_while(|path| Stamp::of(&path).ok().map(|stamp| (path, stamp)));
            let is_others = |path: &PathBuf| path != result && exact.contains(path.as_path());
            let found = given
                .filter(|(path, _)| !is_others(path) && !taken.contains(path) && !own.contains(path))
                .find(|(_, result)| {
                    let stale = inputs.iter().any(|input| is_newer(&input.stamp, result, is_shared));
                    is_older |= stale;
                    !stale
                });
            own.extend(found.map(|(path, _)| path));
        }
        *there = own.len() == results.len();
        match *there {
            true if pipeline.sink.collision == Collision::Rename => taken.extend(own),
            true => {}
            // Of those that share a name nobody knows whose the older one is.
            false => older += usize::from(is_older && !is_shared),
        }
    }
    let mut there = there.into_iter();
    let before = groups.len();
    groups.retain(|_| !there.next().unwrap_or_default());
    if groups.len() < before {
        tracing::info!("{} passed over: their results are there", before - groups.len());
    }
    if older > 0 {
        tracing::info!("{older} worked on again: newer than their results");
    }
}

/// Whether an input came to be what it is after its result was made. Writing sets both of its times; one alone may be a camera's clock, or a change of
/// mode. Where inputs share a name, one that only came into the folder later is not what the result was made of.
fn is_newer(input: &Stamp, result: &Stamp, is_shared: bool) -> bool {
    let (written, came) = (input.modified > result.modified, input.changed > result.modified);
    match input.changed {
        0 => written,
        _ => came && (written || is_shared),
    }
}

/// Names that results should have and that are taken before the work begins.
pub fn taken(pipeline: &Pipeline, groups: &[Inputs]) -> HashSet<PathBuf> {
    if !are_numbered(pipeline) {
        return HashSet::new();
    }
    let results = groups.iter().map(|inputs| expected(pipeline, inputs, 1));
    results.filter(|result| Stamp::of(result).is_ok()).collect()
}

/// Whose turn it is: of jobs whose results share a name one at a time, so that names are numbered in the same order in every run.
#[derive(Debug, Default)]
pub struct Turns {
    /// By the inputs of the job before.
    waiting: HashMap<Vec<PathBuf>, VecDeque<Inputs>>,
}

impl Turns {
    /// The jobs that may begin at once, and the turns of the others.
    pub fn of(pipeline: &Pipeline, groups: Vec<Inputs>) -> (Vec<Inputs>, Turns) {
        let mut turns = Turns::default();
        if !are_numbered(pipeline) {
            return (groups, turns);
        }
        let mut last: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
        let mut first = Vec::new();
        for inputs in groups {
            match last.insert(named(pipeline, &inputs), paths(&inputs)) {
                Some(before) => turns.waiting.entry(before).or_default().push_back(inputs),
                None => first.push(inputs),
            }
        }
        (first, turns)
    }

    /// Whether all have begun.
    pub fn are_over(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The job that may begin now that one of these inputs is over.
    pub fn after(&mut self, inputs: &[Input]) -> Option<Inputs> {
        let before = paths(inputs);
        let waiting = self.waiting.get_mut(&before)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&before);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaKind;
    use crate::sink::FolderSink;
    use crate::source::FolderSource;

    fn stamp(modified: i128, changed: i128) -> Stamp {
        Stamp { modified, changed, ..Stamp::default() }
    }

    #[test]
    fn one_time_alone_tells_of_no_change() {
        let result = stamp(10, 10);
        for (input, alone, shared) in [
            (stamp(5, 5), false, false),
            (stamp(20, 20), true, true),
            // A clock that is fast; a file that was copied with its time, or had its mode changed; a system without the second time.
            (stamp(20, 5), false, false),
            (stamp(5, 20), false, true),
            (stamp(20, 0), true, true),
        ] {
            assert_eq!([is_newer(&input, &result, false), is_newer(&input, &result, true)], [alone, shared]);
        }
    }

    #[test]
    fn those_of_one_name_take_turns() {
        let folder = Path::new("/nowhere");
        let (source, sink) = (FolderSource::everything(folder), FolderSink::new(folder, MediaKind::Image));
        let pipeline = Pipeline::new("test", source, Vec::new(), sink);
        let input = |name: &str| Input { path: name.into(), relative: name.into(), ..Input::default() };
        let mut groups: Vec<Inputs> = ["a.gif", "b.png", "a.png", "a.dat"].map(|name| vec![input(name)]).into();
        order(&pipeline, &mut groups);
        let all: Vec<PathBuf> = groups.iter().flat_map(|inputs| paths(inputs)).collect();
        assert_eq!(all, ["a.png", "b.png", "a.dat", "a.gif"].map(PathBuf::from));
        let (first, mut turns) = Turns::of(&pipeline, groups);
        assert_eq!(first, [[input("a.png")], [input("b.png")]]);
        assert_eq!(turns.after(&[input("b.png")]), None);
        assert_eq!(turns.after(&[input("a.png")]), Some(vec![input("a.dat")]));
        assert!(!turns.are_over());
        assert_eq!(turns.after(&[input("a.dat")]), Some(vec![input("a.gif")]));
        assert!(turns.are_over() && turns.after(&[input("a.gif")]).is_none());
    }
}
