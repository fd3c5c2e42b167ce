//! How a spectrum is laid out for the network: in three zones, finer where speech is.
//!
//! Up to 8 kHz the network sees every bin and answers with a complex factor for each; above, it sees 16 bands and answers
//! with a gain for each. Up to 3.2 kHz it sees the last few frames as well, and answers with a factor for each bin of each:
//! what comes out is a filter over time (deep filtering: Mack and Habets 2019, Schröter et al. 2022, "DeepFilterNet"),
//! which tells harmonics apart that lie closer than a frame of 20 ms can. Neighbouring points are gathered into positions,
//! each of which the network gives one vector.

use realfft::num_complex::Complex;

use crate::dsp::math::power;

/// Samples of a frame, and of the transform: 20 ms at 48 kHz.
pub const WINDOW: usize = 960;

/// Samples from a frame to the next.
pub const HOP: usize = 480;

/// Bins of a frame, 50 Hz apart.
pub const BINS: usize = WINDOW / 2 + 1;

/// Bins below the bands, 0 to 8 kHz.
pub const FINE: usize = 160;

/// Bands above.
pub const BANDS: usize = 16;

/// Positions in all.
pub const POSITIONS: usize = 32;

/// Magnitudes are compressed to this power, close to how loudness grows.
pub const COMPRESSION: f32 = 0.3;

/// Added to the power of a bin before it is compressed: -78 dB beside speech of an ordinary level.
pub const FLOOR: f32 = 1e-7;

/// Frames before the present one that the filter over time reaches back.
pub const PAST: usize = 4;

/// Values of the factor's cube root beyond this are cut: no bin is made louder than 2.2 times. Factors of frames before are
/// cut there as they are.
pub const LIMIT: f32 = 1.3;

/// The share of the noisy sound that a published network leaves in what it gives, -30 dB: it hides what artefacts there are,
/// and speech is the better for it by PESQ, STOI and DNSMOS.
pub const KEPT: f32 = 0.03;

/// One zone.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    /// Its name in the network.
    pub name: &'static str,
    /// The first point.
    pub first: usize,
    /// Points that a position answers for.
    pub points: usize,
    /// Points that it sees beyond them, on each side.
    pub overlap: usize,
    /// Positions.
    pub positions: usize,
    /// Values of a point going in: real and imaginary part and magnitude of a bin, the magnitude of a band.
    pub values: usize,
    /// Values of a point coming out: a complex factor, a gain.
    pub answers: usize,
    /// Frames before the present one of which it sees real and imaginary parts, and answers with a complex factor for each.
    pub past: usize,
}

/// The three zones. The points of the first two are bins, those of the third bands.
pub const ZONES: [Zone; 3] = [
    Zone { name: "low", first: 0, points: 4, overlap: 2, positions: 16, values: 3, answers: 2, past: PAST },
    Zone { name: "middle", first: 64, points: 8, overlap: 2, positions: 12, values: 3, answers: 2, past: 0 },
    Zone { name: "high", first: 0, points: 4, overlap: 1, positions: 4, values: 1, answers: 1, past: 0 },
];

impl Zone {
    /// Values that a position sees.
    pub const fn inputs(&self) -> usize {
        self.rows() * (self.points + 2 * self.overlap)
    }

    /// Values of a point going in, those of the frames before included.
    pub const fn rows(&self) -> usize {
        self.values + 2 * self.past
    }

    /// Values that a position answers with.
    pub const fn outputs(&self) -> usize {
        self.answers_in_all() * self.points
    }

    /// Values of a point coming out, those of the frames before included.
    pub const fn answers_in_all(&self) -> usize {
        self.answers + 2 * self.past
    }

    /// The rows of answers that are the factor of point `j` in the frame `back` before the present one, `back` from 1.
    const fn past_rows(&self, back: usize, j: usize) -> [usize; 2] {
        let row = (self.answers + 2 * (back - 1)) * self.points + j;
        [row, row + self.points]
    }

    /// The end of the points that its positions see.
    pub const fn reach(&self) -> usize {
        self.first + self.points * self.positions + self.overlap
    }
}

