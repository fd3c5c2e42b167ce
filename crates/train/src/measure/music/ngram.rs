//! How usual a melody is, by a model of what follows what.

use std::collections::HashMap;

use latentd::media::melody::{Line, Step};

use super::steps;

/// Steps before one that its probability depends on, at most.
const ORDER: usize = 4;

/// How much the shorter context counts beside one occurrence of the longer.
const SHORTER: f64 = 2.0;

/// A step in any key: a move from the note before in half tones (as far as two octaves), hold, or off.
type Token = i8;

const HOLD: Token = 100;
const OFF: Token = 101;

/// Tokens that there are.
const TOKENS: f64 = 51.0;

/// Counts of what followed each context of up to [`ORDER`] steps at each place of a quarter note.
pub struct Ngrams(HashMap<(usize, Vec<Token>), HashMap<Token, u32>>);

impl Ngrams {
    /// Counts over stretches.
    pub fn learn(stretches: &[Vec<Line>]) -> Self {
        let mut counts: HashMap<(usize, Vec<Token>), HashMap<Token, u32>> = HashMap::new();
        for lines in stretches {
            let tokens = tokens(steps(lines));
            for (at, token) in tokens.iter().enumerate() {
                for order in 0..=ORDER.min(at) {
                    let context = (at % 4, tokens[at - order..at].to_vec());
                    *counts.entry(context).or_default().entry(*token).or_default() += 1;
                }
            }
        }
        Self(counts)
    }

    /// The mean surprise of a step, in nats.
    pub fn cost(&self, line: &[Step]) -> f64 {
        let tokens = tokens(line);
        let surprise = (0..tokens.len()).map(|at| {
            let mut probability = 1.0 / TOKENS;
            for order in 0..=ORDER.min(at) {
                let Some(counts) = self.0.get(&(at % 4, tokens[at - order..at].to_vec())) else { break };
                let all: u32 = counts.values().sum();
                let this = counts.get(&tokens[at]).copied().unwrap_or(0);
                probability = (f64::from(this) + SHORTER * probability) / (f64::from(all) + SHORTER);
            }
            -probability.ln()
        });
        surprise.sum::<f64>() / tokens.len().max(1) as f64
    }
}

fn tokens(steps: &[Step]) -> Vec<Token> {
    let mut before = None;
    steps
        .iter()
        .map(|step| match step {
            Step::Hold => HOLD,
            Step::Off => OFF,
            Step::Note(pitch) => {
                let pitch = i16::from(*pitch);
                let moved = pitch - before.unwrap_or(pitch);
                before = Some(pitch);
                moved.clamp(-24, 24) as Token
            }
        })
        .collect()
}
