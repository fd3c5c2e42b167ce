//! Which voice of a MIDI file is the melody, as verbs that encode ask for it.

use crate::media::melody::Choice;

/// `--track` and `--channel`.
#[derive(Debug, clap::Args)]
pub struct Voice {
    /// The melody is on this track of each file, counted from 1
    #[arg(long, conflicts_with = "channel", value_parser = clap::value_parser!(u16).range(1..))]
    track: Option<u16>,
    /// The melody is on this channel of each file, counted from 1
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=16))]
    channel: Option<u16>,
}

impl Voice {
    /// As codecs are told.
    pub fn choice(&self) -> Choice {
        Choice::of(self.track.map(usize::from), self.channel.map(usize::from))
    }
}
