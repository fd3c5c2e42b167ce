//! Which tunes are versions of one another, in whatever key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use latentd::media::melody::{Line, onsets};

use super::Tune;

/// Notes in a phrase that is looked for in other tunes.
const PHRASE: usize = 10;

/// Tunes are versions of one another when they share this part of the shorter one's phrases.
const SHARED: f64 = 0.2;

/// Phrases of so many tunes are commonplaces and prove nothing.
const COMMONPLACE: usize = 30;

/// For each tune the number of its family: the first tune that it is connected to by likeness or by being of one piece.
pub fn families(tunes: &[Tune]) -> Vec<usize> {
    let phrases: Vec<BTreeSet<Phrase>> = tunes.iter().map(|tune| phrases(&tune.lines)).collect();
    let mut holders: HashMap<&Phrase, Vec<usize>> = HashMap::new();
    for (tune, phrases) in phrases.iter().enumerate() {
        phrases.iter().for_each(|phrase| holders.entry(phrase).or_default().push(tune));
    }
    let mut shared: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for tunes in holders.values().filter(|tunes| tunes.len() <= COMMONPLACE) {
        for (at, a) in tunes.iter().enumerate() {
            tunes[at + 1..].iter().for_each(|b| *shared.entry((*a, *b)).or_default() += 1);
        }
    }
    let mut parent: Vec<usize> = (0..tunes.len()).collect();
    for ((a, b), count) in shared {
        let shorter = phrases[a].len().min(phrases[b].len());
        if count as f64 >= SHARED * shorter as f64 {
            join(&mut parent, a, b);
        }
    }
    let mut pieces: HashMap<&str, usize> = HashMap::new();
    for (at, tune) in tunes.iter().enumerate() {
        let first = *pieces.entry(&tune.piece).or_insert(at);
        join(&mut parent, first, at);
    }
    (0..tunes.len()).map(|tune| root(&mut parent, tune)).collect()
}

/// Steps up or down and lengths, so that a phrase is the same in any key.
type Phrase = [(i16, u16); PHRASE];

fn phrases(lines: &[Line]) -> BTreeSet<Phrase> {
    let Some(Line::Notes(steps)) = lines.first() else { return BTreeSet::new() };
    let onsets: Vec<(usize, i16)> = onsets(steps).map(|(at, pitch)| (at, i16::from(pitch))).collect();
    let moves: Vec<(i16, u16)> =
        onsets.windows(2).map(|w| (w[1].1 - w[0].1, (w[1].0 - w[0].0).min(64) as u16)).collect();
    moves.windows(PHRASE).filter_map(|phrase| phrase.try_into().ok()).collect()
}

fn join(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b)] = a.min(b);
}

fn root(parent: &mut [usize], mut of: usize) -> usize {
    while parent[of] != of {
        parent[of] = parent[parent[of]];
        of = parent[of];
    }
    of
}
