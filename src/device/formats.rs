//! Which of the configurations that a device offers needs the least converting.

use cpal::{SampleFormat, SupportedStreamConfigRange};

/// Formats by how much of the sound they keep and how little it takes to convert them.
const FORMATS: &[SampleFormat] = &[
    SampleFormat::F32,
    SampleFormat::I32,
    SampleFormat::I24,
    SampleFormat::I16,
    SampleFormat::F64,
    SampleFormat::U32,
    SampleFormat::U16,
    SampleFormat::U8,
    SampleFormat::I8,
];

/// The configuration that needs the least converting: the wanted rate if there is one with it, the device's own channels, the best format.
pub(super) fn best(
    ranges: &[SupportedStreamConfigRange],
    own: Option<(u16, u32)>,
    rate: u32,
) -> Option<(&SupportedStreamConfigRange, u32)> {
    let (own_channels, own_rate) = own.map_or((None, rate), |(channels, rate)| (Some(channels), rate));
    let reach = |range: &SupportedStreamConfigRange| {
        [rate, own_rate]
            .into_iter()
            .find(|r| (range.min_sample_rate()..=range.max_sample_rate()).contains(r))
            .unwrap_or(if range.max_sample_rate() < rate { range.max_sample_rate() } else { range.min_sample_rate() })
    };
    let known = ranges.iter().filter_map(|range| {
        let format = FORMATS.iter().position(|f| *f == range.sample_format())?;
        let channels = own_channels.map_or(range.channels(), |own| range.channels().abs_diff(own));
        // Too high a rate loses nothing, too low a one does: the nearest above, or else the highest.
        let reached = reach(range);
        Some((((reached < rate, reached.abs_diff(rate)), channels, format), range))
    });
    known.min_by_key(|(cost, _)| *cost).map(|(_, range)| (range, reach(range)))
}

#[cfg(test)]
mod tests {
    use cpal::SupportedBufferSize;

    use super::*;

    #[test]
    fn of_rates_without_the_wanted_one_the_nearest_is_taken() {
        let range =
            |rate| SupportedStreamConfigRange::new(1, rate, rate, SupportedBufferSize::Unknown, SampleFormat::I16);
        let chosen = |rates: &[u32]| {
            let ranges: Vec<_> = rates.iter().copied().map(range).collect();
            best(&ranges, None, 48_000).map(|(_, rate)| rate)
        };
        assert_eq!(chosen(&[8_000, 16_000, 44_100]), Some(44_100));
        assert_eq!(chosen(&[8_000, 16_000]), Some(16_000));
        assert_eq!(chosen(&[44_100, 96_000, 192_000]), Some(96_000));
        assert_eq!(chosen(&[8_000, 44_100, 48_000, 96_000]), Some(48_000));
    }
}