/// The weight of each bin from [`FINE`] on in each band, `[BANDS, BINS - FINE]`: triangles between evenly spread centres,
/// which sum to 1 at every bin.
pub fn triangles() -> Vec<f32> {
    let count = BINS - FINE;
    let mut weights = vec![0f32; BANDS * count];
    for k in 0..count {
        let at = k as f32 / (count - 1) as f32 * (BANDS - 1) as f32;
        for band in 0..BANDS {
            weights[band * count + k] = (1.0 - (at - band as f32).abs()).max(0.0);
        }
    }
    weights
}

/// Lays spectra out for the network, and its answers back.
pub struct Layout {
    triangles: Vec<f32>,
    /// What a band's weights sum to.
    sums: Vec<f32>,
}

impl Default for Layout {
    fn default() -> Self {
        let triangles = triangles();
        let sums = triangles.chunks(BINS - FINE).map(|band| band.iter().sum()).collect();
        Self { triangles, sums }
    }
}

impl Layout {
    /// What the network sees of one clip's spectra `[T, BINS]`: for each zone `[inputs, T, positions]`.
    pub fn features(&self, spectra: &[Complex<f32>]) -> [Vec<f32>; 3] {
        let frames = spectra.len() / BINS;
        let mut features = ZONES.map(|zone| vec![0f32; zone.inputs() * frames * zone.positions]);
        let mut fine = vec![0f32; frames * 3 * FINE];
        let mut bands = vec![0f32; frames * BANDS];
        for ((spectrum, fine), bands) in
            spectra.chunks_exact(BINS).zip(fine.chunks_exact_mut(3 * FINE)).zip(bands.chunks_exact_mut(BANDS))
        {
            for (k, bin) in spectrum[..FINE].iter().enumerate() {
                let loud = bin.norm_sqr() + FLOOR;
                let compressed = power(loud, 0.5 * (COMPRESSION - 1.0));
                fine[k] = bin.re * compressed;
                fine[FINE + k] = bin.im * compressed;
                fine[2 * FINE + k] = loud.sqrt() * compressed;
            }
            self.bands(spectrum, bands);
        }
        for (zone, out) in ZONES.iter().zip(&mut features) {
            let (source, count) = if zone.values == 3 { (&fine, FINE) } else { (&bands, BANDS) };
            let width = zone.points + 2 * zone.overlap;
            for row in 0..zone.rows() {
                // Real and imaginary parts of the frame before, then of that before it, follow the present frame's values.
                let (value, back) = match row.checked_sub(zone.values) {
                    None => (row, 0),
                    Some(past) => (past % 2, past / 2 + 1),
                };
                for j in 0..width {
                    for t in back..frames {
                        let source = &source[((t - back) * zone.values + value) * count..][..count];
                        let seen = &mut out[((row * width + j) * frames + t) * zone.positions..][..zone.positions];
                        for (position, v) in seen.iter_mut().enumerate() {
                            let point = (zone.first + position * zone.points + j).wrapping_sub(zone.overlap);
                            *v = source.get(point).copied().unwrap_or_default();
                        }
                    }
                }
            }
        }
        features
    }

    fn bands(&self, spectrum: &[Complex<f32>], bands: &mut [f32]) {
        let count = BINS - FINE;
        for ((band, weights), sum) in bands.iter_mut().zip(self.triangles.chunks_exact(count)).zip(&self.sums) {
            let loud: f32 = spectrum[FINE..].iter().zip(weights).map(|(bin, w)| w * bin.norm_sqr()).sum();
            *band = power(loud / sum + FLOOR, 0.5 * COMPRESSION);
        }
    }

    /// The spectra `[T, BINS]` that the network's answers (for each zone `[outputs, T, positions]`) make of `spectra`.
    pub fn apply(&self, answers: [&[f32]; 3], spectra: &[Complex<f32>]) -> Vec<Complex<f32>> {
        let frames = spectra.len() / BINS;
        let mut output = spectra.to_vec();
        for (t, spectrum) in output.chunks_exact_mut(BINS).enumerate() {
            for (zone, answers) in ZONES[..2].iter().zip(answers) {
                for position in 0..zone.positions {
                    for j in 0..zone.points {
                        let [x, y] =
                            [j, zone.points + j].map(|row| answers[(row * frames + t) * zone.positions + position]);
                        let k = zone.first + position * zone.points + j;
                        spectrum[k] *= cube(Complex::new(x, y));
                        for back in 1..=zone.past.min(t) {
                            let [x, y] = zone
                                .past_rows(back, j)
                                .map(|row| answers[(row * frames + t) * zone.positions + position]);
                            spectrum[k] += cut(Complex::new(x, y)) * spectra[(t - back) * BINS + k];
                        }
                    }
                }
            }
            let gains = self.gains(answers[2], frames, t);
            spectrum[FINE..].iter_mut().zip(gains).for_each(|(bin, gain)| *bin *= gain);
        }
        output
    }

