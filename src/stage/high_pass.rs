//! `high_pass`: takes away what lies below the voice: rumble, handling noise, hum.

use super::{Context, Site, Stage, each_audio};
use crate::config::{Component, Description, Field, Kind, Presence, Problem};
use crate::error::Result;
use crate::media::audio::{Block, Format, Process};
use crate::media::{Media, MediaKind};

pub(super) const DESCRIPTION: Description = Description {
    name: "high_pass",
    doc: "Takes away sound below a frequency, by a Butterworth filter that falls by 24 dB an octave. It adds no delay.",
    takes: &[MediaKind::Audio],
    gives: &[MediaKind::Audio],
    example: "high_pass: { frequency: 80 }",
    fields: &[Field {
        name: "frequency",
        doc: "Where it is 3 dB down, in Hz.",
        kind: Kind::Measured(&Kind::Number { min: 5.0, max: 5000.0 }, "Hz"),
        presence: Presence::Default("80"),
    }],
};

#[derive(Debug)]
struct HighPass {
    frequency: f64,
}

pub(super) fn build(component: &Component, _: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    Ok(Box::new(HighPass { frequency: component.settings.number("frequency") }))
}

impl Stage for HighPass {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Audio
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each_audio(media, |audio| {
            let filter = Filter::new(audio.format(), self.frequency);
            Ok(audio.through(filter))
        })
    }

    fn live(&self, format: Format) -> Result<Option<Box<dyn Process>>> {
        Ok(Some(Box::new(Filter::new(format, self.frequency))))
    }
}

/// Quality factors of the two sections of a Butterworth filter of order 4: 1 / (2 cos(pi / 8)) and 1 / (2 cos(3 pi / 8)).
const SECTIONS: [f64; 2] = [0.541_196_100_146_197, 1.306_562_964_876_377];

struct Filter {
    format: Format,
    sections: [Biquad; 2],
    /// For each channel and section, the two values that it remembers.
    memory: Vec<[[f64; 2]; 2]>,
}

#[derive(Clone, Copy)]
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    /// A high-pass section by the bilinear transform, as in Bristow-Johnson's "Cookbook formulae for audio EQ biquad filter coefficients".
    fn high_pass(frequency: f64, rate: f64, quality: f64) -> Biquad {
        let w = 2.0 * std::f64::consts::PI * (frequency / rate).min(0.49);
        let alpha = w.sin() / (2.0 * quality);
        let (a0, cos) = (1.0 + alpha, w.cos());
        let b = (1.0 + cos) / 2.0 / a0;
        Biquad { b: [b, -2.0 * b, b], a: [-2.0 * cos / a0, (1.0 - alpha) / a0] }
    }

    /// One sample, in the transposed direct form II.
    fn step(&self, memory: &mut [f64; 2], x: f64) -> f64 {
        let y = self.b[0] * x + memory[0];
        memory[0] = self.b[1] * x - self.a[0] * y + memory[1];
        memory[1] = self.b[2] * x - self.a[1] * y;
        // In silence what is remembered falls for ever; below this it is nothing, and denormal numbers would be slow.
        memory.iter_mut().filter(|m| m.abs() < 1e-20).for_each(|m| *m = 0.0);
        y
    }
}

impl Filter {
    fn new(format: Format, frequency: f64) -> Filter {
        let sections = SECTIONS.map(|quality| Biquad::high_pass(frequency, f64::from(format.rate), quality));
        Filter { format, sections, memory: vec![[[0.0; 2]; 2]; format.channels] }
    }
}

impl Process for Filter {
    fn output(&self) -> Format {
        self.format
    }

    fn delay(&self) -> usize {
        0
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        output.clear();
        output.append(input);
        for (plane, memory) in output.planes_mut().iter_mut().zip(&mut self.memory) {
            for sample in plane {
                let first = self.sections[0].step(&mut memory[0], f64::from(*sample));
                *sample = self.sections[1].step(&mut memory[1], first) as f32;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gain in dB at `hz`.
    fn gain(hz: f64) -> f64 {
        let rate = 48_000;
        let mut filter = Filter::new(Format { rate, channels: 1 }, 80.0);
        let sine: Vec<f32> =
            (0..rate).map(|n| (2.0 * std::f64::consts::PI * hz * f64::from(n) / 48_000.0).sin() as f32).collect();
        let mut output = Block::new(1);
        filter.process(&Block::from_planes(vec![sine]), &mut output).unwrap();
        let settled = &output.plane(0)[24_000..];
        let power = settled.iter().map(|v| f64::from(v * v)).sum::<f64>() / settled.len() as f64;
        10.0 * (2.0 * power).log10()
    }

    #[test]
    fn it_falls_by_24_decibels_an_octave() {
        assert!((gain(80.0) + 3.0).abs() < 0.1, "{}", gain(80.0));
        assert!((gain(40.0) + 24.1).abs() < 0.5, "{}", gain(40.0));
        assert!(gain(1000.0).abs() < 0.01);
    }

    /// What it remembers of a sound fell for ever, into numbers that some processors are slow with.
    #[test]
    fn in_silence_it_forgets() {
        let mut filter = Filter::new(Format { rate: 48_000, channels: 1 }, 80.0);
        let mut output = Block::new(1);
        let mut sound: Vec<f32> = (0..4800).map(|n| (n as f32 * 0.03).sin() * (n as f32 * 0.5).cos()).collect();
        // Floats of 64 bits are denormal after four seconds.
        sound.resize(6 * 48_000, 0.0);
        for samples in sound.chunks(48) {
            filter.process(&Block::from_planes(vec![samples.to_vec()]), &mut output).unwrap();
            let mut remembered = filter.memory.iter().flatten().flatten();
            assert!(remembered.all(|value| !value.is_subnormal()), "{:?}", filter.memory);
            assert!(output.plane(0).iter().all(|sample| !sample.is_subnormal()), "{:?}", output.plane(0));
        }
        assert_eq!(filter.memory, [[[0.0; 2]; 2]]);
    }
}