    /// The gain of each bin from [`FINE`] on in frame `t`.
    fn gains(&self, answers: &[f32], frames: usize, t: usize) -> Vec<f32> {
        let zone = &ZONES[2];
        let count = BINS - FINE;
        let mut gains = vec![0f32; count];
        for (band, weights) in self.triangles.chunks_exact(count).enumerate() {
            let (position, j) = (band / zone.points, band % zone.points);
            let x = answers[(j * frames + t) * zone.positions + position].clamp(-LIMIT, LIMIT);
            gains.iter_mut().zip(weights).for_each(|(gain, w)| *gain += w * x * x * x);
        }
        gains
    }

    /// The gradient of the answers from that of the spectra that [`apply`](Self::apply) made.
    pub fn apply_transposed(
        &self,
        answers: [&[f32]; 3],
        spectra: &[Complex<f32>],
        gradient: &[Complex<f32>],
    ) -> [Vec<f32>; 3] {
        let frames = spectra.len() / BINS;
        let mut out = ZONES.map(|zone| vec![0f32; zone.outputs() * frames * zone.positions]);
        let count = BINS - FINE;
        let high = &ZONES[2];
        let mut of_gain = vec![0f32; count];
        let frame = |t: usize| &spectra[t * BINS..][..BINS];
        for (t, gradient) in gradient.chunks_exact(BINS).enumerate() {
            let spectrum = frame(t);
            for ((zone, answers), out) in ZONES[..2].iter().zip(answers).zip(&mut out) {
                for position in 0..zone.positions {
                    for j in 0..zone.points {
                        let at = [j, zone.points + j].map(|row| (row * frames + t) * zone.positions + position);
                        let k = zone.first + position * zone.points + j;
                        let of_factor = gradient[k] * spectrum[k].conj();
                        let passed = cube_back(Complex::new(answers[at[0]], answers[at[1]]), of_factor);
                        (out[at[0]], out[at[1]]) = (passed.re, passed.im);
                        for back in 1..=zone.past.min(t) {
                            let at = zone.past_rows(back, j).map(|row| (row * frames + t) * zone.positions + position);
                            let passed = gradient[k] * frame(t - back)[k].conj();
                            for (at, passed) in at.into_iter().zip([passed.re, passed.im]) {
                                out[at] = if answers[at].abs() < LIMIT { passed } else { 0.0 };
                            }
                        }
                    }
                }
            }
            for ((of_gain, bin), gradient) in of_gain.iter_mut().zip(&spectrum[FINE..]).zip(&gradient[FINE..]) {
                *of_gain = bin.re * gradient.re + bin.im * gradient.im;
            }
            for (band, weights) in self.triangles.chunks_exact(count).enumerate() {
                let at = (band % high.points * frames + t) * high.positions + band / high.points;
                let x = answers[2][at];
                let sum: f32 = of_gain.iter().zip(weights).map(|(g, w)| g * w).sum();
                out[2][at] = if x.abs() < LIMIT { 3.0 * x * x * sum } else { 0.0 };
            }
        }
        out
    }
}

/// The factor that an answer stands for, `m |m|^2`: small factors, of which there are many, are then not so small answers.
fn cube(m: Complex<f32>) -> Complex<f32> {
    let m = cut(m);
    m * m.norm_sqr()
}

/// An answer within the limit.
fn cut(m: Complex<f32>) -> Complex<f32> {
    Complex::new(m.re.clamp(-LIMIT, LIMIT), m.im.clamp(-LIMIT, LIMIT))
}

/// The gradient of an answer from that of its factor.
fn cube_back(m: Complex<f32>, gradient: Complex<f32>) -> Complex<f32> {
    let (inside_x, inside_y) = (m.re.abs() < LIMIT, m.im.abs() < LIMIT);
    let m = cut(m);
    let along = 2.0 * (m.re * gradient.re + m.im * gradient.im);
    let passed = gradient * m.norm_sqr() + m * along;
    Complex::new(if inside_x { passed.re } else { 0.0 }, if inside_y { passed.im } else { 0.0 })
}
